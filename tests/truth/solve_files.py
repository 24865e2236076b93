"""Solve exported files with a stock solver in a process of its own, which never imports this
project.

Reads a JSON list of `[solver, file]` from standard input and prints a list of `[status, objective,
{column: value}]` in the numbers of the files. Columns of an NL file are named by the `.col` file
beside it.
"""

import json
import runpy
import sys
from pathlib import Path
from typing import Any

Answer = tuple[str, float | None, dict[str, float]]


def highs(path: Path) -> Answer:
    import highspy

    solver: Any = highspy.Highs()  # type: ignore[no-untyped-call]
    solver.setOptionValue("output_flag", False)
    solver.readModel(str(path))
    solver.run()
    status = solver.modelStatusToString(solver.getModelStatus()).lower()
    names = [solver.getColName(column)[1] for column in range(solver.getNumCol())]
    values = dict(zip(names, solver.getSolution().col_value, strict=False))
    return status, solver.getInfo().objective_function_value, values


def scip(path: Path) -> Answer:
    import pyscipopt

    model = pyscipopt.Model()
    model.hideOutput()
    model.readProblem(str(path))
    model.setParam("limits/time", 60.0)
    model.optimize()
    if not model.getNSols():
        return model.getStatus(), None, {}
    names = path.with_suffix(".col").read_text().splitlines() if path.suffix == ".nl" else None
    found = {variable.name: model.getVal(variable) for variable in model.getVars()}
    if names is not None:  # SCIP's reader calls them x0, x1, ... unless there are names
        found = {
            name: found.get(name, found.get(f"x{place}", 0.0)) for place, name in enumerate(names)
        }
    return model.getStatus(), model.getObjVal(), found


def ipopt(path: Path) -> Answer:
    """The Ipopt in CasADi's package, as it comes, from the start that the file holds."""
    import casadi as ca

    builder: Any = ca.NlpBuilder()
    builder.import_nl(str(path))
    problem = {"x": ca.vertcat(*builder.x), "f": builder.f, "g": ca.vertcat(*builder.g)}
    solver = ca.nlpsol(
        "solver", "ipopt", problem, {"print_time": False, "ipopt.print_level": 0, "ipopt.sb": "yes"}
    )
    found = solver(
        x0=builder.x_init, lbx=builder.x_lb, ubx=builder.x_ub, lbg=builder.g_lb, ubg=builder.g_ub
    )
    names = path.with_suffix(".col").read_text().splitlines()
    sense = (
        -1.0 if path.with_suffix(".sense").exists() else 1.0
    )  # CasADi minimises what a file maximises
    status = (
        "optimal" if solver.stats()["success"] else str(solver.stats()["return_status"]).lower()
    )
    return status, sense * float(found["f"]), dict(zip(names, found["x"].elements(), strict=True))


def pyomo(path: Path) -> Answer:
    """The model of a script, with Pyomo's own interface to HiGHS; values in SI, as `si` of the
    script gives them.
    """
    import pyomo.environ as pyo

    script = runpy.run_path(str(path))
    model = script["model"]
    results = pyo.SolverFactory("highs").solve(model)
    (objective,) = model.component_data_objects(pyo.Objective)
    values = {
        v.name: script["si"](v)
        for v in model.component_data_objects(pyo.Var)
        if v.value is not None
    }
    return str(results.solver.termination_condition), script["si"](objective), values


SOLVERS = {"highs": highs, "scip": scip, "ipopt": ipopt, "pyomo": pyomo}

if __name__ == "__main__":
    jobs = json.load(sys.stdin)
    answers = [SOLVERS[solver](Path(file)) for solver, file in jobs]
    print("\n" + json.dumps(answers))
