"""Measured layer times from a file, checked.

A CSV table or a list of records in JSON, one row for each measured layer, with the columns of
`mecdsl.networks.window_columns` and `time`, in seconds or in the unit of its title, `time [ms]`.
A column `name` names rows in answers; all others are ignored.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np

from mecdsl.data_files.read import Given, read_data
from mecdsl.diagnostics import Collector, Diagnostic, ModelError, Span
from mecdsl.networks.delays import Floats, Windows
from mecdsl.networks.window_columns import (
    cell_text,
    first_place,
    numbers_of,
    read_windows,
    refuse_row,
    require_columns,
    size_meanings,
)
from mecdsl.units import Unit, UnitError, parse_unit

LEAST: Final = 1e-12  # s; shorter and longer times are slips of the unit, and no clock's
LONGEST: Final = 1e9
TIME: Final = "in seconds, or in the unit of its title, `time [ms]`"
FIX: Final = "write `time [ms]`, `time [us]` or `time [s]`"
SUFFIXES: Final = (".csv", ".json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurements:
    """Rows of a file. `times` [s]; `lines`: of the file, 0 where they are not known; `names`: of
    the rows, empty texts without such a column.
    """

    file: str
    windows: Windows
    times: Floats
    lines: tuple[int, ...]
    names: tuple[str, ...]
    span: Span | None = None

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.times)


def read_measurements(path: str | Path) -> Measurements:
    """The measured rows of a file. Raises `ModelError` with every fault."""
    path = Path(path)
    if path.suffix.lower() not in SUFFIXES:
        message = f"measurements are read from `.csv` and `.json`, `{path.name}` is neither"
        fix = f"if it is a table with commas, name it `{path.stem}.csv`"
        raise ModelError([Diagnostic("E308", message, help=fix)])
    columns = read_data(path, ())
    if not columns or any(column.table is None for column in columns.values()):
        message = f"`{path.name}` is no table"
        fix = "write a CSV file with a line of titles, or JSON as a list of objects"
        raise ModelError([Diagnostic("E308", message, first_place(columns), help=fix)])
    collector = Collector()
    require_columns(columns, {**size_meanings(columns), "time": TIME}, collector)
    windows = read_windows(columns, collector)
    times = _times(columns["time"], collector) if "time" in columns else np.empty(0)
    collector.raise_errors()
    assert windows is not None
    spans = [columns["time"].place((row,)) for row in range(len(times))]
    return Measurements(
        file=path.name,
        windows=windows,
        times=times,
        lines=tuple(0 if span is None else span.line for span in spans),
        names=tuple(map(str, columns["name"].value)) if "name" in columns else ("",) * len(times),
        span=first_place(columns),
    )


def _times(column: Given, collector: Collector) -> Floats:
    """The column `time` in seconds."""
    unit = _unit(column, collector)
    numbers = numbers_of(
        column,
        "time",
        "write a number, its unit in the title, `time [ms]`; delete the row if there is none",
        collector,
    )
    with np.errstate(over="ignore"):  # infinity is refused like any time that is too long
        seconds = numbers * unit.scale
    wrong = np.flatnonzero(np.isfinite(numbers) & ~((seconds >= LEAST) & (seconds <= LONGEST)))
    if wrong.size:
        row = int(wrong[0])
        message = (
            f"`time` is {cell_text(column, row)} in {unit.text}, expected more than 0 s: "
            f"from {LEAST:g} s to {LONGEST:.0e} s"
        )
        fix = "measure the row again or delete it; the title has the unit: `time [ms]`"
        refuse_row(column, "E306", message, wrong, fix, collector)
    return seconds


def _unit(column: Given, collector: Collector) -> Unit:
    """The unit of the column; seconds where it has none."""
    second = parse_unit("s")
    try:
        unit = parse_unit(column.unit or "s")
    except UnitError as error:
        collector.error("E305", error.message, column.place(()), help=error.help or FIX)
        return second
    if unit.dimension != second.dimension:
        message = f"`time` is in [s], its title in [{unit.dimension}]"
        collector.error("E305", message, column.place(()), help=FIX)
        return second
    return unit
