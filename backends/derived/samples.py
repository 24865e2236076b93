"""What an instance is at a few points: objective and rows as values and slopes.

Values alone hide a term that is small beside the others of its row, a coefficient in a long sum for
instance. So every slope is looked at by itself, relative to its own size, and values only tell what
the constants are.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mecdsl.instances.algebra import Jets
from mecdsl.instances.facts import fact
from mecdsl.instances.instance import Instance, difference
from mecdsl.instances.jets import Jet
from mecdsl.instances.sparse_rows import Pattern
from mecdsl.instances.tables import FloatArray, IntArray
from mecdsl.model.classes import Classifier, Degree

SEED = 0
SPREAD = (-1.0, 0.5)  # decades around the size of a column
INSIDE = (0.05, 0.95)  # of the way between two bounds
NEGLIGIBLE = 1e-14  # of the terms of a row: rounding of terms that cancel


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """Stacked rows at P points: row 0 is the objective, row 1 + r is row r of the instance.

    `value`: float64[P, 1 + rows], left minus right. `terms`: the same shape, the size of what adds
    up in a row: its value and each slope times its column. `row`, `column`: positions of the slopes
    that count, row by row; `slope`: float64[P, entries], times the value of the column.
    """

    value: FloatArray
    terms: FloatArray
    row: IntArray
    column: IntArray
    slope: FloatArray


def random_points(instance: Instance, sizes: FloatArray) -> FloatArray:
    """Points strictly inside of the bounds, float64[3, columns]: around the given sizes, around one
    or anywhere between two bounds, and far above the sizes. A term that hides at one of them shows
    at another.
    """
    generator = np.random.default_rng(SEED)
    lower, upper = instance.lower, instance.upper
    boxed = np.isfinite(lower) & np.isfinite(upper)
    points = []
    for size, anywhere in ((sizes, False), (np.ones(len(sizes)), True), (30.0 * sizes, False)):
        with np.errstate(invalid="ignore"):  # of an open end, where it is not used
            between = lower + generator.uniform(*INSIDE, len(sizes)) * (upper - lower)
        step = size * 10.0 ** generator.uniform(*SPREAD, len(sizes))
        above = np.where(np.isfinite(lower), lower, 0.0) + step
        beside = np.where(np.isfinite(upper) & ~np.isfinite(lower), upper - step, above)
        points.append(np.where(boxed & (anywhere | (beside >= upper)), between, beside))
    return np.array(points)


def start_sizes(instance: Instance) -> FloatArray:
    """The sizes of the columns by their start values; 1 where there is none."""
    start = np.abs(instance.start)
    return np.where(np.isfinite(start) & (start > 0.0), start, 1.0)


def sample(instance: Instance, points: FloatArray, place: IntArray) -> Sample:
    """The rows of an instance at points in its own columns, fixed ones included; `place`: what each
    of its columns is called in the sample.
    """
    found = [_jets(instance, x) for x in points]
    offsets = [0, *(1 + family.first for family in instance.constraints)]
    pattern, entries = _entries(found, offsets, place)
    at = np.empty_like(points)
    at[:, place] = points
    slope = np.array([pattern.add_up(own) for own in entries])
    with np.errstate(all="ignore"):
        slope *= at[:, pattern.second]
        value = np.array([np.concatenate([jet.value for jet in jets]) for jets in found])
        terms = np.abs(value) + np.array(
            [np.bincount(pattern.first, np.abs(part), value.shape[1]) for part in slope]
        )
        counts = ~(np.abs(slope) <= NEGLIGIBLE * terms[:, pattern.first]).all(axis=0)
    return Sample(value, terms, pattern.first[counts], pattern.second[counts], slope[:, counts])


def _entries(
    found: list[list[Jet]], offsets: list[int], place: IntArray
) -> tuple[Pattern, list[FloatArray]]:
    """Where slopes are at any of the points, and at each what its pattern adds up; `max` and its
    like have other ones at other points.
    """
    rows, columns, values = list[IntArray](), list[IntArray](), list[FloatArray]()
    for jets in found:
        gradients = [jet.gradient for jet in jets]
        stacked = [at + own.rows for at, own in zip(offsets, gradients, strict=True)]
        rows.append(np.concatenate(stacked))
        columns.append(np.concatenate([own.columns[0] for own in gradients]))
        values.append(np.concatenate([own.values for own in gradients]))
    same = [
        np.array_equal(rows[0], r) and np.array_equal(columns[0], c)
        for r, c in zip(rows, columns, strict=True)
    ]
    if all(same):
        return Pattern.of(rows[0], place[columns[0]]), values
    ends = np.cumsum([len(own) for own in values])
    padded = []
    for end, own in zip(ends, values, strict=True):
        padded.append(np.zeros(ends[-1]))
        padded[-1][end - len(own) : end] = own
    return Pattern.of(np.concatenate(rows), place[np.concatenate(columns)]), padded


@fact
def degrees(instance: Instance) -> NDArray[np.int64]:
    """How each stacked row depends on the columns, fixed ones included: as a `Degree`, where what
    is quadratic at most counts as that.
    """
    model = instance.model
    shapes = Classifier(replace(model, fixes=())) if model.fixes else instance.checked.shapes
    found = [np.array([int(shapes.shape(model.objective.value).degree)])]
    found += [
        np.full(family.size, int(shapes.constraint(family.constraint).degree))
        for family in instance.constraints
    ]
    curved: NDArray[np.int64] = np.maximum(np.concatenate(found), int(Degree.QUADRATIC))
    return curved


def _jets(instance: Instance, x: FloatArray) -> list[Jet]:
    """Objective and families with the slopes in all columns."""
    evaluator = instance.evaluator(Jets(x, 1, np.ones(instance.columns, dtype=np.bool_)))
    with np.errstate(all="ignore"):  # an edited row may be no number here, and is refused for it
        values = [instance.goal.value(evaluator)]
        values += [difference(evaluator, family) for family in instance.constraints]
    return [
        value if isinstance(value, Jet) else Jet.constant(np.asarray(value, dtype=np.float64), 1)
        for value in values
    ]
