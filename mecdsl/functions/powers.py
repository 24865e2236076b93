"""Logarithms, exponentials and the square root."""

import math
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from mecdsl.functions.function import (
    ABOVE,
    LINE,
    Cone,
    Derivatives,
    DimensionRule,
    Expansion,
    FloatArray,
    LevelRule,
    Univariate,
)

LN2: Final = math.log(2.0)
LN10: Final = math.log(10.0)
TINY: Final = 1e-300  # above all that underflow loses


def _logarithm(
    name: str,
    base: float,
    value: Callable[[Any], Any],
    power: Callable[[Any], Any],
    mistaken: tuple[str, ...],
) -> Univariate:
    """The logarithm to a base, as a multiple of the natural one."""
    scale = 1.0 / math.log(base) if base != math.e else 1.0

    @np.errstate(all="ignore")
    def derivatives(x: FloatArray) -> Derivatives:
        inverse = 1.0 / (x + 0.0)  # -0.0 + 0.0 is 0.0: the slope at 0 is +infinity
        return value(x), scale * inverse, -scale * inverse * inverse

    own = scale == 1.0
    expansion = Expansion(("ln",), lambda call, x: call("ln", [x]) * scale)
    return Univariate(
        name=name,
        value=value,
        derivatives=derivatives,
        levels=LevelRule.LOGARITHM,
        domain=ABOVE,
        concave=ABOVE if own else None,
        rising=ABOVE,
        poles=(0.0,),
        back=(power, power),
        above_zero=0,
        logarithm=scale,
        cone=Cone.EXPONENTIAL if own else None,
        vanishes=True,
        expansion=None if own else expansion,
        mistaken=mistaken,
    )


@np.errstate(all="ignore")
def _exponential(x: FloatArray) -> Derivatives:
    value = np.exp(x)
    return value, value, value


def _power_of_ten(x: Any) -> Any:
    return np.power(10.0, np.asarray(x, dtype=np.float64) / 10.0)


@np.errstate(all="ignore")
def _decibel(x: FloatArray) -> Derivatives:
    value, rate = _power_of_ten(x), LN10 / 10.0
    return value, value * rate, value * rate * rate


@np.errstate(all="ignore")
def _square_root(x: FloatArray) -> Derivatives:
    value = np.sqrt(x + 0.0)
    slope = 0.5 / value
    return value, slope, -2.0 * slope * slope * slope


ROWS: Final = (
    _logarithm("ln", math.e, np.log, np.exp, ("log", "loge")),
    _logarithm("log2", 2.0, np.log2, np.exp2, ("lb",)),
    _logarithm("log10", 10.0, np.log10, lambda value: np.power(10.0, value), ("lg",)),
    Univariate(
        name="exp",
        value=np.exp,
        derivatives=_exponential,
        levels=LevelRule.PLAIN,
        values=ABOVE,
        convex=LINE,
        rising=LINE,
        cone=Cone.EXPONENTIAL,
        # what is 0 may have been a little more
        back=(np.log, lambda value: np.log(value + TINY)),
    ),
    Univariate(
        name="db",
        value=_power_of_ten,
        derivatives=_decibel,
        levels=LevelRule.PLAIN,
        values=ABOVE,
        rising=LINE,
        back=(
            lambda value: 10.0 * np.log10(value),
            lambda value: 10.0 * np.log10(value + TINY),
        ),
        expansion=Expansion(("exp",), lambda call, x: call("exp", [x * (LN10 / 10.0)])),
        also=("dB",),
    ),
    Univariate(
        name="sqrt",
        value=np.sqrt,
        derivatives=_square_root,
        dimensions=DimensionRule.ROOT,
        homogeneous=0.5,
        domain=ABOVE,
        values=ABOVE,
        concave=ABOVE,
        rising=ABOVE,
        cone=Cone.SECOND_ORDER,
        back=(np.square, np.square),
    ),
)
