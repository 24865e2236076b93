"""The evaluator's algebra of curvature, and the evaluator that knows what the rows leave to parts.

One evaluation of an expression over its table gives a `Curve` for all rows at once; definitions are
followed, data are numbers.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeVar

import numpy as np

from mecdsl.analysis.propagation.expressions import Place, Places
from mecdsl.analysis.propagation.ranges import Flags, Range, chosen
from mecdsl.analysis.propagation.segments import Greatest, Merged, Summed
from mecdsl.convexity import functions
from mecdsl.convexity.curvature import Curve, number, settled
from mecdsl.convexity.operators import Operators
from mecdsl.convexity.parts import PROBES, ROUNDING, Bend, Ratio, inside, proportion
from mecdsl.instances.algebra import Algebra
from mecdsl.instances.evaluate import Evaluator, World
from mecdsl.instances.tables import EXPLORED, FloatArray, IntArray, Table
from mecdsl.model import symbolic as sym

MOST_ROWS: Final = 100_000  # of curves that are remembered, some 200 bytes each


class Curvatures(Algebra):
    """Curves on the box `lower` to `upper`, float64[columns]; a column without width is a
    number.
    """

    def __init__(self, lower: FloatArray, upper: FloatArray) -> None:
        self.lower, self.upper = lower, upper
        generator = np.random.default_rng(20_06)
        with np.errstate(all="ignore"):
            width = upper - lower
        known = np.where(
            np.isfinite(lower), np.abs(lower), np.where(np.isfinite(upper), np.abs(upper), 0.0)
        )
        self.width = np.where(np.isfinite(width), width, np.maximum(1.0, known))
        shape = (len(lower), PROBES)
        signs = np.where(generator.random(shape) < 0.5, -1.0, 1.0)
        with np.errstate(over="ignore"):  # a step that leaves the range of doubles probes nothing
            self.directions = signs * generator.uniform(0.5, 2.0, shape) * self.width[:, None]

    def variables(self, columns: IntArray) -> Curve:
        size = len(columns)
        low, high = self.lower[columns], self.upper[columns]
        fixed = low == high
        probe = np.zeros((size, PROBES + 1))
        probe[:, :PROBES] = self.directions[columns]
        probe[:, PROBES] = np.where(fixed, low, 0.0)
        nothing = np.zeros(size, dtype=bool)
        bend = Bend.everywhere(size, True)
        log = Bend(fixed & (low >= 0.0), nothing)
        return settled(
            Curve(
                ends=Range(low, high),
                bend=bend,
                log=log,
                root=nothing,
                probe=probe,
            )
        )

    def segment_sum(self, value: Any, parent: IntArray, size: int) -> Curve:
        """Flags that hold in every row of a segment; the sum of none is 0."""
        curve = lifted(value, len(parent))
        if len(parent) == size and np.array_equal(parent, np.arange(size)):
            return curve
        with np.errstate(all="ignore"):
            ends = Summed(size, False, (), parent).forward((curve.ends,), ROUNDING)
            probe = np.column_stack([_sums(column, parent, size) for column in curve.probe.T])
        nothing = np.zeros(size, dtype=bool)
        found = Curve(
            ends=ends,
            bend=_all_of(curve.bend, parent, size),
            log=Bend(_all(curve.log.convex, parent, size), nothing),
            root=_all(curve.root, parent, size),
            probe=probe,
            monomial=None,
            ratios=tuple(_ratio_sum(ratio, parent, size) for ratio in curve.ratios),
        )
        return settled(found)

    def segment_prod(self, value: Any, parent: IntArray, size: int) -> Curve:
        return product_of_segments(lifted(value, len(parent)), number(1.0, size), parent, merge)

    def segment_extreme(self, name: str, value: Any, parent: IntArray, size: int) -> Curve:
        curve = lifted(value, len(parent))
        greatest = name == "max"
        turned = curve.ends if greatest else -curve.ends
        ends = Greatest(size, False, (), parent).forward((turned,), ROUNDING)
        bend, log = _all_of(curve.bend, parent, size), _all_of(curve.log, parent, size)
        nothing = np.zeros(size, dtype=bool)
        alone = np.bincount(parent, minlength=size) == 1
        found = Curve(
            ends=ends if greatest else -ends,
            bend=Bend(bend.convex & (greatest | alone), bend.concave & (alone | (not greatest))),
            log=Bend(log.convex, nothing) if greatest else Bend(nothing, log.concave),
            root=_all(curve.root, parent, size) & greatest,
            probe=np.full((size, PROBES + 1), np.nan),
        )
        return settled(found)

    def merge(self, size: int, parts: Sequence[tuple[IntArray, Any]]) -> Curve:
        return merge(size, parts)

    def call(self, name: str, arguments: Sequence[Any]) -> Curve:
        return functions.call(name, arguments)


Family = TypeVar("Family", bound=Operators)


def product_of_segments(
    family: Family, ones: Family, parent: IntArray, merged: Callable[..., Family]
) -> Family:
    """One product for each position within a segment; a segment that is shorter takes ones."""
    size = ones.size
    ordered = np.argsort(parent, kind="stable")
    counts = np.bincount(parent, minlength=size)
    first = np.cumsum(counts) - counts
    padded = merged(
        family.size + 1, [(np.arange(family.size), family), (np.array([family.size]), 1.0)]
    )
    result = ones
    for position in range(int(counts.max(initial=0))):
        there = counts > position
        rows = np.full(size, family.size, dtype=np.int64)
        rows[there] = ordered[first[there] + position]
        result = result.times(padded[rows])
    return result


def lifted(value: Any, size: int) -> Curve:
    """A family as it is, numbers as constant functions."""
    return value if isinstance(value, Curve) else number(value, size)


def merge(size: int, parts: Sequence[tuple[IntArray, Any]]) -> Curve:
    """One family out of parts; what the branches have in structure is dropped, their flags stay."""
    curves = [(rows, lifted(value, len(rows))) for rows, value in parts]
    flags = np.zeros((5, size), dtype=bool)
    probe = np.full((size, PROBES + 1), np.nan)
    for rows, curve in curves:
        found = (
            curve.bend.convex,
            curve.bend.concave,
            curve.log.convex,
            curve.log.concave,
            curve.root,
        )
        for flag, values in zip(flags, found, strict=True):
            flag[rows] = values
        probe[rows] = curve.probe
    merged = Merged(size, False, (), tuple(rows for rows, _ in curves))
    return Curve(
        ends=merged.forward([curve.ends for _, curve in curves], ROUNDING),
        bend=Bend(flags[0], flags[1]),
        log=Bend(flags[2], flags[3]),
        root=flags[4],
        probe=probe,
    )


def _sums(values: FloatArray, parent: IntArray, size: int) -> FloatArray:
    return np.bincount(parent, weights=values, minlength=size).astype(np.float64)


def _all(flags: Flags, parent: IntArray, size: int) -> Flags:
    return np.asarray(np.bincount(parent[~flags], minlength=size) == 0)


def _all_of(bend: Bend, parent: IntArray, size: int) -> Bend:
    return Bend(_all(bend.convex, parent, size), _all(bend.concave, parent, size))


def _ratio_sum(ratio: Ratio, parent: IntArray, size: int) -> Ratio:
    """Sums of functions of x/t and 1/t with the same t in every row of a segment."""
    first = np.zeros(size, dtype=np.int64)
    first[parent[::-1]] = np.arange(len(parent))[::-1]
    if not len(parent):
        return Ratio(np.full((size, PROBES + 1), np.nan), Bend.everywhere(size, False))
    same = ~np.isnan(proportion(ratio.probe[first][parent], ratio.probe))
    return Ratio(ratio.probe[first], _all_of(ratio.bend.where(same), parent, size))


def within(found: Curve, known: Range) -> Curve:
    """The rows with a range that is known of them, where they are affine."""
    if len(known.low) != found.size:
        return found
    affine = np.asarray(~np.isnan(found.probe).any(axis=1))
    if not affine.any():
        return found
    ends = chosen(affine, inside(found.ends, known), found.ends)
    return settled(replace(found, ends=ends))


class Remembered:
    """Curves of parts as they were found, while there is room: `MOST_ROWS` rows of all together."""

    def __init__(self) -> None:
        self.curves: dict[Place, Curve] = {}
        self.room = MOST_ROWS

    def keep(self, place: Place, curve: Curve) -> None:
        """Remember the curve of a part."""
        if curve.size <= self.room:
            self.room -= curve.size
            self.curves[place] = curve


class CurvatureEvaluator(Evaluator):
    """Curves of expressions.

    `parts`: ranges that the rows leave to parts of expressions. They are used of affine parts
    alone: within them lies a convex set that holds every feasible point, and a proof on a convex
    set is what convexity needs. `remembered`: where to keep what is found, for who asks again.
    """

    most = EXPLORED

    def __init__(
        self,
        world: World,
        algebra: Algebra,
        parts: Mapping[Place, Range] | None = None,
        remembered: Remembered | None = None,
    ) -> None:
        super().__init__(world, algebra)
        self.parts: Mapping[Place, Range] = parts or {}
        self.remembered = remembered
        self.places = Places()

    def value(self, expression: sym.Expression, table: Table) -> Any:
        """The value of an expression, with what the rows say of it."""
        found = super().value(expression, table)
        if not isinstance(found, Curve) or not (self.parts or self.remembered):
            return found
        place = self.places.of(expression, table)
        found = self.within_rows(found, place)
        if self.remembered:
            self.remembered.keep(place, found)
        return found

    def within_rows(self, found: Curve, place: Place) -> Curve:
        """With the range that the rows leave to the part at a place, where it is affine."""
        known = self.parts.get(place)
        return found if known is None else within(found, known)
