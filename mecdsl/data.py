"""Data from outside: files of JSON, TOML and CSV and `--set`, as values by qualified name with their place.

A name is either qualified (`"learner.cpu"`) or nested under its family (`"learner": {"cpu": ...}`), never both.
"""

import csv
import io
import json
import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mecdsl.data_places import json_place
from mecdsl.diagnostics import Collector, Diagnostic, ModelError, Source, Span

Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Given:
    """A value from outside; `place` tells where it, or the item at some indices in it, stands.

    `units`: texts of units written in the header of a table, for plain numbers; None means the declared unit.
    """

    value: Any
    place: Callable[[Sequence[int]], Span | None]
    unit: str | None = None


def read_data(path: str | Path, families: Sequence[str]) -> dict[str, Given]:
    """The values of a data file by qualified name.

    `families`: the names whose objects are opened. Raises `ModelError` for a file that cannot be read or names
    a thing twice.
    """
    path = Path(path)
    text = _text(path)
    source = Source(str(path), text)
    match path.suffix.lower():
        case ".toml":
            return _flatten(_toml(source), families, source, _line_place(source))
        case ".csv":
            return read_table(source)
        case _:
            return _flatten(_json(source), families, source, json_place(source))


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise ModelError([Diagnostic("E308", f"`{path}` cannot be read: {reason}")]) from None
    except UnicodeDecodeError:
        raise ModelError(
            [Diagnostic("E308", f"`{path}` is not UTF-8 text", help="save the file with encoding UTF-8")]
        ) from None


def _json(source: Source) -> dict[str, Any]:
    collector = Collector()

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        seen: dict[str, Any] = {}
        for key, value in pairs:
            if key in seen:
                collector.error("E307", f"`{key}` is given twice", json_place(source)((key,)))
            seen[key] = value
        return seen

    try:
        value = json.loads(source.text, object_pairs_hook=unique)
    except json.JSONDecodeError as error:
        span = Span(source, error.lineno, error.colno, error.lineno, error.colno + 1)
        message = error.msg[0].lower() + error.msg[1:]
        raise ModelError([Diagnostic("E308", f"no valid JSON: {message}", span)]) from None
    except RecursionError:
        raise ModelError([Diagnostic("E308", "the JSON is nested too deeply")]) from None
    collector.raise_errors()
    if not isinstance(value, dict):
        span = Span(source, 1, 1, 1, 2)
        fix = 'write {"name": value, ...}'
        raise ModelError([Diagnostic("E308", "a data file is one JSON object", span, help=fix)])
    return value


def _toml(source: Source) -> dict[str, Any]:
    try:
        return tomllib.loads(source.text)
    except tomllib.TOMLDecodeError as error:
        found = re.search(r"line (\d+), column (\d+)", str(error))
        line, column = (int(found[1]), int(found[2])) if found else (1, 1)
        message = str(error).split(" (at")[0].lower()
        span = Span(source, line, column, line, column + 1)
        raise ModelError([Diagnostic("E308", f"no valid TOML: {message}", span)]) from None


def _line_place(source: Source) -> Callable[[Place], Span | None]:
    """Place of a TOML key: the line that begins with it."""

    def place(path: Place) -> Span | None:
        key = next((str(part) for part in reversed(path) if isinstance(part, str)), "")
        for number, line in enumerate(source.text.split("\n"), 1):
            if re.match(rf'\s*\[?"?(?:[\w.]*\.)?{re.escape(key)}"?\s*[=\]]', line):
                return Span(source, number, 1, number, len(line) + 1)
        return None

    return place


def _flatten(
    data: Mapping[str, Any],
    families: Sequence[str],
    source: Source,
    place: Callable[[Place], Span | None],
) -> dict[str, Given]:
    collector = Collector()
    result: dict[str, Given] = {}

    def add(name: str, value: Any, path: Place) -> None:
        if name in result:
            collector.error(
                "E307",
                f"`{name}` is given twice, qualified and nested",
                place(path),
                help="keep one of the two",
            )
        result[name] = Given(value, lambda indices: place((*path, *indices)))

    for key, value in data.items():
        if isinstance(value, Mapping) and (key in families or "." not in key):
            for inner, item in value.items():
                add(f"{key}.{inner}", item, (key, inner))
        else:
            add(key, value, (key,))
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
            value: Any = json.loads(text)
        except json.JSONDecodeError:
            value = text.strip()
        if name.strip() in result:
            raise ModelError([Diagnostic("E307", f"`{name.strip()}` is set twice", span)])
        result[name.strip()] = Given(value, lambda _indices, span=span: span)
    return result


def given_in_memory(data: Mapping[str, Any], families: Sequence[str]) -> dict[str, Given]:
    """Values handed over in Python; nested mappings are families."""
    source = Source("data", "")
    return _flatten(data, families, source, lambda _path: None)


def read_table(source: Source) -> dict[str, Given]:
    """The columns of a CSV text; a header may carry a unit: `cpu [Gcycle/s]`."""
    rows = [row for row in csv.reader(io.StringIO(source.text)) if row]
    if not rows:
        raise ModelError([Diagnostic("E308", "the table is empty", Span(source, 1, 1, 1, 2))])
    header, body = [cell.strip() for cell in rows[0]], rows[1:]
    for number, row in enumerate(body, 2):
        if len(row) != len(header):
            span = Span(source, number, 1, number, len(source.line(number)) + 1)
            message = f"the row has {len(row)} cells, the header {len(header)}"
            raise ModelError([Diagnostic("E308", message, span)])
    result: dict[str, Given] = {}
    for position, title in enumerate(header):
        found = re.fullmatch(r"([\w.]+)\s*(?:\[([^\]]+)\])?", title)
        span = Span(source, 1, 1, 1, len(source.line(1)) + 1)
        if found is None:
            message = f"`{title}` is no column name"
            raise ModelError([Diagnostic("E308", message, span, help="write `cpu` or `cpu [Gcycle/s]`")])
        if found[1] in result:
            raise ModelError([Diagnostic("E307", f"column `{found[1]}` stands twice", span)])
        cells = [_cell(row[position]) for row in body]
        result[found[1]] = Given(cells, _cell_place(source), found[2])
    return result


def _cell(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        return float(text)
    except ValueError:
        return text.strip()


def _cell_place(source: Source) -> Callable[[Sequence[int]], Span | None]:
    def place(indices: Sequence[int]) -> Span | None:
        line = 2 + int(indices[0]) if indices else 1
        return Span(source, line, 1, line, len(source.line(line)) + 1)

    return place
