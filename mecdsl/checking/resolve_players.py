"""Players: who they are, what each wants, and which variables are whose."""

from collections.abc import Iterable

from mecdsl.checking.resolve_expression import ExpressionResolver
from mecdsl.checking.scope import IndexInfo, Scope, SymbolHead, Unresolved
from mecdsl.diagnostics import Label, count, nearest
from mecdsl.forms.apply import KIND_WORDS
from mecdsl.model import symbolic as sym
from mecdsl.parsing import syntax
from mecdsl.parsing.syntax import Kind


class PlayerResolver:
    """Resolves the players of one document."""

    def __init__(self, expressions: ExpressionResolver) -> None:
        self.expressions = expressions
        self.names = expressions.names
        self.collector = self.names.collector

    def players(self, statements: Iterable[object]) -> tuple[sym.Players, ...]:
        """All player families; faults go to the collector."""
        resolved: list[sym.Players] = []
        for statement in statements:
            if isinstance(statement, syntax.Players):
                try:
                    resolved.append(self._family(statement, [family.name for family in resolved]))
                except Unresolved:
                    continue
        return tuple(resolved)

    def _family(self, declared: syntax.Players, taken: list[str]) -> sym.Players:
        scope, space = Scope(), sym.Space()
        if declared.index is not None:
            generators, condition = declared.index.generators, declared.index.condition
            space, scope = self.expressions.space(generators, condition, Scope())
        value, choosing, failed = None, [], False
        try:
            value = self.expressions.resolve(declared.value, scope)
        except Unresolved:
            failed = True
        for target in declared.choosing:
            try:
                choosing.append(self._own(target, scope))
            except Unresolved:
                failed = True
        if value is None or failed:
            raise Unresolved
        return sym.Players(
            name=self._name(declared, space, taken),
            space=space,
            sense=declared.sense,
            value=value,
            choosing=tuple(choosing),
            doc=declared.doc,
            span=declared.name_span,
        )

    def _name(self, declared: syntax.Players, space: sym.Space, taken: list[str]) -> str:
        """What the players are called: by name, by the family they are, else by their indices."""
        families = [g.domain for g in space.generators]
        if declared.name:
            name = declared.name
        elif len(families) == 1 and isinstance(families[0], sym.FamilyDomain):
            name = families[0].family
        else:
            name = "player_" + "_".join(space.names)
        if name in taken:
            message = f"there are players called `{name}` already"
            fix = "give each player one objective over all of its variables"
            self.collector.error("E124", message, declared.span, help=fix)
            raise Unresolved
        return name

    def _own(self, target: syntax.Target, scope: Scope) -> sym.OwnVariable:
        name, given = self._qualified(target, scope)
        head = self.names.symbols.get(name)
        if head is None or head.declared.kind is not Kind.VAR:
            raise self._no_variable(target, name, head)
        if given and len(given) == 1 and head.owner is not None:
            row = self._row(given[0], scope, head.owner)
            if row is not None:
                return sym.OwnVariable(name, (row,), target.span, by_row=True)
        if len(given) > len(head.indices):
            pattern = ", ".join(index for index, _ in head.indices)
            fix = f"write `{name}[{pattern}]`, or fewer" if pattern else f"write `{name}`"
            takes = count(len(head.indices), "index")
            message = f"`{name}` takes {takes}, found {len(given)}"
            self.collector.error("E104", message, target.span, help=fix)
            raise Unresolved
        indices: list[sym.Expression | None] = []
        for pattern_, (_, info) in zip(given, head.indices, strict=False):
            if self._is_open(pattern_, scope):
                indices.append(None)
                continue
            ranged = self.expressions.ranged(pattern_, scope, info)
            of = ranged.info or IndexInfo()
            if not self.expressions.ranges.compatible(of, info):
                self._refuse_family(target, pattern_, of.family, info.family)
            indices.append(ranged.expression)
        return sym.OwnVariable(name, tuple(indices), target.span)

    def _qualified(
        self, target: syntax.Target, scope: Scope
    ) -> tuple[str, tuple[syntax.Expression, ...]]:
        """`n.amount` of an index n over `firm` is `firm.amount[n]`."""
        first, _, rest = target.name.partition(".")
        info = scope.indices.get(first)
        if rest and info is not None and info.family is not None:
            index = syntax.Name(first, target.span)
            return f"{info.family}.{rest}", (index, *target.indices)
        return target.name, target.indices

    def _row(self, index: syntax.Expression, scope: Scope, owner: str) -> sym.Expression | None:
        """An index that is a member of a family with several indices."""
        if not isinstance(index, syntax.Name) or index.name not in scope.indices:
            return None
        info = scope.indices[index.name]
        if not (info.row and info.family == owner):
            return None
        return self.expressions.ranged(index, scope).expression

    def _is_open(self, pattern: syntax.Expression, scope: Scope) -> bool:
        """Whether a pattern is a bare name that means nothing: an index of its own, for any."""
        return (
            isinstance(pattern, syntax.Name)
            and pattern.name not in scope.indices
            and pattern.name not in self.names.symbols
            and pattern.name not in self.names.families
            and pattern.name not in self.names.labels
        )

    def _no_variable(self, target: syntax.Target, name: str, head: SymbolHead | None) -> Unresolved:
        if head is not None:
            message = f"`{name}` is a {KIND_WORDS[head.declared.kind]}, players choose variables"
            labels = (Label(head.declared.name_span, "declared here"),)
            self.collector.error("E113", message, target.span, labels=labels)
            return Unresolved()
        variables = [n for n, h in self.names.symbols.items() if h.declared.kind is Kind.VAR]
        near = nearest(name, variables)
        fix = f"did you mean `{near}`?" if near else None
        self.collector.error("E102", f"no variable named `{name}`", target.span, help=fix)
        return Unresolved()

    def _refuse_family(
        self,
        target: syntax.Target,
        pattern: syntax.Expression,
        given: str | None,
        needs: str | None,
    ) -> None:
        runs = f"runs over `{given}`" if given else "is a number"
        wanted = f"members of `{needs}`" if needs else "numbers"
        message = f"`{pattern.span.text}` {runs}, `{target.name}` is indexed by {wanted} there"
        self.collector.error("E105", message, pattern.span)
        raise Unresolved
