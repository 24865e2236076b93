"""The statement that solvers get where it has no kinks any more, as plain data."""

from typing import Any

from mecdsl.convexity.problem import analyse
from mecdsl.instances.instance import Instance
from mecdsl.lowering.lower import lowered


def lowering_json(instance: Instance) -> dict[str, Any] | None:
    """Every kink and what became of it; None for a model that solvers get as it is."""
    twin = lowered(instance)
    if not twin.steps:
        return None
    problem = analyse(twin.instance) if twin.changed else None
    return {
        "class": None if problem is None else problem.problem_class.value,
        "convex": None if problem is None else problem.convex,
        "variables": twin.instance.columns,
        "rows": twin.instance.rows,
        "kinks": [
            {
                "text": step.span.text,
                "in": step.where,
                "became": step.words if step.method else None,
                "reason": step.reason or None,
                "line": step.span.line,
            }
            for step in twin.steps
        ],
    }
