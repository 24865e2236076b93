"""The class of an instance, with a reason for every family: what makes it quadratic, nonlinear, nonconvex, integer."""

from dataclasses import dataclass

import numpy as np

from mecdsl.classify import Degree, ProblemClass, Shape, problem_class
from mecdsl.coefficients import Quadratics, constraint_coefficients, objective_coefficients
from mecdsl.diagnostics import Span
from mecdsl.instance import ConstraintFamily, Instance

LARGEST_EIGENPROBLEM = 500  # columns in one quadratic row; above it convexity is left unproven


@dataclass(frozen=True, slots=True)
class FamilyReport:
    """What `check` says of one family: rows, degree, the cause, and whether it is proven convex."""

    name: str
    size: int
    degree: Degree
    convex: bool | None  # None: not known
    reason: str
    place: Span | None


@dataclass(frozen=True, slots=True)
class Problem:
    """The class of an instance and why."""

    problem_class: ProblemClass
    objective: FamilyReport
    families: tuple[FamilyReport, ...]
    columns: int
    integer_columns: int
    fixed_columns: int
    rows: int

    @property
    def culprit(self) -> FamilyReport | None:
        """The family that puts the problem into its class: the worst degree, nonconvex ones first."""
        reports = [r for r in (*self.families, self.objective) if r.degree >= Degree.QUADRATIC]
        return max(reports, key=lambda r: (r.degree, r.convex is not True), default=None)


def analyse(instance: Instance) -> Problem:
    """The class of an instance. Convexity of quadratic rows is decided by their eigenvalues."""
    shapes = instance.checked.shapes
    objective_shape = shapes.shape(instance.model.objective.value)
    sense = -1.0 if instance.maximize else 1.0
    convex: bool | None = True if objective_shape.degree <= Degree.LINEAR else None
    if objective_shape.degree is Degree.QUADRATIC:
        convex = bool(_convex_rows(objective_coefficients(instance), sense).all())
    objective = _report(instance.model.objective.name, 1, objective_shape, convex)
    families = tuple(_constraint_report(instance, family) for family in instance.constraints)
    used = [report for report in families if report.size]
    integral = bool((instance.integral & instance.free).any())
    worst = max((report.degree for report in used), default=Degree.CONSTANT)
    fine = {"objective": objective.convex is True, "constraints": all(r.convex is True for r in used)}
    return Problem(
        problem_class(objective.degree, worst, integral, fine),
        objective,
        families,
        instance.columns,
        int((instance.integral & instance.free).sum()),
        int((~instance.free).sum()),
        instance.rows,
    )


def _constraint_report(instance: Instance, family: ConstraintFamily) -> FamilyReport:
    convex: bool | None = None
    if family.shape.degree <= Degree.LINEAR:
        convex = True
    elif family.shape.degree is Degree.QUADRATIC:
        found = constraint_coefficients(instance, [family])
        if not len(found.quadratic_value):
            shape = Shape(Degree.LINEAR)
            return _report(family.name, family.size, shape, True)
        signs = {"<=": (1.0,), ">=": (-1.0,), "==": (1.0, -1.0)}[family.relation]
        convex = all(bool(_convex_rows(found, sign).all()) for sign in signs)
    return _report(family.name, family.size, family.shape, convex)


def _report(name: str, size: int, shape: Shape, convex: bool | None) -> FamilyReport:
    return FamilyReport(name, size, shape.degree, convex, shape.reason, shape.culprit)


def _convex_rows(found: Quadratics, sign: float) -> np.ndarray:
    """Whether sign * quadratic part of each row is positive semidefinite."""
    result = np.ones(found.size, dtype=bool)
    row, value = found.quadratic_row, sign * found.quadratic_value
    diagonal = found.first == found.second
    result[row[diagonal & (value < 0)]] = False
    mixed = np.unique(row[~diagonal])
    undecided = mixed[result[mixed]]
    if not len(undecided):
        return result
    undecided = _with_full_diagonal(found, undecided, result)
    starts = np.searchsorted(row, undecided)
    ends = np.searchsorted(row, undecided, side="right")
    for number, start, end in zip(undecided, starts, ends, strict=True):
        part = slice(start, end)
        result[number] = _positive_semidefinite(found.first[part], found.second[part], value[part])
    return result


def _with_full_diagonal(found: Quadratics, rows: np.ndarray, result: np.ndarray) -> np.ndarray:
    """Rows where every column of a product has a square too; the others are indefinite at once."""
    row, first, second = found.quadratic_row, found.first, found.second
    width = int(max(first.max(), second.max())) + 1
    squares = np.sort((row * width + first)[first == second])
    off = first != second
    for columns in (first[off], second[off]):
        codes = row[off] * width + columns
        place = np.minimum(np.searchsorted(squares, codes), max(len(squares) - 1, 0))
        present = squares[place] == codes if len(squares) else np.zeros(len(codes), dtype=bool)
        result[row[off][~present]] = False
    still: np.ndarray = rows[result[rows]]
    return still


def _positive_semidefinite(first: np.ndarray, second: np.ndarray, value: np.ndarray) -> bool:
    columns, positions = np.unique(np.concatenate([first, second]), return_inverse=True)
    size = len(columns)
    if size > LARGEST_EIGENPROBLEM:
        return False
    one, two = positions[: len(first)], positions[len(first) :]
    matrix = np.zeros((size, size))
    np.add.at(matrix, (one, two), 0.5 * value)
    np.add.at(matrix, (two, one), 0.5 * value)
    eigenvalues = np.linalg.eigvalsh(matrix)
    return bool(eigenvalues[0] >= -1e-10 * max(1e-300, np.abs(eigenvalues).max()))
