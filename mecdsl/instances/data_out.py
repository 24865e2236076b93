"""The data of an instance as a data file: what was drawn or computed by default, written out.

Solving the file gives the same numbers to the last bit: values go out in SI with all their digits, as texts with
their unit where the declared unit is not the SI one. A level goes out in its own unit where that reads back exactly.
"""

from typing import Any

from mecdsl.checking import symbolic as sym
from mecdsl.instances.instance import Instance, nested
from mecdsl.parsing.syntax import Kind


def data_of(instance: Instance) -> dict[str, Any]:
    """Every parameter by qualified name, in the shape `--data` reads."""
    return {
        symbol.name: nested(
            instance.world.values[symbol.name],
            instance.world.symbols[symbol.name].levels,
            lambda value, symbol=symbol: _value(symbol, value),
        )
        for symbol in instance.model.of_kind(Kind.PARAM)
    }


def _value(symbol: sym.Symbol, value: float) -> Any:
    unit = symbol.unit
    assert unit is not None
    if unit.logarithmic and value > 0:
        level = unit.from_si(value)
        for digits in (f"{level:.12g}", repr(level)):
            if unit.to_si(float(digits)) == value:
                return f"{digits} {unit.text}"
    if unit.factor != 1.0 or unit.logarithmic:
        return f"{value!r} {unit.dimension}"  # of a plain number too: without the `1` it would be in per cent
    whole = symbol.domain is not sym.NumberDomain.REAL and value == int(value)
    return int(value) if whole else value
