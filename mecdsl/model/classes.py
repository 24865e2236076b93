"""The class of every expression over the decisions, with the reason: how far from linear, and
where.

Anything over data alone is constant and free. The innermost part that makes an expression quadratic
or nonlinear is kept, so that a message can point at it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, IntEnum

from mecdsl.diagnostics import Span
from mecdsl.functions.function import Smoothness
from mecdsl.functions.table import TABLE
from mecdsl.model import symbolic as sym
from mecdsl.model.dimensions import literal
from mecdsl.parsing.syntax import Kind


class Degree(IntEnum):
    """How an expression depends on the variables."""

    CONSTANT = 0
    LINEAR = 1
    QUADRATIC = 2
    NONLINEAR = 3
    NONSMOOTH = 4


@dataclass(frozen=True, slots=True)
class Shape:
    """The degree of an expression; the place and the words of what raised it above linear."""

    degree: Degree
    culprit: Span | None = None
    reason: str = ""


CONSTANT = Shape(Degree.CONSTANT)
LINEAR = Shape(Degree.LINEAR)


class ProblemClass(Enum):
    """The classes backends declare; the nonconvex kinds include the convex ones."""

    LP = "LP"
    MILP = "MILP"
    QP = "convex QP"
    MIQP = "convex MIQP"
    NONCONVEX_QP = "nonconvex QP"
    NONCONVEX_MIQP = "nonconvex MIQP"
    QCP = "convex QCP"
    MIQCP = "convex MIQCP"
    NONCONVEX_QCP = "nonconvex QCP"
    NONCONVEX_MIQCP = "nonconvex MIQCP"
    NLP = "NLP"
    MINLP = "MINLP"

    @property
    def integral(self) -> bool:
        """Whether there are integer variables."""
        return "MI" in self.value

    @property
    def phrase(self) -> str:
        """With its article: `an LP`, `a nonconvex QP`."""
        return f"{'an' if self.value[0] in 'LMN' else 'a'} {self.value}"


DISCRETE = {
    ProblemClass.LP: ProblemClass.MILP,
    ProblemClass.QP: ProblemClass.MIQP,
    ProblemClass.NONCONVEX_QP: ProblemClass.NONCONVEX_MIQP,
    ProblemClass.QCP: ProblemClass.MIQCP,
    ProblemClass.NONCONVEX_QCP: ProblemClass.NONCONVEX_MIQCP,
    ProblemClass.NLP: ProblemClass.MINLP,
}


class Classifier:
    """Shapes of expressions of one model; definitions are followed once."""

    def __init__(self, model: sym.Model) -> None:
        self.model = model
        self.symbols: dict[str, Shape] = {}
        self.known: dict[int, Shape] = {}
        self.open: set[str] = set()
        self.behind: dict[str, frozenset[str]] = {}  # the variables that definitions depend on
        self.fixed = fully_fixed(model)

    def shape(self, expression: sym.Expression) -> Shape:
        """The shape of an expression."""
        key = id(expression)
        if key not in self.known:
            self.known[key] = self._shape(expression)
        return self.known[key]

    def is_data(self, expression: sym.Expression) -> bool:
        """Whether no variable occurs in the expression."""
        return self.shape(expression).degree is Degree.CONSTANT

    def symbol(self, name: str) -> Shape:
        """The shape of a symbol's values."""
        if name not in self.symbols:
            symbol = self.model.symbols.get(name)
            if symbol is None:  # a variable that a pass puts in the place of a product
                return LINEAR
            if symbol.kind is Kind.VAR:
                self.symbols[name] = CONSTANT if name in self.fixed else LINEAR
            elif symbol.kind is Kind.PARAM or name in self.open:
                return CONSTANT
            elif symbol.formula is None:
                self.symbols[name] = CONSTANT
            else:
                self.open.add(name)
                self.symbols[name] = self.shape(symbol.formula)
                self.open.discard(name)
        return self.symbols[name]

    def constraint(self, constraint: sym.Constraint) -> Shape:
        """The shape of `left - right`."""
        return _worst(self.shape(constraint.left), self.shape(constraint.right))

    def _shape(self, expression: sym.Expression) -> Shape:
        match expression:
            case sym.Constant() | sym.IndexValue() | sym.LinkEnd() | sym.Membership() | sym.Draw():
                return CONSTANT
            case sym.Lookup(symbol=name):
                return self.symbol(name)
            case sym.Member(arguments=arguments):
                fixed = all(self.is_data(argument) for argument in arguments)
                return (
                    CONSTANT
                    if fixed
                    else self._nonsmooth(expression, "a member chosen by variables")
                )
            case sym.Operation():
                return self._operation(expression)
            case sym.Choice():
                return _worst(self.shape(expression.then), self.shape(expression.otherwise))
            case sym.Function(name=name, arguments=arguments):
                worst = _worst(*(self.shape(argument) for argument in arguments))
                if worst.degree is Degree.CONSTANT:
                    return CONSTANT
                if TABLE[name].smoothness is not Smoothness.SMOOTH:
                    return self._nonsmooth(expression, f"`{name}` of variables")
                return self._nonlinear(worst, expression, f"`{name}` of variables")
            case sym.Aggregate(function=function, body=body):
                return self._aggregate(expression, function, self.shape(body))
            case _:
                raise TypeError(f"unknown expression {type(expression).__name__}")

    def _operation(self, operation: sym.Operation) -> Shape:
        shapes = [self.shape(operand) for operand in operation.operands]
        worst = _worst(*shapes)
        if worst.degree is Degree.CONSTANT or operation.operator in ("+", "-", "neg"):
            return worst
        if operation.operator == "*":
            return self._product(operation, shapes[0], shapes[1])
        if operation.operator == "/":
            if shapes[1].degree is Degree.CONSTANT:
                return shapes[0]
            return self._nonlinear(
                worst, operation, f"division by `{operation.operands[1].span.text}`"
            )
        if operation.operator == "^":
            return self._power(operation, shapes[0], shapes[1])
        return self._nonsmooth(operation, "a condition over variables")

    def _product(self, operation: sym.Operation, left: Shape, right: Shape) -> Shape:
        degree = left.degree + right.degree
        if Degree.CONSTANT in (left.degree, right.degree):
            return _worst(left, right)
        if degree == Degree.QUADRATIC:
            names = [self._name(operand) for operand in operation.operands]
            same = names[0] == names[1]
            words = f"quadratic in `{names[0]}`" if same else f"bilinear in `{names[0]}*{names[1]}`"
            return Shape(Degree.QUADRATIC, operation.span, words)
        return self._nonlinear(_worst(left, right), operation, "product of degree above two")

    def _power(self, operation: sym.Operation, base: Shape, exponent: Shape) -> Shape:
        if exponent.degree is not Degree.CONSTANT:
            return self._nonlinear(_worst(base, exponent), operation, "variable exponent")
        value = literal(operation.operands[1])
        if value == 1:
            return base
        if value == 0:
            return CONSTANT
        if value == 2 and base.degree is Degree.LINEAR:
            name = self._name(operation.operands[0])
            return Shape(Degree.QUADRATIC, operation.span, f"quadratic in `{name}`")
        return self._nonlinear(base, operation, f"power `{operation.span.text}`")

    def _aggregate(self, aggregate: sym.Aggregate, function: str, body: Shape) -> Shape:
        if body.degree is Degree.CONSTANT or function == "sum":
            return body
        if function == "prod":
            return self._nonlinear(body, aggregate, "`prod` of variables")
        return self._nonsmooth(aggregate, f"`{function}` over variables")

    def _name(self, expression: sym.Expression) -> str:
        """The variable an expression is about, for messages: its own text if there are several."""
        names = self.variables(expression)
        return next(iter(names)) if len(names) == 1 else expression.span.text

    def variables(self, expression: sym.Expression) -> frozenset[str]:
        """The variables an expression depends on, definitions followed; fixed ones are left out."""
        variables: set[str] = set()
        for node in sym.walk(expression):
            if (
                isinstance(node, sym.Lookup)
                and self.symbol(node.symbol).degree is not Degree.CONSTANT
            ):
                symbol = self.model.symbols.get(node.symbol)
                if symbol is None or symbol.kind is Kind.VAR:
                    variables.add(node.symbol)
                elif symbol.value is not None and not isinstance(
                    symbol.value, sym.DataFile | sym.DataArray
                ):
                    variables |= self._behind(symbol.name, symbol.value)
        return frozenset(variables)

    def _behind(self, name: str, value: sym.Expression) -> frozenset[str]:
        if name not in self.behind:
            self.behind[name] = self.variables(value)
        return self.behind[name]

    def _nonlinear(self, inner: Shape, expression: sym.Expression, reason: str) -> Shape:
        if inner.degree >= Degree.NONLINEAR:
            return inner
        return Shape(Degree.NONLINEAR, expression.span, reason)

    def _nonsmooth(self, expression: sym.Expression, reason: str) -> Shape:
        return Shape(Degree.NONSMOOTH, expression.span, reason)


def _worst(*shapes: Shape) -> Shape:
    return max(shapes, key=lambda shape: shape.degree)


def fully_fixed(model: sym.Model) -> frozenset[str]:
    """Variables of which every member is fixed by the form: they count as data."""
    return frozenset(fix.symbol for fix in model.fixes if fix.condition is None)


def problem_class(
    objective: Degree, constraints: Degree, integral: bool, convex: Mapping[str, bool]
) -> ProblemClass:
    """The class of a problem.

    `convex` says of "objective" and "constraints" whether their quadratic parts are proven convex.
    """
    if max(objective, constraints) >= Degree.NONLINEAR:
        result = ProblemClass.NLP
    elif constraints is Degree.QUADRATIC:
        fine = convex["constraints"] and convex["objective"]
        result = ProblemClass.QCP if fine else ProblemClass.NONCONVEX_QCP
    elif objective is Degree.QUADRATIC:
        result = ProblemClass.QP if convex["objective"] else ProblemClass.NONCONVEX_QP
    else:
        result = ProblemClass.LP
    return DISCRETE[result] if integral else result
