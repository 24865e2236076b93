"""A model with its data as text."""

from mecdsl.analysis.scaling import Scaling
from mecdsl.convexity.problem import analyse
from mecdsl.diagnostics import count
from mecdsl.instances.instance import Instance
from mecdsl.model import symbolic as sym
from mecdsl.output.text.game import game_text
from mecdsl.output.text.layout import (
    headline,
    index_text,
    members,
    named_values,
    paragraph,
    table,
    unit_of,
)
from mecdsl.output.text.lowering import lowering_text
from mecdsl.output.text.problem import problem_text
from mecdsl.output.text.scaling import scaling_text
from mecdsl.parsing.syntax import FamilyKind, Kind


def instance_text(instance: Instance, relaxed: bool = False, scaling: Scaling | None = None) -> str:
    """The model as tables: sets, parameters, definitions, variables, constraints, class or
    players; with `scaling` the sizes that count as 1 in a solver.
    """
    game = bool(instance.model.players)
    what = game_text(instance) if game else problem_text(analyse(instance))
    parts = [*_parts(instance, relaxed), what]
    kinks = "" if game else lowering_text(instance)
    return (
        "\n\n".join(parts)
        + (f"\n{kinks}" if kinks else "")
        + ("" if scaling is None else f"\n\n{scaling_text(instance, scaling)}")
    )


def _parts(instance: Instance, relaxed: bool) -> list[str]:
    """Everything but the class."""
    world, model = instance.world, instance.model
    parts = [headline(instance, relaxed)]
    if model.cites:
        parts.append("\n".join(paragraph(f"source: {cite}") for cite in model.cites))
    sets = [
        [f.kind.value, f.name, str(world.families[f.name].size), f.doc]
        for f in model.families.values()
        if f.kind is not FamilyKind.NODE
    ]
    sets += [
        ["node", f.name, "1", f.doc] for f in model.families.values() if f.kind is FamilyKind.NODE
    ]
    if sets:
        parts.append("sets\n" + table(sets, right="  r"))
    for kind, title in ((Kind.PARAM, "parameters"), (Kind.LET, "definitions over data")):
        rows = [
            [
                f"{s.name}{index_text(s.space)}",
                members(
                    world.values[s.name], unit_of(instance, s), levels=world.symbols[s.name].levels
                ),
                s.doc,
            ]
            for s in model.of_kind(kind)
            if s.name in world.values
        ]
        if rows:
            parts.append(f"{title}\n" + named_values(rows))
    variables = [
        [f"{s.name}{index_text(s.space)}", _domain(instance, s), s.doc]
        for s in model.of_kind(Kind.VAR)
    ]
    if variables:
        parts.append("variables\n" + named_values(variables))
    sense, goal = model.objective.sense, model.objective
    if not model.players:
        parts.append(f"{sense}\n" + paragraph(f"{goal.name} = {goal.value.span.text}", 2))
    rows = [
        [f"{c.name}{index_text(c.constraint.space)}", count(c.size, "row"), c.constraint.doc]
        for c in instance.constraints
    ]
    if rows:
        parts.append("constraints\n" + table(rows))
    if model.forms:
        parts.append("forms\n" + table([[form.name, form.doc] for form in model.forms]))
    return parts


def _domain(instance: Instance, symbol: sym.Symbol) -> str:
    family = instance.variable(symbol.name)
    unit = symbol.unit.text if symbol.unit and symbol.unit.text != "1" else ""
    copies = f"{family.size} x " if symbol.space.names else ""
    words = [copies + symbol.domain.value, unit]
    if symbol.domain is not sym.NumberDomain.BINARY:
        written = [limit for limit in symbol.limits if _is_written(limit)]
        words += [f"{limit.operator} {limit.value.span.text}" for limit in written]
    return " ".join(word for word in words if word)


def _is_written(limit: sym.Limit) -> bool:
    """Whether a bound stands in the text; that a level stands for nothing below 0 does not."""
    return limit.span != limit.value.span
