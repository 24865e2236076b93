"""One run of Gurobi on a tree program, and what its licence allows."""

from collections.abc import Callable
from typing import Any, Final

import gurobipy as gp
import numpy as np
from gurobipy import GRB

from mecdsl.backends.gurobi.hand_over import gurobi_model
from mecdsl.backends.gurobi.limits import MOST_COLUMNS
from mecdsl.backends.gurobi.options import parameters, set_raw
from mecdsl.backends.shared.global_answer import HUGE, Outcome
from mecdsl.backends.shared.licences import Licence
from mecdsl.backends.shared.tree_program import TreeProgram
from mecdsl.solution import SolveOptions, Termination

TOO_LARGE: Final = 10010  # GRB_ERROR_SIZE_LIMIT_EXCEEDED
CAP: Final = 1e6  # of the scaled objective, whose terms are about 1: `maximize ln(x)` has no bound
STATUS: Final = {
    GRB.OPTIMAL: (Termination.OPTIMAL, "optimal"),
    GRB.INFEASIBLE: (Termination.INFEASIBLE, "infeasible"),
    GRB.INF_OR_UNBD: (Termination.INFEASIBLE_OR_UNBOUNDED, "infeasible or unbounded"),
    # a ray, whether or not there is a point
    GRB.UNBOUNDED: (Termination.INFEASIBLE_OR_UNBOUNDED, "infeasible or unbounded"),
    GRB.TIME_LIMIT: (Termination.TIME_LIMIT, "time limit"),
    GRB.INTERRUPTED: (Termination.INTERRUPTED, "interrupted"),
    GRB.NODE_LIMIT: (Termination.ITERATION_LIMIT, "node limit"),
    GRB.ITERATION_LIMIT: (Termination.ITERATION_LIMIT, "iteration limit"),
    GRB.SOLUTION_LIMIT: (Termination.ITERATION_LIMIT, "limit of solutions"),
    GRB.WORK_LIMIT: (Termination.ITERATION_LIMIT, "work limit"),
    GRB.MEM_LIMIT: (Termination.ITERATION_LIMIT, "memory limit"),
    GRB.USER_OBJ_LIMIT: (Termination.ITERATION_LIMIT, "limit of the objective"),
    GRB.CUTOFF: (Termination.NOT_FOUND, "cutoff"),
    GRB.SUBOPTIMAL: (Termination.FINISHED, "suboptimal"),
    GRB.LOCALLY_OPTIMAL: (Termination.LOCALLY_OPTIMAL, "locally optimal"),
    GRB.LOCALLY_INFEASIBLE: (Termination.LOCALLY_INFEASIBLE, "locally infeasible"),
}


def run_gurobi(
    program: TreeProgram, options: SolveOptions, should_stop: Callable[[], bool]
) -> Outcome:
    """Solve a program; raises `ModelError` E505 for an option that Gurobi does not take."""
    try:
        with gp.Env(params={"OutputFlag": 0}) as environment:
            built = gurobi_model(program, environment)
            with built.model:
                return _run(built, program, options, should_stop)
    except gp.GurobiError as error:
        return Outcome(termination=Termination.ERROR, told=f"{error} (error {error.errno})")


def _run(
    built: Any, program: TreeProgram, options: SolveOptions, should_stop: Callable[[], bool]
) -> Outcome:
    model = built.model
    for name, value in parameters(options).items():
        model.setParam(name, value)
    known = {name.lower(): name for name in dir(GRB.Param) if not name.startswith("_")}
    set_raw(model, known, options.raw)
    if options.start is not None:
        built.start_at(program.started_at(options.start))

    def look(running: Any, where: int) -> None:
        if should_stop():
            running.terminate()

    model.optimize(look)
    return _outcome(built)


def _outcome(built: Any) -> Outcome:
    model = built.model
    termination, told = STATUS.get(model.Status, (Termination.ERROR, f"status {model.Status}"))
    told = f"{told}, {model.NodeCount:.0f} nodes"
    found = model.SolCount > 0
    return Outcome(
        termination=termination,
        told=told,
        point=np.array([variable.X for variable in built.columns]) if found else None,
        objective=model.ObjVal if found else None,
        bound=_bound(model),
    )


def _bound(model: Any) -> float | None:
    """The bound of a branch and bound; of a linear program its optimum. That of a barrier method
    may lie on either side of the true one, and of nonlinear rows with results beyond `CAP` Gurobi
    says that it is a bound.
    """
    if not model.IsMIP and (model.IsQP or model.IsQCP):
        return None
    if model.Status == GRB.SUBOPTIMAL:
        return None
    try:
        bound = float(model.ObjBound)
    except (AttributeError, gp.GurobiError):
        optimal = model.Status == GRB.OPTIMAL
        bound = float(model.ObjVal) if optimal and model.SolCount else np.inf
    if model.NumGenConstrs and abs(bound) >= CAP:
        return None
    return bound if abs(bound) < HUGE else None


def probe() -> Licence:
    """What the licence allows: one of limited size does not solve a column more than its limit."""
    try:
        with gp.Env(params={"OutputFlag": 0}) as environment, gp.Model(env=environment) as model:
            model.addVars(MOST_COLUMNS + 1, ub=1.0)
            model.optimize()
    except gp.GurobiError as error:
        if error.errno == TOO_LARGE:
            return Licence(limited=True, limited_nonlinear=True)
        return Licence(limited=True, limited_nonlinear=True, fault=str(error))
    return Licence(limited=False, limited_nonlinear=False)
