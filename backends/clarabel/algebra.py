"""The evaluator's algebra of conic programs, and the evaluator that notes where terms are written.

One evaluation of a template over its table gives a `Value` for all rows at once.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from mecdsl.analysis.propagation.box import implied_box
from mecdsl.analysis.propagation.expressions import Places
from mecdsl.backends.clarabel.affine import numbers, stacked, variables
from mecdsl.backends.clarabel.cones import Draft
from mecdsl.backends.clarabel.functions import FUNCTIONS
from mecdsl.backends.clarabel.settle import BENDS
from mecdsl.backends.clarabel.terms import NoCone, of_parents
from mecdsl.backends.clarabel.value import Value, multiplied, number
from mecdsl.convexity import functions as curves
from mecdsl.convexity.algebra import Curvatures, merge, within
from mecdsl.convexity.convexity import box
from mecdsl.functions.table import TABLE
from mecdsl.instances.algebra import Algebra
from mecdsl.instances.evaluate import Evaluator
from mecdsl.instances.tables import IntArray, Table
from mecdsl.model import symbolic as sym
from mecdsl.reduction.reduced import Reduced


class Conic(Algebra):
    """Values over the variables of a reduced problem and those of a draft."""

    def __init__(self, reduced: Reduced, draft: Draft) -> None:
        instance = reduced.instance
        self.reduced, self.draft = reduced, draft
        self.curvatures = Curvatures(*box(instance))
        self.place = np.full(instance.columns, -1, dtype=np.int64)
        self.place[reduced.columns] = np.arange(len(reduced.columns))

    def variables(self, columns: IntArray) -> Value:
        """Columns in SI; fixed ones are numbers."""
        instance, place = self.reduced.instance, self.place[columns]
        free = np.flatnonzero(place >= 0)
        held = np.flatnonzero(place < 0)
        scaling, chosen = self.reduced.scaling, columns[free]
        parts = [
            variables(place[free], scaling.column[chosen], scaling.origin[chosen]),
            numbers(instance.fixed[columns[held]]),
        ]
        order = np.argsort(np.concatenate([free, held]), kind="stable")
        curve = self.curvatures.variables(columns)
        return Value(draft=self.draft, curve=curve, linear=stacked(parts).take(order))

    def segment_sum(self, value: Any, parent: IntArray, size: int) -> Value:
        """Terms stay terms, of another row."""
        found = self._lifted(value, len(parent))
        return replace(
            found,
            curve=self.curvatures.segment_sum(found.curve, parent, size),
            linear=found.linear.segment_sum(parent, size),
            terms=tuple(of_parents(term, parent) for term in found.terms),
        )

    def segment_prod(self, value: Any, parent: IntArray, size: int) -> Value:
        """One product for each position within a segment; a segment that is shorter takes ones."""
        found = self._lifted(value, len(parent))
        ordered = np.argsort(parent, kind="stable")
        counts = np.bincount(parent, minlength=size)
        first = np.cumsum(counts) - counts
        last = np.array([found.size])
        padded = self.merge(found.size + 1, [(np.arange(found.size), found), (last, 1.0)])
        result = number(self.draft, 1.0, size)
        for position in range(int(counts.max(initial=0))):
            rows = np.full(size, found.size, dtype=np.int64)
            there = counts > position
            rows[there] = ordered[first[there] + position]
            result = multiplied(result, padded[rows])
        return result

    def segment_extreme(self, name: str, value: Any, parent: IntArray, size: int) -> Value:
        """A variable at least, or at most, as large as each row of its segment."""
        found = self._lifted(value, len(parent))
        own = found.settled()
        if (own.below if name == "max" else own.above).any():
            raise NoCone(BENDS, None)
        scale = np.zeros(size)
        np.maximum.at(scale, parent, own.sizes)
        y = self.draft.new(scale)
        sign = np.full(own.size, 1.0 if name == "max" else -1.0)
        rows = y.take(parent).plus(own.scaled(-np.ones(own.size)))
        self.draft.nonnegative(rows.scaled(sign))
        flag = np.ones(size, dtype=bool)
        linear = replace(y, above=flag) if name == "max" else replace(y, below=flag)
        curve = self.curvatures.segment_extreme(name, found.curve, parent, size)
        return Value(draft=self.draft, curve=curve, linear=linear)

    def merge(self, size: int, parts: Sequence[tuple[IntArray, Any]]) -> Value:
        """The branches as affine rows."""
        found = [(rows, self._lifted(value, len(rows))) for rows, value in parts]
        order = np.concatenate([np.zeros(0, dtype=np.int64), *(rows for rows, _ in found)])
        linear = stacked([value.settled() for _, value in found])
        curve = merge(size, [(rows, value.curve) for rows, value in found])
        if len(order) < size:  # rows of no branch are 0, as in every algebra
            rest = np.setdiff1d(np.arange(size), order)
            linear, order = (
                stacked([linear, numbers(np.zeros(len(rest)))]),
                np.concatenate([order, rest]),
            )
        return Value(
            draft=self.draft, curve=curve, linear=linear.take(np.argsort(order, kind="stable"))
        )

    def call(self, name: str, arguments: Sequence[Any]) -> Value:
        """A function with a cone, or by its expansion. Raises `NoCone`."""
        size = next(argument.size for argument in arguments if isinstance(argument, Value))
        values = [self._lifted(argument, size) for argument in arguments]
        row = TABLE[name]
        if row.cone is not None:
            found = FUNCTIONS[name](values)
        elif row.expansion is not None:
            found = row.expansion.build(self.call, *values)
        else:
            raise NoCone(f"`{name}` has none", None)
        return replace(found, curve=curves.call(name, [value.curve for value in values]))

    def _lifted(self, value: Any, size: int) -> Value:
        return value if isinstance(value, Value) else number(self.draft, value, size)


class ConicEvaluator(Evaluator):
    """Values of expressions; a term and a refusal know the innermost part they come from."""

    def __init__(self, algebra: Conic) -> None:
        instance = algebra.reduced.instance
        super().__init__(instance.world, algebra)
        self.parts = implied_box(instance, whole=False).parts
        self.places = Places()

    def value(self, expression: sym.Expression, table: Table) -> Any:
        """The value of an expression. Raises `NoCone`."""
        try:
            found = super().value(expression, table)
        except NoCone as lost:
            raise NoCone(lost.reason, lost.where or expression.span) from None
        if not isinstance(found, Value):
            return found
        known = self.parts.get(self.places.of(expression, table)) if self.parts else None
        if known is not None:
            found = replace(found, curve=within(found.curve, known))
        return found.written_at(expression.span)
