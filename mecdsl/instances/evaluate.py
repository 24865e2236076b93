"""The value of any expression over a whole table at once.

Every kind of expression is evaluated in a module of its own; this one tells the kinds apart.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from mecdsl.instances.algebra import Algebra, Floats, Value
from mecdsl.instances.evaluate_aggregates import Aggregates
from mecdsl.instances.evaluate_draws import drawn_values
from mecdsl.instances.evaluate_lookups import Lookups
from mecdsl.instances.evaluate_members import labels_of, link_end
from mecdsl.instances.evaluate_sets import expanded, membership
from mecdsl.instances.log_sums import BASES, NegativeTerm, is_exponential_sum, log_of
from mecdsl.instances.operations import operate
from mecdsl.instances.tables import FloatArray, IntArray, Table
from mecdsl.instances.world import World
from mecdsl.model import symbolic as sym
from mecdsl.model.dimensions import literal

__all__ = ["Evaluator", "World"]  # a world is nearly always asked for with its evaluator


class Evaluator:
    """Evaluates expressions of one world in one algebra; definitions over variables are computed
    once.

    `most`: how many rows an index space may have, where a look that may be left out would cost too
    much otherwise; then `TooManyRows` is raised.
    """

    most: int | None = None

    def __init__(self, world: World, algebra: Algebra) -> None:
        self.world = world
        self.algebra = algebra
        self.plain = Floats()
        self.lookups = Lookups(self)
        self.aggregates = Aggregates(self)
        self.log_sums: dict[int, bool] = {}

    # Entry points

    def family(self, expression: sym.Expression, table: Table) -> Value:
        """The value of an expression on every row of a table; plain results have one entry per
        row.
        """
        value = self.value(expression, table)
        if isinstance(value, float | int | np.floating | np.bool_ | bool):
            return np.full(table.size, value)
        if isinstance(value, np.ndarray) and value.ndim == 0:
            return np.full(table.size, value[()])
        return value

    def floats(self, expression: sym.Expression, table: Table) -> FloatArray:
        """The value of a data expression on every row, as float64."""
        return np.asarray(self.family(expression, table), dtype=np.float64)

    def condition(self, expression: sym.Expression, table: Table) -> NDArray[np.bool_]:
        """The truth of a data condition on every row."""
        return np.asarray(self.family(expression, table), dtype=bool)

    def labels(self, expression: sym.Expression, table: Table) -> IntArray:
        """An index expression as int64 labels."""
        return labels_of(self, expression, table)

    def space(
        self, space: sym.Space, base: Table, what: str
    ) -> tuple[Table, IntArray, list[IntArray]]:
        """Expand a space under every row of `base`: child table, pointer to the parent row, counts
        per generator.

        With a condition the counts are not those of the members.
        """
        return expanded(self, space, base, what)

    def definition_at(self, lookup: sym.Lookup, table: Table, how: Callable[..., Value]) -> Value:
        """What a function of this evaluator, an expression and a table finds of a definition, at a
        lookup of it.
        """
        return self.lookups.definition_at(lookup, table, how)

    def algebra_of(self, *values: Value) -> Algebra:
        """Plain numbers stay plain; anything else belongs to the algebra of this evaluator."""
        return self.plain if all(_is_plain(value) for value in values) else self.algebra

    # Expressions

    def value(self, expression: sym.Expression, table: Table) -> Value:
        """The value of an expression; a plain float where it is the same on every row."""
        match expression:
            case sym.Constant(value=value):
                return value
            case sym.IndexValue(name=name):
                return table.columns[name].astype(np.float64)
            case sym.Lookup():
                return self.lookups.value(expression, table)
            case sym.LinkEnd():
                return link_end(self, expression, table)
            case sym.Member():
                return self.labels(expression, table).astype(np.float64)
            case sym.Operation():
                return self._operation(expression, table)
            case sym.Choice():
                return self._choice(expression, table)
            case sym.Function(name=name, arguments=(argument,)) if self._takes_logarithms(
                name, argument
            ):
                return self._log_sum(expression, argument, table)
            case sym.Function(name=name, arguments=arguments):
                values = [self.value(argument, table) for argument in arguments]
                return self.algebra_of(*values).call(name, values)
            case sym.Draw():
                return drawn_values(self, expression, table)
            case sym.Membership():
                return membership(self, expression, table)
            case sym.Aggregate():
                return self.aggregates.value(expression, table)
            case _:
                raise TypeError(f"unknown expression {type(expression).__name__}")

    def _takes_logarithms(self, name: str, argument: sym.Expression) -> bool:
        """Whether a function is the logarithm of a sum of exponentials, and this algebra has
        numbers to shift it by.
        """
        if name not in BASES or not self.algebra.numeric:
            return False
        if id(argument) not in self.log_sums:
            self.log_sums[id(argument)] = is_exponential_sum(self, argument)
        return self.log_sums[id(argument)]

    def _log_sum(self, function: sym.Function, argument: sym.Expression, table: Table) -> Value:
        with np.errstate(all="ignore"):
            try:
                return log_of(self, argument, table) * BASES[function.name]
            except NegativeTerm:
                self.log_sums[id(argument)] = False
                return self.value(function, table)

    def _operation(self, operation: sym.Operation, table: Table) -> Value:
        if operation.operator in ("and", "or"):
            return self._both_or_either(operation, table)
        if operation.operator == "^" and literal(operation.operands[1]) == 0:
            return 1.0  # the class of `x^0` is that of a number, so no variable may be asked for
        operands = [self.value(operand, table) for operand in operation.operands]
        return operate(operation.operator, operands)

    def _both_or_either(self, operation: sym.Operation, table: Table) -> NDArray[np.bool_]:
        """The right side is evaluated only where it matters, so `k > 1 and x[k-1] > 0` is safe."""
        left, right = operation.operands
        truth = self.condition(left, table).copy()
        rows = np.flatnonzero(truth if operation.operator == "and" else ~truth)
        if len(rows):
            truth[rows] = self.condition(right, table.take(rows))
        return truth

    def _choice(self, choice: sym.Choice, table: Table) -> Value:
        """Each branch is evaluated only on the rows that take it, so `if k > 1 then x[k-1] else 0`
        is safe.
        """
        truth = self.condition(choice.condition, table)
        if truth.all():
            return self.value(choice.then, table)
        if not truth.any():
            return self.value(choice.otherwise, table)
        branches = (
            (np.flatnonzero(truth), choice.then),
            (np.flatnonzero(~truth), choice.otherwise),
        )
        filled = [(rows, self.family(branch, table.take(rows))) for rows, branch in branches]
        return self.algebra_of(*(value for _, value in filled)).merge(table.size, filled)


def _is_plain(value: Value) -> bool:
    if isinstance(value, np.ndarray):
        return bool(value.dtype != object)
    return isinstance(value, float | int | np.generic)
