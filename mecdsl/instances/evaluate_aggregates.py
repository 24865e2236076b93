"""Sums and other aggregates: a child table with a pointer to the parent row, folded by it.

An inner aggregate that uses only some of the indices in scope is computed once per combination of
those and spread over the rows.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from mecdsl.diagnostics import Diagnostic, ModelError
from mecdsl.instances.algebra import Value
from mecdsl.instances.evaluates import Evaluates
from mecdsl.instances.ordered_sums import OrderedSum, ordered_sum
from mecdsl.instances.tables import SINGLE, IntArray, Table
from mecdsl.model import symbolic as sym

EVERY_INDEX = "*"  # among the free indices of an expression that holds a random draw


class Aggregates:
    """Folds for one evaluator. By the identity of expressions, `free`: their free indices,
    `orders`: what sums say of an order.
    """

    def __init__(self, evaluator: Evaluates) -> None:
        self.evaluator = evaluator
        self.free: dict[int, frozenset[str]] = {}
        self.orders: dict[int, OrderedSum | None] = {}

    def value(self, aggregate: sym.Aggregate, table: Table) -> Value:
        """The value of an aggregate on every row."""
        free = self.free_indices(aggregate)
        used = [name for name in table.columns if name in free or EVERY_INDEX in free]
        if len(used) < len(table.columns) and table.size > 1:
            small, spread = _project(table, used)
            if small.size < table.size:
                return self._on(aggregate, small)[spread]
        return self._on(aggregate, table)

    def free_indices(self, expression: sym.Expression) -> frozenset[str]:
        """The indices an expression takes from outside."""
        if id(expression) not in self.free:
            match expression:
                case sym.IndexValue(name=name):
                    indices = frozenset({name})
                case sym.Draw():
                    indices = frozenset({EVERY_INDEX})
                case sym.Aggregate(body=body, space=space):
                    inner = map(self.free_indices, (body, *sym.space_parts(space)))
                    indices = frozenset().union(*inner) - set(space.names)
                case _:
                    inner = map(self.free_indices, sym.children(expression))
                    indices = frozenset().union(*inner)
            self.free[id(expression)] = indices
        return self.free[id(expression)]

    def _on(self, aggregate: sym.Aggregate, table: Table) -> Value:
        running = self._running_sum(aggregate, table)
        if running is not None:
            return running
        what = f"`{aggregate.span.text}`"
        child, parent, _ = self.evaluator.space(aggregate.space, table, what)
        body = self.evaluator.family(aggregate.body, child)
        algebra = self.evaluator.algebra_of(body)
        match aggregate.function:
            case "sum":
                return algebra.segment_sum(body, parent, table.size)
            case "prod":
                return algebra.segment_prod(body, parent, table.size)
            case "count":
                # a weighted count of an empty list is one of integers in NumPy
                return np.bincount(parent, weights=body, minlength=table.size).astype(np.float64)
            case "all":
                return np.bincount(parent, weights=~body, minlength=table.size) == 0
            case "any":
                return np.bincount(parent, weights=body, minlength=table.size) > 0
            case "min" | "max":
                self._require_some(aggregate, parent, table)
                return algebra.segment_extreme(aggregate.function, body, parent, table.size)
            case _:
                raise TypeError(f"unknown aggregate {aggregate.function}")

    def _running_sum(self, aggregate: sym.Aggregate, table: Table) -> Value | None:
        """A sum over the members before one in an order; None where it is none, or where the
        algebra has it written out.
        """
        if id(aggregate) not in self.orders:
            names = tuple(table.columns)
            self.orders[id(aggregate)] = ordered_sum(aggregate, names, self.free_indices)
        ordered = self.orders[id(aggregate)]
        if ordered is None:
            return None
        evaluator, what = self.evaluator, f"`{aggregate.span.text}`"
        shared, spread = _project(table, ordered.shared)
        try:
            members, parent, _ = evaluator.space(ordered.members, shared, what)
            body = evaluator.family(aggregate.body, members)
            of_members = [evaluator.family(pair[0], members) for pair in ordered.compared]
            of_places = [evaluator.family(pair[1], table) for pair in ordered.compared]
        except ModelError:  # a member that the condition leaves out has not what is asked for
            return None
        if not all(isinstance(key, np.ndarray) for key in (*of_members, *of_places)):
            return None  # an evaluator that has data in its own algebra cannot sort them
        sums = partial(ordered.sums, (parent, *of_members), (spread, *of_places))
        return evaluator.algebra_of(body).running_sum(body, sums)

    def _require_some(self, aggregate: sym.Aggregate, parent: IntArray, table: Table) -> None:
        """Fail where there is nothing to take the least or the largest of."""
        empty = np.bincount(parent, minlength=table.size) == 0
        if empty.any():
            place = self.evaluator.world.place_text(table, int(np.flatnonzero(empty)[0]))
            message = f"`{aggregate.function}` over nothing{place}"
            raise ModelError([Diagnostic("E309", message, aggregate.span)])


def _project(table: Table, names: Sequence[str]) -> tuple[Table, IntArray]:
    """The distinct rows of some columns, and for every row of the table its place among them."""
    if not names:
        return SINGLE, np.zeros(table.size, dtype=np.int64)
    stacked = np.stack([table.columns[name] for name in names], axis=1)
    distinct, spread = np.unique(stacked, axis=0, return_inverse=True)
    columns = {name: distinct[:, position] for position, name in enumerate(names)}
    return Table(len(distinct), columns), spread.reshape(-1).astype(np.int64)
