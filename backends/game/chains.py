"""The global schedule, Case 2 of the paper: the data, and schedules by list.

Device n cuts its chain behind layer k; what is left of it is a chain of tasks that is released when
the data are at the server. The server runs at most B tasks at a time, one of a chain at a time, and
interrupts none. What counts is the mean of the delays, the downloads included.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from mecdsl.backends.game.system import Integers, Reals


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Chains:
    """Delays in s of a chain per device: `tasks`, of each layer at the server; `release`, when a
    cut's data are at the server [M + 1], the last one being the whole delay of a device that runs
    all layers itself; `download`. `machines`: B.
    """

    tasks: tuple[Reals, ...]
    release: tuple[Reals, ...]
    download: Reals
    machines: int

    @property
    def devices(self) -> int:
        """N."""
        return len(self.tasks)

    def alone(self, device: int) -> Reals:
        """The delay of each cut without anybody else, inf where there is no machine [M + 1]."""
        work = np.concatenate([np.cumsum(self.tasks[device][::-1])[::-1], [0.0]])
        delay: Reals = self.release[device] + work
        delay[:-1] += self.download[device] if self.machines else np.inf
        return delay

    def alike(self) -> Integers:
        """For each device the first one with the same numbers [N]."""
        keys = [
            (own.tobytes(), release.tobytes(), float(down))
            for own, release, down in zip(self.tasks, self.release, self.download, strict=True)
        ]
        return np.array([keys.index(key) for key in keys], dtype=np.int64)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Schedule:
    """The cut of each device [N], the start of each layer at the server in s, 0 for those on the
    devices, the machine of each, from 0, -1 on the device, and the sum of all delays in s.
    """

    cuts: tuple[int, ...]
    start: tuple[Reals, ...]
    machine: tuple[Integers, ...]
    total: float


def by_list(chains: Chains, cuts: Sequence[int], order: Sequence[int]) -> Schedule:
    """The schedule of a list of devices, one entry for each task: in this order each task goes to
    the machine that is free first, no earlier than its chain is ready.
    """
    start = tuple(np.zeros(len(own)) for own in chains.tasks)
    machine = tuple(np.full(len(own), -1, dtype=np.int64) for own in chains.tasks)
    ready = [float(chains.release[n][cut]) for n, cut in enumerate(cuts)]
    ahead, free = list(cuts), [0.0] * chains.machines
    for n in order:
        on = min(range(chains.machines), key=free.__getitem__)
        begin = max(free[on], ready[n])
        start[n][ahead[n]], machine[n][ahead[n]] = begin, on
        ready[n] = free[on] = begin + float(chains.tasks[n][ahead[n]])
        ahead[n] += 1
    total = sum(
        end + (float(chains.download[n]) if cuts[n] < len(chains.tasks[n]) else 0.0)
        for n, end in enumerate(ready)
    )
    return Schedule(cuts=tuple(cuts), start=start, machine=machine, total=total)
