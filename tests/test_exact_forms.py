"""Exact forms: a model said in other words for general solvers, and judged in its own."""

import math

import numpy as np
import pytest

from mecdsl.api import loads
from mecdsl.diagnostics import ModelError
from mecdsl.instances.restated import restated
from mecdsl.lowering.lower import lowered
from mecdsl.solution import Guarantee

# 1/x + x on 1..4 plus a binary's price; least at x = 1 with y = 1, where it is 2 + 1/2 (y = 0 costs 1)
TEXT = """
param price : 1 = 0.5
var x : in 1..4
var y : binary
minimize cost = 1/x + x + price*y + (1 - y)
exact form inverse {
    add var z : in 0.25..1
    add constraint tied: x*z >= 1
    replace minimize cost = z + x + price*y + (1 - y)
}
form dear: set price = 3
form late { add constraint far: x >= 2 }
exact form late_inverse from late, inverse { }
"""


def test_a_solver_is_given_the_exact_form_and_answers_for_the_model() -> None:
    model = loads(TEXT)
    twin = lowered(model.instance())
    assert twin.restated == "inverse"
    assert [family.name for family in twin.instance.variables] == ["x", "y", "z"]
    result = model.solve("scip")
    assert result.guarantee is Guarantee.GLOBAL
    assert result.objective == pytest.approx(2.5, abs=1e-6)
    assert set(result.values) == {"x", "y"}
    assert result.worth == "globally optimal if form inverse is exact"


@pytest.mark.parametrize(
    ("form", "restatement", "optimum"),
    [
        ("", "inverse", 2.5),
        ("late", "late_inverse", 2.5 + 0.5),  # x = 2: 1/2 + 2 + 1/2
        ("dear", None, 2 + 1),  # no form says that one again; y = 0 is cheaper
        ("inverse", None, 2.5),
    ],
)
def test_an_exact_form_states_the_forms_it_builds_on(
    form: str, restatement: str | None, optimum: float
) -> None:
    model = loads(TEXT)
    stated = restated(model.instance(form))
    assert (lowered(model.instance(form)).restated or None) == restatement
    assert (stated is None) == (restatement is None)
    assert model.solve("scip", form).objective == pytest.approx(optimum, abs=1e-6)


def test_the_relaxed_model_is_not_what_the_form_is_exact_for() -> None:
    assert restated(loads(TEXT).instance("", relax=True)) is None


def test_a_form_that_is_not_exact_after_all_cannot_make_a_wrong_point_right() -> None:
    # it forgets 1/x, so its optimum 1 + 0.5 is none of the model; the point is judged by the model
    text = TEXT.replace("replace minimize cost = z + x", "replace minimize cost = x")
    result = loads(text).solve("scip")
    assert result.objective == pytest.approx(2.5, abs=1e-6)
    assert result.bound is None or result.bound <= 2.5 + 1e-6
    assert result.guarantee is not Guarantee.GLOBAL


def test_a_form_whose_bound_a_point_refutes_is_refused() -> None:
    # it adds 1 to the cost, so it "proves" that 2.5 cannot be reached
    text = TEXT.replace("replace minimize cost = z + x", "replace minimize cost = 1 + z + x")
    result = loads(text).solve("scip")
    assert result.guarantee is not Guarantee.GLOBAL
    assert result.bound is None or result.bound <= 2.5 + 1e-6


def test_a_warm_start_of_the_model_is_one_of_the_form() -> None:
    model = loads(TEXT)
    result = model.solve("scip", start=np.array([2.0, 1.0]))
    assert result.objective == pytest.approx(2.5, abs=1e-6)


def test_a_changed_copy_has_no_restatement() -> None:
    from dataclasses import replace

    instance = loads(TEXT).instance()
    bound = replace(instance, lower=np.array([3.0, 0.0]))
    assert restated(bound) is None
    assert not lowered(bound).restated


def test_an_exact_form_may_not_touch_what_is_decided() -> None:
    with pytest.raises(ModelError, match="E123"):
        loads(TEXT.replace("add var z : in 0.25..1", "add var z : in 0.25..1\n    drop x")).checked(
            "inverse"
        )


def test_exact_is_still_a_name() -> None:
    result = loads("var exact : >= 2\nminimize form_of = exact").solve("highs")
    assert result.objective == 2
    assert math.isfinite(result.objective)


def test_what_a_form_says_is_said_to_be_its_own() -> None:
    # the model has points, its form none: nobody is told so without its name
    nowhere = loads(TEXT.replace("x*z >= 1", "x*z >= 9")).solve("scip")
    assert "if form inverse is exact" in nowhere.worth
    # what the model itself contradicts is not the form's word
    empty = loads(TEXT + "constraint no: x >= 5\n").solve("scip")
    assert empty.exit_code == 3
    assert not any("form `inverse`" in note for note in empty.notes)
