"""The box of the feasible points of an instance: what its rows, all together, leave of every
column.

The ends hold at every point that keeps rows, bounds and integrality exactly. They are used wherever
a range is needed: for the scale of a column, for poles, for curvature. A box without a point is a
proof that there is no feasible one; whether also none that keeps the rows up to a tolerance is said
beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from mecdsl.analysis.propagation.expressions import Place, TapeEvaluator
from mecdsl.analysis.propagation.ranges import ALMOST_WHOLE, EXACT, Range, Rounding
from mecdsl.analysis.propagation.sweep import Root, Sweep
from mecdsl.analysis.propagation.tape import Node, Tape
from mecdsl.diagnostics import ModelError
from mecdsl.instances.facts import fact
from mecdsl.instances.instance import ConstraintFamily, Instance, difference
from mecdsl.instances.tables import FloatArray, TooManyRows

TOLERANCE: Final = 1e-6  # of the terms of a row: what the verifier lets pass at most


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Why there is no feasible point.

    `row`: a member of a constraint that takes part. `beyond_tolerance`: no point keeps the rows up
    to a millionth of their terms either, and those over whole numbers exactly.
    """

    row: str
    beyond_tolerance: bool

    @property
    def text(self) -> str:
        """In words."""
        most = "" if self.beyond_tolerance else ", though by less than a millionth of its terms"
        return f"bounds propagated through the rows leave no values that keep `{self.row}`{most}"


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """Lower and upper end of every column, in SI; those of a fixed column are its value.

    With a `contradiction` the ends are the declared bounds. `parts`: ranges of parts of
    expressions, where the rows say more of them than the columns do. `poles`: names of constraints
    and of the objective with a part that may come to a pole there, `with_cones` those that do where
    the epigraph of `quad_over_lin` has one at 0 too.
    """

    lower: FloatArray
    upper: FloatArray
    contradiction: Contradiction | None = None
    parts: Mapping[Place, Range] = field(default_factory=dict, repr=False)
    poles: tuple[str, ...] = ()
    with_cones: tuple[str, ...] = ()


def implied_box(instance: Instance, whole: bool = True) -> Box:
    """The box of an instance, found once; `whole`: integers are whole numbers, else any number
    counts.

    Where a row cannot be evaluated it is that of the declared bounds: the fault is for whoever
    solves the problem.
    """
    return box_of(instance, whole and bool((instance.integral & instance.free).any()))


def declared(instance: Instance) -> tuple[FloatArray, FloatArray]:
    """The declared bounds of every column, or its value."""
    lower = np.where(instance.free, instance.lower, instance.fixed)
    return lower, np.where(instance.free, instance.upper, instance.fixed)


@fact
def box_of(instance: Instance, whole: bool) -> Box:
    """The fact behind `implied_box`."""
    lower, upper = declared(instance)
    if not (lower <= upper).all():  # crossed bounds are told apart from what the rows say
        return Box(lower, upper)
    try:
        written = _written(instance, whole)
    except ModelError:
        return Box(lower, upper)
    ends = _inward(instance, lower, upper) if whole else (lower, upper)
    sweep = written.sweep(ends, Rounding())
    if sweep.dead is not None:
        beyond = written.sweep(ends, Rounding(TOLERANCE)).dead
        dead = beyond or sweep.dead
        family = written.families[dead.root]
        row = instance.row_name(family, dead.row)
        poles = written.poles(written.forward((lower, upper)))
        return Box(lower, upper, Contradiction(row, beyond is not None), {}, *poles)
    return Box(sweep.lower, sweep.upper, None, written.parts(sweep), *written.poles(sweep))


def _inward(
    instance: Instance, lower: FloatArray, upper: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Bounds of free integers rounded inwards; of one that leaves no integer the bounds are kept
    for the rows.
    """
    whole = instance.integral & instance.free
    low, high = np.ceil(lower - ALMOST_WHOLE) + 0.0, np.floor(upper + ALMOST_WHOLE) + 0.0
    whole &= low <= high
    return np.where(whole, low, lower), np.where(whole, high, upper)


@dataclass(frozen=True, slots=True, eq=False)
class _Written:
    """All constraint families of an instance on a tape; `goal`: the step of the objective, if it
    holds variables. `unseen`: what has too many terms to be looked at, and may come to a pole.
    """

    tape: Tape
    families: tuple[ConstraintFamily, ...]
    roots: tuple[Root, ...]
    places: Mapping[Place, int]
    goal: tuple[str, int] | None
    unseen: tuple[str, ...]

    def sweep(self, ends: tuple[FloatArray, FloatArray], rounding: Rounding) -> Sweep:
        """A sweep that has run."""
        sweep = Sweep.of(self.tape.steps, self.roots, ends, rounding)
        sweep.run()
        return sweep

    def forward(self, ends: tuple[FloatArray, FloatArray]) -> Sweep:
        """A sweep that has gone from the columns to the rows alone."""
        sweep = Sweep.of(self.tape.steps, self.roots, ends, Rounding())
        with np.errstate(all="ignore"):
            sweep.forward()
        return sweep

    def poles(self, sweep: Sweep) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The names of what may come to a pole, without and with those of cones."""
        stated = [(f.name, root.step) for f, root in zip(self.families, self.roots, strict=True)]
        stated += [] if self.goal is None else [self.goal]
        with np.errstate(all="ignore"):
            bare, cones = (sweep.poles(cones) for cones in (False, True))
        return (
            (*(name for name, step in stated if bare[step].any()), *self.unseen),
            (*(name for name, step in stated if cones[step].any()), *self.unseen),
        )

    def parts(self, sweep: Sweep) -> Mapping[Place, Range]:
        """Ranges of parts that are narrower than what the columns alone say."""
        fresh = self.forward((sweep.lower, sweep.upper))
        found = {}
        for place, number in self.places.items():
            known, plain = sweep.ranges[number], fresh.ranges[number]
            if (known.low > plain.low).any() or (known.high < plain.high).any():
                found[place] = known
        return found


def _written(instance: Instance, whole: bool) -> _Written:
    fixed = ~instance.free
    with np.errstate(all="ignore"):
        whole_value = (np.round(instance.fixed) == instance.fixed) & (
            np.abs(instance.fixed) <= EXACT
        )
    tape = Tape(np.where(fixed, whole_value, instance.integral & whole))
    evaluator = TapeEvaluator(instance.world, tape)
    families, roots, unseen = [], [], list[str]()
    with np.errstate(all="ignore"):
        for family in instance.constraints:
            try:
                value = difference(evaluator, family) if family.size else None
            except TooManyRows:
                unseen.append(family.name)
                continue
            if isinstance(value, Node):
                families.append(family)
                roots.append(Root(value.number, family.relation))
        # not a row, but what it has in common with rows is bounded by them
        try:
            value = instance.goal.value(evaluator)
        except TooManyRows:
            value = None
            unseen.append(instance.goal.name)
    goal = (instance.goal.name, value.number) if isinstance(value, Node) else None
    return _Written(tape, tuple(families), tuple(roots), evaluator.places, goal, tuple(unseen))
