"""The game in play: a profile that devices change one after the other."""

import numpy as np

from mecdsl.backends.game.best_response import Offer, Response, offer, respond
from mecdsl.backends.game.profile import evaluate, work_of
from mecdsl.backends.game.system import ROUNDING, Flags, Integers, Reals, System

GAIN = 1e-10  # relative; who would gain less stays


class Table:
    """A profile and what the slots hold. `places` [K]; `work` in s, `used` [N, H]; `load` in s,
    `count` [H]. Only `move` changes them.
    """

    def __init__(self, system: System, places: Integers) -> None:
        self.system = system
        self.places = places.copy()
        self.work: Reals
        self.used: Flags
        self.work, self.used = work_of(system, self.places)
        self.settle()

    def settle(self) -> None:
        """Sum the loads anew, so that rounding errors of many moves do not add up."""
        self.load: Reals = self.work.sum(axis=0)
        self.count: Integers = self.used.sum(axis=0)

    def total_cost(self) -> float:
        """The sum of all costs in money."""
        return float(evaluate(self.system, self.places).cost.sum())

    def others(self, device: int) -> tuple[Reals, Integers]:
        """Work in s and number of all other devices in each slot."""
        load = np.maximum(self.load - self.work[device], 0.0)
        return load, self.count - self.used[device]

    def offered(self, device: int) -> Offer:
        """The slots as they are to a device that knows its own part of the load."""
        return offer(self.system, device, *self.others(device))

    def value(self, device: int, slots: Offer) -> float:
        """The cost of what a device does now, at the terms of an offer; inf if it may not."""
        system, work, used = self.system, self.work[device], self.used[device]
        mine = self.places[system.layers_of(device)]
        cut, last = int(np.count_nonzero(mine == 0)), int(mine[-1])
        at = int(system.first_cut[device]) + cut
        delay = system.cut_delay[at] + system.slot_length * last
        if delay > system.deadline[device] * (1.0 + ROUNDING) or (work > slots.room)[used].any():
            return np.inf
        price = float(work @ (slots.linear + slots.square * work))
        return float(system.cut_cost[at] + system.slot_cost[device] * last) + price

    def better(self, device: int, slots: Offer) -> Response | None:
        """The best response, if it gains anything worth mentioning at the terms of the offer."""
        now, found = self.value(device, slots), respond(self.system, device, slots)
        if found is None or (np.isfinite(now) and now - found.value <= GAIN * abs(now)):
            return None
        return found

    def move(self, device: int, places: Integers) -> None:
        """Put a device's layers into other places [M]."""
        system = self.system
        at = system.layers_of(device)
        self.places[at] = places
        size = system.slots + 1
        work = np.bincount(places, weights=system.server_time[at], minlength=size)[1:]
        used = np.bincount(places, minlength=size)[1:] > 0
        self.load = np.maximum(self.load + (work - self.work[device]), 0.0)
        self.count = self.count + used - self.used[device]
        self.work[device], self.used[device] = work, used
