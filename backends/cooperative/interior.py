"""Cooperative computing: problem (30) by the interior-point solver Ipopt, where the three prices do
not settle.

Source: `mecdsl.backends.cooperative.system`. Variables are the P x 3 shares that have a positive
numerator, in one column; the problem is convex with a diagonal Hessian, so a local answer is the
answer.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mecdsl.backends.cooperative.prices import Demand
from mecdsl.backends.cooperative.system import Integers, Reals, ratio


@dataclass(frozen=True, slots=True, eq=False)
class Interior:
    """Shares [P, 3] or None, the prices that belong to the multipliers, and what the solver
    said.
    """

    shares: Reals | None
    prices: Reals
    message: str


def interior(demand: Demand) -> Interior:
    """Solve (30) in elastic form: C10 as latency <= D (1 + excess), a small cost on excess found to
    be 0 or not.

    The elastic column keeps Ipopt's restoration phase out of infeasible problems: these end with
    excess > 0 and with multipliers that certify it.
    """
    import cyipopt

    count = len(demand.limit)
    if float(demand.floor.sum()) >= 1.0:
        return Interior(None, np.array([1.0, 0.0, 0.0]), "the least rates leave no interior")
    problem = _Problem(demand)
    columns = len(problem.row) + 1
    lower = np.full(columns, 1e-12)
    sending = problem.resource == 0
    lower[:-1][sending] = np.maximum(demand.floor[problem.row[sending]], 1e-12)
    lower[-1] = 0.0
    solver = cyipopt.Problem(
        n=columns,
        m=problem.limited.size + 3,
        problem_obj=problem,
        lb=lower,
        ub=np.append(np.ones(columns - 1), np.inf),
        cl=np.full(problem.limited.size + 3, -np.inf),
        cu=np.append(np.zeros(problem.limited.size), np.ones(3)),
    )
    for name, value in (("print_level", 0), ("sb", "yes"), ("tol", 1e-11), ("max_iter", 500)):
        solver.add_option(name, value)
    solver.add_option("bound_relax_factor", 0.0)
    start = np.append(_start(demand, problem), 1.0)
    point, information = solver.solve(start)
    multipliers = np.maximum(np.asarray(information["mult_g"], dtype=np.float64), 0.0)
    shares = np.zeros((count, 3))
    shares[problem.row, problem.resource] = point[:-1]
    shares[:, 0] = np.maximum(shares[:, 0], demand.floor)
    prices = np.sqrt(multipliers[-3:])
    text = f"Ipopt: {information['status_msg'].decode().strip()}"
    return Interior(shares if point[-1] <= 1e-7 else None, prices, text)


def _start(demand: Demand, problem: "_Problem") -> Reals:
    """Floors, and the rest of every resource in equal parts."""
    count = len(demand.limit)
    shares = np.full((count, 3), 1.0 / count)
    shares[:, 0] = demand.floor + (1.0 - demand.floor.sum()) / count
    start: Reals = shares[problem.row, problem.resource]
    return start


class _Problem:
    """The callbacks of cyipopt: cost, gradient, latency rows and budget rows, and their second
    derivatives.
    """

    def __init__(self, demand: Demand) -> None:
        self.demand = demand
        times = demand.roots**2
        row, resource = np.nonzero((times > 0.0) | (demand.floor[:, None] * [1.0, 0.0, 0.0] > 0.0))
        self.row: Integers = row
        self.resource: Integers = resource
        self.time: Reals = times[row, resource]
        self.limited: Integers = np.flatnonzero(np.isfinite(demand.limit))
        self.place = np.full(len(demand.limit), -1)
        self.place[self.limited] = np.arange(self.limited.size)
        self.inside = np.flatnonzero(np.isfinite(demand.limit[row]))
        # heavy enough to be an exact penalty unless the multipliers of C10 exceed it
        self.penalty = 1e6 * float(times.sum())

    def objective(self, point: Reals) -> float:
        return float((self.time / point[:-1]).sum() + self.penalty * point[-1])

    def gradient(self, point: Reals) -> Reals:
        return np.append(-self.time / point[:-1] ** 2, self.penalty)

    def constraints(self, point: Reals) -> Reals:
        latency = np.zeros(len(self.demand.limit))
        np.add.at(latency, self.row, ratio(self.time, point[:-1]))
        rows = (latency / self.demand.limit - 1.0)[self.limited] - point[-1]
        budget = np.bincount(self.resource, weights=point[:-1], minlength=3)
        return np.concatenate([rows, budget])

    def jacobianstructure(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        columns = len(self.row)
        rows = [
            self.place[self.row[self.inside]],
            np.arange(self.limited.size),
            self.limited.size + self.resource,
        ]
        cols = [self.inside, np.full(self.limited.size, columns), np.arange(columns)]
        return np.concatenate(rows), np.concatenate(cols)

    def jacobian(self, point: Reals) -> Reals:
        slope = -self.time / point[:-1] ** 2 / self.demand.limit[self.row]
        return np.concatenate(
            [slope[self.inside], np.full(self.limited.size, -1.0), np.ones(len(self.row))]
        )

    def hessianstructure(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        index = np.arange(len(self.row))
        return index, index

    def hessian(self, point: Reals, multipliers: Reals, factor: float) -> Reals:
        weight = np.full(len(self.row), factor)
        rows = self.place[self.row[self.inside]]
        weight[self.inside] += multipliers[rows] / self.demand.limit[self.row[self.inside]]
        return 2.0 * weight * self.time / point[:-1] ** 3
