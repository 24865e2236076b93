"""Expressions of the syntax tree to symbolic expressions.

Every kind of expression is resolved in a module of its own; this one tells the kinds apart.
"""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from mecdsl.checking.faults import Faults
from mecdsl.checking.index_ranges import IndexRanges, Ranged
from mecdsl.checking.member_names import MemberNames
from mecdsl.checking.resolve_call import Calls
from mecdsl.checking.resolve_conditions import Conditions
from mecdsl.checking.resolve_draw import Draws
from mecdsl.checking.resolve_quantity import Quantities
from mecdsl.checking.resolve_reference import References
from mecdsl.checking.resolve_space import Spaces
from mecdsl.checking.resolve_topology import Topology
from mecdsl.checking.scope import IndexInfo, Names, Scope, Unresolved
from mecdsl.checking.spelled import written_out
from mecdsl.functions.table import SPELLED
from mecdsl.model import symbolic as sym
from mecdsl.parsing import syntax


class ExpressionResolver:
    """Resolves expressions against the declared names; faults go to the collector."""

    def __init__(self, names: Names) -> None:
        self.names, self.ranges = names, IndexRanges(names)
        self.faults = Faults(names.collector)
        self.topology = Topology(names, self.ranges, self.faults.fail)
        self.members = MemberNames(names, self.ranges, self.faults)
        self._quantities, self._conditions = Quantities(self), Conditions(self)
        self._references, self._spaces = References(self), Spaces(self)
        self._draws = Draws(self)
        self._calls = Calls(self, self._draws)

    @contextmanager
    def value_of(self, *, address: str | None, member_of: str | None) -> Iterator[None]:
        """Resolve the value of a symbol inside: `address` of its random draws, None where it may
        hold none; the family that its values are members of.
        """
        self.members.value_of = self.ranges.of_members(member_of) if member_of else None
        try:
            with self._draws.addressed(address):
                yield
        finally:
            self.members.value_of = None

    def resolve(self, expression: syntax.Expression, scope: Scope) -> sym.Expression:
        """The symbolic expression. Raises `Unresolved` after reporting every fault in it."""
        match expression:
            case syntax.Quantity():
                return self._quantities.quantity(expression, scope)
            case syntax.Name() | syntax.Attribute() | syntax.Subscript():
                return self._references.value(expression, scope)
            case syntax.Unary(operator=operator):
                operand = self.resolve(expression.operand, scope)
                name = "neg" if operator == "-" else operator
                return sym.Operation(name, (operand,), expression.span)
            case syntax.Binary():
                return self._binary(expression, scope)
            case syntax.IfElse():
                parts = (expression.condition, expression.then, expression.otherwise)
                condition, then, otherwise = self.resolve_all(parts, scope)
                return sym.Choice(condition, then, otherwise, expression.span)
            case syntax.Call():
                return self._calls.call(expression, scope)
            case syntax.Coordinate():
                return self._draws.coordinate(expression, scope)
            case syntax.Aggregate():
                return self._aggregate(expression, scope)
            case syntax.Range() | syntax.Listing() | syntax.Tuple():
                raise self._set_for_value(expression)
            case syntax.Text():
                return self.members.of_text(expression).expression
            case _:
                raise TypeError(f"unknown expression {type(expression).__name__}")

    def resolve_all(
        self, expressions: tuple[syntax.Expression, ...], scope: Scope
    ) -> tuple[sym.Expression, ...]:
        """Resolve all, so that every fault is reported, then fail if one had a fault."""
        resolved: list[sym.Expression] = []
        for expression in expressions:
            with suppress(Unresolved):
                resolved.append(self.resolve(expression, scope))
        if len(resolved) < len(expressions):
            raise Unresolved
        return tuple(resolved)

    def ranged(
        self, expression: syntax.Expression, scope: Scope, place: IndexInfo | None = None
    ) -> Ranged:
        """An expression with the family its values belong to; here the name of a single node is its
        member.

        `place`: what the place is for, which tells the members of two families apart that have the
        same name.
        """
        match expression:
            case syntax.Text():
                return self.members.of_text(expression, place)
            case syntax.Name() if self.members.is_member(expression, scope):
                return self.members.of_name(expression.name, expression.span, place)
            case syntax.Name() | syntax.Attribute() | syntax.Subscript():
                return self._references.ranged(expression, scope)
            case _:
                value = self.resolve(expression, scope)
                return Ranged(value, self.ranges.of_expression(value))

    def domain(
        self, expression: syntax.Expression, scope: Scope, of: IndexInfo | None = None
    ) -> sym.Domain:
        """The set an index runs over; `of`: what the values are that are looked for in it."""
        return self._spaces.domain(expression, scope, of)

    def space(
        self,
        generators: tuple[syntax.Generator, ...],
        condition: syntax.Expression | None,
        scope: Scope,
    ) -> tuple[sym.Space, Scope]:
        """Resolve generators from left to right; the scope inside them."""
        return self._spaces.space(generators, condition, scope)

    def _binary(self, expression: syntax.Binary, scope: Scope) -> sym.Expression:
        if expression.operator == "in":
            return self._conditions.membership(expression, scope)
        if expression.operator in ("==", "!="):
            return self._conditions.equation(expression, scope)
        operands = self.resolve_all((expression.left, expression.right), scope)
        return sym.Operation(expression.operator, operands, expression.span)

    def _aggregate(self, aggregate: syntax.Aggregate, scope: Scope) -> sym.Expression:
        space, inner = self.space(aggregate.generators, aggregate.condition, scope)
        body = self.resolve(aggregate.body, inner)
        if aggregate.function in SPELLED:
            return written_out(SPELLED[aggregate.function], (body,), space, aggregate.span)
        return sym.Aggregate(aggregate.function, body, space, aggregate.span)

    def _set_for_value(
        self, expression: syntax.Range | syntax.Listing | syntax.Tuple
    ) -> Unresolved:
        what, fix = "a set", None
        if isinstance(expression, syntax.Tuple):
            what, fix = "a tuple", "declare `set name = {(1, 2), (2, 3)}` and write its name here"
        message = f"{what} cannot stand where a value is expected"
        return self.faults.fail("E106", message, expression.span, help=fix)
