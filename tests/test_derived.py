"""The recogniser of hand-derived backends: what is another problem is refused, however little it
differs, and what is the same problem is taken, however it is written.

Models are changed as symbols, not as text, so that every constraint of every paper gets every
change. A change that multiplies a side, a coefficient or a single member makes another problem by
construction; the same factor on both sides, another name or another order does not.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, reduce
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mecdsl
from mecdsl.api import LoadedModel
from mecdsl.backend import Request
from mecdsl.backends import table
from mecdsl.backends.cooperative.backends import PAPER as COOPERATIVE
from mecdsl.backends.derived.paper import Paper
from mecdsl.backends.derived.recognise import Recognised, recognise
from mecdsl.backends.fog.recognise import PAPER as FOG
from mecdsl.backends.game.recognise import PAPER as GAME
from mecdsl.backends.game.recognise_schedule import SCHEDULE
from mecdsl.backends.mel.backends import PAPER as MEL
from mecdsl.backends.noma.recognise import PAPER as NOMA
from mecdsl.compiling.check import CheckedModel
from mecdsl.instances.algebra import Floats
from mecdsl.instances.instance import Instance
from mecdsl.instances.instantiate import instantiate
from mecdsl.model import symbolic as sym
from mecdsl.model.classes import Classifier
from mecdsl.model.relation import Relation
from mecdsl.parsing.syntax import Kind
from mecdsl.solution import SolveOptions

MODELS = Path(__file__).resolve().parent.parent / "models"
LITTLE = 1.0 + 1e-6
# limits so wide that they forbid no place: what they forbid could be a bound as well
SLOW = {"device_count": 3, "device": {"max_latency": [50.0] * 3}}
CELLS = {
    "user_count": 4,
    "layer_count": 2,
    "edge_units_min": 0.5,
    "user": {"layer_work": [[3e8, 2e8]] * 4, "cut_size": [[2e4, 8e4, 3e2]] * 4},
}
SHORT = {
    "device_count": 2,
    "slot_count": 2,
    "device": {"layer_count": [3, 2], "deadline": [1.0, 1.3]},
    "server": {"transmit_power": 2.0},
    "base_price": [1e-6, 2e-6],
}
SCHEDULED = {
    "device_count": 2,
    "parallel_limit": 2,
    "device": {"layer_count": [2, 2]},
    "layer.server_time": [[0.06, 0.1], [0.05, 0.08]],
}
PROBLEMS: dict[str, tuple[Paper[Any], str, str, dict[str, Any]]] = {
    "mel": (MEL, "mel", "", {"learner_count": 4}),
    "mel dropout": (MEL, "mel", "dropout", {"learner_count": 4}),
    "mel relaxed": (MEL, "mel", "relaxed", {"learner_count": 4}),
    "mel equal": (MEL, "mel", "equal", {"learner_count": 4}),
    "cooperative": (COOPERATIVE, "cooperative", "", SLOW),
    "cooperative without limits": (COOPERATIVE, "cooperative", "without_limits", SLOW),
    "cooperative limits": (
        COOPERATIVE,
        "cooperative",
        "load_limit+searched_layers",
        SLOW,
    ),
    "fog": (FOG, "fog", "", {"node_count": 4}),
    "fog equal": (FOG, "fog", "equal", {"node_count": 4}),
    "fog_powers": (FOG, "fog_powers", "", {"node_count": 4}),
    "noma": (NOMA, "noma", "", CELLS),
    "noma oma_silent common_split": (NOMA, "noma", "oma_silent+common_split", CELLS),
    "game": (GAME, "game", "social", SHORT),
    "game_schedule": (SCHEDULE, "game_schedule", "", SCHEDULED),
    "game both_capacities": (GAME, "game", "social+both_capacities", SHORT),
}
Model = sym.Model
Row = sym.Constraint


@cache
def loaded(problem: str) -> LoadedModel:
    _, model, _, data = PROBLEMS[problem]
    return mecdsl.load(MODELS / f"{model}.mec", seed=3, **data)


@cache
def checked(problem: str) -> CheckedModel:
    return loaded(problem).checked(PROBLEMS[problem][2])


@cache
def instance(problem: str) -> Instance:
    return instantiate(checked(problem), loaded(problem).given, seed=3)


def answer(problem: str, model: Model) -> Recognised[Any] | str:
    """What is said of a changed model with the data of the problem."""
    whole = replace(checked(problem), model=model, shapes=Classifier(model))
    return recognise(instantiate(whole, loaded(problem).given, seed=3), PROBLEMS[problem][0])


def number(value: float, like: sym.Expression) -> sym.Constant:
    return sym.Constant(value, None, like.span)


def operation(operator: str, *operands: sym.Expression) -> sym.Expression:
    return sym.Operation(operator, operands, operands[0].span)


def times(factor: float, value: sym.Expression) -> sym.Expression:
    return operation("*", number(factor, value), value)


def with_rows(model: Model, rows: tuple[Row, ...]) -> Model:
    return replace(model, constraints=rows)


def in_first_row(problem: str, row: Row, then: sym.Expression) -> sym.Expression:
    """An expression in the first row of a family, 1 in the others."""
    family = next(f for f in instance(problem).constraints if f.name == row.name)
    same = [
        operation("==", sym.IndexValue(name, row.span), number(family.table.columns[name][0], then))
        for name in row.space.names
    ]
    if not same:
        return then
    here = reduce(lambda one, other: operation("and", one, other), same)
    return sym.Choice(here, then, number(1.0, then), row.span)


def size_of_left(problem: str, row: Row) -> float:
    """The largest left side of a family near the start values; at one of two points it is not 0."""
    whole = instance(problem)
    family = next(f for f in whole.constraints if f.name == row.name)
    lefts = [
        whole.evaluator(Floats(whole.first_point() + more)).family(row.left, family.table)
        for more in (1.0, 0.5)
    ]
    return max(float(np.abs(left).max()) for left in lefts)


def lookup(problem: str, variable: str, like: sym.Expression) -> sym.Expression:
    """The first member of a variable."""
    table = instance(problem).world.symbols[variable]
    labels = (number(float(table.table.columns[name][0]), like) for name in table.names)
    return sym.Lookup(variable, tuple(labels), like.span)


# Other problems -----------------------------------------------------------------------------------


def right_side_moves(problem: str, row: Row) -> Row:
    more = number(1e-6 * size_of_left(problem, row), row.right)
    return replace(row, right=operation("+", row.right, more))


def left_side_scaled(problem: str, row: Row) -> Row | None:
    if isinstance(row.right, sym.Constant) and row.right.value == 0.0:
        return None  # the same row
    return replace(row, left=times(LITTLE, row.left))


def one_row_scaled_on_the_left(problem: str, row: Row) -> Row | None:
    if isinstance(row.right, sym.Constant) and row.right.value == 0.0:
        return None
    factor = in_first_row(problem, row, number(LITTLE, row.left))
    return replace(row, left=operation("*", factor, row.left))


def another_term(problem: str, row: Row) -> Row:
    variable = lookup(problem, instance(problem).variables[0].name, row.left)
    more = times(1e-6 * size_of_left(problem, row), variable)
    return replace(row, left=operation("+", row.left, more))


def a_term_in_one_row(problem: str, row: Row) -> Row:
    variable = lookup(problem, instance(problem).variables[0].name, row.left)
    share = times(1e-3 * size_of_left(problem, row), variable)
    # 1 in the other rows, and 1 is taken off again
    more = operation("-", in_first_row(problem, row, share), number(1.0, share))
    return replace(row, left=operation("+", row.left, more))


def turned_round(problem: str, row: Row) -> Row:
    equation = row.relation is Relation.EQUAL
    return replace(row, relation=Relation.AT_MOST if equation else row.relation.mirrored)


def no_inequality(problem: str, row: Row) -> Row | None:
    return None if row.relation is Relation.EQUAL else replace(row, relation=Relation.EQUAL)


def capped_far_away(problem: str, row: Row) -> Row | None:
    if row.name == "parallel":  # has a `max` of its own, and says the same with one more
        return None
    whole = operation("-", row.left, row.right)
    cap = sym.Function("max", (whole, number(-1e30, whole)), row.span)
    return replace(row, left=cap, right=number(0.0, row.right))


def only_half_of_it(problem: str, row: Row) -> Row | None:
    if not row.space.names:
        return None
    family = next(f for f in instance(problem).constraints if f.name == row.name)
    name = row.space.names[0]
    first = number(float(family.table.columns[name][0]), row.left)
    others = operation(">", sym.IndexValue(name, row.span), first)
    condition = row.space.condition
    both = others if condition is None else operation("and", condition, others)
    return replace(row, space=replace(row.space, condition=both))


ROWS: tuple[Callable[[str, Row], Row | None], ...] = (
    right_side_moves,
    left_side_scaled,
    one_row_scaled_on_the_left,
    another_term,
    a_term_in_one_row,
    turned_round,
    no_inequality,
    capped_far_away,
    only_half_of_it,
)


@pytest.mark.slow
@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("change", ROWS)
def test_a_family_that_is_another_is_refused_by_name(
    problem: str, change: Callable[[str, Row], Row | None]
) -> None:
    model = checked(problem).model
    for place, row in enumerate(model.constraints):
        other = change(problem, row)
        if other is None:
            continue
        rows = (*model.constraints[:place], other, *model.constraints[place + 1 :])
        said = answer(problem, with_rows(model, rows))
        assert isinstance(said, str), row.name
        assert f"`{row.name}`" in said


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.slow
def test_a_family_that_is_missing_is_refused_unless_it_may_be(problem: str) -> None:
    model, paper = checked(problem).model, PROBLEMS[problem][0]
    for row in model.constraints:
        rows = tuple(other for other in model.constraints if other is not row)
        said = answer(problem, with_rows(model, rows))
        if row.name in paper.optional:
            assert isinstance(said, Recognised)
            assert row.name not in said.found.rows.present
        else:
            assert said == f"`{row.name}` is missing from the problem"


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.slow
def test_rows_that_stand_there_twice_are_refused(problem: str) -> None:
    model = checked(problem).model
    for row in model.constraints:
        twice = with_rows(model, (*model.constraints, replace(row, name="again")))
        assert answer(problem, twice) == "`again` is not part of the problem"


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.slow
def test_another_objective_is_refused(problem: str) -> None:
    model = checked(problem).model
    objective = model.objective
    more = [
        operation("+", objective.value, lookup(problem, family.name, objective.value))
        for family in instance(problem).variables
    ]
    values = [times(LITTLE, objective.value), times(-1.0, objective.value), *more]
    for value in values:
        said = answer(problem, replace(model, objective=replace(objective, value=value)))
        assert isinstance(said, str)
        assert said.startswith("the objective is not ")
    turned, word = {
        "minimize": ("maximize", "maximised"),
        "maximize": ("minimize", "minimised"),
    }[objective.sense]
    said = answer(problem, replace(model, objective=replace(objective, sense=turned)))
    assert said == f"the objective is {word}"


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.slow
def test_a_constant_beside_the_objective_is_taken_where_it_does_no_harm(problem: str) -> None:
    model = checked(problem).model
    value = operation("+", model.objective.value, number(1e3, model.objective.value))
    said = answer(problem, replace(model, objective=replace(model.objective, value=value)))
    assert isinstance(said, Recognised) == PROBLEMS[problem][0].may_add_constant
    if isinstance(said, Recognised):
        assert said.found.has_constant


def with_symbol(model: Model, symbol: sym.Symbol) -> Model:
    return replace(model, symbols={**model.symbols, symbol.name: symbol})


@pytest.mark.slow
@pytest.mark.parametrize("problem", PROBLEMS)
def test_other_bounds_are_refused_with_the_column(problem: str) -> None:
    model = checked(problem).model
    for symbol in model.of_kind(Kind.VAR):
        like = number(0.0, model.objective.value)
        lowest, highest = (
            sym.Limit(operator, replace(like, value=value), like.span)
            for operator, value in ((">=", 0.9), ("<=", 1e-12))
        )
        open_below = tuple(limit for limit in symbol.limits if limit.operator != ">=")
        for limits in ((*symbol.limits, lowest), (*symbol.limits, highest), open_below):
            if symbol.domain is sym.NumberDomain.BINARY and limits is open_below:
                continue  # its bounds are those of its domain
            said = answer(problem, with_symbol(model, replace(symbol, limits=limits)))
            assert isinstance(said, str), symbol.name
            assert f"`{symbol.name}" in said
            assert "has a bound of its own" in said


@pytest.mark.slow
def test_bounds_that_the_rows_imply_may_be_stated() -> None:
    model = checked("fog").model
    symbol = model.symbols["layer_pack.time"]  # the layers end before the deadline of 0.5 s
    for most, taken in ((0.5, True), (0.7, True), (0.4, False)):
        like = number(most, model.objective.value)
        limited = replace(symbol, limits=(*symbol.limits, sym.Limit("<=", like, like.span)))
        assert isinstance(answer("fog", with_symbol(model, limited)), Recognised) == taken


def test_bounds_that_only_rows_imply_that_are_not_there_are_refused() -> None:
    # alone 5e6*3000/1e9 s = 15 s, which `latency_limit` forbids; but it is not part of every form
    device = {"task_size": [5e6] * 3, "work": [3000] * 3, "cpu": [1e9] * 3, "max_latency": [2] * 3}
    data = {"device_count": 3, "device": device}
    text = (MODELS / "cooperative.mec").read_text(encoding="utf-8")
    shut = text.replace("var local   : binary ", "var local : binary <= 0")
    assert shut != text
    for form, taken in (("load_limit+searched_layers", True), ("without_limits", False)):
        said = recognise(mecdsl.loads(shut, data=data).instance(form), COOPERATIVE)
        assert isinstance(said, Recognised) == taken


@pytest.mark.parametrize("problem", ["mel", "mel dropout", "cooperative", "fog", "fog_powers"])
def test_a_variable_that_is_whole_or_relaxed_otherwise_is_refused(problem: str) -> None:
    model = checked(problem).model
    for symbol in model.of_kind(Kind.VAR):
        real = symbol.domain is sym.NumberDomain.REAL
        domain = sym.NumberDomain.INTEGER if real else sym.NumberDomain.REAL
        said = answer(problem, with_symbol(model, replace(symbol, domain=domain)))
        assert isinstance(said, str), symbol.name
        assert ("is an integer" if real else "relaxed") in said


def test_another_variable_is_named() -> None:
    model = checked("mel").model
    symbol = replace(model.symbols["updates"], name="idle")
    whole = replace(checked("mel"), model=with_symbol(model, symbol), order=("idle",))
    order = (*checked("mel").order, "idle")
    made = instantiate(replace(whole, order=order), loaded("mel").given, seed=3)
    assert recognise(made, MEL) == "`idle` is not part of the problem"


# The same problem ---------------------------------------------------------------------------------


def sides_swapped(problem: str, row: Row) -> Row:
    return replace(row, left=row.right, right=row.left, relation=row.relation.mirrored)


def times_minus_two(problem: str, row: Row) -> Row:
    left, right = times(-2.0, row.left), times(-2.0, row.right)
    return replace(row, left=left, right=right, relation=row.relation.mirrored)


def all_on_one_side(problem: str, row: Row) -> Row:
    left = operation("-", row.left, row.right)
    return replace(row, left=left, right=number(0.0, row.right))


def each_row_by_another_factor(problem: str, row: Row) -> Row:
    factor = in_first_row(problem, row, number(7.3e3, row.left))
    left, right = (operation("*", factor, side) for side in (row.left, row.right))
    return replace(row, left=left, right=right)


def renamed(problem: str, row: Row) -> Row:
    return replace(row, name=f"my_{row.name}")


def renamed_and_scaled(problem: str, row: Row) -> Row:
    return renamed(problem, each_row_by_another_factor(problem, sides_swapped(problem, row)))


SAME = (
    sides_swapped,
    times_minus_two,
    all_on_one_side,
    each_row_by_another_factor,
    renamed,
    renamed_and_scaled,
)


@pytest.mark.slow
@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("change", SAME)
def test_the_same_rows_are_recognised_however_they_are_written(
    problem: str, change: Callable[[str, Row], Row]
) -> None:
    model = checked(problem).model
    rows = tuple(change(problem, row) for row in reversed(model.constraints))
    for some in (rows, (*model.constraints[:-1], rows[0])):
        said = answer(problem, with_rows(model, some))
        assert isinstance(said, Recognised), said
        assert said.found.rows.present == {row.name for row in model.constraints}


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.slow
def test_factors_lead_from_the_shipped_row_to_the_one_that_stands_there(problem: str) -> None:
    model = checked(problem).model
    rows = tuple(renamed_and_scaled(problem, row) for row in reversed(model.constraints))
    said = answer(problem, with_rows(model, rows))
    assert isinstance(said, Recognised)
    found = said.found
    x = np.random.default_rng(1).uniform(0.5, 1.0, found.reference.columns)
    own = np.empty_like(x)
    own[found.columns] = x
    here = np.concatenate(list(found.instance.differences(own).values()))
    shipped = np.concatenate(list(found.reference.differences(x).values()))
    there = found.rows.place >= 0
    np.testing.assert_allclose(
        here[found.rows.place[there]],
        (found.rows.factor * shipped)[there],
        rtol=1e-9,
        atol=1e-9 * np.abs(here).max(),
    )
    assert sorted(found.rows.place[there]) == list(range(found.instance.rows))


MEL_TEXT = (MODELS / "mel.mec").read_text(encoding="utf-8")


def test_two_families_may_be_joined_in_one() -> None:
    form = MEL_TEXT[MEL_TEXT.index("form dropout") :]
    joined = """form joined {
    add var learner.used : binary
    drop cycle
    add constraint both[k in learner, part in 1..2]:
        (if part == 1 then k.batch / (1 sample) else
            (compute[k]*updates*k.batch + transfer[k]*k.batch + overhead[k]*k.used) / (1 s)) <=
        (if part == 1 then total_samples*k.used / (1 sample) else cycle_time / (1 s))
}
"""
    model = mecdsl.loads(MEL_TEXT.replace(form, form + joined), data={"learner_count": 4})
    result = model.solve("mel-integer", form="joined")
    assert result.verified
    assert result.objective == model.solve("mel-integer", form="dropout").objective
    wrong = joined.replace("total_samples*k.used", "2*total_samples*k.used")
    model = mecdsl.loads(MEL_TEXT.replace(form, form + wrong), data={"learner_count": 4})
    said = recognise(model.instance("joined"), MEL)
    assert said == "`takes_part` is missing from the problem"


def test_members_in_another_order_keep_their_data_and_their_answer() -> None:
    text = MEL_TEXT.replace("k in 1..learner_count]", "k in {3, 1, 2}]")
    assert text != MEL_TEXT
    cpu, work = [2e9, 1e9, 5e8], [1e6, 1e6, 1e6]
    data = {"learner.cpu": cpu, "learner.work": work}
    model = mecdsl.loads(text, data=data)
    said = recognise(model.instance("relaxed"), MEL)
    assert isinstance(said, Recognised)
    assert said.problem.learners is not None
    assert said.problem.learners.compute.tolist() == [1e6 / 1e9, 1e6 / 5e8, 1e6 / 2e9]
    result = model.solve("mel-root", form="relaxed")
    assert result.kkt is not None
    assert result.kkt.accepted
    plain = {"learner_count": 3, "learner.cpu": [1e9, 5e8, 2e9], "learner.work": work}
    straight = mecdsl.loads(MEL_TEXT, data=plain).solve("mel-root", form="relaxed")
    assert result["learner.batch"][[1, 2, 0]] == pytest.approx(straight["learner.batch"])


# Who is asked


def test_a_model_of_another_paper_is_refused_before_anything_is_read() -> None:
    for problem, (paper, *_) in PROBLEMS.items():
        for name, (other, *_) in PROBLEMS.items():
            if other is not paper:
                said = recognise(instance(problem), other)
                assert isinstance(said, str), name
                other_names = "is not part of the problem" in said  # of a twin with the same data
                assert said.startswith("the model has no `") or other_names


def test_every_hand_derived_backend_refuses_with_its_name() -> None:
    model = checked("mel").model
    twice = with_rows(model, (*model.constraints, replace(model.constraints[0], name="again")))
    made = instantiate(
        replace(checked("mel"), model=twice, shapes=Classifier(twice)), loaded("mel").given, seed=3
    )
    request = Request(made, SolveOptions())
    derived = [table.load(name) for name in table.BUILT_IN]
    for backend in (each for each in derived if each.capabilities.models):
        said = backend.accepts(request)
        assert not said.accepted
        assert said.reason.startswith(f"`{backend.name}` was derived for")


def test_only_data_that_are_declared_can_be_read() -> None:
    said = recognise(instance("mel"), MEL)
    assert isinstance(said, Recognised)
    assert said.found.number("cycle_time") == 30.0
    with pytest.raises(KeyError, match="not declared"):
        said.found.data("learner_count")


@pytest.mark.parametrize("problem", ["mel", "mel dropout", "mel relaxed", "fog", "fog_powers"])
def test_what_is_written_as_shipped_needs_no_points(
    problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*given: object) -> None:
        raise AssertionError("points were drawn")

    monkeypatch.setattr("mecdsl.backends.derived.recognise.random_points", refuse)
    # a fresh instance, for what was found of the other one is kept
    fresh = instantiate(checked(problem), loaded(problem).given, seed=4)
    assert isinstance(recognise(fresh, PROBLEMS[problem][0]), Recognised)
