"""What the Community licence that comes with the package `xpress` allows, as it was found by trial
with Xpress 9.9.1: rows and columns together are 5000, and 200 where anything is quadratic or
nonlinear; and all formulas together have 1000 tokens.
"""

from collections.abc import Sequence
from typing import Final

from mecdsl.backends.shared.licences import Count, Licence
from mecdsl.backends.shared.tree_program import TreeProgram
from mecdsl.backends.shared.trees import PRODUCT, QUOTIENT, SUM, Tree, from_leaves

MOST: Final = 5000
MOST_OF_CURVED: Final = 200
LONGEST: Final = 1000


def counts(program: TreeProgram, licence: Licence) -> Sequence[Count]:
    """What the licence counts of a problem; a nonlinear objective is a row and a column."""
    size = program.size
    rows = size.linear_rows + size.quadratic_rows + size.curved_rows
    found = size.columns + rows + 2 * size.curved_objective
    if size.linear:
        return (Count(found, MOST, "rows and variables"),) if licence.limited else ()
    what = "rows and variables of a quadratic or nonlinear problem"
    length = sum(map(formula_length, program.trees))
    return Count(found, MOST_OF_CURVED, what), Count(length, LONGEST, "tokens of all its formulas")


def formula_length(tree: Tree) -> int:
    """The tokens of a tree in reverse Polish with its end: a function has a bracket before its
    argument, a power its exponent after it, and a sum of n parts n - 1 signs.
    """
    found = 1
    for node in from_leaves(tree):
        if not node.parts:
            found += 1
        elif node.kind in (SUM, PRODUCT, QUOTIENT):
            found += len(node.parts) - 1
        else:
            found += 2
    return found
