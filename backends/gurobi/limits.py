"""What the licence that comes with the package `gurobipy` allows, as it was found by trial with
Gurobi 13.0.3: 2000 columns, 200 where anything is quadratic or nonlinear, and 2000 rows.

The operations of nonlinear rows count as a row each, the row itself as one more, and its result as
a column.
"""

from collections.abc import Sequence
from typing import Final

from mecdsl.backends.shared.licences import Count
from mecdsl.backends.shared.tree_program import Size

MOST_COLUMNS: Final = 2000
MOST_COLUMNS_OF_CURVED: Final = 200
MOST_ROWS: Final = 2000


def counts(size: Size) -> Sequence[Count]:
    """What the licence counts of a problem."""
    results = size.curved_rows + size.curved_objective
    rows = size.linear_rows + size.quadratic_rows + size.absolutes + results + size.operations
    if size.linear:
        columns = Count(size.columns, MOST_COLUMNS, "variables")
    else:
        what = "variables and nonlinear rows of a quadratic or nonlinear problem"
        columns = Count(size.columns + results, MOST_COLUMNS_OF_CURVED, what)
    return columns, Count(rows, MOST_ROWS, "rows and nonlinear operations")
