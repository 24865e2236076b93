"""Files that other programs read give the answers that were derived by hand for the conformance
cases.
"""

import math
import runpy
from pathlib import Path
from typing import Any

import casadi
import highspy
import numpy as np
import pyomo.environ as pyo
import pytest

from mecdsl.compiling.check import check
from mecdsl.diagnostics import ModelError
from mecdsl.instances.instance import Instance
from mecdsl.instances.instantiate import instantiate
from mecdsl.parsing.parse import parse, parse_file
from mecdsl.pyomo_model.export import KINDS, LARGEST_SCRIPT, export
from mecdsl.pyomo_model.lower import to_pyomo
from mecdsl.testing.case import OPTIMAL, Case
from mecdsl.testing.cases import CASES

LINEAR = [
    case
    for case in CASES
    if case.problem_class.value in ("LP", "MILP") and "no columns" not in case.tags
]
SMOOTH = [case for case in CASES if not case.tags & {"nonsmooth", "no columns"}]
NONLINEAR = [case for case in CASES if case.problem_class.value in ("NLP", "MINLP")]
LOWERED = {
    "root_infeasible",
    "makespan",
    "absolute_value",
}  # rows of degree two or less say the same
WITH_POINT = [case for case in SMOOTH if case.outcome == OPTIMAL and case.full_point]


def instance_of_text(text: str, form: str = "") -> Instance:
    return instantiate(check(parse(text), form), {})


def instance_of(case: Case) -> Instance:
    return instantiate(check(parse_file(case.path), case.form), {})


def read_with_highs(path: Path) -> tuple[Any, str]:
    """HiGHS after solving a file, and how it ended."""
    highs: Any = highspy.Highs
    solver = highs()
    solver.setOptionValue("output_flag", False)
    assert solver.readModel(str(path)) == highspy.HighsStatus.kOk
    solver.run()
    return solver, solver.modelStatusToString(solver.getModelStatus())


@pytest.mark.parametrize("kind", ["lp", "mps"])
@pytest.mark.parametrize("case", LINEAR, ids=lambda case: case.name)
def test_highs_finds_the_answer_in_the_file(case: Case, kind: str, tmp_path: Path) -> None:
    path = tmp_path / f"model.{kind}"
    names = export(instance_of(case), kind, path)
    solver, status = read_with_highs(path)
    if case.outcome == OPTIMAL:
        assert status == "Optimal"
        assert case.objective is not None
        found = names.objective.factor * solver.getInfo().objective_function_value
        assert math.isclose(found, case.objective, rel_tol=1e-6, abs_tol=1e-15)
    else:
        assert status in (case.outcome.capitalize(), "Primal infeasible or unbounded")


@pytest.mark.parametrize(
    "case", [c for c in NONLINEAR if c.name not in LOWERED], ids=lambda case: case.name
)
def test_lp_and_mps_refuse_what_is_not_quadratic(case: Case, tmp_path: Path) -> None:
    for kind in ("lp", "mps"):
        with pytest.raises(ModelError) as caught:
            export(instance_of(case), kind, tmp_path / "model")
        (diagnostic,) = caught.value.diagnostics
        assert diagnostic.code == "E502"
        assert diagnostic.span is not None
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("case", WITH_POINT, ids=lambda case: case.name)
def test_nl_file_has_the_known_objective_at_the_known_point(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "model.nl"
    instance = instance_of(case)
    scaling = export(instance, "nl", path)
    builder: Any = casadi.NlpBuilder()
    builder.import_nl(str(path))
    names = path.with_suffix(".col").read_text().splitlines()
    factors = [column.factor for column in scaling.columns]
    point = [
        value / factor
        for value, factor in zip(known_point(instance, case, names), factors, strict=True)
    ]
    function = casadi.Function(
        "f", [casadi.vertcat(*builder.x)], [builder.f, casadi.vertcat(*builder.g)]
    )
    objective, rows = function(point)
    assert case.objective is not None
    sense = -1.0 if instance.maximize else 1.0  # CasADi minimises what the file maximises
    found = scaling.objective.factor * sense * float(objective)
    assert math.isclose(found, case.objective, rel_tol=1e-6, abs_tol=1e-15)
    residuals = np.array(rows).reshape(-1)
    lower, upper = np.array(builder.g_lb), np.array(builder.g_ub)
    slack = 1e-6 * (1.0 + np.abs(residuals))
    assert (residuals >= lower - slack).all()
    assert (residuals <= upper + slack).all()


def known_point(instance: Instance, case: Case, names: list[str]) -> list[float]:
    """The values that a case gives the columns that Pyomo calls by these names."""
    values = [
        np.atleast_1d(np.asarray(case.full_point[f.name], dtype=np.float64))
        for f in instance.variables
    ]
    lowered = to_pyomo(instance)  # variables know their names only while their model lives
    variables = lowered.variables
    by_name = dict(zip((v.name for v in variables), np.concatenate(values).tolist(), strict=True))
    return [by_name[name] for name in names]


@pytest.mark.parametrize(
    "case", [c for c in CASES if c.name in LOWERED], ids=lambda case: case.name
)
def test_kinks_are_written_as_rows(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "model.mps"
    names = export(instance_of(case), "mps", path)
    solver, status = read_with_highs(path)
    if case.objective is None:
        assert status == case.outcome.capitalize()
        return
    assert status == "Optimal"
    found = names.objective.factor * solver.getInfo().objective_function_value
    assert math.isclose(found, case.objective, rel_tol=1e-6)


AS_WRITTEN = [case for case in CASES if "nonsmooth" not in case.tags and case.name not in LOWERED]


@pytest.mark.parametrize("case", AS_WRITTEN, ids=lambda case: case.name)
def test_script_builds_the_same_model_without_mecdsl(case: Case, tmp_path: Path) -> None:
    path = tmp_path / "model.py"
    instance = instance_of(case)
    export(instance, "pyomo", path, raw=True)
    assert "mecdsl" not in path.read_text()
    model = runpy.run_path(str(path))["model"]
    x = np.random.default_rng(5).uniform(0.5, 2.0, instance.columns)
    x = instance.complete(np.clip(x, instance.lower, instance.upper))
    lowered = to_pyomo(instance)
    for column, original in enumerate(lowered.variables):
        variable = model.find_component(original.name)
        assert variable.fixed == (not instance.free[column])
        bounds = (instance.lower[column], instance.upper[column])
        assert variable.bounds == tuple(None if math.isinf(bound) else bound for bound in bounds)
        assert variable.is_continuous() == (not instance.integral[column])
        assert variable.value == original.value
        variable.set_value(float(x[column]), skip_validation=True)
    (objective,) = model.component_data_objects(pyo.Objective)
    assert pyo.value(objective) == pytest.approx(instance.objective(x), rel=1e-12)
    assert (objective.sense == pyo.maximize) == instance.maximize
    differences = instance.differences(x)
    for family in instance.constraints:
        for original, expected in zip(
            lowered.constraints[family.name], differences[family.name], strict=True
        ):
            if original is None or original.body is getattr(lowered.model, "no_point", None):
                continue
            row = model.find_component(original.name)
            bound = row.ub if row.ub is not None else row.lb
            assert pyo.value(row.body) - bound == pytest.approx(
                expected, rel=1e-9, abs=1e-12 * max(1.0, abs(bound))
            )


NAMES = """
model names
nodes learner[k in 1..2] { var batch : real >= 1 }
var learner_batch : real >= 2
var free : integer >= 3
var st : real >= 4
minimize bounds = learner_batch + free + st + sum(k.batch for k in learner)
constraint end: free + st >= 0
"""


@pytest.mark.parametrize("kind", ["lp", "mps"])
def test_files_carry_the_names_of_the_model_and_no_words_of_the_format(
    kind: str, tmp_path: Path
) -> None:
    path = tmp_path / f"names.{kind}"
    export(instance_of_text(NAMES), kind, path)
    solver, status = read_with_highs(path)
    names = {solver.getColName(column)[1] for column in range(solver.getNumCol())}
    assert {"learner.batch(1)", "learner.batch(2)", "learner_batch", "free_", "st_"} <= names
    assert status == "Optimal"
    assert solver.getInfo().objective_function_value == pytest.approx(1 + 1 + 2 + 3 + 4)


def test_quadratic_files_are_read_by_highs(tmp_path: Path) -> None:
    # (x - 1)^2 + (y - 2)^2 on x + y == 1: the foot of (1, 2) is (0, 1), at distance^2 2
    text = (
        "model q\nvar x : real\nvar y : real\nminimize d = (x - 1)^2 + (y - "
        "2)^2\nconstraint line: x + y == 1"
    )
    for kind in ("lp", "mps"):
        path = tmp_path / f"q.{kind}"
        export(instance_of_text(text), kind, path)
        solver, status = read_with_highs(path)
        assert status == "Optimal"
        assert solver.getInfo().objective_function_value == pytest.approx(2.0, rel=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_same_input_same_bytes(kind: str, tmp_path: Path) -> None:
    contents = []
    for number in (1, 2):
        path = tmp_path / f"{number}{KINDS[kind]}"
        export(instance_of_text(NAMES), kind, path)
        contents.append(path.read_bytes())
    assert contents[0] == contents[1]


def test_raw_files_are_in_si_and_others_say_their_factors(tmp_path: Path) -> None:
    text = (
        "model m\nvar p : W in 1 pW..8 pW\nvar q : W >= 1 pW\nminimize used = p + "
        "q\nconstraint c: p <= q"
    )
    instance = instance_of_text(text)
    for kind in KINDS:
        path = tmp_path / f"m{KINDS[kind]}"
        assert not export(instance, kind, path, raw=True).scaled
        names = export(instance, kind, path)
        assert names.scaled
        assert {column.name for column in names.columns} == {"p", "q"}
        said = path.with_suffix(".scale") if kind == "nl" else path
        for column in names.columns:
            assert repr(column.factor) in said.read_text()


def test_start_values_stand_in_nl_and_script(tmp_path: Path) -> None:
    text = "model m\nvar p : W in 1 pW..8 pW\nminimize used = p*p\nstart p = 6 pW"
    names = export(instance_of_text(text), "nl", tmp_path / "m.nl")
    builder: Any = casadi.NlpBuilder()
    builder.import_nl(str(tmp_path / "m.nl"))
    assert builder.x_init[0] * names.columns[0].factor == pytest.approx(6e-12)
    export(instance_of_text(text), "pyomo", tmp_path / "m.py")
    script = runpy.run_path(str(tmp_path / "m.py"))
    assert script["si"](script["model"].p) == pytest.approx(6e-12)


def test_long_scripts_are_refused(tmp_path: Path) -> None:
    text = f"model m\nvar x[i in 1..{LARGEST_SCRIPT + 1}] : real >= 0\nminimize v = x[1]"
    with pytest.raises(ModelError) as caught:
        export(instance_of_text(text), "pyomo", tmp_path / "m.py")
    assert caught.value.diagnostics[0].code == "E502"


def test_nl_file_without_a_variable_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError) as caught:
        export(instance_of_text("model m\nvar x : real\nminimize v = 3"), "nl", tmp_path / "m.nl")
    assert caught.value.diagnostics[0].code == "E502"


def test_a_place_that_cannot_be_written_is_an_oserror(tmp_path: Path) -> None:
    for kind in KINDS:
        with pytest.raises(OSError, match="No such file"):
            export(instance_of_text(NAMES), kind, tmp_path / "nowhere" / f"m{KINDS[kind]}")


def test_unknown_kind_is_a_mistake_of_the_program(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown kind gams"):
        export(instance_of_text(NAMES), "gams", tmp_path / "m.gms")
