"""`include`: the statements of other files in the place of the line, each with the file it came
from.
"""

from pathlib import Path

import pytest

import mecdsl
from mecdsl.command_line import main as cli
from mecdsl.diagnostics import ModelError
from mecdsl.parsing import syntax
from mecdsl.parsing.parse import parse_file

ROOT = Path(__file__).resolve().parent.parent
SHARED = """model shared "the shared part"
cite "a book"
include "deeper/rates.mec"
nodes user[k in 1..2] {
    work  : cycle = [1 Gcycle, 2 Gcycle]
    spare : 1 = 1
}
var time : s >= 0
minimize shared_cost = time
constraint least: time >= 2 s
form easy: drop least
"""
RATES = 'param rate[k in 1..2] : bit/s from "rates.csv"\nset unused = 1..3\n'
MAIN = """include "parts/shared.mec"
model main "the main part"
var user.share : s >= work / (1 Gcycle/s) * k
minimize cost = time + sum(k.share * rate[k] / (1 bit/s) for k in user)
"""
# user.share at its bound: 1 s * 1 and 2 s * 2; rates 3 and 5 bit/s; time 2 s, in form easy 0 s
COST = 2 + 1 * 3 + 4 * 5


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    deeper = tmp_path / "parts" / "deeper"
    deeper.mkdir(parents=True)
    (tmp_path / "parts" / "shared.mec").write_text(SHARED)
    (deeper / "rates.mec").write_text(RATES)
    (deeper / "rates.csv").write_text("k,rate\n2,5\n1,3\n")
    (tmp_path / "main.mec").write_text(MAIN)
    return tmp_path


def cost(model: mecdsl.LoadedModel, form: str = "") -> float | None:
    result = model.solve("highs", form)
    assert result.verified
    return result.objective


def test_files_are_joined_and_their_paths_count_from_themselves(folder: Path) -> None:
    model = mecdsl.load(folder / "main.mec")
    assert cost(model) == pytest.approx(COST)
    assert cost(model, "easy") == pytest.approx(COST - 2)
    assert model.forms == ("easy",)


@pytest.mark.parametrize("inside", ["", "parts", "parts/deeper"])
def test_the_working_directory_does_not_matter(
    folder: Path, inside: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder / inside)
    up = Path(*[".."] * len(Path(inside).parts)) / "main.mec"
    assert cost(mecdsl.load(up)) == pytest.approx(COST)


def test_a_text_includes_from_a_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert cost(mecdsl.loads(MAIN, folder=folder)) == pytest.approx(COST)
    with pytest.raises(ModelError, match=r"there is no file `parts/shared\.mec`"):
        mecdsl.loads(MAIN)
    monkeypatch.chdir(folder)
    assert cost(mecdsl.loads(MAIN)) == pytest.approx(COST)


def test_data_override_included_parameters(folder: Path) -> None:
    model = mecdsl.load(folder / "main.mec", data={"user": {"work": [1e9, 1e9]}}, rate=[1, 1])
    assert cost(model) == pytest.approx(2 + 1 + 2)


def test_the_including_file_says_model_and_objective(folder: Path) -> None:
    model = mecdsl.load(folder / "main.mec").checked().model
    assert (model.name, model.title, model.cites) == ("main", "the main part", ("a book",))
    assert (model.objective.name, model.objective.span.source.name) == (
        "cost",
        str(folder / "main.mec"),
    )


def test_an_included_model_is_complete_without_more(folder: Path) -> None:
    # time >= 2 s and nothing else in the objective
    (folder / "same.mec").write_text('include "parts/shared.mec"\n')
    model = mecdsl.load(folder / "same.mec")
    assert model.checked().model.name == "shared"
    assert cost(model) == pytest.approx(2)


def test_a_file_counts_once_by_whatever_path(folder: Path) -> None:
    again = 'include "parts/deeper/rates.mec"\ninclude "parts/../parts/deeper/rates.mec"\n'
    (folder / "twice.mec").write_text(again + MAIN)
    statements = parse_file(folder / "twice.mec").statements
    declared = [s.name for s in statements if isinstance(s, syntax.Declaration)]
    assert declared == ["rate", "time", "user.share"]
    assert not any(isinstance(s, syntax.Include) for s in statements)
    assert cost(mecdsl.load(folder / "twice.mec")) == pytest.approx(COST)


def test_a_longer_circle_is_told_from_its_first_file(tmp_path: Path) -> None:
    for name, other in (("start", "a"), ("a", "b"), ("b", "c"), ("c", "a")):
        (tmp_path / f"{name}.mec").write_text(f'include "{other}.mec"\n')
    with pytest.raises(ModelError, match=r"circle: a\.mec -> b\.mec -> c\.mec -> a\.mec"):
        mecdsl.load(tmp_path / "start.mec")


def test_faults_of_several_files_come_together_with_their_places(folder: Path) -> None:
    (folder / "parts" / "deeper" / "rates.mec").write_text("param rate : bit/s = = 3\n")
    (folder / "main.mec").write_text('include "none.mec"\n' + MAIN)
    with pytest.raises(ModelError) as raised:
        mecdsl.load(folder / "main.mec")
    places = {(d.code, d.span.place) for d in raised.value.diagnostics if d.span is not None}
    rates = folder / "parts" / "deeper" / "rates.mec"
    assert places == {("E308", f"{folder / 'main.mec'}:1:9"), ("E001", f"{rates}:1:22")}


def test_faults_found_later_stand_in_the_file_they_are_in(folder: Path) -> None:
    shared = folder / "parts" / "shared.mec"
    shared.write_text(SHARED.replace("time >= 2 s", "time >= 2 bit"))
    (found,) = mecdsl.load(folder / "main.mec").check()
    assert found.code == "E201"
    assert found.span is not None
    assert (found.span.source.name, found.span.line) == (str(shared), 10)


def test_what_an_included_file_declares_and_this_one_leaves_is_no_warning(folder: Path) -> None:
    assert mecdsl.load(folder / "main.mec").check() == ()
    alone = mecdsl.load(folder / "parts" / "shared.mec").check()
    assert [d.code for d in alone] == [
        "W401",
        "W401",
    ]  # attributes of user; its own include is not blamed
    assert {d.message for d in alone} == {
        f"attribute `user.{name}` is never used" for name in ("work", "spare")
    }


def test_an_unused_variable_is_a_warning_wherever_it_is(folder: Path) -> None:
    shared = folder / "parts" / "shared.mec"
    shared.write_text(SHARED + "var forgotten : s >= 0\n")
    (found,) = mecdsl.load(folder / "main.mec").check()
    assert (found.code, found.message[:21]) == ("W402", "variable `forgotten` ")


def test_not_a_text_file_is_said_at_the_include(folder: Path) -> None:
    (folder / "folder.mec").mkdir()
    (folder / "main.mec").write_text('include "folder.mec"\n' + MAIN)
    with pytest.raises(ModelError, match=r"E308.*`folder.mec` cannot be read") as raised:
        mecdsl.load(folder / "main.mec")
    assert raised.value.diagnostics[0].span is not None
    (folder / "latin.mec").write_bytes('param a : 1 = 1 "Größe"\n'.encode("latin-1"))
    (folder / "main.mec").write_text('include "latin.mec"\n' + MAIN)
    with pytest.raises(ModelError, match="E002"):
        mecdsl.load(folder / "main.mec")


def test_every_command_takes_models_with_includes(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    main, out = str(folder / "main.mec"), folder / "main.lp"
    shows = {
        ("check", main, "--explain"): "easy: no faults",
        ("show", main): "[1, 2] Gcycle",
        ("solve", main, "--backend", "highs"): "cost = 25 s",
        ("data", main): '"user.work"',
        ("export", main, "--to", "lp", "--out", str(out)): "wrote",
    }
    for arguments, expected in shows.items():
        assert expected in _said(arguments, capfd)
    assert out.exists()


def test_a_class_is_explained_with_the_file_of_its_line(
    folder: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    shared = folder / "parts" / "shared.mec"
    shared.write_text(SHARED + "constraint curved: time * time >= 1 s*s\n")
    assert "line 12 of shared.mec" in _said(("check", str(folder / "main.mec")), capfd)


def _said(arguments: tuple[str, ...], capfd: pytest.CaptureFixture[str]) -> str:
    """What a command that succeeds prints, on one line."""
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    assert left.value.code == 0
    return " ".join(capfd.readouterr().out.split())


MEMBERS = """nodes user[k in 1..3] { work : cycle = k * 1 Gcycle }
param user.speed : cycle/s = [1 Gcycle/s, 2 Gcycle/s, 3 Gcycle/s]
let user.least : s = work / speed
var user.time[j in 1..2] : s >= least * j
minimize total = sum(user.time[k, j] for k in user, j in 1..2)
constraint more[k in user]: k.time[1] + 1 s <= user.time[k, 2]
form whole { replace var user.time[j in 1..2] : s >= 2*least }
"""


def test_members_are_added_outside_of_their_block() -> None:
    # least is 1 s for all, so each user needs 1 + 2 s; in the form 2 + 3 s
    model = mecdsl.loads(MEMBERS)
    assert cost(model) == pytest.approx(9)
    assert cost(model, "whole") == pytest.approx(15)
    assert cost(mecdsl.loads(MEMBERS, data={"user": {"speed": [1e9, 1e9, 1e9]}})) == pytest.approx(
        3 + 6 + 9
    )


def test_the_example_of_the_reference_is_the_file() -> None:
    example = (ROOT / "models" / "examples" / "offload_energy.mec").read_text()
    assert f"```mec\n{example}```" in (ROOT / "grammar" / "README.md").read_text()


FORM_DATA = """var x : s >= 0
minimize cost = x
constraint least: x >= 1 s
form longer { add param extra : s = 1 s, add constraint more: x >= 1 s + extra }
form longest from longer: add constraint most: x >= 3 * extra
"""


def test_parameters_of_a_form_are_given_with_it() -> None:
    model = mecdsl.loads(FORM_DATA, extra=5)
    result = model.solve("highs", "longest")
    assert result.objective == pytest.approx(15)
    assert result.original is not None
    with pytest.raises(ModelError, match="form longer or longest declares it: add `--form longer`"):
        model.solve("highs")
    with pytest.raises(ModelError, match="no parameter `extra`"):
        model.instance()
    across = model.across(["", "longer"])
    assert [cost(across), cost(across, "longer")] == [pytest.approx(1), pytest.approx(6)]
