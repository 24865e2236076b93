"""Where a value stands in a JSON or TOML text.

Read only after a fault was found, so speed does not matter.
"""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from json.decoder import scanstring  # type: ignore[attr-defined]  # there, but not in the stubs

from mecdsl.diagnostics import Source, Span

TOML_LINE = re.compile(r"\s*(\[{0,2})\s*((?:(?:\"[^\"]*\"|'[^']*'|[\w-]+)\s*\.?\s*)+)(\]|=)")
TOML_KEY = re.compile(r"\"([^\"]*)\"|'([^']*)'|([\w-]+)")
BLANK = " \t\n\r"


def json_place(source: Source) -> Callable[[Sequence[str | int]], Span | None]:
    """A function from a path of keys and positions to its span, the deepest part of the path that
    exists.
    """

    def place(path: Sequence[str | int]) -> Span | None:
        start, end = 0, len(source.text)
        for part in path:
            inner = _child(source.text, start, part)
            if inner is None:
                break
            start, end = inner
        start = _skip(source.text, start)
        return _span(source, start, min(end, _line_end(source.text, start)))

    return place


def _line_end(text: str, start: int) -> int:
    end = text.find("\n", start)
    return len(text) if end < 0 else end


def _span(source: Source, start: int, end: int) -> Span:
    line = source.text.count("\n", 0, start) + 1
    column = start - (source.text.rfind("\n", 0, start) + 1) + 1
    return Span(source, line, column, line, column + max(1, end - start))


def _skip(text: str, at: int) -> int:
    while at < len(text) and text[at] in BLANK:
        at += 1
    return at


def _value_end(text: str, at: int) -> int:
    return json.JSONDecoder().raw_decode(text, at)[1]


def _child(text: str, at: int, part: str | int) -> tuple[int, int] | None:
    """Start and end of the member `part` of the object or array at `at`."""
    at = _skip(text, at)
    if at >= len(text) or (text[at] == "{") != isinstance(part, str) or text[at] not in "{[":
        return None
    closing = "}" if text[at] == "{" else "]"
    at = _skip(text, at + 1)
    position = 0
    while at < len(text) and text[at] != closing:
        key: str | int = position
        if closing == "}":
            key, at = scanstring(text, at + 1, True)
            at = _skip(text, _skip(text, at) + 1)
        end = _value_end(text, at)
        if key == part:
            return at, end
        at = _skip(text, end)
        if at < len(text) and text[at] == ",":
            at = _skip(text, at + 1)
        position += 1
    return None


def repeated_keys(source: Source) -> list[tuple[str, Span, Span]]:
    """Keys that stand twice in one object of a valid JSON text: the key, its first and its later
    place.
    """
    repeated: list[tuple[str, Span, Span]] = []
    seen: list[
        dict[str, Span] | None
    ] = []  # for each open object its keys, for each open array None
    text, at = source.text, 0
    is_key = False
    while at < len(text):
        character = text[at]
        if character == '"':
            word, end = scanstring(text, at + 1, True)
            keys = seen[-1] if seen else None
            if is_key and keys is not None:
                span = _span(source, at, end)
                if word in keys:
                    repeated.append((word, keys[word], span))
                keys.setdefault(word, span)
            is_key, at = False, end
            continue
        if character in "{[":
            seen.append({} if character == "{" else None)
        elif character in "}]":
            seen.pop()
        if character in "{,":
            is_key = seen[-1] is not None
        at += 1
    return repeated


def toml_place(source: Source) -> Callable[[Sequence[str | int]], Span | None]:
    """A function from a path of keys and positions to the line of the key that leads furthest along
    it.
    """

    def place(path: Sequence[str | int]) -> Span | None:
        best, depth = None, 0
        for number, keys in _toml_keys(source):
            along = 0
            while along < min(len(keys), len(path)) and keys[along] == path[along]:
                along += 1
            if along > depth and along == len(keys):
                best, depth = number, along
        return None if best is None else Span(source, best, 1, best, len(source.line(best)) + 1)

    return place


def _toml_keys(source: Source) -> Iterator[tuple[int, tuple[str | int, ...]]]:
    """The lines that begin with a key or a table, each with its path from the top."""
    table: tuple[str | int, ...] = ()
    seen: dict[tuple[str | int, ...], int] = {}
    for number, line in enumerate(source.text.split("\n"), 1):
        start = TOML_LINE.match(line)
        if start is None:
            continue
        keys: tuple[str | int, ...] = tuple(
            next(filter(None, key), "") for key in TOML_KEY.findall(start[2])
        )
        if not start[1]:
            yield number, (*table, *keys)
            continue
        table = keys
        if start[1] == "[[":
            seen[keys] = seen.get(keys, -1) + 1
            table = (*keys, seen[keys])
        yield number, table
