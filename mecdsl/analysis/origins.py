"""Where columns are counted from, so that a clock since 1970 sets no tolerance of a job of 10 ms.

Solvers keep rows to a share of their terms. In `start[2] - start[1] >= 20 ms` with starts of 1.7e9
s that share is seconds, and the row says nothing. Counted from the bound that lies next to them the
starts are as small as their differences.

A column gets an origin, its finite bound nearest to 0, where the column is linear throughout, the
bound is no smaller than the range, and the origins of a row all but cancel there with its constant,
though not quite: what is left are the differences that it is about.
Elsewhere an origin would change nothing.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mecdsl.analysis.coefficients import Quadratics, constraint_coefficients, objective_coefficients
from mecdsl.analysis.propagation.box import implied_box
from mecdsl.instances.facts import fact
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray
from mecdsl.model.classes import Degree

CANCELS: Final = 1e-3  # of the largest term of a row; what is left of them together is less
ROUNDING: Final = 2.0**-52
# of the largest term; a row where less is left, such as a bound written as a row, is no clock's
NOTHING: Final = 1e-15
SAME: Final = 2.0**-49  # of a bound
ROUNDED: Final = 2.0**-44  # of an end: what rounding leaves between two ends that rows give
FAR: Final = 1e14  # SI; bounds from here on stand for none


@fact
def origins(instance: Instance) -> FloatArray:
    """Origins of all columns, float64[columns], in SI; 0 for most.

    Columns of nonlinear models have none.
    """
    near = _near(instance)
    objective = instance.goal.shape.degree
    degrees = [family.shape.degree for family in instance.constraints if family.size]
    if not near.any() or max([objective, *degrees]) > Degree.QUADRATIC:
        return np.zeros(instance.columns)
    rows, goal = (
        constraint_coefficients(instance, instance.constraints),
        objective_coefficients(instance),
    )
    for part in (rows, goal):
        near[part.first] = 0.0
        near[part.second] = 0.0
    terms = np.abs(rows.value * near[rows.column])
    largest = np.zeros(rows.size)
    np.maximum.at(largest, rows.row, terms)
    left = np.abs(constants_at(rows, near))
    data = np.abs(rows.constant)
    differs = (left > NOTHING * largest) | (
        (data > NOTHING * largest) & (data <= CANCELS * largest)
    )
    cancels = (left <= CANCELS * largest) & differs
    kept = np.zeros(instance.columns, dtype=bool)
    kept[rows.column[cancels[rows.row]]] = True
    return np.where(kept, near, 0.0)


def _near(instance: Instance) -> FloatArray:
    """The finite end nearest to 0 of the range that rows imply; 0 if the range is larger, and for
    integers.
    """
    box = implied_box(instance, whole=False)
    ends = _unrounded(box.lower, instance.lower), _unrounded(box.upper, instance.upper)
    lower, upper = (np.where(np.abs(bound) < FAR, bound, np.nan) for bound in ends)
    with np.errstate(invalid="ignore"):
        first = np.isnan(upper) | (np.abs(lower) <= np.abs(upper))
        # of two ends that rounding alone tells apart the one that is stated
        same = np.abs(upper - lower) <= ROUNDED * np.abs(lower)
        first = np.where(same, lower == instance.lower, first)
        near = np.where(first, lower, upper)
        wide = np.abs(upper - lower) > np.abs(near)  # false where one of them is missing
    return np.where(np.isnan(near) | wide | ~instance.free | instance.integral, 0.0, near)


def _unrounded(end: FloatArray, stated: FloatArray) -> FloatArray:
    """The ends of a range, which are rounded outward; the stated bounds where they are the same but
    for that.
    """
    with np.errstate(invalid="ignore"):  # of two infinite ones
        return np.where(np.abs(end - stated) <= SAME * np.abs(stated), stated, end)


def constants_at(coefficients: Quadratics, origin: FloatArray) -> FloatArray:
    """The constants of rows where columns count from their origins, which are no part of products.

    The sums cancel, so they are added with the digits of a long double; what is left of rounding
    alone is 0, for a row that says `x == bound` must not say `x - bound == 1e-17`.
    """
    total = coefficients.constant.astype(np.longdouble)
    moved = np.flatnonzero(origin[coefficients.column])
    products = coefficients.value[moved].astype(np.longdouble) * origin[coefficients.column[moved]]
    np.add.at(total, coefficients.row[moved], products)
    result = np.asarray(total, dtype=np.float64)
    size = np.zeros(coefficients.size)
    np.add.at(size, coefficients.row[moved], np.abs(np.asarray(products, dtype=np.float64)))
    noise = np.where(size > 0.0, ROUNDING * (size + np.abs(coefficients.constant)), 0.0)
    return np.where(np.abs(result) <= noise, 0.0, result)


def rounding_at(coefficients: Quadratics, origin: FloatArray) -> FloatArray:
    """By how much the doubles of a row may miss what its text says; 0 in rows without an origin.

    `begin + limit` at 1.7e9 s is known to 2e-7 s. Where a limit is met exactly the jobs would be
    late by that, and a proof of infeasibility would prove nothing but the rounding. Coefficients
    that are whole, as those of `start[2] - start[1]`, carry none.
    """
    value = coefficients.value
    products = np.where(value == np.round(value), 0.0, np.abs(value * origin[coefficients.column]))
    moved = np.flatnonzero(origin[coefficients.column])
    sizes, clocks = np.zeros(coefficients.size), np.zeros(coefficients.size, dtype=bool)
    np.add.at(sizes, coefficients.row, products)
    clocks[coefficients.row[moved]] = True
    return np.where(clocks, ROUNDING * (sizes + np.abs(coefficients.constant)), 0.0)


@dataclass(frozen=True, slots=True)
class Apart:
    """A constant of the objective, divided: what the solver is handed, and what is added to its
    answer.
    """

    handed: float
    kept_out: float


def apart(constant: float, terms: int) -> Apart:
    """The scaled constant of an objective with so many terms, each about 1, divided.

    It stays only where the terms could cancel it. Solvers end at a gap relative to the objective
    with its constant: beside 1e9 a gap of 1e-6 is 1000. A constant of the size of the terms is
    another matter: `x^2 - 6 x + 9` is 0 at 3, and without the 9 the gap would be a share of that.
    """
    return Apart(constant, 0.0) if abs(constant) <= 2.0 * (terms + 1) else Apart(0.0, constant)
