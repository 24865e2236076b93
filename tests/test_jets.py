"""Derivatives of families against hand derivations and against complex steps of a separate
evaluator.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mecdsl.functions.table import UNIVARIATE
from mecdsl.instances.jets import (
    Jet,
    apply2,
    call,
    gradient_pattern,
    hessian_pattern,
    jacobian_values,
    lagrangian_values,
    merge,
    segment_prod,
    segment_sum,
)
from mecdsl.instances.sparse_rows import SparseRows, add_rows, mixed_outer, self_outer, stack_rows

Array = npt.NDArray[Any]
log_perspective = partial(call, "perspective")
Tree = Any  # nested tuples ("operation", argument, ...)


def ints(*values: int) -> npt.NDArray[np.int64]:
    return np.array(values, dtype=np.int64)


def variables(
    x: list[float], columns: list[int] | None = None, order: int = 2, free: Any = None
) -> Jet:
    chosen = ints(*(range(len(x)) if columns is None else columns))
    return Jet.variables(np.array(x, dtype=np.float64), chosen, order, free)


def one_row(x: list[float]) -> list[Jet]:
    """One single-row jet per variable: the hand derivations below are of one scalar expression."""
    return [variables(x, [column]) for column in range(len(x))]


def dense_gradient(jet: Jet, width: int) -> Array:
    result = np.zeros((jet.size, width))
    for row in range(jet.size):
        for entry in range(jet.gradient.pointer[row], jet.gradient.pointer[row + 1]):
            result[row, jet.gradient.columns[0][entry]] += jet.gradient.values[entry]
    return result


def dense_hessian(jet: Jet, width: int) -> Array:
    """Full symmetric matrices, read off by the documented convention with plain loops."""
    assert jet.hessian is not None
    result = np.zeros((jet.size, width, width))
    for row in range(jet.size):
        for entry in range(jet.hessian.pointer[row], jet.hessian.pointer[row + 1]):
            high, low = (int(axis[entry]) for axis in jet.hessian.columns)
            assert high >= low
            result[row, high, low] += jet.hessian.values[entry]
            if high != low:
                result[row, low, high] += jet.hessian.values[entry]
    return result


def assert_jet(jet: Jet, value: Any, gradient: Any, hessian: Any) -> None:
    """Compare a jet of one row; `hessian` is the full symmetric matrix."""
    width = len(gradient)
    np.testing.assert_allclose(jet.value, [value], rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(dense_gradient(jet, width), [gradient], rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(dense_hessian(jet, width), [hessian], rtol=1e-13, atol=1e-13)


# Hand-derived cases


def test_variables_gather_values_and_unit_gradients() -> None:
    jet = variables([5.0, 7.0, 9.0], [2, 0, 2])
    assert jet.value.tolist() == [9.0, 5.0, 9.0]
    assert dense_gradient(jet, 3).tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 1]]
    assert not dense_hessian(jet, 3).any()


def test_fixed_variables_have_no_entry() -> None:
    jet = variables([5.0, 7.0, 9.0], [2, 0, 1], free=np.array([True, True, False]))
    assert jet.value.tolist() == [9.0, 5.0, 7.0]
    assert jet.gradient.pointer.tolist() == [0, 0, 1, 2]
    assert jet.gradient.columns[0].tolist() == [0, 1]


def test_product_of_two_variables() -> None:
    x, y = one_row([3.0, 5.0])
    assert_jet(x * y, 15.0, [5.0, 3.0], [[0, 1], [1, 0]])
    assert_jet(y * x, 15.0, [5.0, 3.0], [[0, 1], [1, 0]])


def test_product_of_a_variable_with_itself_doubles_the_diagonal() -> None:
    (x,) = one_row([3.0])
    assert_jet(x * x, 9.0, [6.0], [[2.0]])


def test_product_of_sums_that_share_variables() -> None:
    # (x + 2y)(3x + y) = 3x^2 + 7xy + 2y^2, at (1, 2): 3 + 14 + 8 = 25; gradient (6x + 7y, 7x + 4y)
    x, y = one_row([1.0, 2.0])
    assert_jet((x + 2 * y) * (3 * x + y), 25.0, [20.0, 15.0], [[6, 7], [7, 4]])


def test_square_of_a_sum_with_duplicate_entries() -> None:
    # (x + x + y)^2 = 4x^2 + 4xy + y^2, at (1, 3): 25; gradient (8x + 4y, 4x + 2y)
    x, y = one_row([1.0, 3.0])
    total = x + x + y
    assert total.gradient.values.size == 3
    assert_jet(total**2, 25.0, [20.0, 10.0], [[8, 4], [4, 2]])
    assert_jet(total * total, 25.0, [20.0, 10.0], [[8, 4], [4, 2]])


def test_ratio_of_two_variables() -> None:
    # x/y: gradient (1/y, -x/y^2), Hessian [[0, -1/y^2], [-1/y^2, 2x/y^3]]
    x, y = one_row([3.0, 2.0])
    assert_jet(x / y, 1.5, [0.5, -0.75], [[0, -0.25], [-0.25, 0.75]])
    assert_jet(3.0 / y, 1.5, [0.0, -0.75], [[0, 0], [0, 0.75]])
    assert_jet(x / 2.0, 1.5, [0.5, 0.0], [[0, 0], [0, 0]])


def test_quadratic_over_linear() -> None:
    # x^2/y: gradient (2x/y, -x^2/y^2), Hessian 2/y^3 [[y^2, -xy], [-xy, x^2]]
    x, y = one_row([3.0, 2.0])
    assert_jet(x**2 / y, 4.5, [3.0, -2.25], [[1, -1.5], [-1.5, 2.25]])


def test_differences_and_signs() -> None:
    # 1 - (x - y) - xy, gradient (-1 - y, 1 - x)
    x, y = one_row([3.0, 5.0])
    assert_jet(1 - (x - y) + -(x * y) - 2.0, -14.0, [-6.0, -2.0], [[0, -1], [-1, 0]])


@pytest.mark.parametrize(
    ("power", "value", "first", "second"),
    [(0, 1, 0, 0), (1, 0, 1, 0), (2, 0, 0, 2), (3, 0, 0, 0), (2.5, 0, 0, 0), (1.5, 0, 0, math.inf)],
)
def test_powers_at_base_zero(power: float, value: float, first: float, second: float) -> None:
    (x,) = one_row([0.0])
    with np.errstate(all="raise"):
        assert_jet(x**power, value, [first], [[second]])


def test_powers_given_per_row() -> None:
    jet = variables([0.0, 0.0, 0.0, 2.0], [0, 1, 2, 3]) ** np.array([0.0, 1.0, 2.0, 3.0])
    assert jet.value.tolist() == [1, 0, 0, 8]
    assert dense_gradient(jet, 4).diagonal().tolist() == [0, 1, 0, 12]
    assert [dense_hessian(jet, 4)[row, row, row] for row in range(4)] == [0, 0, 2, 12]


def test_negative_base_with_whole_exponent() -> None:
    (x,) = one_row([-2.0])
    assert_jet(x**3, -8.0, [12.0], [[-12.0]])
    assert_jet(x ** (-1), -0.5, [-0.25], [[-0.25]])


def test_exponential_with_plain_base() -> None:
    (x,) = one_row([3.0])
    logarithm = 0.6931471805599453  # ln 2
    assert_jet(2**x, 8.0, [8 * logarithm], [[8 * logarithm**2]])
    with np.errstate(all="raise"):
        assert_jet(0.0**x, 0.0, [0.0], [[0.0]])


def test_power_of_two_variables() -> None:
    # x^y at (2, 3), L = ln 2: gradient (y x^(y-1), x^y L), Hessian (12, x^(y-1)(1 + y L), x^y L^2)
    x, y = one_row([2.0, 3.0])
    logarithm = 0.6931471805599453
    mixed = 4 * (1 + 3 * logarithm)
    assert_jet(x**y, 8.0, [12, 8 * logarithm], [[12, mixed], [mixed, 8 * logarithm**2]])


def test_power_of_two_variables_at_base_zero_is_the_limit() -> None:
    # x^y with y = 3 goes to 0 for x to 0 together with all derivatives of order one and two
    x, y = one_row([0.0, 3.0])
    with np.errstate(all="raise"):
        assert_jet(x**y, 0.0, [0, 0], [[0, 0], [0, 0]])


@pytest.mark.parametrize(
    ("name", "value", "first", "second"),
    [
        ("ln", -math.inf, math.inf, -math.inf),
        ("log2", -math.inf, math.inf, -math.inf),
        ("log10", -math.inf, math.inf, -math.inf),
        ("sqrt", 0.0, math.inf, -math.inf),
        ("exp", 1.0, 1.0, 1.0),
        ("abs", 0.0, 0.0, 0.0),
    ],
)
@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_functions_at_zero(
    name: str, value: float, first: float, second: float, zero: float
) -> None:
    (x,) = one_row([zero])
    with np.errstate(all="raise"):
        jet = call(name, x)
    assert isinstance(jet, Jet)
    assert_jet(jet, value, [first], [[second]])


@pytest.mark.parametrize(
    ("name", "point", "value", "first", "second"),
    [
        ("ln", 4.0, 1.3862943611198906, 1 / 4, -1 / 16),
        ("log2", 4.0, 2.0, 1.4426950408889634 / 4, -1.4426950408889634 / 16),  # 1/ln 2
        ("log10", 100.0, 2.0, 0.4342944819032518 / 100, -0.4342944819032518 / 1e4),  # 1/ln 10
        ("exp", 1.0, math.e, math.e, math.e),
        ("sqrt", 4.0, 2.0, 1 / 4, -1 / 32),
        ("abs", -3.0, 3.0, -1.0, 0.0),
        ("abs", 3.0, 3.0, 1.0, 0.0),
    ],
)
def test_functions_and_their_derivatives(
    name: str, point: float, value: float, first: float, second: float
) -> None:
    found = [float(array[0]) for array in UNIVARIATE[name].derivatives(np.array([point]))]
    assert found == pytest.approx([value, first, second], rel=1e-14)
    plain = call(name, np.array([point]))
    assert isinstance(plain, np.ndarray)
    assert plain.tolist() == pytest.approx([value], rel=1e-14)


def test_log_perspective_at_a_point() -> None:
    # t ln(1 + e/t) at t = 1, e = 3, s = 4:
    # f_t = ln 4 - 3/4, f_e = 1/4, f_tt = -9/16, f_te = 3/16, f_ee = -1/16
    t, e = one_row([1.0, 3.0])
    jet = log_perspective(t, e)
    assert isinstance(jet, Jet)
    four = 1.3862943611198906  # ln 4
    assert_jet(jet, four, [four - 0.75, 0.25], [[-9 / 16, 3 / 16], [3 / 16, -1 / 16]])


@pytest.mark.parametrize("second", [3.0, np.array([3.0])])
def test_log_perspective_with_one_plain_argument(second: Any) -> None:
    t, e = one_row([1.0, 3.0])
    four = 1.3862943611198906
    by_t, by_e = log_perspective(t, second), log_perspective(second / 3.0, e)
    assert isinstance(by_t, Jet)
    assert isinstance(by_e, Jet)
    assert_jet(by_t, four, [four - 0.75, 0], [[-9 / 16, 0], [0, 0]])
    assert_jet(by_e, four, [0, 0.25], [[0, 0], [0, -1 / 16]])


def test_log_perspective_is_continued_by_zero() -> None:
    with np.errstate(all="raise"):
        plain = log_perspective(np.array([0.0, 0.0, -0.0, 0.0]), np.array([0.0, 2.0, 2.0, -1.0]))
        jet = log_perspective(variables([0.0]), np.array([2.0]))
    assert isinstance(plain, np.ndarray)
    assert isinstance(jet, Jet)
    np.testing.assert_array_equal(plain, [0.0, 0.0, 0.0, math.nan])
    assert jet.value.tolist() == [0.0]
    assert jet.gradient.values.tolist() == [math.inf]


def test_apply2_chain_rule_with_all_terms() -> None:
    # f(u, v) = u^2 + 3uv + v^2 + u with u = xy, v = x + y at (1, 2): u = 2, v = 3, f = 4 + 18 + 9 +
    # 2 = 33. f_u = 2u + 3v + 1 = 14, f_v = 3u + 2v = 12, f_uu = 2, f_uv = 3, f_vv = 2, grad u = (2,
    # 1), grad v = (1, 1); gradient = 14 (2, 1) + 12 (1, 1) = (40, 26) Hessian = 14 [[0, 1], [1, 0]]
    # + 2 [[4, 2], [2, 1]] + 3 [[4, 3], [3, 2]] + 2 [[1, 1], [1, 1]]
    x, y = one_row([1.0, 2.0])
    jet = apply2(x * y, x + y, np.array([33.0]), np.array([14.0]), np.array([12.0]), 2.0, 3.0, 2.0)
    assert_jet(jet, 33.0, [40, 26], [[22, 29], [29, 10]])


def test_degree_two_template_at_zero_gives_its_coefficients() -> None:
    # rows k = 0, 1: (2 a_k - b_k + 3)^2 - a_k b_k / 4 + 5 c b_k - 7 with a = x[0:2], b = x[2:4], c
    # = x[4]
    #   = 4 a^2 + b^2 - 4.25 ab + 5 cb + 12 a - 6 b + 2
    # so the constant is 2, the linear part 12 a - 6 b, and the Hessian 8 at aa, 2 at bb, -4.25 at
    # ab, 5 at cb
    zero = [0.0] * 5
    a, b, c = variables(zero, [0, 1]), variables(zero, [2, 3]), variables(zero, [4, 4])
    jet = (2 * a - b + np.array([3.0, 3.0])) ** 2 - a * b / 4 + 5 * c * b - 7
    assert jet.value.tolist() == [2.0, 2.0]
    assert dense_gradient(jet, 5).tolist() == [[12, 0, -6, 0, 0], [0, 12, 0, -6, 0]]
    expected = np.zeros((2, 5, 5))
    for row in range(2):
        expected[row, row, row], expected[row, row + 2, row + 2] = 8, 2
        expected[row, row, row + 2] = expected[row, row + 2, row] = -4.25
        expected[row, 4, row + 2] = expected[row, row + 2, 4] = 5
    np.testing.assert_array_equal(dense_hessian(jet, 5), expected)


def test_linear_template_has_no_second_order_entries() -> None:
    jet = (variables([0.0, 0.0]) * np.array([2.0, 3.0]) - 4.0) / 2.0 + np.array([1.0, 2.0])
    assert jet.hessian is not None
    assert jet.hessian.values.size == 0
    assert (jet**1).hessian is jet.hessian
    assert jet.value.tolist() == [-1.0, 0.0]
    assert jet.gradient.values.tolist() == [1.0, 1.5]


# Operands of every kind, on both sides


@pytest.mark.parametrize(
    "plain", [2, 2.0, np.float64(2.0), np.int64(2), np.array(2.0), np.array([2.0, 2.0])]
)
def test_plain_operands_on_both_sides(plain: Any) -> None:
    x = variables([3.0, 5.0])
    cases: list[tuple[Any, list[float], list[float]]] = [
        (x + plain, [5, 7], [1, 1]),
        (plain + x, [5, 7], [1, 1]),
        (x - plain, [1, 3], [1, 1]),
        (plain - x, [-1, -3], [-1, -1]),
        (x * plain, [6, 10], [2, 2]),
        (plain * x, [6, 10], [2, 2]),
        (x / plain, [1.5, 2.5], [0.5, 0.5]),
        (plain / x, [2 / 3, 2 / 5], [-2 / 9, -2 / 25]),
        (x**plain, [9, 25], [6, 10]),
        (plain**x, [8, 32], [8 * math.log(2), 32 * math.log(2)]),
    ]
    for jet, value, slope in cases:
        assert isinstance(jet, Jet)
        np.testing.assert_allclose(jet.value, value, rtol=1e-15)
        np.testing.assert_allclose(dense_gradient(jet, 2), np.diag(slope), rtol=1e-15)


@pytest.mark.parametrize("other", [np.ones(1), np.ones(3), np.ones((2, 2))])
def test_arrays_of_another_shape_are_refused(other: Array) -> None:
    x = variables([3.0, 5.0])
    for operation in (
        lambda: x + other,
        lambda: other - x,
        lambda: x * other,
        lambda: other / x,
        lambda: x**other,
    ):
        with pytest.raises(ValueError, match="shape"):
            operation()


def test_jets_of_another_size_or_order_are_refused() -> None:
    x, single, first = variables([3.0, 5.0]), variables([3.0]), variables([3.0, 5.0], order=1)
    combinations: list[Callable[[], Jet]] = [
        lambda: x + single,
        lambda: x * single,
        lambda: x - first,
        lambda: first / x,
    ]
    for combine in combinations:
        with pytest.raises(ValueError, match="expected"):
            combine()
    with pytest.raises(ValueError, match="order 1 or 2"):
        variables([1.0], order=3)
    with pytest.raises(ValueError, match="one order"):
        Jet.concatenate([x, first])
    with pytest.raises(ValueError, match="shape"):
        log_perspective(single, np.ones(4))
    with pytest.raises(TypeError, match="plain values only"):
        apply2(1.0, 2.0, np.ones(1), 1.0, 1.0, None, None, None)


def test_columns_and_indices_outside_are_refused() -> None:
    x = variables([3.0, 5.0])
    for index in (ints(2), ints(-1)):
        with pytest.raises(IndexError):
            x.take(index)
        with pytest.raises(IndexError):
            Jet.variables(x.value, index, 2)
        with pytest.raises(IndexError):
            x.segment_sum(np.repeat(index, 2), 2)
    with pytest.raises(TypeError):
        x[np.array([True, False])]


# Rows


def test_take_repeats_and_reorders_ragged_rows() -> None:
    # rows: x0 x1, x2 (linear), 4 (constant); taken as 2, 0, 0, 1
    x = [2.0, 3.0, 5.0]
    product = variables(x, [0]) * variables(x, [1])
    jet = Jet.concatenate([product, variables(x, [2]), Jet.constant(np.array([4.0]), 2)])[
        ints(2, 0, 0, 1)
    ]
    assert jet.value.tolist() == [4, 6, 6, 5]
    assert dense_gradient(jet, 3).tolist() == [[0, 0, 0], [3, 2, 0], [3, 2, 0], [0, 0, 1]]
    assert dense_hessian(jet, 3)[:, 0, 1].tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize("parent", [[0, 0, 2, 2], [2, 0, 2, 0]])
def test_segment_sum_with_empty_segments(parent: list[int]) -> None:
    # rows x_k^2 with x = (1, 2, 3, 4) summed into rows 0 and 2 of four; rows 1 and 3 stay empty
    x = [1.0, 2.0, 3.0, 4.0]
    jet = (variables(x) ** 2).segment_sum(ints(*parent), 4)
    members = [[k for k in range(4) if parent[k] == row] for row in range(4)]
    assert jet.value.tolist() == [sum(x[k] ** 2 for k in group) for group in members]
    for row, group in enumerate(members):
        assert dense_gradient(jet, 4)[row].tolist() == [2 * x[k] * (k in group) for k in range(4)]
        assert (
            dense_hessian(jet, 4)[row].tolist()
            == np.diag([2.0 * (k in group) for k in range(4)]).tolist()
        )


def test_sum_then_square_couples_all_members() -> None:
    # (x0 + x1)^2 in row 0, x2^2 in row 1: ragged rows through a function
    jet = variables([1.0, 2.0, 3.0]).segment_sum(ints(0, 0, 1), 2) ** 2
    assert jet.value.tolist() == [9, 9]
    assert dense_gradient(jet, 3).tolist() == [[6, 6, 0], [0, 0, 6]]
    assert dense_hessian(jet, 3).tolist() == [
        [[2, 2, 0], [2, 2, 0], [0, 0, 0]],
        [[0, 0, 0], [0, 0, 0], [0, 0, 2]],
    ]


@pytest.mark.parametrize("rows", [[0, 1, 2, 3], [3, 1, 0, 2]])
def test_segment_product_needs_no_division(rows: list[int]) -> None:
    # rows 0 and 1 of three: x0 x1 x2 at (0, 2, 5) and x3; row 2 is the empty product gradient (x1
    # x2, x0 x2, x0 x1) = (10, 0, 0); second derivatives d01 = x2 = 5, d02 = x1 = 2, d12 = x0 = 0
    parent = ints(0, 0, 0, 1)[rows]
    jet = variables([0.0, 2.0, 5.0, 7.0], rows).segment_prod(parent, 3)
    assert jet.value.tolist() == [0, 7, 1]
    assert dense_gradient(jet, 4).tolist() == [[10, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    expected = np.zeros((3, 4, 4))
    expected[0, 0, 1] = expected[0, 1, 0] = 5
    expected[0, 0, 2] = expected[0, 2, 0] = 2
    np.testing.assert_array_equal(dense_hessian(jet, 4), expected)


def test_segments_of_plain_arrays() -> None:
    values, parent = np.array([2.0, 3.0, 4.0]), ints(2, 0, 2)
    total, product = segment_sum(values, parent, 4), segment_prod(values, parent, 4)
    assert isinstance(total, np.ndarray)
    assert isinstance(product, np.ndarray)
    assert total.tolist() == [3, 0, 6, 0]
    assert product.tolist() == [3, 1, 8, 1]


def test_merge_puts_branches_back_in_place() -> None:
    # rows 0 and 3 are x0 x1, row 1 is 8 (array), rows 2 and 4 are 9 (float)
    x = [2.0, 3.0]
    product = variables(x, [0, 0]) * variables(x, [1, 1])
    jet = merge(5, [(ints(3, 0), product), (ints(1), np.array([8.0])), (ints(2, 4), 9.0)], 2)
    assert jet.value.tolist() == [6, 8, 9, 6, 9]
    assert dense_gradient(jet, 2).tolist() == [[3, 2], [0, 0], [0, 0], [3, 2], [0, 0]]
    assert dense_hessian(jet, 2)[:, 0, 1].tolist() == [1, 0, 0, 1, 0]


@pytest.mark.parametrize("second", [ints(1), ints(0, 1), ints(1, 1), ints(1, 2, 2)])
def test_merge_refuses_missing_and_doubled_rows(second: npt.NDArray[np.int64]) -> None:
    with pytest.raises(ValueError, match="each row in one part"):
        merge(3, [(ints(0), 1.0), (second, 2.0)], 2)


def test_merge_refuses_a_part_of_another_length() -> None:
    with pytest.raises(ValueError, match="expected 2 rows, found 1"):
        merge(2, [(ints(0, 1), variables([1.0]))], 2)


def test_concatenate_refuses_nothing_at_all() -> None:
    with pytest.raises(ValueError, match="found none"):
        Jet.concatenate([])


@pytest.mark.parametrize("order", [1, 2])
def test_families_without_rows(order: int) -> None:
    none = ints()
    x = Jet.variables(np.ones(3), none, order)
    jets = [x + x, 2 / x, x * x / x, x**2, x**1.5, 2.0**x, x**x, x[none], -x, np.empty(0) * x]
    jets += [
        x.segment_sum(none, 0),
        x.segment_prod(none, 0),
        merge(0, [(none, x)], order),
        Jet.concatenate([x, x]),
    ]
    for jet in jets:
        assert (jet.size, jet.order, jet.gradient.size, jet.gradient.values.size) == (
            0,
            order,
            0,
            0,
        )
    for empty_sums, neutral in ((x.segment_sum(none, 2), 0.0), (x.segment_prod(none, 2), 1.0)):
        assert empty_sums.value.tolist() == [neutral, neutral]
        assert empty_sums.gradient.pointer.tolist() == [0, 0, 0]
    assert gradient_pattern(x).size == 0


# Patterns


def test_patterns_add_up_duplicates() -> None:
    # row 0: x0 x1 + 3 x0 + x1^2 at (2, 5), row 1: x1 x0 + x0: Jacobian [[x1 + 3, x0 + 2 x1], [x1 +
    # 1, x0]], Lagrangian Hessian with multipliers (10, 100): 10 [[0, 1], [1, 2]] + 100 [[0, 1], [1,
    # 0]]
    x, y = one_row([2.0, 5.0])
    jet = Jet.concatenate([x * y + 3 * x + y**2, y * x + x])
    jacobian, hessian = gradient_pattern(jet), hessian_pattern(jet)
    assert list(zip(jacobian.first.tolist(), jacobian.second.tolist(), strict=True)) == [
        (0, 0),
        (0, 1),
        (1, 0),
        (1, 1),
    ]
    assert jacobian_values(jacobian, jet).tolist() == [8, 12, 6, 2]
    assert list(zip(hessian.first.tolist(), hessian.second.tolist(), strict=True)) == [
        (1, 0),
        (1, 1),
    ]
    assert lagrangian_values(hessian, jet, np.array([10.0, 100.0])).tolist() == [110, 20]


def test_patterns_refuse_jets_of_another_structure() -> None:
    x, y = one_row([2.0, 5.0])
    with pytest.raises(ValueError, match="expected 2 entries"):
        jacobian_values(gradient_pattern(x + y), x)
    with pytest.raises(ValueError, match="order 2"):
        hessian_pattern(variables([1.0], order=1))
    with pytest.raises(ValueError, match="expected 1 rows, found 2"):
        lagrangian_values(hessian_pattern(x * y), x * y, np.ones(2))


# Rows of equal lengths take a shorter way than ragged ones; it must lead to the same sequence of
# entries

BLOCK = SparseRows.uniform(
    3, 2, (ints(4, 1, 0, 0, 2, 3),), np.array([1.0, 2.0, 3.0, 5.0, 7.0, 11.0])
)
COLUMN = SparseRows.uniform(3, 1, (ints(1, 0, 2),), np.array([13.0, 17.0, 19.0]))


@pytest.mark.parametrize(
    "operation",
    [
        lambda block, column: block.scale(np.array([2.0, 3.0, 4.0])),
        lambda block, column: block.take(ints(2, 0, 0, 1)),
        lambda block, column: block.segment_sum(ints(0, 2, 2), 3),
        lambda block, column: add_rows([block, column, block]),
        lambda block, column: stack_rows([block, block]),
        lambda block, column: mixed_outer(block, column, np.array([2.0, 3.0, 4.0])),
        lambda block, column: mixed_outer(column, block, 1.0),
        lambda block, column: mixed_outer(block, block, 1.0),
        lambda block, column: self_outer(block, np.array([2.0, 3.0, 4.0])),
        lambda block, column: self_outer(column, 2.0),
    ],
)
def test_ragged_and_uniform_ways_agree(
    operation: Callable[[SparseRows, SparseRows], SparseRows],
) -> None:
    short, long = (
        operation(BLOCK, COLUMN),
        operation(replace(BLOCK, width=None), replace(COLUMN, width=None)),
    )
    np.testing.assert_array_equal(short.pointer, long.pointer)
    np.testing.assert_array_equal(short.columns, long.columns)
    np.testing.assert_array_equal(short.values, long.values)


@pytest.mark.parametrize("width", [2, None])
def test_outer_products_entry_by_entry(width: int | None) -> None:
    # rows 1 e4 + 2 e1: 1, 2, 4; 3 e0 + 5 e0: 9, 2*15, 25 (together 8^2); 7 e2 + 11 e3: 49, 77, 121
    squares = self_outer(replace(BLOCK, width=width), 1.0)
    assert squares.columns[0].tolist() == [4, 4, 1, 0, 0, 0, 2, 3, 3]
    assert squares.columns[1].tolist() == [4, 1, 1, 0, 0, 0, 2, 2, 3]
    assert squares.values.tolist() == [1, 2, 4, 9, 30, 25, 49, 77, 121]
    # with 13 e1, 17 e0, 19 e2: doubled are 2*13 at (1, 1), 3*17 and 5*17 at (0, 0), 7*19 at (2, 2)
    mixed = mixed_outer(replace(BLOCK, width=width), COLUMN, 1.0)
    assert mixed.columns[0].tolist() == [4, 1, 0, 0, 2, 3]
    assert mixed.columns[1].tolist() == [1, 1, 0, 0, 2, 2]
    assert mixed.values.tolist() == [13, 52, 102, 170, 266, 209]


# Random expressions: the same tree by jets and by a complex evaluator that shares no code with them


@dataclass(frozen=True, slots=True)
class Algebra:
    """How to evaluate what is not an operator."""

    variable: Callable[[Array], Any]
    call: Callable[[str, Any], Any]
    log_perspective: Callable[[Any, Any], Any]
    segment_sum: Callable[[Any, Array, int], Any]
    segment_prod: Callable[[Any, Array, int], Any]
    merge: Callable[[Array, Any, Any], Any]


def evaluate(tree: Tree, algebra: Algebra) -> Any:
    match tree:
        case ("variable", columns):
            return algebra.variable(columns)
        case ("plain", values):
            return values
        case ("add", a, b):
            return evaluate(a, algebra) + evaluate(b, algebra)
        case ("subtract", a, b):
            return evaluate(a, algebra) - evaluate(b, algebra)
        case ("multiply", a, b):
            return evaluate(a, algebra) * evaluate(b, algebra)
        case ("divide", a, b):
            return evaluate(a, algebra) / evaluate(b, algebra)
        case ("power", a, b):
            return evaluate(a, algebra) ** evaluate(b, algebra)
        case ("negative", a):
            return -evaluate(a, algebra)
        case ("call", name, a):
            return algebra.call(name, evaluate(a, algebra))
        case ("log_perspective", a, b):
            return algebra.log_perspective(evaluate(a, algebra), evaluate(b, algebra))
        case ("take", a, index):
            return evaluate(a, algebra)[index]
        case ("segment_sum", a, parent):
            return algebra.segment_sum(evaluate(a, algebra), parent, parent.size)
        case ("segment_prod", a, parent):
            return algebra.segment_prod(evaluate(a, algebra), parent, parent.size)
        case ("merge", mask, a, b):
            return algebra.merge(mask, evaluate(a, algebra), evaluate(b, algebra))
    raise AssertionError(f"unknown node {tree!r}")


def jet_algebra(x: Array, order: int = 2, free: Array | None = None) -> Algebra:
    def merge_branches(mask: Array, a: Any, b: Any) -> Jet:
        where_a, where_b = np.flatnonzero(mask), np.flatnonzero(~mask)
        return merge(mask.size, [(where_a, a[where_a]), (where_b, b[where_b])], order)

    return Algebra(
        variable=lambda columns: Jet.variables(x, columns, order, free),
        call=call,
        log_perspective=log_perspective,
        segment_sum=segment_sum,
        segment_prod=segment_prod,
        merge=merge_branches,
    )


COMPLEX_FUNCTIONS: dict[str, Callable[[Array], Array]] = {
    "ln": np.log,
    "log2": lambda z: np.log(z) / math.log(2),
    "log10": lambda z: np.log(z) / math.log(10),
    "exp": np.exp,
    "sqrt": np.sqrt,
    "abs": lambda z: np.where(np.real(z) < 0, -z, z),
}


def complex_algebra(x: Array) -> Algebra:
    def accumulate(operation: Any, start: float, values: Array, parent: Array, size: int) -> Array:
        result = np.full(size, start, dtype=np.complex128)
        operation.at(result, parent, values)
        return result

    return Algebra(
        variable=lambda columns: x[columns],
        call=lambda name, z: COMPLEX_FUNCTIONS[name](z),
        log_perspective=lambda t, e: t * np.log(1 + e / t),
        segment_sum=lambda values, parent, size: accumulate(np.add, 0.0, values, parent, size),
        segment_prod=lambda values, parent, size: accumulate(
            np.multiply, 1.0, values, parent, size
        ),
        merge=np.where,
    )


def complex_gradient(tree: Tree, x: Array) -> Array:
    """Im f(x + ih e_j)/h with h = 1e-30: no subtraction, hence exact to rounding."""
    columns = []
    for step in np.eye(x.size) * 1e-30:
        value = evaluate(tree, complex_algebra(x + 1j * step))
        columns.append(np.imag(value) / 1e-30)
    return np.stack(columns, axis=1)


def difference_hessian(tree: Tree, x: Array) -> Array:
    """Fourth-order central differences of the complex-step gradient; error h^4/30 times fifth
    derivatives.
    """
    slices = []
    for step in np.eye(x.size) * 1e-3:
        near = complex_gradient(tree, x + step) - complex_gradient(tree, x - step)
        far = complex_gradient(tree, x + 2 * step) - complex_gradient(tree, x - 2 * step)
        slices.append((8 * near - far) / 12e-3)
    return np.stack(slices, axis=2)


def positive(tree: Tree) -> Tree:
    """tree^2 + 1: at home in the domain of every function."""
    return ("add", ("multiply", tree, tree), ("plain", 1.0))


def bounded(tree: Tree) -> Tree:
    """tree/(tree^2 + 1), within -1/2..1/2."""
    return ("divide", tree, positive(tree))


@st.composite
def trees(draw: st.DrawFn, rows: int, width: int, depth: int) -> Tree:
    def index_array(limit: int) -> Array:
        return ints(*draw(st.lists(st.integers(0, limit - 1), min_size=rows, max_size=rows)))

    def numbers() -> Array:
        return (
            np.array(
                draw(st.lists(st.integers(-8, 8), min_size=rows, max_size=rows)), dtype=np.float64
            )
            / 4
        )

    if depth == 0:
        if draw(st.integers(0, 3)) == 0:
            return ("plain", numbers())
        return ("variable", index_array(width))
    a, b = draw(trees(rows, width, depth - 1)), draw(trees(rows, width, depth - 1))
    number = ("plain", draw(st.integers(-8, 8)) / 4)
    kinds: list[Callable[[], Tree]] = [
        lambda: (draw(st.sampled_from(["add", "subtract", "multiply"])), a, b),
        lambda: (
            draw(st.sampled_from(["add", "subtract", "multiply"])),
            *draw(st.permutations([a, number])),
        ),
        lambda: ("divide", draw(st.sampled_from([a, number])), positive(b)),
        lambda: ("divide", a, ("plain", np.abs(numbers()) + 1)),
        lambda: (
            "power",
            positive(a),
            draw(st.sampled_from([("plain", numbers()), number, bounded(b)])),
        ),
        lambda: ("power", a, ("plain", draw(st.sampled_from([0.0, 1.0, 2.0, 3.0])))),
        lambda: ("power", ("plain", np.abs(numbers()) + 0.5), bounded(a)),
        lambda: ("negative", a),
        lambda: (
            "call",
            draw(st.sampled_from(["ln", "log2", "log10", "sqrt", "abs"])),
            positive(a),
        ),
        lambda: ("call", "abs", ("negative", positive(a))),
        lambda: ("call", "exp", bounded(a)),
        lambda: ("log_perspective", positive(a), positive(b)),
        lambda: ("take", a, index_array(rows)),
        lambda: ("segment_sum", a, index_array(rows)),
        lambda: ("segment_sum", a, np.sort(index_array(rows))),
        lambda: ("segment_prod", bounded(a), index_array(rows)),
        lambda: ("merge", index_array(2).astype(bool), a, b),
    ]
    return draw(st.sampled_from(kinds))()


@st.composite
def problems(draw: st.DrawFn) -> tuple[Tree, Array, Array]:
    """A tree with its point x and the free columns."""
    rows, width = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    tree = (
        "add",
        draw(trees(rows, width, draw(st.integers(1, 3)))),
        ("variable", ints(*([0] * rows))),
    )
    x = (
        np.array(
            draw(st.lists(st.integers(8, 24), min_size=width, max_size=width)), dtype=np.float64
        )
        / 16
    )
    free = np.array(
        draw(st.lists(st.sampled_from([True, True, True, False]), min_size=width, max_size=width))
    )
    return tree, x, free if draw(st.booleans()) else np.ones(width, dtype=bool)


@pytest.mark.slow
@settings(max_examples=300, deadline=None)
@given(problems())
def test_random_expressions_have_the_derivatives_of_a_plain_evaluation(
    problem: tuple[Tree, Array, Array],
) -> None:
    tree, x, free = problem
    gradient, hessian = complex_gradient(tree, x), difference_hessian(tree, x)
    scale = max(1.0, float(np.abs(gradient).max()), float(np.abs(hessian).max()))
    assume(
        scale < 1e4
    )  # beyond, the fifth derivative in the error of the differences is too large to judge
    jet = evaluate(tree, jet_algebra(x, free=free))
    np.testing.assert_allclose(
        jet.value, np.real(evaluate(tree, complex_algebra(x + 0j))), rtol=1e-10, atol=1e-10
    )
    np.testing.assert_allclose(
        dense_gradient(jet, x.size), gradient * free, atol=1e-10 * scale, rtol=1e-10
    )
    both_free = free[:, None] & free[None, :]
    np.testing.assert_allclose(
        dense_hessian(jet, x.size), hessian * both_free, atol=1e-6 * scale, rtol=1e-6
    )


@settings(max_examples=150, deadline=None)
@given(problems(), st.sampled_from([0.0, 1.0, -3.0, 1e200]))
@pytest.mark.slow
def test_the_pattern_does_not_depend_on_the_point(
    problem: tuple[Tree, Array, Array], other: float
) -> None:
    tree, x, free = problem
    here = evaluate(tree, jet_algebra(x, free=free))
    with np.errstate(all="ignore"):  # 1e200 overflows on purpose, also in plain parts of the tree
        there = evaluate(tree, jet_algebra(np.full_like(x, other), free=free))
    for rows, same in ((here.gradient, there.gradient), (here.hessian, there.hessian)):
        np.testing.assert_array_equal(rows.pointer, same.pointer)
        for axis, same_axis in zip(rows.columns, same.columns, strict=True):
            np.testing.assert_array_equal(axis, same_axis)
        assert rows.values.size == same.values.size == rows.pointer[-1]


@settings(max_examples=100, deadline=None)
@given(problems())
def test_first_order_jets_have_the_gradient_of_second_order_ones(
    problem: tuple[Tree, Array, Array],
) -> None:
    tree, x, free = problem
    first, second = (evaluate(tree, jet_algebra(x, order, free)) for order in (1, 2))
    assert first.hessian is None
    np.testing.assert_array_equal(first.value, second.value)
    np.testing.assert_array_equal(first.gradient.values, second.gradient.values)
    np.testing.assert_array_equal(first.gradient.columns[0], second.gradient.columns[0])


@settings(max_examples=100, deadline=None)
@given(problems(), st.integers(-3, 3))
@pytest.mark.slow
def test_patterns_give_the_jacobian_and_the_lagrangian(
    problem: tuple[Tree, Array, Array], shift: int
) -> None:
    tree, x, free = problem
    jacobian = gradient_pattern(evaluate(tree, jet_algebra(x, free=free)))
    hessian = hessian_pattern(evaluate(tree, jet_algebra(x, free=free)))
    jet = evaluate(tree, jet_algebra(x + 0.125, free=free))
    assert len(set(zip(jacobian.first, jacobian.second, strict=True))) == jacobian.size
    assert len(set(zip(hessian.first, hessian.second, strict=True))) == hessian.size
    found = np.zeros((jet.size, x.size))
    found[jacobian.first, jacobian.second] = jacobian_values(jacobian, jet)
    np.testing.assert_allclose(found, dense_gradient(jet, x.size), rtol=1e-9, atol=1e-9)
    multipliers = np.arange(jet.size) + float(shift)
    lower = np.zeros((x.size, x.size))
    lower[hessian.first, hessian.second] = lagrangian_values(hessian, jet, multipliers)
    expected = np.tril(np.einsum("r,rij->ij", multipliers, dense_hessian(jet, x.size)))
    np.testing.assert_allclose(
        lower, expected, rtol=1e-9, atol=1e-9 * (1 + np.abs(dense_hessian(jet, x.size)).max())
    )
