"""What an algorithm of the game comes back with."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mecdsl.backends.game.gains import gains
from mecdsl.backends.game.profile import evaluate, faults
from mecdsl.backends.game.system import Integers, System
from mecdsl.solution import Iteration, Termination


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Plan:
    """A profile, or why there is none. `objective`: the sum of all costs in money; `bound`: on the
    least such sum. `certificate`: numbers about the profile; `epsilon` among them.
    """

    termination: Termination
    label: str
    places: Integers | None = None
    objective: float | None = None
    bound: float | None = None
    certificate: Mapping[str, float] = field(default_factory=dict)
    iterations: tuple[Iteration, ...] = ()
    message: str = ""


def planned(
    system: System,
    places: Integers,
    label: str,
    *,
    termination: Termination = Termination.FINISHED,
    certificate: Mapping[str, float] | None = None,
    iterations: tuple[Iteration, ...] = (),
    message: str = "",
) -> Plan:
    """The plan of a profile. Of a feasible one the certificate has `epsilon` in money, the largest
    gain of one device, and `epsilon_device`, who could gain that much, if anybody; `potential`
    where everybody has a `price_weight`.
    """
    found = evaluate(system, places)
    numbers = dict(certificate or {})
    if not faults(system, places):
        could = gains(system, places)
        numbers["epsilon"] = could.epsilon
        if could.epsilon > 0.0:
            numbers["epsilon_device"] = float(could.device + 1)
    if np.isfinite(found.potential):
        numbers["potential"] = found.potential
    return Plan(
        termination=termination,
        label=label,
        places=places,
        objective=float(found.cost.sum()),
        certificate=numbers,
        iterations=iterations,
        message=message,
    )


def nowhere(label: str, words: str) -> Plan:
    """The plan of a game that no profile keeps; `words` say why."""
    return Plan(termination=Termination.INFEASIBLE, label=label, message=words)
