"""Best-response dynamics: players move in some order until nobody gains, or until they go round in
a circle.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

import numpy as np

from mecdsl.equilibria.responses import Responder, Response, with_own
from mecdsl.instances.instance import Instance
from mecdsl.instances.players import game_of
from mecdsl.instances.tables import FloatArray
from mecdsl.results.violations import broken
from mecdsl.solution import Iteration

MOVES_FROM: Final = 1e-9  # of what a player pays: a smaller gain is the solver's rounding
DIGITS: Final = 9  # to which two points of a circle are the same


class Order(Enum):
    """Who moves when."""

    ROUND_ROBIN = "round-robin"  # one after the other, in the order of the model
    RANDOM = "random"  # in a new random order every round
    SIMULTANEOUS = "simultaneous"  # all at once, each against what the others did last


class Ending(Enum):
    """Why the dynamics stopped."""

    SETTLED = "nobody gains by moving"
    UNANSWERED = "nobody whose best response is known gains by moving"
    CIRCLE = "the players go round in a circle"
    ROUNDS = "the number of rounds is used up"
    STOPPED = "interrupted"
    TIME = "time limit"


@dataclass(slots=True, eq=False)
class Dynamics:
    """One run from the point `x`, which keeps all constraints and is changed as players move."""

    instance: Instance
    responder: Responder
    order: Order
    rounds: int
    generator: np.random.Generator
    x: FloatArray
    steps: list[Iteration] = field(default_factory=list)
    circle: tuple[int, ...] = ()  # the players that moved in it
    unanswered: set[int] = field(default_factory=set)  # no best response in the last round

    def run(self) -> Ending:
        """Move until an end, and say which."""
        seen: dict[bytes, int] = {self._key(): 0}
        moved: list[set[int]] = []
        for number in range(1, self.rounds + 1):
            movers = self._round(number)
            if self.responder.out_of_time():
                return Ending.STOPPED if self.responder.should_stop() else Ending.TIME
            if not movers:
                return Ending.UNANSWERED if self.unanswered else Ending.SETTLED
            moved.append(movers)
            before = seen.setdefault(self._key(), number)
            # in a random order coming back to a point does not mean going on for ever
            if before < number and self.order is not Order.RANDOM:
                self.circle = tuple(sorted(set().union(*moved[before:])))
                return Ending.CIRCLE
        return Ending.ROUNDS

    def _key(self) -> bytes:
        """The point to so many digits that rounding makes no difference."""
        with np.errstate(divide="ignore", invalid="ignore"):
            exponent = np.floor(np.log10(np.abs(self.x)))
        unit = 10.0 ** (np.where(np.isfinite(exponent), exponent, 0.0) - DIGITS)
        return (np.round(self.x / unit) * unit).tobytes()

    def _round(self, number: int) -> set[int]:
        """One round, in which every player had the choice once; who moved."""
        if self.order is Order.SIMULTANEOUS:
            responses: Iterator[Response] = iter(
                self.responder.responses(self.instance, self._turn(), self.x)
            )
        else:
            responses = self._one_by_one()
        movers, largest = set(), 0.0
        self.unanswered = set()
        for response in responses:
            if response.point is None:
                self.unanswered.add(response.player)
                continue
            if response.gain <= MOVES_FROM:
                continue
            point = with_own(self.instance, self.x, response)
            # moves at the same time may break together what each alone keeps
            if self.order is Order.SIMULTANEOUS and broken(self.instance, point):
                continue
            self.x = point
            movers.add(response.player)
            largest = max(largest, response.gain)
        self.steps.append(
            Iteration(
                number=number,
                objective=self.instance.objective(self.x),
                residual=largest,
                note=f"{len(movers)} of {game_of(self.instance).size} moved",
            )
        )
        return movers

    def _turn(self) -> list[int]:
        players = np.arange(game_of(self.instance).size)
        return [int(player) for player in players]

    def _one_by_one(self) -> Iterator[Response]:
        players = self._turn()
        if self.order is Order.RANDOM:
            self.generator.shuffle(players)
        for player in players:
            if self.responder.out_of_time():
                return
            yield self.responder.response(self.instance, player, self.x)
