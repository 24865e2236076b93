"""Values that are given to members: `start`, `fix` and `set`."""

from mecdsl.checking.resolve_symbols import SymbolResolver, in_level
from mecdsl.checking.scope import (
    IndexInfo,
    Scope,
    Unresolved,
)
from mecdsl.diagnostics import count, nearest
from mecdsl.forms.apply import KIND_WORDS
from mecdsl.model import symbolic as sym
from mecdsl.model.levels import takes_numbers
from mecdsl.parsing import syntax
from mecdsl.parsing.syntax import Kind


class AssignmentResolver:
    """Resolves the assignments of one document."""

    def __init__(self, symbols: SymbolResolver) -> None:
        self.expressions = symbols.expressions
        self.names = self.expressions.names
        self.collector = self.names.collector
        self.values, self.symbols = symbols, symbols.symbols

    def assignments(self, statements: object) -> tuple[sym.Assignment, ...]:
        result: list[sym.Assignment] = []
        for statement in statements:  # type: ignore[attr-defined]
            try:
                result.append(self._assignment(statement))
            except Unresolved:
                continue
        return tuple(result)

    def _assignment(self, statement: syntax.Start | syntax.Fix | syntax.SetValue) -> sym.Assignment:
        target = statement.target
        kinds = (Kind.PARAM, Kind.LET) if isinstance(statement, syntax.SetValue) else (Kind.VAR,)
        head = self.names.symbols.get(target.name)
        if head is not None and head.declared.kind not in kinds:
            raise self._wrong_kind(statement, head.declared.kind)
        if head is None:
            names = [n for n, h in self.names.symbols.items() if h.declared.kind in kinds]
            near = nearest(target.name, names)
            what = KIND_WORDS[kinds[0]]
            fix = f"did you mean `{near}`?" if near else None
            self.collector.error("E102", f"no {what} named `{target.name}`", target.span, help=fix)
            raise Unresolved
        if len(target.indices) != len(head.indices):
            pattern = ", ".join(name for name, _ in head.indices)
            fix = f"write `{target.name}[{pattern}]`" if pattern else f"write `{target.name}`"
            message = (
                f"`{target.name}` takes {count(len(head.indices), 'index')}, found "
                f"{len(target.indices)}"
            )
            self.collector.error("E104", message, target.span, help=fix)
            raise Unresolved
        infos: dict[str, IndexInfo] = {}
        equal: list[tuple[str, syntax.Expression]] = []
        for (own_name, info), pattern_ in zip(head.indices, target.indices, strict=True):
            if isinstance(pattern_, syntax.Name) and not self._is_value(pattern_.name):
                self._refuse_member(target, pattern_, info)
                infos[pattern_.name] = info
            else:
                infos[f"{own_name} "] = info  # a name no text can hold, bound by the equation alone
                equal.append((f"{own_name} ", pattern_))
        scope = Scope(infos)
        condition: sym.Expression | None = None
        for name, pattern_ in equal:
            index = sym.IndexValue(name, pattern_.span, infos[name].family, infos[name].root)
            member = self.expressions.ranged(pattern_, scope, infos[name]).expression
            test = sym.Operation("==", (index, member), pattern_.span)
            condition = (
                test
                if condition is None
                else sym.Operation("and", (condition, test), pattern_.span)
            )
        value = self.values.initial(statement.value, scope)
        unit = self.symbols[target.name].unit if target.name in self.symbols else None
        if unit is not None and takes_numbers(unit):
            value = in_level(value, unit)
        return sym.Assignment(target.name, tuple(infos), condition, value, statement.span)

    def _wrong_kind(
        self, statement: syntax.Start | syntax.Fix | syntax.SetValue, kind: Kind
    ) -> Unresolved:
        name, what = statement.target.name, KIND_WORDS[kind]
        match statement:
            case syntax.Start():
                message, fix = (
                    f"`{name}` is a {what}, only variables have start values",
                    "delete this line",
                )
            case syntax.Fix():
                message, fix = (
                    f"`{name}` is a {what} and cannot be fixed",
                    "use `set` for a parameter",
                )
            case _:
                message, fix = f"`{name}` is a {what} and cannot be set", "use `fix` for a variable"
        self.collector.error("E113", message, statement.target.span, help=fix)
        return Unresolved()

    def _is_value(self, name: str) -> bool:
        """Whether the text declares a name; names that files list change no meaning of a text."""
        written = any(
            self.names.families[f].declared.read is None for f, _ in self.names.labels.get(name, ())
        )
        return name in self.names.symbols or written

    def _refuse_member(self, target: syntax.Target, pattern: syntax.Name, info: IndexInfo) -> None:
        """A bare pattern is an index, for all members; one that is called as a member is most
        likely meant as it.
        """
        if any(family == info.root for family, _ in self.names.labels.get(pattern.name, ())):
            message = (
                f"`{pattern.name}` is an index here, and the name of a member of `{info.root}`"
            )
            fix = f'write `"{pattern.name}"` for the member, or give the index another name'
            self.collector.error("E105", message, pattern.span, help=fix)
            raise Unresolved
