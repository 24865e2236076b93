"""The table of backends: a name and where its class is; entry points of other packages join it.

Importing this file imports no backend and no solver.
"""

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points

from mecdsl.backend import Backend

BUILT_IN: Mapping[str, str] = {
    "highs": "mecdsl.backends.highs:Highs",
    "ipopt": "mecdsl.backends.ipopt:Ipopt",
    "scip": "mecdsl.backends.scip:Scip",
    "bonmin": "mecdsl.backends.bonmin:Bonmin",
    "mel-integer": "mecdsl.backends.mel_backends:MelInteger",
    "mel-root": "mecdsl.backends.mel_backends:MelRoot",
    "mel-polynomial": "mecdsl.backends.mel_backends:MelPolynomial",
    "mel-round": "mecdsl.backends.mel_backends:MelRound",
    "mel-equal": "mecdsl.backends.mel_backends:MelEqual",
    "cooperative-exact": "mecdsl.backends.cooperative_backends:CooperativeExact",
    "cooperative-pa": "mecdsl.backends.cooperative_backends:CooperativePa",
    "cooperative-rlt0": "mecdsl.backends.cooperative_backends:CooperativeRlt0",
    "cooperative-equal": "mecdsl.backends.cooperative_backends:CooperativeEqual",
    "cooperative-nearest": "mecdsl.backends.cooperative_backends:CooperativeNearest",
    "cooperative-local-search": "mecdsl.backends.cooperative_backends:CooperativeLocalSearch",
    "cooperative-ihra-surrogate": "mecdsl.backends.cooperative_backends:CooperativeIhraSurrogate",
    "cooperative-eejs-surrogate": "mecdsl.backends.cooperative_backends:CooperativeEejsSurrogate",
}


@cache
def _external() -> dict[str, str]:
    return {point.name: point.value for point in entry_points(group="mecdsl.backends")}


def names() -> tuple[str, ...]:
    """Every known backend, built in ones first."""
    return (*BUILT_IN, *(name for name in _external() if name not in BUILT_IN))


def load(name: str) -> Backend:
    """The backend of that name. Raises KeyError for an unknown one."""
    target = BUILT_IN.get(name) or _external()[name]
    module, _, attribute = target.partition(":")
    backend = getattr(import_module(module), attribute)()
    if not isinstance(backend, Backend):
        raise TypeError(f"`{target}` is no backend")
    return backend
