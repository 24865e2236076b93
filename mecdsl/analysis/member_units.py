"""SI units of columns, rows and multipliers of an instance, as text."""

from mecdsl.instances.instance import Instance
from mecdsl.model import symbolic as sym
from mecdsl.model.dimensions import find_dimension
from mecdsl.units import DIMENSIONLESS, Dimension


def unit_text(dimension: Dimension | None) -> str:
    """The SI unit of a dimension; `1` for a plain number."""
    return "1" if dimension is None else str(dimension)


def with_unit(number: str, unit: str) -> str:
    """A number that is text already, with its unit."""
    return number if unit == "1" else f"{number} {unit}"


def row_unit(instance: Instance, constraint: sym.Constraint) -> str:
    """The unit both sides of a constraint are in, from the first that has a dimension."""
    return unit_text(row_dimension(instance, constraint))


def column_unit(instance: Instance, column: int) -> str:
    """The unit of a column. Raises IndexError."""
    return unit_text(_column_dimension(instance, column))


def objective_unit(instance: Instance) -> str:
    """The unit of the objective."""
    return unit_text(instance.model.dimensions.get(instance.model.objective.name))


def multiplier_unit(instance: Instance, constraint: sym.Constraint) -> str:
    """The unit of the objective over that of the rows: `W` for energy by a deadline, `J/row` for
    energy by rows.
    """
    return str(multiplier_dimension(instance, constraint))


def multiplier_dimension(instance: Instance, constraint: sym.Constraint) -> Dimension:
    """The dimension of the objective over that of the rows."""
    return _quotient(instance, row_dimension(instance, constraint))


def slope_unit(instance: Instance, column: int) -> str:
    """The unit of the objective over that of a column."""
    return str(_quotient(instance, _column_dimension(instance, column)))


def _quotient(instance: Instance, below: Dimension | None) -> Dimension:
    above = instance.model.dimensions.get(instance.model.objective.name) or DIMENSIONLESS
    return above / (below or DIMENSIONLESS)


def row_dimension(instance: Instance, constraint: sym.Constraint) -> Dimension | None:
    """The dimension of both sides of a constraint; None if either is a bare 0."""
    sides = (find_dimension(instance.model, side) for side in (constraint.left, constraint.right))
    return next((dimension for dimension in sides if dimension is not None), None)


def _column_dimension(instance: Instance, column: int) -> Dimension | None:
    for family in instance.variables:
        if family.first <= column < family.first + family.size:
            return instance.model.dimensions.get(family.name)
    raise IndexError(column)
