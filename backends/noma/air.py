"""Split inference over NOMA: all subchannels of both links with everybody who may send there, and
the users of some of them taken together.

A channel is a subchannel of one link: 0..M-1 up, M..2M-1 down. Prices are per nat, (wT + wE p)/ln(1
+ SINR), and what a user costs at a price t is the least of some lines `constant + slope t`: up one
for each cut that may be the best, down one.
"""

from dataclasses import dataclass

import numpy as np

from mecdsl.backends.noma.closed_forms import envelope
from mecdsl.backends.noma.log_powers import Groups, heard, minimise, prices
from mecdsl.backends.noma.system import Form, Integers, Link, Reals, System, Way

OUTWARDS = 1e-9  # relative, by which prices that only cut off are moved


@dataclass(frozen=True, slots=True, eq=False)
class Lines:
    """Lines of each user, [U, L], those with the steepest slope first; behind the one with number
    `last` [U] it is repeated. `cut` [U, L]: which cut a line is.
    """

    constant: Reals
    slope: Reals
    last: Integers
    cut: Integers


def lower_lines(constant: Reals, slope: Reals) -> Lines:
    """The lines on the lower envelope of those of each user, given as [U, any number]."""
    on = envelope(constant, slope)
    last = on.sum(axis=1) - 1
    order = np.argsort(np.where(on, -slope, np.inf), axis=1, kind="stable")
    place = np.minimum(np.arange(1 + int(last.max(initial=0))), last[:, None])
    cut = np.take_along_axis(order, place, axis=1)
    return Lines(
        np.take_along_axis(constant, cut, axis=1),
        np.take_along_axis(slope, cut, axis=1),
        last.astype(np.int64),
        cut.astype(np.int64),
    )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Air:
    """C = 2M channels. `gain` [C, U, U], over the noise in 1/W: what a watt of user j adds at the
    receiver of user i; the signal on the diagonal. `home` [U]; `time_weight`, `energy_weight` [U];
    `least`, `most` [C] in W; `lines` of the two links; `oma`: users of a cell share a channel.
    """

    gain: Reals
    home: Integers
    time_weight: Reals
    energy_weight: Reals
    least: Reals
    most: Reals
    lines: tuple[Lines, Lines]
    oma: bool

    @property
    def shape(self) -> tuple[int, int]:
        """Channels and users."""
        return self.gain.shape[0], self.gain.shape[1]

    def groups(self, channel: Integers, members: Integers) -> Groups:
        """Some users on a channel, all with load 1: channels [B], members [B, n]."""
        gain = self.gain[channel[:, None, None], members[:, :, None], members[:, None, :]]
        cell = self.home[members]
        sharers = np.ones(members.shape)
        if self.oma:
            sharers = (cell[:, :, None] == cell[:, None, :]).sum(axis=2).astype(np.float64)
        return Groups(
            cross=gain * ~np.eye(members.shape[1], dtype=np.bool_),
            own=np.einsum("bii->bi", gain) * sharers,
            fixed=self.time_weight[members] * sharers,
            per_watt=self.energy_weight[members] * sharers,
            least=np.broadcast_to(self.least[channel, None], members.shape),
            most=np.broadcast_to(self.most[channel, None], members.shape),
        )


def air(system: System, form: Form, constant: Reals, load: Reals) -> Air:
    """The channels of a problem; `constant` and `load` [U, cuts]: what each cut that is allowed
    costs without the links, and what it sends in bit.
    """
    weightless = (system.time_weight == 0.0) & (system.energy_weight == 0.0)
    up = np.where(weightless[:, None], 0.0, load) / system.uplink.nats_to_bits
    down = np.where(weightless, 0.0, system.result_size) / system.downlink.nats_to_bits
    subchannels = system.shape[2]
    return Air(
        gain=np.concatenate([_gains(link, form.oma) for link in system.links]),
        home=system.home,
        time_weight=system.time_weight,
        energy_weight=system.energy_weight,
        least=np.repeat([link.power_min for link in system.links], subchannels),
        most=np.repeat([link.power_max for link in system.links], subchannels),
        lines=(
            lower_lines(constant, up),
            lower_lines(np.zeros((len(down), 1)), down[:, None]),
        ),
        oma=form.oma,
    )


def scaled(factor: Reals, amount: Reals) -> Reals:
    """A product, where nothing times infinity is nothing."""
    shape = np.broadcast_shapes(factor.shape, amount.shape)
    return np.multiply(factor, amount, out=np.zeros(shape), where=factor > 0.0)


def _gains(link: Link, oma: bool) -> Reals:
    """[M, U, U] of one link."""
    users = link.shape[1]
    over_noise = np.moveaxis(link.gain, 2, 0) / link.noise  # [M, N, U]
    up = link.way is Way.UP
    across = over_noise[:, link.home, :]  # what access point of i hears from j, or the reverse
    across = across if up else np.swapaxes(across, 1, 2)
    own = link.own.T
    order = np.argsort(own, axis=1, kind="stable")
    rank = np.empty_like(order)
    np.put_along_axis(rank, order, np.arange(users)[None, :], axis=1)
    weaker = rank[:, None, :] < rank[:, :, None]  # j than i
    stronger = rank[:, None, :] > rank[:, :, None]
    inside = own[:, None, :] * weaker if up else own[:, :, None] * stronger
    same = link.home[:, None] == link.home[None, :]
    found = np.where(same, 0.0 if oma else inside, across)
    found[:, np.arange(users), np.arange(users)] = own
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Alone:
    """Users alone on each channel, [C, U]: the best power, its price, and a bound on the price;
    infinite where the box is empty.
    """

    power: Reals
    price: Reals
    bound: Reals


def alone(medium: Air) -> Alone:
    """The least price of each user on each channel; company only raises it."""
    channels, users = medium.shape
    channel = np.repeat(np.arange(channels), users)
    groups = medium.groups(channel, np.tile(np.arange(users), channels)[:, None])
    empty = (groups.least > groups.most).any(axis=1)
    weightless = (groups.fixed + groups.per_watt == 0.0)[:, 0]
    solved = np.flatnonzero(~empty & ~weightless)
    power, price = groups.least[:, 0].copy(), np.where(empty, np.inf, 0.0)
    bound = price.copy()
    part = groups.part(solved)
    part = with_floor(part, prices(part, part.most))
    best = minimise(part, part.most, np.full(len(solved), np.inf))
    power[solved], price[solved], bound[solved] = best.power[:, 0], best.value, best.bound
    shape = (channels, users)
    return Alone(power.reshape(shape), price.reshape(shape), bound.reshape(shape))


def with_floor(groups: Groups, price: Reals) -> Groups:
    """The same groups with the powers left out at which a user's price exceeds one that is given
    [B, n], whatever the others do; infinite leaves out nothing.
    """
    around = heard(groups, groups.least)
    with np.errstate(divide="ignore", over="ignore"):
        nats = groups.fixed / (price * (1.0 + OUTWARDS))
        least = np.expm1(nats) * around / groups.own * (1.0 - OUTWARDS)
    return Groups(
        cross=groups.cross,
        own=groups.own,
        fixed=groups.fixed,
        per_watt=groups.per_watt,
        least=np.clip(least, groups.least, groups.most),
        most=groups.most,
    )
