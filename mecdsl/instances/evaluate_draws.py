"""Random data: one number for every row, found from the seed, the address and the indices in
scope.
"""

from collections.abc import Sequence
from functools import partial

import numpy as np

from mecdsl.diagnostics import Diagnostic, ModelError
from mecdsl.draws import REGIONS
from mecdsl.instances.evaluates import Evaluates
from mecdsl.instances.random_streams import coordinate, draw, draw_level
from mecdsl.instances.tables import FloatArray, Table
from mecdsl.instances.world import World
from mecdsl.model import symbolic as sym
from mecdsl.model.levels import Levels


def drawn_values(evaluator: Evaluates, random: sym.Draw, table: Table) -> FloatArray:
    """The numbers of a draw, or one coordinate of its points, on every row."""
    world = evaluator.world
    world.drawn.add(random.symbol)
    arguments = [evaluator.floats(argument, table) for argument in random.arguments]
    labels = list(table.columns.values())
    if random.axis is None:
        level = Levels(world.model).drawn(random)
        stream = draw if level is None else partial(draw_level, level.factor)
        return stream(random.function, arguments, world.seed, random.symbol, random.call, labels)
    _require_region(world, random, arguments, table)
    address = (world.seed, random.symbol, random.call, labels)
    return coordinate(random.function, random.axis, arguments, *address)


def _require_region(
    world: World, random: sym.Draw, lengths: Sequence[FloatArray], table: Table
) -> None:
    """Lengths of a region are finite and not negative, and a ring's inner radius is not above its
    outer one.
    """
    named = zip(REGIONS[random.function], lengths, random.arguments, strict=True)
    for name, values, argument in named:
        wrong = np.flatnonzero(~((values >= 0.0) & (values < np.inf)))
        if len(wrong):
            row = int(wrong[0])
            what = f"the {name} of `{random.function}` is {values[row]:g} m"
            message = f"{what}{world.place_text(table, row)}, expected a length >= 0"
            raise ModelError([Diagnostic("E306", message, argument.span)])
    if random.function != "ring":
        return
    inner, outer = lengths
    crossed = np.flatnonzero(inner > outer)
    if len(crossed):
        row = int(crossed[0])
        what = f"the inner radius {inner[row]:g} m is above the outer one, {outer[row]:g} m"
        message = f"{what}{world.place_text(table, row)}"
        fix = "write `ring(inner, outer)`"
        raise ModelError([Diagnostic("E306", message, random.arguments[0].span, help=fix)])
