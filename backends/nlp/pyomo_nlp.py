"""Solve any Pyomo `ConcreteModel` with Ipopt or Bonmin, without a solver executable or a system
package.

    import pyomo.environ as pyo
    from mecdsl.backends.nlp.pyomo_nlp import solve_pyomo
    outcome = solve_pyomo(model)                    # continuous: Ipopt, a local optimum
    outcome = solve_pyomo(model, solver="bonmin")   # with integers: Bonmin, for convex models

The way: Pyomo's NL writer, CasADi's NL importer, derivatives of one constraint at a time, and then
cyipopt or the Bonmin in CasADi's package. Pyomo's own interface to cyipopt needs the ASL library,
which no wheel brings.
"""

import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import casadi as ca
import numpy as np
import pyomo.environ as pyo
from numpy.typing import NDArray
from pyomo.repn.plugins.nl_writer import NLWriter

from mecdsl.backend import interruptible
from mecdsl.backends.bonmin.run import run_bonmin
from mecdsl.backends.ipopt.core import solve_ipopt
from mecdsl.backends.nlp.casadi_derivatives import SymbolicNlp, differentiate, nlp_problem
from mecdsl.backends.nlp.nlp_scaling import NlpScaling, find_scaling, no_scaling, scaled_symbolic
from mecdsl.backends.nlp.problem import FEASIBILITY_TOLERANCE, NlpProblem, Vector, clip_to_bounds
from mecdsl.solution import Iteration, Termination

RawOptions = Mapping[str, str | float | int | bool]


class UnsupportedModel(ValueError):
    """The model holds something that this route cannot express; the message says what."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PyomoNlp:
    """A Pyomo model as arrays and callables, and the way back.

    `problem` always minimises: `sign` is -1 for a model that maximises, and its objective is
    negated there. `variables` and `constraints` are Pyomo's data objects in the order of columns
    and rows; a variable that is fixed or occurs nowhere has no column, a constraint without bounds
    no row. `integer` marks the integral columns.
    """

    problem: NlpProblem
    symbolic: SymbolicNlp
    variables: tuple[Any, ...]
    constraints: tuple[Any, ...]
    integer: NDArray[np.bool_]
    sign: float

    @property
    def variable_names(self) -> tuple[str, ...]:
        return tuple(str(variable.name) for variable in self.variables)

    @property
    def constraint_names(self) -> tuple[str, ...]:
        return tuple(str(constraint.name) for constraint in self.constraints)


@dataclass(frozen=True, slots=True, kw_only=True)
class PyomoOutcome:
    """What a solver claims about a Pyomo model, in the sense of the model (not negated).

    `values` in the order of `nlp.variables`, or None where there is no point. `loaded`: whether
    they were written into the model, which happens only for a point that satisfies the constraints
    to 1e-6. `bound`: proven for convex models, with Bonmin only. `multipliers` in the order of
    `nlp.constraints`: derivative of the optimal objective with respect to the right-hand side, or
    None. `seconds`: `translate` (Pyomo to functions) and `solve`.
    """

    solver: str
    termination: Termination
    status: str
    message: str
    nlp: PyomoNlp
    values: Vector | None
    objective: float | None
    bound: float | None
    violation: float | None
    multipliers: Vector | None
    iterations: tuple[Iteration, ...]
    loaded: bool
    seconds: Mapping[str, float]
    version: str


def nlp_from_pyomo(model: Any) -> PyomoNlp:
    """Functions and exact sparse derivatives of the active part of a Pyomo model.

    Without an active objective the problem is to find a feasible point: its objective is 0. The
    start is the value of each variable, 0 where it has none. Raises UnsupportedModel for several
    objectives, special ordered sets, external functions, disjunctions and other things the NL route
    cannot express.
    """
    _check_supported(model)
    with tempfile.TemporaryDirectory(prefix="mecdsl") as folder:
        path = Path(folder) / "model.nl"
        info = _write(model, path)
        variables, constraints = tuple(info.variables), tuple(info.constraints)
        imported = _import(path) if variables else None
    sign = -1.0 if any(objective.sense == pyo.maximize for objective in info.objectives) else 1.0
    if imported is None:
        symbolic, arrays = _without_columns(model, constraints, sign)
    else:
        symbolic, arrays = _functions(imported, len(constraints), bool(info.objectives))
    lower, upper, row_lower, row_upper, start = arrays
    problem = nlp_problem(
        symbolic,
        *(lower, upper, row_lower, row_upper, start),
        variable_name=lambda column: str(variables[column].name),
        constraint_name=lambda row: str(constraints[row].name),
    )
    integer = np.array([not variable.is_continuous() for variable in variables], dtype=np.bool_)
    return PyomoNlp(
        problem=problem,
        symbolic=symbolic,
        variables=variables,
        constraints=constraints,
        integer=integer,
        sign=sign,
    )


def _check_supported(model: Any) -> None:
    objectives = [item.name for item in model.component_data_objects(pyo.Objective, active=True)]
    if len(objectives) > 1:
        raise UnsupportedModel(
            f"expected one active objective, found {', '.join(f'`{n}`' for n in objectives)}"
        )
    for sets in model.component_data_objects(pyo.SOSConstraint, active=True):
        raise UnsupportedModel(
            f"special ordered set `{sets.name}` has no counterpart in a nonlinear program"
        )


def _write(model: Any, path: Path) -> Any:
    """Write the NL file.

    Nothing is presolved and constant constraints stay: all rows and columns remain.
    """
    options = {"linear_presolve": False, "scale_model": False, "skip_trivial_constraints": False}
    try:
        with path.open("w", newline="") as stream:
            info = NLWriter().write(model, stream, symbolic_solver_labels=False, **options)
    except (ValueError, RuntimeError, TypeError) as error:
        raise UnsupportedModel(str(error)) from error
    if info.external_function_libraries:
        raise UnsupportedModel("external functions have no derivatives here")
    if any(suffix.export_enabled() for suffix in model.component_objects(pyo.Suffix, active=True)):
        _drop_suffixes(path)
    return info


def _drop_suffixes(path: Path) -> None:
    """Take the suffix segments out of an NL file: the importer stops at them, and no solver here
    reads them.

    A segment is a line `S<kind> <count> <name>` with `count` lines after it.
    """
    kept: list[str] = []
    skip = 0
    for line in path.read_text().splitlines():
        if skip:
            skip -= 1
        elif line.startswith("S"):
            skip = int(line.split()[1])
        else:
            kept.append(line)
    path.write_text("\n".join(kept) + "\n")


def _import(path: Path) -> Any:
    builder = ca.NlpBuilder()
    try:
        builder.import_nl(str(path), {})
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[-1]
        raise UnsupportedModel(f"an expression cannot be differentiated: {reason}") from error
    return builder


def _functions(
    builder: Any, rows: int, has_objective: bool
) -> tuple[SymbolicNlp, tuple[Vector, ...]]:
    """Expressions over scalar symbols; bounds and start as the importer read them."""
    columns = ca.vertcat(*builder.x)
    constraints = ca.vertcat(*builder.g) if rows else ca.MX(0, 1)
    objective = builder.f if has_objective else ca.MX(0)
    x = ca.SX.sym("x", columns.numel())
    f, g = ca.Function("model", [columns], [objective, constraints]).expand()(x)
    arrays = (builder.x_lb, builder.x_ub, builder.g_lb, builder.g_ub, builder.x_init)
    return differentiate(x, f, g), tuple(np.array(part, dtype=np.float64) for part in arrays)


def _without_columns(
    model: Any, constraints: tuple[Any, ...], sign: float
) -> tuple[SymbolicNlp, tuple[Vector, ...]]:
    """A model whose variables are all fixed or unused: every function is a number."""
    objectives = [
        pyo.value(item) for item in model.component_data_objects(pyo.Objective, active=True)
    ]
    values = ca.SX([float(pyo.value(constraint.body)) for constraint in constraints])
    lower = [
        -np.inf if constraint.lower is None else pyo.value(constraint.lower)
        for constraint in constraints
    ]
    upper = [
        np.inf if constraint.upper is None else pyo.value(constraint.upper)
        for constraint in constraints
    ]
    nothing = np.zeros(0)
    symbolic = differentiate(ca.SX.sym("x", 0), ca.SX(sign * float(sum(objectives))), values)
    return symbolic, (
        nothing,
        nothing,
        np.array(lower, dtype=float),
        np.array(upper, dtype=float),
        nothing,
    )


def solve_pyomo(
    model: Any,
    solver: str = "ipopt",
    *,
    time_limit: float | None = None,
    tolerance: float = 1e-9,
    max_iterations: int = 3000,
    gap: float = 1e-6,
    node_limit: int | None = None,
    relax_integers: bool = False,
    log: bool = False,
    raw: RawOptions | None = None,
    should_stop: Callable[[], bool] | None = None,
    scale: bool = True,
) -> PyomoOutcome:
    """Solve a Pyomo model of one's own and load the point, if there is one, into its variables.

    `solver` is `ipopt` (continuous models; a local optimum, global if the model is convex;
    `tolerance` and `max_iterations` belong to it) or `bonmin` (also integers; the optimum of a
    convex model to `gap`, with `node_limit`; whether the model is convex cannot be seen here; it
    runs in a fork of this process). `time_limit` in s; Ctrl-C (in the main thread) or `should_stop`
    ends the solve with the best point so far; `log` prints the solver's log to standard error;
    `raw` holds the solver's own options. `relax_integers` drops integrality. Where the numbers of
    the model are far from one the solver gets it multiplied by powers of two
    (`mecdsl.backends.nlp.nlp_scaling`), unless `scale` is False, and what comes back is in the
    model's own numbers, but for `violation` and the residuals of `iterations`: they are of scaled
    rows. Raises UnsupportedModel, also for integers with Ipopt unless they are relaxed; ValueError
    for a wrong option.
    """
    began = time.perf_counter()
    if solver not in ("ipopt", "bonmin"):
        raise ValueError(f"expected solver `ipopt` or `bonmin`, found `{solver}`")
    nlp = nlp_from_pyomo(model)
    integer = _integer_columns(nlp, solver, relax_integers)
    scaling = find_scaling(nlp.problem, integer) if scale else no_scaling(nlp.problem)
    asked: dict[str, Any] = {
        "time_limit": time_limit,
        "log": log,
        "raw": raw,
        "should_stop": should_stop,
    }
    if solver == "ipopt":
        asked |= {"tolerance": tolerance, "max_iterations": max_iterations}
        return _solved(solver, nlp, scaling, partial(_with_ipopt, **asked), began)
    asked |= {"integer": integer, "node_limit": node_limit, "gap": gap}
    return _solved(solver, nlp, scaling, partial(_with_bonmin, **asked), began)


def _integer_columns(nlp: PyomoNlp, solver: str, relax: bool) -> NDArray[np.bool_]:
    """The columns that are to be integral, which a solver has to be able to keep."""
    integer = np.zeros_like(nlp.integer) if relax else nlp.integer
    if solver == "ipopt" and integer.any():
        name = nlp.variables[int(np.flatnonzero(integer)[0])].name
        raise UnsupportedModel(
            f"ipopt needs continuous variables, but `{name}` is integer (relax it, or use `bonmin`)"
        )
    return integer


def _solved(
    solver: str,
    nlp: PyomoNlp,
    scaling: NlpScaling,
    run: Callable[[PyomoNlp], dict[str, Any]],
    began: float,
) -> PyomoOutcome:
    """What `run` finds of the scaled problem, in the numbers of the model and loaded into it."""
    handed = scaled_nlp(nlp, scaling)
    translated = time.perf_counter() - began
    found = _unscaled(run(handed), nlp, scaling)
    values, violation = found["values"], found["violation"]
    point = values is not None and violation is not None and violation <= FEASIBILITY_TOLERANCE
    loaded = point and found["termination"] not in (
        Termination.ERROR,
        Termination.LOCALLY_INFEASIBLE,
    )
    if loaded:
        _load(nlp, values)
    seconds = {"translate": translated, "solve": time.perf_counter() - began - translated}
    return PyomoOutcome(solver=solver, nlp=nlp, loaded=loaded, seconds=seconds, **found)


def scaled_nlp(nlp: PyomoNlp, scaling: NlpScaling) -> PyomoNlp:
    """The problem in the numbers that a solver is to see; variables and constraints stay the
    model's.
    """
    if not scaling.changes:
        return nlp
    problem, symbolic = nlp.problem, scaled_symbolic(nlp.symbolic, scaling)
    scaled = nlp_problem(
        symbolic,
        problem.lower / scaling.column,
        problem.upper / scaling.column,
        problem.constraint_lower * scaling.row,
        problem.constraint_upper * scaling.row,
        problem.start / scaling.column,
        variable_name=problem.variable_name,
        constraint_name=problem.constraint_name,
    )
    return replace(nlp, problem=scaled, symbolic=symbolic)


def _unscaled(found: dict[str, Any], nlp: PyomoNlp, scaling: NlpScaling) -> dict[str, Any]:
    """What a solver found, in the numbers of the model."""
    if not scaling.changes:
        return found
    goal = scaling.objective
    values, multipliers = found["values"], found["multipliers"]
    return found | {
        "values": None if values is None else clip_to_bounds(nlp.problem, values * scaling.column),
        "objective": None if found["objective"] is None else found["objective"] / goal,
        "bound": None if found["bound"] is None else found["bound"] / goal,
        "multipliers": None if multipliers is None else scaling.multipliers(multipliers),
        "iterations": tuple(_times(step, 1.0 / goal) for step in found["iterations"]),
    }


def _with_ipopt(
    nlp: PyomoNlp,
    time_limit: float | None,
    tolerance: float,
    max_iterations: int,
    log: bool,
    raw: RawOptions | None,
    should_stop: Callable[[], bool] | None,
) -> dict[str, Any]:
    found = solve_ipopt(
        nlp.problem,
        time_limit,
        tolerance=tolerance,
        max_iterations=max_iterations,
        log=log,
        raw=raw,
        should_stop=should_stop,
    )
    multipliers = found.constraint_multipliers
    return {
        "termination": found.termination,
        "status": found.status_text,
        "message": found.message,
        "values": found.x,
        "objective": None if found.objective is None else nlp.sign * found.objective,
        "bound": None,
        "violation": found.violation,
        "multipliers": None if multipliers is None else -nlp.sign * multipliers,
        "iterations": tuple(_times(step, nlp.sign) for step in found.iterations),
        "version": found.version,
    }


def _times(step: Iteration, factor: float) -> Iteration:
    """The step of an objective that is `factor` times as large."""
    objective = None if step.objective is None else factor * step.objective
    bound = None if step.bound is None else factor * step.bound
    return replace(step, objective=objective, bound=bound)


def _with_bonmin(
    nlp: PyomoNlp,
    integer: NDArray[np.bool_],
    time_limit: float | None,
    node_limit: int | None,
    gap: float,
    log: bool,
    raw: RawOptions | None,
    should_stop: Callable[[], bool] | None,
) -> dict[str, Any]:
    with interruptible() as pressed:
        found = run_bonmin(
            *(nlp.problem, nlp.symbolic, integer, time_limit, node_limit, gap, log, raw),
            should_stop=lambda: pressed() or (should_stop or bool)(),
        )
    return {
        "termination": found.termination,
        "status": found.status,
        "message": found.message,
        "values": found.x,
        "objective": None if found.objective is None else nlp.sign * found.objective,
        "bound": None if found.bound is None else nlp.sign * found.bound,
        "violation": found.violation,
        "multipliers": None,
        "iterations": (),
        "version": found.version,
    }


def _load(nlp: PyomoNlp, values: Vector) -> None:
    for variable, value, integer in zip(nlp.variables, values.tolist(), nlp.integer, strict=True):
        # validation would refuse a relaxed integer, and a bound that is an expression is evaluated
        # each time
        variable.set_value(
            round(value) if integer and value.is_integer() else value, skip_validation=True
        )
        variable.stale = False
