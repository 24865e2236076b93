"""Many models in two processes: outcomes as they come, and a clock on every model."""

import multiprocessing
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from typing import Any, Final

from tests.campaign.trial import BACKENDS, Outcome, trial

PATIENCE: Final = 120.0  # s for one model over all its backends; each solve has a limit of its own
CHUNK: Final = (
    50  # models for one process, so that no process holds the solvers through thousands of solves
)

Job = tuple[str, int]  # kind and number


def jobs(models: int, kinds: Sequence[str]) -> list[Job]:
    """The kinds in turn, so that any number of models has all of them."""
    return [(kinds[i % len(kinds)], i // len(kinds)) for i in range(models)]


def run(
    seed: int, todo: Sequence[Job], processes: int, backends: Sequence[str] = BACKENDS
) -> Iterator[list[Outcome]]:
    """The outcomes of each model, in the order in which they come.

    A model that ends its process or outlasts `PATIENCE` is an outcome of its own, and the rest of
    its chunk goes on.
    """
    waiting = [list(todo[i : i + CHUNK]) for i in range(0, len(todo), CHUNK)]
    running: list[_Worker] = []
    try:
        while waiting or running:
            while waiting and len(running) < processes:
                running.append(_Worker.start(seed, waiting.pop(0), backends))
            wait([worker.receiver for worker in running], timeout=1.0)
            for worker in list(running):
                yield from worker.received()
                if worker.ended():
                    running.remove(worker)
                    if worker.todo:
                        yield [worker.lost()]
                        if len(worker.todo) > 1:
                            waiting.insert(0, worker.todo[1:])
    finally:
        for worker in running:
            worker.kill()


@dataclass(slots=True)
class _Worker:
    """A process with models to do; `todo[0]` is the one it is at, since `since` in s.

    `over`: it sends no more.
    """

    process: ForkProcess
    receiver: "Connection[Any, Any]"
    todo: list[Job]
    since: float
    over: bool = False

    @classmethod
    def start(cls, seed: int, todo: list[Job], backends: Sequence[str]) -> "_Worker":
        context = multiprocessing.get_context("fork")
        receiver, sender = context.Pipe(duplex=False)
        process = context.Process(target=_work, args=(seed, todo, backends, sender))
        process.start()
        sender.close()
        return cls(process, receiver, list(todo), time.monotonic())

    def received(self) -> Iterator[list[Outcome]]:
        try:
            while self.todo and self.receiver.poll(0):
                outcomes = self.receiver.recv()
                self.todo.pop(0)
                self.since = time.monotonic()
                yield outcomes
        except EOFError:
            self.over = True

    def ended(self) -> bool:
        """Whether nothing more will come; a process that is stuck is killed."""
        if not self.todo:
            self.process.join()
            return True
        if time.monotonic() - self.since > PATIENCE:
            self.kill()
            return True
        if self.over:
            self.process.join()
        return self.over

    def lost(self) -> Outcome:
        kind, number = self.todo[0]
        code = self.process.exitcode
        return Outcome(
            kind=kind,
            number=number,
            backend="all",
            label="crash",
            verified=False,
            false=(f"no answer, exit code {code}",),
            seconds=PATIENCE,
        )

    def kill(self) -> None:
        self.process.kill()
        self.process.join()


def _work(
    seed: int, todo: Sequence[Job], backends: Sequence[str], sender: "Connection[Any, Any]"
) -> None:
    for kind, number in todo:
        sender.send(trial(seed, kind, number, backends))
    sender.close()
