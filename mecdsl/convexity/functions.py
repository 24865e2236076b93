"""Curvature of the language's functions; the names are those of `mecdsl.instances.algebra`."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import numpy as np

from mecdsl.convexity.curvature import (
    NOBODY,
    Curve,
    chosen,
    composed,
    exponential,
    logarithm,
    number,
    power,
    settled,
    spread,
)
from mecdsl.convexity.parts import PROBES, Bend, Ends
from mecdsl.instances.algebra import PLAIN_FUNCTIONS

LN10: Final = float(np.log(10.0))


def call(name: str, arguments: Sequence[Any]) -> Curve:
    """A function of curves, of which some may be numbers.

    Raises KeyError for a name that is none.
    """
    size = next(argument.size for argument in arguments if isinstance(argument, Curve))
    curves = [
        argument if isinstance(argument, Curve) else number(argument, size)
        for argument in arguments
    ]
    return FUNCTIONS[name](curves)


def absolute(curve: Curve) -> Curve:
    """abs: convex; the value itself, or its negative, where the sign is known."""
    above, below = curve.ends.nonnegative, curve.ends.nonpositive
    size = curve.size
    low, high = np.abs(curve.ends.low), np.abs(curve.ends.high)
    ends = Ends(np.where(above | below, np.minimum(low, high), 0.0), np.maximum(low, high))
    outer = Bend(np.ones(size, dtype=bool), above | below)
    found = composed(curve, ends, outer, above, below & ~above)
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
    why = np.full((size, 2), NOBODY, dtype=np.int64)
    column = 0 if high else 1
    flags = (one.bend.convex, two.bend.convex) if high else (one.bend.concave, two.bend.concave)
    why[:, column] = np.where(flags[0], two.why[:, column], one.why[:, column])
    probe = np.full_like(one.probe, np.nan)
    found = settled(Curve(ends, bend, log, one.root & two.root & high, probe, why))
    for left, right in ((one, two), (two, one)):
        apart = left.ends.low >= right.ends.high if high else left.ends.high <= right.ends.low
        if apart.any():
            found = chosen(apart, left, found)
    return found


def perspective(time: Curve, energy: Curve) -> Curve:
    """t ln(1 + e/t): concave in both together and rising in each, for t, e >= 0; unknown where one
    may be negative.
    """
    sure = time.ends.nonnegative & energy.ends.nonnegative
    corners = [
        np.asarray(
            PLAIN_FUNCTIONS["perspective"](np.maximum(t, 0.0), np.maximum(e, 0.0)), dtype=np.float64
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
    found = composed(time, ends, Bend(nowhere, sure), nowhere, nowhere)
    why = np.where(time.bend.concave[:, None], energy.why, time.why)
    why = np.where((sure & ~together.concave)[:, None], why, found.why)
    why[sure, 0] = NOBODY
    fixed = time.constant & energy.constant & sure
    found = replace(found, bend=Bend(fixed, sure & together.concave), why=why, ratios=())
    probe = np.column_stack([np.zeros((time.size, PROBES)), ends.low])
    return settled(replace(found, probe=np.where(fixed[:, None], probe, np.nan)))


def rounded(curves: Sequence[Curve], name: str) -> Curve:
    """floor, ceil, round: steps, of which nothing is known but the range."""
    function = PLAIN_FUNCTIONS[name]
    curve = curves[0]
    ends = Ends(function(curve.ends.low), function(curve.ends.high))
    fixed = curve.constant
    flags = Bend(fixed, fixed)
    found = composed(curve, ends, Bend(fixed, fixed), fixed, fixed)
    probe = np.column_stack([np.zeros((curve.size, PROBES)), ends.low])
    why = np.where(found.why < NOBODY, NOBODY, found.why)
    return settled(
        replace(
            found, bend=flags, probe=np.where(fixed[:, None], probe, np.nan), why=why, ratios=()
        )
    )


FUNCTIONS: Final[Mapping[str, Callable[[Sequence[Curve]], Curve]]] = {
    "ln": lambda curves: logarithm(curves[0]),
    "log2": lambda curves: logarithm(curves[0]) * (1.0 / float(np.log(2.0))),
    "log10": lambda curves: logarithm(curves[0]) * (1.0 / LN10),
    "exp": lambda curves: exponential(curves[0]),
    "db": lambda curves: exponential(curves[0] * (LN10 / 10.0)),
    "sqrt": lambda curves: power(curves[0], spread(0.5, curves[0].size)),
    "abs": lambda curves: absolute(curves[0]),
    "floor": lambda curves: rounded(curves, "floor"),
    "ceil": lambda curves: rounded(curves, "ceil"),
    "round": lambda curves: rounded(curves, "round"),
    "min": lambda curves: extreme("min", curves),
    "max": lambda curves: extreme("max", curves),
    "perspective": lambda curves: perspective(curves[0], curves[1]),
    "quad_over_lin": lambda curves: curves[0] ** 2.0 / curves[1],
}
