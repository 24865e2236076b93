"""Whether first-order optimality conditions hold at a point, measured relative to the problem's own
numbers.

Ipopt's tolerance is absolute: with rows in bits (1e9 and more) rounding alone exceeds 1e-9, and
Ipopt stops at the optimum with the word that it can get no further. This is the second opinion for
that case. It is strict: where it says yes, the conditions hold; where it says no, the point may
still be optimal.
"""

import numpy as np

from mecdsl.backends.nlp.problem import NlpProblem, Vector, clip_to_bounds, violation

CONDITION_TOLERANCE = 1e-6


def first_order_holds(
    problem: NlpProblem, x: Vector, multipliers: Vector, lower: Vector, upper: Vector
) -> bool:
    """Feasibility, balance of gradients and complementarity at `x`, each to 1e-6.

    `multipliers` of shape (m,), `lower` and `upper` of shape (n,) as Ipopt signs them. The balance
    of a variable is relative to the largest term in it, or to the objective's slope at the start
    where that is larger; complementarity is relative to the objective, or to what was gained since
    the start.
    """
    start = clip_to_bounds(problem, problem.start)
    with np.errstate(all="ignore"):
        values = problem.constraints(x)
        gradient, begin = problem.gradient(x), problem.gradient(start)
        terms = problem.jacobian_values(x) * multipliers[problem.jacobian_rows]
        objective, first = problem.objective(x), problem.objective(start)
    balance, size = gradient - lower + upper, np.abs(gradient) + lower + upper
    np.add.at(balance, problem.jacobian_columns, terms)
    np.add.at(size, problem.jacobian_columns, np.abs(terms))
    size = np.maximum(size, np.where(np.isfinite(begin), np.abs(begin), 0.0))
    room = _products(lower, x - problem.lower) + _products(upper, problem.upper - x)
    room += _products(np.maximum(multipliers, 0.0), problem.constraint_upper - values)
    room += _products(np.maximum(-multipliers, 0.0), values - problem.constraint_lower)
    gained = abs(objective - first) if np.isfinite(first) else 0.0
    infeasibility = violation(values, problem.constraint_lower, problem.constraint_upper)
    return bool(
        infeasibility <= CONDITION_TOLERANCE
        and (np.abs(balance) <= CONDITION_TOLERANCE * size).all()
        and room <= CONDITION_TOLERANCE * max(abs(objective), gained)
    )


def _products(multipliers: Vector, slacks: Vector) -> float:
    """Sum of |multiplier * slack|; a bound that is infinite must have no multiplier to speak of."""
    finite = np.isfinite(slacks)
    if multipliers[~finite].max(initial=0.0) > CONDITION_TOLERANCE * multipliers.max(initial=0.0):
        return np.inf
    return float(np.abs(multipliers[finite] * slacks[finite]).sum())
