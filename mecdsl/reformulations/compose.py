"""Symbolic expressions put together by a pass, with what is known at once folded away: `0*x`,
`1*x`, `x + 0`.

A composed expression has a text of its own, so that whoever shows it finds a formula:
`(data_limit - 3 s)*used`.
"""

from collections.abc import Iterable

from mecdsl.diagnostics import Source, Span
from mecdsl.model import symbolic as sym
from mecdsl.units import DIMENSIONLESS, Dimension

LOOSE = ("+", "-", "neg", "and", "or", "not", "<=", ">=", "==", "!=", "<", ">")


def written(text: str) -> Span:
    """A place in no file that reads as the text."""
    return Span(Source("composed by mecdsl", text), 1, 1, 1, len(text) + 1)


def number(value: float, dimension: Dimension | None = DIMENSIONLESS) -> sym.Constant:
    """A plain number, or one of any dimension where it is None."""
    return sym.Constant(value, dimension, written(f"{value:g}"))


ZERO = number(0.0, None)
ONE = number(1.0)


def is_number(expression: sym.Expression, value: float) -> bool:
    """Whether an expression is that literal number."""
    return isinstance(expression, sym.Constant) and expression.value == value


def add(left: sym.Expression, right: sym.Expression) -> sym.Expression:
    """`left + right`."""
    if is_number(left, 0.0):
        return right
    if is_number(right, 0.0):
        return left
    return sym.Operation("+", (left, right), written(f"{left.span.text} + {_tight(right)}"))


def subtract(left: sym.Expression, right: sym.Expression) -> sym.Expression:
    """`left - right`."""
    if is_number(right, 0.0):
        return left
    if is_number(left, 0.0):
        return negate(right)
    return sym.Operation("-", (left, right), written(f"{left.span.text} - {_tight(right)}"))


def negate(operand: sym.Expression) -> sym.Expression:
    """`-operand`."""
    if is_number(operand, 0.0):
        return operand
    return sym.Operation("neg", (operand,), written(f"-{_tight(operand)}"))


def multiply(left: sym.Expression, right: sym.Expression) -> sym.Expression:
    """`left * right`."""
    if is_number(left, 0.0) or is_number(right, 0.0):
        return ZERO
    if is_number(left, 1.0) and _plain(left):
        return right
    if is_number(right, 1.0) and _plain(right):
        return left
    return sym.Operation("*", (left, right), written(f"{_tight(left)}*{_tight(right)}"))


def product(factors: tuple[sym.Expression, ...]) -> sym.Expression:
    """The product of all factors, 1 if there is none."""
    result: sym.Expression = ONE
    for factor in factors:
        result = multiply(result, factor)
    return result


def smallest(values: tuple[sym.Expression, ...]) -> sym.Expression:
    """`min(...)`, each value once."""
    return _extreme("min", values)


def largest(values: tuple[sym.Expression, ...]) -> sym.Expression:
    """`max(...)`, each value once."""
    return _extreme("max", values)


def both(left: sym.Expression | None, right: sym.Expression | None) -> sym.Expression | None:
    """`left and right`, where None is a condition that always holds."""
    if left is None or right is None:
        return right if left is None else left
    return sym.Operation("and", (left, right), written(f"{_tight(left)} and {_tight(right)}"))


def every(conditions: Iterable[sym.Expression]) -> sym.Expression | None:
    """All conditions joined by `and`; None if there is none."""
    result: sym.Expression | None = None
    for condition in conditions:
        result = both(result, condition)
    return result


def negation(condition: sym.Expression) -> sym.Expression:
    """`not condition`."""
    return sym.Operation("not", (condition,), written(f"not {_tight(condition)}"))


def _extreme(function: str, values: tuple[sym.Expression, ...]) -> sym.Expression:
    """Numbers among the values become one; what remains of a single kind needs no function."""
    numbers = [value for value in values if isinstance(value, sym.Constant)]
    others = [value for value in values if not isinstance(value, sym.Constant)]
    kept: list[sym.Expression] = list(others)
    if numbers:
        pick = min if function == "min" else max
        best = pick(numbers, key=lambda constant: constant.value)
        # a zero fits every dimension; one with a dimension says more than one without
        kept.insert(
            0, next((n for n in numbers if n.value == best.value and n.dimension is not None), best)
        )
    if len(kept) == 1:
        return kept[0]
    text = f"{function}({', '.join(value.span.text for value in kept)})"
    return sym.Function(function, tuple(kept), written(text))


def _plain(constant: sym.Expression) -> bool:
    dimension = constant.dimension if isinstance(constant, sym.Constant) else None
    return dimension is not None and dimension.is_dimensionless


def _tight(expression: sym.Expression) -> str:
    """The text of an expression as an operand of a stronger operator."""
    loose = isinstance(expression, sym.Choice) or (
        isinstance(expression, sym.Operation) and expression.operator in LOOSE
    )
    return f"({expression.span.text})" if loose else expression.span.text
