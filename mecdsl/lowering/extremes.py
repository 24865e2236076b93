"""`max`, `min` and `abs` as rows: one form where a larger value never helps, one with a binary for
every part.

With t for max(p_1, ..., p_n):

- where a larger value never helps, `t >= p_i` is exact: a solver may take t larger, and gains
  nothing;
- else `t <= p_i + M_i (1 - z_i)` with binaries z and `sum z = 1` keeps t from above, with M_i the
  largest value of any part less the smallest of this one, from the ranges of the parts: large
  enough by proof.

A minimum is the same upside down, and abs(p) the maximum of p and -p.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mecdsl.instances.evaluate import Evaluator
from mecdsl.instances.tables import FloatArray, IntArray
from mecdsl.lowering.draft import Draft, Meaning
from mecdsl.lowering.place import Place
from mecdsl.model import symbolic as sym
from mecdsl.model.relation import Relation
from mecdsl.reformulations.compose import ONE, add, multiply, negate, subtract

ROOM = 1e-6  # relative; M beyond the range it is computed from, far above rounding and harmless

LARGEST_END = 1e300  # SI; differences of larger ends, such as M, would leave the range of a double

# of the ends of the ranges; a smaller M may be rounding, and is a coefficient that solvers drop
SMALLEST_SHARE = 1e-3


@dataclass(frozen=True, slots=True, eq=False)
class Part:
    """One part of a maximum: an expression and where it stands, which is further inside for
    `max(... for i in I)`.

    `space`: the set that the part runs over inside the place of the maximum; empty for one of
    several parts. `parent`: the row of the maximum for each row of the part. `low`, `high`: its
    range on each row.
    """

    expression: sym.Expression
    place: Place
    space: sym.Space
    parent: IntArray
    low: FloatArray
    high: FloatArray

    @property
    def bounded(self) -> bool:
        """Whether its ends are finite on every row, and stay so when two of them are subtracted."""
        return bool(
            (np.abs(self.low) <= LARGEST_END).all() and (np.abs(self.high) <= LARGEST_END).all()
        )


@dataclass(frozen=True, slots=True, eq=False)
class Extreme:
    """A maximum (`sign` 1) or minimum (-1) of parts at a place; `whole`: as it is written."""

    whole: sym.Expression
    sign: int
    parts: tuple[Part, ...]
    place: Place

    @property
    def bounded(self) -> bool:
        """Whether every part is bounded."""
        return all(part.bounded for part in self.parts)

    def meaning(self, evaluator: Evaluator) -> FloatArray:
        """The value itself at a point."""
        return np.array(evaluator.family(self.whole, self.place.table), dtype=np.float64)


def parts_of(node: sym.Expression) -> tuple[int, Sequence[tuple[sym.Expression, sym.Space]]]:
    """1 for a maximum, -1 for a minimum, and its parts with the sets they run over."""
    match node:
        case sym.Function(name="abs", arguments=(argument,)):
            return 1, [(argument, sym.Space()), (negate(argument), sym.Space())]
        case sym.Function(name="max" | "min" as name, arguments=arguments):
            return (1 if name == "max" else -1), [(part, sym.Space()) for part in arguments]
        case sym.Aggregate(function="max" | "min" as name, body=body, space=space):
            return (1 if name == "max" else -1), [(body, space)]
        case _:
            raise TypeError(f"no maximum or minimum: {type(node).__name__}")


def undominated(extreme: Extreme) -> tuple[Part, ...]:
    """The parts without those that are nowhere the extreme one, by their ranges; of a tie one
    stays.
    """
    if len(extreme.parts) == 1:
        return extreme.parts
    sign, kept = extreme.sign, list(extreme.parts)
    for part in extreme.parts:
        best = part.high if sign > 0 else -part.low
        others = [other.low if sign > 0 else -other.high for other in kept if other is not part]
        if any(bool((best <= other).all()) for other in others):
            kept.remove(part)
    return tuple(kept)


def choose_part(
    draft: Draft, extreme: Extreme, name: str, new: sym.Lookup, lowered: Sequence[sym.Expression]
) -> None:
    """Rows by which a binary picks the part that the new variable does not pass; `lowered`: the
    parts in the twin.
    """
    sign, place = extreme.sign, extreme.place
    side = Relation.AT_MOST if sign > 0 else Relation.AT_LEAST
    total: sym.Expression | None = None
    taken: list[Part] = []
    for number, (part, inner) in enumerate(zip(extreme.parts, lowered, strict=True), 1):
        suffix = f"_{number}" if len(extreme.parts) > 1 else ""
        binary = draft.column(
            f"{name}_is{suffix}", part.place, None, _picked(extreme, part, tuple(taken))
        )
        taken.append(part)
        big = draft.data(f"{name}_m{suffix}", part.place, _big_m(extreme, part), extreme.whole)
        room = multiply(big, subtract(ONE, binary))
        right = add(inner, room) if sign > 0 else subtract(inner, room)
        draft.row(f"{name}.pick{suffix}", part.place, new, side, right)
        one = (
            sym.Aggregate("sum", binary, part.space, binary.span)
            if part.space.generators
            else binary
        )
        total = one if total is None else add(total, one)
    assert total is not None
    draft.row(f"{name}.one", place, total, Relation.EQUAL, ONE)


def _big_m(extreme: Extreme, part: Part) -> FloatArray:
    """How far the extreme value can be from this part, on every row of it."""
    sign = extreme.sign
    best = np.full(extreme.place.table.size, -np.inf)
    for other in extreme.parts:
        np.maximum.at(best, other.parent, other.high if sign > 0 else -other.low)
    own = part.low if sign > 0 else -part.high
    ends = best[part.parent]
    reach = ends - own
    least = SMALLEST_SHARE * np.maximum(np.abs(ends), np.abs(own))
    return np.where(reach > 0.0, np.maximum(reach, least) * (1.0 + ROOM), 0.0)


def _picked(extreme: Extreme, part: Part, earlier: Sequence[Part]) -> Meaning:
    """1 on the rows of a part where it is the first that has the extreme value; nan where that is
    not known.
    """

    def meaning(evaluator: Evaluator) -> FloatArray:
        whole = extreme.meaning(evaluator)
        hits = [_hits(other, whole, evaluator) for other in (*earlier, part)]
        done = np.zeros(extreme.place.table.size, dtype=bool)
        for other, hit in zip(earlier, hits[:-1], strict=True):
            done[other.parent[hit]] = True
        rows = np.flatnonzero(hits[-1] & ~done[part.parent])
        _, first = np.unique(part.parent[rows], return_index=True)
        result = np.where(np.isnan(whole), np.nan, 0.0)[part.parent]
        result[rows[first]] = 1.0
        return result

    return meaning


def _hits(part: Part, whole: FloatArray, evaluator: Evaluator) -> NDArray[np.bool_]:
    values = np.asarray(evaluator.family(part.expression, part.place.table), dtype=np.float64)
    return np.asarray(values == whole[part.parent])
