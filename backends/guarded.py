"""Run a solver that may ignore limits and Ctrl-C, or end the process, in a process of its own.

Bonmin looks at its time limit and at Ctrl-C only between nodes, may sit in one for minutes, and at a second Ctrl-C ends
the whole process. So the solve runs in a fork, and the parent keeps the time. Where there is no fork the work runs in
the same process.
"""

import multiprocessing
import os
import signal
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar

Answer = TypeVar("Answer")

GRACE: Final = 5.0  # s that the solver gets to hand over what it has once it should stop
LATE: Final = 5.0  # s past its own time limit, which is processor time, before it is told so
POLL: Final = 0.05  # s


@dataclass(frozen=True, slots=True)
class Guarded(Generic[Answer]):
    """The answer, or None and why there is none: `time limit`, `interrupted` or `died`."""

    answer: Answer | None
    reason: str = ""


def run_guarded(
    work: Callable[[], Answer], should_stop: Callable[[], bool], time_limit: float | None
) -> Guarded[Answer]:
    """Run `work` in a fork and return its answer; an exception of `work` is raised here.

    `time_limit` in s: some time after it, and when `should_stop` turns true, the fork gets SIGINT and then, if it gives
    no answer within the grace time, is killed.
    """
    if not hasattr(os, "fork"):
        return Guarded(work())
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    sys.stdout.flush()
    sys.stderr.flush()
    child = context.Process(target=_child, args=(work, sender), daemon=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside threads: the child starts none
        child.start()
    sender.close()
    try:
        reason = _wait(child, receiver, should_stop, time_limit)
        if not receiver.poll(0):
            return Guarded(None, reason or "died")
        try:
            kind, value = receiver.recv()
        except EOFError:
            return Guarded(None, reason or "died")
        if kind == "raised":
            raise value
        return Guarded(value)
    finally:
        child.kill()
        child.join()
        receiver.close()


def _wait(child: Any, receiver: Any, should_stop: Callable[[], bool], time_limit: float | None) -> str:
    """Wait for an answer; the reason if the fork had to be told to stop."""
    started = time.perf_counter()
    while not receiver.poll(POLL):
        if not child.is_alive():
            return ""
        late = time_limit is not None and time.perf_counter() - started > time_limit + LATE
        if late or should_stop():
            os.kill(child.pid, signal.SIGINT)
            receiver.poll(GRACE)
            return "time limit" if late else "interrupted"
    return ""


def _child(work: Callable[[], Any], sender: Any) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        message = ("answer", work())
    except KeyboardInterrupt:
        os._exit(1)
    except Exception as error:  # it is raised again in the parent
        message = ("raised", error)
    sender.send(message)
    sender.close()
    os._exit(0)
