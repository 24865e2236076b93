"""Parts of expressions by where they stand, so that a range found on the tape is found again in
another evaluation.
"""

from collections.abc import Hashable
from typing import Any

from mecdsl.analysis.propagation.tape import Node, Tape
from mecdsl.instances.evaluate import Evaluator, World
from mecdsl.instances.tables import EXPLORED, Table
from mecdsl.model import symbolic as sym

Place = tuple[int, Hashable]
PARTS = (sym.Operation, sym.Function, sym.Aggregate, sym.Lookup)


class Places:
    """An expression on a table has one value per row, whoever evaluates it: the place is both
    together.
    """

    def __init__(self) -> None:
        self.tables: dict[int, tuple[Table, Hashable]] = {}

    def of(self, expression: sym.Expression, table: Table) -> Place:
        """The place; expressions are told apart by identity, tables by their labels."""
        known = self.tables.get(id(table))
        if known is None or known[0] is not table:
            labels = tuple((name, hash(column.tobytes())) for name, column in table.columns.items())
            known = self.tables[id(table)] = (table, (table.size, labels))
        return id(expression), known[1]


class TapeEvaluator(Evaluator):
    """Writes expressions to a tape; `places`: which step belongs to which part."""

    most = EXPLORED

    def __init__(self, world: World, tape: Tape) -> None:
        super().__init__(world, tape)
        self.keys = Places()
        self.places: dict[Place, int] = {}

    def value(self, expression: sym.Expression, table: Table) -> Any:
        """The value of an expression; parts that depend on variables are remembered."""
        found = super().value(expression, table)
        if isinstance(found, Node) and isinstance(expression, PARTS):
            self.places[self.keys.of(expression, table)] = found.number
        return found
