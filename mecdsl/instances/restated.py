"""What a model says in an exact form, for solvers that find their way better in it.

An exact form has the same optimum as the model, as its author says: it only adds variables, behind
those of the model, and the point of a solver is that of the model without them. What is kept here
belongs to one instance; a copy with other bounds or values has none, since the form does not know
of the change.
"""

from collections.abc import Callable
from dataclasses import dataclass

from mecdsl.instances.instance import Instance


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


def restated(instance: Instance) -> Instance | None:
    """The instance in its exact form, None where there is none.

    The compiler has seen to it that the form keeps the variables of the model, which come first.
    """
    stated = restatement_of(instance)
    if stated is None:
        return None
    other = stated.make()
    first = other.variables[: len(instance.variables)]
    if [(f.name, f.columns) for f in first] == [(f.name, f.columns) for f in instance.variables]:
        return other
    raise RuntimeError(f"the variables of form `{stated.name}` are not those of the model")
