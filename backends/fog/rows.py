"""Objective and rows of the fog paper's problems (31) and (24) at a point, computed from the
system.

What `recognise` compares an instance with. A point is a mapping of variable families to their
values in the order of the instance; rows come back as left minus right in the order of their
families, with the size of their terms.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mecdsl.backends.fog.system import Reals, System

Places = NDArray[np.int64]

TIMES = (
    "fog_node.rows",
    "layer_pack.time",
    "fog_node.compute_time",
    "distribution.time",
    "neighbour.time",
)
ENERGIES = ("distribution.radio_energy", "neighbour.radio_energy")
POWERS = ("distribution.transmit_power", "neighbour.transmit_power")


@dataclass(frozen=True, slots=True, eq=False)
class Layout:
    """Where the members of the families stand: `receiver` of each distribution, `sender` of each
    exchange and whether it goes up; all count from 0."""

    receiver: Places
    sender: Places
    up: NDArray[np.bool_]

    def of_links(self, up: Reals, down: Reals) -> Reals:
        """[K, N] of both directions as [links, N] in family order."""
        values: Reals = np.where(self.up[:, None], up[self.sender], down[self.sender])
        return values


def random_point(
    system: System, layout: Layout, sizes: Mapping[str, int], generator: np.random.Generator
) -> dict[str, Reals]:
    """Positive values of the size of a plan, spread over a decade or two; `sizes`: members of each
    family.
    """
    nodes, layers = system.shape
    typical = {
        "fog_node.rows": system.input_rows / nodes,
        "layer_pack.time": system.latency / layers,
        "fog_node.compute_time": system.latency / layers,
        "distribution.time": system.latency / nodes,
        "neighbour.time": system.latency / layers,
    }
    sender = np.repeat(system.power_max[layout.sender], layers)
    powers = {"distribution": system.power_max[system.master], "neighbour": sender}
    point: dict[str, Reals] = {}
    for name, members in sizes.items():
        links, _, quantity = name.partition(".")
        size = typical.get(name, 1.0)
        if quantity in ("radio_energy", "transmit_power"):
            size = powers[links] * (typical[f"{links}.time"] if quantity == "radio_energy" else 1.0)
        point[name] = size * 10.0 ** generator.uniform(-1.0, 0.5, members)
    return point


def objective(system: System, layout: Layout, parts: Mapping[str, Reals], powers: bool) -> float:
    """The energy of (31) or (24) in J; all its terms are positive."""
    rows, busy = parts["fog_node.rows"], parts["fog_node.compute_time"].reshape(system.shape)
    computing = system.capacitance[:, None] * (system.work * rows[:, None]) ** 3 / busy**2
    sent, exchanged = _radio_energy(parts, powers)
    circuits = np.repeat(system.circuit_power[layout.sender], system.shape[1])
    energy = computing.sum() + sent.sum() + exchanged.sum() + circuits @ parts["neighbour.time"]
    energy += system.circuit_power[system.master] * parts["distribution.time"].sum()
    return float(energy)


def _radio_energy(parts: Mapping[str, Reals], powers: bool) -> tuple[Reals, Reals]:
    if not powers:
        return parts[ENERGIES[0]], parts[ENERGIES[1]]
    return parts[POWERS[0]] * parts["distribution.time"], parts[POWERS[1]] * parts["neighbour.time"]


def row_values(
    system: System, layout: Layout, parts: Mapping[str, Reals], powers: bool
) -> dict[str, tuple[Reals, Reals]]:
    """Left minus right of every row of (31) or (24), and the size of its terms; in the order of the
    families.
    """
    layers = system.shape[1]
    rows, layer_time = parts["fog_node.rows"], parts["layer_pack.time"]
    busy = parts["fog_node.compute_time"].reshape(system.shape)
    send_time, link_time = parts["distribution.time"], parts["neighbour.time"].reshape(-1, layers)
    sent, exchanged = _radio_energy(parts, powers)
    exchanged = exchanged.reshape(-1, layers)
    to = layout.receiver
    scale, nats = layout.of_links(*system.link_scale), layout.of_links(*system.link_nats)
    exchange_time = np.zeros(system.shape)
    np.add.at(exchange_time, layout.sender, link_time)
    most = system.power_max[system.master], system.power_max[layout.sender][:, None]
    over = 1.0 if not powers else send_time, 1.0 if not powers else link_time
    pairs = {
        "all_rows": (rows.sum(), system.input_rows),
        "distribution_rate": (
            (system.send_nats * rows + system.send_extra)[to],
            system.bandwidth * send_time * np.log1p(sent / send_time / system.send_scale[to]),
        ),
        "cpu_limit": (system.work * rows[:, None], busy * system.cpu_max[:, None]),
        "exchange_rate": (
            nats,
            system.bandwidth * link_time * np.log1p(exchanged / link_time / scale),
        ),
        "layer_deadline": (busy + exchange_time, layer_time + np.zeros(system.shape)),
        "deadline": (send_time.sum() + layer_time.sum(), system.latency),
        "distribution_power": (sent / over[0], most[0] * send_time / over[0]),
        "exchange_power": (exchanged / over[1], most[1] * link_time / over[1]),
    }
    return {
        name: (np.ravel(left - right), np.ravel(left + right))
        for name, (left, right) in pairs.items()
    }
