"""Run a solver that may ignore limits and Ctrl-C, or end the process, in a process of its own.

Bonmin looks at its time limit and at Ctrl-C only between nodes, may sit in one for minutes, and at
a second Ctrl-C ends the whole process. SCIP was seen to crash. So the solve runs in a fork, and the
parent keeps the time. Where there is no fork the work runs in the same process.

- `os.fork` and not `multiprocessing`: the workers of a `multiprocessing.Pool` may not have
  processes of their own.
- The fork is a process group of its own, else a Ctrl-C at the terminal would reach it twice, from
  the terminal and from here. Where the system offers it (Linux), it ends with its parent.
- Of the parent's threads only the one that forks goes on in the fork, so nothing there may wait for
  another one. No library that starts threads (HiGHS) may be called in it; the solvers run here are
  free of that.
"""

import contextlib
import ctypes
import os
import pickle
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any, Final, Generic, NoReturn, TypeVar

from mecdsl.backend import interruptible
from mecdsl.backends.shared.solver_output import flush_c_streams

Answer = TypeVar("Answer")
Stop = Callable[[], bool]

GRACE: Final = 5.0  # s that the solver gets to hand over what it has once it should stop
LATE: Final = 5.0  # s past its own time limit, which may be processor time, before it is told so
POLL: Final = 0.05  # s
DIE_WITH_PARENT: Final = 1  # PR_SET_PDEATHSIG of Linux


@dataclass(frozen=True, slots=True)
class Guarded(Generic[Answer]):
    """The answer, or None and why there is none: `time limit`, `interrupted` or `died`.

    `ending` says it in words that follow the solver's name, such as
    `ended without an answer (signal 11, SIGSEGV)`.
    """

    answer: Answer | None
    reason: str = ""
    ending: str = ""


def run_guarded(
    work: Callable[[Stop], Answer],
    should_stop: Stop,
    time_limit: float | None,
    grace: float = GRACE,
) -> Guarded[Answer]:
    """Run `work` in a fork and return its answer; an exception of `work` is raised here.

    `work` is handed what it should ask whether to stop: in a fork, whether SIGINT came.
    `time_limit` in s: some time after it, and when `should_stop` turns true, the fork gets SIGINT
    and then, if it gives no answer within `grace` (in s), is killed. The answer must be picklable.
    """
    if not hasattr(os, "fork"):
        return Guarded(work(should_stop))
    with forked(work) as fork:
        reason = _wait(fork, should_stop, time_limit, grace)
        return fork.answer(reason)


@contextlib.contextmanager
def forked(work: Callable[[Stop], Answer]) -> "Iterator[Fork[Answer]]":
    """`work` in a fork, which is gone when the block ends."""
    receiver, sender = Pipe(duplex=False)
    flush_c_streams()  # else the fork would print a second time what waits in a buffer
    sys.stdout.flush()
    sys.stderr.flush()
    with receiver, _without_interrupts() as previous:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", DeprecationWarning
            )  # of forks beside threads; see above
            process = os.fork()
        if process == 0:
            _child(work, sender, previous)
        child = _Child(process)
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, previous)
            sender.close()
            yield Fork(child, receiver)
        finally:
            child.end()


_WORDS: Final = {
    "time limit": "did not stop at its time limit and was ended; its best point is lost",
    "interrupted": "did not stop when interrupted and was ended; its best point is lost",
}


@dataclass(slots=True)
class _Child:
    """A forked process and, once it ended, its exit code as `subprocess` counts them: -11 after
    signal 11.
    """

    process: int
    ended: bool = False
    code: int | None = None

    def alive(self) -> bool:
        self._wait(os.WNOHANG)
        return not self.ended

    def interrupt(self) -> None:
        if self.alive():
            os.kill(self.process, signal.SIGINT)

    def end(self) -> None:
        """Kill it unless it ended by itself, and leave no zombie."""
        if self.alive():
            os.kill(self.process, signal.SIGKILL)
            self._wait(0)

    def ending(self) -> str:
        told = ""
        if self.code is not None:
            told = (
                f" (exit code {self.code})"
                if self.code >= 0
                else f" (signal {-self.code}{_name(-self.code)})"
            )
        return "ended without an answer" + told

    def _wait(self, flags: int) -> None:
        if self.ended:
            return
        try:
            found, status = os.waitpid(self.process, flags)
        except (
            ChildProcessError
        ):  # somebody who ignores SIGCHLD, or waits for every child, was faster
            self.ended = True
            return
        if found:
            self.ended, self.code = True, os.waitstatus_to_exitcode(status)


@dataclass(slots=True)
class Fork(Generic[Answer]):
    """A running fork and the end of the pipe its answer comes through."""

    child: _Child
    receiver: "Connection[Any, Any]"

    @property
    def done(self) -> bool:
        """Whether an answer waits, or none will come."""
        return self.receiver.poll(0) or not self.child.alive()

    def interrupt(self) -> None:
        """Have the work asked to stop."""
        self.child.interrupt()

    def answer(self, reason: str) -> Guarded[Answer]:
        """What came of it; an exception of the work is raised here. `reason`: why it was told to
        stop, if it was.
        """
        kind, value = _received(self.receiver)
        self.child.end()
        if kind == "raised":
            raise value
        if kind == "answer":
            return Guarded(value)
        if reason:
            return Guarded(None, reason, _WORDS[reason])
        return Guarded(None, "died", self.child.ending())


def _name(number: int) -> str:
    try:
        return f", {signal.Signals(number).name}"
    except ValueError:  # a real-time signal
        return ""


def _wait(fork: "Fork[Answer]", should_stop: Stop, limit: float | None, grace: float) -> str:
    """Wait for an answer or the end; the reason if the fork had to be told to stop."""
    started = time.perf_counter()
    reason, patience = "", float("inf")
    while time.perf_counter() < patience and not fork.receiver.poll(POLL) and fork.child.alive():
        if reason:
            continue
        late = limit is not None and time.perf_counter() - started > limit + LATE
        if late or should_stop():
            fork.interrupt()
            reason, patience = "time limit" if late else "interrupted", time.perf_counter() + grace
    return reason


def _received(receiver: "Connection[Any, Any]") -> tuple[str, Any]:
    """What the fork sent: `answer` or `raised` with a value, or `nothing`."""
    try:
        return receiver.recv() if receiver.poll(0) else ("nothing", None)
    except EOFError:
        return "nothing", None


@contextlib.contextmanager
def _without_interrupts() -> Iterator[Collection[int]]:
    """Hold SIGINT back, so that none comes before the fork knows what to do with it; hands over the
    mask before.
    """
    previous = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield previous
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, previous)


def _child(
    work: Callable[[Stop], Any], sender: "Connection[Any, Any]", mask: Collection[int]
) -> NoReturn:
    """All that the fork does; it never returns to the code of the parent that called."""
    code = 1
    try:
        os.setpgid(0, 0)
        _die_with_parent()
        with interruptible() as pressed:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            sender.send_bytes(_message(work, pressed))
        code = 0
    except (
        KeyboardInterrupt
    ):  # a solver that made an exception of SIGINT: the parent sees that no answer came
        pass
    except BaseException:  # an answer that cannot travel, or a fault of this file
        traceback.print_exc()
    finally:
        with contextlib.suppress(OSError, ValueError):  # closed streams
            flush_c_streams()
            sys.stderr.flush()
        os._exit(code)


def _message(work: Callable[[Stop], Any], pressed: Stop) -> bytes:
    try:
        return pickle.dumps(("answer", work(pressed)))
    except Exception as error:  # it is raised again in the parent
        error.add_note("in the solver's process:\n" + traceback.format_exc())
        try:
            packed = pickle.dumps(("raised", error))
            pickle.loads(packed)
        except Exception:  # an exception that cannot travel, as some with arguments of their own
            return pickle.dumps(("raised", RuntimeError(f"{type(error).__name__}: {error}")))
        return packed


def _die_with_parent() -> None:
    """Have the system kill this process when the parent is killed (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DIE_WITH_PARENT, signal.SIGKILL)
