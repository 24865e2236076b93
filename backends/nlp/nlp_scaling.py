"""Powers of two for columns, rows and objective of a nonlinear problem that comes without units or
sizes.

Why: tolerances of Ipopt and Bonmin are absolute numbers for data near one, and Ipopt's own scaling
leaves columns as they are and makes nothing larger. A row in 1e-12 W is then met by every point,
one in 1e12 bit by none. What is known about sizes: start values, finite bounds, right-hand sides,
and the first derivatives at a reference point. In logarithms each term of a row should become 0;
least squares gives the sizes, as in `mecdsl.analysis.scaling` for instances. Powers of two round
nothing. A problem whose numbers are near one stays as it is.
"""

from dataclasses import dataclass, replace
from typing import Any

import casadi as ca
import numpy as np
from numpy.typing import NDArray

from mecdsl.backends.nlp.casadi_derivatives import SymbolicNlp
from mecdsl.backends.nlp.problem import Index, NlpProblem, Vector

NEAR_ONE = (2.0**-10, 2.0**13)  # sizes and slopes inside need no factor
NO_BOUND = 1e14  # a bound from here on says "none" and little of the size of its column
START_WEIGHT = 4.0  # a start value is the author's own word on the size of a column
DAMPING = 1e-2  # a size that nothing determines is 1
LARGEST_POWER = 300.0
PASSES = 12  # sizes found at one reference point give the next


@dataclass(frozen=True, slots=True, eq=False)
class NlpScaling:
    """`x = column * scaled x`; a row is multiplied by `row`, the objective by `objective`.

    `column` has shape (n,) and is 1 for integers and fixed columns, `row` shape (m,); all are
    powers of two.
    """

    column: Vector
    row: Vector
    objective: float

    @property
    def changes(self) -> bool:
        """Whether any factor differs from 1."""
        parts = (self.column, self.row, np.array([self.objective]))
        return any(bool((part != 1.0).any()) for part in parts)

    def multipliers(self, scaled: Vector) -> Vector:
        """Multipliers of the rows from those of the scaled ones."""
        return np.asarray(scaled * self.row / self.objective)


def no_scaling(problem: NlpProblem) -> NlpScaling:
    """All factors 1."""
    return NlpScaling(np.ones(problem.variable_count), np.ones(problem.constraint_count), 1.0)


def find_scaling(problem: NlpProblem, integer: NDArray[np.bool_]) -> NlpScaling:
    """Factors of a problem; all 1 where its numbers are near one."""
    moving = (problem.lower != problem.upper) & ~integer
    terms, sizes = _settled(problem)
    column = np.where(moving, sizes, 0.0)
    powers = _row_powers(terms, sizes, column, problem.constraint_count + 1)
    if _near_one(terms, sizes[moving], powers):
        return no_scaling(problem)
    row = np.exp2(powers[:-1])
    return NlpScaling(np.exp2(column), row, float(np.exp2(powers[-1])))


def scaled_symbolic(symbolic: SymbolicNlp, scaling: NlpScaling) -> SymbolicNlp:
    """The same functions of the scaled columns; nothing is differentiated again."""
    parts = [
        *(symbolic.objective, symbolic.gradient, symbolic.constraints),
        *(symbolic.jacobian_values, symbolic.hessian_values),
    ]
    x, weights, factor = symbolic.variables, symbolic.multipliers, symbolic.objective_factor
    functions = ca.Function("unscaled", [x, weights, factor], parts)
    column, row, goal = ca.DM(scaling.column), ca.DM(scaling.row), scaling.objective
    f, gradient, g, slopes, curvature = functions(column * x, row * weights, goal * factor)
    rows, columns = symbolic.jacobian_rows, symbolic.jacobian_columns
    first, second = scaling.column[symbolic.hessian_rows], scaling.column[symbolic.hessian_columns]
    return replace(
        symbolic,
        objective=goal * f,
        gradient=ca.densify(goal * column * gradient),
        constraints=ca.densify(row * g),
        jacobian_values=_times(slopes, scaling.row[rows] * scaling.column[columns]),
        hessian_values=_times(curvature, first * second),
    )


def _times(values: Any, factors: Vector) -> Any:
    return ca.densify(ca.DM(factors) * values) if len(factors) else values


# What is known about sizes


def _settled(problem: NlpProblem) -> "tuple[_Terms, Vector]":
    """Terms and sizes that agree: slopes of a product depend on the point, and the point on the
    sizes.

    Half of each step is taken, since too small a size of one factor asks for too large a one of the
    other.
    """
    sizes = np.zeros(problem.variable_count)
    for number in range(PASSES):
        terms = _terms(problem, _reference(problem, np.exp2(sizes)))
        found = np.clip(_column_sizes(problem, terms), -LARGEST_POWER, LARGEST_POWER)
        step = found - sizes
        sizes = sizes + (0.5 if number else 1.0) * step
        if number and float(np.max(np.abs(step), initial=0.0)) < 1.0:
            break
    return terms, np.round(sizes)


@dataclass(frozen=True, slots=True, eq=False)
class _Terms:
    """Logarithms (base 2) of terms of the rows, the objective last; `column` is -1 for a right-hand
    side.
    """

    row: Index
    column: Index
    size: Vector


def _reference(problem: NlpProblem, size: Vector) -> Vector:
    """Start values; where they are 0, a point between the bounds or as far from the only one as the
    column is large.
    """
    low = np.where(problem.lower <= -NO_BOUND, -np.inf, problem.lower)
    high = np.where(problem.upper >= NO_BOUND, np.inf, problem.upper)
    with np.errstate(invalid="ignore", over="ignore"):
        inside = np.where(
            low > 0.0,
            np.sqrt(np.maximum(low, 0.0)) * np.sqrt(np.maximum(high, 0.0)),
            0.5 * low + 0.5 * high,
        )
        inside = np.where(np.isposinf(high), low + np.maximum(size, np.abs(low)), inside)
        inside = np.where(np.isneginf(low), high - np.maximum(size, np.abs(high)), inside)
    inside = np.where(np.isneginf(low) & np.isposinf(high), size, inside)
    chosen = np.where(problem.start != 0.0, problem.start, inside)
    return np.clip(chosen, problem.lower, problem.upper)


def _terms(problem: NlpProblem, point: Vector) -> _Terms:
    rows = problem.constraint_count
    with np.errstate(all="ignore"):
        slopes, gradient = problem.jacobian_values(point), problem.gradient(point)
    row = [problem.jacobian_rows, np.full(len(gradient), rows)]
    column = [problem.jacobian_columns, np.arange(len(gradient))]
    value = [slopes, gradient]
    for bound in (problem.constraint_lower, problem.constraint_upper):
        row.append(np.arange(rows))
        column.append(np.full(rows, -1))
        value.append(bound)
    values = np.abs(np.concatenate(value))
    kept = np.flatnonzero(np.isfinite(values) & (values > 0.0))
    return _Terms(np.concatenate(row)[kept], np.concatenate(column)[kept], np.log2(values[kept]))


def _column_sizes(problem: NlpProblem, terms: _Terms) -> Vector:
    """Sizes of the columns: every term is an equation that says 0, every start and bound one about
    its column.
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.linalg import lsqr

    rows, columns, count = problem.constraint_count + 1, problem.variable_count, len(terms.size)
    if not columns:
        return np.zeros(0)
    known = np.flatnonzero(terms.column >= 0)
    equation = [np.arange(count), known]
    unknown = [terms.row, rows + terms.column[known]]
    weight = [np.ones(count), np.ones(len(known))]
    right = [-terms.size]
    for values, told_weight in (
        (problem.start, START_WEIGHT),
        (problem.lower, 1.0),
        (problem.upper, 1.0),
    ):
        told = np.flatnonzero((values != 0.0) & (np.abs(values) < NO_BOUND))
        equation.append(count + np.arange(len(told)))
        unknown.append(rows + told)
        weight.append(np.full(len(told), told_weight))
        right.append(told_weight * np.log2(np.abs(values[told])))
        count += len(told)
    entries = (np.concatenate(weight), (np.concatenate(equation), np.concatenate(unknown)))
    matrix = csr_matrix(entries, shape=(count, rows + columns))
    found = lsqr(matrix, np.concatenate(right), damp=DAMPING, atol=1e-4, btol=1e-4, iter_lim=100)[0]
    return np.asarray(found[rows:], dtype=np.float64)


def _row_powers(terms: _Terms, sizes: Vector, column: Vector, rows: int) -> Vector:
    """Minus the largest term of each row at the sizes found, in which integers have theirs although
    no factor.
    """
    at = terms.size + np.append(sizes, 0.0)[terms.column]
    largest, slope = np.full(rows, -np.inf), np.full(rows, -np.inf)
    np.maximum.at(largest, terms.row, at)
    moves = terms.column >= 0
    np.maximum.at(
        slope, terms.row[moves], (terms.size + np.append(column, 0.0)[terms.column])[moves]
    )
    power = np.maximum(
        -largest, np.log2(NEAR_ONE[0]) - slope
    )  # no coefficient shall look like zero
    power = np.where(np.isfinite(slope), power, 0.0)
    return np.asarray(np.clip(np.round(power), -2.0 * LARGEST_POWER, 2.0 * LARGEST_POWER))


def _near_one(terms: _Terms, sizes: Vector, powers: Vector) -> bool:
    low, high = np.log2(NEAR_ONE)
    slopes = terms.size[terms.column >= 0]
    return all(
        bool(((part >= low) & (part <= high)).all()) for part in (slopes, sizes, -powers[:-1])
    )
