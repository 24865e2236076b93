"""What is found out about an instance is found once.

A function of an instance that is asked for again and again, by scaling, proofs, solvers and the
verifier, is marked as a fact: its results stay with the instance, by its arguments. An instance
never changes, so neither do they; a changed copy (`dataclasses.replace`) starts without any.
"""

from collections.abc import Callable, Hashable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Facts:
    """Results by the function that found them and its arguments."""

    __slots__ = ("_known",)

    def __init__(self) -> None:
        self._known: dict[tuple[object, Hashable], Any] = {}

    def get(self, find: Callable[..., T], key: Hashable, found: Callable[[], T]) -> T:
        """What is known of a function under a key; `found()` where nothing is yet."""
        place = (find, key)
        if place not in self._known:
            self._known[place] = found()
        known: T = self._known[place]
        return known

    def join(self, other: "Facts") -> None:
        """Have all in common with a store from now on."""
        self._known = other._known

    def share(self, other: "Facts", find: object) -> None:
        """Take over what another instance knows of one marked function."""
        wanted = getattr(find, "__wrapped__", find)
        self._known |= {place: known for place, known in other._known.items() if place[0] is wanted}


class HasFacts(Protocol):
    """What facts stay with: an instance."""

    @property
    def facts(self) -> Facts:
        """The store."""


I = TypeVar("I", bound=HasFacts)  # noqa: E741


def fact(find: Callable[Concatenate[I, P], T]) -> Callable[Concatenate[I, P], T]:
    """Keep the results of a function of an instance with the instance; further arguments must be
    hashable.
    """

    @wraps(find)
    def known(instance: I, /, *args: P.args, **kwargs: P.kwargs) -> T:
        key = (args, tuple(sorted(kwargs.items())))
        return instance.facts.get(find, key, lambda: find(instance, *args, **kwargs))

    return known
