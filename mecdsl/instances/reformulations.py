"""What became of the products of a form, in numbers: sizes, and the limits their rows are made
with.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from mecdsl.diagnostics import Diagnostic, Label
from mecdsl.instances.algebra import Floats
from mecdsl.instances.evaluate import Evaluator
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray
from mecdsl.instances.world import World
from mecdsl.model import symbolic as sym


@dataclass(frozen=True, slots=True)
class LimitRange:
    """The limits of one factor over all rows: SI, smallest and largest of the lower and of the
    upper ones.
    """

    symbol: str
    lower: tuple[float, float]
    upper: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Reformulation:
    """One product: what stands for it, how many columns and rows came with it, and their limits."""

    fact: sym.Linearized
    columns: int
    rows: int
    ranges: tuple[LimitRange, ...]


@dataclass(frozen=True, slots=True)
class BigM:
    """The big-M of one switched constraint over its rows, SI."""

    fact: sym.Switched
    rows: int
    smallest: float
    largest: float


def big_ms(instance: Instance) -> tuple[BigM, ...]:
    """The switched constraints of an instance and the size of what switches them off."""
    switched: list[BigM] = []
    for fact in instance.model.switched:
        values = instance.world.values
        parts = [np.abs(values[name]) for name in fact.big_m if name in values]
        sizes = np.concatenate([np.zeros(0), *parts])
        rows = sum(family.size for family in instance.constraints if family.name in fact.rows)
        switched.append(BigM(fact, rows, *(_extent(sizes) if len(sizes) else (0.0, 0.0))))
    return tuple(switched)


def reformulations(instance: Instance) -> tuple[Reformulation, ...]:
    """Every product a form replaced, in the order of the pass; empty for a model without
    `linearize`.
    """
    evaluator = instance.evaluator(Floats())
    replaced: list[Reformulation] = []
    for fact in instance.model.linearized:
        if not fact.rows:
            replaced.append(Reformulation(fact, 0, 0, ()))
            continue
        size = instance.world.symbols[fact.variable].size
        rows = sum(family.size for family in instance.constraints if family.name in fact.rows)
        ranges = tuple(
            LimitRange(name, _extent(lower), _extent(upper))
            for name, lower, upper in _limits(evaluator, fact)
        )
        replaced.append(Reformulation(fact, size, rows, ranges if size else ()))
    return tuple(replaced)


def _extent(values: FloatArray) -> tuple[float, float]:
    return float(values.min(initial=np.inf)), float(values.max(initial=-np.inf))


def _limits(
    evaluator: Evaluator, fact: sym.Linearized
) -> Iterator[tuple[str, FloatArray, FloatArray]]:
    """The limits of the factors of a product, one entry per row of its variable."""
    table = evaluator.world.symbols[fact.variable].table
    for factor in fact.factors:
        lower, upper = (evaluator.family(limit, table) for limit in (factor.lower, factor.upper))
        yield (
            factor.symbol,
            np.asarray(lower, dtype=np.float64),
            np.asarray(upper, dtype=np.float64),
        )


def with_products(world: World, x: FloatArray) -> FloatArray:
    """The point with every variable that stands for a product at that product; nan where a factor
    is nan.

    `x`: float64[columns].
    """
    result = x.copy()
    for fact in world.model.linearized:
        if fact.rows:  # a product of three comes after the product of two it is made with
            table, first = world.symbols[fact.variable].table, world.offsets[fact.variable]
            values = Evaluator(world, Floats(result)).family(fact.value, table)
            result[first : first + table.size] = values
    return result


def onto_products(instance: Instance, x: FloatArray, allowed: FloatArray) -> FloatArray:
    """The point with new variables where their rows want them, as far as that moves them by less
    than allowed.

    Where the rows leave one value it is the product, else the nearest within the envelope. Without
    this a product of 1e-12 beside factors that are 0 would break a row all of whose terms are 0.
    `x`, `allowed`: float64[columns].
    """
    result = x.copy()
    for fact in instance.model.linearized:
        if not fact.rows:
            continue
        table = instance.world.symbols[fact.variable].table
        columns = instance.variable(fact.variable).columns
        evaluator = instance.evaluator(Floats(result))
        products = np.asarray(evaluator.family(fact.value, table), dtype=np.float64)
        if not fact.exact:
            products = np.clip(result[columns], *_envelope(evaluator, fact, products))
        small = np.abs(products - result[columns]) <= allowed[columns]
        result[columns] = np.where(small, products, result[columns])
    return result


def _envelope(
    evaluator: Evaluator, fact: sym.Linearized, product: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The smallest and largest value the rows of McCormick allow; the true product lies between
    them.
    """
    table = evaluator.world.symbols[fact.variable].table
    assert isinstance(fact.value, sym.Operation)
    x, y = (
        np.asarray(evaluator.family(factor, table), dtype=np.float64)
        for factor in fact.value.operands
    )
    (_, low, high), (_, least, most) = _limits(evaluator, fact)
    above = np.minimum(least * x + high * y - high * least, most * x + low * y - low * most)
    below = np.maximum(least * x + low * y - low * least, most * x + high * y - high * most)
    return np.minimum(below, product), np.maximum(above, product)


def infinite_limits(world: World, evaluator: Evaluator) -> list[Diagnostic]:
    """Faults of products whose factors have limits that are not finite with these data."""
    faults: list[Diagnostic] = []
    for fact in world.model.linearized:
        for name, lower, upper in _limits(evaluator, fact) if fact.rows else ():
            for side, values in (("lower", lower), ("upper", upper)):
                wrong = np.flatnonzero(~np.isfinite(values))
                if not len(wrong):
                    continue
                message = (
                    f"`{fact.product}` cannot be linearised: the {side} bound of "
                    f"`{name}` is {values[wrong[0]]}"
                )
                where = world.place_text(world.symbols[fact.variable].table, int(wrong[0]))
                labels = (Label(world.model.symbols[name].span, "declared here"),)
                fix = "give data that make the bound finite; its value becomes a coefficient"
                faults.append(Diagnostic("E116", message + where, fact.span, labels, help=fix))
    for switched in world.model.switched:
        # of variables that are all fixed it is known only at the point
        evaluated = (name for name in switched.big_m if name in world.values)
        wrong_names = (name for name in evaluated if not np.isfinite(world.values[name]).all())
        faults += [_infinite(world, switched, name) for name in wrong_names]
    return faults


def _infinite(world: World, switched: sym.Switched, name: str) -> Diagnostic:
    values = world.values[name]
    row = int(np.flatnonzero(~np.isfinite(values))[0])
    where = world.place_text(world.symbols[name].table, row)
    message = f"`{switched.constraint.name}` cannot be switched: its big-M is {values[row]}{where}"
    fix = "give data that make the bounds of its variables finite"
    return Diagnostic("E122", message, switched.switch.span, help=fix)
