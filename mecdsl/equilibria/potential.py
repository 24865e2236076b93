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

FEWEST, MOST = 6, 240  # moves of each player, and together
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
    step = max(1, game.size // MOST_PLAYERS)
    tried = range(0, game.size, step)
    moves = [
        move
        for player in tried
        for number in range(max(FEWEST, MOST // max(1, len(tried))))
        if (move := _move(game, player, seed + 1, 2 + number)) is not None
    ]
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


def _move(game: Game, player: int, seed: int, number: int) -> _Move | None:
    """A random move from a random point; None where an objective is not a number there."""
    instance = game.instance
    before = _drawn(instance, seed, number)
    other = _drawn(instance, seed + 1, number)
    after = np.where(game.columns(player), other, before)
    family = game.family(player)
    wish = family.players.value, family.table.take(np.array([player - family.first]))
    own = [family.sign * _exactly(instance, x, *wish) for x in (before, after)]
    report = instance.model.symbols[instance.model.potential]
    assert report.formula is not None
    sense = -1.0 if instance.maximize else 1.0  # players that all maximise want more of it
    potential = [sense * _exactly(instance, x, report.formula, SINGLE) for x in (before, after)]
    if not np.isfinite([*own, *potential]).all():
        return None
    return _Move(
        player=player,
        own=own[1][0] - own[0][0],
        potential=potential[1][0] - potential[0][0],
        own_error=float(abs(own[0][1]) + abs(own[1][1])),
        potential_error=float(abs(potential[0][1]) + abs(potential[1][1])),
    )


def _exactly(instance: Instance, x: FloatArray, value: sym.Expression, table: Table) -> FloatArray:
    """float64[2]: what an expression of one row is, and how far that may be off."""
    found = loosely(
        instance.evaluator(Looseness(x, np.zeros(instance.columns))).family(value, table)
    )
    errors = ROUNDING_SAFETY * np.broadcast_to(found.error, np.shape(found.value))
    return np.array([float(np.ravel(found.value)[0]), float(np.ravel(errors)[0])])


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
