"""Values of symbols on the rows of a table: data, variables, and definitions over variables, which
are computed once.
"""

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np

from mecdsl.diagnostics import Diagnostic, Label, ModelError
from mecdsl.instances.algebra import Value
from mecdsl.instances.evaluates import Evaluates
from mecdsl.instances.tables import IntArray, Table
from mecdsl.model import symbolic as sym
from mecdsl.parsing.syntax import Kind


class Lookups:
    """Looks symbols up for one evaluator. `definitions`: what was computed of definitions."""

    def __init__(self, evaluator: Evaluates) -> None:
        self.evaluator, self.world = evaluator, evaluator.world
        self.definitions: dict[str, Value] = {}

    def value(self, lookup: sym.Lookup, table: Table) -> Value:
        """The value of a symbol on every row."""
        name = lookup.symbol
        rows = self.rows(lookup, table)
        if name in self.world.values:
            values = self.world.values[name]
            return float(values[0]) if rows is None else values[rows]
        if self.world.model.symbols[name].kind is Kind.VAR:
            offset = self.world.offsets[name]
            columns = np.zeros(table.size, dtype=np.int64) if rows is None else rows
            return self.evaluator.algebra.variables(columns + offset)
        return self._defined(lookup, table, rows, name, self.evaluator.family)

    def definition_at(self, lookup: sym.Lookup, table: Table, how: Callable[..., Value]) -> Value:
        """What a function of the evaluator, an expression and a table finds of a definition, at a
        lookup of it.
        """
        key = f"{how.__name__} {lookup.symbol}"
        rows = self.rows(lookup, table)
        return self._defined(lookup, table, rows, key, partial(how, self.evaluator))

    def _defined(
        self,
        lookup: sym.Lookup,
        table: Table,
        rows: IntArray | None,
        key: str,
        evaluate: Callable[[sym.Expression, Table], Value],
    ) -> Value:
        """Something of a definition, computed once and kept under a key, on the rows of a table."""
        name = lookup.symbol
        if key not in self.definitions:
            formula = self.world.model.symbols[name].formula
            assert formula is not None
            self.definitions[key] = evaluate(formula, self.world.symbols[name].table)
        value = self.definitions[key]
        if rows is None:
            rows = np.zeros(table.size, dtype=np.int64)
        elif len(rows) == self.world.symbols[name].size and np.array_equal(
            rows, np.arange(len(rows))
        ):
            return value
        return value[rows]

    def rows(self, lookup: sym.Lookup, table: Table) -> IntArray | None:
        """The rows a lookup means; None for a symbol without an index that is there."""
        family = self.world.symbols[lookup.symbol]
        if not family.names and family.size:
            return None
        labels = [self.evaluator.labels(index, table) for index in lookup.indices]
        if lookup.by_row:
            owner = self.world.families[self.world.model.symbols[lookup.symbol].owner or ""]
            first = [owner.table.columns[name][labels[0]] for name in owner.names]
            labels = [*first, *labels[1:]]
        rows = family.locate(labels, table.size)
        missing = rows < 0
        if missing.any():
            raise self._outside(lookup, labels, int(np.flatnonzero(missing)[0]), table)
        return rows

    def _outside(
        self, lookup: sym.Lookup, labels: Sequence[IntArray], row: int, table: Table
    ) -> ModelError:
        symbol = self.world.model.symbols[lookup.symbol]
        family = self.world.symbols[lookup.symbol]
        asked = self.world.labels_text(symbol.space, [int(label[row]) for label in labels])
        shape = "it is empty"
        if family.size:
            extents = zip(family.names, family.lowest.tolist(), family.extent.tolist(), strict=True)
            shape = ", ".join(f"{name} in {low}..{low + n - 1}" for name, low, n in extents)
            shape += "" if family.codes is None else ", not every combination"
        message = f"`{lookup.symbol}` has no member {asked}{self.world.place_text(table, row)}"
        return ModelError(
            [
                Diagnostic(
                    "E309",
                    message,
                    lookup.span,
                    (Label(symbol.span, "declared here"),),
                    note=f"`{lookup.symbol}`: {shape}",
                    help="add a condition, `where` or `if`, that leaves this row out",
                )
            ]
        )
