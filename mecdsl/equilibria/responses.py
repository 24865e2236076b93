"""Best responses: each player's own problem, solved with what all others do held fixed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from mecdsl.backend import Ask, Responds, Responses
from mecdsl.backends.shared.side_by_side import cores, side_by_side
from mecdsl.instances.instance import Instance
from mecdsl.instances.players import game_of, problem_of_player
from mecdsl.instances.tables import FloatArray
from mecdsl.solution import SolveOptions

WORTH_A_FORK: Final = 0.05  # s for one response, from which on they are found side by side


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Response:
    """A player's best response: its value and the proven bound on it (NaN where unknown), SI, and
    the point with it, None where there is none.

    `infeasible`: proven that the others leave the player nothing. `by`: the backend.
    """

    player: int
    value: float
    bound: float
    point: FloatArray | None
    infeasible: bool
    by: str


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Responder:
    """Finds best responses with one backend, "auto" the one for the class of a player's problem.

    `by_hand`: an algorithm that was derived for the game, in its place, which `by` names. `until`:
    the moment by `time.perf_counter` after which none is begun, None for no limit.
    """

    ask: Ask
    backend: str
    options: SolveOptions
    should_stop: Callable[[], bool]
    until: float | None = None
    by_hand: Responds | None = None
    by: str = ""

    def left(self) -> float | None:
        """Seconds that are left; None for no limit."""
        return None if self.until is None else max(0.0, self.until - time.perf_counter())

    def out_of_time(self) -> bool:
        """Whether to stop, by the clock or by the user."""
        left = self.left()
        return self.should_stop() or (left is not None and left <= 0.0)

    def response(self, instance: Instance, player: int, x: FloatArray) -> Response:
        """The best response of a player where the others do what `x` says."""
        if self.by_hand is not None:
            return _of_all(self.by_hand.respond(instance, x), player, self.by)
        own = problem_of_player(instance, player, x)
        options = replace(self.options, time_limit=self.left(), start=None, starts=1, raw={})
        result = self.ask(own, self.backend, options)
        usable = result.objective is not None and result.verified
        return Response(
            player=player,
            value=float(result.objective) if usable and result.objective is not None else np.nan,
            bound=np.nan if result.bound is None or result.faults else float(result.bound),
            point=result.point() if usable else None,
            infeasible=result.guarantee.name == "INFEASIBLE",
            by=result.backend,
        )

    def responses(
        self, instance: Instance, players: Sequence[int], x: FloatArray
    ) -> tuple[Response, ...]:
        """Those of several players to the same point, side by side where one takes long; in the
        order asked for, those that the time did not suffice for left out.
        """
        if not players:
            return ()
        if self.by_hand is not None:  # one look gives all
            known = self.by_hand.respond(instance, x)
            return tuple(_of_all(known, player, self.by) for player in players)
        began = time.perf_counter()
        first = self.response(instance, players[0], x)
        rest = players[1:]
        if time.perf_counter() - began < WORTH_A_FORK or len(rest) < 2 or cores() < 2:
            found = [first]
            for player in rest:
                if self.out_of_time():
                    break
                found.append(self.response(instance, player, x))
            return tuple(found)

        def work(player: int) -> Callable[[Callable[[], bool]], Response]:
            return lambda should_stop: self.response(instance, player, x)

        answers = side_by_side(
            [work(player) for player in rest],
            at_once=cores() if self.options.threads is None else self.options.threads,
            should_stop=self.should_stop,
            time_limit=self.left(),
        )
        return (first, *(one.answer for one in answers if one.answer is not None))


def _of_all(known: Responses, player: int, by: str) -> Response:
    """A player's response of those of all."""
    value = float(known.values[player])
    return Response(
        player=player,
        value=value,
        bound=float(known.bounds[player]),
        point=None if np.isnan(value) else known.point(player),
        infeasible=False,
        by=by,
    )


def with_own(instance: Instance, x: FloatArray, response: Response) -> FloatArray:
    """The point with a player's own columns as in the response."""
    assert response.point is not None
    return np.where(game_of(instance).columns(response.player), response.point, x)
