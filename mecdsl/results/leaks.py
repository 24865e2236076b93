"""Where the whole columns of a row let through what the rule of violations does not: leaks of a big
M.

In `power <= M*on` a solver takes 0 for any `power` that is less than its tolerance times M. Where
100 pW matter beside an M of 1 W that is all of it, and no tolerance of doubles is tight enough. A
leak is found at a point, as the largest change of a missed row by one of its whole columns beside
the amount by which the row is missed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from mecdsl.analysis.display_units import residual_text
from mecdsl.analysis.scaling import Slopes
from mecdsl.analysis.tightening import solver_rows
from mecdsl.instances.algebra import Value
from mecdsl.instances.evaluate import Evaluator
from mecdsl.instances.instance import ConstraintFamily, Instance, difference
from mecdsl.instances.jets import Jet
from mecdsl.instances.tables import FloatArray, IntArray
from mecdsl.model.classes import Degree
from mecdsl.results.measures import measures
from mecdsl.results.violations import Judge, switches_on

WIDE: Final = 1e6
"""Times the amount that matters; less than that a solver tells from 0."""

RESOLVED: Final = 1e11
"""Times what matters. HiGHS and SCIP keep rows to 1e-9 of their largest term; what leaks below this
is found at the point. HiGHS "proved" a cost of 14.4 where 5.5 is enough at 7e12."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A free column of a missed row: what it changes there at most (`reach`), and what is missed,
    both in SI.
    """

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
    """The free columns of the rows that are missed at a point, the one that reaches farthest
    first.
    """
    evaluator = instance.evaluator(Slopes(x, instance.free))
    leaking = [
        leak
        for family, place, rows, amounts in _missed(instance, x)
        for leak in _leaks_of(instance, evaluator, (family, place), (rows, amounts))
    ]
    return sorted(leaking, key=lambda leak: -leak.ratio)


@np.errstate(all="ignore")
def switches_of(instance: Instance, columns: IntArray) -> IntArray:
    """The free whole columns that stand in a row with one of some columns, the one with the largest
    M first.

    Where 3 nJ are missed in `sum(sent) >= 3 nJ` beside a bound of 2 MJ, the leak is in the rows
    that switch `sent`.
    """
    asked = np.zeros(instance.columns, dtype=bool)
    asked[columns] = True
    evaluator, reach = (
        instance.evaluator(Slopes(instance.first_point(), instance.free)),
        np.zeros(instance.columns),
    )
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
    """Which bound or coefficient stands in the way of a point that keeps everything, in words;
    empty if none does.
    """
    wide = [leak for leak in leaks(instance, x) if leak.ratio >= WIDE]
    if not wide:
        return ""
    row = [leak for leak in wide if leak.row == wide[0].row]
    switches = [leak for leak in row if instance.integral[leak.column]]
    real = [leak for leak in row if not instance.integral[leak.column]]
    worst = (switches or real)[0]
    name, tighter = (instance.column_name(leak.column) for leak in (worst, (real or switches)[0]))
    if not np.isfinite(worst.reach):
        return (
            f"`{tighter}` has no bound, so nothing says what matters in `{worst.row}`: give it one"
        )
    reach, amount = (
        residual_text(instance, worst.family, worst.row, n) for n in (worst.reach, worst.amount)
    )
    what = f"what `{name}` switches" if switches else f"the bound of `{name}` in this row"
    times = (
        f"{what}, {reach}, is {worst.ratio:.0e} times the {amount} by which `{worst.row}` is missed"
    )
    return f"{times}: give `{tighter}` a tighter bound"


def unresolved(instance: Instance, x: FloatArray) -> str:
    """Which switch a solver cannot tell from none, in words; empty if there is none.

    In `power <= M*on`, with M as small as the bounds of the columns allow, what matters in `power`
    is less of M than a solver keeps its rows to. Whatever it proves of such a problem may be wrong
    in either way, whichever point it has.
    """
    families = [
        family
        for family in instance.constraints
        if family.shape.degree <= Degree.LINEAR and family.size
    ]
    real = instance.free & ~instance.integral
    if not families or not real.any() or not (instance.free & instance.integral).any():
        return ""
    rows, matters = solver_rows(instance, families), measures(instance, x).scale
    switch = (instance.free & instance.integral)[rows.column]
    reach, least = np.zeros(rows.size), np.full(rows.size, np.inf)
    np.maximum.at(reach, rows.row[switch], np.abs(rows.value[switch]))
    flow = real[rows.column] & (matters[rows.column] > 0.0)
    np.minimum.at(least, rows.row[flow], np.abs(rows.value[flow]) * matters[rows.column[flow]])
    times = np.divide(reach, least, out=np.zeros(rows.size), where=least < np.inf)
    worst = int(np.argmax(times))
    if not times[worst] > RESOLVED:
        return ""
    first = np.cumsum([0, *(family.size for family in families)])
    which = int(np.searchsorted(first, worst, side="right")) - 1
    name = instance.row_name(families[which], worst - int(first[which]))
    entries = np.flatnonzero((rows.row == worst) & flow)
    column = rows.column[
        entries[np.argmin(np.abs(rows.value[entries]) * matters[rows.column[entries]])]
    ]
    tighter = instance.column_name(int(column))
    return (
        f"in `{name}` what is switched is {times[worst]:.0e} times what matters in "
        f"`{tighter}`, more than a solver "
        f"resolves, so its proof is not believed: give `{tighter}` a tighter bound"
    )


def _missed(
    instance: Instance, x: FloatArray
) -> Iterator[tuple[ConstraintFamily, ConstraintFamily, IntArray, FloatArray]]:
    """Families with missed rows, the family that stands for it where it has a switch, its missed
    rows and amounts.
    """
    judge, by_name = Judge(instance, x), {family.name: family for family in instance.constraints}
    lowered = {name for fact in instance.model.switched for name in fact.rows}
    for family in instance.constraints:
        amounts = judge.excess(family) if family.name not in lowered else np.zeros(0)
        rows = np.flatnonzero(amounts)
        if len(rows):
            yield family, family, rows, amounts[rows]
    for (family, holds), fact in zip(
        switches_on(instance, x), instance.model.switched, strict=True
    ):
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
        gradient.rows.tolist(),
        columns.tolist(),
        (np.abs(gradient.values) * width).tolist(),
        strict=True,
    ):
        if reach > 0.0 and amounts[row] > 0.0:
            yield Leak(
                column, family.name, instance.row_name(named, row), reach, float(amounts[row])
            )
