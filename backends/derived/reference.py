"""A shipped model with the data of another instance: what that instance is compared with.

Only data that the algorithm reads are taken over, by qualified name and label. Everything else is
computed as the shipped model says, so an instance that computes it in another way differs. What
neither objective nor rows need is left out, and so are start values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib import resources
from pathlib import Path

import numpy as np

from mecdsl.compilation import Compilation
from mecdsl.compiling.check import CheckedModel
from mecdsl.data_files.read import Given
from mecdsl.diagnostics import ModelError, count
from mecdsl.instances.instance import Instance
from mecdsl.instances.instantiate import instantiate
from mecdsl.instances.tables import FamilyTable, FloatArray, IntArray
from mecdsl.model import symbolic as sym
from mecdsl.model.order import needs
from mecdsl.parsing.parse import parse_file
from mecdsl.parsing.syntax import Kind


class Differs(Exception):
    """An instance is not the problem it is compared with; the text says where, in words."""


@dataclass(frozen=True, slots=True)
class Shipped:
    """A model of `mecdsl.models` in a form; `problem`: what the paper calls it, as in `(31)`."""

    model: str
    form: str = ""
    problem: str = ""


@cache
def _compilation(model: str) -> Compilation:
    return Compilation(parse_file(Path(str(resources.files("mecdsl.models") / f"{model}.mec"))))


def checked(shipped: Shipped) -> CheckedModel:
    """The shipped model in its form, parsed once per process and checked once per form."""
    return _compilation(shipped.model).checked(shipped.form)


def reference(
    instance: Instance,
    shipped: Shipped,
    reads: frozenset[str],
    sizes: Sequence[tuple[str, str]],
) -> Instance:
    """The shipped model with what an instance has for the data that are read.

    `sizes`: parameters of the shipped model that are the size of a family of the instance. Raises
    `Differs` where the instance lacks some of them, has them over other members, or has values
    that the shipped model does not allow.
    """

    def known(symbol: sym.Symbol, table: FamilyTable) -> FloatArray | None:
        if symbol.name not in reads:
            return None
        own = instance.world.symbols[symbol.name]
        return instance.world.values[symbol.name][places(symbol.name, own, table)]

    model = needed(shipped, reads, frozenset(name for name, _ in sizes))
    given = {
        name: Given(value=size, place=lambda _indices: None)
        for name, size in _sizes(instance, sizes).items()
        if name in model.model.symbols
    }
    try:
        return instantiate(model, given, instance.seed, known)
    except ModelError as error:
        raise Differs(error.diagnostics[0].message) from None


def _sizes(instance: Instance, sizes: Sequence[tuple[str, str]]) -> Mapping[str, int]:
    world, found = instance.world, {}
    for name, family in sizes:
        if family in world.families:
            found[name] = world.families[family].size
        elif name in world.values:
            found[name] = int(world.values[name][0])
        else:
            raise Differs(f"the model has no `{family}`")
    return found


def places(name: str, own: FamilyTable, wanted: FamilyTable) -> IntArray:
    """The row of a table with the labels of each row of another.

    Raises `Differs` unless both have the same members.
    """
    if len(own.names) != len(wanted.names):
        expected = count(len(wanted.names), "index")
        raise Differs(f"`{name}` has {count(len(own.names), 'index')}, expected {expected}")
    labels = [wanted.table.columns[index] for index in wanted.names]
    rows = own.locate(labels, wanted.size)
    missing = np.flatnonzero(rows < 0)
    if len(missing):
        member = ", ".join(str(label[missing[0]]) for label in labels)
        raise Differs(f"`{name}` has no member [{member}]")
    if own.size != wanted.size:
        raise Differs(f"`{name}` has {own.size} members, expected {wanted.size}")
    return rows


@cache
def needed(shipped: Shipped, reads: frozenset[str], sizes: frozenset[str]) -> CheckedModel:
    """The shipped model without start values and reports, and without what only data and sizes that
    are taken over need.
    """
    whole = checked(shipped)
    model = replace(
        whole.model,
        symbols={
            name: replace(symbol, value=None) if name in reads | sizes else symbol
            for name, symbol in whole.model.symbols.items()
            if symbol.kind is not Kind.REPORT
        },
        starts=(),
        settings=tuple(s for s in whole.model.settings if s.symbol not in reads),
    )
    todo, kept = _roots(model, reads), set[str]()
    while todo:
        name = todo.pop()
        if name not in kept:
            kept.add(name)
            todo += needs(model, name)
    return replace(
        whole,
        model=replace(
            model,
            families={name: f for name, f in model.families.items() if name in kept},
            symbols={name: s for name, s in model.symbols.items() if name in kept},
            settings=tuple(s for s in model.settings if s.symbol in kept),
        ),
        order=tuple(name for name in whole.order if name in kept),
    )


def _roots(model: sym.Model, reads: frozenset[str]) -> list[str]:
    """The names that objective, rows, variables and the algorithm speak of."""
    parts = [model.objective.value]
    for constraint in model.constraints:
        parts += [constraint.left, constraint.right, *sym.space_parts(constraint.space)]
    for assignment in model.fixes:
        parts += sym.data_expressions(assignment.value)
        parts += [] if assignment.condition is None else [assignment.condition]
    found = [*reads, *(symbol.name for symbol in model.of_kind(Kind.VAR))]
    spaces = [constraint.space for constraint in model.constraints]
    for node in (node for part in parts for node in sym.walk(part)):
        match node:
            case sym.Lookup(symbol=used) | sym.LinkEnd(family=used) | sym.Member(family=used):
                found.append(used)
            case sym.Aggregate(space=space):
                spaces.append(space)
            case sym.Membership(domain=domain):
                spaces.append(sym.Space((sym.Generator((), domain, node.span),)))
            case _:
                pass
    domains = [generator.domain for space in spaces for generator in space.generators]
    found += [
        domain.family
        for domain in domains
        if isinstance(domain, sym.FamilyDomain | sym.LinksAt | sym.LayersDomain)
    ]
    return found
