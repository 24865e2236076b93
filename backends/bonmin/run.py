"""Run Bonmin so that nothing it does lasts: in a process of its own.

Once interrupted, Bonmin answers "interrupted" to every later solve of the same process and of its
forks: the flag that its handler of Ctrl-C sets is static and nothing resets it (CasADi 3.8).
"""

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mecdsl.backends.bonmin.core import (
    BonminOutcome,
    RawOptions,
    bonmin_version,
    interrupt_as_exception,
    solve_bonmin,
)
from mecdsl.backends.nlp.casadi_derivatives import SymbolicNlp
from mecdsl.backends.nlp.problem import NlpProblem
from mecdsl.backends.shared.guarded import run_guarded
from mecdsl.solution import Termination

ENDS = {"time limit": Termination.TIME_LIMIT, "interrupted": Termination.INTERRUPTED}


def run_bonmin(
    problem: NlpProblem,
    symbolic: SymbolicNlp,
    integer: NDArray[np.bool_],
    time_limit: float | None = None,
    node_limit: int | None = None,
    gap: float = 1e-6,
    log: bool = False,
    raw: RawOptions | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> BonminOutcome:
    """`solve_bonmin` in a fork; `should_stop`, and the time limit if Bonmin forgets it, end it from
    outside.

    Raises what `solve_bonmin` raises.
    """
    started = time.perf_counter()

    def work(_: Callable[[], bool]) -> BonminOutcome:
        with interrupt_as_exception():  # Bonmin asks nothing but SIGINT whether to stop
            return solve_bonmin(
                problem,
                symbolic,
                integer=integer,
                time_limit=time_limit,
                node_limit=node_limit,
                gap=gap,
                log=log,
                raw=raw,
            )

    found = run_guarded(work, should_stop, time_limit)
    if found.answer is not None:
        return _ended_by(found.answer, should_stop, time_limit, time.perf_counter() - started)
    # what is left of a search that had to be killed: its incumbent is lost with its process
    termination, seconds = ENDS.get(found.reason, Termination.ERROR), time.perf_counter() - started
    return BonminOutcome(
        x=None,
        objective=None,
        bound=None,
        violation=None,
        status=found.reason,
        termination=termination,
        message=f"it {found.ending}",
        seconds=seconds,
        version=bonmin_version(),
    )


def _ended_by(
    outcome: BonminOutcome,
    should_stop: Callable[[], bool],
    time_limit: float | None,
    seconds: float,
) -> BonminOutcome:
    """The outcome with the limit as the reason where that, and not the user, told Bonmin to
    stop.
    """
    late = time_limit is not None and seconds >= time_limit
    if outcome.termination is Termination.INTERRUPTED and late and not should_stop():
        return replace(outcome, termination=Termination.TIME_LIMIT, message="time limit")
    return outcome
