"""The parts curvature is made of: flags, ranges, monomials, ratios. Arrays have one entry per row
of a family.

A flag that is set is proven; one that is not set says nothing. Ranges are those of interval
arithmetic without outward rounding, so a sign is judged with an allowance (`Ends.nonnegative`).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mecdsl.instances.tables import FloatArray, IntArray

Flags = NDArray[np.bool_]

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


@dataclass(frozen=True, slots=True, eq=False)
class Ends:
    """Lower and upper end of the range."""

    low: FloatArray
    high: FloatArray

    @property
    def nonnegative(self) -> Flags:
        """At least 0, up to round-off in the data."""
        with np.errstate(all="ignore"):
            allowance = np.clip(NEAR_ZERO * self.high, 0.0, LARGEST_NEAR_ZERO)
            allowance = np.where(np.isfinite(self.high), allowance, NEAR_ZERO_OPEN)
        return np.asarray(self.low >= -allowance)

    @property
    def nonpositive(self) -> Flags:
        """At most 0."""
        return Ends(-self.high, -self.low).nonnegative

    def take(self, rows: IntArray) -> "Ends":
        """The given rows."""
        return Ends(self.low[rows], self.high[rows])

    def scaled(self, factor: FloatArray) -> "Ends":
        """The range of factor times the value."""
        with np.errstate(all="ignore"):
            one, two = _no_nan(self.low * factor), _no_nan(self.high * factor)
        known = np.isfinite(factor)
        return Ends(
            np.where(known, np.minimum(one, two), -np.inf),
            np.where(known, np.maximum(one, two), np.inf),
        )

    def times(self, other: "Ends") -> "Ends":
        """The range of a product of two values."""
        with np.errstate(all="ignore"):
            corners = [
                _no_nan(a * b) for a in (self.low, self.high) for b in (other.low, other.high)
            ]
        return Ends(np.minimum.reduce(corners), np.maximum.reduce(corners))

    def inside(self, other: "Ends") -> "Ends":
        """What two proven ranges have in common; if they miss each other by round-off, the
        first.
        """
        low, high = np.fmax(self.low, other.low), np.fmin(self.high, other.high)
        wrong = low > high
        return Ends(np.where(wrong, self.low, low), np.where(wrong, self.high, high))

    def power(self, exponent: FloatArray) -> "Ends":
        """The range of the value to the power; off the domain the whole line."""
        negative = self.nonpositive & ~self.nonnegative
        with np.errstate(all="ignore"):
            one = np.power(
                np.where(self.nonnegative, np.maximum(self.low, 0.0) + 0.0, self.low), exponent
            )
            two = np.power(np.where(negative & (self.high >= 0.0), -0.0, self.high), exponent)
        low, high = np.minimum(one, two), np.maximum(one, two)
        mixed = ~self.nonnegative & ~self.nonpositive
        whole = np.round(exponent) == exponent
        low = np.where(mixed & (np.mod(exponent, 2.0) == 0.0), np.minimum(low, 0.0), low)
        bad = (mixed & ((exponent < 0.0) | ~whole)) | np.isnan(low)
        return Ends(np.where(bad, -np.inf, low), np.where(bad, np.inf, high))


def _no_nan(values: FloatArray) -> FloatArray:
    """Products of ends where 0 times infinity is 0."""
    return np.where(np.isnan(values), 0.0, values)


@dataclass(frozen=True, slots=True, eq=False)
class Factor:
    """base^exponent in a monomial. The base is affine where it has a probe."""

    probe: FloatArray
    ends: Ends
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
