"""Data from outside: every way to write it gives the same values at the same members, and nothing
is guessed.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mecdsl.compiling.check import check
from mecdsl.data_files.read import given_in_memory, read_data, read_settings
from mecdsl.diagnostics import ModelError
from mecdsl.instances.instance import Instance
from mecdsl.instances.instantiate import instantiate
from mecdsl.parsing import syntax
from mecdsl.parsing.parse import parse, parse_file

REST = "\nvar free : 1 >= 0\nminimize nothing = free\n"


def families(text: str) -> list[str]:
    return [s.name for s in parse(text).statements if isinstance(s, syntax.Family)]


def load(text: str, data: str, tmp_path: Path, ending: str = "json") -> Instance:
    """The instance of a model with the text of a data file."""
    path = tmp_path / f"case.{ending}"
    path.write_text(data, encoding="utf-8")
    return instantiate(check(parse(text + REST)), read_data(path, families(text)))


def at(instance: Instance, name: str) -> dict[tuple[int, ...], float]:
    """The values of a parameter by its indices."""
    table = instance.world.symbols[name]
    columns = [table.table.columns[index].tolist() for index in table.names]
    return dict(zip(zip(*columns, strict=True), instance.data(name).tolist(), strict=True))


def refuses(text: str, data: Mapping[str, Any], code: str) -> str:
    """The message with which the data are refused."""
    with pytest.raises(ModelError) as caught:
        instantiate(check(parse(text + REST)), given_in_memory(data, families(text)))
    assert caught.value.diagnostics[0].code == code
    return caught.value.diagnostics[0].message


USERS = """
param clock : s
nodes user[k in 1..3] {
    cpu            : cycle/s
    gain[m in 1..2] : 1
}
"""
GAIN = [[11, 12], [21, 22], [31, 32]]
BY_INDEX = {(k, m): 10.0 * k + m for k in (1, 2, 3) for m in (1, 2)}


@pytest.mark.parametrize(
    "data",
    [
        {"clock": 30, "user": {"cpu": [1e9, 2e9, 3e9], "gain": GAIN}},
        {"clock": 30.0, "user.cpu": [1e9, 2e9, 3e9], "user.gain": GAIN},
        {"clock": "30 s", "user.cpu": ["1 Gcycle/s", "2Gcycle/s", 3e9], "user": {"gain": GAIN}},
        {
            "clock": "0.5 min",
            "user.cpu": ["1e9", "2000000 kcycle/s", "3.0 Gcycle/s"],
            "user.gain": GAIN,
        },
    ],
)
def test_qualified_nested_and_with_units_mean_the_same(
    data: Mapping[str, Any], tmp_path: Path
) -> None:
    instance = load(USERS, json.dumps(data), tmp_path)
    assert instance.data("clock").tolist() == [30]
    assert instance.data("user.cpu").tolist() == [1e9, 2e9, 3e9]
    assert at(instance, "user.gain") == BY_INDEX


def test_toml_is_json_in_other_words(tmp_path: Path) -> None:
    text = 'clock = "30 s"\n[user]\ncpu = [1e9, 2e9, 3e9]\ngain = [[11, 12], [21, 22], [31, 32]]\n'
    instance = load(USERS, text, tmp_path, "toml")
    assert (instance.data("clock")[0], at(instance, "user.gain")) == (30, BY_INDEX)


def test_arrays_in_memory() -> None:
    data = {
        "clock": np.float64(30),
        "user": {"cpu": np.array([1e9, 2e9, 3e9]), "gain": np.array(GAIN)},
    }
    instance = instantiate(check(parse(USERS + REST)), given_in_memory(data, families(USERS)))
    assert at(instance, "user.gain") == BY_INDEX


def test_settings_of_the_command_line() -> None:
    settings = ["clock=45s", "user.cpu=[1e9, 2e9, 3e9]", "user.gain = [[1, 2], [3, 4], [5, 6]]"]
    instance = instantiate(check(parse(USERS + REST)), read_settings(settings))
    assert (instance.data("clock")[0], instance.data("user.gain").tolist()) == (
        45,
        [1, 2, 3, 4, 5, 6],
    )
    assert read_settings(["x=1e3"])["x"].value == 1000
    assert read_settings(["x = -3 dBm"])["x"].value == "-3 dBm"
    for faulty in ("clock", "=3", "clock="):
        with pytest.raises(ModelError, match="E308"):
            read_settings([faulty])


def test_data_replace_what_the_model_says() -> None:
    text = "param a : s = 1 s\nparam b : s = 2*a"
    instance = instantiate(check(parse(text + REST)), given_in_memory({"a": 5}, ()))
    assert (instance.data("a")[0], instance.data("b")[0]) == (5, 10)


def test_logarithmic_units_of_parameters() -> None:
    text = "param power : dBm\nparam loss[i in 1..2] : dB"
    instance = instantiate(
        check(parse(text + REST)), given_in_memory({"power": 20, "loss": [-10, "3 dB"]}, ())
    )
    assert instance.data("power")[0] == pytest.approx(0.1)  # 100 mW
    assert instance.data("loss") == pytest.approx([0.1, 10**0.3])


# Shapes; the numbers are those of the papers' examples

COOPERATIVE = """
param device_count : integer
param server_count : integer
param layer_count : integer
nodes device[m in 1..device_count] { task_size : bit }
nodes server[n in 1..server_count] {
    output_ratio[k in cnn]    : 1
    cumulative_work[k in cnn] : cycle/bit
}
node cloud
layers cnn[k in 1..layer_count]
links uplink[m in device, n in server]: m -> n { gain : 1 }
links backhaul[n in server]: n -> cloud { capacity : bit/s }
"""


def test_matrices_of_links_and_of_attributes_with_an_index(tmp_path: Path) -> None:
    data = """{ "device_count": 3, "server_count": 2, "layer_count": 2,
      "device": { "task_size": [3e6, 5e6, 2e6] },
      "server": { "output_ratio": [[0.5, 0.25], [0.45, 0.2]], "cumulative_work": [[700, 1600], [650, 1500]] },
      "backhaul": { "capacity": [1.5e8, 2e8] },
      "uplink": { "gain": [[2e-9, 4e-10], [7e-10, 9e-10], [3e-10, 5e-9]] } }"""
    instance = load(COOPERATIVE, data, tmp_path)
    assert at(instance, "server.cumulative_work")[(2, 1)] == 650
    assert at(instance, "server.output_ratio")[(1, 2)] == 0.25
    gain = at(instance, "uplink.gain")
    assert (gain[(1, 2)], gain[(2, 1)], gain[(3, 2)]) == (4e-10, 7e-10, 5e-9)
    assert at(instance, "backhaul.capacity") == {(1,): 1.5e8, (2,): 2e8}


def test_one_row_or_column_is_still_a_matrix(tmp_path: Path) -> None:
    counts = (
        '"device_count": 1, "server_count": 1, "layer_count": 1, "device.task_size": '
        '[1], "backhaul.capacity": [1]'
    )
    server = '"server": {"output_ratio": [[0.5]], "cumulative_work": [[7]]}'
    instance = load(COOPERATIVE, f'{{{counts}, {server}, "uplink.gain": [[3]]}}', tmp_path)
    assert at(instance, "uplink.gain") == {(1, 1): 3}
    with pytest.raises(ModelError, match=r"`uplink.gain` item 1 needs a list of 1 value"):
        load(COOPERATIVE, f'{{{counts}, {server}, "uplink.gain": [3]}}', tmp_path)


FOG = """
param node_count : integer
param layer_count : integer
param master : integer
nodes fog_node[k in 1..node_count] { cpu_max : cycle/s }
layers layer_pack[n in 1..layer_count] { filter_size : 1 = 3 }
links distribution[k in 1..node_count where k != master]: fog_node[master] -> fog_node[k] { gain : 1 }
links neighbour[k in 1..node_count, l in 1..node_count where abs(k - l) == 1]: fog_node[k] -> fog_node[l] {
    gain[n in layer_pack] : 1
}
"""


def test_sparse_links_are_flat_lists_in_the_order_of_their_pairs(tmp_path: Path) -> None:
    data = """{"node_count": 3, "layer_count": 2, "master": 2, "fog_node": {"cpu_max": [2.0e9, 2.5e9, 3.0e9]},
     "layer_pack": {"filter_size": [3, 3]}, "distribution": {"gain": [2e-9, 5e-9]},
     "neighbour": {"gain": [[4e-9, 3e-9], [4e-9, 3e-9], [6e-10, 7e-10], [8e-10, 9e-10]]}}"""
    instance = load(FOG, data, tmp_path)
    assert at(instance, "distribution.gain") == {(1,): 2e-9, (3,): 5e-9}
    gain = at(instance, "neighbour.gain")
    assert list(gain)[::2] == [(1, 2, 1), (2, 1, 1), (2, 3, 1), (3, 2, 1)]
    assert (gain[(2, 3, 1)], gain[(3, 2, 2)], gain[(1, 2, 2)]) == (6e-10, 9e-10, 3e-9)


def test_empty_families_are_empty_lists(tmp_path: Path) -> None:
    one = '"node_count": 1, "layer_count": 2, "master": 1, "fog_node.cpu_max": [1]'
    instance = load(FOG, f'{{{one}, "distribution.gain": [], "neighbour.gain": []}}', tmp_path)
    assert (at(instance, "distribution.gain"), at(instance, "neighbour.gain")) == ({}, {})
    with pytest.raises(ModelError, match=r"`distribution\.gain` has 1 value, expected 0"):
        load(FOG, f'{{{one}, "distribution.gain": [3], "neighbour.gain": []}}', tmp_path)
    with pytest.raises(ModelError, match=r"`distribution\.gain` has no values, 0 values expected"):
        load(FOG, f'{{{one}, "neighbour.gain": []}}', tmp_path)


GAME = """
param device_count : integer
param slot_count : integer
param base_price[h in 1..slot_count] : money/cycle
node server { cpu : cycle/s }
nodes device[n in 1..device_count] {
    layer_count : integer
    deadline    : s
}
layers layer[n in device, m in 1..n.layer_count] { local_time : s }
links radio[n in device]: n -> server { gain : 1 }
"""


def test_ragged_families_are_ragged_lists(tmp_path: Path) -> None:
    data = """{"device_count": 2, "slot_count": 2, "base_price": [1e-9, 2e-9], "server": {"cpu": 3e9},
     "device": {"layer_count": [2, 3], "deadline": [1.5, 1.2]}, "radio": {"gain": [2e-10, 5e-11]},
     "layer.local_time": [[0.20, 0.50], [0.10, 0.40, 0.30]]}"""
    instance = load(GAME, data, tmp_path)
    assert at(instance, "layer.local_time") == {
        (1, 1): 0.2,
        (1, 2): 0.5,
        (2, 1): 0.1,
        (2, 2): 0.4,
        (2, 3): 0.3,
    }
    assert (instance.data("server.cpu").tolist(), at(instance, "base_price")) == (
        [3e9],
        {(1,): 1e-9, (2,): 2e-9},
    )
    with pytest.raises(ModelError, match=r"`layer\.local_time` item 1 has 3 values, expected 2"):
        load(GAME, data.replace("[0.20, 0.50]", "[0.20, 0.50, 1]"), tmp_path)


NOMA = """
param access_point_count : integer
param user_count : integer
param layer_count : integer
nodes access_point[n in 1..access_point_count]
nodes user[i in 1..user_count] {
    home                   : access_point
    cut_size[s in cuts(dnn)] : bit
}
set subchannel = 1..2
layers dnn[l in 1..layer_count]
links uplink[n in access_point, i in user]: i -> n { gain[m in subchannel] : 1 }
let own[i in user, m in subchannel] : 1 = uplink.gain[i.home, i, m]
"""
NOMA_DATA = """{"access_point_count": 2, "user_count": 3, "layer_count": 2,
 "user": {"home": [1, 2, 1], "cut_size": [[50000, 20000, 800], [50000, 20000, 800], [40000, 30000, 640]]},
 "uplink": {"gain": [[[3e-10, 5e-11], [2e-12, 6e-12], [8e-10, 7e-10]],
                      [[4e-12, 1e-12], [6e-10, 9e-10], [3e-12, 2e-12]]]}}"""


def test_three_levels_cuts_from_zero_and_homes(tmp_path: Path) -> None:
    instance = load(NOMA, NOMA_DATA, tmp_path)
    assert at(instance, "uplink.gain")[(2, 3, 1)] == 3e-12
    sizes = at(instance, "user.cut_size")
    assert (sizes[(3, 0)], sizes[(3, 2)], len(sizes)) == (40000, 640, 9)
    assert instance.data("own").tolist() == [3e-10, 5e-11, 6e-10, 9e-10, 8e-10, 7e-10]


def test_homes_are_members(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"`user.home\[2\]` is 3, no member of `access_point`"):
        load(NOMA, NOMA_DATA.replace('"home": [1, 2, 1]', '"home": [1, 3, 1]'), tmp_path)


def test_members_of_a_set_of_names_may_be_given_by_name() -> None:
    text = (
        "set kind = {camera, phone}\nnodes user[i in 1..3] { type : kind }\nlet code[i in "
        "user] : 1 = load[i.type]\n"
    )
    text += "param load[c in kind] : 1 = [10, 20]"
    data = {"user": {"type": ["phone", 1, "camera"]}}
    instance = instantiate(check(parse(text + REST)), given_in_memory(data, families(text)))
    assert instance.data("code").tolist() == [20, 10, 10]


# Tables

TABLE = 'nodes user[k in 1..3] from "users.csv" {\n    cpu  : cycle/s > 0\n    size : bit\n}\n'


def from_table(text: str, table: str, tmp_path: Path) -> Instance:
    (tmp_path / "users.csv").write_text(table, encoding="utf-8")
    (tmp_path / "m.mec").write_text(text + REST, encoding="utf-8")
    return instantiate(check(parse_file(tmp_path / "m.mec")), {})


@pytest.mark.parametrize(
    "table",
    [
        "cpu [Gcycle/s],size [kbyte]\n1,2\n3,4\n5,6\n",
        "k,cpu [Gcycle/s],size [kbyte]\n3,5,6\n1,1,2\n2,3,4\n",  # lines in any order
        "\ufeffk, size, cpu\r\n1, 16000, 1e9\r\n\r\n2, 32000, 3 Gcycle/s\r\n3, 6 kbyte, 5e9\r\n",
    ],
)
def test_tables_of_families(table: str, tmp_path: Path) -> None:
    instance = from_table(TABLE, table, tmp_path)
    assert instance.data("user.cpu").tolist() == [1e9, 3e9, 5e9]
    assert instance.data("user.size").tolist() == [16000, 32000, 48000]  # a byte has 8 bit


def test_faults_of_a_reordered_table_point_at_their_lines(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        from_table(TABLE, "k,cpu,size\n3,5,6\n\n1,0,2\n2,3,4\n", tmp_path)
    (fault,) = caught.value.diagnostics
    assert fault.span is not None
    assert (fault.code, fault.message, fault.span.line) == (
        "E306",
        "`user.cpu[1]` is 0 cycle/s, expected > 0 cycle/s",
        4,
    )


def test_tables_over_names(tmp_path: Path) -> None:
    text = 'set kind = {camera, phone}\nnodes user[c in kind] from "users.csv" { size : bit }\n'
    assert from_table(text, "c,size\nphone,2\ncamera,1\n", tmp_path).data("user.size").tolist() == [
        1,
        2,
    ]


def test_tables_of_parameters(tmp_path: Path) -> None:
    (tmp_path / "more.json").write_text(
        '{"rate": [7, 8], "user": {"cpu": [1, 2, 3]}}', encoding="utf-8"
    )
    text = (
        'param load[i in 1..2] : s from "users.csv"\nparam rate[i in 1..2] : bit/s from '
        '"more.json"\n'
    )
    text += 'nodes user[k in 1..3] { cpu : cycle/s from "more.json" }\n'
    instance = from_table(text, "time [ms]\n10\n20\n", tmp_path)
    assert instance.data("load").tolist() == [0.01, 0.02]
    assert instance.data("rate").tolist() == [7, 8]
    assert instance.data("user.cpu").tolist() == [1, 2, 3]


def test_data_go_before_a_table(tmp_path: Path) -> None:
    (tmp_path / "users.csv").write_text("cpu,size\n1,2\n3,4\n5,6\n", encoding="utf-8")
    (tmp_path / "m.mec").write_text(TABLE + REST, encoding="utf-8")
    given = given_in_memory({"user.size": [7, 8, 9]}, ("user",))
    instance = instantiate(check(parse_file(tmp_path / "m.mec")), given)
    assert (instance.data("user.size").tolist(), instance.data("user.cpu").tolist()) == (
        [7, 8, 9],
        [1, 3, 5],
    )


def test_a_zero_byte_in_a_table_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="E30"):
        from_table(TABLE, "cpu,size\n1,2\x00\n3,4\n5,6\n", tmp_path)


# What is refused


@pytest.mark.parametrize(
    ("data", "code", "message"),
    [
        ({}, "E301", "`a` has no values, 2 values expected"),
        ({"a": [1]}, "E302", "`a` has 1 value, expected 2 (one per i): 1 missing"),
        ({"a": [1, 2, 3]}, "E302", "`a` has 3 values, expected 2 (one per i): 1 too many"),
        ({"a": 5}, "E302", "`a` needs a list of 2 values (one per i), found `5`"),
        ({"a": [[1], [2]]}, "E304", "`a[1]` is a list of 1, expected a number"),
        ({"a": [1, float("nan")]}, "E304", "`a[2]` is nan, not a finite number"),
        ({"a": [1, float("inf")]}, "E304", "`a[2]` is inf, not a finite number"),
        ({"a": [1, None]}, "E304", "`a[2]` is `null`, expected a number"),
        ({"a": [1, False]}, "E304", "`a[2]` is `false`, expected a number"),
        ({"a": [1, "x"]}, "E304", "`a[2]` is `x`, expected a number or a quantity"),
        ({"a": [1, ""]}, "E304", "`a[2]` is empty, expected a number or a quantity"),
        ({"a": [1, "nan"]}, "E304", "`a[2]` is nan, not a finite number"),
        ({"a": [1, {"b": 2}]}, "E304", "`a[2]` is an object, expected a number"),
        ({"a": [1, 10**400]}, "E304", "`a` holds a number too large"),
        ({"a": [1, "2 bit"]}, "E305", "`a` is in [s], its data in [bit]"),
        ({"a": [1, "2 lightyears"]}, "E305", "`a[2]`: unknown unit `lightyears`"),
        ({"a": [1, -2]}, "E306", "`a[2]` is -2 s, expected >= 0 s"),
        ({"a": [1, 2.5]}, "E306", "`a[2]` is 2.5, expected an integer"),
        ({"a": [1, 2], "b": 3}, "E303", "the model has no parameter `b`"),
        ({"a": [1, 2], "free": 3}, "E303", "`free` is a variable and cannot be given"),
        ({"a": [1, 2], "c": 3}, "E303", "`c` is computed by the model and cannot be given"),
    ],
)
def test_refused(data: Mapping[str, Any], code: str, message: str) -> None:
    assert refuses("param a[i in 1..2] : integer s >= 0\nlet c : s = a[1]", data, code) == message


@pytest.mark.parametrize(
    ("data", "fix"),
    [
        ({"site.homes": [1, 1]}, "did you mean `site.home`?"),
        (
            {"site.home": [1, 1], "site.homes": [1, 1]},
            "`site.home` is given as well: leave `site.homes` out",
        ),
        ({"site.home": [1, 1], "site.hoppe": [1, 1]}, "did you mean `site.hope`?"),
    ],
)
def test_the_nearest_name_is_proposed(data: Mapping[str, Any], fix: str) -> None:
    text = "nodes site[k in 1..2] {\n    y : m\n    hope : m\n    home : 1\n}\n"
    with pytest.raises(ModelError) as caught:
        instantiate(check(parse(text + REST)), given_in_memory(data, ()))
    assert fix in [d.help for d in caught.value.diagnostics if d.code == "E303"]


def test_all_faults_of_the_data_come_in_one_run() -> None:
    text = "param a : s\nparam b : s\nparam c : s\nparam d : s >= 0"
    data = {"a": "3 J", "b": None, "d": -1, "e": 3}
    with pytest.raises(ModelError) as caught:
        instantiate(check(parse(text + REST)), given_in_memory(data, ()))
    assert sorted(d.code for d in caught.value.diagnostics) == [
        "E301",
        "E303",
        "E304",
        "E305",
        "E306",
    ]


def test_places_in_the_file(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        load(
            USERS,
            '{"clock": 30,\n "user.cpu": [1, 2, 3], "user": {"gain": [[1, 2],\n  [3, "4 s"], [5, 6]]}}',
            tmp_path,
        )
    (fault,) = caught.value.diagnostics
    assert fault.span is not None
    assert (fault.span.line, fault.span.column, fault.span.text) == (3, 7, '"4 s"')


def test_an_index_column_puts_the_values_of_a_parameter_in_order(tmp_path: Path) -> None:
    text = 'param load[k in 2..4] : s from "load.csv"\nvar x : s >= load[2]\nminimize cost = x\n'
    (tmp_path / "m.mec").write_text(text)
    (tmp_path / "load.csv").write_text("load,k\n30,3\n20,2\n40,4\n")
    instance = instantiate(check(parse_file(tmp_path / "m.mec")), {})
    assert instance.data("load").tolist() == [20, 30, 40]
    (tmp_path / "load.csv").write_text("k,load\n3,30\n2,20\n3,40\n")
    with pytest.raises(ModelError, match=r"`load\[3\]` stands twice in the table"):
        instantiate(check(parse_file(tmp_path / "m.mec")), {})
    (tmp_path / "load.csv").write_text("k,load\n3,30\n2,20\n5,40\n")
    with pytest.raises(ModelError, match="`5` is no member of `load`"):
        instantiate(check(parse_file(tmp_path / "m.mec")), {})
