"""Models that are linear once their integers are fixed: stated exactly, solved by enumeration.

Numbers are those of `u`, where `x = (origin + u) * factor` is the variable of the text: 1 is a size
that matters, whatever the unit. A polynomial maps monomials (tuples of columns, () is the constant)
to coefficients.
"""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Final

from tests.campaign.case import INFEASIBLE, OPTIMAL, UNBOUNDED, Case, Point, Truth
from tests.campaign.draw import literal, quantity
from tests.campaign.exact_lp import ZERO, Program, solve

Polynomial = Mapping[tuple[int, ...], Fraction]
MATTERS: Final = Fraction(1, 10_000)  # share of the stake by which a breach is one
RELATIVE: Final = Fraction(1, 1_000_000)  # of the real terms at the point: the documented rule
ROUNDING: Final = Fraction(1, 2**50)  # four units in the last place of a double


@dataclass(frozen=True, slots=True)
class Column:
    """`lower`, `upper`: of u, None for no bound."""

    lower: Fraction | None
    upper: Fraction | None
    integral: bool = False
    unit: str = "1"
    factor: Fraction = Fraction(1)
    origin: Fraction = ZERO

    @property
    def plain(self) -> bool:
        """Whether the text may use the variable itself in the place of u."""
        return self.unit == "1" and self.factor == 1 and not self.origin


@dataclass(frozen=True, slots=True)
class Row:
    """`value (relation) 0`.

    `stake`: what of `value` matters; 0 for rows that are exact. `switch`: the binary and its
    value. `unit`: what the text multiplies both sides by.
    """

    value: Polynomial
    relation: str
    stake: Fraction = Fraction(1)
    switch: tuple[int, int] | None = None
    unit: str = "1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExactModel:
    """`size`: of the objective, what a decision changes, over u. `scale`: its unit and SI factor.

    `direct`: the text states rows over the variables themselves, which all have one unit, and not
    over u.
    """

    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    goal: Polynomial
    maximize: bool = False
    size: Fraction = Fraction(1)
    scale: tuple[str, Fraction] = ("1", Fraction(1))
    direct: bool = False


def case(model: ExactModel, truth: Truth | None = None) -> Case:
    """The case of a model, its truth by enumeration unless it is known."""
    smooth = all(
        len(monomial) <= 1
        for row in (model.goal, *(r.value for r in model.rows))
        for monomial in row
    )
    return Case(
        text=text_of(model),
        names=tuple(f"x{j}" for j in range(len(model.columns))),
        maximize=model.maximize,
        truth=truth or enumerate_truth(model),
        breaches=lambda point: breaches(model, point),
        objective=lambda point: objective(model, inside(model, point)),
        convex=smooth,
    )


# The text


def text_of(model: ExactModel, more_goal: str = "", more_rows: Sequence[str] = ()) -> str:
    """The model as text; with more terms of the objective, and more constraints, both over u."""
    lines = [
        "model campaign",
        *itertools.chain(*(_declared(j, c, model) for j, c in enumerate(model.columns))),
    ]
    lines += [_constraint(number, row, model) for number, row in enumerate(model.rows)]
    sense, unit = "maximize" if model.maximize else "minimize", model.scale[0]
    goal = _sum(model.goal, model, constant=True) + more_goal
    return "\n".join(
        [
            *lines,
            *more_rows,
            f"{sense} goal = {goal}" if unit == "1" else f"{sense} goal = 1 {unit}*({goal})",
        ]
    )


def _declared(j: int, column: Column, model: ExactModel) -> list[str]:
    if column.integral and column.lower == 0 and column.upper == 1:
        return [f"var x{j} : binary"]
    ends = [
        f" {relation} {quantity((column.origin + bound), column.unit)}"
        for relation, bound in ((">=", column.lower), ("<=", column.upper))
        if bound is not None
    ]
    kind = "integer" if column.integral else column.unit
    lines = [f"var x{j} : {kind}{''.join(ends)}"]
    if not column.plain and not model.direct:
        lines.append(f"let u{j} : 1 = x{j}/({quantity(Fraction(1), column.unit)})")
    return lines


def name_of(j: int, model: ExactModel) -> str:
    return f"x{j}" if model.columns[j].plain or model.direct else f"u{j}"


def _sum(value: Polynomial, model: ExactModel, constant: bool) -> str:
    """The sum of the terms; in direct models numbers and integers carry the unit of the others."""
    unit = next((c.unit for c in model.columns if not c.plain), "1") if model.direct else "1"
    parts: list[str] = []
    for monomial, coefficient in value.items():
        if not monomial and (not constant or not coefficient):
            continue
        names = [name_of(j, model) for j in monomial]
        bare = all(model.columns[j].plain for j in monomial)
        number = quantity(abs(coefficient), unit) if bare else literal(abs(coefficient))
        sign = "-" if coefficient < 0 else "+" if parts else ""
        parts.append(f"{sign} {' * '.join([number, *names])}".strip())
    return " ".join(parts) or quantity(ZERO, unit)


def _constraint(number: int, row: Row, model: ExactModel) -> str:
    unit = next((c.unit for c in model.columns if not c.plain), "1") if model.direct else row.unit
    right = -row.value.get((), ZERO)
    if model.direct:
        right += sum((a * model.columns[m[0]].origin for m, a in row.value.items() if m), ZERO)
    left = _sum(row.value, model, constant=False)
    when = ""
    if row.switch is not None:
        when = f" when {'' if row.switch[1] else 'not '}x{row.switch[0]}"
    if model.direct or unit == "1":
        return f"constraint c{number}{when}: {left} {row.relation} {quantity(right, unit)}"
    return f"constraint c{number}{when}: 1 {unit}*({left}) {row.relation} {quantity(right, unit)}"


# Points


def inside(model: ExactModel, point: Point) -> list[Fraction]:
    """u of a point, exactly."""
    values = (Fraction(point[f"x{j}"]) for j in range(len(model.columns)))
    return [x / c.factor - c.origin for x, c in zip(values, model.columns, strict=True)]


def value_at(value: Polynomial, u: Sequence[Fraction]) -> Fraction:
    total = ZERO
    for monomial, coefficient in value.items():
        term = coefficient
        for j in monomial:
            term *= u[j]
        total += term
    return total


def objective(model: ExactModel, u: Sequence[Fraction]) -> Fraction:
    """In SI."""
    found = value_at(model.goal, u)
    if model.direct:
        found += sum((a * model.columns[m[0]].origin for m, a in model.goal.items() if m), ZERO)
    return found * model.scale[1] * _direct_factor(model)


def _direct_factor(model: ExactModel) -> Fraction:
    return (
        next((c.factor for c in model.columns if not c.plain), Fraction(1))
        if model.direct
        else Fraction(1)
    )


def breaches(model: ExactModel, point: Point) -> list[str]:
    """What a point breaks by more than `MATTERS` of the stake, `RELATIVE` of the real terms and
    what doubles tell.
    """
    u = inside(model, point)
    found = []
    for j, (value, column) in enumerate(zip(u, model.columns, strict=True)):
        slack = ZERO if column.integral else MATTERS + ROUNDING * abs(column.origin)
        if column.integral and value.denominator != 1:
            found.append(f"x{j} = {float(value)} is no integer")
        if (column.lower is not None and value < column.lower - slack) or (
            column.upper is not None and value > column.upper + slack
        ):
            found.append(f"x{j} lies {float(value):.9g} outside of its bounds")
    for number, row in enumerate(model.rows):
        if row.switch is not None and u[row.switch[0]] != row.switch[1]:
            continue
        value = value_at(row.value, u)
        amount = {"<=": value, ">=": -value, "==": abs(value)}[row.relation]
        clock = sum((abs(a * model.columns[m[0]].origin) for m, a in row.value.items() if m), ZERO)
        real = sum(
            (abs(value_at({m: a}, u)) for m, a in row.value.items() if _is_real(model, m)), ZERO
        )
        allowed = MATTERS * row.stake + RELATIVE * real if row.stake else ZERO
        if amount > allowed + ROUNDING * clock:
            found.append(
                f"c{number} is broken by {float(amount):.3g}, {float(row.stake):.3g} matters"
            )
    return found


def _is_real(model: ExactModel, monomial: tuple[int, ...]) -> bool:
    return any(not model.columns[j].integral for j in monomial)


# The truth


def enumerate_truth(model: ExactModel) -> Truth:
    """The exact answer: every choice of the integers, a rational linear program for the rest."""
    sign = -1 if model.maximize else 1
    best: Fraction | None = None
    for fixed in choices(model):
        status, value = _continuous(model, fixed, sign)
        if status == UNBOUNDED:
            return Truth(UNBOUNDED)
        if status == OPTIMAL and (best is None or value < best):
            best = value
    if best is None:
        return Truth(INFEASIBLE)
    return known(model, sign * best)


def known(model: ExactModel, best: Fraction) -> Truth:
    """The truth of a model whose optimum over u is known."""
    stakes = (
        max(abs(best - model.goal.get((), ZERO)), model.size)
        * model.scale[1]
        * _direct_factor(model)
    )
    shifted = ZERO
    if model.direct:
        shifted = sum((a * model.columns[m[0]].origin for m, a in model.goal.items() if m), ZERO)
    return Truth(OPTIMAL, (best + shifted) * model.scale[1] * _direct_factor(model), stakes)


def choices(model: ExactModel) -> Iterator[dict[int, Fraction]]:
    """Every value of the integer columns, which are bounded."""
    columns = [j for j, column in enumerate(model.columns) if column.integral]
    ranges = []
    for j in columns:
        low, high = model.columns[j].lower, model.columns[j].upper
        assert low is not None
        assert high is not None
        ranges.append(
            range(-(-low.numerator // low.denominator), high.numerator // high.denominator + 1)
        )
    for values in itertools.product(*ranges):
        yield dict(zip(columns, map(Fraction, values), strict=True))


def _continuous(model: ExactModel, fixed: dict[int, Fraction], sign: int) -> tuple[str, Fraction]:
    """Status and least value of `sign * goal` with the integers fixed."""
    free = [j for j in range(len(model.columns)) if j not in fixed]
    goal = _fix(model.goal, fixed)
    rows = []
    for row in model.rows:
        if row.switch is not None and fixed[row.switch[0]] != row.switch[1]:
            continue
        value = _fix(row.value, fixed)
        constant = value.pop((), ZERO)
        if not any(value.values()):
            holds = {"<=": constant <= 0, ">=": constant >= 0, "==": constant == 0}[row.relation]
            if not holds:
                return INFEASIBLE, ZERO
            continue
        rows.append(([value.get((j,), ZERO) for j in free], row.relation, -constant))
    constant = sign * goal.pop((), ZERO)
    if not free:
        return OPTIMAL, constant
    lower, upper = [model.columns[j].lower for j in free], [model.columns[j].upper for j in free]
    found = solve(Program([sign * goal.get((j,), ZERO) for j in free], rows, lower, upper))
    return found.status, found.value + constant


def _fix(value: Polynomial, fixed: Mapping[int, Fraction]) -> dict[tuple[int, ...], Fraction]:
    result: dict[tuple[int, ...], Fraction] = {}
    for monomial, coefficient in value.items():
        left = tuple(j for j in monomial if j not in fixed)
        for j in monomial:
            coefficient *= fixed.get(j, Fraction(1))
        result[left] = result.get(left, ZERO) + coefficient
    return result


def linear(
    coefficients: Mapping[int, Fraction], constant: Fraction = ZERO
) -> dict[tuple[int, ...], Fraction]:
    """A linear polynomial without its zeros."""
    found: dict[tuple[int, ...], Fraction] = {(j,): a for j, a in coefficients.items() if a}
    return found | {(): constant}


def with_rows(model: ExactModel, *rows: Row) -> ExactModel:
    return replace(model, rows=(*model.rows, *rows))
