"""Cooperative computing: the methods that the paper compares with, all heuristics.

Source: `mecdsl.backends.cooperative.system`, Section VII. None has a rule for a load limit.
`ihra_surrogate` and `eejs_surrogate` stand for methods of other papers with other problems and
reproduce neither; they are labelled so.
"""

from enum import Enum

import numpy as np

from mecdsl.backends.cooperative.depths import best_depth
from mecdsl.backends.cooperative.pa import (
    Rounding,
    allocated,
    places,
    relaxation_steps,
    shared,
    without_load,
)
from mecdsl.backends.cooperative.system import LOCAL, Integers, Limits, Plan, Reals, System, ratio
from mecdsl.solution import Termination


class Sharing(Enum):
    """How a server shares its resources."""

    EQUAL = "equal"
    OPTIMAL = "optimal"


def rlt0(system: System, limits: Limits, eps: float = 1e-3) -> Plan:
    """RLT-0: places of Algorithm 3, shares 1/iota - eps of the relaxation (27), clipped and scaled
    to sum 1.

    The iota of the relaxation are not unique, so neither is the result: it depends on the solver.
    """
    label = "cooperative-rlt0: shares of the relaxation (27), not unique"
    found = places(system, limits, Rounding.RELAXATION, eps)
    relaxation = found.relaxation
    if (
        found.server is None
        or found.depth is None
        or relaxation is None
        or relaxation.inverse is None
    ):
        return Plan(Termination.NOT_FOUND, label, message=found.message)
    raw = np.clip(1.0 / relaxation.inverse - eps, 0.0, 1.0)
    chosen = found.server[:, None] == np.arange(system.shape[1])[None, :]
    raw = np.where(chosen[:, :, None], raw, 0.0)
    totals = raw.sum(axis=0)
    shares = ratio(raw, np.broadcast_to(totals, raw.shape))
    steps = relaxation_steps(system, relaxation)
    return shared(
        system,
        limits,
        server=found.server,
        depth=found.depth,
        shares=shares,
        label=label,
        certificate={},
        bound=None,
        steps=steps,
    )


def equal(
    system: System, limits: Limits, rounding: Rounding = Rounding.RELAXATION, eps: float = 1e-3
) -> Plan:
    """ARA: places and depths of Algorithm 3, every task at a server with the same share of
    everything.
    """
    label = f"cooperative-equal: equal shares, places by {rounding.value}"
    found = places(system, limits, rounding, eps)
    if found.server is None or found.depth is None:
        return Plan(Termination.NOT_FOUND, label, message=found.message)
    return shared(
        system,
        limits,
        server=found.server,
        depth=found.depth,
        shares=equal_shares(system, found.server),
        label=label,
        certificate={},
    )


def nearest(system: System, limits: Limits, sharing: Sharing = Sharing.EQUAL) -> Plan:
    """MDO: every task at its nearest server, lowest number on ties, never local; depths by (21).

    The paper does not say how MDO shares resources: `equal`, or `optimal` by (30).
    """
    without_load(limits)
    label = f"cooperative-nearest: nearest server, {sharing.value} shares"
    tasks, servers, _ = system.shape
    if tasks and not servers:
        return Plan(Termination.NOT_FOUND, label, message="there is no server")
    server = (
        np.argmin(system.distance, axis=1).astype(np.int64)
        if tasks
        else np.zeros(0, dtype=np.int64)
    )
    depth = best_depth(system)[server]
    if sharing is Sharing.OPTIMAL:
        return allocated(system, limits, server, depth, label, {})
    return shared(
        system,
        limits,
        server=server,
        depth=depth,
        shares=equal_shares(system, server),
        label=label,
        certificate={},
    )


def ihra_surrogate(system: System, limits: Limits) -> Plan:
    """No sharing: at most one task per server, so that the sum of max(D_m - unshared latency, 0) is
    largest.

    A surrogate for IHRA, which assumes servers that take one task; not that paper's algorithm.
    """
    from scipy.optimize import linear_sum_assignment

    without_load(limits)
    label = "cooperative-ihra-surrogate: one task per server, a surrogate"
    tasks, servers, _ = system.shape
    best = best_depth(system)
    index = np.arange(servers)
    alone = system.latency[:, index, best - 1]
    allowed = system.possible(limits)[:, index, best - 1]
    finite = np.where(allowed, alone, 0.0)
    # a task that cannot run locally at all is worth more than any sum of savings
    local = np.where(np.isfinite(system.local_latency), system.local_latency, 0.0)
    must = np.where(np.isfinite(system.local_latency), 0.0, 1.0 + local.sum() + finite.sum())
    saving = np.where(allowed, np.maximum(local[:, None] + must[:, None] - finite, 0.0), 0.0)
    rows, columns = linear_sum_assignment(saving, maximize=True)
    server = np.full(tasks, LOCAL, dtype=np.int64)
    useful = saving[rows, columns] > 0.0
    server[rows[useful]] = columns[useful]
    depth = np.where(server == LOCAL, 0, best[server] if servers else 0)
    return shared(
        system,
        limits,
        server=server,
        depth=depth,
        shares=equal_shares(system, server),
        label=label,
        certificate={},
    )


def eejs_surrogate(system: System, limits: Limits, kappa: float) -> Plan:
    """Each task where its device needs the least energy, then optimal shares; depths by (21).

    Local energy kappa F^2 S p in J, offloaded P S / r. `kappa` in J s^2/cycle^3, >= 0, is in no
    table of the paper. A surrogate for EEJS; not that paper's algorithm. Raises ValueError for a
    negative kappa.
    """
    without_load(limits)
    if not 0.0 <= kappa < np.inf:
        raise ValueError(f"expected a finite kappa >= 0, found {kappa!r}")
    label = "cooperative-eejs-surrogate: least device energy, a surrogate"
    best = best_depth(system)
    index = np.arange(system.shape[1])
    allowed = system.possible(limits)[:, index, best - 1]
    local = kappa * system.cpu**2 * system.task_size * system.work
    local = np.where(np.isfinite(system.local_latency), local, np.inf)
    sending = np.where(allowed, system.power[:, None] * system.send_time, np.inf)
    energy = np.concatenate([sending, local[:, None]], axis=1)
    if not np.all(np.isfinite(energy.min(axis=1, initial=np.inf))) and len(energy):
        return Plan(
            Termination.NOT_FOUND, label, message="a task can run nowhere at the depths of (21)"
        )
    choice = np.argmin(energy, axis=1) if len(energy) else np.zeros(0, dtype=np.int64)
    server = np.where(choice == len(best), LOCAL, choice).astype(np.int64)
    depth = np.where(server == LOCAL, 0, best[server] if len(best) else 0)
    joules = float(energy.min(axis=1, initial=np.inf).sum()) if len(energy) else 0.0
    return allocated(system, limits, server, depth, label, {"device_energy": joules})


def equal_shares(system: System, server: Integers) -> Reals:
    """1 / (number of tasks at n) of everything for each task at n, [M, N, 3]."""
    chosen = server[:, None] == np.arange(system.shape[1])[None, :]
    count = np.maximum(chosen.sum(axis=0), 1)
    return np.repeat((chosen / count)[:, :, None], 3, axis=2)
