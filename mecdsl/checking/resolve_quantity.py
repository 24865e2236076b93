"""Numbers with their units, `3 Mbit/s`."""

import math

from mecdsl.checking.parts import Part
from mecdsl.checking.scope import Scope, Unresolved
from mecdsl.diagnostics import Span
from mecdsl.model import symbolic as sym
from mecdsl.parsing import syntax
from mecdsl.units import DIMENSIONLESS, UnitError, parse_unit


class Quantities(Part):
    """Resolves numbers to constants in SI."""

    def quantity(self, quantity: syntax.Quantity, scope: Scope) -> sym.Constant:
        """The constant; 0 without a unit is of every dimension, and so is infinity."""
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
        attributes = (name.split(".")[-1] for name in self.names.symbols)
        declared = {*scope.indices, *self.names.symbols, *attributes}
        if first in declared:
            help_text = f"a product is written `{quantity.value}*{text}`"
        elif error.start > 0 and text[error.start : error.end] in declared:
            unit, operator = text[: error.start - 1], text[error.start - 1]
            spaced = f"`{quantity.value} {unit} {operator} {text[error.start :]}`"
            help_text = f"put blanks round the operator after the unit: {spaced}"
        place = part_of_unit(quantity.span, text, error)
        return self.fail("E114", error.message, place, help=help_text)


def part_of_unit(span: Span, unit: str, error: UnitError) -> Span:
    """The part of a unit that is at fault; the unit stands at the end of the span."""
    start = span.end_column - len(unit) + error.start
    return Span(span.source, span.line, start, span.line, start + max(1, error.end - error.start))
