"""Steps that move rows: sums over segments, picked rows, families out of parts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from mecdsl.analysis.propagation.operations import Ranges, Step
from mecdsl.analysis.propagation.ranges import (
    EXACT,
    Flags,
    Range,
    Rounding,
    everything,
)
from mecdsl.instances.tables import FloatArray, IntArray

EPSILON: Final = float(np.finfo(np.float64).eps)


@dataclass(frozen=True, slots=True, eq=False)
class Picked(Step):
    """Rows of the operand, in any order and number."""

    rows: IntArray

    def forward(self, given: Ranges, rounding: Rounding) -> Range:
        return given[0].take(self.rows)

    def back(self, own: Range, given: Ranges, rounding: Rounding) -> Ranges:
        left = everything(len(given[0].low))
        np.maximum.at(left.low, self.rows, own.low)
        np.minimum.at(left.high, self.rows, own.high)
        return (left,)

    def marked(self, marks: Sequence[Flags]) -> Flags:
        return marks[0][self.rows]


@dataclass(frozen=True, slots=True, eq=False)
class Merged(Step):
    """One family out of parts that each fill the rows of an index array."""

    rows: tuple[IntArray, ...]

    def forward(self, given: Ranges, rounding: Rounding) -> Range:
        result = Range(np.zeros(self.size), np.zeros(self.size))
        for rows, part in zip(self.rows, given, strict=True):
            result.low[rows], result.high[rows] = part.low, part.high
        return result

    def back(self, own: Range, given: Ranges, rounding: Rounding) -> Ranges:
        return tuple(own.take(rows) for rows in self.rows)

    def marked(self, marks: Sequence[Flags]) -> Flags:
        result = np.zeros(self.size, dtype=bool)
        for rows, mark in zip(self.rows, marks, strict=True):
            result[rows] = mark
        return result


@dataclass(frozen=True, slots=True, eq=False)
class Summed(Step):
    """Row r is the sum of the operand's rows with parent r."""

    parent: IntArray

    def forward(self, given: Ranges, rounding: Rounding) -> Range:
        ends = given[0].ends
        sums = self._sums(ends)
        share = _of_many(rounding, np.bincount(self.parent, minlength=self.size)) / rounding.unit
        terms = self._sums(np.abs(ends))
        broken = self._sums(np.round(ends) != ends)
        whole = (broken == 0.0) & (terms <= EXACT)
        return rounding.outward(sums, share * terms, self.whole, whole)

    def _sums(self, ends: FloatArray | Flags) -> FloatArray:
        return np.stack([np.bincount(self.parent, end, self.size) for end in ends])

    def back(self, own: Range, given: Ranges, rounding: Rounding) -> Ranges:
        value = given[0]
        low = self._left(own.low, value.high, rounding, -1.0)
        high = self._left(own.high, value.low, rounding, 1.0)
        return (
            Range(np.where(np.isnan(low), -np.inf, low), np.where(np.isnan(high), np.inf, high)),
        )

    def _left(
        self, total: FloatArray, ends: FloatArray, rounding: Rounding, way: float
    ) -> FloatArray:
        """What the total leaves to each row when the others are at the given ends."""
        parent, size = self.parent, self.size
        open_end = np.isinf(ends)
        known = np.where(open_end, 0.0, ends)
        missing = np.bincount(parent, open_end, size)
        others = np.bincount(parent, known, size)[parent] - known
        terms = np.bincount(parent, np.abs(known), size) + np.abs(total)
        slack = (_of_many(rounding, np.bincount(parent, minlength=size)) * terms)[parent]
        exact = np.broadcast_to(self.whole, (size,))[parent] & (terms[parent] <= EXACT)
        found = total[parent] - others
        found = found + way * np.where(exact, 0.0, np.where(np.isfinite(slack), slack, 0.0))
        return np.where(missing[parent] > open_end, way * np.inf, found)

    def marked(self, marks: Sequence[Flags]) -> Flags:
        return np.asarray(np.bincount(self.parent[marks[0]], minlength=self.size) > 0)


@dataclass(frozen=True, slots=True, eq=False)
class Greatest(Step):
    """Row r is the maximum of the operand's rows with parent r."""

    parent: IntArray

    def forward(self, given: Ranges, rounding: Rounding) -> Range:
        low, high = np.full(self.size, -np.inf), np.full(self.size, -np.inf)
        np.maximum.at(low, self.parent, given[0].low)
        np.maximum.at(high, self.parent, given[0].high)
        return Range(low, high)

    def back(self, own: Range, given: Ranges, rounding: Rounding) -> Ranges:
        able = given[0].high >= own.low[self.parent]
        alone = np.bincount(self.parent, able, self.size)[self.parent] == 1
        low = np.where(able & alone, own.low[self.parent], -np.inf)
        return (Range(low, own.high[self.parent]),)

    def marked(self, marks: Sequence[Flags]) -> Flags:
        return np.asarray(np.bincount(self.parent[marks[0]], minlength=self.size) > 0)


def _of_many(rounding: Rounding, count: IntArray) -> FloatArray:
    """The unit of a sum of many terms, each of which may be rounded."""
    return np.asarray(rounding.unit + (count + 4) * EPSILON, dtype=np.float64)
