"""What a case of the campaign is: a model in text, and what is right about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

Point = Mapping[str, float]  # SI values of scalar variables by name

OPTIMAL: Final = "optimal"
INFEASIBLE: Final = "infeasible"
UNBOUNDED: Final = "unbounded"


@dataclass(frozen=True, slots=True)
class Truth:
    """`status`; `best`: the optimum in SI, with its constant; `size`: SI, what a gap matters
    against.

    `size` leaves out constants and penalties that are not paid: it is what a decision changes.
    """

    status: str
    best: Fraction = Fraction(0)
    size: Fraction = Fraction(1)


@dataclass(frozen=True, slots=True)
class Case:
    """A model with its right answer.

    `names`: the scalar variables, as `Result.values` has them. `breaches(point)`: the rows, bounds
    and integralities that a point breaks by what matters, in words. `objective(point)`: in SI,
    without rounding where that is possible. `convex`: smooth and convex apart from integrality, so
    that what is locally optimal is optimal.
    """

    text: str
    names: tuple[str, ...]
    maximize: bool
    truth: Truth
    breaches: Callable[[Point], list[str]]
    objective: Callable[[Point], Fraction]
    convex: bool = False
