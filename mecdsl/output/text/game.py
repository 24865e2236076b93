"""Players, what they share, and equilibria as text."""

from typing import Final

import numpy as np

from mecdsl.convexity.problem import analyse
from mecdsl.diagnostics import count
from mecdsl.equilibria.potential import Kind, Trial, try_potential
from mecdsl.instances.instance import Instance
from mecdsl.instances.players import PlayerFamily, game_of, problem_of_player, rows_of_players
from mecdsl.output.text.layout import common_unit, number, paragraph, quantity, table
from mecdsl.results.equilibrium import Certificate
from mecdsl.results.result import Result
from mecdsl.units import DIMENSIONLESS, Dimension, Unit, coherent_unit

SHOWN: Final = 10  # players with a row of their own


def game_text(instance: Instance) -> str:
    """Who plays, what each one's problem is, what is shared, and whether the potential is one."""
    game = game_of(instance)
    lines = [f"game   {count(game.size, 'player')}"]
    rows = [_family_row(instance, family) for family in game.families if family.size]
    lines.append(
        table(rows, ("players", "", "objective", "choose", "each one's problem"), right=" r")
    )
    shared: list[str] = []
    private: list[str] = []
    for found in rows_of_players(instance):
        if found.family.size:
            most = int(found.sharers.max(initial=0))
            (shared if most > 1 else private).append(found.family.name)
    if private:
        lines.append(paragraph(f"private constraints  {', '.join(private)}", further=21))
    if shared:
        lines.append(paragraph(f"shared constraints   {', '.join(shared)}", further=21))
    trial = try_potential(instance)
    if trial is not None:
        lines.append(paragraph(f"potential  {trial_text(trial)}", further=11))
    return "\n".join(lines)


def _family_row(instance: Instance, family: PlayerFamily) -> list[str]:
    players = family.players
    own = problem_of_player(instance, family.first, instance.complete(instance.first_point()))
    names = ", ".join(dict.fromkeys(own.symbol for own in players.choosing))
    aim = f"{players.sense} {players.value.span.text}"
    return [players.name, str(family.size), aim, names, analyse(own).class_name]


def trial_text(trial: Trial) -> str:
    """`phi: weighted potential on 30 random moves, weights 0.1 to 0.4`."""
    if trial.kind is Kind.NONE:
        assert trial.changes is not None
        own, potential = (number(change, 5) for change in trial.changes)
        return (
            f"`{trial.name}` is no potential of this game: a move of `{trial.witness}` changes "
            f"its own objective by {own} and `{trial.name}` by {potential}"
        )
    text = f"`{trial.name}`: {trial.kind.value} on {count(trial.moves, 'random move')}"
    if trial.kind is Kind.WEIGHTED and trial.weights is not None:
        low, high = (number(weight, 5) for weight in trial.weights)
        text += f", weights {low} to {high}" if low != high else f", weight {low}"
    return text


def epsilon_text(result: Result) -> str:
    """The largest gain of one player that is left, and whose proof that is."""
    certificate = result.equilibrium
    assert certificate is not None
    epsilon, gain = certificate.epsilon, certificate.gain
    if not certificate.names:
        return "0: there are no players"
    if gain is not None and np.isinf(gain):
        return f"`{certificate.names[certificate.movers[0]]}` can gain without bound"
    if epsilon is not None:
        player = int(np.argmax(certificate.most / certificate.scale))
        share = float(certificate.most[player] / certificate.scale[player])
        unit = _units(certificate)[player]
        amount = quantity(float(certificate.most[player]), unit)
        if share == 0.0:
            return f"0: nobody can gain, proven by {certificate.by}"
        return (
            f"{amount}, {share:.1e} of what `{certificate.names[player]}` has; "
            f"proven by {certificate.by}"
        )
    if gain is None:
        return "not known"
    return f"not proven; the responses of {certificate.by} gain at most {number(gain, 5)} in SI"


def players_text(result: Result) -> str:
    """A table of the players that could gain most: at the point, best response, bound, gain."""
    certificate = result.equilibrium
    assert certificate is not None
    if not certificate.names:
        return "  no players"
    share = np.nan_to_num(certificate.gains / certificate.scale, nan=np.inf)
    order = np.argsort(-share, kind="stable")[:SHOWN]
    if len(order) == len(certificate.names):
        order = np.arange(len(order))
    units = _units(certificate)
    rows = [_player_row(certificate, int(player), units[int(player)]) for player in order]
    header = ("player", "here", "best response", "proven bound", "could gain")
    text = table(rows, header, right=" rrrr")
    left_out = len(certificate.names) - len(order)
    return text + (f"\n  and {count(left_out, 'player')} that could gain less" if left_out else "")


def _player_row(certificate: Certificate, player: int, unit: Unit) -> list[str]:
    numbers = [
        float(values[player])
        for values in (certificate.values, certificate.responses, certificate.bounds)
    ]
    shown = ["-" if not np.isfinite(value) else quantity(value, unit, 7) for value in numbers]
    gain = float(certificate.gains[player])
    share = gain / float(certificate.scale[player])
    text = "-" if np.isnan(gain) else "0" if gain == 0.0 else f"{100.0 * share:.3g} %"
    if np.isinf(gain):
        text = "without bound"
    return [certificate.names[player], *shown, text]


def _units(certificate: Certificate) -> list[Unit]:
    """The unit of every player's objective, with the prefix that suits the largest of its kind."""
    kinds = dict.fromkeys(certificate.dimensions)
    shown: dict[Dimension | None, Unit] = {}
    for dimension in kinds:
        same = np.array([d == dimension for d in certificate.dimensions], dtype=bool)
        unit = coherent_unit(dimension or DIMENSIONLESS)
        shown[dimension] = common_unit(certificate.values[same], unit)
    return [shown[dimension] for dimension in certificate.dimensions]
