"""Nonlinear models as formulas that Python evaluates, apart from the project's own evaluator.

Formulas are over `u0`, `u1` ..., with `x = u * factor` the variables of the text; 1 is a size that
matters.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final

from tests.campaign.case import Case, Point, Truth
from tests.campaign.draw import quantity

MATTERS: Final = 1e-4  # of the stake
FUNCTIONS: Final[Mapping[str, Any]] = {
    "exp": math.exp,
    "ln": math.log,
    "sqrt": math.sqrt,
    "max": max,
    **{name: getattr(math, name) for name in "sin cos atan sinh cosh tanh erf hypot".split()},
    "perspective": lambda t, e: t * math.log1p(e / t) if t else 0.0,
    "quad_over_lin": lambda x, y: x**2 / y if x else 0.0,
}


@dataclass(frozen=True, slots=True)
class Variable:
    """`lower`, `upper`: of u, None for no bound."""

    lower: float | None
    upper: float | None
    integral: bool = False
    unit: str = "1"
    factor: float = 1.0


@dataclass(frozen=True, slots=True)
class Limit:
    """`formula (relation) right`; `stake`: what of the formula matters; `unit`: of both sides in
    the text.
    """

    formula: str
    relation: str
    right: float
    stake: float = 1.0
    unit: str = "1"


@dataclass(frozen=True, slots=True)
class SmoothModel:
    """`scale`: the unit of the objective and its SI factor."""

    variables: tuple[Variable, ...]
    limits: tuple[Limit, ...]
    goal: str
    maximize: bool = False
    scale: tuple[str, float] = ("1", 1.0)


def case(
    model: SmoothModel, status: str, best: float = 0.0, size: float = 1.0, convex: bool = False
) -> Case:
    """The case of a model whose optimum over u is known."""
    factor = model.scale[1]
    return Case(
        text=_text(model),
        names=tuple(f"x{j}" for j in range(len(model.variables))),
        maximize=model.maximize,
        truth=Truth(status, Fraction(best * factor), Fraction(size * factor)),
        breaches=lambda point: _breaches(model, point),
        objective=lambda point: Fraction(evaluate(model.goal, _inside(model, point)) * factor),
        convex=convex,
    )


def evaluate(formula: str, u: Sequence[float]) -> float:
    """The value of a formula; nan where it has none."""
    names: dict[str, Any] = {f"u{j}": value for j, value in enumerate(u)}
    try:
        found = eval(formula.replace("^", "**"), dict(FUNCTIONS), names)
    except (ArithmeticError, ValueError):
        return math.nan
    return float(found) if isinstance(found, int | float) else math.nan


def _text(model: SmoothModel) -> str:
    lines = ["model campaign"]
    for j, variable in enumerate(model.variables):
        ends = "".join(
            f" {relation} {quantity(Fraction(repr(bound)), variable.unit)}"
            for relation, bound in ((">=", variable.lower), ("<=", variable.upper))
            if bound is not None
        )
        lines.append(f"var x{j} : {'integer' if variable.integral else variable.unit}{ends}")
        lines.append(
            f"let u{j} : 1 = x{j}" + ("" if variable.unit == "1" else f"/(1 {variable.unit})")
        )
    for number, limit in enumerate(model.limits):
        unit = "1" if limit.unit == "1" else f"1 {limit.unit}"
        right = f"({limit.right!r})*{unit}"
        lines.append(f"constraint c{number}: {unit}*({limit.formula}) {limit.relation} {right}")
    unit = "1" if model.scale[0] == "1" else f"1 {model.scale[0]}"
    lines.append(f"{'maximize' if model.maximize else 'minimize'} goal = {unit}*({model.goal})")
    return "\n".join(lines)


def _inside(model: SmoothModel, point: Point) -> list[float]:
    return [point[f"x{j}"] / variable.factor for j, variable in enumerate(model.variables)]


def _breaches(model: SmoothModel, point: Point) -> list[str]:
    u = _inside(model, point)
    found = []
    for j, (value, variable) in enumerate(zip(u, model.variables, strict=True)):
        slack = 0.0 if variable.integral else MATTERS
        if variable.integral and value != round(value):
            found.append(f"x{j} = {value} is no integer")
        low, high = variable.lower, variable.upper
        if (low is not None and value < low - slack) or (high is not None and value > high + slack):
            found.append(f"x{j} lies outside of its bounds, u = {value:.9g}")
    for number, limit in enumerate(model.limits):
        difference = evaluate(limit.formula, u) - limit.right
        amount = {"<=": difference, ">=": -difference, "==": abs(difference)}[limit.relation]
        if not amount <= MATTERS * limit.stake:
            found.append(f"c{number} is broken by {amount:.3g}, {limit.stake:.3g} matters")
    return found
