"""Equations that are stated twice: multipliers are not unique, and a local solver may end anywhere
that keeps the rows.
"""

import pytest

import mecdsl
from mecdsl.diagnostics import ModelError

TWICE = """
var x0 : Gcycle >= 0 Gcycle <= 17.19 Gcycle
let u0 : 1 = x0/(1 Gcycle)
var x1 : GW >= 0 GW <= 12.26 GW
let u1 : 1 = x1/(1 GW)
var x2 : binary
constraint c0: -3.5*x2 <= -3.5
constraint c1: 7.9*u1 - 3.3*x2 <= -2.3
constraint c2: 1 Mbit*(1.7*u0 + 7.3*u1 + 4.5*x2) == 5.69 Mbit
constraint c3: 7.9*u1 - 3.3*x2 <= -2.3
constraint c4: -3.5*x2 <= -3.5
constraint c5: 1 Mbit*(2.04*u0 + 8.76*u1 + 5.4*x2) == 6.828 Mbit
maximize goal = 2.4*u0 + 5.7*u1 + 0.4*x2
"""
# x2 = 1, so 1.7 u0 + 7.3 u1 = 1.19: u0 alone gives 2.4*0.7 + 0.4 = 2.08, u1 is worth less

LINE = """
var x0 : Gcycle >= 0 Gcycle <= 6.15 Gcycle
let u0 : 1 = x0/(1 Gcycle)
var x1 : km >= 0 km
let u1 : 1 = x1/(1 km)
constraint c0: 1 Mbit*(1.9*u0 - 2.7*u1) == -1.02 Mbit
constraint c1: 1 Mbit*(1.9*u0 - 2.7*u1) == -1.02 Mbit
constraint c2: 1 Mbit*(5.32*u0 - 7.56*u1) == -2.856 Mbit
maximize goal = 1 nJ*(7.6*u0 + 3.5*u1)
"""
# both grow along the line, up to u0 = 6.15 and u1 = (1.9*6.15 + 1.02)/2.7 = 4.70555...

CASES = {"a plan": (TWICE, 2.08), "a line": (LINE, 6.320944444444445e-8)}


REFUSED = {("a plan", "ipopt"), ("a plan", "clarabel"), ("a line", "bonmin")}
"""Ipopt and Clarabel have no integers, and Bonmin nothing to do without them."""


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["auto", "highs", "ipopt", "clarabel", "scip", "bonmin"])
@pytest.mark.parametrize("case", CASES)
def test_no_other_point_is_called_optimal(case: str, backend: str) -> None:
    text, best = CASES[case]
    model = mecdsl.loads("model twice" + text)
    if (case, backend) in REFUSED:
        with pytest.raises(ModelError) as caught:
            model.solve(backend)
        assert [diagnostic.code for diagnostic in caught.value.diagnostics] == ["E502"]
        return
    result = model.solve(backend)
    if result.guarantee.value in ("globally optimal", "locally optimal"):
        assert result.objective == pytest.approx(best, rel=1e-5)
    if result.bound is not None:
        assert result.bound >= best * (1.0 - 1e-6)


@pytest.mark.parametrize("case", CASES)
def test_auto_finds_the_optimum(case: str) -> None:
    text, best = CASES[case]
    result = mecdsl.loads("model twice" + text).solve()
    assert result.guarantee.value == "globally optimal"
    assert result.objective == pytest.approx(best, rel=1e-6)
