"""Constraints with `when`: a big-M that is computed and large enough, judged without it.

What must hold is found by going through all values of the switches; a solver works on the big-M
rows.
"""

import itertools

import numpy as np
import pytest

from mecdsl.api import loads
from mecdsl.diagnostics import Severity
from mecdsl.instances.instance import Instance
from mecdsl.instances.reformulations import big_ms
from mecdsl.instances.tables import FloatArray
from mecdsl.output.json.big_m import big_m_json
from mecdsl.output.text.explanation import explanation_text
from mecdsl.results.verify import verify
from mecdsl.results.violations import Judge, find_violations
from mecdsl.solution import Guarantee, Solution, Termination

OFFLOAD = """
model switches "What is computed at home keeps to the speed at home"
nodes device[k in 1..3] {
    work      : cycle = k * 1 Gcycle
    cap       : cycle/s = 3 Gcycle/s - k * 0.5 Gcycle/s
    var local : binary
    var speed : cycle/s in 0..cap
    var time  : s in 0 s..8 s
    let need  = 2*speed*(1 s) - 0.5*(if k == 1 then speed else 0)*(1 s)
}
minimize total = sum(k.time/(1 s) + 3*(1 - k.local) for k in device)
constraint run[k in device] when k.local: k.need >= k.work
constraint away[k in device where k != 2] when not k.local: k.time == 2 s
constraint fair when device.local[1] == 0: sum(k.speed for k in device) <= 2 Gcycle/s
constraint most: sum(k.speed for k in device) <= 3 Gcycle/s
constraint span[k in device]: k.time >= 1 s + k.speed/(4 Gcycle/s)*(1 s)
form relaxed: relax device.local
"""


def test_the_model_has_no_faults() -> None:
    assert [d for d in loads(OFFLOAD).check() if d.severity is Severity.ERROR] == []


def test_big_m_is_the_range_over_the_declared_limits() -> None:
    """Rows of `run`: work - need >= 0 is off by M = lower(need - work) = -0.5*cap_1 - 1 for k = 1,
    -k for the others.

    The 2*speed and the -0.5*speed of device 1 count for themselves, so its M is 1 + 0.5*2.5 = 2.25
    Gcycle. `away`: 0 - 2 and 8 - 2 s. `fair`: 2.5 + 2 + 1.5 - 2 = 4 Gcycle/s.
    """
    instance = loads(OFFLOAD).instance()
    np.testing.assert_allclose(instance.data("run.big_m"), [-2.25e9, -2e9, -3e9])
    np.testing.assert_allclose(instance.data("away.big_m_lower"), [-2.0, -2.0])
    np.testing.assert_allclose(instance.data("away.big_m_upper"), [6.0, 6.0])
    np.testing.assert_allclose(instance.data("fair.big_m"), [4e9])
    found = {one.fact.constraint.name: big_m_json(one) for one in big_ms(instance)}
    assert found["away"] == {
        "constraint": "away",
        "when": "not k.local",
        "rows": 4,
        "big_m": [2.0, 6.0],
        "line": 13,
    }
    assert "M = 2 Gcycle .. 3 Gcycle" in explanation_text(instance)


def point(instance: Instance, seed: int, local: tuple[int, ...]) -> FloatArray:
    """A random point within the limits with the given switches."""
    generator = np.random.default_rng(seed)
    x = instance.lower + generator.random(instance.columns) * (instance.upper - instance.lower)
    x[instance.variable("device.local").columns] = local
    return x


@pytest.mark.parametrize("local", list(itertools.product((0, 1), repeat=3)))
@pytest.mark.parametrize("seed", range(4))
def test_rows_hold_exactly_where_the_conditions_do(local: tuple[int, ...], seed: int) -> None:
    instance = loads(OFFLOAD).instance()
    x = point(instance, seed, local)
    speed, time = (x[instance.variable(f"device.{name}").columns] for name in ("speed", "time"))
    need = 2 * speed - 0.5 * np.where(np.arange(3) == 0, speed, 0.0)
    work = np.array([1e9, 2e9, 3e9])
    run = all(need[k] >= work[k] for k in range(3) if local[k])
    away = all(time[k] == 2.0 for k in (0, 2) if not local[k])
    fair = local[0] == 1 or speed.sum() <= 2e9
    found = {violation.family: violation.accepted for violation in find_violations(instance, x)}
    assert (found["run"], found["away"], found["fair"]) == (run, away, fair)
    rows = {
        family.name: Judge(instance, x).family(family).accepted for family in instance.constraints
    }
    assert rows["run.switched"] == run
    assert (rows["away.switched_lower"] and rows["away.switched_upper"]) == away
    assert rows["fair.switched"] == fair


@pytest.mark.slow
def test_optimum_is_that_of_going_through_the_switches() -> None:
    text = OFFLOAD.replace(
        "constraint most:", "constraint cool: device.speed[3] <= 1 Gcycle/s\nconstraint most:"
    )
    fixed = text + "form given: " + ", ".join(f"fix device.local[{k}] = {{{k}}}" for k in (1, 2, 3))
    results = []
    for local in itertools.product((0, 1), repeat=3):
        form = fixed
        for k, value in enumerate(local, 1):
            form = form.replace(f"{{{k}}}", str(value))
        results.append(loads(form).solve("highs", "given").objective)
    # device 3 needs 1.5 Gcycle/s at home and may have 1, so it goes: 2 s and 3; device 1 and 2 stay
    # at home with 1/1.5 and 1 Gcycle/s: 1 + 1/6 and 1 + 1/4 s
    expected = 5.0 + 1 + 1 / 6 + 1.25
    assert min(value for value in results if value is not None) == pytest.approx(expected)
    result = loads(text).solve("highs")
    assert (result.verified, result.guarantee) == (True, Guarantee.GLOBAL)
    assert result.objective == pytest.approx(expected)
    assert loads(text).solve("scip").objective == pytest.approx(expected)


def test_the_verifier_does_not_forgive_what_a_big_m_hides() -> None:
    """x may be 1e-3 above its limit of 1 if M = 1e6 is the size of the row; the constraint itself
    says no.
    """
    model = loads(
        "var on : binary\nvar x : 1 in 0..1e6\nmaximize gain = x + 1e7*on\nconstraint small "
        "when on: x <= 1\n"
    )
    instance = model.instance()
    claimed = np.zeros(2)
    claimed[instance.variable("on").first], claimed[instance.variable("x").first] = 1.0, 1.001
    found = {violation.family: violation for violation in find_violations(instance, claimed)}
    assert "small.switched" not in found  # the row with M in it is not what was stated
    assert not found["small"].accepted
    assert found["small"].amount == pytest.approx(1e-3)
    solution = Solution(
        backend="made_up",
        termination=Termination.OPTIMAL,
        guarantee=Guarantee.GLOBAL,
        values=claimed,
        objective=1e7 + 1.001,
    )
    result = verify(instance, solution)
    assert not result.verified
    assert any("`small` is violated" in fault for fault in result.faults)


def test_a_form_may_relax_the_switch_and_linearise_inside() -> None:
    relaxed = loads(OFFLOAD).solve("highs", "relaxed")
    assert relaxed.verified
    assert relaxed.objective is not None
    whole = loads(OFFLOAD).solve("highs").objective
    assert whole is not None
    assert relaxed.objective <= whole + 1e-9
    model = loads(
        """
        var on : binary
        var pick : binary
        var speed : 1 in 0..5
        maximize gain = speed + 4*on
        constraint slow when on: pick*speed <= 2
        constraint must: pick >= 1
        form linear: linearize pick*speed
        """
    )
    # on: gain 2 + 4 = 6; off: 5
    result = model.solve("highs", "linear")
    assert result.objective == pytest.approx(6.0)
    assert result.original is not None
    assert result.original.kept
    np.testing.assert_allclose(model.instance("linear").data("slow.big_m"), [3.0])  # 5 - 2


def test_a_double_inequality_is_switched_on_both_sides() -> None:
    model = loads(
        "var on : binary\nvar x : 1 in -4..9\nmaximize gain = x*0.5 + 3*on\nconstraint band "
        "when on: 0 <= x <= 2\n"
    )
    assert {fact.constraint.name for fact in model.instance().model.switched} == {
        "band.lower",
        "band.upper",
    }
    assert model.solve("highs").objective == pytest.approx(4.5)  # off: 9*0.5; on: 1 + 3 = 4
