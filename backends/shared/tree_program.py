"""An instance as solvers get it that take quadratic rows and trees: arrays, and a tree for each
nonlinear row.

Made without any solver, so that its size is known before one is asked, and once for all of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mecdsl.analysis.coefficients import Quadratics
from mecdsl.backends.shared.flat_rows import FlatRows, no_terms
from mecdsl.backends.shared.trees import Tree, operations, value
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray
from mecdsl.reduction.reduced import Reduced

BOUNDING_TOLERANCE: Final = 1e-7  # of the scaled objective, a row that is kept to a tolerance


@dataclass(frozen=True, slots=True, eq=False)
class CurvedRow:
    """`lower <= tree <= upper` of a constraint family."""

    tree: Tree
    lower: float
    upper: float
    family: str


@dataclass(frozen=True, slots=True)
class Absolute:
    """Column `result` is the absolute value of column `argument`."""

    result: int
    argument: int


@dataclass(frozen=True, slots=True)
class Size:
    """What licences count: columns, rows by kind, and operations that are not linear."""

    columns: int
    linear_rows: int
    quadratic_rows: int
    curved_rows: int
    absolutes: int
    operations: int
    quadratic_objective: bool
    curved_objective: bool

    @property
    def linear(self) -> bool:
        """Whether nothing is quadratic or nonlinear, absolute values aside."""
        products = self.quadratic_rows or self.quadratic_objective
        return not (products or self.curved_rows or self.curved_objective)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class TreeProgram:
    """A problem; `reduced` leads back from it.

    Columns are those of `reduced` and then `added`, each the tree that it equals at a point.
    The objective is `goal`, one row with its constant, plus `curved_goal` where it is above degree
    two; `penalties`: that some of `goal` are dear columns of a nonlinear objective. With a conflict
    there are columns only.
    """

    reduced: Reduced
    lower: FloatArray
    upper: FloatArray
    integral: NDArray[np.bool_]
    added: tuple[Tree, ...]
    goal: Quadratics
    curved_goal: Tree | None
    penalties: bool
    flat: FlatRows
    curved: tuple[CurvedRow, ...]
    absolutes: tuple[Absolute, ...]

    @property
    def instance(self) -> Instance:
        """The instance."""
        return self.reduced.instance

    @property
    def maximize(self) -> bool:
        """The sense of the scaled objective."""
        return self.instance.maximize

    @property
    def trees(self) -> tuple[Tree, ...]:
        """All trees, that of the objective last."""
        last = () if self.curved_goal is None else (self.curved_goal,)
        return (*(row.tree for row in self.curved), *last)

    @property
    def size(self) -> Size:
        """What licences count."""
        products = self.flat.quadratic
        return Size(
            columns=len(self.lower),
            linear_rows=int((~products).sum()),
            quadratic_rows=int(products.sum()),
            curved_rows=len(self.curved),
            absolutes=len(self.absolutes),
            operations=sum(map(operations, self.trees)),
            quadratic_objective=bool(len(self.goal.quadratic_value)),
            curved_objective=self.curved_goal is not None,
        )

    def point(self, z: FloatArray) -> FloatArray:
        """All columns of the instance in SI, from those of this problem."""
        return self.reduced.point(self.own(z))

    def own(self, z: FloatArray) -> FloatArray:
        """The scaled variables of the reduction."""
        return z[: len(self.reduced.columns)]

    def objective(self, z: FloatArray, scaled: float) -> float:
        """The objective in SI: the solver's number, freed from the tolerance of the row that holds
        a nonlinear one.
        """
        told = self.reduced.objective(scaled)
        if self.curved_goal is None:
            return told
        exact = self.instance.objective(self.point(z))
        apart = (exact - told) * self.reduced.objective_factor
        close = abs(apart) <= BOUNDING_TOLERANCE * max(1.0, abs(scaled))
        return exact if close or self.penalties else told

    def started_at(self, x: FloatArray) -> FloatArray:
        """All columns at a point of the instance in SI; nan where nothing is known."""
        own = self.reduced.started_at(x)
        z = np.concatenate([own, np.full(len(self.added), np.nan)])
        for place, tree in enumerate(self.added):  # each is made of those before it
            z[len(own) + place] = value(tree, z)
        return z

    def without_objective(self) -> "TreeProgram":
        """The same, where any point will do."""
        return replace(self, goal=no_terms(1), curved_goal=None, penalties=False)

    def without(self, families: Sequence[str]) -> "TreeProgram":
        """The same without an objective and the nonlinear rows of some families."""
        kept = ~np.isin(self.flat.family, list(families))
        curved = tuple(row for row in self.curved if row.family not in families)
        return replace(self.without_objective(), flat=self.flat.chosen(kept), curved=curved)
