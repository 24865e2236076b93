"""Kinds with switches, clocks and penalties: rows in which one number is far larger than what it
decides about.
"""

from dataclasses import replace
from fractions import Fraction

from tests.campaign.case import Case
from tests.campaign.draw import Draw
from tests.campaign.exact_lp import ZERO
from tests.campaign.exact_model import Column, ExactModel, Polynomial, Row, case, linear
from tests.campaign.linear_kinds import program

ONE = Fraction(1)
BINARY = Column(ZERO, ONE, integral=True)


def switch(draw: Draw) -> Case:
    """Sources that must be paid for to flow: by `when`, by a fair bound, or by a lazy M of 1e3 to
    1e12.
    """
    count = draw.whole(1, 3)
    unit, factor = draw.unit()
    cap = draw.pick(draw.number(1, 9, 1), draw.power(1, 12))
    flow = Column(ZERO, Fraction(cap), unit=unit, factor=factor)
    how = draw.pick("when", "bound", "lazy", "lazy")
    large = Fraction(cap) if how == "bound" else draw.power(3, 12)
    rows = []
    for j in range(count):
        k = count + j
        if how == "when":
            rows.append(Row(linear({j: ONE}), "<=", switch=(k, 0)))
        else:
            rows.append(Row(linear({j: ONE, k: -large}), "<="))
        if draw.chance(0.3):  # at least so much where it is on
            rows.append(Row(linear({j: ONE}, -draw.number(0.1, 1, 1)), ">=", switch=(k, 1)))
    price = {count + j: draw.number(1, 9, 1) for j in range(count)}
    made = (*(flow for _ in range(count)), *(BINARY for _ in range(count)))
    direct = draw.chance(0.4) and how != "when" and unit != "1"
    if draw.chance(0.6):  # a need, at least cost
        need = {j: draw.number(0.5, 1.5, 1) for j in range(count)}
        rows.append(Row(linear(need, -draw.number(0.5, 2, 1)), ">="))
        return case(
            ExactModel(columns=made, rows=tuple(rows), goal=linear(price), size=ONE, direct=direct)
        )
    worth = {j: draw.number(0.5, 2, 1) for j in range(count)}
    together = Row(linear(dict.fromkeys(range(count), ONE), -draw.number(1, 9, 1)), "<=")
    goal = linear(worth | {k: -p for k, p in price.items()})
    return case(
        ExactModel(columns=made, rows=(*rows, together), goal=goal, maximize=True, direct=direct)
    )


def clock(draw: Draw) -> Case:
    """Jobs on the seconds since 1970: a chain, or one machine that they share; with a limit that
    holds or not.
    """
    unit, factor, second = draw.pick(
        ("s", ONE, ONE), ("s", ONE, ONE), ("ms", Fraction("1e-3"), Fraction(1000))
    )
    origin = (1_700_000_000 + draw.whole(0, 9999)) * second
    count = draw.whole(2, 3)
    takes = [draw.number(0.01, 0.09) * second for _ in range(count)]
    shared = draw.chance(0.4)
    horizon = draw.pick(
        *(
            (Fraction(1), Fraction(60), Fraction(3600))
            if shared
            else (Fraction(60), Fraction(10) ** 8)
        )
    )
    start = Column(ZERO, horizon * second, unit=unit, factor=factor, origin=origin)
    made: list[Column] = [start] * count
    stake = min(takes) * 10  # a thousandth of the shortest job is what is judged
    rows = []
    for j in range(count):
        for k in range(j + 1, count):
            before = linear({k: ONE, j: -ONE}, -takes[j])
            if not shared:
                rows += [Row(before, ">=", stake)] if k == j + 1 else []
                continue
            made.append(BINARY)
            rows += [
                Row(before, ">=", stake, switch=(len(made) - 1, 1)),
                Row(linear({j: ONE, k: -ONE}, -takes[k]), ">=", stake, switch=(len(made) - 1, 0)),
            ]
    limit = sum(takes, ZERO) + draw.pick(-1, -1, 1, 1, 5) * Fraction(1, 100) * second
    rows += (
        [Row(linear({j: ONE}, takes[j] - limit), "<=", stake) for j in range(count)]
        if draw.chance(0.6)
        else []
    )
    cost = (
        {count - 1: ONE}
        if not shared and draw.chance(0.5)
        else {j: draw.number(1, 3, 1) for j in range(count)}
    )
    return case(
        ExactModel(
            columns=tuple(made), rows=tuple(rows), goal=linear(cost), size=min(takes), direct=True
        )
    )


def penalty(draw: Draw) -> Case:
    """Soft rows whose slack costs 1e6 to 1e12, beside costs near one."""
    model = program(draw, draw.pick(0.0, 0.4), free=0.0, capped=1.0)
    dear = draw.power(6, 12)
    made, rows, goal = list(model.columns), list(model.rows), dict(model.goal)
    sign = -ONE if model.maximize else ONE
    for i, row in enumerate(rows):
        made.append(Column(ZERO, draw.pick(None, Fraction(1000))))
        late = len(made) - 1
        room = {"<=": -ONE, ">=": ONE, "==": ONE}[row.relation]
        moved: Polynomial = {**row.value, (late,): room}
        if draw.chance(0.3):  # so that it must be paid
            push = draw.number(10, 90, 1) * row.stake * (ONE if row.relation == "<=" else -ONE)
            moved = {**moved, (): row.value[()] + push}
        rows[i] = replace(row, value=moved)
        goal[(late,)] = sign * dear
    return case(replace(model, columns=tuple(made), rows=tuple(rows), goal=goal))


def integer_rows(draw: Draw) -> Case:
    """Rows over integers with coefficients up to 2^53: kept or missed by one unit."""
    count = draw.whole(2, 3)
    top = draw.pick(6, 9, 12, 14)
    made = tuple(
        Column(Fraction(draw.whole(0, 1)), Fraction(draw.whole(4, 9)), integral=True)
        for _ in range(count)
    )
    a = {j: Fraction(draw.whole(10 ** (top - 1), 10**top)) for j in range(count)}
    if draw.chance(0.5):
        a[draw.whole(0, count - 1)] = Fraction(draw.pick(1, -1, draw.whole(1, 9)))
    if draw.chance(0.3):
        a[0] = -a[0]
    at = {j: Fraction(draw.whole(int(c.lower or 0), int(c.upper or 0))) for j, c in enumerate(made)}
    total = sum((a[j] * at[j] for j in a), ZERO)
    relation = draw.pick("==", "<=", ">=")
    ends = ((c.upper if (a[j] > 0) == (relation == ">=") else c.lower) for j, c in enumerate(made))
    extreme = sum((a[j] * (end or ZERO) for j, end in enumerate(ends)), ZERO)
    edge = draw.pick(total, extreme)
    right = edge + draw.pick(0, 0, 1, -1)
    rows = [Row(linear(a, -right), relation, ZERO)]
    if draw.chance(0.3):
        rows.append(Row(linear(dict.fromkeys(a, ONE), -Fraction(draw.whole(2, 20))), "<=", ZERO))
    cost = a if draw.chance(0.25) else {j: Fraction(draw.whole(1, 9)) for j in a}
    return case(
        ExactModel(columns=made, rows=tuple(rows), goal=linear(cost), maximize=draw.chance(0.5))
    )


def products(draw: Draw) -> Case:
    """Products of binaries with each other and with flows, in the objective and in rows."""
    binaries, flows = draw.whole(2, 4), draw.whole(0, 2)
    unit, factor = draw.unit()
    flow = Column(ZERO, draw.number(1, 9, 1), unit=unit, factor=factor)
    made = (*(BINARY for _ in range(binaries)), *(flow for _ in range(flows)))

    def polynomial(count: int) -> dict[tuple[int, ...], Fraction]:
        terms: dict[tuple[int, ...], Fraction] = {}
        for _ in range(count):
            chosen = sorted(draw.random.sample(range(binaries), draw.whole(1, min(3, binaries))))
            if flows and draw.chance(0.5):
                chosen = [*chosen[: draw.whole(0, 2)], binaries + draw.whole(0, flows - 1)]
            terms[tuple(chosen)] = draw.number(-5, 7, 1) or ONE
        return terms

    goal = polynomial(draw.whole(2, 5))
    rows = []
    for _ in range(draw.whole(1, 2)):
        value = polynomial(draw.whole(2, 4))
        stake = max(map(abs, value.values()))
        rows.append(Row({**value, (): -draw.number(-1, 8, 1)}, draw.pick("<=", ">=", "<="), stake))
    size = max(map(abs, goal.values()))
    return case(
        ExactModel(
            columns=made,
            rows=tuple(rows),
            goal={**goal, (): ZERO},
            maximize=draw.chance(0.5),
            size=size,
        )
    )
