"""A file of layers: its columns as attributes, and which layer reads which.

A table (`.csv`) has one row for each layer in order. `name`, `kind` and `index` describe; `after`
lists the numbers of the layers whose output a layer reads, blanks between, none for the network's
input; every other column is an attribute. A network (`.onnx`) gives the same columns.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from mecdsl.data_files.read import Given, read_data, read_table
from mecdsl.data_files.table import no_column_name
from mecdsl.diagnostics import Diagnostic, ModelError, Source, Span
from mecdsl.networks.layer_table import BITS_PER_VALUE, LayerTable, is_chain
from mecdsl.networks.onnx_reader import read_onnx
from mecdsl.units import NO_OWN, OwnUnits, UnitError, parse_unit

DESCRIBING = ("index", "name", "kind", "after")
UNITS: Mapping[str, str] = {"macs": "mac", "flops": "flop", "input": "bit", "output": "bit"}


@dataclass(frozen=True, slots=True)
class LayerFile:
    """What a file says. `columns`: the attributes, one value for each layer; `texts`: the columns
    that describe.

    `before`: the numbers of the layers each one reads; None for a chain. `span`: where a model
    names the file.
    """

    columns: Mapping[str, Given]
    texts: Mapping[str, Given]
    size: int
    before: tuple[tuple[int, ...], ...] | None
    span: Span | None

    def unit(self, column: str) -> str:
        """The unit in the header, or the customary one of the column, or 1."""
        return self.columns[column].unit or UNITS.get(column, "1")


def read_layer_file(
    path: Path, bits: int = BITS_PER_VALUE, span: Span | None = None, own: OwnUnits = NO_OWN
) -> LayerFile:
    """Read a table or a network, outputs of the latter counted with `bits` for each value.

    `own`: the units that the model declares. Raises `ModelError`.
    """
    match path.suffix.lower():
        case ".csv":
            return _checked(read_data(path, ()), path.name, span, own)
        case ".onnx":
            return of_table(read_onnx(path, bits, span), span)
        case _:
            message = f"layers are read from `.csv` and `.onnx`, `{path.name}` is neither"
            fix = (
                "write a table with one row for each layer; `mecdsl layers net.onnx --to "
                "csv` makes one"
            )
            raise ModelError([Diagnostic("E308", message, span, help=fix)])


def of_table(table: LayerTable, span: Span | None = None) -> LayerFile:
    """A table as if it had been read from a file."""
    return of_text(table.name, table.to_csv(), span)


def of_text(name: str, text: str, span: Span | None = None) -> LayerFile:
    """The text of a table, CSV, as if it had been read from a file of that name."""
    return _checked(read_table(Source(name, text)), name, span)


def _checked(
    columns: Mapping[str, Given], name: str, span: Span | None, own: OwnUnits = NO_OWN
) -> LayerFile:
    unnamed = [no_column_name(title, column.place(())) for title, column in columns.items()]
    if any(unnamed):
        raise ModelError([fault for fault in unnamed if fault is not None])
    size = len(next(iter(columns.values())).value)
    if not size:
        raise ModelError(
            [
                Diagnostic(
                    "E302", f"`{name}` has no layers", span, help="write one row for each layer"
                )
            ]
        )
    if "index" in columns:
        _check_numbers(columns["index"])
    before = _before(columns["after"]) if "after" in columns else None
    attributes = {title: column for title, column in columns.items() if title not in DESCRIBING}
    for column in attributes.values():
        _check_unit(column, own)
    texts = {title: columns[title] for title in DESCRIBING if title in columns}
    return LayerFile(
        attributes, texts, size, None if before is None or is_chain(before) else before, span
    )


def _check_unit(column: Given, own: OwnUnits) -> None:
    try:
        parse_unit(column.unit or "1", own)
    except UnitError as error:
        raise ModelError(
            [Diagnostic("E114", error.message, column.place(()), help=error.help)]
        ) from None


def _check_numbers(index: Given) -> None:
    for row, number in enumerate(index.value):
        if number != row + 1:
            message = f"row {row + 1} of the layers has the index `{number}`"
            fix = "number the layers 1, 2, 3 and so on, each after those it reads"
            raise ModelError([Diagnostic("E302", message, index.place((row,)), help=fix)])


def _before(after: Given) -> tuple[tuple[int, ...], ...]:
    """The numbers in the column `after`: earlier layers, each once."""
    earlier: list[tuple[int, ...]] = []
    for row, cell in enumerate(after.value):
        words = str(cell).split()
        numbers = sorted({int(word) for word in words if word.isdigit()})
        if len(numbers) < len(words) or any(not 1 <= number <= row for number in numbers):
            message = f"layer {row + 1} is said to come after `{cell}`"
            fix = (
                "list numbers of earlier layers, each once, blanks between; leave the cell "
                "empty for the first"
            )
            raise ModelError([Diagnostic("E306", message, after.place((row,)), help=fix)])
        earlier.append(tuple(numbers))
    return tuple(earlier)
