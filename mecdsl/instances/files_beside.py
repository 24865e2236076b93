"""Data in files beside the model: `from "file.csv"` of a family and of a parameter."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from mecdsl.data_files.read import Given, beside, columns_of, is_records, read_data, read_document
from mecdsl.data_files.table import Table, no_column_name
from mecdsl.diagnostics import Diagnostic, ModelError, Span, nearest
from mecdsl.instances.align import aligned_table
from mecdsl.instances.index_columns import Indexed, indexed
from mecdsl.instances.labelled_rows import Keys, in_order
from mecdsl.instances.world import World
from mecdsl.model import symbolic as sym
from mecdsl.parsing.syntax import Kind


def family_file(world: World, family: sym.Family) -> dict[str, Given]:
    """The attributes of a family by qualified name; the columns of a table know those of the
    indices beside them.

    Raises `ModelError` for a file that cannot be read, columns that are neither, and members that
    stand not exactly once where no attribute would find out.
    """
    if family.layer_file is not None:
        return {
            f"{family.name}.{title}": column for title, column in family.layer_file.columns.items()
        }
    path = beside(family.source_file or "", family.span)
    entries = _family_entries(world, family, path)
    attributes: dict[str, Given] = {}
    for name, column in entries.items():
        qualified = name if name.startswith(family.name + ".") else f"{family.name}.{name}"
        if qualified not in world.model.symbols and _is_index(world, family, name):
            continue
        _require_attribute(world, family, qualified, column)
        attributes[qualified] = column
    table = next((column.table for column in entries.values() if column.table is not None), None)
    if table is not None and not attributes:
        _check_members(world, family, table)
    return attributes


def _family_entries(world: World, family: sym.Family, path: Path) -> dict[str, Given]:
    """What a file says of a family by name; objects for each member are turned round to be by
    attribute.
    """
    listed = None if path.suffix.lower() == ".csv" else read_document(path)[0]
    if isinstance(listed, list) and not is_records(listed) and family.labels is not None:
        return {}  # names alone
    entries = _entries(world, path, _indexed_by(world, family))
    parameters = {s.name for s in world.model.of_kind(Kind.PARAM) if s.owner == family.name}
    members = {name.removeprefix(f"{family.name}."): given for name, given in entries.items()}
    if not members or any(f"{family.name}.{name}" in parameters for name in members):
        return entries
    if not all(isinstance(given.value, Mapping) for given in members.values()):
        return entries
    titles = dict.fromkeys(title for given in members.values() for title in given.value)
    if not any(f"{family.name}.{title}" in parameters for title in titles):
        return entries
    return {title: _by_attribute(members, title) for title in titles}


def _by_attribute(members: Mapping[str, Given], title: str) -> Given:
    """One attribute of objects that have a member each."""
    values = {name: given.value[title] for name, given in members.items() if title in given.value}
    first = next(name for name in members if name in values)

    def place(path: Sequence[str | int]) -> Span | None:
        name = str(path[0]) if path else first
        return members[name].place((title, *path[1:]))

    return Given(value=values, place=place)


def _indexed_by(world: World, family: sym.Family) -> list[Indexed]:
    """What may order the rows: the indices of the family, and those of its attributes besides."""
    attributes = [s.name for s in world.model.of_kind(Kind.PARAM) if s.owner == family.name]
    return [indexed(world, name) for name in (family.name, *attributes)]


def _is_index(world: World, family: sym.Family, title: str) -> bool:
    return any(of.is_index(title) for of in _indexed_by(world, family))


def _check_members(world: World, family: sym.Family, table: Table) -> None:
    """A table of labels alone lists the members of the family, each once."""
    of = indexed(world, family.name)
    columns = [column for column in of.column_of(table) if column is not None]
    if columns and len(columns) == len(of.indices):
        cells = [table.cells[column] for column in columns]
        keys = Keys(
            cells, lambda row, at: table.place(row, columns[at]), table.place(None, columns[0])
        )
        in_order(world, of, keys)


def _entries(world: World, path: Path, orders: Sequence[Indexed]) -> dict[str, Given]:
    """What a file holds by name.

    Lists in JSON and TOML beside the labels of an index are the columns of a table.
    """
    entries = read_data(path, tuple(world.model.families))
    if any(given.table is not None for given in entries.values()):
        return entries
    lists = {name: given for name, given in entries.items() if isinstance(given.value, list)}
    if not any(of.is_index(name) for name in lists for of in orders):
        return entries
    sizes = {name: len(given.value) for name, given in lists.items()}
    if len(set(sizes.values())) > 1:
        shown = ", ".join(f"`{name}` {size}" for name, size in sizes.items())
        last = list(lists.values())[-1]
        raise ModelError(
            [Diagnostic("E302", f"the columns differ in length: {shown}", last.place(()))]
        )
    titles = tuple(lists)

    def place(row: int | None, column: int) -> Span | None:
        return lists[titles[column]].place(() if row is None else (row,))

    table = Table(str(path), titles, tuple(list(given.value) for given in lists.values()), place)
    return {**entries, **columns_of(table)}


def _require_attribute(world: World, family: sym.Family, qualified: str, column: Given) -> None:
    attributes = [s.name for s in world.model.of_kind(Kind.PARAM) if s.owner == family.name]
    if qualified in attributes:
        return
    name, place = qualified.split(".", 1)[1], column.place(())
    unnamed = no_column_name(name, place) if column.table is not None else None
    if unnamed is not None:
        raise ModelError([unnamed])
    near = nearest(name, [attribute.split(".", 1)[1] for attribute in attributes])
    fix = (
        f"did you mean `{near}`?"
        if near
        else f"declare `{name}` in the block, or delete the column"
    )
    raise ModelError([Diagnostic("E303", f"`{family.name}` has no `{name}`", place, help=fix)])


def symbol_file(world: World, symbol: sym.Symbol, file: sym.DataFile) -> Given:
    """The values of one parameter from a file: a column of a table, a matrix, or a key of JSON or
    TOML.

    A table with a single column of values need not name it after the parameter. Raises
    `ModelError`.
    """
    path = beside(file.path, file.span)
    entries = _entries(world, path, [indexed(world, symbol.name)])
    table = next((given.table for given in entries.values() if given.table is not None), None)
    if table is not None:
        return aligned_table(
            world, symbol, table, file.span, read_by_others(world, symbol.name, file.path)
        )
    for key in (symbol.name, symbol.name.split(".")[-1]):
        if key in entries:
            return entries[key]
    fix = f'write `"{symbol.name}": ...` in the file'
    raise ModelError(
        [Diagnostic("E301", f"`{file.path}` has no `{symbol.name}`", file.span, help=fix)]
    )


def read_by_others(world: World, name: str, file: str) -> frozenset[str]:
    """The titles in a file that belong to parameters other than `name` that read it."""
    model = world.model
    titles: set[str] = set()
    for other in model.symbols.values():
        owner = model.families.get(other.owner or "")
        reads = isinstance(other.value, sym.DataFile) and other.value.path == file
        reads |= owner is not None and owner.source_file == file
        if reads and other.name != name:
            titles |= {other.name, other.name.rpartition(".")[2]}
    return frozenset(titles)
