"""Cooperative computing at edge and cloud: the data of problem (19), its plans, and the latency of
a plan.

Source: R. Chai, X. Song, Q. Chen, "Joint Task Offloading, CNN Layer Scheduling, and Resource
Allocation in Cooperative Computing System". Symbols: task m of M, server n of N, depth k of K; size
S, full-band rate r, local latency D_m (2), unshared latencies A_mn = S/r, B_mnk = p_n^k S/F_n,
C_mnk = r_n^k S/C_n, floor of the band share rho_mn = R_m/r_mn (17). Arrays have index order [m],
[m, n], [m, n, k]; m and n count from 0, depths from 1.

C2 as printed lets an offloaded task run no layer at all; here it runs one depth, sum_k delta = x
(corrected).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mecdsl.solution import Iteration, Termination

Reals = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

TOLERANCE = 1e-9  # relative; by how much C9 and C10 may be exceeded and still count as kept
LOCAL = -1  # the server of a task that runs locally


class Layers(Enum):
    """How the depth of an offloaded task is chosen."""

    FREE = "free"
    SEARCHED = "searched"  # one depth per server, by (21)


@dataclass(frozen=True, slots=True)
class Limits:
    """Which constraints of (19) hold: `rate` C9 (17), `latency` C10 (18), `load` the most tasks of
    a server.
    """

    rate: bool = True
    latency: bool = True
    load: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class System:
    """The data of problem (19) in SI units, and what follows from them.

    Of a task [M]: `task_size` S in bit, `min_rate` R in bit/s, `max_latency` D^max in s, > 0,
    `power` P in W, `cpu` F^0 in cycle/s, `work` p^0 in cycle/bit. Of a server [N]: `bandwidth` in
    Hz, `server_cpu` F in cycle/s, `capacity` C of its backhaul in bit/s, `max_tasks`. Of both [M,
    N]: `gain` as a factor, `distance` in m. Of the networks [N, K], cumulative over the first k
    layers: `output_ratio` r, `cumulative_work` p in cycle/bit. `noise_power` in W over the whole
    band, > 0. Everything else is >= 0.

    Derived: `rate` r [M, N] (6), `local_latency` [M] (2), `send_time` A, `rate_share` rho [M, N],
    `compute_time` B and `forward_time` C [M, N, K]; infinite where a positive amount meets no
    capacity.

    Raises ValueError for other shapes, for numbers that are not finite, and out of these ranges.
    """

    task_size: Reals
    min_rate: Reals
    max_latency: Reals
    power: Reals
    cpu: Reals
    work: Reals
    bandwidth: Reals
    server_cpu: Reals
    capacity: Reals
    max_tasks: Reals
    gain: Reals
    distance: Reals
    output_ratio: Reals
    cumulative_work: Reals
    noise_power: float
    rate: Reals = field(init=False)
    local_latency: Reals = field(init=False)
    send_time: Reals = field(init=False)
    rate_share: Reals = field(init=False)
    compute_time: Reals = field(init=False)
    forward_time: Reals = field(init=False)

    def __post_init__(self) -> None:
        tasks, servers = np.shape(self.task_size)[:1], np.shape(self.bandwidth)[:1]
        shapes = dict.fromkeys(
            ("task_size", "min_rate", "max_latency", "power", "cpu", "work"), tasks
        )
        shapes |= dict.fromkeys(("bandwidth", "server_cpu", "capacity", "max_tasks"), servers)
        shapes |= dict.fromkeys(("gain", "distance"), tasks + servers)
        depths = np.shape(self.output_ratio)[1:]
        shapes |= dict.fromkeys(("output_ratio", "cumulative_work"), servers + depths)
        for name, shape in shapes.items():
            _freeze(self, name, _checked(name, getattr(self, name), shape))
        if not 0.0 < self.noise_power < np.inf:
            raise ValueError(f"expected a finite `noise_power` > 0, found {self.noise_power!r}")
        if not np.all(self.max_latency > 0.0):
            raise ValueError("expected every `max_latency` > 0")
        if depths == () or depths[0] < 1:
            raise ValueError("expected at least one layer")
        for name, derived in _derived(self).items():
            _freeze(self, name, derived)

    @property
    def shape(self) -> tuple[int, int, int]:
        """M, N and K."""
        return len(self.task_size), len(self.bandwidth), self.output_ratio.shape[1]

    @property
    def latency(self) -> Reals:
        """Latency in s of each task alone at a server, A + B + C, [M, N, K]."""
        return self.send_time[:, :, None] + self.compute_time + self.forward_time

    def roots(self) -> Reals:
        """(a, b, c): square roots of A, B, C in s^(1/2), [M, N, K, 3]; zero where the pair is
        impossible.
        """
        send = np.broadcast_to(self.send_time[:, :, None], self.shape)
        times = np.stack([send, self.compute_time, self.forward_time], axis=3)
        found: Reals = np.sqrt(np.where(np.isfinite(self.latency)[..., None], times, 0.0))
        return found

    def possible(self, limits: Limits) -> Flags:
        """Which tasks a server could take at which depth if it had no other task, [M, N, K]."""
        alone = np.isfinite(self.latency)
        if limits.latency:
            alone &= self.latency <= self.max_latency[:, None, None] * (1.0 + TOLERANCE)
        if limits.rate:
            alone &= self.rate_share[:, :, None] <= 1.0 + TOLERANCE
        if limits.load:
            alone &= (self.max_tasks >= 1.0)[None, :, None]
        return alone

    def possible_local(self, limits: Limits) -> Flags:
        """Which tasks may run locally, [M]."""
        local: Flags = np.isfinite(self.local_latency)
        if limits.latency:
            local &= self.local_latency <= self.max_latency * (1.0 + TOLERANCE)
        return local

    def edge_only(self) -> "System":
        """The same system where servers run all K layers and forward nothing (Fig. 8)."""
        servers = len(self.bandwidth)
        return replace(
            self, output_ratio=np.zeros((servers, 1)), cumulative_work=self.cumulative_work[:, -1:]
        )

    def cloud_only(self) -> "System":
        """The same system where servers forward the raw data and run nothing (Fig. 8)."""
        servers = len(self.bandwidth)
        return replace(
            self, output_ratio=np.ones((servers, 1)), cumulative_work=np.zeros((servers, 1))
        )


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """What an algorithm found; `server`, `depth` and `shares` are None where there is no point.

    `server` [M], LOCAL for local; `depth` [M], 1-based, 0 for local; `shares` [M, N, 3] of band,
    processor and backhaul, 0 where the task is not. `objective` in s. `bound`: proven lower bound
    on the optimum in s, or None. `certificate`: numbers that prove or qualify the answer, named in
    each algorithm.
    """

    termination: Termination
    label: str
    server: Integers | None = None
    depth: Integers | None = None
    shares: Reals | None = None
    objective: float | None = None
    bound: float | None = None
    certificate: Mapping[str, float] = field(default_factory=dict)
    iterations: tuple[Iteration, ...] = ()
    message: str = ""

    @property
    def local(self) -> Flags:
        """Which tasks run locally; raises ValueError where there is no point."""
        if self.server is None:
            raise ValueError("the plan has no point")
        local: Flags = self.server == LOCAL
        return local


def evaluate(system: System, server: Integers, depth: Integers, shares: Reals) -> Reals:
    """Latency of each task in s, (1)-(8), [M]; a term with numerator 0 is 0, any other with share 0
    infinite.
    """
    result = system.local_latency.copy()
    away = np.flatnonzero(server != LOCAL)
    place, layer = server[away], depth[away] - 1
    terms = np.stack(
        [
            system.send_time[away, place],
            system.compute_time[away, place, layer],
            system.forward_time[away, place, layer],
        ],
        axis=1,
    )
    result[away] = ratio(terms, shares[away, place]).sum(axis=1)
    return result


def excess(
    system: System, server: Integers, shares: Reals, latency: Reals, limits: Limits
) -> dict[str, float]:
    """By what factors C10 and C9 are exceeded, `latency_excess` and `rate_excess`; 1 or less where
    they are kept.
    """
    found = {}
    if limits.latency:
        found["latency_excess"] = float((latency / system.max_latency).max(initial=0.0))
    if limits.rate:
        away = np.flatnonzero(server != LOCAL)
        place = server[away]
        found["rate_excess"] = float(
            ratio(system.rate_share[away, place], shares[away, place, 0]).max(initial=0.0)
        )
    return found


def ratio(amount: Reals, capacity: Reals) -> Reals:
    """`amount / capacity`, 0 where the amount is 0, infinite where only the capacity is."""
    amount, capacity = np.broadcast_arrays(amount, capacity)
    result: Reals = np.where(amount > 0.0, np.inf, 0.0)
    with np.errstate(over="ignore"):
        np.divide(amount, capacity, out=result, where=(amount > 0.0) & (capacity > 0.0))
    return result


def _derived(system: System) -> dict[str, Reals]:
    size = system.task_size
    signal = system.power[:, None] * system.gain / system.noise_power
    rate = system.bandwidth * np.log1p(signal) / np.log(2.0)
    return {
        "rate": rate,
        "local_latency": ratio(size * system.work, system.cpu),
        "send_time": ratio(size[:, None], rate),
        "rate_share": ratio(system.min_rate[:, None], rate),
        "compute_time": ratio(
            size[:, None, None] * system.cumulative_work, system.server_cpu[:, None]
        ),
        "forward_time": ratio(size[:, None, None] * system.output_ratio, system.capacity[:, None]),
    }


def _checked(name: str, values: ArrayLike, shape: tuple[int, ...]) -> Reals:
    array = np.array(values, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"expected `{name}` of shape {shape}, found {array.shape}")
    if not np.all(np.isfinite(array)) or np.any(array < 0.0):
        raise ValueError(f"expected finite numbers >= 0 in `{name}`")
    return array


def _freeze(system: System, name: str, array: Reals) -> None:
    array.setflags(write=False)
    object.__setattr__(system, name, array)
