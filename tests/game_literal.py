"""The paper's game by plain loops over its formulas, and small random instances of it.

An instance is the object of a data file of `models/game.mec`; a profile is a list with the places
of the layers for each device.
"""

from collections.abc import Iterator
from itertools import combinations_with_replacement, product
from math import log2
from typing import Any

import numpy as np

from mecdsl.backends.game.system import OF_DEVICES, System

Case = dict[str, Any]  # as JSON has it
Profile = list[list[int]]

ATTRIBUTES = tuple(name for name in OF_DEVICES if not name.endswith("_rate"))


def draw_case(
    seed: int,
    layers: list[int],
    slots: int,
    parallel: int,
    *,
    deadline: float = 3.0,
    gamma: float | None = None,
) -> Case:
    """Numbers near those of the paper; some layers fit no slot, some take no time at all."""
    random = np.random.default_rng(seed)
    n = len(layers)

    def draws(low: float, high: float) -> list[float]:
        return [float(x) for x in random.uniform(low, high, n)]

    def of_layers(low: float, high: float) -> list[list[float]]:
        return [[float(x) for x in random.uniform(low, high, m)] for m in layers]

    server_time = [
        [0.0 if random.random() < 0.1 else x for x in row] for row in of_layers(0.02, 0.16)
    ]
    price_weight = draws(0.0005, 0.004) if gamma is None else [gamma] * n
    return {
        "device_count": n,
        "slot_count": slots,
        "frame_time": 0.15 * slots,
        "parallel_limit": parallel,
        "cycle_factor": 1.5,
        "base_price": [float(x) for x in random.uniform(0, 2e-6, slots)],
        "price_growth": [float(x) for x in random.uniform(0, 4e-11, slots)],
        "server": {"cpu": 3.4e9, "transmit_power": 1.0},
        "device": {
            "layer_count": layers,
            "input_size": draws(1e6, 4e6),
            "transmit_power": draws(1.0, 4.0),
            "compute_power": draws(2.0, 5.0),
            "deadline": draws(0.7 * deadline, deadline),
            "delay_weight": draws(0.3, 0.9),
            "energy_weight": draws(0.01, 0.1),
            "price_weight": price_weight,
            "delay_cost": draws(2000.0, 4000.0),
            "energy_cost": draws(2000.0, 4000.0),
        },
        "radio": {
            "bandwidth": draws(1e5, 4e5),
            "gain": draws(1e5, 2e6),
            "noise_density": [1e-9] * n,
        },
        "layer.local_time": of_layers(0.1, 1.2),
        "layer.server_time": server_time,
        "layer.output_size": of_layers(1e4, 3e6),
    }


def rates(case: Case, n: int) -> tuple[float, float]:
    """(9) and (11)."""
    radio = {name: values[n] for name, values in case["radio"].items()}
    noise = radio["bandwidth"] * radio["noise_density"]
    up = case["device"]["transmit_power"][n] * radio["gain"] / noise
    down = case["server"]["transmit_power"] * radio["gain"] / noise
    return radio["bandwidth"] * log2(1 + up), radio["bandwidth"] * log2(1 + down)


def delay_and_energy(case: Case, n: int, places: list[int]) -> tuple[float, float]:
    """(24) and (25), with nothing sent by who runs all layers."""
    device = {name: values[n] for name, values in case["device"].items()}
    up, down = rates(case, n)
    cut = sum(1 for place in places if place == 0)
    local = sum(case["layer.local_time"][n][m] for m in range(cut))
    output = case["layer.output_size"][n]
    upload = download = 0.0
    if cut < len(places):
        upload = (device["input_size"] if cut == 0 else output[cut - 1]) / up
        download = output[-1] / down
    slot = case["frame_time"] / case["slot_count"]
    delay = local + upload + download + places[-1] * slot
    return delay, device["compute_power"] * local + device["transmit_power"] * upload


def work(case: Case, n: int, places: list[int], h: int) -> float:
    """w[n, h]."""
    mine: list[float] = case["layer.server_time"][n]
    return sum(mine[m] for m, place in enumerate(places) if place == h)


def cost(case: Case, n: int, profile: Profile) -> float:
    """(23), by (19) to (22)."""
    device = {name: values[n] for name, values in case["device"].items()}
    delay, energy = delay_and_energy(case, n, profile[n])
    cycles = case["cycle_factor"] * case["server"]["cpu"]
    payment = 0.0
    for h in range(1, case["slot_count"] + 1):
        load = sum(work(case, k, places, h) for k, places in enumerate(profile))
        price = case["base_price"][h - 1] + case["price_growth"][h - 1] / h * cycles * load
        payment += price * cycles * work(case, n, profile[n], h)
    return float(
        device["delay_weight"] * device["delay_cost"] * delay
        + device["energy_weight"] * device["energy_cost"] * energy
        + device["price_weight"] * payment
    )


def placements(layers: int, slots: int) -> Iterator[list[int]]:
    """All that keep (15) and (16)."""
    return (list(places) for places in combinations_with_replacement(range(slots + 1), layers))


def feasible(case: Case, profile: Profile, *, shared: bool = False) -> bool:
    """(17) for each device or, if `shared`, as printed, (26) and (27)."""
    slot = case["frame_time"] / case["slot_count"] + 1e-12
    for n, places in enumerate(profile):
        if delay_and_energy(case, n, places)[0] > case["device"]["deadline"][n] + 1e-12:
            return False
    for h in range(1, case["slot_count"] + 1):
        loads = [work(case, n, places, h) for n, places in enumerate(profile)]
        if (sum(loads) if shared else max(loads)) > slot:
            return False
        if sum(h in places for places in profile) > case["parallel_limit"]:
            return False
    return True


def profiles(case: Case) -> Iterator[Profile]:
    """All that keep (15) and (16)."""
    every = (placements(m, case["slot_count"]) for m in case["device"]["layer_count"])
    return (list(profile) for profile in product(*every))


def best_response(
    case: Case, n: int, profile: Profile, *, shared: bool = False
) -> tuple[float, list[int]] | None:
    """The least cost of n, the others staying, and one placement that has it."""
    best = None
    for places in placements(case["device"]["layer_count"][n], case["slot_count"]):
        moved = [*profile[:n], places, *profile[n + 1 :]]
        if feasible(case, moved, shared=shared):
            value = cost(case, n, moved)
            if best is None or value < best[0]:
                best = value, places
    return best


def system_of(case: Case, *, shared: bool = False) -> System:
    """The same data as the algorithms have them."""
    up, down = zip(*(rates(case, n) for n in range(case["device_count"])), strict=True)
    return System(
        layer_count=np.array(case["device"]["layer_count"]),
        **{name: np.array(case["device"][name]) for name in ATTRIBUTES},
        upload_rate=np.array(up),
        download_rate=np.array(down),
        **{
            name: np.concatenate(case[f"layer.{name}"])
            for name in ("local_time", "server_time", "output_size")
        },
        base_price=np.array(case["base_price"]),
        price_growth=np.array(case["price_growth"]),
        frame_time=case["frame_time"],
        parallel_limit=case["parallel_limit"],
        cycle_factor=case["cycle_factor"],
        server_cpu=case["server"]["cpu"],
        shared_slots=shared,
    )


def flat(profile: Profile) -> np.ndarray:
    """A profile as the algorithms have it."""
    return np.concatenate([np.array(places, dtype=np.int64) for places in profile])


def random_profile(case: Case, random: np.random.Generator, *, shared: bool = False) -> Profile:
    """A feasible profile, by trying; the instances are such that one is found soon."""
    while True:
        profile = [
            sorted(int(p) for p in random.integers(0, case["slot_count"] + 1, m))
            if random.random() < 0.8
            else [0] * m
            for m in case["device"]["layer_count"]
        ]
        if feasible(case, profile, shared=shared):
            return profile
