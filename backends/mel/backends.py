"""The algorithms for mobile edge learning as backends: which problems they take, and their answers
as solutions.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from mecdsl.backends.derived.base import Answer, Derived
from mecdsl.backends.derived.found import Found
from mecdsl.backends.derived.paper import Paper
from mecdsl.backends.derived.reference import Shipped
from mecdsl.backends.mel.integer import integer
from mecdsl.backends.mel.polynomial import polynomial
from mecdsl.backends.mel.rounding import equal, equal_real, rounding
from mecdsl.backends.mel.system import Allocation, Learners, root
from mecdsl.backends.shared.own_options import OwnOptions
from mecdsl.model.classes import ProblemClass
from mecdsl.solution import Guarantee, SolveOptions, Termination


class Kind(Enum):
    """The problems of the paper."""

    INTEGER = "(12)"
    RELAXED = "(13)"
    EQUAL = "equal task allocation"


@dataclass(frozen=True, slots=True, eq=False)
class Learning:
    """A problem of the paper found in an instance."""

    kind: Kind
    drop_out: bool
    integer_updates: bool
    learners: Learners | None  # None: there are no learners at all


def read(found: Found) -> Learning:
    """Which problem of the paper it is, with its data; raises ValueError for batches that are fixed
    to other than equal shares, and for data the algorithms are not made for.
    """
    learners = None
    if found.size("learner"):
        learners = Learners(
            **{name: found.data(name) for name in ("compute", "transfer", "overhead")},
            cycle_time=found.number("cycle_time"),
            total_samples=found.number("total_samples"),
        )
    integer_updates = found.whole("updates")
    kind = Kind.INTEGER if integer_updates else Kind.RELAXED
    fixed = found.fixed.get("learner.batch")
    if fixed is not None:
        kind = Kind.EQUAL
        if not np.allclose(fixed, found.number("total_samples") / len(fixed), rtol=1e-12):
            raise ValueError("the batches are fixed, but not to equal shares")
    return Learning(kind, "dropout" in found.problem.form, integer_updates, learners)


PAPER = Paper(
    title="mobile edge learning",
    reference="Mohammad and Sorour, Adaptive Task Allocation for Mobile Edge Learning, 2018",
    problems=(
        Shipped("mel", "", "(12)"),
        Shipped("mel", "relaxed", "(13)"),
        Shipped("mel", "dropout", "(12)"),
        Shipped("mel", "relaxed+dropout", "(13)"),
    ),
    reads=frozenset({"compute", "transfer", "overhead", "cycle_time", "total_samples"}),
    sizes=(("learner_count", "learner"),),
    read=read,
    classes=frozenset(
        {
            ProblemClass.NONCONVEX_MIQCP,
            ProblemClass.NONCONVEX_QCP,
            ProblemClass.LP,
            ProblemClass.MILP,
        }
    ),
    may_be_fixed=frozenset({"learner.batch"}),
)


class Mel(Derived[Learning, Allocation]):
    """What the five backends share."""

    paper = PAPER
    kinds: tuple[Kind, ...] = ()

    def refusal(self, problem: Learning) -> str:
        if problem.kind in self.kinds:
            return ""
        solves = " or ".join(kind.value for kind in self.kinds)
        return f"solves {solves}, this is {problem.kind.value}"

    def run(self, problem: Learning, options: SolveOptions, own: OwnOptions) -> Allocation:
        if problem.learners is None:
            message = "there are no learners to take the samples"
            return Allocation(Termination.INFEASIBLE, self.name, message=message)
        return self.allocate(problem, problem.learners, own)

    def allocate(self, problem: Learning, learners: Learners, own: OwnOptions) -> Allocation:
        """The algorithm itself."""
        raise TypeError(f"{type(self).__name__} has no algorithm")

    def answer(self, problem: Learning, outcome: Allocation, options: SolveOptions) -> Answer:
        values = None
        if outcome.updates is not None and outcome.batch is not None:
            values = {"updates": np.array([outcome.updates]), "learner.batch": outcome.batch}
            values["learner.used"] = (outcome.batch > 0).astype(np.float64)
        return Answer(
            outcome.termination,
            outcome.label,
            values=values,
            objective=outcome.updates,
            bound=outcome.bound,
            multipliers=outcome.multipliers,
            certificate=outcome.certificate,
            iterations=outcome.iterations,
            message=outcome.message,
        )


class MelRoot(Mel):
    """Problem (13) by the root of (24)."""

    name = "mel-root"
    capabilities = PAPER.offers("root of (24), real batches", Guarantee.GLOBAL, exact=True)
    kinds = (Kind.RELAXED,)

    def allocate(self, problem: Learning, learners: Learners, own: OwnOptions) -> Allocation:
        return root(learners, problem.drop_out)


class MelPolynomial(Mel):
    """Problem (13) by the paper's polynomial (16), literally."""

    name = "mel-polynomial"
    capabilities = PAPER.offers("the paper's polynomial (16), as printed", Guarantee.FEASIBLE)
    kinds = (Kind.RELAXED,)

    def allocate(self, problem: Learning, learners: Learners, own: OwnOptions) -> Allocation:
        return polynomial(learners, problem.drop_out)


class MelInteger(Mel):
    """Problem (12) by bisection over the number of updates."""

    name = "mel-integer"
    capabilities = PAPER.offers("bisection over whole updates", Guarantee.GLOBAL, exact=True)
    kinds = (Kind.INTEGER,)

    def allocate(self, problem: Learning, learners: Learners, own: OwnOptions) -> Allocation:
        return integer(learners, problem.drop_out)


class MelRound(Mel):
    """Problem (12) by rounding the relaxed batches."""

    name = "mel-round"
    capabilities = PAPER.offers(
        "rounded relaxed batches",
        Guarantee.FEASIBLE,
        ("rounding", "`largest-remainder` (default) or `fastest`"),
        (
            "moves",
            "true: move single samples from the bottleneck afterwards, which makes it exact",
        ),
    )
    kinds = (Kind.INTEGER,)

    def allocate(self, problem: Learning, learners: Learners, own: OwnOptions) -> Allocation:
        rule = own.word("rounding", ("largest-remainder", "fastest"))
        return rounding(learners, rule, own.flag("moves"), problem.drop_out)


class MelEqual(Mel):
    """Equal task allocation (ETA), the paper's baseline."""

    name = "mel-equal"
    capabilities = PAPER.offers("equal task allocation", Guarantee.FEASIBLE)
    kinds = (Kind.INTEGER, Kind.EQUAL)

    def allocate(self, problem: Learning, learners: Learners, own: OwnOptions) -> Allocation:
        if problem.kind is Kind.EQUAL:
            return equal_real(learners, problem.integer_updates)
        return equal(learners, problem.drop_out)
