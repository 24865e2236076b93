"""The algorithms of the game: equilibria by plain loops, starts, and who cannot be helped."""

import numpy as np
import pytest

from mecdsl.backends.game.alone import alone
from mecdsl.backends.game.baselines import expected_delay, local, random_offload
from mecdsl.backends.game.clocks import Pricing, Rules, Stop, Update, clocks
from mecdsl.backends.game.counting import draw
from mecdsl.backends.game.equilibria import enumerate_equilibria, own_placements
from mecdsl.backends.game.feasibility import feasible_places
from mecdsl.backends.game.gains import gains
from mecdsl.backends.game.marginal import marginal
from mecdsl.backends.game.profile import faults
from mecdsl.backends.game.round_robin import round_robin
from mecdsl.backends.game.starts import first_profile, random_profile
from mecdsl.backends.game.system import System
from mecdsl.solution import Termination
from tests.game_literal import (
    Case,
    Profile,
    best_response,
    cost,
    delay_and_energy,
    draw_case,
    feasible,
    placements,
    profiles,
    system_of,
)
from tests.game_literal import (
    random_profile as tried_profile,
)


def nested(case: Case, places: np.ndarray) -> Profile:
    ends = np.cumsum(case["device"]["layer_count"])[:-1]
    return [[int(p) for p in part] for part in np.split(places, ends)]


def largest_gain(case: Case, profile: Profile, *, shared: bool = False) -> float:
    """Epsilon of a feasible profile, by enumeration."""
    found = 0.0
    for n in range(len(profile)):
        best = best_response(case, n, profile, shared=shared)
        assert best is not None
        found = max(found, cost(case, n, profile) - best[0])
    return found


def total(case: Case, profile: Profile) -> float:
    return sum(cost(case, n, profile) for n in range(len(profile)))


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_round_robin_ends_in_an_equilibrium(seed: int, shared: bool) -> None:
    case = draw_case(seed, [3, 2, 3], 2, 2, deadline=10.0)
    plan = round_robin(system_of(case, shared=shared))
    assert plan.termination is Termination.FINISHED
    assert plan.places is not None
    profile = nested(case, plan.places)
    assert feasible(case, profile, shared=shared)
    assert largest_gain(case, profile, shared=shared) <= 1e-9 * total(case, profile)
    assert plan.certificate["epsilon"] <= 1e-9 * total(case, profile)
    assert plan.objective == pytest.approx(total(case, profile), rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_gains_are_those_of_an_enumeration(seed: int) -> None:
    case = draw_case(seed, [3, 2, 3], 2, 2, deadline=10.0)
    random = np.random.default_rng(seed)
    for _ in range(3):
        profile = tried_profile(case, random)
        found = gains(system_of(case), np.concatenate(profile))
        wanted = []
        for n in range(3):
            best = best_response(case, n, profile)
            assert best is not None
            wanted.append(cost(case, n, profile) - best[0])
        assert found.gain == pytest.approx(wanted, rel=1e-9, abs=1e-9)
        assert found.epsilon == pytest.approx(max(wanted), rel=1e-9, abs=1e-9)


def crowded(deadline: float) -> System:
    """Three devices that must offload, into two slots for one device each, and then for more."""
    case = draw_case(2, [2, 2, 2], 2, 1, deadline=50.0)
    case["device"]["deadline"] = [deadline] * 3
    case["layer.local_time"] = [[5.0, 5.0]] * 3
    case["layer.server_time"] = [[0.05, 0.06]] * 3
    case["device"]["input_size"] = [1e5] * 3
    case["layer.output_size"] = [[1e5, 1e4]] * 3
    return system_of(case)


def test_who_cannot_be_in_time_alone_is_named_with_its_least_delay() -> None:
    system = crowded(0.1)
    plan = round_robin(system)
    assert plan.termination is Termination.INFEASIBLE
    assert plan.places is None
    assert plan.message.startswith("`in_time[")
    assert "its deadline is 0.1 s, and 2 others miss theirs" in plan.message


def test_who_cannot_be_in_time_together_is_told_so() -> None:
    plan = round_robin(crowded(2.0))
    assert plan.termination is Termination.INFEASIBLE
    assert "3 devices cannot keep `in_time` together beside `parallel`" in plan.message


def test_a_programme_finds_what_insertion_misses() -> None:
    # The first takes the early slot, which it likes better, and the second could only have that.
    case = draw_case(2, [1, 1], 2, 1, deadline=50.0)
    case["layer.local_time"] = [[9.0], [9.0]]
    case["layer.server_time"] = [[0.05], [0.05]]
    case["base_price"], case["price_growth"] = [0.0, 0.0], [0.0, 0.0]
    # without its slots the second takes as long as this, and may wait for one slot and no more
    alone_delay = delay_and_energy(case, 1, [1])[0] - 0.15
    case["device"]["deadline"] = [5.0, alone_delay + 0.2]
    system = system_of(case)
    start = first_profile(system)
    assert not isinstance(start, str)
    assert start.tolist() == [2, 1]
    assert not faults(system, start)


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("seed", range(12))
def test_the_programme_finds_a_profile_where_there_is_one(seed: int, shared: bool) -> None:
    case = draw_case(seed, [2, 3], 2, 1 + seed % 2, deadline=2.2)
    case["device"]["deadline"] = [d * (0.5 + 0.1 * (seed % 5)) for d in (2.2, 2.0)]
    wanted = any(
        feasible(case, profile, shared=shared) and all(p[-1] > 0 for p in profile)
        for profile in profiles(case)
    )
    local_too = any(feasible(case, profile, shared=shared) for profile in profiles(case))
    system = system_of(case, shared=shared)
    found = feasible_places(system, np.array([0, 1]))
    assert (found is not None) == local_too
    del wanted


@pytest.mark.parametrize("pricing", [Pricing.ANTICIPATE, Pricing.TAKER])
@pytest.mark.parametrize("seed", range(4))
def test_algorithm_1_reports_its_true_distance_from_an_equilibrium(
    seed: int, pricing: Pricing
) -> None:
    case = draw_case(seed, [2, 2, 3], 2, 2, deadline=10.0)
    plan = clocks(system_of(case), Rules(pricing=pricing, ticks=200), "Algorithm 1", seed)
    assert plan.places is not None
    profile = nested(case, plan.places)
    assert feasible(case, profile)
    assert plan.certificate["epsilon"] == pytest.approx(
        largest_gain(case, profile), rel=1e-9, abs=1e-8
    )
    if pricing is Pricing.ANTICIPATE:
        assert plan.termination is Termination.FINISHED
        assert plan.certificate["epsilon"] <= 1e-9 * total(case, profile)


def test_the_printed_stop_ends_where_somebody_could_gain() -> None:
    """With few awake the mean cost stands still in a tick in which nobody woke."""
    case = draw_case(1, [3, 3, 3], 3, 2, deadline=10.0)
    rules = Rules(stop=Stop.MEAN_CHANGE, wake_probability=0.05)
    plans = [clocks(system_of(case), rules, "Algorithm 1", seed) for seed in range(10)]
    assert any(plan.certificate["epsilon"] > 1.0 for plan in plans)


def test_all_at_once_may_end_outside_of_the_constraints() -> None:
    case = draw_case(3, [1, 1], 1, 1, deadline=50.0)
    case["layer.local_time"], case["layer.server_time"] = [[9.0], [9.0]], [[0.05], [0.05]]
    case["base_price"], case["price_growth"] = [0.0], [0.0]
    # both take the slot, both leave it, both take it
    rules = Rules(update=Update.SIMULTANEOUS, wake_probability=1.0, ticks=3)
    endings = {clocks(system_of(case), rules, "Algorithm 1", seed).message for seed in range(20)}
    assert (
        "has not settled in 3 ticks; the devices ended in a profile that breaks `parallel`"
        in endings
    )
    rules = Rules(wake_probability=1.0, ticks=3)
    assert {clocks(system_of(case), rules, "Algorithm 1", seed).message for seed in range(20)} == {
        ""
    }


def test_random_profiles_are_spread_evenly() -> None:
    case = draw_case(6, [3], 2, 1, deadline=20.0)
    every = [p for p in placements(3, 2) if feasible(case, [p])]
    random, system = np.random.default_rng(0), system_of(case)
    counts = dict.fromkeys(map(tuple, every), 0)
    for _ in range(200 * len(every)):
        drawn = draw(system, 0, np.zeros(2), np.zeros(2, dtype=np.int64), random)
        assert drawn is not None
        counts[tuple(drawn.tolist())] += 1
    squares = sum((count - 200) ** 2 / 200 for count in counts.values())
    assert squares < 3 * len(every)  # chi-square; twice the mean is past all doubt here


@pytest.mark.parametrize("seed", range(5))
def test_random_starts_keep_the_constraints(seed: int) -> None:
    case = draw_case(seed, [3, 2, 3, 1], 2, 1, deadline=20.0)
    start = random_profile(system_of(case), np.random.default_rng(seed))
    assert not isinstance(start, str)
    assert feasible(case, nested(case, start))


@pytest.mark.parametrize("seed", range(5))
def test_marginal_prices_come_near_the_social_optimum(seed: int) -> None:
    case = draw_case(seed, [2, 2, 2], 2, 2, deadline=10.0)
    plan = marginal(system_of(case), seed=seed)
    assert plan.places is not None
    least = min(total(case, p) for p in profiles(case) if feasible(case, p))
    assert plan.objective is not None
    assert least * (1 - 1e-9) <= plan.objective <= 1.02 * least


def test_one_device_is_answered_exactly() -> None:
    case = draw_case(9, [5], 3, 1, deadline=4.0)
    plan = alone(system_of(case))
    best = best_response(case, 0, [[0] * 5])
    assert best is not None
    assert plan.termination is Termination.OPTIMAL
    assert plan.objective == pytest.approx(best[0], rel=1e-12)
    with pytest.raises(ValueError, match="one device"):
        alone(system_of(draw_case(9, [1, 1], 1, 1)))


def test_the_mean_of_random_offloading_is_that_of_all_ways() -> None:
    case = draw_case(8, [4, 3], 3, 1, deadline=0.5)
    case["layer.server_time"] = [[0.05, 0.07, 0.04, 0.1], [0.0, 0.14, 0.02]]
    slot = case["frame_time"] / 3
    means = []
    for n, layers in enumerate([4, 3]):
        ways = [
            p
            for p in placements(layers, 3)
            if p[0] > 0
            and all(
                sum(t for t, q in zip(case["layer.server_time"][n], p, strict=True) if q == h)
                <= slot
                for h in (1, 2, 3)
            )
        ]
        means.append(np.mean([delay_and_energy(case, n, p)[0] for p in ways]))
    system = system_of(case)
    assert expected_delay(system) == pytest.approx(means, rel=1e-12)
    plan = random_offload(system, 0)
    assert plan.certificate["expected_mean_delay"] == pytest.approx(np.mean(means), rel=1e-12)
    assert plan.places is not None
    assert (plan.places > 0).all()


def test_a_layer_that_fits_no_slot_cannot_be_offloaded_at_random() -> None:
    case = draw_case(8, [2], 2, 1)
    case["layer.server_time"] = [[0.01, 0.2]]
    plan = random_offload(system_of(case), 0)
    assert plan.places is None
    assert "device 1 cannot offload everything" in plan.message


def test_all_local_says_who_is_late() -> None:
    case = draw_case(8, [2], 2, 1, deadline=50.0)
    plan = local(system_of(case))
    assert plan.objective == pytest.approx(cost(case, 0, [[0, 0]]), rel=1e-12)
    case["device"]["deadline"] = [0.01]
    assert "`in_time[1]`: all layers on the device take" in local(system_of(case)).message


def test_the_census_is_that_of_plain_loops() -> None:
    for shared in (False, True):
        case = draw_case(11, [2, 3], 2, 1, deadline=2.6)
        census = enumerate_equilibria(system_of(case, shared=shared))
        kept = [p for p in profiles(case) if feasible(case, p, shared=shared)]
        assert census.feasible.sum() == len(kept)
        assert census.optimum == pytest.approx(min(total(case, p) for p in kept), rel=1e-12)
        resting = [
            total(case, p)
            for p in kept
            if largest_gain(case, p, shared=shared) <= 1e-9 * total(case, p)
        ]
        assert census.equilibria == len(resting)
        assert census.price_of_anarchy == pytest.approx(max(resting) / census.optimum)
        assert census.price_of_stability == pytest.approx(min(resting) / census.optimum)


def test_own_placements_are_all_that_keep_a_device_own_constraints() -> None:
    case = draw_case(12, [4], 3, 1, deadline=2.2)
    found = own_placements(system_of(case), 0).tolist()
    wanted = [p for p in placements(4, 3) if feasible(case, [p])]
    assert sorted(found) == sorted(wanted)
