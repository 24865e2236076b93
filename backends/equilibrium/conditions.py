"""The first-order conditions of all players together, as one system for a local solver.

Player n chooses the columns x_n and has the objective C_n, with s_n = 1 if it is minimised and -1
if maximised. With the rows g_r(x) <= 0 (turned round where they are >=) and h_r(x) == 0 the
conditions of each player (Karush, Kuhn, Tucker) are, for every own column i between its bounds,

    F_i = s_n dC_n/dx_i + sum_r mu_r dg_r/dx_i,   F_i >= 0 at the lower bound only, <= 0 at the
                                                  upper only, 0 between them,
    F_r = -g_r >= 0,  mu_r >= 0,  one of them 0;  F_r = -h_r = 0 with mu_r free.

A row that several players have a say in has one multiplier for all of them: of the generalised Nash
equilibria this is the variational one (Rosen 1965, with all weights 1 in SI; Facchinei and Kanzow
2010). So the unknowns w = (x, mu) are as many as the conditions, which are a mixed complementarity
problem: each w_k between bounds l_k and u_k, with F_k. With the function of Fischer and Burmeister

    phi(a, b) = a + b - sqrt(a^2 + b^2),  which is 0 if a, b >= 0 and one of them is 0,

they are equations (Billups 1995):  phi(w_k - l_k, -phi(u_k - w_k, -F_k)) = 0.

Unknowns and conditions are multiplied by positive numbers that bring them near one; this moves no
solution. The multiplier of a row is in the typical slope of the players that share it.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mecdsl.analysis.derivatives import SmoothProgram, smooth_program
from mecdsl.backends.equilibrium.slopes import OwnSlopes
from mecdsl.equilibria.begin import anywhere
from mecdsl.instances.instance import Instance
from mecdsl.instances.players import game_of
from mecdsl.instances.tables import FloatArray, IntArray
from mecdsl.reduction.reduced import reduce_instance
from mecdsl.starts.draw import drawn

AT_ZERO = 1.0 - np.sqrt(0.5)  # a slope of phi at (0, 0): one of its generalised derivatives
SIZED_AT = 3  # points at which the slopes of the objectives are looked at for their sizes
LEAST, MOST = 1e-100, 1e100  # of a factor


@dataclass(frozen=True, slots=True, eq=False)
class Triplets:
    """Entries (row, column) of a matrix and their values; equal positions add up."""

    row: IntArray
    column: IntArray
    value: FloatArray


class Conditions:
    """The system of a game in the unknowns w: n scaled free columns, then m scaled multipliers.

    `lower`, `upper`: float64[n + m], bounds of the unknowns. `row`, `column`: int64[entries],
    positions of the entries of the Jacobian. Raises `ModelError` where a coefficient is not finite.
    """

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.slopes = OwnSlopes(instance)
        self.rows: SmoothProgram = smooth_program(anywhere(instance))
        self._reduced = reduce_instance(instance)
        self.columns = self.slopes.columns
        self.size = len(self.columns) + len(self.rows.rows)
        self._measure()
        self._bound()
        triplets = self._derivatives(self.start(instance.first_point()))
        diagonal = np.arange(self.size, dtype=np.int64)
        self.row = np.concatenate([triplets.row, diagonal])
        self.column = np.concatenate([triplets.column, diagonal])

    # Points

    def start(self, x: FloatArray) -> FloatArray:
        """Unknowns to start from: the columns of a point of the instance, all multipliers 0."""
        scaled = self._reduced.started_at(x)
        return np.concatenate([scaled, np.zeros(len(self.rows.rows))])

    def point(self, w: FloatArray) -> FloatArray:
        """The point of the instance, float64[columns] in SI."""
        return self._reduced.point(w[: len(self.columns)])

    # The system

    def residuals(self, w: FloatArray) -> FloatArray:
        """float64[n + m]: how far each condition is missed, scaled."""
        below, above = self._distances(w)
        return fischer_burmeister(below, above, self._values(w))[0]

    def jacobian(self, w: FloatArray) -> FloatArray:
        """The entries of the Jacobian at their positions; where phi has a kink, of one side."""
        below, above = self._distances(w)
        _, by_unknown, by_value = fischer_burmeister(below, above, self._values(w))
        triplets = self._derivatives(w)
        return np.concatenate([by_value[triplets.row] * triplets.value, by_unknown])

    def _distances(self, w: FloatArray) -> tuple[FloatArray, FloatArray]:
        return w - self.lower, self.upper - w

    def _values(self, w: FloatArray) -> FloatArray:
        """F: the slope of the Lagrangian of each column's owner, and the room of each row."""
        z, mu = self._si(w)
        slope = self.slopes.slopes(self._all(z))
        np.add.at(
            slope, self.rows.jacobian_column, self.rows.jacobian(z) * mu[self.rows.jacobian_row]
        )
        room = -self._row_factor * self.rows.constraints(z)
        return np.concatenate([self._slope_factor * slope, room])

    def _derivatives(self, w: FloatArray) -> Triplets:
        """Those of F by the unknowns."""
        z, mu = self._si(w)
        n, rows = len(self.columns), self.rows
        first, second = rows.hessian_first, rows.hessian_second
        bend = rows.hessian(z, mu, 0.0)
        off = np.flatnonzero(first != second)
        curved = Triplets(
            np.concatenate([self.slopes.row, first, second[off]]),
            np.concatenate([self.slopes.column, second, first[off]]),
            np.concatenate([self.slopes.curvatures(self._all(z)), bend, bend[off]]),
        )
        at, by = rows.jacobian_row, rows.jacobian_column
        slope = rows.jacobian(z)
        return Triplets(
            np.concatenate([curved.row, by, n + at]),
            np.concatenate([curved.column, n + at, by]),
            np.concatenate(
                [
                    self._slope_factor[curved.row] * curved.value * self._size[curved.column],
                    self._slope_factor[by] * slope * self._multiplier[at],
                    -self._row_factor[at] * slope * self._size[by],
                ]
            ),
        )

    # Scaling

    def _si(self, w: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Free columns and multipliers of `left - right`, in SI."""
        n = len(self.columns)
        return self._reduced.origin + self._size * w[:n], self._multiplier * w[n:]

    def _all(self, z: FloatArray) -> FloatArray:
        x = self.instance.fixed.copy()
        x[self.columns] = z
        return x

    def _measure(self) -> None:
        """The factors of columns, of slopes, of rows and of multipliers.

        `_slope_factor` of a column is its size over the largest scaled slope of its owner;
        `_row_factor` turns a row so that it says `<= 0`; `_multiplier` is what a multiplier of 1
        stands for, of `left - right` as it is written.
        """
        self._size = self._reduced.column_factor
        owner = game_of(self.instance).owner[self.columns]
        players = game_of(self.instance).size
        typical = np.zeros(players)
        for x in self._looked_at():
            slope = np.abs(self._size * self.slopes.slopes(x))
            np.maximum.at(typical, owner, np.where(np.isfinite(slope), slope, 0.0))
        typical = np.clip(np.where(typical > 0.0, typical, 1.0), LEAST, MOST)
        self._slope_factor = self._size / typical[owner]
        turned = np.concatenate(
            [np.zeros(0), *(np.full(f.size, f.relation.sign) for f in self.instance.constraints)]
        )[self.rows.rows]
        self._inequality: NDArray[np.bool_] = turned != 0
        turned = np.where(self._inequality, turned, 1.0)
        self._row_factor = turned * self._reduced.scaling.row[self.rows.rows]
        sharers = np.full(len(self.rows.rows), np.inf)  # the least of what is at stake for one
        np.minimum.at(
            sharers, self.rows.jacobian_row, typical[owner[self.rows.jacobian_column]]
        )
        self._multiplier = self._row_factor * sharers

    def _looked_at(self) -> list[FloatArray]:
        instance = self.instance
        points = [drawn(instance, instance.seed, 2 + number) for number in range(SIZED_AT - 1)]
        return [instance.first_point(), *points]

    def _bound(self) -> None:
        least = np.where(self._inequality, 0.0, -np.inf)
        self.lower = np.concatenate([self._reduced.lower, least])
        self.upper = np.concatenate([self._reduced.upper, np.full(len(least), np.inf)])


def fischer_burmeister(
    below: FloatArray, above: FloatArray, value: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """phi(below, -phi(above, -value)) and its derivatives by the unknown and by the value.

    `below`, `above`: distances of the unknown from its bounds, infinite where there is none.
    """
    inner, by_above, by_value = _phi(above, -value)
    outer, by_below, by_inner = _phi(below, -inner)
    return outer, by_below + by_inner * by_above, by_inner * by_value


def _phi(a: FloatArray, b: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """phi(a, b) and its derivatives; b where a is infinite.

    2ab/(a + b + r) is the same as a + b - r, without its cancellation where a + b > 0.
    """
    finite = np.isfinite(a)
    a = np.where(finite, a, 0.0)
    r, total = np.hypot(a, b), a + b
    kink = r == 0.0
    safe = np.where(kink, 1.0, r)
    value = np.where(total > 0.0, 2.0 * a * b / np.where(total > 0.0, total + r, 1.0), total - r)
    by_a = np.where(finite, np.where(kink, AT_ZERO, 1.0 - a / safe), 0.0)
    by_b = np.where(finite, np.where(kink, AT_ZERO, 1.0 - b / safe), 1.0)
    return np.where(finite, value, b), by_a, by_b
