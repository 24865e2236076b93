"""Every conformance case on every general backend that accepts it, from arrays and through
Pyomo.
"""

import numpy as np
import pytest

import mecdsl
from mecdsl.model.classes import ProblemClass
from mecdsl.results.result import Result
from mecdsl.solution import Guarantee, Termination
from mecdsl.solve import takes
from tests.conformance.case import INFEASIBLE, UNBOUNDED, Case
from tests.conformance.cases import CASES

BACKENDS = ("highs", "ipopt", "scip", "bonmin")
CONVEX = frozenset(
    {
        ProblemClass.LP,
        ProblemClass.MILP,
        ProblemClass.QP,
        ProblemClass.MIQP,
        ProblemClass.QCP,
        ProblemClass.MIQCP,
    }
)


def is_convex(case: Case) -> bool:
    return case.problem_class in CONVEX or "convex" in case.tags


@pytest.mark.parametrize("via", ["arrays", "pyomo"])
@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case(case: Case, backend: str, via: str) -> None:
    model = mecdsl.load(case.path)
    instance = model.instance(case.form)
    if not takes(backend, instance):
        with pytest.raises(mecdsl.ModelError) as caught:
            model.solve(backend, case.form, via=via)
        assert caught.value.diagnostics[0].code in ("E502", "E504")
        return
    try:
        result = model.solve(backend, case.form, via=via, time_limit=60.0)
    except mecdsl.ModelError as error:
        # only Pyomo has no way to write a nonsmooth function
        assert via == "pyomo"
        assert "nonsmooth" in case.tags
        assert error.diagnostics[0].code in ("E502", "E504")
        return
    if case.outcome == INFEASIBLE:
        judge_infeasible(result)
    elif case.outcome == UNBOUNDED:
        assert result.termination in (Termination.UNBOUNDED, Termination.INFEASIBLE_OR_UNBOUNDED)
    else:
        judge_optimal(case, result)


def judge_infeasible(result: Result) -> None:
    assert not result.verified
    if result.guarantee is not Guarantee.INFEASIBLE:
        # a local method proves nothing: it may only say that it found no point
        assert result.backend in ("ipopt", "bonmin")
        assert result.guarantee in (Guarantee.LOCALLY_INFEASIBLE, Guarantee.NONE)


def judge_optimal(case: Case, result: Result) -> None:
    assert case.objective is not None
    if result.guarantee not in (Guarantee.GLOBAL, Guarantee.LOCAL) and not is_convex(case):
        assert result.backend in (
            "ipopt",
            "bonmin",
        )  # a local method may end without a point, but not lie
        assert result.verified or result.objective is None
        return
    assert result.faults == ()
    assert result.verified
    assert result.objective is not None
    scale = max(1e-6 * abs(case.objective), 1e-9)
    if result.guarantee is Guarantee.GLOBAL or is_convex(case):
        assert result.objective == pytest.approx(case.objective, rel=1e-6, abs=scale)
        for name, expected in (case.values or {}).items():
            found = np.ravel(result[name])
            assert found == pytest.approx(
                np.ravel(expected), rel=2e-3, abs=1e-3 * magnitude(expected)
            )
    elif result.instance.maximize:
        assert result.objective <= case.objective + scale
    else:
        assert result.objective >= case.objective - scale


def magnitude(expected: object) -> float:
    values = expected if isinstance(expected, tuple) else (expected,)
    return max([abs(float(v)) for v in values] or [1.0]) or 1.0


def test_every_class_is_covered() -> None:
    assert {case.problem_class for case in CASES} == set(ProblemClass)
