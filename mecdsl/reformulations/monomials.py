"""A product over variables as a sum of monomials: data times variables, under the sums and
conditions it stands in.

Sums, differences, quotients by data, `if`, `sum`, small whole powers and definitions are multiplied
out. Whatever else depends on variables, such as a logarithm, stays one factor.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

from mecdsl.model import symbolic as sym
from mecdsl.model.classes import Classifier, Degree
from mecdsl.model.dimensions import literal
from mecdsl.parsing.syntax import Kind
from mecdsl.reformulations.compose import ONE, ZERO, add, negation, number, product, written
from mecdsl.reformulations.rewrite import all_names, map_parts, substitute, substitute_space

LARGEST_POWER = 4


class NotExpanded(Exception):
    """A definition that cannot be put in where it is used; holds that use."""

    def __init__(self, lookup: sym.Lookup) -> None:
        super().__init__(lookup.symbol)
        self.lookup = lookup


@dataclass(frozen=True, slots=True, eq=False)
class Monomial:
    """The sum over the rows of `frames` of data `coefficients` times `factors` that depend on
    variables.

    A frame without a generator is a condition.
    """

    coefficients: tuple[sym.Expression, ...]
    factors: tuple[sym.Expression, ...]
    frames: tuple[sym.Space, ...] = ()

    @property
    def names(self) -> frozenset[str]:
        """The indices its frames bind."""
        return frozenset(name for frame in self.frames for name in frame.names)


class Expander:
    """Multiplies out expressions of one model; `symbols` are those of the model as far as a pass
    has changed them.
    """

    def __init__(
        self, model: sym.Model, shapes: Classifier, symbols: Mapping[str, sym.Symbol]
    ) -> None:
        self.model = model
        self.shapes = shapes
        self.symbols = symbols

    def is_data(self, expression: sym.Expression) -> bool:
        """Whether no free variable occurs; asked by name, since expressions that a pass makes are
        short-lived.
        """
        return not any(
            isinstance(node, sym.Lookup) and self.varies(node.symbol)
            for node in sym.walk(expression)
        )

    def varies(self, name: str) -> bool:
        """Whether a symbol depends on free variables; a name the model does not know is a variable
        of the pass.
        """
        return (
            name not in self.model.symbols or self.shapes.symbol(name).degree is not Degree.CONSTANT
        )

    def is_variable(self, expression: sym.Expression) -> bool:
        """Whether an expression is the value of one variable."""
        if not isinstance(expression, sym.Lookup):
            return False
        symbol = self.model.symbols.get(expression.symbol)
        return symbol is None or (symbol.kind is Kind.VAR and self.varies(symbol.name))

    def monomials(self, expression: sym.Expression, scope: frozenset[str]) -> Iterator[Monomial]:
        """The monomials of an expression; `scope`: the indices in use around it.

        Raises `NotExpanded`.
        """
        if self.is_data(expression):
            yield Monomial((expression,), ())
            return
        match expression:
            case sym.Lookup() if not self.is_variable(expression):
                yield from self.monomials(self.definition(expression), scope)
            case sym.Operation(operator="+" | "-" | "neg", operands=operands):
                *first, last = operands
                for operand in first:
                    yield from self.monomials(operand, scope)
                for monomial in self.monomials(last, scope):
                    yield (
                        monomial if expression.operator == "+" else _scaled(monomial, number(-1.0))
                    )
            case sym.Operation(operator="*", operands=operands):
                yield from self._multiplied(operands, scope)
            case sym.Operation(operator="/", operands=(above, below)) if self.is_data(below):
                inverse = sym.Operation("/", (ONE, below), written(f"1/({below.span.text})"))
                for monomial in self.monomials(above, scope):
                    yield _scaled(monomial, inverse)
            case sym.Operation(operator="^", operands=(base, exponent)) if whole_power(exponent):
                yield from self._multiplied((base,) * whole_power(exponent), scope)
            case sym.Choice(condition=condition, then=then, otherwise=otherwise):
                for frame, branch in ((condition, then), (negation(condition), otherwise)):
                    for monomial in self.monomials(branch, scope):
                        yield replace(monomial, frames=(sym.Space((), frame), *monomial.frames))
            case sym.Aggregate(function="sum"):
                space, inside = substitute_space(expression.space, {}, scope)
                body = substitute(expression.body, inside)
                for monomial in self.monomials(body, scope | set(space.names)):
                    yield replace(monomial, frames=(space, *monomial.frames))
            case _:
                yield Monomial((), (expression,))

    def _multiplied(
        self, operands: tuple[sym.Expression, ...], scope: frozenset[str]
    ) -> Iterator[Monomial]:
        first, *rest = operands
        for left in self.monomials(first, scope):
            if not rest:
                yield left
                continue
            for right in self._multiplied(tuple(rest), scope | left.names):
                yield Monomial(
                    (*left.coefficients, *right.coefficients),
                    (*left.factors, *right.factors),
                    (*left.frames, *right.frames),
                )

    def definition(self, lookup: sym.Lookup) -> sym.Expression:
        """The value of a definition at the indices of a lookup."""
        symbol = self.symbols[lookup.symbol]
        assert symbol.formula is not None
        if not lookup.by_row:
            indices = dict(zip(symbol.space.names, lookup.indices, strict=True))
            return substitute(symbol.formula, indices)
        assert symbol.owner is not None
        family = self.model.families[symbol.owner]
        row, *own = lookup.indices
        body = _by_row(symbol.formula, self.symbols, family, row)
        values: dict[str, sym.Expression] = dict(zip(symbol.own_space.names, own, strict=True))
        values |= _ends(family, row)
        if all_names((body,)) & (set(family.space.names) - set(values)):
            raise NotExpanded(lookup)  # an index of the family that no end of the link tells
        return substitute(body, values)


def _ends(family: sym.Family, row: sym.Expression) -> Mapping[str, sym.Expression]:
    """The indices of a links family that are its ends, as ends of the link in a row."""
    found: dict[str, sym.Expression] = {}
    for number_, end in enumerate(family.ends or ()):
        if isinstance(end, sym.IndexValue):
            found[end.name] = sym.LinkEnd(family.name, number_, row, row.span)
    return found


def _by_row(
    expression: sym.Expression,
    symbols: Mapping[str, sym.Symbol],
    family: sym.Family,
    row: sym.Expression,
) -> sym.Expression:
    """Attributes of the member itself, looked up by its row instead of by its indices."""
    names = family.space.names

    def change(node: sym.Expression) -> sym.Expression:
        if (
            isinstance(node, sym.Lookup)
            and not node.by_row
            and symbols[node.symbol].owner == family.name
        ):
            first = node.indices[: len(names)]
            if tuple(i.name if isinstance(i, sym.IndexValue) else None for i in first) == names:
                rest = tuple(change(index) for index in node.indices[len(names) :])
                return sym.Lookup(node.symbol, (row, *rest), node.span, by_row=True)
        return map_parts(node, change)

    return change(expression)


def _scaled(monomial: Monomial, factor: sym.Expression) -> Monomial:
    return replace(monomial, coefficients=(factor, *monomial.coefficients))


def whole_power(exponent: sym.Expression) -> int:
    """The exponent if it is a whole number from 2 to 4, else 0."""
    value = literal(exponent)
    return int(value) if value is not None and value in range(2, LARGEST_POWER + 1) else 0


def collect(
    monomials: list[Monomial], change: Callable[[sym.Expression, Monomial], sym.Expression]
) -> sym.Expression:
    """The sum of monomials as one expression, with `change` applied to every factor."""
    total: sym.Expression = ZERO
    for monomial in monomials:
        factors = tuple(change(factor, monomial) for factor in monomial.factors)
        value = product((*monomial.coefficients, *factors))
        for frame in reversed(monomial.frames):
            if frame.generators:
                value = sym.Aggregate("sum", value, frame, value.span)
            else:
                assert frame.condition is not None
                value = sym.Choice(frame.condition, value, ZERO, value.span)
        total = add(total, value)
    return total
