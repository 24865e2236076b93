"""Functions of pieces: absolute value, sign, rounding, the least and the largest of several."""

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, Final

import numpy as np

from mecdsl.functions.function import (
    ABOVE,
    BELOW,
    LINE,
    Call,
    Cone,
    Derivatives,
    DimensionRule,
    Expansion,
    FloatArray,
    Interval,
    LevelRule,
    Several,
    Smoothness,
    Univariate,
    Whole,
)


def _absolute(x: FloatArray) -> Derivatives:
    """At 0, where there is no derivative, the middle 0 of the subgradients."""
    return np.abs(x), np.sign(x), np.zeros_like(x)


def _steps(
    name: str,
    value: Callable[[Any], Any],
    back: tuple[Callable[[Any], Any], Callable[[Any], Any]] | None,
    dimensions: DimensionRule = DimensionRule.COUNTED,
    values: Interval = LINE,
    mistaken: tuple[str, ...] = (),
) -> Univariate:
    """A function that jumps: flat wherever it has a derivative."""
    return Univariate(
        name=name,
        value=value,
        derivatives=lambda x: (value(x), np.zeros_like(x), np.zeros_like(x)),
        dimensions=dimensions,
        levels=LevelRule.REFUSED,
        smoothness=Smoothness.STEPPED,
        whole=Whole.ALWAYS,
        values=values,
        rising=LINE,
        back=back,
        exact=True,
        mistaken=mistaken,
    )


def _extreme(name: str, function: Callable[[Any, Any], Any], sign: float) -> Several:
    def written_out(call: Call, *arguments: Any) -> Any:
        """max(u, v) = (u + v + |u - v|)/2, and min with minus."""

        def larger(left: Any, right: Any) -> Any:
            return 0.5 * (left + right) + sign * 0.5 * call("abs", [left - right])

        return reduce(larger, arguments)

    def value(*arguments: Any) -> Any:
        return reduce(function, arguments)

    def image(lows: Sequence[Any], highs: Sequence[Any]) -> tuple[FloatArray, FloatArray]:
        return value(*lows), value(*highs)

    return Several(
        name=name,
        parameters=("x", "y", "..."),
        value=value,
        dimensions=DimensionRule.SAME,
        levels=LevelRule.CHOSEN,
        smoothness=Smoothness.KINKED,
        whole=Whole.KEPT,
        homogeneous=1.0,
        cone=Cone.LINEAR,
        rising=True,
        image=image,
        expansion=Expansion(("abs",), written_out),
    )


ROWS: Final = (
    Univariate(
        name="abs",
        value=np.abs,
        derivatives=_absolute,
        dimensions=DimensionRule.SAME,
        levels=LevelRule.REFUSED,
        smoothness=Smoothness.KINKED,
        whole=Whole.KEPT,
        homogeneous=1.0,
        cone=Cone.LINEAR,
        values=ABOVE,
        convex=LINE,
        rising=ABOVE,
        falling=BELOW,
        turns=((0.0, 0.0),),
        back=(np.positive, np.positive),
        even=True,
        exact=True,
        mistaken=("fabs",),
    ),
    _steps("floor", np.floor, (np.ceil, lambda value: np.floor(value) + 1.0), mistaken=("int",)),
    _steps("ceil", np.ceil, (lambda value: np.ceil(value) - 1.0, np.floor), mistaken=("ceiling",)),
    _steps(
        "round",
        np.round,
        (lambda value: np.ceil(value) - 0.5, lambda value: np.floor(value) + 0.5),
    ),
    _steps(
        "sign",
        np.sign,
        None,
        dimensions=DimensionRule.RATIO,
        values=Interval(-1.0, 1.0),
        mistaken=("sgn", "signum"),
    ),
    _extreme("min", np.minimum, -1.0),
    _extreme("max", np.maximum, 1.0),
)
