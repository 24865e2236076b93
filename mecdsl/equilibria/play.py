"""Run a backend for games and say what its point is worth: verified, with a certificate."""

import time
from collections.abc import Iterator
from dataclasses import replace

from mecdsl.backend import Backend, Request, Responds, interruptible
from mecdsl.backends import table
from mecdsl.certificates.certificate import Certificate
from mecdsl.equilibria.certify import certificate_at, certificate_by, with_certificate
from mecdsl.equilibria.responses import Responder
from mecdsl.proofs.confirm import contradiction
from mecdsl.results.equilibrium import Certificate as Equilibrium
from mecdsl.results.result import Result
from mecdsl.results.verify import verify
from mecdsl.solution import Guarantee, Solution, Termination


def played(chosen: Backend, request: Request) -> Result:
    """The answer of a backend for games, judged: its point on the model, and what every player
    could still gain there.
    """
    started = time.perf_counter()
    with interruptible() as should_stop:
        request = replace(request, should_stop=should_stop)
        solution = _contradiction(chosen, request) or chosen.solve(request)
    solved = time.perf_counter()
    # the multipliers of one objective say nothing of many
    result = verify(
        request.instance, solution, request.options.gap, certifier=lambda x: Certificate()
    )
    if result.objective is not None and result.verified:
        with interruptible() as should_stop:
            left = _certificate(chosen, replace(request, should_stop=should_stop), result)
        result = with_certificate(result, left)
    seconds = {"lower": 0.0, "solve": solved - started, "verify": time.perf_counter() - solved}
    return replace(result, seconds=seconds)


def _contradiction(chosen: Backend, request: Request) -> Solution | None:
    message = contradiction(request.instance)
    if not message or chosen.capabilities.models:
        return None
    return Solution(
        backend=chosen.name,
        termination=Termination.INFEASIBLE,
        guarantee=Guarantee.INFEASIBLE,
        message=message,
    )


def _certificate(chosen: Backend, request: Request, result: Result) -> Equilibrium:
    """By the responses of a hand-derived backend where such a one was asked, else by solving each
    player's own problem.
    """
    x = result.point()
    for backend in _by_hand(chosen, request):
        if isinstance(backend, Responds):
            return certificate_by(request.instance, x, backend, backend.name)
    limit = request.options.time_limit
    responder = Responder(
        ask=request.ask,
        backend=str(request.options.raw.get("responder", "auto")),
        options=request.options,
        should_stop=request.should_stop,
        until=None if limit is None else time.perf_counter() + limit,
    )
    return certificate_at(request.instance, x, responder)


def _by_hand(chosen: Backend, request: Request) -> Iterator[Backend]:
    """Hand-derived backends of the game, the one that was asked first; none for a general one."""
    if not chosen.capabilities.models:
        return
    yield chosen
    for backend in map(table.load, table.names()):
        can = backend.capabilities
        if can.games and can.models and backend.accepts(request).accepted:
            yield backend
