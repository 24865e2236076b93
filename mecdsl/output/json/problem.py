"""The class of a problem with the reasons, as plain data."""

from typing import Any

from mecdsl.convexity.problem import FamilyReport, Problem
from mecdsl.instances.instance import Instance
from mecdsl.instances.reformulations import big_ms, reformulations
from mecdsl.output.json.big_m import big_m_json
from mecdsl.output.json.lowering import lowering_json
from mecdsl.output.json.reformulation import reformulation_json


def problem_json(instance: Instance, problem: Problem) -> dict[str, Any]:
    """What was asked for and what solvers get: class, sizes, and each family with its reason."""
    return {
        "form": instance.model.form or "base",
        "class": problem.problem_class.value,
        "convex": problem.convex,
        "variables": problem.columns,
        "integer_variables": problem.integer_columns,
        "fixed_variables": problem.fixed_columns,
        "rows": problem.rows,
        "lowered": lowering_json(instance),
        "linearized": [reformulation_json(one) for one in reformulations(instance)],
        "switched": [big_m_json(one) for one in big_ms(instance)],
        "families": [
            {
                "name": report.name,
                "rows": report.size,
                "degree": report.degree.name.lower(),
                **_convexity(report),
                "reason": report.reason,
                "file": report.place.source.name if report.place else None,
                "line": report.place.line if report.place else None,
            }
            for report in (problem.objective, *problem.families)
        ],
    }


def _convexity(report: FamilyReport) -> dict[str, Any]:
    """The curvature of a family: numbers in SI."""
    points = report.counterexample
    return {
        "convex": report.convex,
        "curvature": report.curvature.value,
        "cause": report.cause,
        "cause_file": report.cause_place.source.name if report.cause_place else None,
        "cause_line": report.cause_place.line if report.cause_place else None,
        "member": report.member or None,
        "counterexample": None
        if points is None
        else {
            "member": points.member,
            "first": dict(points.first),
            "second": dict(points.second),
            "middle": points.middle,
            "chord": points.chord,
        },
    }
