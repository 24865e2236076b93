"""What is known of a family of functions of the variables on a box, with the rules of arithmetic.

Arrays have one entry per row of the family. A flag that is set is proven; one that is not says
nothing.

- `ends`: the range of the value on the box. `bend`: whether the value itself is convex, concave.
- `log`: the same of its logarithm, where the value is at least 0 (a sum of log-convex functions is
  log-convex, which is the rule of log-sum-exp). `root`: the value is f^2 with f convex and at least
  0 (the rule of Euclidean norms).
- `probe`: an affine row by its linear part along random directions and its constant; nan where it
  is not known to be affine. Two affine functions are the same up to a factor if their probes are (a
  random identity test).
- `monomial`: coefficient times powers of bases. `ratios`: with t affine and positive, the value as
  a function g(x/t, 1/t) and the bend of g; then t g(x/t, 1/t), the perspective of g, has the same
  bend. So `t*ln(1 + e/t)`, `x*ln(x/y)`, `t*exp(x/t)` and `t*(2^(b/t) - 1)` are judged by one rule.

Who is to blame where nothing is proven is found afterwards (`mecdsl.convexity.blame`).

Sums, compositions and products by sign follow disciplined convex programming (Grant, Boyd and Ye,
2006).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

import numpy as np

from mecdsl.analysis.propagation import ranges
from mecdsl.analysis.propagation.functions import value_of
from mecdsl.analysis.propagation.ranges import Flags, Range
from mecdsl.convexity import monomials
from mecdsl.convexity.operators import Operators, spread
from mecdsl.convexity.parts import (
    PROBES,
    ROUNDING,
    Bend,
    Monomial,
    Ratio,
    inside,
    nonnegative,
    nonpositive,
    proportion,
)
from mecdsl.functions.function import Bends
from mecdsl.functions.table import UNIVARIATE
from mecdsl.instances.tables import FloatArray, IntArray

WIDEST_NUMBER: Final = 1e-9  # of itself; a range that is no wider is that of a number, rounded


class Curvature(Enum):
    """How a function is proven to bend on the box of its variables."""

    AFFINE = "affine"
    CONVEX = "convex"
    CONCAVE = "concave"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Curve(Operators):
    """A family of functions of the variables, one per row; see the module."""

    ends: Range
    bend: Bend
    log: Bend
    root: Flags
    probe: FloatArray
    monomial: Monomial | None = None
    ratios: tuple[Ratio, ...] = ()

    @property
    def size(self) -> int:
        """The number of rows."""
        return len(self.root)

    @property
    def constant(self) -> Flags:
        """Rows that do not depend on the variables."""
        width = self.ends.high - self.ends.low
        size = np.abs(self.ends.low) + np.abs(self.ends.high)
        flat = (self.probe[:, :PROBES] == 0.0).all(axis=1) & np.isfinite(self.level)
        return np.asarray(flat & np.isfinite(width) & (width <= WIDEST_NUMBER * size))

    @property
    def level(self) -> FloatArray:
        """The value of constant rows."""
        return self.probe[:, PROBES]

    def __getitem__(self, rows: IntArray) -> "Curve":
        return Curve(
            ends=self.ends.take(rows),
            bend=self.bend.take(rows),
            log=self.log.take(rows),
            root=self.root[rows],
            probe=self.probe[rows],
            monomial=None if self.monomial is None else self.monomial.take(rows),
            ratios=tuple(ratio.take(rows) for ratio in self.ratios),
        )

    def numbers(self, value: Any) -> "Curve":
        return number(value, self.size)

    def scaled(self, factor: FloatArray) -> "Curve":
        return scaled(self, factor)

    def plus(self, other: "Curve") -> "Curve":
        return added(self, other)

    def times(self, other: "Curve") -> "Curve":
        return multiplied(self, other)

    def power(self, exponent: FloatArray) -> "Curve":
        return power(self, exponent)

    def called(self, name: str) -> "Curve":
        return exponential(self) if name == "exp" else logarithm(self)


def number(value: Any, size: int) -> Curve:
    """Numbers as functions that are constant; one that is not finite is nothing known."""
    numbers = spread(value, size)
    known = np.isfinite(numbers)
    probe = np.zeros((size, PROBES + 1))
    probe[:, PROBES] = numbers
    probe[~known] = np.nan
    bend, sign = Bend.everywhere(size, True).where(known), numbers >= 0.0
    return Curve(
        ends=ranges.numbers(numbers, size),
        bend=bend,
        log=bend.where(sign),
        root=known & sign,
        probe=probe,
    )


def settled(curve: Curve) -> Curve:
    """With what the flags imply of one another, and what the monomial knows."""
    ends, bend, size = curve.ends, curve.bend, curve.size
    if curve.monomial is not None:
        ends = inside(ends, monomials.ends_of(curve.monomial))
        bend = bend.either(monomials.bend_of(curve.monomial))
    sure = nonnegative(ends)
    log = Bend(curve.log.convex & sure, (curve.log.concave | bend.concave) & sure)
    bend = Bend(bend.convex | log.convex, bend.concave)
    probe = curve.probe
    if curve.monomial is not None and not curve.monomial.factors:
        probe = np.column_stack([np.zeros((size, PROBES)), curve.monomial.coefficient])
    return replace(
        curve, ends=ends, bend=bend, log=log, root=(curve.root | log.convex) & sure, probe=probe
    )


def as_monomial(curve: Curve) -> Monomial:
    """The rows as monomials; those that are none count as a power of themselves."""
    own = monomials.base_of(
        probe=curve.probe,
        ends=curve.ends,
        bend=curve.bend,
        root=curve.root,
        constant=curve.constant,
    )
    if curve.monomial is None:
        return own
    unknown = np.isnan(curve.monomial.coefficient)
    if not unknown.any():
        return curve.monomial
    factors = [
        replace(f, exponent=np.where(unknown, 0.0, f.exponent)) for f in curve.monomial.factors
    ]
    factors += [replace(f, exponent=np.where(unknown, f.exponent, 0.0)) for f in own.factors]
    return Monomial(np.where(unknown, own.coefficient, curve.monomial.coefficient), tuple(factors))


# Arithmetic


def scaled(curve: Curve, factor: FloatArray) -> Curve:
    """Numbers times the functions."""
    up = np.isfinite(factor) & (factor >= 0.0)
    with np.errstate(all="ignore"):
        probe = np.where(np.isfinite(factor), factor, np.nan)[:, None] * curve.probe
        probe[factor == 0.0] = 0.0
        monomial = curve.monomial and replace(
            curve.monomial, coefficient=curve.monomial.coefficient * factor
        )
    turned = factor < 0.0
    ratios = tuple(replace(ratio, bend=ratio.bend.scaled(factor)) for ratio in curve.ratios)
    found = Curve(
        ends=_scaled(curve.ends, factor),
        bend=curve.bend.scaled(factor),
        log=curve.log.where(up),
        root=curve.root & up,
        probe=probe,
        monomial=monomial,
        ratios=ratios,
    )
    return settled(found) if turned.any() else found


def _scaled(ends: Range, factor: FloatArray) -> Range:
    if (factor == -1.0).all():
        return -ends
    return ranges.multiplied(ends, ranges.numbers(factor, len(factor)), ROUNDING)


def added(one: Curve, two: Curve) -> Curve:
    """The sum row by row."""
    with np.errstate(all="ignore"):
        ends = ranges.added(one.ends, two.ends, ROUNDING)
        probe = one.probe + two.probe
    bend = one.bend.both(two.bend)
    ratios = [replace(r, bend=r.bend.both(ratio_bend(two, r.probe))) for r in one.ratios]
    ratios += [replace(r, bend=r.bend.both(ratio_bend(one, r.probe))) for r in two.ratios]
    log = Bend(one.log.convex & two.log.convex, np.zeros(one.size, dtype=bool))
    found = Curve(
        ends=ends,
        bend=bend,
        log=log,
        root=one.root & two.root,
        probe=probe,
        monomial=None,
        ratios=_kept(ratios),
    )
    return settled(found)


def ratio_bend(curve: Curve, base: FloatArray) -> Bend:
    """The bend of the rows as functions of x/t and 1/t, t the affine function of the probe
    `base`.
    """
    result = Bend.everywhere(curve.size, True).where(curve.constant)
    for ratio in curve.ratios:
        result = result.either(ratio.bend.where(~np.isnan(proportion(base, ratio.probe))))
    return result


def _kept(ratios: list[Ratio]) -> tuple[Ratio, ...]:
    return tuple(ratio for ratio in ratios if ratio.bend.convex.any() or ratio.bend.concave.any())


def multiplied(one: Curve, two: Curve) -> Curve:
    """The product row by row; a row of one that is a number scales that of the other."""
    monomial = monomials.product(as_monomial(one), as_monomial(two))
    bend = Bend.everywhere(one.size, False)
    for left, right in ((one, two), (two, one)):
        sign = sign_of(left.ends)
        for ratio in right.ratios:
            same = ~np.isnan(proportion(ratio.probe, left.probe * sign[:, None]))
            bend = bend.either(ratio.bend.scaled(sign).where(same))
        bend = bend.either(monomials.shifted(left.probe, as_monomial(right)))
    sure = nonnegative(one.ends) & nonnegative(two.ends)
    found = Curve(
        ends=ranges.multiplied(one.ends, two.ends, ROUNDING),
        bend=bend,
        log=one.log.both(two.log).where(sure),
        root=np.zeros(one.size, dtype=bool),
        probe=np.full_like(one.probe, np.nan),
        monomial=monomial,
        ratios=() if monomial is None else _kept(list(monomials.ratios_of(monomial))),
    )
    found = settled(found)
    for left, right in ((one, two), (two, one)):
        numbers = left.constant
        if numbers.any():
            found = chosen(numbers, scaled(right, np.where(numbers, left.level, 0.0)), found)
    return found


def chosen(rows: Flags, one: Curve, two: Curve) -> Curve:
    """Rows of `one` where asked, of `two` elsewhere; a structure that only one of them has stays on
    its rows.
    """
    if rows.all():
        return one
    ratios = [replace(ratio, bend=ratio.bend.where(rows)) for ratio in one.ratios]
    ratios += [replace(ratio, bend=ratio.bend.where(~rows)) for ratio in two.ratios]

    def pick(a: Bend, b: Bend) -> Bend:
        return Bend(np.where(rows, a.convex, b.convex), np.where(rows, a.concave, b.concave))

    return Curve(
        ends=ranges.chosen(rows, one.ends, two.ends),
        bend=pick(one.bend, two.bend),
        log=pick(one.log, two.log),
        root=np.where(rows, one.root, two.root),
        probe=np.where(rows[:, None], one.probe, two.probe),
        monomial=two.monomial,
        ratios=_kept(ratios),
    )


# Compositions


def composed(curve: Curve, ends: Range, outer: Bends) -> Curve:
    """f of the rows: `outer` how f bends on their range and which way it goes there; logarithms are
    not known.

    The rule holds for the bend of the value and for that of its ratios.
    """

    def rule(inner: Bend) -> Bend:
        up = (outer.rising & inner.convex) | (outer.falling & inner.concave) | inner.affine
        down = (outer.rising & inner.concave) | (outer.falling & inner.convex) | inner.affine
        return Bend(outer.convex & up, outer.concave & down)

    size = curve.size
    none = Bend.everywhere(size, False)
    ratios = _kept([replace(ratio, bend=rule(ratio.bend)) for ratio in curve.ratios])
    probe = np.full_like(curve.probe, np.nan)
    return Curve(
        ends=ends,
        bend=rule(curve.bend),
        log=none,
        root=np.zeros(size, dtype=bool),
        probe=probe,
        monomial=None,
        ratios=ratios,
    )


def exponential(curve: Curve) -> Curve:
    """exp: convex and rising; its logarithm is the argument."""
    size = curve.size
    with np.errstate(all="ignore"):
        ends = value_of(UNIVARIATE["exp"], curve.ends, ROUNDING)
    everywhere, nowhere = np.ones(size, dtype=bool), np.zeros(size, dtype=bool)
    found = composed(curve, ends, Bends(everywhere, nowhere, everywhere, nowhere))
    return settled(constants(replace(found, log=curve.bend), curve, np.exp))


def logarithm(curve: Curve) -> Curve:
    """ln: concave and rising where the argument cannot be negative, unknown elsewhere."""
    size = curve.size
    sure = nonnegative(curve.ends)
    with np.errstate(all="ignore"):
        values = value_of(UNIVARIATE["ln"], curve.ends, ROUNDING)
    ends = ranges.chosen(sure, values, ranges.everything(size))
    nowhere = np.zeros(size, dtype=bool)
    found = composed(curve, ends, Bends(nowhere, sure, sure, nowhere))
    monomial = as_monomial(curve)
    ratios = _kept([*found.ratios, *monomials.logarithm_ratios(monomial)])
    bend = found.bend.either(curve.log.where(sure))
    return settled(constants(replace(found, bend=bend, ratios=ratios), curve, np.log))


def sign_of(ends: Range) -> FloatArray:
    """1 where a value is nowhere negative, -1 where it is nowhere positive, else nan."""
    return np.where(nonnegative(ends), 1.0, np.where(nonpositive(ends), -1.0, np.nan))


def bends_of_power(base: Range, exponent: FloatArray) -> Bends:
    """How powers of numbers bend on ranges of their base, and which way they go."""
    p, whole = exponent, np.round(exponent) == exponent
    even = whole & monomials.is_even(p)
    odd = whole & ~even
    above, below = nonnegative(base), nonpositive(base)
    line = (p == 1.0) | (p == 0.0)
    bowl = (above & ((p >= 1.0) | (p <= 0.0))) | (even & (p >= 0.0)) | (even & below)
    cap = (above & (p >= 0.0) & (p <= 1.0)) | (odd & below & (p != 1.0))
    rising = (above & (p >= 0.0)) | (odd & (p > 0.0)) | (even & below & (p < 0.0))
    falling = (above & (p <= 0.0)) | (even & below & (p > 0.0)) | (odd & below & (p < 0.0))
    return Bends(bowl | line, cap | line, rising | line, falling & ~line)


def power(curve: Curve, exponent: FloatArray) -> Curve:
    """The rows to a power of numbers, by the range of the base."""
    p, even = exponent, monomials.is_even(exponent)
    above = nonnegative(curve.ends)
    outside = np.zeros(curve.size, dtype=bool)
    outer = bends_of_power(curve.ends, p)
    found = composed(curve, monomials.power_of(curve.ends, p), outer)
    log = Bend(
        np.where(p >= 0.0, curve.log.convex, curve.log.concave),
        np.where(p >= 0.0, curve.log.concave, curve.log.convex),
    ).where(above)
    root = (
        (p >= 2.0) & above & curve.bend.convex
        | (even & (p >= 2.0) & curve.bend.affine)
        | (curve.root & (p >= 1.0))
    )
    norm = curve.root & (p >= 0.5)
    monomial = monomials.power(as_monomial(curve), p)
    found = replace(
        found,
        bend=found.bend.either(Bend(norm, outside)),
        log=log,
        root=root,
        probe=np.where((p == 1.0)[:, None], curve.probe, np.nan),
        monomial=monomial,
        ratios=_kept([*found.ratios, *monomials.ratios_of(monomial)]),
    )
    return settled(constants(found, curve, lambda low: np.power(low, p)))


def constants(found: Curve, argument: Curve, function: Callable[[FloatArray], FloatArray]) -> Curve:
    """The same with numbers where the argument is one."""
    rows = argument.constant
    if not rows.any():
        return found
    with np.errstate(all="ignore"):
        return chosen(rows, number(function(argument.level), argument.size), found)
