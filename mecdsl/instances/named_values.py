"""Values under the names of their members, as nested objects:
`{"north": {"1": "10 ms", "2": "30 ms"}}`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mecdsl.data_files.labels import labels_of
from mecdsl.data_files.read import Given
from mecdsl.diagnostics import Diagnostic, Label, ModelError, Span
from mecdsl.instances.index_columns import Indexed, indexed
from mecdsl.instances.labelled_rows import Keys, in_order
from mecdsl.instances.world import World
from mecdsl.model import symbolic as sym

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class _Value:
    """A value with the label of every index, as written, and its place."""

    labels: tuple[Any, ...]
    value: Any
    path: Path


def named_values(world: World, symbol: sym.Symbol, given: Given) -> Given:
    """The values of a symbol in its order. Raises `ModelError` unless each member has one."""
    of = indexed(world, symbol.name)
    items = list(_Walk(world, symbol, given, of).values(given.value, (), ()))
    cells = list(zip(*(item.labels for item in items), strict=True)) or [()] * len(of.indices)

    def place(row: int, _position: int = 0) -> Span | None:
        return given.place(items[row].path)

    keys = Keys(cells, place, given.place(()), "in the data", "give each member one entry")
    order = in_order(world, of, keys)
    values = [items[row].value for row in order]
    return Given(
        value=values,
        place=lambda indices: place(int(order[int(indices[0])])) if indices else given.place(()),
        unit=given.unit,
        in_order=True,
    )


@dataclass(frozen=True, slots=True)
class _Walk:
    world: World
    symbol: sym.Symbol
    given: Given
    of: Indexed

    def values(self, value: Any, labels: tuple[Any, ...], path: Path) -> Iterator[_Value]:
        """Every value below, with the labels on the way to it."""
        depth = len(labels)
        if depth == len(self.of.indices):
            yield _Value(labels, value, path)
        elif isinstance(value, Mapping):
            for key, item in value.items():
                yield from self.values(item, (*labels, key), (*path, key))
        elif isinstance(value, list | tuple) and depth == len(self.of.indices) - 1:
            last = self._last_labels(labels, len(value), path)
            for number, (label, item) in enumerate(zip(last, value, strict=True)):
                yield _Value((*labels, label), item, (*path, number))
        else:
            index = self.of.indices[depth].name
            shown = (
                f"`{value}`" if not isinstance(value, list | tuple) else f"a list of {len(value)}"
            )
            message = f"{self._where(labels)} needs an object with a value for each `{index}`"
            raise self._fault(f"{message}, found {shown}", path)

    def _last_labels(self, labels: tuple[Any, ...], size: int, path: Path) -> list[Any]:
        """The labels of the last index in the order of the members, for a list below the names of
        the others.
        """
        table = self.world.symbols[self.symbol.name]
        rows = np.ones(table.size, dtype=bool)
        for index, label, name in zip(self.of.indices, labels, table.names, strict=False):
            number = labels_of([label], self.world.label_names(index.domain))[0]
            rows &= table.table.columns[name] == number
        last = table.table.columns[table.names[-1]][rows].tolist()
        if len(last) != size:
            last_index = self.of.indices[-1].name
            message = (
                f"{self._where(labels)} has {size} values, expected {len(last)} (one "
                f"per {last_index})"
            )
            raise self._fault(message, path)
        names = self.world.label_names(self.of.indices[-1].domain)
        return last if names is None else [names[label - 1] for label in last]

    def _where(self, labels: tuple[Any, ...]) -> str:
        inside = ", ".join(str(label) for label in labels)
        return f"`{self.symbol.name}[{inside}]`" if inside else f"`{self.symbol.name}`"

    def _fault(self, message: str, path: Path) -> ModelError:
        labels = (Label(self.symbol.span, "declared here"),)
        fix = "write one object for each index, by the names of the members"
        return ModelError([Diagnostic("E302", message, self.given.place(path), labels, help=fix)])
