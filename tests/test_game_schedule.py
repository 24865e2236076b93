"""The global schedule against an enumeration of all machines and orders, and against the text."""

from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest

import mecdsl
from mecdsl.backends.game.chains import Chains, by_list
from mecdsl.backends.game.schedule import global_schedule, vectors_in_order
from mecdsl.solution import Termination
from tests.game_literal import Case, delay_and_energy, draw_case, rates

MODELS = Path(__file__).resolve().parent.parent / "models"


def draw(seed: int, layers: list[int], machines: int) -> Chains:
    """Releases so near each other that tasks wait, and some tasks of no time."""
    random = np.random.default_rng(seed)
    tasks = tuple(random.choice([0.0, 1.0, 2.0, 3.0, 1.7], m) for m in layers)
    release = tuple(np.sort(random.uniform(0, 3, m + 1)) for m in layers)
    for own in release:
        own[-1] += 3.0
    return Chains(
        tasks=tasks,
        release=release,
        download=random.uniform(0, 1, len(layers)),
        machines=machines,
    )


def delays(chains: Chains, cuts: tuple[int, ...], places: dict, order: tuple) -> float:  # type: ignore[type-arg]
    """The sum of all delays if tasks start in this order as early as they can where they are."""
    free = [0.0] * chains.machines
    ready = [float(chains.release[n][cut]) for n, cut in enumerate(cuts)]
    for n, m in order:
        on = places[n, m]
        ready[n] = free[on] = max(free[on], ready[n]) + float(chains.tasks[n][m])
    return sum(
        end + (chains.download[n] if cuts[n] < len(chains.tasks[n]) else 0.0)
        for n, end in enumerate(ready)
    )


def least(chains: Chains) -> float:
    """By all cuts, all orders that keep the chains, and all machines."""
    found = np.inf
    for cuts in product(*(range(len(own) + 1) for own in chains.tasks)):
        tasks = [(n, m) for n, cut in enumerate(cuts) for m in range(cut, len(chains.tasks[n]))]
        orders = [
            order
            for order in permutations(tasks)
            if all(
                order.index((n, m)) < order.index((n, m + 1))
                for n, m in tasks
                if (n, m + 1) in tasks
            )
        ]
        for machines in product(range(chains.machines), repeat=len(tasks)):
            places = dict(zip(tasks, machines, strict=True))
            found = min(found, *(delays(chains, cuts, places, order) for order in orders))
    return found


@pytest.mark.parametrize(
    ("layers", "machines"), [([2, 1, 2], 1), ([2, 2], 1), ([1, 1, 1, 1], 2), ([2, 1, 1], 2)]
)
@pytest.mark.parametrize("seed", range(5))
def test_the_search_finds_the_least_of_all_schedules(
    seed: int, layers: list[int], machines: int
) -> None:
    chains = draw(seed, layers, machines)
    found = global_schedule(chains)
    assert found.termination is Termination.OPTIMAL
    assert found.bound == pytest.approx(found.schedule.total, rel=1e-12)
    assert found.schedule.total == pytest.approx(least(chains), rel=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_alike_devices_cost_nothing_but_symmetry(seed: int) -> None:
    one = draw(seed, [2], 2)
    alike = Chains(
        tasks=one.tasks * 3,
        release=one.release * 3,
        download=np.repeat(one.download, 3),
        machines=1,
    )
    assert global_schedule(alike).schedule.total == pytest.approx(least(alike), rel=1e-12)
    vectors = [cuts for _, cuts in vectors_in_order(alike)]
    assert len(vectors) == len({tuple(sorted(cuts)) for cuts in vectors}) == 10  # 3 of 3, repeated


def test_cut_vectors_come_in_the_order_of_their_bounds() -> None:
    chains = draw(1, [3, 2, 4], 2)
    bounds, vectors = zip(*vectors_in_order(chains), strict=True)
    assert list(bounds) == sorted(bounds)
    assert set(vectors) == set(product(range(4), range(3), range(5)))


def test_a_limit_gives_an_incumbent_and_a_bound_and_no_proof() -> None:
    chains = draw(2, [4, 4, 4, 4], 2)
    best = global_schedule(chains)
    assert best.termination is Termination.OPTIMAL
    short = global_schedule(chains, nodes=3)
    assert short.termination is Termination.ITERATION_LIMIT
    assert short.bound <= best.schedule.total * (1 + 1e-12) <= short.schedule.total * (1 + 1e-12)
    assert short.bound < short.schedule.total


def test_without_machines_all_is_local() -> None:
    chains = draw(3, [2, 3], 0)
    found = global_schedule(chains)
    assert found.schedule.cuts == (2, 3)
    assert found.schedule.total == pytest.approx(sum(own[-1] for own in chains.release))


def test_a_list_starts_nothing_early_and_no_more_than_fits() -> None:
    chains = draw(4, [3, 3], 1)
    schedule = by_list(chains, (0, 0), [0, 1, 0, 1, 0, 1])
    begin = np.concatenate(schedule.start)
    end = begin + np.concatenate(chains.tasks)
    order = np.lexsort((end, begin))
    assert (begin[order][1:] >= end[order][:-1] - 1e-12).all()
    assert all(schedule.start[n][0] >= chains.release[n][0] for n in (0, 1))


def scheduled_case(seed: int) -> Case:
    case = draw_case(seed, [2, 1, 2], 2, 1)
    case["layer.server_time"] = [[0.2, 0.5], [0.4], [0.3, 0.3]]
    return case


@pytest.mark.parametrize("seed", range(3))
def test_highs_on_the_text_agrees_with_the_search(seed: int) -> None:
    model = mecdsl.load(MODELS / "game_schedule.mec", data=scheduled_case(seed))
    searched, solved = model.solve("game-global"), model.solve("highs")
    for result in (searched, solved):
        assert result.verified
        assert result.guarantee.value == "globally optimal"
    assert searched.objective == pytest.approx(solved.objective, rel=1e-6)


def test_the_text_counts_delays_as_the_paper_does() -> None:
    case = scheduled_case(1)
    result = mecdsl.load(MODELS / "game_schedule.mec", data=case).solve("game-global")
    for n, cut in enumerate(result["cut"]):
        layers = case["device"]["layer_count"][n]
        places = [0] * int(cut) + [1] * (layers - int(cut))
        delay, _ = delay_and_energy(case, n, places)
        if cut < layers:
            # without its slot, the time from the release to the end of the last layer
            last = result["layer.start"][sum(case["device"]["layer_count"][: n + 1]) - 1]
            server = case["layer.server_time"][n][-1]
            down = case["layer.output_size"][n][-1] / rates(case, n)[1]
            delay = last + server + down
        assert result["delay"][n] == pytest.approx(delay, rel=1e-9)


def test_alone_a_device_takes_the_cut_of_least_delay() -> None:
    case = draw_case(2, [4], 2, 1)
    result = mecdsl.load(MODELS / "game_schedule.mec", data=case).solve("game-global")
    options = [delay_and_energy(case, 0, [0] * 4)[0]]
    for cut in range(4):
        without_slot = delay_and_energy(case, 0, [0] * cut + [1] * (4 - cut))[0] - 0.15
        options.append(without_slot + sum(case["layer.server_time"][0][cut:]))
    assert result.objective == pytest.approx(min(options), rel=1e-12)
