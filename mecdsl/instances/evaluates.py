"""What the parts of an evaluator need of the whole, since expressions hold expressions of every
kind: `mecdsl.instances.evaluate.Evaluator`.
"""

from collections.abc import Callable
from typing import Any, Protocol

from numpy.typing import NDArray

from mecdsl.instances.algebra import Algebra, Value
from mecdsl.instances.tables import FloatArray, IntArray, Table
from mecdsl.instances.world import World
from mecdsl.model import symbolic as sym


class Evaluates(Protocol):
    """Evaluates expressions of one world in one algebra."""

    world: World
    algebra: Algebra
    most: int | None

    def value(self, expression: sym.Expression, table: Table) -> Value:
        """The value of an expression; a plain float where it is the same on every row."""

    def family(self, expression: sym.Expression, table: Table) -> Value:
        """The value of an expression on every row of a table."""

    def floats(self, expression: sym.Expression, table: Table) -> FloatArray:
        """The value of a data expression on every row of a table."""

    def condition(self, expression: sym.Expression, table: Table) -> NDArray[Any]:
        """The truth of a data condition on every row."""

    def labels(self, expression: sym.Expression, table: Table) -> IntArray:
        """An index expression as labels."""

    def space(
        self, space: sym.Space, base: Table, what: str
    ) -> tuple[Table, IntArray, list[IntArray]]:
        """The rows of a space under every row of a table."""

    def algebra_of(self, *values: Value) -> Algebra:
        """What values belong to."""

    def definition_at(self, lookup: sym.Lookup, table: Table, how: Callable[..., Value]) -> Value:
        """What `how` finds of a definition."""
