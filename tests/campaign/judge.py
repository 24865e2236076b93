"""Whether what a result says is false, by the truth of its case.

False is: a proof of what is not so, an optimum that a feasible point beats by more than the gap of
what is at stake, a bound that a feasible point beats, a verified point that breaks a row by what
matters. What is true but says little is weak: no proof, a limit, an answer that is not verified.
"""

import math
from fractions import Fraction
from typing import Final

from mecdsl.results.result import Result
from mecdsl.solution import Guarantee, Termination
from tests.campaign.case import INFEASIBLE, UNBOUNDED, Case, Point

GAP: Final = Fraction(1, 100_000)  # of the size: ten times what is asked of the solvers
LOCAL_GAP: Final = Fraction(1, 1000)
DIGITS: Final = Fraction(1, 2**50)  # four units in the last place, of numbers with their constant
TO_GAP: Final = "TO_GAP"  # the guarantee that names its gap
LIMITS: Final = (Termination.TIME_LIMIT, Termination.ITERATION_LIMIT, Termination.INTERRUPTED)


def point_of(case: Case, result: Result) -> Point:
    """SI values of the scalar variables."""
    return {name: float(result[name]) for name in case.names}


def false_claims(case: Case, result: Result) -> list[str]:
    """What a result says that is not so."""
    found = []
    truth = case.truth
    says = result.guarantee
    if says is Guarantee.INFEASIBLE and truth.status != INFEASIBLE:
        found.append(f"infeasible, proven; it is {truth.status}")
    if says is Guarantee.UNBOUNDED and truth.status != UNBOUNDED:
        found.append(f"unbounded, proven; it is {truth.status}")
    if result.verified:
        broken = case.breaches(point_of(case, result))
        found += [f"verified; {breach}" for breach in broken]
        if truth.status == INFEASIBLE:
            found.append("verified; there is no feasible point")
        elif not broken:
            found += _objective(case, result)
    return found + _bound(case, result)


def _objective(case: Case, result: Result) -> list[str]:
    """Whether a feasible point is as good as it is said to be."""
    shares = {"GLOBAL": GAP, "LOCAL": LOCAL_GAP, TO_GAP: GAP + Fraction(result.gap or 0.0)}
    share = shares.get(result.guarantee.name)
    if share is None:
        return []
    if case.truth.status == UNBOUNDED:
        return ["globally optimal; it is unbounded"] if result.guarantee is Guarantee.GLOBAL else []
    if result.guarantee is Guarantee.LOCAL and not case.convex:
        return []
    sign = -1 if case.maximize else 1
    worse = sign * (case.objective(point_of(case, result)) - case.truth.best)
    if worse <= share * case.truth.size + DIGITS * abs(case.truth.best):
        return []
    return [
        f"{result.guarantee.value}; {float(case.truth.best):.12g} is feasible, "
        f"better by {float(worse / case.truth.size):.2g} of what is at stake"
    ]


def _bound(case: Case, result: Result) -> list[str]:
    """Whether the true optimum beats a bound, or there is a bound on what has no end."""
    bound, truth = result.bound, case.truth
    if bound is None or not math.isfinite(bound) or truth.status == INFEASIBLE:
        return []
    if truth.status == UNBOUNDED:
        return [f"bound {bound:.9g}; it is unbounded"]
    sign = -1 if case.maximize else 1
    past = sign * (Fraction(bound) - truth.best)
    if past <= GAP * truth.size + DIGITS * abs(truth.best):
        return []
    return [
        f"bound {bound:.12g}; {float(truth.best):.12g} is feasible, "
        f"past it by {float(past / truth.size):.2g} of what is at stake"
    ]


def label(case: Case, result: Result) -> str:
    """The column of the table that a result counts for, false claims aside."""
    if result.objective is not None and not result.verified:
        return "NOT VERIFIED"
    by_guarantee = {
        Guarantee.GLOBAL: "global",
        Guarantee.INFEASIBLE: "infeasible",
        Guarantee.UNBOUNDED: "unbounded",
    }
    if result.guarantee in by_guarantee:
        return by_guarantee[result.guarantee]
    if result.guarantee is Guarantee.LOCAL:
        return "local"
    if result.guarantee.name == TO_GAP:
        return "to gap"
    return "limit" if result.termination in LIMITS else "weak"
