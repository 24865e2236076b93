"""`mecdsl fit-delay`: what it prints, writes and refuses, as a user runs it.

`tests/diagnostics/measurements/` has faulty files, named after the code, and beside each what is
said about it. After a wanted change of words:
`MECDSL_UPDATE_GOLDEN=1 pytest tests/test_fit_delay_command.py`, then read every changed line.
"""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from matplotlib.image import imread

from mecdsl.command_line.main import main
from mecdsl.diagnostics import ModelError, render
from mecdsl.networks.delay_fit import fit_delay
from mecdsl.networks.measurements import read_measurements

ROOT = Path(__file__).resolve().parent.parent
FOLDER = Path(__file__).resolve().parent / "diagnostics" / "measurements"
EXAMPLE = ROOT / "models" / "examples" / "layer_times.csv"
UPDATE = bool(os.environ.get("MECDSL_UPDATE_GOLDEN"))
CASES = sorted(path.name for path in FOLDER.iterdir() if path.suffix != ".expected")


def run(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """The command as a user runs it."""
    return subprocess.run(
        [sys.executable, "-m", "mecdsl", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUTF8": "1", "COLUMNS": "80"},
        capture_output=True,
        text=True,
        check=False,
    )


def called(capfd: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """The exit code of a command, what it prints and what it says; in this process."""
    with pytest.raises(SystemExit) as left:
        main(list(arguments))
    out, err = capfd.readouterr()
    assert isinstance(left.value.code, int)
    return left.value.code, out, err


@pytest.mark.parametrize("case", CASES)
def test_faults_of_files_name_the_place_and_a_fix(
    case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(FOLDER)  # messages show the path as it was given
    with pytest.raises(ModelError) as caught:
        fit_delay(read_measurements(case))
    shown = "".join(render(diagnostic) + "\n" for diagnostic in caught.value.diagnostics)
    expected = FOLDER / f"{Path(case).stem}.expected"
    if UPDATE:
        expected.write_text(shown, encoding="utf-8", newline="\n")
    assert shown == expected.read_text(encoding="utf-8")
    assert caught.value.diagnostics[0].code == case[:4]


def test_every_faulty_file_has_its_words_and_no_words_are_left_over() -> None:
    stems = {Path(case).stem for case in CASES}
    assert {path.stem for path in FOLDER.glob("*.expected")} == stems
    assert len(stems) == len(CASES)


@pytest.mark.parametrize("case", ["E306_negative_time.csv", "E506_one_row.csv"])
def test_a_faulty_file_ends_with_1_and_json_says_why(
    case: str, capfd: pytest.CaptureFixture[str]
) -> None:
    code, out, err = called(capfd, "fit-delay", str(FOLDER / case), "--json")
    said = json.loads(out)
    assert (code, said["exit_code"]) == (1, 1)
    assert said["diagnostics"][0]["code"] == case[:4]
    assert f"{case}:" in err


def test_a_newcomer_is_told_the_columns_with_an_example() -> None:
    done = run("fit-delay", "--help")
    assert (done.returncode, done.stderr) == (0, "")
    for word in ("output_side", "kernel", "input_channels", "output_channels", "time [ms]"):
        assert word in done.stdout
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    start = lines.index("    name,output_side,kernel,input_channels,output_channels,time [ms]")
    assert len(lines[start + 1].split(",")) == 6


def test_the_example_in_the_help_is_read(tmp_path: Path) -> None:
    lines = run("fit-delay", "--help").stdout.splitlines()
    start = lines.index("    name,output_side,kernel,input_channels,output_channels,time [ms]")
    text = "\n".join(line.strip() for line in lines[start : start + 3]) + "\n"
    (tmp_path / "example.csv").write_text(text, encoding="utf-8")
    measured = read_measurements(tmp_path / "example.csv")
    assert measured.names == ("conv1", "conv2")
    assert measured.times.tolist() == pytest.approx([0.0098, 0.0415])


def test_the_device_written_gives_the_times_of_layers(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for suffix in ("json", "toml"):
        device = tmp_path / f"board.{suffix}"
        code, out, err = called(capfd, "fit-delay", str(EXAMPLE), "--out", str(device))
        assert (code, err) == (0, "")
        assert out.endswith(f"wrote {device}\n")
        code, out, err = called(capfd, "layers", "game_lenet", "--time", str(device), "--json")
        listed = json.loads(out)
        assert (code, err) == (0, "")
        assert listed["device"]["name"] == "board"
        assert "24 rows of layer_times.csv" in listed["device"]["source"]
        # the example was drawn around the paper's device
        assert listed["columns"]["time"] == pytest.approx(listed["columns"]["local_time"], rel=0.05)


def test_json_is_one_object_in_seconds(capfd: pytest.CaptureFixture[str]) -> None:
    code, out, err = called(capfd, "fit-delay", str(EXAMPLE), "--json")
    fit = json.loads(out)
    assert (code, err, fit["rows"]) == (0, "", 24)
    # the coefficients that the example was drawn with, (6): 0.3, 2.6, 4.8 times 1e-5 ms
    for name, made in (("per_mac", 3e-9), ("per_tap", 2.6e-8), ("per_position", 4.8e-8)):
        found = fit["coefficients"][name]
        assert found["unit"] == "s"
        assert found["low"] <= made <= found["high"]
    assert [(row["row"], row["line"], row["name"]) for row in fit["outliers"]] == [
        (9, 10, "conv9"),
        (21, 22, "conv21"),
    ]


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
@pytest.mark.slow
def test_a_picture_is_written(
    suffix: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    picture = tmp_path / f"fit{suffix}"
    code, out, err = called(capfd, "fit-delay", str(EXAMPLE), "--plot", str(picture))
    assert (code, err) == (0, "")
    assert out.endswith(f"wrote {picture}\n")
    starts = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}
    assert picture.read_bytes().startswith(starts[suffix])
    if suffix == ".png":
        assert imread(picture).std() > 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.csv"], "`nowhere.csv` does not exist"),
        (["."], "`.` is a folder"),
        ([str(EXAMPLE), "--errors", "none"], "write `relative` or `absolute`"),
        ([str(EXAMPLE), "--plot", "fit.bmp"], "known are .png, .pdf, .svg"),
        ([str(EXAMPLE), "--out", "device.yaml"], "known are .json, .toml"),
        ([str(EXAMPLE), "--out", "nowhere/device.json"], "there is no folder `nowhere`"),
        ([str(EXAMPLE), "--out", str(EXAMPLE)], "it is what is read"),
        ([str(EXAMPLE), "--errors", "relative", "--errors", "absolute"], "is given twice"),
        ([], "missing argument"),
    ],
)
def test_wrong_usage_ends_with_2(
    arguments: list[str],
    words: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = called(capfd, "fit-delay", *arguments)
    assert (code, out) == (2, "")
    assert words in err
    assert list(tmp_path.iterdir()) == []


def test_a_byte_order_mark_windows_line_ends_and_unicode_names_mean_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    text = EXAMPLE.read_text(encoding="utf-8").replace("conv9", "Schicht „größte“")
    path = tmp_path / "zeiten_µs.csv"
    path.write_bytes(("\ufeff" + text.replace("\n", "\r\n")).encode())
    code, out, err = called(capfd, "fit-delay", str(path), "--json")
    fit, plain = json.loads(out), json.loads(called(capfd, "fit-delay", str(EXAMPLE), "--json")[1])
    assert (code, err) == (0, "")
    assert fit["coefficients"] == plain["coefficients"]
    assert fit["outliers"][0]["name"] == "Schicht „größte“"


def test_what_is_printed_fits_into_80_columns(capfd: pytest.CaptureFixture[str]) -> None:
    _, out, _ = called(capfd, "fit-delay", str(EXAMPLE), "--swap-channels")
    assert max(map(len, out.splitlines())) <= 80
    assert "I input_channels, O output_channels" in out
