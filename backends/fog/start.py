"""Fog nodes: rows and layer times strictly inside the domain of (31), or the proof that there are
none.
"""

from dataclasses import dataclass

from mecdsl.backends.fog.latency import Fastest, fastest, shortest_deadline, shortest_times
from mecdsl.backends.fog.system import Reals, System

_ROOMY = 0.7  # of the deadline; where simple rows need less, they are the start


@dataclass(frozen=True, slots=True, eq=False)
class Start:
    """`rows` [K] and `times` t_n in s [N], or None; `fastest`, where the linear programme was
    solved.
    """

    rows: Reals | None
    times: Reals | None
    fastest: Fastest | None = None


def start(system: System, rows: Reals | None = None) -> Start:
    """A start: rows in proportion to speed, near the deadline the fastest rows moved towards them;
    or `rows` as given.

    No rows in the answer mean that the smallest deadline is not below the latency, see `fastest`.
    """
    if rows is not None:
        return _given(system, rows)
    simple = 1.0 / system.row_time.sum(axis=1)
    simple *= system.input_rows / simple.sum()
    needed = shortest_deadline(system, simple)
    if needed <= _ROOMY * system.latency:
        return Start(simple, spread(system, simple))
    best = fastest(system)
    if not best.deadline < system.latency:
        return Start(None, None, best)
    # the time is convex in the rows: this uses at most half of what is left above the smallest
    # deadline
    above = max(needed - best.deadline, 1e-12 * needed)
    step = min(0.5, 0.5 * (system.latency - best.deadline) / above)
    mixed = (1.0 - step) * best.rows + step * simple
    return Start(mixed, spread(system, mixed), best)


def spread(system: System, rows: Reals, kept: float = 0.3) -> Reals:
    """Layer times in s [N]: the shortest and, in proportion, the time left but for the part `kept`
    for distribution.
    """
    shortest = shortest_times(system, rows)
    left = system.latency - shortest_deadline(system, rows)
    result: Reals = shortest * (1.0 + (1.0 - kept) * left / shortest.sum())
    return result


def _given(system: System, rows: Reals) -> Start:
    if shortest_deadline(system, rows) < system.latency:
        return Start(rows, spread(system, rows))
    return Start(None, None, fastest(system, rows))
