"""`equilibrium-kkt`: equilibria in closed form, what shared constraints get, and what is refused."""

from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from mecdsl.api import load, loads
from mecdsl.backend import Request
from mecdsl.backends.equilibrium.conditions import Conditions, fischer_burmeister
from mecdsl.backends.equilibrium.kkt import EquilibriumKkt
from mecdsl.diagnostics import ModelError
from mecdsl.results.result import Result
from mecdsl.solution import Guarantee, SolveOptions, Termination

EXAMPLES = Path(__file__).resolve().parent.parent / "models" / "examples"
NAME = "equilibrium-kkt"

DUOPOLY = """
nodes firm[n in 1..2] { var amount : in 0..10 }
let profit[n in firm] = n.amount*(10 - sum(k.amount for k in firm) - n)
players n in firm: maximize profit[n] choosing n.amount
"""


def found(text: str, **options: object) -> Result:
    """What the backend makes of a text."""
    return loads(text).solve(NAME, raw=options)


# Closed forms


def test_cournot_has_the_equilibrium_of_the_closed_form() -> None:
    # q_n = (a - N c_n + sum of others' c)/(b (N + 1)), all of them between their bounds
    result = load(EXAMPLES / "cournot.mec").solve(NAME)
    costs = np.array([1.0, 2.0, 4.0])
    closed = (10.0 - 4.0 * costs + costs.sum()) / (0.01 * 4.0)
    assert result["seller.offer"] == pytest.approx(closed, rel=1e-7)
    assert result.guarantee is Guarantee.EQUILIBRIUM


def test_power_control_has_the_fixed_point_of_the_linear_system() -> None:
    # p_n = 1/price - (noise + interference)/gain
    result = load(EXAMPLES / "power_control.mec").solve(NAME)
    gain, cross = np.array([4e-7, 3e-7, 2e-7]), np.array([2e-8, 3e-8, 4e-8])
    matrix = np.eye(3) + (1.0 - np.eye(3)) * cross[None, :] / gain[:, None]
    powers = np.linalg.solve(matrix, 1.0 / 4.0 - 1e-9 / gain)
    assert result["sender.power"] == pytest.approx(powers, rel=1e-7)
    assert result.guarantee is Guarantee.EQUILIBRIUM


def test_two_hundred_sellers_have_the_equilibrium_of_the_closed_form() -> None:
    text = """
    nodes firm[n in 1..200] { var amount : in 0..100 }
    let price = 1000 - sum(k.amount for k in firm)
    players n in firm: maximize n.amount*(price - n/100) choosing n.amount
    """
    instance = loads(text).instance()
    costs = np.arange(1, 201) / 100.0
    closed = (1000.0 - 201.0 * costs + costs.sum()) / 201.0
    solution = EquilibriumKkt().solve(Request(instance, SolveOptions()))  # not the 200 responses
    assert solution.values == pytest.approx(closed, rel=1e-7)


def test_slopes_that_fall_by_many_powers_of_ten_leave_no_digits_out() -> None:
    # 1e12/(1 + 1e12 x) = 4: at the start the slope is 4e11 times what matters at the end
    result = found("var x : in 0..1\nplayer one: maximize ln(1 + 1e12*x) - 4*x choosing x")
    assert result["x"] == pytest.approx(0.25 - 1e-12, rel=1e-7)


def test_players_that_minimise_and_maximise_meet() -> None:
    # buyer: 8 - 2 amount - price = 0, seller: amount - 2 price = 0
    text = """
    var price : in 0..10
    var amount : in 0..10
    player buyer: minimize amount^2 - amount*(8 - price) choosing amount
    player seller: maximize price*amount - price^2 choosing price
    """
    result = found(text)
    assert (result["amount"], result["price"]) == (pytest.approx(3.2), pytest.approx(1.6))
    assert result.guarantee is Guarantee.EQUILIBRIUM


# Bounds and constraints


def test_bounds_hold_players_exactly() -> None:
    # alone against 2 of the other, firm 1 would offer (9 - 2)/2 = 3.5; firm 2 (8 - 3)/2 = 2.5
    text = """
    nodes firm[n in 1..2] { most : 1 = [3, 2]
        var amount : in 0..most }
    let profit[n in firm] = n.amount*(10 - sum(k.amount for k in firm) - n)
    players n in firm: maximize profit[n] choosing n.amount
    """
    result = found(text)
    assert result["firm.amount"].tolist() == [3.0, 2.0]
    assert result.guarantee is Guarantee.EQUILIBRIUM


def test_who_is_too_dear_offers_nothing() -> None:
    text = """
    nodes firm[n in 1..2] { cost : 1 = [1, 9]
        var amount : in 0..10 }
    players n in firm:
        maximize n.amount*(10 - sum(k.amount for k in firm) - n.cost) choosing n.amount
    """
    assert found(text)["firm.amount"].tolist() == pytest.approx([4.5, 0.0], rel=1e-7)


@pytest.mark.parametrize("row", ["firm_total <= 4", "4 >= firm_total", "-firm_total >= -4"])
def test_a_shared_capacity_has_one_multiplier_for_all(row: str) -> None:
    # 10 - n - S - q_n = mu for both with S = 4: q_1 - q_2 = 1, so (2.5, 1.5) and mu = 2.5; that of
    # other equilibria, such as (2, 2) with 3 and 2, differs between the players
    result = found(f"{DUOPOLY}let firm_total = sum(n.amount for n in firm)\nconstraint cap: {row}")
    assert result["firm.amount"] == pytest.approx([2.5, 1.5], rel=1e-7)
    assert result.guarantee is Guarantee.EQUILIBRIUM
    assert "`cap`" in result.solution.message
    assert "variational equilibrium" in result.solution.message
    assert "Rosen 1965" in result.solution.message


def test_the_multiplier_is_one_in_si_where_the_stakes_differ() -> None:
    # minimise 1000 (x - 3)^2 and (y - 3)^2 with x + y <= 4: 2000 (3 - x) = 2 (3 - y), so
    # 3 - x = 2/1001 and 3 - y = 2000/1001
    text = """
    var x : in 0..10
    var y : in 0..10
    constraint cap: x + y <= 4
    player rich: minimize 1000*(x - 3)^2 choosing x
    player poor: minimize (y - 3)^2 choosing y
    """
    result = found(text)
    assert (result["x"], result["y"]) == (
        pytest.approx(3.0 - 2.0 / 1001.0, rel=1e-7),
        pytest.approx(3.0 - 2000.0 / 1001.0, rel=1e-7),
    )


def test_a_capacity_that_is_not_reached_changes_nothing() -> None:
    # q_n = (10 - 2 n + n of the other)/3
    result = found(f"{DUOPOLY}constraint cap: sum(n.amount for n in firm) <= 6")
    assert result["firm.amount"] == pytest.approx([10 / 3, 7 / 3], rel=1e-7)


def test_a_curved_shared_row_bends_the_conditions() -> None:
    # minimise (x - 2)^2 and (y - 2)^2 within x^2 + y^2 <= 2: both 1, with mu = 1
    text = """
    var x : in -9..9
    var y : in -9..9
    constraint disc: x^2 + y^2 <= 2
    player one: minimize (x - 2)^2 choosing x
    player two: minimize (y - 2)^2 choosing y
    """
    result = found(text)
    assert [result["x"], result["y"]] == pytest.approx([1.0, 1.0], rel=1e-7)


def test_equality_rows_are_kept_by_each_player() -> None:
    # y = 3 - x: minimise (x - other's x/4)^2 + (3 - x)^2 gives 2 x - other/4 = 3: both 12/7
    text = """
    nodes user[n in 1..2] { var x : in 0..9
        var y : in -9..9 }
    constraint all[n in user]: n.x + n.y == 3
    let other[n in user] = sum(k.x for k in user where k != n)
    players n in user: minimize (n.x - other[n]/4)^2 + n.y^2 choosing user.x[n], user.y[n]
    """
    result = found(text)
    assert result["user.x"] == pytest.approx([12 / 7, 12 / 7], rel=1e-7)
    assert result["user.y"] == pytest.approx([9 / 7, 9 / 7], rel=1e-7)
    assert "variational" not in result.solution.message


def test_variables_that_are_fixed_or_have_one_value_are_data() -> None:
    # firm 2 is held at 2: firm 1 offers (9 - 2)/2
    held = loads(f"{DUOPOLY}form held: fix firm.amount[2] = 2").solve(NAME, form="held")
    assert held["firm.amount"] == pytest.approx([3.5, 2.0], rel=1e-7)
    ends = DUOPOLY.replace("in 0..10", "in 2*(n - 1)..12 - 5*n")  # 0..7 and 2..2
    assert found(ends)["firm.amount"] == pytest.approx([3.5, 2.0], rel=1e-7)


def test_objectives_of_several_units_share_a_multiplier_in_si() -> None:
    # minimise (x - 3)^2 in s^2 and (y - 3)^2 in W^2 within x/s + y/W <= 4: both 2
    text = """
    var x : s in 0 s..10 s
    var y : W in 0 W..10 W
    constraint both: x/1 s + y/1 W <= 4
    player one: minimize (x - 3 s)^2 choosing x
    player two: minimize (y - 3 W)^2 choosing y
    """
    result = found(text)
    assert [result["x"], result["y"]] == pytest.approx([2.0, 2.0], rel=1e-7)
    assert "in SI" in result.solution.message


# What the point is worth


def test_a_stationary_point_that_is_no_equilibrium_is_feasible_only() -> None:
    # the slope of x^2 is 0 at 0, where it is least
    result = found("var x : in -1..2\nplayer one: maximize x^2 choosing x")
    assert result["x"] == pytest.approx(0.0, abs=1e-9)
    assert result.guarantee is Guarantee.FEASIBLE
    assert result.equilibrium is not None
    assert result.equilibrium.gain == pytest.approx(4.0)
    assert any("no equilibrium: `one` alone can gain" in note for note in result.notes)


def test_another_start_finds_the_equilibrium() -> None:
    model = loads("var x : in -1..2\nplayer one: maximize x^2 choosing x")
    result = model.solve(NAME, start={"x": 1.9})
    assert result["x"] == pytest.approx(2.0)
    assert result.guarantee is Guarantee.EQUILIBRIUM


def test_a_circle_of_best_responses_is_no_hindrance() -> None:
    # x = y and y = -2 x in turn run away from 0, where both are at rest
    text = """
    var x : in -4..4
    var y : in -4..4
    start x = 1
    start y = 1
    player one: minimize (x - 2*y)^2 choosing x
    player two: minimize (y + 2*x)^2 choosing y
    """
    result = found(text)
    assert [result["x"], result["y"]] == pytest.approx([0.0, 0.0], abs=1e-8)
    assert result.guarantee is Guarantee.EQUILIBRIUM
    assert loads(text).solve("best-responses").guarantee is not Guarantee.EQUILIBRIUM


@pytest.mark.slow
def test_conditions_without_a_point_are_not_found_after_all_starts() -> None:
    # the slope 1 + x^2 of one who minimises is 0 nowhere, and there is no bound
    text = "var x : 1\nplayer one: minimize x + x^3/3 choosing x"
    result = found(text, starts=2)
    assert result.termination is Termination.NO_EQUILIBRIUM
    assert "from 2 starts" in result.solution.message
    assert result.exit_code == 4


def test_bounds_and_rows_that_contradict_each_other_are_infeasible() -> None:
    result = found(f"{DUOPOLY}constraint much: sum(n.amount for n in firm) >= 21")
    assert result.guarantee is Guarantee.INFEASIBLE
    assert result.exit_code == 3


def test_no_time_ends_as_a_time_limit_or_with_the_point() -> None:
    result = loads(DUOPOLY).solve(NAME, time_limit=1e-9)
    assert result.termination in (Termination.TIME_LIMIT, Termination.FINISHED)


def test_every_step_is_recorded() -> None:
    steps = found(DUOPOLY).solution.iterations
    assert [step.number for step in steps] == list(range(len(steps)))
    first, last = steps[0].residual, steps[-1].residual
    assert first is not None
    assert last is not None
    assert last < 1e-9 < first
    seconds = [step.seconds or 0.0 for step in steps]
    assert seconds == sorted(seconds)


# Derivatives and the function of Fischer and Burmeister


def test_the_jacobian_is_that_of_differences() -> None:
    text = """
    nodes user[n in 1..3] { var x : in 0.1..2
        var y : in 0.1..2 }
    let load = sum(n.x*n.y for n in user)
    constraint all: sum(n.x^3 for n in user) + user.y[1]*user.x[2] <= 4
    constraint own[n in user]: exp(n.x) >= n.y
    constraint tie[n in user]: n.x*n.y == 1
    players n in user: minimize n.x*load^2 + ln(n.y)*sum(k.y for k in user) choosing n.x, n.y
    """
    conditions = Conditions(loads(text).instance())
    size = conditions.size
    low = np.where(np.isfinite(conditions.lower), conditions.lower, -1.0)
    high = np.where(np.isfinite(conditions.upper), conditions.upper, low + 2.0)
    w = low + np.random.default_rng(1).uniform(0.2, 0.8, size) * (high - low)
    entries = (conditions.jacobian(w), (conditions.row, conditions.column))
    step = 1e-6 * np.eye(size)
    differences = [
        (conditions.residuals(w + move) - conditions.residuals(w - move)) / 2e-6 for move in step
    ]
    jacobian = sparse.coo_matrix(entries, shape=(size, size)).toarray()
    assert jacobian == pytest.approx(np.array(differences).T, rel=1e-6, abs=1e-8)


@pytest.mark.parametrize(
    ("below", "above", "value", "solved"),
    [
        (0.0, np.inf, 2.0, True),  # at the lower bound, and it would cost to leave it
        (0.0, np.inf, -2.0, False),
        (3.0, np.inf, 0.0, True),
        (1.0, 0.0, -2.0, True),  # at the upper bound
        (1.0, 0.0, 2.0, False),
        (1.0, 1.0, 0.0, True),
        (1.0, 1.0, 1e-3, False),
        (np.inf, np.inf, 0.0, True),
        (np.inf, 0.0, 1.0, False),
        (-1.0, 2.0, 1.0, False),  # outside
        (0.0, 1.0, 0.0, True),  # the kink
    ],
)
def test_the_function_is_zero_at_solutions_alone(
    below: float, above: float, value: float, solved: bool
) -> None:
    result, *_ = fischer_burmeister(np.array([below]), np.array([above]), np.array([value]))
    assert bool(abs(result[0]) < 1e-12) is solved


# What is refused


def test_integers_are_refused_with_their_name() -> None:
    with pytest.raises(ModelError, match=r"`x` is integer") as refused:
        found("var x : integer in 0..3\nplayer one: minimize x choosing x")
    assert refused.value.diagnostics[0].labels[0].span.line == 1


def test_kinks_of_an_objective_are_refused_with_their_place() -> None:
    with pytest.raises(ModelError, match=r"what `one` wants holds `max` of variables, line 2"):
        found("var x : in 0..3\nplayer one: minimize max(x, 2 - x) choosing x")


def test_kinks_of_a_row_are_refused_with_their_place() -> None:
    text = "var x : in 0..3\nconstraint c: abs(x - 1) <= 2\nplayer one: minimize x choosing x"
    with pytest.raises(ModelError, match=r"`c` holds `abs` of variables, line 2"):
        found(text)


def test_unknown_options_are_refused() -> None:
    with pytest.raises(ModelError, match="has no option `begin`"):
        found(DUOPOLY, begin=3)


@pytest.mark.slow
def test_auto_still_takes_best_responses() -> None:
    assert loads(DUOPOLY).solve().backend == "best-responses"
