"""Points of the feasible set, or as near as they come: where a counterexample to convexity may be
looked for.

A function that bends wrongly only where a row is broken does not make the problem nonconvex: f/(c -
f) with f <= 0.999 c is convex, past f = c it is not. An anchor is sought that keeps the rows with
some room (Gauss-Newton steps on those it breaks), drawn points are drawn near to it by a random
share, and moved onto the linear equalities and into the box in turns. The rows say which of them
count.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np

from mecdsl.analysis.coefficients import constraint_coefficients
from mecdsl.analysis.magnitude import Magnitudes, size_of
from mecdsl.analysis.propagation.ranges import Flags
from mecdsl.analysis.scaling import Slopes, reference_point
from mecdsl.convexity.sample_algebra import Sample, Samples
from mecdsl.diagnostics import ModelError
from mecdsl.instances.instance import ConstraintFamily, Instance, difference
from mecdsl.instances.jets import Jet
from mecdsl.instances.tables import FloatArray, IntArray
from mecdsl.model.classes import Degree
from mecdsl.model.relation import Relation

KEPT: Final = 1e-9  # of both sides of a row
TURNS: Final = 30
ROOMS: Final = (0.1, 0.01, 0.0)  # of the terms of a row, tried one after the other
STEPS: Final = 12
STANDING: Final = 1e-9  # of the width of a column; a step that is less is none
LARGEST: Final = 1_000_000  # entries of the matrix of equalities; of a larger one no point is moved


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Feasible:
    """The rows that points are to keep, and the way onto the linear equalities among them.

    `equalities`, `right`: float64[rows, columns] and float64[rows], in units of the width of each
    column; `inverse`: their pseudo-inverse. `exempt`: an equality that is judged itself is not
    asked to hold where it bends.
    """

    instance: Instance
    low: FloatArray
    high: FloatArray
    exempt: ConstraintFamily | None
    equalities: FloatArray
    right: FloatArray
    inverse: FloatArray

    @classmethod
    def of(
        cls, instance: Instance, low: FloatArray, high: FloatArray, judged: ConstraintFamily | None
    ) -> "Feasible":
        """For points of the box; `judged`: the family whose convexity is in question."""
        matrix, right = _equalities(instance, high - low)
        exempt = judged if judged is not None and judged.relation is Relation.EQUAL else None
        return cls(
            instance=instance,
            low=low,
            high=high,
            exempt=exempt,
            equalities=matrix,
            right=right,
            inverse=np.asarray(np.linalg.pinv(matrix), dtype=np.float64)
            if len(matrix)
            else matrix.T,
        )

    def anchor(self) -> FloatArray | None:
        """A point that keeps every row, inequalities with some room if possible; None if none is
        found.
        """
        from scipy.sparse import (
            csr_matrix,
        )  # slow to import, and needed by no model that is proven convex
        from scipy.sparse.linalg import lsqr

        width = np.where(self.high > self.low, self.high - self.low, 1.0)
        point = np.clip(reference_point(self.instance), self.low, self.high)
        best: FloatArray | None = None
        for room in ROOMS:
            for _ in range(STEPS):
                if self.kept(point[None, :])[0]:
                    best = point
                row, column, slope, lack = self._lacking(point, room)
                if best is not None and (np.abs(lack) <= KEPT).all():
                    return best  # with as much room as was asked for
                jacobian = csr_matrix(
                    (slope * width[column], (row, column)), shape=(len(lack), len(point))
                )
                step = lsqr(jacobian, -lack, damp=1e-6, iter_lim=200)[0]
                before, point = point, np.clip(point + width * step, self.low, self.high)
                if (np.abs(point - before) <= STANDING * width).all():
                    break  # no further step leads anywhere
        return best

    def _lacking(
        self, point: FloatArray, room: float
    ) -> tuple[IntArray, IntArray, FloatArray, FloatArray]:
        """Slopes as triplets, and what is missing, of the rows without room at a point, as shares
        of their sizes.
        """
        evaluator = self.instance.evaluator(Slopes(point, self.instance.free))
        sizes = self.instance.evaluator(Magnitudes(point))
        parts: list[tuple[IntArray, IntArray, FloatArray, FloatArray]] = []
        first = 0
        with np.errstate(all="ignore"):
            for family in self.instance.constraints:
                value = (
                    difference(evaluator, family)
                    if family.size and family is not self.exempt
                    else None
                )
                if not isinstance(value, Jet):
                    continue
                size = np.maximum(size_of(difference(sizes, family)), 1e-300)
                equal = family.relation is Relation.EQUAL
                sign = family.relation.sign or 1
                lack = sign * value.value / size + (0.0 if equal else room)
                used = np.isfinite(lack) & ((lack > 0.0) | equal)
                number = np.cumsum(used) - 1 + first
                slope = value.gradient
                kept = used[slope.rows] & np.isfinite(slope.values)
                rows = slope.rows[kept]
                parts.append(
                    (
                        number[rows],
                        slope.columns[0][kept],
                        sign * slope.values[kept] / size[rows],
                        lack[used],
                    )
                )
                first += int(used.sum())
        if not parts:
            nothing = np.zeros(0, dtype=np.int64)
            return nothing, nothing, np.zeros(0), np.zeros(0)
        row, column, values, lacks = (
            np.concatenate([part[place] for part in parts]) for place in range(4)
        )
        return row, column, values, lacks

    def moved(self, points: FloatArray) -> FloatArray:
        """Points float64[points, columns] on the linear equalities and, as far as that goes, in the
        box.
        """
        if not len(self.equalities):
            return points
        width = np.where(self.high > self.low, self.high - self.low, 1.0)
        for _ in range(TURNS):
            places = points / width
            places = places - (places @ self.equalities.T - self.right) @ self.inverse.T
            inside = np.clip(places * width, self.low, self.high)
            if np.array_equal(inside, points):
                break
            points = inside
        return points

    def kept(self, points: FloatArray) -> Flags:
        """Which points keep every row."""
        evaluator = self.instance.evaluator(Samples(points))
        result = np.ones(len(points), dtype=bool)
        with np.errstate(all="ignore"):
            for family in self.instance.constraints:
                if not family.size or family is self.exempt:
                    continue
                left, right = (
                    _plain(evaluator.family(side, family.table))
                    for side in (family.constraint.left, family.constraint.right)
                )
                over = family.relation.excess(left - right)
                fine = over <= KEPT * np.maximum(np.abs(left), np.abs(right))
                result &= np.broadcast_to(fine, (len(points), family.size)).all(axis=1)
        return result


def _plain(value: object) -> FloatArray:
    return value.value if isinstance(value, Sample) else np.asarray(value, dtype=np.float64)


def _equalities(instance: Instance, width: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Linear equalities as a matrix over columns in units of their widths, rows of length 1, and
    the right sides.
    """
    columns = instance.columns
    families = [
        f
        for f in instance.constraints
        if f.relation is Relation.EQUAL and f.shape.degree <= Degree.LINEAR
    ]
    size = sum(family.size for family in families)
    if not size or size * columns > LARGEST:
        return np.zeros((0, columns)), np.zeros(0)
    try:
        found = constraint_coefficients(instance, families)
    except ModelError:  # a number that is not finite is reported by whoever solves the problem
        return np.zeros((0, columns)), np.zeros(0)
    matrix = np.zeros((size, columns))
    matrix[found.row, found.column] = found.value * np.where(
        width[found.column] > 0.0, width[found.column], 1.0
    )
    length = np.linalg.norm(matrix, axis=1)
    used = (length > 0.0) & np.isfinite(length)  # of widths beyond all doubles nothing is moved
    return matrix[used] / length[used, None], -found.constant[used] / length[used]
