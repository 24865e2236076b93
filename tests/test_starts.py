"""Many starts of a local solver: the best optimum is kept, the spread is told, and nothing depends
on how many processes ran.
"""

import itertools
from dataclasses import dataclass, field

import numpy as np
import pytest

import mecdsl
from mecdsl.backend import Acceptance, Availability, Capabilities, Request
from mecdsl.backends.shared.side_by_side import side_by_side
from mecdsl.diagnostics import ModelError
from mecdsl.lowering.lower import lowered
from mecdsl.model.classes import ProblemClass
from mecdsl.output.json.backends import backends_json
from mecdsl.output.json.result import result_json
from mecdsl.output.text.comparison import comparison_text
from mecdsl.output.text.result import result_text
from mecdsl.solution import Guarantee, Solution, SolveOptions, Termination
from mecdsl.starts.best import best_of_starts
from mecdsl.starts.draw import drawn
from tests.waiting import PATIENCE

# (x^2 - 4)^2 + x has a minimum near each of -2 and 2. With d the distance from +-2 the slope is
# 4 x (x^2 - 4) + 1 = 0; the one at the left is lower by about 4.
QUARTIC = "var x : 1 in -3..3\nstart x = 2\nminimize height = (x^2 - 4)^2 + x"
ROOTS = np.sort(np.roots([4.0, 0.0, -16.0, 1.0]).real)  # of the slope: a minimum, a maximum, ...
LEFT, RIGHT = ((x**2 - 4) ** 2 + x for x in (ROOTS[0], ROOTS[2]))

PARABOLA = "var x : 1 in -3..3\nminimize height = (x - 1)^4 + x^2"
KNAPSACK = "var x[i in 1..2] : binary\nmaximize v = x[1] + x[2]\nconstraint one: x[1] + x[2] <= 1"


def test_one_start_finds_the_nearest_minimum_and_many_the_lowest() -> None:
    model = mecdsl.loads(QUARTIC)
    assert model.solve("ipopt").objective == pytest.approx(RIGHT)
    assert model.solve("ipopt", starts=8).objective == pytest.approx(LEFT)


def test_the_spread_is_told() -> None:
    result = mecdsl.loads(QUARTIC).solve("ipopt", starts=8)
    spread = result_json(result)["starts"]
    assert (spread["asked"], spread["optima"], spread["failed"]) == (8, 8, 0)
    assert spread["distinct"] == 2
    assert (spread["best"], spread["worst"]) == (pytest.approx(LEFT), pytest.approx(RIGHT))
    assert "8 starts: 8 local optima with 2 distinct values, best -2" in result_text(result)


def test_a_maximum_has_its_best_on_top() -> None:
    hill = QUARTIC.replace("minimize height = ", "maximize height = -") + "\n"
    hill = hill.replace("-(x^2 - 4)^2 + x", "-(x^2 - 4)^2 - x")
    spread = mecdsl.loads(hill).solve("ipopt", starts=8).solution.spread
    assert spread is not None
    assert spread.best == pytest.approx(-LEFT)
    assert spread.worst == pytest.approx(-RIGHT)


@pytest.mark.parametrize("via", ["arrays", "pyomo"])
def test_a_convex_problem_has_no_spread(via: str) -> None:
    result = mecdsl.loads(PARABOLA).solve("ipopt", starts=4, via=via)
    spread = result.solution.spread
    assert spread is not None
    assert (spread.optima, spread.distinct) == (4, 1)
    assert result.guarantee is Guarantee.GLOBAL
    assert "4 starts: 4 local optima, all of value " in result_text(result)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_answer_with_any_number_of_processes() -> None:
    model = mecdsl.loads(QUARTIC)
    first, second = (model.solve("ipopt", starts=5, threads=threads) for threads in (1, 3))
    assert first.values["x"].tolist() == second.values["x"].tolist()
    assert first.solution.spread == second.solution.spread


def test_without_a_fork_the_answer_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    model = mecdsl.loads(QUARTIC)
    forked = model.solve("ipopt", starts=3)
    monkeypatch.delattr("os.fork")
    here = model.solve("ipopt", starts=3)
    assert here.values["x"].tolist() == forked.values["x"].tolist()
    assert here.solution.spread == forked.solution.spread


def test_one_start_has_no_spread() -> None:
    result = mecdsl.loads(QUARTIC).solve("ipopt")
    assert result.solution.spread is None
    assert result_json(result)["starts"] is None


# Points -------------------------------------------------------------------------------------------

BOX = "var x[i in 1..50] : 1 in 2..5\nvar up : 1 >= 3\nvar free : 1\n"
BOX += "minimize z = sum(x[i]^2 for i in 1..50) + up^2 + free^2"


def test_points_lie_within_the_bounds_and_all_over_them() -> None:
    instance = mecdsl.loads(BOX).instance()
    points = np.array([drawn(instance, 0, number) for number in range(2, 42)])
    assert (points >= instance.lower).all()
    assert (points <= instance.upper).all()
    box = points[:, :50]
    # 2000 uniform numbers: each third of the box gets a third of them, give or take 5 sigma = 5 %
    shares = np.histogram(box, bins=3, range=(2.0, 5.0))[0] / box.size
    assert np.abs(shares - 1 / 3).max() < 0.053


def test_points_depend_on_seed_and_number_only() -> None:
    instance = mecdsl.loads(BOX).instance()
    points = [drawn(instance, seed, number) for seed, number in itertools.product((1, 2), (2, 3))]
    assert len({tuple(point) for point in points}) == 4
    assert (points[0] == drawn(instance, 1, 2)).all()


# Refusals -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["highs", "scip"])
def test_a_backend_that_is_not_local_names_those_that_are(backend: str) -> None:
    with pytest.raises(ModelError) as caught:
        mecdsl.loads("var x : 1 in 0..1\nminimize z = x").solve(backend, starts=2)
    (fault,) = caught.value.diagnostics
    assert fault.code == "E505"
    assert fault.help is not None
    assert "ipopt" in fault.help
    assert "scip" not in fault.help


def test_auto_takes_a_local_solver_or_says_that_there_is_none() -> None:
    linear = mecdsl.loads("var x : 1 in 0..1\nminimize z = x")
    assert linear.solve(starts=2).backend == "ipopt"
    with pytest.raises(ModelError, match="no local solver takes this MILP"):
        mecdsl.loads(KNAPSACK).solve(starts=2)


@pytest.mark.parametrize("starts", [0, -1, 10**6])
def test_a_number_of_starts_makes_sense(starts: int) -> None:
    with pytest.raises(ModelError, match="the number of starts is"):
        mecdsl.loads(QUARTIC).solve("ipopt", starts=starts)


def test_capabilities_say_who_takes_them() -> None:
    found = {entry["name"]: entry["starts"] for entry in backends_json(mecdsl.list_backends())}
    assert found["ipopt"]
    assert not found["scip"]
    assert not found["fog-newton"]


def test_a_comparison_gives_them_to_the_local_solvers() -> None:
    found = mecdsl.loads(QUARTIC).compare(["ipopt", "scip"], starts=6)
    ipopt, scip = (entry.result for entry in found.entries)
    assert ipopt is not None
    assert scip is not None
    assert ipopt.objective == pytest.approx(scip.objective)
    assert scip.solution.spread is None
    assert "ipopt: 6 starts: " in comparison_text(found)
    with pytest.raises(ModelError, match="none is compared"):
        mecdsl.loads(QUARTIC).compare(["scip"], starts=6)


# Ends ---------------------------------------------------------------------------------------------


@dataclass
class Slow:
    """A local solver for one variable: it answers its start, and where asked waits to be stopped.

    The ordinary start is 1. `waits` is asked for the start.
    """

    waits: bool = False
    name: str = "slow"
    capabilities: Capabilities = field(
        default_factory=lambda: Capabilities(
            title="slow",
            classes=frozenset(ProblemClass),
            guarantee=Guarantee.LOCAL,
            reference="nobody",
            warm_start=True,
            starts=True,
        )
    )

    def availability(self) -> Availability:
        return Availability(True)

    def accepts(self, request: Request) -> Acceptance:
        return Acceptance(True)

    def solve(self, request: Request) -> Solution:
        start = request.options.start
        x = np.array([1.0]) if start is None else start
        while self.waits and start is not None and not request.should_stop():
            pass
        stopped = self.waits and start is not None
        return Solution(
            backend=self.name,
            termination=Termination.INTERRUPTED if stopped else Termination.LOCALLY_OPTIMAL,
            guarantee=Guarantee.FEASIBLE if stopped else Guarantee.LOCAL,
            values=x,
            objective=float(x[0]),
        )


LINE = "var x : 1 in 0..9\nmaximize z = x"


def test_ctrl_c_keeps_the_best_so_far_and_begins_nothing_more() -> None:
    instance = mecdsl.loads(LINE).instance()
    looks = itertools.count()  # Ctrl-C comes while the second start waits
    request = Request(
        instance, SolveOptions(starts=9, threads=2), should_stop=lambda: next(looks) > 20
    )
    found = best_of_starts(Slow(waits=True), request, lowered(instance))
    assert found.termination is Termination.INTERRUPTED
    assert found.values is not None
    assert found.values[0] >= 1.0
    assert found.spread is not None
    assert found.spread.starts == 9
    assert found.spread.optima == 1  # of the ordinary start
    assert found.spread.failed["interrupted"] == 8


def test_the_time_limit_is_for_all_together() -> None:
    # nothing but the first is begun where no time is left
    result = mecdsl.loads(LINE).solve(Slow(), starts=50, time_limit=0.0)
    assert result.objective == 1.0
    assert result.termination is Termination.TIME_LIMIT
    assert result.verified
    assert result.solution.spread is not None
    assert result.solution.spread.failed == {"time limit": 49}


def test_the_best_of_the_starts_is_that_of_their_points() -> None:
    instance = mecdsl.loads(LINE).instance()
    result = mecdsl.loads(LINE).solve(Slow(), starts=6)
    assert result.objective == max(1.0, *(drawn(instance, 0, k)[0] for k in range(2, 7)))


def test_works_side_by_side_answer_in_their_order() -> None:
    found = side_by_side([lambda _, k=k: k * k for k in range(7)], 3, lambda: False, PATIENCE)  # type: ignore[misc]
    assert [one.answer for one in found] == [k * k for k in range(7)]


def test_an_exception_of_one_ends_all() -> None:
    with pytest.raises(ValueError, match="no such option"):
        side_by_side([lambda _: int("no such option")] * 3, 2, lambda: False, None)
