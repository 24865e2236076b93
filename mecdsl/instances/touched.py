"""Which groups of variables every row of an expression depends on, whatever their values are."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mecdsl.instances.algebra import Algebra
from mecdsl.instances.sparse_rows import ragged_ranges
from mecdsl.instances.tables import IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Touched:
    """`rows`, `groups`: int64 pairs, sorted and each once: a row depends on a group."""

    rows: IntArray
    groups: IntArray
    __array_ufunc__ = None

    @classmethod
    def of(cls, rows: IntArray, groups: IntArray) -> "Touched":
        """Pairs in any order; what belongs to no group, -1, is left out."""
        pairs = np.unique(np.stack([rows, groups])[:, groups >= 0], axis=1)
        return cls(pairs[0], pairs[1])

    def __getitem__(self, rows: IntArray) -> "Touched":
        taken = np.asarray(rows, dtype=np.int64)
        first = np.searchsorted(self.rows, taken)
        counts = np.searchsorted(self.rows, taken, side="right") - first
        places = ragged_ranges(first, counts)
        return Touched(np.repeat(np.arange(len(taken)), counts), self.groups[places])

    def joined(self, other: Any) -> "Touched":
        """What either depends on; data depend on nothing."""
        if not isinstance(other, Touched):
            return self
        rows = np.concatenate([self.rows, other.rows])
        return Touched.of(rows, np.concatenate([self.groups, other.groups]))

    def __neg__(self) -> "Touched":
        return self

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = joined
    __truediv__ = __rtruediv__ = __pow__ = __rpow__ = joined


class Touches(Algebra):
    """`groups`: int64, the group of every column, -1 for none."""

    def __init__(self, groups: IntArray) -> None:
        self.groups = groups

    def variables(self, columns: IntArray) -> Touched:
        groups = self.groups[columns]
        rows = np.arange(len(columns), dtype=np.int64)
        return Touched(rows[groups >= 0], groups[groups >= 0])

    def segment_sum(self, value: Any, parent: IntArray, size: int) -> Any:
        if not isinstance(value, Touched):
            return np.zeros(size)
        return Touched.of(parent[value.rows], value.groups)

    def segment_prod(self, value: Any, parent: IntArray, size: int) -> Any:
        return self.segment_sum(value, parent, size)

    def segment_extreme(self, name: str, value: Any, parent: IntArray, size: int) -> Any:
        return self.segment_sum(value, parent, size)

    def merge(self, size: int, parts: Sequence[tuple[IntArray, Any]]) -> Touched:
        touched = [(rows, value) for rows, value in parts if isinstance(value, Touched)]
        rows = [np.asarray(rows, dtype=np.int64)[value.rows] for rows, value in touched]
        groups = [value.groups for _, value in touched]
        nothing = np.zeros(0, dtype=np.int64)
        return Touched.of(np.concatenate([nothing, *rows]), np.concatenate([nothing, *groups]))

    def call(self, name: str, arguments: Sequence[Any]) -> Any:
        touched = [argument for argument in arguments if isinstance(argument, Touched)]
        if not touched:
            return np.float64(0.0)
        joined = touched[0]
        for argument in touched[1:]:
            joined = joined.joined(argument)
        return joined
