"""Rows that are chosen beforehand."""

from dataclasses import replace

import numpy as np
import pytest

from mecdsl.backends.fog.baselines import equal, equal_rows, rule, rule_rows
from mecdsl.backends.fog.cases import draw
from mecdsl.backends.fog.latency import fastest
from mecdsl.backends.fog.newton import newton
from mecdsl.backends.fog.system import System, excess
from mecdsl.solution import Termination


def silent(seed: int, nodes: int) -> System:
    """A system whose radios cost and take next to nothing, and whose processors are not at their
    limits.
    """
    system = draw(np.random.default_rng(seed), nodes, 3, latency=10.0)
    return replace(system, row_nats=1e-9, exchange_nats=system.exchange_nats * 1e-12)


def test_equal_rows_are_feasible_and_cost_more() -> None:
    system = draw(np.random.default_rng(2), 8, 3)
    plan, best = equal(system), newton(system)
    assert plan.termination is Termination.OPTIMAL  # for these rows
    assert plan.rows is not None
    np.testing.assert_allclose(plan.rows, 128.0)
    assert max(excess(system, plan).values()) < 1e-10
    assert (plan.objective or 0.0) > 1.05 * (best.objective or 0.0)
    assert plan.gap <= 1e-8


def test_loss_of_equal_rows_follows_the_spread_of_the_nodes() -> None:
    # with equal rows all nodes have the same times, the energy is sum kappa (c d)^3 (sum M)^3 /
    # tau^2; the rule makes sum c^3 d^3 with sum d = 1 least: (sum c^-1.5)^-2. Equal rows over it:
    # mean(c^3) mean(c^-1.5)^2
    system = silent(3, 10)
    cycles = system.work[:, 0]
    expected = np.mean(cycles**3) * np.mean(cycles**-1.5) ** 2
    by_rule, by_equal = rule(system, gap=1e-10), equal(system, gap=1e-10)
    assert (by_equal.objective or 0.0) / (by_rule.objective or 1.0) == pytest.approx(
        expected, rel=1e-6
    )
    assert by_rule.objective == pytest.approx(newton(system, gap=1e-10).objective, rel=1e-6)


def test_rule_weighs_capacitance_and_work() -> None:
    system = draw(np.random.default_rng(0), 2, 2)
    system = replace(
        system, capacitance=np.array([1e-28, 4e-28]), work=np.array([[4.0, 1.0], [1.0, 0.25]]) * 1e5
    )
    # weights 1 * 4^-1.5 = 1/8 and 1/2 * 1 = 1/2
    np.testing.assert_allclose(rule_rows(system), 1024.0 * np.array([0.2, 0.8]))


def test_rule_is_close_to_the_optimum_with_the_assumed_values() -> None:
    for seed in range(5):
        system = draw(np.random.default_rng(seed), 10, 3)
        ratio = (rule(system).objective or 0.0) / (newton(system).objective or 1.0)
        assert 1.0 - 1e-8 <= ratio < 1.02


def test_rows_may_be_too_slow_where_others_are_not() -> None:
    system = draw(np.random.default_rng(1), 10, 3)
    system = replace(system, latency=1.01 * fastest(system).deadline)
    plan = equal(system)
    assert plan.termination is Termination.INFEASIBLE
    assert plan.certificate["smallest_deadline"] > system.latency
    assert plan.certificate["smallest_deadline"] == fastest(system, equal_rows(system)).deadline
