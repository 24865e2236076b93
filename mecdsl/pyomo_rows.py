"""Rows of Pyomo expressions out of arrays of coefficients.

Pyomo's expression classes are filled directly: writing `3.0*x*y + 2.0*x <= 5` with operators sends every `*` and `+`
through a dispatcher of types and costs four times as much per row.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyomo.core.expr.numeric_expr import (
    LinearExpression,
    MonomialTermExpression,
    PowExpression,
    ProductExpression,
    SumExpression,
)
from pyomo.core.expr.relational_expr import EqualityExpression, InequalityExpression

from mecdsl.coefficients import Quadratics
from mecdsl.tables import IntArray

Objects = NDArray[np.object_]


def bodies(found: Quadratics, columns: Objects) -> list[Any]:
    """The variable part of every row, without its constant; None where a row holds no variable."""
    linear = _linear_terms(found, columns)
    linear_ends = _ends(found.row, found.size)
    if not len(found.quadratic_value):
        return [_linear(linear[a:b]) for a, b in zip([0, *linear_ends], linear_ends, strict=False)]
    quadratic = _quadratic_terms(found, columns)
    ends = _ends(found.quadratic_row, found.size)
    places = zip([0, *ends], ends, [0, *linear_ends], linear_ends, strict=False)
    return [_sum(quadratic[a:b], linear[c:d]) for a, b, c, d in places]


def relations(relation: str, row_bodies: Sequence[Any], bounds: Sequence[float]) -> list[Any]:
    """`body relation bound` for every row; `relation`: `<=`, `>=` or `==`."""
    pairs = zip(row_bodies, bounds, strict=True)
    match relation:
        case "<=":
            return [InequalityExpression(pair, False) for pair in pairs]
        case ">=":
            return [InequalityExpression((bound, body), False) for body, bound in pairs]
        case "==":
            return [EqualityExpression(pair) for pair in pairs]
        case _:
            raise ValueError(f"unknown relation {relation}")


def _ends(rows: IntArray, size: int) -> list[int]:
    """For sorted row numbers, where the entries of each row end."""
    ends: list[int] = np.searchsorted(rows, np.arange(size), side="right").tolist()
    return ends


def _linear_terms(found: Quadratics, columns: Objects) -> list[Any]:
    pairs = zip(found.value.tolist(), columns[found.column].tolist(), strict=True)
    return [MonomialTermExpression(pair) for pair in pairs]


def _quadratic_terms(found: Quadratics, columns: Objects) -> list[Any]:
    """`(c x) y`, and `c x**2` for squares, so that solvers and readers see a square."""
    factors = found.quadratic_value.tolist()
    first, second = columns[found.first].tolist(), columns[found.second].tolist()
    triplets = zip(factors, first, second, strict=True)
    square = found.first == found.second
    if not square.any():
        return [ProductExpression((MonomialTermExpression((c, x)), y)) for c, x, y in triplets]
    return [
        ProductExpression((c, PowExpression((x, 2))))
        if same
        else ProductExpression((MonomialTermExpression((c, x)), y))
        for (c, x, y), same in zip(triplets, square.tolist(), strict=True)
    ]


def _linear(terms: list[Any]) -> Any:
    if len(terms) > 1:
        return LinearExpression(terms)
    return terms[0] if terms else None


def _sum(quadratic: list[Any], linear: list[Any]) -> Any:
    if not quadratic:
        return _linear(linear)
    return SumExpression(quadratic + linear) if len(quadratic) + len(linear) > 1 else quadratic[0]
