"""The columns of a table that say how large layers are, checked: `mecdsl.networks.delays.Windows`.

`output_side`, `input_channels`, `output_channels` and either `kernel`, the side of a square kernel,
or `taps`, its square. A column `kind` is optional: without one every row is a convolution.
"""

import math
import sys
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final

import numpy as np

from mecdsl.data_files.read import Given
from mecdsl.diagnostics import Collector, Span, count, nearest
from mecdsl.networks.delays import CONVOLUTIONS, READERS, Floats, Windows
from mecdsl.units import UnitError, parse_unit

MEANINGS: Final[Mapping[str, str]] = {
    "output_side": "the side of the output image",
    "kernel": "the side of the kernel",
    "input_channels": "the number of channels read",
    "output_channels": "the number of channels written",
}
LARGEST: Final = 1e9  # of a size; products of six such are far from the largest number


def size_meanings(columns: Mapping[str, Given]) -> Mapping[str, str]:
    """The columns with sizes that a table needs; `taps` stands in for `kernel`."""
    if "taps" in columns and "kernel" not in columns:
        rest = {title: text for title, text in MEANINGS.items() if title != "kernel"}
        return {**rest, "taps": "the square of the kernel"}
    return MEANINGS


def read_windows(columns: Mapping[str, Given], collector: Collector) -> Windows | None:
    """The sizes of the layers in a table whose columns are there; None if a fault went to the
    collector.
    """
    before = len(collector.errors)
    meanings = size_meanings(columns)
    kernel = "kernel" if "kernel" in meanings else "taps"
    sizes = {
        title: _sizes(columns[title], title, meanings[title], collector)
        for title in meanings
        if title in columns
    }
    convolves = _convolves(columns["kind"], collector) if "kind" in columns else None
    if len(collector.errors) > before or len(sizes) < len(meanings):
        return None
    return Windows(
        output_side=sizes["output_side"],
        taps=sizes["taps"] if kernel == "taps" else sizes["kernel"] ** 2,
        input_channels=sizes["input_channels"],
        output_channels=sizes["output_channels"],
        convolves=np.ones(len(sizes[kernel]), bool) if convolves is None else convolves,
    )


def require_columns(
    columns: Mapping[str, Given], meanings: Mapping[str, str], collector: Collector
) -> None:
    """Report the columns that are not there; `meanings`: what each has to hold."""
    missing = [title for title in meanings if title not in columns]
    if not missing:
        return
    names = ", ".join(f"`{title}`" for title in missing)
    message = (
        f"`{table_name(columns)}` has no column{'s' if len(missing) > 1 else ''} {names}; it has "
        f"{', '.join(title or 'one without a title' for title in columns)}"
    )
    fix = "; ".join(_fix(title, columns, meanings) for title in missing)
    collector.error("E301", message, first_place(columns), help=fix)


def _fix(title: str, columns: Mapping[str, Given], meanings: Mapping[str, str]) -> str:
    """Name a column that is only spelt otherwise, or add one."""
    others = {other.lower().replace(" ", "_"): other for other in columns if other not in meanings}
    near = get_close_matches(title, others, n=1, cutoff=0.8)
    if near:
        return f"rename `{others[near[0]]}` to `{title}`"
    return f"add `{title}`: {meanings[title]}"


def table_name(columns: Mapping[str, Given]) -> str:
    """The file of the columns, without its folders."""
    table = next(iter(columns.values())).table
    return "" if table is None else Path(table.name).name


def first_place(columns: Mapping[str, Given]) -> Span | None:
    """Where the titles of a table stand."""
    return next(iter(columns.values())).place(()) if columns else None


def numbers_of(column: Given, title: str, fix: str, collector: Collector) -> Floats:
    """The cells of a column as numbers; the first that is none goes to the collector."""
    numbers = np.array([_number(cell) for cell in column.value], dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(numbers))
    if wrong.size:
        row = int(wrong[0])
        message = f"`{title}` is {cell_text(column, row)}, expected a finite number"
        refuse_row(column, "E304", message, wrong, fix, collector)
    return numbers


def refuse_row(
    column: Given,
    code: str,
    message: str,
    rows: Sequence[int] | np.ndarray[Any, Any],
    fix: str,
    collector: Collector,
) -> None:
    """Report the first of some faulty rows, and how many more there are."""
    more = f"so {'is' if len(rows) == 2 else 'are'} {count(len(rows) - 1, 'more row')}"
    collector.error(
        code, message, column.place((int(rows[0]),)), note=more if len(rows) > 1 else None, help=fix
    )


def cell_text(column: Given, row: int) -> str:
    """A cell as it stands in the file, for a message."""
    cell = column.value[row] if column.table is None else column.table.cells[column.column][row]
    if cell is None or cell == "":
        return "empty"
    text = str(cell)
    return f"`{text if len(text) <= 40 else text[:37] + '...'}`"


def _number(cell: object) -> float:
    """The cell as a number; not a number for anything else."""
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        return math.nan
    return float(cell) if abs(cell) <= sys.float_info.max else math.inf


def _sizes(column: Given, title: str, meaning: str, collector: Collector) -> Floats:
    if column.unit is not None and _has_dimension(column.unit):
        message = f"`{title}` is a count, its title has the unit `{column.unit}`"
        collector.error("E305", message, column.place(()), help=f"write `{title}`")
    numbers = numbers_of(
        column, title, f"write {meaning}; delete the row if nobody knows", collector
    )
    wrong = np.flatnonzero(
        np.isfinite(numbers)
        & ((numbers < 1) | (numbers > LARGEST) | (numbers != np.floor(numbers)))
    )
    if wrong.size:
        message = (
            f"`{title}` is {cell_text(column, int(wrong[0]))}, expected a whole number "
            f"from 1 to {LARGEST:.0e}"
        )
        fix = f"write {meaning}; delete the row if nobody knows"
        refuse_row(column, "E306", message, wrong, fix, collector)
    return numbers


def _has_dimension(unit: str) -> bool:
    try:
        return not parse_unit(unit).dimension.is_dimensionless
    except UnitError:
        return True


def _convolves(kinds: Given, collector: Collector) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which rows are convolutions, by their kind."""
    words = np.array([str(kind) for kind in kinds.value])
    wrong = np.flatnonzero(~np.isin(words, (*CONVOLUTIONS, *READERS)))
    if wrong.size:
        word = str(words[wrong[0]])
        near = nearest(word, (*CONVOLUTIONS, *READERS))
        fix = f"did you mean `{near}`?" if near else "name the row after what is most like it"
        known = ", ".join((*CONVOLUTIONS, *READERS))
        message = (
            f"the delay of the kind {cell_text(kinds, int(wrong[0]))} is not known, only of {known}"
        )
        refuse_row(kinds, "E306", message, wrong, fix, collector)
    return np.isin(words, CONVOLUTIONS)
