"""Switches that leak: what matters is less than the tolerance of a solver times the big M of the
switch.

Every problem is which anchors to switch on so that each tag hears one: what is right is found by
enumeration over the switches, in which no power occurs at all.
"""

from itertools import product

import pytest

import mecdsl
from mecdsl import solve as solving
from mecdsl.proofs import leak_search
from mecdsl.results.result import Result
from mecdsl.solution import Guarantee, Termination
from tests.truth.test_violations import ANCHORS

# The tags that each anchor reaches, and its price.
REACHED = {1: (1, 2), 2: (2, 3), 3: (1, 3), 4: (1, 2, 3)}
PRICES = {1: 5.0, 2: 8.0, 3: 4.0, 4: 14.0}

COVER = """
model cover "Which anchors wake every tag"
param needed : {unit} = {needed}
param price[k in 1..4] : money = [5 money, 8 money, 4 money, 14 money]
set reach = {{(1, 1), (1, 2), (2, 2), (2, 3), (3, 1), (3, 3), (4, 1), (4, 2), (4, 3)}}
var on[k in 1..4] : binary
var sent[(k, t) in reach] : {unit} in 0..{most}
{goal}
constraint wakes[t in 1..3]: sum(sent[k, t] for k in 1..4 where (k, t) in reach) >= needed
{off}
"""
SWITCHED = "constraint off[(k, t) in reach] when not on[k]: sent[k, t] <= 0"
EQUAL = "constraint off[(k, t) in reach] when not on[k]: sent[k, t] == 0"
BY_HAND = "constraint off[(k, t) in reach]: sent[k, t] <= on[k]*{most}"
CHEAP = "minimize cost = sum(price[k]*on[k] for k in 1..4)"
DEAR = "maximize worth = 40 money - sum(price[k]*on[k] for k in 1..4)"

# What is needed beside the bound of what is sent, in four kinds of units, as a switch and by hand.
KINDS = [
    ("W", "100 pW", "1 W", SWITCHED, CHEAP),
    ("J", "3 nJ", "2 MJ", EQUAL, CHEAP),
    ("bit", "8 bit", "1e15 bit", BY_HAND, DEAR),
    ("cycle/s", "1 kcycle/s", "1e15 cycle/s", SWITCHED, DEAR),
]


def least_cost(most_on: int = 4) -> float | None:
    """The least price of anchors that reach all tags, by enumeration; None if there are none."""
    costs = []
    for on in product((0, 1), repeat=4):
        chosen = [k for k, is_on in zip(REACHED, on, strict=True) if is_on]
        if len(chosen) <= most_on and {tag for k in chosen for tag in REACHED[k]} == {1, 2, 3}:
            costs.append(sum(PRICES[k] for k in chosen))
    return min(costs, default=None)


def cover(kind: tuple[str, str, str, str, str], more: str = "") -> mecdsl.LoadedModel:
    unit, needed, most, off, goal = kind
    return mecdsl.loads(
        COVER.format(unit=unit, needed=needed, most=most, off=off.format(most=most), goal=goal)
        + more
    )


def assert_honest(result: Result) -> None:
    """Every tag hears an anchor that is on, and what is called optimal has a bound that says so."""
    assert result.verified
    on = result["on"]
    assert {tag for k, is_on in zip(REACHED, on, strict=True) if is_on for tag in REACHED[k]} == {
        1,
        2,
        3,
    }
    if result.guarantee is Guarantee.GLOBAL:
        assert result.bound == pytest.approx(result.objective, rel=1e-6)


def expected(goal: str) -> float:
    cost = least_cost()
    assert cost is not None
    return 40.0 - cost if goal == DEAR else cost


@pytest.mark.parametrize("kind", KINDS, ids=[kind[0] for kind in KINDS])
@pytest.mark.parametrize("backend", ["highs", "scip", "auto"])
def test_a_leaking_switch_is_set_one_way_and_the_other(
    kind: tuple[str, str, str, str, str], backend: str
) -> None:
    result = cover(kind).solve(backend)
    assert_honest(result)
    assert result.objective == pytest.approx(expected(kind[-1]))
    assert result.guarantee is Guarantee.GLOBAL or (backend == "scip" and result.notes)


LINKS = """
model links "Two links with a bound beyond all needs; 5.5 for 0.8*1.375 km = 1.1 km, 8.9 for 1.1 km, by hand"
var x : km >= 0 km <= 1e12 km
let u : 1 = x/(1 km)
var y : km >= 0 km <= 1e12 km
let v : 1 = y/(1 km)
var a : binary
var b : binary
constraint shut_x: 1*u - 1e12*a <= 0
constraint least_x when a: 1*u >= 0.3
constraint shut_y: 1*v - 1e12*b <= 0
constraint least_y when b: 1*v >= 0.7
constraint far: 1*u + 0.8*v >= 1.1
minimize cost = 8.9*a + 5.5*b
"""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["highs", "scip", "bonmin", "auto"])
def test_no_proof_beside_a_switch_that_cannot_be_resolved(backend: str) -> None:
    result = mecdsl.loads(LINKS).solve(backend)
    assert result.objective is not None
    assert not result.verified or result.objective >= 5.5 - 1e-9
    assert result.guarantee is not Guarantee.GLOBAL or result.objective == pytest.approx(5.5)
    assert result.bound is None or result.bound <= 5.5 + 1e-6


def test_the_first_anchor_wakes_the_tag_with_highs_alone() -> None:
    # off: 0 received, too little; the first alone costs 5, the second alone 8
    result = mecdsl.loads(ANCHORS).solve("highs")
    assert (result.objective, result.bound, result.guarantee) == (5.0, 5.0, Guarantee.GLOBAL)
    assert list(result["anchor.on"]) == [1, 0]


@pytest.mark.parametrize("kind", KINDS, ids=[kind[0] for kind in KINDS])
def test_too_few_switches_are_infeasible(kind: tuple[str, str, str, str, str]) -> None:
    # without the fourth anchor no single one reaches all three tags
    assert least_cost(most_on=1) == PRICES[4]
    result = cover(
        kind, "constraint few: sum(on[k] for k in 1..4) <= 1\nconstraint none: on[4] <= 0\n"
    ).solve("highs")
    assert result.termination is Termination.INFEASIBLE


def test_what_stands_in_the_way_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leak_search, "MOST", 0)
    result = mecdsl.loads(ANCHORS).solve("highs")
    assert not result.verified
    assert result.guarantee is Guarantee.NONE
    (note,) = result.notes
    # M is 1 W, 1e10 times 100 pW
    assert note == (
        "what `anchor.on[1]` switches, 1 W, is 1e+10 times the 1e-10 W by which `off[1]` is "
        "missed: "
        "give `anchor.received[1]` a tighter bound"
    )


@pytest.mark.slow
def test_a_search_that_ends_early_claims_no_more_than_is_proven(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proven = 0
    for most in range(12):
        monkeypatch.setattr(leak_search, "MOST", most)
        result = cover(KINDS[0]).solve("highs")
        if result.verified:
            assert_honest(result)
            assert result.bound is not None
            assert result.bound <= expected(CHEAP) * (1.0 + 1e-9)
            proven += result.guarantee is Guarantee.GLOBAL
            assert result.guarantee is Guarantee.FEASIBLE or result.objective == pytest.approx(
                expected(CHEAP)
            )
    assert proven


def test_auto_asks_the_next_one_where_a_search_ends_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leak_search, "MOST", 1)
    result = cover(KINDS[0]).solve("auto")
    assert result.guarantee is Guarantee.GLOBAL
    assert result.objective == pytest.approx(expected(CHEAP))


def test_no_time_is_left_for_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solving, "SEARCHED", 0.0)
    assert not mecdsl.loads(ANCHORS).solve("highs").verified


def test_auto_asks_the_next_backend_where_a_proof_is_not_believed() -> None:
    result = mecdsl.loads(LINKS).solve()
    assert (result.backend, result.guarantee) == ("scip", Guarantee.GLOBAL)
    assert result.objective == pytest.approx(5.5)
    assert "`highs` proved nothing that is believed, so `scip`" in result.choice
