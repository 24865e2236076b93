"""Objectives whose costs differ by powers of ten: a penalty of 1e12 beside costs of 1.

Scaled to 1, the penalty leaves reduced costs of 1e-12 for the rest, below what solvers take for 0:
they ended at plans that are a fifth too dear and called them optimal. So the objective grows until
its least cost is near 1, or its largest as large as solvers still take.
"""

from typing import Final

import numpy as np

from mecdsl.instances.tables import FloatArray

DEAREST: Final = 1e9
"""The largest scaled cost; beyond, the rounding of sums hides the rest."""

DEAR: Final = 1e4
"""Costs that differ by this much count as dear ones beside cheap ones."""


def spread(costs: FloatArray) -> float:
    """The largest cost over the least, of those that are not 0; 1 where there is none."""
    sizes = np.abs(costs[costs != 0.0])
    return float(sizes.max() / sizes.min()) if len(sizes) else 1.0


def growth(costs: FloatArray, dearest: float = DEAREST) -> float:
    """The power of two, 1 at least, by which an objective with these scaled costs is multiplied.

    `dearest`: the largest scaled cost that the solver takes.
    """
    sizes = np.abs(costs[costs != 0.0])
    if not len(sizes):
        return 1.0
    wanted = min(1.0 / float(sizes.min()), dearest / float(sizes.max()))
    return float(np.exp2(np.floor(np.log2(max(1.0, wanted)))))
