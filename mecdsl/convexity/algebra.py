"""The evaluator's algebra of curvature, and the evaluator that remembers which part of a model is
to blame.

One evaluation of an expression over its table gives a `Curve` for all rows at once; definitions are
followed, data are numbers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from enum import Enum
from typing import Any

import numpy as np

from mecdsl.analysis.propagation.expressions import Place, Places
from mecdsl.analysis.propagation.ranges import Range
from mecdsl.convexity import functions
from mecdsl.convexity.curvature import DOMAIN, Curve, multiplied, number, settled, unblamed
from mecdsl.convexity.parts import PROBES, Bend, Ends, Flags, Ratio, proportion
from mecdsl.instances.algebra import Algebra
from mecdsl.instances.evaluate import Evaluator, World
from mecdsl.instances.tables import EXPLORED, FloatArray, IntArray, Table
from mecdsl.model import symbolic as sym

EXPLAINED = (sym.Operation, sym.Function, sym.Aggregate)


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
                ends=Ends(low, high),
                bend=bend,
                log=log,
                root=nothing,
                probe=probe,
                why=unblamed(size),
            )
        )

    def segment_sum(self, value: Any, parent: IntArray, size: int) -> Curve:
        """Flags that hold in every row of a segment; the sum of none is 0."""
        curve = value if isinstance(value, Curve) else number(value, len(parent))
        if len(parent) == size and np.array_equal(parent, np.arange(size)):
            return curve
        with np.errstate(all="ignore"):
            ends = Ends(_sums(curve.ends.low, parent, size), _sums(curve.ends.high, parent, size))
            probe = np.column_stack([_sums(column, parent, size) for column in curve.probe.T])
        nothing = np.zeros(size, dtype=bool)
        found = Curve(
            ends=ends,
            bend=_all_of(curve.bend, parent, size),
            log=Bend(_all(curve.log.convex, parent, size), nothing),
            root=_all(curve.root, parent, size),
            probe=probe,
            why=_first_why(curve, parent, size),
            monomial=None,
            ratios=tuple(_ratio_sum(ratio, parent, size) for ratio in curve.ratios),
        )
        return settled(found)

    def segment_prod(self, value: Any, parent: IntArray, size: int) -> Curve:
        """One product for each position within a segment; a segment that is shorter takes ones."""
        curve = value if isinstance(value, Curve) else number(value, len(parent))
        ordered = np.argsort(parent, kind="stable")
        counts = np.bincount(parent, minlength=size)
        first = np.cumsum(counts) - counts
        padded = merge(
            curve.size + 1, [(np.arange(curve.size), curve), (np.array([curve.size]), 1.0)]
        )
        result = number(1.0, size)
        for position in range(int(counts.max(initial=0))):
            there = counts > position
            rows = np.full(size, curve.size, dtype=np.int64)
            rows[there] = ordered[first[there] + position]
            result = multiplied(result, padded[rows])
        return result

    def segment_extreme(self, name: str, value: Any, parent: IntArray, size: int) -> Curve:
        curve = value if isinstance(value, Curve) else number(value, len(parent))
        function, start = (np.minimum, np.inf) if name == "min" else (np.maximum, -np.inf)
        low, high = np.full(size, start), np.full(size, start)
        function.at(low, parent, curve.ends.low)
        function.at(high, parent, curve.ends.high)
        bend, log = _all_of(curve.bend, parent, size), _all_of(curve.log, parent, size)
        nothing = np.zeros(size, dtype=bool)
        greatest = name == "max"
        alone = np.bincount(parent, minlength=size) == 1
        found = Curve(
            ends=Ends(low, high),
            bend=Bend(bend.convex & (greatest | alone), bend.concave & (alone | (not greatest))),
            log=Bend(log.convex, nothing) if greatest else Bend(nothing, log.concave),
            root=_all(curve.root, parent, size) & greatest,
            probe=np.full((size, PROBES + 1), np.nan),
            why=_first_why(curve, parent, size),
        )
        why = found.why.copy()
        why[:, 1 if greatest else 0] = np.where(
            found.bend.affine, why[:, 1 if greatest else 0], unblamed(size)[:, 0]
        )
        return settled(replace(found, why=why))

    def merge(self, size: int, parts: Sequence[tuple[IntArray, Any]]) -> Curve:
        return merge(size, parts)

    def call(self, name: str, arguments: Sequence[Any]) -> Curve:
        return functions.call(name, arguments)


def merge(size: int, parts: Sequence[tuple[IntArray, Any]]) -> Curve:
    """One family out of parts; what the branches have in structure is dropped, their flags stay."""
    curves = [
        (rows, value if isinstance(value, Curve) else number(value, len(rows)))
        for rows, value in parts
    ]
    low, high = np.zeros(size), np.zeros(size)
    flags = np.zeros((5, size), dtype=bool)
    probe = np.full((size, PROBES + 1), np.nan)
    why = unblamed(size)
    for rows, curve in curves:
        low[rows], high[rows] = curve.ends.low, curve.ends.high
        found = (
            curve.bend.convex,
            curve.bend.concave,
            curve.log.convex,
            curve.log.concave,
            curve.root,
        )
        for flag, values in zip(flags, found, strict=True):
            flag[rows] = values
        probe[rows], why[rows] = curve.probe, curve.why
    return Curve(
        ends=Ends(low, high),
        bend=Bend(flags[0], flags[1]),
        log=Bend(flags[2], flags[3]),
        root=flags[4],
        probe=probe,
        why=why,
    )


def _sums(values: FloatArray, parent: IntArray, size: int) -> FloatArray:
    return np.bincount(parent, weights=values, minlength=size).astype(np.float64)


def _all(flags: Flags, parent: IntArray, size: int) -> Flags:
    return np.asarray(np.bincount(parent[~flags], minlength=size) == 0)


def _all_of(bend: Bend, parent: IntArray, size: int) -> Bend:
    return Bend(_all(bend.convex, parent, size), _all(bend.concave, parent, size))


def _first_why(curve: Curve, parent: IntArray, size: int) -> IntArray:
    """Who is to blame in the first row of each segment that is not proven."""
    why = unblamed(size)
    for column, flag in ((0, curve.bend.convex), (1, curve.bend.concave)):
        rows = np.flatnonzero(~flag)[::-1]
        why[parent[rows], column] = curve.why[rows, column]
    return why


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
    affine = ~np.isnan(found.probe).any(axis=1)
    inside = found.ends.inside(Ends(known.low, known.high))
    low, high = (
        np.where(affine, one, two)
        for one, two in ((inside.low, found.ends.low), (inside.high, found.ends.high))
    )
    return settled(replace(found, ends=Ends(low, high)))


class Cause(Enum):
    """What is wrong with the part to blame."""

    CONVEX = "it is convex"
    CONCAVE = "it is concave"
    DOMAIN = "its argument may leave the domain"
    UNKNOWN = "no rule"


class CurvatureEvaluator(Evaluator):
    """Curves of expressions; `blamed[number]` is the part that `Curve.why` counts, and what is
    wrong with it.

    `parts`: ranges that the rows leave to parts of expressions. They are used of affine parts
    alone: within them lies a convex set that holds every feasible point, and a proof on a convex
    set is what convexity needs.
    """

    most = EXPLORED

    def __init__(
        self, world: World, algebra: Curvatures, parts: Mapping[Place, Range] | None = None
    ) -> None:
        super().__init__(world, algebra)
        self.parts: Mapping[Place, Range] = parts or {}
        self.places = Places()
        self.blamed: list[tuple[sym.Expression, Cause]] = []
        self.numbers: dict[tuple[int, Cause], int] = {}

    def value(self, expression: sym.Expression, table: Table) -> Any:
        """The value of an expression, with this part blamed where it is the innermost that bends
        wrongly.
        """
        found = super().value(expression, table)
        if not isinstance(found, Curve):
            return found
        found = self._within_rows(found, expression, table)
        if not isinstance(expression, EXPLAINED):
            return found

        def blame(before: IntArray, other: Flags, column: int) -> IntArray:
            bent = self._number(expression, Cause.CONCAVE if column == 0 else Cause.CONVEX)
            lost = self._number(expression, Cause.DOMAIN)
            return np.where(
                other,
                bent,
                np.where(before == DOMAIN, lost, self._number(expression, Cause.UNKNOWN)),
            )

        return found.explained(blame)

    def _within_rows(self, found: Curve, expression: sym.Expression, table: Table) -> Curve:
        """With the range that the rows leave to this part, where it is affine."""
        known = self.parts.get(self.places.of(expression, table)) if self.parts else None
        return found if known is None else within(found, known)

    def _number(self, expression: sym.Expression, cause: Cause) -> int:
        key = (id(expression), cause)
        if key not in self.numbers:
            self.numbers[key] = len(self.blamed)
            self.blamed.append((expression, cause))
        return self.numbers[key]
