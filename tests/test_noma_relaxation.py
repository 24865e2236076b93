"""The relaxation (22) on arrays: value and gradient against plain loops, finite differences and the
derivatives of the shipped model.
"""

import numpy as np
import pytest

from mecdsl.backends.noma.relaxation import Load, Point, Sharing
from mecdsl.backends.noma.system import Reals, System
from tests.noma_literal import downlink_rate, draw_system, plain, uplink_rate

SHAPES = [(2, 5, 3), (3, 9, 2), (1, 6, 2), (2, 6, 1), (3, 1, 2), (1, 1, 1), (4, 3, 3)]


def draw_shares(system: System, seed: int) -> dict[str, Reals]:
    draw, shape = np.random.default_rng(seed), system.shape[1:]
    return {
        "up": draw.uniform(0.0, 1.0, shape),
        "down": draw.uniform(0.0, 1.0, shape),
        "up_power": draw.uniform(system.uplink.power_min, system.uplink.power_max, shape),
        "down_power": draw.uniform(system.downlink.power_min, system.downlink.power_max, shape),
    }


def loads(system: System) -> tuple[Load, Load]:
    weights = system.time_weight, system.energy_weight
    return Load(system.cut_size[:, 1], *weights), Load(system.result_size, *weights)


def by_loops(system: System, shares: dict[str, Reals], way: str, load: Load) -> float:
    data, total = plain(system), 0.0
    rate_of = uplink_rate if way == "up" else downlink_rate
    beta, power = shares[way], shares[f"{way}_power"]
    sent = (beta * power).tolist()
    for i in range(system.shape[1]):
        rates = [rate_of(data, i, power[i, m], sent, m, None) for m in range(system.shape[2])]
        rate = float(beta[i] @ rates)
        total += load.size[i] * (load.time_weight[i] + load.energy_weight[i] * sum(sent[i])) / rate
    return total


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("ties", [False, True])
def test_the_value_is_that_of_the_formulas(shape: tuple[int, int, int], ties: bool) -> None:
    for seed in range(4):
        system = draw_system(seed, *shape, ties=ties)
        shares = draw_shares(system, seed)
        for way, link, load in zip(("up", "down"), system.links, loads(system), strict=True):
            point = Point(Sharing(link), load, shares[way], shares[f"{way}_power"])
            assert point.value == pytest.approx(by_loops(system, shares, way, load), rel=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("ties", [False, True])
def test_the_gradient_is_that_of_finite_differences(
    shape: tuple[int, int, int], ties: bool
) -> None:
    system = draw_system(1, *shape, ties=ties)
    shares = draw_shares(system, 1)
    for way, link, load in zip(("up", "down"), system.links, loads(system), strict=True):
        sharing = Sharing(link)
        names = (way, f"{way}_power")
        found = Point(sharing, load, *(shares[name] for name in names)).gradient()
        for name, slopes in zip(names, found, strict=True):
            for place in np.ndindex(*shares[name].shape):
                ends = []
                step = 1e-5 * shares[name][place]
                for sign in (1.0, -1.0):
                    moved = {key: value.copy() for key, value in shares.items()}
                    moved[name][place] += sign * step
                    ends.append(Point(sharing, load, *(moved[key] for key in names)).value)
                slope = (ends[0] - ends[1]) / (2.0 * step)
                least = 1e-7 * np.abs(slopes).max()
                assert slopes[place] == pytest.approx(slope, rel=1e-5, abs=least)


def test_users_with_nothing_to_send_only_disturb() -> None:
    system = draw_system(2)
    shares = draw_shares(system, 2)
    load = Load(np.where(np.arange(5) == 0, 0.0, 1e4), system.time_weight, system.energy_weight)
    point = Point(Sharing(system.uplink), load, shares["up"], shares["up_power"])
    in_beta, in_power = point.gradient()
    assert np.isfinite(point.value)
    assert (in_beta[0] >= 0.0).all()
    assert (in_power[0] >= 0.0).all()
