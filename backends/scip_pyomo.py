"""SCIP through Pyomo's own interface, on the model that `to_pyomo` makes: the second way to the same answer, and slower.

The Pyomo model is in SI; it is scaled in place with Pyomo's `core.scale_model` by the factors of the first way. Ctrl-C is
left to SCIP, which stops and keeps its best point: Pyomo holds Python's lock while SCIP runs, so nothing could poll.
"""

import time
from dataclasses import replace
from typing import Any, Final

import numpy as np

from mecdsl.backend import Request
from mecdsl.backends.constant_rows import crossed_bounds
from mecdsl.backends.scip_model import unscaled
from mecdsl.backends.scip_options import parameters
from mecdsl.backends.solver_output import solver_output
from mecdsl.instance import Instance
from mecdsl.lower_pyomo import PyomoModel, to_pyomo
from mecdsl.scaling import Scaling, scale
from mecdsl.solution import Guarantee, Solution, Termination
from mecdsl.tables import FloatArray

TERMINATION: Final = {
    "convergenceCriteriaSatisfied": Termination.OPTIMAL,
    "provenInfeasible": Termination.INFEASIBLE,
    "unbounded": Termination.UNBOUNDED,
    "infeasibleOrUnbounded": Termination.INFEASIBLE_OR_UNBOUNDED,
    "maxTimeLimit": Termination.TIME_LIMIT,
    "iterationLimit": Termination.ITERATION_LIMIT,
    "objectiveLimit": Termination.ITERATION_LIMIT,
    "interrupted": Termination.INTERRUPTED,
}
PROOFS: Final = {
    Termination.OPTIMAL: Guarantee.GLOBAL,
    Termination.INFEASIBLE: Guarantee.INFEASIBLE,
    Termination.UNBOUNDED: Guarantee.UNBOUNDED,
}
NO_POINT: Final = (Termination.INFEASIBLE, Termination.UNBOUNDED, Termination.INFEASIBLE_OR_UNBOUNDED)


def solve_through_pyomo(request: Request) -> Solution:
    """Solve with `pyomo.contrib.solver`'s `scip_direct`. Raises `ModelError` E505 as the other way does."""
    chosen = parameters(request.options)
    started = time.perf_counter()
    conflict = crossed_bounds(request.instance)  # Pyomo raises on them
    if conflict:
        return Solution("scip", Termination.INFEASIBLE, Guarantee.INFEASIBLE, message=conflict)
    scaling = scale(request.instance)
    lowered = to_pyomo(request.instance)
    _scale(request.instance, scaling, lowered)
    if request.options.start is not None:
        _start(request.instance, scaling, lowered, request.options.start)
    ready = time.perf_counter()
    with solver_output(echo=request.options.log):
        results = _run(lowered, request, chosen)
        solution = _solution(request.instance, scaling, lowered, results)
        if solution.termination is Termination.INFEASIBLE_OR_UNBOUNDED:
            solution = _without_objective(lowered, request, chosen, ready)
    return replace(solution, seconds={"lower": ready - started, "solve": time.perf_counter() - ready})


def _scale(instance: Instance, scaling: Scaling, lowered: PyomoModel) -> None:
    """Put factors beside the model and let Pyomo multiply them in; the variables stay the same objects."""
    import pyomo.environ as pyo

    model = lowered.model
    model.scaling_factor = pyo.Suffix(direction=pyo.Suffix.EXPORT)
    factors = model.scaling_factor
    for column in np.flatnonzero(instance.free).tolist():
        factors[lowered.variables[column]] = 1.0 / float(scaling.column[column])
    for family in instance.constraints:
        for row, factor in zip(lowered.constraints[family.name], scaling.row[family.rows].tolist(), strict=True):
            if row is not None:
                factors[row] = factor
    factors[lowered.objective] = scaling.objective
    pyo.TransformationFactory("core.scale_model").apply_to(model, rename=False)


def _start(instance: Instance, scaling: Scaling, lowered: PyomoModel, start: FloatArray) -> None:
    for column in np.flatnonzero(instance.free & np.isfinite(start)).tolist():
        lowered.variables[column].set_value(float(start[column] / scaling.column[column]), skip_validation=True)


def _run(lowered: PyomoModel, request: Request, chosen: dict[str, Any]) -> Any:
    from pyomo.contrib.solver.common.factory import SolverFactory

    solver = SolverFactory("scip_direct")
    solver.config.load_solutions = False
    solver.config.raise_exception_on_nonoptimal_result = False
    solver.config.tee = request.options.log
    start = request.options.start
    # Pyomo offers the integers of a start alone, and all of them
    free_integers = request.instance.integral & request.instance.free
    told = start is not None and free_integers.any() and bool(np.isfinite(start[free_integers]).all())
    solver.config.warmstart_discrete_vars = told
    solver.config.solver_options = chosen
    return solver.solve(lowered.model)


def _without_objective(
    lowered: PyomoModel, request: Request, chosen: dict[str, Any], began: float
) -> Solution:
    """Infeasible or unbounded: without an objective SCIP says infeasible or finds a point."""
    import pyomo.environ as pyo

    limit = request.options.time_limit
    if limit is not None:
        chosen = chosen | {"limits/time": max(0.0, limit - (time.perf_counter() - began))}
    lowered.objective.deactivate()
    lowered.model.add_component("no_objective", pyo.Objective(expr=0.0))
    results = _run(lowered, request, chosen)
    termination = TERMINATION.get(results.termination_condition.name, Termination.ERROR)
    if results.solution_loader.get_number_of_solutions() > 0:
        return _claim(Termination.UNBOUNDED, "unbounded")
    if termination in (Termination.INFEASIBLE, Termination.INTERRUPTED):
        return _claim(termination, results.termination_condition.name)
    return _claim(Termination.INFEASIBLE_OR_UNBOUNDED, "infeasibleOrUnbounded")


def _claim(termination: Termination, message: str) -> Solution:
    guarantee = PROOFS.get(termination, Guarantee.NONE)
    return Solution("scip", termination, guarantee, message=f"SCIP through Pyomo: {message}")


def _solution(instance: Instance, scaling: Scaling, lowered: PyomoModel, results: Any) -> Solution:
    condition = results.termination_condition.name
    solution = _claim(TERMINATION.get(condition, Termination.ERROR), condition)
    if solution.termination in NO_POINT:
        return solution
    bound = results.objective_bound
    if bound is not None and np.isfinite(bound):
        solution = replace(solution, bound=float(bound) / scaling.objective)
    if results.solution_loader.get_number_of_solutions() == 0:
        return replace(solution, guarantee=Guarantee.NONE)
    found = results.solution_loader.get_vars()
    columns = np.flatnonzero(instance.free).astype(np.int64)
    first = instance.first_point() / scaling.column  # for variables that occur nowhere
    variables = [lowered.variables[column] for column in columns.tolist()]
    values = np.array(
        [found.get(variable, first[column]) for column, variable in zip(columns.tolist(), variables, strict=True)],
        dtype=np.float64,
    )
    guarantee = PROOFS.get(solution.termination, Guarantee.FEASIBLE)
    x = unscaled(instance, scaling, columns, values)
    return replace(solution, guarantee=guarantee, values=x, objective=instance.objective(x))
