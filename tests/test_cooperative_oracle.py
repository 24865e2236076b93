"""The exact method of cooperative computing against enumeration of all places and depths.

The oracle prices every subset of tasks at every server, with every choice of depths, and combines
the servers by dynamic programming over subsets. A server's cost is (sum sqrt A)^2 + (sum sqrt B)^2
+ (sum sqrt C)^2 by Cauchy-Schwarz where the shares that attain it keep C9 and C10; else SciPy
solves the convex problem in the logarithms of the shares.
"""

from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy import optimize

from mecdsl.backends.cooperative.depths import uniform_is_optimal
from mecdsl.backends.cooperative.exact import exact
from mecdsl.backends.cooperative.search import local_search
from mecdsl.backends.cooperative.system import LOCAL, Layers, Limits, Plan, Reals, System, evaluate
from mecdsl.solution import Termination

OFF = Limits(rate=False, latency=False)
FORMS = [Limits(rate, latency, load) for rate, latency, load in product((False, True), repeat=3)]


def small_system(
    seed: int,
    tasks: int,
    servers: int,
    layers: int,
    patience: float = 1.0,
    rate: float = 1e6,
    room: float | None = None,
) -> System:
    """Table III with a sixth of the resources, so that few tasks compete; depths near the
    break-even of (21).
    """
    random = np.random.default_rng(seed)
    # work that grows about as fast as forwarding falls: mixed depths can win
    ratio = np.sort(random.uniform(0.1, 0.6, (servers, layers)))[:, ::-1]
    work = np.sort(random.uniform(300, 3000, (servers, layers)))
    return System(
        task_size=random.uniform(1e6, 1e7, tasks),
        min_rate=rate * random.uniform(0.5, 1.5, tasks),
        max_latency=patience * random.uniform(1.0, 2.0, tasks),
        power=np.full(tasks, 0.6),
        cpu=random.choice([2e9, 4e9], tasks) * 2,
        work=random.uniform(500, 4000, tasks),
        bandwidth=random.uniform(1e6, 2e6, servers),
        server_cpu=random.choice([6e11, 8e11], servers) / 6,
        capacity=random.uniform(1e7, 3e7, servers),
        max_tasks=np.full(servers, float(tasks) if room is None else room),
        gain=10.0 ** random.uniform(-10, -8, (tasks, servers)),
        distance=random.uniform(10, 100, (tasks, servers)),
        output_ratio=ratio,
        cumulative_work=work,
        noise_power=1e-14,
    )


def primal(times: Reals, limit: Reals, floor: Reals) -> float:
    """Least sum of latencies of tasks with unshared times [P, 3] at one server, in s; infinite
    where infeasible.
    """
    if floor.sum() > 1.0:
        return np.inf
    count = len(times)
    roots = np.sqrt(times)
    totals = np.maximum(roots.sum(axis=0), 1e-300)
    shares = roots / totals
    latency = roots @ totals
    if np.all(latency <= limit) and np.all(shares[:, 0] >= floor):
        return float((totals**2).sum())
    return in_logarithms(times, limit, floor, count)


def in_logarithms(times: Reals, limit: Reals, floor: Reals, count: int) -> float:
    """The convex problem in the logarithms of the shares: first the least factor on the limits,
    then the cost.
    """
    bounds = [
        (np.log(max(f, 1e-6)) if j == 0 else np.log(1e-6), 0.0) for f in floor for j in range(3)
    ]
    budget = {
        "type": "ineq",
        "fun": lambda z: 1.0 - np.exp(z[: 3 * count].reshape(count, 3)).sum(axis=0),
        "jac": lambda z: np.hstack(
            [
                -(np.tile(np.eye(3), count) * np.exp(z[: 3 * count])),
                np.zeros((3, len(z) - 3 * count)),
            ]
        ),
    }
    rows = np.repeat(np.eye(count), 3, axis=1)

    def latency(z: Reals) -> Reals:
        found: Reals = (times * np.exp(-z[: 3 * count].reshape(count, 3))).sum(axis=1)
        return found

    def slope(z: Reals) -> Reals:
        found: Reals = -rows * (times.ravel() * np.exp(-z[: 3 * count]))
        return found

    start = np.full((count, 3), -np.log(count))
    start[:, 0] = np.log(floor + (1.0 - floor.sum()) / count)
    minimise: Any = optimize.minimize  # its stubs know no mixture of bounds and constraint rows
    options = {"maxiter": 400, "ftol": 1e-13}
    point = start.ravel()
    if np.isfinite(limit).all():
        ratio = {
            "type": "ineq",
            "fun": lambda z: z[-1] - latency(z) / limit,
            "jac": lambda z: np.hstack([-slope(z) / limit[:, None], np.ones((count, 1))]),
        }
        begin = np.append(point, (latency(point) / limit).max() * 1.01)
        unit = np.append(np.zeros(3 * count), 1.0)
        least = minimise(
            lambda z: z[-1],
            begin,
            jac=lambda z: unit,
            bounds=[*bounds, (0.0, None)],
            constraints=[budget, ratio],
            method="SLSQP",
            options=options,
        )
        assert abs(least.x[-1] - 1.0) > 1e-6, "too close to call"
        if least.x[-1] > 1.0:
            return np.inf
        point = least.x[:-1]
    constraints = [budget]
    if np.isfinite(limit).all():
        constraints.append(
            {"type": "ineq", "fun": lambda z: limit - latency(z), "jac": lambda z: -slope(z)}
        )
    best = minimise(
        lambda z: latency(z).sum(),
        point,
        jac=lambda z: slope(z).sum(axis=0),
        bounds=bounds,
        constraints=constraints,
        method="SLSQP",
        options=options,
    )
    assert best.status in (0, 8), best.message  # 8: no further descent, at the optimum to rounding
    return float(best.fun)


def server_costs(system: System, n: int, limits: Limits, depths: list[int]) -> Reals:
    """Least cost of server n for every subset of tasks (bit m: task m), over all choices of
    depths.
    """
    tasks = system.shape[0]
    costs = np.full(2**tasks, np.inf)
    for subset in range(2**tasks):
        members = [m for m in range(tasks) if subset >> m & 1]
        if limits.load and len(members) > system.max_tasks[n]:
            continue
        limit = system.max_latency[members] if limits.latency else np.full(len(members), np.inf)
        floor = system.rate_share[members, n] if limits.rate else np.zeros(len(members))
        for layer in product(depths, repeat=len(members)):
            times = np.array(
                [
                    [
                        system.send_time[m, n],
                        system.compute_time[m, n, k],
                        system.forward_time[m, n, k],
                    ]
                    for m, k in zip(members, layer, strict=True)
                ]
            ).reshape(-1, 3)
            # without limits a server costs at least the plain square: no need for a solver where
            # that is too much
            if (np.sqrt(times).sum(axis=0) ** 2).sum() < costs[subset]:
                costs[subset] = min(costs[subset], primal(times, limit, floor))
    return costs


def oracle(system: System, limits: Limits, layers: Layers = Layers.FREE) -> float:
    """The optimum of (19) in s, infinite where infeasible."""
    tasks, servers, depth_count = system.shape
    late = (
        system.local_latency > system.max_latency if limits.latency else np.zeros(tasks, dtype=bool)
    )
    local = np.where(late, np.inf, system.local_latency)
    best = np.array(
        [sum(local[m] for m in range(tasks) if s >> m & 1) for s in range(2**tasks)], dtype=float
    )
    for n in range(servers):
        depths = list(range(depth_count))
        if layers is Layers.SEARCHED:
            per_bit = (
                system.cumulative_work[n] / system.server_cpu[n]
                + system.output_ratio[n] / system.capacity[n]
            )
            depths = [int(np.argmin(per_bit))]
        costs = server_costs(system, n, limits, depths)
        combined = np.full(2**tasks, np.inf)
        for subset in range(2**tasks):
            part = subset
            while True:
                combined[subset] = min(combined[subset], costs[part] + best[subset ^ part])
                if part == 0:
                    break
                part = (part - 1) & subset
        best = combined
    return float(best[-1])


def check_point(system: System, plan: Plan, limits: Limits) -> None:
    """Every constraint of (19) and the objective, recomputed."""
    assert plan.server is not None
    assert plan.depth is not None
    assert plan.shares is not None
    assert plan.objective is not None
    latency = evaluate(system, plan.server, plan.depth, plan.shares)
    assert latency.sum() == pytest.approx(plan.objective, rel=1e-12)
    assert np.all(plan.shares.sum(axis=0) <= 1 + 1e-12)
    assert np.all(plan.shares >= 0)
    away = plan.server != LOCAL
    here = plan.server[:, None] == np.arange(system.shape[1])
    assert np.all(plan.shares[~here] == 0)
    assert np.all(plan.depth[away] >= 1)
    assert np.all(plan.depth[~away] == 0)
    if limits.latency:
        assert np.all(latency <= system.max_latency * (1 + 1e-8))
    if limits.rate:
        rates = (plan.shares[:, :, 0] * system.rate)[here]
        assert np.all(rates >= system.min_rate[away] * (1 - 1e-8))
    if limits.load:
        assert np.all(here.sum(axis=0) <= system.max_tasks)


def agree(system: System, limits: Limits, layers: Layers = Layers.FREE) -> Plan:
    found, expected = exact(system, limits, layers), oracle(system, limits, layers)
    if np.isinf(expected):
        assert found.termination is Termination.INFEASIBLE
        assert found.server is None
        return found
    assert found.termination is Termination.OPTIMAL, found.message
    assert found.objective == pytest.approx(expected, rel=2e-6)
    assert found.bound is not None
    assert found.objective is not None
    assert found.bound <= expected * (1 + 1e-9)
    assert found.objective - found.bound <= 1e-6 * found.objective
    check_point(system, found, limits)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("limits", FORMS, ids=str)
@pytest.mark.parametrize("seed", range(3))
def test_every_form_agrees_with_enumeration(limits: Limits, seed: int) -> None:
    agree(small_system(seed, 4, 2, 2, patience=1.2, rate=2e6, room=2.0), limits)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tasks", "servers", "layers"),
    [(1, 1, 1), (1, 3, 3), (5, 1, 2), (6, 2, 1), (6, 3, 1), (5, 3, 2), (4, 2, 3)],
)
def test_every_size_agrees_with_enumeration_without_limits(
    tasks: int, servers: int, layers: int
) -> None:
    for seed in range(4):
        agree(small_system(100 + seed, tasks, servers, layers), OFF)
        agree(
            small_system(100 + seed, tasks, servers, layers, room=1.0),
            Limits(False, False, load=True),
        )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("tasks", "servers", "layers"), [(1, 1, 1), (5, 1, 1), (5, 2, 1), (3, 3, 2), (3, 2, 3)]
)
@pytest.mark.parametrize("patience", [0.6, 1.0, 1.6])
def test_tight_latency_limits_agree_with_enumeration(
    tasks: int, servers: int, layers: int, patience: float
) -> None:
    for seed in range(3):
        agree(small_system(200 + seed, tasks, servers, layers, patience), Limits(rate=False))


@pytest.mark.slow
@pytest.mark.parametrize("rate", [3e6, 6e6])
def test_binding_least_rates_agree_with_enumeration(rate: float) -> None:
    for seed in range(5):
        system = small_system(300 + seed, 5, 2, 1, patience=2.0, rate=rate)
        agree(system, Limits(rate=True, latency=False))
        agree(system, Limits(rate=True, latency=True))


@pytest.mark.slow
@pytest.mark.parametrize("limits", [OFF, Limits()], ids=str)
def test_searched_layers_agree_with_enumeration(limits: Limits) -> None:
    for seed in range(4):
        system = small_system(400 + seed, 4, 2, 3, patience=1.5)
        searched, free = agree(system, limits, Layers.SEARCHED), agree(system, limits)
        if searched.objective is not None and free.objective is not None:
            assert free.objective <= searched.objective * (1 + 1e-6)


def test_mixed_depths_are_found_where_they_win() -> None:
    """One server, two equal tasks of 1 Mbit, work 1 and 4 s, forwarding 4 and 1 s at depths 1 and
    2, free sending.

    Both at one depth: (1 + 1)^2 + (2 + 2)^2 = 20 s. One each: (1 + 2)^2 + (2 + 1)^2 = 18 s.
    """
    system = System(
        task_size=np.full(2, 1e6),
        min_rate=np.zeros(2),
        max_latency=np.full(2, 99.0),
        power=np.ones(2),
        cpu=np.ones(2),
        work=np.ones(2),
        bandwidth=np.array([1e15]),
        server_cpu=np.array([1e6]),
        capacity=np.array([1e6]),
        max_tasks=np.array([2.0]),
        gain=np.ones((2, 1)),
        distance=np.ones((2, 1)),
        output_ratio=np.array([[4.0, 1.0]]),
        cumulative_work=np.array([[1.0, 4.0]]),
        noise_power=1.0,
    )
    assert not uniform_is_optimal(system)[0]
    mixed, uniform = exact(system, OFF), exact(system, OFF, Layers.SEARCHED)
    assert mixed.objective == pytest.approx(18.0, rel=1e-6)
    assert uniform.objective == pytest.approx(20.0, rel=1e-6)


def test_one_depth_suffices_where_the_test_says_so() -> None:
    """Where `uniform_is_optimal` holds, enumeration over all depths finds nothing better than the
    depth of (21).
    """
    said = 0
    for seed in range(12):
        system = small_system(500 + seed, 3, 1, 3, patience=1.5, rate=2e6)
        if uniform_is_optimal(system).all():
            said += 1
            for limits in (OFF, Limits()):
                assert oracle(system, limits, Layers.SEARCHED) == pytest.approx(
                    oracle(system, limits), rel=1e-7
                )
    assert said >= 2


def test_no_tasks_and_no_servers() -> None:
    nothing = exact(small_system(0, 0, 2, 2), Limits())
    assert nothing.termination is Termination.OPTIMAL
    assert nothing.objective == 0.0
    alone = small_system(0, 3, 0, 2)
    found = exact(alone, OFF)
    assert found.objective == pytest.approx((alone.task_size * alone.work / alone.cpu).sum())
    assert (
        exact(small_system(0, 3, 0, 2, patience=1e-3), Limits()).termination
        is Termination.INFEASIBLE
    )


def test_local_search_keeps_the_load_limit_and_comes_close() -> None:
    """A feasible plan, never below the optimum, on most of these sizes equal to it."""
    equal = 0
    for seed in range(6):
        for limits, room in ((OFF, None), (Limits(False, False, load=True), 2.0)):
            system = small_system(600 + seed, 5, 2, 2, room=room)
            found = local_search(system, np.random.default_rng(seed), limits)
            check_point(system, found, limits)
            assert found.objective is not None
            optimum = oracle(system, limits)
            assert optimum * (1 - 1e-9) <= found.objective <= optimum * 1.02
            equal += found.objective <= optimum * (1 + 1e-9)
    assert equal >= 10
