"""Ranges that the condition of their space cuts short: the same members as trying every pair,
without the pairs.
"""

from collections.abc import Callable

import pytest

import mecdsl

SIZE = 7
PAIRS = [(k, m) for k in range(1, SIZE + 1) for m in range(1, SIZE + 1)]
CASES: dict[str, Callable[[int, int], bool]] = {
    "abs(k - m) == 1": lambda k, m: abs(k - m) == 1,
    "1 == abs(m - k)": lambda k, m: abs(k - m) == 1,
    "abs(m - k) <= 2 and k < m": lambda k, m: abs(k - m) <= 2 and k < m,
    "abs(k - m) < reach": lambda k, m: abs(k - m) < 2.5,
    "abs(k - m) >= 3": lambda k, m: abs(k - m) >= 3,
    "abs(k - m) <= 0 - reach": lambda k, m: False,
    "abs(m - 0.5*k) <= 0.75*k": lambda k, m: abs(4 * m - 2 * k) <= 3 * k,
    "m == 2*k": lambda k, m: m == 2 * k,
    "m == k + reach": lambda k, m: False,
    "m > k - reach and 3 <= m": lambda k, m: m > k - 2.5 and m >= 3,
    "k >= m or m == 1": lambda k, m: k >= m or m == 1,
    "not m == k": lambda k, m: m != k,
    "m != k + 1": lambda k, m: m != k + 1,
    "m < k and k < 4 and n > m": lambda k, m: m < k < 4,
    "m <= first[k]": lambda k, m: m <= k // 2,
    "m <= k - 100 or m == k": lambda k, m: m == k,
    "m >= -1/0 and m <= 3": lambda k, m: m <= 3,
}


def members(condition: str, size: int = SIZE) -> list[tuple[int, int]]:
    text = f"""
        param n : integer = {size}
        param reach : 1 = 2.5
        param first[k in 1..n] : integer = floor(k/2)
        set pair[k in 1..n, m in 1..n where {condition}]
        var x[(k, m) in pair] : 1 >= 0
        minimize total = sum(x[k, m] for (k, m) in pair)
    """
    table = mecdsl.loads(text).instance().world.families["pair"].table
    return list(zip(table.columns["k"].tolist(), table.columns["m"].tolist(), strict=True))


@pytest.mark.parametrize("condition", CASES)
def test_members_are_those_of_trying_every_pair(condition: str) -> None:
    assert members(condition) == [pair for pair in PAIRS if CASES[condition](*pair)]


@pytest.mark.parametrize("condition", ["abs(k - m) == 1", "m == n + 1 - k"])
def test_chains_and_diagonals_need_no_square_of_memory(
    condition: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # 20,000 x 20,000 pairs of two labels would take 19 GB; the limit here is that of 200,000 pairs
    monkeypatch.setattr("mecdsl.instances.tables.memory_limit", lambda: 8 * 6 * 200_000)
    found = members(condition, 20_000)
    assert len(found) == (2 * 19_999 if "abs" in condition else 20_000)


def test_sums_are_cut_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mecdsl.instances.tables.memory_limit", lambda: 8 * 6 * 200_000)
    text = """
        param n : integer = 20000
        let beside[k in 1..n] = sum(m for m in 1..n where abs(k - m) == 1)
        var x : 1 >= beside[2] + beside[20000]
        minimize cost = x
    """
    assert mecdsl.loads(text).instance().lower.tolist() == [1 + 3 + 19_999]
