"""What the rows that a point misses by a tolerance are worth in the objective.

A proof holds for the rows as its solver keeps them. Where a row is all but flat at the optimum, as
`(1 - x)^3 >= y` at (1, 0) is, what is nothing to the row moves the objective by much: the point
passes, and so does its bound, both past the optimum of the rows as written. To first order, a row
missed by r is worth |m| r with m its multiplier. The multipliers are those that come nearest to the
first-order conditions with integers fixed: the least-squares solution over the rows that are active
at the point and the real columns that are between their bounds.
"""

import numpy as np
from numpy.typing import NDArray

from mecdsl.analysis.scaling import Slopes
from mecdsl.instances.instance import ConstraintFamily, Instance, difference
from mecdsl.instances.jets import Jet
from mecdsl.instances.tables import FloatArray
from mecdsl.results.measures import TOLERANCE, measures
from mecdsl.results.violations import Judge, switched_on


@np.errstate(all="ignore")  # what is not finite is looked for where it is used
def worth_of_misses(instance: Instance, x: FloatArray) -> tuple[float, str]:
    """By how much the objective may be too good, in SI, and the row that counts most; (0.0, "")
    where all is kept.
    """
    judge = Judge(instance, x)
    lowered = {name for fact in instance.model.switched for name in fact.rows}
    families = [
        f
        for f in (*instance.constraints, *switched_on(instance, x))
        if f.size and f.name not in lowered
    ]
    missed = [judge.missed(family) for family in families]
    if not any(amount.any() for amount in missed):
        return 0.0, ""
    real = instance.free & ~instance.integral
    size = np.maximum(np.abs(x), measures(instance, x).scale)
    room = np.minimum(x - instance.lower, instance.upper - x)
    prices = _prices(instance, x, judge, families, real & (room > TOLERANCE * size), size)
    worth = np.abs(prices) * np.concatenate(missed)
    worth = np.where(np.isfinite(worth), worth, 0.0)
    if not worth.any():
        return 0.0, ""
    worst = int(np.argmax(worth))
    first = np.cumsum([0, *(family.size for family in families)])
    which = int(np.searchsorted(first, worst, side="right")) - 1
    return float(worth.sum()), instance.row_name(families[which], worst - int(first[which]))


def _prices(
    instance: Instance,
    x: FloatArray,
    judge: Judge,
    families: list[ConstraintFamily],
    moving: NDArray[np.bool_],
    size: FloatArray,
) -> FloatArray:
    """The multiplier of every row, 0 of those that are not active; `moving`: the columns that may
    go both ways.
    """
    from scipy.sparse import csr_matrix  # not needed where all rows are kept
    from scipy.sparse.linalg import lsmr

    evaluator = instance.evaluator(Slopes(x, moving))
    goal = instance.goal.value(evaluator)
    rows, columns, slopes, count = [], [], [], 0
    for family in families:
        value = difference(evaluator, family)
        if isinstance(value, Jet):
            gradient = value.gradient
            kept = judge.active(family)[gradient.rows] & np.isfinite(gradient.values)
            rows.append(count + gradient.rows[kept])
            columns.append(gradient.columns[0][kept])
            slopes.append((gradient.values * size[gradient.columns[0]])[kept])
        count += family.size
    prices = np.zeros(count)
    if not isinstance(goal, Jet) or not rows:
        return prices
    right = np.bincount(goal.gradient.columns[0], goal.gradient.values, len(x)) * size
    row, column, slope = np.concatenate(rows), np.concatenate(columns), np.concatenate(slopes)
    norm = np.sqrt(np.bincount(row, slope * slope, count))
    if not (len(row) and np.isfinite(right).all()):
        return prices
    used = norm[row] > 0.0
    matrix = csr_matrix(
        (slope[used] / norm[row[used]], (column[used], row[used])), shape=(len(x), count)
    )
    scaled_prices = lsmr(matrix, right, atol=1e-12, btol=1e-12, conlim=0.0)[0]
    return np.divide(scaled_prices, norm, out=prices, where=norm > 0.0)
