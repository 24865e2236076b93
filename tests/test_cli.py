"""The command line as a user meets it: what is printed where, the exit codes, and what mistakes are
answered with.
"""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mecdsl.__main__
from mecdsl.backend import Acceptance, Availability, Capabilities, Request
from mecdsl.backends import table
from mecdsl.command_line import main as cli
from mecdsl.command_line.printing import Stop
from mecdsl.model.classes import ProblemClass
from mecdsl.solution import Guarantee, Solution, Termination
from tests.waiting import PATIENCE, has_a_fork

ROOT = Path(__file__).resolve().parent.parent
MEL = "models/mel.mec"
OFFLOAD = "models/examples/offload.mec"
SHARE = "models/examples/share_link.mec"
COMMANDS = [
    command.name or getattr(command.callback, "__name__", "")
    for command in cli.app.registered_commands
]

# camera: local 4 s, remote 0.8 + 0.4 = 1.2 s; voice: 0.3 s against 0.1 + 0.03; map: 1 s against 2 +
# 0.1 s. camera and voice go (9 Mbit of 20), map stays.
OFFLOAD_OPTIMUM = 1.2 + 0.13 + 1.0

# Fifty markets to be split in five equal halves: a market split problem. No branch and bound ends
# within minutes.
LONG = """
model long "Split fifty markets in five equal halves"
set market = 1..50
set retailer = 1..5
let mix[m in market, r in retailer] = (m*7919 + r*104729 + m*m*r*31 + m*r*r*17) / 100
let demand[m in market, r in retailer] = floor(100*(mix[m, r] - floor(mix[m, r])))
var first[m in market] : binary
var over[r in retailer] : real >= 0
var under[r in retailer] : real >= 0
minimize miss = sum(over[r] + under[r] for r in retailer)
constraint half[r in retailer]:
    sum(demand[m, r]*first[m] for m in market) + over[r] - under[r] == floor(sum(demand[m, r] for m in market)/2)
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command line in this process, in the root of the repository: exit code, stdout,
    stderr.
    """
    monkeypatch.chdir(ROOT)

    def go(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as left:
            cli.main(arguments)
        out, err = capfd.readouterr()
        assert isinstance(left.value.code, int)
        return left.value.code, out, err

    return go


def start(*arguments: str, **streams: Any) -> "subprocess.Popen[str]":
    """Start the command line in a process of its own."""
    command = [sys.executable, "-m", "mecdsl", *arguments]
    return subprocess.Popen(command, cwd=ROOT, text=True, encoding="utf-8", **streams)


def piped(*arguments: str) -> tuple[int, str, str]:
    """Run it in a process of its own with pipes: exit code, stdout, stderr."""
    process = start(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


# Help ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_is_readable_at_80_columns(command: str, run: Run) -> None:
    code, out, err = run(*command.split(), "--help")
    assert (code, err) == (0, "")
    assert out.startswith(f"Usage: mecdsl {command}".rstrip())
    assert max(map(len, out.splitlines())) <= 80
    assert "..." not in out.replace("[ARGS]...", "").replace("NAME,...", "").replace(
        "FORM,...", ""
    )  # nothing is cut
    assert not re.search(r"--[a-z-]+ <", out)  # the names of Python's types mean nothing here


def test_no_command_prints_the_help(run: Run) -> None:
    code, out, err = run()
    assert (code, out) == (2, "")
    assert "Commands:" in err


def test_version(run: Run) -> None:
    code, out, _ = run("--version")
    assert code == 0
    assert re.fullmatch(r"mecdsl \d+\.\d+\.\d+\n", out)


# What each command prints -------------------------------------------------------------------------


def test_check_prints_the_class_with_its_reason(run: Run) -> None:
    code, out, err = run("check", MEL)
    assert (code, err) == (0, "")
    assert "nonconvex MIQCP: 11 variables (11 integer), 11 constraint rows" in out
    assert "bilinear in `updates*learner.batch`" in out
    assert "relaxed, equal, distributed, dropout: no faults" in out


def test_check_without_data_says_what_is_not_known(run: Run, tmp_path: Path) -> None:
    model = tmp_path / "open.mec"
    model.write_text("param a : s\nvar x : s >= 0\nminimize cost = x\nconstraint least: x >= a\n")
    code, out, _ = run("check", str(model))
    assert code == 0
    assert "not known without data" in out
    code, out, _ = run("check", str(model), "--json")
    assert code == 0
    assert json.loads(out)["class"] is None
    code, out, _ = run("check", str(model), "--set", "a=2s", "--json")
    assert json.loads(out)["class"] == "LP"


def test_matrices_are_shown_as_in_data(run: Run, tmp_path: Path) -> None:
    model = tmp_path / "matrix.mec"
    model.write_text(
        "param delay[i in 1..2, j in 1..3] : s = i * j * 1 ms\nparam ragged[i in 1..2, j in "
        "1..i] : 1 = 10*i + j\n"
        "var x[i in 1..2, j in 1..2] : s >= i * j * 1 s\nminimize total = sum(x[i, j] for i "
        "in 1..2, j in 1..2)\n"
    )
    _, shown, _ = run("show", str(model))
    assert re.search(r"delay\[i, j\] +\[\[1, 2, 3\], \[2, 4, 6\]\] ms\n", shown)
    assert re.search(r"ragged\[i, j\] +\[\[11\], \[21, 22\]\]\n", shown)
    assert re.search(r"x\[i, j\] +\[\[1, 2\], \[2, 4\]\] s\n", run("solve", str(model))[1])


def test_show_prints_values_with_units(run: Run) -> None:
    code, out, _ = run("show", OFFLOAD)
    assert code == 0
    assert "device.work[t]" in out
    assert "[4, 0.3, 1] Gcycle" in out
    code, out, _ = run("show", OFFLOAD, "--json")
    shown = json.loads(out)
    assert code == 0
    assert shown["values"]["device.work"] == [4e9, 0.3e9, 1e9]
    assert shown["units"]["device.work"] == "cycle"


def test_data_can_be_given_back(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("data", OFFLOAD)
    assert code == 0
    file = tmp_path / "case.json"
    file.write_text(out)
    code, out, _ = run("solve", OFFLOAD, "--data", str(file), "--json")
    assert code == 0
    assert json.loads(out)["objective"]["value"] == pytest.approx(OFFLOAD_OPTIMUM, rel=1e-9)


@pytest.mark.parametrize("kind", ["pyomo", "lp", "mps", "nl"])
def test_export_writes_the_file_it_names(kind: str, run: Run, tmp_path: Path) -> None:
    out_file = tmp_path / "x y.out"
    code, out, err = run("export", OFFLOAD, "--to", kind, "--out", str(out_file), "--raw")
    assert (code, err) == (0, "")
    assert out == f"wrote {out_file}: 3 variables, 1 constraint row\n"
    assert out_file.stat().st_size > 0


def test_export_says_what_it_scaled_and_writes_the_map(run: Run, tmp_path: Path) -> None:
    out_file, map_file = tmp_path / "radio.lp", tmp_path / "map.json"
    model = tmp_path / "radio.mec"
    model.write_text("model radio\nvar power : W in 1 pW..8 pW\nminimize used = power\n")
    code, out, err = run(
        "export", str(model), "--to", "lp", "--out", str(out_file), "--map", str(map_file)
    )
    assert code == 0
    assert out == f"wrote {out_file}: 1 variable, 0 constraint rows\n"
    assert err.startswith("note: scaled by powers of two: 1 of 1 variables, 1 of the objective is ")
    assert str(map_file) in err
    assert "--raw" in err
    found = json.loads(map_file.read_text())
    column = found["columns"]["power"]
    assert column["name"] == "power"
    assert column["unit"] == "W"
    assert column["factor"] == pytest.approx(3e-12, rel=1.0)  # a power of two between the bounds
    assert f"\\ column power {column['factor']!r} power [W]" in out_file.read_text()
    assert run("export", str(model), "--to", "lp", "--map", str(model))[0] == 2
    assert run("export", str(model), "--to", "lp", "--out", "x.lp", "--map", "x.lp")[0] == 2


def test_backends_are_listed_with_versions(run: Run) -> None:
    code, out, _ = run("backends", "--json")
    assert code == 0
    listed = {entry["name"]: entry for entry in json.loads(out)["backends"]}
    assert set(listed) >= {"highs", "ipopt", "scip", "mel-integer"}
    assert listed["highs"]["available"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", listed["highs"]["versions"]["highs"])
    code, out, err = run("backends")
    assert (code, err) == (0, "")
    assert max(map(len, out.splitlines())) <= 80


def test_explain_gives_an_example(run: Run) -> None:
    code, out, _ = run("explain", "e201")
    assert code == 0
    assert "E201" in out
    assert "corrected:" in out


def test_every_value_stands_on_a_line_of_its_own(run: Run) -> None:
    _, out, _ = run("solve", OFFLOAD, "--values")
    assert "device.remote[camera]  1\n" in out
    assert "device.remote[map]     0\n" in out


# JSON ---------------------------------------------------------------------------------------------

WITH_JSON = {
    "highs": (OFFLOAD,),
    "ipopt": (SHARE,),
    "scip": (MEL,),
    "bonmin": (OFFLOAD,),
    "mel-integer": (MEL,),
    "mel-root": (MEL, "--form", "relaxed"),
    "mel-polynomial": (MEL, "--form", "relaxed"),
    "mel-round": (MEL,),
    "mel-equal": (MEL,),
}
NUMBER = int | float | None


@pytest.mark.slow
@pytest.mark.parametrize("backend", WITH_JSON)
@pytest.mark.parametrize("via", ["arrays", "pyomo"])
def test_stdout_holds_one_object_and_nothing_else(backend: str, via: str) -> None:
    if via == "pyomo" and backend.startswith("mel-"):
        pytest.skip("hand-derived algorithms take arrays only")
    code, out, err = piped(
        "solve", *WITH_JSON[backend], "--backend", backend, "--via", via, "--json"
    )
    assert (code, err) == (0, "")
    result = json.loads(out)
    assert result["backend"] == backend
    _check_shape(result)


@pytest.mark.slow
def test_the_log_goes_to_stderr() -> None:
    code, out, err = piped("solve", OFFLOAD, "--backend", "highs", "--log", "--json")
    assert code == 0
    _check_shape(json.loads(out))
    assert "HiGHS" in err


def _check_shape(result: dict[str, Any]) -> None:
    for name in ("model", "form", "backend", "termination", "guarantee"):
        assert isinstance(result[name], str)
        assert result[name]
    assert isinstance(result["verified"], bool)
    assert {"name", "value", "unit", "sense"} <= set(result["objective"])
    assert result["objective"]["sense"] in ("minimize", "maximize")
    for name in ("bound", "gap", "max_violation"):
        assert isinstance(result[name], NUMBER)
    assert result["violations"]
    assert all(isinstance(amount, NUMBER) for amount in result["violations"].values())
    assert isinstance(result["values"], dict)
    assert isinstance(result["reports"], dict)
    assert list(result["seconds"]) == ["parse", "check", "instantiate", "lower", "solve", "verify"]
    assert all(
        isinstance(seconds, float) and seconds >= 0 for seconds in result["seconds"].values()
    )
    assert result["seed"] == 0
    assert all(isinstance(version, str) for version in result["versions"].values())


def test_values_are_nested_in_family_order(run: Run, tmp_path: Path) -> None:
    model = tmp_path / "shapes.mec"
    model.write_text("""
        set row = {a, b}
        var one : s >= 1 s
        var flat[i in row] : integer >= 2
        var grid[i in row, j in 1..3] : real >= 0
        var ragged[i in 1..3, j in 1..i where j >= 2] : real >= 1
        minimize cost = one/(1 s) + sum(flat[i] for i in row) + sum(grid[i, j] for i in row, j in 1..3) +
            sum(ragged[i, j] for i in 1..3, j in 1..i where j >= 2)
        constraint apart[i in row, j in 1..3]: grid[i, j] >= j
        report total : s = 2*one
    """)
    code, out, _ = run("solve", str(model), "--json")
    assert code == 0
    values = json.loads(out)["values"]
    assert values["one"] == pytest.approx(1.0)
    assert values["flat"] == [2, 2]
    assert all(isinstance(value, int) for value in values["flat"])
    assert np.array(values["grid"]) == pytest.approx(np.array([[1, 2, 3], [1, 2, 3]]))
    assert values["ragged"] == pytest.approx(
        [1, 1, 1]
    )  # (2,2), (3,2), (3,3), in the order of the members
    assert json.loads(out)["reports"] == {"total": pytest.approx(2.0)}


@pytest.mark.parametrize(
    ("arguments", "code", "diagnostic"),
    [
        (("solve", MEL, "--set", "learner_count=2.5"), 1, "E306"),
        (("solve", MEL, "--backend", "scipp"), 2, "E501"),
        (("check", MEL, "--form", "relxed"), 2, "E113"),
        (("solve", "no.mec"), 2, None),
        (("solve", MEL, "--gap", "abc"), 2, None),
        (("compare", MEL, "--backends", "nobody"), 2, "E501"),
    ],
)
def test_faults_are_json_too(
    arguments: tuple[str, ...], code: int, diagnostic: str | None, run: Run
) -> None:
    found, out, err = run(*arguments, "--json")
    report = json.loads(out)
    assert found == report["exit_code"] == code
    assert report["diagnostics"][0]["code"] == diagnostic
    assert report["diagnostics"][0]["message"] in err


@pytest.mark.slow
def test_json_is_utf8_whatever_the_terminal(tmp_path: Path) -> None:
    model = tmp_path / "größe 模型.mec"
    model.write_text(
        'model m "Größe 模型"\nvar x : s >= 1 s "Zeit t₀"\nminimize cost = x\n', encoding="utf-8"
    )
    environment = {**os.environ, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0", "LC_ALL": "C"}
    command = [sys.executable, "-m", "mecdsl", "check", str(model)]
    plain = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
    assert plain.returncode == 0
    assert rb"Gr\xf6\xdfe" in plain.stdout  # a terminal that has no `ö` gets its number
    done = subprocess.run(
        [*command, "--json"], cwd=ROOT, env=environment, capture_output=True, check=False
    )
    assert json.loads(done.stdout.decode("utf-8"))["model"] == "m"
    # in this locale the name of a file is bytes to Python, which JSON cannot hold as they are
    missing = [*command[:-1], str(tmp_path / "größe.mec"), "--json"]
    done = subprocess.run(missing, cwd=ROOT, env=environment, capture_output=True, check=False)
    assert "does not exist" in json.loads(done.stdout.decode("utf-8"))["diagnostics"][0]["message"]


# Exit codes ---------------------------------------------------------------------------------------


def test_0_done_and_verified(run: Run) -> None:
    code, out, _ = run("solve", OFFLOAD)
    assert code == 0
    assert "total_time = 2.33 s (minimized)" in out
    assert "globally optimal, verified" in out


def test_1_faults_in_the_model(run: Run, tmp_path: Path) -> None:
    model = tmp_path / "wrong.mec"
    model.write_text("var x : s >= 0 s\nminimize cost = x + 1 bit\n")
    code, out, err = run("solve", str(model))
    assert (code, out) == (1, "")
    assert "error[E201]" in err
    assert f"{model}:2:" in err


def test_3_infeasible_and_unbounded(run: Run, tmp_path: Path) -> None:
    code, out, _ = run("solve", "models/examples/infeasible.mec")
    assert code == 3
    assert "infeasible, proven" in out
    model = tmp_path / "free.mec"
    model.write_text("var x : real\nminimize cost = x\nconstraint most: x <= 3\n")
    code, out, _ = run("solve", str(model), "--json")
    assert code == 3
    assert json.loads(out)["termination"] in ("unbounded", "infeasible or unbounded")
    assert json.loads(out)["objective"]["value"] is None


@pytest.mark.parametrize(
    ("model", "backend"), [(OFFLOAD, "highs"), (MEL, "scip"), (SHARE, "ipopt")]
)
def test_4_a_time_limit_before_any_answer(model: str, backend: str, run: Run) -> None:
    code, out, _ = run("solve", model, "--backend", backend, "--time-limit", "0", "--json")
    assert code == 4
    assert json.loads(out)["termination"] == "time limit"


class Liar:
    """A backend that sends no task to the server and claims that this takes no time."""

    name = "liar"
    capabilities = Capabilities(
        title="a liar",
        classes=frozenset(ProblemClass),
        guarantee=Guarantee.GLOBAL,
        reference="nobody",
        models=("offload",),
    )

    def availability(self) -> Availability:
        return Availability(True)

    def accepts(self, request: Request) -> Acceptance:
        return Acceptance(True)

    def solve(self, request: Request) -> Solution:
        nothing = np.zeros(request.instance.columns)
        return Solution(
            backend="liar",
            termination=Termination.OPTIMAL,
            guarantee=Guarantee.GLOBAL,
            values=nothing,
            objective=0.0,
            bound=0.0,
        )


def test_5_the_answer_fails_verification(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "BUILT_IN", {**table.BUILT_IN, "liar": "tests.test_cli:Liar"})
    code, out, _ = run("solve", OFFLOAD, "--backend", "liar")
    assert code == 5
    assert "NOT VERIFIED" in out
    assert "claims objective 0" in out
    assert "total_time = 5.3 s" in out  # all run on the device: 4 + 0.3 + 1
    code, out, _ = run("compare", OFFLOAD, "--backends", "liar,highs")
    assert code == 5
    assert "best proven bound: 2.33\n" in out


@pytest.mark.skipif(os.name != "posix", reason="needs SIGINT")
@pytest.mark.parametrize("presses", [1, 2])
@pytest.mark.slow
def test_130_interrupted(presses: int, tmp_path: Path) -> None:
    model = tmp_path / "long.mec"
    model.write_text(LONG)
    process = start(
        "solve", str(model), "-b", "scip", "--log", stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stderr is not None
    for line in process.stderr:
        if "time | node" in line:  # the search has begun
            break
    for _ in range(presses):
        process.send_signal(signal.SIGINT)
        time.sleep(0.01)
    out, err = process.communicate(timeout=PATIENCE)
    assert "Traceback" not in err
    assert process.returncode in ((130,) if presses == 1 else (130, -signal.SIGINT))
    if presses == 1:
        assert "stopped: interrupted" in out  # the best point so far is kept and verified


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs SIGINT")
def test_a_comparison_ends_with_the_interrupted_run(tmp_path: Path) -> None:
    model = tmp_path / "long.mec"
    model.write_text(LONG)
    arguments = ("compare", str(model), "--backends", "scip,highs", "--json")
    process = start(*arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    while not has_a_fork(process.pid):  # SCIP runs in one
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (130, "")
    first, second = json.loads(out)["entries"]
    assert first["result"]["termination"] == "interrupted"
    assert (second["result"], second["reason"]) == (None, "interrupted before")


class Patient(Liar):
    """An algorithm derived by hand that gets Ctrl-C while it computes."""

    def solve(self, request: Request) -> Solution:
        signal.raise_signal(signal.SIGINT)
        raise AssertionError("Ctrl-C was not heard")


@pytest.mark.skipif(os.name != "posix", reason="needs SIGINT")
def test_an_algorithm_derived_by_hand_is_interrupted_at_once(
    run: Run, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    previous = signal.signal(
        signal.SIGINT, signal.default_int_handler
    )  # shells turn it off for jobs behind `&`
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, previous))
    monkeypatch.setattr(table, "BUILT_IN", {**table.BUILT_IN, "patient": "tests.test_cli:Patient"})
    code, out, _ = run("solve", OFFLOAD, "--backend", "patient")
    assert code == 130
    assert re.search(r"^status +interrupted$", out, re.MULTILINE)
    code, out, _ = run("compare", OFFLOAD, "--backends", "patient,highs")
    assert code == 130
    assert "highs did not run: interrupted before" in out


def test_130_interrupted_while_modules_are_read(
    monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    def pressed() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "main", pressed)
    with pytest.raises(SystemExit) as left:
        mecdsl.__main__.main()
    assert left.value.code == 130
    assert capsys.readouterr() == ("", "interrupted\n")


# Mistakes -----------------------------------------------------------------------------------------

MISTAKES: list[tuple[str, int, str]] = [
    # arguments, `{}` is a folder of files; exit code; what the message says
    ("slove", 2, "did you mean `solve`?"),
    (f"{MEL}", 2, f"help: a command comes first: `mecdsl solve {MEL}`"),
    ("solve", 2, "missing argument `MODEL`"),
    (f"solve {MEL} {OFFLOAD}", 2, "unexpected extra argument"),
    (f"solve {MEL} --solver scip", 2, "it is called `--backend` here"),
    (f"solve {MEL} --timeout 3", 2, "it is called `--time-limit` here"),
    (f"solve {MEL} --fomr relaxed", 2, "--form"),
    (f"solve {MEL} --form", 2, "requires an argument"),
    ("solve models/mel.me", 2, "did you mean `models/mel.mec`?"),
    ("solve models", 2, "`models` is a folder"),
    ("solve {}/case.json", 2, "is no model\n  help: data are given with `--data"),
    ("solve {}/empty.mec", 1, "the text holds no statement"),
    ("solve {}/binary.mec", 1, "not UTF-8"),
    (f"solve {MEL} --data no.json", 2, "`no.json` does not exist"),
    (f"solve {MEL} --data models", 2, "`models` is a folder"),
    (f"solve {MEL} --data {MEL}", 2, "is a model and no data file"),
    (f"solve {MEL} --data {{}}/empty.json", 1, "the file is empty"),
    (f"solve {MEL} --data {{}}/list.json", 1, "a data file is one JSON object"),
    (f"solve {MEL} --data {{}}/other.json", 1, "no parameter `learner.gpu`"),
    (f"solve {OFFLOAD} --data {{}}/case.json", 1, "no parameter `learner_count`"),
    (f"solve {MEL} --form relxed", 2, "did you mean `relaxed`?"),
    (f"solve {MEL} --form relaxed,equal", 2, "`relaxed+equal` applies both"),
    (f"check {MEL} --form relxed", 2, "did you mean `relaxed`?"),
    (f"compare {MEL} --form relaxed,equl", 2, "did you mean `equal`?"),
    (f"solve {MEL} --data {{}}/case.json --data={{}}/other.json", 2, "`--data` is given twice"),
    (f"solve {MEL} --backend scip -b highs", 2, "`--backend` is given twice"),
    (f"solve {MEL} --backend scipp", 2, "did you mean `scip`?"),
    (f"solve {MEL} --backend SCIP", 2, "did you mean `scip`?"),
    (f"solve {MEL} --backend highs", 2, "add `--form equal`"),
    (f"solve {MEL} --backend ipopt", 2, "11 variables are integer"),
    (f"solve {MEL} --backend mel-root", 2, "add `--form relaxed`"),
    (f"solve {OFFLOAD} --backend mel-root", 2, "backends that take it: highs"),
    (f"compare {MEL} --backends scip,scipp", 2, "did you mean `scip`?"),
    (f"compare {MEL} --backends scip --option scipp:limits/nodes=1", 2, "did you mean `scip`?"),
    (
        f"compare {MEL} --backends scip --option limits/nodes=1",
        2,
        "write `--option scip:name=value`",
    ),
    (f"compare {MEL} --backends scip --option scip:limits/nodes", 2, "has no value"),
    (
        f"compare {MEL} --backends scip --option mel-round:moves=true",
        2,
        "`mel-round` is not compared",
    ),
    (
        f"compare {MEL} --backends scip --option scip:a=1 --option scip:a=2",
        2,
        "`--option scip:a` is given twice",
    ),
    (f"solve {MEL} --set learner.cpu=1Gcycle/s", 1, "needs a list of 10 values"),
    (f"solve {MEL} --set learner.cpu=[1,2,3]", 1, "7 missing"),
    (f"solve {MEL} --set cpu=[1,2,3]", 1, "did you mean `learner.cpu`?"),
    (f"solve {MEL} --set learner_count=-1", 1, "is -1, expected >= 0"),
    (f"solve {MEL} --set learner_count=1e12", 1, "use smaller sets"),
    (f"solve {MEL} --set learner_count=2.5", 1, "is 2.5, expected an integer"),
    (f"solve {MEL} --set learner_count=ten", 1, "is `ten`, expected a number"),
    (f"solve {MEL} --set learner_count=NaN", 1, "not a finite number"),
    (f"solve {MEL} --set learner_count=null", 1, "`null`, expected a number"),
    (f"solve {MEL} --set learner_count=true", 1, "`true`, expected a number"),
    (f"solve {MEL} --set learner_count", 2, "is no setting\n"),
    (f"solve {MEL} --set =3", 2, "is no setting\n"),
    (f"solve {MEL} --set cycle_time=45m", 1, "`cycle_time` is in [s], its data in [m]"),
    (f"solve {MEL} --set cycle_time=45Gb", 1, "write `Gbit`"),
    (f"solve {MEL} --set cycle_time=-45s", 1, "expected > 0 s"),
    (f"solve {MEL} --set cycle_time=1e400", 1, "not a finite number"),
    (f"solve {MEL} --set cycle_time=4 --set cycle_time=5", 1, "is set twice"),
    (f"solve {MEL} --set updates=3", 1, "`updates` is a variable"),
    (f"solve {MEL} --set compute=3", 1, "is computed by the model"),
    (f"solve {MEL} --set lörner=1", 1, "no parameter `lörner`"),
    (
        f"solve {MEL} --set cycle_time=4,5s",
        1,
        "`cycle_time` is `4,5s`, expected a number or a quantity",
    ),
    (f"solve {MEL} --set cycle_time=4,5s", 1, "a decimal mark is a point"),
    (
        f"solve {MEL} --set cycle_time=45 s",
        2,
        'a value with blanks stands in quotes: `--set "cycle_time=45 s"`',
    ),
    (f"solve {MEL} --set learner.cpu=[1,'2']", 2, "write a list as `[1, 2]` or `[1 s, 2 s]`"),
    (f"solve {MEL} --data {{}}/digits.json", 1, "holds a number of thousands of digits"),
    (f"solve {MEL} --time-limit -1", 2, "write seconds, or a time such as 90s or 5min"),
    (f"solve {MEL} --time-limit soon", 2, "write seconds, or a time such as 90s or 5min"),
    (f"solve {MEL} --time-limit 5bit", 2, "write seconds, or a time such as 90s or 5min"),
    (f"solve {MEL} --time-limit 1e400", 2, "expected a finite time"),
    (f"solve {MEL} --gap nan", 2, "expected a number from 0 to below 1"),
    (f"solve {MEL} --gap -1", 2, "expected a number from 0 to below 1"),
    (f"solve {MEL} --gap 5%", 2, "invalid value for `--gap`: `5%` is no number"),
    (f"solve {MEL} --gap 0,01", 2, "a decimal mark is a point: `0.01`"),
    (f"compare {MEL} --gap 1", 2, "expected a number from 0 to below 1"),
    (f"solve {MEL} --threads 0", 2, "expected 1 to "),
    (f"solve {OFFLOAD} --threads 1000000", 2, "expected 1 to "),
    (f"solve {MEL} --threads two", 2, "invalid value for `--threads`: `two` is no whole number"),
    (f"solve {MEL} --seed abc", 2, "invalid value for `--seed`: `abc` is no whole number"),
    (f"solve {MEL} --seed=1.5", 2, "invalid value for `--seed`: `1.5` is no whole number"),
    (f"solve {MEL} --seed -1", 2, "invalid value for `--seed`: `-1` is less than 0"),
    (f"data {MEL} --seed -1", 2, "invalid value for `--seed`: `-1` is less than 0"),
    (f"compare {MEL} --seeds -1..3", 2, "a seed is a whole number from 0 on"),
    (f"compare {MEL} --form ,", 2, "`--form ,` names no form"),
    ("layers models", 2, "`models` is a folder"),
    ("layers vgg16 --bits 0", 2, "invalid value for `--bits`: `0` is less than 1"),
    (f"solve {MEL} --option nodes", 2, "write `--option name=value`"),
    (f"solve {MEL} --option a=1 --option a=2", 2, "keep one of the two"),
    (f"solve {MEL} --option foo=1", 2, "`mel-integer` has no option `foo`"),
    (f"solve {MEL} -b scip --option foo=1", 2, "SCIP has no option `foo`"),
    (f"solve {OFFLOAD} --option foo=1", 2, "HiGHS has no option `foo`"),
    (f"solve {SHARE} -b ipopt --option foo=1", 2, "Ipopt has no option `foo`"),
    (f"solve {MEL} --via file", 2, "expected `arrays` or `pyomo`"),
    (f"solve {MEL} --via pyomo -b mel-integer", 2, "leave out `--via pyomo`"),
    (f"solve {MEL} --warm-start no.json", 2, "`no.json` cannot be read"),
    (f"solve {MEL} --warm-start {{}}/list.json", 2, "is no result"),
    (
        f"solve {MEL} --warm-start {{}}/offload-result.json",
        2,
        "/offload-result.json` has no values of the variables of this model",
    ),
    (
        f"solve {MEL} --warm-start {{}}/short-result.json",
        2,
        "/short-result.json` does not fit: `learner.batch` has 2 values, the model 10",
    ),
    (
        f"solve {MEL} --warm-start {{}}/words-result.json",
        2,
        "/words-result.json` does not fit: `learner.batch` has no numbers",
    ),
    (
        f"solve {MEL} --warm-start {{}}/infeasible-result.json",
        2,
        "/infeasible-result.json` holds no values",
    ),
    (f"export {MEL}", 2, "missing option `--to`"),
    (f"export {MEL} --to gams", 2, "known are pyomo, lp, mps, nl"),
    (f"export {MEL} --to lp --out {{}}/no/where.lp", 2, "no such file or directory"),
    (f"export {MEL} --to lp --out {{}}", 2, "is a directory"),
    ("export {}/copy.mec --to lp --out {}/copy.mec", 2, "would be overwritten"),
    ("explain E999", 2, "unknown code `E999`"),
    ("explain", 2, "missing argument `CODE`"),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a blank in its name and files of every wrong kind."""
    place = tmp_path / "my files"
    place.mkdir()
    texts = {
        "case.json": '{"learner_count": 3}',
        "empty.mec": "",
        "empty.json": "",
        "list.json": "[1, 2]",
        "digits.json": '{"learner_count": 1' + "0" * 5000 + "}",
        "other.json": '{"speed": 3, "learner": {"gpu": [1]}}',
        "offload-result.json": '{"values": {"device.remote": [1, 1, 0]}}',
        "short-result.json": '{"values": {"learner.batch": [1, 2], "updates": 3}}',
        "words-result.json": '{"values": {"learner.batch": ["a", "b"], "updates": 3}}',
        "infeasible-result.json": '{"values": {}}',
        "copy.mec": (ROOT / MEL).read_text(),
    }
    for name, text in texts.items():
        (place / name).write_text(text)
    (place / "binary.mec").write_bytes(bytes(range(128, 256)))
    return place


@pytest.mark.parametrize(
    ("words", "code", "message"), MISTAKES, ids=[words for words, _, _ in MISTAKES]
)
def test_a_mistake_is_answered_with_the_fix(
    words: str, code: int, message: str, run: Run, folder: Path
) -> None:
    found, out, err = run(*(word.replace("{}", str(folder)) for word in words.split()))
    assert message in err
    assert (found, out) == (code, "")
    assert "Traceback" not in err
    assert "fault of mecdsl" not in err
    assert err.startswith("error")


def test_a_list_on_the_command_line_needs_no_quotes(run: Run) -> None:
    shown = []
    for speeds in (
        "[2Gcycle/s, 1 Gcycle/s, 500 Mcycle/s]",
        "[2e9, 1e9, 5e8]",
        '["2 Gcycle/s", 1e9, "5e8"]',
    ):
        code, out, _ = run(
            "show", MEL, "--set", "learner_count=3", "--set", f"learner.cpu={speeds}", "--json"
        )
        assert code == 0
        shown.append(json.loads(out)["values"]["learner.cpu"])
    assert shown == [[2e9, 1e9, 5e8]] * 3


def test_what_is_read_is_never_overwritten(run: Run, folder: Path) -> None:
    model = folder / "copy.mec"
    run("export", str(model), "--to", "lp", "--out", str(folder / ".." / "my files" / "copy.mec"))
    assert model.read_text() == (ROOT / MEL).read_text()


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="nothing is forbidden to root")
def test_no_permission_is_said(run: Run, folder: Path) -> None:
    (folder / "copy.mec").chmod(0)
    code, _, err = run("check", str(folder / "copy.mec"))
    assert (code, "permission denied" in err) == (2, True)
    folder.chmod(0o500)
    code, _, err = run("export", MEL, "--to", "lp", "--out", str(folder / "x.lp"))
    folder.chmod(0o700)
    assert (code, "permission denied" in err) == (2, True)


def test_forms_are_named_in_any_usual_way(run: Run) -> None:
    for form, shown in (
        ("base", "base"),
        ("", "base"),
        ("relaxed+", "relaxed"),
        (" relaxed + relaxed", "relaxed"),
    ):
        code, out, _ = run("solve", MEL, "--form", form, "--json")
        assert (code, json.loads(out)["form"]) == (0, shown)


def test_relax_is_named_in_the_answer(run: Run) -> None:
    code, out, _ = run("solve", MEL, "--relax")
    assert code == 0
    assert out.startswith("mel (every variable continuous): ")
    _, out, _ = run("solve", MEL, "--relax", "--json")
    assert json.loads(out)["relaxed"] is True


@pytest.mark.slow
def test_a_fault_of_the_program_itself_shows_no_traceback(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(table, "BUILT_IN", {**table.BUILT_IN, "broken": "tests.test_cli:Broken"})
    code, out, err = run("solve", OFFLOAD, "--backend", "broken")
    assert (code, out) == (4, "")
    assert "a fault of mecdsl itself: ZeroDivisionError: oh" in err
    assert "Traceback" not in err
    monkeypatch.setenv("MECDSL_TRACEBACK", "1")
    _, _, err = run("solve", OFFLOAD, "--backend", "broken")
    assert "Traceback" in err


class Broken(Liar):
    """A backend with a fault."""

    def solve(self, request: Request) -> Solution:
        raise ZeroDivisionError("oh")


def test_a_warm_start_comes_from_a_result(run: Run, tmp_path: Path) -> None:
    _, out, _ = run("solve", MEL, "--json")
    result = tmp_path / "result.json"
    result.write_text(out)
    code, out, _ = run("solve", MEL, "--backend", "scip", "--warm-start", str(result), "--json")
    assert (code, json.loads(out)["objective"]["value"]) == (0, 6)


def test_auto_takes_a_backend_that_heeds_the_warm_start(run: Run, tmp_path: Path) -> None:
    _, out, _ = run("solve", MEL, "--json")
    result = tmp_path / "result.json"
    result.write_text(out)
    assert json.loads(out)["backend"] == "mel-integer"
    code, out, _ = run("solve", MEL, "--warm-start", str(result), "--json")
    assert (code, json.loads(out)["backend"]) == (0, "scip")
    code, _, err = run("solve", MEL, "--backend", "mel-integer", "--warm-start", str(result))
    assert code == 2
    assert "`mel-integer` takes no warm start\n  help: backends that take one: scip, bonmin" in err


@pytest.mark.slow
def test_many_starts_are_told_in_text_and_as_numbers(run: Run) -> None:
    code, out, _ = run("solve", SHARE, "-b", "ipopt", "--starts", "3")
    assert code == 0
    assert "note       3 starts: 3 local optima, all of value" in out
    _, out, _ = run("solve", SHARE, "-b", "ipopt", "--starts", "3", "--threads", "1", "--json")
    starts = json.loads(out)["starts"]
    assert (starts["asked"], starts["optima"], starts["distinct"]) == (3, 3, 1)
    code, _, err = run("solve", SHARE, "-b", "scip", "--starts", "3")
    assert code == 2
    assert "help: backends that take them: ipopt" in err
    code, _, err = run("solve", SHARE, "--starts", "0")
    assert code == 2


# Streams ------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("backends",), 0),
        (("--help",), 0),
        (("solve", OFFLOAD), 0),
        (("solve", OFFLOAD, "--json"), 0),
        (("solve", "models/examples/infeasible.mec"), 3),
        (("solve", "no.mec"), 2),
    ],
)
def test_a_reader_that_goes_away_changes_nothing(arguments: tuple[str, ...], code: int) -> None:
    reading, writing = os.pipe()
    process = start(*arguments, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    os.close(reading)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == code
    assert "Traceback" not in err
    assert "Broken" not in err


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "arguments", [("solve", OFFLOAD), ("solve", OFFLOAD, "--json"), ("backends",), ("--help",)]
)
def test_a_full_disk_is_said(arguments: tuple[str, ...]) -> None:
    with open("/dev/full", "w") as full:
        process = start(*arguments, stdout=full, stderr=subprocess.PIPE)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 4
    assert err == "error: the output cannot be written: no space left on device\n"


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
@pytest.mark.parametrize(
    ("closed", "code"), [("<&-", 0), (">&-", 0), ("2>&-", 0), ("<&- >&- 2>&-", 0)]
)
def test_closed_streams_do_no_harm(closed: str, code: int) -> None:
    command = f'"{sys.executable}" -m mecdsl solve {OFFLOAD} {closed}'
    done = subprocess.run(
        ["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == code
    assert done.stderr == ""
    assert ("total_time = 2.33 s" in done.stdout) == (">&-" not in closed.replace("2>&-", ""))


def test_a_model_cannot_play_with_the_terminal(run: Run, tmp_path: Path) -> None:
    model = tmp_path / "red.mec"
    model.write_text('model m "\x1b[31mred"\nvar x : real >= 1\nminimize cost = x\n')
    code, out, _ = run("check", str(model))
    assert code == 0
    assert "m: \ufffd[31mred" in out


@pytest.mark.slow
def test_a_model_comes_from_a_pipe() -> None:
    process = start(
        "solve", "/dev/stdin", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = process.communicate((ROOT / OFFLOAD).read_text(), timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")
    assert "total_time = 2.33 s" in out


# Width --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_many_forms_stay_within_80_columns(run: Run) -> None:
    code, out, _ = run("check", "models/cooperative.mec")
    assert code == 0
    assert [line for line in out.splitlines() if len(line) > 80] == []


def test_shortened_values_say_how_to_see_them_and_binaries_are_counted(
    run: Run, tmp_path: Path
) -> None:
    model = tmp_path / "many.mec"
    model.write_text(
        "var x[i in 1..50] : binary\nvar y[i in 1..50] : 1 in 0..i\n"
        "minimize cost = sum(i*x[i] - y[i] for i in 1..50)\n"
        "constraint enough: sum(x[i] for i in 1..50) >= 7\n"
    )
    _, out, _ = run("solve", str(model))
    assert "values  (--values prints every one)" in out
    assert "x[i]  7 of 50 are 1" in out
    _, out, _ = run("solve", str(model), "--values")
    assert "(--values" not in out
    assert re.search(r"^  x\[7\] +1$", out, re.MULTILINE)
    assert re.search(r"^  x\[8\] +0$", out, re.MULTILINE)
    _, out, _ = run("solve", OFFLOAD)
    assert "(--values" not in out


def test_long_names_stay_within_80_columns(run: Run, tmp_path: Path) -> None:
    name = "transmission_power_of_the_orthogonal_subchannel"
    model = tmp_path / "long.mec"
    model.write_text(f"""
        model {name} "{"A model with a long title and names nobody would want to read twice " * 2}"
        nodes device_at_the_far_edge[k in 1..30] {{
            {name} : W = k * 1.2345 W "{"meaning of a long name " * 6}"
            var level_{name} : W >= 0 W
        }}
        maximize objective_{name} = sum(k.level_{name} for k in device_at_the_far_edge)
        constraint limit_{name}[k in device_at_the_far_edge]: k.level_{name} <= k.{name}
    """)
    for command in (("show",), ("check",), ("solve",), ("compare",), ("solve", "--values")):
        code, out, _ = run(command[0], str(model), *command[1:])
        assert code == 0
        assert name in out
        assert [line for line in out.splitlines() if len(line) > 80] == []


@pytest.mark.parametrize("command", ["check", "solve"])
def test_an_error_comes_before_the_warnings(
    command: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "idle.mec"
    path.write_text("param idle : s = 1 s\nvar x : in 1..3\nminimize goal = x", encoding="utf-8")
    _, _, said = run(command, str(path))
    assert "`idle` is never used" in said

    def full(text: str) -> None:
        raise Stop(4, "the output cannot be written: no space left on device")

    monkeypatch.setattr(cli, "say", full)
    code, _, said = run(command, str(path))
    assert code == 4
    assert said == "error: the output cannot be written: no space left on device\n"
