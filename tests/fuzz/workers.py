"""Processes that run inputs. Each is watched: one that hangs outside of Python, or dies, is a
finding and is replaced.

A worker tells after each input how it ended; so nothing is lost with it but the input it was at.
"""

import gc
import importlib
import multiprocessing
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from typing import Any, Final

from tests.fuzz.draw import Input, draw
from tests.fuzz.shrink import shrunk
from tests.fuzz.stages import STAGES, Finding, run

PATIENCE: Final = 60.0  # s without a sign of life beyond the clock, on a busy machine
MEMORY: Final = 4 * 2**30  # bytes
CHUNK: Final = 50
SLOW_TO_IMPORT: Final = (
    "mecdsl.pyomo_model.lower",
    "mecdsl.backends.highs.run",
    "mecdsl.backends.ipopt.core",
    "mecdsl.backends.scip.model",
    "mecdsl.backends.bonmin.core",
    "scipy.sparse.linalg",
)
FORK: Final = multiprocessing.get_context("fork")


@dataclass(frozen=True, slots=True)
class Settings:
    """What is drawn, and the time of a stage in seconds of processor time."""

    seed: int
    clock: float
    solve_share: float


@dataclass(frozen=True, slots=True)
class Done:
    """How one input ended: stages with their outcomes, findings."""

    number: int
    outcomes: Sequence[tuple[str, str]]
    findings: Sequence[Finding]


@dataclass(slots=True)
class _Worker:
    """A process, its pipe, and the numbers it has not answered yet; `place`: the stage it is in."""

    process: Any
    pipe: Connection
    place: Any
    numbers: list[int] = field(default_factory=list)
    heard: float = field(default_factory=time.monotonic)


def run_all(settings: Settings, numbers: Sequence[int], processes: int) -> Iterator[Done]:
    """Run inputs in some processes; what comes back is in no order."""
    for module in SLOW_TO_IMPORT:  # once, and not in each process
        importlib.import_module(module)
    gc.freeze()
    todo = [list(numbers[at : at + CHUNK]) for at in range(0, len(numbers), CHUNK)][::-1]
    workers: list[_Worker] = []
    again: set[int] = set()  # a machine may stand still: what hangs has to do so twice
    try:
        while todo or workers:
            while todo and len(workers) < processes:
                workers.append(_start(settings, todo.pop()))
            ready = wait([worker.pipe for worker in workers], timeout=1.0)
            for worker in list(workers):
                if worker.pipe in ready:
                    yield from _heard(worker)
                elif time.monotonic() - worker.heard > PATIENCE + settings.clock:
                    worker.process.kill()
                    if worker.numbers[0] in again:
                        yield _lost(settings, worker, "does not end")
                    again.add(worker.numbers[0])
                if not worker.numbers or (not worker.process.is_alive() and not worker.pipe.poll()):
                    if worker.numbers and worker.process.exitcode not in (0, None, -9):
                        yield _lost(
                            settings, worker, f"process ends with {worker.process.exitcode}"
                        )
                    if worker.numbers:
                        todo.append(worker.numbers)
                    worker.process.join()
                    workers.remove(worker)
    finally:
        for worker in workers:
            worker.process.kill()


def _start(settings: Settings, numbers: list[int]) -> _Worker:
    ours, theirs = FORK.Pipe()
    place = FORK.Value("i", 0)
    process = FORK.Process(target=_work, args=(settings, numbers, theirs, place), daemon=True)
    process.start()
    theirs.close()
    return _Worker(process, ours, place, list(numbers))


def _heard(worker: _Worker) -> Iterator[Done]:
    try:
        done: Done = worker.pipe.recv()
    except EOFError:
        worker.process.join()
        return
    worker.heard = time.monotonic()
    worker.numbers.remove(done.number)
    yield done


def _lost(settings: Settings, worker: _Worker, what: str) -> Done:
    """The finding that ended a worker."""
    number, stage = worker.numbers.pop(0), STAGES[worker.place.value]
    text = draw(settings.seed, number, settings.solve_share).text
    return Done(
        number, ((stage, "FAILED"),), (Finding(number, stage, f"{stage}: {what}", "", text),)
    )


def _work(settings: Settings, numbers: Sequence[int], pipe: Connection, place: Any) -> None:
    _quiet()
    for number in numbers:
        given = draw(settings.seed, number, settings.solve_share)
        found = run(
            given, settings.clock, lambda stage: setattr(place, "value", STAGES.index(stage))
        )
        pipe.send(Done(number, found.outcomes, found.findings))
    pipe.close()
    os._exit(0)  # solvers that were used take their time to leave


def _quiet() -> None:
    """What solvers print goes nowhere; memory has an end before that of the machine."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    sys.stdout = sys.stderr = open(os.devnull, "w")  # noqa: SIM115  # open until the process ends
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def least_text(settings: Settings, finding: Finding, given: Input) -> str:
    """The least text with the same finding; found in a process of its own, the whole text if that
    is lost.
    """

    def fails(text: str) -> bool:
        command = given.command and finding.stage == "command"
        once = Input(given.number, text, given.folder, finding.stage in STAGES[11:15], command)
        found = run(once, settings.clock).findings
        return any((f.signature, f.stage) == (finding.signature, finding.stage) for f in found)

    return _apart(lambda: shrunk(finding.text, fails)) or finding.text


def _apart(work: Callable[[], str]) -> str | None:
    ours, theirs = FORK.Pipe()

    def answer() -> None:
        _quiet()
        theirs.send(work())
        os._exit(0)

    process = FORK.Process(target=answer, daemon=True)
    process.start()
    theirs.close()
    try:
        return str(ours.recv()) if ours.poll(2 * PATIENCE) else None
    except EOFError:
        return None
    finally:
        process.kill()
        process.join()
