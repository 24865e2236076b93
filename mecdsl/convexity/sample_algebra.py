"""Expressions at many points at once: values are float64[points, rows]."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mecdsl.functions.table import TABLE
from mecdsl.instances.algebra import Algebra
from mecdsl.instances.tables import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Sample:
    """float64[points, rows]; data, with one entry per row, fit the last axis."""

    value: FloatArray
    __array_ufunc__ = None

    def __getitem__(self, rows: IntArray) -> "Sample":
        return Sample(self.value[:, rows])

    def _with(
        self, function: Callable[[Any, Any], Any], other: Any, turned: bool = False
    ) -> "Sample":
        values = other.value if isinstance(other, Sample) else other
        with np.errstate(all="ignore"):
            return Sample(function(values, self.value) if turned else function(self.value, values))

    def __neg__(self) -> "Sample":
        return Sample(-self.value)

    def __add__(self, other: Any) -> "Sample":
        return self._with(np.add, other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> "Sample":
        return self._with(np.subtract, other)

    def __rsub__(self, other: Any) -> "Sample":
        return self._with(np.subtract, other, turned=True)

    def __mul__(self, other: Any) -> "Sample":
        return self._with(np.multiply, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> "Sample":
        return self._with(np.divide, other)

    def __rtruediv__(self, other: Any) -> "Sample":
        return self._with(np.divide, other, turned=True)

    def __pow__(self, other: Any) -> "Sample":
        return self._with(np.power, other)

    def __rpow__(self, other: Any) -> "Sample":
        return self._with(np.power, other, turned=True)


class Samples(Algebra):
    """Evaluate expressions at points; `points`: float64[points, columns]."""

    def __init__(self, points: FloatArray) -> None:
        self.points = points

    def variables(self, columns: IntArray) -> Sample:
        return Sample(self.points[:, columns])

    def segment_sum(self, value: Any, parent: IntArray, size: int) -> Sample:
        result = np.zeros((len(self.points), size))
        ordered = np.argsort(parent, kind="stable")
        sorted_parent = parent[ordered]
        starts = np.flatnonzero(np.diff(sorted_parent, prepend=-1))
        if len(starts):
            result[:, sorted_parent[starts]] = np.add.reduceat(
                self._values(value)[:, ordered], starts, axis=1
            )
        return Sample(result)

    def segment_prod(self, value: Any, parent: IntArray, size: int) -> Sample:
        result = np.ones((size, len(self.points)))
        np.multiply.at(result, parent, self._values(value).T)
        return Sample(result.T)

    def segment_extreme(self, name: str, value: Any, parent: IntArray, size: int) -> Sample:
        function, start = (np.minimum, np.inf) if name == "min" else (np.maximum, -np.inf)
        result = np.full((size, len(self.points)), start)
        function.at(result, parent, self._values(value).T)
        return Sample(result.T)

    def merge(self, size: int, parts: Sequence[tuple[IntArray, Any]]) -> Sample:
        result = np.zeros((len(self.points), size))
        for rows, value in parts:
            result[:, rows] = value.value if isinstance(value, Sample) else value
        return Sample(result)

    def call(self, name: str, arguments: Sequence[Any]) -> Sample:
        shape = np.broadcast_shapes(*(np.shape(self._values(argument)) for argument in arguments))
        values = [
            np.broadcast_to(self._values(argument), shape).astype(np.float64)
            for argument in arguments
        ]
        with np.errstate(all="ignore"):
            return Sample(TABLE[name].value(*values))

    @staticmethod
    def _values(value: Any) -> Any:
        return value.value if isinstance(value, Sample) else value
