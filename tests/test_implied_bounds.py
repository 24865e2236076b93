"""Bounds implied by linear rows: tight where one row says so, and never past a feasible point."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mecdsl
from mecdsl.analysis.implied_bounds import implied_bounds
from mecdsl.instances.instance import Instance

FOG = Path(__file__).resolve().parent.parent / "models" / "fog.mec"

SYSTEM = """
set M = 1..{rows}
set N = 1..{columns}
param a[i in M, j in N] : 1
param b[i in M] : 1
var x[j in N] : 1
minimize z = sum(x[j] for j in N)
constraint c[i in M]: sum(a[i, j]*x[j] for j in N) {relation} b[i]
"""


def system(
    a: np.ndarray, b: np.ndarray, low: np.ndarray, high: np.ndarray, relation: str = "<="
) -> Instance:
    """The system `a x <= b` in a box as an instance."""
    text = SYSTEM.format(rows=len(b), columns=len(low), relation=relation)
    instance = mecdsl.loads(text, {"a": a.tolist(), "b": b.tolist()}).instance()
    return replace(instance, lower=low, upper=high)


def test_a_deadline_bounds_every_time_and_power_bounds_the_energy() -> None:
    # t1 + t2 <= 4 s with t >= 0 leaves each at most 4 s; e <= t1 * 2 W then leaves e at most 8 J,
    # two rows deep
    text = """
var t1 : s >= 0
var t2 : s >= 0
var e : J >= 0
minimize z = e
constraint deadline: t1 + t2 <= 4000 ms
constraint power: e <= t1*2 W
"""
    instance = mecdsl.loads(text).instance()
    lower, upper = implied_bounds(instance)
    assert lower == pytest.approx([0.0, 0.0, 0.0])
    assert upper == pytest.approx([4.0, 4.0, 8.0], rel=1e-12)
    assert (upper >= [4.0, 4.0, 8.0]).all()
    assert np.isinf(implied_bounds(instance, rounds=0)[1]).all()


def test_lower_bounds_equalities_and_negative_coefficients() -> None:
    # y == 10 - 2 x with x in 1..3 lies in 4..8; w >= y + 1 is at least 5 and w <= 7 keeps y <= 6,
    # hence x >= 2
    text = """
var x : 1 in 1..3
var y : 1
var w : 1 <= 7
minimize z = w
constraint line: y == 10 - 2*x
constraint above: w >= y + 1
"""
    lower, upper = implied_bounds(mecdsl.loads(text).instance())
    assert lower == pytest.approx([2.0, 4.0, 5.0], rel=1e-12)
    assert upper == pytest.approx([3.0, 6.0, 7.0], rel=1e-12)


def test_fixed_columns_are_data_and_unknown_ends_stay_open() -> None:
    text = """
var x : 1 >= 0
var y : 1 >= 0
var free : 1
minimize z = x
constraint sum_limit: x + 2*y <= 10
constraint loose: free <= x
constraint curved: free^2 <= 4
form with_y: fix y = 3
"""
    lower, upper = implied_bounds(mecdsl.loads(text).instance("with_y"))
    # x <= 10 - 2 * 3, and nothing linear bounds `free` from below
    assert upper == pytest.approx([4.0, 3.0, 4.0], rel=1e-12)
    assert lower.tolist() == [0.0, 3.0, -np.inf]


def test_two_open_ends_in_a_row_bound_nothing() -> None:
    # x - y <= 1 with both unbounded above: x may be anything, y too
    text = "var x : 1 >= 0\nvar y : 1 >= 0\nminimize z = x\nconstraint c: x - y <= 1\n"
    assert np.isinf(implied_bounds(mecdsl.loads(text).instance())[1]).all()


def test_no_point_is_no_error() -> None:
    text = "var x : 1 in 0..1\nminimize z = x\nconstraint c: x >= 2\n"
    lower, upper = implied_bounds(mecdsl.loads(text).instance())
    assert lower[0] > upper[0]


@pytest.mark.parametrize("relation", ["<=", ">=", "=="])
def test_small_systems_by_enumeration(relation: str) -> None:
    # every point of the grid that keeps the rows exactly (all numbers are small integers) keeps the
    # bounds
    rng = np.random.default_rng(7)
    cut = 0
    for _ in range(60):
        columns, rows = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        a = rng.integers(-3, 4, (rows, columns)).astype(float)
        low = rng.integers(-4, 1, columns).astype(float)
        high = low + rng.integers(0, 6, columns)
        inside = np.array(
            [rng.integers(int(u), int(v) + 1) for u, v in zip(low, high, strict=True)]
        )
        slack = 0 if relation == "==" else rng.integers(0, 3, rows)
        b = a @ inside + (slack if relation == "<=" else -np.asarray(slack))
        lower, upper = implied_bounds(system(a, b, low, high, relation))
        cut += int((lower > low).any() or (upper < high).any())
        for point in itertools.product(
            *(range(int(u), int(v) + 1) for u, v in zip(low, high, strict=True))
        ):
            left = a @ np.array(point, dtype=float)
            kept = {"<=": left <= b, ">=": left >= b, "==": left == b}[relation]
            if kept.all():
                assert (lower <= point).all()
                assert (point <= upper).all()
    assert cut > 20


def test_a_planted_point_survives_numbers_of_every_size() -> None:
    # rows are tight at the planted point up to the rounding of a dot product, with sizes from 1e-15
    # to 1e9
    rng = np.random.default_rng(3)
    cut = 0
    for _ in range(60):
        columns, rows = int(rng.integers(2, 12)), int(rng.integers(1, 12))
        size = 10.0 ** rng.uniform(-15, 9, columns)
        a = rng.normal(size=(rows, columns)) / size * 10.0 ** rng.uniform(-6, 6, (rows, 1))
        a[rng.random(a.shape) < 0.4] = 0.0
        point = size * rng.uniform(0, 1, columns)
        low = np.where(rng.random(columns) < 0.8, 0.0, -np.inf)
        high = np.where(rng.random(columns) < 0.5, 2 * size, np.inf)
        lower, upper = implied_bounds(system(a, a @ point, low, high), rounds=20)
        cut += int((lower > low).any() or (upper < high).any())
        assert (lower <= point).all()
        assert (point <= upper).all()
    assert cut > 20


def test_never_tighter_than_the_true_range() -> None:
    # the range of each column over the polytope by two linear programs lies inside the implied
    # bounds
    from scipy.optimize import linprog

    rng = np.random.default_rng(11)
    for _ in range(15):
        a = rng.normal(size=(4, 4))
        b = a @ rng.uniform(0, 1, 4) + rng.uniform(0, 1, 4)
        low, high = np.zeros(4), np.where(rng.random(4) < 0.5, 3.0, np.inf)
        lower, upper = implied_bounds(system(a, b, low, high))
        for column in range(4):
            for sign, end in ((1.0, lower[column]), (-1.0, -upper[column])):
                found = linprog(
                    sign * np.eye(4)[column],
                    A_ub=a,
                    b_ub=b,
                    bounds=list(zip(low, high, strict=True)),
                )
                if found.status == 0:
                    assert end <= float(found.fun or 0.0) + 1e-7


def test_every_column_of_the_fog_model_gets_finite_ends() -> None:
    instance = mecdsl.load(FOG, node_count=4, latency="0.5 s").instance()
    lower, upper = implied_bounds(instance)
    assert np.isfinite(upper).all()
    assert (lower >= 0.0).all()
    for name in ("distribution.time", "neighbour.time", "layer_pack.time", "fog_node.compute_time"):
        assert (upper[instance.variable(name).columns] <= 0.5 * (1 + 1e-12)).all()
