"""Whether the scaled numbers of a problem are of like sizes, so that no tolerance of Bonmin cuts a
node off.

Bonmin takes 1e-6 for whole and its local solver keeps rows to about 1e-8. A right-hand side of 1e-6
of its row, or a coefficient of 1e-5 of another, is then a matter of tolerances, and a node without
a point is none for certain.
"""

from typing import Final

import numpy as np

from mecdsl.analysis.coefficients import constraint_coefficients, plain_families
from mecdsl.analysis.scaling import Scaling
from mecdsl.instances.instance import Instance

LEAST: Final = 1e-4  # of the largest number of a row, and of the size of a column


def sizes_alike(instance: Instance, scaling: Scaling) -> bool:
    """Whether no number of a row of degree two or less, and no bound, is far below the others.

    Raises `ModelError` where a coefficient is not finite.
    """
    found = constraint_coefficients(instance, plain_families(instance))
    column = scaling.column
    linear = np.abs(found.value * column[found.column])
    curved = np.abs(found.quadratic_value * column[found.first] * column[found.second])
    rows = np.concatenate([found.row, found.quadratic_row, np.arange(found.size)])
    sizes = np.concatenate([linear, curved, np.abs(found.constant)])
    depends = np.isin(rows, np.concatenate([found.row, found.quadratic_row]))
    told = depends & (sizes > 0.0) & np.isfinite(sizes)
    largest = np.zeros(found.size)
    np.maximum.at(largest, rows[told], sizes[told])
    if (sizes[told] < LEAST * largest[rows[told]]).any():
        return False
    bounds = np.abs(np.concatenate([instance.lower / column, instance.upper / column]))
    return not bool(((bounds > 0.0) & (bounds < LEAST)).any())
