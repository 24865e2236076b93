"""A backend derived by hand: its algorithm, and what this file does around it.

A subclass declares `name`, `capabilities` and `paper`, and has two functions: `run`, the algorithm
on its own data, which the clock measures, and `answer`, which says what came out in the names of
the shipped model.
"""

import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module, metadata
from typing import ClassVar, Generic, TypeVar

from mecdsl.backend import Acceptance, Availability, Capabilities, Request
from mecdsl.backends.derived.paper import Paper, Problem
from mecdsl.backends.derived.recognise import Recognised, recognise
from mecdsl.backends.shared.own_options import OwnOptions
from mecdsl.instances.tables import FloatArray
from mecdsl.solution import Guarantee, Iteration, Solution, SolveOptions, Termination

Outcome = TypeVar("Outcome")


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What an algorithm found, in SI and in the names and orders of the shipped model.

    `values`: of every variable family, None without a point. `objective`, `bound`: of the shipped
    objective, without a constant that stands beside it. `multipliers`: by constraint family, as in
    `Solution`. `guarantee`: None for what the termination says.
    """

    termination: Termination
    label: str
    values: Mapping[str, FloatArray] | None = None
    objective: float | None = None
    bound: float | None = None
    multipliers: Mapping[str, FloatArray] = field(default_factory=dict)
    certificate: Mapping[str, float] = field(default_factory=dict)
    iterations: tuple[Iteration, ...] = ()
    message: str = ""
    guarantee: Guarantee | None = None


class Derived(ABC, Generic[Problem, Outcome]):
    """What all backends of all papers share; `needs`: the packages its algorithm imports."""

    name: str = ""
    capabilities: Capabilities
    paper: Paper[Problem]
    needs: ClassVar[tuple[str, ...]] = ("numpy",)

    @abstractmethod
    def run(self, problem: Problem, options: SolveOptions, own: OwnOptions) -> Outcome:
        """The algorithm itself."""

    @abstractmethod
    def answer(self, problem: Problem, outcome: Outcome, options: SolveOptions) -> Answer:
        """What came out, as values of the shipped model; the clock has stopped."""

    def refusal(self, problem: Problem) -> str:
        """Why this backend does not take a problem of its paper; empty if it does."""
        return ""

    def prepare(self) -> None:
        """Import what the algorithm needs, before the clock starts."""

    def availability(self) -> Availability:
        """Whether the packages it needs can be imported."""
        try:
            for package in self.needs:
                import_module(package)
        except ImportError as error:
            return Availability(False, reason=str(error))
        return Availability(True, {package: metadata.version(package) for package in self.needs})

    def accepts(self, request: Request) -> Acceptance:
        """Only a problem of the paper, recognised by its columns, objective and rows."""
        recognised = recognise(request.instance, self.paper)
        if isinstance(recognised, str):
            reason = f"`{self.name}` was derived for {self.paper.title}: {recognised}"
            return Acceptance(False, reason)
        reason = self.refusal(recognised.problem)
        return Acceptance(not reason, reason and f"`{self.name}` {reason}")

    def solve(self, request: Request) -> Solution:
        """Run the algorithm and put its answer into the columns and rows of the instance.

        Raises ValueError for a problem it does not accept.
        """
        recognised = recognise(request.instance, self.paper)
        if isinstance(recognised, str):
            raise ValueError(recognised)
        own = OwnOptions(self.name, dict(self.capabilities.options), dict(request.options.raw))
        self.prepare()
        started = time.perf_counter()
        outcome = self.run(recognised.problem, request.options, own)
        seconds = time.perf_counter() - started
        answer = self.answer(recognised.problem, outcome, request.options)
        return self._solution(recognised, answer, seconds)

    def _solution(
        self, recognised: Recognised[Problem], answer: Answer, seconds: float
    ) -> Solution:
        found = recognised.found
        values = None if answer.values is None else found.point(answer.values)
        objective, bound = (None if values is None else answer.objective), answer.bound
        if found.has_constant:  # the same at every point, but only a point tells it
            constant = None
            if values is not None and objective is not None:
                constant = found.instance.objective(values) - objective
            objective, bound = _sum(objective, constant), _sum(bound, constant)
        return Solution(
            backend=self.name,
            termination=answer.termination,
            guarantee=_guarantee(answer),
            values=values,
            objective=objective,
            bound=bound,
            multipliers=found.multipliers(answer.multipliers),
            iterations=answer.iterations,
            certificate=answer.certificate,
            message=answer.message,
            label=answer.label,
            versions=dict(self.availability().versions),
            seconds={"solve": seconds},
        )


def _sum(value: float | None, constant: float | None) -> float | None:
    return None if value is None or constant is None else value + constant


def _guarantee(answer: Answer) -> Guarantee:
    if answer.guarantee is not None:
        return answer.guarantee
    proven = {
        Termination.OPTIMAL: Guarantee.GLOBAL,
        Termination.INFEASIBLE: Guarantee.INFEASIBLE,
    }
    without = Guarantee.NONE if answer.values is None else Guarantee.FEASIBLE
    return proven.get(answer.termination, without)
