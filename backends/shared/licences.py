"""How large a problem the licence of a solver allows, and what is said of one that is larger."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Count:
    """How many of something a problem has, and how many its licence allows."""

    found: int
    most: int
    what: str


@dataclass(frozen=True, slots=True)
class Licence:
    """What is known of a licence: `limited` in the size of all problems or, `limited_nonlinear`, of
    those that are quadratic or nonlinear; `fault`, why the solver does not start, or empty.
    """

    limited: bool
    limited_nonlinear: bool
    fault: str = ""

    @property
    def word(self) -> str:
        """The kind in a word."""
        if self.limited:
            return "size-limited"
        return "size-limited for nonlinear problems" if self.limited_nonlinear else "full"


def too_large(counts: Sequence[Count]) -> str:
    """The counts that are above what is allowed, in words; empty if none is."""
    over = [count for count in counts if count.found > count.most]
    return ", ".join(f"{count.found} {count.what}, at most {count.most}" for count in over)
