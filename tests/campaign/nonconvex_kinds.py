"""Nonconvex kinds with known optima: products over boxes, concave costs over polygons, curves."""

import itertools
import math
from collections.abc import Callable, Sequence
from fractions import Fraction
from functools import partial
from typing import Final

from tests.campaign.case import INFEASIBLE, OPTIMAL, Case
from tests.campaign.convex_kinds import SCALES
from tests.campaign.draw import Draw
from tests.campaign.smooth_model import Limit, SmoothModel, Variable, case, evaluate

GRID: Final = 4000
WAVES: Final = (
    "sin(2*u0)",
    "cos(u0 - 1)",
    "sin(u0)*cos(3*u0)",
    "tanh(u0 - 2)",
    "sinh(u0/2)",
    "cosh(u0 - 2)",
    "exp(-cos(u0))",
    "atan(2*u0 - 1)",
    "erf(u0 - 1)",
    "1/(1.5 + sin(u0))",
    "hypot(u0, 1)",
)
CURVES: Final = (
    "u0^4",
    "(0 - u0^3)",
    "(0 - u0^2)",
    "exp(u0)",
    "1/u0",
    "ln(u0)",
    "(0 - exp(u0/2))",
    "sqrt(u0)",
    "u0*exp(-u0)",
    "u0*ln(u0)",
    "(u0 - 1)/(u0 + 1)",
    "exp(-(u0 - 2)^2)",
)


def products_over_boxes(draw: Draw) -> Case:
    """A function linear in each variable alone has its least value at a corner of the box."""
    count = draw.whole(2, 3)
    ends = [(float(draw.number(-2, 1, 1)), float(draw.number(2, 5, 1))) for _ in range(count)]
    variables = []
    for low, high in ends:
        unit, factor = draw.unit()
        variables.append(Variable(low, high, unit=unit, factor=float(factor)))
    pairs = list(itertools.combinations(range(count), 2))
    terms = [f"({float(draw.number(-4, 5, 1))!r})*u{j}*u{k}" for j, k in pairs]
    terms += [f"({float(draw.number(-4, 4, 1))!r})*u{j}" for j in range(count)]
    if count == 3 and draw.chance(0.4):
        terms.append(f"({float(draw.number(-2, 2, 1))!r})*u0*u1*u2")
    goal = " + ".join(terms)
    best = min(evaluate(goal, corner) for corner in itertools.product(*ends))
    model = SmoothModel(tuple(variables), (), goal, scale=draw.pick(*SCALES))
    return case(model, OPTIMAL, best, max(1.0, abs(best)))


def concave_cost(draw: Draw) -> Case:
    """A concave cost over a polygon is least at one of its corners."""
    sides = [(-1.0, 0.0, 0.0), (0.0, -1.0, 0.0)]  # a x + b y <= c
    sides += [
        (float(draw.number(0.3, 2, 1)), float(draw.number(0.3, 2, 1)), float(draw.number(2, 8, 1)))
        for _ in range(2)
    ]
    if draw.chance(0.5):
        sides.append((-1.0, -1.0, -1.0))
    corners = [
        p for one, two in itertools.combinations(sides, 2) if (p := _crossing(one, two, sides))
    ]
    unit, factor = draw.unit()
    variables = tuple(Variable(0.0, 100.0, unit=unit, factor=float(factor)) for _ in range(2))
    forms = (
        "(0 - u{j}^2)",
        "sqrt(u{j} + 0.1)",
        "ln(1 + u{j})",
        "(0 - exp(u{j}/4))",
        "u{j}/(1 + u{j})",
    )
    parts = [f"{float(draw.number(0.5, 4, 1))!r}*{draw.pick(*forms).format(j=j)}" for j in (0, 1)]
    goal = " + ".join([*parts, f"({float(draw.number(-3, 3, 1))!r})*u0"])
    best = min(evaluate(goal, corner) for corner in corners)
    limits = tuple(Limit(f"({a!r})*u0 + ({b!r})*u1", "<=", c) for a, b, c in sides[2:])
    return case(
        SmoothModel(variables, limits, goal, scale=draw.pick(*SCALES)),
        OPTIMAL,
        best,
        max(1.0, abs(best)),
    )


Side = tuple[float, float, float]


def _crossing(one: Side, two: Side, sides: list[Side]) -> tuple[float, float] | None:
    """Where two sides meet, if that lies in the polygon; with fractions, as three may share it."""
    (a, b, c), (d, e, f) = ([Fraction(repr(v)) for v in side] for side in (one, two))
    determinant = a * e - b * d
    if not determinant:
        return None
    x, y = (c * e - b * f) / determinant, (a * f - c * d) / determinant
    inside = all(
        Fraction(repr(p)) * x + Fraction(repr(q)) * y <= Fraction(repr(r)) for p, q, r in sides
    )
    return (float(x), float(y)) if inside else None


def curve(draw: Draw) -> Case:
    """Any smooth function of one variable, with integers beside it, searched on a fine grid."""
    return _on_a_grid(draw, float(draw.number(0.1, 1, 1)), CURVES)


def wave(draw: Draw) -> Case:
    """The same of waves and sigmoids, also left of 0."""
    return _on_a_grid(draw, float(draw.number(-4, 1, 1)), WAVES)


def _on_a_grid(draw: Draw, low: float, curves: Sequence[str]) -> Case:
    high = float(draw.number(2, 6, 1))
    unit, factor = draw.unit()
    parts = [
        f"({float(draw.number(0.3, 4, 1))!r})*{draw.pick(*curves)}" for _ in range(draw.whole(2, 4))
    ]
    variables = [Variable(low, high, unit=unit, factor=float(factor))]
    counts = [0]
    if draw.chance(0.4):
        variables.append(Variable(0.0, 3.0, integral=True))
        counts = [0, 1, 2, 3]
        parts += [
            f"({float(draw.number(-2, 2, 1))!r})*u0*u1",
            f"{float(draw.number(0.1, 1, 1))!r}*u1^2",
        ]
    goal = " + ".join(parts)
    maximize = draw.chance(0.4)
    sign = -1.0 if maximize else 1.0
    limits: list[Limit] = []
    if draw.chance(0.3):
        edge = float(draw.number(low, high, 1))
        limits.append(
            Limit(f"exp(u0) {'+ u1' if len(counts) > 1 else ''}", "<=", round(math.exp(edge), 4))
        )
    values = []
    for count in counts:
        top = high
        if limits:
            inside = limits[0].right - count
            top = min(high, math.log(inside)) if inside > 0.0 else -math.inf
        if top >= low:
            values.append(_least(partial(_signed, sign, goal, float(count)), low, top))
    model = SmoothModel(tuple(variables), tuple(limits), goal, maximize, draw.pick(*SCALES))
    if not values:
        return case(model, INFEASIBLE)
    best = sign * min(values)
    return case(model, OPTIMAL, best, max(1.0, abs(best)))


def _signed(sign: float, goal: str, count: float, u: float) -> float:
    return sign * evaluate(goal, [u, count])


def _least(function: Callable[[float], float], low: float, high: float) -> float:
    """The least value: on a grid, then by halving the two steps about the best place."""
    step = (high - low) / GRID
    values = [function(low + i * step) for i in range(GRID + 1)]
    place = min(range(GRID + 1), key=values.__getitem__)
    centre, best = low + place * step, values[place]
    while step > 1e-10:
        step *= 0.5
        for candidate in (max(low, centre - step), min(high, centre + step)):
            if function(candidate) < best:
                centre, best = candidate, function(candidate)
    return best
