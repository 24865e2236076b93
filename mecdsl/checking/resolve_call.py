"""Calls: functions of the table, the words of networks, draws, and what is no function at all."""

from typing import Final

from mecdsl.checking.index_ranges import ENDS
from mecdsl.checking.parts import Part, Whole
from mecdsl.checking.resolve_draw import Draws
from mecdsl.checking.resolve_topology import DISTANCE, ORDER
from mecdsl.checking.scope import Scope, Unresolved
from mecdsl.checking.spelled import written_out
from mecdsl.diagnostics import nearest
from mecdsl.draws import DRAWS, REGIONS
from mecdsl.functions.table import MISTAKEN, NAMES, SPELLED, TABLE
from mecdsl.model import symbolic as sym
from mecdsl.parsing import syntax

AGGREGATES: Final = ("sum", "prod", "count", "all", "any")
"""Words that go with `for` and with nothing else."""


class Calls(Part):
    """Resolves `name(...)`."""

    def __init__(self, whole: Whole, draws: Draws) -> None:
        super().__init__(whole)
        self.draws = draws

    def call(self, call: syntax.Call, scope: Scope) -> sym.Expression:
        """The value of a call."""
        name = NAMES.get(call.function, call.function)
        if call.base is not None or name in ENDS:
            raise self._no_value(call)
        if name in ORDER:
            return self._in_order(call, scope)
        if name == "distance":
            self.require_arguments(call, DISTANCE)
            first, second = (self.whole.ranged(argument, scope) for argument in call.arguments)
            return self.topology.distance(call, first, second)
        if name in DRAWS:
            return self.draws.draw(call, scope)
        if name in SPELLED and not SPELLED[name].family:
            self.require_arguments(call, SPELLED[name].parameters)
            arguments = self.whole.resolve_all(call.arguments, scope)
            return written_out(SPELLED[name], arguments, None, call.span)
        if name in TABLE:
            self.require_arguments(call, TABLE[name].parameters)
            return sym.Function(name, self.whole.resolve_all(call.arguments, scope), call.span)
        raise self._unknown_function(call)

    def _unknown_function(self, call: syntax.Call) -> Unresolved:
        name = call.function
        callable_names = [*TABLE, *SPELLED, *DRAWS, *ORDER, "distance", *AGGREGATES]
        if name in AGGREGATES or name in SPELLED:
            message = f"`{name}` does not say over what"
            return self.fail("E110", message, call.span, help=f"write `{name}(x[i] for i in I)`")
        if name in self.names.symbols:
            fix = f"an index stands in brackets: `{name}[...]`; a product needs `*`"
        elif name in REGIONS or name == "position":
            fix = "a region stands in a block of nodes: `position in disc(500 m)`"
        else:
            near = MISTAKEN.get(name) or nearest(name, callable_names)
            fix = f"did you mean `{near}`?" if near else f"known are {', '.join(callable_names)}"
        return self.fail("E110", f"unknown function `{name}`", call.name_span, help=fix)

    def _no_value(self, call: syntax.Call) -> Unresolved:
        """`out(n)` and `family.name(...)` where a value is expected."""
        if call.function in ENDS:
            message = "a set of links cannot stand where a value is expected"
            fix = f"sum over it: `sum(l.attribute for l in {call.span.text})`"
            return self.fail("E106", message, call.span, help=fix)
        base = call.base.span.text if call.base is not None else ""
        indices = ", ".join(argument.span.text for argument in call.arguments)
        fix = f"an index stands in square brackets: write `{base}.{call.function}[{indices}]`"
        return self.fail("E110", f"`{base}.{call.function}` is no function", call.span, help=fix)

    def _in_order(self, call: syntax.Call, scope: Scope) -> sym.Member:
        """`first(S)`, `last(S)`, `prev(k)`, `next(k)`."""
        self.require_arguments(call, ORDER[call.function])
        (argument,) = call.arguments
        if call.function in ("prev", "next"):
            return self.topology.neighbour(call, self.whole.ranged(argument, scope))
        if isinstance(argument, syntax.Name) and argument.name in self.names.families:
            return self.topology.end_of_order(call, argument.name)
        text = argument.span.text
        near = nearest(text, self.names.families)
        fix = "write the name of a range, an ordered set, nodes or layers"
        if near:
            fix = f"did you mean `{near}`?"
        raise self.fail("E106", f"`{text}` is not an ordered family", argument.span, help=fix)
