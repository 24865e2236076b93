"""Small problems with known answers, for every backend and for those who write one.

`check_backend(backend)` runs them all; `cases_for` and `check_case` do the same one by one, for
`pytest.mark.parametrize`. Nothing here imports pytest: a fault is an `AssertionError`.
"""

from mecdsl.testing.case import Case
from mecdsl.testing.cases import CASES
from mecdsl.testing.conformance import (
    Report,
    cases_for,
    check_backend,
    check_case,
    general_backends,
    ways,
)

__all__ = [
    "CASES",
    "Case",
    "Report",
    "cases_for",
    "check_backend",
    "check_case",
    "general_backends",
    "ways",
]
