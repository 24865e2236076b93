"""Values, gradients, Jacobians and Hessians of instances, against formulas by hand and difference
quotients.
"""

from pathlib import Path

import numpy as np
import pytest

import mecdsl
from mecdsl.analysis.derivatives import SmoothProgram, smooth_program
from mecdsl.compiling.check import check
from mecdsl.data_files.read import read_settings
from mecdsl.instances.instance import Instance
from mecdsl.instances.instantiate import instantiate
from mecdsl.instances.tables import FloatArray
from mecdsl.parsing.parse import parse, parse_file

MIXED = """
model mixed
var x : 1
var y : 1 >= 0
var z : 1 = 0..1
minimize total = exp(x)*y + z^2
constraint line: x + 2*y <= 3
constraint product: x*y + x^2 >= z
constraint curve: ln(1 + y) + x*z == 0
constraint nothing: 2 <= 3
form pinned: fix y = 2
""".replace("1 = 0..1", "1 in 0..1")


def compiled(text: str, form: str = "") -> Instance:
    return instantiate(check(parse(text), form=form), {})


def dense(program: SmoothProgram, z: FloatArray) -> FloatArray:
    """The Jacobian as a matrix; positions must not repeat."""
    result = np.zeros((len(program.rows), len(program.columns)))
    places = list(zip(program.jacobian_row.tolist(), program.jacobian_column.tolist(), strict=True))
    assert len(set(places)) == len(places)
    result[program.jacobian_row, program.jacobian_column] = program.jacobian(z)
    return result


def lower_triangle(
    program: SmoothProgram, z: FloatArray, multipliers: FloatArray, factor: float
) -> FloatArray:
    size = len(program.columns)
    result = np.zeros((size, size))
    assert (program.hessian_first >= program.hessian_second).all()
    result[program.hessian_first, program.hessian_second] = program.hessian(z, multipliers, factor)
    return result


def test_values_and_derivatives_follow_the_formulas() -> None:
    program = smooth_program(compiled(MIXED))
    x, y, z = point = np.array([0.5, 2.0, 0.25])
    e = np.exp(0.5)
    assert program.objective(point) == pytest.approx(2 * e + 0.0625, rel=1e-14)
    assert program.gradient(point) == pytest.approx([e * y, e, 2 * z], rel=1e-14)
    # line: x + 2 y - 3; product: x y + x^2 - z; curve: ln(1 + y) + x z
    assert program.constraints(point) == pytest.approx([1.5, 1.0, np.log(3.0) + 0.125], rel=1e-14)
    expected = [[1, 2, 0], [y + 2 * x, x, -1], [z, 1 / 3, x]]
    assert dense(program, point) == pytest.approx(np.array(expected), rel=1e-14)
    # factor * (exp(x) y, exp(x), 2 on the diagonal of z) + 5 * (2, 1 for x y) + 7 * (1 for x z,
    # -1/9 for y y)
    expected = [[3 * e * y + 5 * 2, 0, 0], [3 * e + 5, -7 / 9, 0], [7, 0, 3 * 2]]
    found = lower_triangle(program, point, np.array([11.0, 5.0, 7.0]), 3.0)
    assert found == pytest.approx(np.array(expected), rel=1e-14)


def test_rows_without_variables_are_set_apart() -> None:
    program = smooth_program(compiled(MIXED))
    assert program.rows.tolist() == [0, 1, 2]
    assert program.constant_rows.tolist() == [3]
    assert program.constants.tolist() == [-1.0]


def test_fixed_columns_are_data() -> None:
    program = smooth_program(compiled(MIXED, "pinned"))
    assert program.columns.tolist() == [0, 2]
    point = np.array([0.5, 0.25])
    e = np.exp(0.5)
    assert program.objective(point) == pytest.approx(2 * e + 0.0625, rel=1e-14)
    assert program.gradient(point) == pytest.approx([2 * e, 0.5], rel=1e-14)
    assert dense(program, point) == pytest.approx(
        np.array([[1, 0], [3, -1], [0.25, 0.5]]), rel=1e-14
    )
    # 1 * 2 exp(x) + 5 * 2 from x^2, 7 from x z, 2 from z^2
    found = lower_triangle(program, point, np.array([11.0, 5.0, 7.0]), 1.0)
    assert found == pytest.approx(np.array([[2 * e + 10, 0], [7, 2]]), rel=1e-14)


def test_definitions_shared_between_objective_and_rows() -> None:
    text = """
model shared
set S = 1..3
var x[k in S] : 1 >= 0
let work[k in S] : 1 = exp(k*x[k])
maximize gain = -sum(work[k] for k in S)
constraint each[k in S]: work[k] <= 10
constraint all: sum(work[k] for k in S) <= 20
"""
    program = smooth_program(compiled(text))
    z = np.array([0.3, 0.2, 0.1])
    k = np.array([1.0, 2.0, 3.0])
    work = np.exp(k * z)
    assert program.objective(z) == pytest.approx(-work.sum(), rel=1e-14)
    assert program.gradient(z) == pytest.approx(-k * work, rel=1e-14)
    assert dense(program, z) == pytest.approx(np.vstack([np.diag(k * work), k * work]), rel=1e-14)
    weights = np.array([1.0, 2.0, 3.0, 4.0])
    # second derivative of work[k] is k^2 exp(k x); weights: -1 * 0.5 of the objective, own row,
    # joint row
    expected = np.diag(k**2 * work * (-0.5 + weights[:3] + 4.0))
    assert lower_triangle(program, z, weights, 0.5) == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize("form", ["", "relaxed", "dropout"])
def test_derivatives_agree_with_difference_quotients_of_the_evaluator(form: str) -> None:
    # the evaluator computes plain numbers from the text; the program's derivatives come from
    # triplets and jets
    path = Path(mecdsl.__file__).parent / "models" / "mel.mec"
    instance = instantiate(check(parse_file(path), form=form), read_settings(["learner_count=4"]))
    program = smooth_program(instance)
    rng = np.random.default_rng(7)
    for _ in range(3):
        z = rng.uniform(1.0, 5.0, len(program.columns))
        rows = np.concatenate(list(instance.differences(z).values()))
        assert program.constraints(z) == pytest.approx(rows[program.rows], rel=1e-12)
        jacobian = dense(program, z)
        for column in range(len(z)):
            step = np.zeros(len(z))
            step[column] = 0.5
            up, down = (
                np.concatenate(list(instance.differences(z + s).values())) for s in (step, -step)
            )
            # rows are at most quadratic, so that a central difference over one unit is exact but
            # for rounding
            assert jacobian[:, column] == pytest.approx(
                (up - down)[program.rows], rel=1e-9, abs=1e-9
            )


def test_hessian_agrees_with_difference_quotients_of_the_gradient() -> None:
    text = """
model curved
set S = 1..4
param a[k in S] : 1 = 1 + 0.3*k
var x[k in S] : 1 >= 0
minimize total = sum(a[k]*x[k]*ln(1 + a[k]*x[k]) for k in S) + sum(x[k] for k in S)^3 + 1/(1 + x[1]*x[2])
constraint root[k in S where k > 1]: sqrt(1 + x[k]*x[k-1]) + x[k]^2 <= 9
"""
    program = smooth_program(compiled(text))
    rng = np.random.default_rng(3)
    for _ in range(3):
        z, multipliers = rng.uniform(0.2, 2.0, 4), rng.normal(size=3)

        def slope(at: FloatArray, weights: FloatArray = multipliers) -> FloatArray:
            return program.gradient(at) + weights @ dense(program, at)

        found = lower_triangle(program, z, multipliers, 1.0)
        full = found + np.tril(found, -1).T
        for column in range(4):
            step = np.zeros(4)
            step[column] = 1e-6
            quotient = (slope(z + step) - slope(z - step)) / 2e-6
            assert full[:, column] == pytest.approx(quotient, rel=1e-6, abs=1e-6)


def test_an_empty_model_has_empty_arrays() -> None:
    program = smooth_program(
        compiled("model nothing\nvar x : 1\nminimize c = 3\nform f: fix x = 2\n", "f")
    )
    none = np.zeros(0)
    assert program.objective(none) == 3.0
    assert [
        len(program.gradient(none)),
        len(program.jacobian(none)),
        len(program.hessian(none, none)),
    ] == [0, 0, 0]
