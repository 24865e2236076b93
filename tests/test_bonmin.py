"""Bonmin: optima of convex problems with integers, honest labels on the others, limits, options,
output.
"""

import os
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mecdsl
from mecdsl.backend import Request
from mecdsl.backends.bonmin.backend import Bonmin
from mecdsl.compiling.check import check
from mecdsl.convexity.problem import analyse
from mecdsl.diagnostics import ModelError
from mecdsl.instances.instance import Instance
from mecdsl.instances.instantiate import instantiate
from mecdsl.model.classes import ProblemClass
from mecdsl.parsing.parse import parse
from mecdsl.results.verify import verify
from mecdsl.solution import Guarantee, Solution, SolveOptions, Termination
from tests.waiting import interrupted_at, within_some_limit

ROOT = Path(__file__).resolve().parent.parent
WAYS = pytest.mark.parametrize("via", ["arrays", "pyomo"])

SQUARES = """
model squares "The lattice point nearest to (1.3, 2.6, 0.4) beside a plane"
var x[k in 1..3] : integer in 0..5
param aim[k in 1..3] : 1 = [1.3, 2.6, 0.4]
minimize z = sum((x[k] - aim[k])^2 for k in 1..3) + x[1]*x[2]/4
constraint plane: x[1] + 2*x[2] + x[3] <= 5
"""

# A wide search: the relaxation has all variables between two integers
LONG = """
model long
var x[k in 1..40] : integer in 0..10
minimize v = sum((x[k] - 0.5*k/40 - 0.3)^2 for k in 1..40)
constraint s: sum(x[k]*(1 + k/100) for k in 1..40) >= 61.2345
"""

SMALL_SERVERS = """
model servers "Energy of a few servers in joules and cycles"
nodes server[k in 1..2] {
    var on   : binary
    var speed : cycle/s in 0 cycle/s..4e9 cycle/s
}
minimize energy = sum(1e-27 J*s^2/cycle^2/s * k.speed^2 * 1 s + 2 J * k.on for k in server)
constraint work: sum(k.speed for k in server)*1 s >= 6e9 cycle
constraint idle[k in server]: k.speed <= 4e9 cycle/s * k.on
"""


def instance_of(text: str, form: str = "") -> Instance:
    return instantiate(check(parse(text), form=form), {})


def request_of(instance: Instance, **options: Any) -> Request:
    return Request(instance, SolveOptions(**options))


def solve(text: str, form: str = "", **options: Any) -> Solution:
    return Bonmin().solve(request_of(instance_of(text, form), **options))


@WAYS
def test_convex_quadratic_with_integers(via: str) -> None:
    aim = np.array([1.3, 2.6, 0.4])
    points = [np.array(p) for p in product(range(6), repeat=3) if p[0] + 2 * p[1] + p[2] <= 5]
    best = min(float(((p - aim) ** 2).sum() + p[0] * p[1] / 4) for p in points)
    instance = instance_of(SQUARES)
    assert analyse(instance).problem_class is ProblemClass.MIQP
    result = verify(instance, Bonmin().solve(request_of(instance, via=via)))
    assert result.guarantee is Guarantee.GLOBAL
    assert result.objective == pytest.approx(best, rel=1e-9)


@WAYS
def test_numbers_in_si(via: str) -> None:
    # Both servers must run, as 6e9 > 4e9; s^2 is least in sum at equal speeds 3e9: 2 * 1e-27 * 9e18
    # + 2 * 2.
    instance = instance_of(SMALL_SERVERS)
    found = Bonmin().solve(request_of(instance, via=via, gap=1e-10))
    assert found.termination is Termination.OPTIMAL
    assert found.objective == pytest.approx(4.000000018, rel=1e-9)
    result = verify(instance, found)
    assert result.faults == ()
    assert result.values["server.on"].tolist() == [1.0, 1.0]


@WAYS
def test_a_nonconvex_problem_is_labelled(via: str) -> None:
    text = (
        "model m\nvar x : integer in 0..3\nvar y : integer in 0..3\nmaximize z = x*y - "
        "x^2/2\nconstraint c: x + y <= 4"
    )
    found = solve(text, via=via)
    assert found.termination is Termination.FINISHED
    assert found.guarantee is Guarantee.FEASIBLE
    assert found.bound is None
    assert found.label == "a heuristic on a nonconvex problem"


@WAYS
def test_a_nonlinear_problem_says_that_convexity_is_not_proven(via: str) -> None:
    # n exp(-x) + x is least at x = ln n: 1 + ln n + (n - 3)^2; n = 3 is best: slopes to 2 and 4 are
    # below 1
    text = (
        "model m\nvar n : integer in 1..9\nvar x : 1 in 0..5\nminimize z = n*exp(-x) + x "
        "+ (n - 3)^2"
    )
    found = solve(text, via=via)
    assert found.objective == pytest.approx(1 + np.log(3.0), rel=1e-7)
    assert found.guarantee is Guarantee.FEASIBLE
    assert "convex, which is not proven" in found.label


@WAYS
def test_infeasible_is_what_a_local_solver_found(via: str) -> None:
    # 2 x + 2 y is even; x^2 is no 5; a proof is for others (`mecdsl.proofs`)
    convex = solve(
        "model m\nvar x : integer in 0..9\nvar y : integer in 0..9\nminimize z = "
        "x^2\nconstraint c: 2*x + 2*y == 7",
        via=via,
    )
    assert (convex.termination, convex.guarantee) == (
        Termination.LOCALLY_INFEASIBLE,
        Guarantee.LOCALLY_INFEASIBLE,
    )
    other = solve(
        "model m\nvar x : integer in 0..9\nminimize z = x\nconstraint c: x^2 == 5", via=via
    )
    assert other.guarantee is Guarantee.LOCALLY_INFEASIBLE


def test_crossed_bounds_and_false_rows_are_named() -> None:
    crossed = solve("model m\nparam low : 1 = 3\nvar x : integer >= low <= 2\nminimize z = x")
    assert "`x` has no value" in crossed.message
    false = solve(
        "model m\nvar x : 1\nvar y : integer in 0..3\nminimize z = y\nconstraint c: x^2 >= "
        "9\nform f: fix x = 2",
        "f",
    )
    assert (false.termination, false.guarantee) == (Termination.INFEASIBLE, Guarantee.INFEASIBLE)
    assert "`c`" in false.message


@WAYS
def test_maximum_and_bound_in_the_sense_of_the_model(via: str) -> None:
    # 7 n - n^2 is largest at 3.5; both neighbours give 12
    found = solve("model m\nvar n : integer in 0..9\nmaximize z = 7*n - n^2 + 1", via=via)
    assert found.objective == pytest.approx(13.0, rel=1e-9)
    assert found.bound is not None
    assert 13.0 <= found.bound <= 13.0 * (1 + 1e-6)


def test_what_is_accepted() -> None:
    assert Bonmin().accepts(request_of(instance_of(SQUARES))).accepted
    continuous = Bonmin().accepts(
        request_of(instance_of("model m\nvar x : 1 in 0..1\nminimize z = x^2"))
    )
    assert not continuous.accepted
    kinked = Bonmin().accepts(
        request_of(instance_of("model m\nvar x : integer in 0..9\nminimize z = abs(x - 2)"))
    )
    assert "`bonmin` needs smooth functions: `z` holds `abs` of variables" in kinked.reason


@pytest.mark.slow
@WAYS
def test_a_time_limit_hands_over_point_and_bound(via: str) -> None:
    found = within_some_limit(
        lambda limit: solve(LONG, time_limit=limit, via=via),
        lambda found: None not in (found.objective, found.bound),
    )
    assert found.termination is Termination.TIME_LIMIT
    assert found.guarantee is Guarantee.FEASIBLE
    assert found.objective is not None
    assert found.bound is not None
    assert found.bound < found.objective


def test_a_node_limit_is_no_optimum() -> None:
    assert solve(LONG, raw={"node_limit": 3}).termination is Termination.ITERATION_LIMIT


@pytest.mark.parametrize("raw", [{"node_limitz": 5}, {"node_limit": "many"}, {"algorithm": "B-OA"}])
def test_options_that_bonmin_refuses(raw: dict[str, Any]) -> None:
    with pytest.raises(ModelError) as caught:
        solve(SQUARES, raw=raw)
    assert caught.value.diagnostics[0].code == "E505"
    assert (
        next(iter(raw.values())) == "B-OA" or next(iter(raw)) in caught.value.diagnostics[0].message
    )


def test_a_number_that_is_not_finite_is_named() -> None:
    with pytest.raises(ModelError, match="E311"):
        solve(
            "model m\nparam a : 1 >= 0 = 0\nvar x : integer in 1..2\nminimize z = "
            "x\nconstraint c: exp(x)/a <= 5"
        )


def test_a_start_is_taken() -> None:
    # the start of the search decides which side of the hill at 5 a local solver goes down
    text = (
        "model m\nvar n : integer in 0..10\nvar x : 1 in 0..10\nminimize z = 0 - (x - "
        "5)^2 + 0.01*n + 0.1*x"
    )
    low, high = (solve(text, start=np.array([0.0, x])) for x in (1.0, 9.0))
    assert low.values is not None
    assert high.values is not None
    assert low.values[1] == pytest.approx(0.0, abs=1e-6)
    assert high.values[1] == pytest.approx(10.0, abs=1e-6)


@WAYS
def test_nothing_is_printed_unless_asked(via: str, capfd: pytest.CaptureFixture[str]) -> None:
    solve(SQUARES, via=via)
    assert capfd.readouterr() == ("", "")
    solve(SQUARES, via=via, log=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "Cbc" in err


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_interrupt_signal_ends_the_search() -> None:
    program = """
    from dataclasses import replace
    from mecdsl.backend import interruptible
    from mecdsl.backends.bonmin.backend import Bonmin
    from tests.test_bonmin import LONG, instance_of, request_of
    asked = request_of(instance_of(LONG), log=True)
    with interruptible() as should_stop:
        found = Bonmin().solve(replace(asked, should_stop=should_stop))
    print(found.termination.value, found.objective is not None)
    """
    assert interrupted_at(r"After [1-9]\d* nodes.* best solution", program) == "interrupted True\n"


def test_several_squares_of_one_unknown() -> None:
    # x^2 <= 6 and 2 x^2 <= 9 leave |x| <= 2
    text = "model m\nvar x : integer >= -5 <= 5\nmaximize z = x\n"
    text += "constraint one: x^2 <= 6\nconstraint two: 2*x^2 <= 9\n"
    result = mecdsl.loads(text).solve("bonmin")
    assert result.verified
    assert result.objective == pytest.approx(2.0)
