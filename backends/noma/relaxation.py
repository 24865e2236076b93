"""Split inference over NOMA: the relaxation (22) and its gradient.

Shares beta in [0, 1] and a power p on every subchannel; with y = beta p [U, M] what is sent,
D = 1 + what else is heard over the noise and x = p g/D, user i has the rate sum_m beta (b/ln2)
ln(1 + x). The paper's gradient, (29) and (30), is wrong (see `printed`); this one is exact. What a
user hears of its own cell is a cumulative sum in the order of successive decoding, so nothing here
is larger than a few arrays [U, M] and, once, one [N, U, M] for each link.
"""

from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import csr_array

from mecdsl.backends.noma.system import Integers, Link, Reals, Way


@dataclass(frozen=True, slots=True, eq=False)
class Sharing:
    """One link of the relaxation.

    Derived: `across` [N, U, M], gain over noise in 1/W, 0 at the home; `_order`: places of [U, M]
    by cell and, in it, weakest first, column by column; `_back`: the way back; `_cells`: where the
    cells are in that order; `_member` [N, U]: 1 at the home.
    """

    link: Link
    across: Reals = field(init=False)
    _order: Integers = field(init=False)
    _back: Integers = field(init=False)
    _member: csr_array = field(init=False)
    _cells: tuple[slice, ...] = field(init=False)

    def __post_init__(self) -> None:
        access_points, users, subchannels = self.link.shape
        across = self.link.gain / self.link.noise
        across[self.link.home, np.arange(users)] = 0.0
        order = np.empty((users, subchannels), dtype=np.int64)
        cells, start = [], 0
        for n in range(access_points):
            members = np.flatnonzero(self.link.home == n)
            cells.append(slice(start, start + len(members)))
            ranks = np.argsort(self.link.own[members], axis=0, kind="stable")
            order[cells[-1]] = members[ranks] * subchannels + np.arange(subchannels)
            start += len(members)
        back = np.empty_like(order)
        np.put(back, order, np.arange(order.size))
        # a sparse product, for one of full matrices wakes the threads of the linear algebra library
        member = csr_array(
            (np.ones(users), (self.link.home, np.arange(users))), shape=(access_points, users)
        )
        parts = {"across": across, "_order": order, "_back": back, "_member": member}
        for name, value in parts.items():
            object.__setattr__(self, name, value)
        object.__setattr__(self, "_cells", tuple(cells))

    def heard(self, sent: Reals) -> Reals:
        """D for what is sent in W, [U, M]."""
        own = self.link.own
        if self.link.way is Way.UP:
            found = self._weaker(sent * own)
            self._add_up(found, sent)
        else:
            found = self._stronger(sent)
            found *= own
            self._add_down(found, sent)
        found += 1.0
        return found

    def felt(self, slope: Reals) -> Reals:
        """The transpose of `heard`: what a watt sent changes, if what is heard counts `slope`."""
        own = self.link.own
        if self.link.way is Way.UP:
            found = self._stronger(slope)
            found *= own
            self._add_down(found, slope)
        else:
            found = self._weaker(slope * own)
            self._add_up(found, slope)
        return found

    def others(self, sent: Reals) -> Reals:
        """What each user hears of other cells, over the noise, [U, M]."""
        found = np.zeros(sent.shape)
        (self._add_up if self.link.way is Way.UP else self._add_down)(found, sent)
        return found

    def cell_sums(self, values: Reals) -> Reals:
        """For each user, the sums over its cell, itself included, [U, M]."""
        found: Reals = (self._member @ values)[self.link.home]
        return found

    def _weaker(self, values: Reals) -> Reals:
        """Sums over the weaker users of the own cell, on each subchannel."""
        sorted_values, sums = np.take(values, self._order), np.empty(values.shape)
        for cell in self._cells:
            inside = sums[cell]
            inside[:1] = 0.0
            np.cumsum(sorted_values[cell][:-1], axis=0, out=inside[1:])
        return np.take(sums, self._back)

    def _stronger(self, values: Reals) -> Reals:
        """Sums over the stronger users of the own cell, on each subchannel."""
        sorted_values, sums = np.take(values, self._order), np.empty(values.shape)
        for cell in self._cells:
            inside = sums[cell][::-1]
            inside[:1] = 0.0
            np.cumsum(sorted_values[cell][:0:-1], axis=0, out=inside[1:])
        return np.take(sums, self._back)

    def _add_up(self, found: Reals, values: Reals) -> None:
        """Add, for each user, the values of users of other cells times their gain to its home."""
        if len(self.across) > 1:
            found += np.einsum("nim,im->nm", self.across, values)[self.link.home]

    def _add_down(self, found: Reals, values: Reals) -> None:
        """Add, for each user, the sums of other cells times the gain from there to it."""
        if len(self.across) > 1:
            found += np.einsum("nim,nm->im", self.across, self._member @ values)


@dataclass(frozen=True, slots=True, eq=False)
class Load:
    """What the users send on a link, in bit, and their weights; [U] each."""

    size: Reals
    time_weight: Reals
    energy_weight: Reals


@dataclass(slots=True, eq=False)
class Point:
    """Shares and powers in W [U, M] on a link; `value` is what sending costs, infinite where
    something is sent at rate 0.
    """

    sharing: Sharing
    load: Load
    beta: Reals
    power: Reals
    value: float = field(init=False)
    _heard: Reals = field(init=False)
    _nats: Reals = field(init=False)
    _rate: Reals = field(init=False)
    _paid: Reals = field(init=False)

    def __post_init__(self) -> None:
        load = self.load
        sent = self.beta * self.power
        self._heard = self.sharing.heard(sent)
        ratio = self.power * self.sharing.link.own
        ratio /= self._heard
        self._nats = np.log1p(ratio, out=ratio)
        rate = self.sharing.link.nats_to_bits * np.einsum("im,im->i", self.beta, self._nats)
        weight = load.size * (load.time_weight + load.energy_weight * sent.sum(axis=1))
        paid = np.divide(weight, rate, out=np.full(len(rate), np.inf), where=rate > 0.0)
        self._rate, self._paid = rate, np.where(load.size > 0.0, paid, 0.0)
        self.value = float(self._paid.sum())

    def gradient(self) -> tuple[Reals, Reals]:
        """Of the value in shares and in powers, [U, M] each."""
        load, own = self.load, self.sharing.link.own
        sends = load.size > 0.0
        zero = np.zeros(len(sends))
        per_nat = np.divide(self._paid, self._rate, out=zero.copy(), where=sends)
        per_nat *= self.sharing.link.nats_to_bits
        per_watt = np.divide(load.size * load.energy_weight, self._rate, out=zero, where=sends)
        weight = self.power * own
        weight += self._heard
        np.divide(per_nat[:, None], weight, out=weight)
        weight *= own  # by how much the nats of the own rate, in cost, grow with a watt
        slope = weight * self.beta
        slope *= self.power
        slope /= self._heard
        felt = self.sharing.felt(slope)
        felt += per_watt[:, None]
        in_beta = felt * self.power
        in_beta -= per_nat[:, None] * self._nats
        felt -= weight
        felt *= self.beta
        return in_beta, felt
