"""The studies of the game's claims run, and their settings are what the models give."""

from argparse import ArgumentTypeError
from pathlib import Path

import numpy as np
import pytest

import mecdsl
from tests.claims import game
from tests.claims.game_cases import (
    MODEL,
    Case,
    chains_of,
    listed_delay,
    local_delay_and_energy,
    offloaded_delay,
    outcome,
    schedule_energy,
    scheduled,
    system_of,
)

TWO = Case(networks=("alexnet", "lenet"), bandwidth=200e3)


def test_case_2_has_the_data_of_the_text_of_the_schedule() -> None:
    names = {"device.network", "radio.bandwidth", "device_count"}
    data = {name: value for name, value in TWO.data().items() if name in names}
    text = Path(MODEL).with_name("game_schedule.mec")
    result = mecdsl.load(text, data=data).solve("game-global")
    assert scheduled(TWO).schedule.total / 2 == pytest.approx(result.objective, rel=1e-9)
    assert schedule_energy(TWO) == pytest.approx(result["mean_energy"], rel=1e-9)
    assert chains_of(system_of(TWO)).machines == 4


def test_cases_4_and_1_are_what_the_backends_give() -> None:
    model = mecdsl.load(MODEL, data=TWO.data(), seed=3)
    local = model.solve("game-local")
    wanted = (local["mean_delay"], local["mean_energy"])
    assert local_delay_and_energy(TWO) == pytest.approx(wanted, rel=1e-9)
    first = outcome(TWO, 3)
    assert first is not None
    assert first.delay.mean() == pytest.approx(model.solve("game-uai")["mean_delay"], rel=1e-9)


def test_case_3_is_known_only_where_slots_hold_every_layer() -> None:
    assert offloaded_delay(TWO) > scheduled(TWO).schedule.total / 2
    assert listed_delay(TWO, 1) >= scheduled(TWO).schedule.total / 2
    assert offloaded_delay(Case(networks=("vgg13",))) == np.inf


@pytest.mark.slow
def test_figure_10_has_the_cut_of_vgg13_that_the_paper_has() -> None:
    lines = game.figure_10([2])
    assert ["100", "1", "2", "24 20 0 0 8"] in [line[:4] for line in lines]


@pytest.mark.parametrize("what", ["delay", "energy"])
@pytest.mark.slow
def test_rows_have_the_columns_of_their_head(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(game, "BANDS", (100e3,))
    head, *rows = game.over_bands([1], TWO, what)
    assert [len(row) for row in rows] == [len(head)] * 2
    assert rows[0][head.index("settled")] == "1 of 1"


def test_small_games_stay_within_the_bound_of_stability() -> None:
    for _, parallel, _, count, _, stability in game.equilibria([1, 2])[1:]:
        assert int(count) > 0
        sharers = min(3, int(parallel))
        assert float(stability) <= 2 * sharers / (sharers + 1) + 1e-4


def test_names_and_seeds_are_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert game.seeds_of("2..4") == [2, 3, 4]
    with pytest.raises(ArgumentTypeError, match=r"seeds such as 1\.\.5"):
        game.seeds_of("4..2")
    with pytest.raises(SystemExit):
        game.main(["11"])
    assert "no figure `11`" in capsys.readouterr().err
