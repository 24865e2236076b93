"""How far a point is from an equilibrium: what every player could still gain alone."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mecdsl.instances.players import Game
from mecdsl.instances.tables import FloatArray
from mecdsl.units import Dimension

TOLERANCE: Final = 1e-6  # of what a player pays: a gain up to this is none


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Certificate:
    """float64[players] each, SI, in the sense of the player: `values` at the point, `responses` the
    best that was found for the player alone with the others as they are, `bounds` what is proven of
    that; NaN where nothing is known, infinite where the player can gain without bound. `scale`:
    what a gain is compared with, by the rule for gaps (`mecdsl.results.gap`), so that what a player
    cannot change hides none.

    `dimensions`: of the objectives. `signs`: 1 for who minimises, -1 for who maximises. `by`: whose
    responses these are, in words.
    """

    names: tuple[str, ...]
    dimensions: tuple[Dimension | None, ...]
    signs: FloatArray
    values: FloatArray
    responses: FloatArray
    bounds: FloatArray
    scale: FloatArray
    by: str

    @property
    def gains(self) -> FloatArray:
        """float64[players]: what a response that was found would gain, 0 where none is better."""
        found = self.signs * (self.values - self.responses)
        return np.where(np.isnan(found), np.nan, np.maximum(found, 0.0))

    @property
    def most(self) -> FloatArray:
        """float64[players]: more no response can gain; NaN where nothing is proven."""
        proven = self.signs * (self.values - self.bounds)
        return np.where(np.isnan(proven), np.nan, np.maximum(proven, 0.0))

    @property
    def epsilon(self) -> float | None:
        """The largest gain of one player that is not ruled out; None where a bound lacks."""
        most = self.most
        return None if np.isnan(most).any() else float(most.max(initial=0.0))

    @property
    def gain(self) -> float | None:
        """The largest gain that was found; None where a player was not looked at."""
        gains = self.gains
        return None if np.isnan(gains).any() else float(gains.max(initial=0.0))

    @property
    def movers(self) -> tuple[int, ...]:
        """The players with a gain that counts, the largest share first."""
        share = np.nan_to_num(self.gains / self.scale)
        order = np.argsort(-share, kind="stable")
        return tuple(int(player) for player in order if share[player] > TOLERANCE)

    @property
    def settled(self) -> bool:
        """Whether every player was looked at, and none was found that gains."""
        return self.gain is not None and not self.movers

    @property
    def proven(self) -> bool:
        """Whether for no player a gain that counts is left possible."""
        most = self.most
        return not np.isnan(most).any() and bool((most <= TOLERANCE * self.scale).all())

    @property
    def unknown(self) -> tuple[int, ...]:
        """The players whose best response is not proven."""
        return tuple(int(player) for player in np.flatnonzero(np.isnan(self.most)))


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Answers:
    """What best responses say, float64[players] each, SI: `values` and `bounds`, NaN where unknown;
    `scale`: what their differences are relative to; `rounding`: those up to which are none.
    """

    values: FloatArray
    bounds: FloatArray
    scale: FloatArray
    rounding: FloatArray


def joined(game: Game, values: FloatArray, answers: Answers, by: str) -> Certificate:
    """The certificate of answers.

    A response that is worse than what the player does is no better than that. A bound that the
    point itself refutes is none.
    """
    signs, room = game.signs(), answers.rounding
    found, bounds = answers.values, answers.bounds
    wrong = signs * (bounds - values) > 10.0 * TOLERANCE * answers.scale
    bounds = np.where(wrong, np.nan, np.where(np.abs(bounds - values) <= room, values, bounds))
    better: NDArray[np.bool_] = signs * (values - found) > room
    return Certificate(
        names=tuple(game.name(player) for player in range(game.size)),
        dimensions=game.dimensions(),
        signs=signs,
        values=values,
        responses=np.where(better | np.isnan(found), found, values),
        bounds=bounds,
        scale=answers.scale,
        by=by,
    )
