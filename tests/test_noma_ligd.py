"""Li-GD of the NOMA paper on arrays: the projected version and the printed one."""

from itertools import pairwise

import numpy as np
import pytest

from mecdsl.backends.noma.cost import objective
from mecdsl.backends.noma.ligd import Loop, ligd, loop_over_cuts, without_subchannel
from mecdsl.backends.noma.printed import Printed, ligd_printed, printed_gradient
from mecdsl.backends.noma.projected import Relaxed, Rules, project_on_simplex
from mecdsl.backends.noma.relaxation import Load, Sharing
from mecdsl.backends.noma.system import Form, Reals, System
from mecdsl.backends.shared.record import Record
from mecdsl.solution import Termination
from tests.noma_literal import draw_decisions, draw_system

LOOSE = Rules(epsilon=1e-4, steps=300)


def by_sorting(row: Reals) -> Reals:
    """The nearest point of the simplex, as in the textbooks."""
    falling = np.sort(row)[::-1]
    levels = (np.cumsum(falling) - 1.0) / np.arange(1, len(row) + 1)
    found: Reals = np.maximum(row - levels[np.flatnonzero(falling > levels).max()], 0.0)
    return found


@pytest.mark.parametrize("size", [1, 2, 7, 50])
@pytest.mark.parametrize("spread", [1e-3, 1.0, 1e6])
def test_rows_are_projected_on_the_simplex(size: int, spread: float) -> None:
    rows = spread * np.random.default_rng(size).normal(size=(40, size))
    expected = np.array([by_sorting(row) for row in rows])
    project_on_simplex(rows)
    assert rows == pytest.approx(expected, abs=1e-9)
    assert rows.sum(axis=1) == pytest.approx(np.ones(40), abs=1e-9)


def test_at_binary_shares_the_relaxation_is_the_base_form() -> None:
    system = draw_system(3, 2, 6, 3)
    relaxed, every = Relaxed(system), np.arange(6)
    for cut in range(system.layers + 1):
        decisions = draw_decisions(system, cut)
        shares = [np.zeros((6, 3)), np.zeros((6, 3))]
        shares[0][every, decisions.up] = shares[1][every, decisions.down] = 1.0
        powers = [
            np.repeat(power[:, None], 3, axis=1)
            for power in (decisions.up_power, decisions.down_power)
        ]
        parts = [shares[0], powers[0], shares[1], powers[1], decisions.edge_units]
        common = type(decisions)(
            cut=np.full(6, cut),
            up=decisions.up,
            down=decisions.down,
            up_power=decisions.up_power,
            down_power=decisions.down_power,
            edge_units=decisions.edge_units,
        )
        found = relaxed.at(relaxed.scaled(parts), cut).value
        assert found == pytest.approx(objective(system, Form(), common), rel=1e-12)


@pytest.mark.parametrize("silent", [False, True])
def test_the_gradient_of_the_vector_is_that_of_finite_differences(silent: bool) -> None:
    relaxed = Relaxed(draw_system(4, 2, 3, 2), silent)
    x = relaxed.project(np.random.default_rng(0).uniform(0.1, 0.9, len(relaxed.start())))
    for cut in range(4):
        slopes = relaxed.at(x, cut).gradient()
        for place in range(len(x)):
            ends = []
            for sign in (1.0, -1.0):
                moved = x.copy()
                moved[place] += sign * 1e-6
                ends.append(relaxed.at(moved, cut).value)
            slope = (ends[0] - ends[1]) / 2e-6
            assert slopes[place] == pytest.approx(
                slope, rel=1e-4, abs=1e-6 * np.abs(slopes).max() + 1e-9
            )


@pytest.mark.parametrize("warm", [False, True])
def test_a_descent_falls_and_keeps_boxes_and_rows(warm: bool) -> None:
    system = draw_system(5, 2, 5, 3)
    record = Record()
    looped = loop_over_cuts(system, False, Loop(warm=warm, rules=LOOSE), record)
    assert len(record.steps) == looped.steps.sum()
    assert len(looped.values) == system.layers + 1
    for cut in range(system.layers + 1):
        own = [step.objective for step in record.steps if step.note == f"cut {cut}"]
        values = [value for value in own if value is not None]
        assert all(new < old for old, new in pairwise(values))
        assert not values or values[-1] == looped.values[cut]
    parts = looped.relaxed.parts(looped.best.x)
    for part in parts:
        assert ((part >= 0.0) & (part <= 1.0)).all()
    for shares in (parts[0], parts[2]):
        assert shares.sum(axis=1) == pytest.approx(np.ones(5), abs=1e-9)


def test_the_paper_starts_at_cut_1() -> None:
    system = draw_system(6, 2, 4, 2)
    plan = ligd(system, Form(), Loop(first_cut=1, rules=LOOSE))
    assert "steps_at_cut_0" not in plan.certificate
    steps = [plan.certificate[f"steps_at_cut_{cut}"] for cut in range(1, system.layers + 1)]
    assert plan.certificate["steps"] == sum(steps) == len(plan.iterations)


def test_one_cut_for_all_may_be_asked_for() -> None:
    system = draw_system(7, 2, 5, 3)
    plan = ligd(system, Form(), Loop(rules=LOOSE), common=True)
    assert plan.decisions is not None
    assert len(set(plan.decisions.cut.tolist())) == 1


def test_who_has_no_share_above_a_half_has_no_subchannel() -> None:
    assert without_subchannel(np.array([[0.5, 0.5], [0.6, 0.4], [0.2, 0.8]])) == pytest.approx(
        1 / 3
    )


# As printed --------------------------------------------------------------------------------------


def printed_by_loops(system: System, load: Load, beta: Reals, power: Reals) -> tuple[Reals, Reals]:
    """(29), (30) on the uplink as they are read, term by term."""
    link, (_, users, subchannels) = system.uplink, system.shape
    width, home = link.bandwidth / subchannels, system.home
    gain, noise = link.gain, link.noise
    found = np.zeros((users, subchannels)), np.zeros((users, subchannels))
    for i, m in np.ndindex(users, subchannels):
        delta = noise + sum(
            float(beta[t, m] * power[t, m] * gain[home[i], t, m])
            for t in range(users)
            if home[t] != home[i]
        )

        def heard(one: int, m: int = m, delta: float = delta) -> float:
            cell = [v for v in range(users) if home[v] == home[one] and v != one]
            own = [float(beta[v, m] * power[v, m] * gain[home[v], v, m]) for v in cell]
            return sum(own) + delta

        own = power[i, m] * gain[home[i], i, m] / heard(i)
        rate = width * np.log2(1.0 + own)
        weight = load.time_weight[0] + load.energy_weight[i] * power[i, m]
        found[0][i, m] = -weight * load.size[i] / (beta[i, m] ** 2 * rate**2)
        slope = beta[i, m] * width * own / power[i, m] / ((1.0 + own) * np.log(2.0))
        found[1][i, m] = load.energy_weight[i] * load.size[i] / (beta[i, m] * rate)
        found[1][i, m] -= weight * load.size[i] * slope / (beta[i, m] * rate) ** 2
        for t in range(users):
            if home[t] == home[i] and t != i:
                other = power[t, m] * gain[home[t], t, m]
                term = beta[t, m] * width / ((1.0 + other / heard(t)) * np.log(2.0))
                term *= other / heard(t) ** 2 * gain[home[i], i, m] * (1.0 + power[t, m])
                found[0][i, m] += term * power[i, m]
                found[1][i, m] += term * beta[i, m]
    return found


def test_the_printed_gradient_is_that_of_the_formulas() -> None:
    system = draw_system(2, 2, 5, 2)
    draw = np.random.default_rng(1)
    beta, power = draw.uniform(0.1, 0.9, (5, 2)), draw.uniform(1e-3, 0.3, (5, 2))
    load = Load(system.cut_size[:, 1], system.time_weight, system.energy_weight)
    found = printed_gradient(Sharing(system.uplink), load, beta, power)
    for ours, expected in zip(found, printed_by_loops(system, load, beta, power), strict=True):
        assert ours == pytest.approx(expected, rel=1e-9)


def test_the_printed_loop_says_that_it_diverges() -> None:
    plan = ligd_printed(draw_system(0, 2, 4, 2), Form(), Printed(step=1e-4, printed=True))
    assert plan.termination is Termination.NOT_FOUND
    assert plan.values is None
    assert plan.message == "diverges at cut 1 with a step of 0.0001"


def test_the_printed_loop_repairs_nothing() -> None:
    # a step so small that all stays where it begins: beta = 1/3 on three subchannels
    plan = ligd_printed(draw_system(0, 2, 4, 3), Form(), Printed(step=1e-12))
    assert plan.values is not None
    assert not plan.values["user.uplink_assigned"].any()
    assert plan.certificate["without_uplink"] == plan.certificate["without_downlink"] == 4.0
    assert plan.certificate["outside_boxes"] == 8.0
    assert plan.message == (
        "4 users without a subchannel on the uplink, 4 users without a subchannel on the downlink, "
        "8 numbers outside of a box of powers or edge units"
    )
