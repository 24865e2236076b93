"""Cooperative computing: Algorithm 2 of the paper as printed, and with its signs corrected, for
comparison only.

Source: `mecdsl.backends.cooperative.system`, (31)-(44). Faults of the printed text: the multipliers
fall where a constraint is violated, so that the shares run away; (33) has mu without r; [x]^+ of a
root does nothing, a clip at 1 is meant; the updates stand inside the loop over tasks, with (44)
counting shared prices once per task. Step sizes, start and tolerance are not given. The corrected
version is a subgradient method: it converges slowly, if the steps suit, and its iterates break the
budgets until the end. `mecdsl.backends.cooperative.allocation` needs none of this.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from mecdsl.backends.cooperative.prices import Demand
from mecdsl.backends.cooperative.system import Reals
from mecdsl.backends.shared.record import Record
from mecdsl.solution import Iteration


class Variant(Enum):
    """Which text is followed."""

    PRINTED = "printed"
    CORRECTED = "corrected"


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """Last `shares` [P, 3], whether (44) fell below the tolerance, and the way; `label` says which
    text was followed.

    An iteration carries the sum of latencies in s as objective, the largest budget violation as
    residual.
    """

    label: str
    shares: Reals
    converged: bool
    iterations: tuple[Iteration, ...]


def multiplier_updates(
    demand: Demand,
    variant: Variant,
    step: float = 0.1,
    most_rounds: int = 1000,
    tolerance: float = 1e-6,
    start: float = 1.0,
) -> Trace:
    """Algorithm 2 with one constant step for all eight updates and all multipliers equal to `start`
    at first.

    C9 is written with shares, rho - alpha <= 0, instead of rates, so that one step suits; mu then
    needs no r. The sum in (44) counts a shared price once. Raises ValueError unless step and start
    are positive.
    """
    if not (step > 0.0 and start > 0.0):
        raise ValueError("expected a positive `step` and `start`")
    sign = -1.0 if variant is Variant.PRINTED else 1.0
    count = len(demand.limit)
    limited = np.isfinite(demand.limit)
    late = np.where(limited, start, 0.0)  # eta
    slow = np.where(demand.floor > 0.0, start, 0.0)  # mu
    single, price = (
        np.full((count, 3), start),
        np.full(3, start),
    )  # gamma, theta, omega; epsilon, tau, psi
    record = Record()
    shares = np.zeros((count, 3))
    converged = False
    for _ in range(most_rounds):
        divisor = single + price
        divisor[:, 0] -= slow
        # no minimiser inside where the divisor is not positive: the share goes to its bound
        with np.errstate(divide="ignore", invalid="ignore"):
            shares = np.sqrt(1.0 + late)[:, None] * demand.roots / np.sqrt(np.maximum(divisor, 0.0))
        shares = np.where(demand.roots > 0.0, shares, 0.0)
        if variant is Variant.CORRECTED:
            shares = np.minimum(shares, 1.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            latency = np.where(demand.roots > 0.0, demand.roots**2 / shares, 0.0).sum(axis=1)
        excess = np.where(limited, latency - np.where(limited, demand.limit, 0.0), 0.0)
        before = np.concatenate([late, slow, single.ravel(), price])
        late = np.where(limited, np.maximum(late + sign * step * excess, 0.0), 0.0)
        slow = np.where(
            demand.floor > 0.0,
            np.maximum(slow + sign * step * (demand.floor - shares[:, 0]), 0.0),
            0.0,
        )
        single = np.maximum(single + sign * step * (shares - 1.0), 0.0)
        price = np.maximum(price + sign * step * (shares.sum(axis=0) - 1.0), 0.0)
        violation = float((shares.sum(axis=0) - 1.0).max())
        record.note(float(latency.sum()), residual=violation)
        after = np.concatenate([late, slow, single.ravel(), price])
        if not np.all(np.isfinite(shares)) or not np.all(np.isfinite(after)):
            break
        if float(np.abs(after - before).sum()) <= tolerance:
            converged = True
            break
    label = f"Algorithm 2 with the multiplier updates (36)-(43) as {variant.value}"
    return Trace(label, shares, converged, record.steps)
