"""Rows over integers with data below 2^53 are kept or broken, with no tolerance between.

Every right answer is counted out with Python's integers in `exact`, which knows nothing of the code
under test.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest

import mecdsl
from mecdsl.results.result import Result
from mecdsl.results.violations import find_violations
from mecdsl.solution import Guarantee
from mecdsl.solve import takes
from tests.waiting import PATIENCE

BACKENDS = ("highs", "scip", "bonmin")
INFEASIBLE = None


@dataclass(frozen=True)
class Integers:
    """A model over integers `x`, `y`, ... in ranges; `keeps` and `cost` are the same in Python's
    integers.
    """

    name: str
    text: str
    ranges: Sequence[range]
    keeps: Callable[..., bool]
    cost: Callable[..., int]

    def points(self) -> list[tuple[int, ...]]:
        return [p for p in itertools.product(*self.ranges) if self.keeps(*p)]

    def best(self) -> int | None:
        return min((self.cost(*p) for p in self.points()), default=INFEASIBLE)


def pair(
    name: str, row: str, keeps: Callable[[int, int], bool], ends: tuple[int, int] = (1, 10)
) -> Integers:
    """x and y in a range, the least x."""
    low, high = ends
    text = f"""
var x : integer in {low}..{high}
var y : integer in {low}..{high}
minimize cost = x
constraint c: {row}
"""
    span = range(low, high + 1)
    return Integers(name, text, (span, span), keeps, lambda x, y: x)


TENTH = 214748365  # 2^31 and two more, over ten
LARGE = 2251799813685247  # 2^51 - 1, so that all terms of a row together stay below 2^53

CASES = (
    # ten times TENTH less one cycle is one short of what is needed: infeasible
    pair(
        "one_cycle_short", "214748365*x - y >= 2147483650", lambda x, y: TENTH * x - y >= 2147483650
    ),
    # the same need less one: x = 10, y = 1 meets it exactly
    pair(
        "met_to_the_cycle",
        "214748365*x - y >= 2147483649",
        lambda x, y: TENTH * x - y >= 2147483649,
    ),
    # the other way round: x = y = 1 is one above the limit
    pair("one_above", "214748365*x + y <= 214748365", lambda x, y: TENTH * x + y <= TENTH),
    pair(
        "exactly_at_the_limit",
        "214748365*x + y <= 214748366",
        lambda x, y: TENTH * x + y <= TENTH + 1,
    ),
    # 3 a + 5 b + 1 is no a x + b y in the ranges, 3 a + 5 b is
    pair(
        "sum_missed_by_one",
        "1000000000039*x + 1000000000061*y == 8000000000423",
        lambda x, y: 1000000000039 * x + 1000000000061 * y == 8000000000423,
    ),
    pair(
        "sum_met",
        "1000000000039*x + 1000000000061*y == 8000000000422",
        lambda x, y: 1000000000039 * x + 1000000000061 * y == 8000000000422,
    ),
    # x = 1, y = 0 keeps the first row, nothing the second
    pair(
        "up_to_2_51",
        "2251799813685247*x >= 2251799813685247 + y",
        lambda x, y: LARGE * x >= LARGE + y,
        (0, 1),
    ),
    pair(
        "one_below_2_51",
        "2251799813685246*x >= 2251799813685246 + y",
        lambda x, y: (LARGE - 1) * x >= LARGE - 1 + y,
        (1, 1),
    ),
    # 1000003 and 999983 are prime: x/y = 999983/1000003 has no solution in 1..10
    pair("no_common_multiple", "1000003*x == 999983*y", lambda x, y: 1000003 * x == 999983 * y),
    # 3 a + 2 b is one short of it, and the next sums are further away
    pair(
        "sum_of_unlike_numbers_missed_by_one",
        "1000003*x + 999983000000*y == 1999966000001 + 1000003*3",
        lambda x, y: 1000003 * x + 999983000000 * y == 1999966000001 + 1000003 * 3,
    ),
)


def solve(case: Integers, backend: str) -> Result:
    return mecdsl.loads("model m\n" + case.text).solve(backend, time_limit=PATIENCE)


@pytest.mark.slow
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_backend_is_believed_beyond_the_integers(case: Integers, backend: str) -> None:
    found, best = solve(case, backend), case.best()
    if found.verified:
        assert (round(found["x"]), round(found["y"])) in case.points()
    if best is INFEASIBLE:
        assert not found.verified
        assert found.guarantee in (
            Guarantee.NONE,
            Guarantee.INFEASIBLE,
            Guarantee.LOCALLY_INFEASIBLE,
        )
    else:
        assert found.guarantee is not Guarantee.INFEASIBLE
        if found.guarantee is Guarantee.GLOBAL:
            assert found.objective == best
        if found.bound is not None:
            assert found.bound <= best


@pytest.mark.parametrize("case", [c for c in CASES if c.points()], ids=lambda case: case.name)
def test_what_is_met_exactly_is_met(case: Integers) -> None:
    instance = mecdsl.loads("model m\n" + case.text).instance()
    for point in case.points()[:3]:
        violations = find_violations(instance, np.array(point, dtype=np.float64))
        assert all(violation.accepted for violation in violations), point


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_missed_by_one_is_missed(case: Integers) -> None:
    instance = mecdsl.loads("model m\n" + case.text).instance()
    kept = set(case.points())
    for point in itertools.product(*case.ranges):
        violations = find_violations(instance, np.array(point, dtype=np.float64))
        assert all(violation.accepted for violation in violations) == (point in kept), point


def test_the_cases_are_both_feasible_and_not() -> None:
    assert {bool(case.points()) for case in CASES} == {True, False}
    assert all(
        takes(backend, mecdsl.loads("model m\n" + CASES[0].text).instance()) for backend in BACKENDS
    )
