"""A comparison over many seeds as plain data."""

from dataclasses import fields
from enum import Enum
from typing import Any, Final

from mecdsl.output.json.plain import plain
from mecdsl.studies.study_result import HIGH, LOW, Goal, Run, Spread, Study, Summary

# What a single run is written out as, in this order.
COLUMNS: Final = (
    "seed",
    "form",
    "backend",
    "outcome",
    "verified",
    "guarantee",
    "termination",
    "objective",
    "bound",
    "best_bound",
    "distance",
    "violation",
    "seconds",
    "solved_form",
    "exact",
    "claimed",
    "reason",
)


def study_json(study: Study) -> dict[str, Any]:
    """Everything as plain data: SI numbers in full precision."""
    return {
        "model": study.model,
        "seeds": list(study.seeds),
        "objectives": {form or "base": _fields(goal) for form, goal in study.goals.items()},
        "interval": [LOW, HIGH],
        "summaries": [summary_json(summary) for summary in study.summaries],
        "runs": [run_json(run) for run in study.runs],
        "contradictions": list(study.contradictions),
        "same_data": study.same_data,
        "interrupted": study.interrupted,
    }


def summary_json(summary: Summary) -> dict[str, Any]:
    """Plain data under the names of the fields, and the share."""
    found: dict[str, Any] = {
        field.name: _plain(getattr(summary, field.name)) for field in fields(summary)
    }
    return found | {"form": summary.form or "base", "share": summary.share}


def run_json(run: Run) -> dict[str, Any]:
    """Plain data under the names of the fields, and `verified`; the model without a form is
    form `base`.
    """
    found: dict[str, Any] = {name: _plain(getattr(run, name)) for name in COLUMNS}
    return found | {"form": run.form or "base", "solved_form": run.solved_form or "base"}


def _plain(value: Any) -> Any:
    """A field as plain data."""
    match value:
        case Enum():
            return value.value
        case Spread():
            return _fields(value)
        case float():
            return plain(value)
        case _:
            return value


def _fields(value: Goal | Spread) -> dict[str, Any]:
    return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
