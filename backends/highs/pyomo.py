"""HiGHS through Pyomo's own interface, on the model that `to_pyomo` makes: the second way to the
same answer.

It is slower. The Pyomo model is in SI, and HiGHS would leave out its small coefficients; so it is
scaled with Pyomo's own `core.scale_model`, by the powers of two of the first way. "Infeasible or
unbounded" stays what it is here.
"""

import time
from dataclasses import replace
from importlib.metadata import version
from typing import Any, Final

import numpy as np

from mecdsl.backend import Request
from mecdsl.backends.highs.linear_program import LinearProgram
from mecdsl.backends.highs.options import COMMON, set_raw
from mecdsl.backends.shared.solver_output import solver_output
from mecdsl.instances.tables import FloatArray
from mecdsl.solution import Guarantee, Solution, Termination

TERMINATION: Final = {
    "convergenceCriteriaSatisfied": Termination.OPTIMAL,
    "provenInfeasible": Termination.INFEASIBLE,
    "unbounded": Termination.UNBOUNDED,
    "infeasibleOrUnbounded": Termination.INFEASIBLE_OR_UNBOUNDED,
    "maxTimeLimit": Termination.TIME_LIMIT,
    "iterationLimit": Termination.ITERATION_LIMIT,
    "objectiveLimit": Termination.ITERATION_LIMIT,
}
GUARANTEE: Final = {
    Termination.OPTIMAL: Guarantee.GLOBAL,
    Termination.INFEASIBLE: Guarantee.INFEASIBLE,
    Termination.UNBOUNDED: Guarantee.UNBOUNDED,
}


def solve_through_pyomo(program: LinearProgram, request: Request) -> Solution:
    """Solve with `pyomo.contrib.solver`'s `highs`.

    Raises `ModelError` E505 as the other way does.
    """
    from mecdsl.pyomo_model.lower import to_pyomo

    raw = _raw(request)
    started = time.perf_counter()
    lowered = to_pyomo(program.instance)
    scaled = _scaled_model(program, lowered)
    ready = time.perf_counter()
    with solver_output(echo=request.options.log):
        results = _run(scaled, request, raw)
    solution = _solution(
        program, _variables(program, lowered, scaled), _rows(program, lowered, scaled), results
    )
    if solution.termination is Termination.ERROR and request.should_stop():
        solution = replace(solution, termination=Termination.INTERRUPTED)
    versions = {"pyomo": version("pyomo")}
    seconds = {"lower": ready - started, "solve": time.perf_counter() - ready}
    return replace(solution, versions=versions, seconds=seconds)


def _raw(request: Request) -> dict[str, str | float | int | bool]:
    """`raw` in HiGHS's types; Pyomo itself would pass over what HiGHS refuses."""
    import highspy

    solver: Any = highspy.Highs
    with solver_output():  # HiGHS greets with its name when it is told to be silent
        scratch = solver()
        scratch.setOptionValue("output_flag", False)
        return {name: set_raw(scratch, name, value) for name, value in request.options.raw.items()}


def _scaled_model(program: LinearProgram, lowered: Any) -> Any:
    """A scaled copy of the model."""
    import pyomo.environ as pyo

    model = lowered.model
    model.scaling_factor = pyo.Suffix(direction=pyo.Suffix.EXPORT)
    factors = model.scaling_factor
    for column, factor in zip(
        program.columns.tolist(), program.column_factor.tolist(), strict=True
    ):
        factors[lowered.variables[column]] = 1.0 / factor
    rows = [
        row for family in program.instance.constraints for row in lowered.constraints[family.name]
    ]
    for row, factor in zip(program.rows.tolist(), program.row_factor.tolist(), strict=True):
        if rows[row] is not None:
            factors[rows[row]] = factor
    factors[lowered.objective] = abs(program.objective_factor)
    return pyo.TransformationFactory("core.scale_model").create_using(model, rename=False)


def _variables(program: LinearProgram, lowered: Any, scaled: Any) -> list[Any]:
    """The variable of the scaled copy for each column of the program."""
    return [scaled.find_component(lowered.variables[column]) for column in program.columns.tolist()]


def _rows(program: LinearProgram, lowered: Any, scaled: Any) -> list[Any]:
    """The constraint of the scaled copy for each row; None for one that was left out as always
    true.
    """
    rows = [
        row for family in program.instance.constraints for row in lowered.constraints[family.name]
    ]
    kept = (rows[row] for row in program.rows.tolist())
    return [None if row is None else scaled.find_component(row) for row in kept]


def _run(model: Any, request: Request, raw: dict[str, str | float | int | bool]) -> Any:
    import highspy
    from pyomo.contrib.solver.common.factory import SolverFactory

    options = request.options
    scheduler: Any = highspy.Highs
    scheduler.resetGlobalScheduler(True)
    solver = SolverFactory("highs")
    solver.config.load_solutions = False
    solver.config.raise_exception_on_nonoptimal_result = False
    solver.config.tee = options.log
    solver.config.time_limit = options.time_limit
    solver.config.threads = options.threads
    solver.config.rel_gap = options.gap
    seed = {"random_seed": options.seed % (2**31 - 1), "qp_regularization_value": 0.0}
    solver.config.solver_options = dict(COMMON) | seed | raw
    solver.set_instance(model)
    _watch(solver, request)
    return solver.solve(model)


def _watch(solver: Any, request: Request) -> None:
    """Ask `should_stop` in HiGHS's callbacks; Pyomo has its HiGHS object under a private name
    only.
    """
    highs = solver._solver_model

    def stop(event: Any) -> None:
        if request.should_stop():
            event.interrupt()

    for callback in (highs.cbMipInterrupt, highs.cbSimplexInterrupt, highs.cbIpmInterrupt):
        callback.subscribe(stop)


def _solution(
    program: LinearProgram, variables: list[Any], rows: list[Any], results: Any
) -> Solution:
    found = results.termination_condition.name
    termination = TERMINATION.get(found, Termination.ERROR)
    done, integral = termination is Termination.OPTIMAL, bool(program.integral.any())
    x = objective = bound = None
    multipliers: Any = {}
    if results.incumbent_objective is not None and termination is not Termination.UNBOUNDED:
        scaled = _values(program, variables, results)
        x = program.point(scaled)
        objective = program.value(x)
        if done and not integral:
            duals = _duals(rows, results) * (-1.0 if program.instance.maximize else 1.0)
            multipliers, bound = program.multipliers(duals), program.dual_bound(scaled, duals)
    if integral and results.objective_bound is not None and np.isfinite(results.objective_bound):
        bound = results.objective_bound / abs(program.objective_factor)
    stopped = Guarantee.NONE if x is None else Guarantee.FEASIBLE
    guarantee = GUARANTEE.get(termination, stopped)
    message = "" if done else f"HiGHS through Pyomo: {found}"
    return Solution(
        "highs", termination, guarantee, x, objective, bound, multipliers, message=message
    )


def _values(program: LinearProgram, variables: list[Any], results: Any) -> FloatArray:
    """The scaled point; variables that occur nowhere stay where they start."""
    found = results.solution_loader.get_vars()
    scaled = program.scaled(program.instance.first_point())
    for position, variable in enumerate(variables):
        value = found.get(variable)
        if value is not None:
            scaled[position] = value
    return scaled


def _duals(rows: list[Any], results: Any) -> FloatArray:
    duals = results.solution_loader.get_duals()
    return np.array([0.0 if row is None else duals.get(row, 0.0) for row in rows], dtype=np.float64)
