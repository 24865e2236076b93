"""What first-order conditions and convexity say of an answer, found out without its solver."""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mecdsl.analysis.scaling import Scaling, scale
from mecdsl.certificates.dual_bound import dual_bound
from mecdsl.certificates.kkt import TOLERANCE, Kkt, kkt
from mecdsl.certificates.lagrangian import flat_multipliers, is_smooth
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray
from mecdsl.solution import Solution

SAME_POINT: Final = 1e-6  # of the size of a column: the tolerance of `verify` for a bound
BY_CONVEXITY: Final = "convexity and the multipliers"


@dataclass(frozen=True, slots=True)
class Certificate:
    """`kkt`: the conditions at the point with the claimed multipliers; None where they do not
    apply.

    `bound`: a proven bound on the optimum from convexity and the multipliers, or None. `fault`: why
    the claimed multipliers do not certify the point; empty if they do or none are claimed.
    """

    kkt: Kkt | None = None
    bound: float | None = None
    fault: str = ""


def certify(instance: Instance, solution: Solution, x: FloatArray, convex: bool) -> Certificate:
    """The certificate of a feasible point. `convex`: the problem is proven convex.

    Integer variables and functions without one gradient (`min`, `max`, `abs`) have no first-order
    conditions here. A problem without constraints needs no multipliers; else nothing is said where
    none are claimed.
    """
    claimed = bool(solution.multipliers)
    if bool((instance.integral & instance.free).any()) or not (claimed or not instance.rows):
        return Certificate()
    multipliers = flat_multipliers(instance, solution.multipliers)
    if multipliers is None:
        return Certificate(fault="the claimed multipliers do not fit the constraints")
    if not is_smooth(instance):
        return Certificate()
    scaling = scale(instance)
    points = _points(instance, solution, x, scaling)
    conditions = _conditions(instance, points, multipliers, scaling)
    bound = None
    for point in points if convex else ():
        bound = tighter(instance, bound, dual_bound(instance, point, multipliers, scaling))
    fault = ""
    # a claim with a bound of its own rests on that; one without, of a problem without rows, on the
    # slopes alone
    if (claimed or solution.bound is None) and conditions is not None and not conditions.accepted:
        who = "the multipliers do" if claimed else "first-order conditions do"
        fault = f"{who} not certify the point: {conditions.fault()}, more than {TOLERANCE:g}"
    return Certificate(conditions, bound, fault)


def _points(
    instance: Instance, solution: Solution, x: FloatArray, scaling: Scaling
) -> tuple[FloatArray, ...]:
    """The point, and the one the multipliers belong to where that is another and all but the
    same.
    """
    other = solution.multipliers_at
    if other is None or other.shape != x.shape or not np.isfinite(other).all():
        return (x,)
    other = instance.complete(other)
    near = np.abs(other - x) <= SAME_POINT * np.maximum(np.abs(x), scaling.size)
    return (x, other) if near.all() and (other != x).any() else (x,)


def _conditions(
    instance: Instance, points: tuple[FloatArray, ...], multipliers: FloatArray, scaling: Scaling
) -> Kkt | None:
    """The conditions at the first point where they hold, else at the best."""
    best: Kkt | None = None
    for point in points:
        conditions = kkt(instance, point, multipliers, scaling)
        if conditions is not None and (best is None or conditions.worst < best.worst):
            best = conditions
        if best is not None and best.accepted:
            break
    return best


def tighter(instance: Instance, first: float | None, second: float | None) -> float | None:
    """The better of two bounds on the optimum, either of which may be unknown."""
    known = [bound for bound in (first, second) if bound is not None and np.isfinite(bound)]
    if not known:
        return None
    return min(known) if instance.maximize else max(known)
