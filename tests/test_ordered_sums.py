"""Sums over the members before one in an order: as running sums, against loops over pairs."""

import operator
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mecdsl.analysis.loose_terms import Looseness
from mecdsl.analysis.magnitude import Magnitudes
from mecdsl.analysis.propagation.box import implied_box
from mecdsl.api import loads
from mecdsl.convexity.problem import analyse
from mecdsl.diagnostics import ModelError
from mecdsl.instances import evaluate, evaluate_aggregates
from mecdsl.instances.algebra import Jets
from mecdsl.instances.ordered_sums import running_sums
from mecdsl.results.verify import verify
from mecdsl.solution import Guarantee, Solution, Termination

TEXT = """
param count : integer = {count}
set channel = 1..3
nodes user[i in 1..count] {{
    home : 1
    gain[m in channel] : 1
    sent[m in channel] : 1
    let before[m in channel] : 1 = sum(v.sent[m]*v.gain[m] for v in user where {condition})
}}
var x : >= 0
minimize goal = x
report before[i in user, m in channel] : 1 = i.before[m]
"""
SIGNS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def drawn(count: int, seed: int) -> dict[str, list[object]]:
    generator = np.random.default_rng(seed)
    shape = (count, 3)
    return {
        "user.home": generator.integers(1, 4, count).tolist(),
        # few values, so that there are ties
        "user.gain": (generator.integers(1, 4, shape) * 1e-9).tolist(),
        "user.sent": generator.uniform(0, 1, shape).tolist(),
    }


def found(condition: str, data: dict[str, list[object]], count: int) -> np.ndarray:
    instance = loads(TEXT.format(count=count, condition=condition), data=data).instance()
    return instance.world.values["user.before"].reshape(count, 3)


@pytest.mark.parametrize(
    ("strict", "tie"),
    # where equal keys stand before anyway, no second key breaks a tie
    [(sign, None) for sign in SIGNS] + [(s, t) for s in ("<", ">") for t in ("<", ">", "<=")],
)
@pytest.mark.parametrize("count", [0, 1, 2, 40])
def test_a_running_sum_is_the_sum_over_pairs(strict: str, tie: str | None, count: int) -> None:
    data = drawn(count, seed=count)
    order = f"v.gain[m] {strict} gain[m]"
    if tie is not None:
        order = f"({order} or v.gain[m] == gain[m] and v {tie} i)"
    values = found(f"v.home == home and {order}", data, count)
    home, gain, sent = (np.array(data[f"user.{key}"]) for key in ("home", "gain", "sent"))
    for i in range(count):
        for m in range(3):
            expected = 0.0
            for v in range(count):
                one, other = gain[v, m], gain[i, m]
                before = SIGNS[strict](one, other)
                before = before or (tie is not None and one == other and SIGNS[tie](v, i))
                if home[v] == home[i] and before:
                    expected += sent[v, m] * one
            assert values[i, m] == pytest.approx(expected, rel=1e-13, abs=0)


def test_mirrored_and_swapped_conditions_mean_the_same() -> None:
    data = drawn(30, seed=5)
    plain = found(
        "v.home == home and (v.gain[m] < gain[m] or v.gain[m] == gain[m] and v < i)", data, 30
    )
    turned = found(
        "(i > v and gain[m] == v.gain[m] or gain[m] > v.gain[m]) and home == v.home", data, 30
    )
    assert np.array_equal(plain, turned)


def test_what_is_no_order_is_summed_over_pairs() -> None:
    # the tie compares something else than the order does: no running sum, the same meaning
    data = drawn(20, seed=6)
    values = found("v.gain[m] < gain[m] or v.home == home and v < i", data, 20)
    home, gain, sent = (np.array(data[f"user.{key}"]) for key in ("home", "gain", "sent"))
    for i in range(20):
        for m in range(3):
            kept = [
                v for v in range(20) if gain[v, m] < gain[i, m] or (home[v] == home[i] and v < i)
            ]
            assert values[i, m] == pytest.approx(
                sum(sent[v, m] * gain[v, m] for v in kept), rel=1e-13
            )


def test_members_that_the_order_leaves_out_need_not_have_what_is_summed() -> None:
    # x[v + 1] is not there for the last v, which stands before nobody
    text = "param a[i in 1..4] : 1 = i\nset place = 1..4\nvar x : >= 0\nminimize goal = x\n"
    text += "nodes spot[i in 1..4] { key : 1 = i }\n"
    text += "report after[i in spot] : 1 = sum(a[v + 1] for v in spot where v.key < i.key)"
    result = loads(text).solve("highs")
    assert result.reports["after"].tolist() == [0, 2, 5, 9]


def test_a_fault_in_what_is_summed_is_still_found() -> None:
    text = "param a[i in 1..4] : 1 = i\nvar x : >= 0\nminimize goal = x\n"
    text += "nodes spot[i in 1..4] { key : 1 = i }\n"
    text += "report after[i in spot] : 1 = sum(a[v + 3] for v in spot where v.key < i.key)"
    with pytest.raises(ModelError, match=r"no member \[5\]"):
        loads(text).solve("highs")


def test_no_pairs_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = []
    original = evaluate.Evaluator.space

    def counted(self, space, base, what):  # type: ignore[no-untyped-def]
        made = original(self, space, base, what)
        rows.append(made[0].size)
        return made

    monkeypatch.setattr(evaluate.Evaluator, "space", counted)
    found("v.home == home and v.gain[m] < gain[m]", drawn(500, seed=1), 500)
    assert max(rows) == 3 * 500


def test_a_large_term_elsewhere_costs_no_digits() -> None:
    # terms of 1e-14 in one group beside 1e+9 in another: a running sum over both would lose them
    data = drawn(2, seed=0) | {
        "user.home": [1, 1, 2, 2],
        "user.gain": [[1.0] * 3, [2.0] * 3, [1.0] * 3, [2.0] * 3],
        "user.sent": [[1e9] * 3, [1.0] * 3, [1.25e-14] * 3, [1.0] * 3],
    }
    assert found("v.home == home and v.gain[m] < gain[m]", data, 4)[3, 0] == 1.25e-14


@pytest.mark.parametrize("lengths", [[], [1], [3, 1, 2], [5000, 1, 1], [1] * 2000, [40] * 50])
def test_running_sums_are_sums_in_order(lengths: list[int]) -> None:
    generator = np.random.default_rng(1)
    group = np.repeat(np.arange(len(lengths)), lengths)
    terms = generator.uniform(0, 1, len(group))
    expected = (
        [np.cumsum(part) for part in np.split(terms, np.cumsum(lengths)[:-1])] if lengths else []
    )
    result = running_sums(terms, group)
    assert np.array_equal(result, np.concatenate(expected) if expected else np.zeros(0))


CELL = """
param count : integer = 0
nodes user[i in 1..count] {
    key : 1 = i
    var sent : in 1..2
    let before : 1 = sum(v.sent for v in user where v.key < key)
}
minimize goal = sum(i.sent*i.before^2 for i in user)
constraint least[i in user]: i.sent >= 1
"""


def test_a_long_sum_is_judged_without_its_pairs() -> None:
    # 4,000 members have 8 million pairs, which is more than is looked at for ranges and curvature
    instance = loads(CELL, count=4000).instance()
    report = analyse(instance).objective
    assert report.convex is None
    assert "too many to look at" in report.cause
    ones = np.ones(4000)
    solution = Solution(
        backend="given",
        termination=Termination.FINISHED,
        guarantee=Guarantee.FEASIBLE,
        values=ones,
        bound=1.0,
    )
    result = verify(instance, solution)
    assert result.verified
    assert result.objective == sum(k**2 for k in range(4000))  # k members stand before member k + 1
    assert instance.goal.name in implied_box(instance).poles  # nothing is known of it


@pytest.mark.parametrize("count", [1, 2, 30])
def test_every_algebra_of_numbers_has_the_same_running_sums(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = np.random.default_rng(3).uniform(1, 2, count)

    def looks() -> list[np.ndarray]:
        instance = loads(CELL, count=count).instance()
        sized = instance.goal.value(instance.evaluator(Magnitudes(x)))
        loose = instance.goal.value(instance.evaluator(Looseness(x, 0.5 * x)))
        jets = instance.goal.value(instance.evaluator(Jets(x, 1, instance.free)))
        return [sized.value, sized.size, loose.value, loose.total, loose.loose, jets.value]

    running = looks()
    monkeypatch.setattr(evaluate_aggregates, "ordered_sum", lambda *given: None)
    for one, other in zip(running, looks(), strict=True):
        assert one == pytest.approx(other, rel=1e-12)


def test_a_row_of_data_with_an_order_is_judged_and_exported(tmp_path: Path) -> None:
    # rows over data are judged with numbers and their sizes, which are not sorted: 3 + 2 + 1 <= 6
    text = (
        "nodes spot[k in 1..3] { cap : 1 = k }\nvar y : in 0..1\nminimize goal = y\n"
        "constraint most: sum(sum(1 for v in spot where i <= v) for i in spot) <= 6\n"
    )
    model = loads(text)
    assert model.solve("highs").objective == 0
    model.export(tmp_path / "model.py", "pyomo")
    broken = loads(text.replace("<= 6", "<= 5")).solve("highs")
    assert broken.exit_code == 3
