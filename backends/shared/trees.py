"""Nonlinear expressions as trees of our own, for solvers that take operators one by one.

The operators of `gurobipy` and `xpress` multiply sums of variables out into monomials, as those of
other modelling tools do; both solvers also take a tree as arrays. So expressions are made here,
where they can be counted and computed without a solver, and each solver is given its own arrays.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np

from mecdsl.backends.shared.combinations import Tool
from mecdsl.functions.table import TABLE
from mecdsl.instances.tables import FloatArray

COLUMN, CONSTANT, SUM, PRODUCT, POWER = "column", "constant", "sum", "product", "power"
QUOTIENT: Final = "quotient"  # of two parts; 1/x is a power
FUNCTIONS: Final = ("ln", "exp", "sqrt", "abs", "sin", "cos")
"""The functions of the language that a tree may hold, by their names there."""


@dataclass(frozen=True, slots=True, eq=False)
class Tree:
    """An expression: its kind, one of those above or a function, and the parts.

    `number`: of a column its place among those of the problem, of a constant its value, of a power
    its exponent; 0 for the others.
    """

    kind: str
    parts: tuple["Tree", ...] = ()
    number: float = 0.0

    @property
    def column(self) -> int:
        """The place of a column."""
        assert self.kind == COLUMN
        return int(self.number)

    def __mul__(self, other: "Tree | float") -> "Tree":
        if not isinstance(other, Tree):
            return Tree(PRODUCT, (self, constant(other)))
        if other.kind == POWER and other.number == -1.0:
            return Tree(QUOTIENT, (self, other.parts[0]))
        return Tree(PRODUCT, (self, other))

    def __rmul__(self, other: float) -> "Tree":
        return Tree(PRODUCT, (constant(other), self))

    def __pow__(self, exponent: float) -> "Tree":
        return Tree(POWER, (self,), float(exponent))


def column(place: int) -> Tree:
    """A column by its place."""
    return Tree(COLUMN, number=float(place))


def constant(value: float) -> Tree:
    """A number."""
    return Tree(CONSTANT, number=float(value))


def total(parts: list[Any]) -> Tree:
    """The sum of trees and numbers."""
    return Tree(SUM, tuple(part if isinstance(part, Tree) else constant(part) for part in parts))


def applied(name: str, argument: Tree) -> Tree:
    """A function of the language of a tree."""
    return Tree(name, (argument,))


TOOL: Final = Tool({name: partial(applied, name) for name in FUNCTIONS}, total)


def from_leaves(tree: Tree) -> Iterator[Tree]:
    """Every node after its parts, from left to right; a part that occurs twice comes twice."""
    open_nodes: list[tuple[Tree, bool]] = [(tree, False)]
    while open_nodes:  # no recursion, for a product of a thousand factors is that deep
        node, seen = open_nodes.pop()
        if seen or not node.parts:
            yield node
        else:
            open_nodes.append((node, True))
            open_nodes += [(part, False) for part in reversed(node.parts)]


def operations(tree: Tree) -> int:
    """How many operations are not linear: functions, powers, and products of parts that vary."""
    varying: list[bool] = []
    found = 0
    for node in from_leaves(tree):
        of_parts = _taken(varying, len(node.parts))
        if node.kind == PRODUCT:
            found += all(of_parts)
        elif node.kind not in (COLUMN, CONSTANT, SUM):
            found += any(of_parts)
        varying.append(node.kind == COLUMN or any(of_parts))
    return found


def linear(tree: Tree) -> tuple[dict[int, float], float] | None:
    """Coefficients by column and the constant of a tree that is linear as it is written, or
    None.
    """
    weights: dict[int, float] = {}
    fixed = 0.0
    open_parts = [(1.0, tree)]
    while open_parts:
        factor, node = open_parts.pop()
        if node.kind == COLUMN:
            weights[node.column] = weights.get(node.column, 0.0) + factor
        elif node.kind == CONSTANT:
            fixed += factor * node.number
        elif node.kind == SUM:
            open_parts += [(factor, part) for part in reversed(node.parts)]
        elif node.kind == PRODUCT and CONSTANT in (part.kind for part in node.parts):
            number, other = sorted(node.parts, key=lambda part: part.kind != CONSTANT)
            open_parts.append((factor * number.number, other))
        else:
            return None
    return weights, fixed


def value(tree: Tree, z: FloatArray) -> float:
    """The value at a point of all columns; nan where it has none."""
    known: list[float] = []
    with np.errstate(all="ignore"):  # nan is an answer
        for node in from_leaves(tree):
            known.append(_value(node, _taken(known, len(node.parts)), z))
    return known[0]


def _value(node: Tree, parts: list[Any], z: FloatArray) -> float:
    match node.kind:
        case "column":
            return float(z[node.column])
        case "constant":
            return node.number
        case "sum":
            return float(sum(parts))
        case "product":
            return float(parts[0] * parts[1])
        case "quotient":
            return float(np.divide(parts[0], parts[1]))
        case "power":
            return float(np.power(parts[0], node.number))
        case name:
            return float(TABLE[name].value(parts[0]))


def _taken(stack: list[Any], many: int) -> list[Any]:
    """The last items of a stack, which lose their place on it."""
    if not many:
        return []
    items = stack[-many:]
    del stack[-many:]
    return items
