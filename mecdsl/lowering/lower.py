"""An instance without its kinks, for solvers: `max`, `min`, `abs` and norms as rows, and the way
back.

Choices:

- It is a pass over the instance and not over the text, since signs of data and finite bounds decide
  what is exact.
- The original stays what is reported and judged: a solver's point loses the columns behind the
  original's, and `verify` sees nothing but the rest. So a fault here can cost an answer, and cannot
  make a wrong one right.
- Bounds and proofs of infeasibility carry over as they are, for both problems have the same
  feasible points in the original's columns, and the same optimum.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from mecdsl.diagnostics import ModelError
from mecdsl.instances.facts import fact
from mecdsl.instances.instance import ConstraintFamily, Instance
from mecdsl.instances.restated import Restated, restated
from mecdsl.instances.tables import SINGLE, FloatArray
from mecdsl.lowering.draft import Draft
from mecdsl.lowering.place import Place
from mecdsl.lowering.roots import squared
from mecdsl.lowering.steps import Step, kind_of
from mecdsl.lowering.walk import Walk
from mecdsl.model import symbolic as sym
from mecdsl.solution import Solution

TIP = 1e-8
"""The least value of a norm that stands in a cone, in scaled variables.

Local solvers keep rows to 1e-9. Below that the quotients `u^2/t` of the cone say nothing, and Ipopt
was seen to run for 600 steps between t = 1e-11 and the tip. What it costs, less than 1e-8, is in
the bound that the multipliers prove.
"""


@dataclass(frozen=True, slots=True, eq=False)
class Lowered:
    """The twin of an instance: its columns and rows are those of `original`, followed by new ones;
    where an exact form stands for it, those of the form, whose rows are others.

    `steps`: what became of every kink. `factors`: for rows that are stated squared, what their
    multipliers are multiplied by to be those of the row as written. `draft`: None where nothing was
    lowered; then `instance` is `original`, or that of the exact form `form`.
    """

    original: Instance
    instance: Instance
    steps: tuple[Step, ...]
    factors: Mapping[str, FloatArray]
    draft: Draft | None
    form: Restated | None = None

    @property
    def changed(self) -> bool:
        """Whether the twin is another instance than the original."""
        return self.draft is not None or self.form is not None

    @property
    def restated(self) -> str:
        """The name of the exact form that stands for the original; empty without one."""
        return "" if self.form is None else self.form.name

    @property
    def words(self) -> tuple[str, ...]:
        """What was lowered and how, in words, each once: "`max` as rows"."""
        form = (f"form `{self.restated}`",) if self.restated else ()
        return (*form, *dict.fromkeys(step.words for step in self.steps if step.method))

    def point(self, x: FloatArray) -> FloatArray:
        """The point of the original in a point of the twin."""
        return x[: self.original.columns] if self.form is None else x[self.form.columns]

    def extended(self, x: FloatArray) -> FloatArray:
        """The point of the twin for one of the original; nan where that is nan."""
        if self.form is not None:
            own, x = x, np.full(self.form.instance.columns, np.nan)
            x[self.form.columns] = own
        return x if self.draft is None else self.draft.extended(x)

    def solution(self, of_twin: Solution) -> Solution:
        """A solution of the twin as one of the original.

        Without the new columns a point is at least as good; where it is better than was claimed,
        its own value counts.
        """
        if not self.changed:
            return of_twin
        values, objective = of_twin.values, of_twin.objective
        if values is not None and len(values) == self.instance.columns:
            values = self.point(values)
            objective = self._better(values, objective)
        at = None if self.restated else of_twin.multipliers_at
        return replace(
            of_twin,
            values=values,
            objective=objective,
            multipliers=self.multipliers(of_twin.multipliers),
            multipliers_at=None if at is None else self.point(at),
        )

    def multipliers(self, of_twin: Mapping[str, FloatArray]) -> Mapping[str, FloatArray]:
        """Those of the original's rows; a row keeps its right-hand side, so its multiplier is the
        same number.
        """
        if self.restated:  # its rows are others, whatever they are called
            return {}
        names = [family.name for family in self.original.constraints]
        return {
            name: of_twin[name] * self.factors.get(name, 1.0) for name in names if name in of_twin
        }

    def _better(self, values: FloatArray, claimed: float | None) -> float | None:
        if claimed is None or not np.isfinite(values).all():
            return claimed
        own = self.original.objective(values)
        if not np.isfinite(own):
            return claimed
        if self.form is not None:  # what its rows miss by their tolerances is no claim of the model
            return own
        return max(own, claimed) if self.original.maximize else min(own, claimed)


@np.errstate(all="ignore")  # what is not finite is looked for where it is used
def lowered(instance: Instance, cones: bool = False) -> Lowered:
    """The twin of an instance, made once.

    `cones`: norms become cones too, for solvers that need derivatives.
    """
    return _twin(instance, cones)


@fact
def _twin(instance: Instance, cones: bool) -> Lowered:
    form = restated(instance)
    if form is None:
        return _lowered(instance, cones)
    return replace(_lowered(form.instance, cones), original=instance, factors={}, form=form)


@fact
def _lowered(instance: Instance, cones: bool) -> Lowered:
    walk, model = Walk.of(instance, cones), instance.model
    nothing = Lowered(instance, instance, (), {}, None)
    parts = [(c.name, part) for c in model.constraints for part in (c.left, c.right)]
    parts.append((model.objective.name, model.objective.value))
    if not any(walk.holds(part) for _, part in parts):
        return nothing
    try:
        factors, constraints = _constraints(walk)
        walk.where = model.objective.name
        side = -1 if instance.maximize else 1
        value = walk.lower(model.objective.value, side, Place((), SINGLE))
    except ModelError as error:  # a number that is not finite, so that ranges are not known
        return replace(nothing, steps=_all_kept(walk, parts, error.diagnostics[0].message))
    steps = tuple(walk.steps)
    if not any(step.method for step in steps):
        return replace(nothing, steps=steps)
    twin = walk.draft.twin(replace(model.objective, value=value), constraints)
    norms = [np.arange(*twin.variable(name).columns.indices(twin.columns)) for name in walk.norms]
    twin = replace(twin, norms=np.concatenate([np.zeros(0, dtype=np.int64), *norms]))
    return Lowered(instance, twin, steps, factors, walk.draft)


def _all_kept(
    walk: Walk, parts: Sequence[tuple[str, sym.Expression]], reason: str
) -> tuple[Step, ...]:
    """A step for each kink of named parts, none of which became anything."""
    kinks = [
        (where, node) for where, part in parts for node in sym.walk(part) if walk.is_kink(node)
    ]
    return tuple(Step(kind_of(node), where, "", reason, node.span) for where, node in kinks)


def _constraints(walk: Walk) -> tuple[dict[str, FloatArray], tuple[sym.Constraint, ...]]:
    """The constraints in the twin, and the factors of multipliers of those that are squared."""
    factors: dict[str, FloatArray] = {}
    constraints: list[sym.Constraint] = []
    for family in walk.instance.constraints:
        constraint = family.constraint
        walk.where = constraint.name
        if not (walk.holds(constraint.left) or walk.holds(constraint.right)) or not family.size:
            constraints.append(constraint)
            continue
        place = Place(constraint.space.generators, family.table)
        ball = _squared(walk, family, place)
        if ball is not None:
            constraint, factors[constraint.name] = ball
        side = constraint.relation.sign
        left = walk.lower(constraint.left, side, place)
        right = walk.lower(constraint.right, -side, place)
        constraints.append(replace(constraint, left=left, right=right))
    return factors, tuple(constraints)


def _squared(
    walk: Walk, family: ConstraintFamily, place: Place
) -> tuple[sym.Constraint, FloatArray] | None:
    """`norm <= r` as `norm^2 <= r^2`, for data r above 0 and any relation; None for another row.

    The derivative of the optimum by r is that by r^2 times 2 r.
    """
    constraint = family.constraint
    for norm, radius in ((constraint.left, constraint.right), (constraint.right, constraint.left)):
        if not walk.roots.shapes.is_data(radius) or walk.roots.shapes.is_data(norm):
            continue
        low, high = walk.ranges.of(radius, place)
        if not ((low > 0.0) & np.isfinite(high)).all() or walk.ranges.sign(norm, place) <= 0:
            return None
        square = walk.roots.square(norm, place, ("sqrt",))
        if square is None:
            return None
        sides = {id(norm): square, id(radius): squared(radius)}
        walk.note(norm, "square")
        left, right = sides[id(constraint.left)], sides[id(constraint.right)]
        return replace(constraint, left=left, right=right), 2.0 * low
    return None
