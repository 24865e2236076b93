"""The operators of the language on values, by Python's operators, which every algebra has."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from mecdsl.instances.algebra import Value


def operate(name: str, operands: Sequence[Value]) -> Value:
    """The value of an operation; `and` and `or` are the evaluator's.

    Division of plain numbers by zero gives inf or nan, which are found where they are used.
    """
    if name not in OPERATORS:
        raise TypeError(f"unknown operator {name}")
    with np.errstate(all="ignore"):
        return OPERATORS[name](*operands)


def _quotient(above: Value, below: Value) -> Value:
    return _numpy_unless_jet(above, below) / below


def _power(base: Value, exponent: Value) -> Value:
    return _numpy_unless_jet(base, exponent) ** exponent


def _numpy_unless_jet(left: Value, right: Value) -> Value:
    """A plain number as one of NumPy, which raises nothing; a jet takes plain ones alone."""
    return np.float64(left) if isinstance(left, float | int) and not _is_jet(right) else left


def _is_jet(value: Value) -> bool:
    return not isinstance(value, np.ndarray | float | int | np.floating)


OPERATORS: Final[Mapping[str, Callable[..., Any]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _quotient,
    "^": _power,
    "neg": operator.neg,
    "not": np.logical_not,
    "<=": np.less_equal,
    ">=": np.greater_equal,
    "<": np.less,
    ">": np.greater,
    "==": np.equal,
    "!=": np.not_equal,
}
