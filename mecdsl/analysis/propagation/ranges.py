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
OUTWARD: Final = np.array([[-1.0], [1.0]])  # the way of a lower and of an upper end
OPEN: Final = np.array([[-np.inf], [np.inf]])
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

    @property
    def ends(self) -> FloatArray:
        """Both ends, float64[2, n]."""
        return np.array([self.low, self.high])

    def both(self, other: "Range") -> "Range":
        """What is in both."""
        return Range(np.maximum(self.low, other.low), np.minimum(self.high, other.high))

    def __neg__(self) -> "Range":
        return Range(-self.high, -self.low)


@dataclass(frozen=True, slots=True)
class Rounding:
    """How far results are widened, relative to their size."""

    unit: float = UNIT

    def outward(
        self, ends: FloatArray, sizes: FloatArray, exact: Any = False, unrounded: Any = False
    ) -> Range:
        """Lower and upper ends, float64[2, n], moved outwards by `unit` times their sizes.

        `exact`: rows of whole numbers, which are kept. `unrounded`: ends that were computed
        without rounding, which are kept unless the unit is a tolerance.
        """
        slack = self.unit * sizes + TINY
        moves = (sizes > 0.0) & (slack < np.inf) & ~(exact & (sizes <= EXACT))
        if self.unit <= MOST_ROUNDING:
            moves &= ~np.asarray(unrounded)
        moved = ends + np.where(moves, slack, 0.0) * OUTWARD
        moved = np.where(np.isnan(moved), OPEN, moved)
        return Range(np.minimum(moved[0], LARGEST), np.maximum(moved[1], -LARGEST))


def are_whole(values: FloatArray) -> Flags:
    """Whole numbers that doubles tell apart from their neighbours."""
    return np.asarray((np.abs(values) <= EXACT) & (np.rint(values) == values))


def scale_exactly(values: FloatArray) -> Flags:
    """Powers of 2 with either sign, 0 and infinity: a product with them is not rounded."""
    mantissa, _ = np.frexp(values)
    size = np.abs(mantissa)
    return np.asarray((size == 0.5) | (size == 0.0) | (size == np.inf))


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
    first, second = one.ends, two.ends
    total, sizes = first + second, np.abs(first) + np.abs(second)
    whole = (np.rint(first) == first) & (np.rint(second) == second) & (sizes <= EXACT)
    return rounding.outward(total, sizes, exact, whole | (total == 0.0))


def multiplied(one: Range, two: Range, rounding: Rounding, exact: Any = False) -> Range:
    """The product row by row."""
    first, second = one.ends, two.ends
    corners = np.concatenate([first * second, first * second[::-1]])
    corners = np.where(np.isnan(corners), 0.0, corners)
    ends = np.array([corners.min(axis=0), corners.max(axis=0)])
    factors = np.array([first, second])
    if ((factors != 0.0) & (np.abs(factors) < SMALL_FACTOR)).any():  # may underflow
        return rounding.outward(ends, np.abs(ends) + TINY, exact)
    whole = (np.rint(factors) == factors).all(axis=(0, 1)) & (np.abs(ends) <= EXACT)
    scaled = scale_exactly(factors).all(axis=1).any(axis=0)
    return rounding.outward(ends, np.abs(ends), exact, whole | scaled)


def inverse(value: Range, rounding: Rounding) -> Range:
    """1/value; a range that only ends at 0 keeps its sign, one with 0 inside becomes the whole
    line.
    """
    inside = (value.low < 0.0) & (value.high > 0.0)
    nothing = (value.low == 0.0) & (value.high == 0.0)
    low = np.where(value.high == 0.0, -np.inf, 1.0 / value.high)
    high = np.where(value.low == 0.0, np.inf, 1.0 / value.low)
    ends = np.array([low, high])
    found = rounding.outward(ends, np.abs(ends), unrounded=scale_exactly(value.ends[::-1]))
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
