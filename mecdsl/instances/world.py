"""The data of an instance while it grows, and the words for its members and rows."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from mecdsl.instances.joins import LinkEnds
from mecdsl.instances.tables import FamilyTable, FloatArray, Table
from mecdsl.model import symbolic as sym
from mecdsl.model.classes import Classifier

BARE_NAME = re.compile(r"[^\W\d]\w*")


@dataclass(slots=True, eq=False, kw_only=True)
class World:
    """The data of an instance while it grows: tables of families and symbols, values of data
    symbols.

    `values`: float64, one entry per row of the symbol's table. `offsets`: first column of each
    variable family. `domains`: what each index ran over last, for messages only. `ends`: both ends
    of the links families asked for. `drawn`: symbols with values that were drawn at random.
    """

    model: sym.Model
    shapes: Classifier
    families: dict[str, FamilyTable]
    symbols: dict[str, FamilyTable]
    values: dict[str, FloatArray]
    offsets: dict[str, int]
    domains: dict[str, sym.Domain] = field(default_factory=dict)
    seed: int = 0
    ends: dict[tuple[str, int], LinkEnds] = field(default_factory=dict)
    drawn: set[str] = field(default_factory=set)

    def labels_text(self, space: sym.Space, labels: Sequence[int]) -> str:
        """`[3, gateway]`: labels as the user knows them."""
        if not labels:
            return ""
        words = [
            self.label_text(d, label)
            for d, label in zip(self.index_domains(space), labels, strict=False)
        ]
        words += [str(label) for label in labels[len(words) :]]
        return "[" + ", ".join(words) + "]"

    def index_domains(self, space: sym.Space) -> list[sym.Domain]:
        """What each index of a space runs over; `(m, n) in pair` leads to what the indices of
        `pair` run over.
        """
        domains: list[sym.Domain] = []
        for generator in space.generators:
            if len(generator.names) > 1 and isinstance(
                generator.domain, sym.FamilyDomain | sym.LinksAt
            ):
                domains += self.index_domains(self.model.families[generator.domain.family].space)
            else:
                domains.append(generator.domain)
        return domains

    def label_text(self, domain: sym.Domain | None, label: int) -> str:
        """`3`, `gateway` or `uplink[1, 2]`: a label as the user knows it."""
        names = self.label_names(domain) if domain else None
        if names and 1 <= label <= len(names):
            return written(names[label - 1])
        if isinstance(domain, sym.FamilyDomain | sym.LinksAt) and domain.family in self.families:
            family, space = self.families[domain.family], self.model.families[domain.family].space
            if len(family.names) > 1 and 0 <= label < family.size:
                return self.row_text(domain.family, label)
            if len(space.generators) == 1 and len(space.names) == 1:  # a subset
                return self.label_text(space.generators[0].domain, label)
        return str(label)

    def label_names(self, domain: sym.Domain) -> tuple[str, ...] | None:
        """The names of the members of a domain, None where they are integers."""
        if isinstance(domain, sym.RangeDomain | sym.ListDomain):
            return self.model.families[domain.names_of].labels if domain.names_of else None
        if not isinstance(domain, sym.FamilyDomain | sym.LinksAt):
            return None
        family = self.model.families[domain.family]
        if family.labels is not None:
            return family.labels
        generators = family.space.generators
        single = len(generators) == 1 and len(generators[0].names) == 1
        return self.label_names(generators[0].domain) if single else None

    def place_text(self, table: Table, row: int) -> str:
        """` at k = 3, l = uplink[1, 2]`: the indices in scope on one row of a table."""
        words = []
        for name, column in table.columns.items():
            if name.endswith(" "):  # a pattern of `fix` or `start`
                continue
            words.append(f"{name} = {self.label_text(self.domains.get(name), int(column[row]))}")
        return " at " + ", ".join(words) if words else ""

    def row_text(self, name: str, row: int) -> str:
        """`learner.cpu[3]`: one member of a symbol or family."""
        family = self.symbols.get(name) or self.families[name]
        space = (
            self.model.symbols[name].space
            if name in self.model.symbols
            else self.model.families[name].space
        )
        labels = [int(family.table.columns[index][row]) for index in family.names]
        return name + self.labels_text(space, labels)


def written(name: str) -> str:
    """The name of a member as it is written in a model: bare if that can be read, else in
    quotes.
    """
    return name if BARE_NAME.fullmatch(name) else f'"{name}"'
