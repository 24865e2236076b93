"""A model with its data: variables as columns, constraints as families of rows, all in arrays."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mecdsl.compiling.check import CheckedModel
from mecdsl.instances.algebra import Algebra, Floats
from mecdsl.instances.evaluate import Evaluator
from mecdsl.instances.facts import Facts
from mecdsl.instances.tables import SINGLE, FloatArray, IntArray, Table
from mecdsl.instances.world import World
from mecdsl.model import symbolic as sym
from mecdsl.model.classes import Shape
from mecdsl.model.relation import Relation
from mecdsl.parsing.syntax import Kind


@dataclass(frozen=True, slots=True, eq=False)
class VariableFamily:
    """Columns `first` to `first + size` of one variable, one per row of its table."""

    name: str
    first: int
    size: int
    domain: sym.NumberDomain

    @property
    def columns(self) -> slice:
        """The columns of this family."""
        return slice(self.first, self.first + self.size)


@dataclass(frozen=True, slots=True, eq=False)
class ConstraintFamily:
    """Rows `first` to `first + size` of one constraint: `left - right`, compared with 0 by
    `relation`.
    """

    name: str
    first: int
    constraint: sym.Constraint
    table: Table
    shape: Shape

    @property
    def size(self) -> int:
        """The number of rows."""
        return self.table.size

    @property
    def rows(self) -> slice:
        """The rows of this family."""
        return slice(self.first, self.first + self.size)

    @property
    def relation(self) -> Relation:
        """`<=`, `>=` or `==`."""
        return self.constraint.relation


@dataclass(frozen=True, slots=True, eq=False)
class ObjectiveFamily:
    """The objective as a family of one row without indices."""

    objective: sym.Objective
    shape: Shape

    @property
    def name(self) -> str:
        """The name of the objective."""
        return self.objective.name

    @property
    def size(self) -> int:
        """The number of rows: one."""
        return self.table.size

    @property
    def table(self) -> Table:
        """The table of the one row."""
        return SINGLE

    def value(self, evaluator: Evaluator) -> Any:
        """The objective in the algebra of the evaluator, one row."""
        return evaluator.family(self.objective.value, SINGLE)


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Instance:
    """A model in one form with its data.

    Arrays have one entry per column: `lower`, `upper` (inf for none), `fixed` (nan where free),
    `start` (nan where not given), `integral`, `tolerance` (how far the author lets it be off, nan
    where nothing is said). All numbers in SI. `norms`: columns that stand for norms in cones, of an
    instance without kinks.

    `facts`: what `mecdsl.instances.facts` keeps of it; a changed copy has none.
    """

    checked: CheckedModel
    world: World
    variables: tuple[VariableFamily, ...]
    constraints: tuple[ConstraintFamily, ...]
    lower: FloatArray
    upper: FloatArray
    fixed: FloatArray
    start: FloatArray
    integral: NDArray[np.bool_]
    tolerance: FloatArray
    seed: int = 0
    norms: IntArray = field(default_factory=lambda: np.zeros(0, dtype=np.int64), repr=False)
    facts: Facts = field(default_factory=Facts, init=False, repr=False)

    @property
    def model(self) -> sym.Model:
        """The symbolic model."""
        return self.checked.model

    @property
    def columns(self) -> int:
        """The number of scalar variables."""
        return len(self.lower)

    @property
    def rows(self) -> int:
        """The number of scalar constraints."""
        return sum(family.size for family in self.constraints)

    @property
    def free(self) -> NDArray[np.bool_]:
        """Columns that are not fixed."""
        return np.isnan(self.fixed)

    @property
    def maximize(self) -> bool:
        """Whether the objective is maximised."""
        return self.model.objective.sense == "maximize"

    def evaluator(self, algebra: Algebra) -> Evaluator:
        """An evaluator of this instance's expressions."""
        return Evaluator(self.world, algebra)

    def with_seed(self, seed: int) -> "Instance":
        """The same instance for another seed, where no data are random: with the same arrays and
        facts.
        """
        if seed == self.seed:
            return self
        other = replace(self, seed=seed)
        other.facts.join(self.facts)
        return other

    def complete(self, x: FloatArray) -> FloatArray:
        """The point with fixed columns at their values."""
        return np.where(self.free, x, self.fixed)

    def first_point(self) -> FloatArray:
        """The start values; where none is given the point of the bounds nearest to 0."""
        inside = np.clip(np.zeros(self.columns), self.lower, self.upper)
        return self.complete(
            np.where(np.isnan(self.start), inside, np.clip(self.start, self.lower, self.upper))
        )

    def objective(self, x: FloatArray) -> float:
        """The objective at a point, in SI and in the sense of the model."""
        value = self.goal.value(self.evaluator(Floats(x)))
        return float(value[0])

    def differences(self, x: FloatArray) -> Mapping[str, FloatArray]:
        """`left - right` of every constraint family, one entry per row."""
        evaluator = self.evaluator(Floats(x))
        return {
            family.name: difference(evaluator, family).astype(np.float64)
            for family in self.constraints
        }

    def symbol_values(self, x: FloatArray, kinds: tuple[Kind, ...]) -> Mapping[str, FloatArray]:
        """Values of all symbols of some kinds at a point, one entry per row of each symbol's
        table.
        """
        evaluator = self.evaluator(Floats(x))
        result: dict[str, FloatArray] = {}
        for symbol in self.model.symbols.values():
            if symbol.kind in kinds:
                result[symbol.name] = self._symbol_value(symbol, evaluator, x)
        return result

    def _symbol_value(self, symbol: sym.Symbol, evaluator: Evaluator, x: FloatArray) -> FloatArray:
        if symbol.name in self.world.values:
            return self.world.values[symbol.name]
        if symbol.kind is Kind.VAR:
            first = self.world.offsets[symbol.name]
            return x[first : first + self.world.symbols[symbol.name].size]
        assert symbol.formula is not None
        value = evaluator.family(symbol.formula, self.world.symbols[symbol.name].table)
        return np.asarray(value, dtype=np.float64)

    def data(self, name: str) -> FloatArray:
        """The values of a parameter or data definition by qualified name, float64[rows], in SI."""
        return self.world.values[name]

    def variable(self, name: str) -> VariableFamily:
        """A variable family by qualified name. Raises KeyError."""
        for family in self.variables:
            if family.name == name:
                return family
        raise KeyError(name)

    def column_name(self, column: int) -> str:
        """`learner.batch[3]` of a column."""
        for family in self.variables:
            if family.first <= column < family.first + family.size:
                return self.world.row_text(family.name, column - family.first)
        raise IndexError(column)

    @property
    def goal(self) -> ObjectiveFamily:
        """The objective as a family of one row."""
        objective = self.model.objective
        return ObjectiveFamily(objective, self.checked.shapes.shape(objective.value))

    @property
    def stated(self) -> Iterator[tuple[str, sym.Expression]]:
        """The expressions of the objective and of every constraint with rows, with its name."""
        yield self.goal.name, self.model.objective.value
        for family in self.constraints:
            if family.size:
                yield family.name, family.constraint.left
                yield family.name, family.constraint.right

    def row_name(self, family: ConstraintFamily, row: int) -> str:
        """`cycle[3]` of a row of a constraint family."""
        space = family.constraint.space
        labels = [int(family.table.columns[name][row]) for name in space.names]
        return family.name + self.world.labels_text(space, labels)


def difference(evaluator: Evaluator, family: ConstraintFamily) -> Any:
    """`left - right` of a constraint family in the algebra of the evaluator."""
    left = evaluator.family(family.constraint.left, family.table)
    return left - evaluator.family(family.constraint.right, family.table)


def nested(values: FloatArray, levels: tuple[IntArray, ...], convert: Any = float) -> Any:
    """Flat values of a symbol as a scalar or nested lists in family order."""
    items: list[Any] = [convert(value) for value in values.tolist()]
    for counts in reversed(levels):
        ends = np.cumsum(counts).tolist()
        items = [items[end - count : end] for end, count in zip(ends, counts.tolist(), strict=True)]
    return items[0] if items else []
