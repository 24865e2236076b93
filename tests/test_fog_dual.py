"""`fog-dual`: the same optimum by another way, alone where nobody is at a limit, else handed
over.
"""

from dataclasses import replace

import numpy as np
import pytest

from mecdsl.backends.fog.cases import draw
from mecdsl.backends.fog.dual import dual
from mecdsl.backends.fog.latency import fastest
from mecdsl.backends.fog.newton import newton
from mecdsl.backends.fog.system import System, excess
from mecdsl.solution import Termination


def drawn(seed: int, nodes: int, layers: int, factor: float, decades: float = 0.0) -> System:
    """A drawn system whose latency is `factor` times its smallest deadline."""
    system = draw(np.random.default_rng(seed), nodes, layers, decades=decades)
    return replace(system, latency=fastest(system).deadline * factor)


@pytest.mark.parametrize("nodes", [1, 2, 5, 30])
@pytest.mark.parametrize("factor", [1.0001, 1.05, 1.5, 5.0, 100.0])
def test_same_energy_as_the_barrier_method(nodes: int, factor: float) -> None:
    system = drawn(nodes, nodes, 3, factor, decades=2.0)
    plan, other = dual(system), newton(system)
    assert plan.termination is Termination.OPTIMAL
    assert plan.gap <= 1e-8
    assert max(excess(system, plan).values()) < 1e-10
    assert plan.objective == pytest.approx(other.objective, rel=2e-8)


def test_roomy_deadlines_need_no_other_method() -> None:
    for seed in range(5):
        plan = dual(drawn(seed, 20, 4, 5.0))
        assert plan.certificate["rounds"] == len(plan.iterations) <= 20


def test_tight_deadlines_are_handed_over() -> None:
    plan = dual(drawn(0, 20, 4, 1.02))
    assert plan.certificate["rounds"] < len(plan.iterations)
    assert plan.termination is Termination.OPTIMAL


def test_a_node_whose_link_is_hopeless_gets_next_to_nothing() -> None:
    system = drawn(3, 6, 2, 3.0)
    gains = system.distribution_gain.copy()
    victim = next(k for k in range(6) if k != system.master)
    gains[victim] *= 1e-9
    deaf = replace(system, distribution_gain=gains)
    deaf = replace(deaf, latency=3.0 * fastest(deaf).deadline)
    plan = dual(deaf)
    assert plan.gap <= 1e-8
    assert plan.rows is not None
    assert plan.rows[victim] < 1e-3 * system.input_rows


def test_thousand_nodes() -> None:
    system = drawn(1, 1000, 5, 5.0)
    assert dual(system).gap <= 1e-8


def test_time_limit_is_kept() -> None:
    plan = dual(drawn(4, 30, 3, 1.2), time_limit=0.0)
    assert plan.termination is Termination.TIME_LIMIT
    assert len(plan.iterations) == 1
