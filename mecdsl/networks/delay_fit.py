"""Coefficients of layer delays from measured rows, with intervals.

The paper (`mecdsl.networks.delays`) fits by least squares; here `mecdsl.networks.robust_fit` does.
Layer times span orders of magnitude and err in proportion, so errors are relative by default.
"""

from dataclasses import dataclass

import numpy as np

from mecdsl.diagnostics import Diagnostic, ModelError, count
from mecdsl.networks.delays import COEFFICIENTS, TERMS, DelayCoefficients, Floats, delay_terms
from mecdsl.networks.devices import Device
from mecdsl.networks.measurements import Measurements
from mecdsl.networks.robust_fit import (
    ERRORS,
    FEWEST_FREE,
    RANK,
    Rows,
    fit_without_outliers,
    full_rank,
    interval,
    weights_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DelayFit:
    """A fit and what it is worth; times in seconds, arrays with one number for each row or
    coefficient.

    `low`, `high`: the interval, NaN where there are no more rows than coefficients. `spread`: of
    the residuals, relative to the time or in seconds as `errors` says. `outliers`: rows without
    weight in the fit; `r_square` and the errors count all rows, `r_square_kept` those with weight.
    `other_spread`: with O and I the other way round; NaN where the rows do not fix that.
    """

    measurements: Measurements
    swap_channels: bool
    errors: str
    estimate: Floats
    low: Floats
    high: Floats
    spread: float
    fitted: Floats
    outliers: Rows
    other_spread: float

    @property
    def coefficients(self) -> DelayCoefficients:
        """The estimate."""
        return DelayCoefficients(**dict(zip(COEFFICIENTS, self.estimate.tolist(), strict=True)))

    @property
    def r_square(self) -> float | None:
        """1 - sum (y - f)^2 / sum (y - mean)^2 as in the paper; None if all times are the same."""
        return _r_square(self.measurements.times, self.fitted)

    @property
    def r_square_kept(self) -> float | None:
        """The same without the outliers."""
        return _r_square(self.measurements.times[~self.outliers], self.fitted[~self.outliers])

    @property
    def absolute_errors(self) -> Floats:
        """The distance of each row to its fit [s]."""
        return np.abs(self.measurements.times - self.fitted)

    @property
    def spreads_off(self) -> Floats:
        """How many spreads each row is off."""
        weights = weights_of(self.measurements.times, self.fitted, self.errors)
        return self.absolute_errors * weights / self.spread

    @property
    def undetermined(self) -> tuple[str, ...]:
        """The coefficients whose interval reaches 0: the rows do not tell them from nothing."""
        return tuple(name for name, low in zip(COEFFICIENTS, self.low, strict=True) if low <= 0)

    def device(self, name: str) -> Device:
        """The device that was measured, under a name, and from which rows it is."""
        measured = self.measurements
        source = f"mecdsl fit-delay, {measured.rows} rows of {measured.file}"
        return Device(name, self.coefficients, self.swap_channels, source)


def fit_delay(
    measurements: Measurements, swap_channels: bool = False, errors: str = "relative"
) -> DelayFit:
    """Fit the three coefficients to measured rows.

    `swap_channels`: O are the output channels. `errors`: `relative` or `absolute`, in what rows
    may err alike. Raises `ModelError` E506 for rows that do not fix the coefficients.
    """
    if errors not in ERRORS:
        raise ValueError(f"errors are {' or '.join(ERRORS)}, not {errors}")
    terms = delay_terms(measurements.windows, swap_channels)
    _require_rows(measurements, terms)
    times = measurements.times
    _require_rank(measurements, terms * weights_of(times, times, errors)[:, None], swap_channels)
    kept, robust = fit_without_outliers(terms, times, errors)
    low, high = interval(robust)
    return DelayFit(
        measurements=measurements,
        swap_channels=swap_channels,
        errors=errors,
        estimate=robust.estimate,
        low=low,
        high=high,
        spread=robust.spread,
        fitted=terms @ robust.estimate,
        outliers=~kept,
        other_spread=_spread(delay_terms(measurements.windows, not swap_channels), times, errors),
    )


def _spread(terms: Floats, times: Floats, errors: str) -> float:
    """The spread of a fit of some terms; NaN where the rows do not fix it."""
    if not full_rank(terms * weights_of(times, times, errors)[:, None]):
        return float("nan")
    return fit_without_outliers(terms, times, errors)[1].spread


def _require_rows(measurements: Measurements, terms: Floats) -> None:
    rows, needed = terms.shape
    if rows >= needed:
        return
    message = f"`{measurements.file}` has {count(rows, 'row')}, {needed} coefficients are fitted"
    fix = f"measure at least {needed} layers, {needed + FEWEST_FREE} to see outliers and intervals"
    raise ModelError([Diagnostic("E506", message, measurements.span, help=fix)])


def _require_rank(measurements: Measurements, weighted: Floats, swap_channels: bool) -> None:
    """Refuse terms that are proportional to each other, or one that is zero in every row."""
    lengths = np.linalg.norm(weighted, axis=0)
    absent = [term for term, length in zip(TERMS, lengths, strict=True) if length == 0.0]
    if absent:
        message = f"no row of `{measurements.file}` has the term {' or '.join(absent)}"
        fix = "measure convolutions too: rows of kind `conv` or `dense`"
        raise ModelError([Diagnostic("E506", message, measurements.span, help=fix)])
    if full_rank(weighted):
        return
    _, sizes, directions = np.linalg.svd(weighted / lengths, full_matrices=False)
    mixed = np.any(np.abs(directions[sizes <= RANK * sizes[0]]) > 1e-3, axis=0)
    terms = [term for term, part in zip(TERMS, mixed, strict=True) if part]
    message = (
        f"the terms {', '.join(terms)} are proportional to each other in the rows of "
        f"`{measurements.file}`, so their coefficients cannot be told apart"
    )
    fix = _variation(measurements, swap_channels)
    raise ModelError([Diagnostic("E506", message, measurements.span, help=fix)])


def _variation(measurements: Measurements, swap_channels: bool) -> str:
    """What to measure so that the terms differ: over G^2 they are K^2 O I, K^2 I and O."""
    windows = measurements.windows
    sizes = {
        "kernel": windows.taps,
        "input_channels": windows.input_channels,
        "output_channels": windows.output_channels,
    }
    alike = [f"`{name}`" for name, values in sizes.items() if len(np.unique(values)) == 1]
    own = "output" if swap_channels else "input"
    fix = f"measure layers with several `{own}_channels`, each with several `kernel`"
    same = f"; {', '.join(alike)} never changed" if alike else ""
    return fix + same


def _r_square(times: Floats, fitted: Floats) -> float | None:
    scatter = float(((times - times.mean()) ** 2).sum())
    return None if scatter == 0.0 else 1.0 - float(((times - fitted) ** 2).sum()) / scatter
