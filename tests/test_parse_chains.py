"""Long chains of one operator family: any length, the value of reading them from left to right."""

import operator
from collections.abc import Callable
from fractions import Fraction
from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mecdsl.compiling.check import check
from mecdsl.convexity.problem import analyse
from mecdsl.instances.instance import Instance
from mecdsl.instances.instantiate import instantiate
from mecdsl.parsing import syntax
from mecdsl.parsing.chains import LONGEST
from mecdsl.parsing.parse import parse

Exact = Callable[[Fraction, Fraction], Fraction]
SUMS: dict[str, Exact] = {"+": operator.add, "-": operator.sub}
PRODUCTS: dict[str, Exact] = {"*": operator.mul, "/": operator.truediv}


def instance_of(text: str) -> Instance:
    return instantiate(check(parse(text)), {})


def value_of(expression: str) -> float:
    text = (
        f"param two : 1 = 2\nlet y : 1 = {expression}\nvar x : 1 >= 0\nminimize cost = "
        "x\nconstraint c: x >= y\n"
    )
    return float(instance_of(text).world.values["y"][0])


def from_left(
    first: Fraction, rest: list[tuple[str, Fraction]], operators: dict[str, Exact]
) -> Fraction:
    return reduce(lambda value, step: operators[step[0]](value, step[1]), rest, first)


# More than LONGEST operators, so that the chain is balanced; numbers with exact binary sums and
# products.
def chains(
    operators: dict[str, Exact], numbers: list[int]
) -> st.SearchStrategy[list[tuple[str, int]]]:
    steps = st.tuples(st.sampled_from(sorted(operators)), st.sampled_from(numbers))
    return st.lists(steps, min_size=LONGEST + 1, max_size=3 * LONGEST)


@given(chains(SUMS, list(range(100))))
@pytest.mark.slow
def test_a_long_sum_has_the_value_of_reading_it_from_the_left(steps: list[tuple[str, int]]) -> None:
    expected = from_left(Fraction(7), [(sign, Fraction(number)) for sign, number in steps], SUMS)
    assert value_of("7" + "".join(f" {sign} {number}" for sign, number in steps)) == expected


@pytest.mark.slow
@given(chains(PRODUCTS, [1, 2, 4]))
def test_a_long_product_has_the_value_of_reading_it_from_the_left(
    steps: list[tuple[str, int]],
) -> None:
    expected = from_left(
        Fraction(8), [(sign, Fraction(number)) for sign, number in steps], PRODUCTS
    )
    assert value_of("8" + "".join(f" {sign} {number}" for sign, number in steps)) == expected


def test_products_inside_a_long_sum_bind_tighter() -> None:
    # 0*2 + 1*2 + ... + 199*2 - (0 + ... + 199) = 199*200/2
    terms = " + ".join(f"{i}*two - {i}" for i in range(200))
    assert value_of(terms) == 199 * 200 / 2


@pytest.mark.parametrize(("word", "expected"), [("and", 1.0), ("or", 2.0)])
def test_long_conditions(word: str, expected: float) -> None:
    # two > -i for every i but the last test, two < 0
    tests = [f"two > {-i}" for i in range(300)] + ["two < 0"]
    assert value_of(f"if {f' {word} '.join(tests)} then 2 else 1") == expected


def test_a_sum_of_a_thousand_variables_is_linear() -> None:
    names = [f"a{i}" for i in range(1000)]
    declared = "".join(f"var {name} : 1 in 0..1\n" for name in names)
    instance = instance_of(declared + f"minimize cost = {' + '.join(names)}\n")
    assert analyse(instance).problem_class.value == "LP"
    assert instance.columns == 1000


def test_the_parts_of_a_long_chain_keep_their_places() -> None:
    terms = [f"a{i}" for i in range(100)]
    document = parse("minimize cost = " + " + ".join(terms) + "\n")
    objective = next(s for s in document.statements if isinstance(s, syntax.Objective))
    assert objective.value.span.text == " + ".join(terms)
    assert isinstance(objective.value, syntax.Binary)
    assert objective.value.right.span.text == " + ".join(terms[50:])
    assert objective.value.operator == "+"


def test_short_chains_stay_as_they_are_written() -> None:
    document = parse("minimize cost = a - b - c + d\n")
    objective = next(s for s in document.statements if isinstance(s, syntax.Objective))
    assert isinstance(objective.value, syntax.Binary)
    assert objective.value.left.span.text == "a - b - c"
