"""Rows in cones, while a conic program grows: new variables, and blocks of rows in one cone each.

The cones, with s the rows of a block:

- linear: s >= 0;
- second order: s_0 >= |(s_1, ...)|; `a b >= z^2` with a, b >= 0 is (a + b, a - b, 2 z);
- exponential: s_1 exp(s_0/s_1) <= s_2 with s_1 > 0;
- power: prod s_j^w_j >= |s_last| with all others at least 0 and weights that add up to 1.

Rows are divided by their sizes before they go in, each in a way that leaves its cone as it is: the
solver sees numbers near one, whatever the units are.
"""

from dataclasses import dataclass, field

import numpy as np

from mecdsl.backends.clarabel.affine import Affine, interleaved, numbers, variables
from mecdsl.functions.function import Cone
from mecdsl.instances.tables import FloatArray

HALVES = (0.5, 0.5)


@dataclass(frozen=True, slots=True, eq=False)
class Block:
    """Rows that lie in cones of one kind: `count` cones of equally many rows.

    `weights`: of a power cone.
    """

    cone: Cone
    rows: Affine
    count: int
    weights: tuple[float, ...] = ()


@dataclass(slots=True, eq=False)
class Draft:
    """A conic program while it grows: how many variables it has, and the blocks of rows."""

    count: int
    blocks: list[Block] = field(default_factory=list)

    def new(self, scale: FloatArray) -> Affine:
        """New variables, of the given sizes in SI."""
        places = np.arange(self.count, self.count + len(scale))
        self.count += len(scale)
        return variables(places, scale, np.zeros(len(scale)))

    def nonnegative(self, rows: Affine) -> None:
        """rows >= 0."""
        self.blocks.append(Block(Cone.LINEAR, rows.scaled(1.0 / rows.sizes), rows.size))

    def geometric(self, weights: tuple[float, ...], bases: list[Affine], inner: Affine) -> None:
        """prod bases^weights >= |inner| and bases >= 0; all are near one."""
        if weights == HALVES:
            one, two = bases
            minus = two.scaled(-np.ones(two.size))
            rows = [one.plus(two), one.plus(minus), inner.scaled(np.full(inner.size, 2.0))]
            self.blocks.append(Block(Cone.SECOND_ORDER, interleaved(rows), inner.size))
            return
        rows = [*bases, inner]
        self.blocks.append(Block(Cone.POWER, interleaved(rows), inner.size, weights))

    def exponential(self, argument: Affine, over: Affine, bound: Affine) -> None:
        """over exp(argument/over) <= bound and over >= 0; all are near one."""
        rows = interleaved([argument, over, bound])
        self.blocks.append(Block(Cone.EXPONENTIAL, rows, bound.size))


def ones(size: int) -> Affine:
    """Rows that are 1."""
    return numbers(np.ones(size))
