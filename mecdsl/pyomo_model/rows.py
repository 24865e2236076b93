"""Rows of Pyomo expressions out of arrays of coefficients.

Pyomo's expression classes are filled directly: writing `3.0*x*y + 2.0*x <= 5` with operators sends
every `*` and `+` through a dispatcher of types and costs four times as much per row.
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

from mecdsl.analysis.coefficients import Quadratics
from mecdsl.instances.tables import IntArray
from mecdsl.model.relation import Relation

Objects = NDArray[np.object_]


def bodies(coefficients: Quadratics, columns: Objects) -> list[Any]:
    """The variable part of every row, without its constant; None where a row holds no variable."""
    linear, quadratic = (
        _linear_terms(coefficients, columns),
        _quadratic_terms(coefficients, columns),
    )
    ends, quadratic_ends = (
        _ends(coefficients.row, coefficients.size),
        _ends(coefficients.quadratic_row, coefficients.size),
    )
    counts, quadratic_counts = np.diff(ends, prepend=0), np.diff(quadratic_ends, prepend=0)
    kinds = [SumExpression if count else LinearExpression for count in quadratic_counts.tolist()]
    places = zip(kinds, [0, *quadratic_ends], quadratic_ends, [0, *ends], ends, strict=False)
    result = [kind(quadratic[a:b] + linear[c:d]) for kind, a, b, c, d in places]
    for row in np.flatnonzero(counts + quadratic_counts <= 1).tolist():
        only = result[row].args
        result[row] = only[0] if only else None
    return result


def relations(relation: Relation, row_bodies: Sequence[Any], bounds: Sequence[float]) -> list[Any]:
    """`body relation bound` for every row; `relation`: `<=`, `>=` or `==`."""
    pairs = zip(row_bodies, bounds, strict=True)
    match relation:
        case Relation.AT_MOST:
            return [InequalityExpression(pair, False) for pair in pairs]
        case Relation.AT_LEAST:
            return [InequalityExpression((bound, body), False) for body, bound in pairs]
        case Relation.EQUAL:
            return [EqualityExpression(pair) for pair in pairs]


def _ends(rows: IntArray, size: int) -> list[int]:
    """For sorted row numbers, where the entries of each row end."""
    ends: list[int] = np.searchsorted(rows, np.arange(size), side="right").tolist()
    return ends


def _linear_terms(coefficients: Quadratics, columns: Objects) -> list[Any]:
    pairs = zip(coefficients.value.tolist(), columns[coefficients.column].tolist(), strict=True)
    return list(map(MonomialTermExpression, pairs))


def _quadratic_terms(coefficients: Quadratics, columns: Objects) -> list[Any]:
    """`(c x) y`, and `c x**2` for squares, so that solvers and readers see a square."""
    first, second = columns[coefficients.first].tolist(), columns[coefficients.second].tolist()
    factors = coefficients.quadratic_value.tolist()
    scaled = map(MonomialTermExpression, zip(factors, first, strict=True))
    terms = list(map(ProductExpression, zip(scaled, second, strict=True)))
    for place in np.flatnonzero(coefficients.first == coefficients.second).tolist():
        terms[place] = ProductExpression((factors[place], PowExpression((first[place], 2))))
    return terms
