"""Where only data may stand: variables are for constraints, the objective, definitions, reports."""

from dataclasses import dataclass
from typing import Final

from mecdsl.diagnostics import Collector
from mecdsl.model import symbolic as sym
from mecdsl.model.classes import Classifier, fully_fixed
from mecdsl.parsing.syntax import Kind

SELECT: Final = "only data may stand here; multiply by a binary variable instead of a condition"
ALL_MEMBERS: Final = "sum over all members, each times a binary variable"
ALL_LINKS: Final = "declare all links, each with a binary variable"


def check_data_places(model: sym.Model, shapes: Classifier, collector: Collector) -> None:
    """Variables may stand only in constraints, objective, definitions and reports.

    `shapes`: with fixed variables as variables, for their values come after sets, parameters and
    bounds.
    """
    places = _Places(shapes, fully_fixed(model), collector)
    for family in model.families.values():
        places.family(family)
    for symbol in model.symbols.values():
        places.symbol(symbol)
    for assignment in (*model.starts, *model.fixes, *model.settings):
        places.data_only(assignment.condition, "an index")
        for item in sym.data_expressions(assignment.value):
            places.data_only(item, "a given value", "only data may stand here")
    for constraint in model.constraints:
        places.space(constraint.space)
        places.inside(constraint.left)
        places.inside(constraint.right)
        if constraint.switch is not None:
            places.inside(constraint.switch.variable)
    for players in model.players:
        places.space(players.space)
        places.inside(players.value)
        for index in (i for own in players.choosing for i in own.indices):
            places.data_only(index, "an index")
    places.inside(model.objective.value)


@dataclass(frozen=True, slots=True)
class _Places:
    """Looks at the places of one model; `fixed` are the variables that a form gives values."""

    shapes: Classifier
    fixed: frozenset[str]
    collector: Collector

    def data_only(self, expression: sym.Expression | None, what: str, fix: str = SELECT) -> None:
        """Report the first part of an expression that is no data."""
        if expression is None or self.shapes.is_data(expression):
            return
        for node in sym.walk(expression):
            if isinstance(node, sym.Lookup) and not self.shapes.is_data(node):
                message = f"`{node.symbol}` depends on variables and cannot stand in {what}"
                note = f"`{node.symbol}` is fixed, which makes it a number in rows alone"
                fixed = node.symbol in self.fixed
                self.collector.error(
                    "E108", message, node.span, note=note if fixed else None, help=fix
                )
                return

    def family(self, family: sym.Family) -> None:
        """The members of a family, and the ends of its links."""
        self.space(family.space)
        for end in family.ends or ():
            self.data_only(end, "the end of a link", ALL_LINKS)
        for item in (item for member in family.listed or () for item in member):
            self.data_only(item, "a set or its condition")

    def symbol(self, symbol: sym.Symbol) -> None:
        """The space, the bounds and the value of a symbol."""
        self.space(symbol.own_space)
        for limit in symbol.limits:
            fix = f"write a constraint: `{symbol.name} {limit.operator} ...`"
            self.data_only(limit.value, "a bound", fix)
        if symbol.value is None or isinstance(symbol.value, sym.DataFile):
            return
        for item in sym.data_expressions(symbol.value):
            if symbol.kind is Kind.PARAM:
                self.data_only(item, "a parameter", f"write `let {symbol.name} = ...`")
            self.inside(item)

    def space(self, space: sym.Space) -> None:
        """The sets and the condition of a space."""
        for part in sym.space_parts(space):
            self.data_only(part, "a set or its condition")

    def inside(self, expression: sym.Expression) -> None:
        """The parts of an expression over variables that choose something."""
        for node in sym.walk(expression):
            match node:
                case sym.Choice(condition=condition):
                    self.data_only(condition, "the condition of an `if`")
                case sym.Aggregate(space=space, function=function, body=body):
                    self.space(space)
                    if function in ("count", "all", "any"):
                        self.data_only(body, f"`{function}`")
                case sym.Lookup(indices=indices) | sym.Member(arguments=indices):
                    for index in indices:
                        self.data_only(index, "an index", ALL_MEMBERS)
                case sym.Draw(arguments=arguments):
                    for argument in arguments:
                        self.data_only(argument, "a random draw", "only data may stand here")
                case _:
                    pass
