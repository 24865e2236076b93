"""A document together with what its stages made of it: every stage keeps its result.

Checking depends on the form, instantiating also on the data and, where data are drawn at random, on the seed. Each is
done once, whoever asks: `solve`, `compare`, studies and the command line share one compilation. What comes out is never
changed. A fault is a result too, and is raised again.
"""

from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

from mecdsl.checking.check import CheckedModel, check
from mecdsl.data_files.read import Given
from mecdsl.diagnostics import ModelError
from mecdsl.instances.instance import Instance
from mecdsl.instances.instantiate import instantiate
from mecdsl.parsing import syntax

T = TypeVar("T")


class Compilation:
    """The stages of one document. Not for several threads at once."""

    def __init__(self, document: syntax.Document) -> None:
        self.document = document
        self._checked: dict[Hashable, CheckedModel | ModelError] = {}
        self._instances: dict[Hashable, Instance | ModelError] = {}
        self._given: list[Given] = []  # keeps the data alive that the keys of instances tell apart by identity

    def checked(self, form: str = "", relax: bool = False) -> CheckedModel:
        """The checked model in a form. Raises `ModelError`."""
        return _once(self._checked, (form, relax), lambda: check(self.document, form, relax))

    def instance(
        self,
        given: Mapping[str, Given],
        form: str = "",
        relax: bool = False,
        seed: int = 0,
    ) -> Instance:
        """The model with data by qualified name, as arrays. Raises `ModelError`.

        Without random data the seed changes nothing, and instances of two seeds share their arrays and facts.
        """
        checked = self.checked(form, relax)
        data = frozenset((name, id(value)) for name, value in given.items())
        place = (form, relax, data)
        fixed = self._instances.get(place)
        if isinstance(fixed, Instance):
            return fixed.with_seed(seed)

        def instantiated() -> Instance:
            self._given += given.values()
            return instantiate(checked, given, seed)

        found = _once(self._instances, (*place, seed), instantiated)
        if not found.world.drawn:
            self._instances[place] = found
        return found


def _once(known: dict[Hashable, T | ModelError], key: Hashable, make: Callable[[], T]) -> T:
    """What is known under a key, made if it is not; a fault is raised each time."""
    if key not in known:
        try:
            known[key] = make()
        except ModelError as error:
            known[key] = error
    found = known[key]
    if isinstance(found, ModelError):
        raise ModelError(found.diagnostics)
    return found
