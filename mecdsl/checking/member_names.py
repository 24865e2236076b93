"""Members called by their names: which member a name means where several sets have it."""

from dataclasses import dataclass

from mecdsl.checking.faults import Faults
from mecdsl.checking.index_ranges import IndexRanges, Ranged
from mecdsl.checking.scope import IndexInfo, Names, Scope, Unresolved
from mecdsl.data_files.labels import name_of
from mecdsl.diagnostics import Span, nearest
from mecdsl.model import symbolic as sym
from mecdsl.parsing import syntax
from mecdsl.units import DIMENSIONLESS

SHOWN = 6
"""Members that a message lists."""


@dataclass(slots=True)
class MemberNames:
    """Resolves names of members. `value_of`: what the values of the symbol that is resolved are
    members of.
    """

    names: Names
    ranges: IndexRanges
    faults: Faults
    value_of: IndexInfo | None = None

    def is_member(self, expression: syntax.Expression, scope: Scope) -> bool:
        """Whether an expression is the name of a member and nothing that the text declares."""
        if isinstance(expression, syntax.Text):
            return True
        if (
            not isinstance(expression, syntax.Name)
            or name_of(expression.name) not in self.names.labels
        ):
            return False
        name, owner = expression.name, scope.owner
        declared = (
            name in scope.indices or name in self.names.symbols or name in self.names.families
        )
        return not declared and not (owner and f"{owner}.{name}" in self.names.symbols)

    def of_name(self, name: str, span: Span, place: IndexInfo | None = None) -> Ranged:
        """The member of a name; in two families it is the one that the place is for."""
        entries = self.names.labels[name_of(name)]
        place = place or self.value_of
        if len(entries) > 1 and place is not None:
            entries = tuple(entry for entry in entries if entry[0] == place.root) or entries
        if len(entries) > 1:
            families = " and of ".join(f"`{family}`" for family, _ in entries)
            fix = "compare it with an index over one of them, or use it as an index"
            raise self.faults.fail("E117", f"`{name}` is a member of {families}", span, help=fix)
        family, position = entries[0]
        constant = sym.Constant(position, DIMENSIONLESS, span)
        self.ranges.named[constant] = family
        return Ranged(constant, IndexInfo(family, family))

    def of_text(self, text: syntax.Text, place: IndexInfo | None = None) -> Ranged:
        """A name in quotes, which is always that of a member."""
        if name_of(text.value) in self.names.labels:
            return self.of_name(text.value, text.span, place)
        raise self._no_member(text, place)

    def _no_member(self, text: syntax.Text, place: IndexInfo | None) -> Unresolved:
        near = nearest(text.value, self.names.labels)
        if near:
            message, fix = f"`{text.value}` is no member of any set", f'did you mean `"{near}"`?'
            return self.faults.fail("E102", message, text.span, help=fix)
        if place is not None and place.family in self.names.families and self.names.labels:
            root = self.names.families.get(place.root)
            labels = root.labels if root is not None else None
            message = f"`{text.value}` is no member of `{place.family}`"
            fix = "its members are numbers"
            if labels:
                more = ", ..." if len(labels) > SHOWN else ""
                fix = f"the members are {', '.join(labels[:SHOWN])}{more}"
            return self.faults.fail("E102", message, text.span, help=fix)
        fix = 'data of a file: `name : unit from "file.csv"`, without `=`'
        message = "a text cannot stand where a value is expected"
        return self.faults.fail("E106", message, text.span, help=fix)
