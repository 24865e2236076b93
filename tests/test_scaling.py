"""Scaling: powers of two only, integers untouched, terms of every row near one, and the way
back.
"""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from mecdsl.analysis.coefficients import constraint_coefficients
from mecdsl.analysis.scaling import Scaling, reference_point, scale
from mecdsl.command_line.main import main
from mecdsl.compiling.check import check
from mecdsl.instances.instance import Instance
from mecdsl.instances.instantiate import instantiate
from mecdsl.parsing.parse import parse
from mecdsl.reduction.reduced import reduce_instance

WIDE = """
model wide "Watts of noise beside hertz"
param gain : 1 = 1e-12
var power : W >= 0
var band : Hz >= 0
var users : integer in 0..20
minimize cost = 1e3 1/W * power + 1e-9 1/Hz * band
constraint received: gain*power >= 3e-15 W
constraint spread: band - 2e6 Hz * users >= 5e6 Hz
constraint both: power*band >= 4e4 W*Hz
"""

CURVED = """
model curved "A rate with noise of 1e-13 W"
param noise : W = 1e-13 W
var power : W in 0.01 W..0.2 W
var rate : bit/s >= 0
maximize value = rate
constraint limit: rate <= 1e6 Hz * log2(1 + power*1e-9/noise) * 1 bit
"""


def instance_of(text: str) -> Instance:
    return instantiate(check(parse(text)), {})


def column(instance: Instance, name: str) -> int:
    return instance.variable(name).first


def is_power_of_two(values: object) -> bool:
    mantissa, _ = np.frexp(np.asarray(values, dtype=np.float64))
    return bool((mantissa == 0.5).all())


@pytest.mark.parametrize("text", [WIDE, CURVED])
def test_factors_are_powers_of_two(text: str) -> None:
    found = scale(instance_of(text))
    for values in (found.size, found.column, found.row, found.objective):
        assert is_power_of_two(values)


def test_integer_and_fixed_columns_keep_their_unit() -> None:
    instance = instance_of(WIDE)
    assert scale(instance).column[column(instance, "users")] == 1.0
    fixed = instantiate(check(parse(WIDE + "form still: fix band = 1e7 Hz\n"), form="still"), {})
    assert scale(fixed).column[column(fixed, "band")] == 1.0


def test_sizes_come_from_the_rows() -> None:
    # `received` asks for 3e-15/1e-12 = 3e-3 W, `spread` for 5e6 Hz and more, and 3e-3*5e6 is near
    # 4e4: all agree
    instance = instance_of(WIDE)
    found = scale(instance)
    assert 3e-5 < found.size[column(instance, "power")] < 3e-1
    assert 5e4 < found.size[column(instance, "band")] < 5e8


def scaled_terms(instance: Instance, found: Scaling) -> list[float]:
    """The largest term of each linear or quadratic row at the typical sizes, its constant
    included.
    """
    rows = constraint_coefficients(instance, instance.constraints)
    largest = np.abs(rows.constant)
    np.maximum.at(largest, rows.row, np.abs(rows.value) * found.size[rows.column])
    products = np.abs(rows.quadratic_value) * found.size[rows.first] * found.size[rows.second]
    np.maximum.at(largest, rows.quadratic_row, products)
    return [float(term) for term in largest * found.row]


def test_the_largest_term_of_every_row_is_near_one() -> None:
    instance = instance_of(WIDE)
    # rounding a power of two moves a number by at most sqrt(2); sizes are rounded, too, up to two
    # in a product
    assert all(0.35 <= term <= 2.83 for term in scaled_terms(instance, scale(instance)))


def test_ranges_say_what_was_gained() -> None:
    found = scale(instance_of(WIDE))
    assert found.before == pytest.approx((1e-12, 2e6))  # the gain, and the hertz per user
    assert found.after[1] / found.after[0] < 1e-6 * found.before[1] / found.before[0]


def test_nonlinear_rows_are_scaled_by_their_slopes() -> None:
    instance = instance_of(CURVED)
    found = scale(instance)
    # between the bounds the signal is 1e3 times the noise, so the rate is about 1e6 * log2(1e3)
    # bit/s
    assert 1e5 < found.size[column(instance, "rate")] < 1e8
    assert 1e-8 < found.row[0] < 1e-5


def test_a_start_value_says_how_large_a_column_is() -> None:
    free = "model m\nvar a : 1 >= 0\nvar b : 1 >= 0\nminimize c = a + b\nconstraint r: a - b >= 0\n"
    instance = instance_of(free + "start a = 1e9\nstart b = 1e9\n")
    assert scale(instance).size.tolist() == [2.0**30, 2.0**30]  # the power of two nearest to 1e9


def test_a_row_of_large_integers_keeps_coefficients_that_solvers_see() -> None:
    text = (
        "model m\nvar a : integer in 0..1e15\nvar b : integer in 0..1e15\nmaximize c = "
        "a\nconstraint r: a + b <= 1e15\n"
    )
    assert scale(instance_of(text)).row[0] == 2.0**-13


def test_minimum_and_maximum_have_slopes() -> None:
    text = """
    model m
    var a : 1 in 1e6..3e6
    var b : 1 in 1e-3..2e-3
    minimize c = max(a, 1e9*b)
    constraint r: min(a, 1e9*b) >= 1e6
    constraint s: max(x*a for x in 1..2) <= 6e6
    """
    found = scale(instance_of("\n".join(line.strip() for line in text.splitlines())))
    # objective and both rows have values between 1e6 and 6e6
    assert 2e5 < found.size[0] < 2e7
    assert 5e-8 < found.objective < 5e-6
    assert all(5e-8 < factor < 5e-6 for factor in found.row)


def test_nothing_to_scale() -> None:
    found = scale(
        instance_of(
            "model m\nnodes n[k in 1..0] {\n var x : 1\n}\nminimize c = sum(k.x for k in n) + 3\n"
        )
    )
    assert found.column.tolist() == []
    assert (found.objective, found.before, found.after) == (1.0, (1.0, 1.0), (1.0, 1.0))


def test_reference_point_lies_between_the_bounds() -> None:
    text = """model m
var a : 1 in 1..100
var b : 1 in -2..4
var c : 1 >= 5
var d : 1 <= -3
var e : 1
var f : 1 in 0..10
minimize z = a + b + c + d + e + f
start f = 7
"""
    # geometric and arithmetic middle, one bound and a step of its own size, nothing known, the
    # start
    assert reference_point(instance_of(text)).tolist() == [10.0, 1.0, 10.0, -6.0, 1.0, 7.0]


def test_unscaled_rounds_integers_and_keeps_bounds() -> None:
    instance = instance_of(WIDE)
    at = np.array([column(instance, name) for name in ("power", "band", "users")], dtype=np.int64)
    found = reduce_instance(instance).narrowed(at, np.zeros(0, dtype=np.int64))
    values = np.array([-1e-12, 3.0, 4.0000000003])
    x = found.point(values)
    assert x[at].tolist() == [0.0, 3.0 * found.column_factor[1], 4.0]


def test_show_tells_the_factors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "wide.mec"
    model.write_text(WIDE, encoding="utf-8")
    with pytest.raises(SystemExit) as left:
        main(["show", str(model), "--scaling", "--json"])
    assert left.value.code == 0
    found = json.loads(capsys.readouterr().out)["scaling"]
    assert {name: entry["unit"] for name, entry in found["variables"].items()} == {
        "power": "W",
        "band": "1/s",
        "users": "1",
    }
    power, received = found["variables"]["power"]["smallest"], found["rows"]["received"]["smallest"]
    assert found["rows"]["received"]["unit"] == "W"
    assert is_power_of_two([power, received])
    assert 0.01 <= 1e-12 * power / received <= 100.0  # gain * power is near 1 to the solver
    with pytest.raises(SystemExit):
        main(["show", str(model), "--scaling"])
    out = capsys.readouterr().out
    assert re.search(r"^  received +\d.*W$", out, re.MULTILINE)
    assert max(map(len, out.splitlines())) <= 80
