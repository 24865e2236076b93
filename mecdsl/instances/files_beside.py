"""Data in files beside the model: `from "file.csv"` of a family and of a parameter."""

from collections.abc import Mapping, Sequence

import numpy as np

from mecdsl.checking import symbolic as sym
from mecdsl.data_files.read import Given, beside, read_data
from mecdsl.diagnostics import Diagnostic, Label, ModelError, Span, nearest
from mecdsl.instances.evaluate import World
from mecdsl.instances.tables import FamilyTable, IntArray
from mecdsl.parsing.syntax import Kind

NO_MEMBER = -(2**62)


def family_file(world: World, family: sym.Family) -> dict[str, Given]:
    """The attributes of a family by qualified name; columns called as the indices may put the lines in any order.

    Raises `ModelError` for a file that cannot be read, unknown columns, and members that stand not exactly once.
    """
    if family.layer_file is not None:
        return {f"{family.name}.{title}": column for title, column in family.layer_file.columns.items()}
    columns = read_data(beside(family.source_file or "", family.span), tuple(world.model.families))
    index = world.families[family.name]
    order: IntArray | None = None
    if index.names and all(name in columns for name in index.names):
        order = _order(world, family, index, [columns.pop(name) for name in index.names])
    found: dict[str, Given] = {}
    for name, column in columns.items():
        qualified = name if name.startswith(family.name + ".") else f"{family.name}.{name}"
        _require_attribute(world, family, qualified, column)
        found[qualified] = column if order is None else _reordered(column, order)
    return found


def _order(world: World, declared: sym.Family | sym.Symbol, index: FamilyTable, keys: Sequence[Given]) -> IntArray:
    """The lines of a table in the order of the members that its index columns name."""
    domains = world.index_domains(declared.space)
    labels = [column_labels(key, world.label_names(over)) for key, over in zip(keys, domains, strict=True)]
    rows = index.locate(labels, len(labels[0]))
    _check_members(world, declared, index, keys, rows)
    return np.argsort(rows).astype(np.int64)


def _reordered(column: Given, order: IntArray) -> Given:
    """A column in the order of the family, its values still at their places in the file."""

    def place(indices: Sequence[int]) -> Span | None:
        return column.place((int(order[indices[0]]), *indices[1:]) if indices else ())

    return Given([column.value[line] for line in order], place, column.unit)


def _require_attribute(world: World, family: sym.Family, qualified: str, column: Given) -> None:
    attributes = [s.name for s in world.model.of_kind(Kind.PARAM) if s.owner == family.name]
    if qualified in attributes:
        return
    name = qualified.split(".", 1)[1]
    near = nearest(name, [attribute.split(".", 1)[1] for attribute in attributes])
    fix = f"did you mean `{near}`?" if near else f"declare `{name}` in the block, or delete the column"
    raise ModelError([Diagnostic("E303", f"`{family.name}` has no `{name}`", column.place(()), help=fix)])


def column_labels(column: Given, names: Sequence[str] | None) -> IntArray:
    """The labels a column means: integers, or positions of `names`; `NO_MEMBER` for anything else."""
    positions = {name: position for position, name in enumerate(names or (), 1)}

    def label(cell: object) -> int:
        if isinstance(cell, str):
            return positions.get(cell, NO_MEMBER)
        return cell if isinstance(cell, int) and not isinstance(cell, bool) else NO_MEMBER

    return np.array([label(cell) for cell in column.value], dtype=np.int64)


def _check_members(
    world: World, family: sym.Family | sym.Symbol, index: FamilyTable, keys: Sequence[Given], rows: IntArray
) -> None:
    """Each member of the family, or index of the parameter, stands once in the index columns."""
    column = keys[0]
    times = np.bincount(rows[rows >= 0], minlength=index.size)
    where, message = column.place(()), ""
    if (rows < 0).any():
        line = int(np.flatnonzero(rows < 0)[0])
        cells = ", ".join(str(key.value[line]) for key in keys)
        where, message = column.place((line,)), f"`{cells}` is no member of `{family.name}`"
    elif (times > 1).any():
        member = int(np.flatnonzero(times > 1)[0])
        where = column.place((int(np.flatnonzero(rows == member)[1]),))
        message = f"`{world.row_text(family.name, member)}` stands twice in the table"
    elif (times == 0).any():
        member = int(np.flatnonzero(times == 0)[0])
        message = f"`{world.row_text(family.name, member)}` is missing in the table"
    if message:
        labels = (Label(family.span, "declared here"),)
        raise ModelError([Diagnostic("E302", message, where, labels, help="give each member one line")])


def symbol_file(world: World, symbol: sym.Symbol, file: sym.DataFile) -> Given:
    """The values of one parameter from a file: a column of a table, or a key of JSON or TOML.

    A table with a single column need not name it after the parameter; a column called as the parameter's one index
    may put the lines in any order. Raises `ModelError`.
    """
    path = beside(file.path, file.span)
    entries = read_data(path, tuple(world.model.families))
    index = world.symbols[symbol.name]
    if path.suffix.lower() == ".csv" and len(index.names) == 1 and index.names[0] in entries:
        values = {name: column for name, column in entries.items() if name != index.names[0]}
        column = _entry(values if len(values) == 1 else entries, symbol, file)
        return _reordered(column, _order(world, symbol, index, [entries[index.names[0]]]))
    return _entry(entries, symbol, file)


def _entry(entries: Mapping[str, Given], symbol: sym.Symbol, file: sym.DataFile) -> Given:
    """The entry of a file that is meant for a parameter. Raises `ModelError` if there is none."""
    local = symbol.name.split(".")[-1]
    for key in (symbol.name, local):
        if key in entries:
            return entries[key]
    if file.path.lower().endswith(".csv"):
        if len(entries) == 1:
            return next(iter(entries.values()))
        near = nearest(local, entries)
        fix = f"rename the column `{near}`" if near else f"name one of them `{local}`"
        message = f"`{file.path}` has no column `{local}`, it has {', '.join(entries)}"
        raise ModelError([Diagnostic("E301", message, file.span, help=fix)])
    fix = f'write `"{symbol.name}": ...` in the file'
    raise ModelError([Diagnostic("E301", f"`{file.path}` has no `{symbol.name}`", file.span, help=fix)])
