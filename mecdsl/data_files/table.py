"""A table as a file holds it: columns under their titles, before anyone knows which of them are
labels.

A CSV text is one, and so is a list of records in JSON or TOML,
`[{"m": 1, "n": 2, "delay": "10 ms"}]`.
"""

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mecdsl.diagnostics import Diagnostic, Label, ModelError, Source, Span

TITLE = re.compile(r"(.*?)\s*(?:\[([^\[\]]+)\])?", re.DOTALL)
COLUMN_NAME = re.compile(r"[^\W\d][\w.]*")
ENDS = frozenset("0123456789.")
STARTS = ENDS | {"+", "-"}
MARKS = {";": "`;`", "\t": "tabs"}
DECIMAL = "commas separate the columns, and a decimal mark is a point: `1.5`"


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Columns of equal length. `cells`: for each title what stands below it, texts of a CSV file
    without blanks around.

    `headers`: the titles as they stand there, `titles` without their units. `place`: of a cell by
    row and column; a row of None is the title.
    """

    name: str
    headers: tuple[str, ...]
    cells: tuple[list[Any], ...]
    place: Callable[[int | None, int], Span | None]

    @property
    def titles(self) -> tuple[str, ...]:
        """The titles without units."""
        return tuple(self.split(column)[0] for column in range(len(self.headers)))

    @property
    def size(self) -> int:
        """The number of rows below the titles."""
        return len(self.cells[0]) if self.cells else 0

    def split(self, column: int) -> tuple[str, str | None]:
        """The title and the unit of a column: `cpu [Gcycle/s]`."""
        found = TITLE.fullmatch(self.headers[column])
        assert found is not None
        return found[1], found[2]

    def values(self, column: int) -> list[Any]:
        """The cells of a column, what is a number as a number."""
        return [number_or_text(cell) for cell in self.cells[column]]

    def column_place(self, column: int) -> Callable[[Sequence[int | str]], Span | None]:
        """Where the item at an index of a column stands; without an index its title."""
        return lambda path: self.place(int(path[0]) if path else None, column)


def number_or_text(cell: Any) -> Any:
    """A text that is a number as that number; anything else as it is."""
    if not isinstance(cell, str) or cell[:1] not in STARTS or cell[-1:] not in ENDS or "_" in cell:
        return cell
    for kind in (int, float) if len(cell) < 300 else (float,):
        try:
            return kind(cell)
        except ValueError:
            continue
    return cell


def no_column_name(title: str, span: Span | None) -> Diagnostic | None:
    """The fault of a title that cannot name anything, for titles whose meaning nobody knows."""
    if COLUMN_NAME.fullmatch(title):
        return None
    message = f"`{title}` is no column name" if title else "a column has no title"
    fix = (
        "a column is named after an attribute, with its unit in brackets: `cpu` or `cpu [Gcycle/s]`"
    )
    return Diagnostic("E308", message, span, help=fix)


def csv_table(source: Source) -> Table:
    """The table of a CSV text.

    Raises `ModelError` for texts that are none and for titles that stand twice.
    """
    rows, lines = _rows(source)
    if not rows:
        fix = "the first line names the columns: `cpu [Gcycle/s],work`"
        raise ModelError(
            [Diagnostic("E308", "the table is empty", Span(source, 1, 1, 1, 2), help=fix)]
        )
    header, body = rows[0], rows[1:]
    _refuse_other_separators(source, header, lines[0])
    for number, row in zip(lines[1:], body, strict=True):
        if len(row) != len(header):
            span = _line(source, number)
            message = f"the row has {len(row)} cells, the header {len(header)}"
            marks = ";" in span.text or ";" in header[0]
            raise ModelError([Diagnostic("E308", message, span, help=DECIMAL if marks else None)])
    cells = tuple(list(column) for column in zip(*body, strict=True)) or tuple([] for _ in header)
    spans = _title_spans(source, header, lines[0])

    def place(row: int | None, column: int) -> Span | None:
        return spans[column] if row is None else _line(source, lines[1 + row])

    return _without_repeats(Table(source.name, tuple(header), cells, place))


def records_table(
    name: str,
    records: Sequence[Mapping[str, Any]],
    place: Callable[[tuple[str | int, ...]], Span | None],
) -> Table:
    """The table of a list of records that all have the same keys.

    Raises `ModelError` for one that has not.
    """
    headers = tuple(records[0]) if records else ()
    for row, record in enumerate(records):
        for key in (*headers, *record):
            if key not in record or key not in headers:
                where = place((row,)) if key not in record else place((row, key))
                what = "has no" if key not in record else "has one more key,"
                message = f"record {row + 1} {what} `{key}`"
                fix = "give every record the same keys"
                raise ModelError([Diagnostic("E302", message, where, help=fix)])
    cells = tuple([record[key] for record in records] for key in headers)

    def cell_place(row: int | None, column: int) -> Span | None:
        return place(()) if row is None else place((row, headers[column]))

    return _without_repeats(Table(name, headers, cells, cell_place))


def _without_repeats(table: Table) -> Table:
    """The table, if no two columns have the same title."""
    seen: dict[str, int] = {}
    for column, title in enumerate(table.titles):
        if title in seen and title:
            first = table.place(None, seen[title])
            labels = (Label(first, "the first is here"),) if first else ()
            message = f"column `{title}` stands twice"
            raise ModelError([Diagnostic("E307", message, table.place(None, column), labels)])
        if title in seen:
            raise ModelError(
                [Diagnostic("E308", "two columns have no title", table.place(None, column))]
            )
        seen[title] = column
    return table


def _refuse_other_separators(source: Source, header: Sequence[str], line: int) -> None:
    if len(header) != 1:
        return
    for mark, word in MARKS.items():
        if mark in header[0]:
            message = f"the columns are separated by {word}"
            raise ModelError([Diagnostic("E308", message, _line(source, line), help=DECIMAL)])


def _title_spans(source: Source, header: Sequence[str], number: int) -> list[Span]:
    """Where each title stands on the line of titles."""
    text, start, spans = source.line(number), 0, []
    for title in header:
        at = text.find(title, start)
        first = at if at >= 0 else start
        spans.append(Span(source, number, first + 1, number, first + 1 + max(1, len(title))))
        start = max(start, at + len(title)) + (1 if not title else 0)
    return spans


def _rows(source: Source) -> tuple[list[list[str]], list[int]]:
    """The rows of a CSV text that are not blank, blanks round cells taken off, and the line each
    ends on.
    """
    reader = csv.reader(io.StringIO(source.text), skipinitialspace=True)
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        for row in reader:
            if row and (len(row) > 1 or row[0].strip() or '"' in source.line(reader.line_num)):
                rows.append([cell.strip() for cell in row])
                lines.append(reader.line_num)
    except csv.Error as error:
        message = f"no valid table: {error}"
        raise ModelError([Diagnostic("E308", message, _line(source, reader.line_num))]) from None
    return rows, lines


def _line(source: Source, number: int) -> Span:
    return Span(source, number, 1, number, len(source.line(number)) + 1)
