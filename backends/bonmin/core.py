"""Solve a convex mixed-integer nonlinear problem with Bonmin, which CasADi's package carries.

The answer is a global optimum only if objective and feasible set are convex once integrality is
dropped. That cannot be seen from the expressions here: it is the caller's to know.

Found out by trying, and why this file looks as it does (CasADi 3.8):
- Only the plain branch and bound, `B-BB`, is let through. On small convex problems with continuous
  and integer variables `B-QG`, `B-Hyb` and `B-Ecp` returned wrong points as optimal, `B-iFP` and
  `B-Hyb` ran without end, and Ctrl-C during `B-OA` ended the process with a segmentation fault.
  `B-BB` agreed with enumeration throughout.
- The objective is scaled to gradients about 1, and `cutoff_decr` is 0. With objectives of 1e-7 and
  less Bonmin's absolute tolerances cut the optimum off (7 of 15 random problems wrong), with 1e7 it
  failed.
- Bounds of integers are rounded inward first: with 0.2 <= x <= 0.8 Bonmin called x = 0.8 optimal.
- Unused columns are added until variables outnumber equalities; else Bonmin fails with an unnamed
  error.
- Bonmin prints through CasADi's messages whatever its log levels say; the text is collected, and
  the proven bound of a search that was stopped is read from its last line, since it is nowhere
  else.
"""

import re
import signal
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from typing import Any

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from mecdsl.backends.nlp.casadi_derivatives import SymbolicNlp
from mecdsl.backends.nlp.problem import (
    NlpProblem,
    Vector,
    clip_to_bounds,
    objective_scale,
    reduce_problem,
    violation,
)
from mecdsl.backends.shared.solver_output import solver_output
from mecdsl.solution import Termination

RawOptions = Mapping[str, str | float | int | bool]

INTEGRALITY_TOLERANCE = 1e-5
NODE_TOLERANCE = (
    1e-7  # of the scaled objective: nodes of 2e-7 passed for optimal where another has 0
)
NO_POINT = 1e49  # Bonmin's objective is 1e50 or the largest float where it has no point
QUIET = (
    "bb_log_level",
    "nlp_log_level",
    "nlp_log_at_root",
    "lp_log_level",
    "milp_log_level",
    "oa_log_level",
)
STATUS: Mapping[str, tuple[Termination, str]] = {
    "SUCCESS": (Termination.OPTIMAL, ""),
    "INFEASIBLE": (Termination.INFEASIBLE, ""),
    "CONTINUOUS_UNBOUNDED": (
        Termination.INFEASIBLE_OR_UNBOUNDED,
        "the relaxation diverges: unbounded as far as a local solver can tell",
    ),
    "LIMIT_EXCEEDED": (Termination.ITERATION_LIMIT, ""),
    "USER_INTERRUPT": (Termination.INTERRUPTED, "stopped by the user"),
    "MINLP_ERROR": (Termination.ERROR, "bonmin failed"),
}
LIMITS = (
    ("Exiting on maximum time", Termination.TIME_LIMIT, "time limit"),
    ("Exiting on maximum nodes", Termination.ITERATION_LIMIT, "node limit"),
    ("Exiting on maximum solutions", Termination.ITERATION_LIMIT, "solution limit"),
)
STOPPED_SEARCH = re.compile(r"Partial search - best objective \S+ \(best possible ([-+.\deE]+)\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class BonminOutcome:
    """What Bonmin left behind, for the minimisation.

    `x`: shape (n,), inside the bounds and integer where asked, or None where there is no point.
    `bound`: proven lower bound of a convex problem, to the gap asked for; None where not known.
    `violation` as in `IpoptOutcome`.
    """

    x: Vector | None
    objective: float | None
    bound: float | None
    violation: float | None
    status: str
    termination: Termination
    message: str
    seconds: float
    version: str


def bonmin_version() -> str:
    """CasADi's version: its Bonmin does not tell its own."""
    return f"casadi {version('casadi')}"


def solve_bonmin(
    problem: NlpProblem,
    symbolic: SymbolicNlp,
    integer: NDArray[np.bool_],
    time_limit: float | None = None,
    node_limit: int | None = None,
    gap: float = 1e-6,
    log: bool = False,
    raw: RawOptions | None = None,
) -> BonminOutcome:
    """A global optimum of a convex problem whose columns `integer` are integral.

    `problem` and `symbolic` are two views of the same functions; bounds and start come from the
    first. `time_limit` in s of processor time; `gap` relative; `log` prints Bonmin's log to
    standard error; `raw` holds Bonmin's own options. Ctrl-C ends the solve with the best point so
    far. Raises ValueError for an option or limit that makes no sense.
    """
    if time_limit is not None and not time_limit > 0.0:
        raise ValueError(f"time limit must be positive, found {time_limit:g} s")
    began = time.perf_counter()
    problem = _integral_bounds(problem, integer)
    reduction = reduce_problem(problem)
    if reduction.conflict:
        return _claim(began, "INFEASIBLE", Termination.INFEASIBLE, reduction.conflict)
    if not len(reduction.free):
        return _single_point(problem, reduction.point, began)
    options = _options(time_limit, node_limit, gap, log, raw or {})
    scale = objective_scale(problem)
    solver = _solver(symbolic, integer, scale, reduction.padding, options)
    with interrupt_as_exception(), solver_output(echo=log) as printed:
        answer = _call(solver, problem, reduction.padding)
    search = _Search(
        problem=problem,
        integer=integer,
        began=began,
        time_limit=time_limit,
        gap=float(options["allowable_fraction_gap"]),
        scale=scale,
        printed=printed.text,
    )
    return search.outcome(answer)


def _integral_bounds(problem: NlpProblem, integer: NDArray[np.bool_]) -> NlpProblem:
    """Bounds of integers rounded inward, so that an empty range is seen."""
    lower = np.where(integer, np.ceil(problem.lower - INTEGRALITY_TOLERANCE), problem.lower)
    upper = np.where(integer, np.floor(problem.upper + INTEGRALITY_TOLERANCE), problem.upper)
    return replace(problem, lower=lower, upper=upper)


def _options(
    time_limit: float | None, node_limit: int | None, gap: float, log: bool, raw: RawOptions
) -> dict[str, Any]:
    options: dict[str, Any] = dict.fromkeys(QUIET, 0)
    # level 1 of the search prints the bound; the interval keeps a long search from printing much
    # else
    options |= {
        "bb_log_level": 1,
        "bb_log_interval": 100 if log else 1_000_000,
        "print_level": 0,
        "sb": "yes",
    }
    options |= {"allowable_fraction_gap": float(gap), "cutoff_decr": 0.0}
    if time_limit is not None:
        options["time_limit"] = float(time_limit)
    if node_limit is not None:
        options["node_limit"] = int(node_limit)
    options |= {
        name: ("yes" if value else "no") if isinstance(value, bool) else value
        for name, value in raw.items()
    }
    if (algorithm := options.setdefault("algorithm", "B-BB")) != "B-BB":
        raise ValueError(f"algorithm `{algorithm}` of bonmin is not reliable here, expected `B-BB`")
    return options


def _solver(
    symbolic: SymbolicNlp,
    integer: NDArray[np.bool_],
    scale: float,
    padding: int,
    options: dict[str, Any],
) -> Any:
    """CasADi's Bonmin with the derivatives that are already there, instead of those of the whole
    model.
    """
    unused, parameters = ca.SX.sym("unused", padding), ca.SX.sym("p", 0)
    x = ca.vertcat(symbolic.variables, unused)
    size, rows = x.numel(), symbolic.constraints.numel()
    objective = scale * symbolic.objective
    jacobian = _matrix(
        rows, size, symbolic.jacobian_rows, symbolic.jacobian_columns, symbolic.jacobian_values
    )
    hessian = ca.substitute(
        symbolic.hessian_values, symbolic.objective_factor, scale * symbolic.objective_factor
    )
    # Ipopt takes either triangle and so does CasADi's Bonmin; CasADi itself makes the upper one
    upper = _matrix(size, size, symbolic.hessian_columns, symbolic.hessian_rows, hessian)
    gradient = ca.vertcat(scale * symbolic.gradient, ca.DM.zeros(padding, 1))
    inputs = [x, parameters, symbolic.objective_factor, symbolic.multipliers]
    settings: Any = {
        "discrete": [*integer.tolist(), *([False] * padding)],
        "grad_f": ca.Function("nlp_grad_f", inputs[:2], [objective, gradient]),
        "jac_g": ca.Function("nlp_jac_g", inputs[:2], [symbolic.constraints, jacobian]),
        "hess_lag": ca.Function("nlp_hess_l", inputs, [upper]),
        "print_time": False,
        "show_eval_warnings": False,
        "bonmin": options,
    }
    return ca.nlpsol(
        "bonmin", "bonmin", {"x": x, "f": objective, "g": symbolic.constraints}, settings
    )


def _matrix(
    height: int, width: int, rows: NDArray[np.int64], columns: NDArray[np.int64], values: Any
) -> Any:
    """A sparse SX matrix from triplets without repetition."""
    order = np.lexsort((rows, columns))
    pattern = ca.Sparsity.triplet(height, width, rows[order].tolist(), columns[order].tolist())
    return ca.SX(pattern, values[order.tolist()]) if len(order) else ca.SX(height, width)


@contextmanager
def interrupt_as_exception() -> Iterator[None]:
    """Ctrl-C raises KeyboardInterrupt until Bonmin's search starts, which stops in order."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)


@dataclass(frozen=True, slots=True)
class _Answer:
    """What Bonmin returned: the scaled objective, infinite without a point, and the point."""

    status: str
    objective: float = np.inf
    x: Vector = field(default_factory=lambda: np.zeros(0))


def _call(solver: Any, problem: NlpProblem, padding: int) -> _Answer:
    extra = np.zeros(padding)
    arguments = {
        "x0": np.concatenate((clip_to_bounds(problem, problem.start), extra)),
        "lbx": np.concatenate((problem.lower, extra - 1.0)),
        "ubx": np.concatenate((problem.upper, extra + 1.0)),
        "lbg": problem.constraint_lower,
        "ubg": problem.constraint_upper,
    }
    try:
        answer = solver(**arguments)
    except KeyboardInterrupt:
        return _Answer("USER_INTERRUPT")
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        reason = reason.partition("bonmin_interface.cpp:")[2].partition(": ")[2] or reason
        if "BONMIN option" in reason or "Invalid options" in reason:
            raise ValueError(f"bonmin refuses an option: {reason}") from error
        return _Answer(f"MINLP_ERROR: {reason}")
    x = answer["x"].full().ravel()[: problem.variable_count]
    return _Answer(str(solver.stats()["return_status"]), float(answer["f"]), x)


def _claim(
    began: float, status: str, termination: Termination, message: str, **found: Any
) -> BonminOutcome:
    values: dict[str, Any] = {
        "x": None,
        "objective": None,
        "bound": None,
        "violation": None,
    } | found
    seconds = time.perf_counter() - began
    return BonminOutcome(
        status=status,
        termination=termination,
        message=message,
        seconds=seconds,
        version=bonmin_version(),
        **values,
    )


def _single_point(problem: NlpProblem, x: Vector, began: float) -> BonminOutcome:
    objective = float(problem.objective(x))
    if not np.isfinite(objective):
        return _claim(
            began,
            "MINLP_ERROR",
            Termination.ERROR,
            f"the objective is {objective:g} at the only point",
        )
    return _claim(
        began,
        "SUCCESS",
        Termination.OPTIMAL,
        "the bounds leave a single point",
        x=x,
        objective=objective,
        bound=objective,
        violation=_violation(problem, x),
    )


def _violation(problem: NlpProblem, x: Vector) -> float:
    values = problem.constraints(x)
    return violation(values, problem.constraint_lower, problem.constraint_upper)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Search:
    """A search of Bonmin that has ended: what was asked for, and the text it printed.

    `gap`: that Bonmin had; `scale`: of the objective that Bonmin saw.
    """

    problem: NlpProblem
    integer: NDArray[np.bool_]
    began: float
    time_limit: float | None
    gap: float
    scale: float
    printed: str

    def outcome(self, answer: _Answer) -> BonminOutcome:
        """What the answer claims, checked as far as that needs no other solver."""
        name, _, detail = answer.status.partition(": ")
        termination, message = self._ending(name, detail)
        bound = self._stopped_bound()
        none_found = termination in (Termination.INFEASIBLE, Termination.INFEASIBLE_OR_UNBOUNDED)
        if none_found or not answer.objective < NO_POINT:
            bound = None if name == "INFEASIBLE" else bound
            return _claim(self.began, name, termination, message, bound=bound)
        x = clip_to_bounds(self.problem, answer.x)
        rounded = np.where(self.integer, np.round(x), x)
        if np.abs(rounded - x).max() > INTEGRALITY_TOLERANCE:
            message = "bonmin returned a point that is not integer"
            return _claim(self.began, name, Termination.ERROR, message, bound=bound)
        value = float(self.problem.objective(rounded))
        if termination is Termination.OPTIMAL:
            bound = value - self.gap * abs(value) - NODE_TOLERANCE / self.scale
        elif bound is not None:
            bound = min(bound, value)
        return _claim(
            self.began,
            name,
            termination,
            message,
            x=rounded,
            objective=value,
            bound=bound,
            violation=_violation(self.problem, rounded),
        )

    def _ending(self, name: str, detail: str) -> tuple[Termination, str]:
        """Why the search ended, from the name of its status and what was added to that."""
        unknown = (Termination.ERROR, f"bonmin returned the unknown status `{name}`")
        termination, message = STATUS.get(name, unknown)
        message = f"{message}: {detail}" if detail else message
        if name == "LIMIT_EXCEEDED":
            return self._limit()
        if name == "MINLP_ERROR":
            message += _bad_start(self.problem)
        return termination, message

    def _limit(self) -> tuple[Termination, str]:
        for sign, termination, message in LIMITS:
            if sign in self.printed:
                return termination, message
        spent = time.perf_counter() - self.began
        if self.time_limit is not None and spent >= 0.9 * self.time_limit:
            return Termination.TIME_LIMIT, "time limit"
        return Termination.ITERATION_LIMIT, "a limit of the search"

    def _stopped_bound(self) -> float | None:
        """The bound that the search printed when it was stopped, in the unit of the objective."""
        found = STOPPED_SEARCH.findall(self.printed)
        if not found or abs(float(found[-1])) >= NO_POINT:
            return None
        return float(found[-1]) / self.scale


def _bad_start(problem: NlpProblem) -> str:
    """Bonmin does not say what went wrong; a function that is not finite at the start is the usual
    cause.
    """
    start = clip_to_bounds(problem, problem.start)
    with np.errstate(all="ignore"):
        bad = np.flatnonzero(~np.isfinite(problem.constraints(start)))
        if not np.isfinite(problem.objective(start)):
            return "; the objective is not finite at the start"
    return (
        f"; constraint `{problem.constraint_name(int(bad[0]))}` is not finite at the start"
        if bad.size
        else ""
    )
