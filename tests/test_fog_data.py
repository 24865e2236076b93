"""Data of the fog problem: the contract's data file, what is derived, and what is refused."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from mecdsl.backends.fog.cases import draw, from_case
from mecdsl.backends.fog.system import System

CASE: dict[str, Any] = {
    "node_count": 3,
    "layer_count": 2,
    "master": 2,
    "input_columns": 128,
    "input_rows": 96,
    "latency": 0.12,
    "bandwidth": 1e6,
    "noise_density": 4e-21,
    "bits_per_element": 2,
    "nats_per_bit": 0.5,
    "fog_node": {
        "capacitance": [1e-28, 2e-28, 1.5e-28],
        "cycles_per_mac": [300, 450, 600],
        "cpu_max": [2.0e9, 2.5e9, 3.0e9],
        "power_max": [0.2, 0.25, 0.1],
        "circuit_power": [0.05, 0.1, 0.08],
    },
    "layer_pack": {"filter_size": [3, 3]},
    "distribution": {"gain": [2e-9, 5e-9]},
    "neighbour": {"gain": [[4e-9, 3e-9], [4.5e-9, 3.5e-9], [6e-10, 7e-10], [8e-10, 9e-10]]},
}


def test_data_file_is_read_by_the_contract() -> None:
    system = from_case(CASE)
    assert system.shape == (3, 2)
    assert system.master == 1
    np.testing.assert_allclose(system.macs, [9 * 128, 9 * 64 / 2])  # f^2 d_n^x / 2^(n-1)
    assert system.work[2, 1] == pytest.approx(600 * 288)
    np.testing.assert_array_equal(system.exchange_nats, [128, 64])
    np.testing.assert_array_equal(system.boundary_rows, [1, 2, 1])
    assert system.gain_down[1, 0] == 6e-10  # 2 -> 3
    assert system.gain_up[1, 1] == 3.5e-9  # 2 -> 1
    assert system.gain_up[2, 1] == 9e-10  # 3 -> 2
    assert system.distribution_gain[2] == 5e-9


def test_qualified_names_mean_the_same() -> None:
    flat = {name: value for name, value in CASE.items() if not isinstance(value, dict)}
    for family, values in CASE.items():
        if isinstance(values, dict):
            flat |= {f"{family}.{name}": value for name, value in values.items()}
    np.testing.assert_array_equal(from_case(flat).gain_up, from_case(CASE).gain_up)


def test_missing_links_have_no_nats() -> None:
    system = from_case(CASE)
    assert system.link_nats[0, 0].max() == system.link_nats[1, 2].max() == 0.0
    assert system.send_nats[1] == system.send_extra[1] == 0.0
    assert system.send_extra[0] == 128.0  # one boundary row
    # up and down of the middle node at full power: d^x / (B ln(1 + p h / (N0 B)))
    slowest = 128 / (1e6 * np.log1p(0.25 * 4.5e-9 / 4e-15)) + 128 / (
        1e6 * np.log1p(0.25 * 6e-10 / 4e-15)
    )
    assert system.least_exchange[1, 0] == pytest.approx(slowest, rel=1e-12)
    # the master's power sends, not the receiver's
    assert system.send_most[2] == pytest.approx(np.log1p(0.25 * 5e-9 / 4e-15), rel=1e-12)


def test_one_node_has_no_links() -> None:
    case = CASE | {
        "node_count": 1,
        "master": 1,
        "distribution": {"gain": []},
        "neighbour": {"gain": []},
    }
    case["fog_node"] = {name: values[:1] for name, values in CASE["fog_node"].items()}
    system = from_case(case)
    assert not system.link_exists.any()
    assert system.least_exchange.max() == system.least_send == 0.0


def test_reversal_swaps_the_directions() -> None:
    system = draw(np.random.default_rng(3), 5, 2, decades=2.0)
    back = system.reversed()
    assert back.master == 4 - system.master
    np.testing.assert_array_equal(back.link_nats, system.link_nats[::-1, ::-1])
    np.testing.assert_array_equal(back.link_scale, system.link_scale[::-1, ::-1])
    np.testing.assert_array_equal(back.reversed().gain_up, system.gain_up)


def test_layer_without_columns_is_known() -> None:
    system = draw(np.random.default_rng(0), 3, 4, input_columns=4)  # 4, 2, 1, 0 columns
    np.testing.assert_array_equal(system.empty_layers, [False, False, False, True])


def test_layer_of_one_node_without_links_is_not_empty() -> None:
    system = draw(np.random.default_rng(0), 1, 2)
    assert not system.empty_layers.any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"cpu_max": [1.0, 2.0]}, "expected `cpu_max` of shape \\(3,\\), found \\(2,\\)"),
        ({"latency": 0.0}, "expected a finite `latency` > 0, found 0.0"),
        ({"master": 3}, "expected `master` in 0..2, found 3"),
        ({"capacitance": [1.0, 0.0, 1.0]}, "expected finite numbers > 0 in `capacitance`"),
        ({"circuit_power": [0.0, -1.0, 0.0]}, "expected finite numbers >= 0 in `circuit_power`"),
        ({"work": np.zeros((3, 2))}, "expected `work` > 0 in every layer that has columns"),
    ],
)
def test_wrong_data_are_refused(change: dict[str, Any], message: str) -> None:
    system: System = from_case(CASE)
    with pytest.raises(ValueError, match=message):
        replace(system, **change)
