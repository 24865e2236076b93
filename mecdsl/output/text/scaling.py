"""`mecdsl show --scaling`: the factors with which solvers see an instance, and what they do to its
coefficients.
"""

import numpy as np

from mecdsl.analysis.display_units import objective_display, row_display
from mecdsl.analysis.scaling import Scaling
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray
from mecdsl.output.text.layout import index_text, paragraph, quantity, table, unit_of
from mecdsl.units import Unit


def scaling_text(instance: Instance, scaling: Scaling) -> str:
    """What 1 is to a solver in every variable and row, and the sizes of coefficients before and
    after.
    """
    variables = [
        [family.name + index_text(instance.model.symbols[family.name].space), extent]
        for family in instance.variables
        if (
            extent := _extent(
                scaling.column[family.columns],
                unit_of(instance, instance.model.symbols[family.name]),
            )
        )
    ]
    rows = [
        [family.name, extent]
        for family in instance.constraints
        if (
            extent := _extent(
                1.0 / scaling.row[family.rows], row_display(instance, family.constraint)
            )
        )
    ]
    objective = _extent(np.array([1.0 / scaling.objective]), objective_display(instance))
    sizes = ((scaling.before, "in SI"), (scaling.after, "scaled"))
    ranges = ", ".join(f"{low:.2g} .. {high:.2g} {which}" for (low, high), which in sizes)
    return "\n".join(
        [
            paragraph(
                "scaling  the size that counts as 1 in a solver, a power of two times the SI unit"
            ),
            table([[instance.model.objective.name, objective], *variables, *rows]),
            paragraph(f"coefficients  {ranges}"),
        ]
    )


def _extent(sizes: FloatArray, unit: Unit | None) -> str:
    """`1.95 ms` or `0.98 .. 7.8 us`; empty for a family without members."""
    if not len(sizes):
        return ""
    low, high = float(sizes.min()), float(sizes.max())
    shown = quantity(low, unit, 3)
    return shown if low == high else f"{shown} .. {quantity(high, unit, 3)}"
