"""What contradicts itself before any solver: empty bounds, and rows without a free variable that are false.

A true row without a free variable can be left out.
"""

import numpy as np

from mecdsl.analysis.magnitude import Magnitudes, size_of, value_of
from mecdsl.instances.instance import Instance, difference
from mecdsl.instances.tables import FloatArray, IntArray
from mecdsl.results.measures import TOLERANCE


def crossed_bounds(instance: Instance) -> str:
    """Why a variable has no value between its bounds, in words; empty if each has one."""
    lower = np.where(instance.integral, np.ceil(instance.lower - TOLERANCE), instance.lower)
    upper = np.where(instance.integral, np.floor(instance.upper + TOLERANCE), instance.upper)
    empty = (lower > upper) | (lower == np.inf) | (upper == -np.inf)
    for column in np.flatnonzero(empty & instance.free)[:1].tolist():
        low, high = instance.lower[column], instance.upper[column]
        return f"`{instance.column_name(column)}` has no value between its bounds {low:.6g} and {high:.6g}"
    return ""


def row_name(instance: Instance, row: int) -> str:
    """`cycle[3]` of an instance row."""
    for family in instance.constraints:
        if family.first <= row < family.first + family.size:
            return instance.row_name(family, row - family.first)
    raise IndexError(row)


def false_row(instance: Instance, rows: IntArray) -> str:
    """The first of some instance rows, none of which depends on a free variable, that is false, in words.

    Empty if all are true up to the verifier's tolerance: relative to the terms that cancel in the row.
    """
    if not len(rows):
        return ""
    evaluator = instance.evaluator(Magnitudes(instance.first_point()))
    for family in instance.constraints:
        inside = rows[(rows >= family.first) & (rows < family.first + family.size)] - family.first
        if not len(inside):
            continue
        found = difference(evaluator, family)
        value = _spread(value_of(found), family.size)[inside]
        size = _spread(size_of(found), family.size)[inside]
        over = {"<=": value, ">=": -value, "==": np.abs(value)}[family.relation]
        for place in np.flatnonzero(np.isnan(over) | (over == np.inf) | (over > TOLERANCE * size))[:1].tolist():
            name = instance.row_name(family, int(inside[place]))
            return f"`{name}` holds no free variable and is false: its sides differ by {abs(value[place]):.6g}"
    return ""


def _spread(values: object, size: int) -> FloatArray:
    return np.broadcast_to(np.asarray(values, dtype=np.float64), (size,))
