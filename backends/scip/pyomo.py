"""An instance as a SCIP problem by way of Pyomo: `scaled_pyomo`, and the translation of Pyomo's own
SCIP interface.

SCIP is then run as on the direct way and not by Pyomo: `scip_direct.solve` catches file descriptors
1 and 2 in pipes that a Python thread empties while SCIP holds Python's lock, so it hangs for ever
as soon as SCIP or SoPlex has printed 64 kilobytes, past every time limit; and nothing could be
asked or stopped meanwhile. The persistent interface has the translated problem ready after
`set_instance`, but keeps it under private names.
"""

from typing import Any

import numpy as np

from mecdsl.analysis.scaling import Scaling
from mecdsl.backends.scip.model import ScipModel
from mecdsl.backends.shared.scaled_pyomo import scaled_pyomo
from mecdsl.instances.instance import Instance


def scip_model_through_pyomo(instance: Instance) -> ScipModel:
    """The SCIP problem of an instance without crossed bounds.

    Raises `ModelError` as `to_pyomo` does.
    """
    from pyomo.contrib.solver.common.factory import SolverFactory

    scaled = scaled_pyomo(instance)
    solver = SolverFactory("scip_persistent")
    solver.set_instance(scaled.lowered.model)
    model, translated = solver._solver_model, solver._pyomo_var_to_solver_var_map
    variables = tuple(
        translated.get(scaled.lowered.variables[column])
        or _unused(instance, scaled.scaling, model, column)
        for column in scaled.columns.tolist()
    )
    return ScipModel(
        instance, scaled.scaling, model, scaled.columns, variables, solver._obj_var, (), ""
    )


def _unused(instance: Instance, scaling: Scaling, model: Any, column: int) -> Any:
    """A variable for a column that stands in no row and not in the objective: Pyomo leaves it
    out.
    """
    low, high = instance.lower[column], instance.upper[column]
    factor = float(scaling.column[column])
    return model.addVar(
        name=f"x{column}",
        vtype="I" if instance.integral[column] else "C",
        lb=float(low) / factor if np.isfinite(low) else None,
        ub=float(high) / factor if np.isfinite(high) else None,
    )
