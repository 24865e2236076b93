"""Where an expression stands: the indices in scope, and their rows as a table."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from mecdsl.diagnostics import Span
from mecdsl.instances.evaluate import Evaluator
from mecdsl.instances.tables import SINGLE, Table
from mecdsl.model import symbolic as sym
from mecdsl.reformulations.rewrite import all_names


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """The generators whose indices are in scope, outermost first, and the rows they leave."""

    generators: tuple[sym.Generator, ...]
    table: Table

    @property
    def names(self) -> tuple[str, ...]:
        """The indices in scope."""
        return tuple(name for generator in self.generators for name in generator.names)

    def space(self) -> sym.Space:
        """The generators alone: what the names of members are told by.

        Conditions are in the table.
        """
        return sym.Space(self.generators)

    def inside(self, space: sym.Space, evaluator: Evaluator, what: str) -> "Place":
        """The place within a space that stands here."""
        table, _, _ = evaluator.space(space, self.table, what)
        return Place((*self.generators, *space.generators), table)

    def where(self, condition: sym.Expression, holds: bool, evaluator: Evaluator) -> "Place":
        """The rows on which a condition over data holds, or does not."""
        truth = evaluator.condition(condition, self.table)
        return Place(self.generators, self.table.take(np.flatnonzero(truth == holds)))

    def seen_from(self, expressions: Iterable[sym.Expression]) -> "Place":
        """The indices that some expressions use, those beside them in a generator, and each of
        their rows once.
        """
        needed, kept = set(all_names(expressions)), []
        for generator in reversed(self.generators):
            if needed & set(generator.names):
                kept.append(generator)
                needed |= {*generator.names, *all_names(sym.domain_parts(generator.domain))}
        generators = tuple(kept[::-1])
        names = [name for generator in generators for name in generator.names]
        if len(names) == len(self.names):
            return self
        if not names:
            return Place((), SINGLE if self.table.size else Table(0))
        stacked = np.stack([self.table.columns[name] for name in names], axis=1)
        distinct = np.unique(stacked, axis=0)
        columns = {name: distinct[:, position] for position, name in enumerate(names)}
        return Place(generators, Table(len(distinct), columns))

    def indices(self, span: Span) -> tuple[sym.IndexValue, ...]:
        """The indices in scope, each standing for itself."""
        return tuple(sym.IndexValue(name, span) for name in self.names)


def of_symbol(model: sym.Model, symbol: sym.Symbol, table: Table) -> Place:
    """Where the value of a definition stands: the members of its owner, then its own indices."""
    owner: tuple[sym.Generator, ...] = ()
    if symbol.owner is not None and model.families[symbol.owner].space.names:
        family = model.families[symbol.owner]
        owner = (sym.Generator(family.space.names, sym.FamilyDomain(family.name), symbol.span),)
    return Place((*owner, *symbol.own_space.generators), table)
