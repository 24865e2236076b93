"""The table of backends: a name and where its class is; entry points of other packages join it.

Importing this file imports no backend and no solver.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import cast

from mecdsl.backend import Acceptance, Availability, Backend, Capabilities, Request
from mecdsl.solution import Guarantee, Solution

BUILT_IN: Mapping[str, str] = {
    "highs": "mecdsl.backends.highs.backend:Highs",
    "ipopt": "mecdsl.backends.ipopt.backend:Ipopt",
    "pounce": "mecdsl.backends.pounce.backend:Pounce",
    "clarabel": "mecdsl.backends.clarabel.backend:Clarabel",
    "scip": "mecdsl.backends.scip.backend:Scip",
    "bonmin": "mecdsl.backends.bonmin.backend:Bonmin",
    "gurobi": "mecdsl.backends.gurobi.backend:Gurobi",
    "xpress": "mecdsl.backends.xpress.backend:Xpress",
    "best-responses": "mecdsl.backends.equilibrium.best_responses:BestResponses",
    "equilibrium-kkt": "mecdsl.backends.equilibrium.kkt:EquilibriumKkt",
    "mel-integer": "mecdsl.backends.mel.backends:MelInteger",
    "mel-root": "mecdsl.backends.mel.backends:MelRoot",
    "mel-polynomial": "mecdsl.backends.mel.backends:MelPolynomial",
    "mel-round": "mecdsl.backends.mel.backends:MelRound",
    "mel-equal": "mecdsl.backends.mel.backends:MelEqual",
    "cooperative-exact": "mecdsl.backends.cooperative.backends:CooperativeExact",
    "cooperative-pa": "mecdsl.backends.cooperative.backends:CooperativePa",
    "cooperative-rlt0": "mecdsl.backends.cooperative.backends:CooperativeRlt0",
    "cooperative-equal": "mecdsl.backends.cooperative.backends:CooperativeEqual",
    "cooperative-nearest": "mecdsl.backends.cooperative.backends:CooperativeNearest",
    "cooperative-local-search": "mecdsl.backends.cooperative.backends:CooperativeLocalSearch",
    "cooperative-ihra-surrogate": "mecdsl.backends.cooperative.backends:CooperativeIhraSurrogate",
    "cooperative-eejs-surrogate": "mecdsl.backends.cooperative.backends:CooperativeEejsSurrogate",
    "fog-newton": "mecdsl.backends.fog.backends:FogNewton",
    "fog-dual": "mecdsl.backends.fog.backends:FogDual",
    "fog-algorithm1": "mecdsl.backends.fog.backends:FogAlgorithm1",
    "fog-equal": "mecdsl.backends.fog.backends:FogEqual",
    "fog-rule": "mecdsl.backends.fog.backends:FogRule",
    "fog-latency": "mecdsl.backends.fog.backends:FogLatency",
    "noma-exact": "mecdsl.backends.noma.exact_backend:NomaExact",
    "noma-ligd": "mecdsl.backends.noma.backends:NomaLigd",
    "noma-ligd-printed": "mecdsl.backends.noma.backends:NomaLigdPrinted",
    "noma-greedy": "mecdsl.backends.noma.backends:NomaGreedy",
    "noma-improved": "mecdsl.backends.noma.backends:NomaImproved",
    "noma-device-only": "mecdsl.backends.noma.backends:NomaDeviceOnly",
    "noma-edge-only": "mecdsl.backends.noma.backends:NomaEdgeOnly",
    "noma-neurosurgeon": "mecdsl.backends.noma.backends:NomaNeurosurgeon",
    "noma-dnn-surgeon": "mecdsl.backends.noma.backends:NomaDnnSurgeon",
    "noma-bound": "mecdsl.backends.noma.backends:NomaBound",
    "game-best-response": "mecdsl.backends.game.backends:GameBestResponse",
    "game-round-robin": "mecdsl.backends.game.backends:GameRoundRobin",
    "game-cai": "mecdsl.backends.game.backends:GameCai",
    "game-uai": "mecdsl.backends.game.backends:GameUai",
    "game-marginal": "mecdsl.backends.game.backends:GameMarginal",
    "game-global": "mecdsl.backends.game.global_backend:GameGlobal",
    "game-random-offload": "mecdsl.backends.game.backends:GameRandomOffload",
    "game-local": "mecdsl.backends.game.backends:GameLocal",
}


@cache
def _external() -> dict[str, str]:
    return {point.name: point.value for point in entry_points(group="mecdsl.backends")}


def names() -> tuple[str, ...]:
    """Every known backend, built in ones first."""
    return (*BUILT_IN, *(name for name in _external() if name not in BUILT_IN))


def load(name: str) -> Backend:
    """The backend of that name; one of another package that cannot be imported says so when it is
    asked.

    Raises KeyError for an unknown name.
    """
    if name in BUILT_IN:
        return _imported(BUILT_IN[name])
    target = _external()[name]
    try:
        return _imported(target)
    except (ImportError, AttributeError, TypeError) as error:
        return cast(Backend, Broken(name, f"`{target}` cannot be loaded: {error}"))


def _imported(target: str) -> Backend:
    module, _, attribute = target.partition(":")
    backend = getattr(import_module(module), attribute)()
    if not isinstance(backend, Backend):
        raise TypeError("it has not the interface of a backend")
    return backend


NOTHING = Capabilities(
    title="not loaded", classes=frozenset(), guarantee=Guarantee.NONE, reference=""
)


@dataclass(frozen=True, slots=True)
class Broken:
    """Stands for a backend of another package that could not be loaded."""

    name: str
    reason: str
    capabilities: Capabilities = NOTHING

    def availability(self) -> Availability:
        """Never there, with the reason."""
        return Availability(False, reason=self.reason)

    def accepts(self, request: Request) -> Acceptance:
        """Takes nothing."""
        return Acceptance(False, self.reason)

    def solve(self, request: Request) -> Solution:
        """Never called: nothing is accepted."""
        raise RuntimeError(self.reason)
