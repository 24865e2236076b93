"""Instance to a Pyomo `ConcreteModel` under the model's own names.

A family of nodes, links or layers is a `Block` with its members as a `Set` and its variables;
everything else stands at the top: `model.learner.batch[3]`, `model.updates`, `model.cycle[3]`. All
numbers are in SI.

- Fixed columns are fixed variables and their values are substituted in the rows, as everywhere in
  the project: a product with a fixed factor is linear. To free one, change the form of the model,
  not the Pyomo model.
- A row without free variables is left out if it is true. If it is false it becomes `2 <= no_point`
  with `no_point` in 0..1, so that the solver says infeasible: on `Constraint.Infeasible` Pyomo's
  standard form, and its NL writer where it skips trivial rows, raise an exception of their own.
- A constraint `a <= x <= b` is two, `name_lower` and `name_upper`; names that Pyomo or Python use
  get a `_`.
- Parameters are numbers in the rows. Definitions over variables and reports become named
  `Expression`s only on request: no solver reads them, and they would cost more than the rows of a
  linear model.
- Components are built by Pyomo's own constructors, whose rules only hand out expressions that are
  ready (1.1 us a row); filling `_data` directly would save 0.6 us and depend on Pyomo's insides.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyomo.environ as pyo
from pyomo.common.gc_manager import PauseGC

from mecdsl.analysis.called_functions import lacking
from mecdsl.analysis.coefficients import (
    constraint_coefficients,
    objective_coefficients,
    plain_families,
)
from mecdsl.analysis.written_out import LONGEST, definition_sizes, too_long
from mecdsl.diagnostics import Collector, Diagnostic, ModelError, Span
from mecdsl.instances.algebra import Objects
from mecdsl.instances.evaluate import Evaluator
from mecdsl.instances.instance import ConstraintFamily, Instance, VariableFamily
from mecdsl.instances.tables import FloatArray
from mecdsl.model import symbolic as sym
from mecdsl.model.classes import Degree, Shape
from mecdsl.model.relation import Relation
from mecdsl.parsing.syntax import Kind
from mecdsl.pyomo_model.functions import WORDS
from mecdsl.pyomo_model.numbers import finite_arithmetic, require_finite
from mecdsl.pyomo_model.one_objective import refuse_players
from mecdsl.pyomo_model.rows import bodies, relations
from mecdsl.pyomo_model.sets import Index, IndexSets, free_name
from mecdsl.reduction.conflicts import false_rows

DOMAINS: Final = {
    sym.NumberDomain.REAL: pyo.Reals,
    sym.NumberDomain.INTEGER: pyo.Integers,
    sym.NumberDomain.BINARY: pyo.Binary,
}


@dataclass(frozen=True, slots=True, eq=False)
class PyomoModel:
    """A Pyomo model and the way back from it.

    `variables`: the variable of every column of the instance. `constraints`: for every constraint
    family the constraint of each row, None for a row that is true whatever the variables are.
    """

    model: Any
    variables: tuple[Any, ...]
    constraints: Mapping[str, tuple[Any, ...]]
    objective: Any


@np.errstate(all="ignore")  # what is not finite is looked for where it is used
def to_pyomo(instance: Instance, definitions: bool = False) -> PyomoModel:
    """The Pyomo model of an instance; with `definitions` also its definitions over variables and
    its reports.

    Raises `ModelError` (E504) where an objective or constraint is not smooth, E502 where one is too
    long or each of several players has an own one, and E311 for a coefficient that is not finite.
    """
    refuse_players(instance)
    _refuse_nonsmooth(instance)
    _refuse_unknown(instance)
    _refuse_long(instance)
    with PauseGC():  # millions of new objects, none of them garbage
        return _Lowering(instance).run(definitions)


class _Lowering:
    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.model = pyo.ConcreteModel(name=instance.model.name, doc=instance.model.title or None)
        self.sets = IndexSets(self.model, instance)
        self.columns = np.empty(instance.columns, dtype=object)
        self.operands = self.columns  # what stands in rows: variables, and the values of fixed ones
        self.no_point: Any = None

    def run(self, definitions: bool) -> PyomoModel:
        for family in self.instance.variables:
            self.columns[family.columns] = self._variable(family)
        fixed = np.flatnonzero(~self.instance.free)
        self.operands = self.columns.copy()
        self.operands[fixed] = self.instance.fixed[fixed].tolist()
        objective = self._objective()
        constraints = self._constraints()
        if definitions:
            self._definitions()
        return PyomoModel(self.model, tuple(self.columns), constraints, objective)

    # Variables

    def _variable(self, family: VariableFamily) -> list[Any]:
        """Bounds and start that all members share are given to Pyomo once, which copies them."""
        symbol = self.instance.model.symbols[family.name]
        block = self.sets.block(symbol.owner)
        index = self.sets.of_symbol(symbol)
        lower, upper = self.instance.lower[family.columns], self.instance.upper[family.columns]
        bounds = (_shared(lower), _shared(upper))
        component = pyo.Var(*index, domain=DOMAINS[family.domain], bounds=bounds, doc=_doc(symbol))
        block.add_component(free_name(block, family.name.rpartition(".")[2]), component)
        members = list(component.values())
        for name, values, shared in zip(("lower", "upper"), (lower, upper), bounds, strict=True):
            for row in np.flatnonzero(np.isfinite(values)).tolist() if shared is None else ():
                setattr(members[row], name, float(values[row]))
        self._values(members, family)
        return members

    def _values(self, members: Sequence[Any], family: VariableFamily) -> None:
        """Start and fixed values; a start of an integer variable need not be an integer."""
        start, fixed = self.instance.start[family.columns], self.instance.fixed[family.columns]
        for member, value, given in zip(
            members, start.tolist(), (~np.isnan(start)).tolist(), strict=True
        ):
            if given:
                member.set_value(value, skip_validation=True)
        for row in np.flatnonzero(~np.isnan(fixed)).tolist():
            members[row].fix(float(fixed[row]), skip_validation=True)

    # Objective and constraints

    def _objective(self) -> Any:
        stated = self.instance.model.objective
        if self.instance.goal.shape.degree <= Degree.QUADRATIC:
            coefficients = objective_coefficients(self.instance)
            body, constant = bodies(coefficients, self.operands)[0], float(coefficients.constant[0])
            expression = constant if body is None else body if constant == 0.0 else body + constant
        else:
            with finite_arithmetic(stated.name, stated.span):
                expression = self.instance.goal.value(self._evaluator())[0]
            require_finite([expression], stated.name, stated.span)
        sense = pyo.maximize if self.instance.maximize else pyo.minimize
        objective = pyo.Objective(expr=expression, sense=sense, doc=stated.doc or None)
        self.model.add_component(free_name(self.model, stated.name), objective)
        return objective

    def _constraints(self) -> Mapping[str, tuple[Any, ...]]:
        families = self.instance.constraints
        plain = plain_families(self.instance)
        coefficients = constraint_coefficients(self.instance, plain)
        row_bodies, bounds = bodies(coefficients, self.operands), -coefficients.constant
        places: dict[str, slice] = {}
        first = 0
        for family in plain:
            places[family.name] = slice(first, first + family.size)
            first += family.size
        evaluator = self._evaluator()
        rows: dict[str, tuple[Any, ...]] = {}
        for family in families:
            if family.name in places:
                place = places[family.name]
                rows[family.name] = self._constraint(family, row_bodies[place], bounds[place])
            else:
                with finite_arithmetic(family.name, family.constraint.span):
                    nonlinear, limits = self._nonlinear(family, evaluator)
                require_finite(nonlinear, family.name, family.constraint.span)
                rows[family.name] = self._constraint(family, nonlinear, limits)
        return rows

    def _nonlinear(
        self, family: ConstraintFamily, evaluator: Evaluator
    ) -> tuple[list[Any], FloatArray]:
        """Bodies and bounds; a right side of data alone stays the bound."""
        if not family.size:  # a definition in it may well be one that Pyomo has no words for
            return [], np.zeros(0)
        stated = family.constraint
        left = evaluator.family(stated.left, family.table)
        right = evaluator.family(stated.right, family.table)
        if not self.instance.checked.shapes.is_data(stated.right):
            left, right = left - right, np.zeros(family.size)
        bounds = np.array(right, dtype=np.float64)
        row_bodies = left.tolist()
        for row, body in enumerate(row_bodies):
            if isinstance(body, int | float):
                bounds[row] -= body
                row_bodies[row] = None
        return row_bodies, bounds

    def _constraint(
        self, family: ConstraintFamily, row_bodies: list[Any], bounds: FloatArray
    ) -> tuple[Any, ...]:
        name = free_name(self.model, family.name.replace(".", "_"))
        constant = np.fromiter((body is None for body in row_bodies), dtype=bool, count=family.size)
        constant |= ~np.isfinite(bounds)
        rows = np.flatnonzero(constant)
        wrong = false_rows(self.instance, family, rows)
        expressions = relations(family.relation, row_bodies, bounds.tolist())
        for row, false in zip(rows.tolist(), wrong.tolist(), strict=True):
            expressions[row] = self._impossible() if false else pyo.Constraint.Skip
        index = self.sets.of_constraint(family, name)
        component = _component(pyo.Constraint, index, expressions, family.constraint.doc)
        self.model.add_component(name, component)
        if not len(rows):
            return tuple(component.values())
        members = iter(component.values())
        return tuple(None if e is pyo.Constraint.Skip else next(members) for e in expressions)

    def _impossible(self) -> Any:
        if self.no_point is None:
            self.no_point = pyo.Var(
                bounds=(0, 1), initialize=0, doc="stands in rows that no point satisfies"
            )
            self.model.add_component(free_name(self.model, "no_point"), self.no_point)
        return relations(Relation.AT_LEAST, [self.no_point], [2.0])[0]

    # Expressions of degree above two, and definitions

    def _evaluator(self) -> Evaluator:
        functions = {name: getattr(pyo, word) for name, word in WORDS.items()}
        return self.instance.evaluator(Objects(self.operands, functions, pyo.quicksum))

    def _definitions(self) -> None:
        """Definitions over variables and reports as named expressions; what is not smooth or too
        long is left out.
        """
        evaluator, sizes = self._evaluator(), definition_sizes(self.instance)
        for symbol in self.instance.model.symbols.values():
            shape = self.instance.checked.shapes.symbol(symbol.name)
            no_expression = (
                symbol.kind not in (Kind.LET, Kind.REPORT)
                or symbol.name in self.instance.world.values
            )
            smooth = shape.degree is not Degree.NONSMOOTH
            if no_expression or not smooth or sizes.get(symbol.name, 0) > LONGEST:
                continue
            assert symbol.formula is not None
            values = evaluator.family(
                symbol.formula, self.instance.world.symbols[symbol.name].table
            )
            block = self.sets.block(symbol.owner)
            component = _component(
                pyo.Expression, self.sets.of_symbol(symbol), values.tolist(), _doc(symbol)
            )
            block.add_component(free_name(block, symbol.name.rpartition(".")[2]), component)


class _Queue:
    """Items for a rule to hand out; used up once a component is built, so copies and pickles take
    none along.
    """

    def __init__(self, items: Sequence[Any]) -> None:
        self.remaining = iter(items)

    def next_item(self, *_block_and_index: Any) -> Any:
        return next(self.remaining)

    def __reduce__(self) -> tuple[type["_Queue"], tuple[tuple[()]]]:
        return _Queue, ((),)


def _component(kind: Any, index: Index, items: Sequence[Any], doc: str | None) -> Any:
    """A component whose members, in the order of its index set, are the items."""
    return kind(*index, rule=_Queue(items).next_item, doc=doc or None)


def _shared(values: FloatArray) -> float | None:
    """The one finite value of all entries; None if there is none."""
    if len(values) and np.isfinite(values[0]) and bool((values == values[0]).all()):
        return float(values[0])
    return None


def _doc(symbol: sym.Symbol) -> str | None:
    """`samples given to this learner [sample]`: description and SI unit."""
    unit = (
        ""
        if symbol.unit is None or symbol.unit.dimension.is_dimensionless
        else f"[{symbol.unit.dimension}]"
    )
    return f"{symbol.doc} {unit}".strip() or None


def _refuse_nonsmooth(instance: Instance) -> None:
    collector = Collector()

    def refuse(name: str, shape: Shape, span: Span) -> None:
        if shape.degree is Degree.NONSMOOTH:
            collector.error(
                "E504",
                f"`{name}` cannot be written for Pyomo: {shape.reason}",
                shape.culprit or span,
                help="use a variable instead: a maximum is a variable that is at least each "
                "of its parts",
            )

    objective = instance.model.objective
    refuse(objective.name, instance.goal.shape, objective.span)
    for family in instance.constraints:
        if family.size:
            refuse(family.name, family.shape, family.constraint.span)
    collector.raise_errors()


def _refuse_unknown(instance: Instance) -> None:
    """Pyomo has not every function of the language."""
    found = lacking(instance, WORDS)
    if found is not None:
        message = f"`{found.where}` cannot be written for Pyomo, which has no `{found.name}`"
        fix = "solve it from arrays, without `--via pyomo`, or state it with other functions"
        raise ModelError([Diagnostic("E504", message, found.call.span, help=fix)])


def _refuse_long(instance: Instance) -> None:
    """Pyomo's expressions are trees."""
    name = too_long(instance)
    if name:
        message = (
            f"`{name}` is too long for Pyomo: more than {LONGEST} parts with its "
            "definitions written out"
        )
        fix = "make a definition that is used twice a variable with an equation"
        raise ModelError([Diagnostic("E502", message, instance.model.span, help=fix)])
