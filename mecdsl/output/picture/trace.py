"""The way of iterative methods as a picture: objective and bound, and the residual, over iterations
and over time.

Every run has a colour and a mark of its own; a dashed line is a proven bound. The lower panels are
there if a run recorded a residual, the right ones if a run recorded times. Needs matplotlib, an
optional extra.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from mecdsl.instances.tables import FloatArray
from mecdsl.output.json.trace import trace_json
from mecdsl.output.runs import recorded, run_name
from mecdsl.results.result import Result

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Distinct for colour-blind readers too (Okabe and Ito 2008); marks tell apart what lies on one
# line.
COLOURS: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
MARKS: Final = ("o", "s", "^", "D", "v", "P", "X")
WIDE: Final = 30.0  # largest over smallest value from which an axis is logarithmic
FEW: Final = 20  # marks on a line, about, however many steps it has
FLOOR: Final = 1e-16  # smaller residuals, zero among them, stand here


def trace_picture(results: Sequence[Result], path: Path) -> None:
    """Write the picture; the suffix gives the format.

    Raises `ImportError` without matplotlib, `OSError`, and `ValueError` if no run recorded a step.
    """
    from matplotlib.figure import Figure

    runs = recorded(results)
    if not runs:
        raise ValueError("no run recorded a step")
    rows = (
        ["value", "residual"] if any(_column(run, "residual").size for run in runs) else ["value"]
    )
    columns = (
        ["iteration", "seconds"]
        if any(_column(run, "seconds").size for run in runs)
        else ["iteration"]
    )
    legend = 0.3 * -(-(len(runs) + 2) // 4)
    figure = Figure(
        figsize=(1.5 + 4.5 * len(columns), 1.0 + legend + 2.8 * len(rows)), layout="constrained"
    )
    grid = figure.subplots(len(rows), len(columns), squeeze=False, sharex="col", sharey="row")
    for line, row in zip(grid, rows, strict=True):
        for axes, column in zip(line, columns, strict=True):
            for number, run in enumerate(runs):
                _lines(axes, run, number, column, row)
            _style(axes)
        _vertical(line[0], runs, row)
    for axes, column in zip(grid[-1], columns, strict=True):
        _horizontal(axes, runs, column)
    names = [run_name(run) for run in runs]
    title, model = runs[0].instance.model.name or "model", runs[0].instance.model
    if model.form and all(run.instance.model.form == model.form for run in runs):
        names, title = [run.backend for run in runs], f"{title}, form {model.form}"
    _legend(grid[0][0], names, any(_column(run, "bound").size for run in runs))
    figure.suptitle(f"{title}: what each method had at each step", fontsize=12)
    figure.savefig(path, dpi=150)


def _column(run: Result, name: str) -> FloatArray:
    """The numbers of a column of the trace that are known."""
    return np.array(
        [row[name] for row in trace_json(run) if row[name] is not None], dtype=np.float64
    )


def _lines(axes: "Axes", run: Result, number: int, column: str, row: str) -> None:
    """The lines of one run in one panel."""
    names = [("objective", "-"), ("bound", "--")] if row == "value" else [("residual", "-")]
    for name, dashes in names:
        steps = [
            step for step in trace_json(run) if step[name] is not None and step[column] is not None
        ]
        across = np.array([step[column] for step in steps], dtype=np.float64)
        values = np.array([step[name] for step in steps], dtype=np.float64)
        if row == "residual":
            values = np.maximum(np.abs(values), FLOOR)
        axes.plot(
            across,
            values,
            dashes,
            color=COLOURS[number % len(COLOURS)],
            linewidth=1.5,
            marker=MARKS[number % len(MARKS)],
            markevery=max(1, len(steps) // FEW),
            markersize=4.5,
            markerfacecolor="white" if name == "bound" else None,
            alpha=0.85,
        )


def _style(axes: "Axes") -> None:
    axes.grid(color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _vertical(axes: "Axes", runs: Sequence[Result], row: str) -> None:
    """Label and scale of a row of panels."""
    if row == "residual":
        axes.set_yscale("log")
        axes.set_ylabel("residual, in the measure of the method")
        return
    goals = {run.instance.model.objective.name: trace_json(run)[0]["unit"] for run in runs}
    units = set(goals.values())
    unit = f" [{units.pop()}]" if len(units) == 1 and units != {"1"} else ""
    axes.set_ylabel((next(iter(goals)) if len(goals) == 1 else "objective") + unit)
    values = np.concatenate([_column(run, name) for run in runs for name in ("objective", "bound")])
    if values.size and values.min() > 0.0 and values.max() > WIDE * values.min():
        axes.set_yscale("log")


def _horizontal(axes: "Axes", runs: Sequence[Result], column: str) -> None:
    """Label and scale of a column of panels; times are told apart by orders of magnitude."""
    from matplotlib.ticker import MaxNLocator

    if column == "seconds":
        times = np.concatenate([_column(run, "seconds") for run in runs])
        axes.set_xlabel("time [s]")
        if times.min() > 0.0 and times.max() > WIDE * times.min():
            axes.set_xscale("log")
        return
    axes.set_xlabel("iteration")
    most = [int(_column(run, "iteration").max()) for run in runs]
    if max(most) > WIDE * max(min(most), 1):
        axes.set_xscale("symlog", linthresh=1.0)
        axes.set_xlim(left=0.0)
    else:
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _legend(axes: "Axes", names: Sequence[str], with_bounds: bool) -> None:
    """One entry for each run, and what the two kinds of lines are, below all panels."""
    from matplotlib.lines import Line2D

    entries = [
        Line2D(
            [],
            [],
            color=COLOURS[n % len(COLOURS)],
            marker=MARKS[n % len(MARKS)],
            markersize=4.5,
            label=name,
        )
        for n, name in enumerate(names)
    ]
    entries.append(Line2D([], [], color="#666666", label="objective"))
    if with_bounds:
        entries.append(Line2D([], [], color="#666666", linestyle="--", label="proven bound"))
    axes.figure.legend(
        handles=entries, loc="outside lower center", ncols=4, frameon=False, fontsize=9
    )
