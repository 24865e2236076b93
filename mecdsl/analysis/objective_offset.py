"""What of an objective does not depend on the decisions: the data that are added to it as the text
stands.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mecdsl.instances.algebra import Algebra, Floats, Sums
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray, IntArray


def objective_offset(instance: Instance) -> float:
    """The sum of the terms of the objective that hold data and fixed variables alone, in SI.

    `fixed + 2*(x + 1)` has an offset of `fixed + 2`. A power or a product of variables has none:
    what of `(x - 1)^2` does not depend on x is no number that anybody added.
    """
    with np.errstate(all="ignore"):
        value = instance.goal.value(instance.evaluator(_Offsets(instance)))
    constant = value.constant if isinstance(value, _Offset) else np.asarray(value, dtype=np.float64)
    offset = float(np.ravel(constant)[0])
    return offset if np.isfinite(offset) else 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Offset:
    """float64[n] the added data; bool[n] whether there is anything else."""

    constant: FloatArray
    moving: NDArray[np.bool_]
    __array_ufunc__ = None

    def __getitem__(self, rows: IntArray) -> "_Offset":
        return _Offset(self.constant[rows], self.moving[rows])

    def __neg__(self) -> "_Offset":
        return _Offset(-self.constant, self.moving)

    def __add__(self, other: Any) -> "_Offset":
        that = _offset(other)
        return _Offset(self.constant + that.constant, self.moving | that.moving)

    __radd__ = __add__

    def __sub__(self, other: Any) -> "_Offset":
        return self + -_offset(other)

    def __rsub__(self, other: Any) -> "_Offset":
        return (-self).__add__(other)

    def __mul__(self, other: Any) -> "_Offset":
        that = _offset(other)
        both = self.moving & that.moving
        return _Offset(
            np.where(both, 0.0, self.constant * that.constant), self.moving | that.moving
        )

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> "_Offset":
        that = _offset(other)
        return _Offset(
            np.where(that.moving, 0.0, self.constant / that.constant), self.moving | that.moving
        )

    def __rtruediv__(self, other: Any) -> "_Offset":
        return _offset(other) / self

    def __pow__(self, exponent: Any) -> "_Offset":
        that = _offset(exponent)
        moving = (self.moving | that.moving) & ~((that.constant == 0.0) & ~that.moving)
        same = ~that.moving & (that.constant == 1.0)
        kept = np.where(moving & ~same, 0.0, self.constant**that.constant)
        return _Offset(kept, moving)

    def __rpow__(self, base: Any) -> "_Offset":
        return _offset(base) ** self


def _offset(operand: Any) -> _Offset:
    if isinstance(operand, _Offset):
        return operand
    constant = np.asarray(operand, dtype=np.float64)
    return _Offset(constant, np.zeros(constant.shape, dtype=bool))


class _Offsets(Algebra):
    """Evaluate expressions as what is added in them."""

    def __init__(self, instance: Instance) -> None:
        self.instance, self.plain = instance, Floats()

    def variables(self, columns: IntArray) -> _Offset:
        moving = self.instance.free[columns]
        return _Offset(np.where(moving, 0.0, self.instance.fixed[columns]), moving)

    def segment_sum(self, value: Any, parent: IntArray, size: int) -> _Offset:
        that = _offset(value)
        moving = self.plain.segment_sum(that.moving.astype(np.float64), parent, size) > 0.0
        return _Offset(self.plain.segment_sum(that.constant, parent, size), moving)

    def running_sum(self, value: Any, sums: Sums) -> _Offset:
        that = _offset(value)
        return _Offset(sums(that.constant), sums(that.moving.astype(np.float64)) > 0.0)

    def segment_prod(self, value: Any, parent: IntArray, size: int) -> _Offset:
        that = _offset(value)
        moving = self.plain.segment_sum(that.moving.astype(np.float64), parent, size)
        product = self.plain.segment_prod(that.constant, parent, size)
        return _Offset(np.where(moving > 1.0, 0.0, product), moving > 0.0)

    def segment_extreme(self, name: str, value: Any, parent: IntArray, size: int) -> _Offset:
        that = _offset(value)
        moving = self.plain.segment_sum(that.moving.astype(np.float64), parent, size) > 0.0
        found = self.plain.segment_extreme(name, that.constant, parent, size)
        return _Offset(np.where(moving, 0.0, found), moving)

    def merge(self, size: int, parts: Sequence[tuple[IntArray, Any]]) -> _Offset:
        known = [(rows, _offset(value)) for rows, value in parts]
        constant = self.plain.merge(size, [(rows, part.constant) for rows, part in known])
        moving = self.plain.merge(size, [(rows, part.moving) for rows, part in known])
        return _Offset(constant.astype(np.float64), moving.astype(bool))

    def call(self, name: str, arguments: Sequence[Any]) -> _Offset:
        known = [_offset(argument) for argument in arguments]
        moving = known[0].moving
        for part in known[1:]:
            moving = moving | part.moving
        found = np.asarray(self.plain.call(name, [part.constant for part in known]))
        return _Offset(np.where(moving, 0.0, found), np.broadcast_to(moving, found.shape))
