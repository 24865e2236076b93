"""Settings of the claims of the game's paper, and what its four cases come to in them."""

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import mecdsl
from mecdsl.backends.game.baselines import expected_delay
from mecdsl.backends.game.chains import Chains, by_list
from mecdsl.backends.game.clocks import Rules, clocks
from mecdsl.backends.game.plans import Plan
from mecdsl.backends.game.profile import Evaluation, evaluate
from mecdsl.backends.game.recognise import Recognised, recognise
from mecdsl.backends.game.schedule import Scheduled, global_schedule
from mecdsl.backends.game.starts import must_offload
from mecdsl.backends.game.system import System

MODEL = Path(__file__).resolve().parents[2] / "models" / "game.mec"
Weights = tuple[float, float, float]
DELAY: Weights = (0.95, 0.049, 0.001)  # Fig. 6, 8, 10
ENERGY: Weights = (0.049, 0.95, 0.001)  # Fig. 9
FIG_5: Weights = (0.42, 0.17, 0.41)
FIG_7: Weights = (0.1, 0.75, 0.15)
RING = Rules(neighbours=2, ticks=500)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A setting: what each device runs, the band in Hz, the three weights, all prices times
    `price_scale` or as `printed`, the deadline in s, and B.
    """

    networks: tuple[str, ...] = ("alexnet",) * 5
    bandwidth: float = 100e3
    weights: Weights = DELAY
    price_scale: float = 1.0
    printed: bool = False
    deadline: float = 5.0
    parallel: int = 4

    def data(self) -> dict[str, Any]:
        """The same as a data file of `models/game.mec`."""
        count = len(self.networks)
        found: dict[str, Any] = {
            "device_count": count,
            "parallel_limit": self.parallel,
            "base_price": [1e-6 * self.price_scale] * 5,
            "price_growth": [2e-12 * self.price_scale] * 5,
            "device.network": list(self.networks),
            "device.deadline": [self.deadline] * count,
            "radio.bandwidth": [self.bandwidth] * count,
        }
        for name, weight in zip(("delay", "energy", "price"), self.weights, strict=True):
            found[f"device.{name}_weight"] = [weight] * count
        if self.printed:
            found |= {"base_price": [1.0] * 5, "price_growth": [2.0] * 5, "cycle_factor": 2000.0}
            found["server.cpu"] = 3400.0
        return found


@cache
def system_of(case: Case) -> System:
    """The data of a setting as the algorithms have them."""
    recognised = recognise(mecdsl.load(MODEL, data=case.data()).instance())
    assert isinstance(recognised, Recognised)
    return recognised.system


@cache
def played(case: Case, seed: int, rules: Rules = RING) -> Plan:
    """Case 1, by Algorithm 2 with two neighbours unless said otherwise."""
    return clocks(system_of(case), rules, "", seed)


def outcome(case: Case, seed: int, rules: Rules = RING) -> Evaluation | None:
    """What Case 1 ends in; None where no profile is feasible."""
    plan = played(case, seed, rules)
    return None if plan.places is None else evaluate(system_of(case), plan.places)


def chains_of(system: System) -> Chains:
    """The same devices without slots and prices."""
    tasks, release, download = [], [], np.empty(system.devices)
    for n in range(system.devices):
        download[n] = system.output_size[system.layers_of(n)][-1] / system.download_rate[n]
        arrival = system.cut_delay[system.cuts_of(n)].copy()
        arrival[:-1] -= download[n]
        tasks.append(system.server_time[system.layers_of(n)])
        release.append(arrival)
    return Chains(
        tasks=tuple(tasks),
        release=tuple(release),
        download=download,
        machines=system.parallel_limit,
    )


def scheduled(case: Case) -> Scheduled:
    """Case 2, which knows neither prices nor weights nor deadlines."""
    return _scheduled(replace(case, price_scale=1.0, printed=False, weights=DELAY, deadline=1.0))


@cache
def _scheduled(case: Case) -> Scheduled:
    return global_schedule(chains_of(system_of(case)), nodes=20_000)


def schedule_energy(case: Case) -> float:
    """The mean energy of Case 2 in J."""
    system = system_of(case)
    at = system.first_cut[:-1] + np.array(scheduled(case).schedule.cuts)
    return float(system.cut_energy[at].mean())


def offloaded_delay(case: Case) -> float:
    """The mean delay of Case 3 in s, over all ways into slots; inf where a layer fits none."""
    return float(expected_delay(system_of(case)).mean())


def listed_delay(case: Case, seed: int, lists: int = 20) -> float:
    """The mean delay of Case 3 without slots: tasks in random order on B machines."""
    chains, random = chains_of(system_of(case)), np.random.default_rng(seed)
    everything = np.repeat(np.arange(chains.devices), [len(own) for own in chains.tasks])
    totals = [
        by_list(chains, (0,) * chains.devices, random.permutation(everything).tolist()).total
        for _ in range(lists)
    ]
    return float(np.mean(totals)) / chains.devices


def offloaded_energy(case: Case) -> float:
    """The mean energy of Case 3 in J."""
    system = system_of(case)
    return float(system.cut_energy[system.first_cut[:-1]].mean())


def local_delay_and_energy(case: Case) -> tuple[float, float]:
    """Case 4, in s and J, whatever the deadlines."""
    system = system_of(case)
    at = system.first_cut[1:] - 1
    return float(system.cut_delay[at].mean()), float(system.cut_energy[at].mean())


def late_alone(case: Case) -> bool:
    """Whether somebody misses the deadline with all layers on the device."""
    return bool(must_offload(system_of(case)).any())
