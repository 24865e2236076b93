"""The steps that iterative methods recorded, as one table of several runs."""

import csv
import io
from collections.abc import Sequence
from typing import Final

from mecdsl.output.json.trace import trace_json
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
        table.writerows(trace_json(result))
    return out.getvalue()
