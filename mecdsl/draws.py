"""The random functions of the language and the regions of positions, with their arguments."""

from collections.abc import Mapping

DRAWS: Mapping[str, tuple[str, ...]] = {
    "uniform": ("low", "high"),
    "normal": ("mean", "deviation"),
    "exponential": ("mean",),
    "rayleigh": ("scale",),
    "choice": ("a", "b", "..."),
}

# What `position in` is followed by; every argument is a length.
REGIONS: Mapping[str, tuple[str, ...]] = {
    "rectangle": ("width", "height"),
    "disc": ("radius",),
    "ring": ("inner", "outer"),
}
