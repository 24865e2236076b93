"""Fog nodes: `dual`, the decomposition of (31) with updates of the multipliers, to a certified gap.

The paper splits (31) into the internal problem (32), the distribution (75), and the external
problem in rows and layer times. One round solves the first two exactly and then moves rows and
times together:

    d_k = sqrt((lambda - sum_n gamma1 a / v - q d^x theta_k(phi))^+ / (3 sum_n cons1)),  cons1 =
    kappa a^3 / tl^2, t_n <- t_n (S_n / phi)^(1/3),  S_n = sum_k beta_kn,

lambda from (4), phi from (23) with tF from the tight (10). The second replaces (37), which is
bang-bang: with the time spent computing beta ~ t^-3, so the factor makes all S_n equal to phi. The
step is halved until rows and times are inside the domain; there is no step size to tune. Where
nodes are at their limits the rounds die out away from the optimum; `mecdsl.backends.fog.newton`
then goes on from there. What certifies is the bound at beta and phi.
"""

import time

import numpy as np

from mecdsl.backends.fog.barrier import Point, point
from mecdsl.backends.fog.bound import bound
from mecdsl.backends.fog.external import root, rows_by_38, send_prices, send_time
from mecdsl.backends.fog.internal import Fixed, fixed
from mecdsl.backends.fog.latency import fastest
from mecdsl.backends.fog.newton import (
    Search,
    at_the_limit,
    check_request,
    descend,
    finished,
    inside_point,
)
from mecdsl.backends.fog.plan import without_empty_layers
from mecdsl.backends.fog.start import start
from mecdsl.backends.fog.system import Plan, Reals, System

LABEL = "fog-dual: decomposition with updates of the multipliers"
MOST_ROUNDS = 200
WINDOW, PROGRESS = 6, 0.3  # the gap must fall by this factor within so many rounds
SHORTEST = 1e-3  # step below which the rounds have died out
DOUBLINGS = 200


def dual(
    system: System, rows: Reals | None = None, gap: float = 1e-8, time_limit: float | None = None
) -> Plan:
    """Solve (31) to a relative gap; `rows` [K] >= 0 fixes the rows, and the bound is then one for
    these rows.

    Certificate: `gap`; `rounds` of the decomposition, before `fog-newton` took over if it did;
    where no plan meets the latency `smallest_deadline` and `smallest_deadline_bound`, the proof, in
    s. Raises ValueError for a gap that is not positive.
    """
    check_request(system, rows, gap)
    inside = without_empty_layers(system)
    limits = fixed(inside)
    here = _simple_start(inside, limits, rows)
    if here is None:
        beginning = start(inside, rows)
        here = inside_point(inside, limits, beginning)
        if here is None:
            return at_the_limit(system, inside, beginning.fastest or fastest(inside, rows), LABEL)
    search = Search()
    message, last = _rounds(
        inside, limits, here=here, search=search, given=rows, gap=gap, time_limit=time_limit
    )
    rounds = len(search.steps)
    if search.gap() > gap and message != "time limit":
        inner = last if rows is not None else _inner_point(inside, limits, last)
        if inner is None:
            return at_the_limit(system, inside, fastest(inside), LABEL)
        message = descend(
            inside,
            limits,
            here=inner,
            search=search,
            rows_free=rows is None,
            gap=gap,
            time_limit=time_limit,
            first_mu=_first_mu(inner, max(search.gap(), gap)),
        )
    return finished(
        system,
        inside,
        search=search,
        rows_given=rows is not None,
        gap=gap,
        label=LABEL,
        message=message,
        numbers={"rounds": float(rounds)},
    )


def _inner_point(system: System, limits: Fixed, last: Point) -> Point | None:
    """A point for the barrier method near the last of the rounds, else its own start."""
    found = _with_rows_for_all(system, limits, last)
    return inside_point(system, limits, start(system)) if found is None else found


def _first_mu(here: Point, gap: float) -> float:
    """The complementarity that goes with a gap, in J."""
    logs = here.slack.size + here.rows.size + 1
    return min(gap, 1.0) * here.energy / logs


def _simple_start(system: System, limits: Fixed, rows: Reals | None) -> Point | None:
    """Equal rows, or those given, and t_n ~ M_n with 0.7 of the deadline; None where that is
    outside the domain.
    """
    rows = np.full(system.shape[0], system.input_rows / system.shape[0]) if rows is None else rows
    return point(system, limits, rows, 0.7 * system.latency * system.macs / system.macs.sum())


def _rounds(
    system: System,
    limits: Fixed,
    here: Point,
    search: Search,
    given: Reals | None,
    gap: float,
    time_limit: float | None,
) -> tuple[str, Point]:
    """Rounds until the gap is closed, they die out, or the time is over; why, and the last
    point.
    """
    gaps: list[float] = []
    for _ in range(MOST_ROUNDS):
        shares = here.inner.beta.sum(axis=0)
        phi: float = (
            here.outer.phi
            if here.outer.phi > 0.0
            else float(shares @ here.times / here.times.sum())
        )
        search.offer(here, bound(system, here.inner.beta, phi, given, limits))
        search.note(here.energy, search.gap(), "round")
        gaps.append(search.gap())
        if gaps[-1] <= gap:
            return "", here
        if time_limit is not None and time.perf_counter() - search.started > time_limit:
            return "time limit", here
        if len(gaps) > WINDOW and gaps[-1] > PROGRESS * gaps[-1 - WINDOW]:
            return "the rounds died out", here
        following = _round(system, limits, here, shares, given)
        if following is None:
            return "the rounds left the domain", here
        here = following
    return "the round limit was reached", here


def _round(
    system: System, limits: Fixed, here: Point, shares: Reals, given: Reals | None
) -> Point | None:
    """The point after one round; None if hardly any step stays inside."""
    rows = given
    if rows is None:
        with np.errstate(divide="ignore"):  # a node whose exchanges take all its time gets no rows
            rows = rows_by_38(system, limits, here.inner, here.outer.row_price)
    times = _times(system, limits, here, rows, shares)
    if times is None:
        return None
    length = 1.0
    while length >= SHORTEST:
        trial = point(
            system,
            limits,
            here.rows + length * (rows - here.rows),
            here.times + length * (times - here.times),
            here.inner.beta,
        )
        if trial is not None:
            return trial
        length *= 0.5
    return None


def _times(system: System, limits: Fixed, here: Point, rows: Reals, shares: Reals) -> Reals | None:
    """t_n (S_n / phi)^(1/3) in s [N] with phi from (23); with one node scaled to the whole
    deadline.
    """
    pull = here.times * np.cbrt(shares)
    if system.shape[0] == 1:
        scaled: Reals = pull * (system.latency * (1.0 - 1e-12) / pull.sum())
        return scaled
    total = float(pull.sum())

    def late(phi: float) -> float:
        sent = send_time(system, rows, send_prices(system, limits, phi)[1])
        return (total / float(np.cbrt(phi)) + sent) / system.latency - 1.0

    low = (total / system.latency) ** 3  # the layers alone take the whole time
    high = 2.0 * low
    for _ in range(DOUBLINGS):
        if late(high) <= 0.0:
            result: Reals = pull / np.cbrt(root(late, low, high))
            return result
        high *= 2.0
    return None


def _with_rows_for_all(system: System, limits: Fixed, here: Point) -> Point | None:
    """`here` with a few rows for everyone, as the barrier needs all of them positive; None if that
    is outside.
    """
    equal = system.input_rows / system.shape[0]
    for share in (1e-3, 1e-5, 1e-8):
        trial = point(
            system, limits, (1.0 - share) * here.rows + share * equal, here.times, here.inner.beta
        )
        if trial is not None:
            return trial
    return None
