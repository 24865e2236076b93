"""Forms: named variants of a model, applied to its syntax tree.

A form keeps the variables of the original. `relax`, `set`, `drop`, `add` and `replace` change
declarations; `fix` and `set` with indices become assignments of the document in the form;
`linearize` is left to a pass of its own.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum

from mecdsl.diagnostics import Collector, Label, Span, nearest
from mecdsl.parsing import syntax
from mecdsl.parsing.syntax import Kind

INTEGRAL = ("integer", "binary")
KIND_WORDS = {
    Kind.PARAM: "parameter",
    Kind.VAR: "variable",
    Kind.LET: "definition",
    Kind.REPORT: "report",
}


class Goal(Enum):
    """What a model is to be solved for; the last two are forms that every game has."""

    STATED = "stated"  # its objective, or an equilibrium of its players
    SOCIAL = "social"
    POTENTIAL = "potential"


OF_GAMES = {
    Goal.SOCIAL: "the sum of what the players pay, as one problem",
    Goal.POTENTIAL: "the potential of the game, as one problem",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FormedDocument:
    """A document with its forms applied, the fixed variables and the parameters set by a form."""

    statements: tuple[syntax.Statement, ...]
    fixes: tuple[syntax.Fix, ...]
    settings: tuple[syntax.SetValue, ...]
    linearizations: tuple[syntax.Linearize, ...]
    relaxed_binaries: frozenset[str]
    form: str
    span: Span
    goal: Goal = Goal.STATED


def form_names(document: syntax.Document) -> list[str]:
    """The forms a document declares, and those it has as a game."""
    declared = [s.name for s in document.statements if isinstance(s, syntax.Form)]
    return [*declared, *(goal.value for goal in game_forms(document.statements))]


def game_forms(statements: Iterable[object]) -> tuple[Goal, ...]:
    """The forms a document has as a game, where it declares none of that name itself."""
    statements = tuple(statements)
    if not any(isinstance(s, syntax.Players) for s in statements):
        return ()
    declared = {s.name for s in statements if isinstance(s, syntax.Form)}
    stated = any(isinstance(s, syntax.Declaration) and s.potential for s in statements)
    goals = (Goal.SOCIAL, Goal.POTENTIAL) if stated else (Goal.SOCIAL,)
    return tuple(goal for goal in goals if goal.value not in declared)


def restatement(document: syntax.Document, form: str) -> str:
    """The forms that state the model in `form` once more, for general solvers; "" without any.

    An exact form states the model anew, or the model in those of its parents that are not exact.
    """
    forms = {s.name: s for s in document.statements if isinstance(s, syntax.Form)}
    asked = {part.strip() for part in form.replace("+", ",").split(",")} - {""}
    if any(name in forms and forms[name].exact for name in asked):
        return ""
    plain = {name for name, stated in forms.items() if not stated.exact}
    plain |= {goal.value for goal in game_forms(document.statements)}
    for name, exact in forms.items():
        if exact.exact and {parent.name for parent in exact.parents} & plain == asked:
            return name
    return ""


def apply_form(
    document: syntax.Document, form: str, relax: bool, collector: Collector
) -> FormedDocument:
    """The document in a form; `form` is "" for the base model or names joined by `+` or `,`.

    `relax` makes every variable continuous. Unknown names go to the collector.
    """
    work = _Work(document, collector)
    for name in (part.strip() for part in form.replace("+", ",").split(",")):
        if name:
            work.apply(name, None, ())
    if relax:
        work.relax_all()
    return FormedDocument(
        statements=tuple(work.statements),
        fixes=tuple(work.fixes),
        settings=tuple(work.settings),
        linearizations=tuple(work.linearizations),
        relaxed_binaries=frozenset(work.relaxed_binaries),
        form=form,
        span=document.span,
        goal=work.goal,
    )


class _Work:
    def __init__(self, document: syntax.Document, collector: Collector) -> None:
        self.statements = list(document.statements)
        self.forms = {s.name: s for s in document.statements if isinstance(s, syntax.Form)}
        self.collector = collector
        self.fixes: list[syntax.Fix] = []
        self.settings: list[syntax.SetValue] = []
        self.linearizations: list[syntax.Linearize] = []
        self.relaxed_binaries: set[str] = set()
        self.applied: set[str] = set()
        self.span = document.span
        self.of_game = {goal.value: goal for goal in game_forms(document.statements)}
        self.goal = Goal.STATED
        self.is_game = any(isinstance(s, syntax.Players) for s in document.statements)

    def apply(self, name: str, place: Span | None, stack: tuple[str, ...]) -> None:
        if name in stack:
            chain = " -> ".join((*stack, name))
            self.collector.error("E107", f"forms build on each other in a circle: {chain}", place)
            return
        if name in self.of_game:
            self._aim(self.of_game[name], place)
            return
        if name not in self.forms:
            names = [*self.forms, *self.of_game]
            near = nearest(name, names)
            listed = f"the forms {', '.join(names)}" if names else "no forms"
            forms = f"this model has {listed}"
            fix = f"did you mean `{near}`?" if near else forms
            if name == Goal.POTENTIAL.value and self.of_game:
                fix = "state the potential of the game, `potential name = expression`"
            self.collector.error("E113", f"unknown form `{name}`", place, help=fix)
            return
        if name in self.applied:
            return
        self.applied.add(name)
        form = self.forms[name]
        for parent in form.parents:
            self.apply(parent.name, parent.span, (*stack, name))
        for change in form.changes:
            if form.exact:
                self._require_exact(form, change)
            self._change(change)

    def _require_exact(self, form: syntax.Form, change: object) -> None:
        """An exact form keeps variables and data as they are, and says the rest in other words."""
        variables = {name for name, d in self._declarations() if d.kind is Kind.VAR}
        match change:
            case syntax.Relax(targets=targets):
                word, names, span = "relaxes", [t.name for t in targets], change.span
            case syntax.Fix(target=target):
                word, names, span = "fixes", [target.name], change.span
            case syntax.SetValue(target=target):
                word, names, span = "sets", [target.name], change.span
            case syntax.Linearize():
                word, names, span = "linearizes", ["products"], change.span
            case syntax.Drop(targets=targets):
                word, span = "drops", change.span
                names = [target.name for target in targets if target.name in variables]
            case syntax.Add(statement=syntax.Declaration(name=name), replace=True):
                word, span = "replaces", change.span
                names = [name] if name in variables else []
            case _:
                return
        if names:
            message = f"the exact form `{form.name}` {word} `{names[0]}`"
            fix = "let it add variables and constraints, and change only what is said of them"
            labels = (Label(form.name_span, "called exact here"),)
            self.collector.error("E123", message, span, labels=labels, help=fix)

    def _change(self, change: object) -> None:
        match change:
            case syntax.Relax(targets=targets):
                for target in targets:
                    self._edit(
                        target.name,
                        target.span,
                        "variable",
                        lambda d, t=target: self._relaxed(d, t),
                    )
            case syntax.Fix():
                self.fixes.append(change)
            case syntax.SetValue(target=target):
                if target.indices:
                    self.settings.append(change)
                else:
                    self._edit(
                        target.name, target.span, "parameter", lambda d: self._valued(d, change)
                    )
            case syntax.Drop(targets=targets):
                for target in targets:
                    self._drop(target)
            case syntax.Linearize():
                self.linearizations.append(change)
            case syntax.Add(statement=statement, replace=is_replacement):
                if isinstance(statement, syntax.Objective) and self.is_game:
                    self._in_place_of_players(statement, is_replacement)
                elif is_replacement:
                    self._replace(statement)
                else:
                    self.statements.append(statement)
            case _:
                raise TypeError(f"unknown change {type(change).__name__}")

    def _aim(self, goal: Goal, place: Span | None) -> None:
        """One of the problems that a game has without being told, if no other is asked for."""
        other = self.goal.value if self.goal not in (Goal.STATED, goal) else ""
        if other or not any(isinstance(s, syntax.Players) for s in self.statements):
            what = f"form `{other}`" if other else "the objective that a form adds"
            self._refuse_second(f"form `{goal.value}` and {what} are two problems", place)
        self.goal = goal

    def _in_place_of_players(self, objective: syntax.Objective, is_replacement: bool) -> None:
        """One objective for the whole model: nobody plays any more."""
        if self.goal is not Goal.STATED and not is_replacement:
            message = f"form `{self.goal.value}` has an objective, and this is another"
            self._refuse_second(message, objective.name_span)
        gone = syntax.Players | syntax.Objective if is_replacement else syntax.Players
        kept = [s for s in self.statements if not isinstance(s, gone)]
        self.statements = [*kept, objective]

    def _refuse_second(self, message: str, place: Span | None) -> None:
        fix = "apply one of the two, or state one objective in a form of its own"
        self.collector.error("E111", message, place, help=fix)

    def _declarations(self) -> Iterable[tuple[str, syntax.Declaration]]:
        for statement in self.statements:
            if isinstance(statement, syntax.Declaration):
                yield statement.name, statement
            elif isinstance(statement, syntax.Family):
                for member in statement.declarations:
                    yield f"{statement.name}.{member.name}", member

    def _edit(self, name: str, span: Span, what: str, edit: object) -> None:
        """Replace the declaration of a qualified name by an edited one."""
        assert callable(edit)
        for position, statement in enumerate(self.statements):
            if isinstance(statement, syntax.Declaration) and statement.name == name:
                self.statements[position] = edit(statement)
                return
            if isinstance(statement, syntax.Family) and name.startswith(statement.name + "."):
                local = name.removeprefix(statement.name + ".")
                if any(member.name == local for member in statement.declarations):
                    members = tuple(
                        edit(m) if m.name == local else m for m in statement.declarations
                    )
                    self.statements[position] = replace(statement, declarations=members)
                    return
        near = nearest(name, [declared for declared, _ in self._declarations()])
        fix = f"did you mean `{near}`?" if near else None
        self.collector.error("E102", f"unknown {what} `{name}`", span, help=fix)

    def _relaxed(
        self, declaration: syntax.Declaration, target: syntax.Target
    ) -> syntax.Declaration:
        if declaration.kind is not Kind.VAR:
            message = f"`{target.name}` is no variable, only variables can be relaxed"
            labels = (Label(declaration.name_span, "declared here"),)
            self.collector.error(
                "E113", message, target.span, labels=labels, help=f"leave `{target.name}` out"
            )
            return declaration
        return self._without_integrality(declaration, target.name)

    def _without_integrality(
        self, declaration: syntax.Declaration, name: str
    ) -> syntax.Declaration:
        words = [word.text for word in declaration.type.words] if declaration.type else []
        if declaration.kind is Kind.VAR and "binary" in words:
            self.relaxed_binaries.add(name)
        return relaxed(declaration)

    def _valued(
        self, declaration: syntax.Declaration, change: syntax.SetValue
    ) -> syntax.Declaration:
        if declaration.kind not in (Kind.PARAM, Kind.LET):
            message = (
                f"`{change.target.name}` is a {KIND_WORDS[declaration.kind]} and cannot be set"
            )
            labels = (Label(declaration.name_span, "declared here"),)
            fix = "use `fix` for a variable"
            self.collector.error("E113", message, change.target.span, labels=labels, help=fix)
            return declaration
        self.settings.append(change)
        return declaration

    def relax_all(self) -> None:
        """Make every variable continuous."""
        for position, statement in enumerate(self.statements):
            if isinstance(statement, syntax.Declaration):
                self.statements[position] = self._without_integrality(statement, statement.name)
            elif isinstance(statement, syntax.Family):
                members = tuple(
                    self._without_integrality(member, f"{statement.name}.{member.name}")
                    for member in statement.declarations
                )
                self.statements[position] = replace(statement, declarations=members)

    def _drop(self, target: syntax.Target) -> None:
        """Take out a constraint or a declaration, a member of a block by its qualified name."""
        kept: list[syntax.Statement] = []
        dropped = False
        for statement in self.statements:
            if (
                isinstance(statement, syntax.Constraint | syntax.Declaration)
                and statement.name == target.name
            ):
                dropped = True
                continue
            if isinstance(statement, syntax.Family):
                names = {
                    member: f"{statement.name}.{member.name}" for member in statement.declarations
                }
                members = tuple(member for member, name in names.items() if name != target.name)
                if len(members) < len(statement.declarations):
                    dropped = True
                    statement = replace(statement, declarations=members)
            kept.append(statement)
        if not dropped:
            constraints = [s.name for s in self.statements if isinstance(s, syntax.Constraint)]
            near = nearest(target.name, [*constraints, *(name for name, _ in self._declarations())])
            fix = f"did you mean `{near}`?" if near else None
            self.collector.error(
                "E102", f"nothing named `{target.name}` to drop", target.span, help=fix
            )
        self.statements = kept

    def _replace(self, statement: syntax.Statement) -> None:
        assert isinstance(statement, syntax.Declaration | syntax.Constraint | syntax.Objective)
        for position, present in enumerate(self.statements):
            same_kind = type(present) is type(statement)
            if isinstance(statement, syntax.Objective) and same_kind:
                self.statements[position] = statement
                return
            if same_kind and getattr(present, "name", None) == statement.name:
                self.statements[position] = statement
                return
        if isinstance(statement, syntax.Declaration) and "." in statement.name:
            local = replace(statement, name=statement.name.split(".", 1)[1])
            self._edit(statement.name, statement.name_span, "declaration", lambda _: local)
            return
        same = [
            s.name
            for s in self.statements
            if type(s) is type(statement) and not isinstance(s, syntax.Header)
        ]
        near = nearest(statement.name, same)
        fix = f"did you mean `{near}`?" if near else "use `add` for something new"
        self.collector.error(
            "E102", f"nothing named `{statement.name}` to replace", statement.name_span, help=fix
        )


def relaxed(declaration: syntax.Declaration) -> syntax.Declaration:
    """A variable's declaration without its integrality; binary becomes 0 <= x <= 1."""
    if declaration.kind is not Kind.VAR or declaration.type is None:
        return declaration
    words = tuple(word for word in declaration.type.words if word.text not in INTEGRAL)
    removed = [word for word in declaration.type.words if word.text in INTEGRAL]
    if not removed:
        return declaration
    span = removed[0].span
    bounds = declaration.type.bounds
    if removed[0].text == "binary":
        unit_box = (
            syntax.Bound(">=", syntax.Quantity("0", None, span), span),
            syntax.Bound("<=", syntax.Quantity("1", None, span), span),
        )
        bounds = (*bounds, *unit_box)
    words = (syntax.TypeWord("real", span), *words)
    return replace(declaration, type=replace(declaration.type, words=words, bounds=bounds))
