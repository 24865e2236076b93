"""A game as one problem: the sum of the players' objectives, or its potential."""

from dataclasses import replace

from mecdsl.diagnostics import Collector, Label
from mecdsl.forms.apply import OF_GAMES, Goal
from mecdsl.model import symbolic as sym
from mecdsl.model.dimensions import find_dimension
from mecdsl.units import Dimension

SUM = "social_cost"
WELFARE = "social_welfare"


def state_goal(
    model: sym.Model, goal: Goal, collector: Collector
) -> tuple[sym.Model, Dimension | None]:
    """The model with its objective, and the dimension of that.

    As stated the players stay, and the objective is what theirs add up to, so that an equilibrium
    can be compared with the optimum of all; 0 where they have different units, and then there is no
    form `social`. In the forms of a game nobody plays any more. A sum of different units goes to
    the collector.
    """
    stated = [find_dimension(model, players.value) for players in model.players]
    dimensions = [dimension for dimension in stated if dimension is not None]
    alike = all(dimension == dimensions[0] for dimension in dimensions)
    dimension = dimensions[0] if alike and dimensions else None
    sense = _sense(model)
    if goal is Goal.POTENTIAL:
        report = model.symbols.get(model.potential)
        if report is None or report.formula is None:  # a fault in it is reported
            return model, None
        potential = replace(
            model.objective, name=report.name, sense=sense, value=report.formula, unit=report.unit
        )
        found = model.dimensions.get(report.name)
        return replace(model, objective=potential, players=()), found
    if not alike and goal is Goal.SOCIAL:
        _refuse_sum(model, stated, collector)
    value = _sum(model, sense) if alike else model.objective.value
    name = _free_name(model, WELFARE if sense == "maximize" else SUM)
    doc = "the sum of what the players want" if alike else "the players want different things"
    objective = replace(model.objective, name=name, sense=sense, value=value, doc=doc)
    players = () if goal is Goal.SOCIAL else model.players
    sums = sym.FormInfo(Goal.SOCIAL.value, OF_GAMES[Goal.SOCIAL])
    forms = model.forms if alike else tuple(form for form in model.forms if form != sums)
    return replace(model, objective=objective, players=players, forms=forms), dimension


def _sense(model: sym.Model) -> str:
    """A sum is maximised where all players do; else what they maximise is taken off."""
    senses = {players.sense for players in model.players}
    return "maximize" if senses == {"maximize"} else "minimize"


def _sum(model: sym.Model, sense: str) -> sym.Expression:
    total: sym.Expression | None = None
    for players in model.players:
        term = players.value
        if players.space.generators:
            term = sym.Aggregate("sum", players.value, players.space, players.span)
        against = players.sense != sense
        if total is None:
            total = sym.Operation("neg", (term,), players.span) if against else term
        else:
            total = sym.Operation("-" if against else "+", (total, term), players.span)
    assert total is not None
    return total


def _free_name(model: sym.Model, name: str) -> str:
    taken = {*model.symbols, *model.families, *(c.name for c in model.constraints)}
    while name in taken:
        name += "_of_all"
    return name


def _refuse_sum(model: sym.Model, dimensions: list[Dimension | None], collector: Collector) -> None:
    first = next(i for i, dimension in enumerate(dimensions) if dimension is not None)
    for players, dimension in zip(model.players, dimensions, strict=True):
        if dimension is None or dimension == dimensions[first]:
            continue
        message = (
            f"what `{players.name}` wants is in [{dimension}], what "
            f"`{model.players[first].name}` wants in [{dimensions[first]}]: they have no sum"
        )
        labels = (Label(model.players[first].span, "wanted here"),)
        fix = "state a sum of your own with weights: `form social: add minimize total = ...`"
        collector.error("E201", message, players.span, labels=labels, help=fix)
        return


def forms_of_one_problem(model: sym.Model) -> str:
    """In which forms a game is one problem, as advice."""
    names = {form.name for form in model.forms}
    both = [f"`--form {goal.value}`" for goal in OF_GAMES if goal.value in names]
    return f"use {' or '.join(both)}" if both else "state a form: `form joint: add minimize ...`"
