"""Mobile edge learning: the paper's Theorem 1 taken literally, `polynomial`, for comparison with
`root`.

Source and symbols as in `mecdsl.backends.mel.system`; a_k = (T - C0)/C2, b_k = C1/C2. Expand the
polynomial (16) of degree K, take the largest real root >= 0 as tau, and the right-hand sides of
(15) as batches. The paper says only "feasible" root; it must be the largest real one, and where it
exists with every a_k > 0 it is the optimum of (13).

Where it fails, and what is reported then:

- An overhead above the cycle time makes an a_k negative, and a positive root may survive with a
  negative batch. It is returned as found, with a message and without a bound.
- The constant term holds the product of all b_k: it overflows at a hundred learners with b_k near
  1e4 (`Termination.ERROR`).
- Where the b_k differ by many orders of magnitude, the coefficients lose the root to rounding: the
  batches of (15) then miss the sum d, which is reported, or no real root is left
  (`Termination.ERROR`).
- Many learners: the cost grows as K cubed, and rounding adds positive real roots that (16) does not
  have. The largest one stays accurate for moderate data, up to K = 500 in trials.
"""

import numpy as np

from mecdsl.backends.mel.system import (
    Allocation,
    Learners,
    Reals,
    capacity_refusal,
    overhead_refusal,
    quotient,
    spread,
)
from mecdsl.solution import Termination

LARGEST_DEGREE = 500  # a few seconds, expansion and eigenvalues each of order K**3
ACCEPTED = 1e-9  # relative error of a sum, or imaginary part of a root, that counts as rounding
LABEL = "mel-polynomial: Theorem 1 as printed"


def polynomial(learners: Learners, drop_out: bool = False) -> Allocation:
    """tau and batches of (13) by (16) and (15) as printed; `drop_out` leaves out learners with C0 >
    T first.

    Certificate: `sum_residual` (sum of batches / d - 1), `smallest_batch` in samples, `real_roots`
    (how many real roots are >= 0). `bound` is tau where all C0 <= T and the sum residual is within
    1e-9, otherwise None. INFEASIBLE is reported only where it is true; a root that ought to exist
    and is not found is an ERROR.
    """
    everyone = np.ones(len(learners.compute), dtype=np.bool_)
    chosen = learners.selected if drop_out and learners.selected.any() else everyone
    part = learners.part(chosen)
    if len(part.compute) > LARGEST_DEGREE:
        return _failed(
            f"(16) has degree {len(part.compute)}, its expansion here stops at {LARGEST_DEGREE}: "
            "the cost grows as the cube"
        )
    a, b = (part.cycle_time - part.overhead) / part.compute, part.transfer / part.compute
    coefficients = expand(a, b, part.total_samples)
    if not np.all(np.isfinite(coefficients)):
        logarithm = float(np.log10(b[b > 0]).sum())
        return _failed(
            f"the coefficients of (16) overflow: the product of the nonzero b_k of {len(b)} "
            "learners is "
            f"about 10^{logarithm:.0f}, the largest double about 10^308"
        )
    try:
        roots = np.roots(coefficients)
    except np.linalg.LinAlgError as error:
        return _failed(f"the eigenvalues of the companion matrix of (16) were not found: {error}")
    # a root of exactly 0 comes out as a small number of either sign
    zero = 1e-12 * float(np.abs(a).sum()) / part.total_samples
    real = roots.real[(np.abs(roots.imag) <= ACCEPTED * np.abs(roots)) & (roots.real >= -zero)]
    if len(real) == 0:
        return _rootless(part)
    return _from_root(part, a, b, max(float(real.max()), 0.0), len(real), chosen)


def expand(a: Reals, b: Reals, total: float) -> Reals:
    """Coefficients of (16), highest power first: d prod (t + b_k) - sum_k a_k prod_{l != k} (t +
    b_l).
    """
    degree = len(a)
    product = np.zeros(degree + 1)
    # row k: the product without factor k; all rows grow by one factor at a time
    others = np.zeros((degree, degree))
    product[0], others[:, 0] = 1.0, 1.0
    with np.errstate(over="ignore", invalid="ignore"):
        for factor in range(degree):
            product[1:] += b[factor] * product[:-1]
            shifted = b[factor] * others[:, :-1]
            shifted[factor] = 0.0
            others[:, 1:] += shifted
        coefficients: Reals = total * product
        coefficients[1:] -= a @ others
    return coefficients


def _from_root(
    part: Learners,
    a: Reals,
    b: Reals,
    updates: float,
    count: int,
    chosen: np.typing.NDArray[np.bool_],
) -> Allocation:
    """Batches of (15) for a root, with what is wrong about them."""
    with np.errstate(divide="ignore", invalid="ignore"):
        batch = a / (updates + b)
    if not np.all(np.isfinite(batch)):
        return _failed(f"(15) divides by zero at the root {updates:.6g}")
    total, worst = float(batch.sum()), int(np.argmin(batch))
    residual = total / part.total_samples - 1.0
    message = overhead_refusal(part, drop_out=False)
    if batch[worst] < 0:
        name = int(np.flatnonzero(chosen)[worst]) + 1
        message = (
            f"(15) gives learner {name} a negative batch of {batch[worst]:.6g} samples: "
            "its overhead exceeds the cycle time"
        )
    elif abs(residual) > ACCEPTED:
        message = (
            f"the batches of (15) sum to {total:.9g} and not to "
            f"{part.total_samples:.9g}: rounding moved the root"
        )
    return Allocation(
        Termination.FINISHED,
        LABEL,
        updates=updates,
        batch=spread(batch, chosen),
        bound=None if message else updates,
        certificate={
            "sum_residual": residual,
            "smallest_batch": float(batch[worst]),
            "real_roots": float(count),
        },
        message=message,
    )


def _rootless(part: Learners) -> Allocation:
    """No real root >= 0: infeasible by the paper, which is checked, for rounding can lose a root as
    well.
    """
    refusal = overhead_refusal(part, drop_out=False)
    slack = np.maximum(part.cycle_time - part.overhead, 0.0)
    if not refusal and float(quotient(slack, part.transfer).sum()) < part.total_samples:
        refusal = capacity_refusal(part)
    if refusal:
        return Allocation(
            Termination.INFEASIBLE, LABEL, message=f"(16) has no real root >= 0: {refusal}"
        )
    return _failed(
        "no real root >= 0 of (16) was found although one exists: rounding of the "
        "coefficients lost it"
    )


def _failed(message: str) -> Allocation:
    return Allocation(Termination.ERROR, LABEL, message=message)
