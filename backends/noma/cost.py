"""Split inference over NOMA: what a point costs, as the model says."""

from dataclasses import dataclass

import numpy as np

from mecdsl.backends.noma.closed_forms import computing
from mecdsl.backends.noma.occupancy import Occupancy
from mecdsl.backends.noma.system import Decisions, Form, Reals, System


@dataclass(frozen=True, slots=True, eq=False)
class Spent:
    """Time in s and energy in J of each user, [U]; infinite where something is sent at rate 0."""

    time: Reals
    energy: Reals

    def weighted(self, system: System) -> Reals:
        """wT T + wE E of each user; what has no weight costs nothing, however long it takes."""
        parts = ((system.time_weight, self.time), (system.energy_weight, self.energy))
        total = np.zeros(len(self.time))
        for weight, amount in parts:
            total += np.multiply(weight, amount, out=np.zeros_like(total), where=weight > 0.0)
        return total


def spent(system: System, form: Form, decisions: Decisions) -> Spent:
    """Time and energy of each user at a point; loads of 0 cost nothing."""
    every = np.arange(system.shape[1])
    time, energy = (part[every, decisions.cut] for part in computing(system, decisions.edge_units))
    sends = ~(form.silent & (decisions.cut == system.layers))
    sizes = (system.cut_size[every, decisions.cut], system.result_size)
    channels, powers = (decisions.up, decisions.down), (decisions.up_power, decisions.down_power)
    for link, size, channel, power in zip(system.links, sizes, channels, powers, strict=True):
        rate = np.zeros(len(every))
        occupancy = Occupancy(link, channel, form.oma)
        rate[occupancy.users] = occupancy.rates(power[occupancy.users])
        lasting = sending_time(np.where(sends, size, 0.0), rate)
        time = time + lasting
        energy = energy + np.multiply(
            power, lasting, out=np.zeros_like(lasting), where=lasting > 0.0
        )
    return Spent(time, energy)


def sending_time(size: Reals, rate: Reals) -> Reals:
    """Size over rate, 0 where there is nothing to send, infinite where it is sent at rate 0."""
    found: Reals = np.where(size > 0.0, np.inf, 0.0)
    return np.divide(size, rate, out=found, where=(size > 0.0) & (rate > 0.0))


def objective(system: System, form: Form, decisions: Decisions) -> float:
    """The cost of a point."""
    return float(spent(system, form, decisions).weighted(system).sum())
