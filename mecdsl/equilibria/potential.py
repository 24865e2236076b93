"""Is what a model calls its potential one? Tried on random moves of single players.

A game has an exact potential if every move of one player changes it by what the player gains, a
weighted one if by a share of that which is the player's own, an ordinal one if with the same sign
(Monderer and Shapley 1996). Moves that fit prove nothing; one that does not refutes.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np

from mecdsl.analysis.loose_terms import Looseness, loosely
from mecdsl.instances.facts import fact
from mecdsl.instances.instance import Instance
from mecdsl.instances.players import Game, game_of
from mecdsl.instances.tables import SINGLE, FloatArray, Table
from mecdsl.model import symbolic as sym
from mecdsl.results.measures import ROUNDING_SAFETY
from mecdsl.starts.draw import drawn

FEWEST, MOST = 6, 120  # moves of each player, and together
MOST_PLAYERS: Final = 40  # that are tried; of more every k-th
SAME: Final = 1e-7  # of two changes that are the same


class Kind(Enum):
    """What the moves that were tried leave possible, the most first."""

    EXACT = "exact potential"
    WEIGHTED = "weighted potential"
    ORDINAL = "ordinal potential"
    NONE = "no potential"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What `moves` random moves say of the potential `name`.

    `weights`: least and largest change of a player's objective for one of the potential.
    `witness`: a player whose move changes both in opposite ways; `changes`: by how much, the
    player's first, in SI.
    """

    name: str
    kind: Kind
    moves: int
    weights: tuple[float, float] | None = None
    witness: str = ""
    changes: tuple[float, float] | None = None


@fact
@np.errstate(all="ignore")  # moves to where something is not defined are left out
def try_potential(instance: Instance, seed: int = 0) -> Trial | None:
    """Try the potential of a game; None where none is stated. `instance`: with its players."""
    model = instance.model
    if not model.potential or not model.players:
        return None
    game = game_of(instance)
    tried = range(0, game.size, max(1, game.size // MOST_PLAYERS))
    moves: list[_Move] = []
    for number in range(2, 2 + max(FEWEST, MOST // max(1, len(tried)))):
        before = _Point(instance, _drawn(instance, seed + 1, number))
        other = _drawn(instance, seed + 2, number)
        for player in tried:
            move = _move(game, player, before, other)
            moves += [] if move is None else [move]
    return _judged(game, model.potential, moves)


@dataclass(frozen=True, slots=True, eq=False)
class _Move:
    """A player's move: the change of its objective and of the potential, both so that less is
    better, and how far each may be off by rounding.
    """

    player: int
    own: float
    potential: float
    own_error: float
    potential_error: float

    @property
    def is_nothing(self) -> bool:
        """Whether both changes are rounding, or one may hide in the rounding of the other."""
        own, potential = abs(self.own), abs(self.potential)
        if own <= self.own_error:
            return potential <= max(self.potential_error, self.own_error)
        return potential <= self.potential_error and own <= self.potential_error

    @property
    def disagrees(self) -> bool:
        """Whether the two changes are not of the same sign."""
        still = abs(self.own) <= self.own_error, abs(self.potential) <= self.potential_error
        return any(still) or self.own * self.potential < 0.0


@dataclass(frozen=True, slots=True, eq=False)
class _Known:
    """What is known of numbers: their value and how far it may be off."""

    value: float
    error: float


class _Point:
    """A point at which objectives and the potential are looked up, definitions computed once."""

    def __init__(self, instance: Instance, x: FloatArray) -> None:
        self.instance, self.x = instance, x
        self.evaluator = instance.evaluator(Looseness(x, np.zeros(instance.columns)))

    def own(self, game: Game, player: int) -> _Known:
        """The objective of a player, so that less is better."""
        family = game.family(player)
        row = family.table.take(np.array([player - family.first]))
        return self._known(family.sign, family.players.value, row)

    def potential(self) -> _Known:
        """The potential, so that less is better: players that all maximise want more of it."""
        model = self.instance.model
        report = model.symbols[model.potential]
        assert report.formula is not None
        return self._known(-1.0 if self.instance.maximize else 1.0, report.formula, SINGLE)

    def _known(self, sign: float, value: sym.Expression, table: Table) -> _Known:
        found = loosely(self.evaluator.family(value, table))
        errors = ROUNDING_SAFETY * np.broadcast_to(found.error, np.shape(found.value))
        return _Known(sign * float(np.ravel(found.value)[0]), abs(float(np.ravel(errors)[0])))


def _move(game: Game, player: int, before: _Point, other: FloatArray) -> _Move | None:
    """A player's move to what it does in another point; None where something is no number."""
    after = _Point(before.instance, np.where(game.columns(player), other, before.x))
    own = before.own(game, player), after.own(game, player)
    potential = before.potential(), after.potential()
    if not np.isfinite([known.value for known in (*own, *potential)]).all():
        return None
    return _Move(
        player=player,
        own=own[1].value - own[0].value,
        potential=potential[1].value - potential[0].value,
        own_error=own[0].error + own[1].error,
        potential_error=potential[0].error + potential[1].error,
    )


def _drawn(instance: Instance, seed: int, number: int) -> FloatArray:
    x = drawn(instance, seed, number)
    return np.where(instance.integral & instance.free, np.round(x), x)


def _judged(game: Game, name: str, moves: list[_Move]) -> Trial:
    told = [move for move in moves if not move.is_nothing]
    for move in told:
        if move.disagrees:
            sign = game.family(move.player).sign
            potential = -move.potential if game.instance.maximize else move.potential
            return Trial(
                name=name,
                kind=Kind.NONE,
                moves=len(moves),
                witness=game.name(move.player),
                changes=(sign * move.own, potential),
            )
    weights: dict[int, float] = {}
    for move in sorted(told, key=lambda move: -abs(move.potential)):
        weights.setdefault(move.player, move.own / move.potential)
    fits = all(_fits(move, weights[move.player]) for move in told)
    exact = all(_fits(move, 1.0) for move in told)
    kind = Kind.EXACT if exact else Kind.WEIGHTED if fits else Kind.ORDINAL
    ends = (min(weights.values()), max(weights.values())) if fits and weights else None
    return Trial(name=name, kind=kind, moves=len(moves), weights=ends)


def _fits(move: _Move, weight: float) -> bool:
    """Whether a player's objective changes by a weight times what the potential does."""
    room = SAME * (abs(move.own) + abs(weight * move.potential))
    room += move.own_error + abs(weight) * move.potential_error
    return abs(move.own - weight * move.potential) <= room
