"""Linear rows as a solver should see them: binaries with coefficients no larger than bounds allow.

In `flow <= M*open` a solver takes `open = 1e-11` for 0, and with M = 1e12 that is a flow of 10. A
row with a binary z is two rows, `rest <= first` where z is 0 and `rest <= second` where it is 1.
The wider of the two limits says nothing beyond the largest value R that the rest takes within the
bounds of the columns, so it may as well be R: the same points are left, the coefficient of z is as
small as it can be, and relaxations are tighter (coefficient tightening, Savelsbergh, ORSA J.
Comput. 6, 1994). One binary of each row is treated, that with the largest coefficient.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from mecdsl.analysis.coefficients import Quadratics, constraint_coefficients
from mecdsl.analysis.propagation.box import implied_box
from mecdsl.instances.instance import ConstraintFamily, Instance
from mecdsl.instances.tables import FloatArray

WORTH: Final = 0.9  # a limit that shrinks less than this is left as it is written
OUTWARD: Final = 1e-6  # of the sizes added up; R may be larger than it is, never smaller
# of the numbers a limit is the difference of: what is less may be rounding, a million times over
NOISE: Final = 1e-9
# of the sizes added up: what is left between the two limits at least, else the row is no switch
LEAST: Final = 1e-3


def solver_rows(instance: Instance, families: Sequence[ConstraintFamily]) -> Quadratics:
    """The coefficients of families of degree two or less, those of binaries in linear rows
    tightened.

    The rows hold at the same points with whole binaries as those of `constraint_coefficients`.
    Raises `ModelError` where a coefficient is not finite.
    """
    coefficients = constraint_coefficients(instance, families)
    binary = instance.free & instance.integral & (instance.lower == 0.0) & (instance.upper == 1.0)
    if not binary.any() or not len(coefficients.row):
        return coefficients
    signs = [np.full(family.size, float(family.relation.sign)) for family in families]
    sign = np.concatenate(signs)
    linear = np.ones(coefficients.size, dtype=bool)
    linear[coefficients.quadratic_row] = False
    candidate = linear & (sign != 0.0)
    entries = np.flatnonzero(binary[coefficients.column] & candidate[coefficients.row])
    if not len(entries):
        return coefficients
    order = entries[np.lexsort((-np.abs(coefficients.value[entries]), coefficients.row[entries]))]
    first = np.concatenate([[True], coefficients.row[order][1:] != coefficients.row[order][:-1]])
    return _tightened(instance, coefficients, np.where(sign < 0.0, -1.0, 1.0), order[first])


def _tightened(
    instance: Instance, coefficients: Quadratics, sign: FloatArray, chosen: np.ndarray
) -> Quadratics:
    """The rows with one entry of each of some rows tightened; `sign`: what makes each row a `<=`
    row.
    """
    rows = coefficients.row[chosen]
    value, constant = sign[coefficients.row] * coefficients.value, sign * coefficients.constant
    limits = -constant[rows], -(constant[rows] + value[chosen])
    wider, narrower = np.maximum(*limits), np.minimum(*limits)
    rest, size = _largest_rest(instance, coefficients, value, chosen)
    reach = (rest + OUTWARD * size)[rows]
    # what is left of `1e-9*5.9*z <= 5.9e-9` at z = 1 is rounding, and no limit
    apart = np.abs(constant[rows]) + np.abs(value[chosen])
    noise = NOISE * np.where((narrower == limits[1]) & (limits[1] != 0.0), apart, 0.0)
    switches = reach > narrower + np.maximum(
        LEAST * np.maximum(size[rows], np.abs(narrower)), noise
    )
    smaller = reach < WORTH * wider + (1.0 - WORTH) * narrower
    worth = np.flatnonzero(np.isfinite(reach) & switches & smaller)
    if not len(worth):
        return coefficients
    at_zero, at_one = (np.where(limit == wider, reach, limit)[worth] for limit in limits)
    new_value, new_constant = coefficients.value.copy(), coefficients.constant.copy()
    new_value[chosen[worth]] = sign[rows[worth]] * (at_zero - at_one)
    new_constant[rows[worth]] = -sign[rows[worth]] * at_zero
    return replace(coefficients, value=new_value, constant=new_constant)


def _largest_rest(
    instance: Instance, coefficients: Quadratics, value: FloatArray, chosen: np.ndarray
) -> tuple[FloatArray, FloatArray]:
    """For each row the largest value of its linear terms without the chosen entries, and the sizes
    of these.
    """
    box = implied_box(instance)
    others = np.ones(len(value), dtype=bool)
    others[chosen] = False
    row, column, factor = coefficients.row[others], coefficients.column[others], value[others]
    with np.errstate(invalid="ignore"):
        terms = np.where(factor > 0.0, factor * box.upper[column], factor * box.lower[column])
    rest, size = (
        np.bincount(row, numbers, coefficients.size) for numbers in (terms, np.abs(terms))
    )
    return rest.astype(np.float64), size.astype(np.float64)
