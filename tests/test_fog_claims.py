"""The studies of the fog paper's claims run, and their tables are what the model gives."""

import numpy as np
import pytest

import mecdsl
from tests.claims import fog
from tests.claims.tables import spread


@pytest.fixture(scope="module")
def one_seed() -> fog.Studies:
    return fog.Studies([2])


@pytest.mark.slow
def test_a_pair_is_what_two_solves_give(one_seed: fog.Studies) -> None:
    best, equal = one_seed.pair(node_count=4, layer_count=2, latency=1.0)
    model = mecdsl.load(fog.MODEL, seed=2, node_count=4, layer_count=2, latency=1.0)
    assert best == pytest.approx([1e9 * model.solve("ipopt")["energy_per_mac"]], rel=1e-6)
    assert equal == pytest.approx([1e9 * model.solve("ipopt", "equal")["energy_per_mac"]], rel=1e-6)


def test_what_is_impossible_is_counted_apart(one_seed: fog.Studies) -> None:
    best, _ = one_seed.pair(latency=0.01)
    assert np.isnan(best).all()
    assert spread([1.0, np.nan, 4.0]) == "2.5 (1..4, 1 none)"
    assert spread([np.nan]) == "-, 1 none"


def test_layer_times_fall_by_four_where_exchanges_hardly_count(one_seed: fog.Studies) -> None:
    # t_n ~ M_n = 9 floor(d^x / 2^(n-1)) / 2^(n-1): a factor 4 a layer
    for line in fog.figure_4(one_seed)[1:]:
        assert [float(cell.split()[0]) for cell in line[2:]] == pytest.approx([0.25] * 3, abs=3e-3)


def test_a_figure_is_printed_and_an_unknown_one_refused(capsys: pytest.CaptureFixture[str]) -> None:
    fog.main(["5", "--seeds", "1"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Figure 5: ")
    assert [line.split()[0] for line in lines[1:4]] == ["d^y", "512", "1024"]
    with pytest.raises(SystemExit):
        fog.main(["11"])
    assert "no figure `11`" in capsys.readouterr().err
