"""Names in LP and MPS files are legal, unique, and as close to the model's as the formats allow."""

import re

from mecdsl.pyomo_model.file_names import LONGEST, file_names

LEGAL = re.compile(r"[A-Za-z_][A-Za-z0-9_.(),]*")


def test_names_of_the_model_stay_but_for_their_brackets() -> None:
    assert file_names(["updates", "learner.batch[3]", "x[1, 2]"]) == (
        *("updates", "learner.batch(3)", "x(1,2)"),
    )


def test_spaces_quotes_and_letters_beyond_ascii_are_replaced() -> None:
    names = [
        "room.heat[north wing]",
        'room.heat["Küche"]',
        "room.heat[Straße 4-b]",
        "room.heat[東]",
    ]
    assert file_names(names)[:2] == ("room.heat(north_wing)", "room.heat(Kuche)")
    assert all(LEGAL.fullmatch(label) for label in file_names(names))


def test_names_that_become_alike_are_told_apart() -> None:
    labels = file_names(["a[north wing]", "a[north_wing]", "a[north-wing]", "a(north_wing)_2"])
    assert len(set(labels)) == 4


def test_words_and_numbers_of_the_formats_are_avoided() -> None:
    words = [
        "free",
        "INF",
        "st",
        "e1",
        "E",
        "e9x",
        "nan",
        "rhs",
        "Bounds",
        "end",
        "inf",
        "1x",
        ".5",
    ]
    for word, label in zip(words, file_names(words), strict=True):
        assert label.lower() != word.lower()
        assert LEGAL.fullmatch(label)
        assert not re.match(r"[eE][0-9.]", label)
    assert file_names(["energy", "e", "every"])[0] == "energy"


def test_long_names_are_cut_and_stay_apart() -> None:
    labels = file_names(["x" * 300 + "a", "x" * 300 + "b"])
    assert len(set(labels)) == 2
    assert max(map(len, labels)) <= LONGEST
