"""Comparisons: distances to the best proven bound, relaxations, refusals, and answers that cannot
be believed.
"""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mecdsl
from mecdsl.api import LoadedModel
from mecdsl.backend import Acceptance, Availability, Capabilities, Request
from mecdsl.backends import table
from mecdsl.diagnostics import ModelError
from mecdsl.model.classes import ProblemClass
from mecdsl.output.json.comparison import comparison_json
from mecdsl.output.json.study import study_json, summary_json
from mecdsl.output.text.comparison import comparison_text
from mecdsl.output.text.result import result_text
from mecdsl.output.text.study import study_text
from mecdsl.solution import Guarantee, Solution, Termination
from mecdsl.studies.compare import compare, relaxations
from mecdsl.studies.study import study

ROOT = Path(__file__).resolve().parent.parent
MEL = ROOT / "models" / "mel.mec"

# Knapsack of 10: weights 6, 5, 5, values 10, 8, 7. Best whole choice: the two of weight 5, value
# 15. Relaxed, by value per weight 10/6, 8/5, 7/5: the first whole and 4/5 of the second: 10 + 6.4.
# Minimised: what is left of 25.
KNAPSACK = """
model knapsack
set item = 1..3
param weight[i in item] : 1 = [6, 5, 5]
param value[i in item] : 1 = [10, 8, 7]
var take[i in item] : binary
{goal}
constraint fits: sum(weight[i]*take[i] for i in item) <= 10
form relaxed: relax take
"""
MAXIMIZE = "maximize worth = sum(value[i]*take[i] for i in item)"
MINIMIZE = "minimize lost = sum(value[i]*(1 - take[i]) for i in item)"


class Fake:
    """A backend that takes everything and answers `answer`: the items taken, the claimed bound and
    guarantee.
    """

    name = "fake"
    items: tuple[int, ...] = (1, 1, 0)
    bound: float | None = None
    guarantee = Guarantee.FEASIBLE
    termination = Termination.FINISHED
    available = True
    capabilities = Capabilities(
        title="fake",
        classes=frozenset(ProblemClass),
        guarantee=Guarantee.FEASIBLE,
        reference="nobody",
        models=("knapsack",),
    )

    def availability(self) -> Availability:
        return Availability(self.available, reason="" if self.available else "no module named fake")

    def accepts(self, request: Request) -> Acceptance:
        return Acceptance(True)

    def solve(self, request: Request) -> Solution:
        point = np.array(self.items, dtype=float) if self.items else None
        return Solution(
            backend=self.name,
            termination=self.termination,
            guarantee=self.guarantee,
            values=point,
            bound=self.bound,
        )


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[Fake]:
    """The fake in the table of backends; its class attributes say what it answers."""
    monkeypatch.setattr(table, "BUILT_IN", {**table.BUILT_IN, "fake": "tests.test_compare:Fake"})
    for name in ("items", "bound", "guarantee", "termination", "available"):
        monkeypatch.setattr(Fake, name, getattr(Fake, name))
    return Fake


def knapsack(goal: str) -> LoadedModel:
    return mecdsl.loads(KNAPSACK.format(goal=goal))


def text_of(model: LoadedModel, *arguments: Any, **options: Any) -> str:
    return comparison_text(compare(model, *arguments, **options))


@pytest.mark.parametrize(
    ("goal", "best", "of_fake"),
    [(MAXIMIZE, 15.0, 10.0), (MINIMIZE, 10.0, 15.0)],
)
def test_distance_is_relative_to_the_best_proven_bound(
    goal: str, best: float, of_fake: float, fake: type[Fake]
) -> None:
    fake.items = (1, 0, 0)
    found = compare(knapsack(goal), ["highs", "scip", "fake"])
    assert found.best_bounds[""] == pytest.approx(best)
    highs, scip, heuristic = found.entries
    assert highs.distance == pytest.approx(0.0, abs=1e-9)
    assert scip.distance == pytest.approx(0.0, abs=1e-9)
    assert heuristic.result is not None
    assert heuristic.result.objective == of_fake
    # relative to the larger of the two numbers: 5/15 either way
    assert heuristic.distance == pytest.approx(5 / 15)
    assert found.exit_code == 0


@pytest.mark.parametrize(
    ("goal", "bounds", "best"), [(MAXIMIZE, 15.5, 15.0), (MINIMIZE, 9.5, 10.0)]
)
def test_the_tightest_bound_counts(goal: str, bounds: float, best: float, fake: type[Fake]) -> None:
    fake.items, fake.bound = (0, 1, 1), bounds
    found = compare(knapsack(goal), ["fake", "highs"])
    assert found.best_bounds[""] == pytest.approx(best)
    alone = compare(knapsack(goal), ["fake"])
    assert alone.best_bounds[""] == bounds
    assert alone.entries[0].distance == pytest.approx(0.5 / max(bounds, best))


def test_a_bound_needs_a_proof(fake: type[Fake]) -> None:
    fake.items = (1, 0, 0)
    found = compare(knapsack(MAXIMIZE), ["fake"])
    assert found.best_bounds == {}
    assert found.entries[0].distance is None
    assert "best proven bound" not in text_of(knapsack(MAXIMIZE), ["fake"]).replace(
        "to the best proven bound", ""
    )


def test_a_relaxation_gives_a_bound_and_no_plan() -> None:
    model = knapsack(MAXIMIZE)
    found = compare(model, ["ipopt", "highs"])
    relaxed, whole = found.entries
    assert (relaxed.form, relaxed.asked_form, relaxed.bounds_only) == ("relaxed", "", True)
    assert relaxed.result is not None
    assert relaxed.result.objective == pytest.approx(16.4)
    assert relaxed.distance is None
    assert whole.distance == pytest.approx(0.0, abs=1e-9)
    text = text_of(model, ["ipopt", "highs"])
    assert "ipopt*" in text
    assert "* ipopt solves form relaxed" in text


def test_forms_stand_side_by_side() -> None:
    found = compare(knapsack(MAXIMIZE), ["highs"], ["", "relaxed"])
    assert found.best_bounds == {"": pytest.approx(15.0), "relaxed": pytest.approx(16.4)}
    text = text_of(knapsack(MAXIMIZE), ["highs"], ["", "relaxed"])
    assert text.index("form base") < text.index("form relaxed")
    assert comparison_json(found)["best_bounds"] == {
        "base": pytest.approx(15.0),
        "relaxed": pytest.approx(16.4),
    }
    assert [entry["form"] for entry in comparison_json(found)["entries"]] == ["base", "relaxed"]


def test_relaxations_only_relax() -> None:
    assert relaxations(mecdsl.load(MEL).document) == ("relaxed",)


# Answers that cannot be believed ------------------------------------------------------------------


def test_an_answer_that_breaks_a_constraint_is_never_better(fake: type[Fake]) -> None:
    fake.items, fake.bound, fake.guarantee, fake.termination = (
        (1, 1, 1),
        25.0,
        Guarantee.GLOBAL,
        Termination.OPTIMAL,
    )
    found = compare(knapsack(MAXIMIZE), ["fake", "highs"])
    wrong, right = found.entries
    assert wrong.result is not None
    assert wrong.result.objective == 25.0
    assert not wrong.result.verified
    assert wrong.distance is None
    assert found.best_bounds[""] == pytest.approx(15.0)  # its bound counts for nothing either
    assert right.distance == pytest.approx(0.0, abs=1e-9)
    assert found.exit_code == 5
    text = text_of(knapsack(MAXIMIZE), ["fake", "highs"])
    assert "NOT VERIFIED" in text
    assert "`fits` is violated by 6" in text  # 16 in a knapsack of 10


def test_a_bound_that_a_verified_point_beats_is_a_contradiction(fake: type[Fake]) -> None:
    fake.items, fake.bound = (1, 0, 0), 12.0
    found = compare(knapsack(MAXIMIZE), ["fake", "highs"])
    assert found.exit_code == 5
    (contradiction,) = found.contradictions
    assert contradiction == "`highs` has a verified point of 15, better than the proven bound 12"
    assert "CONTRADICTION" in text_of(knapsack(MAXIMIZE), ["fake", "highs"])
    assert comparison_json(found)["contradictions"] == [contradiction]


def test_an_infeasibility_that_a_verified_point_refutes_is_a_contradiction(
    fake: type[Fake],
) -> None:
    fake.items, fake.guarantee, fake.termination = (), Guarantee.INFEASIBLE, Termination.INFEASIBLE
    found = compare(knapsack(MINIMIZE), ["fake", "highs"])
    assert found.exit_code == 5
    assert found.contradictions == (
        "`fake` proved that there is no feasible point, and `highs` has a verified one",
    )


def test_agreement_is_no_contradiction() -> None:
    assert (
        compare(mecdsl.load(MEL), ["scip", "mel-integer", "mel-root", "mel-equal"]).contradictions
        == ()
    )


# Backends that do not run -------------------------------------------------------------------------


def test_options_go_to_their_backend_alone() -> None:
    # HiGHS would refuse the option, as SCIP refuses the value.
    comparison = compare(
        knapsack(MAXIMIZE), ["highs", "scip"], own={"scip": {"presolving/maxrounds": "none"}}
    )
    highs, scip = comparison.entries
    assert highs.result is not None
    assert highs.result.objective == pytest.approx(15.0)
    assert scip.result is None
    assert "does not take `none`" in scip.reason


def test_an_option_of_an_unknown_backend_is_a_fault() -> None:
    with pytest.raises(ModelError, match="unknown backend `scipp`"):
        compare(knapsack(MAXIMIZE), ["scip"], own={"scipp": {"limits/nodes": 1}})


def test_unknown_backends_are_a_fault() -> None:
    with pytest.raises(ModelError, match="did you mean `scip`"):
        compare(knapsack(MAXIMIZE), ["highs", "scipp"])


def test_options_nobody_can_follow_are_a_fault() -> None:
    with pytest.raises(ModelError, match="number of threads"):
        compare(knapsack(MAXIMIZE), ["highs"], threads=0)


def test_a_backend_that_is_not_there_is_named_and_the_others_run(fake: type[Fake]) -> None:
    fake.available = False
    found = compare(knapsack(MAXIMIZE), ["fake", "highs"])
    assert found.entries[0].result is None
    assert found.entries[0].reason == "`fake` is not available: no module named fake"
    assert found.entries[1].result is not None
    assert found.exit_code == 0
    text = text_of(knapsack(MAXIMIZE), ["fake", "highs"])
    assert "fake did not run: `fake` is not available: no module named fake" in text


def test_every_backend_refusing_is_wrong_usage(fake: type[Fake]) -> None:
    fake.available = False
    model = knapsack(MAXIMIZE)
    found = compare(model, ["fake"])
    assert found.exit_code == 2
    assert found.best_bounds == {}
    assert "did not run" in text_of(model, ["fake"])
    refused = compare(mecdsl.load(MEL), ["highs"])  # a nonconvex problem
    assert refused.exit_code == 2
    assert "nonconvex MIQCP" in refused.entries[0].reason


def test_the_first_bad_answer_gives_the_exit_code() -> None:
    infeasible = mecdsl.load(ROOT / "models" / "examples" / "infeasible.mec")
    assert compare(infeasible, ["highs", "scip"]).exit_code == 3
    stopped = compare(mecdsl.load(MEL), ["mel-equal", "scip"], time_limit=0.0)
    assert stopped.entries[1].result is not None
    assert stopped.entries[1].result.termination is Termination.TIME_LIMIT
    assert stopped.exit_code == 4


def test_an_interrupted_run_is_the_last(fake: type[Fake]) -> None:
    fake.items, fake.termination = (1, 0, 0), Termination.INTERRUPTED
    started: list[str] = []
    found = compare(
        knapsack(MAXIMIZE), ["fake", "highs"], started=lambda backend, form: started.append(backend)
    )
    assert started == ["fake"]
    assert found.entries[1].reason == "interrupted before"
    assert found.exit_code == 130


def test_faults_of_the_model_concern_every_backend() -> None:
    with pytest.raises(ModelError, match="unknown form"):
        compare(knapsack(MAXIMIZE), ["highs"], ["", "relxed"])


# Text ---------------------------------------------------------------------------------------------


def test_the_objective_is_named_with_unit_and_sense() -> None:
    model = mecdsl.load(ROOT / "models" / "examples" / "offload.mec")
    lines = text_of(model, ["highs"]).splitlines()
    assert "objective total_time in s, minimized" in lines
    assert max(map(len, lines)) <= 80


def test_objectives_and_prices_are_shown_in_the_units_of_the_model() -> None:
    # 3 kW for at least 2 min: 360 kJ, and each minute more costs 180 kJ
    text = "var x : min >= 0\nminimize energy : kJ = 3 kW * x\nconstraint least: x >= 2 min"
    model = mecdsl.loads(text)
    lines = text_of(model, ["highs"]).splitlines()
    assert "objective energy in kJ, minimized" in lines
    assert any(line.split()[:3] == ["highs", "360", "360"] for line in lines)
    assert "best proven bound: 360" in lines
    result = model.solve("highs")
    assert re.search(r"least  180 kJ/min$", result_text(result), re.MULTILINE)
    assert result.as_dict()["objective"]["value"] == pytest.approx(360e3)  # SI
    assert result.multiplier("least") == pytest.approx(3e3)


def test_studies_show_objectives_in_the_units_of_the_model() -> None:
    model = mecdsl.loads(
        "var x : min >= 0\nminimize energy : kJ = 3 kW * x\nconstraint least: x >= 2 min"
    )
    found = study(model, [1, 2], ["highs"])
    assert "objective energy in kJ, minimized" in study_text(found).splitlines()
    assert re.search(r"^highs +2/2  360 \(360\.\.360\) ", study_text(found), re.MULTILINE)
    assert next(iter(study_json(found)["objectives"].values()))["unit"] == "J"
    assert summary_json(found.summaries[0])["objective"]["median"] == pytest.approx(360e3)


def test_long_numbers_and_names_stay_within_80_columns_with_fewer_digits() -> None:
    model = mecdsl.load(ROOT / "models" / "cooperative.mec", seed=1, device_count=6)
    lines = text_of(model, ["cooperative-exact", "cooperative-nearest"]).splitlines()
    exact = next(line for line in lines if line.startswith("cooperative-exact "))
    assert re.search(r" \d{3}\.\d{3}  ", exact)  # six digits, in ms
    assert max(map(len, lines)) <= 80
    short = text_of(mecdsl.load(ROOT / "models" / "mel.mec"), ["mel-root"])
    assert "6.8191776" in short
