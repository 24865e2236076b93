"""Curvature of the language's functions; the names are those of `mecdsl.instances.algebra`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from mecdsl.analysis.propagation import ranges
from mecdsl.analysis.propagation.functions import CalledWithSeveral, value_of
from mecdsl.analysis.propagation.operations import Perspective
from mecdsl.analysis.propagation.ranges import Flags, Range, greatest
from mecdsl.convexity.curvature import (
    Curve,
    chosen,
    composed,
    constants,
    exponential,
    logarithm,
    number,
    power,
    settled,
)
from mecdsl.convexity.operators import spread
from mecdsl.convexity.parts import (
    PROBES,
    ROUNDING,
    Bend,
    nonnegative,
    nonpositive,
    signed,
)
from mecdsl.functions.function import Bends, Expansion, Several, Univariate
from mecdsl.functions.table import TABLE, UNIVARIATE


def call(name: str, arguments: Sequence[Any]) -> Curve:
    """A function of curves, of which some may be numbers.

    Raises KeyError for a name that is none.
    """
    size = next(argument.size for argument in arguments if isinstance(argument, Curve))
    curves = [
        argument if isinstance(argument, Curve) else number(argument, size)
        for argument in arguments
    ]
    if name in STRUCTURED:
        return STRUCTURED[name](curves)
    expansion = written_out(name)
    if expansion is not None:
        found: Curve = expansion.build(call, *curves)
        return found
    row = TABLE[name]
    return of_row(row, curves[0]) if isinstance(row, Univariate) else of_several(row, curves)


def written_out(name: str) -> Expansion | None:
    """What a function is judged by in its place, if anything."""
    row = TABLE[name]
    own = name in STRUCTURED or (isinstance(row, Univariate) and not row.bends_by_expansion)
    return None if own else row.expansion


def bends_of(row: Univariate, ends: Range) -> Bends:
    """How a function of one argument bends on ranges, up to round-off at 0."""
    clipped = signed(ends)
    return row.bends(clipped.low, clipped.high)


def absolute(curve: Curve) -> Curve:
    """abs: convex; the value itself, or its negative, where the sign is known."""
    above, below = nonnegative(curve.ends), nonpositive(curve.ends)
    size = curve.size
    ends = value_of(UNIVARIATE["abs"], curve.ends, ROUNDING)
    outer = Bends(np.ones(size, dtype=bool), above | below, above, below & ~above)
    found = composed(curve, ends, outer)
    root = curve.root | (curve.log.convex & above)
    sign = np.where(above, 1.0, np.where(below, -1.0, np.nan))
    return settled(
        replace(found, log=curve.log.where(above), root=root, probe=curve.probe * sign[:, None])
    )


def extreme(name: str, curves: Sequence[Curve]) -> Curve:
    """min or max, row by row: a maximum of convex functions is convex, a minimum of concave ones
    concave.
    """
    result = curves[0]
    for other in curves[1:]:
        result = _extreme(name, result, other)
    return result


def _extreme(name: str, one: Curve, two: Curve) -> Curve:
    size, high = one.size, name == "max"
    ends = greatest(one.ends, two.ends) if high else -greatest(-one.ends, -two.ends)
    both, log = one.bend.both(two.bend), one.log.both(two.log)
    nowhere = np.zeros(size, dtype=bool)
    bend = Bend(both.convex, nowhere) if high else Bend(nowhere, both.concave)
    log = Bend(log.convex, nowhere) if high else Bend(nowhere, log.concave)
    probe = np.full_like(one.probe, np.nan)
    root = one.root & two.root & high
    found = settled(Curve(ends=ends, bend=bend, log=log, root=root, probe=probe))
    for left, right in ((one, two), (two, one)):
        apart = dominates(name, left, right)
        if apart.any():
            found = chosen(apart, left, found)
    return found


def dominates(name: str, one: Curve, two: Curve) -> Flags:
    """Rows where the extreme of two is always the first."""
    low, high = one.ends, two.ends
    return np.asarray(low.low >= high.high if name == "max" else low.high <= high.low)


def perspective(time: Curve, energy: Curve) -> Curve:
    """t ln(1 + e/t): concave in both together and rising in each, for t, e >= 0; unknown where one
    may be negative.
    """
    sure = nonnegative(time.ends) & nonnegative(energy.ends)
    step = Perspective(time.size, False, ())
    with np.errstate(all="ignore"):
        ends = step.forward((signed(time.ends), signed(energy.ends)), ROUNDING)
        values = TABLE["perspective"].value(time.level, energy.level)
    together = time.bend.both(energy.bend)
    nowhere = np.zeros(time.size, dtype=bool)
    fixed = time.constant & energy.constant & sure
    probe = np.column_stack([np.zeros((time.size, PROBES)), values])
    return settled(
        Curve(
            ends=ends,
            bend=Bend(fixed, sure & together.concave),
            log=Bend(nowhere, nowhere),
            root=nowhere,
            probe=np.where(fixed[:, None], probe, np.nan),
        )
    )


def of_row(row: Univariate, curve: Curve) -> Curve:
    """A function of one argument by what the table says of it on the range of the argument."""
    with np.errstate(all="ignore"):
        ends = value_of(row, signed(curve.ends), ROUNDING)
    found = composed(curve, ends, bends_of(row, curve.ends))
    return settled(constants(found, curve, row.value))


def of_several(row: Several, curves: Sequence[Curve]) -> Curve:
    """A function of several arguments of which only the range is known."""
    size = curves[0].size
    fixed = np.logical_and.reduce([curve.constant for curve in curves])
    step = CalledWithSeveral(size, False, (), row.name)
    with np.errstate(all="ignore"):
        ends = step.forward([curve.ends for curve in curves], ROUNDING)
        values = row.value(*(curve.level for curve in curves))
    probe = np.column_stack([np.zeros((size, PROBES)), values])
    nowhere = np.zeros(size, dtype=bool)
    return settled(
        Curve(
            ends=ranges.chosen(fixed, Range(values, values), ends),
            bend=Bend(fixed, fixed),
            log=Bend(nowhere, nowhere),
            root=nowhere,
            probe=np.where(fixed[:, None], probe, np.nan),
        )
    )


STRUCTURED: Final[Mapping[str, Callable[[Sequence[Curve]], Curve]]] = {
    "ln": lambda curves: logarithm(curves[0]),
    "exp": lambda curves: exponential(curves[0]),
    "sqrt": lambda curves: power(curves[0], spread(0.5, curves[0].size)),
    "abs": lambda curves: absolute(curves[0]),
    "min": lambda curves: extreme("min", curves),
    "max": lambda curves: extreme("max", curves),
    "perspective": lambda curves: perspective(curves[0], curves[1]),
}
"""Functions whose curves carry more than a bend: logarithms, roots, monomials, perspectives."""
