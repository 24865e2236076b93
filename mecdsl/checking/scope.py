"""What names mean where: the declared families and symbols, and the indices in scope."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from mecdsl.diagnostics import Collector
from mecdsl.parsing import syntax
from mecdsl.units import NO_OWN, OwnUnits

INTEGERS = "integers"


class Unresolved(Exception):
    """The expression has a fault that is already reported."""


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """What an index ranges over: `family` if its values are members of one, `root` their label
    space.

    `row`: the value is a row of a family with several indices. `cuts_of`: the values are cuts of
    these layers.
    """

    family: str | None = None
    root: str = INTEGERS
    row: bool = False
    cuts_of: str | None = None


@dataclass(slots=True)
class FamilyHead:
    """What is known of a family before its expressions are resolved."""

    declared: syntax.Family
    indices: dict[str, IndexInfo] = field(default_factory=dict)
    labels: tuple[str, ...] | None = None
    parents: tuple[str, ...] = ()
    end_families: tuple[str | None, str | None] = (None, None)

    @property
    def arity(self) -> int:
        return len(self.indices)


@dataclass(slots=True)
class SymbolHead:
    """What is known of a symbol before its expressions are resolved."""

    declared: syntax.Declaration
    name: str
    owner: str | None
    indices: tuple[tuple[str, IndexInfo], ...] = ()
    member_of: str | None = None


@dataclass(slots=True, kw_only=True)
class Names:
    """All declared names of a model."""

    collector: Collector
    units: OwnUnits = NO_OWN
    families: dict[str, FamilyHead] = field(default_factory=dict)
    symbols: dict[str, SymbolHead] = field(default_factory=dict)
    constraint_names: dict[str, syntax.Constraint] = field(default_factory=dict)
    labels: dict[str, tuple[tuple[str, int], ...]] = field(default_factory=dict)

    def collect_labels(self) -> None:
        """Note the names that are members: the families they belong to and their positions there
        from 1.

        Names in the text belong to one family; names that files list may be in several.
        """
        for name, head in self.families.items():
            for position, label in enumerate(head.labels or (), 1):
                self.labels[label] = (*self.labels.get(label, ()), (name, position))


@dataclass(frozen=True, slots=True)
class Scope:
    """Indices in scope, and the family whose block the expression stands in."""

    indices: Mapping[str, IndexInfo] = field(default_factory=dict)
    owner: str | None = None

    def with_indices(self, indices: Mapping[str, IndexInfo]) -> "Scope":
        """The scope inside generators."""
        return replace(self, indices={**self.indices, **indices})


def known_names(names: Names, scope: Scope) -> list[str]:
    """Every name that could stand in an expression, for proposals."""
    bare = [
        name.split(".", 1)[1]
        for name in names.symbols
        if scope.owner and name.startswith(scope.owner + ".")
    ]
    return [*scope.indices, *bare, *names.symbols, *names.families, *names.labels]
