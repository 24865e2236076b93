"""Split inference over NOMA: the relaxation (22) at one cut for all users as a function of one
vector, and its projected gradient descent.

The vector holds, in order, shares and powers up [U, M], shares and powers down [U, M], edge units
[U]; powers and units are counted from 0 to 1 within their boxes, so that one step size fits all.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from mecdsl.backends.noma.closed_forms import edge_speed
from mecdsl.backends.noma.relaxation import Load, Point, Sharing
from mecdsl.backends.noma.system import Link, Reals, System
from mecdsl.backends.shared.record import Record

ARMIJO = 1e-4
HALVINGS = 60
EPSILON, MOST_STEPS = 1e-6, 2000
STEPS = (1e-12, 1e12)  # within which a step size is kept
QUIET = 3  # steps in a row that gain less than asked for


@dataclass(frozen=True, slots=True, eq=False)
class Relaxed:
    """The relaxation of a system. Derived: `sharings` up and down; `silent_last`: at cut F nothing
    is sent.
    """

    system: System
    silent: bool = False
    sharings: tuple[Sharing, Sharing] = field(init=False)

    def __post_init__(self) -> None:
        up, down = self.system.links
        object.__setattr__(self, "sharings", (Sharing(up), Sharing(down)))

    def start(self) -> Reals:
        """Shares 1/M, everything else in the middle of its box."""
        _, users, subchannels = self.system.shape
        x = np.full(4 * users * subchannels + users, 0.5)
        for shares in self.parts(x)[0:4:2]:
            shares[:] = 1.0 / subchannels
        return x

    def parts(self, x: Reals) -> tuple[Reals, ...]:
        """Views of a vector: shares and powers up and down [U, M], units [U], in the vector's
        scale.
        """
        _, users, subchannels = self.system.shape
        tables = (
            x[:-users].reshape(4, users, subchannels) if users else x.reshape(4, 0, subchannels)
        )
        return (*tables, x[len(x) - users :])

    def powers(self, x: Reals) -> tuple[Reals, Reals]:
        """Powers up and down in W, [U, M]."""
        parts, (up, down) = self.parts(x), self.system.links
        return up.power_min + _width(up) * parts[1], down.power_min + _width(down) * parts[3]

    def units(self, x: Reals) -> Reals:
        """Edge units, [U]."""
        least, most = self.system.edge_units_min, self.system.edge_units_max
        return least + (most - least) * self.parts(x)[4]

    def unscaled(self, x: Reals) -> list[Reals]:
        """The parts in their units: shares and W up and down [U, M], edge units [U]."""
        parts, powers = self.parts(x), self.powers(x)
        return [parts[0], powers[0], parts[2], powers[1], self.units(x)]

    def scaled(self, parts: Sequence[Reals]) -> Reals:
        """The vector of such parts, which may lie outside of their boxes."""
        least, widths = self._boxes()
        scaled = [
            np.ravel((part - low) / width)
            for part, low, width in zip(parts, least, widths, strict=True)
        ]
        return np.concatenate(scaled)

    def slopes(self, gradient: Reals) -> list[Reals]:
        """A gradient in the scale of the vector as one in shares, W and edge units."""
        _, widths = self._boxes()
        return [slope / width for slope, width in zip(self.parts(gradient), widths, strict=True)]

    def _boxes(self) -> tuple[list[float], list[float]]:
        """Where the parts begin and how wide their boxes are; 1 for a box without width."""
        up, down = self.system.links
        least = [0.0, up.power_min, 0.0, down.power_min, self.system.edge_units_min]
        units = self.system.edge_units_max - self.system.edge_units_min
        widths = [1.0, _width(up), 1.0, _width(down), units]
        return least, [width or 1.0 for width in widths]

    def at(self, x: Reals, cut: int) -> "Valued":
        """The value at a point and one cut for all."""
        return Valued(self, x, cut)

    def project(self, x: Reals) -> Reals:
        """The nearest point with shares that add up to 1 and everything else in its box; in
        place.
        """
        parts = self.parts(x)
        for part in parts[1::2] + parts[4:]:
            np.clip(part, 0.0, 1.0, out=part)
        for part in parts[0:4:2]:
            project_on_simplex(part)
        return x


@dataclass(slots=True, eq=False)
class Valued:
    """A point with its value, the objective of (22) at the cut, and, when asked for, the
    gradient.
    """

    relaxed: Relaxed
    x: Reals
    cut: int
    value: float = field(init=False)
    _points: tuple[Point, ...] = field(init=False)

    def __post_init__(self) -> None:
        system, relaxed = self.relaxed.system, self.relaxed
        weights = system.time_weight, system.energy_weight
        sends = not (relaxed.silent and self.cut == system.layers)
        sizes = (system.cut_size[:, self.cut], system.result_size) if sends else ()
        parts, powers = relaxed.parts(self.x), relaxed.powers(self.x)
        self._points = tuple(
            Point(sharing, Load(size, *weights), beta, power)
            for sharing, size, beta, power in zip(
                relaxed.sharings[: len(sizes)], sizes, parts[0:4:2], powers, strict=False
            )
        )
        speed = edge_speed(system, relaxed.units(self.x))
        time = system.device_work[:, self.cut] / system.cpu + system.edge_work[:, self.cut] / speed
        device = system.capacitance * system.cpu**2 * system.cycles_per_flop
        energy = device * system.device_work[:, self.cut]
        energy += self._edge_energy() * speed**2 * system.edge_work[:, self.cut]
        computing = float(system.time_weight @ time + system.energy_weight @ energy)
        self.value = computing + sum(point.value for point in self._points)

    def _edge_energy(self) -> Reals:
        system = self.relaxed.system
        found: Reals = (system.edge_capacitance * system.edge_cycles_per_flop)[system.home]
        return found

    def gradient(self) -> Reals:
        """In the scale of the vector."""
        system, relaxed = self.relaxed.system, self.relaxed
        found = np.zeros(len(self.x))
        parts = relaxed.parts(found)
        for way, (link, point) in enumerate(zip(system.links, self._points, strict=False)):
            in_beta, in_power = point.gradient()
            parts[2 * way][:] = in_beta
            np.multiply(in_power, _width(link), out=parts[2 * way + 1])
        width = system.edge_units_max - system.edge_units_min
        parts[4][:] = edge_slope(system, relaxed.units(self.x), self.cut) * width
        return found


def edge_slope(system: System, units: Reals, cut: int) -> Reals:
    """The slope of the cost of each user in its edge units, [U]."""
    speed = edge_speed(system, units)
    energy = (system.edge_capacitance * system.edge_cycles_per_flop)[system.home]
    slope = 2.0 * system.energy_weight * energy * speed - system.time_weight / speed**2
    found: Reals = system.edge_work[:, cut] * slope * system.edge_exponent * speed / units
    return found


def _dot(one: Reals, other: Reals) -> float:
    """As `one @ other`, without the threads of the linear algebra library: they cost more than they
    save where other processes are busy.
    """
    return float(np.einsum("i,i->", one, other))


def _width(link: Link) -> float:
    return link.power_max - link.power_min


def project_on_simplex(rows: Reals) -> None:
    """Move each row to the nearest one of sum 1 without negative entries, in place.

    The nearest row is max(row - tau, 0). Lowering tau from the mean of the entries that are left to
    that of those above it ends after a few rounds, each a look at all rows.
    """
    level = (rows.sum(axis=1) - 1.0) / rows.shape[1]
    while True:
        above = rows > level[:, None]
        sums = np.einsum("im,im->i", rows, above)
        raised = (sums - 1.0) / np.maximum(above.sum(axis=1), 1)
        if not (raised > level).any():
            break
        level = np.maximum(level, raised)
    rows -= level[:, None]
    np.maximum(rows, 0.0, out=rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """When a descent stops: `steps`, or three relative decreases below `epsilon` in a row."""

    epsilon: float = EPSILON
    steps: int = MOST_STEPS


@dataclass(frozen=True, slots=True, eq=False)
class Descent:
    """Where a descent ended, its value, the number of its steps and its last step size."""

    x: Reals
    value: float
    steps: int
    size: float


def descend(
    relaxed: Relaxed, x: Reals, cut: int, size: float | None, rules: Rules, record: Record
) -> Descent:
    """Projected gradient descent from a point at a cut: step sizes of Barzilai and Borwein,
    shortened until Armijo's rule holds. `size`: the first step size, None for a tenth of what moves
    a coordinate across its range.
    """
    here = relaxed.at(x, cut)
    slope = here.gradient()
    length = size or 0.1 / max(float(np.abs(slope).max(initial=0.0)), 1e-300)
    quiet, steps = 0, 0
    while steps < rules.steps and quiet < QUIET:
        found = _shortened(relaxed, here, slope, length)
        if found is None:
            break
        there, length = found
        steps += 1
        gain = here.value - there.value
        quiet = quiet + 1 if gain <= rules.epsilon * abs(here.value) else 0
        new_slope = there.gradient()
        length = _next_length(there.x - here.x, new_slope - slope, length)
        here, slope = there, new_slope
        record.note(here.value, residual=gain / max(abs(here.value), 1e-300), note=f"cut {cut}")
    return Descent(here.x, here.value, steps, length)


def _shortened(
    relaxed: Relaxed, here: Valued, slope: Reals, length: float
) -> tuple[Valued, float] | None:
    """The first point along ever shorter steps that gains enough, and the step; None if none."""
    for _ in range(HALVINGS):
        x = relaxed.project(here.x - length * slope)
        gain = _dot(slope, here.x - x)
        if not gain > 0.0:
            return None
        there = relaxed.at(x, here.cut)
        if there.value <= here.value - ARMIJO * gain:
            return there, length
        length *= 0.5
    return None


def _next_length(moved: Reals, change: Reals, length: float) -> float:
    curved = _dot(moved, change)
    longer = _dot(moved, moved) / curved if curved > 0.0 else 4.0 * length
    return min(max(longer, STEPS[0]), STEPS[1])
