"""Lark's tree to the syntax tree, with spans."""

from dataclasses import replace
from typing import Any

from lark import Token, Tree
from lark.tree import Meta

from mecdsl.diagnostics import Collector, Source, Span
from mecdsl.functions.table import SPELLED
from mecdsl.parsing import syntax
from mecdsl.unit_catalogue import LOGARITHMIC

AGGREGATES = ("sum", "prod", "min", "max", "count", "all", "any")
OVER_FAMILIES = tuple(name for name, row in SPELLED.items() if row.family)
PLAIN_COMPARATORS = {"≤": "<=", "≥": ">=", "≠": "!="}
Children = list[Any]


def token_span(source: Source, token: Token) -> Span:
    """The span of one token."""
    line, column = token.line or 1, token.column or 1
    return Span(source, line, column, token.end_line or line, token.end_column or column + 1)


class TreeBuilder:
    """One method per grammar rule; tokens keep their place until a node takes it over.

    Lark's own `Transformer` does the same with three calls and a new wrapper for each node.
    """

    def __init__(self, source: Source) -> None:
        self._origin = source  # `source` is the method of the rule of that name

    def build(self, tree: Tree[Token]) -> Any:
        """What the method of the tree's rule makes of its children. Raises `ModelError`."""
        children = [
            self.build(child) if isinstance(child, Tree) else child for child in tree.children
        ]
        return getattr(self, tree.data)(tree.meta, children)

    def _span(self, meta: Meta) -> Span:
        if getattr(meta, "empty", True):
            return Span(self._origin, 1, 1, 1, 1)
        return Span(self._origin, meta.line, meta.column, meta.end_line, meta.end_column)

    def _token(self, token: Token) -> Span:
        return token_span(self._origin, token)

    # Statements

    def start(self, meta: Meta, children: Children) -> syntax.Document:
        return syntax.Document(tuple(children), self._span(meta))

    def header(self, meta: Meta, children: Children) -> syntax.Header:
        return syntax.Header(str(children[0]), _doc(children[1:]), self._span(meta))

    def cite(self, meta: Meta, children: Children) -> syntax.Cite:
        return syntax.Cite(_doc(children), self._span(meta))

    def include(self, meta: Meta, children: Children) -> syntax.Include:
        token = children[0]
        return syntax.Include(syntax.Text(str(token)[1:-1], self._token(token)), self._span(meta))

    def unit_kind(self, meta: Meta, children: Children) -> str:
        return str(children[0])

    def unit(self, meta: Meta, children: Children) -> syntax.UnitDeclaration:
        kind, name, *rest = children
        value = next((c for c in rest if not isinstance(c, Token)), None)
        if kind == "dimension" and value is not None:
            collector = Collector()
            message = f"dimension `{name}` is given a size"
            fix = f"write `unit {name} = ...` for a unit of known size"
            collector.error("E001", message, self._span(meta), help=fix)
            collector.raise_errors()
        return syntax.UnitDeclaration(
            str(name), value, _doc(rest), self._span(meta), self._token(name)
        )

    def kind(self, meta: Meta, children: Children) -> syntax.Kind:
        return syntax.Kind(str(children[0]))

    def qualified(self, meta: Meta, children: Children) -> syntax.Name:
        return syntax.Name(".".join(str(child) for child in children), self._span(meta))

    def value(self, meta: Meta, children: Children) -> syntax.Expression:
        result: syntax.Expression = children[0]
        return result

    def value_from(self, meta: Meta, children: Children) -> Tree[Token]:
        return Tree("file", [children[0]])

    source = value_from

    def declaration(self, meta: Meta, children: Children) -> syntax.Declaration:
        return self._declaration(
            meta, children[0], children[1].name, children[1].span, children[2:]
        )

    def attribute(self, meta: Meta, children: Children) -> syntax.Declaration:
        name = children[0]
        return self._declaration(
            meta, syntax.Kind.PARAM, str(name), self._token(name), children[1:]
        )

    def _declaration(
        self, meta: Meta, kind: syntax.Kind, name: str, name_span: Span, rest: Children
    ) -> syntax.Declaration:
        value = [
            c for c in rest if not isinstance(c, Token | Tree | syntax.IndexList | syntax.Type)
        ]
        return syntax.Declaration(
            kind=kind,
            name=name,
            index=_only(rest, syntax.IndexList),
            type=_only(rest, syntax.Type),
            value=value[0] if value else None,
            source_file=self._file(rest),
            doc=_doc(rest),
            span=self._span(meta),
            name_span=name_span,
        )

    def _file(self, children: Children) -> syntax.Text | None:
        for child in children:
            if isinstance(child, Tree) and child.data in ("file", "source"):
                token = child.children[0]
                assert isinstance(token, Token)
                return syntax.Text(str(token)[1:-1], self._token(token))
        return None

    # Families

    def ordered(self, meta: Meta, children: Children) -> bool:
        return True

    def set_family(self, meta: Meta, children: Children) -> syntax.Family:
        ordered = children[0] is True
        name, *rest = children[1:] if ordered else children
        members = _only(rest, tuple)
        expressions = [
            c for c in rest if not isinstance(c, Token | Tree | syntax.IndexList | tuple)
        ]
        return syntax.Family(
            kind=syntax.FamilyKind.SET,
            name=str(name),
            index=_only(rest, syntax.IndexList),
            members=members[0] if members else None,
            condition=expressions[0] if expressions else None,
            ends=None,
            declarations=(),
            source_file=self._file(rest),
            doc=_doc(rest),
            span=self._span(meta),
            name_span=self._token(name),
            ordered=ordered,
        )

    def set_members(self, meta: Meta, children: Children) -> tuple[syntax.Expression, ...]:
        return tuple(children)

    def block(self, meta: Meta, children: Children) -> tuple[syntax.Declaration, ...]:
        members: list[syntax.Declaration] = []
        for child in children:
            members += child if isinstance(child, tuple) else (child,)
        return tuple(members)

    def position(self, meta: Meta, children: Children) -> tuple[syntax.Declaration, ...]:
        """`position in disc(500 m) around home`: the attributes `x` and `y`, which are one draw."""
        word, region, *rest = children
        if str(word) != "position":
            collector = Collector()
            message = f"`{word} in` is no member of a block"
            fix = (
                f"a place is written `position in {region}(...)`, anything else `{word} : "
                "unit = ...`"
            )
            collector.error("E001", message, self._token(word), help=fix)
            collector.raise_errors()
        span, name_span = self._span(meta), self._token(word)
        around: Any = next((c.children[0] for c in rest if isinstance(c, Tree)), None)
        arguments = tuple(c for c in rest if not isinstance(c, Tree | Token))
        call = syntax.Call(str(region), arguments, self._token(region), self._token(region))
        length = syntax.Type((syntax.TypeWord("m", name_span),), (), name_span)
        return tuple(
            syntax.Declaration(
                kind=syntax.Kind.PARAM,
                name=name,
                index=None,
                type=length,
                value=syntax.Coordinate(call, axis, around, span),
                source_file=None,
                doc=_doc(rest),
                span=span,
                name_span=name_span,
            )
            for axis, name in enumerate(("x", "y"))
        )

    def around(self, meta: Meta, children: Children) -> Tree[Any]:
        return Tree("around", children)

    def _family(self, kind: syntax.FamilyKind, meta: Meta, children: Children) -> syntax.Family:
        name, *rest = children
        ends = [
            c
            for c in rest
            if not isinstance(c, Token | Tree | syntax.IndexList | tuple) and c is not None
        ]
        return syntax.Family(
            kind=kind,
            name=str(name),
            index=_only(rest, syntax.IndexList),
            members=None,
            condition=None,
            ends=(ends[0], ends[1]) if len(ends) == 2 else None,
            declarations=next((c for c in rest if isinstance(c, tuple)), ()),
            source_file=self._file(rest),
            doc=_doc(rest),
            span=self._span(meta),
            name_span=self._token(name),
        )

    def node_family(self, meta: Meta, children: Children) -> syntax.Family:
        return self._family(syntax.FamilyKind.NODE, meta, children)

    def nodes_family(self, meta: Meta, children: Children) -> syntax.Family:
        return self._family(syntax.FamilyKind.NODES, meta, children)

    def layers_family(self, meta: Meta, children: Children) -> syntax.Family:
        return self._family(syntax.FamilyKind.LAYERS, meta, children)

    def links_family(self, meta: Meta, children: Children) -> syntax.Family:
        return self._family(syntax.FamilyKind.LINKS, meta, children)

    # Types and indices

    def type(self, meta: Meta, children: Children) -> syntax.Type:
        words = tuple(c for c in children if isinstance(c, syntax.TypeWord))
        bounds: list[syntax.Bound] = []
        for child in children:
            if isinstance(child, syntax.Bound):
                bounds.append(child)
            elif isinstance(child, list):
                bounds += child
        return syntax.Type(words, tuple(bounds), self._span(meta))

    def type_word(self, meta: Meta, children: Children) -> syntax.TypeWord:
        return syntax.TypeWord(str(children[0]), self._token(children[0]))

    def bound_at_least(self, meta: Meta, children: Children) -> syntax.Bound:
        return syntax.Bound(">=", children[-1], self._span(meta))

    def bound_at_most(self, meta: Meta, children: Children) -> syntax.Bound:
        return syntax.Bound("<=", children[-1], self._span(meta))

    def bound_above(self, meta: Meta, children: Children) -> syntax.Bound:
        return syntax.Bound(">", children[-1], self._span(meta))

    def bound_below(self, meta: Meta, children: Children) -> syntax.Bound:
        return syntax.Bound("<", children[-1], self._span(meta))

    def bound_range(self, meta: Meta, children: Children) -> list[syntax.Bound]:
        span = self._span(meta)
        return [syntax.Bound(">=", children[0], span), syntax.Bound("<=", children[1], span)]

    def stated_tolerance(self, meta: Meta, children: Children) -> syntax.Bound:
        return syntax.Bound(syntax.STATED_TOLERANCE, children[-1], self._span(meta))

    def index_list(self, meta: Meta, children: Children) -> syntax.IndexList:
        generators = tuple(c for c in children if isinstance(c, syntax.Generator))
        condition = children[-1] if not isinstance(children[-1], syntax.Generator) else None
        return syntax.IndexList(generators, condition, self._span(meta))

    def generator(self, meta: Meta, children: Children) -> syntax.Generator:
        return syntax.Generator(
            tuple(str(c) for c in children[:-1]), children[-1], self._span(meta)
        )

    # Objective, constraints, forms

    def sense(self, meta: Meta, children: Children) -> str:
        return str(children[0])

    def objective(self, meta: Meta, children: Children) -> syntax.Objective:
        sense, name, *rest = children
        type_ = _only(rest, syntax.Type)
        value = next(c for c in rest if not isinstance(c, Token | syntax.Type))
        return syntax.Objective(
            sense=sense,
            name=str(name),
            value=value,
            doc=_doc(rest),
            span=self._span(meta),
            name_span=self._token(name),
            type=type_,
        )

    def players(self, meta: Meta, children: Children) -> syntax.Players:
        index, sense, value, choosing, *rest = children
        return self._players(meta, ("", index.span, index), (sense, value, choosing, rest))

    def player(self, meta: Meta, children: Children) -> syntax.Players:
        name, sense, value, choosing, *rest = children
        return self._players(
            meta, (str(name), self._token(name), None), (sense, value, choosing, rest)
        )

    def _players(
        self, meta: Meta, head: tuple[str, Span, syntax.IndexList | None], body: tuple[Any, ...]
    ) -> syntax.Players:
        (name, name_span, index), (sense, value, choosing, rest) = head, body
        return syntax.Players(
            name=name,
            index=index,
            sense=sense,
            value=value,
            choosing=choosing,
            doc=_doc(rest),
            span=self._span(meta),
            name_span=name_span,
        )

    def choice(self, meta: Meta, children: Children) -> tuple[syntax.Target, ...]:
        return tuple(children)

    def potential(self, meta: Meta, children: Children) -> syntax.Declaration:
        name, *rest = children
        declared = self._declaration(meta, syntax.Kind.REPORT, str(name), self._token(name), rest)
        return replace(declared, potential=True)

    def constraint(self, meta: Meta, children: Children) -> syntax.Constraint:
        name, *rest = children
        body = next(c for c in rest if not isinstance(c, Token | Tree | syntax.IndexList))
        when: Any = next((c.children[0] for c in rest if isinstance(c, Tree)), None)
        operands, operators = self._chain(body)
        return syntax.Constraint(
            name=str(name),
            index=_only(rest, syntax.IndexList),
            operands=operands,
            operators=operators,
            doc=_doc(rest),
            span=self._span(meta),
            name_span=self._token(name),
            when=when,
        )

    def when(self, meta: Meta, children: Children) -> Tree[Any]:
        return Tree("when", children)

    def _chain(
        self, body: syntax.Expression
    ) -> tuple[tuple[syntax.Expression, ...], tuple[str, ...]]:
        if isinstance(body, syntax.Binary) and body.operator == "and":
            first, second = body.left, body.right
            if (
                isinstance(first, syntax.Binary)
                and isinstance(second, syntax.Binary)
                and first.right is second.left
            ):
                return (first.left, first.right, second.right), (first.operator, second.operator)
        if isinstance(body, syntax.Binary) and body.operator in ("<=", ">=", "==", "<", ">", "!="):
            return (body.left, body.right), (body.operator,)
        return (body,), ()

    def start_value(self, meta: Meta, children: Children) -> syntax.Start:
        return syntax.Start(children[0], children[1], self._span(meta))

    def target(self, meta: Meta, children: Children) -> syntax.Target:
        return syntax.Target(children[0].name, tuple(children[1:]), self._span(meta))

    def form_parents(self, meta: Meta, children: Children) -> tuple[syntax.Name, ...]:
        return tuple(syntax.Name(str(c), self._token(c)) for c in children)

    def exact(self, meta: Meta, children: Children) -> bool:
        return True

    def form(self, meta: Meta, children: Children) -> syntax.Form:
        exact = children[0] is True
        name, *rest = children[1:] if exact else children
        parents = next((c for c in rest if isinstance(c, tuple)), ())
        changes: list[Any] = []
        for change in (c for c in rest if not isinstance(c, Token | tuple)):
            if not isinstance(change, Tree):
                changes.append(change)
                continue
            last, more = changes[-1] if changes else None, change.children[0]
            if isinstance(more, syntax.Target) and isinstance(last, syntax.Relax | syntax.Drop):
                changes[-1] = type(last)((*last.targets, more), last.span.to(more.span))
            elif isinstance(more, syntax.Linearize) and isinstance(last, syntax.Linearize):
                changes.append(more)
            else:
                assert isinstance(more, syntax.Target | syntax.Linearize)
                collector = Collector()
                collector.error(
                    "E001",
                    f"`{more.span.text}` stands where a change is expected",
                    more.span,
                    help="a form lists `relax`, `fix`, `set`, `drop`, `add`, `replace` or "
                    "`linearize`",
                )
                collector.raise_errors()
        return syntax.Form(
            name=str(name),
            doc=_doc(rest),
            parents=parents,
            changes=tuple(changes),
            span=self._span(meta),
            name_span=self._token(name),
            exact=exact,
        )

    def relax(self, meta: Meta, children: Children) -> syntax.Relax:
        return syntax.Relax((children[0],), self._span(meta))

    def drop(self, meta: Meta, children: Children) -> syntax.Drop:
        return syntax.Drop((children[0],), self._span(meta))

    def more(self, meta: Meta, children: Children) -> Tree[Any]:
        return Tree("more", [children[0]])

    def product(self, meta: Meta, children: Children) -> syntax.Linearize:
        return syntax.Linearize((children[0], children[1]), self._span(meta))

    def linearize(self, meta: Meta, children: Children) -> syntax.Linearize:
        found = children[0]
        targets = found.targets if isinstance(found, syntax.Linearize) else (found,)
        return syntax.Linearize(targets, self._span(meta))

    def fix(self, meta: Meta, children: Children) -> syntax.Fix:
        return syntax.Fix(children[0], children[1], self._span(meta))

    def set_value(self, meta: Meta, children: Children) -> syntax.SetValue:
        return syntax.SetValue(children[0], children[1], self._span(meta))

    def add_word(self, meta: Meta, children: Children) -> str:
        return str(children[0])

    def add(self, meta: Meta, children: Children) -> syntax.Add:
        word, statement = children
        return syntax.Add(statement, word == "replace", self._span(meta))

    # Expressions

    def comparator(self, meta: Meta, children: Children) -> str:
        return PLAIN_COMPARATORS.get(str(children[0]), str(children[0]))

    def comparisons(self, meta: Meta, children: Children) -> syntax.Expression:
        operands, operators = children[::2], children[1::2]
        pieces: list[syntax.Expression] = [
            syntax.Binary(operator, left, right, left.span.to(right.span))
            for operator, left, right in zip(operators, operands, operands[1:], strict=False)
        ]
        result = pieces[0]
        for piece in pieces[1:]:
            result = syntax.Binary("and", result, piece, self._span(meta))
        return result

    def member_of(self, meta: Meta, children: Children) -> syntax.Binary:
        return self._binary("in", meta, children)

    def _binary(self, operator: str, meta: Meta, children: Children) -> syntax.Binary:
        return syntax.Binary(operator, children[0], children[1], self._span(meta))

    def or_(self, meta: Meta, children: Children) -> syntax.Binary:
        return self._binary("or", meta, children)

    def and_(self, meta: Meta, children: Children) -> syntax.Binary:
        return self._binary("and", meta, children)

    def add_terms(self, meta: Meta, children: Children) -> syntax.Binary:
        return self._binary("+", meta, children)

    def subtract_terms(self, meta: Meta, children: Children) -> syntax.Binary:
        return self._binary("-", meta, children)

    def multiply(self, meta: Meta, children: Children) -> syntax.Binary:
        return self._binary("*", meta, children)

    def divide(self, meta: Meta, children: Children) -> syntax.Binary:
        return self._binary("/", meta, children)

    def power(self, meta: Meta, children: Children) -> syntax.Binary:
        return self._binary("^", meta, children)

    def not_(self, meta: Meta, children: Children) -> syntax.Unary:
        return syntax.Unary("not", children[0], self._span(meta))

    def negate(self, meta: Meta, children: Children) -> syntax.Expression:
        """A minus in front of a logarithmic literal belongs to the literal: -174 dBm/Hz is 3.98e-21
        W/Hz.
        """
        operand = children[0]
        if isinstance(operand, syntax.Quantity) and is_level_unit(operand.unit):
            value = operand.value[1:] if operand.value.startswith("-") else "-" + operand.value
            return syntax.Quantity(value, operand.unit, self._span(meta))
        return syntax.Unary("-", operand, self._span(meta))

    def if_else(self, meta: Meta, children: Children) -> syntax.IfElse:
        return syntax.IfElse(children[0], children[1], children[2], self._span(meta))

    def quantity(self, meta: Meta, children: Children) -> syntax.Quantity:
        text = str(children[0])
        end = _number_end(text)
        unit = text[end:].strip()
        return syntax.Quantity(text[:end], unit or None, self._token(children[0]))

    def infinity(self, meta: Meta, children: Children) -> syntax.Quantity:
        return syntax.Quantity("inf", None, self._span(meta))

    def text(self, meta: Meta, children: Children) -> syntax.Text:
        return syntax.Text(str(children[0])[1:-1], self._token(children[0]))

    def name(self, meta: Meta, children: Children) -> syntax.Name:
        return syntax.Name(str(children[0]), self._token(children[0]))

    def attribute_of(self, meta: Meta, children: Children) -> syntax.Attribute:
        return syntax.Attribute(
            children[0], str(children[1]), self._span(meta), self._token(children[1])
        )

    def subscript(self, meta: Meta, children: Children) -> syntax.Subscript:
        return syntax.Subscript(children[0], tuple(children[1:]), self._span(meta))

    def call(self, meta: Meta, children: Children) -> syntax.Call:
        return syntax.Call(
            str(children[0]), tuple(children[1:]), self._span(meta), self._token(children[0])
        )

    def call_of(self, meta: Meta, children: Children) -> syntax.Call:
        base, name, argument = children
        return syntax.Call(str(name), (argument,), self._span(meta), self._token(name), base)

    def tuple_of(self, meta: Meta, children: Children) -> syntax.Tuple:
        return syntax.Tuple(tuple(children), self._span(meta))

    def aggregate(self, meta: Meta, children: Children) -> syntax.Aggregate:
        name, body, *rest = children
        generators = tuple(c for c in rest if isinstance(c, syntax.Generator))
        condition = rest[-1] if not isinstance(rest[-1], syntax.Generator) else None
        if str(name) not in AGGREGATES and str(name) not in OVER_FAMILIES:
            collector = Collector()
            collector.error(
                "E001",
                f"`{name}` does not take `for`",
                self._token(name),
                help=f"`for` goes with {', '.join((*AGGREGATES, *OVER_FAMILIES))}",
            )
            collector.raise_errors()
        return syntax.Aggregate(str(name), body, generators, condition, self._span(meta))

    def range(self, meta: Meta, children: Children) -> syntax.Range:
        return syntax.Range(children[0], children[1], self._span(meta))

    def listing(self, meta: Meta, children: Children) -> syntax.Listing:
        span = self._span(meta)
        return syntax.Listing(tuple(children), "{}" if span.text.startswith("{") else "[]", span)


def is_level_unit(unit: str | None) -> bool:
    """Whether the text of a unit is that of a level: `dB`, `dBm/Hz`."""
    return unit is not None and unit.split("/")[0] in LOGARITHMIC


def _only(children: Children, kind: type) -> Any:
    return next((child for child in children if isinstance(child, kind)), None)


def _doc(children: Children) -> str:
    texts = [str(c)[1:-1] for c in children if isinstance(c, Token) and c.type == "STRING"]
    return texts[-1] if texts else ""


def _number_end(text: str) -> int:
    """Where the number of a quantity ends; `2e9` has an exponent, `2 eV` and `2e` have not."""
    end = 0
    while end < len(text) and (text[end].isdigit() or text[end] == "."):
        end += 1
    if end < len(text) and text[end] in "eE":
        digits = end + 1 + (text[end + 1 : end + 2] in ("+", "-"))
        if text[digits : digits + 1].isdigit():
            end = digits
            while end < len(text) and text[end].isdigit():
                end += 1
    return end
