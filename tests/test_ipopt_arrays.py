"""Ipopt as a backend: answers, multipliers, guarantees, limits and options, on both ways to it."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mecdsl
from mecdsl.backend import Request
from mecdsl.backends.ipopt.backend import Ipopt
from mecdsl.backends.mel.system import Learners, root
from mecdsl.compiling.check import check
from mecdsl.data_files.read import read_settings
from mecdsl.diagnostics import ModelError
from mecdsl.instances.instance import Instance
from mecdsl.instances.instantiate import instantiate
from mecdsl.parsing.parse import parse, parse_file
from mecdsl.results.violations import find_violations
from mecdsl.solution import Guarantee, Solution, SolveOptions, Termination
from tests.waiting import interrupted_at

WAYS = pytest.mark.parametrize("via", ["arrays", "pyomo"])

SPLIT = """
model split
var x : 1 >= 0
var y : 1 >= 0
maximize rate = ln(1 + x) + ln(2 + y)
constraint budget: x + y <= 3
"""


def request(text: str, form: str = "", **options: object) -> Request:
    instance = instantiate(check(parse(text), form=form), {})
    return Request(instance, SolveOptions(**options))  # type: ignore[arg-type]


def solved(text: str, form: str = "", **options: object) -> Solution:
    asked = request(text, form, **options)
    assert Ipopt().accepts(asked).accepted
    return Ipopt().solve(asked)


def learning(settings: list[str]) -> tuple[Instance, Learners]:
    path = Path(mecdsl.__file__).parent / "models" / "mel.mec"
    instance = instantiate(check(parse_file(path), form="relaxed"), read_settings(settings))
    compute, transfer, overhead = (
        instance.data(name) for name in ("compute", "transfer", "overhead")
    )
    cycle_time, total = (float(instance.data(name)[0]) for name in ("cycle_time", "total_samples"))
    return instance, Learners(compute, transfer, overhead, cycle_time, total)


@WAYS
def test_nonlinear_maximum_with_multiplier(via: str) -> None:
    # equal slopes 1/(1+x) = 1/(2+y) and x + y = 3: x = 2, y = 1, rate 2 ln 3, one more of the
    # budget is worth 1/3
    found = solved(SPLIT, via=via)
    # a sum of concave logarithms to maximise: proven convex, so the answer is global
    assert found.termination is Termination.OPTIMAL
    assert found.guarantee is Guarantee.GLOBAL
    assert found.values == pytest.approx([2.0, 1.0], rel=1e-6)
    assert found.objective == pytest.approx(2 * np.log(3.0), rel=1e-7)
    assert found.bound is None
    assert found.multipliers["budget"] == pytest.approx([1 / 3], rel=1e-6)


@WAYS
@pytest.mark.parametrize(
    ("text", "values", "objective"),
    [
        # LP: corner of x + y = 4 and x = 3
        (
            "var x : 1 in 0..3\nvar y : 1 >= 0\nmaximize z = 3*x + 2*y\nconstraint c: x + y <= 4",
            [3, 1],
            11,
        ),
        # QP: on y = 1 - x it is x^2 + x + 2
        (
            "var x : 1\nvar y : 1\nminimize z = (x-1)^2 + (y-2)^2 + x*y\nconstraint c: x + y == 1",
            [-0.5, 1.5],
            1.75,
        ),
        # QCP: the point of the disc of radius 5 furthest along (3, 4)
        (
            "var x : 1\nvar y : 1\nmaximize z = 3*x + 4*y\nconstraint c: x^2 + y^2 <= 25",
            [3, 4],
            25,
        ),
    ],
)
def test_a_local_optimum_of_a_convex_problem_is_global(
    text: str, values: list[float], objective: float, via: str
) -> None:
    found = solved(f"model convex\n{text}\n", via=via)
    assert found.termination is Termination.OPTIMAL
    assert found.guarantee is Guarantee.GLOBAL
    assert found.values == pytest.approx(values, rel=1e-6)
    assert found.objective == pytest.approx(objective, rel=1e-6)
    assert found.bound is None


@WAYS
def test_multipliers_are_derivatives_by_the_right_hand_side(via: str) -> None:
    # at b = 3: min x^2 with x >= b is b^2, slope 6; max 10 - x^2 with x >= b is 10 - b^2, slope -6;
    # min (x - 5)^2 with x <= b has slope 2 (b - 5) = -4; min x^2 with x == b has slope 6
    cases = [
        ("minimize z = x^2", ">=", 6.0),
        ("maximize z = 10 - x^2", ">=", -6.0),
        ("minimize z = (x - 5)^2", "<=", -4.0),
        ("minimize z = x^2", "==", 6.0),
    ]
    for objective, relation, slope in cases:
        found = solved(
            f"model one\nvar x : 1\n{objective}\nconstraint b: x {relation} 3\n", via=via
        )
        assert found.multipliers["b"] == pytest.approx([slope], rel=1e-6)


@pytest.mark.parametrize(
    "settings",
    [["learner_count=10"], ["learner_count=20", "cycle_time=60s"], ["learner_count=1000"]],
)
def test_mobile_edge_learning_meets_the_closed_root(settings: list[str]) -> None:
    instance, learners = learning(settings)
    exact = root(learners)
    found = Ipopt().solve(Request(instance, SolveOptions()))
    assert found.termination is Termination.LOCALLY_OPTIMAL
    assert found.objective == pytest.approx(exact.updates, rel=1e-6)
    assert found.multipliers["cycle"] == pytest.approx(exact.multipliers["cycle"], rel=1e-6)
    assert found.multipliers["all_samples"] == pytest.approx(
        exact.multipliers["all_samples"], rel=1e-6
    )
    assert found.values is not None
    assert all(violation.accepted for violation in find_violations(instance, found.values))


@pytest.mark.slow
def test_mobile_edge_learning_of_ten_thousand_learners() -> None:
    instance, learners = learning(["learner_count=10000"])
    found = Ipopt().solve(Request(instance, SolveOptions()))
    assert found.objective == pytest.approx(root(learners).updates, rel=1e-6)
    # linear growth: the number of iterations does not follow the size
    assert len(found.iterations) < 60


def test_mobile_edge_learning_through_pyomo() -> None:
    instance, learners = learning(["learner_count=10"])
    found = Ipopt().solve(Request(instance, SolveOptions(via="pyomo")))
    assert found.objective == pytest.approx(root(learners).updates, rel=1e-6)


@WAYS
def test_wild_magnitudes(via: str) -> None:
    # two bits per hertz over noise of 2e-14 W with gain 1e-9: 1 + 1e-9 p / 2e-14 = 4, so p = 6e-5
    # W, which both rows say. Unscaled, the first would count as satisfied wherever p is.
    text = """
model link
var power : 1 in 1e-9..1
minimize energy = power
constraint fast: 2e-14*3 <= 1e-9*power
constraint again: 1e6*ln(1 + 1e-9*power/2e-14)/ln(2) >= 2e6
"""
    found = solved(text, via=via)
    assert found.values == pytest.approx([6e-5], rel=1e-6)


@WAYS
def test_variables_that_all_but_reach_a_bound_are_put_onto_it(via: str) -> None:
    # y costs and x must stay below 9 y: both 0, where a point 1e-8 away violates `x <= 9 y` by all
    # of its terms
    text = (
        "model zero\nvar x : 1 >= 0\nvar y : 1 >= 0\nminimize z = 10*y - x\nconstraint c: "
        "x <= 9*y\n"
    )
    found = solved(text, via=via)
    assert found.values is not None
    assert found.values.tolist() == [0.0, 0.0]


@WAYS
def test_infeasible_as_far_as_a_local_solver_can_tell(via: str) -> None:
    found = solved(
        "model i\nvar x : 1 in 0..9\nminimize z = exp(x)\nconstraint c: x^2 <= -1\n", via=via
    )
    assert found.termination is Termination.LOCALLY_INFEASIBLE
    assert found.guarantee is Guarantee.LOCALLY_INFEASIBLE
    assert found.values is None


@WAYS
@pytest.mark.parametrize("gain", ["ln(1 + x)", "x", "x^2"])
def test_growth_without_end_is_not_called_an_optimum(gain: str, via: str) -> None:
    found = solved(f"model u\nvar x : 1 >= 0\nmaximize z = {gain}\n", via=via)
    assert found.termination is Termination.INFEASIBLE_OR_UNBOUNDED
    assert found.guarantee is Guarantee.NONE
    assert "unbounded as far as a local solver can tell" in found.message


def test_a_large_optimum_is_not_taken_for_growth() -> None:
    # least of (x - 3e9)^2 / 1e9, far beyond anything the data says about the size of x
    found = solved("model large\nvar x : 1 >= 0\nminimize z = 1e-9*x^2 - 6*x\n")
    assert found.termination is Termination.OPTIMAL
    assert found.values == pytest.approx([3e9], rel=1e-6)


@WAYS
def test_rows_without_variables(via: str) -> None:
    text = "model c\nvar x : 1 in 1..2\nminimize z = exp(x)\nconstraint t[k in 1..3]: {} <= 3\n"
    found = solved(text.format("k"), via=via)
    assert found.values == pytest.approx([1.0])
    assert found.multipliers["t"].tolist() == [0.0, 0.0, 0.0]
    false = solved(text.format("2*k"), via=via)
    assert (false.termination, false.guarantee) == (Termination.INFEASIBLE, Guarantee.INFEASIBLE)
    assert "`t[2]`" in false.message


@WAYS
def test_nothing_to_decide_and_crossed_bounds(via: str) -> None:
    text = (
        "model f\nvar x : 1\nminimize z = exp(x)\nconstraint c: x^3 <= {}\nform pinned: fix x = 2\n"
    )
    found = solved(text.format(8), "pinned", via=via)
    assert (found.termination, found.guarantee) == (Termination.OPTIMAL, Guarantee.GLOBAL)
    assert found.objective == pytest.approx(np.exp(2.0), rel=1e-14)
    assert solved(text.format(7), "pinned", via=via).termination is Termination.INFEASIBLE
    crossed = solved("model f\nvar x[k in 1..3] : 1 in 3..(5 - k)\nminimize z = x[1]^2\n", via=via)
    assert crossed.termination is Termination.INFEASIBLE
    assert "`x[3]`" in crossed.message


@WAYS
def test_fixed_columns_are_filled_in(via: str) -> None:
    # x fixed at 2: y = 3 / x
    text = (
        "model f\nvar x : 1\nvar y : 1 >= 0\nminimize z = y\nconstraint c: x*y >= 3\nform "
        "half: fix x = 2\n"
    )
    found = solved(text, "half", via=via)
    assert found.values == pytest.approx([2.0, 1.5], rel=1e-6)


@WAYS
def test_more_equations_than_variables(via: str) -> None:
    text = "model s\nvar x : 1\nminimize z = x^2\nconstraint c[k in 1..3]: k*x == 2*k\n"
    assert solved(text, via=via).values == pytest.approx([2.0], rel=1e-6)


def test_saddles_between_the_bounds_are_left() -> None:
    # linear in each variable, so its local optima are corners of the box: -4 with one of them at
    # -1, -1 with all; every place with two zeros is stationary
    found = solved("model t\nvar x[k in 1..3] : 1 in -1..2\nminimize z = x[1]*x[2]*x[3]\n")
    assert found.objective in (pytest.approx(-4.0, rel=1e-6), pytest.approx(-1.0, rel=1e-6))


def test_start_values_choose_the_optimum() -> None:
    # x^3 - 3 x on -2.5..3 has its local optimum -2 at 1 and the better one, -8.125, at the end -2.5
    text = "model v\nvar x : 1 in -2.5..3\nminimize z = x^3 - 3*x\n"
    near = solved(text, start=np.array([0.9]))
    end = solved(text, start=np.array([-2.0]))
    assert near.objective == pytest.approx(-2.0)
    assert end.objective == pytest.approx(-8.125, rel=1e-6)
    given = solved(text + "start x = -2\n")
    assert given.objective == pytest.approx(-8.125, rel=1e-6)


def test_same_seed_same_numbers() -> None:
    first, second = (solved(SPLIT, seed=5).values for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.tolist() == second.tolist()


def test_integers_and_kinks_are_refused_with_the_reason() -> None:
    whole = Ipopt().accepts(request("model a\nvar n : integer 1 in 0..3\nminimize z = exp(n)\n"))
    assert not whole.accepted
    assert "integer" in whole.reason
    kink = Ipopt().accepts(request("model a\nvar x : 1 in -1..3\nminimize z = abs(x)\n"))
    assert not kink.accepted
    assert "`abs` of variables" in kink.reason


@WAYS
def test_iteration_limit_returns_a_feasible_point_or_none(via: str) -> None:
    found = solved(SPLIT, via=via, raw={"max_iter": 2})
    assert found.termination is Termination.ITERATION_LIMIT
    assert found.guarantee is Guarantee.FEASIBLE
    assert found.values is not None
    assert found.values.sum() <= 3.0 + 1e-6
    stuck = solved(
        "model s\nvar x : 1\nvar y : 1\nminimize z = x\nconstraint c: exp(x)*y == "
        "3\nconstraint d: y^3 + x == 70\n",
        via=via,
        raw={"max_iter": 1},
    )
    assert stuck.termination is Termination.ITERATION_LIMIT
    assert stuck.values is None
    assert stuck.guarantee is Guarantee.NONE


@pytest.mark.slow
def test_time_limit() -> None:
    instance, _ = learning(["learner_count=20000"])
    found = Ipopt().solve(Request(instance, SolveOptions(time_limit=0.3)))
    assert found.termination is Termination.TIME_LIMIT
    assert found.guarantee in (Guarantee.FEASIBLE, Guarantee.NONE)


def test_a_flag_stops_the_search() -> None:
    instance, _ = learning(["learner_count=100"])
    asked = 0

    def later() -> bool:
        nonlocal asked
        asked += 1
        return asked > 4

    found = Ipopt().solve(replace(Request(instance, SolveOptions()), should_stop=later))
    assert found.termination is Termination.INTERRUPTED
    assert len(found.iterations) == 5


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_interrupt_signal_ends_the_search() -> None:
    program = """
    from mecdsl.backend import Request, interruptible
    from mecdsl.backends.ipopt.backend import Ipopt
    from mecdsl.convexity.problem import analyse
    from mecdsl.solution import SolveOptions
    from tests.test_ipopt_arrays import learning
    instance, _ = learning(["learner_count=50000"])
    asked = Request(instance, SolveOptions(log=True))
    with interruptible():
        found = Ipopt().solve(asked)
    print(found.termination.value)
    """
    assert interrupted_at(r"^ +0 +\S+ \S+ ", program) == "interrupted\n"  # the first iteration


def test_a_value_outside_of_a_domain_is_named() -> None:
    text = (
        "model d\nvar x : 1 in -3..-1\nminimize z = x\nconstraint curve[k in 1..2]: k + "
        "ln(x) >= -5\n"
    )
    found = solved(text)
    assert found.termination is Termination.ERROR
    assert "curve[1]" in found.message
    assert found.values is None


@pytest.mark.parametrize(
    ("raw", "name"),
    [({"tool": 1e-3}, "tool"), ({"tol": "small"}, "tol"), ({"mu_strategy": "no"}, "mu_strategy")],
)
@WAYS
def test_wrong_options_name_themselves(raw: dict[str, str | float], name: str, via: str) -> None:
    with pytest.raises(ModelError) as caught:
        solved(SPLIT, raw=raw, via=via)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "E505"
    assert f"`{name}`" in diagnostic.message


@WAYS
@pytest.mark.parametrize(("log", "raw"), [(False, {}), (True, {}), (False, {"print_level": 5})])
def test_standard_output_stays_clean(
    via: str, log: bool, raw: dict[str, int], capfd: pytest.CaptureFixture[str]
) -> None:
    solved(SPLIT, via=via, log=log, raw=raw)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert ("Ipopt" in captured.err) == log


def test_iterations_are_recorded_in_the_sense_of_the_model() -> None:
    found = solved(SPLIT)
    assert [step.number for step in found.iterations] == list(range(len(found.iterations)))
    last = found.iterations[-1].objective
    assert last == pytest.approx(2 * np.log(3.0), rel=1e-6)
