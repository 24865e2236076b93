"""Names, indices and families: what a reference means, and which shapes a model may have."""

from collections.abc import Mapping
from typing import Any

import pytest

from mecdsl.api import LoadedModel
from mecdsl.compiling.check import check
from mecdsl.data_files.read import given_in_memory
from mecdsl.diagnostics import ModelError
from mecdsl.instances.instance import Instance
from mecdsl.instances.instantiate import instantiate
from mecdsl.parsing import syntax
from mecdsl.parsing.parse import parse

REST = "\nvar free : 1 >= 0\nminimize nothing = free\n"


def build(text: str, data: Mapping[str, Any] | None = None) -> Instance:
    document = parse(text + REST)
    families = [s.name for s in document.statements if isinstance(s, syntax.Family)]
    return instantiate(check(document), given_in_memory(data or {}, families))


def values(text: str, name: str, data: Mapping[str, Any] | None = None) -> list[float]:
    return [float(v) for v in build(text, data).data(name)]


def fault(text: str) -> tuple[str, str]:
    """Code and message of the only fault."""
    with pytest.raises(ModelError) as caught:
        build(text)
    (found,) = caught.value.diagnostics
    return found.code, found.message


USER = (
    "nodes user[k in 1..3] "
    "{\n    size : 1 = 10*k\n    let half : 1 = size/2\n    share[m in 1..2] : 1 = size + m\n}\n"
)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("user.size[2]", 20),
        ("sum(k.size for k in user)", 60),
        ("sum(user.size[k] for k in user)", 60),
        ("sum(user.size[k] for k in 1..3)", 60),
        ("sum(user.size[k + 1] for k in 1..2)", 50),
        ("sum(k.half for k in user where k > 1)", 25),
        ("user.share[3, 2]", 32),
        ("user[3].share[2]", 32),
        ("sum(k.share[2] for k in user)", 66),
        ("sum(k.share[m] for k in user, m in 1..2)", 129),  # 2*60 + 3*3
        ("max(k.size for k in user)", 30),
        ("count(k.size > 15 for k in user)", 2),
    ],
)
def test_references(expression: str, expected: float) -> None:
    assert values(USER + f"let wanted : 1 = {expression}\n", "wanted") == [expected]


def test_bare_names_inside_a_block_mean_the_member() -> None:
    text = (
        "param size : 1 = 7\nnodes user[k in 1..2] "
        "{\n    own : 1 = k\n    let both : 1 = own*size + k.own\n}\n"
    )
    assert values(text, "user.both") == [8, 16]


def test_attributes_hide_names_of_the_model_inside_their_block() -> None:
    text = (
        "param size : 1 = 7\nnodes user[k in 1..2] "
        "{\n    size : 1 = k\n    let twice : 1 = 2*size\n}\n"
    )
    text += "let outside : 1 = size\n"
    assert (values(text, "user.twice"), values(text, "outside")) == ([2, 4], [7])


def test_attributes_may_be_declared_outside_of_the_block() -> None:
    assert values(
        USER + "let user.double : 1 = 2*size\nlet sum_ : 1 = sum(k.double for k in user)\n", "sum_"
    ) == [120]


def test_a_single_node_needs_no_index() -> None:
    text = "node server {\n    cpu : cycle/s = 3 cycle/s\n}\nlet twice : cycle/s = 2*server.cpu\n"
    assert values(text, "twice") == [6]


RAGGED = """
nodes device[n in 1..2] { layer_count : integer }
layers layer[n in device, m in 1..n.layer_count] { time : s }
let total[n in device] : s = sum(layer.time[n, m] for m in 1..n.layer_count)
let late[n in device] : s = sum(l.time for l in layer where layer.time[n, 1] > 1 s)
let pairs[n in device] : s = sum(layer.time[i, m] for (i, m) in layer where i == n)
"""
RAGGED_DATA = {"device.layer_count": [1, 3], "layer.time": [[5], [1, 2, 4]]}


def test_ragged_families() -> None:
    assert values(RAGGED, "total", RAGGED_DATA) == [5, 7]
    assert values(RAGGED, "pairs", RAGGED_DATA) == [5, 7]
    assert values(RAGGED, "late", RAGGED_DATA) == [
        12,
        0,
    ]  # all four layers, for the device whose first is slow


def test_members_without_layers() -> None:
    data = {"device.layer_count": [0, 2], "layer.time": [[], [1, 2]]}
    with pytest.raises(
        ModelError, match=r"`layer.time` has no member \[1, 1\] at n = 1, l = layer\[2, 1\]"
    ):
        build(RAGGED, data)
    guarded = RAGGED.replace("l in layer where", "l in layer where n.layer_count >= 1 and")
    assert values(guarded, "late", data) == [0, 0]
    turned = RAGGED.replace("l in layer where", "l in layer where n.layer_count == 0 or")
    assert values(turned, "late", data) == [3, 0]


LINKS = """
nodes device[m in 1..3] { load : 1 = m }
nodes server[n in 1..2] { rank : 1 = 10*n }
links uplink[m in device, n in server where m + n != 3]: m -> n {
    cost : 1 = 100*m + n
    let ends : 1 = m.load + n.rank
}
"""


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        # the pairs are (1, 1), (2, 2), (3, 1), (3, 2)
        ("sum(l.cost for l in uplink)", 906),
        ("sum(uplink.cost[m, n] for (m, n) in uplink)", 906),
        ("sum(uplink.cost[m, n] for m in device, n in server where m + n != 3)", 906),
        ("sum(l.from.load*l.to.rank for l in uplink)", 140),  # 1*10 + 2*20 + 3*10 + 3*20
        ("sum(l.ends for l in uplink)", 69),  # loads 9, ranks 60
        ("sum(uplink.cost[l.from, l.to] for l in uplink)", 906),
        ("count(l.to == 2 for l in uplink)", 2),
    ],
)
def test_sparse_links(expression: str, expected: float) -> None:
    assert values(LINKS + f"let wanted : 1 = {expression}\n", "wanted") == [expected]


def test_links_with_one_index() -> None:
    text = (
        "node hub\n"
        + USER
        + "links radio[k in user]: hub -> k {\n    gain : 1 = 2*k\n    let heard : 1 = gain*k.size\n}\n"
    )
    text += (
        "let by_user : 1 = sum(radio.gain[k] for k in user)\nlet by_link : 1 = "
        "sum(l.gain*l.to.size for l in radio)\n"
    )
    assert values(text, "by_user") == [12]
    assert values(text, "radio.heard") == [20, 80, 180]
    assert values(text, "by_link") == [280]


def test_sets() -> None:
    assert values(
        "set kind = {a, b, c}\nparam load[s in kind] : 1 = [1, 2, 4]\nlet w : 1 = load[b]\n", "w"
    ) == [2]
    assert values(
        "set odd = 1..9 where odd/2 != floor(odd/2)\nlet w : 1 = sum(i for i in odd)\n", "w"
    ) == [25]
    assert values(
        "set pair[i in 1..3, j in 1..3 where i < j]\nlet w : 1 = sum(i*j for (i, j) in pair)\n", "w"
    ) == [11]
    assert values("set few = {2, 5}\nlet w : 1 = sum(i for i in 1..6 where i in few)\n", "w") == [7]


def test_parameters_may_be_members() -> None:
    text = USER + "nodes job[j in 1..2] {\n    owner : user\n    let size : 1 = owner.size\n}\n"
    assert values(text, "job.size", {"job.owner": [3, 1]}) == [30, 10]


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        (USER + "let w : 1 = user.size", "E104", "`user.size` takes 1 index, found 0"),
        (USER + "let w : 1 = user.share[1]", "E104", "`user.share` takes 2 indices, found 1"),
        (USER + "let w : 1 = user.share[1, 2, 3]", "E104", "`user.share` takes 2 indices, found 3"),
        (USER + "let w : 1 = user[1][2].size", "E104", "`user` is indexed twice"),
        (USER + "let w : 1 = user[1].sizes", "E103", "`user` has no `sizes`"),
        (
            USER + "let w[k in 1..2] : 1 = k.size",
            "E103",
            "`k` is not a member of a family and has no `size`",
        ),
        (USER + "let w : 1 = user", "E106", "`user` is a family and not a value"),
        (USER + "let w : 1 = size", "E102", "unknown name `size`"),
        (
            USER + "let w : 1 = sum(k.size for (k, l) in user)",
            "E104",
            "members of `user` have 1 index, found 2",
        ),
        ("let w : 1 = sum(i for (i, j) in 1..3)", "E104", "a range has one index"),
        ("param n : integer = 2\nlet w : 1 = sum(i for i in n)", "E106", "`n` is not a set"),
        ("let w : 1 = sum(i for i in m)", "E102", "unknown set `m`"),
        ("let w : 1 = log(2)", "E110", "unknown function `log`"),
        ("let w : 1 = sqrt()", "E110", "`sqrt` takes 1 argument, found 0"),
        ("let w : 1 = 1..3", "E001", "`..` cannot stand here"),
        ('let w : 1 = "text"', "E106", "a text cannot stand where a value is expected"),
        ("let w[i in 1..2] : 1 = sum(i for i in 1..3)", "E101", "index `i` is already in use here"),
        ("set a = {x, y}\nset b = {y, z}", "E101", "`y` is declared twice"),
        ("param x : 1 = 1\nlet x : 1 = 2", "E101", "`x` is declared twice"),
        ("let w : 1 = w + 1", "E107", "defined in a circle: w -> w"),
        ("param user.size : 1 = 1", "E102", "unknown family `user`"),
    ],
)
def test_faults_of_names(text: str, code: str, message: str) -> None:
    found = fault(text)
    assert found[0] == code
    assert found[1].startswith(message)


@pytest.mark.parametrize(
    "expression",
    ["server.rank[m]", "device.load[n]", "uplink.cost[n, m]", "m.rank", "uplink.cost[m, m]"],
)
def test_indices_of_another_family_are_refused_where_numbers_would_fit(expression: str) -> None:
    text = LINKS + f"let w[m in device, n in server] : 1 = {expression}\n"
    assert fault(text)[0] in ("E103", "E105")


def test_indices_of_another_family_are_refused_inside_a_block() -> None:
    text = USER + "nodes server[n in 1..3] {\n    let w : 1 = user.size[n]\n}\n"
    assert fault(text) == (
        "E105",
        "`n` runs over `server`, `user.size` is indexed by members of `user`",
    )


def test_computed_indices_are_free() -> None:
    text = USER + "nodes server[n in 1..3] {\n    let w : 1 = user.size[4 - n]\n}\n"
    assert values(text, "server.w") == [30, 20, 10]


def test_an_unknown_name_is_reported_once_per_line() -> None:
    assert fault("let w : 1 = what + 2*what + what^2") == ("E102", "unknown name `what`")


def test_a_fault_of_a_unit_causes_no_other() -> None:
    assert fault("param a : furlong = 3 s\nparam b : s = 2*a\nlet c : 1 = b/a") == (
        "E114",
        "unknown unit `furlong`",
    )


def test_only_the_chosen_branch_is_looked_up() -> None:
    text = "param x[t in 1..3] : 1 = t\nlet w[t in 1..3] : 1 = if t > 1 then x[t - 1] else 0\n"
    assert values(text, "w") == [0, 1, 2]


def test_the_right_side_of_and_and_or_is_looked_up_only_where_it_matters() -> None:
    text = "param x[t in 1..3] : 1 = t\n"
    assert values(
        text
        + "set late = 1..3 where late > 1 and x[late - 1] > 1\nlet w : 1 = sum(t for t in late)\n",
        "w",
    ) == [3]
    assert values(text + "let w : 1 = count(t == 1 or x[t - 1] == 2 for t in 1..3)\n", "w") == [2]


@pytest.mark.parametrize(
    "statement",
    [
        "constraint c[t in 1..3]: y[t] >= y[t-1]",
        "constraint c: sum(y[t+1] for t in 1..3) >= 1",
        "let w[t in 1..3] : 1 = y[t-1]",
        "report w : 1 = sum(y[t]*y[t+1] for t in 1..3)",
    ],
)
def test_an_index_outside_of_its_family_shows_before_solving(statement: str) -> None:
    code, message = fault("var y[t in 1..3] : 1 >= 0\n" + statement)
    assert code == "E309"
    assert message.startswith("`y` has no member [")


def test_every_form_is_checked() -> None:
    text = "var x : s >= 0\nminimize cost = x\nform a: fix x = 3\nform b: fix y = 3 s\n"
    assert check(parse(text)).model.name == ""
    assert [d.code for d in LoadedModel(parse(text), {}).check()] == ["E201", "E102"]
