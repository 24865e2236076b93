"""HiGHS: linear programs, with integers too, and convex quadratic programs over continuous variables.

Choices, each found by trial with HiGHS 1.16:

- The arrays go in through `passModel`, scaled by powers of two (`mecdsl.scaling`), for HiGHS leaves out
  coefficients below 1e-9 without a word and its tolerances are absolute.
- Tolerances are 1e-9 instead of 1e-7, of integrality 1e-9 instead of 1e-6: with the default a binary variable may be 1e-6 and
  so switch a thousandth of a large capacity on. The absolute gap is 0, so that only the relative one ends a search.
- The regularisation of the Hessian, 1e-7 by default, moves the optimum; it is left out, and taken back only where HiGHS comes to
  no answer without it.
- A quadratic objective with integer variables is an error in HiGHS, so that class is not accepted.
- "Unbounded or infeasible" is resolved: without an objective an infeasible model stays infeasible; with a feasible point and
  an unbounded relaxation a model with rational data is unbounded.
- The dual bound of a continuous problem is the value of the dual at the returned multipliers, not the objective again.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any, Final

import numpy as np

from mecdsl.backend import Acceptance, Availability, Capabilities, Request, accepts_class
from mecdsl.backends.highs_options import SMALLEST_COEFFICIENT, set_options
from mecdsl.backends.linear_program import LinearProgram, linear_program
from mecdsl.backends.solver_output import solver_output
from mecdsl.classify import ProblemClass
from mecdsl.solution import Guarantee, Iteration, Solution, Termination

LARGEST_COEFFICIENT: Final = 1e15
QP_INTERRUPT: Final = 11  # kHighsCallbackQpInterrupt, which the type stubs do not know

STATUS: Final = {
    "kOptimal": Termination.OPTIMAL,
    "kInfeasible": Termination.INFEASIBLE,
    "kUnbounded": Termination.UNBOUNDED,
    "kUnboundedOrInfeasible": Termination.INFEASIBLE_OR_UNBOUNDED,
    "kTimeLimit": Termination.TIME_LIMIT,
    "kIterationLimit": Termination.ITERATION_LIMIT,
    "kSolutionLimit": Termination.ITERATION_LIMIT,
    "kObjectiveBound": Termination.ITERATION_LIMIT,
    "kObjectiveTarget": Termination.ITERATION_LIMIT,
    "kInterrupt": Termination.INTERRUPTED,
    "kHighsInterrupt": Termination.INTERRUPTED,
}
GUARANTEE: Final = {
    Termination.OPTIMAL: Guarantee.GLOBAL,
    Termination.INFEASIBLE: Guarantee.INFEASIBLE,
    Termination.UNBOUNDED: Guarantee.UNBOUNDED,
}


@dataclass(slots=True, eq=False)
class _Run:
    """One HiGHS object after its run, with what its callbacks recorded."""

    highs: Any
    termination: Termination
    message: str
    iterations: list[Iteration] = field(default_factory=list)


class Highs:
    """HiGHS from arrays, or through Pyomo with `via="pyomo"`."""

    name = "highs"
    capabilities = Capabilities(
        title="HiGHS",
        classes=frozenset({ProblemClass.LP, ProblemClass.MILP, ProblemClass.QP}),
        guarantee=Guarantee.GLOBAL,
        reference="Huangfu and Hall, Parallelizing the dual revised simplex method, Math. Prog. Comp. 10, 2018",
        bounds=True,
        multipliers=True,
        warm_start=True,
        time_limit=True,
        pyomo=True,
    )

    def availability(self) -> Availability:
        """Whether highspy can be imported."""
        try:
            import highspy
        except ImportError as error:
            return Availability(False, reason=str(error))
        solver: Any = highspy.Highs
        return Availability(True, {"highs": solver().version(), "highspy": version("highspy")})

    def accepts(self, request: Request) -> Acceptance:
        """LP, MILP and convex QP; the reason names what makes a problem something else."""
        accepted = accepts_class(self, request.problem)
        if not accepted.accepted and request.problem.problem_class is ProblemClass.MIQP:
            return Acceptance(
                False, f"{accepted.reason}; it solves a quadratic objective over continuous variables only"
            )
        return accepted

    def solve(self, request: Request) -> Solution:
        """Solve; multipliers for continuous problems, bound and gap for integer ones.

        Raises `ModelError` E505 for an option HiGHS does not know or a value it does not take. A warm start is used where
        there are integer variables.
        """
        started = time.perf_counter()
        program = linear_program(request.instance)
        lowered = time.perf_counter()
        solution = _shortcut(program) or _solve(program, request)
        seconds = {"lower": lowered - started, "solve": time.perf_counter() - lowered, **solution.seconds}
        return replace(solution, versions=self.availability().versions | dict(solution.versions), seconds=seconds)


def _shortcut(program: LinearProgram) -> Solution | None:
    """The answer where there is nothing to decide, or where HiGHS would drop a number."""
    if program.conflict:
        return Solution("highs", Termination.INFEASIBLE, Guarantee.INFEASIBLE, message=program.conflict)
    if not len(program.columns):
        x = program.instance.complete(np.zeros(program.instance.columns))
        value = program.value(x)
        none = program.multipliers(np.zeros(0))
        return Solution("highs", Termination.OPTIMAL, Guarantee.GLOBAL, x, value, value, none)
    sizes = np.abs(program.matrix.value)
    bad = np.flatnonzero((sizes <= SMALLEST_COEFFICIENT) | (sizes >= LARGEST_COEFFICIENT))
    if len(bad):
        return Solution("highs", Termination.ERROR, Guarantee.NONE, message=_too_wide(program, int(bad[0])))
    return None


def _too_wide(program: LinearProgram, entry: int) -> str:
    instance = program.instance
    row = int(program.rows[program.matrix.row[entry]])
    family = next(f for f in instance.constraints if f.first <= row < f.first + f.size)
    column = int(program.columns[program.matrix.column[entry]])
    return (
        f"the coefficient of `{instance.column_name(column)}` in `{instance.row_name(family, row - family.first)}` is too far "
        "from the others for HiGHS, which would leave it out"
    )


def _solve(program: LinearProgram, request: Request) -> Solution:
    if request.options.via == "pyomo":
        from mecdsl.backends.highs_pyomo import solve_through_pyomo

        return solve_through_pyomo(program, request)
    started = time.perf_counter()
    options = request.options

    def remaining() -> Request:
        if options.time_limit is None:
            return request
        left = max(0.0, options.time_limit - (time.perf_counter() - started))
        return replace(request, options=replace(options, time_limit=left))

    with solver_output(echo=options.log):
        exact = {"qp_regularization_value": 0.0}
        run = _run(program, request, exact)
        if run.termination is Termination.ERROR and len(program.hessian_value):
            run = _run(program, remaining(), {})
        if run.termination is Termination.INFEASIBLE_OR_UNBOUNDED:
            run.termination = _infeasible_or_unbounded(program, remaining)
            run.message = f"{run.message}, found to be {run.termination.value} by further runs"
        return _solution(program, run)


def _infeasible_or_unbounded(program: LinearProgram, remaining: Callable[[], Request]) -> Termination:
    """Which of the two it is."""
    nothing = np.zeros(len(program.cost))
    without = replace(
        program, cost=nothing, hessian_first=nothing[:0].astype(np.int64),
        hessian_second=nothing[:0].astype(np.int64), hessian_value=nothing[:0],
    )  # fmt: skip
    feasible = _run(without, remaining(), {}).termination
    if feasible in (Termination.INFEASIBLE, Termination.INTERRUPTED):
        return feasible
    if feasible is not Termination.OPTIMAL:
        return Termination.INFEASIBLE_OR_UNBOUNDED
    relaxed = replace(program, integral=np.zeros(len(program.columns), dtype=bool))
    # without presolve the simplex method itself finds the ray
    found = _run(relaxed, remaining(), {"presolve": "off"}).termination
    unbounded = found in (Termination.UNBOUNDED, Termination.INTERRUPTED)
    return found if unbounded else Termination.INFEASIBLE_OR_UNBOUNDED


def _run(program: LinearProgram, request: Request, own: Mapping[str, str | float]) -> _Run:
    """Build a HiGHS object and run it."""
    import highspy

    options = request.options
    solver: Any = highspy.Highs
    solver.resetGlobalScheduler(True)  # else another number of threads than in the first run is an error
    highs = solver()
    set_options(highs, options, own)
    _pass(highs, program)
    if options.start is not None and program.integral.any():
        known = np.flatnonzero(np.isfinite(options.start[program.columns]))
        values = program.scaled(options.start)[known]
        highs.setSolution(len(known), known.astype(np.int32), values)
    run = _Run(highs, Termination.ERROR, "")
    failures = _watch(program, run, request)
    highs.run()
    if failures:
        raise failures[0]
    status = highs.getModelStatus()
    run.termination = STATUS.get(status.name, Termination.ERROR)
    run.message = f"HiGHS: {highs.modelStatusToString(status)}"
    return run


def _pass(highs: Any, program: LinearProgram) -> None:
    """Hand the arrays over; sparse matrix by rows, lower triangle of the Hessian by columns."""
    import highspy

    matrix, count = program.matrix, len(program.columns)
    status = highs.passModel(
        count,
        matrix.rows,
        len(matrix.value),
        len(program.hessian_value),
        int(highspy.MatrixFormat.kRowwise),
        int(highspy.HessianFormat.kTriangular),
        int(highspy.ObjSense.kMinimize),
        program.offset,
        program.cost,
        program.lower,
        program.upper,
        program.row_lower,
        program.row_upper,
        np.searchsorted(matrix.row, np.arange(matrix.rows + 1)).astype(np.int32),
        matrix.column.astype(np.int32),
        matrix.value,
        np.searchsorted(program.hessian_second, np.arange(count + 1)).astype(np.int32),
        program.hessian_first.astype(np.int32),
        program.hessian_value,
        program.integral.astype(np.int32),
    )
    if status == highspy.HighsStatus.kError:
        raise ArithmeticError("HiGHS refused the arrays of the model")


def _watch(program: LinearProgram, run: _Run, request: Request) -> list[BaseException]:
    """Ask `should_stop` while HiGHS runs and record improving points; exceptions of callbacks end the run."""
    import highspy

    failures: list[BaseException] = []
    improving = highspy.cb.HighsCallbackType.kCallbackMipImprovingSolution

    def callback(kind: Any, message: str, found: Any, answer: Any, data: Any) -> None:
        try:
            if kind == int(improving):
                run.iterations.append(_iteration(program, len(run.iterations), found))
            elif request.should_stop():
                answer.user_interrupt = True
        except BaseException as error:  # a second Ctrl-C must not unwind through the solver's own frames
            failures.append(error)
            answer.user_interrupt = True

    run.highs.setCallback(callback, None)
    kinds = highspy.cb.HighsCallbackType
    for kind in (kinds.kCallbackMipInterrupt, kinds.kCallbackSimplexInterrupt, kinds.kCallbackIpmInterrupt, improving):
        run.highs.startCallback(kind)
    run.highs.startCallbackInt(QP_INTERRUPT)
    return failures


def _iteration(program: LinearProgram, number: int, found: Any) -> Iteration:
    bound = found.mip_dual_bound
    return Iteration(
        number,
        objective=program.original(found.objective_function_value),
        bound=program.original(bound) if np.isfinite(bound) else None,
        seconds=found.running_time,
        note="improving point",
    )


def _solution(program: LinearProgram, run: _Run) -> Solution:
    info, found = run.highs.getInfo(), run.highs.getSolution()
    integral = bool(program.integral.any())
    feasible = found.value_valid and info.primal_solution_status == 2
    proven_empty = run.termination in (Termination.INFEASIBLE, Termination.UNBOUNDED)
    x = objective = bound = None
    multipliers: Any = {}
    if feasible and not proven_empty:
        scaled = np.asarray(found.col_value, dtype=np.float64)
        x = program.point(scaled)
        objective = program.value(x)
        if not integral and run.termination is Termination.OPTIMAL and found.dual_valid:
            duals = np.asarray(found.row_dual, dtype=np.float64)
            multipliers = program.multipliers(duals)
            bound = program.dual_bound(scaled, duals)
    if integral and not proven_empty and np.isfinite(info.mip_dual_bound):
        bound = program.original(info.mip_dual_bound)
    stopped = Guarantee.NONE if x is None else Guarantee.FEASIBLE
    return Solution(
        "highs",
        run.termination,
        GUARANTEE.get(run.termination, stopped),
        x,
        objective,
        bound,
        multipliers,
        tuple(run.iterations),
        _certificate(info, integral, x is not None),
        "" if run.termination is Termination.OPTIMAL else run.message,
    )


def _certificate(info: Any, integral: bool, point: bool) -> dict[str, float]:
    """Counts of the run, and the infeasibilities left in the scaled program."""
    numbers = {"simplex_iterations": float(info.simplex_iteration_count)}
    if point:
        numbers["primal_infeasibility"] = float(info.max_primal_infeasibility)
    if integral:
        return numbers | {"nodes": float(info.mip_node_count)}
    return numbers
