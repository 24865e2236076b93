"""The certificate of a point of a game, by best responses of every player."""

from dataclasses import replace

import numpy as np

from mecdsl.backend import Responds, Responses
from mecdsl.equilibria.responses import Responder
from mecdsl.instances.instance import Instance
from mecdsl.instances.players import game_of
from mecdsl.instances.tables import FloatArray
from mecdsl.results.equilibrium import TOLERANCE, Answers, Certificate, joined
from mecdsl.results.result import Result
from mecdsl.results.violations import broken
from mecdsl.solution import Guarantee

LOOKED_AT = 64  # responses of a hand-derived algorithm that are evaluated on the model


def certificate_at(instance: Instance, x: FloatArray, responder: Responder) -> Certificate:
    """What every player could still gain at a point that keeps all constraints.

    Of a player with no response in the time that is left nothing is known.
    """
    game = game_of(instance)
    found = responder.responses(instance, range(game.size), x)
    values = game.values(x)
    unknown = np.full(game.size, np.nan)
    answers = Answers(
        values=unknown.copy(),
        bounds=unknown.copy(),
        scale=_plain_scale(values, values),
        rounding=np.zeros(game.size),
    )
    for response in found:
        answers.values[response.player] = response.value
        answers.bounds[response.player] = response.bound
        answers.scale[response.player] = response.scale
        answers.rounding[response.player] = response.rounding
    by = ", ".join(dict.fromkeys(response.by for response in found))
    return joined(game, values, answers, by)


def _plain_scale(values: FloatArray, responses: FloatArray) -> FloatArray:
    """float64[players]: what gains are relative to where nothing but their values is known."""
    size = np.fmax(np.abs(values), np.abs(responses))
    usual = float(np.nanmax(size, initial=0.0))
    return np.maximum(size, 1e-9 * usual if usual else 1.0)


def certificate_by(instance: Instance, x: FloatArray, backend: Responds, by: str) -> Certificate:
    """The same by the best responses of a hand-derived algorithm, of which those that promise most,
    and some others, are evaluated on the model.

    Raises RuntimeError where one is not what it is said to be.
    """
    game, found = game_of(instance), backend.respond(instance, x)
    values = game.values(x)
    answers = Answers(
        values=found.values,
        bounds=found.bounds,
        scale=_plain_scale(values, found.values),
        rounding=np.zeros(game.size),
    )
    certificate = joined(game, values, answers, by)
    share = np.nan_to_num(certificate.gains / certificate.scale)
    first = np.argsort(-share, kind="stable")[: LOOKED_AT // 2]
    spread = np.linspace(0, game.size - 1, min(game.size, LOOKED_AT // 2)).astype(int)
    for player in dict.fromkeys([*first.tolist(), *spread.tolist()]):
        _require(instance, found, player, by)
    return certificate


def _require(instance: Instance, found: Responses, player: int, by: str) -> None:
    """Raise unless a response keeps the constraints and costs what it is said to cost."""
    if np.isnan(found.values[player]):
        return
    game, point = game_of(instance), found.point(player)
    said, real = float(found.values[player]), float(game.values(point)[player])
    apart = abs(said - real) > TOLERANCE * max(abs(said), abs(real))
    wrong = broken(instance, point)
    if apart or wrong:
        what = f"breaks `{wrong[0].family}`" if wrong else f"costs {real:.9g} and not {said:.9g}"
        raise RuntimeError(f"a best response of `{by}` for `{game.name(player)}` {what}")


def with_certificate(result: Result, certificate: Certificate) -> Result:
    """A verified point of a game with what it is worth as an equilibrium."""
    notes, guarantee = result.notes, Guarantee.FEASIBLE
    if certificate.settled:
        guarantee = Guarantee.EQUILIBRIUM if certificate.proven else Guarantee.SETTLED
        notes = (*notes, *_unproven(certificate))
    elif certificate.movers:
        notes = (*notes, mover_text(certificate))
    else:
        missing = int(np.isnan(certificate.gains).sum())
        notes = (*notes, f"of {missing} of {len(certificate.names)} players no response is known")
    return replace(result, equilibrium=certificate, guarantee=guarantee, notes=notes)


def _unproven(certificate: Certificate) -> tuple[str, ...]:
    """Whose best response is not proven."""
    if certificate.proven:
        return ()
    open_ = certificate.most / certificate.scale
    wide = np.flatnonzero(np.isnan(open_) | (open_ > TOLERANCE))
    name = certificate.names[int(wide[0])]
    others = f" and {len(wide) - 1} more" if len(wide) > 1 else ""
    return (f"the best response of `{name}`{others} is not proven",)


def mover_text(certificate: Certificate) -> str:
    """Who gains most by moving alone."""
    player = certificate.movers[0]
    gain = float(certificate.gains[player])
    amount = f"{100.0 * gain / float(certificate.scale[player]):.3g} %"
    if np.isinf(gain):
        amount = "without bound"
    others = len(certificate.movers) - 1
    more = f", {others} more can gain too" if others else ""
    return f"no equilibrium: `{certificate.names[player]}` alone can gain {amount}{more}"
