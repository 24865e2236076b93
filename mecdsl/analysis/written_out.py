"""How long objective and constraints are with every definition written out where it is used.

Definitions are arrays that are evaluated once, however often they are used. Pyomo and SCIP hold
trees, in which what is used twice stands twice: forty definitions that each use the one before
twice are a tree of 2^40 nodes.
"""

from typing import Final

from mecdsl.instances.instance import Instance
from mecdsl.model import symbolic as sym
from mecdsl.model.classes import Degree
from mecdsl.parsing.syntax import Kind

LONGEST: Final = 1_000_000  # parts; a solver or a file takes a microsecond or more for each


def too_long(instance: Instance) -> str:
    """The first nonlinear objective or constraint with more than `LONGEST` parts written out; "" if
    there is none.

    Statements of degree two or less are collected as coefficients and never written out. A sum
    counts its terms once.
    """
    shapes = instance.checked.shapes
    curved = [
        (name, value)
        for name, value in instance.stated
        if shapes.shape(value).degree > Degree.QUADRATIC
    ]
    sizes = definition_sizes(instance) if curved else {}
    return next((name for name, value in curved if _parts(value, sizes) > LONGEST), "")


def definition_sizes(instance: Instance) -> dict[str, int]:
    """The parts of every definition over variables and of every report, those it uses written
    out.
    """
    sizes: dict[str, int] = {}
    for name in instance.checked.order:
        symbol = instance.model.symbols.get(name)
        if (
            symbol is None
            or symbol.kind not in (Kind.LET, Kind.REPORT)
            or name in instance.world.values
        ):
            continue
        if symbol.formula is not None:
            sizes[name] = _parts(symbol.formula, sizes)
    return sizes


def _parts(expression: sym.Expression, sizes: dict[str, int]) -> int:
    nodes = sym.walk(expression)
    return sum(
        1 + (sizes.get(node.symbol, 0) if isinstance(node, sym.Lookup) else 0) for node in nodes
    )
