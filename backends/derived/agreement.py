"""Where two samples agree: rows that are the same function up to a factor, slope by slope."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mecdsl.backends.derived.samples import Sample
from mecdsl.instances.tables import FloatArray, IntArray

Flags = NDArray[np.bool_]

TOLERANCE = 1e-9  # relative, of each slope to itself and of each value to the terms of its row
ROUNDING = 1e-13  # of the terms of a row, in each slope
LEAST_POINTS = 2  # at which a row must be a number, or nothing can be said of it
NOT_HERE = -1


@dataclass(frozen=True, slots=True, eq=False)
class Agreement:
    """Of every stacked row of the wanted sample: the `factor` that gives the other one, whether
    `constant` and `slopes` agree with it, and the column that agrees least, -1 where it has none.
    """

    factor: FloatArray
    constant: Flags
    slopes: Flags
    column: IntArray

    @property
    def holds(self) -> Flags:
        """Whether a row is the other one times the factor."""
        found: Flags = self.constant & self.slopes
        return found


@dataclass(frozen=True, slots=True, eq=False)
class _Entries:
    """Slopes of both sides at the same positions, float64[P, entries]."""

    row: IntArray
    column: IntArray
    own: FloatArray
    wanted: FloatArray


@np.errstate(all="ignore")  # what is no number agrees with nothing
def agreement(own: Sample, wanted: Sample, place: IntArray, scaled: bool = True) -> Agreement:
    """Compare the rows of one sample with those of another: row r of `wanted` with row `place[r]`
    of `own`, which have no row in common; nothing agrees at `NOT_HERE`.

    `scaled`: rows may differ by a factor, else it is 1 for all. A row that is no number at all but
    one point agrees with nothing.
    """
    entries, rows = _aligned(own, wanted, place), len(place)
    value = own.value[:, place]
    odd = np.array([np.bincount(entries.row, ~np.isfinite(s), rows) for s in entries.wanted])
    finite = np.isfinite(wanted.value) & (odd == 0.0)
    factor = _factors(entries, value, wanted.value, finite) if scaled else np.ones(rows)
    size, there = np.abs(factor), finite[:, entries.row]
    missed = np.abs(entries.own - factor[entries.row] * entries.wanted)
    allowed = TOLERANCE * np.abs(entries.wanted) + ROUNDING * wanted.terms[:, entries.row]
    share = np.where(there & (missed != 0.0), missed / (size[entries.row] * allowed), 0.0)
    excess = np.nan_to_num(share, nan=np.inf).max(axis=0, initial=0.0)
    close = np.abs(value - factor * wanted.value) <= TOLERANCE * size * wanted.terms
    sound = (place != NOT_HERE) & (finite.sum(axis=0) >= LEAST_POINTS)
    sound &= np.isfinite(factor) & (factor != 0.0)
    wrong = np.bincount(entries.row, ~(excess <= 1.0), rows) > 0.0
    worst = _largest(entries.row, excess, rows)
    column = np.where(worst < 0, -1, np.append(entries.column, -1)[worst])
    return Agreement(factor, sound & (close | ~finite).all(axis=0), sound & ~wrong, column)


def _aligned(own: Sample, wanted: Sample, place: IntArray) -> _Entries:
    """The slopes of the pairs, with 0 where only the other side has one."""
    back = np.full(own.value.shape[1], NOT_HERE, dtype=np.int64)
    here = np.flatnonzero(place != NOT_HERE)
    back[place[here]] = here
    mine, other = back[own.row] != NOT_HERE, place[wanted.row] != NOT_HERE
    width = 1 + int(max(own.column.max(initial=0), wanted.column.max(initial=0)))
    own_keys = back[own.row[mine]] * width + own.column[mine]
    keys = wanted.row[other] * width + wanted.column[other]
    if np.array_equal(own_keys, keys):
        return _Entries(
            wanted.row[other], wanted.column[other], own.slope[:, mine], wanted.slope[:, other]
        )
    both = np.union1d(own_keys, keys)
    slopes = np.zeros((2, len(own.value), len(both)))
    slopes[0][:, np.searchsorted(both, own_keys)] = own.slope[:, mine]
    slopes[1][:, np.searchsorted(both, keys)] = wanted.slope[:, other]
    return _Entries(both // width, both % width, *slopes)


def _factors(entries: _Entries, own: FloatArray, wanted: FloatArray, finite: Flags) -> FloatArray:
    """Of every row the quotient of the slopes where the wanted one is largest, at the first point
    where it is a number; of constants the quotient of the values.
    """
    point, every = np.argmax(finite, axis=0), np.arange(wanted.shape[1])
    at = point[entries.row], np.arange(len(entries.row))
    lead = _largest(entries.row, np.nan_to_num(np.abs(entries.wanted[at])), len(every))
    slopes = entries.own[at] / entries.wanted[at]
    mine, other = own[point, every], wanted[point, every]
    values = np.where((mine == 0.0) & (other == 0.0), 1.0, mine / other)
    found: FloatArray = np.where(lead < 0, values, np.append(slopes, np.nan)[lead])
    return found


def _largest(row: IntArray, size: FloatArray, rows: int) -> IntArray:
    """An entry of each row where the size is largest, -1 for a row without entries; the entries
    stand row by row.
    """
    found = np.full(rows, -1, dtype=np.int64)
    if len(row):
        begins = np.flatnonzero(np.append(True, row[1:] != row[:-1]))
        most = np.repeat(np.maximum.reduceat(size, begins), np.diff(np.append(begins, len(row))))
        chosen = np.flatnonzero(size == most)
        found[row[chosen]] = chosen
    return found
