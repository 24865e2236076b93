"""An instance as a SCIP problem by way of Pyomo: `to_pyomo`, and the translation of Pyomo's own SCIP interface.

The Pyomo model is in SI; it is scaled in place with Pyomo's `core.scale_model`, by the factors of the direct way. SCIP
is then run as on the direct way and not by Pyomo: `scip_direct.solve` catches file descriptors 1 and 2 in pipes that a
Python thread empties while SCIP holds Python's lock, so it hangs for ever as soon as SCIP or SoPlex has printed 64
kilobytes, past every time limit; and nothing could be asked or stopped meanwhile. The persistent interface has the
translated problem ready after `set_instance`, but keeps it under private names.
"""

from typing import Any

import numpy as np

from mecdsl.backends.constant_rows import crossed_bounds
from mecdsl.backends.scip_model import ScipModel
from mecdsl.instance import Instance
from mecdsl.lower_pyomo import PyomoModel, to_pyomo
from mecdsl.scaling import Scaling, scale
from mecdsl.tables import IntArray


def scip_model_through_pyomo(instance: Instance) -> ScipModel:
    """The SCIP problem of an instance. Raises `ModelError` as `to_pyomo` does."""
    from pyomo.contrib.solver.common.factory import SolverFactory

    scaling = scale(instance)
    lowered = to_pyomo(instance)
    columns = np.flatnonzero(instance.free).astype(np.int64)
    conflict = crossed_bounds(instance)
    solver = SolverFactory("scip_persistent")
    if not conflict:  # Pyomo raises on crossed bounds
        _scale(instance, scaling, lowered, columns)
    solver.set_instance(lowered.model)
    model, translated = solver._solver_model, solver._pyomo_var_to_solver_var_map
    variables = tuple(
        translated.get(lowered.variables[column]) or _unused(instance, scaling, model, column)
        for column in columns.tolist()
    )
    return ScipModel(instance, scaling, model, columns, variables, solver._obj_var, (), conflict)


def _unused(instance: Instance, scaling: Scaling, model: Any, column: int) -> Any:
    """A variable for a column that stands in no row and not in the objective: Pyomo leaves it out."""
    low, high = instance.lower[column], instance.upper[column]
    factor = float(scaling.column[column])
    return model.addVar(
        name=f"x{column}",
        vtype="I" if instance.integral[column] else "C",
        lb=float(low) / factor if np.isfinite(low) else None,
        ub=float(high) / factor if np.isfinite(high) else None,
    )


def _scale(instance: Instance, scaling: Scaling, lowered: PyomoModel, columns: IntArray) -> None:
    """Put the factors beside the model and let Pyomo multiply them in; variables and rows stay the same objects."""
    import pyomo.environ as pyo

    model = lowered.model
    model.scaling_factor = pyo.Suffix(direction=pyo.Suffix.EXPORT)
    factors = model.scaling_factor
    for column in columns.tolist():
        factors[lowered.variables[column]] = 1.0 / float(scaling.column[column])
    for family in instance.constraints:
        for row, factor in zip(lowered.constraints[family.name], scaling.row[family.rows].tolist(), strict=True):
            if row is not None:
                factors[row] = factor
    factors[lowered.objective] = scaling.objective
    pyo.TransformationFactory("core.scale_model").apply_to(model, rename=False)
