"""Sets whose members are written one by one, as tuples in the model or as lines of a file, and the
ends of links.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from mecdsl.data_files.labels import labels_of, text_of
from mecdsl.data_files.members import set_table
from mecdsl.data_files.read import beside
from mecdsl.data_files.table import Table as DataTable
from mecdsl.diagnostics import Diagnostic, Label, ModelError, Span, nearest
from mecdsl.instances.evaluate import Evaluator
from mecdsl.instances.evaluate_members import link_ends
from mecdsl.instances.files_beside import read_by_others
from mecdsl.instances.index_columns import Index, indexed
from mecdsl.instances.tables import SINGLE, IntArray, Table
from mecdsl.instances.world import World
from mecdsl.model import symbolic as sym
from mecdsl.parsing.syntax import FamilyKind


@dataclass(frozen=True, slots=True)
class _Listed:
    """Members as label columns; `cell` and `place` tell what the user wrote for an index (or the
    whole member).
    """

    columns: list[IntArray]
    cell: Callable[[int, int], str]
    place: Callable[[int, int | None], Span | None]


def is_listed(family: sym.Family) -> bool:
    """Whether the members of a family are written one by one and not computed from its space."""
    return family.kind is FamilyKind.SET and (
        family.listed is not None or family.source_file is not None
    )


def listed_table(evaluator: Evaluator, family: sym.Family) -> Table:
    """The members in order, by first, then second index, that meet the condition.

    Raises `ModelError` for a member outside of the sets its indices run over and for one that
    stands twice.
    """
    listed = (
        _written(evaluator, family)
        if family.listed is not None
        else _from_file(evaluator.world, family)
    )
    names = family.space.names
    table = Table(len(listed.columns[0]), dict(zip(names, listed.columns, strict=True)))
    _check_members(evaluator, family, listed, table)
    order = np.lexsort(tuple(reversed(listed.columns))).astype(np.int64)
    _check_repeats(family, listed, order)
    table = table.take(order)
    if family.space.condition is not None:
        table = table.take(np.flatnonzero(evaluator.condition(family.space.condition, table)))
    return table


def _written(evaluator: Evaluator, family: sym.Family) -> _Listed:
    """The members of `set pair = {(1, 2), (2, 3)}`."""
    members = family.listed or ()
    labels = np.array(
        [[int(evaluator.labels(item, SINGLE)[0]) for item in member] for member in members],
        dtype=np.int64,
    ).reshape(len(members), family.arity)

    def place(row: int, position: int | None) -> Span:
        member = members[row]
        return member[0].span.to(member[-1].span) if position is None else member[position].span

    return _Listed(list(labels.T), lambda row, position: members[row][position].span.text, place)


def _from_file(world: World, family: sym.Family) -> _Listed:
    """The members of `set pair[m in device, n in server] from "pairs.csv"`: one column for each
    index.
    """
    of = indexed(world, family.name)
    table = set_table(beside(family.source_file or "", family.span), family.name)
    untitled = table.titles == tuple(str(number) for number in range(1, len(of.indices) + 1))
    positions = list(range(len(of.indices))) if untitled else of.column_of(table)
    columns = [
        _required(family, table, index, column)
        for index, column in zip(of.indices, positions, strict=True)
    ]
    _refuse_other_columns(world, family, table, columns)
    labels = [
        np.array(labels_of(table.cells[column], world.label_names(index.domain)), dtype=np.int64)
        for column, index in zip(columns, of.indices, strict=True)
    ]

    def cell(row: int, position: int) -> str:
        return text_of(table.cells[columns[position]][row])

    return _Listed(labels, cell, lambda row, position: table.place(row, columns[position or 0]))


def _required(family: sym.Family, table: DataTable, index: Index, column: int | None) -> int:
    if column is not None:
        return column
    near = nearest(index.name, table.titles)
    fix = (
        f"rename the column `{near}`" if near else "each index of the set has a column of its name"
    )
    message = (
        f"`{family.source_file}` has no column `{index.name}`, it has {', '.join(table.titles)}"
    )
    raise ModelError([Diagnostic("E301", message, family.span, help=fix)])


def _refuse_other_columns(
    world: World, family: sym.Family, table: DataTable, columns: Sequence[int]
) -> None:
    """A column that is no index belongs to a family or parameter that reads the same file, or is an
    error.
    """
    others = read_by_others(world, family.name, family.source_file or "")
    for column, name in enumerate(table.titles):
        if column not in columns and name not in others:
            message = f"`{family.name}` has no index `{name}`"
            fix = (
                f"the columns of a set are its indices, {', '.join(family.space.names)}; "
                "delete the column"
            )
            raise ModelError([Diagnostic("E303", message, table.place(None, column), help=fix)])


def _check_members(evaluator: Evaluator, family: sym.Family, listed: _Listed, table: Table) -> None:
    """Each index of each member lies in the set it runs over."""
    position = 0
    for generator in family.space.generators:
        names = generator.names
        indices = tuple(sym.IndexValue(name, generator.span) for name in names)
        value: sym.Expression = indices[0]
        if len(indices) > 1 and isinstance(generator.domain, sym.FamilyDomain):
            value = sym.Member(generator.domain.family, "row", indices, generator.span)
        inside = evaluator.condition(sym.Membership(value, generator.domain, generator.span), table)
        outside = np.flatnonzero(~inside)
        if len(outside):
            row = int(outside[0])
            shown = ", ".join(listed.cell(row, position + offset) for offset in range(len(names)))
            over = (
                generator.domain.family
                if isinstance(generator.domain, sym.FamilyDomain)
                else generator.span.text
            )
            message = f"`{shown}` is no member of `{over}`"
            labels = (Label(generator.span, f"`{', '.join(names)}` runs over it"),)
            raise ModelError([Diagnostic("E306", message, listed.place(row, position), labels)])
        position += len(names)


def _check_repeats(family: sym.Family, listed: _Listed, order: IntArray) -> None:
    """No member stands twice.

    `order`: the members sorted, equal ones in the order they are written.
    """
    same = np.ones(max(0, len(order) - 1), dtype=bool)
    for column in listed.columns:
        same &= column[order[1:]] == column[order[:-1]]
    twice = np.flatnonzero(same)
    if not len(twice):
        return
    at = int(twice[np.argmin(order[twice + 1])])
    first, second = int(order[at]), int(order[at + 1])
    member = ", ".join(listed.cell(second, position) for position in range(len(listed.columns)))
    where = listed.place(first, None)
    labels = (Label(where, "the first is here"),) if where else ()
    message = f"`{family.name}` holds ({member}) twice"
    raise ModelError(
        [
            Diagnostic(
                "E307", message, listed.place(second, None), labels, help="keep one of the two"
            )
        ]
    )


def check_link_ends(evaluator: Evaluator, family: sym.Family) -> None:
    """Every link begins and ends at a member.

    Raises `ModelError` that names the first link that does not.
    """
    for end, (target, word) in enumerate(
        zip(family.end_families, ("begins", "leads"), strict=True)
    ):
        if target is None or family.ends is None:
            continue
        nodes, labels = (
            evaluator.world.families[target],
            link_ends(evaluator, family.name, end).labels,
        )
        if len(nodes.names) == 0:
            continue  # a single node
        if len(nodes.names) == 1:
            missing = np.flatnonzero(nodes.locate([labels], len(labels)) < 0)
        else:
            missing = np.flatnonzero((labels < 0) | (labels >= nodes.size))
        if len(missing):
            row = int(missing[0])
            shown = evaluator.world.label_text(sym.FamilyDomain(target), int(labels[row]))
            link = evaluator.world.row_text(family.name, row)
            message = (
                f"`{link}` {word} {'at' if end == 0 else 'to'} {shown}, no member of `{target}`"
            )
            span = family.ends[end].span
            raise ModelError(
                [Diagnostic("E309", message, span, (Label(family.span, "declared here"),))]
            )
