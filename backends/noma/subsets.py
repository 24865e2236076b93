"""Sets of users as bits of a number, and sums of costs over disjoint sets.

Over all U users there are 2^U sets and 3^U pairs of a set and one of its subsets.
"""

from dataclasses import dataclass, field
from functools import cache

import numpy as np

from mecdsl.backends.noma.system import Integers, Reals

LOW = 8  # users whose pairs of sets are held in a table


@dataclass(frozen=True, slots=True, eq=False)
class _Pairs:
    """All pairs of a set and a subset of a few users, set by set: the subset, what it leaves, and
    where the pairs of each set begin.
    """

    part: Integers
    rest: Integers
    begin: Integers


@cache
def _pairs(users: int) -> _Pairs:
    part, whole = np.zeros(1, dtype=np.int64), np.zeros(1, dtype=np.int64)
    for user in range(users):
        bit = 1 << user
        part = np.concatenate([part, part, part + bit])
        whole = np.concatenate([whole, whole + bit, whole + bit])
    order = np.argsort(whole, kind="stable")
    begin = np.flatnonzero(np.diff(whole[order], prepend=-1))
    return _Pairs(part[order], (whole - part)[order], begin)


@dataclass(frozen=True, slots=True, eq=False)
class Subsets:
    """All sets of `users` users. Derived: `bits` [2^U, U], 1.0 where a user is in a set, and
    `sizes` [2^U].
    """

    users: int
    bits: Reals = field(init=False)
    sizes: Integers = field(init=False)

    def __post_init__(self) -> None:
        bits = (np.arange(1 << self.users)[:, None] >> np.arange(self.users)) & 1
        object.__setattr__(self, "bits", bits.astype(np.float64))
        object.__setattr__(self, "sizes", bits.sum(axis=1))

    @property
    def count(self) -> int:
        """2^U."""
        return len(self.sizes)

    def combined(self, one: Reals, other: Reals) -> Reals:
        """The least sum of both over all ways to part each set into two, [2^U].

        The pairs of sets of the first users are gathered once and added for every pair of sets of
        the others.
        """
        pairs = _pairs(min(self.users, LOW))
        ones = one.reshape(-1, len(pairs.begin))[:, pairs.part]
        rests = other.reshape(-1, len(pairs.begin))[:, pairs.rest]
        found = np.empty((len(ones), len(pairs.begin)))
        for whole in range(len(ones)):
            part = whole
            sums = ones[whole] + rests[0]
            while part:
                part = (part - 1) & whole
                np.minimum(sums, ones[part] + rests[whole ^ part], out=sums)
            found[whole] = np.minimum.reduceat(sums, pairs.begin)
        return found.ravel()

    def parted(self, one: Reals, other: Reals, whole: int) -> int:
        """The subset of a set that `one` counts in its least sum."""
        every = np.arange(self.count)
        parts = every[every & ~whole == 0]
        return int(parts[np.argmin(one[parts] + other[whole ^ parts])])

    def members(self, sets: Integers, size: int) -> Integers:
        """The users of sets of one size, [sets, size]."""
        return np.nonzero(self.bits[sets])[1].reshape(len(sets), size)

    def nothing(self) -> Reals:
        """The cost of a part that may only be empty."""
        found = np.full(self.count, np.inf)
        found[0] = 0.0
        return found


def prefixes(sets: Subsets, costs: Reals) -> list[Reals]:
    """The least sums over the first 0, 1, .. of some parts [P, 2^U], each of which gets a set."""
    found = [sets.nothing()]
    for cost in costs:
        found.append(sets.combined(cost, found[-1]))
    return found


def partition(sets: Subsets, costs: Reals, sums: list[Reals], whole: int) -> Integers:
    """Which set each part gets in the least sum over all parts [P], by the prefixes."""
    found = np.zeros(len(costs), dtype=np.int64)
    for part in reversed(range(len(costs))):
        found[part] = sets.parted(costs[part], sums[part], whole)
        whole ^= int(found[part])
    return found


def others(sets: Subsets, costs: Reals, end: Reals) -> Reals:
    """The least that everything else costs where part p gets set S, [P, 2^U]; `end` [2^U]: what is
    paid for the set of users that no part gets.
    """
    before = prefixes(sets, costs)
    after = prefixes(sets, costs[::-1])[::-1]
    found = np.empty_like(costs)
    for part in range(len(costs)):
        around = sets.combined(before[part], after[part + 1])
        found[part] = sets.combined(around, end)[::-1]  # of the complement
    return found
