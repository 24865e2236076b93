"""The factors with which solvers see an instance, as plain data."""

from typing import Any

from mecdsl.analysis.member_units import objective_unit, row_unit, unit_text
from mecdsl.analysis.scaling import Scaling
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray
from mecdsl.output.json.plain import plain


def scaling_json(instance: Instance, scaling: Scaling) -> dict[str, Any]:
    """Smallest and largest size of each family with its unit."""
    dimensions = instance.model.dimensions
    return {
        "objective": {"size": plain(1.0 / scaling.objective), "unit": objective_unit(instance)},
        "variables": {
            family.name: _range(scaling.column[family.columns])
            | {"unit": unit_text(dimensions.get(family.name))}
            for family in instance.variables
        },
        "rows": {
            family.name: _range(1.0 / scaling.row[family.rows])
            | {"unit": row_unit(instance, family.constraint)}
            for family in instance.constraints
        },
        "coefficients": {"before": _pair(scaling.before), "after": _pair(scaling.after)},
    }


def _pair(extent: tuple[float, float]) -> list[float | None]:
    return [plain(end) for end in extent]


def _range(sizes: FloatArray) -> dict[str, Any]:
    if not len(sizes):
        return {"smallest": None, "largest": None}
    return {"smallest": plain(float(sizes.min())), "largest": plain(float(sizes.max()))}
