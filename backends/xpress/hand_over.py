"""A tree program as an Xpress problem: matrices, and a formula in reverse Polish for each nonlinear
row. The operators of `xpress` would make a Python object of each part.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import xpress as xp

from mecdsl.backends.shared.flat_rows import FlatRows, joined, one_row
from mecdsl.backends.shared.tree_program import TreeProgram
from mecdsl.backends.shared.trees import (
    COLUMN,
    CONSTANT,
    POWER,
    PRODUCT,
    QUOTIENT,
    SUM,
    Tree,
    from_leaves,
    value,
)
from mecdsl.instances.tables import FloatArray

FUNCTIONS: Final = {
    "ln": xp.constants.IFUN_LN,
    "exp": xp.constants.IFUN_EXP,
    "sqrt": xp.constants.IFUN_SQRT,
    "abs": xp.constants.IFUN_ABS,
    "sin": xp.constants.IFUN_SIN,
    "cos": xp.constants.IFUN_COS,
}
OPERATIONS: Final = {
    SUM: xp.constants.OP_PLUS,
    PRODUCT: xp.constants.OP_MULTIPLY,
    QUOTIENT: xp.constants.OP_DIVIDE,
}
Token = tuple[int, float]


@dataclass(frozen=True, slots=True, eq=False)
class XpressProblem:
    """A problem whose columns are those of a program and, of a nonlinear objective, one more that
    equals `goal`.
    """

    problem: Any
    goal: Tree | None
    integral: bool

    def start_at(self, z: FloatArray) -> None:
        """Offer a point; nan is left open."""
        if self.goal is not None:
            whole = bool(np.isfinite(z).all())
            z = np.append(z, value(self.goal, z) if whole else np.nan)
        known = np.flatnonzero(np.isfinite(z))
        if len(known):
            self.problem.addMipSol(z[known].tolist(), known.tolist(), "start")
            self.problem.nlpSetInitVal(known.tolist(), z[known].tolist())


def xpress_problem(program: TreeProgram) -> XpressProblem:
    """The problem of a program without a conflict."""
    problem = xp.problem()
    problem.setControl({"outputlog": 0, "matrixtol": 0.0})
    curved_goal = program.curved_goal is not None
    lower, upper = (np.append(ends, [end] * curved_goal) for ends, end in _ends(program))
    many = len(lower)
    problem.addCols([0.0] * many, [0] * (many + 1), [], [], lower.tolist(), upper.tolist())
    integral = np.flatnonzero(program.integral).tolist()
    if integral:
        problem.chgColType(integral, ["I"] * len(integral))
    _add_rows(problem, program, many - 1)
    _set_objective(problem, program, many - 1)
    return XpressProblem(problem, program.curved_goal, bool(integral))


def _ends(program: TreeProgram) -> tuple[tuple[FloatArray, float], tuple[FloatArray, float]]:
    """Bounds of the columns, and of one more, as Xpress has them."""
    lower = np.maximum(program.lower, -xp.infinity)
    upper = np.minimum(program.upper, xp.infinity)
    return (lower, -xp.infinity), (upper, xp.infinity)


def _add_rows(problem: Any, program: TreeProgram, last: int) -> None:
    """Rows of degree two or less and then those with formulas; `last`: the last column."""
    formulas = [row.tree for row in program.curved]
    with_formula = [one_row({}, {}, (row.lower, row.upper), row.family) for row in program.curved]
    if program.curved_goal is not None:
        formulas.append(program.curved_goal)
        with_formula.append(one_row({last: -1.0}, {}, (0.0, 0.0), ""))
    flat = joined([program.flat, *with_formula])
    found = flat.coefficients
    if not found.size:
        return
    order = np.argsort(found.row, kind="stable")
    starts = np.searchsorted(found.row[order], np.arange(found.size + 1)).tolist()
    columns, values = found.column[order].tolist(), found.value[order].tolist()
    kinds, sides = _sides(flat)
    problem.addRows(kinds, sides, None, starts, columns, values)
    # entries off the diagonal stand for two
    halves = np.where(found.first == found.second, 1.0, 0.5) * found.quadratic_value
    for row in np.unique(found.quadratic_row).tolist():
        inside = np.flatnonzero(found.quadratic_row == row)
        low, high = found.second[inside].tolist(), found.first[inside].tolist()
        problem.addQMatrix(row, low, high, halves[inside].tolist())
    if formulas:
        _add_formulas(problem, formulas, found.size - len(formulas))


def _sides(flat: FlatRows) -> tuple[list[str], list[float]]:
    """Kind and right-hand side of rows with one side each."""
    above = np.isfinite(flat.upper)
    equal = above & np.isfinite(flat.lower)
    kinds = np.where(equal, "E", np.where(above, "L", "G"))
    return kinds.tolist(), np.where(above, flat.upper, flat.lower).tolist()


def _add_formulas(problem: Any, trees: list[Tree], first: int) -> None:
    """A formula for each row from `first` on."""
    tokens: list[Token] = []
    starts = [0]
    for tree in trees:
        tokens += in_polish(tree)
        tokens.append((xp.constants.TOK_EOF, 0.0))
        starts.append(len(tokens))
    kinds, numbers = [kind for kind, _ in tokens], [number for _, number in tokens]
    rows = list(range(first, first + len(trees)))
    problem.nlpAddFormulas(rows, starts, 1, kinds, numbers)


def in_polish(tree: Tree) -> list[Token]:
    """Tokens of a tree in reverse Polish; a function has a bracket before its argument."""
    parts: list[list[Token]] = []
    for node in from_leaves(tree):
        many = len(node.parts)
        of_parts = parts[len(parts) - many :]
        del parts[len(parts) - many :]
        parts.append(_tokens(node, of_parts))
    return parts[0]


def _tokens(node: Tree, parts: list[list[Token]]) -> list[Token]:
    known = xp.constants
    match node.kind:
        case kind if kind == COLUMN:
            return [(known.TOK_COL, node.number)]
        case kind if kind == CONSTANT or not parts:
            return [(known.TOK_CON, node.number)]
        case kind if kind == POWER:
            return [*parts[0], (known.TOK_CON, node.number), (known.TOK_OP, known.OP_EXPONENT)]
        case kind if kind in OPERATIONS:
            joint = (known.TOK_OP, float(OPERATIONS[kind]))
            rest = [token for part in parts[1:] for token in (*part, joint)]
            return [*parts[0], *rest]
        case name:
            return [(known.TOK_RB, 0.0), *parts[0], (known.TOK_IFUN, float(FUNCTIONS[name]))]


def _set_objective(problem: Any, program: TreeProgram, last: int) -> None:
    goal = program.goal
    columns, values = goal.column.tolist(), goal.value.tolist()
    if program.curved_goal is not None:
        columns, values = [*columns, last], [*values, 1.0]
    problem.chgObj([*columns, -1], [*values, -float(goal.constant[0])])
    if len(goal.quadratic_value):
        # the matrix is halved, and entries off the diagonal stand for two
        doubled = np.where(goal.first == goal.second, 2.0, 1.0) * goal.quadratic_value
        problem.chgMQObj(goal.second.tolist(), goal.first.tolist(), doubled.tolist())
    sense = xp.ObjSense.MAXIMIZE if program.maximize else xp.ObjSense.MINIMIZE
    problem.chgObjSense(sense)
