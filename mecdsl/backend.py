"""What a backend is: a name, what it accepts as data, and three functions.

A backend is a class in a folder of `backends/` and one line in `backends/table.py`, or an entry
point of group `mecdsl.backends` in another package. Nothing of a solver is imported before
`availability` is asked.
"""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from types import FrameType
from typing import Protocol, runtime_checkable

from mecdsl.compiling.players_goal import forms_of_one_problem
from mecdsl.convexity.problem import Problem, analyse
from mecdsl.diagnostics import Label
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray
from mecdsl.lowering.lower import Lowered, lowered
from mecdsl.model.classes import ProblemClass
from mecdsl.results.result import Result
from mecdsl.solution import Guarantee, Solution, SolveOptions


@dataclass(frozen=True, slots=True)
class Preference:
    """How early `auto` asks a general backend for problems of some classes, and why it does.

    `rank`: the smallest goes first; the first of the built-in ones has 10, the second 20, and so
    on. `reason`: in words that stand after the class, `an LP: linear`. `where_convex`: the words
    for problems that are proven convex, integrality aside; empty where they are the same.
    """

    classes: frozenset[ProblemClass]
    rank: int
    reason: str
    where_convex: str = ""

    def words(self, convex: bool) -> str:
        """The reason for a problem that is proven convex, or is not."""
        return (self.where_convex if convex else "") or self.reason


def prefer(rank: int, reason: str, *classes: ProblemClass, where_convex: str = "") -> Preference:
    """A preference for some classes."""
    return Preference(frozenset(classes), rank, reason, where_convex)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a backend can do, as data.

    `classes`: the problem classes it solves. `guarantee`: what its answer is worth when it
    finishes. `models`: names of the models a hand-derived algorithm was derived for; empty for
    general solvers. `options`: the names of its own options with their meaning. `smooth`: it needs
    derivatives everywhere, so norms are given to it as cones. `preferences`: when `auto` takes it;
    a general backend without one runs only by name. `starts`: it is a local solver that begins at
    `SolveOptions.start` and looks at nothing else of the kind, so that other starts may find other
    optima.
    """

    title: str
    classes: frozenset[ProblemClass]
    guarantee: Guarantee
    reference: str
    models: tuple[str, ...] = ()
    bounds: bool = False
    multipliers: bool = False
    warm_start: bool = False
    starts: bool = False
    time_limit: bool = False
    pyomo: bool = False
    exact: bool = False  # a hand-derived algorithm whose answer is the proven optimum
    options: tuple[tuple[str, str], ...] = ()
    smooth: bool = False
    # its bounds are local optima of relaxations, which prove something only of convex ones
    local_nodes: bool = False
    games: bool = False  # it looks for equilibria of models with players, and solves nothing else
    preferences: tuple[Preference, ...] = ()

    @property
    def proves(self) -> tuple[str, ...]:
        """What its answers may prove of any problem of its classes, of "optimum" and "bound"; one
        may prove less.
        """
        return () if self.local_nodes else self.proves_where_convex

    @property
    def proves_where_convex(self) -> tuple[str, ...]:
        """As `proves`, of problems that are proven to be convex without their integrality."""
        proven = {"optimum": self.guarantee is Guarantee.GLOBAL, "bound": self.bounds}
        return tuple(what for what, can in proven.items() if can)


@dataclass(frozen=True, slots=True)
class Availability:
    """Whether a backend can run here, which versions, and if not, why not and what would help."""

    available: bool
    versions: dict[str, str] = field(default_factory=dict)
    reason: str = ""
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Whether a backend takes a problem; if not, why, and the part of the text to blame where that
    is another than what makes the class of the problem.
    """

    accepted: bool
    reason: str = ""
    place: Label | None = None


class Ask(Protocol):
    """Solves an instance with a backend and verifies the answer."""

    def __call__(self, instance: Instance, backend: str, options: SolveOptions) -> Result: ...


def no_ask(instance: Instance, backend: str, options: SolveOptions) -> Result:
    """Stands where a request was made by hand, for a backend that asks nobody."""
    raise RuntimeError("this request asks no other backend")


@dataclass(frozen=True, slots=True)
class Request:
    """What a backend is asked to solve. `should_stop` becomes true when the user interrupts. `ask`
    solves a part with another backend and verifies the answer.
    """

    instance: Instance
    options: SolveOptions
    should_stop: Callable[[], bool] = lambda: False
    ask: Ask = no_ask

    @property
    def problem(self) -> Problem:
        """The class of the instance and why."""
        return analyse(self.instance)


@runtime_checkable
class Backend(Protocol):
    """The interface of every backend."""

    name: str
    capabilities: Capabilities

    def availability(self) -> Availability:
        """Import the solver and say what is there."""

    def accepts(self, request: Request) -> Acceptance:
        """Whether the problem is of a kind this backend solves, without running anything."""

    def solve(self, request: Request) -> Solution:
        """Solve; the answer is a claim, in SI and in the sense of the model."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Responses:
    """Best responses of all players to a point: float64[players], SI, what each reaches and what is
    proven of it. `point`: the point with the response of one player.
    """

    values: FloatArray
    bounds: FloatArray
    point: Callable[[int], FloatArray]


@runtime_checkable
class Responds(Protocol):
    """A backend for games that knows the best response of every player."""

    def respond(self, instance: Instance, x: FloatArray) -> Responses:
        """The best responses to a point that keeps the constraints."""


def lowered_for(backend: Backend, instance: Instance) -> Lowered:
    """What a backend is given of an instance: the twin without kinks, or, for one derived by hand
    and for games, the instance.
    """
    if backend.capabilities.models or backend.capabilities.games:
        return Lowered(instance, instance, (), {}, None)
    return lowered(instance, cones=backend.capabilities.smooth)


def request_for(backend: Backend, request: Request) -> Request:
    """The request as a backend gets it: on the twin without kinks, with the start for its
    columns.
    """
    twin = lowered_for(backend, request.instance)
    if not twin.changed:
        return request
    start = request.options.start
    options = replace(request.options, start=None if start is None else twin.extended(start))
    return replace(request, instance=twin.instance, options=options)


def plays(backend: Backend, request: Request) -> Acceptance:
    """Whether a backend is one for games where the model is one, and for none where it is none."""
    players = request.instance.model.players
    if backend.capabilities.games == bool(players):
        return Acceptance(True)
    if players:
        return Acceptance(
            False,
            f"`{backend.name}` solves one objective, and this model has players who each have "
            f"their own; {forms_of_one_problem(request.instance.model)}",
            Label(players[0].span, "the players"),
        )
    return Acceptance(
        False, f"`{backend.name}` looks for equilibria, and this model has no players"
    )


def accepts_class(backend: Backend, problem: Problem) -> Acceptance:
    """The common rule of general solvers: the class must be in the list; the reason names the
    culprit.
    """
    if problem.problem_class in backend.capabilities.classes:
        return Acceptance(True)
    culprit = problem.culprit
    because = ""
    if culprit is not None and culprit.reason:
        line = f", {culprit.place.line_text}" if culprit.place else ""
        because = f": `{culprit.name}` is {culprit.reason}{line}"
    kind = problem.phrase
    if problem.problem_class.integral and not any(c.integral for c in backend.capabilities.classes):
        because = f": {problem.integer_columns} variables are integer" + because.replace(
            ": ", "; ", 1
        )
    return Acceptance(False, f"`{backend.name}` does not solve {kind}{because}")


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Turn Ctrl-C into a flag while a solver runs that looks at it; a second Ctrl-C raises
    KeyboardInterrupt.

    One inside another, as where a backend asks others, raises the flags of both.
    """
    pressed = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield pressed.is_set
        return
    previous = signal.getsignal(signal.SIGINT)

    def handler(number: int, frame: FrameType | None) -> None:
        if pressed.is_set():
            raise KeyboardInterrupt
        pressed.set()
        if getattr(previous, "__qualname__", "") == handler.__qualname__ and callable(previous):
            previous(number, frame)

    signal.signal(signal.SIGINT, handler)
    try:
        yield pressed.is_set
    finally:
        signal.signal(signal.SIGINT, previous)
