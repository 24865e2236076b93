"""What PySCIPOpt calls the functions of the language that SCIP has: methods of its expressions."""

from collections.abc import Mapping
from typing import Final

WORDS: Final[Mapping[str, str]] = {
    "ln": "log",
    "exp": "exp",
    "sqrt": "sqrt",
    "abs": "__abs__",
    "sin": "sin",
    "cos": "cos",
}

THROUGH_PYOMO: Final = ("ln", "exp", "sqrt")
"""What Pyomo's interface to SCIP translates."""
