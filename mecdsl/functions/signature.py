"""How a call is written: the names of its arguments, the last `...` where more may follow."""

from collections.abc import Sequence
from typing import Final

MORE: Final = "..."


def arity(parameters: Sequence[str]) -> int | None:
    """How many arguments there are; None for one or more."""
    return None if parameters[-1] == MORE else len(parameters)


def signature(name: str, parameters: Sequence[str]) -> str:
    """The call with the names of its arguments.

    >>> signature("atan2", ("y", "x"))
    'atan2(y, x)'
    """
    return f"{name}({', '.join(parameters)})"
