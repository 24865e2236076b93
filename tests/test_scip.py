"""SCIP: proven optima, bounds, limits, options and Ctrl-C, on both ways to it."""

import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from mecdsl.analysis.coefficients import objective_coefficients
from mecdsl.api import load
from mecdsl.backend import Request
from mecdsl.backends.ipopt.backend import Ipopt
from mecdsl.backends.mel.integer import integer
from mecdsl.backends.mel.system import Learners, root
from mecdsl.backends.scip import backend as scip
from mecdsl.backends.scip.backend import Scip
from mecdsl.backends.scip.squares import squares
from mecdsl.backends.shared.guarded import run_guarded
from mecdsl.compiling.check import check
from mecdsl.data_files.read import given_in_memory
from mecdsl.diagnostics import ModelError
from mecdsl.instances.instance import Instance
from mecdsl.instances.instantiate import instantiate
from mecdsl.parsing.parse import parse, parse_file
from mecdsl.results.verify import verify
from mecdsl.solution import Guarantee, Solution, SolveOptions, Termination
from tests.waiting import PATIENCE, interrupted_at, once_logged, within_some_limit

ROOT = Path(__file__).resolve().parent.parent
MEL = ROOT / "models" / "mel.mec"
WAYS = pytest.mark.parametrize("via", ["arrays", "pyomo"])

# Products of binaries with weights of both signs: too hard to finish here, easy to find some point
# of.
HARD = """
model hard
set item = 1..40
param number[i in item, j in item] : 1 = i*i*7 + j*j*13 + i*j*5
param weight[i in item, j in item] : 1 = number[i, j] - 101*floor(number[i, j]/101) - 50
var x[i in item] : binary
minimize value = sum(weight[i, j]*x[i]*x[j] for i in item, j in item where j < i)
"""


# of SCIP's log: a point below the trivial 0 beside a bound
BETTER = r"\|-[0-9.]+e\+\d+ \|-[0-9.]+e[+-]\d+ \|"


def request_of(instance: Instance, **options: Any) -> Request:
    return Request(instance, SolveOptions(**options))


def instance_of(text: str, form: str = "") -> Instance:
    return instantiate(check(parse(text), form=form), {})


def solve(text: str, form: str = "", **options: Any) -> Solution:
    return Scip().solve(request_of(instance_of(text, form), **options))


def optimum(text: str, form: str = "", **options: Any) -> float:
    """The objective of an answer that the verifier calls globally optimal."""
    instance = instance_of(text, form)
    result = verify(instance, Scip().solve(request_of(instance, **options)))
    assert result.faults == ()
    assert result.guarantee is Guarantee.GLOBAL
    assert result.objective is not None
    return result.objective


# Mobile edge learning: the hand-derived algorithms are the second method


def mel(form: str, **data: Any) -> Instance:
    return instantiate(
        check(parse_file(MEL), form=form), given_in_memory(data, ["learner", "radio"])
    )


def learners(instance: Instance) -> Learners:
    compute, transfer, overhead = (
        instance.data(name) for name in ("compute", "transfer", "overhead")
    )
    cycle_time, total = (float(instance.data(name)[0]) for name in ("cycle_time", "total_samples"))
    return Learners(compute, transfer, overhead, cycle_time, total)


@pytest.mark.slow
@WAYS
@pytest.mark.parametrize(("count", "seconds"), [(10, 30.0), (10, 60.0), (20, 30.0), (20, 60.0)])
def test_updates_of_edge_learning(count: int, seconds: float, via: str) -> None:
    for form, algorithm, tolerance in (("", integer, 0.0), ("relaxed", root, 1e-6)):
        instance = mel(form, learner_count=count, cycle_time=seconds)
        result = verify(instance, Scip().solve(request_of(instance, via=via, time_limit=PATIENCE)))
        expected = algorithm(learners(instance)).updates
        assert result.guarantee is Guarantee.GLOBAL
        assert result.objective == pytest.approx(expected, rel=tolerance, abs=0.0)


@pytest.mark.parametrize("seed", range(3))
def test_updates_of_unlike_learners(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cpu, gain = rng.uniform(0.5e9, 3e9, 12), 10.0 ** -rng.uniform(4, 10, 12)
    data: Mapping[str, Any] = {
        "learner_count": 12,
        "cycle_time": 20.0,
        "total_samples": 500,
        "learner.cpu": cpu.tolist(),
        "radio.gain": gain.tolist(),
    }
    for form, algorithm, tolerance in (("", integer, 0.0), ("relaxed", root, 1e-6)):
        instance = mel(form, **data)
        result = verify(instance, Scip().solve(request_of(instance, time_limit=PATIENCE)))
        assert result.guarantee is Guarantee.GLOBAL
        assert result.objective == pytest.approx(
            algorithm(learners(instance)).updates, rel=tolerance, abs=0.0
        )


@pytest.mark.parametrize("lateness", [1e-6, 1e-8, 3e-9])
@pytest.mark.parametrize("updates", [7, 1000])
def test_one_update_too_many_is_not_accepted(lateness: float, updates: int) -> None:
    # Three learners, 300 samples, 1 s each and nothing to send: n updates of 100 samples take 100 n
    # s, so with a cycle of 100 n (1 - lateness) s only n - 1 fit.
    instance = mel(
        "",
        learner_count=3,
        total_samples=300,
        cycle_time=100.0 * updates * (1.0 - lateness),
        data_precision=0,
        model_precision=0,
        learner={"cpu": [1e9] * 3, "work": [1e9] * 3},
    )
    assert Scip().solve(request_of(instance)).objective == updates - 1


# Numbers of very different size

RADIO = """
model radio
param noise : W = 1e-13 W
nodes user[k in 1..2] {
    load     : bit = if k == 1 then 1e5 bit else 3e5 bit
    gain     : 1 = if k == 1 then 1e-9 else 3e-10
    var power : W in 0.01 W..0.2 W
    var pace : s/bit >= 0
    var rate : bit/s >= 0
}
minimize cost = sum(k.load*k.pace for k in user) + 1 s/J * sum(k.load*k.power*k.pace for k in user)
constraint rates[k in user]: k.rate <=
    1e6 Hz * log2(1 + k.power*k.gain/(noise + sum(j.power*j.gain for j in user where j > k))) * 1 bit
constraint paces[k in user]: k.pace*k.rate >= 1
"""


def radio_cost(first: float, second: float) -> float:
    """The cost of RADIO at two powers; the second user disturbs the first."""
    rates = 1e6 * np.log2([1 + first * 1e-9 / (1e-13 + second * 3e-10), 1 + second * 3e-10 / 1e-13])
    return float(1e5 * (1 + first) / rates[0] + 3e5 * (1 + second) / rates[1])


@WAYS
@pytest.mark.slow
def test_noise_far_below_every_tolerance(via: str) -> None:
    # For each second power the best first one, by search in one variable; both are unimodal.
    def best(second: float) -> float:
        found = minimize_scalar(
            lambda p: radio_cost(p, second), bounds=(0.01, 0.2), method="bounded"
        )
        return float(found.fun)

    expected = min(best(second) for second in np.linspace(0.01, 0.2, 2001))
    found = optimum(RADIO, via=via)
    assert found == pytest.approx(expected, rel=1e-5)
    assert found <= expected * (1 + 1e-6)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork to crash in")
@pytest.mark.slow
def test_more_solves_in_one_process_than_scip_has_numbers_for_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # SCIP crashed at the 64th solve that differentiates functions in a new thread
    def solves(_: Callable[[], bool]) -> int:
        monkeypatch.delattr(os, "fork")
        asked = request_of(
            instance_of("model m\nvar x : 1 in 1..3\nvar y : 1 in 0..2\nmaximize z = x^y*ln(x + y)")
        )
        return sum(Scip().solve(asked).termination is Termination.OPTIMAL for _ in range(70))

    found = run_guarded(solves, lambda: False, 120.0)
    assert (found.answer, found.ending) == (70, "")


def test_a_crash_is_an_error_with_its_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scip, "_run", lambda *_: os.kill(os.getpid(), signal.SIGKILL))
    found = solve(HARD)
    assert (found.termination, found.guarantee) == (Termination.ERROR, Guarantee.NONE)
    assert found.message == "SCIP ended without an answer (signal 9, SIGKILL)"


@pytest.mark.slow
@WAYS
def test_the_log_comes_while_it_runs(via: str) -> None:
    program = f"""
    from tests.test_scip import HARD, solve
    solve(HARD, via={via!r}, log=True)
    """
    command = [sys.executable, "-c", textwrap.dedent(program)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        lines = iter(running.stderr.readline, "")
        assert any("dualbound" in line for line in lines)  # the head of the table of nodes
        assert running.poll() is None
        running.kill()


@pytest.mark.slow
@pytest.mark.parametrize(("devices", "seed"), [(4, 2), (8, 1)])
def test_small_values_in_quotients_do_not_make_an_optimum(devices: int, seed: int) -> None:
    # The relaxation of cooperative computing is convex, so Ipopt's local optimum is global. SCIP's
    # own points had an infinite objective (4 devices) or missed it by 2e-4 (8): most of its places
    # are almost 0, and divided by shares.
    instance = load(ROOT / "models" / "cooperative.mec", seed=seed, device_count=devices).instance(
        "relaxed"
    )
    result = verify(instance, Scip().solve(request_of(instance, time_limit=PATIENCE)))
    other = verify(instance, Ipopt().solve(request_of(instance, time_limit=PATIENCE)))
    assert result.faults == ()
    assert result.objective == pytest.approx(other.objective, rel=1e-5)
    assert result.bound is not None
    assert other.objective is not None
    assert result.bound <= other.objective
    assert "were put on it" in result.solution.message


# Kinds of problems


def test_variable_base_and_exponent() -> None:
    assert optimum(
        "model m\nvar x : 1 in 1..3\nvar y : 1 in 0..2\nmaximize z = x^y"
    ) == pytest.approx(9.0)


def test_variable_exponent_alone() -> None:
    # 2^x - x has the slope 2^x ln 2 - 1, which vanishes at x = -log2(ln 2)
    x = -np.log2(np.log(2.0))
    assert optimum("model m\nvar x : 1 in -2..2\nminimize z = 2^x - x") == pytest.approx(2.0**x - x)


def test_minimum_maximum_and_absolute_value() -> None:
    # max(x, 2 - x) >= 1 with equality at x = 1 only; |y + 2| >= 2 for y >= 0; min(y, 3) <= 3 is
    # least at y = 0
    text = (
        "model m\nvar x : 1 in 0..5\nvar y : 1 in 0..5\nminimize z = max(x, 2 - x) + "
        "abs(y + 2) + min(y, 3)"
    )
    assert optimum(text) == pytest.approx(3.0)
    assert optimum(
        "model m\nvar x[k in 1..3] : 1 in 0..5\nmaximize z = min(x[k] - x[k]^2*k for k in 1..3)"
    ) == (
        # each term is largest at 1/(2 k), with 1/(4 k): the third is the smallest
        pytest.approx(1 / 12)
    )


@pytest.mark.parametrize("size", [2, 8])
@pytest.mark.slow
def test_least_squares_over_free_variables(size: int) -> None:
    rng = np.random.default_rng(size)
    matrix, right = rng.normal(size=(size + 2, size)).round(3), rng.normal(size=size + 2).round(3)
    rows = " + ".join(
        "("
        + " + ".join(f"({float(v)})*x[{c + 1}]" for c, v in enumerate(row))
        + f" - ({float(b)}))^2"
        for row, b in zip(matrix, right, strict=True)
    )
    _, residual, _, _ = np.linalg.lstsq(matrix, right, rcond=None)
    text = f"model m\nvar x[k in 1..{size}] : 1\nminimize z = {rows}"
    assert optimum(text, time_limit=PATIENCE) == pytest.approx(float(residual[0]), rel=1e-6)
    assert optimum(text.replace("minimize z = ", "maximize z = 0 - (") + ")") == pytest.approx(
        -float(residual[0])
    )


def test_squares_say_the_same_as_the_objective() -> None:
    # x^2 + x y + y^2 + (z - x) - y, with z in no product; a slope along (1, 1) and one along (1,
    # -1)
    instance = instance_of(
        "model m\nvar x : 1\nvar y : 1\nvar z : 1\nminimize c = x^2 + x*y + y^2 + (z - x) - y"
    )
    found = objective_coefficients(instance)
    parts = squares(found, 1.0, np.array([0, 1, 2]))
    assert parts is not None
    for x in np.random.default_rng(1).normal(size=(5, 3)):
        own = parts.directions @ x[parts.columns]
        value = (
            float(parts.curvature @ own**2 + parts.slope @ own + parts.rest @ x[parts.columns])
            + x[2]
        )
        assert value == pytest.approx(x[0] ** 2 + x[0] * x[1] + x[1] ** 2 + x[2] - x[0] - x[1])


def test_squares_are_for_convex_objectives_over_unbounded_columns() -> None:
    saddle = objective_coefficients(instance_of("model m\nvar x : 1\nvar y : 1\nminimize c = x*y"))
    assert squares(saddle, 1.0, np.array([0, 1])) is None
    bowl = objective_coefficients(
        instance_of("model m\nvar x : 1\nvar y : 1\nminimize c = x^2 + x*y + y^2")
    )
    assert squares(bowl, 1.0, np.array([], dtype=np.int64)) is None
    assert squares(bowl, -1.0, np.array([0, 1])) is None


@WAYS
@pytest.mark.slow
def test_outcomes_without_an_optimum(via: str) -> None:
    # x y <= 1 and x, y >= 2 contradict each other
    nothing = "model m\nvar x : 1 >= 2\nvar y : 1 >= 2\nminimize z = x\nconstraint c: x*y <= 1"
    assert solve(nothing, via=via).termination is Termination.INFEASIBLE
    assert solve(nothing, via=via).guarantee is Guarantee.INFEASIBLE
    # x grows along y = 0
    ray = "model m\nvar x : 1 >= 0\nvar y : 1 >= 0\nmaximize z = x\nconstraint c: x*y <= 1"
    assert solve(ray, via=via).termination is Termination.UNBOUNDED
    # beyond SCIP's infinity ln x still grows: no optimum may be claimed
    endless = solve("model m\nvar x : 1 >= 1\nmaximize z = ln(x)", via=via)
    assert endless.termination is Termination.INFEASIBLE_OR_UNBOUNDED
    assert "`x` grows" in endless.message
    assert endless.values is None


def test_crossed_bounds_and_false_rows_are_named() -> None:
    crossed = solve("model m\nparam low : 1 = 3\nvar x : 1 >= low <= 2\nminimize z = x")
    assert crossed.termination is Termination.INFEASIBLE
    assert "`x` has no value" in crossed.message
    fixed = solve(
        "model m\nvar x : 1\nvar y : 1 >= 0\nminimize z = y\nconstraint c: ln(x) >= 1\nform "
        "f: fix x = 2",
        "f",
    )
    assert fixed.termination is Termination.INFEASIBLE
    assert "`c`" in fixed.message


def test_fixed_columns_are_in_the_answer() -> None:
    found = solve(
        "model m\nvar x : 1\nvar y : 1 in 0..9\nmaximize z = x*y - y^2\nform f: fix x = 4", "f"
    )
    assert found.values is not None
    assert found.values.tolist() == pytest.approx([4.0, 2.0], abs=1e-3)  # 4 y - y^2 is largest at 2


@WAYS
def test_columns_that_stand_nowhere_get_a_value(via: str) -> None:
    found = solve("model m\nvar x : integer in 1..3\nvar y : 1 in 4..5\nminimize z = 2*x", via=via)
    assert found.values is not None
    assert found.values[0] == 1.0
    assert 4.0 <= found.values[1] <= 5.0


def test_integers_are_whole() -> None:
    found = solve(
        "model m\nvar x[k in 1..3] : integer in 0..9\nmaximize z = sum(sqrt(x[k] + k) for k "
        "in 1..3) - x[1]*x[2]/7"
    )
    assert found.values is not None
    assert (found.values == np.round(found.values)).all()


# What is accepted


def test_every_class_is_accepted() -> None:
    assert Scip().accepts(request_of(instance_of(HARD))).accepted


@pytest.mark.parametrize("name", ["floor", "ceil", "round"])
def test_what_cannot_be_stated_is_refused(name: str) -> None:
    instance = instance_of(
        f"model m\nvar x : 1 in 0..3\nlet inner : 1 = 2*{name}(x)\nminimize z = inner + x"
    )
    answer = Scip().accepts(request_of(instance))
    assert not answer.accepted
    assert answer.reason == f"`scip` cannot state `z`: `{name}` of variables"


def test_pyomo_cannot_state_absolute_values() -> None:
    instance = instance_of("model m\nvar x : 1 in 0..3\nminimize z = abs(x - 1)")
    assert Scip().accepts(request_of(instance)).accepted
    answer = Scip().accepts(request_of(instance, via="pyomo"))
    assert answer.reason == "`scip` cannot state `z`: `abs` of variables through Pyomo"


def test_a_number_that_is_not_finite_is_named() -> None:
    with pytest.raises(ModelError, match="E311"):
        solve(
            "model m\nparam a : 1 >= 0 = 0\nvar x : 1 in 1..2\nminimize z = x\nconstraint c: "
            "exp(x)/a <= 5"
        )


# Limits, options, warm starts


@pytest.mark.slow
@WAYS
def test_a_time_limit_hands_over_point_and_bound(via: str) -> None:
    instance = instance_of(HARD)
    found = within_some_limit(
        lambda limit: Scip().solve(request_of(instance, time_limit=limit, via=via)),
        lambda found: found.bound is not None and found.bound < (found.objective or 0.0),
    )
    assert found.termination is Termination.TIME_LIMIT
    assert found.guarantee is Guarantee.FEASIBLE
    assert found.values is not None
    assert found.objective is not None
    assert found.objective == pytest.approx(instance.objective(found.values))
    assert found.bound is not None
    assert found.bound < found.objective


@pytest.mark.slow
def test_a_node_limit_is_no_optimum() -> None:
    found = solve(HARD, raw={"limits/nodes": 1})
    assert found.termination is Termination.ITERATION_LIMIT
    assert found.message.startswith("SCIP: node limit")
    assert found.guarantee is Guarantee.FEASIBLE


def test_no_time_at_all() -> None:
    found = solve(HARD, time_limit=0.0)
    assert (found.termination, found.guarantee, found.values) == (
        Termination.TIME_LIMIT,
        Guarantee.NONE,
        None,
    )


def test_a_gap_that_is_reached_counts_as_optimal() -> None:
    found = solve(HARD.replace("1..40", "1..12"), gap=0.5, raw={"presolving/maxrounds": 0})
    assert found.termination is Termination.OPTIMAL
    assert found.objective is not None
    assert found.bound is not None
    assert found.objective - found.bound <= 0.5 * abs(found.objective)


@pytest.mark.slow
def test_a_start_is_used() -> None:
    good = solve(HARD, raw={"limits/nodes": 1})
    assert good.values is not None
    assert good.objective is not None
    again = solve(HARD, raw={"limits/solutions": 1}, start=good.values)  # of itself it begins at 0
    assert again.objective is not None
    assert again.objective <= good.objective


def test_a_part_of_a_start_is_completed() -> None:
    # with y = 9 the square leaves x = 3; SCIP may not look any further than its first solution
    text = (
        "model m\nvar x : 1 in -5..5\nvar y : integer in 0..20\nmaximize z = "
        "x\nconstraint c: x^2 == y"
    )
    found = solve(
        text, start=np.array([np.nan, 9.0]), raw={"limits/solutions": 1, "presolving/maxrounds": 0}
    )
    assert found.values is not None
    assert abs(found.values[0]) == pytest.approx(np.sqrt(found.values[1]))


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"limits/nodez": 5}, "SCIP has no option `limits/nodez`"),
        ({"limits/nodes": "many"}, "does not take `many`; its default is `-1`"),
        ({"limits/nodes": -7}, "does not take `-7`"),
        ({"limits/nodes": 2.5}, "does not take `2.5`"),
        ({"misc/usesmalltables": "maybe"}, "does not take `maybe`"),
        ({"numerics/feastol": True}, "does not take `True`"),
        ({"branching/scorefunc": "pq"}, "does not take `pq`"),
    ],
)
@WAYS
def test_options_that_scip_refuses(raw: dict[str, Any], words: str, via: str) -> None:
    with pytest.raises(ModelError) as caught:
        solve("model m\nvar x : 1 in 0..1\nminimize z = x", raw=raw, via=via)
    assert caught.value.diagnostics[0].code == "E505"
    assert words in caught.value.diagnostics[0].message


def test_options_as_text_are_understood() -> None:
    raw = {
        "limits/nodes": "1",
        "misc/usesmalltables": "true",
        "numerics/feastol": "1e-8",
        "branching/scorefunc": "s",
    }
    assert solve("model m\nvar x : 1 in 0..1\nminimize z = x", raw=raw).objective == 0.0


@pytest.mark.slow
def test_the_seed_is_passed_on() -> None:
    small = HARD.replace("1..40", "1..25")
    runs = {seed: solve(small, seed=seed, raw={"limits/nodes": 3}) for seed in (1, 2)}
    again = solve(small, seed=1, raw={"limits/nodes": 3})
    assert (again.objective, again.bound) == (runs[1].objective, runs[1].bound)
    assert (runs[2].objective, runs[2].bound) != (runs[1].objective, runs[1].bound)


def test_threads_are_said_to_be_without_effect() -> None:
    assert solve("model m\nvar x : 1 in 0..1\nminimize z = x", threads=4).message.endswith(
        "SCIP runs on one thread"
    )


def test_versions_and_seconds() -> None:
    found = solve("model m\nvar x : 1 in 0..1\nminimize z = x")
    assert set(found.versions) == {"scip", "pyscipopt"}
    assert set(found.seconds) == {"lower", "solve"}


# Output and Ctrl-C


@WAYS
@pytest.mark.slow
def test_nothing_is_printed_unless_asked(via: str, capfd: pytest.CaptureFixture[str]) -> None:
    solve(RADIO, via=via)
    assert capfd.readouterr() == ("", "")
    solve(RADIO, via=via, log=True)
    out, err = capfd.readouterr()
    assert out == ""
    assert "SCIP Status" in err


@WAYS
def test_a_flag_stops_a_search(via: str, capfd: pytest.CaptureFixture[str]) -> None:
    asked = request_of(instance_of(HARD), via=via, log=True)
    found = Scip().solve(replace(asked, should_stop=once_logged(BETTER, capfd)))
    assert found.termination is Termination.INTERRUPTED
    assert found.values is not None
    assert found.guarantee is Guarantee.FEASIBLE


def test_a_fault_in_the_flag_comes_out() -> None:
    def broken() -> bool:
        raise RuntimeError("from the flag")

    with pytest.raises(RuntimeError, match="from the flag"):
        Scip().solve(replace(request_of(instance_of(HARD)), should_stop=broken))


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@WAYS
def test_interrupt_signal_hands_over_the_incumbent(via: str) -> None:
    program = f"""
    from dataclasses import replace
    from mecdsl.backend import interruptible
    from mecdsl.backends.scip.backend import Scip
    from tests.test_scip import HARD, instance_of, request_of
    asked = request_of(instance_of(HARD), via={via!r}, log=True)
    with interruptible() as should_stop:
        found = Scip().solve(replace(asked, should_stop=should_stop))
    better = None not in (found.objective, found.bound) and found.bound < found.objective
    print(found.termination.value, better)
    """
    assert interrupted_at(BETTER, program) == "interrupted True\n"
