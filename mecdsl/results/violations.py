"""What is a violation: the one rule by which a point is judged, on every row, bound and integer.

A row `left <= right` is kept if it would hold with every real variable moved by a millionth of its
measure (`mecdsl.results.measures`): if `left - right` is at most

    allowed = 1e-6 * loose + rounding,

where `loose` adds up what its terms change with the measures of their variables
(`mecdsl.analysis.loose_terms`). In a linear row that is the sum of |coefficient| * measure over its
real variables. Thus

- a row over integers alone has no tolerance: whole numbers below 2^53 are compared exactly, others
  up to rounding;
- the coefficient of a binary, a big M, gives its row no room, and a constraint with a switch is
  judged without it;
- a row over one variable is judged as a bound of that variable is;
- offsets that cancel give no room: a clock counts by the range of what it is compared with;
- no judgement changes if a unit does.

`rounding` is a bound on the errors of evaluating the row itself in doubles.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mecdsl.analysis.data_rows import data_rows
from mecdsl.analysis.loose_terms import Loose, Looseness, loosely
from mecdsl.analysis.member_units import column_unit, row_unit
from mecdsl.instances.algebra import Floats
from mecdsl.instances.instance import ConstraintFamily, Instance, difference
from mecdsl.instances.tables import FloatArray, IntArray
from mecdsl.model.classes import Degree
from mecdsl.model.relation import Relation
from mecdsl.results.measures import (
    ROUNDING_SAFETY,
    TOLERANCE,
    Measures,
    measures,
    switched_families,
)

SWITCHED_BY: Final = (
    1e-9  # a switch of an integer column is its value; of a relaxed one, all but its value
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """The worst residual of one family, at `member`: `amount` and what is `allowed`, both in SI
    (`unit`).

    `relative`: the amount as a share of the loose size of its row.
    """

    family: str
    amount: float
    unit: str
    member: str
    relative: float
    accepted: bool
    allowed: float = 0.0


def find_violations(instance: Instance, x: FloatArray) -> tuple[Violation, ...]:
    """The worst residual of every constraint family, of the bounds and of integrality, at a point.

    A constraint with a switch is judged itself, and not the rows with its big M that stand for it.
    """
    judge = Judge(instance, x)
    with np.errstate(all="ignore"):  # a number that is not finite is a finding, not a warning
        lowered = {name for fact in instance.model.switched for name in fact.rows}
        of_rows = [
            judge.family(family) for family in instance.constraints if family.name not in lowered
        ]
        of_rows += [judge.family(family) for family in switched_on(instance, x)]
        return (*of_rows, *judge.bounds(), *judge.integrality())


def broken(instance: Instance, x: FloatArray) -> tuple[Violation, ...]:
    """Those of the same that are not accepted; empty if the point keeps the model."""
    return tuple(found for found in find_violations(instance, x) if not found.accepted)


def excesses(instance: Instance, x: FloatArray) -> dict[str, FloatArray]:
    """By how much the rows of each family are missed at a point, in SI, where that is more than
    allowed; else 0.
    """
    judge = Judge(instance, x)
    with np.errstate(all="ignore"):
        return {family.name: judge.excess(family) for family in instance.constraints}


def switched_on(instance: Instance, x: FloatArray) -> list[ConstraintFamily]:
    """The constraints with a switch, on the rows where it has its value; the size of M plays no
    part.
    """
    return [family for family, _ in switches_on(instance, x)]


def switches_on(instance: Instance, x: FloatArray) -> list[tuple[ConstraintFamily, IntArray]]:
    """The same, each with the numbers of its rows among those of the whole family."""
    plain = instance.evaluator(Floats(x))
    found = []
    for family, fact in zip(switched_families(instance), instance.model.switched, strict=True):
        switch = np.asarray(plain.family(fact.switch.variable, family.table), dtype=np.float64)
        holds = np.flatnonzero(np.abs(switch - fact.switch.value) <= SWITCHED_BY)
        found.append((replace(family, table=family.table.take(holds)), holds))
    return found


class Judge:
    """Judges an instance at a point.

    Measures are found once, and only if a row is not kept to rounding.
    """

    def __init__(self, instance: Instance, x: FloatArray) -> None:
        self.instance, self.x = instance, x
        self.measures: Callable[[], Measures] = cache(lambda: measures(instance, x))
        self.exact = instance.evaluator(Looseness(x, np.zeros(instance.columns)))
        self.loose = cache(lambda: instance.evaluator(Looseness(x, self.measures().column)))

    def family(self, family: ConstraintFamily) -> Violation:
        """The worst row of a family: of those that are missed by more than allowed, if there are
        any.
        """
        unit = row_unit(self.instance, family.constraint)
        if not family.size:
            return Violation(
                family=family.name, amount=0.0, unit=unit, member="", relative=0.0, accepted=True
            )
        amount, allowed, relative = self._rows(family)
        broken = ~(amount <= allowed)
        row = int(np.argmax(np.where(broken, relative, -1.0) if broken.any() else relative))
        return Violation(
            family=family.name,
            amount=float(amount[row]) if broken.any() else float(amount.max()),
            unit=unit,
            member=self.instance.row_name(family, row),
            relative=float(relative[row]),
            accepted=not broken.any(),
            allowed=float(allowed[row]),
        )

    def excess(self, family: ConstraintFamily) -> FloatArray:
        """By how much each row of a family is missed, where that is more than allowed; else 0."""
        if not family.size:
            return np.zeros(0)
        amount, allowed, _ = self._rows(family)
        return np.where(amount > allowed, amount, 0.0)

    def missed(self, family: ConstraintFamily) -> FloatArray:
        """By how much each row of a family is missed beyond rounding, allowed or not; else 0."""
        residual, rounding = self.residuals(family)
        amount = _amount(family, residual)
        return np.where(amount > rounding, amount, 0.0)

    def active(self, family: ConstraintFamily) -> NDArray[np.bool_]:
        """Which rows of a family would be missed if the point moved by what is allowed."""
        found = _spread(difference(self.loose(), family), family.size)
        slack = -family.relation.sign * found.value
        equal = family.relation is Relation.EQUAL
        return np.asarray((slack <= TOLERANCE * found.loose) | equal)

    def residuals(self, family: ConstraintFamily) -> tuple[FloatArray, FloatArray]:
        """`left - right` of each row of a family, and how much of it may be rounding."""
        found = _spread(difference(self.exact, family), family.size)
        return found.value, ROUNDING_SAFETY * found.error

    def _rows(self, family: ConstraintFamily) -> tuple[FloatArray, FloatArray, FloatArray]:
        """For each row what is missed, what is allowed, and the share of its size that is
        missed.
        """
        terms = _spread(difference(self.exact, family), family.size)
        amount, rounding = _amount(family, terms.value), ROUNDING_SAFETY * terms.error
        if family.shape.degree is Degree.CONSTANT:  # the definitions it is made of were rounded too
            rounding = np.maximum(rounding, data_rows(self.instance, family).rounding)
        if (amount <= rounding).all() and np.isfinite(amount).all():
            return amount, rounding, _shares(amount, terms.total)
        terms = _spread(difference(self.loose(), family), family.size)
        loose = terms.loose
        differences = self.measures().differences.get(family.name)
        if differences is not None and len(differences) == family.size:
            loose = np.where(np.isnan(differences), loose, differences)
        loose = np.where(
            np.isfinite(loose), loose, np.where(np.isfinite(terms.total), terms.total, 0.0)
        )
        rounding = np.where(np.isfinite(rounding), rounding, 0.0)
        return (
            amount,
            TOLERANCE * loose + rounding,
            _shares(amount, np.where(loose > 0.0, loose, terms.total)),
        )

    def bounds(self) -> tuple[Violation, ...]:
        """The worst overshoot of a bound."""
        instance, x = self.instance, self.x
        over = np.maximum(np.maximum(instance.lower - x, x - instance.upper), 0.0)
        if not len(x):
            return ()
        if not over.any():
            return (
                Violation(
                    family="bounds",
                    amount=0.0,
                    unit=column_unit(instance, 0),
                    member=instance.column_name(0),
                    relative=0.0,
                    accepted=True,
                ),
            )
        measure = self.measures().column
        allowed = TOLERANCE * measure
        relative = _shares(over, np.where(measure > 0.0, measure, np.abs(x)))
        column = int(
            np.argmax(
                np.where(over > allowed, relative, -1.0) if (over > allowed).any() else relative
            )
        )
        return (
            Violation(
                family="bounds",
                amount=float(over[column]),
                unit=column_unit(instance, column),
                member=instance.column_name(column),
                relative=float(relative[column]),
                accepted=bool(over[column] <= allowed[column]),
                allowed=float(allowed[column]),
            ),
        )

    def integrality(self) -> tuple[Violation, ...]:
        """The column that is farthest from a whole number; none may be."""
        columns = np.flatnonzero(self.instance.integral)
        if not len(columns):
            return ()
        distance = np.abs(self.x[columns] - np.round(self.x[columns]))
        worst = int(np.argmax(distance))
        column = int(columns[worst])
        return (
            Violation(
                family="integrality",
                amount=float(distance[worst]),
                unit=column_unit(self.instance, column),
                member=self.instance.column_name(column),
                relative=float(distance[worst]),
                accepted=bool(distance[worst] == 0.0),
            ),
        )


def _spread(value: object, size: int) -> Loose:
    that = loosely(value)
    return Loose(
        *(
            np.broadcast_to(np.asarray(part, dtype=np.float64), (size,))
            for part in (that.value, that.total, that.loose, that.error)
        )
    )


def _amount(family: ConstraintFamily, residual: FloatArray) -> FloatArray:
    """By how much rows are missed, from `left - right`; infinite where that is not a number."""
    amount = family.relation.excess(residual)
    return np.where(np.isnan(amount), np.inf, np.maximum(amount, 0.0))


def _shares(amount: FloatArray, size: FloatArray) -> FloatArray:
    """Residuals as shares of sizes: 0 where there is none, infinite where one is."""
    known = np.isfinite(amount) & (amount > 0.0)
    relative = np.divide(amount, np.maximum(size, 1e-300), out=np.zeros_like(amount), where=known)
    return np.where(np.isfinite(amount), relative, np.inf)
