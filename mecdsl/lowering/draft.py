"""The twin of an instance while it grows: new columns, rows, data and definitions, and the instance
they make.

The columns of the original come first and keep their numbers, so the way back from a point of the
twin is to cut off the rest. Tables are given in numbers: a new column has exactly the rows where it
is needed.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from mecdsl.compiling.check import CheckedModel
from mecdsl.diagnostics import Span
from mecdsl.instances.algebra import Floats
from mecdsl.instances.evaluate import Evaluator
from mecdsl.instances.instance import ConstraintFamily, Instance, VariableFamily
from mecdsl.instances.tables import FamilyTable, FloatArray, IntArray, Table
from mecdsl.lowering.place import Place
from mecdsl.model import symbolic as sym
from mecdsl.model.classes import Classifier
from mecdsl.model.dimensions import find_dimension
from mecdsl.model.relation import Relation
from mecdsl.parsing.syntax import Kind
from mecdsl.reformulations.rewrite import unused
from mecdsl.units import DIMENSIONLESS, Dimension, Unit

Meaning = Callable[[Evaluator], FloatArray]
"""The values of a new column at a point of the original, from an evaluator there."""

Bounds = tuple[FloatArray | float, FloatArray | float]


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """A new variable family; `meaning`: its values at a point of the original."""

    symbol: sym.Symbol
    table: FamilyTable
    lower: FloatArray
    upper: FloatArray
    meaning: Meaning

    @property
    def binary(self) -> bool:
        """Whether it takes 0 and 1 alone."""
        return self.symbol.domain is sym.NumberDomain.BINARY


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Draft:
    """What the twin has that the original has not, and what it says instead."""

    instance: Instance
    symbols: dict[str, sym.Symbol]
    tables: dict[str, FamilyTable]
    values: dict[str, FloatArray]
    columns: list[Column]
    rows: list[tuple[sym.Constraint, Table]]
    dimensions: dict[str, Dimension | None]
    shapes: Classifier

    @staticmethod
    def of(instance: Instance) -> "Draft":
        """An empty one."""
        symbols = dict(instance.model.symbols)
        shapes = Classifier(replace(instance.model, symbols=symbols))
        return Draft(
            instance=instance,
            symbols=symbols,
            tables={},
            values={},
            columns=[],
            rows=[],
            dimensions=dict(instance.model.dimensions),
            shapes=shapes,
        )

    def name(self, like: str) -> str:
        """The name, or one like it that nothing in the model has."""
        model = self.instance.model
        rows = (row.name for row, _ in self.rows)
        taken = {
            *self.symbols,
            *model.families,
            *(c.name for c in model.constraints),
            *rows,
            model.objective.name,
        }
        return unused(like.replace(".", "_"), taken)

    def column(
        self,
        named: str,
        place: Place,
        like: sym.Expression | None,
        meaning: Meaning,
        bounds: Bounds = (-np.inf, np.inf),
    ) -> sym.Lookup:
        """A new variable over the rows of a place, used at its own indices.

        `like`: what it stands for, whose dimension it takes; None for a binary, whose bounds are 0
        and 1.
        """
        name, span = self.name(named), self._span(like)
        domain = sym.NumberDomain.BINARY if like is None else sym.NumberDomain.REAL
        doc = "" if like is None else f"stands for {span.text}"
        self._symbol(
            name,
            Kind.VAR,
            place=place,
            dimension=self._dimension(like),
            domain=domain,
            doc=doc,
            span=span,
        )
        lower, upper = (
            np.broadcast_to(end, (place.table.size,))
            for end in ((0.0, 1.0) if like is None else bounds)
        )
        self.columns.append(Column(self.symbols[name], self.tables[name], lower, upper, meaning))
        return sym.Lookup(name, place.indices(span), span)

    def data(
        self, named: str, place: Place, values: FloatArray, like: sym.Expression
    ) -> sym.Lookup:
        """Numbers over the rows of a place."""
        name, span = self.name(named), self._span(like)
        self._symbol(
            name,
            Kind.LET,
            place=place,
            dimension=self._dimension(like),
            domain=sym.NumberDomain.REAL,
            doc="",
            span=span,
        )
        self.values[name] = values
        return sym.Lookup(name, place.indices(span), span)

    def definition(self, original: sym.Symbol, value: sym.Expression) -> str:
        """A definition like another with a different value; its name."""
        name = self.name(f"{original.name}_lowered")
        self.symbols[name] = replace(original, name=name, value=value)
        self.tables[name] = self.instance.world.symbols[original.name]
        self.dimensions[name] = self.dimensions.get(original.name)
        return name

    def row(
        self,
        name: str,
        place: Place,
        left: sym.Expression,
        relation: Relation,
        right: sym.Expression,
    ) -> None:
        """A new constraint over the rows of a place."""
        doc = f"{left.span.text} {relation} {right.span.text}"
        constraint = sym.Constraint(
            name=name,
            space=place.space(),
            left=left,
            relation=relation,
            right=right,
            doc=doc,
            span=left.span,
        )
        self.rows.append((constraint, place.table))

    def _symbol(
        self,
        name: str,
        kind: Kind,
        place: Place,
        dimension: Dimension | None,
        domain: sym.NumberDomain,
        doc: str,
        span: Span,
    ) -> None:
        measured_in = dimension or DIMENSIONLESS
        unit = Unit("1" if measured_in.is_dimensionless else str(measured_in), measured_in, 1.0)
        space = place.space()
        self.symbols[name] = sym.Symbol(
            name=name,
            kind=kind,
            owner=None,
            own_space=space,
            space=space,
            domain=domain,
            unit=unit,
            limits=(),
            value=None,
            member_of=None,
            doc=doc,
            span=span,
        )
        levels: tuple[IntArray, ...] = (
            (np.array([place.table.size], dtype=np.int64),) if place.names else ()
        )
        self.tables[name] = FamilyTable.of(place.table, place.names, levels, False)
        self.dimensions[name] = dimension

    def _dimension(self, like: sym.Expression | None) -> Dimension | None:
        if like is None:
            return DIMENSIONLESS
        model = replace(self.instance.model, symbols=self.symbols, dimensions=self.dimensions)
        return find_dimension(model, like)

    def _span(self, like: sym.Expression | None) -> Span:
        return self.instance.model.span if like is None else like.span

    def twin(self, objective: sym.Objective, constraints: tuple[sym.Constraint, ...]) -> Instance:
        """The instance with another objective and other constraints, in the order of the
        original's, and the new.
        """
        original = self.instance
        model = replace(
            original.model,
            symbols=dict(self.symbols),
            constraints=(*constraints, *(row for row, _ in self.rows)),
            objective=objective,
            dimensions=dict(self.dimensions),
        )
        shapes = Classifier(model)
        new = [name for name in self.symbols if name not in original.model.symbols]
        variables = self._variables()
        twin = Instance(
            checked=CheckedModel(model, (*original.checked.order, *new), shapes),
            world=replace(
                original.world,
                model=model,
                shapes=shapes,
                symbols={**original.world.symbols, **self.tables},
                values={**original.world.values, **self.values},
                offsets={**original.world.offsets, **{v.name: v.first for v in variables}},
            ),
            variables=(*original.variables, *variables),
            constraints=self._families(model.constraints, shapes),
            lower=np.concatenate([original.lower, *(column.lower for column in self.columns)]),
            upper=np.concatenate([original.upper, *(column.upper for column in self.columns)]),
            fixed=self._continued(original.fixed, lambda column: np.nan),
            start=original.start,
            integral=self._continued(original.integral, lambda column: column.binary),
            tolerance=self._continued(original.tolerance, lambda column: np.nan),
            seed=original.seed,
        )
        start = np.clip(original.start, original.lower, original.upper)
        return replace(twin, start=self.extended(start))

    def _variables(self) -> list[VariableFamily]:
        """The new columns as families, after those of the original."""
        found: list[VariableFamily] = []
        first = self.instance.columns
        for column in self.columns:
            size, symbol = column.table.size, column.symbol
            found.append(VariableFamily(symbol.name, first, size, symbol.domain))
            first += size
        return found

    def _families(
        self, constraints: tuple[sym.Constraint, ...], shapes: Classifier
    ) -> tuple[ConstraintFamily, ...]:
        """Constraints over the tables of the original's, and of the new."""
        tables = (
            *(family.table for family in self.instance.constraints),
            *(table for _, table in self.rows),
        )
        families, row = [], 0
        for constraint, table in zip(constraints, tables, strict=True):
            shape = shapes.constraint(constraint)
            families.append(ConstraintFamily(constraint.name, row, constraint, table, shape))
            row += table.size
        return tuple(families)

    def _continued(self, original: Any, of_new: Callable[[Column], float]) -> Any:
        """An array over the columns of the original, with one value for each new family."""
        new = (np.full(column.table.size, of_new(column)) for column in self.columns)
        return np.concatenate([original, *new])

    def extended(self, x: FloatArray) -> FloatArray:
        """A point of the original with the new columns at what they stand for; nan where that is
        not known, or beyond all numbers, which is no place to start from.
        """
        evaluator = self.instance.evaluator(Floats(self.instance.complete(x)))
        with np.errstate(all="ignore"):
            new = [column.meaning(evaluator) for column in self.columns]
        return np.concatenate(
            [x, *(np.where(np.isfinite(values), values, np.nan) for values in new)]
        )
