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

from mecdsl.backends.scip.model import ScipModel
from mecdsl.backends.shared.scaled_pyomo import scaled_pyomo
from mecdsl.instances.instance import Instance
from mecdsl.reduction.reduced import Reduced, reduce_instance


def scip_model_through_pyomo(instance: Instance) -> ScipModel:
    """The SCIP problem of an instance without a contradiction.

    Raises `ModelError` as `to_pyomo` does.
    """
    from pyomo.contrib.solver.common.factory import SolverFactory

    scaled = scaled_pyomo(reduce_instance(instance))
    reduced = scaled.reduced
    solver = SolverFactory("scip_persistent")
    solver.set_instance(scaled.lowered.model)
    model, translated = solver._solver_model, solver._pyomo_var_to_solver_var_map
    variables = tuple(
        translated.get(scaled.lowered.variables[column]) or _unused(reduced, model, place)
        for place, column in enumerate(reduced.columns.tolist())
    )
    return ScipModel(
        reduced=reduced,
        model=model,
        variables=variables,
        bounding=solver._obj_var,
        auxiliary=(),
        beside=reduced.kept_out,
    )


def _unused(reduced: Reduced, model: Any, place: int) -> Any:
    """A variable for a column that stands in no row and not in the objective: Pyomo leaves it
    out.
    """
    low, high = float(reduced.lower[place]), float(reduced.upper[place])
    return model.addVar(
        name=f"x{reduced.columns[place]}",
        vtype="I" if reduced.integral[place] else "C",
        lb=low if np.isfinite(low) else None,
        ub=high if np.isfinite(high) else None,
    )
