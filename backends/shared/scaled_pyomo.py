"""The Pyomo model of an instance, scaled by the powers of two of `mecdsl.analysis.scaling`.

`to_pyomo` makes a model in SI. Pyomo's `core.scale_model` multiplies the factors in, in place; then objective and rows
above degree two are stated again with inner parts of size 1 (`mecdsl.backends.shared.combinations` says why).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from operator import methodcaller
from typing import Any

import numpy as np
import pyomo.environ as pyo

from mecdsl.analysis.scaling import Scaling, scale
from mecdsl.backends.shared.combinations import Combinations, Tool, leaves, normalised, varies
from mecdsl.checking.classify import Degree
from mecdsl.instances.instance import Instance, difference
from mecdsl.instances.tables import SINGLE, IntArray
from mecdsl.pyomo_model.lower import PyomoModel, to_pyomo


@dataclass(frozen=True, slots=True, eq=False)
class ScaledPyomo:
    """A scaled Pyomo model; its variables and rows are those of `lowered`. `columns`: free columns of the instance."""

    lowered: PyomoModel
    scaling: Scaling
    columns: IntArray


def scaled_pyomo(instance: Instance) -> ScaledPyomo:
    """The scaled Pyomo model of an instance without crossed bounds. Raises `ModelError` as `to_pyomo` does."""
    scaling = scale(instance)
    lowered = to_pyomo(instance)
    columns = np.flatnonzero(instance.free).astype(np.int64)
    _scale(instance, scaling, lowered, columns)
    return ScaledPyomo(lowered, _normalise(instance, scaling, lowered), columns)


def _scale(instance: Instance, scaling: Scaling, lowered: PyomoModel, columns: IntArray) -> None:
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


def _normalise(instance: Instance, scaling: Scaling, lowered: PyomoModel) -> Scaling:
    """State nonlinear parts again; the factors that they then have."""
    tool = Tool({"ln": pyo.log, "exp": pyo.exp, "sqrt": pyo.sqrt, "abs": methodcaller("__abs__")}, _total)
    evaluator = instance.evaluator(Combinations(leaves(instance, scaling, lowered.variables, tool), tool))
    rows, objective = scaling.row.copy(), scaling.objective
    stated = instance.model.objective
    if instance.checked.shapes.shape(stated.value).degree > Degree.QUADRATIC:
        value = evaluator.family(stated.value, SINGLE)[0]
        if varies(value):
            objective, expression = normalised(value)
            lowered.objective.set_value(expression)
    for family in instance.constraints:
        if family.shape.degree > Degree.QUADRATIC:
            for row, value in enumerate(difference(evaluator, family)):
                component = lowered.constraints[family.name][row]
                if component is not None and varies(value):
                    rows[family.first + row], expression = normalised(value)
                    component.set_value(_related(expression, family.relation))
    return replace(scaling, row=rows, objective=objective)


def _total(parts: Sequence[Any]) -> Any:
    return pyo.quicksum(parts)


def _related(expression: Any, relation: str) -> Any:
    if relation == "==":
        return expression == 0.0
    return expression <= 0.0 if relation == "<=" else expression >= 0.0
