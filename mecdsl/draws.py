"""The random functions of the language and the regions of positions, and how many arguments they
take.

None is one or more.
"""

from collections.abc import Mapping

DRAWS: Mapping[str, int | None] = {
    "uniform": 2,
    "normal": 2,
    "exponential": 1,
    "rayleigh": 1,
    "choice": None,
}

# What `position in` is followed by; every argument is a length.
REGIONS: Mapping[str, tuple[str, ...]] = {
    "rectangle": ("width", "height"),
    "disc": ("radius",),
    "ring": ("inner", "outer"),
}
