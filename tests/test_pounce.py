"""POUNCE: the same problems as Ipopt, with the same answers; where its library differs it is mended.

Every conformance case runs on it too (`tests/test_conformance.py`).
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import mecdsl
from mecdsl.backend import Request
from mecdsl.backends import table
from mecdsl.backends.pounce.backend import Pounce
from mecdsl.backends.pounce.library import LOG
from mecdsl.backends.shared.guarded import run_guarded
from mecdsl.diagnostics import ModelError
from mecdsl.solution import Guarantee, SolveOptions, Termination
from tests.waiting import PATIENCE

ROOT = Path(__file__).resolve().parent.parent
FOG = ROOT / "models" / "fog.mec"

# x + 4/x is least at 2, with the value 4; with x <= 1 it is 5, and a larger limit gains 3
VALLEY = "var x : 1 in 0.1..9\nminimize f = x + 4/x"
HELD = VALLEY + "\nconstraint c: x <= 1"


@pytest.mark.parametrize("via", ["arrays", "pyomo"])
def test_a_convex_optimum_is_global(via: str) -> None:
    result = mecdsl.loads(VALLEY).solve("pounce", via=via)
    assert result.guarantee is Guarantee.GLOBAL
    assert result.backend == "pounce"
    assert result.objective == pytest.approx(4.0)
    assert result.solution.message.startswith("POUNCE: ")


def test_multipliers_have_the_sign_of_all_backends() -> None:
    result = mecdsl.loads(HELD).solve("pounce")
    assert result.objective == pytest.approx(5.0)
    assert result.multiplier("c") == pytest.approx(-3.0, rel=1e-5)


@pytest.mark.slow
def test_fog_is_solved_as_by_the_algorithm_derived_for_it() -> None:
    model = mecdsl.load(FOG, node_count=4)
    result, derived = model.solve("pounce"), model.solve("fog-newton")
    assert result.guarantee is Guarantee.GLOBAL
    assert result.objective == pytest.approx(derived.objective, rel=1e-6)


def test_it_has_all_that_ipopt_has_but_a_place_in_auto() -> None:
    can, ipopt = table.load("pounce").capabilities, table.load("ipopt").capabilities
    assert can.classes == ipopt.classes
    assert can.starts
    assert can.warm_start
    assert not can.preferences


@pytest.mark.slow
def test_many_starts_in_forks_after_a_solve_here() -> None:
    # (x^2 - 4)^2 + x: the lower of the two minima is the one near -2
    model = mecdsl.loads("var x : 1 in -3..3\nstart x = 2\nminimize f = (x^2 - 4)^2 + x")
    here = model.solve("pounce")
    many = model.solve("pounce", starts=6)
    assert here.objective is not None
    assert many.objective is not None
    assert many.objective < 0.0 < here.objective
    again = run_guarded(lambda _: model.solve("pounce").objective, lambda: False, PATIENCE)
    assert again.answer == here.objective


def test_a_point_without_derivatives_is_turned_away_from() -> None:
    # sqrt has no slope at 0, where the start is, and at the optimum: 0 of sqrt(x) + (x - 4)^2/100
    # is no minimum inside, and the value there 0.16
    text = "var x : 1 in 0..9\nstart x = 0\nminimize f = sqrt(x) + (x - 4)^2/100"
    result = mecdsl.loads(text).solve("pounce")
    assert result.verified
    assert result.objective == pytest.approx(0.16, abs=1e-3)


@pytest.mark.parametrize("value", [5, 5.0])
def test_an_option_is_taken_in_either_kind_of_number(value: float) -> None:
    result = mecdsl.loads(VALLEY).solve("pounce", raw={"max_iter": value, "tol": 1})
    assert result.verified


@pytest.mark.parametrize(("name", "value"), [("pace", 1), ("max_iter", "many"), ("tol", "small")])
def test_an_option_it_has_not_is_refused(name: str, value: str | int) -> None:
    with pytest.raises(ModelError, match=f"POUNCE has no option `{name}` that takes `{value}`"):
        mecdsl.loads(VALLEY).solve("pounce", raw={name: value})


@pytest.mark.slow
def test_a_limit_and_a_stop_keep_the_best_so_far() -> None:
    model = mecdsl.load(FOG, node_count=3)
    found = model.solve("pounce", raw={"max_iter": 2})
    assert found.termination is Termination.ITERATION_LIMIT
    looks = iter(range(3))
    request = Request(
        mecdsl.loads(VALLEY).instance(),
        SolveOptions(),
        should_stop=lambda: next(looks, None) is None,
    )
    stopped = Pounce().solve(request)
    assert stopped.termination is Termination.INTERRUPTED
    assert stopped.values is not None
    assert 0.1 <= stopped.values[0] <= 9.0


def test_where_it_is_absent_the_way_to_get_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> Any:
        raise ImportError(f"No module named '{name}'")

    monkeypatch.setattr("mecdsl.backends.pounce.library.import_module", absent)
    with pytest.raises(ModelError) as caught:
        mecdsl.loads(VALLEY).solve("pounce")
    assert caught.value.diagnostics[0].code == "E503"
    assert "`pip install mecdsl[pounce]`" in str(caught.value)


@pytest.mark.slow
def test_nothing_but_the_answer_is_printed() -> None:
    # a square that is flat in one direction: POUNCE tells its log about it
    program = (
        "import mecdsl; print(mecdsl.loads('var x : 1 in 0..10\\nvar y : 1 in 0..10\\n"
        "minimize value = (x + y - 2)^2 + 0.5*x').solve('pounce').verified)"
    )
    environment = {name: value for name, value in os.environ.items() if name != LOG}
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        env=environment,
    )
    assert (done.stdout, done.stderr) == ("True\n", "")
