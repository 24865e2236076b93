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
from mecdsl.backends.cooperative.master import START_VECTORS, choices
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
    from highspy import HighsModelStatus, HighsVarType

    deadline = time.perf_counter() + seconds
    without = Limits(limits.rate, latency=False, load=limits.load)
    allowed = system.possible(without) & useful_depths(system, layers)[None]
    wanted = choices(system, limits, layers, 1.0, allowed)
    if wanted.homeless().size:
        return None
    tasks, servers, count = len(wanted.local), len(wanted.room), len(wanted.task)
    solver = silent_solver()
    solver.setOptionValue("mip_rel_gap", 0.5 * gap)
    columns = tasks + count + 1
    upper = np.concatenate([np.isfinite(wanted.local).astype(np.float64), np.ones(count), [np.inf]])
    solver.addVars(columns, np.zeros(columns), upper)
    solver.changeColCost(columns - 1, 1.0)

    def row(lower: float, limit: float, index: Integers, values: Reals) -> None:
        solver.addRow(lower, limit, len(index), index.astype(np.int32), values.astype(np.float64))

    def cut(server: int, vector: Reals) -> None:
        inside = wanted.at(server)
        part = wanted.demand.part(inside)
        values = np.append((part.roots @ vector) ** 2 / part.limit, -1.0)
        row(-np.inf, 0.0, np.append(tasks + inside, columns - 1), values)

    for m in range(tasks):
        own = tasks + np.flatnonzero(wanted.task == m)
        row(1.0, 1.0, np.append(own, m), np.ones(len(own) + 1))
    for n in range(servers):
        inside = wanted.at(n)
        if np.isfinite(wanted.room[n]):
            row(-np.inf, wanted.room[n], tasks + inside, np.ones(len(inside)))
        if limits.rate:
            row(-np.inf, 1.0, tasks + inside, wanted.demand.floor[inside])
        for vector in START_VECTORS:
            cut(n, vector)
    bound, reached, integral = 0.0, np.inf, False
    while True:
        solver.setOptionValue(
            "time_limit", solver.getRunTime() + max(deadline - time.perf_counter(), 0.0)
        )
        solver.run()
        status = solver.getModelStatus()
        if status == HighsModelStatus.kInfeasible:
            return None
        information, solution = solver.getInfo(), solver.getSolution()
        done = status == HighsModelStatus.kOptimal
        if integral or done:
            value = information.mip_dual_bound if integral else information.objective_function_value
            bound = max(bound, float(value))
        if not done or not solution.value_valid:
            break
        point = np.array(solution.col_value)
        mass = np.clip(point[tasks : tasks + count], 0.0, 1.0)
        mass = np.round(mass) if integral else mass
        worst = 0.0
        for n in range(servers):
            inside = wanted.at(n)
            factor, vector = largest_factor(wanted.demand.part(inside), mass[inside])
            worst = max(worst, factor)
            if factor > point[-1]:
                cut(n, vector)
        reached = min(reached, worst) if integral else reached
        if not integral and worst <= point[-1] * (1.0 + gap):
            integral = True
            index = np.arange(columns - 1, dtype=np.int32)
            kinds = np.full(columns - 1, int(HighsVarType.kInteger), dtype=np.uint8)
            solver.changeColsIntegrality(columns - 1, index, kinds)
        elif integral and reached <= bound * (1.0 + gap):
            break
    return Factor(bound, float(reached) if np.isfinite(reached) else None)
