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
    terms = _Terms.at(system, here, duals, mu, rows_free)
    outer = here.outer
    if rows_free:
        rows, times = _Eliminated.of(system, outer, terms).solution()
    else:
        joint = outer.curvature + terms.wall_spare
        times = _without_rows(terms.curvature, terms.wall, joint, terms.time_slope)
        rows = np.zeros(here.rows.shape)
    slack = times - system.row_time * rows[:, None]
    spare = -float(times.sum()) - float(rows @ system.send_time)
    new = Duals(
        terms.force - terms.wall * slack - duals.slack,
        terms.force_rows - terms.own * rows - duals.rows,
        terms.force_spare - terms.wall_spare * spare - duals.spare,
    )
    beta = here.inner.beta - terms.curvature * (times - terms.pace * rows[:, None])
    beta = beta + duals.slack + new.slack
    turned = outer.curvature * (float(times.sum()) + float(rows @ outer.row_time))
    phi = outer.phi + turned + duals.spare + new.spare
    return Step(
        rows=rows,
        times=times,
        slack=slack,
        spare=spare,
        duals=new,
        beta=np.maximum(beta, 0.0),
        phi=max(phi, 0.0),
        slope=float(terms.time_slope @ times) + float(terms.row_slope @ rows),
    )


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Terms:
    """The Hessian and the gradient of the barrier function at a point, term by term.

    Of nodes and layers [K, N]: `curvature` w with `pace` a / f, `wall` z / s, `force` mu / s; of
    nodes [K]: `own` z / d and `force_rows` mu / d, both 0 where the rows are given; of sT:
    `wall_spare` and `force_spare`. `row_slope` [K], `time_slope` [N]: the gradient.
    """

    curvature: Reals
    pace: Reals
    wall: Reals
    force: Reals
    own: Reals
    force_rows: Reals
    wall_spare: float
    force_spare: float
    row_slope: Reals
    time_slope: Reals

    @staticmethod
    def at(system: System, here: Point, duals: Duals, mu: float, rows_free: bool) -> "_Terms":
        """Those at a point and multipliers, with complementarity mu."""
        inner, outer = here.inner, here.outer
        pace = np.divide(
            system.work,
            inner.frequency,
            out=np.zeros(system.shape),
            where=inner.frequency > 0.0,
        )
        force, force_spare = mu / here.slack, mu / here.spare
        own = force_rows = row_slope = np.zeros(here.rows.shape)
        if rows_free:
            own, force_rows = duals.rows / here.rows, mu / here.rows
            row_slope = (row_prices(system, inner.beta) + force * system.row_time).sum(axis=1)
            row_slope += outer.row_price - force_rows + force_spare * system.send_time
        return _Terms(
            curvature=inner.curvature,
            pace=pace,
            wall=duals.slack / here.slack,
            force=force,
            own=own,
            force_rows=force_rows,
            wall_spare=duals.spare / here.spare,
            force_spare=force_spare,
            row_slope=row_slope,
            time_slope=-(inner.beta + force).sum(axis=0) + outer.phi + force_spare,
        )


def _without_rows(curvature: Reals, wall: Reals, joint: float, slope: Reals) -> Reals:
    """(diag + joint 1 1') dt = - slope, by Sherman and Morrison."""
    diagonal = (curvature + wall).sum(axis=0)
    plain, ones = slope / diagonal, 1.0 / diagonal
    result: Reals = -(plain - ones * (joint * plain.sum() / (1.0 + joint * ones.sum())))
    return result


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Eliminated:
    """The system without dd: dt, the two terms of rank one, and the multiplier of sum d.

    `diagonal` [K] of d, `pull` [K, N]: -B, `columns` [K, N + 3] of d for the unknowns that are
    left, `stiff`: weights of the terms of rank one; one without weight has neither row nor column.
    `matrix` [N + 3, N + 3] is scaled to a diagonal of 1 and -1 by `scale`.
    """

    terms: _Terms
    diagonal: Reals
    pull: Reals
    columns: Reals
    stiff: Reals
    matrix: Reals
    scale: Reals

    @staticmethod
    def of(system: System, outer: Distribution, terms: _Terms) -> "_Eliminated":
        """The system of a step."""
        curvature, pace, wall, hard = terms.curvature, terms.pace, terms.wall, system.row_time
        nodes, layers = system.shape
        pull = curvature * pace + wall * hard
        squares = curvature * pace**2 + wall * hard**2
        diagonal = squares.sum(axis=1) + terms.own
        columns = np.concatenate(
            [-pull, outer.row_time[:, None], system.send_time[:, None], np.ones((nodes, 1))], axis=1
        )
        matrix = -(columns.T @ (columns / diagonal[:, None]))
        # the sum of positive terms in place of A - B' D^-1 B
        others = squares @ (1.0 - np.eye(layers)) + terms.own[:, None]
        cross = curvature * wall * (pace - hard) ** 2
        matrix[range(layers), range(layers)] = (
            ((curvature + wall) * others + cross) / diagonal[:, None]
        ).sum(axis=0)
        stiff = np.array([outer.curvature, terms.wall_spare])
        _join_rank_one(matrix, columns, stiff)
        scale = 1.0 / np.sqrt(np.abs(np.diag(matrix)))
        return _Eliminated(
            terms=terms,
            diagonal=diagonal,
            pull=pull,
            columns=columns,
            stiff=stiff,
            matrix=matrix * scale[:, None] * scale,
            scale=scale,
        )

    def solution(self) -> tuple[Reals, Reals]:
        """dd and dt, with one step of iterative refinement."""
        terms, layers = self.terms, self.pull.shape[1]
        rows, answer = self._solve(terms.row_slope, terms.time_slope, np.zeros(3))
        more, change = self._solve(*self._residual(rows, answer))
        return rows + more, answer[:layers] + change[:layers]

    def _solve(self, of_rows: Reals, of_times: Reals, of_rest: Reals) -> tuple[Reals, Reals]:
        """dd and the unknowns that are left, for a gradient."""
        layers = self.pull.shape[1]
        right = self.columns.T @ (of_rows / self.diagonal)
        right[:layers] -= of_times
        right[layers:] -= of_rest
        answer = self.scale * np.linalg.solve(self.matrix, self.scale * right)
        return -(of_rows + self.columns @ answer) / self.diagonal, answer

    def _residual(self, rows: Reals, answer: Reals) -> tuple[Reals, Reals, Reals]:
        """What a solution leaves of the system before elimination, for d, t and the rest."""
        terms, layers = self.terms, self.pull.shape[1]
        stiffness = (terms.curvature + terms.wall).sum(axis=0)
        of_times = terms.time_slope + stiffness * answer[:layers] - self.pull.T @ rows
        of_times += sum(answer[layers + place] for place in range(2) if self.stiff[place] > 0.0)
        of_rows = terms.row_slope + self.diagonal * rows + self.columns @ answer
        of_rest = self.columns[:, layers:].T @ rows
        total = float(answer[:layers].sum())
        for place in range(2):
            if self.stiff[place] > 0.0:
                of_rest[place] += total - answer[layers + place] / self.stiff[place]
        return of_rows, of_times, of_rest


def _join_rank_one(matrix: Reals, columns: Reals, stiff: Reals) -> None:
    """Write the terms of rank one into the matrix after elimination, and take out those without
    weight, there and among the columns.
    """
    layers = len(matrix) - 3
    for place, weight in enumerate(stiff, start=layers):
        if weight > 0.0:
            matrix[:layers, place] += 1.0
            matrix[place, :layers] += 1.0
            matrix[place, place] -= 1.0 / weight
        else:
            matrix[place, :], matrix[:, place], matrix[place, place] = 0.0, 0.0, -1.0
            columns[:, place] = 0.0
