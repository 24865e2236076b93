"""The paper's method and its baselines for cooperative computing: data, depths, relaxation,
rounding, claims.
"""

from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest
from scipy import optimize

from mecdsl.backends.cooperative.allocation import allocate, demand_at
from mecdsl.backends.cooperative.baselines import (
    Sharing,
    eejs_surrogate,
    equal,
    ihra_surrogate,
    nearest,
    rlt0,
)
from mecdsl.backends.cooperative.depths import best_depth, uniform_is_optimal, useful_depths
from mecdsl.backends.cooperative.exact import exact
from mecdsl.backends.cooperative.factor import least_factor
from mecdsl.backends.cooperative.pa import Rounding, proposed, rounded
from mecdsl.backends.cooperative.relaxation import relax
from mecdsl.backends.cooperative.search import local_search
from mecdsl.backends.cooperative.system import LOCAL, Layers, Limits, System, evaluate
from mecdsl.solution import Termination
from tests.test_cooperative_oracle import OFF, check_point, oracle, small_system

RATIO = [0.4, 0.2, 0.16, 0.128, 0.1152]  # Table I
WORK = [500.0, 1100.0, 1800.0, 2840.0, 3992.0]  # cycle/bit: `GHz/M` is 1000 cycle/bit


def table_three(seed: int, tasks: int, servers: int) -> System:
    """Table III, uniform draws; gains from 128.1 + 27 log10(d in km) dB."""
    random = np.random.default_rng(seed)
    places, posts = random.uniform(0, 100, (tasks, 2)), random.uniform(0, 100, (servers, 2))
    distance = np.maximum(np.linalg.norm(places[:, None] - posts[None], axis=2), 1.0)
    return System(
        task_size=random.uniform(1e6, 1e7, tasks),
        min_rate=np.full(tasks, 1e6),
        max_latency=random.uniform(1, 2, tasks),
        power=np.full(tasks, 0.6),
        cpu=random.choice([2e9, 4e9], tasks),
        work=random.uniform(2000, 4000, tasks),
        bandwidth=np.full(servers, 1e7),
        server_cpu=random.choice([6e11, 8e11], servers),
        capacity=np.full(servers, 1e8),
        max_tasks=np.full(servers, float(tasks)),
        gain=10 ** (-(128.1 + 27 * np.log10(distance / 1000)) / 10),
        distance=distance,
        output_ratio=np.tile(RATIO, (servers, 1)),
        cumulative_work=np.tile(WORK, (servers, 1)),
        noise_power=1e-14,
    )


def at_fifty_metres() -> System:
    """One task of 5 Mbit, 50 m from one server."""
    system = table_three(0, 1, 1)
    gain = 10 ** (-(128.1 + 27 * np.log10(0.05)) / 10)
    return replace(system, task_size=np.array([5e6]), gain=np.array([[gain]]))


def test_example_of_section_three() -> None:
    """5 Mbit at depth 2: 5.5e9 cycles, 1 Mbit left (Section III-B); 149 Mbit/s at 50 m by hand.

    0.6 W * 10^(-(128.1 - 35.13)/10) / 1e-14 W = 30270; 1e7 Hz * log2(30271) = 148.86 Mbit/s.
    """
    system = at_fifty_metres()
    assert system.compute_time[0, 0, 1] * system.server_cpu[0] == pytest.approx(5.5e9)
    assert system.forward_time[0, 0, 1] * system.capacity[0] == pytest.approx(1e6)
    assert system.rate[0, 0] == pytest.approx(148.86e6, rel=1e-3)


def test_table_three_runs_two_layers_everywhere() -> None:
    """p/F + r/C per Mbit: depth 2 is 1.1e9/6e11 + 0.2e6/1e8 s = 3.83 ms, depth 1 4.83 ms, depth 3
    4.6 ms.
    """
    system = table_three(1, 4, 3)
    assert best_depth(system).tolist() == [2, 2, 2]
    assert uniform_is_optimal(system).all()
    assert useful_depths(system, Layers.FREE).sum() == 3
    # at 30 Mbit/s and 6e11 cycle/s depth 3 is best, roots of ms per Mbit (1.732, 2.309); depth 2
    # has (1.354, 2.582): their product 8.308 is below 1.732^2 + 2.309^2 = 8.333, so a mixture may
    # win
    slow = replace(system, capacity=np.full(3, 3e7), server_cpu=np.full(3, 6e11))
    assert best_depth(slow).tolist() == [3, 3, 3]
    assert not uniform_is_optimal(slow).any()


def test_impossible_pairs_and_zero_numerators() -> None:
    system = table_three(2, 3, 2)
    dark = replace(system, gain=np.array([[0.0, 1e-9], [1e-9, 0.0], [0.0, 0.0]]))
    assert np.isinf(dark.send_time[0, 0])
    plan = exact(dark, OFF)
    assert plan.server is not None
    assert plan.server[2] == LOCAL
    assert plan.server[0] != 0
    assert plan.server[1] != 1
    for part in (system.edge_only(), system.cloud_only()):
        best = exact(part, OFF)
        check_point(part, best, OFF)
        assert best.objective == pytest.approx(oracle(part, OFF), rel=1e-6)


def test_wrong_data_is_refused() -> None:
    system = table_three(2, 3, 2)
    with pytest.raises(ValueError, match="shape"):
        replace(system, gain=np.ones((2, 3)))
    with pytest.raises(ValueError, match="max_latency"):
        replace(system, max_latency=np.array([1.0, 0.0, 1.0]))
    with pytest.raises(ValueError, match="noise_power"):
        replace(system, noise_power=0.0)
    with pytest.raises(ValueError, match="finite"):
        replace(system, work=np.array([1.0, -1.0, np.nan]))


def relaxed_by_scipy(system: System, limits: Limits, eps: float) -> float:
    """(27) for x, iota, phi as columns, all rows as printed apart from the corrections, by
    SLSQP.
    """
    tasks, servers, _ = system.shape
    depth = best_depth(system) - 1
    index = np.arange(servers)
    times = np.stack(
        [
            system.send_time,
            system.compute_time[:, index, depth],
            system.forward_time[:, index, depth],
        ],
        axis=2,
    )
    pairs = tasks * servers
    low, high = 1 / (1 + eps), 1 / eps

    def split(z: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        shape = (tasks, servers, 3)
        return (
            z[:pairs].reshape(shape[:2]),
            z[pairs : 4 * pairs].reshape(shape),
            z[4 * pairs :].reshape(shape),
        )

    def rows(z: np.ndarray) -> np.ndarray:
        x, iota, phi = split(z)
        wide = x[:, :, None]
        task = (1 - x.sum(axis=1)) * system.local_latency + (times * phi).sum(axis=(1, 2))
        found = [
            phi - low * wide,
            iota - low - phi + low * wide,
            wide - eps * phi,
            1 - eps * iota - wide + eps * phi,
            1 + tasks * eps - (1 / iota).sum(axis=0),
            1 - x.sum(axis=1),
        ]
        if limits.rate:
            found.append(x - system.rate_share * phi[:, :, 0])
        if limits.latency:
            found.append(system.max_latency - task)
        return np.concatenate([part.ravel() for part in found])

    def cost(z: np.ndarray) -> float:
        x, _, phi = split(z)
        return float(((1 - x.sum(axis=1)) * system.local_latency).sum() + (times * phi).sum())

    x = np.full(pairs, 1 / (2 * servers))
    iota = np.full(3 * pairs, tasks / (1 + tasks * eps))
    start = np.concatenate([x, iota, np.repeat(x, 3) * iota])
    bounds = [(0, 1)] * pairs + [(low, high)] * (3 * pairs) + [(0, high)] * (3 * pairs)
    minimise: Any = optimize.minimize  # its stubs know no mixture of bounds and constraint rows
    found = minimise(
        cost,
        start,
        bounds=bounds,
        constraints=[{"type": "ineq", "fun": rows}],
        method="SLSQP",
        options={"maxiter": 1000, "ftol": 1e-10},
    )
    assert found.success, found.message
    return float(found.fun)


@pytest.mark.slow
@pytest.mark.parametrize("limits", [OFF, Limits()], ids=str)
@pytest.mark.parametrize("eps", [0.3, 0.1])
def test_relaxation_agrees_with_scipy(limits: Limits, eps: float) -> None:
    for seed in range(3):
        system = small_system(seed, 3, 2, 2, patience=2.0, rate=2e6)
        pairs = np.ones((3, 2), dtype=np.bool_)
        found = relax(system, best_depth(system), pairs, limits, eps)
        assert found.value == pytest.approx(relaxed_by_scipy(system, limits, eps), rel=1e-5)
        assert found.residual <= 1e-6


@pytest.mark.parametrize("limits", [OFF, Limits()], ids=str)
def test_relaxation_is_a_lower_bound_at_its_depths(limits: Limits) -> None:
    for seed in range(4):
        system = small_system(seed, 4, 2, 2, patience=2.0)
        optimum = oracle(system, limits, Layers.SEARCHED)
        for eps in (1e-3, 1e-2, 0.3):
            plan = proposed(system, limits, eps=eps)
            if np.isfinite(optimum):
                assert plan.certificate["relaxation_value"] <= optimum * (1 + 1e-7)


def test_small_eps_rounds_to_the_least_unshared_latency() -> None:
    """The relaxation does not see sharing: places by relaxation and by its limit are the same."""
    for seed in range(3):
        system = table_three(seed, 12, 3)
        alone = np.concatenate([system.latency[:, :, 1], system.local_latency[:, None]], axis=1)
        expected = np.where(alone.argmin(axis=1) == 3, LOCAL, alone.argmin(axis=1))
        limit, solved = proposed(system, OFF, Rounding.LIMIT), proposed(system, OFF, eps=1e-4)
        assert limit.server is not None
        assert solved.server is not None
        assert limit.server.tolist() == expected.tolist()
        assert (limit.server == solved.server).mean() >= 0.9


def test_rounding_by_hand() -> None:
    """Less than half: local. Three servers of which none has half: the largest.

    Equal: the lowest number.
    """
    assign = np.array([[0.2, 0.2, 0.0], [0.3, 0.4, 0.3], [0.4, 0.2, 0.4], [0.1, 0.1, 0.1]])
    assert rounded(assign, np.array([1.0, 1.0, 1.0, np.inf])).tolist() == [LOCAL, 1, 0, 0]


def test_infeasible_relaxation_is_reported() -> None:
    plan = proposed(small_system(0, 3, 2, 2, patience=1e-3), Limits())
    assert plan.termination is Termination.NOT_FOUND
    assert "infeasible" in plan.message
    assert plan.server is None


@pytest.mark.parametrize("seed", range(4))
def test_no_heuristic_beats_the_optimum(seed: int) -> None:
    system = small_system(seed, 5, 2, 2)
    optimum = oracle(system, OFF)
    plans = [
        proposed(system, OFF),
        proposed(system, OFF, Rounding.LIMIT),
        rlt0(system, OFF),
        equal(system, OFF),
        nearest(system, OFF),
        nearest(system, OFF, Sharing.OPTIMAL),
        ihra_surrogate(system, OFF),
        eejs_surrogate(system, OFF, 1e-28),
    ]
    for plan in plans:
        assert plan.termination is Termination.FINISHED, plan.label
        check_point(system, plan, OFF)
        assert plan.objective is not None
        assert plan.objective >= optimum * (1 - 1e-9)
    assert plans[3].objective >= plans[0].objective * (1 - 1e-9)  # type: ignore[operator]
    assert plans[4].objective >= plans[5].objective * (1 - 1e-9)  # type: ignore[operator]


def test_feasible_heuristics_keep_the_limits_and_others_say_so() -> None:
    limits = Limits()
    for seed in range(3):
        system = table_three(seed, 12, 2)
        for plan in (
            proposed(system, limits),
            equal(system, limits),
            nearest(system, limits),
            rlt0(system, limits),
        ):
            if plan.server is None or plan.depth is None or plan.shares is None:
                assert plan.message
                continue
            latency = evaluate(system, plan.server, plan.depth, plan.shares)
            assert plan.certificate["latency_excess"] == pytest.approx(
                (latency / system.max_latency).max()
            )
            late = bool(np.any(latency > system.max_latency * (1 + 1e-8)))
            assert late == ("latency limit" in plan.message)


def test_nearest_server_and_equal_shares_by_hand() -> None:
    system = replace(table_three(3, 3, 2), distance=np.array([[1.0, 2.0], [5.0, 5.0], [9.0, 3.0]]))
    plan = nearest(system, OFF)
    assert plan.server is not None
    assert plan.shares is not None
    assert plan.server.tolist() == [0, 0, 1]
    assert plan.shares[:, :, 0].tolist() == [[0.5, 0.0], [0.5, 0.0], [0.0, 1.0]]


def test_one_task_per_server_by_enumeration() -> None:
    """The best of all injective choices of tasks for the servers, each kept only where it saves
    time.
    """
    for seed in range(4):
        system = small_system(700 + seed, 5, 3, 2)
        depth = best_depth(system) - 1
        alone = system.latency[:, np.arange(3), depth]
        saving = np.maximum(system.local_latency[:, None] - alone, 0.0)
        best = max(
            sum(saving[m, n] for n, m in enumerate(chosen)) for chosen in permutations(range(5), 3)
        )
        plan = ihra_surrogate(system, OFF)
        assert plan.objective == pytest.approx(system.local_latency.sum() - best, rel=1e-9)


def test_least_energy_by_hand() -> None:
    """With kappa 0 local is free; with a large one every task leaves for its best rate."""
    system = table_three(4, 6, 2)
    free, dear = eejs_surrogate(system, OFF, 0.0), eejs_surrogate(system, OFF, 1e-20)
    assert free.local.all()
    assert dear.server is not None
    assert dear.server.tolist() == system.rate.argmax(axis=1).tolist()
    with pytest.raises(ValueError, match="kappa"):
        eejs_surrogate(system, OFF, -1.0)


def test_a_load_limit_is_refused_where_the_paper_has_no_rule() -> None:
    system, limits = table_three(5, 4, 2), Limits(load=True)
    for method in (proposed, equal, rlt0, nearest, ihra_surrogate):
        with pytest.raises(ValueError, match="load limit"):
            method(system, limits)
    with pytest.raises(ValueError, match="latency limits"):
        local_search(system, np.random.default_rng(0), Limits())


def test_the_optimum_never_falls_with_fewer_resources() -> None:
    """True of the optimum; the claims of Figs. 4 to 7 about heuristics do not follow from it."""
    system = table_three(6, 12, 2)
    best = exact(system, OFF).objective
    assert best is not None
    for change in ("bandwidth", "server_cpu", "capacity"):
        more = exact(replace(system, **{change: 1.5 * getattr(system, change)}), OFF).objective
        assert more is not None
        assert more <= best * (1 + 2e-6)
    limited = exact(
        replace(system, max_tasks=np.full(2, 6.0)), Limits(False, False, load=True)
    ).objective
    kept = exact(system, Limits()).objective
    assert limited is not None
    assert kept is not None
    assert min(limited, kept) >= best * (1 - 2e-6)


@pytest.mark.slow
@pytest.mark.parametrize("servers", [2, 4])
@pytest.mark.parametrize("limits", [OFF, Limits()], ids=str)
def test_thirty_devices_are_solved_to_the_gap(servers: int, limits: Limits) -> None:
    """Bound and point meet; the bound is checked by local search, which may not get below it."""
    system = table_three(7, 30, servers)
    plan = exact(system, limits)
    assert plan.termination is Termination.OPTIMAL
    check_point(system, plan, limits)
    assert plan.bound is not None
    assert plan.objective is not None
    assert plan.objective - plan.bound <= 1e-6 * plan.objective
    found = local_search(system, np.random.default_rng(1), starts=40)
    assert found.objective is not None
    if limits == OFF:
        assert plan.bound <= found.objective * (1 + 1e-9)
        assert plan.objective <= found.objective * (1 + 1e-6)


def test_latency_factor_is_least_by_enumeration() -> None:
    """The largest eigenvalue of sum v v'/D at the worst server, least over all places and
    depths.
    """
    for seed in range(5):
        system = replace(small_system(seed, 4, 2, 1), max_latency=np.full(4, 0.3))
        limits = Limits(rate=False)
        may_stay = system.local_latency <= system.max_latency
        best = np.inf
        for code in range(3**4):
            place = np.array([code // 3**m % 3 - 1 for m in range(4)])
            if np.any((place == LOCAL) & ~may_stay):
                continue
            worst = 0.0
            for n in range(2):
                v = system.roots()[place == n, n, 0]
                worst = max(worst, float(np.linalg.eigvalsh(v.T @ v / 0.3)[-1]))
            best = min(best, worst)
        found = least_factor(system, limits, Layers.FREE, 10.0)
        assert found is not None
        assert found.bound <= best * (1 + 1e-6)
        assert found.reached == pytest.approx(best, rel=2e-4)
        plan = exact(system, limits)
        assert (plan.termination is Termination.INFEASIBLE) == (best > 1.0)
        if best > 1.0:
            assert plan.certificate["latency_factor"] > 1.0


@pytest.mark.slow
def test_a_time_limit_ends_with_what_is_known() -> None:
    plan = exact(table_three(8, 60, 8), OFF, time_limit=0.0)
    assert plan.termination is Termination.TIME_LIMIT
    assert plan.objective is not None
    assert plan.bound is not None
    assert plan.bound <= plan.objective


def test_every_server_of_the_optimum_is_allocated_optimally() -> None:
    system = table_three(9, 15, 2)
    plan = exact(system, Limits())
    assert plan.server is not None
    assert plan.depth is not None
    total = 0.0
    for n in range(2):
        tasks = np.flatnonzero(plan.server == n)
        cost = allocate(demand_at(system, n, tasks, plan.depth[tasks], Limits())).cost
        assert cost is not None
        total += cost
    assert total + system.local_latency[plan.local].sum() == pytest.approx(
        plan.objective, rel=1e-12
    )
