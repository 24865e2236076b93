"""Functions of one argument: their ranges, and back from a value to its argument, rounded outwards.

What a function does on a range stands in its row of `mecdsl.functions`.
"""

from dataclasses import dataclass

import numpy as np

from mecdsl.analysis.propagation.operations import Ranges, Step
from mecdsl.analysis.propagation.powers import FUNCTION_UNIT
from mecdsl.analysis.propagation.ranges import (
    MOST_ROUNDING,
    TINY,
    Flags,
    Range,
    Rounding,
    are_whole,
    mirrored,
)
from mecdsl.functions.function import Univariate
from mecdsl.functions.table import SEVERAL, UNIVARIATE
from mecdsl.instances.tables import FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class Called(Step):
    """A function of the operand."""

    name: str

    def forward(self, given: Ranges, rounding: Rounding) -> Range:
        return value_of(UNIVARIATE[self.name], given[0], rounding)

    def back(self, own: Range, given: Ranges, rounding: Rounding) -> Ranges:
        return (argument_of(UNIVARIATE[self.name], own, given[0], rounding),)

    def poles(self, given: Ranges, cones: bool) -> Flags:
        return UNIVARIATE[self.name].reaches_pole(given[0].low, given[0].high)


@dataclass(frozen=True, slots=True, eq=False)
class CalledWithSeveral(Step):
    """A function of the operands that leaves nothing to say of them."""

    name: str

    def forward(self, given: Ranges, rounding: Rounding) -> Range:
        lows, highs = ([getattr(part, end) for part in given] for end in ("low", "high"))
        return _outward(*SEVERAL[self.name].image(lows, highs), rounding)


def value_of(row: Univariate, argument: Range, rounding: Rounding) -> Range:
    """The range of the values."""
    image = Range(*row.image(argument.low, argument.high))
    found = _widened(row, image.low, image.high, rounding)
    if row.direction and rounding.unit <= MOST_ROUNDING:
        first, last = (argument.low, argument.high)[:: row.direction]
        low, high = _unrounded(first, image.low), _unrounded(last, image.high)
        found = Range(np.where(low, image.low, found.low), np.where(high, image.high, found.high))
    return Range(
        np.maximum(found.low, row.values.low),
        np.minimum(np.maximum(found.high, row.values.low), row.values.high),
    )


def argument_of(row: Univariate, value: Range, before: Range, rounding: Rounding) -> Range:
    """What an argument in `before` may be where the function has a value in the range."""
    if np.isfinite(row.values.low) and np.isfinite(row.values.high):
        # it comes so near to an end that doubles do not tell them apart
        value = _widened(row, value.low, value.high, rounding)
    found = _widened(row, *row.arguments(value.low, value.high), rounding)
    if row.even and row.back is not None:
        found = mirrored(found, before)
    return Range(np.maximum(found.low, row.domain.low), np.minimum(found.high, row.domain.high))


def _widened(row: Univariate, low: FloatArray, high: FloatArray, rounding: Rounding) -> Range:
    return Range(low, high) if row.exact else _outward(low, high, rounding)


def _unrounded(argument: FloatArray, value: FloatArray) -> Flags:
    """Whole values at 0 and 1, such as `exp(0)`, `ln(1)` and `sqrt(1)`, are not rounded: elsewhere
    a value may come out whole that is not.
    """
    return np.asarray(((argument == 0.0) | (argument == 1.0)) & are_whole(value))


def _outward(low: FloatArray, high: FloatArray, rounding: Rounding) -> Range:
    """What underflows to 0 is a little above it."""
    sizes = np.array([np.abs(low), np.where(high == 0.0, TINY, np.abs(high))])
    return Rounding(max(rounding.unit, FUNCTION_UNIT)).outward(np.array([low, high]), sizes)
