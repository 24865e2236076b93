"""Sets, nodes, links and layers with their spaces, members and ends."""

from contextlib import suppress
from dataclasses import dataclass, field

from mecdsl.checking.heads import Heads, listed_items
from mecdsl.checking.resolve_expression import ExpressionResolver
from mecdsl.checking.scope import FamilyHead, Scope, Unresolved
from mecdsl.model import symbolic as sym
from mecdsl.parsing import syntax
from mecdsl.parsing.syntax import FamilyKind
from mecdsl.units import DIMENSIONLESS


@dataclass(frozen=True, slots=True)
class _Members:
    """What a family runs over; the ends of a link see the indices in `scope`."""

    space: sym.Space = field(default_factory=sym.Space)
    scope: Scope = field(default_factory=Scope)
    listed: tuple[tuple[sym.Expression, ...], ...] | None = None


class FamilyResolver:
    """Resolves the families of one document."""

    def __init__(self, expressions: ExpressionResolver, heads: Heads) -> None:
        self.expressions, self.heads = expressions, heads
        self.names = expressions.names
        self.collector = self.names.collector

    def family(self, name: str) -> sym.Family:
        """The family of that name; what of it has a fault stays empty."""
        head = self.names.families[name]
        declared = head.declared
        members = _Members()
        ends: tuple[sym.Expression, sym.Expression] | None = None
        with suppress(Unresolved):
            members = self._members(head)
            if declared.ends is not None:
                scope = members.scope
                ends = (self._end(declared.ends[0], scope), self._end(declared.ends[1], scope))
        return sym.Family(
            name=name,
            kind=declared.kind,
            space=members.space,
            labels=head.labels,
            ends=ends,
            end_families=head.end_families,
            source_file=declared.source_file.value if declared.source_file else None,
            doc=declared.doc,
            span=declared.name_span,
            listed=members.listed,
            layer_file=declared.layer_file,
        )

    def _members(self, head: FamilyHead) -> _Members:
        """What a family runs over, by the way in which its members are given."""
        declared = head.declared
        if declared.index is not None:
            return self._indexed(head, declared.index)
        if self.heads.tuple_infos(declared):
            return self._tuples(head)
        if head.labels is not None:
            return self._generated(head, self._named(head))
        if declared.kind is FamilyKind.SET and declared.members is not None:
            domain = self.expressions.domain(declared.members, Scope())
            generator = sym.Generator((declared.name,), domain, declared.span)
            return self._generated(head, generator)
        if declared.kind is not FamilyKind.NODE:
            self._report_no_members(declared)
        return _Members()

    def _indexed(self, head: FamilyHead, index: syntax.IndexList) -> _Members:
        """`family[k in 1..n]`; of a set, its own condition and the members it lists besides."""
        declared = head.declared
        space, scope = self.expressions.space(index.generators, index.condition, Scope())
        members = _Members(space, scope)
        if declared.kind is FamilyKind.SET:
            with suppress(Unresolved):  # the space is known whatever follows
                restricted = self._restricted(declared, space, scope)
                members = _Members(restricted, scope, self._listed(head))
        return members

    def _tuples(self, head: FamilyHead) -> _Members:
        """A set of tuples without an index list."""
        listed = self._listed(head)
        space = sym.Space()
        with suppress(Unresolved):  # the members are known without their space
            space = self._tuple_space(head, listed or ())
        return _Members(space, listed=listed)

    def _generated(self, head: FamilyHead, generator: sym.Generator) -> _Members:
        """The members of one generator that meet the condition of the family."""
        scope, condition = Scope(head.indices), head.declared.condition
        kept = None if condition is None else self.expressions.resolve(condition, scope)
        return _Members(sym.Space((generator,), kept), scope)

    def _report_no_members(self, declared: syntax.Family) -> None:
        fix = f"write `{declared.kind.value} {declared.name}[k in 1..n]`"
        if declared.kind is FamilyKind.SET and declared.source_file is not None:
            fix = f"say what the columns are: `set {declared.name}[m in I, n in J] from ...`"
        message = f"`{declared.name}` has no members"
        self.collector.error("E109", message, declared.name_span, help=fix)

    def _named(self, head: FamilyHead) -> sym.Generator:
        """The generator of a family whose members have names."""
        declared = head.declared
        one = sym.Constant(1.0, DIMENSIONLESS, declared.span)
        last = sym.Constant(float(len(head.labels or ())), DIMENSIONLESS, declared.span)
        domain = sym.RangeDomain(one, last, names_of=declared.name)
        return sym.Generator(tuple(head.indices), domain, declared.span)

    def _restricted(self, declared: syntax.Family, space: sym.Space, scope: Scope) -> sym.Space:
        """The space of a set with the condition after its members."""
        if declared.condition is None:
            return space
        condition = self.expressions.resolve(declared.condition, scope)
        if space.condition is not None:
            condition = sym.Operation("and", (space.condition, condition), declared.condition.span)
        return sym.Space(space.generators, condition)

    def _listed(self, head: FamilyHead) -> tuple[tuple[sym.Expression, ...], ...] | None:
        """The members written in `{(1, 2), (2, 3)}`; None if the set is not given that way."""
        declared = head.declared
        if declared.members is None:
            return None
        if not isinstance(declared.members, syntax.Listing):
            pattern = ", ".join(head.indices)
            fix = f"list its members, `{{({pattern}), ...}}`, or give a condition: `where ...`"
            message = f"the members of `{declared.name}[{pattern}]` are tuples"
            self.collector.error("E106", message, declared.members.span, help=fix)
            raise Unresolved
        members: list[tuple[sym.Expression, ...]] = []
        faulty = False
        for item in listed_items(declared):
            parts = item.items if isinstance(item, syntax.Tuple) else (item,)
            try:
                places = [*head.indices.values(), *[None] * len(parts)]
                indices = tuple(
                    self.expressions.ranged(part, Scope(), info)
                    for part, info in zip(parts, places, strict=False)
                )
                self.expressions.topology.check_indices(declared.name, indices, item.span)
                members.append(tuple(part.expression for part in indices))
            except Unresolved:
                faulty = True
        if faulty:
            raise Unresolved
        return tuple(members)

    def _tuple_space(
        self, head: FamilyHead, listed: tuple[tuple[sym.Expression, ...], ...]
    ) -> sym.Space:
        """The space of a set of tuples without an index list: each index runs over what stands in
        its place.
        """
        declared = head.declared
        if declared.condition is not None:
            pattern = ", ".join(f"{name} in I" for name in head.indices)
            fix = f"name the indices: `set {declared.name}[{pattern}] = ...`"
            self.collector.error(
                "E109", "the condition has no index to speak of", declared.condition.span, help=fix
            )
            raise Unresolved
        generators: list[sym.Generator] = []
        for position, (name, info) in enumerate(head.indices.items()):
            written = sym.ListDomain(tuple(member[position] for member in listed))
            domain = sym.FamilyDomain(info.family) if info.family else written
            generators.append(sym.Generator((name,), domain, declared.name_span))
        return sym.Space(tuple(generators))

    def _end(self, end: syntax.Expression, scope: Scope) -> sym.Expression:
        if isinstance(end, syntax.Name) and end.name in self.names.families:
            if self.names.families[end.name].arity == 0:
                return sym.Constant(1.0, DIMENSIONLESS, end.span)
            index = next((i for i, info in scope.indices.items() if info.family == end.name), None)
            fix = (
                f"write `{index}`, which runs over it"
                if index
                else f"write one member, `{end.name}[k]`"
            )
            message = f"`{end.name}` is a family, the end of a link is one member"
            self.collector.error("E104", message, end.span, help=fix)
            raise Unresolved
        return self.expressions.resolve(end, scope)
