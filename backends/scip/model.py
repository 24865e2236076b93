"""An instance as a SCIP problem, built from arrays and scaled by powers of two.

- Rows of degree two or less come from coefficient triplets: one dictionary of monomials a row,
  which is the cheapest way into PySCIPOpt (about 2 us a coefficient; its operators and its matrix
  API take several times that).
- Rows above degree two are expression trees whose leaves are `VarExpr`, not variables: products of
  variables would be multiplied out into monomials in Python, and a square of a sum of 1000 terms
  has half a million of them.
- SCIP takes linear objectives only; any other becomes a variable that bounds it from the right
  side.
- Fixed columns are numbers. Rows without a free variable are left out if true; a false one ends the
  matter.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from operator import methodcaller
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pyscipopt import Expr, Model
from pyscipopt.scip import ExprCons, ProdExpr, SumExpr, Term, VarExpr

from mecdsl.analysis.coefficients import Quadratics, objective_coefficients
from mecdsl.analysis.origins import Apart, apart, constants_at, origins, rounding_at
from mecdsl.analysis.poles import poles
from mecdsl.analysis.scaling import Scaling, scale, unscaled
from mecdsl.analysis.tightening import solver_rows
from mecdsl.backends.scip.squares import squares
from mecdsl.backends.scip.words import WORDS
from mecdsl.backends.shared.combinations import (
    Combination,
    Combinations,
    Tool,
    leaves,
    normalised,
    require_finite,
    varies,
)
from mecdsl.backends.shared.cones import only_upward
from mecdsl.backends.shared.constant_rows import false_row
from mecdsl.backends.shared.dear_costs import DEAR, growth, spread
from mecdsl.diagnostics import Diagnostic, ModelError
from mecdsl.instances.evaluate import Evaluator
from mecdsl.instances.instance import ConstraintFamily, Instance, difference
from mecdsl.instances.tables import SINGLE, FloatArray, IntArray
from mecdsl.model.classes import Degree

BOUNDING_TOLERANCE: Final = (
    1e-7  # of the scaled objective; SCIP keeps the row to 1e-9 of its largest term
)
DEAREST: Final = 1e6  # of scaled costs
LARGEST_PENALTY: Final = 1e15  # of scaled costs; SCIP takes 1e20 for infinite
NO_BOUND: Final = (
    1e15  # of scaled columns; with 8e18 as a bound SCIP called 0 the largest x with x <= 0.125
)
ENDLESS: Final = (
    1e13  # of scaled columns, which are made to be about 1; SCIP's `numerics/hugeval` is 1e15
)


@dataclass(frozen=True, slots=True, eq=False)
class Auxiliary:
    """A variable that equals `weights . x[columns]` of scaled columns."""

    variable: Any
    columns: IntArray
    weights: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class ScipModel:
    """A SCIP problem and the way back from it.

    `columns`: instance columns of `variables`. `bounding`: the variable that bounds an objective
    that is not linear, or None; `auxiliary`: variables that stand for sums. `conflict`: why no
    point is feasible, where that shows without solving; the problem is then incomplete.
    `with_poles`: SCIP's constraints of the parts that `mecdsl.analysis.poles` names, None where
    they are not told apart. `constant`: of the scaled objective; `kept_out`: the same where SCIP is
    not told it, so that its gap is not relative to it, else 0. `penalties`: weights and variables
    that stand in SCIP's objective beside `bounding`.
    """

    instance: Instance
    scaling: Scaling
    model: Any
    columns: IntArray
    variables: tuple[Any, ...]
    bounding: Any
    auxiliary: tuple["Auxiliary", ...]
    conflict: str
    with_poles: tuple[Any, ...] | None = None
    constant: float = 0.0
    kept_out: float = 0.0
    penalties: tuple[tuple[float, Any], ...] = ()

    def point(self, solution: Any) -> FloatArray:
        """All columns of the instance in SI."""
        values = np.array([solution[variable] for variable in self.variables], dtype=np.float64)
        return unscaled(self.instance, self.scaling, self.columns, values)

    def value(self, scaled: float) -> float:
        """A value of SCIP's objective in SI."""
        return (scaled + self.kept_out) / self.scaling.objective

    def objective(self, solution: Any) -> float:
        """The objective of a solution in SI: SCIP's number, freed from the tolerance of the row
        that bounds it.
        """
        scaled = float(self.model.getSolObjVal(solution))
        if self.bounding is None:
            return self.value(scaled)
        exact = self.instance.objective(self.point(solution))
        apart = exact * self.scaling.objective - self.kept_out - scaled
        close = abs(apart) <= BOUNDING_TOLERANCE * max(1.0, abs(scaled))
        # a penalty of 1e11 makes 100 out of a bound that SCIP oversteps by 1e-9, which the point
        # does not
        return exact if close or self.penalties else self.value(scaled)

    def widened(self) -> bool:
        """Whether a column has a finite bound that SCIP was not told."""
        ends = np.concatenate([self.instance.lower, self.instance.upper])
        told = np.abs(ends) < NO_BOUND * np.tile(self.scaling.column, 2)
        return bool((np.isfinite(ends) & ~told).any())

    def endless(self, solution: Any) -> str:
        """A column that runs where SCIP's arithmetic ends, by name; empty if there is none.

        SCIP calls such points optimal: `maximize ln(x)` ends at x = 2e16 because 1e20 is its
        infinity.
        """
        for column, variable in zip(self.columns.tolist(), self.variables, strict=True):
            value = float(solution[variable])
            bound = self.instance.upper[column] if value > 0.0 else self.instance.lower[column]
            if abs(value) >= ENDLESS and abs(bound) >= NO_BOUND * self.scaling.column[column]:
                return f"`{self.instance.column_name(column)}`"
        return ""


def scip_model(instance: Instance) -> ScipModel:
    """The SCIP problem of an instance without crossed bounds.

    Raises `ModelError` where a coefficient is not finite.
    """
    return _Lowering(instance).run()


class _Lowering:
    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.origin = origins(instance)
        self.scaling = scale(instance, self.origin)
        self.objective = Apart(0.0, 0.0)
        self.penalties: tuple[tuple[float, Any], ...] = ()
        self.model = Model(instance.model.name)
        self.columns: IntArray = np.flatnonzero(instance.free).astype(np.int64)
        self.constant: list[int] = []  # rows without a free variable
        self.bounding: Any = None
        self.auxiliary: list[Auxiliary] = []
        self.cone = ">=" if only_upward(instance) else "=="
        self.poles = poles(instance)
        self.with_poles: list[Any] = []
        self.lowering = ""  # the name of the part that is being added

    def run(self) -> ScipModel:
        self.variables = self._add_variables()
        self.monomials = [Term(variable) for variable in self.variables]
        self.position = np.full(self.instance.columns, -1)
        self.position[self.columns] = np.arange(len(self.columns))
        self._add_objective()
        self._add_rows()
        conflict = false_row(self.instance, np.array(self.constant, dtype=np.int64))
        return ScipModel(
            self.instance,
            self.scaling,
            self.model,
            self.columns,
            tuple(self.variables),
            self.bounding,
            tuple(self.auxiliary),
            conflict,
            tuple(self.with_poles),
            self.objective.handed + self.objective.kept_out,
            self.objective.kept_out,
            self.penalties,
        )

    def _add_variables(self) -> list[Any]:
        lower = ((self.instance.lower - self.origin) / self.scaling.column)[self.columns].tolist()
        upper = ((self.instance.upper - self.origin) / self.scaling.column)[self.columns].tolist()
        kinds = np.where(self.instance.integral[self.columns], "I", "C").tolist()
        return [
            self.model.addVar(
                name=f"x{column}",
                vtype=kind,
                lb=low if abs(low) < NO_BOUND else None,
                ub=high if abs(high) < NO_BOUND else None,
            )
            for column, kind, low, high in zip(
                self.columns.tolist(), kinds, lower, upper, strict=True
            )
        ]

    # Objective and rows; all expressions are scaled

    def _add_objective(self) -> None:
        stated, factor = self.instance.model.objective, self.scaling.objective
        degree = self.instance.checked.shapes.shape(stated.value).degree
        self.lowering = stated.name
        sense: Literal["maximize", "minimize"] = (
            "maximize" if self.instance.maximize else "minimize"
        )
        if degree <= Degree.QUADRATIC:
            found = objective_coefficients(self.instance)
            factor *= self._dearness(found, factor)
            self.scaling = replace(self.scaling, objective=factor)
            constant = factor * float(constants_at(found, self.origin)[0])
            self.objective = apart(constant, len(found.value) + len(found.quadratic_value))
            constant = self.objective.handed
            if not len(found.quadratic_value):
                self._set_objective(
                    _polynomial(self._terms(found, np.array([factor]))[0]) + constant, sense
                )
                return
            expression = self._quadratic_objective(found, factor)
        else:
            value = self._evaluator().family(stated.value, SINGLE)[0]
            if not varies(value):
                self._set_objective(Expr() + factor * _number(value), sense)
                return
            require_finite(value, stated.name, stated.span)
            rest, beside = _beside_penalties(value)
            factor, expression = normalised(rest)
            if any(abs(factor * weight) > LARGEST_PENALTY for weight, _ in beside):
                beside, (factor, expression) = (), normalised(value - value.constant)
            self.scaling = replace(self.scaling, objective=factor)
            self.objective = apart(factor * value.constant, len(value.terms))
            constant = self.objective.handed
            self.penalties = tuple((factor * weight, variable) for weight, variable in beside)
        self.bounding = self.model.addVar(name="objective", lb=None, ub=None)
        penalties = sum((weight * variable for weight, variable in self.penalties), Expr())
        self._set_objective(self.bounding + penalties + constant, sense)
        gap = expression - (
            self.bounding if isinstance(expression, Expr) else VarExpr(self.bounding)
        )
        self._add(gap, ">=" if self.instance.maximize else "<=", 0.0)

    def _set_objective(self, expression: Any, sense: Literal["maximize", "minimize"]) -> None:
        with _taken(f"the objective `{self.instance.model.objective.name}`"):
            self.model.setObjective(expression, sense)

    def _dearness(self, found: Quadratics, factor: float) -> float:
        """What the objective is multiplied by beside a penalty.

        Where SCIP puts a sum in the place of the column with the penalty, all its costs become
        differences of numbers as large as that: it ended at 3.4 where -6.4 is feasible, with a
        bound of 3.4. So it is told not to.
        """
        size = self.scaling.column
        linear = factor * found.value * size[found.column]
        products = factor * found.quadratic_value * size[found.first] * size[found.second]
        costs = np.concatenate([linear, products])
        if spread(costs) >= DEAR:
            self.model.setParam("presolving/donotmultaggr", True)
        return growth(costs, DEAREST)

    def _quadratic_objective(self, found: Quadratics, factor: float) -> Any:
        """The scaled objective without its constant."""
        instance = self.instance
        sign = -1.0 if instance.maximize else 1.0
        unbounded = np.flatnonzero(np.isinf(instance.lower) | np.isinf(instance.upper)).astype(
            np.int64
        )
        size = self.scaling.column
        scaled = replace(
            found,
            value=factor * found.value * size[found.column],
            quadratic_value=factor * found.quadratic_value * size[found.first] * size[found.second],
        )
        parts = squares(scaled, sign, unbounded)
        if parts is None:
            return _polynomial(self._terms(found, np.array([factor]))[0])
        others = ~np.isin(scaled.column, parts.columns)
        terms = {
            self.monomials[self.position[column]]: float(value)
            for column, value in zip(
                scaled.column[others].tolist(), scaled.value[others], strict=True
            )
        }
        own = [self.monomials[place] for place in self.position[parts.columns].tolist()]
        terms |= {
            term: sign * value
            for term, value in zip(own, parts.rest.tolist(), strict=True)
            if value
        }
        for number, direction in enumerate(parts.directions):
            new = self.model.addVar(name=f"y{number}", lb=None, ub=None)
            self.auxiliary.append(Auxiliary(new, parts.columns, direction))
            self._add(
                Expr(dict(zip(own, direction.tolist(), strict=True)) | {Term(new): -1.0}), "==", 0.0
            )
            terms[Term(new, new)] = sign * float(parts.curvature[number])
            terms[Term(new)] = sign * float(parts.slope[number])
        return Expr(terms)

    def _add_rows(self) -> None:
        self.lowering = ""
        plain = [
            family
            for family in self.instance.constraints
            if family.shape.degree <= Degree.QUADRATIC
        ]
        found = solver_rows(self.instance, plain)
        places = np.concatenate([np.zeros(0, dtype=np.int64), *(_rows(family) for family in plain)])
        factors = self.scaling.row[places]
        relations = [family.relation for family in plain for _ in range(family.size)]
        bounds = (-constants_at(found, self.origin) * factors).tolist()
        slacks = (rounding_at(found, self.origin) * factors).tolist()
        for place, terms, relation, bound, slack in zip(
            places.tolist(), self._terms(found, factors), relations, bounds, slacks, strict=True
        ):
            if terms:
                self._add(_polynomial(terms), relation, bound, slack)
            else:
                self.constant.append(place)
        used = [family for family in self.instance.constraints if family.size]
        curved = [family for family in used if family.shape.degree > Degree.QUADRATIC]
        if curved:
            evaluator = self._evaluator()
            for family in curved:
                self.lowering = family.name
                self._add_nonlinear(family, difference(evaluator, family))

    def _add_nonlinear(self, family: ConstraintFamily, values: NDArray[np.object_]) -> None:
        factors = self.scaling.row.copy()
        for row, value in enumerate(values):
            if varies(value):
                require_finite(value, self.instance.row_name(family, row), family.constraint.span)
                factor, expression = normalised(value)
                factors[family.first + row] = factor
                self._add(expression, family.relation, 0.0)
            else:
                self.constant.append(family.first + row)
        self.scaling = replace(self.scaling, row=factors)

    def _add(self, expression: Any, relation: str, bound: float, slack: float = 0.0) -> None:
        lower = None if relation == "<=" else bound - slack
        upper = None if relation == ">=" else bound + slack
        where = f"`{self.lowering}`" if self.lowering else "degree two or less"
        with _taken(f"a row of {where}"):
            added = self.model.addCons(ExprCons(expression, lower, upper))
        if self.lowering in self.poles:
            self.with_poles.append(added)

    def _terms(self, found: Quadratics, factors: FloatArray) -> list[dict[Any, float]]:
        """For each row a dictionary of monomials with scaled coefficients."""
        scale_of, place = self.scaling.column, self.position
        rows: list[dict[Any, float]] = [{} for _ in range(found.size)]
        values = found.value * scale_of[found.column] * factors[found.row]
        for row, column, value in zip(
            found.row.tolist(), place[found.column].tolist(), values.tolist(), strict=True
        ):
            rows[row][self.monomials[column]] = value
        products = found.quadratic_value * scale_of[found.first] * scale_of[found.second]
        products *= factors[found.quadratic_row]
        for row, first, second, value in zip(
            found.quadratic_row.tolist(),
            place[found.first].tolist(),
            place[found.second].tolist(),
            products.tolist(),
            strict=True,
        ):
            rows[row][Term(self.variables[first], self.variables[second])] = value
        return rows

    def _evaluator(self) -> Evaluator:
        variables: list[Any] = [None] * self.instance.columns
        for column, variable in zip(self.columns.tolist(), self.variables, strict=True):
            variables[column] = VarExpr(variable)
        known = leaves(self.instance, self.scaling, variables, TOOL)
        return self.instance.evaluator(Combinations(known, TOOL, self._quotient))

    def _quotient(self, above: Any, below: Any) -> Any:
        """A variable t for above^2/below: `t*below >= above^2`, a cone, where that is exact, else
        an equation.

        A part that is a sum, or binary, gets a variable of its own, with the bounds of its terms.
        In a cone it is at least its nonnegative sum, not equal to it: presolve turns `part == c*x`
        with a binary x into bounds that cut off x = 1, and SCIP proved 0.973 optimal where 0.443
        is. A binary itself would be replaced by x for x^2, which is no cone any more. Both rows
        together take a tenth of the time.
        """
        if (
            isinstance(above, VarExpr)
            and isinstance(below, VarExpr)
            and above.children[0] is below.children[0]
        ):
            # x^2/x; `t*x >= x^2` says nothing of t at x = 0, and SCIP called 1.3 optimal where 0.3
            # is
            return above
        quotient = self.model.addVar(name=f"quotient{self.model.getNVars()}", lb=0.0, ub=None)
        atoms = []
        for part in (above, below):
            convex = part is above and self.cone == ">="
            if not isinstance(part, VarExpr) or (
                convex and part.children[0].vtype() != "CONTINUOUS"
            ):
                low, high = _range(part)
                named = self.model.addVar(
                    name=f"part{self.model.getNVars()}",
                    lb=low if math.isfinite(low) else None,
                    ub=high if math.isfinite(high) else None,
                )
                self._add(part - VarExpr(named), "<=" if convex and low >= 0.0 else "==", 0.0)
                part = VarExpr(named)
            atoms.append(part.children[0])
        self._add(
            Expr({Term(quotient, atoms[1]): 1.0, Term(atoms[0], atoms[0]): -1.0}), self.cone, 0.0
        )
        return VarExpr(quotient)


def _range(expression: Any) -> tuple[float, float]:
    """The least and the largest value of a linear expression by the bounds of its variables."""
    if isinstance(expression, VarExpr):
        variable = expression.children[0]
        return float(variable.getLbOriginal()), float(variable.getUbOriginal())
    if isinstance(expression, ProdExpr) and len(expression.children) == 1:
        ends = [float(expression.constant) * end for end in _range(expression.children[0])]
        return min(ends), max(ends)
    if isinstance(expression, SumExpr):
        parts = [_range(child) for child in expression.children]
        constant = float(expression.constant)
        return constant + sum(low for low, _ in parts), constant + sum(high for _, high in parts)
    return -math.inf, math.inf


def _beside_penalties(value: Combination) -> tuple[Combination, tuple[tuple[float, Any], ...]]:
    """An objective without its constant and dear variables, and these with their weights.

    In the row of the bounding variable a penalty of 1e11 is scaled to 1, and the rest with it to
    1e-11, less than any tolerance: SCIP called 26 optimal where 2.6 is feasible. In the objective
    itself it harms nothing.
    """
    sizes = [abs(weight) for weight, _ in value.terms if weight != 0.0]
    line = DEAR * min(sizes)
    dear = [isinstance(atom, VarExpr) and abs(weight) >= line for weight, atom in value.terms]
    if all(dear):
        return value - value.constant, ()
    kept = [term for term, out in zip(value.terms, dear, strict=True) if not out]
    beside = [
        (weight, atom.children[0])
        for (weight, atom), out in zip(value.terms, dear, strict=True)
        if out
    ]
    return Combination(value.tool, kept), tuple(beside)


def _rows(family: ConstraintFamily) -> IntArray:
    return np.arange(family.first, family.first + family.size)


def _sum(parts: list[Any]) -> Any:
    """The sum of expressions and numbers, in time linear in their number (`+` copies what it has so
    far).
    """
    result = SumExpr()
    for part in parts:
        if isinstance(part, int | float):
            result.constant += part
        elif isinstance(part, SumExpr):
            result.constant += part.constant
            result.children.extend(part.children)
        else:
            result.children.append(part)
    return result


TOOL: Final = Tool({name: methodcaller(word) for name, word in WORDS.items()}, _sum)


def _number(value: Any) -> float:
    return value.constant if isinstance(value, Combination) else float(value)


def _polynomial(terms: dict[Any, float]) -> Any:
    return Expr(terms) if terms else Expr()


@contextmanager
def _taken(what: str) -> Iterator[None]:
    """What PySCIPOpt raises for numbers that SCIP does not take, as E502."""
    try:
        yield
    except Exception as error:
        if type(error) not in (
            Exception,
            Warning,
        ):  # PySCIPOpt has no kind of its own for what SCIP refuses
            raise
        message = f"`scip` does not take {what}: {error}"
        fix = "its numbers end at 1e20; write it in other units, or solve with another backend"
        raise ModelError([Diagnostic("E502", message, help=fix)]) from None
