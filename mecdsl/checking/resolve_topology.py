"""What the words of networks mean: `in(n)`, `out(n)`, `first`, `last`, `prev`, `next`, `distance`,
members by indices.

Everything takes expressions that are resolved already, together with what is known of their values.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mecdsl.checking.scope import IndexInfo, Names, Unresolved
from mecdsl.diagnostics import Label, Span, count
from mecdsl.model import symbolic as sym
from mecdsl.parsing import syntax
from mecdsl.parsing.syntax import FamilyKind
from mecdsl.units import DIMENSIONLESS

ENDS = {"out": 0, "in": 1}
ORDER = ("first", "last", "prev", "next")
COORDINATES = ("x", "y", "z")
VERBS = ("leave", "enter")
Fail = Callable[..., Unresolved]


@dataclass(frozen=True, slots=True)
class Known:
    """A resolved expression and what its values are; `info` None for anything but an index."""

    expression: sym.Expression
    info: IndexInfo | None


@dataclass(frozen=True, slots=True)
class Topology:
    """Resolves the words of networks against the declared names; `fail` reports a fault."""

    names: Names
    fail: Fail

    # Links at a node

    def links_at(self, call: syntax.Call, node: Known, family: str | None) -> sym.LinksAt:
        """`out(n)` or `in(n)`; `family` is the one named before the dot."""
        end, info = ENDS[call.function], node.info or IndexInfo()
        if family is None:
            family = self._only(call, info, end)
        elif not self._meets(info, family, end):
            raise self._unrelated(call, info, end, [family])
        return sym.LinksAt(family, end, node.expression)

    def _link_classes(self) -> list[str]:
        return [
            n for n, head in self.names.families.items() if head.declared.kind is FamilyKind.LINKS
        ]

    def _meets(self, info: IndexInfo, family: str, end: int) -> bool:
        target = self.names.families[family].end_families[end]
        return self.names.compatible(
            info, self.names.member_info(target) if target else IndexInfo()
        )

    def meant(self, info: IndexInfo, end: int) -> list[str]:
        """The classes of links that may be meant; those whose end is of no family count only if no
        other does.
        """
        fits = [name for name in self._link_classes() if self._meets(info, name, end)]
        return [name for name in fits if self._related(info, name, end)] or fits

    def _only(self, call: syntax.Call, info: IndexInfo, end: int) -> str:
        fits = self.meant(info, end)
        if len(fits) == 1:
            return fits[0]
        if not fits:
            raise self._unrelated(call, info, end, self._link_classes())
        text = call.span.text
        labels = tuple(
            Label(self.names.families[name].declared.name_span, "these links") for name in fits
        )
        message = f"`{text}` may mean links of {_listed(fits)}"
        raise self.fail("E117", message, call.span, labels=labels, help=f"write `{fits[0]}.{text}`")

    def _related(self, info: IndexInfo, family: str, end: int) -> bool:
        target = self.names.families[family].end_families[end]
        if info.family is None or target is None:
            return False
        return target in self.names.ancestors(info.family) or info.family in self.names.ancestors(
            target
        )

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
                for name in (classes if named else self._link_classes())
                if self._meets(info, name, 1 - end)
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

    def neighbour(self, call: syntax.Call, member: Known) -> sym.Member:
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
        if head.arity != 1 or self.names.member_info(family).row:
            what = "is a single node" if head.arity == 0 else "has members with several indices"
            raise self.fail("E106", f"`{family}` {what} and no order", call.span, labels=labels)
        lineage = [self.names.families[name] for name in self.names.ancestors(family)]
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

    def distance(self, call: syntax.Call, first: Known, second: Known) -> sym.Expression:
        """The Euclidean distance of two members: `sqrt((a.x - b.x)^2 + (a.y - b.y)^2)`, with `z` if
        both have one.
        """
        span = call.span
        ends = [
            self._owner(known, part)
            for known, part in zip((first, second), call.arguments, strict=True)
        ]
        wanted = [
            c for c in COORDINATES if c != "z" or any(self._coordinate(end, c) for end in ends)
        ]
        squares: list[sym.Expression] = []
        for name in wanted:
            sides = [
                self._read(known, end, name, part)
                for known, end, part in zip((first, second), ends, call.arguments, strict=True)
            ]
            two = sym.Constant(2.0, DIMENSIONLESS, span)
            squares.append(
                sym.Operation("^", (sym.Operation("-", (sides[0], sides[1]), span), two), span)
            )
        total = squares[0]
        for square in squares[1:]:
            total = sym.Operation("+", (total, square), span)
        return sym.Function("sqrt", (total,), span)

    def place(self, known: Known, part: syntax.Expression, axis: int) -> sym.Expression:
        """A coordinate of a member, 0 for `x` and 1 for `y`; a member without a place is reported
        once.
        """
        family = self._owner(known, part)
        if axis and self._coordinate(family, COORDINATES[0]) is None:
            raise Unresolved
        return self._read(known, family, COORDINATES[axis], part)

    def _owner(self, known: Known, part: syntax.Expression) -> str:
        if known.info is None or known.info.family is None:
            text = part.span.text
            fix = "let an index run over a family of nodes with `x : m` and `y : m`"
            raise self.fail(
                "E103",
                f"`{text}` is not a member of a family and has no position",
                part.span,
                help=fix,
            )
        return known.info.family

    def _coordinate(self, family: str, name: str) -> str | None:
        """The qualified name of a coordinate, of the family or of one its single index runs
        over.
        """
        if self.names.families[family].arity > 1:
            return f"{family}.{name}" if f"{family}.{name}" in self.names.symbols else None
        lineage = [family, *sorted(self.names.ancestors(family) - {family})]
        return next(
            (f"{owner}.{name}" for owner in lineage if f"{owner}.{name}" in self.names.symbols),
            None,
        )

    def _read(
        self, known: Known, family: str, name: str, part: syntax.Expression
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
        row = known.info is not None and known.info.row
        arity = self.names.families[family].arity
        return sym.Lookup(symbol, (known.expression,) if arity else (), part.span, by_row=row)

    # Members by their indices

    def member_at(
        self, family: str, indices: tuple[Known, ...], span: Span, function: str = "at"
    ) -> sym.Expression:
        """The member of a family with these indices, for several its row; `row` gives -1 where
        there is none.
        """
        self.check_indices(family, indices, span)
        if len(indices) == 1:
            return indices[0].expression
        return sym.Member(family, function, tuple(known.expression for known in indices), span)

    def check_indices(self, family: str, indices: tuple[Known, ...], span: Span) -> None:
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
        for known, (name, wanted) in zip(indices, head.indices.items(), strict=True):
            given = known.info or IndexInfo()
            if not self.names.compatible(given, wanted):
                runs = f"belongs to `{given.family}`" if given.family else "is a number"
                needs = f"members of `{wanted.family}`" if wanted.family else f"`{wanted.root}`"
                message = f"`{known.expression.span.text}` {runs}, `{family}` is indexed by {needs}"
                labels = (Label(head.declared.name_span, f"declared over `{name}`"),)
                raise self.fail("E105", message, known.expression.span, labels=labels)


def _listed(names: list[str]) -> str:
    quoted = [f"`{name}`" for name in names]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]] if len(quoted) > 1 else quoted)
