"""The global schedule (Case 2 of the paper), exactly: cut vectors from the best on, each with its
best schedule.

Without contention the delays of cuts add up, so that cut vectors come in the order of a bound; the
search ends when that bound has reached the best schedule found.
"""

import heapq
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np

from mecdsl.backends.game.chains import Chains, Schedule, by_list
from mecdsl.backends.game.list_search import ROUND, Budget, ListSearch
from mecdsl.solution import Iteration, Termination

NODES = 200_000


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Scheduled:
    """What the search found: `schedule`, and `bound` on the sum of all delays in s."""

    termination: Termination
    schedule: Schedule
    bound: float
    certificate: Mapping[str, float] = field(default_factory=dict)
    iterations: tuple[Iteration, ...] = ()


def global_schedule(
    chains: Chains, *, nodes: int = NODES, time_limit: float | None = None
) -> Scheduled:
    """The least sum of all delays; at a limit the best schedule so far with a proven bound."""
    started = time.perf_counter()
    end = np.inf if time_limit is None else started + time_limit
    layers = tuple(len(own) for own in chains.tasks)
    best = by_list(chains, layers, [])
    budget, steps, vectors = Budget(nodes), list[Iteration](), 0
    lowest, termination = np.inf, Termination.OPTIMAL
    for bound, cuts in vectors_in_order(chains):
        if bound >= best.total * (1.0 - ROUND):
            break
        if budget.spent or time.perf_counter() > end:
            lowest = min(lowest, bound)
            late = time.perf_counter() > end
            termination = Termination.TIME_LIMIT if late else Termination.ITERATION_LIMIT
            break
        vectors += 1
        search = ListSearch(chains, cuts, budget)
        if search.bound() >= best.total * (1.0 - ROUND):
            continue
        proven = search.best(best.total)
        if search.order or search.total < best.total:
            best = by_list(chains, cuts, search.order)
            seconds = time.perf_counter() - started
            steps.append(
                Iteration(number=vectors, objective=best.total, bound=bound, seconds=seconds)
            )
        if proven < best.total * (1.0 - ROUND):
            lowest, termination = min(lowest, proven), Termination.ITERATION_LIMIT
    return Scheduled(
        termination=termination,
        schedule=best,
        bound=min(lowest, best.total),
        certificate={"cut_vectors": float(vectors), "nodes": float(nodes - budget.nodes)},
        iterations=tuple(steps),
    )


def vectors_in_order(chains: Chains) -> Iterator[tuple[float, tuple[int, ...]]]:
    """All cut vectors with the sum of the delays of devices that are alone, in ascending order;
    of devices that are alike only one order of their cuts.
    """
    delays = [chains.alone(n) for n in range(chains.devices)]
    ranks = [np.argsort(delay, kind="stable") for delay in delays]
    twins = chains.alike()
    before = [
        max((k for k in range(n) if twins[k] == twins[n]), default=-1) for n in range(len(twins))
    ]
    first = (0,) * chains.devices

    def entry(vector: tuple[int, ...]) -> tuple[float, tuple[int, ...]]:
        return sum(float(delays[n][ranks[n][r]]) for n, r in enumerate(vector)), vector

    heap, seen = [entry(first)], {first}
    while heap:
        bound, vector = heapq.heappop(heap)
        yield bound, tuple(int(ranks[n][r]) for n, r in enumerate(vector))
        for n, rank in enumerate(vector):
            longer = (*vector[:n], rank + 1, *vector[n + 1 :])
            after = next((k for k in range(n + 1, len(vector)) if before[k] == n), None)
            # of alike devices the later ones have the higher ranks
            sorted_still = after is None or longer[after] >= rank + 1
            if rank + 1 < len(ranks[n]) and sorted_still and longer not in seen:
                seen.add(longer)
                heapq.heappush(heap, entry(longer))
