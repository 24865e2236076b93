"""Split inference over NOMA: the best powers and cuts for given subchannels, as far as a local
search finds them.

Edge units are the closed form. Then in turn: powers for fixed cuts, a smooth problem in their
logarithms, and the cheapest cuts for fixed prices of a bit. Neither step raises the cost. With form
`silent` a user that cuts at F leaves its subchannels to the others; afterwards those who would gain
from a place at the prices of the end are let in again, while that helps.
"""

from dataclasses import dataclass, field

import numpy as np

from mecdsl.backends.noma.box_descent import descend
from mecdsl.backends.noma.closed_forms import (
    best_units,
    choose_cuts,
    computing_cost,
    cut_costs,
    lone_power,
    price,
)
from mecdsl.backends.noma.occupancy import Occupancy
from mecdsl.backends.noma.system import (
    NONE,
    Decisions,
    Flags,
    Form,
    Integers,
    Link,
    Reals,
    System,
)

ROUNDS = 50  # of powers and cuts
ENTRIES = 20  # tries to let users in again
LEAST = 1e-9  # relative decrease that counts


@dataclass(frozen=True, slots=True, eq=False)
class Finished:
    """A point with its cost; `prices` of a bit up and down, infinite for who does not send [U]."""

    decisions: Decisions
    cost: float
    prices: tuple[Reals, Reals]


@dataclass(frozen=True, slots=True, eq=False)
class Polish:
    """What is the same for all subchannels. Derived: `units` r [U], `fixed` a [U, F + 1]."""

    system: System
    form: Form
    units: Reals = field(init=False)
    fixed: Reals = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "units", best_units(self.system))
        object.__setattr__(self, "fixed", computing_cost(self.system, self.units))

    def finish(
        self,
        channels: tuple[Integers, Integers],
        powers: tuple[Reals, Reals] | None = None,
        let_in: bool = True,
    ) -> Finished:
        """The point for subchannels up and down [U], `NONE` for who must run all layers itself
        (form `silent`), searched from powers in W [U] or those that are best alone.
        """
        alone = [self._alone(link, channel) for link, channel in self._links(channels)]
        begin = tuple(
            own if given is None else np.where(given > 0.0, given, own)
            for own, given in zip(alone, powers or (None, None), strict=True)
        )
        may_send = (channels[0] != NONE) & (channels[1] != NONE)
        if self.form.silent and self.form.common and not may_send.all():
            return self._all_local()
        cut = self._cuts(self._prices(channels, begin, may_send), may_send, stay=True)
        found = self._descend(channels, cut, begin)
        if self.form.silent and self.form.common:
            return min(found, self._all_local(), key=lambda one: one.cost)
        if self.form.silent and let_in:
            return self._with_entries(channels, may_send, found)
        return found

    def _all_local(self) -> Finished:
        users = len(self.system.home)
        return self._point(
            np.full(users, self.system.layers),
            (np.full(users, NONE), np.full(users, NONE)),
            (np.zeros(users), np.zeros(users)),
            (np.full(users, np.inf), np.full(users, np.inf)),
        )

    def _point(
        self,
        cut: Integers,
        channels: tuple[Integers, Integers],
        powers: tuple[Reals, Reals],
        prices: tuple[Reals, Reals],
    ) -> Finished:
        decisions = Decisions(
            cut=cut,
            up=channels[0],
            down=channels[1],
            up_power=powers[0],
            down_power=powers[1],
            edge_units=self.units,
        )
        return Finished(decisions, self._cost(cut, prices), prices)

    def _links(
        self, channels: tuple[Integers, Integers]
    ) -> tuple[tuple[Link, Integers], tuple[Link, Integers]]:
        up, down = self.system.links
        return (up, channels[0]), (down, channels[1])

    def _active(self, cut: Integers, may_send: Flags) -> Flags:
        return may_send & (cut < self.system.layers) if self.form.silent else may_send

    def _alone(self, link: Link, channel: Integers) -> Reals:
        every = np.arange(len(channel))
        gain = link.own[every, np.maximum(channel, 0)]
        weights = self.system.time_weight, self.system.energy_weight
        return lone_power(gain, *weights, link.least_power, max(link.power_max, link.least_power))

    def _cuts(self, prices: tuple[Reals, Reals], may_send: Flags, stay: bool = False) -> Integers:
        """The cheapest cuts; who may not send runs all layers itself, and the others do not with
        `stay`. One cut for all is never F here with form `silent`: then nobody sends at all.
        """
        costs = cut_costs(self.system, self.form, self.fixed, *prices)
        if self.form.silent:
            costs[~may_send, :-1] = np.inf
            if stay or self.form.common:
                costs[may_send, -1] = np.inf
        return choose_cuts(costs, self.form.common)

    def _cost(self, cut: Integers, prices: tuple[Reals, Reals]) -> float:
        costs = cut_costs(self.system, self.form, self.fixed, *prices)
        return float(costs[np.arange(len(cut)), cut].sum())

    def _prices(
        self, channels: tuple[Integers, Integers], powers: tuple[Reals, ...], active: Flags
    ) -> tuple[Reals, Reals]:
        """What a bit costs each of those who send, infinite for others."""
        found = []
        for (link, channel), power in zip(self._links(channels), powers, strict=True):
            occupancy = Occupancy(link, np.where(active, channel, NONE), self.form.oma)
            found.append(self._price(occupancy, power))
        return found[0], found[1]

    def _price(self, occupancy: Occupancy, power: Reals) -> Reals:
        users = occupancy.users
        weighted = self.system.time_weight[users] + self.system.energy_weight[users] * power[users]
        found = np.full(len(power), np.inf)
        found[users] = weighted / occupancy.rates(power[users])
        return found

    def _descend(
        self, channels: tuple[Integers, Integers], cut: Integers, powers: tuple[Reals, ...]
    ) -> Finished:
        """Powers and cuts in turn until the cuts stay or the cost does; a user that has left stays
        away.
        """
        may_send = (channels[0] != NONE) & (channels[1] != NONE)
        held, best = list(powers), np.inf
        active, loads = self._active(cut, may_send), None
        prices = (np.empty(0), np.empty(0))
        for _ in range(ROUNDS):
            before, loads = loads, self._loads(cut)
            found = []
            for way, (link, channel) in enumerate(self._links(channels)):
                occupancy = Occupancy(link, np.where(active, channel, NONE), self.form.oma)
                same = before is not None and np.array_equal(before[way], loads[way])
                if not same or self.form.silent:
                    held[way] = self._powers(occupancy, loads[way], held[way])
                found.append(self._price(occupancy, held[way]))
            prices = found[0], found[1]
            chosen = self._cuts(prices, active)
            cost = self._cost(chosen, prices)
            if np.array_equal(chosen, cut) or not cost < best * (1.0 - LEAST):
                break
            best, cut = cost, chosen
            active = self._active(cut, may_send)
        up, down = (np.where(active, channel, NONE) for channel in channels)
        up_power, down_power = (np.where(active, power, 0.0) for power in held)
        return self._point(cut, (up, down), (up_power, down_power), prices)

    def _loads(self, cut: Integers) -> tuple[Reals, Reals]:
        """What is sent up and down in bit, [U]."""
        up = self.system.cut_size[np.arange(len(cut)), cut]
        return up, self.system.result_size

    def _powers(self, occupancy: Occupancy, load: Reals, begin: Reals) -> Reals:
        """Powers in W [U] of a local minimum for fixed loads; who sends nothing takes the least."""
        link, users, system = occupancy.link, occupancy.users, self.system
        weights = system.time_weight[users], system.energy_weight[users]
        free = np.flatnonzero((load[users] > 0.0) & (weights[0] + weights[1] > 0.0))
        low, high = np.log(link.least_power), np.log(link.power_max)
        power = np.full(len(users), link.least_power)
        start = np.clip(np.log(np.maximum(begin[users[free]], link.least_power)), low, high)
        power[free] = np.exp(start)
        found = begin.copy()
        scale = occupancy.cost(power, load[users], *weights)[0]
        if len(free) and np.isfinite(scale):

            def cost(log_power: Reals) -> tuple[float, Reals]:
                power[free] = np.exp(log_power)
                value, slope = occupancy.cost(power, load[users], *weights)
                return value / scale, slope[free] * power[free] / scale

            box = np.full(len(free), low), np.full(len(free), high)
            best = descend(cost, start, box).x
            power[free] = np.clip(np.exp(best), link.least_power, link.power_max)
        found[users] = power
        return found

    # Who comes back ------------------------------------------------------------------------------

    def _with_entries(
        self, channels: tuple[Integers, Integers], may_send: Flags, found: Finished
    ) -> Finished:
        """The point after users were let in again, a part of those who would gain at a time."""
        most = len(may_send)
        for _ in range(ENTRIES):
            cut, powers = self._entries(channels, may_send, found, most)
            let_in = int((cut != found.decisions.cut).sum())
            if not let_in:
                break
            tried = self._descend(channels, cut, powers)
            if tried.cost < found.cost * (1.0 - LEAST):
                found, most = tried, len(may_send)
            elif let_in == 1:
                break
            else:
                most = let_in // 2
        return found

    def _entries(
        self, channels: tuple[Integers, Integers], may_send: Flags, at: Finished, most: int
    ) -> tuple[Integers, tuple[Reals, Reals]]:
        """Cuts and powers with some users let in: those who would gain most, at most one for each
        subchannel.
        """
        decisions, layers = at.decisions, self.system.layers
        waiting = may_send & (decisions.cut == layers)
        powers = [decisions.up_power.copy(), decisions.down_power.copy()]
        prices = []
        for way, (link, channel) in enumerate(self._links(channels)):
            chosen, found = self._as_one_more(link, np.where(may_send, channel, NONE), powers[way])
            powers[way] = np.where(waiting, chosen, powers[way])
            prices.append(found)
        costs = cut_costs(self.system, self.form, self.fixed, prices[0], prices[1])
        gain = np.where(waiting, costs[:, -1] - costs[:, :-1].min(axis=1), 0.0)
        picked = np.argsort(-gain, kind="stable")
        picked = picked[gain[picked] > 0.0]
        for channel in channels:
            first = np.unique(channel[picked], return_index=True)[1]
            picked = picked[np.sort(first)]
        picked = picked[:most]
        cut = decisions.cut.copy()
        cut[picked] = np.argmin(costs[picked, :-1], axis=1)
        return cut, (powers[0], powers[1])

    def _as_one_more(self, link: Link, channel: Integers, power: Reals) -> tuple[Reals, Reals]:
        """Best power and price of each user that is silent if it joined alone, [U] each."""
        occupancy = Occupancy(link, channel, self.form.oma)
        users = occupancy.users
        gain = occupancy.gains(power[users])
        share = np.ones(len(users))
        if self.form.oma:
            group = occupancy.cell * link.shape[2] + occupancy.on
            share += np.bincount(group, power[users] > 0.0, group.max(initial=0) + 1)[group]
        weights = self.system.time_weight[users], self.system.energy_weight[users]
        best = lone_power(share * gain, *weights, link.least_power, link.power_max)
        chosen, prices = power.copy(), np.full(len(power), np.inf)
        chosen[users] = best
        prices[users] = share * price(link, best, share * gain, *weights)
        return chosen, prices
