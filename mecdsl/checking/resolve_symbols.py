"""Parameters, definitions, variables and reports, with their types and values."""

from collections.abc import Mapping
from contextlib import suppress

from mecdsl.checking.resolve_expression import ExpressionResolver
from mecdsl.checking.resolve_types import StatedType, TypeResolver
from mecdsl.checking.scope import (
    Scope,
    Unresolved,
)
from mecdsl.model import symbolic as sym
from mecdsl.model.levels import in_unit, takes_numbers
from mecdsl.parsing import syntax
from mecdsl.parsing.syntax import Kind
from mecdsl.units import Unit


class SymbolResolver:
    """Resolves the symbols of one document; `families`: those that are resolved already."""

    def __init__(self, expressions: ExpressionResolver, families: Mapping[str, sym.Family]) -> None:
        self.expressions, self.families = expressions, families
        self.names = expressions.names
        self.collector = self.names.collector
        self.types = TypeResolver(expressions)
        self.symbols: dict[str, sym.Symbol] = {}

    def symbol(self, name: str) -> None:
        """Resolve the symbol of that name into `symbols`."""
        head = self.names.symbols[name]
        declared = head.declared
        owner = self.families[head.owner] if head.owner else None
        scope = Scope(self.names.families[head.owner].indices if head.owner else {}, head.owner)
        own_space = sym.Space()
        value: sym.Expression | sym.DataArray | sym.DataFile | None = None
        type_ = StatedType(sym.NumberDomain.REAL, None, None, ())
        with suppress(Unresolved):
            if declared.index is not None:
                generators, condition = declared.index.generators, declared.index.condition
                own_space, scope = self.expressions.space(generators, condition, scope)
        with suppress(Unresolved):
            type_ = self.types.type(head, scope)
        address = f"{head.owner}.(x, y)" if isinstance(declared.value, syntax.Coordinate) else name
        value_of = self.expressions.value_of(
            address=address if declared.kind is Kind.PARAM else None, member_of=head.member_of
        )
        with suppress(Unresolved), value_of:
            value = self._value(declared, scope)
        if value is not None and type_.unit is not None and takes_numbers(type_.unit):
            value = value if isinstance(value, sym.DataFile) else in_level(value, type_.unit)
        self._require(declared, name, type_)
        space = own_space
        if owner is not None:
            generators_ = (*owner.space.generators, *own_space.generators)
            space = sym.Space(generators_, own_space.condition)
        self.symbols[name] = sym.Symbol(
            name=name,
            kind=declared.kind,
            owner=head.owner,
            own_space=own_space,
            space=space,
            domain=type_.domain,
            unit=type_.unit,
            limits=type_.limits,
            value=value,
            member_of=type_.member_of,
            doc=declared.doc,
            span=declared.name_span,
        )

    def _value(
        self, declared: syntax.Declaration, scope: Scope
    ) -> sym.Expression | sym.DataArray | sym.DataFile | None:
        if declared.source_file is not None:
            return sym.DataFile(declared.source_file.value, declared.source_file.span)
        if declared.value is None:
            return None
        return self.initial(declared.value, scope)

    def initial(self, value: syntax.Expression, scope: Scope) -> sym.Expression | sym.DataArray:
        if isinstance(value, syntax.Listing) and value.brackets == "[]":
            return sym.DataArray(
                tuple(self.initial(item, Scope()) for item in value.items), value.span
            )
        return self.expressions.resolve(value, scope)

    def _require(self, declared: syntax.Declaration, name: str, type_: StatedType) -> None:
        """What each kind of declaration must and must not have."""
        kind, span = declared.kind, declared.name_span
        if kind in (Kind.LET, Kind.REPORT) and declared.value is None:
            fix = f"write `{declared.span.text.split(chr(34))[0].strip()} = ...`"
            self.collector.error("E109", f"`{name}` has no value", span, help=fix)
        if kind in (Kind.PARAM, Kind.VAR) and declared.type is None:
            self.collector.error(
                "E109",
                f"`{name}` says no unit",
                span,
                help=f"write `{name} : s`, `{name} : bit/s`, or `{name} : 1` for a plain number",
            )
        if kind is Kind.VAR:
            if declared.value is not None or declared.source_file is not None:
                fix = (
                    f"a first guess is written `start {name} = ...`, a fixed value belongs "
                    "into a form: `fix`"
                )
                self.collector.error("E109", f"variable `{name}` is given a value", span, help=fix)
            if type_.member_of is not None:
                self.collector.error("E109", f"variable `{name}` cannot range over a set", span)
            for limit in type_.limits:
                if limit.operator in ("<", ">"):
                    fix = f"write `{limit.operator}=`"
                    self.collector.error(
                        "E109",
                        f"a variable has no strict bound `{limit.operator}`",
                        limit.span,
                        help=fix,
                    )
        self._require_tolerance(kind, type_)

    def _require_tolerance(self, kind: Kind, type_: StatedType) -> None:
        """Only what a solver computes to a tolerance has one."""
        for limit in type_.limits:
            if limit.operator != syntax.STATED_TOLERANCE:
                continue
            if kind is not Kind.VAR:
                message = "only a variable has a tolerance"
            elif type_.domain is not sym.NumberDomain.REAL:
                message = (
                    f"an {type_.domain.value} variable has no tolerance: whole numbers "
                    "are judged exactly"
                )
                message = message.replace("an binary", "a binary")
            else:
                continue
            self.collector.error("E109", message, limit.span, help="delete it")


def in_level(value: sym.Expression | sym.DataArray, unit: Unit) -> sym.Expression | sym.DataArray:
    """The value of what is declared in a level or in per cent, its bare numbers in that unit."""
    if isinstance(value, sym.DataArray):
        return sym.DataArray(tuple(in_level(item, unit) for item in value.items), value.span)
    return in_unit(value, unit)
