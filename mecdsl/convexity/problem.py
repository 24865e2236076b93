"""The class of an instance, with a reason for every family: what makes it quadratic, nonlinear,
nonconvex, integer.

Quadratic families are judged by their eigenvalues, which is exact; nonlinear ones, and quadratic
ones too large for that, by the rules of `mecdsl.convexity.convexity`, which prove convexity or say
which part they cannot judge.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from mecdsl.analysis.coefficients import Quadratics, constraint_coefficients, objective_coefficients
from mecdsl.convexity.convexity import WANTED, Convexity, Finding
from mecdsl.convexity.curvature import Curvature
from mecdsl.convexity.sampling import Counterexample, refute
from mecdsl.diagnostics import Span
from mecdsl.instances.facts import fact
from mecdsl.instances.instance import ConstraintFamily, Instance
from mecdsl.instances.tables import TooManyRows
from mecdsl.model.classes import Degree, ProblemClass, Shape, problem_class

LARGEST_EIGENPROBLEM: Final = (
    500  # columns in one quadratic row; above it the eigenvalues are not computed
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FamilyReport:
    """What `check` says of one family: rows, degree, the cause, and whether it is proven convex.

    `reason`, `place`: what makes it more than linear. `convex`: True is proven, False is refuted,
    None is not known; for the objective in its sense, for `==` only if affine. `curvature`: how
    `left - right`, or the objective, bends as written. `cause`, `cause_place`, `member`: the part
    that does not bend as it should, and in which member if not in all. `counterexample`: two points
    that refute convexity, from `mecdsl.convexity.sampling`.
    """

    name: str
    size: int
    degree: Degree
    convex: bool | None
    reason: str
    place: Span | None
    curvature: Curvature = Curvature.UNKNOWN
    cause: str = ""
    cause_place: Span | None = None
    member: str = ""
    counterexample: Counterexample | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
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
    def convex(self) -> bool:
        """Whether the objective, in its sense, and every family with rows are proven convex,
        integrality aside.
        """
        return self.not_convex is None

    @property
    def not_convex(self) -> FamilyReport | None:
        """The first of objective and families that is not proven convex, refuted ones first."""
        open_reports = [
            r for r in (self.objective, *self.families) if r.size and r.convex is not True
        ]
        return min(open_reports, key=lambda r: r.convex is None, default=None)

    @property
    def class_name(self) -> str:
        """The class in words: `convex NLP` where that is proven, integrality aside, `nonconvex NLP`
        where refuted.
        """
        name: str = self.problem_class.value
        if self.problem_class not in (ProblemClass.NLP, ProblemClass.MINLP):
            return name
        worst = self.not_convex
        word = "convex " if worst is None else "nonconvex " if worst.convex is False else ""
        return word + name

    @property
    def phrase(self) -> str:
        """The class with its article: `an LP`, `a convex NLP`."""
        name = self.class_name
        return (
            f"a {name}" if name.startswith(("convex", "nonconvex")) else self.problem_class.phrase
        )

    @property
    def culprit(self) -> FamilyReport | None:
        """The family that puts the problem into its class: the worst degree, nonconvex ones
        first.
        """
        reports = [r for r in (*self.families, self.objective) if r.degree >= Degree.QUADRATIC]
        return max(reports, key=lambda r: (r.degree, r.convex is not True), default=None)


@fact
@np.errstate(all="ignore")  # what is not finite is looked for where it is used
def analyse(instance: Instance) -> Problem:
    """The class of an instance and what is proven of its curvature, found once."""
    rules = _Rules(instance)
    objective = _objective_report(instance, rules)
    families = tuple(_constraint_report(instance, family, rules) for family in instance.constraints)
    used = [report for report in families if report.size]
    integral = bool((instance.integral & instance.free).any())
    worst = max((report.degree for report in used), default=Degree.CONSTANT)
    fine = {
        "objective": objective.convex is True,
        "constraints": all(r.convex is True for r in used),
    }
    return Problem(
        problem_class=problem_class(objective.degree, worst, integral, fine),
        objective=objective,
        families=families,
        columns=instance.columns,
        integer_columns=int((instance.integral & instance.free).sum()),
        fixed_columns=int((~instance.free).sum()),
        rows=instance.rows,
    )


class _Rules:
    """`Convexity` of an instance, made when a family first needs it."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.found: Convexity | None = None

    def finding(self, family: ConstraintFamily | None) -> Finding:
        """Of a family, or of the objective."""
        self.found = self.found or Convexity(self.instance)
        try:
            return self.found.constraint(family) if family else self.found.objective()
        except TooManyRows as error:
            cause = f"it has {error.rows:.3g} terms of one kind, too many to look at"
            return Finding(Curvature.UNKNOWN, False, cause, error.diagnostics[0].span)


def _objective_report(instance: Instance, rules: _Rules) -> FamilyReport:
    shape = instance.goal.shape
    report = _report(instance.model.objective.name, 1, shape)
    if instance.model.players:  # nobody solves for their sum, and it has all their products
        return report
    if shape.degree > Degree.QUADRATIC:
        return _with_finding(report, rules.finding(None))
    if shape.degree is Degree.QUADRATIC:
        return _quadratic(
            report, objective_coefficients(instance), _wanted(instance, None), rules, None
        )
    return report


def _constraint_report(instance: Instance, family: ConstraintFamily, rules: _Rules) -> FamilyReport:
    report = _report(family.name, family.size, family.shape)
    if family.shape.degree > Degree.QUADRATIC:
        return _with_finding(report, rules.finding(family))
    if family.shape.degree is Degree.QUADRATIC:
        found = constraint_coefficients(instance, [family])
        if not len(found.quadratic_value):
            return _report(family.name, family.size, Shape(Degree.LINEAR))
        return _quadratic(report, found, _wanted(instance, family), rules, family)
    return report


def _wanted(instance: Instance, family: ConstraintFamily | None) -> tuple[bool, bool]:
    """Whether convex, whether concave is needed."""
    if family is None:
        return (False, True) if instance.maximize else (True, False)
    return WANTED[family.relation]


def _report(name: str, size: int, shape: Shape) -> FamilyReport:
    """What the degree says: up to linear it is affine."""
    linear = shape.degree <= Degree.LINEAR
    curvature = Curvature.AFFINE if linear else Curvature.UNKNOWN
    return FamilyReport(
        name=name,
        size=size,
        degree=shape.degree,
        convex=True if linear else None,
        reason=shape.reason,
        place=shape.culprit,
        curvature=curvature,
    )


def _with_finding(report: FamilyReport, found: Finding) -> FamilyReport:
    return replace(
        report,
        convex=True if found.proven else None,
        curvature=found.curvature,
        cause=found.cause,
        cause_place=found.place,
        member=found.member,
    )


def _quadratic(
    report: FamilyReport,
    found: Quadratics,
    wanted: tuple[bool, bool],
    rules: _Rules,
    family: ConstraintFamily | None,
) -> FamilyReport:
    """By eigenvalues; what is too large for them by the rules."""
    proven: list[bool | None] = []
    for sign in (1.0, -1.0):
        convex, open_rows = _convex_rows(found, sign)
        proven.append(True if convex.all() else None if (convex | open_rows).all() else False)
    needed = [flag for flag, need in zip(proven, wanted, strict=True) if need]
    if None in needed and False not in needed:
        return _with_finding(report, rules.finding(family))
    curvature = {
        (True, True): Curvature.AFFINE,
        (True, False): Curvature.CONVEX,
        (False, True): Curvature.CONCAVE,
    }.get((proven[0] is True, proven[1] is True), Curvature.UNKNOWN)
    if all(needed):
        return replace(report, convex=True, curvature=curvature)
    return replace(
        report, convex=False, curvature=curvature, cause=report.reason, cause_place=report.place
    )


def _convex_rows(found: Quadratics, sign: float) -> tuple[np.ndarray, np.ndarray]:
    """Whether sign * quadratic part of each row is positive semidefinite, and rows that are left
    undecided.
    """
    result, skipped = np.ones(found.size, dtype=bool), np.zeros(found.size, dtype=bool)
    row, value = found.quadratic_row, sign * found.quadratic_value
    diagonal = found.first == found.second
    result[row[diagonal & (value < 0)]] = False
    lost = row[~np.isfinite(value)]
    result[lost], skipped[lost] = False, True
    mixed = np.unique(row[~diagonal])
    undecided = mixed[result[mixed]]
    if not len(undecided):
        return result, skipped
    undecided = _with_full_diagonal(found, undecided, result)
    starts = np.searchsorted(row, undecided)
    ends = np.searchsorted(row, undecided, side="right")
    for number, start, end in zip(undecided, starts, ends, strict=True):
        part = slice(start, end)
        semidefinite = _positive_semidefinite(found.first[part], found.second[part], value[part])
        result[number], skipped[number] = semidefinite is True, semidefinite is None
    return result, skipped


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


def _positive_semidefinite(first: np.ndarray, second: np.ndarray, value: np.ndarray) -> bool | None:
    """None for a matrix too large to decide."""
    columns, positions = np.unique(np.concatenate([first, second]), return_inverse=True)
    size = len(columns)
    if size > LARGEST_EIGENPROBLEM:
        return None
    one, two = positions[: len(first)], positions[len(first) :]
    matrix = np.zeros((size, size))
    np.add.at(matrix, (one, two), 0.5 * value)
    np.add.at(matrix, (two, one), 0.5 * value)
    eigenvalues = np.linalg.eigvalsh(matrix)
    return bool(eigenvalues[0] >= -1e-10 * max(1e-300, np.abs(eigenvalues).max()))


@np.errstate(all="ignore")  # what is not finite is looked for where it is used
def sampled(instance: Instance, problem: Problem) -> Problem:
    """The problem with families that are not proven convex refuted by two points, where some are
    found.
    """

    def report(found: FamilyReport, family: ConstraintFamily | None) -> FamilyReport:
        if (
            found.convex is True
            or not found.size
            or (found.degree <= Degree.QUADRATIC and found.convex is False)
        ):
            return found
        points = refute(instance, family)
        return replace(found, convex=False, counterexample=points) if points else found

    pairs = zip(problem.families, instance.constraints, strict=True)
    families = tuple(report(found, family) for found, family in pairs)
    return replace(problem, objective=report(problem.objective, None), families=families)
