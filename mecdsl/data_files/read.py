"""Data from outside: files of JSON, TOML and CSV and `--set`, as values by qualified name with
their place.

A name is either qualified (`"learner.cpu"`) or nested under its family (`"learner": {"cpu": ...}`),
never both.
"""

import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mecdsl.data_files.places import json_place, repeated_keys, toml_place
from mecdsl.data_files.table import Table, csv_table, records_table
from mecdsl.diagnostics import Collector, Diagnostic, Label, ModelError, Source, Span

Place = tuple[str | int, ...]
KEEP_ONE = "keep one of the two"
BARE_ITEM = re.compile(r"[^\[\],]*[^\[\],\s][^\[\],]*")  # of a list without quotes


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A value from outside; `place` tells where it, or the item at some indices or keys in it,
    stands.

    `unit`: of plain numbers, written in the header of a table; None means the declared unit.
    `table`, `column`: the table whose column it is. `in_order`: the values are one for each row of
    the symbol, in its order.
    """

    value: Any
    place: Callable[[Sequence[str | int]], Span | None]
    unit: str | None = None
    table: Table | None = None
    column: int = 0
    in_order: bool = False


def read_data(path: str | Path, families: Sequence[str]) -> dict[str, Given]:
    """The values of a data file by qualified name.

    `families`: the names whose objects are opened. Raises `ModelError` for a file that cannot be
    read or names a thing twice.
    """
    path = Path(path)
    if path.suffix.lower() == ".csv":
        return columns_of(_table_of(path))
    value, place = read_document(path)
    if is_records(value):
        return columns_of(records_table(str(path), value, place))
    if not isinstance(value, Mapping):
        fix = 'write {"name": value, ...}'
        span = Span(Source(str(path), _text(path)), 1, 1, 1, 2)
        raise ModelError([Diagnostic("E308", "a data file is one JSON object", span, help=fix)])
    return _flatten(value, families, place)


def _table_of(path: Path) -> Table:
    return csv_table(Source(str(path), _text(path)))


def read_document(path: Path) -> tuple[Any, Callable[[Sequence[str | int]], Span | None]]:
    """What a JSON or TOML file holds, and where each part of it stands. Raises `ModelError`."""
    source = Source(str(path), _text(path))
    if path.suffix.lower() == ".toml":
        return _toml(source), toml_place(source)
    return _json(source), json_place(source)


def is_records(value: Any) -> bool:
    """Whether a value is a list of objects, `[{"m": 1, "n": 2, "delay": "10 ms"}]`."""
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(isinstance(item, Mapping) for item in value)
    )


def beside(name: str, span: Span) -> Path:
    """The path of a file that a model names at `span`. Raises `ModelError` if there is none."""
    path = Path(span.source.name).parent / name
    if not path.exists():
        fix = "the path counts from the folder of the model"
        raise ModelError([Diagnostic("E308", f"there is no file `{name}`", span, help=fix)])
    return path


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ModelError([Diagnostic("E308", f"`{path}` cannot be read: {reason}")]) from None
    except UnicodeDecodeError:
        raise ModelError(
            [
                Diagnostic(
                    "E308", f"`{path}` is not UTF-8 text", help="save the file with encoding UTF-8"
                )
            ]
        ) from None


def _json(source: Source) -> Any:
    twice = False

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        nonlocal twice
        seen = dict(pairs)
        twice = twice or len(seen) < len(pairs)
        return seen

    try:
        value = json.loads(source.text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        raise ModelError([_json_fault(source, error)]) from None
    except RecursionError:
        raise ModelError([Diagnostic("E308", f"`{source.name}` is nested too deeply")]) from None
    except ValueError:  # Python reads no whole number beyond some thousand digits
        raise ModelError(
            [Diagnostic("E308", f"`{source.name}` holds a number of thousands of digits")]
        ) from None
    if twice:
        raise ModelError(
            Diagnostic(
                "E307",
                f"`{key}` is given twice",
                second,
                (Label(first, "the first is here"),),
                help=KEEP_ONE,
            )
            for key, first, second in repeated_keys(source)
        )
    return value


def _json_fault(source: Source, error: json.JSONDecodeError) -> Diagnostic:
    before = source.text[: error.pos].rstrip()
    rest = source.text[error.pos :]
    span = Span(source, error.lineno, error.colno, error.lineno, error.colno + 1)
    message = error.msg[0].lower() + error.msg[1:]
    fix: str | None = None
    if not source.text.strip():
        message, fix = "the file is empty", 'write {"name": value, ...}'
    elif rest[:1] == "'":
        fix = 'names and texts stand in double quotes `"`'
    elif before.endswith(",") and rest[:1] in ("]", "}"):
        fix = "delete the comma before it"
    elif before[-1:].isdigit() and rest[:1].isalpha():
        fix = 'a quantity is a text: `"30 s"`'
    elif rest[:1] == "#" or rest[:2] == "//":
        fix = "JSON has no comments"
    return Diagnostic("E308", f"no valid JSON: {message}", span, help=fix)


def _toml(source: Source) -> dict[str, Any]:
    try:
        return tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        place = re.search(r"line (\d+), column (\d+)", str(error))
        line, column = (int(place[1]), int(place[2])) if place else (1, 1)
        message = str(error).split(" (at")[0]
        message = message[:1].lower() + message[1:]
        span = Span(source, line, column, line, column + 1)
        before, after = source.line(line)[: column - 1].rstrip(), source.line(line)[column - 1 :]
        fix = (
            'a quantity is a text: `"30 s"`'
            if before[-1:].isdigit() and after[:1].isalpha()
            else None
        )
        raise ModelError(
            [Diagnostic("E308", f"no valid TOML: {message}", span, help=fix)]
        ) from None


def _flatten(
    data: Mapping[str, Any],
    families: Sequence[str],
    place: Callable[[Sequence[str | int]], Span | None],
) -> dict[str, Given]:
    collector = Collector()
    result: dict[str, Given] = {}

    def add(name: str, given: Given, path: Place) -> None:
        if name in result:
            message = f"`{name}` is given twice, qualified and nested"
            collector.error("E307", message, place(path), help=KEEP_ONE)
        result[name] = given

    def part(path: Place, value: Any) -> Given:
        return Given(value=value, place=lambda indices: place((*path, *indices)))

    for key, value in data.items():
        if isinstance(value, Mapping) and key in families:
            for inner, item in value.items():
                add(f"{key}.{inner}", part((key, inner), item), (key, inner))
        elif is_records(value) and key in families:
            table = records_table(key, value, part((key,), value).place)
            for title, column in columns_of(table).items():
                add(f"{key}.{title}", column, (key,))
        else:
            add(str(key), part((str(key),), value), (str(key),))
    collector.raise_errors()
    return result


def read_settings(settings: Sequence[str]) -> dict[str, Given]:
    """`name=value` texts of the command line; a value is JSON or a quantity such as `45s`."""
    result: dict[str, Given] = {}
    for setting in settings:
        source = Source("--set", setting)
        span = Span(source, 1, 1, 1, len(setting) + 1)
        name, equal, text = setting.partition("=")
        if not equal or not name.strip() or not text.strip():
            fix = "write `--set cycle_time=45s`"
            raise ModelError([Diagnostic("E308", f"`{setting}` is no setting", span, help=fix)])
        try:
            value: Any = _setting_value(text)
        except (ValueError, RecursionError):
            fix = "write a list as `[1, 2]` or `[1 s, 2 s]`"
            raise ModelError(
                [Diagnostic("E308", f"`{text.strip()}` is no valid JSON", span, help=fix)]
            ) from None
        if name.strip() in result:
            labels = (Label(result[name.strip()].place(()) or span, "the first is here"),)
            raise ModelError(
                [Diagnostic("E307", f"`{name.strip()}` is set twice", span, labels, help=KEEP_ONE)]
            )
        result[name.strip()] = Given(value=value, place=_always(span))
    return result


def _setting_value(text: str) -> Any:
    """A JSON value, a list of bare quantities, `[1 s, 2 s]`, or the text.

    Raises `ValueError` for broken JSON.
    """
    try:
        return json.loads(text)
    except json.JSONDecodeError:
        stripped = text.strip()
        if not stripped.startswith(("[", "{")):
            return stripped
        if '"' in stripped or "'" in stripped or stripped.startswith("{"):
            raise
        return json.loads(BARE_ITEM.sub(lambda item: _quoted(item[0].strip()), stripped))


def _quoted(item: str) -> str:
    """An item of a list as JSON: a number as it is, anything else as a text."""
    try:
        json.loads(item)
    except json.JSONDecodeError:
        return json.dumps(item)
    return item


def _always(span: Span) -> Callable[[Sequence[str | int]], Span | None]:
    return lambda _indices: span


def given_in_memory(data: Mapping[str, Any], families: Sequence[str]) -> dict[str, Given]:
    """Values handed over in Python; nested mappings are families."""
    return _flatten(data, families, lambda _path: None)


def read_table(source: Source) -> dict[str, Given]:
    """The columns of a CSV text by title; a header may carry a unit: `cpu [Gcycle/s]`."""
    return columns_of(csv_table(source))


def columns_of(table: Table) -> dict[str, Given]:
    """The columns of a table by title, each of which knows the others, since some may be labels."""
    return {
        title: Given(
            value=table.values(column),
            place=table.column_place(column),
            unit=table.split(column)[1],
            table=table,
            column=column,
        )
        for column, title in enumerate(table.titles)
    }


def key_span(name: str, given: Given) -> Span | None:
    """Where the name of a value stands, if it is on the line of the value; else where the value
    stands.
    """
    span = given.place(())
    if span is None:
        return None
    line = span.source.line(span.line)
    for word in (name, name.rsplit(".", 1)[-1]):
        for quoted in (f'"{word}"', word):
            start = line.rfind(quoted, 0, span.end_column - 1)
            if start >= 0:
                return Span(span.source, span.line, start + 1, span.line, start + 1 + len(quoted))
    return span
