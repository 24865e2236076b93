"""A backend of another package, installed as pip would: `auto` chooses it where it ranks first."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import mecdsl
from mecdsl.backends import table
from mecdsl.model.classes import ProblemClass
from mecdsl.solve import preferred
from mecdsl.testing import check_backend, general_backends

# A linear problem without rows has its optimum in a corner of the box; the plug-in knows no more.
PLUG_IN = """
import numpy as np

from mecdsl.backend import Acceptance, Availability, Capabilities, accepts_class, prefer
from mecdsl.model.classes import ProblemClass
from mecdsl.solution import Guarantee, Solution, Termination


class Corner:
    name = "corner"
    capabilities = Capabilities(
        title="Corner of the box",
        classes=frozenset({ProblemClass.LP}),
        guarantee=Guarantee.FEASIBLE,
        reference="",
        preferences=(prefer(RANK, "a corner", ProblemClass.LP),),
    )

    def availability(self):
        return Availability(True, {"corner": "1.0"})

    def accepts(self, request):
        if request.instance.rows:
            return Acceptance(False, "`corner` takes no rows")
        return accepts_class(self, request.problem)

    def solve(self, request):
        return Solution(
            backend=self.name,
            termination=Termination.FINISHED,
            guarantee=Guarantee.FEASIBLE,
            values=request.instance.lower.copy(),
        )
"""
BOX = "var x : 1 >= 2 <= 9\nminimize cost = 3*x"  # 6, at the lower end
ROW = BOX + "\nconstraint enough: x >= 4"  # 12


def install(folder: Path, rank: int) -> None:
    """Put the plug-in where `pip install` would put it."""
    (folder / "corner_backend.py").write_text(PLUG_IN.replace("RANK", str(rank)))
    about = folder / "corner_backend-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: corner-backend\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text("[mecdsl.backends]\ncorner = corner_backend:Corner\n")


@pytest.fixture
def rank(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[int]:
    """The plug-in, installed with the rank of the test."""
    install(tmp_path, request.param)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "corner_backend", raising=False)
    table._external.cache_clear()
    yield request.param
    table._external.cache_clear()


@pytest.mark.parametrize("rank", [5], indirect=True)
def test_auto_takes_an_installed_backend_that_ranks_first(rank: int) -> None:
    result = mecdsl.loads(BOX).solve()
    assert result.backend == "corner"
    assert result.choice == "an LP: a corner"
    assert result.verified
    assert result.objective == 6.0


@pytest.mark.parametrize("rank", [5], indirect=True)
def test_auto_passes_an_installed_backend_over_that_refuses(rank: int) -> None:
    result = mecdsl.loads(ROW).solve()
    assert result.backend == "highs"
    assert result.objective == pytest.approx(12.0)


@pytest.mark.parametrize("rank", [15], indirect=True)
def test_an_installed_backend_waits_for_those_that_rank_before_it(rank: int) -> None:
    model = mecdsl.loads(BOX)
    assert [backend.name for backend, _ in preferred(model.problem())][:2] == ["highs", "corner"]
    assert model.solve().backend == "highs"
    assert model.solve("corner").objective == 6.0


@pytest.mark.parametrize("rank", [5], indirect=True)
def test_the_conformance_suite_finds_an_installed_backend(rank: int) -> None:
    assert "corner" in general_backends()
    report = check_backend("corner")
    assert report.faults == ()
    assert "negative_bounds" in report.solved  # no rows; the optimum is at both lower bounds
    assert "double_sided" in report.refused  # it has rows


def test_every_class_is_preferred_by_a_built_in_backend() -> None:
    wishes = [wish for name in table.BUILT_IN for wish in table.load(name).capabilities.preferences]
    assert frozenset().union(*(wish.classes for wish in wishes)) == frozenset(ProblemClass)


@pytest.mark.parametrize("name", list(table.BUILT_IN))
def test_a_backend_is_preferred_only_for_what_it_solves_and_once(name: str) -> None:
    capabilities = table.load(name).capabilities
    classes = [kind for wish in capabilities.preferences for kind in wish.classes]
    assert set(classes) <= capabilities.classes
    assert len(classes) == len(set(classes))


def test_no_two_built_in_backends_have_a_rank_in_common() -> None:
    ranks = [
        (kind, wish.rank)
        for name in table.BUILT_IN
        for wish in table.load(name).capabilities.preferences
        for kind in wish.classes
    ]
    assert len(ranks) == len(set(ranks))
