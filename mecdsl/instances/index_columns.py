"""Which columns of a table hold the labels of which index.

A column is meant for an index if it is called as the index, or as the set or the family of nodes
that only this one index runs over. Its place in the table means nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mecdsl.data_files.table import Table
from mecdsl.diagnostics import Diagnostic, ModelError
from mecdsl.instances.world import World
from mecdsl.model import symbolic as sym


@dataclass(frozen=True, slots=True)
class Index:
    """One index of a symbol or family: its name, what it runs over, and what else a column for it
    may be called.
    """

    name: str
    domain: sym.Domain
    others: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Indexed:
    """A symbol or family whose rows a table lists.

    `shown`: what its rows are called in messages.
    """

    shown: str
    symbol: str
    indices: tuple[Index, ...]

    @property
    def names(self) -> str:
        """The indices for a message."""
        return ", ".join(f"`{index.name}`" for index in self.indices)

    def column_of(self, table: Table) -> list[int | None]:
        """For each index the column with its labels.

        Raises `ModelError` for two columns of one index, and for a title that two indices may mean.
        """
        columns: list[int | None] = [None] * len(self.indices)
        for exact in (True, False):
            for column, title in enumerate(table.titles):
                fits = [p for p, index in enumerate(self.indices) if title in _titles(index, exact)]
                if not fits or column in columns:
                    continue
                self._require_one(table, column, fits)
                if columns[fits[0]] is not None:
                    self._refuse_second(table, column, fits[0])
                self._refuse_unit(table, column)
                columns[fits[0]] = column
        return columns

    def _require_one(self, table: Table, column: int, fits: Sequence[int]) -> None:
        if len(fits) == 1:
            return
        names = " and ".join(f"`{self.indices[position].name}`" for position in fits)
        message = f"column `{table.titles[column]}` may mean {names}, which both run over it"
        fix = f"call the columns after the indices: {self.names}"
        raise ModelError([Diagnostic("E302", message, table.place(None, column), help=fix)])

    def _refuse_unit(self, table: Table, column: int) -> None:
        title, unit = table.split(column)
        if unit is not None:
            message = f"column `{title}` holds the labels of an index, and has a unit"
            raise ModelError(
                [
                    Diagnostic(
                        "E305",
                        message,
                        table.place(None, column),
                        help=f"write `{title}` without `[{unit}]`",
                    )
                ]
            )

    def _refuse_second(self, table: Table, column: int, position: int) -> None:
        title, name = table.titles[column], self.indices[position].name
        message = f"column `{title}` is the index `{name}`, which has a column already"
        raise ModelError(
            [Diagnostic("E307", message, table.place(None, column), help="delete one of the two")]
        )

    def is_index(self, title: str) -> bool:
        """Whether a column of this title holds labels."""
        return any(title == index.name or title in index.others for index in self.indices)


def _titles(index: Index, exact: bool) -> tuple[str, ...]:
    return (index.name,) if exact else index.others


def indexed(world: World, name: str) -> Indexed:
    """What orders the rows of a symbol or family."""
    model = world.model
    if name in model.symbols:
        symbol = model.symbols[name]
        space, owner = symbol.space, symbol.owner
        shown = owner if owner is not None and not symbol.own_space.generators else name
    else:
        space, owner, shown = model.families[name].space, name, name
    domains = world.index_domains(space)
    single = owner is not None and model.families[owner].arity == 1
    indices = [
        Index(
            label,
            domain,
            _lineage(
                model, sym.FamilyDomain(owner) if single and not position and owner else domain
            ),
        )
        for position, (label, domain) in enumerate(zip(space.names, domains, strict=True))
    ]
    return Indexed(shown, name, tuple(indices))


def _lineage(model: sym.Model, domain: sym.Domain) -> tuple[str, ...]:
    """The family an index runs over, and those its members are taken from."""
    families: list[str] = []
    while isinstance(domain, sym.FamilyDomain | sym.LinksAt) and domain.family not in families:
        families.append(domain.family)
        generators = model.families[domain.family].space.generators
        if len(generators) != 1 or len(generators[0].names) != 1:
            break
        domain = generators[0].domain
    return tuple(families)
