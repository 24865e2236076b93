"""A heuristic for the least sum of all costs: best responses to what a device costs all of them.

Where n adds w seconds to a slot that holds V of others, it pays gamma w (A + D (V + w)) and the
others pay D w times the sum of their weighted work more. At that price the sum of all costs itself
is a potential, so that every move lowers it.
"""

import time

import numpy as np

from mecdsl.backends.game.best_response import Offer, open_room
from mecdsl.backends.game.plans import Plan, nowhere, planned
from mecdsl.backends.game.starts import random_profile
from mecdsl.backends.game.system import Integers, System
from mecdsl.backends.game.table import Table
from mecdsl.solution import Iteration, Termination

LABEL = "best responses at marginal prices"


def marginal(
    system: System, *, starts: int = 10, seed: int = 0, time_limit: float | None = None
) -> Plan:
    """The best of several descents, each from a random feasible profile."""
    started, random = time.perf_counter(), np.random.default_rng(seed)
    end = np.inf if time_limit is None else started + time_limit
    best, least, steps = None, np.inf, list[Iteration]()
    for number in range(starts):
        try:
            start = random_profile(system, random, time_limit)
        except TimeoutError as error:
            return Plan(termination=Termination.TIME_LIMIT, label=LABEL, message=str(error))
        if isinstance(start, str):
            return nowhere(LABEL, start)
        places, cost = _descend(system, start, end)
        if cost < least:
            best, least = places, cost
        seconds = time.perf_counter() - started
        steps.append(Iteration(number=number + 1, objective=cost, seconds=seconds, note="descent"))
        if time.perf_counter() > end:
            break
    assert best is not None  # there is at least one start
    late = time.perf_counter() > end
    return planned(
        system,
        best,
        LABEL,
        termination=Termination.TIME_LIMIT if late else Termination.FINISHED,
        certificate={"starts": float(len(steps))},
        iterations=tuple(steps),
    )


def marginal_offer(table: Table, device: int) -> Offer:
    """The slots to a device that is charged for what its work costs the others as well."""
    system, weight = table.system, table.system.price_weight
    load, count = table.others(device)
    theirs = weight @ table.work - weight[device] * table.work[device]
    return Offer(
        linear=weight[device] * (system.linear + system.square * load) + system.square * theirs,
        square=weight[device] * system.square,
        room=open_room(system, load, count),
    )


def _descend(system: System, start: Integers, end: float) -> tuple[Integers, float]:
    """Moves in turn until none lowers the sum of all costs, and that sum."""
    table, moved = Table(system, start), True
    while moved and time.perf_counter() <= end:
        moved = False
        for device in range(system.devices):
            response = table.better(device, marginal_offer(table, device))
            if response is not None:
                table.move(device, response.places)
                moved = True
        table.settle()
    return table.places, table.total_cost()
