"""Split inference over NOMA on arrays: rates, costs and closed forms against plain loops, and the
shipped models against the same loops.
"""

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from mecdsl.backends.noma.closed_forms import (
    best_units,
    choose_cuts,
    computing_cost,
    edge_speed,
    envelope,
    lone_power,
    lower_bound,
    price,
)
from mecdsl.backends.noma.cost import objective
from mecdsl.backends.noma.occupancy import Occupancy
from mecdsl.backends.noma.system import NONE, Form
from tests.noma_literal import draw_decisions, draw_system, of_decisions

FORMS = {
    "base": Form(),
    "silent": Form(silent=True),
    "oma": Form(oma=True),
    "oma_silent": Form(silent=True, oma=True),
}
SHAPES = [(2, 5, 3), (3, 9, 2), (1, 6, 2), (2, 6, 1), (3, 1, 2), (1, 1, 1), (4, 3, 3)]


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("ties", [False, True])
def test_a_point_costs_what_the_formulas_say(
    form: Form, shape: tuple[int, int, int], ties: bool
) -> None:
    for seed in range(5):
        system = draw_system(seed, *shape, ties=ties)
        decisions = draw_decisions(system, seed + 100, form)
        expected = of_decisions(system, form, decisions)
        assert objective(system, form, decisions) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("oma", [False, True])
@pytest.mark.parametrize("ties", [False, True])
def test_the_slopes_of_a_link_are_those_of_finite_differences(oma: bool, ties: bool) -> None:
    system = draw_system(3, 3, 12, 2, ties=ties)
    draw = np.random.default_rng(0)
    channel = draw.integers(-1, 2, 12)
    for link in system.links:
        occupancy = Occupancy(link, channel, oma)
        users = occupancy.users
        data = system.cut_size[users, 0], system.time_weight[users], system.energy_weight[users]
        power = draw.uniform(link.power_min, link.power_max, len(users))
        _, slope = occupancy.cost(power, *data)
        for j in range(len(users)):
            step = np.zeros(len(users))
            step[j] = 1e-6 * power[j]
            high, low = (occupancy.cost(power + sign * step, *data)[0] for sign in (1.0, -1.0))
            assert slope[j] == pytest.approx(
                (high - low) / (2.0 * step[j]), rel=1e-5, abs=1e-6 * np.abs(slope).max()
            )


def test_the_best_power_of_one_user_is_that_of_a_search() -> None:
    system = draw_system(0)
    link = system.uplink
    draw = np.random.default_rng(1)
    for gain in 10.0 ** draw.uniform(-4.0, 8.0, 60):
        weights = tuple(10.0 ** draw.uniform(-3.0, 0.0, 2))
        found = lone_power(np.array(gain), weights[0], weights[1], 1e-3, 0.3162)
        best = minimize_scalar(
            lambda log_power, *data: float(price(link, np.array(np.exp(log_power)), *data)),
            bounds=(np.log(1e-3), np.log(0.3162)),
            args=(np.array(gain), *weights),
            method="bounded",
            options={"xatol": 1e-12},
        )
        assert price(link, found, np.array(gain), weights[0], weights[1]) <= best.fun * (
            1.0 + 1e-12
        )


@pytest.mark.parametrize("a", [1e-12, 1e-8, 0.99e-4, 1.01e-4, 0.5, 1.0, 30.0, 1e9])
def test_the_best_power_solves_its_equation(a: float) -> None:
    # (1 + x) ln(1 + x) - x = a, where x = p gain; x^2/2 - x^3/6 + x^4/12 near 0
    x = float(lone_power(np.array(1.0), a, 1.0, 0.0, np.inf))
    left = (1.0 + x) * np.log1p(x) - x if x > 0.05 else x**2 / 2 - x**3 / 6 + x**4 / 12 - x**5 / 20
    assert left == pytest.approx(a, rel=1e-6)


def test_a_user_whose_energy_or_time_has_no_weight_sends_at_an_end_of_its_box() -> None:
    gain = np.array([1e3, 1e5])
    assert lone_power(gain, 1.0, 0.0, 0.1, 2.0).tolist() == [2.0, 2.0]
    assert lone_power(gain, 0.0, 1.0, 0.1, 2.0).tolist() == [0.1, 0.1]


def test_edge_units_are_best_for_every_cut() -> None:
    system = draw_system(4, users=40)
    best = best_units(system)
    cost = computing_cost(system, best)
    assert (edge_speed(system, best) > 0.0).all()
    for factor in (0.9, 0.99, 1.01, 1.1):
        moved = np.clip(best * factor, system.edge_units_min, system.edge_units_max)
        assert (computing_cost(system, moved) >= cost * (1.0 - 1e-12)).all()
    free = draw_system(4, energy_weight=np.zeros(5))
    assert (best_units(free) == 32.0).all()
    patient = draw_system(4, time_weight=np.zeros(5))
    assert (best_units(patient) == 1.0).all()


def test_only_cuts_on_the_envelope_are_ever_chosen() -> None:
    draw = np.random.default_rng(5)
    fixed, size = draw.uniform(0.0, 1.0, (200, 7)), draw.uniform(0.0, 1.0, (200, 7)).round(1)
    found = envelope(fixed, size)
    chosen = np.zeros_like(found)
    for slope in np.append(0.0, np.logspace(-4, 4, 4000)):
        chosen[np.arange(200), choose_cuts(fixed + size * slope, common=False)] = True
    assert (found >= chosen).all()
    assert (found & ~chosen).mean() < 0.01  # intervals between two slopes that were tried


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_no_point_is_below_the_bound(form: Form) -> None:
    for seed in range(30):
        system = draw_system(seed, 2, 4, 2)
        bound = lower_bound(system, form)
        costs = [objective(system, form, draw_decisions(system, k, form)) for k in range(30)]
        assert bound <= min(costs)


def test_one_user_alone_reaches_the_bound() -> None:
    system = draw_system(7, 1, 1, 3)
    best = [
        lone_power(
            link.own.max(axis=1),
            system.time_weight,
            system.energy_weight,
            link.power_min,
            link.power_max,
        )
        for link in system.links
    ]
    up, down = (link.own.argmax(axis=1) for link in system.links)
    costs = []
    for cut in range(system.layers + 1):
        plan = draw_decisions(system, 0)
        decided = {"up": up, "down": down, "up_power": best[0], "down_power": best[1]}
        point = type(plan)(cut=np.array([cut]), edge_units=best_units(system), **decided)
        costs.append(objective(system, Form(), point))
    assert min(costs) == pytest.approx(lower_bound(system, Form()), rel=1e-11)


def test_nobody_is_silent_without_the_form() -> None:
    system = draw_system(1, 2, 7, 2, users_per_subchannel_max=1)
    assert "has" in system.infeasible(Form())
    assert system.infeasible(Form(silent=True)) == ""
    assert Occupancy(system.uplink, np.full(7, NONE)).rates(np.zeros(0)).size == 0


def test_data_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="`cpu` > 0"):
        draw_system(0, cpu=np.zeros(5))
    with pytest.raises(ValueError, match="shape"):
        draw_system(0, result_size=np.zeros(4))
    with pytest.raises(ValueError, match="finite numbers >= 0 in `cut_size`"):
        draw_system(0, cut_size=np.full((5, 4), np.inf))
    with pytest.raises(ValueError, match="`noise` > 0"):
        draw_system(0, uplink={"noise": 0.0})
