"""The data of an instance as a data file: what was drawn or computed by default, written out.

Solving the file gives the same numbers to the last bit: values go out in SI with all their digits,
as texts with their unit where the declared unit is not the SI one. A level goes out in its own unit
where that reads back exactly. Where members have names, the values stand under the names, so that
another order of the members, in another file of theirs, changes nothing.
"""

from typing import Any

import numpy as np

from mecdsl.diagnostics import Collector
from mecdsl.instances.instance import Instance, nested
from mecdsl.model import symbolic as sym
from mecdsl.parsing.syntax import Kind


def data_of(instance: Instance) -> dict[str, Any]:
    """Every parameter by qualified name, in the shape `--data` reads.

    Raises `ModelError` E304 for infinite ones.
    """
    _require_finite(instance)
    return {symbol.name: _values(instance, symbol) for symbol in instance.model.of_kind(Kind.PARAM)}


def _values(instance: Instance, symbol: sym.Symbol) -> Any:
    """A scalar, nested lists in family order, or nested objects by name."""
    world = instance.world
    table, values = world.symbols[symbol.name], world.values[symbol.name]
    members = world.label_names(sym.FamilyDomain(symbol.member_of)) if symbol.member_of else None

    def written(value: float) -> Any:
        return _value(symbol, value) if members is None else members[int(value) - 1]

    names = [world.label_names(domain) for domain in world.index_domains(symbol.space)]
    if not any(name is not None for name in names):
        return nested(values, table.levels, written)
    keys = [
        [
            str(label) if words is None else words[label - 1]
            for label in table.table.columns[index].tolist()
        ]
        for index, words in zip(table.names, names, strict=True)
    ]
    objects: dict[str, Any] = {}
    for *outer, last, value in zip(*keys, values.tolist(), strict=True):
        inner = objects
        for key in outer:
            inner = inner.setdefault(key, {})
        inner[last] = written(value)
    return objects


def _require_finite(instance: Instance) -> None:
    """Data are finite numbers, also those that a model computes by default."""
    collector = Collector()
    for symbol in instance.model.of_kind(Kind.PARAM):
        values = instance.world.values[symbol.name]
        for row in np.flatnonzero(~np.isfinite(values))[:1].tolist():
            message = (
                f"`{instance.world.row_text(symbol.name, row)}` is {values[row]}, which "
                "no data file may hold"
            )
            fix = f"give it a finite value, or make it a definition: `let {symbol.name} = ...`"
            collector.error("E304", message, symbol.span, help=fix)
    collector.raise_errors()


def _value(symbol: sym.Symbol, value: float) -> Any:
    unit = symbol.unit
    assert unit is not None
    if unit.logarithmic and value > 0:
        level = unit.from_si(value)
        for digits in (f"{level:.12g}", repr(level)):
            if unit.to_si(float(digits)) == value:
                return f"{digits} {unit.text}"
    if unit.factor != 1.0 or unit.logarithmic:
        # of a plain number too: without the `1` it would be in per cent
        return f"{value!r} {unit.dimension}"
    whole = symbol.domain is not sym.NumberDomain.REAL and value == int(value)
    return int(value) if whole else value
