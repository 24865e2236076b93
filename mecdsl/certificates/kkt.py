"""First-order conditions of a point and its multipliers (Karush, Kuhn, Tucker), recomputed without
the solver.

Everything is minimised (`mecdsl.certificates.lagrangian`). The reduced cost r_j is the slope of the
Lagrangian in column j. Three conditions, each by its worst member:

- *stationarity*: no column can move so that the Lagrangian falls. A reduced cost that pushes a
  column against the bound it is at is the multiplier of that bound; any other is a residual, in
  [objective]/[column].
- *complementarity*: |multiplier * slack| of inequality rows, and of bounds that a column is at; in
  [objective].
- *sign*: a multiplier that says that more room costs; in [objective]/[row].

Relative amounts are shares of the objective, as every condition says by how much the objective
could be better:

- a reduced cost times the way the column can go: to the bound, though not further than its own size
  (the larger of |x_j| and the typical size of `mecdsl.analysis.scaling`);
- a multiplier times slack;
- a wrong-signed multiplier times the size of the terms of its row.

Each is divided by the size of the objective near the point (`mecdsl.certificates.objective_size`):
the sum of its absolute terms there, or with columns moved by their typical size where that is
larger (an optimum at 0 has no size of its own). So no amount changes if a unit does. Products with
the column's size rather than sums of cancelling terms are the yardstick, for huge multipliers that
cancel would make any residual look small; what rounding leaves of their sum counts as a residual.

Choice of `TOLERANCE`: a column could change the objective by 1e-5 of itself, in the first order.
Ipopt stops with products of 1e-12 to 3e-8 of the objective on regular problems, and with 5e-6 where
rows have no gradient at the optimum (`t*s >= z^2` at 0: multipliers grow and meet the tolerance of
the row). Multipliers that are wrong by more than 1e-5 where it matters are found.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from mecdsl.analysis.member_units import multiplier_unit, objective_unit, slope_unit
from mecdsl.analysis.scaling import Scaling, scale
from mecdsl.certificates.lagrangian import Lagrangian, lagrangian, wrong_sign
from mecdsl.certificates.objective_size import objective_size
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray
from mecdsl.model.relation import Relation

TOLERANCE: Final = 1e-5
ROUNDING: Final = 2.0**-52  # of the terms of a slope, which was added up from them
AT_BOUND: Final = 1e-6  # of the size of a column: nearer than that, the bound counts as reached


@dataclass(frozen=True, slots=True)
class Condition:
    """The worst member of one condition: `amount` in `unit`, and `relative` to the objective."""

    relative: float
    member: str
    amount: float
    unit: str

    @property
    def accepted(self) -> bool:
        """Whether the condition holds to the tolerance."""
        return self.relative <= TOLERANCE


@dataclass(frozen=True, slots=True)
class Kkt:
    """Stationarity, complementarity and signs of a point with multipliers.

    `shares`: for each constraint family the largest multiplier times the terms of its row, relative
    to the objective; where it is below `TOLERANCE` the multipliers of the family say nothing.
    """

    stationarity: Condition
    complementarity: Condition
    sign: Condition
    shares: Mapping[str, float]

    @property
    def accepted(self) -> bool:
        """Whether every condition holds to the tolerance."""
        return all(
            condition.accepted for condition in (self.stationarity, self.complementarity, self.sign)
        )

    @property
    def worst(self) -> float:
        """The largest relative amount of the three."""
        return max(self.stationarity.relative, self.complementarity.relative, self.sign.relative)

    def matters(self, family: str) -> bool:
        """Whether a constraint family has a multiplier that changes the objective by more than the
        tolerance.
        """
        return self.shares.get(family, 0.0) > TOLERANCE

    def fault(self) -> str:
        """The worst condition that does not hold, in words; empty if all hold."""
        named = {name: getattr(self, name) for name in ("stationarity", "complementarity", "sign")}
        name, worst = max(named.items(), key=lambda item: item[1].relative)
        if worst.accepted:
            return ""
        return f"{name} is off by {worst.relative:.1e} of the objective at `{worst.member}`"


def kkt(
    instance: Instance, x: FloatArray, multipliers: FloatArray, scaling: Scaling | None = None
) -> Kkt | None:
    """The conditions at a point; `multipliers`: one per row, derivative of the optimum by its
    right-hand side.

    `scaling`: of the instance, where it is known already. For continuous problems with one
    gradient. None where the objective or a row with a multiplier has no finite derivative at the
    point or near it.
    """
    scaling = scaling or scale(instance)
    regular_point = regular(instance, x, multipliers, scaling)
    if regular_point is None:
        return None
    near, at = regular_point
    size = objective_size(instance, near, scaling) or 1.0 / scaling.objective
    ends = _ends(instance, near, at.slope, np.maximum(np.abs(near), scaling.size))
    stationarity, bounds = _columns(instance, at, ends, size)
    rows = _slacks(instance, at, size)
    complementarity = max(bounds, rows, key=lambda condition: condition.relative)
    return Kkt(
        stationarity,
        complementarity,
        _signs(instance, multipliers, at, size),
        _shares(instance, at, size),
    )


def regular(
    instance: Instance, x: FloatArray, multipliers: FloatArray, scaling: Scaling
) -> tuple[FloatArray, Lagrangian] | None:
    """The point, or one near it, with the Lagrangian there, whose value and slopes are finite; None
    if none is found.

    At bounds such as t = 0 in `x^3/t^2` a slope may not be finite. There the columns concerned are
    moved off their bound, one family alone at first, by 1e-9 of their typical size.
    """
    at = lagrangian(instance, x, multipliers)
    bad = ~np.isfinite(at.slope)
    if not bad.any() and np.isfinite(at.value):
        return x, at
    step = 1e-9 * scaling.size
    inside = np.clip(
        x, instance.lower + step, np.maximum(instance.lower + step, instance.upper - step)
    )
    families = [np.zeros(instance.columns, dtype=bool) for _ in instance.variables]
    for mask, family in zip(families, instance.variables, strict=True):
        mask[family.columns] = True
    for mask in (*families, np.ones(instance.columns, dtype=bool)):
        moved = np.where(mask & instance.free & (bad | np.isnan(at.value)), inside, x)
        if (moved == x).all():
            continue
        there = lagrangian(instance, moved, multipliers)
        if np.isfinite(there.slope).all() and np.isfinite(there.value):
            return moved, there
    return None


@dataclass(frozen=True, slots=True, eq=False)
class _Ends:
    """For each column the way it would go, no further than its size, and whether it is at its bound
    already.
    """

    distance: FloatArray
    room: FloatArray
    reached: np.ndarray


def _ends(instance: Instance, x: FloatArray, slope: FloatArray, size: FloatArray) -> _Ends:
    distance = np.maximum(np.where(slope > 0.0, x - instance.lower, instance.upper - x), 0.0)
    return _Ends(distance, np.minimum(distance, size), distance <= AT_BOUND * size)


def _columns(
    instance: Instance, at: Lagrangian, ends: _Ends, size: float
) -> tuple[Condition, Condition]:
    """Stationarity, and complementarity of bounds."""
    lost = np.where(instance.free, ROUNDING * at.slope_size * ends.room, 0.0) / size
    # multipliers so huge that their sum is all rounding may cancel to anything
    unknown = np.where(lost > TOLERANCE, ROUNDING * at.slope_size, 0.0)
    force = np.maximum(np.abs(at.slope), unknown)
    share = np.where(instance.free, force * ends.room, 0.0) / size
    away, held = np.where(ends.reached, 0.0, share), np.where(ends.reached, share, 0.0)
    conditions = []
    for part, amounts, unit in ((away, force, slope_unit), (held, force * ends.room, None)):
        if not len(part):
            conditions.append(Condition(0.0, "", 0.0, objective_unit(instance)))
            continue
        worst = int(np.argmax(part))
        text = unit(instance, worst) if unit else objective_unit(instance)
        amount = float(amounts[worst]) if part[worst] else 0.0
        conditions.append(Condition(float(part[worst]), instance.column_name(worst), amount, text))
    return conditions[0], conditions[1]


def _slacks(instance: Instance, at: Lagrangian, size: float) -> Condition:
    """Complementarity of inequality rows."""
    worst = Condition(0.0, "", 0.0, objective_unit(instance))
    for family in instance.constraints:
        if family.relation is Relation.EQUAL or not family.size:
            continue
        weights, slack = at.multipliers[family.rows], at.rows[family.rows]
        product = np.abs(_product(weights, slack))
        row = int(np.argmax(product))
        amount = float(product[row])
        if amount / size > worst.relative or not worst.member:
            worst = Condition(amount / size, instance.row_name(family, row), amount, worst.unit)
    return worst


def _product(weights: FloatArray, sizes: FloatArray) -> FloatArray:
    """Weights times sizes; a weight of 0 gives 0 even for an infinite size, that of a row such as
    `x <= 1/0`.
    """
    return np.multiply(weights, sizes, out=np.zeros(len(weights)), where=weights != 0.0)


def _shares(instance: Instance, at: Lagrangian, size: float) -> Mapping[str, float]:
    products = _product(np.abs(at.multipliers), at.row_sizes) / size
    return {
        family.name: float(products[family.rows].max(initial=0.0))
        for family in instance.constraints
    }


def _signs(instance: Instance, multipliers: FloatArray, at: Lagrangian, size: float) -> Condition:
    amounts, worst = wrong_sign(instance, multipliers), Condition(0.0, "", 0.0, "1")
    weighted = _product(amounts, at.row_sizes) / size
    for family in instance.constraints:
        part = weighted[family.rows]
        if not family.size or (worst.member and part.max() <= worst.relative):
            continue
        row = int(np.argmax(part))
        unit = multiplier_unit(instance, family.constraint)
        amount = float(amounts[family.rows][row])
        worst = Condition(float(part[row]), instance.row_name(family, row), amount, unit)
    return worst
