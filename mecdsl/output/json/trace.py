"""The steps that an iterative method recorded, as plain data.

A method records what it knows: an interior point method has no bound, a bisection no plan before
its end. `objective` and `bound` are in `unit`, in the sense of the model; `residual` is what the
method drives to zero, in its own measure; `seconds` count from the start of the method.
"""

from typing import Any

from mecdsl.output.json.plain import plain
from mecdsl.results.result import Result


def trace_json(result: Result) -> list[dict[str, Any]]:
    """A row for each step: backend, form, iteration, objective, bound, unit, residual, seconds,
    note; SI.

    `pandas.DataFrame(trace_json(result))` is a table. What a method does not know is None.
    """
    model = result.instance.model
    run = {"backend": result.backend, "form": model.form or "base"}
    return [
        {
            **run,
            "iteration": step.number,
            "objective": plain(step.objective),
            "bound": plain(step.bound),
            "unit": result.unit(model.objective.name),
            "residual": plain(step.residual),
            "seconds": plain(step.seconds),
            "note": step.note,
        }
        for step in result.iterations
    ]
