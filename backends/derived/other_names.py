"""Rows of the reference that stand in an instance under other names, in other families or in
another order: found by the columns they hold.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mecdsl.backends.derived.sides import Side
from mecdsl.instances.instance import ConstraintFamily
from mecdsl.instances.tables import FloatArray, IntArray

Flags = NDArray[np.bool_]

SEED = 1


@dataclass(frozen=True, slots=True, eq=False)
class _Keys:
    """What a row and a multiple of it have in common: kind of relation, sum of random numbers of
    its columns, and the quotient of value and first slope.
    """

    equation: Flags
    columns: NDArray[np.uint64]
    ratio: FloatArray

    def group(self, rows: IntArray) -> NDArray[np.uint64]:
        """Kind of relation and columns of some rows as one number."""
        found: NDArray[np.uint64] = self.columns[rows] * np.uint64(2) + self.equation[rows]
        return found


def _keys(side: Side) -> _Keys:
    made, relations = side.sample, side.relations
    width = side.instance.columns
    numbers = np.random.default_rng(SEED).integers(2**64 - 1, size=width, dtype=np.uint64)
    running = np.append(np.uint64(0), np.cumsum(numbers[made.column], dtype=np.uint64))
    ends = np.searchsorted(made.row, np.arange(side.rows + 1))
    columns = running[ends[1:]] - running[ends[:-1]]
    first = np.append(made.slope[0], 1.0)[np.where(ends[1:] > ends[:-1], ends[:-1], -1)]
    with np.errstate(all="ignore"):
        ratio = made.value[0] / np.where(relations == 0, first, np.abs(first) * relations)
    return _Keys(relations == 0, columns, ratio)


def is_there(own: Side, wanted: Side, family: ConstraintFamily, place: IntArray) -> bool:
    """Whether a family that may be left out is not: by its name, or by a row like its first."""
    if family.name in {other.name for other in own.instance.constraints}:
        return True
    left = own.others(place)
    first = np.array([wanted.stacked(family).start])
    return family.size > 0 and bool(np.isin(_keys(wanted).group(first), _keys(own).group(left))[0])


def by_columns(own: Side, wanted: Side, place: IntArray, present: frozenset[str]) -> IntArray:
    """The places, with those of rows that have none yet where as many rows on both sides have the
    same columns.
    """
    asked = [np.full(f.size, f.name in present) for f in wanted.instance.constraints]
    mine = own.others(place)
    other = 1 + np.flatnonzero(np.concatenate([np.zeros(0, np.bool_), *asked]) & (place[1:] < 0))
    if not len(mine) or not len(other):
        return place
    own_keys, keys = _keys(own), _keys(wanted)
    own_group, group = own_keys.group(mine), keys.group(other)
    known, number = np.unique(np.concatenate([own_group, group]), return_inverse=True)
    own_number, number = number[: len(mine)], number[len(mine) :]
    alike = np.bincount(own_number, minlength=len(known)) == np.bincount(
        number, minlength=len(known)
    )
    ordered = [
        rows[np.lexsort((each.ratio[rows], numbers))][alike[np.sort(numbers)]]
        for rows, each, numbers in ((mine, own_keys, own_number), (other, keys, number))
    ]
    result = place.copy()
    result[ordered[1]] = ordered[0]
    return result
