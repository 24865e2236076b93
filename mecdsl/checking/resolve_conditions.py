"""Conditions on members: `x in I`, `(m, n) in pair`, `k == m`, `k != m`."""

from contextlib import suppress

from mecdsl.checking.index_ranges import Ranged
from mecdsl.checking.parts import Part
from mecdsl.checking.scope import IndexInfo, Scope, Unresolved
from mecdsl.model import symbolic as sym
from mecdsl.parsing import syntax

NEVER_THE_SAME = "`{}` belongs to `{}`, `{}` to `{}`: they are never the same"


class Conditions(Part):
    """Resolves what is asked of the members of families."""

    def membership(self, expression: syntax.Binary, scope: Scope) -> sym.Expression:
        """`x in I`, `(m, n) in pair`, and `l in out(n)`, which is `l.from == n`."""
        left, span = expression.left, expression.span
        row = isinstance(left, syntax.Tuple)
        listed = isinstance(expression.right, syntax.Listing) and not row
        of = self.whole.ranged(left, scope).info if listed else None
        domain = self.whole.domain(expression.right, scope, of)
        member = self._row(expression, domain, scope) if row else self.whole.ranged(left, scope)
        value, info = member.expression, member.info or IndexInfo()
        if isinstance(domain, sym.LayersDomain):
            self._require_member(left, info, domain.family, "a layer")
        if not isinstance(domain, sym.LinksAt):
            return sym.Membership(value, domain, span)
        self._require_member(left, info, domain.family, "a link")
        ends = (sym.LinkEnd(domain.family, domain.end, value, value.span), domain.node)
        meets = sym.Operation("==", ends, span)
        if not row:
            return meets
        exists = sym.Membership(value, sym.FamilyDomain(domain.family), span)
        return sym.Operation("and", (exists, meets), span)

    def _row(self, expression: syntax.Binary, domain: sym.Domain, scope: Scope) -> Ranged:
        """The row of a family that a tuple of indices means."""
        left = expression.left
        assert isinstance(left, syntax.Tuple)
        indices = tuple(self.whole.ranged(item, scope) for item in left.items)
        if not isinstance(domain, sym.FamilyDomain | sym.LinksAt):
            fix = "declare `set name = {(1, 2), (2, 3)}` and write its name here"
            message = "this set holds no tuples"
            raise self.fail("E106", message, expression.right.span, help=fix)
        value = self.topology.member_at(domain.family, indices, left.span, "row")
        return Ranged(value, self.ranges.of_members(domain.family))

    def _require_member(
        self, value: syntax.Expression, info: IndexInfo, family: str, what: str
    ) -> None:
        if not self.ranges.compatible(info, self.ranges.of_members(family)):
            message = f"`{value.span.text}` is not {what} of `{family}`"
            raise self.fail("E105", message, value.span)

    def equation(self, expression: syntax.Binary, scope: Scope) -> sym.Operation:
        """`a == b` and `a != b`, where members of two families that have nothing in common are
        never the same.
        """
        sides = (expression.left, expression.right)
        names_last = sorted((0, 1), key=lambda side: self.members.is_member(sides[side], scope))
        resolved: dict[int, Ranged] = {}
        for side in names_last:
            other = resolved.get(1 - side)
            with suppress(Unresolved):
                place = other.info if other else None
                resolved[side] = self.whole.ranged(sides[side], scope, place)
        if len(resolved) < len(sides):
            raise Unresolved
        left, right = (resolved[side].info or IndexInfo() for side in (0, 1))
        if left.family and right.family and not self.ranges.compatible(left, right):
            texts = (expression.left.span.text, left.family)
            message = NEVER_THE_SAME.format(*texts, expression.right.span.text, right.family)
            raise self.fail("E105", message, expression.span)
        operands = (resolved[0].expression, resolved[1].expression)
        return sym.Operation(expression.operator, operands, expression.span)
