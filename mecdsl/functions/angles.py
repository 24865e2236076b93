"""Sine, cosine and tangent of an angle in radian, and the angles back from these."""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from mecdsl.functions.function import (
    ABOVE,
    BELOW,
    LINE,
    Derivatives,
    DimensionRule,
    Expansion,
    FloatArray,
    Interval,
    Partials,
    Several,
    Univariate,
)

PI: Final = math.pi
UNIT: Final = Interval(-1.0, 1.0)
HALF_TURN: Final = Interval(-PI, PI)
QUARTERS: Final = Interval(-PI / 2.0, PI / 2.0)


@np.errstate(all="ignore")
def _sine(x: FloatArray) -> Derivatives:
    value = np.sin(x)
    return value, np.cos(x), -value


@np.errstate(all="ignore")
def _cosine(x: FloatArray) -> Derivatives:
    value = np.cos(x)
    return value, -np.sin(x), -value


@np.errstate(all="ignore")
def _tangent(x: FloatArray) -> Derivatives:
    value = np.tan(x)
    slope = 1.0 + value * value
    return value, slope, 2.0 * value * slope


@np.errstate(all="ignore")
def _arcsine(x: FloatArray) -> Derivatives:
    slope = 1.0 / np.sqrt((1.0 - x) * (1.0 + x))
    return np.arcsin(x), slope, x * slope * slope * slope


@np.errstate(all="ignore")
def _arccosine(x: FloatArray) -> Derivatives:
    _, slope, curve = _arcsine(x)
    return np.arccos(x), -slope, -curve


@np.errstate(all="ignore")
def _arctangent(x: FloatArray) -> Derivatives:
    slope = 1.0 / (1.0 + x * x)
    return np.arctan(x), slope, -2.0 * x * slope * slope


def _unbounded_tangent(angle: Any) -> Any:
    """The tangent, infinite at what doubles have for a quarter turn."""
    end = np.abs(angle) >= PI / 2.0
    return np.where(end, np.copysign(np.inf, angle), np.tan(angle))


@np.errstate(all="ignore")
def _angle(y: FloatArray, x: FloatArray) -> Partials:
    """With r^2 = x^2 + y^2: f_y = x/r^2, f_x = -y/r^2, f_yy = -2xy/r^4 = -f_xx,
    f_yx = (y^2 - x^2)/r^4.
    """
    radius = np.hypot(x, y)
    above, beside = y / radius, x / radius
    bend, mixed = 2.0 * above * beside, (above - beside) * (above + beside)
    square = radius * radius
    value = np.arctan2(y, x)
    return value, beside / radius, -above / radius, -bend / square, mixed / square, bend / square


def _angles(lows: Sequence[Any], highs: Sequence[Any]) -> tuple[FloatArray, FloatArray]:
    """At the corners, unless the range holds the origin or a point of the cut, y = 0 and x <= 0."""
    (y_low, x_low), (y_high, x_high) = lows, highs
    corners = [np.arctan2(y, x) for y in (y_low, y_high) for x in (x_low, x_high)]
    cut = (x_low <= 0.0) & (y_low <= 0.0) & (y_high >= 0.0)
    least, most = np.minimum.reduce(corners), np.maximum.reduce(corners)
    unknown = cut | np.isnan(least)
    return np.where(unknown, -PI, least), np.where(unknown, PI, most)


ROWS: Final = (
    Univariate(
        name="sin",
        value=np.sin,
        derivatives=_sine,
        vanishes=True,
        values=UNIT,
        convex=Interval(-PI, 0.0),
        concave=Interval(0.0, PI),
        rising=QUARTERS,
        falling=Interval(PI / 2.0, 1.5 * PI),
        turns=((PI / 2.0, 1.0), (-PI / 2.0, -1.0)),
        period=2.0 * PI,
    ),
    Univariate(
        name="cos",
        value=np.cos,
        derivatives=_cosine,
        vanishes=True,
        values=UNIT,
        convex=Interval(PI / 2.0, 1.5 * PI),
        concave=QUARTERS,
        rising=Interval(-PI, 0.0),
        falling=Interval(0.0, PI),
        turns=((0.0, 1.0), (PI, -1.0)),
        period=2.0 * PI,
    ),
    Univariate(
        name="tan",
        value=np.tan,
        derivatives=_tangent,
        vanishes=True,
        convex=Interval(0.0, PI / 2.0),
        concave=Interval(-PI / 2.0, 0.0),
        rising=QUARTERS,
        period=PI,
        poles=(PI / 2.0,),
        expansion=Expansion(("sin", "cos"), lambda call, x: call("sin", [x]) / call("cos", [x])),
        mistaken=("tg",),
    ),
    Univariate(
        name="asin",
        value=np.arcsin,
        derivatives=_arcsine,
        vanishes=True,
        domain=UNIT,
        values=QUARTERS,
        convex=Interval(0.0, 1.0),
        concave=Interval(-1.0, 0.0),
        rising=UNIT,
        back=(np.sin, np.sin),
        mistaken=("arcsin",),
    ),
    Univariate(
        name="acos",
        value=np.arccos,
        derivatives=_arccosine,
        vanishes=True,
        domain=UNIT,
        values=Interval(0.0, PI),
        convex=Interval(-1.0, 0.0),
        concave=Interval(0.0, 1.0),
        falling=UNIT,
        back=(np.cos, np.cos),
        mistaken=("arccos",),
    ),
    Univariate(
        name="atan",
        value=np.arctan,
        derivatives=_arctangent,
        vanishes=True,
        values=QUARTERS,
        convex=BELOW,
        concave=ABOVE,
        rising=LINE,
        back=(_unbounded_tangent, _unbounded_tangent),
        mistaken=("arctan", "arctg"),
    ),
    Several(
        name="atan2",
        parameters=("y", "x"),
        value=np.arctan2,
        partials=_angle,
        dimensions=DimensionRule.RATIO,
        homogeneous=0.0,
        image=_angles,
        mistaken=("arctan2",),
    ),
)
