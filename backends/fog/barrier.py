"""Fog nodes: one Newton step of the barrier method for rows and layer times, in time linear in the
nodes.

The function is E(t, d), the optimal values of (32) and (75), minus mu times the logarithms of the
slacks s_kn = t_n - a d / v - shortest exchanges, of d_k, and of sT = tau - sum t_n - distribution
at full power; sum d is fixed. Its Hessian is a sum of c (1, -r)(1, -r)' over nodes and layers,
twice: curvature w with r = a / f, and z / s with r = a / v; of z / d on the diagonal of d; and of
two terms of rank one, (1, u) of the distribution and (1, m) of its slack. Eliminating d leaves N +
3 unknowns: t, the two terms, and the multiplier of sum d.

The multipliers z of the slacks are unknowns of their own (primal-dual), which needs far fewer steps
than mu / s where nodes run at their limits. The elimination A - B' D^-1 B cancels all digits for a
node at its limit in one layer only, so it is written as the sum of positive terms that Lagrange's
identity leaves.
"""

from dataclasses import dataclass

import numpy as np

from mecdsl.backends.fog.internal import (
    Distribution,
    Fixed,
    Internal,
    distribution,
    internal,
    row_prices,
)
from mecdsl.backends.fog.system import Reals, System


@dataclass(frozen=True, slots=True, eq=False)
class Point:
    """Rows [K] and times [N] inside the domain, the optima there, `energy` in J, and the slacks in
    s [K, N] and s.
    """

    rows: Reals
    times: Reals
    inner: Internal
    outer: Distribution
    energy: float
    slack: Reals
    spare: float

    def barrier(self, mu: float, rows_free: bool) -> float:
        """The function that a step decreases, in J."""
        logs = float(np.log(self.slack).sum()) + float(np.log(self.spare))
        if rows_free:
            logs += float(np.log(self.rows).sum())
        return self.energy - mu * logs


@dataclass(frozen=True, slots=True, eq=False)
class Duals:
    """Multipliers of the logarithms: of the slacks in W [K, N], of d in J [K], of sT in W."""

    slack: Reals
    rows: Reals
    spare: float


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """Changes of rows, times, slacks and multipliers; `beta` and `phi` predicted after the whole
    step, >= 0, in W; `slope` of the barrier function along it in J, < 0."""

    rows: Reals
    times: Reals
    slack: Reals
    spare: float
    duals: Duals
    beta: Reals
    phi: float
    slope: float


def point(
    system: System, limits: Fixed, rows: Reals, times: Reals, guess: Reals | None = None
) -> Point | None:
    """The optima at rows and times; None outside the domain."""
    slack = times - system.row_time * rows[:, None] - system.least_exchange
    left = system.latency - float(times.sum())
    spare = left - float(rows @ system.send_time) - system.least_send
    if not (np.all(slack > 0.0) and spare > 0.0 and np.all(rows >= 0.0)):
        return None
    inner = internal(system, limits, rows, times, guess)
    outer = distribution(system, limits, rows, left)
    return Point(
        rows=rows,
        times=times,
        inner=inner,
        outer=outer,
        energy=inner.value + outer.value,
        slack=slack,
        spare=spare,
    )


def duals_at(here: Point, mu: float, rows_free: bool) -> Duals:
    """mu over the slacks, the multipliers on the central path."""
    rows = mu / here.rows if rows_free else np.zeros(here.rows.shape)
    return Duals(mu / here.slack, rows, mu / here.spare)


def newton_step(system: System, here: Point, duals: Duals, mu: float, rows_free: bool) -> Step:
    """The step that solves the optimality conditions with complementarity mu to first order."""
    curvature, outer = here.inner.curvature, here.outer
    wall, wall_spare = duals.slack / here.slack, duals.spare / here.spare
    pace = np.divide(
        system.work,
        here.inner.frequency,
        out=np.zeros(system.shape),
        where=here.inner.frequency > 0.0,
    )
    force, force_spare = mu / here.slack, mu / here.spare
    time_slope = -(here.inner.beta + force).sum(axis=0) + outer.phi + force_spare
    if not rows_free:
        times = _without_rows(curvature, wall, outer.curvature + wall_spare, time_slope)
        rows = np.zeros(here.rows.shape)
        row_slope = rows
    else:
        row_slope = (row_prices(system, here.inner.beta) + force * system.row_time).sum(axis=1)
        row_slope += outer.row_price - mu / here.rows + force_spare * system.send_time
        own = duals.rows / here.rows
        rows, times = _with_rows(
            system,
            outer,
            soft=(curvature, pace),
            wall=wall,
            own=own,
            wall_spare=wall_spare,
            row_slope=row_slope,
            time_slope=time_slope,
        )
    slack = times - system.row_time * rows[:, None]
    spare = -float(times.sum()) - float(rows @ system.send_time)
    new = Duals(
        force - wall * slack - duals.slack,
        mu / here.rows - duals.rows / here.rows * rows - duals.rows if rows_free else rows,
        force_spare - wall_spare * spare - duals.spare,
    )
    beta = here.inner.beta - curvature * (times - pace * rows[:, None]) + duals.slack + new.slack
    phi = (
        outer.phi
        + outer.curvature * (float(times.sum()) + float(rows @ outer.row_time))
        + duals.spare
        + new.spare
    )
    slope = float(time_slope @ times) + float(row_slope @ rows)
    return Step(
        rows=rows,
        times=times,
        slack=slack,
        spare=spare,
        duals=new,
        beta=np.maximum(beta, 0.0),
        phi=max(phi, 0.0),
        slope=slope,
    )


def _without_rows(curvature: Reals, wall: Reals, joint: float, slope: Reals) -> Reals:
    """(diag + joint 1 1') dt = - slope, by Sherman and Morrison."""
    diagonal = (curvature + wall).sum(axis=0)
    plain, ones = slope / diagonal, 1.0 / diagonal
    result: Reals = -(plain - ones * (joint * plain.sum() / (1.0 + joint * ones.sum())))
    return result


def _with_rows(
    system: System,
    outer: Distribution,
    soft: tuple[Reals, Reals],
    wall: Reals,
    own: Reals,
    wall_spare: float,
    row_slope: Reals,
    time_slope: Reals,
) -> tuple[Reals, Reals]:
    """dd and dt of the whole system, with one step of iterative refinement."""
    (curvature, pace), hard = soft, system.row_time
    nodes, layers = system.shape
    pull = curvature * pace + wall * hard  # - B
    squares = curvature * pace**2 + wall * hard**2
    diagonal = squares.sum(axis=1) + own
    # columns of dd for dt, the two terms of rank one and the multiplier
    columns = np.concatenate(
        [-pull, outer.row_time[:, None], system.send_time[:, None], np.ones((nodes, 1))], axis=1
    )
    matrix = -(columns.T @ (columns / diagonal[:, None]))
    others = squares @ (1.0 - np.eye(layers)) + own[:, None]
    cross = curvature * wall * (pace - hard) ** 2
    matrix[range(layers), range(layers)] = (
        ((curvature + wall) * others + cross) / diagonal[:, None]
    ).sum(axis=0)
    stiff = np.array([outer.curvature, wall_spare])
    for place, weight in enumerate(stiff, start=layers):
        if weight > 0.0:
            matrix[:layers, place] += 1.0
            matrix[place, :layers] += 1.0
            matrix[place, place] -= 1.0 / weight
        else:
            matrix[place, :], matrix[:, place], matrix[place, place] = 0.0, 0.0, -1.0
            columns[:, place] = 0.0
    scale = 1.0 / np.sqrt(np.abs(np.diag(matrix)))
    scaled = matrix * scale[:, None] * scale

    def solve(of_rows: Reals, of_times: Reals, of_rest: Reals) -> tuple[Reals, Reals]:
        right = columns.T @ (of_rows / diagonal)
        right[:layers] -= of_times
        right[layers:] -= of_rest
        answer = scale * np.linalg.solve(scaled, scale * right)
        return -(of_rows + columns @ answer) / diagonal, answer

    rows, answer = solve(row_slope, time_slope, np.zeros(3))
    # the residual of the system before elimination
    total = float(answer[:layers].sum())
    of_times = time_slope + (curvature + wall).sum(axis=0) * answer[:layers] - pull.T @ rows
    of_times += sum(answer[layers + place] for place in range(2) if stiff[place] > 0.0)
    of_rows = row_slope + diagonal * rows + columns @ answer
    of_rest = columns[:, layers:].T @ rows
    for place in range(2):
        if stiff[place] > 0.0:
            of_rest[place] += total - answer[layers + place] / stiff[place]
    more, change = solve(of_rows, of_times, of_rest)
    return rows + more, answer[:layers] + change[:layers]
