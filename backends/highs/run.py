"""One run of HiGHS on a linear program: hand the arrays over, watch it, read its status."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from mecdsl.backend import Request
from mecdsl.backends.highs.linear_program import LinearProgram
from mecdsl.backends.highs.options import set_options
from mecdsl.solution import Iteration, Termination

LEAST_STEP: Final = 0.01  # share of the gap that a bound must close to be recorded
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


@dataclass(slots=True, eq=False)
class Run:
    """One HiGHS object after its run, with what its callbacks recorded."""

    highs: Any
    termination: Termination
    message: str
    iterations: list[Iteration] = field(default_factory=list)

    @property
    def incumbent(self) -> float | None:
        """The objective of the last point of a branch and bound."""
        return self.iterations[-1].objective if self.iterations else None

    def note(self, objective: float | None, bound: float | None, seconds: float, text: str) -> None:
        """Add a step of a branch and bound."""
        self.iterations.append(
            Iteration(
                number=len(self.iterations),
                objective=objective,
                bound=bound,
                residual=None,
                seconds=seconds,
                note=text,
            )
        )


def run_highs(program: LinearProgram, request: Request, own: Mapping[str, str | float]) -> Run:
    """Hand the program to a new HiGHS object and run it; `own`: options of the caller, below
    `raw`.
    """
    import highspy

    options = request.options
    solver: Any = highspy.Highs
    solver.resetGlobalScheduler(
        True
    )  # else another number of threads than in the first run is an error
    highs = solver()
    set_options(highs, options, own)
    hand_over(highs, program)
    if options.start is not None and program.integral.any():
        values = program.reduced.started_at(options.start)
        known = np.flatnonzero(np.isfinite(values))
        values = values[known]
        highs.setSolution(len(known), known.astype(np.int32), values)
    run = Run(highs, Termination.ERROR, "")
    failures = _watch(program, run, request)
    highs.run()
    if failures:
        raise failures[0]
    status = highs.getModelStatus()
    run.termination = STATUS.get(status.name, Termination.ERROR)
    run.message = f"HiGHS: {highs.modelStatusToString(status)}"
    return run


def hand_over(highs: Any, program: LinearProgram, relaxed: bool = False) -> None:
    """Hand the arrays over; sparse matrix by rows, lower triangle of the Hessian by columns.

    `relaxed`: integers as any number, and no objective.
    """
    import highspy

    matrix, count = program.matrix, len(program.cost)
    cost = np.zeros(count) if relaxed else program.cost
    status = highs.passModel(
        count,
        matrix.rows,
        len(matrix.value),
        len(program.hessian_value),
        int(highspy.MatrixFormat.kRowwise),
        int(highspy.HessianFormat.kTriangular),
        int(highspy.ObjSense.kMinimize),
        program.offset,
        cost,
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
        (program.integral & (not relaxed)).astype(np.int32),
    )
    if status == highspy.HighsStatus.kError:
        raise ArithmeticError("HiGHS refused the arrays of the model")


def _watch(program: LinearProgram, run: Run, request: Request) -> list[BaseException]:
    """Ask `should_stop` while HiGHS runs, record points and bounds; exceptions of callbacks end the
    run.
    """
    import highspy

    failures: list[BaseException] = []
    improving = highspy.cb.HighsCallbackType.kCallbackMipImprovingSolution
    looked = highspy.cb.HighsCallbackType.kCallbackMipInterrupt

    def callback(kind: Any, message: str, found: Any, answer: Any, data: Any) -> None:
        try:
            if kind == int(improving):
                point = program.reduced.objective(found.objective_function_value)
                run.note(point, _bound(program, found), found.running_time, "improving point")
                return
            if kind == int(looked) and _worth_noting(
                run.iterations, bound := _bound(program, found)
            ):
                run.note(run.incumbent, bound, found.running_time, "bound")
            if request.should_stop():
                answer.user_interrupt = True
        except (
            BaseException
        ) as error:  # a second Ctrl-C must not unwind through the solver's own frames
            failures.append(error)
            answer.user_interrupt = True

    run.highs.setCallback(callback, None)
    kinds = highspy.cb.HighsCallbackType
    for kind in (
        kinds.kCallbackMipInterrupt,
        kinds.kCallbackSimplexInterrupt,
        kinds.kCallbackIpmInterrupt,
        improving,
    ):
        run.highs.startCallback(kind)
    run.highs.startCallbackInt(QP_INTERRUPT)
    return failures


def _bound(program: LinearProgram, found: Any) -> float | None:
    return program.reduced.bound(found.mip_dual_bound)


def _worth_noting(steps: Sequence[Iteration], bound: float | None) -> bool:
    """Whether a bound closes at least a hundredth of the gap, so that the steps stay few however
    long HiGHS runs.
    """
    if bound is None:
        return False
    last = next((step.bound for step in reversed(steps) if step.bound is not None), None)
    if last is None:
        return True
    point = steps[-1].objective
    gap = abs(last) if point is None else abs(point - last)
    return abs(bound - last) > LEAST_STEP * gap
