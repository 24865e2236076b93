"""What an index ranges over, and so which index may stand where.

It is asked of the members of a family, of an expression that is resolved, of a generator, and of
the text of an index list, from which it is told before any expression is resolved. The words that
make sets, `out(n)` or `crossing(c)`, are here with what their members are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from mecdsl.checking.scope import IndexInfo, Names
from mecdsl.model import symbolic as sym
from mecdsl.parsing import syntax
from mecdsl.parsing.syntax import FamilyKind

ENDS: Final = {"out": 0, "in": 1}
"""Sets of links, by the end at which they meet the node."""
LAYER_GROUPS: Final = {
    "crossing": sym.LayerGroup.CROSSING,
    "before": sym.LayerGroup.BEFORE,
    "after": sym.LayerGroup.AFTER,
}
"""Sets of layers; `cuts` makes one of cuts."""
NODE_KINDS: Final = (FamilyKind.NODES, FamilyKind.NODE, FamilyKind.LAYERS)
NO_INDICES: Final[Mapping[str, IndexInfo]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Ranged:
    """A resolved expression and what its values are; `info` None for anything but an index."""

    expression: sym.Expression
    info: IndexInfo | None


@dataclass(frozen=True, slots=True)
class IndexRanges:
    """Answers for the declared names of one model.

    `named`: constants that stand for members with names, and the families of these, noted as they
    are resolved.
    """

    names: Names
    named: dict[sym.Expression, str] = field(default_factory=dict)

    # Families

    def ancestors(self, family: str | None) -> frozenset[str]:
        """The family and those its index runs over, all the way down."""
        lineage: set[str] = set()
        stack = [family] if family else []
        while stack:
            name = stack.pop()
            if name not in lineage and name in self.names.families:
                lineage.add(name)
                stack.extend(self.names.families[name].parents)
        return frozenset(lineage)

    def related(self, first: str, second: str) -> bool:
        """Whether members of one of two families are members of the other."""
        return second in self.ancestors(first) or first in self.ancestors(second)

    def compatible(self, given: IndexInfo, needed: IndexInfo) -> bool:
        """Whether a value of the given index may stand where the other is needed."""
        if given.row or needed.row:
            return given.row == needed.row and given.family == needed.family
        if given.root != needed.root:
            return False
        if given.family is None or needed.family is None:
            return True
        if self.related(given.family, needed.family):
            return True
        kinds = [self.names.families[name].declared.kind for name in (given.family, needed.family)]
        return not all(kind in NODE_KINDS for kind in kinds)

    def of_members(self, family: str) -> IndexInfo:
        """The index that runs over the members of a family."""
        head = self.names.families[family]
        if head.arity > 1:
            return IndexInfo(family, family, row=True)
        inner = next(iter(head.indices.values()), IndexInfo())
        if inner.row:  # a subset of links: its members are links
            return inner
        root = inner.root
        return IndexInfo(family, family if head.labels else root, cuts_of=inner.cuts_of)

    def of_indices(self, family: str, indices: Sequence[str]) -> dict[str, IndexInfo]:
        """What indices over a family range over: one over its members, several as its own."""
        if len(indices) == 1:
            return {indices[0]: self.of_members(family)}
        own = self.names.families[family].indices.values()
        return dict(zip(indices, own, strict=False))

    def layers_of(self, info: IndexInfo) -> str | None:
        """The family of layers with one index that the members of a family belong to."""
        for name in sorted(self.ancestors(info.family)):
            head = self.names.families[name]
            if head.declared.kind is FamilyKind.LAYERS and head.arity == 1:
                return name
        return None

    # Links

    def link_classes(self) -> list[str]:
        """The families of links."""
        heads = self.names.families.items()
        return [name for name, head in heads if head.declared.kind is FamilyKind.LINKS]

    def of_end(self, family: str, end: int) -> IndexInfo | None:
        """An end of the links of a family; None where it belongs to no family."""
        target = self.names.families[family].end_families[end]
        return self.of_members(target) if target else None

    def meets(self, info: IndexInfo, family: str, end: int) -> bool:
        """Whether links of a family may have such an index at an end."""
        return self.compatible(info, self.of_end(family, end) or IndexInfo())

    def links_meant(self, info: IndexInfo, end: int) -> list[str]:
        """The classes of links that may be meant; those whose end is of no family count only if no
        other does.
        """
        fits = [name for name in self.link_classes() if self.meets(info, name, end)]
        return [name for name in fits if self._end_related(info, name, end)] or fits

    def _end_related(self, info: IndexInfo, family: str, end: int) -> bool:
        target = self.names.families[family].end_families[end]
        if info.family is None or target is None:
            return False
        return self.related(info.family, target)

    # Expressions

    def of_symbol(self, name: str) -> IndexInfo | None:
        """The values of a symbol; None where they are members of nothing."""
        member_of = self.names.symbols[name].member_of
        return self.of_members(member_of) if member_of else None

    def of_expression(self, index: sym.Expression) -> IndexInfo:
        """What family an index expression belongs to; computed numbers are integers."""
        match index:
            case sym.IndexValue():
                return IndexInfo(index.family, index.root, index.row)
            case sym.Lookup(symbol=symbol):
                return self.of_symbol(symbol) or IndexInfo()
            case sym.LinkEnd(family=family, end=end):
                return self.of_end(family, end) or IndexInfo()
            case sym.Member(family=family, function=function):
                at = function in ("at", "row")
                return IndexInfo(family, family, row=True) if at else self.of_members(family)
            case sym.Constant() if index in self.named:
                return IndexInfo(self.named[index], self.named[index])
            case _:
                return IndexInfo()

    def of_domain(self, domain: sym.Domain, indices: Sequence[str]) -> dict[str, IndexInfo]:
        """What the indices over a resolved set range over; a range or a list has one."""
        match domain:
            case sym.FamilyDomain(family=family) | sym.LinksAt(family=family):
                return self.of_indices(family, indices)
            case sym.LayersDomain(family=family):
                return {indices[0]: self.of_members(family)}
            case sym.ListDomain(names_of=str(family)):
                return {indices[0]: IndexInfo(family, family)}
            case sym.RangeDomain(cuts_of=layers):
                return {indices[0]: IndexInfo(cuts_of=layers)}
            case _:
                return {indices[0]: IndexInfo()}

    # Text

    def of_text(
        self, index: syntax.IndexList | None, outer: Mapping[str, IndexInfo] = NO_INDICES
    ) -> dict[str, IndexInfo]:
        """What the indices of a list range over, told from its text; a set that cannot be told
        counts as integers, and its faults are reported when it is resolved.

        `outer`: the indices of the owner.
        """
        infos: dict[str, IndexInfo] = {}
        for generator in index.generators if index else ():
            family = self._family_of_text(generator.domain, {**outer, **infos})
            if family is not None:
                infos.update(self.of_indices(family, generator.names))
            else:
                layers = self.of_layers_text(generator.domain, infos)
                infos.update(dict.fromkeys(generator.names, layers or IndexInfo()))
        return infos

    def _family_of_text(
        self, domain: syntax.Expression, infos: Mapping[str, IndexInfo]
    ) -> str | None:
        """The family whose members a set is made of, where that can be seen from its names."""
        families = self.names.families
        match domain:
            case syntax.Name(name=name) if name in families:
                return name
            case syntax.Call(function=function, base=syntax.Name(name=name)) if function in ENDS:
                return name if name in families else None
            case syntax.Call(function=function, arguments=(syntax.Name(name=name),)) if (
                function in ENDS
            ):
                node = self.of_members(name) if name in families else infos.get(name, IndexInfo())
                fits = self.links_meant(node, ENDS[function])
                return fits[0] if len(fits) == 1 else None
            case _:
                return None

    def of_layers_text(
        self, expression: syntax.Expression, infos: Mapping[str, IndexInfo]
    ) -> IndexInfo | None:
        """An index over a set of cuts or layers, told from its text; None if it is no such set."""
        match expression:
            case syntax.Call(function="cuts", arguments=(syntax.Name(name=name),), base=None) if (
                name in self.names.families
            ):
                return IndexInfo(cuts_of=name)
            case (
                syntax.Name(name=name) | syntax.Call(arguments=(syntax.Name(name=name),), base=None)
            ) if name in infos:
                if isinstance(expression, syntax.Name) or expression.function == "crossing":
                    family = infos[name].cuts_of
                else:
                    grouped = expression.function in LAYER_GROUPS
                    family = self.layers_of(infos[name]) if grouped else None
                return self.of_members(family) if family else None
            case _:
                return None
