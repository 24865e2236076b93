"""Rows that hold no free variable and are false: a file or a Pyomo model must still say that no
point satisfies them.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mecdsl.analysis.magnitude import Magnitudes, size_of
from mecdsl.instances.instance import ConstraintFamily, Instance
from mecdsl.instances.tables import FloatArray, IntArray

TOLERANCE: Final = (
    1e-6  # of the terms of a row without variables; a smaller residual is rounding, not infeasible
)


def false_rows(
    instance: Instance, family: ConstraintFamily, rows: IntArray, value: FloatArray
) -> NDArray[np.bool_]:
    """Which of some rows of a family, which hold no free variable, are false beyond rounding.

    `value`: `left - right` of each of them.
    """
    if not len(rows):
        return np.zeros(0, dtype=bool)
    evaluator = instance.evaluator(Magnitudes(instance.first_point()))
    table = family.table.take(rows)
    left = evaluator.family(family.constraint.left, table)
    right = evaluator.family(family.constraint.right, table)
    size = size_of(left) + size_of(right)
    over = {"<=": value, ">=": -value, "==": np.abs(value)}[family.relation]
    return np.asarray((over == np.inf) | (over > TOLERANCE * size))
