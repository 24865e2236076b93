"""The shares of tasks at one server: closed forms, optimality conditions, SciPy, Ipopt, and the
paper's own updates.
"""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from mecdsl.backends.cooperative.allocation import (
    Allocation,
    Verdict,
    allocate,
    dual_value,
    latencies,
)
from mecdsl.backends.cooperative.interior import interior
from mecdsl.backends.cooperative.multipliers import Variant, multiplier_updates
from mecdsl.backends.cooperative.prices import (
    Demand,
    Standing,
    band_price,
    certificate,
    coefficients,
    stationary,
)
from tests.test_cooperative_oracle import primal

quick = settings(max_examples=150, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def random_demand(seed: int, tightness: float, floors: float, most: int = 8) -> Demand:
    """`tightness`: largest eigenvalue of sum v v'/D; `floors`: their sum."""
    random = np.random.default_rng(seed)
    count = int(random.integers(1, most + 1))
    roots = random.uniform(0.05, 1.0, (count, 3))
    limit = random.uniform(0.5, 2.0, count)
    gram = (roots[:, :, None] * roots[:, None, :] / limit[:, None, None]).sum(axis=0)
    limit *= np.linalg.eigvalsh(gram)[-1] / tightness
    floor = random.uniform(0.1, 1.0, count)
    return Demand(roots, limit, floor * floors / floor.sum())


def check_optimal(demand: Demand, answer: Allocation) -> None:
    """Feasible, and the cost meets the Lagrangian bound computed here from the prices alone."""
    assert answer.shares is not None
    assert answer.cost is not None
    latency = (demand.roots**2 / answer.shares).sum(axis=1)
    assert latency.sum() == pytest.approx(answer.cost, rel=1e-12)
    assert np.all(answer.shares.sum(axis=0) <= 1 + 1e-12)
    assert np.all(answer.shares[:, 0] >= demand.floor * (1 - 1e-9))
    assert np.all(latency <= demand.limit * (1 + 1e-8))


@quick
@given(seeds)
def test_without_limits_the_cost_is_the_square_of_the_sums(seed: int) -> None:
    roots = random_demand(seed, 0.5, 0.1).roots
    demand = Demand(roots, np.full(len(roots), np.inf), np.zeros(len(roots)))
    answer = allocate(demand)
    assert answer.cost == pytest.approx((roots.sum(axis=0) ** 2).sum(), rel=1e-12)
    assert answer.shares == pytest.approx(roots / roots.sum(axis=0), rel=1e-12)


@settings(max_examples=60, deadline=None)
@given(seeds, st.sampled_from([0.5, 0.9, 0.99, 1.1]), st.sampled_from([0.0, 0.5, 0.9, 0.99]))
def test_agrees_with_scipy(seed: int, tightness: float, floors: float) -> None:
    demand = random_demand(seed, tightness, floors, most=5)
    answer = allocate(demand)
    try:
        expected = primal(demand.roots**2, demand.limit, demand.floor)
    except AssertionError:
        assume(False)
    if np.isinf(expected):
        assert answer.verdict is Verdict.INFEASIBLE
    else:
        assert answer.verdict is Verdict.OPTIMAL
        assert answer.cost == pytest.approx(expected, rel=1e-6)
        check_optimal(demand, answer)


@quick
@given(seeds, st.sampled_from([0.3, 0.9, 0.999, 1 - 1e-7, 1.0]))
def test_latency_limits_are_met_up_to_the_eigenvalue(seed: int, tightness: float) -> None:
    """min max latency / D is the largest eigenvalue, so everything up to 1 is feasible."""
    demand = random_demand(seed, tightness, 0.0, most=12)
    answer = allocate(demand)
    check_optimal(demand, answer)
    assert answer.bound is not None
    assert answer.cost is not None
    assert answer.cost - answer.bound <= 1e-8 * answer.cost
    assert answer.latency_factor == pytest.approx(tightness, rel=1e-9)


@settings(max_examples=60, deadline=None)
@given(seeds, st.sampled_from([0.7, 0.9, 0.98]))
@pytest.mark.slow
def test_cost_is_the_maximum_of_the_dual_in_eta(seed: int, tightness: float) -> None:
    """g(w) = |sum w v|^2 - sum (w^2 - 1) D, maximised over w >= 1 by a quasi-Newton method that
    knows no prices.
    """
    demand = random_demand(seed, tightness, 0.0)

    def negative(logarithm: np.ndarray) -> tuple[float, np.ndarray]:
        weight = np.exp(logarithm)
        total = weight @ demand.roots
        slope = 2 * weight * (demand.roots @ total) - 2 * weight**2 * demand.limit
        return float(((weight**2 - 1) * demand.limit).sum() - total @ total), -slope

    start = np.zeros(len(demand.limit))
    bounds = [(0.0, 20.0)] * len(start)
    found = minimize(
        negative, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-15}
    )
    assert allocate(demand).cost == pytest.approx(-found.fun, rel=1e-6)


@quick
@given(seeds, st.sampled_from([1 + 1e-7, 1.01, 3.0]))
def test_above_the_eigenvalue_the_certificate_is_checked_by_hand(
    seed: int, tightness: float
) -> None:
    """u = the certificate: sum (u . v)^2 / D > |u|^2 while any feasible shares give at most |u|^2
    by Cauchy-Schwarz.
    """
    demand = random_demand(seed, tightness, 0.0)
    answer = allocate(demand)
    assert answer.verdict is Verdict.INFEASIBLE
    u = answer.prices
    assert ((demand.roots @ u) ** 2 / demand.limit).sum() > u @ u


@quick
@given(seeds, st.sampled_from([0.5, 0.95, 0.999]), st.sampled_from([0.6, 0.95, 0.9999]))
@pytest.mark.slow
def test_floors_and_limits_end_in_an_optimum_or_a_certificate(
    seed: int, tightness: float, floors: float
) -> None:
    """The certificate is checked by weak duality on random shares: none of them may keep
    everything.
    """
    demand = random_demand(seed, tightness, floors)
    answer = allocate(demand)
    if answer.verdict is Verdict.OPTIMAL:
        check_optimal(demand, answer)
        assert answer.bound is not None
        assert answer.cost is not None
        assert answer.cost - answer.bound <= 1e-8 * answer.cost
    else:
        assert answer.verdict is Verdict.INFEASIBLE
        assert interior(demand).shares is None


@quick
@given(seeds, seeds)
def test_every_price_gives_a_lower_bound(seed: int, other: int) -> None:
    """phi(p) <= cost for random prices, random feasible shares and random subsets, and h0(p) never
    cuts one off.
    """
    random = np.random.default_rng(other)
    demand = random_demand(seed, 0.5, 0.3)
    shares = random.dirichlet(np.ones(len(demand.limit)), 3).T
    chosen = random.random(len(demand.limit)) < 0.7
    latency = latencies(demand, shares)
    loose = Demand(
        demand.roots,
        np.maximum(demand.limit, 1.0001 * latency),
        np.minimum(demand.floor, 0.9999 * shares[:, 0]),
    )
    price = random.exponential(1.0, 3) * demand.roots.sum(axis=0)
    assert dual_value(loose, price) <= latency.sum() * (1 + 1e-12)
    bound = coefficients(loose, price)[chosen].sum() - price @ price
    assert bound <= latency[chosen].sum() * (1 + 1e-12)
    assert certificate(loose, price)[chosen].sum() <= price @ price * (1 + 1e-12)


@settings(max_examples=40, deadline=None)
@given(seeds, st.sampled_from([0.5, 0.95]), st.sampled_from([0.0, 0.7]))
@pytest.mark.slow
def test_the_interior_point_fall_back_agrees(seed: int, tightness: float, floors: float) -> None:
    demand = random_demand(seed, tightness, floors)
    answer, other = allocate(demand), interior(demand)
    assert (answer.shares is None) == (other.shares is None)
    if other.shares is not None:
        assert latencies(demand, other.shares).sum() == pytest.approx(answer.cost, rel=1e-5)


@quick
@given(seeds, st.floats(0.0, 0.999))
def test_band_price_uses_up_the_band(seed: int, floors: float) -> None:
    demand = random_demand(seed, 1.0, floors)
    wish, ones = demand.roots[:, 0], np.ones(len(demand.floor))
    price = band_price(wish, demand.floor, ones)
    assert np.maximum(demand.floor, wish / price).sum() == pytest.approx(1.0, rel=1e-12)


def test_floor_by_hand() -> None:
    """Roots 3 and 1, floor 1/2 on the second: shares 1/2 each, cost 9/0.5 + 1/0.5 = 20 instead of
    16.
    """
    demand = Demand(np.array([[3.0, 0, 0], [1.0, 0, 0]]), np.full(2, np.inf), np.array([0.0, 0.5]))
    answer = allocate(demand)
    assert answer.cost == pytest.approx(20.0, rel=1e-12)
    assert answer.shares is not None
    assert answer.shares[:, 0] == pytest.approx([0.5, 0.5], rel=1e-12)


def test_limit_by_hand() -> None:
    """Two tasks with A = 1, limits 1.6 and infinite: share 1/1.6 = 0.625, so 1.6 + 1/0.375 s
    instead of 4 s.
    """
    demand = Demand(np.array([[1.0, 0, 0], [1.0, 0, 0]]), np.array([1.6, np.inf]), np.zeros(2))
    assert allocate(demand).cost == pytest.approx(1.6 + 1 / 0.375, rel=1e-12)


def test_floors_that_use_up_the_band() -> None:
    demand = Demand(
        np.array([[3.0, 1, 1], [1.0, 1, 1]]), np.full(2, np.inf), np.array([0.25, 0.75])
    )
    answer = allocate(demand)
    assert answer.cost == pytest.approx(9 / 0.25 + 1 / 0.75 + 8, rel=1e-9)
    full = Demand(demand.roots, demand.limit, np.array([0.25, 0.76]))
    assert allocate(full).verdict is Verdict.INFEASIBLE


def test_no_task_and_zero_numerators() -> None:
    nothing = allocate(Demand(np.zeros((0, 3)), np.zeros(0), np.zeros(0)))
    assert (nothing.verdict, nothing.cost) == (Verdict.OPTIMAL, 0.0)
    edge = allocate(
        Demand(np.array([[1.0, 2, 0], [2.0, 1, 0]]), np.array([10.0, 8.5]), np.zeros(2))
    )
    assert edge.shares is not None
    assert np.all(edge.shares[:, 2] == 0)
    assert edge.verdict is Verdict.OPTIMAL


def test_prices_are_found_in_few_steps() -> None:
    """Newton from below is finite: the number of steps does not grow with the number of tasks."""
    random = np.random.default_rng(5)
    for count in (10, 1000):
        roots, limit = random.uniform(0.1, 1, (count, 3)), random.uniform(0.5, 2, count)
        limit *= np.linalg.eigvalsh((roots / limit[:, None]).T @ roots)[-1] / 0.97
        found = stationary(Demand(roots, limit, np.zeros(count)), np.ones(count))
        assert found.standing is Standing.STATIONARY
        assert found.steps <= 15


def test_printed_updates_run_away_and_corrected_ones_come_close() -> None:
    """Two equal tasks at A = B = C = 0.5: optimum shares 1/2, cost 2 * 3 = 6 s."""
    demand = Demand(np.full((2, 3), 0.5**0.5), np.full(2, 5.0), np.zeros(2))
    printed = multiplier_updates(demand, Variant.PRINTED, most_rounds=2000)
    corrected = multiplier_updates(demand, Variant.CORRECTED, most_rounds=2000)
    assert np.all(np.abs(printed.shares - 0.5) > 0.1)
    assert corrected.shares == pytest.approx(np.full((2, 3), 0.5), abs=1e-3)
    assert "printed" in printed.label
    assert corrected.iterations[0].residual != 0.0
