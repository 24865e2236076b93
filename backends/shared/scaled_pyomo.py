"""The Pyomo model of a reduced instance: scaled and shifted as solvers get it.

`to_pyomo` makes a model in SI. Rows are then stated again, in place: those of degree two or less
from their coefficients, which come out as plain numbers (Pyomo's `core.scale_model` would leave
`0.5*(3*(x/0.25))`), those above with inner parts of size 1 (`mecdsl.backends.shared.combinations`
says why).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import methodcaller
from typing import Any

import numpy as np
import pyomo.environ as pyo

from mecdsl.backends.shared.combinations import (
    Combinations,
    Tool,
    leaves,
    normalised,
    require_finite,
    varies,
)
from mecdsl.instances.instance import Instance, difference
from mecdsl.model.classes import Degree
from mecdsl.model.relation import Relation
from mecdsl.pyomo_model.functions import WORDS
from mecdsl.pyomo_model.lower import PyomoModel, to_pyomo
from mecdsl.pyomo_model.rows import bodies, relations
from mecdsl.reduction.plain_parts import plain_objective, plain_rows
from mecdsl.reduction.reduced import Reduced


@dataclass(frozen=True, slots=True, eq=False)
class ScaledPyomo:
    """A scaled Pyomo model, whose variables and rows are those of `lowered`, and the way back.

    The objective keeps its sense; `reduced` has the factors that nonlinear parts were given here.
    """

    lowered: PyomoModel
    reduced: Reduced

    @property
    def rows(self) -> tuple[Any, ...]:
        """The constraint of every row of the instance; None for one that is true anyway."""
        return _rows(self.reduced.instance, self.lowered)

    def narrowed(self, variables: Sequence[Any], constraints: Sequence[Any]) -> Reduced:
        """The reduction to the variables and constraints that a translator of Pyomo's kept, in its
        order.
        """
        column_of = {id(part): column for column, part in enumerate(self.lowered.variables)}
        row_of = {id(part): row for row, part in enumerate(self.rows) if part is not None}
        columns = np.array([column_of[id(part)] for part in variables], dtype=np.int64)
        rows = np.array([row_of[id(part)] for part in constraints], dtype=np.int64)
        return self.reduced.narrowed(columns, rows)


@np.errstate(all="ignore")  # what is not finite is looked for where it is used
def scaled_pyomo(reduced: Reduced) -> ScaledPyomo:
    """The Pyomo model of an instance without crossed bounds, in scaled numbers. Raises `ModelError`
    as `to_pyomo` does.
    """
    reduced = reduced.in_sense()
    lowered = to_pyomo(reduced.instance)
    _scale(reduced, lowered)
    return ScaledPyomo(lowered, _normalise(reduced, lowered))


def _rows(instance: Instance, lowered: PyomoModel) -> tuple[Any, ...]:
    return tuple(row for family in instance.constraints for row in lowered.constraints[family.name])


def _scale(reduced: Reduced, lowered: PyomoModel) -> None:
    """Factors and origins into variables, and into objective and rows of degree two or less."""
    instance = reduced.instance
    variables = np.empty(len(reduced.columns), dtype=object)
    variables[:] = [lowered.variables[column] for column in reduced.columns.tolist()]
    starts = reduced.started_at(instance.start).tolist()
    limits = zip(reduced.lower.tolist(), reduced.upper.tolist(), starts, strict=True)
    changed = (reduced.column_factor != 1.0) | (reduced.origin != 0.0)
    for variable, (low, high, start), other in zip(variables, limits, changed, strict=True):
        if other:
            _move(variable, low, high, start)
    if instance.goal.shape.degree <= Degree.QUADRATIC:
        goal = plain_objective(reduced)
        body, constant = bodies(goal, variables)[0], float(goal.constant[0])
        if body is not None:
            lowered.objective.set_value(body if constant == 0.0 else body + constant)
        else:
            lowered.objective.set_value(constant)
    components = _rows(instance, lowered)
    found = plain_rows(reduced, as_written=True)
    sides = zip(found.lower.tolist(), found.upper.tolist(), strict=True)
    stated = zip(found.rows.tolist(), bodies(found.coefficients, variables), sides, strict=True)
    for row, body, (low, high) in stated:
        if components[row] is not None:
            components[row].set_value(_between(low, body, high))


def _move(variable: Any, low: float, high: float, start: float) -> None:
    if variable.has_lb():
        variable.setlb(low)
    if variable.has_ub():
        variable.setub(high)
    if variable.value is not None:
        variable.set_value(start, skip_validation=True)


def _between(low: float, body: Any, high: float) -> Any:
    """`low <= body <= high`, of which one side may be infinite."""
    if low == high:
        return relations(Relation.EQUAL, [body], [low])[0]
    if low == -np.inf:
        return relations(Relation.AT_MOST, [body], [high])[0]
    if high == np.inf:
        return relations(Relation.AT_LEAST, [body], [low])[0]
    return (low, body, high)


def _normalise(reduced: Reduced, lowered: PyomoModel) -> Reduced:
    """State nonlinear parts again; the reduction with the factors that they then have."""
    instance = reduced.instance
    functions = {name: getattr(pyo, word) for name, word in WORDS.items()}
    tool = Tool({**functions, "abs": methodcaller("__abs__")}, _total)
    evaluator = instance.evaluator(
        Combinations(leaves(instance, reduced.scaling, lowered.variables, tool), tool)
    )
    stated = instance.model.objective
    if instance.goal.shape.degree > Degree.QUADRATIC:
        value = instance.goal.value(evaluator)[0]
        factor = 1.0
        if varies(value):
            require_finite(value, stated.name, stated.span)
            factor, expression = normalised(value)
            lowered.objective.set_value(expression)
        reduced = reduced.with_objective(factor)
    rows = reduced.scaling.row.copy()
    for family in instance.constraints:
        low, high = family.relation.limits
        # of no rows, and a definition in it may be one that Pyomo has no words for
        if family.size and family.shape.degree > Degree.QUADRATIC:
            for row, value in enumerate(difference(evaluator, family)):
                component = lowered.constraints[family.name][row]
                if component is not None and varies(value):
                    require_finite(value, instance.row_name(family, row), family.constraint.span)
                    factor, expression = normalised(value)
                    if pyo.is_potentially_variable(
                        expression
                    ):  # Pyomo takes `(5 + 0*x)/(10 + 0*x)` for a number
                        rows[family.first + row] = factor
                        component.set_value(_between(low, expression, high))
    return reduced.with_rows(rows)


def _total(parts: Sequence[Any]) -> Any:
    return pyo.quicksum(parts)
