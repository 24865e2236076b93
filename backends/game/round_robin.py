"""Best responses in turn until nobody gains: an equilibrium, since every one of them lowers the
potential (section 5 of the paper's game).
"""

import time

import numpy as np

from mecdsl.backends.game.plans import Plan, nowhere, planned
from mecdsl.backends.game.starts import first_profile
from mecdsl.backends.game.system import System
from mecdsl.backends.game.table import Table
from mecdsl.solution import Iteration, Termination

LABEL = "best responses in turn"


def round_robin(system: System, *, rounds: int = 10_000, time_limit: float | None = None) -> Plan:
    """From a feasible profile on, everybody in turn, changing only for a relative gain above
    1e-10; the end is a full round without a change.
    """
    started = time.perf_counter()
    try:
        start = first_profile(system, time_limit)
    except TimeoutError as error:
        return Plan(termination=Termination.TIME_LIMIT, label=LABEL, message=str(error))
    if isinstance(start, str):
        return nowhere(LABEL, start)
    table = Table(system, start)
    steps, termination = list[Iteration](), Termination.ITERATION_LIMIT
    end = np.inf if time_limit is None else started + time_limit
    moves = 0
    for number in range(1, rounds + 1):
        moved = one_round(table, end)
        moves += max(moved, 0)
        steps.append(_step(table, number, moved, time.perf_counter() - started))
        if moved <= 0:
            termination = Termination.FINISHED if moved == 0 else Termination.TIME_LIMIT
            break
    return planned(
        system,
        table.places,
        LABEL,
        termination=termination,
        certificate={"rounds": float(len(steps)), "moves": float(moves)},
        iterations=tuple(steps),
    )


def one_round(table: Table, end: float = np.inf) -> int:
    """Everybody's best response in turn; how many moved, -1 where the time `end` came first."""
    moved = 0
    for device in range(table.system.devices):
        if time.perf_counter() > end:
            return -1
        response = table.better(device, table.offered(device))
        if response is not None:
            table.move(device, response.places)
            moved += 1
    table.settle()
    return moved


def _step(table: Table, number: int, moved: int, seconds: float) -> Iteration:
    return Iteration(
        number=number,
        objective=table.total_cost(),
        residual=0.0 if moved == 0 else None,
        seconds=seconds,
        note="out of time" if moved < 0 else f"{moved} moved",
    )
