"""Dimensions, units, and numbers with units.

An own system and not a general library: those call bit and cycle dimensionless (one makes a cycle 2
pi), so that bits could be added to cycles, and they take seconds to import. Here every counted
thing has a dimension. Factors are exact fractions until the last step, so `30 ms` is the float
nearest to 0.03.
"""

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Context, Decimal
from fractions import Fraction
from functools import cache, lru_cache
from types import MappingProxyType

from mecdsl.diagnostics import nearest
from mecdsl.unit_catalogue import (
    BASE_SYMBOLS,
    LARGE_PREFIXES,
    LOGARITHMIC,
    UNPREFIXED,
    linear_units,
    propose,
)

# far more digits than a float has, so that only the last rounding shows; no traps, so that overflow
# is inf
_WIDE = Context(prec=50, traps=[])


class UnitError(ValueError):
    """A unit text that has no meaning; `start` and `end` are offsets inside that text."""

    def __init__(self, message: str, help: str | None, start: int, end: int) -> None:
        super().__init__(message)
        self.message = message
        self.help = help
        self.start = start
        self.end = end


@dataclass(frozen=True, slots=True, repr=False)
class Dimension:
    """Product of powers of the base dimensions, one exact exponent for each of `BASE_SYMBOLS`.

    `own`: the powers of what a model counts itself, ordered by name, none of them zero. `str` gives
    the coherent SI unit, readable by `parse_unit`.

    >>> rate = Dimension.of({"bit": 1, "s": -1})
    >>> print(rate, rate / rate, rate ** Fraction(1, 2))
    bit/s 1 bit^(1/2)/s^(1/2)
    """

    exponents: tuple[Fraction, ...]
    own: tuple[tuple[str, Fraction], ...] = ()

    def __post_init__(self) -> None:
        if len(self.exponents) != len(BASE_SYMBOLS):
            raise ValueError(
                f"a dimension has {len(BASE_SYMBOLS)} exponents, found {len(self.exponents)}"
            )

    @classmethod
    def of(cls, powers: Mapping[str, Fraction | int]) -> "Dimension":
        """Return the dimension with the given powers of base symbols; KeyError for any other
        symbol.
        """
        unknown = powers.keys() - set(BASE_SYMBOLS)
        if unknown:
            raise KeyError(f"not a base symbol: {', '.join(sorted(unknown))}")
        return cls(tuple(Fraction(powers.get(symbol, 0)) for symbol in BASE_SYMBOLS))

    @property
    def is_dimensionless(self) -> bool:
        """Tell whether every exponent is zero."""
        return not self.own and not any(self.exponents)

    def __mul__(self, other: "Dimension") -> "Dimension":
        # most exponents are zero, and adding fractions is slow
        pairs = zip(self.exponents, other.exponents, strict=True)
        own = _own_product(self.own, other.own, 1) if other.own else self.own
        return Dimension(tuple(a + b if a and b else a or b for a, b in pairs), own)

    def __truediv__(self, other: "Dimension") -> "Dimension":
        pairs = zip(self.exponents, other.exponents, strict=True)
        own = _own_product(self.own, other.own, -1) if other.own else self.own
        return Dimension(tuple(a - b if b else a for a, b in pairs), own)

    def __pow__(self, exponent: Fraction | int) -> "Dimension":
        own = tuple((name, power * exponent) for name, power in self.own if exponent)
        return Dimension(tuple(a * exponent for a in self.exponents), own)

    def __str__(self) -> str:
        name = _named_dimensions().get(self)
        if name is not None:
            return name
        powers = dict(self.own) | _with_energy(dict(zip(BASE_SYMBOLS, self.exponents, strict=True)))
        above = [_power_text(name, power) for name, power in powers.items() if power > 0]
        below = [_power_text(name, -power) for name, power in powers.items() if power < 0]
        return ("*".join(above) or "1") + "".join("/" + part for part in below)

    def __repr__(self) -> str:
        return f"<Dimension {self}>"


def _own_product(
    left: tuple[tuple[str, Fraction], ...], right: tuple[tuple[str, Fraction], ...], sign: int
) -> tuple[tuple[str, Fraction], ...]:
    powers = dict(left)
    for name, power in right:
        powers[name] = powers.get(name, Fraction(0)) + sign * power
    return tuple(sorted((name, power) for name, power in powers.items() if power))


DIMENSIONLESS = Dimension((Fraction(0),) * len(BASE_SYMBOLS))


@cache
def _named_dimensions() -> dict[Dimension, str]:
    """Return the derived units that are printed by name where they stand alone."""
    return {
        Dimension.of(dict(UNPREFIXED[name].powers)): name
        for name in ("J", "W", "N", "Pa", "V", "C", "ohm")
    }


def _with_energy(powers: dict[str, Fraction]) -> dict[str, Fraction]:
    """Return the powers in printing order, mass replaced by J or W where that reads better.

    Nobody recognises `J*s^2/cycle^3` or `W/m^2` in kg. Mass is always replaced where length goes
    with it as in an energy, elsewhere only if the sum of the exponents' magnitudes gets smaller.
    """
    time = powers.pop("s")
    powers["s"] = time  # seconds last: `bit*s`, `bit/sample/s`
    mass = powers["kg"]
    if mass == 0:
        return powers
    candidates = [] if powers["m"] == 2 * mass else [powers]
    for name in ("J", "W"):
        rest = dict(powers)
        for symbol, power in UNPREFIXED[name].powers:
            rest[symbol] -= mass * power
        candidates.append({name: mass, **rest})
    return min(candidates, key=lambda candidate: sum(map(abs, candidate.values())))


def _power_text(name: str, power: Fraction) -> str:
    if power == 1:
        return name
    return f"{name}^{power}" if power.denominator == 1 else f"{name}^({power})"


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as written, its dimension, and its size in coherent SI units.

    The size of a logarithmic unit is that of its zero: 0.001 (watt) for `dBm`. Arrays in a linear
    unit are multiplied by `scale`, those in a logarithmic unit become
    `10 ** (values / 10) * factor`.
    """

    text: str
    dimension: Dimension
    factor: float
    logarithmic: bool = False
    exact_factor: Fraction | None = field(default=None, repr=False, compare=False)
    """The factor before rounding; without it `factor` is taken as the decimal it prints as."""

    @property
    def scale(self) -> float:
        """Return the factor that turns values into SI values; ValueError for a logarithmic unit."""
        if self.logarithmic:
            raise ValueError(
                f"`{self.text}` is logarithmic, its values are not proportional to SI values"
            )
        return self.factor

    def to_si(self, value: float) -> float:
        """Return the SI value, correctly rounded from the decimal that `value` prints as, or
        infinity.

        >>> parse_unit("ms").to_si(30), parse_unit("dBm").to_si(20)
        (0.03, 0.1)
        """
        if self.logarithmic:
            ratio = _WIDE.power(Decimal(10), _WIDE.divide(Decimal(repr(float(value))), Decimal(10)))
            return float(_WIDE.multiply(ratio, _decimal(self._exact())))
        if self.factor == 1.0 or not math.isfinite(value):
            return float(value)
        return _nearest_float(Fraction(repr(float(value))) * self._exact())

    def from_si(self, value: float) -> float:
        """Return the value in this unit; the inverse of `to_si` up to the last digit.

        A logarithmic unit has -inf for zero and raises ValueError for negative values.

        >>> parse_unit("ms").from_si(0.03), parse_unit("dBm").from_si(0.1)
        (30.0, 20.0)
        """
        if self.logarithmic:
            if value < 0:
                raise ValueError(
                    f"{value} cannot be given in `{self.text}`, which has positive values only"
                )
            ratio = _WIDE.divide(Decimal(repr(float(value))), _decimal(self._exact()))
            return float(_WIDE.multiply(Decimal(10), _WIDE.log10(ratio)))
        if self.factor == 1.0 or not math.isfinite(value):
            return float(value)
        return _nearest_float(Fraction(repr(float(value))) / self._exact())

    def _exact(self) -> Fraction:
        return Fraction(repr(self.factor)) if self.exact_factor is None else self.exact_factor


def _decimal(value: Fraction) -> Decimal:
    return _WIDE.divide(Decimal(value.numerator), Decimal(value.denominator))


def _nearest_float(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


@dataclass(frozen=True, slots=True, eq=False)
class OwnUnits:
    """The units that a model declares itself: of each name the dimension and the exact size in
    coherent units.

    Compared by identity, so that what was read with them can be kept.
    """

    names: Mapping[str, tuple[Dimension, Fraction]] = field(
        default_factory=lambda: MappingProxyType({})
    )

    @classmethod
    def of(cls, names: Mapping[str, tuple[Dimension, Fraction]]) -> "OwnUnits":
        """Return the units with those of one counted thing each, `token`, also as `ktoken`,
        `Mtoken` and so on.

        What is declared or built in under such a name keeps its meaning. Derived units take no
        prefix.
        """
        result: dict[str, tuple[Dimension, Fraction]] = {}
        for name, (dimension, _) in names.items():
            if dimension.own == ((name, Fraction(1)),):
                for prefix, power in LARGE_PREFIXES.items():
                    result[prefix + name] = dimension, Fraction(10) ** power
        return cls(MappingProxyType(result | dict(names)))


NO_OWN = OwnUnits()


def coherent_unit(dimension: Dimension) -> Unit:
    """Return the coherent SI unit of a dimension; values in it are SI values."""
    return Unit(str(dimension), dimension, 1.0)


@dataclass(frozen=True, slots=True)
class _Factor:
    """One factor of a unit text; `exponent` is as written, before a `/` in front turns its sign."""

    name: str
    exponent: Fraction
    divided: bool
    start: int
    end: int


_NAME = re.compile(r"%|[0-9][0-9.]*|[^\s*/^()%0-9][^\s*/^()%]*")
_LARGEST_EXPONENT = 999999  # the six digits of the next line
_EXPONENT = re.compile(r"\^(-?[0-9]{1,6}|\(-?[0-9]{1,6}/[0-9]{1,6}\))(?=[*/]|\Z)")


@lru_cache(maxsize=4096)
def parse_unit(text: str, own: OwnUnits = NO_OWN) -> Unit:
    """Return the unit written as factors joined by `*` and `/`, left to right: `a/b/c` is a/(b*c).

    `own`: the units that the model declares besides the built-in ones.

    A factor is a name, `%` or `1`, with an exponent that is an integer or a fraction in
    parentheses. `dBm`, `dBW`, `dB` and `dBi` stand alone or are divided by linear units. Raises
    UnitError for anything else.

    >>> unit = parse_unit("Mbit/s")
    >>> unit.factor, str(unit.dimension), unit.logarithmic
    (1000000.0, 'bit/s', False)
    >>> parse_unit("dBm/MHz").factor, str(parse_unit("W/Hz^(1/2)").dimension)
    (1e-09, 'J/s^(1/2)')
    """
    factors = _split(text)
    logarithmic = any(factor.name in LOGARITHMIC for factor in factors)
    if logarithmic:
        _check_logarithmic(text, factors, own)
    dimension, exact = DIMENSIONLESS, Fraction(1)
    for factor in factors:
        named_dimension, named_factor = _resolve(factor, own)
        exponent = -factor.exponent if factor.divided else factor.exponent
        dimension *= named_dimension**exponent
        exact *= _power(named_factor, exponent, factor)
    rounded = _nearest_float(exact)
    if rounded == 0 or math.isinf(rounded):
        raise UnitError(
            f"unit `{text}` is out of the range of floating-point numbers", None, 0, len(text)
        )
    return Unit(text, dimension, rounded, logarithmic, exact)


def _split(text: str) -> list[_Factor]:
    if not text.strip():
        raise UnitError("the unit is empty", "write `1` for a plain number", 0, len(text))
    blank = re.search(r"\s+", text)
    if blank is not None:
        joined = "".join(text.split())
        missing = re.search(r"[^\s*/^]\s+[^\s*/^]", text) is not None
        fix = "join the names with `*` or `/`" if missing else f"write `{joined}`"
        raise UnitError("a unit is written without blanks", fix, blank.start(), blank.end())
    factors = [_read_factor(text, 0, divided=False)]
    while (position := factors[-1].end) < len(text):
        if text[position] not in "*/":
            raise UnitError(
                f"unexpected `{text[position]}` in unit `{text}`", None, position, position + 1
            )
        factors.append(_read_factor(text, position + 1, divided=text[position] == "/"))
    return factors


def _read_factor(text: str, start: int, divided: bool) -> _Factor:
    name = _NAME.match(text, start)
    if name is None:
        raise _missing_name(text, start)
    if not text.startswith("^", name.end()):
        return _Factor(name[0], Fraction(1), divided, start, name.end())
    exponent = _EXPONENT.match(text, name.end())
    if exponent is None:
        raise _bad_exponent(text, name.end())
    numerator, _, denominator = exponent[1].strip("()").partition("/")
    if denominator and int(denominator) == 0:
        raise UnitError(
            f"exponent `{exponent[1]}` divides by zero", None, exponent.start(1), exponent.end(1)
        )
    return _Factor(
        name[0], Fraction(int(numerator), int(denominator or 1)), divided, start, exponent.end()
    )


def _missing_name(text: str, position: int) -> UnitError:
    before = f" after `{text[position - 1]}`" if position else ""
    if position == len(text):
        return UnitError(
            f"unit name missing{before} at the end of `{text}`", None, position - 1, position
        )
    fix = None
    if text[position] == "*" and before == " after `*`":
        fix = "write powers with `^`, as in `s^2`"
    elif text[position] in "()":
        fix = "write `a/b/c` for `a/(b*c)`, a unit has no parentheses"
    return UnitError(
        f"unit name expected{before}, found `{text[position]}`", fix, position, position + 1
    )


def _bad_exponent(text: str, caret: int) -> UnitError:
    exponent_text = re.compile(r"\([^)]*\)?|[^*/]*").match(text, caret + 1)
    written = exponent_text[0] if exponent_text else ""
    end = caret + 1 + len(written)
    if not written:
        return UnitError(
            "exponent missing after `^`",
            "write an integer or a fraction, as in `s^(1/2)`",
            caret,
            end,
        )
    try:
        exponent = Fraction(written.strip("()")).limit_denominator(1000)
    except (ValueError, ZeroDivisionError):
        exponent = None
    if exponent is not None and abs(exponent) > _LARGEST_EXPONENT:
        return UnitError(f"exponent `{written}` is too large", None, caret + 1, end)
    if exponent is None:
        fix = "write an integer or a fraction, as in `s^2` or `s^(1/2)`"
    else:
        fix = f"write `^{exponent}`" if exponent.denominator == 1 else f"write `^({exponent})`"
    return UnitError(
        f"exponent `{written}` is not an integer or a fraction in parentheses", fix, caret + 1, end
    )


def _resolve(factor: _Factor, own: OwnUnits) -> tuple[Dimension, Fraction]:
    """Return dimension and size of one name, without its exponent."""
    if factor.name == "1":
        return DIMENSIONLESS, Fraction(1)
    if factor.name in LOGARITHMIC:
        size, linear = LOGARITHMIC[factor.name]
        return parse_unit(linear).dimension, size
    unit = linear_units().get(factor.name)
    if unit is not None:
        return Dimension.of(dict(unit.powers)), unit.factor
    if factor.name in own.names:
        return own.names[factor.name]
    end = factor.start + len(factor.name)
    if factor.name[0].isdigit():
        fix = (
            "only `1` may stand in a unit as a number; fractional exponents need "
            "parentheses, as in `s^(1/2)`"
        )
        raise UnitError(f"`{factor.name}` is not a unit", fix, factor.start, end)
    near = nearest(factor.name, own.names)
    nearer = f"did you mean `{near}`?" if near else propose(factor.name, factor.divided)
    raise UnitError(f"unknown unit `{factor.name}`", nearer, factor.start, end)


_LARGEST_DECADE = (
    330  # a float holds 1e-324 to 1e308; beyond, an exact power would only cost time and memory
)


def _power(size: Fraction, exponent: Fraction, factor: _Factor) -> Fraction:
    """Return the power, exact for integer exponents, else to 50 digits; refuse what no float
    holds.
    """
    if size == 1:
        return size
    if abs(math.log10(size) * exponent) > _LARGEST_DECADE:
        message = f"`{factor.name}^{factor.exponent}` is out of the range of floating-point numbers"
        raise UnitError(message, None, factor.start, factor.end)
    if exponent.denominator == 1:
        return size**exponent.numerator
    return Fraction(_WIDE.power(_decimal(size), _decimal(exponent)))


def _check_logarithmic(text: str, factors: list[_Factor], own: OwnUnits) -> None:
    """Raise UnitError unless one logarithmic unit stands first and is only divided by linear
    units.
    """
    for position, factor in enumerate(factors):
        if factor.name in LOGARITHMIC and position > 0:
            verb = "divide" if factor.divided else "multiply"
            message = f"`{factor.name}` is logarithmic and cannot {verb} another unit"
            fix = (
                f"use the linear unit `{LOGARITHMIC[factor.name][1]}` and convert values "
                "with `db(...)`"
            )
            raise UnitError(message, fix, factor.start, factor.end)
    first, *others = factors
    linear = LOGARITHMIC[first.name][1]
    if first.exponent != 1:
        message = f"`{first.name}` is logarithmic and has no powers"
        raise UnitError(message, f"use the linear unit `{linear}`", first.start, first.end)
    for factor in others:
        if not factor.divided or factor.exponent <= 0:
            message = (
                f"`{first.name}` is logarithmic and can only be divided by a unit, as in `dBm/Hz`"
            )
            raise UnitError(message, f"use the linear unit `{linear}`", factor.start, factor.end)
    if others and linear == "1":
        _check_ratio_divisor(text, first, others, own)


def _check_ratio_divisor(text: str, first: _Factor, others: list[_Factor], own: OwnUnits) -> None:
    """Refuse `dB/km` and `dB/s`: a level that falls along a way is no factor per length or time."""
    divisor = DIMENSIONLESS
    for factor in others:
        divisor *= _resolve(factor, own)[0] ** factor.exponent
    if {
        symbol for symbol, power in zip(BASE_SYMBOLS, divisor.exponents, strict=True) if power > 0
    } & {
        "m",
        "s",
    }:
        rest = text[others[0].start :]
        message = f"`{text}` is a change of level along a length or time, not a factor"
        fix = f"declare the slope in `1/{rest}`, multiply, and convert the product with `db(...)`"
        raise UnitError(message, fix, first.start, len(text))


def format_value(value: float, unit: Unit | Dimension, digits: int = 4) -> str:
    """Return the SI `value` as text for people, with `digits` significant digits and a prefix by
    magnitude.

    A unit is shown as it was declared; the prefix is chosen only where its first name has none and
    nothing is multiplied to it. A logarithmic unit has no negative values; they are shown in the
    coherent SI unit.

    >>> format_value(2.4e9, parse_unit("cycle/s")), format_value(0.03, parse_unit("ms"))
    ('2.4 Gcycle/s', '30 ms')
    """
    if isinstance(unit, Dimension):
        unit = coherent_unit(unit)
    if unit.logarithmic and value < 0:
        return format_value(value, unit.dimension, digits)
    shown, text = _with_prefix(unit.from_si(value), unit, digits)
    number = _number_text(shown, digits)
    return number if text == "1" else f"{number} {text}"


def _with_prefix(value: float, unit: Unit, digits: int) -> tuple[float, str]:
    prefix, factor = _prefix(value, unit, digits)
    if not prefix:
        return value, unit.text
    return _nearest_float(Fraction(repr(value)) / factor), prefix + unit.text


def _prefix(value: float, unit: Unit, digits: int) -> tuple[str, Fraction]:
    """The prefix with which a value in a unit is shown, and its size; none is ("", 1)."""
    first = UNPREFIXED.get(unit.text.split("/")[0])
    if value == 0 or not math.isfinite(value) or first is None or "*" in unit.text:
        return "", Fraction(1)
    units, name = linear_units(), unit.text.split("/")[0]
    # rounded first, so that 999.96 becomes 1 k and not 1000; rounded up, the largest double is none
    size = abs(Fraction(f"{value:.{digits - 1}e}"))
    prefixed: Iterable[tuple[str, Fraction]] = (
        (p, units[p + name].factor / first.factor) for p in first.shown
    )
    for prefix, factor in (("", Fraction(1)), *prefixed):
        if factor <= size < 1000 * factor:
            return prefix, factor
    return "", Fraction(1)


def shown_unit(value: float, unit: Unit, digits: int = 4) -> Unit:
    """Return the unit in which `format_value` shows an SI value: the given one, or it with a
    prefix.

    >>> shown_unit(2.4e9, parse_unit("cycle/s")).text
    'Gcycle/s'
    """
    if unit.logarithmic:
        return unit
    prefix, factor = _prefix(unit.from_si(value), unit, digits)
    if not prefix:
        return unit
    exact = unit._exact() * factor
    return Unit(prefix + unit.text, unit.dimension, _nearest_float(exact), exact_factor=exact)


def _number_text(value: float, digits: int) -> str:
    """Return integers below 1e9 in full, others rounded, very small and large ones with an
    exponent.
    """
    if not math.isfinite(value):
        return str(value)
    if value == 0:
        return "0"
    mantissa, _, exponent = f"{value:.{digits - 1}e}".partition("e")
    if not 1e-4 <= abs(value) < 1e9:
        return (
            mantissa.rstrip("0").rstrip(".") if "." in mantissa else mantissa
        ) + f"e{int(exponent)}"
    text = f"{value:.{max(0, digits - 1 - int(exponent))}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
