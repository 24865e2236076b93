"""Members as labels: of computed numbers, of ends of links, and of members found from others."""

import numpy as np

from mecdsl.diagnostics import Diagnostic, Label, ModelError, Span
from mecdsl.instances.evaluates import Evaluates
from mecdsl.instances.joins import LinkEnds, neighbours
from mecdsl.instances.tables import FloatArray, IntArray, Table
from mecdsl.instances.world import World
from mecdsl.model import symbolic as sym

ROUNDING = 1e-9
"""Relative: how far a computed index may be from a whole number."""


def labels_of(evaluator: Evaluates, expression: sym.Expression, table: Table) -> IntArray:
    """An index expression as int64 labels."""
    match expression:
        case sym.IndexValue(name=name):
            return table.columns[name]
        case sym.Member():
            return _member(evaluator, expression, table)
        case _:
            return whole_numbers(evaluator, expression, "an index", table)


def whole_numbers(
    evaluator: Evaluates, expression: sym.Expression, what: str, table: Table
) -> IntArray:
    """A data expression that must be an integer on every row. Raises `ModelError` (E309)."""
    numbers = evaluator.floats(expression, table)
    rounded = np.round(numbers)
    wrong = ~np.isfinite(numbers) | (
        np.abs(numbers - rounded) > ROUNDING * np.maximum(1.0, np.abs(numbers))
    )
    wrong |= np.abs(np.where(np.isfinite(numbers), numbers, 0.0)) >= 2.0**62
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        message = (
            f"{what} must be an integer, `{expression.span.text}` is "
            f"{numbers[row]:.6g}{evaluator.world.place_text(table, row)}"
        )
        raise ModelError([Diagnostic("E309", message, expression.span)])
    return rounded.astype(np.int64)


def link_end(evaluator: Evaluates, end: sym.LinkEnd, table: Table) -> FloatArray:
    """`l.from` or `l.to` on every row."""
    family = evaluator.world.families[end.family]
    rows = evaluator.labels(end.link, table)
    if len(family.names) == 1:
        rows = family.locate([rows], table.size)
    missing = np.flatnonzero((rows < 0) | (rows >= family.size))
    if len(missing):
        raise _no_member(evaluator.world, end.family, end.link.span, table, int(missing[0]))
    return link_ends(evaluator, end.family, end.end).labels[rows].astype(np.float64)


def link_ends(evaluator: Evaluates, name: str, end: int) -> LinkEnds:
    """The ends of all links of a family, found once for each instance."""
    world = evaluator.world
    if (name, end) not in world.ends:
        family = world.model.families[name]
        assert family.ends is not None
        labels = evaluator.labels(family.ends[end], world.families[name].table)
        world.ends[name, end] = LinkEnds.of(labels)
    return world.ends[name, end]


def _member(evaluator: Evaluates, member: sym.Member, table: Table) -> IntArray:
    """The labels or rows of members found from others."""
    family = evaluator.world.families[member.family]
    given = [evaluator.labels(argument, table) for argument in member.arguments]
    match member.function:
        case "first" | "last":
            if family.size == 0:
                message = f"`{member.span.text}` of an empty family"
                raise ModelError([Diagnostic("E309", message, member.span)])
            column = family.table.columns[family.names[0]]
            return np.full(table.size, column[0 if member.function == "first" else -1])
        case "prev" | "next":
            step = -1 if member.function == "prev" else 1
            labels, missing = neighbours(family, given[0], step)
        case "at" | "row":
            labels = family.locate(given, table.size)
            missing = np.flatnonzero(labels < 0) if member.function == "at" else labels[:0]
        case _:
            raise TypeError(f"unknown member {member.function}")
    if len(missing):
        raise _no_member(evaluator.world, member.family, member.span, table, int(missing[0]))
    return labels


def _no_member(world: World, family: str, span: Span, table: Table, row: int) -> ModelError:
    message = f"`{span.text}` is no member of `{family}`{world.place_text(table, row)}"
    labels = (Label(world.model.families[family].span, "declared here"),)
    fix = "add a condition, `where` or `if`, that leaves this row out"
    return ModelError([Diagnostic("E309", message, span, labels, help=fix)])
