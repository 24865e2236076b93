"""The data of an instance as a data file: what was drawn or computed by default, written out.

Solving the file gives the same numbers to the last bit: values go out in SI with all their digits, as texts with
their unit where the declared unit is not the SI one.
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
    assert symbol.unit is not None
    if symbol.unit.factor != 1.0 or symbol.unit.logarithmic:
        return f"{value!r} {symbol.unit.dimension}" if str(symbol.unit.dimension) != "1" else repr(value)
    whole = symbol.domain is not sym.NumberDomain.REAL and value == int(value)
    return int(value) if whole else value
