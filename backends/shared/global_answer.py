"""From what a global solver says of a tree program to a claim in SI, on the terms of SCIP's.

- "Infeasible" is believed of the rows without a pole, which are solved alone where there are
  others; bounds and optima not at all where a part that is not convex comes to a pole.
- "Infeasible or unbounded" is resolved by a second solve without an objective: a feasible point
  means unbounded.
- An optimum whose point runs to the end of the solver's numbers is no optimum.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Protocol

from mecdsl.backend import Request
from mecdsl.backends.shared.doubts import UNBELIEVED, doubted, doubtful, listed
from mecdsl.backends.shared.far_columns import ENDLESS, endless, widened
from mecdsl.backends.shared.guarded import run_guarded
from mecdsl.backends.shared.holding import holds
from mecdsl.backends.shared.solver_output import solver_output
from mecdsl.backends.shared.tree_program import TreeProgram
from mecdsl.instances.tables import FloatArray
from mecdsl.solution import Guarantee, Solution, SolveOptions, Termination

HUGE: Final = 1e15  # of the scaled objective, whose terms are about 1
FAR: Final = 1e9  # of scaled columns, where a solver gave up beside
GRACE: Final = 30.0  # s that the solver gets to stop; a second Ctrl-C ends it at once
PROOFS: Final = {
    Termination.OPTIMAL: Guarantee.GLOBAL,
    Termination.INFEASIBLE: Guarantee.INFEASIBLE,
    Termination.UNBOUNDED: Guarantee.UNBOUNDED,
}
ENDS: Final = {
    "time limit": Termination.TIME_LIMIT,
    "interrupted": Termination.INTERRUPTED,
}  # of a killed process
UNBOUNDED_AS_TOLD: Final = Termination.INFEASIBLE_OR_UNBOUNDED  # "likely unbounded" has no word


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Outcome:
    """What a solver says of a program: why it ended, the solver's word for it, and a point of all
    columns with objective and bound, scaled, where there are such.
    """

    termination: Termination
    told: str
    point: FloatArray | None = None
    objective: float | None = None
    bound: float | None = None


class Solver(Protocol):
    """What runs a program; `title` as messages say it."""

    name: str
    title: str

    def run(
        self, program: TreeProgram, options: SolveOptions, should_stop: Callable[[], bool]
    ) -> Outcome:
        """Solve; raises `ModelError` E505 for an option that the solver does not take."""


def solve_program(solver: Solver, program: TreeProgram, request: Request) -> Solution:
    """The claim of a solver that runs in a process of its own; see `guarded`."""
    if program.reduced.conflict:
        found = _claim(solver, Outcome(termination=Termination.INFEASIBLE, told=""))
        return replace(found, message=program.reduced.conflict)

    def work(should_stop: Callable[[], bool]) -> Solution:
        with solver_output(echo=request.options.log):
            search = _Search(solver, program, replace(request, should_stop=should_stop))
            return search.solution()

    ended = run_guarded(work, request.should_stop, request.options.time_limit, GRACE)
    if ended.answer is not None:
        return ended.answer
    return Solution(
        backend=solver.name,
        termination=ENDS.get(ended.reason, Termination.ERROR),
        guarantee=Guarantee.NONE,
        message=f"{solver.title} {ended.ending}",
    )


def _claim(solver: Solver, outcome: Outcome) -> Solution:
    """A solution without a point."""
    return Solution(
        backend=solver.name,
        termination=outcome.termination,
        guarantee=PROOFS.get(outcome.termination, Guarantee.NONE),
        message=f"{solver.title}: {outcome.told}",
    )


class _Search:
    """The solves of one request, all within its time limit."""

    def __init__(self, solver: Solver, program: TreeProgram, request: Request) -> None:
        self.solver, self.program, self.request = solver, program, request
        self.began = time.perf_counter()

    def solution(self) -> Solution:
        outcome = self._run(self.program)
        if outcome.termination is Termination.INFEASIBLE_OR_UNBOUNDED:
            outcome = self._infeasible_or_unbounded(outcome)
        if outcome.termination in (Termination.INFEASIBLE, Termination.UNBOUNDED):
            return self._believed(outcome)
        return doubted(self.request, self._with_point(outcome))

    def _run(self, program: TreeProgram) -> Outcome:
        options = self.request.options
        if options.time_limit is not None:
            left = options.time_limit - (time.perf_counter() - self.began)
            options = replace(options, time_limit=max(0.0, left))
        return self.solver.run(program, options, self.request.should_stop)

    def _infeasible_or_unbounded(self, outcome: Outcome) -> Outcome:
        found = self._run(self.program.without_objective())
        if found.point is not None:
            return Outcome(termination=Termination.UNBOUNDED, told="unbounded")
        ended = (Termination.INFEASIBLE, Termination.INTERRUPTED, Termination.TIME_LIMIT)
        return found if found.termination in ended else outcome

    def _believed(self, outcome: Outcome) -> Solution:
        """A claim of infeasibility where the rows without a pole prove it alone, and of no end
        where there is no pole.
        """
        names, unbounded = doubtful(self.request), outcome.termination is Termination.UNBOUNDED
        if unbounded and widened(self.program.reduced):
            told = f"unbounded but for bounds beyond {self.solver.title}'s numbers"
            return _claim(self.solver, Outcome(termination=UNBOUNDED_AS_TOLD, told=told))
        if not names:
            return _claim(self.solver, outcome)
        why = f"{UNBELIEVED} {listed(names)}"
        if unbounded:
            told = f"unbounded, {why}"
            return _claim(self.solver, Outcome(termination=UNBOUNDED_AS_TOLD, told=told))
        alone = self._run(self.program.without(names))
        if alone.termination is Termination.INFEASIBLE:
            return _claim(self.solver, outcome)
        told = f"infeasible, {why}"
        return _claim(self.solver, Outcome(termination=Termination.NOT_FOUND, told=told))

    def _with_point(self, outcome: Outcome) -> Solution:
        reduced, found = self.program.reduced, _claim(self.solver, outcome)
        bound, point, scaled = outcome.bound, outcome.point, outcome.objective
        if bound is not None and abs(bound) < HUGE:
            found = replace(found, bound=reduced.bound(bound))
        if point is None or scaled is None:
            return replace(found, guarantee=Guarantee.NONE)
        given_up = outcome.termination is Termination.FINISHED
        line = FAR if given_up else ENDLESS
        far = endless(reduced, self.program.own(point), line)
        if not far and abs(scaled) >= HUGE:
            far = f"`{self.program.instance.model.objective.name}`"
        if far:
            beyond = f"{far} grows beyond {self.solver.title}'s numbers"
            told = f"{beyond}, so the model is likely unbounded"
            return _claim(self.solver, Outcome(termination=UNBOUNDED_AS_TOLD, told=told))
        values, objective = self.program.point(point), self.program.objective(point, scaled)
        if not holds(self.program.instance, values, objective):
            told = f"{found.message}; its point keeps the model only to {self.solver.title}'s"
            found = replace(found, message=f"{told} absolute tolerances of the scaled rows")
        return replace(
            found,
            guarantee=PROOFS.get(found.termination, Guarantee.FEASIBLE),
            values=values,
            objective=objective,
        )
