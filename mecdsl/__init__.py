"""mecdsl: optimisation problems of mobile edge computing and distributed inference, from text to
verified answer.
"""

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from mecdsl.api import LoadedModel as LoadedModel
    from mecdsl.api import explain as explain
    from mecdsl.api import fit_delay as fit_delay
    from mecdsl.api import layers as layers
    from mecdsl.api import list_backends as list_backends
    from mecdsl.api import load as load
    from mecdsl.api import loads as loads
    from mecdsl.backends.nlp.pyomo_nlp import solve_pyomo as solve_pyomo
    from mecdsl.diagnostics import ModelError as ModelError

__all__ = [
    "LoadedModel",
    "ModelError",
    "__version__",
    "explain",
    "fit_delay",
    "layers",
    "list_backends",
    "load",
    "loads",
    "solve_pyomo",
]


def __getattr__(name: str) -> Any:
    """Import the interface when it is first used, so that importing a part of the package stays
    cheap.
    """
    if name in (
        "LoadedModel",
        "explain",
        "fit_delay",
        "layers",
        "list_backends",
        "load",
        "loads",
    ):
        from mecdsl import api

        return getattr(api, name)
    if name == "solve_pyomo":
        from mecdsl.backends.nlp.pyomo_nlp import solve_pyomo

        return solve_pyomo
    if name == "ModelError":
        from mecdsl.diagnostics import ModelError

        return ModelError
    raise AttributeError(f"module 'mecdsl' has no attribute '{name}'")
