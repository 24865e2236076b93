"""What the commands do, from Python: the same answers, and the same words where they are printed."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import mecdsl
from mecdsl.command_line import main as cli
from mecdsl.diagnostics import ModelError
from mecdsl.solution import SolveOptions

ROOT = Path(__file__).resolve().parent.parent
OFFLOAD = ROOT / "models" / "examples" / "offload.mec"
MEL = ROOT / "models" / "mel.mec"
# 2*x - 1 is 3 at the low end of x, and 7 at the low end of the form.
ENDS = """
model ends "Two ends"
var x : integer in 2..5
minimize cost = 2*x - 1
form high: add constraint up: x >= 4
"""


def command(*words: str, capsys: pytest.CaptureFixture[str]) -> str:
    """What a command prints."""
    with pytest.raises(SystemExit):
        cli.main(words)
    return capsys.readouterr().out


# Comparing and studying ---------------------------------------------------------------------------


def test_a_comparison_asks_every_backend_that_takes_the_model() -> None:
    found = mecdsl.loads(ENDS).compare(forms=["", "high"])
    asked = {entry.backend for entry in found.entries}
    assert asked == {fit.name for fit in mecdsl.loads(ENDS).backends() if fit.takes}
    assert "highs" in asked
    assert found.best_bounds == {"": pytest.approx(3.0), "high": pytest.approx(7.0)}


def test_the_answers_of_a_comparison_are_asked_for_by_name() -> None:
    found = mecdsl.loads(ENDS).compare(["highs", "ipopt"], ["", "high"])
    assert found.result("highs", "high").objective == pytest.approx(7.0)
    with pytest.raises(KeyError, match=r"`ipopt` did not run: .*1 variables are integer"):
        found.result("ipopt")
    with pytest.raises(KeyError, match="`scip` was not asked on form `base`"):
        found.result("scip")


def test_a_comparison_prints_what_the_command_prints(capsys: pytest.CaptureFixture[str]) -> None:
    found = mecdsl.load(OFFLOAD).compare(["highs", "scip"])
    printed = command("compare", str(OFFLOAD), "--backends", "highs,scip", capsys=capsys)
    assert timeless(str(found)) == timeless(printed.rstrip("\n"))
    assert found._repr_html_().startswith("<pre>offload: Run each task")
    report = json.loads(found.to_json())
    assert [entry["backend"] for entry in report["entries"]] == ["highs", "scip"]


def timeless(text: str) -> list[list[str]]:
    """The words of the lines without those that are seconds: with three decimals."""
    return [
        [w for w in line.split() if not re.fullmatch(r"\d+\.\d{3}", w)]
        for line in text.splitlines()
    ]


def test_options_of_a_backend_that_is_not_compared_are_refused() -> None:
    model = mecdsl.loads(ENDS)
    with pytest.raises(ModelError, match="`scip` is not compared"):
        model.compare(["highs"], own={"scip": {"limits/nodes": 1}})
    with pytest.raises(ModelError, match="unknown backend `scipp`"):
        model.study([1], ["scip"], own={"scipp": {"limits/nodes": 1}})


def test_a_study_prints_and_is_a_table_and_data() -> None:
    text = "param p : 1 = uniform(1, 2)\nvar x : 1 >= p\nminimize cost = x"
    found = mecdsl.loads(text).study([3, 4], ["highs"])
    assert found.summaries[0].verified == 2
    assert "2 seeds: 3, 4" in str(found)
    assert found.to_csv().count("\n") == 3  # titles, and a run for each seed
    assert found.as_dict()["seeds"] == [3, 4]
    costs = [mecdsl.loads(text, seed=seed).solve().objective for seed in (3, 4)]
    assert [run.objective for run in found.runs] == pytest.approx(costs)


def test_a_study_without_names_asks_what_takes_the_model() -> None:
    found = mecdsl.loads("var x : 1 >= 2\nminimize cost = x").study([1])
    assert {"highs", "scip", "ipopt"} <= {summary.backend for summary in found.summaries}


# Fitting backends ---------------------------------------------------------------------------------


def test_every_backend_takes_a_model_or_says_why_not() -> None:
    fits = {fit.name: fit for fit in mecdsl.load(MEL).backends()}
    assert set(fits) == {backend.name for backend in mecdsl.list_backends()}
    assert fits["mel-integer"].takes
    assert "bilinear" in fits["highs"].reason
    assert all(fit.takes != bool(fit.reason) for fit in fits.values())
    assert {fit.name: fit.takes for fit in mecdsl.load(MEL).backends("relaxed")}["mel-root"]


# Warm starts --------------------------------------------------------------------------------------


def test_a_warm_start_is_a_result_or_values_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    starts = []
    model = mecdsl.load(OFFLOAD)
    first = model.solve("highs")
    real = SolveOptions.__init__

    def seen(self: SolveOptions, *args: object, **options: object) -> None:
        real(self, *args, **options)  # type: ignore[arg-type]
        if self.start is not None:
            starts.append(self.start.tolist())

    monkeypatch.setattr(SolveOptions, "__init__", seen)
    for start in (first, {"device.remote": [1, 1, 0]}, np.array([1.0, 1.0, 0.0])):
        assert model.solve("highs", start=start).objective == pytest.approx(first.objective)
    assert starts[0] == [1.0, 1.0, 0.0]
    assert all(start == starts[0] for start in starts)


@pytest.mark.parametrize(
    ("start", "words"),
    [
        ({}, "the start holds no values"),
        ({"updates": 3.0}, "no values of the variables of this model"),
        ({"device.remote": [1, 0]}, "`device.remote` has 2 values, the model 3"),
        ({"device.remote": ["a", "b", "c"]}, "`device.remote` has no numbers, the model 3"),
    ],
)
def test_a_start_that_does_not_fit_is_refused(start: dict[str, object], words: str) -> None:
    with pytest.raises(ModelError, match=words):
        mecdsl.load(OFFLOAD).solve(start=start)


@pytest.mark.slow
def test_the_steps_of_all_runs_are_rows_and_a_picture(tmp_path: Path) -> None:
    found = mecdsl.load(MEL).compare(["mel-integer", "mel-equal"])
    rows = found.trace()
    assert rows == found.result("mel-integer").trace()  # `mel-equal` records nothing
    assert rows
    found.draw_trace(tmp_path / "steps.svg")
    found.result("mel-integer").draw_trace(tmp_path / "one.svg")
    assert b"<svg" in (tmp_path / "steps.svg").read_bytes()
    assert b"<svg" in (tmp_path / "one.svg").read_bytes()


def test_constraints_without_rows_are_told() -> None:
    model = "param n : 1 = 5\nvar x : 1 >= 2\nminimize c = x\n"
    text = model + "constraint big[k in 1..3 where k > n]: x >= k\n"
    (warning,) = mecdsl.loads(text).empty_families()
    assert warning.message == "constraint `big` has no row with these data"
    assert mecdsl.loads(text, n=1).empty_families() == ()


# Files and data -----------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".lp", ".mps", ".nl", ".py"])
def test_the_suffix_of_an_export_gives_the_format(
    suffix: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, other = tmp_path / f"model{suffix}", tmp_path / f"other{suffix}"
    names = mecdsl.load(OFFLOAD).export(path)
    kind = "pyomo" if suffix == ".py" else suffix[1:]
    command("export", str(OFFLOAD), "--to", kind, "--out", str(other), capsys=capsys)
    assert path.read_bytes() == other.read_bytes()
    assert [column.name for column in names.columns] == [
        f"device.remote[{task}]" for task in ("camera", "voice", "map")
    ]


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"the suffix of `.*model\.gms` is no format"):
        mecdsl.load(OFFLOAD).export(tmp_path / "model.gms")
    with pytest.raises(ModelError, match="unknown format `gams`"):
        mecdsl.load(OFFLOAD).export(tmp_path / "model.lp", to="gams")


def test_the_data_of_a_model_give_the_same_model(capsys: pytest.CaptureFixture[str]) -> None:
    model = mecdsl.load(MEL, seed=4)
    data = model.data()
    assert data == json.loads(command("data", str(MEL), "--seed", "4", capsys=capsys))
    again = mecdsl.load(MEL, data)
    np.testing.assert_array_equal(
        again.instance().data("learner.cpu"), model.instance().data("learner.cpu")
    )


def test_a_model_describes_itself_as_the_command_shows_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    printed = command("show", str(OFFLOAD), "--scaling", capsys=capsys)
    assert mecdsl.load(OFFLOAD).describe(scaling=True) == printed.rstrip("\n")


def test_layers_print_and_are_data(capsys: pytest.CaptureFixture[str]) -> None:
    found = mecdsl.layers("lenet5", bits=8)
    assert str(found) == command("layers", "lenet5", "--bits", "8", capsys=capsys).rstrip("\n")
    assert found.as_dict()["totals"]["parameters"] == 60000  # LeCun et al. 1998
    with pytest.raises(ModelError, match="no file and no shipped network"):
        mecdsl.layers("lenet55")


def test_a_code_is_explained() -> None:
    assert mecdsl.explain("E201").startswith("E201")
    with pytest.raises(KeyError, match="unknown code `E999`"):
        mecdsl.explain("E999")
