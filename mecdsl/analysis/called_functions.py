"""The functions of variables that an instance calls, so that a tool without one of them says so
before anything is handed to it.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from mecdsl.diagnostics import Label
from mecdsl.functions.table import TABLE
from mecdsl.instances.facts import fact
from mecdsl.instances.instance import Instance
from mecdsl.model import symbolic as sym
from mecdsl.model.classes import Degree
from mecdsl.parsing.syntax import Kind


@dataclass(frozen=True, slots=True, eq=False)
class CalledFunction:
    """A call over variables; `where`: the objective or constraint it stands in, perhaps by a
    definition.
    """

    name: str
    where: str
    call: sym.Function | sym.Aggregate

    @property
    def label(self) -> Label:
        """Where it stands, for a message."""
        return Label(self.call.span, f"`{self.name}` of variables")


@fact
def called_functions(instance: Instance) -> tuple[CalledFunction, ...]:
    """The first call of each function in the parts of degree above two, in the order of the text.

    What is linear or quadratic is handed over as coefficients.
    """
    shapes, seen = instance.checked.shapes, set[str]()
    first_calls: dict[str, CalledFunction] = {}
    for where, expression in instance.stated:
        if shapes.shape(expression).degree > Degree.QUADRATIC:
            for call in _calls(instance, expression, seen):
                name = call.name if isinstance(call, sym.Function) else call.function
                first_calls.setdefault(name, CalledFunction(name, where, call))
    return tuple(first_calls.values())


def _calls(
    instance: Instance, expression: sym.Expression, seen: set[str]
) -> Iterator[sym.Function | sym.Aggregate]:
    """Calls over variables, definitions followed that are not `seen` yet."""
    shapes = instance.checked.shapes
    for node in sym.walk(expression):
        if shapes.is_data(node):
            continue
        match node:
            case sym.Function():
                yield node
            case sym.Aggregate(function=name) if name in TABLE:
                yield node
            case sym.Lookup(symbol=name) if name not in seen:
                seen.add(name)
                symbol = instance.model.symbols[name]
                if symbol.kind is not Kind.VAR and symbol.formula is not None:
                    yield from _calls(instance, symbol.formula, seen)
            case _:
                continue


def lacking(instance: Instance, words: Collection[str]) -> CalledFunction | None:
    """The first function that a tool with these words neither has nor can write out."""
    return next((one for one in called_functions(instance) if not has(words, one.name)), None)


def has(words: Collection[str], name: str) -> bool:
    """Whether a function is among the words, or is written out in them."""
    if name in words:
        return True
    expansion = TABLE[name].expansion
    return expansion is not None and all(has(words, inner) for inner in expansion.needs)
