"""`unit token`, `dimension request`, `unit frame = 2^30 byte`: the units that a model declares
itself.

A unit without a size is a new thing that is counted, with a dimension of its own; `dimension` says
the same in the other word. Like all names they may be used before they are declared, so sizes are
found on demand.
"""

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from fractions import Fraction

from mecdsl.diagnostics import Collector, Label, Span
from mecdsl.parsing import syntax
from mecdsl.parsing.tree import is_level_unit
from mecdsl.unit_catalogue import LOGARITHMIC, linear_units
from mecdsl.units import DIMENSIONLESS, Dimension, OwnUnits, UnitError, parse_unit

WORDS_OF_TYPES = frozenset("real integer binary inf".split())
WORDS_OF_EXPRESSIONS = frozenset("then else for where in and or from not if".split())
SIZE = "write a number and a unit, as in `unit GiB = 2^30 byte`"
LARGEST_POWER = 4096  # no float holds more binary digits
Size = tuple[Dimension, Fraction]


class _Faulty(Exception):
    """The declaration has a fault that is already reported."""


def own_units(statements: Iterable[object], collector: Collector) -> OwnUnits:
    """The units that statements declare; faults go to the collector, and a faulty unit counts as
    new.
    """
    declared = [
        statement for statement in statements if isinstance(statement, syntax.UnitDeclaration)
    ]
    return _Declared(declared, collector).run() if declared else OwnUnits()


@dataclass(slots=True)
class _Declared:
    declared: list[syntax.UnitDeclaration]
    collector: Collector
    first: dict[str, syntax.UnitDeclaration] = field(default_factory=dict)
    sizes: dict[str, Size] = field(default_factory=dict)
    open: list[str] = field(default_factory=list)

    def run(self) -> OwnUnits:
        for unit in self.declared:
            self.first.setdefault(unit.name, unit)
        for name in self.first:
            self._size(name)
        for unit in self.declared:
            if unit is not self.first[unit.name]:
                self._check_repeated(unit)
        own = {name: size for name, size in self.sizes.items() if self._is_new(self.first[name])}
        return OwnUnits.of(own)

    def _size(self, name: str) -> Size:
        """Dimension and size of a declared unit. Raises `_Faulty` inside of a circle."""
        if name in self.sizes:
            return self.sizes[name]
        unit = self.first[name]
        if name in self.open:
            circle = " -> ".join([*self.open[self.open.index(name) :], name])
            self.collector.error("E107", f"defined in a circle: {circle}", unit.name_span)
            raise _Faulty
        self.open.append(name)
        try:
            self.sizes[name] = self._found(unit)
        except _Faulty:
            self.sizes[name] = _new(name)
        self.open.pop()
        return self.sizes[name]

    def _found(self, unit: syntax.UnitDeclaration) -> Size:
        if unit.value is None:
            return _new(unit.name)
        dimension, size = self._value(unit.value)
        if size <= 0 or not 0 < _float(size) < math.inf:
            message = f"unit `{unit.name}` has the size {_float(size):g}"
            raise self._fault(message, unit.value.span, "a unit has a size above 0")
        return dimension, size

    def _is_new(self, unit: syntax.UnitDeclaration) -> bool:
        """Whether the name is free; a built-in unit may only be declared as what it is."""
        name = unit.name
        if name in WORDS_OF_TYPES | WORDS_OF_EXPRESSIONS or is_level_unit(name):
            self._error(
                f"`{name}` cannot be the name of a unit", unit.name_span, "give it another name"
            )
            return False
        if name not in linear_units():
            return True
        built_in = parse_unit(name)
        same = (built_in.dimension, built_in.exact_factor) == self.sizes[name]
        if unit.value is None or not same:
            size = "" if built_in.factor == 1.0 else f"{built_in.factor:.6g} "
            text = str(built_in.dimension)
            what = "" if text == name else f": {size}{text}"
            fix = f"give it another name, such as `own_{name}`"
            if unit.value is None and text == name:
                fix = f"delete this line to use `{name}` as it is, or give it another name"
            self._error(f"`{name}` is a unit already{what}", unit.name_span, fix)
        return False

    def _check_repeated(self, unit: syntax.UnitDeclaration) -> None:
        """A unit declared again, in an included file perhaps, must be the same."""
        first = self.first[unit.name]
        try:
            same = self._found(unit) == self.sizes[unit.name]
        except _Faulty:
            return
        if not same:
            labels = (Label(first.name_span, "first declared here"),)
            message = f"unit `{unit.name}` is declared twice, with two meanings"
            self.collector.error(
                "E101", message, unit.name_span, labels=labels, help="rename one, or delete it"
            )

    def _value(self, value: syntax.Expression) -> Size:
        match value:
            case syntax.Quantity():
                return self._quantity(
                    value, Fraction(value.value) if value.value != "inf" else None
                )
            case syntax.Name(name=name):
                return self._unit(name, value.span)
            case syntax.Binary(operator="*" | "/" as operator):
                (left, size), (right, other) = self._value(value.left), self._value(value.right)
                if operator == "*":
                    return left * right, size * other
                if other == 0:
                    raise self._fault("the size divides by zero", value.right.span, SIZE)
                return left / right, size / other
            case syntax.Binary(operator="^"):
                return self._power(value)
            case _:
                raise self._fault(f"`{value.span.text}` is no size of a unit", value.span, SIZE)

    def _power(self, power: syntax.Binary) -> Size:
        """`2^30`, `s^2`, and `2^30 byte`, in which the unit belongs to the whole number."""
        right, sign = power.right, 1
        if isinstance(right, syntax.Unary) and right.operator == "-":
            right, sign = right.operand, -1
        dimension, base = self._value(power.left)
        if (
            not isinstance(right, syntax.Quantity)
            or not right.value.isdigit()
            or int(right.value) > LARGEST_POWER
        ):
            raise self._fault(
                f"`{power.right.span.text}` is no whole exponent", power.right.span, SIZE
            )
        exponent = sign * int(right.value)
        if base == 0:
            raise self._fault("the size is a power of zero", power.left.span, SIZE)
        if abs(_log2(base) * exponent) > LARGEST_POWER:
            raise self._fault(
                "the size is out of the range of floating-point numbers", power.span, None
            )
        unit, size = self._quantity(right, Fraction(1))
        return dimension**exponent * unit, base**exponent * size

    def _quantity(self, quantity: syntax.Quantity, number: Fraction | None) -> Size:
        if number is None:
            raise self._fault("a unit has no infinite size", quantity.span, SIZE)
        if quantity.unit is None:
            return DIMENSIONLESS, number
        dimension, size = self._unit(quantity.unit, quantity.span)
        return dimension, number * size

    def _unit(self, text: str, span: Span) -> Size:
        """The size of a unit text, in which declared units may stand; `span` ends with it."""
        if any(word in LOGARITHMIC for word in re.findall(r"\w+", text)):
            fix = "a level is no multiple of another; take the linear unit, `mW` for `dBm`"
            raise self._fault(f"`{text}` is a level", span, fix)
        words = re.findall(r"[^\W\d]\w*", text)
        for name, unit in self.first.items():
            # what is counted has prefixes, and needs nothing else
            if name in words or (unit.value is None and any(word.endswith(name) for word in words)):
                self._size(name)
        try:
            unit_read = parse_unit(text, OwnUnits.of(self.sizes))
        except UnitError as error:
            start = span.end_column - len(text) + error.start
            place = Span(
                span.source, span.line, start, span.line, start + max(1, error.end - error.start)
            )
            self.collector.error("E114", error.message, place, help=error.help)
            raise _Faulty from None
        assert unit_read.exact_factor is not None
        return unit_read.dimension, unit_read.exact_factor

    def _fault(self, message: str, span: Span, fix: str | None) -> _Faulty:
        self._error(message, span, fix)
        return _Faulty()

    def _error(self, message: str, span: Span, fix: str | None) -> None:
        self.collector.error("E118", message, span, help=fix)


def _new(name: str) -> Size:
    return Dimension(DIMENSIONLESS.exponents, ((name, Fraction(1)),)), Fraction(1)


def _float(size: Fraction) -> float:
    try:
        return float(size)
    except OverflowError:
        return math.inf


def _log2(number: Fraction) -> float:
    """The binary logarithm of a positive fraction, however long its numbers are."""
    return math.log2(number.numerator) - math.log2(number.denominator)
