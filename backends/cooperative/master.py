"""Cooperative computing: the master problem of `cooperative-exact`, a mixed-integer linear
programme held by HiGHS.

Source: `mecdsl.backends.cooperative.system`. Columns: x_m, then y_p for each option p = (task,
server, depth), t_n the cost of a server, s_nj = sum of roots there, q_nj >= s_nj^2. Rows: C4, the
load limit, sum rho y <= 1, t_n >= sum_j q_nj (the square form, a lower bound in all forms),
tangents of q, and cuts linear in y from three prices (`mecdsl.backends.cooperative.prices`). One
tangent in each of 3N scalars says more than a cut of their sum, and HiGHS solves a MILP far faster
than a generic solver the MIQP; a specialised branch and bound is not needed, because the continuous
relaxation sees sharing and is within about 0.2 % of the optimum, so that reduced costs fix most
options.
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any

import numpy as np

from mecdsl.backends.cooperative.depths import options
from mecdsl.backends.cooperative.highs import silent_solver
from mecdsl.backends.cooperative.prices import Demand, certificate, coefficients
from mecdsl.backends.cooperative.system import LOCAL, Flags, Integers, Layers, Limits, Reals, System

TOLERANCES = (
    "primal_feasibility_tolerance",
    "dual_feasibility_tolerance",
    "mip_feasibility_tolerance",
)
START_VECTORS = np.vstack([np.eye(3), np.full((1, 3), 3**-0.5)])


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Choices:
    """What may be chosen, times multiplied by a factor, options sorted by server.

    `local` D_m [M], infinite where a task may not run locally; per option [P] `task`, `server`,
    `depth` (1-based) and `demand`; `room` [N] tasks, infinite without load limit. `factor` of the
    times: a branch-and-bound solver has absolute tolerances, so that the objective should be near
    1000.
    """

    local: Reals
    task: Integers
    server: Integers
    depth: Integers
    demand: Demand
    room: Reals
    factor: float

    def at(self, server: int) -> Integers:
        """The options of a server."""
        return np.flatnonzero(self.server == server)

    def homeless(self) -> Integers:
        """Tasks without any option."""
        placed = np.isfinite(self.local)
        placed[self.task] = True
        return np.flatnonzero(~placed)


def choices(
    system: System, limits: Limits, layers: Layers, factor: float, allowed: Flags | None = None
) -> Choices:
    """The options of a system; `allowed` [M, N, K] replaces those that are possible alone and of
    use.
    """
    chosen = options(system, limits, layers) if allowed is None else allowed
    server, task, layer = np.nonzero(chosen.transpose(1, 0, 2))
    count = len(task)
    demand = Demand(
        system.roots()[task, server, layer] * np.sqrt(factor),
        system.max_latency[task] * factor if limits.latency else np.full(count, np.inf),
        system.rate_share[task, server] if limits.rate else np.zeros(count),
    )
    local = np.where(system.possible_local(limits), system.local_latency * factor, np.inf)
    room = np.floor(system.max_tasks) if limits.load else np.full(len(system.bandwidth), np.inf)
    return Choices(
        local=local,
        task=task,
        server=server,
        depth=layer + 1,
        demand=demand,
        room=room,
        factor=factor,
    )


class Outcome(Enum):
    """How a run of the master ended."""

    OPTIMAL = "optimal"
    INFEASIBLE = "infeasible"
    TIME_LIMIT = "time limit"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Answer:
    """One run: `assign` y [P] and `cost` t [N] where there is a point, a lower bound, reduced costs
    of x and y.
    """

    outcome: Outcome
    bound: float
    assign: Reals | None = None
    cost: Reals | None = None
    reduced: Reals | None = None
    nodes: int = 0
    message: str = ""


class Master:
    """The programme; grows by cuts. All numbers in scaled seconds.

    The incumbent is not handed to HiGHS: version 1.16 may take a start whose reduced problem is a
    single point for one of cost 0 and call that optimal. Reduced costs have used the incumbent
    before.
    """

    def __init__(self, wanted: Choices, threads: int | None) -> None:
        self.choices = wanted
        self.tasks, self.servers = len(wanted.local), len(wanted.room)
        self.first = self.tasks  # column of the first option
        self.first_cost = self.first + len(wanted.task)
        self.first_sum = self.first_cost + self.servers
        self.first_square = self.first_sum + 3 * self.servers
        self.solver = silent_solver()
        if threads is not None:
            self.solver.setOptionValue("threads", threads)
        self._columns()
        self._rows()

    def solve(self, seconds: float, gap: float, integral: bool) -> Answer:
        """Run as a linear programme or as it is; `gap` is relative."""
        from highspy import HighsModelStatus

        status = self._run(seconds, gap)
        if status == HighsModelStatus.kInfeasible:
            return Answer(outcome=Outcome.INFEASIBLE, bound=np.inf)
        text = f"HiGHS: {self.solver.modelStatusToString(status)}"
        if status == HighsModelStatus.kOptimal:
            return self._answer(Outcome.OPTIMAL, integral, text)
        if status != HighsModelStatus.kTimeLimit:
            return Answer(outcome=Outcome.FAILED, bound=-np.inf, message=text)
        if integral:
            return self._answer(Outcome.TIME_LIMIT, integral, text)
        return Answer(outcome=Outcome.TIME_LIMIT, bound=-np.inf, message=text)

    def _run(self, seconds: float, gap: float) -> Any:
        """Run HiGHS; how it ended."""
        from highspy import HighsModelStatus

        solver = self.solver
        solver.setOptionValue("time_limit", solver.getRunTime() + max(seconds, 0.0))
        solver.setOptionValue("mip_rel_gap", gap)
        solver.setOptionValue("mip_abs_gap", 1e-9)
        # HiGHS 1.16 calls a finished search a solve error where its point misses the tolerance by
        # rounding, as with a violation of 1.00002e-9; another tolerance leads to another point
        for tolerance in (1e-9, 2e-9, 5e-10, 7e-9):
            for name in TOLERANCES:
                solver.setOptionValue(name, tolerance)
            solver.run()
            if solver.getModelStatus() != HighsModelStatus.kSolveError:
                break
        return solver.getModelStatus()

    def _answer(self, outcome: Outcome, integral: bool, message: str) -> Answer:
        """What the last run has proven and found."""
        information, solution = self.solver.getInfo(), self.solver.getSolution()
        bound = information.mip_dual_bound if integral else information.objective_function_value
        proven = Answer(
            outcome=outcome,
            bound=float(bound),
            nodes=max(int(information.mip_node_count), 0),
            message=message,
        )
        if not solution.value_valid:
            return proven
        point = np.array(solution.col_value)
        return replace(
            proven,
            assign=np.clip(point[self.first : self.first_cost], 0.0, 1.0),
            cost=point[self.first_cost : self.first_sum],
            reduced=None if integral else np.array(solution.col_dual)[: self.first_cost],
        )

    def fix(self, reduced: Reals, spare: float) -> int:
        """Forbid the options and local runs whose reduced cost exceeds `spare`; how many."""
        columns = np.flatnonzero(reduced > spare).astype(np.int32)
        if columns.size:
            zeros = np.zeros(columns.size)
            self.solver.changeColsBounds(columns.size, columns, zeros, zeros)
        return int(columns.size)

    def make_integral(self) -> None:
        """From now on x and y are binary."""
        from highspy import HighsVarType

        columns = np.arange(self.first_cost, dtype=np.int32)
        kinds = np.full(columns.size, int(HighsVarType.kInteger), dtype=np.uint8)
        self.solver.changeColsIntegrality(columns.size, columns, kinds)

    def tangent(self, server: int, totals: Reals) -> None:
        """q_nj >= 2 s0 s_nj - s0^2 at the totals s0 [3] of a server."""
        for resource in range(3):
            column = 3 * server + resource
            slope = float(totals[resource])
            columns = np.array([self.first_square + column, self.first_sum + column])
            self._row(-slope * slope, np.inf, columns, np.array([1.0, -2.0 * slope]))

    def cost_cut(self, server: int, prices: Reals) -> None:
        """t_n >= h(p) . y - |p|^2."""
        inside = self.choices.at(server)
        values = -coefficients(self.choices.demand.part(inside), prices)
        columns = np.append(self.first + inside, self.first_cost + server)
        self._row(-float(prices @ prices), np.inf, columns, np.append(values, 1.0))

    def feasibility_cut(self, server: int, prices: Reals) -> None:
        """h0(p) . y <= |p|^2."""
        inside = self.choices.at(server)
        values = certificate(self.choices.demand.part(inside), prices)
        self._row(-np.inf, float(prices @ prices), self.first + inside, values)

    def forbid(self, chosen: Integers) -> None:
        """These options never all together: sum (1 - y) >= 1."""
        self._row(-np.inf, len(chosen) - 1.0, self.first + chosen, np.ones(len(chosen)))

    def set_cut(self, server: int, chosen: Integers, cost: float) -> None:
        """t_n >= cost (1 - sum over the set of (1 - y)); valid, since a further task never lowers a
        server's cost.
        """
        columns = np.append(self.first + chosen, self.first_cost + server)
        values = np.append(np.full(len(chosen), -cost), 1.0)
        self._row(cost * (1.0 - len(chosen)), np.inf, columns, values)

    def _columns(self) -> None:
        free = self.servers * 7
        local = np.isfinite(self.choices.local)
        upper = np.concatenate(
            [local.astype(np.float64), np.ones(len(self.choices.task)), np.full(free, np.inf)]
        )
        self.solver.addVars(len(upper), np.zeros(len(upper)), upper)
        cost = np.concatenate(
            [np.where(local, self.choices.local, 0.0), np.zeros(len(self.choices.task))]
        )
        cost = np.concatenate([cost, np.ones(self.servers), np.zeros(6 * self.servers)])
        self.solver.changeColsCost(len(cost), np.arange(len(cost), dtype=np.int32), cost)

    def _rows(self) -> None:
        wanted = self.choices
        for m in range(self.tasks):
            own = np.flatnonzero(wanted.task == m)
            self._row(1.0, 1.0, np.append(self.first + own, m), np.ones(len(own) + 1))
        for n in range(self.servers):
            inside = wanted.at(n)
            part = wanted.demand.part(inside)
            if np.isfinite(wanted.room[n]):
                self._row(-np.inf, wanted.room[n], self.first + inside, np.ones(len(inside)))
            for resource in range(3):
                columns = np.append(self.first + inside, self.first_sum + 3 * n + resource)
                self._row(0.0, 0.0, columns, np.append(part.roots[:, resource], -1.0))
            squares = self.first_square + 3 * n + np.arange(3)
            self._row(
                0.0,
                np.inf,
                np.append(squares, self.first_cost + n),
                np.array([-1.0, -1.0, -1.0, 1.0]),
            )
            if np.isfinite(part.limit).any():
                for vector in START_VECTORS:
                    self.feasibility_cut(n, vector)
            elif np.any(part.floor > 0.0):
                self.feasibility_cut(n, START_VECTORS[0])

    def _row(self, lower: float, upper: float, columns: Integers, values: Reals) -> None:
        kept = values != 0.0
        self.solver.addRow(
            lower, upper, int(kept.sum()), columns[kept].astype(np.int32), values[kept]
        )


def places_of(wanted: Choices, chosen: Integers) -> tuple[Integers, Integers]:
    """Server and depth [M] of chosen options."""
    server = np.full(len(wanted.local), LOCAL, dtype=np.int64)
    depth = np.zeros(len(wanted.local), dtype=np.int64)
    server[wanted.task[chosen]] = wanted.server[chosen]
    depth[wanted.task[chosen]] = wanted.depth[chosen]
    return server, depth
