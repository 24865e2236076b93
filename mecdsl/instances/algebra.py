"""What an expression template is evaluated with: numbers, numbers with derivatives, or a modelling
tool's objects.

The evaluator itself uses Python operators and these few operations; data parts are always plain
arrays.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mecdsl.functions.table import TABLE
from mecdsl.instances import jets
from mecdsl.instances.jets import Jet
from mecdsl.instances.tables import FloatArray, IntArray

Sums = Callable[[FloatArray], FloatArray]
Value = Any  # float, float64[n], bool[n], Jet, Magnitude or object[n]


class Algebra(ABC):
    """The operations on families of values that are not Python operators.

    `numeric`: values have numbers behind them, which `level` gives; so a logarithm of exponentials
    can be shifted.
    """

    numeric = False

    def level(self, value: Value) -> FloatArray:
        """The numbers of values."""
        raise TypeError(f"no numbers in {type(self).__name__}")

    @abstractmethod
    def variables(self, columns: IntArray) -> Value:
        """The decision variables of the given columns."""

    @abstractmethod
    def segment_sum(self, value: Value, parent: IntArray, size: int) -> Value:
        """Row r of the result is the sum of the rows with parent r."""

    @abstractmethod
    def merge(self, size: int, parts: Sequence[tuple[IntArray, Value]]) -> Value:
        """One family out of parts that each fill the rows of an index array."""

    @abstractmethod
    def call(self, name: str, arguments: Sequence[Value]) -> Value:
        """A function of the language."""

    def running_sum(self, value: Value, sums: Sums) -> Value | None:
        """Sums over what stands before in an order; None where they have to be written out.

        `sums` does it for float64 of the members.
        """
        return None

    def segment_prod(self, value: Value, parent: IntArray, size: int) -> Value:
        """Row r of the result is the product of the rows with parent r."""
        raise TypeError(f"`prod` of variables in {type(self).__name__}")

    def segment_extreme(self, name: str, value: Value, parent: IntArray, size: int) -> Value:
        """Row r of the result is the min or max of the rows with parent r; no segment is empty."""
        raise TypeError(f"`{name}` over variables in {type(self).__name__}")


class Floats(Algebra):
    """Plain numbers; `x` is float64[columns]."""

    numeric = True

    def level(self, value: Value) -> FloatArray:
        return np.asarray(value, dtype=np.float64)

    def __init__(self, x: FloatArray | None = None) -> None:
        self.x = x

    def variables(self, columns: IntArray) -> FloatArray:
        if self.x is None:
            raise TypeError("a data expression holds a variable")
        return self.x[columns]

    def segment_sum(self, value: Value, parent: IntArray, size: int) -> FloatArray:
        return np.bincount(parent, weights=value, minlength=size).astype(np.float64)

    def running_sum(self, value: Value, sums: Sums) -> FloatArray | None:
        return sums(value)

    def merge(self, size: int, parts: Sequence[tuple[IntArray, Value]]) -> NDArray[Any]:
        kind = (
            np.result_type(*(np.asarray(value).dtype for _, value in parts))
            if parts
            else np.float64
        )
        result = np.zeros(size, dtype=kind)
        for rows, value in parts:
            result[rows] = value
        return result

    def call(self, name: str, arguments: Sequence[Value]) -> Value:
        with np.errstate(all="ignore"):
            return TABLE[name].value(*(np.asarray(a, dtype=np.float64) for a in arguments))

    def segment_prod(self, value: Value, parent: IntArray, size: int) -> FloatArray:
        result = np.ones(size)
        np.multiply.at(result, parent, value)
        return result

    def segment_extreme(self, name: str, value: Value, parent: IntArray, size: int) -> FloatArray:
        function, start = (np.minimum, np.inf) if name == "min" else (np.maximum, -np.inf)
        result = np.full(size, start)
        function.at(result, parent, value)
        return result


class Jets(Algebra):
    """Values with first (order 1) and second (order 2) derivatives by the free columns."""

    numeric = True

    def level(self, value: Value) -> FloatArray:
        return np.asarray(value.value if isinstance(value, Jet) else value, dtype=np.float64)

    def __init__(self, x: FloatArray, order: int, free: NDArray[np.bool_]) -> None:
        self.x, self.order, self.free = x, order, free

    def variables(self, columns: IntArray) -> Jet:
        return Jet.variables(self.x, columns, self.order, self.free)

    def segment_sum(self, value: Value, parent: IntArray, size: int) -> Value:
        return jets.segment_sum(value, parent, size)

    def segment_prod(self, value: Value, parent: IntArray, size: int) -> Value:
        return jets.segment_prod(value, parent, size)

    def merge(self, size: int, parts: Sequence[tuple[IntArray, Value]]) -> Jet:
        return jets.merge(size, parts, self.order)

    def call(self, name: str, arguments: Sequence[Value]) -> Value:
        return jets.call(name, *arguments)

    def segment_extreme(self, name: str, value: Value, parent: IntArray, size: int) -> Jet:
        return jets.segment_extreme(name, value, parent, size)


class LacksFunction(Exception):
    """A tool has no words for a function, whose name it is; backends ask before they start."""


class Objects(Algebra):
    """Expression objects of another tool, one per row, in object arrays.

    `columns` holds the variable objects; `functions` the tool's own functions of one object;
    `total` its sum.
    """

    def __init__(
        self,
        columns: NDArray[np.object_],
        functions: Mapping[str, Callable[..., Any]],
        total: Callable[[Any], Any],
    ) -> None:
        self.columns, self.functions, self.total = columns, functions, total

    def variables(self, columns: IntArray) -> Value:
        found = self.columns[columns]
        return found.astype(np.float64) if all(map(_is_number, found)) else found

    def segment_sum(self, value: Value, parent: IntArray, size: int) -> NDArray[np.object_]:
        order = np.argsort(parent, kind="stable")
        ends = np.searchsorted(parent[order], np.arange(size + 1))
        rows = np.asarray(value, dtype=object)[order]
        result = np.empty(size, dtype=object)
        for row in range(size):
            result[row] = self.total(rows[ends[row] : ends[row + 1]])
        return result

    def segment_prod(self, value: Value, parent: IntArray, size: int) -> NDArray[np.object_]:
        result = np.full(size, 1.0, dtype=object)
        for row, factor in zip(parent, np.asarray(value, dtype=object), strict=True):
            result[row] = result[row] * factor
        return result

    def merge(self, size: int, parts: Sequence[tuple[IntArray, Value]]) -> NDArray[np.object_]:
        result = np.zeros(size, dtype=object)
        for rows, value in parts:
            result[rows] = value
        return result

    def call(self, name: str, arguments: Sequence[Value]) -> NDArray[np.object_]:
        return _by_rows(lambda *values: self._one(name, *values), arguments)

    def _one(self, name: str, *values: Any) -> Any:
        """A function of one row; where it holds no object it is that of numbers, which knows no
        exceptions. What the tool has not is written out. Raises `LacksFunction` where it cannot.
        """
        row = TABLE[name]
        if all(map(_is_number, values)):
            return float(row.value(*values))
        if name in self.functions:
            return self.functions[name](*values)
        if row.expansion is None:
            raise LacksFunction(name)
        return row.expansion.build(lambda inner, parts: self._one(inner, *parts), *values)


def _is_number(value: Any) -> bool:
    return isinstance(value, float | int | np.floating | np.integer)


def _by_rows(function: Callable[..., Any], arguments: Sequence[Value]) -> NDArray[np.object_]:
    """A function of objects, row by row."""
    operands = [np.asarray(argument, dtype=object) for argument in arguments]
    return np.asarray(np.frompyfunc(function, len(operands), 1)(*operands), dtype=object)
