"""An instance as a conic program: families of degree two or less from their coefficients, all
others by the rules for their parts.

Every family has one linear row for each of its rows, whose multiplier is that of the row as
written; what bends in it is a variable of its own.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from mecdsl.analysis.coefficients import Quadratics
from mecdsl.analysis.scaling import NO_BOUND
from mecdsl.backends.clarabel.affine import Affine, Flags, numbers, stacked, variables
from mecdsl.backends.clarabel.algebra import Conic, ConicEvaluator
from mecdsl.backends.clarabel.cones import Block, Draft
from mecdsl.backends.clarabel.quadratics import add_squares
from mecdsl.backends.clarabel.terms import NoCone
from mecdsl.backends.clarabel.value import Value
from mecdsl.convexity.convexity import WANTED
from mecdsl.diagnostics import Span
from mecdsl.functions.function import Cone
from mecdsl.instances.facts import fact
from mecdsl.instances.instance import Instance, difference
from mecdsl.instances.sparse_rows import SparseRows, pointer_of
from mecdsl.instances.tables import FloatArray, IntArray
from mecdsl.model.classes import Degree
from mecdsl.reduction.plain_parts import plain_objective, plain_rows
from mecdsl.reduction.reduced import Reduced, reduce_instance

ORDER: Final = tuple(Cone)


@dataclass(frozen=True, slots=True, eq=False)
class Refusal:
    """Why an instance is no conic program: in words, and the place of the part to blame."""

    reason: str
    where: Span | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class ConicProgram:
    """minimise cost . v + v' Q v / 2 with the rows of all blocks in their cones.

    `count`: variables v, those of `reduced` first. `hessian`: Q of these, upper triangle.
    `equal`: rows that are 0; `at_least`: rows that are at least 0. The first of both belong to rows
    of the problem: `number_equal` and `number_sided` are their numbers among `reduced.rows`;
    `sided`: 1 for an upper side, -1 for a lower one. `blocks`: in the other cones.
    """

    reduced: Reduced
    count: int
    cost: FloatArray
    constant: float
    hessian: Quadratics
    equal: Affine
    at_least: Affine
    number_equal: IntArray
    number_sided: IntArray
    sided: FloatArray
    blocks: tuple[Block, ...]

    def with_objective_times(self, factor: float) -> "ConicProgram":
        """The same program with an objective that is scaled once more."""
        value = factor * self.hessian.quadratic_value
        return replace(
            self,
            reduced=self.reduced.enlarged(factor),
            cost=factor * self.cost,
            constant=factor * self.constant,
            hessian=replace(self.hessian, quadratic_value=value),
        )

    def elastic(self) -> "ConicProgram":
        """The program whose rows of the problem may all be missed by one number, which is least.

        Bounds and the cones of what bends are kept as they are.
        """
        held, first = len(self.number_equal), len(self.number_sided)
        equal = self.equal.take(np.arange(held))
        sided = self.at_least.take(np.arange(first))
        other = self.at_least.take(np.arange(first, self.at_least.size))
        rows = stacked([sided, equal, equal.scaled(-np.ones(held))])
        place = np.full(rows.size, self.count)
        rows = rows.plus(variables(place, np.ones(rows.size), np.zeros(rows.size)))
        last = variables(place[:1], np.ones(len(place[:1])), np.zeros(len(place[:1])))
        return replace(
            self,
            count=self.count + 1,
            cost=np.concatenate([np.zeros(self.count), np.ones(1)]),
            constant=0.0,
            hessian=_no_products(),
            equal=self.equal.take(np.arange(held, self.equal.size)),
            at_least=stacked([rows, last, other]),
            number_equal=self.number_equal[:0],
            number_sided=np.concatenate([self.number_sided, self.number_equal, self.number_equal]),
            sided=np.concatenate([self.sided, -np.ones(held), np.ones(held)]),
        )

    @property
    def cones(self) -> tuple[Cone, ...]:
        """The kinds of cones in it, simplest first."""
        used = {block.cone for block in self.blocks} | {Cone.LINEAR}
        return tuple(cone for cone in ORDER if cone in used)


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    """`lower <= affine <= upper`, by number among the rows of the reduced problem."""

    number: IntArray
    affine: Affine
    lower: FloatArray
    upper: FloatArray


@fact
@np.errstate(all="ignore")  # what is not finite is looked for where it is used
def conic_program(instance: Instance) -> ConicProgram | Refusal:
    """The conic program of an instance that is proven convex, found once; or why there is none."""
    reduced = reduce_instance(instance)
    try:
        return _program(reduced)
    except NoCone as lost:
        text = f"`{' '.join(lost.where.text.split())}`" if lost.where else "a part of it"
        line = f", line {lost.where.line}" if lost.where else ""
        return Refusal(f"{text}: {lost.reason}{line}", lost.where)


def _program(reduced: Reduced) -> ConicProgram:
    draft = Draft(len(reduced.columns))
    evaluator = ConicEvaluator(Conic(reduced, draft))
    rows = [_plain(reduced, draft), *_bent(reduced, evaluator)]
    cost, constant, hessian = _objective(reduced, evaluator, draft)
    number = np.concatenate([part.number for part in rows])
    affine = stacked([part.affine for part in rows])
    lower = np.concatenate([part.lower for part in rows])
    upper = np.concatenate([part.upper for part in rows])
    both = np.flatnonzero(np.isfinite(lower) & np.isfinite(upper))
    above = np.flatnonzero(np.isfinite(upper) & ~np.isfinite(lower))
    below = np.flatnonzero(np.isfinite(lower) & ~np.isfinite(upper))
    middle = 0.5 * (lower[both] + upper[both])
    sided = np.concatenate([np.ones(len(above)), -np.ones(len(below))])
    order = np.concatenate([above, below])
    ends = np.where(sided > 0.0, upper[order], lower[order])
    room = affine.take(order).shifted(-ends).scaled(-sided)
    bounds, pinned = _bounds(reduced)
    linear = [block.rows for block in draft.blocks if block.cone is Cone.LINEAR]
    return ConicProgram(
        reduced=reduced,
        count=draft.count,
        cost=np.concatenate([cost, np.zeros(draft.count - len(cost))]),
        constant=constant,
        hessian=hessian,
        equal=stacked([affine.take(both).shifted(-middle), pinned]),
        at_least=stacked([room, bounds, *linear]),
        number_equal=number[both],
        number_sided=number[order],
        sided=sided,
        blocks=tuple(block for block in draft.blocks if block.cone is not Cone.LINEAR),
    )


def _bounds(reduced: Reduced) -> tuple[Affine, Affine]:
    """Bounds of variables as rows that are at least 0; those that are equal as rows that are 0.

    An interior point method needs room between two sides.
    """
    ends = (reduced.lower, reduced.upper)
    sizes = [np.abs(end * reduced.column_factor + reduced.origin) for end in ends]
    same = np.flatnonzero(ends[0] == ends[1])
    pinned = variables(same, np.ones(len(same)), -ends[0][same])
    parts = []
    for end, size, sign in zip(ends, sizes, (1.0, -1.0), strict=True):
        there = np.isfinite(end) & (size < NO_BOUND) & (ends[0] != ends[1])
        places = np.flatnonzero(there)
        parts.append(variables(places, np.full(len(places), sign), -sign * end[places]))
    return stacked(parts), pinned


def _plain(reduced: Reduced, draft: Draft) -> _Rows:
    """The rows of degree two or less."""
    found = plain_rows(reduced)
    affine = _linear(found.coefficients)
    if len(found.coefficients.quadratic_value):
        sign = np.where(np.isfinite(found.upper), 1.0, -1.0)
        affine = affine.plus(add_squares(draft, found.coefficients, sign))
    number = np.searchsorted(reduced.rows, found.rows)
    return _Rows(number, affine, found.lower, found.upper)


def _linear(found: Quadratics) -> Affine:
    counts = np.bincount(found.row, minlength=found.size)
    slopes = SparseRows.ragged(pointer_of(counts), (found.column,), found.value)
    nothing: Flags = np.zeros(found.size, dtype=bool)
    return Affine(slopes, np.array(found.constant), nothing, nothing)


def _bent(reduced: Reduced, evaluator: ConicEvaluator) -> list[_Rows]:
    """The rows above degree two. Raises `NoCone`."""
    result = []
    for family in reduced.instance.constraints:
        if family.shape.degree <= Degree.QUADRATIC or not family.size:
            continue
        places = np.arange(family.first, family.first + family.size)
        held = np.flatnonzero(np.isin(places, reduced.rows))
        if not len(held):
            continue
        value = difference(evaluator, family)
        convex, concave = WANTED[family.relation]
        stated = family.constraint
        affine = _settled(value, family.size, (convex, concave), stated.name, stated.span)
        factor = reduced.scaling.row[places[held]]
        low, high = family.relation.limits
        one = np.ones(len(held))
        number = np.searchsorted(reduced.rows, places[held])
        rows = affine.take(held).scaled(factor)
        result.append(_Rows(number, rows, low * one, high * one))
    return result


def _settled(value: object, size: int, wanted: tuple[bool, bool], name: str, span: Span) -> Affine:
    """A family as affine rows that are right from the sides that are needed. Raises `NoCone`."""
    if not isinstance(value, Value):
        return numbers(np.broadcast_to(np.asarray(value, dtype=np.float64), (size,)))
    affine = value.settled()
    convex, concave = wanted
    if (convex and affine.below.any()) or (concave and affine.above.any()):
        raise NoCone(f"`{name}` bends as it should only as a whole, and cones say its parts", span)
    return affine


def _objective(
    reduced: Reduced, evaluator: ConicEvaluator, draft: Draft
) -> tuple[FloatArray, float, Quadratics]:
    """Cost, constant and quadratic part of the scaled objective. Raises `NoCone`."""
    instance = reduced.instance
    if instance.goal.shape.degree <= Degree.QUADRATIC:
        found = plain_objective(reduced)
        cost = np.zeros(len(reduced.columns))
        np.add.at(cost, found.column, found.value)
        return cost, float(found.constant[0]), found
    stated = instance.model.objective
    wanted = (False, True) if instance.maximize else (True, False)
    affine = _settled(instance.goal.value(evaluator), 1, wanted, stated.name, stated.span)
    affine = affine.scaled(np.array([reduced.objective_factor]))
    cost = np.zeros(draft.count)
    np.add.at(cost, affine.slopes.columns[0], affine.slopes.values)
    nothing = replace(_no_products(), constant=affine.constant)
    return cost, float(affine.constant[0]), nothing


def _no_products() -> Quadratics:
    none, number = np.zeros(0, dtype=np.int64), np.zeros(0)
    return Quadratics(
        constant=np.zeros(1),
        row=none,
        column=none,
        value=number,
        quadratic_row=none,
        first=none,
        second=none,
        quadratic_value=number,
    )
