"""`models/examples/sinr.mec` against closed forms, and the benchmark that uses it."""

from itertools import product

import numpy as np
import pytest

import mecdsl
from tests.benchmarks import sinr

POWER, NOISE, BAND = 0.1, 10 ** (-174 / 10) * 1e-3 * 1e6, 1e6  # 20 dBm, -174 dBm/Hz in 1 MHz


def sum_rate(gain: np.ndarray, power: np.ndarray) -> float:
    """In bit/s; `gain[j, k]` from sender j to receiver k."""
    wanted = np.diag(gain) * power
    return float(BAND * np.log2(1 + wanted / (NOISE + power @ gain - wanted)).sum())


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("most_on", [1, 2])
@pytest.mark.slow
def test_two_pairs_send_at_full_power_or_not_at_all(seed: int, most_on: int) -> None:
    # Of two pairs a corner of the box of powers is best (Gjendemsjo, Gesbert, Oien and Kiani,
    # Binary power control for sum rate maximization, 2008, theorem 1)
    model = mecdsl.load(sinr.MODEL, seed=seed, pair_count=2, most_on=most_on)
    gain = np.reshape(model.instance().world.values["gain"], (2, 2))
    corners = [np.array(on) for on in product((0.0, 1.0), repeat=2) if sum(on) <= most_on]
    best = max(sum_rate(gain, POWER * on) for on in corners)
    result = model.solve("scip")
    assert result.objective == pytest.approx(best, rel=1e-5)
    assert result.bound is None or result.bound >= best * (1 - 1e-6)


@pytest.mark.slow
def test_the_benchmark_prints_a_line_for_each_solver_that_is_there(
    capsys: pytest.CaptureFixture[str],
) -> None:
    sinr.main(["--pairs", "2", "--limit", "60"])
    lines = capsys.readouterr().out.splitlines()
    lines = [line for line in lines if "is left out" not in line]
    rows = [line.split() for line in lines[1:]]
    assert rows[0][:2] == ["2", "scip"]
    assert len({row[3] for row in rows}) == 1  # one optimum
