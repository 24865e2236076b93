"""Values together with the size of the terms they are made of: the yardstick for a residual.

The residual of a row is judged relative to the terms that cancel in it, so that 1e-15 W of noise
and 1e9 cycles are both judged fairly. The size of a sum is the sum of the sizes, of a product the
product; a function starts anew.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mecdsl.instances.algebra import Algebra, Floats, Sums
from mecdsl.instances.tables import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Magnitude:
    """float64[n] values and their sizes, both with one entry per row; size >= |value|."""

    value: FloatArray
    size: FloatArray
    __array_ufunc__ = None

    def __getitem__(self, rows: IntArray) -> "Magnitude":
        return Magnitude(self.value[rows], self.size[rows])

    def __neg__(self) -> "Magnitude":
        return Magnitude(-self.value, self.size)

    def __add__(self, other: Any) -> "Magnitude":
        return Magnitude(self.value + value_of(other), self.size + size_of(other))

    __radd__ = __add__

    def __sub__(self, other: Any) -> "Magnitude":
        return Magnitude(self.value - value_of(other), self.size + size_of(other))

    def __rsub__(self, other: Any) -> "Magnitude":
        return Magnitude(value_of(other) - self.value, self.size + size_of(other))

    def __mul__(self, other: Any) -> "Magnitude":
        return Magnitude(self.value * value_of(other), self.size * size_of(other))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> "Magnitude":
        below = np.abs(value_of(other))
        return Magnitude(self.value / value_of(other), self.size / below * (size_of(other) / below))

    def __rtruediv__(self, other: Any) -> "Magnitude":
        value = value_of(other) / self.value
        return Magnitude(
            value, size_of(other) / np.abs(self.value) * (self.size / np.abs(self.value))
        )

    def __pow__(self, exponent: Any) -> "Magnitude":
        value = self.value ** value_of(exponent)
        power = np.abs(value_of(exponent))
        growth = np.where(
            self.value == 0, 1.0, self.size / np.where(self.value == 0, 1.0, np.abs(self.value))
        )
        size = np.abs(value) * growth**power
        cancelled = (self.value == 0) & (
            value_of(exponent) > 0
        )  # a square of terms that cancel exactly has their size
        return Magnitude(value, np.where(cancelled, self.size**power, size))

    def __rpow__(self, base: Any) -> "Magnitude":
        value = value_of(base) ** self.value
        return Magnitude(value, np.abs(value))


def value_of(operand: Any) -> Any:
    """The values of a magnitude; anything else is its own value."""
    return operand.value if isinstance(operand, Magnitude) else operand


def size_of(operand: Any) -> Any:
    """The sizes of a magnitude; of a number its absolute value."""
    return operand.size if isinstance(operand, Magnitude) else np.abs(operand)


class Magnitudes(Algebra):
    """Evaluate expressions as magnitudes at a point; `x`: float64, one entry per column."""

    numeric = True

    def level(self, value: Any) -> FloatArray:
        return np.asarray(value_of(value), dtype=np.float64)

    def __init__(self, x: FloatArray) -> None:
        self.x = x
        self.plain = Floats(x)

    def variables(self, columns: IntArray) -> Magnitude:
        return Magnitude(self.x[columns], np.abs(self.x[columns]))

    def segment_sum(self, value: Any, parent: IntArray, size: int) -> Magnitude:
        return Magnitude(
            self.plain.segment_sum(value_of(value), parent, size),
            self.plain.segment_sum(size_of(value), parent, size),
        )

    def running_sum(self, value: Any, sums: Sums) -> Magnitude:
        return Magnitude(sums(value_of(value)), sums(size_of(value)))

    def segment_prod(self, value: Any, parent: IntArray, size: int) -> Magnitude:
        return Magnitude(
            self.plain.segment_prod(value_of(value), parent, size),
            self.plain.segment_prod(size_of(value), parent, size),
        )

    def segment_extreme(self, name: str, value: Any, parent: IntArray, size: int) -> Magnitude:
        found = self.plain.segment_extreme(name, value_of(value), parent, size)
        return Magnitude(found, self.plain.segment_extreme("max", size_of(value), parent, size))

    def merge(self, size: int, parts: Sequence[tuple[IntArray, Any]]) -> Magnitude:
        return Magnitude(
            self.plain.merge(size, [(rows, value_of(value)) for rows, value in parts]),
            self.plain.merge(size, [(rows, size_of(value)) for rows, value in parts]),
        )

    def call(self, name: str, arguments: Sequence[Any]) -> Magnitude:
        value = self.plain.call(name, [value_of(argument) for argument in arguments])
        return Magnitude(value, np.abs(value))
