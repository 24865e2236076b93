"""Data in files beside the model: `from "file.csv"` of a family and of a parameter."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from mecdsl import symbolic as sym
from mecdsl.data import Given, read_data
from mecdsl.diagnostics import Diagnostic, Label, ModelError, Span, nearest
from mecdsl.evaluate import World
from mecdsl.syntax import Kind
from mecdsl.tables import IntArray

NO_MEMBER = -(2**62)


def family_file(world: World, family: sym.Family) -> dict[str, Given]:
    """The attributes of a family by qualified name; a column called as the index may put the lines in any order.

    Raises `ModelError` for a file that cannot be read, unknown columns, and members that stand not exactly once.
    """
    columns = read_data(_beside(family.source_file or "", family.span), tuple(world.model.families))
    index = world.families[family.name]
    order: IntArray | None = None
    if len(index.names) == 1 and index.names[0] in columns:
        labels = columns.pop(index.names[0])
        rows = index.locate([_column_labels(world, family, labels)], len(labels.value))
        _check_members(world, family, labels, rows)
        order = np.argsort(rows).astype(np.int64)
    found: dict[str, Given] = {}
    for name, column in columns.items():
        qualified = name if name.startswith(family.name + ".") else f"{family.name}.{name}"
        _require_attribute(world, family, qualified, column)
        found[qualified] = column if order is None else _reordered(column, order)
    return found


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


def _column_labels(world: World, family: sym.Family, column: Given) -> IntArray:
    """The members an index column names: integers, or names of a set of names; `NO_MEMBER` for anything else."""
    names = world.label_names(family.space.generators[0].domain) or ()
    positions: dict[object, int] = {name: position for position, name in enumerate(names, 1)}
    labels = [positions.get(cell, cell if isinstance(cell, int) else NO_MEMBER) for cell in column.value]
    return np.array(labels, dtype=np.int64)


def _check_members(world: World, family: sym.Family, column: Given, rows: IntArray) -> None:
    """Each member of the family stands once in the index column."""
    times = np.bincount(rows[rows >= 0], minlength=world.families[family.name].size)
    where, message = column.place(()), ""
    if (rows < 0).any():
        line = int(np.flatnonzero(rows < 0)[0])
        where, message = column.place((line,)), f"`{column.value[line]}` is no member of `{family.name}`"
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


def symbol_file(model: sym.Model, symbol: sym.Symbol, file: sym.DataFile) -> Given:
    """The values of one parameter from a file: a column of a table, or a key of JSON or TOML.

    A table with a single column need not name it after the parameter. Raises `ModelError`.
    """
    path = _beside(file.path, file.span)
    entries = read_data(path, tuple(model.families))
    local = symbol.name.split(".")[-1]
    for key in (symbol.name, local):
        if key in entries:
            return entries[key]
    if path.suffix.lower() == ".csv":
        if len(entries) == 1:
            return next(iter(entries.values()))
        near = nearest(local, entries)
        fix = f"rename the column `{near}`" if near else f"name one of them `{local}`"
        message = f"`{file.path}` has no column `{local}`, it has {', '.join(entries)}"
        raise ModelError([Diagnostic("E301", message, file.span, help=fix)])
    fix = f'write `"{symbol.name}": ...` in the file'
    raise ModelError([Diagnostic("E301", f"`{file.path}` has no `{symbol.name}`", file.span, help=fix)])


def _beside(name: str, span: Span) -> Path:
    path = Path(span.source.name).parent / name
    if not path.exists():
        fix = "the path counts from the folder of the model"
        raise ModelError([Diagnostic("E308", f"there is no file `{name}`", span, help=fix)])
    return path
