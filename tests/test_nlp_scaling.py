"""A model in wild units has the answer of the same model in units near one, whatever the units are.

Each model is stated once in variables `u` of size 1; `wild` states it in x = size * u, its rows and
objective multiplied by factors of 1e-12 to 1e12. So the right point, multipliers and bounds are
those of the plain model times these factors, and the plain optima are known: published (HS71), or
derived beside the model.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyomo.environ as pyo
import pytest

from mecdsl.backends.nlp.nlp_scaling import find_scaling
from mecdsl.backends.nlp.pyomo_nlp import nlp_from_pyomo, solve_pyomo
from mecdsl.solution import Termination

Parts = tuple[Any, list[tuple[Any, float | None, float | None]]]


def hs71(u: Sequence[Any]) -> Parts:
    return u[0] * u[3] * (u[0] + u[1] + u[2]) + u[2], [
        (u[0] * u[1] * u[2] * u[3], 25.0, None),
        (u[0] ** 2 + u[1] ** 2 + u[2] ** 2 + u[3] ** 2, 40.0, 40.0),
    ]


def speeds(u: Sequence[Any]) -> Parts:
    """Energy of three tasks 1, 3, 2 by a deadline 2: all speeds are 6/2, energy 6*9, derivative
    -2*6^3/2^3.
    """
    work = (1.0, 3.0, 2.0)
    energy = sum(w * s**2 for w, s in zip(work, u, strict=True))
    return energy, [(sum(w / s for w, s in zip(work, u, strict=True)), None, 2.0)]


def water(u: Sequence[Any]) -> Parts:
    """-ln(1 + u) - ln(1 + 3 u') with u + u' <= 2: levels 1 + u = 1/3 + u', so u = 2/3, u' = 4/3."""
    return -pyo.log(1.0 + u[0]) - pyo.log(1.0 + 3.0 * u[1]), [(u[0] + u[1], None, 2.0)]


PLAIN: dict[
    str, tuple[Callable[[Sequence[Any]], Parts], list[float], float, list[float], float]
] = {
    "hs71": (hs71, [1.0, 5.0, 5.0, 1.0], 17.0140173, [1.0, 4.7429994, 3.8211503, 1.3794082], 5.0),
    "speeds": (speeds, [2.0, 2.0, 2.0], 54.0, [3.0, 3.0, 3.0], 10.0),
    "water": (
        water,
        [0.5, 0.5],
        -math.log(5.0 / 3.0) - math.log(5.0),
        [2.0 / 3.0, 4.0 / 3.0],
        10.0,
    ),
}
LOWEST = {"hs71": 1.0, "speeds": 0.01, "water": 0.0}


def wild(
    name: str, size: Sequence[float], row: float, goal: float, starts: bool, sense: int = 1
) -> Any:
    parts, start, _, _, top = PLAIN[name]
    model: Any = pyo.ConcreteModel()
    model.x = pyo.Var(range(len(start)))
    for i, value in enumerate(start):
        model.x[i].bounds = (LOWEST[name] * size[i], top * size[i])
        if starts:
            model.x[i] = value * size[i]
    u = [model.x[i] / size[i] for i in range(len(start))]
    objective, rows = parts(u)
    aim = pyo.minimize if sense == 1 else pyo.maximize
    model.goal = pyo.Objective(expr=sense * goal * objective, sense=aim)
    model.rows = pyo.ConstraintList()
    for body, low, high in rows:
        bounds = (
            None if low is None else row * low,
            row * body,
            None if high is None else row * high,
        )
        model.rows.add((bounds[1] == bounds[0]) if low == high else bounds)
    return model


def sizes(name: str, seed: int) -> tuple[list[float], float, float]:
    draw = np.random.default_rng(seed)
    count = len(PLAIN[name][1])
    powers = draw.integers(-12, 13, count + 2)
    return (
        [10.0 ** int(p) for p in powers[:count]],
        10.0 ** int(powers[-2]),
        10.0 ** int(powers[-1]),
    )


@pytest.mark.parametrize("sense", [1, -1])
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("name", PLAIN)
def test_answers_do_not_depend_on_units(name: str, seed: int, sense: int) -> None:
    size, row, goal = sizes(name, seed)
    _, _, optimum, point, _ = PLAIN[name]
    model = wild(name, size, row, goal, starts=True, sense=sense)
    outcome = solve_pyomo(model)
    assert outcome.termination is Termination.LOCALLY_OPTIMAL
    assert outcome.objective == pytest.approx(sense * goal * optimum, rel=1e-6)
    assert outcome.values is not None
    assert np.allclose(outcome.values / np.array(size), point, rtol=1e-4)
    assert outcome.loaded
    assert pyo.value(model.goal) == pytest.approx(sense * goal * optimum, rel=1e-6)
    plain = solve_pyomo(wild(name, [1.0] * len(size), 1.0, 1.0, starts=True), scale=False)
    assert outcome.multipliers is not None
    assert plain.multipliers is not None
    assert np.allclose(
        outcome.multipliers * row / goal, sense * plain.multipliers, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("seed", [4, 5])
def test_sizes_come_from_bounds_where_no_start_is_given(seed: int) -> None:
    size, row, goal = sizes("speeds", seed)
    outcome = solve_pyomo(wild("speeds", size, row, goal, starts=False))
    assert outcome.objective == pytest.approx(54.0 * goal, rel=1e-6)


def test_sizes_come_from_the_rows_where_nothing_else_is_given() -> None:
    # x y = 4e-24 and x + y = 5e-12 leave {1e-12, 4e-12}; x + 2 y is least at y = 1e-12
    model: Any = pyo.ConcreteModel()
    model.x, model.y = pyo.Var(bounds=(0, None)), pyo.Var(bounds=(0, None))
    model.goal = pyo.Objective(expr=1e9 * model.x + 2e9 * model.y)
    model.product = pyo.Constraint(expr=model.x * model.y >= 4e-24)
    model.sum = pyo.Constraint(expr=model.x + model.y == 5e-12)
    outcome = solve_pyomo(model)
    assert outcome.objective == pytest.approx(6e-3, rel=1e-6)
    assert model.y.value == pytest.approx(1e-12, rel=1e-4)


def test_bonmin_returns_value_and_bound_in_the_units_of_the_model() -> None:
    # machines at 1e-6 each take 1e9 of 3.4e9, the rest costs 5e-24 times its square: n = 3, 3e-6 +
    # 0.8e-6
    model: Any = pyo.ConcreteModel()
    model.n = pyo.Var(domain=pyo.Integers, bounds=(0, 10))
    model.rest = pyo.Var(bounds=(0, 1e11))
    model.cost = pyo.Objective(expr=1e-6 * model.n + 5e-24 * model.rest**2)
    model.need = pyo.Constraint(expr=model.rest + 1e9 * model.n >= 3.4e9)
    least = min(1e-6 * n + 5e-24 * max(0.0, 3.4e9 - 1e9 * n) ** 2 for n in range(11))
    outcome = solve_pyomo(model, solver="bonmin")
    assert least == pytest.approx(3.8e-6)
    assert outcome.objective == pytest.approx(least, rel=1e-5)
    assert outcome.bound == pytest.approx(least, rel=1e-5)
    assert model.n.value == 3


def test_a_row_that_is_broken_by_all_of_its_size_is_not_loaded() -> None:
    # 1e-15 W of 4e-15 W: in SI the row is broken by 3e-15 and every point would pass
    model: Any = pyo.ConcreteModel()
    model.p = pyo.Var(bounds=(0, 1e-15), initialize=1e-15)
    model.goal = pyo.Objective(expr=model.p)
    model.need = pyo.Constraint(expr=model.p**2 >= 1.6e-29)
    outcome = solve_pyomo(model)
    assert not outcome.loaded


def test_numbers_near_one_stay_as_they_are() -> None:
    nlp = nlp_from_pyomo(wild("hs71", [1.0] * 4, 1.0, 1.0, starts=True))
    assert not find_scaling(nlp.problem, nlp.integer).changes


def test_integers_and_fixed_columns_keep_their_unit_and_factors_are_powers_of_two() -> None:
    model: Any = pyo.ConcreteModel()
    model.n = pyo.Var(domain=pyo.Integers, bounds=(0, 10**9))
    model.x = pyo.Var(bounds=(0, 1e-12))
    model.c = pyo.Var(bounds=(3e7, 3e7))
    model.goal = pyo.Objective(expr=model.x + 1e-9 * model.n)
    model.row = pyo.Constraint(expr=1e12 * model.x + model.n + model.c >= 4e7)
    nlp = nlp_from_pyomo(model)
    scaling = find_scaling(nlp.problem, nlp.integer)
    factors = dict(zip(nlp.variable_names, scaling.column.tolist(), strict=True))
    assert factors["n"] == factors["c"] == 1.0
    assert factors["x"] < 1e-6
    assert (
        np.frexp(np.concatenate([scaling.column, scaling.row, [scaling.objective]]))[0] == 0.5
    ).all()
