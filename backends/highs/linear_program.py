"""An instance of class LP, MILP or QP as the arrays a matrix solver takes, minimised and scaled.

    minimise  offset + cost . x + x' Q x / 2   subject to  row_lower <= A x <= row_upper,  lower <=
    x <= upper

Fixed columns and rows without free variables are gone; a maximised objective is negated; rows,
columns and objective are multiplied by powers of two (`mecdsl.analysis.scaling`), and clocks count
from a bound (`mecdsl.analysis.origins`). `point`, `value` and `multipliers` lead back.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mecdsl.analysis.coefficients import (
    Quadratics,
    objective_coefficients,
    require_finite_objective,
)
from mecdsl.analysis.origins import Apart, apart, constants_at, origins, rounding_at
from mecdsl.analysis.scaling import scale
from mecdsl.analysis.tightening import solver_rows
from mecdsl.backends.shared.constant_rows import crossed_bounds, false_row
from mecdsl.backends.shared.dear_costs import growth
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray, IntArray

REDUCED_COST_TOLERANCE = 1e-7  # scaled; a multiplier below it on a side without a bound is rounding


@dataclass(frozen=True, slots=True, eq=False)
class Entries:
    """Nonzero entries of a matrix with `rows` rows, sorted by row."""

    rows: int
    row: IntArray
    column: IntArray
    value: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class LinearProgram:
    """The arrays, scaled, and the way back.

    `columns`: instance column of each variable; `rows`: instance row of each row. Matrix entries
    are sorted by row, Hessian entries (`hessian_first >= hessian_second`, the matrix Q and not Q/2)
    by `hessian_second`. `column_factor`, `row_factor`, `origin`: x = origin + factor * scaled x,
    scaled row = factor * row. `objective_factor`: what the objective was multiplied by, negative
    where the model maximises. `kept_out`: what of its scaled constant is not in `offset`, so that
    no gap is relative to it. `conflict`: why no point is feasible, or empty.
    """

    instance: Instance
    objective: Quadratics
    columns: IntArray
    rows: IntArray
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
    column_factor: FloatArray
    row_factor: FloatArray
    objective_factor: float
    conflict: str
    origin: FloatArray
    kept_out: float

    def point(self, scaled: FloatArray) -> FloatArray:
        """All columns of the instance, from scaled variables; integers rounded where they are
        within 1e-6 of one.
        """
        values = self.column_factor * scaled + self.origin
        rounded = np.round(values)
        near = self.integral & (np.abs(values - rounded) <= 1e-6 * np.maximum(1.0, np.abs(values)))
        x = self.instance.fixed.copy()
        x[self.columns] = np.where(near, rounded, values) + 0.0  # no -0.0
        return x

    def scaled(self, x: FloatArray) -> FloatArray:
        """Scaled variables of a point of the instance."""
        return (x[self.columns] - self.origin) / self.column_factor

    def value(self, x: FloatArray) -> float:
        """The objective of the model at a point of the instance."""
        return float(self.objective.value_at(x)[0])

    def original(self, scaled_objective: float) -> float:
        """A number in the scaled objective in the units and sense of the model."""
        return (scaled_objective + self.kept_out) / self.objective_factor

    def multipliers(self, scaled: FloatArray) -> Mapping[str, FloatArray]:
        """Derivatives of the optimum with respect to the right-hand sides, from those of the scaled
        rows.
        """
        flat = np.zeros(self.instance.rows)
        flat[self.rows] = scaled * self.row_factor / self.objective_factor
        return {family.name: flat[family.rows] for family in self.instance.constraints}

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
        return self.original(total)


def linear_program(instance: Instance, moved: bool = True) -> LinearProgram:
    """The arrays of an instance whose constraints are linear and whose objective is of degree two
    or less.

    `moved`: columns may have an origin, and a large constant is left out of the objective. Raises
    `ModelError` where a coefficient is not finite.
    """
    columns = np.flatnonzero(instance.free).astype(np.int64)
    position = np.full(instance.columns, -1, dtype=np.int64)
    position[columns] = np.arange(len(columns))
    objective = objective_coefficients(instance)
    require_finite_objective(instance)
    found = solver_rows(instance, instance.constraints)
    if len(found.quadratic_value):
        raise ValueError("a constraint is quadratic")
    depends = np.zeros(instance.rows, dtype=bool)
    depends[found.row] = True
    rows = np.flatnonzero(depends).astype(np.int64)
    number = np.cumsum(depends) - 1
    start = origins(instance) if moved else np.zeros(instance.columns)
    slack = rounding_at(found, start)
    row_lower, row_upper = _limits(instance, constants_at(found, start))
    row_lower, row_upper = (row_lower - slack)[rows], (row_upper + slack)[rows]
    scaling = scale(instance, start)
    column, row = scaling.column[columns], scaling.row[rows]
    values = found.value * scaling.row[found.row] * scaling.column[found.column]
    matrix = Entries(len(rows), number[found.row], position[found.column], values)
    conflict = crossed_bounds(instance) or false_row(instance, np.flatnonzero(~depends))
    first, second = position[objective.first], position[objective.second]
    curvature = (
        np.where(first == second, 2.0, 1.0)
        * objective.quadratic_value
        * column[first]
        * column[second]
    )
    order = np.lexsort((first, second))
    cost = np.zeros(len(columns))
    cost[position[objective.column]] = objective.value
    factor = scaling.objective * (-1.0 if instance.maximize else 1.0)
    if not len(objective.quadratic_value):
        factor *= growth(factor * cost * column)
    constant = factor * float(constants_at(objective, start)[0])
    parts = apart(constant, len(objective.value)) if moved else Apart(constant, 0.0)
    return LinearProgram(
        instance,
        objective,
        columns,
        rows,
        (instance.lower - start)[columns] / column,
        (instance.upper - start)[columns] / column,
        instance.integral[columns],
        factor * cost * column,
        parts.handed,
        first[order],
        second[order],
        factor * curvature[order],
        row_lower * row,
        row_upper * row,
        matrix,
        column,
        row,
        factor,
        conflict,
        start[columns],
        parts.kept_out,
    )


def _limits(instance: Instance, constant: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Bounds of the linear parts of all rows."""
    lower, upper = np.full(len(constant), -np.inf), np.full(len(constant), np.inf)
    for family in instance.constraints:
        if family.relation in (">=", "=="):
            lower[family.rows] = -constant[family.rows]
        if family.relation in ("<=", "=="):
            upper[family.rows] = -constant[family.rows]
    return lower, upper
