"""The declared limits of a variable, and the range of an expression, as expressions at the place of
their use.

A limit that depends on the member becomes a definition over data, `learner.batch.upper`, with the
index of the variable; so it can be looked up wherever the variable can.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import islice

from mecdsl.model import symbolic as sym
from mecdsl.model.dimensions import literal
from mecdsl.parsing.syntax import Kind
from mecdsl.reformulations.compose import (
    ONE,
    ZERO,
    add,
    is_number,
    largest,
    multiply,
    negate,
    smallest,
    subtract,
    written,
)
from mecdsl.reformulations.rewrite import free_names

# parts; a longer one becomes a definition, or limits of products of products would grow without end
LONGEST_LIMIT = 12
LARGEST_RANGE = 20_000  # parts; each factor of a product of ranges takes eight times as many
SIDES = {"lower": ">=", "upper": "<="}
OTHER = {"lower": "upper", "upper": "lower"}
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
        return self.end(lookup, "lower"), self.end(lookup, "upper")

    def is_zero_one(self, lookup: sym.Lookup) -> bool:
        """Whether a variable takes the values 0 and 1 alone, as declared."""
        symbol = self.symbols[lookup.symbol]
        if symbol.domain is sym.NumberDomain.BINARY:
            return True
        if symbol.domain is not sym.NumberDomain.INTEGER:
            return False
        limits = [(limit.operator, limit.value) for limit in symbol.limits]
        return all(
            any(o == operator and is_number(v, value) for o, v in limits)
            for operator, value in ((">=", 0.0), ("<=", 1.0))
        )

    def end(self, lookup: sym.Lookup, side: str) -> sym.Expression:
        """The `lower` or the `upper` limit alone. Raises `Unbounded`."""
        symbol = self.symbols[lookup.symbol]
        if symbol.domain is sym.NumberDomain.BINARY:
            return ZERO if side == "lower" else ONE
        values = tuple(limit.value for limit in symbol.limits if limit.operator == SIDES[side])
        if not values or any(
            isinstance(v, sym.Constant) and abs(v.value) == float("inf") for v in values
        ):
            raise Unbounded(symbol.name, side)
        value = largest(values) if side == "lower" else smallest(values)
        if not free_names(value) and not is_large(value, LONGEST_LIMIT):
            return value
        name = f"{symbol.name}.{side}"
        if name not in self.made:
            self.made[name] = sym.Symbol(
                name=name,
                kind=Kind.LET,
                owner=symbol.owner,
                own_space=symbol.own_space,
                space=symbol.space,
                domain=sym.NumberDomain.REAL,
                unit=symbol.unit,
                limits=(),
                value=value,
                member_of=None,
                doc=f"{side} limit of {symbol.name}",
                span=symbol.span,
            )
        return sym.Lookup(name, lookup.indices, written(name), lookup.by_row)


def is_large(expression: sym.Expression, most: int) -> bool:
    """Whether an expression has more parts than that."""
    return sum(1 for _ in islice(sym.walk(expression), most + 1)) > most


class NoInterval(Exception):
    """An expression whose range the rules below do not know; holds it."""

    def __init__(self, expression: sym.Expression) -> None:
        super().__init__(expression.span.text)
        self.expression = expression


class Intervals:
    """Ends of the ranges of expressions over variables, made of the limits of the variables by
    interval arithmetic.

    Sums, products, quotients by data, squares, `if`, `max`, `min`, `abs` and definitions; each
    occurrence of a variable counts for itself, so `x - x` has the range of a difference. An end is
    made of the limits it needs and of no others: the largest value of `x - y` of the upper limit of
    x and the lower one of y. `limits` holds the definitions it makes.
    """

    def __init__(
        self, model: sym.Model, limits: Limits, is_data: Callable[[sym.Expression], bool]
    ) -> None:
        self.model = model
        self.limits = limits
        self.is_data = is_data

    def end(self, expression: sym.Expression, side: str) -> sym.Expression:
        """The `lower` or the `upper` end as an expression over data.

        Raises `Unbounded` and `NoInterval`.
        """
        found = self._end(expression, side)
        if is_large(found, LARGEST_RANGE):
            raise NoInterval(expression)
        return found

    def _end(self, expression: sym.Expression, side: str) -> sym.Expression:
        if self.is_data(expression):
            return expression
        other = OTHER[side]
        match expression:
            case sym.Lookup(symbol=name):
                is_variable = self.limits.symbols[name].kind is Kind.VAR
                return (
                    self.limits.end(expression, side)
                    if is_variable
                    else self._definition(expression, side)
                )
            case sym.Operation(operator="neg", operands=(operand,)):
                return negate(self.end(operand, other))
            case sym.Operation(operator="+", operands=(left, right)):
                return add(self.end(left, side), self.end(right, side))
            case sym.Operation(operator="-", operands=(left, right)):
                return subtract(self.end(left, side), self.end(right, other))
            case sym.Operation(operator="*", operands=(left, right)):
                return self._product(left, right, side)
            case sym.Operation(operator="/", operands=(left, right)) if self.is_data(right):
                inverse = sym.Operation("/", (ONE, right), written(f"1/({right.span.text})"))
                sign = sign_of(right)
                return (
                    multiply(self.end(left, side if sign > 0 else other), inverse)
                    if sign
                    else self._corners(left, inverse, side)
                )
            case sym.Operation(operator="^", operands=(base, exponent)) if literal(exponent) == 2:
                return ZERO if side == "lower" else self._largest_square(base)
            case sym.Choice(condition=condition, then=then, otherwise=otherwise):
                return sym.Choice(
                    condition, self.end(then, side), self.end(otherwise, side), expression.span
                )
            case sym.Aggregate(function="sum" | "max" | "min" as name, body=body, space=space):
                return sym.Aggregate(name, self.end(body, side), space, expression.span)
            case sym.Function(name="max" | "min" as name, arguments=arguments):
                ends = tuple(self.end(argument, side) for argument in arguments)
                return largest(ends) if name == "max" else smallest(ends)
            case sym.Function(name="abs", arguments=(argument,)):
                if side == "lower":
                    return ZERO
                return largest((self.end(argument, "upper"), negate(self.end(argument, "lower"))))
            case _:
                raise NoInterval(expression)

    def _product(self, left: sym.Expression, right: sym.Expression, side: str) -> sym.Expression:
        """A product; of data whose sign shows in the text one end of the other factor is enough."""
        for data, inner in ((left, right), (right, left)):
            sign = sign_of(data) if self.is_data(data) else 0
            if sign:
                return multiply(data, self.end(inner, side if sign > 0 else OTHER[side]))
        return self._corners(left, right, side)

    def _corners(self, left: sym.Expression, right: sym.Expression, side: str) -> sym.Expression:
        firsts, seconds = ([self.end(one, end) for end in SIDES] for one in (left, right))
        corners = tuple(multiply(first, second) for first in firsts for second in seconds)
        return smallest(corners) if side == "lower" else largest(corners)

    def _largest_square(self, base: sym.Expression) -> sym.Expression:
        ends = [self.end(base, side) for side in SIDES]
        return largest(tuple(multiply(end, end) for end in ends))

    def _definition(self, lookup: sym.Lookup, side: str) -> sym.Expression:
        """A definition over data, with the index of the definition over variables."""
        symbol = self.limits.symbols[lookup.symbol]
        assert symbol.formula is not None
        name = f"{symbol.name}.{side}"
        if name not in self.limits.made:
            value, doc = self.end(symbol.formula, side), f"{side} bound of {symbol.name}"
            self.limits.made[name] = replace(
                symbol,
                name=name,
                kind=Kind.LET,
                value=value,
                doc=doc,
                domain=sym.NumberDomain.REAL,
                limits=(),
            )
        return sym.Lookup(name, lookup.indices, written(name), lookup.by_row)


def sign_of(data: sym.Expression) -> int:
    """1 or -1 for data whose sign shows in the text, a number or products of numbers; else 0."""
    match data:
        case sym.Constant(value=value):
            return 1 if value > 0.0 else -1 if value < 0.0 else 0
        case sym.Operation(operator="neg", operands=(operand,)):
            return -sign_of(operand)
        case sym.Operation(operator="*" | "/", operands=(left, right)):
            return sign_of(left) * sign_of(right)
        case _:
            return 0
