"""What leaves the command line: text and JSON on stdout, messages on stderr, the exit code.

A reader that goes away (`| head`) changes nothing: the rest is dropped and the exit code is that of
the answer.
"""

import io
import os
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, TextIO

from mecdsl.diagnostics import Diagnostic, Severity, render
from mecdsl.output.json.diagnostic import diagnostic_json
from mecdsl.output.json.plain import json_text

# What the user asked for cannot be: wrong usage, and no fault of the model.
USAGE_CODES: Final = frozenset({"E501", "E502", "E503", "E505"})


# Control characters in the texts of a model would play tricks on the terminal.
CONTROL: Final = dict.fromkeys([*range(9), *range(11, 32), 127], "\ufffd")


@dataclass(slots=True)
class Stop(Exception):
    """Leave with an exit code; `message` and `help` are still to be said, if there are any."""

    code: int
    message: str = ""
    help: str | None = None


def usage(message: str, help: str | None = None) -> Stop:
    """Wrong usage: raise what this returns."""
    return Stop(2, message, help)


def open_streams(utf8: bool) -> None:
    """Make stdin, stdout and stderr usable whatever the caller has done to them; with `utf8`,
    stdout is UTF-8.

    A descriptor that is closed is opened on the null device, for else the next file that is opened
    would take its number and receive what a solver prints. A character that the terminal has no
    code for is shown by its number.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115  # open until the process ends
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    if utf8 and isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(
            encoding="utf-8", errors="backslashreplace"
        )  # a new encoding forgets `errors`


def say(text: str) -> None:
    """Print on stdout. Raises `Stop` if it cannot be written."""
    try:
        print(text.translate(CONTROL), flush=True)
    except BrokenPipeError:
        _drop(sys.stdout)
    except OSError as error:
        _drop(sys.stdout)
        raise Stop(
            4, f"the output cannot be written: {(error.strerror or str(error)).lower()}"
        ) from None


def say_json(value: object) -> None:
    """Print one JSON object on stdout."""
    say(json_text(value))


def complain(text: str) -> None:
    """Print on stderr; where nobody can read it, nothing can be done."""
    try:
        print(text.translate(CONTROL), file=sys.stderr, flush=True)
    except OSError:
        _drop(sys.stderr)


def _drop(stream: TextIO) -> None:
    """Send what is left in a stream, and all that follows, to the null device."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, stream.fileno())
    os.close(null)


def complain_faults(diagnostics: Sequence[Diagnostic], json_asked: bool) -> int:
    """Print faults, on stdout too if JSON was asked for; the exit code."""
    for diagnostic in diagnostics:
        complain(render(diagnostic) + "\n")
    if len(diagnostics) > 1:
        complain(f"{len(diagnostics)} errors")
    code = 2 if all(map(_is_usage, diagnostics)) else 1
    if json_asked:
        say_json({"diagnostics": [diagnostic_json(d) for d in diagnostics], "exit_code": code})
    return code


def _is_usage(diagnostic: Diagnostic) -> bool:
    """Whether an argument is wrong and not a model or its data."""
    if (
        diagnostic.code == "E113"
    ):  # an unknown form: a form of the model names it, or the command line
        return diagnostic.span is None
    if diagnostic.code == "E308":  # no data file, or no setting
        return diagnostic.span is not None and diagnostic.span.source.name == "--set"
    return diagnostic.code in USAGE_CODES


def complain_stop(stop: Stop, json_asked: bool) -> int:
    """Print why a run stopped; the exit code."""
    if stop.message:
        complain(f"error: {stop.message}" + (f"\n  help: {stop.help}" if stop.help else ""))
        if json_asked:
            fault = diagnostic_json(Diagnostic("", stop.message, help=stop.help)) | {"code": None}
            say_json({"diagnostics": [fault], "exit_code": stop.code})
    return stop.code


def bug(error: Exception) -> Stop:
    """A fault of the program itself; with MECDSL_TRACEBACK set, its traceback is printed."""
    if os.environ.get("MECDSL_TRACEBACK"):
        complain("".join(traceback.format_exception(error)).rstrip())
    message = f"a fault of mecdsl itself: {type(error).__name__}: {error}"
    return Stop(4, message, "set MECDSL_TRACEBACK=1 to see where, and report it")


def complain_warnings(diagnostics: Sequence[Diagnostic]) -> None:
    """Print the warnings among some diagnostics."""
    for diagnostic in diagnostics:
        if diagnostic.severity is Severity.WARNING:
            complain(render(diagnostic) + "\n")
