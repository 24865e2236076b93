"""The tables of the parser that are kept between runs: used, never stale, and never needed."""

import os
import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from mecdsl.diagnostics import ModelError
from mecdsl.parsing import parse as parse_module
from mecdsl.parsing.parse import parse
from mecdsl.parsing.parser_cache import FILE_NAME, cache_file

TEXT = "var x : s in 1 s..2 s\nminimize cost = 3*x + 4 s\n"


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A cache folder of the test alone, and a parser that is not yet made."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("MECDSL_CACHE", str(folder))
    parse_module._parser.cache_clear()
    yield folder
    parse_module._parser.cache_clear()


def fault() -> str:
    with pytest.raises(ModelError) as caught:
        parse("minimize cost = 3*\n")
    return str(caught.value)


def head_of(file: Path) -> bytes:
    """The hash that lark writes before the tables."""
    return file.read_bytes().partition(b"\n")[0]


@pytest.mark.slow
def test_kept_tables_give_the_same_trees_and_messages(own_folder: Path) -> None:
    first, message = parse(TEXT), fault()
    assert (own_folder / FILE_NAME).exists()
    parse_module._parser.cache_clear()
    assert parse(TEXT) == first
    assert fault() == message


def test_the_tables_are_read_back(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parse(TEXT)
    parse_module._parser.cache_clear()

    def never(*arguments: object) -> None:
        raise AssertionError("the grammar was read again")

    monkeypatch.setattr("lark.lark.load_grammar", never)
    parse(TEXT)


@pytest.mark.slow
def test_tables_of_another_grammar_are_not_used(own_folder: Path) -> None:
    parse(TEXT)
    file = own_folder / FILE_NAME
    head = head_of(file)
    file.write_bytes(
        b"0" * len(head) + b"\n" + pickle.dumps({}) + pickle.dumps("tables of another grammar")
    )
    parse_module._parser.cache_clear()
    assert parse(TEXT).statements
    assert head_of(file) == head  # written anew


@pytest.mark.slow
@pytest.mark.parametrize("content", [b"", b"no tables", b"\x80\x05garbage\n\x80"])
def test_a_broken_file_is_written_anew(own_folder: Path, content: bytes) -> None:
    parse(TEXT)
    file = own_folder / FILE_NAME
    head = head_of(file)
    file.write_bytes(content)
    parse_module._parser.cache_clear()
    assert parse(TEXT).statements
    assert head_of(file) == head


def test_a_cut_file_is_written_anew(own_folder: Path) -> None:
    parse(TEXT)
    file = own_folder / FILE_NAME
    half = file.stat().st_size // 2
    os.truncate(file, half)
    parse_module._parser.cache_clear()
    assert parse(TEXT).statements
    assert file.stat().st_size > half + 1000


@pytest.mark.slow
def test_a_folder_that_cannot_be_made_costs_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MECDSL_CACHE", str(tmp_path / "file" / "cache"))
    assert cache_file() is False
    assert parse(TEXT).statements


def test_a_file_that_cannot_be_written_costs_nothing_else(
    own_folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (own_folder / FILE_NAME).mkdir(parents=True)
    assert parse(TEXT).statements
    assert capfd.readouterr() == ("", "")


def test_an_empty_name_switches_it_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MECDSL_CACHE", "")
    assert cache_file() is False


@pytest.mark.skipif(os.name != "posix", reason="folders and modes of POSIX")
def test_the_folder_is_the_users_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MECDSL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_file() == str(tmp_path / "xdg" / "mecdsl" / FILE_NAME)
    assert (tmp_path / "xdg" / "mecdsl").stat().st_mode & 0o777 == 0o700
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert cache_file() is False
