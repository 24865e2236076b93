"""What became of a product, as plain data."""

from typing import Any

from mecdsl.instances.reformulations import Reformulation


def reformulation_json(replaced: Reformulation) -> dict[str, Any]:
    """What became of a product; limits of its factors in SI."""
    return {
        "product": replaced.fact.product,
        "variable": replaced.fact.variable,
        "exact": replaced.fact.exact,
        "method": replaced.fact.method,
        "places": list(replaced.fact.places),
        "line": replaced.fact.span.line,
        "columns": replaced.columns,
        "rows": replaced.rows,
        "limits": {
            r.symbol: {"lower": list(r.lower), "upper": list(r.upper)} for r in replaced.ranges
        },
    }
