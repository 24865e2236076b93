"""A problem found in an instance: what an algorithm reads of it, and the way back of its answer."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mecdsl.backends.derived.reference import Shipped
from mecdsl.backends.derived.rows import Rows
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """A shipped model with the data of an instance, and where its columns and rows are there.

    `problem`: which shipped model. `reference`: that model with the data; its labels and orders
    are those of the shipped text, whatever the instance has. `fixed`: values of the variable
    families that are fixed. `has_constant`: a constant stands beside the objective.
    """

    problem: Shipped
    reads: frozenset[str]
    reference: Instance
    instance: Instance
    columns: IntArray
    rows: Rows
    fixed: Mapping[str, FloatArray]
    has_constant: bool

    def data(self, name: str) -> FloatArray:
        """Data that were declared to be read, in SI, in the order of the shipped model.

        Raises KeyError for others: those of the reference are not the instance's.
        """
        if name not in self.reads:
            raise KeyError(f"`{name}` is not declared among the data that are read")
        return self.reference.data(name)

    def number(self, name: str) -> float:
        """The same of one number."""
        return float(self.data(name)[0])

    def size(self, family: str) -> int:
        """The number of members of a family."""
        return self.reference.world.families[family].size

    def labels(self, family: str) -> tuple[IntArray, ...]:
        """The labels of the members of a family, one array for each index."""
        table = self.reference.world.families[family]
        return tuple(table.table.columns[index] for index in table.names)

    def whole(self, variable: str) -> bool:
        """Whether a variable family takes whole numbers only."""
        return bool(self.reference.integral[self.reference.variable(variable).columns].any())

    def point(self, values: Mapping[str, FloatArray]) -> FloatArray:
        """Values of all variable families of the shipped model as a point of the instance.

        Raises KeyError where one is missing.
        """
        x = np.empty(len(self.columns))
        for family in self.reference.variables:
            x[self.columns[family.columns]] = np.ravel(values[family.name])
        return x

    def multipliers(self, values: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """Multipliers of rows of the shipped model as those of the rows as they are written here,
        by their families; those of which some are unknown are left out.
        """
        if not values:
            return {}
        found = np.full(self.instance.rows, np.nan)
        for family in self.reference.constraints:
            if family.name in values and family.name in self.rows.present:
                own = np.ravel(values[family.name])
                found[self.rows.place[family.rows]] = own / self.rows.factor[family.rows]
        known = {family.name: found[family.rows] for family in self.instance.constraints}
        return {name: own for name, own in known.items() if not np.isnan(own).any()}
