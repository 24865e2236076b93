"""The methods for split inference over NOMA on arrays: what they promise, against enumeration, closed
forms, a second tool and each other.
"""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from scipy.optimize import Bounds, minimize

from mecdsl.backends.noma.assignment import candidates, greedy_channels
from mecdsl.backends.noma.baselines import Rule, baseline, bound, device_only, greedy
from mecdsl.backends.noma.box_descent import descend
from mecdsl.backends.noma.closed_forms import (
    best_units,
    computing_cost,
    cut_costs,
    lone_power,
    lone_prices,
    lower_bound,
)
from mecdsl.backends.noma.cost import objective
from mecdsl.backends.noma.improved import improved
from mecdsl.backends.noma.ligd import Loop, ligd
from mecdsl.backends.noma.occupancy import Occupancy
from mecdsl.backends.noma.polish import Polish
from mecdsl.backends.noma.system import NONE, Decisions, Form, Integers, Link, Plan, Reals, System
from mecdsl.solution import Termination
from tests.noma_literal import draw_decisions, draw_system, of_decisions

FORMS = {
    "base": Form(),
    "silent": Form(silent=True),
    "oma": Form(oma=True),
    "oma_silent": Form(silent=True, oma=True),
    "common": Form(common=True),
    "common silent": Form(silent=True, common=True),
}


def point(plan: Plan) -> Decisions:
    assert plan.decisions is not None
    return plan.decisions


def cost(plan: Plan) -> float:
    assert plan.objective is not None
    return plan.objective


def require_feasible(system: System, form: Form, decisions: Decisions) -> None:
    """Every constraint of (18), literally."""
    active = ~((decisions.cut == system.layers) & form.silent)
    assert ((decisions.cut >= 0) & (decisions.cut <= system.layers)).all()
    assert not form.common or len(set(decisions.cut.tolist())) <= 1
    for link, channel, power in (
        (system.uplink, decisions.up, decisions.up_power),
        (system.downlink, decisions.down, decisions.down_power),
    ):
        assert ((channel == NONE) == ~active).all()
        assert (power[~active] == 0.0).all()
        assert ((power >= link.power_min) & (power <= link.power_max))[active].all()
        for n in range(system.shape[0]):
            own = channel[active & (system.home == n)]
            assert np.bincount(own, minlength=1).max() <= system.users_per_subchannel_max
    units = decisions.edge_units
    assert ((units >= system.edge_units_min) & (units <= system.edge_units_max)).all()


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("seed", range(4))
def test_points_are_feasible_cost_what_is_claimed_and_keep_the_bound(form: Form, seed: int) -> None:
    system = draw_system(seed, 2, 5, 3)
    plans = [greedy(system, form), improved(system, form, time_limit=0.5)]
    if not form.oma:
        plans.append(ligd(system, form, Loop()))
    if form.silent:
        plans.append(device_only(system, form))
    for plan in plans:
        require_feasible(system, form, point(plan))
        assert cost(plan) == pytest.approx(of_decisions(system, form, point(plan)), rel=1e-10)
        assert plan.bound == bound(system, form).bound
        assert plan.bound is not None
        assert plan.bound <= cost(plan)


@pytest.mark.slow
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_search_is_not_worse_than_its_start(form: Form) -> None:
    system = draw_system(11, 2, 5, 2)
    assert cost(improved(system, form)) <= cost(greedy(system, form)) * (1.0 + 1e-9)


@pytest.mark.slow
def test_one_cell_with_a_user_on_each_subchannel_is_an_assignment_problem() -> None:
    for seed in range(6):
        system = draw_system(seed, 1, 3, 4, users_per_subchannel_max=1)
        polish, every = Polish(system, Form()), np.arange(3)
        fixed = computing_cost(system, best_units(system))
        up, down = (lone_prices(system, link) for link in system.links)
        best = [np.inf, np.inf]
        for chosen in permutations(range(4), 3):
            sent = cut_costs(system, Form(), fixed, up[every, chosen], np.zeros(3)).min(axis=1)
            received = system.result_size * down[every, chosen]
            found = polish.finish((np.array(chosen), np.array(chosen)))
            assert found.cost == pytest.approx(float((sent + received).sum()), rel=1e-9)
            best = [min(best[0], float(sent.sum())), min(best[1], float(received.sum()))]
        # moves and swaps may miss what takes three users at once
        assert sum(best) * (1.0 - 1e-9) <= cost(improved(system, Form())) <= 1.01 * sum(best)


@pytest.mark.parametrize("silent", [False, True])
def test_with_one_user_on_each_subchannel_of_a_cell_there_is_nothing_to_share(silent: bool) -> None:
    system = draw_system(5, 3, 6, 6)
    draw = np.random.default_rng(2)
    start = draw_decisions(system, 1)
    decisions = replace(start, cut=np.minimum(start.cut, system.layers - 1))
    decisions = replace(decisions, up=draw.permutation(6), down=draw.permutation(6))
    found = [objective(system, Form(silent=silent, oma=oma), decisions) for oma in (False, True)]
    assert found[0] == pytest.approx(found[1], rel=1e-12)


def test_all_layers_on_the_devices_cost_what_a_hand_computes() -> None:
    system = draw_system(3, 2, 4, 2)
    form = Form(silent=True)
    work = system.layer_work.sum(axis=1)
    time = work / system.cpu
    energy = 1e-27 * system.cpu**2 * work
    plan = device_only(system, form)
    expected = float((system.time_weight * time + system.energy_weight * energy).sum())
    assert cost(plan) == pytest.approx(expected, rel=1e-12)
    assert plan.certificate["total_time"] == pytest.approx(time.sum(), rel=1e-12)
    assert plan.certificate["total_energy"] == pytest.approx(energy.sum(), rel=1e-12)


@pytest.mark.parametrize("rule", Rule)
def test_a_baseline_claims_no_less_than_it_costs(rule: Rule) -> None:
    form = Form(silent=True, oma=True)
    for seed in range(10):
        system = draw_system(seed, 2, 6, 2)
        plan = baseline(system, form, rule)
        require_feasible(system, form, point(plan))
        assert cost(plan) <= plan.certificate["claimed_cost"] * (1.0 + 1e-12)
        assert plan.bound is not None
        assert plan.bound <= cost(plan)
        if rule is Rule.EDGE_ONLY:
            assert (point(plan).cut == 0).all()
            assert cost(plan) == pytest.approx(plan.certificate["claimed_cost"], rel=1e-12)


def test_a_baseline_that_breaks_the_cap_says_so() -> None:
    system = draw_system(0, 1, 5, 2, users_per_subchannel_max=1)
    plan = baseline(system, Form(silent=True, oma=True), Rule.NEUROSURGEON)
    assert plan.message == "knows no K: access point 1 has 5 users and 2 places"


def test_neurosurgeon_has_the_least_latency_of_all_cuts() -> None:
    system = draw_system(8, 2, 5, 3)
    form = Form(oma=True, silent=True)
    found = baseline(system, form, Rule.NEUROSURGEON)
    others = []
    for cut in range(system.layers + 1):
        decisions = point(baseline(system, Form(oma=True), Rule.EDGE_ONLY))
        moved = replace(decisions, cut=np.full(5, cut))
        data = (
            replace(system, energy_weight=np.zeros(5), time_weight=np.eye(5)[i]) for i in range(5)
        )
        others.append([of_decisions(one, Form(oma=True), moved) for one in data])
    others[-1] = (system.layer_work.sum(axis=1) / system.cpu).tolist()
    assert point(found).cut.tolist() == np.argmin(others, axis=0).tolist()


# Powers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("oma", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_powers_are_those_of_another_minimiser(oma: bool, seed: int) -> None:
    system = draw_system(seed, 2, 8, 2)
    link = system.uplink
    occupancy = Occupancy(link, np.random.default_rng(seed).integers(0, 2, 8), oma)
    load = system.cut_size[:, 1], system.time_weight, system.energy_weight

    def function(log_power: Reals) -> tuple[float, Reals]:
        power = np.exp(log_power)
        value, slope = occupancy.cost(power, *load)
        return value, slope * power

    low, high = np.full(8, np.log(link.power_min)), np.full(8, np.log(link.power_max))
    start = 0.5 * (low + high)
    ours = descend(function, start, (low, high))
    theirs = minimize(
        function,
        start,
        jac=True,
        method="L-BFGS-B",
        bounds=Bounds(low, high),
        options={"ftol": 1e-14},
    )
    assert ours.value == pytest.approx(theirs.fun, rel=1e-6)


def test_nobody_sends_louder_than_would_be_best_for_itself() -> None:
    for seed in range(5):
        system = draw_system(seed, 2, 6, 2)
        found = Polish(system, Form()).finish(greedy_channels(system, candidates(system, Form())))
        decisions = found.decisions
        for link, channel, power in (
            (system.uplink, decisions.up, decisions.up_power),
            (system.downlink, decisions.down, decisions.down_power),
        ):
            gain = Occupancy(link, channel).gains(power)
            weights = system.time_weight, system.energy_weight
            alone = lone_power(gain, *weights, link.power_min, link.power_max)
            assert (power <= alone * (1.0 + 1e-3)).all()


# What changes nothing (5.8) ----------------------------------------------------------------------


def reordered(system: System, users: Integers, places: Integers, subchannels: Integers) -> System:
    """The system with users, access points and subchannels in other orders."""
    back = np.argsort(places)
    home = back[system.home[users]]

    def link(own: Link) -> Link:
        return replace(own, gain=own.gain[places][:, users][:, :, subchannels], home=home)

    weights = ("time_weight", "energy_weight")
    per_user = ("cpu", "capacitance", "cycles_per_flop", "layer_work", "cut_size", "result_size")
    per_place = ("unit_speed", "edge_capacitance", "edge_cycles_per_flop")
    return replace(
        system,
        home=home,
        uplink=link(system.uplink),
        downlink=link(system.downlink),
        **{name: getattr(system, name)[users] for name in (*weights, *per_user)},
        **{name: getattr(system, name)[places] for name in per_place},
    )


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_work_and_sizes_times_a_number_cost_that_many_times(form: Form) -> None:
    system = draw_system(6, 2, 6, 3)
    larger = replace(
        system,
        layer_work=7.0 * system.layer_work,
        cut_size=7.0 * system.cut_size,
        result_size=7.0 * system.result_size,
    )
    found, scaled = greedy(system, form), greedy(larger, form)
    assert cost(scaled) == pytest.approx(7.0 * cost(found), rel=1e-7)
    assert (point(scaled).cut == point(found).cut).all()
    assert (point(scaled).up == point(found).up).all()
    assert lower_bound(larger, form) == pytest.approx(7.0 * lower_bound(system, form), rel=1e-12)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_gains_and_noise_times_a_number_change_nothing(form: Form) -> None:
    system = draw_system(6, 2, 6, 3)
    up, down = (
        replace(link, gain=64.0 * link.gain, noise=64.0 * link.noise) for link in system.links
    )
    louder = replace(system, uplink=up, downlink=down)
    assert cost(greedy(louder, form)) == cost(greedy(system, form))
    assert lower_bound(louder, form) == lower_bound(system, form)


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_other_orders_change_nothing(form: Form) -> None:
    system = draw_system(9, 3, 7, 3)
    draw = np.random.default_rng(0)
    users, places, subchannels = (draw.permutation(size) for size in (7, 3, 3))
    other = reordered(system, users, places, subchannels)
    decisions = draw_decisions(system, 4, form)
    back = np.append(np.argsort(subchannels), NONE)
    moved = Decisions(
        cut=decisions.cut[users],
        up=back[decisions.up[users]],
        down=back[decisions.down[users]],
        up_power=decisions.up_power[users],
        down_power=decisions.down_power[users],
        edge_units=decisions.edge_units[users],
    )
    assert objective(other, form, moved) == pytest.approx(
        objective(system, form, decisions), rel=1e-12
    )
    assert lower_bound(other, form) == pytest.approx(lower_bound(system, form), rel=1e-12)
    assert cost(greedy(other, form)) == pytest.approx(cost(greedy(system, form)), rel=1e-6)


# Ends of the ranges ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize("most", [0, 1])
def test_who_has_no_place_runs_all_layers_itself(most: int) -> None:
    system = draw_system(2, 2, 9, 2, users_per_subchannel_max=most)
    for form in (Form(silent=True), Form(silent=True, oma=True), Form(silent=True, common=True)):
        plan = greedy(system, form)
        require_feasible(system, form, point(plan))
        found = improved(system, form, time_limit=0.2)
        require_feasible(system, form, point(found))
        assert cost(found) <= cost(device_only(system, form)) * (1.0 + 1e-12)


def test_without_users_nothing_costs_anything() -> None:
    system = draw_system(0, 2, 0, 3)
    for form in FORMS.values():
        assert cost(greedy(system, form)) == 0.0
        assert cost(improved(system, form)) == 0.0
        assert lower_bound(system, form) == 0.0


def test_nobody_sends_where_no_power_is_allowed() -> None:
    system = draw_system(0, uplink={"power_min": 0.5})  # above the largest
    form = Form(silent=True)
    assert system.infeasible(Form()) == "`uplink_power_min` exceeds `uplink_power_max`"
    assert cost(greedy(system, form)) == pytest.approx(cost(device_only(system, form)), rel=1e-12)


def test_a_box_that_begins_at_no_power_is_used_to_its_end() -> None:
    system = draw_system(0, uplink={"power_min": 0.0}, downlink={"power_min": 0.0})
    for form in FORMS.values():
        plan = greedy(system, form)
        require_feasible(system, form, point(plan))
        assert np.isfinite(cost(plan))
        assert bound(system, form).termination is Termination.NOT_FOUND
