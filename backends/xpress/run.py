"""One run of Xpress on a tree program, and what its licence allows."""

import warnings
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

import numpy as np
import xpress as xp

from mecdsl.backends.shared.far_columns import ENDLESS, endless
from mecdsl.backends.shared.global_answer import HUGE, Outcome
from mecdsl.backends.shared.licences import Licence
from mecdsl.backends.shared.tree_program import TreeProgram
from mecdsl.backends.xpress.hand_over import XpressProblem, xpress_problem
from mecdsl.backends.xpress.limits import MOST, MOST_OF_CURVED
from mecdsl.backends.xpress.options import controls, set_raw
from mecdsl.solution import SolveOptions, Termination

GLOBALLY: Final = "x"  # a flag: no local solver in the place of a global one
TOO_LARGE: Final = "too many rows and columns"
SOLVED: Final = {
    xp.SolStatus.OPTIMAL: (Termination.OPTIMAL, "optimal"),
    xp.SolStatus.INFEASIBLE: (Termination.INFEASIBLE, "infeasible"),
    # a ray, whether or not there is a point
    xp.SolStatus.UNBOUNDED: (Termination.INFEASIBLE_OR_UNBOUNDED, "unbounded"),
    xp.SolStatus.FEASIBLE: (Termination.FINISHED, "feasible"),
}
STOPPED: Final = {
    xp.StopType.TIMELIMIT: (Termination.TIME_LIMIT, "time limit"),
    xp.StopType.CTRLC: (Termination.INTERRUPTED, "interrupted"),
    xp.StopType.USER: (Termination.INTERRUPTED, "interrupted"),
    xp.StopType.NODELIMIT: (Termination.ITERATION_LIMIT, "node limit"),
    xp.StopType.ITERLIMIT: (Termination.ITERATION_LIMIT, "iteration limit"),
    xp.StopType.SOLLIMIT: (Termination.ITERATION_LIMIT, "limit of solutions"),
    xp.StopType.WORKLIMIT: (Termination.ITERATION_LIMIT, "work limit"),
    xp.StopType.MEMORYERROR: (Termination.ITERATION_LIMIT, "memory limit"),
    xp.StopType.MIPGAP: (Termination.OPTIMAL, "optimal to the gap"),
}


def run_xpress(
    program: TreeProgram, options: SolveOptions, should_stop: Callable[[], bool]
) -> Outcome:
    """Solve a program; raises `ModelError` E505 for an option that Xpress does not take."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", xp.LicenseWarning)  # that it is the Community licence
        try:
            built = xpress_problem(program)
            return _run(built, program, options, should_stop)
        except (xp.SolverError, xp.InterfaceError, xp.ModelError) as error:
            return Outcome(termination=Termination.ERROR, told=str(error))


def _run(
    built: XpressProblem,
    program: TreeProgram,
    options: SolveOptions,
    should_stop: Callable[[], bool],
) -> Outcome:
    problem = built.problem
    problem.setControl(controls(options))
    set_raw(problem, problem.getControl(), options.raw)
    if options.start is not None:
        built.start_at(program.started_at(options.start))
    watch = _Watch(problem, should_stop)
    problem.optimize(GLOBALLY)
    if watch.failure is not None:
        raise watch.failure
    found = _outcome(problem, len(program.lower))
    if watch.far and found.termination is Termination.INTERRUPTED:
        if found.point is not None and endless(program.reduced, program.own(found.point)):
            return replace(found, termination=Termination.FINISHED, bound=None)
        problem.removeIntsolCallback(watch.look_at_point, watch)
        problem.optimize(GLOBALLY)  # goes on
        found = _outcome(problem, len(program.lower))
    return found


class _Watch:
    """What Xpress asks while it runs: whether to stop, and whether a point ran away.

    It goes on for ever where an objective grows without end, with points at 1e20.
    """

    def __init__(self, problem: Any, should_stop: Callable[[], bool]) -> None:
        self.should_stop = should_stop
        self.failure: BaseException | None = None
        self.far = False
        problem.addCheckTimeCallback(self.look_at_time, self, 0)
        problem.addIntsolCallback(self.look_at_point, self, 0)

    def look_at_time(self, running: Any, data: object) -> None:
        """Stop if that is asked for; nothing may unwind through the frames of the solver."""
        try:
            stop = self.should_stop()
        except BaseException as error:
            self.failure, stop = error, True
        if stop:
            running.interrupt(xp.StopType.USER)

    def look_at_point(self, running: Any, data: object) -> None:
        """Stop where a column, perhaps one of Xpress' own, is that large."""
        if not self.far and np.abs(running.getCallbackSolution()).max(initial=0.0) >= ENDLESS:
            self.far = True
            running.interrupt(xp.StopType.USER)


def _outcome(problem: Any, columns: int) -> Outcome:
    attributes = problem.attributes
    state = xp.SolStatus(attributes.solstatus)
    termination, told = SOLVED.get(state, (Termination.ERROR, "no answer"))
    stop = xp.StopType(attributes.stopstatus)
    if xp.SolveStatus(attributes.solvestatus) is not xp.SolveStatus.COMPLETED:
        termination, told = STOPPED.get(stop, (Termination.ERROR, stop.name.lower()))
    elif state is xp.SolStatus.NOTFOUND:
        termination, told = Termination.INFEASIBLE_OR_UNBOUNDED, "infeasible or unbounded"
    local = xp.OptimizeType(attributes.optimizetypeused) is xp.OptimizeType.LOCAL
    if local and termination is Termination.OPTIMAL:
        termination = Termination.LOCALLY_OPTIMAL
    found = state in (xp.SolStatus.OPTIMAL, xp.SolStatus.FEASIBLE)
    return Outcome(
        termination=termination,
        told=f"{told}, {attributes.nodes} nodes",
        point=np.array(problem.getSolution()[:columns]) if found else None,
        objective=float(attributes.objval) if found else None,
        bound=_bound(attributes),
    )


def _bound(attributes: Any) -> float | None:
    """The bound of a branch and bound; of a linear program its optimum. That of a barrier method
    may lie on either side of the true one.
    """
    kind = xp.OptimizeType(attributes.optimizetypeused)
    curved = attributes.qelems or attributes.qconstraints
    if kind in (xp.OptimizeType.MIP, xp.OptimizeType.GLOBAL):
        bound = float(attributes.bestbound)
    elif not curved and attributes.solstatus == xp.SolStatus.OPTIMAL:
        bound = float(attributes.objval)
    else:
        return None
    return bound if abs(bound) < HUGE else None


def probe() -> Licence:
    """What the licence allows, of linear and of nonlinear problems: one of limited size does not
    solve a problem just above it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", xp.LicenseWarning)
        try:
            return Licence(
                limited=not _solves(MOST + 1, False),
                limited_nonlinear=not _solves(MOST_OF_CURVED, True),
            )
        except (xp.SolverError, xp.InterfaceError) as error:
            return Licence(limited=True, limited_nonlinear=True, fault=str(error))


def _solves(columns: int, curved: bool) -> bool:
    """Whether a problem of that size, with a nonlinear row beside it, is solved."""
    problem = xp.problem()
    problem.setControl("outputlog", 0)
    many = [0.0] * columns
    problem.addCols(many, [0] * (columns + 1), [], [], many, [1.0] * columns)
    if curved:
        known = xp.constants
        problem.addRows(["L"], [2.0], None, [0, 0], [], [])
        kinds = [known.TOK_RB, known.TOK_COL, known.TOK_IFUN, known.TOK_EOF]
        problem.nlpAddFormulas([0], [0, 4], 1, kinds, [0, 0, known.IFUN_EXP, 0])
    try:
        problem.optimize()
    except xp.SolverError as error:
        if TOO_LARGE in str(error):
            return False
        raise
    return True
