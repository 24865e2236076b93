"""One player of a game alone: the problem of its best response to what the others do."""

import numpy as np

from mecdsl.diagnostics import Diagnostic, ModelError, count, nearest
from mecdsl.instances.instance import Instance
from mecdsl.instances.players import Game, game_of, problem_of_player
from mecdsl.instances.tables import FloatArray


def problem_alone(instance: Instance, name: str, given: FloatArray | None) -> Instance:
    """The problem of a player, `device[3]` or its number from 1 where all are of one family.

    The others do what `given` says, float64[columns], else the start values of the model. Raises
    `ModelError` E505 for a player that is not there, and where nothing says what the others do.
    """
    if not instance.model.players:
        where = f" in form `{instance.model.form}`" if instance.model.form else ""
        raise _refused(f"the model has no players{where}", "leave out `--player`")
    game = game_of(instance)
    player = _number(game, name)
    x = instance.start if given is None else given
    x = instance.complete(x)
    unknown = np.flatnonzero(np.isnan(x) & ~game.columns(player))
    if len(unknown):
        raise _refused(
            f"nothing says what the other players do: `{instance.column_name(int(unknown[0]))}` "
            "has no value",
            "give a result with `--warm-start result.json`, or `start` lines in the model",
        )
    return problem_of_player(instance, player, x)


def _number(game: Game, name: str) -> int:
    names = [game.name(player) for player in range(game.size)]
    if name in names:
        return names.index(name)
    if name.isdigit() and len(game.families) == 1 and 1 <= int(name) <= game.size:
        return int(name) - 1
    near = nearest(name, names)
    listed = ", ".join(names[:4]) + (" and more" if len(names) > 4 else "")
    players = f"the {count(game.size, 'player')}: {listed}"
    raise _refused(f"there is no player `{name}`", f"did you mean `{near}`?" if near else players)


def _refused(message: str, help: str) -> ModelError:
    return ModelError([Diagnostic("E505", message, help=help)])
