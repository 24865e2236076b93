"""A nonlinear problem as arrays and callables, and its reduction to what a local solver can digest.

    minimise f(x)  subject to  constraint_lower <= g(x) <= constraint_upper,  lower <= x <= upper

Nothing here knows a modelling tool or a solver; units are whatever the caller's arrays are in.

Why a reduction of our own: Ipopt stops with `Not_Enough_Degrees_Of_Freedom` when fewer variables
than equalities remain after it has taken out the fixed ones, even if the surplus equalities are
redundant; with equally many it ignores the objective, which is wrong if one of them is redundant;
and it refuses a problem without variables. Taking out fixed variables and constant rows here, and
adding unused variables until they outnumber the equalities, makes every such problem an ordinary
one; the added columns are cut off again.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Index = NDArray[np.int64]

FEASIBILITY_TOLERANCE = 1e-6
"""Relative to max(1, |bound|): the violation up to which a point is called feasible."""

INTERVAL_TOLERANCE = 1e-9
"""Relative to max(1, |bound|): bounds that cross by less are taken as equal (rounding in data), by
more as empty.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NlpProblem:
    """Arrays and callables of one problem with n variables and m constraints.

    `lower`, `upper`, `start` have shape (n,), `constraint_lower`, `constraint_upper` shape (m,);
    infinite where there is no bound. `jacobian_values(x)` matches `jacobian_rows` and
    `jacobian_columns`; `hessian_values(x, multipliers, factor)` are those of factor * f +
    multipliers . g, lower triangle, and match `hessian_rows` and `hessian_columns`. Triplets may
    repeat; repeated ones are added. `variable_name` and `constraint_name` turn a position into what
    a message calls it. Raises ValueError where shapes or positions do not fit.
    """

    lower: Vector
    upper: Vector
    constraint_lower: Vector
    constraint_upper: Vector
    start: Vector
    objective: Callable[[Vector], float]
    gradient: Callable[[Vector], Vector]
    constraints: Callable[[Vector], Vector]
    jacobian_values: Callable[[Vector], Vector]
    jacobian_rows: Index
    jacobian_columns: Index
    hessian_values: Callable[[Vector, Vector, float], Vector]
    hessian_rows: Index
    hessian_columns: Index
    variable_name: Callable[[int], str] = str
    constraint_name: Callable[[int], str] = str

    @property
    def variable_count(self) -> int:
        return len(self.lower)

    @property
    def constraint_count(self) -> int:
        return len(self.constraint_lower)

    def __post_init__(self) -> None:
        count, rows = self.variable_count, self.constraint_count
        if (
            len(self.upper) != count
            or len(self.start) != count
            or len(self.constraint_upper) != rows
        ):
            raise ValueError("bounds and start of a problem have different lengths")
        if np.isnan(
            np.concatenate((self.lower, self.upper, self.constraint_lower, self.constraint_upper))
        ).any():
            raise ValueError("a bound is nan")
        if not np.isfinite(self.start).all():
            raise ValueError("a start value is not finite")
        _check_positions("jacobian", self.jacobian_rows, self.jacobian_columns, rows, count)
        _check_positions("hessian", self.hessian_rows, self.hessian_columns, count, count)
        if (self.hessian_rows < self.hessian_columns).any():
            raise ValueError("hessian entries above the diagonal")


def _check_positions(
    name: str, rows: Index, columns: Index, row_count: int, column_count: int
) -> None:
    if len(rows) != len(columns):
        raise ValueError(f"{name} rows and columns have different lengths")
    if len(rows) and (
        min(rows.min(), columns.min()) < 0
        or rows.max() >= row_count
        or columns.max() >= column_count
    ):
        raise ValueError(f"{name} entries outside of the matrix")


def violation(values: Vector, lower: Vector, upper: Vector) -> float:
    """Largest distance of `values` from [lower, upper], relative to max(1, |bound|); nan where a
    value is nan.
    """
    if not len(values):
        return 0.0
    below = np.where(np.isfinite(lower), lower - values, 0.0) / _size(lower)
    above = np.where(np.isfinite(upper), values - upper, 0.0) / _size(upper)
    worst = float(np.max(np.maximum(0.0, np.maximum(below, above))))
    return worst if np.isfinite(values).all() else np.nan


def _size(bound: Vector) -> Vector:
    size: Vector = np.maximum(1.0, np.where(np.isfinite(bound), np.abs(bound), 1.0))
    return size


def clip_to_bounds(problem: NlpProblem, point: Vector) -> Vector:
    """The nearest point inside the variables' bounds."""
    clipped: Vector = np.minimum(np.maximum(point, problem.lower), problem.upper)
    return clipped


def objective_scale(problem: NlpProblem) -> float:
    """1 / (largest gradient entry of the objective at the start and at two points beside it); 1
    where that is unknown.

    A solver's tolerances are absolute numbers: with an objective of 1e-9 J every point satisfies
    them and the start comes back as optimum. Points beside the start are looked at because a start
    may be stationary by chance.
    """
    width = np.where(
        np.isfinite(problem.upper - problem.lower), problem.upper - problem.lower, np.inf
    )
    step = 0.1 * np.minimum(width, np.maximum(1.0, np.abs(problem.start)))
    largest = 0.0
    for direction in (0.0, 1.0, -1.0):
        with np.errstate(all="ignore"):
            gradient = np.abs(
                problem.gradient(clip_to_bounds(problem, problem.start + direction * step))
            )
        finite = gradient[np.isfinite(gradient)]
        largest = max(largest, float(finite.max(initial=0.0)))
    return float(np.clip(1.0 / largest, 1e-12, 1e12)) if largest > 0.0 else 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reduction:
    """A problem without fixed variables and constant rows, and the way back.

    `free`: kept columns; `rows`: kept rows; `point`: full point holding the values of the fixed
    variables; `padding`: number of unused columns added at the end; `conflict`: why no point can be
    feasible, or empty.
    """

    problem: NlpProblem
    free: Index
    rows: Index
    point: Vector
    padding: int
    conflict: str

    def expand(self, reduced: Vector) -> Vector:
        """The full point of a reduced one."""
        full = self.point.copy()
        full[self.free] = reduced[: len(self.free)]
        return full


def reduce_problem(problem: NlpProblem) -> Reduction:
    """Take out fixed variables, rows that are constant or unbounded, and add columns until they
    outnumber the equalities.
    """
    lower, upper, crossed = _close(problem.lower, problem.upper)
    row_lower, row_upper, rows_crossed = _close(problem.constraint_lower, problem.constraint_upper)
    fixed = lower == upper
    point = np.where(fixed, lower, np.minimum(np.maximum(problem.start, lower), upper))
    touched = np.zeros(problem.constraint_count, dtype=bool)
    touched[problem.jacobian_rows[~fixed[problem.jacobian_columns]]] = True
    bounded = np.isfinite(row_lower) | np.isfinite(row_upper)
    free, rows = np.flatnonzero(~fixed), np.flatnonzero(touched & bounded)
    conflict = _crossing("variable", problem.variable_name, crossed, problem.lower, problem.upper)
    conflict = conflict or _crossing(
        "constraint",
        problem.constraint_name,
        rows_crossed,
        problem.constraint_lower,
        problem.constraint_upper,
    )
    if not conflict and (constant := np.flatnonzero(~touched & bounded)).size:
        conflict = _constant_conflict(problem, point, constant, row_lower, row_upper)
    equalities = int(np.count_nonzero((row_lower == row_upper)[rows]))
    padding = max(0, equalities + 1 - len(free)) if len(free) and equalities else 0
    limits = (lower, upper, row_lower, row_upper)
    unchanged = (
        len(free) == problem.variable_count
        and len(rows) == problem.constraint_count
        and not padding
    )
    reduced = problem
    if not conflict and (not unchanged or crossed.size or rows_crossed.size):
        reduced = _Restriction(problem, free, rows, point, padding).restricted(limits)
    return Reduction(
        problem=reduced, free=free, rows=rows, point=point, padding=padding, conflict=conflict
    )


def _close(lower: Vector, upper: Vector) -> tuple[Vector, Vector, Index]:
    """Bounds with crossings replaced by their middle, and where they crossed."""
    crossed = np.flatnonzero(lower > upper)
    low, high = lower.copy(), upper.copy()
    low[crossed] = high[crossed] = (lower[crossed] + upper[crossed]) / 2.0
    return low, high, crossed


def _crossing(
    kind: str, name: Callable[[int], str], crossed: Index, lower: Vector, upper: Vector
) -> str:
    for position in crossed:
        low, high = lower[position], upper[position]
        if (
            not low - high <= INTERVAL_TOLERANCE * max(1.0, abs(low), abs(high))
            or np.isinf(low)
            or np.isinf(high)
        ):
            return f"bounds of {kind} `{name(int(position))}` cross: {low:g} > {high:g}"
    return ""


def _constant_conflict(
    problem: NlpProblem, point: Vector, constant: Index, low: Vector, high: Vector
) -> str:
    values = problem.constraints(point)
    for row in constant:
        single = slice(row, row + 1)
        if not violation(values[single], low[single], high[single]) <= FEASIBILITY_TOLERANCE:
            return (
                f"constraint `{problem.constraint_name(int(row))}` has no free variable and "
                "is violated: "
                f"{values[row]:g} outside of [{low[row]:g}, {high[row]:g}]"
            )
    return ""


@dataclass(frozen=True, slots=True)
class _Restriction:
    """A problem on the columns `free` and the rows `rows`; the other columns stay at `point`."""

    problem: NlpProblem
    free: Index
    rows: Index
    point: Vector
    padding: int

    def full(self, reduced: Vector) -> Vector:
        """The point of all columns."""
        result = self.point.copy()
        result[self.free] = reduced[: len(self.free)]
        return result

    def spread(self, multipliers: Vector) -> Vector:
        """Multipliers of all rows."""
        result = np.zeros(self.problem.constraint_count)
        result[self.rows] = multipliers
        return result

    def restricted(self, limits: tuple[Vector, Vector, Vector, Vector]) -> NlpProblem:
        """The smaller problem; `limits`: lower and upper ones of all columns, then of all rows."""
        problem, free, rows, full = self.problem, self.free, self.rows, self.full
        lower, upper, row_lower, row_upper = limits
        column_at = _positions(free, problem.variable_count)
        row_at = _positions(rows, problem.constraint_count)
        slopes = (row_at[problem.jacobian_rows], column_at[problem.jacobian_columns])
        curves = (column_at[problem.hessian_rows], column_at[problem.hessian_columns])
        entries, curved = _inside(*slopes), _inside(*curves)
        extra = np.zeros(self.padding)
        return NlpProblem(
            lower=np.concatenate((lower[free], extra - 1.0)),
            upper=np.concatenate((upper[free], extra + 1.0)),
            constraint_lower=row_lower[rows],
            constraint_upper=row_upper[rows],
            start=np.concatenate((self.point[free], extra)),
            objective=lambda reduced: problem.objective(full(reduced)),
            gradient=lambda reduced: np.concatenate((problem.gradient(full(reduced))[free], extra)),
            constraints=lambda reduced: problem.constraints(full(reduced))[rows],
            jacobian_values=lambda reduced: problem.jacobian_values(full(reduced))[entries],
            jacobian_rows=slopes[0][entries],
            jacobian_columns=slopes[1][entries],
            hessian_values=lambda reduced, multipliers, factor: problem.hessian_values(
                full(reduced), self.spread(multipliers), factor
            )[curved],
            hessian_rows=curves[0][curved],
            hessian_columns=curves[1][curved],
            variable_name=lambda column: problem.variable_name(int(free[column])),
            constraint_name=lambda row: problem.constraint_name(int(rows[row])),
        )


def _positions(kept: Index, count: int) -> Index:
    """The new position of each of `count` old ones, -1 for those that are not kept."""
    found = np.full(count, -1)
    found[kept] = np.arange(len(kept))
    return found


def _inside(rows: Index, columns: Index) -> Index:
    """The entries of which row and column are kept."""
    return np.flatnonzero((rows >= 0) & (columns >= 0))
