"""One answer as a picture: who is where, as a chart of bars in slots, and values over an index.

A variable that picks one member for each of its others, such as `runs_in[n, m, h]` with one h for
each layer m of a device n, becomes a chart with a line for each n and a column for each h; what is
in a cell is written into it, `3-7` for the layers 3 to 7. Every other family with one index is a
panel of bars, in the unit that suits it. Needs matplotlib, an optional extra.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from mecdsl.instances.tables import FloatArray, IntArray
from mecdsl.model import symbolic as sym
from mecdsl.output.picture.trace import COLOURS
from mecdsl.output.text.layout import in_common_unit, unit_of
from mecdsl.results.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_PANELS: Final = 9  # of bars
MOST_LINES: Final = 40  # of a chart that has labels
MOST_LETTERS: Final = 14  # of what is written into a cell


def result_picture(result: Result, path: Path) -> None:
    """Write the picture; the suffix gives the format.

    Raises `ImportError` without matplotlib, `OSError`, and `ValueError` where there is no point or
    nothing with an index.
    """
    from matplotlib.figure import Figure

    charts = [chart for name in result.values if (chart := _chart(result, name)) is not None]
    bars = _bars(result, charts)
    if not charts and not bars:
        raise ValueError("there is nothing with an index to draw")
    rows = -(-len(bars) // 3)
    heights = [_height(chart) for chart in charts]
    figure = Figure(figsize=(10.0, 0.8 + sum(heights) + 2.3 * rows), layout="constrained")
    ratios = [*heights, *([2.3 * rows] if rows else [])]
    parts = figure.subfigures(len(ratios), 1, squeeze=False, height_ratios=ratios)[:, 0]
    for part, chart in zip(parts, charts, strict=False):
        _draw_chart(part.subplots(), result, chart)
    if rows:
        panels = parts[-1].subplots(rows, min(3, len(bars)), squeeze=False).ravel()
        for axes, name in zip(panels, bars, strict=False):
            _draw_bars(axes, result, name)
        for axes in panels[len(bars) :]:
            axes.set_visible(False)
    model = result.instance.model
    form = f", form {model.form}" if model.form else ""
    figure.suptitle(f"{model.name or 'model'}{form}: {result.backend}, {result.worth}", fontsize=12)
    figure.savefig(path, dpi=150)


@dataclass(frozen=True, slots=True, eq=False)
class _Chart:
    """A variable that picks: what is in each place. `lines`, `places`: labels of the first and the
    last index of each entry that is 1; `inside`: those of the index between, None without one.
    """

    name: str
    lines: IntArray
    places: IntArray
    inside: IntArray | None


def _chart(result: Result, name: str) -> _Chart | None:
    """The chart of a variable, None if it does not pick one of its last index for each other."""
    instance = result.instance
    symbol = instance.model.symbols[name]
    family = instance.world.symbols[name]
    whole = symbol.domain is not sym.NumberDomain.REAL
    if not whole or len(family.names) not in (2, 3) or not family.size:
        return None
    values = np.round(result.flat(name))
    columns = [family.table.columns[index] for index in family.names]
    keys = np.unique(np.stack(columns[:-1]), axis=1, return_inverse=True)[1].ravel()
    if not np.isin(values, (0.0, 1.0)).all() or (np.bincount(keys, values) != 1.0).any():
        return None
    chosen = values == 1.0
    inside = columns[1][chosen] if len(columns) == 3 else None
    return _Chart(name, columns[0][chosen], columns[-1][chosen], inside)


def _height(chart: _Chart) -> float:
    return 1.3 + 0.26 * min(len(np.unique(chart.lines)), MOST_LINES)


def _bars(result: Result, charts: Sequence[_Chart]) -> list[str]:
    """The families with one index, those over the places of a chart first."""
    symbols, world = result.instance.model.symbols, result.instance.world
    last = {world.symbols[chart.name].names[-1] for chart in charts}
    names = [
        name
        for name in (*result.values, *result.reports)
        if len(world.symbols[name].names) == 1
        and world.symbols[name].size > 1
        and symbols[name].domain is not sym.NumberDomain.BINARY
    ]
    names.sort(key=lambda name: world.symbols[name].names[0] not in last)
    return names[:MOST_PANELS]


def _draw_chart(axes: "Axes", result: Result, chart: _Chart) -> None:
    instance = result.instance
    space = instance.model.symbols[chart.name].space
    family = instance.world.symbols[chart.name]
    table = family.table.columns
    lines, places = np.unique(table[family.names[0]]), np.unique(table[family.names[-1]])
    rows, columns = np.searchsorted(lines, chart.lines), np.searchsorted(places, chart.places)
    cells = np.stack([rows, columns])
    used, which = np.unique(cells, axis=1, return_inverse=True)
    axes.barh(used[0], 0.92, 0.8, used[1] - 0.46, color=COLOURS[0], alpha=0.75)
    if len(lines) <= MOST_LINES:
        for number, (row, column) in enumerate(used.T):
            inside = None if chart.inside is None else chart.inside[which.ravel() == number]
            text = "" if inside is None else _listed(inside)
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color="white")
        axes.set_yticks(range(len(lines)), _labels(result, space, 0, lines))
    axes.set_xticks(range(len(places)), _labels(result, space, -1, places))
    axes.set_xlim(-0.6, len(places) - 0.4)
    axes.set_ylim(len(lines) - 0.4, -0.6)
    axes.set_xlabel(_index_name(result, space, -1))
    between = f" ({family.names[1]} in the bars)" if chart.inside is not None else ""
    axes.set_ylabel(_index_name(result, space, 0))
    axes.set_title(f"{chart.name}{between}", fontsize=10, loc="left")
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _labels(result: Result, space: sym.Space, index: int, labels: IntArray) -> list[str]:
    """What members of one index are called: by name where they have one."""
    world = result.instance.world
    domain = world.index_domains(space)[index]
    return [world.label_text(domain, int(label)) for label in labels]


def _index_name(result: Result, space: sym.Space, index: int) -> str:
    """`device n` of an index over a family, `h` of one over numbers."""
    domain, name = result.instance.world.index_domains(space)[index], space.names[index]
    return f"{domain.family} {name}" if isinstance(domain, sym.FamilyDomain) else name


def _listed(numbers: IntArray) -> str:
    """`1-17, 20`: whole numbers as ranges, cut off where they are too many for a cell."""
    numbers = np.sort(numbers)
    starts = np.flatnonzero(np.diff(numbers, prepend=numbers[0] - 2) != 1)
    ends = [*(starts[1:] - 1), len(numbers) - 1]
    parts = [
        f"{numbers[a]}" if a == b else f"{numbers[a]}-{numbers[b]}"
        for a, b in zip(starts, ends, strict=True)
    ]
    text = ", ".join(parts)
    return text if len(text) <= MOST_LETTERS else f"{len(numbers)} of them"


def _draw_bars(axes: "Axes", result: Result, name: str) -> None:
    instance = result.instance
    symbol, family = instance.model.symbols[name], instance.world.symbols[name]
    unit, shown = in_common_unit(result.flat(name), unit_of(instance, symbol))
    values: FloatArray = shown
    at = np.arange(family.size)
    axes.bar(at, values, 0.8, color=COLOURS[2], alpha=0.85)
    if family.size <= 12:
        axes.set_xticks(at, _labels(result, symbol.space, 0, family.table.columns[family.names[0]]))
    axes.set_xlabel(_index_name(result, symbol.space, 0))
    axes.set_title(f"{name}{f' [{unit.strip()}]' if unit.strip() else ''}", fontsize=10, loc="left")
    if values.min() >= 0.0:
        axes.set_ylim(bottom=0.0)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
