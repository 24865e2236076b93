"""The name of the objective as a value in reports, definitions and constraints."""

import pytest

import mecdsl
from mecdsl.compiling.check import check
from mecdsl.diagnostics import ModelError
from mecdsl.parsing.parse import parse
from mecdsl.results.result import Result

# The least x is 1, 2 and 3 s, so that the least cost is 6 s.
MODEL = """
nodes dev[k in 1..3] { var x : s in 0 s..10 s }
minimize cost = sum(k.x for k in dev)
constraint least[k in dev]: k.x >= k * 1 s
"""


def solved(text: str, form: str = "") -> Result:
    return mecdsl.loads(MODEL + text).solve("highs", form)


def test_a_report_of_the_objective() -> None:
    result = solved("report twice : s = 2*cost\nreport share[k in dev] : 1 = k.x/cost\n")
    assert result["twice"] == pytest.approx(12)
    assert result["share"] == pytest.approx([1 / 6, 2 / 6, 3 / 6])


def test_an_objective_that_nobody_names_is_no_definition() -> None:
    result = solved("report twice : s = 2*sum(k.x for k in dev)\n")
    assert result["twice"] == pytest.approx(12)
    assert "cost" not in result.values


def test_a_constraint_on_the_objective() -> None:
    assert solved("constraint floor: cost >= 7 s\n").objective == pytest.approx(7)


def test_a_form_that_replaces_the_objective_renames_what_the_report_shows() -> None:
    text = (
        "report twice : s = 2*cost\nform other "
        "{ replace minimize cost = sum(3*k.x for k in dev) }\n"
    )
    assert solved(text, "other")["twice"] == pytest.approx(36)


def test_a_declared_name_is_meant_before_the_objective_and_an_index_before_both() -> None:
    text = (
        "var y : 1 in 2..5\nminimize y = 10*y\nreport r : 1 = y\nreport s : 1 = sum(y for "
        "y in 1..3)\n"
    )
    result = mecdsl.loads(text).solve("highs")
    assert result["r"] == pytest.approx(2)
    assert result["s"] == pytest.approx(6)


def test_the_unit_of_the_objective_is_checked_in_a_report() -> None:
    with pytest.raises(ModelError) as caught:
        check(parse(MODEL + "report wrong : bit = cost\n"))
    (found,) = caught.value.diagnostics
    assert found.code == "E201"
    assert "bit" in found.message


def test_an_objective_of_itself_is_a_circle() -> None:
    with pytest.raises(ModelError, match="E107"):
        check(parse("var x : 1 in 0..1\nminimize cost = x + cost\n"))


def test_an_objective_cannot_be_set() -> None:
    with pytest.raises(ModelError, match="unknown parameter `cost`"):
        check(parse(MODEL + "report r : s = cost\nform other: set cost = 3 s\n"), "other")
