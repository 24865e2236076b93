"""The best schedule of given cuts, by branch and bound over the order in which tasks start.

Some optimal schedule is that of a list: tasks in the order of their starts, each on the machine
that is free first. A node has begun some of them; two bounds say what the rest comes to at least:
nobody waits any more, and the shortest remaining chains first on machines that are all free, with
all chains ready when the first one is. Where the first bound can be kept, it is the best.
"""

import heapq
from dataclasses import dataclass
from itertools import permutations
from math import factorial
from typing import TypeAlias, TypeVar

from mecdsl.backends.game.chains import Chains

ROUND = 1e-12  # relative; less is rounding
ORDERS = 720  # of whole chains that are tried at first

Number = TypeVar("Number", int, float)
# when a task begins and ends, its number, its chain: what takes no time goes before what does
_Start: TypeAlias = tuple[float, float, int, int]
_Path: TypeAlias = tuple["_Path", int] | None  # the node before, and the chain whose task began


@dataclass(slots=True)
class Budget:
    """How many nodes may still be looked at; `spent` when there are none left."""

    nodes: int

    @property
    def spent(self) -> bool:
        """Whether the search has to end."""
        return self.nodes <= 0


class ListSearch:
    """Chains with given cuts: those that are at the server, and the delays of the others."""

    def __init__(self, chains: Chains, cuts: tuple[int, ...], budget: Budget) -> None:
        self.budget = budget
        self.machines = chains.machines
        here = [n for n, cut in enumerate(cuts) if cut < len(chains.tasks[n])]
        self.devices = here
        self.tasks = [[float(t) for t in chains.tasks[n][cuts[n] :]] for n in here]
        self.release = [float(chains.release[n][cuts[n]]) for n in here]
        gone = set(range(chains.devices)) - set(here)
        # what no order changes: the devices that run all themselves, and the downloads
        self.fixed = sum(float(chains.release[n][-1]) for n in gone)
        self.fixed += sum(float(chains.download[n]) for n in here)
        self.remaining = [_sums_from(own) for own in self.tasks]
        self.total, self.order = float("inf"), list[int]()
        self.twins = self._twins()

    def _twins(self) -> list[int]:
        keys = list(zip(self.tasks, self.release, strict=True))
        return [keys.index(key) for key in keys]

    def bound(self) -> float:
        """Of all orders, before any is tried."""
        return self._bound(_State.first(self))

    def best(self, below: float) -> float:
        """Look for the least sum of all delays that is less than `below`; where there is one, it is
        `total`, and `order` a list of devices that gives it. Returns a proven bound on it, which is
        `total` unless the budget ran out.
        """
        self.total, lowest = below, float("inf")
        self._whole_chains()
        stack: list[tuple[float, _State, _Path]] = [(self.bound(), _State.first(self), None)]
        while stack:
            bound, state, path = stack.pop()
            if bound >= self.total * (1.0 - ROUND):
                continue
            if state.nobody_waits(self):
                self._keep(self.fixed + self._unhindered(state), _walked(path) + state.rest(self))
            elif self.budget.spent:
                lowest = min(lowest, bound)
            else:
                self.budget.nodes -= 1
                stack += self._children(state, path)
        return min(lowest, self.total)

    def _whole_chains(self) -> None:
        """Each chain without a break on one machine, in every order if there are few of them."""
        count = len(self.devices)
        if factorial(min(count, 10)) <= ORDERS:
            orders = list(permutations(range(count)))
        else:
            by_release = sorted(range(count), key=lambda i: self.release[i])
            shortest = sorted(range(count), key=lambda i: self.release[i] + self.remaining[i][0])
            orders = [tuple(by_release), tuple(shortest)]
        for order in orders:
            free, total, starts = [0.0] * self.machines, 0.0, list[_Start]()
            for i in order:
                begin = max(heapq.heappop(free), self.release[i])
                for number, task in enumerate(self.tasks[i]):
                    starts.append((begin, begin + task, number, i))
                    begin += task
                heapq.heappush(free, begin)
                total += begin
            self._keep(self.fixed + total, [i for *_, i in sorted(starts)])

    def _keep(self, total: float, path: list[int]) -> None:
        if total < self.total * (1.0 - ROUND):
            self.total = total
            self.order = [self.devices[i] for i in path]

    def _children(self, state: "_State", path: "_Path") -> list[tuple[float, "_State", "_Path"]]:
        """The nodes after one more task, the most promising last; of chains that are alike and
        equally far only one, and none that starts before the task before it.
        """
        found = list[tuple[float, float, _State, _Path]]()
        seen = set[tuple[int, int, float]]()
        for i, ahead in enumerate(state.ahead):
            key = (self.twins[i], ahead, state.ready[i])
            start = max(state.free[0], state.ready[i])
            if ahead == len(self.tasks[i]) or key in seen or start < state.last:
                continue
            seen.add(key)
            child = state.after(self, i)
            end = start + self.remaining[i][ahead]
            found.append((self._bound(child), end, child, (path, i)))
        found.sort(key=lambda item: (-item[0], -item[1]))
        return [(bound, child, walked) for bound, _, child, walked in found]

    def _bound(self, state: "_State") -> float:
        return self.fixed + max(self._unhindered(state), self._shortest_first(state))

    def _unhindered(self, state: "_State") -> float:
        now = max(state.free[0], state.last)
        return sum(
            ready if ahead == len(self.tasks[i]) else max(ready, now) + self.remaining[i][ahead]
            for i, (ahead, ready) in enumerate(zip(state.ahead, state.ready, strict=True))
        )

    def _shortest_first(self, state: "_State") -> float:
        now, done, works, first = max(state.free[0], state.last), 0.0, list[float](), float("inf")
        for i, (ahead, ready) in enumerate(zip(state.ahead, state.ready, strict=True)):
            if ahead == len(self.tasks[i]):
                done += ready
            else:
                works.append(self.remaining[i][ahead])
                first = min(first, max(ready, now))
        works.sort()
        ends = [first] * self.machines
        for place, work in enumerate(works):  # the shortest ones are spread in turn
            ends[place % self.machines] += work
            done += ends[place % self.machines]
        return done


@dataclass(frozen=True, slots=True)
class _State:
    """Tasks begun: how many of each chain, when its next may start (or it ended), when the machines
    are free, in ascending order, and when the last task began.
    """

    ahead: tuple[int, ...]
    ready: tuple[float, ...]
    free: tuple[float, ...]
    last: float

    @staticmethod
    def first(search: ListSearch) -> "_State":
        count = len(search.tasks)
        return _State(
            (0,) * count,
            tuple(search.release),
            (0.0,) * search.machines,
            0.0,
        )

    def after(self, search: ListSearch, i: int) -> "_State":
        """The state when the next task of a chain has begun."""
        start = max(self.free[0], self.ready[i])
        end = start + search.tasks[i][self.ahead[i]]
        return _State(
            _with(self.ahead, i, self.ahead[i] + 1),
            _with(self.ready, i, end),
            tuple(sorted((*self.free[1:], end))),
            start,
        )

    def nobody_waits(self, search: ListSearch) -> bool:
        """Whether all chains can go on from now, or when they are ready, without a break."""
        now = max(self.free[0], self.last)
        spans = []
        for i, (ahead, ready) in enumerate(zip(self.ahead, self.ready, strict=True)):
            done = ahead == len(search.tasks[i])
            begin = max(ready, now)
            end = ready if done else begin + search.remaining[i][ahead]
            if ready > now and ahead:  # a task of it runs until it is ready
                begin = now
            if end > begin or not done:
                spans.append((begin, end))
        # a chain that takes no time needs a machine for that moment
        return all(
            sum(begin <= at < end or begin == end == at for begin, end in spans) <= search.machines
            for at, _ in spans
        )

    def rest(self, search: ListSearch) -> list[int]:
        """The remaining tasks in the order of their starts where nobody waits."""
        now = max(self.free[0], self.last)
        starts = list[_Start]()
        for i, (ahead, ready) in enumerate(zip(self.ahead, self.ready, strict=True)):
            begin = max(ready, now)
            for number in range(ahead, len(search.tasks[i])):
                end = begin + search.tasks[i][number]
                starts.append((begin, end, number, i))
                begin = end
        return [i for *_, i in sorted(starts)]


def _with(values: tuple[Number, ...], at: int, value: Number) -> tuple[Number, ...]:
    return values[:at] + (value,) + values[at + 1 :]  # noqa: RUF005 - mypy cannot tell the other


def _walked(path: _Path) -> list[int]:
    """The tasks of a node from the first to the last, by chain."""
    found = list[int]()
    while path is not None:
        path, i = path
        found.append(i)
    return found[::-1]


def _sums_from(values: list[float]) -> list[float]:
    found = [0.0]
    for value in reversed(values):
        found.append(found[-1] + value)
    return found[::-1]
