"""The name of the objective as a value: in `report twice : s = 2*latency`, `latency` is what is
minimized.

An objective whose name is used anywhere becomes a definition as well, so that every later pass, the
order of definitions and the circles among them included, treats it like any other. An objective
nobody names is left alone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import fields, is_dataclass

from mecdsl.diagnostics import Span
from mecdsl.parsing import syntax

PARTS: dict[
    type, tuple[str, ...]
] = {}  # by kind of node, its fields, which `fields` is slow to tell


def objective_as_definition(
    statements: Iterable[object], declared: Iterable[str]
) -> syntax.Declaration | None:
    """The definition an objective is, if its name is used and nothing that is declared has it."""
    statements = tuple(statements)
    objective = next((s for s in statements if isinstance(s, syntax.Objective)), None)
    if (
        objective is None
        or objective.name in declared
        or objective.name not in _free_names(statements)
    ):
        return None
    return syntax.Declaration(
        kind=syntax.Kind.LET,
        name=objective.name,
        index=None,
        type=objective.type,
        value=objective.value,
        source_file=None,
        doc=objective.doc or "the objective",
        span=objective.span,
        name_span=objective.name_span,
    )


def _free_names(statements: Iterable[object]) -> frozenset[str]:
    """The names in the expressions of statements that are no index there; forms are no statements
    of the model.
    """
    return frozenset(
        name for s in statements if not isinstance(s, syntax.Form) for name in _names(s)
    )


def _names(statement: object) -> Iterator[str]:
    stack: list[tuple[object, frozenset[str]]] = [
        (statement, frozenset())
    ]  # a node, and the indices around it
    while stack:
        node, bound = stack.pop()
        if isinstance(node, syntax.Name) and node.name not in bound:
            yield node.name
        if isinstance(node, tuple):
            stack += [(item, bound) for item in node]
        elif parts := _parts(type(node)):
            generators = _generators(node)
            bound = (
                bound.union(*(generator.names for generator in generators)) if generators else bound
            )
            stack += [(getattr(node, part), bound) for part in parts]


def _parts(kind: type) -> tuple[str, ...]:
    """The fields of a kind of node; none of a place and of what is no node."""
    if kind not in PARTS:
        names = (
            tuple(field.name for field in fields(kind))
            if is_dataclass(kind) and kind is not Span
            else ()
        )
        PARTS[kind] = names
    return PARTS[kind]


def _generators(node: object) -> tuple[syntax.Generator, ...]:
    """The generators whose indices hold in all parts of a node."""
    if isinstance(node, syntax.Aggregate):
        return node.generators
    index = getattr(node, "index", None)
    return index.generators if isinstance(index, syntax.IndexList) else ()
