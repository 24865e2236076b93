"""Where the whole columns of a row let through what the rule of violations does not: leaks of a big M.

In `power <= M*on` a solver takes 0 for any `power` that is less than its tolerance times M. Where 100 pW matter beside
an M of 1 W that is all of it, and no tolerance of doubles is tight enough. A leak is found at a point, as the largest
change of a missed row by one of its whole columns beside the amount by which the row is missed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from mecdsl.analysis.display_units import residual_text
from mecdsl.analysis.scaling import Slopes
from mecdsl.instances.algebra import Value
from mecdsl.instances.evaluate import Evaluator
from mecdsl.instances.instance import ConstraintFamily, Instance, difference
from mecdsl.instances.jets import Jet
from mecdsl.instances.tables import FloatArray, IntArray
from mecdsl.results.violations import Judge, switches_on

WIDE: Final = 1e6
"""Times the amount that matters; less than that a solver tells from 0."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A free column of a missed row: what it changes there at most (`reach`), and what is missed, both in SI."""

    column: int
    family: str
    row: str
    reach: float
    amount: float

    @property
    def ratio(self) -> float:
        """How many times the missed amount the column reaches."""
        return self.reach / self.amount


@np.errstate(all="ignore")
def leaks(instance: Instance, x: FloatArray) -> list[Leak]:
    """The free columns of the rows that are missed at a point, the one that reaches farthest first."""
    evaluator = instance.evaluator(Slopes(x, instance.free))
    found = [
        leak
        for family, place, rows, amounts in _missed(instance, x)
        for leak in _leaks_of(instance, evaluator, (family, place), (rows, amounts))
    ]
    return sorted(found, key=lambda leak: -leak.ratio)


@np.errstate(all="ignore")
def switches_of(instance: Instance, columns: IntArray) -> IntArray:
    """The free whole columns that stand in a row with one of some columns, the one with the largest M first.

    Where 3 nJ are missed in `sum(sent) >= 3 nJ` beside a bound of 2 MJ, the leak is in the rows that switch `sent`.
    """
    asked = np.zeros(instance.columns, dtype=bool)
    asked[columns] = True
    evaluator, reach = instance.evaluator(Slopes(instance.first_point(), instance.free)), np.zeros(instance.columns)
    for family in instance.constraints:
        value: Value = difference(evaluator, family) if family.size else None
        if not isinstance(value, Jet):
            continue
        gradient = value.gradient
        row, column = gradient.rows, gradient.columns[0]
        beside = np.bincount(row, asked[column], family.size)[row] > 0.0
        np.maximum.at(reach, column[beside], np.abs(gradient.values[beside]))
    reach = np.where(instance.integral & instance.free, np.nan_to_num(reach), 0.0)
    order = np.argsort(-reach, kind="stable")
    return np.asarray(order[reach[order] > 0.0])


def obstacle(instance: Instance, x: FloatArray) -> str:
    """Which bound or coefficient stands in the way of a point that keeps everything, in words; empty if none does."""
    found = [leak for leak in leaks(instance, x) if leak.ratio >= WIDE]
    if not found:
        return ""
    row = [leak for leak in found if leak.row == found[0].row]
    switches = [leak for leak in row if instance.integral[leak.column]]
    real = [leak for leak in row if not instance.integral[leak.column]]
    worst = (switches or real)[0]
    name, tighter = (instance.column_name(leak.column) for leak in (worst, (real or switches)[0]))
    if not np.isfinite(worst.reach):
        return f"`{tighter}` has no bound, so nothing says what matters in `{worst.row}`: give it one"
    reach, amount = (residual_text(instance, worst.family, worst.row, n) for n in (worst.reach, worst.amount))
    what = f"what `{name}` switches" if switches else f"the bound of `{name}` in this row"
    times = f"{what}, {reach}, is {worst.ratio:.0e} times the {amount} by which `{worst.row}` is missed"
    return f"{times}: give `{tighter}` a tighter bound"


def _missed(
    instance: Instance, x: FloatArray
) -> Iterator[tuple[ConstraintFamily, ConstraintFamily, IntArray, FloatArray]]:
    """Families with missed rows, the family that stands for it where it has a switch, its missed rows and amounts."""
    judge, by_name = Judge(instance, x), {family.name: family for family in instance.constraints}
    lowered = {name for fact in instance.model.switched for name in fact.rows}
    for family in instance.constraints:
        amounts = judge.excess(family) if family.name not in lowered else np.zeros(0)
        rows = np.flatnonzero(amounts)
        if len(rows):
            yield family, family, rows, amounts[rows]
    for (family, holds), fact in zip(switches_on(instance, x), instance.model.switched, strict=True):
        amounts = judge.excess(family)
        rows = np.flatnonzero(amounts)
        for name in fact.rows if len(rows) else ():
            yield family, by_name[name], holds[rows], amounts[rows]


def _leaks_of(
    instance: Instance,
    evaluator: Evaluator,
    families: tuple[ConstraintFamily, ConstraintFamily],
    missed: tuple[IntArray, FloatArray],
) -> Iterator[Leak]:
    (family, place), (rows, amounts) = families, missed
    named = replace(place, name=family.name, table=place.table.take(rows))
    value: Value = difference(evaluator, named)
    if not isinstance(value, Jet):
        return
    gradient = value.gradient
    columns = gradient.columns[0]
    away = np.fmax(np.abs(instance.lower), np.abs(instance.upper))
    width = np.where(instance.integral, instance.upper - instance.lower, away)[columns]
    for row, column, reach in zip(
        gradient.rows.tolist(), columns.tolist(), (np.abs(gradient.values) * width).tolist(), strict=True
    ):
        if reach > 0.0 and amounts[row] > 0.0:
            yield Leak(column, family.name, instance.row_name(named, row), reach, float(amounts[row]))
