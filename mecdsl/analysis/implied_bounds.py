"""Bounds of the columns that the linear rows imply: a few rounds of interval propagation, all rows
at once.

In `sum a_j x_j <= b` a column can be no larger than what the least values of the others leave:
`a_j x_j <= b - sum_{k != j} min a_k x_k`. Each round does so for every entry of every linear row
and keeps what is tighter. The way is that of activity-based bound tightening (Savelsbergh, ORSA J.
Comput. 6, 1994), without the step for integers, since callers bound continuous relaxations.

A bound found here holds at every point that keeps the linear rows and the bounds of the columns
exactly. Rounding is taken outwards: each limit is moved by more than the rounding error of the sums
it comes from.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mecdsl.analysis.coefficients import constraint_coefficients, plain_families
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray, IntArray

EPSILON: Final = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """Entries of rows `sum value x_column <= limit`; `count`: entries of each row."""

    row: IntArray
    column: IntArray
    value: FloatArray
    limit: FloatArray
    count: IntArray


def implied_bounds(
    instance: Instance, rounds: int = 5, cut: tuple[FloatArray, float] | None = None
) -> tuple[FloatArray, FloatArray]:
    """Lower and upper bounds, one entry per column in SI, that hold at every feasible point.

    `cut`: float64[columns] and a limit, one more row `coefficients . x <= limit`; the bounds then
    hold at every feasible point that keeps it. Never wider than the bounds of the instance; a fixed
    column has its value on both sides. Where no point is feasible a lower bound may lie above the
    upper one. Rows above degree one are left out. Raises `ModelError` where a coefficient is not
    finite.
    """
    lower = np.where(instance.free, instance.lower, instance.fixed)
    upper = np.where(instance.free, instance.upper, instance.fixed)
    rows = _linear_rows(instance)
    if cut is not None:
        rows = _with_cut(rows, *cut)
    for _ in range(rounds if len(rows.row) else 0):
        if (lower > upper).any():
            break
        high, low = _round(rows, lower, upper)
        if not ((high < upper).any() or (low > lower).any()):
            break
        lower, upper = np.maximum(lower, low), np.minimum(upper, high)
    return lower, upper


def _round(rows: _Rows, lower: FloatArray, upper: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The upper and the lower bounds that one look at every row gives."""
    high, low = np.full(len(lower), np.inf), np.full(len(lower), -np.inf)
    least = rows.value * np.where(rows.value > 0.0, lower[rows.column], upper[rows.column])
    open_end = ~np.isfinite(least)
    finite = np.where(open_end, 0.0, least)
    size = len(rows.limit)
    total = np.bincount(rows.row, finite, size)
    terms = np.bincount(rows.row, np.abs(finite), size) + np.abs(rows.limit)
    missing = np.bincount(rows.row, open_end, size)
    alone = missing[rows.row] == open_end  # every other entry of the row has a least value
    entry = np.flatnonzero(alone)
    row, column, value = rows.row[entry], rows.column[entry], rows.value[entry]
    with np.errstate(over="ignore"):
        room = rows.limit[row] - (total[row] - finite[entry])
        room = room + (rows.count[row] + 4) * EPSILON * terms[row]
        bound = room / value
        bound = bound + np.where(value > 0.0, 2.0, -2.0) * EPSILON * np.abs(bound)
    fine = ~np.isnan(bound)
    above, below = fine & (value > 0.0), fine & (value < 0.0)
    np.minimum.at(high, column[above], bound[above])
    np.maximum.at(low, column[below], bound[below])
    return high, low


def _linear_rows(instance: Instance) -> _Rows:
    """Every row without products as `<=`; an equality as two of them."""
    families = plain_families(instance)
    coefficients = constraint_coefficients(instance, families)
    side = np.concatenate([np.zeros(0), *(np.full(f.size, f.relation.sign) for f in families)])
    linear = np.isfinite(coefficients.constant)
    linear[coefficients.quadratic_row] = False
    parts: list[tuple[IntArray, IntArray, FloatArray]] = []
    limits: list[FloatArray] = []
    first = 0
    for sign in (1.0, -1.0):
        kept = linear & ((side == sign) | (side == 0.0))
        number = np.cumsum(kept) - 1 + first
        entry = kept[coefficients.row]
        parts.append(
            (
                number[coefficients.row[entry]],
                coefficients.column[entry],
                sign * coefficients.value[entry],
            )
        )
        limits.append(-sign * coefficients.constant[kept])
        first += int(kept.sum())
    row, column, value = (
        np.concatenate([entries[place] for entries in parts]) for place in range(3)
    )
    limit = np.concatenate(limits)
    return _Rows(row, column, value, limit, np.bincount(row, minlength=len(limit)))


def _with_cut(rows: _Rows, coefficients: FloatArray, limit: float) -> _Rows:
    used = np.flatnonzero(coefficients)
    return _Rows(
        np.concatenate([rows.row, np.full(len(used), len(rows.limit))]),
        np.concatenate([rows.column, used]),
        np.concatenate([rows.value, coefficients[used]]),
        np.append(rows.limit, limit),
        np.append(rows.count, len(used)),
    )
