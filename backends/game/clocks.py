"""Algorithms 1 and 2 of the paper: devices that wake at random and answer what they see.

With certain information (CAI) a device sees the load of every slot; with uncertain information
(UAI) it estimates the load from its own work and that of its neighbours, (29). The server announces
which slots are open either way, since no estimate tells.
"""

import time
from dataclasses import dataclass
from enum import Enum

import numpy as np

from mecdsl.backends.game.best_response import Offer, open_room
from mecdsl.backends.game.gains import gains
from mecdsl.backends.game.plans import Plan, nowhere, planned
from mecdsl.backends.game.profile import faults
from mecdsl.backends.game.starts import random_profile
from mecdsl.backends.game.system import Integers, Reals, System
from mecdsl.backends.game.table import Table
from mecdsl.solution import Iteration, Termination


class Pricing(Enum):
    """What a device takes its own work to cost: at the load with its new work for its old; at the
    load that stands; at the estimate (29) with its new work put in, without a cap.
    """

    ANTICIPATE = "anticipate"
    TAKER = "taker"
    SUBSTITUTE = "substitute"


class Update(Enum):
    """Whether those who wake in one tick answer one after the other or all at once."""

    SEQUENTIAL = "sequential"
    SIMULTANEOUS = "simultaneous"


class Stop(Enum):
    """The end: everybody has woken since the last change and none changed; or, as printed, the
    mean cost changed by no more than `epsilon` from one tick to the next.
    """

    ALL_WOKEN = "all-woken"
    MEAN_CHANGE = "mean-change"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How the algorithms run. `neighbours`: how many nearest ones on a ring a device hears, half on
    each side, None for a device that sees the loads themselves (CAI); `own_weight`: w_nn of (29),
    the rest in equal parts, None for all equal. `epsilon` in money.
    """

    pricing: Pricing = Pricing.ANTICIPATE
    update: Update = Update.SEQUENTIAL
    stop: Stop = Stop.ALL_WOKEN
    wake_probability: float = 0.5
    epsilon: float = 1e-6
    ticks: int = 10_000
    neighbours: int | None = None
    own_weight: float | None = None


def clocks(
    system: System, rules: Rules, label: str, seed: int, time_limit: float | None = None
) -> Plan:
    """Run until the rules say stop; the gains of the plan are true ones, whatever was seen."""
    started, random = time.perf_counter(), np.random.default_rng(seed)
    try:
        start = random_profile(system, random, time_limit)
    except TimeoutError as error:
        return Plan(termination=Termination.TIME_LIMIT, label=label, message=str(error))
    if isinstance(start, str):
        return nowhere(label, start)
    run = _Run(system, rules, Table(system, start), random)
    steps, number = [run.step(0, 0, 0.0)], 0
    end = np.inf if time_limit is None else started + time_limit
    termination = Termination.ITERATION_LIMIT
    while number < rules.ticks:
        if time.perf_counter() > end:
            termination = Termination.TIME_LIMIT
            break
        number += 1
        moved = run.tick()
        if moved:
            steps.append(run.step(number, moved, time.perf_counter() - started))
        if run.stopped:
            termination = Termination.FINISHED
            break
    return planned(
        system,
        run.table.places,
        label,
        termination=termination,
        certificate={"ticks": float(number), "moves": float(run.moves)},
        iterations=tuple(steps),
        message=_words(system, run.table.places, rules, termination),
    )


def _words(system: System, places: Integers, rules: Rules, termination: Termination) -> str:
    words = []
    if termination is Termination.ITERATION_LIMIT:
        words.append(f"has not settled in {rules.ticks} ticks")
    broken = faults(system, places)
    if broken:
        words.append(f"the devices ended in a profile that breaks `{broken[0]}`")
    return "; ".join(words)


class _Run:
    """One run: the table, who has woken since the last change, and the mean cost before."""

    def __init__(
        self, system: System, rules: Rules, table: Table, random: np.random.Generator
    ) -> None:
        self.system, self.rules, self.table, self.random = system, rules, table, random
        self.woken = np.zeros(system.devices, dtype=bool)
        self.mean = np.inf
        self.moves = 0
        self.stopped = False
        self.seen = None if rules.neighbours is None else Estimates(system, rules)

    def tick(self) -> int:
        """Who wakes answers; returns how many moved."""
        awake = np.flatnonzero(
            self.random.random(self.system.devices) < self.rules.wake_probability
        )
        moved = self._answers(awake)
        if moved:
            self.table.settle()
        self.moves += moved
        if self.rules.stop is Stop.ALL_WOKEN:
            self.stopped = bool(self.woken.all())
        else:
            mean = self.table.total_cost() / self.system.devices
            self.stopped = abs(mean - self.mean) <= self.rules.epsilon
            self.mean = mean
        return moved

    def _answers(self, awake: Integers) -> int:
        if self.rules.update is Update.SIMULTANEOUS:
            answers = {n: self.table.better(n, self.offered(n)) for n in map(int, awake)}
            moves = {n: own.places for n, own in answers.items() if own is not None}
            for n, places in moves.items():
                self.table.move(n, places)
            self.woken[awake] = True
            if moves:
                self.woken[:] = False
            return len(moves)
        moved = 0
        for n in map(int, awake):
            response = self.table.better(n, self.offered(n))
            if response is not None:
                self.table.move(n, response.places)
                self.woken[:] = False
                moved += 1
            self.woken[n] = True  # having answered, it would not answer otherwise at once
        return moved

    def offered(self, device: int) -> Offer:
        """The slots as a device sees them."""
        system, table = self.system, self.table
        own = table.work[device]
        others, count = table.others(device)
        load, slope = others, 1.0
        if self.seen is not None:
            load, slope = self.seen.others(table, device)
        if self.rules.pricing is Pricing.TAKER:
            load, slope = load + own, 0.0
        weight = system.price_weight[device]
        return Offer(
            linear=weight * (system.linear + system.square * load),
            square=weight * system.square * slope,
            room=open_room(system, others, count),
        )

    def step(self, number: int, moved: int, seconds: float) -> Iteration:
        """What is recorded of a tick in which somebody moved."""
        return Iteration(
            number=number,
            objective=self.table.total_cost(),
            residual=gains(self.system, self.table.places).epsilon,
            seconds=seconds,
            note=f"{moved} moved" if number else "start",
        )


class Estimates:
    """The estimate (29) of every device: N times the weighted work of itself and its neighbours."""

    def __init__(self, system: System, rules: Rules) -> None:
        devices, asked = system.devices, rules.neighbours or 0
        near = min(asked, devices - 1)
        steps = [(-1) ** k * (k // 2 + 1) for k in range(near)]  # 1, -1, 2, -2 and so on
        self.near = (np.arange(devices)[:, None] + np.array(steps, dtype=np.int64)) % devices
        own = rules.own_weight
        self.own = (1.0 / (1.0 + near) if own is None else own) if near else 1.0
        self.each = (1.0 - self.own) / near if near else 0.0
        self.cap = system.parallel_limit * system.slot_length
        self.substitute = rules.pricing is Pricing.SUBSTITUTE

    def others(self, table: Table, device: int) -> tuple[Reals, float]:
        """The load in s that a device takes the others to be [H], and how much each second of its
        own adds to the load it is charged for.
        """
        devices = table.system.devices
        theirs = devices * self.each * table.work[self.near[device]].sum(axis=0)
        if self.substitute:
            return theirs, devices * self.own
        own = table.work[device]
        seen = np.minimum(theirs + devices * self.own * own, self.cap)
        return np.maximum(seen - own, 0.0), 1.0
