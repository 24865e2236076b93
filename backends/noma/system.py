"""Split inference over NOMA: the data of problem (18), its points, and what an algorithm found.

Source: Yuan, Li, Zhang, Li, Chen, Martinez Ortega, Guo, "High Efficiency Inference Accelerating
Algorithm for NOMA-based Mobile Edge Computing". Symbols: user i of U, access point n of N,
subchannel m of M, cut s of 0..F; layers 1..s run on the device. Index order [n, i, m] of gains, [i]
and [i, s] of the rest; i, n and m count from 0. SI throughout.

The paper's problem leaves much open; what is solved is the shipped model `noma`. On one subchannel
of one access point v is weaker than i if its gain is less, on a tie if its number is; up, i hears
the weaker ones, down the stronger ones, and on both links everybody of other cells. All gains are
used over the noise, so that what a receiver hears is 1 plus terms.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mecdsl.solution import Iteration, Termination

Reals = NDArray[np.float64]
Integers = NDArray[np.int64]
Flags = NDArray[np.bool_]

LN2 = float(np.log(2.0))
NONE = -1  # the subchannel of a user that has none


class Way(Enum):
    """The direction of a link."""

    UP = "uplink"
    DOWN = "downlink"


@dataclass(frozen=True, slots=True)
class Form:
    """Which form of the problem: `silent`, `oma`, and `common`, one cut for all users."""

    silent: bool = False
    oma: bool = False
    common: bool = False


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Link:
    """One direction between the access points and all users.

    `gain` [N, U, M], a power factor >= 0: signal where n is the home of i, interference elsewhere.
    `bandwidth` of all subchannels together in Hz, `noise` in one of them in W, both > 0;
    `power_min`, `power_max` in W, where a box may be empty. `home` [U] as in `System`.

    Derived: `own` [U, M], gain to the home over noise in 1/W.
    """

    way: Way
    gain: Reals
    bandwidth: float
    noise: float
    power_min: float
    power_max: float
    home: Integers
    own: Reals = field(init=False)

    def __post_init__(self) -> None:
        if np.ndim(self.gain) != 3 or 0 in (self.gain.shape[0], self.gain.shape[2]):
            raise ValueError(f"expected the gains of the {self.way.value} of shape (N, U, M)")
        access_points, users, _ = self.gain.shape
        _freeze(self, "gain", _checked(f"{self.way.value}.gain", self.gain, self.gain.shape))
        _freeze(self, "home", _homes(self.home, users, access_points))
        for name in ("bandwidth", "noise"):
            _number(self, name, zero=False)
        for name in ("power_min", "power_max"):
            _number(self, name, zero=True)
        _freeze(self, "own", self.gain[self.home, np.arange(users)] / self.noise)

    @property
    def shape(self) -> tuple[int, int, int]:
        """N, U and M."""
        access_points, users, subchannels = self.gain.shape
        return access_points, users, subchannels

    @property
    def nats_to_bits(self) -> float:
        """Rate of one subchannel in bit/s for each nat of ln(1 + SINR)."""
        return self.bandwidth / self.shape[2] / LN2

    @property
    def least_power(self) -> float:
        """`power_min`, but not 0, at which nothing is sent; in W."""
        return max(self.power_min, 1e-9 * self.power_max)

    def across(self, users: Integers, channel: Integers) -> Reals:
        """Gain over noise in 1/W between each access point and each of some users on a subchannel
        of its own, [N, users]; 0 at the home, which is not across.
        """
        found: Reals = self.gain[:, users, channel] / self.noise
        found[self.home[users], np.arange(len(users))] = 0.0
        return found


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class System:
    """The data of problem (18) in SI units.

    Of a user [U]: `home`, an access point in 0..N-1; `cpu` c in flop/s; `capacitance` xi in
    J s^2/flop^2/cycle; `cycles_per_flop` phi; `time_weight` in 1/s, `energy_weight` in 1/J;
    `result_size` m in bit; `layer_work` f in flop [U, F]; `cut_size` w in bit [U, F + 1]. Of an
    access point [N]: `unit_speed` in flop/s, `edge_capacitance`, `edge_cycles_per_flop`.
    `edge_units_min`, `edge_units_max`, `edge_exponent`, > 0; `users_per_subchannel_max` K. Speeds
    are > 0, everything else >= 0.

    Derived [U, F + 1]: `device_work` A and `edge_work` V in flop.

    Raises ValueError for other shapes, for numbers that are not finite, and out of these ranges.
    """

    home: Integers
    cpu: Reals
    capacitance: Reals
    cycles_per_flop: Reals
    time_weight: Reals
    energy_weight: Reals
    layer_work: Reals
    cut_size: Reals
    result_size: Reals
    unit_speed: Reals
    edge_capacitance: Reals
    edge_cycles_per_flop: Reals
    edge_units_min: float
    edge_units_max: float
    edge_exponent: float
    users_per_subchannel_max: int
    uplink: Link
    downlink: Link
    device_work: Reals = field(init=False)
    edge_work: Reals = field(init=False)

    def __post_init__(self) -> None:
        if np.ndim(self.layer_work) != 2 or np.shape(self.layer_work)[1] < 1:
            raise ValueError("expected `layer_work` of shape (U, F) with F >= 1")
        users, layers = np.shape(self.layer_work)
        access_points = self.uplink.shape[0]
        if self.uplink.shape != self.downlink.shape or self.uplink.shape[1] != users:
            raise ValueError("expected gains of shape (N, U, M) on both links")
        _freeze(self, "home", _homes(self.home, users, access_points))
        shapes: dict[str, tuple[int, ...]] = dict.fromkeys(_OF_USERS, (users,))
        shapes |= dict.fromkeys(_OF_ACCESS_POINTS, (access_points,))
        shapes |= {"layer_work": (users, layers), "cut_size": (users, layers + 1)}
        for name, shape in shapes.items():
            _freeze(self, name, _checked(name, getattr(self, name), shape))
        for name in ("cpu", "unit_speed"):
            if not np.all(getattr(self, name) > 0.0):
                raise ValueError(f"expected every `{name}` > 0")
        for name in ("edge_units_min", "edge_units_max", "edge_exponent"):
            _number(self, name, zero=False)
        if self.users_per_subchannel_max < 0:
            raise ValueError("expected `users_per_subchannel_max` >= 0")
        run = np.zeros((users, layers + 1))
        np.cumsum(self.layer_work, axis=1, out=run[:, 1:])
        left = np.zeros((users, layers + 1))
        left[:, :-1] = np.cumsum(self.layer_work[:, ::-1], axis=1)[:, ::-1]
        _freeze(self, "device_work", run)
        _freeze(self, "edge_work", left)

    @property
    def shape(self) -> tuple[int, int, int]:
        """N, U and M."""
        return self.uplink.shape

    @property
    def layers(self) -> int:
        """F."""
        return int(self.layer_work.shape[1])

    @property
    def links(self) -> tuple[Link, Link]:
        """Up, then down."""
        return self.uplink, self.downlink

    @property
    def cell_sizes(self) -> Integers:
        """The number of users of each access point, [N]."""
        return np.bincount(self.home, minlength=self.shape[0]).astype(np.int64)

    @property
    def crowded(self) -> Flags:
        """Access points with more users than places on a link, [N]."""
        places = self.users_per_subchannel_max * self.shape[2]
        found: Flags = self.cell_sizes > places
        return found

    def infeasible(self, form: Form) -> str:
        """Why no point keeps the constraints, or an empty text: there is one exactly when no box
        that is used is empty and all users who must send have a place.
        """
        if self.shape[1] == 0:
            return ""
        if self.edge_units_min > self.edge_units_max:
            return "`edge_units_min` exceeds `edge_units_max`"
        if form.silent:
            return ""
        for link in self.links:
            if link.power_min > link.power_max:
                return f"`{link.way.value}_power_min` exceeds `{link.way.value}_power_max`"
        if self.crowded.any():
            n = int(np.argmax(self.crowded))
            places = self.users_per_subchannel_max * self.shape[2]
            return (
                f"access point {n + 1} has {self.cell_sizes[n]} users and {places} places, "
                f"{self.users_per_subchannel_max} on each of {self.shape[2]} subchannels"
            )
        return ""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Decisions:
    """A point of the problem. Of a user [U]: `cut` in 0..F; the subchannels `up` and `down`, `NONE`
    where it is silent; `up_power`, `down_power` in W, 0 where it is silent; `edge_units`.
    """

    cut: Integers
    up: Integers
    down: Integers
    up_power: Reals
    down_power: Reals
    edge_units: Reals


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Plan:
    """What an algorithm found; `decisions`, or `values` by variable family where they are no such
    point, or neither.

    `objective` and `bound`, a proven lower bound on the optimum, or None. `certificate`: numbers
    that prove or qualify the answer, named in each algorithm.
    """

    termination: Termination
    label: str
    decisions: Decisions | None = None
    values: Mapping[str, Reals] | None = None
    objective: float | None = None
    bound: float | None = None
    certificate: Mapping[str, float] = field(default_factory=dict)
    iterations: tuple[Iteration, ...] = ()
    message: str = ""


_OF_USERS = (
    "cpu",
    "capacitance",
    "cycles_per_flop",
    "time_weight",
    "energy_weight",
    "result_size",
)
_OF_ACCESS_POINTS = ("unit_speed", "edge_capacitance", "edge_cycles_per_flop")


def _freeze(owner: object, name: str, array: Reals | Integers) -> None:
    array.setflags(write=False)
    object.__setattr__(owner, name, array)


def _checked(name: str, values: ArrayLike, shape: tuple[int, ...]) -> Reals:
    """Finite numbers >= 0 of that shape; a copy unless they are already frozen."""
    array = np.asarray(values, dtype=np.float64)
    if array.shape != shape:
        raise ValueError(f"expected `{name}` of shape {shape}, found {array.shape}")
    if not (np.isfinite(array).all() and (array >= 0.0).all()):
        raise ValueError(f"expected finite numbers >= 0 in `{name}`")
    return array.copy() if array.flags.writeable else array


def _homes(home: ArrayLike, users: int, access_points: int) -> Integers:
    array = np.array(home, dtype=np.int64)
    if array.shape != (users,) or ((array < 0) | (array >= access_points)).any():
        raise ValueError(f"expected one access point in 0..{access_points - 1} for each user")
    return array


def _number(owner: object, name: str, zero: bool) -> None:
    number = float(getattr(owner, name))
    if number < 0.0 or (number == 0.0 and not zero) or not number < np.inf:
        least = ">= 0" if zero else "> 0"
        raise ValueError(f"expected a finite `{name}` {least}, found {number!r}")
    object.__setattr__(owner, name, number)
