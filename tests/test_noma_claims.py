"""The studies of the NOMA paper's claims run, and their tables are what the model gives."""

from argparse import ArgumentTypeError

import numpy as np
import pytest

import mecdsl
from mecdsl.backends.noma.recognise import Recognised, recognise
from tests.claims import noma
from tests.claims.noma_cases import MODEL, Case, Studies, drawn, outcome
from tests.claims.noma_corollaries import corollary_2

FEW = Case(access_points=2, users_each=2, subchannels=2, method="exact")


@pytest.mark.slow
def test_a_case_has_the_data_that_a_backend_reads() -> None:
    model = mecdsl.load(
        MODEL,
        seed=3,
        user_count=6,
        subchannel_count=3,
        users_per_subchannel_max=2,
        uplink_bandwidth=1e6,
        downlink_bandwidth=1e6,
        user_network="tiny_yolov2",
        energy_weight_of_all=0.02,
    )
    wanted = recognise(model.instance())
    assert isinstance(wanted, Recognised)
    case = Case(
        access_points=2,
        users_each=3,
        subchannels=3,
        most=2,
        bandwidth=1e6,
        network="tiny_yolov2",
        energy_weight=0.02,
    )
    found = drawn(case, 3)
    assert found.users_per_subchannel_max == wanted.system.users_per_subchannel_max
    for name in ("home", "cpu", "layer_work", "cut_size", "result_size", "edge_capacitance"):
        np.testing.assert_array_equal(getattr(found, name), getattr(wanted.system, name))
    for name in ("time_weight", "energy_weight"):
        np.testing.assert_allclose(getattr(found, name), getattr(wanted.system, name), rtol=1e-15)
    for own, other in zip(found.links, wanted.system.links, strict=True):
        np.testing.assert_array_equal(own.gain, other.gain)
        numbers = [
            (link.bandwidth, link.noise, link.power_min, link.power_max) for link in (own, other)
        ]
        assert numbers[0] == numbers[1]


@pytest.mark.parametrize("what", ["time", "energy"])
@pytest.mark.slow
def test_a_ratio_is_what_two_solves_give(what: str) -> None:
    found = Studies([3]).ratio(FEW, "Neurosurgeon", "ECC-NOMA", what)
    model = mecdsl.load(MODEL, seed=3)  # two access points, four users, two subchannels
    base = model.solve("noma-neurosurgeon", "oma_silent")[f"total_{what}"]
    assert found == pytest.approx([base / model.solve("noma-exact", "silent")[f"total_{what}"]])


def test_schemes_are_ordered_as_their_problems_are() -> None:
    best = {scheme: outcome(FEW, 5, scheme).cost for scheme in ("ECC", "ECC-NOMA")}
    others = [outcome(FEW, 5, scheme).cost for scheme in (noma.BASE, *noma.OTHERS)]
    assert best["ECC"] <= min(others)
    assert max(best.values()) <= outcome(FEW, 5, noma.BASE).cost  # silent either way


@pytest.mark.slow
def test_one_user_on_a_subchannel_of_its_cell_has_nothing_to_share() -> None:
    alone = Case(access_points=2, users_each=2, subchannels=4, most=1, method="exact")
    np.testing.assert_allclose(Studies([1, 2]).ratio(alone, *noma.OURS, "cost"), 1.0, rtol=3e-6)
    assert (Studies([1, 2]).values(alone, "ECC-NOMA", "together") == 0.0).all()


def test_who_shares_is_counted() -> None:
    crowd = Case(access_points=1, users_each=4, subchannels=1, most=4, energy_weight=0.0)
    assert outcome(crowd, 1, "Edge-Only").together == 1.0
    assert outcome(crowd, 1, "Device-Only").local == 1.0


def test_workloads_change_no_ratio() -> None:
    # cost, time and energy are proportional to work and sizes for given decisions
    studies = Studies([1])
    for what in ("time", "energy"):
        once, more = (
            studies.ratio(
                Case(access_points=2, users_each=2, subchannels=2, workload=k, method="exact"),
                *("Device-Only", "ECC-NOMA", what),
            )
            for k in (1.0, 4.0)
        )
        assert more == pytest.approx(once, rel=1e-4)


def test_prices_are_refuted_in_powers_and_not_in_their_logarithms() -> None:
    lines = {(line[0], line[1]): line[2:] for line in corollary_2(Studies([1]))[1:]}
    assert lines["price of one user", "p"] == ["0.0297627", "0.0296785", "yes"]
    assert lines["delay of two users", "p"] == ["1.40076", "1.36018", "yes"]
    assert lines["sums of prices, random", "p"][-1] != "0.0 (0.0..0.0) %"
    assert lines["sums of prices, random", "ln p"][-1] == "0.0 (0.0..0.0) %"
    assert lines["`mecdsl check`: cost", "p"][-1] == "yes"


def test_figures_are_printed_and_an_unknown_one_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    noma.main(["corollary2", "--seeds", "2"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("corollary2: ")
    assert len(lines) == 8
    with pytest.raises(SystemExit):
        noma.main(["12"])
    assert "no figure `12`" in capsys.readouterr().err


def test_seeds_are_a_range_or_one() -> None:
    assert list(noma.seeds_of("2..4")) == [2, 3, 4]
    assert list(noma.seeds_of("7")) == [7]
    for text in ("4..2", "some"):
        with pytest.raises(ArgumentTypeError, match="are no seeds"):
            noma.seeds_of(text)
