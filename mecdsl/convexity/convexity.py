"""Which families of an instance are proven convex, which part of the model is to blame where one is
not.

The box is that of the bounds and of what all rows imply (`mecdsl.analysis.propagation`); it holds
every feasible point, also of the problem without integrality. A proof on the box is therefore a
proof for the problem. Functions count on the inside of their domain: `1/x` with `x >= 0` is convex,
with the value infinity at 0.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from mecdsl.analysis.propagation.box import implied_box
from mecdsl.convexity.algebra import CurvatureEvaluator, Curvatures, Remembered
from mecdsl.convexity.blame import Blame, Cause
from mecdsl.convexity.curvature import Curvature, Curve
from mecdsl.diagnostics import Span
from mecdsl.instances.evaluate import Evaluator
from mecdsl.instances.instance import ConstraintFamily, Instance, difference
from mecdsl.instances.tables import FloatArray
from mecdsl.model import symbolic as sym
from mecdsl.model.classes import Classifier, Degree
from mecdsl.model.relation import Relation

LONGEST: Final = 40  # characters of a part that is quoted
WANTED: Final = {
    Relation.AT_MOST: (True, False),
    Relation.AT_LEAST: (False, True),
    Relation.EQUAL: (True, True),
}  # convex, concave


@dataclass(frozen=True, slots=True)
class Finding:
    """How `left - right` of a family, or the objective, bends as written.

    `proven`: bends as its relation or sense needs it. Otherwise `cause` says in words what does
    not, `place` where, and `member` the first row that is to blame if there are others that are
    not.
    """

    curvature: Curvature
    proven: bool
    cause: str = ""
    place: Span | None = None
    member: str = ""


AFFINE: Final = Finding(Curvature.AFFINE, True)


class Convexity:
    """Findings for one instance; definitions are analysed once for all families."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        parts = implied_box(instance, whole=False).parts
        curves = Curvatures(*box(instance))
        remembered = Remembered()
        self.evaluator = CurvatureEvaluator(instance.world, curves, parts, remembered)
        self.blame = Blame(instance.world, curves, parts, remembered)

    def objective(self) -> Finding:
        """Of the objective: convex is needed to minimise, concave to maximise."""
        wanted = (False, True) if self.instance.maximize else (True, False)
        return self._finding(wanted, None)

    def constraint(self, family: ConstraintFamily) -> Finding:
        """Of `left - right`: convex is needed for `<=`, concave for `>=`, affine for `==`."""
        if not family.size:
            return AFFINE
        return self._finding(WANTED[family.relation], family)

    def _value(self, evaluator: Evaluator, family: ConstraintFamily | None) -> Any:
        """What is to bend."""
        return difference(evaluator, family) if family else self.instance.goal.value(evaluator)

    def _finding(self, wanted: tuple[bool, bool], family: ConstraintFamily | None) -> Finding:
        found = self._value(self.evaluator, family)
        if not isinstance(found, Curve):
            return AFFINE
        curvature = _curvature(found)
        good = np.ones(found.size, dtype=bool)
        for needed, flag in zip(wanted, (found.bend.convex, found.bend.concave), strict=True):
            good &= flag | (not needed)
        if good.all():
            return Finding(curvature, True)
        row = int(np.argmin(good))
        column = 0 if wanted[0] and not found.bend.convex[row] else 1
        member = self.instance.row_name(family, row) if family is not None and good.any() else ""
        blamed = self.blame.of(self._value(self.blame, family), row, column)
        if blamed is None:
            return Finding(curvature, False, *self._whole(family), member)
        expression, cause = blamed
        text = words(expression, cause, self.instance.checked.shapes)
        return Finding(curvature, False, text, expression.span, member)

    def _whole(self, family: ConstraintFamily | None) -> tuple[str, Span]:
        """The row as a whole, or the objective, to blame."""
        stated = family.constraint if family is not None else self.instance.model.objective
        return f"`{stated.name}` bends in no way that is known", stated.span


def _curvature(found: Curve) -> Curvature:
    convex, concave = bool(found.bend.convex.all()), bool(found.bend.concave.all())
    if convex:
        return Curvature.AFFINE if concave else Curvature.CONVEX
    return Curvature.CONCAVE if concave else Curvature.UNKNOWN


def box(instance: Instance) -> tuple[FloatArray, FloatArray]:
    """Lower and upper end of every column over the feasible points.

    Where no point is feasible these are the bounds alone: the fault is that of whoever solves the
    problem.
    """
    found = implied_box(instance, whole=False)
    return found.lower, found.upper


def words(expression: sym.Expression, cause: Cause, shapes: Classifier) -> str:
    """Why a part bends wrongly: "`x*y` is a product of two variables"."""
    text = _short(expression.span)
    if cause in (Cause.CONVEX, Cause.CONCAVE):
        have, need = ("convex", "concave") if cause is Cause.CONVEX else ("concave", "convex")
        return f"`{text}` is {have} where {need} is needed"
    match expression:
        case sym.Operation(operator="/", operands=(_, below)) if cause is Cause.DOMAIN:
            return f"`{_short(below.span)}` in a denominator may change sign"
        case sym.Operation(operator="^", operands=(base, _)) if cause is Cause.DOMAIN:
            return f"`{_short(base.span)}` under a power may be negative"
        case sym.Function(arguments=arguments) if cause is Cause.DOMAIN:
            return (
                f"the argument of `{text}` may be negative"
                if len(arguments) == 1
                else _may_leave(text)
            )
        case sym.Operation(operator="*", operands=(left, right)):
            two = all(_is_variable(operand, shapes) for operand in (left, right))
            return (
                f"`{text}` is a product of two "
                f"{'variables' if two else 'expressions over variables'}"
            )
        case sym.Operation(operator="/"):
            return f"`{text}` is a quotient of expressions over variables"
        case sym.Operation(operator="^"):
            return f"`{text}` is a power that bends both ways"
        case _:
            return f"`{text}` bends in no way that is known"


def _may_leave(text: str) -> str:
    return f"an argument of `{text}` may be negative"


def _is_variable(expression: sym.Expression, shapes: Classifier) -> bool:
    return isinstance(expression, sym.Lookup) and shapes.shape(expression).degree is Degree.LINEAR


def _short(span: Span) -> str:
    text = " ".join(span.text.split())
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
