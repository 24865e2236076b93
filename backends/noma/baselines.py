"""Split inference over NOMA: the methods that the paper compares with, as far as it says what they
are, the greedy assignment and the bound.

Channels, powers and rates of the baselines are not in the paper. Here they share subchannels in
equal parts (OMA), as assigned greedily, and send at full power; rates are computed once with all
users sending, also those that end with all layers on the device, so that what they claim is never
better than what form `oma_silent` makes of the same decisions.
"""

from dataclasses import dataclass
from enum import Enum

import numpy as np

from mecdsl.backends.noma.assignment import candidates, greedy_channels
from mecdsl.backends.noma.closed_forms import best_units, computing, lower_bound
from mecdsl.backends.noma.cost import sending_time
from mecdsl.backends.noma.occupancy import Occupancy
from mecdsl.backends.noma.plans import planned
from mecdsl.backends.noma.polish import Polish
from mecdsl.backends.noma.system import NONE, Decisions, Form, Integers, Plan, Reals, System
from mecdsl.solution import Termination


def greedy(system: System, form: Form) -> Plan:
    """The greedy assignment with the best powers and cuts that a local search finds."""
    channels = greedy_channels(system, candidates(system, form))
    finished = Polish(system, form).finish(channels)
    return planned(system, form, finished, "noma-greedy: assignment by prices alone")


def bound(system: System, form: Form) -> Plan:
    """The bound that holds at any size, without a point."""
    message = "every user alone on its best subchannels: a bound, no point"
    return Plan(
        termination=Termination.NOT_FOUND,
        label="noma-bound: every user alone",
        bound=lower_bound(system, form),
        message=message,
    )


def device_only(system: System, form: Form) -> Plan:
    """All layers of all users on their devices; nothing is sent."""
    users = system.shape[1]
    nowhere, nothing = np.full(users, NONE), np.zeros(users)
    point = Decisions(
        cut=np.full(users, system.layers),
        up=nowhere,
        down=nowhere,
        up_power=nothing,
        down_power=nothing,
        edge_units=best_units(system),
    )
    return planned(system, form, point, "noma-device-only: all layers on the devices")


class Rule(Enum):
    """How a baseline chooses the cut."""

    EDGE_ONLY = "noma-edge-only"
    NEUROSURGEON = "noma-neurosurgeon"
    DNN_SURGEON = "noma-dnn-surgeon"


@dataclass(frozen=True, slots=True, eq=False)
class _Links:
    """Subchannels and rates in bit/s with all users sending at full power, up and down [U]."""

    channels: tuple[Integers, Integers]
    rates: tuple[Reals, Reals]


def baseline(system: System, form: Form, rule: Rule) -> Plan:
    """All layers at the edge, or each user's cut of least latency, at fixed rates.

    Certificate: `claimed_cost`, `claimed_time` in s and `claimed_energy` in J at those rates;
    `crowded`: access points that have more users than places, where the point breaks K.
    """
    links = _full_power(system)
    middle = 0.5 * (system.edge_units_min + system.edge_units_max)
    surgeon = rule is Rule.DNN_SURGEON  # its server is limited
    units = np.full(system.shape[1], middle if surgeon else system.edge_units_max)
    time, energy = _claims(system, links, units)
    every = np.arange(system.shape[1])
    cut = np.zeros(len(every), dtype=np.int64)
    if rule is not Rule.EDGE_ONLY:
        cut = np.argmin(time, axis=1).astype(np.int64)
    sends = ~(form.silent & (cut == system.layers))
    up, down = (np.where(sends, channel, NONE) for channel in links.channels)
    point = Decisions(
        cut=cut,
        up=up,
        down=down,
        up_power=np.where(sends, system.uplink.power_max, 0.0),
        down_power=np.where(sends, system.downlink.power_max, 0.0),
        edge_units=units,
    )
    spent = time[every, cut], energy[every, cut]
    cost = system.time_weight @ spent[0] + system.energy_weight @ spent[1]
    numbers = {
        "claimed_cost": float(cost),
        "claimed_time": float(spent[0].sum()),
        "claimed_energy": float(spent[1].sum()),
        "crowded": float(system.crowded.sum()),
    }
    message = ""
    if system.crowded.any():
        n = int(np.argmax(system.crowded))
        message = (
            f"knows no K: access point {n + 1} has {system.cell_sizes[n]} users and "
            f"{system.users_per_subchannel_max * system.shape[2]} places"
        )
    label = f"{rule.value}: OMA at full power"
    return planned(system, form, point, label, certificate=numbers, message=message)


def _full_power(system: System) -> _Links:
    everybody = np.ones(system.shape[1], dtype=np.bool_)
    channels = greedy_channels(system, everybody)
    up, down = (
        Occupancy(link, channel, oma=True).rates(np.full(len(channel), link.power_max))
        for link, channel in zip(system.links, channels, strict=True)
    )
    return _Links(channels, (up, down))


def _claims(system: System, links: _Links, units: Reals) -> tuple[Reals, Reals]:
    """Time in s and energy in J of each user at each cut, [U, F + 1]; at F without radio."""
    time, energy = computing(system, units)
    rates = links.rates[0][:, None], links.rates[1][:, None]
    sizes = system.cut_size[:, :-1], np.broadcast_to(system.result_size[:, None], (len(time), 1))
    for link, size, rate in zip(system.links, sizes, rates, strict=True):
        lasting = sending_time(size, np.broadcast_to(rate, size.shape))
        time[:, :-1] += lasting
        energy[:, :-1] += link.power_max * lasting
    return time, energy
