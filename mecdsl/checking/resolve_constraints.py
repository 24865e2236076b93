"""Constraints and the objective."""

from mecdsl.checking.resolve_expression import ExpressionResolver
from mecdsl.checking.resolve_types import TypeResolver
from mecdsl.checking.scope import (
    Scope,
    Unresolved,
)
from mecdsl.diagnostics import Label, Span
from mecdsl.forms.apply import FormedDocument
from mecdsl.model import symbolic as sym
from mecdsl.model.levels import in_unit, takes_numbers
from mecdsl.model.relation import Relation
from mecdsl.parsing import syntax
from mecdsl.parsing.syntax import Kind
from mecdsl.units import Unit, parse_unit


class ConstraintResolver:
    """Resolves the constraints and the objective of one document."""

    def __init__(self, document: FormedDocument, expressions: ExpressionResolver) -> None:
        self.document, self.expressions = document, expressions
        self.names = expressions.names
        self.collector = self.names.collector
        self.types = TypeResolver(expressions)

    def constraint(self, declared: syntax.Constraint) -> list[sym.Constraint]:
        if not self._is_relation(declared):
            return []
        scope, space = Scope(), sym.Space()
        try:
            if declared.index is not None:
                generators, condition = declared.index.generators, declared.index.condition
                space, scope = self.expressions.space(generators, condition, Scope())
        except Unresolved:
            return []
        resolved: list[sym.Expression] = []
        for operand in declared.operands:
            try:
                resolved.append(self.expressions.resolve(operand, scope))
            except Unresolved:
                continue
        switch: sym.Switch | None = None
        try:
            switch = self._switch(declared.when, scope) if declared.when is not None else None
        except Unresolved:
            return []
        if len(resolved) < len(declared.operands):
            return []
        pairs = list(zip(resolved, declared.operators, resolved[1:], strict=False))
        suffixes = [""] if len(pairs) == 1 else [".lower", ".upper"]
        return [
            sym.Constraint(
                name=declared.name + suffix,
                space=space,
                left=left,
                relation=Relation(operator),
                right=right,
                doc=declared.doc,
                span=declared.name_span,
                switch=switch,
            )
            for (left, operator, right), suffix in zip(pairs, suffixes, strict=True)
        ]

    def _is_relation(self, declared: syntax.Constraint) -> bool:
        """Whether it compares, by relations that a solver can keep; else that is reported."""
        first, last = declared.operands[0], declared.operands[-1]
        if not declared.operators:
            joined = isinstance(first, syntax.Binary) and first.operator in ("and", "or")
            fix = (
                "write one constraint for each condition, or `low <= x <= high`"
                if joined
                else "write `left <= right`, `left >= right` or `left == right`"
            )
            message = f"constraint `{declared.name}` is no comparison"
            self.collector.error("E112", message, first.span, help=fix)
            return False
        strict = {"<": "write `<=`", ">": "write `>=`"}
        wrong = [operator for operator in declared.operators if operator not in tuple(Relation)]
        for operator in wrong[:1]:
            fix = strict.get(operator, "write `<=`, `>=` or `==`")
            message = f"`{operator}` is no constraint a solver can keep"
            self.collector.error("E112", message, first.span.to(last.span), help=fix)
        return not wrong

    def _switch(self, when: syntax.Expression, scope: Scope) -> sym.Switch:
        """`x`, `not x`, `x == 1` or `x == 0` with a binary variable x; a form may have relaxed
        it.
        """
        condition, value = self.expressions.resolve(when, scope), 1
        match condition:
            case sym.Operation(operator="not", operands=(inner,)):
                condition, value = inner, 0
            case sym.Operation(operator="==", operands=(inner, sym.Constant(value=number))) if (
                number in (0.0, 1.0)
            ):
                condition, value = inner, int(number)
            case _:
                pass
        if isinstance(condition, sym.Lookup):
            declared = self.names.symbols[condition.symbol].declared
            words = [word.text for word in declared.type.words] if declared.type else []
            if declared.kind is Kind.VAR and (
                "binary" in words or condition.symbol in self.document.relaxed_binaries
            ):
                return sym.Switch(condition, value, when.span)
        self.collector.error(
            "E121",
            f"`when {when.span.text}` does not name a binary variable",
            when.span,
            help="write `when x`, `when not x`, `when x == 1` or `when x == 0`; a condition "
            "on data stands in the "
            "index, `[k in K where ...]`",
        )
        raise Unresolved

    def objective(self) -> sym.Objective:
        stated = [s for s in self.document.statements if isinstance(s, syntax.Objective)]
        players = [s for s in self.document.statements if isinstance(s, syntax.Players)]
        zero = sym.Constant(0.0, None, self.document.span)
        if players and not stated:  # a later pass adds up theirs
            return sym.Objective(
                name="", sense="minimize", value=zero, doc="", span=players[0].name_span
            )
        if players:
            message = "the model has players, who have objectives of their own, and an objective"
            labels = (Label(players[0].name_span, "the players are here"),)
            fix = "delete one, or state the objective in a form: `form joint: add minimize ...`"
            self.collector.error("E111", message, stated[0].name_span, labels=labels, help=fix)
        if not stated:
            empty = not self.document.statements
            message = "the text holds no statement" if empty else "the model has no objective"
            fix = "write `minimize name = expression` or `maximize name = expression`"
            self.collector.error("E111", message, self._first_line(), help=fix)
            return sym.Objective(
                name="objective", sense="minimize", value=zero, doc="", span=self.document.span
            )
        for extra in stated[1:]:
            fix = "weigh the two in one sum; a weight has a unit, such as J/s"
            if extra.span.source.included and stated[0].span.source.included:
                fix = (
                    "state the objective in the file that includes both, it stands in "
                    "place of theirs"
                )
            labels = (Label(stated[0].name_span, "the first is here"),)
            self.collector.error(
                "E111", "the model has a second objective", extra.name_span, labels=labels, help=fix
            )
        first = stated[0]
        try:
            value = self.expressions.resolve(first.value, Scope())
        except Unresolved:
            value = zero
        unit = self._objective_unit(first)
        if unit is not None and takes_numbers(unit):
            value = in_unit(value, unit)
        return sym.Objective(
            name=first.name,
            sense=first.sense,
            value=value,
            doc=first.doc,
            span=first.name_span,
            unit=unit,
        )

    def _objective_unit(self, objective: syntax.Objective) -> Unit | None:
        """The unit of `minimize energy : J = ...`; what is minimised has no domain and no
        bounds.
        """
        if objective.type is None:
            return None
        words = [word for word in objective.type.words if word.text != "real"]
        extra = [word for word in words if word.text in ("integer", "binary")] or words[1:]
        for span in (
            *(word.span for word in extra),
            *(bound.span for bound in objective.type.bounds),
        ):
            message = f"`{span.text}` cannot stand in the type of an objective"
            alone = next((word.text for word in words if word not in extra), "1")
            fix = f"write its unit alone, `{objective.sense} {objective.name} : {alone} = ...`"
            fix += "; bounds are constraints"
            self.collector.error("E109", message, span, help=fix)
        return None if extra else self.types.unit(words[0]) if words else parse_unit("1")

    def _first_line(self) -> Span:
        """A place for faults of the model as a whole."""
        source = self.document.span.source
        header = next((s for s in self.document.statements if isinstance(s, syntax.Header)), None)
        line = header.span.line if header else 1
        return Span(source, line, 1, line, len(source.line(line)) + 1)
