"""An instance as a smooth program in its free columns: values, gradient, Jacobian, Hessian of the
Lagrangian.

Families of degree two or less are extracted once as constant triplets; the others are evaluated as
jets, all rows of a family at once. Sparsity never changes: it is found once, where the program is
built, and `Pattern.add_up` raises ValueError should an evaluation ever bring another number of
entries.

Choice: Jets of order 1 serve gradient and Jacobian, plain numbers serve objective and constraint
values, since a line search asks for values far more often than for derivatives. The last point of
each kind is remembered, because a solver asks for objective and constraints, then gradient and
Jacobian, at the same point in separate calls.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mecdsl.analysis.coefficients import (
    Quadratics,
    constraint_coefficients,
    objective_coefficients,
    plain_families,
    rows_of,
)
from mecdsl.instances.algebra import Algebra, Floats, Jets, Value
from mecdsl.instances.instance import ConstraintFamily, Instance, difference
from mecdsl.instances.jets import Jet
from mecdsl.instances.sparse_rows import Pattern
from mecdsl.instances.tables import SINGLE, FloatArray, IntArray
from mecdsl.model.classes import Degree

OBJECTIVE = 0  # row 0 of the stacked rows is the objective, row 1 + r is row r of the instance


@dataclass(frozen=True, slots=True, eq=False)
class _Entries:
    """Derivatives of stacked rows: gradient entries (row, column), Hessian entries (row, first,
    second).
    """

    row: IntArray
    column: IntArray
    hessian_row: IntArray
    first: IntArray
    second: IntArray


class SmoothProgram:
    """Objective and rows `left - right` of an instance as functions of z = x[columns], its free
    columns.

    `columns`: int64[n], instance columns of the variables. `rows`: int64[m], instance rows that
    depend on them. `constant_rows`: the other instance rows; `constants`: their values.
    `jacobian_row`, `jacobian_column`: positions (in 0..m-1, 0..n-1) of the Jacobian entries, row by
    row. `hessian_first >= hessian_second`: positions (in 0..n-1) of the lower triangle of the
    Hessian. Numbers in SI; the objective in the sense of the model.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.columns: IntArray = np.flatnonzero(instance.free).astype(np.int64)
        self._position = np.full(instance.columns, -1, dtype=np.int64)
        self._position[self.columns] = np.arange(len(self.columns))
        self._split()
        self._find_patterns()
        self._last: dict[str, tuple[bytes, FloatArray]] = {}

    # Values

    def objective(self, z: FloatArray) -> float:
        """The objective at z."""
        return float(self._values(z)[OBJECTIVE])

    def constraints(self, z: FloatArray) -> FloatArray:
        """`left - right` of the rows, float64[m]."""
        return self._values(z)[1 + self.rows]

    # Derivatives

    def gradient(self, z: FloatArray) -> FloatArray:
        """The gradient of the objective, float64[n]."""
        result = np.zeros(len(self.columns))
        end = self._gradient_size
        result[self._pattern.second[:end]] = self._first_order(z)[:end]
        return result

    def jacobian(self, z: FloatArray) -> FloatArray:
        """The Jacobian's entries at its positions."""
        return self._first_order(z)[self._gradient_size :]

    def hessian(self, z: FloatArray, multipliers: FloatArray, factor: float = 1.0) -> FloatArray:
        """factor * Hessian of the objective + sum multipliers[r] * Hessian of row r, at its
        positions.
        """
        weights = np.zeros(1 + self.instance.rows)
        weights[OBJECTIVE] = factor
        weights[1 + self.rows] = multipliers
        parts = [weights[self._quadratics.quadratic_row] * self._curvature]
        if self._curved:
            x = self._point(z)
            for first, jet in zip(self._firsts, self._jets(x, 2), strict=True):
                assert jet.hessian is not None
                parts.append(jet.hessian.scale(weights[first : first + jet.size]).values)
        return self._hessian_pattern.add_up(np.concatenate(parts))

    @property
    def hessian_first(self) -> IntArray:
        """The larger column of each Hessian position."""
        return self._hessian_pattern.first

    @property
    def hessian_second(self) -> IntArray:
        """The smaller column of each Hessian position."""
        return self._hessian_pattern.second

    # Structure

    def _split(self) -> None:
        """Constant triplets of the rows of degree two or less; the list of the families that need
        jets.
        """
        instance = self.instance
        linear = instance.goal.shape.degree <= Degree.QUADRATIC
        plain = plain_families(instance)
        curved = [
            family for family in instance.constraints if family.shape.degree > Degree.QUADRATIC
        ]
        self._curved: list[ConstraintFamily | None] = ([] if linear else [None]) + [*curved]
        self._firsts = [
            OBJECTIVE if family is None else 1 + family.first for family in self._curved
        ]
        parts = [(objective_coefficients(instance), np.zeros(1, dtype=np.int64))] if linear else []
        parts.append((constraint_coefficients(instance, plain), 1 + rows_of(plain)))
        self._quadratics = _stacked(parts, 1 + instance.rows)

    def _find_patterns(self) -> None:
        """The distinct positions of all derivative entries, and which rows depend on a variable."""
        q = self._quadratics
        entries = [self._quadratic_entries()]
        with np.errstate(all="ignore"):
            jets = self._jets(self._point(self.instance.first_point()[self.columns]), 2)
        entries += [
            self._jet_entries(jet, first) for jet, first in zip(jets, self._firsts, strict=True)
        ]
        rows = np.concatenate([part.row for part in entries])
        self._pattern = Pattern.of(rows, np.concatenate([part.column for part in entries]))
        self._gradient_size = int(np.searchsorted(self._pattern.first, OBJECTIVE, side="right"))
        depends = np.zeros(1 + self.instance.rows, dtype=bool)
        depends[rows] = True
        self.rows: IntArray = np.flatnonzero(depends[1:]).astype(np.int64)
        self.constant_rows: IntArray = np.flatnonzero(~depends[1:]).astype(np.int64)
        number = np.cumsum(depends[1:]) - 1
        self.jacobian_row: IntArray = number[self._pattern.first[self._gradient_size :] - 1]
        self.jacobian_column: IntArray = self._pattern.second[self._gradient_size :]
        self._hessian_pattern = Pattern.of(
            np.concatenate([part.first for part in entries]),
            np.concatenate([part.second for part in entries]),
        )
        self._curvature = np.where(q.first == q.second, 2.0, 1.0) * q.quadratic_value
        self.constants = self._evaluate(self._point(self.instance.first_point()[self.columns]))[1:][
            self.constant_rows
        ]

    def _quadratic_entries(self) -> _Entries:
        """Linear terms, then c x_i x_j as c x_j at (row, i) and c x_i at (row, j), which is 2 c x_i
        for a square.
        """
        q, place = self._quadratics, self._position
        return _Entries(
            np.concatenate([q.row, q.quadratic_row, q.quadratic_row]),
            place[np.concatenate([q.column, q.first, q.second])],
            q.quadratic_row,
            place[q.first],
            place[q.second],
        )

    def _jet_entries(self, jet: Jet, first_row: int) -> _Entries:
        assert jet.hessian is not None
        first, second = (self._position[axis] for axis in jet.hessian.columns)
        return _Entries(
            first_row + jet.gradient.rows,
            self._position[jet.gradient.columns[0]],
            first_row + jet.hessian.rows,
            first,
            second,
        )

    # Evaluation

    def _point(self, z: FloatArray) -> FloatArray:
        """All columns of the instance, the fixed ones at their values."""
        x = self.instance.fixed.copy()
        x[self.columns] = z
        return x

    def _values(self, z: FloatArray) -> FloatArray:
        """Objective and all rows, float64[1 + rows]."""
        return self._remembered("values", z, lambda: self._evaluate(self._point(z)))

    def _evaluate(self, x: FloatArray) -> FloatArray:
        values = self._quadratics.value_at(x)
        jet = self._families(Floats(x))
        for family, first, value in zip(self._curved, self._firsts, jet, strict=True):
            values[first : first + (1 if family is None else family.size)] = value
        return values

    def _first_order(self, z: FloatArray) -> FloatArray:
        """Gradient and Jacobian entries at the positions of the pattern."""
        return self._remembered("first order", z, lambda: self._differentiate(self._point(z)))

    def _differentiate(self, x: FloatArray) -> FloatArray:
        q = self._quadratics
        parts = [q.value, q.quadratic_value * x[q.second], q.quadratic_value * x[q.first]]
        parts += [jet.gradient.values for jet in self._jets(x, 1)]
        return self._pattern.add_up(np.concatenate(parts))

    def _jets(self, x: FloatArray, order: int) -> list[Jet]:
        found = self._families(Jets(x, order, self.instance.free))
        return [
            value
            if isinstance(value, Jet)
            else Jet.constant(np.asarray(value, dtype=np.float64), order)
            for value in found
        ]

    def _families(self, algebra: Algebra) -> list[Value]:
        """Objective and families that are neither linear nor quadratic, definitions shared between
        them.
        """
        if not self._curved:
            return []
        evaluator = self.instance.evaluator(algebra)
        objective = self.instance.model.objective.value
        with np.errstate(all="ignore"):
            return [
                evaluator.family(objective, SINGLE)
                if family is None
                else difference(evaluator, family)
                for family in self._curved
            ]

    def _remembered(
        self, kind: str, z: FloatArray, compute: Callable[[], FloatArray]
    ) -> FloatArray:
        key = z.tobytes()
        known = self._last.get(kind)
        if known is None or known[0] != key:
            known = self._last[kind] = (key, compute())
        return known[1]


def smooth_program(instance: Instance) -> SmoothProgram:
    """The instance as a smooth program; a nonsmooth family has the derivative of one of its pieces.

    Raises `ModelError` where a coefficient is not finite.
    """
    return SmoothProgram(instance)


def _concatenate(parts: Sequence[IntArray]) -> IntArray:
    return np.concatenate(parts) if parts else np.zeros(0, dtype=np.int64)


def _stacked(parts: Sequence[tuple[Quadratics, IntArray]], size: int) -> Quadratics:
    """Coefficients whose row r becomes row places[r] of `size` rows; the other rows are zero."""
    constant = np.zeros(size)
    for coefficients, places in parts:
        constant[places] = coefficients.constant
    return Quadratics(
        constant=constant,
        row=_concatenate([places[coefficients.row] for coefficients, places in parts]),
        column=_concatenate([coefficients.column for coefficients, _ in parts]),
        value=np.concatenate([coefficients.value for coefficients, _ in parts]),
        quadratic_row=_concatenate(
            [places[coefficients.quadratic_row] for coefficients, places in parts]
        ),
        first=_concatenate([coefficients.first for coefficients, _ in parts]),
        second=_concatenate([coefficients.second for coefficients, _ in parts]),
        quadratic_value=np.concatenate([coefficients.quadratic_value for coefficients, _ in parts]),
    )
