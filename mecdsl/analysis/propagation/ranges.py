"""Ranges of values and their arithmetic, rounded outwards; arrays with one entry per row of a
family.

Every result is widened by `unit` times the size of what it is made of, which is several times the
rounding error: data such as 0.1 W, or 8 kbit over 3 s, are rounded themselves before anything is
computed with them, and ten times 0.1 must not be told apart from 1. What is computed without
rounding is not widened: whole numbers below 2^53, a difference of equal numbers, a product with a
power of 2. So a sign is not lost where `x - 3.7` begins at 0. With a unit of 1e-6 the same
arithmetic says what holds at every point that keeps the rows up to that share of their terms.

An end of infinity means that nothing is known. 0 times infinity is 0: a value that is not a number
is no value of a feasible point.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mecdsl.instances.tables import FloatArray, IntArray

Flags = NDArray[np.bool_]

UNIT: Final = 2.0**-50  # four times the distance of 1 from the next number
LARGEST: Final = float(np.finfo(np.float64).max)
EXACT: Final = 2.0**53  # whole numbers up to here are numbers of their own
TINY: Final = 1e-300  # above all that underflow loses
SMALL_FACTOR: Final = 1e-140  # products of two numbers above it do not underflow
MOST_ROUNDING: Final = 1e-9  # a unit above it is a tolerance, for which nothing is exact
ALMOST_WHOLE: Final = 1e-6  # an end this close to an integer does not cut it off


@dataclass(frozen=True, slots=True, eq=False)
class Range:
    """Lower and upper ends, float64[n] each; `low > high` where no value is left."""

    low: FloatArray
    high: FloatArray

    @property
    def holds_zero(self) -> Flags:
        """Where 0 is one of the values."""
        return np.asarray((self.low <= 0.0) & (self.high >= 0.0))

    @property
    def empty(self) -> Flags:
        """Where no value is left."""
        return np.asarray(self.low > self.high)

    def take(self, rows: IntArray) -> "Range":
        """The given rows."""
        return Range(self.low[rows], self.high[rows])

    def both(self, other: "Range") -> "Range":
        """What is in both."""
        return Range(np.maximum(self.low, other.low), np.minimum(self.high, other.high))

    def __neg__(self) -> "Range":
        return Range(-self.high, -self.low)


@dataclass(frozen=True, slots=True)
class Rounding:
    """How far results are widened, relative to their size."""

    unit: float = UNIT

    def left(self, size: FloatArray, exact: Flags) -> FloatArray:
        """Sizes for `outward`, where an end that is computed exactly counts as 0."""
        return size if self.unit > MOST_ROUNDING else np.where(exact, 0.0, size)

    def outward(
        self, low: FloatArray, high: FloatArray, sizes: tuple[Any, ...], exact: Any = False
    ) -> Range:
        """Ends moved outwards by `unit` times the sizes, where they are not `exact` whole
        numbers.
        """
        slack_low, slack_high = (self._slack(size, exact) for size in sizes)
        low, high = low - slack_low, high + slack_high
        low = np.where(np.isnan(low), -np.inf, np.minimum(low, LARGEST))
        return Range(low, np.where(np.isnan(high), np.inf, np.maximum(high, -LARGEST)))

    def _slack(self, size: Any, exact: Any) -> FloatArray:
        slack = np.where(size > 0.0, self.unit * size + TINY, 0.0)
        slack = np.where(np.isfinite(slack), slack, 0.0)
        return np.where(exact & (size <= EXACT), 0.0, slack)


def are_whole(values: FloatArray) -> Flags:
    """Whole numbers that doubles tell apart from their neighbours."""
    return np.asarray((np.abs(values) <= EXACT) & (np.round(values) == values))


def scale_exactly(values: FloatArray) -> Flags:
    """Powers of 2 with either sign, 0 and infinity: a product with them is not rounded."""
    mantissa, _ = np.frexp(values)
    return np.asarray((np.abs(mantissa) == 0.5) | (mantissa == 0.0) | np.isinf(values))


def chosen(rows: Flags, one: Range, two: Range) -> Range:
    """One range where asked, the other elsewhere."""
    return Range(np.where(rows, one.low, two.low), np.where(rows, one.high, two.high))


def everything(size: int) -> Range:
    """Ranges of which nothing is known."""
    return Range(np.full(size, -np.inf), np.full(size, np.inf))


def numbers(values: Any, size: int) -> Range:
    """Data as ranges; one that is not finite, such as 1/0, may be anything: whoever solves the
    problem says so.
    """
    ends = np.broadcast_to(np.asarray(values, dtype=np.float64), (size,))
    known = np.isfinite(ends)
    return Range(np.where(known, ends, -np.inf), np.where(known, ends, np.inf))


def whole_inward(found: Range, whole: Any) -> Range:
    """Ends of whole numbers rounded inwards, unless they pass an integer by next to nothing."""
    if not np.any(whole):
        return found
    low, high = np.ceil(found.low - ALMOST_WHOLE) + 0.0, np.floor(found.high + ALMOST_WHOLE) + 0.0
    return Range(np.where(whole, low, found.low), np.where(whole, high, found.high))


def added(one: Range, two: Range, rounding: Rounding, exact: Any = False) -> Range:
    """The sum row by row."""
    low, high = one.low + two.low, one.high + two.high
    sizes = (
        rounding.left(np.abs(a) + np.abs(b), (total == 0.0) | (are_whole(a) & are_whole(b)))
        for a, b, total in ((one.low, two.low, low), (one.high, two.high, high))
    )
    return rounding.outward(low, high, tuple(sizes), exact)


def multiplied(one: Range, two: Range, rounding: Rounding, exact: Any = False) -> Range:
    """The product row by row."""
    corners = [a * b for a in (one.low, one.high) for b in (two.low, two.high)]
    corners = [np.where(np.isnan(corner), 0.0, corner) for corner in corners]
    low, high = np.minimum.reduce(corners), np.maximum.reduce(corners)
    if _may_underflow(one) or _may_underflow(two):
        return rounding.outward(low, high, (np.abs(low) + TINY, np.abs(high) + TINY), exact)
    unrounded = _both_ends(one, scale_exactly) | _both_ends(two, scale_exactly)
    whole = _both_ends(one, _whole_or_open) & _both_ends(two, _whole_or_open)
    sizes = (
        rounding.left(np.abs(end), unrounded | (whole & (np.abs(end) <= EXACT)))
        for end in (low, high)
    )
    return rounding.outward(low, high, tuple(sizes), exact)


def _both_ends(value: Range, holds: Callable[[FloatArray], Flags]) -> Flags:
    return holds(value.low) & holds(value.high)


def _whole_or_open(values: FloatArray) -> Flags:
    return are_whole(values) | np.isinf(values)


def _may_underflow(value: Range) -> bool:
    return any(
        bool(((end != 0.0) & (np.abs(end) < SMALL_FACTOR)).any()) for end in (value.low, value.high)
    )


def inverse(value: Range, rounding: Rounding) -> Range:
    """1/value; a range that only ends at 0 keeps its sign, one with 0 inside becomes the whole
    line.
    """
    inside = (value.low < 0.0) & (value.high > 0.0)
    nothing = (value.low == 0.0) & (value.high == 0.0)
    low = np.where(value.high == 0.0, -np.inf, 1.0 / value.high)
    high = np.where(value.low == 0.0, np.inf, 1.0 / value.low)
    sizes = (
        rounding.left(np.abs(end), scale_exactly(of))
        for end, of in ((low, value.high), (high, value.low))
    )
    found = rounding.outward(low, high, tuple(sizes))
    lost = inside | nothing
    # next to 0 a finite inverse of a huge end would be rounded past it
    low = np.where(value.low >= 0.0, np.maximum(found.low, 0.0), found.low)
    high = np.where(value.high <= 0.0, np.minimum(found.high, 0.0), found.high)
    return chosen(lost, everything(len(low)), Range(low, high))


def factor(product: Range, other: Range, rounding: Rounding) -> Range:
    """What x may be where x times `other` is `product`."""
    found = multiplied(product, inverse(other, rounding), rounding)
    anything = product.holds_zero & other.holds_zero
    return chosen(anything, everything(len(found.low)), found)


def greatest(one: Range, two: Range) -> Range:
    """The maximum row by row."""
    return Range(np.maximum(one.low, two.low), np.maximum(one.high, two.high))


def mirrored(size: Range, before: Range) -> Range:
    """What x may be where |x| is in `size` and x in `before`."""
    least, most = np.maximum(size.low, 0.0), size.high
    low = np.where(before.low > -least, least, -most)
    high = np.where(before.high < least, -least, most)
    return Range(low, high)
