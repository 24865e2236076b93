"""A nonlinear objective without the dear variables that stand in it, such as those of a penalty."""

from collections.abc import Callable
from typing import Any

from mecdsl.backends.shared.combinations import Combination
from mecdsl.backends.shared.dear_costs import DEAR


def beside_penalties(
    value: Combination, is_variable: Callable[[Any], bool]
) -> tuple[Combination, tuple[tuple[float, Any], ...]]:
    """An objective without its constant and dear variables, and these with their weights.

    In the row of the bounding variable a penalty of 1e11 is scaled to 1, and the rest with it to
    1e-11, less than any tolerance: SCIP called 26 optimal where 2.6 is feasible. In the objective
    itself it harms nothing. `is_variable`: of an atom of the tool.
    """
    sizes = [abs(weight) for weight, _ in value.terms if weight != 0.0]
    line = DEAR * min(sizes)
    dear = [is_variable(atom) and abs(weight) >= line for weight, atom in value.terms]
    if all(dear):
        return value - value.constant, ()
    kept = [term for term, out in zip(value.terms, dear, strict=True) if not out]
    beside = [term for term, out in zip(value.terms, dear, strict=True) if out]
    return Combination(value.tool, kept), tuple(beside)
