"""Forms that take declarations out of a model, and members out of its blocks."""

import pytest

from mecdsl.api import loads
from mecdsl.diagnostics import ModelError

MODEL = """
param load : cycle = 6 Gcycle
nodes device[m in 1..2] {
    cpu       : cycle/s = m * 1 Gcycle/s
    var share : in 0..1
    let time  : s = quad_over_lin(share, cpu/(1 cycle/s)) * 1 s
}
minimize slowness = sum((1 - device.share[m]) * (1 s) for m in device)
constraint whole: sum(device.share[m] for m in device) <= 1
"""


def test_a_member_of_a_block_is_dropped_and_declared_anew() -> None:
    # without `whole` the bounds alone hold: both shares are 1 and nothing is left; the new
    # definition is m/2
    form = """form other {
        drop whole, device.time
        add let device.time : s = device.share[m] * m/2 * 1 s
    }"""
    result = loads(MODEL + form).solve(form="other")
    assert result.objective == pytest.approx(0.0)
    assert result["device.time"] == pytest.approx([0.5, 1.0])


def test_a_dropped_variable_of_a_block_is_no_variable_of_the_form() -> None:
    form = """form even "shares are given" {
        drop device.share
        add let device.share : 1 = load/(12 Gcycle)
    }"""
    model = loads(MODEL + form)
    assert [family.name for family in model.instance("even").variables] == []
    assert model.instance("even").data("device.share").tolist() == [0.5, 0.5]
    assert [family.name for family in model.instance().variables] == ["device.share"]


def test_the_other_members_stay() -> None:
    instance = loads(MODEL + "form bare: drop device.time").instance("bare")
    assert instance.data("device.cpu").tolist() == [1e9, 2e9]


@pytest.mark.parametrize(
    ("name", "near"),
    [("device.tine", "device.time"), ("device.time.x", "device.time"), ("whale", "whole")],
)
def test_an_unknown_name_is_answered_with_the_nearest(name: str, near: str) -> None:
    with pytest.raises(ModelError, match="E102") as caught:
        loads(MODEL + f"form odd: drop {name}").checked("odd")
    assert f"did you mean `{near}`?" in str(caught.value)


def test_what_still_uses_a_dropped_member_is_an_error() -> None:
    with pytest.raises(ModelError, match="share"):
        loads(MODEL + "form odd: drop device.share").checked("odd")
