"""POUNCE: Ipopt's method in Rust, for the same problems in the same way (`mecdsl.backends.ipopt`).

It runs by name: it is a second word on what Ipopt says, younger, and the faster of the two on some
problems only.
"""

from dataclasses import replace
from typing import Final

from mecdsl.backends.ipopt.backend import Ipopt
from mecdsl.backends.pounce.library import PounceLibrary

POUNCE: Final = PounceLibrary()


class Pounce(Ipopt):
    """POUNCE from arrays, or through Pyomo with `via="pyomo"`."""

    name = "pounce"
    library = POUNCE
    missing = "; `pip install mecdsl[pounce]` installs it"
    capabilities = replace(
        Ipopt.capabilities,
        title="POUNCE",
        reference="Kitchin, POUNCE, github.com/jkitchin/pounce, after Wächter and Biegler, Math. "
        "Program. 106, 2006",
        preferences=(),
    )
