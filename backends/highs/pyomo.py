"""HiGHS through Pyomo's own interface, on the model that `to_pyomo` makes: the second way to the
same answer.

It is slower. The Pyomo model is scaled and shifted as the arrays of the first way are
(`mecdsl.backends.shared.scaled_pyomo`). "Infeasible or unbounded" stays what it is here.
"""

import time
from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mecdsl.backend import Request
from mecdsl.backends.highs.linear_program import LinearProgram
from mecdsl.backends.highs.options import COMMON, set_raw
from mecdsl.backends.shared.solver_output import solver_output
from mecdsl.instances.tables import FloatArray
from mecdsl.solution import Guarantee, Solution, Termination

if TYPE_CHECKING:
    from mecdsl.backends.shared.scaled_pyomo import ScaledPyomo

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
    from mecdsl.backends.shared.scaled_pyomo import scaled_pyomo

    raw = _raw(request)
    started = time.perf_counter()
    scaled = scaled_pyomo(program.reduced)
    ready = time.perf_counter()
    with solver_output(echo=request.options.log):
        results = _run(scaled.lowered.model, request, raw)
    solution = _solution(program, scaled, results)
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


def _solution(program: LinearProgram, scaled: "ScaledPyomo", results: Any) -> Solution:
    found = results.termination_condition.name
    termination = TERMINATION.get(found, Termination.ERROR)
    done, integral = termination is Termination.OPTIMAL, bool(program.integral.any())
    reduced = scaled.reduced
    x = objective = bound = None
    multipliers: Any = {}
    if results.incumbent_objective is not None and termination is not Termination.UNBOUNDED:
        values = _values(scaled, results)
        x = reduced.point(values)
        objective = reduced.instance.objective(x)
        if done and not integral:
            duals = _duals(scaled, results)
            multipliers = reduced.multipliers(duals)
            bound = program.dual_bound(values, program.reduced.sign * duals)
    if integral and results.objective_bound is not None:
        bound = reduced.bound(results.objective_bound)
    stopped = Guarantee.NONE if x is None else Guarantee.FEASIBLE
    guarantee = GUARANTEE.get(termination, stopped)
    message = "" if done else f"HiGHS through Pyomo: {found}"
    return Solution(
        backend="highs",
        termination=termination,
        guarantee=guarantee,
        values=x,
        objective=objective,
        bound=bound,
        multipliers=multipliers,
        message=message,
    )


def _values(scaled: "ScaledPyomo", results: Any) -> FloatArray:
    """The scaled point; variables that occur nowhere stay where they start."""
    found = results.solution_loader.get_vars()
    reduced, variables = scaled.reduced, scaled.lowered.variables
    values = reduced.started_at(reduced.instance.first_point())
    for position, column in enumerate(reduced.columns.tolist()):
        value = found.get(variables[column])
        if value is not None:
            values[position] = value
    return values


def _duals(scaled: "ScaledPyomo", results: Any) -> FloatArray:
    duals, rows = results.solution_loader.get_duals(), scaled.rows
    kept = (rows[row] for row in scaled.reduced.rows.tolist())
    return np.array([0.0 if row is None else duals.get(row, 0.0) for row in kept], dtype=np.float64)
