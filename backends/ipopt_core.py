"""Solve an `NlpProblem` with Ipopt through cyipopt: arrays in, arrays out.

Multipliers follow Ipopt: gradient f + Jacobian' lambda - z_L + z_U = 0 for the minimisation, so the derivative of the
optimal objective with respect to the right-hand side of a constraint is -lambda.

Choices, and why:
- `bound_relax_factor` stays at Ipopt's 1e-8. With 0 a problem without strict interior (`x + y <= 1`, `x + y >= 1`) still
  converges, but its multipliers come out a million times too large, since no interior keeps them bounded. The price is
  a point up to 1e-8 outside: variables are clipped back, and objective and violation are recomputed at the clipped point.
- `constr_viol_tol` is 1e-6 instead of 1e-4: Ipopt scales rows with large gradients down, and only this option, which is
  unscaled, keeps their real violation small.
- `obj_scaling_factor` lifts objectives with small gradients (see `objective_scale`); Ipopt's own gradient-based scaling
  only scales down. Without it the start of a problem in nanojoules is "optimal".
- `check_derivatives_for_naninf` is on: a nan in a derivative must end as a message, not as a wrong factorisation.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

import cyipopt
import numpy as np

from mecdsl.backend import interruptible
from mecdsl.backends.nlp_problem import FEASIBILITY_TOLERANCE as FEASIBILITY_TOLERANCE
from mecdsl.backends.nlp_problem import NlpProblem as NlpProblem
from mecdsl.backends.nlp_problem import (
    Reduction,
    Vector,
    clip_to_bounds,
    objective_scale,
    reduce_problem,
    violation,
)
from mecdsl.backends.solver_output import solver_output
from mecdsl.solution import Iteration, Termination

RawOptions = Mapping[str, str | float | int | bool]
Value = TypeVar("Value")

NO_FREE_VARIABLE = 100
"""Status of our own: the bounds leave one point, or none, and Ipopt was not called."""

STATUS: Mapping[int, tuple[str, Termination, str]] = {
    0: ("Solve_Succeeded", Termination.LOCALLY_OPTIMAL, ""),
    1: (
        "Solved_To_Acceptable_Level",
        Termination.LOCALLY_OPTIMAL,
        "first-order conditions hold only to the acceptable tolerance, not to the one asked for",
    ),
    2: (
        "Infeasible_Problem_Detected",
        Termination.LOCALLY_INFEASIBLE,
        "converged to a point where the violation of the constraints is locally least",
    ),
    3: (
        "Search_Direction_Becomes_Too_Small",
        Termination.ERROR,
        "no further progress is possible; the point is not known to be optimal",
    ),
    4: (
        "Diverging_Iterates",
        Termination.INFEASIBLE_OR_UNBOUNDED,
        "iterates diverge: unbounded as far as a local solver can tell",
    ),
    5: ("User_Requested_Stop", Termination.INTERRUPTED, "stopped by the user"),
    6: ("Feasible_Point_Found", Termination.LOCALLY_OPTIMAL, "feasible point of a square system"),
    -1: ("Maximum_Iterations_Exceeded", Termination.ITERATION_LIMIT, ""),
    -2: (
        "Restoration_Failed",
        Termination.ERROR,
        "the restoration phase found no point with smaller violation; this proves nothing",
    ),
    -3: ("Error_In_Step_Computation", Termination.ERROR, "the search direction could not be computed"),
    -4: ("Maximum_CpuTime_Exceeded", Termination.TIME_LIMIT, ""),
    -5: ("Maximum_WallTime_Exceeded", Termination.TIME_LIMIT, ""),
    -10: ("Not_Enough_Degrees_Of_Freedom", Termination.ERROR, "fewer variables than equalities"),
    -11: ("Invalid_Problem_Definition", Termination.ERROR, "the problem is not well defined"),
    -12: ("Invalid_Option", Termination.ERROR, "an option has a value that ipopt does not take"),
    -13: ("Invalid_Number_Detected", Termination.ERROR, "a function or derivative is not finite"),
    -100: ("Unrecoverable_Exception", Termination.ERROR, "ipopt failed"),
    -101: ("NonIpopt_Exception_Thrown", Termination.ERROR, "ipopt failed"),
    -102: ("Insufficient_Memory", Termination.ERROR, "out of memory"),
    -199: ("Internal_Error", Termination.ERROR, "ipopt failed"),
    NO_FREE_VARIABLE: ("No_Free_Variable", Termination.OPTIMAL, "the bounds leave a single point"),
}
KEEPS_LAST_POINT = frozenset({0, 1, 2, 6})
"""Statuses whose final point is what the method was after; after any other the best point seen is better."""


@dataclass(frozen=True, slots=True)
class IpoptOutcome:
    """What Ipopt left behind.

    `x`: shape (n,), inside the bounds; None only where no point was ever evaluated. `violation`: largest violation of
    a constraint at `x`, relative to max(1, |bound|). Multipliers are zero for rows that had no say and None where Ipopt
    was not called. `evaluations`: calls of all callbacks together.
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


def ipopt_version() -> str:
    """Version of the Ipopt library, such as `3.14.11`."""
    return ".".join(str(part) for part in cyipopt.IPOPT_VERSION)


@dataclass(slots=True)
class _Point:
    x: Vector
    constraint_multipliers: Vector
    lower_multipliers: Vector
    upper_multipliers: Vector
    rank: tuple[float, float] = (np.inf, np.inf)


@dataclass(slots=True)
class _Callbacks:
    """The callbacks under the names that cyipopt looks for, and what is noted while they run.

    cyipopt keeps the first exception of a callback to itself until Ipopt returns and feeds Ipopt made-up numbers until
    then. Here an exception is stored, every later call reports an evaluation error at once, and it is raised at the end.
    """

    problem: NlpProblem
    should_stop: Callable[[], bool]
    began: float
    iterations: list[Iteration] = field(default_factory=list)
    best: _Point | None = None
    last: Vector | None = None
    evaluations: int = 0
    failure: BaseException | None = None
    handle: Any = None  # the cyipopt.Problem, for its current iterate

    def _guarded(self, call: Callable[[], Value]) -> Value:
        self.evaluations += 1
        if self.failure is None:
            try:
                with np.errstate(all="ignore"):  # ipopt looks at nan and inf itself
                    return call()
            except BaseException as error:  # noqa: BLE001 - crosses C code; raised again by solve_ipopt
                self.failure = error
        raise cyipopt.CyIpoptEvaluationError

    def objective(self, x: Vector) -> float:
        self.last = x
        return self._guarded(lambda: float(self.problem.objective(x)))

    def gradient(self, x: Vector) -> Vector:
        return self._guarded(lambda: self.problem.gradient(x))

    def constraints(self, x: Vector) -> Vector:
        self.last = x
        return self._guarded(lambda: self.problem.constraints(x))

    def jacobian(self, x: Vector) -> Vector:
        return self._guarded(lambda: self.problem.jacobian_values(x))

    def jacobianstructure(self) -> tuple[Any, Any]:
        return self.problem.jacobian_rows, self.problem.jacobian_columns

    def hessian(self, x: Vector, multipliers: Vector, factor: float) -> Vector:
        return self._guarded(lambda: self.problem.hessian_values(x, multipliers, factor))

    def hessianstructure(self) -> tuple[Any, Any]:
        return self.problem.hessian_rows, self.problem.hessian_columns

    def intermediate(
        self, mode: int, number: int, objective: float, primal: float, dual: float, *rest: float
    ) -> bool:
        if self.failure is not None:
            return False
        try:
            seconds = time.perf_counter() - self.began
            note = "restoration" if mode == 1 else ""
            self.iterations.append(Iteration(number, objective, None, primal, seconds, note))
            self._remember(objective)
            return not self.should_stop()
        except BaseException as error:  # noqa: BLE001 - crosses C code; raised again by solve_ipopt
            self.failure = error
            return False

    def _remember(self, objective: float) -> None:
        """Keep the feasible iterate with the least objective; before there is one, that of least violation."""
        current = self.handle.get_current_iterate()
        if current is None:
            return
        limits = self.problem.constraint_lower, self.problem.constraint_upper
        size = violation(current["g"], *limits) if self.problem.constraint_count else 0.0
        rank = (0.0, objective) if size <= FEASIBILITY_TOLERANCE else (size, objective)
        if self.best is None or rank < self.best.rank:
            parts = (current[key] for key in ("x", "mult_g", "mult_x_L", "mult_x_U"))
            self.best = _Point(*parts, rank)


def solve_ipopt(
    problem: NlpProblem,
    time_limit: float | None = None,
    tolerance: float = 1e-9,
    max_iterations: int = 3000,
    log: bool = False,
    raw: RawOptions | None = None,
    should_stop: Callable[[], bool] | None = None,
) -> IpoptOutcome:
    """A local minimum of `problem`.

    `time_limit` in s; `log` prints Ipopt's log to standard error; `raw` holds Ipopt's own options and wins over
    everything chosen here. Ctrl-C (in the main thread) or `should_stop` ends the solve with the best point so far;
    a second Ctrl-C raises KeyboardInterrupt. Raises ValueError for an option or limit that makes no sense, and whatever
    a callback of `problem` raised.
    """
    if time_limit is not None and not time_limit > 0.0:
        raise ValueError(f"time limit must be positive, found {time_limit:g} s")
    began = time.perf_counter()
    reduction = reduce_problem(problem)
    if reduction.conflict or not len(reduction.free):
        return _without_solver(problem, reduction, began)
    options: dict[str, str | float | int | bool] = {
        "tol": float(tolerance),
        "constr_viol_tol": FEASIBILITY_TOLERANCE,
        "max_iter": max_iterations,
        "check_derivatives_for_naninf": True,
        "obj_scaling_factor": max(1.0, objective_scale(reduction.problem)),
        "print_level": 5 if log else 0,
        "sb": True,
    }
    if time_limit is not None:
        options["max_wall_time"] = float(time_limit)
    options |= raw or {}
    with interruptible() as pressed:
        callbacks = _Callbacks(reduction.problem, lambda: pressed() or (should_stop or bool)(), began)
        if log:
            with solver_output(echo=True):
                point, status = _run(callbacks, options)
        else:
            point, status = _run(callbacks, options)
    if callbacks.failure is not None:
        raise callbacks.failure
    return _outcome(problem, reduction, callbacks, point, status)


def _run(callbacks: _Callbacks, options: RawOptions) -> tuple[_Point, int]:
    problem = callbacks.problem
    callbacks.handle = cyipopt.Problem(
        n=problem.variable_count,
        m=problem.constraint_count,
        problem_obj=callbacks,
        lb=problem.lower,
        ub=problem.upper,
        cl=problem.constraint_lower,
        cu=problem.constraint_upper,
    )
    with solver_output() as printed:  # a wrong option makes ipopt print, whatever its print level
        for name, value in options.items():
            _set_option(callbacks.handle, name, value)
    del printed
    x, info = callbacks.handle.solve(clip_to_bounds(problem, problem.start))
    return _Point(x, info["mult_g"], info["mult_x_L"], info["mult_x_U"]), int(info["status"])


def _set_option(handle: Any, name: str, value: str | float | int | bool) -> None:
    """Ipopt tells `1` from `1.0` and knows no booleans; users need not care."""
    candidates: tuple[object, ...]
    match value:
        case bool():
            candidates = ("yes" if value else "no",)
        case int():
            candidates = (value, float(value))
        case float() if value.is_integer():
            candidates = (float(value), int(value))
        case float():
            candidates = (float(value),)
        case _:
            candidates = (value,)
    for candidate in candidates:
        try:
            handle.add_option(name, candidate)
        except TypeError:  # cyipopt's word for any refusal
            continue
        return
    raise ValueError(f"ipopt has no option `{name}` that takes `{value}`")


def _without_solver(problem: NlpProblem, reduction: Reduction, began: float) -> IpoptOutcome:
    """One point or none: nothing to search, so the claims are proven."""
    name, termination, message = STATUS[NO_FREE_VARIABLE]
    x: Vector | None = reduction.point
    objective = size = None
    if reduction.conflict:
        x, termination, message = None, Termination.INFEASIBLE, reduction.conflict
    else:
        objective, size = _evaluate(problem, reduction.point)
        if not np.isfinite(objective):
            termination, message = Termination.ERROR, f"the objective is {objective:g} at the only point"
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
        version=ipopt_version(),
    )


def _evaluate(problem: NlpProblem, x: Vector) -> tuple[float, float]:
    with np.errstate(all="ignore"):
        values = problem.constraints(x)
        return float(problem.objective(x)), violation(
            values, problem.constraint_lower, problem.constraint_upper
        )


def _outcome(
    problem: NlpProblem, reduction: Reduction, callbacks: _Callbacks, final: _Point, status: int
) -> IpoptOutcome:
    unknown = (f"status {status}", Termination.ERROR, "ipopt returned a status that is not known here")
    name, termination, message = STATUS.get(status, unknown)
    point = final if status in KEEPS_LAST_POINT or callbacks.best is None else callbacks.best
    x = clip_to_bounds(problem, reduction.expand(point.x))
    objective, size = _evaluate(problem, x)
    if status == -13 and callbacks.last is not None:
        message = _first_bad_number(callbacks.problem, callbacks.last, reduction) or message
    multipliers, lower, upper = _full_multipliers(problem, reduction, point, x)
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
        version=ipopt_version(),
    )


def _full_multipliers(
    problem: NlpProblem, reduction: Reduction, point: _Point, x: Vector
) -> tuple[Vector, Vector, Vector]:
    """Multipliers of the whole problem; those of a fixed variable are what makes its gradient balance."""
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
        lower[fixed], upper[fixed] = np.maximum(balance, 0.0)[fixed], np.maximum(-balance, 0.0)[fixed]
    return multipliers, lower, upper


def _first_bad_number(problem: NlpProblem, x: Vector, reduction: Reduction) -> str:
    """Which function is not finite at `x`, with rows and columns of the full problem."""
    with np.errstate(all="ignore"):
        objective = problem.objective(x)
        if not np.isfinite(objective):
            return f"the objective is {objective:g} at the point that ipopt tried"
        for text, values, positions in (
            ("constraint {} is {:g}", problem.constraints(x), reduction.rows),
            ("the derivative of the objective by variable {} is {:g}", problem.gradient(x), reduction.free),
            (
                "a derivative of constraint {} is {:g}",
                problem.jacobian_values(x),
                reduction.rows[problem.jacobian_rows],
            ),
        ):
            bad = np.flatnonzero(~np.isfinite(values))
            if bad.size:
                return (
                    text.format(positions[bad[0]], values[bad[0]]) + " at the point that ipopt tried"
                )
    return ""
