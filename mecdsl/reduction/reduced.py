"""An instance as every solver gets it, found once, and the way back from what a solver says.

- Fixed columns are numbers, and rows without a free variable are gone: they are true, or the model
  contradicts itself (`mecdsl.reduction.conflicts`).
- Columns, rows and objective are multiplied by powers of two (`mecdsl.analysis.scaling`), a clock
  counts from a bound (`mecdsl.analysis.origins`): x = origin + factor * scaled x.
- An objective that is maximised is multiplied by a negative number, for solvers that minimise.
- A constant of the objective that its terms could not cancel is kept out, so that no gap is
  relative to it.

What a solver needs beyond that is laid over it: `with_objective`, `with_rows`, `narrowed` and
`in_sense` give a copy. `mecdsl.reduction.plain_parts` has the numbers of rows and objective.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mecdsl.analysis.coefficients import objective_coefficients, require_finite_objective
from mecdsl.analysis.origins import apart, constants_at, origins
from mecdsl.analysis.scaling import Scaling, scale, unit_scaling
from mecdsl.instances.facts import fact
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray, IntArray
from mecdsl.model.classes import Degree
from mecdsl.reduction.conflicts import crossed_bounds, false_row
from mecdsl.reduction.held_rows import held_rows


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Reduced:
    """A reduced problem and the way back to its instance.

    `columns`: instance column of each variable; `rows`: instance row of each row. `scaling`: the
    factors and origins of all columns and rows of the instance, and of the objective. `sign`: what
    the objective is multiplied by beside, -1 where a maximum is sought by a solver that minimises.
    `constant`: of the objective in SI with all columns at their origins, and `terms`, the number of
    its other terms; 0 for one above degree two, which a solver writes in its own words. `kept_out`:
    what of the scaled constant the solver is not told. `conflict`: why no point is feasible, in
    words, or empty.
    """

    instance: Instance
    columns: IntArray
    rows: IntArray
    scaling: Scaling
    sign: float
    constant: float
    terms: int
    kept_out: float
    conflict: str

    @property
    def column_factor(self) -> FloatArray:
        """x = origin + column_factor * scaled x, of the variables."""
        return self.scaling.column[self.columns]

    @property
    def origin(self) -> FloatArray:
        """Where the variables count from, in SI."""
        return self.scaling.origin[self.columns]

    @property
    def row_factor(self) -> FloatArray:
        """scaled row = row_factor * (left - right), of the rows."""
        return self.scaling.row[self.rows]

    @property
    def objective_factor(self) -> float:
        """scaled objective = objective_factor * objective - kept_out."""
        return self.sign * self.scaling.objective

    @property
    def lower(self) -> FloatArray:
        """Lower bounds of the scaled variables."""
        return self.scaled(self.instance.lower)

    @property
    def upper(self) -> FloatArray:
        """Upper bounds of the scaled variables."""
        return self.scaled(self.instance.upper)

    @property
    def integral(self) -> NDArray[np.bool_]:
        """Which variables are whole."""
        return self.instance.integral[self.columns]

    @property
    def handed(self) -> float:
        """The constant of the scaled objective that the solver is told."""
        return self.objective_factor * self.constant - self.kept_out

    # The way back

    def point(self, scaled: FloatArray) -> FloatArray:
        """All columns of the instance in SI, from scaled variables.

        Integers are rounded and overshoot of a bound is cut off, since solvers have both to a
        tolerance. Columns that are no variables are where the instance starts.
        """
        lower, upper = self.instance.lower[self.columns], self.instance.upper[self.columns]
        in_si = np.clip(self.column_factor * scaled + self.origin, lower, upper)
        x = self.instance.first_point()
        x[self.columns] = np.where(self.integral, np.round(in_si), in_si) + 0.0  # no -0.0
        return x

    def scaled(self, x: FloatArray) -> FloatArray:
        """Scaled variables of a point of the instance."""
        return (x[self.columns] - self.origin) / self.column_factor

    def started_at(self, x: FloatArray) -> FloatArray:
        """Scaled variables of a point to start from; what would leave the doubles ends with them,
        and nan stays nan.
        """
        largest = np.finfo(np.float64).max
        with np.errstate(over="ignore"):
            return np.clip(self.scaled(x), -largest, largest)

    def objective(self, scaled: float) -> float:
        """A value of the scaled objective in the units and sense of the model."""
        return (scaled + self.kept_out) / self.objective_factor

    def bound(self, scaled: float) -> float | None:
        """The same of a bound; None where it is infinite or no number."""
        return self.objective(scaled) if np.isfinite(scaled) else None

    def multipliers(self, scaled: FloatArray) -> Mapping[str, FloatArray]:
        """Derivatives of the optimum by the right-hand sides, from those of the scaled rows."""
        flat = np.zeros(self.instance.rows)
        flat[self.rows] = scaled * self.row_factor / self.objective_factor
        return {family.name: flat[family.rows] for family in self.instance.constraints}

    # What a solver lays over it

    def with_objective(
        self, factor: float, constant: float | None = None, terms: int | None = None
    ) -> "Reduced":
        """The same with another factor of the objective, and its constant where it is above degree
        two.
        """
        constant = self.constant if constant is None else constant
        terms = self.terms if terms is None else terms
        scaling = replace(self.scaling, objective=factor)
        kept_out = apart(self.sign * factor * constant, terms).kept_out
        return replace(self, scaling=scaling, constant=constant, terms=terms, kept_out=kept_out)

    def enlarged(self, factor: float) -> "Reduced":
        """The same where the whole scaled objective is multiplied once more."""
        scaling = replace(self.scaling, objective=factor * self.scaling.objective)
        return replace(self, scaling=scaling, kept_out=factor * self.kept_out)

    def in_sense(self) -> "Reduced":
        """The same for a solver that knows maxima: the objective keeps its sign."""
        return replace(self, sign=1.0, kept_out=self.sign * self.kept_out)

    def minimised(self) -> "Reduced":
        """The same for a solver that minimises; the reduction of an instance is so at first."""
        sign = -1.0 if self.instance.maximize else 1.0
        return replace(self, sign=sign, kept_out=self.sign * sign * self.kept_out)

    def told_all(self) -> "Reduced":
        """The same for a solver that is told the whole constant of the objective."""
        return replace(self, kept_out=0.0)

    def with_rows(self, factors: FloatArray) -> "Reduced":
        """The same with other factors of the rows, float64[rows of the instance]."""
        return replace(self, scaling=replace(self.scaling, row=factors))

    def narrowed(self, columns: IntArray, rows: IntArray) -> "Reduced":
        """The same for a tool that keeps, in an order of its own, some columns and rows only."""
        return replace(self, columns=columns, rows=rows)

    def without(self, rows: IntArray) -> "Reduced":
        """The same where some instance rows have lost their variables in a tool's own words."""
        if not len(rows):
            return self
        conflict = self.conflict or false_row(self.instance, rows)
        return replace(self, rows=np.setdiff1d(self.rows, rows), conflict=conflict)


@fact
def reduce_instance(instance: Instance) -> Reduced:
    """The reduction of an instance, found once; its objective is minimised.

    Where bounds cross nothing is scaled. Raises `ModelError` where a coefficient is not finite.
    """
    crossed = crossed_bounds(instance)
    if crossed:
        empty = reduce_by(instance, unit_scaling(instance), np.zeros(instance.rows, dtype=bool))
        return replace(empty, conflict=crossed)
    require_finite_objective(instance)
    held = held_rows(instance)
    reduced = reduce_by(instance, scale(instance, origins(instance)), held)
    return replace(
        reduced.with_objective(reduced.scaling.objective),
        conflict=false_row(instance, np.flatnonzero(~held)),
    )


def reduce_by(instance: Instance, scaling: Scaling, held: NDArray[np.bool_]) -> Reduced:
    """The reduction of an instance to some rows by factors that are given.

    A solver is told the whole constant, and no contradiction is looked for.
    """
    constant, terms = _constant(instance, scaling.origin)
    return Reduced(
        instance=instance,
        columns=np.flatnonzero(instance.free).astype(np.int64),
        rows=np.flatnonzero(held).astype(np.int64),
        scaling=scaling,
        sign=-1.0 if instance.maximize else 1.0,
        constant=constant,
        terms=terms,
        kept_out=0.0,
        conflict="",
    )


@np.errstate(all="ignore")  # what is not finite is looked for where it is used
def _constant(instance: Instance, origin: FloatArray) -> tuple[float, int]:
    """The constant of an objective of degree two or less, and the number of its other terms."""
    if instance.goal.shape.degree > Degree.QUADRATIC:
        return 0.0, 0
    found = objective_coefficients(instance)
    terms = len(found.value) + len(found.quadratic_value)
    return float(constants_at(found, origin)[0]), terms
