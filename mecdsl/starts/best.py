"""A local solver from many points side by side, and the best of what it finds.

Every run is a solve of its own with its start given. Which answer is the best is measured by our
own evaluator: a point that keeps the model comes before one that does not, then the objective
counts, and among equals what the answer is worth and the earlier start.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from mecdsl.backend import Backend, Request
from mecdsl.backends.shared.guarded import Guarded
from mecdsl.backends.shared.side_by_side import cores, side_by_side
from mecdsl.lowering.lower import Lowered
from mecdsl.reduction.reduced import reduce_instance
from mecdsl.results.gap import objective_size
from mecdsl.results.violations import broken
from mecdsl.solution import Guarantee, Solution, Spread, Termination
from mecdsl.starts.draw import drawn

SHORTEST: Final = 1e-3  # s; solvers take no limit of 0
SAME: Final = 1e-6  # relative: objectives that count as one
BREAKS: Final = "at a point that breaks a constraint"
OPTIMA: Final = (Guarantee.GLOBAL, Guarantee.LOCAL)
SAME_POINT: Final = 1e-9  # relative: objectives of which the one with the better label is taken


def best_of_starts(backend: Backend, request: Request, twin: Lowered) -> Solution:
    """The best answer of a backend, from its ordinary start and `request.options.starts - 1` more.

    `twin`: whose instance is that of the request, and on whose original points are judged. The time
    limit is for all together. What the runs came to is in `Solution.spread`. An exception of a run
    is raised here.
    """
    began = time.perf_counter()
    options = request.options
    reduce_instance(request.instance)  # found here once, for all forks
    _ = request.problem

    def work(number: int) -> Callable[[Callable[[], bool]], Solution]:
        def solved(should_stop: Callable[[], bool]) -> Solution:
            limit = options.time_limit
            if limit is not None:
                limit = max(SHORTEST, limit - (time.perf_counter() - began))
            own = replace(options, starts=1, time_limit=limit)
            if number > 1:
                point = drawn(twin.original, options.seed, number)
                own = replace(own, start=twin.extended(point))
            return backend.solve(replace(request, options=own, should_stop=should_stop))

        return solved

    found = side_by_side(
        [work(number) for number in range(1, options.starts + 1)],
        at_once=cores() if options.threads is None else options.threads,
        should_stop=request.should_stop,
        time_limit=options.time_limit,
    )
    best = _best(backend, twin, found)
    lower = best.seconds.get("lower", 0.0)
    return replace(best, seconds={"lower": lower, "solve": time.perf_counter() - began - lower})


@dataclass(frozen=True, slots=True, eq=False)
class _Judged:
    """The answer of a start, the value of its point (NaN without one), and whether that keeps the
    model.
    """

    solution: Solution
    value: float
    keeps: bool

    @property
    def optimum(self) -> bool:
        """Whether the solver calls it one, of a point that keeps the model."""
        return self.keeps and self.solution.guarantee in OPTIMA


def _judged(twin: Lowered, solution: Solution) -> _Judged:
    if solution.values is None:
        return _Judged(solution, float("nan"), False)
    x = twin.point(solution.values)
    value = twin.original.objective(x)
    return _Judged(solution, value, bool(np.isfinite(value)) and not broken(twin.original, x))


def _best(backend: Backend, twin: Lowered, found: Sequence[Guarded[Solution]]) -> Solution:
    """The best answer with the spread of all."""
    judged = [_judged(twin, one.answer) for one in found if one.answer is not None]
    lost = [one for one in found if one.answer is None]
    if not judged:
        return Solution(
            backend=backend.name,
            termination=Termination.ERROR,
            guarantee=Guarantee.NONE,
            message="; ".join(dict.fromkeys(one.ending for one in lost if one.ending)),
        )
    best = _first(judged, twin.original.maximize)
    spread = _spread(judged, lost, twin)
    return replace(
        best.solution, spread=spread, termination=_termination(best.solution, judged, lost)
    )


def _first(judged: Sequence[_Judged], maximize: bool) -> _Judged:
    """The best of the answers; without a point that keeps the model the first with any, or of
    all.
    """
    kept = [one for one in judged if one.keeps]
    if not kept:
        return next((one for one in judged if one.solution.values is not None), judged[0])
    top = (max if maximize else min)(kept, key=lambda one: one.value)
    if top.optimum:
        return top
    room = SAME_POINT * abs(top.value)
    return next((one for one in kept if one.optimum and abs(one.value - top.value) <= room), top)


def _termination(
    solution: Solution, judged: Sequence[_Judged], lost: Sequence[Guarded[Solution]]
) -> Termination:
    """Why all together stopped: a limit that kept some start from its end is the limit of all."""
    endings = {one.solution.termination.value for one in judged} | {one.reason for one in lost}
    if Termination.INTERRUPTED.value in endings:
        return Termination.INTERRUPTED
    if Termination.TIME_LIMIT.value in endings and solution.guarantee is not Guarantee.GLOBAL:
        return Termination.TIME_LIMIT
    return solution.termination


def _spread(judged: Sequence[_Judged], lost: Sequence[Guarded[Solution]], twin: Lowered) -> Spread:
    """How far the optima are apart, and how many starts led to none and why."""
    optima = sorted((one for one in judged if one.optimum), key=lambda one: one.value)
    if twin.original.maximize:
        optima.reverse()
    values = [one.value for one in optima]
    failed = Counter(
        BREAKS if one.solution.guarantee in OPTIMA else one.solution.termination.value
        for one in judged
        if not one.optimum
    )
    failed.update(one.reason for one in lost)
    return Spread(
        starts=len(judged) + len(lost),
        optima=len(values),
        distinct=_distinct(twin, optima),
        best=values[0] if values else None,
        worst=values[-1] if values else None,
        failed=dict(failed),
    )


def _distinct(twin: Lowered, optima: Sequence[_Judged]) -> int:
    """How many values there are, in an order of value, of which neighbours are no two if equal to
    `SAME`.
    """
    first = next((one.solution.values for one in optima), None)
    if first is None:
        return 0
    size = objective_size(twin.original, twin.point(first))
    count, last = 1, optima[0].value
    for one in optima[1:]:
        if (size.relative(one.value, last) or 0.0) > SAME:
            count, last = count + 1, one.value
    return count
