"""`position in region`: the law of the drawn places, their streams, and places given as data."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.stats import kstest

import mecdsl
from mecdsl.instances.data_out import data_of

ROOT = Path(__file__).resolve().parent.parent
CELL = ROOT / "models" / "examples" / "cell.mec"

MANY = """
param count : integer = 20000
nodes device[k in 1..count] { position in disc(500 m) }
nodes sensor[k in 1..count] { position in rectangle(1 km, 0.2 km) }
nodes relay[k in 1..count] { position in ring(300 m, 500 m) }
node tower { position in disc(500 m) }
var x : m >= 0
minimize cost = x
constraint least: x >= distance(tower, device[1]) + distance(sensor[1], relay[1])
"""

LITTLE = """
nodes device[k in 1..3] {
    {members}
    work : cycle = uniform(1 cycle, 2 cycle)
}
{more}
var x : cycle >= 0
minimize cost = x
constraint least[k in device]: x >= device.work[k]
"""


def places(
    name: str, text: str = MANY, **options: Any
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    instance = mecdsl.loads(text, **options).instance()
    return instance.data(f"{name}.x"), instance.data(f"{name}.y")


def little(
    members: str = "position in disc(500 m)", more: str = "", **options: Any
) -> mecdsl.LoadedModel:
    return mecdsl.loads(LITTLE.replace("{members}", members).replace("{more}", more), **options)


# The law. With 20,000 points a Kolmogorov-Smirnov distance of 0.0137 has a probability of 0.1 %.


@pytest.mark.parametrize("seed", [0, 1])
def test_the_square_of_the_distance_is_uniform_on_a_disc(seed: int) -> None:
    # P(distance <= r) = pi r^2 / (pi 500^2): r^2 is uniform on 0..500^2, and the angle on -pi..pi
    x, y = places("device", seed=seed)
    assert kstest((x**2 + y**2) / 500.0**2, "uniform").pvalue > 1e-3
    assert kstest((np.arctan2(y, x) + np.pi) / (2 * np.pi), "uniform").pvalue > 1e-3


def test_distance_and_angle_on_a_disc_know_nothing_of_each_other() -> None:
    # the coordinates of a disc are uncorrelated, and so are their squares but for the edge: E x^2
    # y^2 = R^4/24 and E x^2 = R^2/4 give a correlation of (1/24 - 1/16)/(1/8 - 1/16) = -1/3, since
    # E x^4 = R^4/8
    x, y = places("device")
    assert abs(np.corrcoef(x, y)[0, 1]) < 0.03
    assert np.corrcoef(x**2, y**2)[0, 1] == pytest.approx(-1 / 3, abs=0.03)


def test_both_coordinates_of_a_rectangle_are_uniform_and_independent() -> None:
    x, y = places("sensor")
    assert kstest(x / 1000.0, "uniform").pvalue > 1e-3
    assert kstest(y / 200.0, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(x, y)[0, 1]) < 0.03


def test_the_square_of_the_distance_is_uniform_between_the_circles_of_a_ring() -> None:
    x, y = places("relay")
    squares = x**2 + y**2
    assert squares.min() >= 300.0**2 * (1 - 1e-12)
    assert squares.max() <= 500.0**2 * (1 + 1e-12)
    assert kstest((squares - 300.0**2) / (500.0**2 - 300.0**2), "uniform").pvalue > 1e-3


# The streams


def test_same_seed_same_places_other_seed_other_places() -> None:
    assert [part.tolist() for part in places("device", seed=3)] == [
        part.tolist() for part in places("device", seed=3)
    ]
    assert not np.isin(places("device", seed=3)[0], places("device", seed=4)[0]).any()


def test_families_and_coordinates_have_draws_of_their_own() -> None:
    drawn = np.concatenate(
        [
            part
            for name in ("device", "sensor", "relay", "tower")
            for part in places(name, count=500)
        ]
    )
    assert len(set(drawn.tolist())) == len(drawn)


def test_a_member_more_moves_nobody() -> None:
    few, many = places("device", count=5), places("device", count=9)
    for axis in (0, 1):
        assert many[axis][:5].tolist() == few[axis].tolist()


def test_a_place_changes_no_other_draw() -> None:
    plain = little("speed : 1 = uniform(0, 1)").instance()
    more = little(
        "speed : 1 = uniform(0, 1)\n    position in disc(500 m)",
        "node tower { position in disc(1 m) }",
    )
    for name in ("device.speed", "device.work"):
        assert more.instance().data(name).tolist() == plain.data(name).tolist()


def test_another_radius_stretches_the_same_places() -> None:
    small, large = (
        little("position in disc(100 m)").instance(),
        little("position in disc(300 m)").instance(),
    )
    for name in ("device.x", "device.y"):
        np.testing.assert_allclose(3 * small.data(name), large.data(name), rtol=1e-14)


def test_a_random_radius_is_one_radius_for_both_coordinates() -> None:
    # the angle does not know the radius; two radii, one for each coordinate, would bend it
    fixed, random = little().instance(), little("position in disc(uniform(1 m, 1 km))").instance()
    angles = [
        np.arctan2(found.data("device.y"), found.data("device.x")) for found in (fixed, random)
    ]
    np.testing.assert_allclose(angles[0], angles[1], rtol=1e-12)
    lengths = [
        np.hypot(found.data("device.x"), found.data("device.y")) for found in (fixed, random)
    ]
    assert len(set((lengths[1] / lengths[0]).round(6).tolist())) == 3  # a radius for each member


# Around a centre


def test_a_disc_around_a_member_is_the_disc_moved() -> None:
    tower = "node tower {\n    x : m = 300 m\n    y : m = 400 m\n}"
    plain, moved = (
        little().instance(),
        little("position in disc(500 m) around tower", tower).instance(),
    )
    pair = little("position in disc(500 m) around (300 m, 400 m)").instance()
    for name, shift in (("device.x", 300.0), ("device.y", 400.0)):
        assert (
            moved.data(name).tolist()
            == (plain.data(name) + shift).tolist()
            == pair.data(name).tolist()
        )


def test_a_rectangle_around_a_centre_has_it_in_the_middle() -> None:
    text = MANY.replace("rectangle(1 km, 0.2 km)", "rectangle(1 km, 0.2 km) around (2 km, 0 m)")
    (x, y), (plain_x, plain_y) = places("sensor", text), places("sensor")
    np.testing.assert_allclose(x, plain_x - 500.0 + 2000.0, rtol=1e-14)
    np.testing.assert_allclose(y, plain_y - 100.0, rtol=1e-12, atol=1e-12)


def test_each_member_may_have_a_centre_of_its_own() -> None:
    text = """
nodes spot[j in 1..2] {
    x : m = [0 m, 10 km]
    y : m = 0 m
}
nodes user[i in 1..200] {
    home : spot = if i <= 100 then 1 else 2
    position in disc(50 m) around home
}
var x : m >= 0
minimize cost = x
constraint least[i in user]: x >= distance(i, i.home)
"""
    x, y = places("user", text)
    assert (np.hypot(x - np.repeat([0.0, 1e4], 100), y) <= 50.0).all()
    # the largest of 200 distances is the objective, as `distance` reads the same attributes
    assert mecdsl.loads(text).solve("highs").objective == pytest.approx(
        np.hypot(x - np.repeat([0.0, 1e4], 100), y).max(), rel=1e-9
    )


def test_random_coordinates_of_a_centre_are_two_draws() -> None:
    text = MANY.replace("disc(500 m)", "disc(0 m) around (uniform(0 m, 1 m), uniform(0 m, 1 m))", 1)
    x, y = places("device", text)
    assert kstest(x, "uniform").pvalue > 1e-3
    assert kstest(y, "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(x, y)[0, 1]) < 0.03


# As data


def test_written_places_are_read_to_the_last_bit(tmp_path: Path) -> None:
    model = mecdsl.load(CELL, seed=5)
    file = tmp_path / "case.json"
    file.write_text(json.dumps(data_of(model.instance())), encoding="utf-8")
    again = mecdsl.load(CELL, data=file, seed=1)
    for name in ("device.x", "device.y", "device.size", "square.x"):
        assert again.instance().data(name).tolist() == model.instance().data(name).tolist()
    assert again.solve().objective == model.solve().objective


@pytest.mark.parametrize(
    "data",
    [
        {"device": {"position": [[1, 2], [3.5, 4], ["5 km", "6 m"]]}},
        {"device.position": [(1, 2), (3.5, 4), ("5 km", 6)]},
        {"device.x": [1, 3.5, 5000], "device.y": [2, 4, 6]},
    ],
)
def test_places_are_given_in_pairs_or_one_by_one(data: dict[str, Any]) -> None:
    found = little(data=data).instance()
    assert found.data("device.x").tolist() == [1.0, 3.5, 5000.0]
    assert found.data("device.y").tolist() == [2.0, 4.0, 6.0]


def test_arrays_and_single_nodes_take_pairs_too() -> None:
    tower = "node tower { position in disc(1 m) }"
    pairs = np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]])
    found = little(
        more=tower, data={"device": {"position": pairs}, "tower": {"position": [7, 8]}}
    ).instance()
    assert found.data("device.y").tolist() == [2.0, 4.0, 6.0]
    assert (found.data("tower.x")[0], found.data("tower.y")[0]) == (7.0, 8.0)


def test_pairs_fit_explicit_coordinates_and_an_own_attribute_keeps_its_name() -> None:
    pair = little("x : m\n    y : m", data={"device.position": [[1, 2], [3, 4], [5, 6]]}).instance()
    assert pair.data("device.x").tolist() == [1.0, 3.0, 5.0]
    own = little(
        "x : m = 0 m\n    y : m = 0 m\n    position : 1", data={"device.position": [1, 2, 3]}
    ).instance()
    assert own.data("device.position").tolist() == [1.0, 2.0, 3.0]


def test_a_position_of_something_without_coordinates_is_refused() -> None:
    with pytest.raises(mecdsl.ModelError) as caught:
        little("speed : 1 = 1", data={"device.position": [[1, 2]] * 3}).instance()
    assert [d.code for d in caught.value.diagnostics] == ["E303"]


# The example


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_example_is_an_assignment_of_devices_to_seats(seed: int) -> None:
    """The optimum by the Hungarian method over seats, with path loss and rate computed here."""
    model = mecdsl.load(CELL, seed=seed)
    data = model.instance().data
    device = np.stack([data("device.x"), data("device.y")], axis=1)
    station = np.array([[0.0, 0.0], [300.0, 0.0], [150.0, 300.0]])
    distance = np.maximum(np.linalg.norm(device[:, None] - station[None], axis=2), 10.0)
    gain = 10 ** (-(128.1 + 37.6 * np.log10(distance / 1000.0)) / 10)
    power, noise = 10 ** ((23 - 30) / 10), 10 ** ((-174 - 30) / 10) * 1e6
    seconds = data("device.size")[:, None] / (1e6 * np.log2(1 + power * gain / noise))
    seats = np.repeat(seconds, 4, axis=1)
    rows, columns = linear_sum_assignment(seats)
    found = model.solve()
    assert found.guarantee.value == "globally optimal"
    assert found.objective == pytest.approx(float(seats[rows, columns].sum()), rel=1e-9)
    square = np.array([data("square.x")[0], data("square.y")[0]])
    assert (np.linalg.norm(device - square, axis=1) <= 80.0 * (1 + 1e-12)).all()
    assert ((square >= 0.0) & (square <= 300.0)).all()
