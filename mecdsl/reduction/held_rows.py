"""Which rows hold a free variable; the others are true or false whatever a solver does."""

import numpy as np
from numpy.typing import NDArray

from mecdsl.analysis.coefficients import constraint_coefficients, plain_families, rows_of
from mecdsl.analysis.scaling import Slopes
from mecdsl.instances import jets
from mecdsl.instances.algebra import Floats, Value
from mecdsl.instances.facts import fact
from mecdsl.instances.instance import Instance, difference
from mecdsl.instances.jets import Jet
from mecdsl.instances.tables import IntArray
from mecdsl.model.classes import Degree


@fact
@np.errstate(all="ignore")  # what is not finite is looked for where it is used
def held_rows(instance: Instance) -> NDArray[np.bool_]:
    """bool[rows]: whether a row holds a free variable.

    A row of degree two or less does where a coefficient is not 0, one above it where a free
    variable is written in it. Raises `ModelError` where a coefficient is not finite.
    """
    held = np.zeros(instance.rows, dtype=bool)
    plain = plain_families(instance)
    coefficients, places = constraint_coefficients(instance, plain), rows_of(plain)
    held[places[coefficients.row]] = held[places[coefficients.quadratic_row]] = True
    curved = [family for family in instance.constraints if family.shape.degree > Degree.QUADRATIC]
    evaluator = instance.evaluator(_Holding(instance.first_point(), instance.free))
    for family in curved:
        value = difference(evaluator, family) if family.size else None
        if isinstance(value, Jet):
            held[family.first + value.gradient.rows] = True
    return held


class _Holding(Slopes):
    """Slopes whose places alone are looked at; an extreme has those of all its parts."""

    def segment_extreme(self, name: str, value: Value, parent: IntArray, size: int) -> Value:
        if not isinstance(value, Jet):
            return Floats().segment_extreme(name, value, parent, size)
        return jets.segment_sum(value, parent, size)
