"""The optimum of problem (18) of the NOMA paper by enumeration, for the tests: all subchannels of all
sets of users that send, and for each of them a grid of powers from which SciPy goes on. The rates
are written out user by user, apart from the algorithms.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.optimize import Bounds, minimize

from mecdsl.backends.noma.closed_forms import best_units, computing_cost
from mecdsl.backends.noma.system import NONE, Form, Integers, Link, Reals, System, Way


def oracle_prices(link: Link, system: System, oma: bool, on: Integers, power: Reals) -> Reals:
    """(wT + wE p)/R of each user at powers [.., U]; users with `NONE` do not send, and pay 0."""
    found = np.zeros(power.shape)
    for i, m in enumerate(on):
        if m == NONE:
            continue
        heard = np.full(power.shape[:-1], link.noise)
        sharers = 0
        own = link.gain[system.home[i], i, m]
        for v, other in enumerate(on):
            if other != m:
                continue
            same = system.home[v] == system.home[i]
            sharers += int(same)
            rank = (link.gain[system.home[v], v, m], v)
            if not same and link.way is Way.UP:
                heard = heard + power[..., v] * link.gain[system.home[i], v, m]
            elif not same:
                heard = heard + power[..., v] * link.gain[system.home[v], i, m]
            elif oma or v == i:
                continue
            elif link.way is Way.UP and rank < (own, i):
                heard = heard + power[..., v] * rank[0]
            elif link.way is Way.DOWN and rank > (own, i):
                heard = heard + power[..., v] * own
        k = sharers if oma else 1
        width = link.bandwidth / link.shape[2]
        rate = width / k * np.log2(1.0 + k * power[..., i] * own / heard)
        paid = system.time_weight[i] + system.energy_weight[i] * power[..., i]
        found[..., i] = paid / rate
    return found


@dataclass(frozen=True)
class Oracle:
    """The least cost of every link and set of active users by enumeration."""

    system: System
    form: Form

    def optimum(self) -> float:
        users = self.system.shape[1]
        fixed = computing_cost(self.system, best_units(self.system))
        if not self.form.silent:
            return self.link(0, range(users)) + self.link(1, range(users))
        best = np.inf
        for active in product((False, True), repeat=users):
            inside = [user for user, sends in enumerate(active) if sends]
            local = float(fixed[~np.array(active), -1].sum())
            best = min(best, local + self.link(0, inside) + self.link(1, inside))
        return best

    def link(self, way: int, active: Sequence[int]) -> float:
        """The least cost of what is sent on a link over all assignments."""
        _, users, subchannels = self.system.shape
        best = np.inf
        for choice in product(range(subchannels), repeat=len(active)):
            on = np.full(users, NONE, dtype=np.int64)
            on[list(active)] = choice
            if self.keeps_cap(on):
                best = min(best, self.powers(way, on))
        return best

    def keeps_cap(self, on: Integers) -> bool:
        access_points, _, subchannels = self.system.shape
        most = self.system.users_per_subchannel_max
        return all(
            ((on == m) & (self.system.home == n)).sum() <= most
            for n in range(access_points)
            for m in range(subchannels)
        )

    def cost(self, way: int, on: Integers, power: Reals) -> Reals:
        """The cost of a link with the best cuts, at powers [.., U]."""
        price = oracle_prices(self.system.links[way], self.system, self.form.oma, on, power)
        if way == 1:
            paid = self.system.result_size * price
        else:
            fixed = computing_cost(self.system, best_units(self.system))
            cuts = slice(0, self.system.layers) if self.form.silent else slice(None)
            lines = fixed[:, cuts] + self.system.cut_size[:, cuts] * price[..., None]
            paid = lines.min(axis=-1)
        found: Reals = np.where(on != NONE, paid, 0.0).sum(axis=-1)
        return found

    def powers(self, way: int, on: Integers) -> float:
        """The least cost over the powers: a fine grid, then a local search from its best points."""
        link, active = self.system.links[way], np.flatnonzero(on != NONE)
        if not len(active):
            return 0.0
        low, high = np.log(max(link.power_min, 1e-12 * link.power_max)), np.log(link.power_max)
        axis = np.linspace(low, high, 25 if len(active) < 3 else 11)
        grid = np.stack(np.meshgrid(*[axis] * len(active), indexing="ij"), -1)
        grid = grid.reshape(-1, len(active))

        def cost(logarithms: Reals) -> Reals:
            power = np.zeros((*logarithms.shape[:-1], len(on)))
            power[..., active] = np.exp(logarithms)
            return self.cost(way, on, power)

        def single(logarithms: Reals) -> float:
            return float(cost(logarithms))

        found = cost(grid)
        best = float(found.min())
        for start in grid[np.argsort(found)[:2]]:
            ending = minimize(
                single,
                start,
                method="L-BFGS-B",
                bounds=Bounds(np.full(len(active), low), np.full(len(active), high)),
                options={"ftol": 1e-15, "gtol": 1e-10},
            )
            best = min(best, float(ending.fun))
        return best
