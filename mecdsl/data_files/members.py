"""The members that a file lists: of a set, of a set of tuples, or of nodes with their
attributes.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mecdsl.data_files.labels import integer_of, name_of, text_of
from mecdsl.data_files.read import is_records, read_data, read_document
from mecdsl.data_files.table import COLUMN_NAME, Table, number_or_text, records_table
from mecdsl.diagnostics import Diagnostic, Label, ModelError, Span, count

Place = Callable[[Sequence[str | int]], Span | None]
LISTS = (
    'write a list of names or integers, `["a", "b"]`, a list of tuples, `[[1, 2], [2, 3]]`, '
    "or of objects, "
    '`[{"m": 1, "n": 2}]`'
)


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """One column of labels: all integers, or all names. `place`: of each."""

    values: tuple[int, ...] | tuple[str, ...]
    cells: tuple[Any, ...]
    place: Callable[[int], Span | None]

    @property
    def names(self) -> tuple[str, ...] | None:
        """The labels, if they are names."""
        return (
            tuple(str(v) for v in self.values)
            if isinstance(next(iter(self.values), 0), str)
            else None
        )


def labels_in(table: Table, column: int) -> Labels:
    """The labels in a column: integers if all of them are.

    Raises `ModelError` for a cell that is no label.
    """
    cells = tuple(table.cells[column])
    for row, cell in enumerate(cells):
        fault = _fault(cell)
        if fault:
            fix = "a member is called by an integer or by a name without quotes inside"
            raise ModelError([Diagnostic("E302", fault, table.place(row, column), help=fix)])
    numbers = [integer_of(cell) for cell in cells]
    whole = [number for number in numbers if number is not None]
    if len(whole) == len(cells):
        return Labels(tuple(whole), cells, lambda row: table.place(row, column))
    names = tuple(name_of(text_of(cell)) for cell in cells)
    return Labels(names, cells, lambda row: table.place(row, column))


def _fault(cell: Any) -> str | None:
    if isinstance(cell, bool) or cell is None or not isinstance(cell, str | int | float):
        return f"`{_json_word(cell)}` is no label of a member"
    if isinstance(number_or_text(cell), float) and integer_of(cell) is None:
        return f"`{cell}` is no label of a member"
    if isinstance(cell, str):
        if not cell.strip():
            return "the label of a member is empty"
        if '"' in cell or not cell.isprintable():
            return f"`{cell.encode('unicode_escape').decode()}` cannot be the name of a member"
    return None


def _json_word(cell: Any) -> str:
    words = {None: "null", True: "true", False: "false"}
    return words[cell] if cell is None or isinstance(cell, bool) else str(cell)


def refuse_repeats(name: str, labels: Labels) -> None:
    """Raise `ModelError` for a member that stands twice, or if there is none."""
    seen: dict[Any, int] = {}
    for row, value in enumerate(labels.values):
        if value in seen:
            first = labels.place(seen[value])
            marks = (Label(first, "the first is here"),) if first else ()
            message = f"`{name}` holds `{value}` twice"
            raise ModelError(
                [Diagnostic("E307", message, labels.place(row), marks, help="keep one of the two")]
            )
        seen[value] = row


def set_table(path: Path, name: str) -> Table:
    """The members of a set as a table; lists without titles have the titles `1`, `2`, ... or the
    name of the set.

    Raises `ModelError`.
    """
    if path.suffix.lower() == ".csv":
        return _csv(path)
    value, place = read_document(path)
    return _table_of(path, name, value, place)


def _csv(path: Path) -> Table:
    table = next(iter(read_data(path, ()).values())).table
    assert table is not None
    return table


def _table_of(path: Path, name: str, value: Any, place: Place) -> Table:
    if isinstance(value, Mapping):
        if name in value and (
            len(value) == 1 or not all(_is_column(item) for item in value.values())
        ):
            return _table_of(path, name, value[name], lambda at: place((name, *at)))
        if value and all(_is_column(item) for item in value.values()):
            return _columns(path, value, place)
        raise ModelError(
            [Diagnostic("E308", f"`{path.name}` lists no members", place(()), help=LISTS)]
        )
    if is_records(value):
        return records_table(str(path), value, place)
    if not isinstance(value, list):
        raise ModelError(
            [Diagnostic("E308", f"`{path.name}` lists no members", place(()), help=LISTS)]
        )
    if not any(isinstance(item, list | Mapping) for item in value):
        return Table(
            str(path), (name,), (value,), lambda row, _column: place(() if row is None else (row,))
        )
    return _tuples(path, value, place)


def _is_column(value: Any) -> bool:
    return isinstance(value, list) and not any(isinstance(item, list | Mapping) for item in value)


def _columns(path: Path, value: Mapping[str, Any], place: Place) -> Table:
    titles = tuple(str(title) for title in value)
    sizes = {title: len(value[title]) for title in titles}
    if len(set(sizes.values())) > 1:
        shown = ", ".join(f"`{title}` {size}" for title, size in sizes.items())
        message = f"the columns differ in length: {shown}"
        raise ModelError([Diagnostic("E302", message, place((titles[-1],)))])
    return Table(
        str(path),
        titles,
        tuple(list(value[title]) for title in titles),
        lambda row, column: place((titles[column],) if row is None else (titles[column], row)),
    )


def _tuples(path: Path, value: Sequence[Any], place: Place) -> Table:
    """A list of lists of equal length."""
    width = len(value[0]) if isinstance(value[0], list) else 0
    for row, item in enumerate(value):
        if not isinstance(item, list) or len(item) != width or not width:
            what = count(len(item), "label") if isinstance(item, list) else f"`{item}`"
            message = (
                f"member {row + 1} is {what}, expected {count(width, 'label')} as in the first"
            )
            raise ModelError([Diagnostic("E302", message, place((row,)), help=LISTS)])
    return Table(
        str(path),
        tuple(str(number) for number in range(1, width + 1)),
        tuple([item[position] for item in value] for position in range(width)),
        lambda row, column: place(() if row is None else (row, column)),
    )


def nodes_table(path: Path, name: str, attributes: Iterable[str]) -> tuple[Table, int]:
    """The members of nodes with the column that names them. Raises `ModelError`.

    That column is called as the family or `name`, or is the only one that is no attribute. JSON and
    TOML may also name the members as keys, below an attribute or above the attributes.
    """
    own = frozenset(attributes)
    if path.suffix.lower() != ".csv":
        value, place = read_document(path)
        if isinstance(value, Mapping) and isinstance(value.get(name), Mapping):
            value, place = value[name], _below(place, name)
        if isinstance(value, Mapping):
            keys = _member_keys(value, name, own, place)
            if keys is not None:
                return Table(str(path), (name,), (list(keys[0]),), keys[1]), 0
        table = _table_of(path, name, value, place)
    else:
        table = _csv(path)
    return table, _label_column(table, name, own)


def _below(place: Place, key: str) -> Place:
    return lambda at: place((key, *at))


def _member_keys(
    value: Mapping[str, Any], name: str, attributes: frozenset[str], place: Place
) -> tuple[list[str], Callable[[int | None, int], Span | None]] | None:
    """The keys that name members: of the first attribute that has names, or of an object for each
    member.
    """
    named = [key for key in value if key.removeprefix(f"{name}.") in attributes]
    inner = next((key for key in named if isinstance(value[key], Mapping)), None)
    if inner is not None:
        keys = list(value[inner])
        return keys, lambda row, _column: place((inner,) if row is None else (inner, keys[row]))
    if not named and value and all(isinstance(item, Mapping) for item in value.values()):
        keys = list(value)
        return keys, lambda row, _column: place(() if row is None else (keys[row],))
    return None


def _label_column(table: Table, name: str, attributes: frozenset[str]) -> int:
    titles = table.titles
    free = [c for c, title in enumerate(titles) if title.removeprefix(f"{name}.") not in attributes]
    called = [column for column in free if titles[column] == name] or [
        column for column in free if titles[column] == "name"
    ]
    if called or (len(free) == 1 and COLUMN_NAME.fullmatch(titles[free[0]])):
        return (called or free)[0]
    if free:
        shown = ", ".join(f"`{titles[column]}`" for column in free)
        message = f"any of the columns {shown} may name the members of `{name}`"
        if len(free) == 1:
            message = f"{shown} is no name for the column of the members of `{name}`"
    else:
        message = f"no column names the members of `{name}`"
    fix = f"call the column of the names `{name}`; the others are attributes declared in the block"
    raise ModelError(
        [Diagnostic("E301", message, table.place(None, free[0] if free else 0), help=fix)]
    )
