"""Exact sparse first and second derivatives of scalar CasADi expressions, one constraint at a time.

Differentiating a whole model at once (`casadi.jacobian`, `casadi.hessian`) colours one big graph;
where a dense row meets a dense column that takes time quadratic in the size of the model. Each
constraint by itself, over its own symbols, costs a constant per entry.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import casadi as ca
import numpy as np

from mecdsl.backends.nlp.problem import Index, NlpProblem, Vector

# Seconds per unit of work of CasADi's two ways to a Hessian, measured on one core; only their ratio
# matters.
# per path of three edges in the sparsity graph; reaches 135 s on a dense 800 x 800 block
STAR_COLOURING_COST = 3.5e-10
COLUMN_COLOURING_COST = (
    3.7e-7  # per column group and node; 0.5 s there, but quadratic on an arrow of 10,000 columns
)
ALWAYS_STAR = 8  # columns up to which the choice is not worth looking at


@dataclass(frozen=True, slots=True, kw_only=True)
class SymbolicNlp:
    """min f(x) subject to g(x), as CasADi SX columns, with derivatives as triplets without
    repetition.

    `hessian_values` belong to objective_factor * f + multipliers . g, lower triangle.
    """

    variables: Any
    objective: Any
    constraints: Any
    gradient: Any
    jacobian_rows: Index
    jacobian_columns: Index
    jacobian_values: Any
    multipliers: Any
    objective_factor: Any
    hessian_rows: Index
    hessian_columns: Index
    hessian_values: Any


@dataclass(slots=True)
class _Triplets:
    rows: list[Index]
    columns: list[Index]
    values: list[Any]

    def joined(self) -> tuple[Index, Index, Any]:
        empty = np.zeros(0, dtype=np.int64)
        values = ca.densify(ca.vertcat(*self.values)) if self.values else ca.SX(0, 1)
        return np.concatenate([empty, *self.rows]), np.concatenate([empty, *self.columns]), values


def differentiate(variables: Any, objective: Any, constraints: Any) -> SymbolicNlp:
    """Derivatives of a scalar `objective` and of a column of `constraints` by a column of
    symbols.
    """
    position = {symbol.element_hash(): column for column, symbol in enumerate(variables.elements())}
    constraints = ca.densify(constraints)
    jacobian, hessian = _Triplets([], [], []), _Triplets([], [], [])
    weights: list[Any] = []
    multipliers, factor = ca.SX.sym("lambda", constraints.numel()), ca.SX.sym("sigma")
    for row, expression in enumerate(constraints.elements()):
        columns, own, slope = _slope(expression, position)
        jacobian.rows.append(np.full(len(columns), row, dtype=np.int64))
        jacobian.columns.append(columns)
        jacobian.values.append(slope)
        count = _add_curvature(hessian, columns, own, slope)
        weights.append(ca.repmat(multipliers[row], count, 1))
    columns, own, slope = _slope(objective, position)
    gradient = ca.SX(variables.numel(), 1)
    if len(columns):
        gradient[columns.tolist()] = slope
    weights.append(ca.repmat(factor, _add_curvature(hessian, columns, own, slope), 1))
    hessian_rows, hessian_columns, values = _merged(
        hessian, ca.vertcat(*weights), variables.numel()
    )
    jacobian_rows, jacobian_columns, jacobian_values = jacobian.joined()
    return SymbolicNlp(
        variables=variables,
        objective=objective,
        constraints=constraints,
        gradient=ca.densify(gradient),
        jacobian_rows=jacobian_rows,
        jacobian_columns=jacobian_columns,
        jacobian_values=jacobian_values,
        multipliers=multipliers,
        objective_factor=factor,
        hessian_rows=hessian_rows,
        hessian_columns=hessian_columns,
        hessian_values=values,
    )


def _slope(expression: Any, position: dict[int, int]) -> tuple[Index, Any, Any]:
    """Columns, symbols and first derivatives of one scalar expression."""
    symbols = ca.symvar(expression)
    columns = np.array([position[symbol.element_hash()] for symbol in symbols], dtype=np.int64)
    if not symbols:
        return columns, ca.SX(0, 1), ca.SX(0, 1)
    own = ca.vertcat(*symbols)
    return columns, own, ca.densify(ca.gradient(expression, own))


def _add_curvature(hessian: _Triplets, columns: Index, own: Any, slope: Any) -> int:
    """Append the second derivatives of one expression; returns how many."""
    if not len(columns) or slope.is_constant():
        return 0
    block = ca.jacobian(slope, own, {"symmetric": _prefers_star(slope, own)})
    first, second = (np.array(part, dtype=np.int64) for part in block.sparsity().get_triplet())
    rows, others = columns[first], columns[second]
    kept = np.flatnonzero(
        rows >= others
    )  # order in the model, not in the block, decides what is lower
    hessian.rows.append(rows[kept])
    hessian.columns.append(others[kept])
    hessian.values.append(block.nz[kept.tolist()] if len(kept) < len(rows) else block.nz[:])
    return len(kept)


def _prefers_star(slope: Any, own: Any) -> bool:
    """Whether star colouring is the cheaper way; it is for chains and arrows, not for dense
    blocks.
    """
    if own.numel() <= ALWAYS_STAR:
        return True
    pattern = ca.jacobian_sparsity(slope, own)
    first, second = (np.array(part, dtype=np.int64) for part in pattern.get_triplet())
    degree = np.bincount(first, minlength=own.numel()).astype(np.float64)
    star = STAR_COLOURING_COST * float(degree[first] @ degree[second])
    column = COLUMN_COLOURING_COST * float(degree.max(initial=0.0)) * 2.0 * own.numel()
    return bool(star <= column)


def _merged(hessian: _Triplets, weights: Any, size: int) -> tuple[Index, Index, Any]:
    """Weighted second derivatives with equal positions added up."""
    rows, columns, values = hessian.joined()
    keys, target = np.unique(rows * size + columns, return_inverse=True)
    if not len(keys):
        return keys, keys, ca.SX(0, 1)
    pattern = ca.Sparsity.triplet(len(keys), len(rows), target.tolist(), list(range(len(rows))))
    total = ca.mtimes(ca.DM(pattern, 1.0), weights * values)
    return keys // size, keys % size, ca.densify(total)


def nlp_problem(
    symbolic: SymbolicNlp,
    lower: Vector,
    upper: Vector,
    row_lower: Vector,
    row_upper: Vector,
    start: Vector,
    variable_name: Callable[[int], str] = str,
    constraint_name: Callable[[int], str] = str,
) -> NlpProblem:
    """The same problem with compiled callables; each call is one pass of CasADi's virtual
    machine.
    """
    x = symbolic.variables
    objective = _compiled("f", [x], symbolic.objective)
    return NlpProblem(
        lower=lower,
        upper=upper,
        constraint_lower=row_lower,
        constraint_upper=row_upper,
        start=start,
        objective=lambda point: float(objective(point)[0]),
        gradient=_compiled("gradient", [x], symbolic.gradient),
        constraints=_compiled("g", [x], symbolic.constraints),
        jacobian_values=_compiled("jacobian", [x], symbolic.jacobian_values),
        jacobian_rows=symbolic.jacobian_rows,
        jacobian_columns=symbolic.jacobian_columns,
        hessian_values=_compiled(
            "hessian", [x, symbolic.multipliers, symbolic.objective_factor], symbolic.hessian_values
        ),
        hessian_rows=symbolic.hessian_rows,
        hessian_columns=symbolic.hessian_columns,
        variable_name=variable_name,
        constraint_name=constraint_name,
    )


def _compiled(name: str, inputs: Sequence[Any], output: Any) -> Callable[..., Vector]:
    """A function of arrays; CasADi's buffers avoid its conversion of every entry to a Python
    float.
    """
    size = output.numel()
    if not size:
        return lambda *arguments: np.zeros(0)
    function = ca.Function(name, list(inputs), [ca.densify(output)])
    shapes = [max(1, part.numel()) for part in inputs]
    buffers = [np.zeros(shape) for shape in shapes]
    result = np.zeros(size)
    buffer: Any
    buffer, evaluate = function.buffer()
    for number, array in enumerate(buffers):
        buffer.set_arg(number, array.data)
    buffer.set_res(0, result.data)

    def call(*arguments: Any) -> Vector:
        for array, part, argument in zip(buffers, inputs, arguments, strict=True):
            array[: part.numel()] = argument
        evaluate()
        return result.copy()

    # the buffers live as long as the function that writes into them
    call.__dict__["buffers"] = (buffers, result, buffer, function)
    return call
