"""Is what a model calls its potential one? Tried on random moves of single players.

A game has an exact potential if every move of one player changes it by what the player gains, a
weighted one if by a share of that which is the player's own, an ordinal one if with the same sign
(Monderer and Shapley 1996). Moves that fit prove nothing; one that does not refutes.
"""

from dataclasses import dataclass
from enum import Enum
from typing import Final

import numpy as np

from mecdsl.instances.algebra import Floats
from mecdsl.instances.facts import fact
from mecdsl.instances.instance import Instance
from mecdsl.instances.players import Game, game_of
from mecdsl.instances.tables import SINGLE, FloatArray
from mecdsl.starts.draw import drawn

FEWEST, MOST = 6, 240  # moves of each player, and together
MOST_PLAYERS: Final = 40  # that are tried; of more every k-th
SAME: Final = 1e-7  # of the numbers whose difference a change is


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
    better, and the size of the numbers they are differences of.
    """

    player: int
    own: float
    potential: float
    own_size: float
    potential_size: float

    @property
    def is_nothing(self) -> bool:
        """Whether both changes are rounding."""
        still = abs(self.own) <= SAME * self.own_size
        return still and abs(self.potential) <= SAME * self.potential_size


def _move(game: Game, player: int, seed: int, number: int) -> _Move | None:
    """A random move from a random point; None where an objective is not a number there."""
    instance = game.instance
    before = _drawn(instance, seed, number)
    other = _drawn(instance, seed + 1, number)
    after = np.where(game.columns(player), other, before)
    sign = game.family(player).sign
    own = [sign * float(game.values(x)[player]) for x in (before, after)]
    potential = [_potential(instance, x) for x in (before, after)]
    if not np.isfinite([*own, *potential]).all():
        return None
    return _Move(
        player=player,
        own=own[1] - own[0],
        potential=potential[1] - potential[0],
        own_size=max(map(abs, own)),
        potential_size=max(map(abs, potential)),
    )


def _drawn(instance: Instance, seed: int, number: int) -> FloatArray:
    x = drawn(instance, seed, number)
    return np.where(instance.integral & instance.free, np.round(x), x)


def _potential(instance: Instance, x: FloatArray) -> float:
    """The potential, so that less is better: players that all maximise want more of it."""
    report = instance.model.symbols[instance.model.potential]
    assert report.formula is not None
    value = float(instance.evaluator(Floats(x)).family(report.formula, SINGLE)[0])
    return -value if instance.maximize else value


def _judged(game: Game, name: str, moves: list[_Move]) -> Trial:
    told = [move for move in moves if not move.is_nothing]
    for move in told:
        if move.own * move.potential < 0.0 or (move.own == 0.0) != (move.potential == 0.0):
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
    room = SAME * (move.own_size + abs(weight) * move.potential_size)
    return abs(move.own - weight * move.potential) <= room
