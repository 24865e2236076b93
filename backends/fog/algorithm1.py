"""Fog nodes: the paper's Algorithm 1 in four readings, a heuristic that says where it stops.

Start; solve the internal problem (32); solve the external problem (33); repeat until nothing
changes. The paper leaves open what "using (E^PL)*" in step 3 means, and start, steps and stop:

- `frozen`: (33) with the internal variables fixed, as in Appendix B. t_n >= tl + te is tight then,
  so no t_n ever leaves its start, and the result depends on the start.
- `printed`: (37) literally. It gives all the time to the layer with the largest sum of beta and 0
  to the others, and (32) has no point: with two layers or more it breaks down in its first
  iteration, which is reported as such.
- `gradient`: rows by (38), layer times a step along (37): t_n += 0.2/sqrt(i) tau (S_n - phi)/(sum S
  + phi) with S_n = sum_k beta_kn. Slow, and it stalls at the boundary of the domain where nodes are
  at their limits.
- `alternating`: exact over rows, then exact over times, with the value function of (32). It ends at
  a point that is best in rows and in times, which is the optimum if no node is at its limit and
  need not be otherwise: t_n >= a d/v + shortest exchanges couples the two.

Start: equal rows, t_n ~ M_n that add up to 0.7 tau; where that is outside the domain the start of
`fog-newton`. Steps that would leave the domain are halved until they stay in it, except in
`printed`. The bound is the explicit one at the algorithm's own prices, so it is loose where these
are far from the optimal ones.
"""

from dataclasses import dataclass, replace
from enum import Enum

import numpy as np

from mecdsl.backends.fog.alternating import best_rows, best_times
from mecdsl.backends.fog.barrier import Point, point
from mecdsl.backends.fog.bound import Bound, bound
from mecdsl.backends.fog.external import frozen_rows, rows_by_38, send_prices, send_time
from mecdsl.backends.fog.internal import Fixed, fixed
from mecdsl.backends.fog.latency import fastest
from mecdsl.backends.fog.newton import at_the_limit
from mecdsl.backends.fog.plan import with_empty_layers, with_point, without_empty_layers
from mecdsl.backends.fog.start import start
from mecdsl.backends.fog.system import Plan, Reals, System
from mecdsl.backends.shared.record import Record
from mecdsl.diagnostics import count
from mecdsl.solution import Termination

MOST_HALVINGS = 60
FIRST_STEP = 0.2  # of tau, in `gradient`
SHARE = 0.7  # of tau that the layers have at the start
OUTSIDE = "the external problem leaves the domain of (32)"


class Reading(Enum):
    """What step 3 of the algorithm is."""

    FROZEN = "frozen"
    PRINTED = "printed"
    GRADIENT = "gradient"
    ALTERNATING = "alternating"


@dataclass(frozen=True, slots=True, eq=False)
class Move:
    """What an external problem answers: rows [K] and times [N] in s, or why there are none."""

    rows: Reals | None
    times: Reals | None
    breakdown: str = ""


def algorithm1(
    system: System,
    reading: Reading = Reading.FROZEN,
    most_steps: int = 500,
    tolerance: float = 1e-7,
) -> Plan:
    """Run the algorithm; it ends when rows and times change by less than `tolerance` of input and
    deadline.

    Iterations record the energy in J, the best bound so far, and as residual the change of the
    point.
    """
    label = f"Algorithm 1, reading `{reading.value}`"
    inside = without_empty_layers(system)
    limits = fixed(inside)
    here = first_point(inside, limits)
    if here is None:
        return at_the_limit(system, inside, fastest(inside), label)
    run = _Run(inside, limits, here, reading)
    ending = Termination.ITERATION_LIMIT
    message = f"still changing after {count(most_steps, 'iteration')}"
    for number in range(1, most_steps + 1):
        stopped = run.step(number, tolerance)
        if stopped:
            ending, message = Termination.FINISHED, stopped
            break
    here = run.here
    plan = Plan(ending, label, bound=run.bound, iterations=run.record.steps)
    plan = with_point(plan, inside, here.rows, here.times, here.inner, here.outer)
    return with_empty_layers(
        replace(plan, message=message, certificate={"gap_to_its_own_bound": plan.gap}), system
    )


class _Run:
    """The algorithm under way: the point `here`, the best bound so far, and what was recorded."""

    def __init__(self, system: System, limits: Fixed, here: Point, reading: Reading) -> None:
        self.system, self.limits, self.reading = system, limits, reading
        self.here = here
        self.best = _bound_at(system, limits, here)
        self.record = Record()
        self.record.note(here.energy, self.bound, note="start")

    @property
    def bound(self) -> float:
        """The best bound so far, in J."""
        return max(self.best.value, 0.0)

    def step(self, number: int, tolerance: float) -> str:
        """One iteration; why the algorithm ends with it, empty if it goes on."""
        move = _external(self.system, self.limits, self.here, self.reading, number)
        following, halved = _inside(self.system, self.limits, self.here, move, self.reading)
        if following is None:
            return f"broke down in iteration {number}: {move.breakdown or OUTSIDE}"
        change = _change(self.system, self.here, following)
        self.here = following
        new = _bound_at(self.system, self.limits, following)
        self.best = max(self.best, new, key=lambda found: found.value)
        note = f"{count(halved, 'halving')} of the step" if halved else ""
        self.record.note(following.energy, self.bound, change, note)
        if not change <= tolerance:
            return ""
        where = ", stopped by the boundary of the domain" if halved else ""
        return f"nothing changes after {count(number, 'iteration')}{where}"


def first_point(system: System, limits: Fixed) -> Point | None:
    """The start of the algorithm; None if no plan meets the deadline by more than rounding."""
    nodes = system.shape[0]
    rows = np.full(nodes, system.input_rows / nodes)
    share = SHARE if nodes > 1 else 1.0 - 1e-12  # one node has all the time, and keeps it
    here = point(system, limits, rows, share * system.latency * system.macs / system.macs.sum())
    if here is not None:
        return here
    found = start(system)
    if found.rows is None or found.times is None:
        return None
    return point(system, limits, found.rows, found.times)


def _external(system: System, limits: Fixed, here: Point, reading: Reading, number: int) -> Move:
    match reading:
        case Reading.FROZEN:
            found = frozen_rows(
                system, limits, here.inner, system.latency - float(here.times.sum())
            )
            if found is None:
                return Move(
                    None, None, "no power is enough for the distribution in the time that is left"
                )
            return Move(found[0], here.times)
        case Reading.PRINTED:
            return _printed(system, limits, here)
        case Reading.GRADIENT:
            phi, sums = _prices(here)
            rows = rows_by_38(system, limits, here.inner, send_prices(system, limits, phi)[0])
            step = FIRST_STEP / np.sqrt(number) * system.latency
            return Move(rows, here.times + step * (sums - phi) / (sums.sum() + phi))
        case Reading.ALTERNATING:
            rows = best_rows(system, limits, here)
            return Move(rows, best_times(system, rows))


def _printed(system: System, limits: Fixed, here: Point) -> Move:
    """(37) with (23): the layer with the largest sum of beta gets all the time that the
    distribution leaves.
    """
    sums = here.inner.beta.sum(axis=0)
    chosen = int(np.argmax(sums))
    row_price, efficiency = send_prices(system, limits, float(sums[chosen]))
    rows = rows_by_38(system, limits, here.inner, row_price)
    left = system.latency * (1.0 - 1e-12) - send_time(system, rows, efficiency)
    times = np.zeros(len(sums))
    times[chosen] = left
    others = [str(n + 1) for n in range(len(sums)) if n != chosen]
    if others:
        layers = f"layer {others[0]}" if len(others) == 1 else f"layers {', '.join(others)}"
        return Move(rows, times, f"(37) gives no time to {layers}, so (32) has no point")
    if left <= 0.0:
        return Move(rows, times, "the distribution at the price of (37) takes the whole deadline")
    return Move(rows, times)


def _prices(here: Point) -> tuple[float, Reals]:
    """phi in W and S_n in W [N]; without a distribution phi is the mean, which keeps the sum of the
    times.
    """
    sums: Reals = here.inner.beta.sum(axis=0)
    return (here.outer.phi if len(here.rows) > 1 else float(sums.mean())), sums


def _inside(
    system: System, limits: Fixed, here: Point, move: Move, reading: Reading
) -> tuple[Point | None, int]:
    """The point a move leads to, halved until it is inside the domain, and how often; None where it
    cannot be.
    """
    if move.rows is None or move.times is None or move.breakdown:
        return None, 0
    length = 1.0
    for halved in range(1 if reading is Reading.PRINTED else MOST_HALVINGS):
        rows = here.rows + length * (move.rows - here.rows)
        times = here.times + length * (move.times - here.times)
        found = point(system, limits, rows, times, here.inner.beta)
        if found is not None:
            return found, halved
        length *= 0.5
    return None, 0


def _change(system: System, before: Point, after: Point) -> float:
    rows = float(np.abs(after.rows - before.rows).max()) / system.input_rows
    return max(rows, float(np.abs(after.times - before.times).max()) / system.latency)


def _bound_at(system: System, limits: Fixed, here: Point) -> Bound:
    """The better of the bounds at the price of the distribution and at the mean price of the
    layers.
    """
    mean = float(here.inner.beta.sum(axis=0).mean())
    found = [bound(system, here.inner.beta, phi, None, limits) for phi in (here.outer.phi, mean)]
    return max(found, key=lambda one: one.value)
