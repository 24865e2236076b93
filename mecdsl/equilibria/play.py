"""Run a backend for games and say what its point is worth: verified, with a certificate."""

import time
from collections.abc import Iterator
from dataclasses import replace

from mecdsl.backend import Ask, Backend, Request, Responds, interruptible
from mecdsl.backends import table
from mecdsl.certificates.certificate import Certificate
from mecdsl.equilibria.certify import certificate_at, certificate_by, mover_text, with_certificate
from mecdsl.equilibria.potential import Kind, try_potential
from mecdsl.equilibria.responder import responder_for
from mecdsl.equilibria.responses import Responder
from mecdsl.instances.instance import Instance
from mecdsl.proofs.confirm import contradiction
from mecdsl.results.equilibrium import Certificate as Equilibrium
from mecdsl.results.result import Result
from mecdsl.results.verify import verify
from mecdsl.solution import Guarantee, Solution, SolveOptions, Termination


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
        if not chosen.capabilities.models:  # others are compared, and need not look for one
            result = replace(result, termination=_ending(result))
    seconds = {"lower": 0.0, "solve": solved - started, "verify": time.perf_counter() - solved}
    return replace(result, seconds=seconds)


def certified_optimum(game: Instance, result: Result, options: SolveOptions, ask: Ask) -> Result:
    """The optimum of a potential with its certificate as a point of the game, and what a trial of
    the potential says.
    """
    x = game.complete(game.first_point())
    for family in game.variables:
        if family.name in result.values:
            x[family.columns] = result.values[family.name]
    with interruptible() as should_stop:
        plain = replace(options, raw={}, start=None, starts=1, via="arrays")
        responder = Responder(
            ask=ask,
            backend="auto",
            options=plain,
            should_stop=should_stop,
            until=_until(options.time_limit),
        )
        certificate = certificate_at(game, x, responder)
    trial = try_potential(game)
    notes = result.notes
    if trial is not None and trial.kind is Kind.NONE:
        notes = (*notes, f"`{trial.name}` is no potential: a move of `{trial.witness}` refutes it")
    if certificate.movers:
        notes = (*notes, mover_text(certificate))
    return replace(result, equilibrium=certificate, notes=notes)


def _ending(result: Result) -> Termination:
    """Why the search for an equilibrium stopped: the certificate says whether one was found."""
    if result.termination not in (Termination.FINISHED, Termination.NOT_FOUND):
        return result.termination
    settled = result.equilibrium is not None and result.equilibrium.settled
    return Termination.FINISHED if settled else Termination.NO_EQUILIBRIUM


def _until(limit: float | None) -> float | None:
    return None if limit is None else time.perf_counter() + limit


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
    return certificate_at(request.instance, x, responder_for(request))


def _by_hand(chosen: Backend, request: Request) -> Iterator[Backend]:
    """Hand-derived backends of the game, the one that was asked first; none for a general one."""
    if not chosen.capabilities.models:
        return
    yield chosen
    for backend in map(table.load, table.names()):
        can = backend.capabilities
        if can.games and can.models and backend.accepts(request).accepted:
            yield backend
