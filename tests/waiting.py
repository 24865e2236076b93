"""Tests that stop what is running: they wait for an event, never for the clock, so that they end
alike on a busy machine.

What has to have happened is said by the solver's own log, or by a process that is there.
"""

import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import pytest

ROOT: Final = Path(__file__).resolve().parent.parent
PATIENCE: Final = 600.0  # s until a process that hangs is given up; nothing is measured by it
LIMITS: Final = (1.0, 5.0, 25.0, 125.0)  # s

Found = TypeVar("Found")


def interrupted_at(pattern: str, program: str) -> str:
    """What a Python program prints that gets SIGINT once a line of its stderr matches."""
    command = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stderr is not None
        lines = iter(running.stderr.readline, "")
        assert any(re.search(pattern, line) for line in lines), "it ended before that"
        running.send_signal(signal.SIGINT)
        output, _ = running.communicate(timeout=PATIENCE)
    assert running.returncode == 0
    return output


def once_logged(pattern: str, capfd: pytest.CaptureFixture[str]) -> Callable[[], bool]:
    """A flag that turns true once a line of what is printed matches."""
    seen = ""

    def flag() -> bool:
        nonlocal seen
        out, err = capfd.readouterr()
        seen += out + err
        return re.search(pattern, seen, re.MULTILINE) is not None

    return flag


def within_some_limit(solve: Callable[[float], Found], enough: Callable[[Found], bool]) -> Found:
    """The answer under the first of some time limits in which a solver gets far enough: how far a
    second leads is a matter of the machine, what it hands over at the end of its time is not.
    """
    for limit in LIMITS:
        found = solve(limit)
        if enough(found):
            break
    return found


def has_a_fork(process: int) -> bool:
    """Whether a process has a child of its own, as it has while a solver runs in one (Linux)."""
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            text = status.read_text()
        except OSError:  # it ended meanwhile
            continue
        if int(text.rpartition(")")[2].split()[1]) == process:
            return True
    return False
