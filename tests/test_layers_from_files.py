"""`layers net from "net.csv"`: attributes, cuts and graphs of layers from files, against
enumeration.
"""

import json
import shutil
from collections.abc import Mapping
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import onnx
import pytest

import mecdsl
from mecdsl.api import LoadedModel
from mecdsl.data_files.read import Given, read_data
from mecdsl.diagnostics import ModelError, Severity

ROOT = Path(__file__).resolve().parent.parent
CHAIN = (
    "index,name,kind,macs [Mmac],output [kbit],heat "
    "[J]\n1,a,conv,40,8,1\n2,b,conv,30,2,2\n3,c,dense,20,4,3\n"
)
# A diamond with a tail; layer 5 also reads layer 1, whose output then crosses beside others.
GRAPH = (
    "index,macs [Mmac],output [kbit],after\n1,40,8,\n2,30,2,1\n3,20,4,1\n4,0,6,2 3\n5,10,1,1 4\n"
)
READS: dict[int, set[int]] = {1: set(), 2: {1}, 3: {1}, 4: {2, 3}, 5: {1, 4}}
MACS = {1: 40e6, 2: 30e6, 3: 20e6, 4: 0.0, 5: 10e6}
OUTPUT = {1: 8e3, 2: 2e3, 3: 4e3, 4: 6e3, 5: 1e3}

SPLIT = """model split "Where to cut a network between a phone and a server"
layers net from "net.csv"
param input_size : bit = 16 kbit
param phone : mac/s = 200 Mmac/s
param server : mac/s = 2 Gmac/s
param rate : bit/s = 40 kbit/s
var cut[c in cuts(net)] : binary
let sent[c in cuts(net)] : bit = sum(j.output for j in crossing(c)) + (if c == 0 then input_size else 0)
let phone_time[c in cuts(net)] : s = sum(j.macs for j in net where j in c) / phone
let server_time[c in cuts(net)] : s = sum(j.macs for j in net where not j in c) / server
minimize latency = sum(cut[c]*(phone_time[c] + sent[c]/rate + server_time[c]) for c in cuts(net))
constraint one: sum(cut[c] for c in cuts(net)) == 1
report layers_on_phone[c in cuts(net)] : mac = sum(j.macs for j in c)
"""


def model(folder: Path, text: str, files: Mapping[str, str], **overrides: Any) -> LoadedModel:
    """A model with files beside it."""
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    (folder / "m.mec").write_text(text, encoding="utf-8")
    return mecdsl.load(folder / "m.mec", **overrides)


def latency(cut: set[int]) -> float:
    """Latency of one cut of the graph above, by its definition."""
    crossing = {j for j in cut if any(j in READS[k] for k in READS if k not in cut)}
    sent = sum(OUTPUT[j] for j in crossing) + (16e3 if not cut else 0)
    outside = set(READS) - cut
    return sum(MACS[j] for j in cut) / 200e6 + sent / 40e3 + sum(MACS[j] for j in outside) / 2e9


def valid_cuts() -> list[set[int]]:
    """Every set of layers of the graph above that holds what its layers read."""
    subsets = chain.from_iterable(combinations(READS, size) for size in range(len(READS) + 1))
    return [set(subset) for subset in subsets if all(READS[j] <= set(subset) for j in subset)]


@pytest.mark.parametrize("via", ["arrays", "pyomo"])
def test_a_graph_is_cut_at_the_best_of_all_its_cuts(via: str, tmp_path: Path) -> None:
    result = model(tmp_path, SPLIT, {"net.csv": GRAPH}).solve(via=via)
    assert result.verified
    assert result.objective == pytest.approx(min(map(latency, valid_cuts())), rel=1e-9)


def test_every_cut_of_a_graph_has_its_value(tmp_path: Path) -> None:
    instance = model(tmp_path, SPLIT, {"net.csv": GRAPH}).instance()
    sums = instance.data("phone_time") + instance.data("sent") / 40e3 + instance.data("server_time")
    assert sums.tolist() == pytest.approx(list(map(latency, valid_cuts())))


def test_a_chain_is_cut_after_a_layer(tmp_path: Path) -> None:
    instance = model(tmp_path, SPLIT, {"net.csv": CHAIN}).instance()
    # cut c has the first c layers; the last output of the part crosses, nothing does once all
    # layers are in it
    assert instance.data("sent").tolist() == [16e3, 8e3, 2e3, 0.0]
    assert instance.data("phone_time").tolist() == pytest.approx([0, 0.2, 0.35, 0.45])
    assert instance.data("server_time").tolist() == pytest.approx([0.045, 0.025, 0.01, 0])


def test_an_inline_chain_has_the_same_sets(tmp_path: Path) -> None:
    macs, output = (
        "macs : mac = [40 Mmac, 30 Mmac, 20 Mmac]",
        "output : bit = [8 kbit, 2 kbit, 4 kbit]",
    )
    text = SPLIT.replace(
        'layers net from "net.csv"', f"layers net[j in 1..3] {{\n {macs}\n {output}\n}}"
    )
    from_file = model(tmp_path, SPLIT, {"net.csv": CHAIN}).instance()
    for name in ("sent", "phone_time", "server_time"):
        assert mecdsl.loads(text).instance().data(name).tolist() == from_file.data(name).tolist()


def test_columns_are_attributes_with_the_units_of_their_titles(tmp_path: Path) -> None:
    text = 'layers net from "net.csv" {\n heat : J\n let warm : J = 2*heat\n}\n' + (
        "var x : 1 >= 0\nminimize total = x + sum(j.warm/(1 J) + j.macs/(1 mac) for j in net)\n"
    )
    instance = model(tmp_path, text, {"net.csv": CHAIN}).instance()
    assert instance.data("net.macs").tolist() == [40e6, 30e6, 20e6]
    assert instance.data("net.output").tolist() == [8e3, 2e3, 4e3]
    assert instance.data("net.warm").tolist() == [2, 4, 6]


def test_titles_without_a_unit_have_the_customary_one(tmp_path: Path) -> None:
    text = (
        'layers net from "net.csv"\nvar x : 1 >= 0\nminimize total = x + sum(j.macs/(1 mac) '
        "+ j.flops/(1 flop) + "
        "j.input/(1 bit) + j.output/(1 bit) + j.parameters + j.rank for j in net)\n"
    )
    columns = "macs,flops,input,output,parameters,rank\n1,2,3,4,5,6\n"
    instance = model(tmp_path, text, {"net.csv": columns}).instance()
    assert instance.objective(instance.first_point()) == 21


def test_unused_columns_are_no_warning_but_unused_attributes_are(tmp_path: Path) -> None:
    loaded = model(tmp_path, SPLIT, {"net.csv": CHAIN})
    assert loaded.check() == ()
    declared = SPLIT.replace('"net.csv"', '"net.csv" {\n heat : J\n}')
    (warning,) = model(tmp_path, declared, {"net.csv": CHAIN}).check()
    assert (warning.code, warning.severity) == ("W401", Severity.WARNING)


def test_data_override_a_column(tmp_path: Path) -> None:
    loaded = model(tmp_path, SPLIT, {"net.csv": CHAIN}, data={"net.output": [1000, 2000, 3000]})
    assert loaded.instance().data("sent").tolist() == [
        16e3,
        1e6,
        2e6,
        0.0,
    ]  # in kbit, the unit of the column
    short = model(tmp_path, SPLIT, {"net.csv": CHAIN}, data={"net.output": [1000]})
    with pytest.raises(ModelError) as caught:
        short.instance()
    assert caught.value.diagnostics[0].code == "E302"


def test_more_rows_are_more_layers(tmp_path: Path) -> None:
    longer = CHAIN + "4,d,dense,10,1,4\n"
    assert model(tmp_path, SPLIT, {"net.csv": longer}).instance().columns == 5
    assert (
        model(tmp_path, SPLIT, {"net.csv": CHAIN}).instance().columns == 4
    )  # the file is read again


def test_a_set_of_cuts_has_cuts_as_members(tmp_path: Path) -> None:
    text = SPLIT.replace("[c in cuts(net)]", "[c in large]").replace(
        "for c in cuts(net)", "for c in large"
    )
    text += "set large = cuts(net) where sum(1 for j in large) >= 2\n"
    instance = model(tmp_path, text, {"net.csv": GRAPH}).instance()
    kept = [latency(cut) for cut in valid_cuts() if len(cut) >= 2]
    result = model(tmp_path, text, {"net.csv": GRAPH}).solve()
    assert instance.columns == len(kept)
    assert result.objective == pytest.approx(min(kept))


def test_neighbours_say_where_each_tensor_goes(tmp_path: Path) -> None:
    # Layers placed freely: x[j] = 1 puts layer j on the server; nothing comes back. A tensor that
    # any reader on the server needs is sent once: y[j] >= x[k] - x[j]. Then the best placement is
    # the best valid cut.
    text = """layers net from "net.csv"
var x[j in net] : binary
var y[j in net] : binary
var asked : binary
let run[j in net] : s = (1 - x[j])*j.macs/(200 Mmac/s) + x[j]*j.macs/(2 Gmac/s)
minimize latency = sum(run[j] + y[j]*j.output/(40 kbit/s) for j in net) + asked*16 kbit/(40 kbit/s)
constraint sent[j in net, k in after(j)]: y[j] >= x[k] - x[j]
constraint one_way[k in net, j in before(k)]: x[k] >= x[j]
constraint start[j in net where sum(1 for k in before(j)) == 0]: asked >= x[j]
"""
    loaded = model(tmp_path, text, {"net.csv": GRAPH})
    result = loaded.solve()
    assert result.verified
    assert result.objective == pytest.approx(min(map(latency, valid_cuts())), rel=1e-6)
    edges = sum(map(len, READS.values()))
    assert loaded.instance().rows == 2 * edges + 1


def test_an_onnx_file_is_read_beside_the_model(tmp_path: Path) -> None:
    light = (
        Path(onnx.__file__).parent / "backend" / "test" / "data" / "light" / "light_squeezenet.onnx"
    )
    shutil.copy(light, tmp_path / "net.onnx")
    asked = "sum(j.input for j in net where not j in c) + 0*input_size"
    text = SPLIT.replace("net.csv", "net.onnx").replace("(if c == 0 then input_size else 0)", asked)
    instance = model(tmp_path, text, {}).instance()
    sent = instance.data("sent")
    assert sent[0] == 32 * 3 * 224 * 224
    assert sent[-1] == 0
    assert instance.data("phone_time")[-1] * 200e6 == pytest.approx(0.35e9, abs=0.005e9)


def test_shipped_resnet_is_split_as_enumeration_says(tmp_path: Path) -> None:
    table = (ROOT / "models" / "data" / "resnet18.csv").read_text(encoding="utf-8")
    rows = [line.split(",") for line in table.splitlines()[1:]]
    macs, output = [int(row[3]) for row in rows], [int(row[7]) for row in rows]
    reads = [{int(word) for word in row[8].split()} for row in rows]
    cuts = [frozenset[int]()]
    for layer in range(1, len(rows) + 1):  # each cut of the first layers, without and with the next
        cuts += [cut | {layer} for cut in cuts if reads[layer - 1] <= cut]
    times = []
    for cut in cuts:
        outside = set(range(1, len(rows) + 1)) - cut
        crossing = {j for j in cut if any(j in reads[k - 1] for k in outside)}
        sent = sum(output[j - 1] for j in crossing) + (16e3 if not cut else 0)
        times.append(
            sum(macs[j - 1] for j in cut) / 200e6
            + sent / 40e3
            + sum(macs[j - 1] for j in outside) / 2e9
        )
    overrides = {"input_size": "4.8 Mbit"}
    times = [
        time + (4.8e6 - 16e3) / 40e3 if not cut else time
        for cut, time in zip(cuts, times, strict=True)
    ]
    result = model(tmp_path, SPLIT, {"net.csv": table}, **overrides).solve()
    assert result.objective == pytest.approx(min(times), rel=1e-9)


RAGGED = """nodes device[n in 1..3] { layer_count : integer >= 0 }
layers layer[n in device, m in 1..n.layer_count] { macs : mac }
param depth[n in device] : integer >= 0
let work[n in device] : mac = sum(layer.macs[n, m] for m in 1..depth[n])
var x : 1 >= 0
minimize total = x + sum(work[n]/(1 mac) for n in device)
"""


def test_each_device_has_layers_of_its_own(tmp_path: Path) -> None:
    data = {
        "device.layer_count": [2, 0, 3],
        "layer.macs": [[1, 2], [], [4, 8, 16]],
        "depth": [1, 0, 3],
    }
    (tmp_path / "case.json").write_text(json.dumps(data), encoding="utf-8")
    given: Mapping[str, Given] = read_data(tmp_path / "case.json", ("device", "layer"))
    instance = mecdsl.loads(RAGGED, {name: item.value for name, item in given.items()}).instance()
    assert instance.data("work").tolist() == [1, 0, 28]


def test_a_ragged_list_of_the_wrong_length_names_the_device(tmp_path: Path) -> None:
    data = {
        "device.layer_count": [2, 0, 3],
        "layer.macs": [[1, 2], [7], [4, 8, 16]],
        "depth": [1, 0, 3],
    }
    with pytest.raises(ModelError) as caught:
        mecdsl.loads(RAGGED, data).instance()
    (fault,) = caught.value.diagnostics
    assert fault.code == "E302"
    assert "item 2" in fault.message


def test_device_types_have_one_file_each(tmp_path: Path) -> None:
    text = """layers camera_net from "camera.csv"
layers sensor_net from "sensor.csv"
set kind = {camera, sensor}
nodes device[n in 1..3] { kind_of : kind }
let work[n in device] : mac =
    if n.kind_of == camera then sum(j.macs for j in camera_net) else sum(j.macs for j in sensor_net)
var x : 1 >= 0
minimize total = x + sum(work[n]/(1 mac) for n in device)
"""
    files = {"camera.csv": "macs [Mmac]\n5\n6\n", "sensor.csv": "macs [Mmac]\n1\n"}
    data = {"device.kind_of": ["sensor", "camera", "camera"]}
    assert model(tmp_path, text, files, data=data).instance().data("work").tolist() == [
        1e6,
        11e6,
        11e6,
    ]
