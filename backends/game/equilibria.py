"""All feasible profiles of a small game, and which of them are equilibria."""

from dataclasses import dataclass

import numpy as np

from mecdsl.backends.game.counting import stages
from mecdsl.backends.game.system import ROUNDING, Flags, Integers, Reals, System

MOST = 20_000_000  # profiles
SAME = 1e-9  # relative; who could gain less is at rest


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Census:
    """All profiles of a game. `placements`: for each device its placements that keep its own
    constraints [S_n, M_n]. Over profiles, with the axes [S_1, ..., S_N]: whether one is `feasible`,
    `total` cost in money, inf elsewhere, and `resting`, whether it is a pure (generalised) Nash
    equilibrium.
    """

    placements: tuple[Integers, ...]
    feasible: Flags
    total: Reals
    resting: Flags

    @property
    def equilibria(self) -> int:
        """How many pure equilibria there are; 0 only where nothing is feasible."""
        return int(self.resting.sum())

    @property
    def optimum(self) -> float:
        """The least sum of all costs, inf where nothing is feasible."""
        return float(self.total.min())

    @property
    def price_of_anarchy(self) -> float:
        """The dearest equilibrium over the optimum."""
        return float(self.total[self.resting].max()) / self.optimum

    @property
    def price_of_stability(self) -> float:
        """The cheapest equilibrium over the optimum."""
        return float(self.total[self.resting].min()) / self.optimum

    def profile(self, at: tuple[int, ...]) -> Integers:
        """The places [K] of one profile."""
        return np.concatenate([own[s] for own, s in zip(self.placements, at, strict=True)])


def enumerate_equilibria(system: System) -> Census:
    """Every profile of a game that is small enough; raises ValueError for a larger one."""
    placements = tuple(own_placements(system, device) for device in range(system.devices))
    shape = tuple(len(own) for own in placements)
    if np.prod([float(size) for size in shape]) > MOST:
        raise ValueError(f"the game has more than {MOST} profiles")
    works = [_work(system, device, own) for device, own in enumerate(placements)]
    load, count = np.zeros((*shape, system.slots)), np.zeros((*shape, system.slots))
    for device, (work, used) in enumerate(works):
        load += _along(work, device, len(shape))
        count += _along(used, device, len(shape))
    feasible: Flags = np.asarray((count <= system.parallel_limit).all(axis=-1))
    if system.shared_slots:
        feasible = feasible & (load <= system.slot_length * (1.0 + ROUNDING)).all(axis=-1)
    price = system.linear + system.square * load
    total, resting = np.zeros(shape), feasible.copy()
    for device, (work, _) in enumerate(works):
        paid = (price * _along(work, device, len(shape))).sum(axis=-1)
        own = _along(own_cost(system, device, placements[device])[:, None], device, len(shape))
        cost = np.where(feasible, own[..., 0] + system.price_weight[device] * paid, np.inf)
        total += cost
        best = cost.min(axis=device, keepdims=True)
        resting &= cost <= best + SAME * np.abs(best)
    return Census(placements=placements, feasible=feasible, total=total, resting=resting)


def own_placements(system: System, device: int) -> Integers:
    """All placements of a device that keep (15), (16), (17') and (26) [S, M], those with the most
    layers on the device first.
    """
    cuts = system.cuts_of(device)
    delay, layers = system.cut_delay[cuts], int(system.layer_count[device])
    room = np.full(system.slots, system.slot_length * (1.0 + ROUNDING))
    fits, _ = stages(system, device, room)
    limit = system.deadline[device] * (1.0 + ROUNDING)
    found = [np.zeros(layers, dtype=np.int64)] if delay[-1] <= limit else []
    for cut in range(layers - 1, -1, -1):
        begun = [(cut, np.zeros(layers, dtype=np.int64))]
        for h in range(system.slots):
            ahead = list[tuple[int, Integers]]()
            for at, places in begun:
                for end in np.flatnonzero(fits[h, at]):
                    longer = places.copy()
                    longer[at:end] = h + 1
                    ahead.append((int(end), longer))
            in_time = delay[cut] + system.slot_length * (h + 1) <= limit
            found += [places for end, places in ahead if end == layers and in_time]
            begun += [(end, places) for end, places in ahead if end < layers]
    return np.array(found, dtype=np.int64).reshape(-1, layers)


def own_cost(system: System, device: int, placements: Integers) -> Reals:
    """The cost of placements without the payment, in money [S]."""
    cut = (placements == 0).sum(axis=1)
    cost = system.cut_cost[system.first_cut[device] + cut]
    return np.asarray(cost + system.slot_cost[device] * placements[:, -1])


def _work(system: System, device: int, placements: Integers) -> tuple[Reals, Flags]:
    """Work in s and use of each slot by placement [S, H]."""
    inside = placements[:, :, None] == np.arange(1, system.slots + 1)
    time = system.server_time[system.layers_of(device)]
    return np.einsum("smh,m->sh", inside, time), inside.any(axis=1)


def _along(values: Reals | Flags, axis: int, axes: int) -> Reals:
    """An array [S, H] as one over profiles and slots, that varies along one of them."""
    shape = [1] * axes + [values.shape[1]]
    shape[axis] = len(values)
    return values.reshape(shape).astype(np.float64)
