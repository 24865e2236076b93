"""What `check` and the backends make of curvature: models, culprits, counterexamples, labels.

The soundness of the rules themselves: `test_convexity_soundness`, `test_convexity_table`.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import mecdsl
from mecdsl.command_line.main import app
from mecdsl.convexity.curvature import Curvature
from mecdsl.convexity.problem import Problem, analyse, sampled
from mecdsl.convexity.sampling import refute
from mecdsl.output.text.problem import problem_text
from mecdsl.solution import Guarantee, Termination
from mecdsl.testing.case import Case
from mecdsl.testing.cases import CASES
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parent.parent
FOG = ROOT / "models" / "fog.mec"
COOPERATIVE = ROOT / "models" / "cooperative.mec"
MEL = ROOT / "models" / "mel.mec"


def problem_of(text: str, **data: Any) -> Problem:
    return analyse(mecdsl.loads(text, **data).instance())


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"node_count": 2, "layer_count": 1},
        {"node_count": 1},
        {"node_count": 5, "layer_count": 5, "master": 3, "seed": 4},
        {"latency": 0.05},
    ],
    ids=str,
)
@pytest.mark.parametrize("form", ["", "equal"])
def test_every_family_of_fog_is_convex(form: str, data: dict[str, Any]) -> None:
    # Kilcioglu et al. prove (31) convex: cubes over squares of times, and rates that are
    # perspectives
    problem = analyse(mecdsl.load(FOG, **data).instance(form))
    assert [
        report.name
        for report in (problem.objective, *problem.families)
        if report.convex is not True
    ] == []
    assert problem.convex
    assert problem.class_name == "convex NLP"


@pytest.mark.slow
def test_the_fog_problem_in_powers_is_called_nonconvex() -> None:
    # t p bends as x y does: half-way between (0, 1) and (1, 0) it is 1/4, on the chord 0
    instance = mecdsl.load(FOG.with_name("fog_powers.mec")).instance()
    problem = analyse(instance)
    assert problem.class_name == "NLP"  # no rule knows it
    assert sampled(instance, problem).phrase == "a nonconvex NLP"  # two points refute it


@pytest.mark.parametrize(
    ("form", "name"),
    [
        ("", "convex MINLP"),
        ("relaxed", "convex NLP"),
        ("square", "convex MIQP"),
        ("conic", "nonconvex MIQCP"),
    ],
)
@pytest.mark.slow
def test_the_forms_of_cooperative_computing(form: str, name: str) -> None:
    # sums of squares over linear terms; `conic` states x^2 <= y z, a convex set of which no
    # function says so
    assert analyse(mecdsl.load(COOPERATIVE).instance(form)).class_name == name


def test_the_relaxation_of_mobile_edge_learning_is_not_convex() -> None:
    problem = analyse(mecdsl.load(MEL).instance("relaxed"))
    assert not problem.convex
    assert problem.not_convex is not None
    assert problem.not_convex.name == "cycle"


NONLINEAR = [case for case in CASES if case.problem_class.value in ("NLP", "MINLP")]


@pytest.mark.parametrize("case", NONLINEAR, ids=lambda case: case.name)
def test_conformance_cases_are_called_convex_only_if_they_are(case: Case) -> None:
    # the tags say what is true of each case, from its own derivation
    assert not analyse(mecdsl.load(case.path).instance(case.form)).convex or "convex" in case.tags


MEMBERS = """model m
set item = 1..3
param a[i in item] : 1 = 2 - i
var x[i in item] : 1 in 0..4
minimize f = sum(x[i] for i in item)
constraint cap[i in item]: a[i]*x[i]^3 - x[i] <= 5
constraint cup[i in item]: exp(x[i]) >= a[i]
"""


def test_a_family_that_is_convex_in_some_members_names_the_first_that_is_not() -> None:
    # a = 1, 0, -1: x^3 is convex on 0..4, -x^3 is not
    problem = problem_of(MEMBERS)
    cap, cup = problem.families
    assert (cap.convex, cap.curvature, cap.member) == (None, Curvature.UNKNOWN, "cap[3]")
    assert cap.cause == "`a[i]*x[i]^3` is concave where convex is needed"
    assert cap.cause_place is not None
    assert cap.cause_place.line == 6
    assert (cup.convex, cup.curvature, cup.member, cup.cause) == (
        None,
        Curvature.CONVEX,
        "",
        "`exp(x[i])` is convex where concave is needed",
    )


def test_data_decide() -> None:
    assert problem_of(MEMBERS.replace("constraint cup", "# "), a=[1, 0, 2]).convex


INNERMOST = pytest.mark.parametrize(
    ("expression", "cause"),
    [
        ("exp(x*y)", "`x*y` is a product of two variables"),
        ("y/x", "`y/x` is a quotient of expressions over variables"),
        ("1/(x - 1)", "`x - 1` in a denominator may change sign"),
        ("ln(x - 1)", "the argument of `ln(x - 1)` may be negative"),
        ("(x - 1)^3", "`x - 1` under a power may be negative"),
        ("-exp(y) + x^4", "`exp(y)` is convex where concave is needed"),
        ("x^3 + rooted", "`sqrt(y)` is concave where convex is needed"),
        ("x^4 - perspective(x, y) + sqrt(x)", "`sqrt(x)` is concave where convex is needed"),
        ("min(exp(x), y)", "`min(exp(x), y)` bends in no way that is known"),
        # data of the other sign turn a part: the part alone is as it should be
        ("(x - 1)^4*(0 - 2)", "`(x - 1)^4*(0 - 2)` is concave where convex is needed"),
        ("max(x^3, 4 - exp(y))", "`exp(y)` is convex where concave is needed"),
        ("perspective(x, x*y)*(-1)", "`x*y` is a product of two variables"),
        (
            "prod(x + k*y for k in 1..2)",
            "`prod(x + k*y for k in 1..2)` bends in no way that is known",
        ),
    ],
)


@INNERMOST
def test_the_innermost_part_is_blamed(expression: str, cause: str) -> None:
    text = (
        "model m\nvar x : 1 in 0..3\nvar y : 1 in 0..3\nlet rooted : 1 = "
        f"sqrt(y)\nminimize f = {expression}\n"
    )
    report = problem_of(text).objective
    assert report.convex is None
    assert report.cause == cause


@INNERMOST
def test_what_is_not_remembered_of_a_proof_is_found_again(
    expression: str, cause: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mecdsl.convexity.algebra.MOST_ROWS", 0)
    test_the_innermost_part_is_blamed(expression, cause)


def test_bounds_that_linear_rows_imply_are_used() -> None:
    # u >= x + 1 >= 1, so u^3 is convex although u has no bounds of its own
    text = "model m\nvar x : 1 >= 0\nvar u : 1\nminimize f = u^3\nconstraint above: u >= x + 1\n"
    assert problem_of(text).convex
    assert not problem_of(text.replace("above: u >= x + 1", "above: u <= x + 1")).convex


def test_a_bound_below_zero_by_rounding_only_counts_as_zero() -> None:
    # 0.3 - 3*0.1 is -5.6e-17 in floating point
    text = "model m\nparam low : 1 = 0.3 - 3*0.1\nvar x : 1 in low..{}\nminimize f = {}\n"
    assert problem_of(text.format("2", "x^3 - sqrt(x)")).convex
    assert not problem_of(text.replace("0.3 - 3*0.1", "-0.001").format("2", "x^3")).convex
    assert not problem_of(text.replace("0.3 - 3*0.1", "-1").format("1e20", "x^3")).convex


@pytest.mark.parametrize(
    ("expression", "declared"),
    [
        ("-ln(x - 3.7)", ">= 3.7"),
        ("-ln(0.3*x - 0.6)", ">= 2"),
        ("(exp(x) - 1)^2.5", ">= 0"),
        ("(exp(x)^2 - 1)^3", ">= 0"),
        ("((1 + x)^2 - 1)^1.5", ">= 0"),
        ("(2^(x/3) - 1)^2", ">= 0"),
        ("-sqrt(ln(x))", ">= 1"),
        ("-sum(ln(k*x - k) for k in 1..3)", ">= 1"),
    ],
)
def test_a_sign_that_ends_at_zero_is_known_without_an_upper_bound(
    expression: str, declared: str
) -> None:
    # each argument is 0 at the lower end, by hand, and rises from there
    assert problem_of(f"model m\nvar x : 1 {declared}\nminimize f = {expression}\n").convex


def test_what_rounding_hides_is_not_proven() -> None:
    # -1 + 1e16 is 1e16 to the nearest double; the cube of what remains is concave below 0
    text = "model m\nvar x : 1 in -1..1\nminimize f = (x + 1e16 - 1e16)^3 + exp(x)\n"
    assert not problem_of(text).convex


def test_what_has_no_value_is_below_nothing() -> None:
    # ln has no value below 0: nothing is said of a maximum with it
    text = "model m\nvar x : 1 in -3..-1\nvar y : 1 in 0..1\nminimize f = max(y, ln(x))\n"
    assert problem_of(text).objective.cause == "the argument of `ln(x)` may be negative"


def test_an_equality_is_convex_only_if_affine() -> None:
    text = "model m\nvar x : 1 in 1..2\nvar y : 1\nminimize f = y\nconstraint same: y == {}\n"
    assert problem_of(text.format("abs(x) + max(x, 0)")).convex
    curve = problem_of(text.format("exp(x)")).families[0]
    assert (curve.convex, curve.curvature) == (None, Curvature.CONCAVE)  # y - exp(x)


def test_a_maximum_of_what_is_concave_is_a_convex_problem() -> None:
    text = "model m\nvar x : 1 >= 0\nmaximize f = ln(1 + x) - x^3\n"
    problem = problem_of(text)
    assert problem.convex
    assert problem.objective.curvature is Curvature.CONCAVE
    assert not problem_of(text.replace("maximize", "minimize")).convex


def test_large_quadratic_forms_are_judged_by_the_rules() -> None:
    # 600 columns in one square are too many for eigenvalues; a sum of squares is convex whatever
    # its size
    text = """model m
set item = 1..600
var x[i in item] : 1
minimize f = (sum(x[i] for i in item))^2 + sum(x[i]^2 for i in item)
constraint total: sum(x[i] for i in item) >= 1
"""
    assert problem_of(text).class_name == "convex QP"
    product = text.replace("^2 + sum(", "*x[1] + sum(")
    assert problem_of(product).objective.convex is None


# Counterexamples


@pytest.mark.parametrize(
    ("expression", "limits"),
    [
        ("x*y*y", "in 0..1"),
        ("x^3", "in -1..1"),
        ("exp(-x^2)", ""),
        ("sqrt(x)/(1 + y)", ">= 0"),
        ("min(x, y)", ""),
    ],
)
def test_sampling_finds_two_points(expression: str, limits: str) -> None:
    instance = mecdsl.loads(
        f"model m\nvar x : 1 {limits}\nvar y : 1 {limits}\nminimize f = {expression}\n"
    ).instance()
    found = refute(instance, None)
    assert found is not None
    points = [np.zeros(2), np.zeros(2)]
    for point, values in zip(points, (found.first, found.second), strict=True):
        for name, value in values.items():
            point[{"x": 0, "y": 1}[name]] = value
    if len(found.first) == 2:  # both variables differ: the points are complete
        middle = instance.objective(0.5 * (points[0] + points[1]))
        assert middle > 0.5 * (instance.objective(points[0]) + instance.objective(points[1]))
    assert found.middle > found.chord


@pytest.mark.parametrize(
    "expression",
    [
        "x^4 + exp(x)",
        "1e9 + x^2 + 1e-8*y^4",
        "x*ln(x/y)",
        "abs(x - y)",
        "(1/(1/x + 1/y))*(-1)",
        "x + y",
    ],
)
def test_sampling_refutes_nothing_convex(expression: str) -> None:
    text = f"model m\nvar x : 1 in 0..5\nvar y : 1 in 0..5\nminimize f = {expression}\n"
    assert refute(mecdsl.loads(text).instance(), None) is None


def test_only_what_is_not_proven_is_sampled() -> None:
    instance = mecdsl.loads(MEMBERS).instance()
    problem = sampled(instance, analyse(instance))
    cap, cup = problem.families
    assert cap.convex is False
    assert cap.counterexample is not None
    assert cap.counterexample.member == "cap[3]"
    assert set(cap.counterexample.first) == {"x[3]"}
    assert cup.convex is False
    assert problem.objective.convex is True
    unseen = mecdsl.loads("model m\nvar x : 1 >= 0\nminimize f = x*exp(x)\n").instance()
    assert sampled(unseen, analyse(unseen)).objective.convex is None  # convex, which no rule sees


# What is shown


def test_check_says_convex() -> None:
    text = problem_text(problem_of("model m\nvar x : 1 >= 0\nminimize f = exp(x)\n"))
    assert text.startswith("class  convex NLP: ")
    assert text.endswith("convex: a local optimum is the global one")


def test_check_says_what_is_not_convex_and_where(tmp_path: Path) -> None:
    path = tmp_path / "m.mec"
    path.write_text(
        "model m\nvar x : 1 in 0..3\nvar y : 1 in 0..3\nminimize f = x\nconstraint cap: "
        "exp(x*y) <= 5\n",
        encoding="utf-8",
    )
    shown = CliRunner().invoke(app, ["check", str(path)])
    assert shown.exit_code == 0
    words = " ".join(shown.stdout.split())
    assert "not convex: `cap`, `x*y` is a product of two variables, line 5" in words
    assert "half-way" in words
    report = json.loads(CliRunner().invoke(app, ["check", str(path), "--json"]).stdout)
    assert report["convex"] is False
    cap = report["families"][1]
    assert (cap["convex"], cap["curvature"], cap["cause_line"]) == (False, "unknown", 5)
    assert cap["cause"] == "`x*y` is a product of two variables"
    points = cap["counterexample"]

    def height(point: dict[str, float]) -> float:
        return float(np.exp(point["x"] * point["y"]) - 5)

    if set(points["first"]) == {"x", "y"}:
        half = {name: 0.5 * (points["first"][name] + points["second"][name]) for name in ("x", "y")}
        assert points["middle"] == pytest.approx(height(half))
        assert points["chord"] == pytest.approx(
            0.5 * (height(points["first"]) + height(points["second"]))
        )


# What an answer is worth


@pytest.mark.slow
def test_ipopt_solves_fog_to_the_global_optimum() -> None:
    result = mecdsl.load(FOG, node_count=3).solve("ipopt")
    assert result.guarantee is Guarantee.GLOBAL
    assert result.termination is Termination.OPTIMAL
    assert str(result.guarantee.value) == "globally optimal"


def test_ipopt_on_what_is_not_proven_convex_is_locally_optimal() -> None:
    text = (
        "model m\nvar x : 1 in 0..4\nvar y : 1 in 0..4\nminimize f = exp(x*y) - "
        "x\nconstraint c: x + y >= 1\n"
    )
    assert mecdsl.loads(text).solve("ipopt").guarantee is Guarantee.LOCAL


INTEGERS = (
    "model m\nvar n : integer in 1..9\nvar t : 1 in 0.1..5\nminimize f = n^3/t^2 + "
    "{}*t\nconstraint c: n >= 1.5\n"
)


def test_bonmin_proves_a_convex_minlp() -> None:
    # n = 2: 8/t^2 + 2t is least at t = 2, value 2 + 4 = 6; larger n are worse Bonmin's own
    # tolerance leaves a gap of 3e-6 here: the objective is steep at the other end of the bounds
    result = mecdsl.loads(INTEGERS.format(2)).solve("bonmin", gap=1e-5)
    assert result.guarantee is Guarantee.TO_GAP
    assert result.gap is not None
    assert 1e-6 < result.gap < 1e-5
    assert result.objective == pytest.approx(6, rel=1e-6)
    assert result.bound == pytest.approx(6, rel=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("devices", [2, 4])
def test_bonmin_proves_nothing_where_functions_have_only_limits(devices: int) -> None:
    # places that are not taken count 0^2/0: with 2 devices Bonmin finds no point, although there is
    # an optimum
    model = mecdsl.load(COOPERATIVE, device_count=devices)
    assert model.solve("cooperative-exact").guarantee is Guarantee.GLOBAL
    found = model.solve("bonmin", time_limit=PATIENCE)
    assert found.guarantee in (Guarantee.LOCALLY_INFEASIBLE, Guarantee.FEASIBLE)
    assert found.bound is None


def test_bonmin_is_a_heuristic_where_nothing_is_proven() -> None:
    result = mecdsl.loads(INTEGERS.format("2*n*t^2")).solve("bonmin")
    assert result.guarantee is Guarantee.FEASIBLE
    assert result.bound is None


def test_auto_says_convex() -> None:
    text = "model m\nvar x : 1 >= 0\nminimize f = exp(x) - x\n"
    assert mecdsl.loads(text).solve("auto").choice == "a convex NLP: a local optimum is global"


def test_two_costs_of_a_bit_are_refuted_by_points() -> None:
    model = mecdsl.load(ROOT / "models" / "examples" / "noma_convexity.mec")
    instance = model.instance()
    problem = sampled(instance, analyse(instance))
    for report in (problem.objective, *problem.families):
        assert report.convex is False
        assert report.counterexample is not None
        assert report.counterexample.middle > report.counterexample.chord
    # by a calculator, at two powers and at two strengths of the weaker signal
    ends = [instance.objective(np.array([power, 100.0, 10.0])) for power in (0.05, 0.3162)]
    assert sum(ends) / 2 == pytest.approx(0.029679, abs=1e-6)
    assert instance.objective(np.array([0.1831, 1.0, 1.0])) == pytest.approx(0.029763, abs=1e-6)
    delays = [
        2 + float(instance.differences(np.array([0.1, 100.0, weak]))["delay"][0])
        for weak in (10.0, 155.0, 300.0)
    ]
    assert (delays[0] + delays[2]) / 2 == pytest.approx(1.3602, abs=1e-4)
    assert delays[1] == pytest.approx(1.4008, abs=1e-4)
