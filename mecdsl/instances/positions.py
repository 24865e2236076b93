"""Positions in data: pairs `[[x, y], ...]` under the name `family.position` are the attributes `x`
and `y`.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from mecdsl.data_files.read import KEEP_ONE, Given, key_span
from mecdsl.diagnostics import Diagnostic, Label, ModelError, Span
from mecdsl.model import symbolic as sym
from mecdsl.parsing.syntax import Kind

SUFFIX = ".position"
PAIR = "a position is a pair `[x, y]`, a list of members has one for each"


def with_coordinates(model: sym.Model, given: Mapping[str, Given]) -> dict[str, Given]:
    """The data with each `family.position` as `family.x` and `family.y`, where these are
    parameters.

    Raises `ModelError` for what are no pairs (E302) and for coordinates that are given twice
    (E307).
    """
    entries: dict[str, Given] = {}
    for name, value in given.items():
        parts = _coordinates(model, name)
        if not parts:
            entries[name] = value
            continue
        for axis, coordinate in enumerate(parts):
            if coordinate in given:
                labels = _first_label(given[coordinate], coordinate)
                message = f"`{coordinate}` is given twice, by itself and in `{name}`"
                raise ModelError(
                    [Diagnostic("E307", message, key_span(name, value), labels, help=KEEP_ONE)]
                )
            items = value.value.tolist() if isinstance(value.value, np.ndarray) else value.value
            entries[coordinate] = Given(
                value=_split(name, value, items, axis, ()),
                place=_part(value, axis),
                unit=value.unit,
            )
    return entries


def _coordinates(model: sym.Model, name: str) -> tuple[str, ...]:
    """The parameters a position is made of; empty if the name is another one's."""
    if not name.endswith(SUFFIX) or name in model.symbols:
        return ()
    parts = tuple(f"{name.removesuffix(SUFFIX)}.{axis}" for axis in "xy")
    known = [model.symbols.get(part) for part in parts]
    return (
        parts if all(symbol is not None and symbol.kind is Kind.PARAM for symbol in known) else ()
    )


def _split(name: str, given: Given, items: Any, axis: int, path: tuple[int | str, ...]) -> Any:
    """One coordinate of every pair, in the shape of the list of pairs."""
    if isinstance(items, Mapping):
        return {key: _split(name, given, item, axis, (*path, key)) for key, item in items.items()}
    if isinstance(items, list | tuple) and (
        not items or any(isinstance(item, list | tuple) for item in items)
    ):
        return [
            _split(name, given, item, axis, (*path, number)) for number, item in enumerate(items)
        ]
    if isinstance(items, list | tuple) and len(items) == 2:
        return items[axis]
    what = f"{len(items)} values" if isinstance(items, list | tuple) else f"`{items}`"
    steps = ", ".join(step if isinstance(step, str) else str(step + 1) for step in path)
    where = f"`{name}`" + (f" item {steps}" if path else "")
    raise ModelError(
        [Diagnostic("E302", f"{where} is {what}, expected `[x, y]`", given.place(path), help=PAIR)]
    )


def _part(given: Given, axis: int) -> Callable[[Sequence[int | str]], Span | None]:
    """Where one coordinate of the pair at some indices stands."""
    return lambda indices: given.place((*indices, axis) if indices else ())


def _first_label(given: Given, name: str) -> tuple[Label, ...]:
    span = key_span(name, given)
    return (Label(span, "the first is here"),) if span is not None else ()
