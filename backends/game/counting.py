"""How many placements a device has, exactly, and random ones of them, each as likely.

The recursion of the best response with sums for minima and counts for prices. Counts are floats:
exact up to 2^53, and to rounding beyond.
"""

import numpy as np

from mecdsl.backends.game.best_response import open_room
from mecdsl.backends.game.system import ROUNDING, Integers, Reals, System

Stages = list[Reals]


def stages(system: System, device: int, room: Reals) -> tuple[Reals, Stages]:
    """Which blocks fit into which slot [H, M + 1, M + 1], and for each slot the number of ways for
    the layers behind a cut from that slot on, by last slot and cut [H, M + 1]; `room` [H] in s.
    """
    before = system.work_before[system.cuts_of(device)]
    work = before[None, :] - before[:, None]
    cuts = np.arange(len(before))
    fits = ((work <= room[:, None, None]) & (cuts[:, None] < cuts)).astype(np.float64)
    ways: Stages = []
    later = np.zeros((system.slots, len(before)))
    for h in range(system.slots - 1, -1, -1):
        later = later + later @ fits[h].T
        later[h] = fits[h, :, -1]
        ways.insert(0, later)
    return fits, ways


def draw(
    system: System, device: int, load: Reals, count: Integers, random: np.random.Generator
) -> Integers | None:
    """One of all placements that keep the constraints of a device beside the work and the number
    of the others [H], each as likely; None if there is none.
    """
    layers = int(system.layer_count[device])
    fits, ways = stages(system, device, open_room(system, load, count))
    limit = system.deadline[device] * (1.0 + ROUNDING)
    delay = system.cut_delay[system.cuts_of(device)]
    number = np.arange(1, system.slots + 1)
    chances = ways[0] * (delay + system.slot_length * number[:, None] <= limit)
    chances[:, -1] = 0.0
    local = float(delay[-1] <= limit)
    total = chances.sum() + local
    if total == 0.0:
        return None
    if random.random() * total < local:
        return np.zeros(layers, dtype=np.int64)
    at = int(random.choice(chances.size, p=chances.ravel() / chances.sum()))
    last, cut = divmod(at, layers + 1)
    return _walk(fits, ways, cut, last, random)


def offloaded_slots(system: System, device: int, room: Reals) -> Reals:
    """How many ways there are for all layers at the server, by the slot of the last one [H]."""
    return stages(system, device, room)[1][0][:, 0]


def draw_offloaded(
    system: System, device: int, room: Reals, random: np.random.Generator
) -> Integers:
    """One of these ways, each as likely; there must be one."""
    fits, ways = stages(system, device, room)
    chances = ways[0][:, 0]
    last = int(random.choice(system.slots, p=chances / chances.sum()))
    return _walk(fits, ways, 0, last, random)


def _walk(fits: Reals, ways: Stages, cut: int, last: int, random: np.random.Generator) -> Integers:
    """A random way along the stages of one last slot."""
    layers = fits.shape[1] - 1
    places = np.zeros(layers, dtype=np.int64)
    at = cut
    for h in range(last):
        chances = fits[h, at] * ways[h + 1][last]
        chances[at] = ways[h + 1][last, at]  # nothing in this slot
        end = int(random.choice(layers + 1, p=chances / chances.sum()))
        places[at:end] = h + 1
        at = end
    places[at:] = last + 1
    return places
