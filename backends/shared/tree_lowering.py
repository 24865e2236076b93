"""The tree program of an instance: scaled rows as arrays, and trees with inner parts of size 1.

- Rows of degree two or less come from coefficients, others are written with
  `mecdsl.backends.shared.combinations`.
- `x^2/y` becomes a column t with the cone `t*y >= x^2` where that is exact.
- `abs` of a part becomes a column where the solver has it for columns only.
"""

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np

from mecdsl.backends.shared.combinations import (
    Combination,
    Combinations,
    Tool,
    leaves,
    normalised,
    require_finite,
    varies,
)
from mecdsl.backends.shared.cones import only_upward
from mecdsl.backends.shared.dear_costs import growth
from mecdsl.backends.shared.far_columns import NO_BOUND
from mecdsl.backends.shared.flat_rows import FlatRows, joined, no_rows, no_terms, one_row
from mecdsl.backends.shared.penalties import beside_penalties
from mecdsl.backends.shared.tree_program import Absolute, CurvedRow, TreeProgram
from mecdsl.backends.shared.trees import COLUMN, TOOL, Tree, applied, column, linear, total
from mecdsl.instances.evaluate import Evaluator
from mecdsl.instances.facts import fact
from mecdsl.instances.instance import ConstraintFamily, Instance, difference
from mecdsl.model.classes import Degree
from mecdsl.model.relation import Relation
from mecdsl.reduction.plain_parts import plain_objective, plain_rows
from mecdsl.reduction.reduced import reduce_instance

DEAREST: Final = 1e6  # of scaled costs
LARGEST_PENALTY: Final = 1e15  # of scaled costs


@fact
def tree_program(instance: Instance, own_absolutes: bool) -> TreeProgram:
    """The program of an instance, found once. `own_absolutes`: the solver has `abs` in trees.

    With a conflict it has no rows. Raises `ModelError` where a coefficient is not finite.
    """
    return _Lowering(instance, own_absolutes).run()


class _Lowering:
    def __init__(self, instance: Instance, own_absolutes: bool) -> None:
        self.instance = instance
        self.reduced = reduce_instance(instance).in_sense()
        functions: Mapping[str, Any] = TOOL.functions
        if not own_absolutes:
            functions = {**functions, "abs": self._absolute}
        self.tool = Tool(functions, TOOL.total)
        self.lower = np.where(self.reduced.lower > -NO_BOUND, self.reduced.lower, -np.inf).tolist()
        self.upper = np.where(self.reduced.upper < NO_BOUND, self.reduced.upper, np.inf).tolist()
        self.added: list[Tree] = []
        self.absolutes: list[Absolute] = []
        self.without: list[int] = []  # rows whose variables cancel in words of the tool
        self.flat: FlatRows = no_rows()
        self.more: list[FlatRows] = []
        self.curved: list[CurvedRow] = []
        self.goal = no_terms(1)
        self.curved_goal: Tree | None = None
        self.penalties: dict[int, float] = {}
        self.cone = Relation.AT_LEAST if only_upward(instance) else Relation.EQUAL
        self.lowering = ""  # the name of the part that is being written

    def run(self) -> TreeProgram:
        if not self.reduced.conflict:
            self._add_objective()
            self._add_rows()
        return TreeProgram(
            reduced=self.reduced.without(np.array(self.without, dtype=np.int64)),
            lower=np.array(self.lower, dtype=np.float64),
            upper=np.array(self.upper, dtype=np.float64),
            integral=np.concatenate([self.reduced.integral, np.zeros(len(self.added), dtype=bool)]),
            added=tuple(self.added),
            goal=self.goal,
            curved_goal=self.curved_goal,
            penalties=bool(self.penalties),
            flat=joined([self.flat, *self.more]),
            curved=tuple(self.curved),
            absolutes=tuple(self.absolutes),
        )

    # Objective and rows; all is scaled

    def _add_objective(self) -> None:
        stated = self.instance.model.objective
        self.lowering = stated.name
        if self.instance.goal.shape.degree <= Degree.QUADRATIC:
            goal = plain_objective(self.reduced)
            grown = growth(np.concatenate([goal.value, goal.quadratic_value]), DEAREST)
            self.reduced = self.reduced.with_objective(self.reduced.scaling.objective * grown)
            self.goal = plain_objective(self.reduced)
            return
        value = self.instance.goal.value(self._evaluator())[0]
        if varies(value):
            require_finite(value, stated.name, stated.span)
            self.curved_goal = self._nonlinear_objective(value)
        else:
            number = value.constant if isinstance(value, Combination) else float(value)
            factor = self.reduced.scaling.objective
            self.reduced = self.reduced.with_objective(factor, number, 0).told_all()
        told = no_terms(1, self.reduced.handed)
        dear = one_row(self.penalties, {}, (0.0, 0.0), "").coefficients
        self.goal = replace(told, row=dear.row, column=dear.column, value=dear.value)

    def _nonlinear_objective(self, value: Combination) -> Tree:
        """The scaled objective without its constant and penalties, which are noted."""
        rest, beside = beside_penalties(value, lambda atom: atom.kind == COLUMN)
        factor, tree = normalised(rest)
        if any(abs(factor * weight) > LARGEST_PENALTY for weight, _ in beside):
            beside, (factor, tree) = (), normalised(value - value.constant)
        self.reduced = self.reduced.with_objective(factor, value.constant, len(value.terms))
        self.penalties = {atom.column: factor * weight for weight, atom in beside}
        return _as_tree(tree)

    def _add_rows(self) -> None:
        found = plain_rows(self.reduced)
        stated = np.isfinite(found.lower) | np.isfinite(found.upper)
        self.flat = (
            FlatRows(
                coefficients=found.coefficients,
                lower=found.lower,
                upper=found.upper,
                family=np.full(found.coefficients.size, "", dtype=object),
            )
            .chosen(stated)
            .one_sided()
        )
        used = [family for family in self.instance.constraints if family.size]
        curved = [family for family in used if family.shape.degree > Degree.QUADRATIC]
        evaluator = self._evaluator() if curved else None
        for family in curved:
            assert evaluator is not None
            self.lowering = family.name
            self._add_nonlinear(family, evaluator)

    def _add_nonlinear(self, family: ConstraintFamily, evaluator: Evaluator) -> None:
        factors = self.reduced.scaling.row.copy()
        for row, value in enumerate(difference(evaluator, family)):
            if varies(value):
                require_finite(value, self.instance.row_name(family, row), family.constraint.span)
                factors[family.first + row], tree = normalised(value)
                self._add(_as_tree(tree), family.relation)
            else:
                self.without.append(family.first + row)
        self.reduced = self.reduced.with_rows(factors)

    def _add(self, tree: Tree, relation: Relation) -> None:
        low, high = relation.limits
        flat = linear(tree)
        if flat is None:
            self.curved.append(CurvedRow(tree, low, high, self.lowering))
        else:
            weights, constant = flat
            limits = low - constant, high - constant
            self.more.append(one_row(weights, {}, limits, self.lowering))

    # Parts that get a column

    def _evaluator(self) -> Evaluator:
        variables: list[Any] = [None] * self.instance.columns
        for place, number in enumerate(self.reduced.columns.tolist()):
            variables[number] = column(place)
        known = leaves(self.instance, self.reduced.scaling, variables, self.tool)
        return self.instance.evaluator(Combinations(known, self.tool, self._quotient))

    def _absolute(self, argument: Tree) -> Tree:
        """A column that a constraint of the solver makes the absolute value of another one."""
        inner = argument if argument.kind == COLUMN else self._named(argument, Relation.EQUAL)
        result = self._new(applied("abs", inner), 0.0, math.inf)
        self.absolutes.append(Absolute(result.column, inner.column))
        return result

    def _quotient(self, above: Tree, below: Tree) -> Tree:
        """A column t for above^2/below: `t*below >= above^2`, a cone, where that is exact, else an
        equation. Parts that are sums or integer have a column of their own, at least as large where
        the part is not negative; `backends/scip/model.py` says why.
        """
        if above.kind == below.kind == COLUMN and above.column == below.column:
            return above  # x^2/x; `t*x >= x^2` says nothing of t at x = 0
        columns = []
        for part in (above, below):
            convex = part is above and self.cone is Relation.AT_LEAST
            if part.kind == COLUMN and not (convex and self._is_integral(part.column)):
                columns.append(part)
            else:
                upward = convex and self._range(part)[0] >= 0.0
                columns.append(self._named(part, Relation.AT_MOST if upward else Relation.EQUAL))
        top, bottom = (part.column for part in columns)
        quotient = self._new(columns[0] ** 2.0 * columns[1] ** -1.0, 0.0, math.inf)
        cone = {(quotient.column, bottom): 1.0, (top, top): -1.0}
        self.more.append(one_row({}, cone, self.cone.limits, self.lowering))
        return quotient

    def _named(self, part: Tree, relation: Relation) -> Tree:
        """A column in the place of a part: `part - column` is at most or equal to 0."""
        low, high = self._range(part)
        named = self._new(part, low, high)
        self._add(total([part, -1.0 * named]), relation)
        return named

    def _new(self, tree: Tree, low: float, high: float) -> Tree:
        self.added.append(tree)
        self.lower.append(low)
        self.upper.append(high)
        return column(len(self.lower) - 1)

    def _is_integral(self, place: int) -> bool:
        own = self.reduced.integral
        return place < len(own) and bool(own[place])

    def _range(self, part: Tree) -> tuple[float, float]:
        """The least and the largest value of a linear part by the bounds of its columns."""
        flat = linear(part)
        if flat is None:
            return -math.inf, math.inf
        weights, constant = flat
        ends = [
            sorted((weight * self.lower[place], weight * self.upper[place]))
            for place, weight in weights.items()
            if weight != 0.0
        ]
        low, high = (constant + sum(end[side] for end in ends) for side in (0, 1))
        return low, high


def _as_tree(expression: Any) -> Tree:
    return expression if isinstance(expression, Tree) else total([expression])
