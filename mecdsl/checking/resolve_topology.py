"""What the words of networks mean: `in(n)`, `out(n)`, `first`, `last`, `prev`, `next`, `distance`,
members by indices.

Everything takes expressions that are resolved already, together with what is known of their values.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mecdsl.checking.index_ranges import ENDS, IndexRanges, Ranged
from mecdsl.checking.scope import IndexInfo, Names, Unresolved
from mecdsl.diagnostics import Label, Span, count
from mecdsl.model import symbolic as sym
from mecdsl.parsing import syntax
from mecdsl.parsing.syntax import FamilyKind
from mecdsl.units import DIMENSIONLESS

ORDER = {"first": ("S",), "last": ("S",), "prev": ("k",), "next": ("k",)}
DISTANCE = ("a", "b")
COORDINATES = ("x", "y", "z")
VERBS = ("leave", "enter")
Fail = Callable[..., Unresolved]


@dataclass(frozen=True, slots=True)
class Topology:
    """Resolves the words of networks against the declared names; `fail` reports a fault."""

    names: Names
    ranges: IndexRanges
    fail: Fail

    # Links at a node

    def links_at(self, call: syntax.Call, node: Ranged, family: str | None) -> sym.LinksAt:
        """`out(n)` or `in(n)`; `family` is the one named before the dot."""
        end, info = ENDS[call.function], node.info or IndexInfo()
        if family is None:
            family = self._only(call, info, end)
        elif not self.ranges.meets(info, family, end):
            raise self._unrelated(call, info, end, [family])
        return sym.LinksAt(family, end, node.expression)

    def _only(self, call: syntax.Call, info: IndexInfo, end: int) -> str:
        fits = self.ranges.links_meant(info, end)
        if len(fits) == 1:
            return fits[0]
        if not fits:
            raise self._unrelated(call, info, end, self.ranges.link_classes())
        text = call.span.text
        labels = tuple(
            Label(self.names.families[name].declared.name_span, "these links") for name in fits
        )
        message = f"`{text}` may mean links of {_listed(fits)}"
        raise self.fail("E117", message, call.span, labels=labels, help=f"write `{fits[0]}.{text}`")

    def _unrelated(
        self, call: syntax.Call, info: IndexInfo, end: int, classes: list[str]
    ) -> Unresolved:
        node = call.arguments[0].span.text
        of = f"members of `{info.family}`" if info.family else f"`{node}`"
        runs = f"`{node}` belongs to `{info.family}`" if info.family else f"`{node}` is a number"
        if len(classes) == 1:
            target = self.names.families[classes[0]].end_families[end]
            message = f"{runs}, links of `{classes[0]}` {VERBS[end]} members of `{target}`"
        else:
            message = f"no links {VERBS[end]} {of}"
        fix: str | None = "declare `links name[k in K]: from_node -> to_node`"
        if classes:
            named = call.base is not None
            fits = [
                name
                for name in (classes if named else self.ranges.link_classes())
                if self.ranges.meets(info, name, 1 - end)
            ]
            other = "in" if end == 0 else "out"
            base = f"{fits[0]}." if len(fits) > 1 or (fits and named) else ""
            fix = f"write `{base}{other}({node})`" if fits else None
        labels = tuple(
            Label(self.names.families[n].declared.name_span, "these links") for n in classes
        )
        return self.fail(
            "E105",
            message,
            call.arguments[0].span if not fix else call.span,
            labels=labels,
            help=fix,
        )

    # Order

    def end_of_order(self, call: syntax.Call, family: str) -> sym.Member:
        """`first(S)` and `last(S)`."""
        self._require_order(call, family)
        return sym.Member(family, call.function, (), call.span)

    def neighbour(self, call: syntax.Call, member: Ranged) -> sym.Member:
        """`prev(k)` and `next(k)` of an index over an ordered family."""
        info, text = member.info, call.arguments[0].span.text
        if info is None or info.family is None:
            step = "- 1" if call.function == "prev" else "+ 1"
            fix = (
                f"write `{text} {step}`"
                if info is not None
                else "write it for an index: `k in steps`"
            )
            raise self.fail(
                "E106", f"`{text}` is not a member of an ordered family", call.span, help=fix
            )
        self._require_order(call, info.family)
        return sym.Member(info.family, call.function, (member.expression,), call.span)

    def _require_order(self, call: syntax.Call, family: str) -> None:
        """Fail unless the members are numbers, or names of a set that is declared ordered."""
        head = self.names.families[family]
        labels = (Label(head.declared.name_span, "declared here"),)
        if head.arity != 1 or self.ranges.of_members(family).row:
            what = "is a single node" if head.arity == 0 else "has members with several indices"
            raise self.fail("E106", f"`{family}` {what} and no order", call.span, labels=labels)
        lineage = [self.names.families[name] for name in self.ranges.ancestors(family)]
        unordered = next(
            (other for other in lineage if other.labels and not other.declared.ordered), None
        )
        if unordered is not None and not any(other.declared.ordered for other in lineage):
            name = unordered.declared.name
            labels = (Label(unordered.declared.name_span, "declared here"),)
            fix = f"declare it with `ordered set {name} = ...`"
            if unordered.declared.kind is not FamilyKind.SET:
                read = unordered.declared.read
                of = read.index if read is not None else name
                fix = (
                    f'order the names, `ordered set {of}s from "..."`, and write `nodes '
                    f"{name}[{of} in {of}s] from ...`"
                )
            raise self.fail(
                "E106", f"the names of `{name}` have no order", call.span, labels=labels, help=fix
            )

    # Positions

    def distance(self, call: syntax.Call, first: Ranged, second: Ranged) -> sym.Expression:
        """The Euclidean distance of two members: `sqrt((a.x - b.x)^2 + (a.y - b.y)^2)`, with `z` if
        both have one.
        """
        span = call.span
        ends = [
            self._owner(member, part)
            for member, part in zip((first, second), call.arguments, strict=True)
        ]
        axes = [c for c in COORDINATES if c != "z" or any(self._coordinate(end, c) for end in ends)]
        squares: list[sym.Expression] = []
        for name in axes:
            sides = [
                self._read(member, end, name, part)
                for member, end, part in zip((first, second), ends, call.arguments, strict=True)
            ]
            two = sym.Constant(2.0, DIMENSIONLESS, span)
            squares.append(
                sym.Operation("^", (sym.Operation("-", (sides[0], sides[1]), span), two), span)
            )
        total = squares[0]
        for square in squares[1:]:
            total = sym.Operation("+", (total, square), span)
        return sym.Function("sqrt", (total,), span)

    def place(self, member: Ranged, part: syntax.Expression, axis: int) -> sym.Expression:
        """A coordinate of a member, 0 for `x` and 1 for `y`; a member without a place is reported
        once.
        """
        family = self._owner(member, part)
        if axis and self._coordinate(family, COORDINATES[0]) is None:
            raise Unresolved
        return self._read(member, family, COORDINATES[axis], part)

    def _owner(self, member: Ranged, part: syntax.Expression) -> str:
        if member.info is None or member.info.family is None:
            text = part.span.text
            fix = "let an index run over a family of nodes with `x : m` and `y : m`"
            raise self.fail(
                "E103",
                f"`{text}` is not a member of a family and has no position",
                part.span,
                help=fix,
            )
        return member.info.family

    def _coordinate(self, family: str, name: str) -> str | None:
        """The qualified name of a coordinate, of the family or of one its single index runs
        over.
        """
        if self.names.families[family].arity > 1:
            return f"{family}.{name}" if f"{family}.{name}" in self.names.symbols else None
        lineage = [family, *sorted(self.ranges.ancestors(family) - {family})]
        return next(
            (f"{owner}.{name}" for owner in lineage if f"{owner}.{name}" in self.names.symbols),
            None,
        )

    def _read(
        self, member: Ranged, family: str, name: str, part: syntax.Expression
    ) -> sym.Expression:
        symbol = self._coordinate(family, name)
        if symbol is None:
            labels = (Label(self.names.families[family].declared.name_span, "declared here"),)
            fix = f"give it `{name} : m` in its block"
            raise self.fail(
                "E103",
                f"`{family}` has no `{name}` to measure from",
                part.span,
                labels=labels,
                help=fix,
            )
        row = member.info is not None and member.info.row
        arity = self.names.families[family].arity
        return sym.Lookup(symbol, (member.expression,) if arity else (), part.span, by_row=row)

    # Members by their indices

    def member_at(
        self, family: str, indices: tuple[Ranged, ...], span: Span, function: str = "at"
    ) -> sym.Expression:
        """The member of a family with these indices, for several its row; `row` gives -1 where
        there is none.
        """
        self.check_indices(family, indices, span)
        if len(indices) == 1:
            return indices[0].expression
        return sym.Member(family, function, tuple(index.expression for index in indices), span)

    def check_indices(self, family: str, indices: tuple[Ranged, ...], span: Span) -> None:
        """Fail unless the indices are as many and of the families that members of the family
        need.
        """
        head = self.names.families[family]
        if len(indices) != head.arity:
            message = (
                f"members of `{family}` have {count(head.arity, 'index')}, found {len(indices)}"
            )
            raise self.fail(
                "E104", message, span, labels=(Label(head.declared.name_span, "declared here"),)
            )
        for index, (name, place) in zip(indices, head.indices.items(), strict=True):
            info = index.info or IndexInfo()
            if not self.ranges.compatible(info, place):
                text = index.expression.span.text
                runs = f"belongs to `{info.family}`" if info.family else "is a number"
                needs = f"members of `{place.family}`" if place.family else f"`{place.root}`"
                message = f"`{text}` {runs}, `{family}` is indexed by {needs}"
                labels = (Label(head.declared.name_span, f"declared over `{name}`"),)
                raise self.fail("E105", message, index.expression.span, labels=labels)


def _listed(names: list[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)
