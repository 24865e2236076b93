"""How long an equilibrium of the game takes, and how much memory: AlexNet on every device, 5 slots.

    uv run python -m tests.benchmarks.game [--devices 5 100 1000] [--method cai] [--seed 1]

Data are those of `models/game.mec`, but straight as arrays, and bandwidths and speeds differ from
device to device. As devices become more, as many more share a slot (half of them), and the
price grows the less with the load, so that a slot costs about the same however many play.
"""

import argparse
import resource
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mecdsl.backends.game.clocks import Rules, clocks
from mecdsl.backends.game.plans import Plan
from mecdsl.backends.game.profile import evaluate, faults
from mecdsl.backends.game.round_robin import round_robin
from mecdsl.backends.game.system import System
from tests.game_alexnet import rows

SLOTS = 5
METHODS: dict[str, Callable[[System], Plan]] = {
    "round-robin": round_robin,
    "cai": lambda system: clocks(system, Rules(), "Algorithm 1", 1),
}


def draw(devices: int, seed: int, share: float = 0.5) -> System:
    """A game of many; `share`: of the devices may use one slot."""
    random = np.random.default_rng(seed)
    layers = np.array(list(rows()))
    slower, bandwidth = random.uniform(0.2, 1.0, devices), random.uniform(3e4, 3e5, devices)
    same = {
        "input_size": 32.0 * 227 * 227 * 3,
        "transmit_power": 4.0,
        "compute_power": 4.05,
        "deadline": 5.0,
        "delay_weight": 0.95,
        "energy_weight": 0.049,
        "price_weight": 0.001,
        "delay_cost": 3400.0,
        "energy_cost": 3400.0,
    }
    arrays: dict[str, Any] = {name: np.full(devices, number) for name, number in same.items()}
    return System(
        layer_count=np.full(devices, len(layers)),
        local_time=np.outer(slower, layers[:, 1] / 1e3).ravel(),
        server_time=np.tile(layers[:, 2] / 1e3, devices),
        output_size=np.tile(layers[:, 3], devices),
        **arrays,
        upload_rate=bandwidth * np.log2(1 + 4.0 * 1.2e15 / bandwidth),
        download_rate=bandwidth * np.log2(1 + 10.0 * 1.2e15 / bandwidth),
        base_price=np.full(SLOTS, 1e-6),
        price_growth=np.full(SLOTS, 2e-12 * 5 / devices),
        frame_time=0.75,
        parallel_limit=max(1, int(share * devices)),
        cycle_factor=1.0,
        server_cpu=3.4e9,
    )


def line(devices: int, method: str, seed: int, share: float) -> str:
    """One game, played to its end."""
    started = time.perf_counter()
    system = draw(devices, seed, share)
    drawn = time.perf_counter()
    plan = METHODS[method](system)
    ended = time.perf_counter()
    assert plan.places is not None
    assert not faults(system, plan.places)
    found, numbers = evaluate(system, plan.places), plan.certificate
    full = int((found.used.sum(axis=0) == system.parallel_limit).sum())
    unit = 2**20 if sys.platform == "darwin" else 2**10
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    rounds = numbers.get("rounds", numbers.get("ticks", np.nan))
    return (
        f"{devices:7}  {np.count_nonzero(found.last_slot):7}  {full:4}  {rounds:6.0f}"
        f"  {numbers['moves']:6.0f}  {numbers['epsilon']:7.1e}  {drawn - started:7.2f}"
        f"  {ended - drawn:7.2f}  {memory:10.0f}"
    )


def main(words: Sequence[str] | None = None) -> None:
    """Play and print one line for each number of devices."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--devices", type=int, nargs="+", default=[5, 100, 1000])
    parser.add_argument("--method", choices=METHODS, default="round-robin")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--share", type=float, default=0.5, help="of the devices in one slot")
    asked = parser.parse_args(words)
    print(
        "devices  offload  full  rounds   moves  epsilon   draw s   play s  memory MiB"
        "    (full: slots that hold as many devices as may be)"
    )
    for devices in asked.devices:
        print(line(devices, asked.method, asked.seed, asked.share), flush=True)


if __name__ == "__main__":
    main()
