"""The internal problem (32) and the distribution (75): against searches over the times, and
differences.
"""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.optimize import Bounds, minimize, minimize_scalar

from mecdsl.backends.fog.cases import draw
from mecdsl.backends.fog.internal import distribution, fixed, internal, row_prices
from mecdsl.backends.fog.latency import shortest_times
from mecdsl.backends.fog.system import Reals, System


def some(seed: int, nodes: int, layers: int, decades: float = 2.0) -> tuple[System, Reals]:
    """A drawn system and rows for it."""
    generator = np.random.default_rng(seed)
    system = draw(generator, nodes, layers, decades=decades)
    return system, system.input_rows * generator.dirichlet(np.ones(nodes))


def sending(nats: float, time: float, scale: float, bandwidth: float, circuit: float) -> float:
    """Energy in J of a transmission that takes `time`."""
    return time * (scale * float(np.expm1(nats / (bandwidth * time))) + circuit)


def searched(system: System, rows: Reals, node: int, layer: int, time: float) -> float:
    """Least energy in J of one node in one layer by a search over its exchange times."""
    cycles = system.work[node, layer] * rows[node]
    links = [side for side in (0, 1) if system.link_exists[side, node]]
    nats, scales = system.link_nats[:, node, layer], system.link_scale[:, node, layer]
    least = nats / (system.bandwidth * system.link_most[:, node, layer])
    spare = time - cycles / system.cpu_max[node] - least[links].sum()

    def cost(shares: Reals) -> float:
        """`shares` of the spare time go to the exchanges."""
        times = least[links] + spare * shares
        computing = system.capacitance[node] * cycles**3 / (time - times.sum()) ** 2
        pairs = zip(links, times, strict=True)
        circuit = float(system.circuit_power[node])
        return float(computing) + sum(
            sending(float(nats[side]), float(each), float(scales[side]), system.bandwidth, circuit)
            for side, each in pairs
        )

    if not links:
        return cost(np.zeros(0))
    if len(links) == 1:
        found = minimize_scalar(
            lambda share: cost(np.array([share])),
            bounds=(0.0, 1.0),
            method="bounded",
            options={"xatol": 1e-13},
        )
        return min(float(found.fun), cost(np.zeros(1)), cost(np.ones(1)))

    def inner(first: float) -> float:
        found = minimize_scalar(
            lambda second: cost(np.array([first, second * (1.0 - first)])),
            bounds=(0.0, 1.0),
            method="bounded",
            options={"xatol": 1e-13},
        )
        return min(float(found.fun), cost(np.array([first, 0.0])))

    outer = minimize_scalar(inner, bounds=(0.0, 1.0), method="bounded", options={"xatol": 1e-13})
    return min(float(outer.fun), inner(0.0))


@pytest.mark.parametrize("nodes", [1, 2, 3])
@pytest.mark.parametrize("factor", [1.01, 1.5, 30.0])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_internal_optimum_is_that_of_a_search(nodes: int, factor: float, seed: int) -> None:
    system, rows = some(seed, nodes, 2, decades=4.0)
    times = shortest_times(system, rows) * factor
    found = internal(system, fixed(system), rows, times)
    total = sum(
        searched(system, rows, node, layer, times[layer])
        for node in range(nodes)
        for layer in range(2)
    )
    assert found.value == pytest.approx(total, rel=1e-8)
    assert found.value <= total * (1.0 + 1e-12)


@pytest.mark.parametrize("factor", [1.0 + 1e-9, 1.001, 2.0, 100.0])
def test_times_add_up_and_limits_hold(factor: float) -> None:
    system, rows = some(5, 30, 4, decades=4.0)
    times = shortest_times(system, rows) * factor
    found = internal(system, fixed(system), rows, times)
    np.testing.assert_allclose(
        found.compute_time + found.link_time.sum(axis=0), np.tile(times, (30, 1)), rtol=1e-13
    )
    assert np.all(found.frequency <= system.cpu_max[:, None] * (1.0 + 1e-12))
    assert np.all(found.efficiency <= system.link_most)


def test_everything_runs_at_its_limit_in_the_shortest_time() -> None:
    system, rows = some(7, 2, 1)
    times = shortest_times(system, rows)
    found = internal(system, fixed(system), rows, times)
    slowest = (system.row_time * rows[:, None] + system.least_exchange)[:, 0].argmax()
    assert found.frequency[slowest, 0] == pytest.approx(system.cpu_max[slowest], rel=1e-9)
    with pytest.raises(ValueError, match="less time than a node needs"):
        internal(system, fixed(system), rows, times * 0.999)


def test_a_node_without_rows_takes_its_time_for_the_exchange() -> None:
    system, _ = some(3, 3, 1, decades=0.0)
    rows = np.array([0.0, 512.0, 512.0])
    limits = fixed(system)
    roomy = internal(system, limits, rows, np.array([10.0]))
    assert roomy.beta[0, 0] == 0.0
    assert roomy.curvature[0, 0] == 0.0
    # alone with its circuit power of 0.1 W the best time is that of a search without a deadline
    nats, scale = float(system.exchange_nats[0]), float(system.link_scale[1, 0, 0])
    best = minimize_scalar(
        lambda log: sending(nats, float(np.exp(log)), scale, system.bandwidth, 0.1),
        bounds=(-15.0, 3.0),
        method="bounded",
    )
    assert roomy.link_time[1, 0, 0] == pytest.approx(np.exp(best.x), rel=1e-4)
    tight = internal(
        system, limits, np.array([0.0, 0.0, 0.0]), system.least_exchange.max(axis=0) * 1.0001
    )
    assert tight.beta.max() > 0.0


def test_prices_are_the_derivatives_of_the_internal_value() -> None:
    system, rows = some(11, 4, 3)
    times = shortest_times(system, rows) * np.array([1.3, 2.0, 5.0])
    limits = fixed(system)
    found = internal(system, limits, rows, times)
    for layer in range(3):
        step = np.zeros(3)
        step[layer] = 1e-5 * times[layer]
        ahead, behind = (
            internal(system, limits, rows, times + sign * step) for sign in (1.0, -1.0)
        )
        slope = (ahead.value - behind.value) / (2.0 * step[layer])
        assert -found.beta[:, layer].sum() == pytest.approx(slope, rel=1e-6)
        curve = (behind.beta - ahead.beta)[:, layer] / (2.0 * step[layer])
        np.testing.assert_allclose(found.curvature[:, layer], curve, rtol=1e-6)
    for node in range(4):
        step = np.zeros(4)
        step[node] = 1e-5 * rows[node]
        ahead, behind = (
            internal(system, limits, rows + sign * step, times) for sign in (1.0, -1.0)
        )
        slope = (ahead.value - behind.value) / (2.0 * step[node])
        assert row_prices(system, found.beta)[node].sum() == pytest.approx(slope, rel=1e-6)
        # the Hessian is w (1, -a/f)(1, -a/f)': beta changes by w a/f with d
        curve = (ahead.beta - behind.beta)[node] / (2.0 * step[node])
        expected = found.curvature[node] * system.work[node] / found.frequency[node]
        np.testing.assert_allclose(expected, curve, rtol=1e-6)


def test_guess_does_not_change_the_root() -> None:
    system, rows = some(13, 30, 3, decades=4.0)
    times = shortest_times(system, rows) * 1.2
    limits = fixed(system)
    plain = internal(system, limits, rows, times)
    for factor in (1e-9, 0.5, 1.0, 1e9):
        guessed = internal(system, limits, rows, times, plain.beta * factor)
        np.testing.assert_allclose(guessed.beta, plain.beta, rtol=1e-11)


def least_send(system: System, rows: Reals) -> float:
    return float(rows @ system.send_time) + system.least_send


@pytest.mark.parametrize("factor", [1.001, 1.5, 4.0])
def test_distribution_optimum_is_that_of_a_search(factor: float) -> None:
    system, rows = some(2, 3, 1, decades=1.0)
    spare = least_send(system, rows) * factor
    found = distribution(system, fixed(system), rows, spare)
    first, second = (k for k in range(3) if k != system.master)
    nats = system.send_nats * rows + system.send_extra
    least = nats / (system.bandwidth * system.send_most)
    circuit, scales = float(system.circuit_power[system.master]), system.send_scale

    def cost(shares: Reals) -> float:
        times = least[[first, second]] + (spare - least.sum()) * shares
        return sum(
            sending(float(nats[k]), float(time), float(scales[k]), system.bandwidth, circuit)
            for k, time in zip((first, second), times, strict=True)
        )

    within: Any = {"type": "ineq", "fun": lambda shares: 1.0 - shares.sum()}
    best = minimize(
        cost,
        np.array([0.4, 0.4]),
        method="SLSQP",
        bounds=Bounds(0.0, 1.0),
        constraints=within,
        options={"ftol": 1e-15, "maxiter": 300},
    )
    assert found.value == pytest.approx(best.fun, rel=1e-7)
    assert found.value <= best.fun * (1.0 + 1e-9)
    assert found.time.sum() <= spare * (1.0 + 1e-14)


def test_prices_are_the_derivatives_of_the_distribution() -> None:
    system, rows = some(21, 6, 1, decades=1.0)
    limits, spare = fixed(system), least_send(system, rows) * 1.4
    found = distribution(system, limits, rows, spare)
    assert found.phi > 0.0
    step = 1e-5 * spare
    ahead, behind = (
        distribution(system, limits, rows, spare + sign * step) for sign in (1.0, -1.0)
    )
    assert -found.phi == pytest.approx((ahead.value - behind.value) / (2.0 * step), rel=1e-6)
    assert found.curvature == pytest.approx((behind.phi - ahead.phi) / (2.0 * step), rel=1e-6)
    for node in range(6):
        more = np.zeros(6)
        more[node] = 1e-5 * rows[node]
        ahead, behind = (
            distribution(system, limits, rows + sign * more, spare) for sign in (1.0, -1.0)
        )
        slope = (ahead.value - behind.value) / (2.0 * more[node])
        assert found.row_price[node] == pytest.approx(slope, rel=1e-6, abs=1e-15)
    assert found.row_price[system.master] == 0.0


def test_distribution_with_more_time_than_it_wants() -> None:
    system, rows = some(4, 4, 1, decades=0.0)
    found = distribution(system, fixed(system), rows, 1e4)
    assert found.phi == 0.0
    assert found.time.sum() < 1e4
    thrifty = replace(system, circuit_power=np.zeros(4))  # time is then worth having without end
    assert distribution(thrifty, fixed(thrifty), rows, 1e4).time.sum() == pytest.approx(
        1e4, rel=1e-13
    )


def test_distribution_that_is_too_slow_is_refused() -> None:
    system, rows = some(4, 4, 1)
    with pytest.raises(ValueError, match="less time than it needs at full power"):
        distribution(system, fixed(system), rows, least_send(system, rows) * 0.99)
