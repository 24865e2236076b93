"""What an exported file is scaled by, and when its numbers stay in SI.

Readers of files work to absolute tolerances: HiGHS leaves out coefficients below 1e-9, takes a row
as met to 1e-6 and a reduced cost as zero to 1e-7. A file in SI, with 8e-12 W per cycle/s in a row,
is thus another problem. So a file is in the powers of two of `mecdsl.analysis.scaling`. What is
near one already stays in SI: then the file reads like the model. The objective keeps its unit
wherever its terms are neither tiny nor huge in it, so that what a solver prints is the objective of
the model; else it is divided by a power of two that the file states.
"""

from dataclasses import replace

import numpy as np

from mecdsl.analysis.scaling import Scaling, scale, unit_scaling
from mecdsl.instances.instance import Instance

SIZES = (
    2.0**-3,
    2.0**13,
)  # of columns and rows that need no factor: 1e-6 of a row stays below 1e-5 of it
COEFFICIENTS = (2.0**-10, 2.0**13)
OBJECTIVE = (2.0**-10, 2.0**20)  # a reduced cost of 1e-7 stays below 1e-4 of the largest term


def file_scaling(instance: Instance, raw: bool = False) -> Scaling:
    """Factors of a file. `raw`: none, all numbers in SI. Raises `ModelError` as `scale` does."""
    if raw:
        return unit_scaling(instance)
    found = scale(instance)
    if _near_one(instance, found):
        return replace(unit_scaling(instance), objective=objective_factor(found.objective))
    return replace(found, objective=objective_factor(found.objective))


def objective_factor(proposed: float) -> float:
    """1 where the objective's terms are of a size that solvers resolve, else the factor proposed.

    >>> objective_factor(4.0), objective_factor(2.0**20)
    (1.0, 1048576.0)
    """
    low, high = OBJECTIVE
    return 1.0 if low <= 1.0 / proposed <= high else proposed


def is_scaled(scaling: Scaling) -> bool:
    """Whether any factor differs from 1."""
    return scaling.objective != 1.0 or bool(
        (scaling.column != 1.0).any() or (scaling.row != 1.0).any()
    )


def _near_one(instance: Instance, found: Scaling) -> bool:
    sizes = np.concatenate([found.size[instance.free], 1.0 / found.row])
    low, high = SIZES
    least, largest = COEFFICIENTS
    inside = bool(((sizes >= low) & (sizes <= high)).all())
    return inside and least <= found.before[0] and found.before[1] <= largest
