"""Templates as PySCIPOpt's expression trees; minimum and maximum through absolute values, which SCIP knows."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pyscipopt.scip import SumExpr

from mecdsl.algebra import Objects, Value
from mecdsl.tables import IntArray


class Expressions(Objects):
    """Expressions of PySCIPOpt; minimum and maximum through absolute values, which SCIP knows."""

    def __init__(self, columns: NDArray[np.object_]) -> None:
        super().__init__(columns, FUNCTIONS, total)

    def call(self, name: str, arguments: Sequence[Value]) -> NDArray[np.object_]:
        if name in EXTREMES:
            result, *others = (np.asarray(argument, dtype=object) for argument in arguments)
            for other in others:
                result = np.asarray(np.frompyfunc(EXTREMES[name], 2, 1)(result, other), dtype=object)
            return result
        return super().call(name, arguments)

    def segment_extreme(self, name: str, value: Value, parent: IntArray, size: int) -> NDArray[np.object_]:
        result = np.full(size, None, dtype=object)
        for row, item in zip(parent.tolist(), np.asarray(value, dtype=object), strict=True):
            result[row] = item if result[row] is None else EXTREMES[name](result[row], item)
        return result


def total(terms: Iterable[Any]) -> Any:
    """The sum of numbers and expressions, in time linear in their number (`+` copies what it has so far)."""
    result = SumExpr()
    for term in terms:
        if isinstance(term, int | float):
            result.constant += term
        elif isinstance(term, SumExpr):
            result.constant += term.constant
            result.children.extend(term.children)
        else:
            result.children.append(term)
    return result if result.children else float(result.constant)


def _function(of_number: Callable[[float], Any], name: str) -> Callable[[Any], Any]:
    def apply(argument: Any) -> Any:
        if isinstance(argument, int | float):
            with np.errstate(all="ignore"):
                return float(of_number(argument))
        return getattr(argument, name)()

    return apply


def _absolute(argument: Any) -> Any:
    return abs(argument)


def _largest(left: Any, right: Any) -> Any:
    return 0.5 * (left + right) + 0.5 * _absolute(left - right)


def _smallest(left: Any, right: Any) -> Any:
    return 0.5 * (left + right) - 0.5 * _absolute(left - right)


FUNCTIONS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "ln": _function(np.log, "log"),
    "exp": _function(np.exp, "exp"),
    "sqrt": _function(np.sqrt, "sqrt"),
    "abs": _absolute,
}
EXTREMES: Final[Mapping[str, Callable[[Any, Any], Any]]] = {"max": _largest, "min": _smallest}
