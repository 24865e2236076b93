"""An instance as a SCIP problem, built from the arrays of its reduction (`mecdsl.reduction`).

- Rows of degree two or less come from coefficient triplets: one dictionary of monomials a row,
  which is the cheapest way into PySCIPOpt (about 2 us a coefficient; its operators and its matrix
  API take several times that).
- Rows above degree two are expression trees whose leaves are `VarExpr`, not variables: products of
  variables would be multiplied out into monomials in Python, and a square of a sum of 1000 terms
  has half a million of them.
- SCIP takes linear objectives only; any other becomes a variable that bounds it from the right
  side.
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
from pyscipopt.scip import ExprCons, SumExpr, Term, VarExpr

from mecdsl.analysis.coefficients import Quadratics
from mecdsl.analysis.poles import poles
from mecdsl.backends.scip.ranges import ends, range_of
from mecdsl.backends.scip.squares import squares
from mecdsl.backends.scip.switches import Rate, switched_rates
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
from mecdsl.backends.shared.dear_costs import DEAR, growth, spread
from mecdsl.backends.shared.far_columns import NO_BOUND, endless, widened
from mecdsl.backends.shared.penalties import beside_penalties
from mecdsl.diagnostics import Diagnostic, ModelError
from mecdsl.instances.evaluate import Evaluator
from mecdsl.instances.instance import ConstraintFamily, Instance, difference
from mecdsl.instances.tables import FloatArray, IntArray
from mecdsl.model.classes import Degree
from mecdsl.model.relation import Relation
from mecdsl.reduction.plain_parts import plain_objective, plain_rows
from mecdsl.reduction.reduced import Reduced, reduce_instance

BOUNDING_TOLERANCE: Final = (
    1e-7  # of the scaled objective; SCIP keeps the row to 1e-9 of its largest term
)
DEAREST: Final = 1e6  # of scaled costs
LARGEST_PENALTY: Final = 1e15  # of scaled costs; SCIP takes 1e20 for infinite


@dataclass(frozen=True, slots=True, eq=False)
class Auxiliary:
    """A variable that equals `weights . z[places]` of the scaled variables z."""

    variable: Any
    places: IntArray
    weights: FloatArray


@dataclass(frozen=True, slots=True, eq=False)
class ScipModel:
    """A SCIP problem; `reduced` leads back from it.

    `variables`: those of SCIP for the columns of `reduced`; with a conflict the problem is
    incomplete. `bounding`: the variable that bounds an objective that is not linear, or None;
    `auxiliary`: variables that stand for sums. `with_poles`: SCIP's constraints of the parts that
    `mecdsl.analysis.poles` names, None where they are not told apart. `beside`: the constant of the
    scaled objective, told or not, that is no part of `bounding`; `penalties`: weights and variables
    that stand in SCIP's objective beside it.
    """

    reduced: Reduced
    model: Any
    variables: tuple[Any, ...]
    bounding: Any
    auxiliary: tuple["Auxiliary", ...]
    with_poles: tuple[Any, ...] | None = None
    beside: float = 0.0
    penalties: tuple[tuple[float, Any], ...] = ()

    @property
    def instance(self) -> Instance:
        """The instance."""
        return self.reduced.instance

    def scaled(self, solution: Any) -> FloatArray:
        """The scaled variables of a solution."""
        return np.array([solution[variable] for variable in self.variables], dtype=np.float64)

    def point(self, solution: Any) -> FloatArray:
        """All columns of the instance in SI."""
        return self.reduced.point(self.scaled(solution))

    def objective(self, solution: Any) -> float:
        """The objective of a solution in SI: SCIP's number, freed from the tolerance of the row
        that bounds it.
        """
        scaled = float(self.model.getSolObjVal(solution))
        told = self.reduced.objective(scaled)
        if self.bounding is None:
            return told
        exact = self.instance.objective(self.point(solution))
        apart = (exact - told) * self.reduced.objective_factor
        close = abs(apart) <= BOUNDING_TOLERANCE * max(1.0, abs(scaled))
        # a penalty of 1e11 makes 100 out of a bound that SCIP oversteps by 1e-9, which the point
        # does not
        return exact if close or self.penalties else told

    def widened(self) -> bool:
        """Whether a column has a finite bound that SCIP was not told."""
        return widened(self.reduced)

    def endless(self, solution: Any) -> str:
        """A column that runs where SCIP's arithmetic ends, by name; empty if there is none."""
        return endless(self.reduced, self.scaled(solution))


def scip_model(instance: Instance) -> ScipModel:
    """The SCIP problem of an instance without a contradiction.

    Raises `ModelError` where a coefficient is not finite.
    """
    return _Lowering(instance).run()


class _Lowering:
    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.reduced = reduce_instance(instance).in_sense()
        self.penalties: tuple[tuple[float, Any], ...] = ()
        self.model = Model(instance.model.name)
        self.variables = self._add_variables()
        self.monomials = [Term(variable) for variable in self.variables]
        self.without: list[int] = []  # rows whose variables cancel in SCIP's words
        self.bounding: Any = None
        self.auxiliary: list[Auxiliary] = []
        self.cone = Relation.AT_LEAST if only_upward(instance) else Relation.EQUAL
        self.poles = poles(instance)
        self.with_poles: list[Any] = []
        self.lowering = ""  # the name of the part that is being added
        self.tool = replace(TOOL, log_of_ratio=self._log_of_ratio)
        self.rates: list[Rate] = []

    def run(self) -> ScipModel:
        if not self.reduced.conflict:
            self._add_objective()
            self._add_rows()
            self._add_switched_rates()
        reduced = self.reduced.without(np.array(self.without, dtype=np.int64))
        return ScipModel(
            reduced=reduced,
            model=self.model,
            variables=tuple(self.variables),
            bounding=self.bounding,
            auxiliary=tuple(self.auxiliary),
            with_poles=tuple(self.with_poles),
            beside=reduced.handed + reduced.kept_out,
            penalties=self.penalties,
        )

    def _add_variables(self) -> list[Any]:
        reduced = self.reduced
        kinds = np.where(reduced.integral, "I", "C").tolist()
        ends = (reduced.lower.tolist(), reduced.upper.tolist())
        return [
            self.model.addVar(
                name=f"x{column}",
                vtype=kind,
                lb=low if abs(low) < NO_BOUND else None,
                ub=high if abs(high) < NO_BOUND else None,
            )
            for column, kind, low, high in zip(reduced.columns.tolist(), kinds, *ends, strict=True)
        ]

    # Objective and rows; all expressions are scaled

    def _add_objective(self) -> None:
        stated = self.instance.model.objective
        self.lowering = stated.name
        if self.instance.goal.shape.degree <= Degree.QUADRATIC:
            goal = plain_objective(self.reduced)
            factor = self.reduced.scaling.objective * self._dearness(goal)
            self.reduced = self.reduced.with_objective(factor)
            goal = plain_objective(self.reduced)
            if not len(goal.quadratic_value):
                self._set_objective(_polynomial(self._terms(goal)[0]) + self.reduced.handed)
                return
            expression = self._quadratic_objective(goal)
        else:
            value = self.instance.goal.value(self._evaluator())[0]
            if not varies(value):
                factor = self.reduced.scaling.objective
                self.reduced = self.reduced.with_objective(factor, _number(value), 0).told_all()
                self._set_objective(Expr() + self.reduced.handed)
                return
            require_finite(value, stated.name, stated.span)
            expression = self._nonlinear_objective(value)
        self.bounding = self.model.addVar(name="objective", lb=None, ub=None)
        penalties = sum((weight * variable for weight, variable in self.penalties), Expr())
        self._set_objective(self.bounding + penalties + self.reduced.handed)
        gap = expression - (
            self.bounding if isinstance(expression, Expr) else VarExpr(self.bounding)
        )
        self._add(gap, Relation.AT_LEAST if self.instance.maximize else Relation.AT_MOST)

    def _nonlinear_objective(self, value: Combination) -> Any:
        """The scaled objective without its constant and penalties, which are noted."""
        rest, dear = beside_penalties(value, lambda atom: isinstance(atom, VarExpr))
        beside = tuple((weight, atom.children[0]) for weight, atom in dear)
        factor, expression = normalised(rest)
        if any(abs(factor * weight) > LARGEST_PENALTY for weight, _ in beside):
            beside, (factor, expression) = (), normalised(value - value.constant)
        self.reduced = self.reduced.with_objective(factor, value.constant, len(value.terms))
        self.penalties = tuple((factor * weight, variable) for weight, variable in beside)
        return expression

    def _set_objective(self, expression: Any) -> None:
        sense: Literal["maximize", "minimize"] = (
            "maximize" if self.instance.maximize else "minimize"
        )
        with _taken(f"the objective `{self.instance.model.objective.name}`"):
            self.model.setObjective(expression, sense)

    def _dearness(self, goal: Quadratics) -> float:
        """What the scaled objective is multiplied by beside a penalty.

        Where SCIP puts a sum in the place of the column with the penalty, all its costs become
        differences of numbers as large as that: it ended at 3.4 where -6.4 is feasible, with a
        bound of 3.4. So it is told not to.
        """
        costs = np.concatenate([goal.value, goal.quadratic_value])
        if spread(costs) >= DEAR:
            self.model.setParam("presolving/donotmultaggr", True)
        return growth(costs, DEAREST)

    def _quadratic_objective(self, goal: Quadratics) -> Any:
        """The scaled objective without its constant."""
        sign = -1.0 if self.instance.maximize else 1.0
        ends = self.reduced.lower, self.reduced.upper
        unbounded = np.flatnonzero(np.isinf(ends[0]) | np.isinf(ends[1])).astype(np.int64)
        parts = squares(goal, sign, unbounded)
        if parts is None:
            return _polynomial(self._terms(goal)[0])
        others = ~np.isin(goal.column, parts.columns)
        terms = {
            self.monomials[place]: float(value)
            for place, value in zip(goal.column[others].tolist(), goal.value[others], strict=True)
        }
        own = [self.monomials[place] for place in parts.columns.tolist()]
        terms |= {
            term: sign * value
            for term, value in zip(own, parts.rest.tolist(), strict=True)
            if value
        }
        for number, direction in enumerate(parts.directions):
            new = self.model.addVar(name=f"y{number}", lb=None, ub=None)
            self.auxiliary.append(Auxiliary(new, parts.columns, direction))
            along = dict(zip(own, direction.tolist(), strict=True))
            self._add(Expr(along | {Term(new): -1.0}), Relation.EQUAL)
            terms[Term(new, new)] = sign * float(parts.curvature[number])
            terms[Term(new)] = sign * float(parts.slope[number])
        return Expr(terms)

    def _add_rows(self) -> None:
        self.lowering = ""
        found = plain_rows(self.reduced)
        sides = (found.lower.tolist(), found.upper.tolist())
        for terms, low, high in zip(self._terms(found.coefficients), *sides, strict=True):
            if low > -math.inf or high < math.inf:
                self._add_between(low, _polynomial(terms), high)
        used = [family for family in self.instance.constraints if family.size]
        curved = [family for family in used if family.shape.degree > Degree.QUADRATIC]
        if curved:
            evaluator = self._evaluator()
            for family in curved:
                self.lowering = family.name
                self._add_nonlinear(family, difference(evaluator, family))

    def _add_nonlinear(self, family: ConstraintFamily, values: NDArray[np.object_]) -> None:
        factors = self.reduced.scaling.row.copy()
        for row, value in enumerate(values):
            if varies(value):
                require_finite(value, self.instance.row_name(family, row), family.constraint.span)
                factor, expression = normalised(value)
                factors[family.first + row] = factor
                self._add(expression, family.relation)
            else:
                self.without.append(family.first + row)
        self.reduced = self.reduced.with_rows(factors)

    def _add(self, expression: Any, relation: Relation) -> None:
        low, high = relation.limits
        self._add_between(low, expression, high)

    def _add_between(self, low: float, expression: Any, high: float) -> None:
        where = f"`{self.lowering}`" if self.lowering else "degree two or less"
        with _taken(f"a row of {where}"):
            sides = (None if math.isinf(side) else side for side in (low, high))
            added = self.model.addCons(ExprCons(expression, *sides))
        if self.lowering in self.poles:
            self.with_poles.append(added)

    def _terms(self, found: Quadratics) -> list[dict[Any, float]]:
        """For each row a dictionary of monomials with their coefficients."""
        rows: list[dict[Any, float]] = [{} for _ in range(found.size)]
        linear = (found.row, found.column, found.value)
        for row, place, value in zip(*(part.tolist() for part in linear), strict=True):
            rows[row][self.monomials[place]] = value
        products = (found.quadratic_row, found.first, found.second, found.quadratic_value)
        for row, first, second, value in zip(*(part.tolist() for part in products), strict=True):
            rows[row][Term(self.variables[first], self.variables[second])] = value
        return rows

    def _evaluator(self) -> Evaluator:
        variables: list[Any] = [None] * self.instance.columns
        for column, variable in zip(self.reduced.columns.tolist(), self.variables, strict=True):
            variables[column] = VarExpr(variable)
        known = leaves(self.instance, self.reduced.scaling, variables, self.tool)
        return self.instance.evaluator(Combinations(known, self.tool, self._quotient))

    def _log_of_ratio(self, above: Combination, below: Combination) -> Combination | None:
        """ln(above/below) of two positive sums as `ln(above) - ln(below)`, one of them concave.

        Of `ln(1 + signal/heard)`, with all of the signal above, SCIP then needs half the nodes.
        """
        if any(not varies(part) or ends(part)[0] <= 0.0 for part in (above, below)):
            return None
        value = above.apply("ln") - below.apply("ln")
        self.rates.append(Rate(value, above - below, below))
        return value

    def _add_switched_rates(self) -> None:
        self.lowering = ""
        for rate in switched_rates(self.rates, self.reduced, self.variables):
            on = Combination(self.tool, [(rate.largest, VarExpr(self.variables[rate.switch]))])
            self._add(normalised(rate.value - on)[1], Relation.AT_MOST)

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
            convex = part is above and self.cone is Relation.AT_LEAST
            if not isinstance(part, VarExpr) or (
                convex and part.children[0].vtype() != "CONTINUOUS"
            ):
                low, high = range_of(part)
                named = self.model.addVar(
                    name=f"part{self.model.getNVars()}",
                    lb=low if math.isfinite(low) else None,
                    ub=high if math.isfinite(high) else None,
                )
                above_it = convex and low >= 0.0
                self._add(part - VarExpr(named), Relation.AT_MOST if above_it else Relation.EQUAL)
                part = VarExpr(named)
            atoms.append(part.children[0])
        cone = {Term(quotient, atoms[1]): 1.0, Term(atoms[0], atoms[0]): -1.0}
        self._add(Expr(cone), self.cone)
        return VarExpr(quotient)


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
