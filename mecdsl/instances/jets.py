"""First and second derivatives of a family of expressions, forward mode, all rows at once.

A family is an array of n rows; each row is a scalar expression of the decision vector x in R^N and
touches few of its columns. The evaluator walks the one expression template with Python operators,
on plain arrays for values or on `Jet`s for values and derivatives. Evaluated at x = 0, a template
of degree two or less has its constant in the value, its linear coefficients in the gradient and its
quadratic coefficients in the Hessian.

Hessian convention: entries (row, column1, column2, value) with column1 >= column2. The Hessian of a
row is the sum of its entries, an off-diagonal entry standing for both symmetric positions. In a
quadratic, an entry h at (i, j), i > j, is thus the term h x_i x_j, and an entry d at (i, i) the
term d/2 x_i^2.

The sequence of entries depends on the template, the index tables, the free columns and exponents
equal to 0 or 1 in all rows; never on x.

Choice: forward rather than reverse mode, because a row has a handful of columns but a family has
10^5 rows: index arithmetic over all rows replaces a tape. The price is p(p+1)/2 Hessian entries for
a function of a sum of p terms, which is the size of the true Hessian of that row anyway.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Union

import numpy as np
import numpy.typing as npt

from mecdsl.functions.function import Univariate
from mecdsl.functions.table import TABLE
from mecdsl.instances.sparse_rows import (
    Factor,
    FloatArray,
    IntArray,
    Pattern,
    SparseRows,
    add_rows,
    mixed_outer,
    quiet,
    self_outer,
    stack_rows,
)

Plain = float | FloatArray
Operand = Union["Jet", float, FloatArray]
Derivatives = tuple[FloatArray, FloatArray, FloatArray]


@dataclass(frozen=True, slots=True, eq=False)
class Jet:
    """Values of n rows with their derivatives by x; operators mix it with floats and float64[n]
    arrays.

    value: float64[n]. gradient: sparse rows with one column per entry. hessian: sparse rows with
    two columns per entry, first >= second (see the module); None at order 1.
    """

    value: FloatArray
    gradient: SparseRows
    hessian: SparseRows | None

    # Makes `array + jet` come to Jet.__radd__ instead of being tried element by element.
    __array_ufunc__: ClassVar[None] = None

    def __post_init__(self) -> None:
        if self.value.shape != (self.gradient.size,):
            raise ValueError(
                f"expected values of {self.gradient.size} rows, found shape {self.value.shape}"
            )

    @classmethod
    def variables(
        cls, x: FloatArray, columns: IntArray, order: int, free: npt.NDArray[np.bool_] | None = None
    ) -> "Jet":
        """Rows x[columns]; columns with free[column] False (fixed variables, bool[N]) have no
        derivative.
        """
        _check_order(order)
        _check_index(columns, x.size)
        moving = np.ones(columns.size, dtype=np.bool_) if free is None else free[columns]
        pointer = np.concatenate([[0], np.cumsum(moving)]).astype(np.int64)
        entries = columns[moving]
        gradient = SparseRows.ragged(pointer, (entries,), np.ones(entries.size))
        return cls(x[columns], gradient, SparseRows.empty(columns.size, 2) if order == 2 else None)

    @classmethod
    def constant(cls, values: FloatArray, order: int) -> "Jet":
        """Rows that do not depend on x."""
        _check_order(order)
        second = SparseRows.empty(values.size, 2) if order == 2 else None
        return cls(np.asarray(values, dtype=np.float64), SparseRows.empty(values.size, 1), second)

    @staticmethod
    def concatenate(jets: Sequence["Jet"]) -> "Jet":
        """The rows of all jets below each other; ValueError if there is none or orders differ."""
        if not jets:
            raise ValueError("expected at least one jet to concatenate, found none")
        hessians = [jet.hessian for jet in jets if jet.hessian is not None]
        if len(hessians) not in (0, len(jets)):
            raise ValueError("expected jets of one order, found orders 1 and 2")
        gradient = stack_rows([jet.gradient for jet in jets])
        hessian = stack_rows(hessians) if hessians else None
        return Jet(np.concatenate([jet.value for jet in jets]), gradient, hessian)

    @property
    def size(self) -> int:
        """Number of rows n."""
        return self.value.size

    @property
    def order(self) -> int:
        """Highest order of derivatives carried, 1 or 2."""
        return 1 if self.hessian is None else 2

    def apply(self, value: FloatArray, first: Factor, second: Factor | None = None) -> "Jet":
        """f(u) from the values of f, f', f'' at u in each row; second=None: f is linear in each
        row.

        grad f(u) = f' grad u, and Hess f(u) = f' Hess u + f'' grad u grad u^T.
        """
        with quiet():
            hessian = None
            if self.hessian is not None:
                parts = [self.hessian.scale(first)]
                if second is not None:
                    parts.append(self_outer(self.gradient, second))
                hessian = add_rows(parts)
            return Jet(value, self.gradient.scale(first), hessian)

    def take(self, index: IntArray) -> "Jet":
        """Rows `index` (int64[m], repetition allowed); IndexError outside 0..n-1."""
        _check_index(index, self.size)
        hessian = None if self.hessian is None else self.hessian.take(index)
        return Jet(self.value[index], self.gradient.take(index), hessian)

    def __getitem__(self, index: IntArray) -> "Jet":
        return self.take(index)

    def segment_sum(self, parent: IntArray, size: int) -> "Jet":
        """`size` rows, row r the sum of the rows with parent r (0 if none); IndexError outside
        0..size-1.
        """
        value = _sum_segments(self.value, parent, size)
        hessian = None if self.hessian is None else self.hessian.segment_sum(parent, size)
        return Jet(value, self.gradient.segment_sum(parent, size), hessian)

    def segment_prod(self, parent: IntArray, size: int) -> "Jet":
        """`size` rows, row r the product of the rows whose parent is r (1 if none).

        One step per position within a segment, over all segments at once: meant for few factors.
        """
        _check_index(parent, size)
        _check_size(parent.size, self.size)
        ordered = np.argsort(parent, kind="stable")
        counts = np.bincount(parent, minlength=size)
        first = np.cumsum(counts) - counts
        active = np.flatnonzero(counts)
        done: list[tuple[IntArray, Operand]] = [(np.flatnonzero(counts == 0), 1.0)]
        product = self.take(ordered[first[active]])
        for position in range(1, int(counts.max(initial=0)) + 1):
            more = counts[active] > position
            done.append((active[~more], product.take(np.flatnonzero(~more))))
            active = active[more]
            product = product.take(np.flatnonzero(more)) * self.take(
                ordered[first[active] + position]
            )
        return merge(size, done, self.order)

    def __neg__(self) -> "Jet":
        return self.apply(-self.value, -1.0)

    def __add__(self, other: Operand) -> "Jet":
        with quiet():
            if isinstance(other, Jet):
                return apply2(
                    self,
                    other,
                    value=self.value + other.value,
                    by_u=1.0,
                    by_v=1.0,
                    by_uu=None,
                    by_uv=None,
                    by_vv=None,
                )
            return self.apply(self.value + _plain(other, self.size), 1.0)

    __radd__ = __add__

    def __sub__(self, other: Operand) -> "Jet":
        with quiet():
            if isinstance(other, Jet):
                return apply2(
                    self,
                    other,
                    value=self.value - other.value,
                    by_u=1.0,
                    by_v=-1.0,
                    by_uu=None,
                    by_uv=None,
                    by_vv=None,
                )
            return self.apply(self.value - _plain(other, self.size), 1.0)

    def __rsub__(self, other: Plain) -> "Jet":
        with quiet():
            return self.apply(_plain(other, self.size) - self.value, -1.0)

    def __mul__(self, other: Operand) -> "Jet":
        with quiet():
            if isinstance(other, Jet):
                product = self.value * other.value
                return apply2(
                    self,
                    other,
                    value=product,
                    by_u=other.value,
                    by_v=self.value,
                    by_uu=None,
                    by_uv=1.0,
                    by_vv=None,
                )
            factor = _plain(other, self.size)
            return self.apply(self.value * factor, factor)

    __rmul__ = __mul__

    def __truediv__(self, other: Operand) -> "Jet":
        with quiet():
            if not isinstance(other, Jet):
                divisor = _plain(other, self.size)
                return self.apply(self.value / divisor, np.divide(1.0, divisor))
            inverse = 1.0 / other.value
            ratio = self.value / other.value
            slope = -ratio * inverse
            return apply2(
                self,
                other,
                value=ratio,
                by_u=inverse,
                by_v=slope,
                by_uu=None,
                by_uv=-inverse * inverse,
                by_vv=-2.0 * slope * inverse,
            )

    def __rtruediv__(self, other: Plain) -> "Jet":
        with quiet():
            ratio = _plain(other, self.size) / self.value
            slope = -ratio / self.value
            return self.apply(ratio, slope, -2.0 * slope / self.value)

    def __pow__(self, exponent: Operand) -> "Jet":
        if isinstance(exponent, Jet):
            return _power(self, exponent)
        power = _plain(exponent, self.size)
        if bool(np.all(power == 0.0)):
            return Jet.constant(np.ones(self.size), self.order)
        if bool(np.all(power == 1.0)):
            return self
        with quiet():
            if bool(np.all(power == 2.0)):
                return self.apply(self.value * self.value, 2.0 * self.value, 2.0)
            return self.apply(*_power_terms(self.value, power))

    def __rpow__(self, base: Plain) -> "Jet":
        plain = _plain(base, self.size)
        with quiet():
            value = np.power(plain, self.value)
            # where a^u is 0 so are its derivatives, although ln a may be infinite (base 0)
            rate = np.where(value == 0.0, 0.0, np.log(plain))
            return self.apply(value, value * rate, value * rate * rate)


def apply2(
    u: Operand,
    v: Operand,
    value: FloatArray,
    by_u: Factor,
    by_v: Factor,
    by_uu: Factor | None,
    by_uv: Factor | None,
    by_vv: Factor | None,
) -> Jet:
    """f(u, v) from the values and partial derivatives of f in each row; None: the second derivative
    is zero.

    grad f = f_u grad u + f_v grad v
    Hess f = f_u Hess u + f_v Hess v
             + f_uu grad u grad u^T + f_uv (grad u grad v^T + grad v grad u^T) + f_vv grad v grad
             v^T

    One of u, v may be plain; TypeError if both are. ValueError if orders or numbers of rows differ.
    """
    if not isinstance(u, Jet):
        if not isinstance(v, Jet):
            raise TypeError("expected a jet among the arguments, found plain values only")
        return v.apply(value, by_v, by_vv)
    if not isinstance(v, Jet):
        return u.apply(value, by_u, by_uu)
    _check_size(v.size, u.size)
    if u.order != v.order:
        raise ValueError(f"expected jets of one order, found orders {u.order} and {v.order}")
    with quiet():
        gradient = add_rows([u.gradient.scale(by_u), v.gradient.scale(by_v)])
        if u.hessian is None or v.hessian is None:
            return Jet(value, gradient, None)
        parts = [u.hessian.scale(by_u), v.hessian.scale(by_v)]
        if by_uu is not None:
            parts.append(self_outer(u.gradient, by_uu))
        if by_uv is not None:
            parts.append(mixed_outer(u.gradient, v.gradient, by_uv))
        if by_vv is not None:
            parts.append(self_outer(v.gradient, by_vv))
        return Jet(value, gradient, add_rows(parts))


def segment_sum(operand: Jet | FloatArray, parent: IntArray, size: int) -> Jet | FloatArray:
    """`Jet.segment_sum` for a jet or a float64[n] array."""
    if isinstance(operand, Jet):
        return operand.segment_sum(parent, size)
    return _sum_segments(operand, parent, size)


def segment_prod(operand: Jet | FloatArray, parent: IntArray, size: int) -> Jet | FloatArray:
    """`Jet.segment_prod` for a jet or a float64[n] array."""
    if isinstance(operand, Jet):
        return operand.segment_prod(parent, size)
    _check_index(parent, size)
    _check_size(parent.size, operand.size)
    result = np.ones(size)
    np.multiply.at(result, parent, operand)
    return result


def merge(size: int, parts: Sequence[tuple[IntArray, Operand]], order: int) -> Jet:
    """`size` rows put together from parts: row index[k] is row k of the part (a jet, an array or
    one float).

    The branches of an `if` come back together here. ValueError unless each row is given exactly
    once.
    """
    jets = [Jet.constant(np.empty(0), order)]
    for index, operand in parts:
        _check_index(index, size)
        jet = (
            operand
            if isinstance(operand, Jet)
            else Jet.constant(_filled(operand, index.size), order)
        )
        _check_size(jet.size, index.size)
        jets.append(jet)
    places = np.concatenate([np.empty(0, dtype=np.int64), *(index for index, _ in parts)])
    given = np.bincount(places, minlength=size)
    if bool((given != 1).any()):
        row = int(np.flatnonzero(given != 1)[0])
        raise ValueError(
            f"expected each row in one part, found row {row} in {int(given[row])} parts"
        )
    source = np.empty(size, dtype=np.int64)
    source[places] = np.arange(size, dtype=np.int64)
    return Jet.concatenate(jets).take(source)


def extreme(name: str, operands: Sequence[Operand], size: int, order: int) -> Jet:
    """`min` or `max` of several, row by row; where some are equal the derivatives are those of the
    first.
    """
    every = [
        Jet.constant(_filled(o, size), order) if not isinstance(o, Jet) else o for o in operands
    ]
    parent = np.tile(np.arange(size, dtype=np.int64), len(every))
    return segment_extreme(name, Jet.concatenate(every), parent, size)


def segment_extreme(name: str, operand: Jet, parent: IntArray, size: int) -> Jet:
    """Row r is the smallest or largest row with parent r, the first of equal ones; no segment is
    empty.

    A row that is no number wins, as it does in NumPy.
    """
    key = operand.value if name == "min" else -operand.value
    key = np.where(np.isnan(key), -np.inf, key)
    order = np.lexsort((key, parent))
    return operand.take(order[np.searchsorted(parent[order], np.arange(size))])


def call(name: str, *operands: Operand) -> Jet | FloatArray:
    """A function of the language of jets or of plain values; KeyError for a name that is none."""
    row = TABLE[name]
    if not any(isinstance(operand, Jet) for operand in operands):
        with quiet():
            return row.value(*(np.asarray(operand, dtype=np.float64) for operand in operands))
    if isinstance(row, Univariate):
        (argument,) = operands
        assert isinstance(argument, Jet)
        return argument.apply(*row.derivatives(argument.value))
    if row.partials is None:
        size, order = next((o.size, o.order) for o in operands if isinstance(o, Jet))
        return extreme(name, operands, size, order)
    u, v = operands
    return apply2(u, v, *row.partials(_values(u), _values(v)))


def _values(operand: Operand) -> FloatArray:
    return np.asarray(operand.value if isinstance(operand, Jet) else operand, dtype=np.float64)


def _power(u: Jet, v: Jet) -> Jet:
    """u^v = exp(v ln u), for u >= 0; where a power of u is 0 it wins over the infinite ln u."""
    with quiet():
        value, by_u, by_uu = _power_terms(u.value, v.value)
        lower = np.power(u.value, v.value - 1.0)
        logarithm = np.log(u.value)
        rate = np.where(value == 0.0, 0.0, logarithm)
        by_uv = lower * (1.0 + np.where(lower == 0.0, 0.0, v.value * logarithm))
        return apply2(
            u,
            v,
            value=value,
            by_u=by_u,
            by_v=value * rate,
            by_uu=by_uu,
            by_uv=by_uv,
            by_vv=value * rate * rate,
        )


def _power_terms(base: FloatArray, power: Plain) -> Derivatives:
    """base^p and its first two derivatives; a vanishing coefficient gives 0, at base 0 too."""
    curve = np.multiply(power, np.subtract(power, 1.0))
    first = power * np.power(base, np.where(np.equal(power, 0.0), 0.0, np.subtract(power, 1.0)))
    second = curve * np.power(base, np.where(curve == 0.0, 0.0, np.subtract(power, 2.0)))
    return np.power(base, power), first, second


def gradient_pattern(jet: Jet) -> Pattern:
    """Distinct (row, column) positions of the gradients: the Jacobian's pattern."""
    return Pattern.of(jet.gradient.rows, jet.gradient.columns[0])


def jacobian_values(pattern: Pattern, jet: Jet) -> FloatArray:
    """Jacobian entries at the positions of the pattern of an equally structured jet,
    float64[positions].
    """
    return pattern.add_up(jet.gradient.values)


def hessian_pattern(jet: Jet) -> Pattern:
    """Distinct (column1, column2) positions, column1 >= column2, of the Hessians of all rows
    together.
    """
    return Pattern.of(*_second_order(jet).columns)


def lagrangian_values(pattern: Pattern, jet: Jet, multipliers: FloatArray) -> FloatArray:
    """Lower triangle of sum_r multipliers[r] Hess(row r) at the pattern's positions,
    float64[positions].
    """
    _check_size(multipliers.size, jet.size)
    return pattern.add_up(_second_order(jet).scale(multipliers).values)


def _second_order(jet: Jet) -> SparseRows:
    if jet.hessian is None:
        raise ValueError("expected a jet of order 2, found order 1")
    return jet.hessian


def _plain(operand: Plain, size: int) -> Plain:
    """The operand as a float, or as float64[size]; ValueError for another shape."""
    array = np.asarray(operand, dtype=np.float64)
    if array.ndim == 0:
        return float(array)
    if array.shape != (size,):
        raise ValueError(
            f"expected a float or an array of shape ({size},), found shape {array.shape}"
        )
    return array


def _filled(operand: Plain, size: int) -> FloatArray:
    plain = _plain(operand, size)
    return np.full(size, plain) if isinstance(plain, float) else plain


def _sum_segments(values: FloatArray, parent: IntArray, size: int) -> FloatArray:
    _check_index(parent, size)
    sums: FloatArray = np.bincount(parent, weights=values, minlength=size).astype(
        np.float64, copy=False
    )
    return sums


def _check_order(order: int) -> None:
    if order not in (1, 2):
        raise ValueError(f"expected order 1 or 2, found {order}")


def _check_size(found: int, expected: int) -> None:
    if found != expected:
        raise ValueError(f"expected {expected} rows, found {found}")


def _check_index(index: IntArray, size: int) -> None:
    if index.dtype.kind != "i":  # numpy would take booleans as a mask
        raise TypeError(f"expected an array of integers as index, found {index.dtype}")
    if index.size and not 0 <= int(index.min()) <= int(index.max()) < size:
        raise IndexError(
            f"expected indices in 0..{size - 1}, found {int(index.min())}..{int(index.max())}"
        )
