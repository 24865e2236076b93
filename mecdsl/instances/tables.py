"""Index tables: the rows of a family as integer columns, and the way from labels to rows."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mecdsl.diagnostics import Diagnostic, ModelError, Span
from mecdsl.instances.sparse_rows import ragged_ranges

IntArray = NDArray[np.int64]
FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """`size` rows; one int64 column of labels for every index in scope."""

    size: int
    columns: Mapping[str, IntArray] = field(default_factory=dict)

    def take(self, rows: IntArray) -> "Table":
        """The given rows, in the given order."""
        return Table(len(rows), {name: column[rows] for name, column in self.columns.items()})

    def with_columns(self, columns: Mapping[str, IntArray]) -> "Table":
        """The same rows with more indices."""
        return Table(self.size, {**self.columns, **columns})


SINGLE = Table(1)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FamilyTable:
    """The rows of a family or symbol and how to find one.

    `levels`: how a nested list of its data is shaped, outermost first: the count of items of every
    list at that level. `codes`: mixed-radix numbers of the rows in ascending order, `order` the
    rows in that order; both None if the rows are the full product in lexicographic order.
    """

    table: Table
    names: tuple[str, ...]
    levels: tuple[IntArray, ...]
    full: bool
    lowest: IntArray
    extent: IntArray
    codes: IntArray | None
    order: IntArray | None

    @classmethod
    def of(
        cls, table: Table, names: tuple[str, ...], levels: tuple[IntArray, ...], full: bool
    ) -> "FamilyTable":
        """Index the rows of a table by the given columns."""
        columns = [table.columns[name] for name in names]
        lowest = np.array([c.min() if table.size else 0 for c in columns], dtype=np.int64)
        extent = np.array(
            [(c.max() - c.min() + 1) if table.size else 0 for c in columns], dtype=np.int64
        )
        if table.size and float(np.prod(extent.astype(float))) >= 2.0**62:
            raise OverflowError("index space too wide to number its rows")
        codes = _codes(columns, lowest, extent, table.size)
        if table.size == int(np.prod(extent)) and np.array_equal(codes, np.arange(table.size)):
            return cls(
                table=table,
                names=names,
                levels=levels,
                full=full,
                lowest=lowest,
                extent=extent,
                codes=None,
                order=None,
            )
        order = np.argsort(codes, kind="stable").astype(np.int64)
        return cls(
            table=table,
            names=names,
            levels=levels,
            full=full,
            lowest=lowest,
            extent=extent,
            codes=codes[order],
            order=order,
        )

    @property
    def size(self) -> int:
        """The number of rows."""
        return self.table.size

    def locate(self, labels: Sequence[IntArray], size: int) -> IntArray:
        """The row of each label tuple, -1 where there is none.

        `labels`: one int64[size] per index.
        """
        inside = np.ones(size, dtype=bool)
        for label, low, extent in zip(labels, self.lowest, self.extent, strict=True):
            inside &= (label >= low) & (label < low + extent)
        codes = _codes(
            [np.where(inside, label, low) for label, low in zip(labels, self.lowest, strict=True)],
            self.lowest,
            self.extent,
            size,
        )
        if self.size == 0:
            return np.full(size, -1, dtype=np.int64)
        if self.codes is None or self.order is None:
            return np.where(inside, codes, -1)
        place = np.minimum(np.searchsorted(self.codes, codes), self.size - 1)
        return np.where(inside & (self.codes[place] == codes), self.order[place], -1)


def _codes(columns: Sequence[IntArray], lowest: IntArray, extent: IntArray, size: int) -> IntArray:
    codes = np.zeros(size, dtype=np.int64)
    for column, low, width in zip(columns, lowest, extent, strict=True):
        codes = codes * width + (column - low)
    return codes


def expand_ranges(low: IntArray, high: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    """For each row the integers low..high: parent row and value of each, and the counts."""
    counts = np.maximum(high - low + 1, 0)
    parent = np.repeat(np.arange(len(low), dtype=np.int64), counts)
    return parent, ragged_ranges(low, counts), counts


def expand_members(size: int, members: int) -> tuple[IntArray, IntArray, IntArray]:
    """For each of `size` rows all `members` positions: parent row and position of each, and the
    counts.
    """
    parent = np.repeat(np.arange(size, dtype=np.int64), members)
    positions = np.tile(np.arange(members, dtype=np.int64), size)
    return parent, positions, np.full(size, members, dtype=np.int64)


class TooManyRows(ModelError):
    """An index space with more rows than a look at it is worth; the problem itself is fine."""

    def __init__(self, rows: float, span: Span | None) -> None:
        super().__init__([Diagnostic("E310", f"{rows:.3g} rows are too many to look at", span)])
        self.rows = rows


EXPLORED = 5_000_000  # rows up to which ranges and curvature are looked for: some 2 GiB


def memory_limit() -> int:
    """Half of the machine's memory in bytes: what one instance may take."""
    return int(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2)


def refuse_if_too_large(rows: float, columns: int, what: str, span: Span | None) -> None:
    """Raise `ModelError` before a table is built that would not fit in memory."""
    need = 8.0 * rows * (columns + 4)
    if need <= memory_limit():
        return
    raise ModelError(
        [
            Diagnostic(
                "E310",
                f"{what} would have {rows:.3g} rows and need {need / 2**30:.1f} GiB, "
                f"the limit is {memory_limit() / 2**30:.1f} GiB",
                span,
                help="use smaller sets, or a condition that leaves fewer rows",
            )
        ]
    )
