"""A ray along which a model has no end, followed by the verifier from a feasible point.

The model is solved twice with its open ends closed, a thousand and a million typical sizes away.
The points are verified, and from the second one the way goes on in the same direction: it must
cross no bound, keep every row at each length, up to where squares leave the numbers of a computer,
and the objective must gain at every step no less than at the first. So `ln x` has no end;
`1 - 1/x`, which also rises for ever, has one, and so has `x - 1e-15 x^2`. Rows are held to a
thousandth of what the verifier lets pass and the gain must be a share of the terms of the
objective: else the rounding of a direction along `x - y <= 3` would pass for a gain of `x - y`.
"""

from dataclasses import replace
from typing import Final

import numpy as np

from mecdsl.analysis.magnitude import Magnitudes, size_of, value_of
from mecdsl.analysis.scaling import scale
from mecdsl.backend import Request
from mecdsl.backends import table
from mecdsl.instances.evaluate import Evaluator
from mecdsl.instances.instance import ConstraintFamily, Instance, difference
from mecdsl.instances.tables import FloatArray
from mecdsl.results.judge import polish
from mecdsl.results.violations import broken
from mecdsl.solution import Solution

SECONDS: Final = 5.0  # s for each of the two solves
NEAR: Final = 1e3  # typical sizes
FAR: Final = 1e6
LENGTHS: Final = (0.0, *(2.0**k for k in range(13)), *(2.0**k for k in range(32, 1000, 20)))
LARGEST: Final = 1e150  # SI; the square of a larger number overflows
STEADY: Final = 0.9  # of the gain of the first doubling
KEPT: Final = 1e-9  # of the terms of a row
GAIN: Final = 1e-4  # of the terms of the objective


def ray_proof(request: Request) -> str:
    """What proves that the model has no end, in words; empty if no ray was found."""
    instance = request.instance
    near, far = (_point(request, _closed(instance, reach)) for reach in (NEAR, FAR))
    if near is None or far is None:
        return ""
    way = np.where(instance.free, far - near, 0.0)
    way[np.abs(way) <= 1e-9 * np.abs(far)] = 0.0
    for direction in (way, _open_part(instance, way)):
        if follows(instance, near, direction):
            column = instance.column_name(int(np.argmax(np.abs(direction))))
            return (
                f"a ray from a feasible point along `{column}` keeps every row while the "
                "objective gains steadily"
            )
    return ""


def _open_part(instance: Instance, way: FloatArray) -> FloatArray:
    """The direction without the columns that have an end in its way: they stay where they are."""
    end = np.where(way > 0.0, instance.upper, instance.lower)
    return np.where(np.isinf(end), way, 0.0)


def follows(instance: Instance, point: FloatArray, way: FloatArray) -> bool:
    """Whether the way from a point keeps the model at every length while the objective gains
    steadily.
    """
    moving = way != 0.0
    end = np.where(way > 0.0, instance.upper, instance.lower)
    if not moving.any() or np.isfinite(end[moving]).any():
        return False
    sign = -1.0 if instance.maximize else 1.0
    values, sizes = [], []
    for length in LENGTHS:
        x = point + length * way
        if np.abs(x).max() > LARGEST:
            break
        evaluator = instance.evaluator(Magnitudes(x))
        with np.errstate(all="ignore"):
            if not all(_kept(evaluator, family) for family in instance.constraints if family.size):
                return False
            goal = instance.goal.value(evaluator)
        values.append(sign * float(np.atleast_1d(value_of(goal))[0]))
        sizes.append(float(np.atleast_1d(size_of(goal))[0]))
    gains = -np.diff(values)[1:]
    if not np.isfinite(gains).all() or not (gains >= STEADY * gains[0]).all():
        return False
    return bool(
        (gains > GAIN * np.diff(sizes)[1:]).all() and (gains > KEPT * np.array(sizes[2:])).all()
    )


def _kept(evaluator: Evaluator, family: ConstraintFamily) -> bool:
    """Whether every row of a family holds to a small share of its terms."""
    found = difference(evaluator, family)
    value, size = np.asarray(value_of(found)), np.asarray(size_of(found))
    over = family.relation.excess(value)
    return bool((over <= KEPT * size).all())


def _closed(instance: Instance, reach: float) -> Instance:
    """The instance with its open ends at a distance of so many typical sizes."""
    size = np.maximum(scale(instance).size, 1e-12)
    far = np.ceil(reach * np.maximum(size, np.where(instance.integral, 1.0, 0.0)))
    low = np.where(np.isfinite(instance.upper), instance.upper, 0.0)
    high = np.where(np.isfinite(instance.lower), instance.lower, 0.0)
    far = np.where(instance.integral, far, reach * size)
    lower = np.where(np.isneginf(instance.lower), np.minimum(low, 0.0) - far, instance.lower)
    upper = np.where(np.isposinf(instance.upper), np.maximum(high, 0.0) + far, instance.upper)
    return replace(instance, lower=lower, upper=upper)


def _point(request: Request, closed: Instance) -> FloatArray | None:
    """A point of the closed model that keeps the model itself, from a backend that takes it."""
    limit = request.options.time_limit
    options = replace(
        request.options,
        time_limit=SECONDS if limit is None else min(SECONDS, limit),
        raw={},
        start=None,
        log=False,
    )
    asked = replace(request, instance=closed, options=options)
    for name in ("highs", "scip", "ipopt"):
        backend = table.load(name)
        if not backend.availability().available or not backend.accepts(asked).accepted:
            continue
        solution: Solution = backend.solve(asked)
        if solution.values is None:
            continue
        x = polish(request.instance, solution.values)
        if not broken(request.instance, x):
            return x
    return None
