"""Maxima, minima, absolute values, norms and logarithms of exponentials: right answers, with where
they come from.
"""

import itertools
import math
from pathlib import Path
from random import Random

import numpy as np
import pytest

import mecdsl
from mecdsl.convexity.problem import analyse
from mecdsl.instances.algebra import Jets
from mecdsl.instances.tables import SINGLE
from mecdsl.lowering.lower import lowered
from mecdsl.model.classes import ProblemClass
from mecdsl.results.result import Result
from mecdsl.solution import Guarantee

CASES = Path(__file__).parent / "kinks"
GLOBAL, INFEASIBLE = Guarantee.GLOBAL, Guarantee.INFEASIBLE


def solved(text: str, backend: str = "auto") -> Result:
    return mecdsl.loads(text).solve(backend)


def optimum(result: Result, value: float, backend: str = "", rel: float = 1e-6) -> None:
    """Verified, globally optimal and at a value, by a backend if it is named."""
    assert result.faults == ()
    assert result.objective == pytest.approx(value, rel=rel, abs=1e-6)
    assert result.guarantee is GLOBAL
    assert not backend or result.backend == backend


def class_of(text: str) -> ProblemClass:
    """The class after lowering."""
    return analyse(lowered(mecdsl.loads(text).instance()).instance).problem_class


# The cases as they came


@pytest.mark.parametrize("backend", ["auto", "scip"])
def test_the_root_of_a_square_is_an_absolute_value(backend: str) -> None:
    result = mecdsl.load(CASES / "33_soc.mec").solve(backend)
    optimum(result, 0.0)
    assert set(result.values) == {"x", "c"}  # nothing of what was added is reported


def test_weber_point_on_a_sensor() -> None:
    # three sensors pull with 3 towards (0, 0), one with 1 away from it: total distance 5 to (3, 4)
    optimum(mecdsl.load(CASES / "16_weber.mec").solve(), 5.0, "ipopt")


@pytest.mark.slow
def test_uav_trajectory() -> None:
    result = mecdsl.load(CASES / "uav.mec").solve("ipopt")
    assert result.verified
    assert result.objective == pytest.approx(
        2.80838e6, rel=1e-5
    )  # of the squared distances written by hand


@pytest.mark.parametrize("backend", ["ipopt", "scip"])
def test_log_sum_exp(backend: str) -> None:
    # by symmetry x = 400: ln(2 e^400)
    optimum(
        mecdsl.load(CASES / "12b_log_sum_exp.mec").solve(backend), 400.0 + math.log(2.0), backend
    )


@pytest.mark.slow
def test_max_min_fairness() -> None:
    # equal rates: w(R) solves w log2(1 + P g/(N w)) = R, and the widths add up to 20 MHz; R by
    # bisection
    gains = 10.0 ** (np.array([-90, -95, -100, -105, -92, -98, -110, -101]) / 10.0)
    power, noise = 10.0**2.3 * 1e-3, 10.0**-17.4 * 1e-3

    def width(rate: float) -> float:
        low, high = np.full(8, 1.0), np.full(8, 2e7)
        for _ in range(100):
            middle = (low + high) / 2
            fast = middle * np.log2(1 + power * gains / (noise * middle)) >= rate
            low, high = np.where(fast, low, middle), np.where(fast, middle, high)
        return float(high.sum())

    least, most = 1e6, 1e9
    for _ in range(100):
        middle = (least + most) / 2
        least, most = (middle, most) if width(middle) <= 2e7 else (least, middle)
    optimum(mecdsl.load(CASES / "fair.mec").solve(form="maxmin"), least, "ipopt")


def test_switch_asks_for_the_side_it_uses() -> None:
    optimum(mecdsl.load(CASES / "25b_upper_only.mec").solve(), 20.0, "highs")


# Linear


def test_a_linear_maximum_stays_an_lp_with_multipliers() -> None:
    # loads a and b/2 end together: a = T, b = 2 T, a + b = 9, so T = 3 and dT/d9 = 1/3
    text = "var a : 1 >= 0\nvar b : 1 >= 0\nminimize T = max(a, b/2)\nconstraint all: a + b >= 9\n"
    result = solved(text)
    optimum(result, 3.0, "highs")
    assert class_of(text) is ProblemClass.LP
    assert result.solution.multipliers["all"] == pytest.approx([1 / 3])
    assert set(result.solution.multipliers) == {"all"}


def test_regression_by_least_absolute_residuals_is_the_median() -> None:
    # the sum of |v - m| is least at the median 4: 3 + 2 + 0 + 5 + 96
    text = (
        "param v[k in 1..5] : 1 = [1, 2, 4, 9, 100]\nvar m : real\nminimize off = "
        "sum(abs(v[k] - m) for k in 1..5)\n"
    )
    result = solved(text)
    optimum(result, 106.0, "highs")
    assert result.values["m"] == pytest.approx([4.0])


def test_maximum_in_the_wrong_direction_takes_binaries() -> None:
    # the larger of two: x = -3 gives 3 + 1 = 4, x = 4 gives 4 - 2.5 = 1.5; the ends are best, for
    # it is convex
    text = "var x : real in -3..4\nmaximize far = max(x, -x) - 0.5*max(x + 1, 2*x - 3)\n"
    grid = np.linspace(-3, 4, 7001)
    best = (np.abs(grid) - 0.5 * np.maximum(grid + 1, 2 * grid - 3)).max()
    optimum(solved(text), float(best), "highs")
    assert class_of(text) is ProblemClass.MILP


@pytest.mark.parametrize("sense", ["minimize", "maximize"])
def test_nested_kinks(sense: str) -> None:
    text = (
        "var x : real in -3..2\nvar y : real in -1..4\n"
        f"{sense} goal = max(abs(x), min(y, 2)) - 0.3*abs(y - 1)\n"
        "constraint c: min(x, y) + abs(x - y) <= 3\n"
    )
    x, y = np.meshgrid(np.arange(-3, 2.001, 0.025), np.arange(-1, 4.001, 0.025), indexing="ij")
    goal = np.maximum(np.abs(x), np.minimum(y, 2)) - 0.3 * np.abs(y - 1)
    kept = np.minimum(x, y) + np.abs(x - y) <= 3 + 1e-9
    best = goal[kept].min() if sense == "minimize" else goal[kept].max()
    optimum(solved(text), float(best), "highs")  # linear pieces with corners on the grid


def test_sum_of_maxima_over_a_family_with_a_condition() -> None:
    # k = 2 and 3 count: max(x, 2) + max(x, 3) + 1.5*(8 - x), falling up to slope change: x = 3 on
    # slope 0.5
    text = (
        "var x : real in 0..8\nminimize cost = sum(max(x, k) for k in 1..3 where k != 1) "
        "+ 1.5*(8 - x)\n"
    )
    grid = np.linspace(0, 8, 8001)
    cost = np.maximum(grid, 2) + np.maximum(grid, 3) + 1.5 * (8 - grid)
    optimum(solved(text), float(cost.min()), "highs")


def test_minimum_over_a_ragged_family() -> None:
    # device 1 has server 1, device 2 servers 1 and 2, ...; the best server of each takes what it
    # can
    text = (
        "param cap[k in 1..3] : 1 = [2, 5, 3]\nvar x[i in 1..3, k in 1..i] : 1 in 0..4\n"
        "maximize served = sum(min(x[i, k] for k in 1..i) for i in 1..3)\n"
        "constraint limit[k in 1..3]: sum(x[i, k] for i in k..3) <= cap[k]\n"
    )
    # server 1 is in all three minima, so at most cap[1] = 2 is served; device 1 alone reaches it
    optimum(solved(text), 2.0, "highs")


def test_maximum_over_nothing_is_named() -> None:
    text = (
        "var x[k in 1..2] : 1 in 0..1\nminimize a = sum(max(x[j] for j in k..2 where j > "
        "k) for k in 1..2)\n"
    )
    with pytest.raises(mecdsl.ModelError) as caught:
        solved(text)
    assert caught.value.diagnostics[0].code == "E309"


def test_maximum_of_definitions_and_data_factors_of_both_signs() -> None:
    text = (
        "param w[k in 1..3] : 1 = [2, -1, 0.5]\nvar x : real in -2..3\nvar y : real in -2..3\n"
        "let top[k in 1..3] = max(k*x, y, 0)\n"
        "minimize goal = sum(w[k]*top[k] for k in 1..3) - 0.7*x + 0.1*y\n"
    )
    x, y = np.meshgrid(np.linspace(-2, 3, 501), np.linspace(-2, 3, 501), indexing="ij")
    top = [np.maximum(np.maximum(k * x, y), 0) for k in (1, 2, 3)]
    goal = 2 * top[0] - top[1] + 0.5 * top[2] - 0.7 * x + 0.1 * y
    optimum(solved(text), float(goal.min()))


def test_maximum_beside_a_linearised_product() -> None:
    # x = 1: max(y, 3) + 2 - 2 y is least at y = 4: 4 + 2 - 8; x = 0 leaves max(y, 3) = 3 at best
    text = (
        "var x : binary\nvar y : real in 0..4\nminimize cost = max(y, 3) + 2*x - "
        "2*x*y\nform flat: linearize x*y\n"
    )
    model = mecdsl.loads(text)
    optimum(model.solve(form="flat"), -2.0, "highs")
    optimum(model.solve(), -2.0)


@pytest.mark.parametrize(
    "row",
    [
        "max(x, y) <= 1",
        "abs(x) >= 5",
        "min(x, y) >= 1 + abs(x - 2*y)",
        "max(x, y, 4) == 3",
        "sqrt(x^2 + y^2) <= 1.9",
    ],
)
def test_infeasible_rows_are_proven_infeasible(row: str) -> None:
    # x is at least 2 and at most 4, y from -3 to 1; the third row, y >= 1 + x - 2 y, leaves x = 2
    # and y = 1 alone
    bounds = "var x : real in 2..4\nvar y : real in -3..1\n"
    extra = "constraint more: x + y >= 3.5\n" if "abs(x - 2*y)" in row else ""
    result = solved(f"{bounds}minimize c = x + y\nconstraint r: {row}\n{extra}", "scip")
    assert result.guarantee is INFEASIBLE


def test_feasible_rows_of_the_same_kind() -> None:
    # the third row above holds at x = 2, y = 1 alone
    text = (
        "var x : real in 2..4\nvar y : real in -3..1\nminimize c = x + y\nconstraint r: "
        "min(x, y) >= 1 + abs(x - 2*y)\n"
    )
    optimum(solved(text), 3.0, "highs")


def test_switched_maximum_with_a_lower_side_alone() -> None:
    # on: max(x, y) >= 4 costs at least 4; off saves it but z pays 3: cost 0 + 3
    text = (
        "var x : real >= 0\nvar y : real >= 0\nvar z : binary\nminimize cost = x + y + 3*(1 - z)\n"
        "constraint need when z: max(x, y) >= 4\n"
    )
    with pytest.raises(
        mecdsl.ModelError
    ):  # a row `t >= 4` would be chosen by binaries, and x has no upper bound
        solved(text, "highs")
    optimum(solved(text.replace(">= 0", "in 0..9")), 3.0, "highs")


def random_expression(random: Random, depth: int) -> str:
    if depth == 0 or random.random() < 0.2:
        return random.choice(
            ["x", "y", "z", str(random.randint(0, 4)), "2*x", "(x - y)", "(z - 2)"]
        )
    a, b = random_expression(random, depth - 1), random_expression(random, depth - 1)
    forms = (
        f"max({a}, {b})",
        f"min({a}, {b})",
        f"abs({a})",
        f"({a} + {b})",
        f"({a} - {b})",
        f"(-1)*({a})",
    )
    return random.choice((*forms, f"3*({a})", f"({a})/2", f"sqrt(({a})^2)", f"max({a}, {b}, 1)"))


@pytest.mark.parametrize("seed", range(12))
def test_random_models_against_enumeration(seed: int) -> None:
    random = Random(seed)
    goal, left = random_expression(random, 3), random_expression(random, 2)
    relation, right = random.choice(["<=", ">=", "=="]), random.randint(0, 4)
    sense = random.choice(["minimize", "maximize"])
    variables = "".join(f"var {name} : integer in -2..3\n" for name in "xyz")
    text = f"{variables}{sense} goal = {goal}\nconstraint row: {left} {relation} {right}\n"
    found = []
    for point in itertools.product(range(-2, 4), repeat=3):
        names = dict(zip("xyz", point, strict=True)) | {
            "sqrt": math.sqrt,
            "max": max,
            "min": min,
            "abs": abs,
        }
        gap = eval(left.replace("^", "**"), names) - right
        if {"<=": gap <= 1e-9, ">=": gap >= -1e-9, "==": abs(gap) <= 1e-9}[relation]:
            found.append(eval(goal.replace("^", "**"), names))
    result = solved(text)
    if not found:
        assert result.guarantee is INFEASIBLE
    else:
        optimum(result, min(found) if sense == "minimize" else max(found))


# Norms


def weber(places: list[tuple[float, float]]) -> str:
    xs, ys = (", ".join(f"{place[axis]:.17g} m" for place in places) for axis in (0, 1))
    return (
        f"nodes sensor[k in 1..{len(places)}] {{ x : m = [{xs}]\n y : m = [{ys}] }}\n"
        "node relay { var x : m in -10 m..10 m\n var y : m in -10 m..10 m }\n"
        "minimize length = sum(distance(k, relay) for k in sensor)\n"
    )


@pytest.mark.parametrize(
    ("places", "total"),
    [
        (
            [(0, 0), (1, 0), (0.5, math.sqrt(0.75))],
            math.sqrt(3),
        ),  # the centre, 1/sqrt(3) from each corner
        ([(0, 0), (2, 0), (2, 2), (0, 2)], 4 * math.sqrt(2)),  # where the diagonals cross
        ([(0, 0), (1, 1), (5, 5)], 5 * math.sqrt(2)),  # on a line: the middle one
        ([(0, 0), (4, 0), (2, 0.5)], 2 * math.sqrt(4.25)),  # an angle above 120 degrees: its corner
        ([(3, 4)], 0.0),  # the sensor itself
    ],
)
def test_weber_points(places: list[tuple[float, float]], total: float) -> None:
    result = solved(weber(places), "ipopt")
    assert result.verified
    assert result.objective == pytest.approx(total, rel=1e-6, abs=1e-7)
    assert result.guarantee is GLOBAL or total == 0.0


@pytest.mark.parametrize("backend", ["ipopt", "scip"])
def test_a_norm_ball_is_squared_with_its_multiplier(backend: str) -> None:
    # x = y = -5/sqrt(2), so x + y = -sqrt(2) r, whose derivative by r is -sqrt(2)
    text = (
        "var x : real\nvar y : real\nminimize low = x + y\nconstraint ball: sqrt(x^2 + y^2) <= 5\n"
    )
    result = solved(text, backend)
    optimum(result, -5 * math.sqrt(2), backend)
    assert class_of(text) is ProblemClass.QCP
    if backend == "ipopt":
        assert result.solution.multipliers["ball"] == pytest.approx([-math.sqrt(2)], rel=1e-5)


def test_keeping_away_from_a_place_is_squared() -> None:
    # outside of a circle of 2 around the origin, nearest to (1, 0): at (2, 0), 1 away
    text = (
        "var x : real in -5..5\nvar y : real in -5..5\nminimize off = (x - 1)^2 + y^2\n"
        "constraint away: sqrt(x^2 + y^2) >= 2\nstart x = 0\nstart y = 0\n"
    )
    optimum(solved(text, "scip"), 1.0)


def test_distances_with_one_and_with_both_ends_to_be_placed() -> None:
    # each relay is nearest to both anchors in the middle, at the least height of 3; there the two
    # relays meet
    text = (
        "nodes anchor[k in 1..2] { x : m = [0 m, 9 m]\n y : m = [0 m, 0 m] }\n"
        "nodes relay[k in 1..2] { var x : m in -20 m..20 m\n var y : m in 3 m..20 m }\n"
        "minimize wire = sum(distance(a, r) for a in anchor, r in relay)"
        " + sum(distance(r, q) for r in relay, q in relay where r < q)\n"
    )
    result = solved(text, "ipopt")
    assert result.verified
    assert result.objective == pytest.approx(4 * math.hypot(4.5, 3.0), rel=1e-6)


def test_longest_link_of_a_family_is_shortest() -> None:
    # a relay between (0, 0), (8, 0) and (4, 2): the longest of three distances is least at the
    # middle of the long side
    text = (
        "nodes post[k in 1..3] { x : m = [0 m, 8 m, 4 m]\n y : m = [0 m, 0 m, 2 m] }\n"
        "node relay { var x : m in -20 m..20 m\n var y : m in -20 m..20 m }\n"
        "links hop[k in post]: k -> relay\n"
        "minimize longest = max(distance(h.from, relay) for h in hop)\n"
    )
    result = solved(text, "ipopt")
    assert result.verified
    assert result.objective == pytest.approx(4.0, rel=1e-6)


def test_a_start_without_derivative_is_moved_and_said() -> None:
    # a distance that counts as gain has a kink at its centre, where the start is
    text = (
        "var x : real in -10..10\nvar y : real in -10..10\nstart x = 1\nstart y = 1\n"
        "minimize f = (x - 3)^2 + (y + 1)^2 - sqrt((x - y)^2 + (x - 1)^2)\n"
    )
    x, y = np.meshgrid(np.linspace(2, 5, 1501), np.linspace(-3, 0, 1501), indexing="ij")
    best = ((x - 3) ** 2 + (y + 1) ** 2 - np.sqrt((x - y) ** 2 + (x - 1) ** 2)).min()
    result = solved(text, "ipopt")
    assert result.verified
    assert result.objective == pytest.approx(float(best), rel=1e-5)
    assert "has no derivative at the start" in result.solution.message
    assert "`x`" in result.solution.message


def test_a_power_with_an_infinite_slope_at_its_start() -> None:
    # the derivative 1.5 sqrt(x) - 3 is 0 at 4, beyond sqrt(x) <= 1.5, so x = 2.25: 3.375 - 6.75
    text = (
        "var x : real in -10..10\nstart x = 0\nminimize f = x^1.5 - 3*x\nconstraint c: "
        "sqrt(x) <= 1.5\n"
    )
    result = solved(text, "ipopt")
    assert result.verified
    assert result.objective == pytest.approx(-3.375, rel=1e-6)


def test_what_cannot_be_lowered_says_why_and_who_can() -> None:
    # the optimum: y = 1 and x = 0 for 1/4, since x = 1 costs 1
    text = (
        "var x : real in 0..3\nvar y : real in 0..2\nminimize c = x + y/4\nconstraint r: "
        "max(x*x, y) >= 1\n"
    )
    with pytest.raises(mecdsl.ModelError) as caught:
        solved(text, "ipopt")
    diagnostic = caught.value.diagnostics[0]
    assert diagnostic.code == "E502"
    assert "`x*x` is not linear" in (diagnostic.note or "")
    assert "scip" in (diagnostic.help or "")
    optimum(solved(text), 0.25, "scip")


# Logarithms of sums of exponentials


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("var x : real in -800..0\nminimize f = ln(exp(x) + exp(-800 - x))\n", -400 + math.log(2)),
        # 2 e^u = 3 e^-u, so e^u = sqrt(3/2) and the sum is 2 sqrt(6)
        (
            "var x : real in -9..9\nminimize f = ln(2*exp(1000*x) + 3*exp(-1000*x))\n",
            math.log(2 * math.sqrt(6)),
        ),
        # softplus less half of its slope: at x = 0, ln 2, times 1/ln 2 for log2
        (
            "var x : real in -2000..2000\nminimize f = log2(1 + exp(x)) - "
            "0.5*x/0.6931471805599453\n",
            1.0,
        ),
    ],
)
def test_log_sums(text: str, value: float) -> None:
    optimum(solved(text, "ipopt"), value, "ipopt")


def test_log_sum_over_an_index_with_weights_through_a_definition() -> None:
    # all w e^x are equal at the optimum: 1000 + ln(1*2*5)/3 + ln 3
    text = (
        "param w[i in 1..3] : 1 = [1, 2, 5]\nvar x[i in 1..3] : real in -2000..2000\n"
        "let s = sum(w[i]*exp(x[i]) for i in 1..3)\nminimize soft = ln(s)\n"
        "constraint c: sum(x[i] for i in 1..3) >= 3000\n"
    )
    optimum(solved(text, "ipopt"), 1000 + math.log(10) / 3 + math.log(3), "ipopt")


def test_derivatives_of_a_log_sum_far_out() -> None:
    # weights p = 1/(1 + e^-1) and 1 - p; second derivatives p(1 - p)
    instance = mecdsl.loads(
        "var x : real\nvar y : real\nminimize f = ln(exp(x) + exp(y))\n"
    ).instance()
    point = np.array([901.0, 900.0])
    jet = instance.evaluator(Jets(point, 2, instance.free)).family(
        instance.model.objective.value, SINGLE
    )
    share = 1 / (1 + math.exp(-1))
    assert jet.value == pytest.approx([901 + math.log1p(math.exp(-1))])
    gradient = np.bincount(jet.gradient.columns[0], jet.gradient.values, 2)
    assert gradient == pytest.approx([share, 1 - share])
    first, second = jet.hessian.columns
    square = jet.hessian.values[(first == 0) & (second == 0)].sum()
    assert square == pytest.approx(share * (1 - share))


def test_a_negative_term_keeps_its_plain_logarithm() -> None:
    # e^x - 1/2 least at x = 0: ln(1/2)
    text = "param c : 1 = -0.5\nvar x : real in 0..5\nminimize f = ln(exp(x) + c)\n"
    result = solved(text, "ipopt")
    assert result.objective == pytest.approx(math.log(0.5), rel=1e-6)


def test_a_kink_that_is_kept_for_a_number_that_is_not_finite_says_so() -> None:
    # 1/0 in a row leaves nothing known of the ranges
    text = (
        "param none : real = 0\nvar x : real in 0..9\nvar y : real in 0..9\nminimize t = "
        "max(x, 3 - x)\n"
        "constraint odd: y <= 1/none\nconstraint least: x + y*(1/none) >= 1\n"
    )
    found = lowered(mecdsl.loads(text).instance())
    assert not found.changed
    assert [(step.where, step.method) for step in found.steps] == [("t", "")]
    assert "not finite" in found.steps[0].reason
