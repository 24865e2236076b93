"""The best response of a device, exactly, in O(H^2 M^2): where its layers run if all others stay.

A slot h holds a block (i, j] of consecutive layers, of w seconds of work, and costs
w (linear_h + square_h w); it may hold no more than `room_h`. With the last slot g fixed, the
delay of a cut is fixed too, so the deadline is kept exactly:

    F_g(i) = price_g(i, M),  F_h(i) = min(F_(h+1)(i), min_j price_h(i, j) + F_(h+1)(j))

and the answer is the least of `all local` and cut_cost(k) + slot_cost g + F_1(k) over cuts k < M
and last slots g that are in time. All of it runs over many devices with as many layers at once.
"""

from dataclasses import dataclass

import numpy as np

from mecdsl.backends.game.system import ROUNDING, Integers, Reals, System

ELEMENTS = 2_000_000  # of the largest array of a batch


@dataclass(frozen=True, slots=True, eq=False)
class Offer:
    """What the slots are to devices: w seconds add w (linear + square w) money to the cost, and no
    more than `room` seconds fit in, -inf where a slot is closed. Shapes [H] for one device, [d, H]
    for many.
    """

    linear: Reals
    square: Reals
    room: Reals


@dataclass(frozen=True, slots=True, eq=False)
class Response:
    """A best response: its `value` in money, `places` [M], 0 for the device, and the `cut`."""

    value: float
    places: Integers
    cut: int


def offer(
    system: System, who: int | Integers, load: Reals, count: Reals | Integers, *, own: float = 1.0
) -> Offer:
    """The slots to the devices `who` beside the work `load` in s and the number `count` of all
    others, both [H] or [d, H]: w seconds cost gamma w (A + D (load + own w)). `own`: 1 for what is
    charged, 0 for who takes prices as they are.
    """
    weight = system.price_weight[who, None] if load.ndim == 2 else system.price_weight[who]
    return Offer(
        linear=weight * (system.linear + system.square * load),
        square=np.broadcast_to(own * weight * system.square, load.shape),
        room=open_room(system, load, count),
    )


def open_room(system: System, load: Reals, count: Reals | Integers) -> Reals:
    """The seconds of work that fit into each slot beside the others', -inf where it is closed."""
    room = np.full(load.shape, system.slot_length)
    if system.shared_slots:
        room -= load
    room += ROUNDING * system.slot_length
    return np.where(count < system.parallel_limit, room, -np.inf)


def respond(system: System, device: int, slots: Offer) -> Response | None:
    """The best response of one device, None where no placement keeps its constraints.

    Of equally good ones the answer is the local one, else the one with the earliest cut, then the
    earliest last slot.
    """
    layers = int(system.layer_count[device])
    prices = _prices(
        system.work_before[None, system.cuts_of(device)],
        Offer(slots.linear[None], slots.square[None], slots.room[None]),
    )
    stages = _stages(prices)
    values = _values(system, np.array([device]), stages[0])[0]
    best = int(np.argmin(values))
    if not np.isfinite(values[best]):
        return None
    places = np.zeros(layers, dtype=np.int64)
    if best == 0:
        return Response(float(values[0]), places, layers)
    cut, last = divmod(best - 1, system.slots)
    _place(places, cut, last, prices[0], [stage[0, last] for stage in stages])
    return Response(float(values[best]), places, cut)


def best_values(system: System, devices: Integers, slots: Offer) -> Reals:
    """Values of the best responses of many devices [d], inf where there is none; `slots` [d, H]."""
    found = np.empty(len(devices))
    for layers, alike in system.alike():
        mine = np.flatnonzero(np.isin(devices, alike))
        step = max(1, ELEMENTS // (system.slots * (layers + 1) ** 2))
        for start in range(0, len(mine), step):
            some = mine[start : start + step]
            who = devices[some]
            part = Offer(slots.linear[some], slots.square[some], slots.room[some])
            cuts = system.first_cut[who][:, None] + np.arange(layers + 1)
            prices = _prices(system.work_before[cuts], part)
            found[some] = _values(system, who, _stages(prices)[0]).min(axis=1)
    return found


def least_delay(system: System) -> Reals:
    """The least delay each device could reach alone at the server, in s [N]."""
    nothing = np.zeros(system.slots)
    room = open_room(system, nothing, nothing)
    found = np.empty(system.devices)
    slot_delay = system.slot_length * np.arange(1, system.slots + 1)
    for layers, who in system.alike():
        step = max(1, ELEMENTS // (system.slots * (layers + 1) ** 2))
        for some in np.array_split(who, -(-len(who) // step)):
            free = np.zeros((len(some), system.slots))
            part = Offer(linear=free, square=free, room=np.broadcast_to(room, free.shape))
            cuts = system.first_cut[some][:, None] + np.arange(layers + 1)
            prices = _prices(system.work_before[cuts], part)
            delay = system.cut_delay[cuts]
            ends = _stages(prices)[0][:, :, :-1] + delay[:, None, :-1] + slot_delay[:, None]
            found[some] = np.minimum(delay[:, -1], ends.min(axis=(1, 2)))
    return found


def _prices(before: Reals, slots: Offer) -> Reals:
    """What a block (i, j] costs in a slot [d, H, M + 1, M + 1], inf where it may not be."""
    work = before[:, None, None, :] - before[:, None, :, None]
    price = work * slots.square[:, :, None, None]
    price += slots.linear[:, :, None, None]
    price *= work
    cuts = np.arange(before.shape[1])
    price[(work > slots.room[:, :, None, None]) | (cuts[:, None] >= cuts)] = np.inf
    return price


def _stages(prices: Reals) -> list[Reals]:
    """For each slot h the least price of the layers behind a cut from slot h on, by last slot and
    cut [d, H, M + 1].
    """
    devices, slots, cuts, _ = prices.shape
    tail = np.full((devices, slots, cuts), np.inf)
    stages = [tail] * slots
    for h in range(slots - 1, -1, -1):
        ahead = stages[h + 1] if h + 1 < slots else tail
        stage = ahead.copy()
        if h + 1 < slots:
            later = ahead[:, h + 1 :]
            taken = (prices[:, h, None] + later[:, :, None, :]).min(axis=3)
            stage[:, h + 1 :] = np.minimum(later, taken)
        stage[:, h] = prices[:, h, :, -1]
        stages[h] = stage
    return stages


def _values(system: System, devices: Integers, tail: Reals) -> Reals:
    """Costs of `all local`, then by cut and last slot [d, 1 + M H], inf where late."""
    layers = tail.shape[2] - 1
    cuts = system.first_cut[devices][:, None] + np.arange(layers + 1)
    limit = system.deadline[devices] * (1.0 + ROUNDING)
    number = np.arange(1, system.slots + 1)
    delay = system.cut_delay[cuts][:, :, None] + system.slot_length * number
    cost = system.cut_cost[cuts][:, :, None] + system.slot_cost[devices][:, None, None] * number
    cost += tail.transpose(0, 2, 1)
    cost[delay > limit[:, None, None]] = np.inf
    values = np.empty((len(devices), 1 + layers * system.slots))
    local = cuts[:, -1]
    values[:, 0] = np.where(system.cut_delay[local] > limit, np.inf, system.cut_cost[local])
    values[:, 1:] = cost[:, :-1].reshape(len(devices), -1)
    return values


def _place(places: Integers, cut: int, last: int, prices: Reals, stages: list[Reals]) -> None:
    """Walk along the stages of one last slot and write the slots of the layers behind the cut."""
    at = cut
    for h in range(last):
        taken = prices[h, at] + stages[h + 1]
        end = int(np.argmin(taken))
        if taken[end] < stages[h + 1][at]:
            places[at:end] = h + 1
            at = end
    places[at:] = last + 1
