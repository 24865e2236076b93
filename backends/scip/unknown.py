"""What SCIP has no expression for, found in the model before anything of SCIP is imported."""

from typing import Final

from mecdsl.analysis.written_out import LONGEST, too_long
from mecdsl.instances.instance import Instance
from mecdsl.model import symbolic as sym
from mecdsl.model.classes import Classifier, Degree
from mecdsl.parsing.syntax import Kind

NONSMOOTH: Final = ("abs", "min", "max")
UNKNOWN_FUNCTIONS: Final = ("floor", "ceil", "round")


def unknown_part(instance: Instance, smooth_only: bool) -> str:
    """The first part of the model that SCIP has no expression for, in words; empty if there is
    none.
    """
    long = too_long(instance)
    if long:
        return f"`{long}`: more than {LONGEST} parts with its definitions written out"
    shapes = instance.checked.shapes
    stated = [(instance.model.objective.name, instance.model.objective.value)]
    for family in instance.constraints:
        if family.size:
            stated += [
                (family.name, family.constraint.left),
                (family.name, family.constraint.right),
            ]
    seen: set[str] = set()
    for name, expression in stated:
        if shapes.shape(expression).degree <= Degree.QUADRATIC:
            continue
        reason = _unknown(expression, instance, shapes, smooth_only, seen)
        if reason:
            return f"`{name}`: {reason}"
    return ""


def _unknown(
    expression: sym.Expression,
    instance: Instance,
    shapes: Classifier,
    smooth_only: bool,
    seen: set[str],
) -> str:
    """As `unknown_part`, of one expression; conditions over variables have been refused by `check`.

    `seen`: the definitions that were looked into and hold nothing unknown.
    """
    for node in sym.walk(expression):
        if shapes.is_data(node):
            continue
        match node:
            case sym.Function(name=name) if name in UNKNOWN_FUNCTIONS:
                return f"`{name}` of variables"
            case sym.Function(name=name) | sym.Aggregate(function=name) if (
                smooth_only and name in NONSMOOTH
            ):
                return f"`{name}` of variables through Pyomo"
            case sym.Lookup(symbol=name):
                symbol = instance.model.symbols[name]
                known = name in seen or symbol.kind is Kind.VAR
                seen.add(name)
                if known or isinstance(symbol.value, sym.DataFile | sym.DataArray | None):
                    continue
                reason = _unknown(symbol.value, instance, shapes, smooth_only, seen)
                if reason:
                    return reason
            case _:
                continue
    return ""
