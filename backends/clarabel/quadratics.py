"""Quadratic rows in second order cones.

A row `linear + x'Qx <= upper` with Q positive semidefinite becomes `linear + y <= upper` and
`y >= |F x|^2` with Q = F'F, that is `(y + 1, y - 1, 2 F x)` in a second order cone. F comes from
the eigenvalues of Q, for all rows with as many variables at once.
"""

from typing import Final

import numpy as np

from mecdsl.analysis.coefficients import Quadratics
from mecdsl.backends.clarabel.affine import Affine, Flags, numbers, stacked
from mecdsl.backends.clarabel.cones import Block, Draft
from mecdsl.functions.function import Cone
from mecdsl.instances.sparse_rows import SparseRows
from mecdsl.instances.tables import FloatArray, IntArray

NEGLIGIBLE: Final = 1e-12  # of the largest eigenvalue


def add_squares(draft: Draft, found: Quadratics, sign: FloatArray) -> Affine:
    """For each row a new variable times its sign, which stands for its quadratic part; 0 where it
    has none. sign * the quadratic part of each row is positive semidefinite.
    """
    row, first, second = found.quadratic_row, found.first, found.second
    bent = np.unique(row)
    which = np.searchsorted(bent, row)
    pairs = np.concatenate([np.column_stack([which, first]), np.column_stack([which, second])])
    used = np.unique(pairs, axis=0)  # the variables of each row, in their order
    counts = np.bincount(used[:, 0], minlength=len(bent))
    starts = np.cumsum(counts) - counts
    width = int(used[:, 1].max()) + 1
    codes = used[:, 0] * width + used[:, 1]
    one = np.searchsorted(codes, which * width + first) - starts[which]
    two = np.searchsorted(codes, which * width + second) - starts[which]
    value = sign[row] * found.quadratic_value
    y = draft.new(np.ones(len(bent)))
    for count in np.unique(counts).tolist():  # rows with as many variables, all at once
        rows = np.flatnonzero(counts == count)
        here = counts[which] == count
        at = np.searchsorted(rows, which[here])
        matrices = np.zeros((len(rows), count, count))
        np.add.at(matrices, (at, one[here], two[here]), 0.5 * value[here])
        np.add.at(matrices, (at, two[here], one[here]), 0.5 * value[here])
        columns = used[np.flatnonzero(counts[used[:, 0]] == count), 1].reshape(len(rows), count)
        _add_cones(draft, y.take(rows), matrices, columns)
    total = numbers(np.zeros(found.size))
    return total.plus(y.scaled(sign[bent]).segment_sum(bent, found.size))


def _add_cones(draft: Draft, y: Affine, matrices: FloatArray, columns: IntArray) -> None:
    """y >= x'Mx with the variables of each row in `columns`, shape (rows, count)."""
    rows, count = columns.shape
    values, vectors = np.linalg.eigh(matrices)
    largest = np.maximum(np.abs(values).max(axis=1, keepdims=True), 1e-300)
    roots = np.sqrt(np.where(values > NEGLIGIBLE * largest, values, 0.0))
    factors = 2.0 * roots[:, :, None] * vectors.transpose(0, 2, 1)
    order = np.repeat(columns[:, None, :], count, axis=1)
    slopes = SparseRows.uniform(rows * count, count, (order.reshape(-1),), factors.reshape(-1))
    nothing: Flags = np.zeros(rows * count, dtype=bool)
    inner = Affine(slopes, np.zeros(rows * count), nothing, nothing)
    heads = [y.shifted(np.ones(rows)), y.shifted(-np.ones(rows))]
    both = stacked([*heads, inner])
    place = np.concatenate(
        [
            np.arange(rows)[:, None],
            np.arange(rows, 2 * rows)[:, None],
            2 * rows + np.arange(rows * count).reshape(rows, count),
        ],
        axis=1,
    )
    draft.blocks.append(Block(Cone.SECOND_ORDER, both.take(place.reshape(-1)), rows))
