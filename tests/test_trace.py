"""Traces: what iterative methods record of their steps, as rows, as a file and as a picture."""

import csv
import io
import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

import mecdsl
from mecdsl.backends.shared.record import Record
from mecdsl.command_line import main as cli
from mecdsl.output.csv.trace import COLUMNS, trace_csv
from mecdsl.output.picture.trace import FLOOR, trace_picture
from mecdsl.output.runs import recorded
from mecdsl.shown import Result

ROOT = Path(__file__).resolve().parent.parent
MEL = str(ROOT / "models" / "mel.mec")
COOPERATIVE = str(ROOT / "models" / "cooperative.mec")

# A knapsack with two budgets; the optimum is found below by enumeration of all 2^14 choices.
WORTH = [41, 55, 37, 62, 48, 29, 71, 33, 59, 44, 38, 66, 52, 47]
SIZE = [12, 18, 11, 23, 17, 9, 27, 10, 21, 15, 13, 24, 19, 16]
TIME = [20, 9, 14, 13, 21, 12, 16, 15, 11, 18, 10, 19, 17, 8]
KNAPSACK = f"""
model pack
param worth[i in 1..14] : 1 = {WORTH}
param size[i in 1..14] : 1 = {SIZE}
param time[i in 1..14] : 1 = {TIME}
var taken[i in 1..14] : binary
maximize total = sum(worth[i]*taken[i] for i in 1..14)
constraint space: sum(size[i]*taken[i] for i in 1..14) <= 97
constraint hours: sum(time[i]*taken[i] for i in 1..14) <= 88
"""

# The largest sum of logarithms on a simplex: 2 ln 3 at x = y = 3.
SPLIT = """
model split
var x : 1 >= 0.1
var y : 1 >= 0.1
start x = 1
start y = 1
maximize worth = ln(x) + ln(y)
constraint budget: x + y <= 6
"""


@pytest.fixture(scope="module")
def split() -> Result:
    return mecdsl.loads(SPLIT).solve("ipopt")


@pytest.fixture(scope="module")
def root() -> Result:
    return mecdsl.load(MEL).solve("mel-root", "relaxed")


def run(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    out, err = capfd.readouterr()
    assert isinstance(left.value.code, int)
    return left.value.code, out, err


def numbers(result: Result, name: str) -> list[float]:
    return [float(row[name]) for row in result.trace() if row[name] is not None]


# What is recorded ---------------------------------------------------------------------------------


def test_a_record_counts_steps_and_time() -> None:
    record = Record(first=3)
    record.note(2.0, bound=5.0)
    record.note(residual=0.1, note="last")
    first, second = record.steps
    assert (first.number, first.objective, first.bound, first.residual, first.note) == (
        3,
        2.0,
        5.0,
        None,
        "",
    )
    assert (second.number, second.objective, second.residual, second.note) == (4, None, 0.1, "last")
    assert first.seconds is not None
    assert second.seconds is not None
    assert 0.0 < first.seconds <= second.seconds


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "backend", "form"),
    [
        (MEL, "mel-root", "relaxed"),
        (MEL, "mel-integer", ""),
        (MEL, "mel-round", ""),
        (MEL, "ipopt", "relaxed"),
        (COOPERATIVE, "cooperative-exact", ""),
        (COOPERATIVE, "cooperative-pa", ""),
        (COOPERATIVE, "cooperative-rlt0", ""),
    ],
)
def test_every_iterative_method_records_numbers_and_times(
    path: str, backend: str, form: str
) -> None:
    found = mecdsl.load(path, seed=1).solve(backend, form)
    rows = found.trace()
    assert len(rows) == len(found.iterations) >= 1
    assert {(row["backend"], row["form"]) for row in rows} == {(backend, form or "base")}
    steps = [int(row["iteration"]) for row in rows]
    assert steps == list(range(steps[0], steps[0] + len(steps)))
    times = [row["seconds"] for row in rows]
    assert None not in times
    assert times == sorted(times)
    assert times[0] > 0.0
    assert all(
        any(row[name] is not None for name in ("objective", "bound", "residual")) for row in rows
    )
    assert found.objective is not None
    last = numbers(found, "objective")[-1]
    last = (
        np.floor(last) if backend == "mel-round" else last
    )  # it records what the slowest learner could do, not whole
    assert last == pytest.approx(found.objective, rel=1e-6)


def test_branch_and_bound_closes_the_gap_from_both_sides() -> None:
    space = np.array(list(itertools.product([0, 1], repeat=14)))
    fits = (space @ SIZE <= 97) & (space @ TIME <= 88)
    optimum = float((space @ WORTH)[fits].max())
    found = mecdsl.loads(KNAPSACK).solve("highs")
    points, bounds = numbers(found, "objective"), numbers(found, "bound")
    assert points == sorted(points)
    assert bounds == sorted(bounds, reverse=True)
    assert points[-1] == pytest.approx(optimum)
    assert min(bounds) >= optimum - 1e-6
    assert {row["note"] for row in found.trace()} == {"improving point", "bound"}


def test_a_linear_program_has_no_steps() -> None:
    assert mecdsl.loads("var x : 1 >= 2\nminimize cost = 3*x").solve("highs").trace() == []


@pytest.mark.parametrize("via", ["arrays", "pyomo"])
def test_steps_of_a_maximisation_are_in_the_sense_of_the_model(via: str) -> None:
    found = mecdsl.loads(SPLIT).solve("ipopt", via=via)
    values = numbers(found, "objective")
    assert values[0] == pytest.approx(
        0.0, abs=0.1
    )  # ln 1 + ln 1 at the start, which Ipopt may move a little
    assert values[-1] == pytest.approx(2 * np.log(3.0), rel=1e-6)


def test_bounds_of_the_exact_method_rise_to_the_optimum() -> None:
    found = mecdsl.load(COOPERATIVE, seed=1, device_count=8).solve("cooperative-exact")
    bounds, points = numbers(found, "bound"), numbers(found, "objective")
    assert bounds == sorted(bounds)
    assert points == sorted(points, reverse=True)
    assert max(bounds) <= min(points) * (1 + 1e-9)
    assert bounds[-1] == pytest.approx(points[-1], rel=1e-6)


def test_the_bound_of_a_relaxation_is_not_taken_for_a_plan() -> None:
    found = mecdsl.load(COOPERATIVE, seed=1).solve("cooperative-pa")
    assert found.objective is not None
    assert numbers(found, "objective") == [pytest.approx(found.objective, rel=1e-9)]
    assert max(numbers(found, "bound")) <= found.objective
    assert found.trace()[-1]["note"] == "plan"


# As a table ---------------------------------------------------------------------------------------


def test_the_table_holds_every_digit_and_pandas_reads_it(split: Result, root: Result) -> None:
    text = trace_csv([split, root])
    table = pd.read_csv(io.StringIO(text))
    assert tuple(table.columns) == COLUMNS == tuple(split.trace()[0])
    assert len(table) == len(split.iterations) + len(root.iterations)
    rows = list(csv.DictReader(io.StringIO(text)))
    for row, step in zip(rows, split.trace() + root.trace(), strict=True):
        for name, value in step.items():
            assert row[name] == ("" if value is None else str(value))
        assert step["objective"] is None or float(row["objective"]) == step["objective"]
    assert table[table.backend == "ipopt"].bound.isna().all()


def test_the_unit_stands_in_every_row() -> None:
    found = mecdsl.load(COOPERATIVE, seed=1).solve("cooperative-pa")
    assert {row["unit"] for row in found.trace()} == {"s"}


def test_one_file_has_all_runs_of_a_comparison(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "steps.csv"
    arguments = [
        "compare",
        MEL,
        "--form",
        "relaxed",
        "--backends",
        "ipopt,mel-root,mel-polynomial",
        "--trace",
        str(path),
    ]
    code, out, err = run(capfd, *arguments)
    assert code == 0
    assert out.endswith(f"wrote {path}\n")
    assert "note: no steps are recorded by `mel-polynomial (relaxed)`" in err
    table = pd.read_csv(path)
    assert list(dict.fromkeys(table.backend)) == ["ipopt", "mel-root"]
    for _, steps in table.groupby("backend"):
        assert steps.objective.iloc[-1] == pytest.approx(
            6.8191776, rel=1e-6
        )  # both of them find the same optimum


def test_json_has_the_steps_too(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    arguments = ["--form", "relaxed", "--json", "--trace", str(path)]
    code, out, _ = run(capfd, "solve", MEL, "--backend", "mel-root", *arguments)
    assert code == 0
    found = json.loads(out)
    assert found["iterations"] == len(found["trace"]) == len(pd.read_csv(path))
    assert tuple(found["trace"][0]) == COLUMNS
    code, out, _ = run(capfd, "compare", MEL, "--backends", "mel-root,mel-polynomial", *arguments)
    assert code == 0
    results = [entry["result"] for entry in json.loads(out)["entries"]]
    assert [len(result["trace"]) for result in results] == [found["iterations"], 0]
    assert "trace" not in json.loads(run(capfd, "solve", MEL, "--json")[1])


def test_a_method_without_steps_writes_no_file(
    capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "steps.csv"
    code, out, err = run(capfd, "solve", MEL, "--backend", "mel-equal", "--trace", str(path))
    assert code == 0
    assert "wrote" not in out
    assert err.splitlines() == [
        "note: no steps are recorded by `mel-equal`",
        f"note: there is no trace, so `{path}` is not written",
    ]
    assert not path.exists()


def test_an_older_file_is_replaced(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    path = tmp_path / "steps.csv"
    path.write_text("old\n" * 1000, encoding="utf-8")
    assert run(capfd, "solve", MEL, "--backend", "mel-integer", "--trace", str(path))[0] == 0
    assert "old" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["solve", MEL, "--trace", "nowhere/steps.csv"], "there is no folder `nowhere`"),
        (["solve", MEL, "--trace", str(ROOT)], "is a folder"),
        (["solve", MEL, "--trace", MEL], "would be overwritten, and it is what is read"),
        (
            ["solve", MEL, "--plot-trace", "steps.bmp"],
            "`--plot-trace steps.bmp` is no known kind of picture",
        ),
        (
            ["solve", MEL, "--plot-trace", "steps.png", "--trace", "steps.png"],
            "is both table and picture",
        ),
        (
            ["compare", MEL, "--seeds", "1,2", "--trace", "steps.csv"],
            "`--trace` and `--plot-trace` are for one seed",
        ),
        (["solve", MEL, "--trace", "a.csv", "--trace", "b.csv"], "`--trace` is given twice"),
    ],
)
def test_wrong_arguments_end_before_the_run(
    capfd: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    code, out, err = run(capfd, *arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_without_matplotlib_the_picture_is_refused_before_the_run(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("mecdsl.command_line.study.find_spec", lambda name: None)
    code, out, err = run(capfd, "solve", MEL, "--plot-trace", str(tmp_path / "steps.png"))
    assert (code, out) == (2, "")
    assert "`--plot-trace` needs the package `matplotlib`, which is not installed" in err
    assert "pip install mecdsl[plot]" in err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no device that is always full")
def test_a_full_disk_is_said_after_the_answer(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capfd, "solve", MEL, "--backend", "mel-integer", "--trace", "/dev/full")
    assert code == 4
    assert "local_updates = 6" in out
    assert "error: `/dev/full` cannot be written: no space left on device" in err


@pytest.mark.slow
def test_a_table_does_not_import_matplotlib(tmp_path: Path) -> None:
    program = (
        "import sys; from mecdsl.command_line import main as cli\n"
        "try: cli.main(sys.argv[1:])\n"
        "except SystemExit as left: print(left.code, 'matplotlib' in sys.modules)"
    )
    arguments = ["solve", MEL, "--backend", "mel-integer", "--trace", str(tmp_path / "steps.csv")]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1] == "0 False", done.stderr


# As a picture -------------------------------------------------------------------------------------


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are written, in their order."""
    figures: list[Figure] = []
    write = Figure.savefig

    def keep(self: Figure, path: Path, dpi: int) -> None:
        figures.append(self)
        write(self, path, dpi=dpi)

    monkeypatch.setattr(Figure, "savefig", keep)
    return figures


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".png", ".pdf", ".svg"])
def test_the_panels_show_what_the_trace_holds(
    split: Result, root: Result, drawn: list[Figure], tmp_path: Path, suffix: str
) -> None:
    trace_picture([split, root], tmp_path / f"steps{suffix}")
    assert (tmp_path / f"steps{suffix}").stat().st_size > 1000
    (figure,) = drawn
    value, value_time, residual, _ = figure.axes
    lines = {
        (line.get_color(), line.get_linestyle()): line.get_xydata() for line in value.get_lines()
    }
    first, second = "#0072b2", "#d55e00"
    steps = np.array([[row["iteration"], row["objective"]] for row in split.trace()])
    np.testing.assert_array_equal(lines[first, "-"], steps)
    np.testing.assert_array_equal(
        lines[second, "--"], [[r["iteration"], r["bound"]] for r in root.trace()]
    )
    assert np.size(lines[first, "--"]) == 0
    times = value_time.get_lines()[0].get_xdata()
    np.testing.assert_array_equal(times, [row["seconds"] for row in split.trace()])
    assert residual.get_yscale() == "log"
    low = min(float(np.min(np.asarray(line.get_ydata()))) for line in residual.get_lines())
    assert low >= FLOOR
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "ipopt",
        "mel-root (relaxed)",
        "objective",
        "proven bound",
    ]


def test_without_residuals_there_are_two_panels_with_the_unit(
    drawn: list[Figure], tmp_path: Path
) -> None:
    found = mecdsl.load(COOPERATIVE, seed=1, device_count=6).solve("cooperative-exact")
    trace_picture([found], tmp_path / "steps.png")
    (figure,) = drawn
    assert len(figure.axes) == 2
    assert figure.axes[0].get_ylabel() == "overall_latency [s]"
    assert [axes.get_xlabel() for axes in figure.axes] == ["iteration", "time [s]"]


def test_nothing_recorded_is_no_picture(tmp_path: Path) -> None:
    found = mecdsl.load(MEL).solve("mel-equal")
    assert recorded([found]) == []
    with pytest.raises(ValueError, match="no run recorded a step"):
        trace_picture([found], tmp_path / "steps.png")
