"""Fog nodes: the least energy of one node in one layer, and of the distribution, when their times
are given.

Source: problems (32) and (75) of the paper behind `mecdsl.backends.fog.system`, solved exactly. In
(32) node k has t_n seconds for its cycles and its exchanges. All of them see one price beta of a
second, the root of

    S(beta) = a d / f(beta) + sum over links of q d_n^x / (B x(P^c + beta)) = t_n,

and S decreases. In (75) the distribution has T = tau - sum t_n seconds; phi is the root of sum D_k
/ (B x_k(P^c_m + phi)) = T, or 0 where all fits at price 0. The values are convex; their derivatives
are the prices:

    dE/dt_n = -beta,  dE/dd_k = a rho(beta),  Hessian w (1, -a/f)(1, -a/f)',  w = -1 / S'(beta);
    dE/dT = -phi,  dE/dd_k = q d^x theta_k,  Hessian v (1, -u)(1, -u)',  u_k = q d^x / (B x_k).

Roots are found by Newton's method on ln S over ln beta. The bracket comes from sharing out the time
t_n above the shortest times: at the root some part has a third of it or more, and no part more than
all of it.
"""

from dataclasses import dataclass

import numpy as np

from mecdsl.backends.fog.prices import (
    cycle_price,
    efficiency_below,
    nat_price,
    power,
    second_price,
    time_slope,
)
from mecdsl.backends.fog.system import Integers, Reals, System

MOST_STEPS = 100
_ROUNDING = 1e-12  # relative, by which a time may fall short of the shortest
PARTS = 3.0  # computing, exchange above, exchange below


@dataclass(frozen=True, slots=True, eq=False)
class Fixed:
    """What does not change with rows and times: prices in W at which frequencies and powers are at
    their limits.

    `cycles` [K, 1], `links` [2, K, N] and `sends` [K], circuit power included.
    """

    cycles: Reals
    links: Reals
    sends: Reals


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Internal:
    """The optimum of (32): `beta` in W, `compute_time` tl in s and `frequency` in cycle/s [K, N];
    links [2, K, N]: `efficiency` x and `link_time` te in s; `value` in J, the sum over all;
    `curvature` w in W/s [K, N]."""

    beta: Reals
    frequency: Reals
    efficiency: Reals
    compute_time: Reals
    link_time: Reals
    value: float
    curvature: Reals


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Distribution:
    """The optimum of (75): `phi` in W, `efficiency` x and `time` tF in s [K], 0 at the master,
    `value` in J, `curvature` v in W/s, `row_price` q d^x theta in J and `row_time` u in s per row
    [K]."""

    phi: float
    efficiency: Reals
    time: Reals
    value: float
    curvature: float
    row_price: Reals
    row_time: Reals


def fixed(system: System) -> Fixed:
    """The prices at the limits."""
    one = np.ones(())
    return Fixed(
        cycles=(2.0 * system.capacitance * system.cpu_max**3)[:, None],
        links=system.link_scale * second_price(system.link_most, one),
        sends=system.send_scale * second_price(system.send_most, one),
    )


def internal(
    system: System, limits: Fixed, rows: Reals, times: Reals, guess: Reals | None = None
) -> Internal:
    """Solve (32) for `rows` d >= 0 [K] and layer `times` t in s [N]; `guess` of beta speeds it up.

    Raises ValueError where some node cannot keep its time even at full speed and power.
    """
    cycles = system.work * rows[:, None]
    low, high = _bracket(system, limits, cycles, times)
    beta, slope = _root(system, limits, cycles=cycles, times=times, low=low, high=high, guess=guess)
    efficiency = _efficiency(system, limits, beta)
    shortest = cycles / system.cpu_max[:, None]
    link_time = _times(system.link_nats, efficiency, system.bandwidth)
    # rounding of the root goes to the computing time, so that (22) holds with equality
    compute_time = np.maximum(times - link_time.sum(axis=0), shortest)
    frequency = np.divide(cycles, compute_time, out=np.zeros(cycles.shape), where=cycles > 0.0)
    circuits = system.circuit_power[:, None]
    spent = system.capacitance[:, None] * cycles * frequency**2
    radio = link_time * (power(efficiency, system.link_scale) + circuits)
    curvature = np.divide(
        -1.0, slope, out=np.zeros(slope.shape), where=(slope < 0.0) & (beta > 0.0)
    )
    return Internal(
        beta=beta,
        frequency=frequency,
        efficiency=efficiency,
        compute_time=compute_time,
        link_time=link_time,
        value=float(spent.sum() + radio.sum()),
        curvature=curvature,
    )


def row_prices(system: System, beta: Reals) -> Reals:
    """dE/dd of each node and layer, a rho(beta), in J per row [K, N]."""
    result: Reals = system.work * cycle_price(
        beta, system.capacitance[:, None], system.cpu_max[:, None]
    )
    return result


def distribution(system: System, limits: Fixed, rows: Reals, spare: float) -> Distribution:
    """Solve (75) for `rows` d >= 0 [K] when `spare` seconds are left for it.

    Raises ValueError where full power is too slow. With one node nothing is sent and the value is
    0.
    """
    circuit = float(system.circuit_power[system.master])
    nats = system.send_nats * rows + system.send_extra
    if system.shape[0] == 1:
        nothing = np.zeros(1)
        return Distribution(
            phi=0.0,
            efficiency=nothing,
            time=nothing,
            value=0.0,
            curvature=0.0,
            row_price=nothing,
            row_time=nothing,
        )
    phi = _distribution_price(system, limits, nats, spare, circuit)
    price = np.full(rows.shape, circuit + phi)
    efficiency = efficiency_below(price, system.send_scale, system.send_most, limits.sends)
    time = _times(nats, efficiency, system.bandwidth)
    slope = float(
        time_slope(nats, efficiency, system.send_scale, system.send_most, system.bandwidth).sum()
    )
    radio = power(efficiency, system.send_scale)
    return Distribution(
        phi=phi,
        efficiency=np.where(nats > 0.0, efficiency, 0.0),
        time=time,
        value=float((time * (radio + circuit)).sum()),
        curvature=-1.0 / slope if phi > 0.0 and slope < 0.0 else 0.0,
        row_price=system.send_nats
        * nat_price(price, efficiency, system.send_scale, system.bandwidth),
        row_time=_times(system.send_nats, efficiency, system.bandwidth),
    )


def _distribution_price(
    system: System, limits: Fixed, nats: Reals, spare: float, circuit: float
) -> float:
    """phi >= 0, by Newton's method on ln S over ln of the whole price."""
    at_full = _times(nats, system.send_most, system.bandwidth).sum()
    if not at_full <= spare * (1.0 + _ROUNDING):
        raise ValueError("the distribution has less time than it needs at full power")

    def measure(price: float) -> tuple[float, float]:
        whole = np.full(nats.shape, price)
        efficiency = efficiency_below(whole, system.send_scale, system.send_most, limits.sends)
        slopes = time_slope(nats, efficiency, system.send_scale, system.send_most, system.bandwidth)
        return float(_times(nats, efficiency, system.bandwidth).sum()), float(slopes.sum())

    if circuit > 0.0 and measure(circuit)[0] <= spare:
        return 0.0
    # every receiver gets its shortest time and a share of the rest: below this price none needs
    # more
    shortest = _times(nats, system.send_most, system.bandwidth)
    wanted = shortest * (spare / at_full)
    prices = _price_of_time(
        nats, wanted, system.send_scale, system.send_most, limits.sends, system.bandwidth
    )
    low, high = max(circuit, float(prices[nats > 0.0].min())), float(prices.max())
    price = high
    for _ in range(MOST_STEPS):
        used, slope = measure(price)
        low, high = (max(low, price), high) if used > spare else (low, min(high, price))
        miss = np.log(used / spare)
        step = -miss * used / (slope * price) if slope < 0.0 else np.nan
        following = price * np.exp(np.clip(step, -50.0, 50.0)) if np.isfinite(step) else np.nan
        if not low < following < high:
            following = np.sqrt(low * high) if low > 0.0 else 0.5 * high
        if abs(following - price) <= 1e-15 * price or abs(miss) <= 1e-15 or low >= high:
            break
        price = float(following)
    return max(price - circuit, 0.0)


def _bracket(system: System, limits: Fixed, cycles: Reals, times: Reals) -> tuple[Reals, Reals]:
    """Prices around every root of (32), [K, N] each; low is 0 where the root may be 0."""
    shortest = cycles / system.cpu_max[:, None]
    link_shortest = _times(system.link_nats, system.link_most, system.bandwidth)
    rest = times - shortest - system.least_exchange
    if np.any(rest < -_ROUNDING * times):
        raise ValueError("a layer has less time than a node needs at full speed and power")
    rest = np.maximum(rest, 0.0)
    circuits = system.circuit_power[:, None]
    bounds = []
    for share in (1.0, 1.0 / PARTS):
        computing = np.divide(
            cycles, shortest + share * rest, out=np.zeros(cycles.shape), where=cycles > 0.0
        )
        wanted = link_shortest + share * rest
        radio = _price_of_time(
            system.link_nats,
            wanted,
            system.link_scale,
            system.link_most,
            limits.links,
            system.bandwidth,
        )
        prices = np.maximum(
            2.0 * system.capacitance[:, None] * computing**3, (radio - circuits).max(axis=0)
        )
        bounds.append(np.maximum(prices, 0.0))
    # rounding of the two formulas must not cross the bounds
    return bounds[0] * (1.0 - 1e-12), bounds[1] * (1.0 + 1e-12)


@dataclass(frozen=True, slots=True, eq=False)
class _Parts:
    """Nodes and layers whose root is sought, as one axis [M]; links [2, M]."""

    bandwidth: float
    cycles: Reals
    times: Reals
    capacitance: Reals
    cpu_max: Reals
    circuits: Reals
    nats: Reals
    scale: Reals
    most: Reals
    full: Reals

    def part(self, chosen: Integers) -> "_Parts":
        """The chosen ones only."""
        arrays = (self.cycles, self.times, self.capacitance, self.cpu_max, self.circuits)
        of_links = (self.nats, self.scale, self.most, self.full)
        return _Parts(
            self.bandwidth,
            *(array[chosen] for array in arrays),
            *(array[:, chosen] for array in of_links),
        )

    def measure(self, beta: Reals) -> tuple[Reals, Reals]:
        """S(beta) in s and S'(beta) in s/W, [M]."""
        free = np.cbrt(beta / (2.0 * self.capacitance))
        speed = np.minimum(free, self.cpu_max)
        price = np.broadcast_to(beta + self.circuits, self.scale.shape)
        efficiency = efficiency_below(price, self.scale, self.most, self.full)
        radio = _times(self.nats, efficiency, self.bandwidth)
        slope = time_slope(self.nats, efficiency, self.scale, self.most, self.bandwidth).sum(axis=0)
        computing = np.zeros(beta.shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            np.divide(self.cycles, speed, out=computing, where=self.cycles > 0.0)
            slope -= np.where((beta > 0.0) & (free < self.cpu_max), computing / (3.0 * beta), 0.0)
        return computing + radio.sum(axis=0), slope


def _parts(system: System, limits: Fixed, cycles: Reals, times: Reals) -> _Parts:
    of_nodes = (
        times,
        system.capacitance[:, None],
        system.cpu_max[:, None],
        system.circuit_power[:, None],
    )
    flat = (np.ravel(np.broadcast_to(array, cycles.shape)) for array in (cycles, *of_nodes))
    of_links = (system.link_nats, system.link_scale, system.link_most, limits.links)
    return _Parts(system.bandwidth, *flat, *(array.reshape(2, -1) for array in of_links))


def _root(
    system: System,
    limits: Fixed,
    cycles: Reals,
    times: Reals,
    low: Reals,
    high: Reals,
    guess: Reals | None,
) -> tuple[Reals, Reals]:
    """Roots of S = t and S' there, [K, N] each; 0 where all fits at price 0.

    Only what is not settled goes on.
    """
    parts = _parts(system, limits, cycles, times)
    low, high = low.ravel(), high.ravel()
    beta = _between(low, high) if guess is None else np.clip(guess.ravel(), low, high)
    roots, slopes = np.zeros(beta.shape), np.zeros(beta.shape)
    place = np.arange(beta.size)
    for _ in range(MOST_STEPS):
        used, slope = parts.measure(beta)
        roots[place], slopes[place] = beta, slope
        late = used > parts.times
        low, high = (
            np.where(late, np.maximum(low, beta), low),
            np.where(late, high, np.minimum(high, beta)),
        )
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            miss = np.log(used / parts.times)
            following = beta * np.exp(-miss * used / (slope * beta))
        inside = (following > low) & (following < high)
        following = np.where(inside, following, _between(low, high))
        settled = (
            (np.abs(miss) <= 4e-15) | (np.abs(following - beta) <= 1e-14 * beta) | (high <= 1e-300)
        )
        left = np.flatnonzero(~settled)
        if left.size == 0:
            break
        place, low, high, beta, parts = (
            place[left],
            low[left],
            high[left],
            following[left],
            parts.part(left),
        )
    return roots.reshape(cycles.shape), slopes.reshape(cycles.shape)


def _between(low: Reals, high: Reals) -> Reals:
    """The geometric mean where the bracket is narrow enough, else a point well below `high`."""
    narrow = low > 1e-6 * high
    return np.where(narrow, np.sqrt(low * high), 1e-3 * high)


def _efficiency(system: System, limits: Fixed, beta: Reals) -> Reals:
    price = np.broadcast_to(beta + system.circuit_power[:, None], system.link_scale.shape)
    return efficiency_below(price, system.link_scale, system.link_most, limits.links)


def _times(nats: Reals, efficiency: Reals, bandwidth: float) -> Reals:
    """nats / (B x) in s, 0 where nothing is sent, infinite at x = 0."""
    result = np.zeros(np.broadcast(nats, efficiency).shape)
    with np.errstate(divide="ignore"):
        np.divide(nats, bandwidth * efficiency, out=result, where=nats > 0.0)
    return result


def _price_of_time(
    nats: Reals, time: Reals, scale: Reals, most: Reals, full: Reals, bandwidth: float
) -> Reals:
    """The price of a second at which nats take `time`, at most that at full power; 0 where nothing
    is sent.
    """
    wanted = np.zeros(np.broadcast(nats, time).shape)
    np.divide(nats, bandwidth * time, out=wanted, where=nats > 0.0)
    return np.where(
        wanted >= most, full, scale * second_price(np.minimum(wanted, most), np.ones(()))
    )
