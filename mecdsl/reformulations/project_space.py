"""The space a product needs: of the indices in scope only those its factors use, with the
conditions on them.
"""

from collections.abc import Iterable, Sequence

from mecdsl.model import symbolic as sym
from mecdsl.reformulations.compose import ONE, every, written
from mecdsl.reformulations.rewrite import all_names, free_names


def project(frames: Sequence[sym.Space], used: Iterable[str]) -> sym.Space:
    """The rows of nested spaces seen through some of their indices, each once.

    An index that is not used goes; where a condition or the range of another index holds it, what
    is left is the condition that some value of it exists. The rows are a superset only if a range
    is empty whatever the rest is.
    """
    generators = [generator for frame in frames for generator in frame.generators]
    conditions = [part for frame in frames for part in _conjuncts(frame.condition)]
    kept = _with_needed(generators, used)
    names = {name for generator in kept for name in generator.names}
    inner = [part for part in conditions if not free_names(part) <= names]
    outer = [part for part in conditions if free_names(part) <= names]
    dropped = [generator for generator in generators if generator not in kept]
    bound = [g for g in dropped if all_names(sym.domain_parts(g.domain))]
    involved = _with_needed(
        dropped, {*all_names(inner), *(name for g in bound for name in g.names)}
    )
    if involved:
        body = every(inner) or sym.Operation("==", (ONE, ONE), written("1 == 1"))
        outer.append(sym.Aggregate("any", body, sym.Space(tuple(involved)), body.span))
    return sym.Space(tuple(kept), every(outer))


def _with_needed(generators: Sequence[sym.Generator], used: Iterable[str]) -> list[sym.Generator]:
    """The generators of some indices, and those that the domains of these need."""
    needed, kept = set(used), []
    for generator in reversed(generators):
        if needed & set(generator.names):
            kept.append(generator)
            needed |= all_names(sym.domain_parts(generator.domain))
    return kept[::-1]


def _conjuncts(condition: sym.Expression | None) -> list[sym.Expression]:
    """The parts that `and` joins."""
    match condition:
        case None:
            return []
        case sym.Operation(operator="and", operands=(left, right)):
            return [*_conjuncts(left), *_conjuncts(right)]
        case _:
            return [condition]
