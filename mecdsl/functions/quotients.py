"""Functions of two arguments that are homogeneous of degree 1, of radio and of energy."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from mecdsl.functions.function import (
    Call,
    Cone,
    DimensionRule,
    Expansion,
    FloatArray,
    Partials,
    Several,
)


@np.errstate(all="ignore")
def _rate_of_time(t: Any, e: Any) -> FloatArray:
    """t ln(1 + e/t), the perspective of ln(1 + e), for t, e >= 0; at t = 0 the limit 0."""
    time, energy = (np.asarray(part, dtype=np.float64) + 0.0 for part in (t, e))
    return np.where((time == 0.0) & (energy >= 0.0), 0.0, time * np.log1p(energy / time))


@np.errstate(all="ignore")
def _rate_partials(t: FloatArray, e: FloatArray) -> Partials:
    """With s = t + e: f_t = ln(1 + e/t) - e/s, f_e = t/s, f_tt = -e^2/(t s^2), f_te = e/s^2,
    f_ee = -t/s^2.

    At t = 0 the one-sided limits (f_t infinite); at t = e = 0 there are none.
    """
    time, energy = t + 0.0, e + 0.0
    total = time + energy
    share, density = energy / total, time / total
    return (
        _rate_of_time(time, energy),
        np.log1p(energy / time) - share,
        density,
        -share * share / time,
        share / total,
        -density / total,
    )


def _rate_image(lows: Sequence[Any], highs: Sequence[Any]) -> tuple[FloatArray, FloatArray]:
    """It rises in both where both are at least 0, and is at most the energy."""
    sure = (lows[0] >= 0.0) & (lows[1] >= 0.0)
    least, most = _rate_of_time(lows[0], lows[1]), _rate_of_time(highs[0], highs[1])
    least = np.where(np.isfinite(least), least, 0.0)
    return np.where(sure, least, -np.inf), np.where(sure, np.fmin(most, highs[1]), np.inf)


def _rate_written_out(call: Call, t: Any, e: Any) -> Any:
    """t ln(1 + e/t); at a time of 0 that is a number it is 0, as far as it is defined."""
    if isinstance(t, float | int) and t == 0.0:
        return 0.0
    return t * call("ln", [1.0 + e / t])


@np.errstate(all="ignore")
def _square_over(x: Any, y: Any) -> FloatArray:
    """x^2/y for y >= 0, with value 0 at x = y = 0 and infinity at y = 0 elsewhere."""
    above, below = (np.asarray(part, dtype=np.float64) + 0.0 for part in (x, y))
    return np.where((above == 0.0) & (below >= 0.0), 0.0, above * above / below)


@np.errstate(all="ignore")
def _square_over_partials(x: FloatArray, y: FloatArray) -> Partials:
    """f_x = 2x/y, f_y = -(x/y)^2, f_xx = 2/y, f_xy = -2x/y^2, f_yy = 2x^2/y^3."""
    below = y + 0.0
    share = (x + 0.0) / below
    return (
        _square_over(x, y),
        2.0 * share,
        -share * share,
        2.0 / below,
        -2.0 * share / below,
        2.0 * share * share / below,
    )


@np.errstate(all="ignore")
def _square_over_image(lows: Sequence[Any], highs: Sequence[Any]) -> tuple[FloatArray, FloatArray]:
    """The smallest square over the largest divisor to the largest over the smallest."""
    squares = np.square(lows[0]), np.square(highs[0])
    straddles = (lows[0] <= 0.0) & (highs[0] >= 0.0)
    least = np.where(straddles, 0.0, np.minimum(*squares)) / highs[1]
    most = np.maximum(*squares) / lows[1]
    sure = lows[1] >= 0.0
    least, most = np.where(np.isnan(least), 0.0, least), np.where(np.isnan(most), np.inf, most)
    return np.where(sure, least, -np.inf), np.where(sure, most, np.inf)


ROWS: Final = (
    Several(
        name="perspective",
        parameters=("t", "e"),
        value=_rate_of_time,
        partials=_rate_partials,
        dimensions=DimensionRule.SAME,
        homogeneous=1.0,
        rising=True,
        image=_rate_image,
        above_zero=0,
        cone=Cone.EXPONENTIAL,
        expansion=Expansion(("ln",), _rate_written_out),
    ),
    Several(
        name="quad_over_lin",
        parameters=("x", "y"),
        value=_square_over,
        partials=_square_over_partials,
        dimensions=DimensionRule.SQUARE_OVER,
        homogeneous=1.0,
        image=_square_over_image,
        above_zero=1,
        cone=Cone.SECOND_ORDER,
        expansion=Expansion((), lambda call, x, y: x**2.0 / y),
    ),
)
