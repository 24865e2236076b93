"""`mecdsl layers`: what it prints, writes and refuses."""

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

ROOT = Path(__file__).resolve().parent.parent
LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def run(*arguments: str, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """The command as a user runs it."""
    command = [sys.executable, "-m", "mecdsl", "layers", *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_an_onnx_file_is_listed_with_its_sums() -> None:
    done = run(str(LIGHT / "light_vgg19.onnx"))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0] == "light_vgg19: 46 layers, a chain"
    assert lines[-2].split() == ["sum", "19.63", "Gmac", "143667240"]
    assert lines[-1] == "32 bit for each value, 2 FLOP for each MAC"
    assert len(lines) == 46 + 4


@pytest.mark.slow
@pytest.mark.parametrize(
    "network", ["resnet18", "tiny_yolov2", str(LIGHT / "light_squeezenet.onnx")]
)
def test_a_network_fits_into_80_columns(network: str) -> None:
    assert max(map(len, run(network).stdout.splitlines())) <= 80


@pytest.mark.slow
def test_a_network_becomes_a_table_that_a_model_reads(tmp_path: Path) -> None:
    done = run(str(LIGHT / "light_squeezenet.onnx"), "--to", "csv", "--bits", "8")
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [int(row["index"]) for row in rows] == list(range(1, 67))
    assert rows[0]["input [bit]"] == str(8 * 3 * 224 * 224)
    assert rows[-1]["output [bit]"] == str(8 * 1000)
    (tmp_path / "net.csv").write_text(done.stdout, encoding="utf-8")
    again = run("net.csv", folder=tmp_path)
    # a chain of 66 has 67 cuts; in each of 8 fire modules two branches of two layers have 3 * 3
    # ways, a chain 5
    assert again.stdout.startswith("net: 66 layers, with branches, 99 valid cuts\n")


@pytest.mark.slow
def test_json_holds_columns_units_and_totals() -> None:
    report = json.loads(run("resnet18", "--json").stdout)
    assert report["totals"] == {
        "macs": 1_814_073_344,
        "flops": 3_628_146_688,
        "parameters": 11_689_512,
    }
    assert (report["bits_per_value"], report["flop_per_mac"], report["chain"]) == (32, 2, False)
    assert report["columns"]["after"][4] == [2, 4]
    assert report["units"]["output"] == "bit"
    chain = json.loads(run("models/data/lenet5.csv", "--json").stdout)
    assert chain["columns"]["after"] == [[], [1], [2], [3], [4], [5], [6]]
    assert "bits_per_value" not in chain  # a table does not say


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["vgg61"], 2, "did you mean `vgg16`?"),
        (["resnet18", "--to", "xml"], 2, "write `--to csv`"),
        (["resnet18", "--to", "csv", "--json"], 2, "exclude each other"),
        (["models/data/nin.csv", "--bits", "8"], 2, "is a table already"),
        (["README.md"], 1, "error[E308]"),
        (["game_lenet", "--time", "gao-devise"], 2, "did you mean `gao-device`?"),
        (["game_lenet", "--time", "models"], 2, "`models` is a folder"),
        (["game_lenet", "--time", "README.md"], 1, "error[E308]"),
        (["game_lenet", "--swap-channels"], 2, "add `--time gao-device`"),
        (["game_lenet", "--time", "gao-device", "--time", "gao-server"], 2, "given twice"),
        (["vgg16", "--time", "gao-device"], 2, "game_vgg16 have them"),
        (["models/data/vgg16.csv", "--time", "gao-device"], 1, "error[E301]"),
        (["models/data/game_lenet.csv", "--to", "csv"], 2, "is a table already"),
    ],
)
def test_wrong_use_is_refused(arguments: list[str], code: int, words: str) -> None:
    done = run(*arguments)
    assert done.returncode == code
    assert words in done.stderr
