"""What CasADi calls the functions of the language that it has."""

from collections.abc import Mapping
from typing import Final

WORDS: Final[Mapping[str, str]] = {
    "ln": "log",
    "abs": "fabs",
    **{name: name for name in "exp sqrt sin cos tan asin acos atan sinh cosh tanh erf".split()},
}
"""By the name in the language the name in `casadi`."""
