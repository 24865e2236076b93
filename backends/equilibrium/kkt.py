"""`equilibrium-kkt`: smooth games in continuous variables, by the first-order conditions of all
players together.

The conditions (`mecdsl.backends.equilibrium.conditions`) are as many equations as unknowns, solved
as a feasibility problem by Ipopt. A constraint that several players share has one multiplier for
all of them, so of the many equilibria such a game may have this finds a variational one (Rosen
1965, Existence and uniqueness of equilibrium points for concave n-person games; Facchinei and
Kanzow 2010, Generalized Nash equilibrium problems).

Where every player's problem is convex a point that keeps the conditions is an equilibrium; else it
may be any stationary point, the worst one even. What it is worth is not this backend's word: the
certificate (`mecdsl.equilibria.certify`) is made after it.

Choices:

- Ipopt with an empty Hessian: at a solution the multipliers of the equations are 0, so its steps
  are those of Newton's method. The alternative, `scipy.optimize.least_squares` with the same
  Jacobian, took 40 to 50 steps where Ipopt took 10, and its steps factorise a dense matrix: 200
  sellers of Cournot's took 18 s instead of 0.4 s. One more of its runs ended at a residual of 2e-8.
  Both stay within the bounds, outside of which an objective may not be defined.
- The equations have kinks where an unknown is at its bound and its condition is 0 too; Ipopt comes
  from inside and does not meet them before the end.
- An objective above degree two has second derivatives by all pairs of columns it holds: where each
  of N players feels all others, one Jacobian costs some N^3 operations (N = 200: seconds).
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from mecdsl.backend import Acceptance, Availability, Capabilities, Request
from mecdsl.backends.equilibrium.conditions import Conditions
from mecdsl.backends.equilibrium.root import Attempt, attempt
from mecdsl.backends.ipopt.library import Cyipopt
from mecdsl.backends.shared.own_options import OwnOptions
from mecdsl.diagnostics import Label, Span
from mecdsl.instances.instance import Instance
from mecdsl.instances.players import game_of, rows_of_players
from mecdsl.instances.tables import FloatArray
from mecdsl.model.classes import Degree, ProblemClass
from mecdsl.model.dimensions import find_dimension
from mecdsl.reduction.reduced import reduce_instance
from mecdsl.results.violations import broken
from mecdsl.solution import Guarantee, Iteration, Solution, Termination
from mecdsl.starts.draw import drawn

NAME = "equilibrium-kkt"
OPTIONS = {
    "starts": "the most starts, 5: the point given, then drawn ones",
    "tolerance": "how far a scaled condition may be missed, 1e-9",
    "responder": "the backend of the players' own problems in the certificate",
}
TOLERANCE: Final = 1e-9
STARTS: Final = 5
IPOPT: Final = Cyipopt()


class EquilibriumKkt:
    """See the head of this file."""

    name = NAME
    capabilities = Capabilities(
        title="first-order conditions of all players",
        classes=frozenset(kind for kind in ProblemClass if not kind.integral),
        guarantee=Guarantee.FEASIBLE,
        reference="Facchinei and Kanzow 2010, Generalized Nash equilibrium problems",
        warm_start=True,
        time_limit=True,
        games=True,
        options=tuple(OPTIONS.items()),
    )

    def availability(self) -> Availability:
        """Whether Ipopt can be imported."""
        try:
            return Availability(True, dict(IPOPT.versions()))
        except ImportError as error:
            return Availability(False, reason=str(error))

    def accepts(self, request: Request) -> Acceptance:
        """Games in continuous variables whose objectives and rows have derivatives."""
        return _integer(request.instance) or _kink(request.instance) or Acceptance(True)

    def solve(self, request: Request) -> Solution:
        """A point that keeps the conditions of all players, from the first start that leads to one.

        Raises `ModelError` E505 for an option it does not know, E311 for a coefficient that is not
        finite.
        """
        options = OwnOptions(NAME, OPTIONS, request.options.raw)
        tolerance = options.number("tolerance", TOLERANCE)
        starts = options.count("starts", STARTS)
        instance = _without_points(request.instance)
        conflict = reduce_instance(instance).conflict
        if conflict:
            return Solution(
                backend=NAME,
                termination=Termination.INFEASIBLE,
                guarantee=Guarantee.INFEASIBLE,
                message=conflict,
            )
        if not instance.free.any():
            return _answer(request.instance, instance.first_point(), "nobody has a choice")
        search = _Search(replace(request, instance=instance), Conditions(instance), tolerance)
        found = search.run(starts)
        return replace(found, versions=self.availability().versions)


@dataclass(slots=True, eq=False)
class _Search:
    """Attempts from one start after the other, the best of which is kept."""

    request: Request
    conditions: Conditions
    tolerance: float

    def run(self, starts: int) -> Solution:
        """The solution from at most so many starts."""
        began, limit = time.perf_counter(), self.request.options.time_limit
        until = None if limit is None else began + limit
        best: Attempt | None = None
        steps: list[Iteration] = []
        tried = 0
        for start in self._starts(starts):
            late = until is not None and time.perf_counter() >= until
            if tried and (self.request.should_stop() or late):
                break
            tried += 1
            found = attempt(self.conditions, start, self.tolerance, until, self.request)
            steps += _renumbered(found.iterations, len(steps), tried, began)
            if best is None or found.residual < best.residual:
                best = found
            if best.residual <= self.tolerance:
                break
            if found.termination in (Termination.TIME_LIMIT, Termination.INTERRUPTED):
                break
        assert best is not None
        return self._solution(best, found, steps, tried)

    def _starts(self, most: int) -> Iterator[FloatArray]:
        """Points of the instance to begin at: the one given or the model's, then drawn ones."""
        instance, options = self.request.instance, self.request.options
        first, given = instance.first_point(), options.start
        if given is not None:
            first = instance.complete(np.where(np.isfinite(given), given, first))
        yield first
        for number in range(2, most + 1):
            yield drawn(instance, options.seed, number)

    def _solution(
        self, best: Attempt, last: Attempt, steps: list[Iteration], tried: int
    ) -> Solution:
        instance, x = self.request.instance, self.conditions.point(best.unknowns)
        known = {"starts": float(tried), "iterations": float(len(steps))}
        if np.isfinite(best.residual):
            known["residual"] = best.residual
        if best.residual <= self.tolerance:
            words = f"the first-order conditions of all players hold to {best.residual:.2g}"
            solution = _answer(instance, x, f"{words}{_shared(instance)}")
            return replace(solution, iterations=tuple(steps), certificate=known)
        early = last.termination in (Termination.TIME_LIMIT, Termination.INTERRUPTED)
        message = (
            f"the first-order conditions were not met from {tried} start"
            f"{'' if tried == 1 else 's'}: at best one is missed by {best.residual:.2g} of its "
            f"size; Ipopt: {last.status}"
        )
        usable = np.isfinite(game_of(instance).values(x)).all() and not broken(instance, x)
        return Solution(
            backend=NAME,
            termination=last.termination if early else Termination.NOT_FOUND,
            guarantee=Guarantee.FEASIBLE if usable else Guarantee.NONE,
            values=x if usable else None,
            objective=instance.objective(x) if usable else None,
            iterations=tuple(steps),
            certificate=known,
            message=message,
        )


def _answer(instance: Instance, x: FloatArray, message: str) -> Solution:
    return Solution(
        backend=NAME,
        termination=Termination.FINISHED,
        guarantee=Guarantee.FEASIBLE,
        values=x,
        objective=instance.objective(x),
        message=message,
    )


def _renumbered(
    found: tuple[Iteration, ...], done: int, start: int, began: float
) -> list[Iteration]:
    """The steps of one attempt behind those that were done, in seconds since `began`."""
    return [
        replace(
            step,
            number=done + place,
            seconds=None if step.seconds is None else step.seconds - began,
            note=f"start {start}" + (step.note and f", {step.note}"),
        )
        for place, step in enumerate(found)
    ]


def _without_points(instance: Instance) -> Instance:
    """The same where columns whose bounds leave one value are fixed at it."""
    point = instance.free & (instance.lower == instance.upper)
    if not point.any():
        return instance
    return replace(instance, fixed=np.where(point, instance.lower, instance.fixed))


def _shared(instance: Instance) -> str:
    """What the multipliers of shared constraints mean, in words; empty where none is shared."""
    shared = [rows.family.name for rows in rows_of_players(instance) if (rows.sharers > 1).any()]
    if not shared:
        return ""
    names = ", ".join(f"`{name}`" for name in shared)
    model = instance.model
    kinds = {find_dimension(model, players.value) for players in model.players}
    alike = "" if len(kinds) == 1 else " in SI, as what they want has several units"
    return (
        f"; {names} with one multiplier for all who share it{alike}: a variational equilibrium, "
        "where it is one (Rosen 1965; Facchinei and Kanzow 2010)"
    )


def _integer(instance: Instance) -> Acceptance | None:
    """The refusal of an integer variable."""
    whole = np.flatnonzero(instance.integral & instance.free)
    if not len(whole):
        return None
    name = instance.column_name(int(whole[0]))
    more = f" and {len(whole) - 1} more are" if len(whole) > 1 else " is"
    family = next(f for f in instance.variables if f.first <= whole[0] < f.first + f.size)
    span = instance.model.symbols[family.name].span
    reason = f"`{NAME}` needs continuous variables: `{name}`{more} integer"
    return Acceptance(False, reason, Label(span, "an integer variable"))


def _kink(instance: Instance) -> Acceptance | None:
    """The refusal of an objective or a row without derivatives."""
    shapes = instance.checked.shapes
    stated = [(f"what `{p.name}` wants", shapes.shape(p.value)) for p in instance.model.players]
    stated += [(f"`{f.name}`", f.shape) for f in instance.constraints if f.size]
    for what, shape in stated:
        if shape.degree is Degree.NONSMOOTH:
            return _refused(what, shape.reason, shape.culprit)
    return None


def _refused(what: str, reason: str, place: Span | None) -> Acceptance:
    line = f", line {place.line}" if place else ""
    label = Label(place, reason) if place else None
    return Acceptance(False, f"`{NAME}` needs smooth functions: {what} holds {reason}{line}", label)
