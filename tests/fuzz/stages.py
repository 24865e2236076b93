"""What is done with an input: every stage, each under a clock of processor time.

A stage ends in an answer, or in `ModelError`, which is one too. Anything else is a finding: another
exception, a warning of Python or of Pyomo, JSON that is none, data that do not read back, a stage
that takes longer than its time.
"""

import contextlib
import io
import json
import logging
import os
import signal
import tempfile
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np

from mecdsl.analysis.scaling import scale
from mecdsl.api import LoadedModel, loads
from mecdsl.command_line import main as command_line
from mecdsl.convexity.problem import analyse, sampled
from mecdsl.data_files.read import given_in_memory
from mecdsl.diagnostics import ModelError, render
from mecdsl.instances.data_out import data_of
from mecdsl.instances.instance import Instance
from mecdsl.output.json.problem import problem_json
from mecdsl.output.json.scaling import scaling_json
from mecdsl.output.text.explanation import explanation_text
from mecdsl.output.text.instance import instance_text
from mecdsl.output.text.problem import problem_text
from mecdsl.output.text.result import result_text
from mecdsl.output.text.scaling import scaling_text
from mecdsl.parsing.syntax import Kind
from mecdsl.pyomo_model.export import KINDS, export
from mecdsl.solve import takes
from tests.fuzz.draw import Input

STAGES: Final = (
    "parse check instantiate class show scaling data lp mps nl pyomo highs ipopt clarabel scip bonmin "
    "command"
).split()
SOLVERS: Final = ("highs", "ipopt", "clarabel", "scip", "bonmin")
EXIT_CODES: Final = (0, 1, 2, 3, 4, 5)
MOST_FORMS: Final = 3
SOLVE_SECONDS: Final = 1.0


class TooLong(BaseException):
    """A stage used up its time; no `except Exception` of the stage may swallow it."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What went wrong in which stage; findings with one `signature` are one fault most likely."""

    number: int
    stage: str
    signature: str
    detail: str
    text: str


@dataclass(slots=True)
class Run:
    """One input on its way: how each stage ended, and what was found."""

    given: Input
    clock: float
    enter: Callable[[str], None] = lambda stage: None
    outcomes: list[tuple[str, str]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    def stage(self, name: str, work: Callable[[], Any]) -> Any:
        """The result of a stage; None if it was refused or failed."""
        self.enter(name)
        try:
            with _clock(self.clock), warnings.catch_warnings():
                warnings.simplefilter("error")
                found = work()
        except ModelError as error:
            return self._ended(name, "refused", error)
        except (RecursionError, MemoryError) as error:
            return self._ended(name, type(error).__name__, None)
        except TooLong as error:
            self._found(name, f"{name}: longer than {self.clock:g} s", error)
        except Exception as error:
            self._found(name, _signature(error), error)
        else:
            self.outcomes.append((name, "fine"))
            return found
        return None

    def _ended(self, name: str, outcome: str, error: ModelError | None) -> None:
        try:
            for diagnostic in error.diagnostics if error is not None else ():
                render(diagnostic)
        except Exception as fault:
            self._found(name, _signature(fault), fault)
            return
        self.outcomes.append((name, outcome))

    def _found(self, name: str, signature: str, error: BaseException) -> None:
        detail = "".join(traceback.format_exception(error)[-8:])
        self.outcomes.append((name, "FAILED"))
        self.findings.append(Finding(self.given.number, name, signature, detail, self.given.text))


@contextlib.contextmanager
def _clock(seconds: float) -> Iterator[None]:
    """Raise `TooLong` after some seconds of processor time, as soon as Python runs again."""

    def ring(number: int, frame: object) -> None:
        raise TooLong

    previous = signal.signal(signal.SIGPROF, ring)
    signal.setitimer(signal.ITIMER_PROF, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)


def _signature(error: BaseException) -> str:
    """The exception and the last two places of the project it went through."""
    root = str(Path(__file__).resolve().parent.parent.parent)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(root)]
    frames = [f for f in frames if "/.venv/" not in f.filename and "/tests/" not in f.filename]
    places = [f"{Path(f.filename).stem}.{f.name}" for f in frames[-2:]]
    message = str(error) if isinstance(error, Warning | AssertionError) else ""
    return f"{type(error).__name__} {message[:60]} in {' > '.join(places)}".replace("  ", " ")


class _Complaints(logging.Handler):
    """What Pyomo would print as a warning is an exception here."""

    def emit(self, record: logging.LogRecord) -> None:
        raise UserWarning(f"Pyomo says: {record.getMessage()[:200]}")


@contextlib.contextmanager
def _complaining() -> Iterator[None]:
    """Pyomo's warnings are exceptions within, and what they were after."""
    logger = logging.getLogger("pyomo")
    handlers, propagate = logger.handlers, logger.propagate
    logger.handlers, logger.propagate = [_Complaints(logging.WARNING)], False
    try:
        yield
    finally:
        logger.handlers, logger.propagate = handlers, propagate


@_complaining()
def run(given: Input, clock: float, enter: Callable[[str], None] = lambda stage: None) -> Run:
    """Send an input through all stages."""
    done = Run(given, clock, enter)
    name = str(given.folder)
    loaded = done.stage("parse", lambda: loads(given.text, folder=name, seed=given.number % 7))
    if loaded is not None:
        done.stage("check", lambda: [render(d) for d in loaded.check()])
        for form in ("", *loaded.forms[:MOST_FORMS]):
            _run_form(done, loaded, form, relax=not form and given.number % 10 == 3)
    if given.command:
        done.stage("command", lambda: _command(given))
    return done


def _run_form(done: Run, loaded: LoadedModel, form: str, relax: bool) -> None:
    instance = done.stage("instantiate", lambda: loaded.instance(form, relax))
    if instance is None:
        return
    if done.stage("class", lambda: _class(instance)) is not None:
        done.stage("show", lambda: instance_text(instance, relax))
    done.stage("scaling", lambda: _scaling(instance))
    done.stage("data", lambda: _data(loaded, instance, form, relax))
    with tempfile.TemporaryDirectory() as folder:
        for kind in _kinds(done.given.number):
            path = Path(folder) / f"model{KINDS[kind]}"
            done.stage(kind, lambda kind=kind, path=path: export(instance, kind, path))  # type: ignore[misc]
    for backend in SOLVERS if done.given.solved else ():
        done.stage(backend, lambda name=backend: _solve(loaded, instance, name, form, relax))  # type: ignore[misc]


def _kinds(number: int) -> tuple[str, str]:
    """Two of the four kinds of files, one of which holds any degree, for writing takes time."""
    return ("lp", "mps")[number // 2 % 2], ("nl", "pyomo")[number // 4 % 2]


def _class(instance: Instance) -> str:
    problem = sampled(instance, analyse(instance))
    _strict(problem_json(instance, problem))
    return problem_text(problem) + explanation_text(instance)


def _scaling(instance: Instance) -> None:
    factors = scale(instance)
    scaling_text(instance, factors)
    _strict(scaling_json(instance, factors))


def _strict(value: object) -> str:
    return json.dumps(value, allow_nan=False)


def _data(loaded: LoadedModel, instance: Instance, form: str, relax: bool) -> None:
    """The data, read again, are the same to the last bit."""
    data = json.loads(_strict(data_of(instance)))
    families = tuple(instance.model.families)
    again = replace(loaded, given=given_in_memory(data, families)).instance(form, relax)
    for symbol in instance.model.of_kind(Kind.PARAM):
        before, after = instance.world.values[symbol.name], again.world.values[symbol.name]
        if not np.array_equal(before, after):
            raise AssertionError(f"`{symbol.name}` does not read back")


def _solve(loaded: LoadedModel, instance: Instance, backend: str, form: str, relax: bool) -> None:
    if not takes(backend, instance):
        return
    result = loaded.solve(backend, form, relax, time_limit=SOLVE_SECONDS)
    _strict(result.as_dict())
    result_text(result, every_value=True)


def _command(given: Input) -> None:
    """One command of the command line, whose exit code and output are looked at."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.mec"
        path.write_text(given.text, encoding="utf-8", errors="replace", newline="\n")
        words = _words(given.number, str(path), str(Path(folder) / "out"))
        out, complaints = io.StringIO(), io.StringIO()
        os.environ["MECDSL_TRACEBACK"] = "1"
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(complaints):
            try:
                command_line.main(words)
            except SystemExit as end:
                code = end.code
    said = complaints.getvalue()
    if code not in EXIT_CODES or "a fault of mecdsl" in said or "Traceback" in said:
        raise AssertionError(f"`{words[0]}` ends with {code}: {said[-1500:]}")
    if "--json" in words or (words[0] == "data" and out.getvalue()):
        json.loads(out.getvalue(), parse_constant=_refuse_constant)


def _words(number: int, path: str, out: str) -> list[str]:
    solve = ["solve", path, "--time-limit", "1s"]
    commands = (
        ["check", path],
        ["check", path, "--explain"],
        ["check", path, "--json"],
        ["show", path],
        ["show", path, "--scaling", "--json"],
        ["show", path, "--json", "--relax"],
        ["data", path],
        ["export", path, "--to", "nl", "--out", out],
        solve,
        [*solve, "--json"],
        [*solve, "--values"],
        ["compare", path, "--time-limit", "1s", "--json"],
    )
    return list(commands[number // 7 % len(commands)])


def _refuse_constant(word: str) -> None:
    raise AssertionError(f"`{word}` is no JSON")
