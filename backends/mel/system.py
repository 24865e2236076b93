"""Mobile edge learning: the data of its problems, and `root`, the optimum of the relaxed (13).

Source: U. Mohammad and S. Sorour, "Adaptive Task Allocation for Mobile Edge Learning". Symbols, per
learner k: compute C2, transfer C1, overhead C0, cycle_time T, total_samples d, updates tau, batch
d_k. A batch takes `C2 tau d_k + C1 d_k + C0` seconds (8) and must be back after T (12b); the
batches sum to d (12c).

One remark solves both (13) and (12). For a given tau learner k can take at most s_k(tau) = (T -
C0)/(C2 tau + C1) samples, and g(tau) = sum s_k(tau) falls with tau. So tau is feasible exactly when
every C0 <= T and g(tau) >= d. The paper calls (15) and (16) upper bounds because (13) is not
convex; they are its optimum.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from math import inf

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mecdsl.backends.shared.record import Record
from mecdsl.solution import Iteration, Termination

Reals = NDArray[np.float64]
Flags = NDArray[np.bool_]

TOLERANCE = Fraction(1, 10**12)  # of the cycle time
ROUNDING = 1e-14  # bound on the relative error of a few operations in doubles, with room to spare


@dataclass(frozen=True, slots=True, eq=False)
class Learners:
    """The data of problem (12), arrays of length K in learner order.

    `compute` C2 in s/sample per update, > 0; `transfer` C1 in s/sample, >= 0; `overhead` C0 in s,
    >= 0; `cycle_time` T in s, > 0; `total_samples` d, >= 1. Arrays are copied and made read-only.
    Raises ValueError for anything else, also where T/C2 or C1/C2 leaves the range of doubles.
    """

    compute: Reals
    transfer: Reals
    overhead: Reals
    cycle_time: float
    total_samples: float

    def __post_init__(self) -> None:
        for name in ("compute", "transfer", "overhead"):
            object.__setattr__(self, name, _frozen(name, getattr(self, name)))
        lengths = {len(self.compute), len(self.transfer), len(self.overhead)}
        if len(lengths) != 1 or 0 in lengths:
            raise ValueError(
                f"expected three arrays of one length >= 1, found lengths {sorted(lengths)}"
            )
        if not np.all(self.compute > 0):
            raise ValueError("expected every `compute` > 0")
        if np.any(self.transfer < 0) or np.any(self.overhead < 0):
            raise ValueError("expected every `transfer` and `overhead` >= 0")
        if not 0 < self.cycle_time < inf or not 1 <= self.total_samples < inf:
            raise ValueError("expected a finite `cycle_time` > 0 and a finite `total_samples` >= 1")
        with np.errstate(over="ignore"):
            if not np.isfinite(np.sum((self.cycle_time + self.transfer) / self.compute)):
                raise ValueError(
                    "`cycle_time` or `transfer` divided by `compute` leaves the range of doubles"
                )

    @property
    def tolerance(self) -> float:
        """By how many seconds a whole-numbered point may exceed the cycle time."""
        return self.cycle_time * float(TOLERANCE)

    @property
    def selected(self) -> Flags:
        """Learners whose overhead fits into the cycle; form `dropout` leaves the others out with
        batch 0.
        """
        spare = self.cycle_time - self.overhead
        fits = spare + self.tolerance >= 0
        doubtful = np.abs(spare + self.tolerance) <= ROUNDING * (np.abs(spare) + self.tolerance)
        for k in np.flatnonzero(doubtful):
            fits[k] = self.exact_slack(int(k)) >= 0
        return fits

    def part(self, chosen: Flags) -> "Learners":
        """The same problem with the chosen learners only."""
        return Learners(
            self.compute[chosen],
            self.transfer[chosen],
            self.overhead[chosen],
            self.cycle_time,
            self.total_samples,
        )

    def exact_slack(self, k: int) -> Fraction:
        """Seconds left to learner k (from 0) after its overhead, tolerance included."""
        return Fraction(self.cycle_time) * (1 + TOLERANCE) - Fraction(float(self.overhead[k]))


@dataclass(frozen=True, slots=True, eq=False)
class Allocation:
    """What an algorithm found; `updates` and `batch` (samples, length K) are None where there is no
    point.

    `bound`: proven upper bound on the optimum of the problem solved, or None. `multipliers`:
    `cycle` (length K, updates per second) and `all_samples` (length 1, updates per sample),
    derivatives of the optimum with respect to the right-hand sides. `certificate`: numbers that
    prove or qualify the answer, named in each algorithm.
    """

    termination: Termination
    label: str
    updates: float | None = None
    batch: Reals | None = None
    bound: float | None = None
    multipliers: Mapping[str, Reals] = field(default_factory=dict)
    certificate: Mapping[str, float] = field(default_factory=dict)
    iterations: tuple[Iteration, ...] = ()
    message: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Relaxed:
    """Optimum of (13): `updates`, `batch` in samples, and g just above tau = 0 in samples."""

    updates: float
    batch: Reals
    capacity_above_zero: float
    iterations: tuple[Iteration, ...]


def root(learners: Learners, drop_out: bool = False) -> Allocation:
    """Solve (13), batches and updates real, to global optimality: (15) and (24) without the
    polynomial.

    Bisection of g(tau) = d on [0, sum (T - C0)/C2 / d], then Newton from the left, where g, convex
    and falling, makes it monotone. An iteration carries tau as objective, the right end as bound,
    g/d - 1 as residual. `drop_out` leaves out the learners whose overhead exceeds the cycle time
    (optimal for form `dropout`).

    The certificate names the KKT multiplier `nu` of (12c), in updates per sample, and the largest
    relative residuals `stationarity` and `complementarity`; by stationarity every cycle constraint
    is active where tau > 0. Where tau = 0 because nothing positive fits, it is instead
    `surplus_above_zero` = g(0+)/d - 1 <= 0.

    >>> learners = Learners(np.array([1.0, 3.0]), np.zeros(2), np.zeros(2), 12.0, total_samples=4.0)
    >>> answer = root(learners)  # C1 = C0 = 0: tau = (12/1 + 12/3) / 4
    >>> round(answer.updates, 9), answer.batch.round(9).tolist()
    (4.0, [3.0, 1.0])
    """
    label = "mel-root: bisection and Newton on (24)"
    refusal = overhead_refusal(learners, drop_out)
    if refusal:
        return Allocation(Termination.INFEASIBLE, label, message=refusal)
    chosen = learners.selected
    part = learners.part(chosen)
    relaxed = solve_relaxed(part, np.maximum(part.cycle_time - part.overhead, 0.0))
    if relaxed is None:
        return Allocation(Termination.INFEASIBLE, label, message=capacity_refusal(part))
    prices, certificate = _optimality(part, relaxed)
    multipliers = {}
    if prices is not None:
        multipliers = {
            "cycle": spread(prices, chosen),
            "all_samples": np.array([certificate["nu"]]),
        }
    return Allocation(
        Termination.OPTIMAL,
        label,
        updates=relaxed.updates,
        batch=spread(relaxed.batch, chosen),
        bound=relaxed.updates,
        multipliers=multipliers,
        certificate=certificate,
        iterations=relaxed.iterations,
        message=""
        if relaxed.updates >= 1
        else "feasible, but not even one local update fits into the cycle",
    )


def quotient(slack: Reals, pace: Reals) -> Reals:
    """`slack / pace` in samples; infinite where a sample takes no time, since then any batch
    fits.
    """
    with np.errstate(over="ignore"):
        samples: Reals = np.divide(slack, pace, out=np.full(len(slack), inf), where=pace > 0)
    return samples


def solve_relaxed(learners: Learners, slack: Reals) -> Relaxed | None:
    """Solve g(tau) = d for a slack >= 0 in s (T - C0, with or without tolerance); None if g(0)
    < d.
    """
    total = learners.total_samples
    at_zero = quotient(slack, learners.transfer)
    # C0 = T and C1 = 0: at tau = 0 such a learner takes any batch, at tau > 0 none, so g jumps down
    # behind 0
    free = (slack == 0) & (learners.transfer == 0)
    above_zero = float(at_zero[~free].sum())
    if above_zero > total:
        record = Record()
        low, high = _bracket(learners, slack, record)
        updates = _newton(learners, slack, low, high, record)
        shares = quotient(slack, learners.compute * updates + learners.transfer)
        return Relaxed(updates, shares * (total / shares.sum()), above_zero, record.steps)
    if free.any():
        shares = np.where(free, (total - above_zero) / free.sum(), at_zero)
    elif above_zero >= total * (1 - float(TOLERANCE)):
        shares = at_zero * (total / above_zero)
    else:
        return None
    return Relaxed(0.0, shares, above_zero, ())


def overhead_refusal(learners: Learners, drop_out: bool) -> str:
    """Why no allocation exists because of overheads alone, or an empty text."""
    excluded = np.flatnonzero(~learners.selected)
    if len(excluded) == 0 or (drop_out and len(excluded) < len(learners.overhead)):
        return ""
    worst = int(excluded[np.argmax(learners.overhead[excluded])])
    excess = learners.overhead[worst] - learners.cycle_time
    others = (
        f" (and so do {len(excluded) - 1} other learners to a lesser degree)"
        if len(excluded) > 1
        else ""
    )
    return (
        f"the overhead of learner {worst + 1}, {learners.overhead[worst]:.6g} s, exceeds the "
        "cycle time of "
        f"{learners.cycle_time:.6g} s by {excess:.6g} s{others}"
    )


def capacity_refusal(learners: Learners) -> str:
    """Why (13) has no point: g(0) < d."""
    room = float(
        quotient(np.maximum(learners.cycle_time - learners.overhead, 0.0), learners.transfer).sum()
    )
    return (
        f"even without local updates the learners can take {room:.9g} samples together, "
        f"{learners.total_samples:.9g} are to be shared"
    )


def spread(values: Reals, chosen: Flags) -> Reals:
    """Values of the chosen learners in an array over all learners, 0 for the others."""
    result = np.zeros(len(chosen))
    result[chosen] = values
    return result


def _frozen(name: str, values: ArrayLike) -> Reals:
    array = np.array(values, dtype=np.float64)
    if array.ndim != 1 or not np.all(np.isfinite(array)):
        raise ValueError(f"expected `{name}` as a one-dimensional array of finite numbers")
    array.setflags(write=False)
    return array


def _excess(learners: Learners, slack: Reals, updates: float) -> float:
    """g(tau)/d - 1."""
    shares = quotient(slack, learners.compute * updates + learners.transfer)
    return float(shares.sum()) / learners.total_samples - 1.0


def _bracket(learners: Learners, slack: Reals, record: Record) -> tuple[float, float]:
    """Halve [0, sum (T - C0)/C2 / d] until Newton converges at once; g(low) >= d >= g(high) in
    doubles.
    """
    low, high = 0.0, float((slack / learners.compute).sum()) / learners.total_samples
    while high - low > 0.01 * high:
        middle = 0.5 * (low + high)
        if not low < middle < high:
            break
        excess = _excess(learners, slack, middle)
        low, high = (middle, high) if excess >= 0 else (low, middle)
        record.note(middle, high, excess, "bisection")
    return low, high


def _newton(learners: Learners, slack: Reals, low: float, high: float, record: Record) -> float:
    """Improve the left end of the bracket until a step no longer moves a double."""
    updates = low
    for _ in range(20):
        pace = learners.compute * updates + learners.transfer
        shares = quotient(slack, pace)
        slope = float((shares * (learners.compute / pace)).sum()) if np.all(pace > 0) else inf
        excess = _excess(learners, slack, updates)
        record.note(updates, high, excess, "Newton")
        step = excess * learners.total_samples / slope if 0 < slope < inf else 0.0
        updates = max(updates + step, 0.0)
        if step <= 2e-16 * updates:
            break
    return updates


def _optimality(learners: Learners, relaxed: Relaxed) -> tuple[Reals | None, dict[str, float]]:
    """Multipliers of (13b) and the certificate, from stationarity of (14); signs as in
    `Allocation`.
    """
    pace = learners.compute * relaxed.updates + learners.transfer
    if not np.all(pace > 0):
        return None, {
            "surplus_above_zero": relaxed.capacity_above_zero / learners.total_samples - 1.0
        }
    work = learners.compute * relaxed.batch
    nu = -1.0 / float((work / pace).sum())
    prices = -nu / pace
    duration = pace * relaxed.batch + learners.overhead
    stationarity = max(
        abs(float((prices * work).sum()) - 1.0), float(np.max(np.abs(prices * pace / nu + 1.0)))
    )
    complementarity = float(np.max(np.abs(duration / learners.cycle_time - 1.0)))
    return prices, {"nu": nu, "stationarity": stationarity, "complementarity": complementarity}
