"""What is true of the game: its potential, its equilibria, and what they cost."""

from itertools import pairwise

import numpy as np
import pytest

from mecdsl.backends.game.clocks import Pricing, Rules, clocks
from mecdsl.backends.game.equilibria import enumerate_equilibria
from mecdsl.backends.game.marginal import marginal_offer
from mecdsl.backends.game.profile import evaluate
from mecdsl.backends.game.system import System
from mecdsl.backends.game.table import Table
from mecdsl.solution import Termination
from tests.game_literal import (
    Case,
    cost,
    draw_case,
    feasible,
    flat,
    placements,
    random_profile,
    system_of,
)


@pytest.mark.parametrize("seed", range(5))
def test_a_move_changes_the_potential_by_the_change_of_the_cost_over_the_weight(seed: int) -> None:
    case = draw_case(seed, [3, 4, 2], 3, 3, deadline=50.0)
    system, random = system_of(case), np.random.default_rng(seed)
    for _ in range(20):
        profile = random_profile(case, random)
        n = int(random.integers(3))
        moved = random_profile(case, random)
        moved = [moved[k] if k == n else profile[k] for k in range(3)]
        change = cost(case, n, moved) - cost(case, n, profile)
        before, after = evaluate(system, flat(profile)), evaluate(system, flat(moved))
        rise = case["device"]["price_weight"][n] * (after.potential - before.potential)
        assert rise == pytest.approx(change, rel=1e-9, abs=1e-6)


def potentials(system: System) -> tuple[np.ndarray, np.ndarray]:
    """Potential of every feasible profile, and whether it is an equilibrium."""
    census = enumerate_equilibria(system)
    at = [tuple(int(i) for i in index) for index in np.argwhere(census.feasible)]
    phi = np.array([evaluate(system, census.profile(index)).potential for index in at])
    return phi, np.array([census.resting[index] for index in at])


@pytest.mark.parametrize("parallel", [1, 2, 3])
@pytest.mark.parametrize("seed", range(3))
def test_the_least_potential_is_an_equilibrium(seed: int, parallel: int) -> None:
    system = system_of(draw_case(seed, [2, 2, 1], 2, parallel, deadline=10.0))
    phi, resting = potentials(system)
    assert resting[phi.argmin()]


@pytest.mark.parametrize("parallel", [1, 2, 3])
@pytest.mark.parametrize("seed", range(6))
def test_the_price_of_stability_is_within_its_bound(seed: int, parallel: int) -> None:
    case = draw_case(seed, [2, 2, 2], 2, parallel, deadline=10.0, gamma=0.003)
    census = enumerate_equilibria(system_of(case))
    sharers = min(3, parallel)
    assert census.equilibria > 0
    assert census.price_of_stability <= 2 * sharers / (sharers + 1) + 1e-9


def two_rivals(ratio: float) -> Case:
    """One slot for one of two devices with one layer each, of local times t and r t."""
    case = draw_case(0, [1, 1], 1, 1, deadline=1e9, gamma=0.001)
    case["layer.local_time"] = [[1.0], [ratio]]
    case["layer.server_time"] = [[1e-3], [1e-3]]
    case["layer.output_size"] = [[1e3], [1e3]]
    case["device"]["input_size"] = [1e3, 1e3]
    case["frame_time"] = 0.01
    for name in ("delay_weight", "energy_weight", "delay_cost", "energy_cost", "compute_power"):
        case["device"][name] = [case["device"][name][0]] * 2
    return case


def test_the_price_of_anarchy_grows_with_the_wealth_of_who_came_late() -> None:
    ratios = (10.0, 100.0, 1000.0)
    prices = [
        enumerate_equilibria(system_of(two_rivals(ratio))).price_of_anarchy for ratio in ratios
    ]
    assert all(later > 5 * earlier for earlier, later in pairwise(prices))


@pytest.mark.parametrize("seed", range(4))
def test_without_shared_limits_anarchy_stays_below_its_bound(seed: int) -> None:
    case = draw_case(seed, [2, 2, 2], 2, 3, deadline=1e3, gamma=0.003)
    census = enumerate_equilibria(system_of(case))
    assert census.price_of_anarchy <= (3 + np.sqrt(5)) / 2


@pytest.mark.parametrize("seed", range(4))
def test_marginal_prices_charge_what_a_move_costs_everybody(seed: int) -> None:
    case = draw_case(seed, [3, 2, 3], 2, 3, deadline=50.0)
    system, random = system_of(case), np.random.default_rng(seed)
    profile = random_profile(case, random)
    for n in range(3):
        at_first = Table(system, flat(profile))
        slots = marginal_offer(at_first, n)
        changes, totals = [], []
        for places in placements(len(profile[n]), 2):
            moved = [*profile[:n], places, *profile[n + 1 :]]
            if feasible(case, moved):
                changes.append(Table(system, flat(moved)).value(n, slots))
                totals.append(sum(cost(case, k, moved) for k in range(3)))
        apart = np.array(totals) - np.array(changes)
        assert apart == pytest.approx(np.full(len(apart), apart[0]), rel=1e-9)


def runs(system: System, rules: Rules) -> list[list[int]]:
    plans = [clocks(system, rules, "", seed) for seed in range(5)]
    return [plan.places.tolist() for plan in plans if plan.places is not None]


@pytest.mark.parametrize(("devices", "neighbours"), [(3, 2), (4, 3), (2, 2)])
@pytest.mark.parametrize("pricing", [Pricing.ANTICIPATE, Pricing.TAKER])
@pytest.mark.slow
def test_estimates_from_everybody_are_what_the_server_says(
    devices: int, neighbours: int, pricing: Pricing
) -> None:
    system = system_of(draw_case(3, [2] * devices, 2, devices, deadline=10.0))
    seen = Rules(pricing=pricing, ticks=50)
    guessed = Rules(pricing=pricing, ticks=50, neighbours=neighbours)
    assert runs(system, seen) == runs(system, guessed)


@pytest.mark.parametrize("seed", range(6))
def test_substituted_estimates_on_a_ring_always_settle(seed: int) -> None:
    system = system_of(draw_case(seed, [3] * 6, 3, 4, deadline=10.0))
    rules = Rules(pricing=Pricing.SUBSTITUTE, neighbours=2)
    assert clocks(system, rules, "", seed).termination is Termination.FINISHED


def test_guessed_loads_rest_away_from_an_equilibrium() -> None:
    case = draw_case(5, [3] * 6, 3, 4, deadline=10.0)
    case["price_growth"] = [1e-10] * 3
    system, rules = system_of(case), Rules(neighbours=2)
    plans = [clocks(system, rules, "", seed) for seed in range(5)]
    assert {plan.termination for plan in plans} == {Termination.FINISHED}
    assert max(plan.certificate["epsilon"] for plan in plans) > 1.0


@pytest.mark.parametrize("seed", range(3))
def test_alone_equilibrium_and_optimum_are_one(seed: int) -> None:
    census = enumerate_equilibria(system_of(draw_case(seed, [4], 3, 1, deadline=10.0)))
    assert census.price_of_anarchy == pytest.approx(1.0, rel=1e-8)


def test_alike_devices_have_several_equilibria() -> None:
    case = draw_case(0, [1, 1], 2, 1, deadline=50.0, gamma=0.001)
    case["layer.local_time"], case["layer.server_time"] = [[9.0]] * 2, [[0.05]] * 2
    for values in case["device"].values():
        values[1] = values[0]
    assert enumerate_equilibria(system_of(case)).equilibria >= 2
