"""DNN partitioning as a game: the data, and what every cut of every device costs by itself.

Source: Gao, Shen, Shi, Qi, Li, Li, "Task Partitioning and Offloading in DNN-Task Enabled Mobile
Edge Computing Networks"; what is solved is the shipped model `game`. Symbols: device n of N, layer
m of M_n, cut k of 0..M_n (layers 1..k run on the device), slot h of 1..H; place 0 is the device.
Arrays over layers are flat, device after device (K = sum M_n), so that chains of any length stand
side by side; arrays over cuts likewise (K + N). SI throughout.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

Reals = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

ROUNDING = 1e-12  # relative; a slot or a deadline that is missed by less is met

OF_DEVICES = (
    "input_size",
    "transmit_power",
    "compute_power",
    "deadline",
    "delay_weight",
    "energy_weight",
    "price_weight",
    "delay_cost",
    "energy_cost",
    "upload_rate",
    "download_rate",
)
OF_LAYERS = ("local_time", "server_time", "output_size")
OF_SLOTS = ("base_price", "price_growth")
ABOVE_0 = frozenset({"deadline", "upload_rate", "download_rate"})


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class System:
    """The data of the game; arrays [N], [K] or [H], checked and made read-only.

    `layer_count` [N]; `local_time`, `server_time` in s, `output_size` in bit [K]; `input_size` in
    bit, powers in W, `deadline` in s, weights, `delay_cost` in money/s, `energy_cost` in money/J,
    rates in bit/s [N]; `base_price` in money/cycle, `price_growth` in money/cycle^2 [H];
    `parallel_limit`: the most devices in a slot. `shared_slots`: (17) as printed, where all devices
    together fit into a slot, else each of them.

    Derived: `first_layer`, `first_cut` [N + 1], where a device begins in arrays over layers and
    cuts; `owner` [K]; over cuts `work_before` in s, the server's work in the layers before it,
    `cut_delay` in s, `cut_energy` in J (24), (25), both without the slots, and `cut_cost` in money;
    `slot_cost` [N], money for the delay of one slot; `linear` in money/s, `square` in money/s^2
    [H], the A and D of what w seconds cost beside a load L: w (A + D L).
    """

    layer_count: Integers
    local_time: Reals
    server_time: Reals
    output_size: Reals
    input_size: Reals
    transmit_power: Reals
    compute_power: Reals
    deadline: Reals
    delay_weight: Reals
    energy_weight: Reals
    price_weight: Reals
    delay_cost: Reals
    energy_cost: Reals
    upload_rate: Reals
    download_rate: Reals
    base_price: Reals
    price_growth: Reals
    frame_time: float
    parallel_limit: int
    cycle_factor: float
    server_cpu: float
    shared_slots: bool = False
    first_layer: Integers = field(init=False)
    first_cut: Integers = field(init=False)
    owner: Integers = field(init=False)
    work_before: Reals = field(init=False)
    cut_delay: Reals = field(init=False)
    cut_energy: Reals = field(init=False)
    cut_cost: Reals = field(init=False)
    slot_cost: Reals = field(init=False)
    linear: Reals = field(init=False)
    square: Reals = field(init=False)

    def __post_init__(self) -> None:
        counts = np.asarray(self.layer_count, dtype=np.int64)
        if counts.ndim != 1 or not len(counts) or (counts < 1).any():
            raise ValueError("expected at least one device, each with at least one layer")
        _freeze(self, "layer_count", counts)
        sizes = ((OF_DEVICES, len(counts)), (OF_LAYERS, int(counts.sum())))
        for names, size in (*sizes, (OF_SLOTS, len(self.base_price))):
            for name in names:
                _freeze(self, name, _checked(name, getattr(self, name), size))
        for name in ("frame_time", "cycle_factor", "server_cpu"):
            if not 0.0 < getattr(self, name) < np.inf:
                raise ValueError(f"`{name}` must be a positive number")
        if not self.slots or self.parallel_limit < 0:
            raise ValueError("expected at least one slot and no negative `parallel_limit`")
        _derive(self)

    @property
    def devices(self) -> int:
        """N."""
        return len(self.layer_count)

    @property
    def slots(self) -> int:
        """H."""
        return len(self.base_price)

    @property
    def slot_length(self) -> float:
        """T_d/H in s."""
        return self.frame_time / self.slots

    def layers_of(self, device: int) -> slice:
        """Where the layers of a device stand in arrays over layers."""
        return slice(int(self.first_layer[device]), int(self.first_layer[device + 1]))

    def cuts_of(self, device: int) -> slice:
        """Where the cuts of a device stand in arrays over cuts."""
        return slice(int(self.first_cut[device]), int(self.first_cut[device + 1]))

    def alike(self) -> Iterator[tuple[int, Integers]]:
        """The devices with as many layers, by that number."""
        for layers in np.unique(self.layer_count):
            yield int(layers), np.flatnonzero(self.layer_count == layers)


def _derive(system: System) -> None:
    counts = system.layer_count
    _freeze(system, "first_layer", np.concatenate([[0], np.cumsum(counts)]))
    _freeze(system, "first_cut", np.concatenate([[0], np.cumsum(counts + 1)]))
    _freeze(system, "owner", np.repeat(np.arange(len(counts)), counts))
    work, delay, energy = (np.zeros(int(system.first_cut[-1])) for _ in range(3))
    for layers, devices in system.alike():
        at = system.first_layer[devices][:, None] + np.arange(layers)
        cuts = system.first_cut[devices][:, None] + np.arange(layers + 1)
        work[cuts[:, 1:]] = np.cumsum(system.server_time[at], axis=1)
        local = np.zeros(cuts.shape)
        local[:, 1:] = np.cumsum(system.local_time[at], axis=1)
        sent = np.zeros(cuts.shape)
        sent[:, 0] = system.input_size[devices]
        sent[:, 1:-1] = system.output_size[at[:, :-1]]
        upload = sent / system.upload_rate[devices][:, None]
        download = system.output_size[at[:, -1:]] / system.download_rate[devices][:, None]
        delay[cuts] = local + upload
        delay[cuts[:, :-1]] += download
        energy[cuts] = system.compute_power[devices][:, None] * local
        energy[cuts] += system.transmit_power[devices][:, None] * upload
    per_second = system.delay_weight * system.delay_cost
    per_joule = system.energy_weight * system.energy_cost
    cost = np.repeat(per_second, counts + 1) * delay + np.repeat(per_joule, counts + 1) * energy
    cycles = system.cycle_factor * system.server_cpu
    growth = system.price_growth / np.arange(1, system.slots + 1)
    for name, own in (
        ("work_before", work),
        ("cut_delay", delay),
        ("cut_energy", energy),
        ("cut_cost", cost),
        ("slot_cost", per_second * system.slot_length),
        ("linear", system.base_price * cycles),
        ("square", growth * cycles**2),
    ):
        _freeze(system, name, own)


def _checked(name: str, values: ArrayLike, size: int) -> Reals:
    array = np.array(values, dtype=np.float64)
    if array.shape != (size,):
        raise ValueError(f"`{name}` has shape {array.shape}, expected ({size},)")
    least = "above 0" if name in ABOVE_0 else "at least 0"
    bad = ~np.isfinite(array) | (array <= 0.0 if name in ABOVE_0 else array < 0.0)
    if bad.any():
        raise ValueError(f"`{name}` must be finite and {least}, found {array[bad][0]:g}")
    return array


def _freeze(system: System, name: str, values: NDArray[np.generic]) -> None:
    values.flags.writeable = False
    object.__setattr__(system, name, values)
