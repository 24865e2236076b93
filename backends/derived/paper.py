"""What a paper's backends declare of the problem their algorithms were derived for."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from mecdsl.backend import Capabilities
from mecdsl.backends.derived.found import Found
from mecdsl.backends.derived.reference import Shipped
from mecdsl.model.classes import ProblemClass
from mecdsl.solution import Guarantee

Problem = TypeVar("Problem")


@dataclass(frozen=True, slots=True)
class Paper(Generic[Problem]):
    """A paper whose problem is a shipped model.

    `title`: what it is about, for messages. `reference`: where it stands. `problems`: the shipped
    models with the forms that the algorithms tell apart; integers, variables and objective decide
    which of them an instance is. `reads`: qualified names of all data that the algorithms read.
    `sizes`: parameters of the shipped model with the family whose size each of them is. `read`:
    turns what was found into the algorithm's own data; a ValueError says why it cannot. `optional`:
    constraint families that may be left out. `may_be_fixed`: variable families whose values may be
    given. `may_add_constant`: a constant beside the objective does no harm. `classes`: the problem
    classes an instance may be of.
    """

    title: str
    reference: str
    problems: tuple[Shipped, ...]
    reads: frozenset[str]
    sizes: tuple[tuple[str, str], ...]
    read: Callable[[Found], Problem]
    classes: frozenset[ProblemClass]
    optional: frozenset[str] = frozenset()
    may_be_fixed: frozenset[str] = frozenset()
    may_add_constant: bool = False

    def offers(
        self,
        title: str,
        guarantee: Guarantee,
        *options: tuple[str, str],
        exact: bool = False,
        bounds: bool = False,
        multipliers: bool = False,
        time_limit: bool = False,
        games: bool = False,
    ) -> Capabilities:
        """The capabilities of a backend of this paper; an exact one has bounds, but of an
        equilibrium. `games`: it looks for equilibria of a model with players.
        """
        return Capabilities(
            title=title,
            classes=self.classes,
            guarantee=guarantee,
            reference=self.reference,
            models=tuple(dict.fromkeys(problem.model for problem in self.problems)),
            bounds=(exact and not games) or bounds,
            multipliers=multipliers,
            time_limit=time_limit,
            exact=exact,
            games=games,
            options=options,
        )
