"""Combinations: the same value as the expression they stand for, with inner parts of size about 1.

The tool here is plain arithmetic: an atom is the number it would have at a point, so a combination
can be evaluated.
"""

import math
from collections.abc import Callable
from operator import methodcaller
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mecdsl.analysis.scaling import scale
from mecdsl.backends.shared.combinations import (
    Combination,
    Combinations,
    Tool,
    leaves,
    normalised,
    require_finite,
    varies,
)
from mecdsl.compiling.check import check
from mecdsl.diagnostics import ModelError, Source, Span
from mecdsl.instances.instance import Instance
from mecdsl.instances.instantiate import instantiate
from mecdsl.parsing.parse import parse

seen: list[float] = []


def noted(function: Callable[[float], float]) -> Callable[[Any], float]:
    """A function that writes down its arguments."""

    def apply(argument: Any) -> float:
        seen.append(float(argument))
        return function(argument)

    return apply


ARITHMETIC = Tool(
    {
        "ln": noted(math.log),
        "exp": noted(math.exp),
        "sqrt": noted(math.sqrt),
        "abs": methodcaller("__abs__"),
    },
    sum,
)


def leaf(value: float) -> Combination:
    """A variable of that value whose typical size is the power of two below it."""
    size = 2.0 ** math.floor(math.log2(abs(value)))
    return Combination(ARITHMETIC, [(size, value / size)])


def value_of(combination: Any) -> float:
    size, atom = combination.normal()
    return float(size * atom)


POSITIVE = st.floats(1e-12, 1e12)


@given(POSITIVE, POSITIVE, st.floats(-1e6, 1e6), st.sampled_from([-1.5, -1.0, 0.5, 2.0, 3.0]))
def test_operators_keep_the_value(a: float, b: float, c: float, p: float) -> None:
    x, y = leaf(a), leaf(b)
    pairs = [
        (x + y, a + b),
        (c + x, c + a),
        (-y, -b),
        (x * y, a * b),
        (x * c, a * c),
        (x / y, a / b),
        (c / y, c / b),
        (x**p, a**p),
        ((x + y) * (x + 2.0 * y), (a + b) * (a + 2 * b)),
        (abs(x * -3.0), 3.0 * a),
        ((x + y).apply("ln"), math.log(a + b)),
        ((x * y).apply("sqrt"), math.sqrt(a) * math.sqrt(b)),
    ]
    for found, expected in pairs:
        assert value_of(found) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_a_difference_keeps_its_sign() -> None:
    assert value_of(leaf(3.0) - leaf(5.0)) == -2.0
    assert value_of(2.0 - leaf(5.0)) == -3.0


@given(st.floats(0.5, 3.0), st.floats(-2.0, 2.0))
def test_powers_with_a_variable_exponent(a: float, b: float) -> None:
    power = Combination(ARITHMETIC, [(1.0, b)])
    assert value_of(leaf(a) ** power) == pytest.approx(a**b)
    assert value_of(2.0**power) == pytest.approx(2.0**b)


def test_exponent_of_a_large_constant_does_not_overflow() -> None:
    x = leaf(1000.0)
    assert value_of((x - 1000.5).apply("exp")) == pytest.approx(math.exp(-0.5))
    assert value_of((x - 990.0).apply("exp")) == pytest.approx(math.exp(10.0))


def test_inner_parts_have_a_size_of_about_one() -> None:
    power, other = leaf(0.1), leaf(0.05)
    seen.clear()
    ratio = (power * 1e-9) / (1e-13 + other * 3e-10)
    rate = ((1.0 + ratio) * 1e6).apply("ln")
    assert value_of(rate) == pytest.approx(math.log((1 + 1e-10 / (1e-13 + 1.5e-11)) * 1e6))
    assert all(0.1 < argument < 10.0 for argument in seen)
    size, atom = (1e-13 + other * 3e-10).normal()
    assert 1e-12 < size < 1e-10
    assert 0.1 < atom < 10.0


def test_normalised_multiples_are_powers_of_two() -> None:
    factor, expression = normalised(leaf(0.3) * 1e-9)
    assert math.frexp(factor)[0] == 0.5
    assert 0.5 < expression < 2.0
    assert expression / factor == pytest.approx(3e-10)


def test_what_varies() -> None:
    assert varies(leaf(2.0))
    assert not varies(3.0)
    assert not varies(leaf(2.0) * 0.0)
    assert not varies(leaf(2.0) ** 0.0)


def test_numbers_that_are_not_finite_are_refused_by_name() -> None:
    place = Span(Source("m", "x"), 1, 1, 1, 2)
    require_finite(leaf(1.0) + 2.0, "row", place)
    with pytest.raises(ModelError, match=r"E311.*`row\[2\]`"):
        require_finite(leaf(1.0) / 0.0, "row[2]", place)


MODEL = """
model m
var x : 1 in 1..8
var n : integer in 0..4096
var z : 1
minimize c = max(x, n/1000, z) + min(x, z) + max(k*x for k in 1..3) + prod(x + k for k in 1..2)
form still: fix z = 5
"""


def value_in(instance: Instance, point: dict[str, float]) -> float:
    """The objective through combinations of numbers."""
    scaling = scale(instance)
    x = np.array([point[instance.column_name(column)] for column in range(instance.columns)])
    variables = (x / scaling.column).tolist()
    algebra = Combinations(leaves(instance, scaling, variables, ARITHMETIC), ARITHMETIC)
    found = instance.evaluator(algebra).family(instance.model.objective.value, _single())[0]
    return value_of(found) if isinstance(found, Combination) else float(found)


def _single() -> Any:
    from mecdsl.instances.tables import SINGLE

    return SINGLE


@pytest.mark.parametrize("form", ["", "still"])
def test_families_through_the_algebra(form: str) -> None:
    instance = instantiate(check(parse(MODEL), form=form), {})
    # max(2, 3, 5) + min(2, 5) + 3*2 + (2 + 1)*(2 + 2)
    assert value_in(instance, {"x": 2.0, "n": 3000.0, "z": 5.0}) == pytest.approx(5 + 2 + 6 + 12)


def test_an_integer_column_keeps_its_unit() -> None:
    instance = instantiate(check(parse(MODEL)), {})
    scaling = scale(instance)
    place = instance.variable("n").first
    assert scaling.column[place] == 1.0
    assert scaling.size[place] > 1.0
    found = leaves(instance, scaling, [1.0, 1.0, 1.0], ARITHMETIC)[place]
    assert found.terms == [(scaling.size[place], 1.0 / scaling.size[place])]
