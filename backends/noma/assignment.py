"""Split inference over NOMA: subchannels by assignment problems, one for each access point and
link.
"""

import numpy as np
from scipy.optimize import linear_sum_assignment

from mecdsl.backends.noma.closed_forms import (
    best_units,
    computing_cost,
    cut_costs,
    least_prices,
    lone_prices,
)
from mecdsl.backends.noma.system import NONE, Flags, Form, Integers, Link, Reals, System

FAR = 1e6  # stands for a score that is infinite; scores are logarithms or shares


def assign(system: System, scores: Reals, copies: Integers, candidates: Flags) -> Integers:
    """The subchannel of each candidate with the least sum of scores [U, M], `NONE` for others;
    `copies` [N]: how many users of an access point may have the same.
    """
    found = np.full(system.shape[1], NONE, dtype=np.int64)
    subchannels = system.shape[2]
    for n in range(system.shape[0]):
        members = np.flatnonzero(candidates & (system.home == n))
        if len(members):
            own = np.clip(np.tile(scores[members], (1, int(copies[n]))), -FAR, FAR)
            rows, columns = linear_sum_assignment(own)
            found[members[rows]] = columns % subchannels
    return found


def candidates(system: System, form: Form) -> Flags:
    """Who may send: all, or with more users than places in a cell (form `silent`) those who would
    save most if they were alone; nobody where a box of powers is empty.
    """
    users = system.shape[1]
    if any(link.power_min > link.power_max for link in system.links):
        return np.zeros(users, dtype=np.bool_)
    if not system.crowded.any():
        return np.ones(users, dtype=np.bool_)
    fixed = computing_cost(system, best_units(system))
    costs = cut_costs(system, form, fixed, *(least_prices(system, link) for link in system.links))
    saved = costs[:, -1] - costs[:, :-1].min(axis=1)
    order = np.lexsort((-saved, system.home))
    starts = np.concatenate([[0], np.cumsum(system.cell_sizes)[:-1]])
    rank = np.empty(users, dtype=np.int64)
    rank[order] = np.arange(users) - starts[system.home[order]]
    return rank < system.users_per_subchannel_max * system.shape[2]


def rounded(system: System, form: Form, shares: tuple[Reals, Reals]) -> tuple[Integers, Integers]:
    """Subchannels up and down with the largest sum of shares [U, M] that keep K."""
    copies = np.minimum(system.users_per_subchannel_max, system.cell_sizes)
    chosen = candidates(system, form)
    up, down = (assign(system, -share, copies, chosen) for share in shares)
    return up, down


def greedy_channels(system: System, chosen: Flags) -> tuple[Integers, Integers]:
    """Subchannels up and down with the least product of prices that each user would pay alone,
    spread as evenly over the subchannels as can be.
    """
    sizes = np.bincount(system.home[chosen], minlength=system.shape[0])
    copies = -(-sizes // system.shape[2])
    up, down = (assign(system, _log_prices(system, link), copies, chosen) for link in system.links)
    return up, down


def _log_prices(system: System, link: Link, rows: int = 1024) -> Reals:
    """ln t [U, M], a few users at a time: Lambert's W is computed with complex numbers."""
    found = np.empty(system.shape[1:])
    for start in range(0, len(found), rows):
        part = slice(start, start + rows)
        with np.errstate(divide="ignore"):
            found[part] = np.log(lone_prices(system, link, part))
    return found
