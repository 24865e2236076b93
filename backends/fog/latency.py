"""Fog nodes: the smallest deadline that any plan meets, a linear programme.

With every processor and radio at its limit, the time is linear in the rows:

    tau_min = min sum_n t_n + sum_{k != m} D_k / (B xF_k^max)
              t_n >= a_kn d_k / v_k + sum over links of q d_n^x / (B x^max),  sum_k d_k = d^y,  d >=
              0.

(31) has a plan iff tau_min <= tau. HiGHS solves it in the units d^y and tau; what it returns is not
believed but turned into rows, whose time is computed here, and into weights of (22), which give a
bound: `deadline_bound`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import coo_array, csr_array, eye_array, hstack, kron

from mecdsl.backends.fog.bound import deadline_bound
from mecdsl.backends.fog.system import Reals, System


@dataclass(frozen=True, slots=True, eq=False)
class Fastest:
    """`deadline` in s that `rows` [K] need, and `bound` in s, below which no plan is; they meet up
    to rounding.
    """

    deadline: float
    bound: float
    rows: Reals
    message: str = ""


def shortest_times(system: System, rows: Reals) -> Reals:
    """The least t_n in s for given rows [K], [N]."""
    result: Reals = (system.row_time * rows[:, None] + system.least_exchange).max(axis=0)
    return result


def shortest_deadline(system: System, rows: Reals) -> float:
    """The least tau in s for given rows [K]."""
    return float(shortest_times(system, rows).sum() + rows @ system.send_time + system.least_send)


def fastest(system: System, rows: Reals | None = None) -> Fastest:
    """Rows of the smallest deadline, or the smallest deadline of `rows`, where nothing is left to
    choose.

    The bound is 0 and the message says why if HiGHS finds no rows.
    """
    if rows is not None:
        return _of_rows(system, rows)
    nodes, layers = system.shape
    scale, share = (
        system.latency,
        system.input_rows / system.shape[0],
    )  # units in which the numbers are about 1
    place = np.arange(nodes * layers)  # row k N + n: a d / v - t_n <= - shortest exchanges
    row_time = (system.row_time * (share / scale)).ravel()
    of_rows = coo_array((row_time, (place, place // layers)), shape=(nodes * layers, nodes))
    matrix: Any = csr_array(hstack([of_rows, kron(np.ones((nodes, 1)), -eye_array(layers))]))
    answer = linprog(
        np.concatenate([system.send_time * (share / scale), np.ones(layers)]),
        A_ub=matrix,
        b_ub=-system.least_exchange.ravel() / scale,
        A_eq=np.concatenate([np.ones(nodes), np.zeros(layers)])[None, :],
        b_eq=[float(nodes)],
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    if answer.x is None:
        rows = np.full(nodes, system.input_rows / nodes)
        return Fastest(shortest_deadline(system, rows), 0.0, rows, str(answer.message).lower())
    found = np.maximum(answer.x[:nodes], 0.0)
    rows = found * (system.input_rows / found.sum())
    weights = np.maximum(-answer.ineqlin.marginals.reshape(nodes, layers), 0.0)
    return Fastest(shortest_deadline(system, rows), deadline_bound(system, weights), rows)


def _of_rows(system: System, rows: Reals) -> Fastest:
    """All weight of a layer on its slowest node makes the bound the deadline itself."""
    slowest = (system.row_time * rows[:, None] + system.least_exchange).argmax(axis=0)
    weights = np.zeros(system.shape)
    weights[slowest, np.arange(system.shape[1])] = 1.0
    return Fastest(shortest_deadline(system, rows), deadline_bound(system, weights, rows), rows)
