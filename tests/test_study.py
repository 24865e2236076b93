"""Comparisons over many seeds: what counts as an answer, what is recorded, and what a backend's
runs add up to.
"""

import csv
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mecdsl import LoadedModel, ModelError, loads
from mecdsl.backend import Acceptance, Availability, Capabilities, Request
from mecdsl.backends import table
from mecdsl.command_line import main as cli
from mecdsl.command_line.options import Asked
from mecdsl.command_line.study import read_seeds, run_study
from mecdsl.model.classes import ProblemClass
from mecdsl.output.text.study import study_text
from mecdsl.solution import Guarantee, Solution, Termination
from mecdsl.studies.study import first_instance, study
from mecdsl.studies.study_result import (
    OWN_FAULT,
    Goal,
    Outcome,
    Run,
    Spread,
    Study,
    Summary,
    spread,
    summaries,
)

# Buy two of four things. The optimum is the sum of the two lowest prices.
BUY = """
model buy "The cheapest two of four things"
param price[i in 1..4] : 1 = uniform(1, 5)
var taken[i in 1..4] : binary
minimize cost = sum(price[i]*taken[i] for i in 1..4)
constraint two: sum(taken[i] for i in 1..4) >= 2
form continuous: relax taken
"""

# The same where about half of the seeds draw no instance: `need` may not be above 1.
HALF = (
    BUY
    + "param need : 1 <= 1 = uniform(0.5, 1.5)\nconstraint needed: sum(taken[i] for i in 1..4) >= need\n"
)

SEEDS = range(1, 9)


class Fake:
    """Takes the things that `points` says for the seed; claims what it is told to."""

    name = "fake"
    capabilities = Capabilities(
        title="a fake", classes=frozenset(ProblemClass), guarantee=Guarantee.FEASIBLE, reference=""
    )
    claim = (Termination.FINISHED, Guarantee.FEASIBLE)
    points: Callable[[int], list[float] | None]

    def availability(self) -> Availability:
        return Availability(True, {})

    def accepts(self, request: Request) -> Acceptance:
        return Acceptance(True)

    def solve(self, request: Request) -> Solution:
        point = type(self).points(request.instance.seed)
        if point is None:
            return Solution(
                backend=self.name,
                termination=Termination.NOT_FOUND,
                guarantee=Guarantee.NONE,
                message="found none",
            )
        termination, guarantee = self.claim
        values = np.array(point)
        return Solution(
            backend=self.name, termination=termination, guarantee=guarantee, values=values
        )


class First(Fake):
    """Keeps the limit, seldom at the optimum."""

    name = "first"
    points = staticmethod(lambda seed: [1.0, 1.0, 0.0, 0.0])


class Cheat(Fake):
    """Buys nothing for 0: better than any plan, were it one. For seed 1 it keeps the limit."""

    name = "cheat"
    points = staticmethod(lambda seed: [1.0, 1.0, 1.0, 1.0] if seed == 1 else [0.0, 0.0, 0.0, 0.0])


class Liar(Fake):
    """Claims that nothing for 0 is the optimum."""

    name = "liar"
    claim = (Termination.OPTIMAL, Guarantee.GLOBAL)
    points = staticmethod(lambda seed: [0.0, 0.0, 0.0, 0.0])


class Silent(Fake):
    """Finds nothing."""

    name = "silent"
    points = staticmethod(lambda seed: None)


class Crash(First):
    """Has a fault of its own at seed 3."""

    name = "crash"

    def solve(self, request: Request) -> Solution:
        if request.instance.seed == 3:
            raise IndexError("past the end")
        return super().solve(request)


class Stopped(First):
    """Is interrupted at seed 3."""

    name = "stopped"

    def solve(self, request: Request) -> Solution:
        found = super().solve(request)
        return (
            replace(found, termination=Termination.INTERRUPTED)
            if request.instance.seed == 3
            else found
        )


FAKES = {
    kind.name: f"tests.test_study:{kind.__name__}"
    for kind in (First, Cheat, Liar, Silent, Crash, Stopped)
}


@pytest.fixture(autouse=True)
def _fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "BUILT_IN", {**table.BUILT_IN, **FAKES})


@pytest.fixture
def model() -> LoadedModel:
    return loads(BUY)


def prices(seed: int) -> list[float]:
    return [float(price) for price in replace(loads(BUY), seed=seed).instance().data("price")]


def optimum(seed: int) -> float:
    return sum(sorted(prices(seed))[:2])


def of(found: Study, backend: str, form: str = "") -> Summary:
    (summary,) = (s for s in found.summaries if (s.backend, s.form) == (backend, form))
    return summary


def runs_of(found: Study, backend: str) -> Iterator[Run]:
    return (run for run in found.runs if run.backend == backend)


# Runs ---------------------------------------------------------------------------------------------


def test_every_seed_has_its_own_data_optimum_and_bound(model: LoadedModel) -> None:
    found = study(model, SEEDS, ["highs", "first"])
    best = [optimum(seed) for seed in SEEDS]
    assert len(set(best)) == len(best)
    assert [run.objective for run in runs_of(found, "highs")] == pytest.approx(best)
    assert [run.best_bound for run in runs_of(found, "first")] == pytest.approx(best)
    taken = [sum(prices(seed)[:2]) for seed in SEEDS]
    assert [run.objective for run in runs_of(found, "first")] == pytest.approx(taken)
    distances = [(mine - least) / mine for mine, least in zip(taken, best, strict=True)]
    assert [run.distance for run in runs_of(found, "first")] == pytest.approx(distances, abs=1e-12)
    assert not found.same_data
    assert found.exit_code == 0


def test_summary_of_verified_answers(model: LoadedModel) -> None:
    found = study(model, SEEDS, ["first", "highs"])
    exact, first = of(found, "highs"), of(found, "first")
    assert (exact.seeds, exact.ran, exact.verified, exact.proven, exact.broken) == (8, 8, 8, 8, 0)
    assert (first.verified, first.proven, first.share) == (8, 0, 1.0)
    assert exact.objective is not None
    best = [optimum(seed) for seed in SEEDS]
    stated = [exact.objective.median, exact.objective.low, exact.objective.high]
    assert stated == pytest.approx(np.quantile(best, [0.5, 0.1, 0.9]).tolist())
    assert first.best_on_same_seeds == pytest.approx(float(np.median(best)))
    assert exact.seconds is not None
    assert exact.seconds.count == 8
    assert exact.violation is not None
    assert exact.violation.high <= 1e-6


@pytest.mark.slow
def test_an_answer_that_breaks_a_limit_is_counted_and_never_better(model: LoadedModel) -> None:
    found = study(model, SEEDS, ["cheat", "first"])
    cheat = of(found, "cheat")
    assert (cheat.verified, cheat.broken, cheat.proven) == (1, 7, 0)
    # seed 1 alone counts, where it buys everything; the zeros of the other seeds are nowhere
    assert cheat.objective is not None
    assert cheat.objective.count == 1
    assert cheat.objective.median == pytest.approx(sum(prices(1)))
    assert cheat.best_on_same_seeds == pytest.approx(sum(prices(1)[:2]))
    first = of(found, "first")
    assert first.objective is not None
    assert first.best_on_same_seeds == pytest.approx(first.objective.median)
    # `two` lacks 2 of terms 0 and 2
    assert cheat.violation_of_broken == Spread(7, 1.0, 1.0, 1.0)
    assert [summary.backend for summary in found.summaries] == ["first", "cheat"]
    assert all(run.distance is None for run in runs_of(found, "cheat") if run.seed > 1)
    assert found.exit_code == 0
    text = " ".join(study_text(found).split())
    assert "cheat 1/8" in text
    assert "cheat: NOT VERIFIED for seeds 2..8; worst, seed 2: `two` is violated by 2" in text
    assert "cheat answers 1 of 8 seeds" in text


@pytest.mark.slow
def test_a_claimed_optimum_that_fails_verification_ends_with_5(model: LoadedModel) -> None:
    found = study(model, [1, 2], ["highs", "liar"])
    assert [run.refuted for run in found.runs] == [False, True, False, True]
    assert found.exit_code == 5
    assert of(found, "liar").proven == 0
    assert "liar: CLAIMED AN OPTIMUM AND FAILED for seeds 1, 2" in study_text(found)


def test_what_a_backend_cannot_do_is_a_finding(model: LoadedModel) -> None:
    found = study(model, [1, 2], ["silent", "mel-root"])
    assert [run.outcome for run in found.runs] == [Outcome.NO_ANSWER, Outcome.DID_NOT_RUN] * 2
    assert found.runs[0].reason == "found none"
    assert of(found, "mel-root").ran == 0
    assert of(found, "silent").objective is None
    assert found.exit_code == 0
    assert "silent: no feasible point found (seeds 1, 2)" in study_text(found)


def test_a_relaxation_is_a_bound_and_no_plan(model: LoadedModel) -> None:
    found = study(model, SEEDS, ["ipopt", "highs"])
    relaxed = of(found, "ipopt")
    assert relaxed.bounds_only
    assert (relaxed.verified, relaxed.distance) == (0, None)
    assert {run.outcome for run in runs_of(found, "ipopt")} == {Outcome.RELAXED}
    assert found.summaries[-1] is relaxed
    assert "* ipopt solves a relaxation" in study_text(found)


def test_each_form_is_judged_by_itself(model: LoadedModel) -> None:
    found = study(model, [1, 2, 3], ["highs"], ["", "continuous"])
    assert [(s.form, s.verified) for s in found.summaries] == [("", 3), ("continuous", 3)]
    assert list(found.goals.values()) == [Goal("cost", "1", "minimize")] * 2
    assert [run.form for run in found.runs] == ["", "continuous"] * 3
    assert "form continuous: objective cost, minimized" in study_text(found)


def test_a_larger_objective_is_the_better_one_when_maximizing() -> None:
    text = BUY.replace("minimize cost", "maximize gain").replace(">= 2", "<= 2")
    found = study(loads(text), [1], ["first", "highs"])
    assert found.summaries[0].backend == "highs"
    best = sum(sorted(prices(1))[2:])
    assert of(found, "first").best_on_same_seeds == pytest.approx(best)


# Seeds that fail ----------------------------------------------------------------------------------


def instances(text: str, seeds: range) -> list[int]:
    good = []
    for seed in seeds:
        try:
            replace(loads(text), seed=seed).instance()
        except ModelError:
            continue
        good.append(seed)
    return good


def test_a_seed_without_an_instance_is_recorded_and_passed_over() -> None:
    seeds = range(1, 13)
    good = instances(HALF, seeds)
    assert 0 < len(good) < len(seeds)
    found = study(loads(HALF), seeds, ["highs", "first"])
    assert [run.seed for run in runs_of(found, "highs") if run.outcome is Outcome.VERIFIED] == good
    lost = [run for run in found.runs if run.outcome is Outcome.NO_DATA]
    assert len(lost) == 2 * (len(seeds) - len(good))
    assert all("need" in run.reason for run in lost)
    assert of(found, "highs").seeds == len(good)
    assert of(found, "highs").share == 1.0
    assert found.exit_code == 0
    assert f"seed {lost[0].seed} is no instance" in study_text(found)


def test_data_that_no_seed_makes_an_instance_are_a_fault() -> None:
    with pytest.raises(ModelError) as caught:
        study(loads(HALF.replace("uniform(0.5, 1.5)", "uniform(2, 3)")), SEEDS, ["highs"])
    (fault,) = caught.value.diagnostics
    assert "need" in fault.message


@pytest.mark.parametrize(
    ("arguments", "code"),
    [({"backends": ["hihgs"]}, "E501"), ({"forms": ["continous"]}, "E113"), ({"gap": 2.0}, "E505")],
)
def test_faults_of_the_request_are_raised_at_once(
    model: LoadedModel, arguments: dict[str, Any], code: str
) -> None:
    with pytest.raises(ModelError) as caught:
        study(model, SEEDS, **{"backends": ["first"], **arguments})
    assert [diagnostic.code for diagnostic in caught.value.diagnostics] == [code]


def test_a_fault_of_the_program_costs_one_seed_and_is_not_hidden(model: LoadedModel) -> None:
    found = study(model, [2, 3, 4], ["crash"])
    assert [run.outcome for run in found.runs] == [
        Outcome.VERIFIED,
        Outcome.DID_NOT_RUN,
        Outcome.VERIFIED,
    ]
    assert found.runs[1].reason == f"{OWN_FAULT}: IndexError: past the end"
    assert found.exit_code == 4


def test_an_interrupted_seed_is_the_last_and_does_not_count(model: LoadedModel) -> None:
    found = study(model, SEEDS, ["first", "stopped"])
    assert found.seeds == (1, 2)
    assert {run.seed for run in found.runs} == {1, 2}
    assert found.interrupted
    assert found.exit_code == 130
    assert "2 seeds: 1, 2, then interrupted" in study_text(found)


def test_seeds_of_a_model_without_random_data_change_nothing() -> None:
    found = study(loads(BUY.replace("uniform(1, 5)", "i")), [1, 2], ["highs"])
    assert found.same_data
    assert "every seed has the same data" in study_text(found)


def test_the_first_instance_is_that_of_the_first_good_seed() -> None:
    good = instances(HALF, range(1, 13))
    assert first_instance(loads(HALF), range(1, 13)).seed == good[0]


# Medians and intervals ----------------------------------------------------------------------------


def test_the_interval_is_that_of_numpy() -> None:
    numbers = [0.3, 7.0, 2.5, 2.5, 11.0, -4.0, 0.25]
    found = spread(numbers)
    assert found is not None
    stated = (found.median, found.low, found.high)
    assert stated == pytest.approx(tuple(np.quantile(numbers, [0.5, 0.1, 0.9])))


def test_no_number_has_no_median_and_an_infinite_one_no_nan() -> None:
    assert spread([None, None]) is None
    assert spread([1.0, float("inf"), float("inf")]) == Spread(
        3, float("inf"), float("inf"), float("inf")
    )
    assert spread([1.0, 1.0, float("inf")]) == Spread(3, 1.0, 1.0, float("inf"))


def test_more_verified_answers_go_before_a_smaller_distance() -> None:
    def run(seed: int, backend: str, outcome: Outcome, distance: float | None) -> Run:
        return Run(
            seed,
            "",
            backend,
            outcome,
            termination=Termination.FINISHED,
            objective=1.0,
            distance=distance,
        )

    runs = [
        run(1, "close", Outcome.VERIFIED, 0.0),
        run(2, "close", Outcome.BROKEN, None),
        run(1, "lucky", Outcome.VERIFIED, 0.0),
        run(2, "lucky", Outcome.VERIFIED, 0.0),
        replace(run(1, "exact", Outcome.VERIFIED, 1e-9), guarantee=Guarantee.GLOBAL),
        replace(run(2, "exact", Outcome.VERIFIED, 1e-9), guarantee=Guarantee.GLOBAL),
        run(1, "far", Outcome.VERIFIED, 0.5),
        run(2, "far", Outcome.VERIFIED, 0.5),
        run(1, "near", Outcome.VERIFIED, 0.1),
        run(2, "near", Outcome.VERIFIED, 0.1),
    ]
    found = summaries(runs, {"": Goal("cost", "1", "minimize")})
    assert [summary.backend for summary in found] == ["exact", "lucky", "near", "far", "close"]


# The command --------------------------------------------------------------------------------------


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "buy.mec"
    path.write_text(BUY, encoding="utf-8")
    return path


def run(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    out, err = capfd.readouterr()
    assert isinstance(left.value.code, int)
    return left.value.code, out, err


def test_seeds_are_read_as_ranges_and_lists() -> None:
    assert read_seeds("1..4", 0) == [1, 2, 3, 4]
    assert read_seeds("1,3,7", 0) == [1, 3, 7]
    assert read_seeds("5, 1..3, 2", 0) == [5, 1, 2, 3]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--seeds", "1..x"), "`--seeds 1..x` are no seeds"),
        (("--seeds", "1,,2"), "`--seeds 1,,2` are no seeds"),
        (("--seeds", "5..1"), "`5..1` goes down"),
        (("--seeds", "1..999999999999"), "more than 100000 seeds"),
        (("--seeds", "1..3", "--seed", "2"), "`--seed` and `--seeds` exclude each other"),
        (("--csv", "runs.csv"), "`--csv` and `--plot` are for many seeds"),
        (("--seeds", "1..3", "--csv", "nowhere/runs.csv"), "there is no folder `nowhere`"),
        (("--seeds", "1..3", "--plot", "gaps.bmp"), "is no known kind of picture"),
    ],
)
def test_wrong_arguments_end_with_2(
    capfd: pytest.CaptureFixture[str], file: Path, arguments: tuple[str, ...], message: str
) -> None:
    code, out, err = run(capfd, "compare", str(file), "--backends", "first", *arguments)
    assert (code, out) == (2, "")
    assert message in err


def test_the_model_is_not_overwritten(capfd: pytest.CaptureFixture[str], file: Path) -> None:
    code, _, err = run(
        capfd, "compare", str(file), "--seeds", "1,2", "--backends", "first", "--csv", str(file)
    )
    assert code == 2
    assert "would be overwritten" in err
    assert file.read_text(encoding="utf-8") == BUY


@pytest.mark.slow
def test_text_and_exit_code(capfd: pytest.CaptureFixture[str], file: Path) -> None:
    code, out, err = run(
        capfd, "compare", str(file), "--seeds", "1..4", "--backends", "highs,cheat"
    )
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "buy: The cheapest two of four things"
    assert lines[1] == "4 seeds: 1..4"
    assert max(map(len, lines)) <= 80
    assert any(line.split()[:2] == ["highs", "4/4"] for line in lines)


def test_a_terminal_is_told_of_every_seed(
    capsys: pytest.CaptureFixture[str], model: LoadedModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    told: list[str] = []
    asked = Asked(["first", "silent"], [""], relax=False, options={})
    run_study(model, [4, 6], asked, told.append)
    lines = [line.split(",") for line in capsys.readouterr().err.replace("\r", "").splitlines()]
    assert [(line[0], line[1].strip(), line[-1].split("s ")[1].strip()) for line in lines] == [
        ("seed 4: 1 verified", "1 no answer", "(1 of 2)"),
        ("seed 6: 1 verified", "1 no answer", "(2 of 2)"),
    ]
    assert told[0] == "seed 4 (1 of 2): first"


@pytest.mark.slow
def test_every_fitting_backend_runs_by_default(
    capfd: pytest.CaptureFixture[str], file: Path
) -> None:
    code, out, _ = run(capfd, "compare", str(file), "--seeds", "1,2", "--json")
    assert code == 5  # the liar fits too
    assert {"highs", "scip", "first", "liar"} <= {
        entry["backend"] for entry in json.loads(out)["summaries"]
    }


@pytest.mark.slow
def test_json_holds_every_run_and_the_summaries(
    capfd: pytest.CaptureFixture[str], file: Path
) -> None:
    code, out, _ = run(
        capfd, "compare", str(file), "--seeds", "1..3", "--backends", "highs,cheat", "--json"
    )
    assert code == 0
    found = json.loads(out)
    assert found["seeds"] == [1, 2, 3]
    assert found["objectives"] == {"base": {"name": "cost", "unit": "1", "sense": "minimize"}}
    assert [(entry["seed"], entry["backend"], entry["verified"]) for entry in found["runs"]] == [
        (1, "highs", True),
        (1, "cheat", True),
        (2, "highs", True),
        (2, "cheat", False),
        (3, "highs", True),
        (3, "cheat", False),
    ]
    first, _, _, broken = found["runs"][:4]
    assert first["objective"] == pytest.approx(optimum(1))
    assert (first["guarantee"], first["termination"]) == ("globally optimal", "optimal")
    assert (broken["objective"], broken["distance"], broken["violation"]) == (0.0, None, 1.0)
    summary = found["summaries"][0]
    assert (summary["backend"], summary["share"], summary["proven"]) == ("highs", 1.0, 3)
    assert summary["objective"]["median"] == pytest.approx(
        float(np.median([optimum(seed) for seed in (1, 2, 3)]))
    )


def test_csv_has_one_row_for_each_run(
    capfd: pytest.CaptureFixture[str], file: Path, tmp_path: Path
) -> None:
    out_file = tmp_path / "runs.csv"
    code, out, _ = run(
        capfd,
        "compare",
        str(file),
        "--seeds",
        "1,2",
        "--form",
        "base,continuous",
        "--backends",
        "highs,silent",
        "--csv",
        str(out_file),
    )
    assert code == 0
    assert f"wrote {out_file}" in out
    with out_file.open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines))
    keys = [(row["seed"], row["form"], row["backend"], row["verified"]) for row in rows]
    assert keys == [
        (seed, form, backend, verified)
        for seed in ("1", "2")
        for form in ("base", "continuous")
        for backend, verified in (("highs", "true"), ("silent", "false"))
    ]
    assert float(rows[0]["objective"]) == pytest.approx(optimum(1))
    assert (rows[1]["objective"], rows[1]["reason"]) == ("", "found none")
    assert {(row["model"], row["unit"], row["sense"]) for row in rows} == {("buy", "1", "minimize")}


def test_without_matplotlib_the_picture_is_refused_before_any_run(
    capfd: pytest.CaptureFixture[str], file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mecdsl.command_line.study.find_spec", lambda name: None)
    code, out, err = run(
        capfd,
        "compare",
        str(file),
        "--seeds",
        "1,2",
        "--backends",
        "crash",
        "--plot",
        str(tmp_path / "gaps.png"),
    )
    assert (code, out) == (2, "")
    assert "`--plot` needs the package `matplotlib`, which is not installed" in err
    assert "pip install mecdsl[plot]" in err


@pytest.mark.slow
def test_a_study_without_a_picture_does_not_import_matplotlib(file: Path) -> None:
    program = (
        "import sys; from mecdsl.command_line import main as cli\n"
        "try: cli.main(sys.argv[1:])\n"
        "except SystemExit as left: print(left.code, 'matplotlib' in sys.modules)"
    )
    arguments = ["compare", str(file), "--seeds", "1,2", "--backends", "highs"]
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines()[-1] == "0 False", done.stderr
