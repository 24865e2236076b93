"""Nonlinear expressions of another tool as sums `sum coefficient * atom + constant` of atoms of a
size of about 1.

Why: a global solver gives every nonlinear part of an expression a variable and an absolute
tolerance of its own. With `1 + p*g/(noise + q*h)` in SI, noise at 1e-13 W, that tolerance is larger
than the denominator, and SCIP called a feasible problem infeasible although each row as a whole was
scaled. Here sizes are taken out of every argument before a function is applied:
`ln(m*u) = ln m + ln u`, `sqrt(m*u) = sqrt m * sqrt u`, `(m*u)^p = m^p * u^p`, and `u*v` multiplies
the sizes, with m the largest coefficient of the sum; so inner parts have a size of about 1 wherever
the leaves have.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mecdsl.analysis.scaling import Scaling
from mecdsl.backends.shared.cones import QUOTIENT
from mecdsl.diagnostics import Diagnostic, ModelError, Span
from mecdsl.functions.table import TABLE
from mecdsl.instances.algebra import Objects, Value
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import IntArray

LARGEST_SHIFT: Final = 300.0  # of an exponent: beyond, exp(shift) would leave the range of a double


@dataclass(frozen=True, slots=True)
class Tool:
    """What a tool does with its own expressions: the functions of one argument that it has, by
    their names in the language, and the sum of a list. `log_of_ratio`: what it says for the
    logarithm of a quotient of two combinations, None where that is no better.
    """

    functions: Mapping[str, Callable[[Any], Any]]
    total: Callable[[list[Any]], Any]
    log_of_ratio: "Callable[[Combination, Combination], Combination | None] | None" = None


class Combination:
    """`sum coefficient * atom + constant`; operators mix it with numbers and never change it.

    `ratio`: what it is a quotient of, above and below, where it is one.
    """

    __slots__ = ("constant", "ratio", "terms", "tool")

    def __init__(
        self,
        tool: Tool,
        terms: list[tuple[float, Any]],
        constant: float = 0.0,
        ratio: "tuple[Combination, Combination] | None" = None,
    ) -> None:
        self.tool, self.terms, self.constant = tool, terms, constant
        self.ratio = ratio

    def normal(self) -> tuple[float, Any]:
        """A size m > 0 (the largest coefficient) and an expression u of the tool with
        `self = m*u`.
        """
        if len(self.terms) == 1 and self.constant == 0.0 and self.terms[0][0] > 0.0:
            return self.terms[0]
        size = max((abs(coefficient) for coefficient, _ in self.terms), default=0.0)
        size = max(abs(self.constant), size)
        if not size > 0.0:
            return 1.0, self.tool.total([0.0 * atom for _, atom in self.terms])
        parts = [
            self._part(coefficient / size, atom)
            for coefficient, atom in self.terms
            if coefficient != 0.0
        ]
        if self.constant != 0.0:
            parts.append(self.constant / size)
        return size, self.tool.total(parts)

    @staticmethod
    def _part(coefficient: float, atom: Any) -> Any:
        return atom if coefficient == 1.0 else coefficient * atom

    def apply(self, name: str) -> "Combination":
        """A function of the language of one argument."""
        function = self.tool.functions[name]
        if name == "exp":
            shift = self.constant if abs(self.constant) <= LARGEST_SHIFT else 0.0
            inner = Combination(self.tool, self.terms, self.constant - shift)
            size, atom = inner.normal()
            return Combination(self.tool, [(math.exp(shift), function(self._part(size, atom)))])
        size, atom = self.normal()
        degree = TABLE[name].homogeneous
        if name == "ln":
            better = self._log_of_ratio()
            if better is not None:
                return better
            return Combination(self.tool, [(1.0, function(atom))], float(np.log(size)))
        if degree is None:
            return Combination(self.tool, [(1.0, function(self._part(size, atom)))])
        return Combination(self.tool, [(float(np.power(size, degree)), function(atom))])

    def _log_of_ratio(self) -> "Combination | None":
        if self.ratio is None or self.tool.log_of_ratio is None:
            return None
        return self.tool.log_of_ratio(*self.ratio)

    # Operators

    def __add__(self, other: Any) -> "Combination":
        if isinstance(other, Combination):
            return Combination(
                self.tool, merged(self.terms + other.terms), self.constant + other.constant
            )
        ratio = None
        if self.ratio is not None:
            above, below = self.ratio
            ratio = (above + below * float(other), below)
        return Combination(self.tool, self.terms, self.constant + float(other), ratio)

    __radd__ = __add__

    def __neg__(self) -> "Combination":
        return self * -1.0

    def __sub__(self, other: Any) -> "Combination":
        return self.__add__(-other)

    def __rsub__(self, other: Any) -> "Combination":
        return (-self).__add__(other)

    def __mul__(self, other: Any) -> "Combination":
        if isinstance(other, Combination):
            return self._product(other)
        factor = float(other)
        terms = [(coefficient * factor, atom) for coefficient, atom in self.terms]
        ratio = None
        if self.ratio is not None:
            above, below = self.ratio
            ratio = (above * factor, below)
        return Combination(self.tool, terms, self.constant * factor, ratio)

    __rmul__ = __mul__

    def _product(self, other: "Combination") -> "Combination":
        (size, atom), (other_size, other_atom) = self.normal(), other.normal()
        return Combination(self.tool, [(size * other_size, atom * other_atom)])

    def __truediv__(self, other: Any) -> "Combination":
        if isinstance(other, Combination):
            result = self._product(other._power(-1.0))
            return Combination(self.tool, result.terms, result.constant, (self, other))
        return self * _inverse(float(other))

    def __rtruediv__(self, other: Any) -> "Combination":
        result = self._power(-1.0).__mul__(other)
        above = Combination(self.tool, [], float(other))
        return Combination(self.tool, result.terms, result.constant, (above, self))

    def __pow__(self, other: Any) -> "Combination":
        if isinstance(other, Combination):
            return other._product(self.apply("ln")).apply("exp")
        return self._power(float(other))

    def _power(self, power: float) -> "Combination":
        if power == 1.0:
            return self
        if power == 0.0:
            return Combination(self.tool, [], 1.0)
        size, atom = self.normal()
        return Combination(self.tool, [(float(np.power(size, power)), atom**power)])

    def __rpow__(self, other: Any) -> "Combination":
        return (self * float(np.log(float(other)))).apply("exp")

    def __abs__(self) -> "Combination":
        return self.apply("abs")


def merged(terms: Sequence[tuple[float, Any]]) -> list[tuple[float, Any]]:
    """Terms with each atom once; else definitions made of sums of each other would double their
    terms at each step.

    >>> x, y = "x", "y"
    >>> merged([(1.0, x), (3.0, y), (0.5, x)])
    [(1.5, 'x'), (3.0, 'y')]
    """
    found: dict[int, tuple[float, Any]] = {}
    for coefficient, atom in terms:
        before = found.get(id(atom))
        found[id(atom)] = (coefficient if before is None else before[0] + coefficient, atom)
    return list(found.values())


def _inverse(value: float) -> float:
    return 1.0 / value if value != 0.0 else math.nan


class Combinations(Objects):
    """The algebra of combinations; minimum and maximum through absolute values.

    `quotient`: the tool's atom for x^2/y of two atoms x and y, where it has one.
    """

    def __init__(
        self,
        columns: NDArray[np.object_],
        tool: Tool,
        quotient: Callable[[Any, Any], Any] | None = None,
    ) -> None:
        self.quotient = quotient
        functions = {name: _function(name) for name in tool.functions}
        super().__init__(columns, functions, lambda terms: total(tool, terms))

    def call(self, name: str, arguments: Sequence[Value]) -> NDArray[np.object_]:
        if name == QUOTIENT:
            above, below = (np.asarray(argument, dtype=object) for argument in arguments)
            return np.asarray(np.frompyfunc(self._square_over, 2, 1)(above, below), dtype=object)
        return super().call(name, arguments)

    def _square_over(self, above: Any, below: Any) -> Any:
        if not isinstance(above, Combination) and not isinstance(below, Combination):
            return float(TABLE[QUOTIENT].value(above, below))
        if (
            not isinstance(above, Combination)
            or not isinstance(below, Combination)
            or self.quotient is None
        ):
            return above * above / below
        (size, atom), (other_size, other_atom) = above.normal(), below.normal()
        return Combination(
            above.tool, [(size * size / other_size, self.quotient(atom, other_atom))]
        )

    def segment_extreme(
        self, name: str, value: Value, parent: IntArray, size: int
    ) -> NDArray[np.object_]:
        result = np.full(size, None, dtype=object)
        for row, item in zip(parent.tolist(), np.asarray(value, dtype=object), strict=True):
            result[row] = item if result[row] is None else self._one(name, result[row], item)
        return result


def leaves(
    instance: Instance, scaling: Scaling, variables: Sequence[Any], tool: Tool
) -> NDArray[np.object_]:
    """What stands for each column: a combination of size 1 times the column's typical size; fixed
    ones are numbers.

    `variables`: the tool's variable of every scaled column; those of fixed ones are not looked at.
    An integer column keeps its unit, so its atom is `variable / size`.
    """
    result = np.empty(instance.columns, dtype=object)
    fixed = np.flatnonzero(~instance.free)
    result[fixed] = list(
        instance.fixed[fixed]
    )  # of numpy's floats, which divide by zero without raising
    shares = (scaling.column / scaling.size).tolist()
    sizes, origin = scaling.size.tolist(), scaling.origin.tolist()
    for column in np.flatnonzero(instance.free).tolist():
        variable, share = variables[column], shares[column]
        atom = variable if share == 1.0 else share * variable
        result[column] = Combination(tool, [(sizes[column], atom)], origin[column])
    return result


def varies(value: Any) -> bool:
    """Whether a value holds a variable."""
    return isinstance(value, Combination) and any(
        coefficient != 0.0 for coefficient, _ in value.terms
    )


def normalised(value: Combination) -> tuple[float, Any]:
    """A power of two and that multiple of the value as an expression of the tool; its size is about
    1.
    """
    factor = float(np.exp2(-np.round(np.log2(value.normal()[0]))))
    return factor, multiple(value, factor)


def multiple(value: Combination, factor: float) -> Any:
    """A multiple of the value as an expression of the tool."""
    size, expression = value.normal()
    return expression if size * factor == 1.0 else (size * factor) * expression


def require_finite(value: Combination, name: str, place: Span) -> None:
    """Raises `ModelError` E311 where a number in an objective or row is not finite."""
    if all(math.isfinite(number) for number in (value.constant, *(c for c, _ in value.terms))):
        return
    message = f"`{name}` has a coefficient that is not finite with these data"
    note = "a division by zero, or the logarithm of 0"
    raise ModelError(
        [
            Diagnostic(
                "E311",
                message,
                place,
                note=note,
                help="`mecdsl show` prints the values of the definitions",
            )
        ]
    )


def total(tool: Tool, terms: Iterable[Any]) -> Any:
    """The sum of numbers and combinations, in time linear in their number."""
    parts: list[tuple[float, Any]] = []
    constant = 0.0
    for term in terms:
        if isinstance(term, Combination):
            parts.extend(term.terms)
            constant += term.constant
        else:
            constant += float(term)
    return Combination(tool, merged(parts), constant) if parts else constant


def _function(name: str) -> Callable[[Any], Any]:
    def apply(argument: Any) -> Any:
        if isinstance(argument, Combination):
            return argument.apply(name)
        with np.errstate(all="ignore"):
            return float(TABLE[name].value(float(argument)))

    return apply
