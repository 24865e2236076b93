"""`fog-newton`: the optimum against a general solver, certified gaps, and what holds of every
optimum of (31).
"""

from dataclasses import replace
from typing import Any

import casadi
import numpy as np
import pytest

from mecdsl.backends.fog.baselines import latency
from mecdsl.backends.fog.bound import bound
from mecdsl.backends.fog.cases import draw
from mecdsl.backends.fog.dual import dual
from mecdsl.backends.fog.internal import row_prices
from mecdsl.backends.fog.latency import fastest
from mecdsl.backends.fog.newton import newton
from mecdsl.backends.fog.system import Plan, Reals, System, energy, excess
from mecdsl.solution import Termination

GAP = 1e-8


def drawn(
    seed: int, nodes: int, layers: int, factor: float, decades: float = 0.0, columns: int = 512
) -> System:
    """A drawn system whose latency is `factor` times its smallest deadline."""
    system = draw(
        np.random.default_rng(seed), nodes, layers, decades=decades, input_columns=columns
    )
    return replace(system, latency=fastest(system).deadline * factor)


def value(system: System, gap: float = 1e-11) -> float:
    """The least energy in J."""
    plan = newton(system, gap=gap)
    assert plan.objective is not None
    return plan.objective


def check(system: System, plan: Plan, gap: float = GAP) -> None:
    """The plan is feasible, has the energy it states, and is optimal to the gap."""
    assert plan.termination is Termination.OPTIMAL, plan.message
    assert plan.objective is not None
    assert plan.bound is not None
    assert max(excess(system, plan).values()) < 1e-10
    assert energy(system, plan) == pytest.approx(plan.objective, rel=1e-10)
    assert plan.objective * (1.0 - gap) <= plan.bound <= plan.objective
    assert plan.beta is not None
    assert plan.phi is not None
    rows = None if plan.lam is not None else plan.rows
    assert bound(system, plan.beta, plan.phi, rows).value == pytest.approx(plan.bound, rel=1e-12)


def general(system: System) -> float:
    """Least energy of (31) by Ipopt over t, d, tl, tF and te, radio energies from the tight (10)
    and (19).
    """
    nodes, layers = system.shape
    away = [k for k in range(nodes) if k != system.master]
    noise, bandwidth, full = (
        system.noise_density * system.bandwidth,
        system.bandwidth,
        system.power_max,
    )
    links = [
        (k, n, up)
        for up in (True, False)
        for k in range(nodes)
        for n in range(layers)
        if k > 0 or not up
    ]
    links = [(k, n, up) for k, n, up in links if up or k < nodes - 1]
    times, rows = casadi.SX.sym("t", layers), casadi.SX.sym("d", nodes)
    busy = casadi.SX.sym("tl", nodes, layers)
    sends, exchanges = casadi.SX.sym("tF", len(away)), casadi.SX.sym("te", len(links))
    unit, share = system.latency, system.input_rows
    energy_used, low, kept = 0.0, [1e-9] * (layers + nodes + nodes * layers), []
    used = {(k, n): busy[k, n] for k in range(nodes) for n in range(layers)}
    for k, n in used:
        energy_used += (
            system.capacitance[k]
            * (system.work[k, n] * share * rows[k]) ** 3
            / (unit * busy[k, n]) ** 2
        )
        kept.append(busy[k, n] - system.work[k, n] * share / (unit * system.cpu_max[k]) * rows[k])
    for place, k in enumerate(away):
        scale, time = noise / system.distribution_gain[k], unit * sends[place]
        nats = system.row_nats * (share * rows[k] + system.boundary_rows[k])
        energy_used += time * (scale * (casadi.exp(nats / (bandwidth * time)) - 1.0))
        energy_used += time * system.circuit_power[system.master]
        most = bandwidth * np.log1p(full[system.master] / scale)
        kept.append(sends[place] - nats / (most * unit))
        low.append(system.row_nats * system.boundary_rows[k] / (most * unit))
    for place, (k, n, up) in enumerate(links):
        scale = noise / (system.gain_up if up else system.gain_down)[k, n]
        time, nats = unit * exchanges[place], system.exchange_nats[n]
        energy_used += time * (
            scale * (casadi.exp(nats / (bandwidth * time)) - 1.0) + system.circuit_power[k]
        )
        used[k, n] += exchanges[place]
        low.append(nats / (bandwidth * np.log1p(full[k] / scale) * unit))
    kept += [times[n] - each for (_, n), each in used.items()]
    kept.append(1.0 - casadi.sum1(times) - casadi.sum1(sends))
    kept.append(casadi.sum1(rows) - 1.0)
    unknowns = casadi.vertcat(times, rows, casadi.vec(busy), sends, exchanges)
    fast = latency(system)
    start = value_at(fast, away, links, system)
    scaled = energy_used / (fast.objective or 1.0)
    quiet: Any = {
        "print_time": False,
        "ipopt": {"print_level": 0, "sb": "yes", "tol": 1e-11, "bound_relax_factor": 0.0},
    }
    solver = casadi.nlpsol(
        "fog", "ipopt", {"x": unknowns, "f": scaled, "g": casadi.vertcat(*kept)}, quiet
    )
    ends = [np.inf] * (len(kept) - 1) + [0.0]
    answer = solver(x0=start, lbx=low, ubx=1.0, lbg=0.0, ubg=ends)
    assert solver.stats()["success"]
    return float(answer["f"]) * (fast.objective or 1.0)


def value_at(
    plan: Plan, away: list[int], links: list[tuple[int, int, bool]], system: System
) -> Reals:
    """The unknowns of `general` at a plan."""
    up, down = np.asarray(plan.up_time), np.asarray(plan.down_time)
    unit = system.latency
    return np.concatenate(
        [
            np.asarray(plan.layer_time) / unit,
            np.asarray(plan.rows) / system.input_rows,
            np.asarray(plan.compute_time).ravel(order="F") / unit,
            np.asarray(plan.distribution_time)[away] / unit,
            [(up if above else down)[k, n] / unit for k, n, above in links],
        ]
    )


@pytest.mark.parametrize(("nodes", "layers"), [(1, 2), (2, 1), (2, 3), (3, 2), (4, 2)])
@pytest.mark.parametrize("factor", [1.1, 2.0, 10.0])
def test_general_solver_finds_the_same_energy(nodes: int, layers: int, factor: float) -> None:
    system = drawn(nodes + layers, nodes, layers, factor, columns=128)
    assert value(system) == pytest.approx(general(system), rel=1e-6)


def random_system(seed: int) -> System:
    """Any size up to 30 nodes, any deadline from 1.0001 to 100 times the smallest, spreads over up
    to six decades.
    """
    generator = np.random.default_rng(1000 + seed)
    nodes, layers = int(generator.choice([1, 2, 3, 5, 10, 30])), int(generator.integers(1, 6))
    factor = float(generator.choice([1.0001, 1.001, 1.05, 1.5, 5.0, 100.0]))
    decades, columns = (
        float(generator.choice([0.0, 2.0, 4.0, 6.0])),
        int(generator.choice([16, 128, 512])),
    )
    return drawn(seed, nodes, layers, factor, decades, columns)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(60))
def test_gap_is_certified(seed: int) -> None:
    system = random_system(seed)
    check(system, newton(system))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(60, 260))
def test_gap_is_certified_for_many_more(seed: int) -> None:
    system = random_system(seed)
    by_newton, by_dual = newton(system), dual(system)
    check(system, by_newton)
    check(system, by_dual)
    assert by_newton.objective == pytest.approx(by_dual.objective, rel=2.0 * GAP)


@pytest.mark.parametrize("factor", [1.001, 10.0])
def test_thousand_nodes(factor: float) -> None:
    system = drawn(7, 1000, 5, factor, decades=2.0)
    plan = newton(system)
    check(system, plan)
    assert len(plan.iterations) < 100


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_nodes_of_very_different_size(seed: int) -> None:
    # the start is then far above the optimum, so nothing may be measured by its energy
    generator = np.random.default_rng(seed)
    system = draw(generator, 7, 2, decades=8.0, input_rows=1e5)
    work = system.work * 10.0 ** generator.uniform(-2.0, 2.0, size=(7, 1))
    system = replace(
        system, work=work, cpu_max=system.cpu_max * 10.0 ** generator.uniform(-1.0, 1.0, size=7)
    )
    system = replace(system, latency=1.5 * fastest(system).deadline)
    check(system, newton(system))
    check(system, dual(system))


@pytest.mark.parametrize("place", [0, 2, 4])
def test_master_anywhere(place: int) -> None:
    system = drawn(3, 5, 2, 1.2)
    gains = np.where(np.isnan(system.distribution_gain), 1e-8, system.distribution_gain)
    moved = replace(system, master=place, distribution_gain=gains, latency=3.0 * system.latency)
    check(moved, newton(moved))


def test_free_circuits() -> None:
    system = replace(drawn(4, 6, 3, 3.0), circuit_power=np.zeros(6))
    check(system, newton(system))


def test_every_price_of_a_layer_adds_up_to_that_of_the_deadline() -> None:
    # at the point itself, not at the prices of the bound, which are rescaled to do so
    system = drawn(9, 12, 4, 3.0)
    plan = newton(system, gap=1e-12)
    assert plan.rows is not None
    assert plan.compute_time is not None
    assert plan.phi is not None
    frequency = system.work * plan.rows[:, None] / plan.compute_time
    assert np.all(frequency < 0.999 * system.cpu_max[:, None])  # so that beta = 2 kappa f^3
    sums = (2.0 * system.capacitance[:, None] * frequency**3).sum(axis=0)
    np.testing.assert_allclose(sums, plan.phi, rtol=1e-5)


def test_rows_cost_the_same_wherever_there_are_some() -> None:
    system = drawn(12, 30, 3, 2.0, decades=6.0)
    plan = newton(system, gap=1e-11)
    assert plan.beta is not None
    assert plan.rows is not None
    assert plan.lam is not None
    bracket = bound(system, plan.beta, plan.phi or 0.0).row_price
    busy = plan.rows > 1e-3 * system.input_rows / 30
    assert 1 < busy.sum() < 30
    np.testing.assert_allclose(bracket[busy], plan.lam, rtol=1e-6)
    assert bracket[~busy].min() >= plan.lam


def test_one_node_has_a_closed_form() -> None:
    # V = kappa W^3 / tau^2, every cycle at the frequency W / tau, so t_n ~ M_n: a factor 4 per
    # layer
    system = drawn(1, 1, 4, 1.7)
    whole = system.input_rows * system.work.sum()
    plan = newton(system, gap=1e-12)
    assert plan.objective == pytest.approx(1e-28 * whole**3 / system.latency**2, rel=1e-11)
    assert plan.phi == pytest.approx(2e-28 * (whole / system.latency) ** 3, rel=1e-6)
    assert plan.layer_time is not None
    np.testing.assert_allclose(plan.layer_time[:-1] / plan.layer_time[1:], 4.0, rtol=1e-5)


@pytest.mark.parametrize("factor", [1.01, 1.5, 20.0])
def test_deadline_price_is_the_slope_of_the_optimum(factor: float) -> None:
    system = drawn(5, 6, 3, factor)
    plan = newton(system, gap=1e-12)
    step = 1e-4 * system.latency * min(1.0, factor - 1.0)
    ahead, behind = (
        value(replace(system, latency=system.latency + sign * step), 1e-12) for sign in (1.0, -1.0)
    )
    assert plan.phi is not None
    assert -plan.phi == pytest.approx((ahead - behind) / (2.0 * step), rel=1e-4)
    middle = plan.objective or 0.0
    assert behind >= middle >= ahead
    assert behind + ahead >= 2.0 * middle * (1.0 - 1e-12)  # convex


def test_row_price_is_the_slope_of_the_optimum() -> None:
    system = drawn(6, 6, 3, 2.0)
    plan = newton(system, gap=1e-12)
    step = 1e-4 * system.input_rows
    ahead, behind = (
        value(replace(system, input_rows=system.input_rows + sign * step), 1e-12)
        for sign in (1.0, -1.0)
    )
    assert plan.lam == pytest.approx((ahead - behind) / (2.0 * step), rel=1e-5)


@pytest.mark.parametrize("factor", [1.02, 4.0])
def test_scaling_laws(factor: float) -> None:
    """Changes of units and of sizes that leave the energy alone or scale it by s."""
    system = drawn(8, 5, 3, factor, decades=1.0)
    s, plain = 2.0, value(system)
    powers: dict[str, Any] = {
        "power_max": system.power_max * s,
        "circuit_power": system.circuit_power * s,
    }
    wider: dict[str, Any] = {
        "work": system.work * s,
        "row_nats": system.row_nats * s,
        "exchange_nats": system.exchange_nats * s,
    }
    quicker: dict[str, Any] = {
        "bandwidth": system.bandwidth * s,
        "cpu_max": system.cpu_max * s,
        "latency": system.latency / s,
        "capacitance": system.capacitance / s**2,
    }
    sizes: dict[str, Any] = {
        "row_nats": system.row_nats * s,
        "exchange_nats": system.exchange_nats * s,
    }
    assert value(replace(system, **wider, latency=system.latency * s)) == pytest.approx(
        s * plain, rel=1e-9
    )
    louder = replace(
        system, capacitance=system.capacitance * s, noise_density=system.noise_density * s, **powers
    )
    assert value(louder) == pytest.approx(s * plain, rel=1e-9)
    assert value(replace(system, **quicker, **powers)) == pytest.approx(plain, rel=1e-9)
    same = replace(
        system, **sizes, bandwidth=system.bandwidth * s, noise_density=system.noise_density / s
    )
    assert value(same) == pytest.approx(plain, rel=1e-9)


def test_reversed_nodes() -> None:
    system = drawn(10, 7, 3, 1.3, decades=2.0)
    assert value(system.reversed()) == pytest.approx(value(system), rel=1e-9)
    there, back = newton(system, gap=1e-12), newton(system.reversed(), gap=1e-12)
    assert there.rows is not None
    assert back.rows is not None
    np.testing.assert_allclose(back.rows[::-1], there.rows, rtol=1e-4, atol=1e-3)


def test_equal_nodes_around_the_master_share_alike() -> None:
    # everything alike, the master in the middle of five: node k and node 6 - k do the same
    system = draw(np.random.default_rng(0), 5, 2)
    up, down = np.full((5, 2), 1e-8), np.full((5, 2), 1e-8)
    alike = replace(
        system,
        work=np.tile(system.work[0], (5, 1)),
        cpu_max=np.full(5, 2.5e9),
        distribution_gain=np.full(5, 1e-8),
        gain_up=up,
        gain_down=down,
        master=2,
    )
    plan = newton(replace(alike, latency=1.4 * fastest(alike).deadline), gap=1e-12)
    assert plan.rows is not None
    np.testing.assert_allclose(plan.rows, plan.rows[::-1], rtol=1e-5)
    assert plan.rows[2] > plan.rows[1]  # the master's own rows need no distribution


@pytest.mark.parametrize(
    "name", ["cpu_max", "power_max", "distribution_gain", "gain_up", "gain_down", "latency"]
)
def test_more_of_a_resource_costs_no_more(name: str) -> None:
    system = drawn(14, 6, 2, 1.1, decades=1.0)
    richer: dict[str, Any] = {name: getattr(system, name) * 1.3}
    assert value(replace(system, **richer)) <= value(system) * (1.0 + 1e-10)


def test_layers_without_columns_change_nothing() -> None:
    # 4, 2, 1 columns, and then none
    short, long = (draw(np.random.default_rng(5), 4, layers, input_columns=4) for layers in (3, 5))
    short, long = (replace(system, latency=0.4) for system in (short, long))
    plan, whole = newton(short, gap=1e-11), newton(long, gap=1e-11)
    assert whole.objective == pytest.approx(plan.objective, rel=1e-9)
    assert max(excess(long, whole).values()) < 1e-10
    assert whole.layer_time is not None
    assert np.all(whole.layer_time > 0.0)


def test_impossible_deadline_is_proven() -> None:
    system = drawn(2, 10, 3, 0.999)
    for algorithm in (newton, dual):
        plan = algorithm(system)
        assert plan.termination is Termination.INFEASIBLE
        assert plan.rows is None
        smallest = plan.certificate["smallest_deadline"]
        assert smallest == pytest.approx(system.latency / 0.999, rel=1e-9)
        assert plan.certificate["smallest_deadline_bound"] > system.latency
        assert "the smallest deadline that would do is" in plan.message


def test_smallest_deadline_itself() -> None:
    system = drawn(2, 4, 3, 1.0)
    plan = newton(system)
    assert plan.rows is not None
    assert max(excess(system, plan).values()) < 1e-9
    later = replace(system, latency=system.latency * (1.0 + 1e-9))
    check(later, newton(later))


def test_given_rows() -> None:
    system = drawn(4, 5, 3, 3.0)
    rows = system.input_rows * np.array([0.1, 0.0, 0.4, 0.2, 0.3])
    for plan in (newton(system, rows), dual(system, rows)):
        check(system, plan)
        assert plan.lam is None
        np.testing.assert_array_equal(plan.rows, rows)
    # at the optimal rows fixing them costs nothing, and elsewhere something
    best = newton(system, gap=1e-11)
    assert newton(system, best.rows, gap=1e-11).objective == pytest.approx(best.objective, rel=1e-9)
    assert (newton(system, rows).objective or 0.0) > 1.01 * (best.objective or 0.0)
    assert newton(replace(system, latency=1e-3), rows).termination is Termination.INFEASIBLE


def test_time_limit_keeps_what_was_found() -> None:
    system = drawn(4, 30, 3, 1.2)
    plan = newton(system, time_limit=0.0)
    assert plan.termination is Termination.TIME_LIMIT
    assert plan.rows is not None
    assert max(excess(system, plan).values()) < 1e-10
    assert plan.objective is not None
    assert plan.bound is not None
    assert plan.bound <= value(system) * (1.0 + 1e-12)
    assert plan.objective >= value(system) * (1.0 - 1e-11)


def test_iterations_are_recorded() -> None:
    plan = newton(drawn(4, 10, 3, 1.2))
    assert [step.number for step in plan.iterations] == list(range(1, len(plan.iterations) + 1))
    bounds = [step.bound for step in plan.iterations if step.bound is not None]
    assert bounds == sorted(bounds)
    assert plan.iterations[-1].residual is not None
    assert plan.iterations[-1].residual <= GAP


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"gap": 0.0}, "expected a gap > 0"),
        ({"rows": np.array([1.0, 2.0])}, "add up to the input rows"),
        ({"rows": np.array([2000.0, -976.0])}, "add up to the input rows"),
    ],
)
def test_wrong_requests_are_refused(change: dict[str, Any], message: str) -> None:
    system = drawn(0, 2, 1, 2.0)
    for algorithm in (newton, dual):
        with pytest.raises(ValueError, match=message):
            algorithm(system, **change)


def test_prices_of_the_point_agree_with_those_of_the_bound() -> None:
    system = drawn(16, 8, 2, 10.0)
    plan = newton(system, gap=1e-12)
    assert plan.beta is not None
    assert plan.lam is not None
    assert plan.x_frd is not None
    others = np.arange(8) != system.master
    theta = (
        system.row_nats * system.send_scale[others] * np.exp(plan.x_frd[others]) / system.bandwidth
    )
    assert np.all(
        plan.x_frd[others] < system.send_most[others]
    )  # below full power theta = s e^x / B
    own = row_prices(system, plan.beta).sum(axis=1)
    np.testing.assert_allclose(own[others] + theta, plan.lam, rtol=1e-5)
    assert own[system.master] == pytest.approx(plan.lam, rel=1e-5)
