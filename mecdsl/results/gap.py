"""What is a gap: the one rule by which an objective is compared with a bound.

The relative gap is

    |objective - bound| / size,   size = max(|objective|, |bound|),

both numbers with and without the offset of the objective (`mecdsl.analysis.objective_offset`, and
the origins of clocks, `mecdsl.analysis.origins`), and the lesser size of the two counts: a fixed
cost of 1e9 hides nothing, and neither does what a constant was subtracted from. Terms that cancel
are no size, nor is a penalty that is not paid.

An optimum of 0 has no size. Where both numbers are less than `ZERO` times what matters in the
objective, the least of its terms with every variable at its scale (`mecdsl.results.measures`), they
are 0 but for rounding, and that is their size. A difference no larger than the rounding errors of
evaluating the objective is none.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from mecdsl.analysis.loose_terms import Least, Looseness
from mecdsl.analysis.objective_offset import objective_offset
from mecdsl.analysis.origins import origins
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import EXPLORED, FloatArray, TooManyRows
from mecdsl.model.classes import Degree
from mecdsl.results.measures import ROUNDING_SAFETY, measures

ZERO: Final = 1e-8


@dataclass(frozen=True, slots=True, eq=False)
class ObjectiveSize:
    """What differences of an objective are relative to, in SI.

    `offset`: the data added in it; `rounding`: how far its value may be off by rounding. `least`:
    what matters in it, as a function, for it is needed only where an optimum is near 0.
    """

    offset: float = 0.0
    rounding: float = 0.0
    least: Callable[[], float] = lambda: 0.0

    def relative(self, objective: float | None, bound: float | None) -> float | None:
        """The relative gap between two values of the objective; None where one is not known."""
        if objective is None or bound is None:
            return None
        apart = abs(objective - bound)
        if apart <= self.rounding:
            return 0.0
        if not np.isfinite(apart):
            return float("inf")
        if apart <= 2.0 * self._size(objective, bound) * np.finfo(np.float64).eps:
            return 0.0
        return apart / self.scale(objective, bound, apart)

    def scale(self, first: float, second: float, apart: float) -> float:
        """What the difference of two finite values is relative to; `apart`: the largest difference
        that matters.
        """
        size = self._size(first, second)
        least = self.least() if apart > ZERO * size else 0.0
        return max(least if size <= ZERO * least else size, 1e-300)

    def _size(self, first: float, second: float) -> float:
        with_offset = max(abs(first), abs(second))
        return min(with_offset, max(abs(first - self.offset), abs(second - self.offset)))

    def plain(self, objective: float | None, bound: float | None) -> float | None:
        """The gap relative to the numbers as they stand, offset and all."""
        if objective is None or bound is None:
            return None
        return abs(objective - bound) / max(abs(objective), abs(bound), 1e-300)


def objective_size(instance: Instance, x: FloatArray) -> ObjectiveSize:
    """The size of the objective of an instance near a point."""
    nothing = np.zeros(instance.columns)
    with np.errstate(all="ignore"):
        value = instance.goal.value(instance.evaluator(Looseness(x, nothing)))
    error = float(np.ravel(getattr(value, "error", 0.0))[0])
    return ObjectiveSize(
        offset=_offset(instance),
        rounding=ROUNDING_SAFETY * error if np.isfinite(error) else 0.0,
        least=cache(lambda: _least(instance, x)),
    )


def _offset(instance: Instance) -> float:
    """The data added in the objective, and what clocks show at their origin where it is linear."""
    start = origins(instance)
    if not start.any() or instance.goal.shape.degree > Degree.LINEAR:
        return objective_offset(instance)
    at_origin = instance.objective(np.where(instance.free, start, instance.fixed))
    return at_origin if np.isfinite(at_origin) else 0.0


def _least(instance: Instance, x: FloatArray) -> float:
    """The least term of the objective with every variable at its scale; 0, which says nothing,
    where there are too many to look at.
    """
    with np.errstate(all="ignore"):
        scales = np.where(instance.integral & instance.free, 1.0, measures(instance, x).scale)
        algebra = Looseness(np.where(scales > 0.0, scales, x), scales, Least)
        evaluator = instance.evaluator(algebra)
        evaluator.most = EXPLORED
        try:
            value = instance.goal.value(evaluator)
        except TooManyRows:
            return 0.0
    least = float(np.ravel(getattr(value, "loose", 0.0))[0])
    return least if np.isfinite(least) else 0.0
