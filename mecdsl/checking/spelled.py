"""Short ways to write an expression, written out: `hypot(x, y)` as `sqrt(x^2 + y^2)`.

What a short way stands for is text of the language in the table of functions. It is parsed where it
is first used; every part that it adds has the place of the call.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from mecdsl.diagnostics import Span
from mecdsl.functions.function import Spelled
from mecdsl.functions.table import SPELLED
from mecdsl.model import symbolic as sym
from mecdsl.parsing import syntax
from mecdsl.parsing.parse import parse
from mecdsl.units import DIMENSIONLESS, parse_unit


def written_out(
    short: Spelled,
    arguments: tuple[sym.Expression, ...],
    space: sym.Space | None,
    span: Span,
) -> sym.Expression:
    """The expression that a call stands for; `space`: what the argument of a family runs over."""
    given = dict(zip(short.parameters, arguments, strict=True))
    return _Writing(given, space, span).write(_template(short.name))


@cache
def _template(name: str) -> syntax.Expression:
    document = parse(f"model {name}\nlet value = {SPELLED[name].text}\n", name)
    values = [s.value for s in document.statements if isinstance(s, syntax.Declaration)]
    assert values[0] is not None
    return values[0]


@dataclass(frozen=True, slots=True)
class _Writing:
    """`given`: the arguments by the names that the template has for them."""

    given: Mapping[str, sym.Expression]
    space: sym.Space | None
    span: Span

    def write(self, part: syntax.Expression) -> sym.Expression:
        """A part of the template with the arguments in it."""
        match part:
            case syntax.Name(name=name):
                return self.given[name]
            case syntax.Quantity(value=value, unit=None):
                number = float(value)
                return sym.Constant(number, DIMENSIONLESS if number else None, self.span)
            case syntax.Quantity(value=value, unit=str(text)):
                unit = parse_unit(text)
                return sym.Constant(unit.to_si(float(value)), unit.dimension, self.span, unit)
            case syntax.Binary(operator=operator, left=left, right=right):
                return sym.Operation(operator, (self.write(left), self.write(right)), self.span)
            case syntax.Call(function=name, arguments=inner):
                return sym.Function(name, tuple(map(self.write, inner)), self.span)
            case syntax.Aggregate(function=name, body=body):
                assert self.space is not None
                return sym.Aggregate(name, self.write(body), self.space, self.span)
            case _:
                raise TypeError(f"no part of a short way: {type(part).__name__}")
