"""How much the Lagrangian of a quadratic problem curves at least along each column.

If L is quadratic with a Hessian H >= diag(c), then L(x) >= L(y) + L'(y) (x - y) + sum c_j (x_j -
y_j)^2 / 2: a slope of rounding size in a column without bounds then costs a little instead of an
infinite amount. The columns of quadratic terms are scaled to their typical sizes s, the least
eigenvalue m of the scaled H is found, and c_j = m / s_j^2.
"""

from typing import Final

import numpy as np

from mecdsl.analysis.coefficients import constraint_coefficients, objective_coefficients
from mecdsl.certificates.lagrangian import sense
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray
from mecdsl.model.classes import Degree

LARGEST: Final = 500  # columns of quadratic terms; eigenvalues cost their third power
SHARE: Final = 1e-10  # of the largest eigenvalue: what rounding may do to the least one


def curvature_floor(instance: Instance, multipliers: FloatArray, sizes: FloatArray) -> FloatArray:
    """float64[columns], curvature of L that every column has at least; 0 where none is found.

    `multipliers`: one per row, of the right sign. `sizes`: typical sizes of the columns.
    """
    none, sign = np.zeros(instance.columns), sense(instance)
    families = [family for family in instance.constraints if multipliers[family.rows].any()]
    degrees = [family.shape.degree for family in families]
    degrees.append(instance.goal.shape.degree)
    if max(degrees) != Degree.QUADRATIC:
        return none
    goal, rows = objective_coefficients(instance), constraint_coefficients(instance, families)
    weights = -sign * np.concatenate(
        [np.zeros(0), *(multipliers[family.rows] for family in families)]
    )
    first, second = (
        np.concatenate([getattr(goal, name), getattr(rows, name)]) for name in ("first", "second")
    )
    value = np.concatenate(
        [sign * goal.quadratic_value, weights[rows.quadratic_row] * rows.quadratic_value]
    )
    columns = np.unique(np.concatenate([first[value != 0.0], second[value != 0.0]]))
    if not 0 < len(columns) <= LARGEST:
        return none
    place = np.searchsorted(columns, np.stack([first, second])) % len(columns)
    size = sizes[columns]
    matrix = np.zeros((len(columns), len(columns)))
    for one, two in (place, place[::-1]):  # a square c x^2 twice gives its second derivative 2 c
        np.add.at(matrix, (one, two), value * size[one] * size[two])
    eigenvalues = np.linalg.eigvalsh(matrix)
    least = float(eigenvalues[0]) - SHARE * float(np.abs(eigenvalues).max())
    result = none
    if least > 0.0:
        result[columns] = least / size**2
    return result
