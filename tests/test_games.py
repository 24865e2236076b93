"""Models with players: what they say, their equilibria against theory, and what is refused."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mecdsl.api import load, loads
from mecdsl.command_line.main import main
from mecdsl.diagnostics import ModelError
from mecdsl.equilibria.begin import beginning
from mecdsl.equilibria.potential import Kind, try_potential
from mecdsl.equilibria.responses import Responder
from mecdsl.instances.instance import Instance
from mecdsl.instances.players import game_of, problem_of_player, rows_of_players
from mecdsl.output.json.result import result_json
from mecdsl.results.result import Result
from mecdsl.solution import Guarantee, SolveOptions, Termination
from mecdsl.solve import solve

EXAMPLES = Path(__file__).resolve().parent.parent / "models" / "examples"

DUOPOLY = """
nodes firm[n in 1..2] { var amount : in 0..10 }
let profit[n in firm] = n.amount*(10 - sum(k.amount for k in firm) - n)
players n in firm: maximize profit[n] choosing n.amount
"""
LINES = """
set slot = 1..2
nodes user[n in 1..3] { var place[h in slot] : binary }
let load[h in slot] = sum(n.place[h] for n in user)
constraint one[n in user]: sum(n.place[h] for h in slot) == 1
constraint room[h in slot]: load[h] <= {room}
players n in user: minimize sum(n.place[h]*load[h]*h for h in slot) choosing user.place[n]
"""


def lines(room: int) -> str:
    """Three users of two slots, of which the second is twice as dear, with some room in each."""
    return LINES.replace("{room}", str(room))


# Cournot, n sellers with cost c_k and price a - b*sum: q_n = (a - n*c_n + sum of others' c)/(b(N+1))


@pytest.mark.slow
def test_cournot_has_the_equilibrium_of_the_closed_form() -> None:
    result = load(EXAMPLES / "cournot.mec").solve()
    costs = np.array([1.0, 2.0, 4.0])
    closed = (10.0 - 4.0 * costs + costs.sum()) / (0.01 * 4.0)
    assert result.guarantee is Guarantee.EQUILIBRIUM
    assert result["seller.offer"] == pytest.approx(closed, abs=0.02)  # of offers up to 325
    assert result.equilibrium is not None
    assert result.equilibrium.epsilon is not None
    assert result.equilibrium.epsilon < 1e-6 * closed.max()


def test_the_potential_of_cournot_has_its_optimum_at_the_equilibrium() -> None:
    # b*(sum^2 + sum of squares)/2 has the derivative b*(sum + q_n), that of the profit
    result = load(EXAMPLES / "cournot.mec").solve(form="potential")
    costs = np.array([1.0, 2.0, 4.0])
    closed = (10.0 - 4.0 * costs + costs.sum()) / (0.01 * 4.0)
    assert result.guarantee is Guarantee.GLOBAL
    assert result["seller.offer"] == pytest.approx(closed, rel=1e-5)


def test_all_sellers_together_offer_what_the_cheapest_would_alone() -> None:
    # the sum of profits: only the cheapest sells, (a - c)/(2b) = 9/0.02
    result = load(EXAMPLES / "cournot.mec").solve(form="social")
    assert result["seller.offer"] == pytest.approx([450.0, 0.0, 0.0], abs=0.1)
    assert result.objective == pytest.approx(9.0**2 / 0.04, rel=1e-6)


# Routes: a congestion game, enumerated


def routes_equilibria() -> set[tuple[int, ...]]:
    """The pure equilibria of `routes.mec` as numbers of users per route, from all 3^6 profiles."""
    alone, more = (4.0, 1.0, 3.0), (0.5, 3.0, 1.0)
    found = set()
    for profile in itertools.product(range(3), repeat=6):
        users = [profile.count(route) for route in range(3)]
        delays = [alone[r] + more[r] * users[r] for r in range(3)]
        after = [alone[r] + more[r] * (users[r] + 1) for r in range(3)]
        stays = all(
            delays[mine] <= min(after[other] for other in range(3) if other != mine) + 1e-12
            for mine in profile
        )
        if stays:
            found.add(tuple(users))
    return found


@pytest.mark.parametrize("order", ["round-robin", "random"])
@pytest.mark.slow
def test_routes_end_in_one_of_the_enumerated_equilibria(order: str) -> None:
    result = load(EXAMPLES / "routes.mec").solve("best-responses", raw={"order": order}, seed=3)
    assert result.guarantee is Guarantee.EQUILIBRIUM
    users = tuple(int(count) for count in result["users"])
    assert users in routes_equilibria()
    assert result.equilibrium is not None
    assert result.equilibrium.gain == 0.0


@pytest.mark.slow
def test_all_users_at_once_go_round_in_a_circle() -> None:
    # all six leave the route that all six are on, for the same other one
    result = load(EXAMPLES / "routes.mec").solve("best-responses", raw={"order": "simultaneous"})
    assert result.termination is Termination.NO_EQUILIBRIUM
    assert all(f"`user[{n}]`" in result.solution.message for n in range(1, 7))


@pytest.mark.slow
def test_the_least_potential_of_routes_is_an_equilibrium() -> None:
    result = load(EXAMPLES / "routes.mec").solve(form="potential")
    assert tuple(int(count) for count in result["users"]) in routes_equilibria()


# Power control: the fixed point of p_n = 1/price - (noise + interference)/gain, a linear system


@pytest.mark.slow
def test_power_control_ends_at_the_fixed_point() -> None:
    result = load(EXAMPLES / "power_control.mec").solve()
    gain, cross = np.array([4e-7, 3e-7, 2e-7]), np.array([2e-8, 3e-8, 4e-8])
    matrix = np.eye(3) + (1.0 - np.eye(3)) * cross[None, :] / gain[:, None]
    powers = np.linalg.solve(matrix, 1.0 / 4.0 - 1e-9 / gain)
    assert ((powers > 0.0) & (powers < 1.0)).all()
    assert result.guarantee is Guarantee.EQUILIBRIUM
    assert result["sender.power"] == pytest.approx(powers, rel=1e-4)


# No equilibrium


@pytest.mark.slow
def test_a_circle_is_found_and_names_its_players() -> None:
    result = load(EXAMPLES / "jammer.mec").solve()
    assert result.termination is Termination.NO_EQUILIBRIUM
    assert result.exit_code == 4
    assert "circle" in result.solution.message
    assert "`sender`" in result.solution.message
    assert "`enemy`" in result.solution.message
    assert result.equilibrium is not None
    assert result.equilibrium.epsilon == pytest.approx(1.0)  # whoever loses can win by moving


@pytest.mark.slow
def test_moving_at_once_for_ever_is_a_circle() -> None:
    # two drivers who both leave the crowded road for the other at the same time
    text = """
    nodes driver[n in 1..2] { var left : binary }
    let same = sum(n.left for n in driver)
    players n in driver:
        minimize n.left*same + (1 - n.left)*(2 - same) choosing n.left
    """
    result = loads(text).solve("best-responses", raw={"order": "simultaneous"})
    assert result.termination is Termination.NO_EQUILIBRIUM
    in_turn = loads(text).solve("best-responses")
    assert in_turn.guarantee is Guarantee.EQUILIBRIUM


# Constraints


def test_shared_and_private_constraints_are_told_apart() -> None:
    instance = loads(lines(2)).instance()
    sharers = {rows.family.name: rows.sharers.tolist() for rows in rows_of_players(instance)}
    assert sharers == {"one": [1, 1, 1], "room": [3, 3]}


def test_a_player_is_bound_by_its_own_rows_only() -> None:
    instance = loads(lines(2)).instance()
    own = problem_of_player(instance, 1, np.array([1.0, 0.0, 0.0, 1.0, 1.0, 0.0]))
    assert {family.name: family.size for family in own.constraints} == {"one": 1, "room": 2}
    assert own.free.tolist() == [False, False, True, True, False, False]


@pytest.mark.slow
def test_shared_constraints_are_kept_on_the_way() -> None:
    # two of three fit into the first slot: the third pays 2 in the second, and has no way out
    result = loads(lines(2)).solve("best-responses")
    assert result.guarantee is Guarantee.EQUILIBRIUM
    assert sorted(result["load"].tolist()) == [1.0, 2.0]


def test_shared_constraints_without_a_point_are_infeasible_and_called_shared() -> None:
    result = loads(lines(1)).solve("best-responses")
    assert result.guarantee is Guarantee.INFEASIBLE
    assert result.exit_code == 3


def test_a_player_that_cannot_keep_its_own_constraints_is_named() -> None:
    text = """
    nodes user[n in 1..2] { var x : integer in 0..9
        var y : integer in 0..9 }
    constraint even[n in user]: 2*n.x + 2*n.y == 2*n + n - 1 + sum(k.x for k in user)*0
    players n in user: minimize n.x choosing user.x[n], user.y[n]
    """
    result = loads(text).solve("best-responses")  # user 2: 2x + 2y == 5
    assert result.guarantee is Guarantee.INFEASIBLE
    assert result.exit_code == 3


# Who chooses what


def test_a_bare_name_stands_for_any_index() -> None:
    text = """
    set a = 1..2
    set b = 1..3
    var x[i in a, j in b] : in 0..1
    players j in b: minimize sum(x[i, j] for i in a) choosing x[i, j]
    """
    assert game_of(loads(text).instance()).owner.tolist() == [0, 1, 2, 0, 1, 2]


def test_links_belong_to_the_node_they_leave() -> None:
    text = """
    nodes device[n in 1..2] {}
    nodes server[s in 1..2] {}
    links uplink[n in device, s in server]: n -> s { var rate : in 0..1 }
    players n in device:
        maximize sum(uplink.rate[n, s] for s in server) choosing uplink.rate[n]
    """
    assert game_of(loads(text).instance()).owner.tolist() == [0, 0, 1, 1]


def test_single_players_and_families_are_numbered_through() -> None:
    text = """
    var price : in 0..1
    nodes buyer[n in 1..2] { var amount : in 0..1 }
    players n in buyer: maximize n.amount*(1 - price) choosing n.amount
    player seller: maximize price*sum(n.amount for n in buyer) choosing price
    """
    game = game_of(loads(text).instance())
    assert [game.name(player) for player in range(game.size)] == ["buyer[1]", "buyer[2]", "seller"]
    assert game.owner.tolist() == [2, 0, 1]


def test_a_condition_leaves_players_out() -> None:
    text = """
    nodes user[n in 1..3] { var x : in 0..1 }
    players n in user where n >= 2: minimize n.x choosing n.x
    """
    with pytest.raises(ModelError, match=r"`user.x\[1\]` is chosen by no player"):
        loads(text).instance()


# Objectives of one unit and of two


def test_the_social_form_takes_off_what_others_maximise() -> None:
    text = """
    var x : in 0..1
    var y : in 0..1
    player one: minimize 3*x - y choosing x
    player two: maximize y + x choosing y
    """
    # 3x - y - (y + x) = 2x - 2y over the unit square
    assert loads(text).solve(form="social").objective == pytest.approx(-2.0)


def test_players_of_two_units_have_an_equilibrium_and_no_sum() -> None:
    text = """
    var x : s in 1 s..2 s
    var y : W in 1 W..2 W
    player one: minimize x choosing x
    player two: maximize y choosing y
    """
    result = loads(text).solve()
    assert result.guarantee is Guarantee.EQUILIBRIUM
    assert (result["x"], result["y"]) == (pytest.approx(1.0), pytest.approx(2.0))
    with pytest.raises(ModelError, match="they have no sum"):
        loads(text).solve(form="social")


def test_a_form_with_an_objective_has_no_players() -> None:
    text = DUOPOLY + "form joint: add maximize both = sum(profit[n] for n in firm)"
    result = loads(text).solve(form="joint")
    # one owner uses the firm with cost 1: q = 9/2
    assert result.objective == pytest.approx(4.5**2, rel=1e-5)
    assert result.equilibrium is None


# Potentials


@pytest.mark.parametrize(
    ("potential", "kind"),
    [
        # d/dq_n of sum q*(10 - n) - (S^2 + sum q^2)/2 is 10 - n - S - q_n, as of the profit
        (
            "sum(n.amount*(10 - n) for n in firm) - (sum(n.amount for n in firm)^2"
            " + sum(n.amount^2 for n in firm))/2",
            Kind.EXACT,
        ),
        (
            "3*(sum(n.amount*(10 - n) for n in firm) - (sum(n.amount for n in firm)^2"
            " + sum(n.amount^2 for n in firm))/2)",
            Kind.WEIGHTED,
        ),
        ("sum(profit[n] for n in firm)", Kind.NONE),
    ],
)
@pytest.mark.slow
def test_potentials_are_tried_on_moves_of_single_players(potential: str, kind: Kind) -> None:
    trial = try_potential(loads(f"{DUOPOLY}potential phi = {potential}").instance())
    assert trial is not None
    assert trial.kind is kind
    if kind is Kind.WEIGHTED:
        assert trial.weights == pytest.approx((1 / 3, 1 / 3))


def test_an_ordinal_potential_is_no_more_than_that() -> None:
    text = """
    var x : in 0..1
    var y : in 0..1
    player one: minimize (x - 0.5)^2 + y choosing x
    player two: minimize (y - 0.5)^2 choosing y
    potential phi = (x - 0.5)^4 + (y - 0.5)^4
    """
    trial = try_potential(loads(text).instance())
    assert trial is not None
    assert trial.kind is Kind.ORDINAL


# Backends and output


def test_solvers_of_one_objective_refuse_players_and_name_the_forms() -> None:
    with pytest.raises(ModelError) as refused:
        loads(DUOPOLY).solve("highs")
    assert "solves one objective" in str(refused.value)
    assert "--form social" in str(refused.value)


def test_best_responses_refuse_a_model_without_players() -> None:
    with pytest.raises(ModelError, match="has no players"):
        loads("var x : in 0..1\nminimize cost = x").solve("best-responses")


@pytest.mark.slow
def test_the_certificate_is_in_the_json() -> None:
    plain = result_json(loads(DUOPOLY).solve())["equilibrium"]
    assert plain["settled"] is True
    assert plain["proven"] is True
    # q_n = (10 - 2n + other's n)/3 with costs 1 and 2: 10/3 and 7/3, profits their squares
    values = [player["value"] for player in plain["players"]]
    assert values == pytest.approx([(10 / 3) ** 2, (7 / 3) ** 2], rel=1e-4)
    assert [player["sense"] for player in plain["players"]] == ["maximize", "maximize"]


@pytest.mark.slow
def test_a_point_that_is_given_is_where_the_players_begin() -> None:
    model = loads(DUOPOLY)
    settled = model.solve()
    again = model.solve(start=settled.point())
    assert "after 1 round" in again.solution.message
    assert again.point() == pytest.approx(settled.point())


def test_a_limit_of_rounds_leaves_the_gain_that_is_left() -> None:
    result = loads(DUOPOLY).solve("best-responses", raw={"rounds": 1})
    assert result.termination is Termination.ITERATION_LIMIT
    assert result.guarantee is Guarantee.FEASIBLE
    assert result.equilibrium is not None
    assert result.equilibrium.epsilon is not None
    assert result.equilibrium.epsilon > 0.01
    assert any("alone can gain" in note for note in result.notes)


# One player, and the potential's optimum


def test_the_own_problem_of_a_player_is_solved_with_the_others_held() -> None:
    # firm 1 with cost 1 against an offer of 2: q = (10 - 1 - 2)/2
    model = loads(DUOPOLY)
    for name in ("firm[1]", "1"):
        result = model.solve(player=name, start={"firm.amount": [0.0, 2.0]})
        assert result["firm.amount"] == pytest.approx([3.5, 2.0])
        assert result.guarantee is Guarantee.GLOBAL
        assert result.instance.model.objective.player == "firm[1]"


def test_a_player_alone_needs_to_know_what_the_others_do() -> None:
    with pytest.raises(ModelError, match=r"`firm.amount\[2\]` has no value"):
        loads(DUOPOLY).solve(player="firm[1]")
    started = loads(DUOPOLY + "start firm.amount[n] = 2").solve(player="firm[1]")
    assert started["firm.amount"] == pytest.approx([3.5, 2.0])


def test_a_player_that_is_not_there_is_refused() -> None:
    with pytest.raises(ModelError, match="there is no player `firma"):
        loads(DUOPOLY).solve(player="firma[1]", start={"firm.amount": [0.0, 2.0]})
    with pytest.raises(ModelError, match="has no players"):
        loads(DUOPOLY).solve(form="social", player="firm[1]", start={"firm.amount": [0.0, 2.0]})


@pytest.mark.slow
def test_the_optimum_of_a_potential_comes_with_its_certificate() -> None:
    result = load(EXAMPLES / "routes.mec").solve(form="potential")
    assert result.guarantee is Guarantee.GLOBAL
    assert result.equilibrium is not None
    assert result.equilibrium.epsilon == pytest.approx(0.0, abs=1e-12)


def test_the_optimum_of_what_is_no_potential_says_who_can_gain() -> None:
    text = f"{DUOPOLY}potential phi = -sum(n.amount for n in firm)"
    result = loads(text).solve(form="potential")
    assert any("is no potential" in note for note in result.notes)
    assert any("alone can gain" in note for note in result.notes)


def test_games_are_compared_by_what_a_player_could_gain(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["compare", str(EXAMPLES / "jammer.mec")])
    said = capsys.readouterr().out
    assert left.value.code == 4
    assert "epsilon" in said
    assert "100 %" in said


@pytest.mark.parametrize("form", ["social", "potential"])
@pytest.mark.parametrize("json", [False, True])
def test_check_of_one_problem_for_all_names_its_class(
    form: str, json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["check", str(EXAMPLES / "routes.mec"), "--form", form, *(["--json"] if json else [])]
    with pytest.raises(SystemExit) as left:
        main(words)
    said = capsys.readouterr().out
    assert left.value.code == 0
    assert "MIQP" in said
    assert "6 players" not in said


def test_check_says_who_plays_and_what_is_shared(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["check", str(EXAMPLES / "routes.mec")])
    said = capsys.readouterr().out
    assert left.value.code == 0
    assert "6 players" in said
    assert "private constraints  one_route" in said
    assert "exact potential" in said


@pytest.mark.slow
def test_a_hand_derived_algorithm_responds_in_place_of_a_solver() -> None:
    game = load(EXAMPLES.parent / "game.mec")
    raw = {"responder": "game-best-response"}
    result = game.solve("best-responses", raw=raw)
    assert result.guarantee is Guarantee.EQUILIBRIUM
    assert result.equilibrium is not None
    assert result.equilibrium.by == "game-best-response"
    with pytest.raises(ModelError, match="does not respond for this game"):
        load(EXAMPLES / "routes.mec").solve("best-responses", raw=raw)


@pytest.mark.slow
def test_a_refusal_of_a_game_with_exact_forms_names_what_would_do() -> None:
    with pytest.raises(ModelError) as refused:
        load(EXAMPLES.parent / "game.mec").solve("scip")
    assert "--form social" in str(refused.value)


def test_a_study_counts_proven_equilibria() -> None:
    study = load(EXAMPLES / "cournot.mec").study([1, 2], ["equilibrium-kkt"])
    assert [summary.proven for summary in study.summaries] == [2]


def test_nothing_is_said_of_players_whose_own_constraints_were_not_settled() -> None:
    instance = loads(lines(1)).instance()  # three users, one place in each of two slots
    asked: list[Instance] = []

    def ask(instance: Instance, backend: str, options: SolveOptions) -> Result:
        asked.append(instance)
        result = solve(instance, backend, options)
        return result if len(asked) == 1 else replace(result, verified=False)

    for settled, words in (
        (True, "every player could keep its own"),
        (False, "no point keeps all"),
    ):
        asked.clear()
        responder = Responder(
            ask=solve if settled else ask,
            backend="auto",
            options=SolveOptions(),
            should_stop=lambda: False,
        )
        begin = beginning(instance, None, responder)
        assert begin.infeasible
        assert begin.message.startswith(words)
