"""Counterexamples to convexity: two points between which a function lies above its chord.

Segments are drawn in the box of the feasible points (`mecdsl.convexity.convexity.box`) and count
where both ends and the middle keep every row (`mecdsl.convexity.points`). The middle is
compared with the mean of the ends, and a difference counts only if it is far above the rounding of
the terms involved. What is not found proves nothing: this module never calls anything convex.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mecdsl.analysis.magnitude import Magnitudes, size_of, value_of
from mecdsl.analysis.scaling import Slopes, reference_point
from mecdsl.convexity.convexity import WANTED, box
from mecdsl.convexity.points import Feasible
from mecdsl.convexity.sample_algebra import Sample, Samples
from mecdsl.instances.facts import fact
from mecdsl.instances.instance import ConstraintFamily, Instance, difference
from mecdsl.instances.jets import Jet
from mecdsl.instances.tables import FloatArray

SEGMENTS: Final = 1000
LARGEST: Final = 500_000  # rows and columns times segments; larger families get fewer segments
FEWEST: Final = 5
AT_FIRST: Final = 50  # segments at once; a walk through a small model costs as much as a hundred
GROWTH: Final = 4
SIGNIFICANT: Final = 1e-9  # of the size of the terms; below it a difference may be rounding
NEARER: Final = (1.0, 0.3, 0.1, 0.01, 0.001)  # shares of the way from the anchor to a drawn point
CANDIDATES: Final = 20  # suspicious rows and segments that are looked at exactly


@dataclass(frozen=True, slots=True)
class Counterexample:
    """Two points, and the one between them where the function is on the wrong side of its chord.

    `first`, `second`: values in SI of the variables that differ and occur, by name; `middle` and
    `chord`: the function (`left - right` of the row `member`, or the objective) half-way and the
    mean of its values at the ends.
    """

    member: str
    first: Mapping[str, float]
    second: Mapping[str, float]
    middle: float
    chord: float


def refute(
    instance: Instance, family: ConstraintFamily | None, segments: int = SEGMENTS, seed: int = 0
) -> Counterexample | None:
    """A counterexample to what makes the family (None: the objective) convex, if one is found in
    `segments` draws.

    That is convexity of `left - right` for `<=` and of an objective to minimise, concavity for `>=`
    and to maximise, both for `==`.
    """
    size = family.size if family is not None else 1
    if not size or not instance.free.any():
        return None
    segments = max(FEWEST, min(segments, LARGEST // (instance.rows + 1 + instance.columns)))
    generator = np.random.default_rng(seed)
    low, high = _finite_box(instance)
    feasible = Feasible.of(instance, low, high, family)
    anchor = anchor_of(instance, feasible.exempt) if instance.rows else None
    for count in _portions(segments):
        one, two = _segments(generator, instance, low, high, count)
        if anchor is not None:
            near = generator.choice(NEARER, (len(one), 1))
            one, two = anchor + near * (one - anchor), anchor + near * (two - anchor)
        one, two = feasible.moved(one), feasible.moved(two)
        points = np.concatenate([one, two, 0.5 * (one + two)])
        counts = feasible.kept(points).reshape(3, count).all(axis=0)
        found = _search(instance, family, one[counts], two[counts]) if counts.any() else None
        if found is not None:
            return found
    return None


def _portions(segments: int) -> Iterator[int]:
    """How many segments are looked at together: few at first, where most counterexamples are found,
    then more and more.
    """
    portion = AT_FIRST
    while segments > 0:
        yield min(portion, segments)
        segments -= portion
        portion *= GROWTH


@fact
def anchor_of(instance: Instance, exempt: ConstraintFamily | None) -> FloatArray | None:
    """The anchor of the feasible set without an equality (`mecdsl.convexity.points`)."""
    low, high = _finite_box(instance)
    return Feasible.of(instance, low, high, exempt).anchor()


@fact
def _finite_box(instance: Instance) -> tuple[FloatArray, FloatArray]:
    """The box with ends in place of infinities: ten times as far as the reference point."""
    low, high = box(instance)
    reference = reference_point(instance)
    reach = 10.0 * np.maximum(np.abs(reference), 1e-300)
    reach = np.maximum(reach, 10.0 * np.where(np.isfinite(low), np.abs(low), 0.0))
    reach = np.maximum(reach, 10.0 * np.where(np.isfinite(high), np.abs(high), 0.0))
    low = np.where(np.isfinite(low), low, np.where(np.isfinite(high), high - reach, -reach))
    return low, np.where(np.isfinite(high), high, low + reach)


def _segments(
    generator: np.random.Generator,
    instance: Instance,
    low: FloatArray,
    high: FloatArray,
    count: int,
) -> tuple[FloatArray, FloatArray]:
    """Ends of segments, float64[count, columns], of five kinds in turn.

    Across the box; the same but short; with half of the columns at rest; with all but three at
    rest; and with all members of a variable moving up, down or not at all together, which sums over
    many members need.
    """
    shape = (count, len(low))
    width = high - low
    one = low + width * generator.random(shape)
    two = low + width * generator.random(shape)
    kind = np.arange(count)[:, None] % 5
    two = np.where(kind == 1, one + 0.05 * (two - one), two)
    two = np.where((kind == 2) & (generator.random(shape) < 0.5), one, two)
    moving = np.zeros(shape, dtype=bool)
    moving[np.arange(count)[:, None], generator.integers(len(low), size=(count, 3))] = True
    two = np.where((kind == 3) & ~moving, one, two)
    members = np.repeat(
        np.arange(len(instance.variables)), [family.size for family in instance.variables]
    )
    way = generator.integers(-1, 2, (count, len(instance.variables)))[:, members]
    together = one + way * generator.random((count, 1)) * np.where(way > 0, high - one, one - low)
    return one, np.where(kind == 4, together, two)


def _search(
    instance: Instance, family: ConstraintFamily | None, one: FloatArray, two: FloatArray
) -> Counterexample | None:
    count = len(one)
    middle = 0.5 * (one + two)
    values = _values(instance, family, Samples(np.concatenate([one, two, middle])))
    if not isinstance(values, Sample):
        return None
    with np.errstate(all="ignore"):
        chord = 0.5 * (values.value[:count] + values.value[count : 2 * count])
        rise = values.value[2 * count :] - chord
        scale = (
            np.abs(values.value[:count]) + np.abs(values.value[count : 2 * count]) + np.abs(chord)
        )
        excess = np.maximum.reduce([sign * rise for sign in _signs(instance, family)]) / np.maximum(
            scale, 1e-300
        )
    excess = np.where(np.isfinite(excess), excess, -np.inf)
    for place in np.argsort(-excess, axis=None)[:CANDIDATES]:
        segment, row = np.unravel_index(place, excess.shape)
        if excess[segment, row] <= SIGNIFICANT:
            return None
        found = _confirmed(instance, family, int(row), one[segment], two[segment])
        if found is not None:
            return found
    return None


def _signs(instance: Instance, family: ConstraintFamily | None) -> tuple[float, ...]:
    """1 where convexity is asked for, -1 for concavity."""
    if family is None:
        return (-1.0,) if instance.maximize else (1.0,)
    return tuple(
        sign for sign, wanted in zip((1.0, -1.0), WANTED[family.relation], strict=True) if wanted
    )


def _values(instance: Instance, family: ConstraintFamily | None, algebra: Any) -> Any:
    evaluator = instance.evaluator(algebra)
    if family is None:
        return instance.goal.value(evaluator)
    return difference(evaluator, family)


def _confirmed(
    instance: Instance, family: ConstraintFamily | None, row: int, one: FloatArray, two: FloatArray
) -> Counterexample | None:
    """The counterexample if the difference is more than rounding, with the variables that
    matter.
    """
    heights, sizes = _heights(instance, family, row, one, two)
    chord = 0.5 * (heights[0] + heights[1])
    rise = heights[2] - chord
    if not max(sign * rise for sign in _signs(instance, family)) > SIGNIFICANT * sum(sizes):
        return None
    columns = _columns(instance, family, row, one, two)
    names = [instance.column_name(int(column)) for column in columns]
    member = instance.row_name(family, row) if family is not None else instance.model.objective.name
    return Counterexample(
        member,
        dict(zip(names, one[columns].tolist(), strict=True)),
        dict(zip(names, two[columns].tolist(), strict=True)),
        heights[2],
        chord,
    )


def _heights(
    instance: Instance, family: ConstraintFamily | None, row: int, one: FloatArray, two: FloatArray
) -> tuple[list[float], list[float]]:
    """Values of one row at both ends and half-way, and the sizes of their terms."""
    values, sizes = [], []
    for point in (one, two, 0.5 * (one + two)):
        found = _values(instance, family, Magnitudes(point))
        values.append(float(np.atleast_1d(value_of(found))[row]))
        sizes.append(float(np.atleast_1d(size_of(found))[row]))
    return values, sizes


def _columns(
    instance: Instance, family: ConstraintFamily | None, row: int, one: FloatArray, two: FloatArray
) -> np.ndarray:
    """Free columns that differ and that the row depends on at one of the three points."""
    found = np.zeros(instance.columns, dtype=bool)
    for point in (one, two, 0.5 * (one + two)):
        slopes = _values(instance, family, Slopes(point, instance.free))
        if isinstance(slopes, Jet):
            found[slopes.gradient.columns[0][slopes.gradient.rows == row]] = True
    return np.flatnonzero(found & (one != two))
