"""A proven bound on the optimum of a convex problem from any point and any multipliers, without a
solver.

With a convex objective f (minimised), rows g_i <= 0 convex, g_i >= 0 concave, equalities affine,
and multipliers of the right sign (`mecdsl.certificates.lagrangian`) the Lagrangian L is convex and
L(x) <= f(x) at every feasible x. So for any point y of the domain, with r the gradient of L at y,

    f(x) >= L(x) >= L(y) + r . (x - y) >= L(y) + sum_j min over [l_j, u_j] of r_j (x_j - y_j).

The last is a number; l and u are the bounds of the columns and those that linear rows imply
(`implied_bounds`). Neither y nor the multipliers need to be optimal, only the bound is the better
the nearer they are: wrong signs are set to 0, and y may stand a little inside the bounds where a
derivative is infinite on them. Source: the Lagrangian dual of a convex program (Boyd and
Vandenberghe, Convex Optimization, 5.1 and 5.5), with the gradient inequality in place of an exact
minimisation of L.

A column may have no bound although no optimum lies far out. Only points at least as good as y
matter, and these keep `f'(y) . (x - y) <= 0` as f is convex: one more linear row. The bound is then
that of those points, or f(y) if it is less; for either the optimum is at most f(y), or it is above.

Where L is quadratic its curvature takes the place of missing bounds
(`mecdsl.certificates.curvature_floor`).

Rounding: the bound is lowered by `ROUNDING` times the sizes of everything that was added up, the
terms of L and, per column, the terms of its slope times the way it goes. The evaluator's errors are
a few units in the last place of each term. This is an allowance, not a proof: a rigorous enclosure
would need directed rounding, which NumPy has not.
"""

from typing import Final

import numpy as np

from mecdsl.analysis.implied_bounds import implied_bounds
from mecdsl.analysis.scaling import Scaling, scale
from mecdsl.certificates.curvature_floor import curvature_floor
from mecdsl.certificates.kkt import regular
from mecdsl.certificates.lagrangian import Lagrangian, lagrangian, right_signed, sense
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray

ROUNDING: Final = 16 * float(np.finfo(np.float64).eps)


def dual_bound(
    instance: Instance, x: FloatArray, multipliers: FloatArray, scaling: Scaling | None = None
) -> float | None:
    """A bound on the optimum in SI and in the sense of the model: below a minimum, above a maximum.

    `multipliers`: one per row. `scaling`: of the instance, where it is known already. For
    continuous problems that are proven convex, which the caller must know. None where nothing
    finite comes out.
    """
    right, scaling = right_signed(instance, multipliers), scaling or scale(instance)
    regular_point = regular(instance, x, right, scaling)
    if regular_point is None:
        return None
    point, at = regular_point
    lower, upper = implied_bounds(instance, cut=_as_good(instance, point))
    empty = bool((lower > upper).any())  # no feasible point is as good as this one
    curvature = curvature_floor(instance, right, scaling.size)
    bound = (
        at.objective
        if empty
        else min(least_value(at, point, (lower, upper), curvature), at.objective)
    )
    return sense(instance) * bound if np.isfinite(bound) else None


def _as_good(instance: Instance, point: FloatArray) -> tuple[FloatArray, float] | None:
    """The row that points at least as good as this one keep; None where the objective has no finite
    slope.
    """
    slope = lagrangian(instance, point, np.zeros(instance.rows)).slope
    if not np.isfinite(slope).all():
        return None
    terms = slope * point
    return slope, float(terms.sum()) + ROUNDING * len(terms) * float(np.abs(terms).sum())


def least_value(
    at: Lagrangian, point: FloatArray, box: tuple[FloatArray, FloatArray], curvature: FloatArray
) -> float:
    """The least of L over a box by its slope and the least curvature, less an allowance for
    rounding.

    -inf where a column has neither an end on the side its slope points to nor curvature.
    """
    moving = np.flatnonzero(at.slope_size)
    slope, size, bend = at.slope[moving], at.slope_size[moving], curvature[moving]
    below, above = (end[moving] - point[moving] for end in box)
    with np.errstate(invalid="ignore", divide="ignore"):
        toward = np.where(
            bend > 0.0, -slope / bend, np.where(slope == 0.0, 0.0, -np.sign(slope) * np.inf)
        )
        step = np.clip(toward, below, above)
        change = np.where(step == 0.0, 0.0, step * slope) + np.where(
            bend > 0.0, 0.5 * bend * step**2, 0.0
        )
        # a slope of rounding size may truly point to the other end
        ends = np.maximum(*(np.where(np.isfinite(end), np.abs(end), 0.0) for end in (below, above)))
        width = np.maximum(np.abs(step), np.where(bend > 0.0, 0.0, ends))
        allowance = size * np.where(slope == 0.0, 0.0, width)
    return at.value + float(change.sum()) - ROUNDING * (at.size + float(allowance.sum()))
