"""Split inference over NOMA: what has a closed form, and the bound that follows from it.

Symbols as in `mecdsl.backends.noma.system`. A price t in 1/bit is what a bit costs on a link,
(wT + wE p)/R, so that a user costs `a + w t_up + m t_down`, where `a` is what does not depend on
the links.
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import lambertw

from mecdsl.backends.noma.system import Flags, Form, Integers, Link, Reals, System

SMALL = 1e-4  # below it Lambert's W is so near its branch point that digits are lost
ROUNDING = 1e-12  # by how much a bound is lowered, relative


def best_units(system: System) -> Reals:
    """Edge units r of each user [U]: the speed L solves L^3 = wT/(2 wE xi phi), within its box; the
    same for every cut and load.
    """
    at = system.home
    per_cube = 2.0 * system.energy_weight
    per_cube = per_cube * (system.edge_capacitance * system.edge_cycles_per_flop)[at]
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        cube = np.where(per_cube > 0.0, system.time_weight / per_cube, np.inf)
        units = (np.cbrt(cube) / system.unit_speed[at]) ** (1.0 / system.edge_exponent)
    found: Reals = np.clip(units, system.edge_units_min, system.edge_units_max)
    return found


def edge_speed(system: System, units: Reals) -> Reals:
    """L in flop/s for edge units of each user, [U]."""
    found: Reals = units**system.edge_exponent * system.unit_speed[system.home]
    return found


def computing(system: System, units: Reals) -> tuple[Reals, Reals]:
    """Time in s and energy in J of device and edge for every cut, [U, F + 1] each."""
    speed, at = edge_speed(system, units)[:, None], system.home
    device = system.capacitance * system.cpu**2 * system.cycles_per_flop
    edge = (system.edge_capacitance * system.edge_cycles_per_flop)[at][:, None] * speed**2
    time = system.device_work / system.cpu[:, None] + system.edge_work / speed
    energy = device[:, None] * system.device_work + edge * system.edge_work
    return time, energy


def computing_cost(system: System, units: Reals) -> Reals:
    """`a`, the weighted sum of both, [U, F + 1]."""
    time, energy = computing(system, units)
    return system.time_weight[:, None] * time + system.energy_weight[:, None] * energy


def lone_power(
    gain: Reals, time_weight: ArrayLike, energy_weight: ArrayLike, least: float, most: float
) -> Reals:
    """The power in W that minimises (wT + wE p)/ln(1 + p gain) within a box; `gain` over what else
    is heard, in 1/W.

    1 + p gain = exp(1 + W((a - 1)/e)) with a = wT gain/wE, clipped, as the price is quasi-convex.
    """
    shape = np.broadcast_shapes(np.shape(gain), np.shape(time_weight), np.shape(energy_weight))
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        a = np.where(
            np.asarray(energy_weight) > 0.0, np.multiply(time_weight, gain) / energy_weight, np.inf
        )
        root = np.sqrt(2.0 * a)
        near = root * (1.0 + root * (-1.0 / 3.0 + root * (11.0 / 72.0 - root * 43.0 / 540.0)))
        far = 1.0 + lambertw((np.maximum(a, SMALL) - 1.0) / np.e, 0).real
        power = np.expm1(np.where(a < SMALL, near, far)) / gain
    free = np.isfinite(power) & (np.asarray(gain) > 0.0)
    clipped: Reals = np.clip(np.where(free, power, most), least, most)
    return np.broadcast_to(clipped, shape)


def price(
    link: Link, power: Reals, gain: Reals, time_weight: ArrayLike, energy_weight: ArrayLike
) -> Reals:
    """t in 1/bit at a power in W and a gain over what else is heard in 1/W; infinite at rate 0, but
    0 where nothing has a weight.
    """
    weighted: Reals = np.add(time_weight, np.multiply(energy_weight, power))
    rate = link.nats_to_bits * np.log1p(power * gain)
    found: Reals = np.where(weighted > 0.0, np.inf, 0.0)
    return np.divide(weighted, rate, out=found, where=(rate > 0.0) & (weighted > 0.0))


def lone_prices(system: System, link: Link, rows: slice = slice(None)) -> Reals:
    """The price of some users on every subchannel if nobody else sends there, [users, M]."""
    weights = system.time_weight[rows, None], system.energy_weight[rows, None]
    gain = link.own[rows]
    power = lone_power(gain, *weights, link.least_power, link.power_max)
    return price(link, power, gain, *weights)


def least_prices(system: System, link: Link) -> Reals:
    """A lower bound on the price of each user in any company, [U]: alone on its best subchannel.

    With wT = 0 and a box that begins at 0 that is the limit of power 0.
    """
    gain = link.own.max(axis=1, initial=0.0)
    weights = system.time_weight, system.energy_weight
    power = lone_power(gain, *weights, link.least_power, link.power_max)
    found = price(link, power, gain, *weights)
    if link.power_min > 0.0:
        return found
    with np.errstate(divide="ignore", invalid="ignore"):
        limit = np.where(system.energy_weight > 0.0, system.energy_weight / gain, 0.0)
    return np.where(system.time_weight > 0.0, found, limit / link.nats_to_bits)


def sending_cost(size: Reals, price_of_bit: Reals) -> Reals:
    """Size times price, 0 where there is nothing to send."""
    shape = np.broadcast_shapes(size.shape, price_of_bit.shape)
    return np.multiply(size, price_of_bit, out=np.zeros(shape), where=size > 0.0)


def cut_costs(system: System, form: Form, fixed: Reals, up: Reals, down: Reals) -> Reals:
    """The cost of every cut at given prices of a bit [U], [U, F + 1]; `fixed`: `a`. Who is silent
    at s = F pays no link.
    """
    sent = sending_cost(system.cut_size, up[:, None])
    sent += sending_cost(system.result_size, down)[:, None]
    if form.silent:
        sent[:, -1] = 0.0
    return fixed + sent


def choose_cuts(costs: Reals, common: bool) -> Integers:
    """The cheapest cut of each user, or the one with the best sum; the lowest on a tie."""
    if common:
        best = int(np.argmin(costs.sum(axis=0)))
        return np.full(len(costs), best, dtype=np.int64)
    found: Integers = np.argmin(costs, axis=1).astype(np.int64)
    return found


def envelope(fixed: Reals, size: Reals) -> Flags:
    """The cuts on the lower envelope of the lines `a_s + w_s t` over t >= 0 for each user,
    [U, F + 1]; others are never optimal. Of cuts that are the same line the lowest counts.

    A line is on it where an interval of t is left to it by all the others.
    """
    users, cuts = fixed.shape
    found = np.zeros((users, cuts), dtype=np.bool_)
    for s in range(cuts):
        rise, ahead = size[:, s, None] - size, fixed - fixed[:, s, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            crossing = ahead / rise  # a_s + w_s t <= a_o + w_o t where rise * t <= ahead
        most = np.where(rise > 0.0, crossing, np.inf).min(axis=1)
        least = np.where(rise < 0.0, crossing, 0.0).max(axis=1)
        same = rise == 0.0
        earlier = np.arange(cuts) < s
        beaten = (same & ((ahead < 0.0) | ((ahead == 0.0) & earlier))).any(axis=1)
        found[:, s] = (np.maximum(least, 0.0) <= most) & (most >= 0.0) & ~beaten
    return found


def lower_bound(system: System, form: Form) -> float:
    """A bound on the optimum at any size: every user alone on its best subchannel of each link,
    with the best power, edge units and cut.

    Interference and sharing only lower rates: (1/k) ln(1 + k x) falls with k.
    """
    fixed = computing_cost(system, best_units(system))
    prices = (least_prices(system, link) for link in system.links)
    costs = cut_costs(system, form, fixed, *prices)
    best = costs.sum(axis=0).min() if form.common else costs.min(axis=1).sum()
    return float(best) * (1.0 - ROUNDING)
