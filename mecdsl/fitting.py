"""Which backends take an instance, and why the others do not."""

from collections.abc import Sequence
from dataclasses import dataclass

from mecdsl.backend import Request
from mecdsl.backends import table
from mecdsl.instances.instance import Instance
from mecdsl.solution import SolveOptions
from mecdsl.solve import accepts


@dataclass(frozen=True, slots=True)
class Fit:
    """Whether a backend can be asked for an instance; if not, why."""

    name: str
    takes: bool
    reason: str = ""


def fits(instance: Instance) -> tuple[Fit, ...]:
    """Every known backend, in the order of the table."""
    return tuple(_fit(name, instance) for name in table.names())


def fitting(instances: Sequence[Instance]) -> list[str]:
    """The backends that take one of some instances."""
    return [name for name in table.names() if any(_fit(name, one).takes for one in instances)]


def _fit(name: str, instance: Instance) -> Fit:
    backend = table.load(name)
    acceptance = accepts(backend, Request(instance, SolveOptions()))
    if not acceptance.accepted:
        return Fit(name, False, acceptance.reason)
    there = backend.availability()  # imports the solver, so it is asked last
    return Fit(name, there.available, "" if there.available else f"not available: {there.reason}")
