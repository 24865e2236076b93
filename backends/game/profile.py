"""A profile: where every layer of every device runs, and what that makes of everybody's cost.

A profile is an array over layers [K], 0 for the device and 1..H for a slot.
"""

from dataclasses import dataclass

import numpy as np

from mecdsl.backends.game.system import ROUNDING, Flags, Integers, Reals, System


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Evaluation:
    """What a profile comes to. `cut`, `last_slot` [N]; `work` in s [N, H], `used` [N, H] whether
    the device has a layer there (one of no time counts); `delay` in s, `energy` in J, `payment`
    and `cost` in money [N]; `potential` in money, section 5 of the paper's game.
    """

    cut: Integers
    last_slot: Integers
    work: Reals
    used: Flags
    delay: Reals
    energy: Reals
    payment: Reals
    cost: Reals
    potential: float

    @property
    def load(self) -> Reals:
        """L_h in s."""
        return np.asarray(self.work.sum(axis=0))


def evaluate(system: System, places: Integers) -> Evaluation:
    """Costs (23) of a profile that keeps the order of the layers."""
    work, used = work_of(system, places)
    cut = np.add.reduceat((places == 0).astype(np.int64), system.first_layer[:-1])
    last = places[system.first_layer[1:] - 1]
    at = system.first_cut[:-1] + cut
    load = work.sum(axis=0)
    payment = work @ system.linear + work @ (system.square * load)
    own = system.cut_cost[at] + system.slot_cost * last
    return Evaluation(
        cut=cut,
        last_slot=last,
        work=work,
        used=used,
        delay=system.cut_delay[at] + system.slot_length * last,
        energy=system.cut_energy[at],
        payment=payment,
        cost=own + system.price_weight * payment,
        potential=potential(system, own, work),
    )


def potential(system: System, own: Reals, work: Reals) -> float:
    """Phi in money: a move of n alone changes the cost of n by `price_weight[n]` times the change
    of it. `own` [N]: costs without the payments. Infinite where somebody has no `price_weight`.
    """
    with np.errstate(divide="ignore"):
        alone = float(np.sum(own / system.price_weight))
    load = work.sum(axis=0)
    shared = system.linear @ load + system.square @ (load**2 + (work**2).sum(axis=0)) / 2
    return alone + float(shared)


def work_of(system: System, places: Integers) -> tuple[Reals, Flags]:
    """Work in s and whether there is any layer, by device and slot [N, H]."""
    width = system.slots + 1
    cell, cells = system.owner * width + places, system.devices * width
    work = np.bincount(cell, weights=system.server_time, minlength=cells).astype(np.float64)
    number = np.bincount(cell, minlength=cells)
    shape = (system.devices, width)
    return work.reshape(shape)[:, 1:].copy(), number.reshape(shape)[:, 1:] > 0


def faults(system: System, places: Integers) -> list[str]:
    """The constraints that a profile breaks, by the names of the shipped model; empty for none."""
    found = evaluate(system, places)
    inside = np.ones(len(places), dtype=bool)
    inside[system.first_layer[:-1]] = False
    falls = inside[1:] & (np.diff(places) < 0)
    full = found.load if system.shared_slots else found.work
    broken = {
        "one_place": ((places < 0) | (places > system.slots)).any(),
        "order": falls.any(),
        "capacity": (full > room(system)).any(),
        "in_time": late(system, found.delay).any(),
        "parallel": (found.used.sum(axis=0) > system.parallel_limit).any(),
    }
    return [name for name, is_broken in broken.items() if is_broken]


def room(system: System) -> float:
    """The work that fits into a slot, in s, up to rounding."""
    return system.slot_length * (1.0 + ROUNDING)


def late(system: System, delay: Reals) -> Flags:
    """Whose deadline is missed (26), up to rounding."""
    return np.asarray(delay > system.deadline * (1.0 + ROUNDING))
