"""The campaign of random models: a short run of it, and that its oracles and its judge can be
believed.
"""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy.optimize import linprog

import mecdsl
from mecdsl.solution import Guarantee
from tests.campaign.case import INFEASIBLE, OPTIMAL, UNBOUNDED, Truth
from tests.campaign.draw import Draw, literal
from tests.campaign.exact_lp import Program, solve
from tests.campaign.judge import false_claims
from tests.campaign.kinds import KINDS, make
from tests.campaign.run import jobs, run

SHORT = 3  # models of each kind
STATUS = {0: OPTIMAL, 2: INFEASIBLE, 3: UNBOUNDED}  # of SciPy


@pytest.mark.slow
def test_a_short_campaign_finds_no_false_label() -> None:
    outcomes = [
        outcome for found in run(7, jobs(SHORT * len(KINDS), list(KINDS)), 1) for outcome in found
    ]
    assert {outcome.kind for outcome in outcomes} == set(KINDS)
    assert [outcome for outcome in outcomes if outcome.false] == []


def drawn(draw: Draw, size: int) -> list[Fraction]:
    return [draw.number(-4, 4, 0) for _ in range(size)]


def ends(draw: Draw, size: int, low: int, high: int) -> list[Fraction | None]:
    return [draw.pick(None, Fraction(draw.whole(low, high))) for _ in range(size)]


def floats(values: Sequence[Fraction | None]) -> list[float | None]:
    return [None if value is None else float(value) for value in values]


@pytest.mark.parametrize("number", range(100))
def test_the_exact_simplex_method_agrees_with_scipy(number: int) -> None:
    draw = Draw(0, "simplex", number)
    size = draw.whole(1, 4)
    rows = [
        (drawn(draw, size), draw.pick("<=", ">=", "=="), Fraction(draw.whole(-6, 6)))
        for _ in range(draw.whole(0, 4))
    ]
    cost, lower, upper = drawn(draw, size), ends(draw, size, -3, 1), ends(draw, size, 1, 5)
    found = solve(Program(cost, rows, lower, upper))
    sides: dict[bool, list[tuple[list[float], float]]] = {True: [], False: []}
    for a, relation, right in rows:
        sign = -1.0 if relation == ">=" else 1.0
        sides[relation == "=="].append(([sign * float(value) for value in a], sign * float(right)))
    below, equal = sides[False], sides[True]
    expected = linprog(
        [float(c) for c in cost],
        A_ub=[a for a, _ in below] or None,
        b_ub=[b for _, b in below] or None,
        A_eq=[a for a, _ in equal] or None,
        b_eq=[b for _, b in equal] or None,
        bounds=list(zip(floats(lower), floats(upper), strict=True)),
    )
    if expected.status == 4:
        pytest.skip("SciPy does not know")
    assert found.status == STATUS[expected.status]
    if found.status == OPTIMAL:
        assert float(found.value) == pytest.approx(expected.fun, abs=1e-7)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.slow
def test_a_case_is_the_same_for_the_same_numbers(kind: str) -> None:
    first, again = make(3, kind, 5), make(3, kind, 5)
    assert (first.text, first.truth) == (again.text, again.truth)
    assert any(make(3, kind, other).text != first.text for other in (6, 7, 8))


@pytest.mark.parametrize(
    "kind", ["lp", "milp", "switch", "kinks", "products", "convex", "curve", "mixed"]
)
@pytest.mark.slow
def test_a_shifted_truth_is_found(kind: str) -> None:
    number = next(
        n for n in range(50) if make(5, kind, n).truth.status == OPTIMAL and _proven(kind, n)
    )
    case, result = make(5, kind, number), mecdsl.loads(make(5, kind, number).text).solve("scip")
    assert false_claims(case, result) == []
    worse = (1 if case.maximize else -1) * case.truth.size / 100
    better = replace(case, truth=replace(case.truth, best=case.truth.best + worse))
    assert any("globally optimal" in claim for claim in false_claims(better, result))
    assert any("bound" in claim for claim in false_claims(better, result))
    assert any(
        "no feasible point" in c
        for c in false_claims(replace(case, truth=Truth(INFEASIBLE)), result)
    )
    assert false_claims(replace(case, truth=Truth(UNBOUNDED)), result)


def _proven(kind: str, number: int) -> bool:
    return mecdsl.loads(make(5, kind, number).text).solve("scip").guarantee is Guarantee.GLOBAL


def test_a_broken_row_is_found() -> None:
    number = next(n for n in range(50) if make(5, "integers", n).truth.status == OPTIMAL)
    case = make(5, "integers", number)
    assert case.breaches(dict.fromkeys(case.names, 0.5))
    assert case.breaches(dict.fromkeys(case.names, -7.0))


def test_a_process_that_ends_is_an_outcome_and_the_rest_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def trial(seed: int, kind: str, number: int, backends: Sequence[str]) -> list[object]:
        if number == 1:
            raise SystemExit(3)
        return []

    monkeypatch.setattr("tests.campaign.run.trial", trial)
    outcomes = [outcome for found in run(1, [("lp", n) for n in range(4)], 1) for outcome in found]
    assert [(outcome.number, outcome.label) for outcome in outcomes] == [(1, "crash")]


@pytest.mark.parametrize(
    "value", ["1700000000.25", "-0.001", "1e-12", "9007199254740991", "3", "1e30"]
)
def test_literals_are_read_back_exactly(value: str) -> None:
    assert Fraction(literal(Fraction(value))) == Fraction(value)
    assert np.float64(literal(Fraction(value))) == float(value)
