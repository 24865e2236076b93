"""Convex kinds, built backwards from a minimiser by the first-order conditions, and mixed-integer
ones.
"""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from tests.campaign.case import INFEASIBLE, OPTIMAL, UNBOUNDED, Case
from tests.campaign.draw import Draw
from tests.campaign.smooth_model import Limit, SmoothModel, Variable, case, evaluate

Gradient = Callable[..., tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class Part:
    """A convex function of one or two positive arguments with its gradient."""

    formula: str
    gradient: Gradient
    arguments: int = 1


PARTS: Final = (
    Part("exp({a})", lambda a: (math.exp(a),)),
    Part("exp(-{a})", lambda a: (-math.exp(-a),)),
    Part("1/{a}", lambda a: (-1.0 / a**2,)),
    Part("{a}^2", lambda a: (2.0 * a,)),
    Part("{a}^3", lambda a: (3.0 * a**2,)),
    Part("{a}^1.5", lambda a: (1.5 * math.sqrt(a),)),
    Part("(0 - ln({a}))", lambda a: (-1.0 / a,)),
    Part("(0 - sqrt({a}))", lambda a: (-0.5 / math.sqrt(a),)),
    Part("{a}*ln({a})", lambda a: (math.log(a) + 1.0,)),
    Part("{a}/(9 - {a})", lambda a: (9.0 / (9.0 - a) ** 2,)),
    Part("{a}^2/{b}", lambda a, b: (2.0 * a / b, -((a / b) ** 2)), 2),
    Part("({a} - {b})^2", lambda a, b: (2.0 * (a - b), 2.0 * (b - a)), 2),
    Part("quad_over_lin({a}, {b})", lambda a, b: (2.0 * a / b, -((a / b) ** 2)), 2),
    Part(
        "(0 - perspective({a}, {b}))",
        lambda a, b: (b / (a + b) - math.log1p(b / a), -a / (a + b)),
        2,
    ),
    Part(
        "ln(exp({a}) + exp({b}))",
        lambda a, b: (1.0 / (1.0 + math.exp(b - a)), 1.0 / (1.0 + math.exp(a - b))),
        2,
    ),
    Part("{a}^3/{b}^2", lambda a, b: (3.0 * (a / b) ** 2, -2.0 * (a / b) ** 3), 2),
)
SCALES: Final = (("1", 1.0), ("1", 1.0), ("nJ", 1e-9), ("GW", 1e9), ("Tbit", 1e12))
SMALLEST: Final = 0.05  # of u, so that no function is at its pole
LARGEST: Final = 8.5


def convex(draw: Draw) -> Case:
    """Smooth convex programs with a minimiser that multipliers prove."""
    count = draw.whole(1, 3)
    at = [float(draw.number(0.4, 3)) for _ in range(count)]
    variables = [_variable(draw) for _ in range(count)]
    formula, slope = _sum(draw, at, draw.whole(1, 3))
    limits = []
    for _ in range(draw.whole(0, 2)):
        text, gradient = _sum(draw, at, draw.whole(1, 2))
        value = evaluate(text, at)
        if draw.chance(0.6):  # active, with a multiplier
            multiplier = float(draw.number(0.1, 2, 1))
            slope = [s + multiplier * g for s, g in zip(slope, gradient, strict=True)]
        else:
            value += float(draw.number(0.1, 3, 1))
        stake = max(1.0, *map(abs, gradient)) if gradient else 1.0
        limits.append(Limit(text, "<=", value, stake, draw.pick("1", "1", "nJ", "Mbit")))
    if draw.chance(0.5):
        slope = _linear_row(draw, at, limits, slope)
    for j in range(count):
        if draw.chance(0.2):  # the minimiser lies on a bound
            variables[j] = Variable(
                at[j], LARGEST, unit=variables[j].unit, factor=variables[j].factor
            )
            slope[j] -= float(draw.number(0.1, 2, 1))
    goal = formula + "".join(f" - ({s!r})*u{j}" for j, s in enumerate(slope))
    maximize = draw.chance(0.3)
    best = evaluate(goal, at)
    goal, best = (f"-({goal})", -best) if maximize else (goal, best)
    model = SmoothModel(tuple(variables), tuple(limits), goal, maximize, draw.pick(*SCALES))
    return case(model, OPTIMAL, best, max(1.0, abs(best)), convex=True)


def _variable(draw: Draw) -> Variable:
    unit, factor = draw.unit()
    return Variable(SMALLEST, LARGEST, unit=unit, factor=float(factor))


def _linear_row(
    draw: Draw, at: list[float], limits: list[Limit], slope: list[float]
) -> list[float]:
    """An equality that the minimiser keeps, with a multiplier of either sign; the slope of the
    Lagrangian.
    """
    a = [float(draw.number(-3, 5, 1)) or 1.0 for _ in at]
    text = " + ".join(f"({value!r})*u{j}" for j, value in enumerate(a))
    limits.append(Limit(text, "==", evaluate(text, at), max(map(abs, a))))
    multiplier = float(draw.number(-2, 2, 1))
    return [s + multiplier * value for s, value in zip(slope, a, strict=True)]


def _sum(draw: Draw, at: list[float], terms: int) -> tuple[str, list[float]]:
    """A sum of convex parts and its gradient at a point."""
    texts, slope = [], [0.0] * len(at)
    for _ in range(terms):
        part = draw.pick(*(p for p in PARTS if p.arguments <= len(at)))
        chosen = draw.random.sample(range(len(at)), part.arguments)
        weight = float(draw.number(0.2, 5, 1))
        texts.append(
            f"{weight!r}*"
            + part.formula.format(**{n: f"u{j}" for n, j in zip("ab", chosen, strict=False)})
        )
        for j, g in zip(chosen, part.gradient(*(at[j] for j in chosen)), strict=True):
            slope[j] += weight * g
    return " + ".join(texts), slope


def soft_deadline(draw: Draw) -> Case:
    """Speed against energy, with lateness that costs 1e6 to 1e12: the least a/x + b x, but x >=
    a/limit.
    """
    a, b = float(draw.number(0.5, 4, 1)), float(draw.number(0.5, 4, 1))
    limit, dear = float(draw.number(0.3, 5, 1)), 10.0 ** draw.whole(6, 12)
    unit, factor = draw.unit()
    best = max(math.sqrt(a / b), a / limit)
    value = a / best + b * best
    variables = (Variable(0.01, 100.0, unit=unit, factor=float(factor)), Variable(0.0, 1000.0))
    model = SmoothModel(
        variables, (Limit(f"{a!r}/u0 - u1", "<=", limit),), f"{a!r}/u0 + {b!r}*u0 + {dear!r}*u1"
    )
    return case(model, OPTIMAL, value, value, convex=True)


def poles(draw: Draw) -> Case:
    """Quotients and logarithms whose pole a row excludes: feasible, or by a clear margin not."""
    a, b, low = (float(draw.number(0.5, 4, 1)) for _ in range(3))
    unit, factor = draw.unit()
    x, y = (Variable(0.0, draw.pick(None, 50.0), unit=unit, factor=float(factor)) for _ in range(2))
    form = draw.pick("1/{y}", "(0 - ln({y}))", "1/{y}^2").format(y="u1")
    away = draw.pick(
        Limit("u1", ">=", low), Limit("u0 + u1", ">=", low), Limit("2*u1", ">=", 2 * low)
    )
    if draw.chance(0.3):  # the value of the row at the smallest y is missed by a tenth of it
        tight = Limit("u1", "<=", low)
        bound = evaluate(form, [0.0, low])
        limit = Limit(form, "<=", bound - 0.1 * max(1.0, abs(bound)))
        return case(SmoothModel((x, y), (away, tight, limit), "u0 + u1"), INFEASIBLE)
    # b*u1 + a*form is convex with one minimiser; rows of u0 cost nothing, since u0 may be as large
    # as low
    slope = {"1": lambda: math.sqrt(a / b), "(": lambda: a / b}[form[0]]()
    if "^2" in form:
        slope = (2.0 * a / b) ** (1.0 / 3.0)
    least = low if away.formula != "u0 + u1" else 0.0
    best = max(slope, least)
    value = a * evaluate(form, [0.0, best]) + b * best
    return case(
        SmoothModel((x, y), (away,), f"{a!r}*{form} + {b!r}*u1"),
        OPTIMAL,
        value,
        max(1.0, abs(value)),
    )


def endless(draw: Draw) -> Case:
    """Nonlinear objectives that fall without end, and such that only look so."""
    unit, factor = draw.unit()
    x = Variable(draw.pick(0.0, None, 0.5), None, unit=unit, factor=float(factor))
    x = (
        Variable(0.5, None, unit=unit, factor=float(factor))
        if x.lower is None and draw.chance(0.5)
        else x
    )
    a = float(draw.number(0.5, 4, 1))
    positive = x.lower is not None
    least = 0.0 if x.lower is None else x.lower

    def place(inner: float) -> float:
        return max(inner, least) if positive else inner

    goal, at = draw.pick(
        (f"{a!r}*u0^2 - u0", place(0.5 / a)),
        (f"{a!r}*exp(u0) - u0", place(-math.log(a))),
        (f"u0 - {a!r}*u0^2", None),
        (f"0 - {a!r}*ln(1 + u0)", None) if positive else (f"{a!r}*u0^3", None),
        (f"{a!r}*u0 - sqrt(1 + u0)", place(0.25 / a**2 - 1.0)) if positive else (f"{a!r}*u0", None),
    )
    model = SmoothModel((x,), (), goal)
    if at is None:
        return case(model, UNBOUNDED)
    best = evaluate(goal, [at])
    return case(model, OPTIMAL, best, max(1.0, abs(best)))


def mixed(draw: Draw) -> Case:
    """Nonlinear in integers, with a continuous speed whose best value is known for each choice of
    them.
    """
    count = draw.whole(1, 3)
    ranges = [(draw.whole(0, 1), draw.whole(2, 4)) for _ in range(count)]
    variables = [Variable(float(low), float(high), integral=True) for low, high in ranges]
    atoms = [
        "exp(-u{j})",
        "u{j}^2",
        "1/(u{j} + 1)",
        "(0 - u{j}^2)",
        "sqrt(u{j} + 1)",
        "ln(u{j} + 2)",
        "u{j}*u{k}",
    ]
    atoms += ["(u{j} - 1.5)^2", "u{j}^3/(u{k} + 1)", "(0 - u{j}*ln(u{j} + 1))"]

    def formula() -> str:
        parts = []
        for _ in range(draw.whole(1, 3)):
            form = draw.pick(*atoms).format(j=draw.whole(0, count - 1), k=draw.whole(0, count - 1))
            parts.append(f"{float(draw.number(0.3, 5, 1))!r}*{form}")
        return " + ".join(parts)

    points = [
        [float(v) for v in p]
        for p in itertools.product(*(range(low, high + 1) for low, high in ranges))
    ]
    limits = [_separated(draw, formula(), points) for _ in range(draw.whole(0, 2))]
    kept = [p for p in points if all(_holds(limit, p) for limit in limits)]
    goal, own = formula(), [0.0] * len(kept)
    if draw.chance(0.5):
        unit, factor = draw.unit()
        low, high = 0.2, float(draw.number(1, 5, 1))
        a, b = float(draw.number(0.5, 4, 1)), float(draw.number(0.2, 2, 1))
        variables.append(Variable(low, high, unit=unit, factor=float(factor)))
        goal += f" + {a!r}*(u0 + 1)/u{count} + {b!r}*u{count}"
        for i, p in enumerate(kept):
            speed = min(max(math.sqrt(a * (p[0] + 1) / b), low), high)
            own[i] = evaluate(goal, [*p, speed]) - evaluate(goal, [*p, 1.0]) + a * (p[0] + 1) + b
    plain = [evaluate(goal, [*p, 1.0]) for p in kept]
    if len(variables) > count:
        plain = [value - a * (p[0] + 1) - b for value, p in zip(plain, kept, strict=True)]
    values = [one + two for one, two in zip(plain, own, strict=True)]
    model = SmoothModel(tuple(variables), tuple(limits), goal, scale=draw.pick(*SCALES))
    if not values:
        return case(model, INFEASIBLE)
    return case(model, OPTIMAL, min(values), max(1.0, abs(min(values))))


def _separated(draw: Draw, formula: str, points: list[list[float]]) -> Limit:
    """A limit half-way between two values that the formula has, so that no point is near it; some
    keep no point.
    """
    values = sorted({evaluate(formula, p) for p in points})
    values = [values[0] - 2.0, *values, values[-1] + 2.0]
    gaps = [(b - a, a) for a, b in itertools.pairwise(values) if b - a > 0.05]
    width, low = draw.pick(*gaps)
    return Limit(formula, draw.pick("<=", ">="), round(low + 0.5 * width, 3), min(1.0, width))


def _holds(limit: Limit, point: list[float]) -> bool:
    value = evaluate(limit.formula, point)
    return value <= limit.right if limit.relation == "<=" else value >= limit.right
