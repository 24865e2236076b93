"""Linear kinds: all scales, integers, degenerate, fixed, infeasible, unbounded, with offsets."""

import itertools
from dataclasses import replace
from fractions import Fraction

from tests.campaign.case import Case
from tests.campaign.draw import Draw
from tests.campaign.exact_lp import ZERO
from tests.campaign.exact_model import Column, ExactModel, Row, case, known, linear, with_rows

ONE = Fraction(1)
RELATIONS = ("<=", "<=", ">=", ">=", "==")


def columns(
    draw: Draw, count: int, whole: float, free: float = 0.15, capped: float = 0.6
) -> tuple[Column, ...]:
    """Columns in units of their own; shares of integers, of unbounded, of capped ones."""
    found = []
    for _ in range(count):
        if draw.chance(whole):
            low, high = draw.pick((0, 1), (0, 1), (0, 3), (-2, 2))
            found.append(Column(Fraction(low), Fraction(high), integral=True))
            continue
        unit, factor = draw.unit()
        low_end = None if draw.chance(free) else draw.pick(ZERO, ZERO, draw.number(-3, 3))
        high_end = draw.number(4, 20) if draw.chance(capped) else None
        found.append(Column(low_end, high_end, unit=unit, factor=factor))
    return tuple(found)


def point(draw: Draw, made: tuple[Column, ...]) -> list[Fraction]:
    """A point within the bounds."""
    found = []
    for column in made:
        low = column.lower if column.lower is not None else Fraction(-2)
        high = column.upper if column.upper is not None else low + 4
        if column.integral:
            found.append(Fraction(draw.whole(int(low), int(high))))
        else:
            found.append(low if draw.chance(0.3) else min(high, low + draw.number(0, 4, 1)))
    return found


def row(draw: Draw, at: list[Fraction], relation: str = "") -> Row:
    """A row that a point keeps."""
    chosen = relation or draw.pick(*RELATIONS)
    kept = [j for j in range(len(at)) if draw.chance(0.75)] or [draw.whole(0, len(at) - 1)]
    a = {j: draw.number(-5, 9, 1) or ONE for j in kept}
    slack = ZERO if chosen == "==" or draw.chance(0.4) else draw.number(0, 5, 1)
    value = sum((a[j] * at[j] for j in kept), ZERO) + (slack if chosen == "<=" else -slack)
    return Row(
        linear(a, -value),
        chosen,
        max(map(abs, a.values())),
        unit=draw.pick("1", "1", "nJ", "Mbit", "GW"),
    )


def program(
    draw: Draw, whole: float, free: float = 0.15, capped: float = 0.7, most: int = 4
) -> ExactModel:
    """A program with a feasible point, bounded or not."""
    made = columns(draw, draw.whole(1, most), whole, free, capped)
    at = point(draw, made)
    rows = tuple(row(draw, at) for _ in range(draw.whole(1, 4)))
    cost = {j: draw.number(-6, 9, 1) for j in range(len(made))}
    size = max([abs(c) for c in cost.values()] + [Fraction(1, 10)])
    goal, maximize = linear(cost), draw.chance(0.4)
    return ExactModel(
        columns=made, rows=rows, goal=goal, maximize=maximize, size=size, scale=draw.pick(*SCALES)
    )


SCALES = (
    ("1", ONE),
    ("1", ONE),
    ("nJ", Fraction("1e-9")),
    ("GW", Fraction("1e9")),
    ("Tbit", Fraction("1e12")),
)


def lp(draw: Draw) -> Case:
    """Continuous columns from pW to Tbit."""
    return case(program(draw, 0.0))


def milp(draw: Draw) -> Case:
    """Some columns are integer."""
    return case(program(draw, 0.5))


def degenerate(draw: Draw) -> Case:
    """Rows twice, multiples and sums of rows, a row from both sides, redundant rows."""
    model = program(draw, draw.pick(0.0, 0.4), free=0.0)
    for _ in range(draw.whole(1, 3)):
        first, second = draw.pick(*model.rows), draw.pick(*model.rows)
        turned = {"<=": ">=", ">=": "<=", "==": "=="}
        how = draw.pick("twice", "multiple", "pinched", "sum", "redundant")
        if how == "twice":
            added = first
        elif how == "multiple":
            added = _combined(first, first, draw.number(0.1, 9, 1), ZERO)
        elif how == "pinched":
            added = replace(first, relation=turned[first.relation])
        elif how == "sum" and first.relation == second.relation:
            added = _combined(first, second, draw.number(0.1, 3, 1), draw.number(0.1, 3, 1))
        else:
            loose = {"<=": -ONE, ">=": ONE, "==": ZERO}[first.relation] * draw.number(0, 9, 1)
            added = replace(first, value={**first.value, (): first.value[()] + loose})
        model = with_rows(model, added)
    return case(model)


def _combined(first: Row, second: Row, one: Fraction, two: Fraction) -> Row:
    value = {m: one * a for m, a in first.value.items()}
    for monomial, a in second.value.items():
        value[monomial] = value.get(monomial, ZERO) + two * a
    kept = {m: a for m, a in value.items() if a or not m}
    stake = max([abs(a) for m, a in kept.items() if m] + [Fraction(1, 100)])
    return replace(first, value=kept, stake=stake)


def fixed(draw: Draw) -> Case:
    """Bounds that meet, columns fixed by a row, columns in no row, and columns without bounds."""
    model = program(draw, draw.pick(0.0, 0.3), free=0.4, capped=0.5)
    made = list(model.columns)
    at = point(draw, model.columns)
    for j, column in enumerate(made):
        if draw.chance(0.35):
            made[j] = replace(column, lower=at[j], upper=at[j])
    model = replace(model, columns=tuple(made))
    if draw.chance(0.4):
        j = draw.whole(0, len(made) - 1)
        model = with_rows(model, Row(linear({j: draw.number(1, 5, 1)}, ZERO), "=="))
    return case(model)


def infeasible(draw: Draw) -> Case:
    """A row that the sum of two others contradicts by a clear margin; the oracle tells the rest."""
    model = program(draw, draw.pick(0.0, 0.5), free=0.1)
    first, second = draw.pick(*model.rows), draw.pick(*model.rows)
    side = "<=" if first.relation != ">=" else ">="
    if second.relation not in (side, "=="):
        second = first
    added = _combined(first, second, draw.number(0.5, 2, 1), draw.number(0.5, 2, 1))
    sign = ONE if side == "<=" else -ONE
    margin = sign * draw.pick(draw.number(0.5, 5, 1), Fraction(1, 100)) * added.stake
    value = {**added.value, (): added.value[()] - margin}
    # added <= 0 follows from the rows; added - margin >= 0 contradicts it
    return case(
        with_rows(model, replace(added, value=value, relation=">=" if side == "<=" else "<="))
    )


def unbounded(draw: Draw) -> Case:
    """Few bounds: about half of them fall without end; some end at a bound far away."""
    model = program(draw, draw.pick(0.0, 0.0, 0.3), free=0.5, capped=0.0)
    if draw.chance(0.3):
        far = draw.power(3, 9)
        made = tuple(c if c.integral else replace(c, upper=far) for c in model.columns)
        model = replace(model, columns=made)
    return case(model)


def offset(draw: Draw) -> Case:
    """Small decisions beside a constant of up to 1e12 in the objective."""
    constant = draw.pick(1, -1) * draw.power(3, 12) * draw.whole(1, 9)
    if draw.chance(0.5):
        model = program(draw, draw.pick(0.0, 0.5), free=0.0, capped=1.0)
        return case(replace(model, goal={**model.goal, (): Fraction(constant)}))
    return market_split(draw, Fraction(constant))


def market_split(draw: Draw, constant: Fraction) -> Case:
    """Which orders make the loads of the rows as equal as can be: enumerated over binaries."""
    items, height = draw.whole(4, 8), draw.whole(1, 2)
    weight = [[draw.whole(1, 99) for _ in range(items)] for _ in range(height)]
    middle = [sum(w) // 2 for w in weight]
    binary, slack = Column(ZERO, ONE, integral=True), Column(ZERO, None)
    made = (*(binary for _ in range(items)), *(slack for _ in range(2 * height)))
    rows: list[Row] = []
    cost: dict[int, Fraction] = {}
    for i in range(height):
        over, under = items + 2 * i, items + 2 * i + 1
        a = {j: Fraction(w) for j, w in enumerate(weight[i])} | {over: ONE, under: -ONE}
        rows.append(Row(linear(a, Fraction(-middle[i])), "=="))
        cost |= {over: ONE, under: ONE}

    def unfair(chosen: tuple[int, ...]) -> int:
        loads = (sum(w * x for w, x in zip(line, chosen, strict=True)) for line in weight)
        return sum(abs(load - half) for load, half in zip(loads, middle, strict=True))

    best = min(map(unfair, itertools.product((0, 1), repeat=items)))
    model = ExactModel(columns=made, rows=tuple(rows), goal=linear(cost, constant))
    return case(model, known(model, best + constant))
