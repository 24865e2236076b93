"""The backends of the game: what they take, what their answers are judged to be."""

from pathlib import Path

import numpy as np
import pytest

import mecdsl
from mecdsl.backend import Request
from mecdsl.backends.game.backends import GameLocal, GameRoundRobin
from mecdsl.backends.game.gains import gains
from mecdsl.backends.game.recognise import recognise
from mecdsl.solution import SolveOptions
from tests.game_literal import best_response, cost, draw_case, feasible, profiles

MODELS = Path(__file__).resolve().parent.parent / "models"
EQUILIBRIA = ("game-round-robin", "game-cai")


def small() -> mecdsl.LoadedModel:
    return mecdsl.load(MODELS / "game.mec", data=draw_case(5, [2, 1, 2], 2, 2, deadline=20.0))


@pytest.mark.parametrize("form", ["", "total_capacity"])
@pytest.mark.parametrize("backend", [*EQUILIBRIA, "game-uai", "game-local"])
def test_answers_are_verified_with_what_everybody_could_gain(backend: str, form: str) -> None:
    result = small().solve(backend, form=form)
    assert result.verified
    assert result.equilibrium is not None
    own = result.solution.certificate["epsilon"]
    assert result.equilibrium.epsilon == pytest.approx(own, rel=1e-9)
    if backend in EQUILIBRIA:
        assert result.guarantee.value == "equilibrium to a proven epsilon"
        assert result.equilibrium.epsilon == 0.0
    assert result.solution.certificate["potential"] == pytest.approx(result["potential"], rel=1e-12)


def test_total_capacity_is_told_apart() -> None:
    for form, shared in (("", False), ("total_capacity", True)):
        found = recognise(small().instance(form))
        assert not isinstance(found, str)
        assert found.system.shared_slots is shared


def test_one_device_is_solved_exactly_without_being_asked() -> None:
    case = draw_case(5, [4], 2, 1, deadline=20.0)
    model = mecdsl.load(MODELS / "game.mec", data=case)
    result = model.solve()
    best = best_response(case, 0, [[0] * 4])
    assert best is not None
    assert result.backend == "game-best-response"
    assert result.guarantee.value == "equilibrium to a proven epsilon"
    assert result.objective == pytest.approx(best[0], rel=1e-9)
    assert model.solve("scip", form="social").objective == pytest.approx(best[0], rel=1e-6)


@pytest.mark.slow
def test_what_was_found_is_never_below_the_proven_optimum() -> None:
    case = draw_case(5, [2, 1, 2], 2, 2, deadline=20.0)
    least = min(
        sum(cost(case, n, profile) for n in range(3))
        for profile in profiles(case)
        if feasible(case, profile)
    )
    found = small().compare(["game-marginal", "scip"], forms=["social"])
    assert found.best_bounds["social"] == pytest.approx(least, rel=1e-6)
    results = [found.result("game-marginal", "social"), *map(small().solve, EQUILIBRIA)]
    for result in results:
        assert result.objective is not None
        assert result.objective >= least * (1 - 1e-9)


@pytest.mark.parametrize("backend", ["game-round-robin", "game-cai", "game-uai", "game-marginal"])
def test_who_cannot_be_in_time_is_named(backend: str) -> None:
    case = draw_case(5, [2, 1, 2], 2, 2, deadline=20.0)
    case["device"]["deadline"][1] = 0.01
    form = "social" if backend == "game-marginal" else ""
    result = mecdsl.load(MODELS / "game.mec", data=case).solve(backend, form=form)
    assert result.guarantee.value == "infeasible, proven"
    assert "`in_time[2]`: alone the device could reach" in result.solution.message


def test_random_offloading_is_judged_by_all_constraints() -> None:
    case = draw_case(5, [2, 2, 2], 2, 1, deadline=20.0)
    case["layer.server_time"] = [[0.01, 0.01]] * 3
    result = mecdsl.load(MODELS / "game.mec", data=case).solve("game-random-offload")
    assert not result.verified  # three devices, two slots for one each
    assert "epsilon" not in result.solution.certificate


def test_a_wrong_option_is_refused() -> None:
    with pytest.raises(mecdsl.ModelError, match="pricing"):
        small().solve("game-cai", raw={"pricing": "substitute"})


def test_others_are_told_what_they_are_not() -> None:
    fog = mecdsl.load(MODELS / "fog.mec").instance()
    said = GameRoundRobin().accepts(Request(fog, SolveOptions()))
    assert not said.accepted
    assert GameLocal().accepts(Request(small().instance(), SolveOptions())).accepted


@pytest.mark.slow
def test_scip_answers_the_others_of_five_devices_as_the_dynamic_programme_does() -> None:
    """To one device the others are a base price, where no slot is full: D_h V_h over the speed."""
    model = mecdsl.load(MODELS / "game.mec", parallel_limit=5)
    result = model.solve("game-cai", seed=4)
    loads = result["device_load"]
    number = np.arange(1, 6)
    for n in (0, 3):
        others = loads.sum(axis=0) - loads[n]
        price = 1e-6 + 2e-12 / number * 3.4e9 * others
        alone = mecdsl.load(
            MODELS / "game.mec", device_count=1, parallel_limit=5, data={"base_price": list(price)}
        )
        proven = alone.solve("scip", form="social")
        assert proven.guarantee.value == "globally optimal"
        assert proven.objective == pytest.approx(result["cost"][n], rel=1e-6)
        assert alone.solve("game-best-response").objective == pytest.approx(
            proven.objective, rel=1e-6
        )


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.slow
def test_the_least_potential_that_scip_finds_is_an_equilibrium(seed: int) -> None:
    case = draw_case(seed, [2, 1, 2], 2, 2, deadline=20.0)
    model = mecdsl.load(MODELS / "game.mec", data=case)
    result = model.solve("scip", form="potential")
    assert result.guarantee.value == "globally optimal"
    recognised = recognise(model.instance())
    assert not isinstance(recognised, str)
    places = np.rint(result["layer.place"]).astype(np.int64)
    assert gains(recognised.system, places).epsilon == 0.0


@pytest.mark.slow
def test_best_responses_of_the_generic_backend_are_those_of_the_dynamic_programme() -> None:
    model = small()
    by_hand, generic = model.solve("game-local"), model.solve("best-responses")
    assert by_hand.equilibrium is not None
    assert generic.equilibrium is not None
    assert generic.equilibrium.gain == pytest.approx(0.0, abs=1e-3)
    recognised = recognise(model.instance())
    assert not isinstance(recognised, str)
    places = np.rint(generic["layer.place"]).astype(np.int64)
    assert gains(recognised.system, places).epsilon == pytest.approx(0.0, abs=1e-3)


CHANGED = {
    "another cost": ("minimize cost[n] choosing", "minimize cost[n] + 1 money * n choosing"),
    "no cost of its own": ("minimize cost[n] choosing", "minimize own_cost[n] choosing"),
    "maximizes": ("minimize cost[n] choosing", "maximize cost[n] choosing"),
}


@pytest.mark.parametrize("change", CHANGED)
def test_players_who_want_something_else_are_refused(change: str) -> None:
    text = (MODELS / "game.mec").read_text(encoding="utf-8")
    old, new = CHANGED[change]
    assert old in text
    case = draw_case(5, [2, 1, 2], 2, 2, deadline=20.0)
    changed = mecdsl.loads(text.replace(old, new), data=case, folder=str(MODELS))
    said = GameRoundRobin().accepts(Request(changed.instance(), SolveOptions()))
    assert not said.accepted
