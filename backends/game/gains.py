"""How far a profile is from an equilibrium: what each device could gain by moving alone."""

from dataclasses import dataclass

import numpy as np

from mecdsl.backends.game.best_response import best_values, offer
from mecdsl.backends.game.profile import evaluate
from mecdsl.backends.game.system import ROUNDING, Integers, Reals, System


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Gains:
    """For each device [N] in money: its `cost`, the value of its `best` response while the others
    stay (inf where nothing keeps its constraints, as where others fill its slots), and the `gain`,
    the first less the second, 0 where that is below 0 or rounding.
    """

    cost: Reals
    best: Reals
    gain: Reals

    @property
    def epsilon(self) -> float:
        """The largest gain of one device: the profile is an epsilon-equilibrium."""
        return float(self.gain.max())

    @property
    def device(self) -> int:
        """Who has it, from 0."""
        return int(self.gain.argmax())


def gains(system: System, places: Integers) -> Gains:
    """The certificate of a profile, by the exact best response of every device.

    Only of a feasible profile is it one: where constraints are broken, a device may gain nothing
    because it has no feasible response, or keep what it may not have.
    """
    found = evaluate(system, places)
    load = np.maximum(found.load - found.work, 0.0)
    count = found.used.sum(axis=0) - found.used
    everybody = np.arange(system.devices)
    best = best_values(system, everybody, offer(system, everybody, load, count))
    gain = np.where(np.isfinite(best), found.cost - best, 0.0)
    gain[gain <= ROUNDING * np.abs(found.cost)] = 0.0
    return Gains(cost=found.cost, best=best, gain=gain)
