"""Attempts to solve the conditions of a game, by Ipopt as a feasibility problem."""

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np

from mecdsl.backend import Request
from mecdsl.backends.equilibrium.conditions import Conditions
from mecdsl.backends.nlp.problem import NlpProblem
from mecdsl.backends.shared.solver_output import solver_output
from mecdsl.instances.tables import FloatArray
from mecdsl.solution import Iteration, Termination

if TYPE_CHECKING:
    from mecdsl.backends.ipopt.core import IpoptOutcome

NO_NUMBER: Final = -13  # Ipopt's `Invalid_Number_Detected`: a derivative was not finite
STEPS: Final = 200
SHORTEST: Final = 1e-3  # s; Ipopt takes no limit of 0
FINER: Final = 0.1  # of the tolerance that is asked for
REFINEMENTS: Final = 4
AT_BOUND: Final = 1e-6  # of a scaled unknown


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Attempt:
    """Where one attempt ended. `residual`: the largest of a scaled condition there, infinite where
    one is no number. `iterations`: with moments by `time.perf_counter` for seconds.
    """

    unknowns: FloatArray
    residual: float
    termination: Termination
    status: str  # Ipopt's word
    iterations: tuple[Iteration, ...]


def attempt(
    conditions: Conditions,
    x: FloatArray,
    tolerance: float,
    until: float | None,
    request: Request,
) -> Attempt:
    """Solve from a point of the instance, then again in finer sizes where the first were too large.

    `until`: the moment by `time.perf_counter` to stop at. Finer sizes that lead nowhere change
    nothing: rounding may forbid them.
    """
    best = _from(conditions, conditions.start(x), tolerance, until, request)
    for _ in range(REFINEMENTS):
        finer = conditions.finer(best.unknowns) if best.residual <= tolerance else None
        if finer is None or _left(until) == SHORTEST or request.should_stop():
            break
        conditions, start = finer
        found = _from(conditions, start, tolerance, until, request)
        if found.residual > tolerance:
            break
        best = replace(found, iterations=best.iterations + found.iterations)
    return best


def _from(
    conditions: Conditions,
    start: FloatArray,
    tolerance: float,
    until: float | None,
    request: Request,
) -> Attempt:
    """Ipopt from some unknowns; once more, turning back from points without derivatives, where it
    came to one.
    """
    from mecdsl.backends.ipopt.core import solve_ipopt

    options = request.options
    with solver_output(echo=options.log):
        for careful in (False, True):
            began = time.perf_counter()
            found = solve_ipopt(
                _problem(conditions, start),
                _left(until),
                tolerance=FINER * tolerance,
                max_iterations=STEPS,
                log=options.log,
                should_stop=request.should_stop,
                careful=careful,
            )
            if found.status != NO_NUMBER:
                break
    return _ended(conditions, replace(found, iterations=_timed(found, began)), start, tolerance)


def _timed(found: "IpoptOutcome", began: float) -> tuple[Iteration, ...]:
    """The steps without the objective that there is none of, at moments of the clock."""
    return tuple(
        replace(
            step, objective=None, seconds=None if step.seconds is None else began + step.seconds
        )
        for step in found.iterations
    )


def _left(until: float | None) -> float | None:
    return None if until is None else max(SHORTEST, until - time.perf_counter())


def _problem(conditions: Conditions, start: FloatArray) -> NlpProblem:
    """The conditions as equations, nothing to minimise, and no Hessian: Newton's steps."""
    zero, nothing = np.zeros(conditions.size), np.zeros(0, dtype=np.int64)
    return NlpProblem(
        lower=conditions.lower,
        upper=conditions.upper,
        constraint_lower=zero,
        constraint_upper=zero,
        start=start,
        objective=lambda w: 0.0,
        gradient=lambda w: zero,
        constraints=conditions.residuals,
        jacobian_values=conditions.jacobian,
        jacobian_rows=conditions.row,
        jacobian_columns=conditions.column,
        hessian_values=lambda w, multipliers, factor: np.zeros(0),
        hessian_rows=nothing,
        hessian_columns=nothing,
    )


def _ended(
    conditions: Conditions, found: "IpoptOutcome", start: FloatArray, tolerance: float
) -> Attempt:
    """What an outcome is worth, with unknowns that all but reach a bound put onto it."""
    w = start if found.x is None else found.x
    residual = _residual(conditions, w)
    low, high = conditions.lower, conditions.upper
    near = np.where(w - low <= AT_BOUND, low, np.where(high - w <= AT_BOUND, high, w))
    at_bounds = _residual(conditions, near)
    if at_bounds <= max(residual, FINER * tolerance):
        w, residual = near, at_bounds
    return Attempt(
        unknowns=w,
        residual=residual,
        termination=found.termination,
        status=found.status_text,
        iterations=found.iterations,
    )


def _residual(conditions: Conditions, w: FloatArray) -> float:
    with np.errstate(all="ignore"):
        missed = float(np.abs(conditions.residuals(w)).max(initial=0.0))
    return missed if np.isfinite(missed) else np.inf
