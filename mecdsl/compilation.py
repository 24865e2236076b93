"""A document together with what its stages made of it: every stage keeps its result.

Checking depends on the form, instantiating also on the data and, where data are drawn at random, on
the seed. Each is done once, whoever asks: `solve`, `compare`, studies and the command line share
one compilation. What comes out is never changed. A fault is a result too, and is raised again.
"""

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from mecdsl.compiling.check import CheckedModel, check
from mecdsl.data_files.read import Given
from mecdsl.diagnostics import ModelError
from mecdsl.forms.apply import restatement
from mecdsl.instances.instance import Instance
from mecdsl.instances.instantiate import instantiate
from mecdsl.instances.restated import restate
from mecdsl.parsing import syntax

T = TypeVar("T")


class Compilation:
    """The stages of one document. Not for several threads at once."""

    def __init__(self, document: syntax.Document) -> None:
        self.document = document
        self._checked: dict[Hashable, CheckedModel | ModelError] = {}
        self._instances: dict[Hashable, _Kept] = {}

    def checked(self, form: str = "", relax: bool = False) -> CheckedModel:
        """The checked model in a form. Raises `ModelError`."""
        key = form, relax
        if key not in self._checked:
            self._checked[key] = _made(lambda: check(self.document, form, relax))
        return _raised(self._checked[key])

    def instance(
        self,
        given: Mapping[str, Given],
        form: str = "",
        relax: bool = False,
        seed: int = 0,
    ) -> Instance:
        """The model with data by qualified name, as arrays. Raises `ModelError`.

        Without random data the seed changes nothing, and instances of two seeds share their arrays
        and facts. With them the instance of the last seed is kept, so that a study of a thousand
        seeds does not hold a thousand.
        """
        checked = self.checked(form, relax)
        data = frozenset((name, id(value)) for name, value in given.items())
        place = (form, relax, data)
        kept = self._instances.get(place)
        if kept is None or not kept.holds(seed):
            kept = _Kept(
                tuple(given.values()), seed, _made(lambda: instantiate(checked, given, seed))
            )
            self._instances[place] = kept
        found = _raised(kept.found).with_seed(seed)
        # a game is handed to no solver as a whole; its parts are problems of their own
        game = bool(found.model.players)
        name = "" if relax or game else restatement(self.document, form)
        if name:
            restate(found, name, lambda: self.instance(given, name, False, seed))
        return found


@dataclass(frozen=True, slots=True)
class _Kept:
    """An instance or its fault, with its seed, and the data that its key tells apart by
    identity.
    """

    given: tuple[Given, ...]
    seed: int
    found: Instance | ModelError

    def holds(self, seed: int) -> bool:
        """Whether it is what another seed gives too."""
        return seed == self.seed or (
            isinstance(self.found, Instance) and not self.found.world.drawn
        )


def _made(make: Callable[[], T]) -> T | ModelError:
    """What a stage gives, its fault as a result too."""
    try:
        return make()
    except ModelError as error:
        return error


def _raised(found: T | ModelError) -> T:
    """A result; a fault is raised each time."""
    if isinstance(found, ModelError):
        raise ModelError(found.diagnostics)
    return found
