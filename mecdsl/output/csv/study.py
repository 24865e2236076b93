"""Every run of a comparison over many seeds as a table."""

import csv
import io

from mecdsl.output.json.study import COLUMNS, run_json
from mecdsl.studies.study_result import Study


def study_csv(study: Study) -> str:
    """One row for each seed, form and backend; an empty cell is unknown."""
    out = io.StringIO()
    titles = ["model", "objective_name", "unit", "sense", *COLUMNS]
    rows = csv.DictWriter(out, titles, lineterminator="\n")
    rows.writeheader()
    for run in study.runs:
        goal = study.goals[run.form]
        head = {
            "model": study.model,
            "objective_name": goal.name,
            "unit": goal.unit,
            "sense": goal.sense,
        }
        cells = {
            name: str(cell).lower() if isinstance(cell, bool) else cell
            for name, cell in run_json(run).items()
        }
        rows.writerow(head | cells | {"reason": " ".join(run.reason.split())})
    return out.getvalue()
