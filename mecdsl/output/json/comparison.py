"""Several backends side by side as plain data."""

from typing import Any

from mecdsl.output.json.plain import plain
from mecdsl.output.json.result import result_json
from mecdsl.studies.compare import Comparison


def comparison_json(comparison: Comparison, trace: bool = False) -> dict[str, Any]:
    """Everything as plain data; with `trace` each result has its steps."""
    return {
        "model": comparison.model,
        "best_bounds": {
            form or "base": plain(value) for form, value in comparison.best_bounds.items()
        },
        "entries": [
            {
                "backend": entry.backend,
                "form": entry.form or "base",
                "asked_form": entry.asked_form or "base",
                "bounds_only": entry.bounds_only,
                "distance": plain(entry.distance),
                "reason": entry.reason,
                "result": result_json(entry.result, trace) if entry.result else None,
            }
            for entry in comparison.entries
        ],
        "contradictions": list(comparison.contradictions),
    }
