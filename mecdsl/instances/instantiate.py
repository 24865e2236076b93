"""Checked model and data to an instance: sets, then parameters, then variables and constraint
rows.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from mecdsl.compiling.check import CheckedModel
from mecdsl.data_files.read import Given, key_span
from mecdsl.diagnostics import Collector, Diagnostic, ModelError, Span, count, likeness, nearest
from mecdsl.instances.algebra import Floats
from mecdsl.instances.bind import bind, check_values
from mecdsl.instances.data_names import label_columns, opened
from mecdsl.instances.evaluate import Evaluator
from mecdsl.instances.files_beside import family_file, symbol_file
from mecdsl.instances.instance import ConstraintFamily, Instance, VariableFamily
from mecdsl.instances.listed_sets import check_link_ends, is_listed, listed_table
from mecdsl.instances.players import game_of
from mecdsl.instances.positions import with_coordinates
from mecdsl.instances.reformulations import infinite_limits, with_products
from mecdsl.instances.tables import SINGLE, FamilyTable, FloatArray, IntArray, Table
from mecdsl.instances.world import World
from mecdsl.model import symbolic as sym
from mecdsl.parsing.syntax import STATED_TOLERANCE, FamilyKind, Kind
from mecdsl.units import coherent_unit

Known = Callable[[sym.Symbol, FamilyTable], FloatArray | None]


def nothing_known(symbol: sym.Symbol, table: FamilyTable) -> None:
    """Every parameter and definition is what the model and the given data say."""


@np.errstate(all="ignore")  # what is not finite is looked for where it is used
def instantiate(
    checked: CheckedModel,
    given: Mapping[str, Given],
    seed: int = 0,
    known: Known = nothing_known,
) -> Instance:
    """Build the instance of a checked model from given data by qualified name.

    `known`: values in SI of a parameter or of a definition over data, one for each row of its
    table, that stand for whatever model and data say of it; None where it is to be computed. Raises
    `ModelError` for missing, misnamed or misshaped data and for values that cannot be computed.
    """
    return _read_only(_Builder(checked, given, seed, known).run())


def _read_only(instance: Instance) -> Instance:
    """The instance, whose arrays nobody can write to any more: many share it."""
    columns = (
        instance.lower,
        instance.upper,
        instance.fixed,
        instance.start,
        instance.integral,
        instance.tolerance,
    )
    for array in (*columns, *instance.world.values.values()):
        array.flags.writeable = False
    return instance


class _Builder:
    def __init__(
        self, checked: CheckedModel, given: Mapping[str, Given], seed: int, known: Known
    ) -> None:
        self.checked, self.known = checked, known
        self.model = checked.model
        self.given = with_coordinates(checked.model, given)
        self.seed = seed
        self.collector = Collector()
        self.world = World(
            model=self.model,
            shapes=checked.shapes,
            families={},
            symbols={},
            values={},
            offsets={},
            seed=seed,
        )
        self.evaluator = Evaluator(self.world, Floats())
        self.broken: set[str] = set()
        self.meant: set[str] = set()

    def run(self) -> Instance:
        self._check_names()
        columns = 0
        for name in self.checked.order:
            try:
                if name in self.model.families:
                    self._family(self.model.families[name])
                else:
                    symbol = self.model.symbols[name]
                    self._table(symbol)
                    if symbol.kind is Kind.VAR:
                        self.world.offsets[name] = columns
                        columns += self.world.symbols[name].size
                    else:
                        self._value(symbol)
            except ModelError as error:
                self.collector.diagnostics += [
                    d for d in error.diagnostics if d not in self.collector.diagnostics
                ]
                if name in self.model.families or self.model.symbols[name].kind is not Kind.PARAM:
                    self.collector.raise_errors()
                self.broken.add(name)
                self.world.values[name] = np.ones(
                    self.world.symbols[name].size if name in self.world.symbols else 1
                )
                if name not in self.world.symbols:
                    self.collector.raise_errors()
                if self._sizes_depend_on(name):
                    self.collector.raise_errors()
        self.collector.diagnostics += infinite_limits(self.world, self.evaluator)
        self.collector.raise_errors()
        instance = self._instance(columns)
        self._check_rows(instance)
        return instance

    def _sizes_depend_on(self, name: str) -> bool:
        """A wrong value that sets the size of something would only cause misleading faults
        later.
        """
        spaces = [family.space for family in self.model.families.values()]
        spaces += [symbol.own_space for symbol in self.model.symbols.values()]
        parts = [part for space in spaces for part in sym.space_parts(space)]
        return any(
            isinstance(n, sym.Lookup) and n.symbol == name for part in parts for n in sym.walk(part)
        )

    # Names of the data

    def _check_names(self) -> None:
        params = [s.name for s in self.model.of_kind(Kind.PARAM)]
        labels = label_columns(self.world, self.given)
        for name, given in opened(self.model, self.given).items():
            if name in labels:
                continue
            symbol = self.model.symbols.get(name)
            if symbol is not None and symbol.kind is Kind.PARAM:
                continue
            if symbol is not None:
                what = {
                    Kind.VAR: "a variable",
                    Kind.LET: "computed by the model",
                    Kind.REPORT: "a report",
                }
                message, fix = (
                    f"`{name}` is {what[symbol.kind]} and cannot be given",
                    "leave it out",
                )
            else:
                message = f"the model has no parameter `{name}`"
                fix = self._instead(name, given, params)
            self.collector.error("E303", message, key_span(name, given), help=fix)

    def _instead(self, name: str, given: Given, params: list[str]) -> str:
        """What to write in the place of a name that no parameter has."""
        near = nearest(name, [p for p in params if p not in self.given])
        closest = nearest(name, params)
        if closest is not None and likeness(name, closest) > likeness(name, near or ""):
            return f"`{closest}` is given as well: leave `{name}` out"
        family, _, below = name.partition(".")
        if near and "." in below and near == f"{family}.{below.rpartition('.')[2]}":
            members = f'"{below.rpartition(".")[0]}"'
            return f'write the members below the attribute: `"{near}": {{{members}: ...}}`'
        if near:
            self.meant.add(near)
            return f"did you mean `{near}`?"
        if given.table is not None and any(other in params for other in given.table.titles):
            return (
                "a column of labels is called as an index of the parameters beside it, "
                "or leave it out"
            )
        if name in self.model.families:
            own = ", ".join(p for p in params if p.startswith(name + "."))
            return f"write its attributes: {own}"
        return "leave it out"

    # Sets

    def _family(self, family: sym.Family) -> None:
        if is_listed(family):
            table = listed_table(self.evaluator, family)
            flat = (np.array([table.size], dtype=np.int64),)
            self.world.families[family.name] = self._index(
                table, family.space.names, flat, False, family.span
            )
            return
        table, _, counts = self.evaluator.space(family.space, SINGLE, f"`{family.name}`")
        if family.kind is FamilyKind.NODE:
            self.world.families[family.name] = FamilyTable.of(SINGLE, (), (), True)
            return
        full = family.space.condition is None
        levels = tuple(counts) if full else (np.array([table.size], dtype=np.int64),)
        self.world.families[family.name] = self._index(
            table, family.space.names, levels, full, family.span
        )
        check_link_ends(self.evaluator, family)
        if family.source_file is not None:
            for name, given in family_file(self.world, family).items():
                self.given.setdefault(name, given)

    def _index(
        self,
        table: Table,
        names: tuple[str, ...],
        levels: tuple[IntArray, ...],
        full: bool,
        span: Span,
    ) -> FamilyTable:
        try:
            return FamilyTable.of(table, names, levels, full)
        except OverflowError as error:
            raise ModelError([Diagnostic("E310", str(error), span)]) from None

    # Symbols

    def _table(self, symbol: sym.Symbol) -> None:
        if symbol.owner is not None:
            owner = self.world.families[symbol.owner]
            if not symbol.own_space.generators:
                self.world.symbols[symbol.name] = owner
                return
            base, names, levels, full = owner.table, owner.names, owner.levels, owner.full
        else:
            base, names, levels, full = SINGLE, (), (), True
        table, pointer, counts = self.evaluator.space(symbol.own_space, base, f"`{symbol.name}`")
        if symbol.own_space.condition is not None:
            counts = [np.bincount(pointer, minlength=base.size).astype(np.int64)]
        full = full and symbol.own_space.condition is None
        names = (*names, *symbol.own_space.names)
        self.world.symbols[symbol.name] = self._index(
            table, names, (*levels, *counts), full, symbol.span
        )

    def _value(self, symbol: sym.Symbol) -> None:
        """The values of a parameter, or of a definition over data."""
        taken = self.known(symbol, self.world.symbols[symbol.name])
        if taken is not None:
            check_values(self.world, symbol, taken, lambda _row: symbol.span)
            self.world.values[symbol.name] = taken
            return
        if symbol.kind is Kind.PARAM:
            self.world.values[symbol.name] = self._parameter(symbol)
            return
        if self.checked.shapes.symbol(symbol.name).degree != 0 or _needs_variables(self, symbol):
            return
        assert symbol.value is not None
        assert not isinstance(symbol.value, sym.DataFile)
        values = self._computed(symbol, symbol.value)
        self.world.values[symbol.name] = values
        wrong = np.flatnonzero(np.isnan(values))
        if len(wrong):
            member = self.world.row_text(symbol.name, int(wrong[0]))
            raise ModelError(
                [
                    Diagnostic(
                        "E311",
                        f"`{member}` is not a number with these data",
                        symbol.value.span,
                        (),
                        note="0/0, inf - inf or the logarithm of a negative number",
                    )
                ]
            )

    def _parameter(self, symbol: sym.Symbol) -> FloatArray:
        setting = next(
            (s for s in self.model.settings if s.symbol == symbol.name and not s.names), None
        )
        if setting is not None:
            values = self._computed(symbol, setting.value)
        elif symbol.name in self.given:
            values = bind(self.world, symbol, self.given[symbol.name])
        elif isinstance(symbol.value, sym.DataFile):
            values = bind(self.world, symbol, symbol_file(self.world, symbol, symbol.value))
        elif symbol.value is None:
            # a key of the data that most likely means this one is reported already
            raise ModelError([]) if symbol.name in self.meant else self._missing(symbol)
        else:
            values = self._computed(symbol, symbol.value)
            self._check_computed(symbol, values)
        for assignment in self.model.settings:
            if assignment.symbol == symbol.name and assignment.names:
                rows, given = self._assigned(assignment)
                values = values.copy()
                values[rows] = given
        return values

    def _check_computed(self, symbol: sym.Symbol, values: FloatArray) -> None:
        assert symbol.value is not None
        assert not isinstance(symbol.value, sym.DataFile)
        span = symbol.value.span
        wrong = np.flatnonzero(np.isnan(values))
        if len(wrong):
            member = self.world.row_text(symbol.name, int(wrong[0]))
            raise ModelError(
                [Diagnostic("E311", f"`{member}` is not a number with these data", span)]
            )
        check_values(self.world, symbol, values, lambda _row: span)

    def _missing(self, symbol: sym.Symbol) -> ModelError:
        name, family = symbol.name, self.world.symbols[symbol.name]
        unit = symbol.unit.text if symbol.unit else "1"
        message, example = f"`{name}` has no value", f'`"{name}": ...`'
        if family.names:
            message, example = (
                f"`{name}` has no values, {count(family.size, 'value')} expected",
                f'`"{name}": [...]`',
            )
        fix = f"write `: {unit} = ...` in the model, or {example} in a file for `--data`"
        return ModelError([Diagnostic("E301", message, symbol.span, help=fix)])

    def _computed(self, symbol: sym.Symbol, value: sym.Expression | sym.DataArray) -> FloatArray:
        family = self.world.symbols[symbol.name]
        if isinstance(value, sym.DataArray):
            given = Given(value=self._array(value), place=lambda _indices: value.span)
            return bind(self.world, _in_si(symbol), given)
        return np.asarray(self.evaluator.family(value, family.table), dtype=np.float64)

    def _array(self, value: sym.DataArray) -> list[object]:
        """An inline array as nested lists of SI numbers."""
        items: list[object] = []
        for item in value.items:
            if isinstance(item, sym.DataArray):
                items.append(self._array(item))
            else:
                items.append(float(self.evaluator.family(item, SINGLE)[0]))
        return items

    # The instance

    def _assigned(self, assignment: sym.Assignment) -> tuple[IntArray, FloatArray]:
        """The rows of a symbol an assignment speaks of, and the values it gives them."""
        family = self.world.symbols[assignment.symbol]
        columns = dict(
            zip(assignment.names, (family.table.columns[n] for n in family.names), strict=True)
        )
        table = Table(family.size, columns)
        rows = np.arange(family.size, dtype=np.int64)
        if assignment.condition is not None:
            rows = np.flatnonzero(self.evaluator.condition(assignment.condition, table))
            table = table.take(rows)
        symbol = self.model.symbols[assignment.symbol]
        if isinstance(assignment.value, sym.DataArray):
            return rows, self._computed(symbol, assignment.value)[rows]
        values = np.asarray(self.evaluator.family(assignment.value, table), dtype=np.float64)
        wrong = np.flatnonzero(~np.isfinite(values))
        if len(wrong):
            member = self.world.row_text(assignment.symbol, int(rows[wrong[0]]))
            message = f"the value given to `{member}` is {values[wrong[0]]}"
            raise ModelError([Diagnostic("E311", message, assignment.span)])
        return rows, values

    def _instance(self, columns: int) -> Instance:
        lower, upper = np.full(columns, -math.inf), np.full(columns, math.inf)
        fixed, start = np.full(columns, math.nan), np.full(columns, math.nan)
        tolerance = np.full(columns, math.nan)
        integral = np.zeros(columns, dtype=bool)
        variables: list[VariableFamily] = []
        for symbol in self.model.of_kind(Kind.VAR):
            family = VariableFamily(
                symbol.name,
                self.world.offsets[symbol.name],
                self.world.symbols[symbol.name].size,
                symbol.domain,
            )
            variables.append(family)
            integral[family.columns] = symbol.domain is not sym.NumberDomain.REAL
            self._bounds(
                symbol, lower[family.columns], upper[family.columns], tolerance[family.columns]
            )
        for assignments, target in ((self.model.starts, start), (self.model.fixes, fixed)):
            for assignment in assignments:
                rows, values = self._assigned(assignment)
                target[self.world.offsets[assignment.symbol] + rows] = values
        completed = with_products(self.world, np.where(np.isnan(fixed), start, fixed))
        start = np.where(np.isnan(start) & np.isnan(fixed), completed, start)
        return Instance(
            checked=self.checked,
            world=self.world,
            variables=tuple(sorted(variables, key=lambda v: v.first)),
            constraints=self._constraints(),
            lower=lower,
            upper=upper,
            fixed=fixed,
            start=start,
            integral=integral,
            tolerance=tolerance,
            seed=self.seed,
        )

    def _check_rows(self, instance: Instance) -> None:
        """Evaluate everything over variables once: an index outside its family shows up here and
        not at a solver.
        """
        evaluator = instance.evaluator(Floats(instance.first_point()))
        parts = [(self.model.objective.value, SINGLE)]
        for symbol in self.model.symbols.values():
            if symbol.kind in (Kind.LET, Kind.REPORT) and symbol.name not in self.world.values:
                assert symbol.formula is not None
                parts.append((symbol.formula, self.world.symbols[symbol.name].table))
        for family in instance.constraints:
            parts += [
                (family.constraint.left, family.table),
                (family.constraint.right, family.table),
            ]
        if instance.model.players:
            parts += [(family.players.value, family.table) for family in game_of(instance).families]
        for expression, table in parts:
            try:
                with np.errstate(all="ignore"):
                    evaluator.family(expression, table)
            except ModelError as error:
                self.collector.diagnostics += [
                    d for d in error.diagnostics if d not in self.collector.diagnostics
                ]
        self.collector.raise_errors()

    def _bounds(
        self, symbol: sym.Symbol, lower: FloatArray, upper: FloatArray, tolerance: FloatArray
    ) -> None:
        table = self.world.symbols[symbol.name].table
        for limit in symbol.limits:
            values = np.asarray(self.evaluator.family(limit.value, table), dtype=np.float64)
            if np.isnan(values).any():
                member = self.world.row_text(symbol.name, int(np.flatnonzero(np.isnan(values))[0]))
                raise ModelError(
                    [Diagnostic("E311", f"the bound of `{member}` is not a number", limit.span)]
                )
            match limit.operator:
                case ">=":
                    np.maximum(lower, values, out=lower)
                case "<=":
                    np.minimum(upper, values, out=upper)
                case _ if limit.operator == STATED_TOLERANCE:
                    self._require_positive(symbol, limit, values)
                    tolerance[:] = values
                case _:
                    raise ValueError(f"unknown limit {limit.operator} of a variable")

    def _require_positive(self, symbol: sym.Symbol, limit: sym.Limit, values: FloatArray) -> None:
        wrong = np.flatnonzero(~(np.isfinite(values) & (values > 0.0)))
        if len(wrong):
            member = self.world.row_text(symbol.name, int(wrong[0]))
            message = (
                f"the tolerance of `{member}` is {values[wrong[0]]:g}, expected a "
                "finite number above 0"
            )
            raise ModelError([Diagnostic("E306", message, limit.span)])

    def _constraints(self) -> tuple[ConstraintFamily, ...]:
        families: list[ConstraintFamily] = []
        first = 0
        for constraint in self.model.constraints:
            what = f"constraint `{constraint.name}`"
            table, _, _ = self.evaluator.space(constraint.space, SINGLE, what)
            shape = self.checked.shapes.constraint(constraint)
            families.append(ConstraintFamily(constraint.name, first, constraint, table, shape))
            first += table.size
        return tuple(families)


def _needs_variables(builder: _Builder, symbol: sym.Symbol) -> bool:
    """Whether a definition holds variables that are all fixed: constant, but known only at the
    point.
    """
    if symbol.value is None or isinstance(symbol.value, sym.DataFile):
        return False
    for item in sym.data_expressions(symbol.value):
        for node in sym.walk(item):
            if isinstance(node, sym.Lookup) and node.symbol not in builder.world.values:
                return True
    return False


def _in_si(symbol: sym.Symbol) -> sym.Symbol:
    """The symbol with the SI unit of its dimension: inline arrays are converted at their
    literals.
    """
    assert symbol.unit is not None
    return replace(symbol, unit=coherent_unit(symbol.unit.dimension))
