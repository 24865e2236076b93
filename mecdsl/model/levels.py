"""Levels: what is written or declared in dB, dBi, dBm, dBW or dBm/Hz, and which arithmetic they
have.

A level is stored as the factor or power it stands for, so products and quotients, `max`,
comparisons and powers mean the same for both. A sum does not: adding 3 dB to 3 dB makes 6 dB, and
their factors add up to 6 dB only by chance. Such sums, and whatever else has one meaning for the
level and another for the factor, are refused with the text of either; the choice is the author's. A
product of levels is no level any more, so that powers at a receiver add up.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from enum import Enum, auto
from typing import Final

from mecdsl.functions.function import LevelRule
from mecdsl.functions.table import TABLE
from mecdsl.model import symbolic as sym
from mecdsl.parsing.syntax import Kind
from mecdsl.units import DIMENSIONLESS, Unit

DRAWN_AS_LEVELS = ("uniform", "normal", "choice")


class Sort(Enum):
    """What a number is as seen from levels."""

    PLAIN = auto()
    """a quantity, or a factor that is declared as one"""
    NUMBER = auto()
    """written without unit, or counted: it could be meant in decibel"""
    LOGARITHM = auto()
    """computed with a logarithm: most likely decibel"""
    LEVEL = auto()
    FACTOR = auto()
    """a product of levels"""


@dataclass(frozen=True, slots=True)
class Measure:
    """The sort of an expression, for a level with its unit."""

    sort: Sort
    unit: Unit | None = None

    @property
    def is_ratio(self) -> bool:
        """Whether it is a level in dB or dBi, which a plain number could be as well."""
        return self.unit is not None and self.unit.dimension.is_dimensionless


PLAIN: Final = Measure(Sort.PLAIN)
NUMBER: Final = Measure(Sort.NUMBER)
LOGARITHM: Final = Measure(Sort.LOGARITHM)
FACTOR: Final = Measure(Sort.FACTOR)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an expression with levels has two meanings, and the fix; `part` of it is what the fix
    stands for.
    """

    message: str
    help: str
    part: sym.Expression | None = None


def takes_numbers(unit: Unit) -> bool:
    """Whether a bare number given to what is declared in a unit is in that unit: one in dBm, dB or
    per cent.

    In other units it is a fault, and in `1` there is no difference.
    """
    return unit.logarithmic or (unit.dimension.is_dimensionless and unit.factor != 1.0)


def in_unit(value: sym.Expression, unit: Unit) -> sym.Expression:
    """A value or bound of what is declared in a unit that takes numbers.

    Bare numbers are in that unit, as they are in data files.
    """

    def inner(part: sym.Expression) -> sym.Expression:
        return in_unit(part, unit)

    match value:
        case sym.Constant() if is_bare(value):
            return sym.Constant(unit.to_si(value.value), unit.dimension, value.span, unit)
        case sym.Operation(operator="neg", operands=(sym.Constant() as number,)) if is_bare(number):
            return sym.Constant(unit.to_si(-number.value), unit.dimension, value.span, unit)
        case sym.Choice():
            return replace(value, then=inner(value.then), otherwise=inner(value.otherwise))
        case sym.Function(name="min" | "max"):
            return replace(value, arguments=tuple(map(inner, value.arguments)))
        case sym.Draw(function="normal", arguments=(mean, deviation)):
            decibel = (
                unit
                if unit.dimension.is_dimensionless
                else replace(
                    unit, text="dB", dimension=DIMENSIONLESS, factor=1.0, exact_factor=None
                )
            )
            return replace(value, arguments=(inner(mean), in_unit(deviation, decibel)))
        case sym.Draw(axis=None):
            return replace(value, arguments=tuple(map(inner, value.arguments)))
        case _:
            return value


def is_bare(expression: sym.Expression) -> bool:
    """Whether an expression is a number without a unit, other than inf."""
    return (
        isinstance(expression, sym.Constant)
        and expression.unit is None
        and abs(expression.value) < float("inf")
    )


@dataclass(slots=True)
class Levels:
    """Sorts of the expressions of a model, each found once, and what is wrong with their
    arithmetic.
    """

    model: sym.Model
    sorts: dict[int, Measure] = field(default_factory=dict)
    kept: list[sym.Expression] = field(default_factory=list)  # so that no id is used again
    open: set[str] = field(default_factory=set)
    covered: set[int] = field(default_factory=set)  # sums inside of what is refused as a whole

    def find(self, expression: sym.Expression) -> Measure:
        """The sort of an expression."""
        measure = self.sorts.get(id(expression))
        if measure is None:
            measure = self._measure(expression)
            self.sorts[id(expression)] = measure
            self.kept.append(expression)
        return measure

    def _measure(self, expression: sym.Expression) -> Measure:
        match expression:
            case sym.Constant(unit=unit):
                return NUMBER if is_bare(expression) else _of_unit(unit)
            case sym.IndexValue(root="integers", row=False):
                return NUMBER
            case sym.Lookup(symbol=name):
                return self._symbol(self.model.symbols[name])
            case sym.Operation():
                return self._operation(expression)
            case sym.Choice(then=then, otherwise=otherwise):
                return self._first_level(then, otherwise)
            case sym.Function():
                return self._function(expression)
            case sym.Draw(function=function, arguments=arguments) if expression.axis is None:
                measure = self.find(arguments[0])
                drawn = function in DRAWN_AS_LEVELS
                return measure if drawn or measure.sort is not Sort.LEVEL else FACTOR
            case sym.Aggregate(function=function, body=body) if function in (
                "sum",
                "prod",
                "min",
                "max",
            ):
                measure = self.find(body)
                return FACTOR if function == "prod" and measure.sort is Sort.LEVEL else measure
            case sym.Aggregate(function="count"):
                return NUMBER
            case _:
                return PLAIN

    def drawn(self, draw: sym.Draw) -> Unit | None:
        """The unit in which a draw is one of levels, `uniform(20 dBm, 23 dBm)`."""
        return self.find(draw.arguments[0]).unit if draw.function in ("uniform", "normal") else None

    def _symbol(self, symbol: sym.Symbol) -> Measure:
        if symbol.unit is not None:
            counted = (
                symbol.domain is sym.NumberDomain.INTEGER and symbol.unit.dimension.is_dimensionless
            )
            return NUMBER if counted else _of_unit(symbol.unit)
        if symbol.kind is not Kind.LET or symbol.name in self.open or symbol.formula is None:
            return PLAIN
        self.open.add(symbol.name)  # a circle is reported by the pass that orders definitions
        measure = self.find(symbol.formula)
        self.open.remove(symbol.name)
        return measure

    def _first_level(self, *parts: sym.Expression) -> Measure:
        measures = [self.find(part) for part in parts]
        return next((part for part in measures if part.sort is Sort.LEVEL), _joined(measures))

    def _operation(self, operation: sym.Operation) -> Measure:
        operands = [self.find(operand) for operand in operation.operands]
        match operation.operator:
            case "neg":
                return operands[0]
            case "+" | "-" if self._sum(operation, *operation.operands) is not None:
                return next(
                    measure for measure in operands if measure.sort is Sort.LEVEL
                )  # refused as a whole
            case "+" | "-" | "*" | "/":
                return _joined(operands)
            case "^":
                base, exponent = operands
                if base.sort in (Sort.LEVEL, Sort.FACTOR):
                    return FACTOR
                return base if exponent.sort is Sort.NUMBER else PLAIN  # `10^(x/10)` is a factor
            case _:
                return PLAIN

    def _function(self, function: sym.Function) -> Measure:
        arguments = [self.find(argument) for argument in function.arguments]
        match TABLE[function.name].levels:
            case LevelRule.LOGARITHM:
                return LOGARITHM
            case LevelRule.PLAIN:
                return PLAIN
            case LevelRule.CHOSEN:
                return self._first_level(*function.arguments)
            case LevelRule.JOINED | LevelRule.REFUSED:
                return _joined(arguments)

    # What has two meanings

    def refusal(self, expression: sym.Expression) -> Refusal | None:
        """What is wrong with an expression itself, its parts left aside; asked from outside to
        inside.
        """
        if id(expression) in self.covered:
            self._cover(expression)
            return None
        match expression:
            case sym.Operation(operator="+" | "-", operands=(left, right)):
                return self._sum(expression, left, right)
            case sym.Operation(operator="*", operands=(left, right)):
                return self._multiple(expression, left, right) or self._multiple(
                    expression, right, left
                )
            case sym.Operation(operator="/", operands=(left, right)):
                return self._multiple(expression, right, left)
            case sym.Operation(operator="neg", operands=(inner,)):
                return self._turned(expression, inner)
            case sym.Operation(operator="^", operands=(_, sym.Operation(operator="/") as exponent)):
                return self._raised(expression, exponent)
            case sym.Operation(
                operator="<=" | ">=" | "==" | "!=" | "<" | ">", operands=(left, right)
            ):
                return self.compared(left, right)
            case sym.Choice(then=then, otherwise=otherwise):
                zero = any(
                    isinstance(part, sym.Constant) and part.dimension is None
                    for part in (then, otherwise)
                )
                return None if zero else self.compared(then, otherwise)
            case sym.Function(name="min" | "max", arguments=arguments):
                return next(
                    filter(None, (self.compared(arguments[0], other) for other in arguments[1:])),
                    None,
                )
            case sym.Function(arguments=(inner, *_)):
                return self._called(expression, inner)
            case sym.Draw(axis=None):
                return self._drawn(expression)
            case sym.Aggregate(function="sum", body=body):
                return self._summed(expression, body)
            case _:
                return None

    def _sum(
        self, whole: sym.Operation, left: sym.Expression, right: sym.Expression
    ) -> Refusal | None:
        levels = [part for part in (self.find(left), self.find(right)) if part.sort is Sort.LEVEL]
        if not levels or (len(levels) == 1 and not levels[0].is_ratio):
            return None  # a power and one in W, as in noise + interference
        verb = "added to" if whole.operator == "+" else "subtracted from"
        first, second = (left, right) if whole.operator == "+" else (right, left)
        message = f"{self._what(first)} is {verb} {self._what(second)}, as levels or as factors"
        powers = len(levels) == 2 and not any(level.is_ratio for level in levels)
        if powers:
            return Refusal(
                message.replace("factors", "powers"), self._add_powers(left, right, whole.operator)
            )
        self._cover(whole)
        fix = f"for levels write `{self._product(whole)}`"
        mixed = len(levels) == 2 and levels[0].is_ratio != levels[1].is_ratio
        return Refusal(message, fix if mixed else f"{fix}; {self._as_factor(left, right)}")

    def _cover(self, whole: sym.Expression) -> None:
        if isinstance(whole, sym.Operation) and whole.operator in ("+", "-"):
            self.covered.update(map(id, whole.operands))

    def _product(self, part: sym.Expression) -> str:
        """A sum of levels as the product that it means."""
        if not isinstance(part, sym.Operation) or part.operator not in ("+", "-"):
            return self._as_level(part)
        left, right = part.operands
        divisor = isinstance(right, sym.Operation) and right.operator in ("+", "-", "*", "/")
        below = (
            f"({self._product(right)})"
            if part.operator == "-" and divisor
            else self._product(right)
        )
        return f"{self._product(left)} {'*' if part.operator == '+' else '/'} {below}"

    def _raised(self, whole: sym.Operation, exponent: sym.Operation) -> Refusal | None:
        """`10^(gain/10)` of what is converted already."""
        level, ten = exponent.operands
        tens = [
            part
            for part in (whole.operands[0], ten)
            if isinstance(part, sym.Constant) and part.value == 10
        ]
        if len(tens) < 2 or self.find(level).sort is not Sort.LEVEL:
            return None
        self.covered.add(id(exponent))
        text = level.span.text
        return Refusal(
            f"`{text}` is converted already, it stands for a factor or a power",
            f"write `{text}` alone",
        )

    def _what(self, part: sym.Expression) -> str:
        measure = self.find(part)
        text = f"`{part.span.text}`"
        return (
            f"{text} in {measure.unit.text}"
            if measure.unit is not None and isinstance(part, sym.Lookup)
            else text
        )

    def _as_level(self, part: sym.Expression) -> str:
        """An operand of a sum as the factor of a product."""
        measure, text = self.find(part), part.span.text
        if measure.sort in (Sort.NUMBER, Sort.LOGARITHM):
            return f"{text} dB" if is_bare(part) else f"db({text})"
        compound = isinstance(part, sym.Choice) or (
            isinstance(part, sym.Operation) and part.operator in ("+", "-")
        )
        return f"({text})" if compound else text

    def _as_factor(self, *parts: sym.Expression) -> str:
        """How to say that the factors are meant."""
        levels = [part for part in parts if self.find(part).sort is Sort.LEVEL]
        named = dict.fromkeys(part.symbol for part in levels if isinstance(part, sym.Lookup))
        if named:
            names = " and ".join(f"`{name}`" for name in named)
            measure = self.find(levels[0])
            assert measure.unit is not None
            return (
                f"for factors declare {names} in `{_linear(measure)}`, with numbers in "
                f"`{measure.unit.text}`"
            )
        level = levels[0] if levels else parts[0]
        return (
            f"for factors give each a name, `let name : {_linear(self.find(level))} = "
            f"{level.span.text}`"
        )

    def _add_powers(self, left: sym.Expression, right: sym.Expression, operator: str) -> str:
        linear = _linear(self.find(left))
        named = [part for part in (left, right) if isinstance(part, sym.Lookup)]
        if named:
            how = (
                f"declare `{named[0].symbol}` in `{linear}`, with its numbers in "
                f"{self._unit_text(named[0])}"
            )
        else:
            how = f"give one a name, `let name : {linear} = {left.span.text}`"
        verb, sign = ("add", "*") if operator == "+" else ("subtract", "/")
        return (
            f"to {verb} powers {how}; to {'raise' if sign == '*' else 'lower'} a level "
            "multiply or divide by dB"
        )

    def _unit_text(self, level: sym.Expression) -> str:
        unit = self.find(level).unit
        return f"`{unit.text}`" if unit is not None else "it"

    def _multiple(
        self, whole: sym.Operation, number: sym.Expression, level: sym.Expression
    ) -> Refusal | None:
        """`2 * 3 dB` is 6 dB, or 6.01 dB as a factor of 2."""
        measure, other = self.find(level), self.find(number)
        if measure.sort is not Sort.LEVEL or not measure.is_ratio or other.sort is not Sort.NUMBER:
            return None
        if isinstance(number, sym.Constant) and number.value == 1.0:
            return None
        text, times = self._as_level(level), number.span.text
        if whole.operator == "/":
            power, word = (
                (f"(1/{times})" if isinstance(number, sym.Constant) else f"(1/({times}))"),
                "part",
            )
        else:
            power, word = (times if isinstance(number, sym.Constant) else f"({times})"), "multiple"
        base = f"({text})" if isinstance(level, sym.Constant) else text
        message = f"`{whole.span.text}` is a {word} of a level or of a factor"
        return Refusal(message, f"for the level write `{base}^{power}`; {self._as_factor(level)}")

    def _turned(self, whole: sym.Operation, inner: sym.Expression) -> Refusal | None:
        measure = self.find(inner)
        if measure.sort is not Sort.LEVEL:
            return None
        message = f"`{whole.span.text}` is minus a level or minus a factor"
        if isinstance(inner, sym.Constant) and inner.span.text[:1].isdigit():
            return Refusal(
                message, f"write `-{inner.span.text}` without parentheses; {self._as_factor(inner)}"
            )
        if measure.is_ratio:
            return Refusal(
                message,
                f"for the level write `1/{self._as_level(inner)}`; {self._as_factor(inner)}",
            )
        return Refusal(message, self._as_factor(inner).replace("factors", "powers"))

    def compared(self, left: sym.Expression, right: sym.Expression) -> Refusal | None:
        """A level beside a number without a unit, which may be meant in decibel or as a factor."""
        for level, number in ((left, right), (right, left)):
            measure, other = self.find(level), self.find(number)
            if measure.sort is not Sort.LEVEL or other.sort not in (Sort.NUMBER, Sort.LOGARITHM):
                continue
            assert measure.unit is not None
            text, unit = number.span.text, measure.unit.text
            message = f"{self._what(level)} is a level, `{text}` a number without unit"
            if not is_bare(number):
                return Refusal(message, f"write `db({text})`; {self._as_factor(level)}", number)
            value = number.value if isinstance(number, sym.Constant) else 0.0
            if not measure.is_ratio:
                if value != 0:
                    return None  # the dimensions do not fit, which says enough
                return Refusal(
                    message, f"write `{text} {unit}` or `{text} {_linear(measure)}`", number
                )
            return Refusal(
                message, f"write `{text} {unit}`{_factor_text(value, measure.unit)}", number
            )
        return None

    def _called(self, whole: sym.Function, inner: sym.Expression) -> Refusal | None:
        measure, text = self.find(inner), inner.span.text
        if whole.name == "db" and measure.sort in (Sort.LEVEL, Sort.FACTOR):
            self.covered.add(id(inner))
            message = f"`db` takes a number of decibels, and `{text}` is converted already"
            return Refusal(
                message,
                f"write `{self._product(inner) if measure.sort is Sort.LEVEL else text}` alone",
            )
        if TABLE[whole.name].levels is LevelRule.REFUSED and measure.sort is Sort.LEVEL:
            message = f"`{whole.name}` of a level, `{text}`, is meant in decibel or as a factor"
            return Refusal(message, self._as_factor(inner))
        return None

    def _drawn(self, draw: sym.Draw) -> Refusal | None:
        measures = [self.find(argument) for argument in draw.arguments]
        if draw.function not in DRAWN_AS_LEVELS or not any(
            measure.sort is Sort.LEVEL for measure in measures
        ):
            return None
        unit = next(measure.unit for measure in measures if measure.unit is not None)
        if any(measure.sort is not Sort.LEVEL for measure in measures):
            message = f"`{draw.span.text}` draws levels, and not each of its arguments is one"
            return Refusal(message, f"write each of them in `{unit.text}`")
        if draw.function == "normal" and not measures[1].is_ratio:
            message = f"the deviation of a level, `{draw.arguments[1].span.text}`, is no ratio"
            return Refusal(message, "write it in `dB`")
        return None

    def _summed(self, whole: sym.Aggregate, body: sym.Expression) -> Refusal | None:
        measure = self.find(body)
        if measure.sort is not Sort.LEVEL:
            return None
        message = f"`{whole.span.text}` adds levels, or their factors"
        if measure.is_ratio:
            product = whole.span.text.replace("sum", "prod", 1)
            return Refusal(message, f"for levels write `{product}`; {self._as_factor(body)}")
        return Refusal(
            message.replace("factors", "powers"), self._as_factor(body).replace("factors", "powers")
        )

    def given(self, value: sym.Expression, unit: Unit) -> Refusal | None:
        """A value of what is declared in dB: a number that was computed as decibel lacks its
        `db(...)`.
        """
        if not unit.dimension.is_dimensionless:
            return None
        for part in _results(value):
            if self.find(part).sort in (Sort.NUMBER, Sort.LOGARITHM) and part.span.text:
                message = (
                    f"`{part.span.text}` is a plain number, and a level in {unit.text} is expected"
                )
                return Refusal(
                    message, f"write `db({part.span.text})` for a number of decibels", part
                )
        return None


def _of_unit(unit: Unit | None) -> Measure:
    return Measure(Sort.LEVEL, unit) if unit is not None and unit.logarithmic else PLAIN


def _joined(parts: list[Measure]) -> Measure:
    """The sort of what is computed from parts."""
    sorts = {part.sort for part in parts}
    if sorts == {Sort.NUMBER}:
        return NUMBER
    if sorts & {Sort.LEVEL, Sort.FACTOR}:
        return FACTOR
    return LOGARITHM if Sort.LOGARITHM in sorts else PLAIN


def _linear(measure: Measure) -> str:
    """The unit in which factors or powers are declared."""
    return str(measure.unit.dimension) if measure.unit is not None else "1"


def _factor_text(value: float, unit: Unit) -> str:
    """`, or 7 dB for the factor 5`."""
    if value <= 0:
        return ""
    level = unit.from_si(value)
    short = f"{level:.6g}"
    return f", or `{short} {unit.text}` for the factor {value:g}"


def _results(value: sym.Expression) -> Iterator[sym.Expression]:
    """The expressions one of which is the value."""
    if isinstance(value, sym.Choice):
        yield from _results(value.then)
        yield from _results(value.otherwise)
    else:
        yield value
