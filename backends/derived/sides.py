"""The two instances that are compared: the one that is given and the reference."""

from dataclasses import dataclass

import numpy as np

from mecdsl.backends.derived.samples import Sample
from mecdsl.instances.instance import ConstraintFamily, Instance
from mecdsl.instances.tables import IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """One of the two instances with its sample, in the columns of the reference."""

    instance: Instance
    sample: Sample

    @property
    def relations(self) -> IntArray:
        """0 for an equation, 1 for `<=`, -1 for `>=`, by stacked row; the objective counts as an
        equation.
        """
        parts = [np.zeros(1, dtype=np.int64)]
        parts += [np.full(f.size, f.relation.sign) for f in self.instance.constraints]
        return np.concatenate(parts).astype(np.int64)

    @property
    def rows(self) -> int:
        """The number of stacked rows."""
        return 1 + self.instance.rows

    def others(self, place: IntArray) -> IntArray:
        """The stacked rows of constraints that are not among some rows."""
        left = np.ones(self.rows, dtype=np.bool_)
        left[0] = False
        left[place[place >= 0]] = False
        return np.flatnonzero(left)

    def stacked(self, family: ConstraintFamily) -> slice:
        """The stacked rows of a family."""
        return slice(1 + family.first, 1 + family.first + family.size)

    def name(self, row: int) -> str:
        """A stacked row as the user knows it."""
        return self.instance.row_name(self.family(row), row - 1 - self.family(row).first)

    def family(self, row: int) -> ConstraintFamily:
        """The family of a stacked row."""
        for family in self.instance.constraints:
            if family.first <= row - 1 < family.first + family.size:
                return family
        raise IndexError(row)
