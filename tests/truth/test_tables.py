"""Tables are aligned by their labels, always: what each member gets, read off the table by hand.

Every table here names its rows or columns in an order that is not the family's, so that a value
that is matched by its position lands at the wrong member.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import mecdsl
from mecdsl.diagnostics import Diagnostic, ModelError
from mecdsl.instances.data_out import data_of
from mecdsl.instances.instance import Instance

REST = "\nvar free : 1 >= 0\nminimize nothing = free\n"
At = dict[str, float]


def instance(folder: Path, text: str, files: Mapping[str, str], data: Any = None) -> Instance:
    """The instance of a model whose files lie beside it."""
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8")
    (folder / "m.mec").write_text(text if "minimize" in text else text + REST, encoding="utf-8")
    where = folder / data if isinstance(data, str) else data
    return mecdsl.load(folder / "m.mec", where).instance()


def at(found: Instance, name: str) -> At:
    """The values of a parameter by member, as a user writes it."""
    values = found.data(name).tolist()
    start = len(name)
    return {found.world.row_text(name, row)[start:]: value for row, value in enumerate(values)}


def fault(folder: Path, text: str, files: Mapping[str, str], data: Any = None) -> Diagnostic:
    """The first fault of a model with its files."""
    with pytest.raises(ModelError) as caught:
        instance(folder, text, files, data)
    return caught.value.diagnostics[0]


def line(diagnostic: Diagnostic) -> tuple[str, int]:
    assert diagnostic.span is not None
    return diagnostic.span.source.name.rsplit("/", 1)[-1], diagnostic.span.line


# Two indices: delays of devices and servers; (1,1) 10, (1,2) 20, (2,1) 30, (2,2) 1 ms

PAIRS = {"[1, 1]": 0.01, "[1, 2]": 0.02, "[2, 1]": 0.03, "[2, 2]": 0.001}
FAMILIES = "nodes device[m in 1..2]\nnodes server[n in 1..2]\n"
SPARSE = FAMILIES + "set pair[m in device, n in server] = {(1, 1), (1, 2), (2, 1), (2, 2)}\n"
TUPLES = SPARSE + 'param delay[(m, n) in pair] : s from "d.csv"\n'
DENSE = FAMILIES + 'param delay[m in device, n in server] : s from "d.csv"\n'
LINKS = FAMILIES + 'links up[m in device, n in server]: m -> n { delay : s from "d.csv" }\n'
OWN = FAMILIES.replace(
    "2]\nnodes server", '2] { delay[n in server] : s from "d.csv" }\nnodes server'
)
LONG = "m,n,delay [ms]\n2,1,30\n1,2,20\n1,1,10\n2,2,1\n"


@pytest.mark.parametrize("text", [TUPLES, DENSE, LINKS, OWN])
@pytest.mark.parametrize(
    "table",
    [
        LONG,
        "delay [ms],n,m\n30,1,2\n20,2,1\n10,1,1\n1,2,2\n",  # columns in another order
        "server,delay [ms],device\n1,30,2\n2,20,1\n1,10,1\n2,1,2\n",  # called as the families
        # one column of values needs no name
        "m,n,anything\n2,1,30 ms\n1,2,20 ms\n1,1,0.01\n2,2,0.001 s\n",
        '\ufeffm , n , delay [ms]\r\n "2" , 1.0 , 30\r\n1,2,20\r\n\r\n1,1,10\r\n2,2,1\r\n',
        "m,2,1\n2,1 ms,30 ms\n1,20 ms,10 ms\n",  # a matrix with the labels of n as titles
        "n,2,1\n2,1 ms,20 ms\n1,30 ms,10 ms\n",  # its rows are called n: the titles are those of m
        "device,2 [ms],1 [ms]\n2,1,30\n1,20,10\n",
        ",2,1\n2,0.001,0.03\n1,0.02,0.01\n",  # a corner without a title stands over the first index
    ],
)
def test_two_indices(text: str, table: str, tmp_path: Path) -> None:
    symbol = {TUPLES: "delay", DENSE: "delay", LINKS: "up.delay", OWN: "device.delay"}[text]
    assert at(instance(tmp_path, text, {"d.csv": table}), symbol) == pytest.approx(PAIRS)


@pytest.mark.parametrize("text", [TUPLES, DENSE, LINKS, OWN])
@pytest.mark.parametrize(
    ("ending", "data"),
    [
        ("json", '{"NAME": {"2": {"2": "1 ms", "1": 0.03}, "1": {"2": 0.02, "1": "10 ms"}}}'),
        (
            "json",
            '{"NAME": [{"n": 1, "m": 2, "NAME": 0.03}, {"m": "1", "n": 2, "NAME": "20 ms"},'
            ' {"m": 1, "n": 1, "NAME": 0.01}, {"n": 2, "m": 2, "NAME": 0.001}]}',
        ),
        (
            "json",
            '[{"m": 2, "n": 1, "NAME": 0.03}, {"m": 1, "n": 2, "NAME": "20 ms"},'
            ' {"m": 1, "n": 1, "NAME": 0.01}, {"m": 2, "n": 2, "NAME": 0.001}]',
        ),
        ("toml", '["NAME".2]\n2 = "1 ms"\n1 = 0.03\n["NAME".1]\n2 = 0.02\n1 = 0.01\n'),
        (
            "toml",
            '[["NAME"]]\nm = 2\nn = 1\ndelay = "30 ms"\n[["NAME"]]\nm = 1\nn = 2\ndelay = 0.02\n'
            '[["NAME"]]\nm = 1\nn = 1\ndelay = 0.01\n[["NAME"]]\nm = 2\nn = 2\ndelay = 0.001\n',
        ),
        ("csv", "m,n,NAME [ms]\n2,1,30\n1,2,20\n1,1,10\n2,2,1\n"),
    ],
)
def test_two_indices_with_data(text: str, ending: str, data: str, tmp_path: Path) -> None:
    symbol = {TUPLES: "delay", DENSE: "delay", LINKS: "up.delay", OWN: "device.delay"}[text]
    file = {f"case.{ending}": data.replace("NAME", symbol)}
    found = instance(tmp_path, text.replace(' from "d.csv"', ""), file, f"case.{ending}")
    assert at(found, symbol) == pytest.approx(PAIRS)


def test_the_assignment_with_the_shuffled_table_costs_eleven(tmp_path: Path) -> None:
    """Each device takes its best server: min(10, 20) + min(30, 1) = 11 ms."""
    for text in (TUPLES, DENSE):
        over = "(m, n) in pair" if text is TUPLES else "m in device, n in server"
        model = text + f"var x[{over}] : binary\n"
        model += f"minimize total = sum(delay[m, n]*x[m, n] for {over})\n"
        model += "constraint one[m in device]: sum(x[m, n] for n in server) == 1\n"
        instance(tmp_path, model, {"d.csv": LONG})
        assert mecdsl.load(tmp_path / "m.mec").solve("highs").objective == pytest.approx(0.011)


# One index, sets of names


CELLS = {"[a1]": 1, "[a5]": 5, "[a11]": 11, "[a100]": 100}
CELL = 'set cell = {a1, a5, a11, a100}\nparam least[c in cell] : sample from "t.csv"\n'


@pytest.mark.parametrize(
    "table",
    [
        "cell,least\na100,100\na1,1\na5,5\na11,11\n",
        "least,c\n100,a100\n5,a5\n1,a1\n11,a11\n",
        'c,least\n "a100" ,100\n a5,5\na1 ,1\na11,11\n',
    ],
)
def test_names_of_a_set_in_any_order(table: str, tmp_path: Path) -> None:
    assert at(instance(tmp_path, CELL, {"t.csv": table}), "least") == CELLS


def test_names_that_are_numbers_are_names(tmp_path: Path) -> None:
    """The member called `2` is the first of the set and gets what the line `2` says."""
    text = 'set shelf = {"2", "3", "1"}\nparam w[s in shelf] : 1 from "t.csv"\n'
    found = instance(tmp_path, text, {"t.csv": "s,w\n1,10\n2,20\n3,30\n"})
    assert at(found, "w") == {'["2"]': 20, '["3"]': 30, '["1"]': 10}
    home = 'nodes user[k in 1..2] from "u.csv" { at : shelf }\n'
    found = instance(tmp_path, text + home, {"u.csv": "k,at\n2,1\n1,2\n"})
    assert at(found, "user.at") == {"[1]": 1, "[2]": 3}  # the places of `2` and of `1` in the set


def test_integers_that_look_like_places(tmp_path: Path) -> None:
    text = 'set port = {30, 10, 20, 2}\nparam w[p in port] : 1 from "t.csv"\n'
    found = instance(tmp_path, text, {"t.csv": "p,w\n2,1\n10,2\n20,3\n30,4\n"})
    assert at(found, "w") == {"[30]": 4, "[10]": 2, "[20]": 3, "[2]": 1}


def test_a_subset(tmp_path: Path) -> None:
    text = "nodes user[k in 1..4] { far : binary = if k >= 3 then 1 else 0 }\n"
    text += 'set edge = user where user.far[edge] == 1\nparam w[e in edge] : 1 from "t.csv"\n'
    for title in ("e", "edge", "user"):
        found = instance(tmp_path, text, {"t.csv": f"w,{title}\n40,4\n30,3\n"})
        assert at(found, "w") == {"[3]": 30, "[4]": 40}
    wrong = fault(tmp_path, text, {"t.csv": "w,e\n40,4\n30,3\n10,1\n"})
    assert (wrong.message, line(wrong)) == ("`1` is no member of `w`", ("t.csv", 4))


RAGGED = "nodes device[n in 1..2] { count : integer = 4 - 2*(n - 1) - 1 }\n"  # 3 and 1
RAGGED += 'layers part[n in device, m in 1..n.count] from "t.csv" { w : 1 }\n'


def test_ragged_families(tmp_path: Path) -> None:
    found = instance(tmp_path, RAGGED, {"t.csv": "m,n,w\n3,1,13\n1,2,21\n1,1,11\n2,1,12\n"})
    assert at(found, "part.w") == {"[1, 1]": 11, "[1, 2]": 12, "[1, 3]": 13, "[2, 1]": 21}
    found = instance(
        tmp_path, RAGGED, {"t.csv": "m,n,w\n"}, {"part.w": {"2": {"1": 21}, "1": [11, 12, 13]}}
    )
    assert at(found, "part.w") == {"[1, 1]": 11, "[1, 2]": 12, "[1, 3]": 13, "[2, 1]": 21}
    wrong = fault(tmp_path, RAGGED, {"t.csv": "m,n,w\n3,1,13\n2,2,22\n1,1,11\n2,1,12\n"})
    assert (wrong.message, line(wrong)) == ("`2, 2` is no member of `part`", ("t.csv", 3))


def test_attributes_with_an_index_of_their_own(tmp_path: Path) -> None:
    text = 'set band = {low, high}\nnodes user[k in 1..2] from "u.csv" { gain[b in band] : 1 }\n'
    right = {"[1, low]": 11, "[1, high]": 12, "[2, low]": 21, "[2, high]": 22}
    table = "b,gain,k\nhigh,22,2\nlow,11,1\nhigh,12,1\nlow,21,2\n"
    assert at(instance(tmp_path, text, {"u.csv": table}), "user.gain") == right
    plain = text.replace(' from "u.csv"', "")
    for data in (
        {"user": {"gain": {"2": {"high": 22, "low": 21}, "1": {"high": 12, "low": 11}}}},
        {"user.gain": {"2": [21, 22], "1": {"low": 11, "high": 12}}},
        {"user.gain": [[11, 12], [21, 22]]},
    ):
        assert at(instance(tmp_path, plain, {}, data), "user.gain") == right


def test_settings_by_name(tmp_path: Path) -> None:
    from mecdsl.data_files.read import read_settings

    (tmp_path / "m.mec").write_text(CELL.replace(' from "t.csv"', "") + REST, encoding="utf-8")
    settings = read_settings(['least={"a11": 11, "a100": "100 sample", "a1": 1, "a5": 5}'])
    assert at(mecdsl.load(tmp_path / "m.mec", settings=settings).instance(), "least") == CELLS


# What is wrong is said with its line


@pytest.mark.parametrize(
    ("table", "message", "number"),
    [
        (
            "m,n,delay\n1,1,10\n1,1,20\n2,1,30\n1,2,4\n",
            "`delay[1, 1]` stands twice in the table",
            3,
        ),
        (
            "m,n,delay\n1,1,10\n1.0,1,20\n2,1,30\n2,2,4\n",
            "`delay[1, 1]` stands twice in the table",
            3,
        ),
        ("m,n,delay\n1,1,1\n2,1,3\n2,2,4\n", "`delay[1, 2]` is missing in the table", 1),
        ("m,n,delay\n1,1,1\n1,2,1\n2,1,3\n2,2,4\n3,1,9\n", "`3, 1` is no member of `delay`", 6),
        ("m,n,delay\n1,01,1\n1,2,1\n2,1,3\n2,2,4\n", "`1, 01` is no member of `delay`", 2),
        ("m,n,delay\n1,1,1\n,2,1\n2,1,3\n2,2,4\n", "the label of `m` is empty", 3),
        (
            "m,n,delay\n1,1,1\n1,2,\n2,1,3\n2,2,4\n",
            "`delay[1, 2]` is empty, expected a number or a quantity",
            3,
        ),
        (
            "m,zone,delay\n1,1,1\n1,2,1\n2,1,3\n2,2,4\n",
            "`zone` is none of the indices of `delay`: `m`, `n`",
            1,
        ),
        ("m,delay\n1,1\n2,2\n", "the table has no column for the index `n` of `delay`", 1),
        (
            "m,device,n,delay\n1,1,1,1\n",
            "column `device` is the index `m`, which has a column already",
            1,
        ),
        ("m,n,n,delay\n1,1,1,1\n", "column `n` stands twice", 1),
        ("m,1,3\n1,1,2\n2,3,4\n", "`1, 3` is no member of `delay`", 1),
        ("m,1,2\n1,1,2\n", "`delay[2, 1]` is missing in the table", 1),
        ("m,1,2\n1,1,\n2,3,4\n", "`delay[1, 2]` is missing in the table", 1),
        (
            "x,1,2\n1,1,2\n2,3,4\n",
            "the first column of the matrix for `delay` is called after no index: `x`",
            1,
        ),
        (
            "1,2\n1,2\n3,4\n",
            "the first column of the matrix for `delay` is called after no index: `1`",
            1,
        ),
        ("m [s],n,delay\n1,1,1\n", "column `m` holds the labels of an index, and has a unit", 1),
        ("m;n;delay\n1;1;1,5\n", "the columns are separated by `;`", 1),
        ("m\tn\tdelay\n", "the columns are separated by tabs", 1),
        ("m,n,delay,m [s]\n1,1,1,1\n", "column `m` stands twice", 1),
    ],
)
def test_wrong_tables(table: str, message: str, number: int, tmp_path: Path) -> None:
    wrong = fault(tmp_path, DENSE, {"d.csv": table})
    assert (wrong.message, line(wrong)) == (message, ("d.csv", number))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"1": {"1": 1, "2": 2}}, "`delay[2, 1]` is missing in the data"),
        ({"1": {"1": 1, "2": 2}, "2": {"1": 1, "2": 2, "3": 3}}, "`2, 3` is no member of `delay`"),
        ({"1": {"1": 1, "2": 2}, "2": {"1": 1, "02": 2}}, "`2, 02` is no member of `delay`"),
        (
            {"1": {"1": 1, "1.0": 2}, "2": {"1": 1, "2": 2}},
            "`delay[1, 1]` stands twice in the data",
        ),
        (
            {"1": {"1": 1, "2": 2}, "2": 3},
            "`delay[2]` needs an object with a value for each `n`, found `3`",
        ),
        ({"1": [1, 2, 3], "2": [3, 4]}, "`delay[1]` has 3 values, expected 2 (one per n)"),
        ([{"m": 1, "n": 1, "delay": 3}, {"m": 1, "delay": 3}], "record 2 has no `n`"),
        ([{"m": 1, "k": 1, "delay": 3}], "`k` is none of the indices of `delay`: `m`, `n`"),
    ],
)
def test_wrong_objects(data: Any, message: str, tmp_path: Path) -> None:
    wrong = fault(
        tmp_path,
        DENSE.replace(' from "d.csv"', ""),
        {"c.json": json.dumps({"delay": data})},
        "c.json",
    )
    assert wrong.message == message
    assert line(wrong)[0] == "c.json"


def test_a_name_given_twice_in_json(tmp_path: Path) -> None:
    text = CELL.replace(' from "t.csv"', "")
    data = '{"least": {"a1": 1,\n "a5": 5, "a11": 11, "a100": 100,\n "a5": 6}}'
    wrong = fault(tmp_path, text, {"c.json": data}, "c.json")
    assert (wrong.code, wrong.message, line(wrong)) == (
        "E307",
        "`a5` is given twice",
        ("c.json", 3),
    )


def test_a_title_that_may_mean_two_indices_is_refused(tmp_path: Path) -> None:
    text = 'nodes router[n in 1..2]\nparam hop[i in router, j in router] : 1 from "h.csv"\n'
    wrong = fault(tmp_path, text, {"h.csv": "router,j,hop\n1,1,0\n"})
    assert wrong.message == "column `router` may mean `i` and `j`, which both run over it"
    found = instance(tmp_path, text, {"h.csv": "j,i,hop\n1,2,21\n1,1,11\n2,2,22\n2,1,12\n"})
    assert at(found, "hop") == {"[1, 1]": 11, "[1, 2]": 12, "[2, 1]": 21, "[2, 2]": 22}


def test_a_label_column_of_nothing_in_given_data(tmp_path: Path) -> None:
    text = "nodes user[k in 1..2] { w : 1 }\n"
    assert at(instance(tmp_path, text, {"c.csv": "k,user.w\n2,20\n1,10\n"}, "c.csv"), "user.w") == {
        "[1]": 10,
        "[2]": 20,
    }
    wrong = fault(tmp_path, text, {"c.csv": "id,user.w\n2,20\n1,10\n"}, "c.csv")
    assert (wrong.code, wrong.message) == ("E303", "the model has no parameter `id`")


def test_a_first_line_of_numbers_is_no_line_of_titles(tmp_path: Path) -> None:
    """Three numbers for two members: the first must not vanish as the title of the others."""
    wrong = fault(tmp_path, 'param w[k in 1..2] : 1 from "w.csv"\n', {"w.csv": "1\n2\n3\n"})
    assert (wrong.code, wrong.message) == ("E308", "`1` is no column name")


def test_a_pair_of_a_condition_that_stands_twice_is_named_with_the_missing_one(
    tmp_path: Path,
) -> None:
    text = 'param delay[m in 1..2, n in 1..2 where m + n < 4] : s from "d.csv"\n'
    wrong = fault(tmp_path, text, {"d.csv": "m,n,delay\n1,1,10\n1,1,20\n2,1,30\n"})
    assert wrong.message == "`delay[1, 1]` stands twice in the table"
    assert wrong.note == "`delay[1, 2]` is missing"
    assert line(wrong) == ("d.csv", 3)


def test_records_below_a_family(tmp_path: Path) -> None:
    data = {"u": [{"k": 2, "w": 20}, {"k": 1, "w": 10}]}
    found = instance(tmp_path, "nodes u[k in 1..2] { w : 1 }\n", {}, data)
    assert at(found, "u.w") == {"[1]": 10, "[2]": 20}


def test_places_by_name(tmp_path: Path) -> None:
    text = 'nodes s from "s.csv" {\n    x : m\n    y : m\n}\n'
    data = {"s.position": {"b": [1, 2], "a": [3, "4 km"]}}
    found = instance(tmp_path, text, {"s.csv": "s\na\nb\n"}, data)
    assert at(found, "s.x") == {"[a]": 3, "[b]": 1}
    assert at(found, "s.y") == {"[a]": 4000, "[b]": 2}


def test_toml_faults_have_their_line(tmp_path: Path) -> None:
    text = DENSE.replace(' from "d.csv"', "")
    data = "[delay.1]\n1 = 1\n2 = 2\n[delay.2]\n1 = 3\n2 = 4\n3 = 5\n"
    wrong = fault(tmp_path, text, {"c.toml": data}, "c.toml")
    assert (wrong.message, line(wrong)) == ("`2, 3` is no member of `delay`", ("c.toml", 7))


# Members from files

SERVERS = 'nodes server from "servers.csv" {\n    cpu : cycle/s\n    var load : real in 0..1\n}\n'
SERVER_TABLE = 'cpu [Gcycle/s],server\n4,"north wing"\n6,Küche\n2,south\n'
CPUS = {'["north wing"]': 4e9, "[Küche]": 6e9, "[south]": 2e9}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("servers.csv", SERVER_TABLE),
        ("servers.csv", SERVER_TABLE.replace("Küche", "Ku\u0308che")),  # composed otherwise
        # the one column that is no attribute
        ("servers.csv", SERVER_TABLE.replace("server", "site")),
        ("servers.json", '{"cpu": {"north wing": 4e9, "Küche": "6 Gcycle/s", "south": 2e9}}'),
        ("servers.json", '{"server": {"cpu": {"north wing": 4e9, "Küche": 6e9, "south": 2e9}}}'),
        ("servers.json", '{"server.cpu": {"north wing": 4e9, "Küche": 6e9, "south": 2e9}}'),
        (
            "servers.json",
            '{"north wing": {"cpu": 4e9}, "Küche": {"cpu": 6e9}, "south": {"cpu": 2e9}}',
        ),
        (
            "servers.json",
            '[{"name": "north wing", "cpu": 4e9}, {"cpu": 6e9, "name": "Küche"},'
            ' {"name": "south", "cpu": 2e9}]',
        ),
        ("servers.toml", '[cpu]\n"north wing" = 4e9\n"Küche" = 6e9\nsouth = "2 Gcycle/s"\n'),
        ("servers.toml", 'server = ["north wing", "Küche", "south"]\ncpu = [4e9, 6e9, 2e9]\n'),
    ],
)
def test_nodes_from_a_file(name: str, content: str, tmp_path: Path) -> None:
    text = SERVERS.replace("servers.csv", name)
    assert at(instance(tmp_path, text, {name: content}), "server.cpu") == CPUS


def test_members_with_names_are_written_bare_or_in_quotes(tmp_path: Path) -> None:
    text = SERVERS + "set close = server where close != south\n"
    text += 'param cut : cycle/s = server.cpu["north wing"] - server.cpu[south]\n'
    text += (
        "param most : cycle/s = max(server.cpu[n] for n in server where n == Küche or n "
        "in {south})\n"
    )
    text += "param number : integer = count(n != Küche for n in close)\n"
    text += 'var x[n in server] : binary\nstart x["Küche"] = 1\n'
    text += "links wire[n in server where n != south]: n -> server[south]\n"
    found = instance(tmp_path, text, {"servers.csv": SERVER_TABLE})
    assert [found.data(name)[0] for name in ("cut", "most", "number")] == [2e9, 6e9, 1]
    assert found.world.families["close"].size == found.world.families["wire"].size == 2
    assert [found.column_name(column) for column in range(3)] == [
        'server.load["north wing"]',
        "server.load[Küche]",
        "server.load[south]",
    ]
    assert found.start[3:].tolist()[1] == 1


def test_sets_from_files(tmp_path: Path) -> None:
    text = 'set place from "p.csv"\nset slot from "s.json"\nset pair from "q.json"\n'
    text += "param w[p in place] : 1\nparam v[s in slot] : 1\nparam u[(i, j) in pair] : 1\n"
    files = {
        "p.csv": "place\nhome\n north wing \n",
        "s.json": "[7, 3, 5]",
        "q.json": '{"pair": [["home", 7], ["north wing", 3]]}',
    }
    data = {
        "w": {"north wing": 2, "home": 1},
        "v": {"7": 7, "5": 5, "3": 3},
        "u": {"north wing": {"3": 23}, "home": {"7": 17}},
    }
    found = instance(tmp_path, text, files, data)
    assert at(found, "w") == {"[home]": 1, '["north wing"]': 2}
    assert at(found, "v") == {"[3]": 3, "[5]": 5, "[7]": 7}
    assert at(found, "u") == {"[home, 7]": 17, '["north wing", 3]': 23}


def test_one_file_for_a_set_of_tuples_and_its_links(tmp_path: Path) -> None:
    text = "nodes site[n in 1..3]\n" + 'set wire from "w.csv"\n'
    text += 'links cable[(b, a) in wire] from "w.csv": site[b] -> site[a] { rate : bit/s }\n'
    found = instance(tmp_path, text, {"w.csv": "b,a,rate [kbit/s]\n1,3,31\n2,1,12\n"})
    assert at(found, "cable.rate") == {
        "[1, 3]": 31e3,
        "[2, 1]": 12e3,
    }  # the columns of the set, as they stand


def test_names_in_two_files_are_told_apart_by_their_place(tmp_path: Path) -> None:
    text = 'nodes server from "a.csv" { w : 1 }\nnodes user from "b.csv" { v : 1 }\n'
    text += 'param one : 1 = server.w[hall]\nparam two : 1 = user.v["hall"]\n'
    text += "param three : 1 = sum(s.w for s in server where s == hall)\n"
    files = {"a.csv": "server,w\nroof,1\nhall,2\n", "b.csv": "user,v\nhall,3\n"}
    found = instance(tmp_path, text, files)
    assert [found.data(name)[0] for name in ("one", "two", "three")] == [2, 3, 2]
    wrong = fault(tmp_path, text + "param four : 1 = if hall == hall then 1 else 2\n", files)
    assert wrong.message == "`hall` is a member of `server` and of `user`"


@pytest.mark.parametrize(
    ("table", "message", "number"),
    [
        ("server,cpu\na,1\nb,2\na,3\n", "`server` holds `a` twice", 4),
        ("server,cpu\na,1\n,2\n", "the label of a member is empty", 3),
        ("cpu\n1\n2\n", "no column names the members of `server`", 1),
        (
            "id,cpu,zone\na,1,2\n",
            "any of the columns `id`, `zone` may name the members of `server`",
            1,
        ),
        ("server,cpu,zone\na,1,2\n", "`server` has no `zone`", 1),
        ("server,cpu\n1.5,1\n", "`1.5` is no label of a member", 2),
        ('server,cpu\n"a ""b""",1\n', '`a "b"` cannot be the name of a member', 2),
        ("server,cpu\na,x\n", "`server.cpu[a]` is `x`, expected a number or a quantity", 2),
    ],
)
def test_wrong_files_of_nodes(table: str, message: str, number: int, tmp_path: Path) -> None:
    wrong = fault(tmp_path, SERVERS, {"servers.csv": table})
    assert (wrong.message, line(wrong)) == (message, ("servers.csv", number))


def test_names_are_no_places(tmp_path: Path) -> None:
    wrong = fault(
        tmp_path, SERVERS, {"servers.csv": SERVER_TABLE}, {"server.cpu": {"1": 1, "2": 2, "3": 3}}
    )
    assert wrong.message == "`1` is no member of `server`"
    wrong = fault(
        tmp_path,
        SERVERS + "param a : 1 = server.cpu[1]/(1 cycle/s)\n",
        {"servers.csv": SERVER_TABLE},
    )
    assert wrong.code == "E105"
    wrong = fault(
        tmp_path,
        SERVERS + "var x[n in server] : binary\nform f: fix x[south] = 1\nstart x[south] = 1\n",
        {"servers.csv": SERVER_TABLE},
    )
    assert wrong.message == "`south` is an index here, and the name of a member of `server`"


def test_a_name_in_a_file_changes_no_meaning_of_a_text(tmp_path: Path) -> None:
    """`k` is an index and `cpu` an attribute, whatever the members are called."""
    text = SERVERS + "param twice[k in server] : cycle/s = 2*server.cpu[k]\n"
    found = instance(tmp_path, text, {"servers.csv": "server,cpu\nk,1\ncpu,2\ntwice,3\n"})
    assert at(found, "twice") == {"[k]": 2, "[cpu]": 4, "[twice]": 6}


def test_data_that_are_written_out_read_back_to_the_same_bits(tmp_path: Path) -> None:
    text = SERVERS + "nodes user[k in 1..3] { home : server = choice(Küche, south) }\n"
    text += (
        "links up[k in user, n in server where n != k.home]: k -> n "
        "{ gain : kbit = uniform(0.1 bit, 0.9 bit) }\n"
    )
    text += 'param delay[k in user, n in server] : ms = uniform(1 ms, 7 ms)\nset odd = {"a b", c}\n'
    text += "param price[o in odd] : money/cycle = exponential(3 money/cycle)\n"
    first = instance(tmp_path, text, {"servers.csv": SERVER_TABLE})
    files = {"case.json": json.dumps(data_of(first))}
    # the file of the servers in another order: the data still belong to the same servers
    other = {"servers.csv": "server,cpu\nsouth,1\nKüche,2\nnorth wing,3\n"}
    second = instance(tmp_path, text, {**files, **other}, "case.json")
    for name in ("server.cpu", "up.gain", "delay", "price"):
        assert at(second, name) == at(first, name)
    homes = [
        [(found.model.families["server"].labels or ())[int(v) - 1] for v in found.data("user.home")]
        for found in (first, second)
    ]
    assert homes[0] == homes[1]


@pytest.mark.parametrize("kind", ["lp", "mps", "nl", "pyomo"])
def test_exported_names_are_plain(kind: str, tmp_path: Path) -> None:
    from mecdsl.pyomo_model.export import export

    text = SERVERS + 'minimize total = sum(n.load for n in server) + server.load["north wing"]\n'
    text += "constraint least[n in server]: n.load >= 0.25\n"
    found = instance(tmp_path, text, {"servers.csv": SERVER_TABLE})
    export(found, kind, tmp_path / "out")
    written = (tmp_path / "out").read_text(encoding="utf-8")
    if kind in ("lp", "mps"):
        assert all(
            line.isascii() for line in written.splitlines() if line[0] not in "\\*"
        )  # but for comments
        assert "server.load(north_wing)" in written
        assert "server.load(Kuche)" in written
