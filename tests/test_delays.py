"""Layer delays, the tables of four networks made with them, and files of devices."""

import csv
import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mecdsl
from mecdsl.diagnostics import ModelError
from mecdsl.networks.architectures import NETWORKS
from mecdsl.networks.delay_tables import DELAY_TABLES, write_tables
from mecdsl.networks.delays import DelayCoefficients, Windows, layer_delays
from mecdsl.networks.devices import Device, device_text, read_device

DATA = Path(__file__).resolve().parent.parent / "models" / "data"

# Layers of Caffe's deploy files without data and dropout, and the bits of the input: 1 x 28 x 28
# and 3 x 227 x 227 and 3 x 224 x 224 numbers of 32 bit
LAYERS = {"game_lenet": 8, "game_alexnet": 21, "game_vgg13": 31, "game_vgg16": 37}


def rows(name: str) -> list[dict[str, str]]:
    """The shipped table, titles without units."""
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return [{k.split(" ")[0]: v for k, v in row.items()} for row in csv.DictReader(file)]


def milliseconds(G: int, K: int, O: int, I: int, device: bool) -> float:  # noqa: E741
    """(6) and (7) as the paper prints them, for a convolution."""
    if device:
        return (0.3 * G**2 * K**2 * O * I + 2.6 * G**2 * K**2 * I + 4.8 * G**2 * O) * 1e-5
    return (3 * G**2 * K**2 * O * I + 7.4 * G**2 * K**2 * I + 25.8 * G**2 * O) * 1e-7


def test_shipped_tables_are_those_the_code_writes(tmp_path: Path) -> None:
    written = write_tables(tmp_path)
    assert {path.name for path in written} == {path.name for path in DATA.glob("game_*.csv")}
    for path in written:
        assert path.read_bytes() == (DATA / path.name).read_bytes(), (
            "run `python -m mecdsl.networks.delay_tables`"
        )


@pytest.mark.parametrize("name", DELAY_TABLES)
def test_networks_have_the_layers_of_the_deploy_files(name: str) -> None:
    assert len(rows(name)) == LAYERS[name]
    assert [row["index"] for row in rows(name)] == [str(i + 1) for i in range(LAYERS[name])]


# Convolutions and fully connected layers as (G, K, O, I): written down from the papers and from
# Caffe's prototxt files, no shape inference; channels are not split into groups.
BY_HAND = {
    "game_lenet": {
        "conv1": (24, 5, 1, 20),
        "conv2": (8, 5, 20, 50),
        "ip1": (1, 4, 50, 500),
        "ip2": (1, 1, 500, 10),
    },
    "game_alexnet": {
        "conv1": (55, 11, 3, 96),
        "conv2": (27, 5, 96, 256),
        "conv3": (13, 3, 256, 384),
        "conv4": (13, 3, 384, 384),
        "conv5": (13, 3, 384, 256),
        "fc6": (1, 6, 256, 4096),
        "fc7": (1, 1, 4096, 4096),
        "fc8": (1, 1, 4096, 1000),
    },
    "game_vgg13": {
        "conv1_1": (224, 3, 3, 64),
        "conv1_2": (224, 3, 64, 64),
        "conv2_1": (112, 3, 64, 128),
        "conv2_2": (112, 3, 128, 128),
        "conv3_1": (56, 3, 128, 256),
        "conv3_2": (56, 3, 256, 256),
        "conv4_1": (28, 3, 256, 512),
        "conv4_2": (28, 3, 512, 512),
        "conv5_1": (14, 3, 512, 512),
        "conv5_2": (14, 3, 512, 512),
        "fc6": (1, 7, 512, 4096),
        "fc7": (1, 1, 4096, 4096),
        "fc8": (1, 1, 4096, 1000),
    },
}
BY_HAND["game_vgg16"] = BY_HAND["game_vgg13"] | {
    "conv3_3": (56, 3, 256, 256),
    "conv4_3": (28, 3, 512, 512),
    "conv5_3": (14, 3, 512, 512),
}


@pytest.mark.parametrize("name", DELAY_TABLES)
def test_convolutions_take_what_the_paper_says(name: str) -> None:
    convolving = {row["name"]: row for row in rows(name) if row["kind"] in ("conv", "dense")}
    assert set(convolving) == set(BY_HAND[name])
    for layer, (G, K, O, I) in BY_HAND[name].items():  # noqa: E741
        row = convolving[layer]
        assert int(row["outputs"]) == G * G * I
        assert int(row["output_size"]) == 32 * G * G * I
        for column, device in (("local_time", True), ("server_time", False)):
            found = 1e3 * float(row[column])
            assert found == pytest.approx(milliseconds(G, K, O, I, device), rel=1e-12)


# Values read for each output: k^2 of a pool, five channels of a response normalisation, one else.
TAPS = {"relu": {1}, "lrn": {5}, "softmax": {1}}


@pytest.mark.parametrize("name", DELAY_TABLES)
def test_other_layers_take_the_middle_term(name: str) -> None:
    pools = {"game_lenet": 4, "game_alexnet": 9, "game_vgg13": 4, "game_vgg16": 4}
    for row in rows(name):
        if row["kind"] in ("conv", "dense"):
            continue
        taps = pools[name] if row["kind"] == "maxpool" else min(TAPS[row["kind"]])
        outputs = int(row["outputs"])
        local, server = float(row["local_time"]), float(row["server_time"])
        assert 1e3 * local == pytest.approx(2.6e-5 * outputs * taps, rel=1e-12)
        assert 1e3 * server == pytest.approx(7.4e-7 * outputs * taps, rel=1e-12)


def test_the_layers_that_the_figures_of_the_paper_need() -> None:
    layers = rows("game_vgg13")
    server = {row["name"]: 1e3 * float(row["server_time"]) for row in layers}
    assert server["conv4_2"] == pytest.approx(559, abs=0.5)
    assert (layers[20]["name"], layers[22]["name"]) == ("conv5_1", "conv5_2")
    assert server["conv5_1"] == pytest.approx(140, abs=0.5)
    assert server["conv5_2"] == pytest.approx(140, abs=0.5)
    # slots of 150 ms hold 21 with 22, 23, and 24 to 31
    times = [1e3 * float(row["server_time"]) for row in layers]
    assert sum(times[20:22]) < 150
    assert sum(times[22:24]) < 150
    assert sum(times[23:]) < 150


def test_alexnet_keeps_half_of_its_layers_outside_of_the_convolutions() -> None:
    kinds = [row["kind"] for row in rows("game_alexnet")]
    counts = {kind: kinds.count(kind) for kind in set(kinds)}
    assert counts == {"conv": 5, "relu": 7, "lrn": 2, "maxpool": 3, "dense": 3, "softmax": 1}
    names = [row["name"] for row in rows("game_alexnet")]
    assert names[:4] == ["conv1", "relu1", "norm1", "pool1"]
    assert names[-1] == "prob"


def test_the_same_architectures_without_caffe_s_layers_are_those_shipped_before() -> None:
    for name, network in (("alexnet", "game_alexnet"), ("vgg16", "game_vgg16")):
        folded, listed = NETWORKS[name](32), DELAY_TABLES[network](32)
        own = [layer for layer in listed.layers if layer.kind in ("conv", "dense", "maxpool")]
        assert [layer.name for layer in own] == [layer.name for layer in folded.layers]
        assert [layer.macs for layer in own] == [layer.macs for layer in folded.layers]
        assert listed.parameters == folded.parameters


def test_a_layer_without_a_window_has_no_delay() -> None:
    with pytest.raises(ValueError, match="block1_1_add"):
        Windows.of(NETWORKS["resnet18"](32))


def test_swapping_channels_swaps_the_two_small_terms() -> None:
    windows = Windows(
        output_side=np.array([10.0]),
        taps=np.array([9.0]),
        input_channels=np.array([3.0]),
        output_channels=np.array([7.0]),
        convolves=np.array([True]),
    )
    coefficients = DelayCoefficients(per_mac=1.0, per_tap=10.0, per_position=100.0)
    products = 100 * 9 * 3 * 7
    assert layer_delays(windows, coefficients) == [products + 10 * 900 * 7 + 100 * 100 * 3]
    swapped = layer_delays(windows, coefficients, swap_channels=True)
    assert swapped == [products + 10 * 900 * 3 + 100 * 100 * 7]


# Devices ------------------------------------------------------------------------------------------


def test_the_devices_of_the_paper_stand_in_milliseconds_as_printed() -> None:
    texts: dict[str, dict[str, Any]] = {
        name: tomllib.loads((DATA / f"gao_{name}.toml").read_text(encoding="utf-8"))
        for name in ("device", "server")
    }
    for name, factor, numbers in (
        ("device", 1e-5, (0.3, 2.6, 4.8)),
        ("server", 1e-7, (3.0, 7.4, 25.8)),
    ):
        device = read_device(f"gao-{name}")
        assert device.coefficients.array() == pytest.approx(
            [1e-3 * factor * number for number in numbers], rel=1e-14
        )
        assert not device.swap_channels
        assert "equation (" in device.source
        assert all(str(texts[name][key]).endswith(" ms") for key in ("per_mac", "per_tap"))


@pytest.mark.parametrize("suffix", [".json", ".toml"])
def test_a_device_is_read_as_it_was_written(suffix: str, tmp_path: Path) -> None:
    coefficients = DelayCoefficients(per_mac=1 / 3e9, per_tap=0.0, per_position=2.5e-300)
    device = Device("board", coefficients, True, 'rows of "größe\x7f\t.csv" 🦉 \udcff')
    path = tmp_path / f"board{suffix}"
    path.write_text(device_text(device, suffix), encoding="utf-8")
    found = read_device(path)
    assert (found.name, found.coefficients, found.swap_channels) == ("board", coefficients, True)
    assert found.source == 'rows of "größe\x7f\t.csv" 🦉 \\udcff'


def broken() -> Iterator[tuple[str, str, str]]:
    """Changes of a device, the code and words of what is said."""
    yield '"per_mac": -1', "E306", "`per_mac` is -1, expected >= 0 s"
    yield '"per_mac": NaN', "E304", "expected a number of seconds"
    yield '"per_mac": 1e999', "E304", "expected a number of seconds"
    yield '"per_mac": true', "E304", "expected a number of seconds"
    yield '"per_mac": "quick"', "E304", "expected a number of seconds"
    yield '"per_mac": "1 Mbit"', "E305", "`Mbit` is no unit of time"
    yield '"per_mac": "1 parsec"', "E305", "unknown unit"
    yield '"per_mak": 1', "E303", "a device has no `per_mak`"
    yield '"swap_channels": 1, "per_mac": 1', "E304", "expected true or false"


@pytest.mark.parametrize(("change", "code", "words"), list(broken()))
def test_faults_of_a_device_are_named_with_their_place(
    change: str, code: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "board.json"
    path.write_text("{\n" + change + ',\n"per_tap": 0, "per_position": 0}', encoding="utf-8")
    with pytest.raises(ModelError) as caught:
        read_device(path)
    fault = next(one for one in caught.value.diagnostics if one.code == code)
    assert words in fault.message
    assert fault.span is not None
    assert (fault.span.source.name, fault.span.line) == (str(path), 2)


def test_a_device_needs_all_coefficients_and_a_known_ending(tmp_path: Path) -> None:
    (tmp_path / "board.json").write_text('{"per_mac": 1}', encoding="utf-8")
    with pytest.raises(ModelError, match=r"E301.*`per_tap`"):
        read_device(tmp_path / "board.json")
    (tmp_path / "board.csv").write_text("per_mac\n1\n", encoding="utf-8")
    with pytest.raises(ModelError, match=r"E308.*`.json` and `.toml`"):
        read_device(tmp_path / "board.csv")
    (tmp_path / "list.json").write_text("[1]", encoding="utf-8")
    with pytest.raises(ModelError, match=r"E308.*no device"):
        read_device(tmp_path / "list.json")
    with pytest.raises(ModelError, match="did you mean `gao-server`"):
        read_device("gao_server")


# Layers with times --------------------------------------------------------------------------------


def test_times_of_the_paper_s_devices_are_those_in_the_tables() -> None:
    listed = mecdsl.layers("game_alexnet", time="gao-server").as_dict()
    assert listed["columns"]["time"] == pytest.approx(listed["columns"]["server_time"], rel=1e-12)
    assert listed["units"]["time"] == "s"
    assert listed["totals"]["time"] == pytest.approx(listed["totals"]["server_time"])
    assert listed["device"]["name"] == "gao-server"


def test_a_table_of_one_s_own_gets_times(tmp_path: Path) -> None:
    path = tmp_path / "own.csv"
    path.write_text(
        "output_side,kernel,input_channels,output_channels\n28,3,64,32\n", encoding="utf-8"
    )
    listed = mecdsl.layers(path, time="gao-device").as_dict()
    assert listed["columns"]["time"] == [pytest.approx(1e-3 * milliseconds(28, 3, 64, 32, True))]
    swapped = mecdsl.layers(path, time="gao-device", swap_channels=True).as_dict()
    assert swapped["columns"]["time"] == [pytest.approx(1e-3 * milliseconds(28, 3, 32, 64, True))]
    assert swapped["device"]["swap_channels"] is True


def test_tables_without_sizes_or_with_times_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"E301.*`vgg16.csv` has no columns `output_side`"):
        mecdsl.layers(DATA / "vgg16.csv", time="gao-device")
    path = tmp_path / "own.csv"
    path.write_text(
        "output_side,kernel,input_channels,output_channels,time\n28,3,64,32,1\n", encoding="utf-8"
    )
    with pytest.raises(ModelError, match=r"E307.*has a column `time`"):
        mecdsl.layers(path, time="gao-device")


MODEL = """
layers net from "net.csv"
param uplink : bit/s = 1 Mbit/s
var cut[c in cuts(net)] : binary
let device[c in cuts(net)] : s = sum(j.time for j in c)
let server[c in cuts(net)] : s = sum(j.server_time for j in net where not j in c)
let sent[c in cuts(net)]   : bit = sum(j.output_size for j in crossing(c))
minimize latency = sum(cut[c] * (device[c] + server[c] + sent[c]/uplink) for c in cuts(net))
constraint one_cut: sum(cut[c] for c in cuts(net)) == 1
constraint first: cut[0] == 0
"""


def test_a_model_reads_the_table_with_times(tmp_path: Path) -> None:
    from mecdsl.output.csv.layers import layers_csv

    table = layers_csv(mecdsl.layers("game_lenet", time="gao-device"))
    (tmp_path / "net.csv").write_text(table, encoding="utf-8")
    (tmp_path / "net.mec").write_text(MODEL, encoding="utf-8")
    found = mecdsl.load(tmp_path / "net.mec").solve("highs")
    # by enumeration: all layers before the cut on the device, the rest at the server
    layers = [
        (float(row["local_time"]), float(row["server_time"]), int(row["output_size"]))
        for row in rows("game_lenet")
    ]
    costs = [
        sum(one[0] for one in layers[:cut])
        + sum(one[1] for one in layers[cut:])
        + (layers[cut - 1][2] / 1e6 if cut < len(layers) else 0.0)
        for cut in range(1, len(layers) + 1)
    ]
    assert found.objective == pytest.approx(min(costs), rel=1e-9)


def test_text_of_layers_with_times_fits_into_80_columns_and_names_what_it_hides() -> None:
    for name in DELAY_TABLES:
        text = str(mecdsl.layers(name, time="gao-device"))
        assert max(map(len, text.splitlines())) <= 80
        assert "not shown: output_side, taps, input_channels, output_channels, outputs" in text
        assert json.loads(mecdsl.layers(name).to_json())["columns"]["outputs"]
