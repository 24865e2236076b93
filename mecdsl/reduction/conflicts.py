"""What contradicts itself before any solver: empty bounds, and rows without a free variable that
are false.

A true row without a free variable can be left out.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mecdsl.analysis.data_rows import data_rows
from mecdsl.analysis.display_units import declared_unit, row_display
from mecdsl.analysis.magnitude import Magnitudes, size_of, value_of
from mecdsl.instances.instance import ConstraintFamily, Instance, difference
from mecdsl.instances.tables import FloatArray, IntArray
from mecdsl.results.measures import TOLERANCE
from mecdsl.units import format_value


def crossed_bounds(instance: Instance) -> str:
    """Why a variable has no value between its bounds, in words; empty if each has one."""
    lower = np.where(instance.integral, np.ceil(instance.lower - TOLERANCE), instance.lower)
    upper = np.where(instance.integral, np.floor(instance.upper + TOLERANCE), instance.upper)
    empty = (lower > upper) | (lower == np.inf) | (upper == -np.inf)
    for column in np.flatnonzero(empty & instance.free)[:1].tolist():
        return _crossed(instance, column)
    return ""


def _crossed(instance: Instance, column: int) -> str:
    """What is wrong with the bounds of a column, in the declared unit."""
    name, unit = instance.column_name(column), declared_unit(instance, column)
    low, high = (float(bounds[column]) for bounds in (instance.lower, instance.upper))
    shown = tuple(format_value(bound, unit, 6) for bound in (low, high))
    if low > high:
        symbol = instance.model.symbols[name.split("[")[0]]
        range_ = next((limit for limit in symbol.limits if limit.span.text.startswith("in")), None)
        if range_ is not None:
            why = f"the bounds `{range_.span.text}` are the wrong way round"
            return f"`{name}` has no value: {why}, {shown[0]} is above {shown[1]}"
        return (
            f"`{name}` has no value: its lower bound, {shown[0]}, is above its upper "
            f"bound, {shown[1]}"
        )
    return f"`{name}` has no whole value between its bounds {shown[0]} and {shown[1]}"


def row_name(instance: Instance, row: int) -> str:
    """`cycle[3]` of an instance row."""
    for family in instance.constraints:
        if family.first <= row < family.first + family.size:
            return instance.row_name(family, row - family.first)
    raise IndexError(row)


def false_row(instance: Instance, rows: IntArray) -> str:
    """The first of some instance rows, none of which depends on a free variable, that is false, in
    words; empty if all are true.
    """
    for family in instance.constraints if len(rows) else ():
        inside = rows[(rows >= family.first) & (rows < family.first + family.size)] - family.first
        for row in inside[false_rows(instance, family, inside)][:1].tolist():
            value = float(_judged(instance, family, np.array([row]))[0][0])
            name = instance.row_name(family, row)
            return (
                f"`{name}` holds no free variable and is false: {_apart(instance, family, value)}"
            )
    return ""


@np.errstate(all="ignore")  # a number that is not finite is a finding, not a warning
def false_rows(instance: Instance, family: ConstraintFamily, rows: IntArray) -> NDArray[np.bool_]:
    """Which of some rows of a family, counted from its first, are false, though none depends on a
    free variable.

    True are rows that hold up to the rounding of their terms, and up to the verifier's tolerance
    where they hold fixed variables, whose values may come from a solver.
    """
    if not len(rows):
        return np.zeros(0, dtype=bool)
    value, allowed = _judged(instance, family, rows)
    over = family.relation.excess(value)
    return np.asarray(np.isnan(over) | (over == np.inf) | (over > allowed))


def _judged(
    instance: Instance, family: ConstraintFamily, rows: IntArray
) -> tuple[FloatArray, FloatArray]:
    """`left - right` of some rows, and how much of it is no contradiction."""
    shapes, constraint = instance.checked.shapes, family.constraint
    chosen = replace(family, table=family.table.take(rows))
    if not shapes.variables(constraint.left) | shapes.variables(constraint.right):
        of_data = data_rows(instance, chosen)
        return of_data.value, of_data.rounding
    differences = difference(instance.evaluator(Magnitudes(instance.first_point())), chosen)
    return _spread(value_of(differences), len(rows)), TOLERANCE * _spread(
        size_of(differences), len(rows)
    )


def _apart(instance: Instance, family: ConstraintFamily, value: float) -> str:
    """How far the sides of a row are apart, in the unit of the row."""
    if not np.isfinite(value):
        return "the difference of its sides is not a finite number"
    unit = row_display(instance, family.constraint)
    return f"its sides differ by {format_value(abs(value), unit, 6)}"


def _spread(values: object, size: int) -> FloatArray:
    return np.broadcast_to(np.asarray(values, dtype=np.float64), (size,))
