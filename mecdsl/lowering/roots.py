"""Roots of squares: what needs no root at all, and Euclidean norms.

`(distance(a, b)/1 m)^2` is a polynomial, though its root has no derivative where a and b meet;
`sqrt(x^2)` is `abs(x)`. All of it is exact where the argument of a root cannot be negative, which
the ranges must say.
"""

from dataclasses import replace

from mecdsl.diagnostics import Span
from mecdsl.lowering.place import Place
from mecdsl.lowering.ranges import Ranges
from mecdsl.model import symbolic as sym
from mecdsl.model.classes import Classifier, Degree
from mecdsl.model.dimensions import literal
from mecdsl.parsing.syntax import Kind
from mecdsl.reformulations.compose import add, multiply, number
from mecdsl.reformulations.monomials import Expander, NotExpanded


class Roots:
    """Looks at roots in the expressions of one model."""

    def __init__(self, model: sym.Model, shapes: Classifier, ranges: Ranges) -> None:
        self.model, self.shapes, self.ranges = model, shapes, ranges
        self.expander = Expander(model, shapes, model.symbols)

    def square(
        self, expression: sym.Expression, place: Place, kinds: tuple[str, ...]
    ) -> sym.Expression | None:
        """The square of products and quotients with a root of one of the kinds among their factors;
        None without one.

        `kinds`: of `sqrt` and `abs`. Definitions are followed.
        """
        self.ranges.alive.append(expression)
        if self.shapes.is_data(expression):
            return None
        match expression:
            case sym.Function(name="abs", arguments=(argument,)) if "abs" in kinds:
                return squared(argument)
            case sym.Function(name="sqrt", arguments=(argument,)) if "sqrt" in kinds:
                return argument if self.ranges.sign(argument, place) > 0 else None
            case sym.Operation(operator="neg", operands=(operand,)):
                return self.square(operand, place, kinds)
            case sym.Operation(operator="*" | "/", operands=operands):
                squares = [self.square(operand, place, kinds) for operand in operands]
                if all(one is None for one in squares):
                    return None
                both = (one or squared(part) for one, part in zip(squares, operands, strict=True))
                return replace(expression, operands=tuple(both))
            case sym.Lookup():
                value = self.definition(expression)
                return None if value is None else self.square(value, place, kinds)
            case _:
                return None

    def definition(self, lookup: sym.Lookup) -> sym.Expression | None:
        """What a definition says at the indices of a lookup; None for a variable and where it
        cannot be put in.
        """
        symbol = self.model.symbols[lookup.symbol]
        if symbol.kind is Kind.VAR or symbol.formula is None:
            return None
        try:
            return self.expander.definition(lookup)
        except NotExpanded:
            return None

    def over(
        self, total: sym.Expression, norm: sym.Expression, place: Place
    ) -> sym.Expression | None:
        """A sum of squares of affine terms divided by its norm, each square as `quad_over_lin`;
        None for other sums.

        A cone in this form, `sum u^2/t <= t`, has bounded slopes up to its tip, where
        `sum u^2 <= t^2` has none at all (the ratio form of R. J. Vanderbei and H. Yurttan, Using
        LOQO to solve second-order cone programming problems, 1998).
        """
        match total:
            case sym.Operation(operator="+", operands=(left, right)):
                one, two = self.over(left, norm, place), self.over(right, norm, place)
                return None if one is None or two is None else add(one, two)
            case sym.Operation(operator="^", operands=(base, exponent)) if literal(exponent) == 2:
                if self.shapes.shape(base).degree > Degree.LINEAR:
                    return None
                return sym.Function("quad_over_lin", (base, norm), total.span)
            case sym.Operation(operator="*", operands=(left, right)):
                data, rest = (left, right) if self.shapes.is_data(left) else (right, left)
                inner = self._scaled(rest, data, norm, place)
                return None if inner is None else multiply(data, inner)
            case sym.Operation(operator="/", operands=(above, below)):
                inner = self._scaled(above, below, norm, place)
                return None if inner is None else replace(total, operands=(inner, below))
            case sym.Aggregate(function="sum", body=body, space=space):
                inside = place.inside(space, self.ranges.plain, f"`{total.span.text}`")
                inner = self.over(body, norm, inside)
                return None if inner is None else replace(total, body=inner)
            case _:
                return None

    def _scaled(
        self, rest: sym.Expression, factor: sym.Expression, norm: sym.Expression, place: Place
    ) -> sym.Expression | None:
        """`over` of a part that data multiply or divide, which must not be negative."""
        if not self.shapes.is_data(factor) or self.ranges.sign(factor, place) <= 0:
            return None
        return self.over(rest, norm, place)


def squared(expression: sym.Expression) -> sym.Expression:
    """`expression^2`, at the place of the expression."""
    return sym.Operation("^", (expression, number(2.0)), expression.span)


def power(expression: sym.Expression, exponent: float, span: Span) -> sym.Expression:
    """`expression^exponent`, itself for 1."""
    return (
        expression if exponent == 1.0 else sym.Operation("^", (expression, number(exponent)), span)
    )
