"""Levels: dB, dBm and per cent mean one thing wherever they are written, and their sums are never
sums of factors.

By definition x dB stand for 10^(x/10), x dBm for that many mW.
"""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import mecdsl
from mecdsl.compiling.check import check
from mecdsl.data_files.read import given_in_memory, read_data, read_settings
from mecdsl.diagnostics import ModelError
from mecdsl.instances.data_out import data_of
from mecdsl.instances.instance import Instance
from mecdsl.instances.instantiate import instantiate
from mecdsl.parsing.parse import parse
from mecdsl.units import parse_unit

ANY = "\nvar x : s >= 0\nminimize cost = x\n"
FACTOR_OF_3 = 10**0.3
WATT_OF_23 = 10**2.3 / 1000


def instance(text: str, *sets: str, data: Path | None = None, seed: int = 0) -> Instance:
    outside = read_data(data, ()) if data is not None else {}
    return instantiate(check(parse(text)), outside | read_settings(sets), seed)


def value(text: str, *sets: str) -> float:
    return float(instance(text + ANY, *sets).data("p")[0])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("param p : dBm = 23", WATT_OF_23),
        ("param p : dBm = 23 dBm", WATT_OF_23),
        ("param p : W = 23 dBm", WATT_OF_23),
        ("param p : dBW = -7", 10**-0.7),
        ("param p : dBi = 3", FACTOR_OF_3),
        ("param p : dB = -3", 1 / FACTOR_OF_3),
        ("param p : dB = 0", 1.0),
        (
            "param p : dB = -(3 dB)",
            1 / FACTOR_OF_3,
        ),  # a minus belongs to the literal, with parentheses too
        ("param p : dBm/Hz = -174", 10**-17.4 / 1000),
        ("param p : % = 10", 0.1),
        ("param p : 1 = 10 %", 0.1),
        ("param p : % = 10 % + 5 %", 0.15),
        ("param b : 1 = 1\nparam p : dBm = if b > 0 then 23 else 4", WATT_OF_23),
        ("param q : dB = 3\nparam p : dBm = 20 dBm * q", 10**2.3 / 1000),
        ("param q : dB = 3\nparam p : dB = 1/q", 1 / FACTOR_OF_3),
        ("param q : dB = 3\nparam p : dB = q^3", 10**0.9),
        ("param q[k in 1..3] : dB = [1, 2, 4]\nparam p : dB = prod(q[k] for k in 1..3)", 10**0.7),
        ("param q[k in 1..3] : dB = [1, 2, 4]\nparam p : dB = max(q[k] for k in 1..3)", 10**0.4),
        ("param n : W = -110 dBm\nparam p : W = n + 23 dBm * -90 dB", 10**-14 + WATT_OF_23 * 1e-9),
        ("param n : dBm = -110\nparam i : W = 1 pW\nparam p : W = n + i", 1e-14 + 1e-12),
        ("param s : 1 = 10 dB\nparam p : 1 = 1 + s", 11.0),
        ("param p : dB = db(-(100 + 20*log10(10)))", 1e-12),
        ("param q : dBm = 20\nparam p : 1 = log10(q / 1 mW)", 2.0),
    ],
)
def test_levels_stand_for_their_factor_or_power(text: str, expected: float) -> None:
    assert value(text) == pytest.approx(expected, rel=1e-14)


def test_levels_from_settings_files_and_headers(tmp_path: Path) -> None:
    text = "param p[k in 1..2] : dBm = [1, 2]" + ANY
    wanted = [parse_unit("dBm").to_si(23.0), parse_unit("dBm").to_si(-5.0)]
    assert instance(text, "p=[23, -5]").data("p").tolist() == wanted
    assert instance(text, "p=[23 dBm, -5 dBm]").data("p").tolist() == wanted
    for name, content in {
        "a.json": '{"p": [23, "-5 dBm"]}',
        "b.csv": "p [dBm]\n23\n-5\n",
        "c.csv": "p\n23\n-5 dBm\n",
        "d.toml": 'p = ["23", -5]\n',
    }.items():
        file = tmp_path / name
        file.write_text(content)
        assert instance(text, data=file).data("p").tolist() == wanted, name
    watts = tmp_path / "w.csv"
    watts.write_text("p [W]\n0.1\n1\n")
    assert instance(text, data=watts).data("p").tolist() == [0.1, 1.0]


@pytest.mark.parametrize(
    "unit", ["dBm", "dBW", "dB", "dBi", "dBm/Hz", "%", "1", "ms", "Mbit/s", "W"]
)
@settings(max_examples=60, deadline=None)
@given(number=st.floats(min_value=-250, max_value=250, allow_subnormal=False))
def test_data_read_back_to_the_same_bits(unit: str, number: float) -> None:
    model = check(parse(f"param p[k in 1..1] : {unit}" + ANY))
    first = instantiate(model, given_in_memory({"p": [number]}, ()))
    again = instantiate(model, given_in_memory(json.loads(json.dumps(data_of(first))), ()))
    assert first.data("p").tobytes() == again.data("p").tobytes()


def test_data_and_show_speak_in_the_declared_level() -> None:
    from mecdsl.output.text.instance import instance_text

    found = instance(
        "param p : dBm = 23\nparam g[k in 1..3] : dB = [-90, 0, 3]\nparam h : % = 10" + ANY
    )
    assert data_of(found) == {"p": "23 dBm", "g": ["-90 dB", "0 dB", "3 dB"], "h": "0.1 1"}
    shown = instance_text(found)
    assert "23 dBm" in shown
    assert "[-90, 0, 3] dB" in shown
    assert "10 %" in shown


@pytest.mark.parametrize(
    "expression",
    [
        "-90 dB - 10 dB",
        "23 dBm + 3 dB",
        "23 dBm + 20 dBm",
        "db(5 dBi + 5 dBi - 28)",
        "a + b",
        "a - b",
        "1 + a",
        "sum(loss[k] for k in 1..3)",
        "sum(loss[k] for k in 1..3) / 3",
        "2 * 3 dB",
        "n * a",
        "a / 2",
        "-a",
        "c + d",
        "db(a)",
        "10^(a/10)",
        "abs(a)",
        "max(a, 3)",
        "if a > 3 then 1 else 2",
        "untyped + a",
    ],
)
def test_what_differs_for_levels_and_factors_is_refused_with_a_fix(expression: str) -> None:
    text = (
        "param a : dB = 3\nparam b : dB = 4\nparam c : dBm = 23\nparam d : dBm = 20\nparam n "
        ": integer = 2\n"
        f"param loss[k in 1..3] : dB = 2\nlet untyped = a\nlet q = {expression}{ANY}"
    )
    with pytest.raises(ModelError) as caught:
        check(parse(text))
    assert {diagnostic.code for diagnostic in caught.value.diagnostics} == {"E204"}
    assert all(diagnostic.help for diagnostic in caught.value.diagnostics)


@pytest.mark.parametrize(
    ("refused", "followed", "level"),
    [
        ("-90 dB - 10 dB", "-90 dB / 10 dB", -100.0),
        ("5 dBi + 5 dBi - 28 dB", "5 dBi * 5 dBi / 28 dB", -18.0),
        ("db(5 dBi + 5 dBi - 28)", "5 dBi * 5 dBi / 28 dB", -18.0),
        ("2 * 3 dB", "(3 dB)^2", 6.0),
        ("20 dB - (5 dB + 3 dB)", "20 dB / (5 dB * 3 dB)", 12.0),
    ],
)
def test_the_proposed_product_is_the_sum_of_the_levels(
    refused: str, followed: str, level: float
) -> None:
    with pytest.raises(ModelError) as caught:
        check(parse(f"let q = {refused}{ANY}"))
    assert f"`{followed}`" in (caught.value.diagnostics[0].help or "")
    assert value(f"param p : 1 = {followed}") == pytest.approx(10 ** (level / 10), rel=1e-14)


def test_computed_decibels_need_their_conversion() -> None:
    for text in ("param p : dB = -(128.1 + 37.6*log10(2))", "param p[k in 1..3] : dB = -80 - 10*k"):
        with pytest.raises(ModelError) as caught:
            check(parse(text + ANY))
        assert "write `db(" in (caught.value.diagnostics[0].help or "")


def test_random_levels_are_drawn_in_decibels() -> None:
    # the median of a uniform level is its middle in dB; the standard deviation of 4000 draws is 8
    # dB within 5 %
    text = (
        "param p[k in 1..4000] : dBm = uniform(20 dBm, 23 dBm)\nparam q[k in 1..4000] : dB = "
        "normal(0, 8)" + ANY
    )
    import numpy as np

    found = instance(text, seed=3)
    power = 10 * np.log10(found.data("p") / 1e-3)
    assert power.min() >= 20 - 1e-9
    assert power.max() <= 23 + 1e-9
    assert np.median(power) == pytest.approx(21.5, abs=0.1)
    assert np.std(10 * np.log10(found.data("q"))) == pytest.approx(8.0, rel=0.05)


def test_bounds_starts_and_fixed_values_in_levels() -> None:
    text = (
        "var p : dBm in 0..23\nvar q : dBm <= 10\nstart p = 10\nmaximize t : dBm = p\n"
        "constraint c: q + 0 W <= 1 W\nform f: fix p = 7\n"
    )
    result = mecdsl.loads(text).solve()
    assert result.objective == pytest.approx(WATT_OF_23, rel=1e-9)
    assert "t = 23 dBm" in str(result)
    found = instance(text)
    assert found.lower.tolist() == [1e-3, 0.0]
    assert found.start[0] == pytest.approx(1e-2)
    assert mecdsl.loads(text).solve(form="f").objective == pytest.approx(10**0.7 / 1000)


def test_interference_adds_powers() -> None:
    # 0 dB each: two senders of 23 dBm over -90 dB beside -110 dBm of noise
    text = (
        "param gain[k in 1..2] : dB = -90\nparam noise : W = -110 dBm\nvar p[k in 1..2] : "
        "dBm in 0..23\n"
        "let all = noise + sum(p[k]*gain[k] for k in 1..2)\nmaximize t : W = all\n"
    )
    assert mecdsl.loads(text).solve().objective == pytest.approx(
        1e-14 + 2e-9 * WATT_OF_23, rel=1e-6
    )


def test_constraints_compare_levels_with_levels() -> None:
    text = "param g : dB = 3\nvar p : dBm in 0..23\nminimize t : dBm = p\nconstraint c: {}\n"
    for row in ("p >= 0", "g <= 5", "g <= 10*log10(2)"):
        with pytest.raises(ModelError) as caught:
            check(parse(text.format(row)))
        assert {diagnostic.code for diagnostic in caught.value.diagnostics} == {"E204"}
    assert mecdsl.loads(text.format("p >= 20 dBm")).solve().objective == pytest.approx(0.1)
