"""Games are none of the things that other tools and files can state."""

from mecdsl.diagnostics import Diagnostic, ModelError
from mecdsl.instances.instance import Instance


def refuse_players(instance: Instance) -> None:
    """Other tools state one objective. Raises `ModelError` E502 for a model with several."""
    players = instance.model.players
    if not players:
        return
    forms = "`--form social`"
    if instance.model.potential:
        forms += " or `--form potential`"
    message = "the model has players who each have an objective, and a file holds one"
    raise ModelError([Diagnostic("E502", message, players[0].span, help=f"write {forms}")])
