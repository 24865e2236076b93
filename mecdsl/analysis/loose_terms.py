"""Values together with how far they may be off: by their variables, and by rounding.

A point is judged by what a reader of the model would call the same point: a real variable may be
off by a millionth of its measure (`mecdsl.results.violations` says what that is), an integer and a
number of the data may not be off at all. This algebra carries through an expression

- `value`;
- `total`, the sizes of its terms added up, whatever they are made of;
- `loose`, the part of `total` that moves with real variables, each counted by its measure.
  `tolerance * loose` is how far the value may be off because they are. A coefficient on a binary (a
  big M) is no part of it, nor are data;
- `error`, a bound on what rounding did to the value, to first order. It is 0 where everything is a
  whole number below 2^53, as doubles compute with these exactly.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mecdsl.functions.function import ABOVE, Smoothness, Univariate
from mecdsl.functions.table import TABLE
from mecdsl.instances.algebra import Algebra, Floats, Sums
from mecdsl.instances.tables import FloatArray, IntArray

UNIT_ROUNDOFF: Final = 2.0**-53
LARGEST_EXACT: Final = 2.0**53
SMALL_SHARE: Final = 1e-6  # about what a point is judged with (`mecdsl.results.violations`)
FUNCTION_ROUNDING: Final = 4.0  # units in the last place that a function of NumPy may be off


@dataclass(frozen=True, slots=True, eq=False)
class Loose:
    """float64[n] each: values, sizes of their terms, the loose part of these, a bound on the
    rounding error.
    """

    value: FloatArray
    total: FloatArray
    loose: FloatArray
    error: FloatArray
    __array_ufunc__ = None

    @staticmethod
    def joined(first: FloatArray, second: FloatArray) -> FloatArray:
        """The loose part of a sum."""
        return first + second

    @staticmethod
    def gathered(loose: FloatArray, parent: IntArray, size: int) -> FloatArray:
        """The loose part of sums over an index."""
        return np.bincount(parent, weights=loose, minlength=size).astype(np.float64)

    def __getitem__(self, rows: IntArray) -> "Loose":
        return type(self)(self.value[rows], self.total[rows], self.loose[rows], self.error[rows])

    def __neg__(self) -> "Loose":
        return type(self)(-self.value, self.total, self.loose, self.error)

    def __add__(self, other: Any) -> "Loose":
        that = loosely(other)
        value = self.value + that.value
        error = self.error + that.error + rounding(value)
        return type(self)(
            value, self.total + that.total, self.joined(self.loose, that.loose), error
        )

    __radd__ = __add__

    def __sub__(self, other: Any) -> "Loose":
        return self + -loosely(other)

    def __rsub__(self, other: Any) -> "Loose":
        return (-self).__add__(other)

    def __mul__(self, other: Any) -> "Loose":
        that = loosely(other)
        value = self.value * that.value
        crossed = _times(np.abs(self.value), that.error) + _times(np.abs(that.value), self.error)
        error = crossed + _times(self.error, that.error) + rounding(value)
        # of the three ways a product can be off the largest, so that a product of sizes is no more
        # than their product
        loose = _largest(
            _times(self.total, that.loose),
            _times(self.loose, that.total),
            _times(self.loose, that.loose),
        )
        return type(self)(value, _times(self.total, that.total), loose, error)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> "Loose":
        return self * loosely(other).reciprocal()

    def __rtruediv__(self, other: Any) -> "Loose":
        return self.reciprocal().__mul__(other)

    def reciprocal(self) -> "Loose":
        """1/u; what is divided by is off by no more than its own terms, however large the measure
        of its variables.
        """
        value = 1.0 / self.value
        square = value * value
        loose = np.minimum(self.loose, self.total)
        return type(self)(
            value,
            _times(self.total, square),
            _times(loose, square),
            _times(self.error, square) + UNIT_ROUNDOFF * np.abs(value),
        )

    def __pow__(self, exponent: Any) -> "Loose":
        power = np.asarray(
            exponent.value if isinstance(exponent, Loose) else exponent, dtype=np.float64
        )
        value = self.value**power
        size = np.abs(self.value)
        with np.errstate(all="ignore"):
            grown = np.where(size > 0.0, self.total / np.where(size > 0.0, size, 1.0), 1.0)
            total = np.where(
                size > 0.0,
                np.abs(value) * grown ** np.abs(power),
                self.total ** np.maximum(power, 0.0),
            )
            reach = np.maximum(self.total, self.loose)
            up = _times(reach ** (power - 1.0), self.loose)  # u^p for p > 0: one factor is off
            down = np.abs(value) * np.minimum(self.loose, self.total) / size
            loose = np.where(self.loose == 0.0, 0.0, np.where(power > 0.0, up, down))
            off = np.where(power > 0.0, (size + self.error) ** power - size**power, 0.0)
            off = np.where(power < 0.0, np.abs(value) * np.abs(power) * self.error / size, off)
        exact = (self.error == 0.0) & (power == np.round(power)) & (power >= 0.0)
        error = off + np.where(
            exact, rounding(value), FUNCTION_ROUNDING * UNIT_ROUNDOFF * np.abs(value)
        )
        return type(self)(value, total, np.where(power == 0.0, 0.0, loose), error)

    def __rpow__(self, base: Any) -> "Loose":
        return function(type(self), lambda u: base**u, [self])


@dataclass(frozen=True, slots=True, eq=False)
class Least(Loose):
    """The same, but a sum is as loose as the least of its loose terms."""

    @staticmethod
    def joined(first: FloatArray, second: FloatArray) -> FloatArray:
        """The lesser one; what is not loose says nothing."""
        return np.where(
            first == 0.0, second, np.where(second == 0.0, first, np.fmin(first, second))
        )

    @staticmethod
    def gathered(loose: FloatArray, parent: IntArray, size: int) -> FloatArray:
        """The least of each segment."""
        least = np.full(size, np.inf)
        np.fmin.at(least, parent, np.where(loose == 0.0, np.inf, loose))
        return np.where(np.isfinite(least), least, 0.0)


def loosely(operand: Any) -> Loose:
    """Data as an operand: not loose, and exact up to the rounding of numbers such as 0.1."""
    if isinstance(operand, Loose):
        return operand
    value = np.asarray(operand, dtype=np.float64)
    return Loose(value, np.abs(value), np.zeros_like(value), rounding(value))


def rounding(value: FloatArray) -> FloatArray:
    """What the last rounding of a result may have changed: nothing where it is a whole number below
    2^53.
    """
    size = np.abs(value)
    whole = (size < LARGEST_EXACT) & (value == np.round(value))
    return np.asarray(np.where(whole, 0.0, UNIT_ROUNDOFF * size))


def _times(first: FloatArray, second: FloatArray) -> FloatArray:
    """Products of sizes, where 0 times infinite is 0."""
    with np.errstate(invalid="ignore", over="ignore"):
        product = np.asarray(first * second)
    return np.where((first == 0.0) | (second == 0.0), 0.0, product)


def _largest(*sizes: FloatArray) -> FloatArray:
    result = sizes[0]
    for size in sizes[1:]:
        result = np.maximum(result, size)
    return result


class Looseness(Algebra):
    """Evaluate expressions as `Loose` at a point.

    `x`: float64, one entry per column. `measure`: float64, how large each column counts; 0 for
    integers and data.
    """

    def __init__(self, x: FloatArray, measure: FloatArray, kind: type[Loose] = Loose) -> None:
        self.x, self.measure, self.kind = x, measure, kind
        self.plain = Floats(x)

    def variables(self, columns: IntArray) -> Loose:
        x = self.x[columns]
        return self.kind(x, np.abs(x), self.measure[columns], np.zeros(len(x)))

    def segment_sum(self, value: Any, parent: IntArray, size: int) -> Loose:
        that = loosely(value)
        total, error, counts = (
            self.plain.segment_sum(part, parent, size)
            for part in (that.total, that.error, np.ones(len(parent)))
        )
        loose = self.kind.gathered(that.loose, parent, size)
        sums = self.plain.segment_sum(that.value, parent, size)
        exact = (rounding(total) == 0.0) & (error == 0.0)
        return self.kind(
            sums, total, loose, error + np.where(exact, 0.0, UNIT_ROUNDOFF * counts * total)
        )

    def running_sum(self, value: Any, sums: Sums) -> Loose | None:
        if self.kind is not Loose:  # the least of what stands before is no sum
            return None
        that = loosely(value)
        total, error, counts = map(sums, (that.total, that.error, np.ones_like(that.total)))
        exact = (rounding(total) == 0.0) & (error == 0.0)
        off = error + np.where(exact, 0.0, UNIT_ROUNDOFF * counts * total)
        return Loose(sums(that.value), total, sums(that.loose), off)

    def segment_prod(self, value: Any, parent: IntArray, size: int) -> Loose:
        that = loosely(value)
        products, total, reach = (
            self.plain.segment_prod(part, parent, size)
            for part in (that.value, that.total, np.maximum(that.total, that.loose))
        )
        moving = self.plain.segment_extreme("max", that.loose, parent, size) > 0.0
        with np.errstate(all="ignore"):
            share = np.where(that.error > 0.0, that.error / np.abs(that.value), 0.0)
        shares = self.plain.segment_sum(share + UNIT_ROUNDOFF, parent, size)
        exact = (rounding(total) == 0.0) & (self.plain.segment_sum(that.error, parent, size) == 0.0)
        error = np.where(exact, 0.0, _times(shares, total))
        return self.kind(products, total, np.where(moving, reach, 0.0), error)

    def segment_extreme(self, name: str, value: Any, parent: IntArray, size: int) -> Loose:
        that = loosely(value)
        extremes = self.plain.segment_extreme(name, that.value, parent, size)
        largest = [
            self.plain.segment_extreme("max", part, parent, size)
            for part in (that.total, that.loose, that.error)
        ]
        return self.kind(extremes, *largest)

    def merge(self, size: int, parts: Sequence[tuple[IntArray, Any]]) -> Loose:
        filled = [(rows, loosely(value)) for rows, value in parts]
        return self.kind(
            self.plain.merge(size, [(rows, part.value) for rows, part in filled]).astype(
                np.float64
            ),
            self.plain.merge(size, [(rows, part.total) for rows, part in filled]).astype(
                np.float64
            ),
            self.plain.merge(size, [(rows, part.loose) for rows, part in filled]).astype(
                np.float64
            ),
            self.plain.merge(size, [(rows, part.error) for rows, part in filled]).astype(
                np.float64
            ),
        )

    def call(self, name: str, arguments: Sequence[Any]) -> Loose:
        row, loose_arguments = TABLE[name], [loosely(argument) for argument in arguments]
        inner = loose_arguments[0]
        if isinstance(row, Univariate) and row.homogeneous is not None:
            return self._homogeneous(row, inner)
        if row.smoothness is Smoothness.KINKED:
            return self._extreme(name, loose_arguments)
        result = function(self.kind, lambda *values: self.plain.call(name, values), loose_arguments)
        if isinstance(row, Univariate) and row.vanishes:
            loose = np.where(inner.loose == 0.0, 0.0, np.fmax(result.loose, _moved(row, inner)))
            return self.kind(result.value, result.total, loose, result.error)
        if row.homogeneous == 1.0:
            return self._of_sizes(name, loose_arguments, result)
        stepped = row.smoothness is Smoothness.STEPPED
        error = np.zeros_like(result.value) if stepped else result.error
        return self.kind(result.value, result.total, result.loose, error)

    def _homogeneous(self, row: Univariate, inner: Loose) -> Loose:
        if row.smoothness is Smoothness.SMOOTH:
            assert row.homogeneous is not None
            return inner**row.homogeneous
        value = self.plain.call(row.name, [inner.value])
        return self.kind(value, inner.total, inner.loose, inner.error)

    def _extreme(self, name: str, arguments: Sequence[Loose]) -> Loose:
        value = self.plain.call(name, [argument.value for argument in arguments])
        return self.kind(
            value,
            np.broadcast_to(_largest(*(argument.total for argument in arguments)), value.shape),
            np.broadcast_to(_largest(*(argument.loose for argument in arguments)), value.shape),
            np.broadcast_to(_largest(*(argument.error for argument in arguments)), value.shape),
        )

    def _of_sizes(self, name: str, arguments: Sequence[Loose], result: Loose) -> Loose:
        """Functions that are 0 with their arguments count at least what they are at the sizes of
        these.
        """
        first, second = arguments
        above = np.maximum(first.total, first.loose)
        below = np.maximum(second.total, second.loose)
        usual = np.abs(self.plain.call(name, [above, below]))
        loose = np.where(result.loose == 0.0, 0.0, np.fmax(result.loose, usual))
        return self.kind(result.value, result.total, loose, result.error)


def _moved(row: Univariate, inner: Loose) -> FloatArray:
    """How far the value may be off, per share of `SMALL_SHARE`, because the argument is off by its
    loose part; that is no more than its terms, or than 1 where they are less and 0 is no pole.
    """
    reach = inner.total if row.domain == ABOVE else np.maximum(inner.total, 1.0)
    step = SMALL_SHARE * np.minimum(inner.loose, reach)
    with np.errstate(all="ignore"):
        value = row.value(inner.value)
        ends = [row.value(row.domain.clip(inner.value + way * step)) for way in (1.0, -1.0)]
        return np.fmax(*(np.abs(end - value) for end in ends)) / SMALL_SHARE


def function(kind: type[Loose], of: Callable[..., Any], arguments: Sequence[Loose]) -> Loose:
    """A function starts anew: its value is its size, loose if an argument is."""
    with np.errstate(all="ignore"):
        value = np.asarray(of(*(argument.value for argument in arguments)), dtype=np.float64)
        error = FUNCTION_ROUNDING * UNIT_ROUNDOFF * np.abs(value)
        if any((argument.error > 0.0).any() for argument in arguments):
            ends = [
                (argument.value - argument.error, argument.value + argument.error)
                for argument in arguments
            ]
            for corner in itertools.product(*ends):
                moved = np.abs(np.asarray(of(*corner)) - value)
                error = np.maximum(error, np.where(np.isfinite(moved), moved, 0.0))
    moving = np.zeros(value.shape, dtype=bool)
    for argument in arguments:
        moving = moving | (argument.loose > 0.0)
    return kind(value, np.abs(value), np.where(moving, np.abs(value), 0.0), error)
