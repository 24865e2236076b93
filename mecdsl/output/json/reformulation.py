"""What became of a product, as plain data."""

from typing import Any

from mecdsl.instances.reformulations import Reformulation


def reformulation_json(found: Reformulation) -> dict[str, Any]:
    """What became of a product; limits of its factors in SI."""
    return {
        "product": found.fact.product,
        "variable": found.fact.variable,
        "exact": found.fact.exact,
        "method": found.fact.method,
        "places": list(found.fact.places),
        "line": found.fact.span.line,
        "columns": found.columns,
        "rows": found.rows,
        "limits": {
            r.symbol: {"lower": list(r.lower), "upper": list(r.upper)} for r in found.ranges
        },
    }
