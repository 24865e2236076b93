"""The rows of an instance beside those of the problem it is compared with, each up to a factor.

A row is looked for first under its name and label, then, whatever its family is called, among rows
with the same columns. Then value and every slope of each pair must agree at all points.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mecdsl.backends.derived.agreement import NOT_HERE, TOLERANCE, Agreement, agreement
from mecdsl.backends.derived.other_names import by_columns, is_there
from mecdsl.backends.derived.reference import Differs
from mecdsl.backends.derived.samples import degrees
from mecdsl.backends.derived.sides import Side
from mecdsl.diagnostics import count
from mecdsl.instances.instance import ConstraintFamily
from mecdsl.instances.tables import FamilyTable, FloatArray, IntArray

Flags = NDArray[np.bool_]

OBJECTIVE = 0  # the stacked row of the objective


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Of each row of the reference, the row of the instance, `NOT_HERE` in a family that is left
    out, and the number by which left minus right is multiplied there. `present`: the families of
    the reference that are not left out.
    """

    place: IntArray
    factor: FloatArray
    present: frozenset[str]


def match_rows(own: Side, wanted: Side, optional: frozenset[str]) -> Rows:
    """Which row is which. `optional`: families of the reference that may be left out as a whole.

    Raises `Differs` where a row is missing, there is one too many or one is another.
    """
    named = np.full(wanted.rows, NOT_HERE, dtype=np.int64)
    for family, rows in _namesakes(own, wanted):
        named[wanted.stacked(family)] = rows
    found = _compared(own, wanted, named)
    place = np.where(found.holds, named, NOT_HERE)
    present = frozenset(
        family.name
        for family in wanted.instance.constraints
        if family.name not in optional or is_there(own, wanted, family, place)
    )
    place = by_columns(own, wanted, place, present)
    final = _compared(own, wanted, place) if (place != named).any() else found
    asked = np.concatenate(
        [[False], *(np.full(f.size, f.name in present) for f in wanted.instance.constraints)]
    )
    missing = np.flatnonzero(asked & ~final.holds)
    if len(missing):
        raise Differs(_words(own, wanted, named, found, int(missing[0])))
    extra = own.others(place[asked])
    if len(extra):
        raise Differs(f"`{own.family(int(extra[0])).name}` is not part of the problem")
    return Rows(np.where(asked, place - 1, NOT_HERE)[1:], final.factor[1:], present)


def match_objective(own: Side, wanted: Side, may_add_constant: bool, called: str) -> bool:
    """Whether a constant stands beside the objective of the reference.

    `called`: what that is in words. Raises `Differs` where the objectives differ otherwise.
    """
    for side, other in ((own, wanted), (wanted, own)):
        if side.instance.maximize and not other.instance.maximize:
            raise Differs(f"the objective is {'max' if side is own else 'min'}imised")
    place = np.full(wanted.rows, NOT_HERE, dtype=np.int64)
    place[OBJECTIVE] = OBJECTIVE
    found = agreement(own.sample, wanted.sample, place, scaled=False)
    if degrees(own.instance)[OBJECTIVE] > degrees(wanted.instance)[OBJECTIVE]:
        raise Differs(f"the objective is not {called}: it holds a function that it has not")
    if not found.slopes[OBJECTIVE]:
        raise Differs(
            f"the objective is not {called}: it differs in {_what(wanted, found, OBJECTIVE)}"
        )
    if found.constant[OBJECTIVE]:
        return False
    beside = own.sample.value[:, OBJECTIVE] - wanted.sample.value[:, OBJECTIVE]
    least = TOLERANCE * wanted.sample.terms[:, OBJECTIVE].max()
    if not may_add_constant or not np.ptp(beside) <= least:
        raise Differs(f"the objective is not {called}: it differs in its constant")
    return True


def _namesakes(own: Side, wanted: Side) -> Iterator[tuple[ConstraintFamily, IntArray]]:
    """Families of the reference with the stacked rows of the family of the same name and members,
    in their order.
    """
    families = {family.name: family for family in own.instance.constraints}
    for family in wanted.instance.constraints:
        other = families.get(family.name)
        if other is None or other.size != family.size:
            continue
        rows = np.arange(family.size)
        labels, wished = (
            [part.table.columns[name] for name in part.constraint.space.names]
            for part in (other, family)
        )
        if len(labels) == len(wished) and not all(map(np.array_equal, labels, wished)):
            table = FamilyTable.of(other.table, other.constraint.space.names, (), False)
            found = table.locate(wished, family.size)
            rows = found if (found >= 0).all() else rows
        yield family, 1 + other.first + rows


def _compared(own: Side, wanted: Side, place: IntArray) -> Agreement:
    """How the pairs agree; rows of another relation or of a higher degree do not."""
    found = agreement(own.sample, wanted.sample, place)
    fits = _same_relation(own, wanted, place, found.factor) & _same_degree(own, wanted, place)
    return Agreement(found.factor, found.constant & fits, found.slopes, found.column)


def _same_relation(own: Side, wanted: Side, place: IntArray, factor: FloatArray) -> Flags:
    mine, other = own.relations[place], wanted.relations
    found: Flags = np.where(
        other == 0, mine == 0, mine * other * np.nan_to_num(np.sign(factor)) > 0.0
    )
    return found


def _same_degree(own: Side, wanted: Side, place: IntArray) -> Flags:
    """Whether rows are written without functions that the reference has not: `min(x, 1e9)` is `x`
    at every point that is tried.
    """
    found: Flags = degrees(own.instance)[place] <= degrees(wanted.instance)
    return found


# Words --------------------------------------------------------------------------------------------


def _words(own: Side, wanted: Side, named: IntArray, found: Agreement, row: int) -> str:
    """What is wrong with a row of the reference that the instance has not."""
    family = wanted.family(row)
    other = next((f for f in own.instance.constraints if f.name == family.name), None)
    if other is None:
        return f"`{family.name}` is missing from the problem"
    if named[row] == NOT_HERE:
        return f"`{family.name}` has {count(other.size, 'row')}, expected {family.size}"
    stands = named[row : row + 1]
    wished = family.constraint.doc or "the constraint it was derived for"
    said = f"`{family.name}` is not {wished}: `{own.name(int(stands[0]))}`"
    if not found.slopes[row]:
        return f"{said} differs in {_what(wanted, found, row)}"
    if degrees(own.instance)[stands[0]] > degrees(wanted.instance)[row]:
        return f"{said} holds a function that it has not"
    mine, other_sign = int(own.relations[stands[0]]), int(wanted.relations[row])
    if (mine == 0) != (other_sign == 0) or mine * other_sign * found.factor[row] < 0.0:
        return f"{said} has another relation"
    return f"{said} differs in its constant"


def _what(wanted: Side, found: Agreement, row: int) -> str:
    """The column in which a row agrees least."""
    column = int(found.column[row])
    return f"`{wanted.instance.column_name(column)}`" if column >= 0 else "its constant"
