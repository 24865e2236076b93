"""The variable that stands for a product of two, its limits and its rows.

G. P. McCormick, Computability of global solutions to factorable nonconvex programs, Mathematical
Programming 10 (1976): with L <= x <= U and l <= y <= u the convex hull of w = x*y is

    w >= l*x + L*y - L*l,   w >= u*x + U*y - U*u,   w <= l*x + U*y - U*l,   w <= u*x + L*y - L*u.
"""

from dataclasses import dataclass

from mecdsl.diagnostics import Span
from mecdsl.model import symbolic as sym
from mecdsl.model.relation import Relation
from mecdsl.parsing.syntax import Kind
from mecdsl.reformulations.compose import (
    ZERO,
    add,
    is_number,
    largest,
    multiply,
    smallest,
    subtract,
    written,
)
from mecdsl.reformulations.limits import Interval
from mecdsl.reformulations.rewrite import structure
from mecdsl.units import Unit


@dataclass(frozen=True, slots=True)
class Product:
    """Two variables at indices of a space, their limits there, and where their product stands in
    the text.
    """

    first: sym.Lookup
    second: sym.Lookup
    space: sym.Space
    box: tuple[Interval, Interval]
    span: Span


def text_of(first: sym.Lookup, second: sym.Lookup) -> str:
    """`k.used*k.batch`."""
    return f"{first.span.text}*{second.span.text}"


def same(first: sym.Lookup, second: sym.Lookup) -> bool:
    """Whether two lookups in one place mean the same variable."""
    return structure(first, {}) == structure(second, {})


def at(name: str, space: sym.Space, first: sym.Lookup, second: sym.Lookup) -> sym.Lookup:
    """The new variable at the indices of its space, as the two factors use them."""
    known = {
        i.name: i for e in (first, second) for i in sym.walk(e) if isinstance(i, sym.IndexValue)
    }
    span = written(text_of(first, second))
    return sym.Lookup(
        name, tuple(known.get(index, sym.IndexValue(index, span)) for index in space.names), span
    )


def new_variable(name: str, product: Product, units: tuple[Unit | None, Unit | None]) -> sym.Symbol:
    """The variable over the space of the product, with the limits and the unit that follow from the
    factors'.
    """
    doc = f"stands for {text_of(product.first, product.second)}"
    real, space, limits = sym.NumberDomain.REAL, product.space, _limits(product)
    return sym.Symbol(
        name=name,
        kind=Kind.VAR,
        owner=None,
        own_space=space,
        space=space,
        domain=real,
        unit=_unit(*units),
        limits=limits,
        value=None,
        member_of=None,
        doc=doc,
        span=product.span,
    )


def envelope(variable: sym.Symbol, product: Product) -> list[sym.Constraint]:
    """The rows of McCormick that say more than the limits of the new variable."""
    first, second = product.first, product.second
    (low, high), (least, most) = product.box
    new = at(variable.name, product.space, first, second)
    above, below = Relation.AT_LEAST, Relation.AT_MOST
    corners = [
        (above, low, least),
        (above, high, most),
        (below, high, least),
        (below, low, most),
    ]
    if same(first, second):
        corners.pop()  # the last two are one
    limits = {(limit.operator, is_number(limit.value, 0.0)) for limit in variable.limits}
    rows: list[sym.Constraint] = []
    for number, (relation, one, two) in enumerate(corners, 1):
        right = subtract(add(multiply(two, first), multiply(one, second)), multiply(one, two))
        if is_number(right, 0.0) and (relation, True) in limits:
            continue
        name, doc = (
            f"{variable.name}.row_{number}",
            f"{text_of(first, second)} {relation} {right.span.text}",
        )
        rows.append(
            sym.Constraint(
                name=name,
                space=product.space,
                left=new,
                relation=relation,
                right=right,
                doc=doc,
                span=product.span,
            )
        )
    return rows


def _limits(product: Product) -> tuple[sym.Limit, sym.Limit]:
    """The smallest and the largest product of two intervals; that of two intervals from 0 on has no
    `min` in it.
    """
    (low, high), (least, most) = product.box
    corners = tuple(multiply(one, two) for one in (low, high) for two in (least, most))
    below, above = smallest(corners), largest(corners)
    if is_number(low, 0.0) and is_number(least, 0.0):
        below, above = ZERO, multiply(high, most)
    return sym.Limit(">=", below, product.span), sym.Limit("<=", above, product.span)


def _unit(first: Unit | None, second: Unit | None) -> Unit:
    """The unit of a product: the one that is not plain, else the coherent SI unit."""
    assert first is not None
    assert second is not None
    for one, other in ((first, second), (second, first)):
        if one.text == "1":
            return other
    dimension = first.dimension * second.dimension
    return Unit(str(dimension), dimension, 1.0)
