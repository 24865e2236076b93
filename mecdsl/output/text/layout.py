"""Plain text of at most 80 columns: tables, paragraphs, numbers with their units."""

import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from mecdsl.instances.instance import Instance, nested
from mecdsl.instances.tables import FloatArray, IntArray
from mecdsl.model import symbolic as sym
from mecdsl.units import Dimension, Unit, coherent_unit, format_value, shown_unit

WIDTH = 80
MOST_VALUES = 24  # members of a family printed one by one
LEAST_ROOM = 20  # columns that are left to the last cell of a table
NAME_WIDTH = 34  # longer names stand on a line of their own where space is short


def table(
    rows: Sequence[Sequence[str]], header: Sequence[str] = (), indent: int = 2, right: str = ""
) -> str:
    """Columns aligned by blanks; `right` has an `r` for every column set flush right. The last
    column wraps.

    A first cell that leaves the others no room stands on a line of its own.
    """
    lines = [list(header), *map(list, rows)] if header else list(map(list, rows))
    if not lines:
        return ""
    count = max(map(len, lines))
    lines = [line + [""] * (count - len(line)) for line in lines]
    widths = [max(len(line[position]) for line in lines) for position in range(count)]
    if (
        count > 1
        and indent + sum(widths[:-1]) + min(widths[-1], LEAST_ROOM) + 2 * (count - 1) > WIDTH
    ):
        widths[0] = min(widths[0], NAME_WIDTH)
    used = indent + sum(widths[:-1]) + 2 * (count - 1)
    room = max(LEAST_ROOM, WIDTH - used)
    out: list[str] = []
    for line in lines:
        if len(line[0]) > widths[0]:
            out += _whole(" " * indent + line[0])
            line[0] = ""
        cells = [
            cell.rjust(width) if right[position : position + 1] == "r" else cell.ljust(width)
            for position, (cell, width) in enumerate(zip(line[:-1], widths[:-1], strict=True))
        ]
        last = line[-1].rjust(widths[-1]) if right[count - 1 : count] == "r" else line[-1]
        wrapped = textwrap.wrap(last, room) if len(last) > room else [last]
        out.append((" " * indent + "  ".join([*cells, wrapped[0] if wrapped else ""])).rstrip())
        out += [" " * used + part for part in wrapped[1:]]
    return "\n".join(out)


def _whole(line: str) -> list[str]:
    """A line that nothing else stands on; cut where it is longer than 80 columns."""
    return textwrap.wrap(line, WIDTH, subsequent_indent=" " * (len(line) - len(line.lstrip()) + 2))


def paragraph(text: str, indent: int = 0, further: int = 0) -> str:
    """Text wrapped at 80 columns; lines after the first are indented by `further` more."""
    return textwrap.fill(
        text, WIDTH, initial_indent=" " * indent, subsequent_indent=" " * (indent + further)
    )


def number(value: float | None, digits: int = 6) -> str:
    """A plain number; whole ones in full, `-` for what is not known."""
    if value is None:
        return "-"
    if math.isfinite(value) and value == int(value) and abs(value) < 1e9:
        return str(int(value))
    return f"{value:.{digits}g}"


def quantity(value: float | None, unit: Unit | Dimension | str | None, digits: int = 6) -> str:
    """A number with its unit."""
    if value is None:
        return "-"
    if unit is None or unit == "1":
        return number(value, digits)
    if isinstance(unit, str):
        return f"{number(value, digits)} {unit}"
    return format_value(value, unit, digits)


def members(
    values: Iterable[float], unit: Unit | None, digits: int = 6, levels: tuple[IntArray, ...] = ()
) -> str:
    """The values of a family, the unit once: a small one nested by `levels` as in data, of a large
    one the range.
    """
    array = np.asarray(list(values), dtype=np.float64)
    if len(array) == 0:
        return "none"
    if (array == array[0]).all():
        value = quantity(float(array[0]), unit, digits)
        return value if len(array) == 1 else f"{len(array)} x {value}"
    name, shown = in_common_unit(array, unit)
    if len(array) <= MOST_VALUES:
        return (
            _listed(nested(shown, levels, _short) if levels else list(map(_short, shown.tolist())))
            + name
        )
    low, mean, high = (number(float(f(shown)), 5) for f in (np.min, np.mean, np.max))
    return f"{len(array)} values, {low} .. {high}{name}, mean {mean}"


def _short(value: float) -> str:
    return number(value, 5)


def _listed(values: str | list[Any]) -> str:
    """`[[1, 2], [3, 4]]`."""
    return values if isinstance(values, str) else f"[{', '.join(map(_listed, values))}]"


def common_unit(array: FloatArray, unit: Unit) -> Unit:
    """The unit in which SI values are shown together: the given one, with the prefix that suits the
    largest.
    """
    if unit.logarithmic and (array >= 0).all():
        return unit
    if unit.logarithmic:  # no level stands for a negative number
        unit = coherent_unit(unit.dimension)
    finite = np.abs(array[np.isfinite(array)])
    return shown_unit(float(finite.max(initial=0.0)), unit)


def in_common_unit(array: FloatArray, unit: Unit | None) -> tuple[str, FloatArray]:
    """Values in one unit, with the prefix that suits the largest: its text after a blank, and the
    numbers.
    """
    shown = None if unit is None else common_unit(array, unit)
    if shown is None or shown.text == "1":
        return "", array
    if shown.logarithmic:
        return f" {shown.text}", np.array([shown.from_si(value) for value in array.tolist()])
    with np.errstate(over="ignore"):  # the largest double, there and back by a factor
        return f" {shown.text}", np.clip(array / shown.factor, *_ends(array))


def _ends(array: FloatArray) -> tuple[float, float]:
    """The least and largest number that finite values may become; infinite ones stay what they
    are.
    """
    largest = np.finfo(np.float64).max
    return (
        -np.inf if np.isneginf(array).any() else -largest,
        np.inf if np.isposinf(array).any() else largest,
    )


def headline(instance: Instance, relaxed: bool = False) -> str:
    """`mel (form relaxed): Mobile edge learning ...`; `relaxed`: every variable was made
    continuous.
    """
    model = instance.model
    return heading(model.name, model.form, model.title, relaxed)


def heading(model: str, form: str, title: str, relaxed: bool) -> str:
    """As `headline`, from the words alone."""
    states = [f"form {form}"] if form else []
    states += ["every variable continuous"] if relaxed else []
    name = (model or "model") + (f" ({', '.join(states)})" if states else "")
    return paragraph(f"{name}: {title}" if title else name)


def named_values(rows: Sequence[Sequence[str]]) -> str:
    """Name, values, meaning; long values push the meaning to a line of its own."""
    lines: list[str] = []
    width = min(max(len(row[0]) for row in rows), NAME_WIDTH)
    for name, values, doc in rows:
        first = f"  {name.ljust(width)}  {values}"
        if len(first) <= WIDTH - 2 - len(doc):
            lines.append(f"{first}  {doc}".rstrip())
            continue
        blanks = " " * (width + 4)
        if len(name) > width:
            lines += _whole(f"  {name}")
            first = blanks + values
        lines += textwrap.wrap(first, WIDTH, subsequent_indent=blanks, break_long_words=False)
        lines += textwrap.wrap(doc, WIDTH, initial_indent=blanks, subsequent_indent=blanks)
    return "\n".join(lines)


def index_text(space: sym.Space) -> str:
    """`[k, m]` of a family, nothing of a scalar."""
    return f"[{', '.join(space.names)}]" if space.names else ""


def unit_of(instance: Instance, symbol: sym.Symbol) -> Unit | None:
    """The declared unit of a symbol, else its SI unit; None for a plain number."""
    if symbol.unit is not None:
        return symbol.unit
    dimension = instance.model.dimensions.get(symbol.name)
    if dimension is None or dimension.is_dimensionless:
        return None
    return Unit(str(dimension), dimension, 1.0)
