"""Fog nodes: systems from a data file of models/fog.mec, and drawn ones for tests and benchmarks.

The paper's table of values is missing; `draw` uses the assumed values that the model states.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from mecdsl.backends.fog.system import Reals, System

_DEFAULTS = {"bits_per_element": 1.0, "nats_per_bit": 1.0}


def from_case(case: Mapping[str, Any]) -> System:
    """The system of a data file: plain numbers in SI units, qualified names or one object per
    family.

    Raises KeyError for a name that is missing and ValueError for a wrong length.
    """
    flat = _flat(case)
    nodes, layers = int(flat["node_count"]), int(flat["layer_count"])
    master = int(flat["master"]) - 1
    nats = float(flat["bits_per_element"]) * float(flat["nats_per_bit"])
    filters = np.array(flat.get("layer_pack.filter_size", [3.0] * layers), dtype=np.float64)
    macs, columns = layer_sizes(filters, float(flat["input_columns"]))
    gains = np.array(flat["neighbour.gain"], dtype=np.float64).reshape(-1, layers)
    if len(gains) != 2 * (nodes - 1):
        raise ValueError(f"expected {2 * (nodes - 1)} rows in `neighbour.gain`, found {len(gains)}")
    up, down = np.full((nodes, layers), np.nan), np.full((nodes, layers), np.nan)
    up[1:], down[:-1] = (
        gains[1::2],
        gains[0::2],
    )  # 1->2, 2->1, 2->3, ...: k->k+1 and its reverse in turn
    sends = np.insert(np.array(flat["distribution.gain"], dtype=np.float64), master, np.nan)
    return System(
        work=np.outer(np.array(flat["fog_node.cycles_per_mac"], dtype=np.float64), macs),
        capacitance=np.array(flat["fog_node.capacitance"]),
        cpu_max=np.array(flat["fog_node.cpu_max"]),
        distribution_gain=sends,
        gain_up=up,
        gain_down=down,
        power_max=np.array(flat["fog_node.power_max"]),
        circuit_power=np.array(flat["fog_node.circuit_power"]),
        master=master,
        row_nats=nats * float(flat["input_columns"]),
        boundary_rows=boundary_rows(nodes),
        exchange_nats=nats * columns,
        bandwidth=float(flat["bandwidth"]),
        noise_density=float(flat["noise_density"]),
        latency=float(flat["latency"]),
        input_rows=float(flat["input_rows"]),
        macs=macs,
    )


def layer_sizes(filters: Reals, input_columns: float) -> tuple[Reals, Reals]:
    """M_n (14) in MAC per input row and the columns d_n^x, [N] each."""
    halvings = 2.0 ** np.arange(len(filters))
    columns = np.floor(input_columns / halvings)
    return filters**2 * columns / halvings, columns


def boundary_rows(nodes: int) -> Reals:
    """Extra rows received in the distribution (9), [K]: two, at the ends one."""
    place = np.arange(nodes)
    return np.where((place > 0) & (place < nodes - 1), 2.0, 1.0)


def draw(
    generator: np.random.Generator,
    nodes: int,
    layers: int,
    latency: float = 0.5,
    input_columns: int = 512,
    input_rows: float = 1024.0,
    decades: float = 0.0,
) -> System:
    """A system with the assumed values of the model; `latency` in s.

    `decades`: how far gains, capacitances and powers are spread besides, log-uniformly over that
    many decades, per link and layer, so that the two directions of a pair differ; circuit power is
    then 0 at about one node in four.
    """
    macs, columns = layer_sizes(np.full(layers, 3.0), float(input_columns))

    def gain(*shape: int) -> Reals:
        return 1e-4 * generator.uniform(5.0, 50.0, size=shape) ** -3.0

    pairs = gain(nodes - 1, 1) * np.ones(layers)
    up, down = np.full((nodes, layers), np.nan), np.full((nodes, layers), np.nan)
    up[1:], down[:-1] = pairs, pairs
    system = System(
        work=np.outer(generator.uniform(270.0, 730.0, size=nodes), macs),
        capacitance=np.full(nodes, 1e-28),
        cpu_max=generator.uniform(2e9, 3e9, size=nodes),
        distribution_gain=gain(nodes),
        gain_up=up,
        gain_down=down,
        power_max=np.full(nodes, 0.2),
        circuit_power=np.full(nodes, 0.1),
        master=int(generator.integers(nodes)),
        row_nats=float(input_columns),
        boundary_rows=boundary_rows(nodes),
        exchange_nats=columns,
        bandwidth=0.5e6,
        noise_density=1e-3 * 10.0**-17.4,
        latency=latency,
        input_rows=input_rows,
        macs=macs,
    )
    return _spread(system, generator, decades) if decades > 0.0 else system


def _spread(system: System, generator: np.random.Generator, decades: float) -> System:
    """The system with gains, capacitances and powers spread over so many decades."""
    nodes, layers = system.shape

    def factor(*shape: int) -> Reals:
        return 10.0 ** generator.uniform(-decades / 2.0, decades / 2.0, size=shape)

    return replace(
        system,
        capacitance=system.capacitance * factor(nodes),
        distribution_gain=system.distribution_gain * factor(nodes),
        gain_up=system.gain_up * factor(nodes, layers),
        gain_down=system.gain_down * factor(nodes, layers),
        power_max=system.power_max * factor(nodes),
        circuit_power=np.where(
            generator.random(nodes) < 0.25,
            0.0,
            system.circuit_power * np.minimum(factor(nodes), 10.0),
        ),
    )


def _flat(case: Mapping[str, Any]) -> dict[str, Any]:
    """Qualified names only; what the model has a default for is filled in."""
    flat: dict[str, Any] = dict(_DEFAULTS)
    for name, value in case.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{inner}": entry for inner, entry in value.items()}
        else:
            flat[name] = value
    return flat
