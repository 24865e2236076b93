"""Linear programs over rational numbers: the simplex method with Bland's rule, for oracles of a few
columns.

Every number is a `Fraction`, so an answer has no tolerance: a program is infeasible, unbounded, or
has the optimum.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

ZERO: Final = Fraction(0)
ONE: Final = Fraction(1)
Vector = list[Fraction]


@dataclass(frozen=True, slots=True)
class Program:
    """Minimise `cost . x` over `coefficients . x (relation) right` and `lower <= x <= upper` (None
    for no bound).
    """

    cost: Sequence[Fraction]
    rows: Sequence[tuple[Sequence[Fraction], str, Fraction]]
    lower: Sequence[Fraction | None]
    upper: Sequence[Fraction | None]


@dataclass(frozen=True, slots=True)
class Answer:
    """`status`: "optimal", "infeasible" or "unbounded"; the optimum and a point where there is
    one.
    """

    status: str
    value: Fraction = ZERO
    point: tuple[Fraction, ...] = ()


def solve(program: Program) -> Answer:
    """The exact answer.

    >>> solve(Program([Fraction(-1)], [([Fraction(3)], "<=", Fraction(2))], [ZERO], [None])).value
    Fraction(-2, 3)
    """
    plain = _Plain(program)
    if plain.crossed:
        return Answer("infeasible")
    tableau = _Tableau(plain)
    if not tableau.first_phase():
        return Answer("infeasible")
    if not tableau.second_phase(plain.cost):
        return Answer("unbounded")
    point = plain.point(tableau.values())
    value = sum((c * x for c, x in zip(program.cost, point, strict=True)), ZERO)
    return Answer("optimal", value, tuple(point))


class _Plain:
    """The program over columns from 0 on: x = shift + sum of sign * column."""

    def __init__(self, program: Program) -> None:
        self.shift: Vector = []
        self.parts: list[tuple[int, int]] = []  # variable, sign
        self.crossed = False
        rows = list(program.rows)
        size = len(program.cost)
        for j, (low, high) in enumerate(zip(program.lower, program.upper, strict=True)):
            self.shift.append(low if low is not None else high if high is not None else ZERO)
            if low is None:
                self.parts.append((j, -1))
            if low is not None or high is None:
                self.parts.append((j, 1))
            if low is not None and high is not None:
                self.crossed |= low > high
                unit = [ONE if i == j else ZERO for i in range(size)]
                rows.append((unit, "<=", high))
        self.cost = self._parts(program.cost)
        self.rows: list[tuple[Vector, str, Fraction]] = []
        for coefficients, relation, right in rows:
            moved = sum((a * s for a, s in zip(coefficients, self.shift, strict=True)), ZERO)
            self.rows.append((self._parts(coefficients), relation, right - moved))

    def _parts(self, coefficients: Sequence[Fraction]) -> Vector:
        return [sign * coefficients[j] for j, sign in self.parts]

    def point(self, values: Vector) -> Vector:
        found = list(self.shift)
        for (j, sign), value in zip(self.parts, values, strict=False):
            found[j] += sign * value
        return found


class _Tableau:
    """Rows of the simplex method: structural columns, slacks, one artificial column each,
    right-hand side.
    """

    def __init__(self, plain: _Plain) -> None:
        count, height = len(plain.parts), len(plain.rows)
        slacks = [i for i, (_, relation, _) in enumerate(plain.rows) if relation != "=="]
        self.structural = count
        self.usable = count + len(slacks)
        self.rows: list[Vector] = []
        self.basis = [self.usable + i for i in range(height)]
        for i, (coefficients, relation, right) in enumerate(plain.rows):
            slack = [ZERO] * len(slacks)
            if relation != "==":
                slack[slacks.index(i)] = ONE if relation == "<=" else -ONE
            row = [*coefficients, *slack]
            sign = -ONE if right < 0 else ONE
            artificial = [ONE if k == i else ZERO for k in range(height)]
            self.rows.append([*(sign * a for a in row), *artificial, sign * right])

    def first_phase(self) -> bool:
        """Whether there is a feasible point; artificial columns leave the basis."""
        width = len(self.rows[0]) if self.rows else 0
        cost = [ONE if self.usable <= j < width - 1 else ZERO for j in range(max(width - 1, 0))]
        self._minimise(cost, max(width - 1, 0))
        if any(self.basis[i] >= self.usable and row[-1] != 0 for i, row in enumerate(self.rows)):
            return False
        for i, row in enumerate(self.rows):
            if self.basis[i] >= self.usable:
                column = next((j for j in range(self.usable) if row[j] != 0), None)
                if column is not None:
                    self._pivot(i, column)
        return True

    def second_phase(self, cost: Vector) -> bool:
        """Whether the optimum is finite."""
        width = len(self.rows[0]) - 1 if self.rows else self.structural
        return self._minimise([*cost, *([ZERO] * (width - len(cost)))], self.usable)

    def values(self) -> Vector:
        found = [ZERO] * self.structural
        for i, column in enumerate(self.basis):
            if column < self.structural:
                found[column] = self.rows[i][-1]
        return found

    def _minimise(self, cost: Vector, usable: int) -> bool:
        """Pivots by Bland's rule over the first `usable` columns; False where the objective falls
        without end.
        """
        while True:
            column = next((j for j in range(usable) if self._reduced(cost, j) < 0), None)
            if column is None:
                return True
            leaving = [
                (row[-1] / row[column], self.basis[i], i)
                for i, row in enumerate(self.rows)
                if row[column] > 0
            ]
            if not leaving:
                return False
            self._pivot(min(leaving)[2], column)

    def _reduced(self, cost: Vector, column: int) -> Fraction:
        if column in self.basis:
            return ZERO
        used = ((cost[self.basis[i]], row[column]) for i, row in enumerate(self.rows))
        return cost[column] - sum((c * a for c, a in used if c and a), ZERO)

    def _pivot(self, chosen: int, column: int) -> None:
        factor = self.rows[chosen][column]
        pivot = [a / factor if a else a for a in self.rows[chosen]]
        self.rows[chosen] = pivot
        for i, row in enumerate(self.rows):
            times = row[column]
            if i != chosen and times != 0:
                self.rows[i] = [a - times * p if p else a for a, p in zip(row, pivot, strict=True)]
        self.basis[chosen] = column
