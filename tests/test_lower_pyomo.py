"""The Pyomo model says the same as the instance, in Pyomo's words and under the model's names."""

import io
import pickle
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyomo.environ as pyo
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyomo.contrib.solver.common.factory import SolverFactory

import mecdsl.models
from mecdsl.analysis.magnitude import Magnitudes, size_of
from mecdsl.compiling.check import check
from mecdsl.data_files.read import given_in_memory
from mecdsl.diagnostics import ModelError
from mecdsl.forms.apply import form_names
from mecdsl.instances.instance import Instance, difference
from mecdsl.instances.instantiate import instantiate
from mecdsl.instances.tables import SINGLE, FloatArray
from mecdsl.parsing.parse import parse, parse_file
from mecdsl.pyomo_model.lower import PyomoModel, to_pyomo
from mecdsl.testing.case import FOLDER

FILES = (*sorted(FOLDER.glob("*.mec")), Path(mecdsl.models.__file__).with_name("mel.mec"))
FORMS = [(path, form) for path in FILES for form in ("", *form_names(parse_file(path)))]


def lowered(text: str, form: str = "", **data: Any) -> tuple[Instance, PyomoModel]:
    """Instance and Pyomo model of a text; data by qualified name with `__` for the dot."""
    values = {name.replace("__", "."): value for name, value in data.items()}
    instance = instantiate(check(parse(text), form), given_in_memory(values, ()))
    return instance, to_pyomo(instance)


def set_point(built: PyomoModel, x: FloatArray) -> None:
    for variable, value in zip(built.variables, x.tolist(), strict=True):
        variable.set_value(value, skip_validation=True)


def residual(row: Any) -> float:
    """Left minus right of a constraint as Pyomo evaluates it; both its bounds are the same if it
    has two.
    """
    bound = row.ub if row.ub is not None else row.lb
    return float(pyo.value(row.body) - bound)


def assert_agree(instance: Instance, built: PyomoModel, x: FloatArray) -> None:
    """Objective and every row agree to 1e-12 of the size of the terms that are added up in them."""
    set_point(built, x)
    magnitudes = instance.evaluator(Magnitudes(x))
    stated = instance.model.objective
    size = np.max(size_of(magnitudes.family(stated.value, SINGLE)))
    assert abs(pyo.value(built.objective.expr) - instance.objective(x)) <= 1e-12 * size
    impossible = getattr(built.model, "no_point", None)
    for family in instance.constraints:
        expected = instance.differences(x)[family.name]
        sizes = np.broadcast_to(size_of(difference(magnitudes, family)), family.size)
        for row, value, terms in zip(built.constraints[family.name], expected, sizes, strict=True):
            if row is None or row.body is impossible:
                violated = {"<=": value, ">=": -value, "==": abs(value)}[
                    family.relation
                ] > 1e-6 * terms
                assert violated == (row is not None)
            else:
                assert abs(residual(row) - value) <= 1e-12 * terms, row.name


@cache
def conformance(path: Path, form: str) -> tuple[Instance, PyomoModel] | None:
    """None for the models that Pyomo cannot take."""
    instance = instantiate(check(parse_file(path), form), {})
    try:
        return instance, to_pyomo(instance)
    except ModelError as error:
        assert [d.code for d in error.diagnostics] == ["E504"]
        return None


@pytest.mark.parametrize(
    ("path", "form"), FORMS, ids=[f"{path.stem}:{form}" for path, form in FORMS]
)
@settings(max_examples=5)
@given(seed=st.integers(0, 2**32))
def test_every_row_has_the_same_value_as_in_the_instance(path: Path, form: str, seed: int) -> None:
    found = conformance(path, form)
    if found is None:
        assert path.stem in ("absolute_value", "makespan")
        return
    instance, built = found
    x = np.random.default_rng(seed).uniform(0.1, 3.0, instance.columns)
    assert_agree(instance, built, instance.complete(np.clip(x, instance.lower, instance.upper)))


# Random models: expressions that are defined everywhere, over scalars, families and sums ----------


def expressions(leaves: tuple[str, ...]) -> st.SearchStrategy[str]:
    number = st.sampled_from(["2", "0.5", "3.25", "1e-3"])
    leaf = st.sampled_from(leaves) | number

    # The 1 in `perspective`: Pyomo has no ln(1 + u) that keeps the digits of a small u, as the
    # evaluator has.
    def larger(part: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        binary = st.tuples(part, st.sampled_from(["+", "-", "*"]), part).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        )
        safe = st.sampled_from(
            [
                "ln(1 + ({0})^2)",
                "log2(2 + ({0})^2)",
                "sqrt(1 + ({0})^2)",
                "exp(-({0})^2)",
                "2^(-({0})^2)",
                "({0})/(1 + y^2)",
                "-({0})",
                "({0})^2",
                "({0})^3",
                "perspective(x[1] + 1, 1 + ({0})^2)",
            ]
        )
        return binary | st.tuples(safe, part).map(lambda t: t[0].format(t[1]))

    return st.recursive(leaf, larger, max_leaves=6)


OUTER = (
    "x[1]",
    "x[2]",
    "y",
    "z[b]",
    "sum(c[j]*x[j]*z[a] for j in I)",
    "prod(1 + x[j]^2 for j in I)",
    "level[2]",
)
INNER = (
    *OUTER,
    "x[i]",
    "c[i]",
    "(if i > 1 then x[i-1] else 0)",
    "sum(x[j] for j in I where j < i)",
    "level[i]",
)


@pytest.mark.slow
@settings(max_examples=60)
@given(st.data())
def test_random_models_have_the_same_values(data: st.DataObject) -> None:
    text = f"""
model random
set I = 1..3
set S = {{a, b}}
param c[i in I] : 1 = [2, -1, 0.5]
var x[i in I] : real >= 0 <= 3
var z[s in S] : integer
var y : real
let level[i in I] : 1 = c[i]*x[i] + y
minimize cost = {data.draw(expressions(OUTER))}
constraint one[i in I]: {data.draw(expressions(INNER))} {data.draw(st.sampled_from(["<=", ">=", "=="]))} y + c[i]
constraint two: {data.draw(expressions(OUTER))} <= 7
form held: fix x[2] = 1.5, fix y = 0.25
"""
    for form in ("", "held"):
        instance, built = lowered(text, form)
        x = np.random.default_rng(data.draw(st.integers(0, 99))).uniform(0.1, 1.5, instance.columns)
        assert_agree(instance, built, instance.complete(x))


# Names, domains, bounds, documentation ------------------------------------------------------------

SHARING = """
model sharing "Sharing a cell"
set kind = {voice, video}
nodes device[n in 1..2] "terminals" {
    limit       : W = [1 W, 2 W]
    var power   : W >= 0 <= limit                  "transmit power"
    var share[s in kind] : 1 >= 0
}
var slots : integer >= 1 <= 9  "slots in use"
var on[s in kind] : binary
var free : real
minimize total = sum(n.power for n in device)
constraint quality[n in device, s in kind]: n.share[s] >= 0.1*on[s]
constraint range[n in device]: 1 W <= n.power <= 2 W  "both ends"
constraint pairs[n in device, m in device where n < m]: n.power <= m.power
start slots = 2.5
start device.power[n] = 0.5 W
form held: fix device.power[n] = n*1 W
"""


def test_variables_stand_in_the_block_of_their_family_under_their_labels() -> None:
    model = lowered(SHARING)[1].model
    assert model.name == "sharing"
    assert model.doc == "Sharing a cell"
    assert model.device.doc == "terminals"
    assert list(model.device.members) == [1, 2]
    assert list(model.kind) == ["voice", "video"]
    assert list(model.device.share) == [(1, "voice"), (1, "video"), (2, "voice"), (2, "video")]
    assert model.device.share[2, "video"].name == "device.share[2,video]"
    assert list(model.on.index_set()) == ["voice", "video"]


def test_columns_are_in_the_order_of_the_instance() -> None:
    instance, built = lowered(SHARING)
    names = [variable.name.replace(",", ", ") for variable in built.variables]
    assert names == [instance.column_name(column) for column in range(instance.columns)]


def test_domains_bounds_starts_and_documentation() -> None:
    model = lowered(SHARING)[1].model
    power, slots = model.device.power, model.slots
    assert [power[n].bounds for n in (1, 2)] == [(0.0, 1.0), (0.0, 2.0)]
    assert [power[n].value for n in (1, 2)] == [0.5, 0.5]
    assert power[1].domain is pyo.Reals
    assert power.doc == "transmit power [W]"
    assert slots.domain is pyo.Integers
    assert slots.bounds == (1, 9)
    assert slots.value == 2.5
    assert slots.doc == "slots in use"
    assert model.on["voice"].domain is pyo.Binary
    assert model.free.bounds == (None, None)
    assert model.free.value is None


def test_constraints_keep_their_names_and_a_double_one_is_two() -> None:
    built = lowered(SHARING)[1]
    model = built.model
    assert list(model.quality.index_set().subsets()) == [model.device.members, model.kind]
    assert [row.name for row in built.constraints["range.lower"]] == [
        "range_lower[1]",
        "range_lower[2]",
    ]
    assert model.range_upper.doc == "both ends"
    assert (model.range_lower[1].ub is None) != (model.range_lower[1].lb is None)
    assert list(model.pairs) == [(1, 2)]
    assert model.total.sense == pyo.minimize
    assert (
        lowered("model m\nvar x : real <= 2\nmaximize gain = x")[1].model.gain.sense == pyo.maximize
    )


def test_fixed_columns_are_fixed_and_gone_from_the_rows() -> None:
    _, built = lowered(SHARING, "held")
    assert [(v.fixed, v.value) for v in built.model.device.power.values()] == [
        (True, 1.0),
        (True, 2.0),
    ]
    assert built.constraints["pairs"] == (None,)  # 1 <= 2
    assert len(built.model.pairs) == 0
    assert pyo.value(built.model.total) == 3.0


def test_ragged_families_get_the_set_of_their_rows() -> None:
    text = """
model ragged
nodes device[n in 1..2] { count : integer = [2, 1] }
layers layer[n in device, m in 1..n.count] { var bits : bit >= 0 bit }
minimize total = sum(layer.bits[n, m] for (n, m) in layer)
constraint least[(n, m) in layer]: layer.bits[n, m] >= m*1 bit
"""
    model = lowered(text)[1].model
    assert list(model.layer.bits) == [(1, 1), (1, 2), (2, 1)]
    assert model.layer.bits.index_set() is model.layer.members
    assert model.least.index_set() is model.layer.members
    assert [row.lb for row in model.least.values()] == [1.0, 2.0, 1.0]


def test_names_that_pyomo_or_python_use_get_an_underscore() -> None:
    text = """
model clash
nodes user[n in 1..2] { var members : real >= 0
                        var doc : real >= 0 }
var name : real >= 1
var lambda : real >= 2
var dual : real >= 3
var bounds_lower : real
minimize component = name + lambda + dual + sum(n.members + n.doc for n in user)
constraint bounds: 0 <= bounds_lower <= 5
constraint index[i in {3, 5}]: name >= i
"""
    built = lowered(text)[1]
    model = built.model
    names = [variable.name for variable in built.variables]
    assert names == [
        "user.members[1]",
        "user.members[2]",
        "user.doc_[1]",
        "user.doc_[2]",
        "name_",
        "lambda_",
        "dual_",
        "bounds_lower",
    ]
    assert model.user.members_.name == "user.members_"
    assert model.component_.name == "component_"
    assert [row.name for row in built.constraints["bounds.lower"]] == ["bounds_lower_"]
    assert [row.name for row in built.constraints["index"]] == ["index_[3]", "index_[5]"]


def test_an_index_listed_twice_counts_rows() -> None:
    built = lowered("model m\nvar x : real\nminimize v = x\nconstraint c[i in {4, 4}]: x >= i")[1]
    assert [row.name for row in built.constraints["c"]] == ["c[0]", "c[1]"]


def test_definitions_and_reports_on_request() -> None:
    text = """
model named
nodes user[n in 1..2] { var load : real >= 0
                        let twice : 1 = 2*load }
minimize total = sum(n.twice for n in user)
report worst = max(n.load for n in user)
report square = total_load^2
let total_load : 1 = sum(n.load for n in user)
let constant : 1 = 3
"""
    instance = instantiate(check(parse(text)), {})
    model = to_pyomo(instance, definitions=True).model
    model.user.load[1].value, model.user.load[2].value = 1.0, 5.0
    assert [pyo.value(e) for e in model.user.twice.values()] == [2.0, 10.0]
    assert pyo.value(model.square) == 36.0
    assert model.component("worst") is None  # not smooth
    assert model.component("constant") is None  # a number
    assert not list(to_pyomo(instance).model.component_objects(pyo.Expression))


# Rows without variables ---------------------------------------------------------------------------

CONSTANT = """
model constant
param a : 1 = 1
var x : real >= 0
minimize v = x
constraint holds: a <= 2
constraint some[i in 1..3]: (if i == 2 then x else 0) >= i - 2
constraint open: x <= inf
form broken: set a = 3
form rounding: set a = 2.0000000000000004
"""


def test_true_rows_without_variables_are_left_out() -> None:
    built = lowered(CONSTANT.replace("i - 2", "i - 3"))[1]
    assert built.constraints["holds"] == (None,)
    assert [row is None for row in built.constraints["some"]] == [True, False, True]
    assert built.constraints["open"] == (None,)
    assert list(built.model.some) == [2]
    assert built.model.component("no_point") is None


def test_rounding_is_no_infeasibility() -> None:
    assert lowered(CONSTANT, "rounding")[1].constraints["holds"] == (None,)


@pytest.mark.parametrize(("form", "row"), [("broken", "holds"), ("", "some[3]")])
def test_false_rows_are_left_to_the_solver(form: str, row: str, tmp_path: Path) -> None:
    text = CONSTANT if row == "some[3]" else CONSTANT.replace("i - 2", "i - 3")
    model = lowered(text, form)[1].model
    assert model.find_component(row).body is model.no_point
    for suffix in ("nl", "lp", "mps"):
        model.write(str(tmp_path / f"model.{suffix}"))
    solver = SolverFactory("highs")
    results = solver.solve(model, load_solutions=False, raise_exception_on_nonoptimal_result=False)
    assert results.termination_condition.name == "provenInfeasible"


def test_a_row_that_no_finite_point_keeps_is_refused() -> None:
    with pytest.raises(ModelError, match=r"E311.*`above`"):
        lowered(CONSTANT + "form endless: add constraint above: x >= inf\n", "endless")


# The rest of Pyomo --------------------------------------------------------------------------------


def test_not_smooth_is_refused_with_its_place() -> None:
    text = "model m\nvar x : real\nminimize v = abs(x)\nconstraint c: max(x, 2) <= 3"
    with pytest.raises(ModelError) as caught:
        lowered(text)
    places = [(d.code, d.span.text if d.span else "") for d in caught.value.diagnostics]
    assert places == [("E504", "abs(x)"), ("E504", "max(x, 2)")]


def test_squares_and_products_are_of_degree_two_for_pyomo() -> None:
    built = lowered(
        "model m\nvar x : real\nvar y : real\nminimize v = 3*x^2 - x*y + 2*y - x*x + 1"
    )[1]
    assert built.objective.expr.polynomial_degree() == 2
    assert str(built.objective.expr) == "2.0*x**2 - y*x + 2.0*y + 1.0"


def test_models_can_be_cloned_pickled_and_printed() -> None:
    built = lowered(SHARING)[1]
    for copy in (built.model.clone(), pickle.loads(pickle.dumps(built.model))):
        before, after = io.StringIO(), io.StringIO()
        built.model.pprint(before)
        copy.pprint(after)
        assert before.getvalue() == after.getvalue()


def test_highs_solves_the_model_through_pyomo() -> None:
    # total power is least at its lower bounds of 1 W each; 1 <= power[1] <= power[2]
    model = lowered(SHARING)[1].model
    SolverFactory("highs").solve(model)
    assert pyo.value(model.total) == pytest.approx(2.0)
