"""Data with labels, put in the order of the symbol they are for; data without labels stay as they
are.

Labels are columns of a table called as the indices, the titles of a matrix, or the keys of nested
objects. Every way data come in, `from`, `--data`, `--set` and Python, passes here, so that all mean
the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from mecdsl.data_files.labels import NO_MEMBER, labels_of
from mecdsl.data_files.read import Given, is_records
from mecdsl.data_files.table import Table, no_column_name, number_or_text, records_table
from mecdsl.diagnostics import Diagnostic, Label, ModelError, Span, nearest
from mecdsl.instances.index_columns import Indexed, indexed
from mecdsl.instances.labelled_rows import Keys, in_order
from mecdsl.instances.named_values import named_values
from mecdsl.instances.tables import IntArray
from mecdsl.instances.world import World
from mecdsl.model import symbolic as sym


def aligned(world: World, symbol: sym.Symbol, given: Given) -> Given:
    """The data of a symbol with one value for each row, in order; unchanged where they have no
    labels.

    Raises `ModelError` for labels that are not those of the symbol, each once.
    """
    if not world.symbols[symbol.name].names or given.in_order:
        return given
    if given.table is not None:
        return _column(world, symbol, given.table, given)
    if isinstance(given.value, Mapping):
        return named_values(world, symbol, given)
    if is_records(given.value):
        table = records_table(symbol.name, given.value, given.place)
        return aligned_table(world, symbol, table, given.place(()))
    return given


def _column(world: World, symbol: sym.Symbol, table: Table, given: Given) -> Given:
    """A column of a table, ordered by the columns of its indices if it has them."""
    of = indexed(world, symbol.name)
    columns = of.column_of(table)
    labelled = [column for column in columns if column is not None]
    if not labelled:
        return given
    if len(labelled) < len(columns):
        raise _index_missing(symbol, table, of, columns)
    order = in_order(world, of, _keys(table, labelled))
    return _ordered(symbol, table, given.column, order)


def _keys(table: Table, columns: Sequence[int]) -> Keys:
    return Keys(
        cells=[table.cells[column] for column in columns],
        place=lambda row, position: table.place(row, columns[position]),
        whole=table.place(None, columns[0]),
    )


def _ordered(symbol: sym.Symbol, table: Table, column: int, order: IntArray) -> Given:
    """A column in the order of the symbol, its values still at their places in the file."""
    cells = table.cells[column] if symbol.member_of is not None else table.values(column)

    def place(indices: Sequence[str | int]) -> Span | None:
        return table.place(int(order[int(indices[0])]) if indices else None, column)

    return Given(
        value=[cells[row] for row in order], place=place, unit=table.split(column)[1], in_order=True
    )


def _index_missing(
    symbol: sym.Symbol, table: Table, of: Indexed, columns: Sequence[int | None]
) -> ModelError:
    missing = [
        index.name for index, column in zip(of.indices, columns, strict=True) if column is None
    ]
    shown = ", ".join(f"`{name}`" for name in missing)
    what = "no column for the index" if len(missing) == 1 else "no columns for the indices"
    first = next(column for column in columns if column is not None)
    fix = f"the rows of `{symbol.name}` are named by the columns {of.names}"
    labels = (Label(symbol.span, "declared here"),)
    message = f"the table has {what} {shown} of `{symbol.name}`"
    return ModelError([Diagnostic("E302", message, table.place(None, first), labels, help=fix)])


def aligned_table(
    world: World,
    symbol: sym.Symbol,
    table: Table,
    span: Span | None,
    others: frozenset[str] = frozenset(),
) -> Given:
    """The values of one parameter in a table of its own: a column for them, or a matrix.

    `others`: titles that belong to other parameters. `span`: where the model names the table. A
    column that is none of the indices, and no value, is an error.
    """
    of = indexed(world, symbol.name)
    columns = of.column_of(table)
    values = [c for c, title in enumerate(table.titles) if title in (symbol.name, _local(symbol))]
    values = [column for column in values if column not in columns]
    rest = [c for c in range(len(table.titles)) if c not in columns and c not in values]
    if not values and len(columns) > 1 and columns.count(None) >= 1:
        matrix = _matrix_rows(table, of, columns, rest)
        if matrix is not None:
            return _matrix(world, symbol, table, of, matrix)
    rest = [column for column in rest if table.titles[column] not in others]
    if not values and len(rest) == 1 and not _is_matrix_row(world, table, of, rest):
        values, rest = rest, []
        unnamed = no_column_name(table.titles[values[0]], table.place(None, values[0]))
        if unnamed is not None:
            raise ModelError([unnamed])
    if len(of.indices) == 2 and columns == [None, None] and _is_matrix_row(world, table, of, rest):
        raise _no_corner(symbol, table, of)
    if not values:
        raise _no_value(symbol, table, of, rest, span)
    for column in rest:
        raise _no_index(symbol, table, of, column, columns)
    given = Given(
        value=[],
        place=table.column_place(values[0]),
        unit=table.split(values[0])[1],
        table=table,
        column=values[0],
    )
    if all(column is None for column in columns):
        cells = table.cells[values[0]] if symbol.member_of is not None else table.values(values[0])
        return replace(given, value=cells)
    return _column(world, symbol, table, given)


def _local(symbol: sym.Symbol) -> str:
    return symbol.name.rpartition(".")[2]


def _is_matrix_row(world: World, table: Table, of: Indexed, columns: Sequence[int]) -> bool:
    """Whether titles, but for the first, are labels of one of the indices, so that the table is
    meant as a matrix.
    """
    titles = [table.titles[column] for column in columns if column]
    names = [world.label_names(index.domain) for index in of.indices]
    return bool(titles) and any(NO_MEMBER not in labels_of(titles, known) for known in names)


def _no_corner(symbol: sym.Symbol, table: Table, of: Indexed) -> ModelError:
    first, second = of.indices
    message = (
        f"the first column of the matrix for `{symbol.name}` is called after no index: "
        f"`{table.headers[0]}`"
    )
    fix = (
        f"call it `{first.name}`, with the labels of `{second.name}` as the other titles, "
        f"or `{second.name}`, "
    )
    fix += f"with those of `{first.name}`"
    labels = (Label(symbol.span, "declared here"),)
    return ModelError([Diagnostic("E303", message, table.place(None, 0), labels, help=fix)])


def _no_value(
    symbol: sym.Symbol, table: Table, of: Indexed, rest: Sequence[int], span: Span | None
) -> ModelError:
    local = _local(symbol)
    near = nearest(local, [table.titles[column] for column in rest])
    fix = f"rename the column `{near}`" if near else f"name one of them `{local}`"
    name = table.name.replace("\\", "/").rsplit("/", 1)[-1]
    message = f"`{name}` has no column `{local}`, it has {', '.join(table.titles)}"
    if not rest:
        fix = f"add a column `{local}` with the values"
    elif of.indices and len(rest) > 2:
        fix += f"; columns of labels are called {of.names}"
    return ModelError([Diagnostic("E301", message, span or table.place(None, 0), help=fix)])


def _no_index(
    symbol: sym.Symbol, table: Table, of: Indexed, column: int, columns: Sequence[int | None]
) -> ModelError:
    title = table.titles[column]
    free = [
        index.name for index, position in zip(of.indices, columns, strict=True) if position is None
    ]
    message = f"`{title}` is none of the indices of `{symbol.name}`: {of.names}"
    if not of.indices:
        message = f"`{symbol.name}` has no index, and the table has a column `{title}`"
    fix = f"call the column `{free[0]}`, or delete it" if len(free) == 1 else "delete the column"
    if len(free) > 1:
        fix = f"call the columns of labels {of.names}, or delete the column"
    labels = (Label(symbol.span, "declared here"),)
    return ModelError([Diagnostic("E303", message, table.place(None, column), labels, help=fix)])


# Matrices: the labels of one index stand in the header


def _matrix_rows(
    table: Table, of: Indexed, columns: Sequence[int | None], rest: Sequence[int]
) -> list[int | None] | None:
    """For each index its column, None for the one index whose labels stand in the header; None if
    it is no matrix.

    A corner without a title stands over the labels of the first index.
    """
    labelled = list(columns)
    if len(labelled) == 2 and labelled.count(None) == 2 and rest and table.titles[0] == "":
        labelled[0] = 0
    if labelled.count(None) != 1 or not rest:
        return None
    return labelled if len([c for c in rest if c not in labelled]) > 0 else None


def _matrix(
    world: World, symbol: sym.Symbol, table: Table, of: Indexed, columns: Sequence[int | None]
) -> Given:
    """A matrix as a long table: one row for each cell; an empty cell is no value."""
    across = columns.index(None)
    body = [column for column in range(len(table.titles)) if column not in columns]
    names = world.label_names(of.indices[across].domain)
    headers = [_header(table, column, names) for column in body]
    _refuse_no_labels(world, symbol, table, of, across, body)
    filled = [
        (row, place)
        for row in range(table.size)
        for place, column in enumerate(body)
        if table.cells[column][row] != ""
    ]
    cells = [
        [headers[place][0] for _, place in filled]
        if column is None
        else [table.cells[column][row] for row, _ in filled]
        for column in columns
    ]

    def cell_place(row: int, position: int = -1) -> Span | None:
        at, place = filled[row]
        return table.place(None if position == across else at, body[place])

    keys = Keys(cells, cell_place, table.place(None, 0), each="give each pair one cell")
    order = in_order(world, indexed(world, symbol.name), keys)
    values = [_with_unit(table.cells[body[p]][row], headers[p][1], symbol) for row, p in filled]

    def place_of(indices: Sequence[str | int]) -> Span | None:
        return cell_place(int(order[int(indices[0])])) if indices else table.place(None, 0)

    return Given(value=[values[row] for row in order], place=place_of, in_order=True)


def _header(table: Table, column: int, names: Sequence[str] | None) -> tuple[str, str | None]:
    """The label in a header, and its unit; a name may itself end in brackets."""
    header = table.headers[column]
    if labels_of([header], names) != [NO_MEMBER]:
        return header, None
    return table.split(column)


def _with_unit(cell: Any, unit: str | None, symbol: sym.Symbol) -> Any:
    value = cell if symbol.member_of is not None else number_or_text(cell)
    return f"{value!r} {unit}" if unit is not None and isinstance(value, int | float) else value


def _refuse_no_labels(
    world: World, symbol: sym.Symbol, table: Table, of: Indexed, across: int, body: Sequence[int]
) -> None:
    """A header of which nothing is a label is no matrix, but a table without one of its columns."""
    index = of.indices[across]
    names = world.label_names(index.domain)
    labels = labels_of([_header(table, column, names)[0] for column in body], names)
    if any(label != NO_MEMBER for label in labels):
        return
    message = f"the table has no column for the index `{index.name}` of `{symbol.name}`"
    fix = f"one row for each value, with columns {of.names} and `{_local(symbol)}`, "
    fix += f"or a matrix with the labels of `{index.name}` as titles"
    marks = (Label(symbol.span, "declared here"),)
    raise ModelError([Diagnostic("E302", message, table.place(None, body[0]), marks, help=fix)])
