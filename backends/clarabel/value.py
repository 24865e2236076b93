"""A family of functions as a conic program says it: an affine part, and terms that bend.

Beside it goes its `Curve`: signs and ranges decide which cone says a power, and what is the same
affine function is known by its probe.
"""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mecdsl.backends.clarabel.affine import Affine, numbers
from mecdsl.backends.clarabel.cones import Draft, ones
from mecdsl.backends.clarabel.settle import settled
from mecdsl.backends.clarabel.sums import is_sum_of_exponentials, is_sum_of_squares, log_sum, norm
from mecdsl.backends.clarabel.terms import (
    Base,
    Exponential,
    Logarithm,
    Monomial,
    NoCone,
    Power,
    Product,
    Term,
    of_rows,
    scaled,
)
from mecdsl.convexity import curvature
from mecdsl.convexity.curvature import Curve
from mecdsl.convexity.operators import spread
from mecdsl.convexity.parts import nonnegative, nonpositive
from mecdsl.diagnostics import Span
from mecdsl.instances.tables import IntArray


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Value:
    """One function in each row: `linear` plus the terms that are added to each row."""

    draft: Draft
    curve: Curve
    linear: Affine
    terms: tuple[Term, ...] = ()
    __array_ufunc__ = None

    @property
    def size(self) -> int:
        """The number of rows."""
        return self.linear.size

    def __getitem__(self, rows: IntArray) -> "Value":
        terms = tuple(of_rows(term, rows, self.size) for term in self.terms)
        return replace(self, curve=self.curve[rows], linear=self.linear.take(rows), terms=terms)

    def written_at(self, span: Span) -> "Value":
        """With the place of terms that have none yet."""
        if all(term.where is not None for term in self.terms):
            return self
        terms = tuple(t if t.where is not None else replace(t, where=span) for t in self.terms)
        return replace(self, terms=terms)

    def settled(self) -> Affine:
        """As affine rows, with new variables for the terms. Raises `NoCone`."""
        total = self.linear
        for term in self.terms:
            own = settled(self.draft, term)
            total = total.plus(own.segment_sum(term.parent, self.size))
        return total

    def __neg__(self) -> "Value":
        return self * -1.0

    def __add__(self, other: Any) -> "Value":
        two = self.lifted(other)
        return replace(
            self,
            curve=self.curve + two.curve,
            linear=self.linear.plus(two.linear),
            terms=self.terms + two.terms,
        )

    __radd__ = __add__

    def __sub__(self, other: Any) -> "Value":
        return self + -self.lifted(other)

    def __rsub__(self, other: Any) -> "Value":
        return self.lifted(other) + -self

    def __mul__(self, other: Any) -> "Value":
        if isinstance(other, Value):
            return multiplied(self, other)
        return scaled_by(self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> "Value":
        if isinstance(other, Value):
            return multiplied(self, power(other, -1.0))
        with np.errstate(all="ignore"):
            return scaled_by(self, np.divide(1.0, other))

    def __rtruediv__(self, other: Any) -> "Value":
        inverse = power(self, -1.0)
        return multiplied(inverse, inverse.lifted(other))

    def __pow__(self, exponent: Any) -> "Value":
        if isinstance(exponent, Value):
            return exponential(multiplied(exponent, logarithm(self)))
        return power(self, exponent)

    def __rpow__(self, base: Any) -> "Value":
        with np.errstate(all="ignore"):
            return exponential(self * np.log(np.asarray(base, dtype=np.float64)))

    def lifted(self, other: Any) -> "Value":
        """A number as a value like this one."""
        return other if isinstance(other, Value) else number(self.draft, other, self.size)


def scaled_by(value: Value, factor: Any) -> Value:
    """Numbers times the functions. Raises `NoCone` for one that is not finite."""
    numbers_ = spread(factor, value.size)
    if not np.isfinite(numbers_).all():
        raise NoCone("a number in it is not finite", None)
    return replace(
        value,
        curve=value.curve * numbers_,
        linear=value.linear.scaled(numbers_),
        terms=tuple(scaled(term, numbers_) for term in value.terms),
    )


def number(draft: Draft, value: Any, size: int) -> Value:
    """Numbers as functions that are constant."""
    values = spread(value, size)
    if not np.isfinite(values).all():
        raise NoCone("a number in it is not finite", None)
    return Value(draft=draft, curve=curvature.number(values, size), linear=numbers(values))


def base_of(value: Value) -> Base:
    """The value as one affine row each. Raises `NoCone`."""
    return Base(value.settled(), value.curve)


def _rows(size: int) -> IntArray:
    return np.arange(size, dtype=np.int64)


def _in_rows(term: Term, size: int) -> bool:
    """Whether the term has one row for each row of its value, in their order."""
    return len(term.parent) == size and np.array_equal(term.parent, _rows(size))


def _nothing(affine: Affine) -> bool:
    return affine.is_constant and not affine.constant.any()


def product_of(value: Value) -> Product:
    """The value as a product of powers; what is none is a base itself. Raises `NoCone`."""
    size = value.size
    if value.linear.is_constant and not value.terms:
        return Product(value.linear.constant)
    if _nothing(value.linear) and len(value.terms) == 1:
        term = value.terms[0]
        if isinstance(term, Monomial) and _in_rows(term, size):
            return term.product
    ratio = ratio_of(value)
    if ratio is not None:
        above, below = ratio
        both = (Power(above, np.ones(size)), Power(below, -np.ones(size)))
        return Product(np.ones(size), both)
    base = base_of(value)
    ends = base.curve.ends
    if (nonpositive(ends) & ~nonnegative(ends)).all():
        turned = Base(base.affine.scaled(-np.ones(size)), -base.curve)
        return Product(-np.ones(size), (Power(turned, np.ones(size)),))
    return Product(np.ones(size), (Power(base, np.ones(size)),))


def ratio_of(value: Value) -> tuple[Base, Base] | None:
    """Affine u and t with u/t the value, where it is a number plus quotients over one t."""
    size = value.size
    if not value.terms or not value.linear.is_constant:
        return None
    below: Base | None = None
    above = number(value.draft, 0.0, size)
    for term in value.terms:
        if not isinstance(term, Monomial) or not _in_rows(term, size):
            return None
        under = [p for p in term.product.powers if (p.exponent == -1.0).all()]
        over = [p for p in term.product.powers if (p.exponent == 1.0).all()]
        if len(under) != 1 or len(over) > 1 or len(under) + len(over) < len(term.product.powers):
            return None
        below = below or under[0].base
        times = under[0].base.times_of(below)
        if np.isnan(times).any():
            return None
        line = over[0].base if over else Base(ones(size), curvature.number(1.0, size))
        part = Value(draft=value.draft, curve=line.curve, linear=line.affine)
        above = above + part * (term.product.coefficient / times)
    assert below is not None
    whole = Value(draft=value.draft, curve=below.curve, linear=below.affine)
    above = above + whole * value.linear.constant
    return Base(above.linear, above.curve), below


def _of_product(value: Value, product: Product, curve: Curve) -> Value:
    """A value that is a product of powers alone; an affine one becomes that."""
    size = len(product.coefficient)
    if not product.powers:
        return replace(value, curve=curve, linear=numbers(product.coefficient), terms=())
    if len(product.powers) == 1 and (product.powers[0].exponent == 1.0).all():
        linear = product.powers[0].base.affine.scaled(product.coefficient)
        return replace(value, curve=curve, linear=linear, terms=())
    term = Monomial(parent=_rows(size), product=product)
    return replace(value, curve=curve, linear=numbers(np.zeros(size)), terms=(term,))


def power(value: Value, exponent: Any) -> Value:
    """A value to a power of numbers; the root of a sum of squares is a norm. Raises `NoCone`."""
    numbers_ = spread(exponent, value.size)
    if (numbers_ == 0.5).all() and is_sum_of_squares(value):
        curve = curvature.power(value.curve, numbers_)
        return replace(value, curve=curve, linear=norm(value), terms=())
    found = product_of(value).to_power(numbers_)
    if found is None:
        base = Power(base_of(value), np.ones(value.size))
        found = Product(np.ones(value.size), (base,)).to_power(numbers_)
    if found is None or not np.isfinite(found.coefficient).all():
        raise NoCone("what stands under a power may be negative", None)
    return _of_product(value, found, curvature.power(value.curve, numbers_))


def multiplied(one: Value, two: Value) -> Value:
    """The product row by row: a sum of terms times an affine function is taken apart."""
    curve = curvature.multiplied(one.curve, two.curve)
    for line, other in ((one, two), (two, one)):
        if line.linear.is_constant and not line.terms:
            return replace(other * line.linear.constant, curve=curve)
    for line, other in ((one, two), (two, one)):
        if not line.terms and other.terms:
            found = _distributed(line, other)
            if found is not None:
                return replace(found, curve=curve)
    return _of_product(one, product_of(one).times(product_of(two)), curve)


def _distributed(line: Value, other: Value) -> Value | None:
    """An affine function times each term of a sum, or None where one is not for that."""
    if not other.linear.is_constant:
        return None
    t = Base(line.linear, line.curve)
    linear = line.linear.scaled(other.linear.constant)
    kept: list[Term] = []
    for term in other.terms:
        found = _times(t.take(term.parent), term)
        if found is None:
            return None
        if isinstance(found, Affine):
            linear = linear.plus(found.segment_sum(term.parent, line.size))
        else:
            kept.append(found)
    return replace(line, linear=linear, terms=tuple(kept))


def _times(t: Base, term: Term) -> Term | Affine | None:
    """An affine function times a term, row by row; None where that has no cone."""
    match term:
        case Monomial(product=product):
            single = Product(np.ones(t.affine.size), (Power(t, np.ones(t.affine.size)),))
            found = product.times(single)
            if not found.powers:
                return numbers(found.coefficient)
            if len(found.powers) == 1 and (found.powers[0].exponent == 1.0).all():
                return found.powers[0].base.affine.scaled(found.coefficient)
            return replace(term, product=found)
        case Exponential(over=over, times=False) if over is not None:
            ratio = t.times_of(over)
            if np.isnan(ratio).any():
                return None
            return replace(term, coefficient=term.coefficient * ratio, times=True)
        case Logarithm(times=None):
            return replace(term, times=t)
        case _:
            return None


def exponential(value: Value) -> Value:
    """exp of a value."""
    size = value.size
    ratio = ratio_of(value)
    argument, over = (base_of(value), None) if ratio is None else ratio
    term = Exponential(parent=_rows(size), coefficient=np.ones(size), argument=argument, over=over)
    curve = curvature.exponential(value.curve)
    return replace(value, curve=curve, linear=numbers(np.zeros(size)), terms=(term,))


def logarithm(value: Value) -> Value:
    """ln of a value; of a sum of exponentials, log-sum-exp."""
    size, curve = value.size, curvature.logarithm(value.curve)
    if is_sum_of_exponentials(value):
        return replace(value, curve=curve, linear=log_sum(value), terms=())
    term = Logarithm(parent=_rows(size), coefficient=np.ones(size), product=product_of(value))
    return replace(value, curve=curve, linear=numbers(np.zeros(size)), terms=(term,))
