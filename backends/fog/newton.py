"""Fog nodes: `newton`, the optimum of (31) to a certified gap, by a primal-dual barrier method over
rows and times.

The step is in `mecdsl.backends.fog.barrier`. What certifies is `mecdsl.backends.fog.bound`, at the
multipliers that the step predicts: those of the point itself leave it loose while nodes are at
their limits. Any system with a smallest deadline below the latency is solved; the others are proven
infeasible by the linear programme.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from mecdsl.backends.fog.barrier import Duals, Point, Step, duals_at, newton_step, point
from mecdsl.backends.fog.bound import Bound, bound
from mecdsl.backends.fog.internal import Fixed, fixed
from mecdsl.backends.fog.latency import Fastest, fastest
from mecdsl.backends.fog.plan import (
    infeasible,
    with_bound,
    with_empty_layers,
    with_fastest,
    with_point,
    without_empty_layers,
)
from mecdsl.backends.fog.start import Start, start
from mecdsl.backends.fog.system import Plan, Reals, System
from mecdsl.solution import Iteration, Termination

LABEL = "fog-newton: barrier method over rows and layer times"
FRACTION = 0.98  # of the way to the boundary
CUT, SLOW_CUT, MANY_STEPS = 0.05, 0.2, 8
SETTLED = 0.5  # of mu times the number of logarithms: the decrement below which mu is cut
MOST_STEPS = 300
LEAST = 1e-6  # of the energy that the gap allows to be left: barriers below it are rounding
LOST = "the steps lost their digits before the gap was closed"
ROUNDING = 1e-12  # relative, by which the fastest plan may exceed the latency


@dataclass(slots=True, eq=False)
class Search:
    """What is known so far; `steps` in order, `started` by the clock."""

    started: float = field(default_factory=time.perf_counter)
    best: Point | None = None
    bound: Bound | None = None
    steps: list[Iteration] = field(default_factory=list)

    def gap(self) -> float:
        """(objective - bound) / objective."""
        if self.best is None or self.bound is None:
            return float("inf")
        return (self.best.energy - self.bound.value) / self.best.energy

    def offer(self, here: Point, found: Bound) -> None:
        """Keep the better of each."""
        if self.best is None or here.energy <= self.best.energy:
            self.best = here
        if np.isfinite(found.value) and (self.bound is None or found.value > self.bound.value):
            self.bound = found

    def note(self, energy: float, residual: float, text: str) -> None:
        """Record one step."""
        lower = None if self.bound is None else self.bound.value
        seconds = time.perf_counter() - self.started
        self.steps.append(
            Iteration(
                number=len(self.steps) + 1,
                objective=energy,
                bound=lower,
                residual=residual,
                seconds=seconds,
                note=text,
            )
        )


def newton(
    system: System,
    rows: Reals | None = None,
    gap: float = 1e-8,
    time_limit: float | None = None,
    label: str = LABEL,
) -> Plan:
    """Solve (31) to a relative gap; `rows` [K] >= 0 fixes the rows, and the bound is then one for
    these rows.

    Certificate: `gap`; where no plan meets the latency `smallest_deadline` and
    `smallest_deadline_bound`, the proof, in s. Raises ValueError for a gap that is not positive and
    for rows that do not add up to the input.
    """
    check_request(system, rows, gap)
    inside = without_empty_layers(system)
    beginning = start(inside, rows)
    limits = fixed(inside)
    here = inside_point(inside, limits, beginning)
    if here is None:
        return at_the_limit(system, inside, beginning.fastest or fastest(inside, rows), label)
    search = Search()
    message = descend(
        inside,
        limits,
        here=here,
        search=search,
        rows_free=rows is None,
        gap=gap,
        time_limit=time_limit,
    )
    return finished(
        system,
        inside,
        search=search,
        rows_given=rows is not None,
        gap=gap,
        label=label,
        message=message,
    )


def check_request(system: System, rows: Reals | None, gap: float) -> None:
    """Raises ValueError for a gap that is not positive and for rows that are negative or do not add
    up to the input.
    """
    if not gap > 0.0:
        raise ValueError(f"expected a gap > 0, found {gap!r}")
    if rows is not None and (
        np.any(rows < 0.0) or abs(rows.sum() / system.input_rows - 1.0) > 1e-9
    ):
        raise ValueError("expected `rows` >= 0 that add up to the input rows")


def inside_point(system: System, limits: Fixed, beginning: Start) -> Point | None:
    """The start as a point; None without one, or where rounding put it outside the domain."""
    if beginning.rows is None or beginning.times is None:
        return None
    return point(system, limits, beginning.rows, beginning.times)


def at_the_limit(system: System, inside: System, best: Fastest, label: str) -> Plan:
    """Infeasible where the bound of the deadline proves it; at the smallest deadline itself the
    fastest plan.

    That plan is the only one but for rounding, of which no bound tells; an error where rounding
    leaves it open.
    """
    if best.bound > system.latency:
        return infeasible(label, system.latency, best.deadline, best.bound)
    numbers = {"smallest_deadline": best.deadline, "smallest_deadline_bound": best.bound}
    if best.deadline > system.latency * (1.0 + ROUNDING):
        message = best.message or "the smallest deadline was not found to the last digits"
        return Plan(Termination.ERROR, label, certificate=numbers, message=message)
    message = "the deadline is the smallest there is, to rounding; this is the fastest plan"
    plan = Plan(Termination.FINISHED, label, certificate=numbers, message=message)
    return with_empty_layers(with_fastest(plan, inside, best), system)


def finished(
    system: System,
    inside: System,
    search: Search,
    rows_given: bool,
    gap: float,
    label: str,
    message: str,
    numbers: Mapping[str, float] | None = None,
) -> Plan:
    """The plan of the best point and bound; `numbers` stand beside the gap in its certificate."""
    best = search.best
    if best is None:
        return Plan(Termination.ERROR, label, message=message)
    closed = search.gap() <= gap
    ending = Termination.OPTIMAL if closed else Termination.FINISHED
    if not closed and message == "time limit":
        ending = Termination.TIME_LIMIT
    plan = Plan(ending, label, iterations=tuple(search.steps), message="" if closed else message)
    plan = with_point(plan, inside, best.rows, best.times, best.inner, best.outer)
    plan = with_bound(plan, search.bound, rows_given)
    certificate = {"gap": max(search.gap(), 0.0)} | dict(numbers or {})
    return with_empty_layers(replace(plan, certificate=certificate), system)


def descend(
    system: System,
    limits: Fixed,
    here: Point,
    search: Search,
    rows_free: bool,
    gap: float,
    time_limit: float | None = None,
    first_mu: float | None = None,
) -> str:
    """Follow the central path until `search` has closed the gap; returns why it stopped
    otherwise.
    """
    logs = here.slack.size + 1 + (here.rows.size if rows_free else 0)
    mu = here.energy / logs if first_mu is None else first_mu
    duals = duals_at(here, mu, rows_free)
    given = None if rows_free else here.rows
    inner = 0
    for _ in range(MOST_STEPS):
        try:
            step = newton_step(system, here, duals, mu, rows_free)
        except np.linalg.LinAlgError:  # singular to rounding
            return LOST
        search.offer(here, bound(system, step.beta, step.phi, given, limits))
        search.note(here.energy, search.gap(), f"barrier {mu:.1e}")
        if search.gap() <= gap:
            return ""
        if time_limit is not None and time.perf_counter() - search.started > time_limit:
            return "time limit"
        least_mu = LEAST * gap * here.energy / logs
        if mu < least_mu:
            return LOST
        moved = _move(system, limits, here, step, mu, rows_free)
        if moved is None:
            mu, inner = mu * SLOW_CUT, 0
            continue
        here, length = moved
        duals = _moved_duals(here, duals, step, mu, rows_free)
        inner += 1
        if (-step.slope <= SETTLED * mu * logs and length > 0.5) or inner >= MANY_STEPS:
            mu, inner = mu * (SLOW_CUT if inner >= MANY_STEPS else CUT), 0
    return "the step limit was reached before the gap was closed"


def _move(
    system: System, limits: Fixed, here: Point, step: Step, mu: float, rows_free: bool
) -> tuple[Point, float] | None:
    """The point after the step, shortened until the barrier function falls enough, and the
    length.
    """
    length = min(
        1.0,
        _longest(here.slack, step.slack),
        _longest(np.array([here.spare]), np.array([step.spare])),
    )
    if rows_free:
        length = min(length, _longest(here.rows, step.rows))
    value = here.barrier(mu, rows_free)
    rounding = 1e-14 * (abs(here.energy) + abs(value))
    while length > 1e-10:
        rows = here.rows + length * step.rows
        if rows_free:
            rows *= system.input_rows / rows.sum()
        trial = point(system, limits, rows, here.times + length * step.times, here.inner.beta)
        if (
            trial is not None
            and trial.barrier(mu, rows_free) <= value + 1e-4 * length * step.slope + rounding
        ):
            return trial, length
        length *= 0.5
    return None


def _moved_duals(here: Point, duals: Duals, step: Step, mu: float, rows_free: bool) -> Duals:
    """Multipliers after their own step, kept within a factor of the central path."""
    change = step.duals
    length = min(
        1.0,
        _longest(duals.slack, change.slack),
        _longest(np.array([duals.spare]), np.array([change.spare])),
    )
    if rows_free:
        length = min(length, _longest(duals.rows, change.rows))
    centre = duals_at(here, mu, rows_free)

    def kept(value: Reals, middle: Reals) -> Reals:
        return np.clip(value, 1e-8 * middle, 1e8 * middle)

    rows = kept(duals.rows + length * change.rows, centre.rows) if rows_free else duals.rows
    spare = float(kept(np.array(duals.spare + length * change.spare), np.array(centre.spare)))
    return Duals(kept(duals.slack + length * change.slack, centre.slack), rows, spare)


def _longest(value: Reals, change: Reals) -> float:
    """How far a step may go so that `FRACTION` of the way to zero is not exceeded."""
    ratio = np.divide(-change, value, out=np.zeros(value.shape), where=change < 0.0)
    most = float(ratio.max(initial=0.0))
    return FRACTION / most if most > FRACTION else 1.0
