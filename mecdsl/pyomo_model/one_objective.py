"""Games are none of the things that other tools and files can state."""

from mecdsl.compiling.players_goal import forms_of_one_problem
from mecdsl.diagnostics import Diagnostic, ModelError
from mecdsl.instances.instance import Instance


def refuse_players(instance: Instance) -> None:
    """Raise `ModelError` E505 for a model whose players each have an objective."""
    players = instance.model.players
    if players:
        message = "players who each have an objective are no problem for other tools"
        fix = forms_of_one_problem(instance.model)
        raise ModelError([Diagnostic("E505", message, players[0].span, help=fix)])
