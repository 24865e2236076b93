"""Joins over tables: the links that meet a node, and the neighbours of a member, without trying
every pair.
"""

from dataclasses import dataclass

import numpy as np

from mecdsl.instances.sparse_rows import ragged_ranges
from mecdsl.instances.tables import FamilyTable, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class LinkEnds:
    """One end of every link of a family: `labels` int64[links], and the links sorted by it.

    `order`: the links by end, in their own order at each end; `ascending`: their ends in that
    order.
    """

    labels: IntArray
    order: IntArray
    ascending: IntArray

    @classmethod
    def of(cls, labels: IntArray) -> "LinkEnds":
        """Sort the links by their ends once, so that every later join costs only what it finds."""
        order = np.argsort(labels, kind="stable").astype(np.int64)
        return cls(labels, order, labels[order])

    def count(self, nodes: IntArray) -> tuple[IntArray, IntArray]:
        """For each node label the position of its first link in `order`, and how many links it
        has.
        """
        first = np.searchsorted(self.ascending, nodes, side="left").astype(np.int64)
        return first, np.searchsorted(self.ascending, nodes, side="right").astype(np.int64) - first

    def links(self, first: IntArray, counts: IntArray) -> tuple[IntArray, IntArray]:
        """Parent position and link row of every link that `count` found."""
        parent = np.repeat(np.arange(len(counts), dtype=np.int64), counts)
        return parent, self.order[ragged_ranges(first, counts)]


def neighbours(family: FamilyTable, labels: IntArray, step: int) -> tuple[IntArray, IntArray]:
    """The labels one step behind (-1) or ahead (+1) in a family with one index, and the rows that
    have none.

    Where there is none, the label is the given one.
    """
    column = family.table.columns[family.names[0]]
    rows = family.locate([labels], len(labels))
    beside = rows + step
    missing = (rows < 0) | (beside < 0) | (beside >= family.size)
    beside_labels = labels.copy()
    beside_labels[~missing] = column[beside[~missing]]
    return beside_labels, np.flatnonzero(missing)
