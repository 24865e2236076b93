"""Best responses: each player's own problem, solved with what all others do held fixed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from mecdsl.backend import Ask, Responds
from mecdsl.backends.shared.side_by_side import cores, side_by_side
from mecdsl.instances.instance import Instance
from mecdsl.instances.players import game_of, problem_of_player
from mecdsl.instances.tables import FloatArray
from mecdsl.results.gap import ObjectiveSize
from mecdsl.solution import Guarantee, SolveOptions

WORTH_A_FORK: Final = 0.05  # s for one response, from which on they are found side by side


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Response:
    """A player's best response: its value and the proven bound on it (NaN where unknown), SI, and
    the point with it, None where there is none.

    An own problem that is proven to have no bound has an infinite value and no point.
    `sign`: 1 for who minimises, -1 for who maximises. `now`: the objective where the player is,
    `scale`: what differences from it are relative to, `rounding`: how far they may be off.
    `infeasible`: proven that the others leave the player nothing. `by`: the backend.
    """

    player: int
    sign: float
    now: float
    scale: float
    rounding: float
    value: float
    bound: float
    point: FloatArray | None
    infeasible: bool
    by: str

    @property
    def gain(self) -> float:
        """What the response saves, relative to what matters; 0 without a response."""
        if np.isnan(self.value):
            return 0.0
        if not np.isfinite(self.now):
            return np.inf
        saved = self.sign * (self.now - self.value)
        return saved / self.scale if saved > self.rounding else 0.0


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
            return self._by_hand(self.by_hand, instance, (player,), x)[0]
        own = problem_of_player(instance, player, x)
        options = replace(self.options, time_limit=self.left(), start=None, starts=1, raw={})
        result = self.ask(own, self.backend, options)
        usable = result.objective is not None and result.verified
        value = float(result.objective) if usable and result.objective is not None else np.nan
        bound = np.nan if result.bound is None or result.faults else float(result.bound)
        sign = game_of(instance).family(player).sign
        if result.guarantee is Guarantee.UNBOUNDED:
            usable, value, bound = False, -sign * np.inf, -sign * np.inf
        now = own.objective(x)
        return Response(
            player=player,
            sign=sign,
            now=now,
            scale=_scale(result.size, now, value, bound),
            rounding=result.size.rounding,
            value=value,
            bound=bound,
            point=result.point() if usable else None,
            infeasible=result.guarantee is Guarantee.INFEASIBLE,
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
            return self._by_hand(self.by_hand, instance, players, x)
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

    def _by_hand(
        self, backend: Responds, instance: Instance, players: Sequence[int], x: FloatArray
    ) -> tuple[Response, ...]:
        """What a hand-derived algorithm says of some players."""
        known, game = backend.respond(instance, x), game_of(instance)
        now, signs = game.values(x), game.signs()
        return tuple(
            Response(
                player=player,
                sign=float(signs[player]),
                now=float(now[player]),
                scale=float(np.fmax(abs(now[player]), abs(known.values[player]))) or 1.0,
                rounding=0.0,
                value=float(known.values[player]),
                bound=float(known.bounds[player]),
                point=None if np.isnan(known.values[player]) else known.point(player),
                infeasible=False,
                by=self.by,
            )
            for player in players
        )


def _scale(size: ObjectiveSize, now: float, value: float, bound: float) -> float:
    """What differences of a player's objective are relative to."""
    known = [number for number in (now, value) if np.isfinite(number)]
    if not known:
        return 1.0
    apart = float(np.nanmax(np.abs(known[0] - np.array([known[-1], bound]))))
    return size.scale(known[0], known[-1], apart)


def with_own(instance: Instance, x: FloatArray, response: Response) -> FloatArray:
    """The point with a player's own columns as in the response."""
    assert response.point is not None
    return np.where(game_of(instance).columns(response.player), response.point, x)
