"""A tree program as a Gurobi model.

Gurobi states a nonlinear row as `variable = tree`, so each row has a variable whose bounds are the
sides of the row. Trees go in as arrays of operation codes: the operators of `gurobipy` would
multiply sums out.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import gurobipy as gp
import numpy as np
from gurobipy import GRB
from scipy.sparse import csr_matrix

from mecdsl.analysis.coefficients import Quadratics
from mecdsl.backends.shared.flat_rows import FlatRows
from mecdsl.backends.shared.tree_program import TreeProgram
from mecdsl.backends.shared.trees import (
    COLUMN,
    CONSTANT,
    POWER,
    PRODUCT,
    QUOTIENT,
    SUM,
    Tree,
    value,
)
from mecdsl.instances.tables import FloatArray

OPERATIONS: Final = {
    SUM: GRB.OPCODE_PLUS,
    PRODUCT: GRB.OPCODE_MULTIPLY,
    QUOTIENT: GRB.OPCODE_DIVIDE,
    "ln": GRB.OPCODE_LOG,
    "exp": GRB.OPCODE_EXP,
    "sqrt": GRB.OPCODE_SQRT,
    "sin": GRB.OPCODE_SIN,
    "cos": GRB.OPCODE_COS,
}
NO_DATA: Final = -1.0


@dataclass(frozen=True, slots=True, eq=False)
class GurobiModel:
    """A model, its variables for the columns of the program, and those of nonlinear rows with
    their trees.
    """

    model: Any
    columns: list[Any]
    results: list[tuple[Any, Tree]]

    def start_at(self, z: FloatArray) -> None:
        """Offer a point; nan is left open."""
        whole = bool(np.isfinite(z).all())
        for variable, place in zip(self.columns, z.tolist(), strict=True):
            if np.isfinite(place):
                variable.Start = place
        for variable, tree in self.results if whole else ():
            at = value(tree, z)
            if np.isfinite(at):
                variable.Start = at


def gurobi_model(program: TreeProgram, environment: Any) -> GurobiModel:
    """The model of a program without a conflict."""
    model = gp.Model(program.instance.model.name, env=environment)
    kinds = np.where(program.integral, GRB.INTEGER, GRB.CONTINUOUS).tolist()
    columns = list(
        model.addVars(
            len(program.lower), lb=program.lower.tolist(), ub=program.upper.tolist(), vtype=kinds
        ).values()
    )
    model.update()
    built = GurobiModel(model, columns, [])
    _add_flat(built, program.flat)
    for absolute in program.absolutes:
        model.addGenConstrAbs(columns[absolute.result], columns[absolute.argument])
    for row in program.curved:
        _add_tree(built, row.tree, row.lower, row.upper)
    objective = _expression(program.goal, 0, columns) + float(program.goal.constant[0])
    if program.curved_goal is not None:
        objective += _add_tree(built, program.curved_goal, -np.inf, np.inf)
    model.setObjective(objective, GRB.MAXIMIZE if program.maximize else GRB.MINIMIZE)
    return built


def _add_flat(built: GurobiModel, flat: FlatRows) -> None:
    """Linear rows as one matrix, quadratic ones one by one."""
    plain = flat.chosen(~flat.quadratic)
    found = plain.coefficients
    if found.size:
        shape = (found.size, len(built.columns))
        matrix = csr_matrix((found.value, (found.row, found.column)), shape=shape)
        senses, sides = _sides(plain)
        built.model.addMConstr(matrix, built.columns, np.array(senses), np.array(sides))
    curved = flat.chosen(flat.quadratic)
    for row, (sense, side) in enumerate(zip(*_sides(curved), strict=True)):
        expression = _expression(curved.coefficients, row, built.columns)
        built.model.addQConstr(expression, sense, side)


def _sides(flat: FlatRows) -> tuple[list[str], list[float]]:
    """Sense and right-hand side of rows with one side each."""
    above = np.isfinite(flat.upper)
    equal = above & np.isfinite(flat.lower)
    senses = np.where(equal, GRB.EQUAL, np.where(above, GRB.LESS_EQUAL, GRB.GREATER_EQUAL))
    return senses.tolist(), np.where(above, flat.upper, flat.lower).tolist()


def _expression(found: Quadratics, row: int, columns: Sequence[Any]) -> Any:
    """One row of degree two or less without its constant."""
    linear = np.flatnonzero(found.row == row)
    products = np.flatnonzero(found.quadratic_row == row)
    first = gp.LinExpr(
        found.value[linear].tolist(), [columns[c] for c in found.column[linear].tolist()]
    )
    if not len(products):
        return first
    second = gp.QuadExpr(first)
    second.addTerms(
        found.quadratic_value[products].tolist(),
        [columns[c] for c in found.first[products].tolist()],
        [columns[c] for c in found.second[products].tolist()],
    )
    return second


def _add_tree(built: GurobiModel, tree: Tree, low: float, high: float) -> Any:
    """A variable that equals a tree and has its limits as bounds."""
    result = built.model.addVar(lb=low, ub=high)
    codes, data, parents = tree_arrays(tree, built.columns)
    built.model.addGenConstrNLAdv(result, codes, data, parents)
    built.results.append((result, tree))
    return result


def tree_arrays(tree: Tree, columns: Sequence[Any]) -> tuple[list[int], list[Any], list[int]]:
    """Operation codes, data and parents of the nodes of a tree, each after its parent."""
    codes: list[int] = []
    data: list[Any] = []
    parents: list[int] = []
    open_nodes = [(tree, -1)]
    while open_nodes:
        node, parent = open_nodes.pop()
        code, datum, parts = _node(node, columns)
        codes.append(code)
        data.append(datum)
        parents.append(parent)
        here = len(codes) - 1
        open_nodes += [(part, here) for part in reversed(parts)]
    return codes, data, parents


def _node(node: Tree, columns: Sequence[Any]) -> tuple[int, Any, tuple[Tree, ...]]:
    """The operation of a node, its data and its parts as Gurobi has them."""
    if node.kind == COLUMN:
        return GRB.OPCODE_VARIABLE, columns[node.column], ()
    if node.kind == CONSTANT or (node.kind == SUM and not node.parts):
        return GRB.OPCODE_CONSTANT, node.number, ()
    if node.kind != POWER:
        return OPERATIONS[node.kind], NO_DATA, node.parts
    base, exponent = node.parts[0], node.number
    if exponent == 2.0:
        return GRB.OPCODE_SQUARE, NO_DATA, (base,)
    if exponent == 0.5:
        return GRB.OPCODE_SQRT, NO_DATA, (base,)
    if exponent == -1.0:
        return GRB.OPCODE_DIVIDE, NO_DATA, (Tree(CONSTANT, number=1.0), base)
    return GRB.OPCODE_POW, NO_DATA, (base, Tree(CONSTANT, number=exponent))
