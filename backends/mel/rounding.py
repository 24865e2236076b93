"""Mobile edge learning: `rounding` of the relaxed optimum to points of (12), and equal batches.

Source and symbols as in `mecdsl.backends.mel.system`; feasible points of (12) as in
`mecdsl.backends.mel.integer`. The paper announces "suggest-and-improve" rounding and never
specifies it; `rounding` offers two readings and an improvement. For equal task allocation it does
not say what happens when K does not divide d; `equal` gives the rest to those who bear it best,
`equal_real` keeps the real batches d/K.

Each answer about (12) is compared with the caps at the next tau: if they sum to less than d, it is
proven optimal and says so, heuristic or not.
"""

import heapq
from enum import Enum
from math import floor, inf

import numpy as np

from mecdsl.backends.mel.integer import (
    Integers,
    caps,
    double_below,
    integer_refusal,
    largest_updates,
    slack_interval,
    whole_total,
)
from mecdsl.backends.mel.system import (
    ROUNDING,
    Allocation,
    Flags,
    Learners,
    Reals,
    overhead_refusal,
    solve_relaxed,
    spread,
)
from mecdsl.backends.shared.record import Record
from mecdsl.solution import Iteration, Termination


class Rounding(Enum):
    """Who gets the samples that are left after rounding the relaxed batches down."""

    LARGEST_REMAINDER = "largest-remainder"
    FASTEST = "fastest"  # one each to the learners with the smallest C2


def rounding(
    learners: Learners,
    rounding: str = "largest-remainder",
    moves: bool = False,
    drop_out: bool = False,
) -> Allocation:
    """Round the optimum of (13) to whole batches; tau is then what the slowest learner allows.

    `rounding`: `largest-remainder` or `fastest`. `moves`: then move single samples from the
    bottleneck to the learner that would be least burdened, while that helps; this ends at the
    optimum of (12), for in a better allocation some learner would hold a sample more than now,
    which the stop rule excludes. Without moves updates can be lost, even all of them
    (`Termination.NOT_FOUND`).

    An iteration carries the bottleneck's real-valued tau as objective; number 0 is the rounded
    start. Certificate: `surplus_next` (sum of caps at tau + 1, minus d; negative proves
    optimality), `bottleneck`, `moves`. Raises ValueError for another `rounding` or a d that is not
    whole.
    """
    rule = Rounding(rounding)
    label = f"mel-round: {rule.value}" + (" and single-sample moves" if moves else "")
    refusal = integer_refusal(learners, drop_out)
    if refusal:
        return Allocation(Termination.INFEASIBLE, label, message=refusal)
    chosen = learners.selected
    part = learners.part(chosen)
    record = Record(first=0)
    bound, target = _relaxed_bound(part)
    batch = _rounded(part, target, rule)
    record.note(float(values(part, batch).min()), bound, note=f"rounded, {rule.value}")
    if moves:
        batch = _moved(part, batch, bound, record)
    return _judged(
        part,
        batch,
        chosen=chosen,
        bound=bound,
        label=label,
        steps=record.steps,
        certificate={"moves": float(len(record.steps) - 1)},
    )


def equal(learners: Learners, drop_out: bool = False) -> Allocation:
    """Equal task allocation in whole samples: floor(d/K) each, the rest to those who bear it best.

    The d mod K extra samples go one each where the tau left afterwards is largest. With `drop_out`,
    among the learners whose overhead fits. Certificate as in `rounding`; iterations are empty.
    Raises ValueError unless d is whole.
    """
    label = "mel-equal: equal task allocation"
    refusal = integer_refusal(learners, drop_out)
    if refusal:
        return Allocation(Termination.INFEASIBLE, label, message=refusal)
    chosen = learners.selected
    part = learners.part(chosen)
    each, rest = divmod(whole_total(part), len(part.compute))
    batch = np.full(len(part.compute), each, dtype=np.int64)
    batch[np.argsort(-values(part, batch + 1), kind="stable")[:rest]] += 1
    return _judged(
        part,
        batch,
        chosen=chosen,
        bound=_relaxed_bound(part)[0],
        label=label,
        steps=(),
        certificate={},
    )


def equal_real(learners: Learners, integer_updates: bool) -> Allocation:
    """Form `equal`: real batches d/K, tau in closed form, whole (`integer_updates`) or real; global
    optimum.

    Certificate: `bottleneck`, the learner (from 1) that determines tau. A tau of 0 within the
    tolerance counts as 0. Raises ValueError unless d is whole.
    """
    label = "equal batches d/K, updates " + ("whole" if integer_updates else "real")
    refusal = overhead_refusal(learners, drop_out=False)
    if refusal:
        return Allocation(Termination.INFEASIBLE, label, message=refusal)
    total, count = whole_total(learners), len(learners.compute)
    whole = largest_updates(learners, np.full(count, total), parts=count)
    slack = np.maximum(learners.cycle_time - learners.overhead, 0.0)
    allowed = (slack * (count / total) - learners.transfer) / learners.compute
    slowest = int(np.argmin(allowed))
    if whole < 0:
        return Allocation(
            Termination.INFEASIBLE, label, message=_late(learners, slowest, total / count)
        )
    updates = double_below(whole) if integer_updates else max(float(allowed[slowest]), 0.0)
    return Allocation(
        Termination.OPTIMAL,
        label,
        updates=updates,
        batch=np.full(count, total / count),
        bound=updates,
        certificate={"bottleneck": float(slowest + 1)},
        message=""
        if updates >= 1
        else "feasible, but not even one local update fits into the cycle",
    )


def values(learners: Learners, batch: Integers) -> Reals:
    """Real-valued tau that each learner allows with its batch; infinite without samples."""
    _, slack = slack_interval(learners)
    per_sample = np.divide(slack, batch, out=np.full(len(batch), inf), where=batch > 0)
    allowed: Reals = (per_sample - learners.transfer) / learners.compute
    return allowed


def _relaxed_bound(part: Learners) -> tuple[float, Reals]:
    """Upper bound floor(root) on the optimum of (12), and the relaxed batches.

    Both for the cycle time with tolerance. With the tolerance in the slack, (13) is feasible
    whenever (12) is and its root is never below tau.
    """
    _, slack = slack_interval(part)
    relaxed = solve_relaxed(part, slack)
    if relaxed is None:
        raise ArithmeticError("problem (12) has a point, its relaxation has none")
    # the root is known to a few rounding errors of tau + C1/C2, the scale on which g falls
    error = 10 * ROUNDING * (relaxed.updates + float((part.transfer / part.compute).max()))
    return float(floor(relaxed.updates + error)), relaxed.batch


def _rounded(part: Learners, target: Reals, rule: Rounding) -> Integers:
    """Floors of the relaxed batches, and the rest, at most K samples, one each in the order of the
    rule.
    """
    batch = np.floor(target).astype(np.int64)
    rest = whole_total(part) - int(batch.sum())
    match rule:
        case Rounding.LARGEST_REMAINDER:
            order = np.argsort(batch - target, kind="stable")
        case Rounding.FASTEST:
            order = np.argsort(part.compute, kind="stable")
    batch[order[:rest]] += 1
    return batch


def _moved(part: Learners, batch: Integers, bound: float, record: Record) -> Integers:
    """Move single samples from the bottleneck until no other learner would be better off.

    O((K + moves) log K). Both heaps are lazy: an entry remembers the batch it was made for and is
    skipped once the batch has changed.
    """
    slack = slack_interval(part)[1].tolist()
    transfer, compute = part.transfer.tolist(), part.compute.tolist()
    samples: list[int] = batch.tolist()

    def value(k: int, held: int) -> float:
        return float((slack[k] / held - transfer[k]) / compute[k])

    givers = [(value(k, held), k, held) for k, held in enumerate(samples) if held > 0]
    takers = [(-value(k, held + 1), k, held) for k, held in enumerate(samples)]
    heapq.heapify(givers)
    heapq.heapify(takers)
    while True:
        while samples[givers[0][1]] != givers[0][2]:
            heapq.heappop(givers)
        while samples[takers[0][1]] != takers[0][2]:
            heapq.heappop(takers)
        worst, giver, _ = givers[0]
        best, taker, _ = takers[0]
        if -best <= worst:
            return np.array(samples, dtype=np.int64)
        for k, change in ((giver, -1), (taker, 1)):
            samples[k] += change
            if samples[k] > 0:
                heapq.heappush(givers, (value(k, samples[k]), k, samples[k]))
            heapq.heappush(takers, (-value(k, samples[k] + 1), k, samples[k]))
        record.note(worst, bound, note=f"a sample from learner {giver + 1} to learner {taker + 1}")


def _judged(
    part: Learners,
    batch: Integers,
    chosen: Flags,
    bound: float,
    label: str,
    steps: tuple[Iteration, ...],
    certificate: dict[str, float],
) -> Allocation:
    """The allocation with the largest tau it allows, proven optimal where tau + 1 has too little
    room.
    """
    updates = largest_updates(part, batch)
    slowest = int(np.argmin(values(part, batch)))
    if updates < 0:
        message = _late(
            part, slowest, float(batch[slowest]), name=int(np.flatnonzero(chosen)[slowest])
        )
        return Allocation(
            Termination.NOT_FOUND, label, bound=bound, iterations=steps, message=message
        )
    claimed = double_below(updates)
    surplus_next = int(caps(part, updates + 1).sum()) - whole_total(part)
    proven = surplus_next < 0
    return Allocation(
        Termination.OPTIMAL if proven else Termination.FINISHED,
        label,
        updates=claimed,
        batch=spread(batch.astype(np.float64), chosen),
        bound=claimed if proven else bound,
        certificate={
            "surplus_next": float(surplus_next),
            "bottleneck": float(np.flatnonzero(chosen)[slowest] + 1),
            **certificate,
        },
        iterations=steps,
        message=""
        if updates >= 1
        else "feasible, but not even one local update fits into the cycle",
    )


def _late(learners: Learners, k: int, samples: float, name: int | None = None) -> str:
    """Say which learner is late even with tau = 0: index k here, `name` in the whole problem, from
    0.
    """
    duration = learners.transfer[k] * samples + learners.overhead[k]
    return (
        f"learner {(k if name is None else name) + 1} needs {duration:.6g} s "
        f"for the transfer of {samples:.6g} samples alone, the cycle time is "
        f"{learners.cycle_time:.6g} s"
    )
