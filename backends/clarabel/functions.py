"""The functions of the language that have a cone, as values of a conic program.

Which they are, and which cone that is, says `Function.cone` of `mecdsl.functions.table`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from mecdsl.backends.clarabel.settle import BENDS
from mecdsl.backends.clarabel.terms import NoCone
from mecdsl.backends.clarabel.value import Value, exponential, logarithm, multiplied, power


def perspective(t: Value, e: Value) -> Value:
    """t ln(1 + e/t)."""
    return multiplied(t, logarithm(1.0 + multiplied(e, power(t, -1.0))))


def quad_over_lin(x: Value, y: Value) -> Value:
    """x^2/y."""
    return multiplied(power(x, 2.0), power(y, -1.0))


def absolute(x: Value) -> Value:
    """|x|, at least x and -x."""
    return extreme("max", [x, -x])


def extreme(name: str, values: Sequence[Value]) -> Value:
    """max or min row by row: at least, or at most, each of them."""
    sign = 1.0 if name == "max" else -1.0
    affine = [value.settled() for value in values]
    wrong = any((a.below if name == "max" else a.above).any() for a in affine)
    if wrong:
        raise NoCone(BENDS, None)
    draft = values[0].draft
    sizes = np.maximum.reduce([a.sizes for a in affine])
    y = draft.new(sizes)
    for a in affine:
        draft.nonnegative(y.plus(a.scaled(-np.ones(a.size))).scaled(np.full(a.size, sign)))
    bound = replace(y, above=~y.above) if name == "max" else replace(y, below=~y.below)
    return replace(values[0], linear=bound, terms=())


FUNCTIONS: Final[dict[str, Callable[[Sequence[Value]], Value]]] = {
    "ln": lambda values: logarithm(values[0]),
    "exp": lambda values: exponential(values[0]),
    "sqrt": lambda values: power(values[0], 0.5),
    "abs": lambda values: absolute(values[0]),
    "min": lambda values: extreme("min", values),
    "max": lambda values: extreme("max", values),
    "perspective": lambda values: perspective(values[0], values[1]),
    "quad_over_lin": lambda values: quad_over_lin(values[0], values[1]),
}
"""Those with a cone in `mecdsl.functions.table`; their curves are those of that module's rules."""
