"""Where a function has no finite value or slope within the bounds: `1/x` or `ln x` from x = 0 on.

Branch and bound over interval arithmetic is at its weakest there: SCIP calls `maximize 1/y` over y
from 0 to 4 infeasible, and `4*z^2 - 3*x/y <= 8` over binary x and y, which y = 1 and x = z = 0
keep.

Ranges are what all rows leave to the columns and to parts of expressions
(`mecdsl.analysis.propagation`): a row that keeps x away from 0 excludes the pole of `1/x`. One may
still be reported that no feasible point comes near.
"""

from mecdsl.analysis.propagation.box import implied_box
from mecdsl.instances.instance import Instance


def poles(instance: Instance, cones: bool = True) -> tuple[str, ...]:
    """The names of the objective and of constraint families that may come to a pole within the
    bounds.

    `cones`: also to that of `quad_over_lin`, whose epigraph is a cone without one.
    """
    box = implied_box(instance, whole=False)
    return box.with_cones if cones else box.poles
