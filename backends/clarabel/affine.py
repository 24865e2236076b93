"""Affine functions of the variables of a conic program, one for each row of a family.

A row may hold variables that stand for a convex or a concave function that bounds them: `above`
marks rows that may so lie above what they stand for, which is harmless where less is wanted, and
`below` the others. An affine row is neither.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mecdsl.instances.sparse_rows import SparseRows, add_rows, stack_rows
from mecdsl.instances.tables import FloatArray, IntArray

Flags = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Affine:
    """`slopes` over the variables of the program, which are near one, and a constant."""

    slopes: SparseRows
    constant: FloatArray
    above: Flags
    below: Flags

    @property
    def size(self) -> int:
        """The number of rows."""
        return len(self.constant)

    @property
    def plain(self) -> bool:
        """Whether no row stands for a function that bends."""
        return not (self.above.any() or self.below.any())

    @property
    def is_constant(self) -> bool:
        """Whether no row holds a variable."""
        return not self.slopes.values.any()

    def take(self, rows: IntArray) -> "Affine":
        """Some rows, in that order."""
        return Affine(
            self.slopes.take(rows), self.constant[rows], self.above[rows], self.below[rows]
        )

    def scaled(self, factor: FloatArray) -> "Affine":
        """Every row times its number."""
        down = factor < 0.0
        return Affine(
            self.slopes.scale(np.asarray(factor)),
            self.constant * factor,
            np.where(down, self.below, self.above) & (factor != 0.0),
            np.where(down, self.above, self.below) & (factor != 0.0),
        )

    def plus(self, other: "Affine") -> "Affine":
        """The sum, row by row."""
        return Affine(
            add_rows([self.slopes, other.slopes]),
            self.constant + other.constant,
            self.above | other.above,
            self.below | other.below,
        )

    def shifted(self, constant: FloatArray) -> "Affine":
        """With something added to the constants."""
        return replace(self, constant=self.constant + constant)

    def segment_sum(self, parent: IntArray, size: int) -> "Affine":
        """Row r of the result is the sum of the rows with parent r."""
        return Affine(
            self.slopes.segment_sum(parent, size),
            np.bincount(parent, self.constant, size).astype(np.float64),
            np.bincount(parent, self.above, size) > 0.0,
            np.bincount(parent, self.below, size) > 0.0,
        )

    @property
    def sizes(self) -> FloatArray:
        """How large each row is where every variable is 1, by its largest term; never 0."""
        largest = np.abs(self.constant)
        np.maximum.at(largest, self.slopes.rows, np.abs(self.slopes.values))
        return np.where(largest > 0.0, largest, 1.0)


def numbers(values: FloatArray) -> Affine:
    """Rows without variables."""
    nothing = np.zeros(len(values), dtype=bool)
    constant = np.array(values, dtype=np.float64)
    return Affine(SparseRows.empty(len(constant), 1), constant, nothing, nothing)


def variables(places: IntArray, factor: FloatArray, constant: FloatArray) -> Affine:
    """One variable in each row, times a factor."""
    size = len(places)
    nothing = np.zeros(size, dtype=bool)
    slopes = SparseRows.uniform(size, 1, (places,), np.array(factor, dtype=np.float64))
    return Affine(slopes, np.array(constant, dtype=np.float64), nothing, nothing)


def stacked(parts: Sequence[Affine]) -> Affine:
    """The rows of all parts below each other."""
    if not parts:
        return numbers(np.zeros(0))
    return Affine(
        stack_rows([part.slopes for part in parts]),
        np.concatenate([part.constant for part in parts]),
        np.concatenate([part.above for part in parts]),
        np.concatenate([part.below for part in parts]),
    )


def interleaved(parts: Sequence[Affine]) -> Affine:
    """Row 0 of every part, then row 1 of every part, and so on."""
    size = parts[0].size
    order = np.arange(len(parts) * size).reshape(len(parts), size).T.reshape(-1)
    return stacked(parts).take(order)
