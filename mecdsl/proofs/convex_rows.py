"""A proof that no point keeps the rows of a convex problem, from multipliers that a solver claims.

With rows g_i <= 0 convex, g_i >= 0 concave, equalities affine, and multipliers of the right sign
(`mecdsl.certificates.lagrangian`), the sum of the multiplied rows

    S(x) = - sum m_i g_i(x)

is convex and at most 0 at every feasible point. Its least value within the bounds, by its slope at
any point (`mecdsl.certificates.dual_bound`), proves that there is none where it is above 0. For
linear rows this is the lemma of Farkas; whose multipliers they are does not matter.
"""

from dataclasses import replace

import numpy as np

from mecdsl.analysis.implied_bounds import implied_bounds
from mecdsl.backend import Request
from mecdsl.certificates.dual_bound import least_value
from mecdsl.certificates.lagrangian import flat_multipliers, lagrangian, right_signed
from mecdsl.solution import Solution

WORDS = "the rows, with the multipliers that `{backend}` found, add up to what no point keeps"


def convex_proof(request: Request, solution: Solution) -> str:
    """Why no point keeps the rows, in words; empty where the claimed multipliers do not prove it.

    They are `Solution.multipliers`, for the slopes at `Solution.multipliers_at`.
    """
    instance, point = request.instance, solution.multipliers_at
    flat = flat_multipliers(instance, solution.multipliers)
    if point is None or flat is None or not flat.any() or not request.problem.convex:
        return ""
    right = right_signed(instance, flat)
    whole = lagrangian(instance, point, right)
    goal = lagrangian(instance, point, np.zeros(instance.rows))
    rows = replace(
        whole,
        objective=0.0,
        objective_size=0.0,
        slope=whole.slope - goal.slope,
        slope_size=whole.slope_size + goal.slope_size,
    )
    if not np.isfinite(rows.slope).all() or not np.isfinite(rows.value):
        return ""
    least = least_value(rows, point, implied_bounds(instance), np.zeros(instance.columns))
    return WORDS.format(backend=solution.backend) if least > 0.0 else ""
