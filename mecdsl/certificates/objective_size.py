"""How large an objective is near a point, where its value says little: at an optimum of 0 every
share is infinite.

The size is the sum of the absolute terms of the objective, the largest of

- the point itself;
- the point with a group of columns moved by their typical size (`mecdsl.analysis.scaling`), inside
  their bounds. In `x^2` at 1e-9 that is 1, if x is about 1. Up to `GROUPS` columns move one at a
  time; the groups keep a product of many factors from growing by all of them at once: of 60 factors
  between 1 and 2, all near 1, none makes it more than twice as large, and that is its size there,
  not the 1e10 at the middle of the bounds.

Of the ways up and down the one with the lesser size counts, as one may lead to a pole such as 1/x
at 0, and the second counts no more than the size the objective was scaled to.
"""

from typing import Final

import numpy as np

from mecdsl.analysis.magnitude import Magnitudes, size_of
from mecdsl.analysis.scaling import Scaling
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray, IntArray

GROUPS: Final = 64
SPREAD: Final = 30.0


def objective_size(instance: Instance, x: FloatArray, scaling: Scaling) -> float:
    """The size of the objective near a point, in the unit of the objective; at least that of its
    terms there.

    No more than `SPREAD` times what it is by the column whose move makes it least: a penalty that
    nobody pays is no size, and a typical size may be far off.
    """
    here, usual = _terms(instance, x), 1.0 / scaling.objective
    if not here < usual:
        return here
    ends = (
        np.minimum(x + scaling.size, instance.upper),
        np.maximum(x - scaling.size, instance.lower),
    )
    columns = np.flatnonzero(instance.free & (ends[1] < ends[0]))
    groups = np.array_split(columns, min(GROUPS, max(len(columns), 1)))
    sizes = [size for size in (_moved(instance, x, group, ends) for group in groups) if size > here]
    near = min(max(sizes, default=0.0), SPREAD * min(sizes, default=0.0))
    return max(here, min(near, usual))


def _moved(
    instance: Instance, x: FloatArray, group: IntArray, ends: tuple[FloatArray, FloatArray]
) -> float:
    """The size where a group of columns is moved up or down, the lesser of both; 0 if neither is a
    number.
    """
    sizes = []
    for end in ends:
        if (end[group] != x[group]).any():
            there = x.copy()
            there[group] = end[group]
            sizes.append(_terms(instance, there))
    return min((size for size in sizes if np.isfinite(size)), default=0.0)


def _terms(instance: Instance, x: FloatArray) -> float:
    """The sum of the absolute terms of the objective at a point; may be nan or infinite."""
    with np.errstate(all="ignore"):
        value = instance.goal.value(instance.evaluator(Magnitudes(x)))
        return float(np.ravel(np.asarray(size_of(value), dtype=np.float64))[0])
