"""What many seeds come to: every single run, and for each backend and form what its runs add up to.

Objectives and distances count verified answers only: an answer that breaks a limit is counted as
broken, with its violation, and never makes its backend look better.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from mecdsl.solution import Guarantee, Termination
from mecdsl.units import Unit

LOW, HIGH = 0.1, 0.9  # the interval that goes with every median

PROOF: Final = 1e-6  # what solvers prove an optimum to; a smaller distance says nothing more

# Faults of the program in one seed are recorded like faults of its data; this marks them.
OWN_FAULT: Final = "a fault of mecdsl itself"


class Outcome(Enum):
    """What became of one run; only the first is a feasible answer."""

    VERIFIED = "verified"
    RELAXED = "relaxed"  # a verified point of a relaxation: a bound, not a plan
    BROKEN = "not verified"  # a point that breaks a limit, or a claim that is not so
    NO_ANSWER = "no answer"
    DID_NOT_RUN = "did not run"
    # the drawn data are no instance of the model, whatever the backend
    NO_DATA = "seed without an instance"


@dataclass(frozen=True, slots=True)
class Goal:
    """What a form optimises; `sense`: minimize or maximize."""

    name: str
    unit: str
    sense: str


@dataclass(frozen=True, slots=True)
class Run:
    """One backend on one form for one seed. Values are SI; None where there is none.

    `solved_form`: the form that was solved for the one asked for. `exact`: the form holds no
    relaxation of products. `claimed`: what the backend said its answer is, before verification.
    `best_bound`: the best proven bound of the seed and form, `distance`: of a verified objective to
    it, relative. `violation`: the largest residual relative to the terms of its row. `reason`: why
    there is no verified answer.
    """

    seed: int
    form: str
    backend: str
    outcome: Outcome
    solved_form: str = ""
    exact: bool = True
    termination: Termination | None = None
    guarantee: Guarantee = Guarantee.NONE
    claimed: Guarantee = Guarantee.NONE
    objective: float | None = None
    bound: float | None = None
    best_bound: float | None = None
    distance: float | None = None
    violation: float | None = None
    seconds: float | None = None
    reason: str = ""

    @property
    def refuted(self) -> bool:
        """Whether an answer that claimed to be optimal failed verification."""
        return self.outcome is Outcome.BROKEN and self.claimed in (
            Guarantee.GLOBAL,
            Guarantee.TO_GAP,
            Guarantee.LOCAL,
        )

    @property
    def verified(self) -> bool:
        """Whether verification found the answer to be what it claims, on the form that was
        solved.
        """
        return self.outcome in (Outcome.VERIFIED, Outcome.RELAXED)


PROOFS = (Guarantee.GLOBAL, Guarantee.TO_GAP, Guarantee.EQUILIBRIUM)


@dataclass(frozen=True, slots=True)
class Spread:
    """Median and interval (10 % .. 90 %, interpolated) of `count` numbers."""

    count: int
    median: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What the runs of one backend on one form add up to.

    `seeds`: those with an instance; `verified`: feasible answers among them, `proven`: those with a
    proof that they are optimal, or an equilibrium, `broken`: answers that failed verification,
    `infeasible`: seeds it proved to have no feasible point. `objective` and `distance` are over
    verified answers, `violation` over all answers, `violation_of_broken` over the broken ones,
    `seconds` over all runs.
    `best_on_same_seeds`: median of the best verified answer of anybody on the seeds where this
    backend has one, to hold against its objective. `bounds_only`: it only solves a relaxation,
    `objective` is that of the relaxation.
    """

    form: str
    backend: str
    seeds: int
    ran: int
    verified: int
    proven: int
    broken: int
    infeasible: int
    bounds_only: bool
    objective: Spread | None
    distance: Spread | None
    violation: Spread | None
    violation_of_broken: Spread | None
    seconds: Spread | None
    best_on_same_seeds: float | None

    @property
    def share(self) -> float:
        """Share of the seeds with a verified answer, 0 to 1."""
        return self.verified / self.seeds if self.seeds else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """All runs in the order they were made, and their summaries: for each form the most reliable
    backend first.

    `seeds`: those that were run to their end. `same_data`: the seeds change nothing in the data.
    `contradictions`: proofs that a verified point refutes. `displays`: the unit in which the text
    shows the objective of a form; everything here is SI. `title`, `form`, `relaxed`: as in a
    `Comparison`.
    """

    model: str
    seeds: tuple[int, ...]
    goals: Mapping[str, Goal]
    runs: tuple[Run, ...]
    summaries: tuple[Summary, ...]
    contradictions: tuple[str, ...]
    same_data: bool
    interrupted: bool
    displays: Mapping[str, Unit] = field(default_factory=dict)
    title: str = ""
    form: str = ""
    relaxed: bool = False

    @property
    def exit_code(self) -> int:
        """5 if an answer that claimed to be optimal failed verification or a proof was refuted, 130
        after an interruption, 4 after a fault of the program itself, else 0: what a backend cannot
        do is a finding here.
        """
        if self.contradictions or any(run.refuted for run in self.runs):
            return 5
        if self.interrupted:
            return 130
        return 4 if any(run.reason.startswith(OWN_FAULT) for run in self.runs) else 0


# Summaries ----------------------------------------------------------------------------------------


def summaries(runs: Sequence[Run], goals: Mapping[str, Goal]) -> tuple[Summary, ...]:
    """One for each form and backend. In each form those with the most verified answers come first,
    among them the ones with the smaller distance, then with more proofs; a backend that only solves
    a relaxation comes last.
    """
    answers: dict[tuple[str, int], list[float]] = {}
    for run in runs:
        if run.outcome is Outcome.VERIFIED and run.objective is not None:
            answers.setdefault((run.form, run.seed), []).append(run.objective)
    best = {key: _best(goals[key[0]])(objectives) for key, objectives in answers.items()}
    pairs = list(dict.fromkeys((run.form, run.backend) for run in runs))
    unsorted = [
        _summary([run for run in runs if (run.form, run.backend) == pair], best) for pair in pairs
    ]
    forms = list(dict.fromkeys(form for form, _ in pairs))
    return tuple(sorted(unsorted, key=lambda summary: (forms.index(summary.form), *_rank(summary))))


def _best(goal: Goal) -> Callable[[Iterable[float]], float]:
    return min if goal.sense == "minimize" else max


def _rank(summary: Summary) -> tuple[bool, int, float, int]:
    """What sorts summaries; distances that a proof allows are equal, and then proofs count."""
    distance = max(summary.distance.median, PROOF) if summary.distance else math.inf
    return summary.bounds_only, -summary.verified, distance, -summary.proven


def _summary(runs: Sequence[Run], best: Mapping[tuple[str, int], float]) -> Summary:
    """`runs`: of one backend on one form; `best`: the best verified objective by form and seed."""
    there = [run for run in runs if run.outcome is not Outcome.NO_DATA]
    verified = [run for run in there if run.outcome is Outcome.VERIFIED]
    broken = [run for run in there if run.outcome is Outcome.BROKEN]
    ran = [run for run in there if run.termination is not None]
    relaxed = [run for run in there if run.outcome is Outcome.RELAXED]
    same = spread(best.get((run.form, run.seed)) for run in verified)
    return Summary(
        form=runs[0].form,
        backend=runs[0].backend,
        seeds=len(there),
        ran=len(ran),
        verified=len(verified),
        proven=sum(run.guarantee in PROOFS for run in verified),
        broken=len(broken),
        infeasible=sum(run.guarantee is Guarantee.INFEASIBLE for run in there),
        bounds_only=bool(relaxed) and not verified,
        objective=spread(run.objective for run in verified or relaxed),
        distance=spread(run.distance for run in verified),
        violation=spread(run.violation for run in there),
        violation_of_broken=spread(run.violation for run in broken),
        seconds=spread(run.seconds for run in ran),
        best_on_same_seeds=same.median if same else None,
    )


def spread(values: Iterable[float | None]) -> Spread | None:
    """Median and interval of the numbers among some values; None if there is none.

    >>> spread([3.0, None, 1.0, 2.0])
    Spread(count=3, median=2.0, low=1.2, high=2.8)
    """
    numbers = sorted(value for value in values if value is not None)
    if not numbers:
        return None
    return Spread(len(numbers), *(_quantile(numbers, part) for part in (0.5, LOW, HIGH)))


def _quantile(numbers: Sequence[float], part: float) -> float:
    """Linear between neighbours, as NumPy's; an infinite violation is a number here and gives no
    NaN.
    """
    position = part * (len(numbers) - 1)
    below = int(position)
    rest = position - below
    if rest == 0 or numbers[below] == numbers[below + 1]:
        return numbers[below]
    return numbers[below] + rest * (numbers[below + 1] - numbers[below])
