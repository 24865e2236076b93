"""The value of any expression over a whole table at once.

A nested sum gets a child table with a pointer to its parent row; an inner expression that uses only
some of the indices in scope is evaluated once per combination of those and spread over the rows.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from mecdsl.diagnostics import Diagnostic, Label, ModelError, Span
from mecdsl.draws import REGIONS
from mecdsl.instances.algebra import Algebra, Floats, Value
from mecdsl.instances.evaluate_layers import LayerRows
from mecdsl.instances.joins import LinkEnds, neighbours
from mecdsl.instances.log_sums import BASES, NegativeTerm, is_exponential_sum, log_of
from mecdsl.instances.narrow import Limit, limits
from mecdsl.instances.ordered_sums import OrderedSum, ordered_sum
from mecdsl.instances.random_streams import coordinate, draw, draw_level
from mecdsl.instances.tables import (
    SINGLE,
    FamilyTable,
    FloatArray,
    IntArray,
    Table,
    TooManyRows,
    expand_members,
    expand_ranges,
    refuse_if_too_large,
)
from mecdsl.model import symbolic as sym
from mecdsl.model.classes import Classifier
from mecdsl.model.dimensions import literal
from mecdsl.model.levels import Levels
from mecdsl.parsing.syntax import Kind

BARE_NAME = re.compile(r"[^\W\d]\w*")
EVERY_INDEX = "*"  # among the free indices of an expression that holds a random draw


@dataclass(slots=True, eq=False, kw_only=True)
class World:
    """The data of an instance while it grows: tables of families and symbols, values of data
    symbols.

    `values`: float64, one entry per row of the symbol's table. `offsets`: first column of each
    variable family. `domains`: what each index ran over last, for messages only. `ends`: both ends
    of the links families asked for. `drawn`: symbols with values that were drawn at random.
    """

    model: sym.Model
    shapes: Classifier
    families: dict[str, FamilyTable]
    symbols: dict[str, FamilyTable]
    values: dict[str, FloatArray]
    offsets: dict[str, int]
    domains: dict[str, sym.Domain] = field(default_factory=dict)
    seed: int = 0
    ends: dict[tuple[str, int], LinkEnds] = field(default_factory=dict)
    drawn: set[str] = field(default_factory=set)

    def labels_text(self, space: sym.Space, labels: Sequence[int]) -> str:
        """`[3, gateway]`: labels as the user knows them."""
        if not labels:
            return ""
        words = [
            self.label_text(d, label)
            for d, label in zip(self.index_domains(space), labels, strict=False)
        ]
        words += [str(label) for label in labels[len(words) :]]
        return "[" + ", ".join(words) + "]"

    def index_domains(self, space: sym.Space) -> list[sym.Domain]:
        """What each index of a space runs over; `(m, n) in pair` leads to what the indices of
        `pair` run over.
        """
        found: list[sym.Domain] = []
        for generator in space.generators:
            if len(generator.names) > 1 and isinstance(
                generator.domain, sym.FamilyDomain | sym.LinksAt
            ):
                found += self.index_domains(self.model.families[generator.domain.family].space)
            else:
                found.append(generator.domain)
        return found

    def label_text(self, domain: sym.Domain | None, label: int) -> str:
        """`3`, `gateway` or `uplink[1, 2]`: a label as the user knows it."""
        names = self.label_names(domain) if domain else None
        if names and 1 <= label <= len(names):
            return written(names[label - 1])
        if isinstance(domain, sym.FamilyDomain | sym.LinksAt) and domain.family in self.families:
            family, space = self.families[domain.family], self.model.families[domain.family].space
            if len(family.names) > 1 and 0 <= label < family.size:
                return self.row_text(domain.family, label)
            if len(space.generators) == 1 and len(space.names) == 1:  # a subset
                return self.label_text(space.generators[0].domain, label)
        return str(label)

    def label_names(self, domain: sym.Domain) -> tuple[str, ...] | None:
        """The names of the members of a domain, None where they are integers."""
        if isinstance(domain, sym.RangeDomain | sym.ListDomain):
            return self.model.families[domain.names_of].labels if domain.names_of else None
        if not isinstance(domain, sym.FamilyDomain | sym.LinksAt):
            return None
        family = self.model.families[domain.family]
        if family.labels is not None:
            return family.labels
        generators = family.space.generators
        single = len(generators) == 1 and len(generators[0].names) == 1
        return self.label_names(generators[0].domain) if single else None

    def place_text(self, table: Table, row: int) -> str:
        """` at k = 3, l = uplink[1, 2]`: the indices in scope on one row of a table."""
        words = []
        for name, column in table.columns.items():
            if name.endswith(" "):  # a pattern of `fix` or `start`
                continue
            words.append(f"{name} = {self.label_text(self.domains.get(name), int(column[row]))}")
        return " at " + ", ".join(words) if words else ""

    def row_text(self, name: str, row: int) -> str:
        """`learner.cpu[3]`: one member of a symbol or family."""
        family = self.symbols.get(name) or self.families[name]
        space = (
            self.model.symbols[name].space
            if name in self.model.symbols
            else self.model.families[name].space
        )
        labels = [int(family.table.columns[index][row]) for index in family.names]
        return name + self.labels_text(space, labels)


def written(name: str) -> str:
    """The name of a member as it is written in a model: bare if that can be read, else in
    quotes.
    """
    return name if BARE_NAME.fullmatch(name) else f'"{name}"'


class Evaluator:
    """Evaluates expressions of one world in one algebra; definitions over variables are computed
    once.

    `most`: how many rows an index space may have, where a look that may be left out would cost too
    much otherwise; then `TooManyRows` is raised.
    """

    most: int | None = None

    def __init__(self, world: World, algebra: Algebra) -> None:
        self.world = world
        self.algebra = algebra
        self.plain = Floats()
        self.definitions: dict[str, Value] = {}
        self.free: dict[int, frozenset[str]] = {}
        self.log_sums: dict[int, bool] = {}
        self.orders: dict[int, OrderedSum | None] = {}

    # Entry points

    def family(self, expression: sym.Expression, table: Table) -> Value:
        """The value of an expression on every row of a table; plain results have one entry per
        row.
        """
        value = self.value(expression, table)
        if isinstance(value, float | int | np.floating | np.bool_ | bool):
            return np.full(table.size, value)
        if isinstance(value, np.ndarray) and value.ndim == 0:
            return np.full(table.size, value[()])
        return value

    def condition(self, expression: sym.Expression, table: Table) -> NDArray[np.bool_]:
        """The truth of a data condition on every row."""
        return np.asarray(self.family(expression, table), dtype=bool)

    def space(
        self, space: sym.Space, base: Table, what: str
    ) -> tuple[Table, IntArray, list[IntArray]]:
        """Expand a space under every row of `base`: child table, pointer to the parent row, counts
        per generator.

        With a condition the counts are not those of the members.
        """
        table, pointer = base, np.arange(base.size, dtype=np.int64)
        counts: list[IntArray] = []
        for position, generator in enumerate(space.generators):
            parent, columns, count = self._generator(
                generator, table, what, limits(space, position)
            )
            table = table.take(parent).with_columns(columns)
            pointer = pointer[parent]
            counts.append(count)
        if space.condition is not None:
            kept = np.flatnonzero(self.condition(space.condition, table))
            table, pointer = table.take(kept), pointer[kept]
        return table, pointer, counts

    # Expressions

    def value(self, expression: sym.Expression, table: Table) -> Value:
        """The value of an expression; a plain float where it is the same on every row."""
        match expression:
            case sym.Constant(value=value):
                return value
            case sym.IndexValue(name=name):
                return table.columns[name].astype(np.float64)
            case sym.Lookup():
                return self._lookup(expression, table)
            case sym.LinkEnd():
                return self._link_end(expression, table)
            case sym.Member():
                return self.labels(expression, table).astype(np.float64)
            case sym.Operation():
                return self._operation(expression, table)
            case sym.Choice():
                return self._choice(expression, table)
            case sym.Function(name=name, arguments=(argument,)) if self._takes_logarithms(
                name, argument
            ):
                return self._log_sum(expression, argument, table)
            case sym.Function(name=name, arguments=arguments):
                values = [self.value(argument, table) for argument in arguments]
                return self.algebra_of(*values).call(name, values)
            case sym.Draw():
                return self._draw(expression, table)
            case sym.Membership(value=inner, domain=domain):
                return self._membership(inner, domain, table)
            case sym.Aggregate():
                return self._aggregate(expression, table)
            case _:
                raise TypeError(f"unknown expression {type(expression).__name__}")

    def labels(self, expression: sym.Expression, table: Table) -> IntArray:
        """An index expression as int64 labels."""
        if isinstance(expression, sym.IndexValue):
            return table.columns[expression.name]
        if isinstance(expression, sym.Member):
            return self._member(expression, table)
        numbers = np.asarray(self.family(expression, table), dtype=np.float64)
        return self._integers(numbers, expression.span, "an index", table)

    def _integers(self, numbers: FloatArray, span: Span, what: str, table: Table) -> IntArray:
        rounded = np.round(numbers)
        wrong = ~np.isfinite(numbers) | (
            np.abs(numbers - rounded) > 1e-9 * np.maximum(1.0, np.abs(numbers))
        )
        wrong |= np.abs(np.where(np.isfinite(numbers), numbers, 0.0)) >= 2.0**62
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            message = (
                f"{what} must be an integer, `{span.text}` is "
                f"{numbers[row]:.6g}{self.world.place_text(table, row)}"
            )
            raise ModelError([Diagnostic("E309", message, span)])
        return rounded.astype(np.int64)

    def _lookup(self, lookup: sym.Lookup, table: Table) -> Value:
        name = lookup.symbol
        rows = self._rows(lookup, table)
        if name in self.world.values:
            values = self.world.values[name]
            return float(values[0]) if rows is None else values[rows]
        symbol = self.world.model.symbols[name]
        if symbol.kind is Kind.VAR:
            offset = self.world.offsets[name]
            columns = np.zeros(table.size, dtype=np.int64) if rows is None else rows
            return self.algebra.variables(columns + offset)
        return self._defined(lookup, table, rows, name, self.family)

    def definition_at(self, lookup: sym.Lookup, table: Table, how: Callable[..., Value]) -> Value:
        """What a function of this evaluator, an expression and a table finds of a definition, at a
        lookup of it.
        """
        key = f"{how.__name__} {lookup.symbol}"
        return self._defined(lookup, table, self._rows(lookup, table), key, partial(how, self))

    def _defined(
        self,
        lookup: sym.Lookup,
        table: Table,
        rows: IntArray | None,
        key: str,
        evaluate: Callable[[sym.Expression, Table], Value],
    ) -> Value:
        """Something of a definition, found once and kept under a key, on the rows of a table."""
        name = lookup.symbol
        if key not in self.definitions:
            formula = self.world.model.symbols[name].formula
            assert formula is not None
            self.definitions[key] = evaluate(formula, self.world.symbols[name].table)
        value = self.definitions[key]
        if rows is None:
            rows = np.zeros(table.size, dtype=np.int64)
        elif len(rows) == self.world.symbols[name].size and np.array_equal(
            rows, np.arange(len(rows))
        ):
            return value
        return value[rows]

    def _rows(self, lookup: sym.Lookup, table: Table) -> IntArray | None:
        """The rows a lookup means; None for a symbol without an index that is there."""
        family = self.world.symbols[lookup.symbol]
        if not family.names and family.size:
            return None
        labels = [self.labels(index, table) for index in lookup.indices]
        if lookup.by_row:
            owner = self.world.families[self.world.model.symbols[lookup.symbol].owner or ""]
            first = [owner.table.columns[name][labels[0]] for name in owner.names]
            labels = [*first, *labels[1:]]
        rows = family.locate(labels, table.size)
        missing = rows < 0
        if missing.any():
            raise self._outside(lookup, labels, int(np.flatnonzero(missing)[0]), table)
        return rows

    def _outside(
        self, lookup: sym.Lookup, labels: Sequence[IntArray], row: int, table: Table
    ) -> ModelError:
        symbol = self.world.model.symbols[lookup.symbol]
        family = self.world.symbols[lookup.symbol]
        asked = self.world.labels_text(symbol.space, [int(label[row]) for label in labels])
        if family.size:
            parts = [
                f"{name} in {low}..{low + extent - 1}"
                for name, low, extent in zip(
                    family.names, family.lowest.tolist(), family.extent.tolist(), strict=True
                )
            ]
            shape = ", ".join(parts) + ("" if family.codes is None else ", not every combination")
        else:
            shape = "it is empty"
        return ModelError(
            [
                Diagnostic(
                    "E309",
                    f"`{lookup.symbol}` has no member {asked}{self.world.place_text(table, row)}",
                    lookup.span,
                    (Label(symbol.span, "declared here"),),
                    note=f"`{lookup.symbol}`: {shape}",
                    help="add a condition, `where` or `if`, that leaves this row out",
                )
            ]
        )

    def _takes_logarithms(self, name: str, argument: sym.Expression) -> bool:
        """Whether a function is the logarithm of a sum of exponentials, and this algebra has
        numbers to shift it by.
        """
        if name not in BASES or not self.algebra.numeric:
            return False
        if id(argument) not in self.log_sums:
            self.log_sums[id(argument)] = is_exponential_sum(self, argument)
        return self.log_sums[id(argument)]

    def _log_sum(self, function: sym.Function, argument: sym.Expression, table: Table) -> Value:
        with np.errstate(all="ignore"):
            try:
                return log_of(self, argument, table) * BASES[function.name]
            except NegativeTerm:
                self.log_sums[id(argument)] = False
                return self.value(function, table)

    def _link_end(self, end: sym.LinkEnd, table: Table) -> FloatArray:
        family = self.world.families[end.family]
        rows = self.labels(end.link, table)
        if len(family.names) == 1:
            rows = family.locate([rows], table.size)
        missing = np.flatnonzero((rows < 0) | (rows >= family.size))
        if len(missing):
            raise self._no_member(end.family, end.link.span, table, int(missing[0]))
        return self.link_ends(end.family, end.end).labels[rows].astype(np.float64)

    def link_ends(self, name: str, end: int) -> LinkEnds:
        """The ends of all links of a family, found once for each instance."""
        if (name, end) not in self.world.ends:
            family = self.world.model.families[name]
            assert family.ends is not None
            self.world.ends[name, end] = LinkEnds.of(
                self.labels(family.ends[end], self.world.families[name].table)
            )
        return self.world.ends[name, end]

    def _member(self, member: sym.Member, table: Table) -> IntArray:
        """The labels or rows of members found from others."""
        family = self.world.families[member.family]
        labels = [self.labels(argument, table) for argument in member.arguments]
        match member.function:
            case "first" | "last":
                if family.size == 0:
                    message = f"`{member.span.text}` of an empty family"
                    raise ModelError([Diagnostic("E309", message, member.span)])
                column = family.table.columns[family.names[0]]
                return np.full(table.size, column[0 if member.function == "first" else -1])
            case "prev" | "next":
                found, missing = neighbours(
                    family, labels[0], -1 if member.function == "prev" else 1
                )
            case "at" | "row":
                found = family.locate(labels, table.size)
                missing = np.flatnonzero(found < 0) if member.function == "at" else found[:0]
            case _:
                raise TypeError(f"unknown member {member.function}")
        if len(missing):
            raise self._no_member(member.family, member.span, table, int(missing[0]))
        return found

    def _no_member(self, family: str, span: Span, table: Table, row: int) -> ModelError:
        message = f"`{span.text}` is no member of `{family}`{self.world.place_text(table, row)}"
        labels = (Label(self.world.model.families[family].span, "declared here"),)
        fix = "add a condition, `where` or `if`, that leaves this row out"
        return ModelError([Diagnostic("E309", message, span, labels, help=fix)])

    def _operation(self, operation: sym.Operation, table: Table) -> Value:
        if operation.operator in ("and", "or"):
            return self._both_or_either(operation, table)
        if operation.operator == "^" and literal(operation.operands[1]) == 0:
            return 1.0  # the class of `x^0` is that of a number, so no variable may be asked for
        operands = [self.value(operand, table) for operand in operation.operands]
        with np.errstate(all="ignore"):
            match operation.operator:
                case "+":
                    return operands[0] + operands[1]
                case "-":
                    return operands[0] - operands[1]
                case "*":
                    return operands[0] * operands[1]
                case "/":
                    return self._quotient(operands[0], operands[1])
                case "^":
                    return self._power(operands[0], operands[1])
                case "neg":
                    return -operands[0]
                case "not":
                    return np.logical_not(operands[0])
                case "<=":
                    return np.less_equal(operands[0], operands[1])
                case ">=":
                    return np.greater_equal(operands[0], operands[1])
                case "<":
                    return np.less(operands[0], operands[1])
                case ">":
                    return np.greater(operands[0], operands[1])
                case "==":
                    return np.equal(operands[0], operands[1])
                case "!=":
                    return np.not_equal(operands[0], operands[1])
                case _:
                    raise TypeError(f"unknown operator {operation.operator}")

    def _both_or_either(self, operation: sym.Operation, table: Table) -> NDArray[np.bool_]:
        """The right side is evaluated only where it matters, so `k > 1 and x[k-1] > 0` is safe."""
        left, right = operation.operands
        truth = self.condition(left, table).copy()
        rows = np.flatnonzero(truth if operation.operator == "and" else ~truth)
        if len(rows):
            truth[rows] = self.condition(right, table.take(rows))
        return truth

    @staticmethod
    def _quotient(above: Value, below: Value) -> Value:
        """A quotient; division of plain numbers by zero gives inf or nan, which are found where
        they are used.
        """
        return (
            np.float64(above) / below
            if isinstance(above, float | int) and not _is_jet(below)
            else above / below
        )

    @staticmethod
    def _power(base: Value, exponent: Value) -> Value:
        return (
            np.float64(base) ** exponent
            if isinstance(base, float | int) and not _is_jet(exponent)
            else base**exponent
        )

    def _draw(self, random: sym.Draw, table: Table) -> FloatArray:
        """Random data: one number for every row, found from the seed, the address and the indices
        in scope.
        """
        self.world.drawn.add(random.symbol)
        arguments = [
            np.asarray(self.family(argument, table), dtype=np.float64)
            for argument in random.arguments
        ]
        labels = list(table.columns.values())
        if random.axis is None:
            level = Levels(self.world.model).drawn(random)
            drawn = draw if level is None else partial(draw_level, level.factor)
            return drawn(
                random.function, arguments, self.world.seed, random.symbol, random.call, labels
            )
        self._require_region(random, arguments, table)
        address = (self.world.seed, random.symbol, random.call, labels)
        return coordinate(random.function, random.axis, arguments, *address)

    def _require_region(
        self, random: sym.Draw, lengths: Sequence[FloatArray], table: Table
    ) -> None:
        """Lengths of a region are finite and not negative, and a ring's inner radius is not above
        its outer one.
        """
        named = list(zip(REGIONS[random.function], lengths, random.arguments, strict=True))
        for name, values, argument in named:
            wrong = np.flatnonzero(~((values >= 0.0) & (values < np.inf)))
            if len(wrong):
                row = int(wrong[0])
                what = (
                    f"the {name} of `{random.function}` is {values[row]:g} "
                    f"m{self.world.place_text(table, row)}"
                )
                raise ModelError(
                    [Diagnostic("E306", f"{what}, expected a length >= 0", argument.span)]
                )
        if random.function == "ring" and (wrong := np.flatnonzero(lengths[0] > lengths[1])).size:
            row = int(wrong[0])
            what = (
                f"the inner radius {lengths[0][row]:g} m is above the outer one, "
                f"{lengths[1][row]:g} m"
            )
            place = self.world.place_text(table, row)
            fix = "write `ring(inner, outer)`"
            raise ModelError(
                [Diagnostic("E306", f"{what}{place}", random.arguments[0].span, help=fix)]
            )

    def _choice(self, choice: sym.Choice, table: Table) -> Value:
        """Each branch is evaluated only on the rows that take it, so `if k > 1 then x[k-1] else 0`
        is safe.
        """
        truth = self.condition(choice.condition, table)
        if truth.all():
            return self.value(choice.then, table)
        if not truth.any():
            return self.value(choice.otherwise, table)
        parts = []
        for rows, branch in (
            (np.flatnonzero(truth), choice.then),
            (np.flatnonzero(~truth), choice.otherwise),
        ):
            parts.append((rows, self.family(branch, table.take(rows))))
        return self.algebra_of(*(value for _, value in parts)).merge(table.size, parts)

    def _membership(
        self, inner: sym.Expression, domain: sym.Domain, table: Table
    ) -> NDArray[np.bool_]:
        labels = self.labels(inner, table)
        match domain:
            case sym.RangeDomain(low=low, high=high):
                return np.asarray(
                    (labels >= self.value(low, table)) & (labels <= self.value(high, table))
                )
            case sym.FamilyDomain(family=name):
                family = self.world.families[name]
                if len(family.names) == 1:
                    return family.locate([labels], table.size) >= 0
                return (labels >= 0) & (labels < family.size)
            case sym.LayersDomain():
                return self._layers(domain, table).hold(labels)
            case sym.ListDomain(items=items):
                found = np.zeros(table.size, dtype=bool)
                for item in items:
                    found |= labels == self.labels(item, table)
                return found
            case _:
                raise TypeError(f"unknown domain {type(domain).__name__}")

    def _layers(self, domain: sym.LayersDomain, table: Table) -> LayerRows:
        """The layers of a cut or beside a layer, for every row."""
        file = self.world.model.families[domain.family].layer_file
        before = None if file is None else file.before
        return LayerRows(
            domain.group, self.world.families[domain.family], before, self.labels(domain.of, table)
        )

    # Aggregates and generators

    def _aggregate(self, aggregate: sym.Aggregate, table: Table) -> Value:
        free = self.free_indices(aggregate)
        used = [name for name in table.columns if name in free or EVERY_INDEX in free]
        if len(used) < len(table.columns) and table.size > 1:
            small, spread = _project(table, used)
            if small.size < table.size:
                return self._aggregate_on(aggregate, small)[spread]
        return self._aggregate_on(aggregate, table)

    def algebra_of(self, *values: Value) -> Algebra:
        """Plain numbers stay plain; anything else belongs to the algebra of this evaluator."""
        return self.plain if all(_is_plain(value) for value in values) else self.algebra

    def free_indices(self, expression: sym.Expression) -> frozenset[str]:
        """The indices an expression takes from outside."""
        if id(expression) not in self.free:
            match expression:
                case sym.IndexValue(name=name):
                    found = frozenset({name})
                case sym.Draw():
                    found = frozenset({EVERY_INDEX})
                case sym.Aggregate(body=body, space=space):
                    parts = (body, *sym.space_parts(space))
                    found = frozenset().union(*map(self.free_indices, parts)) - set(space.names)
                case _:
                    found = frozenset().union(*map(self.free_indices, sym.children(expression)))
            self.free[id(expression)] = found
        return self.free[id(expression)]

    def _aggregate_on(self, aggregate: sym.Aggregate, table: Table) -> Value:
        running = self._running_sum(aggregate, table)
        if running is not None:
            return running
        child, parent, _ = self.space(aggregate.space, table, f"`{aggregate.span.text}`")
        body = self.family(aggregate.body, child)
        algebra = self.algebra_of(body)
        match aggregate.function:
            case "sum":
                return algebra.segment_sum(body, parent, table.size)
            case "prod":
                return algebra.segment_prod(body, parent, table.size)
            case "count":
                # a weighted count of an empty list is one of integers in NumPy
                return np.bincount(parent, weights=body, minlength=table.size).astype(np.float64)
            case "all":
                return np.bincount(parent, weights=~body, minlength=table.size) == 0
            case "any":
                return np.bincount(parent, weights=body, minlength=table.size) > 0
            case "min" | "max":
                empty = np.bincount(parent, minlength=table.size) == 0
                if empty.any():
                    row = int(np.flatnonzero(empty)[0])
                    message = (
                        f"`{aggregate.function}` over nothing{self.world.place_text(table, row)}"
                    )
                    raise ModelError([Diagnostic("E309", message, aggregate.span)])
                return algebra.segment_extreme(aggregate.function, body, parent, table.size)
            case _:
                raise TypeError(f"unknown aggregate {aggregate.function}")

    def _running_sum(self, aggregate: sym.Aggregate, table: Table) -> Value | None:
        """A sum over the members before one in an order; None where it is none, or where the
        algebra has it written out.
        """
        if id(aggregate) not in self.orders:
            names = tuple(table.columns)
            self.orders[id(aggregate)] = ordered_sum(aggregate, names, self.free_indices)
        ordered = self.orders[id(aggregate)]
        if ordered is None:
            return None
        shared, spread = _project(table, ordered.shared)
        try:
            members, parent, _ = self.space(ordered.members, shared, f"`{aggregate.span.text}`")
            body = self.family(aggregate.body, members)
            of_members = [self.family(pair[0], members) for pair in ordered.compared]
            of_places = [self.family(pair[1], table) for pair in ordered.compared]
        except ModelError:  # a member that the condition leaves out has not what is asked for
            return None
        sums = partial(ordered.sums, (parent, *of_members), (spread, *of_places))
        return self.algebra_of(body).running_sum(body, sums)

    def _generator(
        self, generator: sym.Generator, table: Table, what: str, known: Iterable[Limit]
    ) -> tuple[IntArray, Mapping[str, IntArray], IntArray]:
        """Parent rows, new label columns and counts of one generator under every row of a table."""
        names = generator.names
        if len(names) == 1:
            self.world.domains[names[0]] = generator.domain

        def refuse_many(rows: float) -> None:
            if self.most is not None and rows > self.most:
                raise TooManyRows(rows, generator.span)
            refuse_if_too_large(rows, len(table.columns) + len(names), what, generator.span)

        match generator.domain:
            case sym.RangeDomain():
                lows, highs = self._range_ends(generator.domain, known, table)
                refuse_many(float(np.maximum(highs.astype(float) - lows + 1, 0).sum()))
                parent, labels, counts = expand_ranges(lows, highs)
                return parent, {names[0]: labels}, counts
            case sym.LayersDomain():
                layers = self._layers(generator.domain, table)
                counts = layers.counts()
                refuse_many(float(counts.sum()))
                parent, members = layers.members(counts)
                return parent, {names[0]: members}, counts
            case sym.ListDomain(items=items):
                parent, labels, counts = self._listed(items, table)
                return parent, {names[0]: labels}, counts
            case sym.LinksAt(family=name, end=end, node=node):
                family, ends = self.world.families[name], self.link_ends(name, end)
                first, counts = ends.count(self.labels(node, table))
                refuse_many(float(counts.sum()))
                parent, positions = ends.links(first, counts)
                return parent, self._member_columns(family, names, positions), counts
            case sym.FamilyDomain(family=name):
                family = self.world.families[name]
                refuse_many(float(table.size) * family.size)
                parent, positions, counts = expand_members(table.size, family.size)
                return parent, self._member_columns(family, names, positions), counts
            case _:
                raise TypeError(f"unknown domain {type(generator.domain).__name__}")

    def _range_ends(
        self, domain: sym.RangeDomain, known: Iterable[Limit], table: Table
    ) -> tuple[IntArray, IntArray]:
        """First and last number of a range on every row, cut to what a condition leaves of it."""
        low, high = domain.low, domain.high
        lows = self._integers(self.family(low, table), low.span, "the start of a range", table)
        highs = self._integers(self.family(high, table), high.span, "the end of a range", table)
        return self._narrowed(lows, highs, known, table)

    def _listed(
        self, items: tuple[sym.Expression, ...], table: Table
    ) -> tuple[IntArray, IntArray, IntArray]:
        """Parent rows, labels and counts of labels written one by one."""
        columns = [self.labels(item, table) for item in items]
        parent, positions, counts = expand_members(table.size, len(columns))
        stacked = (
            np.stack(columns, axis=1) if columns else np.zeros((table.size, 0), dtype=np.int64)
        )
        return parent, stacked[parent, positions], counts

    def _narrowed(
        self, lows: IntArray, highs: IntArray, known: Iterable[Limit], table: Table
    ) -> tuple[IntArray, IntArray]:
        """Ranges cut to what a condition leaves of them, rounded outwards."""
        for limit in known:
            centre = np.asarray(self.family(limit.centre, table), dtype=np.float64)
            reach = (
                0.0
                if limit.reach is None
                else np.asarray(self.family(limit.reach, table), dtype=np.float64)
            )
            if limit.reach is not None or limit.operator not in ("<=", "<"):
                least = np.floor(centre - reach)
                lows = np.where(least > lows, np.minimum(least, highs + 1), lows).astype(np.int64)
            if limit.reach is not None or limit.operator not in (">=", ">"):
                most = np.ceil(centre + reach)
                highs = np.where(most < highs, np.maximum(most, lows - 1), highs).astype(np.int64)
        return lows, highs

    @staticmethod
    def _member_columns(
        family: FamilyTable, names: Sequence[str], positions: IntArray
    ) -> dict[str, IntArray]:
        """The members at some positions under new index names: their rows under one name, their
        indices under all.
        """
        if len(names) == 1 and len(family.names) != 1:
            return {names[0]: positions}
        inner = (family.table.columns[own][positions] for own in family.names)
        return dict(zip(names, inner, strict=True))


def _is_plain(value: Value) -> bool:
    if isinstance(value, np.ndarray):
        return bool(value.dtype != object)
    return isinstance(value, float | int | np.generic)


def _is_jet(value: Value) -> bool:
    return not isinstance(value, np.ndarray | float | int | np.floating)


def _project(table: Table, names: Sequence[str]) -> tuple[Table, IntArray]:
    """The distinct rows of some columns, and for every row of the table its place among them."""
    if not names:
        return SINGLE, np.zeros(table.size, dtype=np.int64)
    stacked = np.stack([table.columns[name] for name in names], axis=1)
    distinct, spread = np.unique(stacked, axis=0, return_inverse=True)
    columns = {name: distinct[:, position] for position, name in enumerate(names)}
    return Table(len(distinct), columns), spread.reshape(-1).astype(np.int64)
