"""Python's operators over families of functions of the variables, by a few rules of arithmetic."""

from abc import ABC, abstractmethod
from typing import Any, Self

import numpy as np

from mecdsl.instances.tables import FloatArray, IntArray


class Operators(ABC):
    """Families with one function in each of `size` rows; what is no family is numbers."""

    __slots__ = ()
    __array_ufunc__ = None

    @property
    @abstractmethod
    def size(self) -> int:
        """The number of rows."""

    @abstractmethod
    def __getitem__(self, rows: IntArray) -> Self:
        """The given rows."""

    @abstractmethod
    def numbers(self, value: Any) -> Self:
        """Numbers as functions that are constant, one for every row of this family."""

    @abstractmethod
    def scaled(self, factor: FloatArray) -> Self:
        """Numbers times the functions."""

    @abstractmethod
    def plus(self, other: Self) -> Self:
        """The sum row by row."""

    @abstractmethod
    def times(self, other: Self) -> Self:
        """The product row by row."""

    @abstractmethod
    def power(self, exponent: FloatArray) -> Self:
        """The rows to a power of numbers."""

    @abstractmethod
    def called(self, name: str) -> Self:
        """`exp` or `ln` of the rows."""

    def _spread(self, value: Any) -> FloatArray:
        return spread(value, self.size)

    def __neg__(self) -> Self:
        return self.scaled(-np.ones(self.size))

    def __add__(self, other: Any) -> Self:
        return self.plus(other if isinstance(other, type(self)) else self.numbers(other))

    __radd__ = __add__

    def __sub__(self, other: Any) -> Self:
        if isinstance(other, type(self)):
            return self.plus(-other)
        return self.plus(self.numbers(-np.asarray(other)))

    def __rsub__(self, other: Any) -> Self:
        return (-self).plus(self.numbers(other))

    def __mul__(self, other: Any) -> Self:
        if isinstance(other, type(self)):
            return self.times(other)
        return self.scaled(self._spread(other))

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Self:
        if isinstance(other, type(self)):
            return self.times(other.power(other._spread(-1.0)))
        with np.errstate(all="ignore"):
            return self.scaled(self._spread(np.divide(1.0, other)))

    def __rtruediv__(self, other: Any) -> Self:
        return self.power(self._spread(-1.0)).scaled(self._spread(other))

    def __pow__(self, exponent: Any) -> Self:
        if isinstance(exponent, type(self)):
            return exponent.times(self.called("ln")).called("exp")
        return self.power(self._spread(exponent))

    def __rpow__(self, base: Any) -> Self:
        numbers = self._spread(base)
        with np.errstate(all="ignore"):
            rate = np.where(numbers > 0.0, np.log(numbers), np.nan)
        return self.scaled(rate).called("exp")


def spread(value: Any, size: int) -> FloatArray:
    """A number for every row."""
    return np.broadcast_to(np.asarray(value, dtype=np.float64), (size,))
