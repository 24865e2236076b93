"""Small texts that once ended in an exception of Python or did not end: each must end in a
diagnostic or an answer.

What is right is the absence of a finding of `tests.fuzz.stages`: no other exception than
`ModelError`, no warning, JSON without NaN and Infinity, data that read back, no stage of more than
ten seconds of processor time.
"""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyscipopt
import pytest

from mecdsl.api import loads
from mecdsl.backends.shared.scaled_pyomo import scaled_pyomo
from mecdsl.command_line.main import main
from mecdsl.diagnostics import ModelError
from mecdsl.instances.instance import Instance
from mecdsl.output.text.instance import instance_text
from mecdsl.reduction.reduced import reduce_instance
from mecdsl.solution import Guarantee
from tests.fuzz.draw import ROOT, Input
from tests.fuzz.stages import run

CASES = sorted((Path(__file__).parent / "crashes").glob("*.mec"))
SECONDS = 10.0

KINDS = {
    "a power of zero holds no variable": """
        var x : integer in 1..3
        minimize goal = exp(x)
        constraint c: x + exp(x) >= max(x, 2)^0""",
    "a definition of steps under an empty family": """
        nodes N[k in 1..0]
        var x : in 0..2
        let steps = min(round(x), 1) + ceil(x)
        minimize goal = exp(x)
        constraint c[k in N]: exp(x) >= 1/max(steps, 1)""",
    "the least of one, row by row": """
        nodes N[k in 1..3] { var load : in 1..2 }
        var x : in 0..5
        minimize goal = x
        constraint c[k in N]: x >= 1/min(N.load[k] for z in 1..1)""",
    "the greatest of a fixed variable": """
        var x[i in 1..2] : binary
        var y : >= 1
        minimize goal = y
        constraint c: max(2, x[1], x[2]) <= y^2
        form all_fixed: fix x[q] = 1""",
    "an infinite right side of a nonlinear row": """
        var x : in 1..3
        minimize goal = x
        constraint c: x/(x + 1) <= inf
        constraint d: x/x == -inf""",
    "division by a number that is zero, inside exp": """
        param none : 1 = 0
        var x : in 1..3
        minimize goal = exp(x/none)""",
    "quad_over_lin over an empty sum": """
        var x : in 1..3
        minimize goal = exp(x)
        constraint c: quad_over_lin(x, sum(2 for z in {})) / x <= 1""",
    "zero to a power of a variable": """
        var x : binary
        minimize goal = 0^(x/4)""",
    "a power too large for a double": """
        var x : in -1..2
        minimize goal = x
        constraint c: 2 <= 3 - max(x^1e3, x) <= 4""",
    "no argument at all": "param p : 1 = max()\nminimize goal = min() + p",
    "a constant objective that is no number": "param p : 1 = -1\nvar x : 1\nmaximize goal = (p)^0.5",
    "a quotient of a zero and a variable": """
        var x : >= 0
        minimize goal = x - 1/((-0.0)/x * 2)""",
    "a power of a power of a power, linearised": """
        var x : integer in 0.5..2.5
        param top : 1 = 2
        var y : in 0..top + 1
        minimize goal = ((x^4)^2)^2 + (y^4)^4
        form linear: linearize all""",
    "a power of a long sum, linearised": """
        var x : in 0..1
        var y : in 0..1
        minimize goal = ((x + y + x*y + 1)^4)^4
        form linear: linearize all""",
    "a product with a definition that was linearised": """
        var x : integer in 1..4
        param p : 1 = 2
        let d = 1/(x^3 - 0.5)
        minimize goal = x
        constraint c: (x + d)*(if p == 2 then x else x) <= 9
        form linear: linearize x*x""",
    "products under a condition that never holds": """
        var x : in -1..2
        var y : in 0..4
        let high = (if 1 != 3 then y else (2*x + 10)^4)
        minimize goal = high
        form linear: linearize all""",
    "an endless right side, scaled": """
        var x : in 0..3
        var y : in 4294967296..4294967298
        minimize goal = y
        constraint c: x/x == inf""",
    "an equality whose terms are beyond all doubles": """
        var x : in 0..1e308
        var y : in 1..2
        maximize goal = exp(y)
        constraint c: 10*x == 0.5
        constraint d: min(x, y) == 5""",
    "a choice between parts too far apart for a double": """
        var x : in 0..1e308
        maximize goal = x
        var y : in 0..1
        constraint c: abs(y - x) == 1""",
    "a root of a negative number, scaled": """
        var x : in 1e-12..1
        var y : in 2..2
        minimize goal = 1/x
        constraint c: sqrt(perspective(0, x) - 1) >= y
        form fixed: fix y = 2""",
    "a count of nothing beside a variable": """
        nodes N[k in 1..0]
        var x : >= 2
        let zero = 1e15^(1/x)*0
        minimize goal = if 1 != 2 then count(k < 2 for k in N) else 2*zero""",
    "an infinite exponent": """
        var x : in 1..2
        minimize goal = x^inf + 2
        constraint c: x <= 2""",
    "a switched row of variables that a form fixes": """
        var x : in 0..2
        var on : binary
        let load = 2*x
        minimize goal = x - on
        constraint c when on: load >= 3
        form fixed: fix x = 1""",
    "curved definitions that add themselves up": "var x : in 0..1\nlet d0 = exp(x)\n"
    + "".join(f"let d{i} = d{i - 1} + d{i - 1}\n" for i in range(1, 40))
    + "minimize goal = d39\nconstraint c: d39 >= 1",
    "a row of the least doubles": """
        param least : 1 = 5e-324
        var x : binary
        var y : integer in 0..4
        maximize goal = y
        constraint c: 2*least*x == y""",
    "an objective beyond the numbers of SCIP": """
        var x[i in 1..3] : in 0..1e-308
        minimize goal = max(1 + x[1], x[3]*0.5*x[1])""",
    "a power that is a number": """
        var x : in 1..3
        maximize goal = -(x^perspective(0, 1)*perspective(x^perspective(0, 1), 2))^3 - x^3""",
    "definitions that double": "var x : in 0..1\nvar b : binary\nlet d0 = x\n"
    + "".join(f"let d{i} = d{i - 1} + d{i - 1}\n" for i in range(1, 40))
    + "minimize goal = d39\nconstraint c when b: d39 >= 1\nconstraint e: d39*d39 <= x",
    "curved definitions that double": "var x : in 0..1\nvar n : integer in 0..1\nlet d0 = exp(x)\n"
    + "".join(f"let d{i} = exp(-d{i - 1})*sqrt(d{i - 1} + 1)\n" for i in range(1, 40))
    + "minimize goal = d39\nconstraint c: d39 + n >= d38",
    "products of ranges with data": "param p : 1 = 2\nvar b : binary\n"
    + "".join(f"var x{i} : in -p..p + 1\n" for i in range(12))
    + "minimize goal = x1\nconstraint c when b: "
    + "*".join(f"x{i}" for i in range(12))
    + " >= 1",
    "a constant that leaves the doubles where its row is scaled": """
        var x : in 0..1e-308
        minimize goal = x
        constraint c: x >= 1e308""",
    "a coefficient that leaves the doubles where its row is scaled": """
        var x : in 0..1e-308
        var b : binary
        minimize goal = b - x
        constraint c: x <= 1e308*b""",
    "an offset that leaves the doubles where the objective is scaled": """
        var x : in 0..1e-200
        minimize goal = 1e308 + x
        constraint c: x >= 0.5e-200""",
    "an upper bound that leaves the doubles where its column is scaled": """
        var x : in 0..1e308
        var y : 1
        minimize goal = y
        constraint c: y >= 1e-6*x
        start x = 0.5""",
    "a lower bound that leaves the doubles where its column is scaled": """
        var x : >= 1e308
        var y : >= 0
        minimize goal = y + 1
        constraint c: y >= 1e-300*x
        start x = 1e-200""",
    "a row of numbers whose difference leaves the doubles": """
        var x : in 0..1
        minimize goal = x
        constraint c: 1.7e308 >= -1.7e308
        constraint d: -1.7e308 <= 1.7e308 + 0*x""",
    "a bound that is infinite the wrong way": """
        var load : in 0..1
        var x : in quad_over_lin(10, 5e-324)..2
        var y : 1
        minimize goal = y
        constraint c: x == 2*y
        constraint d: load/y >= y + x""",
    "steps in a curved row of an empty family, scaled": """
        nodes N[k in 1..0]
        var x : >= 0
        var y : >= 1e9
        let steps = floor(max(x, 1))
        maximize goal = quad_over_lin(1, 2*y)
        constraint c[k in N]: prod(4*y for z in N) + y == steps""",
    "nested choices": "param p : 1 = 1\nvar x : in 0..1\nminimize goal = "
    + "(if p > 0 then x + " * 25
    + "x"
    + " else x)" * 25,
}


@pytest.mark.slow
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_known_crashes_end_in_an_answer(path: Path) -> None:
    _none_found(path.read_text(encoding="utf-8"))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_their_kinds_end_in_an_answer(kind: str) -> None:
    lines = [line.strip() for line in KINDS[kind].strip().split("\n")]
    _none_found("\n".join(lines))


def _none_found(text: str, solved: bool = True) -> None:
    for number in (0, 6):  # which decides about the kinds of files
        given = Input(number, text, ROOT / "models", solved and number == 0, False)
        done = run(given, SECONDS)
        assert not done.findings, done.findings[0].detail


def _instance(text: str) -> Instance:
    return loads(text).instance()


def test_what_is_said_of_an_empty_list_of_arguments() -> None:
    with pytest.raises(ModelError, match="`min` takes at least 1 argument, found 0"):
        loads("var x : in min()..3\nminimize goal = x").checked()


def test_infinite_data_are_refused_by_the_data_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "m.mec"
    path.write_text("param p : 1 = inf\nvar x : 1 >= 0\nminimize goal = x", encoding="utf-8")
    with pytest.raises(SystemExit) as end:
        main(["data", str(path)])
    assert end.value.code == 1
    assert "`p` is inf, which no data file may hold" in capsys.readouterr().err


FIXED = (
    "var n : integer in 0..3\nvar x[i in 1..3] : in 0..3\nminimize goal = x[1] + n\nform "
    "f {{\n fix n = 2\n {}\n}}"
)


@pytest.mark.parametrize(
    ("statement", "place"),
    [
        ("replace minimize goal = x[n]", "an index"),
        ("replace minimize goal = sum(x[i] for i in 1..n)", "a set"),
        ("replace minimize goal = if n > 1 then x[1] else x[2]", "the condition of an `if`"),
        ("replace minimize goal = x[1] + count(n > i for i in 1..3)", "`count`"),
        ("add constraint c[k in 1..n]: x[k] >= 1", "a set"),
        ("add param q : 1 = n + 1", "a parameter"),
        ("add var q : <= n", "a bound"),
        ("fix x[i] = n", "a given value"),
    ],
)
def test_a_fixed_variable_is_no_data(statement: str, place: str) -> None:
    with pytest.raises(ModelError, match=f"`n` depends on variables and cannot stand in {place}"):
        loads(FIXED.format(statement)).checked("f")


def test_a_fixed_variable_is_a_number_in_rows() -> None:
    # 2 x1 >= 3 with n = 2, so x1 = 1.5 and the goal 3.5
    found = loads(FIXED.format("add constraint c: n*x[1] >= 3")).solve(form="f")
    assert found.objective == pytest.approx(3.5)


def test_a_variable_is_not_fixed_by_itself() -> None:
    with pytest.raises(ModelError, match="`x` depends on variables"):
        loads("var x : in 0..3\nminimize goal = x\nform f: fix x = x + 1").checked("f")


def test_definitions_that_double_have_the_right_optimum() -> None:
    # each doubles the one before, so 39 steps make 2^39; x >= 2 leaves 2^40, exactly a double
    doubled = "".join(f"let d{i} = d{i - 1} + d{i - 1}\n" for i in range(1, 40))
    rest = "minimize goal = d39\nconstraint c: d39*d39 + b >= 1"
    model = loads(f"var x : in 2..3\nvar b : binary\nlet d0 = x\n{doubled}{rest}")
    for backend in ("scip", "bonmin"):
        assert model.solve(backend).objective == pytest.approx(2.0**40)


@pytest.mark.slow
def test_what_is_too_long_written_out_is_left_to_solvers_that_share_parts() -> None:
    # of the two values of n the better one, by 39 steps of plain arithmetic
    doubled = "".join(f"let d{i} = exp(-d{i - 1})*sqrt(d{i - 1} + 1)\n" for i in range(1, 40))
    model = loads(f"var n : integer in 0..1\nlet d0 = exp(n)\n{doubled}minimize goal = d39")
    with pytest.raises(
        ModelError, match="`goal`: more than 1000000 parts with its definitions written out"
    ):
        model.solve("scip")
    least = min(_last(math.exp(n)) for n in (0, 1))
    assert model.solve("bonmin").objective == pytest.approx(least)


def _last(value: float) -> float:
    for _ in range(39):
        value = math.exp(-value) * math.sqrt(value + 1)
    return value


class _Refusing(pyscipopt.Model):
    def addCons(self, *given: Any, **named: Any) -> Any:  # noqa: N802
        raise Warning("SCIP: error in input data!")


def test_a_row_that_scip_refuses_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mecdsl.backends.scip.model.Model", _Refusing)
    with pytest.raises(
        ModelError, match="`scip` does not take a row of `c`: SCIP: error in input data!"
    ):
        loads("var x : integer in 0..3\nmaximize goal = x\nconstraint c: exp(x) <= 9").solve("scip")


def test_a_power_of_zero_is_one_everywhere() -> None:
    # x^0 = 1, so the least value of x + x^0 over 2..3 is 3
    assert loads(
        "var x : in 2..3\nminimize goal = x + max(x, 1)^0"
    ).solve().objective == pytest.approx(3)


def test_the_least_of_one_bends_as_it_does() -> None:
    # each row says x >= 1/load with load in 1..2: convex, as 1/load is
    model = loads(
        "nodes N[k in 1..3] { var load : in 1..2 }\nvar x : in 0..5\nminimize goal = x\n"
        "constraint c[k in N]: x >= min(1/N.load[k] for z in 1..1)"
    )
    assert model.problem().families[0].convex is True


def test_linear_relaxation_of_a_high_power_is_a_bound() -> None:
    # McCormick's rows of x^4 over 1..2 leave no value below 1 = 1^4, which x = 1 has
    result = loads("var x : in 1..2\nminimize goal = (x^2)^2\nform f: linearize all").solve(
        form="f"
    )
    assert result.objective == pytest.approx(1)


def test_a_row_of_steps_is_refused_with_the_reason() -> None:
    # no backend has floor; each says so, and none ends in a KeyError
    with pytest.raises(ModelError, match="floor"):
        loads("var n : integer in 0..9\nmaximize goal = floor(n/2)\nconstraint c: n <= 7").solve()


def test_a_warm_start_that_breaks_a_row_says_so() -> None:
    model = loads("var x : s in 0 s..9 s\nminimize goal = x\nconstraint least: x >= 4 s")
    broken = model.solve(start=np.array([1.0]), backend="highs")
    assert broken.objective == pytest.approx(4)
    assert any("the warm start breaks `least` by 3 s" in note for note in broken.notes)
    assert not model.solve(start=np.array([5.0]), backend="highs").notes


def test_json_says_what_is_proven_and_by_whom() -> None:
    found = loads("var x : >= 2\nminimize goal = 3*x").solve("highs").as_dict()["proven"]
    assert found == {
        "optimum": True,
        "bound": True,
        "infeasible": False,
        "unbounded": False,
        "by": "highs",
    }
    nothing = loads("var x : in 0..3\nvar y : in 0..3\nminimize goal = x*y - y*y*x").solve("ipopt")
    assert nothing.as_dict()["proven"]["by"] is None


def test_backends_say_what_they_may_prove(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["backends", "--json"])
    listed = {b["name"]: b for b in json.loads(capsys.readouterr().out)["backends"]}
    assert listed["scip"]["proves"] == ["optimum", "bound"]
    assert listed["ipopt"]["proves"] == listed["ipopt"]["proves_where_convex"] == []
    assert (
        listed["bonmin"]["proves"] == []
    )  # its nodes are local optima, which bound nothing of a nonconvex problem
    assert listed["bonmin"]["proves_where_convex"] == ["optimum", "bound"]


def test_bonmin_proves_what_it_is_said_to_prove() -> None:
    # (n - 1.3)^2 is least at n = 1; n^4 - 9n^2 over -3..3 at n = 2, 16 - 36 = -20, which no local
    # solver proves
    convex = loads("var n : integer in 0..3\nminimize goal = (n - 1.3)^2").solve("bonmin")
    assert convex.as_dict()["proven"]["bound"]
    bent = loads("var n : integer in -3..3\nminimize goal = n^4 - 9*n^2").solve("bonmin")
    assert not bent.as_dict()["proven"]["optimum"]
    assert not bent.as_dict()["proven"]["bound"]


@pytest.mark.parametrize(
    ("backend", "power"), [("highs", ""), ("ipopt", ""), ("ipopt", "^2"), ("scip", "^2")]
)
def test_a_coefficient_of_the_objective_that_is_not_finite_names_its_variable(
    backend: str, power: str
) -> None:
    data = "param p[i in 1..3] : 1 = [1, 0, 2]\nvar x[i in 1..3] : in 0..4\n"
    text = f"{data}minimize g = sum(x[i]{power}/p[i] for i in 1..3)"
    with pytest.raises(ModelError, match=r"coefficient of `x\[2\]`"):
        loads(text).solve(backend)


@pytest.mark.parametrize("relation", ["==", "<=", ">="])
def test_a_row_that_pyomo_takes_for_a_number_stays_as_it_is_written(relation: str) -> None:
    text = (
        "var x : in 0..1\nvar y : in 2..3\nminimize goal = x\nconstraint c: (5 + 0*y)/(10 + 0*y) "
    )
    found = scaled_pyomo(reduce_instance(loads(f"{text}{relation} 0").instance()))
    assert found.reduced.scaling.row.shape == (1,)
    assert str(found.lowered.constraints["c"][0].body) == "(5.0 + 0.0*y)/(10.0 + 0.0*y)"


@pytest.mark.parametrize("backend", ["ipopt", "scip"])
def test_a_part_that_is_infinite_at_the_start_is_no_start(backend: str) -> None:
    # at the start y = 0, x^2/y is infinite; the least of max(x, x^2/y) + (y - 2)^2 with x >= 1 has
    # x = 1, and then 1/y falls until y = 1 and (y - 2)^2 until y = 2: it is 1 at y = 2
    text = (
        "var x : real in 1..5\nvar y : real in 0..9\n"
        "minimize goal = max(x, quad_over_lin(x, y)) + (y - 2)^2\nstart x = 3\nstart y = 0"
    )
    found = loads(text).solve(backend)
    assert found.verified
    assert found.objective == pytest.approx(1, abs=1e-6)


def test_the_largest_double_is_shown() -> None:
    data = "param load[c in {1, 2}] : s = [1.7976931348623157e308 s, 0 s]"
    instance = loads(f"{data}\nvar x : >= 0\nminimize cost = x").instance()
    assert "1.7977e+308" in instance_text(instance)


@pytest.mark.parametrize("backend", ["bonmin", "ipopt"])
def test_a_start_far_outside_of_the_bounds_is_none(backend: str) -> None:
    # least of max(x^2, x) - y for x in -1..2, y in 0..1: 0 at x = 0, minus 1
    domain = "binary" if backend == "bonmin" else "in 0..1"
    text = f"var x : in -1..2\nvar y : {domain}\nminimize goal = max(x^2, x) - y\nstart x = 1e308"
    assert loads(text).solve(backend).objective == pytest.approx(-1, abs=1e-6)


def test_a_start_that_leaves_the_doubles_in_scaled_units_ends_with_them() -> None:
    reduced = reduce_instance(loads("var x : in 0..1e-3\nminimize goal = x^2 - x").instance())
    assert np.isfinite(reduced.started_at(np.array([1e308]))).all()
    assert np.isnan(reduced.started_at(np.array([np.nan]))).all()


def test_an_optimum_without_a_bound_that_is_believed_is_no_fault() -> None:
    # perspective(-1, 3) is no number, and so is the objective at every point: nothing is granted
    text = """
param p1[i in N0] : 1 = norm(N0.cap[i] for z in 1..1 where i == 1)
var x5 : integer >= 1e9
minimize goal = atan2(N0.cap[1], 3^perspective(-1, 3))^1.5 * perspective(0.5, sum(x5 for z in 1..0)*p1[1]*3)
nodes N0[k in 1..3] { cap : 1 = 1
    var load : integer >= 1e9 }
"""
    result = loads(text).solve("scip")
    assert not result.verified
    assert result.guarantee is Guarantee.NONE


def test_the_largest_double_in_another_unit_is_shown_among_others() -> None:
    data = "param price[t in 1..2] : money/kWh = [1.7976931348623157e308 money/kWh, 1 money/kWh]"
    instance = loads(f"{data}\nvar x : >= 0\nminimize cost = x").instance()
    assert "1.7977e+308" in instance_text(instance)


def test_a_power_of_a_unit_beyond_all_doubles_is_refused() -> None:
    for size in ("1e400^20 byte", "1e-400^20 byte"):
        with pytest.raises(ModelError, match="out of the range"):
            loads(f"unit heap = {size}\nvar x : >= 0\nminimize cost = x").instance()
