"""Split inference over NOMA: one link with every user on one subchannel at most, its rates and how
the cost of what is sent depends on the powers.

Symbols as in `mecdsl.backends.noma.system`. Users are sorted by access point, subchannel and
successive decoding once; a rate is then a sum over those before or behind in the own group, and
over other cells, summed directly: all minus the own cell would cancel digits.
"""

from dataclasses import dataclass, field

import numpy as np

from mecdsl.backends.noma.system import NONE, Integers, Link, Reals, Way


@dataclass(frozen=True, slots=True, eq=False)
class Occupancy:
    """Who sends on which subchannel of a link; `channel` [U], `NONE` for who does not. `oma`: users
    of a group share it in equal parts.

    Derived, of the A users that send: `users`, `cell`, `on` (subchannel), `own` gain over noise in
    1/W, `across` [N, A], `sharers`, the size of the group; `_slot`: place in a matrix with a row
    for each group, weakest first.
    """

    link: Link
    channel: Integers
    oma: bool = False
    users: Integers = field(init=False)
    cell: Integers = field(init=False)
    on: Integers = field(init=False)
    own: Reals = field(init=False)
    across: Reals = field(init=False)
    sharers: Integers = field(init=False)
    _slot: Integers = field(init=False)
    _width: int = field(init=False)
    _groups: int = field(init=False)

    def __post_init__(self) -> None:
        users = np.flatnonzero(self.channel != NONE)
        cell, on = self.link.home[users], self.channel[users]
        own = self.link.own[users, on]
        group = cell * self.link.shape[2] + on
        order = np.lexsort((users, own, group))
        first = np.flatnonzero(np.diff(group[order], prepend=-1))
        sizes = np.diff(np.append(first, len(users)))
        row = np.repeat(np.arange(len(first)), sizes)
        slot, sharers = np.empty(len(users), dtype=np.int64), np.empty(len(users), dtype=np.int64)
        width = int(sizes.max(initial=1))
        slot[order] = row * width + np.arange(len(users)) - np.repeat(first, sizes)
        sharers[order] = np.repeat(sizes, sizes)
        across = self.link.across(users, on)
        parts = {"users": users, "cell": cell, "on": on, "own": own, "across": across}
        parts |= {"sharers": sharers, "_slot": slot}
        for name, value in parts.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_width", width)
        object.__setattr__(self, "_groups", len(first))

    def heard(self, power: Reals) -> Reals:
        """What each sender's receiver hears besides, over the noise, at powers in W [A]: noise is
        the 1.
        """
        up = self.link.way is Way.UP
        others = self._up(power) if up else self._down(power)
        if self.oma:
            return 1.0 + others
        if up:
            return 1.0 + others + self._weaker(power * self.own)
        return 1.0 + others + self.own * self._stronger(power)

    def felt(self, slope: Reals) -> Reals:
        """The transpose of `heard`: what a watt of each sender changes, if a change of what each
        receiver hears counts `slope`, [A].
        """
        up = self.link.way is Way.UP
        others = self._down(slope) if up else self._up(slope)
        if self.oma:
            return others
        if up:
            return others + self.own * self._stronger(slope)
        return others + self._weaker(slope * self.own)

    def rates(self, power: Reals) -> Reals:
        """Rate in bit/s of each sender at powers in W [A]."""
        share = self.sharers if self.oma else 1
        nats = np.log1p(share * power * self.own / self.heard(power)) / share
        found: Reals = self.link.nats_to_bits * nats
        return found

    def gains(self, power: Reals) -> Reals:
        """Own gain over all that is heard besides, in 1/W [A]."""
        found: Reals = self.own / self.heard(power)
        return found

    def cost(
        self, power: Reals, load: Reals, time_weight: Reals, energy_weight: Reals
    ) -> tuple[float, Reals]:
        """sum of load (wT + wE p)/R over the senders and its gradient in the powers, all [A]."""
        share = self.sharers if self.oma else 1
        heard = self.heard(power)
        ratio = share * power * self.own / heard
        rate = self.link.nats_to_bits * np.log1p(ratio) / share
        paid = load * (time_weight + energy_weight * power) / rate
        per_nat = paid / rate * self.link.nats_to_bits / (share * (1.0 + ratio))
        slope = load * energy_weight / rate - per_nat * share * self.own / heard
        slope += self.felt(per_nat * ratio / heard)
        return float(paid.sum()), slope

    def _weaker(self, values: Reals) -> Reals:
        """Sums over those who are weaker in the own group."""
        if self._width == 1:
            return np.zeros(len(values))
        table = np.zeros((self._groups, self._width + 1))
        table[:, 1:].flat[self._slot] = values
        found: Reals = np.cumsum(table, axis=1)[:, :-1].flat[self._slot]
        return found

    def _stronger(self, values: Reals) -> Reals:
        """Sums over those who are stronger in the own group."""
        if self._width == 1:
            return np.zeros(len(values))
        table = np.zeros((self._groups, self._width + 1))
        table[:, :-1].flat[self._slot] = values
        found: Reals = np.cumsum(table[:, ::-1], axis=1)[:, ::-1][:, 1:].flat[self._slot]
        return found

    def _up(self, values: Reals) -> Reals:
        """For each sender, the values of those of other cells on its subchannel times their gain
        to its access point.
        """
        access_points, _, subchannels = self.link.shape
        places = np.arange(access_points)[:, None] * subchannels + self.on
        weights = (self.across * values).ravel()
        sums = np.bincount(places.ravel(), weights, access_points * subchannels)
        found: Reals = sums[self.cell * subchannels + self.on]
        return found

    def _down(self, values: Reals) -> Reals:
        """For each sender, the sums over each other cell on its subchannel times the gain from that
        access point to it.
        """
        access_points, _, subchannels = self.link.shape
        groups = self.cell * subchannels + self.on
        sums = np.bincount(groups, values, access_points * subchannels)
        heard = sums.reshape(access_points, subchannels)[:, self.on]
        found: Reals = (self.across * heard).sum(axis=0)
        return found
