"""Cases 3 and 4 of the paper: all layers at the server, at random, and all on the devices."""

import numpy as np

from mecdsl.backends.game.best_response import open_room
from mecdsl.backends.game.counting import draw_offloaded, offloaded_slots
from mecdsl.backends.game.plans import Plan, planned
from mecdsl.backends.game.profile import late
from mecdsl.backends.game.starts import must_offload
from mecdsl.backends.game.system import Reals, System
from mecdsl.solution import Termination


def local(system: System) -> Plan:
    """Case 4: nobody offloads."""
    label = "all layers on the devices"
    must = must_offload(system)
    if must.any():
        device = int(must.argmax())
        delay = system.cut_delay[system.first_cut[device + 1] - 1]
        words = (
            f"`in_time[{device + 1}]`: all layers on the device take {delay:.6g} s, its deadline "
            f"is {system.deadline[device]:.6g} s"
        )
        return Plan(termination=Termination.NOT_FOUND, label=label, message=words)
    return planned(system, np.zeros(len(system.owner), dtype=np.int64), label)


def random_offload(system: System, seed: int) -> Plan:
    """Case 3: every device draws one of the ways to put all its layers into slots, each as likely;
    its deadline and the number of devices in a slot are not looked at.

    `expected_mean_delay` in s is exact, over all draws; the profile is one of them.
    """
    label = "everything at the server, in random slots"
    expected = expected_delay(system)
    if not np.isfinite(expected).all():
        device = int(np.argmin(np.isfinite(expected)))
        words = (
            f"device {device + 1} cannot offload everything: no way to put its layers into slots "
            f"of {system.slot_length:.6g} s"
        )
        return Plan(termination=Termination.NOT_FOUND, label=label, message=words)
    random, room = np.random.default_rng(seed), _alone(system)
    drawn = [draw_offloaded(system, device, room, random) for device in range(system.devices)]
    return planned(
        system,
        np.concatenate(drawn),
        label,
        certificate={"expected_mean_delay": float(expected.mean())},
        message=_ignored(system, expected),
    )


def expected_delay(system: System) -> Reals:
    """The mean delay of each device over all ways to put all its layers into slots, in s [N]; inf
    where there is none.
    """
    room, number = _alone(system), np.arange(1, system.slots + 1)
    found = np.full(system.devices, np.inf)
    for device in range(system.devices):
        ways = offloaded_slots(system, device, room)
        if ways.sum() > 0.0:
            last = float(ways @ number / ways.sum())
            found[device] = system.cut_delay[system.first_cut[device]] + system.slot_length * last
    return found


def _alone(system: System) -> Reals:
    return open_room(system, np.zeros(system.slots), np.full(system.slots, -1))


def _ignored(system: System, expected: Reals) -> str:
    number = int(late(system, expected).sum())
    return f"{number} devices miss their deadlines on average" if number else ""
