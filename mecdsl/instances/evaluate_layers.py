"""Rows of the sets of layers: the layers of a cut, those that cross it, those before and after a
layer.
"""

from dataclasses import dataclass

import numpy as np

from mecdsl.checking.layer_cuts import (
    Before,
    BoolArray,
    LayerGroups,
    crossings,
    layers_after,
    layers_before,
    valid_cuts,
)
from mecdsl.instances.sparse_rows import ragged_ranges
from mecdsl.instances.tables import FamilyTable, IntArray
from mecdsl.model import symbolic as sym

GROUPS = {
    sym.LayerGroup.CUT: valid_cuts,
    sym.LayerGroup.CROSSING: crossings,
    sym.LayerGroup.BEFORE: layers_before,
    sym.LayerGroup.AFTER: layers_after,
}


@dataclass(frozen=True, slots=True)
class LayerRows:
    """One group of the layers of a family, for the cut or layer on each row: `labels`,
    int64[rows].
    """

    group: sym.LayerGroup
    family: FamilyTable
    before: Before | None
    labels: IntArray

    def counts(self) -> IntArray:
        """How many layers each row has."""
        if self.before is None:
            low, high = self._chain()
            return np.asarray(np.maximum(high - low + 1, 0), dtype=np.int64)
        groups = self._groups(self.before)
        return groups.starts[self._positions() + 1] - groups.starts[self._positions()]

    def members(self, counts: IntArray) -> tuple[IntArray, IntArray]:
        """Parent row and number of every layer, row by row; `counts` as above."""
        parent = np.repeat(np.arange(len(self.labels), dtype=np.int64), counts)
        if self.before is None:
            return parent, ragged_ranges(self._chain()[0], counts)
        groups = self._groups(self.before)
        return parent, groups.members[ragged_ranges(groups.starts[self._positions()], counts)]

    def hold(self, layers: IntArray) -> BoolArray:
        """Whether the group on each row holds the layer of the same row."""
        if self.before is None:
            low, high = self._chain()
            return np.asarray((layers >= low) & (layers <= high))
        inside = (layers >= 1) & (layers <= self.family.size)
        return np.asarray(
            inside
            & self._groups(self.before).truth[self._positions(), np.where(inside, layers, 1) - 1]
        )

    def _groups(self, before: Before) -> LayerGroups:
        return GROUPS[self.group](before)

    def _positions(self) -> IntArray:
        """Cuts are numbered from 0, layers from 1."""
        cuts = self.group in (sym.LayerGroup.CUT, sym.LayerGroup.CROSSING)
        return self.labels if cuts else self.labels - 1

    def _chain(self) -> tuple[IntArray, IntArray]:
        """First and last layer of the group in a chain 1..L; nothing where the last is smaller."""
        labels, last = self.labels, self.family.size
        match self.group:
            case sym.LayerGroup.CUT:
                return np.ones_like(labels), labels
            case (
                sym.LayerGroup.CROSSING
            ):  # the last layer of the part that is not all, if there is one
                inner = (labels >= 1) & (labels < last)
                return np.where(inner, labels, 1), np.where(inner, labels, 0)
            case sym.LayerGroup.BEFORE:
                return np.maximum(labels - 1, 1), labels - 1
            case sym.LayerGroup.AFTER:
                return labels + 1, np.minimum(labels + 1, last)
