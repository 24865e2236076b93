"""Any profile that keeps all constraints, as a mixed-integer programme over the binaries of the
shipped text, by HiGHS.

Only devices that must offload are in it: all others stay local and take nobody's room.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csr_array, vstack

from mecdsl.backends.game.profile import faults
from mecdsl.backends.game.system import Integers, Reals, System

UNITS = 1e4  # of a second; HiGHS keeps rows to 1e-6 of whatever they count


def feasible_places(
    system: System, who: Integers, time_limit: float | None = None
) -> Integers | None:
    """A profile in which the devices `who` offload and all others are local; None if there is none.

    Raises TimeoutError where the time was too short, and ArithmeticError where what HiGHS calls
    feasible is not.
    """
    columns = _Columns(system, who)
    rows = [_one_place(columns), _order(columns), _capacity(columns), _in_time(columns)]
    rows += [_used(columns), _parallel(columns)]
    found = milp(
        np.zeros(columns.size),
        integrality=np.ones(columns.size, dtype=np.int64),
        bounds=Bounds(0.0, 1.0),
        constraints=LinearConstraint(
            vstack([row.matrix for row in rows], format="csr"),
            np.concatenate([row.low for row in rows]),
            np.concatenate([row.high for row in rows]),
        ),
        options={} if time_limit is None else {"time_limit": time_limit},
    )
    if found.status == 2:
        return None
    if found.x is None:
        raise TimeoutError(f"no feasible profile found in time: {found.message}")
    places = np.zeros(len(system.owner), dtype=np.int64)
    places[columns.layers] = found.x[: columns.binaries].reshape(-1, system.slots + 1).argmax(1)
    broken = faults(system, places)
    if broken:
        raise ArithmeticError(f"what HiGHS calls feasible breaks `{broken[0]}`")
    return places


@dataclass(frozen=True, slots=True, eq=False)
class _Rows:
    matrix: csr_array
    low: Reals
    high: Reals


class _Columns:
    """The binaries y of each layer and place, then z of each device and slot."""

    def __init__(self, system: System, who: Integers) -> None:
        self.system = system
        self.counts = system.layer_count[who]
        self.layers = np.flatnonzero(np.isin(system.owner, who))
        self.owner = np.repeat(np.arange(len(who)), self.counts)
        self.first = np.concatenate([[0], np.cumsum(self.counts)])
        self.who = who
        self.binaries = len(self.layers) * (system.slots + 1)
        self.size = self.binaries + len(who) * system.slots

    def y(self, layer: Integers, place: Integers | int) -> Integers:
        """The column of a layer, counted among those here, in a place."""
        return layer * (self.system.slots + 1) + place

    def z(self, device: Integers, slot: Integers) -> Integers:
        """The column that says whether a device uses a slot, from 0."""
        return self.binaries + device * self.system.slots + slot

    def matrix(self, row: Integers, column: Integers, value: Reals, rows: int) -> csr_array:
        """The matrix with these entries."""
        return coo_array((value, (row, column)), shape=(rows, self.size)).tocsr()


def _one_place(columns: _Columns) -> _Rows:
    layer, place = _pairs(len(columns.layers), columns.system.slots + 1)
    ones = np.ones(len(columns.layers))
    at = columns.y(layer, place)
    return _Rows(columns.matrix(layer, at, np.ones(len(at)), len(ones)), ones, ones)


def _order(columns: _Columns) -> _Rows:
    """What is in a place up to h is no later layer unless the earlier one is."""
    slots = columns.system.slots
    later = np.setdiff1d(np.arange(len(columns.layers)), columns.first[:-1])
    index, h, g = (axis.ravel() for axis in np.indices((len(later), slots, slots)))
    index, h, g = (axis[g <= h] for axis in (index, h, g))
    row = index * slots + h
    matrix = columns.matrix(
        np.concatenate([row, row]),
        np.concatenate([columns.y(later[index], g), columns.y(later[index] - 1, g)]),
        np.concatenate([np.ones(len(row)), -np.ones(len(row))]),
        len(later) * slots,
    )
    return _at_most(matrix, np.zeros(matrix.shape[0]))


def _capacity(columns: _Columns) -> _Rows:
    system = columns.system
    layer, slot = _pairs(len(columns.layers), system.slots)
    row = slot if system.shared_slots else columns.owner[layer] * system.slots + slot
    rows = system.slots * (1 if system.shared_slots else len(columns.who))
    work = UNITS * system.server_time[columns.layers][layer]
    matrix = columns.matrix(row, columns.y(layer, slot + 1), work, rows)
    return _at_most(matrix, np.full(rows, UNITS * system.slot_length))


def _in_time(columns: _Columns) -> _Rows:
    """The delay of a cut as a sum of steps, one for each layer that runs on the device."""
    system = columns.system
    cuts = [system.cut_delay[system.cuts_of(int(device))] for device in columns.who]
    steps = np.concatenate([np.diff(delay) for delay in cuts])
    layers = np.arange(len(columns.layers))
    last, slot = _pairs(len(columns.who), system.slots)
    matrix = columns.matrix(
        np.concatenate([columns.owner, last]),
        np.concatenate([columns.y(layers, 0), columns.y(columns.first[last + 1] - 1, slot + 1)]),
        UNITS * np.concatenate([steps, system.slot_length * (slot + 1.0)]),
        len(columns.who),
    )
    without = np.array([delay[0] for delay in cuts])
    return _at_most(matrix, UNITS * (system.deadline[columns.who] - without))


def _used(columns: _Columns) -> _Rows:
    layer, slot = _pairs(len(columns.layers), columns.system.slots)
    row = np.arange(len(layer))
    matrix = columns.matrix(
        np.concatenate([row, row]),
        np.concatenate([columns.y(layer, slot + 1), columns.z(columns.owner[layer], slot)]),
        np.concatenate([np.ones(len(row)), -np.ones(len(row))]),
        len(row),
    )
    return _at_most(matrix, np.zeros(len(row)))


def _parallel(columns: _Columns) -> _Rows:
    device, slot = _pairs(len(columns.who), columns.system.slots)
    at = columns.z(device, slot)
    matrix = columns.matrix(slot, at, np.ones(len(at)), columns.system.slots)
    return _at_most(matrix, np.full(columns.system.slots, float(columns.system.parallel_limit)))


def _at_most(matrix: csr_array, high: Reals) -> _Rows:
    return _Rows(matrix, np.full(len(high), -np.inf), high)


def _pairs(first: int, second: int) -> tuple[Integers, Integers]:
    left, right = np.indices((first, second))
    return left.ravel(), right.ravel()
