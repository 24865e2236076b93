"""The Python interface: models from files and texts, data from Python, results by name, and what
`print` shows.
"""

import contextlib
import html
import io
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest

import mecdsl
from mecdsl.command_line import main as cli
from mecdsl.diagnostics import ModelError, Severity
from mecdsl.shown import Result
from mecdsl.solution import Guarantee, Termination

ROOT = Path(__file__).resolve().parent.parent
OFFLOAD = ROOT / "models" / "examples" / "offload.mec"
MEL = ROOT / "models" / "mel.mec"

# Transport: 5 units from depot 1, 3 from depot 2; shops want 2, 2, 4. The cheapest plan in
# money/unit, by hand: shop 1 from depot 1 (1), shop 2 from depot 1 (2), shop 3 takes 1 from depot 1
# (4) and 3 from depot 2 (1): 2 + 4 + 4 + 3.
TRANSPORT = """
model transport "Cheapest way to the shops"
set depot = 1..2
set shop = {north, south, west}
param supply[d in depot] : 1
param demand[s in shop] : 1
param price[d in depot, s in shop] : money
var sent[d in depot, s in shop] : real >= 0
var spare : real >= 0  "what stays in the depots"
let cost[d in depot] : money = sum(price[d, s]*sent[d, s] for s in shop)
minimize total = sum(cost[d] for d in depot)
constraint enough[s in shop]: sum(sent[d, s] for d in depot) >= demand[s]
constraint there[d in depot]: sum(sent[d, s] for s in shop) <= supply[d]
constraint left: spare == sum(supply[d] - sum(sent[d, s] for s in shop) for d in depot)
report mean_price : money = sum(cost[d] for d in depot) / 8
form whole: set supply[1] = 6
"""
DATA: dict[str, Any] = {"supply": [5, 3], "demand": [2, 2, 4], "price": [[1, 2, 4], [3, 3, 1]]}
BEST = 2 * 1 + 2 * 2 + 1 * 4 + 3 * 1


@pytest.fixture(scope="module")
def result() -> Result:
    return mecdsl.loads(TRANSPORT, DATA).solve()


# Loading ------------------------------------------------------------------------------------------


def test_a_model_from_a_text_with_data(result: Result) -> None:
    assert result.verified
    assert result.guarantee is Guarantee.GLOBAL
    assert result.termination is Termination.OPTIMAL
    assert result.objective == pytest.approx(BEST)
    assert result.exit_code == 0


def test_data_may_be_arrays_and_numpy_numbers() -> None:
    data = {
        "supply": np.array([5, 3]),
        "demand": (2, 2, np.int64(4)),
        "price": np.array([[1.0, 2, 4], [3, 3, 1]]),
    }
    assert mecdsl.loads(TRANSPORT, data).solve().objective == pytest.approx(BEST)


def test_data_may_be_nested_under_a_family_or_qualified() -> None:
    base = mecdsl.load(OFFLOAD).instance().data("device.work") * 2
    doubled = ["8 Gcycle", "0.6 Gcycle", "2 Gcycle"]
    for data in ({"device": {"work": doubled}}, {"device.work": doubled}):
        assert mecdsl.load(OFFLOAD, data).instance().data("device.work") == pytest.approx(base)


def test_overrides_are_numbers_in_the_declared_unit_or_texts_with_their_own() -> None:
    for given in (45, 45.0, "45 s", "0.75 min"):
        assert mecdsl.load(MEL, cycle_time=given).instance().data("cycle_time").tolist() == [45.0]


def test_an_override_wins_over_the_data_file(tmp_path: Path) -> None:
    file = tmp_path / "case.toml"
    file.write_text('cycle_time = "60 s"\nlearner_count = 4\n')
    instance = mecdsl.load(MEL, file, cycle_time="45 s").instance()
    assert instance.data("cycle_time").tolist() == [45.0]
    assert instance.data("learner_count").tolist() == [4.0]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({}, "E301"),
        ({**DATA, "suply": [1, 2]}, "E303"),
        ({**DATA, "supply": [5]}, "E302"),
        ({**DATA, "supply": [5, None]}, "E304"),
        ({**DATA, "supply": [5, float("nan")]}, "E304"),
        ({**DATA, "price": [["1 s", 2, 4], [3, 3, 1]]}, "E305"),
        ({**DATA, "price": [[1, 3], [2, 3], [4, 1]]}, "E302"),
    ],
)
def test_wrong_data_are_named(data: dict[str, Any], code: str) -> None:
    with pytest.raises(ModelError) as caught:
        mecdsl.loads(TRANSPORT, data).solve()
    assert code in [diagnostic.code for diagnostic in caught.value.diagnostics]
    assert "error[" in str(caught.value)  # readable without knowing the class


def test_a_missing_file_is_an_ordinary_error() -> None:
    with pytest.raises(FileNotFoundError):
        mecdsl.load("no.mec")
    with pytest.raises(ModelError, match="cannot be read"):
        mecdsl.load(MEL, "no.json")


def test_the_package_has_what_it_lists() -> None:
    for name in mecdsl.__all__:
        assert getattr(mecdsl, name) is not None
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        mecdsl.nothing_of_the_kind  # noqa: B018


# The loaded model ---------------------------------------------------------------------------------


def test_check_gives_every_fault_of_every_form() -> None:
    assert [d for d in mecdsl.load(MEL).check() if d.severity is Severity.ERROR] == []
    text = "var x : s >= 0 s\nminimize cost = x + 1 bit\nform wrong: relax y\n"
    assert {d.code for d in mecdsl.loads(text).check() if d.severity is Severity.ERROR} == {
        "E201",
        "E102",
    }


def test_stages_can_be_looked_at_one_by_one() -> None:
    model = mecdsl.load(MEL)
    assert model.forms == ("relaxed", "equal", "distributed", "dropout")
    assert model.problem().problem_class.value == "nonconvex MIQCP"
    assert model.problem(relax=True).problem_class.value == "nonconvex QCP"
    assert model.problem("equal").problem_class.value in ("LP", "MILP")
    assert model.instance().columns == 11
    assert model.checked("relaxed").model.form == "relaxed"


def test_the_pyomo_model_has_the_names_of_the_text() -> None:
    import pyomo.environ as pyo

    lowered = mecdsl.load(OFFLOAD).pyomo()
    assert any(
        "remote" in variable.name for variable in lowered.model.component_data_objects(pyo.Var)
    )


def test_unknown_forms_and_options_are_faults() -> None:
    model = mecdsl.load(MEL)
    with pytest.raises(ModelError, match="did you mean `relaxed`"):
        model.solve(form="relxed")
    for options in (
        {"threads": 0},
        {"threads": 10**6},
        {"gap": -1.0},
        {"time_limit": float("nan")},
        {"via": "file"},
    ):
        with pytest.raises(ModelError) as caught:
            model.solve(**options)
        assert [d.code for d in caught.value.diagnostics] == ["E505"]
    with pytest.raises(TypeError):
        model.solve(time_limt=3)


def test_seeds_are_kept_in_the_result() -> None:
    assert mecdsl.load(OFFLOAD, seed=7).solve().as_dict()["seed"] == 7


# Results ------------------------------------------------------------------------------------------


def test_values_have_the_shape_of_their_index(result: Result) -> None:
    assert isinstance(result["spare"], float)
    assert result["sent"] == pytest.approx(np.array([[2, 2, 1], [0, 0, 3]]))
    assert result["cost"] == pytest.approx(np.array([10, 3]))
    assert result["mean_price"] == pytest.approx(BEST / 8)
    with pytest.raises(KeyError, match="did you mean `sent`"):
        result["snet"]
    with pytest.raises(KeyError, match=r"known are .*sent, .*mean_price"):
        result.to_pandas("nothing_of_the_kind")
    with pytest.raises(KeyError, match="no constraints of `snet`"):
        result.multiplier_unit("snet")


def test_conditional_and_ragged_families_are_flat() -> None:
    text = """
    set k = 1..3
    var half[i in k, j in k where i < j] : real >= 1
    var step[i in k, j in 1..i] : real >= 1
    minimize all_of = sum(half[i, j] for i in k, j in k where i < j) + sum(step[i, j] for i in k, j in 1..i)
    """
    result = mecdsl.loads(text).solve()
    assert result["half"].shape == (3,)
    assert result["step"].shape == (6,)
    assert result.as_dict()["values"]["step"] == [[1.0], [1.0, 1.0], [1.0, 1.0, 1.0]]


def test_empty_families_have_no_values() -> None:
    text = (
        "set k = 1..0\nvar x[i in k] : real >= 0\nvar y : real >= 1\nminimize c = y + "
        "sum(x[i] for i in k)\n"
    )
    result = mecdsl.loads(text).solve()
    assert result["x"].shape == (0,)
    assert result.as_dict()["values"]["x"] == []
    assert "none" in str(result)


def test_units_are_named(result: Result) -> None:
    assert result.unit("cost") == "money"
    assert result.unit("sent") == "1"


def test_series_carry_the_index_and_the_unit(result: Result) -> None:
    sent = result.to_pandas("sent")
    assert sent.name == "sent [1]"
    assert list(sent.index.names) == ["d", "s"]
    assert len(sent) == 6
    assert sent.loc[1].tolist() == pytest.approx([2, 2, 1])
    cost = result.to_pandas("cost")
    assert list(cost.index) == [1, 2]
    assert isinstance(result.to_pandas("spare"), pandas.Series)


def test_stages_are_timed_and_none_is_left_out(result: Result) -> None:
    assert list(result.seconds) == ["parse", "check", "instantiate", "lower", "solve", "verify"]
    mel = mecdsl.load(MEL).solve("mel-integer")
    assert mel.seconds["lower"] == 0.0  # nothing is lowered


def test_a_form_is_judged_on_the_model_without_it() -> None:
    relaxed = mecdsl.load(MEL).solve("mel-root", form="relaxed")
    assert relaxed.verified
    assert relaxed.original is not None
    assert not relaxed.original.kept  # its batches are not whole
    assert not relaxed.relaxed
    assert mecdsl.load(MEL).solve("mel-root", relax=True).relaxed


def test_print_shows_what_the_command_line_shows(result: Result) -> None:
    shown = io.StringIO()
    with contextlib.redirect_stdout(shown), pytest.raises(SystemExit):
        cli.main(["solve", str(OFFLOAD)])
    printed = str(mecdsl.load(OFFLOAD).solve())
    assert printed.partition("seconds")[0] == shown.getvalue().partition("seconds")[0]
    assert html.escape(str(result)) in result._repr_html_()
    assert result._repr_html_().startswith("<pre>")
    assert repr(result).startswith(
        "Result(termination=<Termination.OPTIMAL: 'optimal'>, guarantee="
    )
    assert len(repr(result)) < 400  # what it is worth: no arrays, no residuals


def test_a_loaded_model_is_shown_in_a_line() -> None:
    model = mecdsl.load(OFFLOAD, seed=7)
    assert repr(model) == "LoadedModel(offload; seed 7)"
    given = mecdsl.load(MEL, cycle_time="45 s")
    assert (
        repr(given)
        == "LoadedModel(mel; forms relaxed, equal, distributed, dropout; 1 parameter given; seed 0)"
    )


def test_json_has_plain_numbers_only(result: Result) -> None:
    text = result.to_json()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert result.to_json(indent=None).count("\n") == 0


def test_every_key_of_the_json_is_explained(result: Result) -> None:
    page = (ROOT / "backends" / "README.md").read_text(encoding="utf-8")
    section = page.partition("**A result as JSON**")[2].partition("**How a method got there.**")[0]
    listed = re.findall(
        r"`(\w+)`",
        "".join(row.split("|")[1] for row in section.splitlines() if row.startswith("| `")),
    )
    assert sorted(listed) == sorted(result.as_dict())


@pytest.mark.parametrize(
    ("sense", "bound", "termination"),
    [
        ("minimize", "x <= 3", {Termination.UNBOUNDED, Termination.INFEASIBLE_OR_UNBOUNDED}),
        ("maximize", "x <= 3", {Termination.OPTIMAL}),
    ],
)
def test_results_without_a_point_print_too(
    sense: str, bound: str, termination: set[Termination]
) -> None:
    result = mecdsl.loads(f"var x : real\n{sense} cost = x\nconstraint most: {bound}\n").solve()
    assert result.termination in termination
    assert str(result)
    assert result.max_violation == (None if sense == "minimize" else 0.0)
