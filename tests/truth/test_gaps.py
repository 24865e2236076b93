"""What is a gap: relative to the objective itself, never to what was added to it or cancels in
it.
"""

import numpy as np
import pytest

import mecdsl
from mecdsl.results.verify import verify
from mecdsl.shown import Result, shown
from mecdsl.solution import Guarantee, Solution, Termination


def claimed(text: str, x: list[float], bound: float, gap: float = 1e-6) -> Result:
    """A claim of global optimality, judged."""
    instance = mecdsl.loads(text).instance()
    values = np.array(x)
    claim = Solution(
        backend="test",
        termination=Termination.OPTIMAL,
        guarantee=Guarantee.GLOBAL,
        values=values,
        objective=instance.objective(values),
        bound=bound,
    )
    return shown(verify(instance, claim, gap), Result)


@pytest.mark.parametrize("fixed", [0.0, 1e3, 1e9, -1e12])
def test_a_fixed_cost_hides_no_gap(fixed: float) -> None:
    # the least of x >= 2 is 2; x = 222 is 110 times that, whatever is added
    text = f"param fixed : 1 = {fixed}\nvar x : 1 >= 2\nminimize cost = fixed + x\n"
    best, poor = claimed(text, [2.0], fixed + 2.0), claimed(text, [222.0], fixed + 2.0)
    assert best.guarantee is Guarantee.GLOBAL
    assert poor.guarantee is Guarantee.FEASIBLE
    assert poor.gap == pytest.approx(220 / 222, rel=1e-4)


def test_an_offset_inside_a_sum_over_an_index_counts_too() -> None:
    # sum over 3 of (x[k] + 1e6): offset 3e6
    text = "var x[k in 1..3] : 1 >= 1\nminimize c = sum(x[k] + 1e6 for k in 1..3)\n"
    poor = claimed(text, [1.0, 1.0, 4.0], 3e6 + 3)
    assert poor.gap == pytest.approx(3 / 6)
    assert poor.as_dict()["gap_with_offset"] == pytest.approx(3 / (3e6 + 6))
    assert "with the constant" in str(poor)


def test_what_a_constant_is_subtracted_from_is_no_size_either() -> None:
    # 1 - p: a loss of 1e-3 where 1e-6 can be had is a thousand times worse, not 0.1 % of 1
    text = "var p : 1 in 0..0.999999\nminimize loss = 1 - p\n"
    assert claimed(text, [0.999], 1e-6).guarantee is Guarantee.FEASIBLE
    assert claimed(text, [0.999], 1e-6).gap == pytest.approx(0.999, rel=1e-3)


@pytest.mark.parametrize("dear", [1e6, 1e9, 1e12])
def test_a_penalty_that_is_not_paid_is_no_size(dear: float) -> None:
    # x + 1/x is 2 at x = 1; a bound of 1.237 leaves 38 % of 2.0119 open
    text = (
        "var x : real in 0.01..100\nvar late : s in 0 s..1000 s\nminimize cost = x + 1/x "
        f"+ {dear} 1/s*late\n"
    )
    x = 1.1152
    poor = claimed(text, [x, 0.0], 1.237)
    assert poor.guarantee is Guarantee.FEASIBLE
    assert poor.gap == pytest.approx(1 - 1.237 / (x + 1 / x))


def test_terms_that_cancel_are_no_size() -> None:
    # income and cost of 1e6 each: a profit of 1 where 2 is proven possible is half of it
    text = "var a : 1 in 0..1e6\nvar b : 1 in 0..1e6\nmaximize profit = a - b\n"
    assert claimed(text, [1e6, 1e6 - 1], 2.0).gap == pytest.approx(0.5)


@pytest.mark.parametrize(("asked", "word"), [(0.05, "optimal to 4.6 %"), (1e-6, "feasible only")])
def test_an_optimum_to_five_per_cent_is_called_that(asked: float, word: str) -> None:
    text = "var x : 1 >= 0\nminimize cost = x\n"
    found = claimed(text, [1.0], 0.954, asked)
    assert found.worth == word
    assert word in str(found)
    assert "globally optimal" not in str(found)
    assert found.as_dict()["guarantee"] == word


def test_an_optimum_of_zero_is_one() -> None:
    text = "var x : 1 >= 0\nvar y : 1 in 0..5\nminimize cost = x + y\nstart x = 1\n"
    assert claimed(text, [0.0, 0.0], 0.0).guarantee is Guarantee.GLOBAL
    assert claimed(text, [1e-10, 0.0], -1e-10).guarantee is Guarantee.GLOBAL
    assert claimed(text, [1e-3, 0.0], 0.0).guarantee is Guarantee.FEASIBLE


def test_as_many_digits_are_printed_as_tell_objective_and_bound_apart() -> None:
    text = "param fixed : 1 = 1e9\nvar x : 1 >= 2\nminimize cost = fixed + x\n"
    shown = str(claimed(text, [222.0], 1e9 + 2))
    assert "cost = 1.0000002e9 " in shown
    assert "1e9, gap" in shown


CUSP = """
var x : real in 0..9
var y : real in 0..9
minimize value = (x - 2)^2 + y^2
constraint cusp: (1 - x)^3 >= y
"""


def test_a_proof_of_rows_with_their_tolerances_is_none_where_these_are_worth_much() -> None:
    # (1 - x)^3 >= y >= 0 gives x <= 1: the optimum is 1. x = 1.001 misses the row by 1e-9, and is
    # worth 0.998001
    past = claimed(CUSP, [1.001, 0.0], 0.998001)
    assert (past.verified, past.guarantee) == (True, Guarantee.FEASIBLE)
    assert "worth" in str(past)
    assert claimed(CUSP, [1.0, 0.0], 1.0).guarantee is Guarantee.GLOBAL


def test_a_row_that_is_missed_where_it_is_worth_nothing_takes_no_proof_away() -> None:
    # the same row and miss, and an objective that has its optimum where it is: 0 at y = 0 for x >=
    # 1
    text = CUSP.replace("(x - 2)^2 + y^2", "1 + y")
    assert claimed(text, [1.001, 0.0], 1.0).guarantee is Guarantee.GLOBAL
