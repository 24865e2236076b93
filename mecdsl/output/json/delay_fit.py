"""A fit of layer delays as plain data: seconds in full precision."""

from typing import Any, Final

import numpy as np

from mecdsl.diagnostics import count
from mecdsl.networks.delay_fit import DelayFit
from mecdsl.networks.delays import COEFFICIENTS, TERMS
from mecdsl.networks.robust_fit import CONFIDENCE, FEWEST_FREE
from mecdsl.output.json.plain import plain
from mecdsl.units import format_value, parse_unit

POOR: Final = 0.2  # of the time; errors of repeated measurements are a few hundredths
BETTER: Final = 0.5  # times the spread: more than chance makes of two readings


def delay_fit_json(fit: DelayFit) -> dict[str, Any]:
    """Everything about a fit; intervals that are not known are null."""
    errors, times = fit.absolute_errors, fit.measurements.times
    worst = int(np.argmax(errors))
    return {
        "file": fit.measurements.file,
        "rows": fit.measurements.rows,
        "swap_channels": fit.swap_channels,
        "loss": "soft_l1",
        "errors": fit.errors,
        "confidence": CONFIDENCE,
        "intervals": "jacobian",
        "coefficients": {
            name: {
                "term": term,
                "value": plain(fit.estimate[place]),
                "low": plain(fit.low[place]),
                "high": plain(fit.high[place]),
                "unit": "s",
                "at_bound": bool(fit.estimate[place] == 0.0),
            }
            for place, (name, term) in enumerate(zip(COEFFICIENTS, TERMS, strict=True))
        },
        "undetermined": list(fit.undetermined),
        "r_square": fit.r_square,
        "r_square_without_outliers": fit.r_square_kept,
        "mean_error": {"value": plain(errors.mean()), "unit": "s"},
        "mean_relative_error": plain((errors / times).mean()),
        "largest_error": {"value": plain(errors[worst]), "unit": "s", "row": worst + 1},
        "spread": {"value": plain(fit.spread), "unit": "1" if fit.errors == "relative" else "s"},
        "spread_with_channels_the_other_way": plain(fit.other_spread),
        "notes": notes(fit),
        "outliers": [_row(fit, row) for row in np.flatnonzero(fit.outliers).tolist()],
    }


def number_of(spread: float, errors: str) -> str:
    """A spread with its unit: in per cent where it is relative."""
    if errors == "relative":
        return f"{100.0 * spread:.3g} %"
    return format_value(float(spread), parse_unit("s"), 3)


def notes(fit: DelayFit) -> list[str]:
    """What keeps the numbers from being worth what they seem."""
    spare = int((~fit.outliers).sum()) - len(fit.estimate)
    found = []
    if spare == 0:
        found.append(
            "as many rows as coefficients: the fit passes through all of them and nothing is known "
            "of its errors; measure more layers"
        )
    elif spare < FEWEST_FREE:
        found.append(
            f"only {count(spare, 'row')} more than coefficients: no row is called an outlier, and "
            "the intervals are wide"
        )
    if spare and fit.undetermined:
        found.append(
            f"the interval of {' and '.join(f'`{name}`' for name in fit.undetermined)} reaches 0: "
            "these rows do not tell the term from none; measure layers in which it is large"
        )
    other = "without" if fit.swap_channels else "with"
    if spare >= FEWEST_FREE and fit.other_spread < BETTER * fit.spread:
        found.append(
            f"{other} `--swap-channels` the spread is {number_of(fit.other_spread, fit.errors)}: "
            "the channels seem to be the other way round"
        )
    elif fit.errors == "relative" and fit.spread > POOR:
        found.append(
            f"rows are off by {100 * fit.spread:.0f} % and more: the three terms describe these "
            "times badly; measure each layer many times, on a device that does nothing else"
        )
    return found


def _row(fit: DelayFit, row: int) -> dict[str, Any]:
    measured = fit.measurements
    return {
        "row": row + 1,
        "line": measured.lines[row] or None,
        "name": measured.names[row] or None,
        "measured": {"value": plain(measured.times[row]), "unit": "s"},
        "fitted": {"value": plain(fit.fitted[row]), "unit": "s"},
        "spreads_off": plain(fit.spreads_off[row]),
    }
