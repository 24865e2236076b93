"""One step of an evaluation, row by row: its range from those of its operands, and what it leaves
of them.

`forward` gives the range of the result; `back` the ranges that the result leaves to the operands,
each of which holds every value the operand has at a feasible point. A step knows the numbers of its
operands on the tape.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mecdsl.analysis.propagation import powers
from mecdsl.analysis.propagation.ranges import (
    Flags,
    Range,
    Rounding,
    added,
    factor,
    greatest,
    inverse,
    multiplied,
    numbers,
)
from mecdsl.instances.tables import FloatArray, IntArray

Ranges = Sequence[Range]


@dataclass(frozen=True, slots=True, eq=False)
class Step(ABC):
    """A step with `size` rows; `whole`: rows that are whole numbers wherever the integer variables
    are.

    `operands`: numbers of steps before this one.
    """

    size: int
    whole: Any
    operands: tuple[int, ...]

    @abstractmethod
    def forward(self, given: Ranges, rounding: Rounding) -> Range:
        """The range of the result."""

    def back(self, own: Range, given: Ranges, rounding: Rounding) -> Ranges:
        """The ranges that are left to the operands; by default nothing is learnt."""
        return given

    def poles(self, given: Ranges, cones: bool) -> Flags:
        """The rows that may come to a place without a finite value or slope; by default none.

        `cones`: that of `quad_over_lin` at 0 counts, whose epigraph is a cone without one.
        """
        return np.zeros(self.size, dtype=bool)

    def marked(self, marks: Sequence[Flags]) -> Flags:
        """The rows that depend on a marked row of an operand."""
        result = np.zeros(self.size, dtype=bool)
        for mark in marks:
            result |= mark
        return result


@dataclass(frozen=True, slots=True, eq=False)
class Variables(Step):
    """The variables of some columns; the sweep reads and writes them."""

    columns: IntArray

    def forward(self, given: Ranges, rounding: Rounding) -> Range:
        raise TypeError("variables have no operands")


@dataclass(frozen=True, slots=True, eq=False)
class Data(Step):
    """Numbers; nan where nothing is known."""

    values: FloatArray

    def forward(self, given: Ranges, rounding: Rounding) -> Range:
        return numbers(self.values, self.size)


@dataclass(frozen=True, slots=True, eq=False)
class Added(Step):
    """left + right, or left - right."""

    minus: bool

    def forward(self, given: Ranges, rounding: Rounding) -> Range:
        left, right = given
        return added(left, -right if self.minus else right, rounding, self.whole)

    def back(self, own: Range, given: Ranges, rounding: Rounding) -> Ranges:
        left, right = given
        if self.minus:
            return added(own, right, rounding, self.whole), added(left, -own, rounding, self.whole)
        return added(own, -right, rounding, self.whole), added(own, -left, rounding, self.whole)


@dataclass(frozen=True, slots=True, eq=False)
class Negated(Step):
    """Minus the operand."""

    def forward(self, given: Ranges, rounding: Rounding) -> Range:
        return -given[0]

    def back(self, own: Range, given: Ranges, rounding: Rounding) -> Ranges:
        return (-own,)


@dataclass(frozen=True, slots=True, eq=False)
class Multiplied(Step):
    """left * right."""

    def forward(self, given: Ranges, rounding: Rounding) -> Range:
        left, right = given
        return multiplied(left, right, rounding, self.whole)

    def back(self, own: Range, given: Ranges, rounding: Rounding) -> Ranges:
        left, right = given
        return factor(own, right, rounding), factor(own, left, rounding)


@dataclass(frozen=True, slots=True, eq=False)
class Divided(Step):
    """above / below."""

    def forward(self, given: Ranges, rounding: Rounding) -> Range:
        above, below = given
        return multiplied(above, inverse(below, rounding), rounding)

    def back(self, own: Range, given: Ranges, rounding: Rounding) -> Ranges:
        above, below = given
        return multiplied(own, below, rounding), factor(above, own, rounding)

    def poles(self, given: Ranges, cones: bool) -> Flags:
        return given[1].holds_zero


@dataclass(frozen=True, slots=True, eq=False)
class Power(Step):
    """The operand to a power of numbers."""

    exponent: FloatArray

    def forward(self, given: Ranges, rounding: Rounding) -> Range:
        return powers.power(given[0], self.exponent, rounding, self.whole)

    def back(self, own: Range, given: Ranges, rounding: Rounding) -> Ranges:
        return (powers.base_of(own, self.exponent, given[0], rounding),)

    def poles(self, given: Ranges, cones: bool) -> Flags:
        base, broken = given[0], self.exponent != np.round(self.exponent)
        reached = ((self.exponent < 0.0) & base.holds_zero) | (broken & (base.low < 0.0))
        return np.asarray(reached)


@dataclass(frozen=True, slots=True, eq=False)
class Greater(Step):
    """The maximum of left and right; a minimum is minus the maximum of both with the other sign."""

    def forward(self, given: Ranges, rounding: Rounding) -> Range:
        return greatest(*given)

    def back(self, own: Range, given: Ranges, rounding: Rounding) -> Ranges:
        return tuple(
            Range(np.where(other.high < own.low, own.low, -np.inf), own.high)
            for other in (given[1], given[0])
        )


@dataclass(frozen=True, slots=True, eq=False)
class Perspective(Step):
    """time ln(1 + energy/time): rises in both where both are at least 0, and is at most the
    energy.
    """

    def forward(self, given: Ranges, rounding: Rounding) -> Range:
        time, energy = given
        sure = (time.low >= 0.0) & (energy.low >= 0.0)
        wide = Rounding(max(rounding.unit, powers.FUNCTION_UNIT))
        ends = [self._value(t, e) for t, e in ((time.low, energy.low), (time.high, energy.high))]
        low = np.where(np.isfinite(ends[0]), ends[0], 0.0)
        high = np.fmin(ends[1], energy.high)
        found = wide.outward(np.array([low, high]), np.abs(np.array([low, high])))
        return Range(
            np.where(sure, np.maximum(found.low, 0.0), -np.inf), np.where(sure, found.high, np.inf)
        )

    def back(self, own: Range, given: Ranges, rounding: Rounding) -> Ranges:
        time, energy = given
        sure = (time.low >= 0.0) & (energy.low >= 0.0)
        return time, Range(np.where(sure, own.low, energy.low), energy.high)

    def poles(self, given: Ranges, cones: bool) -> Flags:
        return np.asarray(given[0].low <= 0.0)

    @staticmethod
    def _value(time: FloatArray, energy: FloatArray) -> FloatArray:
        share = np.log1p(energy / time)
        return np.where(time == 0.0, 0.0, time * share)


@dataclass(frozen=True, slots=True, eq=False)
class QuadOverLin(Step):
    """above^2 / below, 0 where both are 0."""

    def forward(self, given: Ranges, rounding: Rounding) -> Range:
        above, below = given
        return multiplied(self._square(above, rounding), inverse(below, rounding), rounding)

    def back(self, own: Range, given: Ranges, rounding: Rounding) -> Ranges:
        above, below = given
        square = multiplied(own, below, rounding)
        twos = np.full(self.size, 2.0)
        root = powers.base_of(square, twos, above, rounding)
        return root, factor(self._square(above, rounding), own, rounding)

    def poles(self, given: Ranges, cones: bool) -> Flags:
        return np.asarray((given[1].low <= 0.0) if cones else (given[1].low < 0.0))

    def _square(self, above: Range, rounding: Rounding) -> Range:
        return powers.power(
            above, np.full(self.size, 2.0), rounding, np.zeros(self.size, dtype=bool)
        )
