"""A problem that is written as the shipped model writes it: nothing has to be compared at points.

That costs no look at the data, so it holds for instances of any size. It is enough that objective,
rows, variables and all definitions they need are the same text up to the names of indices; data
that the algorithm reads are the instance's own, and all others must not matter.
"""

from collections.abc import Hashable, Iterator
from dataclasses import replace

import numpy as np

from mecdsl.backends.derived.found import Found
from mecdsl.backends.derived.reference import Shipped, needed
from mecdsl.backends.derived.rows import Rows
from mecdsl.instances.instance import Instance
from mecdsl.model import symbolic as sym
from mecdsl.parsing.syntax import Kind
from mecdsl.reformulations.rewrite import structure, structure_of_space


def as_written(
    instance: Instance,
    shipped: Shipped,
    reads: frozenset[str],
    sizes: frozenset[str],
    optional: frozenset[str],
) -> Found | None:
    """What is found of an instance that is the shipped model word for word, else None.

    `sizes`: parameters that say how large a family is. `optional`: rows that it may leave out.
    """
    wanted, own = needed(shipped, reads, sizes).model, instance.model
    known = reads | sizes
    written = {constraint.name for constraint in own.constraints}
    rows = [c for c in wanted.constraints if c.name in written or c.name not in optional]
    wanted = replace(wanted, constraints=tuple(rows))
    if any(s.kind is Kind.PARAM and name not in known for name, s in wanted.symbols.items()):
        return None  # a constant of the paper, which the data may have changed
    if list(_statements(own, wanted, known)) != list(_statements(wanted, wanted, known)):
        return None
    variables = {symbol.name: symbol for symbol in own.of_kind(Kind.VAR)}
    if variables.keys() != {symbol.name for symbol in wanted.of_kind(Kind.VAR)}:
        return None
    for family in instance.variables:
        whole = variables[family.name].domain is not sym.NumberDomain.REAL
        if (instance.integral[family.columns] != whole).any() or not instance.free.all():
            return None
    names = frozenset(family.name for family in instance.constraints)
    return Found(
        problem=shipped,
        reads=reads,
        reference=instance,
        instance=instance,
        columns=np.arange(instance.columns, dtype=np.int64),
        rows=Rows(np.arange(instance.rows, dtype=np.int64), np.ones(instance.rows), names),
        fixed={},
        has_constant=False,
    )


def _statements(model: sym.Model, wanted: sym.Model, known: frozenset[str]) -> Iterator[Hashable]:
    """What a model says of the objective, the rows, and all that the wanted one needs."""
    objective = model.objective
    yield objective.sense, structure(objective.value, {})
    yield tuple(structure(fix, {}) for fix in model.fixes)
    yield len(model.constraints)
    for constraint in sorted(model.constraints, key=lambda c: c.name):
        space, names = structure_of_space(constraint.space, {})
        sides = (structure(side, names) for side in (constraint.left, constraint.right))
        switch = structure(constraint.switch, names)
        yield constraint.name, constraint.relation, space, *sides, switch
    for name in sorted(wanted.families):
        family = model.families.get(name)
        yield name, None if family is None else _members(family)
    for name, other in sorted(wanted.symbols.items()):
        symbol = model.symbols.get(name)
        if symbol is None or symbol.kind is not other.kind:
            yield name, None
            continue
        space, names = structure_of_space(symbol.space, {})
        if name in known:  # the instance's own data
            yield name, space
            continue
        formula = None if symbol.kind is Kind.VAR else structure(symbol.value, names)
        yield name, space, symbol.domain, structure(symbol.limits, names), formula


def _members(family: sym.Family) -> Hashable:
    space, names = structure_of_space(family.space, {})
    ends = structure(family.ends, names)
    listed = structure(family.listed, names)
    layers = structure(family.layer_file, names)
    return family.kind, space, family.labels, ends, family.end_families, listed, layers
