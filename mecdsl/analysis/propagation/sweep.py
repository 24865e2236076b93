"""Rounds of propagation over a tape: forward to the rows, back to the variables, until little
moves.

In each round every step gets the range that its operands leave it, each row the range its relation
allows, and then every operand what the result of its step leaves it (feasibility-based bound
tightening: Belotti, Lee, Liberti, Margot and Wächter, Optim. Methods Softw. 24, 2009). What one
round finds of a part of a row stays known in the next.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from mecdsl.analysis.propagation.operations import Data, Step, Variables
from mecdsl.analysis.propagation.ranges import Flags, Range, Rounding, everything, whole_inward
from mecdsl.instances.tables import FloatArray
from mecdsl.model.relation import Relation

PROGRESS: Final = 1e-3  # of the width of a range; less is not worth a round
FEWEST_ROUNDS: Final = 8
MOST_ROUNDS: Final = 60
WORK: Final = 1_000_000  # rows of steps gone through at most, where the fewest rounds take less


@dataclass(frozen=True, slots=True, eq=False)
class Root:
    """A constraint family on the tape: the step of `left - right`, and its relation."""

    step: int
    relation: Relation


@dataclass(frozen=True, slots=True)
class Dead:
    """A row of a step that has no value left; `root`, `row`: the first row of a constraint family
    that uses it.
    """

    root: int
    row: int


@dataclass(eq=False, kw_only=True)
class Sweep:
    """The ranges of all steps and columns while rounds are made; ends only ever move inwards."""

    steps: Sequence[Step]
    roots: Sequence[Root]
    lower: FloatArray
    upper: FloatArray
    rounding: Rounding
    ranges: list[Range]
    dead: Dead | None = None

    @classmethod
    def of(
        cls,
        steps: Sequence[Step],
        roots: Sequence[Root],
        ends: tuple[FloatArray, FloatArray],
        rounding: Rounding,
    ) -> "Sweep":
        """Before the first round."""
        return cls(
            steps=steps,
            roots=roots,
            lower=ends[0].copy(),
            upper=ends[1].copy(),
            rounding=rounding,
            ranges=[everything(step.size) for step in steps],
        )

    def run(self) -> None:
        """Rounds until a row is dead, little moves, or enough is done; then once forward."""
        rows = sum(step.size for step in self.steps)
        rounds = int(np.clip(WORK / max(rows, 1), FEWEST_ROUNDS, MOST_ROUNDS))
        with np.errstate(all="ignore"):
            for _ in range(rounds):
                low, high = self.lower.copy(), self.upper.copy()
                self._round()
                if self.dead is not None or not _moved(low, high, self.lower, self.upper):
                    break
            if self.dead is None:
                self.forward()

    def _round(self) -> None:
        narrowed = self.forward()
        for root in self.roots if self.dead is None else ():
            low, high = root.relation.limits
            size = self.steps[root.step].size
            narrowed[root.step] |= self._narrow(
                root.step, Range(np.full(size, low), np.full(size, high))
            )
        for number in range(len(self.steps) - 1, -1, -1):
            if self.dead is not None:
                return
            step = self.steps[number]
            if isinstance(step, Variables):
                if narrowed[number]:
                    np.maximum.at(self.lower, step.columns, self.ranges[number].low)
                    np.minimum.at(self.upper, step.columns, self.ranges[number].high)
            elif narrowed[number]:
                given = [self.ranges[operand] for operand in step.operands]
                found = step.back(self.ranges[number], given, self.rounding)
                for operand, left in zip(step.operands, found, strict=True):
                    narrowed[operand] |= self._narrow(operand, left, number)
        self._columns_left()

    def forward(self) -> list[bool]:
        """The ranges of all steps from those of the columns; whether more than that was known of a
        step.
        """
        narrowed = [False] * len(self.steps)
        for number, step in enumerate(self.steps):
            if self.dead is not None:
                break
            before = self.ranges[number]
            self.ranges[number] = self.plain(step)
            narrowed[number] = self._narrow(number, before)
        return narrowed

    def plain(self, step: Step) -> Range:
        """The range of a step as its operands leave it."""
        if isinstance(step, Variables):
            return Range(self.lower[step.columns], self.upper[step.columns])
        return step.forward([self.ranges[operand] for operand in step.operands], self.rounding)

    def _narrow(self, number: int, left: Range, by: int | None = None) -> bool:
        """Keep what is in both; whether that is less than before.

        `by`: the step that leaves so much of an operand.
        """
        step, before = self.steps[number], self.ranges[number]
        found = before.both(left)
        if not isinstance(step, Data):
            found = whole_inward(found, step.whole)
        less = bool((found.low > before.low).any() or (found.high < before.high).any())
        empty = found.empty
        if empty.any() and self.dead is None:
            self.dead = self._dead(number, int(np.argmax(empty)), by)
        if less:
            self.ranges[number] = found
        return less

    def _columns_left(self) -> None:
        empty = self.lower > self.upper
        if empty.any() and self.dead is None:
            column = int(np.argmax(empty))
            marks = [
                step.columns == column
                if isinstance(step, Variables)
                else np.zeros(step.size, dtype=bool)
                for step in self.steps
            ]
            self.dead = self._first_root(marks)

    def _dead(self, number: int, row: int, by: int | None) -> Dead | None:
        marks = [np.zeros(step.size, dtype=bool) for step in self.steps]
        marks[number][row] = True
        if by is not None:  # other rows that use the operand have no part in it
            step = self.steps[by]
            found = step.marked([marks[operand] for operand in step.operands])
            marks[number][row] = False
            marks[by] = found
        return self._first_root(marks)

    def poles(self, cones: bool) -> list[Flags]:
        """For every step the rows that may come to a pole, or use one that does."""
        found = []
        for step in self.steps:
            given = [self.ranges[operand] for operand in step.operands]
            found.append(step.poles(given, cones))
        self._spread(found)
        return found

    def _spread(self, marks: list[Flags]) -> None:
        """Mark what depends on a marked row."""
        for number, step in enumerate(self.steps):
            if step.operands:
                marked = step.marked([marks[operand] for operand in step.operands])
                marks[number] = marks[number] | marked

    def _first_root(self, marks: list[Flags]) -> Dead | None:
        """The first row of a family that depends on a marked row; each of them is part of the
        contradiction.

        None where no row does: a part of the objective that has no value makes no point infeasible.
        """
        self._spread(marks)
        for place, root in enumerate(self.roots):
            if marks[root.step].any():
                return Dead(place, int(np.argmax(marks[root.step])))
        return None


def _moved(low: FloatArray, high: FloatArray, lower: FloatArray, upper: FloatArray) -> bool:
    """Whether an end became finite, or moved by a share of the width, or of itself where the other
    end is open.
    """
    width = np.where(np.isfinite(high - low), high - low, np.maximum(np.abs(lower), np.abs(upper)))
    least = PROGRESS * np.where(np.isfinite(width), width, 0.0)
    low_moved = np.where(
        np.isinf(low), np.isfinite(lower), lower - low > np.where(np.isfinite(least), least, 0.0)
    )
    high_moved = np.where(np.isinf(high), np.isfinite(upper), high - upper > least)
    return bool(low_moved.any() or high_moved.any())
