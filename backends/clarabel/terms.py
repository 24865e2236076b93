"""Terms that bend, kept as they are written until it is known what becomes of them.

`e/t` alone has no cone, and `t*ln(1 + e/t)` has one: so a product of powers, an exponential and a
logarithm stay terms until something other than a sum or a factor is made of them. Then they are
settled (`mecdsl.backends.clarabel.settle`): new variables stand for them, bounded by cones.

Every term has rows of its own; `parent` is the row of the value that each of them is added to.
"""

from dataclasses import dataclass, replace

import numpy as np

from mecdsl.backends.clarabel.affine import Affine
from mecdsl.convexity.curvature import Curve
from mecdsl.convexity.parts import nonnegative, proportion
from mecdsl.diagnostics import Span
from mecdsl.instances.sparse_rows import pointer_of, ragged_ranges
from mecdsl.instances.tables import FloatArray, IntArray


class NoCone(Exception):
    """A part of a model has no cone: `reason` in words, `where` it is written if that is known."""

    def __init__(self, reason: str, where: Span | None) -> None:
        super().__init__(reason)
        self.reason, self.where = reason, where


@dataclass(frozen=True, slots=True, eq=False)
class Base:
    """An affine row, or one that stands for a function, with what is proven of what it says."""

    affine: Affine
    curve: Curve

    def take(self, rows: IntArray) -> "Base":
        """Some rows, in that order."""
        return Base(self.affine.take(rows), self.curve[rows])

    @property
    def nonnegative(self) -> bool:
        """Whether every row is proven to be at least 0."""
        return bool(nonnegative(self.curve.ends).all())

    def times_of(self, other: "Base") -> FloatArray:
        """k > 0 where this is k times the other, nan elsewhere."""
        return proportion(other.curve.probe, self.curve.probe)


@dataclass(frozen=True, slots=True, eq=False)
class Power:
    """base^exponent."""

    base: Base
    exponent: FloatArray

    def take(self, rows: IntArray) -> "Power":
        """Some rows, in that order."""
        return Power(self.base.take(rows), self.exponent[rows])


@dataclass(frozen=True, slots=True, eq=False)
class Product:
    """coefficient * product of powers, as rows on their own."""

    coefficient: FloatArray
    powers: tuple[Power, ...] = ()

    def take(self, rows: IntArray) -> "Product":
        """Some rows, in that order."""
        return Product(self.coefficient[rows], tuple(power.take(rows) for power in self.powers))

    def scaled(self, factor: FloatArray) -> "Product":
        """Every row times its number."""
        return replace(self, coefficient=self.coefficient * factor)

    def times(self, other: "Product") -> "Product":
        """The product row by row, with the powers of one base put together."""
        coefficient = self.coefficient * other.coefficient
        powers = list(self.powers)
        for added in other.powers:
            for place, power in enumerate(powers[: len(self.powers)]):
                ratio = added.base.times_of(power.base)
                if np.isnan(ratio).any():
                    continue
                coefficient = coefficient * np.power(ratio, added.exponent)
                powers[place] = replace(power, exponent=power.exponent + added.exponent)
                break
            else:
                powers.append(added)
        return Product(coefficient, tuple(power for power in powers if power.exponent.any()))

    def to_power(self, exponent: FloatArray) -> "Product | None":
        """The rows to a power; None where (u^p)^q is not u^(p q), or a number has no such power."""
        whole = bool((np.round(exponent) == exponent).all())
        signed = any(not power.base.nonnegative for power in self.powers)
        if not whole and (signed or (self.coefficient < 0.0).any()):
            return None
        with np.errstate(all="ignore"):
            coefficient = np.power(self.coefficient, exponent)
        powers = tuple(replace(p, exponent=p.exponent * exponent) for p in self.powers)
        return Product(coefficient, powers)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Monomial:
    """A product of powers that is added to a value."""

    parent: IntArray
    product: Product
    where: Span | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Exponential:
    """coefficient * exp(argument), or coefficient * over * exp(argument/over) where `times`.

    `argument` is a product of powers for which a variable may stand; with `over`, the part above
    the line of argument/over.
    """

    parent: IntArray
    coefficient: FloatArray
    argument: Base
    over: Base | None = None
    times: bool = False
    where: Span | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Logarithm:
    """coefficient * ln(product), times `times` where there is one."""

    parent: IntArray
    coefficient: FloatArray
    product: Product
    times: Base | None = None
    where: Span | None = None


Term = Monomial | Exponential | Logarithm


def of_rows(term: Term, rows: IntArray, size: int) -> Term:
    """The term in the rows `rows` of a value of `size` rows, in that order."""
    order = np.argsort(term.parent, kind="stable")
    starts = pointer_of(np.bincount(term.parent, minlength=size))
    counts = np.diff(starts)[rows]
    places = order[ragged_ranges(starts[:-1][rows], counts)]
    parent = np.repeat(np.arange(len(rows), dtype=np.int64), counts)
    return _taken(term, places, parent)


def _taken(term: Term, places: IntArray, parent: IntArray) -> Term:
    match term:
        case Monomial():
            return replace(term, parent=parent, product=term.product.take(places))
        case Exponential():
            over = None if term.over is None else term.over.take(places)
            coefficient, argument = term.coefficient[places], term.argument.take(places)
            return replace(
                term, parent=parent, coefficient=coefficient, argument=argument, over=over
            )
        case Logarithm():
            times = None if term.times is None else term.times.take(places)
            coefficient, product = term.coefficient[places], term.product.take(places)
            return replace(
                term, parent=parent, coefficient=coefficient, product=product, times=times
            )
        case _:
            raise TypeError(f"unknown term {type(term).__name__}")


def of_parents(term: Term, parent: IntArray) -> Term:
    """The term where row r of its value is added to row parent[r] of another."""
    return replace(term, parent=parent[term.parent])


def scaled(term: Term, factor: FloatArray) -> Term:
    """The term with the rows of its value times numbers."""
    own = factor[term.parent]
    if isinstance(term, Monomial):
        return replace(term, product=term.product.scaled(own))
    return replace(term, coefficient=term.coefficient * own)
