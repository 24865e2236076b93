"""What a model says in an exact form, for solvers that find their way better in it.

An exact form has the same optimum as the model, as its author says: it only adds variables, and the
point of a solver is that of the model without them. What is kept here belongs to one instance; a
copy with other bounds or values has none, since the form does not know of the change.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Restatement:
    """The exact form `name`, made into an instance when it is asked for."""

    name: str
    make: Callable[[], Instance]


def restate(instance: Instance, name: str, make: Callable[[], Instance]) -> None:
    """Remember how an instance is stated once more."""
    instance.facts.get(restatement_of, (), lambda: Restatement(name, make))


def restatement_of(instance: Instance) -> Restatement | None:
    """How an instance is stated once more, None where it is not."""
    found: Restatement | None = instance.facts.get(restatement_of, (), lambda: None)
    return found


@dataclass(frozen=True, slots=True, eq=False)
class Restated:
    """An instance in its exact form `name`; `columns`: where there each of its own columns is."""

    name: str
    instance: Instance
    columns: IntArray


def restated(instance: Instance) -> Restated | None:
    """The instance in its exact form, None where there is none.

    The compiler has seen to it that the form keeps the variables of the model.
    """
    stated = restatement_of(instance)
    if stated is None:
        return None
    other = stated.make()
    places = {family.name: family.columns for family in other.variables}
    columns = [
        np.arange(other.columns, dtype=np.int64)[places[family.name]]
        for family in instance.variables
    ]
    return Restated(stated.name, other, np.concatenate([np.zeros(0, dtype=np.int64), *columns]))
