"""Types of parameters and variables: domain, unit and bounds."""

from dataclasses import dataclass

from mecdsl.checking.resolve_expression import ExpressionResolver
from mecdsl.checking.resolve_quantity import part_of_unit
from mecdsl.checking.scope import (
    Scope,
    SymbolHead,
    Unresolved,
)
from mecdsl.diagnostics import nearest
from mecdsl.model import symbolic as sym
from mecdsl.model.levels import in_unit, takes_numbers
from mecdsl.parsing import syntax
from mecdsl.parsing.syntax import Kind
from mecdsl.units import DIMENSIONLESS, Unit, UnitError, parse_unit

DOMAINS = tuple(domain.value for domain in sym.NumberDomain)


@dataclass(frozen=True, slots=True)
class StatedType:
    """A resolved type."""

    domain: sym.NumberDomain
    unit: Unit | None
    member_of: str | None
    limits: tuple[sym.Limit, ...]


class TypeResolver:
    """Resolves the types of one document."""

    def __init__(self, expressions: ExpressionResolver) -> None:
        self.expressions = expressions
        self.names = expressions.names
        self.collector = self.names.collector

    def type(self, head: SymbolHead, scope: Scope) -> StatedType:
        type_ = head.declared.type
        if type_ is None:
            return StatedType(sym.NumberDomain.REAL, None, None, ())
        domain, unit = self._domain_and_unit(head, type_)
        limits: list[sym.Limit] = []
        if domain is sym.NumberDomain.BINARY:
            zero, one = (sym.Constant(v, DIMENSIONLESS, type_.span) for v in (0.0, 1.0))
            limits += [sym.Limit(">=", zero, type_.span), sym.Limit("<=", one, type_.span)]
        for bound in type_.bounds:
            try:
                value = self.expressions.resolve(bound.value, scope)
            except Unresolved:
                continue
            if unit is not None and takes_numbers(unit):
                value = in_unit(value, unit)
            limits.append(sym.Limit(bound.operator, value, bound.span))
        bounded = any(limit.operator == ">=" for limit in limits)
        if unit is not None and unit.logarithmic and head.declared.kind is Kind.VAR and not bounded:
            nothing = sym.Constant(0.0, unit.dimension, type_.span)
            limits.append(sym.Limit(">=", nothing, type_.span))  # no level stands for less
        return StatedType(domain, unit, head.member_of, tuple(limits))

    def _domain_and_unit(
        self, head: SymbolHead, type_: syntax.Type
    ) -> tuple[sym.NumberDomain, Unit | None]:
        """What the words of a type say; no unit fits every dimension, so that no further fault
        follows from one.
        """
        domains = [word for word in type_.words if word.text in DOMAINS]
        others = [
            word for word in type_.words if word not in domains and word.text != head.member_of
        ]
        for extra in [*domains[1:], *others[1:]]:
            message = f"`{extra.text}` is one word too many in a type"
            self.collector.error("E109", message, extra.span, help="domain, unit, bounds")
        indices = not others and head.member_of is not None
        domain = sym.NumberDomain.INTEGER if indices else sym.NumberDomain.REAL
        if domains and not indices:
            domain = sym.NumberDomain(domains[0].text)
        unit = self.unit(others[0]) if others else parse_unit("1")
        binary = domain is sym.NumberDomain.BINARY
        if binary and unit is not None and not unit.dimension.is_dimensionless:
            fix = f"delete `{others[0].text}`"
            self.collector.error("E109", "a binary has no unit", others[0].span, help=fix)
            unit = None
        return domain, unit

    def unit(self, word: syntax.TypeWord) -> Unit | None:
        try:
            return parse_unit(word.text, self.names.units)
        except UnitError as error:
            near = nearest(word.text, ["integer", "binary", "real", *self.names.families])
            fix = f"did you mean `{near}`?" if near else error.help
            self.collector.error(
                "E114", error.message, part_of_unit(word.span, word.text, error), help=fix
            )
            return None  # fits every dimension, so that no further fault follows from this one
