"""Cooperative computing: `allocate`, the optimal shares of the tasks at one server, problem (30).

Source, symbols and the three prices: `mecdsl.backends.cooperative.system` and
`mecdsl.backends.cooperative.prices`. Without C10 the shares are a closed form; with it, prices that
solve three equations; an interior-point solver only where those fail. The paper's own updates
(36)-(43) are in `mecdsl.backends.cooperative.multipliers`, for comparison: they need step sizes
that it does not give, and their iterates are infeasible until the end.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from mecdsl.backends.cooperative.interior import interior
from mecdsl.backends.cooperative.prices import (
    Demand,
    Standing,
    certificate,
    coefficients,
    largest_factor,
    limit_weights,
    shares_at,
    stationary,
)
from mecdsl.backends.cooperative.system import (
    LOCAL,
    TOLERANCE,
    Integers,
    Limits,
    Reals,
    System,
    ratio,
)


class Verdict(Enum):
    """What is known about the tasks at a server."""

    OPTIMAL = "optimal"  # to a relative duality gap and violation of 1e-9
    INFEASIBLE = "infeasible"  # proven by `prices`
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True, eq=False)
class Allocation:
    """Shares [P, 3] of band, processor, backhaul and the sum of latencies `cost` in s; None where
    there are none.

    `bound`: proven lower bound on the cost in s. `prices` [3]: optimal prices, or where infeasible
    a certificate. `latency_factor`: the least factor on the limits that C10 needs, floors of C9
    left out, None without C10. `method`: what found the shares. `message`: why there are none.
    """

    verdict: Verdict
    method: str
    prices: Reals
    shares: Reals | None = None
    cost: float | None = None
    bound: float | None = None
    latency_factor: float | None = None
    message: str = ""


def demand_at(
    system: System, server: int, tasks: Integers, depths: Integers, limits: Limits
) -> Demand:
    """What tasks with depths (1-based) want from a server; a constraint that is off has no limit or
    no floor.
    """
    count = len(tasks)
    return Demand(
        system.roots()[tasks, server, depths - 1],
        system.max_latency[tasks] if limits.latency else np.full(count, np.inf),
        system.rate_share[tasks, server] if limits.rate else np.zeros(count),
    )


def allocate(demand: Demand) -> Allocation:
    """The shares with the least sum of latencies that keep C6-C10.

    >>> work = np.array([[3.0, 0.0, 0.0], [1.0, 0.0, 0.0]])
    >>> demand = Demand(work, np.full(2, np.inf), np.zeros(2))
    >>> answer = allocate(demand)  # cost (3 + 1)^2, band in proportion 3 : 1
    >>> answer.cost, answer.shares[:, 0].tolist()
    (16.0, [0.75, 0.25])
    """
    mass = np.ones(len(demand.limit))
    if np.isfinite(demand.limit).any():
        factor: float | None = largest_factor(demand, mass)[0]
    else:
        factor = None
    found = stationary(demand, mass)
    if found.standing is Standing.INFEASIBLE:
        message = _refusal(demand, found.prices, factor)
        return Allocation(
            Verdict.INFEASIBLE, "certificate", found.prices, latency_factor=factor, message=message
        )
    simple = factor is None or not np.any(limit_weights(demand, found.prices) > 1.0)
    method = "closed form" if simple else "three prices"
    bound = dual_value(demand, found.prices)
    if found.standing is Standing.STATIONARY:
        answer = _accepted(
            demand, shares_at(demand, found.prices), bound, found.prices, factor, method
        )
        if answer is not None:
            return answer
    if factor is not None and factor > 1.0 - TOLERANCE:
        answer = _at_all_limits(demand, bound, factor)
        if answer is not None:
            return answer
    return _by_interior_point(demand, found.prices, bound, factor)


def dual_value(demand: Demand, prices: Reals) -> float:
    """phi(p) in s: a lower bound on the cost of all tasks of `demand` together, for any prices."""
    return float(coefficients(demand, prices).sum() - prices @ prices)


def latencies(demand: Demand, shares: Reals) -> Reals:
    """Latency in s of each task, [P]; infinite where a share is 0 and its numerator is not."""
    found: Reals = ratio(demand.roots**2, shares).sum(axis=1)
    return found


def place(
    system: System, server: Integers, depth: Integers, limits: Limits
) -> tuple[Reals | None, list[Allocation]]:
    """Allocate server by server: shares [M, N, 3], None where some server has none, and what each
    server said.
    """
    count = system.shape[1]
    shares = np.zeros((len(server), count, 3))
    answers = []
    for n in range(count):
        tasks = np.flatnonzero(server == n)
        answer = allocate(demand_at(system, n, tasks, depth[tasks], limits))
        answers.append(answer)
        if answer.shares is not None:
            shares[tasks, n] = answer.shares
    complete = all(answer.shares is not None for answer in answers)
    return (shares if complete else None), answers


def failures(answers: list[Allocation]) -> str:
    """Which servers have no shares and why, or an empty text."""
    reasons = [
        f"server {number}: {answer.message}"
        for number, answer in enumerate(answers, 1)
        if answer.shares is None
    ]
    return "; ".join(reasons)


def worst_factor(system: System, server: Integers, answers: list[Allocation]) -> float:
    """The least factor on the latency limits that the places need: over servers, and over local
    tasks D_m / D_m^max.
    """
    local = server == LOCAL
    factors = [answer.latency_factor for answer in answers if answer.latency_factor is not None]
    factors.append(
        float((system.local_latency[local] / system.max_latency[local]).max(initial=0.0))
    )
    return max(factors)


def _accepted(
    demand: Demand, shares: Reals, bound: float, prices: Reals, factor: float | None, method: str
) -> Allocation | None:
    """The shares as an answer, if violations and duality gap are within the tolerance."""
    shares = shares / np.maximum(1.0, shares.sum(axis=0))
    found = latencies(demand, shares)
    cost = float(found.sum())
    kept = np.all(found <= demand.limit * (1.0 + TOLERANCE))
    kept &= np.all(shares[:, 0] >= demand.floor * (1.0 - TOLERANCE))
    if not kept or not cost - bound <= TOLERANCE * max(cost, abs(bound)):
        return None
    return Allocation(
        verdict=Verdict.OPTIMAL,
        method=method,
        prices=prices,
        shares=shares,
        cost=cost,
        bound=min(bound, cost),
        latency_factor=factor,
    )


def _at_all_limits(demand: Demand, bound: float, factor: float) -> Allocation | None:
    """The limits can only just be kept: the shares that minimise the largest latency / limit, from
    the eigenvector.

    Every task then has latency `factor` times its limit. With p the eigenvector, times a number
    that brings every weight to 1 or more, phi(p) = sum D + |p|^2 (factor - 1) proves that less is
    not possible.
    """
    vector = largest_factor(demand, np.ones(len(demand.limit)))[1]
    weight = demand.roots @ vector / demand.limit
    if not np.all(weight > 0.0):
        return None
    vector = vector / weight.min()
    bound = max(bound, dual_value(demand, vector))
    totals = weight @ demand.roots
    shares = ratio(weight[:, None] * demand.roots, np.broadcast_to(totals, demand.roots.shape))
    found = latencies(demand, shares)
    cost = float(found.sum())
    kept = np.all(found <= demand.limit * (1.0 + 2 * TOLERANCE)) and np.all(
        shares[:, 0] >= demand.floor
    )
    if not kept or not cost - bound <= 10 * TOLERANCE * cost:
        return None
    return Allocation(
        verdict=Verdict.OPTIMAL,
        method="eigenvector",
        prices=vector,
        shares=shares,
        cost=cost,
        bound=min(bound, cost),
        latency_factor=factor,
    )


def _by_interior_point(
    demand: Demand, prices: Reals, bound: float, factor: float | None
) -> Allocation:
    found = interior(demand)
    if found.shares is not None:
        bound = max(bound, dual_value(demand, found.prices))
        answer = _accepted(demand, found.shares, bound, found.prices, factor, "interior point")
        if answer is not None:
            return answer
    for candidate in (found.prices, prices):
        square = float(candidate @ candidate)
        if square > 0.0 and float(certificate(demand, candidate).sum()) > square * (
            1.0 + TOLERANCE
        ):
            scaled = candidate / np.sqrt(square)
            message = _refusal(demand, scaled, factor)
            return Allocation(
                Verdict.INFEASIBLE, "certificate", scaled, latency_factor=factor, message=message
            )
    message = f"no shares found and no proof that there are none, {found.message}"
    return Allocation(
        Verdict.UNDECIDED, "interior point", prices, latency_factor=factor, message=message
    )


def _refusal(demand: Demand, prices: Reals, factor: float | None) -> str:
    needed = float(demand.floor.sum())
    if needed > 1.0 + TOLERANCE:
        return f"the least rates of its {len(demand.floor)} tasks need {needed:.6g} times its band"
    if factor is not None and factor > 1.0 + TOLERANCE:
        return f"its {len(demand.limit)} tasks need {factor:.6g} times their latency limits"
    excess = float(certificate(demand, prices).sum()) - 1.0
    return (
        f"its {len(demand.limit)} tasks cannot keep least rates and latency limits together, "
        f"by the certificate with excess {excess:.6g}"
    )
