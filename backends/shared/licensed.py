"""A global solver whose package is an optional extra and whose licence may allow small problems
only.

The package brings a licence of its own, with a limit of size. How large a problem is, is known
before a solver is asked, so one that is too large is refused with both numbers. Which licence there
is, is tried: a problem just above the limit is solved in a process of its own, so that neither the
process of the caller starts a licence nor one is held while nothing is solved.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import import_module
from importlib.metadata import version
from importlib.util import find_spec

from mecdsl.analysis.called_functions import lacking
from mecdsl.analysis.written_out import LONGEST, too_long
from mecdsl.backend import Acceptance, Availability, Capabilities, Request, accepts_class
from mecdsl.backends.shared.global_answer import Outcome, solve_program
from mecdsl.backends.shared.guarded import run_guarded
from mecdsl.backends.shared.licences import Count, Licence, too_large
from mecdsl.backends.shared.solver_output import solver_output
from mecdsl.backends.shared.tree_lowering import tree_program
from mecdsl.backends.shared.tree_program import TreeProgram
from mecdsl.backends.shared.trees import FUNCTIONS
from mecdsl.solution import Solution, SolveOptions


class Licensed(ABC):
    """What such backends have in common.

    `title`: as messages say it. `package`: what is imported, and installed by the extra `name`.
    `full`: the licence without a limit, in words. `own_absolutes`: the solver has `abs` in
    expressions, not of columns only.
    """

    name: str
    title: str
    package: str
    full: str
    own_absolutes: bool
    capabilities: Capabilities

    @abstractmethod
    def run(
        self, program: TreeProgram, options: SolveOptions, should_stop: Callable[[], bool]
    ) -> Outcome:
        """Hand the program to the solver and run it."""

    @abstractmethod
    def probe(self) -> Licence:
        """Start the solver and find out what its licence allows; called in a process of its own."""

    @abstractmethod
    def solver_version(self) -> str:
        """The version of the solver, whose package can be imported."""

    @abstractmethod
    def counts(self, program: TreeProgram, licence: Licence) -> Sequence[Count]:
        """What a licence limits of a problem."""

    def availability(self) -> Availability:
        """Whether the package is there and its licence starts."""
        if find_spec(self.package) is None:
            command = f"`uv pip install 'mecdsl[{self.name}]'`"
            fix = f"{command} installs it, with a licence for small problems"
            return Availability(False, reason=f"`{self.package}` is not installed", fix=fix)
        try:
            import_module(self.package)
        except ImportError as error:
            return Availability(False, reason=str(error))
        licence = self.licence()
        if licence.fault:
            reason = f"{self.title} does not start: {licence.fault}"
            return Availability(False, reason=reason, fix=f"it takes {self.full}")
        found = {self.name: self.solver_version(), self.package: version(self.package)}
        return Availability(True, found | {"licence": licence.word})

    def licence(self) -> Licence:
        """What the licence that is found allows; tried once."""
        return _probed(self)

    def accepts(self, request: Request) -> Acceptance:
        """Every class, `abs`, `sin` and `cos`, up to the size that the licence allows."""
        accepted = accepts_class(self, request.problem)
        if not accepted.accepted:
            return accepted
        long = too_long(request.instance)
        if long:
            reason = f"`{long}`: more than {LONGEST} parts with its definitions written out"
            return Acceptance(False, f"`{self.name}` cannot state {reason}")
        lost = lacking(request.instance, FUNCTIONS)
        if lost is not None:
            reason = f"`{lost.where}`: `{lost.name}` of variables"
            return Acceptance(False, f"`{self.name}` cannot state {reason}", lost.label)
        refusal = self._refusal(request)
        return Acceptance(not refusal, refusal)

    def _refusal(self, request: Request) -> str:
        """Why the licence does not allow the problem, in words; empty if it does or if there is
        none to ask.
        """
        if find_spec(self.package) is None:
            return ""
        licence = self.licence()
        if licence.fault or not (licence.limited or licence.limited_nonlinear):
            return ""
        program = tree_program(request.instance, self.own_absolutes)
        if program.reduced.conflict:
            return ""
        over = too_large(self.counts(program, licence))
        if not over:
            return ""
        return (
            f"the problem is too large for the licence that `{self.name}` found here: {over}; "
            f"what lifts the limit is {self.full}"
        )

    def solve(self, request: Request) -> Solution:
        """Solve; the bound is proven to the solver's tolerances, and a gap that was reached counts
        as optimal.

        Raises `ModelError` E505 for an option that the solver does not know or a value that it does
        not take. A warm start may leave columns open (nan).
        """
        started = time.perf_counter()
        program = tree_program(request.instance, self.own_absolutes)
        lowered = time.perf_counter()
        solution = solve_program(self, program, request)
        seconds: Mapping[str, float] = {
            "lower": lowered - started,
            "solve": time.perf_counter() - lowered,
        }
        return replace(solution, versions=self.availability().versions, seconds=seconds)


@cache
def _probed(solver: Licensed) -> Licence:
    def work(should_stop: Callable[[], bool]) -> Licence:
        with solver_output():
            return solver.probe()

    found = run_guarded(work, lambda: False, None)
    if found.answer is None:
        return Licence(limited=True, limited_nonlinear=True, fault=found.ending)
    return found.answer
