"""Dimensions on the templates: one check per declaration, free of the size of the instance.

Every fault is reported, with both sides. A dimension None fits everything (a bare 0, inf); truth
values have the dimension `TRUTH`, which is nothing a number can have.
"""

import math
import re
from fractions import Fraction
from typing import Final

from mecdsl.diagnostics import Collector, Label, Span
from mecdsl.functions.function import DimensionRule
from mecdsl.functions.table import TABLE
from mecdsl.model import symbolic as sym
from mecdsl.model.levels import Levels, Refusal
from mecdsl.unit_catalogue import LOGARITHMIC
from mecdsl.units import DIMENSIONLESS, Dimension, Unit, parse_unit


class _Truth:
    """The dimension of conditions."""


TRUTH: Final = _Truth()
Meaning = Dimension | _Truth | None

COUNTS = tuple(
    parse_unit(name).dimension
    for name in ("bit", "cycle", "flop", "mac", "sample", "task", "row", "money")
)
BIT, CYCLE = COUNTS[0], COUNTS[1]
METRE = parse_unit("m").dimension
COMPARISONS = ("<=", ">=", "==", "!=", "<", ">")
WORDS = {"+": "added", "-": "subtracted"}


def check_dimensions(
    model: sym.Model, collector: Collector, own_text: bool = True
) -> dict[str, Dimension | None]:
    """The dimension of every symbol and of the objective (under its name); faults go to the
    collector.

    `own_text`: the expressions are an author's, so that sums of levels are refused; a pass of the
    compiler that makes rows of bounds and factors means the factors.
    """
    return _Checker(model, collector, own_text).run()


def find_dimension(model: sym.Model, expression: sym.Expression) -> Dimension | None:
    """The dimension of an expression of a checked model."""
    checker = _Checker(model, Collector())
    checker.known = dict(model.dimensions)
    found = checker.find(expression)
    return None if isinstance(found, _Truth) else found


class _Checker:
    def __init__(self, model: sym.Model, collector: Collector, own_text: bool = False) -> None:
        self.model = model
        self.collector = collector
        self.levels = Levels(model) if own_text else None
        self.known: dict[str, Dimension | None] = {}
        self.open: list[str] = []
        self.parts: dict[sym.Expression, Meaning] = {}

    def run(self) -> dict[str, Dimension | None]:
        for name in self.model.symbols:
            self.symbol(name)
        for family in self.model.families.values():
            self._space(family.space)
            for end in family.ends or ():
                self._number(end)
        for symbol in self.model.symbols.values():
            self._space(symbol.own_space)
            for limit in symbol.limits:
                what = f"the bound of `{symbol.name}`"
                self._expect(limit.value, self.known[symbol.name], what, symbol.span, symbol.unit)
        for assignment in (*self.model.starts, *self.model.fixes, *self.model.settings):
            self._condition(assignment.condition)
            if assignment.symbol in self.model.symbols:
                target = self.model.symbols[assignment.symbol]
                self._value(assignment.value, self.known[target.name], target)
        for constraint in self.model.constraints:
            self._space(constraint.space)
            left, right = constraint.left, constraint.right
            if self.levels is not None and self._refuse(left, self.levels.compared(left, right)):
                self._parts(left, right)
            else:
                self._same(constraint.relation, left, right)
        for players in self.model.players:
            self._space(players.space)
            self._number(players.value)
        result = dict(self.known)
        objective = self.model.objective
        declared = objective.unit.dimension if objective.unit is not None else None
        if (
            declared is not None and objective.name not in self.model.symbols
        ):  # else checked as a definition
            self._expect(
                objective.value, declared, f"`{objective.name}`", objective.span, objective.unit
            )
        value_dimension = self._number(objective.value)
        result[objective.name] = value_dimension if declared is None else declared
        return result

    # Symbols

    def symbol(self, name: str) -> Dimension | None:
        """The declared dimension, or for a `let` without a type the one of its value."""
        if name in self.known:
            return self.known[name]
        symbol = self.model.symbols[name]
        declared = symbol.unit.dimension if symbol.unit else None
        if declared is None and symbol.value is not None and name not in self.open:
            self.open.append(name)  # a circle is reported by the pass that orders definitions
            if symbol.formula is not None:
                declared = self._number(symbol.formula)
            self.open.remove(name)
        elif symbol.value is not None:
            self.known[name] = declared
            self._value(symbol.value, declared, symbol)
        self.known[name] = declared
        return declared

    def _value(
        self,
        value: sym.Expression | sym.DataArray | sym.DataFile,
        expected: Dimension | None,
        symbol: sym.Symbol,
    ) -> None:
        if isinstance(value, sym.DataFile):
            return
        for item in sym.data_expressions(value):
            self._expect(item, expected, f"`{symbol.name}`", symbol.span, symbol.unit)

    def _expect(
        self,
        value: sym.Expression,
        expected: Dimension | None,
        what: str,
        declared: Span,
        unit: Unit | None,
    ) -> None:
        found = self._number(value)
        if unit is not None and unit.logarithmic and self.levels is not None:
            self._refuse(value, self.levels.given(value, unit))
        if expected is None or found is None or found == expected:
            return
        self.collector.error(
            "E201",
            f"{what} is in [{expected}], its value in [{found}]",
            value.span,
            labels=(Label(declared, f"expected [{expected}]"),) if declared != value.span else (),
            note=f"expected [{expected}], found [{found}]",
            help=literal_fix(value, expected, found, unit)
            or _power_fix(value, found, unit)
            or propose_factor(expected, found),
        )

    def _refuse(self, expression: sym.Expression, refusal: Refusal | None) -> bool:
        if refusal is not None:
            span = (refusal.part or expression).span
            self.collector.error("E204", refusal.message, span, help=refusal.help)
        return refusal is not None

    def _has_two_meanings(self, expression: sym.Expression) -> bool:
        """Whether an expression means one thing for levels and another for factors, which is
        reported.
        """
        return self.levels is not None and self._refuse(expression, self.levels.refusal(expression))

    # Expressions

    def _number(self, expression: sym.Expression) -> Dimension | None:
        dimension = self.find(expression)
        if isinstance(dimension, _Truth):
            self.collector.error(
                "E106",
                "a condition stands where a number is expected",
                expression.span,
                help="write `if condition then 1 else 0`",
            )
            return None
        return dimension

    def _plain(self, expression: sym.Expression, what: str) -> None:
        found = self._number(expression)
        if found is not None and not found.is_dimensionless:
            self.collector.error(
                "E202",
                f"{what} must be a plain number, found [{found}]",
                expression.span,
                help=f"divide by a quantity in [{found}]",
            )

    def _length(self, expression: sym.Expression, what: str) -> None:
        found = self._number(expression)
        if found is not None and found != METRE:
            message = f"{what} takes lengths, found [{found}]"
            fix = literal_fix(expression, METRE, found)
            self.collector.error(
                "E201", message, expression.span, note=f"expected [m], found [{found}]", help=fix
            )

    def _condition(self, expression: sym.Expression | None) -> None:
        if expression is None:
            return
        meaning = self.find(expression)
        if not isinstance(meaning, _Truth):
            self.collector.error(
                "E106",
                "a number stands where a condition is expected",
                expression.span,
                help="compare it: `x == 1`",
            )

    def _space(self, space: sym.Space) -> None:
        for generator in space.generators:
            for part in sym.domain_parts(generator.domain):
                self._plain(part, "the end of a range")
        self._condition(space.condition)

    def find(self, expression: sym.Expression) -> Meaning:
        """The dimension of an expression; faults are reported on the way, those of one part
        once.
        """
        if expression not in self.parts:
            self.parts[expression] = self._find(expression)
        return self.parts[expression]

    def _find(self, expression: sym.Expression) -> Meaning:
        match expression:
            case sym.Constant(dimension=dimension):
                return dimension
            case sym.IndexValue():
                return DIMENSIONLESS
            case sym.LinkEnd(link=link):
                self._number(link)
                return DIMENSIONLESS
            case sym.Member(arguments=arguments):
                for argument in arguments:
                    self._plain(argument, "an index")
                return DIMENSIONLESS
            case sym.Lookup(symbol=name, indices=indices):
                for index in indices:
                    self._plain(index, "an index")
                return self.symbol(name)
            case sym.Operation():
                return self._operation(expression)
            case sym.Choice():
                self._condition(expression.condition)
                if self._has_two_meanings(expression):
                    return self._parts(expression.then, expression.otherwise)
                return self._same("if", expression.then, expression.otherwise)
            case sym.Function():
                return self._function(expression)
            case sym.Draw(function=function, arguments=arguments, axis=axis) if axis is not None:
                for argument in arguments:
                    self._length(argument, f"`{function}`")
                return METRE
            case sym.Draw(function=function, arguments=arguments):
                result = self._number(arguments[0])
                if self._has_two_meanings(expression) or self._is_level_deviation(expression):
                    return self._parts(*arguments)
                for other in arguments[1:]:
                    result = self._same(function, arguments[0], other)
                return result
            case sym.Membership(value=value, domain=domain):
                self._plain(value, "a member")
                for part in sym.domain_parts(domain):
                    self._plain(part, "the end of a range")
                return TRUTH
            case sym.Aggregate():
                return self._aggregate(expression)
            case _:
                raise TypeError(f"unknown expression {type(expression).__name__}")

    def _operation(self, operation: sym.Operation) -> Meaning:
        operator, operands = operation.operator, operation.operands
        if operator in ("and", "or", "not"):
            for operand in operands:
                self._condition(operand)
            return TRUTH
        if operator in COMPARISONS:
            if self._has_two_meanings(operation):
                self._parts(*operands)
            else:
                self._same(operator, *operands)
            return TRUTH
        for operand in operands:
            if isinstance(operand, sym.IndexValue) and (operand.row or operand.root != "integers"):
                self.collector.error(
                    "E106", f"index `{operand.name}` runs over names and is no number", operand.span
                )
        if self._has_two_meanings(operation):
            return self._parts(*operands)
        if operator == "neg":
            return self._number(operands[0])
        if operator in ("+", "-"):
            return self._same(operator, *operands)
        if operator == "^":
            return self._power(operation)
        left, right = (self._number(operand) for operand in operands)
        if left is None or right is None:
            return None
        return left * right if operator == "*" else left / right

    def _parts(self, *parts: sym.Expression) -> Dimension | None:
        """The dimension of the first of some parts, each of which is looked at for faults of its
        own.
        """
        first, *_ = [self._number(part) for part in parts]
        return first

    def _is_level_deviation(self, draw: sym.Draw) -> bool:
        """`normal(-90 dBm, 8 dB)`: the deviation of a level is a ratio, whatever the level is."""
        if draw.function != "normal":
            return False
        levels = self.levels or Levels(self.model)
        return levels.drawn(draw) is not None and levels.find(draw.arguments[1]).is_ratio

    def _same(self, operator: str, left: sym.Expression, right: sym.Expression) -> Dimension | None:
        first, second = self._number(left), self._number(right)
        if first is None or second is None or first == second:
            return second if first is None else first
        if operator in WORDS:
            message = f"[{first}] and [{second}] cannot be {WORDS[operator]}"
        elif operator == "if":
            message = f"the two values of an `if` are in [{first}] and [{second}]"
        else:
            message = f"[{first}] cannot be compared with [{second}]"
        self.collector.error(
            "E201",
            message,
            right.span,
            labels=(Label(left.span, f"this is in [{first}]"),),
            note=f"expected [{first}], found [{second}]",
            help=self._unit_fix(right, second, left, first)
            or (
                self._unit_fix(left, first, right, second)
                if isinstance(right, sym.Lookup)
                else None
            )
            or propose_factor(first, second, weigh=operator in WORDS),
        )
        return None

    def _unit_fix(
        self, value: sym.Expression, found: Dimension, other: sym.Expression, expected: Dimension
    ) -> str | None:
        """The fix of a number beside an expression, in whose unit it may have been meant."""
        return literal_fix(value, expected, found, self._unit_in(other, expected))

    def _unit_in(self, expression: sym.Expression, dimension: Dimension) -> Unit | None:
        """The unit in which an expression of a dimension speaks: the first that is declared or
        written in it.
        """
        for node in sym.walk(expression):
            unit: Unit | None = None
            if isinstance(node, sym.Lookup):
                unit = self.model.symbols[node.symbol].unit
            elif isinstance(node, sym.Constant):
                unit = node.unit
            if unit is not None and unit.dimension == dimension:
                return unit
        return None

    def _power(self, operation: sym.Operation) -> Dimension | None:
        base, exponent = operation.operands
        self._plain(exponent, "an exponent")
        dimension = self._number(base)
        if dimension is None or dimension.is_dimensionless:
            return dimension
        value = literal(exponent)
        if value is None:
            self.collector.error(
                "E203",
                f"the exponent of a quantity in [{dimension}] must be a literal number",
                exponent.span,
                help="make the base a plain number, or write the exponent out",
            )
            return None
        return dimension**value

    def _function(self, function: sym.Function) -> Dimension | None:
        rule, (first, *others) = TABLE[function.name].dimensions, function.arguments
        if self._has_two_meanings(function):
            common = self._parts(*function.arguments)
            return DIMENSIONLESS if rule is DimensionRule.PLAIN else common
        match rule:
            case DimensionRule.PLAIN:
                for argument in function.arguments:
                    self._plain(argument, f"the argument of `{function.name}`")
                return DIMENSIONLESS
            case DimensionRule.SAME | DimensionRule.RATIO:
                result = self._number(first)
                for other in others:
                    result = self._same(function.name, first, other)
                return result if rule is DimensionRule.SAME else DIMENSIONLESS
            case DimensionRule.ROOT:
                inner = self._number(first)
                return None if inner is None else inner ** Fraction(1, 2)
            case DimensionRule.SQUARE_OVER:
                above, below = self._number(first), self._number(others[0])
                return None if above is None or below is None else above**2 / below
            case DimensionRule.COUNTED:
                return self._counted(function.name, first)

    def _counted(self, name: str, argument: sym.Expression) -> Dimension | None:
        """The dimension of what is rounded: a plain number or a count."""
        found = self._number(argument)
        if found is None or found.is_dimensionless or found in COUNTS or _is_own_count(found):
            return found
        message = f"`{name}` of a quantity in [{found}] depends on the unit"
        fix = "divide by the step to round to, and multiply afterwards"
        self.collector.error("E202", message, argument.span, help=fix)
        return None

    def _aggregate(self, aggregate: sym.Aggregate) -> Meaning:
        self._space(aggregate.space)
        function, body = aggregate.function, aggregate.body
        if self._has_two_meanings(aggregate):
            return self._number(body)
        if function in ("all", "any", "count"):
            self._condition(body)
            return DIMENSIONLESS if function == "count" else TRUTH
        if function == "prod":
            self._plain(body, "a factor of `prod`")
            return DIMENSIONLESS
        return self._number(body)


def literal(expression: sym.Expression) -> Fraction | None:
    """The exact value of a literal number such as `2`, `-1`, `(1/3)`, or None."""
    match expression:
        case sym.Constant(value=value):
            return Fraction(str(value)) if math.isfinite(value) else None
        case sym.Operation(operator="neg", operands=(operand,)):
            value_ = literal(operand)
            return None if value_ is None else -value_
        case sym.Operation(operator="/", operands=(above, below)):
            first, second = literal(above), literal(below)
            return first / second if first is not None and second else None
        case _:
            return None


def _is_own_count(dimension: Dimension) -> bool:
    """Whether a dimension is that of one thing which the model itself counts."""
    return not any(dimension.exponents) and [power for _, power in dimension.own] == [1]


def literal_fix(
    value: sym.Expression, expected: Dimension, found: Dimension, unit: Unit | None = None
) -> str | None:
    """The fix of a number written with no unit or with a wrong one, or None if the value is no
    literal.

    `unit`: in which the other side speaks, the SI unit if that is not known.
    """
    if (
        isinstance(value, sym.Operation)
        and value.operator == "neg"
        and isinstance(value.operands[0], sym.Constant)
    ):
        bare = value.operands[0].unit is None and found.is_dimensionless
    elif isinstance(value, sym.Constant):
        bare = value.unit is None and found.is_dimensionless
    else:
        return None
    if expected.is_dimensionless:
        return None
    if bare:
        return (
            f"give the number its unit: `{value.span.text} "
            f"{unit.text if unit is not None else expected}`"
        )
    if expected / found == CYCLE and value.span.text.endswith("Hz"):
        return (
            f"clock rates are in cycle/s here: write `{value.span.text.removesuffix('Hz')}cycle/s`"
        )
    return f"write a quantity in [{expected}]"


def _power_fix(value: sym.Expression, found: Dimension, unit: Unit | None) -> str | None:
    """What makes a power of a number of decibels, where the declared unit is such as `dBm`."""
    if unit is None or not unit.logarithmic or not found.is_dimensionless:
        return None
    name, *below = unit.text.split("/")
    linear = "/".join((LOGARITHMIC[name][1], *below))
    return f"a number of decibels becomes a power by `db({value.span.text}) * 1 {linear}`"


def propose_factor(expected: Dimension, found: Dimension, weigh: bool = False) -> str:
    """What would turn the found dimension into the expected one.

    >>> propose_factor(parse_unit("bit/s").dimension, parse_unit("Hz").dimension)
    'log2 counts bits without saying so: multiply by `1 bit`'
    """
    ratio = expected / found
    if ratio == BIT and not weigh:
        return "log2 counts bits without saying so: multiply by `1 bit`"
    if found / expected == BIT and not weigh:
        return "a bandwidth in [Hz] is no rate in [bit/s]: multiply it by `log2(1 + snr) * 1 bit`"
    if ratio == CYCLE:
        return "clock rates are in cycle/s here: write `Gcycle/s` for a processor's GHz"
    if found.is_dimensionless:
        return f"a plain number has no unit: multiply by a quantity in [{expected}]"
    if expected.is_dimensionless:
        return f"to get a plain number, divide by a quantity in [{found}]"
    if weigh:
        weight = f"{expected}/{found}" if re.fullmatch(r"\w+", str(found)) else ratio
        return f"to weigh one against the other, multiply the second by a weight in [{weight}]"
    return f"a factor in [{ratio}] is missing"
