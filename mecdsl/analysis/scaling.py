"""Powers of two by which columns and rows of an instance are multiplied, so that a solver sees
numbers near one.

Why: the tolerances of solvers are absolute numbers made for data near one, while a model in SI has
1e-15 W of noise beside 1e9 cycles. With a time per bit of 1e-5 s a feasibility tolerance of 1e-6
lets a solver "prove" values below the true optimum, and some drop coefficients below 1e-9 without a
word. A power of two changes exponents only: no digit of the data is rounded.

What is looked at: every linear and quadratic coefficient, the constant of each row, and for rows
above degree two the first-order expansion at a reference point (start values, else a point between
the bounds, else as far from the only bound as the other rows say that the column is large). In
logarithms each number should become 0; typical sizes of the columns are the least-squares answer,
pulled towards the start values and the finite bounds. Each row is then divided by its largest term
at these sizes, its constant included, so that an absolute tolerance means a relative one. Choice:
least squares over all numbers rather than alternating row and column passes, since a product of two
unknown sizes couples them; and sizes of integer columns are estimated like the others although the
columns themselves must keep the factor 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mecdsl.analysis.coefficients import (
    Quadratics,
    constraint_coefficients,
    objective_coefficients,
    plain_families,
    rows_of,
)
from mecdsl.analysis.origins import constants_at
from mecdsl.analysis.propagation.box import box_of, implied_box
from mecdsl.analysis.tightening import solver_rows
from mecdsl.functions.table import TABLE
from mecdsl.instances import jets
from mecdsl.instances.algebra import Floats, Jets, Value
from mecdsl.instances.instance import Instance, difference
from mecdsl.instances.jets import Jet
from mecdsl.instances.tables import FloatArray, IntArray
from mecdsl.model.classes import Degree

START_WEIGHT = 4.0  # a start value is the author's own word on the size of a column
BOUND_WEIGHT = 1.0  # a bound may be far away from every sensible value
NO_BOUND = 1e14  # SI; a bound from here on says "none" and little of the size of its column
FAR_WEIGHT = 0.05  # of such a bound
DAMPING = 1e-2  # a size that nothing determines is 1
ITERATIONS = 100  # of the least-squares solver; only whole powers of two are wanted
LEAST_RANGE = (
    1e-30  # SI; rows that leave a column less than this leave it 0, or contradict each other
)
LEAST_SHARE = 1e-9  # of the declared bounds; less than that is 0 but for rounding, and no size
LEAST_OF_ORIGIN = 2.0**-36  # of an origin: in a clock since 1970 that is 25 ms
LARGEST_POWER = 400.0  # beyond, a product of two factors could leave the range of a double
LARGEST_NUMBER = 1000.0  # of a scaled row or bound, as a power of two; doubles end at 1024
LEAST_COEFFICIENT = (
    2.0**-13
)  # a row of large integers is not divided so far that its coefficients look like zeros


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Scaling:
    """Factors of an instance: `x = origin + column * scaled x`,
    `scaled row = row * (left - right)`.

    `size`: float64[columns], the typical sizes found; `column`: the same, but 1 on integer and
    fixed columns; `row`: float64[rows]; `objective`: the factor of the objective. All are powers of
    two. `before`, `after`: smallest and largest size of a nonzero coefficient (of the expansion at
    the reference point, for rows above degree two); (1, 1) where there is none. `origin`:
    float64[columns] in SI, 0 unless the caller of `scale` gave others.
    """

    size: FloatArray
    column: FloatArray
    row: FloatArray
    objective: float
    before: tuple[float, float]
    after: tuple[float, float]
    origin: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class _Terms:
    """Logarithms (base 2) of the sizes of terms; `first`, `second` are columns or -1 where a term
    has fewer.
    """

    row: IntArray
    first: IntArray
    second: IntArray
    size: FloatArray

    def at(self, columns: FloatArray) -> FloatArray:
        """Sizes where the columns have the given sizes."""
        padded = np.append(columns, 0.0)  # index -1 is the last entry
        return np.asarray(self.size + padded[self.first] + padded[self.second])


def scale(instance: Instance, origin: FloatArray | None = None) -> Scaling:
    """Factors of an instance, found once; the objective counts as one more row.

    `origin`: where the columns count from (`mecdsl.analysis.origins`), by default 0. Raises
    `ModelError` where a coefficient is not finite.
    """
    base = np.zeros(instance.columns) if origin is None else origin
    return instance.facts.get(scale, base.tobytes(), lambda: _scaled(instance, base))


@np.errstate(all="ignore")  # what is not finite is looked for where it is used
def _scaled(instance: Instance, base: FloatArray) -> Scaling:
    rows = instance.rows + 1
    instance = _from_origin(instance, base)
    plain, curved = _plain_terms(instance, base), _degree(instance) > Degree.QUADRATIC
    first = (
        np.exp2(_bounded(_inside(instance, _column_sizes(instance, plain, rows))))
        if curved
        else None
    )
    terms = _terms(instance, plain, first)
    sizes = _column_sizes(instance, terms, rows) if curved else _column_sizes(instance, plain, rows)
    sizes = np.where(base == 0.0, _inside(instance, sizes), sizes)
    # less than that is rounding of data that are as large as the origin
    sizes = np.maximum(
        sizes, np.where(base == 0.0, -np.inf, np.log2(LEAST_OF_ORIGIN * np.abs(base)))
    )
    moving = instance.free & ~instance.integral
    whole = np.maximum(_bounded(sizes), _least_size(instance))
    column = np.where(moving, whole, 0.0)
    coefficients = terms.first >= 0
    scaled = terms.at(column)
    row = _row_powers(terms.row, terms.at(sizes), np.where(coefficients, scaled, -np.inf), rows)
    row = np.maximum(row, _least_whole(instance, terms, scaled, rows))
    row = np.minimum(row, _most(instance, terms, column, rows))
    return Scaling(
        size=np.exp2(whole),
        column=np.exp2(column),
        row=np.exp2(row[:-1]),
        objective=float(np.exp2(row[-1])),
        before=_range(terms.size[coefficients]),
        after=_range((scaled + row[terms.row])[coefficients]),
        origin=base,
    )


def _from_origin(instance: Instance, origin: FloatArray) -> Instance:
    """The instance with its bounds and start values counted from an origin; only their sizes are
    looked at.

    The other bound of a column with an origin, a year hence, says nothing of jobs of 10 ms, and is
    left out.
    """
    if not origin.any():
        return instance
    moved = origin != 0.0
    lower = np.where(moved, -np.inf, instance.lower)
    upper = np.where(moved, np.inf, instance.upper)
    counted = replace(instance, lower=lower, upper=upper, start=instance.start - origin)
    implied_box(instance, whole=False)
    counted.facts.share(instance.facts, box_of)  # of unmoved columns
    return counted


def _bounded(sizes: FloatArray) -> FloatArray:
    return np.asarray(np.clip(np.round(sizes), -LARGEST_POWER, LARGEST_POWER))


def unit_scaling(instance: Instance) -> Scaling:
    """All factors 1 and all origins 0."""
    columns, rows = np.ones(instance.columns), np.ones(instance.rows)
    return Scaling(
        size=columns,
        column=columns,
        row=rows,
        objective=1.0,
        before=(1.0, 1.0),
        after=(1.0, 1.0),
        origin=np.zeros(instance.columns),
    )


def _least_size(instance: Instance) -> FloatArray:
    """Sizes, as logarithms, in which no column has to be beyond the range of a double."""
    nearest = np.maximum(np.maximum(instance.lower, -instance.upper), 0.0)
    nearest = np.where(np.isfinite(nearest), nearest, 0.0)  # infinite: no point at all
    return np.asarray(np.ceil(np.log2(nearest)) - LARGEST_NUMBER)


def _row_powers(
    row: IntArray, terms: FloatArray, coefficients: FloatArray, rows: int
) -> FloatArray:
    """Minus the largest term of each row, unless that would make its largest coefficient tiny."""
    largest_term, largest_coefficient = np.full(rows, -np.inf), np.full(rows, -np.inf)
    np.maximum.at(largest_term, row, terms)
    np.maximum.at(largest_coefficient, row, coefficients)
    power = np.maximum(-largest_term, np.log2(LEAST_COEFFICIENT) - largest_coefficient)
    power = np.where(np.isfinite(largest_coefficient), power, 0.0)
    return np.asarray(np.clip(np.round(power), -2.0 * LARGEST_POWER, 2.0 * LARGEST_POWER))


def _most(instance: Instance, terms: _Terms, column: FloatArray, rows: int) -> FloatArray:
    """The largest power of each row that leaves its numbers in the range of a double, also those of
    the rows and the objective as they are stated, which files hold.
    """
    plain = plain_families(instance)
    stated = _of_quadratics(constraint_coefficients(instance, plain), rows_of(plain))
    largest = np.full(rows, -np.inf)
    for part in (terms, stated, *_goal(instance)):
        np.maximum.at(largest, part.row, part.at(column))
    return np.asarray(LARGEST_NUMBER - np.ceil(largest))


def _least_whole(instance: Instance, terms: _Terms, scaled: FloatArray, rows: int) -> FloatArray:
    """For rows over whole columns alone the power that keeps their least coefficient in sight; -inf
    for others.

    Beside 857100593 the one of `x + 857100593*y >= 2571301781` was a zero for SCIP, whose row is
    short of it.
    """
    whole = np.append(instance.integral | ~instance.free, True)[terms.first] & (terms.second < 0)
    mixed = np.zeros(rows, dtype=bool)
    mixed[terms.row[~whole]] = True
    least = np.full(rows, np.inf)
    entries = np.flatnonzero(terms.first >= 0)
    np.minimum.at(least, terms.row[entries], scaled[entries])
    power = np.where(mixed | ~np.isfinite(least), -np.inf, np.log2(LEAST_COEFFICIENT) - least)
    power[-1] = -np.inf  # the objective
    return np.asarray(np.minimum(np.ceil(power), 2.0 * LARGEST_POWER))


def _range(sizes: FloatArray) -> tuple[float, float]:
    return (float(np.exp2(sizes.min())), float(np.exp2(sizes.max()))) if len(sizes) else (1.0, 1.0)


# Sizes of columns


def _column_sizes(instance: Instance, terms: _Terms, rows: int) -> FloatArray:
    """Typical sizes of the columns, as logarithms.

    Unknowns are the factors of the rows and the sizes of the columns; every term is an equation
    that says 0, every start value and finite bound one that says how large its column is.
    """
    from scipy.sparse import (
        csr_matrix,
    )  # 0.3 s to import, which a model that is only checked need not wait for
    from scipy.sparse.linalg import lsqr

    columns = instance.columns
    if not columns:
        return np.zeros(0)
    count = len(terms.size)
    equation = np.arange(count)
    parts = [(equation, terms.row, np.ones(count))]
    for side in (terms.first, terms.second):
        there = np.flatnonzero(side >= 0)
        parts.append((there, rows + side[there], np.ones(len(there))))
    right = [-terms.size]
    far_weight = (
        FAR_WEIGHT if _degree(instance) <= Degree.LINEAR else 0.0
    )  # a linear program may end at such a bound
    for values, weight in (
        (instance.start, START_WEIGHT),
        (instance.lower, BOUND_WEIGHT),
        (instance.upper, BOUND_WEIGHT),
    ):
        stated = np.flatnonzero(np.isfinite(values) & (values != 0.0) & instance.free)
        weights = np.where(np.abs(values[stated]) < NO_BOUND, weight, far_weight)
        parts.append((count + np.arange(len(stated)), rows + stated, weights))
        right.append(weights * np.log2(np.abs(values[stated])))
        count += len(stated)
    matrix = csr_matrix(
        (
            np.concatenate([entries[2] for entries in parts]),
            (
                np.concatenate([entries[0] for entries in parts]),
                np.concatenate([entries[1] for entries in parts]),
            ),
        ),
        shape=(count, rows + columns),
    )
    solution = lsqr(
        matrix, np.concatenate(right), damp=DAMPING, atol=1e-4, btol=1e-4, iter_lim=ITERATIONS
    )[0]
    return np.asarray(solution[rows:], dtype=np.float64)


def _inside(instance: Instance, sizes: FloatArray) -> FloatArray:
    """Sizes, as logarithms, no larger than any value that the rows leave a column.

    A time without a bound of its own was taken for 1024 s where a row leaves it 0.25 s: a solver
    then keeps `time >= 0` to a thousandth of its values.
    """
    box = implied_box(instance, whole=False)
    most = np.maximum(np.abs(box.lower), np.abs(box.upper))
    stated = np.abs(
        np.where(
            np.isfinite((instance.lower, instance.upper)), (instance.lower, instance.upper), 0.0
        )
    )
    bounded = (
        np.isfinite(most)
        & (most > np.maximum(LEAST_RANGE, LEAST_SHARE * stated.max(axis=0)))
        & instance.free
    )
    return np.where(bounded, np.minimum(sizes, np.log2(np.where(bounded, most, 1.0))), sizes)


def reference_point(instance: Instance, size: FloatArray | None = None) -> FloatArray:
    """Start values; where none is given, a point between the bounds or as far from the only one as
    it is large.

    A bound that is not declared is the one that the rows imply.

    `size`: float64[columns], how far columns are from their only bound at least, by default one SI
    unit.
    """
    step = np.ones(instance.columns) if size is None else size
    box = implied_box(instance, whole=False)
    left = np.maximum(np.abs(box.lower), np.abs(box.upper)) > LEAST_RANGE
    low = np.where(left & (instance.lower <= -NO_BOUND), box.lower, instance.lower)
    high = np.where(left & (instance.upper >= NO_BOUND), box.upper, instance.upper)
    # a bound that is infinite the wrong way leaves no point, and says nothing of where to look
    low = np.where((low <= -NO_BOUND) | np.isposinf(low), -np.inf, low)
    high = np.where((high >= NO_BOUND) | np.isneginf(high), np.inf, high)
    with np.errstate(invalid="ignore", over="ignore"):
        inside = np.where(low > 0.0, np.sqrt(low) * np.sqrt(high), 0.5 * low + 0.5 * high)
        inside = np.where(np.isposinf(high), low + np.maximum(step, np.abs(low)), inside)
        inside = np.where(np.isneginf(low), high - np.maximum(step, np.abs(high)), inside)
    inside = np.where(np.isneginf(low) & np.isposinf(high), step, inside)
    return instance.complete(np.where(np.isnan(instance.start), inside, instance.start))


# Terms of objective and constraints


class Slopes(Jets):
    """First derivatives, also of a minimum or maximum: of the part that is extreme at the point."""

    def __init__(self, x: FloatArray, free: NDArray[np.bool_]) -> None:
        super().__init__(x, 1, free)

    def call(self, name: str, arguments: Sequence[Value]) -> Value:
        if name not in ("min", "max"):
            return super().call(name, arguments)
        expansion = TABLE[name].expansion  # at a tie the middle of the slopes
        assert expansion is not None
        return expansion.build(lambda inner, parts: jets.call(inner, *parts), *arguments)

    def segment_extreme(self, name: str, value: Value, parent: IntArray, size: int) -> Value:
        if not isinstance(value, Jet):
            return Floats().segment_extreme(name, value, parent, size)
        order = np.lexsort((value.value if name == "max" else -value.value, parent))
        return value.take(order[np.searchsorted(parent[order], np.arange(size), side="right") - 1])


def _plain_terms(instance: Instance, origin: FloatArray) -> _Terms:
    """The terms of rows of degree two or less, and of such an objective, with columns that count
    from an origin.
    """
    plain = plain_families(instance)
    rows = solver_rows(instance, plain)
    found = [_of_quadratics(replace(rows, constant=constants_at(rows, origin)), rows_of(plain))]
    # an offset of the objective says nothing about its slopes
    return _joined([*found, *map(_without_constants, _goal(instance))])


def _goal(instance: Instance) -> list[_Terms]:
    """The terms of an objective of degree two or less, its offset among them."""
    if _objective_degree(instance) > Degree.QUADRATIC:
        return []
    last = np.array([instance.rows], dtype=np.int64)
    return [_of_quadratics(objective_coefficients(instance), last)]


def _objective_degree(instance: Instance) -> Degree:
    return instance.goal.shape.degree


def _degree(instance: Instance) -> Degree:
    """The highest degree of objective and rows."""
    degrees = [family.shape.degree for family in instance.constraints if family.size]
    return max([_objective_degree(instance), *degrees])


def _terms(instance: Instance, plain: _Terms, size: FloatArray | None) -> _Terms:
    """All terms; `size`: of the columns as far as the plain rows know them."""
    terms = [plain]
    curved = [family for family in instance.constraints if family.shape.degree > Degree.QUADRATIC]
    evaluator = instance.evaluator(Slopes(reference_point(instance, size), instance.free))
    with np.errstate(all="ignore"):
        if _objective_degree(instance) > Degree.QUADRATIC:
            last = np.array([instance.rows], dtype=np.int64)
            terms.append(_without_constants(_of_jet(instance.goal.value(evaluator), last)))
        terms += [_of_jet(difference(evaluator, family), rows_of([family])) for family in curved]
    return _joined(terms)


def _joined(found: Sequence[_Terms]) -> _Terms:
    return _Terms(
        np.concatenate([part.row for part in found]),
        np.concatenate([part.first for part in found]),
        np.concatenate([part.second for part in found]),
        np.concatenate([part.size for part in found]),
    )


def _of_quadratics(found: Quadratics, rows: IntArray) -> _Terms:
    none = np.full(found.size, -1)
    return _sized(
        np.concatenate([rows, rows[found.row], rows[found.quadratic_row]]),
        np.concatenate([none, found.column, found.first]),
        np.concatenate([none, np.full(len(found.row), -1), found.second]),
        np.concatenate([found.constant, found.value, found.quadratic_value]),
    )


def _of_jet(value: Value, rows: IntArray) -> _Terms:
    """Slopes at the reference point; the constant is left out, since it is a difference of unlike
    things there.
    """
    if not isinstance(value, Jet):
        return _sized(rows[:0], rows[:0], rows[:0], np.zeros(0))
    slope = value.gradient
    return _sized(rows[slope.rows], slope.columns[0], np.full(len(slope.rows), -1), slope.values)


def _sized(row: IntArray, first: IntArray, second: IntArray, value: FloatArray) -> _Terms:
    kept = np.flatnonzero(np.isfinite(value) & (value != 0.0))
    return _Terms(row[kept], first[kept], second[kept], np.log2(np.abs(value[kept])))


def _without_constants(terms: _Terms) -> _Terms:
    kept = np.flatnonzero(terms.first >= 0)
    return _Terms(terms.row[kept], terms.first[kept], terms.second[kept], terms.size[kept])
