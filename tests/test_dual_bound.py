"""Bounds by convexity and multipliers: below every optimum, close at the right multipliers, whoever
claims them.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import mecdsl
from mecdsl.certificates.dual_bound import dual_bound
from mecdsl.certificates.lagrangian import flat_multipliers
from mecdsl.convexity.problem import analyse
from mecdsl.instances.instance import Instance
from mecdsl.results.gap import ObjectiveSize
from mecdsl.results.verify import verify
from mecdsl.shown import Result, shown
from mecdsl.solution import Guarantee, Solution, Termination

from .test_fog import CASE, MODEL

# minimise x^2 + 2 y^2 with x + y >= 3, 0 <= x, y <= 10: 2x = 4y = m, x = 2, y = 1, optimum 6, m = 4
CONVEX = """
var x : 1 in 0..10
var y : 1 in 0..10
minimize cost = x^2 + 2*y^2
constraint enough: x + y >= 3
"""

# maximise ln(1 + x) + 2 ln(1 + y) with x + y <= 4, x, y >= 0: 1 + x = 2, 1 + y = 4 (sum 6 split
# 1:2), m = 1/2
CONCAVE = """
var x : 1 >= 0
var y : 1 >= 0
maximize gain = ln(1 + x) + 2*ln(1 + y)
constraint budget: x + y <= 4
"""
# minimise exp(x) with exp(-x) <= 1: x = 0; exp(-x) <= 1 + d allows x = -d, so the row is worth -1
EXPONENTIAL = """
var x : 1 in -1..1
minimize cost = exp(x)
constraint c: exp(-x) <= 1
"""
BEST_GAIN = float(np.log(2) + 2 * np.log(4))


def bound(text: str, x: list[float], multipliers: list[float]) -> float | None:
    return dual_bound(mecdsl.loads(text).instance(), np.array(x), np.array(multipliers))


def test_at_the_optimum_the_bound_is_the_optimum() -> None:
    assert bound(CONVEX, [2.0, 1.0], [4.0]) == pytest.approx(6.0, rel=1e-13)
    assert bound(CONCAVE, [1.0, 3.0], [0.5]) == pytest.approx(BEST_GAIN, rel=1e-13)


def test_the_bound_is_that_of_the_formula() -> None:
    # at 0 with m = -0.5: L = exp(0) + 0.5 * 0 and r = 1 - 0.5; points as good as 0 have x <= 0, so
    # 1 + 0.5 * (-1 - 0)
    assert bound(EXPONENTIAL, [0.0], [-0.5]) == pytest.approx(0.5, rel=1e-12)
    assert bound(EXPONENTIAL, [0.0], [-1.0]) == pytest.approx(1.0, rel=1e-12)


def test_curvature_bounds_what_no_row_does() -> None:
    # the nearest point to (2, 2) with x + y <= 3 is (1.5, 1.5) at 0.5 and m = -1; the slopes -1e-4
    # of a multiplier that is off cost (1e-4)^2 / (2 * 2) each, and the value of L changes by
    # nothing as the row is tight
    text = "var x : 1\nvar y : 1\nminimize d = (x - 2)^2 + (y - 2)^2\nconstraint c: x + y <= 3\n"
    assert bound(text, [1.5, 1.5], [-1.0 + 1e-4]) == pytest.approx(0.5 - 2 * 1e-8 / 4, rel=1e-12)
    assert bound(text, [1.0, 1.9], [-1.0]) == pytest.approx(0.5, abs=1e-9)
    # a column that is not in the square has no curvature, and none of x and y may have it where H
    # is indefinite in them
    assert (
        bound(
            text.replace("minimize d = ", "var w : 1\nminimize d = 1e-9*w + "),
            [1.5, 1.5, 0.0],
            [-1.0],
        )
        is None
    )


@pytest.mark.slow
def test_any_point_and_any_multiplier_give_a_valid_bound() -> None:
    rng = np.random.default_rng(5)
    convex, concave = (mecdsl.loads(text).instance() for text in (CONVEX, CONCAVE))
    close = 0
    for _ in range(300):
        point, m = rng.uniform(0, 4, 2), rng.uniform(-1, 5, 1)
        low = dual_bound(convex, point, m)
        high = dual_bound(concave, point, 0.2 * m)
        assert low is not None
        assert low <= 6.0
        assert high is None or high >= BEST_GAIN
        close += low > 0.0
    assert close > 20


def test_wrong_signs_count_as_nothing() -> None:
    assert bound(CONVEX, [2.0, 1.0], [-4.0]) == bound(CONVEX, [2.0, 1.0], [0.0])


def test_it_is_a_little_below_never_above_for_rounding() -> None:
    # a linear program whose optimum 0.1 + 0.2 has no exact double
    text = (
        "var x : 1 in 0.1..1\nvar y : 1 in 0.2..1\nminimize z = x + y\nconstraint c: x + y >= 0\n"
    )
    found = bound(text, [0.1, 0.2], [0.0])
    assert found is not None
    assert 0.3 * (1 - 1e-13) < found < 0.3


def test_open_ends_are_closed_by_rows_and_by_the_point_itself() -> None:
    # a multiplier off by 1e-9 leaves slopes on variables without an upper bound: the rows x + y <=
    # 4 bound them
    found = bound(CONCAVE, [1.0, 3.0], [0.5 - 1e-9])
    assert found is not None
    assert BEST_GAIN <= found <= BEST_GAIN + 1e-7
    # no row bounds x here, yet points better than x = 3 are below 3: minimise x with x >= 3,
    # multiplier 1 + 1e-9
    text = "var x : 1 >= 0\nminimize z = x\nconstraint c: x >= 3\n"
    low = bound(text, [3.0 + 1e-9], [1.0 + 1e-9])
    assert low is not None
    assert 3.0 - 1e-7 <= low <= 3.0
    # and where nothing does, there is no bound: x + y is constant along x = -y
    assert (
        bound(
            "var x : 1\nvar y : 1\nminimize z = x + y\nconstraint c: x + y >= 1\n",
            [0.5, 0.5],
            [0.9],
        )
        is None
    )


def test_a_slope_that_is_infinite_on_a_bound_is_taken_beside_it() -> None:
    # maximise sqrt(x) - x/2 ... with y idle: x = 1; at the claimed x = 0 the slope is infinite, the
    # bound still holds
    text = "var x : 1 in 0..4\nmaximize z = sqrt(x) - 0.5*x\nconstraint c: x <= 4\n"
    found = bound(text, [0.0], [0.0])
    assert found is not None
    assert found >= 0.5
    assert bound(text, [1.0], [0.0]) == pytest.approx(0.5, rel=1e-12)


def solved(text: str, backend: str, **options: Any) -> Result:
    result = mecdsl.loads(text).solve(backend, **options)
    assert result.verified
    return result


def test_ipopt_on_a_convex_problem_has_a_bound_and_a_gap() -> None:
    for text, best in ((CONVEX, 6.0), (CONCAVE, BEST_GAIN)):
        result = solved(text, "ipopt")
        assert result.guarantee is Guarantee.GLOBAL
        assert result.termination is Termination.OPTIMAL
        assert result.bound == pytest.approx(best, rel=1e-7)
        assert result.gap is not None
        assert result.gap <= 1e-6
        assert result.bound_by == "convexity and the multipliers"
        assert "bound            by convexity and the multipliers" in str(result)
        assert result.as_dict()["bound_by"] == result.bound_by


def claim(
    x: list[float], m: float, guarantee: Guarantee = Guarantee.FEASIBLE, text: str = CONVEX
) -> Result:
    """The verdict on a point of a problem with one constraint, claimed with its multiplier."""
    instance = mecdsl.loads(text).instance()
    (family,) = instance.constraints
    multipliers = {family.name: np.array([m])}
    solution = Solution(
        backend="test",
        termination=Termination.FINISHED,
        guarantee=guarantee,
        values=np.array(x),
        multipliers=multipliers,
    )
    return shown(verify(instance, solution, 1e-6, analyse(instance)), Result)


def test_a_closed_gap_makes_a_heuristics_point_globally_optimal() -> None:
    result = claim([2.0, 1.0], 4.0)
    assert result.guarantee is Guarantee.GLOBAL
    assert result.termination is Termination.OPTIMAL
    assert claim([2.1, 1.0], 4.0).guarantee is Guarantee.FEASIBLE


def test_an_open_gap_is_said_beside_the_label() -> None:
    # a multiplier off by 4e-6 leaves that slope: the conditions hold to 1e-5, and x = -1 could be
    # 4e-6 better
    result = claim([0.0], -1.0 + 4e-6, Guarantee.GLOBAL, EXPONENTIAL)
    assert result.kkt is not None
    assert result.kkt.accepted
    assert result.guarantee is Guarantee.TO_GAP
    assert result.worth == "optimal to 0.0004 %"
    assert result.gap == pytest.approx(4e-6, rel=1e-3)
    assert "the bound proves a gap of 4.0e-06" in result.notes[0]
    # off by a tenth neither holds
    assert claim([0.0], -0.9, Guarantee.GLOBAL, EXPONENTIAL).guarantee is Guarantee.FEASIBLE


def test_nothing_is_bounded_that_is_not_proven_convex() -> None:
    text = "var x : 1 in 0..2\nvar y : 1 in 0..2\nminimize z = x + y\nconstraint c: x*y >= 1\n"
    instance = mecdsl.loads(text).instance()
    assert not analyse(instance).convex
    result = solved(text, "ipopt")
    assert result.bound is None
    assert result.guarantee is Guarantee.LOCAL


@pytest.mark.parametrize("nodes", [3, 10])
@pytest.mark.parametrize("form", ["", "equal"])
@pytest.mark.slow
def test_the_fog_model_is_solved_to_a_proven_gap(nodes: int, form: str) -> None:
    result = mecdsl.load(MODEL, node_count=nodes, latency="1 s", seed=1).solve("ipopt", form)
    assert result.verified
    assert result.gap is not None
    assert result.gap < 1e-6
    assert result.guarantee is Guarantee.GLOBAL


@pytest.mark.slow
def test_the_fog_bound_holds_at_any_multipliers_and_points() -> None:
    result = mecdsl.load(MODEL, data=CASE).solve("ipopt")
    instance: Instance = result.instance
    best, rng = result.objective, np.random.default_rng(2)
    flat = flat_multipliers(instance, result.solution.multipliers)
    assert flat is not None
    assert best is not None
    assert result.solution.values is not None
    positive = 0
    for spread in (1e-6, 1e-4, 1e-2, 0.3):
        for _ in range(10):
            m = flat * rng.lognormal(0.0, spread, len(flat))
            x = result.solution.values * rng.lognormal(0.0, spread, instance.columns)
            found = dual_bound(instance, x, m)
            assert found is not None
            assert found <= best * (1 + 1e-7)  # the point keeps its rows to a tolerance only
            positive += found > 0.99 * best
    assert positive >= 10


@pytest.mark.slow
def test_scip_agrees_with_the_fog_bound() -> None:
    # two nodes and one layer: small enough for a global solver of nonconvex problems
    model = mecdsl.load(MODEL, node_count=2, layer_count=1, latency="1 s", seed=3)
    local, exact = model.solve("ipopt"), model.solve("scip", gap=1e-4, raw={"limits/nodes": 1000})
    assert local.bound is not None
    assert exact.objective is not None
    assert exact.bound is not None
    assert local.bound <= exact.objective * (1 + 1e-6)
    assert exact.bound <= (local.objective or 0.0) * (1 + 1e-6)
    assert ObjectiveSize().relative(local.objective, exact.objective) == pytest.approx(
        0.0, abs=2e-4
    )


@pytest.mark.parametrize("multiplier", [1.0, 2.5])
def test_a_wrong_claimed_bound_stays_a_fault(multiplier: float) -> None:
    good = claim([2.0, 1.0], 4.0)
    instance = good.instance
    worse = replace(good.solution, bound=6.0 * (1 + multiplier))
    assert not verify(instance, worse, 1e-6, analyse(instance)).verified
