"""Fog nodes: the best rows for given layer times, and the best layer times for given rows.

The two steps of the paper's Algorithm 1 in its reading `alternating`. Times are those of
`fog-newton` with given rows. Rows minimise the optimal values of (32) and (75) at fixed times by a
primal-dual barrier method in d alone, whose Hessian is diagonal plus the terms of rank one of the
distribution and of its slack.
"""

import numpy as np

from mecdsl.backends.fog.barrier import Duals, Point, duals_at, point
from mecdsl.backends.fog.internal import Fixed, row_prices
from mecdsl.backends.fog.newton import newton
from mecdsl.backends.fog.system import Reals, System

FRACTION = 0.98  # of the way to the boundary
CUT = 0.1
LEAST = 1e-12  # of the energy: the last mu times the number of logarithms
MOST_INNER, MOST_STEPS = 6, 200
GAP = 1e-10


def best_times(system: System, rows: Reals) -> Reals:
    """Layer times [N] in s of least energy for rows [K] inside the domain."""
    plan = newton(system, rows, GAP)
    if plan.layer_time is None:
        raise ValueError(plan.message)
    return plan.layer_time


def best_rows(system: System, limits: Fixed, here: Point) -> Reals:
    """Rows [K] of least energy at the layer times of `here`, strictly inside the domain."""
    if len(here.rows) == 1:
        return here.rows
    floor = 1e-9 * system.input_rows / len(here.rows)
    mixed = np.maximum(here.rows, floor)  # the logarithm needs d > 0
    start = point(system, limits, mixed * (system.input_rows / mixed.sum()), here.times)
    here = start if start is not None else here
    logs = here.slack.size + here.rows.size + 1
    mu, inner = 1e-3 * here.energy / logs, 0
    duals = duals_at(here, mu, True)
    for _ in range(MOST_STEPS):
        moved = _step(system, limits, here, duals, mu)
        inner += 1
        if moved is not None:
            here, duals, settled = moved
        if moved is None or settled or inner >= MOST_INNER:
            if mu <= LEAST * here.energy / logs:
                break
            mu, inner = CUT * mu, 0
    return here.rows


def _step(
    system: System, limits: Fixed, here: Point, duals: Duals, mu: float
) -> tuple[Point, Duals, bool] | None:
    """One step towards complementarity mu, and whether it was long and small enough to cut mu; None
    where the barrier function cannot fall any more."""
    pace = np.divide(
        system.work,
        here.inner.frequency,
        out=np.zeros(system.shape),
        where=here.inner.frequency > 0.0,
    )
    slope = (row_prices(system, here.inner.beta) + mu / here.slack * system.row_time).sum(axis=1)
    slope += here.outer.row_price - mu / here.rows + mu / here.spare * system.send_time
    wall = duals.slack / here.slack
    diagonal = (here.inner.curvature * pace**2 + wall * system.row_time**2).sum(
        axis=1
    ) + duals.rows / here.rows
    rows = _solved(system, here, slope, diagonal, duals.spare / here.spare)
    fall = float(slope @ rows)
    if not -fall > 1e-3 * LEAST * here.energy:
        return None
    slack, spare = -system.row_time * rows[:, None], -float(rows @ system.send_time)
    change = Duals(
        mu / here.slack - wall * slack - duals.slack,
        mu / here.rows - duals.rows / here.rows * rows - duals.rows,
        mu / here.spare - duals.spare / here.spare * spare - duals.spare,
    )
    length = min(1.0, _longest(here.rows, rows), _longest(here.slack, slack))
    length = min(length, _longest(np.array([here.spare]), np.array([spare])))
    value = here.barrier(mu, True)
    rounding = 1e-14 * abs(value)
    while length > 1e-8:
        trial = point(system, limits, here.rows + length * rows, here.times, here.inner.beta)
        if trial is not None and trial.barrier(mu, True) <= value + 1e-4 * length * fall + rounding:
            small = -fall <= 0.5 * mu * (here.slack.size + len(rows) + 1)
            return trial, _moved(duals, change, duals_at(trial, mu, True)), small and length > 0.5
        length *= 0.5
    return None


def _solved(system: System, here: Point, slope: Reals, diagonal: Reals, wall_spare: float) -> Reals:
    """dd with (diagonal + C W C') dd + lambda = - slope and sum dd = 0, by the three unknowns of C'
    dd.
    """
    columns = np.stack([here.outer.row_time, system.send_time, np.ones(len(slope))], axis=1)
    weights = np.array([here.outer.curvature, wall_spare])
    matrix = columns.T @ (columns / diagonal[:, None])
    matrix[:2] *= weights[:, None]
    matrix[:2, :2] += np.eye(2)
    right = -columns.T @ (slope / diagonal)
    right[:2] *= weights
    result: Reals = -(slope + columns @ np.linalg.solve(matrix, right)) / diagonal
    return result


def _moved(duals: Duals, change: Duals, centre: Duals) -> Duals:
    """Multipliers after their own step, kept within a factor of the central path."""
    length = min(1.0, _longest(duals.slack, change.slack), _longest(duals.rows, change.rows))
    length = min(length, _longest(np.array([duals.spare]), np.array([change.spare])))
    slack = np.clip(duals.slack + length * change.slack, 1e-8 * centre.slack, 1e8 * centre.slack)
    rows = np.clip(duals.rows + length * change.rows, 1e-8 * centre.rows, 1e8 * centre.rows)
    spare = min(max(duals.spare + length * change.spare, 1e-8 * centre.spare), 1e8 * centre.spare)
    return Duals(slack, rows, spare)


def _longest(value: Reals, change: Reals) -> float:
    """How far a step may go so that `FRACTION` of the way to zero is not exceeded."""
    ratio = np.divide(-change, value, out=np.zeros(value.shape), where=change < 0.0)
    most = float(ratio.max(initial=0.0))
    return FRACTION / most if most > FRACTION else 1.0
