"""The certificate of an equilibrium and the trial of a potential as plain data."""

from typing import Any

import numpy as np

from mecdsl.analysis.member_units import unit_text
from mecdsl.convexity.problem import analyse
from mecdsl.equilibria.potential import Trial, try_potential
from mecdsl.instances.instance import Instance
from mecdsl.instances.players import game_of, problem_of_player, rows_of_players
from mecdsl.output.json.plain import plain
from mecdsl.results.result import Result


def equilibrium_json(result: Result) -> dict[str, Any] | None:
    """What every player could still gain, in SI; None where the model is no game."""
    certificate = result.equilibrium
    if certificate is None:
        return None
    units = [unit_text(dimension) for dimension in certificate.dimensions]
    return {
        "epsilon": plain(certificate.epsilon),
        "gain": plain(certificate.gain),
        "settled": certificate.settled,
        "proven": certificate.proven,
        "by": certificate.by,
        "players": [
            {
                "player": name,
                "sense": "minimize" if certificate.signs[player] > 0.0 else "maximize",
                "unit": units[player],
                "value": plain(float(certificate.values[player])),
                "best_response": plain(float(certificate.responses[player])),
                "bound": plain(float(certificate.bounds[player])),
                "gain": plain(float(certificate.gains[player])),
                "most": plain(float(certificate.most[player])),
                "unbounded": bool(np.isinf(certificate.gains[player])),
            }
            for player, name in enumerate(certificate.names)
        ],
    }


def game_json(instance: Instance) -> dict[str, Any]:
    """Who plays, which constraints are shared, and what is known of the potential."""
    game = game_of(instance)
    x = instance.complete(instance.first_point())
    found = [rows for rows in rows_of_players(instance) if rows.family.size]
    return {
        "players": [
            {
                "name": family.players.name,
                "size": family.size,
                "sense": family.players.sense,
                "objective": family.players.value.span.text,
                "choosing": [own.symbol for own in family.players.choosing],
                "class": analyse(problem_of_player(instance, family.first, x)).class_name,
            }
            for family in game.families
            if family.size
        ],
        "shared": [r.family.name for r in found if r.sharers.max(initial=0) > 1],
        "private": [r.family.name for r in found if r.sharers.max(initial=0) <= 1],
        "potential": trial_json(try_potential(instance)),
    }


def trial_json(trial: Trial | None) -> dict[str, Any] | None:
    """What random moves say of a potential."""
    if trial is None:
        return None
    return {
        "name": trial.name,
        "kind": trial.kind.value,
        "moves": trial.moves,
        "weights": None if trial.weights is None else list(map(plain, trial.weights)),
        "witness": trial.witness or None,
        "changes": None if trial.changes is None else list(map(plain, trial.changes)),
    }
