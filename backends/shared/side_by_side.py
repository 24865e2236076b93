"""Run many pieces of work side by side, each in a process of its own.

They run in forks (`mecdsl.backends.shared.guarded`), as many at a time as there are cores or as was
asked for. Where there is no fork they run one after the other in this process.
"""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Generic, TypeVar

from mecdsl.backends.shared.guarded import GRACE, LATE, POLL, Fork, Guarded, Stop, forked

Answer = TypeVar("Answer")
Work = Callable[[Stop], Answer]


def cores() -> int:
    """The number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def side_by_side(
    works: Sequence[Work[Answer]],
    at_once: int,
    should_stop: Stop,
    time_limit: float | None,
    grace: float = GRACE,
) -> tuple[Guarded[Answer], ...]:
    """The answers in the order of the works; an exception of one is raised here and ends the rest.

    `time_limit` in s, for all together: no work is begun after it, except the first, and what then
    runs on for long is told to stop. The same when `should_stop` turns true. What gives no answer
    within `grace` (in s) of that is ended. Each work should keep to the time that is left itself.
    """
    began = time.perf_counter()

    def reason(late: float = 0.0) -> str:
        if should_stop():
            return "interrupted"
        over = time_limit is not None and time.perf_counter() - began > time_limit + late
        return "time limit" if over else ""

    if not hasattr(os, "fork"):
        return tuple(
            Guarded(None, reason()) if place and reason() else Guarded(work(should_stop))
            for place, work in enumerate(works)
        )
    with ExitStack() as all_forks:
        state = _State[Answer](works, all_forks, {}, {})
        while len(state.found) < len(works):
            told = reason()
            while not told and state.waiting and len(state.running) < max(1, at_once):
                state.begin()
            if told and not state.begun:
                state.begin()
            if reason(LATE):
                state.stop(reason(LATE), grace)
            if told:
                state.give_up_waiting(told)
            state.collect()
        return tuple(state.found[place] for place in range(len(works)))


@dataclass(slots=True)
class _Running(Generic[Answer]):
    """A fork with the block that ends it, and why and until when it was told to stop."""

    fork: Fork[Answer]
    block: ExitStack
    reason: str = ""
    patience: float = float("inf")


@dataclass(slots=True)
class _State(Generic[Answer]):
    """What of the works runs and what is done, by their places; `all_forks` ends what is left."""

    works: Sequence[Work[Answer]]
    all_forks: ExitStack
    running: dict[int, _Running[Answer]]
    found: dict[int, Guarded[Answer]]
    begun: int = 0

    @property
    def waiting(self) -> bool:
        """Whether there are works that were not begun."""
        return self.begun < len(self.works)

    def begin(self) -> None:
        """Begin the next work."""
        block = self.all_forks.enter_context(ExitStack())
        fork = block.enter_context(forked(self.works[self.begun]))
        self.running[self.begun] = _Running(fork, block)
        self.begun += 1

    def stop(self, reason: str, grace: float) -> None:
        """Have everything that runs told to stop, once."""
        for one in self.running.values():
            if not one.reason:
                one.fork.interrupt()
                one.reason, one.patience = reason, time.perf_counter() + grace

    def give_up_waiting(self, reason: str) -> None:
        """Leave out what was not begun."""
        for place in range(self.begun, len(self.works)):
            self.found[place] = Guarded(None, reason)
        self.begun = len(self.works)

    def collect(self) -> None:
        """Wait a little, and take what is there."""
        wait([one.fork.receiver for one in self.running.values()], POLL)
        now = time.perf_counter()
        for place, one in list(self.running.items()):
            if one.fork.done or now > one.patience:
                self.found[place] = one.fork.answer(one.reason)
                one.block.close()
                del self.running[place]
