"""Where the dynamics of a game begin: a point that keeps what all players share and each one's own
constraints.
"""

from dataclasses import dataclass, replace

import numpy as np

from mecdsl.compiling.check import CheckedModel
from mecdsl.equilibria.responses import Responder
from mecdsl.instances.instance import Instance
from mecdsl.instances.players import Rows, chosen_rows, game_of
from mecdsl.instances.tables import FloatArray, IntArray
from mecdsl.model import symbolic as sym
from mecdsl.model.classes import Classifier
from mecdsl.results.violations import broken
from mecdsl.solution import Guarantee


@dataclass(frozen=True, slots=True, eq=False)
class Beginning:
    """A point that keeps all constraints; without one whether that is proven, and why in words."""

    point: FloatArray | None
    infeasible: bool = False
    message: str = ""


def beginning(instance: Instance, given: FloatArray | None, responder: Responder) -> Beginning:
    """The given point, else the start values of the model, else any point there is."""
    stated = instance.first_point()
    first = stated if given is None else np.where(np.isnan(given), stated, given)
    first = instance.complete(np.where(instance.integral, np.round(first), first))
    if not broken(instance, first) and np.isfinite(game_of(instance).values(first)).all():
        return Beginning(first)
    options = replace(responder.options, time_limit=responder.left(), start=None, raw={})
    result = responder.ask(anywhere(instance), responder.backend, options)
    if result.objective is not None and result.verified:
        return Beginning(result.point())
    if result.guarantee is not Guarantee.INFEASIBLE:
        return Beginning(
            None,
            message=f"no point that keeps all constraints was found: "
            f"{result.solution.message or result.termination.value}",
        )
    alone, all_can = _infeasible_alone(instance, responder)
    if alone:
        return Beginning(
            None,
            infeasible=True,
            message=f"`{alone}` cannot keep its own constraints, whatever the others do",
        )
    message = "no point keeps all constraints"
    if all_can:
        message = "every player could keep its own constraints, and no point keeps those they share"
    return Beginning(None, infeasible=True, message=message)


def anywhere(instance: Instance) -> Instance:
    """The constraints of a game without its players: any point of it is one of the game."""
    model = instance.model
    zero = sym.Constant(0.0, None, model.objective.span)
    plain = replace(model, objective=replace(model.objective, value=zero), players=())
    checked = CheckedModel(plain, instance.checked.order, Classifier(plain))
    return replace(instance, checked=checked)


def _infeasible_alone(instance: Instance, responder: Responder) -> tuple[str, bool]:
    """The first player whose private constraints have no point, "" where none is known to be, and
    whether each was found to have one.
    """
    game, all_can = game_of(instance), True
    for player in range(game.size):
        own = _private(instance, player)
        if not own.rows:
            continue
        options = replace(responder.options, time_limit=responder.left(), start=None, raw={})
        result = responder.ask(own, responder.backend, options)
        if result.guarantee is Guarantee.INFEASIBLE:
            return game.name(player), False
        all_can = all_can and result.verified
    return "", all_can


def _private(instance: Instance, player: int) -> Instance:
    """A player's own constraints alone; what others choose stays where it is, in none of them."""
    game = game_of(instance)

    def private(rows: Rows) -> IntArray:
        mine = rows.of(player)
        own: IntArray = mine[rows.sharers[mine] == 1]
        return own

    others = np.where(game.columns(player), np.nan, instance.complete(instance.first_point()))
    return replace(
        anywhere(instance),
        constraints=chosen_rows(instance, private),
        fixed=np.where(instance.free, others, instance.fixed),
    )
