"""Fog nodes: the data of problem (31), its plans, and the energy of a plan.

Source: E. Kilcioglu, H. Mirghasemi, I. Stupia, L. Vandendorpe, "An Energy-Efficient Fine-Grained
Deep Neural Network Partitioning Scheme for Wireless Collaborative Fog Computing", IEEE Access 2021.
Symbols: node k of K in slice order, layer-pack n of N, master m; rows d, layer times t, computing
times tl, first round distribution (FRD) tF and EF, exchanges te and Ee with the neighbour above
(`up`) and below (`down`). Index order [k] and [k, n]; both count from 0.

Every sum over the FRD runs over k != m, and the powers in (8), (27) and of its circuits are the
master's (the paper's prints differ from each other). Sizes are in nats: bits times the option
`nats_per_bit` of the model.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mecdsl.solution import Iteration, Termination

Reals = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class System:
    """The data of problem (31) in SI units, and what follows from them.

    `work` a_kn in cycle per input row [K, N]; `capacitance` kappa in J s^2/cycle^3, `cpu_max` v in
    cycle/s, `power_max` and `circuit_power` in W [K]; `distribution_gain` [K], not read at the
    master; `gain_up` of k -> k-1 and `gain_down` of k -> k+1 [K, N], not read at the first and the
    last node. `master` counts from 0. `row_nats` of one input row; `boundary_rows` received besides
    the own [K]; `exchange_nats` of one boundary row [N]; `bandwidth` in Hz, `noise_density` in
    W/Hz, `latency` tau in s, `input_rows` d^y; `macs` M_n per input row [N]. All > 0, but
    `circuit_power` and `boundary_rows` >= 0, and a layer without columns has `work`,
    `exchange_nats` and `macs` 0.

    Derived, so that nothing below asks which links exist: a link or a distribution that does not
    exist has no nats and the numbers 1. Of the links [2, K, N], first up, then down: `link_scale` s
    = N0 B / h in W, `link_most` x^max = ln(1 + p^max / s), `link_nats`; `link_exists` [2, K]. Of
    the distribution [K]: `send_scale`, `send_most`, `send_nats` per own row, `send_extra` for the
    boundary rows. `row_time` a/v in s per row and `least_exchange` in s [K, N]; `send_time` at full
    power in s per row [K], `least_send` in s for all boundary rows.

    Raises ValueError for other shapes and out of these ranges.
    """

    work: Reals
    capacitance: Reals
    cpu_max: Reals
    distribution_gain: Reals
    gain_up: Reals
    gain_down: Reals
    power_max: Reals
    circuit_power: Reals
    master: int
    row_nats: float
    boundary_rows: Reals
    exchange_nats: Reals
    bandwidth: float
    noise_density: float
    latency: float
    input_rows: float
    macs: Reals
    link_scale: Reals = field(init=False)
    link_most: Reals = field(init=False)
    link_nats: Reals = field(init=False)
    link_exists: NDArray[np.bool_] = field(init=False)
    send_scale: Reals = field(init=False)
    send_most: Reals = field(init=False)
    send_nats: Reals = field(init=False)
    send_extra: Reals = field(init=False)
    send_time: Reals = field(init=False)
    least_send: float = field(init=False)
    row_time: Reals = field(init=False)
    least_exchange: Reals = field(init=False)

    def __post_init__(self) -> None:
        _check(self)
        for name, derived in _derived(self).items():
            if isinstance(derived, np.ndarray):
                derived.setflags(write=False)
            object.__setattr__(self, name, derived)

    @property
    def shape(self) -> tuple[int, int]:
        """K and N."""
        nodes, layers = self.work.shape
        return nodes, layers

    @property
    def empty_layers(self) -> NDArray[np.bool_]:
        """Layers in which nothing is computed or sent, [N]: d^x < 2^(n-1) leaves no column."""
        empty: NDArray[np.bool_] = ~np.any(self.work > 0.0, axis=0) & ~np.any(
            self.link_nats > 0.0, axis=(0, 1)
        )
        return empty

    def reversed(self) -> "System":
        """The same system with the nodes in the opposite order."""
        flip = {name: getattr(self, name)[::-1] for name in (*_OF_NODES, "work")}
        flip |= {"gain_up": self.gain_down[::-1], "gain_down": self.gain_up[::-1]}
        return replace(self, **flip, master=self.shape[0] - 1 - self.master)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What an algorithm found; every array is None where there is no point.

    `rows` [K]; `layer_time` [N] and `compute_time` [K, N] in s; `distribution_time` in s and
    `distribution_energy` in J [K], nan at the master; `up_time`, `up_energy`, `down_time`,
    `down_energy` [K, N], nan where no link is. `objective` and `bound`, a proven lower bound on the
    optimum, in J, or None. `beta` in W, the price of (22) [K, N]; `phi` in W, the price of (23);
    `lam` in J, the price of (4), nan where rows are given; `x_frd` [K], `x_up`, `x_down` [K, N] in
    nat/s/Hz. `certificate`: numbers that prove or qualify the answer, named in each algorithm.
    """

    termination: Termination
    label: str
    rows: Reals | None = None
    layer_time: Reals | None = None
    compute_time: Reals | None = None
    distribution_time: Reals | None = None
    distribution_energy: Reals | None = None
    up_time: Reals | None = None
    up_energy: Reals | None = None
    down_time: Reals | None = None
    down_energy: Reals | None = None
    objective: float | None = None
    bound: float | None = None
    beta: Reals | None = None
    phi: float | None = None
    lam: float | None = None
    x_frd: Reals | None = None
    x_up: Reals | None = None
    x_down: Reals | None = None
    certificate: Mapping[str, float] = field(default_factory=dict)
    iterations: tuple[Iteration, ...] = ()
    message: str = ""

    @property
    def gap(self) -> float:
        """(objective - bound) / objective; infinite where one of them is missing."""
        if self.objective is None or self.bound is None:
            return float("inf")
        return (self.objective - self.bound) / self.objective if self.objective > 0.0 else 0.0


def energy(system: System, plan: Plan) -> float:
    """The objective of (31) in J, from the times and radio energies of a plan; raises ValueError
    without a point.
    """
    if plan.rows is None or plan.compute_time is None or plan.distribution_time is None:
        raise ValueError("the plan has no point")
    cycles = system.work * plan.rows[:, None]
    spent = np.zeros(system.shape)
    ratio = np.divide(cycles, plan.compute_time, out=spent, where=cycles > 0.0)
    computing = system.capacitance[:, None] * cycles * ratio**2
    circuits = system.circuit_power[:, None]
    exchange = sum(
        float(np.nansum(radio + time * circuits))
        for radio, time in ((plan.up_energy, plan.up_time), (plan.down_energy, plan.down_time))
        if radio is not None and time is not None
    )
    send = np.nansum(
        plan.distribution_energy + plan.distribution_time * system.circuit_power[system.master]
    )
    return float(computing.sum() + exchange + send)


def excess(system: System, plan: Plan) -> dict[str, float]:
    """By how much each family of (31) is exceeded, relative to its right-hand side or the deadline;
    <= 0 where kept.
    """
    if (
        plan.rows is None
        or plan.layer_time is None
        or plan.compute_time is None
        or plan.distribution_time is None
    ):
        raise ValueError("the plan has no point")
    times, energies = (
        _stacked(plan.up_time, plan.down_time),
        _stacked(plan.up_energy, plan.down_energy),
    )
    sent = system.bandwidth * times * np.log1p(_ratio(energies, times) / system.link_scale)
    sent_rows = system.bandwidth * plan.distribution_time
    sent_rows *= np.log1p(
        _ratio(plan.distribution_energy, plan.distribution_time) / system.send_scale
    )
    nats = system.send_nats * plan.rows + system.send_extra
    cycles = system.work * plan.rows[:, None]
    spent = np.nansum(plan.distribution_time) + plan.layer_time.sum()
    used = plan.compute_time + np.nansum(times, axis=0)
    found = {
        "all_rows": [abs(plan.rows.sum() / system.input_rows - 1.0)],
        "negative": [-plan.rows.min(), -plan.compute_time.min(), -plan.layer_time.min()],
        "distribution_rate": _ratio(nats, sent_rows) - 1.0,
        "cpu_limit": _ratio(cycles, plan.compute_time * system.cpu_max[:, None]) - 1.0,
        "exchange_rate": _ratio(system.link_nats, sent) - 1.0,
        "layer_deadline": (used - plan.layer_time) / system.latency,
        "deadline": [spent / system.latency - 1.0],
        "distribution_power": _ratio(
            plan.distribution_energy, plan.distribution_time * _master_power(system)
        )
        - 1.0,
        "exchange_power": _ratio(energies, times * system.power_max[:, None]) - 1.0,
    }
    return {
        name: float(np.nanmax(np.append(np.ravel(values), -1.0))) for name, values in found.items()
    }


def _master_power(system: System) -> float:
    return float(system.power_max[system.master])


def _stacked(up: Reals | None, down: Reals | None) -> Reals:
    if up is None or down is None:
        raise ValueError("the plan has no point")
    return np.stack([up, down])


def _ratio(amount: ArrayLike | None, per: ArrayLike | None) -> Reals:
    """`amount / per`, 0 where the amount is 0; nan where something is not there."""
    if amount is None or per is None:
        raise ValueError("the plan has no point")
    top, bottom = np.broadcast_arrays(
        np.asarray(amount, dtype=np.float64), np.asarray(per, dtype=np.float64)
    )
    result: Reals = np.zeros(top.shape)
    with np.errstate(divide="ignore"):
        np.divide(top, bottom, out=result, where=top != 0.0)
    return result


_OF_NODES = (
    "capacitance",
    "cpu_max",
    "distribution_gain",
    "power_max",
    "circuit_power",
    "boundary_rows",
)
_NUMBERS = ("row_nats", "bandwidth", "noise_density", "latency", "input_rows")


def _check(system: System) -> None:
    """Turn the fields into read-only arrays of float64, or say what is wrong."""
    if np.ndim(system.work) != 2 or 0 in np.shape(system.work):
        raise ValueError("expected `work` of shape (K, N) with K, N >= 1")
    nodes, layers = np.shape(system.work)
    if not 0 <= system.master < nodes:
        raise ValueError(f"expected `master` in 0..{nodes - 1}, found {system.master!r}")
    place, layer = np.arange(nodes), np.zeros(layers, dtype=np.bool_)
    shapes: dict[str, tuple[int, ...]] = dict.fromkeys(_OF_NODES, (nodes,))
    shapes |= dict.fromkeys(("work", "gain_up", "gain_down"), (nodes, layers))
    shapes |= dict.fromkeys(("exchange_nats", "macs"), (layers,))
    unread = {
        "distribution_gain": place == system.master,
        "gain_up": (place == 0)[:, None] | layer,
        "gain_down": (place == nodes - 1)[:, None] | layer,
    }
    zero_allowed = ("circuit_power", "boundary_rows", "work", "exchange_nats", "macs")
    for name, shape in shapes.items():
        array = np.array(getattr(system, name), dtype=np.float64)
        if array.shape != shape:
            raise ValueError(f"expected `{name}` of shape {shape}, found {array.shape}")
        read = array[~unread[name]] if name in unread else array
        if not np.all(np.isfinite(read)) or np.any(
            read < 0.0 if name in zero_allowed else read <= 0.0
        ):
            raise ValueError(
                f"expected finite numbers {'>=' if name in zero_allowed else '>'} 0 in `{name}`"
            )
        array.setflags(write=False)
        object.__setattr__(system, name, array)
    for name in _NUMBERS:
        number = float(getattr(system, name))
        if not 0.0 < number < np.inf:
            raise ValueError(f"expected a finite `{name}` > 0, found {number!r}")
        object.__setattr__(system, name, number)
    idle = ~(system.work > 0.0)
    if np.any(idle & ~((system.exchange_nats == 0.0) & idle.all(axis=0))):
        raise ValueError("expected `work` > 0 in every layer that has columns")


def _derived(system: System) -> dict[str, Reals | NDArray[np.bool_] | float]:
    nodes = system.shape[0]
    place = np.arange(nodes)
    noise = system.noise_density * system.bandwidth
    exists = np.stack([place > 0, place < nodes - 1])
    gains = np.where(exists[:, :, None], np.stack([system.gain_up, system.gain_down]), noise)
    scale = noise / gains
    most = np.where(exists[:, :, None], np.log1p(system.power_max[:, None] / scale), 1.0)
    nats = np.where(exists[:, :, None], system.exchange_nats, 0.0)
    away = place != system.master
    send_scale = noise / np.where(away, system.distribution_gain, noise)
    send_most = np.where(away, np.log1p(system.power_max[system.master] / send_scale), 1.0)
    send_nats = np.where(away, system.row_nats, 0.0)
    send_extra = send_nats * system.boundary_rows
    pace = system.bandwidth * send_most
    return {
        "link_scale": scale,
        "link_most": most,
        "link_nats": nats,
        "link_exists": exists,
        "send_scale": send_scale,
        "send_most": send_most,
        "send_nats": send_nats,
        "send_extra": send_extra,
        "send_time": send_nats / pace,
        "least_send": float((send_extra / pace).sum()),
        "row_time": system.work / system.cpu_max[:, None],
        "least_exchange": (nats / (system.bandwidth * most)).sum(axis=0),
    }
