"""A first profile that keeps all constraints, or the reason why there is none."""

import numpy as np

from mecdsl.backends.game.best_response import least_delay
from mecdsl.backends.game.counting import draw
from mecdsl.backends.game.profile import late
from mecdsl.backends.game.system import Flags, Integers, System
from mecdsl.backends.game.table import Table

TRIES = 20  # random orders of the devices

Place = Integers | str


def first_profile(system: System, time_limit: float | None = None) -> Place:
    """All local where that is in time; who cannot is inserted by best responses, else by a MIP.
    In words where no profile is feasible. Raises TimeoutError.
    """
    words = hopeless(system)
    if words:
        return words
    places = np.zeros(len(system.owner), dtype=np.int64)
    must = must_offload(system)
    if not must.any() or _inserted(system, places, must):
        return places
    return _any(system, must, time_limit)


def random_profile(
    system: System, random: np.random.Generator, time_limit: float | None = None
) -> Place:
    """In a random order every device draws one of the placements that the earlier ones leave it,
    each as likely; where none is left in several orders, `first_profile`.
    """
    words = hopeless(system)
    if words:
        return words
    for _ in range(TRIES):
        table = Table(system, np.zeros(len(system.owner), dtype=np.int64))
        for device in random.permutation(system.devices):
            drawn = draw(system, int(device), *table.others(int(device)), random)
            if drawn is None:
                break
            table.move(int(device), drawn)
        else:
            return table.places
    return first_profile(system, time_limit)


def hopeless(system: System) -> str:
    """Which device misses its deadline even alone, in words; empty if none does."""
    least = least_delay(system)
    missed = late(system, least)
    if not missed.any():
        return ""
    device = int(np.argmax(np.where(missed, least / system.deadline, 0.0)))
    others = int(missed.sum()) - 1
    and_others = f", and {others} other{'s' if others > 1 else ''} miss theirs" if others else ""
    return (
        f"`in_time[{device + 1}]`: alone the device could reach {least[device]:.6g} s, its "
        f"deadline is {system.deadline[device]:.6g} s{and_others}"
    )


def must_offload(system: System) -> Flags:
    """Who is late with all layers on the device."""
    return late(system, system.cut_delay[system.first_cut[1:] - 1])


def _inserted(system: System, places: Integers, must: Flags) -> bool:
    """Insert who must offload one by one; whether all found room."""
    table = Table(system, places)
    for device in np.flatnonzero(must):
        response = table.better(int(device), table.offered(int(device)))
        if response is None:
            return False
        table.move(int(device), response.places)
    places[:] = table.places
    return True


def _any(system: System, must: Flags, time_limit: float | None) -> Place:
    from mecdsl.backends.game.feasibility import feasible_places  # SciPy is slow to import

    found = feasible_places(system, np.flatnonzero(must), time_limit)
    if found is not None:
        return found
    rows = "`parallel` and `capacity`" if system.shared_slots else "`parallel`"
    return f"{int(must.sum())} devices cannot keep `in_time` together beside {rows}"
