"""A second look where SCIP's point is no point of the model: values that are almost a bound are put
on it.

SCIP keeps rows to an absolute 1e-9 of their scaled terms. A cone `t*y >= x^2` therefore holds for
it at x = 2e-5 and t = y = 0, where x^2/y has no finite value: of relaxed places, which are 0 or
small at most pairs, it called points optimal whose objective was infinite, or larger by half than
it said; and a row of terms of 1e-6 may be missed by a thousandth. With x on its bound there is
nothing left to divide, so the columns near a bound stay there in a second solve. The bound remains
that of the first one, which was without them.
"""

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from mecdsl.backends.scip.options import FEASIBILITY
from mecdsl.backends.shared.holding import holds
from mecdsl.instances.tables import FloatArray

if TYPE_CHECKING:
    from mecdsl.backends.scip.model import ScipModel

NEAR: Final = (
    1e-4  # of scaled columns, which are about 1; the square root of SCIP's tolerance is 3e-5
)
STALLED: Final = "limits/stallnodes"
MOST_STALLED: Final = 1000  # nodes without a better point for integers that are fixed
ROUNDS: Final = 3  # a solve without the small values of the last one may find new ones


def sharpened(
    built: "ScipModel", time_left: float | None, optimize: Callable[[], str]
) -> tuple[FloatArray, float] | None:
    """Values and objective of the best point of the best integers, to `FEASIBILITY`; None if none
    is found.

    The model has been solved with a wider tolerance and has a solution. Its integers are fixed for
    one solve, and have their bounds again afterwards; the point is kept as a start of the next
    solve. `time_left` in s. Only the point is of use, so the solve ends where it gets no better:
    with 6 users the exact form of `noma` had its point at once and no proof after 12,000 nodes.
    """
    model = built.model
    best = model.getBestSol()
    whole = built.reduced.integral.tolist()
    kept = [
        (variable, round(float(best[variable])), variable.getLbOriginal(), variable.getUbOriginal())
        for variable, integer in zip(built.variables, whole, strict=True)
        if integer
    ]
    model.freeTransform()
    for variable, value, _, _ in kept:
        model.chgVarLb(variable, value)
        model.chgVarUb(variable, value)
    model.setParam("numerics/feastol", FEASIBILITY)
    if time_left is not None:
        model.setParam("limits/time", max(0.0, time_left))
    chosen = model.getParam(STALLED)
    if chosen < 0:
        model.setParam(STALLED, MOST_STALLED)
    failed = optimize() or not model.getNSols()
    model.setParam(STALLED, chosen)
    found = None if failed else model.getBestSol()
    result = None if found is None else (built.point(found), built.objective(found))
    model.freeTransform()
    for variable, _, low, high in kept:
        model.chgVarLb(variable, low)
        model.chgVarUb(variable, high)
    return result


def settled(
    built: "ScipModel", point: FloatArray, time_left: float | None, optimize: Callable[[], str]
) -> tuple[FloatArray, float] | None:
    """Values and objective of the best point whose columns near a bound are on it, or None if none
    is found.

    The model has been solved; its bounds change. `point`: where it ended, in SI. `time_left` in s.
    """
    started = time.perf_counter()
    model = built.model
    places = built.reduced.scaled(point).tolist()
    for _ in range(ROUNDS):
        model.freeTransform()
        for variable, place in zip(built.variables, places, strict=True):
            _fix_near_bound(model, variable, place)
        if time_left is not None:
            model.setParam("limits/time", max(0.0, time_left - (time.perf_counter() - started)))
        if optimize() or not model.getNSols():
            return None
        found = model.getBestSol()
        values, objective = built.point(found), built.objective(found)
        if holds(built.instance, values, objective):
            return values, objective
        places = built.scaled(found).tolist()
    return None


def _fix_near_bound(model: Any, variable: Any, place: float) -> None:
    """A column that is exactly on its bound may leave it: it may be what another one is divided
    by.
    """
    low, high = float(variable.getLbOriginal()), float(variable.getUbOriginal())
    if 0.0 < abs(place - low) <= NEAR:
        model.chgVarUb(variable, low)
    elif 0.0 < abs(place - high) <= NEAR:
        model.chgVarLb(variable, high)
