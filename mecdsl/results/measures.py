"""How large each variable counts when a point is judged: its measure, from the model and the point.

A tolerance needs a size. The size of a number alone is a poor one: seconds since 1970 are large and
differ by milliseconds, a switched-off power is 0 and must not be a billionth of its lazy bound. The
measure of a real column is the larger of

- how far it is from its origin: from 0, or, where the bounds that the model implies leave 0 out,
  from the end of these that is nearest to 0. A column on a clock (see below) is as far from its
  origin as the times it is compared with are from each other;
- what matters in it, its *scale*: what the author says (`var x : W tolerance 1 nW` is a scale of a
  million times that); else half of the least number that the model holds against it: its bounds,
  and in every row the size of the data (and integers) divided by the coefficient, or what is left
  of the row with all columns at their origins where that is less. Where a row bends, the
  coefficient is its slope that far away, so that `x^2 + y <= 4` at x = 1e-9, where its slope by x
  is nothing, lets x count for 1 and not for 1e9. Only data that are there count, so a coefficient
  on a binary that is 0, a big M, is none. Where the model says nothing at all it is the typical
  size of `mecdsl.analysis.scaling`, and beside binaries no more than the largest number of the
  column's family at the point: what flows.

A row whose coefficients add up to 0 and that holds data, `start[j] - start[j-1] >= 10 ms`, compares
differences. Its real terms count by the range of the numbers compared, and where the data are less
than a millionth of these numbers, they are on a clock.

Integer columns and data have no measure: they are what they are.
"""

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mecdsl.analysis.loose_terms import UNIT_ROUNDOFF, Looseness, loosely
from mecdsl.analysis.magnitude import Magnitudes, size_of
from mecdsl.analysis.propagation.box import implied_box
from mecdsl.analysis.scaling import Slopes, scale
from mecdsl.instances.algebra import Value
from mecdsl.instances.evaluate import Evaluator
from mecdsl.instances.instance import ConstraintFamily, Instance, difference
from mecdsl.instances.jets import Jet
from mecdsl.instances.tables import FloatArray, IntArray
from mecdsl.model.classes import Degree

TOLERANCE: Final = 1e-6
"""How far a real variable may be off, as a share of its measure."""

ASIDE: Final = 1e-6
"""Of an end of the range that the rows imply: a point that far outside of it still counts from
there.
"""

SHARE: Final = 0.5
"""Of the least number held against a column: rows that bend, such as `t*s >= z^2` at 0, have the
square of it.
"""

ROUNDING_SAFETY: Final = 4.0
"""How many times its bound a rounding error counts: less than that is left of a row by rounding
alone.
"""

ORIGIN_ROUNDING: Final = 1e3
"""The same for a row at the ends of the box, which many roundings lead to."""

DIFFERENCE: Final = 1e-9
"""Coefficients whose sum is less than this share of their sizes add up to 0."""

BISECTIONS: Final = 12
"""Of a distance from a point, in logarithms: from 1e30 times too far to within a tenth of a per
cent.
"""

CLOSE: Final = 0.5
"""Distances whose ratio is no less than this are the same."""


@dataclass(frozen=True, slots=True, eq=False)
class Measures:
    """`column`: float64[columns], measures in SI; 0 for integers and fixed columns. `scale`: what
    matters in them.

    `differences`: for families with rows that compare differences, the loose part of these rows;
    nan for other rows.
    """

    column: FloatArray
    scale: FloatArray
    differences: dict[str, FloatArray] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, eq=False)
class _Entries:
    """Slopes of one family by real free columns, and the size of the data in each of its rows."""

    family: ConstraintFamily
    row: IntArray
    column: IntArray
    slope: FloatArray
    data: FloatArray

    def held(self, columns: int) -> FloatArray:
        """float64[columns]: the least size of the data in a row divided by the slope; infinite
        where there is none.
        """
        size = self.data[self.row] / np.abs(self.slope)
        told = np.isfinite(size) & (size > 0.0)
        least = np.full(columns, np.inf)
        np.minimum.at(least, self.column[told], size[told])
        return least


def measures(instance: Instance, x: FloatArray) -> Measures:
    """The measures of all columns at a point."""
    real = instance.free & ~instance.integral
    if not real.any():
        return Measures(np.zeros(instance.columns), np.zeros(instance.columns))
    with np.errstate(all="ignore"):
        box = implied_box(instance)
        # a column outside of what the rows imply counts from what is declared: the rows are broken
        # there
        inside = (x >= box.lower - ASIDE * np.abs(box.lower)) & (
            x <= box.upper + ASIDE * np.abs(box.upper)
        )
        lower, upper = (
            np.where(inside, box.lower, instance.lower),
            np.where(inside, box.upper, instance.upper),
        )
        origin = np.where(real, _origin(lower, upper), 0.0)
        entries = _entries(instance, x, real, origin)
        away = np.abs(x - origin)
        scales = _scales(instance, x, entries, origin)
        away, differences = _clocks(x, away, scales, entries)
    column = np.where(real, np.maximum(away, scales), 0.0)
    scale = np.where(real & np.isfinite(scales), scales, 0.0)
    return Measures(np.where(np.isfinite(column), column, np.abs(x)), scale, differences)


def _origin(lower: FloatArray, upper: FloatArray) -> FloatArray:
    return np.where((lower > 0.0) & np.isfinite(lower), lower, np.where(upper < 0.0, upper, 0.0))


def _entries(
    instance: Instance, x: FloatArray, real: NDArray[np.bool_], origin: FloatArray
) -> list[_Entries]:
    """Slopes and data of the rows as the text states them: a switched constraint, not the rows that
    stand for it.
    """
    lowered = {name for fact in instance.model.switched for name in fact.rows}
    slopes = instance.evaluator(Slopes(x, real))
    data = instance.evaluator(Magnitudes(np.where(real, 0.0, x)))
    left = None
    if origin.any():
        at_origin = np.where(real, origin, x)
        left = instance.evaluator(Looseness(at_origin, np.zeros(instance.columns)))
    families = [
        _entries_of(family, (slopes, data, left), origin)
        for family in (*instance.constraints, *switched_families(instance))
        if family.name not in lowered and family.size
    ]
    return [entries for entries in families if entries is not None]


def switched_families(instance: Instance) -> list[ConstraintFamily]:
    """The constraints with a switch as they are written, over all their rows."""
    by_name = {family.name: family for family in instance.constraints}
    return [
        ConstraintFamily(
            name=fact.constraint.name,
            first=by_name[fact.rows[0]].first,
            constraint=fact.constraint,
            table=by_name[fact.rows[0]].table,
            shape=by_name[fact.rows[0]].shape,
        )
        for fact in instance.model.switched
    ]


def _entries_of(
    family: ConstraintFamily,
    evaluators: tuple[Evaluator, Evaluator, Evaluator | None],
    origin: FloatArray,
) -> _Entries | None:
    """`evaluators`: of slopes, of data, and of the rows at the origins where one is not 0."""
    slopes, data, at_origin = evaluators
    gradient = _gradient(slopes, family)
    if gradient is None:
        return None
    row, column, slope = gradient
    sizes = _data_sizes(data, family)
    shifted = np.unique(row[origin[column] != 0.0])
    if at_origin is not None and len(shifted):
        left = loosely(difference(at_origin, family))
        # ends of the box are rounded outward, so rows that are met there are missed by a little
        blur = ORIGIN_ROUNDING * (left.error + UNIT_ROUNDOFF * left.total)
        rest = np.where(np.abs(left.value) > blur, np.abs(left.value), np.inf)
        smaller = np.fmin(sizes, rest)
        sizes = sizes.copy()
        sizes[shifted] = smaller[shifted]
    return _Entries(family, row, column, slope, sizes)


def _gradient(
    slopes: Evaluator, family: ConstraintFamily
) -> tuple[IntArray, IntArray, FloatArray] | None:
    """Rows, columns and values of the slopes of a family that are there; None where no column is in
    it.
    """
    value: Value = difference(slopes, family)
    if not isinstance(value, Jet):
        return None
    gradient = value.gradient
    kept = np.isfinite(gradient.values) & (gradient.values != 0.0)
    return gradient.rows[kept], gradient.columns[0][kept], gradient.values[kept]


def _data_sizes(data: Evaluator, family: ConstraintFamily) -> FloatArray:
    """The size of the data in each row; a side without a number where its variables are 0, such as
    1/x, has none.
    """
    total = np.zeros(family.size)
    for side in (family.constraint.left, family.constraint.right):
        size = np.asarray(size_of(data.family(side, family.table)), dtype=np.float64)
        total = total + np.where(np.isfinite(size), size, 0.0)
    return total


def _scales(
    instance: Instance, x: FloatArray, entries: list[_Entries], origin: FloatArray
) -> FloatArray:
    """What matters in each column, in SI."""
    least = _least(entries, instance.columns)
    bent = [family for family in entries if family.family.shape.degree > Degree.LINEAR]
    if bent:
        least = np.fmin(least, _bent(instance, x, least, bent))
    lower, upper = instance.lower, instance.upper
    for bound in (lower, upper):
        bounded = np.isfinite(bound) & (bound != 0.0)
        away = np.where(origin == 0.0, np.abs(bound), upper - lower)
        least = np.where(bounded & (away > 0.0), np.fmin(least, away), least)
    silent = ~np.isfinite(least)
    if (silent & instance.free & ~instance.integral).any():
        least = np.where(silent, _typical(instance, x), least)
    stated = instance.tolerance / TOLERANCE
    return np.where(np.isnan(stated), SHARE * least, stated)


def _least(entries: list[_Entries], columns: int) -> FloatArray:
    return np.asarray(
        np.min([np.full(columns, np.inf), *(found.held(columns) for found in entries)], axis=0)
    )


def _bent(
    instance: Instance, x: FloatArray, least: FloatArray, entries: list[_Entries]
) -> FloatArray:
    """How far columns may go until rows that bend, with the slope they have there, hold less
    against them.

    `least`: what the slopes at the point say. All columns go at once, up and down; found by
    bisection.
    """
    real = instance.free & ~instance.integral

    def held(distance: FloatArray) -> FloatArray:
        least_heard = np.full(len(x), np.inf)
        for point in (x + distance, x - distance):
            slopes = instance.evaluator(Slopes(point, real))
            for data in entries:
                gradient = _gradient(slopes, data.family)
                if gradient is not None:
                    least_heard = np.fmin(
                        least_heard, _Entries(data.family, *gradient, data.data).held(len(x))
                    )
        return least_heard

    high = np.where(real, np.where(np.isfinite(least), least, scale(instance).size), 0.0)
    low = held(high)
    unheard = ~np.isfinite(low)
    low = np.fmin(low, high)
    for _ in range(BISECTIONS):
        apart = low < CLOSE * high
        if not apart.any():
            break
        middle = np.where(apart, np.sqrt(low) * np.sqrt(high), high)
        near = held(middle) >= middle
        low, high = np.where(apart & near, middle, low), np.where(apart & ~near, middle, high)
    return np.where(unheard, np.inf, low)


def _typical(instance: Instance, x: FloatArray) -> FloatArray:
    """Sizes of columns of which the model says nothing."""
    size = scale(instance).size
    if not bool((instance.integral & instance.free).any()):
        return size
    flows = np.zeros(instance.columns)
    for family in instance.variables:
        flows[family.columns] = np.abs(x[family.columns]).max(initial=0.0)
    return np.minimum(size, flows)


def _clocks(
    x: FloatArray, away: FloatArray, scales: FloatArray, entries: list[_Entries]
) -> tuple[FloatArray, dict[str, FloatArray]]:
    """Distances from the origin, those of clocks replaced; and the loose part of the rows that
    compare differences.
    """
    differences: dict[str, FloatArray] = {}
    ranges = np.full(len(x), np.inf)
    for of_rows in entries:
        size = of_rows.family.size
        weight = np.abs(of_rows.slope)
        total = np.bincount(of_rows.row, weight, size)
        count = np.bincount(of_rows.row, minlength=size)
        even = np.abs(np.bincount(of_rows.row, of_rows.slope, size)) <= DIFFERENCE * total
        rows = even & (count > 1) & (of_rows.data > 0.0) & np.isfinite(of_rows.data)
        if not rows.any():
            continue
        middle = np.bincount(of_rows.row, weight * x[of_rows.column], size) / np.where(
            total > 0.0, total, 1.0
        )
        apart = np.abs(x[of_rows.column] - middle[of_rows.row])
        loose = np.bincount(of_rows.row, weight * np.maximum(apart, scales[of_rows.column]), size)
        differences[of_rows.family.name] = np.where(rows, loose, np.nan)
        data = of_rows.data[of_rows.row] / weight
        clock = rows[of_rows.row] & (data < TOLERANCE * away[of_rows.column])
        np.minimum.at(ranges, of_rows.column[clock], np.maximum(apart, data)[clock])
    return np.minimum(away, ranges), differences
