"""A solver in a process of its own: answers and exceptions come back, limits and interrupts hold whatever it does."""

import signal
import time

import pytest

from mecdsl.backends import table
from mecdsl.backends.guarded import run_guarded


def stubborn() -> int:
    """Ignores Ctrl-C, as some solvers do."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    time.sleep(60.0)
    return 1


def test_the_answer_comes_back() -> None:
    assert run_guarded(lambda: [1, 2], lambda: False, 5.0).answer == [1, 2]


def test_an_exception_comes_back() -> None:
    with pytest.raises(ValueError, match="no such option"):
        run_guarded(lambda: int("no such option"), lambda: False, None)


def test_a_solver_that_ignores_its_limit_is_ended() -> None:
    found = run_guarded(stubborn, lambda: False, 0.1)
    assert (found.answer, found.reason) == (None, "time limit")


def test_a_solver_that_ignores_ctrl_c_is_ended() -> None:
    found = run_guarded(stubborn, lambda: True, None)
    assert (found.answer, found.reason) == (None, "interrupted")


def test_a_solver_that_ends_its_process_is_noticed() -> None:
    found = run_guarded(lambda: __import__("os")._exit(0), lambda: False, None)
    assert (found.answer, found.reason) == (None, "died")


def test_a_backend_of_another_package_that_cannot_be_imported_is_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_external", lambda: {"greedy": "no_such_package:Greedy"})
    broken = table.load("greedy")
    assert not broken.availability().available
    assert "no_such_package" in broken.availability().reason
