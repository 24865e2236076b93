"""Columns that run where the arithmetic of a global solver ends."""

from typing import Final

import numpy as np

from mecdsl.instances.tables import FloatArray
from mecdsl.reduction.reduced import Reduced

NO_BOUND: Final = (
    1e15  # of scaled columns; with 8e18 as a bound SCIP called 0 the largest x with x <= 0.125
)
ENDLESS: Final = (
    1e13  # of scaled columns, which are made to be about 1; SCIP's `numerics/hugeval` is 1e15
)


def widened(reduced: Reduced) -> bool:
    """Whether a column has a finite bound that the solver was not told."""
    ends = np.concatenate([reduced.lower, reduced.upper])
    return bool((np.isfinite(ends) & (np.abs(ends) >= NO_BOUND)).any())


def endless(reduced: Reduced, scaled: FloatArray, far: float = ENDLESS) -> str:
    """A column that runs where the solver's arithmetic ends, by name; empty if there is none.

    Solvers call such points optimal: `maximize ln(x)` ends at x = 2e16 because 1e20 is SCIP's
    infinity. `far`: where that is, of scaled columns.
    """
    ends = np.where(scaled > 0.0, reduced.upper, reduced.lower)
    gone = (np.abs(scaled) >= far) & (np.abs(ends) >= NO_BOUND)
    for column in reduced.columns[gone][:1].tolist():
        return f"`{reduced.instance.column_name(column)}`"
    return ""
