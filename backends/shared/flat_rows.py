"""Rows of degree two or less as arrays, and a place where more of them are added one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mecdsl.analysis.coefficients import Quadratics
from mecdsl.instances.tables import FloatArray

CLOSE: Final = 1e-12  # of scaled sides; solvers keep rows to 1e-9


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class FlatRows:
    """`lower <= coefficients <= upper`, without constants.

    `family`: object[rows], the constraint family whose nonlinear part a row helps to say, "" of a
    row that the model states itself.
    """

    coefficients: Quadratics
    lower: FloatArray
    upper: FloatArray
    family: NDArray[np.object_]

    @property
    def quadratic(self) -> NDArray[np.bool_]:
        """Which rows have products."""
        found = np.zeros(self.coefficients.size, dtype=bool)
        found[self.coefficients.quadratic_row] = True
        return found

    def chosen(self, kept: NDArray[np.bool_]) -> "FlatRows":
        """Some of the rows, in their order."""
        found, number = self.coefficients, np.cumsum(kept) - 1
        linear, products = kept[found.row], kept[found.quadratic_row]
        return FlatRows(
            coefficients=Quadratics(
                constant=found.constant[kept],
                row=number[found.row[linear]],
                column=found.column[linear],
                value=found.value[linear],
                quadratic_row=number[found.quadratic_row[products]],
                first=found.first[products],
                second=found.second[products],
                quadratic_value=found.quadratic_value[products],
            ),
            lower=self.lower[kept],
            upper=self.upper[kept],
            family=self.family[kept],
        )

    def one_sided(self) -> "FlatRows":
        """The same with two rows for one of two sides, and an equation for one whose sides are
        closer than a solver can tell.
        """
        both = np.isfinite(self.lower) & np.isfinite(self.upper)
        with np.errstate(invalid="ignore"):  # infinite sides
            apart = both & (self.upper - self.lower > CLOSE)
        middle = np.where(both & ~apart, 0.5 * (self.lower + self.upper), 0.0)
        above = replace(
            self,
            lower=np.where(both & ~apart, middle, self.lower),
            upper=np.where(apart, np.inf, np.where(both, middle, self.upper)),
        )
        return joined([above, replace(self, lower=np.full_like(self.lower, -np.inf)).chosen(apart)])


def joined(parts: Sequence[FlatRows]) -> FlatRows:
    """The rows of all parts, one after another."""
    found = [part.coefficients for part in parts]
    before = np.cumsum([0, *(rows.size for rows in found)]).tolist()
    shifted = list(zip(found, before[:-1], strict=True))
    return FlatRows(
        coefficients=Quadratics(
            constant=np.concatenate([rows.constant for rows in found]),
            row=np.concatenate([rows.row + first for rows, first in shifted]),
            column=np.concatenate([rows.column for rows in found]),
            value=np.concatenate([rows.value for rows in found]),
            quadratic_row=np.concatenate([rows.quadratic_row + first for rows, first in shifted]),
            first=np.concatenate([rows.first for rows in found]),
            second=np.concatenate([rows.second for rows in found]),
            quadratic_value=np.concatenate([rows.quadratic_value for rows in found]),
        ),
        lower=np.concatenate([part.lower for part in parts]),
        upper=np.concatenate([part.upper for part in parts]),
        family=np.concatenate([part.family for part in parts]),
    )


def one_row(
    weights: Mapping[int, float],
    products: Mapping[tuple[int, int], float],
    limits: tuple[float, float],
    family: str,
) -> FlatRows:
    """A row from coefficients by column and by pair of columns."""
    pairs = np.array(list(products), dtype=np.int64).reshape(-1, 2)
    return FlatRows(
        coefficients=Quadratics(
            constant=np.zeros(1),
            row=np.zeros(len(weights), dtype=np.int64),
            column=np.array(list(weights), dtype=np.int64),
            value=np.array(list(weights.values()), dtype=np.float64),
            quadratic_row=np.zeros(len(products), dtype=np.int64),
            first=pairs[:, 0],
            second=pairs[:, 1],
            quadratic_value=np.array(list(products.values()), dtype=np.float64),
        ),
        lower=np.array([limits[0]]),
        upper=np.array([limits[1]]),
        family=np.array([family], dtype=object),
    )


def no_terms(rows: int, constant: float = 0.0) -> Quadratics:
    """Rows of nothing but a constant."""
    none = np.zeros(0, dtype=np.int64)
    return Quadratics(
        constant=np.full(rows, constant),
        row=none,
        column=none,
        value=np.zeros(0),
        quadratic_row=none,
        first=none,
        second=none,
        quadratic_value=np.zeros(0),
    )


def no_rows() -> FlatRows:
    """Not a single one."""
    return FlatRows(
        coefficients=no_terms(0),
        lower=np.zeros(0),
        upper=np.zeros(0),
        family=np.zeros(0, dtype=object),
    )
