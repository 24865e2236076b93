"""The conformance cases are what they claim: class, feasible point, objective, and nothing better
in sight.

No solver runs here. Integer cases are enumerated; continuous ones are searched with random points,
which finds gross mistakes of a derivation, though not small ones.
"""

import itertools
import math
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mecdsl.compiling.check import check
from mecdsl.convexity.problem import analyse
from mecdsl.instances.algebra import Floats
from mecdsl.instances.instance import Instance
from mecdsl.instances.instantiate import instantiate
from mecdsl.instances.tables import SINGLE
from mecdsl.model.classes import ProblemClass
from mecdsl.parsing.parse import parse_file
from mecdsl.testing.case import FOLDER, INFEASIBLE, OPTIMAL, TAGS, UNBOUNDED, Case, Values
from mecdsl.testing.cases import CASES

Array = NDArray[np.float64]

MOST_POINTS = 5000  # of one enumeration
DRAWS = 400


@cache
def instance_of(case_name: str) -> Instance:
    """The instance of a case; built once for all tests."""
    case = next(case for case in CASES if case.name == case_name)
    return instantiate(check(parse_file(case.path), case.form), {})


def column_values(instance: Instance, values: Values) -> Array:
    """Values by name as one array over the columns; nan where nothing is said."""
    result = np.full(instance.columns, math.nan)
    for name, value in values.items():
        family = instance.variable(name)
        flat = np.atleast_1d(np.asarray(value, dtype=np.float64))
        assert flat.shape == (family.size,), f"`{name}` has {family.size} rows"
        result[family.columns] = flat
    return result


def violation(instance: Instance, x: Array) -> float:
    """The largest violation of rows, bounds, integrality and fixings, relative to the sides of the
    row.
    """
    worst = [0.0]
    smallest = 1e-200  # a scale of 0 must not hide a violation
    evaluator = instance.evaluator(Floats(x))
    for family in instance.constraints:
        left = evaluator.family(family.constraint.left, family.table).astype(np.float64)
        right = evaluator.family(family.constraint.right, family.table).astype(np.float64)
        gap = {"<=": left - right, ">=": right - left, "==": np.abs(left - right)}[family.relation]
        scale = np.maximum(np.maximum(np.abs(left), np.abs(right)), smallest)
        worst += (gap / scale).tolist()
    size = np.maximum(np.abs(x), smallest)
    worst += ((instance.lower - x) / size).tolist() + ((x - instance.upper) / size).tolist()
    worst += np.abs(x - np.round(x))[instance.integral & instance.free].tolist()
    worst += np.abs(x - instance.fixed)[~instance.free].tolist()
    return max(math.inf if math.isnan(value) else value for value in worst)


def feasible(instance: Instance, x: Array) -> bool:
    """Whether a point meets everything to nine digits."""
    return violation(instance, x) <= 1e-9


def better(instance: Instance, value: float, reference: float) -> bool:
    """Whether an objective beats another by more than rounding."""
    gain = value - reference if instance.maximize else reference - value
    return gain > 1e-7 * max(abs(reference), abs(value))


def spread(instance: Instance, x: Array) -> Array:
    """A typical size of each column: its box, or its value at the point."""
    width = instance.upper - instance.lower
    return np.where(np.isfinite(width) & (width > 0), width, np.maximum(np.abs(x), 1.0))


def onto_linear_equations(instance: Instance, base: Array, x: Array) -> Array:
    """The point moved onto the equations, taken as linear and true at `base`; fixed columns
    stay.
    """
    equations = [f for f in instance.constraints if f.relation == "==" and f.size]
    movable = np.flatnonzero(instance.free)
    if not equations or not len(movable):
        return x
    size = spread(instance, base)

    def residuals(point: Array) -> Array:
        found = instance.differences(point)
        return np.concatenate([found[f.name] for f in equations])

    zero = residuals(base)
    steps = [residuals(base + size * unit) - zero for unit in np.eye(instance.columns)[movable]]
    correction = np.linalg.lstsq(np.array(steps).T, -residuals(x), rcond=None)[0]
    result = x.copy()
    result[movable] += size[movable] * correction
    return result


def draws(instance: Instance, base: Array) -> list[Array]:
    """Random points in the box, near and far from a point, on the equations if they are linear."""
    rng = np.random.default_rng(2026)
    size = spread(instance, base)
    found = []
    for number in range(DRAWS):
        step = (1e-3, 1e-1, 1.0)[number % 3] * rng.normal(size=instance.columns)
        x = np.clip(base + size * step, instance.lower, instance.upper)
        x = np.where(instance.integral, np.round(x), x)
        found.append(onto_linear_equations(instance, base, instance.complete(x)))
    return found


def box_points(instance: Instance) -> list[Array] | None:
    """Every point of a purely integer problem with a small box, else None."""
    if (
        not instance.columns
        or not instance.integral.all()
        or not np.isfinite(instance.upper - instance.lower).all()
    ):
        return None
    low, high = np.ceil(instance.lower), np.floor(instance.upper)
    if np.prod(high - low + 1) > MOST_POINTS:
        return None
    ranges = [np.arange(a, b + 1) for a, b in zip(low, high, strict=True)]
    return [instance.complete(np.array(point)) for point in itertools.product(*ranges)]


def of(outcome: str) -> list[Case]:
    """The cases with an outcome."""
    return [case for case in CASES if case.outcome == outcome]


def by_name(case: Case) -> str:
    """The name of a test's parameter."""
    return case.name


# Integer cases with real variables, or with too many points.
NOT_COUNTED = {
    "unbounded_integer",
    "large_integer",
    "activation",
    "pace",
    "mixed_exponential",
    "fast_links",
}
COUNTED = [
    case.name for case in CASES if case.problem_class.integral and case.name not in NOT_COUNTED
]

# Their equations leave no other point, or are not linear; or nothing can be decided at all.
NOT_DRAWN = {
    "equality_system",
    "equality_system-redundant",
    "rectangle",
    "pace",
    "empty_model",
    "fixed_variables-all_fixed",
    "learning-equal",
    "learning-relaxed",
}


def test_the_list_is_in_order() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
    assert {case.file for case in CASES} == {path.name for path in FOLDER.glob("*.mec")}
    assert {case.problem_class for case in CASES} == set(ProblemClass)
    for case in CASES:
        assert case.why, case.name
        assert case.tags <= TAGS.keys(), case.name
        nonlinear = case.problem_class in (ProblemClass.NLP, ProblemClass.MINLP)
        assert len(case.tags & {"convex", "nonconvex"}) == (1 if nonlinear else 0), case.name
        assert (case.objective is not None) == (case.outcome == OPTIMAL), case.name
        assert bool(case.ray) == (case.outcome == UNBOUNDED), case.name


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.mec")), ids=lambda path: path.stem)
def test_the_derivation_stands_at_the_top(path: Path) -> None:
    assert path.read_text(encoding="utf-8").startswith("# ")


@pytest.mark.parametrize("case", CASES, ids=by_name)
def test_no_warning(case: Case) -> None:
    messages = [warning.message for warning in instance_of(case.name).model.warnings]
    assert messages == []


@pytest.mark.parametrize("case", CASES, ids=by_name)
def test_class(case: Case) -> None:
    assert analyse(instance_of(case.name)).problem_class is case.problem_class


@pytest.mark.parametrize("case", CASES, ids=by_name)
def test_tags_about_size(case: Case) -> None:
    instance = instance_of(case.name)
    assert ("no columns" in case.tags) == (not instance.free.any())
    assert ("no rows" in case.tags) == (instance.rows == 0)
    assert ("fixed" in case.tags) == bool((~instance.free).any())


@pytest.mark.parametrize("case", of(OPTIMAL), ids=by_name)
def test_point_is_feasible_and_has_the_objective(case: Case) -> None:
    instance = instance_of(case.name)
    x = column_values(instance, case.full_point)
    assert not np.isnan(x).any(), "the case gives no full point"
    assert feasible(instance, x), violation(instance, x)
    assert instance.objective(x) == pytest.approx(case.objective, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("case", [case for case in CASES if case.name in COUNTED], ids=by_name)
def test_enumeration_finds_nothing_else(case: Case) -> None:
    """Every optimum of the box has the objective and the values claimed; an infeasible case has no
    point.
    """
    instance = instance_of(case.name)
    points = box_points(instance)
    assert points is not None
    inside = [x for x in points if feasible(instance, x)]
    if case.outcome == INFEASIBLE:
        assert inside == []
        return
    assert case.objective is not None
    values = np.array([instance.objective(x) for x in inside])
    best = values.max() if instance.maximize else values.min()
    assert best == pytest.approx(case.objective, rel=1e-9)
    optima = [
        x for x, value in zip(inside, values, strict=True) if not better(instance, best, value)
    ]
    assert (len(optima) > 1) == ("tie" in case.tags)
    claimed = column_values(instance, case.values or {})
    said = ~np.isnan(claimed)
    for x in optima:
        np.testing.assert_array_equal(x[said], claimed[said])


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [c for c in of(OPTIMAL) if c.name not in COUNTED and c.name not in NOT_DRAWN],
    ids=by_name,
)
def test_no_drawn_point_is_better(case: Case) -> None:
    instance = instance_of(case.name)
    base = column_values(instance, case.full_point)
    points = [x for x in draws(instance, base) if feasible(instance, x) and np.any(x != base)]
    assert points, "no feasible point was drawn"
    assert case.objective is not None
    for x in points:
        assert not better(instance, instance.objective(x), case.objective), x


@pytest.mark.parametrize("case", [c for c in of(INFEASIBLE) if c.name not in COUNTED], ids=by_name)
def test_no_drawn_point_is_feasible(case: Case) -> None:
    instance = instance_of(case.name)
    middle = np.clip(np.zeros(instance.columns), instance.lower, instance.upper)
    points = [instance.complete(middle), *draws(instance, instance.complete(middle))]
    assert not any(feasible(instance, x) for x in points)


@pytest.mark.parametrize("case", of(UNBOUNDED), ids=by_name)
def test_ray_is_feasible_and_gains(case: Case) -> None:
    instance = instance_of(case.name)
    x, ray = column_values(instance, case.full_point), column_values(instance, case.ray)
    last = instance.objective(x)
    assert feasible(instance, x)
    for length in (1.0, 10.0, 1e3, 1e6):
        assert feasible(instance, x + length * ray)
        value = instance.objective(x + length * ray)
        assert better(instance, value, last)
        last = value


def parts(instance: Instance, x: Array) -> list[float]:
    """Objective and rows as functions that are convex in a convex problem: minimised, `<= 0`, `==`
    twice.
    """
    sign = -1.0 if instance.maximize else 1.0
    found = [
        sign
        * float(instance.evaluator(Floats(x)).family(instance.model.objective.value, SINGLE)[0])
    ]
    for family in instance.constraints:
        difference = instance.differences(x)[family.name]
        signs = {"<=": (1.0,), ">=": (-1.0,), "==": (1.0, -1.0)}[family.relation]
        found += [s * value for s in signs for value in difference.tolist()]
    return found


def chord_breaks(instance: Instance) -> bool:
    """Whether the middle of some drawn chord lies above it in one of the parts, integers taken as
    real.
    """
    rng = np.random.default_rng(2026)
    low = np.where(np.isfinite(instance.lower), instance.lower, -10.0)
    high = np.where(np.isfinite(instance.upper), instance.upper, np.maximum(low, 0.0) + 10.0)
    for _ in range(DRAWS):
        ends = rng.uniform(low, high, size=(2, instance.columns))
        first, second = (instance.complete(end) for end in ends)
        values = zip(
            parts(instance, first),
            parts(instance, second),
            parts(instance, (first + second) / 2),
            strict=True,
        )
        for a, b, middle in values:
            if middle - (a + b) / 2 > 1e-9 * max(abs(a), abs(b), abs(middle)):
                return True
    return False


@pytest.mark.slow
@pytest.mark.parametrize(
    "case",
    [c for c in CASES if c.problem_class not in (ProblemClass.LP, ProblemClass.MILP)],
    ids=by_name,
)
def test_convexity(case: Case) -> None:
    """The class of a quadratic problem, or the tag of a nonlinear one, against chords of its
    functions.
    """
    convex = "convex" in case.tags or case.problem_class.value.startswith("convex")
    assert chord_breaks(instance_of(case.name)) != convex
