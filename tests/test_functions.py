"""Every row of the table of functions: its numbers against other sources, what it says of ranges
against samples, and each function through every algebra and every solver that has words for it.
"""

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import mecdsl
from mecdsl.analysis.poles import poles
from mecdsl.analysis.propagation.box import implied_box
from mecdsl.backends.table import load
from mecdsl.convexity.curvature import Curvature
from mecdsl.convexity.problem import analyse
from mecdsl.diagnostics import Diagnostic, ModelError
from mecdsl.functions.function import Several, Smoothness, Univariate
from mecdsl.functions.table import MISTAKEN, NAMES, SEVERAL, SPELLED, TABLE, UNIVARIATE
from mecdsl.model.classes import Degree

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")  # at the ends of domains
Array = NDArray[np.float64]

PYTHON: Mapping[str, Callable[..., float]] = {
    "ln": math.log,
    "log2": math.log2,
    "log10": math.log10,
    "exp": math.exp,
    "db": lambda x: 10.0 ** (x / 10.0),
    "sqrt": math.sqrt,
    "abs": abs,
    "floor": math.floor,
    "ceil": math.ceil,
    "round": round,
    "sign": lambda x: math.copysign(1.0, x) if x else 0.0,
    "min": min,
    "max": max,
    "perspective": lambda t, e: t * math.log1p(e / t),
    "quad_over_lin": lambda x, y: x * x / y,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "atan2": math.atan2,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "erf": math.erf,
}
"""What Python's own library has for each, and formulas where it has none."""

SMOOTH = [n for n, row in UNIVARIATE.items() if row.smoothness is Smoothness.SMOOTH]


def places(row: Univariate, count: int = 60, seed: int = 0) -> Array:
    """Arguments inside of the domain, near to 0 and far from it."""
    draw = np.random.default_rng(seed)
    found = draw.normal(size=count) * draw.choice([0.3, 2.0, 8.0], size=count)
    low, high = row.domain.low, row.domain.high
    inside: Array = found[(found > low + 1e-3) & (found < high - 1e-3)]
    return inside


def ranges(row: Univariate, count: int = 400) -> tuple[Array, Array]:
    """Ranges of arguments inside of the domain, some of them narrow, some with an end at 0."""
    draw = np.random.default_rng(7)
    low = draw.normal(size=count) * draw.choice([0.3, 2.0, 8.0], size=count)
    low = np.where(draw.random(count) < 0.2, 0.0, low)
    high = low + np.abs(draw.normal(size=count)) * draw.choice([0.1, 1.0, 5.0], size=count)
    return row.domain.clip(low), row.domain.clip(high)


def samples(low: Array, high: Array, count: int = 201) -> Array:
    """float64[count, ranges]: arguments from the lower to the upper end of each range."""
    share = np.linspace(0.0, 1.0, count)[:, None]
    return np.clip(low + share * (high - low), low, high)


def test_the_numbers_come_from_a_library_of_another_maker() -> None:
    assert set(PYTHON) == set(TABLE)


@pytest.mark.parametrize("name", UNIVARIATE)
def test_values_are_those_of_the_library(name: str) -> None:
    x = places(UNIVARIATE[name])
    expected = [PYTHON[name](float(point)) for point in x]
    assert UNIVARIATE[name].value(x) == pytest.approx(expected, rel=1e-13, abs=1e-15)


@pytest.mark.parametrize("name", SMOOTH)
def test_derivatives_are_the_differences_of_the_library(name: str) -> None:
    """Central differences: of the library's values for the first, of the first for the second."""
    row = UNIVARIATE[name]
    x = places(row)
    x = x[~row.reaches_pole(x - 0.05, x + 0.05)]
    step = 1e-5
    rise = [(PYTHON[name](p + step) - PYTHON[name](p - step)) / (2.0 * step) for p in x.tolist()]
    value, first, second = row.derivatives(x)
    assert value == pytest.approx(row.value(x))
    assert first == pytest.approx(rise, rel=1e-5, abs=1e-8)
    bend = (row.derivatives(x + step)[1] - row.derivatives(x - step)[1]) / (2.0 * step)
    assert second == pytest.approx(bend, rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("name", UNIVARIATE)
def test_the_image_of_a_range_holds_every_value_and_no_more(name: str) -> None:
    row = UNIVARIATE[name]
    low, high = ranges(row)
    sampled = row.value(samples(low, high, 2001))
    least, most = row.image(low, high)
    held = np.isfinite(sampled)
    room = 1e-12 * (1.0 + np.abs(sampled))
    assert (~held | ((sampled >= least - room) & (sampled <= most + room))).all()
    calm = ~row.reaches_pole(low, high)
    reach = np.nanmax(sampled, axis=0) - np.nanmin(sampled, axis=0)
    near = 1e-3 * (1.0 + reach[calm])
    assert (np.abs(least - np.nanmin(sampled, axis=0))[calm] <= near).all()
    assert (np.abs(most - np.nanmax(sampled, axis=0))[calm] <= near).all()


@pytest.mark.parametrize("name", UNIVARIATE)
def test_a_function_bends_and_goes_as_its_row_says(name: str) -> None:
    row = UNIVARIATE[name]
    low, high = ranges(row)
    found, grid = row.bends(low, high), samples(low, high)
    values = row.value(grid)
    usable = np.isfinite(values).all(axis=0)
    middle = row.value(0.5 * (grid[:-2] + grid[2:])) - 0.5 * (values[:-2] + values[2:])
    step, room = np.diff(values, axis=0), 1e-12 * (1.0 + np.abs(values).max(axis=0))
    assert (middle <= room)[:, found.convex & usable].all()
    assert (middle >= -room)[:, found.concave & usable].all()
    assert (step >= -room)[:, found.rising & usable].all()
    assert (step <= room)[:, found.falling & usable].all()
    for flags, row_says in ((found.rising, row.rising), (found.falling, row.falling)):
        assert flags.any() == (row_says is not None)


@pytest.mark.parametrize("name", SMOOTH)
def test_a_bend_is_said_wherever_it_is_there(name: str) -> None:
    """On ranges whose second derivative has one sign throughout, well away from 0."""
    row = UNIVARIATE[name]
    if row.bends_by_expansion:
        return
    low, high = ranges(row)
    second = row.derivatives(samples(low, high))[2]
    found = row.bends(low, high)
    away = (np.abs(low) < 6.0) & (high > low + 1e-3) & ~row.reaches_pole(low, high)
    assert found.convex[away & (second > 1e-6).all(axis=0)].all()
    assert found.concave[away & (second < -1e-6).all(axis=0)].all()


@pytest.mark.parametrize("name", UNIVARIATE)
def test_every_argument_of_a_value_is_found_from_it(name: str) -> None:
    row = UNIVARIATE[name]
    x = places(row, 300)
    value = row.value(x)
    width = 0.01 + np.abs(np.random.default_rng(1).normal(size=len(x)))
    least, most = row.arguments(value - width, value + width)
    inside = np.abs(x) if row.even else x
    room = 1e-9 * (1.0 + np.abs(x))
    assert ((inside >= least - room) & (inside <= most + room)).all()


@pytest.mark.parametrize("name", UNIVARIATE)
def test_a_range_without_a_pole_has_values_of_a_bounded_size(name: str) -> None:
    row = UNIVARIATE[name]
    low, high = ranges(row)
    calm = ~row.reaches_pole(low, high)
    assert calm.any()
    finest = row.value(samples(low[calm], high[calm], 4001))
    assert np.isfinite(finest).all()
    coarse = np.abs(finest[::40]).max(axis=0)
    assert (np.abs(finest).max(axis=0) <= 1.5 * coarse + 1.0).all()


def test_the_tangent_has_a_pole_at_every_odd_quarter_turn() -> None:
    low = np.array([-1.5, 0.0, 1.0, 4.0, 4.0, 100.0])
    high = np.array([1.5, 1.5, 1.6, 4.7, 4.8, 103.2])
    assert UNIVARIATE["tan"].reaches_pole(low, high).tolist() == [
        False,
        False,
        True,  # pi/2 = 1.5708
        False,
        True,  # 3 pi/2 = 4.7124
        True,  # a range of 3.2 is wider than pi
    ]


@pytest.mark.parametrize("name", ["perspective", "quad_over_lin", "atan2"])
def test_partial_derivatives_are_differences(name: str) -> None:
    row = SEVERAL[name]
    assert row.partials is not None
    draw = np.random.default_rng(3)
    u, v, h = draw.uniform(0.2, 3.0, 40), draw.uniform(0.2, 3.0, 40), 1e-5
    value, by_u, by_v, by_uu, by_uv, by_vv = row.partials(u, v)
    library = np.vectorize(PYTHON[name])
    assert value == pytest.approx(library(u, v), rel=1e-13)
    assert by_u == pytest.approx((library(u + h, v) - library(u - h, v)) / (2 * h), rel=1e-6)
    assert by_v == pytest.approx((library(u, v + h) - library(u, v - h)) / (2 * h), rel=1e-6)
    slopes = [row.partials(u + d, v)[1:3] for d in (h, -h)]
    assert by_uu == pytest.approx((slopes[0][0] - slopes[1][0]) / (2 * h), rel=1e-5, abs=1e-8)
    assert by_uv == pytest.approx((slopes[0][1] - slopes[1][1]) / (2 * h), rel=1e-5, abs=1e-8)
    across = [row.partials(u, v + d)[2] for d in (h, -h)]
    assert by_vv == pytest.approx((across[0] - across[1]) / (2 * h), rel=1e-5, abs=1e-8)


@pytest.mark.parametrize("name", SEVERAL)
def test_the_image_of_several_ranges_holds_every_value(name: str) -> None:
    row = SEVERAL[name]
    draw = np.random.default_rng(4)
    lows = draw.uniform(-2.0, 2.0, (2, 300))
    highs = lows + draw.uniform(0.0, 2.0, (2, 300))
    least, most = row.image(list(lows), list(highs))
    for _ in range(200):
        values = row.value(*(lows + draw.random((2, 300)) * (highs - lows)))
        held = np.isfinite(values)
        assert (~held | ((values >= least - 1e-9) & (values <= most + 1e-9))).all()


@pytest.mark.parametrize("name", [n for n, row in TABLE.items() if row.expansion is not None])
def test_an_expansion_has_the_value_of_the_function(name: str) -> None:
    row = TABLE[name]

    def call(inner: str, arguments: Any) -> Any:
        return TABLE[inner].value(*arguments)

    draw = np.random.default_rng(5)
    count = row.arity or 3 if isinstance(row, Several) else 1
    given = list(draw.uniform(0.1, 1.4, (count, 50)))
    assert row.expansion is not None
    assert row.expansion.build(call, *given) == pytest.approx(row.value(*given), rel=1e-12)


# Every function through every algebra -------------------------------------------------------------

LOW, HIGH = 0.15, 0.85  # inside of every domain


def inner_variables(name: str) -> tuple[str, ...]:
    """The variables that the example gives to a function."""
    return ("x", "y")[: TABLE[name].arity or 2]


def example(name: str) -> str:
    """A model that minimises the function of variables, with a row that holds it too."""
    inner = ", ".join(inner_variables(name))
    return (
        f"model one\nvar x : 1 >= {LOW} <= {HIGH}\nvar y : 1 >= {LOW} <= {HIGH}\n"
        f"minimize cost = {name}({inner}) + (y - 0.5)^2 + 0.3*x\n"
        f"constraint most: {name}({inner}) + x <= 100\n"
    )


def least(name: str) -> float:
    """The least cost on a fine grid, by the other library; the grid holds the corners."""
    grid = np.linspace(LOW, HIGH, 281)
    x, y = np.meshgrid(grid, grid)
    count = len(inner_variables(name))
    value = np.vectorize(PYTHON[name], otypes=[float])(*(x, y)[:count])
    return float(np.min(value + (y - 0.5) ** 2 + 0.3 * x))


STEPPED = {name for name, row in TABLE.items() if row.smoothness is Smoothness.STEPPED}
REFUSED: Mapping[str, set[str]] = {
    "auto": STEPPED,
    "ipopt": STEPPED | {"min"},  # a least that should be small is written with integers
    "pounce": STEPPED | {"min"},
    # convex ones that have a cone
    "clarabel": set(TABLE) - {"abs", "cosh", "db", "exp", "max", "quad_over_lin"},
    "scip": STEPPED | {"asin", "acos", "atan", "atan2", "erf"},
    "bonmin": set(TABLE) - {"min"},  # of no integers
    "highs": set(TABLE) - {"abs", "max"},  # linear rows and a convex square; not with integers
}
"""The functions whose example a backend does not take."""


@pytest.mark.slow
@pytest.mark.parametrize("name", TABLE)
@pytest.mark.parametrize("backend", REFUSED)
def test_a_backend_has_the_function_and_its_optimum_or_refuses(name: str, backend: str) -> None:
    if backend != "auto" and not load(backend).availability().available:
        pytest.skip(f"{backend} is not installed")
    model = mecdsl.loads(example(name))
    if name in REFUSED[backend]:
        with pytest.raises(ModelError) as caught:
            model.solve(backend, time_limit=60.0)
        assert [diagnostic.code for diagnostic in caught.value.diagnostics] == ["E502"]
        return
    result = model.solve(backend, time_limit=60.0)
    assert result.verified
    assert result.objective == pytest.approx(least(name), abs=2e-4)


@pytest.mark.parametrize("name", TABLE)
def test_every_algebra_takes_the_function(name: str) -> None:
    instance = mecdsl.loads(example(name)).instance()
    x = np.array([0.3, 0.7])
    count = len(inner_variables(name))
    value = PYTHON[name](*x[:count].tolist())
    assert instance.objective(x) == pytest.approx(value + 0.04 + 0.09)
    assert poles(instance) == ()
    box = implied_box(instance)
    assert (box.lower <= x).all()
    assert (x <= box.upper).all()
    assert analyse(instance).objective.degree >= Degree.QUADRATIC


def sampled_curvature(name: str, shift: float) -> Curvature:
    """How the function of the library bends between random points of the example's box: where its
    middle lies below, and where above, the middle of its ends.
    """
    ends = np.random.default_rng(6).uniform(LOW, HIGH, (2, 2, 2000)) - shift
    count = len(inner_variables(name))
    value = np.vectorize(PYTHON[name], otypes=[float])
    first, last, middle = (value(*at[:count]) for at in (*ends, ends.mean(axis=0)))
    sag = middle - 0.5 * (first + last)
    assert np.abs(sag).max() > 1e-3
    if (sag <= 1e-12).all():
        return Curvature.CONVEX
    return Curvature.CONCAVE if (sag >= -1e-12).all() else Curvature.UNKNOWN


@pytest.mark.parametrize("name", sorted(set(TABLE) - STEPPED))
def test_the_curvature_over_variables_is_the_sampled_one(name: str) -> None:
    shift = 0.5 if name == "abs" else 0.0  # so that its kink is in the box
    inner = ", ".join(f"{variable} - {shift}" for variable in inner_variables(name))
    box = f"var x : 1 >= {LOW} <= {HIGH}\nvar y : 1 >= {LOW} <= {HIGH}\n"
    problem = analyse(mecdsl.loads(f"model m\n{box}minimize z = {name}({inner})").instance())
    assert problem.objective.curvature is sampled_curvature(name, shift)


@pytest.mark.parametrize("name", sorted(STEPPED))
def test_steps_have_no_curvature(name: str) -> None:
    assert analyse(mecdsl.loads(example(name)).instance()).objective.curvature is Curvature.UNKNOWN


@pytest.mark.parametrize("name", ["sin", "cos", "tan", "exp", "sinh", "db", "erf"])
def test_a_pole_around_a_function_is_found(name: str) -> None:
    value = PYTHON[name](0.5)
    text = f"model m\nvar x : 1 >= 0 <= 1\nminimize z = 1/({name}(x) - {value!r})"
    assert poles(mecdsl.loads(text).instance()) == ("z",)
    beyond = f"model m\nvar x : 1 >= 0 <= 1\nminimize z = 1/({name}(x) + 3)"
    assert poles(mecdsl.loads(beyond).instance()) == ()


def test_the_pole_of_a_shifted_sine_is_found() -> None:
    text = "model m\nvar x : 1 >= -1.5 <= 1.5\nminimize z = 1/(sin(x) + 0.5)"
    assert poles(mecdsl.loads(text).instance()) == ("z",)


def test_scip_proves_the_least_of_a_wave() -> None:
    # sin(3x) + x/4 on [0, 6]: cos(3x) = -1/12 with sin < 0; the least of the three is the first
    place = (2.0 * math.pi - math.acos(-1.0 / 12.0)) / 3.0
    text = "model m\nvar x : 1 >= 0 <= 6\nminimize z = sin(3*x) + x/4"
    result = mecdsl.loads(text).solve("scip")
    assert result.guarantee.value == "globally optimal"
    assert result.objective == pytest.approx(math.sin(3.0 * place) + place / 4.0, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "convex"),
    [
        ("sin(x)", False),  # from 0 to pi it is concave
        ("cos(x + 3)", True),  # from 3 to 3 + pi: its lowest part only up to 1.5 pi
        ("-sin(x)", True),
        ("cosh(x - 1)", True),
        ("sinh(x)", True),
        ("-tanh(x)", True),
        ("-atan(x)", True),
        ("-erf(x)", True),
        ("tan(x/3)", True),
        ("exp(-sin(x))", True),
    ],
)
def test_convexity_on_a_range_is_proven(text: str, convex: bool) -> None:
    upper = "1.7" if "cos(" in text else repr(math.pi)
    model = mecdsl.loads(f"model m\nvar x : 1 >= 0 <= {upper}\nminimize z = {text}")
    assert analyse(model.instance()).convex is convex


TOOL_LACKS = "model m\nvar x : 1 >= 0 <= 2\nminimize z = (x - 1)^2*erf(x)"


def refusal(text: str, backend: str, **options: Any) -> Diagnostic:
    """What a backend that does not take a model says of it."""
    with pytest.raises(ModelError) as caught:
        mecdsl.loads(text).solve(backend, **options)
    (said,) = caught.value.diagnostics
    assert said.code == "E502"
    return said


def test_a_tool_without_a_function_says_so() -> None:
    assert "`erf` of variables" in refusal(TOOL_LACKS, "scip").message
    assert "has no `erf` through Pyomo" in refusal(TOOL_LACKS, "ipopt", via="pyomo").message


@pytest.mark.parametrize("backend", ["ipopt", "scip", "auto"])
def test_a_refusal_through_pyomo_names_who_takes_it_from_arrays(backend: str) -> None:
    fix = refusal(TOOL_LACKS, backend, via="pyomo").help
    assert fix is not None
    said, _, names = fix.partition(": ")
    assert said == "backends that take it without `--via pyomo`"
    assert set(names.split(", ")) - {"pounce"} == {"ipopt"}  # pounce only where it is installed
    assert mecdsl.loads(TOOL_LACKS).solve("ipopt").verified


@pytest.mark.parametrize(("backend", "via"), [("scip", "arrays"), ("bonmin", "pyomo")])
def test_a_refusal_points_at_the_function_that_is_lacking(backend: str, via: str) -> None:
    """And not at the first part of the class of the problem, which is the tangent."""
    text = (
        "model m\nvar x : 1 >= 0 <= 2\nvar n : integer >= 0 <= 4\nminimize z = x + n\n"
        "constraint first: tan(x/4)*sin(n) <= 9\nconstraint second: erf(x)*n >= 0"
    )
    labels = refusal(text, backend, via=via).labels
    assert [label.span.text for label in labels] == ["erf(x)"]


# What is written out ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("hypot(3, 4)", 5.0),
        # a signal of three times what disturbs it: two bits for every Hz
        ("sinr_rate(6 W, 1 W, 1 W, 5 Hz) / (1 bit/s)", 10.0),
        ("relu(-2) + relu(3) + pos(4)", 7.0),
        ("norm(v[i] for i in 1..2)", 13.0),
        ("logsumexp(v[i] - 12 for i in 1..2)", math.log(math.exp(-7) + 1.0)),
        ("logsumexp(400*v[i] for i in 1..2 where i > 1)", 4800.0),
        ("sign(-3) + sign(0) + 5*sign(0.1)", 4.0),
        ("atan2(1, -1)", 0.75 * math.pi),
    ],
)
def test_short_ways_over_data(text: str, value: float) -> None:
    model = f"model m\nparam v[i in 1..2] : 1 = [5, 12]\nlet a = {text}\nvar x : 1 >= a\n"
    result = mecdsl.loads(model + "minimize z = x").solve()
    assert result.objective == pytest.approx(value, rel=1e-9)


def test_logsumexp_is_stable_and_convex_over_variables() -> None:
    # at the least all x are equal: 1000 + ln 3
    text = (
        "model m\nvar x[i in 1..3] : 1 >= 0 <= 5000\nminimize z = logsumexp(x[i] for i in 1..3)\n"
        "constraint c: sum(x[i] for i in 1..3) >= 3000"
    )
    result = mecdsl.loads(text).solve("ipopt")
    assert result.guarantee.value == "globally optimal"
    assert result.objective == pytest.approx(1000.0 + math.log(3.0), rel=1e-8)


@pytest.mark.slow
def test_norm_over_variables_is_convex_and_solved() -> None:
    # the distance of the origin from the plane x + 2 y + 2 z = 9 is 9/3
    text = (
        "model m\nparam a[i in 1..3] : 1 = [1, 2, 2]\nvar x[i in 1..3] : m\n"
        "minimize far = norm(x[i] for i in 1..3)\n"
        "constraint plane: sum(a[i]*x[i] for i in 1..3) == 9 m"
    )
    result = mecdsl.loads(text).solve("ipopt")
    assert result.verified
    assert result.objective == pytest.approx(3.0, rel=1e-6)


def test_relu_is_a_row() -> None:
    text = "model m\nvar x : 1 >= -5 <= 5\nminimize z = relu(x - 1) + relu(3 - x)"
    result = mecdsl.loads(text).solve("highs")
    assert result.objective == pytest.approx(2.0)


@pytest.mark.parametrize("name", [name for name, row in SPELLED.items() if row.family])
def test_a_short_way_over_a_set_asks_for_the_set(name: str) -> None:
    with pytest.raises(ModelError, match="does not say over what"):
        mecdsl.loads(f"model m\nvar x : 1 >= 0\nminimize z = {name}(x)").solve()


def test_names_of_other_languages_are_led_here() -> None:
    assert not set(MISTAKEN) & set(NAMES)
    for name, right in MISTAKEN.items():
        with pytest.raises(ModelError) as caught:
            mecdsl.loads(f"model m\nvar x : 1 >= 0\nminimize z = {name}(x)").solve()
        assert caught.value.diagnostics[0].help == f"did you mean `{right}`?"


def test_angles_have_units() -> None:
    text = "model m\nparam tilt : deg = 30\nvar x : deg >= 0 deg <= 90 deg\n"
    text += "minimize z = cos(x) + sin(tilt) + sin(90 deg)"
    model = mecdsl.loads(text)
    assert model.instance().data("tilt") == pytest.approx(math.pi / 6.0)
    result = model.solve("scip")
    assert result.objective == pytest.approx(1.5, abs=1e-6)
    assert result["x"] == pytest.approx(math.pi / 2.0, abs=1e-6)


def test_auto_names_a_prover_only_where_it_takes_the_model() -> None:
    for function, said in (("sin", True), ("erf", False)):
        model = mecdsl.loads(f"model m\nvar x : 1 >= 0 <= 9\nminimize z = x*{function}(x) - x")
        choice = model.solve().choice
        assert ("`scip` would give a proof" in choice) is said
