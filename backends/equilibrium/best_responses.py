"""`best-responses`: any game, by players that move in turn to their best response.

Every best response is an instance of its own, cut out of the game, and any backend that takes its
class solves it. In a game with a potential the dynamics end (Monderer and Shapley 1996); in others
they may go round in a circle, which is found and reported. What the point is worth is not this
backend's word: the certificate (`mecdsl.equilibria.certify`) is made after it.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np

from mecdsl.backend import Acceptance, Availability, Capabilities, Request
from mecdsl.backends.shared.own_options import OwnOptions
from mecdsl.equilibria.begin import Beginning, beginning
from mecdsl.equilibria.dynamics import Dynamics, Ending, Order
from mecdsl.equilibria.responder import responder_for
from mecdsl.equilibria.responses import Responder
from mecdsl.instances.players import game_of
from mecdsl.model.classes import ProblemClass
from mecdsl.solution import Guarantee, Solution, Termination

NAME = "best-responses"
OPTIONS = {
    "order": "who moves when: round-robin, random, simultaneous",
    "responder": "the backend of the players' own problems; auto takes one for their class",
    "rounds": "the most rounds, 1000",
}
LISTED: Final = 10  # players that are named in a message
TERMINATIONS = {
    Ending.SETTLED: Termination.FINISHED,
    Ending.UNANSWERED: Termination.NOT_FOUND,
    Ending.CIRCLE: Termination.NOT_FOUND,
    Ending.ROUNDS: Termination.ITERATION_LIMIT,
    Ending.TIME: Termination.TIME_LIMIT,
    Ending.STOPPED: Termination.INTERRUPTED,
}


class BestResponses:
    """See the head of this file."""

    name = NAME
    capabilities = Capabilities(
        title="best responses in turn",
        classes=frozenset(ProblemClass),
        guarantee=Guarantee.EQUILIBRIUM,
        reference="Monderer and Shapley 1996, Potential games",
        warm_start=True,
        time_limit=True,
        games=True,
        options=tuple(OPTIONS.items()),
    )

    def availability(self) -> Availability:
        """Always there; the backends that it asks may not be."""
        return Availability(True)

    def accepts(self, request: Request) -> Acceptance:
        """Any game; which backend takes a player's problem is seen when it is solved."""
        return Acceptance(True)

    def solve(self, request: Request) -> Solution:
        """Move from a feasible point until nobody gains, or until an end of another kind."""
        options = OwnOptions(NAME, OPTIONS, request.options.raw)
        order = Order(options.word("order", tuple(order.value for order in Order)))
        responder = responder_for(request)
        begin = beginning(request.instance, request.options.start, responder)
        if begin.point is None:
            return self._nowhere(begin, responder)
        dynamics = Dynamics(
            instance=request.instance,
            responder=responder,
            order=order,
            rounds=options.count("rounds", 1000),
            generator=np.random.default_rng(request.options.seed),
            x=begin.point,
        )
        ending = dynamics.run()
        return Solution(
            backend=NAME,
            termination=TERMINATIONS[ending],
            guarantee=Guarantee.FEASIBLE,
            values=dynamics.x,
            objective=request.instance.objective(dynamics.x),
            iterations=tuple(dynamics.steps),
            message=_told(dynamics, ending),
        )

    def _nowhere(self, begin: Beginning, responder: Responder) -> Solution:
        termination = Termination.INFEASIBLE if begin.infeasible else Termination.NOT_FOUND
        if not begin.infeasible and responder.out_of_time():
            stopped = responder.should_stop()
            termination = Termination.INTERRUPTED if stopped else Termination.TIME_LIMIT
        return Solution(
            backend=NAME,
            termination=termination,
            guarantee=Guarantee.INFEASIBLE if begin.infeasible else Guarantee.NONE,
            message=begin.message,
        )


def _told(dynamics: Dynamics, ending: Ending) -> str:
    """How the moves ended, in words."""
    rounds = len(dynamics.steps)
    words = f"{ending.value} after {rounds} round{'' if rounds == 1 else 's'}"
    if ending is Ending.CIRCLE:
        words += f": {_listed(dynamics, dynamics.circle)}"
    if ending is Ending.UNANSWERED:
        words += f", and none is known of {_listed(dynamics, sorted(dynamics.unanswered))}"
    return words


def _listed(dynamics: Dynamics, players: Sequence[int]) -> str:
    game = game_of(dynamics.instance)
    more = f" and {len(players) - LISTED} more" if len(players) > LISTED else ""
    return ", ".join(f"`{game.name(player)}`" for player in players[:LISTED]) + more
