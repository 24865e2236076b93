"""Hyperbolic functions and the error function."""

import math
from typing import Any, Final

import numpy as np

from mecdsl.functions.function import (
    ABOVE,
    BELOW,
    LINE,
    Derivatives,
    Expansion,
    FloatArray,
    Interval,
    Univariate,
)

UNIT: Final = Interval(-1.0, 1.0)


@np.errstate(all="ignore")
def _sinh(x: FloatArray) -> Derivatives:
    value = np.sinh(x)
    return value, np.cosh(x), value


@np.errstate(all="ignore")
def _cosh(x: FloatArray) -> Derivatives:
    value = np.cosh(x)
    return value, np.sinh(x), value


@np.errstate(all="ignore")
def _tanh(x: FloatArray) -> Derivatives:
    value = np.tanh(x)
    slope = np.square(1.0 / np.cosh(x))
    return value, slope, -2.0 * value * slope


def _error(x: Any) -> Any:
    from scipy.special import erf  # SciPy is loaded where a model asks for it

    return erf(x)


def _error_back(value: Any) -> Any:
    from scipy.special import erfinv

    return erfinv(value)


@np.errstate(all="ignore")
def _erf(x: FloatArray) -> Derivatives:
    slope = 2.0 / math.sqrt(math.pi) * np.exp(-x * x)
    return _error(x), slope, -2.0 * x * slope


ROWS: Final = (
    Univariate(
        name="sinh",
        value=np.sinh,
        derivatives=_sinh,
        vanishes=True,
        convex=ABOVE,
        concave=BELOW,
        rising=LINE,
        back=(np.arcsinh, np.arcsinh),
        expansion=Expansion(
            ("exp",), lambda call, x: 0.5 * call("exp", [x]) - 0.5 * call("exp", [-x])
        ),
    ),
    Univariate(
        name="cosh",
        value=np.cosh,
        derivatives=_cosh,
        values=Interval(low=1.0),
        convex=LINE,
        rising=ABOVE,
        falling=BELOW,
        turns=((0.0, 1.0),),
        back=(np.arccosh, np.arccosh),
        even=True,
        expansion=Expansion(
            ("exp",), lambda call, x: 0.5 * call("exp", [x]) + 0.5 * call("exp", [-x])
        ),
    ),
    Univariate(
        name="tanh",
        value=np.tanh,
        derivatives=_tanh,
        vanishes=True,
        values=UNIT,
        convex=BELOW,
        concave=ABOVE,
        rising=LINE,
        back=(np.arctanh, np.arctanh),
        expansion=Expansion(("exp",), lambda call, x: 1.0 - 2.0 / (1.0 + call("exp", [2.0 * x]))),
    ),
    Univariate(
        name="erf",
        value=_error,
        derivatives=_erf,
        vanishes=True,
        values=UNIT,
        convex=BELOW,
        concave=ABOVE,
        rising=LINE,
        back=(_error_back, _error_back),
    ),
)
