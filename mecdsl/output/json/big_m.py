"""What became of a switched constraint, as plain data."""

from typing import Any

from mecdsl.instances.reformulations import BigM


def big_m_json(found: BigM) -> dict[str, Any]:
    """What became of a switched constraint; its big-M in SI."""
    return {
        "constraint": found.fact.constraint.name,
        "when": found.fact.switch.span.text,
        "rows": found.rows,
        "big_m": [found.smallest, found.largest],
        "line": found.fact.constraint.span.line,
    }
