"""What is a violation: points just inside and just outside, right by arithmetic written beside
them.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest

import mecdsl
from mecdsl.diagnostics import ModelError
from mecdsl.results.result import Result
from mecdsl.results.verify import verify
from mecdsl.solution import Guarantee, Solution, Termination


def judged(text: str, values: Mapping[str, float | Sequence[float]], **data: object) -> Result:
    """A point claimed by nobody, judged."""
    instance = mecdsl.loads(text, data=data).instance()
    x = np.zeros(instance.columns)
    for name, value in values.items():
        x[instance.variable(name).columns] = value
    return verify(
        instance,
        Solution(
            backend="test", termination=Termination.FINISHED, guarantee=Guarantee.FEASIBLE, values=x
        ),
    )


# Integers: exactly

BILLIONS = """
var x : integer in 1..10
var y : integer in 1..10
minimize cost = x
constraint enough: 214748365*x - y >= {need}
"""


@pytest.mark.parametrize(("need", "fine"), [(2147483649, True), (2147483650, False)])
def test_one_cycle_of_two_billions_counts(need: int, fine: bool) -> None:
    # the most that x = 10, y = 1 reach is 2,147,483,650 - 1
    assert judged(BILLIONS.format(need=need), {"x": 10, "y": 1}).verified is fine


def test_products_of_integers_are_exact_below_two_to_the_53() -> None:
    # 94906265^2 = 9007199136250225 < 2^53 = 9007199254740992
    text = "var n : integer >= 0\nminimize m = n\nconstraint square: n*n >= 9007199136250225\n"
    assert judged(text, {"n": 94906265}).verified
    more = text.replace("9007199136250225", "9007199136250226")
    assert not judged(more, {"n": 94906265}).verified


def test_tenths_that_add_up_are_no_violation_and_a_hundredth_is() -> None:
    # ten times 0.1 is 1 - 1.1e-16 in doubles
    text = (
        "var n[k in 1..10] : integer >= 0\nminimize m = n[1]\nconstraint s: sum(0.1*n[k] "
        "for k in 1..10) == {}\n"
    )
    assert judged(text.format(1), {"n": 1}).verified
    assert not judged(text.format(1.01), {"n": 1}).verified


# Big M and switches: what flows counts

FLOW = """
param big : 1 = 1e7
var flow : real in 0..10
var open : binary
maximize worth = flow - 3*open
constraint pays: flow <= big*open
"""


@pytest.mark.parametrize("big", [1e3, 1e7, 1e12])
@pytest.mark.parametrize(
    ("flow", "is_open", "fine"), [(10, 1, True), (0, 0, True), (10, 0, False), (1e-3, 0, False)]
)
def test_no_size_of_m_lets_a_closed_link_flow(
    big: float, flow: float, is_open: int, fine: bool
) -> None:
    assert judged(FLOW, {"flow": flow, "open": is_open}, big=big).verified is fine


ANCHORS = """
param needed : W = 100 pW
nodes anchor[k in 1..2] {
    price : money = [5 money, 8 money]
    var on : binary
    var received : W in 0 W..1 W
}
minimize cost = sum(k.price * k.on for k in anchor)
constraint wakes: sum(k.received for k in anchor) >= needed
constraint off[k in anchor] when not k.on: k.received <= 0
"""


@pytest.mark.parametrize(
    ("received", "on", "fine"), [([1e-10, 0], [1, 0], True), ([1e-10, 0], [0, 0], False)]
)
def test_a_switched_off_power_is_judged_by_what_is_needed(
    received: list[float], on: list[int], fine: bool
) -> None:
    assert judged(ANCHORS, {"anchor.received": received, "anchor.on": on}).verified is fine


def test_a_lazy_bound_is_no_yardstick_for_a_small_demand() -> None:
    # 1 uW is asked for beside a bound of 1 W: nothing received is a violation
    text = (
        "var p : W in 0 W..1 W\nvar q : W in 0 W..1 W\nminimize s = p + q\nconstraint "
        "least: p + q >= 1 uW\n"
    )
    assert judged(text, {"p": 1e-6}).verified
    assert not judged(text, {"p": 0.0}).verified
    assert not judged(text, {"p": 0.99e-6}).verified


# Offsets that cancel: the range of the differences counts

CLOCK = """
param begin : s = 1700000000 s
set job = 1..3
param takes[j in job] : s = [10 ms, 20 ms, 30 ms]
var start[j in job] : s {bounds}
minimize end = start[3] + takes[3]
constraint order[j in job where j > 1]: start[j] >= start[j-1] + takes[j-1]
constraint first: start[1] >= begin
constraint soon: start[3] + takes[3] <= begin + {limit}
"""
BEGIN = 1.7e9


@pytest.mark.parametrize("bounds", ["in 1700000000 s..1800000000 s", ">= 0 s", ""])
@pytest.mark.parametrize(
    ("starts", "limit", "fine"),
    [
        ([0.0, 0.01, 0.03], "1 s", True),
        ([0.0, 0.0, 0.03], "1 s", False),  # jobs 1 and 2 overlap by 10 ms
        ([0.0, 0.01, 0.02], "1 s", False),
        ([0.0, 0.01, 0.03], "50 ms", False),  # ends 10 ms late
        ([-0.01, 0.01, 0.03], "1 s", False),  # begins 10 ms early
    ],
)
def test_jobs_on_a_clock_do_not_overlap(
    bounds: str, starts: list[float], limit: str, fine: bool
) -> None:
    text = CLOCK.format(bounds=bounds, limit=limit)
    found = judged(text, {"start": [BEGIN + s for s in starts]})
    # a start just outside its bound is put onto it, and what is judged and shown is that plan
    assert found.verified is fine or found.values["start"].min() == BEGIN > BEGIN + starts[0]


def test_energies_on_a_meter_are_compared_by_what_is_used() -> None:
    # a meter of 3e12 J; 5 J may be used
    text = (
        "param at : J = 3e12 J\nvar now : J >= at\nminimize e = now\nconstraint used: now "
        "<= at + 5 J\n"
    )
    assert judged(text, {"now": 3e12 + 5}).verified
    assert not judged(text, {"now": 3e12 + 6}).verified


# One variable: a row is a bound

SMALL = "var x : 1 {bound}\nvar y : 1 in -5..5\nminimize z = x + y\n{row}start x = 1\n"


@pytest.mark.parametrize(("x", "fine"), [(0.0, True), (-1e-9, True), (-1e-3, False)])
def test_a_row_over_one_variable_is_judged_as_its_bound(x: float, fine: bool) -> None:
    row = SMALL.format(bound="", row="constraint c: x >= 0\n")
    bound = SMALL.format(bound=">= 0", row="")
    assert judged(row, {"x": x}).verified is fine
    assert judged(bound, {"x": x}).verified is fine


def test_units_do_not_matter() -> None:
    # the same row in watts and in picowatts: 2 pW asked for, 1.9 pW there
    for unit, needed in (("W", "2e-12 W"), ("pW", "2 pW")):
        text = f"var p : {unit} in 0 W..1 W\nminimize s = p\nconstraint c: p >= {needed}\n"
        assert judged(text, {"p": 2e-12}).verified
        assert not judged(text, {"p": 1.9e-12}).verified


def test_a_pole_beside_a_number_does_not_hide_it() -> None:
    # 3.4/x - late <= 1.4 at x = 2: 0.3 late is needed, and 0.2999 is not enough
    text = "var x : 1 in 0.01..100\nvar late : 1 in 0..1000\nminimize c = x + 1e12*late\n"
    text += "constraint in_time: 3.4/x - late <= 1.4\n"
    assert judged(text, {"x": 2.0, "late": 0.3}).verified
    assert not judged(text, {"x": 2.0, "late": 0.2999}).verified


# What the author says

STATED = (
    "var p : W in 0 W..1 W tolerance {}\nvar q : W in 0 W..1 W\nminimize s = p + "
    "q\nconstraint c: p - q >= 0\n"
)


def test_a_stated_tolerance_is_the_absolute_part() -> None:
    assert judged(STATED.format("1 nW"), {"p": 0.0, "q": 0.9e-9}).verified
    assert not judged(STATED.format("1 pW"), {"p": 0.0, "q": 0.9e-6}).verified
    found = judged(STATED.format("1 nW"), {"p": 0.0, "q": 1e-3})
    assert not found.verified
    assert "is allowed" in found.faults[0]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "param p : W tolerance 1 nW = 1 W\nvar x : W >= p\nminimize z = x\n",
            "only a variable has a tolerance",
        ),
        ("var x : integer >= 0 tolerance 1\nminimize z = x\n", "whole numbers are judged exactly"),
        ("var x : W >= 0 tolerance 1 s\nminimize z = x\n", "[s]"),
        ("var x : W >= 0 tolerance 0 W\nminimize z = x\n", "expected a finite number above 0"),
    ],
)
def test_a_tolerance_that_cannot_be_is_refused(text: str, words: str) -> None:
    with pytest.raises(ModelError) as caught:
        mecdsl.loads(text).instance()
    assert words in "\n".join(diagnostic.message for diagnostic in caught.value.diagnostics)


@pytest.mark.parametrize(
    ("row", "point", "fine"),
    [
        # next to the point where its slope vanishes a variable has no more room than elsewhere
        ("x^2 + y <= 4", (1e-9, 1000.0), False),
        ("x^2 + y <= 4", (1e-9, 4.0), True),
        ("x*z + y <= 4", (1e-9, 1000.0), False),
        ("(x - 1)^4 + y <= 3", (1.0001, 1000.0), False),
        ("exp(-x) + y <= 4", (40.0, 1000.0), False),
        ("y + 1/(1 + x) <= 4", (1e9, 4.1), False),
        ("(1 - x)^3 >= y", (1.0, 0.1), False),
        ("(1 - x)^3 >= y", (1.001, 0.0), True),  # missed by 1e-9
    ],
)
def test_a_slope_that_vanishes_gives_no_room(
    row: str, point: tuple[float, float], fine: bool
) -> None:
    bound = "real >= 0" if "1 + x" in row else "real"
    text = f"var x : {bound}\nvar y : real\nvar z : real\nminimize g = z\nconstraint c: {row}\n"
    assert judged(text, {"x": point[0], "y": point[1], "z": 1e-9}).verified is fine


CHAIN = """
param begin : s = 1700000000 s
param limit : s = 1 s
set job = 1..3
param takes[j in job] : s = [10 ms, 20 ms, 30 ms]
var start[j in job] : s in 1700000000 s..1800000000 s
minimize end = start[3] + takes[3]
constraint order[j in job where j > 1]: start[j] >= start[j-1] + takes[j-1]
constraint first: start[1] >= begin
constraint soon: start[3] + takes[3] <= begin + limit
report length : s = start[3] + takes[3] - begin
"""


@pytest.mark.parametrize("limit", [1.0, 0.07, 0.06])
@pytest.mark.parametrize("backend", ["ipopt", "highs", "scip"])
@pytest.mark.parametrize("via", ["arrays", "pyomo"])
def test_jobs_on_a_clock_end_after_their_sum(limit: float, backend: str, via: str) -> None:
    # 10 + 20 + 30 ms; with a limit of 60 ms there is one point; a double at 1.7e9 s is known to
    # 2.4e-7 s
    result = mecdsl.loads(CHAIN, data={"limit": limit}).solve(backend, via=via)
    assert result.verified
    assert result.guarantee in (Guarantee.GLOBAL, Guarantee.LOCAL)
    assert float(np.ravel(result["length"])[0]) == pytest.approx(0.06, abs=1e-6)
