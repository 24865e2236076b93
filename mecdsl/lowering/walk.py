"""The walk that takes kinks out of expressions: which way a larger value counts, down to every
`max`, `min`, `abs`.

A side of an expression, 1 where a larger value never helps (a minimised objective, the left of
`<=`), -1 where a smaller one never helps, 0 where both may, goes down through sums, data factors
and functions that rise or fall. There a variable with `t >= max(...)` says the same as the maximum,
whatever is convex: if a point with a larger t is feasible, so is the one with t at the maximum, and
it is as good. Where data factors have both signs the two are told apart by `if`. Definitions with a
kink get a copy for each side they are used on.

What has no exact form of this kind stays as it is, and `kept` says why.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from mecdsl.functions.function import Several, Smoothness, Univariate
from mecdsl.functions.table import TABLE
from mecdsl.instances.evaluate import Evaluator
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray
from mecdsl.lowering.draft import Draft
from mecdsl.lowering.extremes import LARGEST_END, Extreme, Part, choose_part, parts_of, undominated
from mecdsl.lowering.place import Place, of_symbol
from mecdsl.lowering.ranges import Ranges
from mecdsl.lowering.roots import Roots, power
from mecdsl.lowering.steps import Step, kind_of, short
from mecdsl.model import symbolic as sym
from mecdsl.model.classes import Degree
from mecdsl.model.dimensions import literal
from mecdsl.model.relation import Relation
from mecdsl.parsing.syntax import Kind
from mecdsl.reformulations.compose import ZERO
from mecdsl.reformulations.rewrite import substitute, substitute_space

EXTREMES = tuple(n for n, row in TABLE.items() if row.smoothness is Smoothness.KINKED)


ROUNDING = 1e-12  # of the wider end of a range


@dataclass(slots=True, eq=False, kw_only=True)
class Walk:
    """The walk through one instance; `cones`: norms become cones too, for solvers that need
    derivatives everywhere.
    """

    instance: Instance
    cones: bool
    draft: Draft
    ranges: Ranges
    roots: Roots
    steps: list[Step] = field(default_factory=list)
    where: str = ""
    holding: dict[int, bool] = field(default_factory=dict)
    copies: dict[tuple[str, int, bool], str] = field(default_factory=dict)
    alive: list[sym.Expression] = field(default_factory=list)
    norms: list[str] = field(default_factory=list)

    @staticmethod
    def of(instance: Instance, cones: bool) -> "Walk":
        """A walk that has taken no step."""
        ranges = Ranges(instance)
        roots = Roots(instance.model, instance.checked.shapes, ranges)
        return Walk(
            instance=instance, cones=cones, draft=Draft.of(instance), ranges=ranges, roots=roots
        )

    # What holds a kink

    def holds(self, expression: sym.Expression) -> bool:
        """Whether a kink over variables is in an expression, definitions followed."""
        key = id(expression)
        if key not in self.holding:
            self.holding[key] = any(self.is_kink(node) for node in sym.walk(expression))
            self.alive.append(expression)  # its id must not become that of another
        return self.holding[key]

    def is_kink(self, node: sym.Expression) -> bool:
        """Whether a part is a kink over variables itself, or a definition that holds one."""
        match node:
            case sym.Function(name=name) if name in EXTREMES or name == "sqrt":
                return not self._is_data(node)
            case sym.Aggregate(function="max" | "min"):
                return not self._is_data(node)
            case sym.Lookup(symbol=name):
                symbol = self.draft.symbols[name]
                if symbol.kind not in (Kind.LET, Kind.REPORT) or symbol.formula is None:
                    return False
                return name not in self.instance.world.values and self.holds(symbol.formula)
            case _:
                return False

    def _is_data(self, expression: sym.Expression) -> bool:
        return self.draft.shapes.is_data(expression)

    # The walk

    def lower(
        self, expression: sym.Expression, side: int, place: Place, domain: bool = False
    ) -> sym.Expression:
        """The expression in the twin.

        `domain`: what is above needs the values to stay in their range.
        """
        if not self.holds(expression):
            return expression
        match expression:
            case sym.Lookup():
                return self._lookup(expression, side, domain)
            case sym.Operation(operator="+" | "-" | "neg"):
                return self._sum(expression, side, place, domain)
            case sym.Operation(operator="*" | "/"):
                return self._product(expression, side, place, domain)
            case sym.Operation(operator="^"):
                return self._power(expression, side, place, domain)
            case sym.Choice():
                return self._choice(expression, side, place, domain)
            case sym.Aggregate(function="sum" | "prod"):
                return self._aggregate(expression, side, place, domain)
            case sym.Function(name=name) if name in EXTREMES:
                return self._extreme(expression, side, place, domain)
            case sym.Aggregate(function="max" | "min"):
                return self._extreme(expression, side, place, domain)
            case sym.Function():
                return self._function(expression, side, place, domain)
            case _:
                return self._keep(expression, "no rule takes it apart")

    def _keep(self, expression: sym.Expression, reason: str) -> sym.Expression:
        self.steps.append(Step(kind_of(expression), self.where, "", reason, expression.span))
        return expression

    def note(self, expression: sym.Expression, method: str) -> None:
        """Remember what became of a kink."""
        self.steps.append(Step(kind_of(expression), self.where, method, "", expression.span))

    def _lookup(self, lookup: sym.Lookup, side: int, domain: bool) -> sym.Expression:
        key = (lookup.symbol, side, domain)
        if key not in self.copies:
            symbol = self.draft.symbols[lookup.symbol]
            assert symbol.formula is not None
            place = of_symbol(
                self.instance.model, symbol, self.instance.world.symbols[symbol.name].table
            )
            value = self.lower(symbol.formula, side, place, domain)
            same = value is symbol.value
            self.copies[key] = symbol.name if same else self.draft.definition(symbol, value)
        name = self.copies[key]
        return lookup if name == lookup.symbol else replace(lookup, symbol=name)

    def _sum(
        self, operation: sym.Operation, side: int, place: Place, domain: bool
    ) -> sym.Expression:
        *first, last = operation.operands
        turned = side if operation.operator == "+" else -side
        done = (
            *(self.lower(one, side, place, domain) for one in first),
            self.lower(last, turned, place, domain),
        )
        return _with(operation, done)

    def _product(
        self, operation: sym.Operation, side: int, place: Place, domain: bool
    ) -> sym.Expression:
        left, right = operation.operands
        if self._is_data(right):
            return self._scaled(operation, 0, side, place, domain)
        if self._is_data(left) and operation.operator == "*":
            return self._scaled(operation, 1, side, place, domain)
        signs = [self.ranges.sign(one, place) for one in (left, right)]
        sides = (side * signs[1], side * signs[0])
        if operation.operator == "/":
            sides = (sides[0], -sides[1] if signs[1] else 0)
        done = tuple(
            self.lower(one, to, place, True) for one, to in zip((left, right), sides, strict=True)
        )
        return _with(operation, done)

    def _scaled(
        self, operation: sym.Operation, position: int, side: int, place: Place, domain: bool
    ) -> sym.Expression:
        """Data times or below what is at a position; where the data have both signs, each by
        itself.
        """
        inner, data = operation.operands[position], operation.operands[1 - position]
        sign = self.ranges.sign(data, place)

        def with_sign(number: int, there: Place) -> sym.Expression:
            done = self.lower(inner, side * number, there, domain)
            return _with(operation, (done, data) if position == 0 else (data, done))

        names = (node.symbol for node in sym.walk(data) if isinstance(node, sym.Lookup))
        if sign or not side or not all(name in self.instance.world.values for name in names):
            return with_sign(sign, place)
        above = sym.Operation(">=", (data, ZERO), data.span)
        then = with_sign(1, place.where(above, True, self.ranges.plain))
        otherwise = with_sign(-1, place.where(above, False, self.ranges.plain))
        return sym.Choice(above, then, otherwise, operation.span)

    def _power(
        self, operation: sym.Operation, side: int, place: Place, domain: bool
    ) -> sym.Expression:
        base, exponent = operation.operands
        number = literal(exponent)
        even = number is not None and number % 2 == 0
        if even and number is not None and number > 0:
            square = self.roots.square(base, place, ("sqrt", "abs"))
            if square is not None:
                self.note(operation, "square")
                return self.lower(power(square, number / 2.0, operation.span), side, place, domain)
        if not self._is_data(exponent):
            return self._keep(operation, f"`{short(exponent)}` is an exponent over variables")
        low, high = self.ranges.of(exponent, place)
        up, down = bool((low >= 0.0).all()), bool((high <= 0.0).all())
        above = self.ranges.sign(base, place) > 0
        odd = number is not None and number % 2 == 1
        direction = (1 if up else -1 if down else 0) if above else (1 if odd and up else 0)
        return _with(operation, (self.lower(base, side * direction, place, True), exponent))

    def _choice(self, choice: sym.Choice, side: int, place: Place, domain: bool) -> sym.Expression:
        branches = []
        for branch, holds in ((choice.then, True), (choice.otherwise, False)):
            there = place.where(choice.condition, holds, self.ranges.plain)
            branches.append(self.lower(branch, side, there, domain))
        if branches[0] is choice.then and branches[1] is choice.otherwise:
            return choice
        return replace(choice, then=branches[0], otherwise=branches[1])

    def _aggregate(
        self, aggregate: sym.Aggregate, side: int, place: Place, domain: bool
    ) -> sym.Expression:
        space, inner = substitute_space(aggregate.space, {}, place.names)
        body = substitute(aggregate.body, inner)
        inside = place.inside(space, self.ranges.plain, f"`{aggregate.span.text}`")
        if aggregate.function == "prod":
            side, domain = side * (self.ranges.sign(body, inside) > 0), True
        done = self.lower(body, side, inside, domain)
        return aggregate if done is body else replace(aggregate, space=space, body=done)

    def _function(
        self, function: sym.Function, side: int, place: Place, domain: bool
    ) -> sym.Expression:
        name, arguments = function.name, function.arguments
        if name == "sqrt":
            root = self._root(function, side, place, domain)
            if root is not None:
                return root
        if not any(self.holds(one) for one in arguments):
            return function
        row = TABLE[name]
        if row.smoothness is Smoothness.STEPPED:
            return self._keep(function, f"`{name}` is no smooth function of it")
        if isinstance(row, Univariate):
            sides = [self._side_of_argument(row, arguments[0], side, place)]
            domain = domain or not row.direction
        else:
            sides, domain = self._sides_of_arguments(row, arguments, side, place), True
        pairs = zip(arguments, sides, strict=True)
        done = tuple(self.lower(one, to, place, domain) for one, to in pairs)
        return _with(function, done)

    def _side_of_argument(
        self, row: Univariate, argument: sym.Expression, side: int, place: Place
    ) -> int:
        """The side of the argument of a function: 0 where it goes either way, or where a variable
        in the argument's place could enter the domain from outside.
        """
        low, high = self.ranges.of(argument, place)
        ways = row.bends(row.domain.clip(low), row.domain.clip(high))
        to = side if ways.rising.all() else -side if ways.falling.all() else 0
        open_end = row.domain.low if to > 0 else row.domain.high
        inside = bool(row.domain.holds(low, high).all())
        return to if inside or np.isinf(open_end) else 0

    def _sides_of_arguments(
        self, row: Several, arguments: Sequence[sym.Expression], side: int, place: Place
    ) -> list[int]:
        signs = [self.ranges.sign(one, place) for one in arguments]
        if row.name == "quad_over_lin":
            return [side * signs[0], -side if signs[1] > 0 else 0]
        return [side if row.rising and min(signs) > 0 else 0] * len(arguments)

    # Roots

    def _root(
        self, function: sym.Function, side: int, place: Place, domain: bool
    ) -> sym.Expression | None:
        """`sqrt(x^2)` as `abs(x)`, and a norm as a cone; None where the root stays."""
        (argument,) = function.arguments
        if (
            isinstance(argument, sym.Operation)
            and argument.operator == "^"
            and literal(argument.operands[1]) == 2
        ):
            absolute = sym.Function("abs", (argument.operands[0],), function.span)
            return self._extreme(absolute, side, place, domain)
        if not self.cones or side <= 0 or (self.ranges.of(argument, place)[0] > 0.0).all():
            return None
        around = place.seen_from((function,))
        return self._cone(function, argument, around)

    def _cone(
        self, function: sym.Function, argument: sym.Expression, place: Place
    ) -> sym.Expression | None:
        """A variable that is at least the norm; None where the argument is no sum of squares of
        affine terms.
        """
        probe = sym.Lookup("", (), function.span)
        if self.roots.over(argument, probe, place) is None:
            return None
        table = place.table

        def meaning(evaluator: Evaluator) -> FloatArray:
            value = np.array(evaluator.family(function, table), dtype=np.float64)
            return np.where(
                value > 0.0, value, np.nan
            )  # at its tip the cone has no slope to start with

        norm = self.draft.column(f"{self.where}_norm", place, function, meaning, (0.0, np.inf))
        self.norms.append(norm.symbol)
        quotients = self.roots.over(argument, norm, place)
        assert quotients is not None
        self.draft.row(f"{norm.symbol}.cone", place, quotients, Relation.AT_MOST, norm)
        self.note(function, "cone")
        return norm

    # Maxima, minima, absolute values

    def _extreme(
        self, node: sym.Expression, side: int, place: Place, domain: bool
    ) -> sym.Expression:
        place = place.seen_from((node,))
        sign, pieces = parts_of(node)
        parts = tuple(self._part(expression, space, place) for expression, space in pieces)
        extreme = Extreme(node, sign, parts, place)
        extreme = replace(extreme, parts=undominated(extreme))
        if len(extreme.parts) == 1 and not extreme.parts[0].space.generators:
            self.note(node, "settled")
            return self.lower(extreme.parts[0].expression, side, place, domain)
        if self._infinite(extreme):
            return self._keep(node, "a part of it is not finite")
        if side == sign:
            return self._epigraph(extreme, domain)
        fault = self._why_not_linear(extreme)
        return self._keep(node, fault) if fault else self._chosen(extreme, side, domain)

    def _part(self, expression: sym.Expression, space: sym.Space, place: Place) -> Part:
        if not space.generators:
            parent = np.arange(place.table.size, dtype=np.int64)
            low, high = self.ranges.of(expression, place)
            return Part(
                expression=expression, place=place, space=space, parent=parent, low=low, high=high
            )
        space, inner = substitute_space(space, {}, place.names)
        body = substitute(expression, inner)
        what = f"`{expression.span.text}`"
        table, parent, _ = self.ranges.plain.space(space, place.table, what)
        inside = Place((*place.generators, *space.generators), table)
        low, high = self.ranges.of(body, inside)
        return Part(expression=body, place=inside, space=space, parent=parent, low=low, high=high)

    def _infinite(self, extreme: Extreme) -> bool:
        """Whether a part that is data alone has a value that is no coefficient."""
        data = [part for part in extreme.parts if self._is_data(part.expression)]
        return not all(
            bool(np.isfinite(part.low).all() and np.isfinite(part.high).all()) for part in data
        )

    def _new(self, extreme: Extreme, domain: bool) -> sym.Lookup:
        whole = extreme.whole
        word = (
            whole.name if isinstance(whole, sym.Function) else "max" if extreme.sign > 0 else "min"
        )
        low, high = -np.inf, np.inf
        bounds: tuple[FloatArray | float, FloatArray | float] = (
            0.0 if word == "abs" else low,
            high,
        )
        if domain:
            bounds = _rounded(*self.ranges.of(whole, extreme.place))
        return self.draft.column(
            f"{self.where}_{word}", extreme.place, whole, extreme.meaning, bounds
        )

    def _epigraph(self, extreme: Extreme, domain: bool) -> sym.Expression:
        new = self._new(extreme, domain)
        self._cover(extreme, new)
        self.note(extreme.whole, "rows")
        return new

    def _cover(self, extreme: Extreme, new: sym.Lookup) -> None:
        """`t >= p_i`: every part is on the small side of a row, whatever stands in it."""
        relation = Relation.AT_LEAST if extreme.sign > 0 else Relation.AT_MOST
        for number, part in enumerate(extreme.parts, 1):
            inner = self.lower(part.expression, extreme.sign, part.place)
            suffix = f"_{number}" if len(extreme.parts) > 1 else ""
            self.draft.row(f"{new.symbol}.row{suffix}", part.place, new, relation, inner)

    def _chosen(self, extreme: Extreme, side: int, domain: bool) -> sym.Expression:
        new = self._new(extreme, domain)
        if side == 0:
            self._cover(extreme, new)
        inner = [self.lower(part.expression, -extreme.sign, part.place) for part in extreme.parts]
        choose_part(self.draft, extreme, new.symbol, new, inner)
        self.note(extreme.whole, "binaries")
        return new

    def _why_not_linear(self, extreme: Extreme) -> str:
        """Why binaries do not state an extreme value exactly; empty if they do."""
        for part in extreme.parts:
            if not self._piecewise_linear(part.expression):
                return f"`{short(part.expression)}` is not linear"
        if extreme.bounded:
            return ""
        free = next(part for part in extreme.parts if not part.bounded)
        low = bool((np.abs(free.low) <= LARGEST_END).all())
        return f"`{short(free.expression)}` has no finite {'upper' if low else 'lower'} bound"

    def _piecewise_linear(self, expression: sym.Expression) -> bool:
        if self.draft.shapes.shape(expression).degree <= Degree.LINEAR:
            return True
        match expression:
            case sym.Operation(operator="+" | "-" | "neg", operands=operands):
                return all(self._piecewise_linear(one) for one in operands)
            case sym.Operation(operator="*", operands=(left, right)):
                inner = right if self._is_data(left) else left
                return (self._is_data(left) or self._is_data(right)) and self._piecewise_linear(
                    inner
                )
            case sym.Operation(operator="/", operands=(left, right)):
                return self._is_data(right) and self._piecewise_linear(left)
            case sym.Choice(then=then, otherwise=otherwise):
                return self._piecewise_linear(then) and self._piecewise_linear(otherwise)
            case sym.Aggregate(function="sum" | "max" | "min", body=body):
                return self._piecewise_linear(body)
            case sym.Function(name=name, arguments=arguments) if name in EXTREMES:
                return all(self._piecewise_linear(one) for one in arguments)
            case sym.Lookup(symbol=name):
                formula = self.draft.symbols[name].formula
                return formula is not None and self._piecewise_linear(formula)
            case _:
                return False


def _rounded(low: FloatArray, high: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Ends with 0 for what is rounding beside the other: as a bound it would pass for the size of
    the variable.
    """
    size = ROUNDING * np.maximum(np.abs(low), np.abs(high))
    ends = (np.where((np.abs(end) <= size) & np.isfinite(size), 0.0, end) for end in (low, high))
    lower, upper = ends
    return lower, upper


def _with(node: sym.Operation | sym.Function, parts: Sequence[sym.Expression]) -> sym.Expression:
    """The node with other operands or arguments; itself if they are the same."""
    old = node.operands if isinstance(node, sym.Operation) else node.arguments
    if all(new is before for new, before in zip(parts, old, strict=True)):
        return node
    if isinstance(node, sym.Operation):
        return replace(node, operands=tuple(parts))
    return replace(node, arguments=tuple(parts))
