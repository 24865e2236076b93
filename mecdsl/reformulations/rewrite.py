"""Tools of passes that change symbolic expressions: free indices, substitution, comparison by
structure.

They go through the fields of the nodes and not through a list of node types, so a new kind of node
is treated right as long as its parts are expressions, sets, generators or tuples of these.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, cast

from mecdsl.diagnostics import Span
from mecdsl.model import symbolic as sym

Values = Mapping[
    str, sym.Expression | str
]  # what stands for an index: an expression, or another name


def map_parts(
    node: sym.Expression, change: Callable[[sym.Expression], sym.Expression]
) -> sym.Expression:
    """The node with every expression in it replaced; those in domains included."""
    return cast(sym.Expression, _map_fields(node, change))


def _map_fields(node: Any, change: Callable[[sym.Expression], sym.Expression]) -> Any:
    found = {field.name: getattr(node, field.name) for field in fields(node)}
    mapped = {name: _map_value(value, change) for name, value in found.items()}
    changed = {name: value for name, value in mapped.items() if value is not found[name]}
    return replace(node, **changed) if changed else node


def _map_value(value: Any, change: Callable[[sym.Expression], sym.Expression]) -> Any:
    if isinstance(value, Span):
        return value
    if isinstance(value, sym.Expression):
        return change(value)
    if isinstance(value, tuple):
        mapped = tuple(_map_value(item, change) for item in value)
        return value if all(new is old for new, old in zip(mapped, value, strict=True)) else mapped
    if isinstance(value, sym.Space | sym.Generator | sym.Domain):
        return _map_fields(value, change)
    return value


def free_names(expression: sym.Expression) -> frozenset[str]:
    """The indices an expression takes from outside."""
    match expression:
        case sym.IndexValue(name=name):
            return frozenset({name})
        case sym.Aggregate(body=body, space=space):
            return all_names((body, *sym.space_parts(space))) - set(space.names)
        case _:
            return all_names(sym.children(expression))


def all_names(expressions: Iterable[sym.Expression]) -> frozenset[str]:
    """The indices any of some expressions takes from outside."""
    return frozenset().union(*map(free_names, expressions))


def substitute(expression: sym.Expression, values: Values) -> sym.Expression:
    """The expression with other expressions in place of free indices; bound indices that clash are
    renamed.
    """
    match expression:
        case sym.IndexValue(name=name):
            value = values.get(name, expression)
            return replace(expression, name=value) if isinstance(value, str) else value
        case sym.Aggregate():
            space, inner = substitute_space(expression.space, values, _names_in(values))
            return replace(expression, space=space, body=substitute(expression.body, inner))
        case _:
            return map_parts(expression, lambda part: substitute(part, values))


def substitute_space(
    space: sym.Space, values: Values, taken: Iterable[str]
) -> tuple[sym.Space, Values]:
    """The space with the values put in and its indices apart from those taken; and the values for
    what is inside.
    """
    taken, inner = set(taken), dict(values)
    generators: list[sym.Generator] = []
    for generator in space.generators:
        moved: sym.Generator = _map_value(generator, lambda part: substitute(part, inner))
        names: list[str] = []
        for name in generator.names:
            inner.pop(name, None)
            new = unused(name, taken)
            taken.add(new)
            names.append(new)
            if new != name:
                inner[name] = new
        generators.append(replace(moved, names=tuple(names)))
    condition = None if space.condition is None else substitute(space.condition, inner)
    return sym.Space(tuple(generators), condition), inner


def _names_in(values: Values) -> frozenset[str]:
    names = frozenset(value for value in values.values() if isinstance(value, str))
    return names | all_names(value for value in values.values() if not isinstance(value, str))


def unused(name: str, taken: Iterable[str]) -> str:
    """The name, with a number if it is taken."""
    taken = set(taken)
    new, number = name, 2
    while new in taken:
        new, number = f"{name}_{number}", number + 1
    return new


def structure(part: Any, names: Mapping[str, int]) -> Hashable:
    """What an expression, space or domain says, free of places and of what its indices are called.

    `names`: the number that stands for an index. Equal structures over equal spaces have equal
    values.
    """
    if isinstance(part, sym.IndexValue):
        return ("index", names.get(part.name, part.name))
    if isinstance(part, sym.Aggregate):
        space, inner = structure_of_space(part.space, names)
        return ("aggregate", part.function, space, structure(part.body, inner))
    if isinstance(part, tuple):
        return tuple(structure(item, names) for item in part)
    if is_dataclass(part) and not isinstance(part, type):
        kept = (getattr(part, field.name) for field in fields(part) if field.name != "span")
        return (type(part).__name__, *(structure(value, names) for value in kept))
    return cast(Hashable, part)


def structure_of_space(
    space: sym.Space, names: Mapping[str, int]
) -> tuple[Hashable, dict[str, int]]:
    """The structure of a space, and the numbers of the indices inside it."""
    inner = dict(names)
    structures: list[Hashable] = []
    for generator in space.generators:
        structures.append((structure(generator.domain, inner), len(generator.names)))
        for name in generator.names:
            inner[name] = len(inner)
    return (
        tuple(structures),
        None if space.condition is None else structure(space.condition, inner),
    ), inner
