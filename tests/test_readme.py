"""What the pages say is what happens: every command and every program of README.md, the claims of
models/README.md.

After a wanted change of an output, `MECDSL_UPDATE_GOLDEN=1 uv run pytest tests/test_readme.py`
writes the new outputs into README.md; then read the difference.
"""

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from mecdsl.backends import table
from mecdsl.backends.shared import licensed

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
UPDATE = bool(os.environ.get("MECDSL_UPDATE_GOLDEN"))
CONSOLE = re.compile(
    r"^```console\n(\$ uv run mecdsl ([^\n]*)\n(.*?))^```$", re.MULTILINE | re.DOTALL
)
PRINTED = re.compile(
    r"^```python\n((?:(?!```).)*)^```\n\n```text\n(.*?)^```$", re.MULTILINE | re.DOTALL
)
PYTHON = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STAGES = "parse|check|instantiate|lower|solve|verify"

# A small Pyomo model for the program that starts from one.
PYOMO_MODEL = """
import pyomo.environ as pyo
model = pyo.ConcreteModel()
model.x = pyo.Var(bounds=(0, 4), initialize=1)
model.cost = pyo.Objective(expr=(model.x - 3)**2)
"""


def blocks() -> list[tuple[str, str]]:
    """The arguments of each command in README.md and the output that stands below it."""
    return [(found[2], found[3]) for found in CONSOLE.finditer(README.read_text(encoding="utf-8"))]


def run(arguments: list[str]) -> subprocess.CompletedProcess[str]:
    """Run a command in the root of the repository, as a reader would."""
    command = [sys.executable, "-m", "mecdsl", *arguments]
    environment = {**os.environ, "PYTHONUTF8": "1"}
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False, env=environment
    )


def without_seconds(text: str) -> str:
    """Numbers of seconds, in the last line of a solve and in the column of a comparison, as
    `0.000`.
    """
    text = re.sub(r"^seconds  .*?(?=^\n|\Z)", _times, text, flags=re.MULTILINE | re.DOTALL)
    lines, column = [], 0
    for line in text.split("\n"):
        found = re.match(r"backend +objective .*? seconds(?= )", line)
        column = found.end() if found else column if line else 0
        line = re.sub(
            r" \d+\.\d{2} \(\d+\.\d{2}\.\.\d+\.\d{2}\)$", " 0.00 (0.00..0.00)", line
        )  # of a study
        if column and re.search(r" \d+\.\d{3}$", line[:column]):
            line = re.sub(r" *\d+\.\d{3}$", "  0.000", line[:column]) + line[column:]
        lines.append(line)
    return "\n".join(lines)


def _times(paragraph: re.Match[str]) -> str:
    words = " ".join(paragraph[0].split())
    return re.sub(rf"\b({STAGES}) \d+\.\d{{3}}", r"\1 0.000", words) + "\n"


def test_only_seconds_are_replaced() -> None:
    table = (
        "backend  objective  seconds  guarantee\nscip         6.123    1.250  "
        "global\n\n6.123    1.250\n"
    )
    assert without_seconds(table) == (
        "backend  objective  seconds  guarantee\nscip         6.123  0.000  global\n\n6.123  "
        "  1.250\n"
    )
    study = "violation  seconds\n-          0.03 (0.02..1.25)\n"
    assert without_seconds(study) == "violation  seconds\n-          0.00 (0.00..0.00)\n"
    stages = "bound  2.330 s\n\nseconds  parse 0.382, check 0.001, lower 12.007,\nverify 0.001\n"
    assert without_seconds(stages) == (
        "bound  2.330 s\n\nseconds parse 0.000, check 0.000, lower 0.000, verify 0.000\n"
    )


def test_readme_has_commands() -> None:
    assert len(blocks()) >= 6


@pytest.mark.slow
@pytest.mark.skipif(UPDATE, reason="the outputs are being written")
@pytest.mark.parametrize(
    ("arguments", "stated"), blocks(), ids=[arguments for arguments, _ in blocks()]
)
def test_outputs_stand_in_the_readme(arguments: str, stated: str) -> None:
    extra = next(
        (name for name in ("gurobi", "xpress") if table.load(name).availability().available), ""
    )
    if extra and "backends that take it" in stated:
        pytest.skip(f"the list of backends has the optional `{extra}` in it here")
    done = run(shlex.split(arguments))
    assert without_seconds((done.stdout + done.stderr).rstrip() + "\n") == without_seconds(stated)


@pytest.mark.skipif(not UPDATE, reason="the outputs are being compared")
def test_write_outputs_into_the_readme() -> None:
    def renewed(found: re.Match[str]) -> str:
        done = run(shlex.split(found[2]))
        now = (done.stdout + done.stderr).rstrip() + "\n"
        same = without_seconds(now) == without_seconds(found[3])
        return (
            found[0] if same else found[0].replace(found[1], f"$ uv run mecdsl {found[2]}\n{now}")
        )

    text = README.read_text(encoding="utf-8")
    README.write_text(CONSOLE.sub(renewed, text), encoding="utf-8")


@pytest.mark.parametrize("page", ["README.md", "backends/README.md"])
@pytest.mark.slow
def test_programs_run(
    page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "models").symlink_to(ROOT / "models")
    monkeypatch.chdir(tmp_path)  # for the files they write
    programs = PYTHON.findall((ROOT / page).read_text(encoding="utf-8"))
    assert programs
    for program in programs:
        names: dict[str, object] = {}
        if "model =" not in program:
            exec(PYOMO_MODEL, names)
        exec(program, names)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("page", ["README.md", "backends/README.md"])
@pytest.mark.slow
def test_programs_print_what_stands_below_them(
    page: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "models").symlink_to(ROOT / "models")
    monkeypatch.chdir(tmp_path)  # for the files they write
    monkeypatch.setattr(licensed, "find_spec", lambda name: None)  # as without optional solvers
    programs = PRINTED.findall((ROOT / page).read_text(encoding="utf-8"))
    assert programs
    for program, stated in programs:
        exec(program, {})
        assert capsys.readouterr().out == stated


def test_the_mel_program_prints_what_its_comment_says(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    (program,) = (p for p in PYTHON.findall(README.read_text(encoding="utf-8")) if "mel.mec" in p)
    exec(program, {})
    out = capfd.readouterr().out
    assert "globally optimal" in out
    assert "learner.batch" in out  # the Pyomo model has the model's own names


def test_the_model_in_the_readme_is_the_file_it_names() -> None:
    text = README.read_text(encoding="utf-8")
    (shown,) = re.findall(r"^```\n(model offload .*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert shown == (ROOT / "models" / "examples" / "offload.mec").read_text(encoding="utf-8")


def test_every_command_is_in_the_table_of_the_readme() -> None:
    listed = run(["--help"]).stdout.partition("Commands:")[2]
    commands = re.findall(r"^  ([\w-]+) ", listed, re.MULTILINE)
    assert "solve" in commands
    table = set(re.findall(r"`mecdsl ([\w-]+)", README.read_text(encoding="utf-8")))
    assert set(commands) <= table


# The claims of models/README.md -------------------------------------------------------------------


def claims() -> dict[str, tuple[str, list[str]]]:
    """By claim: what comes out here and the command, from the table of models/README.md."""
    text = (ROOT / "models" / "README.md").read_text(encoding="utf-8")
    rows = [
        line.strip("|").split("|")
        for line in text.splitlines()
        if "`mecdsl " in line and line.count("|") == 5
    ]
    return {
        row[0].strip(): (row[2].strip(), shlex.split(row[3].strip().strip("`"))[1:]) for row in rows
    }


def results(command: list[str]) -> dict[str, dict[str, object]]:
    """The results of a comparison by backend."""
    done = run([*command, "--json"])
    assert done.returncode == 0, done.stderr
    return {entry["backend"]: entry["result"] for entry in json.loads(done.stdout)["entries"]}


def objective(result: dict[str, object]) -> float:
    value = result["objective"]
    assert isinstance(value, dict)
    return float(value["value"])


@pytest.mark.slow
@pytest.mark.parametrize(
    "claim", [claim for claim in claims() if "adaptive against equal" in claim]
)
def test_adaptive_against_equal(claim: str) -> None:
    stated, command = claims()[claim]
    found = results(command)
    adaptive, equal = (int(word) for word in re.findall(r"\d+", stated))
    assert objective(found["mel-integer"]) == adaptive
    assert objective(found["mel-equal"]) == equal


@pytest.mark.slow
def test_the_analytical_bound_is_the_numerical_solution() -> None:
    _, command = claims()["the analytical bound equals the numerical solution"]
    values = {name: objective(result) for name, result in results(command).items()}
    assert values["ipopt"] == pytest.approx(values["mel-root"], rel=1e-6)
    assert values["scip"] == pytest.approx(values["mel-root"], rel=1e-6)


@pytest.mark.slow
def test_the_integer_problem_is_solved_to_a_proof() -> None:
    _, command = claims()["problem (12) is NP-hard"]
    done = run(command)
    assert done.returncode == 0
    assert "globally optimal, verified" in done.stdout


def without_rounding(text: str) -> str:
    """Distances of a proven optimum, which are rounding errors, as `0.0e+00`."""
    return re.sub(r"\b\d\.\de-1\d\b", "0.0e+00", text)


@pytest.mark.slow
def test_the_comparison_of_noma_stands_in_the_models_readme() -> None:
    text = (ROOT / "models" / "README.md").read_text(encoding="utf-8")
    ((_, arguments, stated),) = (
        found for found in CONSOLE.findall(text) if "models/noma.mec" in found[1]
    )
    done = run(shlex.split(arguments))
    assert done.returncode == 0, done.stderr
    found, wanted = (without_rounding(without_seconds(part)) for part in (done.stdout, stated))
    assert found.rstrip() == wanted.rstrip()


@pytest.mark.slow
def test_there_are_five_claims() -> None:
    assert len(claims()) == 5
    _, command = claims()["no rounding step is ever needed"]
    found = results(command)
    assert objective(found["mel-round"]) <= objective(found["mel-integer"])


def test_what_runs_before_a_commit_is_what_ci_runs() -> None:
    hooks = re.findall(
        r"entry: (.+)", (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    )
    step = (
        (ROOT / ".ci" / "run").read_text(encoding="utf-8").split('step "lint, format, types"\n')[1]
    )
    assert hooks == step.split("\n\n")[0].split("\n")


def test_what_contributing_names_is_there() -> None:
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = [name for name in re.findall(r"`([\w./]+)`", page) if "/" in name]
    assert len(named) > 20
    assert [name for name in named if not (ROOT / name).exists()] == []
    for page_name, title in re.findall(r"`([\w./]+README\.md)`, \"([^\"]+)\"", page):
        assert title in (ROOT / page_name).read_text(encoding="utf-8")
