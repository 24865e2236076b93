"""Who finds the best responses that a request asks for."""

import time
from dataclasses import replace

from mecdsl.backend import Request, Responds
from mecdsl.backends import table
from mecdsl.diagnostics import Diagnostic, ModelError
from mecdsl.equilibria.responses import Responder


def responder_for(request: Request) -> Responder:
    """The responder that option `responder` names, from now on until the time limit.

    Raises `ModelError` E505 for an algorithm that was derived for another game.
    """
    name, limit = str(request.options.raw.get("responder", "auto")), request.options.time_limit
    by_hand = _by_hand(name, request)
    return Responder(
        ask=request.ask,
        backend="auto" if by_hand is not None else name,
        by_hand=by_hand,
        by=name,
        options=request.options,
        should_stop=request.should_stop,
        until=None if limit is None else time.perf_counter() + limit,
    )


def _by_hand(name: str, request: Request) -> Responds | None:
    """The algorithm of that name, if it answers for all players of a game."""
    backend = table.load(name) if name in table.names() else None
    if backend is None or not isinstance(backend, Responds):
        return None
    instance = request.instance
    try:
        backend.respond(instance, instance.complete(instance.first_point()))
    except ValueError as error:
        fault = Diagnostic("E505", f"`{name}` does not respond for this game: {error}")
        raise ModelError([replace(fault, help="leave out `responder`")]) from None
    return backend
