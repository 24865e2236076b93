"""Trees of nonlinear expressions, and the programs made of them, which need no solver."""

import math

import numpy as np
import pytest

import mecdsl
from mecdsl.backends.shared import trees
from mecdsl.backends.shared.flat_rows import joined, one_row
from mecdsl.backends.shared.tree_lowering import tree_program
from mecdsl.backends.shared.tree_program import TreeProgram
from mecdsl.backends.shared.trees import applied, column, constant, linear, operations, total

X, Y = column(0), column(1)


def program(text: str, own_absolutes: bool = False) -> TreeProgram:
    return tree_program(mecdsl.loads(text).instance(), own_absolutes)


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (total([2.0 * X, -1.0 * Y, 3.0]), 2 * 0.5 - 2.0 + 3),
        (X * Y, 1.0),
        (X**-1.0, 2.0),
        (total([Y, 1.0]) * X**-1.0, 6.0),
        (applied("ln", Y) * applied("exp", X), math.log(2.0) * math.exp(0.5)),
        (applied("abs", total([X, -1.0 * Y])), 1.5),
        (applied("sin", X), math.sin(0.5)),
        (total([]), 0.0),
        (constant(4.0), 4.0),
    ],
)
def test_a_tree_has_the_value_of_its_parts(tree: trees.Tree, expected: float) -> None:
    assert trees.value(tree, np.array([0.5, 2.0])) == pytest.approx(expected, rel=1e-15)


def test_a_value_that_does_not_exist_is_nan() -> None:
    assert math.isnan(trees.value(applied("ln", X), np.array([-1.0])))


def test_a_long_product_needs_no_recursion() -> None:
    product = X
    for _ in range(5000):
        product = product * X
    assert trees.value(product, np.array([1.0])) == 1.0
    assert operations(product) == 5000


def test_what_is_written_linear_has_coefficients() -> None:
    assert linear(total([2.0 * X, -0.5 * total([X, Y, 3.0]), 1.0])) == ({0: 1.5, 1: -0.5}, -0.5)
    assert linear(X * Y) is None
    assert linear(total([X, applied("exp", Y)])) is None


@pytest.mark.parametrize(
    ("tree", "expected"),
    [
        (total([3.0 * X, Y]), 0),
        (applied("ln", total([X, 1.0])), 1),
        # ln, exp, sqrt, the product and the quotient
        (applied("ln", applied("exp", X) * applied("sqrt", Y)) * X**-1.0, 5),
        (3.0 * X**-1.0, 1),
        (applied("exp", constant(1.0)), 0),
    ],
)
def test_operations_that_are_not_linear_are_counted(tree: trees.Tree, expected: int) -> None:
    assert operations(tree) == expected


# Programs -----------------------------------------------------------------------------------------


def test_linear_and_quadratic_rows_are_arrays_and_others_trees() -> None:
    found = program(
        "var x : 1 in 0.5..4\nvar y : 1 in 0.5..4\nvar n : integer in 0..5\nminimize cost = x + y\n"
        "constraint flat: x + n <= 3\nconstraint bent: x*y >= 2\nconstraint curved: ln(x) + y >= 1"
    )
    size = found.size
    assert (size.columns, size.linear_rows, size.quadratic_rows, size.curved_rows) == (3, 1, 1, 1)
    assert size.operations == 1
    assert not size.linear
    assert found.integral.tolist() == [False, False, True]


def test_a_row_with_two_sides_becomes_two_and_one_with_equal_sides_an_equation() -> None:
    rows = joined([one_row({0: 1.0}, {}, limits, "") for limits in ((0.0, 1.0), (2.0, 2.0))])
    found = rows.one_sided()
    assert found.lower.tolist() == [0.0, 2.0, -math.inf]
    assert found.upper.tolist() == [math.inf, 2.0, 1.0]
    assert found.coefficients.row.tolist() == [0, 1, 2]


SQUARE = """
var x : 1 in 0..2
var y : 1 in 0.5..4
minimize cost = y - x
constraint cone: quad_over_lin(x, y) <= 1
"""


def test_a_quotient_becomes_a_cone_and_starts_where_the_quotient_is() -> None:
    found = program(SQUARE)
    assert (found.size.curved_rows, found.size.quadratic_rows) == (0, 1)
    z = found.started_at(np.array([1.5, 3.0]))
    assert np.isfinite(z).all()
    cone = found.flat.chosen(found.flat.quadratic).coefficients
    assert cone.value_at(z) == pytest.approx([0.0], abs=1e-12)  # t*y == x^2


def test_without_a_family_all_its_rows_are_gone_and_the_others_stay() -> None:
    text = SQUARE + "constraint curved: exp(x) <= 5\nconstraint flat: x + y <= 5"
    rest = program(text).without(["cone"])
    assert rest.size.quadratic_rows == 0
    assert [row.family for row in rest.curved] == ["curved"]
    assert rest.size.linear_rows == 1  # `flat`; the one that bounds the quotient is gone


ABSOLUTE = "var x : 1 in -2..3\nvar y : 1\nmaximize gain = y\nconstraint c: y <= abs(x - 1)*exp(x)"


def test_an_absolute_value_is_a_column_or_part_of_a_tree() -> None:
    apart, inside = program(ABSOLUTE), program(ABSOLUTE, own_absolutes=True)
    assert (apart.size.absolutes, inside.size.absolutes) == (1, 0)
    assert apart.size.columns == inside.size.columns + 2  # the argument and its absolute value
    z = apart.started_at(np.array([-1.0, 0.0]))
    pair = apart.absolutes[0]
    assert z[pair.result] == pytest.approx(abs(z[pair.argument]), rel=1e-15)
    assert z[pair.argument] != 0.0
