"""HiGHS: linear programs, with integers too, and convex quadratic programs over continuous
variables.

Choices, each found by trial with HiGHS 1.16:

- The arrays go in through `passModel`, scaled by powers of two (`mecdsl.analysis.scaling`), for
  HiGHS leaves out coefficients below 1e-9 without a word and its tolerances are absolute.
- Tolerances are 1e-9 instead of 1e-7, of integrality 1e-9 instead of 1e-6: with the default a
  binary variable may be 1e-6 and so switch a millionth of a large capacity on. The absolute gap is
  0, so that only the relative one ends a search.
- The regularisation of the Hessian, 1e-7 by default, moves the optimum; it is left out, and taken
  back only where HiGHS comes to no answer without it.
- A quadratic objective with integer variables is an error in HiGHS, so that class is not accepted.
- "Unbounded or infeasible" is resolved: without an objective an infeasible model stays infeasible;
  with a feasible point and an unbounded relaxation a model with rational data is unbounded.
- The dual bound of a continuous problem is the value of the dual at the returned multipliers, not
  the objective again.
"""

import time
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from typing import Any, Final

import numpy as np

from mecdsl.backend import Acceptance, Availability, Capabilities, Request, accepts_class, prefer
from mecdsl.backends.highs.linear_program import LinearProgram, linear_program
from mecdsl.backends.highs.options import SMALLEST_COEFFICIENT
from mecdsl.backends.highs.run import Run, run_highs
from mecdsl.backends.shared.solver_output import solver_output
from mecdsl.model.classes import ProblemClass
from mecdsl.reduction.conflicts import row_name
from mecdsl.solution import Guarantee, Solution, Termination

LARGEST_COEFFICIENT: Final = 1e15
INFINITY: Final = 1e20  # HiGHS's `infinite_bound` and `infinite_cost`
GUARANTEE: Final = {
    Termination.OPTIMAL: Guarantee.GLOBAL,
    Termination.INFEASIBLE: Guarantee.INFEASIBLE,
    Termination.UNBOUNDED: Guarantee.UNBOUNDED,
}


class Highs:
    """HiGHS from arrays, or through Pyomo with `via="pyomo"`."""

    name = "highs"
    capabilities = Capabilities(
        title="HiGHS",
        classes=frozenset({ProblemClass.LP, ProblemClass.MILP, ProblemClass.QP}),
        guarantee=Guarantee.GLOBAL,
        reference="Huangfu and Hall, Parallelizing the dual revised simplex method, Math. "
        "Prog. Comp. 10, 2018",
        bounds=True,
        multipliers=True,
        warm_start=True,
        time_limit=True,
        pyomo=True,
        preferences=(
            prefer(10, "linear", ProblemClass.LP),
            prefer(10, "linear with integers", ProblemClass.MILP),
            prefer(10, "convex quadratic objective", ProblemClass.QP),
        ),
    )

    def availability(self) -> Availability:
        """Whether highspy can be imported."""
        try:
            import highspy
        except ImportError as error:
            return Availability(False, reason=str(error))
        # the constants of the build, for a Highs object made here would print its greeting on
        # standard output
        parts = (getattr(highspy, f"HIGHS_VERSION_{part}") for part in ("MAJOR", "MINOR", "PATCH"))
        number = ".".join(map(str, parts))
        return Availability(True, {"highs": number, "highspy": version("highspy")})

    def accepts(self, request: Request) -> Acceptance:
        """LP, MILP and convex QP; the reason names what makes a problem something else."""
        accepted = accepts_class(self, request.problem)
        if not accepted.accepted and request.problem.problem_class is ProblemClass.MIQP:
            return Acceptance(
                False,
                f"{accepted.reason}; it solves a quadratic objective over continuous "
                "variables only",
            )
        return accepted

    def solve(self, request: Request) -> Solution:
        """Solve; multipliers for continuous problems, a bound for all.

        Raises `ModelError` E505 for an option HiGHS does not know or a value it does not take. A
        warm start is used where there are integer variables.
        """
        started = time.perf_counter()
        program = linear_program(request.instance)
        lowered = time.perf_counter()
        solution = _shortcut(program) or _solve(program, request)
        seconds = {
            "lower": lowered - started,
            "solve": time.perf_counter() - lowered,
            **solution.seconds,
        }
        return replace(
            solution,
            versions=self.availability().versions | dict(solution.versions),
            seconds=seconds,
        )


def _shortcut(program: LinearProgram) -> Solution | None:
    """The answer where there is nothing to decide, or where HiGHS would drop a number."""
    reduced = program.reduced
    if reduced.conflict:
        return Solution(
            backend="highs",
            termination=Termination.INFEASIBLE,
            guarantee=Guarantee.INFEASIBLE,
            message=reduced.conflict,
        )
    if not len(reduced.columns):
        x = reduced.point(np.zeros(0))
        value = reduced.instance.objective(x)
        none = reduced.multipliers(np.zeros(0))
        return Solution(
            backend="highs",
            termination=Termination.OPTIMAL,
            guarantee=Guarantee.GLOBAL,
            values=x,
            objective=value,
            bound=value,
            multipliers=none,
        )
    sizes = np.abs(program.matrix.value)
    bad = np.flatnonzero((sizes <= SMALLEST_COEFFICIENT) | (sizes >= LARGEST_COEFFICIENT))
    if len(bad):
        return Solution(
            backend="highs",
            termination=Termination.ERROR,
            guarantee=Guarantee.NONE,
            message=_too_wide(program, int(bad[0])),
        )
    limits = np.abs(
        np.concatenate(
            [program.lower, program.upper, program.row_lower, program.row_upper, program.cost]
        )
    )
    if (np.isfinite(limits) & (limits >= INFINITY)).any():
        message = (
            f"HiGHS takes numbers from {INFINITY:g} for infinite, and a bound, "
            "right-hand side or cost is as large"
        )
        return Solution(
            backend="highs",
            termination=Termination.ERROR,
            guarantee=Guarantee.NONE,
            message=message,
        )
    return None


def _too_wide(program: LinearProgram, entry: int) -> str:
    reduced = program.reduced
    row = row_name(reduced.instance, int(reduced.rows[program.matrix.row[entry]]))
    column = reduced.instance.column_name(int(reduced.columns[program.matrix.column[entry]]))
    return (
        f"the coefficient of `{column}` in `{row}` is too far from the others for HiGHS, "
        "which would leave it out"
    )


def _solve(program: LinearProgram, request: Request) -> Solution:
    if request.options.via == "pyomo":
        from mecdsl.backends.highs.pyomo import solve_through_pyomo

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
        run = run_highs(program, request, exact)
        if run.termination is Termination.ERROR and len(program.hessian_value):
            run = run_highs(program, remaining(), {})
        if run.termination is Termination.INFEASIBLE_OR_UNBOUNDED:
            run.termination = _infeasible_or_unbounded(program, remaining)
            if run.termination is not Termination.INFEASIBLE_OR_UNBOUNDED:
                run.message = f"{run.message}, found to be {run.termination.value} by further runs"
        return _solution(program, run)


def _infeasible_or_unbounded(
    program: LinearProgram, remaining: Callable[[], Request]
) -> Termination:
    """Which of the two it is."""
    nothing = np.zeros(len(program.cost))
    without = replace(
        program,
        cost=nothing,
        hessian_first=nothing[:0].astype(np.int64),
        hessian_second=nothing[:0].astype(np.int64),
        hessian_value=nothing[:0],
    )
    feasible = run_highs(without, remaining(), {}).termination
    if feasible in (Termination.INFEASIBLE, Termination.INTERRUPTED):
        return feasible
    if feasible is not Termination.OPTIMAL:
        return Termination.INFEASIBLE_OR_UNBOUNDED
    relaxed = replace(program, integral=np.zeros(len(program.cost), dtype=bool))
    # without presolve the simplex method itself finds the ray
    found = run_highs(relaxed, remaining(), {"presolve": "off"}).termination
    unbounded = found in (Termination.UNBOUNDED, Termination.INTERRUPTED)
    return found if unbounded else Termination.INFEASIBLE_OR_UNBOUNDED


def _solution(program: LinearProgram, run: Run) -> Solution:
    info, found = run.highs.getInfo(), run.highs.getSolution()
    integral = bool(program.integral.any())
    feasible = found.value_valid and info.primal_solution_status == 2
    proven_empty = run.termination in (Termination.INFEASIBLE, Termination.UNBOUNDED)
    x = objective = bound = None
    multipliers: Any = {}
    if feasible and not proven_empty:
        scaled = np.asarray(found.col_value, dtype=np.float64)
        x = program.reduced.point(scaled)
        objective = program.reduced.instance.objective(x)
        if not integral and run.termination is Termination.OPTIMAL and found.dual_valid:
            duals = np.asarray(found.row_dual, dtype=np.float64)
            multipliers = program.reduced.multipliers(duals)
            bound = program.dual_bound(scaled, duals)
    if integral and not proven_empty:
        bound = program.reduced.bound(info.mip_dual_bound)
    stopped = Guarantee.NONE if x is None else Guarantee.FEASIBLE
    return Solution(
        backend="highs",
        termination=run.termination,
        guarantee=GUARANTEE.get(run.termination, stopped),
        values=x,
        objective=objective,
        bound=bound,
        multipliers=multipliers,
        iterations=tuple(run.iterations),
        certificate=_certificate(info, integral, x is not None),
        message="" if run.termination is Termination.OPTIMAL else run.message,
    )


def _certificate(info: Any, integral: bool, point: bool) -> dict[str, float]:
    """Counts of the run, and the infeasibilities left in the scaled program."""
    numbers = {"simplex_iterations": float(info.simplex_iteration_count)}
    if point:
        numbers["primal_infeasibility"] = float(info.max_primal_infeasibility)
    if integral:
        return numbers | {"nodes": float(info.mip_node_count)}
    return numbers
