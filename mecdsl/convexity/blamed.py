"""Families of functions of the variables, with the parts to blame where nothing is proven of them.

What a part hands on to the whole follows the rules of `mecdsl.convexity.curvature`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final

import numpy as np

from mecdsl.analysis.propagation.ranges import Flags
from mecdsl.convexity import curvature, functions
from mecdsl.convexity.curvature import Curve
from mecdsl.convexity.operators import Operators
from mecdsl.convexity.parts import nonnegative
from mecdsl.functions.function import Univariate
from mecdsl.functions.table import TABLE
from mecdsl.instances.tables import FloatArray, IntArray

NOBODY: Final = -1  # in `why`: not yet blamed
DOMAIN: Final = -2  # an argument that may leave the domain


@dataclass(frozen=True, eq=False)
class Blamed(Operators):
    """Families of functions, and for every row the number of the part to blame if it is not proven
    convex (column 0) or concave (column 1). `prove` gives their curve.
    """

    why: IntArray
    prove: Callable[[], Curve]

    @cached_property
    def curve(self) -> Curve:
        """The curve, found when it is first asked for."""
        return self.prove()

    @property
    def size(self) -> int:
        return len(self.why)

    @property
    def proven(self) -> Flags:
        """Whether convex, whether concave, as the columns of `why`."""
        return np.column_stack([self.curve.bend.convex, self.curve.bend.concave])

    @property
    def lost(self) -> Flags:
        """Rows that bend in no way that is known."""
        return np.asarray(~self.curve.bend.convex & ~self.curve.bend.concave)

    def __getitem__(self, rows: IntArray) -> "Blamed":
        return Blamed(self.why[rows], lambda: self.curve[rows])

    def numbers(self, value: Any) -> "Blamed":
        return number(value, self.size)

    def scaled(self, factor: FloatArray) -> "Blamed":
        return Blamed(_turned(self.why, factor < 0.0), lambda: self.curve.scaled(factor))

    def __mul__(self, other: Any) -> "Blamed":
        if isinstance(other, Blamed):
            return self.times(other)
        found, factor = self.scaled(self._spread(other)), self._spread(other)
        # data of the other sign turn a part: the product is to blame, not the part
        turned = (factor < 0.0) & ~self.lost
        return replace(found, why=np.where(turned[:, None], NOBODY, found.why))

    __rmul__ = __mul__

    def plus(self, other: "Blamed") -> "Blamed":
        why = np.where(self.proven, other.why, self.why)
        return Blamed(why, lambda: self.curve.plus(other.curve))

    def times(self, other: "Blamed") -> "Blamed":
        why = _inside(self, other)
        for left, right in ((self, other), (other, self)):
            scaled = _turned(right.why, left.curve.level < 0.0)
            why = np.where(left.curve.constant[:, None], scaled, why)
        return Blamed(why, lambda: self.curve.times(other.curve))

    def power(self, exponent: FloatArray) -> "Blamed":
        outer = curvature.bends_of_power(self.curve.ends, exponent)
        why = _composed(self, ~outer.convex & ~outer.concave)
        return Blamed(why, lambda: self.curve.power(exponent))

    def called(self, name: str) -> "Blamed":
        return call(name, [self])


def proven(curve: Curve) -> Blamed:
    """What nobody is to blame for."""
    return Blamed(nobody(curve.size), lambda: curve)


def number(value: Any, size: int) -> Blamed:
    """Numbers as functions."""
    return proven(curvature.number(value, size))


def lifted(value: Any, size: int) -> Blamed:
    """A family as it is, numbers as constant functions."""
    return value if isinstance(value, Blamed) else number(value, size)


def nobody(size: int) -> IntArray:
    """`why` of rows nobody is blamed for."""
    return np.full((size, 2), NOBODY, dtype=np.int64)


def _turned(why: IntArray, turned: Flags) -> IntArray:
    """With what is convex and what is concave exchanged."""
    return np.where(turned[:, None], why[:, ::-1], why)


def _inside(*operands: Blamed) -> IntArray:
    """What is to blame already inside an operand that bends in no known way; the rest is open."""
    why = nobody(operands[0].size)
    for operand in operands:
        if operand.lost.any():
            why = np.where(operand.lost[:, None] & (why == NOBODY), operand.why, why)
    return why


def _composed(argument: Blamed, outside: Flags) -> IntArray:
    """Who is to blame in a function of the rows; `outside`: where its argument may leave the
    domain.
    """
    why = _inside(argument)
    why[outside & (why[:, 0] == NOBODY)] = DOMAIN
    return np.where(argument.curve.constant[:, None], NOBODY, why)


# Functions


def call(name: str, arguments: Sequence[Any]) -> Blamed:
    """A function of families, of which some may be numbers."""
    size = next(argument.size for argument in arguments if isinstance(argument, Blamed))
    parts = [lifted(argument, size) for argument in arguments]
    expansion = functions.written_out(name)
    if expansion is not None:
        spelled: Blamed = expansion.build(call, *parts)
        return spelled
    if name in ("min", "max"):
        return _extreme(name, parts)
    return Blamed(
        _why_of_call(name, parts), lambda: functions.call(name, [part.curve for part in parts])
    )


def _why_of_call(name: str, parts: Sequence[Blamed]) -> IntArray:
    if name == "perspective":
        return _why_of_perspective(*parts)
    row = TABLE[name]
    if not isinstance(row, Univariate):
        return nobody(parts[0].size)
    ends = parts[0].curve.ends
    outer, known = functions.bends_of(row, ends), row.domain.holds(ends.low, ends.high)
    return _composed(parts[0], ~outer.convex & ~outer.concave & ~known)


def _extreme(name: str, parts: Sequence[Blamed]) -> Blamed:
    """The first argument that does not bend as it should, among those that may be the extreme."""
    result = parts[0]
    for other in parts[1:]:
        result = _extreme_of_two(name, result, other)
    return result


def _extreme_of_two(name: str, one: Blamed, two: Blamed) -> Blamed:
    why, column = nobody(one.size), 0 if name == "max" else 1
    why[:, column] = np.where(one.proven, two.why, one.why)[:, column]
    for left, right in ((one, two), (two, one)):
        alone = functions.dominates(name, left.curve, right.curve)
        why = np.where(alone[:, None], left.why, why)
    return Blamed(why, lambda: functions.call(name, [one.curve, two.curve]))


def _why_of_perspective(time: Blamed, energy: Blamed) -> IntArray:
    """An argument that is not concave; of those that may be negative, as of any function."""
    sure = nonnegative(time.curve.ends) & nonnegative(energy.curve.ends)
    outside = _inside(time)
    outside[outside[:, 0] == NOBODY] = DOMAIN
    both = time.curve.bend.concave & energy.curve.bend.concave
    bent = np.where(time.curve.bend.concave[:, None], energy.why, time.why)
    why = np.where(sure[:, None], np.where(both[:, None], _inside(time), bent), outside)
    why[sure, 0] = NOBODY
    return why
