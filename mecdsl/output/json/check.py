"""What `check` finds as plain data."""

from collections.abc import Sequence
from typing import Any

from mecdsl.convexity.problem import analyse, sampled
from mecdsl.diagnostics import Diagnostic
from mecdsl.instances.instance import Instance
from mecdsl.model import symbolic as sym
from mecdsl.output.json.diagnostic import diagnostic_json
from mecdsl.output.json.game import game_json
from mecdsl.output.json.problem import problem_json


def check_json(
    model: sym.Model, diagnostics: Sequence[Diagnostic], instance: Instance | None
) -> dict[str, Any]:
    """The diagnostics and the class; `instance`: None where data are missing."""
    problem: dict[str, Any] = {"class": None}
    if instance is not None:
        problem = problem_json(instance, sampled(instance, analyse(instance)))
        if instance.model.players:
            problem["game"] = game_json(instance)
    return {
        "model": model.name,
        "forms": [form.name for form in model.forms],
        "diagnostics": [diagnostic_json(diagnostic) for diagnostic in diagnostics],
        **problem,
    }
