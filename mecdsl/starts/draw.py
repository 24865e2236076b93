"""Points for a local solver to start from, drawn over the whole box of the variables.

Uniformly between two bounds; from one bound, and around 0 or the origin of a clock where there is
none, at a distance that is exponential with a few typical sizes (`mecdsl.analysis.scaling`) as its
mean. A point depends on the seed and its number only, so more starts add to fewer.
"""

from typing import Final

import numpy as np

from mecdsl.analysis.scaling import NO_BOUND
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray
from mecdsl.reduction.reduced import reduce_instance

MEAN_DISTANCE: Final = 3.0  # typical sizes


def drawn(instance: Instance, seed: int, number: int) -> FloatArray:
    """float64[columns], SI: the start of a number from 2 on, the first being the ordinary one."""
    chance = np.random.default_rng([seed, number])
    scaling = reduce_instance(instance).scaling
    along = chance.uniform(size=instance.columns)
    distance = chance.exponential(MEAN_DISTANCE, instance.columns) * scaling.column
    side = np.where(chance.random(instance.columns) < 0.5, -1.0, 1.0)
    low = np.where(instance.lower <= -NO_BOUND, -np.inf, instance.lower)
    high = np.where(instance.upper >= NO_BOUND, np.inf, instance.upper)
    with np.errstate(invalid="ignore"):
        between = low + along * (high - low)
        x = np.where(np.isfinite(low) & np.isfinite(high), between, scaling.origin)
        x = np.where(np.isfinite(low) & np.isinf(high), low + distance, x)
        x = np.where(np.isinf(low) & np.isfinite(high), high - distance, x)
        x = np.where(np.isinf(low) & np.isinf(high), x + side * distance, x)
    near = np.clip(scaling.origin + side * distance, low, high)  # a clock, not all its years
    x = np.where(scaling.origin != 0.0, near, x)
    return np.where(instance.free, x, instance.first_point())
