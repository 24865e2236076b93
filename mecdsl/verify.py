"""Recompute everything a solver claims from the text of the model.

The point is first brought onto what it claims to be: integer columns are rounded and overshoot of a bound within
tolerance is cut off. Then objective and residuals are evaluated. A residual is judged relative to the size of the
terms of its row: 1e-6, and 1e-9 in rows over integer variables alone, whose values carry no solver tolerance.
"""

import math
from dataclasses import replace
from typing import Final

import numpy as np

from mecdsl import symbolic as sym
from mecdsl.algebra import Floats
from mecdsl.dimensions import find_dimension
from mecdsl.evaluate import Evaluator
from mecdsl.instance import ConstraintFamily, Instance, difference
from mecdsl.magnitude import Magnitudes, size_of, value_of
from mecdsl.reformulations import onto_products
from mecdsl.result import Original, Result, Violation, unit_text
from mecdsl.solution import Guarantee, Solution, Termination
from mecdsl.syntax import Kind
from mecdsl.tables import FloatArray

TOLERANCE: Final = 1e-6
EXACT_TOLERANCE: Final = 1e-9
INTEGRALITY_TOLERANCE: Final = 1e-5
OBJECTIVE_TOLERANCE: Final = 1e-6

PROVEN = {
    Termination.INFEASIBLE: Guarantee.INFEASIBLE,
    Termination.UNBOUNDED: Guarantee.UNBOUNDED,
    Termination.LOCALLY_INFEASIBLE: Guarantee.LOCALLY_INFEASIBLE,
}


def verify(instance: Instance, solution: Solution, gap: float = 1e-6) -> Result:
    """Judge a solution on its instance. `gap`: the relative gap up to which "globally optimal" is granted."""
    if solution.values is None:
        return _without_point(instance, solution)
    if len(solution.values) != instance.columns or not np.isfinite(solution.values).all():
        fault = "the solver's point is incomplete or not finite"
        return replace(_without_point(instance, solution), faults=(fault,), guarantee=Guarantee.NONE)
    x = polish(instance, solution.values)
    violations = find_violations(instance, x)
    objective = instance.objective(x)
    faults = _faults(instance, solution, objective, violations)
    bound = _bound(instance, solution, objective)
    found_gap = relative_gap(objective, bound)
    guarantee = _guarantee(solution, not faults, found_gap, gap)
    termination = solution.termination
    if termination is Termination.OPTIMAL and guarantee is not Guarantee.GLOBAL:
        termination = Termination.FINISHED
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
    scale = np.ones(len(x))
    for family in instance.variables:
        if family.size:
            scale[family.columns] = np.abs(x[family.columns]).max()
    bounds = [np.where(np.isfinite(b), np.abs(b), 0.0) for b in (instance.lower, instance.upper)]
    return np.maximum(np.maximum(scale, 1e-9), np.maximum(*bounds))


def find_violations(instance: Instance, x: FloatArray) -> tuple[Violation, ...]:
    """The worst residual of every constraint family, of the bounds and of integrality, at a point."""
    evaluator = instance.evaluator(Magnitudes(x))
    found = [_family(instance, family, difference(evaluator, family)) for family in instance.constraints]
    found += [_switched(instance, fact, x, evaluator) for fact in instance.model.switched]
    return (*found, *_bounds(instance, x), *_integrality(instance, x))


def _switched(instance: Instance, fact: sym.Switched, x: FloatArray, evaluator: Evaluator) -> Violation:
    """A constraint with a switch itself, on the rows where the switch has its value; the size of M plays no part."""
    rows = next(family for family in instance.constraints if family.name == fact.rows[0])
    switch = np.asarray(instance.evaluator(Floats(x)).family(fact.switch.variable, rows.table), dtype=np.float64)
    holds = np.flatnonzero(np.abs(switch - fact.switch.value) <= EXACT_TOLERANCE)
    family = replace(rows, name=fact.constraint.name, constraint=fact.constraint, table=rows.table.take(holds))
    return _family(instance, family, difference(evaluator, family))


def _family(instance: Instance, family: ConstraintFamily, value: object) -> Violation:
    residual = np.broadcast_to(np.asarray(value_of(value), dtype=np.float64), (family.size,))
    size = np.broadcast_to(np.asarray(size_of(value), dtype=np.float64), (family.size,))
    amount = {"<=": residual, ">=": -residual, "==": np.abs(residual)}[family.relation]
    amount = np.where(np.isnan(amount), np.inf, np.maximum(amount, 0.0))
    unit = _unit(instance, family.constraint)
    if not family.size:
        return Violation(family.name, 0.0, unit, "", 0.0, True)
    relative = amount / np.maximum(size, 1e-300)
    relative = np.where(amount == 0, 0.0, np.where(np.isfinite(amount), relative, np.inf))
    tolerance = EXACT_TOLERANCE if _integers_only(instance, family) else TOLERANCE
    row = int(np.argmax(relative))
    worst = float(relative[row])
    return Violation(family.name, float(amount.max()), unit, instance.row_name(family, row), worst, worst <= tolerance)


def _unit(instance: Instance, constraint: sym.Constraint) -> str:
    """The unit a residual is in, from the first part of the constraint that has a dimension."""
    for side in (constraint.left, constraint.right):
        dimension = find_dimension(instance.model, side)
        if dimension is not None:
            return unit_text(dimension)
    return "1"


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
    return (Violation("bounds", float(over[column]), _column_unit(instance, column),
                      instance.column_name(column), worst, worst <= TOLERANCE),)  # fmt: skip


def _integrality(instance: Instance, x: FloatArray) -> tuple[Violation, ...]:
    columns = np.flatnonzero(instance.integral)
    if not len(columns):
        return ()
    distance = np.abs(x[columns] - np.round(x[columns]))
    worst = int(np.argmax(distance))
    column = int(columns[worst])
    return (Violation("integrality", float(distance[worst]), _column_unit(instance, column),
                      instance.column_name(column), float(distance[worst]), bool(distance[worst] == 0.0)),)  # fmt: skip


def _column_unit(instance: Instance, column: int) -> str:
    for family in instance.variables:
        if family.first <= column < family.first + family.size:
            return unit_text(instance.model.dimensions.get(family.name))
    raise IndexError(column)


def _faults(
    instance: Instance, solution: Solution, objective: float, violations: tuple[Violation, ...]
) -> tuple[str, ...]:
    faults = [
        f"`{v.family}` is violated by {v.amount:.3g}{'' if v.unit == '1' else ' ' + v.unit} at `{v.member}` "
        f"({v.relative:.1e} of its terms)"
        for v in violations
        if not v.accepted
    ]
    if not math.isfinite(objective):
        faults.append("the objective is not a finite number at this point")
    elif solution.objective is not None:
        allowed = OBJECTIVE_TOLERANCE * max(abs(objective), abs(solution.objective), 1e-300)
        if abs(objective - solution.objective) > allowed:
            faults.append(f"the solver claims objective {solution.objective:.9g}, it is {objective:.9g}")
    if solution.bound is not None and math.isfinite(solution.bound) and math.isfinite(objective):
        beyond = solution.bound - objective if not instance.maximize else objective - solution.bound
        if beyond > 10 * OBJECTIVE_TOLERANCE * max(abs(objective), abs(solution.bound), 1e-300):
            faults.append(f"the objective {objective:.9g} is better than the claimed bound {solution.bound:.9g}")
    return tuple(faults)


def _bound(instance: Instance, solution: Solution, objective: float) -> float | None:
    """The claimed bound; one that lies past the objective by rounding alone is the objective itself."""
    bound = solution.bound
    if bound is None or not math.isfinite(bound):
        return None
    past = bound < objective if instance.maximize else bound > objective
    close = abs(bound - objective) <= 10 * OBJECTIVE_TOLERANCE * max(abs(bound), abs(objective))
    return objective if past and close else bound


def relative_gap(objective: float | None, bound: float | None) -> float | None:
    """|objective - bound| relative to the larger of the two; 0 if they are equal."""
    if objective is None or bound is None:
        return None
    if objective == bound:
        return 0.0
    return abs(objective - bound) / max(abs(objective), abs(bound), 1e-300)


def _guarantee(solution: Solution, fine: bool, gap: float | None, wanted: float) -> Guarantee:
    if not fine:
        return Guarantee.NONE
    if gap is not None and gap <= wanted * (1 + 1e-9) + 1e-12:
        return Guarantee.GLOBAL if solution.guarantee is Guarantee.GLOBAL else Guarantee.FEASIBLE
    if solution.guarantee is Guarantee.GLOBAL and gap is not None:
        return Guarantee.FEASIBLE
    return solution.guarantee


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
