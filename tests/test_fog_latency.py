"""The smallest deadline: against an enumeration of rows and by hand."""

from dataclasses import replace

import numpy as np
import pytest

from mecdsl.backends.fog.baselines import latency
from mecdsl.backends.fog.cases import draw
from mecdsl.backends.fog.latency import fastest, shortest_deadline, shortest_times
from mecdsl.backends.fog.system import excess
from mecdsl.solution import Termination


def test_one_node_needs_its_cycles() -> None:
    system = draw(np.random.default_rng(1), 1, 4)
    needed = system.input_rows * system.work.sum() / system.cpu_max[0]
    assert fastest(system).deadline == pytest.approx(needed, rel=1e-13)


@pytest.mark.parametrize("seed", range(5))
def test_two_nodes_by_enumeration(seed: int) -> None:
    system = draw(np.random.default_rng(seed), 2, 3, decades=1.0)
    first = np.linspace(0.0, system.input_rows, 2001)
    tried = [
        shortest_deadline(system, np.array([rows, system.input_rows - rows])) for rows in first
    ]
    best = fastest(system)
    assert best.deadline <= min(tried) * (1.0 + 1e-12)
    # the deadline is convex and piecewise linear in the rows, so the grid is off by at most a step
    # times the slope
    slope = max(abs(np.diff(tried)))
    assert min(tried) - best.deadline <= slope
    assert best.rows.sum() == pytest.approx(system.input_rows, rel=1e-13)


def test_given_rows_have_a_closed_form() -> None:
    system = draw(np.random.default_rng(8), 3, 2)
    rows = np.array([300.0, 500.0, 224.0])
    by_hand = [
        max(
            system.work[k, n] * rows[k] / system.cpu_max[k] + system.least_exchange[k, n]
            for k in range(3)
        )
        for n in range(2)
    ]
    np.testing.assert_allclose(shortest_times(system, rows), by_hand, rtol=1e-14)
    found = fastest(system, rows)
    assert found.deadline == pytest.approx(
        sum(by_hand) + rows @ system.send_time + system.least_send, rel=1e-14
    )
    assert found.bound == pytest.approx(found.deadline, rel=1e-13)
    assert found.bound <= found.deadline


def test_fastest_plan_keeps_everything() -> None:
    system = draw(np.random.default_rng(3), 20, 4, latency=10.0, decades=2.0)
    plan = latency(system)
    assert plan.termination is Termination.FINISHED
    assert max(excess(system, plan).values()) < 1e-11
    assert plan.layer_time is not None
    assert plan.distribution_time is not None
    spent = plan.layer_time.sum() + np.nansum(plan.distribution_time)
    assert spent == pytest.approx(plan.certificate["smallest_deadline"], rel=1e-12)


def test_impossible_deadline_is_proven() -> None:
    system = draw(np.random.default_rng(3), 20, 4, latency=0.01)
    plan = latency(system)
    assert plan.termination is Termination.INFEASIBLE
    assert plan.rows is None
    smallest = plan.certificate["smallest_deadline"]
    assert (
        plan.message
        == f"no plan meets 0.01 s; the smallest deadline that would do is {smallest:.6g} s"
    )
    assert (
        latency(replace(system, latency=smallest * (1.0 + 1e-9))).termination
        is Termination.FINISHED
    )
    assert (
        latency(replace(system, latency=smallest * (1.0 - 1e-9))).termination
        is Termination.INFEASIBLE
    )


def test_thousand_nodes() -> None:
    best = fastest(draw(np.random.default_rng(0), 1000, 5, decades=2.0))
    assert best.deadline - best.bound <= 1e-9 * best.deadline
