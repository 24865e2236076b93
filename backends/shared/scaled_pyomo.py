"""The Pyomo model of an instance, scaled by the powers of two of `mecdsl.analysis.scaling`.

`to_pyomo` makes a model in SI. Rows are then stated again, in place: those of degree two or less
from their coefficients, which come out as plain numbers (Pyomo's `core.scale_model` would leave
`0.5*(3*(x/0.25))`), those above with inner parts of size 1 (`mecdsl.backends.shared.combinations`
says why).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import methodcaller
from typing import Any

import numpy as np
import pyomo.environ as pyo

from mecdsl.analysis.coefficients import constraint_coefficients, objective_coefficients
from mecdsl.analysis.scaling import Scaling, scale
from mecdsl.backends.shared.combinations import (
    Combinations,
    Tool,
    leaves,
    normalised,
    require_finite,
    varies,
)
from mecdsl.instances.instance import Instance, difference
from mecdsl.instances.tables import SINGLE, IntArray
from mecdsl.model.classes import Degree
from mecdsl.pyomo_model.functions import WORDS
from mecdsl.pyomo_model.lower import PyomoModel, to_pyomo
from mecdsl.pyomo_model.rows import bodies, relations


@dataclass(frozen=True, slots=True, eq=False)
class ScaledPyomo:
    """A scaled Pyomo model; its variables and rows are those of `lowered`. `columns`: free columns
    of the instance.
    """

    lowered: PyomoModel
    scaling: Scaling
    columns: IntArray


@np.errstate(all="ignore")  # what is not finite is looked for where it is used
def scaled_pyomo(instance: Instance, scaling: Scaling | None = None) -> ScaledPyomo:
    """The scaled Pyomo model of an instance without crossed bounds. Raises `ModelError` as
    `to_pyomo` does.

    `scaling`: the factors of columns and of rows up to degree two, by default those of `scale`.
    """
    scaling = scaling or scale(instance)
    lowered = to_pyomo(instance)
    columns = np.flatnonzero(instance.free).astype(np.int64)
    _scale(instance, scaling, lowered, columns)
    return ScaledPyomo(lowered, _normalise(instance, scaling, lowered), columns)


def _scale(instance: Instance, scaling: Scaling, lowered: PyomoModel, columns: IntArray) -> None:
    """Factors into variables, and into objective and rows of degree two or less."""
    for column in columns.tolist():
        _rescale(lowered.variables[column], float(scaling.column[column]))
    variables = np.empty(instance.columns, dtype=object)
    variables[:] = lowered.variables
    stated = instance.model.objective.value
    if instance.checked.shapes.shape(stated).degree <= Degree.QUADRATIC:
        goal = objective_coefficients(instance)
        goal = goal.scaled(scaling.column, np.array([scaling.objective]))
        body, constant = bodies(goal, variables)[0], float(goal.constant[0])
        if body is not None:
            lowered.objective.set_value(body if constant == 0.0 else body + constant)
        else:
            lowered.objective.set_value(constant)
    plain = [family for family in instance.constraints if family.shape.degree <= Degree.QUADRATIC]
    factors = np.concatenate([np.zeros(0), *(scaling.row[family.rows] for family in plain)])
    found = constraint_coefficients(instance, plain).scaled(scaling.column, factors)
    row_bodies, bounds = iter(bodies(found, variables)), iter((-found.constant).tolist())
    for family in plain:
        for component in lowered.constraints[family.name]:
            body, bound = next(row_bodies), next(bounds)
            if component is not None and body is not None:
                component.set_value(relations(family.relation, [body], [bound])[0])


def _rescale(variable: Any, factor: float) -> None:
    if factor == 1.0:
        return
    low, high = variable.bounds
    if low is not None:
        variable.setlb(low / factor)
    if high is not None:
        variable.setub(high / factor)
    if variable.value is not None:
        variable.set_value(variable.value / factor, skip_validation=True)


def _normalise(instance: Instance, scaling: Scaling, lowered: PyomoModel) -> Scaling:
    """State nonlinear parts again; the factors that they then have."""
    functions = {name: getattr(pyo, word) for name, word in WORDS.items()}
    tool = Tool({**functions, "abs": methodcaller("__abs__")}, _total)
    evaluator = instance.evaluator(
        Combinations(leaves(instance, scaling, lowered.variables, tool), tool)
    )
    rows, objective = scaling.row.copy(), scaling.objective
    stated = instance.model.objective
    if instance.checked.shapes.shape(stated.value).degree > Degree.QUADRATIC:
        value = evaluator.family(stated.value, SINGLE)[0]
        if varies(value):
            require_finite(value, stated.name, stated.span)
            objective, expression = normalised(value)
            lowered.objective.set_value(expression)
    for family in instance.constraints:
        if family.shape.degree > Degree.QUADRATIC:
            for row, value in enumerate(difference(evaluator, family)):
                component = lowered.constraints[family.name][row]
                if component is not None and varies(value):
                    require_finite(value, instance.row_name(family, row), family.constraint.span)
                    factor, expression = normalised(value)
                    if pyo.is_potentially_variable(
                        expression
                    ):  # Pyomo takes `(5 + 0*x)/(10 + 0*x)` for a number
                        rows[family.first + row] = factor
                        component.set_value(_related(expression, family.relation))
    return replace(scaling, row=rows, objective=objective)


def _total(parts: Sequence[Any]) -> Any:
    return pyo.quicksum(parts)


def _related(expression: Any, relation: str) -> Any:
    if relation == "==":
        return expression == 0.0
    return expression <= 0.0 if relation == "<=" else expression >= 0.0
