"""Curvature of c * product of u_j^p_j: the exact rule for affine u_j, and the rules for convex and
concave ones.

With c > 0 the monomial is

- convex if every exponent is at most 0, the bases positive and concave (the logarithm is convex);
- convex if just one exponent p is positive and p + (sum of the negative ones) >= 1: u^p v^q is the
  perspective of a power, nondecreasing in u and nonincreasing in v, so u may be convex and at least
  0 and v concave; for an even p an affine u may have either sign;
- concave if every exponent is at least 0, their sum at most 1, the bases at least 0 and concave.

Other exponents make it neither on the open orthant (Boyd and Vandenberghe, Convex Optimization,
exercise 3.16, state the rule for two variables; Maranas and Floudas, J. Global Optim. 7, 1995, for
several).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mecdsl.analysis.propagation import powers, ranges
from mecdsl.analysis.propagation.functions import value_of
from mecdsl.analysis.propagation.ranges import Flags, Range
from mecdsl.convexity.parts import (
    MOST_FACTORS,
    PROBES,
    ROUNDING,
    Bend,
    Factor,
    Monomial,
    Ratio,
    multiple,
    nonnegative,
    nonpositive,
    proportion,
    signed,
)
from mecdsl.functions.table import UNIVARIATE
from mecdsl.instances.tables import FloatArray

SUM_ALLOWANCE = 1e-12  # a sum of exponents this near to 1 is 1


def is_even(exponent: FloatArray) -> Flags:
    """Even integers."""
    return np.asarray(np.mod(exponent, 2.0) == 0.0)


def bend_of(monomial: Monomial) -> Bend:
    """What is proven of every row."""
    return _judged(monomial.coefficient, [(f, f.exponent) for f in monomial.factors])


def ends_of(monomial: Monomial) -> Range:
    """The range of every row, the whole line where it is no monomial."""
    size = len(monomial.coefficient)
    result = ranges.numbers(monomial.coefficient, size)
    with np.errstate(all="ignore"):
        for factor in monomial.factors:
            base = power_of(factor.ends, factor.exponent)
            result = ranges.multiplied(result, base, ROUNDING)
    return result


def power_of(base: Range, exponent: FloatArray) -> Range:
    """The range of powers; a base that is below 0 by round-off counts as 0, one that may be
    elsewhere below has a range only under whole exponents.
    """
    if (exponent == 1.0).all():
        return base
    known = nonnegative(base) | (np.round(exponent) == exponent)
    with np.errstate(all="ignore"):
        nowhere = np.zeros(len(exponent), dtype=bool)
        found = powers.power(signed(base), exponent, ROUNDING, nowhere)
    return ranges.chosen(known, found, ranges.everything(len(exponent)))


def product(one: Monomial, two: Monomial) -> Monomial | None:
    """The product, with equal affine bases put together; None if it would have too many factors."""
    with np.errstate(all="ignore"):
        coefficient = one.coefficient * two.coefficient
    factors = list(one.factors)
    for added in two.factors:
        rest = added
        for place, factor in enumerate(factors[: len(one.factors)]):
            ratio = proportion(factor.probe, rest.probe)
            same = ~np.isnan(ratio) & (rest.exponent != 0.0)
            if not same.any():
                continue
            with np.errstate(all="ignore"):
                coefficient = coefficient * np.where(same, np.power(ratio, rest.exponent), 1.0)
            factors[place] = replace(
                factor, exponent=factor.exponent + np.where(same, rest.exponent, 0.0)
            )
            rest = replace(rest, exponent=np.where(same, 0.0, rest.exponent))
        if (rest.exponent != 0.0).any():
            factors.append(rest)
    factors = [factor for factor in factors if (factor.exponent != 0.0).any()]
    return None if len(factors) > MOST_FACTORS else _checked(Monomial(coefficient, tuple(factors)))


def power(monomial: Monomial, exponent: FloatArray) -> Monomial:
    """The monomial to a power of numbers; rows where the rule for powers of powers does not hold
    become nan.

    (u^2)^0.5 is not u where u may be negative; a negative coefficient has integer powers only.
    """
    whole = np.round(exponent) == exponent
    with np.errstate(all="ignore"):
        coefficient = np.where(
            np.isfinite(exponent), np.power(monomial.coefficient, exponent), np.nan
        )
    for factor in monomial.factors:
        negative = ~nonnegative(factor.ends) & (factor.exponent != 0.0)
        coefficient = np.where(negative & ~whole, np.nan, coefficient)
    factors = tuple(replace(f, exponent=f.exponent * exponent) for f in monomial.factors)
    return _checked(Monomial(coefficient, factors))


def ratios_of(monomial: Monomial) -> tuple[Ratio, ...]:
    """The monomial as a function of x/t and 1/t for every affine base t with a negative exponent.

    With s = 1/t and y_j = u_j/t the row is c s^(-sum of all p) * product of y_j^p_j over the other
    bases, a monomial again; perspectives keep the bends and signs of the bases.
    """
    found = []
    total = (
        np.sum([factor.exponent for factor in monomial.factors], axis=0)
        if monomial.factors
        else np.zeros(0)
    )
    for place, factor in enumerate(monomial.factors):
        usable = (
            (factor.exponent < 0.0) & nonnegative(factor.ends) & ~np.isnan(factor.probe).any(axis=1)
        )
        if not usable.any():
            continue
        others = [(f, f.exponent) for number, f in enumerate(monomial.factors) if number != place]
        inverse = replace(factor, bend=Bend.everywhere(len(total), True))
        found.append(
            Ratio(
                factor.probe,
                _judged(monomial.coefficient, [(inverse, -total), *others]).where(usable),
            )
        )
    return tuple(found)


def logarithm_ratios(monomial: Monomial) -> tuple[Ratio, ...]:
    """ln of a monomial as a function of x/t and 1/t for every affine positive base t.

    It is ln c - (sum of all p) ln s + sum p_j ln y_j over the others: convex if the sum is at least
    0 and every other p_j at most 0 (its base concave), concave the other way round. So x ln(x/y) is
    convex, t ln(u/t) concave.
    """
    found = []
    total = (
        np.sum([factor.exponent for factor in monomial.factors], axis=0)
        if monomial.factors
        else np.zeros(0)
    )
    for place, factor in enumerate(monomial.factors):
        usable = (
            (factor.exponent != 0.0)
            & nonnegative(factor.ends)
            & ~np.isnan(factor.probe).any(axis=1)
        )
        usable = usable & (monomial.coefficient > 0.0)
        if not usable.any():
            continue
        convex, concave = usable & (total >= -SUM_ALLOWANCE), usable & (total <= SUM_ALLOWANCE)
        for number, other in enumerate(monomial.factors):
            if number != place:
                fine = nonnegative(other.ends) & other.bend.concave
                convex &= (other.exponent == 0.0) | (fine & (other.exponent < 0.0))
                concave &= (other.exponent == 0.0) | (fine & (other.exponent > 0.0))
        found.append(Ratio(factor.probe, Bend(convex, concave)))
    return tuple(found)


def shifted(line: FloatArray, monomial: Monomial) -> Bend:
    """The bend of (a + b g) c g^p for an affine g >= 0; `line`: the probe of a + b g, where that is
    known.

    Its second derivative along g is c g^(p-2) p (a (p-1) + b (p+1) g), so the last factor decides
    at both ends of the range of g: f/(k - f), with g = k - f, is k/g - 1 and convex for k >= 0.
    """
    size = len(line)
    result = Bend.everywhere(size, False)
    for factor in monomial.factors:
        others = [f for f in monomial.factors if f is not factor]
        alone = nonnegative(factor.ends) & (factor.exponent != 0.0)
        for other in others:
            alone &= other.exponent == 0.0
        slope = multiple(factor.probe, line)
        with np.errstate(all="ignore"):
            own = slope * factor.probe[:, PROBES]
            level = line[:, PROBES] - own
            level = np.where(
                np.abs(level) <= SUM_ALLOWANCE * (np.abs(line[:, PROBES]) + np.abs(own)), 0.0, level
            )
            p = factor.exponent
            rise = slope * (p + 1.0)
            ends = [
                p * (level * (p - 1.0) + np.where(rise == 0.0, 0.0, rise * end))
                for end in (np.maximum(factor.ends.low, 0.0), factor.ends.high)
            ]
            convex = np.logical_and.reduce([end >= 0.0 for end in ends])
            concave = np.logical_and.reduce([end <= 0.0 for end in ends])
        result = result.either(Bend(convex, concave).where(alone).scaled(monomial.coefficient))
    return result


def _checked(monomial: Monomial) -> Monomial:
    """nan for rows with a base that may be negative under an exponent that is no integer above
    0.
    """
    coefficient = monomial.coefficient
    for factor in monomial.factors:
        natural = (factor.exponent >= 0.0) & (np.round(factor.exponent) == factor.exponent)
        coefficient = np.where(~natural & ~nonnegative(factor.ends), np.nan, coefficient)
    return replace(monomial, coefficient=np.where(np.isfinite(coefficient), coefficient, np.nan))


def _judged(coefficient: FloatArray, factors: Sequence[tuple[Factor, FloatArray]]) -> Bend:
    size = len(coefficient)
    above, below, positives = np.zeros(size), np.zeros(size), np.zeros(size, dtype=np.int64)
    falling, rising, bowl = (np.ones(size, dtype=bool) for _ in range(3))
    single = Bend.everywhere(size, True)
    for factor, exponent in factors:
        up, down = exponent > 0.0, exponent < 0.0
        sure = nonnegative(factor.ends)
        above, below = above + np.where(up, exponent, 0.0), below + np.where(down, exponent, 0.0)
        positives += up
        falling &= ~down | (sure & factor.bend.concave)
        rising &= ~up | (sure & factor.bend.concave)
        bowl &= ~up | (sure & factor.bend.convex) | (is_even(exponent) & factor.bend.affine)
        single = single.both(Bend(~up | factor.bend.convex, ~up | factor.bend.concave))
    convex = falling & (
        (positives == 0) | ((positives == 1) & bowl & (above + below >= 1.0 - SUM_ALLOWANCE))
    )
    concave = rising & (below == 0.0) & (above <= 1.0 + SUM_ALLOWANCE)
    plain = (positives == 1) & (above == 1.0) & (below == 0.0)
    return Bend(convex, concave).either(single.where(plain)).scaled(coefficient)


def base_of(
    *, probe: FloatArray, ends: Range, bend: Bend, root: Flags, constant: Flags
) -> Monomial:
    """A value as a monomial of itself: numbers as coefficients, a base that is at most 0 with its
    sign changed, and f^2 with f convex and at least 0 as the square of f.
    """
    size = len(root)
    affine = ~np.isnan(probe).any(axis=1)
    squared = root & ~affine & ~constant
    flip = nonpositive(ends) & ~nonnegative(ends) & ~constant
    with np.errstate(all="ignore"):
        roots = value_of(UNIVARIATE["sqrt"], ends, ROUNDING)
    sign = np.where(flip, -1.0, 1.0)
    turned, bent = ranges.chosen(flip, -ends, ends), bend.scaled(sign)
    shown = np.where((squared | constant)[:, None], np.nan, probe * sign[:, None])
    factor = Factor(
        shown.reshape(size, PROBES + 1),
        ranges.chosen(squared, roots, turned),
        Bend(bent.convex | squared, bent.concave & ~squared),
        np.where(constant, 0.0, np.where(squared, 2.0, 1.0)),
    )
    return _checked(Monomial(np.where(constant, probe[:, PROBES], sign), (factor,)))
