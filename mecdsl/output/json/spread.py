"""What many starts came to as plain data."""

from typing import Any

from mecdsl.output.json.plain import plain
from mecdsl.solution import Spread


def spread_json(spread: Spread | None) -> dict[str, Any] | None:
    """Numbers of starts and optima, and the best and worst of these in SI; None with one start."""
    if spread is None:
        return None
    return {
        "asked": spread.starts,
        "optima": spread.optima,
        "distinct": spread.distinct,
        "best": plain(spread.best),
        "worst": plain(spread.worst),
        "failed": sum(spread.failed.values()),
        "failed_by": dict(spread.failed),
    }
