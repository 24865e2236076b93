"""Who may prove: no false "infeasible" or "unbounded", and proofs where there is one; answers
derived by hand.
"""

import math
from pathlib import Path

import numpy as np
import pytest

import mecdsl
from mecdsl.analysis.poles import poles
from mecdsl.convexity.problem import analyse, sampled
from mecdsl.convexity.sampling import refute
from mecdsl.results.result import Result
from mecdsl.solution import Guarantee, Termination
from tests.waiting import PATIENCE

FOLDER = Path(__file__).resolve().parent / "proofs"


def solve(text: str, backend: str = "auto", time_limit: float = PATIENCE) -> Result:
    return mecdsl.loads(text).solve(backend, time_limit=time_limit)


# A local solver that finds no point

TAG = """
param needed : W = {needed}
nodes anchor[k in 1..2] {{
    price : money = [5 money, 8 money]
    var on : binary
    var received : W in 0 W..1 W
}}
minimize cost = sum(k.price * k.on for k in anchor)
constraint wakes: sum(k.received for k in anchor) >= needed
constraint off[k in anchor]: k.received <= 1 W * k.on
"""


@pytest.mark.parametrize("needed", ["1 uW", "100 nW", "1 mW"])
@pytest.mark.slow
def test_one_anchor_wakes_a_tag(needed: str) -> None:
    # one anchor switched on may send up to 1 W: the cheaper one costs 5
    found = solve(TAG.format(needed=needed), "highs")
    assert found.guarantee is Guarantee.GLOBAL
    assert found.objective == pytest.approx(5.0)
    local = solve(TAG.format(needed=needed), "bonmin")
    assert local.guarantee is not Guarantee.INFEASIBLE
    if local.objective is None:
        assert local.exit_code == 3
        assert local.guarantee is Guarantee.LOCALLY_INFEASIBLE
    elif local.guarantee is Guarantee.GLOBAL:
        assert local.objective == pytest.approx(5.0)


def test_a_small_share_of_a_large_task_is_no_proof_of_anything() -> None:
    # y = 1 lets x be up to 1e6; x >= 1e-3 then costs 2; without y there is no point
    text = (
        "var x : 1 in 0..1e6\nvar y : binary\nminimize z = 2*y + 1e-9*x^2\n"
        "constraint least: x >= 0.001\nconstraint switch: x <= 1e6*y\n"
    )
    found = solve(text, "bonmin")
    assert found.guarantee is not Guarantee.INFEASIBLE
    assert (
        found.objective is None or found.guarantee is not Guarantee.GLOBAL or found.objective >= 2.0
    )


@pytest.mark.slow
def test_bonmin_is_confirmed_where_there_is_no_point() -> None:
    # 6 x + 10 y + 14 w is even, and no propagation of bounds sees it: a second solver does
    found = solve(
        "var x : integer in 0..9\nvar y : integer in 0..9\nvar w : integer in 0..9\nminimize "
        "z = x^2\n"
        "constraint c: 6*x + 10*y + 14*w == 101\n",
        "bonmin",
    )
    assert found.guarantee is Guarantee.INFEASIBLE
    assert "`scip`" in found.solution.message
    # x^2 + y^2 == 3 over integers in 0..5: 0, 1, 2, 4, 5, ... but never 3
    found = solve(
        "var x : integer in 0..5\nvar y : integer in 0..5\nminimize z = x + "
        "exp(y)\nconstraint c: x^2 + y^2 == 3\n",
        "bonmin",
    )
    assert found.guarantee in (Guarantee.INFEASIBLE, Guarantee.LOCALLY_INFEASIBLE)


# Infeasible by propagation, exactly


@pytest.mark.parametrize("backend", ["highs", "scip", "bonmin"])
def test_one_cycle_short_of_two_billions(backend: str) -> None:
    # at most 214748365 * 10 - 1 = 2147483649 < 2147483650
    found = solve(
        "var x : integer in 1..10\nvar y : integer in 1..10\nminimize cost = x\n"
        "constraint enough: 214748365*x - y >= 2147483650\n",
        backend,
    )
    assert found.guarantee is Guarantee.INFEASIBLE
    assert "`enough`" in found.solution.message


@pytest.mark.parametrize(
    "rows",
    [
        "constraint a: x*y >= 30\n",  # at most 5 * 5
        # (4/2)^2 * 2 = 8 > 3; x, y <= sqrt 3
        "constraint a: x^2 + y^2 <= 3\nconstraint b: x + y >= 4\n",
        "constraint a: ln(x + 1) >= 3\n",  # ln 6 = 1.79
        "constraint a: exp(x) + exp(y) <= 1\n",  # at least 2
        "constraint a: sqrt(x) - y >= 3\n",  # sqrt 5 = 2.24
        "constraint a: x == 2*y\nconstraint b: y >= 3\n",  # x >= 6
    ],
)
def test_rows_that_leave_nothing(rows: str) -> None:
    found = solve(f"var x : 1 in 0..5\nvar y : 1 in 0..5\nminimize z = x + y\n{rows}")
    assert found.guarantee is Guarantee.INFEASIBLE
    assert "propagated" in found.solution.message


@pytest.mark.parametrize(
    ("rows", "point"),
    [
        ("constraint a: x <= 1/3\nconstraint b: 3*x >= 1\n", 1 / 3),
        ("constraint a: x^2 <= 2\nconstraint b: x >= sqrt(2)\n", np.sqrt(2.0)),
        ("constraint a: 0.1*x >= 0.3\nconstraint b: x <= 3\n", 3.0),
    ],
)
def test_a_pinch_is_feasible(rows: str, point: float) -> None:
    found = solve(f"var x : 1 in 0..5\nminimize z = x\n{rows}")
    assert found.guarantee is not Guarantee.INFEASIBLE
    assert found.objective == pytest.approx(point, rel=1e-6)


def test_feasible_by_tolerance_only_is_not_called_infeasible_before_a_solver_ran() -> None:
    # short by 1e-9 of its terms, which the verifier lets pass
    found = solve(
        "var x : 1 in 0..1\nvar y : 1 in 0..1\nminimize z = x + y\nconstraint c: x + y >= "
        "2.000000001\n"
    )
    assert found.termination is Termination.INFEASIBLE or found.verified


def test_a_contradiction_of_rows_is_recomputed_from_their_numbers() -> None:
    # a + b + c sums to 2 x1 + x2 + x3 <= 2, against >= 3; the free y cancels, so no bound
    # propagates
    found = solve(
        "set K = 1..3\nvar x[k in K] : 1 >= 0\nvar y : 1\nminimize z = sum(x[k] for k in K) + y\n"
        "constraint a: x[1] + x[2] + y <= 1\nconstraint b: x[3] - y + x[1] <= 1\n"
        "constraint c: 2*x[1] + x[2] + x[3] >= 3\n"
    )
    assert found.guarantee is Guarantee.INFEASIBLE
    assert "Farkas" in found.solution.message


# No end


@pytest.mark.parametrize(
    ("text", "backend"),
    [
        ("var x : 1 >= 0\nvar y : 1 >= 0\nmaximize z = x + y\nconstraint c: x - y <= 3\n", "highs"),
        (
            "var x : integer >= 0\nvar y : 1 >= 0\nmaximize z = x + y\nconstraint c: x - 2*y "
            "<= 3\n",
            "highs",
        ),
        ("var x : 1 >= 0\nvar y : 1 >= 0\nminimize z = y^2 - x\nconstraint c: y <= x\n", "ipopt"),
        ("var x : 1 >= 1\nmaximize z = ln(x)\n", "ipopt"),
    ],
)
def test_a_ray_is_followed(text: str, backend: str) -> None:
    found = solve(text, backend)
    assert found.guarantee is Guarantee.UNBOUNDED
    assert "ray" in found.solution.message
    assert found.exit_code == 3


@pytest.mark.parametrize(
    ("text", "best"),
    [
        # the end lies at 1 / (2 * 1e-9) = 5e8, with the value 2.5e8
        ("var x : 1 >= 0\nmaximize z = x - 1e-9*x^2\n", 2.5e8),
        # rises for ever, and never past 1
        ("var x : 1 >= 1\nmaximize z = 1 - 1/x\n", 1.0),
        ("var x : 1 in 0..1e25\nmaximize z = x\n", 1e25),
        # any step along x = y: the objective is at most 3
        ("var x : 1 >= 0\nvar y : 1 >= 0\nmaximize z = x - y\nconstraint c: x - y <= 3\n", 3.0),
    ],
)
def test_what_has_an_end_is_not_called_unbounded(text: str, best: float) -> None:
    for backend in ("auto", "scip"):
        found = solve(text, backend)
        assert found.guarantee is not Guarantee.UNBOUNDED
        assert found.objective is None or found.objective <= best * (1 + 1e-6)


# Poles that rows exclude


@pytest.mark.parametrize(
    "rows",
    [
        "constraint away: x >= 0.5\n",
        "constraint away: x^2 >= 0.25\n",
        "constraint away: x + n >= 1\nconstraint few: n <= 0.5\n",
        "constraint away: ln(x) >= -2\n",
    ],
)
def test_a_row_excludes_a_pole(rows: str) -> None:
    text = f"var x : 1 in 0..4\nvar n : integer in 0..3\nmaximize z = 1/x - n\n{rows}"
    assert poles(mecdsl.loads(text).instance()) == ()
    found = solve(text, "scip")
    assert found.guarantee is Guarantee.GLOBAL


def test_what_is_infeasible_beside_a_pole_is_proven() -> None:
    # x >= 1/2 + n/20 keeps 1/x at most 2, which is less than 4
    found = solve(
        "var x : 1 in 0..10\nvar n : integer in 0..5\nminimize z = 1/x + n\n"
        "constraint away: 2*x >= 1 + 0.1*n\nconstraint no: 1/x - n >= 4\n",
        "scip",
    )
    assert found.guarantee is Guarantee.INFEASIBLE


@pytest.mark.parametrize("share", [0.5, 0.95])
@pytest.mark.slow
def test_too_short_a_deadline_of_the_cooperative_model_is_proven_by_scip(share: float) -> None:
    # one slow device (4500 s locally) and one server: sending takes task/(band log2(1 + snr)), and
    # the better depth
    send = 3e6 / (8e6 * np.log2(1 + 0.5 * 2e-9 / 2e-14))
    least = send + min(3e6 * 700 / 5e11 + 0.5 * 3e6 / 1.5e8, 3e6 * 1600 / 5e11 + 0.25 * 3e6 / 1.5e8)
    data = {
        "device_count": 1,
        "server_count": 1,
        "layer_count": 2,
        "noise_power": 2e-14,
        "device": {
            "task_size": [3e6],
            "min_rate": [5e5],
            "max_latency": [share * least],
            "power": [0.5],
            "cpu": [1e6],
            "work": [1500],
        },
        "server": {
            "bandwidth": [8e6],
            "cpu": [5e11],
            "output_ratio": [[0.5, 0.25]],
            "cumulative_work": [[700, 1600]],
        },
        "backhaul": {"capacity": [1.5e8]},
        "uplink": {"gain": [[2e-9]], "distance": [[30]]},
    }
    file = Path(mecdsl.__file__).parent / "models" / "cooperative.mec"
    assert (
        mecdsl.load(file, data=data).solve("scip", time_limit=PATIENCE).guarantee
        is Guarantee.INFEASIBLE
    )


# Convexity on what the rows leave


@pytest.mark.parametrize(
    "text",
    [
        "var f : 1 >= 0\nminimize z = f/(2 - f)\nconstraint below: f <= 1.9\n",
        "set K = 1..3\nvar f[k in K] : 1 >= 0\nlet load = sum(f[k] for k in K)\nminimize z = "
        "load/(2 - load)\n"
        "constraint below: load <= 1.9\n",
        "set K = 1..3\nvar f[k in K] : 1 >= 0\nvar load : 1\nminimize z = load/(2 - load) + "
        "1/(2 - load)\n"
        "constraint means: load == sum(f[k] for k in K)\nconstraint below: load <= 1.9\n",
        "set K = 1..3\nvar f[k in K] : 1 >= 0\nminimize z = sum(f[k] for k in K)/(2 - "
        "sum(f[k] for k in K))\n"
        "constraint below: sum(f[k] for k in K) <= 1.9\n",
        "var x : 1\nminimize z = x^3\nconstraint above: x >= 0\n",
        "var x : 1\nvar y : 1\nminimize z = -sqrt(x - y)\nconstraint above: x >= y\n",
    ],
)
def test_convex_within_the_rows(text: str) -> None:
    instance = mecdsl.loads(text).instance()
    assert analyse(instance).convex


@pytest.mark.parametrize(
    ("text", "refuted"),
    [
        # x^3 + y^3 bends wrongly below 0 only, where the square roots keep no point
        (
            "var x : 1\nvar y : 1\nminimize z = x^3 + y^3\nconstraint a: sqrt(x) + sqrt(y) >= 0\n",
            False,
        ),
        # sin-like: x y is x (1 - x) on the line, which is concave
        (
            "var x : 1 in 0..1\nvar y : 1 in 0..1\nminimize z = x*y + x^3\nconstraint line: "
            "x + y == 1\n",
            True,
        ),
        # on the line x = y it is x^2
        (
            "var x : 1 in 0..1\nvar y : 1 in 0..1\nminimize z = x*y + x^4\nconstraint line: "
            "x == y\n",
            False,
        ),
        # past x + y = 1 alone it is not convex
        (
            "var x : 1 in 0..2\nvar y : 1 in 0..2\nminimize z = 1/(1.1 - x - "
            "y)^3\nconstraint c: x + y <= 1\n",
            False,
        ),
    ],
)
def test_only_points_that_keep_the_rows_refute(text: str, refuted: bool) -> None:
    instance = mecdsl.loads(text).instance()
    assert (refute(instance, None) is not None) is refuted


@pytest.mark.slow
def test_queues_are_a_convex_problem() -> None:
    # Kleinrock's delay is a sum of f/(c - f); the least delay is that of SCIP and of a fine grid
    # over the flows
    model = mecdsl.load(FOLDER / "mm1.mec")
    instance = model.instance()
    assert sampled(instance, analyse(instance)).class_name == "convex NLP"
    found = model.solve("ipopt")
    assert found.guarantee is Guarantee.GLOBAL
    assert found.objective == pytest.approx(1.7058054e-5, rel=1e-6)


# Scales from the rows


def test_a_time_without_a_bound_gets_the_scale_of_its_slot() -> None:
    found = mecdsl.load(FOLDER / "you_tdma.mec", seed=0).solve("ipopt")
    assert found.verified
    assert found.objective == pytest.approx(6.9550, rel=1e-4)


@pytest.mark.parametrize("seed", [1, 7])
def test_the_same_on_other_draws(seed: int) -> None:
    assert mecdsl.load(FOLDER / "you_tdma.mec", seed=seed).solve("ipopt").verified


# Limits


@pytest.mark.slow
def test_a_limit_that_ends_bonmin_is_a_limit() -> None:
    # 2^30 nodes at worst: a market split that no search of a second ends
    numbers = np.random.default_rng(3).integers(1, 100, (4, 30))
    rows = "".join(
        f"constraint c{r}: {' + '.join(f'{int(n)}*x[{k + 1}]' for k, n in enumerate(row))} == "
        f"{int(row.sum() // 2)}\n"
        for r, row in enumerate(numbers)
    )
    text = f"set K = 1..30\nvar x[k in K] : binary\nminimize z = sum(x[k]^2 for k in K)\n{rows}"
    found = solve(text, "bonmin", time_limit=1.0)
    assert found.termination in (Termination.TIME_LIMIT, Termination.ITERATION_LIMIT)
    assert "user" not in found.solution.message


# Data that are the same number but for their last digit: 1e-9*5.9 is 5.900000000000001e-09

ROUNDED = {
    "rows over one binary": (
        "maximize goal = x\n",
        1.0,
        """
        var x : binary
        constraint a: 1 nJ*(5.9*x) <= 5.9 nJ
        constraint b: 1 nJ*(3.7*x) <= 3.7 nJ
        constraint c: 1 GW*(5.3*x) <= 5.3 GW
        constraint d: 1 nJ*(-4.1*x) >= -4.1 nJ
    """,
    ),
    "a point that rows and a bound give": (
        "minimize goal = 7.8*u\n",
        7.8 * -2.83,
        """
        var x : nJ >= -2.83 nJ <= 5.9 nJ
        let u : 1 = x/(1 nJ)
        constraint a: 1 GW*(4.3*u) == -12.169 GW
        constraint b: 1 nJ*(5.9*u) >= -20.497 nJ
        constraint c: 1 GW*(4.3*u) == -12.169 GW
    """,
    ),
    "a binary beside a column that is 0": (
        "minimize goal = 2.8*y/(1 Tbit) + 9*x\n",
        9.0,
        """
        var y : Tbit >= 0 Tbit
        var x : binary
        constraint a: 1 nJ*(5.9*x) <= 5.9 nJ
        constraint b: -2.3*y/(1 Tbit) - 4.3*x <= -4.3
        constraint c: 1 GW*(-1.6*y/(1 Tbit)) == 0 GW
    """,
    ),
}


@pytest.mark.parametrize("kind", ROUNDED)
@pytest.mark.parametrize("backend", ["highs", "scip", "auto"])
def test_the_last_digit_of_data_proves_nothing(kind: str, backend: str) -> None:
    goal, best, text = ROUNDED[kind]
    result = mecdsl.loads(text + goal).solve(backend)
    assert (result.verified, result.guarantee) == (True, Guarantee.GLOBAL)
    assert result.objective == pytest.approx(best)


@pytest.mark.slow
def test_a_point_outside_of_what_rows_leave_is_not_judged_from_there() -> None:
    # a and b give 6.8 z + 4.6 x - 2.6 y <= 32.132, c and d give more than that: no point
    text = """
        var z : s >= 2.14 s
        var x : uW >= 0 uW
        var y : ms >= 0 ms
        let u0 : 1 = z/(1 s)
        let u1 : 1 = x/(1 uW)
        let u2 : 1 = y/(1 ms)
        constraint a: -0.8*u1 + 1.7*u2 == 3.34
        constraint b: 6.8*u0 + 4.6*u1 - 2.6*u2 <= 32.132
        constraint c: 1 nJ*(0.1*u0) == 0.354 nJ
        constraint d: 1 nJ*(5.51*u0 + 3.68*u1 - 2.08*u2) >= 26.0085 nJ
        maximize goal = 6*u1 + 3.7*u2
    """
    # 0.8*b: 5.44 u0 + 3.68 u1 - 2.08 u2 <= 25.7056; with u0 = 3.54, d asks for 26.0085 - 0.07*3.54
    # = 25.7607
    result = mecdsl.loads(text).solve("ipopt")
    assert not result.verified


@pytest.mark.slow
def test_a_point_whose_slope_is_not_0_is_not_called_optimal() -> None:
    # the least of 3.4 e^u - u is 1 + ln 3.4, at u = -ln 3.4; Ipopt stops at u = -1.20923 where u is
    # in microwatts
    result = mecdsl.loads(
        "var x : uW\nlet u : 1 = x/(1 uW)\nminimize goal = 3.4*exp(u) - u\n"
    ).solve("ipopt")
    assert result.objective is not None
    off = result.objective - (1 + math.log(3.4))
    assert off >= -1e-9
    assert result.guarantee is not Guarantee.GLOBAL or off <= 1e-5
