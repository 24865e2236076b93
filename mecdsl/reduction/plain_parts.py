"""The numbers of rows and objective of degree two or less of a reduced problem, as arrays.

Constants of rows are added up exactly at the origins of the columns before they are scaled
(`mecdsl.analysis.origins`), and coefficients of binaries are as small as they can be
(`mecdsl.analysis.tightening`) unless they are wanted as they are written.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from mecdsl.analysis.coefficients import (
    Quadratics,
    constraint_coefficients,
    objective_coefficients,
    plain_families,
    rows_of,
)
from mecdsl.analysis.origins import constants_at, rounding_at
from mecdsl.analysis.tightening import solver_rows
from mecdsl.instances.instance import ConstraintFamily
from mecdsl.instances.tables import FloatArray, IntArray
from mecdsl.reduction.reduced import Reduced


@dataclass(frozen=True, slots=True, eq=False)
class PlainRows:
    """Scaled rows `lower <= coefficients <= upper`, infinite where there is no side.

    `rows`: instance row of each; `coefficients`: without constants, over scaled variables by their
    number among `Reduced.columns`.
    """

    rows: IntArray
    coefficients: Quadratics
    lower: FloatArray
    upper: FloatArray


@np.errstate(all="ignore")  # what is not finite is looked for where it is used
def plain_rows(reduced: Reduced, as_written: bool = False) -> PlainRows:
    """The rows of degree two or less that hold a free variable, scaled; by row of the instance.

    `as_written`: with the coefficients of binaries that the model has.
    """
    instance, origin = reduced.instance, reduced.scaling.origin
    families = plain_families(instance)
    coefficients = (constraint_coefficients if as_written else solver_rows)(instance, families)
    places = rows_of(families)
    constant, slack = constants_at(coefficients, origin), rounding_at(coefficients, origin)
    low, high = _limits(families)
    lower = np.where(np.isfinite(low), -constant - slack, low)
    upper = np.where(np.isfinite(high), -constant + slack, high)
    factor = reduced.scaling.row[places]
    kept = np.flatnonzero(np.isin(places, reduced.rows))
    return PlainRows(
        places[kept],
        _chosen(
            _over_variables(reduced, coefficients.scaled(reduced.scaling.column, factor)), kept
        ),
        (lower * factor)[kept],
        (upper * factor)[kept],
    )


@np.errstate(all="ignore")  # as above
def plain_objective(reduced: Reduced) -> Quadratics:
    """The scaled objective, of degree two or less, over scaled variables, with the constant that
    the solver is told.
    """
    found = objective_coefficients(reduced.instance)
    scaled = found.scaled(reduced.scaling.column, np.array([reduced.objective_factor]))
    return replace(_over_variables(reduced, scaled), constant=np.array([reduced.handed]))


def _limits(families: Sequence[ConstraintFamily]) -> tuple[FloatArray, FloatArray]:
    """The least and the largest value of `left - right` of each row."""
    limits = [np.tile(family.relation.limits, (family.size, 1)) for family in families]
    low, high = np.concatenate([np.zeros((0, 2)), *limits]).T
    return low, high


def _over_variables(reduced: Reduced, coefficients: Quadratics) -> Quadratics:
    """Coefficients by number of the variable instead of the column."""
    position = np.full(reduced.instance.columns, -1, dtype=np.int64)
    position[reduced.columns] = np.arange(len(reduced.columns))
    columns = [
        position[part] for part in (coefficients.column, coefficients.first, coefficients.second)
    ]
    return replace(coefficients, column=columns[0], first=columns[1], second=columns[2])


def _chosen(coefficients: Quadratics, kept: IntArray) -> Quadratics:
    """Some rows in their order, without their constants."""
    number = np.full(coefficients.size, -1, dtype=np.int64)
    number[kept] = np.arange(len(kept))
    linear = np.flatnonzero(number[coefficients.row] >= 0)
    products = np.flatnonzero(number[coefficients.quadratic_row] >= 0)
    return Quadratics(
        constant=np.zeros(len(kept)),
        row=number[coefficients.row[linear]],
        column=coefficients.column[linear],
        value=coefficients.value[linear],
        quadratic_row=number[coefficients.quadratic_row[products]],
        first=coefficients.first[products],
        second=coefficients.second[products],
        quadratic_value=coefficients.quadratic_value[products],
    )
