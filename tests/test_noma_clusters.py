"""Split inference over NOMA, the parts of its exact method: powers for given cuts, and sums over sets
of users.
"""

import numpy as np
import pytest
from scipy.optimize import Bounds, minimize

from mecdsl.backends.noma.log_powers import Groups, minimise, prices
from mecdsl.backends.noma.subsets import Subsets
from mecdsl.backends.noma.system import Reals


def random_groups(seed: int, groups: int, users: int) -> Groups:
    draw = np.random.default_rng(seed)
    cross = 10.0 ** draw.uniform(-2.0, 6.0, (groups, users, users))
    shape = (groups, users)
    return Groups(
        cross=cross * ~np.eye(users, dtype=np.bool_),
        own=10.0 ** draw.uniform(0.0, 7.0, shape),
        fixed=draw.uniform(0.0, 1.0, shape),
        per_watt=10.0 ** draw.uniform(-3.0, 1.0, shape),
        least=np.full(shape, 1e-4),
        most=np.full(shape, 1.0),
    )


def test_prices_are_convex_in_the_logarithms_of_powers() -> None:
    groups = random_groups(0, 2000, 4)
    draw = np.random.default_rng(1)
    one, other = (10.0 ** draw.uniform(-4.0, 0.0, (2000, 4)) for _ in range(2))
    middle = prices(groups, np.sqrt(one * other))
    chord = np.sqrt(prices(groups, one) * prices(groups, other))  # of the logarithms of prices
    assert (middle <= chord * (1.0 + 1e-12)).all()


def searched(group: Groups) -> float:
    """The sum of prices of one group where SciPy ends in ln p, from the middle of the box."""

    def total(logarithms: Reals) -> float:
        return float(prices(group, np.exp(logarithms)[None]).sum())

    ending = minimize(
        total,
        np.log(np.sqrt(group.least * group.most))[0],
        method="L-BFGS-B",
        bounds=Bounds(np.log(group.least[0]), np.log(group.most[0])),
    )
    return float(ending.fun)


@pytest.mark.parametrize("users", [1, 2, 5])
def test_powers_for_given_cuts_are_found_and_bounded(users: int) -> None:
    groups = random_groups(users, 12, users)
    found = minimise(groups, groups.most, np.full(12, np.inf))
    assert (found.value - found.bound <= 1e-9 * found.value).all()
    for row in range(12):
        wanted = searched(groups.part(np.array([row])))
        assert found.bound[row] <= wanted
        assert found.value[row] <= wanted * (1.0 + 1e-9)


def test_sums_over_parts_are_those_of_an_enumeration() -> None:
    sets = Subsets(10)
    draw = np.random.default_rng(0)
    one, other = draw.uniform(size=(2, 1024))
    found = sets.combined(one, other)
    for whole in draw.integers(0, 1024, 40):
        parts = [part for part in range(1024) if part & ~whole == 0]
        wanted = min(one[part] + other[whole ^ part] for part in parts)
        assert found[whole] == wanted
        part = sets.parted(one, other, int(whole))
        assert one[part] + other[whole ^ part] == wanted
