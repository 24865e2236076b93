"""Sets under every row of a table: the members a generator runs over, and whether a value is one of
them.
"""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from mecdsl.instances.evaluate_layers import LayerRows
from mecdsl.instances.evaluate_members import link_ends, whole_numbers
from mecdsl.instances.evaluates import Evaluates
from mecdsl.instances.narrow import Limit, limits
from mecdsl.instances.tables import (
    FamilyTable,
    IntArray,
    Table,
    TooManyRows,
    expand_members,
    expand_ranges,
    refuse_if_too_large,
)
from mecdsl.model import symbolic as sym


def expanded(
    evaluator: Evaluates, space: sym.Space, base: Table, what: str
) -> tuple[Table, IntArray, list[IntArray]]:
    """A space under every row of `base`: child table, pointer to the parent row, counts per
    generator.

    With a condition the counts are not those of the members.
    """
    table, pointer = base, np.arange(base.size, dtype=np.int64)
    counts: list[IntArray] = []
    for position, generator in enumerate(space.generators):
        stated = limits(space, position)
        parent, columns, count = _generated(evaluator, generator, table, what, stated)
        table = table.take(parent).with_columns(columns)
        pointer = pointer[parent]
        counts.append(count)
    if space.condition is not None:
        kept = np.flatnonzero(evaluator.condition(space.condition, table))
        table, pointer = table.take(kept), pointer[kept]
    return table, pointer, counts


def _generated(
    evaluator: Evaluates,
    generator: sym.Generator,
    table: Table,
    what: str,
    stated: Iterable[Limit],
) -> tuple[IntArray, Mapping[str, IntArray], IntArray]:
    """Parent rows, new label columns and counts of one generator under every row of a table."""
    names, world = generator.names, evaluator.world
    if len(names) == 1:
        world.domains[names[0]] = generator.domain

    def refuse_many(rows: float) -> None:
        if evaluator.most is not None and rows > evaluator.most:
            raise TooManyRows(rows, generator.span)
        refuse_if_too_large(rows, len(table.columns) + len(names), what, generator.span)

    match generator.domain:
        case sym.RangeDomain():
            lows, highs = _range_ends(evaluator, generator.domain, stated, table)
            refuse_many(float(np.maximum(highs.astype(float) - lows + 1, 0).sum()))
            parent, labels, counts = expand_ranges(lows, highs)
            return parent, {names[0]: labels}, counts
        case sym.LayersDomain():
            layers = _layers(evaluator, generator.domain, table)
            counts = layers.counts()
            refuse_many(float(counts.sum()))
            parent, members = layers.members(counts)
            return parent, {names[0]: members}, counts
        case sym.ListDomain(items=items):
            parent, labels, counts = _listed(evaluator, items, table)
            return parent, {names[0]: labels}, counts
        case sym.LinksAt(family=name, end=end, node=node):
            ends = link_ends(evaluator, name, end)
            first, counts = ends.count(evaluator.labels(node, table))
            refuse_many(float(counts.sum()))
            parent, positions = ends.links(first, counts)
            return parent, _member_columns(world.families[name], names, positions), counts
        case sym.FamilyDomain(family=name):
            family = world.families[name]
            refuse_many(float(table.size) * family.size)
            parent, positions, counts = expand_members(table.size, family.size)
            return parent, _member_columns(family, names, positions), counts
        case _:
            raise TypeError(f"unknown domain {type(generator.domain).__name__}")


def _range_ends(
    evaluator: Evaluates, domain: sym.RangeDomain, stated: Iterable[Limit], table: Table
) -> tuple[IntArray, IntArray]:
    """First and last number of a range on every row, cut to what a condition leaves of it, rounded
    outwards.
    """
    lows = whole_numbers(evaluator, domain.low, "the start of a range", table)
    highs = whole_numbers(evaluator, domain.high, "the end of a range", table)
    for limit in stated:
        centre = evaluator.floats(limit.centre, table)
        reach = 0.0 if limit.reach is None else evaluator.floats(limit.reach, table)
        if limit.reach is not None or limit.operator not in ("<=", "<"):
            least = np.floor(centre - reach)
            lows = np.where(least > lows, np.minimum(least, highs + 1), lows).astype(np.int64)
        if limit.reach is not None or limit.operator not in (">=", ">"):
            most = np.ceil(centre + reach)
            highs = np.where(most < highs, np.maximum(most, lows - 1), highs).astype(np.int64)
    return lows, highs


def _listed(
    evaluator: Evaluates, items: tuple[sym.Expression, ...], table: Table
) -> tuple[IntArray, IntArray, IntArray]:
    """Parent rows, labels and counts of labels written one by one."""
    columns = [evaluator.labels(item, table) for item in items]
    parent, positions, counts = expand_members(table.size, len(columns))
    stacked = np.stack(columns, axis=1) if columns else np.zeros((table.size, 0), dtype=np.int64)
    return parent, stacked[parent, positions], counts


def _member_columns(
    family: FamilyTable, names: Sequence[str], positions: IntArray
) -> dict[str, IntArray]:
    """The members at some positions under new index names: their rows under one name, their indices
    under all.
    """
    if len(names) == 1 and len(family.names) != 1:
        return {names[0]: positions}
    inner = (family.table.columns[own][positions] for own in family.names)
    return dict(zip(names, inner, strict=True))


def membership(evaluator: Evaluates, expression: sym.Membership, table: Table) -> NDArray[np.bool_]:
    """`x in I` on every row."""
    labels, domain = evaluator.labels(expression.value, table), expression.domain
    match domain:
        case sym.RangeDomain(low=low, high=high):
            least, most = evaluator.value(low, table), evaluator.value(high, table)
            return np.asarray((labels >= least) & (labels <= most))
        case sym.FamilyDomain(family=name):
            family = evaluator.world.families[name]
            if len(family.names) == 1:
                return family.locate([labels], table.size) >= 0
            return (labels >= 0) & (labels < family.size)
        case sym.LayersDomain():
            return _layers(evaluator, domain, table).hold(labels)
        case sym.ListDomain(items=items):
            inside = np.zeros(table.size, dtype=bool)
            for item in items:
                inside |= labels == evaluator.labels(item, table)
            return inside
        case _:
            raise TypeError(f"unknown domain {type(domain).__name__}")


def _layers(evaluator: Evaluates, domain: sym.LayersDomain, table: Table) -> LayerRows:
    """The layers of a cut or beside a layer, for every row."""
    world = evaluator.world
    file = world.model.families[domain.family].layer_file
    before = None if file is None else file.before
    labels = evaluator.labels(domain.of, table)
    return LayerRows(domain.group, world.families[domain.family], before, labels)
