"""Cooperative computing: the relaxation (27) of the paper, corrected, at given depths.

Source: `mecdsl.backends.cooperative.system`; equations (23)-(27). For every pair and resource iota
= 1/(share + eps) and phi = x iota, relaxed by the four rows (24)-(26). Corrections: the objective
has `phi`, not `x phi`, which would be bilinear; C4 without x_m is sum_n x <= 1; C9 is phi <= x /
rho, linear, instead of the nonconvex row in iota.

The value lies below that of (19) at the same depths: shares that sum to 1 give shares + eps that
sum to 1 + M eps. For small eps it ignores sharing: phi >= iota - (1 - x)/eps acts only for x > 1 -
eps iota, and moving about M eps of x elsewhere switches it off.

The only rows that are not linear are C11-C13, sum 1/iota <= 1 + M eps. HiGHS solves a linear
programme in which every 1/iota is its own column above tangents; tangents are added where they are
missed until the rows hold. This proves infeasibility and needs no start; CVX, which the paper used,
is an interior-point method and may return other iota, which are not unique.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from mecdsl.backends.cooperative.highs import silent_solver
from mecdsl.backends.cooperative.system import Flags, Integers, Limits, Reals, System
from mecdsl.backends.shared.record import Record
from mecdsl.solution import Iteration

MOST_ROUNDS = 60
# relative; HiGHS keeps each of the many rows of a server to 1e-9, so their sum no better than this
MISSED = 1e-7
# What to try where HiGHS ends with "Unknown", as at 1 of 50 draws for eps <= 1e-4 when it goes on
# from the last basis: option, value, usual value; the first is a cold start alone.
OTHER_WAYS = (
    ("solver", "choose", "choose"),
    ("simplex_strategy", 4, 1),
    ("solver", "ipm", "choose"),
)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Relaxation:
    """`assign` x [M, N] and `inverse` iota, nu, phi of the three resources [M, N, 3], None where
    infeasible.

    `value` in s, a lower bound on (19) at these depths, and so is the bound of every iteration;
    `residual`: by how much C11-C13 are missed, relative. `infeasible`: proven, for these depths.
    `message`: what the solver said where there is neither.
    """

    assign: Reals | None
    inverse: Reals | None
    value: float | None
    residual: float
    infeasible: bool
    iterations: tuple[Iteration, ...]
    message: str = ""


def relax(system: System, depth: Integers, pairs: Flags, limits: Limits, eps: float) -> Relaxation:
    """Solve (27) at depth[n] (1-based) with x = 0 outside `pairs` [M, N]; C9 and C10 as far as they
    are on.

    Raises ValueError unless 0 < eps < 1.
    """
    if not 0.0 < eps < 1.0:
        raise ValueError(f"expected 0 < eps < 1, found {eps!r}")
    if not pairs.any():
        return _all_local(system, pairs, limits, eps)
    return _Programme(system, depth, pairs, limits, eps).run()


def _all_local(system: System, pairs: Flags, limits: Limits, eps: float) -> Relaxation:
    """Without pairs there is nothing to solve, and HiGHS does not look at rows without columns."""
    if not system.possible_local(limits).all():
        return Relaxation(
            assign=None, inverse=None, value=None, residual=0.0, infeasible=True, iterations=()
        )
    inverse = np.full((*pairs.shape, 3), 1.0 / eps)
    return Relaxation(
        assign=np.zeros(pairs.shape),
        inverse=inverse,
        value=float(system.local_latency.sum()),
        residual=0.0,
        infeasible=False,
        iterations=(),
    )


class _Programme:
    """The linear programme and its tangents; columns are x, then phi, iota, share + eps of each
    pair and resource.
    """

    def __init__(
        self, system: System, depth: Integers, pairs: Flags, limits: Limits, eps: float
    ) -> None:
        self.system, self.eps, self.record = system, eps, Record()
        self.task, self.server = np.nonzero(pairs)
        self.pairs = pairs
        self.count = len(self.task)
        layer = depth[self.server] - 1
        self.times = np.stack(
            [
                system.send_time[self.task, self.server],
                system.compute_time[self.task, self.server, layer],
                system.forward_time[self.task, self.server, layer],
            ],
            axis=1,
        )
        self.local = np.where(np.isfinite(system.local_latency), system.local_latency, 0.0)
        self.must_leave = ~np.isfinite(system.local_latency)
        self.solver = self._solver()
        self._assignment_rows()
        self._product_rows()
        self._budget_rows()
        self._limit_rows(limits)
        self._tangents(np.tile([eps, eps**0.5, 1.0], (3 * self.count, 1)))

    def run(self) -> Relaxation:
        from highspy import HighsModelStatus

        residual = np.inf
        for _ in range(MOST_ROUNDS):
            status = self._status()
            if status == HighsModelStatus.kInfeasible:
                return Relaxation(
                    assign=None,
                    inverse=None,
                    value=None,
                    residual=residual,
                    infeasible=True,
                    iterations=self.record.steps,
                )
            if status != HighsModelStatus.kOptimal:
                text = f"HiGHS: {self.solver.modelStatusToString(status)}"
                return Relaxation(
                    assign=None,
                    inverse=None,
                    value=None,
                    residual=residual,
                    infeasible=False,
                    iterations=self.record.steps,
                    message=text,
                )
            point = np.array(self.solver.getSolution().col_value)
            value = self.solver.getInfo().objective_function_value + float(self.local.sum())
            inverse = point[self._iota()].reshape(self.count, 3)
            residual = self._missed(inverse)
            self.record.note(bound=value, residual=residual, note="relaxation (27)")
            share = point[self._share()].reshape(self.count, 3)
            low = share < (1.0 - MISSED) / inverse
            if residual <= MISSED or not low.any():
                break
            self._tangents(np.where(low, 1.0 / inverse, np.nan).reshape(-1, 1))
        assign = np.zeros(self.pairs.shape)
        assign[self.task, self.server] = np.clip(point[: self.count], 0.0, 1.0)
        full = np.full((*self.pairs.shape, 3), 1.0 / self.eps)
        full[self.task, self.server] = inverse
        return Relaxation(
            assign=assign,
            inverse=full,
            value=value,
            residual=residual,
            infeasible=False,
            iterations=self.record.steps,
        )

    def _status(self) -> Any:
        """HiGHS's status after a solve from the last basis, or from nothing where that leads to no
        answer.
        """
        from highspy import HighsModelStatus

        self.solver.run()
        for name, value, usual in OTHER_WAYS:
            if self.solver.getModelStatus() in (
                HighsModelStatus.kOptimal,
                HighsModelStatus.kInfeasible,
            ):
                break
            self.solver.clearSolver()
            self.solver.setOptionValue(name, value)
            self.solver.run()
            self.solver.setOptionValue(name, usual)
        return self.solver.getModelStatus()

    def _solver(self) -> Any:
        count, eps = self.count, self.eps
        solver = silent_solver()
        for name in ("primal_feasibility_tolerance", "dual_feasibility_tolerance"):
            solver.setOptionValue(name, 1e-9)
        low, high = 1.0 / (1.0 + eps), 1.0 / eps
        lower = np.concatenate(
            [np.zeros(4 * count), np.full(3 * count, low), np.full(3 * count, eps)]
        )
        upper = np.concatenate(
            [np.ones(count), np.full(6 * count, high), np.full(3 * count, 1.0 + eps)]
        )
        solver.addVars(10 * count, lower, upper)
        cost = np.concatenate([-self.local[self.task], self.times.ravel()])
        solver.changeColsCost(4 * count, np.arange(4 * count, dtype=np.int32), cost)
        return solver

    def _phi(self) -> Integers:
        return self.count + np.arange(3 * self.count)

    def _iota(self) -> Integers:
        return 4 * self.count + np.arange(3 * self.count)

    def _share(self) -> Integers:
        return 7 * self.count + np.arange(3 * self.count)

    def _assignment_rows(self) -> None:
        """C4; a task that cannot run locally at all must leave."""
        for m in range(len(self.local)):
            columns = np.flatnonzero(self.task == m)
            self._row(1.0 if self.must_leave[m] else -np.inf, 1.0, columns, np.ones(len(columns)))

    def _product_rows(self) -> None:
        """(24)-(26); rows with 1/eps are multiplied by eps."""
        low, eps = 1.0 / (1.0 + self.eps), self.eps
        x = np.repeat(np.arange(self.count), 3)
        phi, iota = self._phi(), self._iota()
        size = len(phi)
        infinite = np.full(size, np.inf)
        self._rows(np.zeros(size), infinite, [x, phi], [-low, 1.0])
        self._rows(np.full(size, low), infinite, [iota, phi, x], [1.0, -1.0, low])
        self._rows(np.zeros(size), infinite, [x, phi], [1.0, -eps])
        self._rows(np.full(size, -1.0), infinite, [iota, x, phi], [-eps, -1.0, eps])

    def _budget_rows(self) -> None:
        """C11-C13; a pair that is not in the programme keeps iota = 1/eps and takes eps."""
        for n in range(self.pairs.shape[1]):
            inside = np.flatnonzero(self.server == n)
            for resource in range(3):
                columns = self._share()[3 * inside + resource]
                self._row(-np.inf, 1.0 + len(inside) * self.eps, columns, np.ones(len(inside)))

    def _limit_rows(self, limits: Limits) -> None:
        """C9 as phi <= x / rho and C10, both linear."""
        system = self.system
        if limits.rate:
            floor = system.rate_share[self.task, self.server]
            part = np.flatnonzero(floor > 0.0)
            phi = self._phi()[3 * part]
            self._rows(
                np.zeros(len(part)), np.full(len(part), np.inf), [part, phi], [1.0, -floor[part]]
            )
        if limits.latency:
            for m in range(len(self.local)):
                columns = np.flatnonzero(self.task == m)
                phi = (self._phi().reshape(-1, 3)[columns]).ravel()
                values = np.concatenate(
                    [np.full(len(columns), -self.local[m]), self.times[columns].ravel()]
                )
                self._row(
                    -np.inf,
                    system.max_latency[m] - self.local[m],
                    np.concatenate([columns, phi]),
                    values,
                )

    def _tangents(self, points: Reals) -> None:
        """share + eps >= 2 g - g^2 iota at each share g, [3 * count, any], NaN where there is
        none.
        """
        which, column = np.nonzero(np.isfinite(points))
        slope = points[which, column]
        rows = [self._share()[which], self._iota()[which]]
        self._rows(2.0 * slope, np.full(len(which), np.inf), rows, [1.0, slope**2])

    def _missed(self, inverse: Reals) -> float:
        worst = 0.0
        for n in range(self.pairs.shape[1]):
            inside = self.server == n
            limit = 1.0 + inside.sum() * self.eps
            worst = max(
                worst, float(((1.0 / inverse[inside]).sum(axis=0) / limit - 1.0).max(initial=0.0))
            )
        return worst

    def _row(self, lower: float, upper: float, columns: Integers, values: Reals) -> None:
        self.solver.addRow(lower, upper, len(columns), columns.astype(np.int32), values)

    def _rows(
        self, lower: Reals, upper: Reals, columns: list[Integers], values: list[Reals | float]
    ) -> None:
        """Rows that have one entry in each of the column lists."""
        size = len(lower)
        entries = np.stack([np.broadcast_to(value, size) for value in values], axis=1).ravel()
        starts = np.arange(size, dtype=np.int32) * len(columns)
        index = np.stack(columns, axis=1).ravel().astype(np.int32)
        if size:
            self.solver.addRows(size, lower, upper, len(index), starts, index, entries)
