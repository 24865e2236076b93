"""The players of an instance: whether they are the devices of the paper, each with its own cost.

Objective and rows of an instance are compared with those of the shipped text elsewhere; who chooses
what and wants what is compared here.
"""

import numpy as np

from mecdsl.backends.game.profile import evaluate
from mecdsl.backends.game.system import Integers, Reals, System
from mecdsl.diagnostics import ModelError
from mecdsl.instances.instance import Instance
from mecdsl.instances.players import game_of

PROFILES = 3  # at which costs are compared
SAME = 1e-9  # relative


def require_players(instance: Instance, columns: Integers, system: System) -> None:
    """Raise ValueError unless player n chooses the places of device n and minimises its cost.

    `columns`: of the layers' places in the instance, in the order of the shipped text.
    """
    try:
        game = game_of(instance)
    except ModelError as error:
        raise ValueError(error.diagnostics[0].message) from None
    owner = np.repeat(system.owner, system.slots + 1)
    if game.size != system.devices or (game.owner[columns] != owner).any():
        raise ValueError("the players are not the devices, each with the places of its own layers")
    if (game.signs() != 1.0).any():
        raise ValueError("somebody maximizes")
    random = np.random.default_rng(0)
    for _ in range(PROFILES):
        places = random.integers(0, system.slots + 1, len(system.owner))
        places = places[np.lexsort((places, system.owner))]
        wanted, found = (
            evaluate(system, places).cost,
            game.values(point_of(system, columns, places)),
        )
        apart = np.flatnonzero(np.abs(found - wanted) > SAME * np.abs(wanted))
        if len(apart):
            raise ValueError(f"what `{game.name(int(apart[0]))}` minimizes is not its cost (23)")


def point_of(system: System, columns: Integers, places: Integers) -> Reals:
    """A profile as a point of the instance."""
    x = np.empty(len(columns))
    x[columns] = runs_in(system, places).ravel()
    return x


def places_of(system: System, columns: Integers, x: Reals) -> Integers:
    """The profile of a point of the instance."""
    return np.asarray(x[columns].reshape(-1, system.slots + 1).argmax(axis=1), dtype=np.int64)


def runs_in(system: System, places: Integers) -> Reals:
    """A profile as the binaries of the shipped text [K, H + 1]."""
    return np.asarray(places[:, None] == np.arange(system.slots + 1), dtype=np.float64)
