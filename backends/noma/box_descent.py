"""A smooth function in a box: projected steps of limited-memory BFGS.

SciPy's L-BFGS-B finds the same minima, but the small triangular systems in its steps wake the
threads of the linear algebra library; where other processes are busy, a step takes ten times as
long. Here a step has nothing but products of vectors.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mecdsl.backends.noma.system import Flags, Reals

Function = Callable[[Reals], tuple[float, Reals]]

MEMORY = 10
FIRST = 0.5  # the largest change of a coordinate in the first step
ARMIJO = 1e-4
HALVINGS = 40
QUIET = 3  # steps in a row that hardly gain anything


@dataclass(frozen=True, slots=True, eq=False)
class Low:
    """Where a descent ended: the point, its value, and the number of steps."""

    x: Reals
    value: float
    steps: int


def descend(
    function: Function,
    start: Reals,
    box: tuple[Reals, Reals],
    most_steps: int = 500,
    least_decrease: float = 1e-11,
) -> Low:
    """A local minimum from a start within the box; `function` gives value and gradient.

    Stops where the projected gradient is 1e-10 of the value or three steps in a row gain less than
    a share `least_decrease` of the value.
    """
    x = np.clip(start, *box)
    value, slope = function(x)
    memory: deque[tuple[Reals, Reals]] = deque(maxlen=MEMORY)
    quiet, steps = 0, 0
    while steps < most_steps:
        steps += 1
        free = ~(((x <= box[0]) & (slope > 0.0)) | ((x >= box[1]) & (slope < 0.0)))
        if np.abs(slope[free]).max(initial=0.0) <= 1e-10 * abs(value):
            break
        found = _searched(function, (x, value, slope), _direction(memory, slope, free), box)
        if found is None:
            if not memory:
                break
            memory.clear()
            continue
        moved, change = found[0] - x, found[2] - slope
        if moved @ change > 1e-10 * np.linalg.norm(moved) * np.linalg.norm(change):
            memory.append((moved, change))
        quiet = quiet + 1 if value - found[1] <= least_decrease * abs(value) else 0
        x, value, slope = found
        if quiet == QUIET:
            break
    return Low(x, value, steps)


def _direction(memory: deque[tuple[Reals, Reals]], slope: Reals, free: Flags) -> Reals:
    """Minus a step: the inverse curvature seen so far times the gradient, both without the
    coordinates that a bound holds.
    """
    direction = np.where(free, slope, 0.0)
    if not memory:
        direction *= FIRST / np.abs(direction).max(initial=1e-300)
        return direction
    shares = []
    for moved, change in reversed(memory):
        share = (moved @ direction) / (moved @ change)
        direction -= share * change
        shares.append(share)
    moved, change = memory[-1]
    direction *= (moved @ change) / (change @ change)
    for (moved, change), share in zip(memory, reversed(shares), strict=True):
        direction += (share - (change @ direction) / (moved @ change)) * moved
    direction[~free] = 0.0
    return direction


def _searched(
    function: Function,
    at: tuple[Reals, float, Reals],
    direction: Reals,
    box: tuple[Reals, Reals],
) -> tuple[Reals, float, Reals] | None:
    """The first of ever shorter steps that gains enough, cut off at the bounds; None if none."""
    x, value, slope = at
    length = 1.0
    for _ in range(HALVINGS):
        there = np.clip(x - length * direction, *box)
        gain = float(slope @ (x - there))
        if gain <= 0.0:
            return None
        found, new_slope = function(there)
        if found <= value - ARMIJO * gain:
            return there, found, new_slope
        length *= 0.5
    return None
