"""Gurobi and Xpress themselves; skipped where they are not installed."""

import math
import re

import numpy as np
import pytest

import mecdsl
from mecdsl.backend import Request
from mecdsl.backends import table
from mecdsl.backends.shared.licensed import Licensed
from mecdsl.backends.shared.tree_lowering import tree_program
from mecdsl.diagnostics import ModelError
from mecdsl.solution import Guarantee, SolveOptions, Termination

THERE = {name: table.load(name).availability() for name in ("gurobi", "xpress")}
SOLVERS = [
    pytest.param(name, marks=pytest.mark.skipif(not found.available, reason=found.reason))
    for name, found in THERE.items()
]
pytestmark = pytest.mark.parametrize("name", SOLVERS)

NODES = {"gurobi": "NodeLimit", "xpress": "maxnode"}
# x*y is at most 6.25 at (2.5, 2.5); over whole numbers 6 at (2, 3) and (3, 2)
BOX = "var x : integer in 0..9\nvar y : integer in 0..9\nmaximize area = x*y\nconstraint c: x + y <= 5"


def solver(name: str) -> Licensed:
    found = table.load(name)
    assert isinstance(found, Licensed)
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (BOX, 6.0),
        # stationary where 1/x = 1/2
        ("var x : 1 in 0.1..9\nmaximize gain = ln(x) - x/2", math.log(2.0) - 1.0),
        ("var x : 1 in 0..7\nminimize low = sin(x)", -1.0),
        ("var x : 1 in 0..7\nminimize low = cos(x)*exp(0*x)", -1.0),
        # x^3 - 3x falls until x = 1
        ("var x : 1 in 0..4\nminimize low = x^3 - 3*x", -2.0),
        # 1/x + x is least at 1, sqrt(x) + 1/x where x^(3/2) = 2
        ("var x : 1 in 0.01..9\nminimize low = 1/x + x", 2.0),
        ("var x : 1 in 0.1..9\nminimize low = sqrt(x) + 1/x", 2 ** (1 / 3) + 2 ** (-2 / 3)),
        # at the ends 2*e^-2 and 2*e^2
        ("var x : 1 in -2..2\nmaximize high = abs(x)*exp(x)", 2.0 * math.exp(2.0)),
        ("var x : integer in -5..5\nminimize low = abs(x - 0.3)*exp(x/100)", 0.3),
        # 0.25^1.5
        ("var x : 1 in 0.25..9\nminimize low = x^1.5", 0.125),
        ("var x : 1 in 0.5..9\nmaximize high = x^(-2)", 4.0),
        ("var x : 1 in 0..9\nvar y : 1 in 1..9\nminimize low = quad_over_lin(x - 3, y) + y", 1.0),
    ],
)
def test_the_optimum_is_found_and_proven(name: str, text: str, expected: float) -> None:
    result = mecdsl.loads(text).solve(name)
    assert result.guarantee is Guarantee.GLOBAL
    assert result.objective == pytest.approx(expected, rel=1e-6)
    assert {name, "licence"} <= set(result.solution.versions)


def test_contradicting_rows_are_infeasible(name: str) -> None:
    text = "var x : 1 in 1..3\nvar y : 1 in 1..3\nminimize c = x\nconstraint a: x*y >= 8\nconstraint b: x + y <= 5"
    # x*y <= 6.25 where x + y <= 5
    solution = solver(name).solve(Request(mecdsl.loads(text).instance(), SolveOptions()))
    assert solution.termination is Termination.INFEASIBLE


def test_a_claim_at_a_pole_is_not_believed(name: str) -> None:
    # 1/y is as large as one likes; whatever the solver says of it, no bound is passed on
    text = "var y : 1 in 0..4\nmaximize high = 1/y"
    solution = solver(name).solve(
        Request(mecdsl.loads(text).instance(), SolveOptions(time_limit=5))
    )
    assert solution.bound is None
    assert solution.guarantee in (Guarantee.NONE, Guarantee.FEASIBLE)


def test_no_bound_is_claimed_of_an_objective_without_end(name: str) -> None:
    text = "var x : 1 >= 1\nmaximize value = ln(x)"
    solution = solver(name).solve(
        Request(mecdsl.loads(text).instance(), SolveOptions(time_limit=60))
    )
    assert solution.termination is Termination.INFEASIBLE_OR_UNBOUNDED
    assert solution.bound is None


def test_options_of_the_solver_are_taken_by_their_names(name: str) -> None:
    result = mecdsl.loads(BOX).solve(name, raw={NODES[name]: 1000, "threads": 1})
    assert result.objective == pytest.approx(6.0)


@pytest.mark.parametrize(
    ("given", "value", "words"),
    [
        ("no_such_name_at_all", 1, "has no option `no_such_name_at_all`"),
        ("threads", "many", "`many`"),
    ],
)
def test_wrong_options_are_errors(name: str, given: str, value: str | int, words: str) -> None:
    with pytest.raises(ModelError, match=re.escape(words)) as raised:
        mecdsl.loads(BOX).solve(name, raw={given: value})
    assert raised.value.diagnostics[0].code == "E505"


def test_a_solve_that_should_stop_ends_as_interrupted_or_done(name: str) -> None:
    model = mecdsl.load("models/examples/sinr.mec", pair_count=12, most_on=7)
    request = Request(model.instance(), SolveOptions(time_limit=600), should_stop=lambda: True)
    assert solver(name).solve(request).termination is Termination.INTERRUPTED


def test_a_time_limit_ends_it_with_a_valid_bound(name: str) -> None:
    model = mecdsl.load("models/examples/sinr.mec", pair_count=12, most_on=7)
    solution = solver(name).solve(Request(model.instance(), SolveOptions(time_limit=1.0)))
    assert solution.termination is Termination.TIME_LIMIT
    if solution.bound is not None and solution.objective is not None:
        assert solution.bound >= solution.objective * (1 - 1e-6)


def test_a_start_is_taken(name: str) -> None:
    model = mecdsl.load("models/examples/sinr.mec", pair_count=3, most_on=2)
    first = model.solve(name)
    again = model.solve(name, start=first)
    assert again.objective == pytest.approx(first.objective, rel=1e-6)


def test_a_problem_of_the_largest_size_is_solved(name: str) -> None:
    if THERE[name].versions["licence"] == "full":
        pytest.skip("the licence has no limit")
    chosen = solver(name)
    text = "set item = 1..{}\nvar x[k in item] : 1 in 0..2\nmaximize gain = sum(ln(1 + x[k]) for k in item)"
    largest = next(
        many
        for many in range(200, 0, -1)
        if chosen.accepts(
            Request(mecdsl.loads(text.format(many)).instance(), SolveOptions())
        ).accepted
    )
    result = mecdsl.loads(text.format(largest)).solve(name)
    assert result.objective == pytest.approx(largest * math.log(3.0), rel=1e-6)
    size = tree_program(mecdsl.loads(text.format(largest)).instance(), chosen.own_absolutes).size
    assert size.columns == largest
    assert np.isfinite(result.bound or math.nan)
