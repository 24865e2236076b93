"""A symbol with its indices: as many as it is declared over, each of the family in its place."""

from dataclasses import dataclass
from itertools import permutations

from mecdsl.checking.index_ranges import IndexRanges
from mecdsl.checking.resolve_topology import Fail
from mecdsl.checking.scope import INTEGERS, IndexInfo, Names, SymbolHead, Unresolved
from mecdsl.diagnostics import Label, Span, count
from mecdsl.model import symbolic as sym

Place = tuple[str, IndexInfo]
"""Of an index: the name it is declared with, and what belongs there."""


@dataclass(slots=True)
class Symbol:
    """A reference to a symbol that has these indices so far.

    `by_row`: the first is a member of the owner instead of its indices.
    """

    name: str
    indices: list[sym.Expression]
    span: Span
    by_row: bool = False


@dataclass(frozen=True, slots=True)
class Lookups:
    """Turns references to symbols into lookups; `fail` reports a fault."""

    names: Names
    ranges: IndexRanges
    fail: Fail

    def lookup(self, reference: Symbol) -> sym.Lookup:
        """The value that a reference means when nothing more follows it."""
        head, given = self.names.symbols[reference.name], reference.indices
        places = self._places(head, reference.by_row)
        if len(places) != len(given):
            raise self._wrong_number(reference, head, places)
        for place, index in zip(places, given, strict=True):
            if not self.ranges.compatible(self.ranges.of_expression(index), place[1]):
                fix = self._order_fix(reference, [info for _, info in places])
                raise self._wrong_family(head, place, index, fix)
        return sym.Lookup(reference.name, tuple(given), reference.span, reference.by_row)

    def open_places(self, reference: Symbol) -> list[IndexInfo]:
        """What belongs into the places that still have no index."""
        places = self._places(self.names.symbols[reference.name], reference.by_row)
        return [info for _, info in places[len(reference.indices) :]]

    def _places(self, head: SymbolHead, by_row: bool) -> list[Place]:
        if not (by_row and head.owner):
            return list(head.indices)
        own = head.indices[self.names.families[head.owner].arity :]
        return [("member", self.ranges.of_members(head.owner)), *own]

    def _wrong_number(self, reference: Symbol, head: SymbolHead, places: list[Place]) -> Unresolved:
        name, given = reference.name, reference.indices
        takes = count(len(places), "index") if places else "no index"
        pattern = ", ".join(index for index, _ in places)
        fix = f"write `{name}[{pattern}]`" if places else f"write `{name}`"
        index = given[0] if len(given) == 1 else None
        if isinstance(index, sym.IndexValue) and index.row and index.family == head.owner:
            fix = f"write `{index.name}.{name.split('.')[-1]}`"
        return self.fail(
            "E104",
            f"`{name}` takes {takes}, found {len(given)}",
            reference.span,
            labels=(Label(head.declared.name_span, "declared here"),),
            help=fix,
        )

    def _order_fix(self, reference: Symbol, places: list[IndexInfo]) -> str | None:
        """The indices in the one other order in which they all fit, if they were only mixed up."""
        fits = [
            order
            for order in permutations(reference.indices)
            if all(
                self.ranges.compatible(self.ranges.of_expression(index), info)
                for index, info in zip(order, places, strict=True)
            )
        ]
        if len(fits) != 1:
            return None
        return f"write `{reference.name}[{', '.join(index.span.text for index in fits[0])}]`"

    def _wrong_family(
        self, head: SymbolHead, place: Place, index: sym.Expression, fix: str | None
    ) -> Unresolved:
        name, info = place
        given = self.ranges.of_expression(index)
        needs = f"members of `{info.family}`" if info.family else f"`{info.root}`"
        runs = f"runs over `{given.family}`" if given.family else f"is one of the {INTEGERS}"
        return self.fail(
            "E105",
            f"`{index.span.text}` {runs}, `{head.name}` is indexed by {needs}",
            index.span,
            labels=(Label(head.declared.name_span, f"declared over `{name}`"),),
            help=fix,
        )
