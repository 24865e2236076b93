"""Whether a point that a solver calls feasible is one of the model."""

from typing import Final

import numpy as np

from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray
from mecdsl.results.judge import polish
from mecdsl.results.violations import broken

AGREEMENT: Final = 1e-6  # of the objective, relative


def holds(instance: Instance, values: FloatArray, objective: float) -> bool:
    """Whether a point has the objective that it should have, and keeps every constraint."""
    x = polish(instance, values)
    with np.errstate(all="ignore"):  # a number that is not finite is a finding, not a warning
        exact = instance.objective(x)
    if not abs(exact - objective) <= AGREEMENT * max(abs(exact), abs(objective)):
        return bool(exact == objective)
    return not broken(instance, x)
