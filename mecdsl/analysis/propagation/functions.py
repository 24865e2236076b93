"""Functions of one argument that rise: their ranges, and back from a value to its argument."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mecdsl.analysis.propagation.powers import FUNCTION_UNIT
from mecdsl.analysis.propagation.ranges import TINY, Range, Rounding
from mecdsl.instances.tables import FloatArray

Plain = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Rising:
    """A rising function and what leads back from it.

    `back`: the least and the largest argument of a value. `least`: of the arguments that have a
    value. `floor`: below every value. `exact`: no rounding in either direction.
    """

    function: Plain
    back: tuple[Plain, Plain]
    least: float = -np.inf
    floor: float = -np.inf
    exact: bool = False


def _nonnegative(values: FloatArray) -> FloatArray:
    return np.maximum(values, 0.0)


def _square(values: FloatArray) -> FloatArray:
    return _nonnegative(values) ** 2


def _logarithm(function: Plain, factor: float = 1.0) -> Plain:
    return lambda values: factor * function(_nonnegative(values))


def _above_underflow(function: Plain, factor: float = 1.0) -> Plain:
    """What is 0 may have been a little more."""
    return lambda values: factor * function(_nonnegative(values) + TINY)


def _pair(function: Plain) -> tuple[Plain, Plain]:
    return function, function


RISING: Final[Mapping[str, Rising]] = {
    "ln": Rising(_logarithm(np.log), _pair(np.exp), least=0.0),
    "log2": Rising(_logarithm(np.log2), _pair(np.exp2), least=0.0),
    "log10": Rising(_logarithm(np.log10), _pair(lambda v: np.power(10.0, v)), least=0.0),
    "exp": Rising(np.exp, (_logarithm(np.log), _above_underflow(np.log)), floor=0.0),
    "db": Rising(
        lambda v: np.power(10.0, v / 10.0),
        (_logarithm(np.log10, 10.0), _above_underflow(np.log10, 10.0)),
        floor=0.0,
    ),
    "sqrt": Rising(lambda v: np.sqrt(_nonnegative(v)), _pair(_square), least=0.0, floor=0.0),
    "floor": Rising(np.floor, (np.ceil, lambda v: np.floor(v) + 1.0), exact=True),
    "ceil": Rising(np.ceil, (lambda v: np.ceil(v) - 1.0, np.floor), exact=True),
    "round": Rising(
        np.round, (lambda v: np.ceil(v) - 0.5, lambda v: np.floor(v) + 0.5), exact=True
    ),
}


def value_of(name: str, argument: Range, rounding: Rounding) -> Range:
    """The range of a function of the table."""
    rising = RISING[name]
    low, high = rising.function(argument.low), rising.function(argument.high)
    found = _widened(rising, low, high, rounding)
    return Range(np.maximum(found.low, rising.floor), np.maximum(found.high, rising.floor))


def argument_of(name: str, value: Range, rounding: Rounding) -> Range:
    """What the argument may be where the function has a value of the range."""
    rising = RISING[name]
    found = _widened(rising, rising.back[0](value.low), rising.back[1](value.high), rounding)
    return Range(np.maximum(found.low, rising.least), found.high)


def _widened(rising: Rising, low: FloatArray, high: FloatArray, rounding: Rounding) -> Range:
    if rising.exact:
        return Range(low, high)
    # what underflows to 0 is a little above it
    sizes = np.abs(low), np.where(high == 0.0, TINY, np.abs(high))
    return Rounding(max(rounding.unit, FUNCTION_UNIT)).outward(low, high, sizes)
