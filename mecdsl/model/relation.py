"""The relation of the two sides of a constraint."""

from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray


class Relation(StrEnum):
    """`left <= right`, `left >= right`, `left == right`, and what each asks of `left - right`."""

    AT_MOST = "<="
    AT_LEAST = ">="
    EQUAL = "=="

    @property
    def sign(self) -> int:
        """1 where a larger left side never helps, -1 where a smaller one never does, else 0."""
        return {Relation.AT_MOST: 1, Relation.AT_LEAST: -1, Relation.EQUAL: 0}[self]

    @property
    def limits(self) -> tuple[float, float]:
        """The least and the largest value of `left - right`."""
        low = -np.inf if self is Relation.AT_MOST else 0.0
        return low, np.inf if self is Relation.AT_LEAST else 0.0

    @property
    def parts(self) -> tuple["Relation", ...]:
        """The inequalities that say the same together."""
        return (Relation.AT_MOST, Relation.AT_LEAST) if self is Relation.EQUAL else (self,)

    @property
    def mirrored(self) -> "Relation":
        """The relation with its sides exchanged."""
        swapped = {Relation.AT_MOST: Relation.AT_LEAST, Relation.AT_LEAST: Relation.AT_MOST}
        return swapped.get(self, self)

    def excess(self, difference: Any) -> NDArray[np.float64]:
        """How far `left - right` is on the wrong side, negative on the right one of an inequality;
        nan stays nan.
        """
        value = np.asarray(difference, dtype=np.float64)
        return np.abs(value) if self is Relation.EQUAL else self.sign * value
