"""Mobile edge learning: `integer`, the global optimum of problem (12) with whole batches and
updates.

Source and symbols as in `mecdsl.backends.mel.system`. A whole tau is feasible exactly when every C0
<= T and sum_k min(d, floor(s_k(tau))) >= d, and the sum never rises with tau: bisection solves the
problem, which the paper calls NP-hard.

What counts as feasible: `C2 tau d_k + C1 d_k + C0 <= T (1 + 1e-12)` in rational arithmetic for the
doubles as given. Decimal data that tie on paper (0.3 = 3 * 0.1) differ from a tie by 1e-16 as
doubles; the tolerance lets them tie. It also moves ties away from the rounding errors of the
vectorised evaluation, so that fractions are needed only where an error interval of relative width
2e-14 still contains an integer.
"""

from fractions import Fraction
from math import floor, inf, nextafter

import numpy as np
from numpy.typing import NDArray

from mecdsl.backends.mel.system import (
    ROUNDING,
    Allocation,
    Learners,
    Reals,
    overhead_refusal,
    quotient,
    spread,
)
from mecdsl.backends.shared.record import Record
from mecdsl.solution import Iteration, Termination

Integers = NDArray[np.int64]

LARGEST_TOTAL = (
    2**40
)  # samples; up to here batches, caps and their sums are exact in int64 and float64


def integer(learners: Learners, drop_out: bool = False) -> Allocation:
    """Solve (12), batches and updates whole, to global optimality in O(K log tau).

    Bisection for the largest tau with sum_k min(d, floor(s_k(tau))) >= d; the batches are the
    shares of d in proportion to these caps, rounded by largest remainder. An iteration carries the
    tau tried as objective, the largest tau not excluded as bound, sum of caps - d as residual.
    Certificate, in samples: `surplus` >= 0 at tau and `surplus_next` < 0 at tau + 1. A tau above
    2**53 is returned as the next double below. Raises ValueError unless d is a whole number of at
    most 2**40 samples.

    >>> learners = Learners(np.array([1.0, 3.0]), np.zeros(2), np.zeros(2), 12.0, total_samples=5.0)
    >>> answer = integer(learners)  # tau = 3: caps 4 + 1; tau = 4: caps 3 + 1 < 5
    >>> answer.updates, answer.batch.tolist(), dict(answer.certificate)
    (3.0, [4.0, 1.0], {'surplus': 0.0, 'surplus_next': -1.0})
    """
    label = "mel-integer: bisection on the caps"
    refusal = integer_refusal(learners, drop_out)
    if refusal:
        return Allocation(Termination.INFEASIBLE, label, message=refusal)
    chosen = learners.selected
    part = learners.part(chosen)
    total = whole_total(part)
    updates, iterations = _bisect_updates(part, total)
    room = caps(part, updates)
    surplus, surplus_next = int(room.sum()) - total, int(caps(part, updates + 1).sum()) - total
    claimed = double_below(updates)
    return Allocation(
        Termination.OPTIMAL,
        label,
        updates=claimed,
        batch=spread(apportion(room, total).astype(np.float64), chosen),
        bound=claimed,
        certificate={"surplus": float(surplus), "surplus_next": float(surplus_next)},
        iterations=iterations,
        message=""
        if updates >= 1
        else "feasible, but not even one local update fits into the cycle",
    )


def caps(learners: Learners, updates: int) -> Integers:
    """Most whole samples, at most d, with which each learner is back in time; needs all C0 <= T."""
    total = whole_total(learners)
    pace = learners.compute * float(updates) + learners.transfer
    low, high = slack_interval(learners)
    least = np.floor(np.minimum(quotient(low, pace) * (1 - ROUNDING), total)).astype(np.int64)
    most = np.floor(np.minimum(quotient(high, pace) * (1 + ROUNDING), total)).astype(np.int64)
    for k in np.flatnonzero(least < most):
        exact_pace = Fraction(float(learners.compute[k])) * updates + Fraction(
            float(learners.transfer[k])
        )
        least[k] = min(total, floor(learners.exact_slack(int(k)) / exact_pace))
    return least


def largest_updates(learners: Learners, batch: Integers, parts: int = 1) -> int:
    """The largest whole tau at which every batch, `batch / parts` samples, is back in time.

    Negative if a batch is late even without updates. Needs all C0 <= T and one batch > 0. `parts` >
    1 states equal real batches d/K exactly.
    """
    busy = batch > 0
    samples, compute, transfer = (
        batch[busy] / parts,
        learners.compute[busy],
        learners.transfer[busy],
    )
    low, high = (slack[busy] / samples for slack in slack_interval(learners))
    error = ROUNDING * (high + transfer) / compute
    least = np.floor((low - transfer) / compute - error)
    most = np.floor((high - transfer) / compute + error)
    smallest = floor(float(most.min()))
    for k in np.flatnonzero(busy)[(least < most) & (least < float(most.min()))]:
        exact = Fraction(int(batch[k]), parts)
        left = learners.exact_slack(int(k)) / exact - Fraction(float(learners.transfer[k]))
        smallest = min(smallest, floor(left / Fraction(float(learners.compute[k]))))
    return smallest


def slack_interval(learners: Learners) -> tuple[Reals, Reals]:
    """Bounds in s, both >= 0, that contain the exact T - C0 + tolerance of the selected
    learners.
    """
    spare = learners.cycle_time - learners.overhead
    error = ROUNDING * (np.abs(spare) + learners.tolerance)
    return np.maximum(spare + learners.tolerance - error, 0.0), np.maximum(
        spare + learners.tolerance + error, 0.0
    )


def integer_refusal(learners: Learners, drop_out: bool) -> str:
    """Why (12) has no point at all, or an empty text."""
    refusal = overhead_refusal(learners, drop_out)
    if refusal:
        return refusal
    part = learners.part(learners.selected)
    total, room = whole_total(part), int(caps(part, 0).sum())
    if room >= total:
        return ""
    return (
        f"even without local updates the learners can take {room} whole samples together, "
        f"{total} are to be shared"
    )


def whole_total(learners: Learners) -> int:
    """d as an int; raises ValueError unless it is whole and at most 2**40."""
    total = int(learners.total_samples)
    if total != learners.total_samples or total > LARGEST_TOTAL:
        raise ValueError(
            f"expected a whole `total_samples` <= 2**40, found {learners.total_samples!r}"
        )
    return total


def apportion(weights: Integers, total: int) -> Integers:
    """Split `total` in proportion to whole weights of sum >= total, by largest remainder.

    No share exceeds its weight: a share is rounded up only where its quota is fractional, and then
    the weight is at least that.
    """
    weight_sum = int(weights.sum())
    pairs = [divmod(weight * total, weight_sum) for weight in weights.tolist()]
    shares = np.array([share for share, _ in pairs], dtype=np.int64)
    left = total - int(shares.sum())
    order = sorted(range(len(pairs)), key=lambda k: -pairs[k][1])
    shares[order[:left]] += 1
    return shares


def double_below(updates: int) -> float:
    """The largest double <= updates."""
    nearest = float(updates)
    return nearest if int(nearest) <= updates else nextafter(nearest, -inf)


def _bisect_updates(learners: Learners, total: int) -> tuple[int, tuple[Iteration, ...]]:
    """The largest tau whose caps sum to at least d; tau = 0 must be feasible."""
    _, slack = slack_interval(learners)
    # sum of caps <= g(t) <= sum(slack/C2)/t, which is below d at the right end
    low, high = 0, floor(float((slack / learners.compute).sum()) / total * (1 + ROUNDING)) + 1
    record = Record()
    while high - low > 1:
        middle = (low + high) // 2
        surplus = int(caps(learners, middle).sum()) - total
        low, high = (middle, high) if surplus >= 0 else (low, middle)
        record.note(
            float(middle),
            float(high - 1),
            float(surplus),
            "enough room" if surplus >= 0 else "too little room",
        )
    return low, record.steps
