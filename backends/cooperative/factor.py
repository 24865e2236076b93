"""Cooperative computing: the least factor on the latency limits that makes C10 possible.

Source: `mecdsl.backends.cooperative.system`. Tasks at a server need the factor lambda_max(sum v
v'/D^max), the largest of sum (u . v)^2 / D^max over unit vectors u. So the least factor over all
assignments is a mixed-integer linear programme in which such rows are added where they are missed.
Limits of local tasks are not stretched: a task may run locally only where D_m <= D_m^max as given.
Floors of C9 enter as sum rho y <= 1 only, so with binding floors it is a lower bound.
"""

import time
from dataclasses import dataclass

import numpy as np

from mecdsl.backends.cooperative.depths import useful_depths
from mecdsl.backends.cooperative.highs import silent_solver
from mecdsl.backends.cooperative.master import START_VECTORS, Choices, choices
from mecdsl.backends.cooperative.prices import largest_factor
from mecdsl.backends.cooperative.system import Integers, Layers, Limits, Reals, System


@dataclass(frozen=True, slots=True)
class Factor:
    """`bound`: no assignment gets by with less.

    `reached`: what the best assignment found needs, or None.
    """

    bound: float
    reached: float | None


def least_factor(
    system: System, limits: Limits, layers: Layers, seconds: float, gap: float = 1e-4
) -> Factor | None:
    """The least gamma such that offloaded tasks can meet limits gamma D^max, to a relative gap or
    as far as time goes.

    None where no assignment exists whatever the factor: a task that may not run locally reaches no
    server, or the least rates or the load limit leave no place.
    """
    deadline = time.perf_counter() + seconds
    without = Limits(limits.rate, latency=False, load=limits.load)
    allowed = system.possible(without) & useful_depths(system, layers)[None]
    wanted = choices(system, limits, layers, 1.0, allowed)
    if wanted.homeless().size:
        return None
    programme = _Programme(wanted, limits.rate, gap)
    bound, reached = 0.0, np.inf
    while True:
        point = programme.solve(deadline - time.perf_counter())
        if point.infeasible:
            return None
        bound = max(bound, point.bound)
        if point.assign is None:
            break
        needed = programme.separate(point.assign, point.factor)
        if programme.integral:
            reached = min(reached, needed)
            if reached <= bound * (1.0 + gap):
                break
        elif needed <= point.factor * (1.0 + gap):
            programme.make_integral()
    return Factor(bound, float(reached) if np.isfinite(reached) else None)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class _Point:
    """What a run has found: a lower bound, 0 if none, and where there is an optimum `assign` y [P]
    and the factor.
    """

    infeasible: bool = False
    bound: float = 0.0
    assign: Reals | None = None
    factor: float = np.inf


class _Programme:
    """The programme, held by HiGHS; it grows by rows for single vectors u.

    Columns: x_m, then y_p for each option, then the factor. Continuous at first.
    """

    def __init__(self, wanted: Choices, rate: bool, gap: float) -> None:
        self.wanted = wanted
        self.tasks, self.count = len(wanted.local), len(wanted.task)
        self.last = self.tasks + self.count  # column of the factor
        self.integral = False
        self.solver = silent_solver()
        self.solver.setOptionValue("mip_rel_gap", 0.5 * gap)
        local = np.isfinite(wanted.local).astype(np.float64)
        upper = np.concatenate([local, np.ones(self.count), [np.inf]])
        self.solver.addVars(len(upper), np.zeros(len(upper)), upper)
        self.solver.changeColCost(self.last, 1.0)
        self._rows(rate)

    def _rows(self, rate: bool) -> None:
        """C4, the load limit, the least rates, and the first vectors."""
        wanted = self.wanted
        for m in range(self.tasks):
            own = self.tasks + np.flatnonzero(wanted.task == m)
            self._row(1.0, 1.0, np.append(own, m), np.ones(len(own) + 1))
        for n in range(len(wanted.room)):
            inside = wanted.at(n)
            if np.isfinite(wanted.room[n]):
                self._row(-np.inf, wanted.room[n], self.tasks + inside, np.ones(len(inside)))
            if rate:
                self._row(-np.inf, 1.0, self.tasks + inside, wanted.demand.floor[inside])
            for vector in START_VECTORS:
                self._cut(n, vector)

    def _cut(self, server: int, vector: Reals) -> None:
        """sum (u . v)^2 / D^max over the tasks at a server is at most the factor."""
        inside = self.wanted.at(server)
        part = self.wanted.demand.part(inside)
        values = np.append((part.roots @ vector) ** 2 / part.limit, -1.0)
        self._row(-np.inf, 0.0, np.append(self.tasks + inside, self.last), values)

    def _row(self, lower: float, upper: float, columns: Integers, values: Reals) -> None:
        self.solver.addRow(
            lower, upper, len(columns), columns.astype(np.int32), values.astype(np.float64)
        )

    def solve(self, seconds: float) -> _Point:
        """Run for at most so long."""
        from highspy import HighsModelStatus

        solver = self.solver
        solver.setOptionValue("time_limit", solver.getRunTime() + max(seconds, 0.0))
        solver.run()
        status = solver.getModelStatus()
        if status == HighsModelStatus.kInfeasible:
            return _Point(infeasible=True)
        information, solution = solver.getInfo(), solver.getSolution()
        done = status == HighsModelStatus.kOptimal
        bound = 0.0
        if self.integral:
            bound = float(information.mip_dual_bound)
        elif done:
            bound = float(information.objective_function_value)
        if not done or not solution.value_valid:
            return _Point(bound=bound)
        values = np.array(solution.col_value)
        assign = np.clip(values[self.tasks : self.last], 0.0, 1.0)
        if self.integral:
            assign = np.round(assign)
        return _Point(bound=bound, assign=assign, factor=float(values[self.last]))

    def separate(self, assign: Reals, factor: float) -> float:
        """Add the rows that an assignment misses at a factor; the factor that it needs."""
        worst = 0.0
        for n in range(len(self.wanted.room)):
            inside = self.wanted.at(n)
            needed, vector = largest_factor(self.wanted.demand.part(inside), assign[inside])
            worst = max(worst, needed)
            if needed > factor:
                self._cut(n, vector)
        return worst

    def make_integral(self) -> None:
        """From now on x and y are binary."""
        from highspy import HighsVarType

        self.integral = True
        columns = np.arange(self.last, dtype=np.int32)
        kinds = np.full(self.last, int(HighsVarType.kInteger), dtype=np.uint8)
        self.solver.changeColsIntegrality(self.last, columns, kinds)
