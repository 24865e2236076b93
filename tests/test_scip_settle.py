"""A sharper point for integers that are found: its value, and the solver as it was before."""

import math

import pytest

import mecdsl
from mecdsl.backends.scip.model import scip_model
from mecdsl.backends.scip.settle import MOST_STALLED, STALLED, sharpened

TEXT = """model step "exp(x) - 2 x is least at ln 2, beside the next whole number"
var x : in 0..3
var n : integer in 0..3
minimize cost = exp(x) - 2*x + n/10
constraint above: n >= x
"""


@pytest.mark.parametrize("chosen", [-1, 7])
def test_a_sharper_point_leaves_bounds_and_limits_as_they_were(chosen: int) -> None:
    built = scip_model(mecdsl.loads(TEXT).instance())
    model = built.model
    model.hideOutput()
    model.setParam(STALLED, chosen)
    model.optimize()
    during: list[int] = []

    def optimize() -> str:
        during.append(model.getParam(STALLED))
        model.optimize()
        return ""

    found = sharpened(built, None, optimize)
    assert found is not None
    assert found[0] == pytest.approx([math.log(2.0), 1.0], abs=1e-4)
    assert found[1] == pytest.approx(2.1 - 2.0 * math.log(2.0), rel=1e-8)
    assert during == [MOST_STALLED if chosen < 0 else chosen]
    assert model.getParam(STALLED) == chosen
    whole = built.variables[1]
    assert (whole.getLbOriginal(), whole.getUbOriginal()) == (0.0, 3.0)
