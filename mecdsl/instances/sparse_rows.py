"""Row-sparse arrays: n rows with few entries each, and the index arithmetic that needs no loop over
rows.

Entries stand row after row; `pointer[r]:pointer[r + 1]` are those of row r. An entry has a value
and one column (a gradient) or two (a Hessian, lower triangle: first column >= second). Duplicates
are allowed and mean a sum. No entry is dropped because its value is zero, so the sequence of
positions depends on the structure alone.

Choice: when all rows have equally many entries (`width`), an operation is a reshape and a
broadcast, several times faster than the ragged `repeat`/`arange` expansion; families without fixed
variables or ragged sums are of that kind. Both ways give the same entries in the same order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeVar

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
Factor = float | FloatArray
Scalar = TypeVar("Scalar", bound=np.generic)

# A derivative may be infinite on the edge of a domain (`sqrt` at 0): a result, not an accident to
# warn of.
quiet = partial(np.errstate, divide="ignore", invalid="ignore", over="ignore", under="ignore")


LONG: Final = 64  # entries of a row from which on it is worth looking for equal places


@dataclass(frozen=True, slots=True, eq=False)
class SparseRows:
    """Entries of n rows; index arrays are shared between objects and must not be written to.

    pointer: int64[n + 1], row r owns the entries pointer[r]:pointer[r + 1].
    columns: one int64[entries] array per axis (one for a gradient, two for a Hessian).
    values: float64[entries].
    width: the number of entries of every row, None if rows differ.
    """

    pointer: IntArray
    columns: tuple[IntArray, ...]
    values: FloatArray
    width: int | None

    @classmethod
    def uniform(
        cls, size: int, width: int, columns: tuple[IntArray, ...], values: FloatArray
    ) -> "SparseRows":
        """`size` rows of `width` entries each."""
        return cls(np.arange(size + 1, dtype=np.int64) * width, columns, values, width)

    @classmethod
    def ragged(
        cls, pointer: IntArray, columns: tuple[IntArray, ...], values: FloatArray
    ) -> "SparseRows":
        """Rows of any lengths; equal lengths are recognised."""
        counts = np.diff(pointer)
        width = int(counts[0]) if counts.size else 0
        return cls(pointer, columns, values, width if bool((counts == width).all()) else None)

    @classmethod
    def empty(cls, size: int, axes: int) -> "SparseRows":
        """`size` rows without entries, with `axes` column arrays."""
        return cls.uniform(size, 0, (np.empty(0, dtype=np.int64),) * axes, np.empty(0))

    @property
    def size(self) -> int:
        """Number of rows."""
        return self.pointer.size - 1

    @property
    def counts(self) -> IntArray:
        """Number of entries of each row, int64[n]."""
        return np.diff(self.pointer)

    @property
    def rows(self) -> IntArray:
        """Row of each entry, ascending, int64[entries]."""
        return np.repeat(np.arange(self.size, dtype=np.int64), self.counts)

    def scale(self, factor: Factor) -> "SparseRows":
        """Every row times its factor (float64[n], or one float for all)."""
        if isinstance(factor, float) and factor == 1.0:
            return self
        if isinstance(factor, float) or self.width == 1:
            values = self.values * factor
        elif self.width is not None:
            values = (self.values.reshape(self.size, self.width) * factor[:, None]).reshape(-1)
        else:
            values = self.values * np.repeat(factor, self.counts)
        return SparseRows(self.pointer, self.columns, values, self.width)

    def take(self, index: IntArray) -> "SparseRows":
        """Rows `index` (int64[m], within 0..n-1, repetition allowed) in that order."""
        if self.width is not None:

            def pick(entries: npt.NDArray[Scalar], width: int = self.width) -> npt.NDArray[Scalar]:
                return np.take(entries.reshape(self.size, width), index, axis=0).reshape(-1)

            return SparseRows.uniform(
                index.size, self.width, tuple(map(pick, self.columns)), pick(self.values)
            )
        counts = self.counts[index]
        entries = ragged_ranges(self.pointer[:-1][index], counts)
        columns = tuple(axis[entries] for axis in self.columns)
        return SparseRows.ragged(pointer_of(counts), columns, self.values[entries])

    def segment_sum(self, parent: IntArray, size: int) -> "SparseRows":
        """`size` rows, each with the entries of the rows whose parent it is, in row order."""
        if parent.size > 1 and bool((parent[1:] < parent[:-1]).any()):
            order = np.argsort(parent, kind="stable")
            return self.take(order).segment_sum(parent[order], size)
        first_row = np.searchsorted(parent, np.arange(size + 1, dtype=np.int64))
        return SparseRows.ragged(self.pointer[first_row], self.columns, self.values)


def pointer_of(counts: IntArray) -> IntArray:
    """Row pointer, int64[n + 1], of rows with `counts` entries."""
    pointer = np.zeros(counts.size + 1, dtype=np.int64)
    np.cumsum(counts, out=pointer[1:])
    return pointer


def ragged_ranges(starts: IntArray, counts: IntArray) -> IntArray:
    """The ranges start, ..., start + count - 1, one after the other.

    >>> ragged_ranges(np.array([5, 0, 7]), np.array([2, 0, 3])).tolist()
    [5, 6, 7, 8, 9]
    """
    ends = np.cumsum(counts)
    total = int(ends[-1]) if ends.size else 0
    return np.arange(total, dtype=np.int64) + np.repeat(starts - ends + counts, counts)


def stack_rows(parts: Sequence[SparseRows]) -> SparseRows:
    """The rows of all parts below each other (at least one part)."""
    if len(parts) == 1:
        return parts[0]
    pointer = pointer_of(np.concatenate([part.counts for part in parts]))
    columns = tuple(
        np.concatenate(axis) for axis in zip(*(part.columns for part in parts), strict=True)
    )
    return SparseRows.ragged(pointer, columns, np.concatenate([part.values for part in parts]))


def add_rows(parts: Sequence[SparseRows]) -> SparseRows:
    """Sum of parts with equally many rows: row r holds the entries of row r of each part, part
    after part.
    """
    filled = [part for part in parts if part.values.size]
    if len(filled) < 2:
        return filled[0] if filled else parts[0]
    widths = [part.width for part in filled if part.width is not None]
    added = _add_uniform(filled, widths) if len(widths) == len(filled) else _add_ragged(filled)
    return added if added.values.size <= LONG * added.size else _merged(added)


def _merged(rows: SparseRows) -> SparseRows:
    """The same with one entry for each place, if that halves them: definitions that add up double
    in each step.
    """
    keys = (rows.rows, *rows.columns)
    order = np.lexsort(keys[::-1])
    sorted_keys = [key[order] for key in keys]
    new = np.ones(len(order), dtype=bool)
    new[1:] = np.any([key[1:] != key[:-1] for key in sorted_keys], axis=0)
    starts = np.flatnonzero(new)
    if 2 * len(starts) > len(order):
        return rows
    counts = np.bincount(sorted_keys[0][starts], minlength=rows.size)
    columns = tuple(key[starts] for key in sorted_keys[1:])
    return SparseRows.ragged(
        pointer_of(counts), columns, np.add.reduceat(rows.values[order], starts)
    )


def _add_uniform(parts: Sequence[SparseRows], widths: Sequence[int]) -> SparseRows:
    size, total = parts[0].size, sum(widths)

    def interleave(arrays: Sequence[npt.NDArray[Scalar]]) -> npt.NDArray[Scalar]:
        blocks = [array.reshape(size, width) for array, width in zip(arrays, widths, strict=True)]
        return np.concatenate(blocks, axis=1).reshape(-1)

    columns = tuple(
        interleave(axis) for axis in zip(*(part.columns for part in parts), strict=True)
    )
    return SparseRows.uniform(size, total, columns, interleave([part.values for part in parts]))


def _add_ragged(parts: Sequence[SparseRows]) -> SparseRows:
    counts = [part.counts for part in parts]
    pointer = pointer_of(np.add.reduce(counts))
    places, start = [], pointer[:-1]
    for count in counts:
        places.append(ragged_ranges(start, count))
        start = start + count

    def interleave(arrays: Sequence[npt.NDArray[Scalar]]) -> npt.NDArray[Scalar]:
        result = np.empty(int(pointer[-1]), dtype=arrays[0].dtype)
        for place, array in zip(places, arrays, strict=True):
            result[place] = array
        return result

    columns = tuple(
        interleave(axis) for axis in zip(*(part.columns for part in parts), strict=True)
    )
    return SparseRows.ragged(pointer, columns, interleave([part.values for part in parts]))


# Outer products in the lower-triangle convention: an entry at (i, j), i > j, counts at (i, j) and
# at (j, i).
#
# Mixed, M = a b^T + b a^T with a = sum_s a_s e_{i_s}, b = sum_t b_t e_{j_t}: each of the p*q pairs
# (s, t) adds a_s b_t to M at (i_s, j_t) and again at (j_t, i_s). If i_s != j_t these are two
# mirrored positions: one entry of value a_s b_t. If i_s == j_t they are one place on the diagonal:
# one entry of value 2 a_s b_t.
#
# Self, M = a a^T: the pairs (s, t) and (t, s) together are the case above, so the pairs s < t give
# a_s a_t, doubled where i_s == i_t (duplicates); the pair (s, s) adds a_s^2 once. Together p(p+1)/2
# entries.


def mixed_outer(left: SparseRows, right: SparseRows, factor: Factor) -> SparseRows:
    """Rows of factor * (a b^T + b a^T) for gradient rows a of `left`, b of `right`; p*q entries in
    a row.
    """
    left = left.scale(factor)
    (left_columns,), (right_columns,) = left.columns, right.columns
    if left.width is not None and right.width is not None:
        size, width = left.size, left.width * right.width
        along, across = (size, left.width, 1), (size, 1, right.width)
        values = left.values.reshape(along) * right.values.reshape(across)
        columns, values = _lower(
            left_columns.reshape(along), right_columns.reshape(across), values, True
        )
        return SparseRows.uniform(size, width, columns, values)
    repeats = np.repeat(right.counts, left.counts)
    first = np.repeat(np.arange(left.values.size, dtype=np.int64), repeats)
    second = ragged_ranges(np.repeat(right.pointer[:-1], left.counts), repeats)
    values = left.values[first] * right.values[second]
    columns, values = _lower(left_columns[first], right_columns[second], values, True)
    return SparseRows.ragged(pointer_of(left.counts * right.counts), columns, values)


def self_outer(rows: SparseRows, factor: Factor) -> SparseRows:
    """Rows of factor * a a^T for gradient rows a; p(p+1)/2 entries in a row."""
    (column,), scaled = rows.columns, rows.scale(factor)
    if rows.width == 1:
        return SparseRows(rows.pointer, (column, column), scaled.values * rows.values, 1)
    if rows.width is not None:
        size, shape = rows.size, (rows.size, rows.width)
        first, second = np.triu_indices(rows.width)
        values = scaled.values.reshape(shape)[:, first] * rows.values.reshape(shape)[:, second]
        by_row = column.reshape(shape)
        columns, values = _lower(by_row[:, first], by_row[:, second], values, first != second)
        return SparseRows.uniform(size, first.size, columns, values)
    counts, entries = rows.counts, np.arange(rows.values.size, dtype=np.int64)
    repeats = np.repeat(rows.pointer[1:], counts) - entries
    first, second = np.repeat(entries, repeats), ragged_ranges(entries, repeats)
    values = scaled.values[first] * rows.values[second]
    columns, values = _lower(column[first], column[second], values, first != second)
    return SparseRows.ragged(pointer_of(counts * (counts + 1) // 2), columns, values)


def _lower(
    first: IntArray, second: IntArray, values: FloatArray, distinct: bool | npt.NDArray[np.bool_]
) -> tuple[tuple[IntArray, IntArray], FloatArray]:
    """Ordered column pairs; values on the diagonal doubled where the pair is of two `distinct`
    entries.
    """
    doubled = (first == second) & distinct
    np.multiply(values, 2.0, out=values, where=doubled)
    return (
        np.maximum(first, second).reshape(-1),
        np.minimum(first, second).reshape(-1),
    ), values.reshape(-1)


@dataclass(frozen=True, slots=True, eq=False)
class Pattern:
    """Distinct positions of a sequence of entries, computed once; later evaluations only add up
    their values.

    first, second: int64[positions], ordered by first, then second.
    inverse: int64[entries], the position of each entry.
    """

    first: IntArray
    second: IntArray
    inverse: IntArray

    @classmethod
    def of(cls, first: IntArray, second: IntArray) -> "Pattern":
        """Pattern of the entries (first[k], second[k]), both non-negative."""
        span = int(second.max()) + 1 if second.size else 1
        keys, inverse = np.unique(first * span + second, return_inverse=True)
        return cls(keys // span, keys % span, inverse.astype(np.int64, copy=False))

    @property
    def size(self) -> int:
        """Number of distinct positions."""
        return self.first.size

    def add_up(self, values: FloatArray) -> FloatArray:
        """Sum of the entries of each position, float64[positions]; ValueError if their number
        changed.
        """
        if values.size != self.inverse.size:
            raise ValueError(
                f"expected {self.inverse.size} entries as in the pattern, found {values.size}"
            )
        sums = np.bincount(self.inverse, weights=values, minlength=self.size)
        return sums.astype(np.float64, copy=False)
