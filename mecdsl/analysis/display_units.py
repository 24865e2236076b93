"""In which unit people read a residual, a bound or the objective: the one the model speaks in, not
the SI unit.

A difference of levels is no level, so what is declared in `dBm` is shown in the linear SI unit
here.
"""

from mecdsl.analysis.member_units import multiplier_dimension, row_dimension, with_unit
from mecdsl.instances.instance import Instance
from mecdsl.model import symbolic as sym
from mecdsl.units import DIMENSIONLESS, Unit, coherent_unit


def row_display(instance: Instance, constraint: sym.Constraint) -> Unit:
    """The first declared or written unit in a constraint that has the dimension of its two
    sides.
    """
    dimension = row_dimension(instance, constraint)
    for side in (constraint.left, constraint.right):
        for node in sym.walk(side):
            unit = _unit_of(instance, node)
            if unit is not None and unit.dimension == dimension and not unit.logarithmic:
                return unit
    return coherent_unit(dimension or DIMENSIONLESS)


def declared_unit(instance: Instance, column: int) -> Unit:
    """The declared unit of a column. Raises IndexError."""
    for family in instance.variables:
        if family.first <= column < family.first + family.size:
            unit = instance.model.symbols[family.name].unit
            return unit or coherent_unit(DIMENSIONLESS)
    raise IndexError(column)


def objective_display(instance: Instance) -> Unit:
    """The declared unit of the objective, else its SI unit."""
    objective = instance.model.objective
    dimension = instance.model.dimensions.get(objective.name)
    return (
        objective.unit if objective.unit is not None else coherent_unit(dimension or DIMENSIONLESS)
    )


def multiplier_display(instance: Instance, constraint: sym.Constraint) -> Unit:
    """The unit of the objective over that of the row, both as they are shown: `kJ/min`; the SI unit
    where both are.
    """
    dimension = multiplier_dimension(instance, constraint)
    above, below = _linear(objective_display(instance)), row_display(instance, constraint)
    if above.factor == below.factor == 1.0:
        return Unit("1" if dimension.is_dimensionless else str(dimension), dimension, 1.0)
    under = f"({below.text})" if set("/*") & set(below.text) else below.text
    text = above.text if below.text == "1" else f"{above.text}/{under}"
    return Unit(text, dimension, above.factor / below.factor)


def residual_text(instance: Instance, family: str, member: str, amount: float) -> str:
    """A residual at a member of a constraint, or of a variable for any other name, in the unit of
    either.
    """
    symbol = instance.model.symbols.get(member.split("[")[0])
    unit = _linear(symbol.unit if symbol else None)
    stated = (
        *(rows.constraint for rows in instance.constraints),
        *(s.constraint for s in instance.model.switched),
    )
    for constraint in stated:
        if constraint.name == family:
            unit = row_display(instance, constraint)
    return with_unit(f"{unit.from_si(amount):.3g}", unit.text)


def _unit_of(instance: Instance, node: sym.Expression) -> Unit | None:
    match node:
        case sym.Lookup(symbol=name):
            return instance.model.symbols[name].unit
        case sym.Constant(unit=unit):
            return unit
        case _:
            return None


def _linear(unit: Unit | None) -> Unit:
    """The unit of a difference of values in a unit."""
    if unit is None:
        return coherent_unit(DIMENSIONLESS)
    return coherent_unit(unit.dimension) if unit.logarithmic else unit
