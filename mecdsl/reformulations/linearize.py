"""`linearize x*y`: products of two variables become variables with linear rows.

Where one factor is 0 or 1 the rows of McCormick leave the product no other value: exact. Otherwise
they are its convex hull over the box of the two limits: a relaxation, and the model says so. A
binary times itself is the binary.

Choices: the pass works on the checked symbolic model and not on the text, because there every
product knows the indices it stands under, so the new variable is a family like any other. Products
of sums and of definitions are multiplied out first, since x*sum(y) has rows with tighter limits,
and is exact in more cases, when each x*y is taken by itself. Equal products under equal indices
share one variable. Reports keep the true product.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice
from typing import Final

from mecdsl.diagnostics import Collector, Label, Span, nearest
from mecdsl.model import symbolic as sym
from mecdsl.model.classes import Classifier
from mecdsl.parsing import syntax
from mecdsl.parsing.syntax import Kind
from mecdsl.reformulations.compose import multiply, negation
from mecdsl.reformulations.limits import Limits, Unbounded
from mecdsl.reformulations.mccormick import Product, at, envelope, new_variable, same, text_of
from mecdsl.reformulations.monomials import Expander, Monomial, NotExpanded, collect, whole_power
from mecdsl.reformulations.project_space import project
from mecdsl.reformulations.rewrite import (
    all_names,
    map_parts,
    structure,
    structure_of_space,
    unused,
)

EVERY: Final = "all"
MOST_PRODUCTS: Final = (
    1000  # that one expression may become; each takes variables and rows of its own
)
HIGHEST_DEGREE: Final = 16


@dataclass(frozen=True, slots=True)
class _Request:
    """`linearize first*second`; both None for `linearize all`."""

    names: frozenset[str] | None
    span: Span


def linearize(
    model: sym.Model,
    order: Sequence[str],
    changes: Sequence[syntax.Linearize],
    shapes: Classifier,
    collector: Collector,
) -> sym.Model:
    """The model with the wanted products replaced, the new variables and rows, and `linearized`
    that tells of them.

    `order`: the definitions, each after what it needs. A wrong name, a missing limit and a product
    that is not there go to the collector.
    """
    requests = [request for change in changes for request in _requests(model, change, collector)]
    return _Pass(model, requests, shapes, collector).run(order) if requests else model


def _requests(model: sym.Model, change: syntax.Linearize, collector: Collector) -> list[_Request]:
    targets = change.targets
    if len(targets) == 1 and targets[0].name == EVERY and not targets[0].indices:
        return [_Request(None, change.span)]
    for target in targets:
        symbol = model.symbols.get(target.name)
        if symbol is not None and symbol.kind is not Kind.VAR:
            labels = (Label(symbol.span, "declared here"),)
            message = f"`{target.name}` is no variable, products of variables are linearised"
            collector.error(
                "E113",
                message,
                target.span,
                labels=labels,
                help="name the two variables of the product",
            )
            return []
        if symbol is None:
            near = nearest(target.name, [s.name for s in model.of_kind(Kind.VAR)])
            fix = f"did you mean `{near}`?" if near else None
            collector.error("E102", f"no variable named `{target.name}`", target.span, help=fix)
            return []
    if len(targets) != 2 or any(target.indices for target in targets):
        text = "*".join(target.name for target in (*targets, *targets)[:2])
        message = "`linearize` takes a product of two variables, all members at once"
        collector.error(
            "E113", message, change.span, help=f"write `linearize {text}` or `linearize all`"
        )
        return []
    return [_Request(frozenset(target.name for target in targets), change.span)]


class _Pass:
    def __init__(
        self,
        model: sym.Model,
        requests: Sequence[_Request],
        shapes: Classifier,
        collector: Collector,
    ) -> None:
        self.model = model
        self.requests = requests
        self.shapes = shapes
        self.collector = collector
        self.symbols = dict(model.symbols)
        self.expander = Expander(model, shapes, self.symbols)
        self.limits = Limits(self.symbols)
        self.zero_one: set[str] = set()
        self.rows: list[sym.Constraint] = []
        self.facts: dict[Hashable, sym.Linearized] = {}
        self.seen: set[_Request] = set()
        self.place, self.span = "", model.span  # of the product being replaced

    def run(self, order: Sequence[str]) -> sym.Model:
        model = self.model
        for symbol in (model.symbols[name] for name in order if name in model.symbols):
            if symbol.kind is Kind.LET and symbol.formula is not None:
                self.place = symbol.name
                owner = (model.families[symbol.owner].space,) if symbol.owner else ()
                value = self._rewrite(symbol.formula, (*owner, symbol.own_space))
                self.symbols[symbol.name] = replace(symbol, value=value)
        constraints: list[sym.Constraint] = []
        for constraint in model.constraints:
            self.place = constraint.name
            left, right = (
                self._rewrite(s, (constraint.space,)) for s in (constraint.left, constraint.right)
            )
            constraints.append(replace(constraint, left=left, right=right))
        players: list[sym.Players] = []
        for family in model.players:
            self.place = family.name
            value = self._rewrite(family.value, (family.space,))
            players.append(replace(family, value=value))
        self.place = model.objective.name
        objective = replace(model.objective, value=self._rewrite(model.objective.value, ()))
        self._warn_of_absent()
        return replace(
            model,
            symbols={**self.symbols, **self.limits.made},
            constraints=(*constraints, *self.rows),
            objective=objective,
            players=tuple(players),
            linearized=tuple(self.facts.values()),
        )

    def _warn_of_absent(self) -> None:
        fixed = self.shapes.fixed
        for request in self.requests:
            names = sorted(request.names or ())
            if (
                request in self.seen
                or self.collector.errors
                or (fixed if request.names is None else fixed & {*names})
            ):
                continue
            what = f"of `{names[0]}` and `{names[-1]}`" if names else "of two variables"
            message = f"there is no product {what} in this form of the model"
            self.collector.warning(
                "W403", message, request.span, help="delete it, or look for a name mixed up"
            )

    # Rewriting

    def _rewrite(self, expression: sym.Expression, frames: tuple[sym.Space, ...]) -> sym.Expression:
        """The expression with its products replaced; `frames`: the spaces it stands in, outermost
        first.
        """
        if self.expander.is_data(expression):
            return expression
        match expression:
            case sym.Lookup():
                return expression
            case sym.Choice(condition=condition, then=then, otherwise=otherwise):
                holds, fails = sym.Space((), condition), sym.Space((), negation(condition))
                return replace(
                    expression,
                    then=self._rewrite(then, (*frames, holds)),
                    otherwise=self._rewrite(otherwise, (*frames, fails)),
                )
            case sym.Aggregate(body=body, space=space):
                return replace(expression, body=self._rewrite(body, (*frames, space)))
            case sym.Operation(operator="*" | "^"):
                replaced = self._product(expression, frames)
                if replaced is not None:
                    return replaced
        return map_parts(expression, lambda part: self._rewrite(part, frames))

    def _product(
        self, operation: sym.Operation, frames: tuple[sym.Space, ...]
    ) -> sym.Expression | None:
        """A product with its variables multiplied out and pairs of them replaced; None if nothing
        of it is wanted.
        """
        if not self._may_hold_a_pair(operation):
            return None
        scope = frozenset(name for frame in frames for name in frame.names)
        try:
            monomials = list(islice(self.expander.monomials(operation, scope), MOST_PRODUCTS + 1))
        except NotExpanded as error:
            self._cannot_expand(error.lookup, operation)
            return None
        if not any(self._pair(monomial.factors) for monomial in monomials):
            return None
        if len(monomials) > MOST_PRODUCTS or any(
            len(m.factors) > HIGHEST_DEGREE for m in monomials
        ):
            self._too_large(operation)
            return None
        self.span = operation.span
        done = [self._paired(monomial, frames) for monomial in monomials]
        return collect(
            done, lambda factor, monomial: self._rewrite(factor, (*frames, *monomial.frames))
        )

    def _may_hold_a_pair(self, operation: sym.Operation) -> bool:
        """Whether the variables on the two sides include a wanted pair; multiplying out is done
        only then.
        """
        left, right = operation.operands
        if operation.operator == "^":
            if not whole_power(right):
                return False
            right = left
        if self.expander.is_data(left) or self.expander.is_data(right):
            return False
        sides = [self.shapes.variables(side) for side in (left, right)]
        return any(
            request.names is None
            or any(
                {one, two} == request.names
                for one in sides[0] & request.names
                for two in sides[1] & request.names
            )
            for request in self.requests
        )

    def _paired(self, monomial: Monomial, frames: tuple[sym.Space, ...]) -> Monomial:
        """The monomial with pairs of factors replaced until no wanted one is left."""
        while pair := self._pair(monomial.factors):
            first, second = (monomial.factors[position] for position in pair)
            assert isinstance(first, sym.Lookup)
            assert isinstance(second, sym.Lookup)
            try:
                product = self._replacement(first, second, (*frames, *monomial.frames))
            except Unbounded as error:
                self._cannot_bound(error, text_of(first, second))
                break
            rest = (f for position, f in enumerate(monomial.factors) if position not in pair)
            monomial = replace(monomial, factors=(product, *rest))
        return monomial

    def _pair(self, factors: tuple[sym.Expression, ...]) -> tuple[int, int] | None:
        """The positions of the wanted pair that loses least: equal binaries, two binaries, one,
        none.
        """
        losses: dict[tuple[int, int], int] = {}
        variables = [i for i, factor in enumerate(factors) if self.expander.is_variable(factor)]
        for first, second in combinations(variables, 2):
            one, two = factors[first], factors[second]
            assert isinstance(one, sym.Lookup)
            assert isinstance(two, sym.Lookup)
            asked = [
                r for r in self.requests if r.names is None or r.names == {one.symbol, two.symbol}
            ]
            if asked:
                self.seen.update(asked)
                binaries = self._is_zero_one(one) + self._is_zero_one(two)
                losses[first, second] = 2 - binaries - (binaries == 2 and same(one, two))
        return min(losses, key=lambda pair: (losses[pair], pair), default=None)

    def _is_zero_one(self, lookup: sym.Lookup) -> bool:
        return lookup.symbol in self.zero_one or self.limits.is_zero_one(lookup)

    # New variables

    def _replacement(
        self, first: sym.Lookup, second: sym.Lookup, frames: Sequence[sym.Space]
    ) -> sym.Lookup:
        """What stands for a product of two variables: a new variable, or the binary that is
        multiplied by itself.
        """
        if self._is_zero_one(second) and not self._is_zero_one(first):
            first, second = second, first
        space = project(frames, all_names((first, second)))
        key, numbers = structure_of_space(space, {})
        pair = sorted((structure(first, numbers), structure(second, numbers)), key=repr)
        identity = (key, *pair)
        if self._is_zero_one(first) and same(first, second):
            self._note_square(identity, first, space)
            return first
        if identity not in self.facts:
            self._new_variable(identity, first, second, space)
        else:
            self._note_place(identity)
        return at(self.facts[identity].variable, space, first, second)

    def _new_variable(
        self, identity: Hashable, first: sym.Lookup, second: sym.Lookup, space: sym.Space
    ) -> None:
        product = Product(
            first, second, space, (self.limits.of(first), self.limits.of(second)), self.span
        )
        exact = self._is_zero_one(first)
        both = exact and self._is_zero_one(second)
        base = f"{_local(first.symbol)}_times_{_local(second.symbol)}"
        name = unused(
            base, {*self.symbols, *self.model.families, *(c.name for c in self.model.constraints)}
        )
        units = (self.symbols[first.symbol].unit, self.symbols[second.symbol].unit)
        self.symbols[name] = new_variable(name, product, units)
        if both:
            self.zero_one.add(name)
        rows = envelope(self.symbols[name], product)
        self.rows += rows
        method = (
            "binary times binary"
            if both
            else "binary times bounded variable"
            if exact
            else "McCormick envelope"
        )
        factors = tuple(
            sym.Bounded(factor.symbol, *self.limits.of(factor)) for factor in (first, second)
        )
        names = tuple(row.name for row in rows)
        self.facts[identity] = sym.Linearized(
            product=text_of(first, second),
            variable=name,
            value=multiply(first, second),
            exact=exact,
            method=method,
            space=space,
            factors=factors,
            rows=names,
            places=(self.place,),
            span=self.span,
        )

    def _note_square(self, identity: Hashable, binary: sym.Lookup, space: sym.Space) -> None:
        if identity in self.facts:
            self._note_place(identity)
            return
        text, method = text_of(binary, binary), "a binary times itself"
        self.facts[identity] = sym.Linearized(
            product=text,
            variable=binary.symbol,
            value=binary,
            exact=True,
            method=method,
            space=space,
            factors=(),
            rows=(),
            places=(self.place,),
            span=self.span,
        )

    def _note_place(self, identity: Hashable) -> None:
        fact = self.facts[identity]
        if self.place not in fact.places:
            self.facts[identity] = replace(fact, places=(*fact.places, self.place))

    # Faults

    def _cannot_bound(self, error: Unbounded, text: str) -> None:
        symbol = self.symbols[error.symbol]
        request = next(r for r in self.requests if r in self.seen)
        operator = ">=" if error.side == "lower" else "<="
        self.collector.error(
            "E116",
            f"`{text}` cannot be linearised: `{error.symbol}` has no {error.side} bound",
            request.span,
            labels=(Label(symbol.span, f"no `{operator}` here"),),
            help=f"declare a finite bound, `{_local(error.symbol)} : ... {operator} ...`, "
            "here or in the form with "
            "`replace var`",
        )

    def _too_large(self, operation: sym.Operation) -> None:
        request = self.requests[0]
        self.collector.error(
            "E116",
            f"`{operation.span.text}` cannot be linearised: multiplied out it has more than "
            f"{MOST_PRODUCTS} products, or products of more than {HIGHEST_DEGREE} factors",
            request.span,
            help="give its parts variables of their own, each with an equation",
        )

    def _cannot_expand(self, lookup: sym.Lookup, operation: sym.Operation) -> None:
        request = self.requests[0]
        self.collector.error(
            "E116",
            f"`{operation.span.text}` cannot be linearised: `{lookup.span.text}` is a "
            "definition that uses an index "
            "which is no end of the link",
            request.span,
            labels=(Label(lookup.span, "used here by the link"),),
            help="write the definition out, or take the members apart: `for (m, n) in ...`",
        )


def _local(name: str) -> str:
    return name.rpartition(".")[2]
