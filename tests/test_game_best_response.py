"""The arrays of the game and its best responses against plain loops over the paper's formulas."""

import numpy as np
import pytest

from mecdsl.backends.game.best_response import best_values, least_delay, offer, respond
from mecdsl.backends.game.profile import evaluate, faults, work_of
from tests.game_literal import (
    best_response,
    cost,
    delay_and_energy,
    draw_case,
    feasible,
    flat,
    placements,
    profiles,
    random_profile,
    system_of,
)

SHAPES = [([3, 2, 4], 3, 2), ([1, 1, 1], 1, 1), ([2, 5], 2, 1), ([4], 4, 1), ([2, 2, 2, 2], 2, 3)]


@pytest.mark.parametrize(("layers", "slots", "parallel"), SHAPES)
@pytest.mark.parametrize("seed", range(3))
def test_costs_are_those_of_the_paper(
    seed: int, layers: list[int], slots: int, parallel: int
) -> None:
    case = draw_case(seed, layers, slots, parallel, deadline=20.0)
    system = system_of(case)
    random = np.random.default_rng(seed)
    for _ in range(5):
        profile = random_profile(case, random)
        found = evaluate(system, flat(profile))
        for n, places in enumerate(profile):
            delay, energy = delay_and_energy(case, n, places)
            assert found.delay[n] == pytest.approx(delay, rel=1e-12)
            assert found.energy[n] == pytest.approx(energy, rel=1e-12)
            assert found.cost[n] == pytest.approx(cost(case, n, profile), rel=1e-12)


@pytest.mark.parametrize("shared", [False, True])
def test_faults_are_those_of_the_constraints(shared: bool) -> None:
    case = draw_case(4, [2, 3], 2, 1, deadline=2.4)
    system = system_of(case, shared=shared)
    verdicts = set()
    for profile in profiles(case):
        kept = feasible(case, profile, shared=shared)
        assert (not faults(system, flat(profile))) == kept
        verdicts.add(kept)
    assert verdicts == {True, False}
    assert faults(system, np.array([1, 0, 0, 0, 0]))[:1] == ["order"]


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize(("layers", "slots", "parallel"), SHAPES)
@pytest.mark.parametrize("seed", range(4))
def test_best_responses_are_those_of_an_enumeration(
    seed: int, layers: list[int], slots: int, parallel: int, shared: bool
) -> None:
    case = draw_case(seed, layers, slots, parallel, deadline=(2.0, 20.0)[seed % 2])
    case["device"]["deadline"][0] = 20.0
    system = system_of(case, shared=shared)
    random = np.random.default_rng(seed)
    for _ in range(3):
        # the others may miss their deadlines: only their loads matter here
        patient = {**case, "device": {**case["device"], "deadline": [50.0] * len(layers)}}
        profile = random_profile(patient, random, shared=shared)
        work, used = work_of(system, flat(profile))
        for n in range(len(layers)):
            mine = {**patient, "device": {**patient["device"]}}
            mine["device"]["deadline"] = [
                case["device"]["deadline"][k] if k == n else 50.0 for k in range(len(layers))
            ]
            wanted = best_response(mine, n, profile, shared=shared)
            slots_of_n = offer(
                system,
                n,
                work.sum(axis=0) - work[n],
                (used.sum(axis=0) - used[n]).astype(float),
            )
            found = respond(system, n, slots_of_n)
            many = best_values(
                system,
                np.array([n]),
                offer(
                    system,
                    np.array([n]),
                    (work.sum(axis=0) - work[n])[None],
                    (used.sum(axis=0) - used[n]).astype(float)[None],
                ),
            )
            if wanted is None:
                assert found is None
                assert many[0] == np.inf
                continue
            assert found is not None
            assert found.value == pytest.approx(wanted[0], rel=1e-10)
            assert many[0] == pytest.approx(wanted[0], rel=1e-10)
            moved = [*profile[:n], [int(p) for p in found.places], *profile[n + 1 :]]
            assert feasible(mine, moved, shared=shared)
            assert cost(case, n, moved) == pytest.approx(wanted[0], rel=1e-10)
            assert found.cut == sum(p == 0 for p in found.places)


def test_a_price_taker_answers_to_prices_that_stand_still() -> None:
    case = draw_case(7, [4, 3], 3, 2, deadline=20.0)
    system = system_of(case)
    load = np.array([0.1, 0.0, 0.05])
    found = respond(system, 0, offer(system, 0, load, np.zeros(3), own=0.0))
    assert found is not None
    cycles = case["cycle_factor"] * case["server"]["cpu"]
    best = np.inf
    for places in placements(4, 3):
        profile = [places, [0, 0, 0]]
        if not feasible(case, profile):
            continue
        fixed = {**case, "base_price": [], "price_growth": [0.0] * 3}
        for h in range(3):  # the price of the load that stands there, whatever is added
            growth = case["price_growth"][h] / (h + 1)
            fixed["base_price"].append(case["base_price"][h] + growth * cycles * load[h])
        best = min(best, cost(fixed, 0, profile))
    assert found.value == pytest.approx(best, rel=1e-12)


def test_the_least_delay_is_that_of_a_device_alone() -> None:
    case = draw_case(3, [3, 4], 3, 1, deadline=50.0)
    found = least_delay(system_of(case))
    for n, layers in enumerate([3, 4]):
        delays = []
        for places in placements(layers, 3):
            profile = [[0] * 3, [0] * 4]
            profile[n] = places
            if feasible(case, profile):
                delays.append(delay_and_energy(case, n, places)[0])
        assert found[n] == pytest.approx(min(delays), rel=1e-12)
