"""Recompute everything a solver claims from the text of the model.

The point is first brought onto what it claims to be: integer columns are rounded and overshoot of a
bound within tolerance is cut off. Then objective and residuals are evaluated;
`mecdsl.results.violations` says what a violation is, `mecdsl.results.gap` what a gap is.

Claimed multipliers are tried too (`mecdsl.certificates.certificate`): wrong ones leave a point
feasible but not optimal, right ones prove a bound where the problem is convex.
"""

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np

from mecdsl.analysis.display_units import residual_text
from mecdsl.certificates.certificate import BY_CONVEXITY, Certificate, certify, tighter
from mecdsl.convexity.problem import Problem
from mecdsl.instances.instance import Instance
from mecdsl.instances.reformulations import onto_products
from mecdsl.instances.tables import FloatArray
from mecdsl.parsing.syntax import Kind
from mecdsl.results.gap import ObjectiveSize, objective_size
from mecdsl.results.measures import TOLERANCE
from mecdsl.results.repair import mended
from mecdsl.results.result import Original, Result
from mecdsl.results.violations import Violation, find_violations
from mecdsl.results.worth import worth_of_misses
from mecdsl.solution import Guarantee, Solution, Termination

INTEGRALITY_TOLERANCE: Final = 1e-5
OBJECTIVE_TOLERANCE: Final = 1e-6
EXACT_GAP: Final = (
    1e-6  # up to here an optimum is called that, beyond it is optimal to so many per cent
)
MOST_WORTH: Final = (
    1e-5  # of the objective: what rows that are kept to a tolerance may be worth beside a proof
)
WIDEST_GAP: Final = (
    0.1  # of a proven bound beside first-order conditions that hold to their tolerance
)

PROVEN = {
    Termination.INFEASIBLE: Guarantee.INFEASIBLE,
    Termination.UNBOUNDED: Guarantee.UNBOUNDED,
    Termination.LOCALLY_INFEASIBLE: Guarantee.LOCALLY_INFEASIBLE,
}


@np.errstate(all="ignore")  # what is not finite is looked for where it is used
def verify(
    instance: Instance,
    solution: Solution,
    gap: float = 1e-6,
    problem: Problem | None = None,
    repair: bool = False,
    certifier: Callable[[FloatArray], Certificate] | None = None,
) -> Result:
    """Judge a solution on its instance.

    `gap`: the relative gap up to which optimality is granted. `problem`: the instance's class; with
    one that is proven convex the claimed multipliers give a bound on the optimum. `repair`: a point
    that misses rows by what a solver takes for nothing is mended where that can be
    (`mecdsl.results.repair`), and a note says so. `certifier`: certifies the point in place of
    `certify` on the instance, where the multipliers belong to another statement of the problem.
    """
    if solution.values is None:
        return _without_point(instance, solution)
    if len(solution.values) != instance.columns or not np.isfinite(solution.values).all():
        fault = "the solver's point is incomplete or not finite"
        return replace(
            _without_point(instance, solution), faults=(fault,), guarantee=Guarantee.NONE
        )
    x = polish(instance, solution.values)
    violations = find_violations(instance, x)
    repairs: tuple[str, ...] = ()
    claimed_objective = instance.objective(x)
    if repair and any(not violation.accepted for violation in violations):
        x, violations, repairs = _repaired(instance, x, violations)
    objective = instance.objective(x) if repairs else claimed_objective
    size = objective_size(instance, x)
    faults = _faults(instance, solution, (claimed_objective, objective), violations, size)
    if repairs and _apart(size, claimed_objective, objective, OBJECTIVE_TOLERANCE):
        # the claim was about a point whose worth came from what it missed, and says nothing of this
        # one
        solution = replace(
            solution,
            bound=None,
            guarantee=min(solution.guarantee, Guarantee.FEASIBLE, key=_strength),
        )
    convex = problem is not None and problem.convex
    if certifier is None:
        certifier = partial(certify, instance, solution, convex=convex)
    certificate = Certificate() if faults else certifier(x)
    # of an answer that is wrong in one thing nothing is believed
    claimed = None if faults else _bound(instance, solution.bound, objective, size)
    own = _bound(instance, certificate.bound, objective, size)
    bound = tighter(instance, claimed, own)
    found_gap, claimed_gap, own_gap = (size.relative(objective, b) for b in (bound, claimed, own))
    guarantee = _guarantee(solution, not faults, claimed_gap, gap)
    guarantee, notes = _certified(guarantee, certificate, (own_gap, found_gap), gap)
    guarantee = _to_gap(guarantee, found_gap)
    if guarantee in (Guarantee.GLOBAL, Guarantee.TO_GAP) and not convex:
        guarantee, doubts = _worth_it(instance, x, objective, size, guarantee)
        notes += doubts
    termination = _termination(solution.termination, guarantee)
    decided = instance.symbol_values(x, (Kind.VAR, Kind.LET))
    computed = {n: v for n, v in decided.items() if n not in instance.world.values}
    reports = instance.symbol_values(x, (Kind.REPORT,))
    return Result(
        instance=instance,
        solution=solution,
        termination=termination,
        guarantee=guarantee,
        verified=not faults,
        faults=faults,
        objective=objective,
        bound=bound,
        gap=found_gap,
        violations=violations,
        values=computed,
        reports=reports,
        kkt=certificate.kkt,
        bound_by=BY_CONVEXITY if bound is not None and bound != claimed else "",
        notes=(*repairs, *notes),
        size=size,
    )


def _repaired(
    instance: Instance, x: FloatArray, violations: tuple[Violation, ...]
) -> tuple[FloatArray, tuple[Violation, ...], tuple[str, ...]]:
    """The point, mended if that can be, with its violations, and what was done in words."""
    found = mended(instance, x)
    if found is None:
        return x, violations, ()
    worst = max((v for v in violations if not v.accepted), key=lambda violation: violation.relative)
    unit = "" if worst.unit == "1" else " " + worst.unit
    note = (
        f"moved onto `{worst.member}`, which the solver's point missed by {worst.amount:.2g}{unit}"
    )
    return found, find_violations(instance, found), (note,)


def _without_point(instance: Instance, solution: Solution) -> Result:
    return Result(
        instance=instance,
        solution=solution,
        termination=solution.termination,
        guarantee=PROVEN.get(solution.termination, Guarantee.NONE),
        verified=False,
        faults=(),
        objective=None,
        bound=solution.bound,
        gap=None,
        violations=(),
        values={},
        reports={},
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
    elif solution.objective is not None and _apart(
        size, at_claim, solution.objective, OBJECTIVE_TOLERANCE
    ):
        faults.append(f"the solver claims objective {solution.objective:.9g}, it is {at_claim:.9g}")
    if solution.bound is not None and math.isfinite(solution.bound) and math.isfinite(objective):
        beyond = solution.bound - objective if not instance.maximize else objective - solution.bound
        if beyond > 0.0 and _apart(size, objective, solution.bound, 10 * OBJECTIVE_TOLERANCE):
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


def _apart(size: ObjectiveSize, first: float, second: float, tolerance: float) -> bool:
    """Whether two values of the objective differ by more than a share of its size."""
    found = size.relative(first, second)
    return found is None or not found <= tolerance


def _bound(
    instance: Instance, bound: float | None, objective: float, size: ObjectiveSize
) -> float | None:
    """A bound; one that lies past the objective by rounding alone is the objective itself."""
    if bound is None or not math.isfinite(bound):
        return None
    past = bound < objective if instance.maximize else bound > objective
    return (
        objective
        if past and not _apart(size, objective, bound, 10 * OBJECTIVE_TOLERANCE)
        else bound
    )


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


def _guarantee(solution: Solution, fine: bool, gap: float | None, wanted: float) -> Guarantee:
    if not fine:
        return Guarantee.NONE
    if gap is not None and _closed(gap, wanted):
        return Guarantee.GLOBAL if solution.guarantee is Guarantee.GLOBAL else Guarantee.FEASIBLE
    if solution.guarantee is Guarantee.GLOBAL and gap is not None:
        return Guarantee.FEASIBLE
    return solution.guarantee


def _certified(
    granted: Guarantee,
    certificate: Certificate,
    gaps: tuple[float | None, float | None],
    wanted: float,
) -> tuple[Guarantee, tuple[str, ...]]:
    """The guarantee after a look at the first-order conditions; `gaps`: of the bound they prove,
    and of the best bound.

    A proven bound that closes the gap makes any feasible point globally optimal, whoever found it.
    Where all bounds leave a wider gap than was asked for, conditions that hold to their tolerance
    still make the point of a convex problem globally optimal to that tolerance; the note says how
    much of it the bound proves. A bound that is far away says that the tolerance was measured with
    the wrong yardstick.
    """
    own, best = gaps
    if granted is Guarantee.NONE:
        return granted, ()
    if own is not None and _closed(own, wanted):
        return Guarantee.GLOBAL, ()
    optimal = granted in (Guarantee.GLOBAL, Guarantee.LOCAL)
    if certificate.fault and optimal:
        return Guarantee.FEASIBLE, (certificate.fault,)
    if granted is Guarantee.GLOBAL and best is not None and best > WIDEST_GAP:
        return Guarantee.LOCAL, (
            f"convex, but the bound that the multipliers prove leaves a gap of {best:.1e}",
        )
    if granted is Guarantee.GLOBAL and best is not None and not _closed(best, wanted):
        note = (
            "convex, and optimal to the tolerance of the first-order conditions; the "
            f"bound proves a gap of {best:.1e}"
        )
        return granted, (note,)
    return granted, ()


def _to_gap(granted: Guarantee, gap: float | None) -> Guarantee:
    """What is optimal only to a gap that a reader would want to know is called that."""
    wide = gap is not None and not _closed(gap, EXACT_GAP)
    return Guarantee.TO_GAP if granted is Guarantee.GLOBAL and wide else granted


def _worth_it(
    instance: Instance, x: FloatArray, objective: float, size: ObjectiveSize, granted: Guarantee
) -> tuple[Guarantee, tuple[str, ...]]:
    """The guarantee where the rows that are kept to a tolerance only may be worth more than a
    gap.
    """
    worth, member = worth_of_misses(instance, x)
    share = size.relative(objective, objective + worth) or 0.0
    if share <= MOST_WORTH:
        return granted, ()
    doubt = (
        f"`{member}` is kept to its tolerance only, and what it is missed by is worth "
        f"{share:.1e} of the objective"
    )
    return Guarantee.FEASIBLE, (f"{doubt}: the proof is one of the rows with their tolerances",)


def _closed(gap: float, wanted: float) -> bool:
    return gap <= wanted * (1 + 1e-9) + 1e-12


def _termination(claimed: Termination, guarantee: Guarantee) -> Termination:
    """The claimed reason to stop, where the guarantee agrees with it."""
    if claimed not in (Termination.OPTIMAL, Termination.LOCALLY_OPTIMAL, Termination.FINISHED):
        return claimed
    if guarantee in (Guarantee.GLOBAL, Guarantee.TO_GAP):
        return Termination.OPTIMAL
    if claimed is Termination.LOCALLY_OPTIMAL and guarantee in (Guarantee.LOCAL, Guarantee.NONE):
        return claimed
    if guarantee is Guarantee.LOCAL:
        return Termination.LOCALLY_OPTIMAL
    return Termination.FINISHED


@np.errstate(all="ignore")  # what is not finite is looked for where it is used
def on_original(original: Instance, result: Result) -> Original | None:
    """The point of a form judged on the base model; None if the base model has variables the form
    lacks.
    """
    if result.objective is None:
        return None
    x = np.zeros(original.columns)
    for family in original.variables:
        values = result.values.get(family.name)
        if values is None or len(values) != family.size:
            return None
        x[family.columns] = values
    return Original(original.objective(x), find_violations(original, x))
