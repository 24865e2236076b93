"""Games made to be answered wrongly: what they are worth comes from enumeration and closed forms."""

from pathlib import Path

import pytest

from mecdsl.command_line.main import main


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
