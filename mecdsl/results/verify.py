"""Recompute everything a solver claims from the text of the model.

The point is first brought onto what it claims to be: integer columns are rounded and overshoot of a bound within
tolerance is cut off. Then objective and residuals are evaluated. A residual is judged relative to the size of the
terms of its row: 1e-6, and 1e-9 in rows over integer variables alone, whose values carry no solver tolerance. Rows
that hold variables in every term have no size where these are 0; `mecdsl.analysis.usual_sizes` says what they count
for.

Claimed multipliers are tried too (`mecdsl.analysis.certificate`): wrong ones leave a point feasible but not optimal,
right ones prove a bound where the problem is convex.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Final

import numpy as np

from mecdsl.analysis.certificate import BY_CONVEXITY, Certificate, certify, tighter
from mecdsl.analysis.magnitude import Magnitudes, size_of, value_of
from mecdsl.analysis.member_units import column_unit, row_unit
from mecdsl.analysis.objective_size import objective_size
from mecdsl.analysis.problem import Problem
from mecdsl.analysis.scaling import scale
from mecdsl.analysis.usual_sizes import least_sizes
from mecdsl.checking import symbolic as sym
from mecdsl.instances.algebra import Floats
from mecdsl.instances.evaluate import Evaluator
from mecdsl.instances.instance import ConstraintFamily, Instance, difference
from mecdsl.instances.reformulations import onto_products
from mecdsl.instances.tables import FloatArray
from mecdsl.parsing.syntax import Kind
from mecdsl.results.result import Original, Result, Violation
from mecdsl.solution import Guarantee, Solution, Termination

TOLERANCE: Final = 1e-6
EXACT_TOLERANCE: Final = 1e-9
INTEGRALITY_TOLERANCE: Final = 1e-5
OBJECTIVE_TOLERANCE: Final = 1e-6
WIDEST_GAP: Final = 0.1  # of a proven bound beside first-order conditions that hold to their tolerance
SHARE_OF_SIZE: Final = 1e-3
"""The share of the size of an objective's terms near the point that gaps and rounding are relative to at least.

An optimum of exactly 0 has no size: a bound of -1e-9 beside it is a gap of 1. With the usual gap of 1e-6 this calls
optimal what is within 1e-9 of the terms that cancel, or that would be there if the columns had their usual sizes.
"""

PROVEN = {
    Termination.INFEASIBLE: Guarantee.INFEASIBLE,
    Termination.UNBOUNDED: Guarantee.UNBOUNDED,
    Termination.LOCALLY_INFEASIBLE: Guarantee.LOCALLY_INFEASIBLE,
}


def verify(instance: Instance, solution: Solution, gap: float = 1e-6, problem: Problem | None = None) -> Result:
    """Judge a solution on its instance.

    `gap`: the relative gap up to which "globally optimal" is granted. `problem`: the instance's class; with one that is
    proven convex the claimed multipliers give a bound on the optimum.
    """
    if solution.values is None:
        return _without_point(instance, solution)
    if len(solution.values) != instance.columns or not np.isfinite(solution.values).all():
        fault = "the solver's point is incomplete or not finite"
        return replace(_without_point(instance, solution), faults=(fault,), guarantee=Guarantee.NONE)
    x = polish(instance, solution.values)
    violations = find_violations(instance, x)
    objective = instance.objective(x)
    least = _least_yardstick(instance, x)
    faults = _faults(instance, solution, objective, violations, least)
    convex = problem is not None and problem.convex
    certificate = Certificate() if faults else certify(instance, solution, x, convex)
    # of an answer that is wrong in one thing nothing is believed
    claimed = None if faults else _bound(instance, solution.bound, objective, least)
    own = _bound(instance, certificate.bound, objective, least)
    bound = tighter(instance, claimed, own)
    found_gap, claimed_gap, own_gap = (_gap(objective, b, gap, least) for b in (bound, claimed, own))
    guarantee = _guarantee(solution, not faults, claimed_gap, gap)
    guarantee, notes = _certified(guarantee, certificate, (own_gap, found_gap), gap)
    termination = _termination(solution.termination, guarantee)
    decided = instance.symbol_values(x, (Kind.VAR, Kind.LET))
    computed = {n: v for n, v in decided.items() if n not in instance.world.values}
    reports = instance.symbol_values(x, (Kind.REPORT,))
    return Result(
        instance,
        solution,
        termination,
        guarantee,
        not faults,
        faults,
        objective,
        bound,
        found_gap,
        violations,
        computed,
        reports,
        kkt=certificate.kkt,
        bound_by=BY_CONVEXITY if bound is not None and bound != claimed else "",
        notes=notes,
    )


def _without_point(instance: Instance, solution: Solution) -> Result:
    guarantee = PROVEN.get(solution.termination, Guarantee.NONE)
    return Result(
        instance, solution, solution.termination, guarantee, False, (), None, solution.bound, None, (), {}, {}
    )


def polish(instance: Instance, values: FloatArray) -> FloatArray:
    """The point with integers rounded and bounds kept, where that moves it by less than the tolerance."""
    x = instance.complete(np.asarray(values, dtype=np.float64))
    rounded = np.round(x)
    near = instance.integral & (np.abs(x - rounded) <= INTEGRALITY_TOLERANCE * np.maximum(1.0, np.abs(x)))
    x = np.where(near, rounded, x)
    inside = np.clip(x, instance.lower, np.maximum(instance.lower, instance.upper))
    small = np.abs(x - inside) <= TOLERANCE * _column_scale(instance, x)
    x = np.where(instance.free & small, inside, x)
    return onto_products(instance, x, TOLERANCE * _column_scale(instance, x))


def _column_scale(instance: Instance, x: FloatArray) -> FloatArray:
    """For each column the size of the numbers of its family: what a residual of a bound is relative to."""
    return np.maximum(_family_scale(instance, x), 1e-9)


def _family_scale(instance: Instance, x: FloatArray) -> FloatArray:
    """For each column the largest number of its family at a point, or its own bound where that is larger."""
    scale = np.ones(len(x))
    for family in instance.variables:
        if family.size:
            scale[family.columns] = np.abs(x[family.columns]).max()
    bounds = [np.where(np.isfinite(b), np.abs(b), 0.0) for b in (instance.lower, instance.upper)]
    return np.maximum(scale, np.maximum(*bounds))


def find_violations(instance: Instance, x: FloatArray) -> tuple[Violation, ...]:
    """The worst residual of every constraint family, of the bounds and of integrality, at a point."""
    evaluator = instance.evaluator(Magnitudes(x))
    with np.errstate(all="ignore"):  # a number that is not finite is a finding, not a warning
        judge = _Judge(instance, x)
        found = [judge.family(family, difference(evaluator, family)) for family in instance.constraints]
        found += [_switched(judge, fact, evaluator) for fact in instance.model.switched]
    return (*found, *_bounds(instance, x), *_integrality(instance, x))


def _switched(judge: "_Judge", fact: sym.Switched, evaluator: Evaluator) -> Violation:
    """A constraint with a switch itself, on the rows where the switch has its value; the size of M plays no part."""
    rows = next(family for family in judge.instance.constraints if family.name == fact.rows[0])
    plain = judge.instance.evaluator(Floats(judge.x))
    switch = np.asarray(plain.family(fact.switch.variable, rows.table), dtype=np.float64)
    holds = np.flatnonzero(np.abs(switch - fact.switch.value) <= EXACT_TOLERANCE)
    family = replace(rows, name=fact.constraint.name, constraint=fact.constraint, table=rows.table.take(holds))
    return judge.family(family, difference(evaluator, family))


@dataclass(frozen=True, slots=True, eq=False)
class _Judge:
    """Judges the rows of an instance at a point; usual sizes are found once, and only if a row needs them."""

    instance: Instance
    x: FloatArray
    sizes: list[tuple[FloatArray, FloatArray]] = field(default_factory=list)

    def family(self, family: ConstraintFamily, value: object) -> Violation:
        """The worst residual of a family whose `left - right` has the given magnitudes."""
        instance, unit = self.instance, row_unit(self.instance, family.constraint)
        if not family.size:
            return Violation(family.name, 0.0, unit, "", 0.0, True)
        residual = np.broadcast_to(np.asarray(value_of(value), dtype=np.float64), (family.size,))
        size = np.broadcast_to(np.asarray(size_of(value), dtype=np.float64), (family.size,))
        amount = {"<=": residual, ">=": -residual, "==": np.abs(residual)}[family.relation]
        amount = np.where(np.isnan(amount), np.inf, np.maximum(amount, 0.0))
        whole = _integers_only(instance, family)
        tolerance = EXACT_TOLERANCE if whole else TOLERANCE
        relative = _relative(amount, size)
        if not whole and (relative > tolerance).any():
            relative = _relative(amount, np.maximum(size, least_sizes(instance, family, self._sizes())))
        row = int(np.argmax(relative))
        worst = float(relative[row])
        member = instance.row_name(family, row)
        return Violation(family.name, float(amount.max()), unit, member, worst, worst <= tolerance)

    def _sizes(self) -> tuple[FloatArray, FloatArray]:
        if not self.sizes:
            self.sizes.append((scale(self.instance).size, _family_scale(self.instance, self.x)))
        return self.sizes[0]


def _relative(amount: FloatArray, size: FloatArray) -> FloatArray:
    """Residuals as shares of sizes: 0 where there is none, infinite where one is."""
    known = np.isfinite(amount) & (amount > 0.0)
    relative = np.divide(amount, np.maximum(size, 1e-300), out=np.zeros_like(amount), where=known)
    return np.where(np.isfinite(amount), relative, np.inf)


def _integers_only(instance: Instance, family: ConstraintFamily) -> bool:
    """Whether every free variable in the rows of a family is integer."""
    names = instance.checked.shapes.variables(family.constraint.left)
    names = names | instance.checked.shapes.variables(family.constraint.right)
    symbols = (instance.model.symbols[name] for name in names)
    return all(symbol.domain is not sym.NumberDomain.REAL for symbol in symbols)


def _bounds(instance: Instance, x: FloatArray) -> tuple[Violation, ...]:
    over = np.maximum(np.maximum(instance.lower - x, x - instance.upper), 0.0)
    if not len(x):
        return ()
    relative = over / _column_scale(instance, x)
    column = int(np.argmax(relative))
    worst = float(relative[column])
    return (Violation("bounds", float(over[column]), column_unit(instance, column),
                      instance.column_name(column), worst, worst <= TOLERANCE),)  # fmt: skip


def _integrality(instance: Instance, x: FloatArray) -> tuple[Violation, ...]:
    columns = np.flatnonzero(instance.integral)
    if not len(columns):
        return ()
    distance = np.abs(x[columns] - np.round(x[columns]))
    worst = int(np.argmax(distance))
    column = int(columns[worst])
    return (Violation("integrality", float(distance[worst]), column_unit(instance, column),
                      instance.column_name(column), float(distance[worst]), bool(distance[worst] == 0.0)),)  # fmt: skip


def _faults(
    instance: Instance,
    solution: Solution,
    objective: float,
    violations: tuple[Violation, ...],
    least: Callable[[], float],
) -> tuple[str, ...]:
    faults = [
        f"`{v.family}` is violated by {v.amount:.3g}{'' if v.unit == '1' else ' ' + v.unit} at `{v.member}` "
        f"({v.relative:.1e} of its terms)"
        for v in violations
        if not v.accepted
    ]
    if not math.isfinite(objective):
        faults.append("the objective is not a finite number at this point")
    elif solution.objective is not None and _apart(objective, solution.objective, OBJECTIVE_TOLERANCE, least):
        faults.append(f"the solver claims objective {solution.objective:.9g}, it is {objective:.9g}")
    if solution.bound is not None and math.isfinite(solution.bound) and math.isfinite(objective):
        beyond = solution.bound - objective if not instance.maximize else objective - solution.bound
        if beyond > 0.0 and _apart(objective, solution.bound, 10 * OBJECTIVE_TOLERANCE, least):
            faults.append(f"the objective {objective:.9g} is better than the claimed bound {solution.bound:.9g}")
    return tuple(faults)


def _apart(first: float, second: float, tolerance: float, least: Callable[[], float]) -> bool:
    """Whether two values of the objective differ by more than a share of the larger, or of the least yardstick."""
    difference = abs(first - second)
    if not difference > tolerance * max(abs(first), abs(second)):
        return False
    return not difference <= tolerance * least()


def _least_yardstick(instance: Instance, x: FloatArray) -> Callable[[], float]:
    """What gaps are relative to at least, as a function: it is needed only where an optimum is near 0."""
    return cache(lambda: SHARE_OF_SIZE * objective_size(instance, x, scale(instance), surely=True))


def _bound(instance: Instance, bound: float | None, objective: float, least: Callable[[], float]) -> float | None:
    """A bound; one that lies past the objective by rounding alone is the objective itself."""
    if bound is None or not math.isfinite(bound):
        return None
    past = bound < objective if instance.maximize else bound > objective
    return objective if past and not _apart(objective, bound, 10 * OBJECTIVE_TOLERANCE, least) else bound


def _gap(objective: float, bound: float | None, wanted: float, least: Callable[[], float]) -> float | None:
    """The gap relative to the larger of the two, or to the least yardstick where that is too wide."""
    found = relative_gap(objective, bound)
    return found if found is None or _closed(found, wanted) else relative_gap(objective, bound, least())


def relative_gap(objective: float | None, bound: float | None, least: float = 0.0) -> float | None:
    """|objective - bound| relative to the larger of the two, and to `least` at least; 0 if they are equal."""
    if objective is None or bound is None:
        return None
    if objective == bound:
        return 0.0
    yardstick = max(abs(objective), abs(bound), 1e-300)
    return abs(objective - bound) / (max(yardstick, least) if math.isfinite(least) else yardstick)


def _guarantee(solution: Solution, fine: bool, gap: float | None, wanted: float) -> Guarantee:
    if not fine:
        return Guarantee.NONE
    if gap is not None and _closed(gap, wanted):
        return Guarantee.GLOBAL if solution.guarantee is Guarantee.GLOBAL else Guarantee.FEASIBLE
    if solution.guarantee is Guarantee.GLOBAL and gap is not None:
        return Guarantee.FEASIBLE
    return solution.guarantee


def _certified(
    granted: Guarantee, certificate: Certificate, gaps: tuple[float | None, float | None], wanted: float
) -> tuple[Guarantee, tuple[str, ...]]:
    """The guarantee after a look at the first-order conditions; `gaps`: of the bound they prove, and of the best bound.

    A proven bound that closes the gap makes any feasible point globally optimal, whoever found it. Where all bounds
    leave a wider gap than was asked for, conditions that hold to their tolerance still make the point of a convex
    problem globally optimal to that tolerance; the note says how much of it the bound proves. A bound that is far away
    says that the tolerance was measured with the wrong yardstick.
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
        return Guarantee.LOCAL, (f"convex, but the bound that the multipliers prove leaves a gap of {best:.1e}",)
    if granted is Guarantee.GLOBAL and best is not None and not _closed(best, wanted):
        note = (
            f"convex, and optimal to the tolerance of the first-order conditions; the bound proves a gap of {best:.1e}"
        )
        return granted, (note,)
    return granted, ()


def _closed(gap: float, wanted: float) -> bool:
    return gap <= wanted * (1 + 1e-9) + 1e-12


def _termination(claimed: Termination, guarantee: Guarantee) -> Termination:
    """The claimed reason to stop, where the guarantee agrees with it."""
    if claimed not in (Termination.OPTIMAL, Termination.LOCALLY_OPTIMAL, Termination.FINISHED):
        return claimed
    if guarantee is Guarantee.GLOBAL:
        return Termination.OPTIMAL
    if claimed is Termination.LOCALLY_OPTIMAL and guarantee in (Guarantee.LOCAL, Guarantee.NONE):
        return claimed
    if guarantee is Guarantee.LOCAL:
        return Termination.LOCALLY_OPTIMAL
    return Termination.FINISHED


def on_original(original: Instance, result: Result) -> Original | None:
    """The point of a form judged on the base model; None if the base model has variables the form lacks."""
    if result.objective is None:
        return None
    x = np.zeros(original.columns)
    for family in original.variables:
        values = result.values.get(family.name)
        if values is None or len(values) != family.size:
            return None
        x[family.columns] = values
    return Original(original.objective(x), find_violations(original, x))
