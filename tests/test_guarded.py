"""A solver in a process of its own: answers and exceptions come back, limits and interrupts hold
whatever it does.
"""

import contextlib
import multiprocessing
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mecdsl.backends import table
from mecdsl.backends.shared.guarded import Stop, run_guarded
from mecdsl.compiling.check import check
from mecdsl.instances.instantiate import instantiate
from mecdsl.parsing.parse import parse
from mecdsl.solution import SolveOptions
from mecdsl.solve import solve
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parent.parent
POSIX = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")


def stubborn(_: Stop) -> int:
    """Ignores Ctrl-C, as some solvers do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    time.sleep(1e6)
    return 1


def test_the_answer_comes_back() -> None:
    assert run_guarded(lambda _: [1, 2], lambda: False, 5.0).answer == [1, 2]


def test_an_exception_comes_back() -> None:
    with pytest.raises(ValueError, match="no such option"):
        run_guarded(lambda _: int("no such option"), lambda: False, None)


@pytest.mark.slow
def test_a_solver_that_ignores_its_limit_is_ended() -> None:
    found = run_guarded(stubborn, lambda: False, 0.1, grace=0.5)
    assert (found.answer, found.reason) == (None, "time limit")


@pytest.mark.slow
def test_a_solver_that_ignores_ctrl_c_is_ended() -> None:
    found = run_guarded(stubborn, lambda: True, None, grace=0.5)
    assert (found.answer, found.reason) == (None, "interrupted")


def test_a_solver_that_ends_its_process_is_noticed() -> None:
    found = run_guarded(lambda _: os._exit(0), lambda: False, None)
    assert (found.answer, found.reason) == (None, "died")


def test_a_signal_that_ended_it_is_named() -> None:
    found = run_guarded(lambda _: os.kill(os.getpid(), signal.SIGKILL), lambda: False, None)
    assert found.ending == "ended without an answer (signal 9, SIGKILL)"


def test_an_answer_larger_than_a_pipe_comes_back() -> None:
    assert run_guarded(lambda _: bytes(10_000_000), lambda: False, PATIENCE).answer == bytes(
        10_000_000
    )


def test_an_answer_that_cannot_travel_is_a_fault_of_the_work() -> None:
    with pytest.raises((AttributeError, pickle.PicklingError), match="pickle"):
        run_guarded(lambda _: lambda: 1, lambda: False, PATIENCE)


class Stubborn(Exception):
    """An exception that pickles and cannot be read again: its constructor wants two arguments."""

    def __init__(self, first: str, second: str) -> None:
        super().__init__(first + second)


def test_an_exception_that_cannot_travel_comes_as_another() -> None:
    def work(_: Stop) -> int:
        raise Stubborn("no such ", "option")

    with pytest.raises(RuntimeError, match="Stubborn: no such option"):
        run_guarded(work, lambda: False, None)


def test_work_is_told_to_stop_and_hands_over_what_it_has() -> None:
    def work(should_stop: Stop) -> str:
        while not should_stop():
            time.sleep(0.01)
        return "the best so far"

    looks = iter(range(3))
    found = run_guarded(work, lambda: next(looks, None) is None, None)
    assert found.answer == "the best so far"


def test_a_fault_of_the_caller_ends_the_fork() -> None:
    def broken() -> bool:
        raise RuntimeError("from the flag")

    reading, writing = os.pipe()
    with pytest.raises(RuntimeError, match="from the flag"):
        run_guarded(stubborn, broken, None)
    os.close(writing)
    assert (
        os.read(reading, 1) == b""
    )  # the end of the file: the fork, which held the other end, is gone
    os.close(reading)


@POSIX
def test_it_works_in_a_worker_of_a_pool() -> None:
    # such workers are daemons and may not start processes with `multiprocessing`
    with multiprocessing.get_context("fork").Pool(1) as pool:
        assert pool.apply(guarded_sum, (3, 4)) == 7


def guarded_sum(first: int, second: int) -> int | None:
    return run_guarded(lambda _: first + second, lambda: False, PATIENCE).answer


@POSIX
@pytest.mark.slow
def test_ctrl_c_at_a_terminal_arrives_once() -> None:
    # a terminal sends SIGINT to the whole process group; the fork must not get it twice
    program = """
    import time
    from mecdsl.backend import interruptible
    from mecdsl.backends.shared.guarded import run_guarded
    def work(should_stop):
        print("ready", flush=True)
        while not should_stop():
            time.sleep(0.01)
        time.sleep(0.5)  # a second SIGINT in this time would raise KeyboardInterrupt
        return "handed over"
    with interruptible() as pressed:
        print(run_guarded(work, pressed, None))
    """
    with started(program) as running:
        os.killpg(running.pid, signal.SIGINT)
        output, _ = running.communicate(timeout=PATIENCE)
    assert "answer='handed over'" in output


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a process with its parent")
@pytest.mark.slow
def test_the_fork_ends_with_a_parent_that_is_killed() -> None:
    program = """
    import time
    from mecdsl.backends.shared.guarded import run_guarded
    def work(should_stop):
        print("ready", flush=True)
        time.sleep(1e6)
    run_guarded(work, lambda: False, None)
    """
    with started(program) as running:
        running.kill()
        # until nobody holds the pipe, so until the fork has ended, too, which sleeps for days
        running.communicate(timeout=PATIENCE)


@contextlib.contextmanager
def started(program: str) -> Iterator["subprocess.Popen[str]"]:
    """A process group of its own that runs a program up to its line `ready`."""
    command = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as running:
        assert running.stdout is not None
        assert running.stdout.readline() == "ready\n"
        yield running


def test_without_a_fork_the_work_is_done_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "fork")
    assert run_guarded(
        lambda should_stop: (os.getpid(), should_stop()), lambda: True, None
    ).answer == (
        os.getpid(),
        True,
    )


# Solvers after each other: threads and locks that one leaves behind must not stop another one in
# its fork

PLANE = """
model plane "Integers of the convex square nearest to (1.4, 2.3)"
var x[k in 1..2] : integer in 0..4
param aim[k in 1..2] : 1 = [1.4, 2.3]
minimize z = sum((x[k] - aim[k])^2 for k in 1..2)
constraint sum: x[1] + x[2] <= 3
"""
LINE = PLANE.replace("sum((x[k] - aim[k])^2 for k in 1..2)", "-2*x[1] - 3*x[2]")
SMOOTH = PLANE.replace(": integer in", ": 1 in")
# PLANE: (1, 2) costs 0.16 + 0.09. LINE: -3 for each of x[2] = 3, so -9. SMOOTH: 0.7 too much, 0.35
# off each: 0.245.
SOLVES = (
    ("highs", LINE, -9.0),
    ("ipopt", SMOOTH, 0.245),
    ("bonmin", PLANE, 0.25),
    ("scip", PLANE, 0.25),
)


@pytest.mark.slow
def test_solvers_in_turn_in_one_process() -> None:
    assert (
        in_turn()
        == [pytest.approx(optimum, abs=1e-6) for _, _, optimum in (*SOLVES, SOLVES[0])] * 2
    )


def in_turn() -> list[float | None]:
    """The objectives of all solvers and the first one again, twice over."""
    found: list[float | None] = []
    for name, text, _ in (*SOLVES, SOLVES[0]) * 2:
        instance = instantiate(check(parse(text)), {})
        found.append(solve(instance, name, SolveOptions(time_limit=PATIENCE, threads=2)).objective)
    return found


def test_a_backend_of_another_package_that_cannot_be_imported_is_not_available(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(table, "_external", lambda: {"greedy": "no_such_package:Greedy"})
    broken = table.load("greedy")
    assert not broken.availability().available
    assert "no_such_package" in broken.availability().reason
