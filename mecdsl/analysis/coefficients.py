"""Constant, linear and quadratic coefficients of objective and constraint families, as triplets.

A template of degree two or less evaluated as a jet at 0 is its own expansion, so extraction is one
evaluation. Fixed columns count as data.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from mecdsl.diagnostics import Diagnostic, ModelError
from mecdsl.instances.algebra import Jets
from mecdsl.instances.evaluate import Evaluator
from mecdsl.instances.facts import fact
from mecdsl.instances.instance import ConstraintFamily, Instance, difference
from mecdsl.instances.jets import Jet
from mecdsl.instances.tables import FloatArray, IntArray
from mecdsl.model.classes import Degree


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Quadratics:
    """Rows r of `constant[r] + sum value x_column + sum value x_first x_second`.

    Linear triplets and quadratic quadruplets are unique and sorted by row; `first >= second`, and
    the coefficient of a square is that of x^2 itself, not twice it.
    """

    constant: FloatArray
    row: IntArray
    column: IntArray
    value: FloatArray
    quadratic_row: IntArray
    first: IntArray
    second: IntArray
    quadratic_value: FloatArray

    @property
    def size(self) -> int:
        """The number of rows."""
        return len(self.constant)

    def value_at(self, x: FloatArray) -> FloatArray:
        """The value of every row at a point."""
        linear = np.bincount(self.row, self.value * x[self.column], self.size)
        products = self.quadratic_value * x[self.first] * x[self.second]
        return self.constant + linear + np.bincount(self.quadratic_row, products, self.size)

    def scaled(self, column: FloatArray, row: FloatArray) -> "Quadratics":
        """The same rows times `row`, float64[rows], in variables u with x = `column` u,
        float64[columns].
        """
        products = column[self.first] * column[self.second]
        return Quadratics(
            constant=self.constant * row,
            row=self.row,
            column=self.column,
            value=self.value * column[self.column] * row[self.row],
            quadratic_row=self.quadratic_row,
            first=self.first,
            second=self.second,
            quadratic_value=self.quadratic_value * products * row[self.quadratic_row],
        )


def plain_families(instance: Instance) -> list[ConstraintFamily]:
    """The constraint families of degree two or less, whose coefficients can be told."""
    return [family for family in instance.constraints if family.shape.degree <= Degree.QUADRATIC]


def rows_of(families: Sequence[ConstraintFamily]) -> IntArray:
    """The instance rows of some families, one family after another."""
    parts = [np.arange(family.first, family.first + family.size) for family in families]
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts])


@fact
def objective_coefficients(instance: Instance) -> Quadratics:
    """Coefficients of an objective of degree two or less, as one row; found once."""
    jet = instance.goal.value(_evaluator(instance))
    return _collect([jet], [1])


def constraint_coefficients(instance: Instance, families: Sequence[ConstraintFamily]) -> Quadratics:
    """Coefficients of `left - right` of constraint families of degree two or less, their rows one
    after another.

    Those of families of the instance are found once. Raises `ModelError` where a coefficient is not
    finite.
    """
    chosen = frozenset(map(id, families))
    places = tuple(
        place for place, family in enumerate(instance.constraints) if id(family) in chosen
    )
    if [id(instance.constraints[place]) for place in places] == [id(family) for family in families]:
        return _coefficients_at(instance, places)
    return _coefficients(instance, families)


@fact
def _coefficients_at(instance: Instance, places: tuple[int, ...]) -> Quadratics:
    """Those of the families at some places."""
    return _coefficients(instance, [instance.constraints[place] for place in places])


def _coefficients(instance: Instance, families: Sequence[ConstraintFamily]) -> Quadratics:
    evaluator = _evaluator(instance)
    values = [difference(evaluator, family) for family in families]
    result = _collect(values, [family.size for family in families])
    _require_finite(instance, families, result)
    return result


def require_finite_objective(instance: Instance) -> None:
    """Raises `ModelError` E311, which names a variable, where an objective of degree two or less is
    not finite.
    """
    stated = instance.model.objective
    if instance.goal.shape.degree > Degree.QUADRATIC:
        return
    coefficients = objective_coefficients(instance)
    columns = np.concatenate(
        [
            coefficients.column[~np.isfinite(coefficients.value)],
            coefficients.first[~np.isfinite(coefficients.quadratic_value)],
        ]
    )
    if len(columns):
        what = f"coefficient of `{instance.column_name(int(columns.min()))}`"
    elif not np.isfinite(coefficients.constant).all():
        what = "constant part"
    else:
        return
    message = f"objective `{stated.name}` has a {what} that is not finite with these data"
    fix = "`mecdsl show` prints the values of the definitions"
    note = "a division by zero, or the logarithm of 0"
    raise ModelError([Diagnostic("E311", message, stated.span, note=note, help=fix)])


def _evaluator(instance: Instance) -> Evaluator:
    zero = np.where(instance.free, 0.0, instance.fixed)
    degrees = [family.shape.degree for family in instance.constraints]
    degrees.append(instance.goal.shape.degree)
    quadratic = Degree.QUADRATIC in degrees
    return instance.evaluator(Jets(zero, 2 if quadratic else 1, instance.free))


def _collect(values: Sequence[object], sizes: Sequence[int]) -> Quadratics:
    constants: list[FloatArray] = []
    linear: list[tuple[IntArray, IntArray, FloatArray]] = []
    quadratic: list[tuple[IntArray, IntArray, IntArray, FloatArray]] = []
    first = 0
    for value, size in zip(values, sizes, strict=True):
        if isinstance(value, Jet):
            constants.append(value.value)
            gradient, hessian = value.gradient, value.hessian
            linear.append((gradient.rows + first, gradient.columns[0], gradient.values))
            if hessian is not None:
                one, two = hessian.columns
                halved = np.where(one == two, 0.5 * hessian.values, hessian.values)
                quadratic.append((hessian.rows + first, one, two, halved))
        else:
            constants.append(np.full(size, value, dtype=np.float64))
        first += size
    row, column, coefficient = _stack(linear, 2)
    q_row, one, two, q_value = _stack(quadratic, 3)
    (row, column), coefficient = _merge((row, column), coefficient)
    (q_row, one, two), q_value = _merge((q_row, one, two), q_value)
    constant = np.concatenate(constants) if constants else np.zeros(0)
    return Quadratics(
        constant=constant,
        row=row,
        column=column,
        value=coefficient,
        quadratic_row=q_row,
        first=one,
        second=two,
        quadratic_value=q_value,
    )


def _stack(parts: Sequence[tuple[np.ndarray, ...]], keys: int) -> tuple[np.ndarray, ...]:
    if not parts:
        return (*(np.zeros(0, dtype=np.int64) for _ in range(keys)), np.zeros(0))
    return tuple(np.concatenate([part[position] for part in parts]) for position in range(keys + 1))


def _merge(
    keys: tuple[np.ndarray, ...], values: FloatArray
) -> tuple[tuple[IntArray, ...], FloatArray]:
    """Add up entries with equal keys, sort by key, and leave out exact zeros."""
    if len(values) == 0:
        return tuple(key.astype(np.int64) for key in keys), values
    order = np.lexsort(keys[::-1])
    keys = tuple(key[order] for key in keys)
    values = values[order]
    new = np.ones(len(values), dtype=bool)
    new[1:] = np.any([key[1:] != key[:-1] for key in keys], axis=0)
    starts = np.flatnonzero(new)
    total = np.add.reduceat(values, starts)
    kept = total != 0.0
    return tuple(key[starts][kept].astype(np.int64) for key in keys), total[kept]


def _require_finite(
    instance: Instance, families: Sequence[ConstraintFamily], coefficients: Quadratics
) -> None:
    bad = np.concatenate(
        [
            np.flatnonzero(np.isnan(coefficients.constant)),
            *_infinite_sides(families, coefficients),
            coefficients.row[~np.isfinite(coefficients.value)],
            coefficients.quadratic_row[~np.isfinite(coefficients.quadratic_value)],
        ]
    )
    if not len(bad):
        return
    row = int(bad.min())
    what = "coefficient" if np.isfinite(coefficients.constant[row]) else "constant part"
    first = 0
    for family in families:
        if row < first + family.size:
            name = instance.row_name(family, row - first)
            raise ModelError(
                [
                    Diagnostic(
                        "E311",
                        f"`{name}` has a {what} that is not finite with these data",
                        family.constraint.span,
                        note="a division by zero, or the logarithm of 0",
                        help="`mecdsl show` prints the values of the definitions",
                    )
                ]
            )
        first += family.size


def _infinite_sides(
    families: Sequence[ConstraintFamily], coefficients: Quadratics
) -> Iterator[IntArray]:
    """The rows with variables that no finite point can keep, such as `x >= 1/0`; `x <= 1/0` holds
    everywhere.
    """
    depends = np.zeros(coefficients.size, dtype=bool)
    depends[coefficients.row] = depends[coefficients.quadratic_row] = True
    first = 0
    for family in families:
        rows = slice(first, first + family.size)
        constants = np.where(depends[rows], coefficients.constant[rows], 0.0)
        never = np.flatnonzero(family.relation.excess(constants) == np.inf)
        yield never + first
        first += family.size
