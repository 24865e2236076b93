"""An instance as the problem a local solver takes, from the families' derivatives or through Pyomo.

It is minimised and scaled: columns, rows and objective are multiplied by the powers of two of
`mecdsl.analysis.scaling`, on top of Ipopt's own gradient-based scaling, which only scales down:
rows of 1e-15 W would count as satisfied wherever the point is. `point` and `multipliers` lead back.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from mecdsl.analysis.coefficients import constraint_coefficients, objective_coefficients
from mecdsl.analysis.derivatives import SmoothProgram
from mecdsl.analysis.origins import apart, constants_at, origins, rounding_at
from mecdsl.analysis.scaling import NO_BOUND, scale
from mecdsl.backends.nlp.problem import NlpProblem
from mecdsl.backends.shared.constant_rows import row_name
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray, IntArray
from mecdsl.lowering.lower import TIP

NEAR_BOUND = (
    1e-7  # of the typical size of a variable; an interior point method never arrives at a bound
)


@dataclass(frozen=True, slots=True, eq=False)
class LocalProgram:
    """The scaled problem and the way back.

    `columns`, `rows`: instance column of each variable, instance row of each constraint. `column`,
    `row`: x = origin + column * scaled x, scaled constraint = row * constraint. `objective_factor`:
    what the objective was multiplied by, negative where the model maximises.
    """

    instance: Instance
    problem: NlpProblem
    columns: IntArray
    rows: IntArray
    column: FloatArray
    row: FloatArray
    objective_factor: float
    origin: FloatArray

    def started_at(self, x: FloatArray) -> NlpProblem:
        """The scaled problem with its start at a point of the instance."""
        return replace(self.problem, start=(x[self.columns] - self.origin) / self.column)

    def point(self, scaled: FloatArray) -> FloatArray:
        """All columns of the instance; those without a variable stay where they start."""
        x = self.instance.first_point()
        x[self.columns] = self.origin + self.column * scaled
        return x

    def typical_point(self, seed: int) -> FloatArray:
        """The first point of the instance, with columns that have no start value off their bounds.

        By chance, though the same for the same seed: the corner of the bounds and their middle are
        where products and squares have no slope, and a local solver takes that for an optimum.
        """
        instance, size = self.instance, np.ones(self.instance.columns)
        size[self.columns] = self.column
        chance = np.random.default_rng(seed).uniform(0.4, 0.6, instance.columns)
        low = np.where(instance.lower <= -NO_BOUND, -np.inf, instance.lower)
        high = np.where(instance.upper >= NO_BOUND, np.inf, instance.upper)
        with np.errstate(invalid="ignore"):
            inside = np.where(np.isinf(low), chance * size, low + chance * (high - low))
            inside = np.where(np.isinf(low) & ~np.isinf(high), high - chance * size, inside)
            inside = np.where(np.isinf(high) & ~np.isinf(low), low + chance * size, inside)
        # a clock starts near its origin, not in the middle of the years that it may show
        origin = np.zeros(instance.columns)
        origin[self.columns] = self.origin
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
        return replace(self, problem=scaled, objective_factor=factor * self.objective_factor)

    def at_bounds(self, x: FloatArray) -> FloatArray:
        """The point with variables put onto a bound that they miss by less than `NEAR_BOUND` of
        their typical size.
        """
        result = x.copy()
        free, near = self.columns, NEAR_BOUND * self.column
        for bound in (self.instance.lower[free], self.instance.upper[free]):
            result[free] = np.where(np.abs(x[free] - bound) <= near, bound, result[free])
        return result

    def multipliers(self, found: FloatArray) -> Mapping[str, FloatArray]:
        """Derivatives of the optimum by the right-hand sides, from a Lagrangian f + found . g of
        the scaled problem.
        """
        flat = np.zeros(self.instance.rows)
        flat[self.rows] = -found * self.row / self.objective_factor
        return {family.name: flat[family.rows] for family in self.instance.constraints}


def from_arrays(program: SmoothProgram) -> LocalProgram:
    """The problem of a smooth program."""
    instance = program.instance
    sign = -1.0 if instance.maximize else 1.0
    lower, upper = np.full(instance.rows, -np.inf), np.full(instance.rows, np.inf)
    for family in instance.constraints:
        if family.relation in (">=", "=="):
            lower[family.rows] = 0.0
        if family.relation in ("<=", "=="):
            upper[family.rows] = 0.0
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
    return _from_origins(
        _scaled(instance, problem, program.columns, program.rows, origins(instance))
    )


def _from_origins(local: LocalProgram) -> LocalProgram:
    """The problem with values of rows and objective added up from its origins.

    Of `start[2] - start[1] - 20 ms` at 1.7e9 s a double knows 2e-7 s, and Ipopt went round in steps
    of that to its limit of iterations. Where there are origins no row is above degree two, and no
    column with one is in a product.
    """
    instance = local.instance
    start = np.zeros(instance.columns)
    start[local.columns] = local.origin
    if not start.any():
        return local
    rows, goal = (
        constraint_coefficients(instance, instance.constraints),
        objective_coefficients(instance),
    )
    factor = local.objective_factor
    constant = apart(
        factor * float(constants_at(goal, start)[0]), len(goal.value) + len(goal.quadratic_value)
    ).handed
    moved_rows = replace(rows, constant=constants_at(rows, start))
    moved_goal = replace(goal, constant=np.array([constant / factor]))
    slack = rounding_at(rows, start)[local.rows] * local.row

    def away(z: FloatArray) -> FloatArray:
        result = np.zeros(instance.columns)
        result[local.columns] = local.column * z
        return result

    problem = replace(
        local.problem,
        objective=lambda z: factor * float(moved_goal.value_at(away(z))[0]),
        constraints=lambda z: local.row * moved_rows.value_at(away(z))[local.rows],
        constraint_lower=local.problem.constraint_lower - slack,
        constraint_upper=local.problem.constraint_upper + slack,
    )
    return replace(local, problem=problem)


def from_pyomo(instance: Instance) -> LocalProgram:
    """The same problem through `to_pyomo`, an NL file and CasADi's derivatives."""
    from mecdsl.backends.nlp.pyomo_nlp import nlp_from_pyomo
    from mecdsl.pyomo_model.lower import to_pyomo

    lowered = to_pyomo(instance)
    nlp = nlp_from_pyomo(lowered.model)
    column_of = {id(variable): column for column, variable in enumerate(lowered.variables)}
    rows = [row for family in instance.constraints for row in lowered.constraints[family.name]]
    row_of = {id(row): number for number, row in enumerate(rows) if row is not None}
    columns = np.array([column_of[id(variable)] for variable in nlp.variables], dtype=np.int64)
    found = np.array([row_of[id(row)] for row in nlp.constraints], dtype=np.int64)
    return _scaled(instance, nlp.problem, columns, found, origins(instance))


def _scaled(
    instance: Instance, problem: NlpProblem, columns: IntArray, rows: IntArray, starts: FloatArray
) -> LocalProgram:
    scaling = scale(instance, starts)
    column, row, size = scaling.column[columns], scaling.row[rows], scaling.objective
    origin = starts[columns]
    lower = (problem.lower - origin) / column
    tips = np.isin(columns, instance.norms)
    lower[tips] = np.maximum(lower[tips], TIP)

    def unscaled(z: FloatArray) -> FloatArray:
        return origin + column * z

    jacobian = row[problem.jacobian_rows] * column[problem.jacobian_columns]
    curvature = column[problem.hessian_rows] * column[problem.hessian_columns]
    scaled = replace(
        problem,
        lower=lower,
        upper=(problem.upper - origin) / column,
        constraint_lower=problem.constraint_lower * row,
        constraint_upper=problem.constraint_upper * row,
        start=(problem.start - origin) / column,
        objective=lambda z: size * problem.objective(unscaled(z)),
        gradient=lambda z: size * column * problem.gradient(unscaled(z)),
        constraints=lambda z: row * problem.constraints(unscaled(z)),
        jacobian_values=lambda z: jacobian * problem.jacobian_values(unscaled(z)),
        hessian_values=lambda z, multipliers, factor: (
            curvature * problem.hessian_values(unscaled(z), row * multipliers, size * factor)
        ),
    )
    sign = -1.0 if instance.maximize else 1.0
    return LocalProgram(instance, scaled, columns, rows, column, row, sign * size, origin)
