"""Starts of Ipopt, off the points where a function has no derivative.

Ipopt ends at once where a derivative is not finite at its first point: `distance(a, b)` with a on
b, `sqrt(x - y)` with x = y. The variables of such an entry are moved by as little as helps, and the
answer says so. What lies on a bound is moved inside by Ipopt itself, so the start is looked at as
Ipopt would take it.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from mecdsl.backends.nlp.local_program import LocalProgram
from mecdsl.backends.nlp.problem import Index, NlpProblem, Vector
from mecdsl.instances.tables import FloatArray

PUSH: Final = 1e-2  # Ipopt's `bound_push` and `bound_frac`
STEPS: Final = (
    1e-3,
    -1e-3,
    1e-2,
    -1e-2,
    1e-1,
    -1e-1,
)  # of the typical size of a variable, or of its value


def smooth_start(local: LocalProgram, start: FloatArray, seed: int) -> tuple[FloatArray, str]:
    """The start, moved if a derivative is not finite there, and what was moved, in words, or empty.

    `start`: float64[columns of the instance]. Where no move helps it is returned as it is.
    """
    problem = local.started_at(start)
    z = _pushed(problem, problem.start)
    columns, place = _without_derivative(problem, z)
    if not len(columns):
        return start, ""
    generator = np.random.default_rng(seed)
    direction = np.where(generator.random(len(columns)) < 0.5, -1.0, 1.0) * generator.uniform(
        0.5, 1.0, len(columns)
    )
    for step in STEPS:
        moved = z.copy()
        moved[columns] += step * direction * np.maximum(1.0, np.abs(z[columns]))
        moved = _pushed(problem, moved)
        if not len(_without_derivative(problem, moved)[0]):
            return _told(local, start, moved, columns, place)
    return start, ""


def _told(
    local: LocalProgram, start: FloatArray, moved: Vector, columns: Index, place: str
) -> tuple[FloatArray, str]:
    result = start.copy()
    here = local.reduced.columns[columns]
    result[here] = local.reduced.point(moved)[here]
    name = local.problem.variable_name(int(columns[0]))
    more = f" and of {len(columns) - 1} more" if len(columns) > 1 else ""
    first = int(here[0])
    text = (
        f"{place} has no derivative at the start: the start value {start[first]:.6g} of "
        f"`{name}`{more} was moved"
    )
    return result, f"{text} by {result[first] - start[first]:.2g} in SI"


def _pushed(problem: NlpProblem, z: Vector) -> Vector:
    """The point as Ipopt takes it: off the bounds."""
    with np.errstate(invalid="ignore"):
        width = PUSH * (problem.upper - problem.lower)
        low = problem.lower + np.minimum(PUSH * np.maximum(1.0, np.abs(problem.lower)), width)
        high = problem.upper - np.minimum(PUSH * np.maximum(1.0, np.abs(problem.upper)), width)
    low = np.where(np.isfinite(problem.lower), low, -np.inf)
    high = np.where(np.isfinite(problem.upper), high, np.inf)
    return np.minimum(np.maximum(z, low), np.maximum(low, high))


def _without_derivative(problem: NlpProblem, z: Vector) -> tuple[Index, str]:
    """The columns of entries that are not finite, and the row of the first, in words."""
    with np.errstate(all="ignore"):
        gradient = ~np.isfinite(problem.gradient(z))
        entries = ~np.isfinite(problem.jacobian_values(z))
        rows: NDArray[np.bool_] = ~np.isfinite(problem.constraints(z))
    entries |= rows[problem.jacobian_rows]
    bad = np.flatnonzero(entries)
    columns = np.union1d(np.flatnonzero(gradient), problem.jacobian_columns[bad]).astype(np.int64)
    place = (
        f"`{problem.constraint_name(int(problem.jacobian_rows[bad[0]]))}`"
        if len(bad)
        else "the objective"
    )
    return columns, place
