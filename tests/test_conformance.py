"""Every conformance case on every general backend of the table, from arrays and through Pyomo; and
the suite itself finds faults.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from mecdsl.backend import Acceptance, Availability, Capabilities, Request
from mecdsl.backends import table
from mecdsl.model.classes import ProblemClass
from mecdsl.solution import Guarantee, Solution, Termination
from mecdsl.testing import CASES, Case, cases_for, check_backend, check_case, general_backends, ways

WITH_THE_PACKAGE = ("highs", "ipopt", "pounce", "clarabel", "scip", "bonmin")
EXTRAS = ("gurobi", "xpress")
BACKENDS = general_backends()
MARKS = {"arrays": [], "pyomo": [pytest.mark.slow]}


def skipped_where_absent(backend: str) -> list[pytest.MarkDecorator]:
    """Of an optional extra; the others have to be there."""
    there = table.load(backend).availability() if backend in EXTRAS else Availability(True)
    return [pytest.mark.skipif(not there.available, reason=there.reason)]


def test_the_solvers_that_come_with_the_package_are_found() -> None:
    assert BACKENDS == WITH_THE_PACKAGE + EXTRAS
    arrays_only = {backend for backend in BACKENDS if ways(backend) == ("arrays",)}
    assert arrays_only == {"clarabel", *EXTRAS}  # cones have no words in Pyomo


@pytest.mark.parametrize(
    ("backend", "via"),
    [
        pytest.param(backend, via, marks=[*MARKS[via], *skipped_where_absent(backend)])
        for backend in BACKENDS
        for via in ways(backend)
    ],
)
@pytest.mark.parametrize("case", CASES, ids=str)
@pytest.mark.slow
def test_case(case: Case, backend: str, via: str) -> None:
    check_case(backend, case, via)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_every_case_is_solved_by_some_backend(case: Case) -> None:
    takers = [backend for backend in BACKENDS if case in cases_for(backend)]
    assert "scip" in takers


def test_every_class_is_covered() -> None:
    assert {case.problem_class for case in CASES} == set(ProblemClass)


# The suite finds faults ---------------------------------------------------------------------------


@dataclass
class Changed:
    """HiGHS, whose answers are changed on the way."""

    change: Callable[[Solution], Solution]
    name: str = "changed"
    capabilities: Capabilities = field(
        default_factory=lambda: replace(table.load("highs").capabilities, pyomo=False)
    )

    def availability(self) -> Availability:
        return Availability(True)

    def accepts(self, request: Request) -> Acceptance:
        return table.load("highs").accepts(request)

    def solve(self, request: Request) -> Solution:
        return self.change(table.load("highs").solve(request))


def case(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


@pytest.mark.slow
def test_a_sound_backend_has_no_fault() -> None:
    report = check_backend(Changed(lambda solution: solution))
    assert report.faults == ()
    assert {"split_load", "knapsack", "projection", "infeasible_demand"} <= set(report.solved)
    assert report.refused == ()
    assert str(report) == f"changed: {len(report.solved)} cases solved, 0 refused, 0 faults"


def refusal(request: Request) -> Acceptance:
    return Acceptance(False, "`changed` takes nothing today")


def test_a_backend_may_refuse_what_it_declares() -> None:
    backend = Changed(lambda solution: solution)
    backend.accepts = refusal  # type: ignore[method-assign]
    assert not check_case(backend, case("split_load"))


@pytest.mark.parametrize(
    ("change", "name", "words"),
    [
        (lambda s: replace(s, values=s.values * 0.5), "split_load", "was not verified"),
        # (1, 0) keeps every row and is worth 1; the optimum is 7
        (
            lambda s: replace(
                s, values=np.array([1.0, 0.0]), objective=1.0, bound=None, multipliers={}
            ),
            "double_sided",
            "has the optimum 7, the answer is 1",
        ),
        (
            lambda s: replace(s, termination=Termination.ERROR, values=None, bound=None),
            "knapsack",
            "was not verified",
        ),
        (
            lambda s: replace(s, termination=Termination.NOT_FOUND, guarantee=Guarantee.NONE),
            "unbounded_rate",
            "is unbounded, the answer is no feasible point found",
        ),
    ],
)
def test_wrong_answers_are_found(
    change: Callable[[Solution], Solution], name: str, words: str
) -> None:
    with pytest.raises(AssertionError, match=words):
        check_case(Changed(change), case(name))


def test_a_backend_that_is_not_there_is_a_fault() -> None:
    backend = Changed(lambda solution: solution)
    backend.availability = lambda: Availability(False, reason="no licence")  # type: ignore[method-assign]
    with pytest.raises(AssertionError, match="not available: no licence"):
        check_case(backend, case("split_load"))
