"""Measured layer times against fitted ones as a picture, and below it the error of each row.

A row on the line is fitted exactly; outliers are crosses. Needs matplotlib, an optional extra.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from mecdsl.diagnostics import count
from mecdsl.networks.delay_fit import DelayFit
from mecdsl.networks.delays import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

DOT, FAR_OFF, LINE = "#0072b2", "#b2182b", "#555555"  # distinct for colour-blind readers too
WIDE: Final = 30.0  # largest over smallest time from which the axes are logarithmic


def delay_fit_picture(fit: DelayFit, path: Path) -> None:
    """Write the picture; the suffix gives the format.

    Raises `ImportError` without matplotlib, `OSError`.
    """
    from matplotlib.figure import Figure

    size, unit = _unit(fit.measurements.times)
    figure = Figure(figsize=(7.0, 8.0), layout="constrained")
    top, below = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": (3, 1)})
    _times(top, fit, size)
    _errors(below, fit, size)
    for axes in (top, below):
        axes.grid(color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
    top.set_ylabel(f"measured time [{unit}]")
    below.set_ylabel("measured over fitted - 1 [%]")
    below.set_xlabel(f"fitted time [{unit}]")
    top.legend(frameon=False)
    r_square = "" if fit.r_square_kept is None else f", R-square {fit.r_square_kept:.4f}"
    kept = count(int((~fit.outliers).sum()), "row")
    figure.suptitle(f"{fit.measurements.file}: {kept} fitted{r_square}", fontsize=12)
    figure.savefig(path, dpi=150)


def _times(axes: "Axes", fit: DelayFit, size: float) -> None:
    """Measured over fitted times in units of `size` seconds, and the line where they are equal."""
    measured, fitted = fit.measurements.times / size, fit.fitted / size
    both = np.concatenate((measured, fitted))
    wide = both.min() > 0.0 and measured.max() > WIDE * measured.min()
    margin = 1.15 if wide else 1.0
    ends = np.array([both.min() / margin, both.max() * margin])
    axes.plot(ends, ends, color=LINE, linewidth=1.0, label="measured = fitted")
    _dots(axes, fit, fitted, measured)
    if wide:
        axes.set_xscale("log")
        axes.set_yscale("log")


def _errors(axes: "Axes", fit: DelayFit, size: float) -> None:
    """How far each row is off in per cent; the axis ends with the rows that are no outliers."""
    measured, fitted = fit.measurements.times, fit.fitted
    nothing = np.full_like(fitted, np.nan)  # a fit of 0 s has no error in per cent
    off = 100.0 * np.divide(measured - fitted, fitted, where=fitted > 0.0, out=nothing)
    axes.axhline(0.0, color=LINE, linewidth=1.0)
    _dots(axes, fit, fitted / size, off)
    seen = np.abs(off[~fit.outliers & np.isfinite(off)])
    reach = 1.3 * float(seen.max(initial=0.0)) or 1.0
    axes.set_ylim(-reach, reach)


def _dots(axes: "Axes", fit: DelayFit, across: Floats, up: Floats) -> None:
    """One mark for each row."""
    for rows, mark, colour, label in (
        (~fit.outliers, "o", DOT, "row"),
        (fit.outliers, "x", FAR_OFF, "outlier"),
    ):
        if rows.any():
            style: dict[str, Any] = {
                "marker": mark,
                "color": colour,
                "s": 26,
                "alpha": 0.8,
                "zorder": 3,
            }
            axes.scatter(across[rows], up[rows], label=label, **style)


def _unit(times: Floats) -> tuple[float, str]:
    """The size and name of the unit of time that suits the largest."""
    for size, unit in ((1.0, "s"), (1e-3, "ms")):
        if times.max() >= size:
            return size, unit
    return 1e-6, "us"
