"""The parts curvature is made of: flags, ranges, monomials, ratios. Arrays have one entry per row
of a family.

A flag that is set is proven; one that is not set says nothing. Ranges are those of
`mecdsl.analysis.propagation`, rounded outwards by `ROUNDING`; data are rounded themselves, so a
sign is judged with an allowance (`nonnegative`).
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mecdsl.analysis.propagation.ranges import Flags, Range, Rounding, chosen
from mecdsl.instances.tables import FloatArray, IntArray

ROUNDING: Final = Rounding()

SAME = 1e-11  # relative distance of two probes of the same function
NEAR_ZERO = 1e-14  # of the upper end: a lower end this little below 0 is round-off of data
LARGEST_NEAR_ZERO = 1e-6  # SI; the most that counts, where an upper end like 1e20 stands for none
NEAR_ZERO_OPEN = 1e-15  # where there is no upper end
PROBES = 3  # random directions
MOST_FACTORS = 12


@dataclass(frozen=True, slots=True, eq=False)
class Bend:
    """Flags: proven convex, proven concave; both mean affine."""

    convex: Flags
    concave: Flags

    @classmethod
    def everywhere(cls, size: int, value: bool) -> "Bend":
        """The same flags for every row."""
        return cls(np.full(size, value), np.full(size, value))

    @property
    def affine(self) -> Flags:
        """Both."""
        return self.convex & self.concave

    def take(self, rows: IntArray) -> "Bend":
        """The given rows."""
        return Bend(self.convex[rows], self.concave[rows])

    def both(self, other: "Bend") -> "Bend":
        """Proven in both: the bend of a sum."""
        return Bend(self.convex & other.convex, self.concave & other.concave)

    def either(self, other: "Bend") -> "Bend":
        """Proven in one of two ways."""
        return Bend(self.convex | other.convex, self.concave | other.concave)

    def where(self, rows: Flags) -> "Bend":
        """The flags where `rows`, none elsewhere."""
        return Bend(self.convex & rows, self.concave & rows)

    def scaled(self, factor: FloatArray) -> "Bend":
        """The bend of factor times the function; a factor that is not finite proves nothing."""
        finite = np.isfinite(factor)
        up, down, zero = finite & (factor > 0.0), finite & (factor < 0.0), factor == 0.0
        return Bend(
            (up & self.convex) | (down & self.concave) | zero,
            (up & self.concave) | (down & self.convex) | zero,
        )


def nonnegative(ends: Range) -> Flags:
    """At least 0, up to round-off in the data."""
    plain = np.asarray(ends.low >= 0.0)
    if (plain | (ends.low < -LARGEST_NEAR_ZERO)).all():
        return plain
    with np.errstate(all="ignore"):
        allowance = np.clip(NEAR_ZERO * ends.high, 0.0, LARGEST_NEAR_ZERO)
        allowance = np.where(np.isfinite(ends.high), allowance, NEAR_ZERO_OPEN)
    return np.asarray(ends.low >= -allowance)


def nonpositive(ends: Range) -> Flags:
    """At most 0, up to round-off in the data."""
    return nonnegative(-ends)


def signed(ends: Range) -> Range:
    """The ends, at 0 where they are beyond it by round-off."""
    low = np.where(nonnegative(ends), np.maximum(ends.low, 0.0), ends.low)
    return Range(low, np.where(nonpositive(ends), np.minimum(ends.high, 0.0), ends.high))


def inside(one: Range, two: Range) -> Range:
    """What two proven ranges have in common; if they miss each other by round-off, the first."""
    found = one.both(two)
    return chosen(found.empty, one, found)


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """base^exponent in a monomial. The base is affine where it has a probe."""

    probe: FloatArray
    ends: Range
    bend: Bend
    exponent: FloatArray

    def take(self, rows: IntArray) -> "Factor":
        """The given rows."""
        return Factor(
            self.probe[rows], self.ends.take(rows), self.bend.take(rows), self.exponent[rows]
        )


@dataclass(frozen=True, slots=True, eq=False)
class Monomial:
    """coefficient * product of factors; nan: the row is no monomial."""

    coefficient: FloatArray
    factors: tuple[Factor, ...]

    def take(self, rows: IntArray) -> "Monomial":
        """The given rows."""
        return Monomial(self.coefficient[rows], tuple(factor.take(rows) for factor in self.factors))


@dataclass(frozen=True, slots=True, eq=False)
class Ratio:
    """The bend of g, where the value is g(x/t, 1/t) and t the affine function of the probe,
    positive on the box.
    """

    probe: FloatArray
    bend: Bend

    def take(self, rows: IntArray) -> "Ratio":
        """The given rows."""
        return Ratio(self.probe[rows], self.bend.take(rows))


def multiple(one: FloatArray, two: FloatArray) -> FloatArray:
    """k where the linear part of two is k times that of one, as affine functions; nan elsewhere."""
    with np.errstate(all="ignore"):
        place = np.argmax(np.abs(one[:, :PROBES]), axis=1)
        rows = np.arange(len(one))
        ratio = two[rows, place] / one[rows, place]
        expected = one[:, :PROBES] * ratio[:, None]
        size = np.abs(expected).max(axis=1, initial=0.0)
        linear = (np.abs(two[:, :PROBES] - expected) <= SAME * size[:, None]).all(axis=1)
    return np.where(linear & (ratio != 0.0), ratio, np.nan)


def proportion(one: FloatArray, two: FloatArray) -> FloatArray:
    """k where two = k one as affine functions, with k > 0; nan elsewhere."""
    ratio = multiple(one, two)
    with np.errstate(all="ignore"):
        expected = one[:, PROBES] * ratio
        constant = np.abs(two[:, PROBES] - expected) <= SAME * np.abs(expected)
    return np.where(constant & (ratio > 0.0), ratio, np.nan)
