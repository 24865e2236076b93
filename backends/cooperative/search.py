"""Cooperative computing: `local_search` on the square form, without C9 and C10; the load limit is
kept.

Source: `mecdsl.backends.cooperative.system`. With optimal shares a server that runs tasks with
roots v costs |s|^2, s = sum v, so adding v costs |s + v|^2 - |s|^2: every move is priced in O(1),
and all of them in a few array operations.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from mecdsl.backends.cooperative.depths import options
from mecdsl.backends.cooperative.pa import allocated
from mecdsl.backends.cooperative.system import (
    LOCAL,
    Flags,
    Integers,
    Layers,
    Limits,
    Plan,
    Reals,
    System,
)
from mecdsl.backends.shared.record import Record
from mecdsl.solution import Iteration, Termination

BETTER = 1e-12  # relative gain below which a move is rounding noise


class Kind(Enum):
    """Where a descent starts."""

    CHEAPEST = "cheapest place for each task in turn"
    LOCAL = "all local"
    RANDOM = "random"


_KINDS = (Kind.CHEAPEST, Kind.LOCAL, Kind.RANDOM)


@dataclass(frozen=True, slots=True, eq=False)
class Square:
    """The square form: `roots` [M, N, K, 3], `allowed` [M, N, K], `local` D_m [M] (infinite: may
    not), `room` [N].
    """

    roots: Reals
    allowed: Flags
    local: Reals
    room: Reals

    def totals(self, server: Integers, depth: Integers) -> Reals:
        """s of each server, [N, 3]."""
        totals = np.zeros((self.roots.shape[1], 3))
        away = np.flatnonzero(server != LOCAL)
        np.add.at(totals, server[away], self.roots[away, server[away], depth[away] - 1])
        return totals

    def cost(self, server: Integers, depth: Integers) -> float:
        """The objective in s."""
        local = self.local[server == LOCAL]
        return float(local.sum() + (self.totals(server, depth) ** 2).sum())


def square_form(system: System, limits: Limits, layers: Layers) -> Square:
    """The square form with the pairs that may be chosen; C9 and C10 only as far as they forbid a
    task alone.
    """
    allowed = options(system, limits, layers)
    local = np.where(system.possible_local(limits), system.local_latency, np.inf)
    tasks = len(local)
    room = (
        np.minimum(np.floor(system.max_tasks), tasks)
        if limits.load
        else np.full(len(system.bandwidth), tasks)
    )
    return Square(system.roots(), allowed, local, room.astype(np.float64))


def local_search(
    system: System,
    generator: np.random.Generator,
    limits: Limits | None = None,
    layers: Layers = Layers.FREE,
    starts: int = 20,
) -> Plan:
    """Best of several descents: best single move (other server, other depth, local), then best swap
    of two tasks.

    C9 and C10 must be off, raises ValueError. The first descent starts from the cheapest place for
    each task in turn, the second with all tasks local that may, the others from random places. An
    iteration is one descent.
    """
    limits = limits if limits is not None else Limits(rate=False, latency=False)
    if limits.rate or limits.latency:
        raise ValueError("the square form has neither least rates nor latency limits")
    label = "cooperative-local-search: moves and swaps on the square form"
    found = search(square_form(system, limits, layers), generator, starts)
    if found is None:
        return Plan(Termination.NOT_FOUND, label, message="no start found a place for every task")
    server, depth, steps = found
    return allocated(
        system,
        limits,
        server=server,
        depth=depth,
        label=label,
        certificate={"descents": float(len(steps))},
        bound=None,
        steps=steps,
    )


def search(
    square: Square, generator: np.random.Generator, starts: int
) -> tuple[Integers, Integers, tuple[Iteration, ...]] | None:
    """Server and depth [M] of the best descent and the cost of each; None where no start was
    feasible.
    """
    best: tuple[float, Integers, Integers] | None = None
    record = Record()
    for number in range(max(1, starts)):
        start = _start(square, generator, _KINDS[min(number, 2)])
        if start is None:
            continue
        cost = descend(square, *start)
        record.note(cost, note=_KINDS[min(number, 2)].value)
        if best is None or cost < best[0] * (1.0 - BETTER):
            best = (cost, *start)
    return None if best is None else (best[1], best[2], record.steps)


def descend(square: Square, server: Integers, depth: Integers) -> float:
    """Improve `server` and `depth` in place until neither a move nor a swap helps; the cost
    reached, in s.
    """
    cost = square.cost(server, depth)
    while True:
        totals = square.totals(server, depth)
        gain, target = _best_move(square, totals, server, depth)
        if gain > BETTER * cost:
            task, place, layer = target
            server[task], depth[task] = place, layer
        else:
            gain, swapped = _best_swap(square, totals, server, depth)
            if not gain > BETTER * cost:
                return square.cost(server, depth)
            for task, place, layer in swapped:
                server[task], depth[task] = place, layer
        cost = square.cost(server, depth)


def _own(square: Square, server: Integers, depth: Integers) -> Reals:
    """Roots of each task where it is, 0 for local, [M, 3]."""
    own = np.zeros((len(server), 3))
    away = np.flatnonzero(server != LOCAL)
    own[away] = square.roots[away, server[away], depth[away] - 1]
    return own


def _leaving(square: Square, totals: Reals, server: Integers, own: Reals) -> Reals:
    """What is saved when a task leaves its place, [M]."""
    away = server != LOCAL
    there = totals[np.where(away, server, 0)] if len(totals) else np.zeros_like(own)
    saved = 2.0 * (there * own).sum(axis=1) - (own**2).sum(axis=1)
    return np.where(away, saved, square.local)


def _best_move(
    square: Square, totals: Reals, server: Integers, depth: Integers
) -> tuple[float, tuple[int, int, int]]:
    """Largest gain of moving one task, and the task, its server and depth."""
    tasks, servers, layers = square.allowed.shape
    if tasks == 0:
        return 0.0, (0, 0, 0)
    own = _own(square, server, depth)
    saved = _leaving(square, totals, server, own)
    base = np.broadcast_to(totals, (tasks, servers, 3)).copy()
    away = np.flatnonzero(server != LOCAL)
    base[away, server[away]] -= own[away]  # where the task itself is, only its depth changes
    added = 2.0 * np.einsum("mnj,mnkj->mnk", base, square.roots) + (square.roots**2).sum(axis=3)
    load = np.bincount(server[away], minlength=servers).astype(np.float64)
    full = np.broadcast_to(load >= square.room, (tasks, servers)).copy()
    full[away, server[away]] = False
    added = np.where(square.allowed & ~full[:, :, None], added, np.inf)
    gains = np.concatenate(
        [saved[:, None] - square.local[:, None], saved[:, None] - added.reshape(tasks, -1)], axis=1
    )
    gains[server == LOCAL, 0] = 0.0
    task, column = np.unravel_index(int(np.argmax(gains)), gains.shape)
    gain = float(gains[task, column])
    if column == 0:
        return gain, (int(task), LOCAL, 0)
    place, layer = divmod(int(column) - 1, layers)
    return gain, (int(task), place, layer + 1)


def _best_swap(
    square: Square, totals: Reals, server: Integers, depth: Integers
) -> tuple[float, list[tuple[int, int, int]]]:
    """Largest gain of exchanging the places of two tasks, each at its best depth there; loads stay
    as they are.
    """
    tasks, servers, _ = square.allowed.shape
    if tasks < 2:
        return 0.0, []
    own = _own(square, server, depth)
    saved = _leaving(square, totals, server, own)
    cost = np.tile(square.local[:, None], (1, tasks))  # [m, l]: m takes the place of l
    layer = np.zeros((tasks, tasks), dtype=np.int64)
    for n in range(servers):
        there = np.flatnonzero(server == n)
        base = totals[n] - own[there]
        added = (
            2.0 * np.einsum("lj,mkj->mlk", base, square.roots[:, n])
            + (square.roots[:, n] ** 2).sum(axis=2)[:, None]
        )
        added = np.where(square.allowed[:, n][:, None], added, np.inf)
        layer[:, there] = added.argmin(axis=2) + 1
        cost[:, there] = added.min(axis=2)
    gains = (saved[:, None] + saved[None, :]) - (cost + cost.T)
    gains[server[:, None] == server[None, :]] = 0.0
    first, second = (int(index) for index in np.unravel_index(int(np.argmax(gains)), gains.shape))
    moves = [
        (first, int(server[second]), int(layer[first, second])),
        (second, int(server[first]), int(layer[second, first])),
    ]
    return float(gains[first, second]), moves


def _start(
    square: Square, generator: np.random.Generator, kind: Kind
) -> tuple[Integers, Integers] | None:
    """Tasks to places one after the other; None if one of them finds none.

    Tasks that may not run locally come first: others must not take the last room from them.
    """
    tasks, servers, layers = square.allowed.shape
    server = np.full(tasks, LOCAL, dtype=np.int64)
    depth = np.zeros(tasks, dtype=np.int64)
    totals, load = np.zeros((servers, 3)), np.zeros(servers)
    may_stay = np.isfinite(square.local)
    largest_first: Reals = -np.where(may_stay, square.local, 0.0)
    key: Reals = np.asarray(generator.random(tasks)) if kind is Kind.RANDOM else largest_first
    for task in np.lexsort((key, may_stay)):
        if kind is Kind.LOCAL and may_stay[task]:
            continue
        may = square.allowed[task] & (load < square.room)[:, None]
        added = 2.0 * np.einsum("nj,nkj->nk", totals, square.roots[task]) + (
            square.roots[task] ** 2
        ).sum(axis=2)
        prices = np.append(np.where(may, added, np.inf).ravel(), square.local[task])
        usable = np.flatnonzero(np.isfinite(prices))
        if usable.size == 0:
            return None
        choice = int(generator.choice(usable)) if kind is Kind.RANDOM else int(np.argmin(prices))
        if choice < len(prices) - 1:
            place, layer = divmod(choice, layers)
            server[task], depth[task] = place, layer + 1
            totals[place] += square.roots[task, place, layer]
            load[place] += 1.0
    return server, depth
