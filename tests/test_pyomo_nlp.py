"""Any Pyomo model through Ipopt and Bonmin; every optimum is derived in a comment or enumerated."""

import itertools
import math
import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import pyomo.environ as pyo
import pytest
from pyomo.core.expr.calculus.derivatives import Modes, differentiate

from mecdsl.backends.bonmin import run as bonmin_run
from mecdsl.backends.ipopt.core import NlpProblem, solve_ipopt
from mecdsl.backends.ipopt.first_order import first_order_holds
from mecdsl.backends.nlp.problem import objective_scale, reduce_problem
from mecdsl.backends.nlp.pyomo_nlp import (
    PyomoOutcome,
    UnsupportedModel,
    nlp_from_pyomo,
    solve_pyomo,
)
from mecdsl.backends.shared.solver_output import solver_output
from mecdsl.solution import Termination
from tests.waiting import PATIENCE, once_logged, within_some_limit

Model = Any  # pyomo brings no types


def model(
    count: int = 2, lower: float | None = None, upper: float | None = None, start: float = 1.0
) -> Model:
    """A model with variables x[0..count-1]."""
    result = pyo.ConcreteModel()
    result.x = pyo.Var(range(count), bounds=(lower, upper), initialize=start)
    result.c = pyo.ConstraintList()
    return result


def with_objective(m: Model, expression: Any, maximise: bool = False) -> Model:
    m.objective = pyo.Objective(expr=expression, sense=pyo.maximize if maximise else pyo.minimize)
    return m


# Continuous problems: each returns the model, the optimum and the optimal x.


def quadratic() -> tuple[Model, float, list[float]]:
    # the square vanishes at its centre
    m = model()
    return with_objective(m, (m.x[0] - 3) ** 2 + (m.x[1] + 1) ** 2 + 5), 5.0, [3.0, -1.0]


def rosenbrock() -> tuple[Model, float, list[float]]:
    # a sum of two squares, both 0 only at (1, 1)
    m = model(start=-1.2)
    return with_objective(m, (1 - m.x[0]) ** 2 + 100 * (m.x[1] - m.x[0] ** 2) ** 2), 0.0, [1.0, 1.0]


def geometric_mean() -> tuple[Model, float, list[float]]:
    # x + y >= 2 sqrt(xy) >= 2, with equality at x = y = 1
    m = model(lower=0.01)
    m.c.add(m.x[0] * m.x[1] >= 1)
    return with_objective(m, m.x[0] + m.x[1]), 2.0, [1.0, 1.0]


def proportional_fairness() -> tuple[Model, float, list[float]]:
    # symmetric and strictly concave, so x = y = 1: log 1 + log 1
    m = model(lower=0.0)
    m.c.add(m.x[0] + m.x[1] <= 2)
    return with_objective(m, pyo.log(m.x[0]) + pyo.log(m.x[1]), maximise=True), 0.0, [1.0, 1.0]


def exponential() -> tuple[Model, float, list[float]]:
    # derivative e^x - 2 = 0 at x = ln 2
    m = model(1)
    return with_objective(m, pyo.exp(m.x[0]) - 2 * m.x[0]), 2 - 2 * math.log(2), [math.log(2)]


def sine() -> tuple[Model, float, list[float]]:
    # sine is -1 at 3 pi / 2, inside [3, 6]
    m = model(1, 3.0, 6.0, start=4.0)
    return with_objective(m, pyo.sin(m.x[0])), -1.0, [1.5 * math.pi]


def power() -> tuple[Model, float, list[float]]:
    # derivative 1.5 sqrt(x) - x^-2 = 0 at x = (2/3)^(2/5)
    m = model(1, 0.01)
    best = (2 / 3) ** 0.4
    return with_objective(m, m.x[0] ** 1.5 + 1 / m.x[0]), best**1.5 + 1 / best, [best]


def absolute_value() -> tuple[Model, float, list[float]]:
    # |x| >= 2 on the right branch: x^2 is least at x = 2
    m = model(1, start=3.0)
    m.c.add(abs(m.x[0]) >= 2)
    return with_objective(m, m.x[0] ** 2), 4.0, [2.0]


def range_constraint() -> tuple[Model, float, list[float]]:
    # x - y <= 1 binds: minimise (x-4)^2 + y^2 with x = y + 1 gives 2(y - 3) + 2y = 0, y = 1.5
    m = model()
    m.c.add((-1, m.x[0] - m.x[1], 1))
    return with_objective(m, (m.x[0] - 4) ** 2 + m.x[1] ** 2), 1.5**2 + 1.5**2, [2.5, 1.5]


def equality() -> tuple[Model, float, list[float]]:
    # projection of the origin on x + 2y = 5: (1, 2), squared norm 5
    m = model()
    m.c.add(m.x[0] + 2 * m.x[1] == 5)
    return with_objective(m, m.x[0] ** 2 + m.x[1] ** 2), 5.0, [1.0, 2.0]


def linear() -> tuple[Model, float, list[float]]:
    # vertices (0,0) (4,0) (3,1.5) (0,3): 5x + 4y is 0, 20, 21, 12
    m = model(lower=0.0)
    m.c.add(6 * m.x[0] + 4 * m.x[1] <= 24)
    m.c.add(m.x[0] + 2 * m.x[1] <= 6)
    return with_objective(m, 5 * m.x[0] + 4 * m.x[1], maximise=True), 21.0, [3.0, 1.5]


def water_filling() -> tuple[Model, float, list[float]]:
    # p_i = level - n_i where positive; noise 1, 2, 5 and power 3 fill the first two to level 3: p =
    # 2, 1, 0
    m = model(3, 0.0)
    noise = [1.0, 2.0, 5.0]
    m.c.add(sum(m.x[i] for i in range(3)) == 3)
    rate = sum(pyo.log(1 + m.x[i] / noise[i]) for i in range(3))
    return with_objective(m, rate, maximise=True), math.log(3) + math.log(1.5), [2.0, 1.0, 0.0]


def square_root() -> tuple[Model, float, list[float]]:
    # on sqrt x + sqrt y = 2 the sum is 4 - 4 sqrt y + 2y, which falls on 0 <= y <= 1, so y = 0 and
    # x = 4: a bound where sqrt has no derivative (hence the 1e-12) and below which it has no value
    m = model(lower=0.0, start=0.5)
    m.x[1].setub(1.0)
    m.x[0].set_value(3.0)
    m.c.add(pyo.sqrt(m.x[0] + 1e-12) + pyo.sqrt(m.x[1] + 1e-12) <= 2)
    return with_objective(m, m.x[0] + m.x[1], maximise=True), 4.0, [4.0, 0.0]


def hock_schittkowski_71() -> tuple[Model, float, list[float]]:
    # published optimum of problem 71 in Hock and Schittkowski, Test Examples for Nonlinear
    # Programming Codes
    m = model(4, 1.0, 5.0)
    m.x[1].set_value(5.0)
    m.x[2].set_value(5.0)
    x = m.x
    m.c.add(x[0] * x[1] * x[2] * x[3] >= 25)
    m.c.add(sum(x[i] ** 2 for i in range(4)) == 40)
    objective = x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2]
    return with_objective(m, objective), 17.0140173, [1.0, 4.7429994, 3.8211503, 1.3794082]


def nested() -> tuple[Model, float, list[float]]:
    # parts of a real model: mutable parameter p = 3, fixed y = 2, named expression, block with its
    # own rows. minimise (z - 3*2)^2 + w with w >= z^2 / 2: slope 2 (z - 6) + z = 0, so z = 4, w =
    # 8, value 12
    m = pyo.ConcreteModel()
    m.p = pyo.Param(initialize=1.0, mutable=True)
    m.p.set_value(3.0)
    m.y = pyo.Var(initialize=2.0)
    m.y.fix()
    m.inner = pyo.Block()
    m.inner.deeper = pyo.Block()
    m.inner.deeper.z = pyo.Var(initialize=0.5)
    m.inner.w = pyo.Var()
    m.half = pyo.Expression(expr=m.inner.deeper.z**2 / 2)
    m.inner.deeper.row = pyo.Constraint(expr=m.inner.w >= m.half)
    m.off = pyo.Constraint(expr=m.inner.w >= 100)
    m.off.deactivate()
    m.unused = pyo.Var(initialize=7.0)
    m.x = [m.inner.deeper.z, m.inner.w]
    return with_objective(m, (m.inner.deeper.z - m.p * m.y) ** 2 + m.inner.w), 12.0, [4.0, 8.0]


def nanojoules() -> tuple[Model, float, list[float]]:
    # the optimum of a square does not depend on its unit; an absolute tolerance would accept the
    # start
    m = model()
    return with_objective(m, 1e-11 * ((m.x[0] - 3) ** 2 + 2 * (m.x[1] - 5) ** 2)), 0.0, [3.0, 5.0]


def bits() -> tuple[Model, float, list[float]]:
    # rows of 1e9 bit, where rounding exceeds ipopt's tolerance. g1 b1^2 + g2 b2^2 + g3 b3^2 over b1
    # + b2 + b3 = B: b_i = B (1/g_i) / sum(1/g), value B^2 / sum(1/g); with g = 1, 2, 3 sum(1/g) =
    # 11/6
    m = model(3, 0.0, start=1e6)
    total, weights = 3.3333333333e9, [1.0, 2.0, 3.0]
    m.c.add(m.x[0] + m.x[1] + m.x[2] == total)
    cost = sum(weight * (m.x[i] / 1e8) ** 2 for i, weight in enumerate(weights))
    return (
        with_objective(m, cost),
        (total / 1e8) ** 2 * 6 / 11,
        [total * 6 / 11 / w for w in weights],
    )


def thin() -> tuple[Model, float, list[float]]:
    # two inequalities leave the line x + y = 1 without interior: (x-2)^2 + y^2 is least at its end
    # (1, 0)
    m = model(lower=0.0)
    m.c.add(m.x[0] + m.x[1] <= 1)
    m.c.add(m.x[0] + m.x[1] >= 1)
    return with_objective(m, (m.x[0] - 2) ** 2 + m.x[1] ** 2), 1.0, [1.0, 0.0]


CONTINUOUS: list[Callable[[], tuple[Model, float, list[float]]]] = [
    quadratic,
    rosenbrock,
    geometric_mean,
    proportional_fairness,
    exponential,
    sine,
    power,
    absolute_value,
    range_constraint,
    equality,
    linear,
    water_filling,
    square_root,
    hock_schittkowski_71,
    nested,
    nanojoules,
    bits,
    thin,
]


@pytest.mark.parametrize("case", CONTINUOUS, ids=lambda case: str(case.__name__))
def test_ipopt_finds_the_known_optimum(
    case: Callable[[], tuple[Model, float, list[float]]],
) -> None:
    m, optimum, point = case()
    outcome = solve_pyomo(m)
    assert outcome.termination is Termination.LOCALLY_OPTIMAL
    assert outcome.objective == pytest.approx(optimum, rel=1e-6, abs=1e-6)
    assert [m.x[i].value for i in range(len(point))] == pytest.approx(point, rel=1e-4, abs=1e-4)
    assert outcome.loaded
    assert outcome.objective == pytest.approx(pyo.value(m.objective), rel=1e-12, abs=1e-15)
    assert all(v.lb is None or v.value >= v.lb for v in outcome.nlp.variables)
    assert all(v.ub is None or v.value <= v.ub for v in outcome.nlp.variables)


@pytest.mark.parametrize("case", CONTINUOUS, ids=lambda case: str(case.__name__))
def test_derivatives_and_order_agree_with_pyomo(
    case: Callable[[], tuple[Model, float, list[float]]],
) -> None:
    m, _, _ = case()
    nlp = nlp_from_pyomo(m)
    problem = nlp.problem
    x = np.random.default_rng(7).uniform(1.1, 1.9, problem.variable_count)
    for variable, value in zip(nlp.variables, x, strict=True):
        variable.set_value(value, skip_validation=True)
    assert problem.objective(x) == pytest.approx(nlp.sign * pyo.value(m.objective), rel=1e-12)
    gradient = differentiate(
        m.objective.expr, wrt_list=list(nlp.variables), mode=Modes.reverse_numeric
    )
    assert problem.gradient(x) == pytest.approx(nlp.sign * np.array(gradient), rel=1e-9, abs=1e-13)
    dense = np.zeros((problem.constraint_count, problem.variable_count))
    np.add.at(dense, (problem.jacobian_rows, problem.jacobian_columns), problem.jacobian_values(x))
    for row, constraint in enumerate(nlp.constraints):
        slope = differentiate(
            constraint.body, wrt_list=list(nlp.variables), mode=Modes.reverse_numeric
        )
        assert dense[row] == pytest.approx(np.array(slope), rel=1e-9, abs=1e-12)
        # the writer may move a constant between body and bounds, not change their difference
        for bound, kept in (
            (constraint.lower, problem.constraint_lower[row]),
            (constraint.upper, problem.constraint_upper[row]),
        ):
            if bound is not None:
                gap = pyo.value(constraint.body) - pyo.value(bound)
                assert problem.constraints(x)[row] - kept == pytest.approx(gap, rel=1e-9, abs=1e-12)
    assert_hessian(problem, x)


def assert_hessian(problem: NlpProblem, x: np.ndarray) -> None:
    """Against central differences of the first derivatives."""
    multipliers = np.linspace(0.5, 1.5, problem.constraint_count)
    size = problem.variable_count
    lower = np.zeros((size, size))
    values = problem.hessian_values(x, multipliers, 2.0)
    np.add.at(lower, (problem.hessian_rows, problem.hessian_columns), values)
    full = lower + np.tril(lower, -1).T

    def slope(point: np.ndarray) -> np.ndarray:
        result = 2.0 * problem.gradient(point)
        weighted = problem.jacobian_values(point) * multipliers[problem.jacobian_rows]
        np.add.at(result, problem.jacobian_columns, weighted)
        return result

    for column in range(size):
        step = np.zeros(size)
        step[column] = 1e-5
        numeric = (slope(x + step) - slope(x - step)) / 2e-5
        assert full[:, column] == pytest.approx(numeric, rel=1e-6, abs=1e-6)


def test_names_match_rows_and_columns() -> None:
    m, _, _ = nested()
    nlp = nlp_from_pyomo(m)
    assert set(nlp.variable_names) == {"inner.deeper.z", "inner.w"}
    assert nlp.constraint_names == ("inner.deeper.row",)
    by_name = dict(zip(nlp.variable_names, range(2), strict=True))
    x = np.zeros(2)
    x[by_name["inner.w"]] = 5.0
    # at z = 0 the row is w - z^2/2 or its negative
    assert abs(problem_row(nlp.problem, x)) == 5.0


def problem_row(problem: NlpProblem, x: np.ndarray) -> float:
    return float(problem.constraints(x)[0])


@pytest.mark.parametrize("count", [5, 30])
def test_dense_and_chained_hessians_are_exact(count: int) -> None:
    # both ways of colouring: a dense block, a chain and an arrow in one row
    m = model(count, 0.5, 3.0)
    x = m.x
    dense = pyo.log(sum(x[i] for i in range(count)))
    chain = sum(x[i] * x[i + 1] ** 2 for i in range(count - 1))
    m.c.add(dense <= 100)
    m.c.add(dense + chain + sum(x[0] * pyo.exp(x[i]) for i in range(count)) <= 1e9)
    with_objective(m, chain)
    problem = nlp_from_pyomo(m).problem
    assert_hessian(problem, np.random.default_rng(3).uniform(1.0, 2.0, count))
    pairs = set(zip(problem.hessian_rows.tolist(), problem.hessian_columns.tolist(), strict=True))
    assert len(pairs) == len(problem.hessian_rows)


def test_start_without_value_is_zero() -> None:
    m = pyo.ConcreteModel()
    m.x = pyo.Var()
    m.y = pyo.Var(initialize=4.0)
    with_objective(m, m.x + m.y)
    nlp = nlp_from_pyomo(m)
    assert dict(zip(nlp.variable_names, nlp.problem.start, strict=True)) == {"x": 0.0, "y": 4.0}


def test_without_objective_a_feasible_point_is_found() -> None:
    m = model(start=0.5)
    m.c.add(m.x[0] ** 2 + m.x[1] ** 2 == 2)
    m.c.add(m.x[0] == m.x[1])
    outcome = solve_pyomo(m)
    assert outcome.termination is Termination.LOCALLY_OPTIMAL
    assert outcome.objective == 0.0
    assert [m.x[0].value, m.x[1].value] == pytest.approx(
        [1.0, 1.0]
    )  # x = y = 1 from a positive start


@pytest.mark.parametrize(("maximise", "expected"), [(False, 1.0), (True, 0.5)])
def test_multiplier_is_the_derivative_by_the_right_hand_side(
    maximise: bool, expected: float
) -> None:
    m = model(lower=0.01)
    if maximise:
        # 2 log(b / 2) at b = 4: derivative 2 / b
        m.c.add(m.x[0] + m.x[1] <= 4)
        with_objective(m, pyo.log(m.x[0]) + pyo.log(m.x[1]), maximise=True)
    else:
        # 2 sqrt(b) at b = 1: derivative 1 / sqrt(b)
        m.c.add(m.x[0] * m.x[1] >= 1)
        with_objective(m, m.x[0] + m.x[1])
    outcome = solve_pyomo(m)
    assert outcome.multipliers is not None
    assert outcome.multipliers[0] == pytest.approx(expected, rel=1e-5)


# How a solve ends.


def test_local_infeasibility_is_reported_and_nothing_loaded() -> None:
    # on the unit disc x + y is at most sqrt 2
    m = model(start=0.25)
    m.c.add(m.x[0] ** 2 + m.x[1] ** 2 <= 1)
    m.c.add(m.x[0] + m.x[1] >= 3)
    with_objective(m, m.x[0])
    outcome = solve_pyomo(m)
    assert outcome.termination is Termination.LOCALLY_INFEASIBLE
    assert not outcome.loaded
    assert m.x[0].value == 0.25


def test_unbounded_problem_is_no_optimum() -> None:
    m = model(1)
    outcome = solve_pyomo(with_objective(m, -m.x[0] + pyo.exp(-m.x[0])))
    assert outcome.termination is Termination.INFEASIBLE_OR_UNBOUNDED
    assert "unbounded as far as a local solver can tell" in outcome.message


def test_iteration_limit_keeps_the_best_point() -> None:
    m, _, _ = rosenbrock()
    outcome = solve_pyomo(m, max_iterations=3)
    assert outcome.termination is Termination.ITERATION_LIMIT
    objectives = [step.objective for step in outcome.iterations]
    assert len(objectives) == 4  # the start and three steps
    assert None not in objectives
    assert outcome.objective == pytest.approx(
        min(float(value or 0) for value in objectives), rel=1e-12
    )


def test_time_limit_stops() -> None:
    m, _, _ = rosenbrock()
    outcome = solve_pyomo(m, time_limit=1e-9)
    assert outcome.termination is Termination.TIME_LIMIT
    assert outcome.values is not None
    with pytest.raises(ValueError, match="time limit must be positive"):
        solve_pyomo(m, time_limit=0.0)


@pytest.mark.parametrize("by_signal", [False, True])
def test_a_stop_returns_the_best_point_so_far(by_signal: bool) -> None:
    calls = itertools.count()

    def should_stop() -> bool:
        third = next(calls) == 3
        if third and by_signal:
            signal.raise_signal(signal.SIGINT)
            return False
        return third

    m, _, _ = rosenbrock()
    before = signal.getsignal(signal.SIGINT)
    outcome = solve_pyomo(m, should_stop=should_stop)
    assert signal.getsignal(signal.SIGINT) is before
    assert outcome.termination is Termination.INTERRUPTED
    assert len(outcome.iterations) in (4, 5)
    assert outcome.objective == pytest.approx(
        min(float(s.objective or 0) for s in outcome.iterations), rel=1e-12
    )
    assert outcome.loaded


def test_second_interrupt_is_not_swallowed() -> None:
    def should_stop() -> bool:
        signal.raise_signal(signal.SIGINT)
        signal.raise_signal(signal.SIGINT)
        return False

    m, _, _ = rosenbrock()
    with pytest.raises(KeyboardInterrupt):
        solve_pyomo(m, should_stop=should_stop)


def test_undefined_function_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    m = model(1, start=-3.0)
    m.c.add(pyo.log(m.x[0]) >= -5)
    outcome = solve_pyomo(with_objective(m, m.x[0] ** 2))
    assert outcome.termination is Termination.ERROR
    assert "constraint `c[1]` is nan" in outcome.message
    assert not outcome.loaded
    assert capfd.readouterr() == ("", "")


# Arrays straight into Ipopt.


def array_problem(**changes: Any) -> NlpProblem:
    """min (x - 1)^2 + (y - 2)^2 subject to rows of A, which `changes` may replace."""
    matrix = np.atleast_2d(np.asarray(changes.pop("matrix", np.zeros((0, 2))), dtype=float))
    right = np.asarray(changes.pop("right", np.zeros(len(matrix))), dtype=float)
    rows, columns = np.nonzero(matrix)
    centre = np.array([1.0, 2.0])
    fields: dict[str, Any] = {
        "lower": np.full(2, -10.0),
        "upper": np.full(2, 10.0),
        "constraint_lower": right,
        "constraint_upper": right,
        "start": np.zeros(2),
        "objective": lambda x: float(((x - centre) ** 2).sum()),
        "gradient": lambda x: 2.0 * (x - centre),
        "constraints": lambda x: matrix @ x,
        "jacobian_values": lambda x: matrix[rows, columns],
        "jacobian_rows": rows,
        "jacobian_columns": columns,
        "hessian_values": lambda x, multipliers, factor: np.full(2, 2.0 * factor),
        "hessian_rows": np.arange(2),
        "hessian_columns": np.arange(2),
    }
    return NlpProblem(**(fields | changes))


@pytest.mark.parametrize("copies", [2, 3])
def test_redundant_equalities_are_no_obstacle(copies: int) -> None:
    # x + y = 1 as often as there are variables, and once more: projection of (1, 2) on the line is
    # (0, 1)
    factors = np.arange(1.0, copies + 1.0)
    outcome = solve_ipopt(array_problem(matrix=np.outer(factors, [1.0, 1.0]), right=factors))
    assert outcome.termination is Termination.LOCALLY_OPTIMAL
    assert outcome.x == pytest.approx(np.array([0.0, 1.0]), abs=1e-6)
    assert outcome.constraint_multipliers is not None
    assert outcome.constraint_multipliers.shape == (copies,)


def test_contradicting_equalities_are_locally_infeasible() -> None:
    outcome = solve_ipopt(array_problem(matrix=[[1, 1], [2, 2], [3, 3]], right=[1, 2, 4]))
    assert outcome.termination is Termination.LOCALLY_INFEASIBLE
    assert not outcome.feasible


def test_fixed_variable_is_taken_out_and_gets_its_multiplier() -> None:
    # x = 4: slope 2 (4 - 1) = 6 must be balanced by z_L = 6; y is free at 2
    outcome = solve_ipopt(array_problem(lower=np.array([4.0, -10.0]), upper=np.array([4.0, 10.0])))
    assert outcome.x == pytest.approx(np.array([4.0, 2.0]))
    assert outcome.lower_multipliers is not None
    assert outcome.lower_multipliers[0] == pytest.approx(6.0)
    assert outcome.lower_multipliers[1] == pytest.approx(0.0, abs=1e-6)


def test_equality_over_a_fixed_variable_leaves_enough_freedom() -> None:
    # x = 4 and x + y = 5 leave the point (4, 1)
    problem = array_problem(
        matrix=[[1, 1]], right=[5], lower=np.array([4.0, -10.0]), upper=np.array([4.0, 10.0])
    )
    outcome = solve_ipopt(problem)
    assert outcome.termination is Termination.LOCALLY_OPTIMAL
    assert outcome.x == pytest.approx(np.array([4.0, 1.0]))


@pytest.mark.parametrize(
    ("right", "termination"), [(7.0, Termination.OPTIMAL), (8.0, Termination.INFEASIBLE)]
)
def test_all_variables_fixed(right: float, termination: Termination) -> None:
    point = np.array([3.0, 4.0])
    outcome = solve_ipopt(array_problem(matrix=[[1, 1]], right=[right], lower=point, upper=point))
    assert outcome.termination is termination
    assert outcome.objective == (
        8.0 if termination is Termination.OPTIMAL else None
    )  # (3-1)^2 + (4-2)^2
    assert ("constraint `0`" in outcome.message) == (termination is Termination.INFEASIBLE)


def test_crossing_bounds_are_infeasible_and_rounding_is_not() -> None:
    outcome = solve_ipopt(array_problem(lower=np.array([5.0, 0.0]), upper=np.array([4.0, 1.0])))
    assert outcome.termination is Termination.INFEASIBLE
    assert outcome.message == "bounds of variable `0` cross: 5 > 4"
    close = solve_ipopt(
        array_problem(lower=np.array([0.3, 0.0]), upper=np.array([0.1 + 0.2 - 1e-13, 1.0]))
    )
    assert close.termination is Termination.LOCALLY_OPTIMAL
    assert close.x == pytest.approx(np.array([0.3, 1.0]))


def test_reduction_restores_positions() -> None:
    problem = array_problem(
        matrix=[[1, 0], [0, 1], [1, 1]],
        constraint_lower=np.array([4.0, -np.inf, 0.0]),
        constraint_upper=np.array([4.0, np.inf, 9.0]),
        lower=np.array([4.0, -10.0]),
        upper=np.array([4.0, 10.0]),
    )
    reduction = reduce_problem(problem)
    assert reduction.free.tolist() == [1]
    assert reduction.rows.tolist() == [2]  # the first is constant, the second has no bounds
    assert reduction.problem.constraint_name(0) == "2"
    assert reduction.problem.variable_name(0) == "1"
    assert reduction.problem.constraints(np.array([3.0])).tolist() == [7.0]
    assert reduction.expand(np.array([3.0])).tolist() == [4.0, 3.0]


@pytest.mark.parametrize(
    "name", ["objective", "gradient", "constraints", "jacobian_values", "hessian_values"]
)
def test_exception_of_a_callback_is_raised(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    def broken(*arguments: Any) -> Any:
        raise RuntimeError(f"fault in {name}")

    problem = array_problem(matrix=[[1, 1]], right=[1])
    # the gradient is also asked before the solve, to scale the objective
    with pytest.raises(RuntimeError, match=f"fault in {name}"):
        solve_ipopt(
            NlpProblem(
                **{field: getattr(problem, field) for field in NlpProblem.__slots__}
                | {name: broken}
            )
        )
    assert capfd.readouterr() == ("", "")


def test_wrong_positions_are_refused() -> None:
    with pytest.raises(ValueError, match="hessian entries above the diagonal"):
        array_problem(hessian_rows=np.array([0, 0]), hessian_columns=np.array([0, 1]))
    with pytest.raises(ValueError, match="jacobian entries outside of the matrix"):
        array_problem(jacobian_rows=np.array([0]), jacobian_columns=np.array([0]))
    with pytest.raises(ValueError, match="a bound is nan"):
        array_problem(lower=np.array([np.nan, 0.0]))


def test_objective_scale_looks_beside_a_stationary_start() -> None:
    # slope 2 (x - 1) is 0 at the start; a step of 0.1 max(1, |start|) away it is 0.2 in x and 0.4
    # in y
    problem = array_problem(start=np.array([1.0, 2.0]))
    assert objective_scale(problem) == pytest.approx(1 / 0.4)


@pytest.mark.parametrize(
    ("x", "multiplier", "lower", "holds"),
    [
        # minimise (x-1)^2 + (y-2)^2 on x + y = 1: (0, 1) with slope (-2, -2), balanced by lambda =
        # 2
        ([0.0, 1.0], 2.0, [0.0, 0.0], True),
        ([0.0, 1.0], 1.9, [0.0, 0.0], False),  # slopes do not balance
        ([0.1, 1.0], 2.0, [0.0, 0.0], False),  # off the line
        ([0.0, 1.0], 2.1, [0.1, 0.1], False),  # balanced by bounds that do not bind
    ],
)
def test_first_order_conditions(
    x: list[float], multiplier: float, lower: list[float], holds: bool
) -> None:
    problem = array_problem(matrix=[[1, 1]], right=[1])
    parts = (np.array(x), np.array([multiplier]), np.array(lower), np.zeros(2))
    assert first_order_holds(problem, *parts) is holds


# What users pass, and what is printed.


def test_raw_options_reach_ipopt_in_either_number_type() -> None:
    m, _, _ = rosenbrock()
    assert (
        solve_pyomo(m, raw={"max_iter": 2.0, "tol": 1}).termination is Termination.ITERATION_LIMIT
    )


@pytest.mark.parametrize("solver", ["ipopt", "bonmin"])
def test_unknown_option_is_an_error_of_the_caller(
    solver: str, capfd: pytest.CaptureFixture[str]
) -> None:
    m, _, _ = quadratic()
    with pytest.raises(ValueError, match="no_such_option"):
        solve_pyomo(m, solver=solver, raw={"no_such_option": 3})
    assert capfd.readouterr().out == ""


@pytest.mark.parametrize("solver", ["ipopt", "bonmin"])
@pytest.mark.parametrize("log", [False, True])
def test_standard_output_stays_clean(
    solver: str, log: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    m, _, _ = geometric_mean()
    solve_pyomo(m, solver=solver, log=log)
    printed = capfd.readouterr()
    assert printed.out == ""
    assert bool(printed.err) == log


def test_standard_output_comes_back_after_an_error(capfd: pytest.CaptureFixture[str]) -> None:
    def talk() -> None:
        with solver_output() as printed:
            print("through python")
            os.write(1, b"through the descriptor\n")
            texts.append(printed)
            raise RuntimeError("stop")

    texts: list[Any] = []
    with pytest.raises(RuntimeError, match="stop"):
        talk()
    assert "through python" in texts[0].text
    assert "through the descriptor" in texts[0].text
    os.write(1, b"after\n")
    assert capfd.readouterr().out == "after\n"


def test_unsupported_models_are_named() -> None:
    m = model(lower=0.0, upper=1.0)
    m.first = pyo.Objective(expr=m.x[0])
    m.second = pyo.Objective(expr=m.x[1])
    with pytest.raises(UnsupportedModel, match="`first`, `second`"):
        solve_pyomo(m)
    m.second.deactivate()
    m.sets = pyo.SOSConstraint(var=m.x, sos=1)
    with pytest.raises(UnsupportedModel, match="special ordered set `sets`"):
        solve_pyomo(m)
    with pytest.raises(ValueError, match="found `cplex`"):
        solve_pyomo(m, solver="cplex")


def test_ipopt_refuses_integers_unless_relaxed() -> None:
    m = model(lower=0.0, upper=4.0)
    m.x[0].domain = pyo.Integers
    with_objective(m, (m.x[0] - 1.5) ** 2 + m.x[1])
    with pytest.raises(UnsupportedModel, match=r"`x\[0\]` is integer"):
        solve_pyomo(m)
    outcome = solve_pyomo(m, relax_integers=True)
    assert outcome.termination is Termination.LOCALLY_OPTIMAL
    assert m.x[0].value == pytest.approx(1.5)


@pytest.mark.parametrize("solver", ["ipopt", "bonmin"])
def test_model_with_every_variable_fixed(solver: str) -> None:
    m = model(start=2.0)
    m.c.add(m.x[0] + m.x[1] == 4)
    with_objective(m, -(m.x[0] ** 2), maximise=True)
    m.x.fix()
    outcome = solve_pyomo(m, solver=solver)
    assert (outcome.termination, outcome.objective) == (Termination.OPTIMAL, -4.0)
    m.x[1].fix(3.0)
    outcome = solve_pyomo(m, solver=solver)
    assert outcome.termination is Termination.INFEASIBLE
    assert "constraint `c[1]` has no free variable" in outcome.message


def test_suffixes_of_the_model_do_not_disturb() -> None:
    # projection of the origin on x + 2y = 5; scaling and old multipliers must not change it
    m, optimum, _ = equality()
    m.dual = pyo.Suffix(direction=pyo.Suffix.IMPORT_EXPORT)
    m.dual[m.c[1]] = 3.0
    m.scaling_factor = pyo.Suffix(direction=pyo.Suffix.EXPORT)
    m.scaling_factor[m.x[0]] = 100.0
    assert solve_pyomo(m).objective == pytest.approx(optimum)


# Bonmin.


def grid_minimum(
    objective: Callable[..., float], feasible: Callable[..., bool], ranges: list[range]
) -> float:
    """The least objective over all feasible integer points; infinite where there is none."""
    points = (point for point in itertools.product(*ranges) if feasible(*point))
    return min((objective(*point) for point in points), default=math.inf)


def facility(scale: float, seed: int) -> tuple[Model, float]:
    """A random convex integer problem in the given unit, and its optimum by enumeration of 4^4
    points.
    """
    generator = np.random.default_rng(seed)
    factor = generator.normal(size=(4, 4))
    matrix, centre = factor @ factor.T, generator.uniform(0, 3, 4)
    rows = generator.uniform(0, 1, (3, 4))
    right = rows.sum(axis=1) * generator.uniform(0.6, 1.6, 3)

    def cost(*point: int) -> float:
        distance = np.array(point) - centre
        return scale * float(distance @ matrix @ distance)

    def allowed(*point: int) -> bool:
        return bool((rows @ np.array(point) <= right + 1e-9).all())

    m = model(4, 0, 3, start=0)
    m.x.domain = pyo.Integers
    for row, limit in zip(rows, right, strict=True):
        m.c.add(sum(row[i] * m.x[i] for i in range(4)) <= limit)
    distance = [m.x[i] - centre[i] for i in range(4)]
    total = sum(matrix[i, j] * distance[i] * distance[j] for i in range(4) for j in range(4))
    return with_objective(m, scale * total), grid_minimum(cost, allowed, [range(4)] * 4)


@pytest.mark.slow
@pytest.mark.parametrize("scale", [1e-10, 1e-7, 1.0, 1e7])
def test_bonmin_agrees_with_enumeration_in_any_unit(scale: float) -> None:
    for seed in range(6):
        m, optimum = facility(scale, seed)
        outcome = solve_pyomo(m, solver="bonmin")
        assert outcome.termination is Termination.OPTIMAL
        assert outcome.objective == pytest.approx(optimum, rel=1e-6)
        assert outcome.bound == pytest.approx(optimum, rel=1e-5)
        assert all(isinstance(m.x[i].value, int) for i in range(4))


def mixed(maximise: bool = False) -> Model:
    # minimise (a - 2.3)^2 + (b - 1.6)^2 + exp(a)/10 over integers; t = exp(a)/10 is continuous
    m = pyo.ConcreteModel()
    m.a = pyo.Var(domain=pyo.NonNegativeIntegers, bounds=(0, 5))
    m.b = pyo.Var(domain=pyo.NonNegativeIntegers, bounds=(0, 5))
    m.t = pyo.Var(domain=pyo.NonNegativeReals)
    m.epigraph = pyo.Constraint(expr=m.t >= pyo.exp(m.a) / 10)
    m.total = pyo.Constraint(expr=m.a + m.b <= 4.5)
    cost = (m.a - 2.3) ** 2 + (m.b - 1.6) ** 2 + m.t
    return with_objective(m, -cost if maximise else cost, maximise)


@pytest.mark.parametrize("maximise", [False, True])
def test_bonmin_solves_a_mixed_problem_in_either_sense(maximise: bool) -> None:
    best = grid_minimum(
        lambda a, b: (a - 2.3) ** 2 + (b - 1.6) ** 2 + math.exp(a) / 10,
        lambda a, b: a + b <= 4,
        [range(6)] * 2,
    )
    m = mixed(maximise)
    outcome = solve_pyomo(m, solver="bonmin")
    assert outcome.termination is Termination.OPTIMAL
    assert outcome.objective == pytest.approx(-best if maximise else best, rel=1e-6)
    assert (m.a.value, m.b.value) == (2, 2)
    assert outcome.bound is not None
    assert outcome.objective is not None
    # a bound lies on the better side of the objective
    assert (
        (outcome.bound >= outcome.objective) if maximise else (outcome.bound <= outcome.objective)
    )


def test_bonmin_knapsack() -> None:
    # values 6, 5, 4 and weights 5, 4, 3 within 8: {0, 2} gives 10, {0, 1} weighs 9, {1, 2} gives 9
    m = model(3, start=0)
    m.x.domain = pyo.Binary
    m.c.add(5 * m.x[0] + 4 * m.x[1] + 3 * m.x[2] <= 8)
    outcome = solve_pyomo(
        with_objective(m, 6 * m.x[0] + 5 * m.x[1] + 4 * m.x[2], maximise=True), "bonmin"
    )
    assert outcome.objective == pytest.approx(10.0)
    assert [m.x[i].value for i in range(3)] == [1, 0, 1]


@pytest.mark.parametrize(
    ("matrix", "right", "optimum"),
    [
        ([[1, 1]], [3], 1.64),  # (2, 1): 0.8^2 + 1; (1, 2): 4.04
        (
            [[1, 1], [1, -1], [2, 0]],
            [3, 1, 4],
            1.64,
        ),  # three equalities for two variables, one point
        ([[1, 1], [1, -1], [2, 0]], [3, 1, 6], None),  # the third contradicts
        ([[2, 2]], [5], None),  # an odd number is no sum of even ones
    ],
)
def test_bonmin_with_equalities(
    matrix: list[list[int]], right: list[int], optimum: float | None
) -> None:
    m = model(2, 0, 5, start=0)
    m.x.domain = pyo.Integers
    for row, value in zip(matrix, right, strict=True):
        m.c.add(row[0] * m.x[0] + row[1] * m.x[1] == value)
    outcome = solve_pyomo(with_objective(m, (m.x[0] - 1.2) ** 2 + m.x[1] ** 2), solver="bonmin")
    if optimum is None:
        assert outcome.termination is Termination.INFEASIBLE
        assert outcome.values is None
    else:
        assert outcome.objective == pytest.approx(optimum)


def test_bonmin_sees_an_empty_integer_range() -> None:
    m = model(2, 0.0, 5.0, start=0)
    m.x[0].domain = pyo.Integers
    m.x[0].setlb(0.2)
    m.x[0].setub(0.8)
    outcome = solve_pyomo(with_objective(m, (m.x[0] - 1) ** 2 + m.x[1] ** 2), solver="bonmin")
    assert outcome.termination is Termination.INFEASIBLE
    assert "`x[0]`" in outcome.message


def test_bonmin_without_integers_or_constraints() -> None:
    m, optimum, point = quadratic()
    outcome = solve_pyomo(m, solver="bonmin")
    assert outcome.objective == pytest.approx(optimum)
    assert [m.x[0].value, m.x[1].value] == pytest.approx(point, abs=1e-4)


def test_bonmin_names_an_undefined_start() -> None:
    m = model(1, -5, -1, start=-3)
    m.x.domain = pyo.Integers
    m.c.add(pyo.log(m.x[0]) >= 0)
    outcome = solve_pyomo(with_objective(m, m.x[0]), solver="bonmin")
    assert outcome.termination is Termination.ERROR
    assert "constraint `c[1]` is not finite at the start" in outcome.message


def test_bonmin_lets_only_the_reliable_algorithm_through() -> None:
    with pytest.raises(ValueError, match="`B-QG` of bonmin is not reliable"):
        solve_pyomo(mixed(), solver="bonmin", raw={"algorithm": "B-QG"})


def hard() -> Model:
    """Thirty coupled integers: far more than a few seconds of search."""
    generator = np.random.default_rng(0)
    factor, centre = generator.normal(size=(30, 30)), generator.uniform(-3, 3, 30)
    matrix = factor @ factor.T
    m = model(30, -5, 5, start=0)
    m.x.domain = pyo.Integers
    distance = [m.x[i] - centre[i] for i in range(30)]
    return with_objective(
        m, sum(matrix[i, j] * distance[i] * distance[j] for i in range(30) for j in range(30))
    )


# of Cbc's log: a point beside a bound
BETTER = r"After [1-9]\d* nodes.* best solution"


def assert_stopped_in_order(outcome: PyomoOutcome) -> None:
    assert outcome.objective is not None
    assert outcome.bound is not None
    assert 0.0 <= outcome.bound < outcome.objective  # a sum of squares is at least 0
    assert outcome.loaded


@pytest.mark.slow
def test_bonmin_time_limit_gives_point_and_bound() -> None:
    outcome = within_some_limit(
        lambda limit: solve_pyomo(hard(), solver="bonmin", time_limit=limit),
        lambda outcome: None not in (outcome.objective, outcome.bound),
    )
    assert outcome.termination is Termination.TIME_LIMIT
    assert_stopped_in_order(outcome)


@pytest.mark.slow
def test_bonmin_node_limit_gives_point_and_bound() -> None:
    outcome = solve_pyomo(hard(), solver="bonmin", node_limit=200)
    assert outcome.termination is Termination.ITERATION_LIMIT
    assert outcome.message == "node limit"
    assert_stopped_in_order(outcome)


@pytest.mark.slow
def test_bonmin_stops_in_order_on_interrupt_and_solves_again(
    capfd: pytest.CaptureFixture[str],
) -> None:
    # an interrupted Bonmin would answer "interrupted" to every later solve of its process
    before = signal.getsignal(signal.SIGINT)
    has_point, ended = once_logged(BETTER, capfd), threading.Event()

    # a thread that sends the signal while the main thread waits for the solver, as a terminal would
    def press() -> None:
        while not ended.wait(0.05):
            if has_point():
                os.kill(os.getpid(), signal.SIGINT)
                return

    pressing = threading.Thread(target=press)
    pressing.start()
    try:
        outcome = solve_pyomo(hard(), solver="bonmin", time_limit=PATIENCE, log=True)
    finally:
        ended.set()
        pressing.join()
    assert outcome.termination is Termination.INTERRUPTED
    assert_stopped_in_order(outcome)
    assert signal.getsignal(signal.SIGINT) is before
    again = solve_pyomo(mixed(), solver="bonmin")
    assert again.termination is Termination.OPTIMAL


@pytest.mark.slow
def test_bonmin_is_stopped_by_a_flag(capfd: pytest.CaptureFixture[str]) -> None:
    flag = once_logged(BETTER, capfd)
    outcome = solve_pyomo(hard(), solver="bonmin", log=True, should_stop=flag)
    assert outcome.termination is Termination.INTERRUPTED
    assert solve_pyomo(mixed(), solver="bonmin").termination is Termination.OPTIMAL


def test_bonmin_that_dies_is_an_error_with_its_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    def die(*_: object, **__: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(bonmin_run, "solve_bonmin", die)
    outcome = solve_pyomo(mixed(), solver="bonmin")
    assert outcome.termination is Termination.ERROR
    assert "signal 9, SIGKILL" in outcome.message


def test_the_package_offers_it_by_name() -> None:
    import mecdsl

    model = pyo.ConcreteModel()
    model.x = pyo.Var(initialize=3.0)
    model.cost = pyo.Objective(expr=(model.x - 1.0) ** 4)
    assert mecdsl.solve_pyomo(model, solver="ipopt").termination is Termination.LOCALLY_OPTIMAL
    assert pyo.value(model.x) == pytest.approx(1.0, abs=1e-2)
