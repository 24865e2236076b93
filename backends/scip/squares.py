"""A convex quadratic objective over unbounded columns as a sum of squares of new variables.

SCIP's relaxation of `x^2 + x*y + y^2` without bounds on x and y is unbounded, and it branches for
ever: of nine random least squares problems with 2 to 20 free variables it proved two within 20 s.
With `y = V'x` from the eigenvectors V of the matrix each square has one variable and its own least
value, so SCIP bounds the objective and then, by the best point found, the new variables: each of
the nine takes less than half a second.
"""

from dataclasses import dataclass

import numpy as np

from mecdsl.analysis.coefficients import Quadratics
from mecdsl.instances.tables import FloatArray, IntArray

LARGEST = 500  # columns of an eigenproblem; above it the objective stays as it is
NOISE = 1e-12  # relative size up to which an eigenvalue is rounding


@dataclass(frozen=True, slots=True, eq=False)
class Squares:
    """The quadratic part, and of the linear part what lies along it, as
    `sum curvature[i] y_i^2 + slope[i] y_i`.

    `y = directions x[columns]`. `rest`: the linear coefficients of `columns` along directions
    without curvature.
    """

    columns: IntArray
    directions: FloatArray
    curvature: FloatArray
    slope: FloatArray
    rest: FloatArray


def squares(objective: Quadratics, sign: float, unbounded: IntArray) -> Squares | None:
    """`sign` times a quadratic objective as squares; None if that is no help or if it is not
    convex.

    `objective`: one row. `unbounded`: the columns that lack a bound; without one in a product
    nothing is done.
    """
    first, second = objective.first, objective.second
    columns = np.unique(np.concatenate([first, second])).astype(np.int64)
    mixed = first != second
    if not mixed.any() or len(columns) > LARGEST or not np.isin(columns, unbounded).any():
        return None
    size = len(columns)
    matrix = np.zeros((size, size))
    rows, others = np.searchsorted(columns, first), np.searchsorted(columns, second)
    np.add.at(matrix, (rows, others), 0.5 * sign * objective.quadratic_value)
    np.add.at(matrix, (others, rows), 0.5 * sign * objective.quadratic_value)
    values, vectors = np.linalg.eigh(matrix)
    largest = float(np.abs(values).max())
    if values[0] < -NOISE * largest:
        return None
    linear = np.zeros(size)
    inside = np.isin(objective.column, columns)
    linear[np.searchsorted(columns, objective.column[inside])] = sign * objective.value[inside]
    kept = values > NOISE * largest
    directions = vectors[:, kept].T
    slope = directions @ linear
    rest = linear - directions.T @ slope
    rest[np.abs(rest) <= NOISE * np.abs(linear).max(initial=0.0)] = 0.0
    return Squares(columns, directions, values[kept], slope, rest)
