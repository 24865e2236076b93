"""A model with its data as plain data."""

from typing import Any

from mecdsl.analysis.member_units import unit_text
from mecdsl.analysis.scaling import Scaling
from mecdsl.convexity.problem import analyse
from mecdsl.instances.instance import Instance, nested
from mecdsl.output.json.game import game_json
from mecdsl.output.json.plain import plain
from mecdsl.output.json.problem import problem_json
from mecdsl.output.json.scaling import scaling_json


def instance_json(instance: Instance, scaling: Scaling | None = None) -> dict[str, Any]:
    """Its class, the sizes of its sets, and every number: SI, nested in family order."""
    world, dimensions = instance.world, instance.model.dimensions
    report = {"model": instance.model.name, **problem_json(instance, analyse(instance))}
    if instance.model.players:
        report["game"] = game_json(instance)
    report["sets"] = {name: family.size for name, family in world.families.items()}
    report["values"] = {
        name: nested(values, world.symbols[name].levels, plain)
        for name, values in world.values.items()
    }
    report["units"] = {name: unit_text(dimensions.get(name)) for name in world.values}
    return report if scaling is None else report | {"scaling": scaling_json(instance, scaling)}
