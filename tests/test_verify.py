"""The verifier believes nothing: wrong values, objectives, bounds and labels are found out."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mecdsl
from mecdsl.instances.instance import Instance
from mecdsl.output.json.result import result_json
from mecdsl.results.gap import ObjectiveSize
from mecdsl.results.judge import polish
from mecdsl.results.verify import verify
from mecdsl.solution import Guarantee, Solution, Termination

# maximise 3x + 2y, x + y <= 4, x <= 3, y integer: x = 3, y = 1, objective 11.
TEXT = """
var x : s in 0 s..3 s
var y : integer s >= 0
maximize total = 3*x + 2*y
constraint sum_limit: x + y <= 4 s
"""
GOOD = Solution(
    backend="test",
    termination=Termination.OPTIMAL,
    guarantee=Guarantee.GLOBAL,
    values=np.array([3.0, 1.0]),
    objective=11.0,
    bound=11.0,
)


@pytest.fixture
def instance() -> Instance:
    return mecdsl.loads(TEXT).instance()


def test_a_right_answer_is_verified(instance: Instance) -> None:
    result = verify(instance, GOOD)
    assert result.verified
    assert result.guarantee is Guarantee.GLOBAL
    assert result.objective == 11.0
    assert result.gap == 0.0
    assert result.max_violation == 0.0
    assert result.exit_code == 0


def test_a_violated_constraint_is_named_with_its_unit(instance: Instance) -> None:
    result = verify(
        instance, replace(GOOD, values=np.array([3.0, 2.0]), objective=13.0, bound=13.0)
    )
    assert not result.verified
    assert result.guarantee is Guarantee.NONE
    assert "`sum_limit` is violated by 1 s" in result.faults[0]
    assert result.exit_code == 5


def test_a_violated_bound_and_integrality_are_found(instance: Instance) -> None:
    result = verify(
        instance, replace(GOOD, values=np.array([3.1, 0.9]), objective=11.1, bound=11.1)
    )
    broken = {v.family: v for v in result.violations if not v.accepted}
    assert set(broken) == {"bounds", "integrality"}
    assert broken["bounds"].amount == pytest.approx(0.1)
    assert broken["bounds"].member == "x"
    assert broken["integrality"].amount == pytest.approx(0.1)


def test_a_wrong_objective_is_a_fault(instance: Instance) -> None:
    result = verify(instance, replace(GOOD, objective=11.5, bound=11.5))
    assert not result.verified
    assert "claims objective 11.5, it is 11" in result.faults[0]


def test_an_objective_better_than_the_bound_is_a_fault(instance: Instance) -> None:
    result = verify(instance, replace(GOOD, bound=10.0))
    assert not result.verified
    assert "better than the claimed bound" in result.faults[0]


def test_global_optimality_is_not_granted_with_an_open_gap(instance: Instance) -> None:
    result = verify(instance, replace(GOOD, values=np.array([3.0, 0.0]), objective=9.0))
    assert result.verified
    assert result.guarantee is Guarantee.FEASIBLE
    assert result.termination is Termination.FINISHED
    assert result.gap == pytest.approx(2 / 11)


def test_points_that_are_not_numbers_or_too_short_are_refused(instance: Instance) -> None:
    for values in (np.array([math.nan, 1.0]), np.array([3.0])):
        result = verify(instance, replace(GOOD, values=values))
        assert not result.verified
        assert result.objective is None


def test_almost_whole_numbers_are_rounded_before_judging(instance: Instance) -> None:
    x = polish(instance, np.array([3.0 + 1e-9, 1.0 - 1e-7]))
    assert x.tolist() == [3.0, 1.0]


def test_rows_of_integers_alone_carry_no_tolerance() -> None:
    # 1000003 * n <= 3000000: n = 3 violates by 9, which is 1.5e-6 of the terms; n = 2 is the
    # optimum
    text = "var n : integer >= 0\nmaximize most = n\nconstraint room: 1000003*n <= 3000008.9\n"
    near = mecdsl.loads(text).instance()
    claim = Solution(
        backend="test",
        termination=Termination.OPTIMAL,
        guarantee=Guarantee.GLOBAL,
        values=np.array([3.0]),
        objective=3.0,
        bound=3.0,
    )
    result = verify(near, claim)
    assert not result.verified
    # the same row over a real variable is within the tolerance of a continuous solver
    real = mecdsl.loads(text.replace("integer ", "real ")).instance()
    assert verify(real, claim).verified


def test_a_residual_is_judged_against_the_terms_of_its_row() -> None:
    text = "var p : W >= 0\nminimize power = p\nconstraint floor: p >= 1e-15 W\n"
    tiny = mecdsl.loads(text).instance()
    wrong = Solution(
        backend="test",
        termination=Termination.OPTIMAL,
        guarantee=Guarantee.GLOBAL,
        values=np.array([0.9e-15]),
        objective=0.9e-15,
        bound=0.9e-15,
    )
    assert not verify(tiny, wrong).verified
    assert verify(
        tiny, replace(wrong, values=np.array([1e-15]), objective=1e-15, bound=1e-15)
    ).verified


def test_answers_without_a_point_keep_their_proof(instance: Instance) -> None:
    result = verify(
        instance,
        Solution(
            backend="test", termination=Termination.INFEASIBLE, guarantee=Guarantee.INFEASIBLE
        ),
    )
    assert result.guarantee is Guarantee.INFEASIBLE
    assert result.exit_code == 3
    assert result_json(result)["objective"]["value"] is None


def test_the_point_of_a_form_is_judged_on_the_model_too() -> None:
    # relaxed: x = 2.5 is best, on the integer model only integrality is broken
    text = (
        "var x : integer >= 0\nmaximize most = x\nconstraint c: 2*x <= 5\nform relaxed: relax x\n"
    )
    result = mecdsl.loads(text).solve("highs", form="relaxed")
    assert result.verified
    assert result.objective == pytest.approx(2.5)
    assert result.original is not None
    assert not result.original.kept
    assert [v.family for v in result.original.violations if not v.accepted] == ["integrality"]


@pytest.mark.parametrize(
    ("objective", "bound", "gap"),
    [(2.0, 1.0, 0.5), (1.0, 1.0, 0.0), (0.0, 0.0, 0.0), (None, 1.0, None), (1.0, None, None)],
)
def test_gap_is_relative_to_the_larger(
    objective: float | None, bound: float | None, gap: float | None
) -> None:
    assert ObjectiveSize().relative(objective, bound) == gap


# Cones t*s >= z^2, one of usual size and one whose variables are all but 0.
CONES = """
set N = 1..2
param gain[i in N] : 1 = 1
var t[i in N] : 1 >= 0
var s[i in N] : 1 in 0..1
var z[i in N] : 1 >= 0
minimize cost = sum(t[i] for i in N)
constraint cone[i in N]: gain[i]*t[i]*s[i] >= z[i]^2
"""


def cones(t: list[float], s: list[float], z: list[float], **data: object) -> bool:
    """Whether the points are accepted."""
    instance = mecdsl.loads(CONES, data=data).instance()
    claim = Solution(
        backend="test",
        termination=Termination.FINISHED,
        guarantee=Guarantee.FEASIBLE,
        values=np.array([*t, *s, *z]),
    )
    return verify(instance, claim).verified


def test_a_row_whose_terms_are_noise_is_judged_by_its_usual_size() -> None:
    # z = 1e-5 with t = 0: the row misses 0 by 1e-10, where a row of its family has terms of 1
    assert cones([1.0, 0.0], [1.0, 1e-9], [1.0, 1e-5])
    # by 1e-6 and 1e-4: not noise any more, neither beside 1 nor beside 0.1
    assert not cones([1.0, 0.0], [1.0, 1e-9], [1.0, 1e-3])
    assert not cones([1.0, 0.0], [1.0, 1e-9], [1.0, 1e-2])
    # the row of usual size has no such room
    assert not cones([1.0, 0.0], [1.0 - 2e-6, 1e-9], [1.0, 1e-5])


def test_rows_that_are_tiny_by_their_numbers_get_no_room_from_others() -> None:
    # the second row is made of 1e-15: with gain 1e-15 and z of the family up to 1, z[2]^2 = 1e-10
    # is far outside
    tiny = {"gain": [1.0, 1e-15]}
    assert cones([1.0, 1.0], [1.0, 1.0], [1.0, 1e-15**0.5], **tiny)
    text = """
var p : W in 0 W..0.2 W
var noise : W >= 0 W
minimize power = p
constraint received: 1e-12*p >= noise
"""
    for noise, fine in ((1e-13, True), (1.00001e-13, False), (1e-12, False)):
        instance = mecdsl.loads(text).instance()
        claim = Solution(
            backend="test",
            termination=Termination.FINISHED,
            guarantee=Guarantee.FEASIBLE,
            values=np.array([0.1, noise]),
        )
        assert verify(instance, claim).verified is fine
    # with nothing sent, noise of 1e-15 W is still noise that must not be there: 0.005 of what the
    # row usually has
    claim = Solution(
        backend="test",
        termination=Termination.FINISHED,
        guarantee=Guarantee.FEASIBLE,
        values=np.array([0.0, 1e-15]),
    )
    assert not verify(mecdsl.loads(text).instance(), claim).verified


def test_a_row_with_a_number_of_its_own_is_never_noise() -> None:
    # floors of 1e-15 W and 1 W in one family: the first is missed although 1e-15 is nothing beside
    # 1
    text = """
set N = 1..2
param least[i in N] : W = [1e-15 W, 1 W]
var p[i in N] : W >= 0 W
minimize power = sum(p[i] for i in N)
constraint floor_row[i in N]: p[i] >= least[i]
"""
    instance = mecdsl.loads(text).instance()
    for first, fine in ((1e-15, True), (0.0, False), (0.99e-15, False)):
        claim = Solution(
            backend="test",
            termination=Termination.FINISHED,
            guarantee=Guarantee.FEASIBLE,
            values=np.array([first, 1.0]),
        )
        assert verify(instance, claim).verified is fine


@pytest.mark.filterwarnings("error")
def test_residuals_that_are_not_finite_are_faults_and_not_warnings() -> None:
    text = (
        "var x : 1 >= 0\nvar y : 1 >= 0\nminimize z = x\nconstraint c: 1/x - 1/y <= "
        "3\nconstraint d: ln(y) <= 1/x\n"
    )
    for x in ([0.0, 0.0], [0.0, 1.0], [1.0, 0.0]):
        claim = Solution(
            backend="test",
            termination=Termination.FINISHED,
            guarantee=Guarantee.FEASIBLE,
            values=np.array(x),
        )
        result = verify(mecdsl.loads(text).instance(), claim)
        assert not result.verified or x == [1.0, 0.0]


@pytest.mark.slow
def test_cones_at_their_tips_are_accepted_from_the_solvers_that_stop_there() -> None:
    model = mecdsl.load(
        Path(__file__).resolve().parent.parent / "models" / "cooperative.mec", device_count=5
    )
    for backend, form, relax in (
        ("ipopt", "conic", True),
        ("ipopt", "rlt", True),
        ("bonmin", "conic", False),
    ):
        result = model.solve(backend, form=form, relax=relax)
        assert result.verified, (backend, form, result.faults)
