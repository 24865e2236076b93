"""First-order conditions: right multipliers pass, wrong ones are found, whoever claims them and in
any unit.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mecdsl
from mecdsl.certificates.kkt import TOLERANCE, Kkt, kkt
from mecdsl.certificates.lagrangian import flat_multipliers, lagrangian, right_signed
from mecdsl.convexity.problem import analyse
from mecdsl.results.result import Result
from mecdsl.results.verify import verify
from mecdsl.solution import Guarantee, Solution, Termination

from .test_fog import CASE, MODEL

MODELS = Path(__file__).resolve().parent.parent / "models"

# Least energy c^3/t^2-like: minimise a/t with t <= 2 s, a = 6 J*s: t = 2, energy 3 J. d(6/T)/dT =
# -6/T^2 = -1.5 W.
DEADLINE = """
param limit : s = {limit}
var t : s >= 0.1 s
minimize energy = 6 J*s / t
constraint deadline: t <= limit
"""

# minimise x^2 + 2 y^2 with x + y == 3 and x <= 1.5: without the limit x = 2, y = 1; with it x =
# 1.5, y = 1.5. 2x = m + n and 4y = m give m = 6 for the equality and n = 3 - 6 = -3 for the limit.
QUADRATIC = """
var x : 1
var y : 1
minimize cost = x^2 + 2*y^2
constraint total: x + y == 3
constraint most: x <= 1.5
"""


def claim(text: str, x: list[float], **multipliers: list[float]) -> Result:
    """The verdict on a point that is claimed to be a local optimum with these multipliers."""
    instance = mecdsl.loads(text).instance()
    arrays = {name: np.array(values) for name, values in multipliers.items()}
    solution = Solution(
        backend="test",
        termination=Termination.LOCALLY_OPTIMAL,
        guarantee=Guarantee.LOCAL,
        values=np.array(x),
        multipliers=arrays,
    )
    return verify(instance, solution)


def conditions(result: Result) -> Kkt:
    assert result.kkt is not None
    return result.kkt


def test_right_multipliers_of_an_equality_and_an_inequality() -> None:
    result = claim(QUADRATIC, [1.5, 1.5], total=[6.0], most=[-3.0])
    assert conditions(result).accepted
    assert conditions(result).worst <= 1e-15
    assert result.guarantee is Guarantee.LOCAL


@pytest.mark.parametrize(
    ("multipliers", "condition", "member", "amount"),
    [
        # r = (2x, 4y) - m - (n, 0): (3 - 7 + 3, 6 - 7)
        ({"total": [7.0], "most": [-3.0]}, "stationarity", "x", 1.0),
        ({"total": [6.0], "most": [0.0]}, "stationarity", "x", 3.0),
        ({"total": [-6.0], "most": [3.0]}, "sign", "most", 3.0),
        ({"total": [6.0006], "most": [-3.0]}, "stationarity", "x", 6e-4),
    ],
)
def test_wrong_multipliers_make_a_point_feasible_only(
    multipliers: dict[str, list[float]], condition: str, member: str, amount: float
) -> None:
    result = claim(QUADRATIC, [1.5, 1.5], **multipliers)
    found = getattr(conditions(result), condition)
    assert not found.accepted
    assert found.amount == pytest.approx(amount, rel=1e-6)
    if condition == "sign":
        assert found.member == member
    assert result.verified
    assert result.guarantee is Guarantee.FEASIBLE
    assert result.termination is Termination.FINISHED
    assert "the multipliers do not certify the point" in result.notes[0]
    assert "note" in str(result)


def test_a_point_that_is_no_optimum_is_found_by_right_multipliers() -> None:
    # x = 1, y = 2 keeps all rows: slopes (2, 8) minus (6 - 3, 6) leave (-1, 2), and the slack of
    # `most` is 0.5
    result = claim(QUADRATIC, [1.0, 2.0], total=[6.0], most=[-3.0])
    found = conditions(result)
    assert found.stationarity.member == "y"
    assert found.stationarity.amount == pytest.approx(2.0)
    assert found.complementarity.member == "most"
    assert found.complementarity.amount == pytest.approx(1.5)
    assert result.guarantee is Guarantee.FEASIBLE


def test_a_bound_takes_the_reduced_cost_that_pushes_against_it() -> None:
    # minimise 2x + y with x + y >= 1 and x, y >= 0: y = 1, x = 0; the row is worth 1, x pays 1 more
    # than it saves
    text = "var x : 1 >= 0\nvar y : 1 >= 0\nminimize z = 2*x + y\nconstraint c: x + y >= 1\n"
    assert conditions(claim(text, [0.0, 1.0], c=[1.0])).worst == 0.0
    # at x = 1, y = 0 with the multiplier 2 the reduced cost of y is -1: it could grow without end
    found = conditions(claim(text, [1.0, 0.0], c=[2.0]))
    assert (found.stationarity.member, found.stationarity.amount) == ("y", 1.0)


def test_a_fixed_column_needs_no_balance() -> None:
    text = (
        "var x : 1 >= 0\nvar y : 1 >= 0\nminimize z = x + 5*y\nconstraint c: x + y >= "
        "3\nform f: fix y = 1\n"
    )
    instance = mecdsl.loads(text).instance("f")
    assert kkt(instance, np.array([2.0, 1.0]), np.array([1.0])) is not None
    found = kkt(instance, np.array([2.0, 1.0]), np.array([1.0]))
    assert found is not None
    assert found.worst == 0.0


def test_a_maximum_has_the_opposite_signs() -> None:
    # maximise 3x with x <= 2 s: a second more is worth 3
    text = "var x : s >= 0 s\nmaximize z = 3*x\nconstraint c: x <= 2 s\n"
    assert conditions(claim(text, [2.0], c=[3.0])).worst == 0.0
    wrong = conditions(claim(text, [2.0], c=[-3.0]))
    assert wrong.sign.amount == pytest.approx(3.0)
    assert wrong.stationarity.amount == pytest.approx(6.0)


def test_an_optimum_at_zero_has_the_size_of_its_variables() -> None:
    # minimise x^2 over all x: a solver's 1e-9 is 0 for a variable of size one, 0.01 is not
    text = "var x : 1\nvar y : 1 in 0..1\nminimize z = x^2\nconstraint c: y <= 1\nstart x = 1\n"
    assert conditions(claim(text, [1e-9, 0.0], c=[0.0])).accepted
    assert not conditions(claim(text, [0.01, 0.0], c=[0.0])).accepted


def test_units_change_amounts_but_no_share() -> None:
    # the same point in ms and GHz as in s and Hz, with multipliers that are wrong by one part in a
    # thousand
    plain = (
        "var t : s >= 0 s\nvar f : Hz >= 0 Hz\nminimize e = 2*t + f * 1e-9 "
        "s/Hz\nconstraint w: t*f >= 1e9\n"
    )
    small = plain.replace("var t : s >= 0 s", "var t : ms >= 0 ms").replace(
        "f : Hz >= 0 Hz", "f : GHz >= 0 GHz"
    )
    root = (
        0.5**0.5
        # 2t = f/1e9 and t f = 1e9: t = sqrt(1/2), f = sqrt(2) GHz, worth d(2 sqrt(2 w))/dw at w =
        # 1e9
    )
    worth = 1.001 * 2 * root / 1e9
    first, second = (
        conditions(claim(text, [root, 2e9 * root], w=[worth])) for text in (plain, small)
    )
    assert first == second
    # r_t = 2 - 1.001 * 2 and r_f = (1 - 1.001) * 1e-9, each times its variable 0.001 of half the
    # objective
    expected = {"t": (0.002, "1"), "f": (1e-12, second.stationarity.unit)}[
        first.stationarity.member
    ]
    assert first.stationarity.amount == pytest.approx(expected[0], rel=1e-6)
    assert first.stationarity.unit == expected[1]
    assert (
        0.0004 < first.stationarity.relative < 0.002
    )  # the size counted may be a power of two above the variable


def test_multipliers_that_fit_no_row_are_not_believed() -> None:
    for wrong in ({"total": [6.0, 1.0]}, {"nothing": [6.0]}, {"total": [np.nan]}):
        result = claim(QUADRATIC, [1.5, 1.5], **wrong)
        assert result.kkt is None
        assert result.guarantee is Guarantee.FEASIBLE
        assert "do not fit" in result.notes[0]


def test_no_conditions_without_multipliers_or_with_integers() -> None:
    assert claim(QUADRATIC, [1.5, 1.5]).kkt is None
    assert claim(QUADRATIC, [1.5, 1.5]).guarantee is Guarantee.LOCAL
    whole = "var n : integer >= 0\nminimize z = n\nconstraint c: n >= 2\n"
    assert claim(whole, [2.0], c=[1.0]).kkt is None


def test_the_lagrangian_is_that_of_the_hand() -> None:
    # L = x^2 + 2 y^2 - 6 (x + y - 3) + 3 (x - 1.5) at (1, 2): 1 + 8 - 0 - 1.5
    instance = mecdsl.loads(QUADRATIC).instance()
    at = lagrangian(instance, np.array([1.0, 2.0]), np.array([6.0, -3.0]))
    assert at.value == pytest.approx(7.5)
    assert at.slope == pytest.approx([-1.0, 2.0])
    assert right_signed(instance, np.array([-1.0, 4.0])).tolist() == [-1.0, 0.0]


@pytest.mark.parametrize("limit", ["2 s", "2000 ms"])
@pytest.mark.parametrize("backend", ["ipopt"])
def test_a_deadline_is_worth_its_derivative(limit: str, backend: str) -> None:
    result = mecdsl.loads(DEADLINE.format(limit=limit)).solve(backend)
    assert result.multiplier("deadline") == pytest.approx(-1.5, rel=1e-6)
    assert result.multiplier_unit("deadline") == "W"
    assert result.guarantee in (Guarantee.GLOBAL, Guarantee.LOCAL)


LINEAR = """
param limit : s = 10 s
param floor : 1 = 2
var x : s >= 0 s
var y : s >= 0 s
{sense} cost = 3*x + 5*y
constraint most: x + 2*y {most} limit
constraint tie: x - 3*y == floor * 1 s
"""


@pytest.mark.parametrize("via", ["arrays", "pyomo"])
@pytest.mark.parametrize(("sense", "most"), [("maximize", "<="), ("minimize", ">=")])
def test_multipliers_of_highs_are_differences_of_optima(sense: str, most: str, via: str) -> None:
    # x = 2 + 3y and 2 + 5y = 10: y = 1.6, x = 6.8, cost 3x + 5y = 28.4, whatever the sense; the
    # multipliers come from the optimum itself, solved anew with changed right-hand sides (linear,
    # so the step may be large)
    text = LINEAR.format(sense=sense, most=most)

    def best(**changes: Any) -> Result:
        return mecdsl.loads(text, **changes).solve("highs", via=via)

    result = best()
    assert result.objective == pytest.approx(28.4)
    for name, base, parameter in (("most", 10.0, "limit"), ("tie", 2.0, "floor")):
        up, down = (best(**{parameter: base + step}).objective for step in (0.5, -0.5))
        assert up is not None
        assert down is not None
        assert result.multiplier(name) == pytest.approx(up - down, rel=1e-9)
    assert conditions(result).worst <= 1e-12


@pytest.mark.slow
def test_multipliers_of_the_fog_model_are_differences_of_optima() -> None:
    def best(latency: float) -> Result:
        return mecdsl.load(MODEL, data={**CASE, "latency": latency}).solve("ipopt")

    result, step = best(0.12), 1e-4
    high, low = (best(0.12 + sign * step).objective for sign in (1, -1))
    assert high is not None
    assert low is not None
    # the third derivative leaves (step/latency)^2 of the slope, the solver 1e-8 of the objective
    # over the step
    assert result.multiplier("deadline") == pytest.approx((high - low) / (2 * step), rel=1e-4)
    assert result.multiplier_unit("deadline") == "W"
    assert result.multiplier_unit("all_rows") == "J/row"
    assert result.multiplier("cpu_limit").shape == (3, 2)
    assert conditions(result).accepted


@pytest.mark.slow
@pytest.mark.parametrize("family", ["deadline", "all_rows", "exchange_rate", "layer_deadline"])
@pytest.mark.parametrize("factor", [1.1, -1.0, 0.0])
def test_ipopts_multipliers_pass_and_changed_ones_do_not(family: str, factor: float) -> None:
    result = mecdsl.load(MODEL, data=CASE).solve("ipopt")
    instance = result.instance
    assert conditions(result).worst <= 1e-7
    changed = {name: values.copy() for name, values in result.solution.multipliers.items()}
    changed[family] *= factor
    solution = replace(result.solution, multipliers=changed)
    verdict = verify(instance, solution)
    assert verdict.verified
    assert verdict.guarantee is Guarantee.FEASIBLE
    flat = flat_multipliers(instance, changed)
    assert flat is not None
    assert solution.values is not None
    found = kkt(instance, solution.values, flat)
    assert found is not None
    assert found.worst > TOLERANCE


@pytest.mark.slow
def test_a_degenerate_tip_is_judged_where_the_solver_was() -> None:
    # quad_over_lin has no single slope at (0, 0); many shares of the relaxed model end there
    result = mecdsl.load(MODELS / "cooperative.mec", device_count=8).solve(
        "ipopt", form="relaxed", relax=True
    )
    assert conditions(result).accepted
    assert result.guarantee is Guarantee.GLOBAL
    assert analyse(result.instance).convex


def test_text_and_json_show_multipliers_and_conditions() -> None:
    result = mecdsl.loads(DEADLINE.format(limit="2 s")).solve("ipopt")
    text = str(result)
    assert "multipliers\n  deadline  -1.5 W" in text
    for word in ("stationarity", "complementarity", "sign"):
        assert f"\n  {word}" in text
    data = result.as_dict()
    assert data["multiplier_units"] == {"deadline": "W"}
    assert data["kkt"]["accepted"] is True
    assert data["kkt"]["stationarity"]["unit"] == "W"
    assert set(data["kkt"]) == {"accepted", "stationarity", "complementarity", "sign"}


def test_conditions_that_a_backend_states_itself_are_called_claims() -> None:
    text = str(mecdsl.load(MODELS / "mel.mec").solve("mel-root", form="relaxed"))
    assert "\n  stationarity (claimed)" in text
    assert text.count("\n  stationarity ") == 2
