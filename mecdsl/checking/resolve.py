"""Syntax tree to symbolic model: declarations, types, and every expression in its scope."""

from mecdsl.checking.heads import Heads
from mecdsl.checking.resolve_assignments import AssignmentResolver
from mecdsl.checking.resolve_constraints import ConstraintResolver
from mecdsl.checking.resolve_expression import ExpressionResolver
from mecdsl.checking.resolve_families import FamilyResolver
from mecdsl.checking.resolve_players import PlayerResolver
from mecdsl.checking.resolve_symbols import SymbolResolver
from mecdsl.checking.scope import (
    Names,
)
from mecdsl.diagnostics import Collector, Label
from mecdsl.forms.apply import OF_GAMES, FormedDocument, game_forms
from mecdsl.model import symbolic as sym
from mecdsl.parsing import syntax
from mecdsl.units import OwnUnits


def resolve(document: FormedDocument, units: OwnUnits, collector: Collector) -> sym.Model:
    """The symbolic model of a document, which declares the given units; faults go to the collector.

    What could not be resolved is left out of the model, which is then good for further checks only.
    """
    names = Names(collector=collector, units=units)
    expressions = ExpressionResolver(names)
    heads = Heads(document, names, expressions.ranges)
    heads.collect()
    heads.find()
    families = FamilyResolver(expressions, heads)
    resolved = {name: families.family(name) for name in names.families}
    symbols = SymbolResolver(expressions, resolved)
    for name in names.symbols:
        symbols.symbol(name)
    constraints = ConstraintResolver(document, expressions)
    assignments = AssignmentResolver(symbols).assignments
    header = next((s for s in document.statements if isinstance(s, syntax.Header)), None)
    stated = document.statements
    return sym.Model(
        name=header.name if header else "",
        title=header.title if header else "",
        cites=tuple(s.text for s in stated if isinstance(s, syntax.Cite)),
        families=resolved,
        symbols=symbols.symbols,
        constraints=tuple(
            constraint
            for statement in stated
            if isinstance(statement, syntax.Constraint)
            for constraint in constraints.constraint(statement)
        ),
        objective=constraints.objective(),
        starts=assignments(s for s in stated if isinstance(s, syntax.Start)),
        fixes=assignments(document.fixes),
        settings=assignments(document.settings),
        forms=(
            *(sym.FormInfo(s.name, s.doc) for s in stated if isinstance(s, syntax.Form)),
            *(sym.FormInfo(goal.value, OF_GAMES[goal]) for goal in game_forms(stated)),
        ),
        form=document.form,
        dimensions={},
        span=document.span,
        units=names.units,
        players=PlayerResolver(expressions).players(stated),
        potential=_potential(stated, collector),
    )


def _potential(stated: tuple[syntax.Statement, ...], collector: Collector) -> str:
    """The name of the one potential; "" without one."""
    potentials = [s for s in stated if isinstance(s, syntax.Declaration) and s.potential]
    for extra in potentials[1:]:
        labels = (Label(potentials[0].name_span, "the first is here"),)
        fix = f"write `report {extra.name} = ...`"
        collector.error(
            "E111", "the model has a second potential", extra.name_span, labels=labels, help=fix
        )
    return potentials[0].name if potentials else ""
