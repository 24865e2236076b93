"""The fog model in the language: closed forms and identities of its problem, solved by Ipopt."""

from pathlib import Path
from typing import Any

import pytest

import mecdsl
from mecdsl.result import Result

MODEL = Path(__file__).resolve().parent.parent / "models" / "fog.mec"
CASE: dict[str, Any] = {
    "node_count": 3,
    "layer_count": 2,
    "master": 2,
    "input_columns": 128,
    "input_rows": 96,
    "latency": 0.12,
    "bandwidth": 1e6,
    "noise_density": 4e-21,
    "bits_per_element": 1,
    "nats_per_bit": 1,
    "fog_node": {
        "capacitance": [1e-28, 2e-28, 1.5e-28],
        "cycles_per_mac": [300, 450, 600],
        "cpu_max": [2.0e9, 2.5e9, 3.0e9],
        "power_max": [0.2, 0.25, 0.1],
        "circuit_power": [0.05, 0.1, 0.08],
    },
    "layer_pack": {"filter_size": [3, 3]},
    "distribution": {"gain": [2e-9, 5e-9]},
    "neighbour": {"gain": [[4e-9, 3e-9], [4e-9, 3e-9], [6e-10, 7e-10], [8e-10, 9e-10]]},
}


def solve(form: str = "", **changes: Any) -> Result:
    result = mecdsl.load(MODEL, data={**CASE, **changes}).solve("ipopt", form)
    assert result.verified
    return result


def test_data_stand_at_their_indices() -> None:
    instance = mecdsl.load(MODEL, data=CASE).instance()
    assert instance.world.row_text("distribution.gain", 1) == "distribution.gain[3]"
    assert instance.world.row_text("neighbour.gain", 4) == "neighbour.gain[2, 3, 1]"
    assert instance.data("neighbour.gain")[4] == 6e-10


def test_one_node_has_the_closed_form() -> None:
    # V = kappa (d^y sum_n a_n)^3 / tau^2 while the processor can; M_n = 9 d_n^x / 2^(n-1), d_n^x = 128, 64
    cycles = 96 * 300 * (9 * 128 + 9 * 64 / 2)
    alone = {name: [values[0]] for name, values in CASE["fog_node"].items()}
    single = solve(
        node_count=1, master=1, fog_node=alone, distribution={"gain": []}, neighbour={"gain": []}, latency=0.5
    )
    assert single.objective == pytest.approx(1e-28 * cycles**3 / 0.5**2, rel=1e-6)


def test_energy_scales_with_powers_and_noise() -> None:
    # kappa, P^c, p^max and N0 times s: the energy times s
    node = CASE["fog_node"]
    scaled = {
        **node,
        **{name: [3 * v for v in node[name]] for name in ("capacitance", "power_max", "circuit_power")},
    }
    one, three = solve(), solve(fog_node=scaled, noise_density=3 * 4e-21)
    assert one.objective is not None
    assert three.objective == pytest.approx(3 * one.objective, rel=1e-6)


def test_equal_rows_cost_more_and_a_later_deadline_less() -> None:
    best, equal, later = (solve(), solve("equal"), solve(latency=0.2))
    assert best.objective is not None
    assert equal.objective is not None
    assert later.objective is not None
    assert later.objective < best.objective < equal.objective


def test_the_deadline_is_tight_at_the_optimum() -> None:
    result = solve()
    used = result["distribution.time"].sum() + result["layer_pack.time"].sum()
    assert used == pytest.approx(0.12, rel=1e-6)
