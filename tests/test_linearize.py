"""Products that become variables: the rewriting is an identity, exact where it says so, a
relaxation otherwise.

Optima are found by going through all points of the model without the form, and by a solver on the
form.
"""

import itertools
import math
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mecdsl.api import LoadedModel, loads
from mecdsl.convexity.problem import analyse
from mecdsl.diagnostics import ModelError, Severity
from mecdsl.instances.instance import Instance
from mecdsl.instances.reformulations import reformulations, with_products
from mecdsl.instances.tables import FloatArray
from mecdsl.output.json.reformulation import reformulation_json
from mecdsl.output.text.comparison import comparison_text
from mecdsl.output.text.explanation import explanation_text
from mecdsl.results.violations import find_violations
from mecdsl.studies.compare import compare, relaxations

OFFLOAD = """
model offload "Who computes where, how fast, and who pays"
nodes server[n in 1..2] { cap : cycle/s = [4 Gcycle/s, 6 Gcycle/s] }
nodes device[m in 1..3] {
    var used  : binary
    let spare = 1 - used
}
links up[m in device, n in server where m != 3 or n == 2]: m -> n {
    var pick  : binary
    var speed : cycle/s in 0..server.cap[n]
    let got   = pick*speed
}
var price : 1/s in -1 1/s..2 1/s
param ghz : cycle/s = 1 Gcycle/s
let load[k in device] = sum(l.got for l in up where l.from == k)/ghz
minimize cost = sum(load[k]*price*(1 s) for k in device) + sum(k.spare*sum(l.pick for l in up) for k in device)
constraint least[k in device]: load[k] >= 0.5
constraint once[k in device]: sum(l.pick for l in up where l.from == k) == 1
constraint some: sum(k.used*k.used + k.used^2 + k.used^3 for k in device) >= 1
constraint near[k in device]: (if k == 2 then device.used[k]*device.used[k - 1] else 0) <= 0.5 + price^2*(1 s^2)
constraint both[k in device, j in device where j < k]: k.used*(j.used + price*(1 s) - 0.25) <= 3 - j*0.1
form speeds: linearize up.pick*up.speed
form every: linearize all
"""


def random_point(instance: Instance, seed: int) -> FloatArray:
    """A point within the limits of the original variables, integers whole; new variables at their
    products.
    """
    generator = np.random.default_rng(seed)
    x = instance.lower + generator.random(instance.columns) * (instance.upper - instance.lower)
    return with_products(instance.world, np.where(instance.integral, np.round(x), x))


def values_of(
    model: LoadedModel, instance: Instance, x: FloatArray
) -> tuple[float, dict[str, FloatArray]]:
    """Objective and `left - right` of the rows of the model without a form at the point of a
    form.
    """
    base = model.instance()
    y = np.zeros(base.columns)
    for family in base.variables:
        y[family.columns] = x[instance.variable(family.name).columns]
    return base.objective(y), dict(base.differences(y))


@pytest.mark.parametrize("form", ["speeds", "every"])
@pytest.mark.parametrize("seed", range(5))
def test_at_true_products_nothing_changes_and_every_row_holds(form: str, seed: int) -> None:
    model = loads(OFFLOAD)
    instance = model.instance(form)
    x = random_point(instance, seed)
    objective, differences = values_of(model, instance, x)
    assert instance.objective(x) == pytest.approx(objective, rel=1e-12)
    found = instance.differences(x)
    for name, values in differences.items():
        np.testing.assert_allclose(found[name], values, rtol=1e-12, atol=1e-12)
    rows = {name for fact in instance.model.linearized for name in fact.rows}
    for violation in find_violations(instance, x):
        assert violation.accepted or violation.family not in {*rows, "bounds"}, violation


def test_every_product_is_gone() -> None:
    model = loads(OFFLOAD)
    assert not [d for d in model.check() if d.severity is Severity.ERROR]
    assert analyse(model.instance()).problem_class.value == "MINLP"  # k.used^3
    assert analyse(model.instance("every")).problem_class.value == "MILP"


def test_what_is_exact_and_what_is_not() -> None:
    facts = {fact.variable: fact for fact in loads(OFFLOAD).instance("every").model.linearized}
    exact = {name for name, fact in facts.items() if fact.exact}
    # got*price is a product of two reals, and price^2 as well; all else has a binary in it
    assert {name for name in facts if name not in exact} == {
        "pick_times_speed_times_price",
        "price_times_price",
    }
    assert "device.used" in exact  # used*used is used
    assert facts["device.used"].places == ("some",)


def test_one_variable_serves_all_places_of_a_product() -> None:
    model = loads(
        """
        set item = 1..4
        var x[i in item] : binary
        var y[i in item] : 1 in 0..i
        minimize cost = sum(x[j]*y[j] for j in item)
        constraint some[k in item]: y[k]*x[k]*2 >= 0.1
        constraint again[k in item, t in 1..5]: t*x[k]*y[k] + y[k] <= 30
        constraint part[k in item where k > 2]: x[k]*y[k] <= 3
        form linear: linearize x*y
        """
    )
    facts = model.instance("linear").model.linearized
    sizes = {fact.variable: model.instance("linear").variable(fact.variable).size for fact in facts}
    # one over the items; one over those of `part` alone, whose condition makes it another family
    assert sizes == {"x_times_y": 4, "x_times_y_2": 2}
    assert facts[0].places == ("some", "again", "cost")


def test_indices_that_the_factors_do_not_use_leave_the_new_variable() -> None:
    model = loads(
        """
        set item = 1..4
        param most[i in item] : integer = [2, 0, 1, 0]
        var x[i in item] : binary
        var y[i in item] : 1 in 0..3
        maximize gain = sum(x[i]*y[i]*j for i in item, j in 1..most[i])
        form linear: linearize x*y
        """
    )
    instance = model.instance("linear")
    table = instance.world.symbols["x_times_y"].table
    assert table.columns["i"].tolist() == [1, 3]  # items 2 and 4 have no j
    # gain = 3*(1 + 2) + 3*1
    assert model.solve("highs", "linear").objective == pytest.approx(12.0)


def test_the_new_variable_has_the_dimension_of_the_product() -> None:
    instance = loads(
        "var rate : bit/s in 1 kbit/s..2 kbit/s\nvar span : s in 0 s..3 s\nvar on : binary\n"
        "maximize sent = rate*span*on\nform linear: linearize all"
    ).instance("linear")
    found = {
        fact.variable: str(instance.model.dimensions[fact.variable])
        for fact in instance.model.linearized
    }
    assert found == {"on_times_rate": "bit/s", "on_times_rate_times_span": "bit"}


def test_rows_leave_a_product_with_a_binary_one_value() -> None:
    instance = loads(
        "var x : binary\nvar y : 1 in -3..5\nminimize cost = x*y\nform linear: linearize x*y"
    ).instance("linear")
    new = instance.variable("x_times_y").first
    for x, y in itertools.product((0.0, 1.0), np.linspace(-3, 5, 9)):
        for shift, fits in ((0.0, True), (1e-3, False), (-1e-3, False)):
            point = np.zeros(3)
            point[instance.variable("x").first], point[instance.variable("y").first] = x, y
            point[new] = x * y + shift
            kept = all(violation.accepted for violation in find_violations(instance, point))
            assert kept == fits, (x, y, shift)


def test_envelope_of_two_reals_is_the_hull() -> None:
    """At the middle of [-1, 2] x [0, 4] the hull of w = x*y is -1 .. 3 (x = 1/2, y = 2).

    Lower: max(0*x - 1*y + 0, 4*x + 2*y - 8) = max(-2, -2) = -2; upper: min(0*x + 2*y, 4*x - y + 4)
    = min(4, 4) = 4.
    """
    model = loads(
        "param sign : 1 = 1\nvar x : 1 in -1..2\nvar y : 1 in 0..4\nminimize cost = sign*x*y\n"
        "constraint at: x == 0.5\nconstraint there: y == 2\nform linear: linearize x*y"
    )
    assert model.solve("highs", "linear").objective == pytest.approx(-2.0)
    text = "\n".join(
        line.replace("minimize", "maximize") for line in model.document.span.source.text.split("\n")
    )
    assert loads(text).solve("highs", "linear").objective == pytest.approx(4.0)


def points(instance: Instance) -> Iterator[FloatArray]:
    """Every whole point within the limits."""
    ranges = [
        range(int(low), int(high) + 1)
        for low, high in zip(instance.lower, instance.upper, strict=True)
    ]
    for point in itertools.product(*ranges):
        yield np.array(point, dtype=np.float64)


def best(instance: Instance) -> float:
    """The smallest objective over all whole points that keep every row `left <= right`; inf if none
    does.
    """
    assert all(family.relation == "<=" for family in instance.constraints)
    kept = (
        x for x in points(instance) if all((d <= 0).all() for d in instance.differences(x).values())
    )
    return min((instance.objective(x) for x in kept), default=math.inf)


numbers = st.integers(-4, 4)


@st.composite
def bilinear_models(draw: st.DrawFn) -> str:
    """Two binaries and two bounded integers, every product with a random weight, in objective and
    rows.
    """
    lows = draw(st.lists(st.integers(-2, 1), min_size=2, max_size=2))
    highs = [low + draw(st.integers(0, 2)) for low in lows]
    lines = [
        "var x[i in 1..2] : binary",
        f"param low[i in 1..2] : 1 = [{lows[0]}, {lows[1]}]",
        f"param high[i in 1..2] : 1 = [{highs[0]}, {highs[1]}]",
        "var y[i in 1..2] : integer >= low[i] <= high[i]",
    ]

    def polynomial() -> str:
        terms = [f"({draw(numbers)})*x[{i}]*y[{j}]" for i in (1, 2) for j in (1, 2)]
        terms += [
            f"({draw(numbers)})*x[1]*x[2]",
            f"({draw(numbers)})*y[1]*y[2]",
            f"({draw(numbers)})*(x[1] - y[2])^2",
        ]
        terms += [f"({draw(numbers)})*{name}[{i}]" for name in "xy" for i in (1, 2)]
        return " + ".join(terms)

    lines.append(f"minimize cost = {polynomial()}")
    rows = range(draw(st.integers(0, 2)))
    lines += [
        f"constraint c{number}: {polynomial()} <= {draw(st.integers(-2, 6))}" for number in rows
    ]
    return "\n".join([*lines, "form some: linearize x*y, x*x", "form every: linearize all"])


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bilinear_models())
def test_relaxations_bound_the_optimum_of_random_models(text: str) -> None:
    model = loads(text)
    optimum = best(model.instance())
    result = model.solve("highs", "every")
    assert not result.faults
    if result.objective is None:
        assert optimum == math.inf  # a relaxation without a point proves that there is none
    else:
        assert optimum == math.inf or result.objective <= optimum + 1e-6 * max(1.0, abs(optimum))


@pytest.mark.slow
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(bilinear_models())
def test_exact_products_keep_the_optimum_of_random_models(text: str) -> None:
    # without the products of two integers every product has a binary in it
    model = loads(
        text.replace("*y[1]*y[2]", "*y[1]").replace("(x[1] - y[2])^2", "(x[1]*(x[2] - y[2]))")
    )
    assert model.instance("some").model.exact
    optimum = best(model.instance())
    result = model.solve("highs", "some")
    if optimum == math.inf:
        assert result.objective is None
    else:
        assert result.objective == pytest.approx(optimum, abs=1e-6)
        assert result.original is not None
        assert result.original.kept
        assert result.original.objective == pytest.approx(optimum, abs=1e-6)


def test_scip_and_highs_agree_on_the_model_and_its_exact_form() -> None:
    text = OFFLOAD.replace("load[k]*price*(1 s)", "load[k]*(if k == 1 then 2 else 0.5)").replace(
        "price^2*(1 s^2)", "1"
    )
    model = loads(text)
    assert model.instance("every").model.exact
    results = [model.solve("scip"), model.solve("scip", "every"), model.solve("highs", "every")]
    assert all(result.verified for result in results)
    # each device gets 0.5 Gcycle/s: (2 + 0.5 + 0.5)*0.5 = 1.5; all used, so that nothing is spare;
    # device 2's row allows used[2]*used[1] = 1 <= 1.5
    assert [result.objective for result in results] == pytest.approx([1.5] * 3)


# Forms


def test_forms_join_build_on_each_other_and_meet_fixed_variables() -> None:
    model = loads(
        """
        var x : binary
        var y : 1 in 0..4
        var z : 1 in 0..2
        maximize gain = x*y + y*z - y
        form first: linearize x*y
        form second: linearize y*z
        form joined from first, second: relax x
        form listed: linearize x*y, y*z
        form settled from first: fix x = 1
        """
    )
    assert not model.check()
    for form in ("first+second", "listed", "joined"):
        instance = model.instance(form)
        assert {fact.variable for fact in instance.model.linearized} == {"x_times_y", "y_times_z"}
    assert [fact.exact for fact in model.instance("joined").model.linearized] == [False, False]
    assert (
        model.instance("settled").model.linearized == ()
    )  # a fixed x is data, so nothing is left to linearise


def test_the_same_variable_squared_is_a_relaxation_with_three_rows() -> None:
    # minimize x^2 - 2x over 0..3: w >= 0, w >= 6x - 9, w <= 3x; best is w - 2x with w = max(0, 6x -
    # 9): x = 1.5, -3
    model = loads("var x : 1 in 0..3\nminimize cost = x^2 - 2*x\nform linear: linearize x*x")
    fact = model.instance("linear").model.linearized[0]
    assert (fact.exact, fact.rows) == (False, ("x_times_x.row_2", "x_times_x.row_3"))
    result = model.solve("highs", "linear")
    assert result.objective == pytest.approx(-3.0)
    assert result.original is not None
    assert result.original.objective == pytest.approx(1.5**2 - 3.0)
    assert "its optimum is a bound" in str(result)


def test_reports_keep_the_true_product() -> None:
    model = loads(
        "var x : 1 in 0..3\nminimize cost = x^2 - 2*x\nreport square = x^2\nform linear: "
        "linearize x*x"
    )
    result = model.solve("highs", "linear")
    assert result["square"] == pytest.approx(1.5**2)
    assert result["x_times_x"] == pytest.approx(0.0)


def test_start_values_reach_the_products() -> None:
    text = "var x : binary\nvar y : 1 in 0..4\nmaximize gain = x*y - y\nstart x = 1\nstart y = 3\n"
    instance = loads(text + "form linear: linearize x*y").instance("linear")
    assert instance.start.tolist() == [1.0, 3.0, 3.0]
    partly = loads(text.replace("start y = 3\n", "") + "form linear: linearize x*y").instance(
        "linear"
    )
    assert math.isnan(partly.start[2])


# What is said about it


KNAPSACK = """
model pack "Which learner takes how many samples"
param cap : sample = 60 sample
nodes learner[k in 1..3] {
    gain      : 1/sample = k*1 1/sample
    var used  : binary
    var batch : sample in 0..cap
}
maximize total = sum(k.gain*k.used*k.batch for k in learner) - sum(k.batch for k in learner)*(0.1 1/sample)
constraint at_most: sum(k.used for k in learner) <= 2
constraint supply: sum(k.batch for k in learner) <= 100 sample
form relaxed: relax learner.used
form linear: linearize learner.used*learner.batch
form loose: relax learner.used, linearize all
"""


def test_explanation_says_what_became_what_with_limits_and_sizes() -> None:
    text = explanation_text(loads(KNAPSACK).instance("linear"))
    assert "used_times_batch[k]  exact" in text
    assert "learner.batch  from 0 sample  to 60 sample" in text
    # three products with three rows each: w >= 0 is a limit
    assert "size   before 6 variables and 2 rows, after 9 variables and 11 rows" in text
    assert "worth  exact" in text
    assert "a relaxation" in explanation_text(loads(KNAPSACK).instance("loose"))
    assert "none is reformulated" in explanation_text(loads(KNAPSACK).instance())


def test_numbers_of_a_reformulation() -> None:
    (found,) = reformulations(loads(KNAPSACK, cap="40 sample").instance("linear"))
    assert (found.columns, found.rows) == (3, 9)
    assert reformulation_json(found)["limits"] == {
        "learner.used": {"lower": [0.0, 0.0], "upper": [1.0, 1.0]},
        "learner.batch": {"lower": [0.0, 0.0], "upper": [40.0, 40.0]},
    }


def test_result_and_json_tell_of_the_products() -> None:
    result = loads(KNAPSACK).solve("highs", "linear")
    # learner 3 takes 60 samples at 3 - 0.1, learner 2 the other 40 at 2 - 0.1
    assert result.objective == pytest.approx(60 * 2.9 + 40 * 1.9)
    assert result.as_dict()["linearized"][0]["exact"] is True
    assert "its optimum is a bound" not in str(result)
    assert result.original is not None
    assert result.original.kept


def test_comparison_takes_an_exact_form_for_the_model_and_a_relaxation_for_a_bound() -> None:
    model = loads(KNAPSACK)
    assert relaxations(model.document) == ("linear", "relaxed", "loose")
    exact = compare(model, ["scip", "highs"], [""], False)
    assert [(entry.form, entry.bounds_only) for entry in exact.entries] == [
        ("", False),
        ("linear", False),
    ]
    assert "the same problem with its products as variables" in comparison_text(exact)
    loose = loads(KNAPSACK.replace("form linear: linearize learner.used*learner.batch\n", ""))
    found = compare(loose, ["highs"], [""], False)
    assert [(entry.form, entry.bounds_only) for entry in found.entries] == [("loose", True)]
    asked = compare(model, ["highs"], ["loose"], False)
    assert "its optimum is a bound for the model, not a plan" in " ".join(
        comparison_text(asked).split()
    )


def test_a_missing_limit_is_named() -> None:
    with pytest.raises(ModelError) as caught:
        loads(
            "var x : binary\nvar y : 1 >= 0\nmaximize gain = x*y - y\nform linear: linearize x*y"
        ).instance("linear")
    (fault,) = caught.value.diagnostics
    assert (fault.code, "`y` has no upper bound" in fault.message) == ("E116", True)
