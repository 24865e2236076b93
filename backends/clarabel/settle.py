"""Terms become variables that are bounded by cones.

A variable y for a convex function f is kept at y >= f, and for a concave one at y <= f: exact where
an optimum pulls it there, which `Affine.above` and `below` watch over. What bends how is the rule
of `mecdsl.convexity.monomials`, and each of its cases has its cone:

- c prod v_j^-a_j with v_j concave and at least 0: `y prod v_j^a_j >= 1`;
- u^p prod v_j^-a_j with p - sum a_j >= 1, u convex and at least 0: `|u| <= y^(1/p) prod v_j^(a_j/p)
  1^(1 - ...)`; an affine u may have either sign if p is even;
- prod u_j^p_j with sum p_j <= 1: `y <= prod u_j^p_j 1^(1 - ...)`;
- `(a + b g) g^p` is `a g^p + b g^(p+1)`;
- `t exp(x/t)`, and `t ln(w/t)`, from which follow x ln x, x ln(x/y) and the perspective of ln.

The weights of a power cone add up to 1 (MOSEK Modeling Cookbook, chapters 4 and 5).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from mecdsl.backends.clarabel.affine import Affine, numbers, stacked
from mecdsl.backends.clarabel.cones import Draft, ones
from mecdsl.backends.clarabel.terms import (
    Base,
    Exponential,
    Logarithm,
    Monomial,
    NoCone,
    Power,
    Product,
    Term,
)
from mecdsl.convexity.parts import PROBES, multiple
from mecdsl.diagnostics import Span
from mecdsl.instances.tables import FloatArray, IntArray

NOTHING: Final = 1e-12  # of a weight or a sum of exponents
FARTHEST: Final = 200.0  # an exponent from which no size is made
BENDS: Final = "its parts bend in ways that no cone puts together"


def settled(draft: Draft, term: Term) -> Affine:
    """The rows of a term as affine rows. Raises `NoCone`."""
    match term:
        case Monomial():
            return _product(draft, term.product, term.where)
        case Exponential():
            return _exponential(draft, term).scaled(term.coefficient)
        case Logarithm():
            return _logarithm(draft, term)
        case _:
            raise TypeError(f"unknown term {type(term).__name__}")


def _require(holds: bool, reason: str, where: Span | None) -> None:
    if not holds:
        raise NoCone(reason, where)


# Products of powers


def _product(draft: Draft, product: Product, where: Span | None) -> Affine:
    """One block of cones for each combination of exponents, of which there are few."""
    product, size = _plain(product), len(product.coefficient)
    used = [np.where(product.coefficient != 0.0, p.exponent, 0.0) for p in product.powers]
    exponents = np.column_stack([*used, np.zeros(size)])
    patterns, which = np.unique(exponents, axis=0, return_inverse=True)
    parts: list[Affine] = []
    order: list[IntArray] = []
    for number, pattern in enumerate(patterns[:, :-1].tolist()):
        rows = np.flatnonzero(which.reshape(-1) == number)
        powers = zip(product.powers, pattern, strict=True)
        bases = [(power.base.take(rows), p) for power, p in powers if p != 0.0]
        parts.append(_pattern(draft, product.coefficient[rows], bases, where))
        order.append(rows)
    if not parts:
        return numbers(product.coefficient)
    return stacked(parts).take(np.argsort(np.concatenate(order), kind="stable"))


def _pattern(
    draft: Draft, coefficient: FloatArray, bases: Sequence[tuple[Base, float]], where: Span | None
) -> Affine:
    """coefficient * product of bases to powers that are the same in every row, none of them 0."""
    if not bases:
        return numbers(coefficient)
    if len(bases) == 1 and bases[0][1] == 1.0:
        return bases[0][0].affine.scaled(coefficient)
    rising = [(base, p) for base, p in bases if p > 0.0]
    falling = [(base, -p) for base, p in bases if p < 0.0]
    room = sum(p for _, p in rising) - sum(a for _, a in falling)
    if not rising or (len(rising) == 1 and room >= 1.0 - NOTHING):
        found = _convex(draft, rising, falling, where)
    elif not falling and room <= 1.0 + NOTHING:
        found = _concave(draft, rising, where)
    else:
        return _shifted(draft, coefficient, bases, where)
    return found.scaled(coefficient)


def _convex(
    draft: Draft,
    rising: Sequence[tuple[Base, float]],
    falling: Sequence[tuple[Base, float]],
    where: Span | None,
) -> Affine:
    """y >= u^p prod v^-a, with u = 1 and p = 1 - ... where there is none that rises."""
    count = (rising or falling)[0][0].affine.size
    for base, _ in falling:
        _require(base.nonnegative and not base.affine.above.any(), BENDS, where)
    inner, power, inner_size = ones(count), 1.0 + sum(a for _, a in falling), np.ones(count)
    if rising:
        base, power = rising[0]
        even = power % 2.0 == 0.0 and base.affine.plain
        _require(not base.affine.below.any() and (base.nonnegative or even), BENDS, where)
        inner_size = base.affine.sizes
        inner = base.affine.scaled(1.0 / inner_size)
    sizes = [base.affine.sizes for base, _ in falling]
    scale = inner_size ** (power if rising else 0.0)
    for size, (_, a) in zip(sizes, falling, strict=True):
        scale = scale * size**-a
    y = draft.new(scale)
    weights = [1.0, *(a for _, a in falling)]  # before they are divided by the power
    parts = [y.scaled(1.0 / scale)]
    parts += [b.affine.scaled(1.0 / size) for size, (b, _) in zip(sizes, falling, strict=True)]
    rest = power - sum(weights)
    if rest > NOTHING:
        weights.append(rest)
        parts.append(ones(count))
    draft.geometric(_normal(weights), parts, inner)
    return _above(y)


def _concave(draft: Draft, rising: Sequence[tuple[Base, float]], where: Span | None) -> Affine:
    """y <= prod u^p, p adding up to 1 at most."""
    for base, _ in rising:
        _require(base.nonnegative and not base.affine.above.any(), BENDS, where)
    count = rising[0][0].affine.size
    sizes = [base.affine.sizes for base, _ in rising]
    scale = np.ones(count)
    for size, (_, p) in zip(sizes, rising, strict=True):
        scale = scale * size**p
    y = draft.new(scale)
    weights = [p for _, p in rising]
    parts = [b.affine.scaled(1.0 / size) for size, (b, _) in zip(sizes, rising, strict=True)]
    rest = 1.0 - sum(weights)
    if rest > NOTHING:
        weights.append(rest)
        parts.append(ones(count))
    draft.geometric(_normal(weights), parts, y.scaled(1.0 / scale))
    return _below(y)


def _normal(weights: Sequence[float]) -> tuple[float, ...]:
    """Weights that add up to 1."""
    total = sum(weights)
    return tuple(weight / total for weight in weights)


def _shifted(
    draft: Draft, coefficient: FloatArray, bases: Sequence[tuple[Base, float]], where: Span | None
) -> Affine:
    """`(a + b g) g^p` as two powers of g."""
    first = next((place for place, (_, p) in enumerate(bases) if p == 1.0), None)
    _require(len(bases) == 2 and first is not None, BENDS, where)
    assert first is not None
    line, (base, power) = bases[first][0], bases[1 - first]
    slope = multiple(base.curve.probe, line.curve.probe)
    plain = line.affine.plain and base.affine.plain
    _require(plain and not np.isnan(slope).any(), BENDS, where)
    own = slope * base.curve.probe[:, PROBES]
    level = line.curve.probe[:, PROBES] - own
    size = np.abs(line.curve.probe[:, PROBES]) + np.abs(own)
    level = np.where(np.abs(level) <= NOTHING * size, 0.0, level)
    size_one = np.ones(len(coefficient))
    total = numbers(np.zeros(len(coefficient)))
    for factor, exponent in ((level, power), (slope, power + 1.0)):
        powers = (Power(base, exponent * size_one),) if exponent else ()
        total = total.plus(_product(draft, Product(coefficient * factor, powers), where))
    return total


def _above(y: Affine) -> Affine:
    return Affine(y.slopes, y.constant, ~y.above, y.below)


def _below(y: Affine) -> Affine:
    return Affine(y.slopes, y.constant, y.above, ~y.below)


# Exponentials and logarithms


def _exponential(draft: Draft, term: Exponential) -> Affine:
    """y >= exp(x), or y >= t exp(x/t)."""
    argument, over, count = term.argument.affine, term.over, len(term.coefficient)
    if over is None or not term.times:
        if over is not None:
            quotient = Product(
                np.ones(count),
                (Power(term.argument, np.ones(count)), Power(over, -np.ones(count))),
            )
            argument = _product(draft, quotient, term.where)
        _require(not argument.below.any(), BENDS, term.where)
        ends = term.argument.curve.ends
        level = np.zeros(count) if over is not None else np.clip(0.0, ends.low, ends.high)
        level = np.clip(level, -FARTHEST, FARTHEST)
        scale = np.exp(level)
        y = draft.new(scale)
        draft.exponential(argument.shifted(-level), ones(count), y.scaled(1.0 / scale))
        return _above(y)
    _require(over.nonnegative and over.affine.plain, BENDS, term.where)
    _require(not argument.below.any(), BENDS, term.where)
    size = over.affine.sizes
    y, inverse = draft.new(size), 1.0 / size
    draft.exponential(argument.scaled(inverse), over.affine.scaled(inverse), y.scaled(inverse))
    return _above(y)


def _plain(product: Product) -> Product:
    """The product without bases that are numbers."""
    coefficient, powers = product.coefficient, []
    for power in product.powers:
        if power.base.affine.is_constant:
            coefficient = coefficient * np.power(power.base.affine.constant, power.exponent)
        else:
            powers.append(power)
    return Product(coefficient, tuple(powers))


def _logarithm(draft: Draft, term: Logarithm) -> Affine:
    """The logarithms of the factors, one by one, each times t where there is a t."""
    product, t, count = _plain(term.product), term.times, len(term.coefficient)
    with np.errstate(all="ignore"):
        own = np.log(product.coefficient)
    _require(bool(np.isfinite(own).all()), BENDS, term.where)
    powers = list(product.powers)
    for power in powers:
        _require(power.base.nonnegative, "its argument may leave the domain", term.where)
        _require(not power.base.affine.above.any(), BENDS, term.where)
    if t is None:
        total = numbers(term.coefficient * own)
        for power in powers:
            found = _over(draft, Base(ones(count), power.base.curve), power.base)
            total = total.plus(found.scaled(term.coefficient * power.exponent))
        return total
    _require(t.nonnegative and t.affine.plain, BENDS, term.where)
    total = t.affine.scaled(term.coefficient * own)
    left = np.zeros(count)  # how often t ln t is in it
    for power in powers:
        ratio = power.base.times_of(t)
        left = left + power.exponent
        if np.isnan(ratio).any():
            found = _over(draft, t, power.base)
            total = total.plus(found.scaled(term.coefficient * power.exponent))
        else:
            factor = term.coefficient * power.exponent * np.log(ratio)
            total = total.plus(t.affine.scaled(factor))
    left = np.where(np.abs(left) <= NOTHING, 0.0, left)
    if left.any():
        found = _over(draft, t, Base(ones(count), t.curve))
        total = total.plus(found.scaled(-term.coefficient * left))
    return total


def _over(draft: Draft, t: Base, w: Base) -> Affine:
    """y <= t ln(w/t)."""
    size, width = t.affine.sizes, w.affine.sizes
    y = draft.new(size)
    shift = t.affine.scaled(-np.log(width / size))
    draft.exponential(
        y.plus(shift).scaled(1.0 / size), t.affine.scaled(1.0 / size), w.affine.scaled(1.0 / width)
    )
    return _below(y)
