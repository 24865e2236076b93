"""The reduction that all solvers get: what is left of an instance, in which numbers, and the way
back.
"""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mecdsl.analysis.coefficients import constraint_coefficients
from mecdsl.api import loads
from mecdsl.instances.instance import Instance
from mecdsl.pyomo_model.export import export
from mecdsl.reduction.plain_parts import plain_objective, plain_rows
from mecdsl.reduction.reduced import Reduced, reduce_instance


def instance_of(text: str) -> Instance:
    return loads(text).instance()


def columns_of(reduced: Reduced) -> list[str]:
    return [reduced.instance.column_name(column) for column in reduced.columns.tolist()]


MIXED = """
param noise : W = 1e-13 W
var power : W in 0 W..1 W
var share : 1 in 0..4
var users : integer in 0..9
maximize gain = 3e6*share + 2e5*users - 1e7*power/(1 W) + 7e5
constraint heard: power >= 4*noise*users
constraint room: share + users <= 8
constraint known: noise >= 1e-14 W
"""


def test_rows_and_columns_without_a_choice_are_gone() -> None:
    found = reduce_instance(
        loads(
            "var x : in 0..4\nvar y : in 0..9\nmaximize z = x\nform fixed: fix y = 2\n"
            "constraint a: x + y <= 5\nconstraint b: y <= 3\nconstraint c: x - x <= 1\n"
        ).instance("fixed")
    )
    assert columns_of(found) == ["x"]
    assert found.rows.tolist() == [0]
    assert found.conflict == ""


def test_it_is_found_once() -> None:
    instance = instance_of(MIXED)
    assert reduce_instance(instance) is reduce_instance(instance)


@pytest.mark.parametrize(
    ("rows", "held"),
    [
        ("max(p[i] + x[i] for i in 1..2) <= 4", True),
        ("max(x[1], p[2]) <= 9", True),
        ("exp(x[1]) + p[1] >= 1", True),
        ("floor(x[1]) + p[1] <= 4", True),
        ("prod(1 + x[i] for i in 1..2) <= 9", True),
        ("exp(p[1]) + p[2] >= 1", False),
        ("0*x[1]^2 + p[2] >= 1", False),
    ],
)
def test_a_row_is_held_by_what_is_written_in_it(rows: str, held: bool) -> None:
    text = "param p[i in 1..2] : 1 = [0, 3]\nvar x[i in 1..2] : in 0..1\nminimize z = x[1]\n"
    found = reduce_instance(instance_of(f"{text}constraint c: {rows}\n"))
    assert found.rows.tolist() == ([0] if held else [])


def test_points_lead_there_and_back() -> None:
    found = reduce_instance(instance_of(MIXED))
    x = np.array([3e-13, 2.5, 4.0])
    assert found.point(found.scaled(x)).tolist() == x.tolist()
    # a solver's tolerances: an integer is rounded, an overshoot cut off
    off = found.scaled(np.array([-1e-20, 4.0 + 1e-9, 4.0 + 1e-9]))
    assert found.point(off).tolist() == [0.0, 4.0, 4.0]


@pytest.mark.parametrize("told", ["minimised", "in_sense"])
def test_values_of_the_scaled_objective_are_those_of_the_model(told: str) -> None:
    found = getattr(reduce_instance(instance_of(MIXED)), told)()
    x = np.array([3e-3, 2.5, 4.0])
    scaled = float(plain_objective(found).value_at(found.scaled(x))[0])
    # 7.5e6 + 8e5 - 3e4 + 7e5
    assert found.objective(scaled) == pytest.approx(8.97e6, rel=1e-14)
    assert found.bound(scaled) == found.objective(scaled)
    assert found.bound(float("inf")) is None
    assert (found.objective_factor > 0.0) is (told == "in_sense")


def test_scaled_rows_hold_where_those_of_the_model_do() -> None:
    found = reduce_instance(instance_of(MIXED))
    rows = plain_rows(found)
    for x, kept in (([1e-12, 1.0, 2.0], [True, True]), ([1e-13, 1.0, 8.0], [False, False])):
        value = rows.coefficients.value_at(found.scaled(np.array(x)))
        assert ((rows.lower <= value) & (value <= rows.upper)).tolist() == kept


def test_multipliers_lead_back_by_both_factors() -> None:
    # one more watt of `limit` is worth 3e9
    text = "var x : W in 0 W..1 W\nmaximize z = 3e9*x/(1 W)\nconstraint limit: x <= 2e-6 W\n"
    found = reduce_instance(instance_of(text))
    rows, goal = plain_rows(found), plain_objective(found)
    dual = goal.value / rows.coefficients.value  # minimised: cost - dual * coefficient is 0
    assert found.multipliers(dual)["limit"].tolist() == pytest.approx([3e9])


# Clocks and large constants

CLOCK = """
set job = 1..3
param takes[j in job] : s = [0.1 s, 0.7 s, 0.3 s]
var start[j in job] : s in 1700000000.1 s..1800000000 s
minimize end = start[3] + takes[3]
constraint order[j in job where j > 1]: start[j] >= start[j-1] + takes[j-1]
constraint first: start[1] >= 1700000000.3 s
constraint soon: start[3] <= 1700000020.7 s
"""


def test_a_clock_counts_from_its_bound() -> None:
    found = reduce_instance(instance_of(CLOCK))
    # each from the end of what the rows leave it
    assert found.origin - 1700000000.0 == pytest.approx([0.3, 0.4, 1.1], abs=1e-5)
    lower, upper = found.column_factor * found.lower, found.column_factor * found.upper
    assert np.abs(lower).max() < 1.1
    assert upper == pytest.approx([1e8] * 3, rel=1e-7)


def test_constants_of_rows_are_added_up_exactly_before_they_are_scaled() -> None:
    found = reduce_instance(instance_of(CLOCK))
    instance, rows = found.instance, plain_rows(found)
    written = constraint_coefficients(instance, instance.constraints)
    exact = [Fraction(constant) for constant in written.constant.tolist()]
    entries = (written.row, written.column, written.value)
    for row, column, value in zip(*(part.tolist() for part in entries), strict=True):
        exact[row] += Fraction(value) * Fraction(found.scaling.origin[column])
    side = np.where(np.isfinite(rows.lower), rows.lower, rows.upper) / found.row_factor
    # a double at 1.7e9 is known to 2.4e-7, and rows are as wide as that is unknown
    assert side == pytest.approx([-float(total) for total in exact], abs=8e-7)


def test_a_constant_that_dwarfs_the_objective_is_kept_out() -> None:
    text = "var x : in 0..1\nvar y : in 0..1\nminimize z = x + y + {}\nconstraint c: x + y >= 1\n"
    far, near = (reduce_instance(instance_of(text.format(c))) for c in ("1e9", "2"))
    assert far.handed == 0.0
    assert far.objective(far.objective_factor * 1.0) == 1e9 + 1.0
    assert near.kept_out == 0.0
    assert near.handed / near.objective_factor == 2.0


# Contradictions


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("var x : in 3..2\nminimize z = x\n", "`x` has no value: the bounds `in 3..2`"),
        (
            "var x : in 0..2\nminimize z = x\nconstraint c: x - x >= 1\n",
            "`c` holds no free variable and is false: its sides differ by 1",
        ),
        (
            "param p : 1 = 1.0000001\nvar x : in 0..2\nminimize z = x\nconstraint c: p <= 1\n",
            "`c` holds no free variable and is false",
        ),
    ],
)
def test_a_contradiction_is_told_in_words(text: str, words: str) -> None:
    assert words in reduce_instance(instance_of(text)).conflict


def test_data_that_contradict_each_other_by_little_do_so_in_a_file_too(tmp_path: Path) -> None:
    text = "param p : 1 = 1.0000001\nvar x : in 0..2\nminimize z = x\nconstraint c: p <= 1\n"
    path = tmp_path / "model.lp"
    export(instance_of(text), "lp", path)
    assert "no_point" in path.read_text(encoding="utf-8")
