"""Which part of an expression is to blame where it is not proven convex or concave, and why.

The expression is gone through once more, with the curves of its parts as the proof found them; one
that is not remembered is found again where it is asked for. The part to blame is the smallest one
that bends in no known way, or the other way than is needed, of operands that do bend in a known
way.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import Enum
from typing import Any

import numpy as np

from mecdsl.analysis.propagation.expressions import Place
from mecdsl.analysis.propagation.ranges import Range
from mecdsl.convexity import algebra
from mecdsl.convexity.algebra import (
    CurvatureEvaluator,
    Curvatures,
    Remembered,
    product_of_segments,
)
from mecdsl.convexity.blamed import (
    DOMAIN,
    NOBODY,
    Blamed,
    call,
    lifted,
    nobody,
    number,
    proven,
)
from mecdsl.instances.algebra import Algebra
from mecdsl.instances.evaluate import World
from mecdsl.instances.tables import IntArray, Table
from mecdsl.model import symbolic as sym

EXPLAINED = (sym.Operation, sym.Function, sym.Aggregate)


class Cause(Enum):
    """What is wrong with the part to blame."""

    CONVEX = "it is convex"
    CONCAVE = "it is concave"
    DOMAIN = "its argument may leave the domain"
    UNKNOWN = "no rule"


class Explanations(Algebra):
    """The algebra of curvature on a box, with who is to blame."""

    def __init__(self, curves: Curvatures) -> None:
        self.curves = curves

    def variables(self, columns: IntArray) -> Blamed:
        return proven(self.curves.variables(columns))

    def segment_sum(self, value: Any, parent: IntArray, size: int) -> Blamed:
        family = lifted(value, len(parent))
        return Blamed(
            _first(family, parent, size),
            lambda: self.curves.segment_sum(family.curve, parent, size),
        )

    def segment_prod(self, value: Any, parent: IntArray, size: int) -> Blamed:
        return product_of_segments(lifted(value, len(parent)), number(1.0, size), parent, merge)

    def segment_extreme(self, name: str, value: Any, parent: IntArray, size: int) -> Blamed:
        family = lifted(value, len(parent))
        why = _first(family, parent, size)
        why[:, 1 if name == "max" else 0] = NOBODY  # it bends the other way whatever its rows do
        return Blamed(why, lambda: self.curves.segment_extreme(name, family.curve, parent, size))

    def merge(self, size: int, parts: Sequence[tuple[IntArray, Any]]) -> Blamed:
        return merge(size, parts)

    def call(self, name: str, arguments: Sequence[Any]) -> Blamed:
        return call(name, arguments)


def merge(size: int, parts: Sequence[tuple[IntArray, Any]]) -> Blamed:
    """One family out of parts."""
    families = [(rows, lifted(value, len(rows))) for rows, value in parts]
    why = nobody(size)
    for rows, family in families:
        why[rows] = family.why
    return Blamed(
        why, lambda: algebra.merge(size, [(rows, family.curve) for rows, family in families])
    )


def _first(family: Blamed, parent: IntArray, size: int) -> IntArray:
    """Who is to blame in the first row of each segment that is not proven."""
    why = nobody(size)
    for column, flag in enumerate(family.proven.T):
        rows = np.flatnonzero(~flag)[::-1]
        why[parent[rows], column] = family.why[rows, column]
    return why


class Blame(CurvatureEvaluator):
    """Evaluates what is not proven; `blamed[number]` is the part that `Blamed.why` counts, and what
    is wrong with it. `curves`, `parts`, `remembered`: those of the proof.
    """

    def __init__(
        self,
        world: World,
        curves: Curvatures,
        parts: Mapping[Place, Range],
        remembered: Remembered,
    ) -> None:
        super().__init__(world, Explanations(curves), parts)
        self.known = remembered.curves
        self.blamed: list[tuple[sym.Expression, Cause]] = []
        self.numbers: dict[tuple[int, Cause], int] = {}

    def value(self, expression: sym.Expression, table: Table) -> Any:
        """The value of an expression, with this part blamed where it is the smallest that bends
        wrongly.
        """
        place = self.places.of(expression, table)
        known = self.known.get(place)
        if known is not None and known.bend.affine.all():
            return proven(known)  # nobody inside is to blame
        found = super().value(expression, table)
        if not isinstance(found, Blamed):
            return found
        part = Blamed(
            found.why, lambda: self.within_rows(found.curve, place) if known is None else known
        )
        return self._explained(part, expression) if isinstance(expression, EXPLAINED) else part

    def _explained(self, found: Blamed, expression: sym.Expression) -> Blamed:
        """With this part blamed in the rows that nobody is blamed for."""
        open_rows = ~found.proven & (found.why < 0)
        if not open_rows.any():
            return found
        why, other = found.why.copy(), found.proven[:, ::-1]
        bent = np.broadcast_to((False, True), why.shape)  # convex where concave is needed
        for cause, rows in (
            (Cause.CONCAVE, other & ~bent),
            (Cause.CONVEX, other & bent),
            (Cause.DOMAIN, ~other & (why == DOMAIN)),
            (Cause.UNKNOWN, ~other & (why != DOMAIN)),
        ):
            if (open_rows & rows).any():
                why[open_rows & rows] = self._number(expression, cause)
        return replace(found, why=why)

    def _number(self, expression: sym.Expression, cause: Cause) -> int:
        number = self.numbers.setdefault((id(expression), cause), len(self.blamed))
        if number == len(self.blamed):
            self.blamed.append((expression, cause))
        return number

    def of(self, found: Any, row: int, column: int) -> tuple[sym.Expression, Cause] | None:
        """The part to blame for a row of a value that is not convex (`column` 0) or concave (1);
        None where nothing inside bends wrongly, but an infinite constant is taken off it.
        """
        assert isinstance(found, Blamed), "numbers bend no way"
        place = int(found.why[row, column])
        return self.blamed[place] if place >= 0 else None
