"""Names, `a.b` and `a[i]`, read from left to right: a family, a symbol that still waits for
indices, or a value.
"""

from contextlib import suppress
from dataclasses import dataclass

from mecdsl.checking.index_ranges import Ranged
from mecdsl.checking.parts import Part, Whole
from mecdsl.checking.resolve_lookup import Lookups, Symbol
from mecdsl.checking.scope import IndexInfo, Scope, Unresolved, known_names
from mecdsl.data_files.labels import name_of
from mecdsl.diagnostics import Label, Span, nearest
from mecdsl.model import symbolic as sym
from mecdsl.parsing import syntax
from mecdsl.parsing.syntax import FamilyKind
from mecdsl.units import DIMENSIONLESS


@dataclass(slots=True)
class Family:
    """A reference to a family, with the indices of a member or None for none yet."""

    name: str
    indices: list[sym.Expression] | None
    span: Span


Reference = Family | Symbol | Ranged


class References(Part):
    """Resolves names with what follows them."""

    def __init__(self, whole: Whole) -> None:
        super().__init__(whole)
        self.lookups = Lookups(self.names, self.ranges, self.fail)

    def value(self, expression: syntax.Expression, scope: Scope) -> sym.Expression:
        """The value a reference means."""
        return self._finish(self._reference(expression, scope), expression.span)

    def ranged(self, expression: syntax.Expression, scope: Scope) -> Ranged:
        """The value with the family it belongs to; the name of a single node is its member."""
        reference = self._reference(expression, scope)
        if isinstance(reference, Family) and self.names.families[reference.name].arity == 0:
            one = sym.Constant(1.0, DIMENSIONLESS, expression.span)
            return Ranged(one, self.ranges.of_members(reference.name))
        value = self._finish(reference, expression.span)
        return Ranged(value, self._info(reference))

    def _reference(self, expression: syntax.Expression, scope: Scope) -> Reference:
        match expression:
            case syntax.Name():
                return self._name(expression, scope)
            case syntax.Attribute():
                base = self._reference(expression.base, scope)
                return self._attribute(base, expression)
            case syntax.Subscript():
                return self._subscript(expression, scope)
            case _:
                value = self.whole.resolve(expression, scope)
                return Ranged(value, self.ranges.of_expression(value))

    def _info(self, reference: Reference) -> IndexInfo | None:
        """What the values of a reference are."""
        match reference:
            case Ranged(info=info):
                return info
            case Symbol(name=name):
                return self.ranges.of_symbol(name)
            case Family(name=name):
                return self.ranges.of_members(name)

    def _finish(self, reference: Reference, span: Span) -> sym.Expression:
        match reference:
            case Ranged(expression=expression):
                return expression
            case Symbol():
                return self.lookups.lookup(reference)
            case Family(name=name, indices=indices):
                if indices is not None and self.names.families[name].arity > 0:
                    given = tuple(Ranged(i, self.ranges.of_expression(i)) for i in indices)
                    return self.topology.member_at(name, given, reference.span)
                message = f"`{name}` is a family and not a value"
                fix = f"write `{name}.attribute[...]`, or let an index run over it: `k in {name}`"
                raise self.fail("E106", message, span, help=fix)

    # Names

    def _name(self, expression: syntax.Name, scope: Scope) -> Reference:
        name, span = expression.name, expression.span
        if name in scope.indices:
            info = scope.indices[name]
            return Ranged(_index_value(name, info, span), info)
        qualified = f"{scope.owner}.{name}"
        if scope.owner and qualified in self.names.symbols:
            indices = self.names.families[scope.owner].indices
            own: list[sym.Expression] = [_index_value(i, info, span) for i, info in indices.items()]
            return Symbol(qualified, own, span)
        if name in self.names.symbols:
            return Symbol(name, [], span)
        if name in self.names.families:
            return Family(name, None, span)
        if name_of(name) in self.names.labels:
            return self.members.of_name(name, span)
        raise self._unknown(expression, scope)

    def _unknown(self, name: syntax.Name, scope: Scope) -> Unresolved:
        labels: tuple[Label, ...] = ()
        near = nearest(name.name, known_names(self.names, scope))
        owners = self._owners(name.name)
        fix = f"declare it, or let an index run over a set: `[{name.name} in I]`"
        if name.name in self.names.constraint_names:
            fix = "a constraint is not a value; name the expression with `let`"
        elif owners:
            index = next((i for i, info in scope.indices.items() if info.family == owners[0]), None)
            written = f"`{index or owners[0]}.{name.name}`"
            fix = f"`{name.name}` belongs to `{owners[0]}`: write {written}"
        elif near is not None:
            fix = f"did you mean `{near}`?"
            head = self.names.symbols.get(near)
            labels = (Label(head.declared.name_span, "declared here"),) if head else ()
        if not name.name.isascii():
            fix = (
                "names are made of the letters a to z, A to Z, digits and `_`; only "
                "members of sets may have others"
            )
        return self.fail_once(
            "E102", f"unknown name `{name.name}`", name.span, name.name, help=fix, labels=labels
        )

    def _owners(self, attribute: str) -> list[str]:
        """The families that have an attribute of that name."""
        return [s.rsplit(".", 1)[0] for s in self.names.symbols if s.endswith("." + attribute)]

    # Indices

    def _subscript(self, expression: syntax.Subscript, scope: Scope) -> Reference:
        base = self._reference(expression.base, scope)
        indices = self._indices(base, expression.indices, scope)
        match base:
            case Ranged():
                message = f"`{expression.base.span.text}` has no index"
                raise self.fail("E104", message, expression.span)
            case Family(name=name, indices=None):
                return Family(name, indices, expression.span)
            case Family(name=name):
                raise self.fail("E104", f"`{name}` is indexed twice", expression.span)
            case Symbol():
                return Symbol(base.name, base.indices + indices, expression.span, base.by_row)

    def _indices(
        self, base: Reference, given: tuple[syntax.Expression, ...], scope: Scope
    ) -> list[sym.Expression]:
        """What stands in brackets, each resolved for the index in its place; every fault is
        reported.
        """
        places: list[IndexInfo] = []
        if isinstance(base, Family):
            places = list(self.names.families[base.name].indices.values())
        elif isinstance(base, Symbol):
            places = self.lookups.open_places(base)
        resolved: list[sym.Expression] = []
        for position, index in enumerate(given):
            place = places[position] if position < len(places) else None
            with suppress(Unresolved):
                if self.members.is_member(index, scope):
                    resolved.append(self.whole.ranged(index, scope, place).expression)
                else:
                    resolved.append(self.whole.resolve(index, scope))
        if len(resolved) < len(given):
            raise Unresolved
        return resolved

    # Attributes

    def _attribute(self, base: Reference, attribute: syntax.Attribute) -> Symbol | Ranged:
        if isinstance(base, Family) and not (
            base.indices and self._is_end(base.name, attribute.name)
        ):
            symbol = self._member(base.name, attribute)
            return Symbol(symbol, list(base.indices or []), attribute.span)
        value = self._finish(base, attribute.base.span)
        info = self._info(base)
        if info is None or info.family is None:
            raise self._no_family(attribute)
        if self._is_end(info.family, attribute.name):
            end = 0 if attribute.name == "from" else 1
            link_end = sym.LinkEnd(info.family, end, value, attribute.span)
            return Ranged(link_end, self.ranges.of_end(info.family, end))
        symbol = self._member(info.family, attribute)
        if self.names.families[info.family].arity == 0:  # an end of a link that is a single node
            return Symbol(symbol, [], attribute.span)
        return Symbol(symbol, [value], attribute.span, by_row=info.row)

    def _is_end(self, family: str, attribute: str) -> bool:
        links = self.names.families[family].declared.kind is FamilyKind.LINKS
        return links and attribute in ("from", "to")

    def _no_family(self, attribute: syntax.Attribute) -> Unresolved:
        name, base = attribute.name, attribute.base.span.text
        owners = self._owners(name)
        fix = None
        if owners:
            written = f"`{owners[0]}.{name}[...]`"
            fix = f"let the index run over `{owners[0]}`, or write {written}"
        message = f"`{base}` is not a member of a family and has no `{name}`"
        return self.fail_once("E103", message, attribute.span, base, help=fix)

    def _member(self, family: str, attribute: syntax.Attribute) -> str:
        """The qualified name of an attribute of a family, or of the family its index runs over."""
        for name in [family, *sorted(self.ranges.ancestors(family) - {family})]:
            if f"{name}.{attribute.name}" in self.names.symbols:
                return f"{name}.{attribute.name}"
        own = [s.split(".", 1)[1] for s in self.names.symbols if s.startswith(family + ".")]
        near = nearest(attribute.name, own)
        owners = self._owners(attribute.name)
        fix = f"`{family}` has {', '.join(own) or 'no attributes'}"
        if owners:
            written = f"`{owners[0]}.{attribute.name}[...]`"
            fix = f"`{attribute.name}` belongs to `{owners[0]}`: write {written}"
        elif near:
            fix = f"did you mean `{near}`?"
        message = f"`{family}` has no `{attribute.name}`"
        raise self.fail("E103", message, attribute.name_span, help=fix)


def _index_value(name: str, info: IndexInfo, span: Span) -> sym.IndexValue:
    return sym.IndexValue(name, span, info.family, info.root, info.row)
