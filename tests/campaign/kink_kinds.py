"""Kinds with `max`, `min` and `abs` of linear parts: every choice of the active parts is a linear
program.
"""

import itertools
from dataclasses import dataclass, replace
from fractions import Fraction

from tests.campaign.case import INFEASIBLE, OPTIMAL, UNBOUNDED, Case, Point, Truth
from tests.campaign.draw import Draw, literal
from tests.campaign.exact_lp import ZERO
from tests.campaign.exact_model import (
    MATTERS,
    ExactModel,
    Polynomial,
    Row,
    breaches,
    enumerate_truth,
    inside,
    linear,
    name_of,
    objective,
    text_of,
    value_at,
    with_rows,
)
from tests.campaign.linear_kinds import program


@dataclass(frozen=True, slots=True)
class Kink:
    """`weight * function(parts)` of two linear parts; `abs` has the first part and its negative."""

    function: str
    parts: tuple[Polynomial, Polynomial]
    weight: Fraction

    def value(self, u: list[Fraction]) -> Fraction:
        values = [value_at(part, u) for part in self.parts]
        return self.weight * (min(values) if self.function == "min" else max(values))

    def text(self, model: ExactModel) -> str:
        shown = self.parts[:1] if self.function == "abs" else self.parts
        return f"{literal(self.weight)}*{self.function}({', '.join(_text(part, model) for part in shown)})"


def _text(value: Polynomial, model: ExactModel) -> str:
    parts = [
        f"({literal(a)})" + "".join(f"*{name_of(j, model)}" for j in m) for m, a in value.items()
    ]
    return " + ".join(parts)


def kinks(draw: Draw) -> Case:
    """Convex and nonconvex kinks in the objective, and in a row."""
    base = program(draw, draw.pick(0.0, 0.0, 0.4), free=0.1, capped=0.8, most=3)
    own = [_kink(draw, base) for _ in range(draw.whole(1, 2))]
    limited = _kink(draw, base) if draw.chance(0.3) else None
    relation, right = draw.pick("<=", ">="), draw.number(0, 20, 1)
    signs = [
        f" {'-' if k.weight < 0 else '+'} {replace(k, weight=abs(k.weight)).text(base)}"
        for k in own
    ]
    rows = [f"constraint kink: {limited.text(base)} {relation} {literal(right)}"] if limited else []

    def broken(point: Point) -> list[str]:
        found = breaches(base, point)
        if limited is not None:
            value = limited.value(inside(base, point)) - right
            if (value if relation == "<=" else -value) > MATTERS * _size(limited):
                found.append(f"kink is broken by {float(value)}")
        return found

    def goal(point: Point) -> Fraction:
        u = inside(base, point)
        return objective(base, u) + sum((k.value(u) for k in own), ZERO) * base.scale[1]

    return Case(
        text=text_of(base, "".join(signs), rows),
        names=tuple(f"x{j}" for j in range(len(base.columns))),
        maximize=base.maximize,
        truth=_truth(base, own, limited, (relation, right)),
        breaches=broken,
        objective=goal,
    )


def _kink(draw: Draw, base: ExactModel) -> Kink:
    count = len(base.columns)
    function = draw.pick("max", "min", "abs", "max")

    def part() -> dict[tuple[int, ...], Fraction]:
        chosen = draw.random.sample(range(count), draw.whole(1, min(2, count)))
        return linear(
            {j: draw.number(-4, 6, 1) or Fraction(1) for j in chosen}, draw.number(-5, 5, 1)
        )

    first = part()
    second = {m: -a for m, a in first.items()} if function == "abs" else part()
    weight = draw.number(0.5, 4, 1)
    if draw.chance(0.35):
        weight = -weight
    return Kink(function, (first, second), weight)


def _size(kink: Kink) -> Fraction:
    return abs(kink.weight) * max(abs(a) for part in kink.parts for m, a in part.items() if m)


def _truth(
    base: ExactModel, own: list[Kink], limited: Kink | None, row: tuple[str, Fraction]
) -> Truth:
    every = [*own, *([limited] if limited else [])]
    size = max([base.size, *map(_size, own)])
    best: Truth | None = None
    for active in itertools.product((0, 1), repeat=len(every)):
        model = replace(base, size=size)
        for kink, place in zip(every, active, strict=True):
            chosen, other = kink.parts[place], kink.parts[1 - place]
            lead = _plus(chosen, other, Fraction(-1))
            model = with_rows(model, Row(lead, "<=" if kink.function == "min" else ">="))
            if kink is limited:
                value = {m: kink.weight * a for m, a in chosen.items()}
                model = with_rows(model, Row(_plus(value, {(): -row[1]}, Fraction(1)), row[0]))
            else:
                model = replace(model, goal=_plus(model.goal, chosen, kink.weight))
        found = enumerate_truth(model)
        if found.status == UNBOUNDED:
            return found
        better = best is None or (
            found.best > best.best if base.maximize else found.best < best.best
        )
        if found.status == OPTIMAL and better:
            best = found
    return best or Truth(INFEASIBLE)


def _plus(
    first: Polynomial, second: Polynomial, times: Fraction
) -> dict[tuple[int, ...], Fraction]:
    value = dict(first)
    for monomial, a in second.items():
        value[monomial] = value.get(monomial, ZERO) + times * a
    return value
