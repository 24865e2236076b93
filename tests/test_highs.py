"""HiGHS: answers, bounds, multipliers, limits and options, on both ways to it."""

import os

import numpy as np
import pytest

import mecdsl
from mecdsl.backend import Acceptance, Request
from mecdsl.backends.highs.backend import Highs
from mecdsl.compiling.check import check
from mecdsl.diagnostics import ModelError
from mecdsl.instances.instantiate import instantiate
from mecdsl.parsing.parse import parse
from mecdsl.solution import Guarantee, Solution, SolveOptions, Termination
from tests.waiting import interrupted_at, within_some_limit

WAYS = pytest.mark.parametrize("via", ["arrays", "pyomo"])

PLAN = """
model plan
var x : 1 >= 0
var y : 1 >= 0
maximize profit = 3*x + 2*y + 5
constraint both: x + y <= 4
constraint far: x + 3*y <= 6
constraint cap: x <= 3
"""

KNAPSACK = """
model knapsack
set S = 1..40
param weight[k in S] : 1 = 20 + (k*37 - floor(k*37/61)*61)
param worth[k in S] : 1 = weight[k] + 5 + (k*53 - floor(k*53/7)*7)
var take[k in S] : binary
maximize total = sum(worth[k]*take[k] for k in S)
constraint room[c in 1..3]: sum((weight[k] + c*(k - floor(k/3)*3))*take[k] for k in S) <= 700 + 0.1*c
"""

HARD = """
model hard
set S = 1..250
set R = 1..40
param seed[r in R, k in S] : 1 = r*r*7919 + k*k*104729 + r*k*1299709
param a[r in R, k in S] : 1 = 1 + seed[r,k] - floor(seed[r,k]/97)*97
param c[k in S] : 1 = 1 + (k*k*15485863 - floor(k*k*15485863/89)*89)
var take[k in S] : binary
maximize total = sum(c[k]*take[k] for k in S)
constraint room[r in R]: sum(a[r,k]*take[k] for k in S) <= 0.5*sum(a[r,k] for k in S)
"""


def request(text: str, form: str = "", **options: object) -> Request:
    instance = instantiate(check(parse(text), form=form), {})
    return Request(instance, SolveOptions(**options))  # type: ignore[arg-type]


def solved(text: str, form: str = "", **options: object) -> Solution:
    asked = request(text, form, **options)
    assert Highs().accepts(asked).accepted
    return Highs().solve(asked)


@WAYS
def test_linear_program_with_multipliers_in_the_sense_of_the_model(via: str) -> None:
    # x = 3, y = 1 meets all three rows, profit 16; the multipliers are not unique but stationary:
    # both + far + cap = 3 for x and both + 3 far = 2 for y
    found = solved(PLAN, via=via)
    assert found.termination is Termination.OPTIMAL
    assert found.guarantee is Guarantee.GLOBAL
    assert found.values == pytest.approx([3.0, 1.0])
    assert found.objective == pytest.approx(16.0)
    assert found.bound == pytest.approx(16.0)
    both, far, cap = (float(found.multipliers[name][0]) for name in ("both", "far", "cap"))
    assert min(both, far, cap) >= 0.0
    assert both + far + cap == pytest.approx(3.0)
    assert both + 3 * far == pytest.approx(2.0)


@WAYS
@pytest.mark.parametrize(("sense", "sign"), [("minimize", 1.0), ("maximize", -1.0)])
def test_multipliers_are_derivatives_by_the_right_hand_side(
    via: str, sense: str, sign: float
) -> None:
    text = f"""
model sides
param need : 1 = 3
var x : 1 >= 0
var y : 1 >= 0
{sense} cost = {sign:g}*(2*x + 5*y)
constraint least: x + y >= need
constraint most: x <= 2
constraint tied[k in 1..2]: k*y - k*x == k*(-1)
"""
    # the ties say y = x - 1, so `least` and `most` leave x = 2, y = 1, cost 9; the multipliers are
    # not unique but stationary: least + most - (one + 2 two) = 2 for x, least + (one + 2 two) = 5
    # for y
    found = solved(text, via=via)
    assert found.objective == pytest.approx(sign * 9.0)
    least, most = float(found.multipliers["least"][0]), float(found.multipliers["most"][0])
    one, two = found.multipliers["tied"]
    assert least + most - one - 2 * two == pytest.approx(sign * 2.0)
    assert least + one + 2 * two == pytest.approx(sign * 5.0)
    assert sign * least >= -1e-9
    assert sign * most <= 1e-9


@WAYS
def test_a_single_multiplier_has_the_sign_of_the_derivative(via: str) -> None:
    # minimum of 2 x with x >= b is 2 b; maximum of 2 x with x <= b is 2 b: both grow by 2 per unit
    # of b
    for sense, relation in (("minimize", ">="), ("maximize", "<=")):
        found = solved(
            f"model one\nvar x : 1\n{sense} z = 2*x\nconstraint b: x {relation} 3\n", via=via
        )
        assert found.multipliers["b"] == pytest.approx([2.0])
        assert found.objective == pytest.approx(6.0)


@WAYS
def test_knapsack_against_dynamic_programming(via: str) -> None:
    found = solved(
        KNAPSACK.replace("c in 1..3", "c in 1..1").replace("c*(k - floor(k/3)*3)", "0"), via=via
    )
    weight = [20 + k * 37 % 61 for k in range(1, 41)]
    worth = [w + 5 + k * 53 % 7 for k, w in enumerate(weight, start=1)]
    best = [0] * 701
    for w, v in zip(weight, worth, strict=True):
        for room in range(700, w - 1, -1):
            best[room] = max(best[room], best[room - w] + v)
    assert found.termination is Termination.OPTIMAL
    assert found.objective == pytest.approx(best[700])
    assert found.bound == pytest.approx(best[700], rel=1e-6)
    assert found.values is not None
    assert set(found.values.tolist()) <= {0.0, 1.0}
    assert not found.multipliers


@WAYS
def test_convex_quadratic_program(via: str) -> None:
    # on y = 1 - x: (x-1)^2 + (x+1)^2 + x (1-x) = x^2 + x + 2, least at -1/2 with 7/4.
    # gradient (2x - 2 + y, 2y - 4 + x) = (-1.5, -1.5) is the multiplier times (1, 1).
    text = (
        "model q\nvar x : 1\nvar y : 1\nminimize z = (x-1)^2 + (y-2)^2 + x*y\nconstraint "
        "line: x + y == 1\n"
    )
    found = solved(text, via=via)
    assert found.termination is Termination.OPTIMAL
    assert found.values == pytest.approx([-0.5, 1.5], abs=1e-9)
    assert found.objective == pytest.approx(1.75, rel=1e-12)
    assert found.bound == pytest.approx(1.75, rel=1e-9)
    assert found.multipliers["line"] == pytest.approx([-1.5])


@WAYS
def test_concave_objective_is_maximised(via: str) -> None:
    # -(x-3)^2 with x <= 2: -1 at 2; slope 2 per unit of the bound
    found = solved(
        "model q\nvar x : 1\nmaximize z = 6*x - x^2 - 9\nconstraint cap: x <= 2\n", via=via
    )
    assert found.values == pytest.approx([2.0])
    assert found.objective == pytest.approx(-1.0)
    assert found.multipliers["cap"] == pytest.approx([2.0])


def test_quadratic_objective_with_integers_is_refused_with_the_reason() -> None:
    asked = request("model q\nvar x : integer 1 in 0..3\nminimize z = x^2\n")
    answer = Highs().accepts(asked)
    assert not answer.accepted
    assert "quadratic in `x`" in answer.reason
    assert "continuous" in answer.reason


def test_nonlinear_and_nonconvex_problems_are_refused() -> None:
    refused = [
        "model n\nvar x : 1 in 0..3\nminimize z = exp(x)\n",
        "model n\nvar x : 1 in 0..3\nmaximize z = x^2\n",
        "model n\nvar x : 1 in 0..3\nminimize z = x\nconstraint c: x^2 <= 2\n",
    ]
    assert all(Highs().accepts(request(text)) != Acceptance(True) for text in refused)


@WAYS
def test_infeasible_and_unbounded_are_told_apart(via: str) -> None:
    infeasible = solved("model i\nvar x : 1 >= 0\nmaximize z = x\nconstraint c: x <= -1\n", via=via)
    assert (infeasible.termination, infeasible.guarantee) == (
        Termination.INFEASIBLE,
        Guarantee.INFEASIBLE,
    )
    unbounded = solved("model u\nvar x : 1 >= 0\nmaximize z = x\nconstraint c: x >= 1\n", via=via)
    assert (unbounded.termination, unbounded.guarantee) == (
        Termination.UNBOUNDED,
        Guarantee.UNBOUNDED,
    )
    assert infeasible.values is None
    assert unbounded.values is None


def test_unbounded_or_infeasible_integer_programs_are_resolved() -> None:
    # HiGHS alone says "unbounded or infeasible": x grows with y along (1, 1); 2 x - 2 y is even and
    # never 1
    text = "model r\nvar x : integer\nvar y : integer\nmaximize z = x\nconstraint c: x - y <= 3\n"
    assert solved(text).termination is Termination.UNBOUNDED
    odd = solved(text + "constraint odd: 2*x - 2*y == 1\n")
    assert odd.termination is Termination.INFEASIBLE


@WAYS
def test_small_coefficients_are_not_dropped(via: str) -> None:
    # a matrix entry below 1e-9 counts as zero in HiGHS, and a cost of 1e-15 as no slope
    text = "model tiny\nvar x : 1 >= 0\nmaximize z = 1e-15*x\nconstraint c: 1e-15*x <= 3e-15\n"
    found = solved(text, via=via)
    assert found.values == pytest.approx([3.0])
    assert found.objective == pytest.approx(3e-15)
    assert found.multipliers["c"] == pytest.approx([1.0])


def test_a_coefficient_that_no_factor_can_save_is_an_error_and_not_left_out() -> None:
    text = "model wide\nvar n : integer 1 in 0..5\nvar m : integer 1 in 0..5\n"
    text += "maximize z = n + m\nconstraint c: 1e-20*n + m <= 3\n"
    found = solved(text)
    assert found.termination is Termination.ERROR
    assert "in `c` is too far from the others" in found.message  # of two coefficients either is
    assert found.values is None


def test_numbers_that_highs_takes_for_infinite_are_an_error_and_not_unbounded() -> None:
    found = solved("model far\nvar n : integer 1 in 0..1e25\nmaximize z = n\n")
    assert found.termination is Termination.ERROR
    assert "infinite" in found.message
    continuous = solved("model far\nvar x : 1 in 0..1e25\nmaximize z = x\n")
    assert continuous.objective == pytest.approx(1e25)


@WAYS
@pytest.mark.slow
def test_nothing_to_decide(via: str) -> None:
    fixed = (
        "model f\nvar x : 1\nminimize z = 3*x + 1\nconstraint c: x >= {}\nform pinned: fix x = 2\n"
    )
    found = solved(fixed.format(1), "pinned", via=via)
    assert (found.termination, found.objective, found.bound) == (Termination.OPTIMAL, 7.0, 7.0)
    assert found.values == pytest.approx([2.0])
    assert found.multipliers["c"].tolist() == [0.0]
    assert solved(fixed.format(5), "pinned", via=via).termination is Termination.INFEASIBLE


@WAYS
def test_no_rows(via: str) -> None:
    found = solved(
        "model f\nvar x : 1 in -2..5\nvar y : 1 in 1..4\nminimize z = 3*x - y + 1\n", via=via
    )
    assert found.values == pytest.approx([-2.0, 4.0])
    assert found.objective == pytest.approx(-9.0)


@WAYS
def test_crossed_bounds_name_the_variable(via: str) -> None:
    found = solved("model f\nvar x[k in 1..3] : 1 in 3..(5 - k)\nminimize z = x[1]\n", via=via)
    assert found.termination is Termination.INFEASIBLE
    assert "`x[3]`" in found.message


@WAYS
def test_a_false_row_without_variables_is_named(via: str) -> None:
    found = solved(
        "model f\nvar x : 1 in 0..1\nminimize z = x\nconstraint c[k in 1..3]: k <= 2\n", via=via
    )
    assert found.termination is Termination.INFEASIBLE
    assert "`c[3]`" in found.message


@pytest.mark.slow
def test_node_limit_is_no_proof() -> None:
    found = solved(HARD, raw={"mip_max_nodes": 1, "mip_heuristic_effort": 0.0})
    assert found.termination is Termination.ITERATION_LIMIT
    assert found.guarantee in (Guarantee.FEASIBLE, Guarantee.NONE)
    assert found.bound is not None
    assert found.objective is None or found.objective <= found.bound


@pytest.mark.slow
@WAYS
def test_time_limit_returns_incumbent_and_bound(via: str) -> None:
    found = within_some_limit(
        lambda limit: solved(HARD, via=via, time_limit=limit),
        lambda found: None not in (found.objective, found.bound),
    )
    assert found.termination is Termination.TIME_LIMIT
    assert found.guarantee is Guarantee.FEASIBLE
    assert found.objective is not None
    assert found.bound is not None
    assert found.objective < found.bound


def test_no_time_at_all() -> None:
    found = solved(HARD, time_limit=0.0)
    assert found.termination is Termination.TIME_LIMIT
    assert found.guarantee is not Guarantee.GLOBAL


def test_gap_ends_the_search_early() -> None:
    found = solved(HARD, gap=0.05)
    assert found.termination is Termination.OPTIMAL
    assert found.objective is not None
    assert found.bound is not None
    assert 0.0 <= found.bound - found.objective <= 0.05 * found.objective


@WAYS
def test_a_flag_stops_a_search(via: str) -> None:
    looks = iter(range(30))  # HiGHS asks between its steps; by then it has a point
    asked = Request(
        request(HARD).instance, SolveOptions(via=via), lambda: next(looks, None) is None
    )
    found = Highs().solve(asked)
    assert found.termination is Termination.INTERRUPTED
    assert found.values is not None
    assert found.guarantee is Guarantee.FEASIBLE


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_interrupt_signal_hands_over_the_incumbent() -> None:
    program = """
    from mecdsl.backend import Request, interruptible
    from mecdsl.backends.highs.backend import Highs
    from mecdsl.solution import SolveOptions
    from tests.test_highs import HARD, request
    from dataclasses import replace
    asked = request(HARD, log=True)
    with interruptible() as should_stop:
        found = Highs().solve(replace(asked, should_stop=should_stop))
    print(found.termination.value, found.objective is not None)
    """
    point = r"-[0-9.]+ +-[0-9.]+ +[0-9.]+%"  # a bound, a point and the gap between them
    assert interrupted_at(point, program) == "interrupted True\n"


def test_an_exception_in_the_flag_comes_out() -> None:
    def broken() -> bool:
        raise RuntimeError("from the flag")

    instance = request(HARD).instance
    with pytest.raises(RuntimeError, match="from the flag"):
        Highs().solve(Request(instance, SolveOptions(), broken))


def test_warm_start_is_the_first_incumbent() -> None:
    best = solved(KNAPSACK)
    assert best.values is not None
    # without a node and without heuristics HiGHS has only the start to return
    off = {
        "mip_max_nodes": 0,
        "mip_heuristic_effort": 0.0,
        "mip_heuristic_run_feasibility_jump": False,
        "presolve": "off",
    }
    found = solved(KNAPSACK, start=best.values, raw=off)
    assert found.objective == pytest.approx(best.objective)


@WAYS
@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"mip_max_node": 3}, "no option `mip_max_node`"),
        ({"presolve": "maybe"}, "`maybe`"),
        ({"mip_max_nodes": "x"}, "`mip_max_nodes`"),
        ({"time_limit": -1.0}, "`-1.0`"),
        ({"mip_detect_symmetry": 7}, "`mip_detect_symmetry`"),
    ],
)
def test_wrong_options_name_themselves(raw: dict[str, str | float], words: str, via: str) -> None:
    with pytest.raises(ModelError) as caught:
        solved(PLAN, raw=raw, via=via)
    (diagnostic,) = caught.value.diagnostics
    assert diagnostic.code == "E505"
    assert words in diagnostic.message


@pytest.mark.parametrize(
    "raw",
    [
        {"presolve": "off"},
        {"mip_max_nodes": "5"},
        {"mip_detect_symmetry": "off"},
        {"time_limit": 5},
    ],
)
def test_options_are_taken_in_any_spelling_of_their_type(raw: dict[str, str | float]) -> None:
    assert solved(PLAN, raw=raw).objective == pytest.approx(16.0)


@WAYS
def test_threads_may_differ_from_run_to_run(via: str) -> None:
    assert [solved(KNAPSACK, via=via, threads=n).termination for n in (1, 2, 1)] == [
        Termination.OPTIMAL
    ] * 3


@WAYS
@pytest.mark.parametrize("log", [False, True])
def test_standard_output_stays_clean(
    via: str, log: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    solved(KNAPSACK, via=via, log=log)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert ("HiGHS" in captured.err) == log


def test_random_linear_programs_have_matching_bounds() -> None:
    # weak duality holds for any multipliers, so bound = objective proves both; data of very
    # different size
    rng = np.random.default_rng(11)
    for _ in range(5):
        size = 10.0 ** rng.uniform(-9, 6, 3)
        costs = (rng.uniform(1, 9, 3) * size).tolist()
        rows = "\n".join(
            f"constraint c{i}: "
            + " + ".join(
                f"{rng.uniform(0.1, 2) * s!r}*x[{j + 1}]" for j, s in enumerate(size.tolist())
            )
            + f" >= {rng.uniform(1, 4) * float(size.max())!r}"
            for i in range(4)
        )
        cost = " + ".join(f"{c!r}*x[{j + 1}]" for j, c in enumerate(costs))
        found = solved(f"model r\nvar x[k in 1..3] : 1 >= 0\nminimize z = {cost}\n{rows}\n")
        assert found.termination is Termination.OPTIMAL
        assert found.bound == pytest.approx(found.objective, rel=1e-7)


@pytest.mark.parametrize(
    ("row", "kept"),
    [
        ("x <= limit", True),
        ("x >= -limit", True),
        ("x >= limit", False),
        ("x == limit", False),
        ("-x >= limit", False),
    ],
)
def test_a_row_with_an_infinite_side(row: str, kept: bool) -> None:
    # 1/0 is infinite: nothing is below it, everything finite above it is named as a fault of the
    # data
    text = (
        "param zero : 1 = 0\nlet limit : 1 = 1/zero\nvar x : 1 in 1..5\nminimize cost = "
        "x\nconstraint row: "
    )
    model = mecdsl.loads(text + row + "\n")
    if kept:
        assert model.solve("highs").objective == pytest.approx(1)
        return
    with pytest.raises(ModelError, match="`row` has a constant part that is not finite"):
        model.solve("highs")
