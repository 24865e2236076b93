"""An instance of class LP, MILP or QP as the arrays a matrix solver takes, reduced and minimised.

    minimise  offset + cost . x + x' Q x / 2   subject to  row_lower <= A x <= row_upper,  lower <=
    x <= upper

What is fixed, scaled and shifted, and the way back: `mecdsl.reduction`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mecdsl.analysis.coefficients import Quadratics
from mecdsl.backends.shared.dear_costs import growth
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray, IntArray
from mecdsl.reduction.plain_parts import plain_objective, plain_rows
from mecdsl.reduction.reduced import Reduced, reduce_instance

REDUCED_COST_TOLERANCE = 1e-7  # scaled; a multiplier below it on a side without a bound is rounding


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Nonzero entries of a matrix with `rows` rows, sorted by row."""

    rows: int
    row: IntArray
    column: IntArray
    value: FloatArray


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class LinearProgram:
    """The arrays, scaled; `reduced` leads back.

    Matrix entries are sorted by row, Hessian entries (`hessian_first >= hessian_second`, the matrix
    Q and not Q/2) by `hessian_second`.
    """

    reduced: Reduced
    lower: FloatArray
    upper: FloatArray
    integral: NDArray[np.bool_]
    cost: FloatArray
    offset: float
    hessian_first: IntArray
    hessian_second: IntArray
    hessian_value: FloatArray
    row_lower: FloatArray
    row_upper: FloatArray
    matrix: Entries

    def gradient(self, scaled: FloatArray) -> FloatArray:
        """Gradient of the scaled objective."""
        off = self.hessian_first != self.hessian_second
        result = self.cost.copy()
        np.add.at(result, self.hessian_first, self.hessian_value * scaled[self.hessian_second])
        np.add.at(
            result, self.hessian_second[off], (self.hessian_value * scaled[self.hessian_first])[off]
        )
        return result

    def dual_bound(self, x: FloatArray, y: FloatArray) -> float | None:
        """Value of the dual at multipliers y of the scaled rows and a scaled point x; None if it is
        no bound.

        f(v) >= f(x) + g (v - x) with g the gradient at x, so with z = g - A'y the least of y r + z
        v over the bounds of rows r and variables v bounds the optimum. A multiplier on a side
        without a bound makes that infinite, unless it is rounding.
        """
        gradient = self.gradient(x)
        product = np.bincount(self.matrix.column, self.matrix.value * y[self.matrix.row], len(x))
        total = self.offset - 0.5 * float(x @ (gradient - self.cost))
        sides = ((y, self.row_lower, self.row_upper), (gradient - product, self.lower, self.upper))
        for values, low, high in sides:
            side = np.where(values > 0.0, low, high)
            without = ~np.isfinite(side)
            if (np.abs(values[without]) > REDUCED_COST_TOLERANCE).any():
                return None
            total += float(np.sum(values[~without] * side[~without]))
        return self.reduced.bound(total)


def linear_program(instance: Instance) -> LinearProgram:
    """The arrays of an instance whose constraints are linear and whose objective is of degree two
    or less.

    Raises `ModelError` where a coefficient is not finite.
    """
    reduced = reduce_instance(instance)
    rows = plain_rows(reduced)
    if len(rows.coefficients.quadratic_value):
        raise ValueError("a constraint is quadratic")
    goal = plain_objective(reduced)
    if not len(goal.quadratic_value):
        reduced = reduced.with_objective(reduced.scaling.objective * growth(goal.value))
        goal = plain_objective(reduced)
    cost = np.zeros(len(reduced.columns))
    cost[goal.column] = goal.value
    first, second, curvature = _hessian(goal)
    entries = rows.coefficients
    return LinearProgram(
        reduced=reduced,
        lower=reduced.lower,
        upper=reduced.upper,
        integral=reduced.integral,
        cost=cost,
        offset=reduced.handed,
        hessian_first=first,
        hessian_second=second,
        hessian_value=curvature,
        row_lower=rows.lower,
        row_upper=rows.upper,
        matrix=Entries(entries.size, entries.row, entries.column, entries.value),
    )


def _hessian(goal: Quadratics) -> tuple[IntArray, IntArray, FloatArray]:
    """The lower triangle of the second derivatives of an objective, by column."""
    order = np.lexsort((goal.first, goal.second))
    first, second = goal.first[order], goal.second[order]
    return first, second, np.where(first == second, 2.0, 1.0) * goal.quadratic_value[order]
