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

from copy import copy
from typing import Final

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

AT_ZERO: Final = 1.0 - np.sqrt(0.5)  # a slope of phi at (0, 0): one of its generalised derivatives
SIZED_AT: Final = 3  # points at which the slopes of the objectives are looked at for their sizes
MUCH: Final = 100.0  # times too large is a size of slopes that is looked for again


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
        self._size = self._reduced.column_factor
        game = game_of(instance)
        self._owner, self._players = game.owner[self.columns], game.size
        self._turn()
        self._scale(self._usual_slopes())
        self._bound()
        self._place()

    # Points

    def start(self, x: FloatArray) -> FloatArray:
        """Unknowns to start from: the columns of a point of the instance, all multipliers 0."""
        scaled = self._reduced.started_at(x)
        return np.concatenate([scaled, np.zeros(len(self.rows.rows))])

    def point(self, w: FloatArray) -> FloatArray:
        """The point of the instance, float64[columns] in SI."""
        return self._reduced.point(w[: len(self.columns)])

    def finer(self, w: FloatArray) -> "tuple[Conditions, FloatArray] | None":
        """The same in the sizes that slopes and second derivatives have at a point, and the point
        in its unknowns; None where the present ones are not much larger.

        A slope may be large at a start and its changes small where it is 0: of `ln(1 + 1e9 x)` it
        falls from 1e9 at 0 to 1 at 1, where 1e-9 of the former would pass for 0.
        """
        x = self._all(self._si(w)[0])
        sizes = self._sizes_at(x)
        if not (self._typical > MUCH * sizes).any():
            return None
        other = copy(self)
        other._scale(np.minimum(sizes, self._typical))
        multipliers = self._multiplier * w[len(self.columns) :] / other._multiplier
        return other, np.concatenate([w[: len(self.columns)], multipliers])

    # The system

    def residuals(self, w: FloatArray) -> FloatArray:
        """float64[n + m]: how far each condition is missed, scaled."""
        below, above = self._distances(w)
        return fischer_burmeister(below, above, self._values(w))[0]

    def jacobian(self, w: FloatArray) -> FloatArray:
        """The entries of the Jacobian at their positions; where phi has a kink, of one side."""
        below, above = self._distances(w)
        _, by_unknown, by_value = fischer_burmeister(below, above, self._values(w))
        inner = self.row[: len(self.row) - self.size]
        return np.concatenate([by_value[inner] * self._derivatives(w), by_unknown])

    def _distances(self, w: FloatArray) -> tuple[FloatArray, FloatArray]:
        return w - self.lower, self.upper - w

    def _values(self, w: FloatArray) -> FloatArray:
        """F: the slope of the Lagrangian of each column's owner, and the room of each row."""
        z, mu = self._si(w)
        slope = self.slopes.slopes(self._all(z))
        pull = self.rows.jacobian(z) * mu[self.rows.jacobian_row]
        slope += np.bincount(self.rows.jacobian_column, weights=pull, minlength=len(slope))
        room = -self._row_factor * self.rows.constraints(z)
        return np.concatenate([self._slope_factor * slope, room])

    def _derivatives(self, w: FloatArray) -> FloatArray:
        """Those of F by the unknowns, at all positions but the diagonal that ends them."""
        z, mu = self._si(w)
        rows, (row, column) = self.rows, self._bent
        at, by = rows.jacobian_row, rows.jacobian_column
        bend, slope = rows.hessian(z, mu, 0.0), rows.jacobian(z)
        off = rows.hessian_first != rows.hessian_second
        curved = np.concatenate([self.slopes.curvatures(self._all(z)), bend, bend[off]])
        return np.concatenate(
            [
                self._slope_factor[row] * curved * self._size[column],
                self._slope_factor[by] * slope * self._multiplier[at],
                -self._row_factor[at] * slope * self._size[by],
            ]
        )

    def _place(self) -> None:
        """The positions of the entries: second derivatives, slopes of rows by column and by row,
        the diagonal.
        """
        rows, n = self.rows, len(self.columns)
        first, second = rows.hessian_first, rows.hessian_second
        off = first != second  # the lower triangle stands for both
        self._bent = (
            np.concatenate([self.slopes.row, first, second[off]]),
            np.concatenate([self.slopes.column, second, first[off]]),
        )
        at, by = rows.jacobian_row, rows.jacobian_column
        diagonal = np.arange(self.size, dtype=np.int64)
        self.row: IntArray = np.concatenate([self._bent[0], by, n + at, diagonal])
        self.column: IntArray = np.concatenate([self._bent[1], n + at, by, diagonal])

    # Scaling

    def _si(self, w: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Free columns and multipliers of `left - right`, in SI."""
        n = len(self.columns)
        return self._reduced.origin + self._size * w[:n], self._multiplier * w[n:]

    def _all(self, z: FloatArray) -> FloatArray:
        x = self.instance.fixed.copy()
        x[self.columns] = z
        return x

    def _turn(self) -> None:
        """Which rows are inequalities, and the factors of rows, so that these say `<= 0`."""
        none = [np.zeros(0)]
        signs = [np.full(f.size, f.relation.sign) for f in self.instance.constraints]
        turned = np.concatenate(none + signs)[self.rows.rows]
        self._inequality: NDArray[np.bool_] = turned != 0.0
        factor = self._reduced.scaling.row[self.rows.rows]
        self._row_factor: FloatArray = np.where(self._inequality, turned, 1.0) * factor

    def _scale(self, typical: FloatArray) -> None:
        """Take float64[players] for the slopes that count as 1.

        `_slope_factor` is that of each column's condition, and `_multiplier` what a multiplier of 1
        stands for, of `left - right` as it is written: the least that is at stake for one who
        shares the row.
        """
        self._typical = typical
        mine = typical[self._owner]
        self._slope_factor: FloatArray = self._size / mine
        least = np.full(len(self.rows.rows), np.inf)
        np.minimum.at(least, self.rows.jacobian_row, mine[self.rows.jacobian_column])
        self._multiplier: FloatArray = self._row_factor * least

    def _usual_slopes(self) -> FloatArray:
        """float64[players]: the geometric mean of each one's largest slope at a few points, 1 where
        it is 0 or infinite at all.
        """
        instance = self.instance
        points = [drawn(instance, instance.seed, 2 + number) for number in range(SIZED_AT - 1)]
        total, counted = np.zeros(self._players), np.zeros(self._players)
        for x in (instance.first_point(), *points):
            slope = self._largest(self._owner, self._size * self.slopes.slopes(x))
            told = (slope > 0.0) & np.isfinite(slope)
            total += np.log(np.where(told, slope, 1.0))
            counted += told
        return np.exp(total / np.maximum(counted, 1.0))

    def _sizes_at(self, x: FloatArray) -> FloatArray:
        """float64[players]: the largest of each one's slopes and second derivatives at a point."""
        slope = self._largest(self._owner, self._size * self.slopes.slopes(x))
        row, column = self.slopes.row, self.slopes.column
        bend = self._size[row] * self.slopes.curvatures(x) * self._size[column]
        size = np.maximum(slope, self._largest(self._owner[row], bend))
        return np.where(np.isfinite(size) & (size > 0.0), size, self._typical)

    def _largest(self, player: IntArray, values: FloatArray) -> FloatArray:
        largest = np.zeros(self._players)
        np.maximum.at(largest, player, np.abs(values))
        return largest

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
