"""What became of a switched constraint, as plain data."""

from typing import Any

from mecdsl.instances.reformulations import BigM


def big_m_json(switched: BigM) -> dict[str, Any]:
    """What became of a switched constraint; its big-M in SI."""
    return {
        "constraint": switched.fact.constraint.name,
        "when": switched.fact.switch.span.text,
        "rows": switched.rows,
        "big_m": [switched.smallest, switched.largest],
        "line": switched.fact.constraint.span.line,
    }
