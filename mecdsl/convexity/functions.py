"""Curvature of the language's functions; the names are those of `mecdsl.instances.algebra`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

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
from mecdsl.convexity.parts import PROBES, Bend, Ends, Flags
from mecdsl.functions.function import Bends, Expansion, Several, Univariate
from mecdsl.functions.table import TABLE
from mecdsl.instances.tables import FloatArray


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


def bends_of(row: Univariate, ends: Ends) -> Bends:
    """How a function of one argument bends on ranges, up to round-off at 0."""
    return row.bends(*signed(ends))


def signed(ends: Ends) -> tuple[FloatArray, FloatArray]:
    """The ends, at 0 where they are beyond it by round-off."""
    low = np.where(ends.nonnegative, np.maximum(ends.low, 0.0), ends.low)
    return low, np.where(ends.nonpositive, np.minimum(ends.high, 0.0), ends.high)


def absolute(curve: Curve) -> Curve:
    """abs: convex; the value itself, or its negative, where the sign is known."""
    above, below = curve.ends.nonnegative, curve.ends.nonpositive
    size = curve.size
    low, high = np.abs(curve.ends.low), np.abs(curve.ends.high)
    ends = Ends(np.where(above | below, np.minimum(low, high), 0.0), np.maximum(low, high))
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
    function = np.maximum if high else np.minimum
    ends = Ends(function(one.ends.low, two.ends.low), function(one.ends.high, two.ends.high))
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
    sure = time.ends.nonnegative & energy.ends.nonnegative
    corners = [
        np.asarray(
            TABLE["perspective"].value(np.maximum(t, 0.0), np.maximum(e, 0.0)), dtype=np.float64
        )
        for t, e in ((time.ends.low, energy.ends.low), (time.ends.high, energy.ends.high))
    ]
    ends = Ends(
        *(
            np.where(sure & ~np.isnan(c), c, end)
            for c, end in zip(corners, (-np.inf, np.inf), strict=True)
        )
    )
    together = time.bend.both(energy.bend)
    nowhere = np.zeros(time.size, dtype=bool)
    fixed = time.constant & energy.constant & sure
    probe = np.column_stack([np.zeros((time.size, PROBES)), ends.low])
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
    found = composed(curve, Ends(*row.image(*signed(curve.ends))), bends_of(row, curve.ends))
    return settled(constants(found, curve, row.value))


def of_several(row: Several, curves: Sequence[Curve]) -> Curve:
    """A function of several arguments of which only the range is known."""
    lows, highs = ([getattr(c.ends, end) for c in curves] for end in ("low", "high"))
    size = curves[0].size
    fixed = np.logical_and.reduce([curve.constant for curve in curves])
    with np.errstate(all="ignore"):
        ends = Ends(*row.image(lows, highs))
        values = row.value(*lows)
    probe = np.column_stack([np.zeros((size, PROBES)), values])
    nowhere = np.zeros(size, dtype=bool)
    return settled(
        Curve(
            ends=Ends(np.where(fixed, values, ends.low), np.where(fixed, values, ends.high)),
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
