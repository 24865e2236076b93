"""Split inference over NOMA: local search over the subchannels, `improved`.

Starts are the rounded shares of Li-GD at cut 1 (not with form `oma`, for which there is no (22)),
the greedy assignment and random scores. From each, moves of one user and swaps of two users of an
access point are tried one after the other and taken as soon as one lowers the cost after polish.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mecdsl.backends.noma.assignment import candidates, greedy_channels, rounded
from mecdsl.backends.noma.ligd import Loop, loop_over_cuts
from mecdsl.backends.noma.plans import planned
from mecdsl.backends.noma.polish import Finished, Polish
from mecdsl.backends.noma.system import NONE, Form, Integers, Plan, System
from mecdsl.backends.shared.record import Record

LABEL = "noma-improved: moves and swaps from several starts"
ROUNDS = 5
RANDOM = 3  # starts
LEAST = 1e-9  # relative gain that counts

Channels = tuple[Integers, Integers]


@dataclass(slots=True, eq=False)
class _Search:
    """The polish, the clock and what was done so far."""

    polish: Polish
    deadline: float
    record: Record
    tried: int = 0

    @property
    def late(self) -> bool:
        return time.perf_counter() >= self.deadline


def improved(system: System, form: Form, seed: int = 0, time_limit: float | None = None) -> Plan:
    """The best end of the searches from all starts.

    An iteration is a start or a step that gained; certificate: `starts`, `tried` (points polished),
    `steps` (that gained). `time_limit` in s is looked at between two points.
    """
    record = Record(first=0)
    deadline = np.inf if time_limit is None else record.began + time_limit
    search = _Search(Polish(system, form), deadline, record)
    best: Finished | None = None
    begun = 0
    for channels in _starts(system, form, seed):
        if best is not None and search.late:
            break
        begun += 1
        found = _descend(search, channels)
        best = found if best is None or found.cost < best.cost else best
    assert best is not None
    numbers = {"starts": begun, "tried": search.tried, "steps": len(record.steps) - begun}
    counts = {name: float(number) for name, number in numbers.items()}
    late = "stopped at the time limit" if search.late else ""
    return planned(
        system, form, best, LABEL, certificate=counts, iterations=record.steps, message=late
    )


def _starts(system: System, form: Form, seed: int) -> Iterator[Channels]:
    yield greedy_channels(system, candidates(system, form))
    if not form.oma:
        looped = loop_over_cuts(system, form.silent, Loop(first_cut=1, last_cut=1), Record())
        parts = looped.relaxed.parts(looped.best.x)
        yield rounded(system, form, (parts[0], parts[2]))
    draw = np.random.default_rng(seed)
    for _ in range(RANDOM):
        up, down = draw.uniform(size=(2, *system.shape[1:]))
        yield rounded(system, form, (up, down))


def _descend(search: _Search, channels: Channels) -> Finished:
    """First improvements from a start until a round brings none."""
    held = [channels[0].copy(), channels[1].copy()]
    found = search.polish.finish((held[0], held[1]))
    search.tried += 1
    search.record.note(found.cost, note="start")
    for _ in range(ROUNDS):
        before = found.cost
        for way in (0, 1):
            found = _sweep(search, held, way, found)
        if search.late or not found.cost < before * (1.0 - LEAST):
            break
    return found


def _sweep(search: _Search, held: list[Integers], way: int, found: Finished) -> Finished:
    """All moves and swaps on one link once, each from the best so far."""
    for changed in _neighbours(search.polish.system, held[way]):
        if search.late:
            break
        tried = [*held]
        tried[way] = changed
        powers = found.decisions.up_power, found.decisions.down_power
        end = search.polish.finish((tried[0], tried[1]), powers)
        search.tried += 1
        if end.cost < found.cost * (1.0 - LEAST):
            found = end
            held[way][:] = changed
            search.record.note(found.cost, note=("uplink", "downlink")[way])
    return found


def _neighbours(system: System, channel: Integers) -> Iterator[Integers]:
    """The subchannels after each move that keeps K and each swap; `channel` may change between
    two.
    """
    users, subchannels = system.shape[1:]
    for i in range(users):
        if channel[i] == NONE:
            continue
        for m in range(subchannels):
            others = (channel == m) & (system.home == system.home[i])
            if channel[i] != m and others.sum() < system.users_per_subchannel_max:
                moved = channel.copy()
                moved[i] = m
                yield moved
        for j in np.flatnonzero(system.home[:i] == system.home[i]):
            if NONE != channel[j] != channel[i]:
                swapped = channel.copy()
                swapped[i], swapped[j] = channel[j], channel[i]
                yield swapped
