"""Rows over data alone: what rounding can make of their two sides, so that ten weights of 0.1 add
up to 1.

The values of data are computed once and then plain numbers; here the rows are evaluated again with
the size of every term in them, definitions included. A difference is a contradiction if it exceeds
what the rounding of those terms explains, and where every number is whole and below 2^53 nothing
was rounded at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mecdsl.analysis.magnitude import Magnitude, Magnitudes, size_of, value_of
from mecdsl.functions.function import Smoothness, Univariate, Whole
from mecdsl.functions.table import TABLE
from mecdsl.instances.algebra import Floats, Value
from mecdsl.instances.evaluate import Evaluator
from mecdsl.instances.instance import ConstraintFamily, Instance, difference
from mecdsl.instances.tables import FloatArray, IntArray, Table
from mecdsl.instances.world import World
from mecdsl.model import symbolic as sym
from mecdsl.parsing.syntax import Kind

EPSILON: Final = float(np.finfo(np.float64).eps)
ROUNDINGS: Final = 256  # of a formula that is not a sum over a set
LARGEST_WHOLE: Final = 2.0**53  # up to here whole numbers are exact
EXACT: Final = frozenset("+ - * neg".split())


@dataclass(frozen=True, slots=True, eq=False)
class DataRows:
    """`left - right` of the rows of a family, and the largest part of it that rounding explains."""

    value: FloatArray
    rounding: FloatArray


def data_rows(instance: Instance, family: ConstraintFamily) -> DataRows:
    """The differences of a family none of whose rows holds a variable; fixed ones are at their
    values.
    """
    algebra = _Terms(instance.first_point())
    differences = difference(_TermEvaluator(instance.world, algebra), family)
    value, size = (
        _spread(numbers, family.size) for numbers in (value_of(differences), size_of(differences))
    )
    with np.errstate(invalid="ignore", over="ignore"):
        rounding = size * EPSILON * (ROUNDINGS + algebra.longest)
    if _is_exact(instance, family):
        rounding = np.where(size < LARGEST_WHOLE, 0.0, rounding)
    return DataRows(value, np.where(np.isfinite(rounding), rounding, 0.0))


class _Terms(Magnitudes):
    """Sizes that also pass through functions; `longest`: how many terms the longest sums have
    together.
    """

    def __init__(self, x: FloatArray) -> None:
        super().__init__(x)
        self.longest = 0

    def segment_sum(self, value: Any, parent: IntArray, size: int) -> Magnitude:
        if len(parent):
            self.longest += int(np.bincount(parent).max())
        return super().segment_sum(value, parent, size)

    def call(self, name: str, arguments: Sequence[Any]) -> Magnitude:
        plain = super().call(name, arguments)
        row = TABLE[name]
        with np.errstate(all="ignore"):
            if row.smoothness is Smoothness.KINKED:
                sizes = [np.asarray(size_of(argument), dtype=np.float64) for argument in arguments]
                size = reduce(np.maximum, sizes)
                return Magnitude(plain.value, np.broadcast_to(size, plain.value.shape))
            if isinstance(row, Univariate):  # it passes on an error of its argument by its slope
                argument = np.asarray(value_of(arguments[0]), dtype=np.float64)
                slope = np.abs(row.derivatives(argument)[1])
                return Magnitude(plain.value, plain.size + slope * size_of(arguments[0]))
        return plain


class _TermEvaluator(Evaluator):
    """Numbers and data as magnitudes, definitions over data expanded; indices and conditions stay
    plain.
    """

    def __init__(self, world: World, algebra: _Terms) -> None:
        super().__init__(world, algebra)
        self.of_data = Evaluator(world, Floats(algebra.x))

    def value(self, expression: sym.Expression, table: Table) -> Value:
        match expression:
            case (
                sym.Constant() | sym.IndexValue() | sym.Member() | sym.LinkEnd() | sym.Membership()
            ):
                return _lifted(self.of_data.value(expression, table), table.size)
            case sym.Aggregate(function="count" | "all" | "any"):
                return _lifted(self.of_data.value(expression, table), table.size)
            case sym.Lookup(symbol=name) if name in self.world.values:
                return self._data(expression, table)
            case _:
                return super().value(expression, table)

    def _data(self, lookup: sym.Lookup, table: Table) -> Value:
        symbol = self.world.model.symbols[lookup.symbol]
        if symbol.kind is not Kind.LET or symbol.formula is None:
            return _lifted(self.of_data.value(lookup, table), table.size)
        definitions = self.lookups.definitions
        if lookup.symbol not in definitions:
            rows = self.world.symbols[lookup.symbol].table
            values = self.family(symbol.formula, rows)
            definitions[lookup.symbol] = (
                values if isinstance(values, Magnitude) else _lifted(values, rows.size)
            )
        where = self.lookups.rows(lookup, table)
        return definitions[lookup.symbol][
            np.zeros(table.size, dtype=np.int64) if where is None else where
        ]

    def labels(self, expression: sym.Expression, table: Table) -> IntArray:
        return self.of_data.labels(expression, table)

    def condition(self, expression: sym.Expression, table: Table) -> NDArray[np.bool_]:
        return self.of_data.condition(expression, table)

    def space(
        self, space: sym.Space, base: Table, what: str
    ) -> tuple[Table, IntArray, list[IntArray]]:
        return self.of_data.space(space, base, what)


def _lifted(values: Any, size: int) -> Magnitude:
    spread = _spread(values, size)
    return Magnitude(spread, np.abs(spread))


def _spread(values: Any, size: int) -> FloatArray:
    return np.broadcast_to(np.asarray(values, dtype=np.float64), (size,))


def _is_exact(instance: Instance, family: ConstraintFamily) -> bool:
    """Whether both sides are sums and products of whole numbers, in SI."""
    values, symbols = instance.world.values, instance.model.symbols
    pending: list[sym.Expression] = [family.constraint.left, family.constraint.right]
    seen: set[str] = set()
    while pending:
        match pending.pop():
            case sym.Constant(value=number):
                if not _whole(np.array([number])):
                    return False
            case sym.IndexValue() | sym.Member() | sym.LinkEnd() | sym.Membership():
                pass
            case sym.Lookup(symbol=name):
                if name not in values or not _whole(values[name]):
                    return False
                formula = symbols[name].formula
                if symbols[name].kind is Kind.LET and name not in seen:
                    seen.add(name)
                    pending += [] if formula is None else [formula]
            case sym.Operation(operator=operator, operands=operands) if operator in EXACT:
                pending += operands
            case sym.Choice(then=then, otherwise=otherwise):
                pending += [then, otherwise]
            case sym.Function(name=name, arguments=arguments) if TABLE[name].whole is Whole.KEPT:
                pending += arguments
            case sym.Aggregate(function="count"):
                pass
            case sym.Aggregate(function="sum" | "min" | "max", body=body):
                pending.append(body)
            case _:
                return False
    return True


def _whole(values: FloatArray) -> bool:
    return bool(
        (
            np.isfinite(values) & (values == np.round(values)) & (np.abs(values) < LARGEST_WHOLE)
        ).all()
    )
