"""A combination of the rows of a linear model that no point within the bounds keeps (Farkas'
lemma), checked here.

HiGHS gives the multipliers of its scaled rows. What follows uses nothing of HiGHS: with the model's
own numbers the combined row `g . x >= least` is formed, and `most` is the largest value of `g . x`
within the bounds that the rows imply. Rounding is taken outwards; where a column without a bound is
left with a coefficient that is 0 but for rounding, it is added up exactly. Integers count as any
number: the relaxation has no point, so the model has none.
"""

from fractions import Fraction
from typing import Any, Final

import numpy as np

from mecdsl.analysis.coefficients import Quadratics, constraint_coefficients
from mecdsl.analysis.propagation.box import implied_box
from mecdsl.backends.highs.linear_program import LinearProgram, linear_program
from mecdsl.diagnostics import ModelError
from mecdsl.instances.instance import Instance
from mecdsl.instances.tables import FloatArray

EPSILON: Final = float(np.finfo(np.float64).eps)
SMALL: Final = 1e-9  # of the largest multiplier; below it one is rounding
SECONDS: Final = 10.0  # s for HiGHS to find the multipliers
MOST_EXACT: Final = 100_000  # entries that are added up exactly
SIMPLE: Final = 1000  # largest denominator of a multiplier that is taken for a fraction


def farkas_proof(instance: Instance) -> str:
    """What proves that a linear model has no feasible point, in words; empty if HiGHS finds no such
    combination.
    """
    try:
        program = linear_program(instance)
        found = constraint_coefficients(instance, instance.constraints)
    except ModelError:
        return ""
    if program.reduced.conflict or not program.matrix.rows:
        return ""
    ray = _dual_ray(program)
    if ray is None:
        return ""
    weights = np.zeros(instance.rows)
    weights[program.reduced.rows] = ray * program.reduced.row_factor
    for candidate in (weights, -weights):
        cleaned = np.where(np.abs(ray_share(candidate)) > SMALL, candidate, 0.0)
        for tried in (cleaned, _simple(cleaned)):
            if refutes(instance, found, tried):
                used = int(np.count_nonzero(tried))
                return (
                    f"a combination of {used} rows that no point within the bounds keeps "
                    "(Farkas), checked exactly"
                )
    return ""


def ray_share(weights: FloatArray) -> FloatArray:
    """Multipliers as shares of the largest."""
    return weights / max(float(np.abs(weights).max(initial=0.0)), 1e-300)


def _simple(weights: FloatArray) -> FloatArray:
    """Multipliers that are ratios of small whole numbers, as those of simple data are."""
    share = ray_share(weights)
    used = np.flatnonzero(share)
    if len(used) > MOST_EXACT:
        return weights
    result = np.zeros(len(weights))
    result[used] = [
        float(Fraction(value).limit_denominator(SIMPLE)) for value in share[used].tolist()
    ]
    return result


def refutes(instance: Instance, found: Quadratics, weights: FloatArray) -> bool:
    """Whether rows with these multipliers contradict the bounds; a multiplier of the wrong sign
    counts as 0.
    """
    weights = weights.copy()
    for family in instance.constraints:
        part = weights[family.rows]
        part[family.relation.sign * part > 0.0] = 0.0
    if not weights.any():
        return False
    # sum of weight * (left - right) is at least 0; left - right is constant + coefficients . x
    box = implied_box(instance)
    used = weights[found.row] != 0.0
    row, column, value = found.row[used], found.column[used], found.value[used]
    terms = weights[row] * value
    count = np.bincount(column, minlength=instance.columns) + 4
    slope = np.bincount(column, terms, instance.columns)
    doubt = count * EPSILON * np.bincount(column, np.abs(terms), instance.columns)
    open_end = ~(np.isfinite(box.lower) & np.isfinite(box.upper))
    unclear = np.flatnonzero(open_end & (slope != 0.0) & (np.abs(slope) <= 64.0 * doubt))
    slope[unclear] = _exact_slopes(row, column, value, weights, unclear)
    doubt[unclear] = np.abs(slope[unclear]) * EPSILON
    low, high = slope - doubt, slope + doubt
    with np.errstate(all="ignore"):
        corners = [
            np.where(a == 0.0, 0.0, a * b) for a in (low, high) for b in (box.lower, box.upper)
        ]
        most = np.maximum.reduce(corners)
        constant = weights * found.constant
        total = float(most.sum() + constant.sum())
        size = float(np.abs(most).sum() + np.abs(constant).sum())
    return bool(np.isfinite(total) and total < -(len(most) + len(constant) + 8) * EPSILON * size)


def _exact_slopes(
    row: Any, column: Any, value: FloatArray, weights: FloatArray, wanted: Any
) -> FloatArray:
    """Coefficients of the combined row in some columns, added up as fractions and rounded once."""
    chosen = np.flatnonzero(np.isin(column, wanted))
    if len(chosen) > MOST_EXACT:
        return np.full(len(wanted), np.nan)
    sums = dict.fromkeys(np.asarray(wanted).tolist(), Fraction(0))
    for r, c, v in zip(
        row[chosen].tolist(), column[chosen].tolist(), value[chosen].tolist(), strict=True
    ):
        sums[c] += Fraction(float(weights[r])) * Fraction(v)
    return np.array([float(total) for total in sums.values()])


def _dual_ray(program: LinearProgram) -> FloatArray | None:
    """Multipliers of the scaled rows that HiGHS gives for the infeasible relaxation, if it does."""
    import highspy

    from mecdsl.backends.highs.run import hand_over
    from mecdsl.backends.shared.solver_output import solver_output

    with solver_output(echo=False):
        solver: Any = highspy.Highs
        solver.resetGlobalScheduler(True)
        highs = solver()
        highs.setOptionValue("output_flag", False)
        highs.setOptionValue("presolve", "off")
        highs.setOptionValue("solver", "simplex")
        highs.setOptionValue("time_limit", SECONDS)
        try:
            hand_over(highs, program, relaxed=True)
        except ArithmeticError:  # numbers that HiGHS does not take prove nothing
            return None
        highs.run()
        if highs.getModelStatus() != highspy.HighsModelStatus.kInfeasible:
            return None
        status, there, ray = highs.getDualRay()
    if status != highspy.HighsStatus.kOk or not there:
        return None
    return np.asarray(ray, dtype=np.float64)[: program.matrix.rows]
