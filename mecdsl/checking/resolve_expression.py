"""Expressions of the syntax tree to symbolic expressions: names, indices and sets.

A reference is read from left to right: a family, a symbol that still waits for indices, or a value.
"""

import math
from contextlib import suppress
from dataclasses import dataclass
from itertools import permutations
from typing import Final

from mecdsl.checking.resolve_layers import layers_domain
from mecdsl.checking.resolve_topology import ENDS, ORDER, Known, Topology
from mecdsl.checking.scope import INTEGERS, IndexInfo, Names, Scope, Unresolved, known_names
from mecdsl.checking.spelled import written_out
from mecdsl.data_files.labels import name_of
from mecdsl.diagnostics import Collector, Label, Span, count, nearest
from mecdsl.draws import DRAWS, REGIONS
from mecdsl.functions.table import MISTAKEN, NAMES, SPELLED, TABLE
from mecdsl.model import symbolic as sym
from mecdsl.parsing import syntax
from mecdsl.units import DIMENSIONLESS, UnitError, parse_unit

AGGREGATES: Final = ("sum", "prod", "count", "all", "any")
"""Words that go with `for` and with nothing else."""


@dataclass(slots=True)
class _Family:
    name: str
    indices: list[sym.Expression] | None
    span: Span


@dataclass(slots=True)
class _Symbol:
    name: str
    indices: list[sym.Expression]
    span: Span
    by_row: bool = False


class ExpressionResolver:
    """Resolves expressions against the declared names; faults go to the collector."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.collector: Collector = names.collector
        self.topology = Topology(names, self._fail)
        self.said: set[tuple[str, str, str, int]] = set()
        self.members: dict[
            sym.Expression, str
        ] = {}  # constants that are members of a family with names
        self.value_of: IndexInfo | None = (
            None  # what the values of the parameter that is resolved are members of
        )
        self.random_for: str | None = None  # the parameter whose value may hold random draws
        self.calls = 0

    def _fail(self, code: str, message: str, span: Span, **extra: object) -> Unresolved:
        self.collector.error(code, message, span, **extra)  # type: ignore[arg-type]
        return Unresolved()

    def _fail_once(
        self, code: str, message: str, span: Span, name: str, **extra: object
    ) -> Unresolved:
        """Fail, but report the same fault of a name only once per line."""
        place = (code, name, span.source.name, span.line)
        if place in self.said:
            return Unresolved()
        self.said.add(place)
        return self._fail(code, message, span, **extra)

    # Expressions

    def resolve(self, expression: syntax.Expression, scope: Scope) -> sym.Expression:
        """The symbolic expression. Raises `Unresolved` after reporting every fault in it."""
        match expression:
            case syntax.Quantity():
                return self._quantity(expression, scope)
            case syntax.Name() | syntax.Attribute() | syntax.Subscript():
                return self._finish(self._reference(expression, scope), expression.span)
            case syntax.Unary(operator=operator):
                operand = self.resolve(expression.operand, scope)
                return sym.Operation(
                    "neg" if operator == "-" else operator, (operand,), expression.span
                )
            case syntax.Binary():
                return self._binary(expression, scope)
            case syntax.IfElse():
                parts = self._all(
                    (expression.condition, expression.then, expression.otherwise), scope
                )
                return sym.Choice(parts[0], parts[1], parts[2], expression.span)
            case syntax.Call():
                return self._call(expression, scope)
            case syntax.Coordinate():
                return self._coordinate(expression, scope)
            case syntax.Aggregate():
                return self._aggregate(expression, scope)
            case syntax.Range() | syntax.Listing() | syntax.Tuple():
                raise self._set_for_value(expression)
            case syntax.Text():
                return self._text(expression, None).expression
            case _:
                raise TypeError(f"unknown expression {type(expression).__name__}")

    def _binary(self, expression: syntax.Binary, scope: Scope) -> sym.Expression:
        if expression.operator == "in":
            return self._membership(expression, scope)
        if expression.operator in ("==", "!="):
            return self._equation(expression, scope)
        operands = self._all((expression.left, expression.right), scope)
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
        return self._fail("E106", message, expression.span, help=fix)

    def _all(
        self, parts: tuple[syntax.Expression, ...], scope: Scope
    ) -> tuple[sym.Expression, ...]:
        """Resolve all parts, so that every fault is reported, then fail if one had a fault."""
        resolved: list[sym.Expression] = []
        for part in parts:
            try:
                resolved.append(self.resolve(part, scope))
            except Unresolved:
                continue
        if len(resolved) < len(parts):
            raise Unresolved
        return tuple(resolved)

    def _quantity(self, quantity: syntax.Quantity, scope: Scope) -> sym.Constant:
        if quantity.value == "inf":
            return sym.Constant(math.inf, None, quantity.span)
        value = float(quantity.value)
        if quantity.unit is None:
            return sym.Constant(value, None if value == 0 else DIMENSIONLESS, quantity.span)
        try:
            unit = parse_unit(quantity.unit, self.names.units)
        except UnitError as error:
            raise self._unknown_unit(quantity, error, scope) from None
        return sym.Constant(unit.to_si(value), unit.dimension, quantity.span, unit)

    def _unknown_unit(
        self, quantity: syntax.Quantity, error: UnitError, scope: Scope
    ) -> Unresolved:
        """`3 n` with a name n most likely lacks a `*`; `10 Mbit / s` and `2 s*x` mix units and
        names.
        """
        text = quantity.unit or ""
        first = text.replace("/", "*").split("*")[0]
        help_text = error.help
        known = {
            *scope.indices,
            *(part for name in self.names.symbols for part in (name, name.split(".")[-1])),
        }
        if first in known:
            help_text = f"a product is written `{quantity.value}*{text}`"
        elif error.start > 0 and text[error.start : error.end] in known:
            unit, operator, name = (
                text[: error.start - 1],
                text[error.start - 1],
                text[error.start :],
            )
            help_text = (
                f"put blanks round the operator after the unit: `{quantity.value} "
                f"{unit} {operator} {name}`"
            )
        return self._fail(
            "E114", error.message, part_of_unit(quantity.span, text, error), help=help_text
        )

    def _membership(self, expression: syntax.Binary, scope: Scope) -> sym.Expression:
        """`x in I`, `(m, n) in pair`, and `l in out(n)`, which is `l.from == n`."""
        listed = isinstance(expression.right, syntax.Listing) and not isinstance(
            expression.left, syntax.Tuple
        )
        of = self.known(expression.left, scope).info if listed else None
        domain, span = self.domain(expression.right, scope, of), expression.span
        family = domain.family if isinstance(domain, sym.FamilyDomain | sym.LinksAt) else None
        row = isinstance(expression.left, syntax.Tuple)
        if isinstance(expression.left, syntax.Tuple):
            indices = tuple(self.known(item, scope) for item in expression.left.items)
            if family is None:
                fix = "declare `set name = {(1, 2), (2, 3)}` and write its name here"
                raise self._fail(
                    "E106", "this set holds no tuples", expression.right.span, help=fix
                )
            value = self.topology.member_at(family, indices, expression.left.span, "row")
            info = self.names.member_info(family)
        else:
            given = self.known(expression.left, scope)
            value, info = given.expression, given.info or IndexInfo()
        layers = domain.family if isinstance(domain, sym.LayersDomain) else None
        if layers is not None and not self.names.compatible(info, self.names.member_info(layers)):
            message = f"`{expression.left.span.text}` is not a layer of `{layers}`"
            raise self._fail("E105", message, expression.left.span)
        if not isinstance(domain, sym.LinksAt):
            return sym.Membership(value, domain, span)
        if not self.names.compatible(info, self.names.member_info(domain.family)):
            message = f"`{expression.left.span.text}` is not a link of `{domain.family}`"
            raise self._fail("E105", message, expression.left.span)
        ends = (sym.LinkEnd(domain.family, domain.end, value, value.span), domain.node)
        meets = sym.Operation("==", ends, span)
        if not row:
            return meets
        exists = sym.Membership(value, sym.FamilyDomain(domain.family), span)
        return sym.Operation("and", (exists, meets), span)

    def _equation(self, expression: syntax.Binary, scope: Scope) -> sym.Operation:
        """`a == b` and `a != b`, where members of two families that have nothing in common are
        never the same.
        """
        parts = (expression.left, expression.right)
        order = sorted(
            (0, 1), key=lambda side: self._is_member(parts[side], scope)
        )  # names of members last
        found: dict[int, Known] = {}
        for side in order:
            other = found.get(1 - side)
            with suppress(Unresolved):
                found[side] = self.known(parts[side], scope, other.info if other else None)
        if len(found) < 2:
            raise Unresolved
        sides = (found[0], found[1])
        left, right = (side.info or IndexInfo() for side in sides)
        if left.family and right.family and not self.names.compatible(left, right):
            raise self._fail(
                "E105",
                f"`{expression.left.span.text}` belongs to `{left.family}`, "
                f"`{expression.right.span.text}` to `{right.family}`: they are never the same",
                expression.span,
            )
        operands = (sides[0].expression, sides[1].expression)
        return sym.Operation(expression.operator, operands, expression.span)

    def known(
        self, expression: syntax.Expression, scope: Scope, wanted: IndexInfo | None = None
    ) -> Known:
        """An expression with the family its values belong to; here the name of a single node is its
        member.

        `wanted`: what the place is for, which tells the members of two families apart that have the
        same name.
        """
        if isinstance(expression, syntax.Text):
            return self._text(expression, wanted)
        if isinstance(expression, syntax.Name) and self._is_member(expression, scope):
            return self._member_named(expression.name, expression.span, wanted)
        if not isinstance(
            expression, syntax.Name | syntax.Attribute | syntax.Subscript | syntax.Call
        ):
            value = self.resolve(expression, scope)
            return Known(value, self.index_info(value))
        reference = self._reference(expression, scope)
        if isinstance(reference, _Family) and self.names.families[reference.name].arity == 0:
            one = sym.Constant(1.0, DIMENSIONLESS, expression.span)
            return Known(one, self.names.member_info(reference.name))
        value = self._finish(reference, expression.span)
        return Known(value, self._info(reference))

    def _call(self, call: syntax.Call, scope: Scope) -> sym.Expression:
        name = NAMES.get(call.function, call.function)
        if call.base is not None or name in ENDS:
            raise self._no_value(call)
        if name in ORDER:
            return self._in_order(call, scope)
        if name == "distance":
            self._require_arguments(call, 2)
            ends = [self.known(argument, scope) for argument in call.arguments]
            return self.topology.distance(call, ends[0], ends[1])
        if name in DRAWS:
            return self._draw(call, scope)
        if name in SPELLED and not SPELLED[name].family:
            self._require_arguments(call, len(SPELLED[name].parameters))
            arguments = self._all(call.arguments, scope)
            return written_out(SPELLED[name], arguments, None, call.span)
        if name in TABLE:
            arity = TABLE[name].arity
            if arity is not None:
                self._require_arguments(call, arity)
            elif not call.arguments:
                raise self._fail("E110", f"`{name}` takes at least 1 argument, found 0", call.span)
            return sym.Function(name, self._all(call.arguments, scope), call.span)
        raise self._unknown_function(call)

    def _unknown_function(self, call: syntax.Call) -> Unresolved:
        name = call.function
        known = [*TABLE, *SPELLED, *DRAWS, *ORDER, "distance", *AGGREGATES]
        if name in AGGREGATES or name in SPELLED:
            message = f"`{name}` does not say over what"
            return self._fail("E110", message, call.span, help=f"write `{name}(x[i] for i in I)`")
        if name in self.names.symbols:
            fix = f"an index stands in brackets: `{name}[...]`; a product needs `*`"
        elif name in REGIONS or name == "position":
            fix = "a region stands in a block of nodes: `position in disc(500 m)`"
        else:
            near = MISTAKEN.get(name) or nearest(name, known)
            fix = f"did you mean `{near}`?" if near else f"known are {', '.join(known)}"
        return self._fail("E110", f"unknown function `{name}`", call.name_span, help=fix)

    def _require_arguments(self, call: syntax.Call, expected: int) -> None:
        if len(call.arguments) != expected:
            found = (
                f"`{call.function}` takes {count(expected, 'argument')}, found "
                f"{len(call.arguments)}"
            )
            raise self._fail("E110", found, call.span)

    def _no_value(self, call: syntax.Call) -> Unresolved:
        """`out(n)` and `family.name(...)` where a value is expected."""
        if call.function in ENDS:
            fix = f"sum over it: `sum(l.attribute for l in {call.span.text})`"
            return self._fail(
                "E106", "a set of links cannot stand where a value is expected", call.span, help=fix
            )
        base = call.base.span.text if call.base is not None else ""
        indices = ", ".join(argument.span.text for argument in call.arguments)
        fix = f"an index stands in square brackets: write `{base}.{call.function}[{indices}]`"
        return self._fail("E110", f"`{base}.{call.function}` is no function", call.span, help=fix)

    def _in_order(self, call: syntax.Call, scope: Scope) -> sym.Member:
        """`first(S)`, `last(S)`, `prev(k)`, `next(k)`."""
        self._require_arguments(call, 1)
        (argument,) = call.arguments
        if call.function in ("prev", "next"):
            return self.topology.neighbour(call, self.known(argument, scope))
        if isinstance(argument, syntax.Name) and argument.name in self.names.families:
            return self.topology.end_of_order(call, argument.name)
        near = nearest(argument.span.text, self.names.families)
        fix = (
            f"did you mean `{near}`?"
            if near
            else "write the name of a range, an ordered set, nodes or layers"
        )
        raise self._fail(
            "E106", f"`{argument.span.text}` is not an ordered family", argument.span, help=fix
        )

    def _draw(self, call: syntax.Call, scope: Scope) -> sym.Draw:
        """A random number; only the data of a parameter may be random, so that a file can hold
        them.
        """
        name, count = call.function, DRAWS[call.function]
        if count is not None and len(call.arguments) != count:
            wanted = {1: "one argument", 2: "two arguments"}[count]
            raise self._fail(
                "E110", f"`{name}` takes {wanted}, found {len(call.arguments)}", call.span
            )
        if not call.arguments:
            raise self._fail("E110", f"`{name}` has nothing to choose from", call.span)
        if self.random_for is None:
            raise self._fail(
                "E115",
                f"`{name}` may stand only in the value of a parameter",
                call.span,
                help="declare `param draw[...] : unit = " + call.span.text + "` and use it here",
            )
        self.calls += 1
        arguments = self._all(call.arguments, scope)
        return sym.Draw(
            function=name,
            arguments=arguments,
            symbol=self.random_for,
            call=self.calls,
            span=call.span,
        )

    def _coordinate(self, point: syntax.Coordinate, scope: Scope) -> sym.Expression:
        """A coordinate of a point of a region: a draw whose address is that of the other
        coordinate.
        """
        region, axis = point.region, point.axis
        self._require_region(region)
        self.calls += 1
        call = self.calls
        arguments = self._all(region.arguments, scope)
        drawn = sym.Draw(
            function=region.function,
            arguments=arguments,
            symbol=self.random_for or "",
            call=call,
            span=point.span,
            axis=axis,
        )
        if point.around is None:
            return drawn
        centre = self._centre(point.around, axis, scope)
        offset: sym.Expression = drawn
        if region.function == "rectangle":  # drawn from a corner, and its centre is asked for
            two = sym.Constant(2.0, DIMENSIONLESS, point.span)
            half = sym.Operation("/", (arguments[axis], two), point.span)
            offset = sym.Operation("-", (drawn, half), point.span)
        return sym.Operation("+", (centre, offset), point.span)

    def _require_region(self, region: syntax.Call) -> None:
        """Fail unless a region is known and has as many lengths as it takes."""
        name = region.function
        if name not in REGIONS:
            near = nearest(name, REGIONS)
            known = ", ".join(map(_region_text, REGIONS))
            fix = f"did you mean `{near}`?" if near else f"known are {known}"
            raise self._fail("E110", f"unknown region `{name}`", region.span, help=fix)
        wanted, found = len(REGIONS[name]), len(region.arguments)
        if found != wanted:
            message = f"`{name}` takes {count(wanted, 'length')}, found {found}"
            fix = f"write `{_region_text(name)}`"
            raise self._fail("E110", message, region.span, help=fix)

    def _centre(self, around: syntax.Expression, axis: int, scope: Scope) -> sym.Expression:
        """A coordinate of what a region lies around."""
        if isinstance(around, syntax.Tuple) and len(around.items) != 2:
            message = f"a centre has 2 coordinates, found {len(around.items)}"
            fix = "write `around (250 m, 400 m)`"
            raise self._fail("E110", message, around.span, help=fix)
        # draws in both coordinates of a centre are two draws
        self.random_for = f"{self.random_for or ''} around {'xy'[axis]}"
        if isinstance(around, syntax.Tuple):
            return self.resolve(around.items[axis], scope)
        return self.topology.place(self.known(around, scope), around, axis)

    # References

    def _reference(self, expression: syntax.Expression, scope: Scope) -> _Family | _Symbol | Known:
        match expression:
            case syntax.Name():
                return self._name(expression, scope)
            case syntax.Attribute():
                base = self._reference(expression.base, scope)
                return self._attribute(base, expression)
            case syntax.Subscript():
                base = self._reference(expression.base, scope)
                indices = self._indices(base, expression.indices, scope)
                if isinstance(base, Known):
                    raise self._fail(
                        "E104", f"`{expression.base.span.text}` has no index", expression.span
                    )
                if isinstance(base, _Family) and base.indices is None:
                    return _Family(base.name, indices, expression.span)
                if isinstance(base, _Family):
                    raise self._fail("E104", f"`{base.name}` is indexed twice", expression.span)
                return _Symbol(base.name, base.indices + indices, expression.span, base.by_row)
            case _:
                value = self.resolve(expression, scope)
                return Known(value, self.index_info(value))

    def _name(self, name: syntax.Name, scope: Scope) -> _Family | _Symbol | Known:
        if name.name in scope.indices:
            info = scope.indices[name.name]
            return Known(_index_value(name.name, info, name.span), info)
        qualified = f"{scope.owner}.{name.name}"
        if scope.owner and qualified in self.names.symbols:
            indices = self.names.families[scope.owner].indices
            own: list[sym.Expression] = [
                _index_value(i, info, name.span) for i, info in indices.items()
            ]
            return _Symbol(qualified, own, name.span)
        if name.name in self.names.symbols:
            return _Symbol(name.name, [], name.span)
        if name.name in self.names.families:
            return _Family(name.name, None, name.span)
        if name_of(name.name) in self.names.labels:
            return self._member_named(name.name, name.span, None)
        raise self._unknown(name, scope)

    # Members with names

    def _is_member(self, expression: syntax.Expression, scope: Scope) -> bool:
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

    def _member_named(self, name: str, span: Span, wanted: IndexInfo | None) -> Known:
        """The member of a name; in two families it is the one that the place is for."""
        found = self.names.labels[name_of(name)]
        wanted = wanted or self.value_of
        if len(found) > 1 and wanted is not None:
            found = tuple(entry for entry in found if entry[0] == wanted.root) or found
        if len(found) > 1:
            families = " and of ".join(f"`{family}`" for family, _ in found)
            fix = "compare it with an index over one of them, or use it as an index"
            raise self._fail("E117", f"`{name}` is a member of {families}", span, help=fix)
        family, position = found[0]
        constant = sym.Constant(position, DIMENSIONLESS, span)
        self.members[constant] = family
        return Known(constant, IndexInfo(family, family))

    def _text(self, text: syntax.Text, wanted: IndexInfo | None) -> Known:
        """A name in quotes, which is always that of a member."""
        if name_of(text.value) in self.names.labels:
            return self._member_named(text.value, text.span, wanted)
        near = nearest(text.value, self.names.labels)
        if near:
            message, fix = f"`{text.value}` is no member of any set", f'did you mean `"{near}"`?'
            raise self._fail("E102", message, text.span, help=fix)
        if wanted is not None and wanted.family in self.names.families and self.names.labels:
            members = (
                self.names.families[wanted.root].labels
                if wanted.root in self.names.families
                else None
            )
            message = f"`{text.value}` is no member of `{wanted.family}`"
            some = ", ".join(members[:6]) + (", ..." if len(members) > 6 else "") if members else ""
            fix = f"the members are {some}" if members else "its members are numbers"
            raise self._fail("E102", message, text.span, help=fix)
        fix = 'data of a file: `name : unit from "file.csv"`, without `=`'
        raise self._fail(
            "E106", "a text cannot stand where a value is expected", text.span, help=fix
        )

    def _indices(
        self,
        base: "_Family | _Symbol | Known",
        given: tuple[syntax.Expression, ...],
        scope: Scope,
    ) -> list[sym.Expression]:
        """What stands in brackets, each resolved for the index in its place; every fault is
        reported.
        """
        wanted: list[IndexInfo] = []
        if isinstance(base, _Family):
            wanted = list(self.names.families[base.name].indices.values())
        elif isinstance(base, _Symbol):
            head = self.names.symbols[base.name]
            skipped = len(base.indices)
            if base.by_row and head.owner:
                skipped += self.names.families[head.owner].arity - 1
            wanted = [info for _, info in head.indices[skipped:]]
        resolved: list[sym.Expression] = []
        for position, part in enumerate(given):
            info = wanted[position] if position < len(wanted) else None
            with suppress(Unresolved):
                if self._is_member(part, scope):
                    resolved.append(self.known(part, scope, info).expression)
                else:
                    resolved.append(self.resolve(part, scope))
        if len(resolved) < len(given):
            raise Unresolved
        return resolved

    def _unknown(self, name: syntax.Name, scope: Scope) -> Unresolved:
        labels: tuple[Label, ...] = ()
        near = nearest(name.name, known_names(self.names, scope))
        owners = [s.rsplit(".", 1)[0] for s in self.names.symbols if s.endswith("." + name.name)]
        if name.name in self.names.constraint_names:
            fix: str | None = "a constraint is not a value; name the expression with `let`"
        elif owners:
            index = next((i for i, info in scope.indices.items() if info.family == owners[0]), None)
            fix = (
                f"`{name.name}` belongs to `{owners[0]}`: write `{index or owners[0]}.{name.name}`"
            )
        elif near is None:
            fix = None
        else:
            fix = f"did you mean `{near}`?"
            declared = self.names.symbols.get(near)
            labels = (Label(declared.declared.name_span, "declared here"),) if declared else ()
        if not name.name.isascii():
            fix = (
                "names are made of the letters a to z, A to Z, digits and `_`; only "
                "members of sets may have others"
            )
        if fix is None:
            fix = f"declare it, or let an index run over a set: `[{name.name} in I]`"
        return self._fail_once(
            "E102", f"unknown name `{name.name}`", name.span, name.name, help=fix, labels=labels
        )

    def _attribute(
        self, base: _Family | _Symbol | Known, attribute: syntax.Attribute
    ) -> _Symbol | Known:
        if isinstance(base, _Family) and not (
            base.indices and self._is_end(base.name, attribute.name)
        ):
            symbol = self._member(base.name, attribute)
            return _Symbol(symbol, list(base.indices or []), attribute.span)
        value = self._finish(base, attribute.base.span)
        info = self._info(base)
        if info is None or info.family is None:
            base_text = attribute.base.span.text
            raise self._fail_once(
                "E103",
                f"`{base_text}` is not a member of a family and has no `{attribute.name}`",
                attribute.span,
                base_text,
                help=self._attribute_fix(attribute.name),
            )
        head = self.names.families[info.family]
        if self._is_end(info.family, attribute.name):
            end = 0 if attribute.name == "from" else 1
            target = head.end_families[end]
            end_info = self.names.member_info(target) if target else None
            return Known(sym.LinkEnd(info.family, end, value, attribute.span), end_info)
        if head.arity == 0:  # an end of a link that is a single node
            return _Symbol(self._member(info.family, attribute), [], attribute.span)
        return _Symbol(
            self._member(info.family, attribute), [value], attribute.span, by_row=info.row
        )

    def _is_end(self, family: str, attribute: str) -> bool:
        return (
            attribute in ("from", "to")
            and self.names.families[family].declared.kind is syntax.FamilyKind.LINKS
        )

    def _attribute_fix(self, name: str) -> str | None:
        owners = [s.rsplit(".", 1)[0] for s in self.names.symbols if s.endswith("." + name)]
        return (
            f"let the index run over `{owners[0]}`, or write `{owners[0]}.{name}[...]`"
            if owners
            else None
        )

    def _member(self, family: str, attribute: syntax.Attribute) -> str:
        """The qualified name of an attribute of a family, or of the family its index runs over."""
        for name in [family, *sorted(self.names.ancestors(family) - {family})]:
            if f"{name}.{attribute.name}" in self.names.symbols:
                return f"{name}.{attribute.name}"
        known = [s.split(".", 1)[1] for s in self.names.symbols if s.startswith(family + ".")]
        near = nearest(attribute.name, known)
        owners = [
            s.rsplit(".", 1)[0] for s in self.names.symbols if s.endswith("." + attribute.name)
        ]
        fix = (
            f"did you mean `{near}`?"
            if near
            else f"`{family}` has {', '.join(known) or 'no attributes'}"
        )
        if owners:
            fix = (
                f"`{attribute.name}` belongs to `{owners[0]}`: write "
                f"`{owners[0]}.{attribute.name}[...]`"
            )
        raise self._fail(
            "E103", f"`{family}` has no `{attribute.name}`", attribute.name_span, help=fix
        )

    def _info(self, base: _Family | _Symbol | Known) -> IndexInfo | None:
        if isinstance(base, Known):
            return base.info
        if isinstance(base, _Symbol):
            member_of = self.names.symbols[base.name].member_of
            return self.names.member_info(member_of) if member_of else None
        return self.names.member_info(base.name)

    def _finish(self, reference: _Family | _Symbol | Known, span: Span) -> sym.Expression:
        match reference:
            case Known(expression=expression):
                return expression
            case _Symbol():
                return self._lookup(reference)
            case _Family(name=name, indices=indices):
                if indices is not None and self.names.families[name].arity > 0:
                    given = tuple(Known(index, self.index_info(index)) for index in indices)
                    return self.topology.member_at(name, given, reference.span)
                raise self._fail(
                    "E106",
                    f"`{name}` is a family and not a value",
                    span,
                    help=f"write `{name}.attribute[...]`, or let an index run over it: `k in "
                    f"{name}`",
                )
            case _:
                raise TypeError(f"unknown reference {type(reference).__name__}")

    def _lookup(self, reference: _Symbol) -> sym.Lookup:
        head = self.names.symbols[reference.name]
        wanted = list(head.indices)
        if reference.by_row and head.owner:
            skipped = self.names.families[head.owner].arity
            wanted = [("member", self.names.member_info(head.owner)), *wanted[skipped:]]
        if len(wanted) != len(reference.indices):
            takes = count(len(wanted), "index") if wanted else "no index"
            pattern = ", ".join(name for name, _ in wanted)
            help_text = (
                f"write `{reference.name}[{pattern}]`" if wanted else f"write `{reference.name}`"
            )
            index = reference.indices[0] if len(reference.indices) == 1 else None
            if isinstance(index, sym.IndexValue) and index.row and index.family == head.owner:
                help_text = f"write `{index.name}.{reference.name.split('.')[-1]}`"
            raise self._fail(
                "E104",
                f"`{reference.name}` takes {takes}, found {len(reference.indices)}",
                reference.span,
                labels=(Label(head.declared.name_span, "declared here"),),
                help=help_text,
            )
        for (name, info), index in zip(wanted, reference.indices, strict=True):
            if not self.names.compatible(self.index_info(index), info):
                fix = self._order_fix(reference, [info for _, info in wanted])
                raise self._wrong_family(
                    reference.name, name, info, index, head.declared.name_span, fix
                )
        indices = tuple(reference.indices)
        return sym.Lookup(reference.name, indices, reference.span, reference.by_row)

    def index_info(self, index: sym.Expression) -> IndexInfo:
        """What family an index expression belongs to; computed numbers are integers."""
        match index:
            case sym.IndexValue():
                return IndexInfo(index.family, index.root, index.row)
            case sym.Lookup(symbol=symbol):
                member_of = self.names.symbols[symbol].member_of
                return self.names.member_info(member_of) if member_of else IndexInfo()
            case sym.LinkEnd(family=family, end=end):
                target = self.names.families[family].end_families[end]
                return self.names.member_info(target) if target else IndexInfo()
            case sym.Member(family=family, function=function):
                at = function in ("at", "row")
                return IndexInfo(family, family, row=True) if at else self.names.member_info(family)
            case sym.Constant() if index in self.members:
                return IndexInfo(self.members[index], self.members[index])
            case _:
                return IndexInfo()

    def _order_fix(self, reference: _Symbol, wanted: list[IndexInfo]) -> str | None:
        """The indices in the one other order in which they all fit, if they were only mixed up."""
        fits = [
            order
            for order in permutations(reference.indices)
            if all(
                self.names.compatible(self.index_info(i), info)
                for i, info in zip(order, wanted, strict=True)
            )
        ]
        if len(fits) != 1:
            return None
        return f"write `{reference.name}[{', '.join(index.span.text for index in fits[0])}]`"

    def _wrong_family(
        self,
        symbol: str,
        name: str,
        wanted: IndexInfo,
        index: sym.Expression,
        declared: Span,
        fix: str | None,
    ) -> Unresolved:
        given = self.index_info(index)
        needs = f"members of `{wanted.family}`" if wanted.family else f"`{wanted.root}`"
        runs = f"runs over `{given.family}`" if given.family else f"is one of the {INTEGERS}"
        return self._fail(
            "E105",
            f"`{index.span.text}` {runs}, `{symbol}` is indexed by {needs}",
            index.span,
            labels=(Label(declared, f"declared over `{name}`"),),
            help=fix,
        )

    # Sets and generators

    def domain(
        self, expression: syntax.Expression, scope: Scope, of: IndexInfo | None = None
    ) -> sym.Domain:
        """The set an index runs over; `of`: what the values are that are looked for in it."""
        layers = layers_domain(expression, scope, self.names, self.resolve)
        if layers is not None:
            return layers
        match expression:
            case syntax.Range():
                low, high = self._all((expression.low, expression.high), scope)
                return sym.RangeDomain(low, high)
            case syntax.Listing():
                return self._list(expression, scope, of)
            case syntax.Call(function=function, arguments=(argument,)) if function in ENDS:
                family = self._link_class(expression) if expression.base is not None else None
                return self.topology.links_at(expression, self.known(argument, scope), family)
            case syntax.Name(name=name):
                if name in self.names.families:
                    return sym.FamilyDomain(name)
                near = nearest(name, self.names.families)
                fix = f"did you mean `{near}`?" if near else None
                if name in self.names.symbols:
                    fix = f"a number is not a set: write `1..{name}`"
                    raise self._fail("E106", f"`{name}` is not a set", expression.span, help=fix)
                raise self._fail("E102", f"unknown set `{name}`", expression.span, help=fix)
            case _:
                raise self._fail(
                    "E106",
                    f"`{expression.span.text}` is not a set",
                    expression.span,
                    help="write a range `1..n`, `{1, 2}`, or the name of a set or family",
                )

    def _list(self, listing: syntax.Listing, scope: Scope, of: IndexInfo | None) -> sym.ListDomain:
        """Integers, or members with names, all of one family."""
        items: list[sym.Expression] = []
        for item in listing.items:
            with suppress(Unresolved):
                member = self._is_member(item, scope)
                items.append(
                    self.known(item, scope, of).expression if member else self.resolve(item, scope)
                )
        if len(items) < len(listing.items):
            raise Unresolved
        families = {self.members.get(item) for item in items}
        return sym.ListDomain(tuple(items), next(iter(families)) if len(families) == 1 else None)

    def _link_class(self, call: syntax.Call) -> str:
        """The links family before the dot of `uplink.out(n)`."""
        base = call.base
        links = [
            n for n, h in self.names.families.items() if h.declared.kind is syntax.FamilyKind.LINKS
        ]
        if isinstance(base, syntax.Name) and base.name in links:
            return base.name
        assert base is not None
        near = nearest(base.span.text, links)
        fix = (
            f"did you mean `{near}`?"
            if near
            else f"the links are {', '.join(links)}"
            if links
            else None
        )
        raise self._fail("E106", f"`{base.span.text}` is not a links family", base.span, help=fix)

    def space(
        self,
        generators: tuple[syntax.Generator, ...],
        condition: syntax.Expression | None,
        scope: Scope,
    ) -> tuple[sym.Space, Scope]:
        """Resolve generators from left to right; the scope inside them."""
        resolved: list[sym.Generator] = []
        for generator in generators:
            domain = self.domain(generator.domain, scope)
            infos = self.generator_infos(generator, domain)
            for name in generator.names:
                if name in scope.indices:
                    raise self._fail(
                        "E101",
                        f"index `{name}` is already in use here",
                        generator.span,
                        help="give the inner index another name",
                    )
            scope = scope.with_indices(infos)
            resolved.append(sym.Generator(generator.names, domain, generator.span))
        inner = None if condition is None else self.resolve(condition, scope)
        return sym.Space(tuple(resolved), inner), scope

    def generator_infos(
        self, generator: syntax.Generator, domain: sym.Domain
    ) -> dict[str, IndexInfo]:
        """What the indices of a generator run over."""
        names = generator.names
        if not isinstance(domain, sym.FamilyDomain | sym.LinksAt):
            if len(names) > 1:
                raise self._fail("E104", "a range has one index", generator.span)
            if isinstance(domain, sym.LayersDomain):
                return {names[0]: self.names.member_info(domain.family)}
            if isinstance(domain, sym.ListDomain) and domain.names_of is not None:
                return {names[0]: IndexInfo(domain.names_of, domain.names_of)}
            return {
                names[0]: IndexInfo(
                    cuts_of=domain.cuts_of if isinstance(domain, sym.RangeDomain) else None
                )
            }
        head = self.names.families[domain.family]
        if len(names) > 1 and head.declared.index is None and head.declared.source_file is not None:
            raise Unresolved  # the set names no indices, which is reported where it is declared
        if len(names) not in (1, head.arity):
            members = f"members of `{domain.family}` have {count(head.arity, 'index')}"
            raise self._fail("E104", f"{members}, found {len(names)}", generator.span)
        return self.names.index_infos(domain.family, names)


def part_of_unit(span: Span, unit: str, error: UnitError) -> Span:
    """The part of a unit that is at fault; the unit stands at the end of the span."""
    start = span.end_column - len(unit) + error.start
    return Span(span.source, span.line, start, span.line, start + max(1, error.end - error.start))


def _region_text(name: str) -> str:
    """`ring(inner, outer)`."""
    return f"{name}({', '.join(REGIONS[name])})"


def _index_value(name: str, info: IndexInfo, span: Span) -> sym.IndexValue:
    return sym.IndexValue(name, span, info.family, info.root, info.row)
