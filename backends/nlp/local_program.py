"""A reduced instance as the problem a local solver takes, from the families' derivatives or through
Pyomo.

It is minimised, scaled and shifted as `mecdsl.reduction` says, on top of Ipopt's own gradient-based
scaling, which only scales down: rows of 1e-15 W would count as satisfied wherever the point is.
"""

from dataclasses import dataclass, replace

import numpy as np

from mecdsl.analysis.derivatives import SmoothProgram
from mecdsl.analysis.scaling import NO_BOUND
from mecdsl.backends.nlp.problem import NlpProblem
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray
from mecdsl.lowering.lower import TIP
from mecdsl.reduction.conflicts import row_name
from mecdsl.reduction.plain_parts import plain_objective, plain_rows
from mecdsl.reduction.reduced import Reduced, reduce_instance

NEAR_BOUND = (
    1e-7  # of the typical size of a variable; an interior point method never arrives at a bound
)


@dataclass(frozen=True, slots=True, eq=False)
class LocalProgram:
    """The scaled problem, of the columns and rows of `reduced`, which leads back."""

    reduced: Reduced
    problem: NlpProblem

    @property
    def instance(self) -> Instance:
        """The instance."""
        return self.reduced.instance

    def started_at(self, x: FloatArray) -> NlpProblem:
        """The scaled problem with its start at a point of the instance."""
        return replace(self.problem, start=self.reduced.started_at(x))

    def typical_point(self, seed: int) -> FloatArray:
        """The first point of the instance, with columns that have no start value off their bounds.

        By chance, though the same for the same seed: the corner of the bounds and their middle are
        where products and squares have no slope, and a local solver takes that for an optimum.
        """
        instance, scaling = self.instance, self.reduced.scaling
        size, origin = scaling.column, scaling.origin
        chance = np.random.default_rng(seed).uniform(0.4, 0.6, instance.columns)
        low = np.where(instance.lower <= -NO_BOUND, -np.inf, instance.lower)
        high = np.where(instance.upper >= NO_BOUND, np.inf, instance.upper)
        with np.errstate(invalid="ignore"):
            inside = np.where(np.isinf(low), chance * size, low + chance * (high - low))
            inside = np.where(np.isinf(low) & ~np.isinf(high), high - chance * size, inside)
            inside = np.where(np.isinf(high) & ~np.isinf(low), low + chance * size, inside)
        # a clock starts near its origin, not in the middle of the years that it may show
        inside = np.where(
            origin != 0.0, np.clip(origin + np.sign(origin) * chance * size, low, high), inside
        )
        return np.where(np.isnan(instance.start) & instance.free, inside, instance.first_point())

    def with_objective_times(self, factor: float) -> "LocalProgram":
        """The same program with an objective that is scaled once more."""
        problem = self.problem
        scaled = replace(
            problem,
            objective=lambda z: factor * problem.objective(z),
            gradient=lambda z: factor * problem.gradient(z),
            hessian_values=lambda z, multipliers, weight: problem.hessian_values(
                z, multipliers, factor * weight
            ),
        )
        return LocalProgram(self.reduced.enlarged(factor), scaled)

    def at_bounds(self, x: FloatArray) -> FloatArray:
        """The point with variables put onto a bound that they miss by less than `NEAR_BOUND` of
        their typical size.
        """
        result = x.copy()
        free, near = self.reduced.columns, NEAR_BOUND * self.reduced.column_factor
        for bound in (self.instance.lower[free], self.instance.upper[free]):
            result[free] = np.where(np.abs(x[free] - bound) <= near, bound, result[free])
        return result


def from_arrays(program: SmoothProgram) -> LocalProgram:
    """The problem of a smooth program."""
    instance = program.instance
    sign = -1.0 if instance.maximize else 1.0
    lower, upper = np.zeros(instance.rows), np.zeros(instance.rows)
    for family in instance.constraints:
        lower[family.rows], upper[family.rows] = family.relation.limits
    problem = NlpProblem(
        lower=instance.lower[program.columns],
        upper=instance.upper[program.columns],
        constraint_lower=lower[program.rows],
        constraint_upper=upper[program.rows],
        start=instance.first_point()[program.columns],
        objective=lambda x: sign * program.objective(x),
        gradient=lambda x: sign * program.gradient(x),
        constraints=program.constraints,
        jacobian_values=program.jacobian,
        jacobian_rows=program.jacobian_row,
        jacobian_columns=program.jacobian_column,
        hessian_values=lambda x, multipliers, factor: program.hessian(
            x, multipliers, sign * factor
        ),
        hessian_rows=program.hessian_first,
        hessian_columns=program.hessian_second,
        variable_name=lambda column: instance.column_name(int(program.columns[column])),
        constraint_name=lambda row: row_name(instance, int(program.rows[row])),
    )
    reduced = reduce_instance(instance).narrowed(program.columns, program.rows)
    local = LocalProgram(reduced, _away_from_tips(reduced, _scaled(problem, reduced)))
    return (
        _from_origins(local) if reduced.origin.any() else replace(local, reduced=reduced.told_all())
    )


def _from_origins(local: LocalProgram) -> LocalProgram:
    """The problem with values of rows and objective added up from its origins.

    Of `start[2] - start[1] - 20 ms` at 1.7e9 s a double knows 2e-7 s, and Ipopt went round in steps
    of that to its limit of iterations. Where there are origins no row is above degree two, and no
    column with one is in a product.
    """
    rows, goal = plain_rows(local.reduced), plain_objective(local.reduced)
    problem = replace(
        local.problem,
        objective=lambda z: float(goal.value_at(z)[0]),
        constraints=rows.coefficients.value_at,
        constraint_lower=rows.lower,
        constraint_upper=rows.upper,
    )
    return replace(local, problem=problem)


def from_pyomo(instance: Instance) -> LocalProgram:
    """The same problem through `scaled_pyomo`, an NL file and CasADi's derivatives."""
    from mecdsl.backends.nlp.pyomo_nlp import nlp_from_pyomo
    from mecdsl.backends.shared.scaled_pyomo import scaled_pyomo

    stated = scaled_pyomo(reduce_instance(instance))
    nlp = nlp_from_pyomo(stated.lowered.model)
    reduced = stated.narrowed(nlp.variables, nlp.constraints).minimised()
    return LocalProgram(reduced, _away_from_tips(reduced, nlp.problem))


def _away_from_tips(reduced: Reduced, problem: NlpProblem) -> NlpProblem:
    """The scaled problem with norms of cones above 0, where they have a slope."""
    tips = np.isin(reduced.columns, reduced.instance.norms)
    lower = np.where(tips, np.maximum(problem.lower, TIP), problem.lower)
    return replace(problem, lower=lower)


def _scaled(problem: NlpProblem, reduced: Reduced) -> NlpProblem:
    """A problem in SI in the numbers of its reduction."""
    column, row, size = reduced.column_factor, reduced.row_factor, reduced.scaling.objective
    origin = reduced.origin

    def unscaled(z: FloatArray) -> FloatArray:
        return origin + column * z

    jacobian = row[problem.jacobian_rows] * column[problem.jacobian_columns]
    curvature = column[problem.hessian_rows] * column[problem.hessian_columns]
    return replace(
        problem,
        lower=reduced.lower,
        upper=reduced.upper,
        constraint_lower=problem.constraint_lower * row,
        constraint_upper=problem.constraint_upper * row,
        start=reduced.started_at(reduced.instance.first_point()),
        objective=lambda z: size * problem.objective(unscaled(z)),
        gradient=lambda z: size * column * problem.gradient(unscaled(z)),
        constraints=lambda z: row * problem.constraints(unscaled(z)),
        jacobian_values=lambda z: jacobian * problem.jacobian_values(unscaled(z)),
        hessian_values=lambda z, multipliers, factor: (
            curvature * problem.hessian_values(unscaled(z), row * multipliers, size * factor)
        ),
    )
