"""Pyomo blocks and index sets of an instance, made when first used, and names that Pyomo leaves
free.
"""

import keyword
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyomo.environ as pyo

from mecdsl.instances.instance import ConstraintFamily, Instance
from mecdsl.instances.tables import IntArray, Table
from mecdsl.model import symbolic as sym

Index = tuple[Any, ...]  # no set for a scalar, else one

# Components that solver interfaces and users put into a model under these names.
SUFFIXES = frozenset({"dual", "rc", "slack", "scaling_factor"})


def free_name(block: Any, name: str, taken: Sequence[str] = ()) -> str:
    """The name, with a `_` behind it for as long as Pyomo, Python or a component of the block uses
    it.
    """
    while keyword.iskeyword(name) or name in SUFFIXES or name in taken or hasattr(block, name):
        name += "_"
    return name


class IndexSets:
    """Blocks and sets of one model."""

    def __init__(self, model: Any, instance: Instance) -> None:
        self.model, self.instance = model, instance
        self.blocks: dict[str, Any] = {}
        self.families: dict[str, Any] = {}

    def block(self, owner: str | None) -> Any:
        """The block of a family; the model itself for what has no owner."""
        if owner is None:
            return self.model
        if owner not in self.blocks:
            family = self.instance.model.families[owner]
            self.blocks[owner] = pyo.Block(doc=family.doc or None)
            self.model.add_component(free_name(self.model, owner), self.blocks[owner])
        return self.blocks[owner]

    def of_symbol(self, symbol: sym.Symbol) -> Index:
        """The index set of a variable, definition or report."""
        table = self.instance.world.symbols[symbol.name]
        block, local = self.block(symbol.owner), symbol.name.rpartition(".")[2]
        if not table.names:
            return () if table.size else self._empty(block, local)
        factors = self._factors(symbol.own_space)
        if (
            factors is not None
            and symbol.owner is not None
            and self.instance.world.families[symbol.owner].names
        ):
            factors = [self._family(symbol.owner), *factors]
        return (self._index(block, local, factors, symbol.space, table.names, table.table),)

    def of_constraint(self, family: ConstraintFamily, name: str) -> Index:
        """The index set of a constraint that goes by `name`."""
        space = family.constraint.space
        if not space.names:
            return () if family.size else self._empty(self.model, name)
        return (
            self._index(self.model, name, self._factors(space), space, space.names, family.table),
        )

    def _empty(self, block: Any, name: str) -> Index:
        """The index set of what has no index and, under a condition that does not hold, no
        member.
        """
        found = pyo.Set(initialize=[], dimen=1)
        block.add_component(free_name(block, f"{name}_index", self._names(block)), found)
        return (found,)

    def _index(
        self,
        block: Any,
        name: str,
        factors: list[Any] | None,
        space: sym.Space,
        names: Sequence[str],
        table: Table,
    ) -> Any:
        """A product of known sets where that is what the rows are, else a set of its own,
        `name_index`.
        """
        if factors and int(np.prod([len(factor) for factor in factors])) == table.size:
            product = factors[0]
            for factor in factors[1:]:
                product = product * factor
            return product
        own_set = self._set(space, names, table)
        block.add_component(free_name(block, f"{name}_index", self._names(block)), own_set)
        return own_set

    def _factors(self, space: sym.Space) -> list[Any] | None:
        """The sets of a space that is their full product, else None."""
        if space.condition is not None:
            return None
        factors = []
        for generator in space.generators:
            if not isinstance(generator.domain, sym.FamilyDomain):
                return None
            family = self.instance.world.families[generator.domain.family]
            if len(generator.names) != len(family.names):  # rows of a family with several indices
                return None
            factors.append(self._family(generator.domain.family))
        return factors

    def _family(self, name: str) -> Any:
        """The members of a family: a set under its own name, or `members` in the block of nodes,
        links, layers.
        """
        if name not in self.families:
            family = self.instance.model.families[name]
            members = self.instance.world.families[name]
            pyomo_set = self._set(family.space, members.names, members.table, family.labels)
            self.families[name] = pyomo_set
            pyomo_set.doc = family.doc or None
            if family.kind.value == "set":
                self.model.add_component(free_name(self.model, name), pyomo_set)
            else:
                block = self.block(name)
                block.add_component(free_name(block, "members", self._names(block)), pyomo_set)
        return self.families[name]

    def _names(self, block: Any) -> list[str]:
        """Names of the model that a set made up here must not take."""
        model = self.instance.model
        owner = next(
            (name for name, known_block in self.blocks.items() if known_block is block), None
        )
        local = [
            symbol.name.rpartition(".")[2]
            for symbol in model.symbols.values()
            if symbol.owner == owner
        ]
        if owner is not None:
            return local
        return [*local, *model.families, *(c.name for c in model.constraints), model.objective.name]

    def _set(
        self,
        space: sym.Space,
        names: Sequence[str],
        table: Table,
        labels: tuple[str, ...] | None = None,
    ) -> Any:
        domains = [generator.domain for generator in space.generators for _ in generator.names]
        columns = [table.columns[name] for name in names]
        words = [labels or self.instance.world.label_names(domain) for domain in domains]
        if len(columns) == 1 and words[0] is None and _contiguous(columns[0]):
            return pyo.RangeSet(int(columns[0][0]), int(columns[0][-1]))
        parts = [_labels(column, text) for column, text in zip(columns, words, strict=True)]
        rows = list(zip(*parts, strict=True)) if len(parts) > 1 else parts[0]
        if len(set(rows)) != len(rows):  # a list of integers that names one twice: count the rows
            return pyo.RangeSet(0, len(rows) - 1)
        return pyo.Set(initialize=rows, dimen=len(parts))


def _contiguous(labels: IntArray) -> bool:
    return len(labels) > 0 and bool((np.diff(labels) == 1).all())


def _labels(column: IntArray, words: tuple[str, ...] | None) -> list[Any]:
    if words is None:
        integers: list[Any] = column.tolist()
        return integers
    return [words[label - 1] for label in column.tolist()]
