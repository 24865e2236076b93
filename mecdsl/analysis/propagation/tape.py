"""An evaluation written down as steps over whole families, so that it can be gone through again
with ranges.

The evaluator runs once with the algebra of this module; every operation becomes one step, however
many rows it has. A definition is evaluated once, so all rows that use it share its steps.
"""

import hashlib
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np

from mecdsl.analysis.propagation.functions import Called, CalledWithSeveral
from mecdsl.analysis.propagation.operations import (
    Added,
    Data,
    Divided,
    Greater,
    Multiplied,
    Negated,
    Perspective,
    Power,
    QuadOverLin,
    Step,
    Variables,
)
from mecdsl.analysis.propagation.ranges import EXACT, Flags
from mecdsl.analysis.propagation.segments import Greatest, Merged, Picked, Summed
from mecdsl.functions.function import Univariate, Whole
from mecdsl.functions.table import TABLE
from mecdsl.instances.algebra import Algebra
from mecdsl.instances.tables import FloatArray, IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """The result of a step while it is written down."""

    tape: "Tape"
    number: int
    __array_ufunc__ = None

    @property
    def step(self) -> Step:
        """What was written down."""
        return self.tape.steps[self.number]

    def __getitem__(self, rows: IntArray) -> "Node":
        return self.tape.picked(self, rows)

    def __neg__(self) -> "Node":
        return self.tape.write(Negated(self.step.size, self.step.whole, (self.number,)))

    def __add__(self, other: Any) -> "Node":
        return self.tape.added(self, other, minus=False)

    __radd__ = __add__

    def __sub__(self, other: Any) -> "Node":
        return self.tape.added(self, other, minus=True)

    def __rsub__(self, other: Any) -> "Node":
        return self.tape.added(other, self, minus=True)

    def __mul__(self, other: Any) -> "Node":
        return self.tape.multiplied(self, other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> "Node":
        return self.tape.pair(Divided, self, other)

    def __rtruediv__(self, other: Any) -> "Node":
        return self.tape.pair(Divided, other, self)

    def __pow__(self, exponent: Any) -> "Node":
        if isinstance(exponent, Node):
            return self.tape.call("exp", [exponent * self.tape.call("ln", [self])])
        return self.tape.power(self, exponent)

    def __rpow__(self, base: Any) -> "Node":
        with np.errstate(all="ignore"):
            logarithm = np.log(np.asarray(base, dtype=np.float64))
        # of a base of 0 or less nothing is known
        return self.tape.call("exp", [self * np.where(np.isfinite(logarithm), logarithm, np.nan)])


@dataclass(eq=False)
class Tape(Algebra):
    """The algebra that writes steps down; `whole_columns`: columns whose values are whole
    numbers.
    """

    whole_columns: Flags
    steps: list[Step] = field(default_factory=list)
    known: dict[Hashable, int] = field(default_factory=dict)

    def write(self, step: Step) -> Node:
        """Append a step, unless the same one is there: what two rows have in common is bounded by
        both.
        """
        key = _key(step)
        number = self.known.setdefault(key, len(self.steps))
        if number == len(self.steps):
            self.steps.append(step)
        return Node(self, number)

    def variables(self, columns: IntArray) -> Node:
        return self.write(Variables(len(columns), self.whole_columns[columns], (), columns))

    def node(self, value: Any, size: int) -> Node:
        """A node as it is; numbers as data with one entry per row."""
        if isinstance(value, Node):
            return value
        values: FloatArray = np.broadcast_to(np.asarray(value, dtype=np.float64), (size,))
        whole = (np.round(values) == values) & (np.abs(values) <= EXACT)
        return self.write(Data(size, whole, (), values))

    def _nodes(self, values: Sequence[Any]) -> list[Node]:
        size = next(value.step.size for value in values if isinstance(value, Node))
        return [self.node(value, size) for value in values]

    def pair(self, make: Callable[..., Step], one: Any, two: Any) -> Node:
        """A step of two operands of whose result nothing says that it is whole."""
        left, right = self._nodes([one, two])
        size = left.step.size
        return self.write(make(size, np.zeros(size, dtype=bool), (left.number, right.number)))

    def added(self, one: Any, two: Any, minus: bool) -> Node:
        """The sum or the difference."""
        left, right = self._nodes([one, two])
        whole = left.step.whole & right.step.whole
        return self.write(Added(left.step.size, whole, (left.number, right.number), minus))

    def multiplied(self, one: Any, two: Any) -> Node:
        """The product; of a value with itself, its square."""
        left, right = self._nodes([one, two])
        if left.number == right.number:
            return self.power(left, 2.0)
        whole = left.step.whole & right.step.whole
        return self.write(Multiplied(left.step.size, whole, (left.number, right.number)))

    def power(self, base: Node, exponent: Any) -> Node:
        """A power of numbers."""
        size = base.step.size
        numbers: FloatArray = np.broadcast_to(np.asarray(exponent, dtype=np.float64), (size,))
        whole = base.step.whole & (np.round(numbers) == numbers) & (numbers >= 0.0)
        return self.write(Power(size, whole, (base.number,), numbers))

    def picked(self, node: Node, rows: IntArray) -> Node:
        """Some rows of a node."""
        return self.write(Picked(len(rows), node.step.whole[rows], (node.number,), rows))

    def segment_sum(self, value: Any, parent: IntArray, size: int) -> Node:
        node = self.node(value, len(parent))
        whole = np.bincount(parent[~node.step.whole], minlength=size) == 0
        return self.write(Summed(size, whole, (node.number,), parent))

    def segment_prod(self, value: Any, parent: IntArray, size: int) -> Node:
        """One product for each position within a segment; a segment that is shorter takes ones."""
        node = self.node(value, len(parent))
        count = len(parent)
        padded = self.merge(count + 1, [(np.arange(count), node), (np.array([count]), 1.0)])
        ordered = np.argsort(parent, kind="stable")
        counts = np.bincount(parent, minlength=size)
        first = np.cumsum(counts) - counts
        result = self.node(1.0, size)
        for position in range(int(counts.max(initial=0))):
            there = counts > position
            rows = np.full(size, count, dtype=np.int64)
            rows[there] = ordered[first[there] + position]
            result = self.multiplied(result, self.picked(padded, rows))
        return result

    def segment_extreme(self, name: str, value: Any, parent: IntArray, size: int) -> Node:
        node = self.node(value, len(parent))
        whole = np.bincount(parent[~node.step.whole], minlength=size) == 0
        turned = -node if name == "min" else node
        found = self.write(Greatest(size, whole, (turned.number,), parent))
        return -found if name == "min" else found

    def merge(self, size: int, parts: Sequence[tuple[IntArray, Any]]) -> Node:
        nodes = [self.node(value, len(rows)) for rows, value in parts]
        whole = np.ones(size, dtype=bool)
        for (rows, _), node in zip(parts, nodes, strict=True):
            whole[rows] = node.step.whole
        return self.write(
            Merged(size, whole, tuple(n.number for n in nodes), tuple(rows for rows, _ in parts))
        )

    def call(self, name: str, arguments: Sequence[Any]) -> Node:
        nodes = self._nodes(arguments)
        first, row = nodes[0].step, TABLE[name]
        size = first.size
        match name:
            case "perspective":
                return self.pair(Perspective, *nodes)
            case "quad_over_lin":
                return self.pair(QuadOverLin, *nodes)
            case "min" | "max":
                return self._extreme(name, nodes)
        whole = np.full(size, row.whole is Whole.ALWAYS)
        if row.whole is Whole.KEPT:
            whole = np.logical_and.reduce([node.step.whole for node in nodes])
        make = Called if isinstance(row, Univariate) else CalledWithSeveral
        return self.write(make(size, whole, tuple(node.number for node in nodes), name))

    def _extreme(self, name: str, nodes: Sequence[Node]) -> Node:
        turned = [-node for node in nodes] if name == "min" else list(nodes)
        result = turned[0]
        for other in turned[1:]:
            whole = result.step.whole & other.step.whole
            result = self.write(Greater(result.step.size, whole, (result.number, other.number)))
        return -result if name == "min" else result


def _key(step: Step) -> Hashable:
    """Equal for steps that are the same; arrays count by their bytes."""
    parts: list[Hashable] = [type(step)]
    for item in fields(step):
        value = getattr(step, item.name)
        if item.name != "whole":
            parts.append(
                tuple(map(_content, value)) if isinstance(value, tuple) else _content(value)
            )
    return tuple(parts)


def _content(value: Any) -> Hashable:
    if not isinstance(value, np.ndarray):
        return int(value) if isinstance(value, int) else str(value)
    same = value.strides == (0,)  # one number for all rows
    return hashlib.sha256((value[:1] if same else value).tobytes()).digest(), len(value), same
