"""Ranges and signs of expressions at a place, over every point that keeps the bounds and the linear
rows.

Not over the box that all rows imply: a row that is lowered must not take for known what it says
itself. `sqrt(x) <= 1.5` leaves x no negative value, and `x <= 2.25`, which would stand in its
place, does.
"""

import numpy as np

from mecdsl.analysis.implied_bounds import implied_bounds
from mecdsl.convexity.algebra import CurvatureEvaluator, Curvatures
from mecdsl.convexity.curvature import Curve
from mecdsl.instances.algebra import Floats
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray
from mecdsl.lowering.place import Place
from mecdsl.model import symbolic as sym

TINY = 1e-30  # SI


class Ranges:
    """Ranges of one instance; the box is found when it is first needed."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.plain = instance.evaluator(Floats(instance.first_point()))
        self.alive: list[
            sym.Expression
        ] = []  # evaluators know expressions by their id, which must not be used again
        self.evaluator: CurvatureEvaluator | None = None

    def of(self, expression: sym.Expression, place: Place) -> tuple[FloatArray, FloatArray]:
        """The least and the largest value on every row of a place; infinite where nothing is
        known.
        """
        if self.evaluator is None:
            self.evaluator = CurvatureEvaluator(
                self.instance.world, Curvatures(*_box(self.instance))
            )
        self.alive.append(expression)
        with np.errstate(all="ignore"):
            value = self.evaluator.family(expression, place.table)
            low, high = (
                (value.ends.low, value.ends.high) if isinstance(value, Curve) else (value, value)
            )
        low = np.asarray(low, dtype=np.float64)
        high = np.asarray(high, dtype=np.float64)
        return np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)

    def sign(self, expression: sym.Expression, place: Place) -> int:
        """1 where the value is nowhere negative, -1 where it is nowhere positive, else 0."""
        low, high = self.of(expression, place)
        return 1 if (low >= 0.0).all() else -1 if (high <= 0.0).all() else 0


def _box(instance: Instance) -> tuple[FloatArray, FloatArray]:
    """The box with the declared ends for those that are all but 0, such as 1e-74 after a row
    `x == 0`.

    As a big M or a bound such an end would pass for the size of the variable. Ends only ever move
    outward.
    """
    bounds = np.where(instance.free, (instance.lower, instance.upper), instance.fixed)
    implied = np.stack(implied_bounds(instance))
    if not (
        implied[0] <= implied[1]
    ).all():  # without a point the fault is that of whoever solves it
        implied = bounds
    lower, upper = np.where((np.abs(implied) < TINY) & (implied != 0.0), bounds, implied)
    return lower, upper
