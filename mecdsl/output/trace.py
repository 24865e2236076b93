"""The steps that iterative methods recorded, as one table of several runs.

A method records what it knows: an interior point method has no bound, a bisection no plan before
its end. An empty cell is unknown. `objective` and `bound` are in `unit`, in the sense of the model;
`residual` is what the method drives to zero, in its own measure; `seconds` count from the start of
the method.
"""

import csv
import io
from collections.abc import Sequence
from typing import Final

from mecdsl.results.result import Result

COLUMNS: Final = (
    "backend",
    "form",
    "iteration",
    "objective",
    "bound",
    "unit",
    "residual",
    "seconds",
    "note",
)


def trace_csv(results: Sequence[Result]) -> str:
    """One row for each step of each run, in the order of the runs; numbers are SI with all their
    digits.
    """
    out = io.StringIO()
    table = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    table.writeheader()
    for result in results:
        table.writerows(result.trace())
    return out.getvalue()


def recorded(results: Sequence[Result]) -> list[Result]:
    """Those with at least one step."""
    return [result for result in results if result.iterations]


def run_name(result: Result) -> str:
    """What a run is called beside others: the backend, and the form if there is one."""
    form = result.instance.model.form
    return f"{result.backend} ({form})" if form else result.backend
