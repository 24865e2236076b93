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
    signed = -step if variant is Variant.PRINTED else step
    most_share = 1.0 if variant is Variant.CORRECTED else np.inf
    multipliers = _Multipliers.equal(demand, start)
    record = Record()
    shares = np.zeros((len(demand.limit), 3))
    converged = False
    for _ in range(most_rounds):
        shares = np.minimum(multipliers.shares(demand), most_share)
        with np.errstate(divide="ignore", invalid="ignore"):
            latency = np.where(demand.roots > 0.0, demand.roots**2 / shares, 0.0).sum(axis=1)
        following = multipliers.moved(demand, shares, latency, signed)
        record.note(float(latency.sum()), residual=float((shares.sum(axis=0) - 1.0).max()))
        before, after = multipliers.flat(), following.flat()
        multipliers = following
        if not np.all(np.isfinite(shares)) or not np.all(np.isfinite(after)):
            break
        if float(np.abs(after - before).sum()) <= tolerance:
            converged = True
            break
    label = f"Algorithm 2 with the multiplier updates (36)-(43) as {variant.value}"
    return Trace(label, shares, converged, record.steps)


@dataclass(frozen=True, slots=True, eq=False)
class _Multipliers:
    """`late` eta of C10 and `slow` mu of C9 [P]; `single` gamma, theta, omega of shares up to 1
    [P, 3]; `price` epsilon, tau, psi of the budgets [3].
    """

    late: Reals
    slow: Reals
    single: Reals
    price: Reals

    @staticmethod
    def equal(demand: Demand, value: float) -> "_Multipliers":
        """All the same, 0 where there is no constraint."""
        return _Multipliers(
            np.where(np.isfinite(demand.limit), value, 0.0),
            np.where(demand.floor > 0.0, value, 0.0),
            np.full((len(demand.limit), 3), value),
            np.full(3, value),
        )

    def shares(self, demand: Demand) -> Reals:
        """The minimiser of the Lagrange function [P, 3], (33)-(35)."""
        divisor = self.single + self.price
        divisor[:, 0] -= self.slow
        # no minimiser inside where the divisor is not positive: the share goes to its bound
        with np.errstate(divide="ignore", invalid="ignore"):
            found = (
                np.sqrt(1.0 + self.late)[:, None] * demand.roots / np.sqrt(np.maximum(divisor, 0.0))
            )
        return np.where(demand.roots > 0.0, found, 0.0)

    def moved(self, demand: Demand, shares: Reals, latency: Reals, step: float) -> "_Multipliers":
        """After (36)-(43), a step along what the constraints are missed by."""
        limited = np.isfinite(demand.limit)
        excess = np.where(limited, latency - np.where(limited, demand.limit, 0.0), 0.0)
        lack = demand.floor - shares[:, 0]
        return _Multipliers(
            np.where(limited, np.maximum(self.late + step * excess, 0.0), 0.0),
            np.where(demand.floor > 0.0, np.maximum(self.slow + step * lack, 0.0), 0.0),
            np.maximum(self.single + step * (shares - 1.0), 0.0),
            np.maximum(self.price + step * (shares.sum(axis=0) - 1.0), 0.0),
        )

    def flat(self) -> Reals:
        """All of them in one row."""
        return np.concatenate([self.late, self.slow, self.single.ravel(), self.price])
