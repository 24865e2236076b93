"""Cooperative computing: the depth subproblem (21), and which depths an optimum can do without.

Source: `mecdsl.backends.cooperative.system`. In (21) the size S_m is a common factor and A_mn does
not depend on k, so one depth per server is best for all its tasks: O(NK), not the loop over tasks
of Algorithm 3.
"""

import numpy as np

from mecdsl.backends.cooperative.system import Flags, Integers, Layers, Limits, Reals, System, ratio


def unit_times(system: System) -> Reals:
    """Seconds per bit of processing and of forwarding, p_n^k / F_n and r_n^k / C_n, [N, K, 2]."""
    work = ratio(system.cumulative_work, system.server_cpu[:, None])
    forward = ratio(system.output_ratio, system.capacity[:, None])
    return np.stack([work, forward], axis=2)


def best_depth(system: System) -> Integers:
    """k*_n of (21), 1-based, [N]: least unshared time per bit, the smallest depth on ties."""
    total = unit_times(system).sum(axis=2)
    best: Integers = np.argmin(total, axis=1).astype(np.int64) + 1
    return best


def uniform_is_optimal(system: System) -> Flags:
    """Servers at which k*_n for all tasks is optimal, whatever the tasks and whichever of C9, C10,
    L hold, [N].

    Let u_k be the square roots of `unit_times`. For any weights w > 0 of the tasks, processing and
    forwarding cost the square of sum_m w_m sqrt(S_m) u_k(m), a positive number times the squared
    length of a point in the convex hull of the u_k. It is least at u_k* exactly where u_k* . u_k >=
    |u_k*|^2 for all k. That holds for every term of the concave dual of the allocation and of its
    certificate, hence for cost and feasibility.
    """
    times = unit_times(system)
    roots = np.sqrt(np.where(np.isfinite(times), times, 0.0))
    best = best_depth(system) - 1
    chosen = roots[np.arange(len(best)), best]
    reach = np.einsum("nj,nkj->nk", chosen, roots)
    possible: Flags = np.all(np.isfinite(times), axis=2)
    square = (chosen**2).sum(axis=1)
    found: Flags = np.all((reach >= square[:, None]) | ~possible, axis=1)
    return found & possible[np.arange(len(best)), best]


def useful_depths(system: System, layers: Layers) -> Flags:
    """Depths that some optimum uses, [N, K]: k*_n alone, or all that no other depth matches in both
    times.
    """
    best = np.zeros(system.output_ratio.shape, dtype=np.bool_)
    best[np.arange(len(best)), best_depth(system) - 1] = True
    if layers is Layers.SEARCHED:
        return best
    times = unit_times(system)
    no_worse = np.all(
        times[:, :, None] <= times[:, None, :], axis=3
    )  # [n, k, l]: k at least as good as l
    better = np.any(times[:, :, None] < times[:, None, :], axis=3)
    depths = np.arange(times.shape[1])
    earlier = depths[:, None] < depths[None, :]
    beaten = np.any(no_worse & (better | earlier), axis=1)
    return np.where(uniform_is_optimal(system)[:, None], best, ~beaten)


def options(system: System, limits: Limits, layers: Layers) -> Flags:
    """Task, server and depth that may be chosen, [M, N, K]: possible alone, and of use."""
    return system.possible(limits) & useful_depths(system, layers)[None]
