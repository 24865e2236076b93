"""Closed forms of one price, against the minimum found by a search and against 60-digit
arithmetic.
"""

from collections.abc import Callable
from decimal import Decimal, getcontext

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from mecdsl.backends.fog.prices import (
    best_efficiency,
    cycle_price,
    frequency,
    nat_price,
    power,
    second_price,
    time_slope,
)

CAPACITANCE, CPU_MAX = np.array([1e-28]), np.array([2.5e9])
FAR = np.array([700.0])  # x^max that no price here reaches


def searched(cost: Callable[[float], float], low: float, high: float) -> float:
    """The least cost between and at two ends."""
    found = minimize_scalar(cost, bounds=(low, high), method="bounded", options={"xatol": 1e-11})
    return min(float(found.fun), cost(low), cost(high))


def residual(efficiency: float, ratio: float) -> float:
    """Relative error of x in e^x (x - 1) + 1 = C / s, to first order, with 60 digits."""
    getcontext().prec = 60
    x, target = Decimal(efficiency), Decimal(ratio)
    miss = x.exp() * (x - 1) + 1 - target
    return float(miss / (x * x.exp()) / x)


@pytest.mark.parametrize("price", [1e-12, 1e-3, 0.2, 1.0, 3.124, 3.126, 50.0, 1e6])
def test_cycle_price_is_the_minimum_over_frequencies(price: float) -> None:
    best = searched(
        lambda log: 1e-28 * np.exp(2.0 * log) + price * np.exp(-log), np.log(1e3), np.log(2.5e9)
    )
    cost = cycle_price(np.array([price]), CAPACITANCE, CPU_MAX)[0]
    assert cost == pytest.approx(best, rel=1e-10)
    assert cost <= best * (1.0 + 1e-14)


def test_frequency_at_its_limits() -> None:
    # from the price 2 kappa v^3 = 2 * 1e-28 * 15.625e27 = 3.125 W on the frequency stays at its
    # limit
    prices = np.array([0.0, 3.125 / 8.0, 3.125, 100.0])
    np.testing.assert_allclose(
        frequency(prices, CAPACITANCE, CPU_MAX), [0.0, 1.25e9, 2.5e9, 2.5e9], rtol=1e-14
    )
    assert cycle_price(np.zeros(1), CAPACITANCE, CPU_MAX)[0] == 0.0


@pytest.mark.parametrize("exponent", np.linspace(-18.0, 25.0, 87))
def test_efficiency_solves_its_equation_over_43_decades(exponent: float) -> None:
    ratio = 10.0**exponent
    found = best_efficiency(np.array([ratio]), np.ones(1), FAR)[0]
    assert abs(residual(found, ratio)) < 1e-15


def test_efficiency_next_to_the_branch_point() -> None:
    # e^x (x - 1) + 1 = x^2 / 2 + x^3 / 3 + ..., so x -> sqrt(2 C / s)
    ratios = np.array([1e-200, 1e-100, 1e-40, 1e-24])
    np.testing.assert_allclose(
        best_efficiency(ratios, np.ones(4), FAR), np.sqrt(2.0 * ratios), rtol=1e-11
    )


def test_efficiency_of_a_free_second_is_zero() -> None:
    zero = best_efficiency(np.zeros(1), np.ones(1), FAR)
    assert zero[0] == 0.0
    # the limit of (e^x - 1) s / (B x) as x -> 0
    assert nat_price(np.zeros(1), zero, np.array([3.0]), 2.0)[0] == 1.5


def test_efficiency_stops_at_full_power() -> None:
    scale, most = np.array([1e-9]), np.log1p(np.array([1e8]))  # SNR 1e8 at full power
    full = second_price(most, scale)
    around = best_efficiency(full * np.array([0.999, 1.0, 1.001, 1e6]), scale, most)
    assert around[0] < most[0]
    np.testing.assert_array_equal(around[1:], most[0])
    assert power(most, scale)[0] == pytest.approx(0.1, rel=1e-12)
    below = np.log1p(1e-9 * full[0])  # far below the limit the limit plays no part
    assert best_efficiency(np.array([below * 1e-3]), scale, most)[0] < most[0]


@pytest.mark.parametrize("price", [1e-15, 1e-9, 1e-4, 0.1, 1.0, 30.0])
@pytest.mark.parametrize("scale", [1e-9, 1e-4, 1e3])
def test_nat_price_is_the_minimum_over_powers(price: float, scale: float) -> None:
    most = np.log1p(0.2 / scale)
    top = float(np.log(most))
    best = searched(
        lambda log: (scale * np.expm1(np.exp(log)) + price) / np.exp(log), top - 30.0, top
    )
    x = best_efficiency(np.array([price]), np.array([scale]), np.array([most]))
    cost = nat_price(np.array([price]), x, np.array([scale]), 1.0)[0]
    assert cost == pytest.approx(best, rel=1e-9)
    assert cost <= best * (1.0 + 1e-13)


def test_nat_price_is_the_derivative_of_energy() -> None:
    # where the limit is not met theta = (N0 / h) e^x = s e^x / B
    x = best_efficiency(np.array([0.3]), np.array([1e-5]), FAR)
    theta = nat_price(np.array([0.3]), x, np.array([1e-5]), 5e5)[0]
    assert theta == pytest.approx(1e-5 * np.exp(x[0]) / 5e5, rel=1e-13)


def test_time_slope_against_differences() -> None:
    scale, most, nats = np.array([1e-6]), np.log1p(np.array([0.2 / 1e-6])), np.array([512.0])

    def seconds(price: float) -> float:
        return float((nats / (5e5 * best_efficiency(np.array([price]), scale, most)))[0])

    for price in (1e-8, 1e-3, 0.5):
        step = 1e-5 * price
        difference = (seconds(price + step) - seconds(price - step)) / (2.0 * step)
        x = best_efficiency(np.array([price]), scale, most)
        assert time_slope(nats, x, scale, most, 5e5)[0] == pytest.approx(difference, rel=1e-6)
    full = second_price(most, scale) * 2.0
    assert time_slope(nats, best_efficiency(full, scale, most), scale, most, 5e5)[0] == 0.0
