"""What every player's objective changes with the player's own columns, and how that changes.

The objectives of a family of players are evaluated as jets, all players at once; of their
derivatives those are kept that the first-order conditions hold: by a column that is the player's
own, and from there by every column. An objective of degree two or less bends the same everywhere,
so its second derivatives are found once.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mecdsl.instances.algebra import Jets
from mecdsl.instances.instance import Instance
from mecdsl.instances.jets import Jet
from mecdsl.instances.players import PlayerFamily, game_of
from mecdsl.instances.sparse_rows import Pattern
from mecdsl.instances.tables import FloatArray, IntArray
from mecdsl.model.classes import Degree


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Kept:
    """Entries of a family's derivatives by own columns, and the positions of these.

    `slopes`: int64[kept], which entries of the gradients; `column`: where they belong. `first`,
    `second`: which entries of the Hessians have an own column first, and second; the other columns
    are beside them. `sign`: of the family. `constant`: second derivatives that never change.
    """

    family: PlayerFamily
    slopes: IntArray
    column: IntArray
    first: IntArray
    second: IntArray
    constant: FloatArray | None

    def curvatures(self, jet: Jet) -> FloatArray:
        """Second derivatives by an own column and another, float64[first and second]."""
        assert jet.hessian is not None
        values = self.family.sign * jet.hessian.values
        return np.concatenate([values[self.first], values[self.second]])


class OwnSlopes:
    """Derivatives of the players' objectives, each in the sense that less is better, in SI.

    `columns`: int64[n], the free columns of the instance. `row`, `column`: int64[entries],
    positions in 0..n-1 of the second derivatives, of the slope `row` by `column`.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.columns: IntArray = np.flatnonzero(instance.free).astype(np.int64)
        self._position = np.full(instance.columns, -1, dtype=np.int64)
        self._position[self.columns] = np.arange(len(self.columns))
        first, second = [np.zeros(0, dtype=np.int64)], [np.zeros(0, dtype=np.int64)]
        self._families: list[_Kept] = []
        for family in game_of(instance).families:
            kept, rows, columns = self._kept(family)
            self._families.append(kept)
            first.append(rows)
            second.append(columns)
        self._pattern = Pattern.of(np.concatenate(first), np.concatenate(second))
        self.row, self.column = self._pattern.first, self._pattern.second

    def slopes(self, x: FloatArray) -> FloatArray:
        """float64[n]: the slope of its owner's objective by every free column, at x of all."""
        result = np.zeros(len(self.columns))
        for kept in self._families:
            values = self._jet(kept.family, x, 1).gradient.values[kept.slopes]
            signed = kept.family.sign * values
            result += np.bincount(kept.column, weights=signed, minlength=len(result))
        return result

    def curvatures(self, x: FloatArray) -> FloatArray:
        """float64[entries]: the second derivatives at their positions, at x of all columns."""
        parts = [np.zeros(0)]
        for kept in self._families:
            known = kept.constant
            parts.append(kept.curvatures(self._jet(kept.family, x, 2)) if known is None else known)
        return self._pattern.add_up(np.concatenate(parts))

    def _jet(self, family: PlayerFamily, x: FloatArray, order: int) -> Jet:
        evaluator = self.instance.evaluator(Jets(x, order, self.instance.free))
        with np.errstate(all="ignore"):
            value = evaluator.family(family.players.value, family.table)
        if isinstance(value, Jet):
            return value
        return Jet.constant(np.broadcast_to(np.asarray(value, np.float64), family.size), order)

    def _kept(self, family: PlayerFamily) -> tuple[_Kept, IntArray, IntArray]:
        """What is kept of a family, and the positions of its second derivatives."""
        owner = game_of(self.instance).owner
        jet = self._jet(family, self.instance.first_point(), 2)
        assert jet.hessian is not None
        by = jet.gradient.columns[0]
        slopes = np.flatnonzero(owner[by] == family.first + jet.gradient.rows)
        one, other = jet.hessian.columns
        player = family.first + jet.hessian.rows
        first = np.flatnonzero(owner[one] == player)
        mirrored: NDArray[np.bool_] = (owner[other] == player) & (one != other)
        second = np.flatnonzero(mirrored)
        shape = self.instance.checked.shapes.shape(family.players.value)
        kept = _Kept(
            family=family,
            slopes=slopes,
            column=self._position[by[slopes]],
            first=first,
            second=second,
            constant=None,
        )
        if shape.degree <= Degree.QUADRATIC:
            kept = replace(kept, constant=kept.curvatures(jet))
        rows = np.concatenate([one[first], other[second]])
        columns = np.concatenate([other[first], one[second]])
        return kept, self._position[rows], self._position[columns]
