"""The Lagrangian of an instance at a point, by the project's own evaluator and derivatives.

Signs: a multiplier is the derivative of the optimal objective with respect to the right-hand side
of its row as written, so with rows g = left - right and multipliers m the Lagrangian of a minimised
objective f is

    L(x) = f(x) - sum m_i g_i(x),

and m_i <= 0 in a `<=` row, m_i >= 0 in a `>=` row: more room cannot cost. A maximised objective is
negated together with its multipliers (`sense` is -1), so everything here is in the sense of a
minimisation.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from mecdsl.analysis.magnitude import Magnitudes, size_of, value_of
from mecdsl.instances.algebra import Jets
from mecdsl.instances.instance import Instance, difference
from mecdsl.instances.jets import Jet
from mecdsl.instances.tables import SINGLE, FloatArray
from mecdsl.model.classes import Degree


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Lagrangian:
    """Values and slopes at a point, minimised.

    `objective`, `objective_size`: of f and of its terms. `rows`, `row_sizes`: float64[rows], of g
    and of its terms. `slope`: float64[columns], the gradient of L, 0 in fixed columns;
    `slope_size`: the sum of the absolute terms of each entry, which bounds its rounding.
    """

    objective: float
    objective_size: float
    rows: FloatArray
    row_sizes: FloatArray
    multipliers: FloatArray
    slope: FloatArray
    slope_size: FloatArray

    @property
    def value(self) -> float:
        """L at the point."""
        used = self.multipliers != 0.0
        return self.objective - float(np.sum(self.multipliers[used] * self.rows[used]))

    @property
    def size(self) -> float:
        """The sum of the absolute terms of L."""
        used = self.multipliers != 0.0
        return self.objective_size + float(
            np.sum(np.abs(self.multipliers[used]) * self.row_sizes[used])
        )


def sense(instance: Instance) -> float:
    """1 where the objective is minimised, -1 where it is maximised."""
    return -1.0 if instance.maximize else 1.0


def is_smooth(instance: Instance) -> bool:
    """Whether objective and rows have one gradient everywhere in their domain."""
    degrees = [family.shape.degree for family in instance.constraints if family.size]
    degrees.append(instance.goal.shape.degree)
    return max(degrees) < Degree.NONSMOOTH


def flat_multipliers(instance: Instance, claimed: Mapping[str, FloatArray]) -> FloatArray | None:
    """One multiplier per row of the instance, 0 for a family that is not named.

    None if a name is no constraint family, or an array does not fit its rows or is not finite.
    """
    flat = np.zeros(instance.rows)
    families = {family.name: family for family in instance.constraints}
    for name, values in claimed.items():
        array = np.asarray(values, dtype=np.float64)
        if (
            name not in families
            or array.shape != (families[name].size,)
            or not np.isfinite(array).all()
        ):
            return None
        flat[families[name].rows] = array
    return flat


def wrong_sign(instance: Instance, multipliers: FloatArray) -> FloatArray:
    """How far each multiplier lies on the side its row does not allow; 0 for equalities."""
    toward, result = sense(instance) * multipliers, np.zeros(instance.rows)
    for family in instance.constraints:
        if family.relation.sign:
            wrong = family.relation.sign * toward[family.rows]
            result[family.rows] = np.maximum(wrong, 0.0)
    return result


def right_signed(instance: Instance, multipliers: FloatArray) -> FloatArray:
    """The multipliers with those of the wrong sign set to 0."""
    return np.where(wrong_sign(instance, multipliers) > 0.0, 0.0, multipliers)


def lagrangian(instance: Instance, x: FloatArray, multipliers: FloatArray) -> Lagrangian:
    """L with flat `multipliers` at a point; entries of the slope are not finite where a derivative
    is not.

    Only rows with a multiplier are differentiated, so one without need not have a derivative.
    """
    sign = sense(instance)
    sizes = instance.evaluator(Magnitudes(x))
    jets = instance.evaluator(Jets(x, 1, instance.free))
    slope, slope_size = np.zeros(instance.columns), np.zeros(instance.columns)
    rows, row_sizes = np.zeros(instance.rows), np.zeros(instance.rows)
    with np.errstate(all="ignore"):
        goal = instance.model.objective.value
        value = sizes.family(goal, SINGLE)
        _add(slope, slope_size, jets.family(goal, SINGLE), np.full(1, sign))
        for family in instance.constraints:
            differences = difference(sizes, family)
            rows[family.rows], row_sizes[family.rows] = value_of(differences), size_of(differences)
            weights = -sign * multipliers[family.rows]
            if weights.any():
                _add(slope, slope_size, difference(jets, family), weights)
    objective, size = (
        float(np.ravel(np.asarray(number_of(value)))[0]) for number_of in (value_of, size_of)
    )
    return Lagrangian(
        objective=sign * objective,
        objective_size=size,
        rows=rows,
        row_sizes=row_sizes,
        multipliers=sign * multipliers,
        slope=slope,
        slope_size=slope_size,
    )


def _add(slope: FloatArray, size: FloatArray, value: object, weights: FloatArray) -> None:
    """Add the weighted gradients of the rows of a family; a row of weight 0 adds nothing."""
    if not isinstance(value, Jet):
        return
    gradient = value.gradient
    weight = weights[gradient.rows]
    terms = np.where(weight != 0.0, weight * gradient.values, 0.0)
    columns = gradient.columns[0]
    slope += np.bincount(columns, terms, len(slope))
    size += np.bincount(columns, np.abs(terms), len(slope))
