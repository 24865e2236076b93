"""Sets, and the generators that let indices run over them."""

from contextlib import suppress

from mecdsl.checking.index_ranges import ENDS
from mecdsl.checking.parts import Part
from mecdsl.checking.resolve_layers import layers_domain
from mecdsl.checking.scope import IndexInfo, Scope, Unresolved
from mecdsl.diagnostics import count, nearest
from mecdsl.model import symbolic as sym
from mecdsl.parsing import syntax


class Spaces(Part):
    """Resolves what stands after `in`, alone and in generators."""

    def domain(
        self, expression: syntax.Expression, scope: Scope, of: IndexInfo | None = None
    ) -> sym.Domain:
        """The set an index runs over; `of`: what the values are that are looked for in it."""
        layers = layers_domain(expression, scope, self.ranges, self.whole.resolve)
        if layers is not None:
            return layers
        match expression:
            case syntax.Range():
                ends = (expression.low, expression.high)
                low, high = self.whole.resolve_all(ends, scope)
                return sym.RangeDomain(low, high)
            case syntax.Listing():
                return self._list(expression, scope, of)
            case syntax.Call(function=function, arguments=(argument,)) if function in ENDS:
                family = self._link_class(expression) if expression.base is not None else None
                node = self.whole.ranged(argument, scope)
                return self.topology.links_at(expression, node, family)
            case syntax.Name():
                return self._named(expression)
            case _:
                raise self.fail(
                    "E106",
                    f"`{expression.span.text}` is not a set",
                    expression.span,
                    help="write a range `1..n`, `{1, 2}`, or the name of a set or family",
                )

    def _named(self, expression: syntax.Name) -> sym.FamilyDomain:
        name = expression.name
        if name in self.names.families:
            return sym.FamilyDomain(name)
        if name in self.names.symbols:
            fix = f"a number is not a set: write `1..{name}`"
            raise self.fail("E106", f"`{name}` is not a set", expression.span, help=fix)
        near = nearest(name, self.names.families)
        proposal = f"did you mean `{near}`?" if near else None
        raise self.fail("E102", f"unknown set `{name}`", expression.span, help=proposal)

    def _list(self, listing: syntax.Listing, scope: Scope, of: IndexInfo | None) -> sym.ListDomain:
        """Integers, or members with names, all of one family."""
        items: list[sym.Expression] = []
        for item in listing.items:
            with suppress(Unresolved):
                if self.members.is_member(item, scope):
                    items.append(self.whole.ranged(item, scope, of).expression)
                else:
                    items.append(self.whole.resolve(item, scope))
        if len(items) < len(listing.items):
            raise Unresolved
        families = {self.ranges.named.get(item) for item in items}
        return sym.ListDomain(tuple(items), next(iter(families)) if len(families) == 1 else None)

    def _link_class(self, call: syntax.Call) -> str:
        """The links family before the dot of `uplink.out(n)`."""
        base = call.base
        links = self.ranges.link_classes()
        if isinstance(base, syntax.Name) and base.name in links:
            return base.name
        assert base is not None
        near = nearest(base.span.text, links)
        fix = f"the links are {', '.join(links)}" if links else None
        if near:
            fix = f"did you mean `{near}`?"
        raise self.fail("E106", f"`{base.span.text}` is not a links family", base.span, help=fix)

    def space(
        self,
        generators: tuple[syntax.Generator, ...],
        condition: syntax.Expression | None,
        scope: Scope,
    ) -> tuple[sym.Space, Scope]:
        """Resolve generators from left to right; the scope inside them."""
        resolved: list[sym.Generator] = []
        for generator in generators:
            domain = self.whole.domain(generator.domain, scope)
            self._require_indices(generator, domain)
            for name in generator.names:
                if name in scope.indices:
                    raise self.fail(
                        "E101",
                        f"index `{name}` is already in use here",
                        generator.span,
                        help="give the inner index another name",
                    )
            scope = scope.with_indices(self.ranges.of_domain(domain, generator.names))
            resolved.append(sym.Generator(generator.names, domain, generator.span))
        kept = None if condition is None else self.whole.resolve(condition, scope)
        return sym.Space(tuple(resolved), kept), scope

    def _require_indices(self, generator: syntax.Generator, domain: sym.Domain) -> None:
        """Fail unless a generator names one index, or as many as the members of a family have."""
        names = generator.names
        if not isinstance(domain, sym.FamilyDomain | sym.LinksAt):
            if len(names) > 1:
                raise self.fail("E104", "a range has one index", generator.span)
            return
        head = self.names.families[domain.family]
        if len(names) > 1 and head.declared.index is None and head.declared.source_file is not None:
            raise Unresolved  # the set names no indices, which is reported where it is declared
        if len(names) not in (1, head.arity):
            members = f"members of `{domain.family}` have {count(head.arity, 'index')}"
            raise self.fail("E104", f"{members}, found {len(names)}", generator.span)
