"""The paper's Algorithm 1 in its four readings: where it ends, what it says, and that its plans
keep (31).

Compared with `fog-newton`, another method with a proven bound, with searches over one variable, and
with small moves.
"""

from dataclasses import replace

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from mecdsl.backends.fog.algorithm1 import Reading, algorithm1, first_point
from mecdsl.backends.fog.alternating import best_rows
from mecdsl.backends.fog.barrier import point
from mecdsl.backends.fog.cases import draw
from mecdsl.backends.fog.external import frozen_rows, rows_by_38
from mecdsl.backends.fog.internal import distribution, fixed, internal
from mecdsl.backends.fog.newton import newton
from mecdsl.backends.fog.system import Plan, System, energy, excess
from mecdsl.solution import Termination


def system(seed: int, nodes: int, layers: int, latency: float, decades: float = 0.0) -> System:
    return draw(np.random.default_rng(seed), nodes, layers, latency, decades=decades)


def optimum(problem: System) -> Plan:
    plan = newton(problem)
    assert plan.termination is Termination.OPTIMAL
    return plan


def value(problem: System, rows: np.ndarray, times: np.ndarray) -> float:
    """E(t, d): the optimal values of (32) and (75)."""
    limits = fixed(problem)
    spare = problem.latency - float(times.sum())
    return (
        internal(problem, limits, rows, times).value
        + distribution(problem, limits, rows, spare).value
    )


def objective(plan: Plan) -> float:
    assert plan.objective is not None
    return plan.objective


SLACK = [
    (1, 10, 3, 0.5),
    (3, 5, 1, 0.6),
    (5, 4, 2, 2.0),
]  # seed, K, N, tau: no processor at its limit at the optimum
TIGHT = [(1, 3, 2, 0.5), (2, 10, 3, 0.28)]  # some are


@pytest.mark.parametrize("case", SLACK)
def test_alternating_ends_at_the_optimum_where_no_node_is_at_its_limit(
    case: tuple[int, int, int, float],
) -> None:
    problem = system(*case)
    best = optimum(problem)
    assert best.beta is not None
    assert (best.beta < fixed(problem).cycles).all()
    plan = algorithm1(problem, Reading.ALTERNATING)
    assert plan.termination is Termination.FINISHED
    assert objective(plan) == pytest.approx(objective(best), rel=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("case", TIGHT)
def test_alternating_stalls_above_the_optimum_where_nodes_are_at_their_limits(
    case: tuple[int, int, int, float],
) -> None:
    problem = system(*case)
    best = optimum(problem)
    plan = algorithm1(problem, Reading.ALTERNATING)
    assert objective(plan) > objective(best) * (1.0 + 1e-5)
    assert "nothing changes" in plan.message
    assert plan.gap > 1e-3  # its own prices prove far less than it has


@pytest.mark.slow
def test_a_stalled_point_is_best_in_rows_and_in_times_but_not_in_both() -> None:
    problem = system(*TIGHT[0])
    plan = algorithm1(problem, Reading.ALTERNATING)
    assert plan.rows is not None
    assert plan.layer_time is not None
    here, worst = objective(plan), 0.0
    moved = (
        1e-4 * problem.input_rows * (np.eye(3)[[0, 0, 1, 1, 2, 2]] - np.eye(3)[[1, 2, 0, 2, 0, 1]])
    )
    for change in moved:  # rows from one node to another at the same times
        if point(problem, fixed(problem), plan.rows + change, plan.layer_time) is not None:
            worst = min(worst, value(problem, plan.rows + change, plan.layer_time) - here)
    for share in (1e-4, -1e-4):  # time from one layer to the other at the same rows
        times = plan.layer_time + share * problem.latency * np.array([1.0, -1.0])
        if point(problem, fixed(problem), plan.rows, times) is not None:
            worst = min(worst, value(problem, plan.rows, times) - here)
    assert worst > -1e-9 * here


def test_frozen_never_changes_its_layer_times_and_depends_on_them() -> None:
    problem = system(1, 10, 3, 0.5)
    beginning = first_point(problem, fixed(problem))
    assert beginning is not None
    plan = algorithm1(problem, Reading.FROZEN)
    assert plan.layer_time is not None
    np.testing.assert_allclose(plan.layer_time, beginning.times, rtol=1e-12)
    # the optimum has t_n ~ 4^-n where exchanges are short, the start t_n ~ M_n ~ 4^-n but with 0.7
    # of the deadline
    assert objective(plan) > 1.05 * objective(optimum(problem))
    other = algorithm1(replace(problem, latency=0.6), Reading.FROZEN)
    assert objective(other) < objective(plan)


def test_frozen_ends_at_the_best_rows_for_the_times_of_its_start() -> None:
    problem = system(4, 2, 2, 2.0)
    plan = algorithm1(problem, Reading.FROZEN)
    assert plan.rows is not None
    times = plan.layer_time
    assert times is not None

    def split(first: float) -> float:
        return value(problem, np.array([first, problem.input_rows - first]), times)

    found = minimize_scalar(split, bounds=(300.0, 724.0), method="bounded", options={"xatol": 1e-6})
    assert plan.rows[0] == pytest.approx(found.x, abs=1e-2)
    assert objective(plan) == pytest.approx(found.fun, rel=1e-9)


@pytest.mark.slow
def test_best_rows_are_those_of_a_search() -> None:
    problem = system(1, 2, 2, 1.2)
    limits = fixed(problem)
    beginning = first_point(problem, limits)
    assert beginning is not None

    def split(first: float) -> float:
        rows = np.array([first, problem.input_rows - first])
        found = point(problem, limits, rows, beginning.times)
        return np.inf if found is None else found.energy

    grid = np.linspace(1.0, problem.input_rows - 1.0, 401)
    around = grid[int(np.argmin([split(first) for first in grid]))]
    found = minimize_scalar(
        split, bounds=(around - 10.0, around + 10.0), method="bounded", options={"xatol": 1e-7}
    )
    rows = best_rows(problem, limits, beginning)
    assert split(float(rows[0])) <= found.fun * (1.0 + 1e-9)


@pytest.mark.parametrize("layers", [2, 3, 4])
def test_printed_breaks_down_at_once_with_two_layers_or_more(layers: int) -> None:
    problem = system(1, 6, layers, 1.0)
    plan = algorithm1(problem, Reading.PRINTED)
    assert plan.message.startswith("broke down in iteration 1: (37) gives no time to layer")
    assert (
        plan.message.count(",") == layers - 1
    )  # the layers without time, and `so (32) has no point`
    assert plan.termination is Termination.FINISHED
    beginning = first_point(problem, fixed(problem))
    assert beginning is not None
    assert plan.rows is not None
    np.testing.assert_array_equal(plan.rows, beginning.rows)  # the last point it had


def test_printed_finds_the_optimum_with_one_layer() -> None:
    problem = system(3, 5, 1, 0.6)
    assert objective(algorithm1(problem, Reading.PRINTED)) == pytest.approx(
        objective(optimum(problem)), rel=1e-7
    )


@pytest.mark.slow
def test_gradient_is_slow_but_right_where_no_node_is_at_its_limit() -> None:
    problem = system(1, 10, 3, 0.5)
    plan = algorithm1(problem, Reading.GRADIENT)
    assert objective(plan) == pytest.approx(objective(optimum(problem)), rel=1e-7)
    assert len(plan.iterations) > 50


def test_gradient_stalls_at_the_boundary_where_nodes_are_at_their_limits() -> None:
    problem = system(2, 10, 3, 0.28)
    plan = algorithm1(problem, Reading.GRADIENT)
    assert "boundary" in plan.message
    assert objective(plan) > 1.01 * objective(optimum(problem))


def test_a_limit_of_steps_is_kept_and_said() -> None:
    plan = algorithm1(system(1, 10, 3, 0.5), Reading.GRADIENT, most_steps=7)
    assert plan.termination is Termination.ITERATION_LIMIT
    assert plan.message == "still changing after 7 iterations"
    assert [step.number for step in plan.iterations] == list(range(1, 9))  # the start and seven


@pytest.mark.slow
@pytest.mark.parametrize("reading", list(Reading))
def test_every_reading_keeps_the_problem_and_its_bound_is_one(reading: Reading) -> None:
    for seed in range(6):
        problem = system(seed, 1 + seed, 1 + seed % 4, 1.5, decades=0.5 * (seed % 3))
        best = newton(problem)
        plan = algorithm1(problem, reading, most_steps=60)
        if best.termination is Termination.INFEASIBLE:
            assert plan.termination is Termination.INFEASIBLE
            continue
        assert max(excess(problem, plan).values()) < 1e-9
        assert energy(problem, plan) == pytest.approx(objective(plan), rel=1e-9)
        assert objective(plan) >= objective(best) * (1.0 - 1e-7)
        assert plan.bound is not None
        assert plan.bound <= objective(best) * (1.0 + 1e-12)
        assert plan.iterations[-1].objective == pytest.approx(objective(plan), rel=1e-12)
        bounds = [step.bound for step in plan.iterations if step.bound is not None]
        assert bounds == sorted(bounds)


def test_an_impossible_deadline_is_proven_impossible() -> None:
    plan = algorithm1(system(1, 3, 2, 0.01), Reading.FROZEN)
    assert plan.termination is Termination.INFEASIBLE
    assert plan.rows is None
    assert plan.message.startswith("no plan meets 0.01 s; the smallest deadline that would do is ")


def test_layers_without_columns_take_part_with_nothing() -> None:
    problem = draw(
        np.random.default_rng(1), 4, 3, 1.0, input_columns=2
    )  # d^x = 2: the third layer has no column
    plan = algorithm1(problem, Reading.FROZEN)
    assert plan.layer_time is not None
    assert plan.layer_time.shape == (3,)
    assert plan.layer_time[2] < 1e-9
    assert max(excess(problem, plan).values()) < 1e-9


def test_rows_of_38_are_stationary() -> None:
    # min sum C_k d_k^3 + g_k d_k, sum d = d^y: 3 C d^2 + g is the same for all with rows, larger
    # for the others
    problem = system(2, 10, 3, 0.28)
    limits = fixed(problem)
    beginning = first_point(problem, limits)
    assert beginning is not None
    price = np.linspace(0.0, 1e-3, 10)
    rows = rows_by_38(problem, limits, beginning.inner, price)
    assert rows.sum() == pytest.approx(problem.input_rows, rel=1e-12)
    cubes = (problem.capacitance[:, None] * problem.work**3 / beginning.inner.compute_time**2).sum(
        axis=1
    )
    gamma = np.maximum(
        beginning.inner.beta - 2.0 * (problem.capacitance * problem.cpu_max**3)[:, None], 0.0
    )
    slope = 3.0 * cubes * rows**2 + (gamma * problem.row_time).sum(axis=1) + price
    used = rows > 0.0
    np.testing.assert_allclose(slope[used], slope[used][0], rtol=1e-9)
    assert (slope[~used] >= slope[used][0] * (1.0 - 1e-9)).all()


def test_frozen_rows_fill_the_time_that_is_left() -> None:
    problem = system(1, 10, 3, 0.5)
    limits = fixed(problem)
    beginning = first_point(problem, limits)
    assert beginning is not None
    spare = 0.085  # s; 0.094 s at no price of time and 0.073 s at full power, for equal rows
    found = frozen_rows(problem, limits, beginning.inner, spare)
    assert found is not None
    rows, phi = found
    sending = distribution(problem, limits, rows, spare)
    assert phi > 0.0
    assert sending.phi == pytest.approx(
        phi, rel=1e-8
    )  # the phi of (75) for these rows, found in another way
    assert frozen_rows(problem, limits, beginning.inner, 1e-9) is None
