"""Solve an `NlpProblem` with Ipopt, or a library with its interface: arrays in, arrays out.

Multipliers follow Ipopt: gradient f + Jacobian' lambda - z_L + z_U = 0 for the minimisation, so the
derivative of the optimal objective with respect to the right-hand side of a constraint is -lambda.

Choices, and why:
- `bound_relax_factor` is 0, so that no iterate leaves the bounds of a variable: with Ipopt's 1e-8,
  `sqrt(x)` is asked at -1e-8 and the solve ends with a nan. Inequality rows are widened here by
  1e-9, relative to max(1, |bound|): without it a problem with no strict interior (`x + y <= 1`,
  `x + y >= 1`) has multipliers a million times too large. With 1e-8 rows whose terms are small for
  their family were off by more than 1e-6 of them (fog with 3 nodes), and with 1e-10 a square root
  at 0 was not found.
- `compl_inf_tol` is 1e-10, for the objective of n variables and m rows lies (n + m) times that
  above the optimum: with the default, `tol`, fog with 100 nodes ended 6e-6 above, now 1e-7, for 1
  to 3 more iterations.
- `constr_viol_tol` is 1e-6 instead of 1e-4: Ipopt scales rows with large gradients down, and only
  this option, which is unscaled, keeps their real violation small.
- `obj_scaling_factor` lifts objectives with small gradients (see `objective_scale`); Ipopt's own
  gradient-based scaling only scales down. Without it the start of a problem in nanojoules is
  "optimal".
- `check_derivatives_for_naninf` is on: a nan in a derivative must end as a message, not as a wrong
  factorisation.
"""

import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass

import numpy as np

from mecdsl.backend import interruptible
from mecdsl.backends.ipopt.callbacks import Callbacks, Point
from mecdsl.backends.ipopt.first_order import first_order_holds
from mecdsl.backends.ipopt.library import Cyipopt, Library
from mecdsl.backends.ipopt.status import KEEPS_LAST_POINT, NO_FREE_VARIABLE, STALLED, STATUS
from mecdsl.backends.nlp.problem import FEASIBILITY_TOLERANCE as FEASIBILITY_TOLERANCE
from mecdsl.backends.nlp.problem import (
    Index,
    Reduction,
    Vector,
    clip_to_bounds,
    objective_scale,
    reduce_problem,
    violation,
)
from mecdsl.backends.nlp.problem import NlpProblem as NlpProblem
from mecdsl.backends.shared.solver_output import solver_output
from mecdsl.solution import Iteration, Termination

IPOPT: Library = Cyipopt()
ROW_RELAXATION = 1e-9
COMPLEMENTARITY = 1e-10
RawOptions = Mapping[str, str | float | int | bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class IpoptOutcome:
    """What Ipopt left behind.

    `x`: shape (n,), inside the bounds; None only where no point was ever evaluated. `violation`:
    largest violation of a constraint at `x`, relative to max(1, |bound|). Multipliers are zero for
    rows that had no say and None where Ipopt was not called. `evaluations`: calls of all callbacks
    together.
    """

    x: Vector | None
    objective: float | None
    violation: float | None
    constraint_multipliers: Vector | None
    lower_multipliers: Vector | None
    upper_multipliers: Vector | None
    status: int
    status_text: str
    termination: Termination
    message: str
    iterations: tuple[Iteration, ...]
    seconds: float
    evaluations: int
    version: str

    @property
    def feasible(self) -> bool:
        """Whether `x` satisfies the constraints to the feasibility tolerance."""
        return self.violation is not None and self.violation <= FEASIBILITY_TOLERANCE


def solve_ipopt(
    problem: NlpProblem,
    time_limit: float | None = None,
    tolerance: float = 1e-9,
    max_iterations: int = 3000,
    log: bool = False,
    raw: RawOptions | None = None,
    should_stop: Callable[[], bool] | None = None,
    careful: bool = False,
    library: Library = IPOPT,
) -> IpoptOutcome:
    """A local minimum of `problem`.

    `time_limit` in s; `log` prints Ipopt's log to standard error; `raw` holds Ipopt's own options
    and wins over everything chosen here. `careful`: a point where a derivative is not finite is
    taken for one without values, so that Ipopt turns back. Ctrl-C (in the main thread) or
    `should_stop` ends the solve with the best point so far; a second Ctrl-C raises
    KeyboardInterrupt. Raises ValueError for an option or limit that makes no sense, and whatever a
    callback of `problem` raised.
    """
    if time_limit is not None and not time_limit > 0.0:
        raise ValueError(f"time limit must be positive, found {time_limit:g} s")
    began = time.perf_counter()
    reduction = reduce_problem(problem)
    if reduction.conflict or not len(reduction.free):
        return _without_solver(problem, reduction, began, library)
    options = _options(reduction.problem, time_limit, tolerance, max_iterations, log)
    with interruptible() as pressed:
        stop = should_stop or bool
        callbacks = Callbacks(
            problem=reduction.problem,
            should_stop=lambda: pressed() or stop(),
            began=began,
            library=library,
            careful=careful or not library.looks,
        )
        with solver_output(echo=True) if log else nullcontext():
            point, status = _run(library, callbacks, options, raw or {})
    if callbacks.failure is not None:
        raise callbacks.failure
    return _outcome(problem, reduction, callbacks, point, status)


def _options(
    problem: NlpProblem, time_limit: float | None, tolerance: float, max_iterations: int, log: bool
) -> RawOptions:
    options: dict[str, str | float | int | bool] = {
        "tol": float(tolerance),
        "constr_viol_tol": FEASIBILITY_TOLERANCE,
        "compl_inf_tol": COMPLEMENTARITY,
        "bound_relax_factor": 0.0,
        "max_iter": max_iterations,
        "check_derivatives_for_naninf": True,
        "obj_scaling_factor": max(1.0, objective_scale(problem)),
        "print_level": 5 if log else 0,
        "sb": True,
    }
    if time_limit is not None:
        options["max_wall_time"] = float(time_limit)
    return options


def _run(
    library: Library, callbacks: Callbacks, options: RawOptions, raw: RawOptions
) -> tuple[Point, int]:
    problem = callbacks.problem
    callbacks.handle = library.opened(callbacks, problem, _widened(problem), options)
    if raw:
        library.with_raw(callbacks.handle, raw)
    x, info = callbacks.handle.solve(clip_to_bounds(problem, problem.start))
    callbacks.handle = None  # it refers back to the callbacks
    return Point(x, info["mult_g"], info["mult_x_L"], info["mult_x_U"]), int(info["status"])


def _widened(problem: NlpProblem) -> tuple[Vector, Vector]:
    """Bounds of the rows, those of inequalities moved outward a little."""
    lower, upper = problem.constraint_lower, problem.constraint_upper
    room = np.where(lower == upper, 0.0, ROW_RELAXATION)
    return lower - room * np.maximum(1.0, np.abs(lower)), upper + room * np.maximum(
        1.0, np.abs(upper)
    )


def _without_solver(
    problem: NlpProblem, reduction: Reduction, began: float, library: Library
) -> IpoptOutcome:
    """One point or none: nothing to search, so the claims are proven."""
    name, termination, message = STATUS[NO_FREE_VARIABLE]
    x: Vector | None = reduction.point
    objective = size = None
    if reduction.conflict:
        x, termination, message = None, Termination.INFEASIBLE, reduction.conflict
    else:
        objective, size = _evaluate(problem, reduction.point)
        if not np.isfinite(objective):
            termination, message = (
                Termination.ERROR,
                f"the objective is {objective:g} at the only point",
            )
    seconds = time.perf_counter() - began
    return IpoptOutcome(
        x=x,
        objective=objective,
        violation=size,
        constraint_multipliers=None,
        lower_multipliers=None,
        upper_multipliers=None,
        status=NO_FREE_VARIABLE,
        status_text=name,
        termination=termination,
        message=message,
        iterations=(),
        seconds=seconds,
        evaluations=0 if reduction.conflict else 2,
        version=next(iter(library.versions().values())),
    )


def _evaluate(problem: NlpProblem, x: Vector) -> tuple[float, float]:
    with np.errstate(all="ignore"):
        values = problem.constraints(x)
        return float(problem.objective(x)), violation(
            values, problem.constraint_lower, problem.constraint_upper
        )


def _outcome(
    problem: NlpProblem, reduction: Reduction, callbacks: Callbacks, final: Point, status: int
) -> IpoptOutcome:
    unknown = (
        f"status {status}",
        Termination.ERROR,
        "ipopt returned a status that is not known here",
    )
    name, termination, message = STATUS.get(status, unknown)
    point = final if status in KEEPS_LAST_POINT or callbacks.best is None else callbacks.best
    x = clip_to_bounds(problem, reduction.expand(point.x))
    objective, size = _evaluate(problem, x)
    if status == -13 and callbacks.last is not None:
        message = _first_bad_number(callbacks.problem, callbacks.last) or message
    multipliers, lower, upper = _full_multipliers(problem, reduction, point, x)
    if status in STALLED and first_order_holds(problem, x, multipliers, lower, upper):
        termination = Termination.LOCALLY_OPTIMAL
        message = "ipopt could get no further; first-order conditions hold to 1e-6, relative"
    if (
        termination in (Termination.ITERATION_LIMIT, Termination.TIME_LIMIT)
        and not size <= FEASIBILITY_TOLERANCE
    ):
        message = "no point that satisfies the constraints was found so far"
    return IpoptOutcome(
        x=x,
        objective=objective if np.isfinite(objective) else None,
        violation=size if np.isfinite(size) else None,
        constraint_multipliers=multipliers,
        lower_multipliers=lower,
        upper_multipliers=upper,
        status=status,
        status_text=name,
        termination=termination,
        message=message,
        iterations=tuple(callbacks.iterations),
        seconds=time.perf_counter() - callbacks.began,
        evaluations=callbacks.evaluations,
        version=next(iter(callbacks.library.versions().values())),
    )


def _full_multipliers(
    problem: NlpProblem, reduction: Reduction, point: Point, x: Vector
) -> tuple[Vector, Vector, Vector]:
    """Multipliers of the whole problem; those of a fixed variable are what makes its gradient
    balance.
    """
    multipliers = np.zeros(problem.constraint_count)
    multipliers[reduction.rows] = point.constraint_multipliers
    count = len(reduction.free)
    lower, upper = np.zeros(problem.variable_count), np.zeros(problem.variable_count)
    lower[reduction.free] = point.lower_multipliers[:count]
    upper[reduction.free] = point.upper_multipliers[:count]
    if count < problem.variable_count:
        with np.errstate(all="ignore"):
            balance = problem.gradient(x).astype(np.float64, copy=True)
            terms = problem.jacobian_values(x) * multipliers[problem.jacobian_rows]
        np.add.at(balance, problem.jacobian_columns, terms)
        fixed = np.ones(problem.variable_count, dtype=bool)
        fixed[reduction.free] = False
        lower[fixed], upper[fixed] = (
            np.maximum(balance, 0.0)[fixed],
            np.maximum(-balance, 0.0)[fixed],
        )
    return multipliers, lower, upper


def _first_bad_number(problem: NlpProblem, x: Vector) -> str:
    """Which function is not finite at `x`; ipopt itself only says that one is not."""
    with np.errstate(all="ignore"):
        if not np.isfinite(value := problem.objective(x)):
            return f"the objective is {value:g} at a point that ipopt tried"
        searches: tuple[tuple[str, Vector, Index | None, Index | None], ...] = (
            ("constraint", problem.constraints(x), np.arange(problem.constraint_count), None),
            (
                "the derivative of the objective",
                problem.gradient(x),
                None,
                np.arange(problem.variable_count),
            ),
            (
                "a derivative of constraint",
                problem.jacobian_values(x),
                problem.jacobian_rows,
                problem.jacobian_columns,
            ),
        )
    for text, values, rows, columns in searches:
        for bad in np.flatnonzero(~np.isfinite(values))[:1].tolist():
            row = "" if rows is None else f" `{problem.constraint_name(int(rows[bad]))}`"
            by = "" if columns is None else f" by `{problem.variable_name(int(columns[bad]))}`"
            return (
                f"{text}{row}{by} is {values[bad]:g} at a point that ipopt tried; `scip` "
                "needs no derivatives"
            )
    return ""
