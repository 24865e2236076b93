"""Weak duality: no feasible point is below the bound, whatever the prices; and the smallest
deadline.
"""

from dataclasses import replace

import numpy as np
import pytest

from mecdsl.backends.fog.bound import balanced, bound, deadline_bound
from mecdsl.backends.fog.cases import draw
from mecdsl.backends.fog.latency import fastest, shortest_deadline, shortest_times
from mecdsl.backends.fog.system import Reals, System


def random_point(system: System, generator: np.random.Generator, rows: Reals) -> float:
    """Energy in J of some feasible point with these rows: times above the shortest by random shares
    of what is left.
    """
    nodes, layers = system.shape
    left = system.latency - shortest_deadline(system, rows)
    parts = generator.dirichlet(np.ones(layers + 1)) * left
    times = shortest_times(system, rows) + parts[:layers]
    cycles = system.work * rows[:, None]
    least = system.link_nats / (system.bandwidth * system.link_most)
    spare = times - cycles / system.cpu_max[:, None] - least.sum(axis=0)
    shares = generator.dirichlet(np.ones(3), size=(nodes, layers))
    link_time = least + np.moveaxis(shares[:, :, 1:], 2, 0) * spare
    compute_time = cycles / system.cpu_max[:, None] + shares[:, :, 0] * spare
    circuits = system.circuit_power[:, None]
    exchanges = np.divide(system.link_nats, system.bandwidth * link_time)
    radio = np.where(
        system.link_nats > 0.0,
        link_time * (system.link_scale * np.expm1(exchanges) + circuits),
        0.0,
    )
    computing = system.capacitance[:, None] * cycles**3 / compute_time**2
    nats = system.send_nats * rows + system.send_extra
    away = nats > 0.0
    quota = generator.dirichlet(np.ones(nodes)) * parts[layers]
    send_time = nats[away] / (system.bandwidth * system.send_most[away]) + quota[away]
    rate = nats[away] / (system.bandwidth * send_time)
    circuit = system.circuit_power[system.master]
    sent = send_time * (system.send_scale[away] * np.expm1(rate) + circuit)
    return float(computing.sum() + radio.sum() + sent.sum())


@pytest.mark.parametrize("seed", range(40))
def test_no_feasible_point_is_below_the_bound(seed: int) -> None:
    generator = np.random.default_rng(seed)
    nodes = int(generator.choice([1, 2, 3, 8]))
    system = draw(
        generator, nodes, int(generator.integers(1, 5)), decades=float(generator.choice([0.0, 4.0]))
    )
    rows = system.input_rows * generator.dirichlet(np.ones(nodes))
    system = replace(
        system, latency=shortest_deadline(system, rows) * float(generator.choice([1.01, 2.0, 50.0]))
    )
    point = random_point(system, generator, rows)
    for _ in range(20):
        beta = 10.0 ** generator.uniform(-6.0, 3.0, size=system.shape)
        phi = float(10.0 ** generator.uniform(-6.0, 4.0))
        assert bound(system, beta, phi).value <= point
        of_rows = bound(system, beta, phi, rows).value
        assert of_rows <= point
        assert of_rows >= bound(system, beta, phi).value - 1e-12 * abs(of_rows)


def test_bound_of_one_node_is_the_closed_form() -> None:
    # V = kappa W^3 / tau^2 with W = d^y sum a, and phi = -V'(tau) = 2 V / tau
    system = draw(np.random.default_rng(2), 1, 3, latency=5.0)
    whole = system.input_rows * system.work.sum()
    value = 1e-28 * whole**3 / 25.0
    found = bound(system, np.ones((1, 3)), 2.0 * value / 5.0)
    assert found.value == pytest.approx(value, rel=1e-12)
    assert found.value <= value
    assert found.least == pytest.approx(3.0 * value / system.input_rows, rel=1e-12)  # dV/d(d^y)


def test_prices_are_rescaled_in_every_layer() -> None:
    system = draw(np.random.default_rng(1), 3, 2)
    beta = np.array([[1.0, 0.0], [2.0, 0.0], [1.0, 0.0]])
    np.testing.assert_allclose(balanced(system, beta, 6.0), [[1.5, 2.0], [3.0, 2.0], [1.5, 2.0]])
    with pytest.raises(ValueError, match="expected prices >= 0"):
        bound(system, -beta, 1.0)


def test_free_prices_bound_by_the_energy_of_radios_alone() -> None:
    # at beta = phi = 0 nothing is worth a second, so computing is free and radios pay s / B or
    # their circuits
    system = draw(np.random.default_rng(6), 3, 1)
    thrifty = replace(system, circuit_power=np.zeros(3))
    radio = (thrifty.link_nats * thrifty.link_scale).sum() + (
        thrifty.send_extra * thrifty.send_scale
    ).sum()
    assert bound(thrifty, np.zeros((3, 1)), 0.0).value == pytest.approx(
        radio / thrifty.bandwidth, rel=1e-12
    )


@pytest.mark.parametrize("seed", range(20))
def test_no_rows_are_faster_than_the_deadline_bound(seed: int) -> None:
    generator = np.random.default_rng(seed)
    nodes, layers = int(generator.integers(1, 7)), int(generator.integers(1, 5))
    system = draw(generator, nodes, layers, decades=4.0)
    best = fastest(system)
    assert best.bound <= best.deadline <= best.bound * (1.0 + 1e-9)
    for _ in range(20):
        rows = system.input_rows * generator.dirichlet(np.full(nodes, 0.5))
        weights = generator.exponential(size=(nodes, layers))
        assert deadline_bound(system, weights) <= best.deadline * (1.0 + 1e-14)
        assert shortest_deadline(system, rows) >= best.bound
        assert deadline_bound(system, weights, rows) <= shortest_deadline(system, rows)
