"""Recompute everything a solver claims from the text of the model.

`mecdsl.results.judge` measures the point itself; `mecdsl.results.gap` says what a gap is.

Claimed multipliers are tried too (`mecdsl.certificates.certificate`): wrong ones leave a point
feasible but not optimal, right ones prove a bound where the problem is convex.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np

from mecdsl.certificates.certificate import BY_CONVEXITY, Certificate, certify, tighter
from mecdsl.convexity.problem import Problem
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray
from mecdsl.parsing.syntax import Kind
from mecdsl.results.judge import OBJECTIVE_TOLERANCE, JudgedPoint, apart, judge
from mecdsl.results.result import Original, Result
from mecdsl.results.violations import find_violations
from mecdsl.results.worth import worth_of_misses
from mecdsl.solution import Guarantee, Solution, Termination

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
    point = judge(instance, solution, repair)
    convex = problem is not None and problem.convex
    if certifier is None:
        certifier = partial(certify, instance, point.solution, convex=convex)
    certificate = Certificate() if point.faults else certifier(point.x)
    bounds = _Bounds.at(point, certificate)
    guarantee, notes = _granted(point, certificate, bounds, gap, convex)
    return _result(point, certificate, bounds, guarantee, notes)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bounds:
    """What is proven of the optimum, and the relative gaps to the objective of the point.

    `claimed` by the solver, `own` by its multipliers, `best` of both.
    """

    claimed: float | None
    own: float | None
    best: float | None
    claimed_gap: float | None
    own_gap: float | None
    gap: float | None

    @staticmethod
    def at(point: JudgedPoint, certificate: Certificate) -> "_Bounds":
        """Those at a point; of an answer that is wrong in one thing nothing is believed."""
        claimed = None if point.faults else _bound(point, point.solution.bound)
        own = _bound(point, certificate.bound)
        best = tighter(point.instance, claimed, own)
        claimed_gap, own_gap, gap = (
            point.size.relative(point.objective, bound) for bound in (claimed, own, best)
        )
        return _Bounds(
            claimed=claimed, own=own, best=best, claimed_gap=claimed_gap, own_gap=own_gap, gap=gap
        )


def _granted(
    point: JudgedPoint, certificate: Certificate, bounds: _Bounds, gap: float, convex: bool
) -> tuple[Guarantee, tuple[str, ...]]:
    """The guarantee that point, certificate and bounds leave of the claimed one, and why."""
    guarantee = _claimed(point, bounds.claimed_gap, gap)
    guarantee, notes = _certified(guarantee, certificate, (bounds.own_gap, bounds.gap), gap)
    guarantee = _to_gap(guarantee, bounds.gap)
    if guarantee in (Guarantee.GLOBAL, Guarantee.TO_GAP) and not convex:
        guarantee, doubts = _worth_it(point, guarantee)
        notes += doubts
    return guarantee, notes


def _result(
    point: JudgedPoint,
    certificate: Certificate,
    bounds: _Bounds,
    guarantee: Guarantee,
    notes: tuple[str, ...],
) -> Result:
    instance = point.instance
    decided = instance.symbol_values(point.x, (Kind.VAR, Kind.LET))
    by_convexity = bounds.best is not None and bounds.best != bounds.claimed
    return Result(
        instance=instance,
        solution=point.solution,
        termination=_termination(point.solution.termination, guarantee),
        guarantee=guarantee,
        verified=not point.faults,
        faults=point.faults,
        objective=point.objective,
        bound=bounds.best,
        gap=bounds.gap,
        violations=point.violations,
        values={n: v for n, v in decided.items() if n not in instance.world.values},
        reports=instance.symbol_values(point.x, (Kind.REPORT,)),
        kkt=certificate.kkt,
        bound_by=BY_CONVEXITY if by_convexity else "",
        notes=(*point.repairs, *notes),
        size=point.size,
    )


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


def _bound(point: JudgedPoint, bound: float | None) -> float | None:
    """A bound; one that lies past the objective by rounding alone is the objective itself."""
    if bound is None or not math.isfinite(bound):
        return None
    objective = point.objective
    past = bound < objective if point.instance.maximize else bound > objective
    rounding = not apart(point.size, objective, bound, 10 * OBJECTIVE_TOLERANCE)
    return objective if past and rounding else bound


def _claimed(point: JudgedPoint, gap: float | None, allowed: float) -> Guarantee:
    """What the solver claims of a point, as far as its bound shows it."""
    claimed = point.solution.guarantee
    if point.faults:
        return Guarantee.NONE
    if gap is not None and _closed(gap, allowed):
        return Guarantee.GLOBAL if claimed is Guarantee.GLOBAL else Guarantee.FEASIBLE
    if claimed is Guarantee.GLOBAL and gap is not None:
        return Guarantee.FEASIBLE
    return claimed


def _certified(
    granted: Guarantee,
    certificate: Certificate,
    gaps: tuple[float | None, float | None],
    allowed: float,
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
    if own is not None and _closed(own, allowed):
        return Guarantee.GLOBAL, ()
    optimal = granted in (Guarantee.GLOBAL, Guarantee.LOCAL)
    if certificate.fault and optimal:
        return Guarantee.FEASIBLE, (certificate.fault,)
    if granted is Guarantee.GLOBAL and best is not None and best > WIDEST_GAP:
        return Guarantee.LOCAL, (
            f"convex, but the bound that the multipliers prove leaves a gap of {best:.1e}",
        )
    if granted is Guarantee.GLOBAL and best is not None and not _closed(best, allowed):
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


def _worth_it(point: JudgedPoint, granted: Guarantee) -> tuple[Guarantee, tuple[str, ...]]:
    """The guarantee where the rows that are kept to a tolerance only may be worth more than a
    gap.
    """
    worth, member = worth_of_misses(point.instance, point.x)
    share = point.size.relative(point.objective, point.objective + worth) or 0.0
    if share <= MOST_WORTH:
        return granted, ()
    doubt = (
        f"`{member}` is kept to its tolerance only, and what it is missed by is worth "
        f"{share:.1e} of the objective"
    )
    return Guarantee.FEASIBLE, (f"{doubt}: the proof is one of the rows with their tolerances",)


def _closed(gap: float, allowed: float) -> bool:
    return gap <= allowed * (1 + 1e-9) + 1e-12


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
