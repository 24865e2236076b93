"""Units of a model's own, the type of the objective, and the units in which people are told
numbers.
"""

import json
from pathlib import Path

import pytest

import mecdsl
from mecdsl.compiling.check import check
from mecdsl.data_files.read import read_data, read_settings
from mecdsl.diagnostics import ModelError, render
from mecdsl.instances.data_out import data_of
from mecdsl.instances.instance import Instance
from mecdsl.instances.instantiate import instantiate
from mecdsl.output.text.instance import instance_text
from mecdsl.parsing.parse import parse

ANY = "var x : s >= 0\nminimize cost = x\n"


def instance(text: str, *settings: str, data: Path | None = None) -> Instance:
    given = read_data(data, ()) if data is not None else {}
    return instantiate(check(parse(text)), given | read_settings(settings))


def faults(text: str, *settings: str) -> str:
    with pytest.raises(ModelError) as caught:
        instance(text, *settings)
    return "\n".join(render(diagnostic) for diagnostic in caught.value.diagnostics)


# Sizes by hand: 2^30 bytes are 8 589 934 592 bit; 3 frames of 10 ms are 0.03 s.
@pytest.mark.parametrize(
    ("unit", "declared", "value", "expected"),
    [
        ("unit GiB = 2^30 byte", "bit", "1 GiB", 8589934592.0),  # the built-in one, said again
        ("unit block = 2^30 byte", "block", "1 block", 8589934592.0),
        ("unit frame = 10 ms", "s", "3 frame", 0.03),
        ("unit token", "token", "1.5 ktoken", 1500.0),
        ("dimension request", "request/s", "2 Mrequest/min", 2e6 / 60),
        (
            "unit page = 500 token\nunit token",
            "token",
            "4 page",
            2000.0,
        ),  # used before it is declared
        ("unit third = 1 s/3", "s", "3 third", 1.0),
        ("unit tiny = 10^-9 s", "tiny", "5 tiny", 5e-9),
        ("unit speed = 2 m/s", "m/s", "3 speed", 6.0),
        ("unit dozen = 12", "1", "2 dozen", 24.0),
    ],
)
def test_own_units_have_their_size(unit: str, declared: str, value: str, expected: float) -> None:
    found = instance(f"{unit}\nparam p : {declared} = {value}\n{ANY}").data("p")
    assert found[0] == pytest.approx(expected, rel=1e-15)


def test_own_units_hold_in_data_settings_headers_and_displays(tmp_path: Path) -> None:
    text = (
        "unit token\nunit page = 500 token\nset I = 1..2\nparam p[i in I] : page = [1 page, "
        "2 page]\n" + ANY
    )
    assert instance(text, "p=[3, 4 ktoken]").data("p").tolist() == [1500.0, 4000.0]
    table = tmp_path / "d.csv"
    table.write_text("p [ktoken]\n1\n7\n")
    read = instance(text, data=table)
    assert read.data("p").tolist() == [1000.0, 7000.0]
    loaded = mecdsl.loads(text)
    assert loaded.instance().data("p").tolist() == [500.0, 1000.0]
    assert "[2, 14] page" in instance_text(read)
    written = tmp_path / "d.json"
    written.write_text(json.dumps(data_of(read)))
    assert instance(text, data=written).data("p").tolist() == [1000.0, 7000.0]


def test_own_units_come_in_with_include(tmp_path: Path) -> None:
    (tmp_path / "shared.mec").write_text("unit token\nparam rate : token/s = 4 ktoken/s\n")
    main = tmp_path / "main.mec"
    main.write_text(
        'include "shared.mec"\nunit token\nvar x : s >= 0\nminimize t : s = x\nconstraint c: '
        "x * rate >= 8 ktoken\n"
    )
    assert mecdsl.load(main).solve().objective == pytest.approx(2.0)  # 8000 / 4000


@pytest.mark.parametrize(
    ("declared", "code"),
    [
        ("unit MB = 2^20 byte", "E118"),
        ("unit s", "E118"),
        ("unit GiB = 10^9 byte", "E118"),
        ("unit a = 2 b\nunit b = 3 a", "E107"),
        ("unit a = 2 a", "E107"),
        ("unit a = 2 nosuch", "E114"),
        ("unit a = 2 s\nunit a = 3 s", "E101"),
        ("unit a = 0 s", "E118"),
        ("unit a = 3 dBm", "E118"),
        ("unit a = 1 s + 1 s", "E118"),
        ("dimension a = 3 s", "E001"),
    ],
)
def test_faulty_units_are_named(declared: str, code: str) -> None:
    assert f"error[{code}]" in faults(f"{declared}\n{ANY}")


def test_counted_things_of_ones_own_are_dimensions() -> None:
    said = faults("unit token\ndimension request\nparam p : token = 3 request\n" + ANY)
    assert "is in [token], its value in [request]" in said
    assert "`floor`" not in "".join(
        d.message
        for d in check(
            parse("unit token\nparam p : token = floor(2.5 token)\n" + ANY)
        ).model.warnings
    )


# The objective ------------------------------------------------------------------------------------


def test_a_typed_objective_is_checked_and_printed_in_its_unit() -> None:
    text = "var x : s >= 0\nminimize energy : mJ = 2 W * x\nconstraint c: x >= 3 ms\n"
    result = mecdsl.loads(text).solve()
    assert result.objective == pytest.approx(0.006)  # 2 W for 3 ms, SI in Python and JSON
    assert result.as_dict()["objective"]["unit"] == "J"
    assert "energy = 6 mJ (minimized)" in str(result)
    said = faults("var x : s >= 0\nminimize energy : J = x\nconstraint c: x >= 3 ms\n")
    assert "`energy` is in [J], its value in [s]" in said


def test_a_typed_objective_may_be_used_by_name_and_in_a_level() -> None:
    text = (
        "var p : dBm in 0..30\nminimize sent : dBm = p\nconstraint c: p >= 20 dBm\nreport "
        "twice : W = 2*sent\n"
    )
    result = mecdsl.loads(text).solve()
    assert "sent = 20 dBm (minimized)" in str(result)
    assert result["twice"] == pytest.approx(0.2)
    assert "error[E109]" in faults("var x : s >= 0\nminimize t : integer s = x\n")


# What people are told -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "fix"),
    [
        ("var r : Mbit/s >= 0\nminimize t = r\nconstraint c: r >= 2\n", "`2 Mbit/s`"),
        ("param r : Mbit/s = 2\n" + ANY, "`2 Mbit/s`"),
        ("param r : ms = -2\n" + ANY, "`-2 ms`"),
        ("var r : GHz in 1..2\nminimize t = r\n", "`1 GHz`"),
        ("unit token\nparam r : ktoken = 2.5\n" + ANY, "`2.5 ktoken`"),
        (
            "param a : mW = 1 mW\nvar r : W >= 0\nminimize t = r\nconstraint c: a + 2 <= r\n",
            "`2 mW`",
        ),
    ],
)
def test_help_repeats_a_number_in_the_declared_unit(text: str, fix: str) -> None:
    assert f"give the number its unit: {fix}" in faults(text)


def test_a_function_that_is_called_is_no_part_of_a_unit() -> None:
    # 1 MHz * log2(1 + 3) bit = 2 Mbit/s
    text = (
        "param w : Hz = 1 MHz\nlet r : bit/s = w*1 bit*log2(1 + 3)\nreport out : bit/s = r\n" + ANY
    )
    assert mecdsl.loads(text).solve()["out"] == 2e6
    text = "let r : s = 6 s/max(2, 3)\nreport out : s = r\n" + ANY
    assert mecdsl.loads(text).solve()["out"] == 2.0


# Rows over data alone -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row",
    [
        "sum(w[k] for k in 1..10) == 1",
        "1 - sum(w[k] for k in 1..10) <= 0",
        "whole == 1",
        "left_over == 0",
        "abs(left_over) <= 0",
        "ln(whole) == 0",
        "0.1 + 0.2 == 0.3",
        "3 * third == 1",
    ],
)
def test_rounding_of_data_is_no_contradiction(row: str) -> None:
    text = (
        "param w[k in 1..10] : 1 = 0.1\nlet whole = sum(w[k] for k in 1..10)\nlet left_over "
        "= 1 - whole\n"
        "param third : 1 = 1/3\nvar x : real in 1..9\nminimize t = x + "
        f"0*third*left_over\nconstraint c: {row}\n"
    )
    result = mecdsl.loads(text).solve()
    assert result.objective == 1.0
    assert result.verified


@pytest.mark.parametrize(
    ("row", "unit"),
    [
        ("sum(w[k] for k in 1..3) == 0.3001 ms", "by 1e-4 ms"),
        (
            "end - begin <= 9 ms",
            "by 999.99 us",
        ),  # 10 ms apart on a clock of 1970, where a float is 0.2 us
        ("4503599627370496 - 4503599627370495 <= 0", "by 1"),
        ("u[k] <= 4 ms", "at `c[3]`"),
    ],
)
def test_a_real_difference_of_data_is_a_contradiction(row: str, unit: str) -> None:
    index = "[k in 1..3]" if "u[k]" in row else ""
    text = (
        "param w[k in 1..3] : ms = 0.1 ms\nparam begin : s = 1700000000 s\nparam end : s = "
        "1700000000.01 s\n"
        "param u[k in 1..3] : ms = [3 ms, 4 ms, 6 ms]\n"
        f"var x : real in 1..9\nminimize t = x\nconstraint c{index}: {row}\n"
    )
    result = mecdsl.loads(text).solve()
    assert result.termination.value == "infeasible"
    if index:
        assert "`c[3]`" in result.solution.message
        assert "2 ms" in result.solution.message
    else:
        assert result.solution.message.endswith(unit)


def test_bounds_the_wrong_way_round_are_named_with_member_and_unit() -> None:
    text = (
        "param top[k in 1..3] : W = [5 W, 2 mW, 7 W]\nvar x[k in 1..3] : mW in 3 mW..top[k]\n"
        "minimize t : mW = sum(x[k] for k in 1..3)\n"
    )
    message = mecdsl.loads(text).solve().solution.message
    assert (
        "`x[2]` has no value: the bounds `in 3 mW..top[k]` are the wrong way round, 3 mW is "
        "above 2 mW" in message
    )
    message = mecdsl.loads("var x : s in 5 s..2 s\nminimize t = x\n").solve().solution.message
    assert (
        "`x` has no value: the bounds `in 5 s..2 s` are the wrong way round, 5 s is above 2 s"
        in message
    )


def test_residuals_are_in_the_unit_of_the_row() -> None:
    text = "var r : Mbit/s in 0..9 Mbit/s\nmaximize t = r\nconstraint cap: r <= 5 Mbit/s\n"
    assert "cap     0 Mbit/s" in str(mecdsl.loads(text).solve())


def test_a_set_that_only_links_use_is_used() -> None:
    text = (
        "set pair = {(1, 2), (2, 3)}\nnodes r[n in 1..3]\n"
        "links wire[(i, j) in pair]: r[i] -> r[j] { length : m = 2 m }\nvar x : s >= "
        "0\nminimize t = x\n"
    )
    assert not [d for d in check(parse(text)).model.warnings if "set `pair`" in d.message]


def test_a_coefficient_of_the_objective_that_is_not_finite_names_its_member() -> None:
    text = (
        "param d[k in 1..3] : 1 = [1, 0, 2]\nvar x[k in 1..3] : s in 0 s..9 s\n"
        "minimize t = sum(x[k]/d[k] for k in 1..3)\n"
    )
    with pytest.raises(ModelError) as caught:
        mecdsl.loads(text).solve(backend="highs")
    assert "a coefficient of `x[2]` that is not finite" in caught.value.diagnostics[0].message
