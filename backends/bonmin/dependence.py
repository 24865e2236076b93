"""Whether equations depend on each other: then the multipliers of Bonmin's nodes are not unique.

Its local solver then ends anywhere that keeps the rows: of a plan with an equation stated twice,
the second time multiplied by 1.2, it called 1.5 optimal where 2.08 is feasible.
"""

from typing import Final

import numpy as np

from mecdsl.reduction.plain_parts import plain_rows
from mecdsl.reduction.reduced import Reduced

LARGEST: Final = 1_000_000  # entries; of larger systems only equal rows are looked for
SAME: Final = 12  # digits


def equations_depend(reduced: Reduced) -> bool:
    """Whether the linear equations of a reduced problem have less rank than rows."""
    rows = plain_rows(reduced)
    curved = np.zeros(len(rows.rows), dtype=bool)
    curved[rows.coefficients.quadratic_row] = True
    equal = np.flatnonzero((rows.upper - rows.lower <= np.abs(rows.upper) * 10.0**-SAME) & ~curved)
    found, columns = rows.coefficients, len(reduced.columns)
    if len(equal) < 2:
        return False
    if len(equal) * columns <= LARGEST:
        number = np.full(len(rows.rows), -1, dtype=np.int64)
        number[equal] = np.arange(len(equal))
        used = number[found.row] >= 0
        matrix = np.zeros((len(equal), columns))
        matrix[number[found.row[used]], found.column[used]] = found.value[used]
        lengths = np.linalg.norm(matrix, axis=1, keepdims=True)
        return bool(np.linalg.matrix_rank(matrix / np.maximum(lengths, 1e-300)) < len(equal))
    order = np.lexsort((found.column, found.row))
    starts = np.searchsorted(found.row[order], np.arange(len(rows.rows) + 1))
    seen: set[tuple[bytes, bytes]] = set()
    for row in equal.tolist():
        entries = order[starts[row] : starts[row + 1]]
        values = found.value[entries]
        share = np.round(values / values[0], SAME) if len(values) else values
        key = (found.column[entries].tobytes(), (share + 0.0).tobytes())
        if key in seen:
            return True
        seen.add(key)
    return False
