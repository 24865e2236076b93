"""One attempt to mend a point that misses rows by what its solver takes for nothing.

Solvers keep rows to an absolute tolerance of scaled terms, and stop there. What the rule of
`mecdsl.results.violations` refuses is often such a rest: a power of 1e-12 W behind a switch that is
off, a row over small differences of large numbers. Two steps are tried, and what comes out is
judged like any other point: it is kept only if nothing is missed.

- Real columns that all but reach a bound are put onto it.
- The point is moved by the least that mends the rows it misses, measured by the columns' own sizes,
  to first order, a few times over (Gauss-Newton). Integers stay where they are, and bounds are
  kept.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mecdsl.analysis.scaling import Slopes
from mecdsl.instances.algebra import Value
from mecdsl.instances.instance import ConstraintFamily, Instance, difference
from mecdsl.instances.jets import Jet
from mecdsl.instances.tables import FloatArray, IntArray
from mecdsl.results.measures import TOLERANCE, measures
from mecdsl.results.violations import Judge, broken, switched_on

ROUNDS: Final = 4
FARTHEST: Final = (
    1e-4  # of the size of a column: what is farther from the rows than this is no rest of a solver
)


def mended(instance: Instance, x: FloatArray) -> FloatArray | None:
    """A point near x that keeps everything, or None if none is found.

    For points that miss a row, not an integer.
    """
    real = instance.free & ~instance.integral
    if not real.any():
        return None
    size = np.maximum(np.abs(x), measures(instance, x).scale)
    tried = _onto_bounds(instance, x, real, size)
    for _ in range(ROUNDS):
        if not broken(instance, tried):
            return tried
        step = _step(instance, tried, real, size)
        if step is None:
            return None
        tried = np.where(real, np.clip(tried + step, instance.lower, instance.upper), tried)
        if (np.abs(tried - x) > FARTHEST * size).any():
            return None
    return None if broken(instance, tried) else tried


def _onto_bounds(
    instance: Instance, x: FloatArray, real: NDArray[np.bool_], size: FloatArray
) -> FloatArray:
    """The point with columns that are nearer to a bound than their tolerance on it."""
    for bound in (instance.lower, instance.upper):
        near = real & np.isfinite(bound) & (np.abs(x - bound) <= TOLERANCE * size)
        x = np.where(near, bound, x)
    return x


def _step(
    instance: Instance, x: FloatArray, real: NDArray[np.bool_], size: FloatArray
) -> FloatArray | None:
    """The least step that mends the missed rows to first order; None where there is none to be
    found.
    """
    from scipy.sparse import csr_matrix  # not needed where a point is fine
    from scipy.sparse.linalg import lsmr

    judge, evaluator = Judge(instance, x), instance.evaluator(Slopes(x, real))
    rows: list[IntArray] = []
    columns: list[IntArray] = []
    slopes: list[FloatArray] = []
    missing: list[FloatArray] = []
    count = 0
    with np.errstate(all="ignore"):
        for family in (*instance.constraints, *switched_on(instance, x)):
            lacks = _missing(judge, family)
            missed = np.flatnonzero(lacks)
            value: Value = difference(evaluator, family) if len(missed) else None
            if not isinstance(value, Jet):
                continue
            gradient = value.take(missed).gradient
            rows.append(count + gradient.rows)
            columns.append(gradient.columns[0])
            slopes.append(gradient.values * size[gradient.columns[0]])
            missing.append(lacks[missed])
            count += len(missed)
    if not count:
        return None
    entries = np.concatenate(slopes)
    right = np.concatenate(missing)
    if not (np.isfinite(entries).all() and np.isfinite(right).all()):
        return None
    matrix = csr_matrix(
        (entries, (np.concatenate(rows), np.concatenate(columns))), shape=(count, instance.columns)
    )
    step = lsmr(matrix, right, atol=1e-15, btol=1e-15, conlim=0.0)[0]
    return np.asarray(size * step)


def _missing(judge: Judge, family: ConstraintFamily) -> FloatArray:
    """What has to be added to `left - right` of each row that is missed beyond rounding; 0
    elsewhere.
    """
    if not family.size:
        return np.zeros(0)
    residual, rounding = judge.residuals(family)
    low, high = family.relation.limits
    over = residual - np.clip(residual, low, high)
    return np.where(np.abs(over) > rounding, -over, 0.0)
