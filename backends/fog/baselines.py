"""Fog nodes: plans with rows that are chosen beforehand, and the fastest plan.

`equal` is the paper's NoOptDist, d_k = d^y / K. `rule` takes d_k ~ kappa_k^(-1/2) c_k^(-3/2), which
minimises the energy of computing when all nodes have the same time: sum kappa c^3 d^3 with sum d
fixed. Both are optimal in all else. `latency` needs the least time.
"""

import numpy as np

from mecdsl.backends.fog.latency import fastest
from mecdsl.backends.fog.newton import ROUNDING, at_the_limit, newton
from mecdsl.backends.fog.plan import with_empty_layers, with_fastest, without_empty_layers
from mecdsl.backends.fog.system import Plan, Reals, System
from mecdsl.solution import Termination

EQUAL_LABEL = "fog-equal: the same number of rows for every node"
RULE_LABEL = "fog-rule: rows by the near-optimal rule"
LATENCY_LABEL = "fog-latency: the fastest plan"


def equal_rows(system: System) -> Reals:
    """d^y / K, [K]."""
    return np.full(system.shape[0], system.input_rows / system.shape[0])


def rule_rows(system: System) -> Reals:
    """Rows in proportion to kappa^(-1/2) a^(-3/2), [K]; a_kn is c_k M_n, so any layer will do."""
    weight = system.capacitance**-0.5 * system.work.sum(axis=1) ** -1.5
    result: Reals = weight * (system.input_rows / weight.sum())
    return result


def equal(system: System, gap: float = 1e-8, time_limit: float | None = None) -> Plan:
    """The optimum for equal rows, as `given` describes it."""
    return given(system, equal_rows(system), EQUAL_LABEL, gap, time_limit)


def rule(system: System, gap: float = 1e-8, time_limit: float | None = None) -> Plan:
    """The optimum for the rows of the rule, as `given` describes it."""
    return given(system, rule_rows(system), RULE_LABEL, gap, time_limit)


def given(
    system: System, rows: Reals, label: str, gap: float = 1e-8, time_limit: float | None = None
) -> Plan:
    """The optimum of (31) for `rows` [K]: a feasible plan of (31) itself.

    `bound`, the certificate's `gap` and an infeasible end are about these rows, not about (31) with
    its rows free.
    """
    return newton(system, rows, gap, time_limit, label)


def latency(system: System, rows: Reals | None = None) -> Plan:
    """The plan of the smallest deadline, with the least energy at which it is met; or the proof
    that none meets it.

    `rows` [K] where they are given.

    Certificate: `smallest_deadline` and `smallest_deadline_bound` in s, which agree to rounding.
    """
    inside = without_empty_layers(system)
    best = fastest(inside, rows)
    if best.deadline > system.latency * (1.0 + ROUNDING):
        return at_the_limit(system, inside, best, LATENCY_LABEL)
    numbers = {"smallest_deadline": best.deadline, "smallest_deadline_bound": best.bound}
    plan = Plan(Termination.FINISHED, LATENCY_LABEL, certificate=numbers)
    return with_empty_layers(with_fastest(plan, inside, best), system)
