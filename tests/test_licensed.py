"""Gurobi and Xpress where they are absent, and where their licence is limited: no solver is needed
here.
"""

import json
from importlib import util
from typing import Any

import pytest

import mecdsl
from mecdsl.backend import Request
from mecdsl.backends import table
from mecdsl.backends.gurobi.options import parameters
from mecdsl.backends.shared import licensed
from mecdsl.backends.shared.licences import Count, Licence, too_large
from mecdsl.backends.xpress.options import controls
from mecdsl.command_line.main import main
from mecdsl.diagnostics import ModelError
from mecdsl.solution import SolveOptions
from mecdsl.solve import choose, preferred, takes

NAMES = ("gurobi", "xpress")
PACKAGES = {"gurobi": "gurobipy", "xpress": "xpress"}
OFFLOAD = "models/examples/offload.mec"
LIMITED = Licence(limited=True, limited_nonlinear=True)


@pytest.fixture
def absent(monkeypatch: pytest.MonkeyPatch) -> None:
    """No package of either solver is installed."""
    monkeypatch.setattr(licensed, "find_spec", lambda name: None)


@pytest.fixture(params=[LIMITED])
def limited(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are installed, with a licence."""
    monkeypatch.setattr(licensed, "find_spec", lambda name: util.find_spec("json"))
    monkeypatch.setattr(licensed.Licensed, "licence", lambda self: request.param)


def spread(variables: int, curved: bool = False) -> mecdsl.LoadedModel:
    goal = "sum(ln(x[k]) for k in item)" if curved else "sum(x[k] for k in item)"
    return mecdsl.loads(
        f"set item = 1..{variables}\nvar x[k in item] : 1 in 1..2\nmaximize gain = {goal}\n"
        "constraint few: sum(x[k] for k in item) <= 3"
    )


def run(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    with pytest.raises(SystemExit) as ended:
        main(list(arguments))
    printed = capsys.readouterr()
    return int(str(ended.value.code)), printed.out, printed.err


# Absent -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("absent")
@pytest.mark.parametrize("name", NAMES)
def test_an_absent_solver_says_what_installs_it(name: str) -> None:
    there = table.load(name).availability()
    assert not there.available
    assert there.reason == f"`{PACKAGES[name]}` is not installed"
    assert f"uv pip install 'mecdsl[{name}]'" in there.fix


@pytest.mark.usefixtures("absent")
@pytest.mark.parametrize("name", NAMES)
def test_solving_with_an_absent_solver_is_an_error_with_the_command(name: str) -> None:
    with pytest.raises(ModelError) as raised:
        mecdsl.load(OFFLOAD).solve(name)
    diagnostic = raised.value.diagnostics[0]
    assert diagnostic.code == "E503"
    assert diagnostic.help is not None
    assert f"mecdsl[{name}]" in diagnostic.help


@pytest.mark.usefixtures("absent")
def test_the_command_line_shows_them_as_absent(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run("backends", capsys=capsys)
    assert code == 0
    assert "gurobi: Gurobi  NOT AVAILABLE" in out
    assert "uv pip install 'mecdsl[xpress]'" in " ".join(out.split())
    code, out, _ = run("backends", "--json", capsys=capsys)
    entries = {entry["name"]: entry for entry in json.loads(out)["backends"]}
    assert [entries[name]["available"] for name in NAMES] == [False, False]
    assert all("uv pip install" in entries[name]["fix"] for name in NAMES)
    code, _, err = run("solve", OFFLOAD, "--backend", "gurobi", capsys=capsys)
    assert code == 2
    assert "error[E503]" in err
    assert "mecdsl[gurobi]" in err


@pytest.mark.usefixtures("absent")
def test_auto_passes_absent_solvers_over() -> None:
    request = Request(spread(3, curved=True).instance(), SolveOptions())
    assert choose(request)[0].name not in NAMES


def test_both_are_asked_after_scip_for_every_class() -> None:
    for text in ("var x : 1 in 0..1", "var x : integer in 0..5"):
        for goal in ("x", "x^2", "-1*x^2", "exp(x)*sin(x)"):
            problem = mecdsl.loads(f"{text}\nminimize cost = {goal}").problem()
            order = [backend.name for backend, _ in preferred(problem)]
            assert order[-2:] == list(NAMES)
            assert "scip" in order[:-2] or goal == "x^2"


# Limited ------------------------------------------------------------------------------------------


def test_counts_above_their_limit_are_said_with_both_numbers() -> None:
    counts = (Count(201, 200, "variables"), Count(7, 2000, "rows"))
    assert too_large(counts) == "201 variables, at most 200"
    assert too_large(counts[1:]) == ""


@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize(
    ("name", "variables", "curved", "taken", "words"),
    [
        ("gurobi", 2000, False, True, ""),
        ("gurobi", 2001, False, False, "2001 variables, at most 2000"),
        ("gurobi", 199, True, True, ""),  # and one for the objective
        ("gurobi", 200, True, False, "201 variables and nonlinear rows"),
        ("xpress", 4999, False, True, ""),  # and the row
        ("xpress", 5000, False, False, "5001 rows and variables, at most 5000"),
        ("xpress", 197, True, True, ""),  # the row, and a row and a column for the objective
        ("xpress", 251, True, False, "1004 tokens of all its formulas, at most 1000"),
        ("xpress", 198, True, False, "201 rows and variables of a quadratic or nonlinear problem"),
    ],
)
def test_a_problem_above_the_limit_is_refused_before_solving(
    name: str, variables: int, curved: bool, taken: bool, words: str
) -> None:
    instance = spread(variables, curved).instance()
    assert takes(name, instance) is taken
    reason = table.load(name).accepts(Request(instance, SolveOptions())).reason
    assert words in reason
    assert taken or "a licence of your own" in reason


@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize(
    "limited", [Licence(limited=False, limited_nonlinear=False)], indirect=True
)
@pytest.mark.parametrize("name", NAMES)
def test_a_full_licence_has_no_limit(name: str) -> None:
    assert takes(name, spread(6000).instance())


@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize("limited", [Licence(limited=False, limited_nonlinear=True)], indirect=True)
def test_a_licence_without_nonlinear_problems_limits_those_alone() -> None:
    assert takes("xpress", spread(6000).instance())
    assert not takes("xpress", spread(300, curved=True).instance())


@pytest.mark.usefixtures("limited")
@pytest.mark.parametrize("limited", [Licence(True, True, fault="it has expired")], indirect=True)
@pytest.mark.parametrize("name", NAMES)
def test_a_licence_that_does_not_start_makes_the_solver_absent(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(licensed, "import_module", lambda package: None)
    there = table.load(name).availability()
    assert not there.available
    assert there.reason.endswith("does not start: it has expired")


# Options ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("chosen", "names"),
    [
        (parameters, ("MIPGap", "TimeLimit", "Threads", "Seed", "OutputFlag")),
        (controls, ("miprelstop", "timelimit", "threads", "randomseed", "outputlog")),
    ],
    ids=NAMES,
)
def test_options_get_the_names_of_the_solver(chosen: Any, names: tuple[str, ...]) -> None:
    options = SolveOptions(gap=0.02, time_limit=7.0, threads=3, seed=11, log=True)
    assert [chosen(options)[name] for name in names] == [0.01, 7.0, 3, 11, 1]
    unset = chosen(SolveOptions())
    assert names[1] not in unset
    assert names[2] not in unset
