"""One device: its best response to nobody is the equilibrium and the optimum."""

from dataclasses import replace

import numpy as np

from mecdsl.backends.game.best_response import offer, respond
from mecdsl.backends.game.plans import Plan, nowhere, planned
from mecdsl.backends.game.starts import hopeless
from mecdsl.backends.game.system import System
from mecdsl.solution import Termination

LABEL = "dynamic programme"


def alone(system: System) -> Plan:
    """The optimum of a game of one device. Raises ValueError for more."""
    if system.devices != 1:
        raise ValueError("expected one device")
    nothing = np.zeros(system.slots)
    found = respond(system, 0, offer(system, 0, nothing, nothing))
    if found is None:
        return nowhere(LABEL, hopeless(system))
    plan = planned(system, found.places, LABEL, termination=Termination.OPTIMAL)
    return replace(plan, bound=plan.objective)
