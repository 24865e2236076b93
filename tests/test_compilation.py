"""Every stage runs once for what it depends on, and what it found is shared."""

import gc
import weakref
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

import mecdsl
from mecdsl import compilation
from mecdsl.analysis.coefficients import constraint_coefficients
from mecdsl.analysis.propagation.box import implied_box
from mecdsl.analysis.scaling import scale
from mecdsl.command_line.main import app
from mecdsl.compiling.check import check
from mecdsl.convexity.problem import analyse
from mecdsl.diagnostics import ModelError
from mecdsl.instances.instantiate import instantiate
from mecdsl.studies.compare import compare
from mecdsl.studies.study import study

FIXED = "var x : 1 in 0..9\nminimize cost = x\nconstraint enough: x >= 2\n"
RANDOM = "param need : 1 = uniform(1, 2)\n" + FIXED.replace("x >= 2", "x >= need")


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[Any, ...]]:
    """How often each stage ran, by its document and form; shipped models that an instance is
    compared with are documents of their own."""
    found: Counter[tuple[Any, ...]] = Counter()

    def counted(
        name: str, stage: Callable[..., Any], key: Callable[..., Any]
    ) -> Callable[..., Any]:
        def run(*args: Any) -> Any:
            found[name, key(*args)] += 1
            return stage(*args)

        return run

    monkeypatch.setattr(
        compilation, "check", counted("check", check, lambda document, *form: (id(document), *form))
    )
    stage = counted("instantiate", instantiate, lambda checked, given, seed: (id(checked), seed))
    monkeypatch.setattr(compilation, "instantiate", stage)
    return found


def test_the_compare_of_the_readme_checks_and_instantiates_each_form_once(
    ran: Counter[tuple[Any, ...]],
) -> None:
    backends = "scip,mel-integer,mel-root,mel-equal"
    ended = CliRunner().invoke(app, ["compare", "models/mel.mec", "--backends", backends])
    assert "best proven bound: 6" in ended.output
    assert ran
    assert set(ran.values()) == {1}


def instantiations(ran: Counter[tuple[Any, ...]]) -> int:
    return sum(count for (name, _), count in ran.items() if name == "instantiate")


@pytest.mark.parametrize(("text", "instances"), [(FIXED, 1), (RANDOM, 4)])
def test_seeds_instantiate_once_where_nothing_is_random(
    text: str, instances: int, ran: Counter[tuple[Any, ...]]
) -> None:
    found = study(mecdsl.loads(text), range(4), ["highs"])
    assert len({run.objective for run in found.runs}) == instances
    assert instantiations(ran) == instances
    assert [count for (name, _), count in ran.items() if name == "check"] == [1]


@pytest.mark.slow
def test_instances_of_earlier_seeds_are_let_go() -> None:
    model = mecdsl.loads(RANDOM)
    gone = weakref.ref(replace(model, seed=1).instance().lower)
    replace(model, seed=2).instance()
    gc.collect()
    assert gone() is None


def test_data_that_are_given_over_random_ones_leave_nothing_random(
    ran: Counter[tuple[Any, ...]],
) -> None:
    study(mecdsl.loads(RANDOM, need=1.5), range(3), ["highs"])
    assert instantiations(ran) == 1


def test_the_seed_of_an_answer_is_the_one_it_was_asked_for() -> None:
    model = mecdsl.loads(FIXED)
    assert [replace(model, seed=seed).solve().as_dict()["seed"] for seed in (3, 5)] == [3, 5]


def test_other_data_are_another_instance() -> None:
    model = mecdsl.loads("param need : 1\n" + FIXED.replace("x >= 2", "x >= need"), need=3)
    other = replace(model, given=dict(model.given))
    assert other.instance() is model.instance()  # the same data objects
    more = mecdsl.loads("param need : 1\n" + FIXED.replace("x >= 2", "x >= need"), need=4)
    assert replace(model, given=more.given).solve().objective == pytest.approx(4.0)


def test_a_fault_is_raised_each_time() -> None:
    model = mecdsl.loads("var x : 1\nminimize cost = y\n")
    for _ in range(2):
        with pytest.raises(ModelError, match="y"):
            model.checked()


def test_facts_are_found_once_and_a_changed_copy_has_its_own() -> None:
    instance = mecdsl.loads(FIXED).instance()
    for find in (analyse, scale, implied_box):
        assert find(instance) is find(instance)
    families = instance.constraints
    assert constraint_coefficients(instance, families) is constraint_coefficients(
        instance, list(families)
    )
    other = replace(instance, upper=np.array([1.5]))
    assert implied_box(other).contradiction is not None
    assert implied_box(instance).contradiction is None


def test_compare_and_solve_share_one_instance() -> None:
    model = mecdsl.loads(FIXED)
    first = compare(model, ["highs", "scip"]).entries
    assert first[0].result is not None
    assert first[1].result is not None
    assert first[0].result.instance is first[1].result.instance is model.instance()
