"""Between which ends an expression of SCIP lies, by the bounds of its variables."""

import math
from typing import Any

from pyscipopt.scip import ProdExpr, SumExpr, VarExpr

from mecdsl.backends.shared.combinations import Combination


def ends(value: Combination) -> tuple[float, float]:
    """The least and the largest value of a linear combination by the bounds of its variables."""
    size, expression = value.normal()
    low, high = range_of(expression)
    return size * low, size * high


def range_of(expression: Any) -> tuple[float, float]:
    """The least and the largest value of a linear expression by the bounds of its variables."""
    if isinstance(expression, VarExpr):
        variable = expression.children[0]
        return float(variable.getLbOriginal()), float(variable.getUbOriginal())
    if isinstance(expression, ProdExpr) and len(expression.children) == 1:
        ends = [float(expression.constant) * end for end in range_of(expression.children[0])]
        return min(ends), max(ends)
    if isinstance(expression, SumExpr):
        parts = [range_of(child) for child in expression.children]
        constant = float(expression.constant)
        return constant + sum(low for low, _ in parts), constant + sum(high for _, high in parts)
    return -math.inf, math.inf
