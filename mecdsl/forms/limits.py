"""The declared limits of a variable, and the range of an expression, as expressions at the place of their use.

A limit that depends on the member becomes a definition over data, `learner.batch.upper`, with the index of the
variable; so it can be looked up wherever the variable can.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from mecdsl.checking import symbolic as sym
from mecdsl.checking.dimensions import literal
from mecdsl.forms.compose import ONE, ZERO, add, is_number, largest, multiply, negate, smallest, subtract, written
from mecdsl.forms.rewrite import free_names
from mecdsl.parsing.syntax import Kind

SIDES = {"lower": ">=", "upper": "<="}
Interval = tuple[sym.Expression, sym.Expression]


class Unbounded(Exception):
    """A variable without a declared limit on one side."""

    def __init__(self, symbol: str, side: str) -> None:
        super().__init__(f"{symbol} has no {side} bound")
        self.symbol = symbol
        self.side = side


@dataclass(slots=True)
class Limits:
    """Looks up limits of `symbols`; `made` holds the definitions it needed."""

    symbols: dict[str, sym.Symbol]
    made: dict[str, sym.Symbol] = field(default_factory=dict)

    def of(self, lookup: sym.Lookup) -> tuple[sym.Expression, sym.Expression]:
        """The lower and upper limit of the variable of a lookup, in the indices of the lookup.

        Raises `Unbounded`.
        """
        return self._one(lookup, "lower"), self._one(lookup, "upper")

    def is_zero_one(self, lookup: sym.Lookup) -> bool:
        """Whether a variable takes the values 0 and 1 alone, as declared."""
        symbol = self.symbols[lookup.symbol]
        if symbol.domain is sym.NumberDomain.BINARY:
            return True
        if symbol.domain is not sym.NumberDomain.INTEGER:
            return False
        limits = [(limit.operator, limit.value) for limit in symbol.limits]
        return all(any(o == operator and is_number(v, value) for o, v in limits) for operator, value in
                   ((">=", 0.0), ("<=", 1.0)))  # fmt: skip

    def _one(self, lookup: sym.Lookup, side: str) -> sym.Expression:
        symbol = self.symbols[lookup.symbol]
        if symbol.domain is sym.NumberDomain.BINARY:
            return ZERO if side == "lower" else ONE
        values = tuple(limit.value for limit in symbol.limits if limit.operator == SIDES[side])
        if not values or any(isinstance(v, sym.Constant) and abs(v.value) == float("inf") for v in values):
            raise Unbounded(symbol.name, side)
        value = largest(values) if side == "lower" else smallest(values)
        if not free_names(value):
            return value
        name = f"{symbol.name}.{side}"
        if name not in self.made:
            self.made[name] = sym.Symbol(
                name,
                Kind.LET,
                symbol.owner,
                symbol.own_space,
                symbol.space,
                sym.NumberDomain.REAL,
                symbol.unit,
                (),
                value,
                None,
                f"{side} limit of {symbol.name}",
                symbol.span,
            )
        return sym.Lookup(name, lookup.indices, written(name), lookup.by_row)


class NoInterval(Exception):
    """An expression whose range the rules below do not know; holds it."""

    def __init__(self, expression: sym.Expression) -> None:
        super().__init__(expression.span.text)
        self.expression = expression


class Intervals:
    """Bounds of expressions over variables, made of the limits of the variables by interval arithmetic.

    Sums, products, quotients by data, squares, `if` and definitions; each occurrence of a variable counts for itself,
    so `x - x` has the range of a difference. `limits` holds the definitions it makes.
    """

    def __init__(self, model: sym.Model, limits: Limits, is_data: Callable[[sym.Expression], bool]) -> None:
        self.model = model
        self.limits = limits
        self.is_data = is_data

    def of(self, expression: sym.Expression) -> Interval:
        """The smallest and the largest value as expressions over data. Raises `Unbounded` and `NoInterval`."""
        if self.is_data(expression):
            return expression, expression
        match expression:
            case sym.Lookup(symbol=name):
                is_variable = self.limits.symbols[name].kind is Kind.VAR
                return self.limits.of(expression) if is_variable else self._definition(expression)
            case sym.Operation(operator="neg", operands=(operand,)):
                low, high = self.of(operand)
                return negate(high), negate(low)
            case sym.Operation(operator="+" | "-", operands=(left, right)):
                (low, high), (least, most) = self.of(left), self.of(right)
                if expression.operator == "+":
                    return add(low, least), add(high, most)
                return subtract(low, most), subtract(high, least)
            case sym.Operation(operator="*", operands=(left, right)):
                return _products(self.of(left), self.of(right))
            case sym.Operation(operator="/", operands=(left, right)) if self.is_data(right):
                inverse = sym.Operation("/", (ONE, right), written(f"1/({right.span.text})"))
                return _products(self.of(left), (inverse, inverse))
            case sym.Operation(operator="^", operands=(base, exponent)) if literal(exponent) == 2:
                low, high = self.of(base)
                return ZERO, largest((multiply(low, low), multiply(high, high)))
            case sym.Choice(condition=condition, then=then, otherwise=otherwise):
                sides = zip(self.of(then), self.of(otherwise), strict=True)
                low, high = (sym.Choice(condition, one, two, expression.span) for one, two in sides)
                return low, high
            case sym.Aggregate(function="sum", body=body, space=space):
                low, high = (sym.Aggregate("sum", end, space, expression.span) for end in self.of(body))
                return low, high
            case _:
                raise NoInterval(expression)

    def _definition(self, lookup: sym.Lookup) -> Interval:
        """Two definitions over data, with the index of the definition over variables."""
        symbol = self.limits.symbols[lookup.symbol]
        assert isinstance(symbol.value, sym.Expression)
        found: list[sym.Expression] = []
        for side, value in zip(SIDES, self.of(symbol.value), strict=True):
            name = f"{symbol.name}.{side}"
            if name not in self.limits.made:
                doc = f"{side} bound of {symbol.name}"
                self.limits.made[name] = replace(
                    symbol, name=name, kind=Kind.LET, value=value, doc=doc, domain=sym.NumberDomain.REAL, limits=()
                )
            found.append(sym.Lookup(name, lookup.indices, written(name), lookup.by_row))
        return found[0], found[1]


def _products(first: Interval, second: Interval) -> Interval:
    corners = tuple(multiply(one, two) for one in first for two in second)
    return smallest(corners), largest(corners)
