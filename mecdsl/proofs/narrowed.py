"""A part of an instance: columns within ranges, with every bound that the rows then imply.

What is bounded, shifted and scaled anew is easier to solve than the whole: with a switch at 0 the
power behind it is 0 and not 1e-10 of its M.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mecdsl.analysis.propagation.box import implied_box
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray
from mecdsl.results.measures import measures


@dataclass(frozen=True, slots=True, eq=False)
class Ranges:
    """Lower and upper end of every column."""

    lower: FloatArray
    upper: FloatArray

    def split(self, column: int, value: float) -> "list[Ranges]":
        """Below the value of a whole column, at it, and above it; what is empty is left out."""
        ends = (
            (self.lower[column], value - 1.0),
            (value, value),
            (value + 1.0, self.upper[column]),
        )
        return [self._with(column, low, high) for low, high in ends if low <= high]

    def at(self, whole: NDArray[np.bool_], x: FloatArray) -> "Ranges":
        """With whole columns at their values in a point."""
        value = np.clip(np.round(x), self.lower, self.upper)
        return Ranges(np.where(whole, value, self.lower), np.where(whole, value, self.upper))

    def _with(self, column: int, low: float, high: float) -> "Ranges":
        lower, upper = self.lower.copy(), self.upper.copy()
        lower[column], upper[column] = low, high
        return Ranges(lower, upper)


def narrowed(instance: Instance, ranges: Ranges, near: FloatArray | None = None) -> Instance | None:
    """The instance within ranges; None where bounds propagated through the rows leave no point
    there.

    `near`: a point; columns are then scaled by what matters at it, and not by how far away their
    bounds are. The columns and rows are those of the instance, so that a point of the one is a
    point of the other.
    """
    within = replace(instance, lower=ranges.lower, upper=ranges.upper)
    box = implied_box(within)
    if box.contradiction is not None and box.contradiction.beyond_tolerance:
        return None
    free = instance.free
    lower = np.where(free, np.maximum(ranges.lower, box.lower), ranges.lower) + 0.0
    upper = np.where(free, np.minimum(ranges.upper, box.upper), ranges.upper) + 0.0
    if (lower > upper)[free].any():  # by rounding
        lower, upper = ranges.lower, ranges.upper
    fixed = np.where(free & (lower == upper), lower, instance.fixed)
    start = instance.start
    if near is not None:
        matters = measures(within, near).scale
        start = np.where(matters > 0.0, np.clip(matters, lower, upper), start)
    return replace(instance, lower=lower, upper=upper, fixed=fixed, start=start)
