"""Split inference over NOMA: the dynamic programme over subchannels and sets of users, where costs
of sets are known between two bounds.

Source: notes to the paper; up(Q), down(Q), the least cost of the users Q on a link, and what the
users that are left out cost on their devices add up.

Few sets are ever looked at closely. Alone on a subchannel a user pays least, which bounds the cost
of every set; the programme over bounds says which sets may be part of a cheaper plan than the best
one that is known, and only those are solved. Interference makes costs superadditive, since in
smaller company every user pays less at the same powers: a set costs no less than two parts of it
together, and no less than the sum over the sets with one user less, divided by n - 1, in which
each of its n users counts once. So what is found of small sets lifts larger ones.
"""

from dataclasses import dataclass

import numpy as np

from mecdsl.backends.noma.air import Air, alone, scaled
from mecdsl.backends.noma.cluster import clusters, least_costs
from mecdsl.backends.noma.subsets import Subsets, others, partition, prefixes
from mecdsl.backends.noma.system import Integers, Reals, System

BATCH = 512  # clusters that are solved at a time
LEAST = 128  # in a round of the programme at least
PAIRS = 2048  # pairs of sets in the programme for which one more is solved in a round
EPSILON = 2.0**-53


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """The set of users on each channel [C], None without a plan, the cost of the plan, and a bound
    on the optimum.
    """

    chosen: Integers | None
    cost: float
    bound: float


class Programme:
    """What is known of all sets on all channels, [C, 2^U]: `bound` on the cost, `cost` of the best
    point, and whether a set is `closed`, that is solved or out. `left` [2^U]: what the users that
    no channel has cost on their devices. `solved`, `nodes`: how many sets were solved, and how many
    convex problems in them.
    """

    def __init__(self, system: System, medium: Air, left: Reals) -> None:
        self.medium, self.left = medium, left
        self.lone = alone(medium)
        self.sets = Subsets(medium.shape[1])
        self.powers: dict[tuple[int, int], Reals] = {}
        self.solved = self.nodes = 0
        self.bound, cost = (self._summed(price) for price in (self.lone.bound, self.lone.price))
        homes = system.home[:, None] == np.arange(system.shape[0])
        crowded = (self.sets.bits @ homes > system.users_per_subchannel_max).any(axis=1)
        self.bound[:, crowded] = np.inf
        self.cost = np.where(np.isfinite(self.bound) & (self.sets.sizes <= 1), cost, np.inf)
        self.closed = np.isinf(self.bound) | (self.sets.sizes <= 1)
        self.lift()

    def _summed(self, price: Reals) -> Reals:
        """What sets would cost with every user at its price [C, U]."""
        found = []
        for lines, part in zip(self.medium.lines, np.split(price, 2), strict=True):
            lines_at = lines.constant + scaled(lines.slope, part[..., None])
            cost = np.where(np.isinf(part), np.inf, lines_at.min(axis=2))
            found.append(scaled(self.sets.bits[:, None, :], cost).sum(axis=2).T)
        return np.concatenate(found)

    def lift(self) -> None:
        """Raise the bounds of sets by those of their subsets, the small ones first."""
        for size in range(2, self.medium.shape[1] + 1):
            of_size = np.flatnonzero(self.sets.sizes == size)
            members = self.sets.members(of_size, size)
            smaller = self.bound[:, of_size[:, None] ^ (1 << members)]
            single = self.bound[:, 1 << members]
            mean = smaller.sum(axis=2) / (size - 1)
            parted = (smaller + single).max(axis=2)
            lifted = np.maximum(mean, parted)
            self.bound[:, of_size] = np.maximum(self.bound[:, of_size], lifted)

    def standing(self) -> Standing:
        """The best plan of what is solved, and the bound."""
        cost, chosen = self._best(self.cost)
        bound, _ = self._best(self.bound)
        # every sum of the programme and of `lift` is of terms >= 0, each rounded once
        users, channels = self.medium.shape[1], self.medium.shape[0]
        doubt = EPSILON * (users * (users + 1) + 2 * channels + users + 16)
        return Standing(chosen, cost, min(bound * (1.0 - doubt), cost))

    def _best(self, costs: Reals) -> tuple[float, Integers | None]:
        ways = np.split(costs, 2)
        sums = [prefixes(self.sets, way) for way in ways]
        totals = sums[0][-1] + sums[1][-1] + self.left[::-1]
        whole = int(np.argmin(totals))
        if not np.isfinite(totals[whole]):
            return float(totals[whole]), None
        parts = [partition(self.sets, *part, whole) for part in zip(ways, sums, strict=True)]
        return float(totals[whole]), np.concatenate(parts)

    def rest(self) -> Reals:
        """A bound on what everything else costs where a channel gets a set, [C, 2^U]."""
        ways = np.split(self.bound, 2)
        totals = [prefixes(self.sets, way)[-1] for way in ways]
        # by the set that a link leaves out: the other link leaves it out too
        ends = [totals[1][::-1] + self.left, totals[0][::-1] + self.left]
        return np.concatenate([others(self.sets, *both) for both in zip(ways, ends, strict=True)])

    def promising(self, goal: float) -> tuple[Integers, Integers, Reals]:
        """The best of the channels and sets that may be part of a plan cheaper than a goal, and the
        cost from which on each of them is of no use.
        """
        rest = self.rest()
        total = np.where(self.closed, np.inf, self.bound + rest)
        flat = total.ravel()
        most = min(max(LEAST, 3**self.sets.users // PAIRS), flat.size)
        first = np.argpartition(flat, most - 1)[:most]
        first = first[flat[first] < goal]
        channel, chosen = np.unravel_index(first, total.shape)
        return channel, chosen, goal - rest[channel, chosen]

    def solve(
        self, channel: Integers, chosen: Integers, target: Reals, gap: float, deadline: float
    ) -> None:
        """Solve sets on channels until their bounds reach a target; past the deadline, which is
        looked at every few sets, only find what they cost at some powers.
        """
        sizes = self.sets.sizes[chosen]
        for size in np.unique(sizes):
            rows = np.flatnonzero(sizes == size)
            for part in np.split(rows, range(BATCH, len(rows), BATCH)):
                wanted = channel[part], chosen[part]
                self._solve(wanted, int(size), target[part], gap, deadline)
        self.lift()

    def _solve(
        self, at: tuple[Integers, Integers], size: int, target: Reals, gap: float, deadline: float
    ) -> None:
        """The same of a few sets of one size."""
        wanted = clusters(self.medium, self.lone, at[0], self.sets.members(at[1], size))
        found = least_costs(wanted, target, gap, deadline)
        self.bound[at] = np.maximum(self.bound[at], found.bound)
        for row in np.flatnonzero(found.cost < self.cost[at]):
            self.powers[int(at[0][row]), int(at[1][row])] = found.power[row]
        self.cost[at] = np.minimum(self.cost[at], found.cost)
        self.closed[at] = found.finished
        self.solved += int(found.finished.sum())
        self.nodes += found.nodes

    def members(self, chosen: int) -> Integers:
        """The users of a set."""
        found: Integers = self.sets.members(np.array([chosen]), int(self.sets.sizes[chosen]))[0]
        return found

    def power(self, channel: int, chosen: int) -> Reals:
        """The powers of a set on a channel in W, by user."""
        alone_there: Reals = self.lone.power[channel, self.members(chosen)]
        return self.powers.get((channel, chosen), alone_there)
