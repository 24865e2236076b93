"""What the names in data mean: parameters, columns of labels beside them, and objects that are
opened.
"""

from collections.abc import Callable, Mapping, Sequence

from mecdsl.data_files.read import Given
from mecdsl.diagnostics import Span
from mecdsl.instances.index_columns import indexed
from mecdsl.instances.world import World
from mecdsl.model import symbolic as sym
from mecdsl.parsing.syntax import Kind


def label_columns(world: World, given: Mapping[str, Given]) -> frozenset[str]:
    """The names that are columns of labels: they lie in a table with a parameter that has an index
    called so.
    """
    params = {symbol.name for symbol in world.model.of_kind(Kind.PARAM)}
    tables = {name: value.table for name, value in given.items() if value.table is not None}
    orders = [(table, indexed(world, name)) for name, table in tables.items() if name in params]
    return frozenset(
        name
        for name, table in tables.items()
        if name not in params
        and any(
            other is table and of.is_index(table.titles[given[name].column]) for other, of in orders
        )
    )


def opened(model: sym.Model, given: Mapping[str, Given]) -> dict[str, Given]:
    """The data with the objects opened that belong to no parameter, so that a fault names what is
    in them.
    """
    entries: dict[str, Given] = {}
    for name, value in given.items():
        symbol = model.symbols.get(name)
        if symbol is not None or not isinstance(value.value, Mapping) or not value.value:
            entries[name] = value
            continue
        for inner, item in value.value.items():
            entries[f"{name}.{inner}"] = Given(value=item, place=_inside(value, inner))
    return entries


def _inside(given: Given, key: str) -> Callable[[Sequence[str | int]], Span | None]:
    return lambda path: given.place((key, *path))
