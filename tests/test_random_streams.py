"""Draws depend on their address alone, and have the distributions they are named after."""

import math

import numpy as np
import pytest

from mecdsl.instances.random_streams import draw, unit_numbers

SIZE = 200_000
LABELS = [np.arange(1, SIZE + 1, dtype=np.int64)]


def full(value: float) -> np.ndarray:
    return np.full(SIZE, value)


# Mean and standard deviation of each distribution, from the textbook.
MOMENTS = {
    "uniform": ([2.0, 5.0], 3.5, 3.0 / math.sqrt(12.0)),
    "normal": ([-1.0, 0.5], -1.0, 0.5),
    "exponential": ([4.0], 4.0, 4.0),
    "rayleigh": ([2.0], 2.0 * math.sqrt(math.pi / 2.0), 2.0 * math.sqrt(2.0 - math.pi / 2.0)),
    "choice": ([1.0, 2.0, 6.0], 3.0, math.sqrt(14.0 / 3.0)),
}


@pytest.mark.parametrize("function", MOMENTS)
def test_moments(function: str) -> None:
    parameters, mean, deviation = MOMENTS[function]
    found = draw(function, [full(p) for p in parameters], 1, "name", 0, LABELS)
    allowed = 5.0 * deviation / math.sqrt(SIZE)  # five standard errors
    assert abs(found.mean() - mean) < allowed
    assert found.std() == pytest.approx(deviation, rel=0.02)


def test_uniform_numbers_fill_the_unit_interval_evenly() -> None:
    found = unit_numbers("key", LABELS, SIZE)
    assert found.min() > 0.0
    assert found.max() < 1.0
    counts = np.histogram(found, bins=100, range=(0, 1))[0]
    chi_square = ((counts - SIZE / 100) ** 2 / (SIZE / 100)).sum()
    assert chi_square < 99 + 6 * math.sqrt(2 * 99)


def test_neighbouring_labels_and_names_are_uncorrelated() -> None:
    one, two = unit_numbers("a", LABELS, SIZE), unit_numbers("b", LABELS, SIZE)
    assert abs(np.corrcoef(one[1:], one[:-1])[0, 1]) < 5 / math.sqrt(SIZE)
    assert abs(np.corrcoef(one, two)[0, 1]) < 5 / math.sqrt(SIZE)


def test_a_member_more_at_the_end_moves_nothing() -> None:
    short = unit_numbers("key", [np.arange(1, 6)], 5)
    assert unit_numbers("key", [np.arange(1, 9)], 8)[:5].tolist() == short.tolist()


def test_one_row_alone_gives_its_own_number() -> None:
    pairs = [np.array([1, 1, 2, 2]), np.array([1, 2, 1, 2])]
    every = unit_numbers("key", pairs, 4)
    assert unit_numbers("key", [np.array([2]), np.array([1])], 1)[0] == every[2]
    assert len(set(every.tolist())) == 4


def test_without_an_index_there_is_one_number() -> None:
    assert unit_numbers("key", [], 1).shape == (1,)
