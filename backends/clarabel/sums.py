"""Sums that have a cone as a whole: of exponentials under `ln`, of squares under a root."""

from dataclasses import replace
from typing import Protocol

import numpy as np

from mecdsl.backends.clarabel.affine import Affine, numbers, stacked
from mecdsl.backends.clarabel.cones import Block, Draft, ones
from mecdsl.backends.clarabel.settle import BENDS
from mecdsl.backends.clarabel.terms import Exponential, Monomial, NoCone, Term
from mecdsl.functions.function import Cone


class Sum(Protocol):
    """What of a value matters here (`mecdsl.backends.clarabel.value`)."""

    @property
    def draft(self) -> Draft:
        """Where new variables come from."""

    @property
    def linear(self) -> Affine:
        """The affine part."""

    @property
    def terms(self) -> tuple[Term, ...]:
        """The terms that are added to it."""

    @property
    def size(self) -> int:
        """The number of rows."""


def is_sum_of_exponentials(value: Sum) -> bool:
    """Whether every row is a number of at least 0 plus exponentials."""
    if not value.linear.is_constant or (value.linear.constant < 0.0).any():
        return False
    return bool(value.terms) and all(
        isinstance(term, Exponential) and term.over is None and (term.coefficient > 0.0).all()
        for term in value.terms
    )


def log_sum(value: Sum) -> Affine:
    """s >= ln(sum c exp(x)): the exponentials of x + ln c - s add up to 1 at most."""
    draft, size = value.draft, value.size
    s = draft.new(np.ones(size))
    left = numbers(np.ones(size))
    groups = [
        (t.argument.affine, t.coefficient, t.parent)
        for t in value.terms
        if isinstance(t, Exponential)
    ]
    constant = value.linear.constant
    rows = np.flatnonzero(constant > 0.0)
    if len(rows):
        groups.append((numbers(np.zeros(len(rows))), constant[rows], rows))
    for argument, coefficient, parent in groups:
        if argument.below.any():
            raise NoCone(BENDS, value.terms[0].where)
        count = len(parent)
        share = draft.new(np.ones(count))
        minus = s.take(parent).scaled(-np.ones(count))
        draft.exponential(argument.shifted(np.log(coefficient)).plus(minus), ones(count), share)
        left = left.plus(share.scaled(-np.ones(count)).segment_sum(parent, size))
    draft.nonnegative(left)
    return replace(s, above=~s.above)


def is_sum_of_squares(value: Sum) -> bool:
    """Whether every row is a number of at least 0 plus squares, and no square alone."""
    if not value.linear.is_constant or (value.linear.constant < 0.0).any():
        return False
    return bool(value.terms) and all(map(_is_square, value.terms))


def _is_square(term: Term) -> bool:
    if not isinstance(term, Monomial) or (term.product.coefficient < 0.0).any():
        return False
    if len(term.product.powers) != 1:
        return False
    (power,) = term.product.powers
    base = power.base
    right = base.affine.plain or (base.nonnegative and not base.affine.below.any())
    return bool((power.exponent == 2.0).all()) and right


def norm(value: Sum) -> Affine:
    """y >= |(sqrt(c) u, ...)|, one second order cone in each row."""
    draft, size = value.draft, value.size
    found = [term for term in value.terms if isinstance(term, Monomial)]
    constant = np.flatnonzero(value.linear.constant)
    parts = [t.product.powers[0].base.affine.scaled(np.sqrt(t.product.coefficient)) for t in found]
    parts.append(numbers(np.sqrt(value.linear.constant[constant])))
    parent = np.concatenate([*(term.parent for term in found), constant])
    inner = stacked(parts)
    scale = np.zeros(size)
    np.maximum.at(scale, parent, inner.sizes)
    scale = np.where(scale > 0.0, scale, 1.0)
    y = draft.new(scale)
    both = stacked([y.scaled(1.0 / scale), inner.scaled(1.0 / scale[parent])])
    rows = np.concatenate([np.arange(size), parent])
    order = np.argsort(rows, kind="stable")
    counts = np.bincount(rows, minlength=size)
    for count in np.unique(counts).tolist():  # cones of one size, all at once
        chosen = order[counts[rows[order]] == count]
        cones = int((counts == count).sum())
        draft.blocks.append(Block(Cone.SECOND_ORDER, both.take(chosen), cones))
    return replace(y, above=~y.above)
