"""What a label says must hold: no proven bound is beaten, no infeasible problem has a point, no
optimum is improved.

Random models are solved by every general backend that takes them; each answer is held against the
verified points of the others, and against random points evaluated by NumPy.
"""

import math

import numpy as np
import pytest

import mecdsl
from mecdsl.certificates.kkt import kkt
from mecdsl.results.gap import ObjectiveSize
from mecdsl.results.result import Result
from mecdsl.results.violations import find_violations
from mecdsl.solution import Guarantee, Termination
from mecdsl.solve import takes
from tests.random_models import RandomModel, random_model
from tests.waiting import PATIENCE

BACKENDS = ("highs", "ipopt", "clarabel", "scip", "bonmin")
TOLERANCE = 1e-5  # of the objective: points may keep their rows to 1e-6 only
NEAR_ZERO = 1e-7  # of an objective whose terms are near one


def lies(model: RandomModel, seed: int) -> list[str]:
    """Every label that another backend's point, or a random one, refutes."""
    loaded = mecdsl.loads(model.text)
    instance = loaded.instance()
    results = {
        name: loaded.solve(name, time_limit=2.0) for name in BACKENDS if takes(name, instance)
    }
    points = {
        name: float(result.objective or 0.0) for name, result in results.items() if result.verified
    }
    found = model.best_point(seed)
    if found is not None:
        x = np.zeros(instance.columns)
        for i, value in enumerate(found[0]):
            x[instance.variable(f"x{i}").columns] = value
        assert instance.objective(x) == pytest.approx(found[1], rel=1e-9, abs=1e-9)
        if all(violation.accepted for violation in find_violations(instance, x)):
            points["random points"] = found[1]
    return [
        f"{name} says {result.guarantee.value}, {result.objective}, bound {result.bound}; "
        f"{other} has {value}"
        for name, result in results.items()
        for other, value in points.items()
        if refuted(model, result, value)
    ]


def refuted(model: RandomModel, result: Result, value: float) -> bool:
    if result.guarantee is Guarantee.INFEASIBLE:
        return True
    claims = [result.bound] if result.verified else []
    claims += [result.objective] if result.guarantee is Guarantee.GLOBAL else []
    sign = -1.0 if model.maximize else 1.0
    return any(
        sign * (claim - value) > max(TOLERANCE * max(abs(claim), abs(value)), NEAR_ZERO)
        for claim in claims
        if claim is not None and math.isfinite(claim)
    )


@pytest.mark.slow
@pytest.mark.parametrize("first", range(0, 40, 10))
def test_no_label_is_refuted(first: int) -> None:
    for seed in range(first, first + 10):
        model = random_model(seed)
        assert not lies(model, seed), f"seed {seed}\n{model.text}"


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1000, 1400, 20))
def test_no_label_of_many_models_is_refuted(first: int) -> None:
    for seed in range(first, first + 20):
        model = random_model(seed)
        assert not lies(model, seed), f"seed {seed}\n{model.text}"


def solve(text: str, backend: str) -> Result:
    return mecdsl.loads("model m\n" + text).solve(backend, time_limit=PATIENCE)


# Answers that were wrong. All of these models have a feasible point, and none of them with a pole
# has an optimum of the kind that was claimed.


@pytest.mark.parametrize(
    "text",
    [
        "var y : 1 >= 0 <= 4\nmaximize z = 1/y",  # y = 1
        # y = 1, x = 1
        "var y : 1 >= 0 <= 4\nvar x : 1 >= 0\nmaximize z = -ln(y)\nconstraint c: x + y >= 2",
        # x = 0, y = 1, k = 1: 4 <= 8
        "var x : binary\nvar y : binary\nvar k : integer in 0..3\nmaximize z = k\nconstraint "
        "c: 4*k^2 - 3*x/y <= 8",
        # x = 0, y = 1: perspective(0, e) is 0
        "var x : binary\nvar y : binary\nmaximize z = perspective(x, y) - x\nconstraint c: x "
        "+ y <= 1.2",
    ],
)
def test_scip_proves_no_infeasibility_at_a_pole(text: str) -> None:
    found = solve(text, "scip")
    assert found.guarantee is not Guarantee.INFEASIBLE


def test_infeasible_rows_without_a_pole_are_proven_beside_a_pole() -> None:
    found = solve(
        "var y : 1 >= 0\nvar k : integer in 0..9\nminimize z = 1/y\nconstraint c: 2*k == 3", "scip"
    )
    assert found.guarantee is Guarantee.INFEASIBLE


def test_scip_proves_no_optimum_where_a_pole_helps() -> None:
    # x = 1, y = 0.5 is feasible, and so is any smaller y > 0; SCIP said 1
    found = solve(
        "var x : 1 >= 0.1 <= 1\nvar y : 1 >= 0 <= 1\nminimize z = y\nconstraint c: x/y >= 0.5",
        "scip",
    )
    assert found.guarantee is Guarantee.FEASIBLE
    assert found.bound is None


def test_a_convex_pole_keeps_the_proof() -> None:
    # y + 1/y is least at y = 1
    found = solve("var y : 1 >= 0 <= 4\nminimize z = y + 1/y", "scip")
    assert found.guarantee is Guarantee.GLOBAL
    assert found.objective == pytest.approx(2.0)


def test_a_quotient_of_integers_is_not_unbounded() -> None:
    # x^2/y is 1 at x = y = 1 and 0 at x = 0, y = 1; at y = 0 it has no value but for x = 0
    text = (
        "var x : integer in 0..1\nvar y : binary\nmaximize z = 3*y + quad_over_lin(x, "
        "y)\nconstraint c: 5*x <= 0.6"
    )
    assert solve(text, "scip").guarantee is not Guarantee.UNBOUNDED


def test_a_square_over_itself_is_the_variable() -> None:
    # 6 x + x is largest at the limit 3
    assert solve(
        "var x : 1 >= 0 <= 3\nmaximize z = quad_over_lin(x, x) + 6*x", "scip"
    ).objective == pytest.approx(21.0)


@pytest.mark.parametrize("backend", ["scip", "bonmin"])
def test_a_bound_that_stands_for_none_spoils_no_scale(backend: str) -> None:
    # n = 2, and (11 x - 2)^2 is 0 at x = 2/11; 0.04*16 + 12 = 12.64
    text = (
        "var n : integer in 2..7\nvar x : 1 >= 0 <= 1e20\nminimize z = 6*n + 1.7*(11*x - "
        "2)^2 + 0.04*n^4"
    )
    assert solve(text, backend).objective == pytest.approx(12.64, rel=1e-5)


@pytest.mark.parametrize("backend", ["highs", "scip", "ipopt"])
def test_nor_does_it_in_a_linear_program(backend: str) -> None:
    # x = 4
    text = "var x : 1 >= 0 <= 1e20\nvar y : 1 >= 0 <= 2\nminimize z = -2*x\nconstraint c: -3*x - y >= -12"
    assert solve(text, backend).objective == pytest.approx(-8.0)


def test_bonmin_proves_no_infeasibility_of_an_unbounded_problem() -> None:
    # x = 0, y any, k = 0 are feasible
    text = (
        "var x : 1 >= 0\nvar y : 1\nvar k : binary\nmaximize z = 4*y - 8*x^2\nconstraint "
        "c: x + k <= 0"
    )
    assert solve(text, "bonmin").guarantee is not Guarantee.INFEASIBLE


def test_a_product_far_below_its_middle_is_not_certified() -> None:
    # 1.0105^60 is 1.87, the optimum 1; at the middle of the bounds the product is 1.5^60 = 4e10
    instance = mecdsl.loads(
        "nodes f[k in 1..60] { var x : 1 >= 1 <= 2 }\nminimize p = prod(k.x for k in f)"
    ).instance()
    wrong = kkt(instance, np.full(60, 1.0105), np.zeros(0))
    right = kkt(instance, np.full(60, 1.0), np.zeros(0))
    assert wrong is not None
    assert right is not None
    assert not wrong.accepted
    assert right.accepted


@pytest.mark.parametrize(
    ("formula", "x", "accepted"), [("x^2", 1e-9, True), ("x^4", 1e-3, True), ("x^2", 1e-3, False)]
)
@pytest.mark.slow
def test_an_optimum_of_zero_has_the_size_of_its_surroundings(
    formula: str, x: float, accepted: bool
) -> None:
    found = kkt(
        mecdsl.loads(f"var x : 1\nminimize z = {formula}").instance(), np.array([x]), np.zeros(0)
    )
    assert found is not None
    assert found.accepted is accepted


def test_gaps_at_zero_are_relative_to_the_terms() -> None:
    small = ObjectiveSize(least=lambda: 1.0)
    assert ObjectiveSize().relative(1e-11, -1e-9) == pytest.approx(1.0, rel=0.02)
    assert small.relative(1e-11, -1e-9) == pytest.approx(1e-9, rel=0.02)
    assert small.relative(2.0, 1.0) == 0.5
    # (x - 3 k)^2 is 0 at x = 3, k = 1
    text = "var x : 1 >= 0 <= 10\nvar k : integer in 1..4\nminimize z = (x - 3*k)^2 + 2*(x - 3)^2"
    found = solve(text, "scip")
    assert (found.guarantee, found.termination) == (Guarantee.GLOBAL, Termination.OPTIMAL)
