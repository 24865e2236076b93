"""An instance of degree two or less as the arrays of an LP or MPS file: scaled, named, with nothing
left to decide.

    minimise or maximise  objective(x)
    subject to  row(x) <= , >= or == right,  lower <= x <= upper

Every column of the instance is there, fixed ones between equal bounds: what a solver prints is then
a whole point. Rows without a variable are left out where they are true; a false one becomes
`no_point >= 2` with `no_point` in 0..1, since readers take an empty row in different ways.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mecdsl.analysis.coefficients import Quadratics, constraint_coefficients, objective_coefficients
from mecdsl.analysis.member_units import objective_unit, row_unit, unit_text
from mecdsl.analysis.scaling import Scaling
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray, IntArray
from mecdsl.model.relation import Relation
from mecdsl.pyomo_model.file_names import file_names
from mecdsl.pyomo_model.scale_map import Mapped, ScaleMap
from mecdsl.reduction.conflicts import false_rows

NO_BOUND = 1e20  # readers take a bound from here on as none
IMPOSSIBLE = "no_point"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FileProgram:
    """All arrays in the numbers of the file; `rows.row` and `rows.quadratic_row` count the rows
    that are kept.

    `relations`: `<=`, `>=` or `==` per row; `right`: float64[rows]; `rows.constant` and
    `objective.constant` are as in `Quadratics` (`right` is minus the first).
    """

    names: ScaleMap
    maximize: bool
    objective: Quadratics
    rows: Quadratics
    relations: tuple[Relation, ...]
    right: FloatArray
    lower: FloatArray
    upper: FloatArray
    integral: NDArray[np.bool_]


@np.errstate(all="ignore")  # what is not finite is looked for where it is used
def file_program(instance: Instance, scaling: Scaling) -> FileProgram:
    """The arrays of an instance of degree two or less. Raises `ModelError` E311 for a coefficient
    that is not finite.
    """
    goal = objective_coefficients(instance).scaled(scaling.column, np.array([scaling.objective]))
    coefficients = constraint_coefficients(instance, instance.constraints)
    held = _constant(coefficients)
    wrong = _false(instance, held)
    kept = np.flatnonzero(~held | wrong)
    rows = _kept(coefficients.scaled(scaling.column, scaling.row), kept)
    relations = _relations(instance)
    if wrong.any():
        rows = _impossible(rows, np.flatnonzero(wrong[kept]), instance.columns)
    extra = int(wrong.any())
    factor = scaling.column
    lower = np.where(instance.free, instance.lower, instance.fixed) / factor
    upper = np.where(instance.free, instance.upper, instance.fixed) / factor
    padding = np.zeros(extra)
    relation = np.where(wrong[kept], ">=", relations[kept])
    return FileProgram(
        names=_names(instance, scaling, kept, extra),
        maximize=instance.maximize,
        objective=goal,
        rows=rows,
        relations=tuple(map(Relation, relation.tolist())),
        right=-rows.constant + 0.0,
        lower=np.concatenate([np.where(lower <= -NO_BOUND, -np.inf, lower), padding]) + 0.0,
        upper=np.concatenate([np.where(upper >= NO_BOUND, np.inf, upper), padding + 1.0]) + 0.0,
        integral=np.concatenate([instance.integral & instance.free, padding != 0.0]),
    )


def _constant(found: Quadratics) -> NDArray[np.bool_]:
    """Rows without a variable, and those that compare with infinity."""
    constant = np.ones(found.size, dtype=bool)
    constant[found.row] = False
    constant[found.quadratic_row] = False
    return np.asarray(constant | ~np.isfinite(found.constant))


def _false(instance: Instance, constant: NDArray[np.bool_]) -> NDArray[np.bool_]:
    result = np.zeros(len(constant), dtype=bool)
    for family in instance.constraints:
        rows = np.flatnonzero(constant[family.rows])
        result[family.first + rows] = false_rows(instance, family, rows)
    return result


def _relations(instance: Instance) -> NDArray[np.str_]:
    parts = [np.full(family.size, family.relation) for family in instance.constraints]
    return np.concatenate([np.zeros(0, dtype="<U2"), *parts])


def _kept(coefficients: Quadratics, kept: IntArray) -> Quadratics:
    """Some rows, counted anew."""
    place = np.full(coefficients.size, -1)
    place[kept] = np.arange(len(kept))
    linear, curved = place[coefficients.row] >= 0, place[coefficients.quadratic_row] >= 0
    return Quadratics(
        constant=coefficients.constant[kept],
        row=place[coefficients.row[linear]],
        column=coefficients.column[linear],
        value=coefficients.value[linear],
        quadratic_row=place[coefficients.quadratic_row[curved]],
        first=coefficients.first[curved],
        second=coefficients.second[curved],
        quadratic_value=coefficients.quadratic_value[curved],
    )


def _impossible(rows: Quadratics, wrong: IntArray, column: int) -> Quadratics:
    """The rows with `no_point >= 2`, of a column behind all others, for those that are false."""
    constant = rows.constant.copy()
    constant[wrong] = -2.0
    stays, curved = ~np.isin(rows.row, wrong), ~np.isin(rows.quadratic_row, wrong)
    row = np.concatenate([rows.row[stays], wrong])
    order = np.argsort(row, kind="stable")
    return Quadratics(
        constant=constant,
        row=row[order],
        column=np.concatenate([rows.column[stays], np.full(len(wrong), column)])[order],
        value=np.concatenate([rows.value[stays], np.ones(len(wrong))])[order],
        quadratic_row=rows.quadratic_row[curved],
        first=rows.first[curved],
        second=rows.second[curved],
        quadratic_value=rows.quadratic_value[curved],
    )


def _names(instance: Instance, scaling: Scaling, kept: IntArray, extra: int) -> ScaleMap:
    columns, units = _column_names(instance)
    columns += [IMPOSSIBLE] * extra
    units += ["1"] * extra
    stays = set(kept.tolist())
    rows = [
        (instance.row_name(family, row), row_unit(instance, family.constraint), family.first + row)
        for family in instance.constraints
        for row in range(family.size)
        if family.first + row in stays
    ]
    stated = instance.model.objective.name
    goal, *row_labels = file_names([stated, *(name for name, _, _ in rows)])
    factors = [*scaling.column.tolist(), *([1.0] * extra)]
    row_factors = (1.0 / scaling.row).tolist()
    parts = zip(file_names(columns), factors, columns, units, strict=True)
    row_parts = zip(row_labels, rows, strict=True)
    return ScaleMap(
        model=instance.model.name,
        objective=Mapped(goal, 1.0 / scaling.objective, stated, objective_unit(instance)),
        columns=tuple(Mapped(*part) for part in parts),
        rows=tuple(
            Mapped(label, row_factors[place], name, unit)
            for label, (name, unit, place) in row_parts
        ),
    )


def _column_names(instance: Instance) -> tuple[list[str], list[str]]:
    names: list[str] = []
    units: list[str] = []
    dimensions = instance.model.dimensions
    for family in instance.variables:
        members: Sequence[int] = range(family.size)
        names += [instance.world.row_text(family.name, member) for member in members]
        units += [unit_text(dimensions.get(family.name))] * family.size
    return names, units
