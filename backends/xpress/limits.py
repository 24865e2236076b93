"""What the Community licence that comes with the package `xpress` allows, as it was found by trial
with Xpress 9.9.1: rows and columns together are 5000, and 200 where anything is quadratic or
nonlinear.
"""

from collections.abc import Sequence
from typing import Final

from mecdsl.backends.shared.licences import Count, Licence
from mecdsl.backends.shared.tree_program import Size

MOST: Final = 5000
MOST_OF_CURVED: Final = 200


def counts(size: Size, licence: Licence) -> Sequence[Count]:
    """What the licence counts of a problem; a nonlinear objective is a row and a column."""
    rows = size.linear_rows + size.quadratic_rows + size.curved_rows
    found = size.columns + rows + 2 * size.curved_objective
    if size.linear:
        return (Count(found, MOST, "rows and variables"),) if licence.limited else ()
    what = "rows and variables of a quadratic or nonlinear problem"
    return (Count(found, MOST_OF_CURVED, what),)
