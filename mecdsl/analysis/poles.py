"""Where a function has no finite value or slope within the bounds: `1/x` or `ln x` with x from 0
on.

Branch and bound over interval arithmetic is at its weakest there: SCIP calls `maximize 1/y` over y
from 0 to 4 infeasible, and `4*z^2 - 3*x/y <= 8` over binary x and y, which y = 1 and x = z = 0
keep.

Ranges are those of interval arithmetic over what all rows leave to the columns and to parts of
expressions (`mecdsl.analysis.propagation`): a row that keeps x away from 0 excludes the pole of
`1/x`. One may still be reported that no feasible point comes near.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mecdsl.analysis.propagation.box import implied_box
from mecdsl.analysis.propagation.expressions import Place, Places
from mecdsl.analysis.propagation.ranges import Range
from mecdsl.functions.function import Univariate
from mecdsl.functions.table import TABLE
from mecdsl.instances.algebra import Algebra
from mecdsl.instances.evaluate import Evaluator, World
from mecdsl.instances.facts import fact
from mecdsl.instances.instance import Instance, difference
from mecdsl.instances.tables import FloatArray, IntArray, Table
from mecdsl.model import symbolic as sym

QUOTIENT: Final = "quad_over_lin"


@fact
def poles(instance: Instance, cones: bool = True) -> tuple[str, ...]:
    """The names of the objective and of constraint families that may come to a pole within the
    bounds.

    `cones`: also to that of `quad_over_lin`, whose epigraph is a cone without one.
    """
    found_box = implied_box(instance, whole=False)
    evaluator = _RangeEvaluator(
        instance.world, _Ranges(found_box.lower, found_box.upper, cones), found_box.parts
    )
    with np.errstate(all="ignore"):
        found = [
            f.name for f in instance.constraints if f.size and _reached(difference(evaluator, f))
        ]
        if _reached(instance.goal.value(evaluator)):
            found.append(instance.goal.name)
    return tuple(found)


def _reached(value: Any) -> bool:
    return isinstance(value, _Range) and bool(np.any(value.pole))


@dataclass(frozen=True, slots=True, eq=False)
class _Range:
    """float64[n] ends of ranges, and bool[n], whether a part of it reaches a pole."""

    low: FloatArray
    high: FloatArray
    pole: Any
    __array_ufunc__ = None

    def __getitem__(self, rows: IntArray) -> "_Range":
        return _Range(self.low[rows], self.high[rows], self.pole[rows])

    def __neg__(self) -> "_Range":
        return _Range(-self.high, -self.low, self.pole)

    def __add__(self, other: Any) -> "_Range":
        other = _range_of(other, self)
        return _Range(self.low + other.low, self.high + other.high, self.pole | other.pole)

    __radd__ = __add__

    def __sub__(self, other: Any) -> "_Range":
        result: _Range = self + -_range_of(other, self)
        return result

    def __rsub__(self, other: Any) -> "_Range":
        result: _Range = -self + other
        return result

    def __mul__(self, other: Any) -> "_Range":
        other = _range_of(other, self)
        ends = [a * b for a in (self.low, self.high) for b in (other.low, other.high)]
        ends = [np.where(np.isnan(end), 0.0, end) for end in ends]  # 0 times infinity
        return _Range(np.minimum.reduce(ends), np.maximum.reduce(ends), self.pole | other.pole)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> "_Range":
        return self * _inverse(_range_of(other, self))

    def __rtruediv__(self, other: Any) -> "_Range":
        result: _Range = _inverse(self) * other
        return result

    def __pow__(self, exponent: Any) -> "_Range":
        if isinstance(exponent, _Range):
            return _power(self, exponent)
        power = np.broadcast_to(np.asarray(exponent, dtype=np.float64), self.low.shape)
        ends = self.low**power, self.high**power
        whole, straddles = power == np.round(power), (self.low < 0.0) & (self.high > 0.0)
        even = whole & (power % 2 == 0)
        low = np.where(even & straddles, 0.0, np.minimum(*ends))
        high = np.maximum(*ends)
        pole = (power < 0.0) & (self.low <= 0.0) & (self.high >= 0.0)
        pole = pole | (~whole & (self.low < 0.0))
        return _settled(low, high, self.pole | pole)

    def __rpow__(self, base: Any) -> "_Range":
        ends = (
            np.asarray(base, dtype=np.float64) ** self.low,
            np.asarray(base, dtype=np.float64) ** self.high,
        )
        return _settled(np.minimum(*ends), np.maximum(*ends), self.pole)


def _power(base: _Range, exponent: _Range) -> _Range:
    """A variable to a variable: exp(exponent ln base), so the base must stay above 0."""
    ends = [b**e for b in (base.low, base.high) for e in (exponent.low, exponent.high)]
    pole = base.pole | exponent.pole | (base.low <= 0.0)
    return _settled(np.minimum.reduce(ends), np.maximum.reduce(ends), pole)


def _settled(low: FloatArray, high: FloatArray, pole: Any) -> _Range:
    """A range whose ends are unknown where one is not a number or it reaches a pole."""
    unknown = np.isnan(low) | np.isnan(high) | pole
    return _Range(
        np.where(unknown, -np.inf, low),
        np.where(unknown, np.inf, high),
        np.broadcast_to(pole, low.shape),
    )


def _inverse(value: _Range) -> _Range:
    pole = (value.low <= 0.0) & (value.high >= 0.0)
    return _settled(1.0 / value.high, 1.0 / value.low, value.pole | pole)


def _range_of(value: Any, like: _Range) -> _Range:
    if isinstance(value, _Range):
        return value
    ends = np.broadcast_to(np.asarray(value, dtype=np.float64), like.low.shape)
    return _Range(ends, ends, np.zeros(ends.shape, dtype=bool))


class _Ranges(Algebra):
    """Evaluate expressions as ranges over a box."""

    def __init__(self, lower: FloatArray, upper: FloatArray, cones: bool = True) -> None:
        self.lower, self.upper, self.cones = lower, upper, cones

    def variables(self, columns: IntArray) -> _Range:
        return _Range(self.lower[columns], self.upper[columns], np.zeros(len(columns), dtype=bool))

    def segment_sum(self, value: Any, parent: IntArray, size: int) -> Any:
        value = _family(value, len(parent))
        low, high = (np.zeros(size) for _ in range(2))
        np.add.at(low, parent, value.low)
        np.add.at(high, parent, value.high)
        return _settled(low, high, _any(value.pole, parent, size))

    def segment_prod(self, value: Any, parent: IntArray, size: int) -> Any:
        value = _family(value, len(parent))
        result = _Range(np.ones(size), np.ones(size), np.zeros(size, dtype=bool))
        order = np.argsort(parent, kind="stable")
        counts = np.bincount(parent, minlength=size)
        first = np.cumsum(counts) - counts
        for place in range(int(counts.max(initial=0))):
            there = np.flatnonzero(counts > place)
            part = result[there] * value[order[first[there] + place]]
            for old, new in zip(
                (result.low, result.high, result.pole),
                (part.low, part.high, part.pole),
                strict=True,
            ):
                old[there] = new
        return result

    def segment_extreme(self, name: str, value: Any, parent: IntArray, size: int) -> Any:
        value = _family(value, len(parent))
        function, start = (np.minimum, np.inf) if name == "min" else (np.maximum, -np.inf)
        low, high = np.full(size, start), np.full(size, start)
        function.at(low, parent, value.low)
        function.at(high, parent, value.high)
        return _Range(low, high, _any(value.pole, parent, size))

    def merge(self, size: int, parts: Sequence[tuple[IntArray, Any]]) -> Any:
        result = _Range(np.zeros(size), np.zeros(size), np.zeros(size, dtype=bool))
        for rows, value in parts:
            part = _family(value, len(rows))
            result.low[rows], result.high[rows], result.pole[rows] = part.low, part.high, part.pole
        return result

    def call(self, name: str, arguments: Sequence[Any]) -> Any:
        like = next(argument for argument in arguments if isinstance(argument, _Range))
        given = [_range_of(argument, like) for argument in arguments]
        pole = np.zeros(like.low.shape, dtype=bool)
        for argument in given:
            pole = pole | argument.pole
        row = TABLE[name]
        if isinstance(row, Univariate):
            (inner,) = given
            pole = pole | row.reaches_pole(inner.low, inner.high)
            return _settled(*row.image(inner.low, inner.high), pole)
        if row.above_zero is not None:
            below = given[row.above_zero].low
            cone = name == QUOTIENT and not self.cones
            pole = pole | ((below < 0.0) if cone else (below <= 0.0))
        lows, highs = ([getattr(part, end) for part in given] for end in ("low", "high"))
        return _settled(*row.image(lows, highs), pole)


class _RangeEvaluator(Evaluator):
    """Ranges of expressions, each within what the rows leave to it."""

    def __init__(self, world: World, algebra: _Ranges, parts: Mapping[Place, Range]) -> None:
        super().__init__(world, algebra)
        self.parts, self.keys = parts, Places()

    def value(self, expression: sym.Expression, table: Table) -> Any:
        found = super().value(expression, table)
        known = (
            self.parts.get(self.keys.of(expression, table))
            if self.parts and isinstance(found, _Range)
            else None
        )
        if known is None or len(known.low) != len(found.low):
            return found
        return _Range(np.fmax(found.low, known.low), np.fmin(found.high, known.high), found.pole)


def _family(value: Any, size: int) -> _Range:
    if isinstance(value, _Range):
        return value
    ends = np.broadcast_to(np.asarray(value, dtype=np.float64), (size,))
    return _Range(ends, ends, np.zeros(size, dtype=bool))


def _any(flags: Any, parent: IntArray, size: int) -> Any:
    result = np.zeros(size, dtype=bool)
    np.logical_or.at(result, parent, flags)
    return result
