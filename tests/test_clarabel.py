"""Clarabel: what has a cone is solved to the optimum that is known or that Ipopt finds, with its
multipliers; what has none is refused by name; claims that there is no point are proven or not made.
"""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import mecdsl
from mecdsl.api import LoadedModel
from mecdsl.backend import Request
from mecdsl.backends.clarabel.backend import Clarabel
from mecdsl.backends.clarabel.functions import FUNCTIONS
from mecdsl.backends.clarabel.program import ConicProgram, conic_program
from mecdsl.certificates.lagrangian import flat_multipliers
from mecdsl.diagnostics import ModelError
from mecdsl.functions.function import Cone
from mecdsl.functions.table import TABLE
from mecdsl.proofs.confirm import confirmed
from mecdsl.proofs.convex_rows import convex_proof
from mecdsl.solution import Guarantee, SolveOptions, Termination

ROOT = Path(__file__).resolve().parent.parent
FOG = ROOT / "models" / "fog.mec"

BOX = "var x : 1 in 0.1..5\nvar y : 1 in 0.1..5\nvar z : 1 in -4..4\n"

# Optima by hand, of problems whose every constraint is stated
KNOWN = {
    # x + 1/x is least at 1, 2 y + 1/y at 1/sqrt(2)
    "minimize f = 1/x + 1/y + x + 2*y": 2.0 + 2.0 * math.sqrt(2.0),
    # x^2/y + y is least at y = x, and 2 x + 1/x at 1/sqrt(2)
    "minimize f = x^2/y + y + 1/x": 2.0 * math.sqrt(2.0),
    # of the budget 3 a third goes to x and two thirds to 2 y, as the exponents are: x = y = 1
    "maximize f = x^0.3*y^0.6\nconstraint c: x + 2*y <= 3": 1.0,
    "maximize f = sqrt(x*y)\nconstraint c: x + 2*y <= 3": 1.5 / math.sqrt(2.0),
    # e^-z + e^z/3: e^z = sqrt(3)
    "minimize f = exp(-z) + exp(z)/3": 2.0 / math.sqrt(3.0),
    # x ln x is least at 1/e
    "minimize f = x*ln(x) + y - z\nconstraint c: z <= 1": 0.1 - 1.0 - math.exp(-1.0),
    # cosh z - z is least at sinh z = 1: sqrt(2) - asinh 1
    "minimize f = cosh(z) - z": math.sqrt(2.0) - math.asinh(1.0),
    "minimize f = abs(z - 1) + max(x, 2*y) + 0*z": 0.2,
    # ln 3 + k: the largest of three equal exponentials
    "minimize f = logsumexp(z + 0*k for k in 1..3)": math.log(3.0) - 4.0,
    # 1/(x y) + x + 2 y: all three parts are equal, 3 (2)^(1/3)
    "minimize f = 1/(x*y) + x + 2*y": 3.0 * 2.0 ** (1.0 / 3.0),
    # |v| - w.v with |w| = 1 is least along w, where it is the offset -(1.2 + 0.8)
    "minimize f = hypot(x - 2, z - 1) - 0.6*x - 0.8*z": -2.0,
    "minimize f = max((x - k)^2 for k in 1..3)": 1.0,
}

# Ipopt says what comes out: a second tool
COMPARED = [
    "minimize f = (x-2)^2 + (y-1)^2 + x*y*0.1 - z\nconstraint c: x + y + z <= 2",
    "minimize f = x + y + z\nconstraint c: x^2 + 2*x*z + 3*z^2 + y^2 <= 4",
    "maximize f = ln(x) + 2*ln(y + 1) + ln(5+z)\nconstraint c: x + y + z <= 3",
    "maximize f = log2(1+x) + log10(y)\nconstraint c: x + y <= 3",
    "minimize f = x*ln(x) + y*ln(y) + z^2\nconstraint c: x + 2*y + z >= 2.5",
    "minimize f = x*ln(x/y) + 0.3*y + exp(z)",
    "maximize f = perspective(x, y) - 0.3*x - 0.2*y",
    "maximize f = x*ln(1 + y/x) - 0.3*x - 0.2*y",
    "maximize f = x*log2(1 + 5*y/x) - x - y",
    "minimize f = x*(2^(1/x) - 1) + 0.2*x",
    "minimize f = x*exp(z/x) + 0.2*x - z",
    "minimize f = quad_over_lin(z-1, y) + y + z^2",
    "minimize f = x^3/y^2 + y + 1/x",
    "minimize f = x^1.5 + y^3 - 2*x - 3*y + z^4 - z",
    "minimize f = x/(6-x) - 0.3*x + exp(z)",
    "minimize f = (x^2 + exp(z))^2 - x - z",
    "maximize f = ln(sqrt(x) + y^0.3) - 0.1*x - 0.2*y",
    "minimize f = exp(x^2 + 1/y) + y",
    "maximize f = prod(x + k for k in 1..3)^(1/3) - x*1.2",
    "minimize f = sum((if k > 1 then exp(k*z) else 1/(x+k)) for k in 1..3) + 0.2*x",
    "minimize f = exp(x) + exp(y) + exp(z)\nconstraint c: x + y + 2*z == 1",
    "minimize f = 3*x + 2*y\nconstraint c: perspective(x, y) >= 1\nconstraint d: 1/x <= y",
    "maximize f = x + y + z\nconstraint c[k in 1..2]: k*x^2 + exp(k*z) + sqrt(x^2 + y^2) <= 4*k",
]


@pytest.mark.parametrize("text", KNOWN)
def test_the_optimum_is_that_found_by_hand(text: str) -> None:
    result = mecdsl.loads(BOX + text).solve("clarabel")
    assert result.guarantee is Guarantee.GLOBAL
    assert result.verified
    assert result.objective == pytest.approx(KNOWN[text], rel=1e-6, abs=1e-7)


@pytest.mark.slow
@pytest.mark.parametrize("text", COMPARED)
def test_optimum_and_multipliers_are_those_of_ipopt(text: str) -> None:
    model = mecdsl.loads(BOX + text)
    result, other = model.solve("clarabel"), model.solve("ipopt")
    assert result.guarantee is Guarantee.GLOBAL
    assert result.gap is not None
    assert result.gap <= 1e-6
    assert result.objective == pytest.approx(other.objective, rel=1e-6, abs=1e-7)
    for name in result.solution.multipliers:
        assert result.multiplier(name) == pytest.approx(other.multiplier(name), abs=1e-4)


# Multipliers and bounds ---------------------------------------------------------------------------


def test_a_multiplier_is_what_a_larger_right_hand_side_costs() -> None:
    # minimise 1/x with x <= b: the optimum is 1/b, its derivative -1/b^2. With x >= b instead, of
    # minimise exp(x), it is exp(b). Maximise ln x with x == b: 1/b.
    for goal, relation, wanted in (
        ("minimize f = 1/x", "<=", -0.25),
        ("minimize f = exp(x)", ">=", math.exp(2.0)),
        ("maximize f = ln(x)", "==", 0.5),
        ("minimize f = x^2", ">=", 4.0),
    ):
        text = f"{BOX}{goal}\nconstraint c: x {relation} 2"
        result = mecdsl.loads(text).solve("clarabel")
        assert result.multiplier("c") == pytest.approx(wanted, rel=1e-5)


def test_a_quadratic_row_has_a_multiplier() -> None:
    # maximise x + y on x^2 + y^2 <= r: sqrt(2 r), derivative 1/sqrt(2 r) = 1/2 at r = 2
    text = BOX + "maximize f = x + y\nconstraint c: x^2 + y^2 <= 2"
    result = mecdsl.loads(text).solve("clarabel")
    assert result.objective == pytest.approx(2.0)
    assert result.multiplier("c") == pytest.approx(0.5, rel=1e-5)


# Cones --------------------------------------------------------------------------------------------


def cones_of(text: str) -> tuple[Cone, ...]:
    program = conic_program(mecdsl.loads(text).instance())
    assert isinstance(program, ConicProgram)
    return program.cones


def test_the_answer_is_labelled_with_its_cones() -> None:
    result = mecdsl.loads(BOX + "minimize f = exp(x) + y^3 + 1/x").solve("clarabel")
    assert result.solution.label == "clarabel: cones linear, second order, exponential, power"
    assert cones_of(BOX + "minimize f = x^2 + y") == (Cone.LINEAR,)  # a quadratic objective is none
    assert cones_of(BOX + "minimize f = x^4 + y") == (Cone.LINEAR, Cone.POWER)


def test_every_function_with_a_cone_in_the_table_has_one_here() -> None:
    assert set(FUNCTIONS) == {name for name, row in TABLE.items() if row.cone is not None}


ARGUMENTS = {"perspective": "x, y", "quad_over_lin": "x, y", "min": "x, y", "max": "x, y"}
CONCAVE = ("ln", "sqrt", "min", "perspective")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_cone_of_a_function_is_that_of_the_table(name: str) -> None:
    sense, arguments = ("maximize" if name in CONCAVE else "minimize"), ARGUMENTS.get(name, "z+9")
    cones = cones_of(f"{BOX}{sense} f = {name}({arguments})")
    row = TABLE[name]
    assert row.cone in cones
    assert set(cones) <= {Cone.LINEAR, row.cone}


# Refusals -----------------------------------------------------------------------------------------


def refusal(text: str) -> str:
    with pytest.raises(ModelError) as caught:
        mecdsl.loads(BOX + text).solve("clarabel")
    (fault,) = caught.value.diagnostics
    assert fault.code == "E502"
    return fault.message


def test_a_part_without_a_cone_is_named_with_its_line() -> None:
    found = refusal("minimize f = exp(y)\nconstraint c: y - erf(x) <= 3")
    assert found == "`clarabel` has no cone for `erf(x)`: `erf` has none, line 5"
    assert "has no cone for `tanh(x)`" in refusal("maximize f = tanh(x) - y")


def test_what_is_not_proven_convex_is_refused_with_the_part() -> None:
    assert "proven convex: `f`: " in refusal("minimize f = x^2*y^2 + exp(z)")
    assert "1 variables are integer" in refusal("var n : integer in 0..3\nminimize f = exp(z) + n")


def test_other_backends_are_named() -> None:
    with pytest.raises(ModelError) as caught:
        mecdsl.loads(BOX + "maximize f = tanh(x) - y").solve("clarabel")
    assert "ipopt" in str(caught.value)


def test_it_has_no_starts_and_takes_no_unknown_option() -> None:
    model = mecdsl.loads(BOX + "minimize f = exp(x)")
    with pytest.raises(ModelError, match="no option `pace`"):
        model.solve("clarabel", raw={"pace": 1})
    with pytest.raises(ModelError, match="no option `max_iter` that takes `many`"):
        model.solve("clarabel", raw={"max_iter": "many"})
    with pytest.raises(ModelError, match="takes arrays only"):
        model.solve("clarabel", via="pyomo")


# Ends ---------------------------------------------------------------------------------------------

APART = {
    "linear": "constraint a: x + y + z >= 5\nconstraint b: x + y <= 2\nconstraint c: z <= 2",
    "quadratic": "constraint a: x^2 + y^2 + z^2 <= 1\nconstraint b: x + y + z >= 1.75",
    "equality": "constraint a: exp(x) <= y\nconstraint b: x + y == 1.1",
    "logarithm": "constraint a: ln(x) + ln(y) >= 2.8\nconstraint b: x + y <= 8",
}


@pytest.mark.parametrize("text", APART.values(), ids=APART)
@pytest.mark.parametrize("goal", ["minimize f = exp(x)", "maximize f = ln(x) - y"])
def test_the_multipliers_of_no_point_are_a_proof(goal: str, text: str) -> None:
    request = Request(mecdsl.loads(f"{BOX}{goal}\n{text}").instance(), SolveOptions())
    claim = Clarabel().solve(request)
    assert claim.termination is Termination.INFEASIBLE
    assert convex_proof(request, claim)
    turned = {name: -values for name, values in claim.multipliers.items()}
    assert not convex_proof(request, replace(claim, multipliers=turned))
    assert not convex_proof(request, replace(claim, multipliers={}))


def test_multipliers_prove_nothing_where_there_is_a_point() -> None:
    circle = "minimize f = exp(x)\nconstraint a: x^2 + y^2 <= 1\nconstraint b: x + y >= 1.41"
    instance = mecdsl.loads(BOX + circle).instance()
    request = Request(instance, SolveOptions())
    found = Clarabel().solve(request)
    assert found.values is not None
    for scale in (1e-3, 1.0, 1e3):
        own = {"a": np.array([-scale]), "b": np.array([scale])}
        assert flat_multipliers(instance, own) is not None
        assert not convex_proof(request, replace(found, multipliers=own))


def test_a_claim_that_nothing_proves_is_not_believed() -> None:
    feasible = Request(mecdsl.loads(BOX + "minimize f = exp(x)").instance(), SolveOptions())
    claim = replace(
        Clarabel().solve(feasible),
        values=None,
        multipliers={},
        termination=Termination.INFEASIBLE,
        guarantee=Guarantee.INFEASIBLE,
    )
    found = confirmed(feasible, claim)
    assert found.guarantee is Guarantee.LOCALLY_INFEASIBLE
    assert "finds a point that keeps the model" in found.message


@pytest.mark.parametrize(
    "text",
    ["minimize f = exp(x) - w", "maximize f = ln(w + 1)", "minimize f = x^2 + w"],
)
def test_no_end_is_proven_by_a_ray(text: str) -> None:
    sign = "" if "minimize f = x" not in text else "-"
    model = mecdsl.loads(f"{BOX}var w : 1 {'<=' if sign else '>='} 0\n{text}")
    assert model.solve("clarabel").termination is Termination.UNBOUNDED


def test_nothing_to_decide() -> None:
    fixed = BOX + "minimize f = exp(x)*y + z\nform at {\nfix x = 1\nfix y = 2\nfix z = 3\n}"
    result = mecdsl.loads(fixed).solve("clarabel", "at")
    assert result.objective == pytest.approx(2.0 * math.e + 3.0)
    assert result.guarantee is Guarantee.GLOBAL


def test_limits_and_interrupts_give_no_false_answer() -> None:
    model = mecdsl.loads(BOX + "minimize f = exp(x) + y^3 + 1/x")
    found = model.solve("clarabel", raw={"max_iter": 1})
    assert found.termination is Termination.ITERATION_LIMIT
    request = Request(model.instance(), SolveOptions(), should_stop=lambda: True)
    assert Clarabel().solve(request).termination is Termination.INTERRUPTED


# The paper's problem ------------------------------------------------------------------------------


def fog() -> LoadedModel:
    return mecdsl.load(FOG)


def test_fog_is_solved_as_by_the_algorithm_derived_for_it() -> None:
    result, derived = fog().solve("clarabel"), fog().solve("fog-newton")
    assert result.guarantee is Guarantee.GLOBAL
    assert result.objective == pytest.approx(derived.objective, rel=1e-6)
    for name in ("fog_node.rows", "layer_pack.time"):
        assert result[name] == pytest.approx(derived[name], rel=1e-2)
    assert result.multiplier("deadline") == pytest.approx(derived.multiplier("deadline"), rel=1e-3)
    program = conic_program(fog().instance())
    assert isinstance(program, ConicProgram)
    assert program.cones == (Cone.LINEAR, Cone.EXPONENTIAL, Cone.POWER)
    # 10 nodes and 3 layers: a cube over a square for each pair, a rate for each of 63 links
    counts = [(block.cone, block.count) for block in program.blocks]
    assert sum(count for cone, count in counts if cone is Cone.POWER) == 30
    assert sum(count for cone, count in counts if cone is Cone.EXPONENTIAL) == 63


@pytest.mark.parametrize("seed", [1, 2])
def test_fog_with_other_data(seed: int) -> None:
    model = mecdsl.load(FOG, node_count=4, seed=seed)
    result, derived = model.solve("clarabel"), model.solve("fog-newton")
    assert result.guarantee is Guarantee.GLOBAL
    assert result.objective == pytest.approx(derived.objective, rel=1e-6)


def test_a_deadline_that_is_too_short_is_proven() -> None:
    result = mecdsl.load(FOG, latency="20 ms").solve("clarabel")
    assert result.guarantee is Guarantee.INFEASIBLE
