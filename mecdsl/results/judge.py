"""The point of a solution, brought onto what it claims to be and measured against the model.

Integer columns are rounded and overshoot of a bound within tolerance is cut off. Then objective and
residuals are evaluated; `mecdsl.results.violations` says what a violation is.
"""

import math
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from mecdsl.analysis.display_units import residual_text
from mecdsl.instances.instance import Instance
from mecdsl.instances.reformulations import onto_products
from mecdsl.instances.tables import FloatArray
from mecdsl.results.gap import ObjectiveSize, objective_size
from mecdsl.results.measures import TOLERANCE
from mecdsl.results.repair import mended
from mecdsl.results.violations import Violation, find_violations
from mecdsl.solution import Guarantee, Solution

INTEGRALITY_TOLERANCE: Final = 1e-5
OBJECTIVE_TOLERANCE: Final = 1e-6


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class JudgedPoint:
    """The point of a solution after polishing and repair, its objective and the size of that, and
    what it violates.

    `solution`: what is left of the claims where a repair changed the objective. `repairs`: what was
    done, in words. `faults`: what is wrong with point or claims.
    """

    instance: Instance
    solution: Solution
    x: FloatArray
    objective: float
    size: ObjectiveSize
    violations: tuple[Violation, ...]
    repairs: tuple[str, ...]
    faults: tuple[str, ...]


def judge(instance: Instance, solution: Solution, repair: bool) -> JudgedPoint:
    """Measure the point that a solution has.

    `repair`: where it misses rows by little it is mended first.
    """
    assert solution.values is not None
    x = polish(instance, solution.values)
    violations = find_violations(instance, x)
    repairs: tuple[str, ...] = ()
    claimed_objective = instance.objective(x)
    if repair and any(not violation.accepted for violation in violations):
        x, violations, repairs = _repaired(instance, x, violations)
    objective = instance.objective(x) if repairs else claimed_objective
    size = objective_size(instance, x)
    faults = _faults(instance, solution, (claimed_objective, objective), violations, size)
    if repairs and apart(size, claimed_objective, objective, OBJECTIVE_TOLERANCE):
        # the claim was about a point whose worth came from what it missed, and says nothing of this
        # one
        weaker = min(solution.guarantee, Guarantee.FEASIBLE, key=_strength)
        solution = replace(solution, bound=None, guarantee=weaker)
    return JudgedPoint(
        instance=instance,
        solution=solution,
        x=x,
        objective=objective,
        size=size,
        violations=violations,
        repairs=repairs,
        faults=faults,
    )


def polish(instance: Instance, values: FloatArray) -> FloatArray:
    """The point with integers rounded and bounds kept, where that moves it by less than the
    tolerance.

    Nothing is forgiven here: what was moved is judged afterwards.
    """
    x = instance.complete(np.asarray(values, dtype=np.float64))
    rounded = np.round(x)
    near = instance.integral & (
        np.abs(x - rounded) <= INTEGRALITY_TOLERANCE * np.maximum(1.0, np.abs(x))
    )
    x = np.where(near, rounded, x)
    inside = np.clip(x, instance.lower, np.maximum(instance.lower, instance.upper))
    small = np.abs(x - inside) <= TOLERANCE * _family_scale(instance, x)
    x = np.where(instance.free & small, inside, x)
    return onto_products(instance, x, TOLERANCE * _family_scale(instance, x))


def _family_scale(instance: Instance, x: FloatArray) -> FloatArray:
    """For each column the largest number of its family at a point, 1, or its own bound where that
    is larger.
    """
    scale = np.ones(len(x))
    for family in instance.variables:
        if family.size:
            scale[family.columns] = np.abs(x[family.columns]).max()
    bounds = [np.where(np.isfinite(b), np.abs(b), 0.0) for b in (instance.lower, instance.upper)]
    return np.maximum(np.maximum(scale, 1e-9), np.maximum(*bounds))


def _repaired(
    instance: Instance, x: FloatArray, violations: tuple[Violation, ...]
) -> tuple[FloatArray, tuple[Violation, ...], tuple[str, ...]]:
    """The point, mended if that can be, with its violations, and what was done in words."""
    moved = mended(instance, x)
    if moved is None:
        return x, violations, ()
    worst = max((v for v in violations if not v.accepted), key=lambda violation: violation.relative)
    unit = "" if worst.unit == "1" else " " + worst.unit
    note = (
        f"moved onto `{worst.member}`, which the solver's point missed by {worst.amount:.2g}{unit}"
    )
    return moved, find_violations(instance, moved), (note,)


def _faults(
    instance: Instance,
    solution: Solution,
    objectives: tuple[float, float],
    violations: tuple[Violation, ...],
    size: ObjectiveSize,
) -> tuple[str, ...]:
    """What is wrong; `objectives`: at the solver's own point, and at the one that is judged."""
    at_claim, objective = objectives
    faults = [_fault(instance, violation) for violation in violations if not violation.accepted]
    if not math.isfinite(objective):
        faults.append("the objective is not a finite number at this point")
    elif solution.objective is not None and apart(
        size, at_claim, solution.objective, OBJECTIVE_TOLERANCE
    ):
        faults.append(f"the solver claims objective {solution.objective:.9g}, it is {at_claim:.9g}")
    if solution.bound is not None and math.isfinite(solution.bound) and math.isfinite(objective):
        beyond = solution.bound - objective if not instance.maximize else objective - solution.bound
        if beyond > 0.0 and apart(size, objective, solution.bound, 10 * OBJECTIVE_TOLERANCE):
            faults.append(
                f"the objective {objective:.9g} is better than the claimed bound "
                f"{solution.bound:.9g}"
            )
    return tuple(faults)


def _fault(instance: Instance, violation: Violation) -> str:
    """What is broken, by how much, and how much would be allowed."""
    amount, allowed = (
        residual_text(instance, violation.family, violation.member, number)
        for number in (violation.amount, violation.allowed)
    )
    if violation.family == "integrality":
        return f"`{violation.member}` is off a whole number by {amount}"
    room = "nothing is allowed" if violation.allowed == 0.0 else f"{allowed} is allowed"
    return f"`{violation.family}` is violated by {amount} at `{violation.member}`; {room}"


def apart(size: ObjectiveSize, first: float, second: float, tolerance: float) -> bool:
    """Whether two values of the objective differ by more than a share of its size."""
    found = size.relative(first, second)
    return found is None or not found <= tolerance


def _strength(guarantee: Guarantee) -> int:
    """Guarantees of points from none to the strongest."""
    order = (
        Guarantee.NONE,
        Guarantee.FEASIBLE,
        Guarantee.LOCAL,
        Guarantee.TO_GAP,
        Guarantee.GLOBAL,
    )
    return order.index(guarantee) if guarantee in order else 0
