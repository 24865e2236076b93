"""The distances of a study as a picture: for each backend one dot per seed and a box, one panel for
each form.

Only verified answers have a dot; how many of the seeds they are stands at the right of every row.
Needs matplotlib, an optional extra.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from mecdsl.diagnostics import count
from mecdsl.studies.study_result import PROOF, Outcome, Run, Study, Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SUFFIXES: Final = (".png", ".pdf", ".svg")
FLOOR: Final = PROOF  # smaller distances stand on a logarithmic axis as this
FEWEST: Final = 4  # dots that make a box
WIDE: Final = 30.0  # largest over smallest distance from which the axis is logarithmic
DOT, BOX, BROKEN = "#0072b2", "#555555", "#b2182b"  # distinct for colour-blind readers too


def study_picture(study: Study, path: Path) -> None:
    """Write the picture; the suffix gives the format.

    Raises `ImportError` without matplotlib, `OSError`.
    """
    from matplotlib.figure import Figure

    forms = list(study.goals)
    rows = [[s for s in study.summaries if s.form == form and not s.bounds_only] for form in forms]
    heights = [max(1, len(summaries)) for summaries in rows]
    figure = Figure(
        figsize=(9.0, 1.5 + sum(0.45 * height + 0.55 for height in heights)), layout="constrained"
    )
    grid = figure.subplots(
        len(forms), 1, squeeze=False, sharex=True, gridspec_kw={"height_ratios": heights}
    )
    panels: list[Axes] = list(grid[:, 0])
    distances = [run.distance for run in study.runs if run.distance is not None]
    wide = is_wide(distances)
    for axes, form, summaries in zip(panels, forms, rows, strict=True):
        _panel(axes, summaries, [run for run in study.runs if run.form == form], wide)
        if len(forms) > 1:
            axes.set_title(f"form {form or 'base'}", loc="left", fontsize=10)
    _scale(panels[-1], distances, wide)
    name = study.model or "model"
    figure.suptitle(
        f"{name}: verified answers against the best proven bound, "
        f"{count(len(study.seeds), 'seed')}",
        fontsize=12,
    )
    panels[-1].set_xlabel(
        "distance of the objective to the best proven bound of the same seed [%]\n"
        "one dot per seed; box: quartiles and median; whiskers: 10 % to 90 %"
    )
    figure.savefig(path, dpi=150)


def is_wide(distances: Sequence[float]) -> bool:
    """Whether distances span so much that only a logarithmic axis shows them all.

    >>> is_wide([0.05, 0.3]), is_wide([0.0, 0.3]), is_wide([0.0, 0.0])
    (False, True, False)
    """
    raised = [max(distance, FLOOR) for distance in distances]
    return bool(raised) and max(raised) > WIDE * min(raised)


def _panel(axes: "Axes", rows: Sequence[Summary], runs: Sequence[Run], wide: bool) -> None:
    """One row for each backend, the most reliable at the top."""
    for height, summary in enumerate(rows):
        mine = [run for run in runs if run.backend == summary.backend]
        percent = np.array([run.distance for run in mine if run.distance is not None]) * 100.0
        shown = np.maximum(percent, FLOOR * 100.0) if wide else percent
        if len(shown) >= FEWEST:
            axes.boxplot(
                [shown],
                positions=[height],
                orientation="horizontal",
                widths=0.5,
                whis=(10, 90),
                showfliers=False,
                manage_ticks=False,
                medianprops={"color": "black", "linewidth": 1.6},
                boxprops={"color": BOX},
                whiskerprops={"color": BOX},
                capprops={"color": BOX},
            )
        # side by side in a fixed pattern, so that equal distances stay apart and no draw changes
        # the picture
        offsets = 0.34 * (((np.arange(len(shown)) * 0.618034) % 1.0) - 0.5)
        axes.scatter(shown, height + offsets, s=16, color=DOT, alpha=0.65, linewidths=0, zorder=3)
        axes.annotate(
            _count(summary, mine),
            (1.01, height),
            xycoords=("axes fraction", "data"),
            va="center",
            fontsize=8,
            color=BROKEN if summary.broken else "black",
        )
    axes.set_yticks(range(len(rows)), [summary.backend for summary in rows])
    axes.set_ylim(max(len(rows), 1) - 0.5, -0.5)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _count(summary: Summary, runs: Sequence[Run]) -> str:
    """What stands beside a row: how many answers there are to see, and how many are left out as
    broken.
    """
    if not summary.ran:
        return "did not run"
    words = f"{summary.verified}/{summary.seeds} verified"
    unbounded = sum(run.outcome is Outcome.VERIFIED and run.distance is None for run in runs)
    words += f", {summary.broken} broken" if summary.broken else ""
    return words + (f", {unbounded} without a bound" if unbounded else "")


def _scale(axes: "Axes", distances: Sequence[float], wide: bool) -> None:
    """Per cent on a linear axis from 0, or on a logarithmic one whose left end stands for all that
    is smaller.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator

    if not wide:
        axes.set_xlim(left=0.0, right=None if any(distances) else 1.0)
        return
    least = max(FLOOR, min(distances)) * 100.0
    axes.set_xscale("log")
    axes.set_xlim(left=least * 0.6)
    axes.xaxis.set_major_locator(LogLocator(base=10.0, numticks=12))
    floor = FLOOR * 100.0
    axes.xaxis.set_major_formatter(
        FuncFormatter(lambda value, _: f"≤ {value:g}" if value <= floor * 1.001 else f"{value:g}")
    )
