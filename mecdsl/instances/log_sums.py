"""`ln(exp(a) + exp(b) + ...)` without overflow: the logarithm is taken inside, and the largest term
out.

What counts as a sum of exponentials: `exp` of anything, data that are not negative, and sums,
products, quotients, powers by data, `if` and definitions of these: `ln(1 + exp(x))`,
`log2(sum(w[i]*exp(x[i]) for i in I))`.

With m the largest logarithm of a term, `ln sum exp(u) = m + ln sum exp(u - m)`; m counts as a
number, which changes neither the value nor any derivative. Algebras that have no numbers, those of
modelling tools and of curvature, see what is written.
"""

from typing import Any

import numpy as np

from mecdsl.functions.table import UNIVARIATE
from mecdsl.instances.evaluates import Evaluates
from mecdsl.instances.tables import FloatArray, IntArray, Table
from mecdsl.model import symbolic as sym
from mecdsl.parsing.syntax import Kind

BASES = {name: row.logarithm for name, row in UNIVARIATE.items() if row.logarithm}
"""Each logarithm as a multiple of `ln`."""


def is_exponential_sum(evaluator: Evaluates, expression: sym.Expression) -> bool:
    """Whether an expression is a sum of exponentials."""
    shapes = evaluator.world.shapes
    if _is_number(evaluator, expression):
        return False
    match expression:
        case sym.Function(name="exp"):
            return True
        case sym.Operation(operator="+" | "*" | "/", operands=operands):
            parts = operands
        case sym.Operation(operator="^", operands=(base, exponent)) if shapes.is_data(exponent):
            parts = (base,)
        case sym.Choice(then=then, otherwise=otherwise):
            parts = (then, otherwise)
        case sym.Aggregate(function="sum", body=body):
            parts = (body,)
        case sym.Lookup(symbol=name):
            symbol = evaluator.world.model.symbols[name]
            if symbol.kind is Kind.VAR or symbol.formula is None:
                return False
            parts = (symbol.formula,)
        case _:
            return False
    return all(shapes.is_data(part) or is_exponential_sum(evaluator, part) for part in parts)


def _is_number(evaluator: Evaluates, expression: sym.Expression) -> bool:
    """Whether an expression is data, and no exponential of data is in it that may overflow."""
    return evaluator.world.shapes.is_data(expression) and not any(
        isinstance(node, sym.Function) and node.name == "exp" for node in sym.walk(expression)
    )


class NegativeTerm(Exception):
    """Data below 0 in a sum of exponentials: it has a logarithm perhaps, and this term has none."""


def log_of(evaluator: Evaluates, expression: sym.Expression, table: Table) -> Any:
    """The natural logarithm of a sum of exponentials on every row of a table.

    Raises `NegativeTerm`.
    """
    data = evaluator.world.shapes.is_data(expression)
    if data and not is_exponential_sum(evaluator, expression):
        value = evaluator.family(expression, table)
        if (_level(evaluator, value) < 0.0).any():
            raise NegativeTerm
        return evaluator.algebra_of(value).call("ln", [value])
    match expression:
        case sym.Function(name="exp", arguments=(argument,)):
            return evaluator.family(argument, table)
        case sym.Operation(operator="+", operands=(left, right)):
            return _added(
                evaluator, log_of(evaluator, left, table), log_of(evaluator, right, table)
            )
        case sym.Operation(operator="*", operands=(left, right)):
            return log_of(evaluator, left, table) + log_of(evaluator, right, table)
        case sym.Operation(operator="/", operands=(left, right)):
            return log_of(evaluator, left, table) - log_of(evaluator, right, table)
        case sym.Operation(operator="^", operands=(base, exponent)):
            return evaluator.family(exponent, table) * log_of(evaluator, base, table)
        case sym.Choice():
            return _chosen(evaluator, expression, table)
        case sym.Aggregate():
            child, parent, _ = evaluator.space(expression.space, table, f"`{expression.span.text}`")
            return _summed(evaluator, log_of(evaluator, expression.body, child), parent, table.size)
        case sym.Lookup():
            return evaluator.definition_at(expression, table, log_of)
        case _:
            raise TypeError(f"no sum of exponentials: {type(expression).__name__}")


def _chosen(evaluator: Evaluates, choice: sym.Choice, table: Table) -> Any:
    truth = evaluator.condition(choice.condition, table)
    parts = []
    for rows, branch in (
        (np.flatnonzero(truth), choice.then),
        (np.flatnonzero(~truth), choice.otherwise),
    ):
        if len(rows):
            parts.append((rows, log_of(evaluator, branch, table.take(rows))))
    return evaluator.algebra_of(*(value for _, value in parts)).merge(table.size, parts)


def _added(evaluator: Evaluates, left: Any, right: Any) -> Any:
    """ln(exp(left) + exp(right))."""
    highest = _finite(np.maximum(_level(evaluator, left), _level(evaluator, right)))
    total = _exp(evaluator, left - highest) + _exp(evaluator, right - highest)
    return evaluator.algebra_of(total).call("ln", [total]) + highest


def _summed(evaluator: Evaluates, values: Any, parent: IntArray, size: int) -> Any:
    """ln of the sum of exp(values) over the rows with each parent."""
    highest = np.full(size, -np.inf)
    np.maximum.at(highest, parent, _level(evaluator, values))
    highest = _finite(highest)
    shifted = _exp(evaluator, values - highest[parent])
    total = evaluator.algebra_of(shifted).segment_sum(shifted, parent, size)
    return evaluator.algebra_of(total).call("ln", [total]) + highest


def _exp(evaluator: Evaluates, value: Any) -> Any:
    return evaluator.algebra_of(value).call("exp", [value])


def _level(evaluator: Evaluates, value: Any) -> FloatArray:
    level = evaluator.algebra_of(value).level(value)
    assert level is not None
    return level


def _finite(values: FloatArray) -> FloatArray:
    return np.where(np.isfinite(values), values, 0.0)
