"""The columns of an instance beside those of the problem it is compared with: names, members, what
is whole, what is fixed, and bounds.
"""

from collections.abc import Set

import numpy as np
from numpy.typing import NDArray

from mecdsl.analysis.propagation.box import implied_box
from mecdsl.backends.derived.reference import Differs, places
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray, IntArray

TOLERANCE = 1e-9  # relative, of a bound
ROUNDING = 1e-13  # relative, between two ways to compute the same bound


def columns_of(instance: Instance, reference: Instance) -> IntArray:
    """The column of the instance that is each column of the reference.

    Raises `Differs` where a family has other members; the names of the families are the same.
    """
    first = {family.name: family.first for family in instance.variables}
    found = np.empty(reference.columns, dtype=np.int64)
    for family in reference.variables:
        own, wanted = (world.symbols[family.name] for world in (instance.world, reference.world))
        found[family.columns] = first[family.name] + places(family.name, own, wanted)
    return found


def odd_name(own: Set[str], wanted: Set[str]) -> str:
    """What is wrong where two sets of families differ: one too many, else one that is missing."""
    for names, fault in ((own - wanted, "not part of"), (wanted - own, "missing from")):
        if names:
            return f"`{min(names)}` is {fault} the problem"
    return ""


def compare_columns(
    instance: Instance, reference: Instance, columns: IntArray, may_be_fixed: frozenset[str]
) -> dict[str, FloatArray]:
    """The values of the families that are fixed, in the order of the reference.

    `may_be_fixed`: families whose columns may all be fixed, to whatever values. Raises `Differs`
    where a column is whole or fixed otherwise; an integer that is fixed to a whole number need not
    be one in the reference.
    """
    _compare_domains(instance, reference, columns)
    return _fixed(instance, reference, columns, may_be_fixed)


def _compare_domains(instance: Instance, reference: Instance, columns: IntArray) -> None:
    free, whole = instance.free[columns], instance.integral[columns]
    for odd, said in (
        (free & whole & ~reference.integral, "is an integer"),
        (free & ~whole & reference.integral, "is relaxed"),
    ):
        if odd.any():
            raise Differs(f"`{instance.column_name(int(columns[np.argmax(odd)]))}` {said}")
    value = instance.fixed[columns]
    odd = ~free & whole & (value != np.round(value))
    if odd.any():
        column = int(columns[np.argmax(odd)])
        name, number = instance.column_name(column), instance.fixed[column]
        raise Differs(f"`{name}` is an integer and fixed to {number:g}")


def _fixed(
    instance: Instance, reference: Instance, columns: IntArray, may_be_fixed: frozenset[str]
) -> dict[str, FloatArray]:
    found = {}
    values = instance.fixed[columns]
    for family in reference.variables:
        own = values[family.columns]
        given = ~np.isnan(own)
        if not given.any():
            continue
        if family.name not in may_be_fixed:
            column = int(columns[family.columns][np.argmax(given)])
            raise Differs(f"`{instance.column_name(column)}` is fixed")
        if not given.all():
            raise Differs(f"only some of `{family.name}` are fixed")
        found[family.name] = own
    return found


def compare_bounds(
    instance: Instance, reference: Instance, columns: IntArray, complete: bool
) -> None:
    """Raise `Differs` for bounds that are not those of the reference.

    Bounds that the rows of the reference imply may be stated too, if the instance has all of them:
    `complete`.
    """
    lower, upper = instance.lower[columns], instance.upper[columns]
    if _same(lower, reference.lower).all() and _same(upper, reference.upper).all():
        return
    last_lower, last_upper = reference.lower, reference.upper
    if complete:
        last_lower, last_upper = implied_box(reference).lower, implied_box(reference).upper
    for side, own, stated, last in (
        ("least", lower, reference.lower, last_lower),
        ("most", -upper, -reference.upper, -last_upper),
    ):
        # a bound may be any between the stated and the implied one: no point is lost or won
        loose = ~_same(own, stated) & (own < stated)
        tight = ~_same(own, stated) & (own > last) & ~np.isclose(own, last, TOLERANCE, 0.0)
        odd = loose | tight
        if odd.any():
            place = int(np.argmax(odd))
            sign = 1.0 if side == "least" else -1.0
            raise Differs(
                f"`{instance.column_name(int(columns[place]))}` has a bound of its own: "
                f"at {side} {sign * own[place]:g}, {sign * stated[place]:g} in the problem"
            )


def _same(own: FloatArray, wanted: FloatArray) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = np.isclose(own, wanted, rtol=ROUNDING, atol=0.0)
    return found
