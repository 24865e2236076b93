"""One run of Clarabel on a conic program: `minimise v'Pv/2 + q.v, A v + s = b, s in cones`.

Choices, each found by trial with Clarabel 0.11:

- Tolerances of 1e-9 instead of 1e-8, so that a gap of 1e-6 is proven by the multipliers as well.
  Problems with exponential and power cones do not all come as far; `AlmostSolved`, here at 1e-6 and
  1e-7, is taken for an end, and what the point is worth is measured afterwards.
- One thread, for the threads of the process would not survive a fork.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import clarabel
import numpy as np
from scipy import sparse

from mecdsl.backends.clarabel.affine import stacked
from mecdsl.backends.clarabel.cones import Block
from mecdsl.backends.clarabel.program import ConicProgram
from mecdsl.functions.function import Cone
from mecdsl.instances.tables import FloatArray
from mecdsl.solution import Iteration, Termination

RawOptions = Mapping[str, str | float | int | bool]

OWN: Final[RawOptions] = {
    "tol_gap_abs": 1e-9,
    "tol_gap_rel": 1e-9,
    "tol_feas": 1e-9,
    "reduced_tol_gap_abs": 1e-6,
    "reduced_tol_gap_rel": 1e-6,
    "reduced_tol_feas": 1e-7,
    "max_threads": 1,
    "max_iter": 500,
}
STATUS: Final = {
    "Solved": Termination.OPTIMAL,
    "AlmostSolved": Termination.OPTIMAL,
    "PrimalInfeasible": Termination.INFEASIBLE,
    "AlmostPrimalInfeasible": Termination.INFEASIBLE,
    "DualInfeasible": Termination.INFEASIBLE_OR_UNBOUNDED,
    "AlmostDualInfeasible": Termination.INFEASIBLE_OR_UNBOUNDED,
    "InsufficientProgress": Termination.FINISHED,
    "MaxIterations": Termination.ITERATION_LIMIT,
    "MaxTime": Termination.TIME_LIMIT,
    "CallbackTerminated": Termination.INTERRUPTED,
}


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Outcome:
    """What Clarabel left behind, in the numbers of the conic program.

    `equal`, `at_least`: multipliers of the rows of these names in `ConicProgram`, and of nothing
    else. `bound`: the dual objective.
    """

    status: str
    termination: Termination
    point: FloatArray
    equal: FloatArray
    at_least: FloatArray
    objective: float
    bound: float
    primal_residual: float
    dual_residual: float
    iterations: tuple[Iteration, ...]
    seconds: float


def run_clarabel(
    program: ConicProgram,
    time_limit: float | None,
    log: bool,
    raw: RawOptions,
    should_stop: Callable[[], bool],
) -> Outcome:
    """Hand the program over and run it. Raises ValueError for an option that Clarabel has not."""
    began = time.perf_counter()
    solver = _solver(program, _settings({**OWN, **raw}, time_limit, log))
    steps: list[Iteration] = []

    def watch(info: Any) -> bool:
        steps.append(
            Iteration(
                number=len(steps),
                objective=float(info.cost_primal),
                bound=float(info.cost_dual),
                residual=float(info.res_primal),
                seconds=time.perf_counter() - began,
            )
        )
        return should_stop()

    solver.set_termination_callback(watch)
    return _outcome(program, solver.solve(), tuple(steps), time.perf_counter() - began)


def _solver(program: ConicProgram, settings: Any) -> Any:
    """Clarabel with the program: s = b - A v are the rows."""
    rows = stacked([program.equal, program.at_least, *(block.rows for block in program.blocks)])
    slopes = rows.slopes
    entries = (-slopes.values, (slopes.rows, slopes.columns[0]))
    matrix = sparse.csc_matrix(entries, shape=(rows.size, program.count))
    return clarabel.DefaultSolver(
        _hessian(program), program.cost, matrix, rows.constant, _cones(program), settings
    )


def _outcome(
    program: ConicProgram, found: Any, steps: tuple[Iteration, ...], seconds: float
) -> Outcome:
    status = str(found.status)
    dual = np.asarray(found.z, dtype=np.float64)
    first = program.equal.size
    return Outcome(
        status=status,
        termination=STATUS.get(status, Termination.ERROR),
        point=np.asarray(found.x, dtype=np.float64),
        equal=dual[: len(program.number_equal)],
        at_least=dual[first : first + len(program.number_sided)],
        objective=float(found.obj_val),
        bound=float(found.obj_val_dual),
        primal_residual=float(found.r_prim),
        dual_residual=float(found.r_dual),
        iterations=steps,
        seconds=seconds,
    )


def _hessian(program: ConicProgram) -> sparse.csc_matrix:
    """Upper triangle of P; the coefficient of a square is that of x^2, half of its entry."""
    found = program.hessian
    double = np.where(found.first == found.second, 2.0, 1.0)
    entries = (double * found.quadratic_value, (found.second, found.first))
    return sparse.csc_matrix(entries, shape=(program.count, program.count))


def _cones(program: ConicProgram) -> list[Any]:
    """One object for each cone, as Clarabel wants them."""
    cones: list[Any] = []
    for kind, rows in (
        (clarabel.ZeroConeT, program.equal),
        (clarabel.NonnegativeConeT, program.at_least),
    ):
        cones += [kind(rows.size)] if rows.size else []
    for block in program.blocks:
        cones += [_cone(block)] * block.count
    return cones


def _cone(block: Block) -> Any:
    match block.cone:
        case Cone.SECOND_ORDER:
            return clarabel.SecondOrderConeT(block.rows.size // block.count)
        case Cone.EXPONENTIAL:
            return clarabel.ExponentialConeT()
        case Cone.POWER if len(block.weights) == 2:
            return clarabel.PowerConeT(block.weights[0])
        case Cone.POWER:
            return clarabel.GenPowerConeT(list(block.weights), 1)
        case _:
            raise TypeError(f"no cone object for {block.cone}")


def _settings(options: RawOptions, time_limit: float | None, log: bool) -> Any:
    settings = clarabel.DefaultSettings()
    settings.verbose = log
    if time_limit is not None:
        settings.time_limit = time_limit
    for name, value in options.items():
        known = not name.startswith("_") and hasattr(settings, name)
        if not known:
            raise ValueError(f"Clarabel has no option `{name}`")
        try:
            setattr(settings, name, type(getattr(settings, name))(value))
        except (TypeError, ValueError, OverflowError) as error:
            message = f"Clarabel has no option `{name}` that takes `{value}`"
            raise ValueError(message) from error
    return settings
