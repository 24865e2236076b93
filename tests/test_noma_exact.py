"""Split inference over NOMA: the optimum with its proof, against enumeration and closed forms."""

from collections.abc import Callable
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment, minimize_scalar

from mecdsl.backends.noma.closed_forms import best_units, computing_cost, lower_bound
from mecdsl.backends.noma.cost import objective
from mecdsl.backends.noma.exact import exact
from mecdsl.backends.noma.system import Form, Link, System
from mecdsl.solution import Termination
from tests.noma_enumeration import Oracle
from tests.noma_literal import draw_decisions, draw_system, of_decisions

FORMS = {
    "": Form(),
    "silent": Form(silent=True),
    "oma": Form(oma=True),
    "oma_silent": Form(silent=True, oma=True),
}
EACH_FORM = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


def with_links(system: System, change: Callable[[Link], Link]) -> System:
    """The same system with both links changed."""
    return replace(system, uplink=change(system.uplink), downlink=change(system.downlink))


def open_below(system: System) -> System:
    """The same system where powers may be 0."""
    return with_links(system, lambda link: replace(link, power_min=0.0))


def solved(system: System, form: Form, gap: float = 1e-8) -> float:
    """The proven optimum; its point keeps the cap and costs what is claimed."""
    plan = exact(system, form, gap)
    assert plan.termination is Termination.OPTIMAL
    assert plan.objective is not None
    assert plan.bound is not None
    assert plan.decisions is not None
    assert plan.bound <= plan.objective <= plan.bound + gap * plan.objective
    assert plan.objective == pytest.approx(of_decisions(system, form, plan.decisions), rel=1e-12)
    for on in (plan.decisions.up, plan.decisions.down):
        assert Oracle(system, form).keeps_cap(on)
    return plan.objective


@EACH_FORM
@pytest.mark.parametrize(
    ("seed", "users", "subchannels", "most"),
    [(0, 2, 2, 1), (1, 3, 1, 3), (3, 3, 1, 2), (4, 2, 1, 2)],
)
@pytest.mark.slow
def test_the_optimum_is_that_of_an_enumeration(
    seed: int, users: int, subchannels: int, most: int, form: Form
) -> None:
    system = draw_system(seed, 2, users, subchannels, users_per_subchannel_max=most)
    found, wanted = solved(system, form), Oracle(system, form).optimum()
    assert found == pytest.approx(wanted, rel=1e-6)
    assert found <= wanted * (1.0 + 1e-8)


@pytest.mark.parametrize("oma", [False, True])
@pytest.mark.parametrize("seed", [3, 5])
@pytest.mark.slow
def test_three_users_on_two_subchannels_are_those_of_an_enumeration(seed: int, oma: bool) -> None:
    system, form = draw_system(seed, 2, 3, 2, users_per_subchannel_max=2), Form(oma=oma)
    found, wanted = solved(system, form), Oracle(system, form).optimum()
    assert found == pytest.approx(wanted, rel=1e-6)
    assert found <= wanted * (1.0 + 1e-8)


@EACH_FORM
def test_no_point_is_below_the_bound(form: Form) -> None:
    system = draw_system(4, 2, 5, 2, users_per_subchannel_max=5)
    bound = exact(system, form).bound
    assert bound is not None
    assert bound >= lower_bound(system, form)
    for seed in range(300):
        assert objective(system, form, draw_decisions(system, seed, form)) >= bound


def lone_price(system: System, link: Link, i: int, m: int) -> float:
    """The least (wT + wE p)/R of a user that nobody disturbs, by a search along ln p."""
    gain, width = link.gain[0, i, m] / link.noise, link.bandwidth / link.shape[2]

    def price(y: float) -> float:
        rate = width * np.log2(1.0 + np.exp(y) * gain)
        return float((system.time_weight[i] + system.energy_weight[i] * np.exp(y)) / rate)

    ends = float(np.log(link.power_min)), float(np.log(link.power_max))
    inner = minimize_scalar(price, bounds=ends, method="bounded", options={"xatol": 1e-12})
    return min(float(inner.fun), *map(price, ends))


def test_one_user_on_each_subchannel_of_one_cell_is_a_linear_assignment() -> None:
    system = draw_system(2, 1, 4, 5, users_per_subchannel_max=1)
    fixed = computing_cost(system, best_units(system))
    total = 0.0
    for way, link in enumerate(system.links):
        cost = np.empty((4, 5))
        for i, m in product(range(4), range(5)):
            t = lone_price(system, link, i, m)
            up = (fixed[i] + system.cut_size[i] * t).min()
            cost[i, m] = up if way == 0 else system.result_size[i] * t
        total += float(cost[linear_sum_assignment(cost)].sum())
    assert solved(system, Form()) == pytest.approx(total, rel=1e-8)


@EACH_FORM
def test_names_do_not_matter(form: Form) -> None:
    system = draw_system(6, 3, 6, 2)
    draw = np.random.default_rng(1)
    users, cells, channels = (draw.permutation(n) for n in (6, 3, 2))
    home = np.argsort(cells)[system.home[users]]
    parts: dict[str, Any] = {
        name: getattr(system, name)[users]
        for name in (
            "cpu",
            "capacitance",
            "cycles_per_flop",
            "time_weight",
            "energy_weight",
            "layer_work",
            "cut_size",
            "result_size",
        )
    }
    parts |= {
        name: getattr(system, name)[cells]
        for name in ("unit_speed", "edge_capacitance", "edge_cycles_per_flop")
    }
    other = with_links(
        replace(system, **parts),
        lambda link: replace(link, gain=link.gain[np.ix_(cells, users, channels)], home=home),
    )
    other = replace(other, home=home)
    assert solved(other, form) == pytest.approx(solved(system, form), rel=1e-8)


@pytest.mark.parametrize("oma", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_silence_and_room_never_cost_anything(seed: int, oma: bool) -> None:
    system = draw_system(seed, 2, 6, 2, users_per_subchannel_max=3)
    base = solved(system, Form(oma=oma))
    assert solved(system, Form(oma=oma, silent=True)) <= base * (1.0 + 1e-8)
    roomy = replace(system, users_per_subchannel_max=6)
    assert solved(roomy, Form(oma=oma)) <= base * (1.0 + 1e-8)
    quiet = replace(system, uplink=replace(system.uplink, noise=0.5 * system.uplink.noise))
    assert solved(quiet, Form(oma=oma)) <= base * (1.0 + 1e-8)


@pytest.mark.parametrize("silent", [False, True])
def test_access_is_the_same_for_one_user_on_each_subchannel_of_a_cell(silent: bool) -> None:
    system = draw_system(8, 3, 6, 4, users_per_subchannel_max=1)
    noma, oma = (solved(system, Form(silent=silent, oma=oma)) for oma in (False, True))
    assert noma == pytest.approx(oma, rel=1e-8)


def test_loads_scale_the_optimum_and_noise_scales_with_gains() -> None:
    system = draw_system(9, 2, 5, 2)
    optimum = solved(system, Form(silent=True))
    longer = replace(
        system,
        layer_work=3.0 * system.layer_work,
        cut_size=3.0 * system.cut_size,
        result_size=3.0 * system.result_size,
    )
    assert solved(longer, Form(silent=True)) == pytest.approx(3.0 * optimum, rel=1e-8)
    louder = with_links(
        system, lambda link: replace(link, gain=7.0 * link.gain, noise=7.0 * link.noise)
    )
    assert solved(louder, Form(silent=True)) == pytest.approx(optimum, rel=1e-8)


@pytest.mark.parametrize("silent", [False, True])
def test_a_common_cut_is_the_best_of_single_ones(silent: bool) -> None:
    """One cut for all is as if no other existed, which an infinite load says of the others."""
    system = draw_system(1, 2, 4, 2)
    fixed = computing_cost(system, best_units(system))
    found = solved(system, Form(silent=silent, common=True))
    each = [float(fixed[:, -1].sum())] if silent else []
    for s in range(system.layers if silent else system.layers + 1):
        only = np.full(system.cut_size.shape, 1e12)
        only[:, s] = system.cut_size[:, s]
        each.append(solved(replace(system, cut_size=only), Form()))
    assert found == pytest.approx(min(each), rel=1e-8)
    assert found >= solved(system, Form(silent=silent)) * (1.0 - 1e-8)


# Edges --------------------------------------------------------------------------------------------


def test_too_many_users_are_infeasible_unless_they_may_be_silent() -> None:
    system = draw_system(0, 2, 5, 1, users_per_subchannel_max=1)
    plan = exact(system, Form())
    assert plan.termination is Termination.INFEASIBLE
    crowded = {n + 1 for n in range(2) if (system.home == n).sum() > 1}
    assert any(f"access point {n} has" in plan.message for n in crowded)
    solved(system, Form(silent=True))


def test_no_place_at_all_leaves_everybody_at_home() -> None:
    system = draw_system(0, 2, 4, 2, users_per_subchannel_max=0)
    local = computing_cost(system, best_units(system))[:, -1].sum()
    assert solved(system, Form(silent=True)) == pytest.approx(float(local), rel=1e-12)


def test_an_empty_box_of_powers_is_infeasible_unless_all_are_silent() -> None:
    system = draw_system(0, 2, 3, 2, downlink={"power_min": 2.0})
    plan = exact(system, Form())
    assert plan.termination is Termination.INFEASIBLE
    assert "downlink_power_min" in plan.message
    local = computing_cost(system, best_units(system))[:, -1].sum()
    assert solved(system, Form(silent=True)) == pytest.approx(float(local), rel=1e-12)


def test_nobody_costs_nothing() -> None:
    assert solved(draw_system(0, 2, 0, 2), Form()) == 0.0


@EACH_FORM
def test_powers_may_begin_at_nothing(form: Form) -> None:
    """With a box that begins at 0 the optimum is that of one that begins where no power is best."""
    system = draw_system(1, 2, 5, 2)
    nearly = with_links(system, lambda link: replace(link, power_min=1e-9))
    assert solved(open_below(system), form) == pytest.approx(solved(nearly, form), rel=1e-7)


@pytest.mark.parametrize("power_min", [1e-3, 0.0])
def test_who_sends_nothing_takes_the_least_power(power_min: float) -> None:
    """User 1 has nothing to send once all layers have run, and is heard by the others."""
    system = with_links(draw_system(1, 2, 3, 1), lambda link: replace(link, power_min=power_min))
    sizes, results = system.cut_size.copy(), system.result_size.copy()
    sizes[0, -1], results[0] = 0.0, 0.0
    free = system.capacitance.copy()
    free[0] = 0.0
    system = replace(
        system,
        cut_size=sizes,
        result_size=results,
        capacitance=free,
        cpu=np.array([1e12, 1e9, 1e9]),
    )
    plan = exact(system, Form(), gap=1e-8)
    assert plan.decisions is not None
    assert plan.decisions.cut[0] == system.layers
    assert plan.decisions.up_power[0] == pytest.approx(power_min, abs=1e-12)
    assert plan.decisions.down_power[0] == pytest.approx(power_min, abs=1e-12)
    assert solved(system, Form()) == pytest.approx(Oracle(system, Form()).optimum(), rel=1e-6)


def test_weights_may_be_zero() -> None:
    system = draw_system(2, 2, 3, 1)
    for time_weight, energy_weight in (([1.0, 0.0, 0.5], [0.0, 0.0, 0.5]), ([0.0] * 3, [0.2] * 3)):
        weighted = replace(
            system, time_weight=np.array(time_weight), energy_weight=np.array(energy_weight)
        )
        wanted = Oracle(weighted, Form()).optimum()
        assert solved(weighted, Form()) == pytest.approx(wanted, rel=1e-6)
    with pytest.raises(ValueError, match="without a time weight"):
        exact(replace(weighted, uplink=replace(system.uplink, power_min=0.0)), Form())


@pytest.mark.slow
def test_a_time_limit_leaves_a_point_and_a_bound() -> None:
    system = draw_system(7, 2, 9, 2, users_per_subchannel_max=5)
    plan, best = exact(system, Form(), time_limit=0.0), exact(system, Form())
    assert plan.termination is Termination.TIME_LIMIT
    assert plan.objective is not None
    assert plan.bound is not None
    assert best.objective is not None
    assert plan.bound <= best.objective <= plan.objective


@pytest.mark.slow
def test_a_wide_gap_is_enough_where_it_is_asked_for() -> None:
    system = draw_system(7, 2, 9, 2, users_per_subchannel_max=5)
    wide, fine = exact(system, Form(), gap=0.2), exact(system, Form(), gap=0.0)
    assert wide.certificate["nodes"] < fine.certificate["nodes"]
    assert fine.termination is Termination.OPTIMAL
    assert wide.objective is not None
    assert wide.bound is not None
    assert wide.objective - wide.bound <= 0.2 * wide.objective
    with pytest.raises(ValueError, match="expected a gap"):
        exact(system, Form(), gap=-1.0)
