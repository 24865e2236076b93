"""Bounds propagated through all rows: never past a feasible point, and tight where a derivation
says so.
"""

import itertools
from collections.abc import Callable

import numpy as np
import pytest

import mecdsl
from mecdsl.analysis.propagation.box import Box, implied_box
from mecdsl.analysis.propagation.ranges import Rounding, added, numbers
from mecdsl.instances.instance import Instance


def box_of(text: str) -> tuple[Box, Instance]:
    instance = mecdsl.loads(text).instance()
    return implied_box(instance), instance


def ends(text: str) -> list[tuple[float, float]]:
    found, _ = box_of(text)
    assert found.contradiction is None
    return list(zip(found.lower.tolist(), found.upper.tolist(), strict=True))


# What a derivation says


@pytest.mark.parametrize(
    ("declared", "row", "low", "high"),
    [
        ("in 0..10", "x^2 <= 9", 0.0, 3.0),
        ("in -10..10", "x^2 <= 9", -3.0, 3.0),
        ("in -10..10", "x^3 >= -8", -2.0, 10.0),
        ("in -1..10", "x^2 >= 4", 2.0, 10.0),
        (">= 0", "sqrt(x) <= 3", 0.0, 9.0),
        ("", "sqrt(x) <= 3", 0.0, 9.0),
        ("", "exp(x) <= 20", -np.inf, np.log(20.0)),
        ("", "ln(x) >= 2", np.exp(2.0), np.inf),
        ("", "log2(x) <= 5", 0.0, 32.0),
        ("", "abs(x) <= 4", -4.0, 4.0),
        ("in 0..100", "1/x >= 0.5", 0.0, 2.0),
        ("in 0..100", "1/x <= 0.5", 2.0, 100.0),
        ("in 0..100", "6/(1 + x) >= 2", 0.0, 2.0),
        ("in 0..100", "max(x, 3) <= 7", 0.0, 7.0),
        ("in 0..100", "min(x, 5) >= 2", 2.0, 100.0),
        ("in 0..100", "2^x <= 1024", 0.0, 10.0),
        ("in 0..100", "x^1.5 <= 8", 0.0, 4.0),
        ("in 0..100", "db(x) <= 100", 0.0, 20.0),
        ("in 0.5..100", "x*x*x <= 27", 0.5, np.sqrt(54.0)),  # x^2 <= 27/0.5
        ("in 1..100", "quad_over_lin(6, x) <= 4", 9.0, 100.0),
        ("integer in 0..100", "3*x <= 10", 0.0, 3.0),
        ("integer in 0..100", "x^2 >= 10", 4.0, 100.0),
    ],
)
def test_one_row_bounds_one_variable(declared: str, row: str, low: float, high: float) -> None:
    kind = declared if "integer" in declared else f"1 {declared}"
    found = ends(f"var x : {kind}\nminimize z = x\nconstraint c: {row}\n")[0]
    assert found == pytest.approx((low, high), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("declared", "value", "low"),
    [
        (">= 3.7", "x - 3.7", 0.0),
        (">= 2", "0.3*x - 0.6", 0.0),  # twice a number is not rounded
        (">= 0", "exp(x)", 1.0),
        (">= 1", "ln(x)", 0.0),
        (">= 1", "sqrt(x)", 1.0),
        (">= 2", "(1 + x)^2 - 9", 0.0),
        (">= 1", "sum(k*x for k in 1..3) - 6", 0.0),
    ],
)
def test_what_is_computed_exactly_is_not_widened(declared: str, value: str, low: float) -> None:
    text = f"var x : 1 {declared}\nvar y : 1\nminimize z = y\nconstraint c: y >= {value}\n"
    assert ends(text)[1][0] == low


def test_what_is_rounded_is_widened() -> None:
    # 0.1*3 is 0.30000000000000004, 2^-54 above what it stands for
    found = ends("var x : 1 >= 3\nvar y : 1\nminimize z = y\nconstraint c: y >= 0.1*x\n")
    assert 0.3 * (1.0 - 1e-14) < found[1][0] < 0.3


def test_nothing_is_exact_up_to_a_tolerance() -> None:
    # 1 + 1 is 2, but rows that are kept to a millionth leave a little less
    loose = added(numbers(1.0, 1), numbers(1.0, 1), Rounding(1e-6))
    assert loose.low[0] == pytest.approx(2.0 - 2e-6, abs=1e-9)
    assert loose.high[0] == pytest.approx(2.0 + 2e-6, abs=1e-9)


def test_a_definition_carries_bounds_in_both_directions() -> None:
    # v == x*y with x in 2..3 and y in 4..5 lies in 8..15; w <= v - 10 is at most 5, and w >= 2
    # keeps v at least 12, hence x >= 12/5 and y >= 12/3 = 4
    found = ends(
        "var x : 1 in 2..3\nvar y : 1 in 4..5\nvar v : 1\nvar w : 1 >= 2\nminimize z = w\n"
        "constraint product: v == x*y\nconstraint below: w <= v - 10\n"
    )
    assert found[0] == pytest.approx((2.4, 3.0))
    assert found[1] == pytest.approx((4.0, 5.0))
    assert found[2] == pytest.approx((12.0, 15.0))
    assert found[3] == pytest.approx((2.0, 5.0))


def test_families_are_bounded_member_by_member() -> None:
    # the flows into k share a capacity of k: each is at most k
    found = ends(
        "set K = 1..3\nset N = 1..2\nvar f[k in K, n in N] : 1 >= 0\nminimize z = f[1, 1]\n"
        "constraint room[k in K]: sum(f[k, n] for n in N) <= k\n"
    )
    assert [high for _, high in found] == pytest.approx([1, 1, 2, 2, 3, 3], rel=1e-12)
    assert [low for low, _ in found] == [0.0] * 6


def test_a_chain_of_rows_is_followed_to_its_end() -> None:
    # start[j] >= start[j-1] + 1 from 0 on: the 20th starts at 19 or later
    found = ends(
        "set J = 1..20\nvar start[j in J] : s in 0 s..100 s\nminimize z = start[20]\n"
        "constraint order[j in J where j > 1]: start[j] >= start[j-1] + 1 s\n"
    )
    assert [low for low, _ in found] == pytest.approx(list(range(20)))
    assert [high for _, high in found] == pytest.approx(list(range(81, 101)))


def test_a_row_that_is_only_kept_where_it_is_rounded_is_kept() -> None:
    # ten weights of 0.1 add up to 1 - 1.1e-16
    text = (
        "set K = 1..10\nvar w[k in K] : 1 in 0..0.1\nminimize z = w[1]\nconstraint c: "
        "sum(w[k] for k in K) == 1\n"
    )
    assert box_of(text)[0].contradiction is None
    # a pinch: x <= 1/3 and 3 x >= 1 leave one point
    text = "var x : 1 in 0..1\nminimize z = x\nconstraint a: x <= 1/3\nconstraint b: 3*x >= 1\n"
    found, _ = box_of(text)
    assert found.contradiction is None
    assert found.lower[0] <= 1 / 3 <= found.upper[0]


# Contradictions


@pytest.mark.parametrize(
    ("text", "row", "beyond"),
    [
        # 214748365 * 10 - 1 = 2147483649, one short, exactly
        (
            "var x : integer in 1..10\nvar y : integer in 1..10\nminimize z = x\n"
            "constraint enough: 214748365*x - y >= 2147483650\n",
            "enough",
            True,
        ),
        (
            "var x : 1 in 0..1\nvar y : 1 in 0..1\nminimize z = x\nconstraint c: x*y >= 2\n",
            "c",
            True,
        ),
        ("var x : 1\nminimize z = x\nconstraint c: x^2 <= -1\n", "c", True),
        ("var x : 1 >= 0\nminimize z = x\nconstraint a: exp(x) <= 0.5\n", "a", True),
        # 2 x == 1 over integers
        ("var x : integer in 0..5\nminimize z = x\nconstraint c: 2*x == 1\n", "c", True),
        # 1e-9 of its terms
        ("var x : 1 in 0..1\nminimize z = x\nconstraint c: x >= 1.000000001\n", "c", False),
        (
            "set K = 1..3\nvar x[k in K] : 1 in 0..k\nminimize z = x[1]\nconstraint c[k in "
            "K]: x[k]^2 >= 6\n",
            "c[1]",
            True,
        ),
    ],
)
def test_contradictions_name_their_row(text: str, row: str, beyond: bool) -> None:
    found, instance = box_of(text)
    assert found.contradiction is not None
    assert found.contradiction.row == row
    assert found.contradiction.beyond_tolerance is beyond
    assert (found.lower == instance.lower).all()


# Random models: planted and enumerated points


def _leaf(rng: np.random.Generator, columns: int) -> str:
    if rng.random() < 0.75:
        return f"x[{rng.integers(1, columns + 1)}]"
    return repr(
        float(np.round(rng.normal() * 10.0 ** rng.integers(-3, 4), int(rng.integers(0, 12)))) or 1.0
    )


def _expression(rng: np.random.Generator, columns: int, depth: int) -> str:
    """A random expression over x; functions have arguments for which a value is likely."""
    if depth == 0 or rng.random() < 0.1:
        return _leaf(rng, columns)
    part: Callable[[], str] = lambda: _expression(rng, columns, depth - 1)  # noqa: E731
    kind = int(rng.integers(0, 17))
    if kind < 8:
        return f"({part()} {'+-*/'[kind % 4]} {part()})"
    make = [
        lambda: f"sqrt(abs({part()}))",
        lambda: f"ln(1 + abs({part()}))",
        lambda: f"exp({part()}/100)",
        lambda: f"({part()})^{rng.choice([2, 3, -1, -2, 4])}",
        lambda: f"abs({part()})^{rng.choice(['0.5', '1.7', '(-0.3)'])}",
        lambda: f"max({part()}, {part()})",
        lambda: f"min({part()}, {part()})",
        lambda: f"quad_over_lin({part()}, 1 + abs({part()}))",
        lambda: f"abs({part()})",
    ]
    return make[kind - 8]()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_a_planted_point_is_never_cut_off(seed: int) -> None:
    # rows are equations, or inequalities without slack, at a random point of any size
    rng = np.random.default_rng(seed)
    cut = tried = 0
    for _ in range(25):
        columns, rows = int(rng.integers(1, 5)), int(rng.integers(1, 5))
        point = rng.normal(size=columns) * 10.0 ** rng.uniform(-8, 8, columns)
        whole = rng.random() < 0.3
        point = np.round(rng.uniform(-20, 20, columns)) if whole else point
        width = np.abs(point) * 10.0 ** rng.uniform(-1, 2, columns)
        low = np.where(rng.random(columns) < 0.7, point - np.ceil(width), -np.inf)
        high = np.where(rng.random(columns) < 0.7, point + np.ceil(width), np.inf)
        parts = [_expression(rng, columns, int(rng.integers(1, 4))) for _ in range(rows)]
        head = (
            f"set N = 1..{columns}\nvar x[n in N] : "
            f"{'integer' if whole else '1'}\nminimize z = x[1]\n"
        )
        plain = mecdsl.loads(
            head + "".join(f"constraint c{k}: {e} <= 0\n" for k, e in enumerate(parts))
        ).instance()
        with np.errstate(all="ignore"):
            values = [float(np.broadcast_to(v, (1,))[0]) for v in plain.differences(point).values()]
        kept = [(e, v) for e, v in zip(parts, values, strict=True) if np.isfinite(v) and "x[" in e]
        relation = rng.choice(["<=", ">=", "=="], len(kept))
        text = "".join(
            f"constraint c{k}: {e} {r} ({v!r})\n"
            for k, ((e, v), r) in enumerate(zip(kept, relation, strict=True))
        )
        instance = mecdsl.loads(head + text).instance()
        object.__setattr__(instance, "lower", low)
        object.__setattr__(instance, "upper", high)
        found = implied_box(instance)
        assert found.contradiction is None, head + text
        assert (found.lower <= point).all(), (head + text, point, found.lower)
        assert (point <= found.upper).all(), (head + text, point, found.upper)
        cut += int((found.lower > low).any() or (found.upper < high).any())
        tried += 1
    assert cut > tried / 5


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_small_integer_models_by_enumeration(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    refuted = cut = 0
    for _ in range(40):
        columns, rows = int(rng.integers(1, 4)), int(rng.integers(1, 4))
        a, b, c = (rng.integers(-4, 5, (rows, columns)) for _ in range(3))
        right = rng.integers(-15, 30, rows)
        relation = rng.choice(["<=", ">=", "=="], rows)
        low = rng.integers(-4, 2, columns)
        high = low + rng.integers(0, 5, columns)
        text = f"set N = 1..{columns}\nvar x[n in N] : integer in -4..6\nminimize z = x[1]\n"
        for row in range(rows):
            terms = [
                f"({a[row, n]})*x[{n + 1}] + ({b[row, n]})*x[{n + 1}]^2"
                f" + ({c[row, n]})*x[{n + 1}]*x[{(n + 1) % columns + 1}]"
                for n in range(columns)
            ]
            text += f"constraint c{row}: {' + '.join(terms)} {relation[row]} {right[row]}\n"
        instance = mecdsl.loads(text).instance()
        object.__setattr__(instance, "lower", low.astype(float))
        object.__setattr__(instance, "upper", high.astype(float))
        found = implied_box(instance)
        inside = []
        for point in itertools.product(
            *(range(int(u), int(v) + 1) for u, v in zip(low, high, strict=True))
        ):
            x = np.array(point, dtype=float)
            value = np.array(
                [float(np.broadcast_to(v, (1,))[0]) for v in instance.differences(x).values()]
            )
            kept = np.where(
                relation == "<=", value <= 0, np.where(relation == ">=", value >= 0, value == 0)
            )
            if kept.all():
                inside.append(x)
        if found.contradiction is not None:
            refuted += 1
            assert not inside, text
        for x in inside:
            assert (found.lower <= x).all(), text
            assert (x <= found.upper).all(), text
        cut += int((found.lower > low).any() or (found.upper < high).any())
    assert refuted > 0
    assert cut > 0
