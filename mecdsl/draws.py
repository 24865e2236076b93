"""The random functions of the language and how many arguments they take; None for one or more."""

from collections.abc import Mapping

DRAWS: Mapping[str, int | None] = {"uniform": 2, "normal": 2, "exponential": 1, "rayleigh": 1, "choice": None}
