"""A fit of layer delays as text."""

import numpy as np

from mecdsl.diagnostics import count
from mecdsl.networks.delay_fit import DelayFit
from mecdsl.networks.delays import COEFFICIENTS, TERMS
from mecdsl.networks.robust_fit import CONFIDENCE, FAR
from mecdsl.output.json.delay_fit import notes, number_of
from mecdsl.output.text.layout import number, paragraph, table
from mecdsl.units import format_value, parse_unit

MOST_OUTLIERS = 10  # named one by one
SECOND = parse_unit("s")


def delay_fit_text(fit: DelayFit) -> str:
    """Coefficients with intervals, how well they fit, the outliers."""
    measured = fit.measurements
    read, written = ("I", "O") if fit.swap_channels else ("O", "I")
    outliers = int(fit.outliers.sum())
    left_out = f", {count(outliers, 'outlier')} left out of the fit" if outliers else ""
    parts = [
        paragraph(f"{measured.file}: {count(measured.rows, 'row')}{left_out}"),
        paragraph(f"time = {' + '.join(map(' '.join, zip(COEFFICIENTS, TERMS, strict=True)))}"),
        f"G output_side, K kernel, {read} input_channels, {written} output_channels",
        "",
        _coefficients(fit),
        "",
        table(_quality(fit)),
    ]
    parts += ["", *_outliers(fit)] if outliers else []
    parts += ["", *(paragraph(f"note: {note}") for note in notes(fit))] if notes(fit) else []
    parts += ["", paragraph(method(fit))]
    return "\n".join(parts)


def _seconds(value: float, digits: int = 4) -> str:
    return format_value(float(value), SECOND, digits) if np.isfinite(value) else "-"


def _coefficients(fit: DelayFit) -> str:
    rows = [
        [name, term, _seconds(estimate), f"{_seconds(low)} .. {_seconds(high)}"]
        if np.isfinite(high)
        else [name, term, _seconds(estimate), "-"]
        for name, term, estimate, low, high in zip(
            COEFFICIENTS, TERMS, fit.estimate, fit.low, fit.high, strict=True
        )
    ]
    interval = f"{CONFIDENCE:.0%} interval".replace("%", " %")
    return table(rows, ["coefficient", "of", "estimate", interval], right="llr")


def _quality(fit: DelayFit) -> list[list[str]]:
    errors, times = fit.absolute_errors, fit.measurements.times
    worst = int(np.argmax(errors))
    rows = [["R-square", number(fit.r_square)]]
    if fit.outliers.any():
        rows.append(["  without outliers", number(fit.r_square_kept)])
    return [
        *rows,
        ["mean error", f"{_seconds(errors.mean(), 3)}, {_percent(errors / times)} of the time"],
        ["largest error", f"{_seconds(errors[worst], 3)} in {row_name(fit, worst)}"],
        ["spread", f"{number_of(fit.spread, fit.errors)} ({fit.errors} errors)"],
    ]


def _percent(shares: "np.typing.NDArray[np.float64]") -> str:
    return f"{number(100 * float(shares.mean()), 3)} %"


def row_name(fit: DelayFit, row: int) -> str:
    """A row as a reader finds it: its number, its line in the file, its name."""
    measured = fit.measurements
    places = [f"line {measured.lines[row]}"] if measured.lines[row] else []
    places += [measured.names[row]] if measured.names[row] else []
    return f"row {row + 1}" + (f" ({', '.join(places)})" if places else "")


def _outliers(fit: DelayFit) -> list[str]:
    """The outliers, the farthest first."""
    rows = np.flatnonzero(fit.outliers)
    rows = rows[np.argsort(-fit.spreads_off[rows], kind="stable")]
    shown = [
        [
            row_name(fit, row),
            _seconds(fit.measurements.times[row]),
            _seconds(fit.fitted[row]),
            number(float(fit.spreads_off[row]), 3),
        ]
        for row in rows[:MOST_OUTLIERS].tolist()
    ]
    more = len(rows) - MOST_OUTLIERS
    lines = [table(shown, ["outlier", "measured", "fitted", "spreads off"], right="lrrr")]
    return [*lines, f"  and {count(more, 'more row')}, see --json"] if more > 0 else lines


def method(fit: DelayFit) -> str:
    """How the numbers were found."""
    alike = "relative to the fitted time" if fit.errors == "relative" else "in seconds"
    return (
        f"fit: least squares with the loss soft_l1, residuals {alike}, coefficients >= 0; "
        f"outliers: more than {FAR:g} spreads off; intervals: from the Jacobian, Student's t"
    )
