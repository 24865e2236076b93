"""Options of a hand-derived backend, `--option name=value`, checked when they are read."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mecdsl.diagnostics import Diagnostic, ModelError, nearest

Given = Mapping[str, str | float | int | bool]


@dataclass(frozen=True, slots=True)
class OwnOptions:
    """What was given for the options a backend knows.

    Raises `ModelError` E505 for others and for wrong values.
    """

    backend: str
    known: Mapping[str, str]
    given: Given

    def __post_init__(self) -> None:
        for name in self.given:
            if name not in self.known:
                near = nearest(name, self.known)
                fix = (
                    f"did you mean `{near}`?"
                    if near
                    else f"it knows {', '.join(self.known) or 'none'}"
                )
                raise ModelError(
                    [Diagnostic("E505", f"`{self.backend}` has no option `{name}`", help=fix)]
                )

    def word(self, name: str, words: tuple[str, ...]) -> str:
        """One of some words; the first is the default."""
        value = str(self.given.get(name, words[0]))
        if value not in words:
            message = (
                f"option `{name}` of `{self.backend}` is one of {', '.join(words)}, found `{value}`"
            )
            raise ModelError([Diagnostic("E505", message)])
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """True or false."""
        value = self.given.get(name, default)
        if not isinstance(value, bool):
            message = f"option `{name}` of `{self.backend}` is true or false, found `{value}`"
            raise ModelError([Diagnostic("E505", message)])
        return value

    def number(self, name: str, default: float | None) -> float:
        """A positive number; without a default it must be given."""
        value = self.given.get(name, default)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not 0.0 < value < np.inf
        ):
            fix = (
                f"write `--option {name}=...`" if default is None else f"the default is {default:g}"
            )
            message = f"option `{name}` of `{self.backend}` must be a positive number"
            raise ModelError([Diagnostic("E505", message, help=fix)])
        return float(value)

    def count(self, name: str, default: int) -> int:
        """A positive whole number."""
        value = self.number(name, default)
        if value != int(value):
            message = (
                f"option `{name}` of `{self.backend}` must be a whole number, found `{value:g}`"
            )
            raise ModelError([Diagnostic("E505", message, help=f"the default is {default}")])
        return int(value)
