"""Games made to be answered wrongly: what they are worth comes from enumeration and closed forms."""

import json
from pathlib import Path

import pytest

from mecdsl.api import loads
from mecdsl.command_line.main import main
from mecdsl.equilibria.potential import Kind, try_potential
from mecdsl.solution import Guarantee


def written(folder: Path, text: str) -> str:
    """The path of a file with a model."""
    path = folder / "foe.mec"
    path.write_text(text, encoding="utf-8")
    return str(path)


def run(*arguments: str) -> int:
    """The exit code of a command."""
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    return int(stop.value.code or 0)


EMPTY = """
param n : integer >= 0 = 0
var x[i in 1..n] : in 0..1
players i in 1..n: minimize x[i] choosing x[i]
"""


@pytest.mark.parametrize("command", ["check", "solve", "compare", "show"])
def test_a_game_of_nobody_is_in_equilibrium(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(command, written(tmp_path, EMPTY)) == 0
    said = capsys.readouterr()
    assert "fault of mecdsl" not in said.err
    if command == "solve":
        assert "there are no players" in said.out


@pytest.mark.parametrize("fixed", ["1e9", "1e9*(1 + y)"])
def test_what_a_player_cannot_change_hides_no_gain(fixed: str) -> None:
    # x = 1 costs a hundredth less, whatever stands beside it
    text = f"""
    var x : binary
    var y : binary
    player a: minimize {fixed} - 0.01*x choosing x
    player b: minimize 1 - y choosing y
    """
    result = loads(text).solve()
    assert result.guarantee is Guarantee.EQUILIBRIUM
    assert (result["x"], result["y"]) == (1.0, 1.0)


@pytest.mark.slow
def test_small_stakes_are_not_judged_by_large_ones_of_others() -> None:
    # matching pennies have no equilibrium, for a nanomoney either
    text = """
    var x : binary
    var y : binary
    var z : W in 0 W .. 1e9 W
    let same = (x*y + (1-x)*(1-y))*1e-9 money
    player even: maximize same choosing x
    player odd: minimize same choosing y
    player other: minimize z + 1e9 W choosing z
    """
    result = loads(text).solve()
    assert result.guarantee is Guarantee.FEASIBLE
    assert result.equilibrium is not None
    assert result.equilibrium.gain == pytest.approx(1e-9)


@pytest.mark.slow
def test_a_cost_of_zero_is_proven_as_any_other() -> None:
    text = """
    var x : in 0..100
    var y : in 0..1
    player one: minimize sin(x) + 0.001*(x - 70)^2 choosing x
    player two: minimize (y - x/100)^2 choosing y
    """
    result = loads(text).solve(raw={"responder": "scip"})
    assert result.guarantee is Guarantee.EQUILIBRIUM


UNBOUNDED = """
var x : >= 0
var y : in 0..1
player one: maximize x*(1 + y) choosing x
player two: minimize (y - 0.5)^2 choosing y
"""


@pytest.mark.slow
def test_who_gains_without_bound_is_in_no_equilibrium(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, UNBOUNDED)
    assert run("solve", path) == 4
    said = capsys.readouterr().out
    assert "`one` alone can gain without bound" in said
    assert "nobody gains" not in said
    assert run("solve", path, "--json") == 4
    told = json.loads(capsys.readouterr().out)["equilibrium"]
    assert not told["settled"]
    assert [player["unbounded"] for player in told["players"]] == [True, False]
    assert run("compare", path) == 4


def test_conditions_bind_the_players_that_have_a_say_in_them() -> None:
    # without the switch x <= 0.1, with it y <= 0.3 and x costs 1.5 less 2: on, x = 2, y = 0.3
    text = """
    var on : binary
    var x : in 0..2
    var y : in 0..2
    player a: maximize x - 1.5*on choosing x, on
    player b: maximize y choosing y
    constraint calm when on: y <= 0.3
    constraint short when not on: x <= 0.1
    start y = 0.2
    """
    result = loads(text).solve()
    assert result.guarantee is Guarantee.EQUILIBRIUM
    assert (result["on"], result["x"], result["y"]) == (1.0, 2.0, pytest.approx(0.3))


TWO_UNITS = """
var x : in 0..1
var y : in 0..1
player a: minimize x * 1 W choosing x
player b: minimize y * 1 s choosing y
"""


def test_a_game_without_a_sum_has_no_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(tmp_path, TWO_UNITS)
    assert run("check", path) == 0
    assert "social" not in capsys.readouterr().out
    assert run("solve", path, "--form", "social") == 1
    assert "form social: add minimize total" in capsys.readouterr().err


def test_a_form_of_its_own_may_be_called_social(tmp_path: Path) -> None:
    path = written(tmp_path, TWO_UNITS + "form social: add minimize total = 2*x + y\n")
    assert run("check", path) == 0
    assert run("solve", path, "--form", "social") == 0


@pytest.mark.parametrize("form", ["social+potential", "own+social", "social+own", "own+other"])
def test_a_form_has_one_problem(
    form: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = """
    var x : in 0..1
    var y : in 0..1
    player a: minimize x choosing x
    player b: minimize y choosing y
    potential phi = x + y
    form own: add minimize worst = x + 2*y
    form other: add minimize least = 2*x + y
    """
    path = written(tmp_path, text)
    assert run("check", path) == 0
    capsys.readouterr()
    assert run("solve", path, "--form", form) == 1
    assert "error[E111]" in capsys.readouterr().err


TWO = """
var x : binary
var y : binary
player one: minimize 3 - 2*x + 5*y choosing x
player two: minimize 3 - 2*y + 5*x choosing y
"""


@pytest.mark.parametrize("kind", ["pyomo", "lp", "mps", "nl"])
def test_other_tools_are_given_no_sum_for_a_game(
    kind: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = written(tmp_path, TWO), tmp_path / "out"
    assert run("export", path, "--to", kind, "-o", str(out)) == 2
    assert "`--form social`" in capsys.readouterr().err
    assert not out.exists()
    assert run("export", path, "--to", kind, "-o", str(out), "--form", "social") == 0


def test_show_says_who_plays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = written(tmp_path, TWO)
    assert run("show", path) == 0
    said = capsys.readouterr().out
    assert "2 players" in said
    assert "minimize 3 - 2*x + 5*y" in said
    assert "social_cost" not in said
    assert run("show", path, "--json") == 0
    assert len(json.loads(capsys.readouterr().out)["game"]["players"]) == 2


def test_a_refused_option_is_the_one_that_was_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("solve", written(tmp_path, TWO), "--starts", "3") == 2
    said = capsys.readouterr().err
    assert "leave out `--starts`" in said
    assert "pyomo" not in said


def test_a_stationary_point_that_is_none_is_no_answer(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # x = 0.05*y is the top of -x^2 + 0.1*x*y: a gains at either end
    text = """
    var x : in -1..1
    var y : in 0..1
    player a: minimize -x^2 + 0.1*x*y choosing x
    player b: minimize (y - 0.5)^2 choosing y
    start x = 0.025
    start y = 0.5
    """
    assert run("solve", written(tmp_path, text), "--backend", "equilibrium-kkt", "--json") == 4
    told = json.loads(capsys.readouterr().out)
    assert told["termination"] == "no equilibrium found"
    assert told["equilibrium"]["gain"] == pytest.approx(1.05 + 0.025**2, rel=1e-6)


def test_a_circle_is_no_lack_of_points(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = """
    var x : binary
    var y : binary
    let same = x*y + (1-x)*(1-y)
    player even: maximize same choosing x
    player odd: minimize same choosing y
    """
    assert run("solve", written(tmp_path, text), "--json") == 4
    assert json.loads(capsys.readouterr().out)["termination"] == "no equilibrium found"


@pytest.mark.parametrize(
    ("potential", "kind"),
    [("1e9 + x + y", Kind.NONE), ("1e9 + 2*x - 3*y", Kind.WEIGHTED), ("1e9 + x - y", Kind.EXACT)],
)
def test_what_stands_beside_a_potential_hides_nothing(potential: str, kind: Kind) -> None:
    # over binaries y*(2 - y) is y: a pays x, b gains y
    text = f"""
    var x : binary
    var y : binary
    player a: minimize 1e9 + x choosing x
    player b: minimize 1e9 - y*(2 - y) choosing y
    potential phi = {potential}
    """
    trial = try_potential(loads(text).instance())
    assert trial is not None
    assert trial.kind is kind
