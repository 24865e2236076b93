"""Constraints without rows and links that match nothing: legal, and mostly a condition that was
meant otherwise.
"""

from collections.abc import Iterator

from mecdsl.diagnostics import Diagnostic, Severity, Span
from mecdsl.instances.instance import Instance
from mecdsl.model import symbolic as sym
from mecdsl.parsing.syntax import FamilyKind

CONDITION = "look at the condition, and at the data it compares"
SETS = "look at the sets it runs over"


def empty_families(instance: Instance) -> tuple[Diagnostic, ...]:
    """A warning for every links family without members, and constraint without rows, that no other
    one explains.
    """
    return tuple(_warnings(instance))


def _warnings(instance: Instance) -> Iterator[Diagnostic]:
    families = instance.model.families
    empty = {name for name, table in instance.world.families.items() if not table.size}
    for name in sorted(empty):
        family = families[name]
        if family.kind is FamilyKind.LINKS and not empty & set(_over(family.space)):
            yield _warning(
                f"links `{name}` has no member with these data", family.span, family.space
            )
    for rows in instance.constraints:
        space = rows.constraint.space
        if not rows.size and not empty & set(_over(space)):
            message = f"constraint `{rows.name}` has no row with these data"
            yield _warning(message, rows.constraint.span, space)


def _over(space: sym.Space) -> Iterator[str]:
    for generator in space.generators:
        if isinstance(generator.domain, sym.FamilyDomain):
            yield generator.domain.family


def _warning(message: str, span: Span, space: sym.Space) -> Diagnostic:
    fix = SETS if space.condition is None else CONDITION
    return Diagnostic("W404", message, span, help=fix, severity=Severity.WARNING)
