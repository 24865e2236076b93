"""The usual size of rows that have no size of their own where all their variables are at 0.

A residual is judged relative to the terms of its row. In `t*s >= z^2` or `x <= 9*y` every term holds a variable; where
the variables are 0 but for a solver's tolerance, all terms are noise, and noise relative to noise is of order one. Such
a row is what solvers take it for: one of its usual size that happens to be near 0.

The usual size of a row is that of its terms with every column at its size: the lesser of the typical size of
`mecdsl.analysis.scaling`, which knows the coefficients but not the point, and the largest number of the column's family
at the point or in its bounds, which knows the point but not the coefficients. So a row that is tiny by its units, watts
of noise among watts of power, stays tiny: its coefficients, or its variables, are.

A row with a term of data alone (`p >= 1e-15 W`) has a size wherever its variables are and gets none here.
"""

from typing import Final

import numpy as np

from mecdsl.analysis.magnitude import Magnitudes, size_of
from mecdsl.instances.instance import ConstraintFamily, Instance, difference
from mecdsl.instances.tables import FloatArray

SHARE: Final = 0.3
"""The share of its usual size that the terms of a row count for at least.

With the tolerance of 1e-6 of the terms this allows residuals of 3e-7 of the usual size. Solvers stop at 1e-9 to 1e-8 of
what they take the row's size for, and Bonmin's tips of cones come to 1.2e-7 of the size found here.
"""


def least_sizes(instance: Instance, family: ConstraintFamily, sizes: tuple[FloatArray, FloatArray]) -> FloatArray:
    """What the terms of each row of a family count for at least; 0 for rows with a term of data.

    `sizes`: float64[columns] each, typical sizes and the largest numbers of the columns' families.
    """
    usual = np.minimum(*(_terms(instance, family, columns) for columns in sizes))
    alone = _terms(instance, family, np.zeros(instance.columns))
    return np.where((alone == 0.0) & np.isfinite(usual), SHARE * usual, 0.0)


def _terms(instance: Instance, family: ConstraintFamily, x: FloatArray) -> FloatArray:
    """The sizes of the rows' terms at a point; nan where there are none."""
    with np.errstate(all="ignore"):
        value = difference(instance.evaluator(Magnitudes(instance.complete(x))), family)
        return np.broadcast_to(np.asarray(size_of(value), dtype=np.float64), (family.size,))
